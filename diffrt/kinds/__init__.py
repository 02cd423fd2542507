"""Kinds of shapes, materials, textures, lights, backgrounds and cameras: the list of those that there are.

Each is one file with one class: its fields with their rules and units, its formulas, and what it is capable of. To add
one, write that file and name the class here, or call `register` from a script of your own.
"""

from dataclasses import replace
from functools import cache
from typing import Any

from diffrt.kinds import backgrounds, cameras, lights, materials, registry, shapes, textures
from diffrt.kinds.backgrounds import *  # noqa: F403
from diffrt.kinds.cameras import *  # noqa: F403
from diffrt.kinds.fields import Field, Own, Quantity, Relation, Rule
from diffrt.kinds.kind import END, REFLECT, Background, Camera, Kind, Light, Material, Shape, Texture
from diffrt.kinds.lights import *  # noqa: F403
from diffrt.kinds.materials import *  # noqa: F403
from diffrt.kinds.registry import AnyKind
from diffrt.kinds.shapes import *  # noqa: F403
from diffrt.kinds.textures import *  # noqa: F403
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
TEXTURES: dict[str, type[Texture]] = {
    kind.type: kind for kind in (textures.Bitmap, textures.Checkerboard)
}  # fmt: skip
LIGHTS: dict[str, type[Light]] = {
    kind.type: kind for kind in (lights.PointLight, lights.DirectionalLight, lights.SpotLight, lights.AmbientLight)
}  # fmt: skip
BACKGROUNDS: dict[str, type[Background]] = {
    kind.type: kind for kind in (backgrounds.ConstantBackground, backgrounds.GradientBackground)
}  # fmt: skip

GROUPS: dict[str, dict[str, Any]] = {
    "shapes": SHAPES, "materials": MATERIALS, "textures": TEXTURES, "lights": LIGHTS, "backgrounds": BACKGROUNDS,
    "cameras": CAMERAS,
}  # fmt: skip


def register(kind: AnyKind) -> AnyKind:
    """Add a kind of shape, material, texture, light, background or camera from outside the package.

        @diffrt.register
        class Cone(Shape):
            ...

    kind: the class; `diffrt.kinds.kind` says what each kind of kind promises. Returns it.
    Raises InputError, one line for each thing that it lacks, for a name that is taken, and for formulas that fail or
    give other shapes or nan.
    """
    return registry.register(GROUPS, kind)


def kinds_in(kind: Any, name: str) -> dict[str, Any]:
    """The kinds of objects that may stand in a place of an object of a kind, by type: the materials of a shape, and the
    textures in place of a value of a material. None for other places."""
    if name in kind.parts:
        return GROUPS[f"{name}s"]
    rule = kind.fields[name].rule if name in kind.fields else None
    if kind.group != "materials" or not isinstance(rule, Quantity) or rule.is_direction or rule.fixed:
        return {}
    return {type_: texture_for(texture, kind, name) for type_, texture in TEXTURES.items()}  # type: ignore[arg-type]


@cache
def texture_for(texture: Any, kind: Any, field: str) -> type[Texture]:
    """The texture as it is for one field of a kind: its own values have the rule of that."""
    named = kind.fields[field]
    rule: Any = named.rule
    per_texel = {each: getattr(rule, each) for each in ("components", "minimum", "maximum", "unit")}
    own: dict[str, Any] = {}
    for name, f in texture.fields.items():
        if isinstance(f.rule, Own):
            whole = f.rule.per_texel
            own_rule = replace(f.rule, **per_texel, own=named) if whole else rule
            own[name] = Field(f.words, own_rule, f.check if whole else named.check)
    about = {
        "__module__": texture.__module__,
        "__qualname__": texture.__qualname__,
        "__doc__": texture.__doc__,
        "made_from": (texture, kind, field),
    }
    return type(texture.__name__, (texture,), {**about, **own})


__all__ = ["BACKGROUNDS", "CAMERAS", "END", "GROUPS", "LIGHTS", "MATERIALS", "REFLECT", "SHAPES", "TEXTURES",
           "Background", "Camera", "Colour", "Field", "Kind", "Light", "Material", "Own", "Quantity", "Relation",
           "Rule", "Scalar", "Shape", "Texture", "Value", "Vec3", "kinds_in", "register", "texture_for"]  # fmt: skip
__all__ += backgrounds.__all__
__all__ += cameras.__all__
__all__ += lights.__all__
__all__ += materials.__all__
__all__ += shapes.__all__
__all__ += textures.__all__
