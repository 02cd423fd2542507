"""Where surfaces coincide or touch, and where no difference can tell: no derivative is given without a word."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_edges import FLOOR, LAMP, ball, camera, random

import diffrt.autograd as ag
from diffrt import jacobian, render
from diffrt.scene import Scene, parse_scene
from diffrt.tracer import differences
from diffrt.tracer.differences import compare

SMALL = {"width": 8, "height": 6}


def both_modes(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """The derivative of a weighted sum of the image by every number, forward and reverse."""
    names = [p.path for p in scene.parameters()]
    forward = jacobian(scene, names, engine="numpy", tolerance=0.06)
    free = ag.variable(scene.pack(names))
    image = render(scene.unpack(names, free), engine="numpy", tolerance=0.06)
    weights = np.random.default_rng(1).normal(size=image.shape)
    if not isinstance(image, ag.Var):  # nothing lights it
        return np.zeros(len(names)), np.zeros(len(names))
    ag.sum(image * weights).backward()
    return np.einsum("abc,abcn->n", weights, forward), free.grad


number = st.floats(-1.0, 1.0).map(lambda x: round(x, 3))


@st.composite
def coinciding(draw) -> str:
    """Balls, and flat shapes on them, that coincide, are nested or touch; the camera or the lamp often inside."""
    centre, radius = np.array([draw(number), 1.0 + draw(number), draw(number)]), 0.5 + abs(draw(number))
    text, places = "reflection_depth = 1\n", [centre]
    for i in range(draw(st.integers(2, 5))):
        material = draw(
            st.sampled_from(['"lambert", albedo = 0.6', '"lambert", albedo = 0.3', '"mirror", reflectance = 0.8'])
        )
        how = draw(st.sampled_from(["the same", "nested", "inside", "outside", "disk", "plane", "free"]))
        along = np.eye(3)[draw(st.integers(0, 2))]
        c, r = {
            "the same": (centre, radius), "nested": (centre, 0.5 * radius), "free": (centre + draw(number), 0.4),
            "inside": (centre + 0.5 * radius * along, 0.5 * radius),
            "outside": (centre + 1.5 * radius * along, 0.5 * radius),
        }.get(how, (centre + radius * along, radius))  # fmt: skip
        places.append(c)
        fields = f"center = {c.tolist()}\nradius = {r}\n"
        if how == "plane":
            fields = f"point = {c.tolist()}\nnormal = {along.tolist()}\n"
        kind = how if how in ("disk", "plane") else "sphere"
        fields += f"normal = {along.tolist()}\n" if how == "disk" else ""
        text += f'[shapes.s{i}]\ntype = "{kind}"\n{fields}material = {{ type = {material} }}\n'
    outside = np.array([draw(number), 2.0 + draw(number), 5.0])
    eye = draw(st.sampled_from([outside, *places])) + draw(st.sampled_from([0.0, 0.1]))
    lamp = draw(st.sampled_from([outside + 1.0, *places])) + draw(st.sampled_from([0.0, 0.2]))
    text += camera(eye.tolist(), (centre - [0.1, 0.3, 1.7]).tolist(), **SMALL)
    return text + LAMP.replace("[2, 4, 3]", str(lamp.tolist()))


@settings(random, max_examples=10)
@given(coinciding())
def test_forward_and_reverse_mode_agree_where_shapes_coincide(text):
    forward, reverse = both_modes(parse_scene(text))
    assert np.isfinite(forward).all()
    assert np.abs(forward - reverse).max() <= 1e-9 * np.abs(forward).max()


def test_the_outline_of_a_ball_seen_from_a_point_on_it_is_counted_and_does_not_move():
    # The lamp is outside too; the way to the ball's border is along its surface everywhere.
    scene = parse_scene(
        camera((-0.134, 0.699, 0.531), (-0.081, 1.975, -0.297)) + ball([0.024, 1.335, -0.174], 1.303, "room")
        + ball([1.1125, 0.699, 0.531], 1.2465) + LAMP.replace("[2, 4, 3]", "[0.09, 1.542, -0.792]")
    )  # fmt: skip
    found = jacobian(scene, ["ball.center", "ball.radius", "camera.position"])
    assert found.report.without_derivative > 0
    assert np.abs(found).max() < 1e3


def test_a_ball_that_touches_another_from_inside_is_counted():
    view = camera((-0.33, 1.423, 3.526), (-0.05, 0.74, -1.157), 12, 9).replace("fov = 45", "fov = 64.946")
    inner = ball([0.699, 0.5965, -0.214], 0.5675, "other")
    inner = inner.replace('"lambert", albedo = 0.7', '"mirror", reflectance = 0.8')
    lamp = LAMP.replace("[2, 4, 3]", "[0.699, 0.029000000000000026, -0.214]")
    scene = parse_scene(view + ball([0.699, 0.029000000000000026, -0.214], 1.135) + inner + lamp)
    assert render(scene).report.without_derivative > 0


def test_forward_and_reverse_mode_agree_for_a_room_that_is_a_ball_and_seen_in_a_mirror():
    mirror = (
        '[shapes.mirror]\ntype = "rectangle"\ncenter = [-0.493, 0.939, -0.474]\nnormal = [0.282, 0.121, 1.5]\n'
        'width = 1.04\nheight = 0.52\nmaterial = { type = "mirror", reflectance = 0.8 }\n'
    )
    sun = '[lights.sun]\ntype = "directional"\ndirection = [0.527, -1, -0.125]\nirradiance = 2\n'
    scene = parse_scene(
        "reflection_depth = 2\n" + camera((0.424, 1.193, 0.438), (-0.055, 1.698, -1.794)) + mirror
        + ball([0.423, 1.072, 0.243], 2.624) + LAMP.replace("[2, 4, 3]", "[-0.587, 0.269, -0.919]") + sun
    )  # fmt: skip
    forward, reverse = both_modes(scene)
    assert np.abs(forward - reverse).max() <= 1e-9 * np.abs(forward).max()


def test_the_shadow_of_a_ball_on_its_own_inside_has_a_derivative():
    # Half of the inside turns its back on the sun, and the other half is in the ball's own shadow.
    sun = '[lights.sun]\ntype = "directional"\ndirection = [0.4, -1, -0.1]\nirradiance = 2\n'
    scene = parse_scene(camera((0.35, 1.4, 4.6), (-0.9, 0.7, -0.2)) + ball([0.35, 1.4, 4.6], 0.87) + LAMP + sun)
    report = render(scene).report
    assert report.crossings > 0
    assert report.without_derivative == 0
    forward, reverse = both_modes(scene)
    assert np.abs(forward - reverse).max() <= 1e-9 * max(np.abs(forward).max(), 1e-12)


# The comparison with differences.

SCENE = camera((1.31, 2.57, 5.23), (0.21, 0.63, -0.13), **SMALL) + FLOOR + ball([-0.9, 0.81, 0.02], 0.8) + LAMP


def scaled(text: str, length: float, offset: float) -> str:
    """A scene with all lengths times a factor, and moved; the lamp with as much more light."""

    def changed(match: re.Match[str]) -> str:
        name, value = match.groups()
        if name in ("position", "target", "center", "point"):
            return f"{name} = {[float(x) * length + offset for x in value.strip('[]').split(',')]}"
        return f"{name} = {float(value) * (length if name == 'radius' else length**2)}"

    return re.sub(r"(?m)^(position|target|center|point|radius|intensity) = (.*)$", changed, text)


def test_a_parameter_without_an_effect_is_not_called_wrong():
    names = ["camera.up.y", "floor.point.x", "floor.normal.y"]
    other = SCENE.replace("[1.31, 2.57, 5.23]", "[-0.66, 1.45, 5.35]").replace(
        "[0.21, 0.63, -0.13]", "[0.41, -0.38, -0.63]"
    )
    for text in (SCENE, scaled(other, 0.01, 3.0)):
        for found in compare(parse_scene(text), names):
            assert found.verdict == "right", found


@pytest.mark.parametrize(("length", "offset"), [(1e-7, 0.0), (1e5, 0.0), (1.0, 1e5)])
def test_a_scene_of_any_size_and_place_is_compared_at_its_own_scale(length, offset):
    scene = parse_scene(scaled(SCENE, length, offset))
    for found in compare(scene, ["ball.center.x", "ball.radius", "lamp.position.y", "camera.target.x", "camera.fov"]):
        assert found.verdict == "right", found
        assert found.error < 1e-4, found
        assert found.norm > 0.0


@pytest.mark.parametrize("length", [1e-7, 1.0, 1e5])
def test_a_derivative_that_is_off_by_a_hundredth_is_called_wrong(monkeypatch, length):
    monkeypatch.setattr(differences, "jacobian", lambda *names, **how: 1.01 * jacobian(*names, **how))
    scene = parse_scene(scaled(SCENE, length, 0.0))
    for found in compare(scene, ["ball.center.x", "lamp.position.y", "ball.material.albedo.r", "camera.fov"]):
        assert found.verdict == "wrong", found
        assert found.error == pytest.approx(0.01, rel=1e-2)


@pytest.mark.parametrize("length", [1e-7, 1.0, 1e5])
def test_a_derivative_without_its_edges_is_called_wrong(monkeypatch, length):
    monkeypatch.setattr("diffrt.tracer.crossings.root", lambda g, x, *inputs: x)
    for found in compare(parse_scene(scaled(SCENE, length, 0.0)), ["ball.center.x", "ball.radius", "lamp.position.x"]):
        assert found.verdict == "wrong", found


def test_a_derivative_that_the_rounding_of_the_image_hides_cannot_be_told():
    # A scene ten million times its size away from the origin: its numbers have nine digits less.
    scene = parse_scene(scaled(SCENE, 0.1, 1e7))
    assert {found.verdict for found in compare(scene, ["lamp.position.x", "ball.center.x"])} == {"cannot tell"}


def test_an_outline_on_the_border_of_a_pixel_is_right_to_one_side():
    card = (
        '[camera]\ntype = "orthographic"\nposition = [0, 0, 5]\ntarget = [0, 0, 0]\nview_height = 6\n'
        "width = 8\nheight = 6\n"
        '[shapes.card]\ntype = "rectangle"\ncenter = [0, 0, 0]\nnormal = [0, 0, 1]\nwidth = 4\nheight = 2\n'
        'material = { type = "lambert", albedo = 0.7 }\n[lights.sky]\ntype = "ambient"\nradiance = 1\n'
    )
    (found,) = compare(parse_scene(card), ["card.center.x"])
    assert found.verdict == "right"
    assert found.norm > 0.0


SCALED = """
[camera]
position = [{}, {}, {}]
target = [0.0, {}, 0.0]
fov = 45.0
width = 32
height = 24
[shapes.floor]
type = "plane"
point = [0.0, 0.0, 0.0]
normal = [0.0, 1.0, 0.0]
material = {{ type = "lambert", albedo = 0.6 }}
[shapes.sail]
type = "triangle"
a = [{}, {}, 0.0]
b = [{}, {}, 0.0]
c = [0.0, {}, {}]
material = {{ type = "lambert", albedo = 0.6 }}
[lights.lamp]
type = "point"
position = [{}, {}, {}]
intensity = {}
"""


@pytest.mark.parametrize("size", [1e-8, 1e-3, 1e5])
def test_a_scene_of_another_size_has_the_same_image(size):
    """What touches is a matter of the scene's own scale: at 1e-8 a sail's side was taken for its other one."""

    def image(scale):
        lengths = (0.3, 2.0, 6.0, 0.7, -0.8, 0.3, 0.9, 0.3, 1.2, 0.4, 2.0, 4.0, 3.0)
        return np.asarray(render(parse_scene(SCALED.format(*(scale * x for x in lengths), 20.0 * scale**2))))

    expected = image(1.0)
    assert np.abs(image(size) - expected).max() < 1e-12 * expected.max()
