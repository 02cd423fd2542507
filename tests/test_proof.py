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
from diffrt.tracer import blocks as dividing
from diffrt.tracer import jacobian, render
from diffrt.tracer.differences import compare
from diffrt.tracer.parts import Parts
from diffrt.tracer.proof import beside, missed_by_all, proved_ids
from diffrt.tracer.renderer import Settings
from diffrt.tracer.tables import build_tables
from diffrt.tracer.visibility import Visibility

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


def test_beside_an_edge_it_is_proved_what_is_seen():
    """The outline of a ball in the middle of the image against nothing, a circle."""
    scene = parse_scene(camera((0, 0, 6), (0, 0, 0), 16, 16) + LAMP + ball([0.0, 0.0, 0.0], 0.9))
    view = seen(scene)
    radius = 8.0 / np.tan(np.radians(22.5)) * np.tan(np.arcsin(0.9 / 6.0))
    angle = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
    x, y = (0.5 * np.floor(2.0 * (8.0 + radius * turn(angle))) + 0.25 for turn in (np.cos, np.sin))
    # Clockwise as seen, the ball is to the right.
    ends = [8.0 + radius * turn(angle + step) for step in (-0.03, 0.03) for turn in (np.cos, np.sin)]
    segment = ends[0], ends[1], ends[2] - ends[0], ends[3] - ends[1]
    assert (proved_ids(view, x, y, 0.5) < 0).all()
    for turn, hit in ((1.0, 0), (-1.0, -1)):
        edge = beside(segment, np.full(40, turn), np.full(40, 0.05), x, y, 0.5)
        found = proved_ids(view, x, y, 0.5, (edge,))
        known = found >= 0
        assert known.mean() > 0.9
        assert (view.signatures.face[0, found[known]] == hit).all()
    # Another line through the block is not the edge, and nothing is known on either side of it.
    for turn in (1.0, -1.0):
        edge = beside((ends[0] + 0.01, *segment[1:]), np.full(40, turn), np.full(40, 0.05), x, y, 0.5)
        assert (proved_ids(view, x, y, 0.5, (edge,)) < 0).mean() > 0.9


def proved_cells(scene: Scene, monkeypatch: pytest.MonkeyPatch, **how: float) -> tuple[Visibility, list[np.ndarray]]:
    """The cells of an image of which all is proved: left, top and side, and the labels of their corners, and of what is
    between the two edges of a strip, (5, n)."""
    found: list[tuple[np.ndarray, ...]] = []
    seen_by: list[Visibility] = []
    whole, mixed, place = Parts.add_whole, Parts.add_mixed, dividing.place_samples

    def corners(keys: np.ndarray, labels: np.ndarray, level: int) -> None:
        side = 0.5**level
        sides = np.full(len(keys), side)
        known = np.concatenate([labels, labels[:1]])
        found.append((*(side * part for part in (keys & (2**31 - 1), keys >> 31)), sides, known))

    def add_whole(self, keys, labels, level, proof=None, **how):
        proved = slice(None) if proof is None else proof(0.5**level)
        corners(keys[proved], np.tile(labels[proved], (4, 1)), level)
        whole(self, keys, labels, level, proof=proof, **how)

    def add_mixed(self, keys, labels, side, crossings, joints, rough, level, proof, between=None):
        if between is None:
            self.proved = slice(None) if proof is None else proof(0.5**level)
            corners(keys[self.proved], labels[:, self.proved], level)
        else:  # the other edge of the strips that came just before
            *_, known = found[-1]
            other, rest = labels[:, self.proved], between[self.proved]
            known[:4] = np.where(other == rest, known[:4], other)
            known[4] = rest
        mixed(self, keys, labels, side, crossings, joints, rough, level, proof, between)

    def place_samples(flat, grid, *more):
        row, column = np.nonzero(grid >= 0)
        corners((row << 31) + column, np.tile(grid[row, column], (4, 1)), 0)
        seen_by.append(flat.view)
        return place(flat, grid, *more)

    monkeypatch.setattr(dividing, "place_samples", place_samples)
    for name, spy in (("add_whole", add_whole), ("add_mixed", add_mixed)):
        monkeypatch.setattr(Parts, name, spy)
    render(scene, cells=1, **how)
    return seen_by[0], [np.concatenate(columns, -1) for columns in zip(*found, strict=True)]


PLANKS = camera() + LAMP + FLOOR + "".join(
    lambert(f"plank{i + 1}", f'type = "box"\ncenter = [{0.7 * i}, 0.6, {0.3 * i}]\nfront = [0.3, 0.1, 1]\n'
            f'width = {wide}\nheight = 1.1\ndepth = 0.5\n')
    for i, wide in ((-1, 0.4), (0, 0.02), (1, 0.1))
)  # fmt: skip


CORNERS = [-1.0, 0.05, 0.4], [1.0, 0.1, 0.8], [0.1, 0.2, -1.0], [0.0, 1.6, 0.1]
PYRAMID = camera() + LAMP + FLOOR + "".join(
    lambert(f"side{i}", f'type = "triangle"\na = {CORNERS[a]}\nb = {CORNERS[b]}\nc = {CORNERS[c]}\n')
    for i, (a, b, c) in enumerate(((0, 1, 3), (1, 2, 3), (2, 0, 3), (0, 2, 1)))
)  # fmt: skip
BALLS = camera() + LAMP + FLOOR + ball([0.0, 0.7, 0.0], 0.7) + ball([1.1, 0.4, 0.5], 0.4, "marble")
WRITTEN = {"planks": PLANKS, "pyramid": PYRAMID, "balls": BALLS}


@pytest.mark.parametrize(
    "name", ["pyramid", "balls", *(pytest.param(n, marks=pytest.mark.slow) for n in ("planks", *SCENES))]
)
def test_only_the_signatures_of_its_corners_are_seen_in_a_cell_of_which_all_is_proved(name, monkeypatch):
    scene = parse_scene(WRITTEN[name]) if name in WRITTEN else diffrt.load_scene(ROOT / "scenes" / f"{name}.toml")
    view, (left, top, side, labels) = proved_cells(scene, monkeypatch, tolerance=TOLERANCE)
    mixed = np.flatnonzero((labels != labels[0]).any(0))
    assert len(mixed) > 100 or name == "tiny"
    random = np.random.default_rng(3)
    for some in (random.integers(0, len(left), 20000), random.choice(mixed, 20000)):
        x, y = (begin[some] + side[some] * random.uniform(size=len(some)) for begin in (left, top))
        assert (view.signature_ids(x, y) == labels[:, some]).any(0).all()


@pytest.mark.parametrize("name", ["pyramid", "balls"])
def test_nearly_all_is_proved_where_faces_share_an_edge_and_where_a_ball_stands_on_a_floor(name):
    """Of 192 pixels a third of one is left, at corners and where surfaces touch."""
    assert 0.0 < render(parse_scene(WRITTEN[name]), tolerance=TOLERANCE).report.unproved < 0.35


@pytest.mark.parametrize(("k1", "k2"), [(-0.3, 0.08), (0.3, 0.1)])
def test_as_much_is_proved_through_a_lens(k1, k2):
    text = camera() + LAMP + FLOOR + ball([0.0, 0.7, 0.0], 0.7)
    scene = parse_scene(text.replace("[camera]\n", f"[camera]\nk1 = {k1}\nk2 = {k2}\n"))
    assert render(scene, tolerance=TOLERANCE).report.unproved < 0.1


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


def rectangle(name: str, x: float, width: float) -> str:
    return lambert(name, f'type = "rectangle"\ncenter = [{x}, 1.03, 0.4]\nnormal = [0.2, 0.1, 1]\n'
                   f'width = {width}\nheight = 1.3\n')  # fmt: skip


def triangle(c: str) -> str:
    return lambert("thin", f'type = "triangle"\na = [-1, 0.5, 0]\nb = [1, 0.9, 0.2]\nc = {c}\n')


SMALL = {
    "a strip": rectangle("thin", 0.13, 0.01),
    "a thin triangle": triangle("[1, 0.91, 0.2]"),
    "a needle": triangle("[1, 0.9, 0.22]"),
    "a slit": rectangle("thin", -0.505, 1.0) + rectangle("other", 0.505, 1.0),
    "a disk nearly edge-on": lambert(
        "thin", 'type = "disk"\ncenter = [0.1, 1.0, 0.3]\nnormal = [1, 0.02, 0.03]\nradius = 0.6\n'
    ),
    "the shadow of a small ball": ball([0.33, 1.03, 0.4], 0.02, "thin"),
    **{f"a ball of {r} in a mirror": MIRROR + ball([0.33, 0.9, 6.4], r, "thin") for r in (0.03, 0.05, 0.1, 0.2)},
    "two balls in one place": ball([0.1, 0.9, 0.0], 0.5, "thin") + ball([0.1, 0.9, 0.0], 0.5, "twin"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("what", SMALL)
def test_the_derivative_of_what_is_thin_or_small_is_right_or_it_is_counted(what):
    """In 24x24 pixels, along a random direction of all that the thing is made of, against differences of an image whose
    smallest cells are a hundredth of a pixel: of several steps, since there are small jumps."""
    scene = parse_scene(camera(width=24, height=24) + LAMP + FLOOR + SMALL[what])
    names = [p.path for p in scene.parameters() if p.path.startswith("thin.") and "material" not in p.path]
    start = scene.pack(names)
    direction = np.random.default_rng(4).normal(size=len(start))

    def at(step: float) -> np.ndarray:
        return np.asarray(render(scene.unpack(names, start + step * direction), tolerance=2.0**-14))

    steps = 1e-4, 1.7e-4, 3e-4, 5e-4, 9e-4
    truth = np.median([(at(h) - at(-h)) / (2.0 * h) for h in steps], 0)
    slope = np.asarray(jacobian(scene, names, tolerance=0.004)) @ direction
    report = render(scene, tolerance=0.004).report
    error = np.linalg.norm(slope - truth) / np.linalg.norm(truth)
    assert error < 0.02 or report.unproved > 0.01 or report.without_derivative > 0, error
    if what == "a slit":
        assert error < 0.02
    if report.without_derivative == 0:
        fine = np.asarray(jacobian(scene, names, tolerance=2.0**-14)) @ direction
        assert np.linalg.norm(fine - truth) < 0.1 * np.linalg.norm(truth), "a smaller tolerance goes on"


def facing(name: str, z: float, towards: int) -> str:
    return (f'[shapes.{name}]\ntype = "rectangle"\ncenter = [0, 1, {z}]\nnormal = [0, 0.02, {towards}]\nwidth = 5\n'
            'height = 3\nmaterial = { type = "mirror", reflectance = 0.9 }\n')  # fmt: skip


HARD = {
    "a camera on the floor": camera((0, 0, 6)) + FLOOR + ball([0, 1, 0], 1.0),
    "a camera on a ball": camera((0, 0.7, 0.7), (0, 0.7, 6)) + FLOOR + ball([0, 0.7, 0], 0.7)
    + ball([0, 0.7, 4], 0.7, "other"),
    "two mirrors that face each other": "reflection_depth = 8\n" + camera((0, 1.2, 0.5), (0.2, 1, -2)) + FLOOR
    + facing("one", -2.0, 1) + facing("two", 2.5, -1) + ball([0.3, 0.8, -1], 0.2),
    "two hundred balls in a pixel": camera() + FLOOR + "".join(
        ball((0.02 * np.random.default_rng(i).normal(size=3) + [0.3, 0.7, 0.0]).tolist(), 0.002, f"ball{i}")
        for i in range(200)
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", HARD)
def test_where_little_can_be_proved_the_work_is_bounded_and_the_rest_counted(what):
    report = render(parse_scene(HARD[what] + LAMP), tolerance=TOLERANCE).report
    assert 0.0 < report.unproved < 0.05 * 16 * 12
    assert report.samples < 64 * 16 * 12, "a quarter of what cells of a sixteenth of a pixel would be"


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
