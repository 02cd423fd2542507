"""A rough metal by its colour: GGX microfacets (see `microfacets.py`) with Schlick's approximation of the Fresnel
reflectance, which goes from the reflectance at normal incidence to 1 at grazing angles."""

from typing import Any

from diffrt.kinds.fields import reflectance, roughness
from diffrt.kinds.materials.microfacets import Microfacets, schlick


class RoughMetal(Microfacets):
    """A rough metal, by its colour. Light from everywhere is summed over 48 directions, to 0.01 of it."""

    type = "rough_metal"
    reflectance = reflectance("the share of light that it mirrors at normal incidence; at grazing angles it is 1")
    alpha = roughness("the roughness alpha of GGX, about the width of a highlight in radians")

    def fresnel(self, cosine: Any) -> Any:
        return schlick(cosine, self.reflectance)
