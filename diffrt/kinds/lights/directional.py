"""Parallel light from infinity."""

from math import inf
from typing import Any

from diffrt.kinds.fields import direction, irradiance
from diffrt.kinds.kind import Light
from diffrt.kinds.vectors import normalize


class DirectionalLight(Light):
    """Parallel light from infinity."""

    type = "directional"
    direction = direction("the way that it travels")
    irradiance = irradiance("on a surface that faces it")

    shown_by_a_ball = "direction"

    def incident(self, p: Any) -> tuple[Any, Any, Any]:
        return -normalize(self.direction), inf, self.irradiance

    def at_most(self, distance: Any) -> Any:
        return self.irradiance
