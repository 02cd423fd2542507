"""Where the lights of photographs are, by a ball that is in all of them, in one fit and with errors.

    cd examples/recover/photometric_stereo
    python stereo.py simulate photographs
    python stereo.py fit 'photographs/*.png' --fov 12 --lights photographs/lights.csv

The first command makes photographs (`photographs.py`), the second takes your own as well: of a matte, glossy or chrome
ball, by a camera that stands still, each with one light far away.

Lengths are in pixels, counted from the middle of the image, right and up. What is known of the camera is its field of
view; without one its rays are taken for parallel.
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
from diffrt.fitting import Result, make_problem
from diffrt.fitting.reading import read_mask
from diffrt.photograph import Photograph, read_photograph

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import photographs as simulation  # noqa: E402
from calibration import Light, compare, read_lights, write_lights  # noqa: E402

RIM = 0.12
"""How much of the background counts around the ball, in radii: its outline is told by what is on both sides of it."""

BALL = ("ball.center.x", "ball.center.y", "ball.radius")

Mask = NDArray[np.bool_]

PRINTED = ("ball.material", "room", "background", "vignetting", "response")
"""What begins so is printed with the ball."""

SURFACES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "matte": ({"type": "lambert", "albedo": [0.5] * 3}, ()),
    "glossy": (
        {"type": "rough_plastic", "albedo": [0.5] * 3, "ior": 1.5, "alpha": 0.2},
        ("ball.material.albedo", "ball.material.alpha"),
    ),
    "chrome": ({"type": "rough_metal", "reflectance": [0.6] * 3, "alpha": 0.1}, ("ball.material.alpha",)),
}
"""For each kind of ball its material, and what of that is free. The strength of the light is free, so what only scales
it is not: the albedo of a matte ball is any number."""

app = typer.Typer(add_completion=False, help=__doc__)


def scene(width: int, height: int, fov: float | None, surface: str) -> diffrt.Scene:
    """The scene to start from: a ball somewhere, one light, and some light from everywhere."""
    view: dict[str, Any] = {"position": [0.0, 0.0, 10.0 * height], "target": [0.0, 0.0, 0.0], "width": width,
                            "height": height}  # fmt: skip
    if fov is None:
        view |= {"type": "orthographic", "view_height": float(height)}
    else:
        view |= {"type": "perspective", "fov": fov}
        view["position"] = [0.0, 0.0, 0.5 * height / np.tan(np.radians(0.5 * fov))]
    ball = {"type": "sphere", "center": [0.0] * 3, "radius": 0.25 * height, "material": SURFACES[surface][0]}
    return diffrt.Scene(
        camera=view,
        shapes={"ball": ball},
        lights={
            "sun": {"type": "directional", "direction": [0.0, 0.0, -1.0], "irradiance": [1.0] * 3},
            "room": {"type": "ambient", "radiance": [0.01] * 3},
        },
        background={"type": "constant", "radiance": [0.01] * 3},
    )


def fit(
    targets: dict[str, Photograph], surface: str, fov: float | None = None, mask: Any = None, **settings: Any
) -> Result:
    """The ball and the lights of photographs, by their names. mask: (height, width), True on the ball, but where it is
    dirty, say; what is around the ball counts all the same, as it tells the outline."""
    height, width = next(iter(targets.values())).image.shape[:2]
    start = scene(width, height, fov, surface)
    views = {name: {"target": target, "mask": mask} for name, target in targets.items()}
    circle, around, within = first_look(start, views)
    used = around if mask is None else around & (mask | ~within)
    # What is behind the ball is lit by the lamp as well.
    each = ["sun.direction", "sun.irradiance", "background.radiance"]
    views = {name: {"target": target, "mask": used} for name, target in targets.items()}
    options: Any = {"loss": "huber", "start": "image", "levels": (), **settings}
    free = {**circle, **{name: {} for name in (*SURFACES[surface][1], "room.radiance")}}
    return diffrt.fit(start, views, free, each=each, **options)


def first_look(start: diffrt.Scene, views: Any) -> tuple[dict[str, dict[str, float]], Mask, Mask]:
    """Where the ball is in the photographs, as the start of a fit; its pixels with a rim of background around it, and
    those well within it, (height, width) each."""
    problem = make_problem(start, views, BALL, start="image")
    print(*problem.notes, sep="\n")
    x, y, radius = problem.variables.numbers(problem.variables.start).tolist()
    height, width = problem.views[0].used.shape
    across, down = np.arange(width) + 0.5 - 0.5 * width, np.arange(height) + 0.5 - 0.5 * height
    away = np.hypot(across[None, :] - x, down[:, None] + y) / radius
    circle = {path: {"start": value} for path, value in zip(BALL, (x, y, radius), strict=True)}
    return circle, away < 1.0 + RIM, away < 1.0 - 0.5 * RIM


def lights_of(found: Result, names: Sequence[str]) -> dict[str, Light]:
    """The light of each photograph."""
    lights = {}
    for name in names:
        paths = [f"{name}.sun.direction.{c}" for c in "xyz"]
        travels, error = (np.array([numbers[path] for path in paths]) for numbers in (found.parameters, found.stderr))
        length = float(np.linalg.norm(travels))
        lights[name] = Light(-travels / length, error / length)
    return lights


def read(pattern: str, encoding: str | None = None) -> dict[str, Photograph]:
    """The photographs of a pattern such as 'photographs/*.png', by the names of their files."""
    where = Path(pattern)
    files = sorted(where.parent.glob(where.name))
    if not files:
        raise InputError(f"{pattern}: matches no file")
    return {file.stem: read_photograph(file, encoding) for file in files}


@app.command("simulate")
def simulate_command(
    folder: Annotated[str, typer.Argument(help="Where the photographs go.")],
    count: Annotated[int, typer.Option(help="How many.", min=3)] = 24,
    seed: Annotated[int, typer.Option(help="Of lights and noise.", min=0)] = 0,
    surface: Annotated[str, typer.Option(help="matte, glossy or chrome.")] = "glossy",
) -> None:
    """Make photographs of a ball, and a table of their lights."""
    _expect_surface(surface)
    lights = simulation.simulate(folder, count, seed, material=simulation.MATERIALS[surface])
    write_lights(Path(folder) / "lights.csv", lights)
    print(f"{count} photographs, and their lights in lights.csv, are in {folder}")


@app.command("fit")
def fit_command(
    pattern: Annotated[str, typer.Argument(help="The photographs, such as 'photographs/*.png'.")],
    surface: Annotated[str, typer.Option(help="Of the ball: matte, glossy or chrome.")] = "glossy",
    fov: Annotated[float | None, typer.Option(help="The camera's vertical field of view, in degrees.")] = None,
    lights: Annotated[str | None, typer.Option(help="A table of known lights, to compare with.")] = None,
    vignetting: Annotated[bool, typer.Option(help="Whether the corners of the pictures may be darker.")] = False,
    response: Annotated[bool, typer.Option(help="Whether the camera's curve may not be that of the encoding.")] = False,
    mask: Annotated[str | None, typer.Option(help="An image that is white on the ball.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of the photographs: srgb or linear.")] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="The table of lights to write.")] = "found.csv",
) -> None:
    """Find the ball, and the light of each photograph."""
    _expect_surface(surface)
    try:
        targets = read(pattern, encoding)
        truth = read_lights(lights, list(targets)) if lights else None
        own_mask = read_mask(mask) if mask else None
        found = fit(targets, surface, fov, own_mask, vignetting=vignetting, response=response)
    except InputError as fault:
        raise SystemExit("\n".join(fault.problems)) from None
    own = lights_of(found, list(targets))
    write_lights(output, own)
    print(*found.warnings, sep="\n")
    for path in (*BALL, *(p for p in found.parameters if p.startswith(PRINTED))):
        print(f"{path:<24} {found.parameters[path]:10.4f} +- {found.stderr[path]:.2g}")
    for name, light in own.items():
        print(f"{name:<24} {' '.join(f'{c:8.4f}' for c in light.way)} +- {light.degrees:.2g} degrees")
    if truth:
        print(compare(own, truth))
    print(f"{'converged' if found.converged else 'stopped'} after {found.evaluations} evaluations; lights in {output}")


def _expect_surface(surface: str) -> None:
    if surface not in SURFACES:
        raise SystemExit(f"--surface: found {surface}, allowed: {', '.join(SURFACES)}")


if __name__ == "__main__":
    app()
