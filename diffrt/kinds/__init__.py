"""Kinds of shapes, materials, lights and cameras: the list of those that there are.

Each is one file with one class: its fields with their rules and units, its formulas, and what it is capable of. To add
one, write that file and name the class here, or call `register` from a script of your own.
"""

from diffrt.kinds import cameras, lights, materials, shapes
from diffrt.kinds.fields import Field, Quantity, Relation, Rule
from diffrt.kinds.kind import Camera, Kind, Light, Material, Shape

CAMERAS: dict[str, type[Camera]] = {
    kind.type: kind for kind in (cameras.PerspectiveCamera, cameras.OrthographicCamera)
}  # fmt: skip
SHAPES: dict[str, type[Shape]] = {
    kind.type: kind
    for kind in (shapes.Sphere, shapes.Plane, shapes.Rectangle, shapes.Disk, shapes.Triangle)
}  # fmt: skip
MATERIALS: dict[str, type[Material]] = {
    kind.type: kind for kind in (materials.Lambert, materials.BlinnPhong, materials.Mirror)
}  # fmt: skip
LIGHTS: dict[str, type[Light]] = {
    kind.type: kind for kind in (lights.PointLight, lights.DirectionalLight, lights.AmbientLight)
}  # fmt: skip

__all__ = ["CAMERAS", "LIGHTS", "MATERIALS", "SHAPES", "Camera", "Field", "Kind", "Light", "Material", "Quantity",
           "Relation", "Rule", "Shape"]  # fmt: skip
