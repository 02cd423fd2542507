"""`diffrt explain`: why the derivative of a pixel is what it is."""

from typing import Annotated, Any

import typer

from diffrt.commands.options import Cells, Channel, Edges, Pixel, SceneFile, check_folder, pixel_of, put
from diffrt.errors import InputError, shown


def explain(
    scene: SceneFile,
    pixel: Pixel,
    wrt: Annotated[str, typer.Option(metavar="PARAMETER", help="Such as lamp.position or ball.center.x.")],
    channel: Channel = "luminance",
    format: Annotated[
        str, typer.Option(help="text, formula (in symbols), latex, beamer (slides), html, svg or dot.")
    ] = "text",
    output: Annotated[str | None, typer.Option("--output", "-o", help="The file to write; printed if none.")] = None,
    paths: Annotated[int, typer.Option(help="How many paths are listed.", min=1, max=1000)] = 10,
    operations: Annotated[bool, typer.Option("--operations", help="Every operation, not only named steps.")] = False,
    cells: Cells = 1,
    edges: Edges = "exact",
) -> None:
    """Explain the derivative of a pixel by a parameter: its steps, its paths with their contributions.

    Example: `diffrt explain scenes/tiny.toml --pixel 2,0 --channel r --wrt lamp.position.y`
    """
    if format not in ("text", "formula", "latex", "beamer", "html", "svg", "dot"):
        raise InputError(f"--format: found {shown(format)}, allowed: text, formula, latex, beamer, html, svg or dot")
    if output is not None:
        check_folder(output)
    from diffrt.explaining import explain
    from diffrt.scene import load_scene

    settings: dict[str, Any] = {"channel": channel, "cells": cells, "edges": edges}
    found = explain(load_scene(scene), pixel_of(pixel), wrt, paths=paths, operations=operations, **settings)
    forms = {"latex": found.latex, "beamer": found.beamer, "html": found.html, "svg": found.svg, "dot": found.dot}
    if format in ("text", "formula"):
        put((found.text if format == "text" else found.derivation) + "\n", output)
    else:
        put(forms[format](), output)
