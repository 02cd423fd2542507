"""A rough metal by its optical constants: GGX microfacets (see `microfacets.py`) with the exact Fresnel reflectance of
a refractive index eta + i k."""

from typing import Any

from diffrt.kinds.fields import extinction, metal_index, roughness
from diffrt.kinds.kind import Material
from diffrt.kinds.materials.microfacets import ALL, FINE, conductor, lobe, reflected_share, strongest
from diffrt.kinds.vectors import dot


class RoughConductor(Material):
    """A rough metal, by its optical constants. Light from everywhere is summed over 48 directions, to 0.01 of it."""

    type = "rough_conductor"
    eta = metal_index("the real part of the refractive index, such as [0.14, 0.37, 1.44] for gold")
    k = extinction("the imaginary part of the refractive index, such as [3.98, 2.38, 1.6] for gold")
    alpha = roughness("the roughness alpha of GGX, about the width of a highlight in radians")

    def brdf(self, n: Any, to_eye: Any, to_light: Any) -> Any:
        share, cosine = lobe(self.alpha, n, to_eye, to_light)
        return share * conductor(cosine, self.eta, self.k)

    def ambient(self, n: Any, to_eye: Any) -> Any:
        return reflected_share(
            self.alpha, dot(n, to_eye), lambda cosine: conductor(cosine[:, None], self.eta, self.k), FINE
        )

    def at_most(self) -> tuple[Any, Any]:
        return strongest(self.alpha), ALL
