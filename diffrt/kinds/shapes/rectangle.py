"""The rectangle of given width and height around the point c in the plane with normal n.

`up` is made orthogonal to n: v = up - (up . n) n, normalised, points to the middle of the upper side, and
u = v x n to that of the right side as seen from in front. With q = p - c, where p is the point in the plane,
the margins to the borders are width / 2 - |q . u| and height / 2 - |q . v|; the smaller one decides. Both are
multiplied by the ray's descent, which must be positive too. Each of the four borders has a margin of its own, without
the absolute value. The texture coordinates are 1/2 + q . u / width and
1/2 + q . v / height: 0, 0 at the lower left corner and 1, 1 at the upper right.
"""

from typing import Any

from diffrt.autograd import absolute, minimum
from diffrt.kinds.fields import Relation, direction, extent, point, sine
from diffrt.kinds.shapes.plane import Flat, meet_in
from diffrt.kinds.vectors import cross, dot, normalize


class Rectangle(Flat):
    """A flat shape with four right angles."""

    type = "rectangle"
    center = point("the middle")
    normal = direction("at right angles to it, to its front")
    up = direction("to the middle of its upper side", (0.0, 1.0, 0.0))
    width = extent("from left to right")
    height = extent("from bottom to top")
    relations = (
        Relation(
            ("normal", "up"),
            "up",
            lambda normal, up: sine(normal, up) >= 1e-9,
            "a direction that is not along normal; it points to the middle of the upper side",
        ),
    )

    def plane(self) -> tuple[Any, Any]:
        return self.center, self.normal

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        t, *pairs = self._meet(o, d, side)
        return t, minimum(*(half - absolute(away) for half, away in pairs))

    def margins(self, o: Any, d: Any, side: Any) -> tuple[Any, ...]:
        _, *pairs = self._meet(o, d, side)
        return tuple(margin for half, away in pairs for margin in (half - away, half + away))

    def _meet(self, o: Any, d: Any, side: Any) -> tuple[Any, ...]:
        """The distance, and the half of each extent and how far the point is from the middle along it, times the
        ray's descent."""
        u, v = self._axes()
        t, descent, q = meet_in(self.center, normalize(self.normal), o, d, side)
        return t, (0.5 * self.width * descent, dot(q, u)), (0.5 * self.height * descent, dot(q, v))

    def _axes(self) -> tuple[Any, Any]:
        n = normalize(self.normal)
        v = normalize(self.up - dot(self.up, n) * n)
        return cross(v, n), v

    def uv(self, p: Any, side: Any) -> tuple[Any, Any]:
        right, upward = self._axes()
        q = p - self.center
        return 0.5 + dot(q, right) / self.width, 0.5 + dot(q, upward) / self.height

    def box(self) -> tuple[Any, Any]:
        u, v = self._axes()
        half = 0.5 * self.width * absolute(u) + 0.5 * self.height * absolute(v)
        return self.center - half, self.center + half
