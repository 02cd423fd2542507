"""`diffrt graph`: the computation of a pixel, as a diagram."""

from pathlib import Path
from typing import Annotated, Any

import typer

from diffrt.commands.options import Cells, Channel, Edges, Pixel, SceneFile, check_output, pixel_of, put
from diffrt.terminal import say


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
    check_output(output, (".svg", ".html", ".dot"))
    suffix = Path(output).suffix.lower()
    from diffrt.explaining.diagram import dot_of, folded, svg_of
    from diffrt.explaining.html import html_of
    from diffrt.explaining.trace import trace
    from diffrt.scene import load_scene

    settings: dict[str, Any] = {"channel": channel, "cells": cells, "edges": edges}
    whole = trace(load_scene(scene), pixel_of(pixel), **settings)
    drawn = folded(whole)
    if suffix == ".html":
        put(html_of(drawn, f"{whole.output.name} at {pixel}", None if drawn is whole else whole), output)
    else:
        text = dot_of(drawn)
        put(text if suffix == ".dot" else svg_of(text).decode(), output)
    say(f"{output}: {len(drawn.nodes)} nodes" + ("" if drawn is whole else f", folded from {len(whole.nodes)}"))
