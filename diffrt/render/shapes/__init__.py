"""Shapes. Each is one file with one class, whose fields are a row of its table, and three formulas:

- side(o): a number that is positive where the point o is on the shape's outer side (outside a ball, in front
  of a plane), negative on the other. Only its sign is used, and it is not differentiated: it is given back to
  the formulas below as `side`, +1 or -1.
- intersect(o, d, side) -> (t, inside): the distance t along the unit direction d to the point that the ray
  from o meets first, and a continuous function that is positive where the ray meets the shape. t is finite and
  has finite derivatives where inside <= 0 too.
- extent(d): of a bounded shape the middle, and the radius of the largest circle around it that the shape fills
  as seen along the unit direction d. vertices(): its corners, of one that has any. Neither is differentiated.
- normal(p, side): the unit normal at the point p of the surface, on the side that the ray came from.

Points and directions are (3, N), the rest is (N,).
"""

from .disk import Disk
from .plane import Plane
from .rectangle import Rectangle
from .sphere import Sphere
from .triangle import Triangle

Shape = Sphere | Plane | Rectangle | Disk | Triangle

SHAPES: dict[str, type[Shape]] = {
    "sphere": Sphere, "plane": Plane, "rectangle": Rectangle, "disk": Disk, "triangle": Triangle
}  # fmt: skip

__all__ = ["SHAPES", "Disk", "Plane", "Rectangle", "Shape", "Sphere", "Triangle"]
