"""The report of a fit: one HTML file with all of it, that needs no other file and no network."""

from base64 import b64encode
from html import escape

import numpy as np

from diffrt import __version__
from diffrt.fitting.pictures import Shown, chosen_views, pictures_of
from diffrt.fitting.result import MOST_LISTED, Result, error_text
from diffrt.image import figure_html, png_bytes

_CAPTIONS = {
    "difference": "result - target, where it counts; full blue and red are -{most} and {most}",
    "unexplained": "what the model does not explain: the mean residual around each pixel, in standard errors by noise "
    "alone; full blue and red are -{most} and {most}",
}
"""Of the pictures in blue and red."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1c2733; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } th, td { padding: .15rem .8rem; text-align: right; border-bottom: 1px solid
#d9e0e7; } th:first-child, td:first-child { text-align: left; font-family: ui-monospace, monospace; }
figure { display: inline-block; vertical-align: top; margin: 0 1rem 1rem 0; }
figcaption { color: #567; font-size: .9rem; }
img { display: block; width: 16rem; image-rendering: pixelated; outline: 1px solid #d9e0e7; }
figure, figcaption { max-width: 16rem; } figure:has(.wide), .wide + figcaption { max-width: none; }
img.wide { width: 32rem; }
td.c { text-align: center; font-variant-numeric: tabular-nums; font-size: .8rem; padding: .1rem .3rem; }
.note { background: #fff6dd; padding: .3rem .8rem; margin: .3rem 0; border-left: 4px solid #e0a800; }
svg { width: 40rem; max-width: 100%; }
.scroll { overflow-x: auto; }
"""


def page_of(result: Result, shown: Shown) -> str:
    """The page of a fit with its pictures."""
    parts = [f"<h1>{_title(result)}</h1>", f"<p>{escape(result.summary)}</p>"]
    parts += [f'<p class="note">{escape(warning)}</p>' for warning in result.warnings]
    parts += ["<h2>Numbers</h2>", _numbers(result), "<h2>Images</h2>"]
    if (more := len(result.problem.views) - len(shown.chosen)) > 0:
        parts.append(f"<p>Of {more + len(shown.chosen)} views those {len(shown.chosen)} that are off by most.</p>")
    for number, (pictures, full) in zip(shown.chosen, shown.views, strict=True):
        view = result.problem.views[number]
        if view.name:
            parts.append(f"<h3>{escape(view.name)}</h3>")
        names = {name: _CAPTIONS[name].format(most=f"{most:.3g}") for name, most in full.items()}
        parts += [_figure(png_bytes(picture), "png", name, names.get(name, name)) for name, picture in pictures.items()]
    parts += [
        "<h2>Course</h2>",
        _figure(shown.animation, "webp", "convergence", "the best image so far, and the target", "wide"),
        shown.plot,
        "<h2>Correlations</h2>",
        _correlations(result),
        "<h2>How it was made</h2>",
        _settings(result),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{_title(result)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def card_of(result: Result) -> str:
    """A part of a page: what was found, in short."""
    parts = [_numbers(result), *(f"<p>{escape(warning)}</p>" for warning in result.warnings)]
    parts.append(f"<p>{escape(result.summary)}</p>")
    for number in chosen_views(result):
        view = result.problem.views[number]
        pictures, _ = pictures_of(result, number)
        parts += [figure_html(pictures[n], f"{view.name} {n}".strip()) for n in pictures if n != "start"]
    return "\n".join(parts)


def _title(result: Result) -> str:
    names = ", ".join(free.name for free in result.problem.variables.free)
    return escape(f"Fit of {names}")


def _numbers(result: Result) -> str:
    rows = zip(result.components, result.start, result.values, result.uncertainty.stderr, strict=True)
    cells = "".join(
        f"<tr><td>{escape(name)}</td><td>{start:.6g}</td><td>{value:.6g}</td><td>{escape(error_text(error))}</td></tr>"
        for name, start, value, error in rows
    )
    return f"<table><tr><th>number</th><th>start</th><th>found</th><th>standard error</th></tr>{cells}</table>"


def _correlations(result: Result) -> str:
    """A table whose cells are the redder the more two numbers move together, the bluer the more against each other."""
    if len(result.components) > MOST_LISTED:
        return f"<p>They are listed of at most {MOST_LISTED} numbers.</p>"
    head = "".join(f'<td class="c">{i + 1}</td>' for i in range(len(result.components)))
    rows = []
    for i, (name, row) in enumerate(zip(result.components, result.correlation, strict=True)):
        told = ((_shade(c), "" if np.isnan(c) else f"{c:.2f}") for c in row)
        cells = "".join(f'<td class="c" style="background:{shade}">{text}</td>' for shade, text in told)
        rows.append(f"<tr><td>{i + 1} {escape(name)}</td>{cells}</tr>")
    return f'<div class="scroll"><table><tr><td></td>{head}</tr>{"".join(rows)}</table></div>'


def _shade(correlation: float) -> str:
    if np.isnan(correlation):
        return "#eee"
    fade = round(255 - 155 * min(abs(correlation), 1.0))
    return f"rgb(255,{fade},{fade})" if correlation > 0.0 else f"rgb({fade},{fade},255)"


def _settings(result: Result) -> str:
    settings = {**vars(result.settings), "diffrt": __version__}
    noise, misfit = result.noise, result.misfit
    settings["noise"] = (
        f"read {noise.read:.3g}, shot {noise.shot:.3g}, {'given' if noise.given else 'as the residuals show it'}"
    )
    settings["residuals"] = (
        f"root mean square {misfit.size:.3g}, {misfit.ratio:.3g} times the noise, smooth over {misfit.length:.1f} "
        f"pixels, worth {misfit.patches:.0f} independent ones; errors widened {misfit.widened:.2f} times"
    )
    blurs = [f"{level.blur:.3g}" for level in result.problem.levels if level.blur]
    settings["levels"] = ", ".join([*(f"blur {blur}" for blur in blurs), "full image"])
    told = "".join(f"<tr><td>{escape(key)}</td><td>{escape(str(value))}</td></tr>" for key, value in settings.items())
    return f"<table>{told}</table><p>{escape(result.message)}</p>"


def _figure(data: bytes, kind: str, name: str, caption: str, style: str = "") -> str:
    source = f"data:image/{kind};base64,{b64encode(data).decode()}"
    image = f'<img class="{style}" alt="{escape(name)}" src="{source}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"
