"""The scenes that come with diffrt hold what the examples and the other tests count on."""

from pathlib import Path

import numpy as np
import pytest

from diffrt.kinds import LIGHTS, MATERIALS, SHAPES
from diffrt.scene import load_scene

FOLDER = Path(__file__).parent.parent / "scenes"


@pytest.mark.parametrize(
    ("name", "camera", "size"),
    [
        ("still_life", "perspective", (64, 48)),
        ("tiny", "perspective", (4, 3)),
        ("gallery", "perspective", (160, 120)),
        ("workshop", "orthographic", (96, 72)),
        ("mirrors", "perspective", (96, 72)),
        ("solids", "perspective", (160, 120)),
        ("stage", "perspective", (160, 120)),
    ],
)
def test_every_scene_has_its_camera_and_size(name: str, camera: str, size: tuple[int, int]) -> None:
    scene = load_scene(FOLDER / f"{name}.toml")
    assert (scene.camera.type, (scene.camera.width, scene.camera.height)) == (camera, size)


def test_the_scenes_show_every_shape_light_and_material() -> None:
    scenes = [load_scene(path) for path in FOLDER.glob("*.toml")]
    assert {shape.type for scene in scenes for shape in scene.shapes.values()} == set(SHAPES)
    assert {shape.material.type for scene in scenes for shape in scene.shapes.values()} == set(MATERIALS)
    assert {light.type for scene in scenes for light in scene.lights.values()} == set(LIGHTS)


def test_the_balls_of_the_workshop_run_through_each_other() -> None:
    scene = load_scene(FOLDER / "workshop.toml")
    apart = np.linalg.norm(scene["ball.center"] - scene["knob.center"])
    assert abs(scene["ball.radius"] - scene["knob.radius"]) < apart < scene["ball.radius"] + scene["knob.radius"]


@pytest.mark.parametrize("name", ["tiny", "gallery", "mirrors", "stage"])
def test_no_ball_of_a_scene_touches_the_floor(name: str) -> None:
    scene = load_scene(FOLDER / f"{name}.toml")
    for ball in (name for name, shape in scene.shapes.items() if shape.type == "sphere"):
        assert scene[f"{ball}.center.y"] > scene[f"{ball}.radius"] + 0.01
