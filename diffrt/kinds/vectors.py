"""Vectors of samples: arrays or Vars of shape (3, N), one column per sample."""

from typing import Any

from diffrt import autograd
from diffrt.autograd import absolute, sqrt, sum


def dot(a: Any, b: Any) -> Any:
    """Dot product per sample, (3, N) and (3, N) to (N,)."""
    return sum(a * b, axis=0)


def length(a: Any) -> Any:
    """Euclidean length per sample, (N,)."""
    return sqrt(dot(a, a))


def magnitude(a: Any) -> Any:
    """The sum of the absolute components per sample, (N,): where a length is wanted but for a factor of less than 2."""
    return sum(absolute(a), axis=0)


def normalize(a: Any) -> Any:
    """The direction of a, with length 1, (3, N)."""
    return a / length(a)


def cross(a: Any, b: Any) -> Any:
    """Cross product per sample, (3, N)."""
    return autograd.cross(a, b, axis=0)
