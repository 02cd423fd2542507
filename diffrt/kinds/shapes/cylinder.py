"""The cylinder of radius r around the line from a to b, closed by disks or open.

Two points and a radius are seven numbers, and the shape has as many freedoms: with an axis, whose length means nothing,
a fit would have one number more than an image can tell.

With h = |b - a|, w = (b - a) / h, v = o - a and the parts v', d' of v, d at right angles to w, the ray o + t d is on
the wall where |v' + t d'| = r. The vector n = d x w has the length of d', and v' . d' = (v x w) . n. So, of
N t^2 + 2 B t + v' . v' - r^2 = 0,

    N = n . n,    B = (v x w) . n,    B^2 - N (v' . v' - r^2) = r^2 N - (v . n)^2 = s^2,

as (v' . d')^2 + (v . n)^2 = |v'|^2 |d'|^2. |v . n| / |n| is the distance of the ray from the axis, and it is computed
as that, so no squares of large numbers cancel. The ray enters the cylinder at t = (-B - s) / N, where it meets the
outside of the wall, and leaves it at (-B + s) / N, where it meets the lining; the wall ends at (v + t d) . w = 0 and h.
So a ray that enters a tube through an open end meets the lining only.
"""

from typing import Any, ClassVar

from diffrt.autograd import absolute, greater, maximum, minimum, sqrt, where
from diffrt.kinds.fields import Relation, apart, extent, flag, point
from diffrt.kinds.kind import Shape
from diffrt.kinds.shapes.disk import Disk, bounds
from diffrt.kinds.shapes.part import Part
from diffrt.kinds.vectors import cross, dot, length, magnitude, normalize

STEEPEST = 1e-200
"""The least |d'|^2; it keeps t finite along the axis."""


class Round(Shape):
    """What a cylinder and its faces have."""

    bottom = point("the middle of one end")
    top = point("the middle of the other end")
    radius = extent("from the axis to the wall")
    capped = flag("whether the two ends are closed by disks; if not, it is a tube", True)


class Outside(Round):
    """The wall as it is seen from outside."""

    back = 1

    def side(self, o: Any) -> Any:
        return 0.0 * o[0] + 1.0

    def reach(self, o: Any) -> Any:
        return magnitude(o) + magnitude(self.bottom) + magnitude(self.top) + self.radius

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        axis = self.top - self.bottom
        w, v = normalize(axis), o - self.bottom
        n = cross(d, w)
        square, offset = maximum(dot(n, n), STEEPEST), dot(v, n)
        h = self.radius * self.radius * dot(n, n) - offset * offset
        # On a miss t is the closest approach to the axis.
        t = (-dot(cross(v, w), n) - side * where(greater(h, 0.0), sqrt(h), 0.0)) / square
        along = dot(v, w) + t * dot(d, w)
        return t, minimum(h, minimum(along, length(axis) - along))

    def normal_at(self, p: Any, side: Any) -> Any:
        w, q = normalize(self.top - self.bottom), p - self.bottom
        return normalize(q - dot(q, w) * w) * side

    def box(self) -> tuple[Any, Any]:
        axis = self.top - self.bottom
        (low, high), (lower, higher) = (bounds(c, axis, self.radius) for c in (self.bottom, self.top))
        return minimum(low, lower), maximum(high, higher)

    def middle(self) -> Any:
        return 0.5 * (self.bottom + self.top)

    def breadth(self, d: Any) -> Any:
        # The near half of the wall and the far half meet in the middle, unless the view goes through both ends.
        axis = self.top - self.bottom
        half, through = 0.5 * length(cross(axis, d)), self.radius * absolute(dot(normalize(axis), d))
        return where(greater(half, through), minimum(self.radius, half), 0.0)


class Lining(Outside):
    """The wall as it is seen from inside."""

    back = -1
    meets_itself = (-1.0,)

    def side(self, o: Any) -> Any:
        return 0.0 * o[0] - 1.0

    def again(self, o: Any, d: Any, side: Any) -> Any:
        # Where the ray heads inward, the point at which it leaves is another one; h is the square of that.
        axis = self.top - self.bottom
        along = dot(o - self.bottom + self.intersect(o, d, side)[0] * d, normalize(axis))
        return minimum(dot(d, self.normal_at(o, side)), minimum(along, length(axis) - along))

    def middle(self) -> Any:
        return None  # where the wall is small, the outside is found


class Bottom(Round, Part):
    def same(self) -> Shape:
        return Disk(self.bottom, self.bottom - self.top, self.radius)


class Top(Round, Part):
    def same(self) -> Shape:
        return Disk(self.top, self.top - self.bottom, self.radius)


class Cylinder(Round):
    """A cylinder, or a tube."""

    type = "cylinder"
    faces = (Outside, Lining, Bottom, Top)
    faces_if: ClassVar = {"capped": (Bottom, Top)}
    relations = (Relation(("bottom", "top"), "top", apart, "a point that is 1e-9 or more from bottom"),)
