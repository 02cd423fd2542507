"""A rough metal by its colour: GGX microfacets (see `microfacets.py`) with Schlick's approximation of the Fresnel
reflectance, which goes from the reflectance at normal incidence to 1 at grazing angles."""

from typing import Any

from diffrt.kinds.fields import reflectance, roughness
from diffrt.kinds.kind import Material
from diffrt.kinds.materials.microfacets import ALL, FINE, lobe, reflected_share, schlick, strongest
from diffrt.kinds.vectors import dot


class RoughMetal(Material):
    """A rough metal, by its colour. Light from everywhere is summed over 48 directions, to 0.01 of it."""

    type = "rough_metal"
    reflectance = reflectance("the share of light that it mirrors at normal incidence; at grazing angles it is 1")
    alpha = roughness("the roughness alpha of GGX, about the width of a highlight in radians")

    def brdf(self, n: Any, to_eye: Any, to_light: Any) -> Any:
        share, cosine = lobe(self.alpha, n, to_eye, to_light)
        return share * schlick(cosine, self.reflectance)

    def ambient(self, n: Any, to_eye: Any) -> Any:
        return reflected_share(
            self.alpha, dot(n, to_eye), lambda cosine: schlick(cosine[:, None], self.reflectance), FINE
        )

    def at_most(self) -> tuple[Any, Any]:
        return strongest(self.alpha), ALL
