"""What is hard about an operation: digits at both ends, zeros, nothing, singular matrices, axes, notations."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import diffrt.autograd as ag
from diffrt.compiler import REFERENCE, Engine, kernel
from diffrt.marking.reading import parse_derivation

LONG = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 60, reason="this processor's long double is no better than a double"
)


def agree(found, truth, tolerance):
    """Every entry to a relative tolerance; where the truth is 0, exactly 0."""
    found = np.asarray(found.value if isinstance(found, ag.Var) else found, np.longdouble)
    truth = np.asarray(truth, np.longdouble)
    assert found.shape == truth.shape
    assert (np.abs(found - truth) <= tolerance * np.abs(truth)).all(), (found, truth)


def slopes(f, x, order=1):
    """A derivative of a function entry by entry."""
    for _ in range(order):
        f = ag.grad(lambda x, f=f: ag.sum(f(x)))
    return f(x)


# Digits.
def logistic(x):
    return 1.0 / (1.0 + np.exp(-x))


def density(x):
    return np.exp(-x * x / 2.0) / np.sqrt(2.0 * np.longdouble(np.pi))


FAR = np.array([-700.0, -300.5, -40.0, -3.0, -1e-3, -1e-9, -1e-300, 0.0, 1e-17, 1e-8, 0.3, 2.0, 30.0, 37.5, 600.0])
DIGITS = {  # the function, where, and the truth and its derivatives from numbers of 80 bits
    "softplus": (FAR, [lambda x: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0.0), logistic,
                       lambda x: logistic(x) * logistic(-x)]),
    "expm1": (FAR, [np.expm1, np.exp, np.exp]),
    "log1p": (np.array([-1.0 + 1e-15, -0.5, -1e-9, 1e-300, 0.0, 1e-12, 3.0, 1e100]),
              [np.log1p, lambda x: 1.0 / (1.0 + x), lambda x: -1.0 / (1.0 + x) / (1.0 + x)]),
    "sinh": (FAR, [np.sinh, np.cosh, np.sinh]),
    "cosh": (FAR, [np.cosh, np.sinh, np.cosh]),
    "arctan": (FAR, [np.arctan, lambda x: 1.0 / (1.0 + x * x), lambda x: -2.0 * x / (1.0 + x * x) ** 2]),
    "arcsin": (np.array([-1.0 + 1e-14, -0.9, -1e-9, 0.0, 0.5, 1.0 - 1e-9]),
               [np.arcsin, lambda x: ((1.0 - x) * (1.0 + x)) ** -0.5, lambda x: x * ((1.0 - x) * (1.0 + x)) ** -1.5]),
    "arccos": (np.array([-1.0 + 1e-14, -0.9, -1e-9, 0.0, 0.5, 1.0 - 1e-9]),
               [np.arccos, lambda x: -(((1.0 - x) * (1.0 + x)) ** -0.5)]),
    "sigmoid": (FAR, [logistic, lambda x: logistic(x) * logistic(-x)]),
}  # fmt: skip


@LONG
@pytest.mark.parametrize("name", DIGITS)
def test_digits_are_lost_at_neither_end(name):
    x, truths = DIGITS[name]
    f = getattr(ag, name)
    for order, truth in enumerate(truths):
        expected = truth(x.astype(np.longdouble))
        agree(slopes(f, x, order), expected, 3e-15)
        agree([slopes(f, float(v), order) for v in x], expected, 3e-15)
    agree(ag.jvp(f, (x,), (np.ones(len(x)),))[1], truths[1](x.astype(np.longdouble)), 3e-15)


@LONG
def test_gelu_of_a_negative_number_keeps_its_digits():
    """Against the series of Mills' ratio at far ends, and at near ones its definition."""
    x = np.array([-37.0, -30.0, -24.5]).astype(np.longdouble)
    mills = sum((-1.0) ** k * math.prod(range(1, 2 * k, 2)) * np.abs(x) ** (-2 * k - 1) for k in range(12))
    plain = x.astype(float)
    agree(ag.gelu(plain), x * mills * density(x), 2e-13)  # scipy's erfc knows no more
    agree(slopes(ag.gelu, plain), density(x) * (mills + x), 2e-13)
    agree(slopes(ag.gelu, plain, 2), density(x) * (2.0 - x * x), 2e-13)
    x = np.linspace(-5.0, 9.0, 41)
    below = np.array([math.erfc(-v * math.sqrt(0.5)) / 2.0 for v in x])
    agree(ag.gelu(x), x * below, 1e-14)
    agree(slopes(ag.gelu, x, 2), density(x.astype(np.longdouble)) * (2.0 - x * x), 1e-13)
    assert ag.gelu(np.array([-np.inf, -1e300, 0.0, np.inf])).tolist() == [0.0, 0.0, 0.0, np.inf]
    assert slopes(ag.gelu, np.array([-np.inf, -1e300, 0.0, 40.0, np.inf])).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


@LONG
def test_logsumexp_neither_overflows_nor_loses_digits():
    for x in ([1000.0, 1000.0], [-1000.0, -1001.0, -1050.0], [0.0, -80.0], [3.0, 1e300], [0.5, 0.5, -1e5], [7.0]):
        long = np.array(x, np.longdouble)
        order = np.sort(long - long.max())
        truth = long.max() + np.log1p(np.exp(order[:-1]).sum())
        agree(ag.logsumexp(np.array(x)), truth, 1e-15)
        raised = np.exp(long - long.max())
        agree(slopes(ag.logsumexp, np.array(x)), raised / raised.sum(), 1e-14)
    pair = np.array([0.0, -80.0])
    small = np.exp(np.longdouble(-80.0))
    agree(ag.hessian(ag.logsumexp)(pair), small * np.array([[1.0, -1.0], [-1.0, 1.0]]), 1e-15)


def test_infinite_entries_of_logsumexp_are_what_their_limits_are():
    inf = math.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x, value, slope in (
            ([-inf, 1.0, -inf], 1.0, [0.0, 1.0, 0.0]),
            ([-inf, -inf], -inf, None),
            ([inf, 2.0], inf, [1.0, 0.0]),
            ([inf, inf, -inf], inf, None),
        ):
            found = ag.value_and_grad(ag.logsumexp)(np.array(x))
            assert found[0] == value and not np.isnan(found[1]).any()
            assert slope is None or found[1].tolist() == slope
        assert ag.softmax(np.array([-inf, 0.0, 0.0])).tolist() == [0.0, 0.5, 0.5]
    assert np.isnan(ag.logsumexp(np.array([1.0, np.nan, 3.0])))
    masked = ag.variable(np.ones((2, 3)))
    ag.sum(ag.exp(ag.logsumexp(ag.where([[True, False, True], [False] * 3], masked, -inf), 1))).backward()
    np.testing.assert_allclose(masked.grad, [[math.e, 0.0, math.e], [0.0] * 3], rtol=1e-15)


def test_functions_end_where_they_end():
    """Outside of its domain a function is nan, and at its border the slope is infinite."""
    for x in (1.5, -1.0 - 1e-12, np.inf):
        assert np.isnan(ag.arcsin(x)) and np.isnan(ag.arccos(ag.variable(x)).value)
    assert ag.grad(ag.arcsin)(1.0) == math.inf and ag.grad(ag.arccos)(-1.0) == -math.inf
    assert ag.grad(lambda x: ag.arcsin(ag.where(x > 2.0, x, 1.0)))(0.3) == 0.0
    assert ag.softplus(np.array([-np.inf, np.inf])).tolist() == [0.0, np.inf]
    assert slopes(ag.softplus, np.array([-np.inf, np.inf])).tolist() == [0.0, 1.0]
    assert ag.grad(ag.grad(ag.grad(ag.grad(ag.softplus))))(0.0) == -0.125
    assert ag.erf(np.array([-np.inf, np.inf])).tolist() == [-1.0, 1.0]


# Products and sums.
AXES = [None, 0, 1, -1, (0, 2), (2, 1), (), (0, 1, 2)]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 0, 4), (1, 5, 1)])
def test_axes_and_empty_arrays_are_numpys(axis, keepdims, shape):
    x = np.random.default_rng(0).uniform(-2.0, 2.0, shape)
    with np.errstate(divide="ignore"):
        logs = np.log(np.sum(np.exp(x), axis, keepdims=keepdims))
    for f, truth in ((ag.prod, np.prod(x, axis, keepdims=keepdims)), (ag.logsumexp, logs)):
        found = f(ag.variable(x), axis, keepdims)
        assert found.shape == truth.shape
        np.testing.assert_allclose(found.value, truth, rtol=1e-13)
        ag.sum(found).backward()
    np.testing.assert_allclose(np.prod(ag.variable(x), axis=axis, keepdims=keepdims).value,
                               np.prod(x, axis=axis, keepdims=keepdims), rtol=1e-13)  # fmt: skip


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_the_derivative_of_a_product_divides_by_no_zero(size, zeros):
    x = np.random.default_rng(size).uniform(0.5, 2.0, size)
    x[: min(zeros, size)] = 0.0
    others = np.where(np.eye(size, dtype=bool), 1.0, x)
    agree(ag.grad(ag.prod)(x), others.prod(1), 1e-14)
    left = np.ones((size, size, size)) * x
    for i in range(size):
        left[i, :, i] = left[:, i, i] = 1.0
    agree(ag.hessian(ag.prod)(x), left.prod(2) * (1.0 - np.eye(size)), 1e-14)


def test_cumulated_sums_are_numpys():
    x = np.random.default_rng(1).normal(size=(3, 4))
    for axis in (None, 0, 1, -2):
        np.testing.assert_array_equal(np.cumsum(ag.variable(x), axis).value, np.cumsum(x, axis))
        weights = np.random.default_rng(2).normal(size=np.cumsum(x, axis).shape)
        found = ag.grad(lambda x, a=axis, w=weights: ag.sum(ag.cumsum(x, a) * w))(x)
        moved = [np.sum(np.cumsum(e.reshape(3, 4), axis) * weights) for e in np.eye(12)]
        np.testing.assert_allclose(found, np.reshape(moved, (3, 4)), rtol=1e-14)
    assert ag.cumsum(np.zeros((0, 2)), 0).shape == (0, 2)


# Matrices.
def cofactors(a):
    """From the definition, by the sum over permutations that numpy's determinant of each minor is."""
    n = len(a)
    return np.array([
        [(-1.0) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(n)] for i in range(n)
    ])  # fmt: skip


SINGULAR = {
    "rank 2 of 3": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]),
    "rank 1 of 3": np.outer([1.0, 2.0, -1.0], [3.0, 1.0, 4.0]),
    "nothing": np.zeros((2, 2)),
    "graded": np.array([[1e-10, 1e-12], [1e-9, 1e10]]),
    "one number": np.array([[0.0]]),
    "rank 4 of 5": np.vstack([np.vander([1.0, 2.0, 3.0, 4.0], 5), np.zeros((1, 5))]),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_the_derivative_of_a_singular_determinant_is_exact(name):
    a = SINGULAR[name]
    n, rng = len(a), np.random.default_rng(3)
    found = ag.grad(ag.det)(a)
    size = np.abs(cofactors(a)).max()
    np.testing.assert_allclose(found, cofactors(a), rtol=1e-13, atol=1e-14 * size)
    direction = rng.normal(size=(n, n))
    assert ag.jvp(ag.det, (a,), (direction,))[1] == pytest.approx(np.sum(found * direction), rel=1e-12)

    # det(a + t v) is a polynomial of degree n in t: its derivatives are known from n + 1 values.
    scale = np.abs(a).max() or 1.0
    v = direction * scale
    t = np.linspace(-1.0, 1.0, n + 1)
    along = np.polynomial.Polynomial.fit(t, [np.linalg.det(a + s * v) for s in t], n, domain=[-1, 1])
    if name != "graded":
        f = lambda t: ag.det(a + t * v)  # noqa: E731
        size = np.abs(along.coef).max()
        for order in range(1, n + 1):
            f = ag.grad(f)
            assert f(0.0) == pytest.approx(along.deriv(order)(0.0), rel=1e-9, abs=1e-9 * size)


def test_a_large_singular_determinant_has_a_derivative_and_refuses_the_second_in_words():
    rng = np.random.default_rng(4)
    a = rng.normal(size=(2, 15, 15))
    a[0, :, 3] = 2.0 * a[0, :, 5] - a[0, :, 1]
    found = ag.grad(lambda a: ag.sum(ag.det(a)))(a)
    for one, truth in zip(found, map(cofactors, a), strict=True):
        np.testing.assert_allclose(one, truth, rtol=1e-9, atol=1e-12 * np.abs(truth).max())
    b = rng.normal(size=(15, 15))
    c = np.linalg.inv(b)
    hessian = ag.hvp(ag.det, b, a[1])
    truth = np.linalg.det(b) * (np.trace(c @ a[1]) * c.T - (c @ a[1] @ c).T)
    np.testing.assert_allclose(hessian, truth, rtol=1e-8, atol=1e-10 * np.abs(truth).max())
    zero = np.zeros((15, 15))
    with pytest.raises(ValueError, match="second order of a singular matrix are computed up to 12 x 12"):
        ag.hvp(ag.det, zero, zero)


def test_stacks_of_matrices_are_single_matrices_each():
    rng = np.random.default_rng(5)
    a, b, v = rng.normal(size=(2, 3, 4, 4)), rng.normal(size=(3, 4, 2)), rng.normal(size=4)
    for f in (ag.inv, ag.det, lambda a: ag.solve(a, v), lambda a: ag.solve(a, b)):
        whole = ag.value_and_grad(lambda a, f=f: ag.sum(ag.sin(f(a))))(a)
        for i, j in np.ndindex(2, 3):
            g = f if f(a[0]).shape[-1:] != (2,) else lambda a, j=j: ag.solve(a, b[j])
            one = ag.grad(lambda a, g=g: ag.sum(ag.sin(g(a))))(a[i, j])
            np.testing.assert_allclose(whole[1][i, j], one, rtol=1e-10, atol=1e-12)
    by_v = ag.grad(lambda v: ag.sum(ag.solve(a, v)))(v)
    np.testing.assert_allclose(by_v, np.linalg.inv(a).sum((0, 1, 2)), rtol=1e-10)
    assert ag.solve(np.eye(2), np.ones(2)).shape == (2,) and ag.solve(np.ones((0, 0)), np.ones(0)).shape == (0,)
    assert ag.det(np.ones((3, 0, 0))).tolist() == [1.0] * 3
    assert ag.grad(lambda a: ag.sum(ag.det(a) + ag.sum(ag.inv(a))))(np.ones((3, 0, 0))).shape == (3, 0, 0)


def test_inverses_and_outer_products_move_as_their_definitions_say():
    rng = np.random.default_rng(10)
    a, g = rng.normal(size=(2, 4, 4))
    c = np.linalg.inv(a)
    np.testing.assert_allclose(ag.vjp(ag.inv, a)[1](g)[0], -c.T @ g @ c.T, rtol=1e-9)
    np.testing.assert_allclose(ag.jvp(ag.inv, (a,), (g,))[1], -c @ g @ c, rtol=1e-9)
    np.testing.assert_array_equal(ag.outer(a[0], ag.variable(g)).value, np.outer(a[0], g))


def test_a_matrix_that_is_changed_after_use_changes_no_derivative():
    a = np.array([[2.0, 1.0], [0.0, 3.0]])
    b = ag.variable([1.0, 1.0])
    x = ag.solve(a, b)
    y = ag.einsum("ij,j->i", a, b)
    a[...] = 0.0
    ag.sum(x + y).backward()
    np.testing.assert_allclose(b.grad, [0.5 + 2.0, 1.0 / 3.0 - 0.5 / 3.0 + 4.0], rtol=1e-14)


def test_diagonals_and_traces_are_numpys():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(3, 4, 5))
    v = ag.variable(x)
    for offset in (-4, -1, 0, 2, 7):
        for axes in ((0, 1), (1, 0), (2, 0), (-1, 1)):
            np.testing.assert_array_equal(np.diagonal(v, offset, *axes).value, np.diagonal(x, offset, *axes))
            np.testing.assert_allclose(np.trace(v, offset, *axes).value, np.trace(x, offset, *axes), rtol=1e-14)
        np.testing.assert_array_equal(np.diag(v[0], offset).value, np.diag(x[0], offset))
        if abs(offset) < 3:
            np.testing.assert_array_equal(ag.diag(v[0, 0], offset).value, np.diag(x[0, 0], offset))
    assert ag.grad(ag.trace)(x[0]).tolist() == np.eye(4, 5).tolist()
    assert ag.diag(np.zeros(0)).shape == (0, 0)


# einsum.
NOTATIONS = ["ij,jk", "ij,jk->ik", "ii", "ii->i", "iij,jk->ki", "i,j->ij", "i,i->", "ij->", "ij->ji", "...i,i",
             "...ij,jk", "...ij,...jk->...ik", "i...,i...->...", "b...ij,...j->b...i", "ij,ij,ij->j", "i,j,k->k",
             " i j , j -> i ", ",ij->ij", "iijj->ij", "...,...", "...ii->...i"]  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(NOTATIONS), st.integers(0, 2**31 - 1))
def test_einsum_is_numpys_and_its_derivatives_are_those_of_a_polynomial(notation, seed):
    rng = np.random.default_rng(seed)
    sizes = {c: int(rng.integers(1, 4)) for c in "ijkb"}
    beyond = [int(n) for n in rng.integers(1, 4, rng.integers(0, 3))]
    arrays = []
    for term in notation.partition("->")[0].replace(" ", "").split(","):
        before, dots, after = term.partition("...")
        some = [n if rng.random() < 0.7 else 1 for n in beyond[rng.integers(0, len(beyond) + 1) :]] if dots else []
        arrays.append(rng.normal(size=[*(sizes[c] for c in before), *some, *(sizes[c] for c in after)]))
    truth = np.einsum(notation, *arrays)
    found = np.einsum(notation, *map(ag.variable, arrays))
    np.testing.assert_allclose(found.value, truth, rtol=1e-12, atol=1e-13)
    weights = rng.normal(size=truth.shape)
    directions = [rng.normal(size=x.shape) for x in arrays]

    def loss(*x):
        return ag.sum(ag.sin(ag.einsum(notation, *x)) * weights)

    def moved(h):
        there = np.einsum(notation, *(x + h * d for x, d in zip(arrays, directions, strict=True)))
        return np.sum(np.sin(there) * weights)

    slope = moved(1e-30j).imag / 1e-30
    adjoints = ag.grad(loss, range(len(arrays)))(*arrays)
    assert sum(np.sum(g * d) for g, d in zip(adjoints, directions, strict=True)) == pytest.approx(
        slope, rel=1e-9, abs=1e-12
    )
    assert ag.jvp(loss, arrays, directions)[1] == pytest.approx(slope, rel=1e-9, abs=1e-12)
    second = ag.jvp(lambda *x: ag.jvp(loss, x, directions)[1], arrays, directions)[1]
    twice = [ag.jvp(ag.grad(loss, i), arrays, directions)[1] for i in range(len(arrays))]
    assert sum(np.sum(g * d) for g, d in zip(twice, directions, strict=True)) == pytest.approx(
        second, rel=1e-9, abs=1e-11
    )


def test_an_axis_of_length_one_is_stretched_and_empty_axes_add_up_to_nothing():
    x, y = np.ones((2, 1)), np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(ag.einsum("ij,jk->ik", x, y), np.einsum("ij,jk->ik", x, y))
    assert ag.grad(lambda x: ag.sum(ag.einsum("ij,jk->ik", x, y)))(x).tolist() == [[66.0], [66.0]]
    assert ag.grad(lambda x: ag.sum(ag.einsum("ij,jk->ik", x, np.ones((0, 4)))))(np.ones((2, 0))).shape == (2, 0)


# What all share.
EVERYWHERE = {
    "arcsin": 1, "arccos": 1, "arctan": 1, "sinh": 1, "cosh": 1, "log1p": 1, "expm1": 1, "erf": 1, "erfc": 1,
    "logsumexp": 1, "softplus": 1, "gelu": 1, "sigmoid": 1, "prod": 1, "cumsum": 1, "outer": 2, "trace": 1, "diag": 1,
    "inv": 1, "det": 1, "solve": 2, "einsum": 2,
}  # fmt: skip


def called(name, *x):
    return ag.einsum("ij,jk->ik", *x) if name == "einsum" else getattr(ag, name)(*x)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_single_precision_stays_single(name):
    rng = np.random.default_rng(7)
    given = [(rng.uniform(-0.4, 0.4, (3, 3)) + 0.5 * np.eye(3)).astype(np.float32) for _ in range(EVERYWHERE[name])]
    leaves = [ag.variable(x) for x in given]
    found = called(name, *leaves)
    wide = called(name, *(x.astype(float) for x in given))
    if found.shape:
        assert found.dtype == np.float32
    np.testing.assert_allclose(found.value, wide, rtol=1e-4, atol=1e-5)
    ag.sum(found).backward()
    assert all(leaf.grad.dtype == np.float32 for leaf in leaves)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_plain_numbers_give_plain_numbers_and_a_var_gives_a_var(name):
    given = [np.full((2, 2), 0.25) + 0.5 * np.eye(2)] * EVERYWHERE[name]
    plain, var = called(name, *given), called(name, *map(ag.variable, given))
    assert not isinstance(plain, ag.Var) and isinstance(var, ag.Var)
    np.testing.assert_array_equal(plain, var.value)


@pytest.mark.parametrize("name", ["arcsin", "arccos", "arctan", "sinh", "cosh", "log1p", "expm1"])
def test_numpys_own_functions_take_vars(name):
    x = np.array([0.1, -0.6])
    assert getattr(np, name)(ag.variable(x)).op.name == name
    for made in (np.outer(ag.variable(x), x), np.linalg.inv(ag.variable(np.diag(x))),
                 np.linalg.solve(np.diag(x), ag.variable(x)), np.linalg.det(ag.variable(np.diag(x)))):  # fmt: skip
        assert isinstance(made, ag.Var)
    for f in (special.erf, special.erfc, special.expm1):
        np.testing.assert_allclose(f(ag.variable(x)).value, f(x), rtol=1e-15)


ELEMENTWISE = [name for name in EVERYWHERE if name in ag.FUNCTIONS or name in ("softplus", "gelu", "sigmoid")]


def of_a_sample(name, factor, rows, x):
    return getattr(ag, name)(x * factor) * x


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_compiled_kernels_compute_it_and_its_derivatives(name):
    x = np.random.default_rng(8).uniform(-0.95, 0.95, 37)
    found = []
    for engine in (Engine("llvm", 1), REFERENCE):
        f = lambda x, e=engine: kernel(of_a_sample, name, 1.05, None, x, e)  # noqa: E731
        found.append([slopes(f, x, order) for order in range(3)])
    for order, (a, b) in enumerate(zip(*found, strict=True)):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14 * 10.0**order)


def of_several_numbers(name, factor, rows, x):
    """Numbers of a sample lie along the first axes of arrays, the samples along the last one."""
    two = ag.stack([x, factor * x])
    if name == "einsum":
        return ag.einsum("i...,i...->...", two, two + 1.0)
    if name == "trace":
        return ag.trace(ag.stack([two, two * two]))
    four = ag.concatenate([two, two + 1.0])
    return ag.prod(four, 0) if name == "prod" else ag.sum(ag.sin(ag.cumsum(four, 0)), 0)


@pytest.mark.parametrize("name", ["prod", "cumsum", "einsum", "trace"])
def test_kernels_know_what_moves_and_combines_entries(name):
    x = np.random.default_rng(9).uniform(-1.0, 1.0, 11)
    found = [
        slopes(lambda x, e=engine: kernel(of_several_numbers, name, 0.7, None, x, e), x, order)
        for order in (0, 1) for engine in (Engine("llvm", 1), REFERENCE)
    ]  # fmt: skip
    np.testing.assert_allclose(found[::2], found[1::2], rtol=1e-13)


# In words.
@pytest.mark.parametrize(
    ("f", "told"),
    [
        (lambda: ag.inv(np.ones((2, 3))), "inv needs square matrices, of a shape (..., n, n); given the shape (2, 3)"),
        (lambda: ag.det(ag.variable([1.0])), "det needs square matrices, of a shape (..., n, n); given the shape (1,)"),
        (lambda: ag.inv(np.ones((2, 2))), "inv: a matrix of shape (2, 2) is singular; it has no inverse"),
        (lambda: ag.inv(np.zeros((4, 2, 2))), "inv: a matrix of a stack of shape (4, 2, 2) is singular"),
        (lambda: ag.solve(np.ones((2, 2)), [1.0, 2.0]), "solve: a matrix of shape (2, 2) is singular"),
        (lambda: ag.solve(np.eye(2), [1.0, 2.0, 3.0]), "(n,) or (..., n, k), given the shapes (2, 2) and (3,)"),
        (lambda: ag.solve(np.eye(2), 1.0), "given the shapes (2, 2) and ()"),
        (lambda: ag.solve(np.ones((2, 3)), [1.0, 2.0]), "given the shapes (2, 3) and (2,)"),
        (lambda: ag.solve(np.ones((3, 2, 2)), np.ones((4, 2, 1))), "given the shapes (3, 2, 2) and (4, 2, 1)"),
        (lambda: ag.diag(np.ones((2, 2, 2))), "diag needs a vector or a matrix, given the shape (2, 2, 2)"),
        (lambda: ag.diag(1.0), "diag needs a vector or a matrix, given the shape ()"),
        (lambda: ag.trace(np.ones(3)), "a diagonal needs an array of at least two axes, given the shape (3,)"),
        (lambda: ag.einsum("ij,jk", np.ones((2, 2))), "einsum 'ij,jk': it is for 2 arrays, given 1"),
        (lambda: ag.einsum("ij->i", np.ones(2)), "'ij' does not fit an array of shape (2,); it needs a letter"),
        (lambda: ag.einsum("i->i", np.ones((2, 2))), "'i' does not fit an array of shape (2, 2)"),
        (lambda: ag.einsum("ij,jk", np.ones((2, 2)), np.ones((3, 2))), "length, given the shapes (2, 2) and (3, 2)"),
        (lambda: ag.einsum("ii", np.ones((1, 3))), "the axes of one letter must have one length"),
        (lambda: ag.einsum("i->j", np.ones(2)), "the result has the letter 'j', which is in no array"),
        (lambda: ag.einsum("i->ii", np.ones(2)), "the result has the letter 'i', which is there twice"),
        (lambda: ag.einsum("i1->i", np.ones((2, 2))), "the notation is made of letters, commas"),
        (lambda: ag.einsum("i->j->k", np.ones(2)), "the notation is made of letters, commas"),
        (lambda: ag.einsum("...i...->i", np.ones(2)), "the notation is made of letters, commas"),
        (lambda: ag.einsum("...i->i", np.ones((2, 2))), "the result needs '...' too"),
        (lambda: ag.einsum(np.ones(2), [0]), "einsum takes its notation as text, such as 'ij,jk->ik', given a ndarray"),
        (lambda: ag.prod(np.ones((2, 2)), 2), "axis 2 is out of bounds"),
        (lambda: ag.logsumexp(np.ones((2, 2)), (0, 0)), "repeated axis"),
        (lambda: ag.cumsum(np.ones(2), 3), "axis 3 is out of bounds"),
    ],
    ids=range(27),
)  # fmt: skip
def test_a_mistake_is_told_in_a_line(f, told):
    with pytest.raises(ValueError, match=r".") as fault:
        f()
    assert told in str(fault.value) and "\n" not in str(fault.value)


def of_a_matrix(name, factor, rows, x):
    matrix = ag.stack([ag.stack([x, factor * x]), ag.stack([x, x])])
    return ag.sum(getattr(ag, name)(ag.transpose(matrix, (2, 0, 1))))


@pytest.mark.parametrize("name", ["inv", "det"])
def test_what_is_not_compiled_says_so(name):
    with pytest.raises(TypeError, match=f"{name} is not compiled; call it outside of the kernel"):
        kernel(of_a_matrix, name, 0.7, None, np.ones(3), Engine("llvm", 1))


def test_students_write_the_new_functions_in_formulas():
    given = {
        "inputs": {"x": {"domain": [-0.9, 0.9]}, "A": {"domain": [0.5, 2.0], "shape": [2, 2]}},
        "definitions": {
            "a": "asin(x) + acos(x * x) * atan(x)", "b": "sinh(x) - cosh(x) + expm1(x) + erf(x)",
            "c": "softplus(x) + gelu(x)", "d": "det(A) * trace(A)",
        },
        "partials": {
            "a / x": "1 / sqrt(1 - x^2) - 2 * x / sqrt(1 - x^4) * arctan(x) + acos(x^2) / (1 + x^2)",
            "b / x": "cosh(x) - sinh(x) + exp(x) + 2 / sqrt(pi) * exp(-x^2)",
            "c / x": "sigmoid(x) + erfc(-x / sqrt(2)) / 2 + x / sqrt(2 * pi) * exp(-x^2 / 2)",
            "d / A": "trace(A) * det(A) * transpose(inv(A)) + det(A) * eye(2)",
        },
    }  # fmt: skip
    assert [line.verdict for line in parse_derivation(given).mark().lines] == ["right"] * 4
    given["partials"]["a / x"] = "1 / (1 - x^2) - 2 * x / sqrt(1 - x^4) * arctan(x) + acos(x^2) / (1 + x^2)"
    given["partials"]["d / A"] = "trace(A) * det(A) * inv(A) + det(A) * eye(2)"
    assert [line.verdict for line in parse_derivation(given).mark().lines] == ["wrong", "right", "right", "wrong"]


def test_a_subgradient_where_an_arccosine_is_steep_is_right():
    given = {
        "inputs": {"x": {"domain": [-0.9, 0.9]}}, "definitions": {"y": "acos(cos(x))"}, "points": [{"x": 0.0}],
        "partials": {"y / x": "where(x > 0, 1, -1)"},
    }  # fmt: skip
    assert [line.verdict for line in parse_derivation(given).mark().lines] == ["right"]
    given["partials"]["y / x"] = "where(x > 0, 1, where(x < 0, -1, 3))"
    assert [line.verdict for line in parse_derivation(given).mark().lines] == ["wrong"]
