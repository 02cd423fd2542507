"""The cylinder of radius r around the line from a to b, closed by disks or open.

Two points and a radius are seven numbers, and the shape has as many freedoms: with an axis, whose length means nothing,
a fit would have one number more than an image can tell.

With h = |b - a|, w = (b - a) / h, v = o - a and the parts v', d' of v, d at right angles to w, the ray o + t d is on
the wall where |v' + t d'| = r. The vector n = d x w has the length of d', and v' . d' = (v x w) . n. So, of
N t^2 + 2 B t + v' . v' - r^2 = 0,

    N = n . n,    B = (v x w) . n,    B^2 - N (v' . v' - r^2) = r^2 N - (v . n)^2 = s^2,

as (v' . d')^2 + (v . n)^2 = |v'|^2 |d'|^2. |v . n| / |n| is the distance of the ray from the axis, and it is computed
as that, so no squares of large numbers cancel. The ray enters the cylinder at t = (-B - s) / N, where it meets the
outside of the wall, and leaves it at (-B + s) / N, where it meets the lining; a ray that enters a tube through an open
end meets the lining only. With the side +1 for the outside and -1 for the lining, the wall ends where

    0 < N (v + t d) . w = A - c s < N h,    A = N (v . w) - B (d . w),    c = side (d . w).

The texture coordinates of the wall are u around the axis (`wall.py`) and v = (p - a) . w / h from bottom to top; the
disks have their own.
"""

from typing import Any, ClassVar

from diffrt.autograd import greater, maximum, minimum, sqrt, where
from diffrt.kinds.fields import Relation, apart, extent, flag, point
from diffrt.kinds.kind import Shape
from diffrt.kinds.shapes.disk import Disk, bounds
from diffrt.kinds.shapes.part import Part
from diffrt.kinds.shapes.wall import Wall, exceeds
from diffrt.kinds.vectors import cross, dot, length, normalize

STEEPEST = 1e-200
"""The least |d'|^2; it keeps t finite along the axis."""


class Round(Shape):
    """What a cylinder and its faces have."""

    bottom = point("the middle of one end")
    top = point("the middle of the other end")
    radius = extent("from the axis to the wall")
    capped = flag("whether the two ends are closed by disks; if not, it is a tube", True)


class Outside(Round, Wall):
    """The wall as it is seen from outside."""

    def ends(self) -> tuple[Any, Any]:
        return self.bottom, self.top

    def meet(self, o: Any, d: Any, side: Any) -> tuple[Any, ...]:
        axis, v = self.top - self.bottom, o - self.bottom
        w = normalize(axis)
        n, dw = cross(d, w), dot(d, w)
        steep, b, offset = dot(n, n), dot(cross(v, w), n), dot(v, n)
        square = self.radius * self.radius * steep - offset * offset
        # On a miss t is the closest approach to the axis.
        t = (-b - side * where(greater(square, 0.0), sqrt(square), 0.0)) / maximum(steep, STEEPEST)
        a, c = steep * dot(v, w) - b * dw, side * dw
        over = exceeds(c, square, a - steep * length(axis), self.radius)
        return t, square, over, -exceeds(c, square, a, self.radius)

    def normal_at(self, p: Any, side: Any) -> Any:
        w, q = normalize(self.top - self.bottom), p - self.bottom
        return normalize(q - dot(q, w) * w) * side

    def box(self) -> tuple[Any, Any]:
        axis = self.top - self.bottom
        (low, high), (lower, higher) = (bounds(c, axis, self.radius) for c in (self.bottom, self.top))
        return minimum(low, lower), maximum(high, higher)


class Lining(Outside):
    """The wall as it is seen from inside."""

    back = -1
    meets_itself = (-1.0,)


class Bottom(Round, Part):
    def same(self) -> Shape:
        return Disk.holding(center=self.bottom, normal=self.bottom - self.top, radius=self.radius)


class Top(Round, Part):
    def same(self) -> Shape:
        return Disk.holding(center=self.top, normal=self.top - self.bottom, radius=self.radius)


class Cylinder(Round):
    """A cylinder, or a tube."""

    type = "cylinder"
    faces = (Outside, Lining, Bottom, Top)
    faces_if: ClassVar = {"capped": (Bottom, Top)}
    relations = (Relation(("bottom", "top"), "top", apart, "a point that is 1e-9 or more from bottom"),)
