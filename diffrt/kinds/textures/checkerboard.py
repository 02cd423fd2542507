"""The checkerboard. With n squares from u = 0 to 1, m from v = 0 to 1, and an offset (a, b) in squares, the border is

    g = sin(pi (n u + a)) sin(pi (m v + b))

which is zero on the lines, positive on even squares and negative on odd ones: the square at u = v = 0 is even.
"""

from math import pi
from typing import Any, ClassVar

from diffrt.autograd import sin
from diffrt.kinds.fields import counts, own, pair
from diffrt.kinds.kind import Texture


class Checkerboard(Texture):
    """Squares of two values; its lines are edges of the image."""

    type = "checkerboard"
    even = own("the value on the square at u = v = 0, and on every second one")
    odd = own("the value on the others")
    squares = counts("how many squares there are along u, and along v, from 0 to 1", (8.0, 8.0))
    offset = pair("by how much they are moved towards u = 0 and v = 0, in squares", (0.0, 0.0))

    has_edge = True
    whole: ClassVar = {"squares": 2}

    def border(self, u: Any, v: Any) -> Any:
        across = sin(pi * (u * self.squares[0] + self.offset[0]))
        return across * sin(pi * (v * self.squares[1] + self.offset[1]))

    def piece(self, positive: bool) -> Any:
        return self.even if positive else self.odd
