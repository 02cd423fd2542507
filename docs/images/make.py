"""Makes the pictures of the README and of the pages beside it; those of kinds are made by docs/make_pages.py.

python docs/images/make.py
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import diffrt
from diffrt.compiler import choose_engine
from diffrt.image import LUMINANCE, bound_map, srgb_levels
from diffrt.tracer.renderer import Settings, find_topology
from diffrt.tracer.tables import build_tables
from diffrt.tracer.window import Part, window_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WIDTH, HEIGHT, GAP, LABEL = 640, 480, 8, 34
SKY = '\n[background]\ntype = "gradient"\nzenith = [0.1, 0.22, 0.5]\nnadir = [0.62, 0.68, 0.76]\n'


def shipped(name: str, more: str = "") -> Any:
    """A scene of the folder scenes at 640x480, before a sky."""
    text = (ROOT / "scenes" / f"{name}.toml").read_text(encoding="utf-8") + SKY + more
    return diffrt.parse_scene(text)


def shown(scene: Any) -> Any:
    """The levels of a picture of a scene."""
    return srgb_levels(diffrt.render(scene.replace({}, width=WIDTH, height=HEIGHT), cells=2))


def slope(scene: Any, direction: Any, **settings: Any) -> Any:
    """The derivative of the luminance along a direction. Its pixels are squares of two, so that edges can be seen."""
    smaller = scene.replace({}, width=WIDTH // 2, height=HEIGHT // 2)
    derivative = np.asarray(diffrt.jacobian(smaller, direction=direction, **settings))
    return (derivative @ np.array(LUMINANCE)).repeat(2, 0).repeat(2, 1)


def signed(values: Any, most: float) -> Any:
    """Levels (height, width, 3) for a derivative (height, width): blue at -most, white at 0, red at +most."""
    share = np.clip(values / most, -1.0, 1.0)
    red, blue = 1.0 + np.minimum(share, 0.0), 1.0 - np.maximum(share, 0.0)
    return np.rint(255 * np.stack([red, np.minimum(red, blue), blue], axis=-1)).astype(np.uint8)


def strength(slope: Any) -> float:
    """What nine tenths of the pixels that change are under."""
    size = np.abs(slope)
    return float(np.quantile(size[size > 0.01 * np.quantile(size, 0.999)], 0.9))


def side_by_side(panels: dict[str, Any]) -> Image.Image:
    """Pictures in a row, each over its label."""
    font = ImageFont.load_default(20)
    whole = Image.new("RGB", (len(panels) * (WIDTH + GAP) - GAP, HEIGHT + LABEL), "white")
    for column, (label, levels) in enumerate(panels.items()):
        left = column * (WIDTH + GAP)
        whole.paste(Image.fromarray(levels), (left, 0))
        ImageDraw.Draw(whole).rectangle((left, 0, left + WIDTH - 1, HEIGHT - 1), outline=(190, 190, 190))
        ImageDraw.Draw(whole).text((left + WIDTH / 2, HEIGHT + LABEL / 2), label, "black", font, anchor="mm")
    return whole


def gallery() -> Image.Image:
    """A scene with many kinds, and its derivative by the lamp's x."""
    scene = shipped("gallery").replace({"camera.position": [0.9, 2.0, 6.9], "camera.target": [0.1, 0.85, -0.2]})
    change = slope(scene, {"lamp.position": [1, 0, 0]})
    most = 2.0 * strength(change)
    label = f"its derivative by lamp.position.x, from -{most:.2g} to {most:.2g} per unit"
    return side_by_side({"the scene": shown(scene), label: signed(change, most)})


def edges() -> Image.Image:
    """The still life, and the two terms of its derivative by the ball's x."""
    scene = shipped("still_life", '\n[lights.sky]\ntype = "ambient"\nradiance = 0.06\n')
    direction = {"ball.center": [1, 0, 0]}
    interior = slope(scene, direction, edges="ignore")
    edge = slope(scene, direction) - interior
    inside, outline = strength(interior), strength(edge)
    print(f"edges.png: full colour is {inside:.2g} and {outline:.2g} per scene unit")
    return side_by_side({
        "the scene; the red ball moves to the right": shown(scene),
        "interior term: the shading moves with the ball": signed(interior, inside),
        "edge term: its outline and its shadow's border move": signed(edge, outline),
    })  # fmt: skip


def blocks() -> Image.Image:
    """The cells of the still life that are not cells of the grid, and the blocks above them, drawn over its picture."""
    scale, tolerance = 12, 2.0**-8
    scene = diffrt.load_scene(ROOT / "scenes" / "still_life.toml")
    window = window_of(scene, Part())
    cells = find_topology(build_tables(scene).plain(), window, Settings(tolerance=tolerance), choose_engine()).cells
    picture = diffrt.render(scene, tolerance=tolerance)
    large = Image.fromarray(srgb_levels(np.asarray(picture).repeat(scale, 0).repeat(scale, 1)))
    draw = ImageDraw.Draw(large)

    def outline(x: float, y: float, side: float, colour: str) -> None:
        draw.rectangle((scale * x, scale * y, scale * (x + side), scale * (y + side)), outline=colour)

    width = scene.camera.width
    for place in np.flatnonzero(cells.grid >= 0):
        outline(place % width, place // width, 1.0, "#5a6a7a")
    for x, y, side in zip(cells.x, cells.y, cells.size, strict=True):
        outline(x - 0.5 * side, y - 0.5 * side, side, "#8fb4d8")
    for x, y, side in zip(cells.corner_x, cells.corner_y, cells.mixed_size, strict=True):
        outline(x, y, side, "#ff9d2e")
    return large


def bound() -> Image.Image:
    """The still life, the error of its pixels against many small cells, and the bound of that, which is proved."""
    scene = diffrt.load_scene(ROOT / "scenes" / "still_life.toml")
    image = diffrt.render(scene, bound=True)
    error = np.abs(np.asarray(image) - np.asarray(diffrt.render(scene, cells=16)))
    drawn, least, most = bound_map(np.concatenate([error, np.asarray(image.bound)], 1))
    maps = np.split(np.asarray(drawn.enlarged(WIDTH // image.shape[1])), 2, 1)
    print(f"bound.png: the mean error is {error.mean():.2g}, the mean bound {image.bound.mean():.2g}")
    return side_by_side({
        "the scene": srgb_levels(image.enlarged(WIDTH // image.shape[1])),
        f"its error, black to {least:.1g}, white {most:.1g}": srgb_levels(maps[0]),
        "the bound of the error, in the same scale": srgb_levels(maps[1]),
    })  # fmt: skip


def first_scene() -> dict[str, Image.Image]:
    """The pictures of first_scene.md: what its commands make."""
    starter = (ROOT / "diffrt/commands/starter/scene.toml").read_text(encoding="utf-8")
    page = (HERE.parent / "first_scene.md").read_text(encoding="utf-8")
    added = page.split("```toml\n")[1].split("```")[0]
    first, second = map(diffrt.parse_scene, (starter, f"{starter}\n{added}"))
    ((_, change, _),) = diffrt.jacobian(second, ["ball.center.x"]).pictures()
    ball, crate = (diffrt.render(scene.replace({}, width=WIDTH, height=HEIGHT)) for scene in (first, second))
    pictures = {"ball": ball, "crate": crate, "ball_x": change.enlarged(10)}
    return {f"first_{name}": Image.fromarray(srgb_levels(picture)) for name, picture in pictures.items()}


def main() -> None:
    made = {"gallery": gallery(), "edges": edges(), "blocks": blocks(), "bound": bound(), **first_scene()}
    for name, picture in made.items():
        picture.save(HERE / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
