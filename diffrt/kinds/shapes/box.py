"""The box of given width, height and depth around the point c, in any orientation.

As in a rectangle, `up` is made orthogonal to the unit vector f to the front: v = up - (up . f) f, normalised, points to
the middle of the top, and u = v x f to that of the right side as seen from in front. The six faces are rectangles: with
w the one of u, v, f that belongs to it and e the length along that, a pair of them lies at c + (e / 2) w and
c - (e / 2) w. They have the texture coordinates of rectangles.
"""

from typing import ClassVar

from diffrt.kinds.fields import Relation, direction, extent, point, sine
from diffrt.kinds.kind import Shape
from diffrt.kinds.shapes.part import Part
from diffrt.kinds.shapes.rectangle import Rectangle
from diffrt.kinds.vectors import cross, dot, normalize


class Oriented(Shape):
    """What a box and its faces have."""

    center = point("the middle")
    front = direction("out of its front, at right angles to it", (0.0, 0.0, 1.0))
    up = direction("to the middle of its top", (0.0, 1.0, 0.0))
    width = extent("from left to right")
    height = extent("from bottom to top")
    depth = extent("from back to front")


class Side(Oriented, Part):
    """A face. across: 0, 1 or 2 for u, v or f, which it is at right angles to; sign: +1 or -1, the end of that."""

    across: ClassVar[int]
    sign: ClassVar[float]

    def same(self) -> Shape:
        f = normalize(self.front)
        v = normalize(self.up - dot(self.up, f) * f)
        axes, lengths = (cross(v, f), v, f), (self.width, self.height, self.depth)
        w, half = self.sign * axes[self.across], 0.5 * lengths[self.across]
        left_to_right, upward = ((2, 1), (0, 2), (0, 1))[self.across]
        return Rectangle.holding(
            center=self.center + half * w, normal=w, up=axes[upward], width=lengths[left_to_right],
            height=lengths[upward],
        )  # fmt: skip


class Left(Side):
    across, sign = 0, -1.0


class Right(Side):
    across, sign = 0, 1.0


class Bottom(Side):
    across, sign = 1, -1.0


class Top(Side):
    across, sign = 1, 1.0


class Back(Side):
    across, sign = 2, -1.0


class Front(Side):
    across, sign = 2, 1.0


class Box(Oriented):
    """A box."""

    type = "box"
    faces = (Left, Right, Bottom, Top, Back, Front)
    relations = (
        Relation(
            ("front", "up"),
            "up",
            lambda front, up: sine(front, up) >= 1e-9,
            "a direction that is not along front; it points to the middle of the top",
        ),
    )
