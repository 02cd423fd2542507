"""The command line: thin. Every command reads, calls the package, writes, and says what it did.

What is wrong with the input is told on stderr, one line per mistake, with exit code 2. Heavy packages are
imported by the command that needs them, so that `--help` answers at once.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diffrt.errors import InputError, shown
from diffrt.terminal import border, progress_lines, say, signals
from diffrt.waiting import tell_of_compiling

if TYPE_CHECKING:
    from diffrt.tracer.renderer import Report

app = typer.Typer(
    help="A differentiable ray tracer: images, their derivatives, and scenes recovered from images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

SceneFile = Annotated[str, typer.Argument(metavar="SCENE", help="A scene file (TOML).")]
Cells = Annotated[int, typer.Option(help="Cells per pixel side.", min=1, max=64)]
EngineName = Annotated[
    str | None, typer.Option("--engine", help="llvm: compiled, the default; numpy: the reference.", show_default=False)
]
Threads = Annotated[int | None, typer.Option(help="At the same time; all processors if not given.", show_default=False)]
Edges = Annotated[str, typer.Option(help="exact: cells are cut at edges; ignore: each cell is one point.")]


def main() -> None:
    """Run the command line."""
    tell_of_compiling(
        lambda: say("compiling for kinds of shapes and lights that are new here; kept for the next time", error=True)
    )
    with border():
        raise SystemExit(app(standalone_mode=False))


@app.command()
def render(
    scene: SceneFile,
    output: Annotated[str, typer.Option("--output", "-o", help="The image to write: .png, or .npy for linear RGB.")],
    cells: Cells = 1,
    edges: Edges = "exact",
    engine: EngineName = None,
    threads: Threads = None,
) -> None:
    """Render a scene.

    Example: `diffrt render scenes/still_life.toml -o still_life.png`
    """
    _check_output(output)
    from diffrt.scene import load_scene
    from diffrt.tracer.renderer import render

    image, report = render(load_scene(scene), cells, edges, report=True, engine=engine, threads=threads)
    image.save(output)
    say(f"{output}: {image.shape[1]} x {image.shape[0]} pixels, {report.samples} samples, engine {report.engine}")
    _tell(report)


@app.command()
def gradient(
    scene: SceneFile,
    parameter: Annotated[str, typer.Argument(metavar="PARAMETER", help="One number, such as lamp.position.x.")],
    output: Annotated[str, typer.Option("--output", "-o", help="The picture to write: .png, or .npy.")],
    cells: Cells = 1,
    edges: Edges = "exact",
    engine: EngineName = None,
    threads: Threads = None,
) -> None:
    """Draw the derivative of the image's luminance by a parameter: negative is blue, positive red.

    Example: `diffrt gradient scenes/still_life.toml lamp.position.x -o lamp_x.png`
    """
    _check_output(output)
    from diffrt.image import diverging
    from diffrt.scene import load_scene
    from diffrt.tracer.renderer import jacobian

    loaded = load_scene(scene)
    found = loaded.parameter(parameter)
    if found.size > 1:
        raise InputError(f"{parameter}: holds {found.size} numbers, needed: one of {', '.join(found.components)}")
    # The luminance of linear sRGB (ITU-R BT.709).
    derivative, report = jacobian(loaded, [parameter], cells, edges, report=True, engine=engine, threads=threads)
    luminance = derivative[..., 0] @ (0.2126, 0.7152, 0.0722)
    picture, scale = diverging(luminance)
    picture.save(output)
    say(f"{output}: white is 0, full blue and red are -{scale:.4g} and {scale:.4g} luminance per unit of {parameter}")
    say(f"edges without a derivative: {report.without_derivative}" if edges == "exact" else "edges are ignored")
    _tell(report)


@app.command()
def check(
    scene: SceneFile,
    parameters: Annotated[
        list[str] | None, typer.Argument(metavar="[PARAMETER ...]", help="Parameters, all of the scene if none.")
    ] = None,
    output: Annotated[str | None, typer.Option("--json", metavar="OUT", help="Write the results to this file.")] = None,
    cells: Cells = 1,
) -> None:
    """Check the derivative of the image by parameters against differences of images rendered again.

    Says for each number whether its derivative is right, wrong, or cannot be told; exit code 1 if any is wrong.

    Example: `diffrt check scenes/still_life.toml lamp.position ball.center`
    """
    if output is not None:
        _check_folder(output)
    from diffrt.files import write_whole
    from diffrt.scene import load_scene
    from diffrt.tracer.differences import compare
    from diffrt.tracer.renderer import Settings
    from diffrt.tracer.renderer import render as render_image

    loaded = load_scene(scene)
    names = parameters or [p.path for p in loaded.parameters()]
    width = max(map(len, loaded.components(names)))
    _, report = render_image(loaded, cells, report=True)
    say(f"{'parameter':<{width}}  verdict      relative L2  worst pixel          slope  pixels not judged")
    found = []
    for c in compare(loaded, names, Settings(cells)):
        found.append(c)
        where = f"{c.worst:.1e} at {c.worst_pixel[0]},{c.worst_pixel[1]}"
        slope = "linear" if c.slope == float("inf") else f"{c.slope:.2f}"
        left = f"{c.unjudged} ({100.0 * c.unjudged_share:.2g} %)" if c.unjudged else "0"
        say(f"{c.path:<{width}}  {c.verdict:<11}  {c.error:<11.1e}  {where:<19}  {slope:<6}  {left}", flush=True)
    count = {v: sum(c.verdict == v for c in found) for v in ("right", "wrong", "cannot tell")}
    say(f"{count['right']} right, {count['wrong']} wrong, {count['cannot tell']} cannot be told")
    say(f"edges without a derivative: {report.without_derivative}")
    _tell(report)
    if output is not None:
        told = {"scene": scene, "cells": cells, "edges_without_derivative": report.without_derivative,
                "parameters": [c.as_json() for c in found]}  # fmt: skip
        write_whole(output, (json.dumps(told, indent=2) + "\n").encode())
        say(f"written to {output}")
    if count["wrong"]:
        raise SystemExit(1)


Pixel = Annotated[str, typer.Option(metavar="X,Y", help="From the top left, from 0.")]
Channel = Annotated[str, typer.Option(help="r, g, b or luminance.")]


@app.command()
def explain(
    scene: SceneFile,
    pixel: Pixel,
    wrt: Annotated[str, typer.Option(metavar="PARAMETER", help="Such as lamp.position or ball.center.x.")],
    channel: Channel = "luminance",
    format: Annotated[str, typer.Option(help="text, latex, html, svg or dot.")] = "text",
    output: Annotated[str | None, typer.Option("--output", "-o", help="The file to write; printed if none.")] = None,
    paths: Annotated[int, typer.Option(help="How many paths are listed.", min=1, max=1000)] = 10,
    operations: Annotated[bool, typer.Option("--operations", help="Every operation, not only named steps.")] = False,
    cells: Cells = 1,
    edges: Edges = "exact",
) -> None:
    """Explain the derivative of a pixel by a parameter: its steps, its paths with their contributions.

    Example: `diffrt explain scenes/tiny.toml --pixel 2,0 --channel r --wrt lamp.position.y`
    """
    if format not in ("text", "latex", "html", "svg", "dot"):
        raise InputError(f"--format: found {shown(format)}, allowed: text, latex, html, svg or dot")
    if output is not None:
        _check_folder(output)
    from diffrt.explaining.diagram import dot_of, svg_of
    from diffrt.explaining.html import html_of
    from diffrt.explaining.latex import explain_latex
    from diffrt.explaining.text import explain_text
    from diffrt.explaining.trace import source_of, trace
    from diffrt.scene import load_scene

    loaded = load_scene(scene)
    whole = trace(loaded, _pixel(pixel), channel, cells, edges)
    graph = whole if operations else whole.steps()
    source, entry = source_of(graph, loaded, wrt)
    used = graph.restricted([source])
    if format == "text":
        _put(explain_text(graph, source, entry, paths) + "\n", output)
    elif format == "latex":
        _put(explain_latex(graph, source, entry, paths), output)
    elif format == "html":
        title = f"{graph.output.name} at {pixel} by {wrt}"
        notes = explain_text(graph, source, entry, paths)
        _put(html_of(used, title, None if operations else whole, [source], notes), output)
    else:
        drawn = dot_of(used, [source])
        _put(drawn if format == "dot" else svg_of(drawn).decode(), output)


@app.command()
def graph(
    scene: SceneFile,
    pixel: Pixel,
    output: Annotated[str, typer.Option("--output", "-o", help="The diagram to write: .svg, .html or .dot.")],
    channel: Channel = "luminance",
    cells: Cells = 1,
    edges: Edges = "exact",
) -> None:
    """Draw the graph of a pixel. Over 300 operations it is folded to its named steps.

    Example: `diffrt graph scenes/tiny.toml --pixel 2,0 -o pixel.dot --edges ignore`
    """
    suffix = Path(output).suffix.lower()
    if suffix not in (".svg", ".html", ".dot"):
        raise InputError(f"{output}: found the suffix '{Path(output).suffix}', allowed: .svg, .html or .dot")
    _check_folder(output)
    from diffrt.explaining.diagram import dot_of, folded, svg_of
    from diffrt.explaining.html import html_of
    from diffrt.explaining.trace import trace
    from diffrt.scene import load_scene

    whole = trace(load_scene(scene), _pixel(pixel), channel, cells, edges)
    drawn = folded(whole)
    if suffix == ".html":
        _put(html_of(drawn, f"{whole.output.name} at {pixel}", None if drawn is whole else whole), output)
    else:
        text = dot_of(drawn)
        _put(text if suffix == ".dot" else svg_of(text).decode(), output)
    say(f"{output}: {len(drawn.nodes)} nodes" + ("" if drawn is whole else f", folded from {len(whole.nodes)}"))


@app.command()
def verify(
    derivation: Annotated[str, typer.Argument(metavar="DERIVATION", help="A derivation file (TOML).")],
) -> None:
    """Mark a derivation made by hand, line by line: right, wrong and why, cannot tell, or cannot be read and why.

    Exit code 1 if a line is wrong or cannot be read, 2 if the file cannot be used at all.

    Example: `diffrt verify examples/lecture/pixel_by_hand.toml`
    """
    from diffrt.marking.reading import load_derivation

    marked = load_derivation(derivation).mark()
    say(str(marked))
    if not marked.ok:
        raise SystemExit(1)


@app.command()
def fit(
    source: Annotated[
        str, typer.Argument(metavar="FIT|SCENE", help="A fit file, or a scene with --target and --free.")
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help="The folder for the results.")],
    target: Annotated[
        str | None, typer.Option(help="The image to fit: .png or .jpg (sRGB), .npy or .exr (linear).")
    ] = None,
    free: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A free parameter, or a pattern; may be repeated.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Of the target: srgb or linear.")] = None,
    mask: Annotated[str | None, typer.Option(help="An image; pixels of the target that are white in it count.")] = None,
    method: Annotated[str | None, typer.Option(help="least_squares, or a gradient method of scipy's minimize.")] = None,
    cells: Annotated[int | None, typer.Option(help="Cells per pixel side.", min=1, max=64)] = None,
    loss: Annotated[str | None, typer.Option(help="squared, huber or soft_l1.")] = None,
    space: Annotated[str | None, typer.Option(help="What is compared: linear or srgb values.")] = None,
    starts: Annotated[int | None, typer.Option(help="Points in the bounds that are tried.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Of these points.", min=0)] = None,
    dask: Annotated[str | None, typer.Option(metavar="ADDRESS", help="A Dask cluster that searches from them.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the unfinished fit in DIR.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print fit.json in place of the table.")] = False,
) -> None:
    """Recover parameters of a scene from an image.

    Ctrl-C ends it with the best so far; `--resume` goes on from there, and after a crash too.

    Examples: `diffrt fit examples/still_life/fit.toml -o out`,
    `diffrt fit scenes/still_life.toml --target examples/still_life/target.png --free 'ball.*' -o out`
    """
    from diffrt.fitting import make_problem, read_problem, solve_into
    from diffrt.fitting.cluster import cluster
    from diffrt.fitting.outputs import as_json as result_as_json
    from diffrt.fitting.reading import read_mask
    from diffrt.photograph import read_photograph
    from diffrt.scene import load_scene

    given = {"method": method, "cells": cells, "loss": loss, "space": space, "starts": starts, "seed": seed}
    settings: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if target is None and not free:
        if encoding or mask:
            raise InputError("--encoding and --mask go with --target; a fit file says both itself")
        problem = read_problem(source, settings)
    elif target is None or not free:
        raise InputError("a fit of a scene needs both --target and --free; a fit file needs neither")
    else:
        counted = read_mask(mask) if mask else None
        problem = make_problem(load_scene(source), read_photograph(target, encoding), free, mask=counted, **settings)
    with signals() as stopped, progress_lines(quiet) as (progress, told), cluster(dask) as executor:
        result, written = solve_into(
            problem, output, progress, resume=resume, stop=lambda: bool(stopped), executor=executor, told=told
        )
    if as_json:
        say(json.dumps(result_as_json(result), indent=2))
    elif not quiet:
        say(str(result))
        say(f"scipy says: {result.message}")
        say(f"written to {output}: {', '.join(written)}")
    if stopped and not result.found.finished:
        say(f"interrupted; go on with: diffrt fit {source} -o {output} --resume", error=True)
        raise SystemExit(128 + stopped[0])


@app.command()
def parameters(scene: SceneFile) -> None:
    """List the parameters of a scene: path, value, bounds and unit.

    Example: `diffrt parameters scenes/still_life.toml`
    """
    from diffrt.scene import load_scene

    loaded = load_scene(scene)
    found = loaded.parameters()
    width = max(len(p.path) for p in found)
    for p in found:
        value = " ".join(f"{x:g}" for x in loaded.pack([p.path]))
        limits = f"{p.minimum:g} to {p.maximum:g}" if p.minimum > -float("inf") else "any"
        say(f"{p.path:<{width}}  {value:<20}  {limits:<16}  {p.unit}".rstrip())


@app.command()
def info() -> None:
    """Say which versions run, and which engine.

    Example: `diffrt info`
    """
    import platform
    from importlib.metadata import version

    from diffrt import __version__
    from diffrt.compiler import describe

    say(f"diffrt {__version__}, exact edges")
    say(describe())
    say(f"Python {platform.python_version()}, numpy {version('numpy')}, scipy {version('scipy')}")
    say(f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors")


def _pixel(text: str) -> tuple[int, ...]:
    """The numbers of "x,y"."""
    parts = text.split(",")
    if len(parts) != 2 or not all(p.strip().isdecimal() and len(p) < 20 for p in parts):
        raise InputError(f"--pixel: found {shown(text)}, needed: two whole numbers such as 2,0")
    return tuple(int(p) for p in parts)


def _put(text: str, path: str | None) -> None:
    """Write text to a file, or print it."""
    if path is None:
        say(text.removesuffix("\n"))
        return
    from diffrt.files import write_whole

    write_whole(path, text.encode())


def _check_output(path: str) -> None:
    """Refuse an output that cannot be written before the work, not after."""
    if Path(path).suffix.lower() not in (".png", ".npy"):
        raise InputError(f"{path}: found the suffix '{Path(path).suffix}', allowed: .png or .npy")
    _check_folder(path)


def _check_folder(path: str) -> None:
    if not Path(path).absolute().parent.is_dir():
        raise InputError(f"{path}: the folder {Path(path).absolute().parent} does not exist; create it first")


def _tell(report: "Report") -> None:
    """Say what is missing in an image or a derivative."""
    if report.unresolved:
        say(f"shapes too small to be resolved: {report.unresolved}")
