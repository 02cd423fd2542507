"""The front door: functions that show themselves, names and patterns, and results that say what went into them."""

import inspect
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest

import diffrt
from diffrt import InputError, autograd
from diffrt.autograd import pushforward

ROOT = Path(__file__).parents[1]
TINY = diffrt.load_scene(ROOT / "scenes/tiny.toml")


# Names.


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        ("ball.*", ["ball.center", "ball.radius", "ball.material.albedo"]),
        (["*.radius", "lamp.*"], ["ball.radius", "lamp.position", "lamp.intensity"]),
        ("lamp.position.[xz]", ["lamp.position.x", "lamp.position.z"]),
        ("ball.center.?", ["ball.center.x", "ball.center.y", "ball.center.z"]),
        (["ball.*", "ball.center"], ["ball.radius", "ball.material.albedo", "ball.center"]),
        (["*.radius", "ball.r*"], ["ball.radius"]),
    ],
)
def test_a_pattern_stands_for_what_it_matches_wherever_names_are_taken(names, meant):
    assert TINY.components(names) == TINY.components(meant)
    assert TINY.pack(names).tolist() == TINY.pack(meant).tolist()
    assert TINY.unpack(names, 0.9 * TINY.pack(names)) == TINY.unpack(meant, 0.9 * TINY.pack(meant))


def test_a_pattern_gives_many_parameters_one_value_and_a_name_says_more():
    moved = TINY.replace({"*.albedo": [0.5, 0.5, 0.5], "ball.material.albedo": [0.1, 0.2, 0.3]})
    assert moved["floor.material.albedo"].tolist() == [0.5, 0.5, 0.5]
    assert moved["ball.material.albedo"].tolist() == [0.1, 0.2, 0.3]


@pytest.mark.parametrize("names", ["bal.*", ["ball.radius", "bal.*"]])
def test_a_pattern_that_matches_nothing_is_refused_with_what_there_is(names):
    with pytest.raises(InputError, match=r"no parameter matches 'bal\.\*'; known: camera\.position, ") as fault:
        TINY.components(names)
    assert len(fault.value.problems) == 1


def test_two_names_of_one_number_are_refused_even_if_one_is_a_pattern():
    with pytest.raises(InputError, match=r"'ball\.center' and 'ball\.center\.x' name the same number"):
        TINY.components(["ball.*", "ball.center.x"])


# What went into an image is an attribute of it.


def test_a_report_is_there_whatever_the_image_is():
    lamp = autograd.variable(TINY.pack(["lamp.position"]))
    moved = TINY.replace({"lamp.position": lamp})
    image, variable = diffrt.render(TINY), diffrt.render(moved)
    by_ball, again = diffrt.jacobian(TINY, ["ball.*"]), diffrt.jacobian(moved, ["ball.radius"])
    assert isinstance(image, diffrt.Image) and isinstance(variable, autograd.Var) and isinstance(again, autograd.Var)
    assert image.report == variable.report == by_ball.report == again.report
    assert image.report.samples > 12 and image.report.crossings > 0
    assert image.copy().report == image.report and not hasattr(lamp, "report")
    assert type(image - image) is type(by_ball[..., 0]) is np.ndarray, "a part or a sum is no image any more"


@pytest.mark.parametrize("edges", ["exact", "ignore"])
def test_a_derivative_knows_the_names_of_its_numbers(edges):
    found = diffrt.jacobian(TINY, ["lamp.position", "ball.r*"], edges=edges)
    assert found.names == ("lamp.position.x", "lamp.position.y", "lamp.position.z", "ball.radius")
    assert found.shape == (3, 4, 3, 4)
    assert diffrt.jacobian(TINY, edges=edges).names == TINY.components("*")


DIRECTIONS = [
    (None, {"lamp.position": [1.0, -2.0, 0.5], "ball.radius": 0.1}),
    (["lamp.position", "ball.*"], {"ball.center.y": 2.0}),
    (["lamp.position", "ball.*"], {"ball.*": 1.0, "ball.radius": 0.0}),
    ("lamp.position", np.array([0.5, 0.0, -3.0])),
    (["ball.radius"], 2.0),
]


@pytest.mark.parametrize(("names", "direction"), DIRECTIONS)
def test_a_derivative_along_a_direction_is_what_the_jacobian_makes_of_it(names, direction, monkeypatch):
    whole = diffrt.jacobian(TINY, names)
    vector = direction
    if isinstance(direction, dict):
        speeds = {path: np.broadcast_to(v, len(TINY.components(n))) for n, v in direction.items()
                  for path in [n]}  # fmt: skip
        steps = dict.fromkeys(whole.names, 0.0)
        for name, speed in speeds.items():
            steps |= dict(zip(TINY.components(name), speed, strict=True))
        vector = np.array(list(steps.values()))
    count = []
    monkeypatch.setattr("diffrt.tracer.renderer.pushforward", lambda *given: count.append(given) or pushforward(*given))
    along = diffrt.jacobian(TINY, names, direction=direction)
    assert along.shape == (3, 4, 3) and len(count) == 1 and len(count[0][2][0]) == 1, "one pass of one column"
    assert np.allclose(along, whole @ np.atleast_1d(vector), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("direction", "words"),
    [
        ([1.0, 2.0], "direction: found an array of shape (2,), needed: 4 finite numbers"),
        (1.0, "direction: found an array of shape (), needed: 4 finite numbers"),
        ([0.0, 0.0, np.nan, 0.0], "needed: 4 finite numbers"),
        ("up", 'direction: found'),
        (autograd.variable(np.ones(4)), "direction: found Var("),
        ({"lamp.positon": 1.0}, "did you mean 'lamp.position'?"),
        ({"lamp.position": [1.0, 2.0]}, "direction: lamp.position: found an array of shape (2,), needed: 3"),
        ({"floor.point": 1.0}, "direction: floor.point: found floor.point.x, floor.point.y, floor.point.z, allowed"),
        ({"lamp.position": [1.0, "a", 2.0]}, "direction: lamp.position: found"),
    ],
)  # fmt: skip
def test_a_direction_that_does_not_fit_the_names_is_refused(direction, words):
    with pytest.raises(InputError) as fault:
        diffrt.jacobian(TINY, ["lamp.position", "ball.radius"], direction=direction)
    assert words in str(fault.value) and len(fault.value.problems) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("no lights", "the scene has no lights"),
        ({"lamp.intensity": [0.0, 0.0, 0.0]}, "the strength of every light is 0"),
        ({"lamp.position.y": -3.0}, "no light reaches what the camera sees"),
        ({}, ""),
    ],
)
def test_a_black_image_says_why_it_is_black(change, why):
    text = TINY.to_toml()
    scene = diffrt.parse_scene(text[: text.index("[lights")]) if change == "no lights" else TINY.replace(change)
    for found in (diffrt.render(scene), diffrt.jacobian(scene, ["ball.radius"])):
        assert found.report.black == why
        assert ("the image is black" in str(found.report)) == bool(why)


# Functions that show themselves.

FUNCTIONS = ("render", "jacobian", "check", "explain", "fit", "verify")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_shows_its_settings_with_their_types_and_what_it_gives(name):
    function = getattr(diffrt, name)
    assert inspect.isfunction(function) and name in dir(diffrt)
    signature, types = inspect.signature(function), get_type_hints(function)
    assert not any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()), "help() would hide the settings"
    assert types["return"] is not Any and {*signature.parameters} < {*types}
    words = inspect.getdoc(function)
    assert "Raises InputError" in words and "Returns" in words
    for setting, parameter in signature.parameters.items():
        assert re.search(rf"\b{setting}\b", words), f"{setting} is not in the words"
        if isinstance(parameter.default, str) and parameter.default:
            assert parameter.default in get_args(types[setting]), f"{setting} says what it may be"


@pytest.mark.parametrize("name", ["render", "jacobian", "check", "explain"])
def test_settings_are_given_by_name(name):
    kinds = [p.kind for p in inspect.signature(getattr(diffrt, name)).parameters.values()]
    first = {"render": 1, "jacobian": 2, "check": 2, "explain": 3}[name]
    assert all(kind is inspect.Parameter.KEYWORD_ONLY for kind in kinds[first:])
    with pytest.raises(TypeError):
        getattr(diffrt, name)(TINY, *["ball.radius"] * first)


def test_a_check_has_a_row_for_each_number_and_says_whether_all_is_well(monkeypatch):
    told = []
    checked = diffrt.check(TINY, ["lamp.position.[xy]", "ball.radius"], progress=told.append)
    assert tuple(told) == checked.rows
    assert [row.path for row in checked.rows] == ["lamp.position.x", "lamp.position.y", "ball.radius"]
    assert checked.ok and checked["ball.radius"].verdict == "right" and checked.report.crossings > 0
    assert "3 right, 0 wrong, 0 cannot be told" in str(checked) and "ball.radius" in checked._repr_html_()
    assert [row["verdict"] for row in checked.as_json()["parameters"]] == ["right"] * 3
    monkeypatch.setattr("diffrt.tracer.crossings.root", lambda g, x, *inputs: x)
    wrong = diffrt.check(TINY, "ball.radius")
    assert not wrong.ok and re.search(r"ball\.radius +wrong", str(wrong))


def test_a_check_of_a_scene_with_vars_is_that_of_its_numbers():
    free = TINY.replace({"ball.radius": autograd.variable(0.9)})
    assert diffrt.check(free, "ball.radius").rows == diffrt.check(TINY, "ball.radius").rows


def test_an_explanation_holds_the_derivative_and_its_paths(tmp_path):
    why = diffrt.explain(TINY, (2, 0), "ball.center.x", channel="r", paths=3)
    assert why.derivative == pytest.approx(diffrt.jacobian(TINY, ["ball.center.x"])[0, 2, 0, 0], rel=1e-10)
    assert why.value == pytest.approx(diffrt.render(TINY)[0, 2, 0], rel=1e-12)
    told = str(why)
    assert len(why.paths.listed) == 3 and f"{why.paths.total} paths" in told and "the 3 largest" in told
    assert why.graph.output.name == "pixel r" and "ball.center" in [n.name for n in why.graph.inputs]
    assert str(why) == why.text and why.text.splitlines()[0] in why._repr_html_() and "<pre>" in why._repr_html_()
    assert why.latex().startswith(r"\documentclass") and why.dot().startswith("digraph")
    for suffix, content in ((".txt", why.text + "\n"), (".tex", why.latex()), (".dot", why.dot())):
        why.save(tmp_path / f"why{suffix}")
        assert (tmp_path / f"why{suffix}").read_text() == content
    with pytest.raises(InputError, match=r"allowed: \.txt, \.tex, \.html, \.svg or \.dot"):
        why.save(tmp_path / "why.pdf")


def test_an_explanation_of_a_scene_with_vars_is_that_of_its_numbers():
    free = TINY.replace({"ball.radius": autograd.variable(0.9), "ball.center.x": autograd.variable(0.2)})
    assert diffrt.explain(free, (2, 0), "ball.center").text == diffrt.explain(TINY, (2, 0), "ball.center").text


def test_an_explanation_by_a_vector_is_that_by_its_numbers():
    whole = diffrt.explain(TINY, (2, 0), "ball.center", operations=True)
    assert whole.derivative.shape == (3,) and len(whole.graph.nodes) > 100
    parts = [diffrt.explain(TINY, [2, 0], f"ball.center.{axis}").derivative for axis in "xyz"]
    assert np.allclose(whole.derivative, parts, rtol=1e-10)
    assert np.allclose(diffrt.explain(TINY, (2, 0), "ball.cen*").derivative, parts, rtol=1e-10)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("scene.toml", (2, 0), "ball.center"), 'explain: found "scene.toml", needed: a Scene'),
        ((TINY, (4, 0), "ball.center"), "pixel: found 4,0, allowed: 0,0 to 3,2"),
        ((TINY, 3, "ball.center"), "pixel: found 3, needed: two whole numbers"),
        ((TINY, (2, 0), "ball.centre"), "did you mean 'ball.center'?"),
        ((TINY, (2, 0), "ball.*"), 'wrt: "ball.*" matches ball.center, ball.radius, ball.material.albedo; needed: one'),
        ((TINY, (2, 0), ["ball.center"]), "needed: the name of a parameter"),
    ],
)
def test_what_cannot_be_explained_is_said_in_a_line(given, words):
    with pytest.raises(InputError) as fault:
        diffrt.explain(*given)
    assert words in str(fault.value) and len(fault.value.problems) == 1


@pytest.mark.parametrize("wrong", [{"channel": ["r"]}, {"paths": 0}, {"paths": True}, {"edges": "soft"}, {"cells": 0}])
def test_settings_of_an_explanation_are_checked(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))}: found"):
        diffrt.explain(TINY, (2, 0), "ball.center", **wrong)


def test_results_show_themselves_in_a_notebook():
    assert diffrt.render(TINY)._repr_png_().startswith(b"\x89PNG")
    by = diffrt.jacobian(TINY, ["lamp.position", "ball.radius"])
    assert by._repr_html_().count("<img") == 4 and "ball.radius" in by._repr_html_()
    assert diffrt.jacobian(TINY, direction={"ball.radius": 1.0})._repr_html_().count("<img") == 1
    assert by.reshape(12, 3, 4)._repr_html_() is None, "that is no picture any more"
    marked = diffrt.verify(lambda x: x * x * x, {"output / x": "2 x^2 < * 1"}, {"x": (1.0, 2.0)})
    assert "cannot be read" in marked._repr_html_() and "&lt; *" in marked._repr_html_()
    found = diffrt.fit(TINY, diffrt.render(TINY), ["lamp.intensity.r"])
    page = found._repr_html_()
    assert "lamp.intensity.r" in page and page.count("<img") == 3 and "<html" not in page
