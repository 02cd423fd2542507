"""Kinds of shapes, materials, textures, lights and cameras: the list of those that there are.

Each is one file with one class: its fields with their rules and units, its formulas, and what it is capable of. To add
one, write that file and name the class here, or call `register` from a script of your own.
"""

from dataclasses import replace
from functools import cache
from typing import Any

from diffrt.kinds import cameras, lights, materials, registry, shapes, textures
from diffrt.kinds.fields import Field, Own, Quantity, Relation, Rule
from diffrt.kinds.kind import END, REFLECT, Camera, Kind, Light, Material, Shape, Texture
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
TEXTURES: dict[str, type[Texture]] = {
    kind.type: kind for kind in (textures.Bitmap, textures.Checkerboard)
}  # fmt: skip
LIGHTS: dict[str, type[Light]] = {
    kind.type: kind for kind in (lights.PointLight, lights.DirectionalLight, lights.AmbientLight)
}  # fmt: skip

_GROUPS: dict[str, dict[str, Any]] = {"shapes": SHAPES, "materials": MATERIALS,
                                      "textures": TEXTURES, "lights": LIGHTS, "cameras": CAMERAS}  # fmt: skip


def register(kind: AnyKind) -> AnyKind:
    """Add a kind of shape, material, texture, light or camera from outside the package.

        @diffrt.register
        class Cone(Shape):
            ...

    kind: the class; `diffrt.kinds.kind` says what each kind of kind promises. Returns it.
    Raises InputError, one line for each thing that it lacks, for a name that is taken, and for formulas that fail or
    give other shapes or nan.
    """
    return registry.register(_GROUPS, kind)


def textures_of(kind: Any, field: str) -> dict[str, type[Texture]]:
    """The textures that a field of a kind may hold, by type; none for other fields than those of materials."""
    rule = kind.fields[field].rule
    if kind.group != "materials" or not isinstance(rule, Quantity) or rule.is_direction or rule.fixed:
        return {}
    known: dict[str, Any] = TEXTURES  # mypy takes no class of these for hashable
    return {name: texture_for(texture, kind, field) for name, texture in known.items()}


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
    about = {"__module__": texture.__module__, "__doc__": texture.__doc__, "made_from": (texture, kind, field)}
    return type(texture.__name__, (texture,), {**about, **own})


__all__ = ["CAMERAS", "END", "LIGHTS", "MATERIALS", "REFLECT", "SHAPES", "TEXTURES", "Camera", "Field", "Kind", "Light",
           "Material", "Own", "Quantity", "Relation", "Rule", "Shape", "Texture", "register",
           "texture_for", "textures_of"]  # fmt: skip
