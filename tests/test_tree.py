"""The tree of boxes changes no answer, and any number of lights has its own shadows."""

import numpy as np
import pytest

from diffrt import render
from diffrt.kinds import Box, Disk, Lambert, Mirror, Perspective, Plane, PointLight, Rectangle, Sphere
from diffrt.scene import Scene
from diffrt.tracer import tree


def crowd(count: int, lights: int = 1) -> Scene:
    random = np.random.default_rng(count)
    shapes = {
        "floor": Plane((0, 0, 0), (0, 1, 0), Lambert(0.7)),
        "wall": Rectangle((0, 1.2, -2), (0.05, 0, 1), width=3, height=2, material=Mirror(0.8)),
    }
    for i in range(count):
        place = random.uniform([-2.0, 0.1, -1.5], [2.0, 1.8, 1.5])
        material = Mirror(0.9) if i % 7 == 0 else Lambert(0.6)
        if i % 3:
            shapes[f"s{i}"] = Sphere(place, random.uniform(0.03, 0.15), material)
        else:
            shapes[f"s{i}"] = Disk(place, (0.1, 0, 1), 0.1, material)
    return Scene(
        Perspective((0.3, 1.9, 5), (0, 0.6, 0), fov=45, width=48, height=36),
        shapes,
        {f"l{i}": PointLight(random.uniform([-3.0, 2.5, 0.0], [3.0, 4.0, 4.0]), 20 / lights) for i in range(lights)},
    )


@pytest.mark.parametrize("engine", ["llvm", "numpy"])
def test_the_tree_does_not_change_a_bit(monkeypatch, engine):
    scene = crowd(40)
    settings = {"engine": engine, "edges": "exact" if engine == "llvm" else "ignore"}
    with_tree = render(scene, **settings)
    monkeypatch.setattr(tree, "FEW", 10_000)
    assert render(scene, **settings).tobytes() == with_tree.tobytes()


def test_of_two_faces_at_the_same_distance_the_first_counts_in_any_order(monkeypatch):
    """The camera looks along the edge between two sides of each box; the order is that of the distance from a point."""
    boxes = {
        f"b{i}": Box((0, i - 2.5, 0), width=1, height=0.5, depth=1, front=(1, 0, 1), material=Lambert(0.6))
        for i in range(6)
    }
    camera, lamp = Perspective((0, 0, 6), (0, 0, 0), fov=60, width=41, height=41), PointLight((2, 4, 6), 40)
    scene = Scene(camera, boxes, {"lamp": lamp})
    divided, images = tree._divided, []
    for x in (-9.0, 9.0):
        eye = np.array([[x], [0.0], [0.0]])
        monkeypatch.setattr(tree, "_divided", lambda members, low, high, _, eye=eye: divided(members, low, high, eye))
        images.append(render(scene, edges="ignore"))
    assert images[0].tobytes() == images[1].tobytes()


def test_a_box_that_is_too_small_would_be_seen(monkeypatch):
    """The test above can fail."""
    scene = crowd(40)
    whole = render(scene)
    boxes = tree.face_boxes

    def shrunk(tables):
        low, high = boxes(tables)
        return 0.9 * low + 0.1 * high, 0.1 * low + 0.9 * high

    monkeypatch.setattr(tree, "face_boxes", shrunk)
    with np.errstate(invalid="ignore"):
        assert np.abs(render(scene) - whole).max() > 1e-3


def test_more_lights_than_bits_of_a_word_each_have_their_shadows():
    """The image is the sum of the images with one light each."""
    scene = crowd(4, lights=34)
    alone = 0.0
    names = list(scene.lights)
    for name in names:
        dark = {f"{other}.intensity": [0.0, 0.0, 0.0] for other in names if other != name}
        alone = alone + render(scene.replace(dark), edges="ignore")
    assert np.abs(render(scene, edges="ignore") - alone).max() < 1e-13
    assert (render(scene).max() > 0.0).all()
