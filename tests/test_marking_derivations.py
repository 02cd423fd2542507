"""Marking derivations: a corpus of hand derivations, half of them wrong in a known way, and bad input."""

import os
import time
import warnings

import numpy as np
import pytest
from fuzz.pace import pace
from hypothesis import given as given_by
from hypothesis import settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from diffrt import autograd as ag
from diffrt.autograd import named
from diffrt.commands import app
from diffrt.errors import InputError
from diffrt.marking import check_gradient, load_derivation, verify
from diffrt.marking.formula import Formula
from diffrt.marking.reading import parse_derivation
from diffrt.marking.spelling import spelled
from diffrt.marking.work import Overworked, at_most, spend

X, X3, X2 = {"x": {"domain": [0.3, 1.7]}}, {"x": {"shape": [3], "domain": [0.3, 1.7]}}, {
    "x": {"shape": [2], "domain": [0.3, 1.7]}
}  # fmt: skip
TWO = {"x": {"domain": [0.3, 1.7]}, "w": {"domain": [0.4, 1.9]}}
CHAIN = {"u": "x^2", "v": "sin(u)", "y": "exp(v)"}
DIAMOND = {"a": "sum(x)", "b": "sum(ln(x))", "y": "exp(x) * a / b", "L": "sum(y)"}
MATRIX = {"A": {"shape": [2, 2], "domain": [0.3, 1.7]}, "x": {"shape": [2], "domain": [0.3, 1.7]}}
WIDE = {"A": {"shape": [2, 3], "domain": [0.3, 1.7]}, "x": {"shape": [3], "domain": [0.3, 1.7]}}
TWO_PATHS = {"a": "x^2", "b": "sin(x)", "y": "a * b"}
SMALL = {"y": "1e-9 * x^3"}

# name, inputs, definitions, table, left side, formula, verdict, kind of the diagnosis
CORPUS = [
    ("power", X, {"y": "x^3"}, "partials", "y / x", "3 * x^2", "right", None),
    ("power without its factor", X, {"y": "x^3"}, "partials", "y / x", "x^2", "wrong", "factor"),
    ("power with the old exponent", X, {"y": "x^3"}, "partials", "y / x", "3 * x^3", "wrong", "monomial"),
    ("sine", X, {"y": "sin(2 * x)"}, "partials", "y / x", "2 * cos(2 * x)", "right", None),
    ("sine without the inner factor", X, {"y": "sin(2 * x)"}, "partials", "y / x", "cos(2 * x)", "wrong", "factor"),
    ("sine for cosine", X, {"y": "sin(x)"}, "partials", "y / x", "sin(x)", "wrong", "monomial"),
    ("sine for cosine inside", X, {"y": "sin(3 * x)"}, "partials", "y / x", "3 * sin(3 * x)", "wrong", "monomial"),
    ("cosine", X, {"y": "cos(x)"}, "partials", "y / x", "-sin(x)", "right", None),
    ("cosine without the sign", X, {"y": "cos(x)"}, "partials", "y / x", "sin(x)", "wrong", "factor"),
    ("quotient", TWO, {"y": "x / w"}, "partials", "y / w", "-x / w^2", "right", None),
    ("quotient without the sign", TWO, {"y": "x / w"}, "partials", "y / w", "x / w^2", "wrong", "factor"),
    ("quotient without a power", TWO, {"y": "x / w"}, "partials", "y / w", "-x / w", "wrong", "monomial"),
    ("quotient by the numerator", TWO, {"y": "x / w"}, "partials", "y / x", "1 / w", "right", None),
    ("exponential", TWO, {"y": "exp(x * w)"}, "partials", "y / x", "w * exp(x * w)", "right", None),
    ("exponential, chain forgotten", TWO, {"y": "exp(x * w)"}, "partials", "y / x", "exp(x * w)", "wrong", "monomial"),
    ("exponential, other inner one", TWO, {"y": "exp(x * w)"}, "partials", "y / x", "x * exp(x * w)", "wrong",
     "monomial"),
    ("logarithm", X, {"y": "ln(x^2 + 1)"}, "partials", "y / x", "2 * x / (x^2 + 1)", "right", None),
    ("logarithm, chain forgotten", X, {"y": "ln(x^2 + 1)"}, "partials", "y / x", "1 / (x^2 + 1)", "wrong", "chain"),
    ("logarithm, half a chain", X, {"y": "ln(x^2 + 1)"}, "partials", "y / x", "x / (x^2 + 1)", "wrong", "factor"),
    ("root", X, {"y": "sqrt(1 + x^2)"}, "partials", "y / x", "x / sqrt(1 + x^2)", "right", None),
    ("root, factor 2", X, {"y": "sqrt(1 + x^2)"}, "partials", "y / x", "2 * x / sqrt(1 + x^2)", "wrong", "factor"),
    ("root, not under it", X, {"y": "sqrt(1 + x^2)"}, "partials", "y / x", "x / (1 + x^2)", "wrong", "monomial"),
    ("tanh", X, {"y": "tanh(x)"}, "partials", "y / x", "1 - tanh(x)^2", "right", None),
    ("tanh of the value", X, {"y": "tanh(x)"}, "partials", "y / x", "1 - y^2", "right", None),
    ("sigmoid", X, {"y": "sigmoid(x)"}, "partials", "y / x", "y * (1 - y)", "right", None),
    ("sigmoid without its other half", X, {"y": "sigmoid(x)"}, "partials", "y / x", "y", "wrong", "monomial"),
    ("tan", X, {"y": "tan(x / 2)"}, "partials", "y / x", "(1 + y^2) / 2", "right", None),
    ("power tower", TWO, {"y": "x^w"}, "partials", "y / w", "ln(x) * x^w", "right", None),
    ("power tower, the other rule", TWO, {"y": "x^w"}, "partials", "y / w", "w * x^(w - 1)", "wrong", "monomial"),
    ("chain, step", X, CHAIN, "partials", "v / u", "cos(u)", "right", None),
    ("chain, step, total for partial", X, CHAIN, "totals", "y / x", "v * cos(u) * 2 * x * exp(v) / v", "right", None),
    ("chain, total", X, CHAIN, "totals", "y / x", "exp(v) * cos(u) * 2 * x", "right", None),
    ("chain, inner one forgotten", X, CHAIN, "totals", "y / x", "exp(v) * cos(u)", "wrong", "chain"),
    ("chain, middle one forgotten", X, CHAIN, "totals", "y / x", "exp(v) * 2 * x", "wrong", "chain"),
    ("chain, sign", X, CHAIN, "totals", "y / x", "-exp(v) * cos(u) * 2 * x", "wrong", "factor"),
    ("chain, path", X, CHAIN, "paths", "x > u > v > y", "2 * x * cos(u) * exp(v)", "right", None),
    ("chain, path without a step", X, CHAIN, "paths", "x > u > v > y", "cos(u) * exp(v)", "wrong", "monomial"),
    ("diamond, total", X, TWO_PATHS, "totals", "y / x", "2 * x * b + a * cos(x)", "right", None),
    ("diamond, one path", X, TWO_PATHS, "totals", "y / x", "2 * x * b", "wrong", "path"),
    ("diamond, the other path", X, TWO_PATHS, "totals", "y / x", "a * cos(x)", "wrong", "path"),
    ("diamond, minus", X, TWO_PATHS, "totals", "y / x", "2 * x * b - a * cos(x)", "wrong", "sign of a path"),
    ("diamond, partial", X, TWO_PATHS, "partials", "y / a", "b", "right", None),
    ("total for partial", X, {"a": "x^2", "y": "a * x"}, "partials", "y / x", "3 * x^2", "wrong", "total"),
    ("partial beside a total", X, {"a": "x^2", "y": "a * x"}, "partials", "y / x", "a", "right", None),
    ("partial for total", X, {"a": "x^2", "y": "a * x"}, "totals", "y / x", "a", "wrong", "path"),
    ("activation, right", X3, DIAMOND, "partials", "y[i] / a", "exp(x[i]) / b", "right", None),
    ("activation, factor a", X3, DIAMOND, "partials", "y[1] / a", "exp(x[1]) * a / b", "wrong", "monomial"),
    ("activation, total by x", X3, DIAMOND, "totals", "L / x[0]",
     "y[0] + sum(exp(x)) / b - sum(exp(x)) * a / b^2 / x[0]", "right", None),
    ("activation, paths through b missing", X3, DIAMOND, "totals", "L / x[0]", "y[0] + sum(exp(x)) / b", "wrong",
     "path"),
    ("activation, one path missing", X3, DIAMOND, "totals", "L / x[0]",
     "y[0] + (exp(x[0]) + exp(x[1])) / b - sum(exp(x)) * a / b^2 / x[0]", "wrong", "path"),
    ("matrix times vector", MATRIX, {"y": "A @ x"}, "partials", "y / x", "A", "right", None),
    ("matrix times vector, transposed", MATRIX, {"y": "A @ x"}, "partials", "y / x", "transpose(A)", "wrong",
     "transposed"),
    ("wide matrix, transposed", WIDE, {"y": "A @ x"}, "partials", "y / x", "transpose(A)", "wrong", "transposed"),
    ("wide matrix", WIDE, {"y": "A @ x"}, "partials", "y / x", "A", "right", None),
    ("wide matrix, an entry", WIDE, {"y": "A @ x"}, "partials", "y[i] / A[j, k]", "where(i == j, x[k], 0)", "right",
     None),
    ("matrix times vector, an entry", MATRIX, {"y": "A @ x"}, "partials", "y[1] / A[1, 0]", "x[0]", "right", None),
    ("matrix, entries the wrong way", MATRIX, {"y": "A @ x"}, "partials", "y[0] / x[1]", "A[1, 0]", "wrong",
     "transposed"),
    ("softmax", X3, {"s": "softmax(x)"}, "partials", "s / x", "diag(s) - outer(s, s)", "right", None),
    ("softmax, only the diagonal", X3, {"s": "softmax(x)"}, "partials", "s[0] / x[1]", "s[0] * (1 - s[1])", "wrong",
     "part"),
    ("softmax, sign beside the diagonal", X3, {"s": "softmax(x)"}, "partials", "s[0] / x[1]", "s[0] * s[1]", "wrong",
     "factor"),
    ("norm", X3, {"r": "sqrt(sum(x^2))"}, "partials", "r / x", "x / r", "right", None),
    ("norm, squared", X3, {"r": "sqrt(sum(x^2))"}, "partials", "r / x[1]", "x[1] / r^2", "wrong", "monomial"),
    ("small scale", X, SMALL, "partials", "y / x", "3e-9 * x^2", "right", None),
    ("small scale, factor 2", X, SMALL, "partials", "y / x", "6e-9 * x^2", "wrong", "factor"),
    ("small scale, plus a little", X, SMALL, "partials", "y / x", "3e-9 * x^2 + 1e-12", "wrong", None),
    ("square, one use", X, {"y": "x * x"}, "partials", "y / x", "x", "wrong", "accumulation"),
    ("product rule, one use", X, {"y": "x * sin(x)"}, "partials", "y / x", "sin(x)", "wrong", "accumulation"),
    ("product rule, other use", X, {"y": "x * sin(x)"}, "partials", "y / x", "x * cos(x)", "wrong", "accumulation"),
    ("product rule", X, {"y": "x * sin(x)"}, "partials", "y / x", "sin(x) + x * cos(x)", "right", None),
    ("three uses, one missing", X, {"y": "x * sin(x) * exp(x)"}, "partials", "y / x",
     "sin(x) * exp(x) + x * cos(x) * exp(x)", "wrong", "accumulation"),
    ("relu", X, {"y": "relu(x - 1)"}, "partials", "y / x", "where(x > 1, 1, 0)", "right", None),
    ("absolute value", X, {"y": "abs(x - 1)"}, "partials", "y / x", "sign(x - 1)", "right", None),
    ("absolute value without a sign", X, {"y": "abs(x - 1)"}, "partials", "y / x", "1", "wrong", None),
    ("maximum", TWO, {"y": "max(x, w)"}, "partials", "y / x", "where(x > w, 1, 0)", "right", None),
    ("cancellation", X, {"y": "sin(x)^2 + cos(x)^2"}, "partials", "y / x", "0", "right", None),
    ("not a number somewhere", X, {"y": "x^2"}, "partials", "y / x", "2 * x * sqrt(x - 1) / sqrt(x - 1)",
     "cannot tell", None),
]  # fmt: skip


def marked(inputs, definitions, table, left, formula, **more):
    return parse_derivation({"inputs": inputs, "definitions": definitions, table: {left: formula}, **more}).mark()


@pytest.mark.parametrize("case", CORPUS, ids=[c[0] for c in CORPUS])
def test_corpus(case):
    _, inputs, definitions, table, left, formula, verdict, kind = case
    lines = marked(inputs, definitions, table, left, formula).lines
    assert {line.verdict for line in lines} == {verdict}
    if kind:
        assert kind in [d.kind for d in lines[0].diagnoses], lines[0]


def test_the_corpus_is_large_and_half_of_it_wrong():
    wrong = sum(c[6] == "wrong" for c in CORPUS)
    assert len(CORPUS) >= 60 and 0.4 < wrong / len(CORPUS) < 0.65
    # Two of them have no simple reason; the others are diagnosed.
    assert sum(c[6] == "wrong" and c[7] is not None for c in CORPUS) >= 0.9 * wrong


def test_a_value_between_the_slopes_at_a_kink_is_a_subgradient():
    for formula, verdict in (("where(x > 1, 1, where(x < 1, 0, 0.3))", "right"),
                             ("where(x > 1, 1, where(x < 1, 0, 1.2))", "wrong")):  # fmt: skip
        (line,) = marked(X, {"y": "relu(x - 1)"}, "partials", "y / x", formula, points=[{"x": 1.0}]).lines
        assert line.verdict == verdict
        assert (line.detail == "a subgradient at a kink") == (verdict == "right")
    assert line.detail.endswith("all with x = 1")


def test_diagnoses_name_factors_and_effects_add_up():
    found = load_derivation("examples/lecture/activation.toml").mark()
    assert found["y[0] / x[0]"].diagnoses[0].text == "yours = right * a"
    assert found["y[2] / a"].diagnoses[0].text == "yours = right * a * x[2]"
    assert found["y[1] / b"].diagnoses[0].text == "yours = right * x[1]"
    wrong = [line for line in found.lines if line.verdict == "wrong"]
    assert len(wrong) == 9 and all(line.effect > 0.0 and line.share > 0.0 for line in wrong)


def test_another_reading_is_told():
    found = load_derivation("examples/lecture/activation_second_reading.toml").mark()
    assert len(found.lines) == 9
    assert all(line.verdict == "wrong" and line.reading == "cos(e^{x_i a / b})" for line in found.lines)
    assert "right for cos(e^{x_i a / b})" in str(found)


def test_a_pixel_worked_out_by_hand_is_confirmed():
    found = load_derivation("examples/lecture/pixel_by_hand.toml").mark()
    assert {line.verdict for line in found.lines} == {"right"} and len(found.lines) == 37


def test_steps_of_a_pixel_have_names_in_formulas_and_one_of_them_may_be_the_output():
    assert spelled("crossing, outline of ball (2)") == "crossing_outline_of_ball_2" and spelled("t (ball)") == "t_ball"
    given = {"file": "scenes/tiny.toml", "pixel": [2, 0], "channel": "r"}
    claims = {"partials": {"to_light[0] / distance": "-to_light[0] / distance"}, "totals": {}}
    found = parse_derivation({"scene": given, "output": "to_light", **claims}).mark()
    assert found.lines[0].verdict == "right"
    with pytest.raises(InputError, match="output: there is no quantity"):
        parse_derivation({"scene": given, "output": "to_lihgt", **claims})


def test_a_wrong_partial_of_a_pixel_is_found():
    given = {"file": "scenes/tiny.toml", "pixel": [2, 0], "channel": "r"}
    partials = {"falloff / lamp.position[1]": "-2 * to_light[1] / distance^2"}
    (line,) = parse_derivation({"scene": given, "partials": partials}).mark().lines
    assert line.verdict == "wrong" and line.diagnoses[0].text == "yours = right * distance"


def test_python_functions_are_marked():
    def f(x, w):
        a = named(ag.sum(x), "a")
        y = named(ag.exp(x) * a, "y")
        return w * ag.sum(y)

    found = verify(
        f,
        {"y[i] / a": "exp(x[i])", "a / x[i]": lambda **_: 1.0, "output / w": lambda y, **_: 2.0 * ag.sum(y)},
        {"x": (0.3, 1.7, (3,)), "w": (0.4, 1.9)},
        totals={"output / w": "sum(y)"},
    )
    assert [line.verdict for line in found.lines] == ["right"] * 6 + ["wrong", "right"]
    assert found.lines[6].diagnoses[0].text == "yours = right * 2"


def test_check_gradient():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 1.5, 4)
    assert check_gradient(lambda v: ag.sum(ag.exp(v) * v), x).ok
    assert check_gradient(lambda v: 1e-9 * ag.sin(v), x).ok
    assert check_gradient(lambda v: ag.sum(ag.exp(v)), x).slope == pytest.approx(2.0, abs=0.1)
    assert check_gradient(lambda v: 3.0 * v, x).slope == np.inf
    assert check_gradient(lambda v: ag.maximum(v, 1.0), 1.0).lines[0].detail == "a subgradient at a kink"
    # A rule that is wrong: a constant where the derivative flows.
    broken = check_gradient(lambda v: v * v.detach(), 1.3)
    assert broken.slope == pytest.approx(1.0, abs=0.1)
    assert not broken.ok and broken.lines[0].yours == pytest.approx(1.3)
    assert not check_gradient(lambda v: 1e-9 * v * v.detach(), 1.3).ok
    with pytest.raises(InputError, match="does not depend on x"):
        check_gradient(lambda v: 1.0, 1.0)


X1 = {"inputs": X, "definitions": {"y": "x^2"}, "partials": {"y / x": "2 * x"}}

BAD_FILES = [
    ({"definitions": {"y": "z + x"}}, "there is no quantity z"),
    ({"definitions": {"y": "log(x - 5)"}}, "is not defined there"),
    ({"definitions": {"y": "a + x", "a": "y"}}, "a quantity is defined by itself"),
    ({"definitions": {"y": "+".join(["x"] * 10**6)}}, "allowed: 10,000"),
    ({"definitions": {"y": 10**400}}, "needed: a number below 1e308"),
    ({"definitions": {"y": "ones(1000, 1000, 1000)"}}, "1,000,000,000 entries, allowed: 10,000"),
    ({"definitions": {"y": "zeros(1e999)"}}, "needed: a number below 1e308"),
    ({"definitions": {"y": {}}}, "a formula is text"),
    ({"partials": {}}, "there is nothing to check"),
    ({"partials": 3}, "needed: a table"),
    ({"inputs": {"x": {"domain": [2, 1]}}}, "the smaller one first"),
    ({"inputs": {"x": {"domain": [-1e308, 1e308]}}}, "from -1e100 to 1e100"),
    ({"inputs": {"x": {"domain": [0, 10**400]}}}, "found [0, a whole number of 1329 bits]"),
    ({"inputs": {"x": {"shape": [0]}}}, "shape"),
    ({"inputs": {"x": {"shape": [True]}}}, "found [true], needed: up to three whole numbers"),
    ({"inputs": {"x": {"shape": [100, 100, 100]}}}, "1,000,000 entries, allowed: 10,000"),
    ({"inputs": {"x": {"shape": [[[[[[[[[[1]]]]]]]]]]}}}, "found [[["),
    ({"inputs": {"exp": {}}}, "a name is letters"),
    ({"inputs": {"class": {}}}, "a name is letters"),
    ({"inputs": {"x" * 10**6: {}}}, "a name is letters"),
    ({"colour": 1}, "is not known"),
    ({"points": [{"x": "a"}]}, "points.x: found \"a\", needed: a number"),
    ({"points": [{"x": [[[[1]]]]}]}, "needed: a number"),
    ({"points": [{"x": 10**400}]}, "a whole number of 1329 bits, needed: a number"),
    ({"points": [{}]}, "there is no value for x"),
    ({"points": [{"x": 1, "z": 1}]}, "there is no input"),
    ({"output": "q"}, "there is no quantity q"),
    ({"output": [1]}, "needed: the name of a quantity"),
    ({"readings": {"other": 3}}, "needed: a table of definitions"),
    ({"readings": {"other" * 99: {"y": "x"}}}, "the name has 495 characters, allowed: 200"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "told"), BAD_FILES, ids=range(len(BAD_FILES)))
def test_what_all_lines_need_is_one_clear_line_for_each_mistake(change, told):
    with pytest.raises(InputError) as fault:
        parse_derivation({**X1, **change}).mark()
    assert told in str(fault.value) and len(fault.value.problems) == 1
    assert all(len(p) <= 400 and "\n" not in p for p in fault.value.problems)


def test_all_mistakes_of_a_file_are_told_at_once():
    with pytest.raises(InputError) as fault:
        parse_derivation({"inputs": {"x": {"shape": 3}, "w": 1}, "definitions": {"y": "1 +"}, "colour": 1,
                          "partials": {"y / x": "1"}})  # fmt: skip
    assert len(fault.value.problems) == 1  # an unknown table; what is in the others is looked at when it is gone
    with pytest.raises(InputError) as fault:
        parse_derivation({"inputs": {"x": {"shape": 3}, "w": 1}, "definitions": {"y": "1 +"}, "short": {"x": "("},
                          "partials": {"y / x": "1"}})  # fmt: skip
    assert len(fault.value.problems) == 5


BAD_SCENES = [
    ({"channel": {"a": 1}}, 'scene.channel: found {"a": 1}, needed: r, g, b, luminance'),
    ({"channel": "x"}, "scene.channel"),
    ({"pixel": [True, 0]}, "scene.pixel"),
    ({"pixel": [10**400, 0]}, "pixel"),
    ({"pixel": 3}, "scene.pixel: found 3"),
    ({"cells": 0}, "scene.cells: found 0, needed: a whole number from 1 to 8"),
    ({"cells": "a"}, "scene.cells"),
    ({"edges": ["exact"]}, "scene.edges"),
    ({"file": 3}, "scene.file"),
    ({"file": "/dev/zero"}, "a file is needed"),
    ({"colour": 3}, "scene.colour: unknown key"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "told"), BAD_SCENES, ids=range(len(BAD_SCENES)))
def test_a_bad_scene_table_is_one_clear_line(change, told):
    given = {"file": "scenes/tiny.toml", "pixel": [2, 0], **change}
    with pytest.raises(InputError) as fault:
        parse_derivation({"scene": given, "partials": {"y / x": "1"}})
    assert told in str(fault.value) and len(fault.value.problems) == 1


BAD_LINES = [
    ({"partials": {"y / b": "1"}}, "there is no quantity b"),
    ({"partials": {"y / x": "q"}}, "there is no quantity q"),
    ({"definitions": {"a": "x", "b": "a", "y": "b"}, "partials": {"y / x": "1"}}, "the edges to y: y / b"),
    ({"totals": {"x / y": "1"}}, "x does not depend on y"),
    ({"paths": {"x > b > y": "1"}}, "there is no quantity b"),
    ({"partials": {"y / x": "__import__('os').system('touch /tmp/harm')"}}, "not allowed in a formula"),
    ({"partials": {"y / x": "x.__class__.__base__"}}, "there is no quantity"),
    ({"partials": {"y / x": "(lambda: 1)()"}}, "not allowed in a formula"),
    ({"partials": {"y / x": "[c for c in x]"}}, "not allowed in a formula"),
    ({"partials": {"y / x": "open('x')"}}, "' is not allowed in a formula"),
    ({"partials": {"y / x": ""}}, "the formula is empty"),
    ({"partials": {"y / x": "1 +"}}, "cannot be read"),
    ({"partials": {"y / x": "2) * (x"}}, "unmatched ')'"),
    ({"partials": {"y / x": "2 * x # as I think"}}, "there are no comments"),
    ({"partials": {"y / x": "(" * 500 + "1" + ")" * 500}}, "nested"),
    ({"partials": {"y / x": "-" * 5000 + "x"}}, "nested"),
    ({"partials": {"y / x": "x\u200b"}}, "U+200B"),
    ({"partials": {"y / x": "x[0x" + "f" * 5000 + "]"}}, "does not fit the shape ()"),
    ({"partials": {"y / x": "1e999"}}, "found inf, needed: a number below 1e308"),
    ({"partials": {"y / x": float("nan")}}, "found nan, needed: a number below 1e308"),
    ({"partials": {"y / x": "sum(x, 0)"}}, "has 2 arguments, needed: 1"),
    ({"partials": {"y / x": "max()"}}, "has 0 arguments, needed: 1 or more"),
    ({"partials": {"y / x": "ones(100, 1) * ones(1, 1000)"}}, "100,000 entries, allowed: 10,000"),
    ({"partials": {"y / x": "outer(ones(200), ones(200))"}}, "40,000 entries, allowed: 10,000"),
    ({"partials": {"y / x": "ones(1000, 1) @ ones(1, 1000)"}}, "1,000,000 entries, allowed: 10,000"),
    ({"partials": {"y / x": "softmax(x)"}}, "needs a vector, found a number"),
    ({"partials": {"y / x": "normalize(x * x)"}}, "needs a vector, found a number"),
    ({"partials": {"y / x": True}}, "a formula is text, found true"),
    ({"partials": {"y / x": "[1, 2, 3]"}}, "needed: ()"),
    ({"partials": {"y / x": "2 * u"}, "short": {"u": "v"}}, "short.u: there is no quantity v"),
    ({"partials": {"y / x[0]": "1"}}, "does not fit"),
    ({"partials": {"y / x": "[1, 2, 3] @ [1, 2]"}}, "shapes (3,) and (2,) do not fit"),
    ({"partials": {"y": "1"}}, 'needed: "y / a"'),
    ({"partials": {"y / " + "x" * 10**5: "1"}}, "allowed: 200"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "told"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_line_that_cannot_be_read_says_why_and_the_others_are_marked(change, told):
    given = {**X1, **change}
    given["definitions"] = {**given["definitions"], "z": "x^3"}
    given["partials"] = {**given["partials"], "z / x": "3 * x^2"} if "partials" in change else {"z / x": "3 * x^2"}
    found = parse_derivation(given).mark()
    (bad,) = [line for line in found.lines if line.verdict != "right"]
    assert bad.verdict == "cannot be read" and told in bad.detail and not found.ok
    assert found["z / x"].verdict == "right" and "1 cannot be read" in str(found)
    assert max(map(len, str(found).splitlines())) < 800


def test_a_power_is_written_either_way():
    given = {"x": 3.0, "a": 2.0}
    assert Formula("x*a^2", "f")(given) == Formula("x * a**2", "f")(given) == 12.0
    assert Formula("-a^2", "f")(given) == -4.0


def test_the_check_sees_a_broken_rule(monkeypatch):
    from diffrt.autograd.variable import TABLE, Op

    row = TABLE["sin"]
    wrong = Op(row.name, row.forward, row.symbol, partials=(lambda out, x: 1.0001 * ag.cos(x),), scalar=row.scalar)
    monkeypatch.setitem(TABLE, "sin", wrong)
    (line,) = marked(X, {"y": "sin(x)"}, "partials", "y / x", "cos(x)").lines
    assert line.verdict == "cannot tell" and "disagree" in line.detail


INNER = [
    "x + 1",
    "1 + x",
    "x - w",
    "x * w",
    "x / w",
    "x^2",
    "-x",
    "2 * x - w",
    "(x + w)^2",
    "x^-w",
    "2^x",
    "x - (w - 3)",
]
OUTER = ["({})^2 + 1", "sin({})", "tan({})", "exp({}) * w", "sqrt(({})^2 + 1)", "x * cos(3 * ({}))", "exp({})^w / x"]
SPOILED = ["({right}) * 2", "-({right})", "({right}) * ({inner})", "({right}) / ({inner})", "({right}) * ({inner})^2",
           "({right}) * x / w^2", "({right}) * sin({inner})", "({right}) / tan({inner})", "({right}) * 2 * pi * x",
           "({right}) * 1.000001", "({right}) * 1.23456789", "({right}) * (1 + 3e-8)", "({right}) + x"]  # fmt: skip


@settings(max_examples=60)
@given_by(st.sampled_from(INNER), st.sampled_from(OUTER), st.sampled_from(SPOILED))
def test_what_is_suggested_can_be_copied_into_a_formula_and_is_what_was_given(inner, outer, spoiled):
    inputs = {name: {"domain": [0.3, 1.7]} for name in "xwz"}
    right = outer.format(inner)
    yours = spoiled.format(right=right, inner=inner)
    (line,) = marked(inputs, {"y": f"({right}) * z"}, "partials", "y / z", yours).lines
    for diagnosis in line.diagnoses:
        if "yours = " not in diagnosis.text:
            continue
        assert f"yours = {diagnosis.formula}" in diagnosis.text
        for x, w, z in np.random.default_rng(0).uniform(0.3, 1.7, (20, 3)).tolist():
            point = {"x": x, "w": w, "z": z, "y": float(Formula(right, "y")({"x": x, "w": w})) * z}
            truth = float(Formula(right, "right")(point))
            found = float(Formula(diagnosis.formula, "suggestion")({**point, "right": truth}))
            assert found == pytest.approx(float(Formula(yours, "yours")(point)), rel=3e-8)


@pytest.mark.parametrize(
    ("definition", "formula", "told"),
    [
        ("exp(1 + x) * z", "exp(1 + x) * (1 + x)^2", "yours = right * (1 + x)^2"),
        ("tan(x) * z", "tan(x)^2", "yours = right * tan(x)"),
        ("sin(x - w) * z", "cos(x - w)", "yours = right / tan(x - w)"),
        ("x * z", "x * 1.000001", "yours = right * 1.000001"),
        ("x * z", "x * 2 * pi", "yours = right * 2 * pi"),
        ("x * z", "x / -3", "yours = right * -1/3"),
    ],
)
def test_suggestions_have_brackets_and_digits_enough(definition, formula, told):
    inputs = {name: {"domain": [0.3, 1.7]} for name in "xwz"}
    (line,) = marked(inputs, {"y": definition}, "partials", "y / z", formula).lines
    assert line.diagnoses[0].text.startswith(told)


def test_numbers_that_differ_are_shown_to_differ():
    (line,) = marked(X, {"y": "x^3"}, "partials", "y / x", "3 * x^2 * 1.000001").lines
    assert ", ratio 1.000001, at x = " in str(line) and "the gradient is off by 0.0001 %" in str(line)
    yours, right = str(line).split("yours ")[1].split(", ratio")[0].split(", right ")
    assert yours != right


def test_one_wrong_entry_is_not_said_of_the_whole():
    (line,) = marked(X3, {"y": "x^2"}, "partials", "y / x", "diag([2 * x[0], 4 * x[1], 2 * x[2]])").lines
    assert line.diagnoses[0].text == "in y[1] / x[1]: yours = right * 2"
    (line,) = marked(X3, {"y": "x^2"}, "partials", "y / x", "diag(4 * x)").lines
    assert line.diagnoses[0].text == "yours = right * 2"
    given = {"inputs": {"x": {"shape": [40, 40]}}, "definitions": {"y": "sum(x^2)"}, "partials": {"y / x": "6 * x"}}
    assert parse_derivation(given).mark().lines[0].diagnoses[0].text == "yours = right * 3"


def test_shares_of_errors_add_up_to_the_whole():
    # Each is off by as much, with opposite signs: together they cancel.
    given = {"inputs": X, "definitions": {"a": "x^2", "b": "3 * x^2", "y": "a - b"}}
    lines = parse_derivation({**given, "partials": {"y / a": "4", "y / b": "-2"}}).mark().lines
    assert [line.share for line in lines] == pytest.approx([0.5, 0.5])
    assert "50% of the errors of all wrong partials" in str(lines[0])


def test_an_abbreviation_that_no_line_uses_stops_none():
    short = {"u": "nothing * 2", "v": "2 * x", "w": "v"}
    found = parse_derivation({**X1, "partials": {"y / x": "w"}, "short": short}).mark()
    assert found["y / x"].verdict == "right" and found.ok


def test_a_reading_that_cannot_be_computed_is_told_and_the_lines_are_marked():
    given = {**X1, "partials": {"y / x": "3 * x^2"}, "readings": {"other": {"y": "x^3"}, "third": {"y": "log(x - 9)"},
                                                                         "vector": {"y": "[x, x]"}}}  # fmt: skip
    found = parse_derivation(given).mark()
    assert found["third"].verdict == "cannot be read" and "is not defined there" in found["third"].detail
    assert found["vector"].detail == "y has the shape (2,) there, needed: ()"
    assert found["y / x"].verdict == "wrong" and found["y / x"].reading == "other"


HEAVY = {
    "a matrix": ({"x": {"shape": [40, 40]}}, {"y": "sum(x)"}, {"y / x": "ones(40, 40)"}, "right"),
    "a large matrix": ({"x": {"shape": [100, 100]}}, {"y": "sum(x)"}, {"y / x": "2 * ones(100, 100)"}, "wrong"),
    "too many lines in one": ({"x": {"shape": [40, 40]}}, {"y": "x^2"}, {"y[i, j] / x[k, m]": "1"}, "cannot tell"),
    "too large a derivative": ({"x": {"shape": [50, 50]}}, {"y": "x^2"}, {"y / x[0, 0]": "x"}, "cannot tell"),
    "many uses": ({"x": {}}, {"y": "+".join(["sin(x)"] * 150)}, {"y / x": "cos(x)"}, "wrong"),
    "large exponents": ({"x": {}}, {"y": "x"}, {"y / x": "x^1e12^1e12"}, "wrong"),
    "many paths": (
        {"x": {"domain": [0.3, 0.9]}},
        {f"a{k}": f"a{k - 1} * cos(a{k - 1}) + {f'a{k - 2}' if k > 1 else 'x'}" if k else "x" for k in range(60)},
        {"a1 / a0": "1", "a59 / a58": "0"}, "wrong",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HEAVY.values(), ids=HEAVY)
def test_heavy_derivations_end(case):
    inputs, definitions, partials, verdict = case
    began = time.process_time()
    found = parse_derivation({"inputs": inputs, "definitions": definitions, "partials": partials}).mark()
    assert {line.verdict for line in found.lines} == {verdict}
    taken = time.process_time() - began
    assert taken < 10.0 or taken < 20.0 * pace()
    assert verdict != "cannot tell" or "allowed" in str(found)


def test_work_is_counted_before_it_is_done():
    with at_most(1000, "the whole"), at_most(100, "the line"):
        spend(60)
        with pytest.raises(Overworked, match="the line takes more than 100 steps"):
            spend(60)
        spend(40)
    with at_most(1000, "the whole"):
        for _ in range(9):
            with at_most(100, "the line"):
                spend(100)
        with at_most(200, "the line"), pytest.raises(Overworked, match="the whole takes more than 1,000 steps"):
            spend(150)
    spend(10**9)  # nobody counts


def test_a_heavy_line_leaves_work_for_the_others(monkeypatch):
    given = {"inputs": {"x": {"shape": [100]}, "w": {}}, "definitions": {"y": "x^2", "z": "w^2"}}
    given["partials"] = {"y / x": "diag(2 * x)", "z / w": "2 * w"}
    monkeypatch.setattr("diffrt.marking.derivation.MOST_OF_A_LINE", 5_000)
    found = parse_derivation(given).mark()
    assert found["y / x"].verdict == "cannot tell" and "takes more than 5,000 steps" in found["y / x"].detail
    assert found["z / w"].verdict == "right" and found.ok


def test_control_characters_of_a_file_are_not_printed():
    partials = {"y / x\u001b[2J": "1", "y /\n x": "3 * x", "y / \u202ex": "1", "y / x": "\x1b[31m", "z\n\n / x": "1"}
    text = str(parse_derivation({**X1, "partials": partials}).mark())
    assert all(c.isprintable() or c == "\n" for c in text) and "\\x1b" in text
    assert max(map(len, text.splitlines())) < 600


FILES = {
    "a byte order mark": (b"\xef\xbb\xbf%s", 0, "1 right"),
    "a bad line": (b"%s\n'y / q' = '1'", 1, "cannot be read y / q"),
    "a key of many parts": (b"%s\n" + b".".join([b"a"] * 200_000) + b" = 1", 2, "a key of more than 32 parts"),
    "nesting": (b"%s\n[[points]]\nx = " + b"[" * 200_000 + b"]" * 200_000, 2, "nested too deeply"),
    "some nesting": (b"%s\n[[points]]\nx = " + b"[" * 50 + b"]" * 50, 2, "nested too deeply"),
    "a large file": (b"%s\n#" + b"#" * (1 << 20), 2, "larger than the 1 MiB"),
    "no text": (b"\xff%s", 2, "not UTF-8 text"),
    "a number of 10,000 digits": (b"%s\n[[points]]\nx = " + b"9" * 10_000, 2, "too many digits"),
    "a control character": (b'%s\n"y / \\u001b[2Jx" = "1"', 1, "cannot be read"),
}


@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_verify_reads_files_like_scenes(case, tmp_path):
    content, code, told = case
    path = tmp_path / "derivation.toml"
    path.write_bytes(
        content.replace(b"%s", b"[inputs]\nx = {}\n[definitions]\ny = 'x^2'\n[partials]\n'y / x' = '2 * x'")
    )
    found = CliRunner().invoke(app, ["verify", str(path)])
    if code == 2:
        assert isinstance(found.exception, InputError) and told in str(found.exception)
    else:
        assert found.exit_code == code and told in found.stdout and "\x1b" not in found.stdout


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", tmp_path):
        with pytest.raises(InputError, match="a file is needed"):
            load_derivation(path)


def test_bad_arguments_in_python_are_told_in_one_line():
    for domain in (3, (1,), (2, 1), ("a", 1), (0, 1e308), (0, float("nan")), (0, 1, "a")):
        with pytest.raises(InputError, match="domains: x: found") as fault:
            verify(ag.exp, {"output / x": "output"}, {"x": domain})
        assert len(fault.value.problems) == 1
    with pytest.raises(InputError, match=r"points: x: found \"a\", needed: numbers"):
        verify(ag.exp, {"output / x": "output"}, {"x": (0, 1)}, points=[{"x": "a"}])
    found = verify(ag.exp, {3: "1", "output / x": lambda **_: "a"}, {"x": (0, 1)}, totals={"output / x": "output"})
    assert [line.verdict for line in found.lines] == ["cannot be read", "cannot be read", "right"] and not found.ok


def test_nothing_is_warned_of_where_numbers_are_as_large_as_they_can_be():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_gradient(lambda v: v * 1e308, 1.7)
        check_gradient(ag.sqrt, 0.0)
        marked(X, {"y": "1e308 * x"}, "partials", "y / x", "1e308 * x^2")
        marked(X, {"y": "x"}, "partials", "y / x", "exp(1e9 * x) / log(x - 9)")
