"""`diffrt render`: the image of a scene."""

from pathlib import Path
from typing import Annotated, Any

import typer

from diffrt.commands import options
from diffrt.errors import InputError
from diffrt.terminal import say


def render(
    scene: options.SceneFile,
    output: options.ImageFile,
    width: options.Width = None,
    height: options.Height = None,
    exposure: Annotated[float, typer.Option(help="In stops: 1 makes it twice as bright, -1 half as bright.")] = 0.0,
    scale: options.Scale = 1,
    cells: options.Cells = 1,
    edges: options.Edges = "exact",
    tolerance: options.Tolerance = 0.004,
    bound: Annotated[
        bool,
        typer.Option(
            "--bound",
            help="Prove how far each pixel can be from the exact one, and write a map of that beside the picture, as "
            "NAME.bound.png: white is the largest bound, black 10,000 times less, and even steps of gray even factors.",
        ),
    ] = False,
    report: Annotated[
        bool,
        typer.Option(
            "--report",
            help="Tell all that went into the image, and write where something is missing beside the picture, as "
            "NAME.report.png: red where it is not proved what is seen, blue where edges have no derivative.",
        ),
    ] = False,
    engine: options.EngineName = None,
    threads: options.Threads = None,
) -> None:
    """Render a scene.

    Examples: `diffrt render scenes/still_life.toml -o still_life.png`,
    `diffrt render scenes/tiny.toml --scale 40 -o tiny.png`
    """
    options.check_output(output)
    gain = options.gain_of(exposure)
    if bound and edges == "ignore":
        raise InputError("--bound: needs --edges exact; where edges are ignored the error has no bound")
    if report and edges == "ignore":
        raise InputError("--report: needs --edges exact; where edges are ignored nothing is known of them")
    import numpy as np

    from diffrt.image import Image, bound_map, report_map
    from diffrt.scene import load_scene
    from diffrt.tracer import render

    sampling: dict[str, Any] = {"cells": cells, "edges": edges, "tolerance": tolerance, "bound": bound,
                                "engine": engine, "threads": threads}  # fmt: skip
    image = render(options.of_size(load_scene(scene), width, height), **sampling)
    told: Any = image.report
    picture = Image(image * gain).enlarged(scale)
    picture.save(output)
    say(f"{output}: {picture.shape[1]} x {picture.shape[0]} pixels, {told.samples} samples, engine {told.engine}")
    for line in (f"{told.crossings} crossings of edges", told.derivative) if report else ():
        say(line)
    for line in told.missing if report else told.missing_at_once:
        say(line)
    if report:
        place = Path(output).with_suffix(".report.png")
        report_map(np.asarray(image), told.where).enlarged(scale).save(place)
        where = "red where it is not proved what is seen, blue where edges have no derivative"
        say(f"{place}: {where}" if told.where.any() else f"{place}: nothing is missing")
    if bound:
        place = Path(output).with_suffix(".bound.png")
        bounds: Any = image.bound
        drawn, least, most = bound_map(bounds)
        drawn.enlarged(scale).save(place)
        say(f"{place}: the bound of the error, black to {least:.2g}, white {most:.2g}, magenta where there is none")
