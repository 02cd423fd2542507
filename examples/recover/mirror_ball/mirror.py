"""Where lamps are, by a chrome ball that mirrors them, in one fit of several photographs and with errors.

    cd examples/recover/mirror_ball
    python mirror.py simulate photographs
    python mirror.py fit 'photographs/*.png' --fov 12 --lights photographs/lights.csv

Each photograph shows the ball under one lamp, a small ball that shines, in a room with a window that mirrors too. The
first command makes the photographs, the second takes your own as well.

Lengths are in pixels, counted from the middle of the image, right, up and towards the camera. The size of a lamp's
mirror image tells how far it is, if one knows how large the lamp is; the direction does not depend on it much.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

import diffrt
from diffrt.errors import InputError
from diffrt.fitting import Result
from diffrt.image import Image
from diffrt.photograph import Photograph

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "photometric_stereo")]

from calibration import Light, compare, read_lights, write_lights  # noqa: E402
from photographs import FULL_WELL, READ_NOISE, camera, lights  # noqa: E402
from stereo import BALL, first_look, read  # noqa: E402

SIDE, FOV = 96, 12.0
MIDDLE, RADIUS = (-1.7, 2.4, 0.0), 36.2
DISTANCE, LAMP = 1100.0, 90.0
"""How far the lamps are from the ball, and their radius."""

REFLECTANCE = 0.6

app = typer.Typer(add_completion=False, help=__doc__)


def scene(width: int, height: int, fov: float, lamp: float = LAMP, distance: float = DISTANCE) -> diffrt.Scene:
    """The scene to start from: a chrome ball, a lamp somewhere, and an even room."""
    view = {**camera(height, fov), "width": width}
    black = {"type": "lambert", "albedo": [0.0] * 3}
    chrome = {"type": "mirror", "reflectance": [REFLECTANCE] * 3}
    return diffrt.Scene(
        camera=view,
        shapes={
            "ball": {"type": "sphere", "center": [0.0] * 3, "radius": 0.3 * height, "material": chrome},
            "lamp": {"type": "sphere", "center": [0.0, 0.6 * distance, 0.8 * distance], "radius": lamp,
                     "material": {**black, "emission": [6.0] * 3}},
        },
        background={"type": "gradient", "zenith": [0.3] * 3, "nadir": [0.1] * 3},
    )  # fmt: skip


def simulate(folder: str | Path, count: int = 8, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """Write photographs of 8 bits. Returns for the name of each the way to its lamp, (3,).

    The room has a window, of which a fit knows nothing.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    ways = {f"{number:02d}": way for number, way in enumerate(lights(count, generator))}
    pane = {"type": "lambert", "albedo": [0.0] * 3, "emission": [0.5, 0.55, 0.6]}
    window = {"type": "rectangle", "center": [-1300.0, 100.0, 900.0], "normal": [1.0, 0.0, -0.6], "width": 500.0,
              "height": 600.0, "material": pane}  # fmt: skip
    for name, way in ways.items():
        lit = scene(SIDE, SIDE, FOV).replace(
            {"ball.center": MIDDLE, "ball.radius": RADIUS, "lamp.center": np.add(MIDDLE, DISTANCE * way)}
        )
        room = diffrt.Scene(**{**lit.parts, "shapes": {**lit.shapes, "window": window}})
        linear = np.asarray(diffrt.render(room, cells=3))
        electrons = generator.poisson(np.clip(linear, 0.0, None) * FULL_WELL)
        seen = (electrons + READ_NOISE * generator.normal(size=linear.shape)) / FULL_WELL
        Image(np.clip(seen, 0.0, 1.0)).save(folder / f"{name}.png")
    return ways


def fit(
    targets: dict[str, Photograph], fov: float, lamp: float = LAMP, distance: float = DISTANCE, **settings: Any
) -> Result:
    """The ball and the lamps of photographs, by their names. lamp: the radius of the lamps."""
    height, width = next(iter(targets.values())).image.shape[:2]
    start = scene(width, height, fov, lamp, distance)
    views = {name: {"target": target} for name, target in targets.items()}
    circle, around, _ = first_look(start, views)
    views = {name: {"target": target, "mask": around} for name, target in targets.items()}
    options: Any = {"loss": "huber", "start": "image", "levels": (), **settings}
    free = {**circle, "background.zenith": {}, "background.nadir": {}}
    return diffrt.fit(start, views, free, each=["lamp.center"], **options)


def lights_of(found: Result, names: Sequence[str]) -> dict[str, Light]:
    """The way from the ball to each lamp. With v from the ball to the lamp, an error dv turns it by the part of dv that
    is perpendicular to v, over |v|; that of the ball is small beside it."""
    at = {path: number for number, path in enumerate(found.components)}
    ball = np.array([found.parameters[BALL[0]], found.parameters[BALL[1]], 0.0])
    found_errors = np.array(list(found.stderr.values()))
    lights = {}
    for name in names:
        own = [at[f"{name}.lamp.center.{c}"] for c in "xyz"]
        away = found.values[own] - ball
        distance = float(np.linalg.norm(away))
        way = away / distance
        covariance = found.correlation[np.ix_(own, own)] * np.outer(found_errors[own], found_errors[own])
        across = (np.eye(3) - np.outer(way, way)) / distance
        lights[name] = Light(way, np.sqrt(np.diag(across @ covariance @ across.T)))
    return lights


@app.command("simulate")
def simulate_command(
    folder: Annotated[str, typer.Argument(help="Where the photographs go.")],
    count: Annotated[int, typer.Option(help="How many.", min=1)] = 8,
    seed: Annotated[int, typer.Option(help="Of lamps and noise.", min=0)] = 0,
) -> None:
    """Make photographs of a chrome ball, and a table of their lamps."""
    write_lights(Path(folder) / "lights.csv", simulate(folder, count, seed))
    print(f"{count} photographs, and their lamps in lights.csv, are in {folder}")


@app.command("fit")
def fit_command(
    pattern: Annotated[str, typer.Argument(help="The photographs, such as 'photographs/*.png'.")],
    fov: Annotated[float, typer.Option(help="The camera's vertical field of view, in degrees.")],
    lamp: Annotated[float, typer.Option(help="The radius of the lamps, in pixels at the ball.")] = LAMP,
    lights: Annotated[str | None, typer.Option(help="A table of known lamps, to compare with.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of the photographs: srgb or linear.")] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="The table of lights to write.")] = "found.csv",
) -> None:
    """Find the ball, and the lamp of each photograph."""
    try:
        targets = read(pattern, encoding)
        truth = read_lights(lights, list(targets)) if lights else None
        found = fit(targets, fov, lamp)
    except InputError as fault:
        raise SystemExit("\n".join(fault.problems)) from None
    own = lights_of(found, list(targets))
    write_lights(output, own)
    print(*found.warnings, sep="\n")
    for path in BALL:
        print(f"{path:<16} {found.parameters[path]:10.4f} +- {found.stderr[path]:.2g}")
    for name, light in own.items():
        print(f"{name:<16} {' '.join(f'{c:8.4f}' for c in light.way)} +- {light.degrees:.2g} degrees")
    if truth:
        print(compare(own, truth))
    print(f"{'converged' if found.converged else 'stopped'} after {found.evaluations} evaluations; lights in {output}")


if __name__ == "__main__":
    app()
