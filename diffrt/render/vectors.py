"""Vectors of samples: arrays or Vars of shape (3, N), one column per sample."""

from typing import Any

from diffrt.autograd import cross, sqrt, sum


def dot(a: Any, b: Any) -> Any:
    """Dot product per sample, (3, N) and (3, N) to (N,)."""
    return sum(a * b, axis=0)


def length(a: Any) -> Any:
    """Euclidean length per sample, (N,)."""
    return sqrt(dot(a, a))


def unit(a: Any) -> Any:
    """The direction of a, with length 1, (3, N)."""
    return a / length(a)


def product(a: Any, b: Any) -> Any:
    """Cross product per sample, (3, N)."""
    return cross(a, b, axis=0)
