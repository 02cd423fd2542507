"""Kinds of shapes, materials, textures, lights, backgrounds and cameras: the list of those that there are.

Each is one file with one class: its fields with their rules and units, its formulas, and what it is capable of. To add
one, write that file and name the class here, or call `register` from a script of your own.
"""

from dataclasses import replace
from functools import cache
from typing import Any

from diffrt.errors import InputError
from diffrt.kinds.backgrounds.constant import ConstantBackground
from diffrt.kinds.backgrounds.gradient import GradientBackground
from diffrt.kinds.cameras.orthographic import Orthographic
from diffrt.kinds.cameras.perspective import Perspective
from diffrt.kinds.fields import Field, Own, Quantity, Relation, Rule
from diffrt.kinds.kind import END, REFLECT, Background, Camera, Kind, Light, Material, Shape, Texture
from diffrt.kinds.lights.ambient import AmbientLight
from diffrt.kinds.lights.directional import DirectionalLight
from diffrt.kinds.lights.point import PointLight
from diffrt.kinds.lights.spot import SpotLight
from diffrt.kinds.materials.blinn_phong import BlinnPhong
from diffrt.kinds.materials.lambert import Lambert
from diffrt.kinds.materials.mirror import Mirror
from diffrt.kinds.materials.rough_conductor import RoughConductor
from diffrt.kinds.materials.rough_metal import RoughMetal
from diffrt.kinds.materials.rough_plastic import RoughPlastic
from diffrt.kinds.promises import of_formulas
from diffrt.kinds.registry import AnyKind, of_class
from diffrt.kinds.shapes.box import Box
from diffrt.kinds.shapes.cone import Cone
from diffrt.kinds.shapes.cylinder import Cylinder
from diffrt.kinds.shapes.disk import Disk
from diffrt.kinds.shapes.plane import Plane
from diffrt.kinds.shapes.rectangle import Rectangle
from diffrt.kinds.shapes.sphere import Sphere
from diffrt.kinds.shapes.triangle import Triangle
from diffrt.kinds.textures.bitmap import Bitmap
from diffrt.kinds.textures.checkerboard import Checkerboard
from diffrt.kinds.values import Value
from diffrt.types import Colour, Scalar, Vec3

GROUPS: dict[str, dict[str, Any]] = {
    name: {kind.type: kind for kind in kinds}
    for name, kinds in {
        "shapes": (Sphere, Plane, Rectangle, Disk, Triangle, Cylinder, Cone, Box),
        "materials": (Lambert, BlinnPhong, Mirror, RoughConductor, RoughMetal, RoughPlastic),
        "textures": (Bitmap, Checkerboard),
        "lights": (PointLight, DirectionalLight, SpotLight, AmbientLight),
        "backgrounds": (ConstantBackground, GradientBackground),
        "cameras": (Perspective, Orthographic),
    }.items()
}
"""All kinds, by group and by their names in scene files; the first camera and background are what is meant if none is
named."""

SHAPES: dict[str, type[Shape]] = GROUPS["shapes"]
MATERIALS: dict[str, type[Material]] = GROUPS["materials"]
TEXTURES: dict[str, type[Texture]] = GROUPS["textures"]
LIGHTS: dict[str, type[Light]] = GROUPS["lights"]
BACKGROUNDS: dict[str, type[Background]] = GROUPS["backgrounds"]
CAMERAS: dict[str, type[Camera]] = GROUPS["cameras"]


def register(kind: AnyKind) -> AnyKind:
    """Add a kind of shape, material, texture, light, background or camera from outside the package.

        @diffrt.register
        class Cone(Shape):
            ...

    kind: the class; `diffrt.kinds.kind` says what each kind of kind promises. Returns it, so that this may stand above
    it with an @. The same class, made anew when its script runs again, takes the place of the old one.
    Raises InputError, one line for each thing that it lacks, for a name that is taken, and for formulas that fail or
    give other shapes or nan.
    """
    if not (isinstance(kind, type) and issubclass(kind, Kind) and kind.group in GROUPS):
        raise InputError(
            f"register: found {kind!r}, needed: a class of Shape, Material, Texture, Light or Camera, or of Background"
        )
    if problems := list(of_class(GROUPS[kind.group], kind)) or of_formulas(kind):
        raise InputError(*(f"{kind.__name__}: {problem}" for problem in problems))
    GROUPS[kind.group][kind.type] = kind
    return kind


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
    about = {name: getattr(texture, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(texture.__name__, (texture,), {**about, "made_from": (texture, kind, field), **own})


__all__ = [
    "BACKGROUNDS", "CAMERAS", "END", "GROUPS", "LIGHTS", "MATERIALS", "REFLECT", "SHAPES", "TEXTURES", "AmbientLight",
    "Background", "Bitmap", "BlinnPhong", "Box", "Camera", "Checkerboard", "Colour", "Cone", "ConstantBackground",
    "Cylinder", "DirectionalLight", "Disk", "Field", "GradientBackground", "Kind", "Lambert", "Light", "Material",
    "Mirror", "Orthographic", "Own", "Perspective", "Plane", "PointLight", "Quantity", "Rectangle", "Relation",
    "RoughConductor", "RoughMetal", "RoughPlastic", "Rule", "Scalar", "Shape", "Sphere", "SpotLight", "Texture",
    "Triangle", "Value", "Vec3", "kinds_in", "register", "texture_for",
]  # fmt: skip
