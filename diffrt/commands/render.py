"""`diffrt render`: the image of a scene."""

from typing import Annotated, Any

import typer

from diffrt.commands.options import (
    Cells,
    Edges,
    EngineName,
    Height,
    ImageFile,
    Scale,
    SceneFile,
    Threads,
    Tolerance,
    Width,
    check_output,
    gain_of,
    of_size,
)
from diffrt.terminal import say


def render(
    scene: SceneFile,
    output: ImageFile,
    width: Width = None,
    height: Height = None,
    exposure: Annotated[float, typer.Option(help="In stops: 1 makes it twice as bright, -1 half as bright.")] = 0.0,
    scale: Scale = 1,
    cells: Cells = 1,
    edges: Edges = "exact",
    tolerance: Tolerance = 0.004,
    engine: EngineName = None,
    threads: Threads = None,
) -> None:
    """Render a scene.

    Examples: `diffrt render scenes/still_life.toml -o still_life.png`,
    `diffrt render scenes/tiny.toml --scale 40 -o tiny.png`
    """
    check_output(output)
    gain = gain_of(exposure)
    from diffrt.image import Image
    from diffrt.scene import load_scene
    from diffrt.tracer import render

    sampling: dict[str, Any] = {
        "cells": cells,
        "edges": edges,
        "tolerance": tolerance,
        "engine": engine,
        "threads": threads,
    }
    image = render(of_size(load_scene(scene), width, height), **sampling)
    report: Any = image.report
    picture = Image(image * gain).enlarged(scale)
    picture.save(output)
    say(f"{output}: {picture.shape[1]} x {picture.shape[0]} pixels, {report.samples} samples, engine {report.engine}")
    for line in report.missing:
        say(line)
