"""A point that shines into a cone. With the angle a between the axis and the way to a point of a surface, the
irradiance is

    intensity / distance^2 * t^2 (3 - 2 t),    t = (outer - a) / (outer - inner), held within 0 and 1

so the light is full up to the inner angle and none is left at the outer one. If they are equal, the border is hard.
The angle comes from sine and cosine together: the cosine alone loses the digits of narrow cones.
"""

from math import pi
from typing import Any

from diffrt.autograd import arctan2, clip, maximum, named
from diffrt.kinds.fields import SMALLEST, Relation, angle, direction, intensity, point
from diffrt.kinds.kind import Light
from diffrt.kinds.lights.point import PointLight
from diffrt.kinds.vectors import cross, dot, length

NARROWEST = 1e-12
"""A border of fewer radians is a hard one."""


class SpotLight(Light):
    """A point that shines into a cone; a hard border of it is an edge of the image."""

    type = "spot"
    position = point("where it is, the apex of its cone")
    direction = direction("the way that it shines, along the axis of its cone")
    intensity = intensity("how strong it is within the inner angle")
    inner = angle("between the axis and the end of the full light")
    outer = angle("between the axis and the end of all light; where it equals inner, the border is hard")
    relations = (
        Relation(
            ("inner", "outer"),
            "inner",
            # A rounding more than the outer angle is as hard a border.
            lambda inner, outer: inner <= outer + SMALLEST,
            "an angle of at most outer; both are measured from the axis, and equal ones make a hard border",
        ),
    )

    bordered = True

    def origin(self) -> Any:
        return self.position

    def incident(self, p: Any) -> tuple[Any, Any, Any]:
        to_light, distance, full = PointLight(self.position, self.intensity).incident(p)
        width = maximum((self.outer - self.inner) * (pi / 180.0), NARROWEST)
        t = clip(self.shines(p) / width, 0.0, 1.0)
        return to_light, distance, full * named(t * t * (3.0 - 2.0 * t), "share of the spot")

    def at_most(self, distance: Any) -> Any:
        return PointLight(self.position, self.intensity).at_most(distance)

    def shines(self, p: Any) -> Any:
        """How many radians the way to p is within the outer angle."""
        v = p - self.position
        return self.outer * (pi / 180.0) - arctan2(length(cross(self.direction + 0.0 * v, v)), dot(self.direction, v))
