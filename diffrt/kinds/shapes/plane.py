"""The plane (p - a) . n = 0.

The ray o + t d meets it at t = (a - o) . n / (d . n). Seen from its own side, both parts of the fraction are
brought to a positive sign: the height of o over the plane, and how steeply the ray goes down to it. A ray
that is parallel to the plane, or leaves it, misses.

Its texture coordinates are scene units from a along two axes in the plane, which `axes_of` makes from the normal.
"""

from typing import Any

import numpy as np

from diffrt.autograd import absolute, greater, maximum, where
from diffrt.kinds.fields import direction, point
from diffrt.kinds.kind import Shape
from diffrt.kinds.vectors import cross, dot, magnitude, normalize

SHALLOWEST = 1e-9
"""The least descent per unit of distance; it keeps t finite at the horizon."""


def meet(a: Any, n: Any, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
    """The distance to the plane through a with unit normal n, and the descent, positive if the ray heads there."""
    descent = -side * dot(d, n)
    height = side * dot(o - a, n)
    return height / maximum(descent, SHALLOWEST), descent


def meet_in(a: Any, n: Any, o: Any, d: Any, side: Any) -> tuple[Any, Any, Any]:
    """The same, and the vector (3, N) from a to the point that is met, times the descent: it is finite and smooth where
    the ray runs along the plane, so whether the point is within a part of the plane is said by it."""
    t, descent = meet(a, n, o, d, side)
    v = o - a
    return t, descent, descent * v + (side * dot(v, n)) * d


def axes_of(n: Any) -> tuple[Any, Any]:
    """Two unit vectors (3, N) at right angles to the unit normal n and to each other, to the right and upward.

    They are the x axis, and what is upward as seen from in front, turned by the shortest way with the y axis, or with
    its opposite where n points downward: of a = +-y and n, w - (w . n) (a + n) / (1 + a . n) for w at right angles to
    a (Rodrigues). So on a floor they are x and -z, on a ceiling x and z, on a wall that faces z they are x and y.
    """
    a = where(greater(n[1], -0.5), 1.0, -1.0) * np.array([[0.0], [1.0], [0.0]])
    right = np.array([[1.0], [0.0], [0.0]]) - n[0] / (1.0 + dot(a, n)) * (a + n)
    return right, cross(n, right)


class Flat(Shape):
    """What lies in a plane, which `plane` tells."""

    def plane(self) -> tuple[Any, Any]:
        """A point of it, and a vector at right angles to it, to the front, (3, N) each."""
        raise NotImplementedError

    def side(self, o: Any) -> Any:
        a, normal = self.plane()
        return dot(o - a, normal)

    def reach(self, o: Any) -> Any:
        a, normal = self.plane()
        return (magnitude(o) + magnitude(a)) * magnitude(normal)

    def normal_at(self, p: Any, side: Any) -> Any:
        return normalize(self.plane()[1]) * side


class Plane(Flat):
    """A plane without end."""

    type = "plane"
    point = point("a point of it")
    normal = direction("at right angles to it, to its front")

    def plane(self) -> tuple[Any, Any]:
        return self.point, self.normal

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        return meet(self.point, normalize(self.normal), o, d, side)

    def clearance(self, p: Any) -> Any:
        return absolute(dot(p - self.point, normalize(self.normal)))

    def uv(self, p: Any, side: Any) -> tuple[Any, Any]:
        right, upward = axes_of(normalize(self.normal))
        q = p - self.point
        return dot(q, right), dot(q, upward)
