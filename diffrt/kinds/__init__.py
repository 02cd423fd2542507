"""Kinds of shapes, materials, lights and cameras: the list of those that there are.

Each is one file with one class: its fields with their rules and units, its formulas, and what it is capable of. To add
one, write that file and name the class here, or call `register` from a script of your own.
"""

from typing import Any

from diffrt.kinds import cameras, lights, materials, registry, shapes
from diffrt.kinds.fields import Field, Quantity, Relation, Rule
from diffrt.kinds.kind import END, REFLECT, Camera, Kind, Light, Material, Shape
from diffrt.kinds.registry import AnyKind

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

GROUPS: dict[str, dict[str, Any]] = {"shapes": SHAPES, "materials": MATERIALS, "lights": LIGHTS, "cameras": CAMERAS}


def register(kind: AnyKind) -> AnyKind:
    """Add a kind of shape, material, light or camera from outside the package.

        @diffrt.register
        class Cone(Shape):
            ...

    kind: the class; `diffrt.kinds.kind` says what each kind of kind promises. Returns it.
    Raises InputError, one line for each thing that it lacks, for a name that is taken, and for formulas that fail or
    give other shapes or nan.
    """
    return registry.register(GROUPS, kind)


__all__ = ["CAMERAS", "END", "GROUPS", "LIGHTS", "MATERIALS", "REFLECT", "SHAPES", "Camera", "Field", "Kind", "Light",
           "Material", "Quantity", "Relation", "Rule", "Shape", "register"]  # fmt: skip
