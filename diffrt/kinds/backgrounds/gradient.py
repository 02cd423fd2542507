"""A vertical gradient. Along a ray of the unit direction d, with the unit vector u upward, the radiance is

    nadir (1 - s) + zenith s,    s = (1 + d . u) / 2

so it is smooth all around, and at the horizon the mean of both.
"""

from typing import Any

from diffrt.autograd import maximum
from diffrt.kinds.fields import direction, radiance
from diffrt.kinds.kind import Background
from diffrt.kinds.vectors import dot, normalize


class GradientBackground(Background):
    """A colour above that goes over into one below. It is seen by the camera and in mirrors, and lights no surface."""

    type = "gradient"
    zenith = radiance("straight up")
    nadir = radiance("straight down; at the horizon there is the mean of both")
    up = direction("to the zenith", (0.0, 1.0, 0.0))

    def seen(self, d: Any) -> Any:
        s = 0.5 + 0.5 * dot(d, normalize(self.up))
        return self.nadir * (1.0 - s) + self.zenith * s

    def at_most(self) -> Any:
        return maximum(self.nadir, self.zenith)
