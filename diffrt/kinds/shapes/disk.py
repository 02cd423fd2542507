"""The disk of radius r around the point c in the plane with normal n.

The ray meets the plane at p; it meets the disk if r^2 - |p - c|^2 > 0, which is multiplied by
the square of the ray's descent. Its texture coordinates are those of the square
around it, with the axes of a plane.
"""

from typing import Any

from diffrt.autograd import maximum, minimum, sqrt
from diffrt.kinds.fields import direction, extent, point
from diffrt.kinds.shapes.plane import Flat, axes_of, meet_in
from diffrt.kinds.vectors import dot, normalize


def bounds(center: Any, normal: Any, radius: Any) -> tuple[Any, Any]:
    """The least and the largest coordinates of a disk, (3, N) each."""
    n = normalize(normal)
    half = radius * sqrt(maximum(1.0 - n * n, 0.0))
    return center - half, center + half


class Disk(Flat):
    """A flat, round shape."""

    type = "disk"
    center = point("the middle")
    normal = direction("at right angles to it, to its front")
    radius = extent("from the middle to the border")

    def plane(self) -> tuple[Any, Any]:
        return self.center, self.normal

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        t, descent, q = meet_in(self.center, normalize(self.normal), o, d, side)
        reach = self.radius * descent
        return t, minimum(reach * reach - dot(q, q), descent)

    def uv(self, p: Any, side: Any) -> tuple[Any, Any]:
        right, upward = axes_of(normalize(self.normal))
        q = (p - self.center) / (2.0 * self.radius)
        return 0.5 + dot(q, right), 0.5 + dot(q, upward)

    def box(self) -> tuple[Any, Any]:
        return bounds(self.center, self.normal, self.radius)
