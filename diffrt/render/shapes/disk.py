"""The disk of radius r around the point c in the plane with normal n.

The ray meets the plane at p; it meets the disk if r^2 - |p - c|^2 > 0.
"""

from typing import Any, NamedTuple

from diffrt.autograd import absolute, minimum
from diffrt.render.shapes.plane import meet
from diffrt.render.vectors import dot, unit


class Disk(NamedTuple):
    center: Any
    direction: Any
    radius: Any

    def side(self, o: Any) -> Any:
        """Positive on the side that the normal points to."""
        return dot(o - self.center, self.direction)

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        t, descent = meet(self.center, unit(self.direction), o, d, side)
        q = o + t * d - self.center
        return t, minimum(self.radius * self.radius - dot(q, q), descent)

    def extent(self, d: Any) -> tuple[Any, Any]:
        """The middle, and the smaller radius as seen along d."""
        return self.center, self.radius * absolute(dot(unit(self.direction), d))

    def normal(self, p: Any, side: Any) -> Any:
        return unit(self.direction) * side
