"""Pictures of a fit: start, result, target, difference, the course of the search, and its loss."""

import io
from dataclasses import dataclass, replace

import numpy as np

from diffrt.errors import InputError
from diffrt.fitting.level import Level
from diffrt.fitting.misfit import map_of
from diffrt.fitting.residual import Sight, sights
from diffrt.fitting.result import Result
from diffrt.fitting.search import Step
from diffrt.fitting.view import View
from diffrt.image import Image, diverging, srgb_levels
from diffrt.tracer.renderer import TOLERANCE
from diffrt.types import Array

FRAMES = 10
"""Pictures of an animation at most."""

PASSING = 64.0 * TOLERANCE
"""What may be wrong in the cells of a picture of an animation, which has 256 levels of gray and passes."""

WIDE = 400
"""Pixels of an animation's picture at most, before it is enlarged."""

MOST_SHOWN = 16
"""Views that are shown in pictures at most."""


@dataclass(frozen=True)
class Shown:
    """All pictures of a fit. chosen: the numbers of the views that are shown. views: for each of these its pictures by
    name, and for those in blue and red the number that is full red. animation: WebP. plot: SVG."""

    chosen: tuple[int, ...]
    views: tuple[tuple[dict[str, Image], dict[str, float]], ...]
    animation: bytes
    plot: str


def show(result: Result) -> Shown:
    """The pictures of a fit."""
    chosen = chosen_views(result)
    views = tuple(pictures_of(result, number) for number in chosen)
    return Shown(chosen, views, animation_of(result), loss_plot(result.history))


def chosen_views(result: Result) -> tuple[int, ...]:
    """The numbers of the views that are shown: of very many, those that are off by most."""
    count = len(result.problem.views)
    if count <= MOST_SHOWN:
        return tuple(range(count))
    off = np.array([np.nanmean(residual**2) for residual in result.residuals])
    return tuple(sorted(np.argsort(-off, kind="stable")[:MOST_SHOWN].tolist()))


def pictures_of(result: Result, view: int) -> tuple[dict[str, Image], dict[str, float]]:
    """Start, target, result, and difference of a view, by name; and what is full red in those in blue and red.

    The difference is result - target as the fit counts it, the mean of the channels from blue to red: where a pixel is
    masked, or clipped and its bound holds, it is 0. If the model does not explain the image, "unexplained" is where.
    Pictures show the part of a view that its mask leaves.
    """
    sight = _linear(result, Level(), view)
    target = np.asarray(sight.view.photograph.image)
    start, end = (_image(result, sight, numbers) for numbers in (result.start, result.values))
    values = result.problem.variables.assign(result.found.u)
    difference, largest = diverging(np.asarray(sight.off(values)).mean(-1))
    pictures, full = {"start": Image(start), "target": Image(target), "result": Image(end)}, {"difference": largest}
    pictures["difference"] = difference
    if not result.misfit.explained:
        where = map_of(result.residuals[view], result.noise_variance(view), result.misfit.length)
        pictures["unexplained"], full["unexplained"] = diverging(where)
    return pictures, full


def animation_of(result: Result) -> bytes:
    """The course of the search as an animated WebP: the first view beside its target, at up to FRAMES best points."""
    from PIL import Image as pillow

    width, height = result.problem.views[0].size
    factor = 1
    while width // factor > WIDE and width % (2 * factor) == height % (2 * factor) == 0:
        factor *= 2
    sight = replace(_linear(result, Level(factor), 0), tolerance=PASSING)
    enlarge = max(1, 240 // sight.target.shape[1])
    frames = []
    for step in _course(result.history):
        both = np.concatenate([_image(result, sight, step.values), sight.target], 1)
        frames.append(pillow.fromarray(srgb_levels(both).repeat(enlarge, 0).repeat(enlarge, 1)))
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], lossless=True, loop=0,
                   duration=[300] * (len(frames) - 1) + [1500])  # fmt: skip
    return file.getvalue()


def loss_plot(history: tuple[Step, ...]) -> str:
    """The loss by evaluation, logarithmic, as SVG. Levels are bands; their losses are of different images."""
    width, height, left, bottom, top = 640, 300, 70, 40, 14
    losses = np.array([max(step.loss, 1e-300) for step in history])
    levels = [step.level for step in history]
    low, high = np.floor(np.log10(losses.min())), np.ceil(np.log10(losses.max()) + 1e-9)
    high = max(high, low + 1.0)
    x = left + (np.arange(len(losses)) + 0.5) * (width - left - 10) / len(losses)
    y = top + (high - np.log10(losses)) / (high - low) * (height - top - bottom)
    step = (width - left - 10) / len(losses)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="loss by evaluation">'
    ]
    for number in sorted(set(levels)):
        at = [i for i, level in enumerate(levels) if level == number]
        blur = history[at[0]].blur
        fill = "#eef2f7" if number % 2 == 0 else "#ffffff"
        parts.append(f'<rect x="{x[at[0]] - step / 2:.1f}" y="{top}" width="{len(at) * step:.1f}" '
                     f'height="{height - top - bottom}" fill="{fill}"/>')  # fmt: skip
        name = f"blur {blur:.3g} px" if blur else "full image"
        parts.append(f'<text x="{x[at[0]] - step / 2 + 4:.1f}" y="{top + 12}" fill="#567">{name}</text>')
        line = " ".join(f"{x[i]:.1f},{y[i]:.1f}" for i in at)
        parts.append(f'<polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/>')
    parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.6" fill="#1f5fa8"/>' for a, b in zip(x, y, strict=True)]
    every = max(1, int(np.ceil((high - low) / 8.0)))
    for power in range(int(low), int(high) + 1, every):
        place = top + (high - power) / (high - low) * (height - top - bottom)
        parts.append(f'<line x1="{left}" x2="{width - 10}" y1="{place:.1f}" y2="{place:.1f}" stroke="#ccd5de"/>')
        parts.append(f'<text x="{left - 8}" y="{place + 4:.1f}" text-anchor="end">1e{power}</text>')
    for count in _ticks(len(losses)):
        parts.append(f'<text x="{x[count - 1]:.1f}" y="{height - bottom + 16}" text-anchor="middle">{count}</text>')
    parts.append(f'<text x="{(left + width) / 2}" y="{height - 6}" text-anchor="middle">evaluation</text>')
    parts.append(f'<text transform="translate(14 {(top + height - bottom) / 2}) rotate(-90)" '
                 'text-anchor="middle">loss</text></svg>')  # fmt: skip
    return "\n".join(parts) + "\n"


def _ticks(count: int) -> list[int]:
    every = max(1, -(-count // 8))
    return [i for i in range(1, count + 1) if i == 1 or i % every == 0]


def _course(history: tuple[Step, ...]) -> list[Step]:
    """The steps that got better, on each level, at most FRAMES of them with the first and the last."""
    better = [step for step in history if step.loss <= step.best]
    chosen = np.unique(np.linspace(0, len(better) - 1, min(FRAMES, len(better))).round().astype(int))
    return [better[i] for i in chosen]


def _linear(result: Result, level: Level, view: int) -> Sight:
    settings = replace(result.problem.settings, space="linear", loss="squared")
    return sights(result.problem.views[view : view + 1], level, settings)[0]


def _image(result: Result, sight: Sight, numbers: Array) -> Array:
    variables = result.problem.variables
    try:
        image = sight.image(variables.assign(variables.coordinates(numbers)))
    except InputError:  # no scene is there
        image = np.zeros_like(sight.target)
    found: Array = np.asarray(image)
    return found


def names_of(views: tuple[View, ...]) -> list[str]:
    """What the file names of each view begin with."""
    return [f"{view.name}_" if view.name else "" for view in views]
