"""The derivative of an image is that of the image, with silhouettes, shadow borders and mirror images in it."""

import warnings

import numpy as np
import pytest
from along import compare_along
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_render import LARGE, ROOT, SCENES, shipped

import diffrt.autograd as ag
from diffrt.compiler import Engine, choose_engine
from diffrt.scene import Scene, parse_scene
from diffrt.tracer import blocks, jacobian, render
from diffrt.tracer.differences import compare
from diffrt.tracer.renderer import Settings, find_topology, places_of
from diffrt.tracer.tables import build_tables
from diffrt.tracer.window import Part, window_of

LAMP = '[lights.lamp]\ntype = "point"\nposition = [2, 4, 3]\nintensity = 24\n'


def camera(position: object = (0, 2, 6), target: object = (0, 0.7, 0), width: int = 16, height: int = 12) -> str:
    place = f"position = {list(position)}\ntarget = {list(target)}\n"
    return f"[camera]\n{place}fov = 45\nwidth = {width}\nheight = {height}\n"


def straight_camera(view: float, position: object = (0, 0, 5), target: object = (0, 0, 0)) -> str:
    place = f"position = {list(position)}\ntarget = {list(target)}\n"
    return f'[camera]\ntype = "orthographic"\n{place}view_height = {view}\nwidth = 16\nheight = 12\n'


def lambert(name: str, fields: str, albedo: float = 0.7) -> str:
    return f'[shapes.{name}]\n{fields}material = {{ type = "lambert", albedo = {albedo} }}\n'


def ball(center: object, radius: float, name: str = "ball") -> str:
    return lambert(name, f'type = "sphere"\ncenter = {list(center)}\nradius = {radius}\n')


FLOOR = lambert("floor", 'type = "plane"\npoint = [0, 0, 0]\nnormal = [0, 1, 0]\n')
MIRROR = (
    '[shapes.mirror]\ntype = "rectangle"\ncenter = [0, 1, -2]\nnormal = [0.1, 0, 1]\nwidth = 5\nheight = 3\n'
    'material = { type = "mirror", reflectance = 0.9 }\n'
)


def components(scene: Scene) -> list[str]:
    return scene.components([p.path for p in scene.parameters()])


def right(scene: Scene, names: list[str], **how: int) -> None:
    """Assert that the derivatives agree with differences, and that no pixel escapes the comparison."""
    for found in compare(scene, names, Settings(**how)):
        assert found.verdict == "right", found
        assert found.error < 1e-5, found
        assert found.unjudged == 0, found


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n for n in SCENES])
def test_shipped_scenes_along_a_random_direction_of_all_their_parameters(name):
    scene = (
        shipped(name) if name == "tiny" else shipped(name, *((24, 18) if name in ("workshop", "mirrors") else (16, 12)))
    )
    names = [p.path for p in scene.parameters()]
    direction = np.random.default_rng(1).normal(size=len(scene.pack(names)))
    found = compare_along(scene, names, direction)
    assert found.verdict == "right", found
    assert found.unjudged == 0, found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["still_life", "workshop"])
def test_shipped_scenes_at_full_size_by_every_number(name):
    scene = shipped(name)
    assert render(scene).report.without_derivative == 0
    for found in compare(scene, [p.path for p in scene.parameters()]):
        assert found.verdict == "right", found


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "solids" else n for n in SCENES])
def test_every_edge_of_the_shipped_scenes_has_a_derivative(name):
    scene = shipped(name) if name in ("tiny", "still_life", "workshop") else shipped(name, 48, 36)
    report = render(scene).report
    assert report.crossings > 0
    # Where surfaces touch, edges may come too near to each other.
    assert report.without_derivative <= 0.001 * report.crossings


def test_the_defaults_are_near_an_image_that_diffrt_did_not_make():
    target = np.load(ROOT / "examples/still_life/target_linear.npy")
    assert np.linalg.norm(render(shipped("still_life")) - target) < 0.005 * np.linalg.norm(target)


def test_a_ball_that_moves_only_up_before_black():
    right(parse_scene(camera() + ball([0.1, 1.0, 0.0], 0.8) + LAMP), ["ball.center.y"])


def test_a_rectangle_whose_borders_lie_on_those_of_pixels():
    card = lambert("card", 'type = "rectangle"\ncenter = [0, 0, 0]\nnormal = [0, 0, 1]\nwidth = 6\nheight = 4\n')
    scene = parse_scene(straight_camera(12) + card + LAMP)
    # A pixel on one side of the border has its slope to one side, the pixel on the other to the other; together they
    # are smooth. (Under an even sky: where the cells change size, a shaded card would jump a little. And away from the
    # corners of the card, which move from one cell to the next here.)
    even = parse_scene(straight_camera(12) + card + '[lights.sky]\ntype = "ambient"\nradiance = 1\n')
    for axis, names in ((1, ["card.center.x", "card.width"]), (0, ["card.center.y", "card.height"])):
        lines = slice(5, 7) if axis else slice(7, 9)
        at = even.pack(names)
        found = np.take(jacobian(even, names).sum(axis), range(lines.start, lines.stop), 0)
        for i, e in enumerate(np.eye(len(at))):
            plus, minus = (np.asarray(render(even.unpack(names, at + h * e))).sum(axis)[lines] for h in (1e-4, -1e-4))
            assert found[..., i] == pytest.approx((plus - minus) / 2e-4, rel=1e-5, abs=1e-9)
            assert "width" not in names[i] or found[..., i].min() > 0.5
    for shift in (1e-3, 0.3, 0.4):
        right(scene.replace({"card.center.x": shift, "card.center.y": -shift}),
              ["card.center", "card.width", "card.height", "card.normal", "camera.view_height"])  # fmt: skip


def test_the_horizon_of_a_plane():
    right(parse_scene(camera() + FLOOR + LAMP), ["camera.position", "camera.target", "camera.fov", "floor.normal"])


def test_two_balls_that_run_through_each_other():
    scene = parse_scene(camera() + ball([-0.3, 1, 0], 0.8) + ball([0.5, 0.9, 0.2], 0.6, "other") + LAMP)
    right(scene, ["ball.center", "ball.radius", "other.center", "lamp.position"])


def test_a_shadow_border_on_a_ball():
    scene = parse_scene(camera() + ball([-0.4, 0.9, 0], 0.9) + ball([0.9, 2.2, 1.2], 0.4, "moon") + LAMP)
    right(scene, ["moon.center", "moon.radius", "lamp.position"])


def test_a_ball_seen_in_a_mirror_only():
    scene = parse_scene("reflection_depth = 2\n" + camera() + MIRROR + ball([0.6, 1.2, 7.5], 0.8) + LAMP)
    assert jacobian(scene, ["ball.center.x"]).any()
    right(scene, ["ball.center", "mirror.normal", "mirror.center", "lamp.position"])


def test_a_shadow_seen_in_a_mirror_of_a_mirror():
    other = (
        MIRROR.replace("shapes.mirror", "shapes.back")
        .replace("[0, 1, -2]", "[0, 1, 7]")
        .replace("0.1, 0, 1", "0, 0, -1")
    )
    scene = parse_scene(
        "reflection_depth = 4\n" + camera((0.3, 1.5, 5)) + MIRROR + other + FLOOR + ball([0.6, 0.8, 1], 0.5) + LAMP
    )
    names = ["ball.center", "mirror.normal", "back.center", "lamp.position", "camera.position"]
    direction = np.random.default_rng(4).normal(size=15)
    found = compare_along(scene, names, direction)
    assert found.verdict == "right", found


@pytest.mark.parametrize("radius", [0.05, 0.01])
def test_a_ball_smaller_than_a_pixel_is_seen_and_has_a_derivative(radius):
    """Whose image is `radius` pixels wide, at a place that no corner of a cell would find."""
    scene = parse_scene(straight_camera(12) + ball([0.213, 0.377, 0], radius) + LAMP)
    fine = {"tolerance": max(0.01 * np.pi * radius**2, 1.6e-5)}
    image = render(scene, **fine)
    assert (np.asarray(image)[..., 0] > 0.0).sum() == 1
    right(scene, ["ball.radius", "ball.material.albedo.r"], **fine)
    # The disk that it covers, of the radiance that its middle has on the average.
    by_radius = jacobian(scene, ["ball.radius"], **fine)[..., 0].sum()
    assert by_radius == pytest.approx(2.0 * np.asarray(image).sum() / radius, rel=0.1)


def test_a_ball_too_small_for_the_smallest_cells_is_counted():
    scene = parse_scene(straight_camera(12) + ball([0.213, 0.377, 0], 1e-4) + LAMP)
    report = render(scene).report
    assert 0.0 < report.unproved < 0.05
    assert "not proved" in str(report)


def polyhedron(yaw: float, roll: float, width: int = 48) -> Scene:
    """Twenty flat triangles on the floor, whose edges and corners they share."""
    golden = 0.5 + 1.25**0.5
    corners = np.array([np.roll([0.0, a, b * golden], k) for k in range(3) for a in (-1, 1) for b in (-1, 1)])
    near = np.linalg.norm(corners[:, None] - corners, axis=-1) < 2.1
    faces = [
        (i, j, k) for i in range(12) for j in range(i) for k in range(j) if near[i, j] and near[j, k] and near[i, k]
    ]
    (c, s), (e, f) = ((np.cos(a), np.sin(a)) for a in (yaw, roll))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, e, -f], [0, f, e]])
    placed = corners / np.linalg.norm(corners[0]) @ turn.T + [0.03, 1.02, 0.05]
    shapes = ""
    for number, (i, j, k) in enumerate(faces):
        outward = np.linalg.det(corners[[i, j, k]]) > 0.0
        a, b, c = (placed[n].tolist() for n in ((i, j, k) if outward else (i, k, j)))
        shapes += lambert(f"face{number}", f'type = "triangle"\na = {a}\nb = {b}\nc = {c}\n')
    height = width * 3 // 4
    return parse_scene(camera((1.3, 2.4, 5.1), (0.1, 0.8, 0), width, height) + FLOOR + shapes + LAMP)


@pytest.mark.parametrize("turned", [(1.1, 0.2), (2.3, 1.7)])
def test_corners_of_many_faces_and_of_their_shadow_are_sharp(turned):
    scene, names = polyhedron(*turned), ["camera.position", "lamp.position"]
    found, finer = (np.asarray(jacobian(scene, names, tolerance=t)) for t in (0.004, 6e-5))
    off = np.sqrt(((found - finer) ** 2).sum((0, 1, 2)) / (finer**2).sum((0, 1, 2)))
    assert off.max() < 0.015


def test_a_shadows_edge_that_two_faces_share_is_one():
    # Seen from the lamp one of the two faces is so slender that the side of a cell ends in the shadow of another.
    scene = polyhedron(2.3, 1.7)
    cells = find_topology(build_tables(scene), window_of(scene, Part()), Settings(1), choose_engine()).cells
    assert len(cells.loose) < 0.01 * len(cells.mixed_key)


@pytest.mark.parametrize(("cells", "tolerance"), [(1, 0.004), (3, 0.02), (1, 0.05)])
def test_the_areas_of_each_pixel_sum_to_one(cells, tolerance):
    scene, tables = shipped("gallery", 24, 18), build_tables(shipped("gallery", 24, 18))
    settings = Settings(cells, tolerance=tolerance)
    topology = find_topology(tables, window_of(scene, Part()), settings, Engine())
    grid = (topology.cells.grid >= 0).reshape(18, cells, 24, cells).sum((1, 3)).ravel() / cells**2
    area = grid + np.bincount(topology.cells.pixel, topology.cells.size**2, 24 * 18)
    x, y, cut = places_of(tables, topology, Engine())
    pixel = topology.cells.mixed_pixel[topology.regions.cell[topology.regions.region]]
    assert area + np.bincount(pixel, cut, 24 * 18) == pytest.approx(np.ones(24 * 18), rel=1e-12)
    lost = (topology.regions.member < 0).any(0)[topology.regions.region]
    assert (np.where(lost, -cut, cut) >= 0.0).all()
    row, column = np.divmod(pixel, 24)
    assert np.maximum(np.abs(x - column - 0.5), np.abs(y - row - 0.5)).max() <= 0.5 + 1e-12


def test_a_proof_of_quarters_looks_like_one_of_the_whole_cell(monkeypatch):
    """What is proved first changes as things move, and an image that did too would jump."""
    scene = parse_scene(camera((0, 2, 2.5), (0, 0, 0)) + LAMP + FLOOR)
    whole, prove = render(scene), blocks.proved_ids

    def only_quarters(view, x, y, side, *edges):
        found = prove(view, x, y, side, *edges)
        return found if side < 1.0 else np.full_like(found, -1)

    def quarters() -> np.ndarray:
        view = window_of(scene, Part())
        cells = find_topology(view.seen(build_tables(scene)).plain(), view, Settings(), Engine("llvm")).cells
        return np.bincount(cells.pixel[cells.size == 0.5], minlength=whole[..., 0].size) == 4

    before = quarters()
    monkeypatch.setattr(blocks, "proved_ids", only_quarters)
    same = (before & quarters()).reshape(whole.shape[:2])
    assert same.sum() > 20
    assert np.allclose(render(scene)[same], whole[same], rtol=1e-12, atol=0.0)


def test_smaller_tolerances_converge():
    scene = shipped("still_life", 32, 24)
    finest = jacobian(scene, ["ball.center.x"], cells=4, tolerance=1e-4)
    errors = [np.linalg.norm(jacobian(scene, ["ball.center.x"], tolerance=t) - finest) for t in (0.016, 0.004, 0.0005)]
    assert errors[1] < 0.015 * np.linalg.norm(finest)
    assert errors[2] < 0.4 * errors[0]
    ignored = np.linalg.norm(jacobian(scene, ["ball.center.x"], edges="ignore") - finest)
    assert ignored > 0.5 * np.linalg.norm(finest)


def test_the_hessian_through_edges_agrees_with_differences_of_the_gradient():
    scene = shipped("still_life", 12, 9)
    names = ["ball.center", "lamp.position"]
    target = np.asarray(render(scene)) * 0.9

    def loss(v):
        return ag.sum((render(scene.unpack(names, v)) - target) ** 2.0)

    at = scene.pack(names)
    gradient = ag.grad(loss)
    expected = np.zeros((6, 6))
    for i, e in enumerate(np.eye(6)):
        steps = [(gradient(at + h * e) - gradient(at - h * e)) / (2.0 * h) for h in (2e-5, 1e-5)]
        expected[i] = (4.0 * steps[1] - steps[0]) / 3.0
    found = ag.hessian(loss)(at)
    assert np.linalg.norm(found - found.T) < 1e-9 * np.linalg.norm(found)
    assert np.linalg.norm(found - expected) < 1e-5 * np.linalg.norm(expected)


def test_forward_and_reverse_mode_agree_through_edges():
    scene = shipped("workshop", 24, 18)
    names = [p.path for p in scene.parameters()]
    free = ag.variable(scene.pack(names))
    image = render(scene.unpack(names, free))
    weights = np.random.default_rng(2).normal(size=image.shape)
    ag.sum(image * weights).backward()
    expected = np.einsum("abc,abcn->n", weights, jacobian(scene, names))
    assert np.abs(free.grad - expected).max() < 1e-10 * np.abs(expected).max()


def test_the_same_bits_in_every_run():
    scene = shipped("gallery", 24, 18)
    assert np.array_equal(render(scene), render(scene))
    assert np.array_equal(jacobian(scene, ["ball.center"]), jacobian(scene, ["ball.center"]))


@pytest.mark.parametrize(("first", "last", "steps"), [(-2.0, -1.6, 40), (0.3, 0.31, 20)])
def test_the_loss_jumps_by_less_than_a_thousandth_while_a_ball_crosses_a_small_image(first, last, steps):
    """The change over a step is that of the slopes at its ends; what differs is a jump.

    The image has a quarter of the usual pixels, and the bar is as much higher; the benchmark has the full path.
    """
    scene = shipped("still_life", 32, 24)
    target = np.asarray(render(scene))

    def loss(x):
        return ag.mean((render(scene.replace({"ball.center.x": x})) - target) ** 2.0)

    ends = [ag.value_and_grad(loss)(x) for x in (-2.2, 0.5)]
    size = max(value for value, _ in ends)
    places = np.linspace(first, last, steps + 1)
    values, slopes = np.array([ag.value_and_grad(loss)(float(x)) for x in places]).T
    jumps = np.diff(values) - np.diff(places) * 0.5 * (slopes[1:] + slopes[:-1])
    assert np.abs(jumps).max() < 1e-3 * size


DEGENERATE = {
    "a camera inside a ball": camera((0, 1, 0.5)) + FLOOR + ball([0, 1, 0], 1.5)
    + LAMP.replace("[2, 4, 3]", "[0.2, 1.2, 0.3]"),
    "a ball that touches the floor": camera() + FLOOR + ball([0, 1, 0], 1.0) + LAMP,
    "two identical balls": camera() + FLOOR + ball([0, 1, 0], 1.0) + ball([0, 1, 0], 1.0, "twin") + LAMP,
    "a light inside a ball": camera() + FLOOR + ball([0, 1, 0], 1.0) + LAMP.replace("[2, 4, 3]", "[0, 1.1, 0]"),
    "a light on a ball": camera() + FLOOR + ball([0, 1, 0], 1.0) + LAMP.replace("[2, 4, 3]", "[0, 2, 0]"),
    "a light on the floor": camera() + FLOOR + ball([0, 1, 0], 1.0) + LAMP.replace("[2, 4, 3]", "[2, 0, 1]"),
    "a camera on the floor": camera((0, 0, 6)) + FLOOR + ball([0, 1, 0], 1.0) + LAMP,
    "an edge on the border of pixels": straight_camera(12) + LAMP
    + lambert("card", 'type = "rectangle"\ncenter = [0, 0, 0]\nnormal = [0, 0, 1]\nwidth = 6\nheight = 4\n'),
    "a triangle seen edge-on": camera(target=(0, 2, 0)) + FLOOR + LAMP
    + lambert("sheet", 'type = "triangle"\na = [-1, 2, 0]\nb = [1, 2, 0]\nc = [0, 2, -1]\n'),
    "a light without intensity": camera() + FLOOR + ball([0, 1, 0], 1.0) + LAMP.replace("24", "0"),
    "a floor that cuts the image plane": straight_camera(12, (0, 1, 5), (0, 0.5, 0)) + FLOOR + LAMP
    + ball([0, 1, 0], 1.0),
    "two cards in one plane": straight_camera(12) + LAMP
    + lambert("card", 'type = "rectangle"\ncenter = [0, 0, 0]\nnormal = [0, 0, 1]\nwidth = 5\nheight = 4\n')
    + lambert("card2", 'type = "disk"\ncenter = [1, 1, 0]\nnormal = [0, 0, 1]\nradius = 2.3\n'),
}  # fmt: skip


@pytest.mark.parametrize("what", DEGENERATE)
def test_degenerate_geometry_gives_finite_numbers_without_a_warning(what):
    scene = parse_scene(DEGENERATE[what])
    names = [p.path for p in scene.parameters()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = render(scene)
        forward = jacobian(scene, names)
        free = ag.variable(scene.pack(names))
        ag.sum(render(scene.unpack(names, free)) ** 2.0).backward()
    assert np.isfinite(image).all()
    assert np.isfinite(forward).all()
    assert np.abs(forward).max() < 1e6
    assert np.isfinite(free.grad).all()
    # Where two shapes share their outline, it moves with neither of them alone.
    assert (image.report.without_derivative > 0) == (what == "two identical balls")


def test_two_identical_balls_look_like_one():
    both, one = (
        parse_scene(DEGENERATE[f"{what}"]) for what in ("two identical balls", "a ball that touches the floor")
    )
    # Of two faces in one place neither is proved to be the one that is seen, so their cells are halved on.
    assert np.linalg.norm(render(both) - render(one)) < 0.002 * np.linalg.norm(render(one))
    assert render(both).report.unproved > 10.0 * render(one).report.unproved


def test_a_derivative_without_edges_does_not_nag_and_its_report_says_what_is_missing():
    scene = shipped("tiny")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        points = jacobian(scene, ["ball.center"], edges="ignore")
        exact = jacobian(scene, ["ball.center"])
    assert "moving silhouettes, shadow borders and mirror images change is missing" in str(points.report)
    assert "missing" not in str(exact.report)


@pytest.mark.parametrize("wrong", [{"edges": "soft"}, {"cells": 0}, {"tolerance": 0.0}, {"tolerance": float("nan")}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: found"):
        render(shipped("tiny"), **wrong)


def test_a_wrong_rule_is_seen_by_the_comparison(monkeypatch):
    scene = parse_scene(camera(width=8, height=6) + FLOOR + ball([0, 1, 0], 0.8) + LAMP)
    (found,) = compare(scene, ["ball.radius"])
    assert found.verdict == "right"
    assert found.slope == pytest.approx(2.0, abs=0.2)
    monkeypatch.setattr("diffrt.tracer.crossings.root", lambda g, x, *inputs: x)
    (found,) = compare(scene, ["ball.radius"])
    assert found.verdict == "wrong"
    assert found.error > 0.1
    assert found.slope == pytest.approx(1.0, abs=0.2)


def test_a_rule_that_is_off_by_ten_thousandths_is_seen_by_the_comparison(monkeypatch):
    scene = parse_scene(camera(width=8, height=6) + FLOOR + ball([0, 1, 0], 0.8) + LAMP)
    exact = ag.root
    monkeypatch.setattr("diffrt.tracer.crossings.root", lambda g, x, *i: exact(g, x, *i) * 1.0003 - 0.0003 * x)
    (found,) = compare(scene, ["ball.center.x"])
    assert found.verdict == "wrong", found


# Random scenes: a few shapes of any kind before a floor, with one or two lights.
number = st.floats(-1.0, 1.0).map(lambda x: round(x, 3))
size = st.floats(0.3, 0.9).map(lambda x: round(x, 3))


@st.composite
def random_scene(draw) -> str:
    text = "reflection_depth = 1\n" + camera((draw(number), 2 + draw(number), 5), (0, 0.7, 0), 8, 6)
    if draw(st.booleans()):
        text += FLOOR
    for i in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["sphere", "disk", "rectangle", "triangle"]))
        # Off the lattice of the cells by a little, where edges on it would have kinks.
        x, y, z = 0.0113 + draw(number), 1.0071 + draw(number), draw(number)
        normal = [draw(number), draw(number), 1.5]
        material = draw(
            st.sampled_from(['{ type = "lambert", albedo = 0.6 }', '{ type = "mirror", reflectance = 0.8 }'])
        )
        text += f'[shapes.s{i}]\ntype = "{kind}"\nmaterial = {material}\n'
        if kind == "triangle":
            text += f"a = [{x - draw(size)}, {y}, {z}]\nb = [{x + draw(size)}, {y}, {z + draw(number)}]\n"
            text += f"c = [{x}, {y + draw(size)}, {z}]\n"
        else:
            text += f"center = [{x}, {y}, {z}]\n"
            text += f"normal = {normal}\n" if kind != "sphere" else ""
            text += (
                f"width = {draw(size)}\nheight = {draw(size)}\n" if kind == "rectangle" else f"radius = {draw(size)}\n"
            )
    text += f'[lights.lamp]\ntype = "point"\nposition = [{2 * draw(number)}, {3.5 + draw(number)}, 3]\nintensity = 20\n'
    if draw(st.booleans()):
        text += (
            f'[lights.sun]\ntype = "directional"\ndirection = [{draw(number)}, -1, {draw(number)}]\nirradiance = 2\n'
        )
    return text


def agrees(text: str, seed: int) -> None:
    scene = parse_scene(text)
    names = [p.path for p in scene.parameters() if not p.path.endswith("reflectance")]
    assert np.isfinite(jacobian(scene, names)).all()
    if render(scene).report.without_derivative:
        return  # it says so, and a derivative that says so may be wrong
    found = compare_along(scene, names, np.random.default_rng(seed).normal(size=len(scene.pack(names))) * 0.3)
    assert found.error < 1e-5, found


random = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)


@settings(random, max_examples=6)
@given(random_scene(), st.integers(0, 1000))
def test_random_scenes_have_finite_derivatives_that_agree_with_differences(text, seed):
    agrees(text, seed)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(random, max_examples=30)
@given(random_scene(), st.integers(1001, 2000))
def test_many_random_scenes_have_finite_derivatives_that_agree_with_differences(text, seed):
    agrees(text, seed)
