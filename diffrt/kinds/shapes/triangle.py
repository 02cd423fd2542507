"""The triangle a, b, c, counterclockwise as seen from in front.

With e = b - a and f = c - a the plane has the normal m = e x f, whose length is twice the area. A point
p = a + q of the plane has the barycentric coordinates (Moeller and Trumbore, 1997)

    beta = (q x f) . m / m . m,    gamma = (e x q) . m / m . m,    alpha = 1 - beta - gamma

and is in the triangle if the smallest of the three is positive; all are multiplied by the ray's descent. beta and gamma
are its texture coordinates too: 0, 0 at a, 1, 0 at b and 0, 1 at c.
"""

from typing import Any

import numpy as np

from diffrt.autograd import maximum, minimum
from diffrt.kinds.fields import Relation, point, sine
from diffrt.kinds.shapes.plane import Flat, meet_in
from diffrt.kinds.vectors import cross, dot, normalize


class Triangle(Flat):
    """A flat shape with three corners."""

    type = "triangle"
    a = point("the first corner")
    b = point("the second corner, counterclockwise as seen from in front")
    c = point("the third corner")
    relations = (
        Relation(
            ("a", "b", "c"),
            "c",
            lambda a, b, c: sine(np.subtract(b, a), np.subtract(c, a)) >= 1e-9,
            "a, b and c that do not lie on one line",
        ),
    )

    def plane(self) -> tuple[Any, Any]:
        return self.a, cross(self.b - self.a, self.c - self.a)

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        t, (beta, gamma, alpha) = self._meet(o, d, side)
        return t, minimum(minimum(beta, gamma), alpha)

    def margins(self, o: Any, d: Any, side: Any) -> tuple[Any, ...]:
        return self._meet(o, d, side)[1]

    def _meet(self, o: Any, d: Any, side: Any) -> tuple[Any, tuple[Any, ...]]:
        _, m = self.plane()
        t, descent, q = meet_in(self.a, normalize(m), o, d, side)
        beta, gamma = self._barycentric(q)
        return t, (beta, gamma, descent - beta - gamma)

    def _barycentric(self, q: Any) -> tuple[Any, Any]:
        e, f = self.b - self.a, self.c - self.a
        m = cross(e, f)
        square = dot(m, m)
        return dot(q, cross(f, m)) / square, dot(q, cross(m, e)) / square

    def uv(self, p: Any, side: Any) -> tuple[Any, Any]:
        return self._barycentric(p - self.a)

    def box(self) -> tuple[Any, Any]:
        return minimum(minimum(self.a, self.b), self.c), maximum(maximum(self.a, self.b), self.c)
