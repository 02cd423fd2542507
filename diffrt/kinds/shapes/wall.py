"""Round walls: what those of a cylinder and of a cone have in common.

The texture coordinate u goes around the axis. With the axes e, f of the plane at right angles to the unit vector w, e
to the right and f upward (`axes_of`), the point at q from the axis is at

    u = 1/2 + atan2(q . e, -q . f) / 2 pi

For w upward these are x and z: u = 1/2 is in front, as on a globe, and u goes around to the right.

A ray meets a wall at a root with s = sqrt(square) in it, and how far that is along the axis is a number less c s. So
an end of the wall is a comparison c s > w. Where the outline of the wall runs into its rim, s is zero, and there its
slope has no bound; s^2 is smooth. As x |x| grows with x, the comparison is also that of the squares with their signs,

    c |c| s^2 - w |w| > 0,

and divided by |c| size + |w|, size a length such as s has, this has a slope where c is zero too: there it is -w.
"""

from functools import reduce
from math import pi
from typing import Any

from diffrt.autograd import absolute, arctan2, greater, maximum, minimum, where
from diffrt.kinds.kind import Shape
from diffrt.kinds.shapes.plane import axes_of
from diffrt.kinds.vectors import dot, length, magnitude, normalize


class Wall(Shape):
    """A wall as it is seen from outside; a class of it with back = -1 is its lining."""

    back = 1
    convex = True
    goes_around = (True, False)
    radius: Any

    def ends(self) -> tuple[Any, Any]:
        """The points of the axis where v is 0 and where it is 1, (3, N) each."""
        raise NotImplementedError

    def meet(self, o: Any, d: Any, side: Any) -> tuple[Any, ...]:
        """The distance t, s^2, and numbers that are positive on the near side of each end, (N,)."""
        raise NotImplementedError

    def reach(self, o: Any) -> Any:
        start, end = self.ends()
        return magnitude(o) + magnitude(start) + magnitude(end) + self.radius

    def side(self, o: Any) -> Any:
        return 0.0 * o[0] + float(self.back)

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        t, *margins = self.meet(o, d, side)
        return t, _least(margins)

    def margins(self, o: Any, d: Any, side: Any) -> tuple[Any, ...]:
        return self.meet(o, d, side)[1:]

    def again(self, o: Any, d: Any, side: Any) -> Any:
        # Positive where the ray heads inward; s^2 is the square of that, and only touches zero.
        return minimum(dot(d, self.normal_at(o, side)), _least(self.meet(o, d, side)[2:]))

    def uv(self, p: Any, side: Any) -> tuple[Any, Any]:
        start, end = self.ends()
        axis, q = end - start, p - start
        w = normalize(axis)
        right, upward = axes_of(w)
        x, z = dot(q, right), -dot(q, upward)
        # On the axis there is no angle; this keeps the numbers finite.
        u = 0.5 + arctan2(x, where(greater(x * x + z * z, 0.0), z, 1.0)) / (2.0 * pi)
        return u, dot(q, w) / length(axis)


def exceeds(c: Any, square: Any, w: Any, size: Any) -> Any:
    """A smooth number that is positive where c sqrt(square) > w, (N,)."""
    return (c * absolute(c) * square - w * absolute(w)) / maximum(absolute(c) * size + absolute(w), 1e-200)


def _least(numbers: Any) -> Any:
    return reduce(lambda least, number: minimum(number, least), reversed(numbers))
