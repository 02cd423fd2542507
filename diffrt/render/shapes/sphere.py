"""The sphere |p - c| = r.

With v = c - o, the ray o + t d, |d| = 1, is closest to the centre at t = b, b = v . d. There its distance
from the centre is that of v and its shadow b d on the ray:

    q = v - b d,    h = r^2 - q . q

The ray meets the sphere if h > 0, at t = b -+ sqrt(h): the nearer root from outside, the farther from inside.
Computing q first, instead of b^2 - v . v + r^2, keeps the digits of small spheres that are far away
(Haines et al., "Precision improvements for ray/sphere intersection", Ray Tracing Gems, 2019).
"""

from typing import Any, NamedTuple

from diffrt.autograd import greater, sqrt, where
from diffrt.render.vectors import dot, unit


class Sphere(NamedTuple):
    center: Any
    radius: Any

    def side(self, o: Any) -> Any:
        """Positive outside."""
        v = o - self.center
        return dot(v, v) - self.radius * self.radius

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        v = self.center - o
        b = dot(v, d)
        q = v - b * d
        h = self.radius * self.radius - dot(q, q)
        # On a miss t is the closest approach.
        return b - side * where(greater(h, 0.0), sqrt(h), 0.0), h

    def extent(self, d: Any) -> tuple[Any, Any]:
        """The middle, and the radius as seen along d."""
        return self.center, self.radius

    def normal(self, p: Any, side: Any) -> Any:
        # Beside the sphere too, where p is the closest approach, this has length 1.
        return unit(p - self.center) * side
