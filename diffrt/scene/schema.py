"""What may stand in a scene file: one class per kind of table, one row per kind of number.

A number's *rule* says in words what is allowed; that text is what a user reads when it is not. A *quantity*
is the rule of a continuous number or vector, something that an image can be differentiated by: it adds the
names of the components, the natural bounds and the unit. A *relation* is a rule between several fields of
one table: a camera must not stand on its target. To add a shape, write its class here and list it in SHAPES.

Lengths are in scene units, and light is in units that go with them: with a scene in metres, W/sr and W/m^2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict

MOST_LIGHTS = 32


@dataclass(frozen=True)
class Rule:
    """What a field may hold, in words that follow "allowed:"."""

    allowed: str


@dataclass(frozen=True)
class Quantity(Rule):
    """The rule of a parameter: a number, or a vector with one letter per component.

    minimum, maximum: natural bounds of each component, which an optimiser can keep to; infinite if none.
    is_direction: whether the length of the vector means nothing.
    """

    components: str = ""
    minimum: float = -inf
    maximum: float = inf
    unit: str = ""
    is_direction: bool = False


@dataclass(frozen=True)
class Relation:
    """A rule between fields: `holds(*values of fields)`; if not, `blamed` is the field that is reported."""

    fields: tuple[str, ...]
    blamed: str
    holds: Callable[..., bool]
    allowed: str


def sine(a: ArrayLike, b: ArrayLike) -> float:
    """The sine of the angle between two vectors (3,), without sign; 0 if one of them is zero."""
    u, v = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if not (u.any() and v.any()):
        return 0.0
    u, v = u / np.abs(u).max(), v / np.abs(v).max()  # so that no square underflows
    return float(np.linalg.norm(np.cross(u, v)) / (np.linalg.norm(u) * np.linalg.norm(v)))


def _apart(a: ArrayLike, b: ArrayLike) -> bool:
    return float(np.linalg.norm(np.subtract(a, b))) >= 1e-9


def _has_length(direction: tuple[float, ...]) -> tuple[float, ...]:
    if not _apart(direction, (0.0, 0.0, 0.0)):
        raise ValueError("a direction without length")  # the rule of the field says it to the user
    return direction


def _gray(colour: Any) -> Any:
    """One number means gray."""
    return (colour,) * 3 if isinstance(colour, int | float) else colour


# Strict: an integer passes for a float, a boolean or a string does not.
_Finite = Annotated[float, Strict(), Field(allow_inf_nan=False)]
_Coordinate = Annotated[_Finite, Field(ge=-1e9, le=1e9)]
_Fraction = Annotated[_Finite, Field(ge=0.0, le=1.0)]
_Strength = Annotated[_Finite, Field(ge=0.0, le=1e12)]
_Positive = Annotated[_Finite, Field(gt=0.0, le=1e9)]
_Vector = tuple[_Coordinate, _Coordinate, _Coordinate]
_Strengths = Annotated[tuple[_Strength, _Strength, _Strength], BeforeValidator(_gray)]

_STRENGTHS = "three numbers [r, g, b], or one for gray, each from 0 to 1e12"

Point = Annotated[_Vector, Quantity("three numbers [x, y, z], each within -1e9 and 1e9", "xyz", unit="scene units")]
Direction = Annotated[
    _Vector,
    AfterValidator(_has_length),
    Quantity(
        "a direction: three numbers [x, y, z], each within -1e9 and 1e9, of length 1e-9 or more",
        "xyz",
        is_direction=True,
    ),
]
Length = Annotated[_Positive, Quantity("a number over 0, up to 1e9", minimum=1e-9, unit="scene units")]
Exponent = Annotated[_Positive, Quantity("a number over 0, up to 1e9", minimum=1e-9)]
Angle = Annotated[
    _Finite,
    Field(gt=0.0, lt=180.0),
    Quantity("degrees over 0 and under 180", minimum=1e-9, maximum=180.0 - 1e-9, unit="degrees"),
]
Reflectance = Annotated[
    tuple[_Fraction, _Fraction, _Fraction],
    BeforeValidator(_gray),
    Quantity("three numbers [r, g, b], or one for gray, each from 0 to 1", "rgb", minimum=0.0, maximum=1.0),
]
Intensity = Annotated[_Strengths, Quantity(_STRENGTHS, "rgb", minimum=0.0, unit="W/sr")]
Irradiance = Annotated[_Strengths, Quantity(_STRENGTHS, "rgb", minimum=0.0, unit="W/m^2")]
Radiance = Annotated[_Strengths, Quantity(_STRENGTHS, "rgb", minimum=0.0, unit="W/(m^2 sr)")]
Pixels = Annotated[int, Strict(), Field(ge=1, le=16384), Rule("a whole number from 1 to 16384")]
Bounces = Annotated[int, Strict(), Field(ge=0, le=8), Rule("a whole number from 0 to 8")]


class Table(BaseModel):
    """A table of a scene file, checked field by field; it never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    relations: ClassVar[tuple[Relation, ...]] = ()


class _View(Table):
    position: Point
    target: Point
    up: Direction = (0.0, 1.0, 0.0)
    width: Pixels
    height: Pixels
    relations = (
        Relation(("position", "target"), "target", _apart, "a point apart from the camera's position"),
        Relation(
            ("position", "target", "up"),
            "up",
            # A camera on its target has no view; the relation above says so.
            lambda position, target, up: (
                not _apart(position, target) or sine(np.subtract(target, position), up) >= 1e-9
            ),
            "a direction that is not along the view, from position to target",
        ),
    )


class PerspectiveCamera(_View):
    type: Literal["perspective"] = "perspective"
    fov: Angle  # vertical


class OrthographicCamera(_View):
    type: Literal["orthographic"] = "orthographic"
    view_height: Length


class Lambert(Table):
    type: Literal["lambert"] = "lambert"
    albedo: Reflectance


class BlinnPhong(Table):
    type: Literal["blinn_phong"] = "blinn_phong"
    albedo: Reflectance
    specular: Reflectance
    shininess: Exponent


class Mirror(Table):
    type: Literal["mirror"] = "mirror"
    reflectance: Reflectance


Material = Annotated[
    Lambert | BlinnPhong | Mirror, Rule('a table such as { type = "lambert", albedo = [0.6, 0.6, 0.6] }')
]


class Sphere(Table):
    type: Literal["sphere"] = "sphere"
    center: Point
    radius: Length
    material: Material


class Plane(Table):
    type: Literal["plane"] = "plane"
    point: Point
    normal: Direction
    material: Material


class Rectangle(Table):
    type: Literal["rectangle"] = "rectangle"
    center: Point
    normal: Direction
    up: Direction = (0.0, 1.0, 0.0)
    width: Length
    height: Length
    material: Material
    relations = (
        Relation(
            ("normal", "up"),
            "up",
            lambda normal, up: sine(normal, up) >= 1e-9,
            "a direction that is not along normal; it points to the middle of the upper side",
        ),
    )


class Disk(Table):
    type: Literal["disk"] = "disk"
    center: Point
    normal: Direction
    radius: Length
    material: Material


class Triangle(Table):
    type: Literal["triangle"] = "triangle"
    a: Point
    b: Point
    c: Point
    material: Material
    relations = (
        Relation(
            ("a", "b", "c"),
            "c",
            lambda a, b, c: sine(np.subtract(b, a), np.subtract(c, a)) >= 1e-9,
            "a, b and c that do not lie on one line",
        ),
    )


class PointLight(Table):
    type: Literal["point"] = "point"
    position: Point
    intensity: Intensity


class DirectionalLight(Table):
    type: Literal["directional"] = "directional"
    direction: Direction  # the way the light travels
    irradiance: Irradiance  # on a surface that faces the light


class AmbientLight(Table):
    type: Literal["ambient"] = "ambient"
    radiance: Radiance


Camera = PerspectiveCamera | OrthographicCamera
Shape = Sphere | Plane | Rectangle | Disk | Triangle
Light = PointLight | DirectionalLight | AmbientLight


class Document(Table):
    """A whole scene file. Shapes and lights are in file order, by name."""

    reflection_depth: Bounces = 4
    camera: Annotated[Camera, Rule("the table [camera]: position, target, fov, width and height")]
    shapes: Annotated[dict[str, Shape], Rule("tables such as [shapes.ball]")] = {}
    lights: Annotated[dict[str, Light], Rule("tables such as [lights.lamp]")] = {}


CAMERAS: dict[str, type[Table]] = {"perspective": PerspectiveCamera, "orthographic": OrthographicCamera}
MATERIALS: dict[str, type[Table]] = {"lambert": Lambert, "blinn_phong": BlinnPhong, "mirror": Mirror}
SHAPES: dict[str, type[Table]] = {
    "sphere": Sphere, "plane": Plane, "rectangle": Rectangle, "disk": Disk, "triangle": Triangle
}  # fmt: skip
LIGHTS: dict[str, type[Table]] = {
    "point": PointLight, "directional": DirectionalLight, "ambient": AmbientLight
}  # fmt: skip


def rule_of(model: type[Table], field: str) -> Rule | None:
    """The rule of a field of a table, if it has one; the field `type` has none."""
    return next((m for m in model.model_fields[field].metadata if isinstance(m, Rule)), None)
