"""`diffrt new`: a first scene, and a fit to play with."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from diffrt.errors import InputError
from diffrt.terminal import say

WRITTEN = ("scene.toml", "fit.toml", "target.png")


def new(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Where to; it is made if it is not there.")],
) -> None:
    """Write a first scene, an image of it, and a fit that recovers the scene from the image.

    Example: `diffrt new first`
    """
    there = [name for name in WRITTEN if (Path(folder) / name).exists()]
    if there:
        raise InputError(f"{folder}: holds {', '.join(there)} already; give another folder")
    from importlib.resources import files

    from diffrt.files import make_folder, write_whole
    from diffrt.image import png_bytes
    from diffrt.scene import parse_scene
    from diffrt.tracer import render

    starter = files("diffrt.commands") / "starter"
    texts = {name: (starter / name).read_text(encoding="utf-8") for name in ("scene.toml", "fit.toml")}
    target = png_bytes(render(parse_scene(texts["scene.toml"])))  # before anything is written
    place = make_folder(folder)
    for name, data in {**{name: text.encode() for name, text in texts.items()}, "target.png": target}.items():
        write_whole(place / name, data)
    say(f"written to {folder}: {', '.join(WRITTEN)}")
    say("next:")
    scene, fit, image, out = (shlex.quote(str(place / name)) for name in ("scene.toml", "fit.toml", "ball.png", "out"))
    say(f"  diffrt render {scene} -o {image}")
    say(f"  diffrt gradient {scene} ball.center.x -o {shlex.quote(str(place / 'ball_x.png'))}")
    say(f"  diffrt fit {fit} -o {out}")
