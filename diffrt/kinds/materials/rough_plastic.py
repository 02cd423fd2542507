"""A matte base under a rough transparent coat. The coat mirrors as GGX microfacets do (see `microfacets.py`), with the
exact Fresnel reflectance of its refractive index. What it lets through on the way in and out reaches the base:

    f = f_coat + 0.985 albedo / pi * (1 - E(n . v)) (1 - E(n . l)) / (1 - M),    M = 2 integral of E(c) c dc from 0 to 1

E(c) is the share of even light that the coat mirrors towards a direction of cosine c. So a base of albedo 1 gives back
what the coat does not mirror, and all of it but for the factor (Kelemen and Szirmay-Kalos, "A microfacet based coupled
specular-matte BRDF model", 2001). E and M are sums of fixed rules, wrong by up to 0.013; the factor sees to it that no
light is made of that.
"""

from math import pi
from typing import Any

import numpy as np

from diffrt.autograd import maximum
from diffrt.kinds.fields import reflectance, refractive_index, roughness
from diffrt.kinds.kind import Material
from diffrt.kinds.materials.microfacets import ALL, COARSE, dielectric, lobe, reflected_share, strongest
from diffrt.kinds.vectors import dot

KEPT = 0.985


class RoughPlastic(Material):
    """A matte surface under a rough transparent coat, such as plastic or lacquer."""

    type = "rough_plastic"
    albedo = reflectance("the share of light that the base under the coat scatters")
    ior = refractive_index("the refractive index of the coat", 1.5)
    alpha = roughness("the roughness alpha of GGX of the coat, about the width of a highlight in radians")

    def brdf(self, n: Any, to_eye: Any, to_light: Any) -> Any:
        share, cosine = lobe(self.alpha, n, to_eye, to_light)
        through = (1.0 - self._mirrored(dot(n, to_eye))) * (1.0 - self._mirrored(dot(n, to_light)))
        base = self.albedo * (through * KEPT / (pi * (1.0 - self._mean())))
        return base + share * dielectric(cosine, self.ior)

    def ambient(self, n: Any, to_eye: Any) -> Any:
        mirrored = self._mirrored(dot(n, to_eye))
        return mirrored + self.albedo * (KEPT * (1.0 - mirrored))

    def at_most(self) -> tuple[Any, Any]:
        return strongest(self.alpha) + self.albedo * (KEPT / (pi * (1.0 - self._mean()))), ALL

    def _mirrored(self, cosine: Any) -> Any:
        """E, (N,)."""
        return reflected_share(self.alpha, maximum(cosine, 0.0), lambda c: dielectric(c, self.ior), COARSE)

    def _mean(self) -> Any:
        """M, (1,)."""
        points, weights = np.polynomial.legendre.leggauss(3)
        cosines = 0.5 * (points + 1.0)
        total: Any = 0.0
        for cosine, weight in zip(cosines, weights, strict=True):
            total = total + weight * cosine * self._mirrored(np.full(1, cosine))
        return total
