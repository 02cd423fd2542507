"""Options that several commands have, and what they mean. Nothing heavy is imported here, so that `--help` is fast."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffrt.errors import InputError, shown
from diffrt.terminal import say

if TYPE_CHECKING:
    from diffrt.scene import Scene

SceneFile = Annotated[str, typer.Argument(metavar="SCENE", help="A scene file (TOML).")]
ImageFile = Annotated[
    str, typer.Option("--output", "-o", help="The picture to write: .png or .jpg; .npy or .exr for linear RGB.")
]
Cells = Annotated[int, typer.Option(help="Cells per pixel side.", min=1, max=64)]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="llvm: compiled, the default; numpy: the reference; graph: op by op, for small images.",
        show_default=False,
    ),
]
Threads = Annotated[int | None, typer.Option(help="At the same time; all processors if not given.", show_default=False)]
Tolerance = Annotated[
    float,
    typer.Option(
        help="Halve cells until it is proved that nothing else is seen in them, and less than this is wrong: an area "
        "in pixels."
    ),
]
Edges = Annotated[str, typer.Option(help="exact: cells are cut at edges; ignore: each cell is one point.")]
Pixel = Annotated[str, typer.Option(metavar="X,Y", help="From the top left, from 0.")]
Channel = Annotated[str, typer.Option(help="r, g, b or luminance.")]
Width = Annotated[
    int | None,
    typer.Option(help="Pixels, in place of the scene's; one of the two alone keeps the shape.", show_default=False),
]
Height = Annotated[int | None, typer.Option(help="Pixels, in place of the scene's.", show_default=False)]
Scale = Annotated[int, typer.Option(help="Each pixel is drawn as a square of so many pixels a side.")]

PICTURES = (".png", ".jpg", ".npy", ".exr")
"""Suffixes of files that hold one; .jpeg is another word for .jpg."""


def check_output(path: str, allowed: tuple[str, ...] = PICTURES) -> None:
    """Refuse an output that cannot be written before the work, not after."""
    from diffrt.files import expect_suffix

    if not (allowed is PICTURES and path.lower().endswith(".jpeg")):
        expect_suffix(path, allowed)
    check_folder(path)


def check_folder(path: str) -> None:
    """Refuse a file whose folder is not there."""
    if not Path(path).absolute().parent.is_dir():
        raise InputError(f"{path}: the folder {Path(path).absolute().parent} does not exist; create it first")


def pixel_of(text: str) -> tuple[int, ...]:
    """The numbers of "x,y"."""
    parts = text.split(",")
    if len(parts) != 2 or not all(p.strip().isdecimal() and len(p) < 20 for p in parts):
        raise InputError(f"--pixel: found {shown(text)}, needed: two whole numbers such as 2,0")
    return tuple(int(p) for p in parts)


def of_size(scene: "Scene", width: int | None, height: int | None) -> "Scene":
    """The scene with an image of another size; one number alone keeps the shape of the image. Raises InputError."""
    from diffrt.formats.limits import MAX_SIDE

    if width is None and height is None:
        return scene
    now = scene.camera
    if now.crop:
        named = "--height" if width is None else "--width"
        raise InputError(f"{named}: the camera has a crop, which says how large the image is; change it in the scene")
    across = width if width is not None else round((height or 1) * now.width / now.height)
    down = height if height is not None else round(across * now.height / now.width)
    size = max(across, 1) if width is None else across, max(down, 1) if height is None else down
    given = {"--width": width, "--height": height}
    told = " and ".join(f"{name} {number}" for name, number in given.items() if number is not None)
    if not all(1 <= side <= MAX_SIDE for side in size):
        raise InputError(f"{told}: an image of {size[0]} x {size[1]} pixels, allowed: 1 to {MAX_SIDE} on a side")
    return scene.replace(width=size[0], height=size[1])


def gain_of(exposure: float) -> float:
    """The factor of an exposure in stops. Raises InputError."""
    if not abs(exposure) <= 64.0:  # nan is not either
        raise InputError(f"--exposure: found {exposure}, allowed: stops from -64 to 64; 1 is twice as bright")
    return float(2.0**exposure)


def put(text: str, path: str | None) -> None:
    """Write text to a file, or print it."""
    if path is None:
        say(text.removesuffix("\n"))
        return
    from diffrt.files import write_whole

    write_whole(path, text.encode())
