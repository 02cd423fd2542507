"""A matte part and a highlight around the half vector h (Blinn, 1977).

    albedo / pi + specular * (s + 8) / (8 pi) * max(n . h, 0)^s

s is the shininess. The factor keeps the energy of the highlight about equal for every s (Akenine-Moeller et al.,
Real-Time Rendering, 3rd ed., 7.6).
"""

from math import pi
from typing import Any

from diffrt.autograd import greater, maximum, where
from diffrt.kinds.fields import exponent, reflectance
from diffrt.kinds.kind import Material
from diffrt.kinds.vectors import dot, normalize


class BlinnPhong(Material):
    """A matte surface with a highlight."""

    type = "blinn_phong"
    albedo = reflectance("the share of light that the matte part scatters")
    specular = reflectance("the strength of the highlight")
    shininess = exponent("how narrow the highlight is")

    def brdf(self, n: Any, to_eye: Any, to_light: Any) -> Any:
        cosine = maximum(dot(n, normalize(to_eye + to_light)), 0.0)
        # 0^s has no finite derivative by s or by its base if s < 1; there is no highlight there to move.
        highlight = where(greater(cosine, 0.0), cosine, 1.0) ** self.shininess
        lobe = where(greater(cosine, 0.0), highlight, 0.0) * ((self.shininess + 8.0) / (8.0 * pi))
        return self.albedo / pi + self.specular * lobe

    def ambient(self, n: Any, to_eye: Any) -> Any:
        return self.albedo

    def at_most(self) -> tuple[Any, Any]:
        return self.albedo / pi + self.specular * ((self.shininess + 8.0) / (8.0 * pi)), self.albedo
