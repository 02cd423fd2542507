"""Kinds of shapes, materials, lights, backgrounds and cameras: the list of those that there are.

Each is one file with one class: its fields with their rules and units, its formulas, and what it is capable of. To add
one, write that file and name the class here, or call `register` from a script of your own.
"""

from typing import Any

from diffrt.kinds import backgrounds, cameras, lights, materials, registry, shapes
from diffrt.kinds.backgrounds import *  # noqa: F403
from diffrt.kinds.cameras import *  # noqa: F403
from diffrt.kinds.fields import Field, Quantity, Relation, Rule
from diffrt.kinds.kind import END, REFLECT, Background, Camera, Kind, Light, Material, Shape
from diffrt.kinds.lights import *  # noqa: F403
from diffrt.kinds.materials import *  # noqa: F403
from diffrt.kinds.registry import AnyKind
from diffrt.kinds.shapes import *  # noqa: F403
from diffrt.kinds.values import Colour, Scalar, Value, Vec3

CAMERAS: dict[str, type[Camera]] = {
    kind.type: kind for kind in (cameras.Perspective, cameras.Orthographic)
}  # fmt: skip
SHAPES: dict[str, type[Shape]] = {
    kind.type: kind
    for kind in (shapes.Sphere, shapes.Plane, shapes.Rectangle, shapes.Disk, shapes.Triangle, shapes.Cylinder,
                 shapes.Cone, shapes.Box)
}  # fmt: skip
MATERIALS: dict[str, type[Material]] = {
    kind.type: kind
    for kind in (materials.Lambert, materials.BlinnPhong, materials.Mirror, materials.RoughConductor,
                 materials.RoughMetal, materials.RoughPlastic)
}  # fmt: skip
LIGHTS: dict[str, type[Light]] = {
    kind.type: kind for kind in (lights.PointLight, lights.DirectionalLight, lights.SpotLight, lights.AmbientLight)
}  # fmt: skip
BACKGROUNDS: dict[str, type[Background]] = {
    kind.type: kind for kind in (backgrounds.ConstantBackground, backgrounds.GradientBackground)
}  # fmt: skip

GROUPS: dict[str, dict[str, Any]] = {
    "shapes": SHAPES, "materials": MATERIALS, "lights": LIGHTS, "backgrounds": BACKGROUNDS, "cameras": CAMERAS,
}  # fmt: skip


def register(kind: AnyKind) -> AnyKind:
    """Add a kind of shape, material, light, background or camera from outside the package.

        @diffrt.register
        class Cone(Shape):
            ...

    kind: the class; `diffrt.kinds.kind` says what each kind of kind promises. Returns it.
    Raises InputError, one line for each thing that it lacks, for a name that is taken, and for formulas that fail or
    give other shapes or nan.
    """
    return registry.register(GROUPS, kind)


__all__ = ["BACKGROUNDS", "CAMERAS", "END", "GROUPS", "LIGHTS", "MATERIALS", "REFLECT", "SHAPES", "Background",
           "Camera", "Colour", "Field", "Kind", "Light", "Material", "Quantity", "Relation", "Rule", "Scalar", "Shape",
           "Value", "Vec3", "register"]  # fmt: skip
__all__ += backgrounds.__all__
__all__ += cameras.__all__
__all__ += lights.__all__
__all__ += materials.__all__
__all__ += shapes.__all__
