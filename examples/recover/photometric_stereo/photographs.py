"""Photographs of a ball under one light after the other, as a camera would take them.

Lengths are in pixels at the distance of the ball.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import diffrt
from diffrt.image import Image

SIDE = 96
"""Pixels of a photograph, on each side."""

FOV = 12.0
"""The camera's field of view, in degrees."""

BALL = (2.3, -1.4, 0.0)
"""The ball's middle, from the middle of the image: right, up, and towards the camera."""

RADIUS = 35.3

FULL_WELL, READ_NOISE = 15_000.0, 12.0
"""Electrons at the camera's brightest level, and of its noise without light."""

GLOSSY: Any = {"type": "rough_plastic", "albedo": [0.46, 0.42, 0.38], "ior": 1.5, "alpha": 0.16}
MATTE: Any = {"type": "lambert", "albedo": [0.6, 0.6, 0.6]}
CHROME: Any = {"type": "rough_metal", "reflectance": [0.6, 0.6, 0.6], "alpha": 0.08}
MATERIALS = {"glossy": GLOSSY, "matte": MATTE, "chrome": CHROME}


def camera(side: int = SIDE, fov: float = FOV) -> dict[str, Any]:
    """A camera in whose images a length of 1 in the plane z = 0 is a pixel."""
    distance = 0.5 * side / np.tan(np.radians(0.5 * fov))
    return {"type": "perspective", "position": [0.0, 0.0, distance], "target": [0.0, 0.0, 0.0], "fov": fov,
            "width": side, "height": side}  # fmt: skip


def lights(count: int, generator: np.random.Generator, widest: float = 65.0) -> NDArray[np.float64]:
    """Ways to lights, (count, 3), spread over the directions up to so many degrees from that of the camera."""
    z = np.cos(np.radians(widest)) + (1.0 - np.cos(np.radians(widest))) * (np.arange(count) + 0.5) / count
    turn = 2.4 * np.arange(count) + generator.uniform(0.0, 2.0 * np.pi)  # about the golden angle
    r = np.sqrt(1.0 - z * z)
    ways = np.stack([r * np.cos(turn), r * np.sin(turn), z], 1) + 0.03 * generator.normal(size=(count, 3))
    return np.asarray(ways / np.linalg.norm(ways, axis=1, keepdims=True))


def photograph(
    way: NDArray[np.float64],
    generator: np.random.Generator,
    material: Any = None,
    ball: tuple[float, float, float] = BALL,
    radius: float = RADIUS,
    side: int = SIDE,
    fov: float = FOV,
    strength: float = 3.2,
    ambient: float = 0.012,
    background: float = 0.02,
    vignetting: float = 0.0,
    gamma: float | None = None,
    noise: float = 1.0,
) -> Image:
    """A photograph, linear and clipped, with the noise of a camera.

    way: to the light, (3,). ambient: the radiance that comes from everywhere. background: that of a cloth behind the
    ball, which has folds and is brighter the more the light faces it. vignetting: how much darker the corners are.
    gamma: of the camera's curve, if that is not sRGB's. noise: of the camera, times.
    """
    shape = {"type": "sphere", "center": ball, "radius": radius}
    scene = diffrt.Scene(
        camera=camera(side, fov),
        shapes={"ball": {**shape, "material": material or GLOSSY}},
        lights={
            "sun": {"type": "directional", "direction": (-way).tolist(), "irradiance": [strength] * 3},
            "room": {"type": "ambient", "radiance": [ambient] * 3},
        },
    )
    black = {"type": "lambert", "albedo": [0.0] * 3, "emission": [1.0] * 3}
    mask = np.asarray(diffrt.render(scene.replace({"ball.material": black}), cells=3))
    place = (np.arange(side) + 0.5) / side - 0.5
    x, y = place[None, :], -place[:, None]
    folds = 1.0 + 0.1 * (x + 0.6 * y) + 0.03 * np.sin(31.0 * x + 9.0 * np.sin(5.0 * y))
    cloth = background * (0.5 + way[2]) * folds
    linear = np.asarray(diffrt.render(scene, cells=3)) + (1.0 - mask) * cloth[..., None]
    linear = linear * (1.0 - 2.0 * vignetting * (x * x + y * y))[..., None]
    gain = noise**2 / FULL_WELL  # of the brightness of an electron, all else equal
    electrons = noise**2 * generator.poisson(np.clip(linear, 0.0, None) / gain)
    seen = np.clip((electrons + noise * READ_NOISE * generator.normal(size=linear.shape)) / FULL_WELL, 0.0, 1.0)
    if gamma is not None:  # a reader takes it for sRGB
        seen = np.asarray(diffrt.image.srgb_decode(seen ** (1.0 / gamma)))
    return Image(seen)


def simulate(folder: str | Path, count: int = 24, seed: int = 0, **how: Any) -> dict[str, NDArray[np.float64]]:
    """Write photographs, PNGs of 8 bits. Returns for the name of each the way to its light, (3,)."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    ways = {f"{number:02d}": way for number, way in enumerate(lights(count, generator))}
    for name, way in ways.items():
        strength = 3.2 * generator.uniform(0.75, 1.25)  # no two flashes are equally strong
        photograph(way, generator, **{"strength": strength, **how}).save(folder / f"{name}.png")
    return ways
