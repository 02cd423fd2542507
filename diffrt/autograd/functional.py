"""What is composed of ops. Nothing here has a derivative rule of its own."""

import math
from typing import Any

import numpy as np

from .operations import (
    divide,
    erfc,
    exp,
    greater,
    greater_equal,
    log1p,
    maximum,
    multiply,
    negative,
    sqrt,
    subtract,
    where,
)
from .structure import Axis, along, concatenate, index, matmul, mean, reshape, stack, sum, transpose
from .variable import Numeric, as_value, shape_of

__all__ = [
    "batch_norm", "cross", "dot", "gelu", "log_softmax", "logsumexp", "norm", "normalize", "outer", "prod", "relu",
    "sigmoid", "softmax", "softplus",
]  # fmt: skip


def dot(x: Numeric, y: Numeric) -> Any:
    """Inner product of two vectors (n,), or the matrix product; scalars multiply.

    Raises ValueError for more than two axes, where numpy's dot and matmul mean different things.
    """
    dimensions = [len(shape_of(x)), len(shape_of(y))]
    if 0 in dimensions:
        return multiply(x, y)
    if any(n > 2 for n in dimensions):
        raise ValueError(f"dot takes at most two axes, given shapes {shape_of(x)} and {shape_of(y)}; use matmul")
    return matmul(x, y)


def cross(x: Numeric, y: Numeric, axis: int = -1) -> Any:
    """Cross product of vectors with their three components along `axis`."""
    if shape_of(x)[axis] != 3 or shape_of(y)[axis] != 3:
        raise ValueError(f"cross needs 3 components along axis {axis}, given {shape_of(x)} and {shape_of(y)}")
    (a, b, c), (u, v, w) = ([along(z, axis, i) for i in range(3)] for z in (x, y))
    return stack([b * w - c * v, c * u - a * w, a * v - b * u], axis)


def outer(x: Numeric, y: Numeric) -> Any:
    """The products of every entry of x with every one of y, a row for each entry of x."""
    return multiply(reshape(x, (-1, 1)), reshape(y, (1, -1)))


def prod(x: Numeric, axis: Axis = None, keepdims: bool = False) -> Any:
    """Product of the entries over `axis`, a number, a tuple, or None for all; of none it is 1.

    Neighbours are multiplied, and what comes out again, until one is left: so no derivative divides by an entry, which
    may be 0.
    """
    lines, shape = _lines(x, axis, keepdims)
    if not shape_of(lines)[-1]:
        return reshape(sum(lines, -1) + 1.0, shape)
    while (n := shape_of(lines)[-1]) > 1:
        pairs = multiply(index(lines, (..., slice(0, n - 1, 2))), index(lines, (..., slice(1, n, 2))))
        lines = concatenate([pairs, index(lines, (..., slice(n - 1, n)))], -1) if n % 2 else pairs
    return reshape(lines, shape)


def norm(x: Numeric, axis: Axis = None, keepdims: bool = False) -> Any:
    """Euclidean length; at 0 the derivative is taken as 0."""
    return sqrt(sum(multiply(x, x), axis, keepdims))


def normalize(x: Numeric, axis: int = 0) -> Any:
    """x divided by its length along `axis`; a vector of length 0 has no direction and gives nan."""
    return divide(x, norm(x, axis, keepdims=True))


def softmax(x: Numeric, axis: int = -1) -> Any:
    """exp(x) divided by its sum along `axis`, without overflow; its derivative loses no digits either."""
    _, _, raised, rest = _below_the_largest(x, axis)
    return divide(raised, 1.0 + rest)


def log_softmax(x: Numeric, axis: int = -1) -> Any:
    """Logarithm of the softmax along `axis`, without overflow or loss of digits."""
    _, below, _, rest = _below_the_largest(x, axis)
    return subtract(below, log1p(rest))


def logsumexp(x: Numeric, axis: Axis = None, keepdims: bool = False) -> Any:
    """Logarithm of the sum of exp(x) over `axis`, a number, a tuple, or None for all, without overflow or loss of
    digits; of entries that are all -inf, or of none, it is -inf."""
    lines, shape = _lines(x, axis, keepdims)
    if not shape_of(lines)[-1]:
        return reshape(sum(lines, -1) - math.inf, shape)
    top, _, _, rest = _below_the_largest(lines, -1)
    return reshape(top + log1p(rest), shape)


def _below_the_largest(x: Numeric, axis: int) -> tuple[Any, Any, Any, Any]:
    """max x along `axis`, d = x - max x, exp d, and the sum of exp d over all entries but the largest.

    At the largest entry d is the constant 0: what belongs to it in the sums is 1, or 0, and has no derivative. So no
    small difference of large numbers is taken, neither in log(1 + rest) nor in a derivative such as p (1 - p). Of
    entries that tie, the first is the largest; it makes no difference to the result. Of infinite entries d is a
    constant too: 0 where the largest is the same, else -inf.
    """
    value = np.asarray(as_value(x))
    if not value.ndim:
        raise ValueError(
            "softmax of a scalar: it needs an array with an axis to add up along; use sigmoid for one number"
        )
    if -value.ndim <= axis < value.ndim and not value.shape[axis]:
        raise ValueError(f"softmax of nothing: an array of shape {value.shape} has no entries along axis {axis}")
    largest = np.zeros(value.shape, bool)
    np.put_along_axis(largest, np.argmax(value, axis, keepdims=True), True, axis)
    top = sum(where(largest, x, 0.0), axis, keepdims=True)
    with np.errstate(invalid="ignore"):  # of infinite ones the difference is not taken
        below = subtract(x, top)
    if np.isinf(value).any():
        same = value == np.max(value, axis, keepdims=True)
        below = where(np.isinf(value), np.where(same, 0.0, -np.inf).astype(value.dtype), below)
    below = where(largest, 0.0, below)
    raised = exp(below)
    return top, below, raised, sum(where(largest, 0.0, raised), axis, keepdims=True)


def batch_norm(x: Numeric, axis: Axis = 0, epsilon: float = 1e-5) -> Any:
    """(x - mean) / sqrt(variance + epsilon) over `axis`, with the biased variance (Ioffe and Szegedy, 2015)."""
    centred = subtract(x, mean(x, axis, keepdims=True))
    return divide(centred, sqrt(mean(multiply(centred, centred), axis, keepdims=True) + epsilon))


def sigmoid(x: Numeric) -> Any:
    """1 / (1 + exp(-x)), without overflow; small values keep all their digits, and so does the derivative.

    With e = exp(-|x|) it is 1 / (1 + e) for x >= 0 and e / (1 + e) below. |x| is a `where`, so that at 0 the
    derivatives of every order are those of the branch, not of the kink of an absolute value.
    """
    right = greater_equal(x, 0.0)
    raised = exp(where(right, negative(x), x))
    return divide(where(right, 1.0, raised), 1.0 + raised)


def relu(x: Numeric) -> Any:
    """x where it is positive, else 0; the derivative at 0 is 0."""
    return where(greater(x, 0.0), x, 0.0)


def softplus(x: Numeric) -> Any:
    """log(1 + exp(x)), without overflow; small values keep all their digits, and so does the derivative.

    It is max(x, 0) + log(1 + exp(-|x|)), with `where` for the same reason as in `sigmoid`.
    """
    right = greater_equal(x, 0.0)
    return where(right, x, 0.0) + log1p(exp(where(right, negative(x), x)))


def gelu(x: Numeric) -> Any:
    """x times the probability that a normal number is below x (Hendrycks and Gimpel, 2016).

    It is x erfc(-x / sqrt 2) / 2, so that a negative x keeps its digits; from -40 down that is 0.
    """
    bounded = maximum(x, -40.0)
    return multiply(multiply(bounded, 0.5), erfc(multiply(bounded, -math.sqrt(0.5))))


def _lines(x: Numeric, axis: Axis, keepdims: bool) -> tuple[Any, tuple[int, ...]]:
    """x with the axes to reduce in one last axis, and the shape of the result."""
    shape = shape_of(x)
    along = range(len(shape)) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, len(shape))
    others = [i for i in range(len(shape)) if i not in along]
    lines = reshape(transpose(x, [*others, *along]), (*(shape[i] for i in others), math.prod(shape[i] for i in along)))
    return lines, tuple(1 if i in along else n for i, n in enumerate(shape) if keepdims or i not in along)
