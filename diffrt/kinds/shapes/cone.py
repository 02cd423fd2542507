"""The cone from a disk of radius r around the point c to the apex A, with that disk as its base or without it.

Two points and a radius are seven numbers, and the shape has as many freedoms.

With h = |c - A|, m = (c - A) / h and k = r / h, a point A + p is on the wall if its distance from the axis is k times
p . m, which is |p x m|^2 = k^2 (p . m)^2. Let q be the point of the ray o + t d that is closest to A, as a vector
from there: q = v - (v . d) d, v = o - A. At q + x d this is a x^2 + 2 b x + e = 0 with

    a = |d x m|^2 - k^2 (d . m)^2,    b = -(1 + k^2) (q . m) (d . m),    e = |q x m|^2 - k^2 (q . m)^2,

as q . d = 0. The plane through the ray and the apex has the normal g = q x d, and it cuts the cone if it is steep
enough: in the basis of q, d and g, in which |m| = 1,

    b^2 - a e = k^2 |g x m|^2 - (g . m)^2 = s^2.

Nothing large cancels in it: q is as short as the ray is near, and a slender cone loses no digits either. The solid
under the apex is convex: the ray enters it at x = (-b - s) / a, through the outside of the wall, and leaves it at
(-b + s) / a, through the lining, whatever the sign of a. How far these points are along the axis, y = q . m + x d . m,
is a root of a y^2 - 2 (q . m) y + |g x m|^2 = 0. With the side +1 for the outside and -1 for the lining,

    1 / y = (q . m + c s) / |g x m|^2,    c = side (d . m),

so 1 / y > 1 / h says that the point is before the base, and not on the cone's mirror image over the apex either.

The texture coordinates of the wall are u around the axis (`wall.py`) and v = 1 - y / h from the base to the apex;
the base has those of a disk.
"""

from typing import Any, ClassVar

from diffrt.autograd import absolute, greater, maximum, minimum, sqrt, where
from diffrt.kinds.fields import Relation, apart, extent, flag, point
from diffrt.kinds.kind import Shape
from diffrt.kinds.shapes.disk import Disk, bounds
from diffrt.kinds.shapes.part import Part
from diffrt.kinds.shapes.wall import Wall, exceeds
from diffrt.kinds.vectors import cross, dot, length, normalize

LEAST = 1e-100
"""The least divisor of a root; it keeps x finite along a line of the wall."""


class Pointed(Shape):
    """What a cone and its faces have."""

    base = point("the middle of the base")
    apex = point("the tip")
    radius = extent("of the base")
    capped = flag("whether the base is closed by a disk; if not, it is a hollow hat", True)


class Outside(Pointed, Wall):
    """The wall as it is seen from outside."""

    def ends(self) -> tuple[Any, Any]:
        return self.base, self.apex

    def meet(self, o: Any, d: Any, side: Any) -> tuple[Any, ...]:
        axis, v = self.base - self.apex, o - self.apex
        h, m = length(axis), normalize(axis)
        k = self.radius / h
        closest = -dot(v, d)
        q = v + closest * d
        g, qm, dm = cross(q, d), dot(q, m), dot(d, m)
        (gm, dn, qn), upright = (cross(vector, m) for vector in (g, d, q)), dot(g, m)
        level = dot(gm, gm)
        square = k * k * level - upright * upright
        a, b, e = dot(dn, dn) - k * k * dm * dm, -(1.0 + k * k) * qm * dm, dot(qn, qn) - k * k * qm * qm
        s = side * where(greater(square, 0.0), sqrt(square), 0.0)
        # Two forms of one root; each is used where its sum does not cancel.
        first = greater(side * b, 0.0)
        above, below = where(first, -b - s, e), where(first, a, s - b)
        x = above / where(greater(absolute(below), LEAST), below, LEAST)
        return closest + x, square, exceeds(side * dm, square, level / h - qm, self.radius)

    def normal_at(self, p: Any, side: Any) -> Any:
        axis, q = self.base - self.apex, p - self.apex
        m, k = normalize(axis), self.radius / length(axis)
        along = dot(q, m)
        return normalize(q - along * m - k * k * along * m) * side

    def box(self) -> tuple[Any, Any]:
        low, high = bounds(self.base, self.base - self.apex, self.radius)
        return minimum(low, self.apex), maximum(high, self.apex)


class Lining(Outside):
    """The wall as it is seen from inside."""

    back = -1
    meets_itself = (-1.0,)


class Base(Pointed, Part):
    def same(self) -> Shape:
        return Disk.holding(center=self.base, normal=self.base - self.apex, radius=self.radius)


class Cone(Pointed):
    """A cone, or a hollow hat."""

    type = "cone"
    faces = (Outside, Lining, Base)
    faces_if: ClassVar = {"capped": (Base,)}
    relations = (Relation(("base", "apex"), "apex", apart, "a point that is 1e-9 or more from base"),)
