"""Spots, backgrounds and surfaces that emit: closed forms, edges, derivatives, and what is refused."""

from math import cos, pi, radians, sin, tan

import numpy as np
import pytest
from along import compare_along
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from test_edges import FLOOR, LAMP, MIRROR, ball, camera, lambert, random

import diffrt
from diffrt import jacobian, render
from diffrt.errors import InputError
from diffrt.explaining.trace import trace
from diffrt.scene import Scene, parse_scene
from diffrt.tracer.differences import compare

DOWN = (
    '[camera]\ntype = "orthographic"\nposition = [0.013, 9, 0.007]\ntarget = [0.013, 0, 0.007]\nup = [0, 0, -1]\n'
    "view_height = 4\nwidth = 24\nheight = 24\n"
)
SKY = '[background]\ntype = "gradient"\nzenith = [0.1, 0.2, 0.8]\nnadir = [0.4, 0.3, 0.2]\nup = [0.2, 1, 0.1]\n'


def spot(inner: float, outer: float, position: object = (0, 3, 0), direction: object = (0, -2, 0)) -> str:
    place = f"position = {list(position)}\ndirection = {list(direction)}\n"
    return f'[lights.spot]\ntype = "spot"\n{place}intensity = 5\ninner = {inner}\nouter = {outer}\n'


def glowing(text: str, emission: object) -> str:
    """The same shapes, whose materials emit."""
    return text.replace(" }\n", f", emission = {emission} }}\n")


def not_wrong(scene: Scene, names: list[str] | None = None) -> None:
    """Assert that no derivative is wrong, and that most of them can be told to be right."""
    found = list(compare(scene, names or [p.path for p in scene.parameters()]))
    assert not [f for f in found if f.verdict == "wrong"]
    assert sum(f.verdict == "right" for f in found) > 0.8 * len(found), [f for f in found if f.verdict != "right"]


@pytest.mark.parametrize("outer", [4.0, 25.0])
def test_a_hard_spot_sends_as_much_light_as_its_cone_holds(outer):
    """The flux on a plane is intensity times the solid angle 2 pi (1 - cos outer)."""
    scene = parse_scene(DOWN + FLOOR + spot(outer, outer))
    pixel = (4 / 24) ** 2
    image = render(scene, cells=2)
    report = image.report
    assert report.without_derivative == 0
    assert image.sum((0, 1)) * pixel == pytest.approx(2.0 * 0.7 * 5.0 * (1.0 - cos(radians(outer))), rel=2e-3)
    slope = jacobian(scene, ["spot.outer"], cells=2).sum((0, 1)).ravel() * pixel
    assert slope == pytest.approx(2.0 * 0.7 * 5.0 * sin(radians(outer)) * pi / 180.0, rel=5e-3)


def test_a_hard_spot_lights_a_disk():
    image = render(parse_scene(DOWN + FLOOR + spot(25, 25)))
    x, y = np.meshgrid(*[(np.arange(24) - 11.5) / 6] * 2)
    distance = np.hypot(x + 0.013, y + 0.007)
    radius, pixel = 3.0 * tan(radians(25)), 0.12
    assert (image[distance > radius + pixel] == 0.0).all() and (image[distance < radius - pixel] > 0.0).all()
    area = (image[..., 0] * (9.0 + distance**2) ** 1.5 * pi / (0.7 * 5.0 * 3.0)).sum() / 36.0  # irradiance undone
    assert area == pytest.approx(pi * radius**2, rel=5e-3)


def test_a_smooth_border_goes_from_full_light_to_none():
    def share(angle: float) -> float:
        t = min(max((25.0 - angle) / 15.0, 0.0), 1.0)
        return t * t * (3.0 - 2.0 * t) * sin(radians(angle))

    flux = 2.0 * 0.7 * 5.0 * quad(share, 0.0, 25.0, points=[10.0])[0] * pi / 180.0
    image = render(parse_scene(DOWN + FLOOR + spot(10, 25)), cells=2)
    assert image.sum((0, 1)) * (4 / 24) ** 2 == pytest.approx(flux, rel=1e-3)


def test_a_cone_wider_than_half_of_space_lights_what_is_behind_it():
    behind = spot(170, 170, direction=(0, 1, 0.1))
    assert render(parse_scene(DOWN + FLOOR + behind)).max() > 0.0
    point = LAMP.replace("[2, 4, 3]", "[0, 3, 0]").replace("24", "5")
    whole = render(parse_scene(DOWN + FLOOR + point))
    assert np.abs(render(parse_scene(DOWN + FLOOR + spot(179, 179, direction=(0, -1, 0)))) - whole).max() < 1e-14


@pytest.mark.slow
@pytest.mark.parametrize("angles", [(17, 17), (9, 17)])
def test_the_derivative_by_every_number_of_a_spot(angles):
    """Its border on the floor, on a ball, over the ball's shadow, and in a mirror."""
    place = spot(*angles, position=(1.6, 3.3, 2.1), direction=(-1.5, -2.6, -2.3))
    scene = parse_scene(
        "reflection_depth = 1\n" + camera((0.1, 2, 6), (0, 0.7, 0), 12, 9) + FLOOR + ball((0.21, 0.73, 0.11), 0.6)
        + MIRROR + place
    )  # fmt: skip
    report = render(scene).report
    assert report.without_derivative == 0
    not_wrong(scene, ["spot.position", "spot.direction", "spot.inner", "spot.outer", "spot.intensity", "ball.center"])


def test_the_border_of_a_spot_is_seen_by_explain():
    scene = parse_scene(DOWN + FLOOR + spot(25, 25))
    lit = render(scene)[12, :, 0]
    column = int(np.flatnonzero(lit)[0])
    graph = trace(scene, (column, 12))
    assert graph.output.value == pytest.approx(lit[column], rel=1e-12)
    assert any(node.name == "crossing, border of spot" for node in graph.nodes)
    assert {"spot.outer", "spot.direction"} <= {node.name for node in graph.inputs}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("inner = 10", "inner = 26"), "lights.spot.inner: found 26, allowed: an angle of at most outer"),
        (("inner = 10", "inner = -1"), "lights.spot.inner: found -1, allowed: degrees from 1e-9 to 180"),
        (("outer = 25", "outer = 180"), "lights.spot.outer: found 180, allowed: degrees from 1e-9 to 180"),
        (("outer = 25\n", ""), "lights.spot.outer: missing; needed: degrees"),
        (("[0, -2, 0]", "[0, 0, 0]"), "lights.spot.direction: found .*, allowed: a direction"),
        (("[camera]", "[background]\nradiance = -1\n[camera]"), "background.radiance: found -1, allowed: three"),
        (("[camera]", "[background]\nzenith = 1\n[camera]"), "background.radiance: missing; needed: three numbers"),
        (("[camera]", '[background]\ntype = "sky"\n[camera]'), 'background.type: found "sky", allowed: one of'),
        (("[camera]", "background = 1\n[camera]"), "background: found 1, allowed: a table"),
        (("[lights.spot]", "[background]\nradiance = 1\n[lights.background]"), 'the name "background", allowed'),
        (("albedo = 0.7", "albedo = 0.7, emission = -1"), "floor.material.emission: found -1, allowed: three numbers"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line_each(change, told):
    with pytest.raises(InputError, match=told):
        parse_scene((DOWN + FLOOR + spot(10, 25)).replace(*change))
    with pytest.raises(InputError, match="inner: found 30"):
        parse_scene(DOWN + FLOOR + spot(10, 25)).replace({"spot.inner": 30.0})


def test_rays_that_meet_nothing_see_the_background_directly_and_in_mirrors():
    scene = parse_scene("reflection_depth = 1\n" + camera() + SKY)
    image = render(scene)
    x, y = (np.meshgrid(np.arange(16) + 0.5, np.arange(12) + 0.5)[k] for k in (0, 1))
    forward = np.array([0.0, 0.7 - 2.0, -6.0]) / np.hypot(1.3, 6.0)
    upward = np.cross([1.0, 0.0, 0.0], forward)
    size = 2.0 * tan(radians(22.5)) / 12
    d = forward + (x - 8)[..., None] * size * np.array([1.0, 0, 0]) - (y - 6)[..., None] * size * upward
    up = np.array([0.2, 1.0, 0.1]) / np.linalg.norm([0.2, 1.0, 0.1])
    s = 0.5 + 0.5 * (d / np.linalg.norm(d, axis=-1, keepdims=True)) @ up
    expected = s[..., None] * [0.1, 0.2, 0.8] + (1.0 - s)[..., None] * [0.4, 0.3, 0.2]
    assert np.abs(image - expected).max() < 1e-14
    wall = MIRROR.replace("width = 5\nheight = 3", "width = 50\nheight = 30")
    mirrored = render(parse_scene("reflection_depth = 1\n" + camera() + wall + "[background]\nradiance = [1, 2, 3]\n"))
    assert np.abs(mirrored - 0.9 * np.array([1.0, 2.0, 3.0])).max() < 1e-14
    cut_off = render(parse_scene("reflection_depth = 0\n" + camera() + wall + "[background]\nradiance = [1, 2, 3]\n"))
    assert (cut_off == 0.0).all(), "a path that ends at a mirror is black, as it is without a background"


def test_a_background_lights_no_surface():
    text = camera() + lambert("wall", 'type = "plane"\npoint = [0, 0, -5]\nnormal = [0, 0, 1]\n') + LAMP
    assert np.array_equal(render(parse_scene(text)), render(parse_scene(text + "[background]\nradiance = 3\n")))


@pytest.mark.parametrize("sky", [SKY, "[background]\nradiance = [0.2, 0.4, 0.9]\n"])
def test_silhouettes_before_a_background_have_derivatives(sky):
    bubble = ball((0.9, 1.1, -0.4), 0.5, "bubble").replace('"lambert", albedo = 0.7', '"mirror", reflectance = 0.8')
    scene = parse_scene(
        "reflection_depth = 1\n" + camera(width=12, height=9) + sky + ball((-0.6, 0.9, 0), 0.6) + bubble
    )
    assert render(scene).report.without_derivative == 0
    dark = scene.replace({"ball.material.albedo": [0.5, 0.5, 0.5]})
    not_wrong(dark, ["ball.center", "ball.radius", "bubble.center", "camera.position", *background(scene)])
    # A black ball before a white sky: the image loses the area of its disk.
    flat = parse_scene(DOWN + ball((0.013, 0, 0.007), 1.1) + "[background]\nradiance = 1\n")
    assert (1.0 - render(flat)[..., 0]).sum() / 36.0 == pytest.approx(pi * 1.21, rel=2e-3)
    assert jacobian(flat, ["ball.radius"])[:, :, 0, 0].sum() / 36.0 == pytest.approx(-2.2 * pi, rel=5e-3)


def background(scene: Scene) -> list[str]:
    return [p.path for p in scene.parameters() if p.path.startswith("background.")]


def test_a_surface_that_emits_adds_its_radiance_where_it_is_seen():
    text = "reflection_depth = 1\n" + camera() + FLOOR + ball((-0.6, 0.9, 0.2), 0.6) + MIRROR + LAMP
    scene = parse_scene(text)
    names = ["ball.material.emission", "mirror.material.emission"]
    seen = jacobian(scene, names, tolerance=1.0)
    assert seen[..., 0, 0].max() == pytest.approx(1.0) and seen[..., 0, 3].max() == pytest.approx(1.0)
    reflection = seen[1:4, :, 0, 0]
    assert 0.2 < reflection.max() <= 0.9 + 1e-12, "the ball is seen in the mirror, which keeps 0.9"
    emission = np.array([0.5, 0.0, 2.0, 0.1, 0.3, 0.0])
    lit = render(scene.replace(dict(zip(names, emission.reshape(2, 3), strict=True))), tolerance=1.0)
    assert np.abs(lit - render(scene, tolerance=1.0) - seen @ emission).max() < 1e-13
    last = render(
        parse_scene(text.replace("depth = 1", "depth = 0")).replace({names[1]: [0.1, 0.3, 0.0]}), tolerance=1.0
    )
    assert last[2, 8] == pytest.approx([0.1, 0.3, 0.0], rel=1e-12), "at the last bounce too"


def test_what_emits_is_seen_in_a_mirror_that_emits_itself():
    wall = MIRROR.replace("width = 5\nheight = 3", "width = 50\nheight = 30").replace("0.9 }", "0.9, emission = 0.5 }")
    behind = lambert("back", 'type = "plane"\npoint = [0, 0, 20]\nnormal = [0, 0, 1]\n')
    text = "reflection_depth = 1\n" + camera(width=4, height=3) + wall + glowing(behind, [1.0, 2.0, 3.0])
    assert np.abs(render(parse_scene(text)) - [0.5 + 0.9, 0.5 + 1.8, 0.5 + 2.7]).max() < 1e-14


def test_emission_of_zero_changes_no_bit_and_is_listed_only_where_it_is_stated():
    text = camera() + FLOOR + ball((0, 0.9, 0.2), 0.6) + LAMP
    scene, stated = parse_scene(text), parse_scene(glowing(text, 0))
    assert render(scene).tobytes() == render(stated).tobytes()
    assert not [p for p in scene.parameters() if "emission" in p.path] and "emission" not in scene.to_toml()
    assert [p.path for p in stated.parameters() if "emission" in p.path] == [
        "floor.material.emission", "ball.material.emission",
    ]  # fmt: skip
    again = parse_scene(stated.replace({"ball.radius": 0.5}).to_toml())
    assert again.parameters() == stated.parameters()
    assert scene["ball.material.emission"].tolist() == [0.0, 0.0, 0.0]


def test_emission_and_background_are_in_the_graph_of_a_pixel():
    scene = parse_scene(camera(width=4, height=3) + SKY + glowing(ball((-0.1, 0.9, 0.2), 1.2), [0.1, 0.2, 0.3]))
    image = render(scene)
    for x, y in ((0, 0), (1, 1), (1, 0)):
        graph = trace(scene, (x, y), "g")
        assert graph.output.value == pytest.approx(image[y, x, 1], rel=1e-12)
    assert {"background.zenith", "ball.material.emission", "ball.center"} <= {node.name for node in graph.inputs}


number = st.floats(-1.0, 1.0).map(lambda x: round(x, 3) + 0.00037)


@st.composite
def scenes(draw) -> str:
    """A mirror that emits, a ball of rough metal and two spots, one of them hard: one structure, so one program."""
    text = "reflection_depth = 1\n" + camera((draw(number), 2 + draw(number), 5), (0, 0.7, 0), 8, 6) + SKY + FLOOR
    for material in (
        'type = "rough_metal", reflectance = [0.9, 0.6, 0.3], alpha = 0.45',
        'type = "mirror", reflectance = 0.7, emission = [0.1, 0.2, 0.4]',
    ):
        place, radius = [1.3 * draw(number), 1.007 + 0.6 * draw(number), draw(number)], 0.45 + 0.3 * abs(draw(number))
        name = material.split('"')[1]
        text += f'[shapes.{name}]\ntype = "sphere"\ncenter = {place}\nradius = {radius}\nmaterial = {{ {material} }}\n'
    for i, softness in enumerate((1.0, 0.5)):
        place, outer = [2 * draw(number), 4 + draw(number), 2.5 + draw(number)], 12.0 + 8.0 * draw(number)
        aim = [0.5 * draw(number) - place[0], 0.7 - place[1], 0.5 * draw(number) - place[2]]
        text += (
            spot(outer * softness, outer, place, aim)
            .replace("s.spot", f"s.spot{i}")
            .replace("intensity = 5", "intensity = 40")
        )
    return text


@pytest.mark.slow
@settings(random, max_examples=8)
@given(scenes(), st.integers(0, 999))
def test_random_scenes_have_right_derivatives_and_are_the_same_on_both_engines(text, seed):
    scene = parse_scene(text)
    image = render(scene)
    report = image.report
    assert np.abs(image - render(scene, engine="numpy")).max() <= 1e-12 * image.max()
    if report.without_derivative:
        return  # it says so
    names = ["rough_metal.center", "rough_metal.material.alpha", "mirror.radius", "mirror.material.emission",
             "spot0.direction", "spot1.outer", "spot1.position", "background.zenith"]  # fmt: skip
    found = compare_along(scene, names, np.random.default_rng(seed).normal(size=len(scene.pack(names))) * 0.03)
    assert found.verdict != "wrong", found


def test_the_angle_of_a_soft_spot_is_found_by_a_fit():
    scene = parse_scene(DOWN + FLOOR + spot(15, 20, direction=(0.1, -1, 0.05)))
    found = diffrt.fit(scene, render(scene.replace({"spot.outer": 24.0})), ["spot.outer"])
    assert found.values == pytest.approx([24.0], rel=1e-4)
