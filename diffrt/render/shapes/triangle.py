"""The triangle a, b, c, counterclockwise as seen from in front.

With e = b - a and f = c - a the plane has the normal m = e x f, whose length is twice the area. A point
p = a + q of the plane has the barycentric coordinates (Moeller and Trumbore, 1997)

    beta = (q x f) . m / m . m,    gamma = (e x q) . m / m . m,    alpha = 1 - beta - gamma

and is in the triangle if the smallest of the three is positive.
"""

from typing import Any, NamedTuple

from diffrt.autograd import absolute, minimum
from diffrt.render.shapes.plane import meet
from diffrt.render.vectors import dot, length, product, unit


class Triangle(NamedTuple):
    a: Any
    b: Any
    c: Any

    def side(self, o: Any) -> Any:
        """Positive on the side from which a, b, c go round counterclockwise."""
        return dot(o - self.a, product(self.b - self.a, self.c - self.a))

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        e, f = self.b - self.a, self.c - self.a
        m = product(e, f)
        t, descent = meet(self.a, unit(m), o, d, side)
        q = o + t * d - self.a
        square = dot(m, m)
        beta = dot(product(q, f), m) / square
        gamma = dot(product(e, q), m) / square
        return t, minimum(minimum(minimum(beta, gamma), 1.0 - beta - gamma), descent)

    def extent(self, d: Any) -> tuple[Any, Any]:
        """The middle of the circle inscribed, and its smaller radius as seen along d."""
        sides = length(self.b - self.c), length(self.c - self.a), length(self.a - self.b)
        around = sides[0] + sides[1] + sides[2]
        m = product(self.b - self.a, self.c - self.a)
        centre = (sides[0] * self.a + sides[1] * self.b + sides[2] * self.c) / around
        return centre, absolute(dot(m, d)) / around

    def vertices(self) -> tuple[Any, ...]:
        """The three corners."""
        return self.a, self.b, self.c

    def normal(self, p: Any, side: Any) -> Any:
        return unit(product(self.b - self.a, self.c - self.a)) * side
