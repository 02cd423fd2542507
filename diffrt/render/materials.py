"""Materials: how a surface turns incident light into radiance. Vectors are (3, N), colours too.

A material that scatters light answers with its BRDF (1/sr) for the unit directions to the eye and to the light;
a mirror has a reflectance instead, and the light path goes on. Surfaces have two equal sides.
"""

from math import pi
from typing import Any, NamedTuple

from diffrt.autograd import greater, maximum, where
from diffrt.render.vectors import dot, unit


class Lambert(NamedTuple):
    """The same radiance in all directions: albedo / pi."""

    albedo: Any

    def brdf(self, n: Any, to_eye: Any, to_light: Any) -> Any:
        return self.albedo / pi


class BlinnPhong(NamedTuple):
    """A matte part and a highlight around the half vector h (Blinn, 1977).

    albedo / pi + specular * (s + 8) / (8 pi) * max(n . h, 0)^s, s the shininess. The factor keeps the energy of
    the highlight about equal for every s (Akenine-Moeller et al., Real-Time Rendering, 3rd ed., 7.6).
    """

    albedo: Any
    specular: Any
    shininess: Any

    def brdf(self, n: Any, to_eye: Any, to_light: Any) -> Any:
        cosine = maximum(dot(n, unit(to_eye + to_light)), 0.0)
        # 0^s has no finite derivative by s or by its base if s < 1; there is no highlight there to move.
        highlight = where(greater(cosine, 0.0), cosine, 1.0) ** self.shininess
        lobe = where(greater(cosine, 0.0), highlight, 0.0) * ((self.shininess + 8.0) / (8.0 * pi))
        return self.albedo / pi + self.specular * lobe


class Mirror(NamedTuple):
    """A perfect mirror: the radiance that comes from the mirrored direction, times the reflectance."""

    reflectance: Any


MATERIALS: dict[str, type[Lambert | BlinnPhong | Mirror]] = {
    "lambert": Lambert, "blinn_phong": BlinnPhong, "mirror": Mirror
}  # fmt: skip
