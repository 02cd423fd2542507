"""Around an axis: the texture coordinate u of round walls.

With the axes e, f of the plane at right angles to the unit vector w, e to the right and f upward (`axes_of`), the point
at q from the axis is at

    u = 1/2 + atan2(q . e, -q . f) / 2 pi

For w upward these are x and z: u = 1/2 is in front, as on a globe, and u goes around to the right.
"""

from math import pi
from typing import Any

from diffrt.autograd import arctan2, greater, where
from diffrt.kinds.shapes.plane import axes_of
from diffrt.kinds.vectors import dot


def turn(w: Any, q: Any) -> Any:
    """How far around the axis w the vectors q (3, N) are, (N,), in turns from 0 to 1."""
    right, upward = axes_of(w)
    x, z = dot(q, right), -dot(q, upward)
    # On the axis there is no angle; this keeps the numbers finite.
    return 0.5 + arctan2(x, where(greater(x * x + z * z, 0.0), z, 1.0)) / (2.0 * pi)
