"""A rough metal by its optical constants: GGX microfacets (see `microfacets.py`) with the exact Fresnel reflectance of
a refractive index eta + i k."""

from typing import Any

from diffrt.kinds.fields import extinction, metal_index, roughness
from diffrt.kinds.materials.microfacets import Microfacets, conductor


class RoughConductor(Microfacets):
    """A rough metal, by its optical constants. Light from everywhere is summed over 48 directions, to 0.01 of it."""

    type = "rough_conductor"
    eta = metal_index("the real part of the refractive index, such as [0.14, 0.37, 1.44] for gold")
    k = extinction("the imaginary part of the refractive index, such as [3.98, 2.38, 1.6] for gold")
    alpha = roughness("the roughness alpha of GGX, about the width of a highlight in radians")

    def fresnel(self, cosine: Any) -> Any:
        return conductor(cosine, self.eta, self.k)
