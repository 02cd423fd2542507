"""Textures: their values, their edges and their derivatives, and what is said of bad ones."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from along import compare_along
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as pillow
from test_edges import LAMP, MIRROR, ball, camera, straight_camera

import diffrt
from diffrt import (
    AmbientLight,
    Bitmap,
    Checkerboard,
    Cylinder,
    DirectionalLight,
    Disk,
    Lambert,
    Mirror,
    Perspective,
    Scene,
    Sphere,
    autograd,
    jacobian,
)
from diffrt.errors import InputError
from diffrt.explaining.trace import trace
from diffrt.kinds import SHAPES, TEXTURES, Shape, Texture, register
from diffrt.kinds.fields import counts, own
from diffrt.scene import load_scene, parse_scene
from diffrt.tracer.differences import compare
from diffrt.tracer.renderer import Settings
from diffrt.tracer.tables import build_tables

SKY = '[lights.sky]\ntype = "ambient"\nradiance = 1\n'
CHECKS = '{ type = "checkerboard", even = [0.9, 0.8, 0.7], odd = 0.15, squares = [4, 3], offset = [0.3, 0.2] }'
SHEET = 'type = "rectangle"\ncenter = [0, 0, 0]\nnormal = [0, 0, 1]\nwidth = 4\nheight = 3\n'
TILTED = SHEET.replace("[0, 0, 1]", "[0.2, 0.3, 1]")
LARGE = SHEET.replace("4", "6").replace("height = 3", "height = 4.5")
"""Of which an image of 16 x 12 pixels shows the middle, when a pixel is 1/4 wide."""
FLOOR = 'type = "plane"\npoint = [0, -1, 0]\nnormal = [0, 1, 0]\n'
RANDOM = np.random.default_rng(0)


def textured(albedo, shape=SHEET, name="sheet", material="lambert", field="albedo"):
    return f'[shapes.{name}]\n{shape}material = {{ type = "{material}", {field} = {albedo} }}\n'


def bitmap(texels, **settings):
    told = "".join(f", {key} = {value!r}".replace("'", '"') for key, value in settings.items())
    return f'{{ type = "bitmap", texels = {np.asarray(texels).tolist()}{told} }}'


def right(scene, names):
    for found in compare(scene, names, Settings()):
        assert found.verdict == "right" and (found.error < 1e-5 or found.norm < 1e-12), found


# Values


def test_a_sheet_with_a_texel_for_each_pixel_is_its_bitmap():
    texels = RANDOM.uniform(size=(18, 24, 3))
    scene = parse_scene(straight_camera(3) + textured(bitmap(texels), LARGE) + SKY)
    np.testing.assert_allclose(diffrt.render(scene, tolerance=1.0), texels[3:15, 4:20], atol=1e-12)


def test_the_texels_of_a_file_are_its_linear_values(tmp_path):
    levels = RANDOM.integers(0, 256, (18, 24, 3)).astype(np.uint8)
    pillow.fromarray(levels).save(tmp_path / "wood.png")
    (tmp_path / "scene.toml").write_text(
        straight_camera(3) + textured('{ type = "bitmap", file = "wood.png" }', LARGE) + SKY
    )
    image = diffrt.render(load_scene(tmp_path / "scene.toml"), tolerance=1.0)
    image.save(tmp_path / "again.png")
    assert (np.asarray(pillow.open(tmp_path / "again.png")) == levels[3:15, 4:20]).all()


def test_the_squares_of_a_checkerboard_have_their_exact_areas():
    # The sheet begins 4 pixels to the left of the image and 3 below it.
    checks = '{ type = "checkerboard", even = 1, odd = 0, squares = [10.3, 7.7] }'
    image = np.asarray(diffrt.render(parse_scene(straight_camera(3) + textured(checks, LARGE) + SKY)))[..., 0]

    def balance(low, size):
        """The share of a pixel from `low` on that is on even stripes, less that on odd ones."""
        at = low + (np.arange(100000) + 0.5) / 100000
        return np.where(np.floor(at / size) % 2 == 0, 1.0, -1.0).mean()

    across = np.array([balance(4 + x, 24 / 10.3) for x in range(16)])
    down = np.array([balance(3 + 11 - y, 18 / 7.7) for y in range(12)])
    expected = 0.5 + 0.5 * np.outer(down, across)
    corner = np.logical_and.outer(np.abs(down) < 0.999, np.abs(across) < 0.999)
    np.testing.assert_allclose(image[~corner], expected[~corner], atol=1e-4)
    np.testing.assert_allclose(image[corner], expected[corner], atol=0.02)


def test_a_bitmap_goes_on_across_the_seam_of_a_sphere():
    v = RANDOM.uniform(size=(4, 6, 3))
    sphere = SHAPES["sphere"](center=np.zeros((3, 1)), radius=np.ones(1))
    behind = np.array([[-1e-9, 1e-9], [0.3, 0.3], [-0.9, -0.9]])
    u, _ = sphere.uv(behind, 1.0)
    assert sorted(np.round(u, 6)) == [0.0, 1.0]
    # The same bitmap, turned by half: then what was at the seam is in its middle.
    shape, view = 'type = "sphere"\ncenter = [0, 0, 0]\nradius = 1\n', camera((0, 0, -4), (0, 0, 0))
    for wrap in ("repeat", "clamp"):
        turned = bitmap(np.roll(v, 3, axis=1), wrap=wrap, offset=[0.5, 0.0])
        one, other = (
            diffrt.render(parse_scene(view + textured(each, shape) + SKY), cells=4, edges="ignore")
            for each in (bitmap(v, wrap=wrap), turned)
        )
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("name", ["sphere", "plane", "rectangle", "disk", "triangle", "cylinder", "cone", "box"])
def test_coordinates_are_from_0_to_1_where_a_shape_is_bounded_and_turn_with_it(name):
    assert SHAPES[name].has_uv()
    drawn = {
        "sphere": "center = [0, 0, 0]\nradius = 1\n",
        "plane": "point = [0, 0, 0]\nnormal = [0, 0, 1]\n",
        "rectangle": "center = [0, 0, 0]\nnormal = [0, 0, 1]\nwidth = 4\nheight = 3\n",
        "disk": "center = [0, 0, 0]\nnormal = [0, 0, 1]\nradius = 1.2\n",
        "triangle": "a = [-2, -2, 0]\nb = [4, -2, 0]\nc = [-2, 4, 0]\n",
        "cylinder": "bottom = [0, -1, 0]\ntop = [0, 1, 0]\nradius = 1\n",
        "cone": "base = [0, -1, 0]\napex = [0, 1.5, 0]\nradius = 1\n",
        "box": "center = [0, 0, -0.5]\nwidth = 4\nheight = 3\ndepth = 1\n",
    }[name]
    drawn = f'type = "{name}"\n{drawn}'
    # Left to right and bottom to top the texels grow.
    ramp = np.array([[0.2, 0.4], [0.1, 0.3]])
    scene = parse_scene(straight_camera(1.2) + textured(bitmap(ramp, wrap="clamp"), drawn) + SKY)
    image = np.asarray(diffrt.render(scene))[..., 0]
    assert image[5:7, 9].min() >= image[5:7, 6].max() and image[4, 7] >= image[7, 7]
    assert image[4, 7:9].min() > 0.0


def test_the_ends_of_a_cylinder_are_disks_and_a_box_is_rectangles():
    # Texels of one row: what is seen of a face is what its own shape shows.
    wood = bitmap(RANDOM.uniform(size=(3, 4, 3)), wrap="clamp")
    top = camera((0, 5, 0.01), (0, 0, 0))

    def seen(view, shape):
        return np.asarray(diffrt.render(parse_scene(view + textured(wood, shape) + SKY), tolerance=1.0))

    can = 'type = "cylinder"\nbottom = [0, -1, 0]\ntop = [0, 1, 0]\nradius = 1\n'
    lid = 'type = "disk"\ncenter = [0, 1, 0]\nnormal = [0, 1, 0]\nradius = 1\n'
    inner = np.s_[4:8, 6:10]
    np.testing.assert_allclose(seen(top, can)[inner], seen(top, lid)[inner], atol=1e-12)
    box = 'type = "box"\ncenter = [0, 0, -0.5]\nwidth = 2\nheight = 1.5\ndepth = 1\n'
    front = SHEET.replace("4", "2").replace("height = 3", "height = 1.5")
    np.testing.assert_allclose(seen(straight_camera(3), box), seen(straight_camera(3), front), atol=1e-12)


def test_a_bitmap_goes_on_across_the_seam_of_a_round_wall():
    v = RANDOM.uniform(size=(4, 6, 3))
    for shape in (
        'type = "cylinder"\nbottom = [0.1, -1, 0]\ntop = [-0.2, 1, 0.3]\nradius = 0.7\n',
        'type = "cone"\nbase = [0.1, -1, 0]\napex = [-0.2, 1, 0.3]\nradius = 0.9\n',
    ):
        one, other = (
            diffrt.render(
                parse_scene(camera((0, 0, -4), (0, 0, 0)) + textured(each, shape) + SKY), cells=4, edges="ignore"
            )
            for each in (bitmap(v), bitmap(np.roll(v, 3, axis=1), offset=[0.5, 0.0]))
        )
        np.testing.assert_allclose(one, other, atol=1e-12)
        odd = textured('{ type = "checkerboard", even = 1, odd = 0, squares = [3, 3] }', shape)
        with pytest.raises(InputError, match="along u, which goes around a"):
            parse_scene(camera() + odd + SKY)


# Derivatives


CAN = 'type = "cylinder"\nbottom = [-0.1, -0.6, 0]\ntop = [0.2, 0.8, 0.3]\nradius = 0.6\n'
SPOT = (
    '[lights.lamp]\ntype = "spot"\nposition = [0.3, 2, 3]\ndirection = [-0.1, -0.6, -1]\nintensity = 30\n'
    "inner = 11\nouter = 11\n"
)
SCENES = {
    "checkerboard": textured(CHECKS, TILTED),
    "bitmap": textured(bitmap(RANDOM.uniform(0.1, 0.9, (5, 6, 3)), offset=[0.13, 0.21]), TILTED),
    "in a mirror": textured(CHECKS, 'type = "sphere"\ncenter = [0, 0.6, 0]\nradius = 0.6\n') + MIRROR,
    "textured mirror": ball((0, 0.6, 0), 0.6)
    + textured(CHECKS, MIRROR.split("\n", 1)[1].split("material")[0], "mirror", "mirror", "reflectance"),
    "can in a mirror of glass": textured(CHECKS, CAN)
    + textured(
        bitmap(RANDOM.uniform(0.3, 0.9, (3, 4, 3))), MIRROR.split("\n", 1)[1].split("material")[0], "mirror", "mirror",
        "reflectance",
    ),
    "spot and sky": textured(CHECKS, TILTED) + SPOT + "[background]\nradiance = [0.02, 0.03, 0.04]\n",
    "glowing squares": textured(f"0.4, emission = {CHECKS}", TILTED) + MIRROR,
    "glowing bitmap": textured(f"0.4, emission = {bitmap(RANDOM.uniform(1, 9, (3, 4, 3)))}", CAN)
    + MIRROR
    + "[background]\ntype = \"gradient\"\nzenith = [0.2, 0.3, 0.4]\nnadir = 0.1\n",
}  # fmt: skip


def lit(text):
    return parse_scene(camera(width=8, height=6) + text + ("" if "[lights." in text else LAMP))


def test_lines_that_lie_on_borders_of_pixels_have_derivatives():
    """In a symmetric scene all crossings of some cells are at corners, where the weights of a cut are rounding."""
    scene = Scene(
        camera=Perspective(position=(0, 0, 6), target=(0, 0, 0), fov=45, width=24, height=18),
        shapes={"ball": Sphere((0, 0, 0), 1.2, material=Lambert(Checkerboard(even=0.8, odd=0.2, squares=(4, 2))))},
        lights={"sun": DirectionalLight(direction=(-0.3, -0.6, -1), irradiance=3)},
    )
    for found in compare(scene, ["ball.center.z", "ball.radius"], Settings()):
        assert found.verdict == "right" and found.error < 1e-4, found
    sideways = np.asarray(jacobian(scene, ["ball.center.x", "ball.center.y"]))
    assert np.abs(sideways).max() < 10.0  # the corner of four squares is a corner of a cell too, and has a kink there


SLOW = ("can in a mirror of glass", "glowing bitmap", "glowing squares", "in a mirror")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in SCENES])
def test_derivatives_are_those_of_the_image(name):
    scene = lit(SCENES[name])
    names = [p.path for p in scene.parameters() if (p.size < 4 and "material" in p.path) or p.path.endswith("center")]
    names += [c for p in scene.parameters() if p.size > 3 for c in p.components[40:43]]
    right(scene, names)
    # The angles of a hard border move together only.
    whole = scene.components([p.path for p in scene.parameters() if p.unit != "degrees"])
    found = compare_along(scene, whole, 1e-3 * RANDOM.normal(size=len(whole)))
    assert found.verdict != "wrong", found


def test_the_lines_of_a_checkerboard_move_with_it():
    stripes = '{ type = "checkerboard", even = 1, odd = 0, squares = [4.5, 1e-9], offset = [0.1, 0.5] }'
    scene = parse_scene(straight_camera(3) + textured(stripes, LARGE) + SKY)
    slope = diffrt.jacobian(scene, ["sheet.material.albedo.offset.u"])[..., 0, 0]
    # Three lines, 12 pixels high, move by a stripe of 16 / 3 pixels; each makes a dark stripe grow, or a bright one.
    assert slope.min() == pytest.approx(-16 / 3) and slope.max() == pytest.approx(16 / 3)
    assert np.abs(slope).sum() == pytest.approx(3 * 12 * 16 / 3)
    assert not diffrt.jacobian(scene, ["sheet.material.albedo.offset.u"], edges="ignore").any()


def test_reverse_and_forward_mode_agree_by_texels_and_a_single_texel_may_be_free():
    scene = parse_scene(camera() + SCENES["bitmap"] + LAMP)
    name = "sheet.material.albedo.texels"
    texels = autograd.variable(scene[name])
    image = diffrt.render(scene.replace({name: texels}))
    weights = RANDOM.normal(size=image.shape)
    autograd.sum(image * weights).backward()
    forward = np.tensordot(weights, diffrt.jacobian(scene, [name]), 3)
    np.testing.assert_allclose(texels.grad.ravel(), forward, rtol=1e-9, atol=1e-12)
    one = autograd.variable(scene[f"{name}.2.3.g"])
    autograd.sum(diffrt.render(scene.replace({f"{name}.2.3.g": one})) * weights).backward()
    assert one.grad == pytest.approx(texels.grad[2, 3, 1])


def test_the_second_derivative_by_texels_and_a_place():
    scene = parse_scene(camera(width=8, height=6) + SCENES["bitmap"] + LAMP)
    names = ["sheet.material.albedo.texels.2.3.g", "sheet.material.albedo.offset.u"]

    def total(v):
        image = diffrt.render(scene.unpack(names, v), tolerance=1.0)
        return autograd.sum(image * image)

    at, h = scene.pack(names), 1e-5
    expected = [(autograd.grad(total)(at + h * e) - autograd.grad(total)(at - h * e)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(autograd.hessian(total)(at), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@settings(max_examples=12)
@given(st.lists(st.floats(-0.9, 0.9), min_size=6, max_size=6), st.sampled_from(["bitmap", "checkerboard"]))
def test_engines_agree_and_derivatives_are_never_wrong(numbers, kind):
    a, b, c, d, e, f = numbers
    texture = (
        CHECKS.replace("[0.3, 0.2]", f"[{e}, {f}]")
        if kind == "checkerboard"
        else SCENES["bitmap"].split("albedo = ")[1].split(" }\n")[0]
    )
    shape = SHEET.replace("[0, 0, 1]", f"[{a}, {b}, 1]").replace("[0, 0, 0]", f"[{c}, {d}, 0]")
    scene = parse_scene(camera(width=8, height=6) + textured(texture, shape) + LAMP)
    image = np.asarray(diffrt.render(scene))
    np.testing.assert_allclose(image, diffrt.render(scene, engine="numpy"), atol=1e-12 * max(image.max(), 1e-3))
    whole = scene.components(["sheet.center", "sheet.normal", "sheet.material.albedo.offset"])
    assert compare_along(scene, whole, RANDOM.normal(size=len(whole))).verdict != "wrong"


def test_a_scene_without_textures_has_no_columns_for_them():
    tables = build_tables(parse_scene(camera() + ball((0, 0.6, 0), 0.6) + LAMP))
    assert tables.kinds.tiles == () and tables.kinds.textured == ((), ()) and not tables.blends


@pytest.mark.parametrize("name", SCENES)
def test_a_pixel_of_a_textured_scene_is_explained(name):
    scene = lit(SCENES[name])
    image = np.asarray(diffrt.render(scene))
    bright = np.argwhere(image[..., 1] > image[..., 1].mean())  # more than the background
    y, x = bright[len(bright) // 2]
    graph = trace(scene, (int(x), int(y)), "g")
    assert float(graph.output.value) == pytest.approx(image[y, x, 1], rel=1e-10)
    assert any(".material." in node.name for node in graph.inputs)


# Scene files


def test_changed_texels_are_saved_beside_the_scene_or_in_it(tmp_path):
    np.save(tmp_path / "wood.npy", RANDOM.uniform(size=(30, 40, 3)))
    file = tmp_path / "scene.toml"
    small = textured(bitmap([[0.1, 0.7]]), name="small")
    file.write_text(camera() + textured('{ type = "bitmap", file = "wood.npy" }') + small + SKY)
    scene = load_scene(file)
    scene.save(tmp_path / "same.toml")
    assert 'file = "wood.npy"' in (tmp_path / "same.toml").read_text() and load_scene(tmp_path / "same.toml") == scene
    changed = scene.replace({"sheet.material.albedo.texels.29.39.b": 0.25, "small.material.albedo.texels.0.1.r": 0.5})
    assert parse_scene(changed.to_toml()) == changed
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(InputError, match="does not exist"):
        changed.save(tmp_path / "nowhere" / "scene.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        changed.save(tmp_path / "folder.toml")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*before, "folder.toml"])
    changed.save(tmp_path / "changed.toml")
    again = load_scene(tmp_path / "changed.toml")
    assert (again["sheet.material.albedo.texels"] == changed["sheet.material.albedo.texels"]).all()
    assert again["small.material.albedo.texels.0.1.r"] == 0.5 and len(list(tmp_path.glob("texels-*.npy"))) == 1
    assert load_scene(file) == scene


def image_file(folder, name):
    if name == "huge.npy":
        np.save(folder / name, np.zeros((1025, 1024), np.float16))
    elif name == "bright.npy":
        np.save(folder / name, np.array([[0.5, 0.5], [0.5, 1.5]]))
    elif name == "nan.npy":
        np.save(folder / name, np.array([[0.5, np.nan]]))
    elif name == "palette.png":
        pillow.new("P", (4, 4)).save(folder / name)
    elif name == "clear.png":
        pillow.new("RGBA", (4, 4), (9, 9, 9, 9)).save(folder / name)
    elif name == "colours.png":
        pillow.new("RGB", (4, 4), (1, 2, 3)).save(folder / name)
    elif name == "empty.png":
        (folder / name).write_bytes(b"")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ('{ type = "bitmap", file = "no.png" }', "shapes.sheet.material.albedo.file: .*no.png: no such file"),
        ('{ type = "bitmap", file = "huge.npy" }', "albedo.file: .*huge.npy: is 1024 x 1025 pixels; 1048576 in all"),
        ('{ type = "bitmap", file = "bright.npy" }', r"bright.npy: found \[1.5, .* row 1, column 1, allowed"),
        ('{ type = "bitmap", file = "nan.npy" }', "albedo.file: .*nan.npy: .*finite"),
        ('{ type = "bitmap", file = "palette.png" }', "palette.png: has a palette"),
        ('{ type = "bitmap", file = "clear.png" }', "clear.png: is transparent"),
        ('{ type = "bitmap", file = "empty.png" }', "empty.png: the file is empty"),
        ('{ type = "bitmap", file = "." }', "albedo.file: .*must end in"),
        ('{ type = "bitmap", file = 7 }', "albedo.file: found 7, allowed: the name of an image file"),
        ('{ type = "bitmap" }', "albedo.texels: missing; needed: rows of values"),
        ('{ type = "bitmap", texels = [[0.5]], file = "a.png" }', "albedo: found both file and texels"),
        ('{ type = "bitmap", texels = [[0.5], [0.5, 0.6]] }', "texels: found 2 texels in row 1, needed: rows"),
        ('{ type = "bitmap", texels = [[0.5, "a"]] }', "texels: found .a. in row 0, column 1, needed"),
        ('{ type = "bitmap", texels = [[0.5, true]] }', "texels: found true in row 0, column 1"),
        ('{ type = "bitmap", texels = [[0.5, -0.1]] }', r"texels: found \[-0.1, -0.1, -0.1\] in row 0, column 1"),
        ('{ type = "bitmap", texels = [[0.5, nan]] }', "texels: found .*nan.* in row 0, column 1"),
        ('{ type = "bitmap", texels = [] }', r"texels: found \[\], needed: rows"),
        ('{ type = "bitmap", texels = 3 }', "texels: found 3, needed: rows"),
        ('{ type = "bitmap", texels = [[0.5]], wrap = "mirror" }', "wrap: found .mirror., allowed: one of"),
        ('{ type = "bitmap", texels = [[0.5]], scale = [0, 1] }', "scale: found .*, allowed: two numbers"),
        ('{ type = "checkerboard", even = 2, odd = 0 }', "albedo.even: found 2, allowed: three numbers .* from 0 to 1"),
        ('{ type = "checkerboard", even = 1 }', "albedo.odd: missing"),
        ('{ type = "marble" }', 'albedo.type: found .marble., allowed: one of "bitmap", "checkerboard"'),
        ('{ even = 1, odd = 0 }', "albedo.type: missing"),
    ],
)  # fmt: skip
def test_a_bad_texture_is_told_in_one_line_with_its_place(given, told, tmp_path):
    image_file(tmp_path, given.split('file = "')[-1].split('"')[0])
    file = tmp_path / "scene.toml"
    file.write_text(camera() + textured(given) + SKY)
    with pytest.raises(InputError, match=told) as fault:
        load_scene(file)
    assert len(fault.value.problems) == 1 and str(fault.value).startswith(f"{file}: shapes.sheet.material.albedo")


def test_a_number_takes_a_gray_bitmap_and_no_colours(tmp_path):
    image_file(tmp_path, "colours.png")
    np.save(tmp_path / "gray.npy", np.array([[5.0, 50.0]]))
    for name in ("gray.npy", "colours.png"):
        shiny = f'{{ type = "bitmap", file = "{name}" }}'
        (tmp_path / f"{name}.toml").write_text(
            camera() + textured(f"0.5, specular = 0.3, shininess = {shiny}", material="blinn_phong") + LAMP
        )
    assert load_scene(tmp_path / "gray.npy.toml")["sheet.material.shininess.texels"].tolist() == [[5.0, 50.0]]
    with pytest.raises(InputError, match=r"shininess.file: .*colours.png: holds colours; a gray image is needed"):
        load_scene(tmp_path / "colours.png.toml")


def test_what_does_not_meet_around_a_sphere_is_refused():
    sphere = 'type = "sphere"\ncenter = [0, 0, 0]\nradius = 1\n'
    odd = textured('{ type = "checkerboard", even = 1, odd = 0, squares = [3, 3] }', sphere)
    with pytest.raises(
        InputError, match=r"squares: found 3.0 along u, which goes around a sphere; allowed: a multiple of 2"
    ):
        parse_scene(camera() + odd + SKY)
    with pytest.raises(InputError, match=r"scale: found 1.5 along u"):
        parse_scene(camera() + textured(bitmap([[0.5]], scale=[1.5, 1.0]), sphere) + SKY)
    assert "offset" in parse_scene(camera() + odd.replace("[3, 3]", "[4, 3]") + SKY).to_toml()


def test_a_shape_without_coordinates_takes_no_texture():
    class Plain(Sphere):
        type = "plain_ball"
        uv = Shape.uv

    SHAPES["plain_ball"] = Plain
    try:
        with pytest.raises(
            InputError, match="albedo: found a texture, allowed: one value; a plain_ball has no coordin"
        ):
            parse_scene(camera() + textured(CHECKS, 'type = "plain_ball"\ncenter = [0, 0, 0]\nradius = 1\n') + SKY)
    finally:
        del SHAPES["plain_ball"]


def test_values_of_texels_are_checked_when_they_are_replaced():
    scene = parse_scene(camera() + textured(bitmap([[0.1, 0.7]])) + SKY)
    name = "sheet.material.albedo.texels"
    with pytest.raises(InputError, match=r"found .*1.5.* in row 0, column 1"):
        scene.replace({f"{name}.0.1.g": 1.5})
    with pytest.raises(InputError, match=r"found a value of shape \(2, 3\), allowed: numbers of shape \(1, 2, 3\)"):
        scene.replace({name: np.zeros((2, 3))})
    with pytest.raises(InputError, match="no parameter"):
        scene.replace({f"{name}.1.0.r": 0.5})
    with pytest.raises(InputError, match="name the same number"):
        scene.pack([name, f"{name}.0.0.r"])


def test_textures_from_outside_the_package():
    class Fade(Texture):
        """From one value to another, from bottom to top."""

        type = "fade"
        low = own("the value at v = 0")
        high = own("the value at v = 1")

        def value(self, u, v, around):
            return self.low + v * (self.high - self.low)

    class Stripes(Texture):
        """Two values in turns along u."""

        type = "stripes"
        first, second = own("the value on every second stripe"), own("the value on the others")
        count = counts("how many stripes there are", (4.0, 1.0))
        has_edge = True

        def border(self, u, v):
            return autograd.sin(np.pi * self.count[0] * u)

        def piece(self, positive):
            return self.first if positive else self.second

    before = dict(TEXTURES)
    try:
        register(Fade)
        register(Stripes)
        both = textured('{ type = "fade", low = 0.1, high = 0.9 }', TILTED)
        both += textured('{ type = "stripes", first = 0.2, second = 0.8 }', FLOOR, "floor")
        scene = parse_scene(camera(width=8, height=6) + both + LAMP)
        right(scene, ["sheet.material.albedo.low.r", "floor.material.albedo.second.g", "sheet.center"])
        with pytest.raises(InputError, match="Bad has no formula value"):
            register(type("Bad", (Texture,), {"type": "bad", "low": own("a value")}))
    finally:
        TEXTURES.clear()
        TEXTURES.update(before)


# In Python


VIEW = Perspective((0, 1, 5), (0, 0.5, 0), fov=45, width=8, height=6)
TILES = Checkerboard(even=(0.9, 0.8, 0.7), odd=(0.1, 0.2, 0.3), squares=(4, 4))


def tiled(albedo=TILES, **others):
    return Scene(VIEW, {"ball": Sphere((0, 1, 0), 1, Lambert(albedo, **others))}, {"sky": AmbientLight(1)})


def test_textures_made_in_python_are_those_of_a_file(tmp_path):
    texels = RANDOM.uniform(size=(3, 4, 3))
    np.save(tmp_path / "wood.npy", texels)
    scene = Scene(
        VIEW,
        {"ball": Sphere((0, 1, 0), 1, Lambert(TILES, emission=Checkerboard(1, 0))),
         "lid": Disk((0, 0, 1), (0, 1, 0), 1, Mirror(Bitmap(file=str(tmp_path / "wood.npy")))),
         "can": Cylinder((2, 0, 0), (2, 1, 0), 0.5, material=Lambert(Bitmap(texels=texels, wrap="clamp")))},
        {"sky": AmbientLight(1)},
    )  # fmt: skip
    assert parse_scene(scene.to_toml()) == scene and not Scene.__eq__(scene, tiled())
    names = {name: getattr(diffrt, name) for name in diffrt.__all__}
    assert Scene(**scene.parts) == scene == eval(repr(scene), names) == pickle.loads(pickle.dumps(scene))
    assert scene.shapes["ball"].material.albedo == TILES
    given = scene.shapes["can"].material.albedo
    assert given == Bitmap(texels=texels, wrap="clamp") and (np.asarray(given.texels) == texels).all()
    (tmp_path / "wood.npy").unlink()  # what has been read is the scene's
    assert scene.replace(reflection_depth=1)["lid.material.reflectance.texels.2.3.b"] == texels[2, 3, 2]
    scene.save(tmp_path / "scene.toml")
    html = scene._repr_html_()
    assert "Checkerboard" in html and "4 x 3 values" in html


def test_texels_may_be_gray_arrays_lists_and_variables():
    gray = np.array([[0.1, 0.7]])
    whole = tiled(Bitmap(texels=np.repeat(gray[..., None], 3, -1)))
    name = "ball.material.albedo.texels"
    assert whole == tiled(Bitmap(texels=gray)) == tiled(Bitmap(texels=gray.tolist())) == whole.replace({name: gray})
    kept = gray.copy()
    scene = tiled(Bitmap(texels=kept))
    kept[:] = 0.0
    assert scene == whole
    var, one, colour = autograd.variable(whole[name]), autograd.variable(0.7), autograd.variable([0.1, 0.1, 0.1])
    free, mixed = tiled(Bitmap(texels=var)), tiled(Bitmap(texels=[[colour, one]]))
    assert free[name] is var and free.replace({name: gray}) == whole == mixed.replace({name: gray})
    for each in (free, mixed, free.replace({f"{name}.0.1.g": autograd.variable(0.7)})):
        assert Scene(**each.parts) == each and each.to_toml() == whole.to_toml()
        np.testing.assert_allclose(diffrt.render(each).value, diffrt.render(whole))
    autograd.sum(diffrt.render(mixed)).backward()
    autograd.sum(diffrt.render(free)).backward()
    np.testing.assert_allclose(colour.grad, var.grad[0, 0])
    assert one.grad == pytest.approx(var.grad[0, 1].sum())


def test_a_texture_is_put_in_place_of_a_value_and_a_value_in_place_of_a_texture():
    scene = tiled(0.5)
    again = scene.replace({"ball.material.albedo": TILES})
    assert again == tiled() and again.replace({"ball.material.albedo": 0.5}) == scene
    var = autograd.variable([0.9, 0.8, 0.7])
    free = again.replace({"ball.material.albedo.even": var})
    assert free.shapes["ball"].material.albedo.even is var and Scene(**free.parts) == free


@pytest.mark.parametrize(
    ("albedo", "told"),
    [
        (Checkerboard(1), "albedo.odd: missing"),
        (Checkerboard(1, 0, squares=autograd.variable([4.0, 4.0])), "albedo.squares: found Var.*, allowed: two"),
        (Mirror(1), "albedo: found Mirror.*, allowed: one of Bitmap.*, Checkerboard"),
        (Bitmap(), "albedo.texels: missing; needed: .*an array"),
        (Bitmap(texels=np.zeros((2, 3, 4))), r"texels: found an array of shape \(2, 3, 4\), needed: one of shape"),
        (Bitmap(texels=autograd.variable(np.zeros((2, 3)))), r"texels: found an array of shape \(2, 3\), needed"),
        (Bitmap(texels=np.full((2, 2), 2.0)), r"texels: found \[2.0, 2.0, 2.0\] in row 0, column 0, allowed"),
        (Bitmap(texels=np.full((2, 2), np.nan)), "texels: found .*nan.* in row 0"),
        (Bitmap(texels=np.full((2, 2), True)), "texels: found true in row 0, column 0"),
        (Bitmap(texels=[[0.5]], file="a.png"), "found both file and texels"),
        (Bitmap(file="no.png"), "albedo.file: no.png: no such file"),
        (Bitmap(file=Path("no.png")), "albedo.file: no.png: no such file"),
        (Bitmap(file=autograd.variable(1.0)), r"albedo.file: found Var\(1.\), allowed: the name of an image file"),
        (Bitmap(file=np.zeros(2)), r"albedo.file: found \[0.0, 0.0\], allowed: the name"),
        (Bitmap(file=None), "albedo.file: found None, allowed: the name"),
        (Bitmap(texels=[[0.5]], encoding=autograd.variable(1.0)), r"albedo.encoding: found Var\(1.\), allowed: one of"),
    ],
)  # fmt: skip
def test_a_bad_texture_in_python_is_told_in_one_line(albedo, told):
    with pytest.raises(InputError, match=f"^shapes.ball.material.albedo.*{told.removeprefix('albedo')}") as fault:
        tiled(albedo)
    assert len(fault.value.problems) == 1
