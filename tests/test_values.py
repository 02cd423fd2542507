"""Values of images, worked out by hand: every light, material, camera and shape with its constants.

Each image here has a closed form, so a wrong factor anywhere changes a number that stands in the test. Radiance is
taken from pixels so small that it is constant over them.
"""

from math import cos, exp, pi, radians, sin, sqrt, tan

import numpy as np
import pytest

from diffrt import jacobian, render
from diffrt.image import Image
from diffrt.kinds import (
    AmbientLight,
    BlinnPhong,
    Camera,
    DirectionalLight,
    Disk,
    Kind,
    Lambert,
    Light,
    Mirror,
    Orthographic,
    Perspective,
    Plane,
    PointLight,
    Rectangle,
    Shape,
    Sphere,
    Triangle,
)
from diffrt.scene import Scene

ALBEDO, LIGHT = np.array([0.2, 0.4, 0.8]), np.array([10.0, 20.0, 30.0])
GREY = Lambert(ALBEDO)
SKY = AmbientLight(radiance=(1, 2, 3))
POINT = PointLight(position=(3, 0, 4), intensity=LIGHT)
SUN = DirectionalLight(direction=(-3, 0, -4), irradiance=LIGHT)
WALL = Plane((0, 0, 0), (0, 0, 1), GREY)


def straight(position: object = (0, 0, 10), target: object = (0, 0, 0), view: float = 1e-6, width: int = 1,
             height: int = 1, **more: object) -> Orthographic:  # fmt: skip
    return Orthographic(position, target, view_height=view, width=width, height=height, **more)


def scene(camera: Camera, *parts: Kind, depth: int = 4) -> Scene:
    """Of shapes and lights that are called by their types, and a number if there are more of one."""
    groups: dict[type, dict[str, Kind]] = {Shape: {}, Light: {}}
    for part in parts:
        group = groups[Shape if isinstance(part, Shape) else Light]
        group[part.type if part.type not in group else f"{part.type}{len(group)}"] = part
    return Scene(camera, groups[Shape], groups[Light], depth)


def image(camera: Camera, *parts: Kind, depth: int = 4, **how: object) -> np.ndarray:
    return np.asarray(render(scene(camera, *parts, depth=depth), **how))


def value(camera: Camera, *parts: Kind, depth: int = 4) -> np.ndarray:
    """The only pixel of an image."""
    return image(camera, *parts, depth=depth)[0, 0]


# Lights on a matte wall: radiance = albedo / pi * irradiance * cosine.


def test_a_point_light_gives_its_intensity_over_the_squared_distance():
    # At (0, 0, 0) the lamp is 5 away, and the cosine is 4 / 5.
    assert value(straight(), WALL, POINT) == pytest.approx(ALBEDO / pi * LIGHT / 25.0 * 0.8, rel=1e-9)
    # At (3, 0, 0) it is 4 away, and straight above.
    assert value(straight((3, 0, 10), (3, 0, 0)), WALL, POINT) == pytest.approx(ALBEDO / pi * LIGHT / 16.0, rel=1e-9)


def test_a_directional_light_gives_its_irradiance_at_any_distance():
    for x in (0, 50):
        assert value(straight((x, 0, 10), (x, 0, 0)), WALL, SUN) == pytest.approx(ALBEDO / pi * LIGHT * 0.8, rel=1e-9)


def test_an_ambient_light_gives_albedo_times_its_radiance():
    # The irradiance of an even sky is pi times its radiance.
    assert value(straight(), WALL, SKY) == pytest.approx(ALBEDO * [1, 2, 3], rel=1e-12)


def test_lights_add_up():
    parts = [value(straight(), WALL, light) for light in (POINT, SUN, SKY)]
    assert value(straight(), WALL, POINT, SUN, SKY) == pytest.approx(sum(parts), rel=1e-12)


def test_the_flux_that_a_lamp_above_a_wall_gives_it_is_half_of_all_that_it_sends_out():
    # A lamp of intensity I at the height h: the disk of radius R takes 2 pi I (1 - h / sqrt(h^2 + R^2)). So the image
    # of a disk, radiance integrated over its area, holds 2 albedo I (1 - h / sqrt(h^2 + R^2)).
    disk = Disk((0, 0, 0), (0, 0, 1), 3, GREY)
    lamp = PointLight((0, 0, 4), LIGHT)
    found = image(straight(view=7, width=70, height=70), disk, lamp, cells=2).sum((0, 1)) * 0.1**2
    assert found == pytest.approx(2.0 * ALBEDO * LIGHT * (1.0 - 4.0 / 5.0), rel=1e-3)


# Materials.


def test_the_highlight_has_its_factor_and_its_exponent():
    # The eye is straight above, the light at the angle a from it: the half vector is at a / 2, tan a = 3 / 4.
    # cos(a / 2)^2 = (1 + 4 / 5) / 2 = 9 / 10.
    for shininess in (1.0, 20.0, 300.0):
        wall = Plane((0, 0, 0), (0, 0, 1), BlinnPhong(ALBEDO, specular=(0.1, 0.2, 0.05), shininess=shininess))
        lobe = np.array([0.1, 0.2, 0.05]) * (shininess + 8.0) / (8.0 * pi) * 0.9 ** (shininess / 2.0)
        for light, strength in ((POINT, LIGHT / 25.0), (SUN, LIGHT)):
            found = value(straight(), wall, light)
            assert found == pytest.approx((ALBEDO / pi + lobe) * strength * 0.8, rel=1e-9)
        # An ambient light has no highlight.
        assert value(straight(), wall, SKY) == pytest.approx(ALBEDO * [1, 2, 3], rel=1e-12)


def test_a_mirror_gives_its_reflectance_for_each_bounce():
    # The eye looks down at a mirror that is tilted by 45 degrees, and sees a wall at x = 4.
    mirror = Mirror((0.9, 0.6, 0.3))
    tilted = Rectangle((0, 0, 0), (1, 0, 1), width=1, height=1, material=mirror)
    one = value(straight(), tilted, Plane((4, 0, 0), (-1, 0, 0), GREY), SKY, depth=1)
    assert one == pytest.approx(np.array([0.9, 0.6, 0.3]) * ALBEDO * [1, 2, 3], rel=1e-12)
    # And one more mirror at x = 2, tilted the same way, sends it up, to a ceiling.
    second = Rectangle((2, 0, 0), (-1, 0, 1), width=1, height=1, material=mirror)
    two = value(straight(), tilted, second, Disk((2, 0, 3), (0, 0, -1), 1, GREY), SKY, depth=2)
    assert two == pytest.approx(np.array([0.9, 0.6, 0.3]) ** 2 * ALBEDO * [1, 2, 3], rel=1e-12)


def test_a_lamp_seen_by_way_of_a_mirror_lights_what_the_mirror_shows():
    tilted = Rectangle((0, 0, 0), (1, 0, 1), width=1, height=1, material=Mirror(0.5))
    wall, lamp = Plane((4, 0, 0), (-1, 0, 0), GREY), PointLight((1, 4, 0), LIGHT)
    # The wall is met at (4, 0, 0): the lamp is 5 away, and the cosine is 3 / 5.
    found = value(straight(), tilted, wall, lamp, depth=1)
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
            camera = Perspective((0, 0, 10), (0, 0, 0), fov=fov, width=80, height=60)
            pixel = 2.0 * tan(radians(fov / 2.0)) / 60.0 * (10.0 - z)
            found = centre_of_gravity(image(camera, Sphere((x, y, z), 3.0 * pixel, GREY), SKY))
            assert found == pytest.approx((40.0 + x / pixel, 30.0 - y / pixel), abs=0.05)


def test_an_orthographic_camera_shows_a_point_at_the_same_place_at_any_depth():
    for x, y, z in ((0.7, 0.4, 0.0), (-0.5, 0.9, 3.0)):
        ball = Sphere((x, y, z), 0.15, GREY)
        found = centre_of_gravity(image(straight(view=3, width=80, height=60), ball, SKY))
        assert found == pytest.approx((40.0 + x * 20.0, 30.0 - y * 20.0), abs=0.05)


def test_a_camera_from_the_side_has_its_right_and_its_up():
    # From +x, the right of the image is -z; with z up and from +y, it is -x.
    ball = Sphere((0.3, 0.5, 0.8), 0.15, GREY)
    for position, up, expected in (((10, 0, 0), (0, 1, 0), (-0.8, 0.5)), ((0, 10, 0), (0, 0, 1), (-0.3, 0.8))):
        found = centre_of_gravity(image(straight(position, view=3, width=60, height=60, up=up), ball, SKY))
        assert found == pytest.approx((30.0 + expected[0] * 20.0, 30.0 - expected[1] * 20.0), abs=0.05)


def test_a_pixel_of_a_perspective_camera_has_the_radiance_of_the_point_that_it_shows():
    # The middle of the pixel (2, 1) of 4 x 2 is half a pixel to the right of the middle of the image and half below.
    camera = Perspective((0, 0, 10), (0, 0, 0), fov=40, width=4, height=2)
    pixel = 10.0 * tan(radians(20.0))
    x, y = 0.5 * pixel, -0.5 * pixel
    square = (3.0 - x) ** 2 + y**2 + 16.0
    found = image(camera, WALL, POINT, edges="ignore")[1, 2]
    assert found == pytest.approx(ALBEDO / pi * LIGHT / square * 4.0 / sqrt(square), rel=1e-9)


# Shapes: the area that each covers, and the cosine at its surface.

SLANTED = (0, sin(pi / 3), cos(pi / 3))
"""Of what is flat the height is halved, as it is seen at 60 degrees."""

AREAS = [
    (Sphere((0.1, 0.2, 0), 1.5, GREY), pi * 1.5**2),
    (Disk((0.1, 0.2, 0), SLANTED, 1.5, GREY), pi * 1.5**2 / 2.0),
    (Rectangle((0.1, 0.2, 0), SLANTED, width=3, height=2, material=GREY), 3.0),
    (Triangle((-1, -1, 0), (1.5, -1, 2), (0, 1.4, -1), GREY), 2.5 * 2.4 / 2.0),
    (Plane((0, 0, 0), (1, 2, 3), GREY), 16.0),
]


@pytest.mark.parametrize(("shape", "area"), AREAS, ids=lambda value: getattr(value, "type", ""))
def test_a_shape_covers_the_area_that_its_projection_has(shape, area):
    found = image(straight(view=4, width=40, height=40), shape, SKY, cells=2).sum((0, 1)) * 0.1**2
    assert found == pytest.approx(area * ALBEDO * [1, 2, 3], rel=5e-4)


FLAT = [
    Plane((0, 0, 0), (2, 0, 1), GREY),
    Disk((0, 0, 0), (2, 0, 1), 1, GREY),
    Rectangle((0, 0, 0), (2, 0, 1), width=1, height=1, material=GREY),
    Triangle((-1, -1, 2), (1, -1, -2), (0, 2, 0), GREY),
]


@pytest.mark.parametrize("shape", FLAT, ids=lambda shape: shape.type)
def test_a_flat_shape_is_lit_by_the_cosine_of_its_normal(shape):
    # The normal is (2, 0, 1) / sqrt(5), the way to the light (3, 0, 4) / 5.
    assert value(straight(), shape, SUN) == pytest.approx(ALBEDO / pi * LIGHT * 10.0 / (5.0 * sqrt(5.0)), rel=1e-9)


def test_a_ball_is_lit_by_the_cosine_of_its_normal():
    ball = Sphere((0, 0, 0), 2, GREY)
    # At (1.2, 0, 1.6) the normal is (0.6, 0, 0.8), to the light; at (-0.5, ...) it is (-0.25, 0, sqrt(15) / 4).
    for x, cosine in ((1.2, 1.0), (-0.5, -0.25 * 0.6 + sqrt(15.0) / 4.0 * 0.8)):
        found = value(straight((x, 0, 10), (x, 0, 0)), ball, SUN)
        assert found == pytest.approx(ALBEDO / pi * LIGHT * cosine, rel=1e-7)
    # All of it, in the light that comes from the eye: albedo / pi E times the integral of the cosine, 2 pi r^2 / 3.
    noon = DirectionalLight((0, 0, -1), LIGHT)
    found = image(straight(view=4.4, width=44, height=44), ball, noon, cells=2).sum((0, 1)) * 0.1**2
    assert found == pytest.approx(ALBEDO * LIGHT * 2.0 * 4.0 / 3.0, rel=2e-3)


def test_the_derivative_of_a_covered_area_is_the_length_of_its_border():
    # By the radius: 2 pi r of a disk; by the width: the height of a rectangle.
    for shape, name, expected in (
        (Sphere((0.1, 0.2, 0), 1.5, GREY), "sphere.radius", 2.0 * pi * 1.5),
        (Disk((0.1, 0.2, 0), (0, 0, 1), 1.5, GREY), "disk.radius", 2.0 * pi * 1.5),
        (Rectangle((0.13, 0.2, 0), (0, 0, 1), width=3, height=2, material=GREY), "rectangle.width", 2.0),
    ):
        slopes = jacobian(scene(straight(view=4, width=40, height=40), shape, SKY), [name])
        found = slopes[..., 0].sum((0, 1)) * 0.1**2
        assert found == pytest.approx(expected * ALBEDO * [1, 2, 3], rel=2e-4)  # of balls that touch borders of pixels


# One row, one column, one pixel.


def ball_of(width: int, height: int, view: float, position: tuple[float, ...] = (0, 0, 5)) -> Scene:
    x, y, _ = position
    return scene(straight(position, (x, y, 0), view, width, height), Sphere((0, 0, 0), 1, GREY), POINT)


def test_an_image_of_one_row_or_one_column_is_that_of_a_larger_image():
    whole, row = render(ball_of(400, 3, 9 / 400))[1], render(ball_of(400, 1, 3 / 400))[0]
    assert row == pytest.approx(whole, rel=1e-12, abs=1e-12)
    whole, column = render(ball_of(3, 400, 3))[:, 1], render(ball_of(1, 400, 3))[:, 0]
    assert column == pytest.approx(whole, rel=1e-12, abs=1e-12)


def test_an_image_of_one_row_has_the_radiance_of_a_ball_at_each_place():
    found = render(ball_of(1600, 1, 3 / 1600))[0]
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
    ball = ball_of(8, 6, 3)
    whole = np.asarray(render(ball, cells=cells))
    rows = [np.asarray(render(ball, cells=cells, rows=(k, k + 1))) for k in range(6)]
    assert np.concatenate(rows) == pytest.approx(whole, rel=1e-12, abs=1e-12)
    # Beside the image there are no cells that would be divided, so what touches its border differs a little.
    p = 3 / 6
    for j, i in np.ndindex(6, 8):
        alone = render(ball_of(1, 1, p, ((i - 3.5) * p, (2.5 - j) * p, 5)), cells=cells)[0, 0]
        assert alone == pytest.approx(whole[j, i], abs=0.04 * whole.max())


# The file.


def test_a_picture_is_written_with_the_curve_of_srgb(tmp_path):
    # IEC 61966-2-1: 12.92 x up to 0.0031308, then 1.055 x^(1 / 2.4) - 0.055. 0.5 is 188, 0.2 is 124, 0.002 is 7.
    from PIL import Image as Picture

    Image(np.array([[[0.5, 0.2, 0.002], [1.0, 0.0, 0.0031308]]])).save(tmp_path / "a.png")
    found = np.asarray(Picture.open(tmp_path / "a.png"))
    assert found[..., :3].tolist() == [[[188, 124, 7], [255, 0, 10]]]
    assert round(255 * (1.055 * exp(np.log(0.5) / 2.4) - 0.055)) == 188
