"""The scene of `bench_render.py`: three balls on a floor under a point light, all matte."""

from typing import Any

from diffrt.kinds import Lambert, Perspective, Plane, PointLight, Sphere
from diffrt.scene import Scene

BALLS = (([-1.1, 0.7, 0.0], 0.7, [0.8, 0.2, 0.2]), ([0.5, 0.5, 0.8], 0.5, [0.2, 0.7, 0.3]),
         ([1.2, 0.9, -0.8], 0.9, [0.2, 0.3, 0.8]))  # fmt: skip
FLOOR, LAMP, INTENSITY = [0.6, 0.6, 0.6], [2.0, 4.0, 3.0], 24.0
POSITION, TARGET, FOV = [0.0, 2.0, 6.0], [0.0, 0.7, 0.0], 45.0


def scene_of(size: int, balls: Any = BALLS) -> Scene:
    """The scene as diffrt has it, `size` pixels wide and high."""
    shapes = {f"ball{i}": Sphere(center, radius, Lambert(albedo)) for i, (center, radius, albedo) in enumerate(balls)}
    return Scene(
        camera=Perspective(POSITION, TARGET, fov=FOV, width=size, height=size),
        shapes={"floor": Plane(point=(0, 0, 0), normal=(0, 1, 0), material=Lambert(FLOOR)), **shapes},
        lights={"lamp": PointLight(LAMP, INTENSITY)},
    )


def names_of(balls: int = 3) -> list[str]:
    """The parameters that are differentiated, 27 numbers with three balls."""
    return [*(f"ball{i}.{p}" for i in range(balls) for p in ("center", "radius", "material.albedo")),
            "floor.material.albedo", "lamp.position"]  # fmt: skip
