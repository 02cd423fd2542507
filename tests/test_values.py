"""Values of images, worked out by hand: every light, material, camera and shape with its constants.

Each image here has a closed form, so a wrong factor anywhere changes a number that stands in the test. Radiance is
taken from pixels so small that it is constant over them.
"""

from math import cos, exp, pi, radians, sin, sqrt, tan

import numpy as np
import pytest

from diffrt import jacobian, render
from diffrt.image import Image
from diffrt.scene import parse_scene

GREY = '{ type = "lambert", albedo = [0.2, 0.4, 0.8] }'
ALBEDO = np.array([0.2, 0.4, 0.8])
SKY = '[lights.sky]\ntype = "ambient"\nradiance = [1, 2, 3]\n'
POINT = '[lights.lamp]\ntype = "point"\nposition = [3, 0, 4]\nintensity = [10, 20, 30]\n'
SUN = '[lights.sun]\ntype = "directional"\ndirection = [-3, 0, -4]\nirradiance = [10, 20, 30]\n'
LIGHT = np.array([10.0, 20.0, 30.0])


def straight(position: object = (0, 0, 10), target: object = (0, 0, 0), view: float = 1e-6, width: int = 1,
             height: int = 1) -> str:  # fmt: skip
    return (f'[camera]\ntype = "orthographic"\nposition = {list(position)}\ntarget = {list(target)}\n'
            f"view_height = {view}\nwidth = {width}\nheight = {height}\n")  # fmt: skip


def shape(kind: str, fields: str, material: str = GREY) -> str:
    return f'[shapes.{kind}]\ntype = "{kind}"\n{fields}\nmaterial = {material}\n'


WALL = "point = [0, 0, 0]\nnormal = [0, 0, 1]"


def value(text: str) -> np.ndarray:
    """The only pixel of an image."""
    return np.asarray(render(parse_scene(text)))[0, 0]


def image(text: str, **how: int) -> np.ndarray:
    return np.asarray(render(parse_scene(text), **how))


# Lights on a matte wall: radiance = albedo / pi * irradiance * cosine.


def test_a_point_light_gives_its_intensity_over_the_squared_distance():
    # At (0, 0, 0) the lamp is 5 away, and the cosine is 4 / 5.
    assert value(straight() + shape("plane", WALL) + POINT) == pytest.approx(ALBEDO / pi * LIGHT / 25.0 * 0.8, rel=1e-9)
    # At (3, 0, 0) it is 4 away, and straight above.
    text = straight((3, 0, 10), (3, 0, 0)) + shape("plane", WALL) + POINT
    assert value(text) == pytest.approx(ALBEDO / pi * LIGHT / 16.0, rel=1e-9)


def test_a_directional_light_gives_its_irradiance_at_any_distance():
    for x in (0, 50):
        text = straight((x, 0, 10), (x, 0, 0)) + shape("plane", WALL) + SUN
        assert value(text) == pytest.approx(ALBEDO / pi * LIGHT * 0.8, rel=1e-9)


def test_an_ambient_light_gives_albedo_times_its_radiance():
    # The irradiance of an even sky is pi times its radiance.
    assert value(straight() + shape("plane", WALL) + SKY) == pytest.approx(ALBEDO * [1, 2, 3], rel=1e-12)


def test_lights_add_up():
    text = straight() + shape("plane", WALL)
    parts = [value(text + light) for light in (POINT, SUN, SKY)]
    assert value(text + POINT + SUN + SKY) == pytest.approx(sum(parts), rel=1e-12)


def test_the_flux_that_a_lamp_above_a_wall_gives_it_is_half_of_all_that_it_sends_out():
    # A lamp of intensity I at the height h: the disk of radius R takes 2 pi I (1 - h / sqrt(h^2 + R^2)). So the image
    # of a disk, radiance integrated over its area, holds 2 albedo I (1 - h / sqrt(h^2 + R^2)).
    disk = shape("disk", "center = [0, 0, 0]\nnormal = [0, 0, 1]\nradius = 3")
    lamp = '[lights.lamp]\ntype = "point"\nposition = [0, 0, 4]\nintensity = [10, 20, 30]\n'
    found = image(straight(view=7, width=70, height=70) + disk + lamp, cells=2).sum((0, 1)) * 0.1**2
    assert found == pytest.approx(2.0 * ALBEDO * LIGHT * (1.0 - 4.0 / 5.0), rel=1e-3)


# Materials.


def test_the_highlight_has_its_factor_and_its_exponent():
    # The eye is straight above, the light at the angle a from it: the half vector is at a / 2, tan a = 3 / 4.
    # cos(a / 2)^2 = (1 + 4 / 5) / 2 = 9 / 10.
    for shininess in (1.0, 20.0, 300.0):
        material = f'{{ type = "blinn_phong", albedo = [0.2, 0.4, 0.8], specular = [0.1, 0.2, 0.05], shininess = {shininess} }}'  # noqa: E501
        lobe = np.array([0.1, 0.2, 0.05]) * (shininess + 8.0) / (8.0 * pi) * 0.9 ** (shininess / 2.0)
        for light, strength in ((POINT, LIGHT / 25.0), (SUN, LIGHT)):
            found = value(straight() + shape("plane", WALL, material) + light)
            assert found == pytest.approx((ALBEDO / pi + lobe) * strength * 0.8, rel=1e-9)
        # An ambient light has no highlight.
        assert value(straight() + shape("plane", WALL, material) + SKY) == pytest.approx(ALBEDO * [1, 2, 3], rel=1e-12)


def test_a_mirror_gives_its_reflectance_for_each_bounce():
    # The eye looks down at a mirror that is tilted by 45 degrees, and sees a wall at x = 4.
    mirror = '{ type = "mirror", reflectance = [0.9, 0.6, 0.3] }'
    tilted = shape("rectangle", "center = [0, 0, 0]\nnormal = [1, 0, 1]\nwidth = 1\nheight = 1", mirror)
    wall = shape("plane", "point = [4, 0, 0]\nnormal = [-1, 0, 0]")
    one = value("reflection_depth = 1\n" + straight() + tilted + wall + SKY)
    assert one == pytest.approx(np.array([0.9, 0.6, 0.3]) * ALBEDO * [1, 2, 3], rel=1e-12)
    # And one more mirror at x = 2, tilted the same way, sends it up, to a ceiling.
    second = tilted.replace("shapes.rectangle", "shapes.second").replace("[0, 0, 0]", "[2, 0, 0]")
    second = second.replace("[1, 0, 1]", "[-1, 0, 1]")
    ceiling = shape("disk", "center = [2, 0, 3]\nnormal = [0, 0, -1]\nradius = 1")
    two = value("reflection_depth = 2\n" + straight() + tilted + second + ceiling + SKY)
    assert two == pytest.approx(np.array([0.9, 0.6, 0.3]) ** 2 * ALBEDO * [1, 2, 3], rel=1e-12)


def test_a_lamp_seen_by_way_of_a_mirror_lights_what_the_mirror_shows():
    mirror = '{ type = "mirror", reflectance = 0.5 }'
    tilted = shape("rectangle", "center = [0, 0, 0]\nnormal = [1, 0, 1]\nwidth = 1\nheight = 1", mirror)
    wall = shape("plane", "point = [4, 0, 0]\nnormal = [-1, 0, 0]")
    lamp = '[lights.lamp]\ntype = "point"\nposition = [1, 4, 0]\nintensity = [10, 20, 30]\n'
    # The wall is met at (4, 0, 0): the lamp is 5 away, and the cosine is 3 / 5.
    found = value("reflection_depth = 1\n" + straight() + tilted + wall + lamp)
    assert found == pytest.approx(0.5 * ALBEDO / pi * LIGHT / 25.0 * 0.6, rel=1e-9)


# Cameras: where a point of the world is in the image.


def centre_of_gravity(picture: np.ndarray) -> tuple[float, float]:
    light = picture[..., 0]
    x, y = np.arange(light.shape[1]) + 0.5, np.arange(light.shape[0]) + 0.5
    return float((light.sum(0) * x).sum() / light.sum()), float((light.sum(1) * y).sum() / light.sum())


def test_a_perspective_camera_shows_a_point_where_its_field_of_view_says():
    # From (0, 0, 10) to the origin: a point (x, y, z) is at the depth 10 - z, and a pixel is 2 tan(fov / 2) / height
    # of that large. y goes down in the image.
    for fov in (20.0, 40.0, 90.0):
        for x, y, z in ((0.7, 0.4, 0.0), (-0.5, 0.9, 3.0)):
            camera = f"[camera]\nposition = [0, 0, 10]\ntarget = [0, 0, 0]\nfov = {fov}\nwidth = 80\nheight = 60\n"
            pixel = 2.0 * tan(radians(fov / 2.0)) / 60.0 * (10.0 - z)
            ball = shape("sphere", f"center = [{x}, {y}, {z}]\nradius = {3.0 * pixel}")
            found = centre_of_gravity(image(camera + ball + SKY))
            assert found == pytest.approx((40.0 + x / pixel, 30.0 - y / pixel), abs=0.05)


def test_an_orthographic_camera_shows_a_point_at_the_same_place_at_any_depth():
    for x, y, z in ((0.7, 0.4, 0.0), (-0.5, 0.9, 3.0)):
        ball = shape("sphere", f"center = [{x}, {y}, {z}]\nradius = 0.15")
        found = centre_of_gravity(image(straight(view=3, width=80, height=60) + ball + SKY))
        assert found == pytest.approx((40.0 + x * 20.0, 30.0 - y * 20.0), abs=0.05)


def test_a_camera_from_the_side_has_its_right_and_its_up():
    # From +x, the right of the image is -z; with z up and from +y, it is -x.
    ball = shape("sphere", "center = [0.3, 0.5, 0.8]\nradius = 0.15")
    for position, up, expected in (((10, 0, 0), (0, 1, 0), (-0.8, 0.5)), ((0, 10, 0), (0, 0, 1), (-0.3, 0.8))):
        text = straight(position, view=3, width=60, height=60).replace("width", f"up = {list(up)}\nwidth", 1)
        found = centre_of_gravity(image(text + ball + SKY))
        assert found == pytest.approx((30.0 + expected[0] * 20.0, 30.0 - expected[1] * 20.0), abs=0.05)


def test_a_pixel_of_a_perspective_camera_has_the_radiance_of_the_point_that_it_shows():
    # The middle of the pixel (2, 1) of 4 x 2 is half a pixel to the right of the middle of the image and half below.
    camera = "[camera]\nposition = [0, 0, 10]\ntarget = [0, 0, 0]\nfov = 40\nwidth = 4\nheight = 2\n"
    pixel = 10.0 * tan(radians(20.0))
    x, y = 0.5 * pixel, -0.5 * pixel
    square = (3.0 - x) ** 2 + y**2 + 16.0
    found = image(camera + shape("plane", WALL) + POINT, edges="ignore")[1, 2]
    assert found == pytest.approx(ALBEDO / pi * LIGHT / square * 4.0 / sqrt(square), rel=1e-9)


# Shapes: the area that each covers, and the cosine at its surface.

AREAS = {
    "sphere": ("center = [0.1, 0.2, 0]\nradius = 1.5", pi * 1.5**2),
    # Seen at 60 degrees, the height of what is flat is halved.
    "disk": (f"center = [0.1, 0.2, 0]\nnormal = [0, {sin(pi / 3)}, {cos(pi / 3)}]\nradius = 1.5", pi * 1.5**2 / 2.0),
    "rectangle": (
        f"center = [0.1, 0.2, 0]\nnormal = [0, {sin(pi / 3)}, {cos(pi / 3)}]\nwidth = 3\nheight = 2", 3.0),
    "triangle": ("a = [-1, -1, 0]\nb = [1.5, -1, 2]\nc = [0, 1.4, -1]", 2.5 * 2.4 / 2.0),
    "plane": ("point = [0, 0, 0]\nnormal = [1, 2, 3]", 16.0),
}  # fmt: skip


@pytest.mark.parametrize("kind", AREAS)
def test_a_shape_covers_the_area_that_its_projection_has(kind):
    fields, area = AREAS[kind]
    found = image(straight(view=4, width=40, height=40) + shape(kind, fields) + SKY, cells=2).sum((0, 1)) * 0.1**2
    assert found == pytest.approx(area * ALBEDO * [1, 2, 3], rel=5e-4)


FLAT = {
    "plane": "point = [0, 0, 0]\nnormal = [2, 0, 1]",
    "disk": "center = [0, 0, 0]\nnormal = [2, 0, 1]\nradius = 1",
    "rectangle": "center = [0, 0, 0]\nnormal = [2, 0, 1]\nwidth = 1\nheight = 1",
    "triangle": "a = [-1, -1, 2]\nb = [1, -1, -2]\nc = [0, 2, 0]",
}


@pytest.mark.parametrize("kind", FLAT)
def test_a_flat_shape_is_lit_by_the_cosine_of_its_normal(kind):
    # The normal is (2, 0, 1) / sqrt(5), the way to the light (3, 0, 4) / 5.
    found = value(straight() + shape(kind, FLAT[kind]) + SUN)
    assert found == pytest.approx(ALBEDO / pi * LIGHT * 10.0 / (5.0 * sqrt(5.0)), rel=1e-9)


def test_a_ball_is_lit_by_the_cosine_of_its_normal():
    ball = shape("sphere", "center = [0, 0, 0]\nradius = 2")
    # At (1.2, 0, 1.6) the normal is (0.6, 0, 0.8), to the light; at (-0.5, ...) it is (-0.25, 0, sqrt(15) / 4).
    for x, cosine in ((1.2, 1.0), (-0.5, -0.25 * 0.6 + sqrt(15.0) / 4.0 * 0.8)):
        found = value(straight((x, 0, 10), (x, 0, 0)) + ball + SUN)
        assert found == pytest.approx(ALBEDO / pi * LIGHT * cosine, rel=1e-7)
    # All of it, in the light that comes from the eye: albedo / pi E times the integral of the cosine, 2 pi r^2 / 3.
    noon = SUN.replace("[-3, 0, -4]", "[0, 0, -1]")
    found = image(straight(view=4.4, width=44, height=44) + ball + noon, cells=2).sum((0, 1)) * 0.1**2
    assert found == pytest.approx(ALBEDO * LIGHT * 2.0 * 4.0 / 3.0, rel=2e-3)


def test_the_derivative_of_a_covered_area_is_the_length_of_its_border():
    # By the radius: 2 pi r of a disk; by the width: the height of a rectangle.
    for kind, fields, name, expected in (
        ("sphere", "center = [0.1, 0.2, 0]\nradius = 1.5", "radius", 2.0 * pi * 1.5),
        ("disk", "center = [0.1, 0.2, 0]\nnormal = [0, 0, 1]\nradius = 1.5", "radius", 2.0 * pi * 1.5),
        ("rectangle", "center = [0.13, 0.2, 0]\nnormal = [0, 0, 1]\nwidth = 3\nheight = 2", "width", 2.0),
    ):
        scene = parse_scene(straight(view=4, width=40, height=40) + shape(kind, fields) + SKY)
        found = jacobian(scene, [f"{kind}.{name}"])[..., 0].sum((0, 1)) * 0.1**2
        assert found == pytest.approx(expected * ALBEDO * [1, 2, 3], rel=4e-3)  # corners are cut off


# One row, one column, one pixel.


def ball_of(width: int, height: int, view: float, position: object = (0, 0, 5)) -> str:
    x, y, _ = position  # type: ignore[misc]
    return (
        straight(position, (x, y, 0), view, width, height) + shape("sphere", "center = [0, 0, 0]\nradius = 1") + POINT
    )


def test_an_image_of_one_row_or_one_column_is_that_of_a_larger_image():
    whole, row = image(ball_of(400, 3, 9 / 400))[1], image(ball_of(400, 1, 3 / 400))[0]
    assert row == pytest.approx(whole, rel=1e-12, abs=1e-12)
    whole, column = image(ball_of(3, 400, 3))[:, 1], image(ball_of(1, 400, 3))[:, 0]
    assert column == pytest.approx(whole, rel=1e-12, abs=1e-12)


def test_an_image_of_one_row_has_the_radiance_of_a_ball_at_each_place():
    found = image(ball_of(1600, 1, 3 / 1600))[0]
    x = (np.arange(1600) - 799.5) * 3 / 1600
    there = np.abs(x) < 0.99
    n = np.stack([x[there], 0.0 * x[there], np.sqrt(1.0 - x[there] ** 2)])
    to_light = np.array([[3.0], [0.0], [4.0]]) - n
    square = (to_light**2).sum(0)
    cosine = np.maximum((n * to_light).sum(0) / np.sqrt(square), 0.0)
    expected = ALBEDO / pi * LIGHT * (cosine / square)[:, None]
    assert np.abs(found[there] - expected).max() < 1e-3 * expected.max()
    assert not found[np.abs(x) > 1.01].any()


@pytest.mark.parametrize("cells", [1, 2])
def test_an_image_is_the_same_row_by_row_and_pixel_by_pixel(cells):
    scene = parse_scene(ball_of(8, 6, 3))
    whole = np.asarray(render(scene, cells=cells))
    rows = [np.asarray(render(scene, cells=cells, rows=(k, k + 1))) for k in range(6)]
    assert np.concatenate(rows) == pytest.approx(whole, rel=1e-12, abs=1e-12)
    # Beside the image there are no cells that would be divided, so what touches its border differs a little.
    p = 3 / 6
    for j, i in np.ndindex(6, 8):
        alone = image(ball_of(1, 1, p, ((i - 3.5) * p, (2.5 - j) * p, 5)), cells=cells)[0, 0]
        assert alone == pytest.approx(whole[j, i], abs=0.04 * whole.max())


# The file.


def test_a_picture_is_written_with_the_curve_of_srgb(tmp_path):
    # IEC 61966-2-1: 12.92 x up to 0.0031308, then 1.055 x^(1 / 2.4) - 0.055. 0.5 is 188, 0.2 is 124, 0.002 is 7.
    from PIL import Image as Picture

    Image(np.array([[[0.5, 0.2, 0.002], [1.0, 0.0, 0.0031308]]])).save(tmp_path / "a.png")
    found = np.asarray(Picture.open(tmp_path / "a.png"))
    assert found[..., :3].tolist() == [[[188, 124, 7], [255, 0, 10]]]
    assert round(255 * (1.055 * exp(np.log(0.5) / 2.4) - 0.055)) == 188
