"""A perfect mirror: the radiance that comes from the mirrored direction, times the reflectance."""

from diffrt.kinds.fields import reflectance
from diffrt.kinds.kind import REFLECT, Material


class Mirror(Material):
    """A perfect mirror."""

    type = "mirror"
    reflectance = reflectance("the share of light that it mirrors")

    event = REFLECT
