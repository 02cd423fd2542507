"""Lights: what a point p (3, N) of a surface sees of them.

`seen_from` gives the unit direction to the light, the distance to it, and the irradiance (3, N) in W/m^2 that it
causes on a surface that faces it. An ambient light comes evenly from everywhere and casts no shadow: it adds
albedo * radiance.
"""

from math import inf
from typing import Any, NamedTuple

from diffrt.autograd import maximum, named, sqrt
from diffrt.render.vectors import dot, unit

CLOSEST = 1e-18
"""The least squared distance to a light, in scene units."""


class PointLight(NamedTuple):
    """A point that shines evenly in all directions; the irradiance is intensity / distance^2."""

    position: Any
    intensity: Any

    def seen_from(self, p: Any) -> tuple[Any, Any, Any]:
        v = self.position - p
        # At the light itself there is no direction to it; this keeps the numbers finite.
        square = maximum(dot(v, v), CLOSEST)
        distance = named(sqrt(square), "distance")
        return v / distance, distance, self.intensity * named(1.0 / square, "falloff")


class DirectionalLight(NamedTuple):
    """Parallel light from infinity; `direction` is the way that it travels."""

    direction: Any
    irradiance: Any

    def seen_from(self, p: Any) -> tuple[Any, Any, Any]:
        return -unit(self.direction), inf, self.irradiance


class AmbientLight(NamedTuple):
    radiance: Any


LIGHTS: dict[str, type[PointLight | DirectionalLight | AmbientLight]] = {
    "point": PointLight, "directional": DirectionalLight, "ambient": AmbientLight
}  # fmt: skip
