"""Shapes, one file each."""

from .disk import Disk
from .plane import Plane
from .rectangle import Rectangle
from .sphere import Sphere
from .triangle import Triangle

__all__ = ["Disk", "Plane", "Rectangle", "Sphere", "Triangle"]
