"""Random programs of all the core can do: reverse mode, forward mode and the complex step give one derivative.

Every number in a program is an array (2, 3). Index arrays and masks are overwritten as soon as an instruction has used
them, as a program may do that reuses its memory.
"""

import itertools
from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import diffrt.autograd as ag
from diffrt.autograd import TABLE

SHAPE = (2, 3)


def _pick(x, axis, keepdims, arg):
    """The largest or smallest entries by their real part."""
    if axis is None:
        return x.ravel()[arg(x.real)] * np.ones((1, 1) if keepdims else ())
    found = np.take_along_axis(x, arg(x.real, axis, keepdims=True), axis)
    return found if keepdims else found.squeeze(axis)


def _scatter(x, indices, size, axis):
    out = np.zeros((x.shape[0], size), complex)
    np.add.at(out, (slice(None), indices), x)
    return out


def _add_at(x, indices, y):
    out = np.array(x, complex)
    np.add.at(out, (..., indices), y)
    return out


def _softmax(x, axis=-1):
    return np.exp(x) / np.sum(np.exp(x), axis, keepdims=True)


# The functions of the core on complex numbers, written without it.
COMPLEX = SimpleNamespace(
    **{name: getattr(np, name) for name in (
        "add", "subtract", "multiply", "divide", "power", "negative", "sqrt", "exp", "log", "log1p", "sin", "cos",
        "tan", "tanh", "where", "sum", "mean", "reshape", "transpose", "stack", "concatenate", "broadcast_to", "matmul",
        "take", "expm1", "arcsin", "arccos", "arctan", "sinh", "cosh", "prod", "cumsum", "outer", "trace", "diag",
        "einsum",
    )},
    **{name: getattr(special, name) for name in ("erf", "erfc")},
    **{name: getattr(np.linalg, name) for name in ("inv", "det", "solve")},
    absolute=lambda x: np.where(x.real < 0, -x, x),
    arctan2=lambda y, x: np.arctan(y / x),
    maximum=lambda x, y: np.where(np.real(x) > np.real(y), x, y),
    minimum=lambda x, y: np.where(np.real(x) < np.real(y), x, y),
    max=lambda x, axis=None, keepdims=False: _pick(x, axis, keepdims, np.argmax),
    min=lambda x, axis=None, keepdims=False: _pick(x, axis, keepdims, np.argmin),
    index=lambda x, where: x[where],
    scatter_add=_scatter,
    add_at=_add_at,
    norm=lambda x, axis=None, keepdims=False: np.sqrt(np.sum(x * x, axis, keepdims=keepdims)),
    softplus=lambda x: np.log(1 + np.exp(x)),
    gelu=lambda x: x * special.erfc(-x / np.sqrt(2)) / 2,
    logsumexp=lambda x, axis=None, keepdims=False: np.log(np.sum(np.exp(x), axis, keepdims=keepdims)),
    sigmoid=lambda x: 1 / (1 + np.exp(-x)),
    relu=lambda x: np.where(x.real > 0, x, 0),
    softmax=_softmax,
    log_softmax=lambda x, axis=-1: np.log(_softmax(x, axis)),
    batch_norm=lambda x, axis=0: (x - x.mean(axis)) / np.sqrt(((x - x.mean(axis)) ** 2).mean(axis) + 1e-5),
    clip=lambda x, low, high: np.where(x.real < low, low, np.where(x.real > high, high, x)),
    checkpoint=lambda f: f,
)  # fmt: skip

# An instruction makes one number of two: (m: the core or COMPLEX, x, y, i: three columns, c: a mask (2, 3)).
INSTRUCTIONS = {
    "add": lambda m, x, y, i, c: m.add(x, y),
    "subtract": lambda m, x, y, i, c: m.subtract(x, y),
    "multiply": lambda m, x, y, i, c: m.multiply(x, y),
    "divide": lambda m, x, y, i, c: m.divide(x, y * y + 0.5),
    "power": lambda m, x, y, i, c: m.power(x * x + 0.5, y),
    "whole power": lambda m, x, y, i, c: x**3 - m.power(y, 2.0),
    "negative": lambda m, x, y, i, c: m.negative(x),
    "abs": lambda m, x, y, i, c: m.absolute(x),
    "sqrt": lambda m, x, y, i, c: m.sqrt(x * x + 0.5),
    "exp": lambda m, x, y, i, c: m.exp(x),
    "log": lambda m, x, y, i, c: m.log(x * x + 0.5),
    "log1p": lambda m, x, y, i, c: m.log1p(x * y * 0.5),
    "sin": lambda m, x, y, i, c: m.sin(3.0 * x),
    "cos": lambda m, x, y, i, c: m.cos(3.0 * x),
    "tan": lambda m, x, y, i, c: m.tan(x),
    "tanh": lambda m, x, y, i, c: m.tanh(4.0 * x),
    "arctan2": lambda m, x, y, i, c: m.arctan2(x, y * y + 0.5),
    "expm1": lambda m, x, y, i, c: m.expm1(x) * y,
    "arcsin": lambda m, x, y, i, c: m.arcsin(0.9 * x),
    "arccos": lambda m, x, y, i, c: m.arccos(0.9 * x * y),
    "arctan": lambda m, x, y, i, c: m.arctan(5.0 * x),
    "sinh": lambda m, x, y, i, c: m.sinh(x) - m.sinh(2.0 * y),
    "cosh": lambda m, x, y, i, c: m.cosh(2.0 * x),
    "erf": lambda m, x, y, i, c: m.erf(3.0 * x),
    "erfc": lambda m, x, y, i, c: m.erfc(3.0 * x + y),
    "maximum": lambda m, x, y, i, c: m.maximum(x, y),
    "minimum": lambda m, x, y, i, c: m.minimum(x, 0.3 * y),
    "where": lambda m, x, y, i, c: m.where(c, x, y),
    "clip": lambda m, x, y, i, c: m.clip(x, -0.31, 0.47) + y,
    "relu": lambda m, x, y, i, c: m.relu(x - 0.1) - y,
    "sum": lambda m, x, y, i, c: m.sum(x, 0) + m.sum(y, 1, keepdims=True),
    "mean": lambda m, x, y, i, c: m.mean(x, 1, keepdims=True) * y,
    "max": lambda m, x, y, i, c: m.max(x, 0) + m.max(y) * y,
    "min": lambda m, x, y, i, c: m.min(x, 1, keepdims=True) - m.min(y, 0),
    "prod": lambda m, x, y, i, c: m.prod(x, 0) + m.prod(x - m.where(c, x, y), 1, keepdims=True) * y,
    "cumsum": lambda m, x, y, i, c: m.cumsum(x, 1) + m.reshape(m.cumsum(y), SHAPE),
    "reshape": lambda m, x, y, i, c: m.transpose(m.reshape(x, (3, 2))) * y,
    "broadcast_to": lambda m, x, y, i, c: m.broadcast_to(x[0], SHAPE) + y,
    "stack": lambda m, x, y, i, c: m.stack([x, y, x * y], 0)[1] + m.stack([x, y], 2)[..., 0],
    "concatenate": lambda m, x, y, i, c: m.concatenate([x, y], 0)[1:3],
    "matmul": lambda m, x, y, i, c: m.matmul(m.matmul(x, m.transpose(y)), x),
    "matrix and vector": lambda m, x, y, i, c: m.reshape(m.matmul(x, y[1]), (2, 1)) * m.matmul(y[:, 0], x),
    "outer": lambda m, x, y, i, c: m.outer(x[:, 0], y[0]),
    "trace": lambda m, x, y, i, c: m.trace(m.matmul(x, m.transpose(y))) * x,
    "diag": lambda m, x, y, i, c: m.matmul(m.diag(x[:, 1]), y) + m.diag(x[0])[1:] + m.diag(y, 1)[0],
    "einsum": lambda m, x, y, i, c: (
        m.einsum("ij,ik,...k->...j", x, x[:, :2], y[:, :2]) + m.einsum("ii->i", y[:, 1:])[0]
    ),
    "det": lambda m, x, y, i, c: m.det(x[:, i[:2]]) + m.det(m.matmul(m.transpose(x), y)) * y,
    "inv": lambda m, x, y, i, c: m.matmul(m.inv(0.2 * x[:, i[:2]] + np.eye(2)), y),
    "solve": lambda m, x, y, i, c: m.solve(0.2 * m.matmul(m.transpose(x), x) + np.eye(3), m.transpose(y))[1:, :1] * x,
    "columns": lambda m, x, y, i, c: x[:, i] * y,
    "columns of a list": lambda m, x, y, i, c: x[:, i.tolist()] + x[:, ::-1],
    "places": lambda m, x, y, i, c: x[i % 2, i] * y,
    "mask": lambda m, x, y, i, c: m.sum(x[c]) * y + m.sum(y[~c]),
    "number": lambda m, x, y, i, c: x[1, i[0]] * y,
    "take": lambda m, x, y, i, c: m.take(x, i, axis=1) - y,
    "scatter_add": lambda m, x, y, i, c: m.scatter_add(x, i, 3, 1) * y,
    "add_at": lambda m, x, y, i, c: m.add_at(x, i, y * x),
    "norm": lambda m, x, y, i, c: m.norm(x + 2.0, 0) * y,
    "softplus": lambda m, x, y, i, c: m.softplus(20.0 * x),
    "gelu": lambda m, x, y, i, c: m.gelu(4.0 * x) + y,
    "logsumexp": lambda m, x, y, i, c: m.logsumexp(20.0 * x, 1, keepdims=True) - m.logsumexp(y) * x,
    "sigmoid": lambda m, x, y, i, c: m.sigmoid(30.0 * x),
    "softmax": lambda m, x, y, i, c: m.softmax(20.0 * x) + y,
    "log_softmax": lambda m, x, y, i, c: m.log_softmax(x * 9.0, axis=0),
    "batch_norm": lambda m, x, y, i, c: m.batch_norm(x + np.arange(6.0).reshape(SHAPE)) * y,
    "factor": lambda m, x, y, i, c: x * i + c,
    "checkpoint": lambda m, x, y, i, c: m.checkpoint(lambda a, b: m.sin(a * b))(x, y),
}

lines = st.lists(
    st.tuples(
        st.sampled_from(sorted(INSTRUCTIONS)), st.integers(0, 20), st.integers(0, 20), st.integers(0, 2**31 - 1)
    ),
    min_size=1,
    max_size=9,
)  # fmt: skip


def run(program, m, x, y):
    """The number that the last line makes; every number is held within +-1."""
    made = [x, m.broadcast_to(y, SHAPE)]
    for name, a, b, seed in program:
        rng = np.random.default_rng(seed)
        i, c = rng.integers(0, 3, 3), rng.random(SHAPE) < 0.5
        made.append(m.sin(INSTRUCTIONS[name](m, made[-1 - a % len(made)], made[-1 - b % len(made)], i, c)))
        i[...], c[...] = 0, False
    return made[-1]


@settings(max_examples=120, deadline=None, derandomize=True)
@given(lines, st.integers(0, 2**31 - 1))
def test_reverse_and_forward_mode_and_the_complex_step_disagree(program, seed):
    rng = np.random.default_rng(seed)
    x, y, u, v = (rng.uniform(-1.0, 1.0, shape) for shape in (SHAPE, (3,), SHAPE, (3,)))
    weights = rng.uniform(0.5, 1.5, SHAPE)

    def loss(x, y):
        return ag.sum(run(program, ag, x, y) * weights)

    value, (by_x, by_y) = ag.value_and_grad(loss, (0, 1))(x, y)
    reverse = np.sum(by_x * u) + np.sum(by_y * v)
    forward = ag.jvp(loss, (x, y), (u, v))[1]
    with np.errstate(all="ignore"):
        there = run(program, COMPLEX, x + 1e-30j * u, y + 1e-30j * v)
    truth = np.sum(there.imag * weights) / 1e-30
    scale = np.sqrt(np.sum(by_x**2) + np.sum(by_y**2)) + 1e-3
    assert abs(value - np.sum(there.real * weights)) < 1e-9
    assert abs(reverse - forward) < 1e-10 * scale
    assert abs(reverse - truth) < 1e-8 * scale

    twice = ag.grad(lambda x: np.sum(ag.grad(loss)(x, y) * u))(x)
    once = ag.hvp(lambda x: loss(x, y), x, u)
    assert np.abs(twice - once).max() < 1e-8 * (np.abs(once).max() + 1e-6)


def test_no_op_is_left_out_of_the_programs():
    rng, seen = np.random.default_rng(0), set()
    x, y = ag.variable(rng.uniform(-1.0, 1.0, SHAPE)), ag.variable(rng.uniform(-1.0, 1.0, SHAPE))
    for name in INSTRUCTIONS:
        pending = [run([(name, 0, 1, 5)], ag, x, y[0])]
        while pending:
            node = pending.pop()
            if node.op:
                seen.add(node.op.name)
                pending += [z for z in node.inputs if isinstance(z, ag.Var)]
    differentiable = {name for name, op in TABLE.items() if op.differentiable}
    differentiable -= {"undistort"}  # that of a camera
    assert differentiable - seen == {"chain", "alias"}, "those are made in sweeps only"


def test_a_mask_read_late_is_found_by_these_programs():
    """The programs have teeth: an index that is kept by reference gives another derivative."""
    program, x = [("columns", 0, 1, seed) for seed in range(3)], np.full(SHAPE, 0.5)
    late = ag.variable(x)
    out = run(program, ag, late, np.ones(3))
    pending = [out]
    while pending:
        node = pending.pop()
        if node.op and node.op.name == "index":
            node.settings = {"index": (slice(None), np.zeros(3, int))}
        pending += [z for z in node.inputs if isinstance(z, ag.Var)]
    ag.sum(out).backward()
    assert not np.allclose(late.grad, ag.grad(lambda x: ag.sum(run(program, ag, x, np.ones(3))))(x))


def test_pairs_of_instructions_agree():
    """Each instruction after each of a few others, at one place."""
    rng = np.random.default_rng(11)
    x, y, u = (rng.uniform(-1.0, 1.0, s) for s in (SHAPE, (3,), SHAPE))
    for first, second in itertools.product(("multiply", "softmax", "columns"), INSTRUCTIONS):
        program = [(first, 0, 1, 3), (second, 0, 1, 4)]
        found = ag.jvp(lambda x, program=program: run(program, ag, x, y), (x,), (u,))[1]
        truth = run(program, COMPLEX, x + 1e-30j * u, y + 0j).imag / 1e-30
        assert np.abs(found - truth).max() < 1e-9 * (np.abs(truth).max() + 1e-3), (first, second)
