"""What students type: formulas in the spelling of paper, left sides, layouts, equations; understood or answered."""

import numpy as np
import pytest
from hypothesis import given as given_by
from hypothesis import settings
from hypothesis import strategies as st

from diffrt.errors import InputError
from diffrt.marking import check_gradient
from diffrt.marking.formula import Formula
from diffrt.marking.reading import parse_derivation

A = np.array([[1.0, 2.0], [3.0, 4.0]])
GIVEN = {"x": 0.7, "y": 1.3, "lambda": 2.0, "alpha": 0.5, "a": np.array([1.0, 2.0, 3.0]), "A": A,
         "W": np.arange(6.0).reshape(2, 3)}  # fmt: skip
LETTERS = {"i": 1, "j": 0}
X, Y = GIVEN["x"], GIVEN["y"]

UNDERSTOOD = [
    ("2x", 2 * X), ("2 x y", 2 * X * Y), ("2(x + 1)(x - 1)", 2 * (X + 1) * (X - 1)), ("x(1 - x)", X * (1 - X)),
    ("sin x", np.sin(X)), ("sin 2x cos y", np.sin(2 * X) * np.cos(Y)), ("sin^2(x)", np.sin(X) ** 2),
    ("sin² x", np.sin(X) ** 2), ("ln x^2", np.log(X**2)), ("ln sin x", np.log(np.sin(X))), ("2pi x", 2 * np.pi * X),
    ("0 < x < 1", True), ("where(0 < x < 0.5, 1, 2)", 2.0), ("1 if x > 1 else 5", 5.0), ("x > 0 and not y < 1", True),
    ("λ x", 2 * X), ("lambda * x", 2 * X), ("α·x − y²", 0.5 * X - Y**2), ("e^x", np.exp(X)),
    ("exp(-x²/2)", np.exp(-X * X / 2)),
    ("delta(i, j)", 0.0), ("delta_ii + δ_ij", 1.0), ("a[i + 1]", 3.0), ("a_i + a_0", 3.0), ("a₂", 3.0),
    ("a[1:]", [2.0, 3.0]), ("W[:, i]", [1.0, 4.0]), ("W[i, :]", [3.0, 4.0, 5.0]), ("where(j > 0, a[j - 1], 7)", 7.0),
    ("A.T", A.T), ("(A @ A).T[0]", (A @ A).T[0]), ("inv(A) @ A", np.eye(2)), ("det(A) + trace(A)", 3.0),
    ("sum(k, a[k]^2)", 14.0), ("sum(k, W[i, k] a[k])", 26.0), ("sum(k, 0, 1, a[k + 1])", 5.0), ("prod(k, a[k])", 6.0),
    ("sum(k, delta(i, k) a[k])", 2.0), ("sum(k, sum(m, W[k, m]))", 15.0), ("max(k, a[k]) + max(x, y)", 3.0 + Y),
    ("x ≤ 1", True), ("2j", 0.0), ("arcsin x + log1p(x)", np.arcsin(X) + np.log1p(X)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), UNDERSTOOD, ids=[u[0] for u in UNDERSTOOD])
def test_what_has_one_meaning_is_understood(text, value):
    found = Formula(text, "f")(GIVEN, LETTERS)
    np.testing.assert_allclose(np.asarray(getattr(found, "value", found), float), value, rtol=1e-12, atol=1e-12)


ANSWERED = [
    ("1/2x", "write / (2 * x) or / 2 * x"), ("e^2x", "two ways"), ("x/2(y + 1)", "two ways"),
    ("sin x y", "sin(x * ...)"),
    ("sin x(1 - x)", "two ways"), ("sin^-1(x)", "arcsin(x)"), ("x 2", "write x * 2, x^2 or x[2]"), ("sin", "sin(x)"),
    ("exp -x", "in brackets"), ("|x|", "write abs(x)"), ("y = 2x", "on the right of it"), ("A^T", "write A.T"),
    ("A^-1", "write inv(A)"), ("y'", "y / x on the left side"), ("x_{i}", "write x[i]"),
    (r"\frac{1}{x}", "without LaTeX"),
    ("√x", "write sqrt(x)"), ("x // y", "write one /"), ("dy/dx", "as a formula"), ("tg(x)", "write tan"),
    ("sigma(x)", "write sigmoid"), ("cosx", "there is no quantity cosx"), ("sine(x)", "did you mean sin"),
    ("a[j - 1]", "for j = 0; write where(...)"), ("a[0.5]", "whole number or a letter"), ("a[p]", "found p"),
    ("a[::2]", "no step"), ("sum(k, 3)", "write sum(k, 0, 3, ...)"), ("sum(i, a[i])", "take another letter"),
    ("sum(x, 0)", "sum(k, x[k])"), ("sum(k, 0, 20000, x)", "20,001 entries, allowed: 10,000"),
    ("delta(i)", "there is no function delta"), ("3 4", "write 3 * 4"),
    ("x + * y", 'too much before "* y"'), ("2 ^", "missing at the end"), ("x if y", "cannot be read"),
    ("for", "not allowed"),
    ("(2x", "never closed"), ("2 ** * x", "cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), ANSWERED, ids=[a[0] for a in ANSWERED])
def test_what_has_two_meanings_is_answered_in_one_line(text, told):
    with pytest.raises(InputError) as fault:
        Formula(text, "f")(GIVEN, LETTERS)
    assert told in str(fault.value) and "\n" not in str(fault.value) and len(fault.value.problems) == 1


PIECES = [*"xyaAWij0123.,:()[]+-*/^=<>@|'_ λ²", "sin", "sum(k,", "delta(", "2x", "where(", "if ", " else ", "T", "inv(",
          "exp", "\\", "lambda", "a[", "W[", ".T", "**", "dy/dx"]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given_by(st.lists(st.sampled_from(PIECES), max_size=12))
def test_whatever_is_typed_there_is_a_value_or_one_line(pieces):
    problems = ("",)
    try:
        Formula("".join(pieces), "f")(GIVEN, LETTERS)
    except InputError as fault:
        problems = fault.problems
    assert len(problems) == 1 and "\n" not in problems[0]


X3 = {"x": {"shape": [3]}}


@pytest.mark.parametrize("left", ["dy/dx", "∂y/∂x", "d y / d x", "y/x"])
def test_a_left_side_may_be_written_with_d(left):
    given = {"inputs": {"x": {}}, "definitions": {"y": "sin(x)"}, "partials": {left: "cos x"}}
    assert [line.verdict for line in parse_derivation(given).mark().lines] == ["right"]


def test_indices_may_be_written_low():
    given = {"inputs": X3, "definitions": {"s": "softmax(x)"}, "partials": {"ds_i/dx_j": "s_i (delta_ij - s_j)"}}
    lines = parse_derivation(given).mark().lines
    assert {line.verdict for line in lines} == {"right"} and len({line.claim.text for line in lines}) == 9


def test_quantities_may_have_greek_names():
    given = {"inputs": {"λ": {}, "lambda_": {}}, "definitions": {"μ": "λ^2 lambda_"},
             "partials": {"μ / λ": "2λ lambda_"}, "points": [{"λ": 1.0, "lambda_": 2.0}], "output": "μ"}  # fmt: skip
    assert parse_derivation(given).mark().ok


def test_a_neighbour_is_an_index():
    definitions = {"y": "x[1:] - x[:2]"}
    partials = {"y[i] / x[j]": "delta(j, i + 1) - delta(i, j)"}
    lines = parse_derivation({"inputs": X3, "definitions": definitions, "partials": partials}).mark().lines
    assert len(lines) == 6 and {line.verdict for line in lines} == {"right"}


def test_layouts():
    given = {"inputs": {"W": {"shape": [2, 3]}, **X3}, "definitions": {"h": "W @ x", "L": "sum(h^2)"}}
    by_matrix = {"totals": {"L / W": "2 outer(x, h)"}}
    (line,) = parse_derivation({**given, **by_matrix}).mark().lines
    assert line.verdict == "wrong" and 'layout = "numerator"' in line.diagnoses[0].text
    for layout, more in (
        ("numerator", by_matrix),
        ("denominator", {"totals": {"L / W": "2 outer(h, x)", "h / x": "W.T"}}),
    ):
        assert parse_derivation({**given, **more, "layout": layout}).mark().ok
    assert not parse_derivation({**given, "totals": {"L / W": "2 outer(h, x)"}, "layout": "numerator"}).mark().ok
    with pytest.raises(InputError, match='layout: found "rows", needed: numerator or denominator'):
        parse_derivation({**given, **by_matrix, "layout": "rows"})


def implicit(equation, **more):
    return {"inputs": {"x": {}}, "definitions": {"y": {"equation": equation, **more}, "z": "y^2"}}


def test_a_quantity_may_be_defined_by_an_equation():
    given = implicit("y^3 + y = x")
    for formula, verdict in (("1 / (3y^2 + 1)", "right"), ("-1 / (3y^2 + 1)", "wrong"), ("1 / (3y^2)", "wrong")):
        assert parse_derivation({**given, "partials": {"y / x": formula}}).mark().lines[0].verdict == verdict
    for formula, verdict in (("2y / (3y^2 + 1)", "right"), ("y / (3y^2 + 1)", "wrong")):
        assert parse_derivation({**given, "totals": {"dz/dx": formula}}).mark().lines[0].verdict == verdict


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (implicit("y^2 = x^2 + 1"), "more than one solution between -10 and 10; needed: between"),
        (implicit("y^2 + x^2 + 1"), "it is not defined there"),
        (implicit("x^2 = 1"), "y is not in the equation"),
        (implicit("y = x", between=[1, 0]), "needed: a formula, or"),
        (implicit(3), "needed: a formula, or"),
        (implicit("y = x = 2"), "= is not allowed"),
    ],
)
def test_a_bad_equation_is_one_clear_line(given, told):
    with pytest.raises(InputError) as fault:
        parse_derivation({**given, "partials": {"y / x": "1"}}).mark()
    assert told in str(fault.value) and len(fault.value.problems) == 1


def test_a_gradient_by_hand_of_a_plain_function():
    x = np.array([0.3, 0.5, 0.9, 1.2, 1.7])

    def f(x):
        return np.sum(x * np.sin(x))

    def right(x):
        return np.sin(x) + x * np.cos(x)

    assert check_gradient(f, x, by_hand=right).ok and check_gradient(f, x, by_hand=right(x)).ok
    for factor, told in ((2.0, "yours = right * 2"), (-1.0, "the sign"), (x, "yours = right * x")):
        found = check_gradient(f, x, by_hand=factor * right(x))
        assert {line.verdict for line in found.lines} == {"wrong"} and str(found).count(told) == 1
    found = check_gradient(
        lambda x: np.array([x[0] * x[1], x[0] ** 2, x[1]]), x[:2], [[0.5, 0.6, 0.0], [0.3, 0.0, 1.0]]
    )
    assert not found.ok and "transposed" in found.lines[0].diagnoses[0].text
    assert check_gradient(abs, 0.0, by_hand=0.3).ok and not check_gradient(abs, 0.0, by_hand=1.2).ok
    assert check_gradient(np.max, np.ones(2), by_hand=[0.3, 0.7]).ok
    both = check_gradient(np.max, np.ones(2), by_hand=[1.0, 1.0])  # each entry alone lies between two slopes
    assert not both.ok and "with the other entries it is no subgradient" in str(both)
    assert check_gradient(lambda x: float(x) ** 3, 2.0, by_hand=12.0).ok  # takes no complex step
    for by_hand, told in (("a", "could not convert"), ([1, 2], "needed: (5,)"), (lambda x: None, "needed: (5,)")):
        with pytest.raises(InputError, match="check_gradient: by_hand") as fault:
            check_gradient(f, x, by_hand)
        assert told in str(fault.value)


def test_forty_entries_of_a_softmax_are_few_steps():
    given = {"inputs": {"x": {"shape": [40]}}, "definitions": {"s": "softmax(x)"}}
    lines = {"s[i] / x[i]": "s[i] (1 - s[i])", "s / x": "diag(s) - outer(s, s)"}
    found = parse_derivation({**given, "partials": lines}).mark()
    assert found.ok and len(found.lines) == 41
