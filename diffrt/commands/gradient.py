"""`diffrt gradient`: the derivative of an image by one number, as a picture."""

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
    of_size,
)
from diffrt.errors import InputError, listed
from diffrt.terminal import say


def gradient(
    scene: SceneFile,
    parameter: Annotated[str, typer.Argument(metavar="PARAMETER", help="One number, such as lamp.position.x.")],
    output: ImageFile,
    width: Width = None,
    height: Height = None,
    scale: Scale = 1,
    cells: Cells = 1,
    edges: Edges = "exact",
    tolerance: Tolerance = 0.004,
    engine: EngineName = None,
    threads: Threads = None,
) -> None:
    """Draw the derivative of the image's luminance by a parameter: negative is blue, positive red.

    Example: `diffrt gradient scenes/still_life.toml lamp.position.x -o lamp_x.png`
    """
    check_output(output)
    from diffrt.scene import load_scene
    from diffrt.tracer import jacobian

    loaded = of_size(load_scene(scene), width, height)
    numbers = loaded.components([parameter])
    if len(numbers) > 1:
        raise InputError(f"{parameter}: holds {len(numbers)} numbers, needed: one of {listed(numbers)}")
    sampling: dict[str, Any] = {
        "cells": cells,
        "edges": edges,
        "tolerance": tolerance,
        "engine": engine,
        "threads": threads,
    }
    derivative = jacobian(loaded, numbers, **sampling)
    ((name, picture, most),) = derivative.pictures()
    picture.enlarged(scale).save(output)
    say(f"{output}: white is 0, full blue and red are -{most:.4g} and {most:.4g} luminance per unit of {name}")
    report: Any = derivative.report
    for line in (report.derivative, *report.missing_at_once):
        say(line)
