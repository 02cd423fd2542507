"""Starts that are read from photographs: circles by their edges, lights by what they do to a ball."""

import subprocess
import sys

import numpy as np
import pytest

import diffrt
from diffrt.errors import InputError
from diffrt.fitting import make_problem
from diffrt.image import Image
from diffrt.photograph import read_photograph

MATTE = {"type": "lambert", "albedo": [0.6, 0.5, 0.4]}
GLOSSY = {"type": "rough_plastic", "albedo": [0.4, 0.4, 0.4], "ior": 1.5, "alpha": 0.15}
CHROME = {"type": "rough_metal", "reflectance": [0.6, 0.6, 0.6], "alpha": 0.08}
SUN = {"type": "directional", "direction": [-0.5, -0.6, -0.8], "irradiance": [3.0, 3.0, 3.0]}


CAMERA = {"type": "perspective", "position": [0, 0, 6], "target": [0, 0, 0], "fov": 40.0, "width": 96, "height": 80}


def scene(center=(0.3, 0.2, 0.0), radius=1.0, material=MATTE, camera=CAMERA, shapes=None, lights=None):
    return diffrt.Scene(
        camera=camera,
        shapes={"ball": {"type": "sphere", "center": list(center), "radius": radius, "material": material},
                **(shapes or {})},
        lights={"sun": SUN, "room": {"type": "ambient", "radiance": [0.01] * 3}, **(lights or {})},
        background={"type": "constant", "radiance": [0.05] * 3},
    )  # fmt: skip


def photograph(of, tmp_path, noise=0.005, seed=0, change=None):
    """A PNG of 8 bits, with noise, clipped, read again."""
    image = np.asarray(diffrt.render(of, cells=2))
    image = image + noise * np.random.default_rng(seed).normal(size=image.shape)
    image = change(image) if change else image
    Image(np.clip(image, 0.0, 1.0)).save(tmp_path / "photograph.png")
    return read_photograph(tmp_path / "photograph.png")


def started(problem):
    """The starts by name."""
    return {f.name: f.start for f in problem.variables.free}


def degrees(found, truth):
    return np.degrees(np.arccos(found @ truth / np.linalg.norm(found) / np.linalg.norm(truth)))


ELSEWHERE = {"ball.center": [-1.0, -0.9, 0.0], "ball.radius": 0.5}
"""Where the scenes of fits have the ball, far from the truth."""


@pytest.mark.parametrize("material", [MATTE, GLOSSY, CHROME], ids=["matte", "glossy", "chrome"])
def test_the_circle_of_a_ball_is_within_half_a_pixel(material, tmp_path):
    truth = scene(material=material)
    free = {"ball.center.x": {}, "ball.center.y": {}, "ball.radius": {}}
    problem = make_problem(truth.replace(ELSEWHERE), photograph(truth, tmp_path), free, start="image")
    pixel = 2.0 * 6.0 * np.tan(np.radians(20.0)) / 80
    found = np.concatenate(list(started(problem).values()))
    assert np.abs(found - [0.3, 0.2, 1.0]).max() < 0.5 * pixel
    [note] = problem.notes
    assert note.startswith("start from the image: ball is the circle at (5")


def test_a_ball_at_the_border_of_a_wide_image_is_an_ellipse_and_found(tmp_path):
    truth = scene(center=(4.0, 1.5, 0.0), camera={**CAMERA, "fov": 70.0, "width": 140, "height": 100})
    found = started(make_problem(truth.replace({"ball.center": [-1.0, -0.9, 0.0]}), photograph(truth, tmp_path),
                                 ["ball.center"], start="image"))  # fmt: skip
    np.testing.assert_allclose(found["ball.center"], [4.0, 1.5, 0.0], atol=0.06)
    # A ball of half the size looks alike at half the distance.
    start = truth.replace(ELSEWHERE)
    found = started(make_problem(start, photograph(truth, tmp_path), ["ball.center"], start="image"))
    np.testing.assert_allclose(found["ball.center"], [2.0, 0.75, 3.0], atol=0.03)


def test_what_the_outline_does_not_tell_stays(tmp_path):
    truth = scene()
    start = truth.replace({"ball.center": [-1.0, -0.9, 2.0], "ball.radius": 0.5})
    found = started(make_problem(start, photograph(truth, tmp_path), ["ball.center", "ball.radius"], start="image"))
    eye = np.array([0.0, 0.0, 6.0])
    distance = [np.linalg.norm(at - eye) for at in (found["ball.center"], start["ball.center"])]
    assert distance[0] == pytest.approx(distance[1], rel=0.02)
    size = found["ball.radius"] / distance[0]
    assert size == pytest.approx(1.0 / np.linalg.norm(truth["ball.center"] - eye), rel=0.02)


def test_two_cameras_tell_the_distance(tmp_path):
    front = scene()
    side = front.replace({"camera.position": [6.0, 0.0, 0.0]})
    views = {"front": {"target": photograph(front, tmp_path)},
             "side": {"target": photograph(side, tmp_path), "camera": side}}  # fmt: skip
    found = started(make_problem(front.replace(ELSEWHERE), views, ["ball.center", "ball.radius"], start="image"))
    np.testing.assert_allclose(found["ball.center"], [0.3, 0.2, 0.0], atol=0.05)
    assert found["ball.radius"] == pytest.approx(1.0, abs=0.03)


def test_parallel_rays_have_circles_too(tmp_path):
    parallel = {name: value for name, value in CAMERA.items() if name != "fov"}
    truth = scene(camera={**parallel, "type": "orthographic", "view_height": 4.0})
    problem = make_problem(
        truth.replace(ELSEWHERE), photograph(truth, tmp_path), ["ball.center", "ball.radius"], start="image"
    )
    found = started(problem)
    assert np.abs(found["ball.center"][:2] - [0.3, 0.2]).max() < 0.03
    assert found["ball.radius"] == pytest.approx(1.0, abs=0.03)


def test_photographs_of_one_camera_vote_together(tmp_path):
    """Lit from the side before black, each shows half of the outline, and the border of its shaded side."""
    views, truth = {}, scene().replace({"background.radiance": [0.0] * 3})
    for number, way in enumerate(([-1.0, 0.2, -0.1], [1.0, 0.3, -0.2], [0.1, -1.0, 0.1], [0.2, 1.0, -0.1])):
        lit = truth.replace({"sun.direction": way, "room.radiance": [0.0] * 3})
        views[f"v{number}"] = {"target": photograph(lit, tmp_path, seed=number)}
    free = ["ball.center.x", "ball.center.y", "ball.radius"]
    found = started(make_problem(truth.replace(ELSEWHERE), views, free, start="image"))
    assert np.abs(np.concatenate(list(found.values())) - [0.3, 0.2, 1.0]).max() < 0.04


def test_clutter_behind_a_ball_is_no_ball(tmp_path):
    generator = np.random.default_rng(3)
    truth = scene()
    alone = truth.replace({"ball.material.albedo": [0.0] * 3, "ball.material.emission": [1.0] * 3})
    mask = np.asarray(diffrt.render(alone, cells=2)) > 0.5

    def with_clutter(image):
        room = np.full(image.shape, 0.2)
        for _ in range(14):
            x, y, w, h = generator.integers(0, [96, 80, 40, 40])
            room[y : y + h, x : x + w] = generator.uniform(0.0, 0.6, 3)
        return np.where(mask, image, room)

    target = photograph(truth, tmp_path, change=with_clutter)
    found = started(make_problem(truth.replace(ELSEWHERE), target, ["ball.center.x", "ball.radius"], start="image"))
    assert found["ball.center.x"] == pytest.approx(0.3, abs=0.06)


def test_a_mask_that_is_drawn_along_the_ball_is_its_outline():
    """Where the ball is as bright as what is behind it."""
    truth = scene()
    alone = truth.replace({"ball.material.albedo": [0.0] * 3, "ball.material.emission": [1.0] * 3})
    mask = np.asarray(diffrt.render(alone, cells=2))[..., 0] > 0.5
    free = ["ball.center.x", "ball.center.y", "ball.radius"]
    even = 0.2 + 0.003 * np.random.default_rng(0).normal(size=(80, 96, 3))
    found = started(make_problem(truth.replace(ELSEWHERE), even, free, mask=mask, start="image"))
    assert np.abs(np.concatenate(list(found.values())) - [0.3, 0.2, 1.0]).max() < 0.04


def test_a_mask_that_is_drawn_around_the_ball_is_not(tmp_path):
    truth = scene()
    across, down = np.arange(96) + 0.5, np.arange(80)[:, None] + 0.5
    mask = np.hypot(across - 53.5, down - 36.3) < 24.0
    target = photograph(truth, tmp_path)
    moved = truth.replace({"ball.radius": 0.5})
    found = started(make_problem(moved, target, ["ball.radius"], mask=mask, start="image"))
    assert found["ball.radius"] == pytest.approx(1.0, abs=0.04)


def test_two_balls_are_each_taken_for_the_nearer_one(tmp_path):
    small = {"type": "sphere", "center": [-1.4, -0.8, 0.5], "radius": 0.4, "material": MATTE}
    truth = scene(shapes={"other": small})
    target = photograph(truth, tmp_path)
    start = truth.replace({"ball.center": [0.8, 0.9, 0.0], "other.center": [-0.9, -1.2, 0.5]})
    found = started(make_problem(start, target, ["ball.center", "other.center"], start="image"))
    np.testing.assert_allclose(found["ball.center"][:2], [0.3, 0.2], atol=0.1)
    np.testing.assert_allclose(found["other.center"][:2], [-1.4, -0.8], atol=0.2)
    # A ball that is known is not the one that is looked for, though it is the largest.
    start = truth.replace({"other.center": [1.5, 1.2, 0.5]})
    alone = started(make_problem(start, target, ["other.center"], start="image"))
    np.testing.assert_allclose(alone["other.center"][:2], [-1.4, -0.8], atol=0.2)


@pytest.mark.parametrize(
    ("material", "bar"), [(MATTE, 0.5), (GLOSSY, 1.5), (CHROME, 1.5)], ids=["matte", "glossy", "chrome"]
)
def test_the_direction_of_light_is_told_by_a_ball(material, bar, tmp_path):
    truth = scene(material=material)
    start = truth.replace({**ELSEWHERE, "sun.direction": [1.0, 1.0, -1.0], "sun.irradiance": [0.1] * 3})
    free = ["ball.center.x", "ball.center.y", "ball.radius", "sun.direction", "sun.irradiance"]
    problem = make_problem(start, photograph(truth, tmp_path, noise=0.01), free, start="image")
    found = started(problem)
    assert degrees(found["sun.direction"], SUN["direction"]) < bar
    assert "; sun is towards (0.4" in problem.notes[0]
    if material is not CHROME:  # of a highlight that is clipped the strength is not told
        np.testing.assert_allclose(found["sun.irradiance"], SUN["irradiance"], rtol=0.1)


def test_a_highlight_and_a_shadow_on_a_ball_are_outliers(tmp_path):
    def spoiled(image):
        image = image.copy()
        image[25:40, 45:60] = 0.95
        image[40:60, 35:45] *= 0.3
        return image

    truth = scene()
    target = photograph(truth, tmp_path, change=spoiled)
    problem = make_problem(truth.replace({"sun.direction": [1.0, 1.0, -1.0]}), target, ["sun.direction"], start="image")
    assert degrees(started(problem)["sun.direction"], SUN["direction"]) < 1.0


def test_a_lamp_keeps_its_distance_from_the_ball(tmp_path):
    lamp = {"type": "point", "position": [3.0, 4.0, 5.0], "intensity": [100.0] * 3}
    truth = scene(radius=0.8)
    truth = diffrt.Scene(camera=truth.camera, shapes=truth.shapes, lights={"lamp": lamp})
    start = truth.replace({"lamp.position": [-7.0, 0.2, 1.0], "lamp.intensity": [1.0] * 3})
    found = started(make_problem(start, photograph(truth, tmp_path), ["lamp.*"], start="image"))
    ball = truth["ball.center"]
    way = [found["lamp.position"] - ball, start["lamp.position"] - ball]
    assert np.linalg.norm(way[0]) == pytest.approx(np.linalg.norm(way[1]))
    assert degrees(way[0], truth["lamp.position"] - ball) < 12.0  # it is near, and shading takes it for far
    expected = 100.0 * (np.linalg.norm(way[0]) / np.linalg.norm(truth["lamp.position"] - ball)) ** 2
    np.testing.assert_allclose(found["lamp.intensity"], expected, rtol=0.3)


def test_a_lamp_is_where_a_chrome_ball_mirrors_it(tmp_path):
    mirror = {"type": "mirror", "reflectance": [0.8] * 3}
    shine = {"type": "lambert", "albedo": [0.0] * 3, "emission": [5.0] * 3}
    lamp = {"type": "sphere", "center": [6.0, 9.0, 12.0], "radius": 1.5, "material": shine}
    truth = scene(material=mirror, shapes={"lamp": lamp}, camera={**CAMERA, "width": 120, "height": 100})
    start = truth.replace({**ELSEWHERE, "lamp.center": [-1.0, 0.0, 15.0]})
    problem = make_problem(start, photograph(truth, tmp_path), ["ball.center.x", "ball.center.y", "ball.radius",
                           "lamp.center"], start="image")  # fmt: skip
    found = started(problem)["lamp.center"]
    assert degrees(found - truth["ball.center"], truth["lamp.center"] - truth["ball.center"]) < 3.0
    assert "its mirror image in ball" in problem.notes[0]


def test_a_given_start_is_kept(tmp_path):
    truth = scene()
    free = {"ball.center.x": {"start": -0.7}, "ball.radius": {}}
    found = started(make_problem(truth.replace(ELSEWHERE), photograph(truth, tmp_path), free, start="image"))
    assert found["ball.center.x"] == -0.7 and found["ball.radius"] != 0.5
    # A light is told by the ball where that is given.
    elsewhere = truth.replace(ELSEWHERE)
    free = {"ball.center": {"start": truth["ball.center"]}, "ball.radius": {"start": 1.0}, "sun.direction": {}}
    found = started(make_problem(elsewhere, photograph(truth, tmp_path), free, start="image"))
    assert degrees(found["sun.direction"], SUN["direction"]) < 0.5


def test_an_exposure_that_nobody_told_is_read_too(tmp_path):
    truth = scene()
    target = photograph(truth, tmp_path, change=lambda image: 0.5 * image)
    problem = make_problem(truth, target, ["sun.direction"], exposure=True, start="image")
    assert started(problem)["exposure"] == pytest.approx(0.5, rel=0.1)


def test_what_no_image_tells_is_refused(tmp_path):
    truth = scene()
    target = photograph(truth, tmp_path)
    with pytest.raises(InputError, match=r"tells where a ball is.*free is only ball\.material"):
        make_problem(truth, target, ["ball.material.albedo"], start="image")
    gray = np.full((80, 96, 3), 0.2)
    with pytest.raises(InputError, match="no outline of ball is to be seen"):
        make_problem(truth, gray, ["ball.center"], start="image")
    with pytest.raises(InputError, match="no light of sun is to be seen on ball; give sun a start"):
        make_problem(truth, gray, ["sun.direction"], start="image")
    two = scene(lights={"lamp": {"type": "point", "position": [3, 3, 3], "intensity": [9.0] * 3}})
    with pytest.raises(InputError, match="sun and lamp shine together"):
        make_problem(two, target, ["sun.direction"], start="image")
    with pytest.raises(InputError, match='start: found "picture", allowed: one of scene, image'):
        make_problem(truth, target, ["sun.direction"], start="picture")


def test_the_command_says_its_start_in_a_line(tmp_path):
    truth = scene(camera={**CAMERA, "width": 48, "height": 40})
    photograph(truth, tmp_path)
    truth.replace({**ELSEWHERE, "sun.direction": [1.0, 1.0, -1.0]}).save(tmp_path / "scene.toml")
    free = ["ball.center.x", "ball.center.y", "ball.radius", "sun.direction"]
    words = ["fit", tmp_path / "scene.toml", "--target", tmp_path / "photograph.png", "--start", "image", "-o",
             tmp_path / "out", *(word for name in free for word in ("--free", name))]  # fmt: skip
    ran = subprocess.run([sys.executable, "-m", "diffrt", *map(str, words)], capture_output=True, text=True, check=True)
    assert "start from the image: ball is the circle at (" in ran.stderr.splitlines()[0]
    assert "converged" in ran.stdout and "note: start from the image" in ran.stdout
    fitted = diffrt.load_scene(tmp_path / "out/fitted.toml")
    assert degrees(fitted["sun.direction"], SUN["direction"]) < 0.3
    assert fitted["ball.radius"] == pytest.approx(1.0, abs=0.01)


def test_each_view_has_its_own_light_and_all_have_one_ball(tmp_path):
    truth, views = scene(), {}
    ways = {"left": [-1.0, 0.2, -0.4], "right": [1.0, 0.3, -0.6], "front": [0.1, -0.2, -1.0]}
    for number, (name, way) in enumerate(ways.items()):
        views[name] = {"target": photograph(truth.replace({"sun.direction": way}), tmp_path, seed=number)}
    free = ["ball.center.x", "ball.center.y", "ball.radius"]
    problem = make_problem(truth.replace(ELSEWHERE), views, free, each=["sun.direction", "sun.irradiance"],
                           start="image", values={"sun.irradiance": [[3.0] * 3] * 3})  # fmt: skip
    found = started(problem)
    assert np.abs([found[name][0] for name in free] - np.array([0.3, 0.2, 1.0])).max() < 0.04
    for name, way in ways.items():
        assert degrees(found[f"{name}.sun.direction"], np.array(way)) < 2.0
        assert found[f"{name}.sun.irradiance"] == pytest.approx(3.0)  # given in a table
    assert "in left, and so on in 3 views, by shading" in problem.notes[0]
