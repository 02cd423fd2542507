"""`diffrt parameters`: the numbers of a scene."""

from typing import Annotated

import typer

from diffrt.commands.options import SceneFile
from diffrt.terminal import say


def parameters(
    scene: SceneFile,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME ...]", help="Or patterns such as 'ball.*'; all if none.")
    ] = None,
) -> None:
    """List the parameters of a scene: path, value, bounds and unit.

    Example: `diffrt parameters scenes/still_life.toml`
    """
    from diffrt.scene import load_scene
    from diffrt.scene.parameters import is_pattern, matching

    loaded = load_scene(scene)
    found = loaded.parameters()
    if names:
        paths = [path for name in names for path in (matching(name, found) if is_pattern(name) else [name])]
        found = tuple(loaded.parameter(path) for path in dict.fromkeys(paths))
    width = max(len(p.path) for p in found)
    for p in found:
        value = " ".join(f"{x:g}" for x in loaded.pack([p.path]))
        limits = f"{p.minimum:g} to {p.maximum:g}" if p.minimum > -float("inf") else "any"
        say(f"{p.path:<{width}}  {value:<20}  {limits:<16}  {p.unit}".rstrip())
