"""The steps of a light path: from a ray to the point that it meets, and on from there."""

from typing import Any

from diffrt.autograd import named
from diffrt.render.vectors import dot


def advance(shape: Any, side: Any, o: Any, d: Any) -> tuple[Any, Any]:
    """The point p where the ray o + t d meets a shape, and the unit normal there, (3, N) each.

    shape: whose side, +1 or -1 (N,), the ray comes from.
    """
    t, _ = shape.intersect(o, d, side)
    p = named(o + named(t, "t") * d, "hit point")
    return p, named(shape.normal(p, side), "normal")


def reflected(d: Any, n: Any) -> Any:
    """The direction d after a mirror with unit normal n."""
    return d - 2.0 * dot(d, n) * n
