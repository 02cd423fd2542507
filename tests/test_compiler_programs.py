"""Random programs from the op table: what the compiler makes of them is what numpy computes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from diffrt import autograd
from diffrt.autograd import TABLE, variable
from diffrt.autograd.variable import apply
from diffrt.compiler import REFERENCE, Engine, Segments, kernel

EXACT = ["add", "subtract", "multiply", "divide", "negative", "abs", "sqrt", "minimum", "maximum", "where"]
"""Ops whose bits are the same everywhere."""

ROUNDED = [
    "power",
    "exp",
    "expm1",
    "log",
    "sin",
    "cos",
    "tan",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "erf",
    "erfc",
    "arctan2",
]
COMPARISONS = ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]
INPUTS, SAMPLES = 3, 37


def arity(name: str) -> int:
    return len(TABLE[name].partials or ()) - (name == "where")


@st.composite
def programs(draw, ops):
    """Lines (op, operands, comparison, its operands); an operand is the number of an input or of a line before.

    A comparison looks at inputs, which have the same bits in both engines; where numbers differ by rounding it could
    say two things, and both would be right.
    """
    lines = []
    for number in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(ops))
        places = st.integers(0, INPUTS + number - 1)
        inputs = st.integers(0, INPUTS - 1)
        lines.append((
            name, tuple(draw(places) for _ in range(arity(name))), draw(st.sampled_from(COMPARISONS)),
            (draw(inputs), draw(inputs)),
        ))  # fmt: skip
    return tuple(lines)


def evaluate(lines, uniform, row, samples):
    """A program on three inputs: one uniform, one by row, one per sample. Every number goes through `noise`, a factor
    of nearly 1 that is 1 in the kernels."""
    *values, noise = uniform, row, *samples
    for i, (name, operands, comparison, compared) in enumerate(lines):
        given = [values[o] for o in operands]
        if name == "where":
            condition = apply(TABLE[comparison], tuple(values[c] for c in compared))
            value = autograd.where(condition, *given)
        else:
            value = apply(TABLE[name], tuple(given))
        values.append(value * noise[i] if noise.shape[0] > 1 else value)
    return values[-1]


def both(lines, engine, inputs, noise):
    """Value and adjoints."""
    uniform, row, sample = (variable(x) for x in inputs)
    segments = Segments(np.arange(SAMPLES) % 2, 2)
    out = kernel(evaluate, lines, uniform, row, (sample, noise), engine, segments)
    if not isinstance(out, autograd.Var):
        return [out]
    out.backward(np.linspace(0.5, 1.5, SAMPLES))
    # A result that does not depend on an input has no adjoint for it.
    return [out.value, *(x.grad if x.grad is not None else np.zeros(x.shape) for x in (uniform, row, sample))]


def draw_inputs(seed):
    rng = np.random.default_rng(seed)
    sample = rng.uniform(-2.0, 2.0, SAMPLES)
    sample[:4] = [0.0, 1.0, -1.0, 0.5]
    return float(rng.choice([0.0, 1.0, -0.7, 1.3])), rng.uniform(-1.5, 1.5, 2), sample


def agree(found, expected, tolerance):
    found, expected = np.asarray(found), np.asarray(expected)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    return bool((same | (np.abs(found - expected) <= tolerance)).all())


@settings(max_examples=80, deadline=None)
@given(programs(EXACT), st.integers(0, 2**32 - 1))
def test_programs_of_exact_ops_have_the_same_bits(lines, seed):
    inputs, one = draw_inputs(seed), np.ones((1, SAMPLES))
    expected, found = (both(lines, engine, inputs, one) for engine in (REFERENCE, Engine("llvm", 1)))
    with np.errstate(all="ignore"):
        assert agree(found[0], expected[0], 0.0)
        # Sums over samples are taken in another order, so only the adjoint of the sample is the same to the bit.
        assert agree(found[3], expected[3], 0.0)
        size = np.abs(expected[3][np.isfinite(expected[3])]).sum()
        for f, e in zip(found[1:3], expected[1:3], strict=True):
            assert agree(f, e, 1e-11 * (size + np.abs(e).max(initial=0.0))) or not (
                np.isfinite(e).all() and np.abs(e).max() < 1e12
            )


@settings(max_examples=80, deadline=None)
@given(programs(EXACT + ROUNDED), st.integers(0, 2**32 - 1))
def test_programs_of_all_ops_agree_as_far_as_rounding_lets_them(lines, seed):
    inputs, one = draw_inputs(seed), np.ones((1, SAMPLES))
    rng = np.random.default_rng(seed)
    expected, found = (both(lines, engine, inputs, one) for engine in (REFERENCE, Engine("llvm", 1)))
    spread = [np.zeros(np.shape(e)) for e in expected]
    with np.errstate(all="ignore"):
        for _ in range(4):
            # What a change of every number by about 16 units in the last place does.
            noise = 1.0 + 2.0**-48 * rng.choice([-1.0, 1.0], (max(len(lines), 2), SAMPLES))
            moved = both(lines, REFERENCE, inputs, noise)
            spread = [np.fmax(s, np.abs(m - e)) for s, m, e in zip(spread, moved, expected, strict=True)]
        for f, e, s in zip(found, expected, spread, strict=True):
            sane = np.isfinite(e) & np.isfinite(f) & np.isfinite(s) & (np.abs(e) < 1e12)
            f, e, s = (np.asarray(x)[sane] for x in (f, e, s))
            assert agree(f, e, 1e3 * s + 1e-11 * np.maximum(np.abs(e).max(initial=0.0), 1e-300))
