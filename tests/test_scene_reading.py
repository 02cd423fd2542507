"""Reading a scene: what a file may hold, and what is said of every mistake in it."""

from pathlib import Path

import pytest

from diffrt.errors import MOST_PROBLEMS, InputError
from diffrt.scene import load_scene, parse_scene

SCENE = """\
reflection_depth = 2

[camera]
type = "perspective"
position = [0, 2, 6]
target = [0.0, 0.5, 0.0]
up = [0.0, 1.0, 0.0]
fov = 45.0
width = 64
height = 48

[shapes.floor]
type = "plane"
point = [0.0, 0.0, 0.0]
normal = [0.0, 1.0, 0.0]
material = { type = "lambert", albedo = 0.5 }

[shapes.ball]
type = "sphere"
center = [0.0, 1.0, 0.0]
radius = 0.8
material = { type = "blinn_phong", albedo = [0.8, 0.2, 0.2], specular = [0.1, 0.1, 0.1], shininess = 20.0 }

[shapes.pane]
type = "rectangle"
center = [0.0, 1.0, -3.0]
normal = [0.0, 0.0, 1.0]
up = [0.0, 2.0, 0.0]
width = 2.0
height = 1.5
material = { type = "mirror", reflectance = [0.9, 0.9, 0.9] }

[shapes.flag]
type = "triangle"
a = [0.0, 0.0, 0.0]
b = [1.0, 0.0, 0.0]
c = [0.0, 1.0, 0.0]
material = { type = "lambert", albedo = [0.1, 0.2, 0.3] }

[lights.lamp]
type = "point"
position = [2.0, 4.0, 3.0]
intensity = [24.0, 22.0, 20.0]

[lights.sun]
type = "directional"
direction = [0.0, -1.0, 0.0]
irradiance = [1.0, 1.0, 1.0]

[lights.sky]
type = "ambient"
radiance = 0.1
"""


def problems(text: str) -> tuple[str, ...]:
    """What is said of a text that is no scene, without the name of the file before each line."""
    with pytest.raises(InputError) as fault:
        parse_scene(text, "my.toml")
    lines = fault.value.problems
    assert all("\n" not in line and line.startswith("my.toml: ") for line in lines)
    return tuple(line.removeprefix("my.toml: ") for line in lines)


def problem(old: str, new: str) -> str:
    """What is said of the scene above after one change; a change brings one complaint."""
    assert SCENE.count(old) == 1
    (line,) = problems(SCENE.replace(old, new))
    return line


# What a scene is


def test_a_scene_tells_its_structure() -> None:
    scene = parse_scene(SCENE)
    assert scene.reflection_depth == 2
    assert (scene.camera.type, scene.camera.width, scene.camera.height) == ("perspective", 64, 48)
    assert [(name, shape.type, shape.material.type) for name, shape in scene.shapes.items()] == [
        ("floor", "plane", "lambert"),
        ("ball", "sphere", "blinn_phong"),
        ("pane", "rectangle", "mirror"),
        ("flag", "triangle", "lambert"),
    ]
    assert [(name, light.type) for name, light in scene.lights.items()] == [
        ("lamp", "point"),
        ("sun", "directional"),
        ("sky", "ambient"),
    ]


def test_a_scene_tells_its_numbers() -> None:
    scene = parse_scene(SCENE)
    assert scene["ball.radius"] == 0.8
    assert scene["camera.position"].tolist() == [0.0, 2.0, 6.0]
    assert scene["lamp.intensity.g"] == 22.0


def test_one_number_for_a_colour_means_gray() -> None:
    scene = parse_scene(SCENE)
    assert scene["floor.material.albedo"].tolist() == [0.5, 0.5, 0.5]
    assert scene["sky.radiance"].tolist() == [0.1, 0.1, 0.1]


def test_a_camera_is_enough_and_the_rest_has_defaults() -> None:
    scene = parse_scene("[camera]\nposition=[0,0,1]\ntarget=[0,0,0]\nfov=45\nwidth=4\nheight=3")
    assert (scene.camera.type, scene.reflection_depth) == ("perspective", 4)
    assert (scene.shapes, scene.lights) == ({}, {})
    assert scene["camera.up"].tolist() == [0.0, 1.0, 0.0]


def test_an_orthographic_camera_has_a_view_height() -> None:
    text = SCENE.replace('"perspective"', '"orthographic"').replace("fov = 45.0", "view_height = 3.0")
    assert parse_scene(text)["camera.view_height"] == 3.0


def test_the_largest_image_and_the_most_lights_are_accepted() -> None:
    lights = "".join(f'[lights.l{i}]\ntype="ambient"\nradiance=0\n' for i in range(29))
    scene = parse_scene(SCENE.replace("width = 64", "width = 16384") + lights)
    assert (scene.camera.width, len(scene.lights)) == (16384, 32)


# All mistakes at once


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "five.toml"
    path.write_text(
        SCENE.replace("radius = 0.8", "radius = -1")
        .replace("fov = 45.0", "fov = 200")
        .replace("specular", "specula")
        .replace("reflection_depth = 2", "reflection_depth = 9")
        .replace("[lights.sky]", "[lights.ball]")
    )
    with pytest.raises(InputError) as fault:
        load_scene(path)
    assert str(fault.value).splitlines() == [
        f"{path}: reflection_depth: found 9, allowed: a whole number from 0 to 8",
        f"{path}: camera.fov: found 200, allowed: degrees from 1e-9 to 180 - 1e-9",
        f"{path}: shapes.ball.radius: found -1, allowed: a number from 1e-9 to 1e9",
        f"{path}: shapes.ball.material.specular: missing; needed: "
        "three numbers [r, g, b], or one for gray, each from 0 to 1",
        f"{path}: shapes.ball.material.specula: unknown key; did you mean 'specular'?",
        f"{path}: lights.ball: found the name of a shape, allowed: a name that no shape has",
    ]


def test_relations_are_told_although_other_fields_are_wrong_too() -> None:
    lines = problems(SCENE.replace("fov = 45.0", "fov = 0").replace("[0.0, 0.5, 0.0]", "[0, 2, 6]"))
    assert [line.partition(":")[0] for line in lines] == ["camera.fov", "camera.target"]


# Files that are no scene


def test_a_missing_scene_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: no such file"):
        load_scene(tmp_path / "none.toml")


def test_an_empty_scene_file(tmp_path: Path) -> None:
    (tmp_path / "empty.toml").touch()
    with pytest.raises(InputError, match=r"empty\.toml: the file is empty"):
        load_scene(tmp_path / "empty.toml")


def test_a_scene_file_of_blanks() -> None:
    assert problems("\n") == ("camera: missing; needed: the table [camera]: position, target, fov, width and height",)


def test_a_truncated_scene_file_is_never_half_a_scene(tmp_path: Path) -> None:
    path = tmp_path / "cut.toml"
    for length in (30, 90, 150, 400, 700):  # inside the tables of the camera and of the shapes
        path.write_text(SCENE[:length])
        with pytest.raises(InputError, match=r"cut\.toml: "):
            load_scene(path)


def test_a_binary_scene_file(tmp_path: Path) -> None:
    (tmp_path / "scene.toml").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match=r"scene\.toml: not a text file"):
        load_scene(tmp_path / "scene.toml")


def test_an_oversized_scene_file(tmp_path: Path) -> None:
    (tmp_path / "scene.toml").write_text(SCENE + "#" * (4 << 20))
    with pytest.raises(InputError, match=r"scene\.toml: larger than the 4 MiB"):
        load_scene(tmp_path / "scene.toml")


def test_a_hostile_value_is_told_in_one_short_line() -> None:
    for hostile in (
        "0x" + "f" * 100_000,
        '"' + "x" * 100_000 + '"',
        "[" * 40 + "]" * 40,
        "[" + "1," * 9999 + "]",
    ):
        assert len(problem("radius = 0.8", f"radius = {hostile}")) < 300


def test_of_a_hostile_file_with_thousands_of_mistakes_the_first_are_told_and_that_there_are_more() -> None:
    keys = "".join(f"key_{i} = 1\n" for i in range(5_000))
    shapes = "".join(f"[shapes.s{i}]\ntype = 'spere'\n" for i in range(5_000))
    for text in (keys + SCENE, SCENE + shapes):
        with pytest.raises(InputError) as fault:
            parse_scene(text, "my.toml")
        *first, last = fault.value.problems
        assert len(first) == MOST_PROBLEMS and all(line.startswith("my.toml: ") for line in first)
        assert last == "there are more mistakes; these are the first"


# Keys, types and names


def test_an_unknown_key_at_the_top() -> None:
    assert problem("reflection_depth", "reflexion_depth") == (
        "reflexion_depth: unknown key; did you mean 'reflection_depth'?"
    )


def test_an_unknown_table() -> None:
    lines = problems(SCENE.replace("[camera]", "[kamera]"))
    assert lines[1] == "kamera: unknown key; did you mean 'camera'?"


def test_an_unknown_key_of_the_camera() -> None:
    assert problem("[camera]", "[camera]\nlens = 2.0") == (
        "camera.lens: unknown key; known: 'type', 'position', 'target', 'up', 'width', 'height', 'fov', "
        "'pixel_aspect', 'crop', 'principal_point', 'k1', 'k2'"
    )


def test_an_unknown_key_of_a_shape() -> None:
    assert problem("radius = 0.8", "radius = 0.8\nraduis = 0.8") == (
        "shapes.ball.raduis: unknown key; did you mean 'radius'?"
    )


def test_an_unknown_key_of_a_material() -> None:
    assert problem("shininess = 20.0", "shininess = 20.0, shinyness = 1") == (
        "shapes.ball.material.shinyness: unknown key; did you mean 'shininess'?"
    )


def test_an_unknown_key_of_a_light() -> None:
    assert problem("[lights.lamp]", "[lights.lamp]\nposition_ = 0") == (
        "lights.lamp.position_: unknown key; did you mean 'position'?"
    )


def test_an_unknown_type_of_shape() -> None:
    assert problem('"sphere"', '"shpere"') == (
        'shapes.ball.type: found "shpere", allowed: one of '
        '"sphere", "plane", "rectangle", "disk", "triangle", "cylinder", "cone", "box"; did you mean \'sphere\'?'
    )


def test_an_unknown_type_of_material() -> None:
    assert problem('"mirror"', '"glass"') == (
        'shapes.pane.material.type: found "glass", allowed: one of "lambert", "blinn_phong", "mirror", '
        '"rough_conductor", "rough_metal", "rough_plastic"'
    )


def test_an_unknown_type_of_light() -> None:
    assert problem('"ambient"', "7") == (
        'lights.sky.type: found 7, allowed: one of "point", "directional", "spot", "ambient"'
    )


def test_an_unknown_type_of_camera() -> None:
    assert problem('"perspective"', '"fisheye"') == (
        'camera.type: found "fisheye", allowed: one of "perspective", "orthographic"'
    )


def test_a_shape_without_a_type() -> None:
    assert problem('type = "sphere"', "") == (
        "shapes.ball.type: missing; needed: one of "
        '"sphere", "plane", "rectangle", "disk", "triangle", "cylinder", "cone", "box"'
    )


def test_a_shape_without_a_material() -> None:
    assert problem('material = { type = "mirror", reflectance = [0.9, 0.9, 0.9] }', "") == (
        'shapes.pane.material: missing; needed: a table such as { type = "lambert", albedo = [0.6, 0.6, 0.6] }'
    )


def test_a_material_that_is_no_table() -> None:
    assert problem('{ type = "mirror", reflectance = [0.9, 0.9, 0.9] }', '"mirror"') == (
        'shapes.pane.material: found "mirror", allowed: a table, with type = "lambert" for instance'
    )


def test_shapes_that_are_no_tables() -> None:
    assert problems("shapes = 3\nlights = [1]\ncamera = 2") == (
        "shapes: found 3, allowed: tables such as [shapes.ball]",
        "lights: found [1], allowed: tables such as [lights.lamp]",
        'camera: found 2, allowed: a table, with type = "perspective" for instance',
    )


def test_a_shape_and_a_light_of_one_name() -> None:
    assert problem("[lights.lamp]", "[lights.floor]") == (
        "lights.floor: found the name of a shape, allowed: a name that no shape has"
    )


def test_a_shape_named_camera() -> None:
    assert problem("[shapes.ball]", "[shapes.camera]") == (
        'shapes.camera: found the name "camera", allowed: another name; this one means the camera'
    )


@pytest.mark.parametrize("name", ["big.ball", "", "2nd", "a-b", "bäll", "ball\\n"])
def test_a_name_that_is_no_plain_identifier(name: str) -> None:
    line = problem("[shapes.ball]", f'[shapes."{name}"]')
    assert line.endswith(f'found the name "{name}", allowed: a letter or _, then letters, digits or _')


# Numbers


@pytest.mark.parametrize("side", ["16385", "0", "-1", "64.0", "true", '"64"'])
@pytest.mark.parametrize(("field", "old"), [("width", "width = 64"), ("height", "height = 48")])
def test_an_image_side_over_16384_or_no_whole_number(side: str, field: str, old: str) -> None:
    assert problem(old, f"{field} = {side}") == (
        f"camera.{field}: found {side}, allowed: a whole number from 1 to 16384"
    )


@pytest.mark.parametrize("depth", ["-1", "9", "2.0", "true"])
def test_a_reflection_depth_outside_0_to_8(depth: str) -> None:
    assert problem("reflection_depth = 2", f"reflection_depth = {depth}") == (
        f"reflection_depth: found {depth}, allowed: a whole number from 0 to 8"
    )


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_number_that_is_nan_or_infinite(value: str) -> None:
    assert problem("radius = 0.8", f"radius = {value}") == (
        f"shapes.ball.radius: found {value}, allowed: a number from 1e-9 to 1e9"
    )


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_vector_that_holds_nan_or_infinity(value: str) -> None:
    assert problem("center = [0.0, 1.0, 0.0]", f"center = [0.0, {value}, 0.0]") == (
        f"shapes.ball.center: found [0.0, {value}, 0.0], allowed: three numbers [x, y, z], each within -1e9 and 1e9"
    )


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_light_that_is_nan_or_infinitely_bright(value: str) -> None:
    assert problem("[24.0, 22.0, 20.0]", value).startswith(f"lights.lamp.intensity: found {value}, allowed: ")


def test_a_radius_of_zero() -> None:
    assert problem("radius = 0.8", "radius = 0.0") == (
        "shapes.ball.radius: found 0.0, allowed: a number from 1e-9 to 1e9"
    )


def test_a_negative_radius() -> None:
    assert problem("radius = 0.8", "radius = -0.8") == (
        "shapes.ball.radius: found -0.8, allowed: a number from 1e-9 to 1e9"
    )


def test_a_rectangle_without_width() -> None:
    assert problem("width = 2.0", "width = 0") == ("shapes.pane.width: found 0, allowed: a number from 1e-9 to 1e9")


def test_a_number_written_as_text() -> None:
    assert problem("radius = 0.8", 'radius = "0.8"').startswith('shapes.ball.radius: found "0.8", allowed: ')


def test_a_boolean_for_a_number() -> None:
    assert problem("albedo = 0.5", "albedo = true").startswith("shapes.floor.material.albedo: found true, ")


def test_a_date_for_a_number() -> None:
    assert problem("radius = 0.8", "radius = 1979-05-27").startswith("shapes.ball.radius: found ")


@pytest.mark.parametrize("vector", ["[0.0, 1.0]", "[0.0, 1.0, 0.0, 0.0]", "1.0", "[[0.0, 1.0, 0.0]]"])
def test_a_vector_without_three_numbers(vector: str) -> None:
    assert problem("center = [0.0, 1.0, 0.0]", f"center = {vector}") == (
        f"shapes.ball.center: found {vector}, allowed: three numbers [x, y, z], each within -1e9 and 1e9"
    )


@pytest.mark.parametrize("albedo", ["1.1", "-0.1", "[0.5, 0.5, 1.1]"])
def test_an_albedo_outside_0_to_1(albedo: str) -> None:
    assert problem("albedo = 0.5", f"albedo = {albedo}") == (
        f"shapes.floor.material.albedo: found {albedo}, "
        "allowed: three numbers [r, g, b], or one for gray, each from 0 to 1"
    )


def test_a_negative_intensity() -> None:
    assert problem("[24.0, 22.0, 20.0]", "[24.0, -22.0, 20.0]") == (
        "lights.lamp.intensity: found [24.0, -22.0, 20.0], "
        "allowed: three numbers [r, g, b], or one for gray, each from 0 to 1e12"
    )


@pytest.mark.parametrize("fov", ["0", "5e-324", "180", "179.99999999999", "-45", "nan"])
def test_a_field_of_view_outside_0_to_180_degrees(fov: str) -> None:
    assert problem("fov = 45.0", f"fov = {fov}") == (
        f"camera.fov: found {fov}, allowed: degrees from 1e-9 to 180 - 1e-9"
    )


@pytest.mark.parametrize("shininess", ["0", "5e-324", "-3.0"])
def test_a_shininess_that_is_not_over_0(shininess: str) -> None:
    assert problem("shininess = 20.0", f"shininess = {shininess}") == (
        f"shapes.ball.material.shininess: found {shininess}, allowed: a number from 1e-9 to 1e9"
    )


# Relations


def test_a_camera_at_its_own_target() -> None:
    assert problem("target = [0.0, 0.5, 0.0]", "target = [0.0, 2.0, 6.0]") == (
        "camera.target: found [0.0, 2.0, 6.0], allowed: a point apart from the camera's position"
    )


@pytest.mark.parametrize("up", ["[0.0, -1.5, -6.0]", "[0.0, 3.0, 12.0]"])
def test_up_along_the_view(up: str) -> None:
    assert problem("up = [0.0, 1.0, 0.0]", f"up = {up}") == (
        f"camera.up: found {up}, allowed: a direction that is not along the view, from position to target"
    )


def test_the_default_up_along_the_view() -> None:
    text = SCENE.replace("up = [0.0, 1.0, 0.0]\n", "").replace("position = [0, 2, 6]", "position = [0, 6, 0]")
    (line,) = problems(text)
    assert line.startswith("camera.up: found [0.0, 1.0, 0.0] by default, allowed: ")


def test_a_direction_without_length() -> None:
    assert problem("normal = [0.0, 1.0, 0.0]", "normal = [0, 0, 0]") == (
        "shapes.floor.normal: found [0, 0, 0], allowed: "
        "a direction: three numbers [x, y, z], each within -1e9 and 1e9, of length 1e-9 or more"
    )


def test_a_sun_that_shines_nowhere() -> None:
    assert problem("direction = [0.0, -1.0, 0.0]", "direction = [0.0, 0.0, 0.0]").startswith(
        "lights.sun.direction: found [0.0, 0.0, 0.0], allowed: a direction"
    )


def test_a_rectangle_whose_up_is_along_its_normal() -> None:
    assert problem("up = [0.0, 2.0, 0.0]", "up = [0.0, 0.0, -3.0]") == (
        "shapes.pane.up: found [0.0, 0.0, -3.0], "
        "allowed: a direction that is not along normal; it points to the middle of the upper side"
    )


@pytest.mark.parametrize("corner", ["[0.0, 0.0, 0.0]", "[1.0, 0.0, 0.0]", "[0.3, 0.0, 0.0]", "[-2.0, 0.0, 0.0]"])
def test_a_triangle_on_one_line(corner: str) -> None:
    assert problem("c = [0.0, 1.0, 0.0]", f"c = {corner}") == (
        f"shapes.flag.c: found {corner}, allowed: a, b and c that do not lie on one line"
    )
