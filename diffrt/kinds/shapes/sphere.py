"""The sphere |p - c| = r.

With v = c - o, the ray o + t d, |d| = 1, is closest to the centre at t = b, b = v . d. There its distance
from the centre is that of v and its shadow b d on the ray:

    q = v - b d,    h = r^2 - q . q

The ray meets the sphere if h > 0, at t = b -+ sqrt(h): the nearer root from outside, the farther from inside.
Computing q first, instead of b^2 - v . v + r^2, keeps the digits of small spheres that are far away
(Haines et al., "Precision improvements for ray/sphere intersection", Ray Tracing Gems, 2019).

Its texture coordinates are longitude and latitude, with y upward as on a globe. With (x, y, z) = p - c they are

    u = 1/2 + atan2(x, z) / 2 pi,    v = 1/2 + atan2(y, |(x, z)|) / pi

u goes around, and is 0 and 1 at the back; v goes from the south pole to the north pole.
"""

from math import pi
from typing import Any

from diffrt.autograd import arctan2, greater, sqrt, where
from diffrt.kinds.fields import extent, point
from diffrt.kinds.kind import Shape
from diffrt.kinds.vectors import dot, normalize


class Sphere(Shape):
    """A ball, or a bubble seen from inside."""

    type = "sphere"
    center = point("the middle")
    radius = extent("from the middle to the surface")

    meets_itself = (-1.0,)  # from inside the far root counts, which is another point
    goes_around = (True, False)
    is_ball = True

    def side(self, o: Any) -> Any:
        v = o - self.center
        return dot(v, v) - self.radius * self.radius

    def reach(self, o: Any) -> Any:
        v = o - self.center
        return dot(v, v) + self.radius * self.radius

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        v = self.center - o
        b = dot(v, d)
        q = v - b * d
        h = self.radius * self.radius - dot(q, q)
        # On a miss t is the closest approach.
        return b - side * where(greater(h, 0.0), sqrt(h), 0.0), h

    def normal_at(self, p: Any, side: Any) -> Any:
        # Beside the sphere too, where p is the closest approach, this has length 1.
        return normalize(p - self.center) * side

    def uv(self, p: Any, side: Any) -> tuple[Any, Any]:
        x, y, z = p - self.center
        square = x * x + z * z
        # At a pole there is no longitude; this keeps the numbers finite.
        off_axis = greater(square, 0.0)
        u = 0.5 + arctan2(x, where(off_axis, z, 1.0)) / (2.0 * pi)
        return u, 0.5 + arctan2(y, where(off_axis, sqrt(square), 0.0)) / pi

    def again(self, o: Any, d: Any, side: Any) -> Any:
        # Positive where the ray heads into the ball; h is the square of that, and only touches zero.
        return dot(d, self.normal_at(o, side))

    def box(self) -> tuple[Any, Any]:
        return self.center - self.radius, self.center + self.radius
