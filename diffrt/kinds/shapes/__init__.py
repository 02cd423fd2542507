"""Shapes, one file each."""

from .box import Box
from .cone import Cone
from .cylinder import Cylinder
from .disk import Disk
from .plane import Plane
from .rectangle import Rectangle
from .sphere import Sphere
from .triangle import Triangle

__all__ = ["Box", "Cone", "Cylinder", "Disk", "Plane", "Rectangle", "Sphere", "Triangle"]
