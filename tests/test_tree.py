"""The tree of boxes changes no answer, and any number of lights has its own shadows."""

import numpy as np
import pytest

from diffrt import render
from diffrt.scene import parse_scene
from diffrt.tracer import tree

CAMERA = """
[camera]
position = [0.3, 1.9, 5.0]
target = [0.0, 0.6, 0.0]
fov = 45.0
width = 48
height = 36
[shapes.floor]
type = "plane"
point = [0.0, 0.0, 0.0]
normal = [0.0, 1.0, 0.0]
material = { type = "lambert", albedo = 0.7 }
[shapes.wall]
type = "rectangle"
center = [0.0, 1.2, -2.0]
normal = [0.05, 0.0, 1.0]
width = 3.0
height = 2.0
material = { type = "mirror", reflectance = 0.8 }
"""


def crowd(count: int, lights: int = 1) -> str:
    random = np.random.default_rng(count)
    text = CAMERA
    for i in range(count):
        x, y, z = random.uniform([-2.0, 0.1, -1.5], [2.0, 1.8, 1.5])
        material = '{ type = "mirror", reflectance = 0.9 }' if i % 7 == 0 else '{ type = "lambert", albedo = 0.6 }'
        shape = (
            f'type = "sphere"\ncenter = [{x}, {y}, {z}]\nradius = {random.uniform(0.03, 0.15)}'
            if i % 3
            else f'type = "disk"\ncenter = [{x}, {y}, {z}]\nnormal = [0.1, 0.0, 1.0]\nradius = 0.1'
        )
        text += f"[shapes.s{i}]\n{shape}\nmaterial = {material}\n"
    for i in range(lights):
        x, y, z = random.uniform([-3.0, 2.5, 0.0], [3.0, 4.0, 4.0])
        text += f'[lights.l{i}]\ntype = "point"\nposition = [{x}, {y}, {z}]\nintensity = {20.0 / lights}\n'
    return text


@pytest.mark.parametrize("engine", ["llvm", "numpy"])
def test_the_tree_does_not_change_a_bit(monkeypatch, engine):
    scene = parse_scene(crowd(40))
    settings = {"engine": engine, "edges": "exact" if engine == "llvm" else "ignore"}
    with_tree = render(scene, **settings)
    monkeypatch.setattr(tree, "FEW", 10_000)
    assert render(scene, **settings).tobytes() == with_tree.tobytes()


def test_a_box_that_is_too_small_would_be_seen(monkeypatch):
    """The test above can fail."""
    scene = parse_scene(crowd(40))
    whole = render(scene)
    boxes = tree.face_boxes

    def shrunk(tables):
        low, high = boxes(tables)
        return 0.9 * low + 0.1 * high, 0.1 * low + 0.9 * high

    monkeypatch.setattr(tree, "face_boxes", shrunk)
    with np.errstate(invalid="ignore"):
        assert np.abs(render(scene) - whole).max() > 1e-3


def test_forty_lights_each_have_their_shadows():
    """The image is the sum of the images with one light each."""
    scene = parse_scene(crowd(6, lights=40))
    alone = 0.0
    names = list(scene.lights)
    for name in names:
        dark = {f"{other}.intensity": [0.0, 0.0, 0.0] for other in names if other != name}
        alone = alone + render(scene.replace(dark), edges="ignore")
    assert np.abs(render(scene, edges="ignore") - alone).max() < 1e-13
    assert (render(scene).max() > 0.0).all()
