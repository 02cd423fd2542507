"""The plane (p - a) . n = 0.

The ray o + t d meets it at t = (a - o) . n / (d . n). Seen from its own side, both parts of the fraction are
brought to a positive sign: the height of o over the plane, and how steeply the ray goes down to it. A ray
that is parallel to the plane, or leaves it, misses.
"""

from typing import Any

from diffrt.autograd import maximum
from diffrt.kinds.fields import direction, point
from diffrt.kinds.kind import Shape
from diffrt.kinds.vectors import dot, magnitude, normalize

SHALLOWEST = 1e-9
"""The least descent per unit of distance; it keeps t finite at the horizon."""


def meet(a: Any, n: Any, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
    """The distance to the plane through a with unit normal n, and the descent, positive if the ray heads there."""
    descent = -side * dot(d, n)
    height = side * dot(o - a, n)
    return height / maximum(descent, SHALLOWEST), descent


class Plane(Shape):
    """A plane without end."""

    type = "plane"
    point = point("a point of it")
    normal = direction("at right angles to it, to its front")

    def side(self, o: Any) -> Any:
        return dot(o - self.point, self.normal)

    def reach(self, o: Any) -> Any:
        return (magnitude(o) + magnitude(self.point)) * magnitude(self.normal)

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        return meet(self.point, normalize(self.normal), o, d, side)

    def normal_at(self, p: Any, side: Any) -> Any:
        return normalize(self.normal) * side
