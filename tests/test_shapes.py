"""Cylinder, cone and box: met where geometry says, and their images have the derivatives that differences have."""

import numpy as np
import pytest
from along import compare_along
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffrt import autograd
from diffrt.compiler import REFERENCE
from diffrt.errors import InputError
from diffrt.kinds import SHAPES
from diffrt.scene import parse_scene
from diffrt.tracer import jacobian, render
from diffrt.tracer.differences import compare
from diffrt.tracer.tables import build_tables
from diffrt.tracer.visibility import Visibility

WHITE = 'material = { type = "lambert", albedo = 1 }\n'
SKY = '[lights.sky]\ntype = "ambient"\nradiance = 1\n'
TUBE = 'type = "cylinder"\nbottom = [0, -0.5, 0]\ntop = [0, 0.5, 0]\nradius = 0.7\ncapped = false\n'
CAN = TUBE.replace("false", "true")
HAT = 'type = "cone"\nbase = [0, -0.5, 0]\napex = [0, 0.7, 0]\nradius = 0.6\ncapped = false\n'
CONE = HAT.replace("capped = false\n", "")
BOX = 'type = "box"\ncenter = [0, 0, 0]\nwidth = 0.8\nheight = 1.2\ndepth = 0.5\n'


def column(*vector):
    return np.array(vector, float)[:, None]


def faces(kind, **fields):
    """The faces of a shape by their names, its fields as columns of one sample."""
    values = {name: np.array(value, float)[..., None] for name, value in fields.items()}
    return {face.__name__: face(**values) for face in SHAPES[kind].faces}


def met(face, o, d):
    """Distance, `inside` and normal of a face for one ray."""
    side = np.sign(face.side(o)) + 0.0
    with np.errstate(invalid="ignore"):  # as the kernels do
        t, inside = face.intersect(o, d, side)
    return float(t[0]), float(inside[0]), face.normal_at(o + t * d, side)[:, 0]


def straight(position, view, width=24, height=24, up=(0, 1, 0)):
    return (
        f'[camera]\ntype = "orthographic"\nposition = {[float(x) for x in position]}\ntarget = [0, 0, 0]\n'
        f"up = {list(up)}\nview_height = {view}\nwidth = {width}\nheight = {height}\n"
    )


def alone(shape, camera):
    return parse_scene(f"{camera}[shapes.solid]\n{shape}{WHITE}{SKY}")


# Where a ray meets a face, in closed form.
def test_a_cylinder_is_met_where_geometry_says():
    parts = faces("cylinder", bottom=[1, 0, 0], top=[1, 4, 0], radius=0.5)
    o, d = column(-1, 1, 0.3), column(1, 0, 0)
    t, inside, n = met(parts["Outside"], o, d)
    assert t == pytest.approx(1.6, rel=1e-14) and inside > 0.0
    assert n == pytest.approx([-0.8, 0.0, 0.6], rel=1e-14)
    t, inside, n = met(parts["Lining"], o, d)
    assert t == pytest.approx(2.4, rel=1e-14) and inside > 0.0
    assert n == pytest.approx([-0.8, 0.0, -0.6], rel=1e-14)
    for height, hits in ((-0.001, False), (0.001, True), (3.999, True), (4.001, False)):
        assert (met(parts["Outside"], column(-1, height, 0.3), d)[1] > 0.0) == hits
    down = column(0.6, -0.8, 0)  # through the open end to the lining
    assert met(parts["Outside"], column(0.8, 4.4, 0), down)[1] < 0.0
    t, inside, _ = met(parts["Lining"], column(0.8, 4.4, 0), down)
    assert t == pytest.approx(0.7 / 0.6, rel=1e-14) and inside > 0.0
    t, inside, n = met(parts["Top"], column(0.8, 4.4, 0), down)
    assert t == pytest.approx(0.5, rel=1e-14) and inside > 0.0 and n == pytest.approx([0.0, 1.0, 0.0])
    t, inside, n = met(parts["Bottom"], column(0.8, 1.0, 0), column(0, -1, 0))
    assert t == pytest.approx(1.0, rel=1e-14) and inside > 0.0 and n == pytest.approx([0.0, 1.0, 0.0])


def test_a_cone_is_met_where_geometry_says():
    """Over a base of radius 1 at the origin with the apex at the height 2: at half of that the radius is 1/2."""
    parts = faces("cone", base=[0, 0, 0], apex=[0, 2, 0], radius=1)
    o, d = column(-3, 1, 0), column(1, 0, 0)
    t, inside, n = met(parts["Outside"], o, d)
    assert t == pytest.approx(2.5, rel=1e-14) and inside > 0.0
    assert n == pytest.approx(np.array([-2.0, 1.0, 0.0]) / np.sqrt(5.0), rel=1e-14)
    t, inside, n = met(parts["Lining"], o, d)
    assert t == pytest.approx(3.5, rel=1e-14) and inside > 0.0
    assert n == pytest.approx(np.array([-2.0, -1.0, 0.0]) / np.sqrt(5.0), rel=1e-14)
    for height, hits in ((-0.001, False), (0.001, True), (1.999, True), (2.001, False), (2.5, False)):
        for name in ("Outside", "Lining"):
            assert (met(parts[name], column(-3, height, 0), d)[1] > 0.0) == hits, "not on the mirror image either"
    # Along a line of the wall, where one of the roots is infinitely far.
    steep = np.array([1.0, -2.0, 0.0]) / np.sqrt(5.0)
    t, inside, _ = met(parts["Lining"], column(-0.25, 1, 0), column(*-steep))
    assert t == pytest.approx(np.sqrt(5.0) * 0.125, rel=1e-12) and inside > 0.0
    t, inside, _ = met(parts["Lining"], column(-0.25, 1, 0), column(*steep))
    assert np.isfinite(t) and inside < 0.0
    t, inside, n = met(parts["Base"], column(0.2, -3, 0), column(0, 1, 0))
    assert t == pytest.approx(3.0, rel=1e-14) and inside > 0.0 and n == pytest.approx([0.0, -1.0, 0.0])


def test_a_box_is_met_where_geometry_says():
    """A box on its edge: its front is turned by 45 degrees about y."""
    parts = faces("box", center=[1, 2, 3], front=[1, 0, 1], up=[0, 5, 0], width=2, height=4, depth=6)
    half = np.sqrt(0.5)
    for name, outward, distance in (
        ("Front", [half, 0, half], 3), ("Back", [-half, 0, -half], 3), ("Top", [0, 1, 0], 2),
        ("Bottom", [0, -1, 0], 2), ("Right", [half, 0, -half], 1), ("Left", [-half, 0, half], 1),
    ):  # fmt: skip
        n = column(*outward)
        for o, d, side in ((column(1, 2, 3) + 9 * n, -n, 1.0), (column(1, 2, 3), n, -1.0)):
            t, inside, normal = met(parts[name], o, d)
            assert t == pytest.approx(9 - distance if side > 0 else distance, rel=1e-14) and inside > 0.0
            assert normal == pytest.approx(side * n[:, 0], abs=1e-15)


@pytest.mark.parametrize("far", [1e3, 1e6])
def test_a_small_shape_that_is_far_away_keeps_its_digits(far):
    """What is lost is the rounding of the distance, not its square."""
    o, d = column(0.3, 0, far), column(0, 0, -1)
    cylinder = faces("cylinder", bottom=[0, -1, 0], top=[0, 1, 0], radius=0.5)["Outside"]
    assert met(cylinder, o, d)[0] == pytest.approx(far - 0.4, abs=4e-16 * far)
    cone = faces("cone", base=[0, -1, 0], apex=[0, 1, 0], radius=1)["Outside"]
    assert met(cone, o, d)[0] == pytest.approx(far - 0.4, abs=1e-15 * far)


def test_a_needle_keeps_its_digits():
    """A cone of height 1 whose base has the radius 1e-7 is met a third of that from its axis."""
    cone = faces("cone", base=[0, 0, 0], apex=[0, 1, 0], radius=1e-7)["Outside"]
    t, inside, n = met(cone, column(3e-8, 0.5, 1), column(0, 0, -1))
    assert 1.0 - t == pytest.approx(4e-8, rel=1e-8) and inside > 0.0
    assert n == pytest.approx([0.6, 1e-7, 0.8], rel=1e-8)


# Silhouettes: under an even sky, a white shape before black is as bright as it is large.
TILT = 0.4
ALONG = np.array([0.0, np.sin(TILT), np.cos(TILT)])  # the view, at this angle from the x-z plane
AREAS = {
    "can": (CAN, 1.4 * np.cos(TILT) + np.pi * 0.49 * np.sin(TILT)),
    "box": (BOX, 0.8 * 1.2 * np.cos(TILT) + 0.8 * 0.5 * np.sin(TILT)),
}


def hull(radius, height):
    """The area of a cone as seen: the ellipse of its base and the tangents to it from the apex."""
    reach = height / np.tan(TILT)  # with the ellipse stretched to a circle
    angle = np.arccos(radius / reach)
    return np.sin(TILT) * (radius**2 * (np.pi - angle) + radius * np.sqrt(reach**2 - radius**2))


def lens(radius, height):
    """What is seen through a tube: the part that two circles have in common."""
    apart = height / np.tan(TILT)
    return np.sin(TILT) * (
        2 * radius**2 * np.arccos(apart / 2 / radius) - apart / 2 * np.sqrt(4 * radius**2 - apart**2)
    )


AREAS["cone"] = AREAS["hat"] = (CONE, hull(0.6, 1.2))
AREAS["hat"] = (HAT, hull(0.6, 1.2))
AREAS["wide tube"] = (
    TUBE.replace("0.7", "1.6"),
    3.2 * np.cos(TILT) + np.pi * 2.56 * np.sin(TILT) - lens(1.6, 1.0),
)


@pytest.mark.parametrize("name", AREAS)
def test_a_silhouette_has_the_area_that_geometry_gives(name):
    shape, area = AREAS[name]
    image = np.asarray(render(alone(shape, straight(5 * ALONG, 4))))
    assert image[..., 0].sum() * (4 / 24) ** 2 == pytest.approx(area, rel=1e-3)


def test_a_tube_seen_along_its_axis_shows_what_is_behind_it():
    image = render(alone(TUBE, straight((0, 5, 0), 2, up=(0, 0, 1))))
    assert (np.asarray(image) == 0.0).all()
    closed = render(alone(CAN, straight((0, 5, 0), 2, up=(0, 0, 1))))
    assert np.asarray(closed)[..., 0].sum() * (2 / 24) ** 2 == pytest.approx(np.pi * 0.49, rel=1e-3)


# The tracer's part of it.
def test_at_the_edge_of_a_box_the_face_in_front_is_seen_and_not_the_one_behind():
    """To within a millionth of a millionth, both are met at one distance."""
    edge = [(0.4 + 0.25) * np.sqrt(0.5), 0.0, 0.0]
    scene = alone(BOX + "front = [1, 0, 1]\n", straight((0, 0, 5), 1e-9))
    scene = scene.replace({"camera.target": edge, "camera.position": np.add(edge, [0.0, 0.0, 5.0])})
    view = Visibility(build_tables(scene).plain(), REFERENCE)
    x = np.linspace(0.0, 24.0, 9999)
    ids = view.signature_ids(x, 12.0 + 0.0 * x)
    seen = view.signatures.face[0, ids]
    names = {SHAPES["box"].faces[face].__name__ for face in seen[seen >= 0]}
    assert names == {"Front"} and (seen < 0).any()


@pytest.mark.parametrize("name", ["can", "cone", "hat", "wide tube"])
def test_where_a_rim_touches_the_outline_all_edges_have_a_derivative(name):
    """Looked at closely: there the root in the distance has a slope without bound."""
    shape, _ = AREAS[name]
    radius = float(shape.split("radius = ")[1].split()[0])
    reach = 1.2 / np.tan(TILT)
    x, z = (radius, 0.0) if "cylinder" in shape else (radius * np.sqrt(1 - (radius / reach) ** 2), -(radius**2) / reach)
    at = np.array([x, -0.5, z]) + np.random.default_rng(0).normal(size=3) * 1e-5
    scene = alone(shape, straight(5 * ALONG, 1e-4, 8, 8))
    report = render(scene.replace({"camera.position": at + 5 * ALONG, "camera.target": at})).report
    assert report.crossings > 8 and report.without_derivative == 0


ROOM = """reflection_depth = 1
[camera]
position = [0.3, 2.1, 4.9]
target = [0.1, 0.55, 0.1]
fov = 42
width = 14
height = 10
[shapes.floor]
type = "plane"
point = [0, -0.013, 0]
normal = [0.01, 1, 0.02]
material = { type = "lambert", albedo = 0.6 }
[shapes.glass]
type = "rectangle"
center = [0.1, 1.2, -1.7]
normal = [0.1, 0.02, 1]
width = 4.1
height = 2.3
material = { type = "mirror", reflectance = 0.8 }
[shapes.cone]
type = "cone"
base = [-1.15, 0.04, 0.13]
apex = [-1.06, 1.31, 0.05]
radius = 0.52
material = { type = "lambert", albedo = [0.8, 0.3, 0.2] }
[shapes.hat]
type = "cone"
base = [-0.23, 0.83, 0.98]
apex = [-0.35, 0.07, 0.81]
radius = 0.41
capped = false
material = { type = "lambert", albedo = [0.7, 0.6, 0.2] }
[shapes.can]
type = "cylinder"
bottom = [0.07, 0.03, -0.52]
top = [0.13, 1.02, -0.46]
radius = 0.43
material = { type = "lambert", albedo = [0.3, 0.7, 0.2] }
[shapes.tube]
type = "cylinder"
bottom = [0.62, 0.38, 0.84]
top = [1.27, 0.61, 1.33]
radius = 0.31
capped = false
material = { type = "lambert", albedo = [0.2, 0.4, 0.7] }
[shapes.box]
type = "box"
center = [1.16, 0.53, -0.31]
front = [0.45, 0.1, 1]
up = [0.06, 1, 0.03]
width = 0.71
height = 0.93
depth = 0.62
material = { type = "lambert", albedo = [0.6, 0.4, 0.5] }
[lights.lamp]
type = "point"
position = [2.1, 3.9, 3.2]
intensity = 24
[lights.sky]
type = "ambient"
radiance = 0.1
"""
SOLIDS = ("cone", "hat", "can", "tube", "box")


def room(**changes):
    """The scene in which all of them are; always the same kinds, so that one program serves all."""
    return parse_scene(ROOM).replace({name.replace("__", "."): value for name, value in changes.items()})


def geometry(scene):
    return [p.path for p in scene.parameters() if p.path.split(".")[0] in SOLIDS and "material" not in p.path]


def right_along(scene, seed):
    """Assert that the derivative along a random direction of all that the shapes are made of is that of the image."""
    names = [*geometry(scene), "lamp.position"]
    found = compare_along(scene, names, np.random.default_rng(seed).normal(size=len(scene.pack(names))))
    assert found.verdict == "right", found


@pytest.mark.slow
def test_the_derivative_is_that_of_the_image():
    """Outlines, rims, edges, an apex; shadows on the floor, on each other and in themselves; some in the mirror."""
    assert render(room()).report.without_derivative == 0
    right_along(room(), 1)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["outside", "mirror", "cone", "hat", "can", "tube", "box"])
def test_the_derivative_by_every_number_is_that_of_the_image(place):
    scene = {"outside": room, "mirror": in_the_mirror}.get(place, lambda: inside(place))()
    for found in compare(scene, geometry(scene)):
        assert found.verdict == "right", found


INSIDE = {
    "cone": ([-1.15, 0.25, 0.13], [-1.0, 0.4, -0.3], [-1.1, 0.5, 0.1]),
    "hat": ([-0.22, 0.75, 0.95], [-0.31, 0.3, 0.85], [-0.3, 0.8, 1.1]),
    "can": ([0.05, 0.4, -0.4], [0.2, 0.5, -0.8], [0.2, 0.7, -0.55]),
    "tube": ([0.75, 0.45, 0.95], [1.2, 0.6, 1.2], [0.9, 0.55, 1.0]),
    "box": ([1.1, 0.4, -0.2], [1.3, 0.6, -0.6], [1.2, 0.7, -0.35]),
}


def inside(name):
    eye, target, lamp = INSIDE[name]
    return room(camera__position=eye, camera__target=target, lamp__position=lamp, camera__fov=75.0)


@pytest.mark.parametrize("name", [s if s == "cone" else pytest.param(s, marks=pytest.mark.slow) for s in SOLIDS])
def test_from_inside_too(name):
    """With a lamp in it, so that rims, corners and the light through an open end are seen."""
    assert np.asarray(render(inside(name))).max() > 0.1
    right_along(inside(name), 3)


def in_the_mirror():
    return room(camera__position=[0.4, 1.9, 0.4], camera__target=[0.3, 1.3, -1.7], camera__fov=70.0)


def test_in_a_mirror_too():
    scene = in_the_mirror()
    changes = np.abs(jacobian(scene, geometry(scene))).max((0, 1, 2))
    components = scene.components(geometry(scene))
    seen = {path.split(".")[0] for path, change in zip(components, changes, strict=True) if change}
    assert seen == set(SOLIDS)
    right_along(scene, 4)


@pytest.mark.parametrize("name", ["cone", "can", "box"])
def test_from_inside_a_closed_shape_the_far_wall_hides_a_lamp_outside(name):
    eye, target, lamp = INSIDE[name]
    dark = room(camera__position=eye, camera__target=target, camera__fov=60.0, sky__radiance=[0.0, 0.0, 0.0])
    assert (np.asarray(render(dark)) == 0.0).all()
    assert (np.asarray(render(dark.replace({"lamp.position": lamp}))) > 0.0).all()
    assert (np.asarray(render(dark.replace({"sky.radiance": [0.1, 0.1, 0.1]}))) > 0.0).all()


def test_light_falls_into_an_open_end_and_not_through_a_cap():
    """A lamp on the axis, over an upright cylinder whose inside is looked at."""
    text = (
        "[camera]\nposition = [0, 0.1, 0]\ntarget = [1, 0, 0.2]\nfov = 60\nwidth = 6\nheight = 6\n"
        f"[shapes.solid]\n{TUBE}{WHITE}"
        '[lights.lamp]\ntype = "point"\nposition = [0, 3, 0]\nintensity = 9\n'
    )
    assert (np.asarray(render(parse_scene(text))) > 0.0).all()
    assert (np.asarray(render(parse_scene(text.replace("capped = false", "capped = true")))) == 0.0).all()


def test_both_engines_and_both_modes_agree():
    scene = room()
    image = np.asarray(render(scene))
    small = scene.replace(width=4, height=3)
    one, other = (np.asarray(render(small, engine=engine, tolerance=0.25)) for engine in ("llvm", "numpy"))
    assert np.abs(one - other).max() < 1e-12
    names = geometry(scene)
    weights = np.random.default_rng(0).normal(size=image.shape)
    v = autograd.variable(scene.pack(names))
    autograd.sum(render(scene.unpack(names, v)) * weights).backward()
    forward = np.einsum("hwcn,hwc->n", jacobian(scene, names), weights)
    assert v.grad == pytest.approx(forward, rel=1e-9, abs=1e-12 * np.abs(forward).max())


number = st.floats(-1.0, 1.0).map(lambda x: round(x, 3))


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None, max_examples=5)
@given(st.lists(number, min_size=60, max_size=60), st.integers(0, 1000))
def test_random_solids_have_derivatives_that_agree_with_differences(values, seed):
    scene = room()
    moved = scene.pack(names := [*geometry(scene), "camera.position", "lamp.position"])
    minimum = np.repeat([scene.parameter(n).minimum for n in names], [scene.parameter(n).size for n in names])
    step = np.where(np.isfinite(minimum), 0.2, 0.5) * np.resize(values, moved.shape)
    try:
        scene = scene.unpack(names, np.where(np.isfinite(minimum), np.maximum(moved + step, 0.1), moved + step))
    except InputError:
        return  # such as an apex on its base
    assert np.isfinite(jacobian(scene, names)).all()
    if render(scene).report.without_derivative:
        return  # it says so
    found = compare_along(scene, names, np.random.default_rng(seed).normal(size=moved.size) * 0.3)
    assert found.verdict != "wrong", found


# What is no shape is told in one line.
@pytest.mark.parametrize(
    ("shape", "old", "new", "told"),
    [
        (
            CAN,
            "[0, 0.5, 0]",
            "[0, -0.5, 0]",
            r"solid\.top: found \[0, -0\.5, 0\], allowed: a point that is 1e-9 or more",
        ),
        (CAN, "0.7", "-0.7", r"solid\.radius: found -0\.7, allowed: a number from 1e-9 to 1e9"),
        (CAN, "0.7", "nan", r"solid\.radius: found nan, allowed: a number from 1e-9 to 1e9"),
        (CAN, "radius = 0.7", "", r"solid\.radius: missing; needed: a number from 1e-9 to 1e9"),
        (CAN, "true", '"yes"', r"solid\.capped: found .yes., allowed: true or false"),
        (CAN, "true", "1", r"solid\.capped: found 1, allowed: true or false"),
        (CAN, "capped", "caped", r"solid\.caped: unknown key; did you mean 'capped'"),
        (CONE, "[0, 0.7, 0]", "[0, -0.5, 0]", r"solid\.apex: found \[0, -0\.5, 0\], allowed: a point that is 1e-9 or"),
        (CONE, "0.6", "0", r"solid\.radius: found 0, allowed: a number from 1e-9 to 1e9"),
        (CONE, "cone", "kone", r"solid\.type: found .kone., allowed: one of .*did you mean 'cone'"),
        (BOX, "1.2", "-1.2", r"solid\.height: found -1\.2, allowed: a number from 1e-9 to 1e9"),
        (
            BOX,
            "width",
            "up = [0, 0, 2]\nwidth",
            r"solid\.up: found \[0, 0, 2\], allowed: a direction that is not along",
        ),
        (BOX, "width", "front = [0, 3, 0]\nwidth", r"solid\.up: found .* by default, allowed: a direction that is not"),
        (BOX, "width", "front = [0, 0, 0]\nwidth", r"solid\.front: found \[0, 0, 0\], allowed: a direction: three"),
    ],
)
def test_a_shape_that_cannot_be_is_told_in_one_line(shape, old, new, told):
    assert shape.count(old) >= 1
    with pytest.raises(InputError, match=told) as fault:
        alone(shape.replace(old, new, 1) if old != "[0, 0.5, 0]" else shape.replace(old, new), straight((0, 0, 5), 2))
    assert len(fault.value.problems) == 1 and "\n" not in fault.value.problems[0]


def test_a_replaced_number_is_held_to_the_rules_too():
    scene = room()
    with pytest.raises(InputError, match=r"cone\.apex: found .*, allowed: a point that is 1e-9 or more from base"):
        scene.replace({"cone.apex": scene["cone.base"]})
    with pytest.raises(InputError, match=r"no parameter 'cone\.capped'"):
        scene.replace({"cone.capped": 0.0})


def test_a_saved_scene_keeps_which_ends_are_open():
    scene = room()
    text = scene.to_toml()
    assert text.count("capped = true") == 2 and text.count("capped = false") == 2
    assert parse_scene(text) == scene
    assert parse_scene(text.replace("capped = false", "capped = true")) != scene
