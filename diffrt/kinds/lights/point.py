"""A point that shines evenly in all directions; the irradiance is intensity / distance^2."""

from math import inf
from typing import Any

from diffrt.autograd import greater, maximum, named, sqrt, where
from diffrt.kinds.fields import intensity, point
from diffrt.kinds.kind import Light
from diffrt.kinds.vectors import dot

CLOSEST = 1e-18
"""The least squared distance to a light, in scene units."""


class PointLight(Light):
    """A point that shines evenly in all directions."""

    type = "point"
    position = point("where it is")
    intensity = intensity("how strong it is")

    shown_by_a_ball = "position"

    def origin(self) -> Any:
        return self.position

    def incident(self, p: Any) -> tuple[Any, Any, Any]:
        v = self.position - p
        # At the light itself there is no direction to it; this keeps the numbers finite.
        square = maximum(dot(v, v), CLOSEST)
        distance = named(sqrt(square), "distance")
        return v / distance, distance, self.intensity * named(1.0 / square, "falloff")

    def at_most(self, distance: Any) -> Any:
        return where(greater(distance, 0.0), self.intensity / maximum(distance * distance, CLOSEST), inf)
