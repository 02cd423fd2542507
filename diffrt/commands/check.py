"""`diffrt check`: is the derivative of an image right?"""

import json
from typing import Annotated

import typer

from diffrt.commands.options import Cells, SceneFile, Tolerance, check_folder
from diffrt.terminal import say


def check(
    scene: SceneFile,
    parameters: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PARAMETER ...]", help="Names, or patterns such as 'ball.*'; all if none."),
    ] = None,
    output: Annotated[str | None, typer.Option("--json", metavar="OUT", help="Write the results to this file.")] = None,
    cells: Cells = 1,
    tolerance: Tolerance = 0.004,
) -> None:
    """Check the derivative of the image by parameters against differences of images rendered again.

    Says for each number whether its derivative is right, wrong, or cannot be told; exit code 1 if any is wrong.

    Example: `diffrt check scenes/still_life.toml lamp.position ball.center`
    """
    if output is not None:
        check_folder(output)
    from diffrt.files import write_whole
    from diffrt.scene import load_scene
    from diffrt.tracer.checking import check, table_line
    from diffrt.tracer.differences import Comparison

    loaded = load_scene(scene)
    names = parameters or [p.path for p in loaded.parameters()]
    width = max(map(len, loaded.components(names)))
    begun = False

    def row(compared: Comparison) -> None:
        nonlocal begun
        if not begun:  # what is refused is told alone, without the head of a table
            say(table_line(width))
        begun = True
        say(table_line(width, compared), flush=True)

    checked = check(loaded, names, cells=cells, tolerance=tolerance, progress=row)
    for line in checked.summary:
        say(line)
    if output is not None:
        told = {"scene": scene, "cells": cells, **checked.as_json()}
        write_whole(output, (json.dumps(told, indent=2) + "\n").encode())
        say(f"written to {output}")
    if not checked.ok:
        raise SystemExit(1)
