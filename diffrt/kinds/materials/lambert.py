"""A matte surface: the same radiance in all directions, albedo / pi per irradiance."""

from math import pi
from typing import Any

from diffrt.kinds.fields import reflectance
from diffrt.kinds.kind import Material


class Lambert(Material):
    """A matte surface."""

    type = "lambert"
    albedo = reflectance("the share of light that it scatters")

    def brdf(self, n: Any, to_eye: Any, to_light: Any) -> Any:
        return self.albedo / pi

    def ambient(self, n: Any, to_eye: Any) -> Any:
        return self.albedo

    def at_most(self) -> tuple[Any, Any]:
        return self.albedo / pi, self.albedo
