"""`diffrt gradient`: the derivative of an image by one number, as a picture."""

from typing import Annotated, Any

import typer

from diffrt.commands import options
from diffrt.errors import InputError, listed
from diffrt.terminal import say


def gradient(
    scene: options.SceneFile,
    parameter: Annotated[str, typer.Argument(metavar="PARAMETER", help="One number, such as lamp.position.x.")],
    output: options.ImageFile,
    width: options.Width = None,
    height: options.Height = None,
    scale: options.Scale = 1,
    cells: options.Cells = 1,
    edges: options.Edges = "exact",
    tolerance: options.Tolerance = 0.004,
    engine: options.EngineName = None,
    threads: options.Threads = None,
) -> None:
    """Draw the derivative of the image's luminance by a parameter: negative is blue, positive red.

    Example: `diffrt gradient scenes/still_life.toml lamp.position.x -o lamp_x.png`
    """
    options.check_output(output)
    from diffrt.scene import load_scene
    from diffrt.tracer import jacobian

    loaded = options.of_size(load_scene(scene), width, height)
    numbers = loaded.components([parameter])
    if len(numbers) > 1:
        raise InputError(f"{parameter}: holds {len(numbers)} numbers, needed: one of {listed(numbers)}")
    sampling: dict[str, Any] = {"cells": cells, "edges": edges, "tolerance": tolerance, "engine": engine,
                                "threads": threads}  # fmt: skip
    derivative = jacobian(loaded, numbers, **sampling)
    ((name, picture, most),) = derivative.pictures()
    picture.enlarged(scale).save(output)
    say(f"{output}: white is 0, full blue and red are -{most:.4g} and {most:.4g} luminance per unit of {name}")
    report: Any = derivative.report
    for line in (report.derivative, *report.missing_at_once):
        say(line)
