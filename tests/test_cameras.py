"""Cameras of photographs: a crop, the principal point, pixels that are not square, and the distortion by a lens."""

import numpy as np
import pytest

import diffrt
from diffrt import autograd as ag
from diffrt.compiler import choose_engine
from diffrt.compiler.kernel import kernel
from diffrt.errors import InputError
from diffrt.explaining.trace import trace
from diffrt.kinds.cameras.lens import undistort
from diffrt.scene import parse_scene
from diffrt.tracer.renderer import Settings, render_part
from diffrt.tracer.window import Part

SCENE = parse_scene("""
[camera]
position = [0.3, 1.4, 4.0]
target = [0.0, 0.6, 0.0]
fov = 40
width = 40
height = 30
[shapes.floor]
type = "plane"
point = [0, 0, 0]
normal = [0, 1, 0]
material = { type = "lambert", albedo = 0.5 }
[shapes.ball]
type = "sphere"
center = [0.1, 0.7, 0.2]
radius = 0.7
material = { type = "blinn_phong", albedo = [0.7, 0.4, 0.2], specular = 0.2, shininess = 30 }
[shapes.brick]
type = "box"
center = [-1.0, 0.3, 0.4]
width = 0.6
height = 0.6
depth = 0.6
material = { type = "lambert", albedo = [0.2, 0.4, 0.7] }
[lights.lamp]
type = "point"
position = [2, 3, 3]
intensity = 24
""")
LENS = {"camera.k1": -0.2, "camera.k2": 0.07, "camera.principal_point": (0.03, -0.05), "camera.pixel_aspect": 1.07}


def lens_parameters(k1, k2, u):
    """a and b of the place where a lens shows what is at u."""
    v = u * (1.0 + k1 * u**2 + k2 * u**4)
    return k1 * v**2, k2 * v**4, u / v


# The lens


@pytest.mark.parametrize("most", [0.4, 0.8, 1.2])
def test_a_lens_is_undone_to_the_last_digits_wherever_it_shows_all_once(most):
    k1, k2, u = np.meshgrid(np.linspace(-0.7, 0.9, 33), np.linspace(-0.5, 0.5, 31), np.linspace(0.0, most, 21)[1:])
    squares = most**2 * np.linspace(0.0, 1.0, 200)
    slopes = 1.0 + 3.0 * k1[..., :1] * squares + 5.0 * k2[..., :1] * squares**2
    fine = slopes.min(-1) > 0.06
    assert fine.mean() > 0.3
    a, b, m = lens_parameters(k1[fine], k2[fine], u[fine])
    np.testing.assert_allclose(undistort(a, b), m, rtol=1e-14)


def test_compiled_code_undoes_a_lens_as_numpy_does():
    rng = np.random.default_rng(0)
    a, b, _ = lens_parameters(rng.uniform(-0.3, 0.5, 999), rng.uniform(-0.2, 0.3, 999), rng.uniform(0.0, 0.9, 999))

    def both(_, uniforms, rows, samples):
        return undistort(*samples)

    found = [kernel(both, None, (), (), (a, b), choose_engine(name)) for name in ("llvm", "numpy")]
    np.testing.assert_allclose(*found, rtol=1e-14)


def test_no_lens_leaves_the_bounds_of_undoing_it():
    """Along u^2, as in a camera; and they close in with the square of the width."""
    rng, known = np.random.default_rng(5), 0
    for _ in range(300):
        k1, k2, begin = rng.uniform((-0.14, -0.05, 0.0), (0.6, 0.3, 1.5))
        width = 10.0 ** rng.uniform(-6.0, -0.5)

        def undone(square, k1=k1, k2=k2):
            return undistort(k1 * square, k2 * square * square)

        least, most = ag.bounds(undone, begin, begin + width)
        values = undone(np.append(rng.uniform(begin, begin + width, 200), [begin, begin + width]))
        values = values[~np.isnan(values)]
        assert (values >= least).all() and (values <= most).all()
        if most < np.inf:
            known += 1
            assert len(values) == 202
            assert most - least < np.ptp(values) + 200.0 * width * width + 1e-9
    assert known > 280


def test_beyond_what_a_lens_shows_there_is_no_number():
    assert np.isnan(undistort(np.array([-0.15, -10.0]), np.zeros(2))).all()  # 1 + 3 a m^2 is 0 at a = -4/27
    assert float(undistort(-0.148, 0.0)) == pytest.approx(1.4733, abs=1e-3)


def test_the_derivatives_of_undoing_a_lens_are_those_of_its_equation_to_the_third():
    """m (1 + a m^2 + b m^4) stays 1 to every order along any line in (a, b)."""
    a, b, _ = lens_parameters(-0.25, 0.1, 0.7)

    def equation(t):
        along = a + 0.3 * t, b - 0.2 * t
        m = undistort(*along)
        return m * (1.0 + along[0] * m**2.0 + along[1] * m**4.0)

    def root(t):
        return undistort(a + 0.3 * t, b - 0.2 * t)

    sizes = []
    for f in (equation, root):
        slopes = []
        for _ in range(3):
            f = ag.grad(f)
            slopes.append(float(f(0.0)))
        sizes.append(np.abs(slopes))
    assert (sizes[0] < 1e-13 * np.maximum(sizes[1], 1.0)).all()
    assert (sizes[1] > 1e-3).all()


def test_a_lens_shows_points_where_the_model_says():
    """Small lamps on a wall, and where they are seen: the model of calibrations, written down once more."""
    k1, k2, (px, py), aspect = -0.2, 0.07, (0.03, -0.05), 1.07
    width, height, fov = 300, 220, 50.0
    focal = 0.5 * height / np.tan(np.radians(fov / 2))
    rng = np.random.default_rng(1)
    for x, y in rng.uniform(-0.35, 0.35, (4, 2)):
        camera = diffrt.Perspective((0, 0, 0), (0, 0, -1), fov=fov, width=width, height=height, k1=k1, k2=k2,
                                    principal_point=(px, py), pixel_aspect=aspect)  # fmt: skip
        glow = diffrt.Lambert(albedo=0.0, emission=1.0)
        scene = diffrt.Scene(camera, {"lamp": diffrt.Sphere((x, y, -1.0), 0.012, material=glow)})
        image = np.asarray(diffrt.render(scene, cells=1)).sum(-1)
        square = x**2 + y**2
        grows = 1.0 + k1 * square + k2 * square**2
        expected = (width / 2 + px * height + focal / aspect * x * grows,
                    height / 2 + py * height - focal * y * grows)  # fmt: skip
        rows, columns = np.indices(image.shape) + 0.5
        found = (image * columns).sum() / image.sum(), (image * rows).sum() / image.sum()
        np.testing.assert_allclose(found, expected, atol=0.02)


def test_a_ball_smaller_than_a_pixel_is_found_through_a_lens():
    """The search looks where the lens shows it, not where it would be without it."""
    for x, y in np.random.default_rng(2).uniform(0.15, 0.3, (5, 2)):
        glow = diffrt.Lambert(albedo=0.0, emission=1.0)
        camera = diffrt.Perspective((0, 0, 0), (0, 0, -1), fov=50, width=100, height=100, k1=-0.3)
        image = diffrt.render(diffrt.Scene(camera, {"lamp": diffrt.Sphere((x, y, -1.0), 0.001, material=glow)}))
        square = x**2 + y**2
        pixel = 2.0 * np.tan(np.radians(25.0)) / 100.0
        area = np.pi * (0.001 / pixel) ** 2 * (1.0 - 0.3 * square) * (1.0 - 0.9 * square) * np.sqrt(1.0 + square)
        assert np.asarray(image)[..., 0].sum() == pytest.approx(area, rel=0.05)


def test_a_lens_without_coefficients_changes_no_bit():
    stated = SCENE.replace({"camera.k1": 0.0, "camera.principal_point": (0.0, 0.0), "camera.pixel_aspect": 1.0})
    assert np.array_equal(diffrt.render(stated), diffrt.render(SCENE))


@pytest.mark.parametrize("camera", ["perspective", "orthographic"])
def test_engines_agree_on_a_crop_seen_through_a_lens(camera):
    scene = SCENE.replace(LENS, crop=(12, 8, 10, 8))
    if camera == "orthographic":
        scene = SCENE.replace(
            {"camera": diffrt.Orthographic((0, 1, 4), (0, 0.6, 0), width=40, height=30, view_height=2.5,
                                           pixel_aspect=1.2, crop=(12, 8, 10, 8))}
        )  # fmt: skip
    names = ["camera.fov", "camera.k1"] if camera == "perspective" else ["camera.view_height", "camera.pixel_aspect"]
    llvm, numpy = (np.asarray(diffrt.jacobian(scene, names, engine=e, tolerance=0.25)) for e in ("llvm", "numpy"))
    assert llvm.shape[:2] == (8, 10)
    assert np.abs(llvm - numpy).max() < 1e-12 * np.abs(numpy).max()


@pytest.mark.parametrize(
    "names",
    [
        ["camera.k1"],
        pytest.param(["camera.k2", "camera.principal_point", "camera.pixel_aspect", "camera.fov", "camera.position"],
                     marks=pytest.mark.slow),
    ],
    ids=["k1", "others"],
)  # fmt: skip
def test_derivatives_by_all_of_a_camera_are_right_at_edges_too(names):
    found = diffrt.check(SCENE.replace(LENS, crop=(12, 8, 10, 8)), names)
    assert {row.verdict for row in found.rows} == {"right"}, str(found)


def test_the_derivative_by_a_distortion_is_there_where_it_is_none():
    """At k1 = 0, which has the programs of a camera without a lens, and with a Var those of one with it."""
    scene = SCENE.replace({"camera.k1": 0.0})
    h = 1e-4
    ahead, behind = (np.asarray(diffrt.render(scene.replace({"camera.k1": s * h}))) for s in (1.0, -1.0))
    slope = np.asarray(diffrt.jacobian(scene, ["camera.k1"]))[..., 0]
    assert np.abs((ahead - behind) / (2 * h) - slope).sum() < 0.02 * np.abs(slope).sum()


# Parts of the picture


@pytest.mark.parametrize("crop", [(0, 0, 40, 30), (8, 5, 20, 18), (0, 0, 7, 30), (39, 29, 1, 1), (33, 2, 7, 11)])
def test_a_crop_is_that_part_of_the_picture(crop):
    x, y, width, height = crop
    for scene in (SCENE, SCENE.replace(LENS)):
        whole = np.asarray(diffrt.render(scene))
        part = np.asarray(diffrt.render(scene.replace(crop=crop)))
        assert part.shape == (height, width, 3)
        assert np.abs(part - whole[y : y + height, x : x + width]).max() < 1e-12


def test_rows_of_a_crop_are_those_of_the_picture():
    whole = np.asarray(diffrt.render(SCENE))
    rows = np.asarray(diffrt.render(SCENE.replace(crop=(8, 5, 20, 18)), rows=(3, 9)))
    assert np.abs(rows - whole[8:14, 8:28]).max() < 1e-12


def test_a_crop_with_larger_pixels_is_that_part_of_the_smaller_picture():
    smaller = np.asarray(diffrt.render(SCENE.replace(width=20, height=15)))
    scene = SCENE.replace(crop=(8, 6, 20, 18))
    part = np.asarray(render_part(scene, Part(factor=2), Settings(), choose_engine()))
    assert np.abs(part - smaller[3:12, 4:14]).max() < 1e-12


def test_pixels_that_are_asked_for_are_those_of_the_whole_image():
    whole = np.asarray(diffrt.render(SCENE))
    rng = np.random.default_rng(3)
    asked = np.zeros(whole.shape[:2], bool)
    asked[4:12, 20:29] = True
    asked[rng.integers(0, 30, 3), rng.integers(0, 40, 3)] = True
    for rows in (None, (2, 20)):
        part = np.asarray(render_part(SCENE, Part(rows=rows, pixels=asked), Settings(), choose_engine()))
        where = slice(*(rows or (None,)))
        assert np.abs(part - whole[where])[asked[where]].max() < 1e-12
        assert not part[~asked[where]].all()  # the others are not computed


def test_a_pixel_of_a_crop_is_explained_as_it_is_rendered():
    scene = SCENE.replace(LENS, crop=(8, 5, 20, 18))
    image = np.asarray(diffrt.render(scene))
    for pixel in ((0, 0), (12, 9)):
        graph = trace(scene, pixel, "r")
        assert float(np.ravel(graph.output.value)[0]) == pytest.approx(image[pixel[1], pixel[0], 0], rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"crop": (30, 5, 20, 10)}, "camera.crop: found [30, 5, 20, 10], allowed: a part of the picture"),
        ({"crop": (0, 0, 0, 10)}, "camera.crop: found [0, 0, 0, 10], allowed: four whole numbers"),
        ({"crop": (0.5, 0, 4, 4)}, "camera.crop: found [0.5, 0, 4, 4], allowed: four whole numbers"),
        ({"crop": 5}, "camera.crop: found 5, allowed: four whole numbers"),
        ({"values": {"camera.k1": -2.0}}, "camera.k1: found -2.0, allowed: with k2, a lens"),
        ({"values": {"camera.k2": 101.0}}, "camera.k2: found 101.0, allowed: a number from -100 to 100"),
        ({"values": {"camera.pixel_aspect": 0.0}}, "camera.pixel_aspect: found 0.0, allowed: a number from 0.01 to"),
    ],
)
def test_what_no_camera_has_is_refused_in_a_line(changes, line):
    with pytest.raises(InputError) as fault:
        SCENE.replace(changes.pop("values", {}), **changes)
    assert [problem[: len(line)] for problem in fault.value.problems] == [line]


def test_a_camera_with_a_lens_and_a_crop_is_written_and_read_again(tmp_path):
    scene = SCENE.replace(LENS, crop=(8, 5, 20, 18))
    scene.save(tmp_path / "scene.toml")
    assert diffrt.load_scene(tmp_path / "scene.toml") == scene
    assert "crop" not in SCENE.to_toml() and "k1" not in SCENE.to_toml()
    names = {"diffrt": diffrt, **{name: getattr(diffrt, name) for name in diffrt.__all__}}
    assert eval(repr(scene), names) == scene
