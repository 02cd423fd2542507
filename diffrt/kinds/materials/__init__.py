"""Materials, one file each; the formulas that the rough ones share are in `microfacets.py`."""

from .blinn_phong import BlinnPhong
from .lambert import Lambert
from .mirror import Mirror
from .rough_conductor import RoughConductor
from .rough_metal import RoughMetal
from .rough_plastic import RoughPlastic

__all__ = ["BlinnPhong", "Lambert", "Mirror", "RoughConductor", "RoughMetal", "RoughPlastic"]
