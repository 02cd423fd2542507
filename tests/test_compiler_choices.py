"""Choices: one branch per run of samples, in both engines, with derivatives of any order; loops that pass over rows."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from diffrt import autograd as ag
from diffrt.autograd import exp, greater, hessian, maximum, sqrt, stack, where
from diffrt.compiler import REFERENCE, Engine, Segments, Table, choose, kernel, scan, search

LLVM = Engine("llvm", 2)


class Row(NamedTuple):
    kind: Any
    numbers: Any


class Point(NamedTuple):
    x: Any
    y: Any


def two_choices(setting, uniform, row, point):
    """The second choice is of the same kinds and goes on with what the first one gives."""

    def one(x, y, a, u):
        return [x * a[0] * u[0] + y * y, stack([x, y]) * a[1]]

    def two(x, y, a, u):
        return [exp(x * a[1]) * u[1], stack([x * y * a[2], a[0] * x / y])]

    def three(x, y, a, u):
        return [x * 0.0 + 3.0, stack([x, y])]

    p, q = choose(row.kind, [one, two, three], [point.x, point.y, row.numbers, uniform])

    def four(p, q, a):
        return [p * q[0] + a[0]]

    def five(p, q, a):
        return [where(greater(p, 0.0), sqrt(p), 0.0) * q[1] * a[2]]

    (z,) = choose(row.kind, [four, five, four], [p, q, row.numbers])
    return stack([z, p * 2.0])


RANDOM = np.random.default_rng(0)
ROWS = np.repeat(RANDOM.integers(0, 5, 40), 25)
KINDS = np.array([0.0, 1.0, 2.0, 1.0, 0.0])
X, Y = RANDOM.uniform(0.5, 1.5, (2, len(ROWS)))
WEIGHTS = RANDOM.normal(size=(2, len(ROWS)))
AT = RANDOM.uniform(0.5, 1.5, 20)


def parts(v):
    return ag.reshape(v[:15], (3, 5)), v[15:17], ag.concatenate([v[17:20], X[3:]])


def loss(engine):
    def total(v):
        numbers, uniform, x = parts(v)
        out = kernel(two_choices, None, uniform, Row(KINDS, numbers), Point(x, Y), engine, Segments(ROWS, 5))
        return ag.sum(out * WEIGHTS)

    return total


def by_hand(v):
    """The same without a kernel."""
    numbers, uniform, x = parts(v)
    row = Row(KINDS[ROWS], ag.take(numbers, ROWS, -1))
    return ag.sum(two_choices(None, ag.reshape(uniform, (2, 1)), row, Point(x, Y)) * WEIGHTS)


@pytest.mark.parametrize("engine", [REFERENCE, LLVM], ids=["numpy", "llvm"])
@pytest.mark.parametrize(
    "derivative",
    [lambda f: f, ag.grad, ag.jacobian, hessian, lambda f: ag.grad(lambda v: ag.sum(ag.grad(f)(v) ** 2))],
    ids=["value", "reverse", "forward", "second", "mixed"],
)
def test_a_choice_has_the_value_and_the_derivatives_of_its_branches(engine, derivative):
    expected = np.asarray(derivative(by_hand)(AT))
    assert np.abs(np.asarray(derivative(loss(engine))(AT)) - expected).max() <= 1e-13 * np.abs(expected).max()


def nested(setting, uniform, row, x):
    def inner(kind, x, a):
        return choose(kind, [lambda x, a: [x * x * a], lambda x, a: [sqrt(x) * a]], [x, a])

    def outer(kind, x, a):
        (y,) = inner(kind, x + 1.0, a)
        return [y * x]

    (found,) = choose(row.kind, [outer, lambda kind, x, a: inner(kind, x * 3.0, a)], [row.kind, x, row.numbers])
    return found


def test_a_choice_in_a_branch_of_another():
    kinds, rows = np.array([0.0, 1.0]), np.repeat([0, 1, 0], 30)
    x = np.linspace(0.5, 2.0, 90)

    def total(engine):
        return lambda v: ag.sum(kernel(nested, None, None, Row(kinds, v[:2]), v[2] * x, engine, Segments(rows, 2)))

    at = np.array([1.3, 0.7, 1.1])
    for derivative in (ag.grad, hessian):
        found, expected = (derivative(total(engine))(at) for engine in (LLVM, REFERENCE))
        assert found == pytest.approx(expected, rel=1e-13)
    z = at[2] * x
    closed = np.where(rows == 0, (z + 1.0) ** 2 * at[0] * z, np.sqrt(3.0 * z) * at[1]).sum()
    assert total(LLVM)(at) == pytest.approx(closed, rel=1e-14)


def by_sample(setting, uniform, rows, x):
    return choose(x, [lambda x: [x], lambda x: [-x]], [x])[0]


def test_a_kind_that_differs_between_lanes_is_refused():
    with pytest.raises(TypeError, match="the kind differs between samples"):
        kernel(by_sample, None, None, None, np.array([0.0, 1.0]), LLVM)


def closing_over(setting, uniform, row, x):
    twice = 2.0 * x
    return choose(row, [lambda x: [twice], lambda x: [x]], [x])[0]


def test_a_branch_that_takes_a_variable_from_around_it_is_refused():
    """Its derivative would be lost."""
    x = ag.variable(np.ones(4))
    with pytest.raises(TypeError, match="not among the arguments"):
        ag.sum(kernel(closing_over, None, None, np.array([0.0]), x, LLVM, Segments(np.zeros(4, int), 1))).backward()


class Line(NamedTuple):
    kind: Any
    value: Any
    following: Any


def largest(setting, uniform, rows, x, table):
    """The largest product of a value and x; a row of kind 0 lets pass over the rows up to `following` if x is small."""

    def body(row, best, looked):
        def gate(value, x, best, looked):
            return [greater(x, value), best, looked]

        def number(value, x, best, looked):
            return [greater(x, -1.0), maximum(best, value * x), looked + 1.0]

        return choose(row.kind, [gate, number], [row.value, x, best, looked])

    return scan(table, body, [np.full(x.shape, -np.inf), np.full(x.shape, 0.0)], lambda row: row.following)


def test_a_scan_passes_over_rows_that_no_lane_needs():
    table = Table(Line(np.array([0.0, 1, 1, 1]), np.array([0.8, 3.0, 2.0, 1.0]), np.array([3.0, 2, 3, 4])))
    small, large = np.full(8, 0.5), np.full(8, 1.5)
    best, looked = search(largest, None, None, None, small, table, LLVM)
    assert (best == 0.5).all() and (looked == 1.0).all(), "two rows are passed over"
    best, looked = search(largest, None, None, None, large, table, LLVM)
    assert (best == 4.5).all() and (looked == 3.0).all()
    best, looked = search(largest, None, None, None, small, table, REFERENCE)
    assert (looked == 3.0).all(), "the reference looks at every row"
