"""What a fit is asked: names, patterns, ties, bounds, coordinates, and what is refused."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as pillow

from diffrt import load_scene, render
from diffrt.errors import InputError
from diffrt.fitting import make_problem, read_problem
from diffrt.fitting.bounds import Endless
from diffrt.fitting.variables import Free, Variables
from diffrt.image import Image
from diffrt.photograph import Photograph
from diffrt.scene import parse_scene

TINY = load_scene("scenes/tiny.toml")
TARGET = np.asarray(render(TINY))
NUMBERS = st.floats(-3.0, 3.0)


def refused(*words, **changes):
    """What making a fit with some changes is refused with."""
    settings = {"scene": TINY, "target": TARGET, "free": ["lamp.position"], **changes}
    with pytest.raises(InputError) as fault:
        make_problem(**settings)
    for word in words:
        assert word in str(fault.value)
    return fault.value.problems


# Coordinates.


@given(st.tuples(NUMBERS, NUMBERS, NUMBERS).filter(lambda d: np.linalg.norm(d) > 0.1), NUMBERS, NUMBERS)
def test_a_direction_keeps_its_length_and_is_found_again(start, a, b):
    free = Free("sun.direction", ("x", "y", "z"), "direction", np.array(start), np.full(3, -np.inf), np.full(3, np.inf))
    there = free.values(np.array([a, b]))
    assert np.linalg.norm(there) == pytest.approx(np.linalg.norm(start))
    assert free.coordinates(there) == pytest.approx([a, b], abs=1e-9)
    assert free.values(np.zeros(2)) == pytest.approx(np.array(start))


@given(st.lists(NUMBERS, min_size=6, max_size=6))
def test_slopes_of_coordinates_are_those_of_differences(u):
    inf = np.full(3, np.inf)
    variables = Variables((
        Free("a", ("a.x", "a.y", "a.z"), "direction", np.array([1.0, 2.0, -0.5]), -inf, inf),
        Free("b", ("b",), "positive", np.ones(1), np.zeros(1), inf[:1]),
        Free("c", ("c.x", "c.y", "c.z"), "plain", np.zeros(3), -inf, inf),
    ))  # fmt: skip
    u = np.array(u)
    slopes = variables.slopes(u)
    assert slopes.shape == (7, 6)
    for k, e in enumerate(np.eye(6)):
        h = 1e-3
        near, far = ((variables.numbers(u + s * e) - variables.numbers(u - s * e)) / (2 * s) for s in (h, 2 * h))
        assert slopes[:, k] == pytest.approx((4 * near - far) / 3, abs=1e-8 * max(1.0, np.abs(slopes).max()))


def test_each_parameter_gets_its_natural_coordinates():
    scene = load_scene("scenes/gallery.toml")
    target = np.ones((scene.camera.height, scene.camera.width, 3))
    names = [p.path for p in scene.parameters()]
    radius = next(n for n in names if n.endswith(".radius"))
    normal = next(n for n in names if n.endswith(".normal"))
    problem = make_problem(scene, target, [radius, normal, "camera.fov", "lamp.intensity"])
    assert [f.kind for f in problem.variables.free] == ["positive", "direction", "plain", "plain"]
    assert problem.variables.labels[1:3] == (normal, normal)
    forced = make_problem(scene, target, {"lamp.intensity": {"positive": True, "start": 3.0}})
    assert forced.variables.free[0].kind == "positive" and forced.variables.start == pytest.approx(np.log([3.0] * 3))


@given(st.lists(st.floats(-30.0, 30.0), min_size=4, max_size=4))
def test_coordinates_without_ends_stay_in_their_bounds(v):
    inf = np.inf
    ends = Endless(np.array([-1.0, 2.0, -inf, -inf]), np.array([3.0, inf, 5.0, inf]))
    v = np.array(v)
    u, slope = ends.inside(v)
    assert (u >= ends.lower).all() and (u <= ends.upper).all()
    h = 1e-5
    difference = (ends.inside(v + h)[0] - ends.inside(v - h)[0]) / (2 * h)
    assert slope == pytest.approx(difference, abs=1e-7)
    again, _ = ends.inside(ends.outside(u))
    assert again == pytest.approx(u, abs=2e-6)
    assert (ends.inside(ends.outside(np.array([3.0, 2.0, 5.0, 0.0])))[1] != 0.0).all()


# Names.


def test_a_pattern_frees_what_it_matches_and_a_name_says_more_of_it():
    problem = make_problem(TINY, TARGET, {"ball.*": {}, "ball.radius": {"start": 0.4, "upper": 2.0}})
    assert [f.name for f in problem.variables.free] == ["ball.center", "ball.radius", "ball.material.albedo"]
    radius = problem.variables.free[1]
    assert radius.start == 0.4 and radius.upper == 2.0 and problem.scene["ball.radius"] == 0.4
    albedos = make_problem(TINY, TARGET, ["*.albedo"]).variables.components
    assert albedos == tuple(f"{s}.material.albedo.{c}" for s in ("floor", "ball") for c in "rgb")
    assert "exposure" not in str(make_problem(TINY, TARGET, ["b*", "lamp.*"]).variables.components)


def test_tied_parameters_are_one_number():
    problem = make_problem(TINY, TARGET, {"lamp.intensity.r": {"start": 7.0}}, {"lamp.intensity.g": "lamp.intensity.r"})
    assert problem.variables.components == ("lamp.intensity.r",)
    assert problem.scene["lamp.intensity"].tolist()[:2] == [7.0, 7.0]
    values = problem.variables.assign(np.array([9.0]))
    assert values == {"lamp.intensity.r": 9.0, "lamp.intensity.g": 9.0}


@pytest.mark.parametrize(
    ("ties", "words"),
    [
        ({"lamp.intensit": "lamp.position"}, "no parameter 'lamp.intensit'; did you mean 'lamp.intensity'?"),
        ({"ball.center": "ball.center.x"}, "'ball.center' is tied to 'ball.center.x', which is not free"),
        ({"lamp.position.x": "lamp.position"}, "'lamp.position.x' is tied or free already"),
        ({"ball.radius": "lamp.position"}, "hold different counts of numbers"),
    ],
)
def test_a_tie_that_cannot_be(ties, words):
    refused(words, ties=ties)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"free": []}, "free: found no parameter, needed: at least one"),
        ({"free": ["bal.*"]}, "no parameter matches 'bal.*'; known: camera.position"),
        ({"free": ["ball.centre"]}, "no parameter 'ball.centre'; did you mean 'ball.center'?"),
        ({"free": ["ball.center", "ball.center.x"]}, "name the same number; give only one of them"),
        (
            {"free": {"ball.center": {"lower": 1, "upper": 0}}},
            "lower bound [1.0, 1.0, 1.0] that is not under the upper",
        ),
        ({"free": {"ball.center": {"lower": 5}}}, "outside its bounds"),
        ({"free": {"ball.center": {"low": 5}}}, "ball.center.low: unknown key; did you mean 'lower'?"),
        ({"free": {"ball.center": {"start": [1, 2]}}}, "allowed: a number or 3 numbers"),
        ({"free": {"ball.center": 5}}, "found 5, needed: a table of start, lower, upper, positive"),
        ({"free": {"floor.normal": {"lower": 0}}}, "is a direction, which has no bounds"),
        ({"free": {"floor.normal": {"start": 0}}}, "length 0"),
        ({"free": {"ball.center": {"positive": True, "start": -1}}}, "needed: numbers over 0, as it is positive"),
        ({"free": {"ball.center": {"positive": 1}}}, "allowed: true or false"),
        ({"target": TARGET[:2]}, "target: found 4 x 2 pixels, needed: 4 x 3, as the camera has"),
        ({"target": TARGET[..., 0]}, "needed: numbers of shape (height, width, 3)"),
        ({"target": 0.0 * TARGET}, "every pixel is black; nothing can be recovered from it"),
        (
            {"target": Photograph(Image(TARGET), TARGET < 0.0, TARGET > -1.0)},
            "target: every pixel is clipped, and says only that there is more or less light",
        ),
        ({"target": np.nan * TARGET}, "holds values that are not finite"),
        ({"mask": np.ones((2, 2))}, "mask: found 2 x 2 pixels, needed: 4 x 3"),
        ({"mask": np.zeros((3, 4))}, "mask: leaves no pixel"),
        ({"mask": np.arange(12).reshape(3, 4) == 5, "free": ["ball.*"]}, "found 7 numbers, but the target has 3"),
        ({"loss": "huge"}, "loss: found \"huge\", allowed: one of squared, huber, soft_l1; did you mean 'huber'?"),
        ({"space": "log"}, 'space: found "log", allowed: one of linear, srgb'),
        ({"scale": 0}, "scale: found 0, allowed: a number from 1e-9 to 1e9"),
        ({"levels": [3, -1]}, "levels: found [3, -1], allowed: blurs from 0.1 to 10000 pixels"),
        ({"starts": 0}, "starts: found 0, allowed: a whole number from 1 to 4096"),
        ({"cell": 2}, "cell: unknown setting; did you mean 'cells'?"),
        ({"target": {}}, "views: found none"),
        ({"target": {"ball": {"target": TARGET}}}, 'views: found the name "ball"'),
        (
            {"target": {"left": {"target": TARGET, "camra": 1}}},
            "views.left: camra: unknown key; did you mean 'camera'?",
        ),
    ],
)
def test_a_fit_that_cannot_be(changes, words):
    refused(words, **changes)


def test_all_mistakes_are_told_at_once():
    found = refused(free=["lamp.positon", "ball.centre"], loss="none", target=TARGET[:1])
    assert len(found) == 4


# Fit files.

SCENE = TINY.to_toml()


def fit_file(folder, text):
    (folder / "scene.toml").write_text(SCENE)
    np.save(folder / "target.npy", TARGET)
    (folder / "fit.toml").write_text(text)
    return folder / "fit.toml"


GOOD = 'scene = "scene.toml"\ntarget = "target.npy"\nfree = ["lamp.position"]\n'


def test_a_fit_file_says_all(tmp_path):
    pillow.fromarray(np.array([[0, 255, 255, 255]] * 3, np.uint8)).save(tmp_path / "mask.png")
    text = GOOD + 'mask = "mask.png"\nexposure = true\nloss = "huber"\nscale = 0.1\nlevels = [2]\nspace = "srgb"\n'
    problem = read_problem(fit_file(tmp_path, text))
    assert problem.views[0].used.sum() == 9
    assert problem.variables.components[-1] == "exposure"
    assert problem.settings.loss == "huber" and problem.settings.levels == (2.0,) and len(problem.levels) == 2


def test_a_fit_file_of_views(tmp_path):
    text = """
scene = "scene.toml"
free = ["side.camera.position", "ball.center", "camera.fov"]
[views.front]
target = "target.npy"
exposure = true
[views.side]
target = "target.npy"
camera = { position = [3, 1, 1], target = [0, 0.5, 0], fov = 40, width = 4, height = 3 }
"""
    problem = read_problem(fit_file(tmp_path, text))
    names = [f.name for f in problem.variables.free]
    assert names == ["side.camera.position", "ball.center", "camera.fov", "front.exposure"]
    assert problem.views[1].scene["camera.position"].tolist() == [3.0, 1.0, 1.0]
    moved = problem.variables.assign(problem.variables.start + 0.5)
    assert problem.views[1].placed(moved)["camera.position"].tolist() == [3.5, 1.5, 1.5]
    assert problem.views[1].placed(moved)["camera.fov"] == 40.0
    assert problem.views[0].placed(moved)["camera.fov"] == TINY["camera.fov"] + 0.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + "mask = 5\n", "mask: found 5; needed: the path of an image"),
        (GOOD + 'encoding = "gamma"\n', 'encoding: found "gamma"; allowed: "srgb" or "linear"'),
        (GOOD + "exposure = 2\n", "exposure: found 2; allowed: true or false"),
        (GOOD + "ties = 3\n", 'ties: found 3; needed: lines such as "right.intensity" = "left.intensity"'),
        (GOOD + "views = {}\n", "views: found {}; needed: a table for each view"),
        (GOOD + "[views.a]\ntarget = 'target.npy'\n", "target: found with views; it belongs into each of them"),
        ('scene = "scene.toml"\n[views.a]\ntarget = "target.npy"\nfoo = 1\n', "views.a.foo: unknown key"),
        ('scene = "scene.toml"\nfree = ["ball.center"]\n[views.a]\ntarget = "target.npy"\ncamera = { fov = 3 }\n',
         "views.a.camera.position: missing"),
    ],
)  # fmt: skip
def test_a_fit_file_that_cannot_be(tmp_path, text, words):
    with pytest.raises(InputError, match=re.escape(words)):
        read_problem(fit_file(tmp_path, text))


def test_a_start_that_no_scene_can_have_is_told():
    scene = parse_scene(SCENE)
    with pytest.raises(InputError, match="camera"):
        make_problem(scene, TARGET, {"camera.target": {"start": scene["camera.position"]}})
