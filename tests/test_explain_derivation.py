"""Marking derivations: a corpus of hand derivations, half of them wrong in a known way, and bad input."""

import numpy as np
import pytest

from diffrt import autograd as ag
from diffrt.autograd import named
from diffrt.errors import InputError
from diffrt.explain import check_gradient, load_derivation, verify
from diffrt.explain.formula import Formula
from diffrt.explain.reading import parse_derivation

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
    ("logarithm, chain forgotten", X, {"y": "ln(x^2 + 1)"}, "partials", "y / x", "1 / (x^2 + 1)", "wrong", "monomial"),
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
    ("chain, inner one forgotten", X, CHAIN, "totals", "y / x", "exp(v) * cos(u)", "wrong", "monomial"),
    ("chain, middle one forgotten", X, CHAIN, "totals", "y / x", "exp(v) * 2 * x", "wrong", "monomial"),
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
     "monomial"),
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
    assert line.detail == "at 1 of 13 points"


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
    assert {line.verdict for line in found.lines} == {"right"} and len(found.lines) == 34


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
    ({"inputs": {"lambda": {}}}, "a name is letters"),
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
    ({"partials": {"y / x": "open('x')"}}, "there is no function open"),
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
