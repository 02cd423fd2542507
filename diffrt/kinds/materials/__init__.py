"""Materials, one file each."""

from .blinn_phong import BlinnPhong
from .lambert import Lambert
from .mirror import Mirror

__all__ = ["BlinnPhong", "Lambert", "Mirror"]
