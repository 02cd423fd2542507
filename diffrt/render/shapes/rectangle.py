"""The rectangle of given width and height around the point c in the plane with normal n.

`up` is made orthogonal to n: v = up - (up . n) n, normalised, points to the middle of the upper side, and
u = v x n to that of the right side as seen from in front. With q = p - c, where p is the point in the plane,
the margins to the borders are width / 2 - |q . u| and height / 2 - |q . v|; the smaller one decides.
"""

from typing import Any, NamedTuple

from diffrt.autograd import absolute, minimum
from diffrt.render.shapes.plane import meet
from diffrt.render.vectors import dot, product, unit


class Rectangle(NamedTuple):
    center: Any
    direction: Any
    up: Any
    width: Any
    height: Any

    def side(self, o: Any) -> Any:
        """Positive on the side that the normal points to."""
        return dot(o - self.center, self.direction)

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        u, v = self._axes()
        t, descent = meet(self.center, unit(self.direction), o, d, side)
        q = o + t * d - self.center
        margin = minimum(0.5 * self.width - absolute(dot(q, u)), 0.5 * self.height - absolute(dot(q, v)))
        return t, minimum(margin, descent)

    def _axes(self) -> tuple[Any, Any]:
        n = unit(self.direction)
        v = unit(self.up - dot(self.up, n) * n)
        return product(v, n), v

    def extent(self, d: Any) -> tuple[Any, Any]:
        """The middle, and the smaller radius as seen along d."""
        return self.center, 0.5 * minimum(self.width, self.height) * absolute(dot(unit(self.direction), d))

    def vertices(self) -> tuple[Any, ...]:
        """The four corners."""
        u, v = self._axes()
        across, upward = 0.5 * self.width * u, 0.5 * self.height * v
        c = self.center
        return c - across - upward, c + across - upward, c + across + upward, c - across + upward

    def normal(self, p: Any, side: Any) -> Any:
        return unit(self.direction) * side
