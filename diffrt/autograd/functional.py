"""What is composed of ops. Nothing here has a derivative rule of its own."""

from typing import Any

from .operations import divide, exp, greater, log, multiply, sqrt, subtract, tanh, where
from .structure import Axis, index, matmul, max, mean, stack, sum
from .variable import Numeric, Var, as_value


def dot(x: Numeric, y: Numeric) -> Any:
    """Inner product of two vectors (n,), or the matrix product; scalars multiply.

    Raises ValueError for more than two axes, where numpy's dot and matmul mean different things.
    """
    dimensions = [len(_shape(x)), len(_shape(y))]
    if 0 in dimensions:
        return multiply(x, y)
    if any(n > 2 for n in dimensions):
        raise ValueError(f"dot takes at most two axes, given shapes {_shape(x)} and {_shape(y)}; use matmul")
    return matmul(x, y)


def cross(x: Numeric, y: Numeric, axis: int = -1) -> Any:
    """Cross product of vectors with their three components along `axis`."""
    if _shape(x)[axis] != 3 or _shape(y)[axis] != 3:
        raise ValueError(f"cross needs 3 components along axis {axis}, given {_shape(x)} and {_shape(y)}")
    a, b, c = _components(x, axis)
    u, v, w = _components(y, axis)
    return stack([b * w - c * v, c * u - a * w, a * v - b * u], axis)


def norm(x: Numeric, axis: Axis = None, keepdims: bool = False) -> Any:
    """Euclidean length; at 0 the derivative is taken as 0."""
    return sqrt(sum(multiply(x, x), axis, keepdims))


def normalize(x: Numeric, axis: int = 0) -> Any:
    """x divided by its length along `axis`; a vector of length 0 has no direction and gives nan."""
    return divide(x, norm(x, axis, keepdims=True))


def softmax(x: Numeric, axis: int = -1) -> Any:
    """exp(x) divided by its sum along `axis`, without overflow."""
    # The softmax does not change when a constant is taken off, so the largest entry needs no derivative.
    raised = exp(subtract(x, max(as_value(x), axis, keepdims=True)))
    return divide(raised, sum(raised, axis, keepdims=True))


def log_softmax(x: Numeric, axis: int = -1) -> Any:
    """Logarithm of the softmax along `axis`, without overflow or loss of digits."""
    shifted = subtract(x, max(as_value(x), axis, keepdims=True))
    return subtract(shifted, log(sum(exp(shifted), axis, keepdims=True)))


def batch_norm(x: Numeric, axis: Axis = 0, epsilon: float = 1e-5) -> Any:
    """(x - mean) / sqrt(variance + epsilon) over `axis`, with the biased variance (Ioffe and Szegedy, 2015)."""
    centred = subtract(x, mean(x, axis, keepdims=True))
    return divide(centred, sqrt(mean(multiply(centred, centred), axis, keepdims=True) + epsilon))


def sigmoid(x: Numeric) -> Any:
    """1 / (1 + exp(-x)), as a tanh so that it cannot overflow."""
    return multiply(tanh(multiply(x, 0.5)), 0.5) + 0.5


def relu(x: Numeric) -> Any:
    """x where it is positive, else 0; the derivative at 0 is 0."""
    return where(greater(x, 0.0), x, 0.0)


def _components(x: Numeric, axis: int) -> list[Any]:
    before = (slice(None),) * (axis % len(_shape(x)))
    return [index(x, (*before, i)) for i in range(3)]


def _shape(x: Any) -> tuple[int, ...]:
    value: Any = x.value if isinstance(x, Var) else as_value(x)
    return () if type(value) is float else value.shape
