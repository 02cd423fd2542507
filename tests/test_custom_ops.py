"""Ops that a user adds from outside the package: everywhere that an op of the package goes, they go."""

import math
import pickle
import re
import subprocess
import sys
import warnings
from inspect import signature
from pathlib import Path

import numpy as np
import pytest

from diffrt import autograd
from diffrt.autograd import TABLE, variable
from diffrt.autograd.operations import UFUNCS
from diffrt.autograd.variable import Op, apply
from diffrt.compiler import REFERENCE, Engine, EngineMissing, kernel
from diffrt.explaining.diagram import dot_of
from diffrt.explaining.graph import graph_of
from diffrt.explaining.latex import explain_latex
from diffrt.explaining.passes import backward_text
from diffrt.marking.formula import FUNCTIONS, Formula
from diffrt.marking.reading import parse_derivation

LLVM = Engine("llvm", 2)
ERF = np.vectorize(math.erf, otypes=[float])

log_cosh = autograd.op(
    "log_cosh", lambda x: np.logaddexp(x, -x) - math.log(2.0), (lambda out, x: autograd.tanh(x),),
    code=lambda t, x: abs(x) + t.op("log1p", t.op("exp", -2.0 * abs(x))) - math.log(2.0),
    latex=r"\log\cosh({})", about="log(cosh(x)).", backward="multiplies it by tanh",
)  # fmt: skip
error_function = autograd.op(
    "error_function", ERF, (lambda out, x: 2.0 / math.sqrt(math.pi) * np.exp(-x * x),),
    code=lambda t, x: t.library("erf", x), scalar=math.erf,
)  # fmt: skip
gaussian = autograd.op("gaussian", lambda x: np.exp(-x * x), (lambda out, x: -2.0 * x * out,))  # without code
hypotenuse = autograd.op(
    "hypotenuse", np.hypot, (lambda out, x, y: x / out, lambda out, x, y: y / out), form="|{}, {}|", commutes=True,
    code=lambda t, x, y: t.call("sqrt", x * x + y * y), inline=True,
)  # fmt: skip
within = autograd.op(
    "within", lambda x, low, high: (low < x) & (x < high), (None,) * 3,
    code=lambda t, x, low, high: (low < x) & (x < high),
)  # fmt: skip


# Other tests go through the table row by row, so the rows are in it only while one of this file runs.
TABLES = (TABLE, FUNCTIONS.maps[0], UFUNCS)
NAMES = ("log_cosh", "error_function", "gaussian", "hypotenuse", "within", np.hypot)
OWN = [{name: table.pop(name) for name in NAMES if name in table} for table in TABLES]


@pytest.fixture(autouse=True)
def rows_in_the_table():
    before = [dict(table) for table in TABLES]
    for table, own in zip(TABLES, OWN, strict=True):
        table.update(own)
    yield
    for table, rows in zip(TABLES, before, strict=True):
        table.clear()
        table.update(rows)


def formula(op, factor, rows, x):
    return op(x * factor) * x


def pair(setting, factor, rows, x):
    return autograd.where(within(x, -1.0, factor), hypotenuse(x, factor), log_cosh(x) * error_function(factor * x))


def second(function, setting, engine, x, factor=0.7):
    """Value, gradient, and the derivative of a component of the gradient, of a sum over samples."""

    def slope(sample):
        weights = np.linspace(1.0, 2.0, len(x))
        return autograd.grad(
            lambda s: autograd.sum(kernel(function, setting, variable(factor), None, s, engine) * weights)
        )(sample)

    sample = variable(x)
    value = kernel(function, setting, factor, None, x, engine)
    first = slope(sample)
    autograd.sum(first * np.cos(np.arange(len(x)))).backward()
    return value, first.value, sample.grad


@pytest.mark.parametrize("op", [log_cosh, error_function])
def test_an_op_with_code_runs_in_kernels_as_numpy_runs_it_to_the_second_derivative(op):
    x = np.random.default_rng(0).uniform(-3.0, 3.0, 101)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, expected = second(formula, op, LLVM, x), second(formula, op, REFERENCE, x)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


def test_ops_of_two_and_of_booleans_run_in_kernels():
    x = np.random.default_rng(1).uniform(-3.0, 3.0, 101)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, expected = second(pair, 0, LLVM, x), second(pair, 0, REFERENCE, x)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


def test_code_computes_in_double_where_a_kernel_is_in_single():
    x = np.random.default_rng(2).uniform(-3.0, 3.0, 101)
    for op in (log_cosh, error_function):
        narrow = kernel(formula, op, 0.5, None, x, Engine("llvm", 1, "float32"), shading=True)
        np.testing.assert_allclose(narrow, kernel(formula, op, 0.5, None, x, REFERENCE), rtol=3e-6, atol=1e-6)


def test_an_op_without_code_is_run_by_numpy_and_one_line_says_so():
    x = np.linspace(-1.0, 1.0, 33)
    with pytest.warns(EngineMissing, match="the op gaussian cannot be compiled; numpy runs"):
        found = second(formula, gaussian, LLVM, x)
    for a, b in zip(found, second(formula, gaussian, REFERENCE, x), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("op", "at"), [(log_cosh, (0.4,)), (error_function, (0.4,)), (gaussian, (0.4,)), (hypotenuse, (0.4, -0.9))]
)
def test_derivatives_of_every_order_are_those_of_differences(op, at):
    def along(x):
        return op(x, *at[1:])

    for _ in range(3):
        slope = autograd.grad(along)
        h = 1e-3
        column = [(along(at[0] + s) - along(at[0] - s)) / (2 * s) for s in (h, h / 2)]
        assert slope(at[0]) == pytest.approx((4.0 * column[1] - column[0]) / 3.0, rel=1e-8)
        along = slope


def test_floats_arrays_and_vars_give_the_same():
    x = np.array([[-1.0, 0.0, 2.0]])
    expected = np.logaddexp(x, -x) - math.log(2.0)
    np.testing.assert_array_equal(log_cosh(x), expected)
    np.testing.assert_array_equal(log_cosh(variable(x)).value, expected)
    assert log_cosh(2.0) == log_cosh(variable(2.0)).value == expected[0, 2] and type(log_cosh(2.0)) is float
    assert within(0.5, 0.0, 1.0) is True and within(variable(0.5), 0.0, 0.4) is False
    with pytest.raises(TypeError):
        log_cosh(1.0, 2.0)


def test_a_pole_is_inf_for_floats_as_for_arrays():
    inverse = autograd.op("inverse", lambda x: 1.0 / x, (lambda out, x: -1.0 / x**2,))
    x = variable(0.0)
    assert inverse(x).value == np.inf
    inverse(x).backward()
    assert x.grad == -np.inf


def test_what_an_op_made_can_be_pickled():
    y = pickle.loads(pickle.dumps(log_cosh(variable(0.3))))
    assert y.op is TABLE["log_cosh"]
    assert pickle.loads(pickle.dumps(log_cosh)) is log_cosh


def test_numpys_own_function_works_where_an_op_is_made_of_it():
    x = variable([3.0, 1.0])
    autograd.sum(np.hypot(x, 4.0)).backward()
    np.testing.assert_allclose(x.grad, [0.6, 1.0 / math.sqrt(17.0)])


def test_explanations_know_how_an_op_is_said_and_printed():
    x = variable([0.3, 0.7], "x")
    y = autograd.sum(hypotenuse(log_cosh(x), error_function(x)))
    graph = graph_of(y)
    assert [n.operation for n in graph.nodes[1:]] == ["log_cosh(x)", "error_function(x)", "|v1, v2|", "sum(v3)"]
    text = explain_latex(graph, graph["x"], 0)
    assert r"\fitted{\log\cosh(\text{x})}" in text and r"\fitted{\operatorname{error\_function}(\text{x})}" in text
    assert "v1 = log_cosh(x): log_cosh multiplies it by tanh" in backward_text(graph)
    assert re.search(r"v1\b[^\n]*log_cosh", dot_of(graph))


def test_formulas_of_derivations_call_an_op_and_confirm_its_derivative():
    assert FUNCTIONS["log_cosh"] is log_cosh
    assert Formula("log_cosh(2 * x)", "f")({"x": 0.5}) == pytest.approx(math.log(math.cosh(1.0)))
    given = {
        "inputs": {"x": {"domain": [0.2, 2.0]}}, "definitions": {"y": "x * log_cosh(x) + error_function(x)"},
        "partials": {"y / x": "log_cosh(x) + x * tanh(x) + 2 / sqrt(pi) * exp(-x^2)"},
    }  # fmt: skip
    assert [line.verdict for line in parse_derivation(given).mark().lines] == ["right"]
    given["partials"]["y / x"] = "log_cosh(x) + x * tanh(x)"
    assert [line.verdict for line in parse_derivation(given).mark().lines] == ["wrong"]


def test_an_op_of_the_same_name_that_is_not_in_the_table_is_not_taken_for_it():
    other = Op("log_cosh", lambda x: 3.0 * x, partials=(lambda out, x: 3.0,), code=lambda t, x: x * 3.0)
    x = np.linspace(-1.0, 1.0, 9)
    with pytest.warns(EngineMissing, match="the op log_cosh cannot be compiled"):
        found = kernel(formula, lambda v: apply(other, (v,)), 2.0, None, x, LLVM)
    np.testing.assert_array_equal(found, 6.0 * x * x)


SCRIPT = """
import numpy as np
from diffrt import autograd
from diffrt.compiler import Engine, kernel
f = autograd.op("own", lambda x: {0} * x, (lambda out, x: {0},), code=lambda t, x: x * {0})
def run(setting, factor, rows, x):
    return f(x)
print(kernel(run, 0, 1.0, None, np.ones(5), Engine("llvm", 1))[0])
"""


def test_compiled_code_is_kept_by_what_an_op_computes_not_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for factor in ("2.0", "3.0", "2.0"):
        path = Path(tmp_path, "script.py")
        path.write_text(SCRIPT.format(factor))
        done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == factor


def one(out, *x):
    return 1.0


BAD = [
    ("exp", np.exp, (one,), {}, "op exp: the name is taken"),
    ("sigmoid", np.exp, (one,), {}, "op sigmoid: the name is taken"),
    ("input", np.exp, (one,), {}, "op input: the name is taken"),
    ("soft plus", np.exp, (one,), {}, "op 'soft plus': a name is made of letters"),
    ("bad", np.exp, (one, one), {}, "op bad: 2 partials for a forward rule that takes another number"),
    ("bad", lambda x, y: x * y, (one,), {}, "op bad: 1 partial for a forward rule that takes another number"),
    ("bad", np.exp, (), {}, "op bad: 0 partials"),
    ("bad", np.exp, (2.0,), {}, "a partial is a function (out, *inputs), 1.0, -1.0 or None, given 2.0"),
    ("bad", np.sum, (one,), {}, "op bad: forward gives the shape () for inputs that broadcast to (4, 5)"),
    ("bad", lambda x: x / x.sum() if np.ndim(x) else x, (one,), {}, "an op is computed entry by entry"),
    ("bad", lambda x: x * np.nan, (one,), {}, "op bad: forward gives no finite number for any of -30, -2.5"),
    ("bad", lambda x: x + 1j, (one,), {}, "op bad: forward gives complex128; floats are needed, or booleans"),
    ("bad", np.exp, one, {}, "partials are a tuple with one for each input"),
    ("bad", math.sin, (one,), {}, "op bad: forward fails on shapes (4, 5): TypeError"),
    ("bad", np.exp, (lambda out, x: np.ones(3),), {}, "op bad: partial 1 gives the shape (3,)"),
    ("bad", np.exp, (lambda out, x: x * np.nan,), {}, "op bad: partial 1 gives no finite number"),
    ("bad", np.exp, (lambda out, x: np.cbrt(out),), {}, "partial 1 cannot be differentiated again"),
    ("bad", np.exp, (lambda x: x,), {}, "op bad: partial 1 fails on shapes"),
    ("bad", np.exp, (one,), {"scalar": math.sin}, "op bad: scalar gives"),
    ("bad", np.exp, (one,), {}, "op bad: partial 1 gives 1 for 0.309669, where the slope of forward is 1.36297"),
    ("bad", np.abs, (1.0,), {}, "op bad: partial 1 gives 1 for -32.2755, where the slope of forward is -1"),
    ("bad", np.sin, (lambda out, x: 1.001 * autograd.cos(x),), {}, "where the slope of forward is 0.952434"),
    (
        "bad",
        np.hypot,
        (lambda out, x, y: x / out,) * 2,
        {},
        "op bad: partial 2 gives 0.00970157 for 0.309669, -31.918,",
    ),
    ("bad", np.round, (1.0,), {}, "where the slope of forward is 0"),
    (
        "bad",
        np.exp,
        (lambda out, x: out,),
        {"form": "{} to {}"},
        "op bad: form '{} to {}' has to have one {} for each of 1 inputs",
    ),
]


@pytest.mark.parametrize(("name", "forward", "partials", "columns", "told"), BAD, ids=range(len(BAD)))
def test_a_row_that_is_wrong_is_refused_in_a_line_when_it_is_added(name, forward, partials, columns, told):
    with pytest.raises(ValueError, match="op ") as fault:
        autograd.op(name, forward, partials, **columns)
    assert told in str(fault.value) and "\n" not in str(fault.value)
    assert "bad" not in TABLE and "bad" not in FUNCTIONS


RIGHT = {
    "a ramp": (lambda x: np.maximum(x, 0.0), (lambda out, x: autograd.where(x > 0.0, 1.0, 0.0),)),
    "kinks at ordinary numbers": (lambda x: np.clip(x, 0.2, 1.0), (lambda out, x: (x > 0.2) & (x < 1.0),)),
    "a jump at each whole number": (lambda x: x - np.floor(x), (1.0,)),
    "jumps everywhere": (
        lambda x: np.modf(np.sin(x) * 43758.5453)[0], (lambda out, x: 43758.5453 * autograd.cos(x),)
    ),
    "a wave shorter than a step": (lambda x: np.sin(1e3 * x), (lambda out, x: 1e3 * autograd.cos(1e3 * x),)),
    "lost digits": (lambda x: 1e12 + np.sin(x), (lambda out, x: autograd.cos(x),)),
    "single precision": (lambda x: np.sin(np.float32(x)), (lambda out, x: autograd.cos(x),)),
    "numbers in a part only": (np.arctanh, (lambda out, x: 1.0 / (1.0 - x * x),)),
    "an overflow": (lambda x: np.exp(np.exp(x)), (lambda out, x: out * autograd.exp(x),)),
    "steps without a derivative": (np.floor, (None,)),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_op_is_not_refused_for_kinks_jumps_or_lost_digits(name):
    with np.errstate(all="ignore"):
        autograd.op("right", *RIGHT[name], scalar=RIGHT[name][0])


@pytest.mark.parametrize("name", [n for n, row in TABLE.items() if row.code and not row.takes_booleans])
def test_each_op_of_the_package_passes_what_is_asked_of_others(name):
    row = TABLE[name]
    partials = row.partials or (None,) * (len(signature(row.code).parameters) - 1)
    own = autograd.op("own", row.forward, partials, code=row.code, inline=row.inline)
    given = [np.linspace(0.2, 0.9, 9) for _ in partials]
    found = kernel(applied, own, None, None, given, LLVM)
    np.testing.assert_allclose(found, row.forward(*given), rtol=1e-12)


def applied(op, uniforms, rows, samples):
    return op(*samples) * 1.0


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            lambda t, x: t.op("exp", x * x),
            "op coded: its code gives 1.10064 for 0.309669, where forward gives 0.908559",
        ),
        (lambda t, x: t.choose(x < 0.0, 0.0, t.op("exp", -x * x)), "its code gives 0 for -3.03196, where forward"),
        (lambda t, x: t.op("exp", 2.0 * t.op("log", t.op("exp", -x * x / 2.0) * 1.001)), "its code gives 0.910377"),
        (lambda t, x: t.op("exp", -x * t.op("sqrt", x) * t.op("sqrt", x)), "its code gives nan for"),
    ],
    ids=range(4),
)
def test_code_that_computes_another_function_is_refused_when_it_is_first_compiled(code, told):
    op = autograd.op("coded", lambda x: np.exp(-x * x), (lambda out, x: -2.0 * x * out,), code=code)
    for _ in range(2):
        with pytest.raises(ValueError, match="op coded") as fault:
            kernel(formula, op, 1.0, None, np.ones(5), LLVM)
        assert told in str(fault.value) and "\n" not in str(fault.value)
    assert kernel(formula, op, 1.0, None, np.ones(5), REFERENCE)[0] == math.exp(-1.0)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (lambda t, x: t.op("no_such", x), "there is no op no_such with code"),
        (lambda t, x: t.call("sinus", x), "there is no intrinsic sinus"),
        (lambda t, x: t.library("no_such_function", x), "the C library has no function no_such_function"),
        (lambda t, x: x if x > 0.0 else -x, "use t.choose"),
        (lambda t, x: x > 0.0, "its code gives lanes of i1; it has to give lanes of double"),
        (lambda t, x: None, "its code gives NoneType"),
    ],
    ids=range(6),
)
def test_code_that_cannot_be_written_is_told_in_a_line(code, told):
    op = autograd.op("coded", lambda x: np.exp(-x * x), (lambda out, x: -2.0 * x * out,), code=code)
    with pytest.raises(ValueError, match="op") as fault:
        kernel(formula, op, 1.0, None, np.ones(5), LLVM)
    assert told in str(fault.value) and "\n" not in str(fault.value)
