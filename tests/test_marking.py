"""Marks are exact: hand derivations, right ones in several forms and wrong ones beside them, where marking is hard."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffrt import autograd as ag
from diffrt.autograd.variable import comparisons
from diffrt.errors import InputError
from diffrt.marking import check_gradient, verify
from diffrt.marking.formula import Formula
from diffrt.marking.reading import parse_derivation

V2, V3, M23, M33 = {"shape": [2]}, {"shape": [3]}, {"shape": [2, 3]}, {"shape": [3, 3]}
NORM = {"mu": "mean(x)", "v": "mean((x - mu)^2)", "n": "(x - mu) / sqrt(v + 1e-5)"}
NET = {"h": "W @ x + b", "a": "relu(h)", "y": "dot(u, a)", "L": "(y - 1)^2"}
NET_INPUTS = {"W": M23, "x": V3, "b": V2, "u": V2}


def on(low, high, **more):
    return {"domain": [low, high], **more}


def marked(inputs, definitions, table, left, formula, seed=0, **more):
    derivation = parse_derivation({"inputs": inputs, "definitions": definitions, table: {left: formula}, **more})
    derivation.seed = seed
    return derivation.mark()


def verdict(*given, **more):
    verdicts = {line.verdict for line in marked(*given, **more).lines}
    return "wrong" if "wrong" in verdicts else "cannot tell" if "cannot tell" in verdicts else verdicts.pop()


# name, inputs, definitions, table, left side, right formulas, wrong formulas
CORPUS = [
    ("a variance by its mean is flat", {"x": V3}, NORM, "partials", "v / mu", ["0", "-2 * mean(x - mu)"],
     ["-2 * mean(x)", "1e-6"]),
    ("softmax adds up to 1", {"z": V3}, {"y": "sum(softmax(z))"}, "partials", "y / z[i]", ["0"],
     ["softmax(z)[i]", "1e-6"]),
    ("a normalised vector keeps its length", {"x": V3}, {"n": "normalize(x)", "y": "sum(n^2)"}, "totals", "y / x",
     ["zeros(3)"], ["2 * n", "1e-6 * x"]),
    ("sRGB", {"x": on(0, 1)}, {"y": "where(x <= 0.0031308, 12.92 * x, 1.055 * x^(1 / 2.4) - 0.055)"}, "partials",
     "y / x", ["where(x <= 0.0031308, 12.92, 1.055 / 2.4 * x^(1 / 2.4 - 1))"],
     ["1.055 / 2.4 * x^(1 / 2.4 - 1)", "where(x <= 0.04045, 12.92, 1.055 / 2.4 * x^(1 / 2.4 - 1))"]),
    ("Huber", {"x": on(-3, 3)}, {"y": "where(abs(x) <= 0.01, 0.5 * x^2, 0.01 * (abs(x) - 0.005))"}, "partials",
     "y / x", ["where(abs(x) <= 0.01, x, 0.01 * sign(x))", "clip(x, -0.01, 0.01)"],
     ["0.01 * sign(x)", "x", "where(x <= 0.01, x, 0.01)"]),
    ("hinge", {"w": {}, "x": {}}, {"y": "max(0, 1 - w * x)"}, "partials", "y / w", ["where(w * x < 1, -x, 0)"],
     ["where(w * x < 1.2, -x, 0)", "where(w * x < 1.000001, -x, 0)", "-x", "where(w * x > 1, -x, 0)"]),
    ("ReLU6", {"x": on(-2, 50)}, {"y": "clip(x, 0, 6)"}, "partials", "y / x",
     ["where(x > 0, where(x < 6, 1, 0), 0)", "where(abs(x - 3) < 3, 1, 0)"],
     ["where(x > 0, 1, 0)", "where(x < 6, 1, 0)", "where(x > 0, where(x < 5.99, 1, 0), 0)"]),
    ("a thin clamp", {"x": {}}, {"y": "clip(x, 0, 1e-4)"}, "partials", "y / x",
     ["where(x > 0, where(x < 1e-4, 1, 0), 0)"], ["0", "where(x > 0, 1, 0)"]),
    ("a branch between random points", {"x": on(0, 10)}, {"y": "where((x - 3.3)^2 < 1e-6, 5 * x, x)"}, "partials",
     "y / x", ["where(abs(x - 3.3) < 1e-3, 5, 1)"], ["1"]),
    ("three conditions at once", {"x": on(0, 1, shape=[3])},
     {"y": "where(x[0] > 0.9, where(x[1] > 0.9, where(x[2] > 0.9, sum(x^2), 0), 0), 0)"}, "partials", "y / x[0]",
     ["where(x[0] > 0.9, where(x[1] > 0.9, where(x[2] > 0.9, 2 * x[0], 0), 0), 0)"], ["0"]),
    ("the largest", {"x": V3}, {"y": "max(abs(x))"}, "partials", "y / x[i]",
     ["where(abs(x[i]) >= max(abs(x)), sign(x[i]), 0)"], ["where(abs(x[i]) >= max(abs(x)), 1, 0)", "sign(x[i])"]),
    ("leaky", {"x": {}}, {"y": "max(x, 0.2 * x)"}, "partials", "y / x", ["where(x > 0, 1, 0.2)"],
     ["1", "where(x > 0.001, 1, 0.2)"]),
    ("both signs of a root", {"x": on(-0.01, 2)}, {"y": "sqrt(x^2)"}, "partials", "y / x", ["sign(x)", "x / y"],
     ["1"]),
    ("absolute value", {"x": {}}, {"y": "abs(x)"}, "partials", "y / x", ["sign(x)", "x / abs(x)"], ["1", "-1"]),
    ("sigmoid far out", {"z": on(-25, 25)}, {"p": "sigmoid(z)"}, "partials", "p / z",
     ["p * (1 - p)", "exp(-z) / (1 + exp(-z))^2"], ["p", "p^2 * (1 - p)", "p * (1 - p) * 1.000001"]),
    ("tanh far out", {"x": on(-500, 500)}, {"y": "tanh(x)"}, "partials", "y / x", ["1 - y^2"], ["1 - y"]),
    ("cross-entropy", {"z": on(-30, 30, shape=[3])}, {"s": "softmax(z)", "L": "-log_softmax(z)[0]"}, "totals",
     "L / z[j]", ["s[j] - where(j == 0, 1, 0)"], ["s[j]", "s[j] - where(j == 1, 1, 0)"]),
    ("batch norm", {"x": V3}, NORM, "totals", "n[i] / x[j]",
     ["(where(i == j, 1, 0) - 1 / 3 - n[i] * n[j] / 3) / sqrt(v + 1e-5)"],
     ["(where(i == j, 1, 0) - 1 / 3) / sqrt(v + 1e-5)"]),
    ("a network", NET_INPUTS, NET, "totals", "L / W[i, j]", ["2 * (y - 1) * u[i] * where(h[i] > 0, 1, 0) * x[j]"],
     ["2 * (y - 1) * u[i] * x[j]"]),
    ("quadratic form", {"A": M33, "x": V3}, {"y": "x @ A @ x"}, "partials", "y / x", ["(A + transpose(A)) @ x"],
     ["2 * A @ x"]),
    ("trace", {"A": M33}, {"y": "sum(diag(A))"}, "partials", "y / A", ["eye(3)"], ["ones(3, 3)"]),
    ("a gradient by a matrix, transposed", {"A": M23, "x": V3}, {"L": "sum((A @ x)^2)"}, "partials", "L / A",
     ["2 * outer(A @ x, x)"], ["2 * outer(x, A @ x)"]),
    ("variance without the mean", {"x": on(1000, 1001, shape=[3])}, {"v": "mean((x - mean(x))^2)"}, "partials",
     "v / x[i]", ["2 / 3 * (x[i] - mean(x))"], ["2 / 3 * x[i]"]),
    ("off by a millionth", {"x": {}}, {"y": "x^3 - x"}, "partials", "y / x", ["3 * x^2 - 1"],
     ["3.000003 * x^2 - 1", "3 * x^2 - 1.000001"]),
]  # fmt: skip


@pytest.mark.parametrize("case", CORPUS, ids=[c[0] for c in CORPUS])
def test_marks_are_the_truth(case):
    _, inputs, definitions, table, left, rights, wrongs = case
    for seed in (0, 7):
        assert [verdict(inputs, definitions, table, left, f, seed=seed) for f in rights] == ["right"] * len(rights)
        assert [verdict(inputs, definitions, table, left, f, seed=seed) for f in wrongs] == ["wrong"] * len(wrongs)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.floats(-1.9, 1.9), st.floats(1e-5, 1.0), st.integers(0, 2))
def test_no_branch_is_missed_however_thin(start, width, changed):
    slopes = [1.5, -0.5, 0.75]
    text = "where(x < {a}, {0} * {f}, where(x < {b}, {1} * {f}, {2} * {f}))"
    borders = {"a": repr(start), "b": repr(start + width)}
    other = [s + 1e-3 * (k == changed) for k, s in enumerate(slopes)]
    y = {"y": text.format(*slopes, f="sin(x)", **borders)}
    inputs = {"x": on(-2.5, 3.5)}
    assert verdict(inputs, y, "partials", "y / x", text.format(*slopes, f="cos(x)", **borders)) == "right"
    assert verdict(inputs, y, "partials", "y / x", text.format(*other, f="cos(x)", **borders)) == "wrong"


@pytest.mark.parametrize(
    ("domain", "formula", "told"),
    [
        ([0.2, 2], "1.055 / 2.4 * x^(1 / 2.4 - 1)", "not reached: x < 0.0031308"),
        ([0, 0.002], "12.92", "not reached: x > 0.0031308"),
        ([-1, 1], "where(x > 5, 1, where(x <= 0.0031308, 12.92, 1.055 / 2.4 * x^(1 / 2.4 - 1)))", "not reached: x > 5"),
    ],
)
def test_a_side_that_no_point_reaches_is_named(domain, formula, told):
    srgb = {"y": "where(x <= 0.0031308, 12.92 * x, 1.055 * x^(1 / 2.4) - 0.055)", "z": "abs(y + 9)"}
    (line,) = marked({"x": {"domain": domain}}, srgb, "partials", "y / x", formula).lines
    assert (line.verdict, line.detail) == ("right", told)


def test_a_side_that_cannot_be_is_not_missed():
    for line in marked({"x": V3}, {"y": "max(x)"}, "partials", "y / x[i]", "where(x[i] >= max(x), 1, 0)").lines:
        assert (line.verdict, line.detail) == ("right", "")


def test_a_wrong_branch_is_named():
    (line,) = marked({"x": {}}, {"y": "relu(x - 1)"}, "partials", "y / x", "1").lines
    assert line.verdict == "wrong" and line.detail.endswith("all with x - 1 < 0")
    (line,) = marked({"x": V2}, {"y": "x[1] + max(x[0], -1.9)"}, "partials", "y / x[0]", "1").lines
    assert line.verdict == "wrong" and line.effect > 0.1  # at a point where it is wrong


@pytest.mark.parametrize(
    ("definition", "formula", "whose"),
    [
        ("x^2", "5 * x + 1e16 * x - 1e16 * x", "your formula cancels"),
        ("x^2", "2 * x + 1e11 * x - 1e11 * x", "your formula cancels"),
        ("x^2 + 1e16 * x - 1e16 * x", "5 * x", "the definition cancels"),
        ("x^2 + 1e16 * x - 1e16 * x", "0", "the definition cancels"),
    ],
)
def test_a_claim_of_which_rounding_leaves_nothing_is_not_right(definition, formula, whose):
    (line,) = marked({"x": {}}, {"y": definition}, "partials", "y / x", formula).lines
    assert line.verdict == "cannot tell" and line.detail.startswith(whose)


def test_a_little_cancellation_hides_nothing():
    for formula, mark in (("2 * x + 1e5 * x - 1e5 * x", "right"), ("2.00001 * x + 1e5 * x - 1e5 * x", "wrong")):
        assert verdict({"x": {}}, {"y": "x^2"}, "partials", "y / x", formula) == mark


@pytest.mark.parametrize(
    ("definition", "formula", "mark"),
    [
        ("relu(x)", "where(x >= 0, 1, 0)", "right"),
        ("relu(x)", "where(x == 0, 0.3, where(x > 0, 1, 0))", "right"),
        ("relu(x)", "where(x == 0, 1.2, where(x > 0, 1, 0))", "wrong"),
        ("abs(x) + 1", "3", "wrong"),
        ("abs(x) + 1", "where(x == 0, 3, sign(x))", "wrong"),
        ("relu(x)^2", "where(x == 0, 1, 2 * relu(x))", "wrong"),
        ("where(x == 0, 0, sin(x))", "cos(x)", "right"),
        ("where(x == 0, 0, sin(x))", "where(x == 0, 0, cos(x))", "wrong"),
        ("where(x > 0, x + 1, x)", "1", "cannot tell"),
    ],
)
def test_at_a_kink_at_zero(definition, formula, mark):
    assert verdict({"x": {}}, {"y": definition}, "partials", "y / x", formula, points=[{"x": 0.0}]) == mark


TIE = [{"x": [1.0, 1.0]}, {"x": [0.0, 0.0]}]


@pytest.mark.parametrize(
    ("definition", "formula", "mark"),
    [
        ("max(x)", "[where(x[0] >= x[1], 1, 0), where(x[0] >= x[1], 0, 1)]", "right"),
        ("max(x)", "where(x >= max(x), 1, 0) / sum(where(x >= max(x), 1, 0))", "right"),
        ("max(x)", "where(x >= max(x), 1, 0)", "wrong"),
        ("max(x)", "where(x > min(x), 1, 0)", "wrong"),
        ("sum(abs(x))", "where(x == 0, [1, -1], sign(x))", "right"),
        ("sum(abs(x))", "where(x == 0, [2, 0], sign(x))", "wrong"),
        ("norm(x)", "where(norm(x) == 0, [0.3, -0.4], x / where(norm(x) == 0, 1, norm(x)))", "right"),
        ("norm(x)", "where(norm(x) == 0, [1, 1], x / where(norm(x) == 0, 1, norm(x)))", "wrong"),
    ],
)
def test_at_a_tie_a_claim_is_one_subgradient_of_all_inputs(definition, formula, mark):
    assert verdict({"x": V2}, {"y": definition}, "partials", "y / x", formula, points=TIE) == mark


def test_lines_about_one_quantity_are_one_subgradient_together():
    found = marked({"x": V2}, {"y": "max(x)"}, "partials", "y / x[i]", "where(x[i] >= max(x), 1, 0)", points=TIE)
    assert [line.verdict for line in found.lines] == ["wrong", "wrong"]
    assert "together with the other lines" in found.lines[0].detail


def test_partials_by_two_inputs_are_one_subgradient_together():
    def larger(a, b):
        return ag.maximum(a, b)

    for by_b, mark in (("where(b >= a, 1, 0)", "wrong"), ("where(b > a, 1, 0)", "right")):
        claims = {"output / a": "where(a >= b, 1, 0)", "output / b": by_b}
        found = verify(larger, claims, {"a": (-2, 2), "b": (-2, 2)}, points=[{"a": 1.0, "b": 1.0}])
        assert [line.verdict for line in found.lines] == [mark, mark]


def test_a_constant_that_is_rounded_is_no_error():
    definitions = {"y": "max(x - 0.3, 0)^2"}
    for formula, mark in (("2 * max(x - 3 * 0.1, 0)", "right"), ("2 * max(x - 0.3001, 0)", "wrong")):
        assert verdict({"x": {}}, definitions, "partials", "y / x", formula, points=[{"x": 0.3}]) == mark


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        ("x * abs(w)", "x and w in [-2, 2]"),
        ("w * log(x)", "x in [0.2, 2], w in [-2, 2]"),
        ("sqrt(x / w)", "x and w in [0.2, 2]"),
        ("log(1 - x^2) * w", "x and w in [-2, 2]"),
    ],
)
def test_the_default_domain_has_both_signs_where_it_can_and_is_told(definition, told):
    found = marked({"x": {}, "w": {}}, {"y": definition}, "partials", "y / x", "0")
    assert f"compared for {told}, where the definitions are defined" in str(found)
    given = marked({"x": on(0.5, 1), "w": on(3, 4)}, {"y": "x * w"}, "partials", "y / x", "w")
    assert str(given).endswith("compared for x in [0.5, 1], w in [3, 4]")


def test_nothing_is_dropped_or_added_up_without_a_word():
    a = np.arange(6.0).reshape(2, 3)
    assert Formula("sum(diag(A))", "f")({"A": a}) == 0.0 + 4.0
    with pytest.raises(InputError, match="diag needs a vector or a matrix"):
        Formula("diag(A)", "f")({"A": np.zeros((2, 2, 2))})
    unequal = {"x": V2, "w": V3}, {"c": "w * sum(x)", "y": "sum(c) + sum(x)"}
    for table, left, formula, reason in (
        ("partials", "c[i] / x[i]", "w[i]", "the letter i stands for 3 entries and for 2 of x"),
        ("paths", "w > c[0] > y", "sum(x)", "w has 3 entries; needed: the one"),
    ):
        (line,) = marked(*unequal, table, left, formula).lines
        assert line.verdict == "cannot be read" and reason in line.detail


def test_check_gradient_at_zero_and_at_ties():
    def hidden(v):
        return ag.sin(v.detach()) + 0.0 * v + 1.0

    assert not check_gradient(hidden, 0.0).ok
    assert not check_gradient(hidden, np.zeros(2)).ok
    assert check_gradient(lambda v: abs(v) + 1.0, 0.0).lines[0].detail == "a subgradient at a kink"
    assert check_gradient(lambda v: v * v, 0.0).lines[0].verdict == "right"
    assert check_gradient(lambda v: ag.sin(1e7 * v), 0.0).lines[0].verdict == "right"
    assert {line.verdict for line in check_gradient(ag.max, np.ones(3)).lines} == {"right"}
    assert {line.verdict for line in check_gradient(lambda v: ag.sum(ag.softmax(v)), [0.1, 0.4]).lines} == {"right"}

    def both(v):  # (1, 1) at the tie, of which each entry lies between its slopes
        tie = v.value[0] == v.value[1]
        return ag.where(tie, v[0] + v[1] - v.value[0], ag.max(v))

    assert not check_gradient(both, np.ones(2)).ok
    blurred = check_gradient(lambda v: 1e16 * v - 1e16 * v + v * v, 0.7)
    assert blurred.lines[0].verdict == "cannot tell"


def test_python_functions_are_compared_on_both_sides_of_an_if():
    def f(x):
        return 2.0 * x if x > 0.97 else x * x

    for formula, mark in (("where(x > 0.97, 2, 2 * x)", "right"), ("2 * x", "wrong")):
        assert [line.verdict for line in verify(f, {"output / x": formula}, {"x": (-2, 1)}).lines] == [mark]


def test_comparisons_are_seen():
    x = ag.variable([1.0, -1.0])
    with comparisons() as seen:
        ag.where(x > 0.5, ag.relu(x), ag.sign(x))
    assert [made.op.name for made in seen] == ["greater", "greater", "sign"]
    assert all(made.inputs[0] is x for made in seen)
