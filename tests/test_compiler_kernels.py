"""Kernels: both engines, threads, runs, derivatives of derivatives and recording."""

import sys
from typing import Any, NamedTuple

import numpy as np
import pytest

from diffrt import autograd
from diffrt.autograd import Op, exp, greater, hessian, maximum, sqrt, variable, where
from diffrt.autograd.backward import reachable
from diffrt.autograd.variable import apply, value_of
from diffrt.compiler import (
    GRAPH,
    REFERENCE,
    Each,
    Engine,
    EngineMissing,
    Segments,
    Table,
    choose,
    choose_engine,
    compiled,
    kernel,
    scan,
    search,
)
from diffrt.compiler import engine as engine_module
from diffrt.compiler.structures import Packed
from diffrt.errors import InputError

LLVM = Engine("llvm", 2)
kernel_module = sys.modules["diffrt.compiler.kernel"]


class Row(NamedTuple):
    kind: Any
    numbers: Any


class Point(NamedTuple):
    x: Any
    y: Any


def formula(setting, a, row, point):
    def one(x, y, a, r):
        h = a * x - r[0] * y
        return [where(greater(h, 0.0), sqrt(h), 0.0) * x]

    def other(x, y, a, r):
        return [exp(-r[1] * x * x) + maximum(x, y) * setting * a]

    (h,) = choose(row.kind, [one, other], [*point, a, row.numbers])
    return autograd.stack([h * point.y, h + row.numbers[1]])


def inputs(size: int):
    rng = np.random.default_rng(0)
    return 1.3, rng.random((2, 5)), rng.random(size), rng.random(size)


KINDS = np.array([0.0, 1.0, 1.0, 0.0, 0.0])


def run(engine: Engine, labels: np.ndarray) -> list[np.ndarray]:
    a, numbers, x, y = (variable(v) for v in inputs(len(labels)))
    out = kernel(formula, 2.0, a, Row(KINDS, numbers), Point(x, y.value), engine, Segments(labels, 5))
    out.backward(np.random.default_rng(1).random(out.shape))
    return [np.asarray(v) for v in (out.value, a.grad, numbers.grad, x.grad)]


LABELS = {
    "one sample": np.array([3]),
    "fewer than a vector": np.array([0, 4, 1]),
    "long runs": np.repeat([0, 3, 1, 4], [5000, 3, 9001, 20_000]),
    "some left out": np.repeat([0, -1, 3, -1, 1], [1001, 40, 7, 1, 3000]),
    "no order": np.random.default_rng(5).integers(-1, 5, 20_001),
    "rows without samples": np.zeros(100, int),
    "none at all": np.full(50, -1),
}


@pytest.mark.parametrize("name", LABELS)
def test_both_engines_agree(name):
    expected, found = run(REFERENCE, LABELS[name]), run(LLVM, LABELS[name])
    for e, f in zip(expected, found, strict=True):
        assert f.shape == e.shape
        assert np.abs(f - e).max(initial=0.0) <= 1e-13 * max(np.abs(e).max(initial=0.0), 1e-300) * 100


def lit_formula(setting, a, row, point):
    return where(row.kind, a * point.x, row.numbers[1] - row.numbers[0] * point.y)


@np.errstate(invalid="ignore")
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("engine", [LLVM, Engine("llvm", 1, "float32"), REFERENCE, GRAPH], ids=str)
def test_rows_that_are_held_in_a_table_are_those_of_the_structure(engine, packed):
    """Also beside a Var, where the table is opened; booleans stay what they are."""
    a, numbers, x, y = inputs(700)
    lit = np.array([True, False, True, True, False])
    row = Row(greater(KINDS, 0.5) if packed else lit, numbers)
    segments = Segments(np.random.default_rng(2).integers(-1, 5, 700), 5)
    held: Any = Table(row)
    function: Any = lit_formula
    if packed:
        row, function = Row(KINDS, numbers), formula
        held = Packed.of(row)
        held = held.take(np.arange(4)).join(held.take(np.array([4])))
    for given in (a, variable(a)):
        one, two = (kernel(function, 2.0, given, rows, Point(x, y), engine, segments, True) for rows in (row, held))
        np.testing.assert_array_equal(value_of(one), value_of(two))
        assert np.abs(value_of(one)).max() > 0.5


def test_a_search_takes_packed_rows_pairs_of_them_and_their_first_part():
    _, numbers, x, y = inputs(50)
    held, segments = Packed.of(Row(KINDS, numbers)), Segments(np.arange(50) % 5, 5)

    def first(setting, uniforms, row, point, tables):
        return row * point.x

    def pairs(setting, uniforms, row, point, tables):
        one, two = row
        return one.numbers[0] * point.x + two.numbers[1] * point.y

    back = np.arange(5)[::-1]
    for engine in (LLVM, REFERENCE):
        (found,) = search(first, None, None, held.first(held.skeleton.parts[0]), Point(x, y), None, engine, segments)
        np.testing.assert_array_equal(found, KINDS[segments.rows] * x)
        (found,) = search(pairs, None, None, held.beside(held.take(back)), Point(x, y), None, engine, segments)
        np.testing.assert_allclose(found, numbers[0][segments.rows] * x + numbers[1][back][segments.rows] * y)


@np.errstate(invalid="ignore")
def test_in_a_graph_each_row_may_have_variables_of_its_own():
    labels = np.array([3, 0, 3, 1])
    expected, by_a, by_numbers, by_x = run(GRAPH, labels)
    a, numbers, x, y = inputs(len(labels))
    of_row = Each(variable(numbers[:, [k]]) for k in range(5))
    a, x = variable(np.array([a])), variable(x)
    out = kernel(formula, 2.0, Each([a]), Row(KINDS, of_row), Point(x, y), GRAPH, Segments(labels, 5))
    out.backward(np.random.default_rng(1).random(out.shape))
    assert np.array_equal(out.value, expected) and np.allclose([*a.grad, *x.grad], [by_a, *by_x], rtol=1e-14)
    used = {own.serial for own in reachable([out])}
    for k, own in enumerate(of_row):
        assert (own.serial in used) == (k in labels)
        assert k not in labels or np.allclose(own.grad[:, 0], by_numbers[:, k], rtol=1e-14)


def test_the_number_of_threads_does_not_change_a_bit(monkeypatch):
    monkeypatch.setattr(compiled, "ALONE", 0)
    one, two, many, again = (run(Engine("llvm", n), LABELS["no order"]) for n in (1, 2, 7, 2))
    for a, b, c, d in zip(one, two, many, again, strict=True):
        assert a.tobytes() == b.tobytes() == c.tobytes() == d.tobytes()


def test_float32_is_near():
    labels = LABELS["long runs"]
    a, numbers, x, y = inputs(len(labels))
    segments = Segments(labels, 5)
    exact, short = (
        kernel(formula, 2.0, a, Row(KINDS, numbers), Point(x, y), Engine("llvm", 2, dtype), segments, shading=True)
        for dtype in ("float64", "float32")
    )
    assert short.dtype == np.float32
    # The square root of a difference that is nearly zero has few digits.
    assert np.quantile(np.abs(short - exact), 0.99) < 1e-6


def cubic(setting, a, rows, x):
    return a[0] * a[0] * a[1] * x * x + sqrt(a[1] + x)


@pytest.mark.parametrize("engine", [REFERENCE, LLVM], ids=["numpy", "llvm"])
def test_second_derivatives_of_uniforms(engine):
    x = np.random.default_rng(2).random(1000)

    def total(a):
        return autograd.sum(kernel(cubic, None, a, None, x, engine))

    a, b = 1.2, 0.7
    root = -0.25 * np.sum((b + x) ** -1.5)
    truth = np.array([[2 * b * np.sum(x * x), 2 * a * np.sum(x * x)], [2 * a * np.sum(x * x), root]])
    assert hessian(total)(np.array([a, b])) == pytest.approx(truth, rel=1e-12)


def by_row(setting, uniforms, row, sample):
    return row * row * sample * sample


@pytest.mark.parametrize("engine", [REFERENCE, LLVM], ids=["numpy", "llvm"])
def test_second_derivatives_of_rows_and_samples(engine):
    labels = np.array([0, 0, 1, 1, 1, 0])

    def total(v):
        return autograd.sum(kernel(by_row, None, None, v[:2], v[2:], engine, Segments(labels, 2)))

    v = np.array([0.5, 2.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    truth = np.zeros((8, 8))
    for i, k in enumerate(labels):
        truth[k, k] += 2 * v[i + 2] ** 2
        truth[i + 2, i + 2] += 2 * v[k] ** 2
        truth[k, i + 2] += 4 * v[k] * v[i + 2]
        truth[i + 2, k] += 4 * v[k] * v[i + 2]
    assert hessian(total)(v) == pytest.approx(truth, rel=1e-12)


def length(setting, uniforms, rows, x):
    return sqrt(x * x)


def test_zero_wins_over_inf_in_compiled_code_too():
    """The partial of sqrt at 0 is inf, and x * x does not move there: the product is 0, not nan."""
    x = variable(np.array([0.0, 2.0, -3.0, 0.0, 1.0, 0.0]))
    kernel(length, None, None, None, x, LLVM).backward(np.ones(6))
    assert x.grad.tolist() == [0.0, 1.0, -1.0, 0.0, 1.0, 0.0]


def branching(setting, uniforms, rows, x):
    if x > 0.0:
        return x
    return -x


def test_a_branch_on_a_value_is_refused_and_the_line_is_named():
    with pytest.raises(TypeError, match=r"use diffrt\.autograd\.where.*test_compiler_kernels\.py, line \d+: if x"):
        kernel(branching, None, None, None, np.ones(5), LLVM)


def floating(setting, uniforms, rows, x):
    return x * float(x[0])


def test_a_value_as_a_float_is_refused_and_the_line_is_named():
    with pytest.raises(TypeError, match=r"no value yet.*line \d+: return x"):
        kernel(floating, None, None, None, np.ones(5), LLVM)


def largest(setting, uniforms, rows, x, table):
    def body(row, best, place):
        value = row["factor"] * x
        more = greater(value, best)
        return where(more, value, best), where(more, row["place"], place)

    return scan(table, body, [np.full(x.shape, -np.inf), np.full(x.shape, -1.0)])


@pytest.mark.parametrize("rows", [0, 1, 5, 100])
def test_a_scan_goes_through_all_rows_of_a_table_of_any_length(rows):
    rng = np.random.default_rng(rows)
    table, x = {"factor": rng.standard_normal(rows), "place": np.arange(rows, dtype=float)}, rng.standard_normal(37)
    for engine in (REFERENCE, LLVM):
        value, place = search(largest, None, None, None, x, Table(table), engine)
        if rows:
            assert np.array_equal(value, (table["factor"][:, None] * x).max(0))
            assert np.array_equal(place, (table["factor"][:, None] * x).argmax(0))
        else:
            assert (place == -1.0).all()


# Which engine.
def test_without_llvmlite_numpy_runs_and_says_so_in_one_line(monkeypatch):
    monkeypatch.setattr(engine_module, "missing", lambda: "ImportError: no llvmlite")
    with pytest.warns(EngineMissing, match="llvmlite cannot be loaded") as told:
        assert choose_engine().name == "numpy"
    assert len(str(told[0].message).splitlines()) == 1
    with pytest.raises(InputError, match='"numpy" needs no compiler'):
        choose_engine("llvm")
    assert choose_engine("numpy").name == "numpy"


SOFTPLUS = Op("softplus", lambda x: np.logaddexp(0.0, x), "softplus", partials=(lambda out, x: 1.0 / (1.0 + exp(-x)),))
FALSE_SIN = Op("sin", np.cos, "sin", partials=(lambda out, x: -autograd.sin(x),))
FLOORED = Op("floored", np.floor, "floor", vjp=(lambda g, out, x: 0.5 * g,))


def own_op(op, factor, rows, x):
    return apply(op, (x * factor,))


def own_op_in_a_loop(op, uniforms, rows, x, table):
    return scan(table, lambda factor, total: [total + apply(op, (x * factor,))], [x])


@pytest.mark.parametrize("op", [SOFTPLUS, FALSE_SIN, FLOORED], ids=lambda op: op.name)
def test_an_op_without_machine_code_is_run_by_numpy_and_one_line_says_so(op):
    kernel_module._tell.cache_clear()
    x = np.random.default_rng(0).standard_normal(37)

    def both(engine):
        factor, sample = variable(0.7), variable(x)
        out = kernel(own_op, op, factor, None, sample, engine)
        out.backward(np.linspace(1.0, 2.0, 37))
        return out.value, factor.grad, sample.grad

    with pytest.warns(EngineMissing, match=f"the op {op.name} cannot be compiled; numpy runs") as told:
        found = [both(LLVM), both(LLVM)]
    assert len(told) == 1
    np.testing.assert_array_equal(found[0][0], op.forward(0.7 * x))
    for each in found:
        for a, b in zip(each, both(REFERENCE), strict=True):
            np.testing.assert_array_equal(a, b)
    (value,), (expected,) = (
        search(own_op_in_a_loop, op, None, None, x, Table(np.arange(3.0)), engine) for engine in (LLVM, REFERENCE)
    )
    np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("wrong", [{"name": "cuda"}, {"threads": 0}, {"threads": 1.5}, {"dtype": "float16"}])
def test_engines_that_do_not_exist_are_refused(wrong):
    with pytest.raises(InputError, match=r"found .*, allowed"):
        Engine(**wrong)
