"""What is proved of a block of the image is so at every point of it; what is not proved is counted."""

import numpy as np
import pytest
from test_edges import FLOOR, LAMP, MIRROR, ball, camera, lambert
from test_render import ROOT, SCENES, shipped

import diffrt
from diffrt.compiler import Engine
from diffrt.compiler.forms import forms
from diffrt.errors import InputError
from diffrt.scene import Scene, parse_scene
from diffrt.tracer import jacobian, render
from diffrt.tracer.differences import compare
from diffrt.tracer.proof import Assumed, missed_by_all, proved_ids
from diffrt.tracer.renderer import Settings
from diffrt.tracer.tables import build_tables
from diffrt.tracer.visibility import INSIDE, Visibility

TOLERANCE = 2.0**-8


def seen(scene: Scene, engine: str = "llvm") -> Visibility:
    with np.errstate(all="ignore"):
        return Visibility(build_tables(scene).plain(), Engine(engine))


def blocks(scene: Scene, side: float, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Middles of some blocks of an image."""
    random = np.random.default_rng(seed)
    x, y = (random.uniform(0.0, n, count) for n in scene.camera.size)
    return np.floor(x / side) * side + 0.5 * side, np.floor(y / side) * side + 0.5 * side


@pytest.mark.parametrize("name", [name for name in SCENES if name not in ("solids", "stage")])
def test_every_point_of_a_proved_block_has_its_signature(name):
    scene = shipped(name)
    view, random = seen(scene), np.random.default_rng(1)
    proved = 0
    for side in (8.0, 1.0, 0.125):
        x, y = blocks(scene, side, 2000)
        found = proved_ids(view, x, y, side)
        known = np.flatnonzero(found >= 0)
        proved += len(known)
        for _ in range(8):
            px, py = (c[known] + 0.5 * side * random.uniform(-1.0, 1.0, len(known)) for c in (x, y))
            assert (view.signature_ids(px, py) == found[known]).all()
    assert proved > 1000 or name == "tiny"


def test_the_engines_prove_the_same():
    scene = diffrt.load_scene(ROOT / "scenes" / "mirrors.toml")
    x, y = blocks(scene, 1.0, 500)
    one, two = seen(scene), seen(scene, "numpy")
    found, other = proved_ids(one, x, y, 1.0), proved_ids(two, x, y, 1.0)
    assert ((found >= 0) == (other >= 0)).mean() > 0.99, "rounding decides of few"
    both = np.flatnonzero((found >= 0) & (other >= 0))
    assert both.size > 250
    a, b = one.signatures[found[both]], two.signatures[other[both]]
    assert (a.face == b.face).all() and (a.side == b.side).all() and (a.lit == b.lit).all()


def test_an_assumption_about_an_edge_proves_what_is_beside_it():
    """The outline of a ball against nothing: with the sign of its switching function, either side is known."""
    scene = parse_scene(camera() + LAMP + ball([0.0, 0.7, 0.0], 0.7))
    view = seen(scene)
    x, y = (c.ravel() + 0.5 for c in np.meshgrid(np.arange(16.0), np.arange(12.0)))
    rim = np.flatnonzero(proved_ids(view, x, y, 1.0) < 0)
    assert rim.size > 8
    for sign, hit in ((1.0, True), (-1.0, False)):
        own = [np.full(rim.size, value) for value in (INSIDE, 0.0, -1.0, 0.0, -1.0, -1.0, sign)]
        found = proved_ids(view, x[rim], y[rim], 1.0, [Assumed(*own)])
        known = found >= 0
        assert known.mean() > 0.9
        assert (view.signatures.face[0, found[known]] == (0 if hit else -1)).all()


@pytest.mark.parametrize("name", ["still_life", "workshop"])
def test_the_image_is_that_of_more_cells(name):
    scene = diffrt.load_scene(ROOT / "scenes" / f"{name}.toml")
    image, fine = (np.asarray(render(scene, **how)) for how in ({"tolerance": TOLERANCE}, {"cells": 6}))
    assert np.linalg.norm(image - fine) < 4e-4 * np.linalg.norm(fine)
    assert np.abs(image - fine).max() < 4e-3 * fine.max()


@pytest.mark.slow
def test_the_derivative_is_that_of_the_image():
    scene = diffrt.load_scene(ROOT / "scenes" / "workshop.toml")
    for found in compare(scene, ["window.direction.x", "ball.center.y", "sheet.a.x"], Settings(tolerance=TOLERANCE)):
        assert found.verdict == "right", found
        assert found.error < 1e-5, found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["still_life", "mirrors", "tiles"])
def test_the_derivative_is_that_of_the_image_in_other_scenes(name):
    scene = diffrt.load_scene(ROOT / "scenes" / f"{name}.toml")
    names = [p.path for p in scene.parameters() if p.path.endswith((".center", ".position"))][:3]
    for found in compare(scene, names, Settings(tolerance=TOLERANCE)):
        assert found.verdict == "right", found


def test_the_corner_of_a_flat_shape_and_of_its_shadow_move_right():
    """A corner is where two borders meet, so the derivative does not wait for the smallest cells."""
    scene = parse_scene(
        camera()
        + LAMP
        + FLOOR
        + lambert("sheet", 'type = "triangle"\na = [-1, 1, 0]\nb = [1, 1.2, 0]\nc = [0, 2, 0.5]\n')
    )
    coarse, fine = (np.asarray(jacobian(scene, ["sheet.a"], **how)) for how in
                    ({"tolerance": TOLERANCE}, {"cells": 6, "tolerance": 2.0**-12}))  # fmt: skip
    for k in range(coarse.shape[-1]):
        error = np.linalg.norm(coarse[..., k] - fine[..., k]) / np.linalg.norm(fine[..., k])
        assert error < 0.015, (k, error)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "shape"),
    [
        (
            "a strip",
            'type = "rectangle"\ncenter = [0.13, 1.03, 0.4]\nnormal = [0.2, 0.1, 1]\nwidth = 0.02\nheight = 1.3\n',
        ),
        ("a needle", 'type = "triangle"\na = [-1, 0.5, 0]\nb = [1, 0.9, 0.2]\nc = [1, 0.92, 0.2]\n'),
        ("a shadow", 'type = "sphere"\ncenter = [0.33, 1.03, 0.4]\nradius = 0.02\n'),
        ("in a mirror", 'type = "sphere"\ncenter = [0.33, 0.9, 6.4]\nradius = 0.05\n'),
    ],
)
def test_thin_and_small_things_are_found_or_counted(what, shape):
    text = camera(width=24, height=24) + LAMP + FLOOR + MIRROR
    scene = parse_scene(text + lambert("thin", shape))
    found = render(scene, tolerance=2.0**-10)
    without, truth = np.asarray(render(parse_scene(text), cells=16)), np.asarray(render(scene, cells=16))
    change = np.abs(truth - without).sum()
    assert change > 0.0
    missed = np.abs(np.asarray(found) - truth).sum()
    assert missed < 0.1 * change or found.report.unproved > 0.0, what
    assert found.report.samples > render(parse_scene(text), tolerance=2.0**-10).report.samples


def test_the_report_says_what_is_not_proved():
    """Two balls in one place: nobody can tell which of them is seen, so it is counted, and the work is bounded."""
    scene = parse_scene(camera() + LAMP + ball([0, 0.7, 0], 0.5) + ball([0, 0.7, 0], 0.5, "twin"))
    report = render(scene, tolerance=TOLERANCE).report
    assert report.unproved > 1.0
    assert any("not proved" in line for line in report.missing)
    assert render(scene, edges="ignore").report.unproved is None


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), 1e-9, 2.0, "fine", True])
def test_a_wrong_tolerance_is_refused(wrong):
    scene = diffrt.load_scene(ROOT / "scenes" / "tiny.toml")
    with pytest.raises(InputError, match="tolerance"):
        render(scene, tolerance=wrong)


@pytest.mark.parametrize("wide", [0.02, 0.5])
def test_no_ray_of_a_block_meets_a_box_that_all_of_them_miss(wide):
    """Rays of all directions, along axes too, from places within their blocks to boxes before and behind them."""
    random = np.random.default_rng(0)
    size = 20_000
    o, d = random.normal(size=(3, size)), random.normal(size=(3, size))
    d[random.random((3, size)) < 0.2] = 0.0
    slopes = [wide * random.normal(size=(3, size)) * (random.random((3, size)) < 0.7) for _ in range(4)]
    none = np.zeros(size)
    block = [
        forms([part for axis in range(3) for part in (x[axis], a[axis], b[axis], none)]).reshape(3, 1)
        for x, a, b in ((o, *slopes[:2]), (d, *slopes[2:]))
    ]
    low = random.normal(size=(3, size)) * 1.5
    bounds, limit = np.concatenate([low, low + random.random((3, size))]), random.choice([0.5, 2.0, np.inf], size)
    with np.errstate(all="ignore"):
        told = missed_by_all(*block, np.zeros(size))(bounds, limit)
        met = np.zeros(size, bool)
        for u, v in random.uniform(-1.0, 1.0, (200, 2)):
            start, way = o + u * slopes[0] + v * slopes[1], d + u * slopes[2] + v * slopes[3]
            ends = (bounds[:3] - start) / way, (bounds[3:] - start) / way
            enters, leaves = np.fmin(*ends).max(0), np.fmax(*ends).min(0)
            met |= (enters <= leaves) & (leaves >= 0.0) & (enters <= limit)
    assert not (told & met).any()
    assert told.mean() > 0.7 * (~met).mean() > 0.1
