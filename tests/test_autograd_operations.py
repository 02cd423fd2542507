"""Every row of the op table against independent derivatives, relative to 1e-8 and with no absolute tolerance.

The truth is the complex step where the forward rule is analytic, Im f(x + ih) / h with h = 1e-30, which has no
cancellation; else Richardson-extrapolated central differences.
"""

import itertools

import numpy as np
import pytest

import diffrt.autograd as ag
from diffrt.autograd import TABLE, Var
from diffrt.autograd.variable import apply

ANALYTIC = [
    "add",
    "subtract",
    "multiply",
    "chain",
    "divide",
    "power",
    "negative",
    "sqrt",
    "exp",
    "log",
    "log1p",
    "sin",
    "cos",
    "tan",
    "tanh",
    "expm1",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "erf",
    "erfc",
]
POSITIVE = {"power", "sqrt", "log", "log1p", "divide", "arctan2"}
WITHIN_ONE = {"arcsin", "arccos"}
SHAPES = [((), ()), ((3,), (3,)), ((2, 3), (3,)), ((3,), (2, 1)), ((), (4,)), ((2, 1, 3), (4, 1))]
CORE = {name: op for name, op in TABLE.items() if name != "undistort"}  # that of a camera: tests/test_cameras.py
UNARY = [name for name, op in CORE.items() if op.partials is not None and len(op.partials) == 1]
BINARY = [name for name, op in CORE.items() if op.partials is not None and len(op.partials) == 2]
MADE_OF = {
    "sum": [((2, 3, 4), {"axis": a, "keepdims": k}) for a in (None, 1, (0, 2), -1) for k in (False, True)],
    "max": [((2, 3, 4), {"axis": a, "keepdims": k}) for a in (None, 1, (0, 2), -1) for k in (False, True)],
    "min": [((2, 3, 4), {"axis": a, "keepdims": k}) for a in (None, 1, (0, 2), -1) for k in (False, True)],
    "reshape": [((2, 6), {"shape": (3, -1)}), ((), {"shape": (1, 1)}), ((1,), {"shape": ()})],
    "transpose": [((2, 3, 4), {"axes": None}), ((2, 3, 4), {"axes": (2, 0, 1)})],
    "broadcast_to": [((3, 1), {"shape": (2, 3, 4)}), ((), {"shape": (2,)})],
    "index": [
        ((4, 3), {"index": index})
        for index in (0, (1, 2), slice(1, 3), (..., None, 1), [0, 0, 2], (np.array([1, 1]), slice(None)))
    ],
    "place": [((2,), {"index": [1, 1], "shape": (4,)}), ((3,), {"index": (1,), "shape": (2, 3)})],
    "cumsum": [((2, 3, 4), {"axis": a}) for a in (0, 1, -1)],
    "take": [((3, 4), {"indices": np.array([2, 0, 2]), "axis": a}) for a in (0, 1, -1)],
    "scatter_add": [((3, 3), {"indices": np.array([2, 0, 2]), "size": 5, "axis": a}) for a in (0, 1, -1)],
}
EINSUM = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("i,j->ij", [(2,), (3,)]),
    ("ij->ji", [(2, 3)]),
    ("ij,i->", [(2, 3), (2,)]),
    ("bij,bjk,k->bi", [(2, 3, 2), (2, 2, 4), (4,)]),
    ("ij,k->k", [(2, 3), (2,)]),
    (",i->i", [(), (3,)]),
]
JOINED = {"stack": [[(2, 3), (2, 3)]], "concatenate": [[(2, 3), (4, 3)]]}
MATMUL = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)),
          ((5, 2, 3), (3,)), ((3,), (5, 3, 4)), ((1, 2, 3), (6, 3, 2))]  # fmt: skip


def agree(found, expected, tolerance=1e-8):
    """Every entry to a relative tolerance; where the truth is 0, exactly 0."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    assert found.shape == expected.shape
    assert (np.abs(found - expected) <= tolerance * np.abs(expected)).all(), (found, expected)


def complex_step(f, x, direction):
    return np.imag(f(x + 1e-30j * direction)) / 1e-30


def richardson(f, x, direction, h=1e-2):
    """Central differences at four steps, extrapolated three times: an error of the order h^8."""
    column = [(f(x + s * direction) - f(x - s * direction)) / (2 * s) for s in (h, h / 2, h / 4, h / 8)]
    for order in (4.0, 16.0, 64.0):
        column = [(order * b - a) / (order - 1.0) for a, b in itertools.pairwise(column)]
    return column[0]


def draw(rng, shape, positive):
    x = rng.uniform(0.3, 1.8, shape) if positive else rng.uniform(0.2, 1.4, shape) * rng.choice([-1.0, 1.0], shape)
    return x if shape else float(x)


def check(op, inputs, settings, rng, analytic):
    """vjp and jvp of one op by each input, entry by entry."""
    settings = settings or {}
    fresh = [ag.variable(x) for x in inputs]
    out = apply(op, tuple(fresh), dict(settings) or None)
    shape = np.shape(op.forward(*inputs, **settings))
    assert out.shape == shape
    seed = rng.uniform(0.5, 1.5, shape)
    out.backward(seed if shape else float(seed))
    for i, x in enumerate(inputs):

        def along(value, i=i):
            return op.forward(*inputs[:i], value, *inputs[i + 1 :], **settings)

        size, expected, tangents = np.size(x), [], []
        for e in np.eye(size).reshape(size, *np.shape(x)):
            truth = complex_step(along, x, e) if analytic else richardson(along, x, e)
            tangents.append(truth)
            expected.append(np.sum(truth * seed))
        directions = [e if np.shape(x) else float(e) for e in np.eye(size).reshape(size, *np.shape(x))]
        others = [[None] * size if j != i else directions for j in range(len(inputs))]
        found = ag.pushforward(lambda *v: apply(op, v, dict(settings) or None), inputs, [
            None if j != i else directions for j in range(len(others))
        ])[1]  # fmt: skip
        # Differences of a function that is linear, or does not see an entry, may leave rounding where 0 is true.
        scale = max(np.abs(tangents).max(), 1e-300)
        for mine, truth in zip(found, tangents, strict=True):
            agree(mine, np.where(np.abs(truth) < 1e-12 * scale, 0.0, truth))
        rows = np.reshape(expected, np.shape(x))
        agree(fresh[i].grad, np.where(np.abs(rows) < 1e-12 * scale, 0.0, rows))


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_unary_op(name, shape):
    rng = np.random.default_rng(1)
    x = draw(rng, shape, name in POSITIVE)
    check(TABLE[name], [x * 0.7 if name in WITHIN_ONE else x], None, rng, name in ANALYTIC)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("shapes", SHAPES)
def test_binary_op_and_its_broadcasting(name, shapes):
    rng = np.random.default_rng(2)
    check(TABLE[name], [draw(rng, s, name in POSITIVE) for s in shapes], None, rng, name in ANALYTIC)


@pytest.mark.parametrize("shapes", SHAPES)
def test_where(shapes):
    rng = np.random.default_rng(3)
    x, y = (ag.variable(draw(rng, s, False)) for s in shapes)
    condition = rng.random(np.broadcast_shapes(*shapes)) > 0.5
    out = ag.where(condition, x * x, y * y * y)
    ag.sum(out).backward()
    taken = np.broadcast_to(condition, out.shape)
    for v, slope, mask in ((x, 2 * x.value, taken), (y, 3 * np.asarray(y.value) ** 2, ~taken)):
        full = np.where(mask, np.broadcast_to(slope, out.shape), 0.0)
        lead = full.sum(axis=tuple(range(full.ndim - v.ndim)))
        agree(v.grad, lead.sum(axis=tuple(i for i, n in enumerate(v.shape) if n == 1), keepdims=True).reshape(v.shape))


@pytest.mark.parametrize(("name", "case"), [(n, i) for n, cases in MADE_OF.items() for i in range(len(cases))])
def test_op_that_moves_or_adds_up_entries(name, case):
    shape, settings = MADE_OF[name][case]
    rng = np.random.default_rng(4)
    check(TABLE[name], [draw(rng, shape, False)], settings, rng, False)


@pytest.mark.parametrize("name", JOINED)
@pytest.mark.parametrize("axis", [0, -1])
def test_joining_op(name, axis):
    rng = np.random.default_rng(5)
    shapes = [(2, 3), (2, 3)] if axis == -1 else JOINED[name][0]
    check(TABLE[name], [draw(rng, s, False) for s in shapes], {"axis": axis}, rng, False)


@pytest.mark.parametrize("shapes", MATMUL)
def test_matmul(shapes):
    rng = np.random.default_rng(6)
    check(TABLE["matmul"], [draw(rng, s, True) for s in shapes], None, rng, False)


def test_adding_at_places():
    rng = np.random.default_rng(7)
    given = [draw(rng, (2, 4), False), draw(rng, (2, 5), False)]
    check(TABLE["add_at"], given, {"indices": np.array([0, 2, 2, 3, 0])}, rng, False)


@pytest.mark.parametrize("name", ["inv", "det", "solve"])
@pytest.mark.parametrize("stack", [(), (2,), (2, 1)])
def test_op_on_square_matrices(name, stack):
    rng = np.random.default_rng(8)
    given = [draw(rng, (*stack, 3, 3), False) + 2.0 * np.eye(3), draw(rng, (2, 3, 2), False)]
    check(TABLE[name], given[: 1 + (name == "solve")], None, rng, True)


@pytest.mark.parametrize(("text", "shapes"), EINSUM)
def test_einsum(text, shapes):
    rng, (left, result) = np.random.default_rng(9), text.split("->")
    settings = {"terms": tuple(left.split(",")), "result": result}
    check(TABLE["einsum"], [draw(rng, s, False) for s in shapes], settings, rng, True)


def test_no_row_of_the_table_is_left_out():
    differentiable = {name for name, op in CORE.items() if op.differentiable}
    others = {"where", "matmul", "add_at", "inv", "det", "solve", "einsum"}
    assert differentiable == {*UNARY, *BINARY, *MADE_OF, *JOINED, *others}


def test_a_small_wrong_value_fails_the_check():
    with pytest.raises(AssertionError):
        agree(2.5e-6, 1e-6)


def test_a_wrong_rule_fails_the_check():
    from dataclasses import replace

    rng = np.random.default_rng(7)
    wrong = replace(TABLE["sin"], partials=(lambda out, x: ag.cos(x) * (1.0 + 1e-7),))
    with pytest.raises(AssertionError):
        check(wrong, [draw(rng, (3,), False)], None, rng, True)


COMPOSED = {
    "norm": lambda x: ag.norm(x, axis=0),
    "normalize": lambda x: ag.normalize(x, axis=0),
    "softmax": ag.softmax,
    "log_softmax": ag.log_softmax,
    "batch_norm": ag.batch_norm,
    "sigmoid": ag.sigmoid,
    "relu": ag.relu,
    "mean": lambda x: ag.mean(x, axis=1),
    "cross": lambda x: ag.cross(x, x[::-1] * x + 1.0, axis=0),
    "dot": lambda x: ag.dot(x, ag.transpose(x * x)),
    "clip": lambda x: ag.clip(x, -0.7, 0.9),
    "softplus": ag.softplus,
    "gelu": ag.gelu,
    "logsumexp": lambda x: ag.logsumexp(x, 0),
    "prod": lambda x: ag.prod(x, 1),
    "outer": lambda x: ag.outer(x[0], x[1] * x[2]),
    "trace": lambda x: ag.trace(x * x, 1),
    "diag": lambda x: ag.diag(ag.diag(x) * x[0, :3], -1),
    "det": lambda x: ag.det(x[:, 1:]),
    "inv": lambda x: ag.inv(x[:, :3] + 3.0 * np.eye(3)),
    "solve": lambda x: ag.solve(x[:, :3] + 3.0 * np.eye(3), x[:, 3]),
    "einsum": lambda x: ag.einsum("ij,kj,ll->ki", x, x * x, x[:, :3]),
    "cumsum": lambda x: ag.cumsum(x * x) * ag.cumsum(x, 1)[0, 1],
    "all numpy": lambda x: np.sum(np.exp(np.sin(x)) @ np.transpose(x), axis=0) / (1.0 + x[:, 0] ** 2),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_composed_function_and_its_second_derivative(name):
    f, rng = COMPOSED[name], np.random.default_rng(8)
    x, v = draw(rng, (3, 4), False), rng.normal(size=(3, 4))

    def plain(at):
        out = f(ag.variable(at))
        return np.asarray(out.value)

    tangent = ag.jvp(f, (x,), (v,))[1]
    expected = richardson(plain, x, v)
    assert np.linalg.norm(tangent - expected) < 1e-8 * np.linalg.norm(expected)
    weights = rng.normal(size=expected.shape)

    def loss(at):
        return ag.sum(f(at) * weights)

    gradient = ag.grad(loss)(x)
    assert np.sum(gradient * v) == pytest.approx(np.sum(weights * tangent), rel=1e-11)
    expected = richardson(ag.grad(loss), x, v)
    for found in (
        ag.hvp(loss, x, v),
        ag.grad(lambda at: ag.sum(ag.grad(loss)(at) * v))(x),
        ag.jvp(lambda at: ag.vjp(loss, at)[1](1.0)[0], (x,), (v,))[1],
        ag.vjp(lambda at: ag.jvp(loss, (at,), (v,))[1], x)[1](1.0)[0],
        np.tensordot(ag.hessian(loss)(x), v, 2),
    ):
        scale = np.linalg.norm(expected) if np.linalg.norm(expected) > 1e-9 else 1.0
        assert np.linalg.norm(found - expected) < 2e-8 * scale


def test_third_derivatives():
    f = ag.grad(ag.grad(ag.grad(lambda x: ag.sin(x) * ag.exp(2.0 * x))))
    x = 0.7
    expected = np.imag((2 + 1j) ** 3 * np.exp((2 + 1j) * x))  # sin x e^2x is the imaginary part of e^(2+i)x
    assert f(x) == pytest.approx(expected, rel=1e-12)


def test_jacobian_has_the_shape_of_the_result_and_the_argument():
    wide = ag.jacobian(lambda x: ag.stack([ag.sum(x), ag.sum(x * x)]))(np.ones((2, 3)))
    tall = ag.jacobian(lambda x: ag.stack([x, x * x, x]))(np.ones((2, 3)))
    assert wide.shape == (2, 2, 3)
    assert tall.shape == (3, 2, 3, 2, 3)
    assert ag.jacobian(lambda x: ag.stack([x, x * x]))(3.0).tolist() == [1.0, 6.0]
    assert ag.jacobian(lambda x: x * x)(3.0) == 6.0
    assert isinstance(ag.variable(1.0), Var)


LONG = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 60, reason="this processor's long double is no better than a double"
)


def long_softmax(x):
    """Probabilities along the last axis, and what is missing of each to 1, as a sum of the others."""
    x = np.asarray(x, np.longdouble)
    raised = np.exp(x - x.max(-1, keepdims=True))
    others = raised @ (1.0 - np.eye(x.shape[-1], dtype=np.longdouble))
    return raised / raised.sum(-1, keepdims=True), others / raised.sum(-1, keepdims=True)


@LONG
def test_a_small_probability_has_no_digits():
    x = np.concatenate([np.linspace(-700.0, 700.0, 281), [-40.0, -1e-9, 0.0, 1e-300, 37.0]])
    p, rest = long_softmax(np.stack([x, 0.0 * x], -1))
    p, rest = p[:, 0], rest[:, 0]
    agree(ag.sigmoid(x), p, 4e-16)
    agree([ag.sigmoid(float(z)) for z in x], p, 4e-16)
    slope = ag.grad(lambda x: ag.sum(ag.sigmoid(x)))
    agree(slope(x), p * rest, 1e-15)
    agree(ag.jvp(ag.sigmoid, (x,), (np.ones(len(x)),))[1], p * rest, 1e-15)
    far = x[np.abs(x) > 1.0]
    agree(ag.hvp(lambda x: ag.sum(ag.sigmoid(x)), far, np.ones(len(far))),
          (p * rest * (rest - p))[np.abs(x) > 1.0], 1e-14)  # fmt: skip
    assert ag.grad(ag.grad(ag.sigmoid))(0.0) == 0.0
    assert ag.grad(ag.grad(ag.grad(ag.sigmoid)))(0.0) == -0.125
    assert ag.sigmoid(np.array([-np.inf, np.inf])).tolist() == [0.0, 1.0]
    agree(ag.sigmoid(np.array([-40.0], np.float32)), [np.exp(-40.0)], 1e-6)
    agree(ag.grad(ag.tanh)(30.0), 4.0 * np.exp(-60.0), 1e-15)


@LONG
@pytest.mark.parametrize("spread", [1.0, 40.0, 300.0])
def test_a_sure_softmax_has_no_digits_in_its_derivative(spread):
    rng = np.random.default_rng(9)
    for x in (*(spread * rng.normal(size=(4, 5))), [spread, 0.0], [0.0, 0.0, -spread], [1.0, 1.0, 1.0]):
        p, rest = long_softmax(x)
        slopes = np.diag(p * rest) - np.outer(p, p) * (1.0 - np.eye(len(p)))
        agree(ag.softmax(np.array(x)), p, 1e-15 * max(spread, 4.0))
        agree(ag.jacobian(ag.softmax)(np.array(x)), slopes, 1e-15 * max(spread, 10.0))
        rows = [ag.vjp(ag.softmax, np.array(x))[1](e)[0] for e in np.eye(len(p))]
        agree(rows, slopes, 1e-15 * max(spread, 10.0))
        agree(ag.jacobian(ag.log_softmax)(np.array(x)), np.diag(rest) - p * (1.0 - np.eye(len(p))), 1e-13)
        logarithm = np.where(p > 0.5, np.log1p(-np.minimum(rest, 0.9)), np.log(p))
        agree(ag.log_softmax(np.array(x)), logarithm, 1e-14)
