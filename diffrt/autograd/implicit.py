"""Roots as functions: the implicit function theorem as one row.

Where g(x, p) = 0 defines x as a function of p, its derivative is dx/dp = -g_p / g_x. The rules ask for g_p and g_x
by the transforms of the core, at the root, so they can be differentiated again, and every order comes out right.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .operations import divide, equal, where
from .transforms import jvp, pushforward, vjp
from .variable import Op, apply

Function = Callable[..., Any]


def root(g: Function, x: Any, *inputs: Any) -> Any:
    """A root x of g as a function of the inputs.

    g: called as g(x, *inputs); it gives an array of the shape of x, and each entry of it depends on that entry of
    x only. x: the root, found elsewhere, (n,). inputs: what g depends on besides, of any shapes; whatever has a
    derivative must be among them, and whatever may change before a derivative is asked for.
    Returns x, a Var if an input is one. Where the derivative of g by x is zero, that of the root is taken as zero.
    """
    return apply(_ROOT, inputs, {"g": g, "x": x})


def _slope(g: Function, x: Any, inputs: Sequence[Any]) -> Any:
    """-dg/dx, or inf where it is zero."""
    slope = jvp(lambda z: g(z, *inputs), (x,), (np.ones(x.shape),))[1]
    return where(equal(slope, 0.0), np.inf, -slope)


def _vjp(adjoint: Any, out: Any, inputs: Sequence[Any], wanted: Sequence[bool], g: Function, x: Any) -> list[Any]:
    numbers = [i + 1 for i, w in enumerate(wanted) if w]
    parts = iter(vjp(g, out, *inputs, argnums=numbers)[1](divide(adjoint, _slope(g, out, inputs))))
    return [next(parts) if w else None for w in wanted]


def _jvp(tangents: Sequence[Any], out: Any, inputs: Sequence[Any], g: Function, x: Any) -> list[Any]:
    slope = _slope(g, out, inputs)
    return [divide(t, slope) for t in pushforward(g, (out, *inputs), [None, *tangents])[1]]


_ROOT = Op(
    "root", lambda *inputs, g, x: np.array(x), "root", vjp=_vjp, jvp=_jvp,
    kinks="a double root, where the derivative is taken as 0",
)  # fmt: skip
