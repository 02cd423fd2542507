"""Roots as functions: the implicit function theorem as one row.

Where g(x, p) = 0 defines x as a function of p, its derivative is dx/dp = -g_x^-1 g_p. The rules ask for g_p and g_x
by the transforms of the core, at the root, so they can be differentiated again, and every order comes out right.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .operations import divide, equal, where
from .structure import stack
from .transforms import pushforward, vjp
from .variable import Op, apply

Function = Callable[..., Any]


def root(g: Function, x: Any, *inputs: Any) -> Any:
    """A root x of g as a function of the inputs.

    g: called as g(x, *inputs); it gives an array of the shape of x. If that is (n,), each entry of g depends on that
    entry of x only; if it is (2, n), each column of g on that column of x only. x: the root, found elsewhere, (n,) or
    (2, n). inputs: what g depends on besides, of any shapes; whatever has a derivative must be among them, and whatever
    may change before a derivative is asked for.
    Returns x, a Var if an input is one. Where g_x has no inverse, the derivative of the root is taken as zero.
    """
    return apply(_ROOT, inputs, {"g": g, "x": x})


def _solved(g: Function, x: Any, inputs: Sequence[Any], columns: Sequence[Any], transposed: bool) -> list[Any]:
    """-g_x^-1, or its transpose, times each of some columns of the shape of x; zero where there is no inverse."""
    units = [np.ones(x.shape)] if x.ndim == 1 else [np.eye(2)[k][:, None] + np.zeros(x.shape) for k in range(2)]
    slopes = pushforward(lambda z: g(z, *inputs), (x,), [units])[1]
    if x.ndim == 1:
        (slope,) = slopes
        return [divide(column, where(equal(slope, 0.0), np.inf, -slope)) for column in columns]
    (a, c), (b, d) = slopes
    b, c = (c, b) if transposed else (b, c)
    determinant = b * c - a * d
    determinant = where(equal(determinant, 0.0), np.inf, determinant)
    return [
        stack([divide(d * one - b * two, determinant), divide(a * two - c * one, determinant)]) for one, two in columns
    ]


def _vjp(adjoint: Any, out: Any, inputs: Sequence[Any], wanted: Sequence[bool], g: Function, x: Any) -> list[Any]:
    numbers = [i + 1 for i, w in enumerate(wanted) if w]
    (seed,) = _solved(g, out, inputs, [adjoint], True)
    parts = iter(vjp(g, out, *inputs, argnums=numbers)[1](seed))
    return [next(parts) if w else None for w in wanted]


def _jvp(tangents: Sequence[Any], out: Any, inputs: Sequence[Any], g: Function, x: Any) -> list[Any]:
    return _solved(g, out, inputs, pushforward(g, (out, *inputs), [None, *tangents])[1], False)


_ROOT = Op(
    "root", lambda *inputs, g, x: np.array(x), "root", vjp=_vjp, jvp=_jvp,
    kinks="a double root, where the derivative is taken as 0",
)  # fmt: skip
