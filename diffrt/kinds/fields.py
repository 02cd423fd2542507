"""The fields of a kind: what a number is, in words, which values it may have, in which unit, and its default.

A field's *rule* says in words what is allowed; that text is what a user reads when a value is not. The *quantity* of a
field is the rule of a continuous number or vector, something that an image can be differentiated by: it adds the names
of the components, the natural bounds and the unit. A *flag* is a choice between two, which has no derivative. A
*relation* is a rule between several fields of one kind: a camera must not stand on its target.

Lengths are in scene units, and light is in units that go with them: with a scene in metres, W/sr and W/m^2.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import AfterValidator, BeforeValidator, InstanceOf, Strict
from pydantic import Field as Within

from diffrt.kinds.texels import Texels

SMALLEST = 1e-9
"""Of lengths and angles, and of how far from 180 degrees an angle is. What is smaller is lost to the rounding of
coordinates; and of a field of view of 1e-300 degrees the pixels have no size at all."""


@dataclass(frozen=True)
class Rule:
    """What a field may hold, in words that follow "allowed:".

    in_python: the words for someone who makes a scene in Python, where they are others.
    """

    allowed: str
    in_python: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class Quantity(Rule):
    """The rule of a parameter: a number, or a vector with one letter per component.

    minimum, maximum: natural bounds of each component, which an optimiser can keep to; infinite if none.
    is_direction: whether the length of the vector means nothing. fixed: whether it is a number of the formulas that is
    no parameter: the image is not differentiated by it.
    """

    components: str = ""
    minimum: float = -inf
    maximum: float = inf
    unit: str = ""
    is_direction: bool = False
    fixed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a value."""
        return (len(self.components),) if self.components else ()


@dataclass(frozen=True)
class Own(Quantity):
    """The rule of a field of a texture that holds what the texture stands for: a value of the material's field, or for
    each texel one. It is that of the material's field, which is `own` once the texture is made for one."""

    per_texel: bool = False
    own: "Field | None" = None


@dataclass(frozen=True)
class Relation:
    """A rule between fields: `holds(*values of fields)`; if not, `blamed` is the field that is reported."""

    fields: tuple[str, ...]
    blamed: str
    holds: Callable[..., bool]
    allowed: str


@dataclass(frozen=True)
class Field:
    """A field of a kind.

    words: what it is. rule: what it may hold. check: a type for pydantic that holds values to the rule. default: None
    if a value must be given. rare: whether it is listed and written only where a scene states it.
    """

    words: str
    rule: Rule
    check: Any
    default: Any = None
    rare: bool = False


def sine(a: ArrayLike, b: ArrayLike) -> float:
    """The sine of the angle between two vectors (3,), without sign; 0 if one of them is zero."""
    u, v = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if not (u.any() and v.any()):
        return 0.0
    u, v = u / np.abs(u).max(), v / np.abs(v).max()  # so that no square underflows
    return float(np.linalg.norm(np.cross(u, v)) / (np.linalg.norm(u) * np.linalg.norm(v)))


def apart(a: ArrayLike, b: ArrayLike) -> bool:
    """Whether two points are 1e-9 scene units or more from each other."""
    return float(np.linalg.norm(np.subtract(a, b))) >= 1e-9


def _has_length(direction: tuple[float, ...]) -> tuple[float, ...]:
    if not apart(direction, (0.0, 0.0, 0.0)):
        raise ValueError("a direction without length")  # the rule of the field says it to the user
    return direction


def _gray(colour: Any) -> Any:
    """One number means gray."""
    return (colour,) * 3 if isinstance(colour, int | float) else colour


def _in_order(values: Any) -> Any:
    """A list or a tuple, and nothing else: a set has no order, and a generator can be read once only."""
    if not isinstance(values, list | tuple):
        raise ValueError("no sequence")  # the rule of the field says it to the user
    return values


# Strict: an integer passes for a float, a boolean or a string does not.
_Finite = Annotated[float, Strict(), Within(allow_inf_nan=False)]
_Coordinate = Annotated[_Finite, Within(ge=-1e9, le=1e9)]
_Fraction = Annotated[_Finite, Within(ge=0.0, le=1.0)]
_Strength = Annotated[_Finite, Within(ge=0.0, le=1e12)]
_Positive = Annotated[_Finite, Within(ge=SMALLEST, le=1e9)]
_Vector = Annotated[tuple[_Coordinate, _Coordinate, _Coordinate], BeforeValidator(_in_order)]
_Strengths = Annotated[tuple[_Strength, _Strength, _Strength], BeforeValidator(_in_order), BeforeValidator(_gray)]
_Fractions = Annotated[tuple[_Fraction, _Fraction, _Fraction], BeforeValidator(_in_order), BeforeValidator(_gray)]
_Roughness = Annotated[_Finite, Within(ge=0.01, le=1.0)]
_Index = Annotated[_Finite, Within(ge=0.01, le=100.0)]
_Extinction = Annotated[_Finite, Within(ge=0.0, le=100.0)]
_Pair = Annotated[tuple[_Coordinate, _Coordinate], BeforeValidator(_in_order)]
_Sizes = Annotated[tuple[_Positive, _Positive], BeforeValidator(_in_order)]
_STRENGTHS = "three numbers [r, g, b], or one for gray, each from 0 to 1e12"


def point(words: str, default: Any = None) -> Any:
    """A place in space, (3,) in scene units."""
    rule = Quantity("three numbers [x, y, z], each within -1e9 and 1e9", "xyz", unit="scene units")
    return Field(words, rule, _Vector, default)


def direction(words: str, default: Any = None) -> Any:
    """A vector (3,) whose length means nothing."""
    allowed = "a direction: three numbers [x, y, z], each within -1e9 and 1e9, of length 1e-9 or more"
    rule = Quantity(allowed, "xyz", is_direction=True)
    return Field(words, rule, Annotated[_Vector, AfterValidator(_has_length)], default)


def extent(words: str, default: Any = None) -> Any:
    """A length over 0, in scene units."""
    return Field(words, Quantity("a number from 1e-9 to 1e9", minimum=SMALLEST, unit="scene units"), _Positive, default)


def exponent(words: str, default: Any = None) -> Any:
    """A number over 0 without unit."""
    return Field(words, Quantity("a number from 1e-9 to 1e9", minimum=SMALLEST), _Positive, default)


def angle(words: str, default: Any = None) -> Any:
    """An angle in degrees, between 0 and 180."""
    rule = Quantity("degrees from 1e-9 to 180 - 1e-9", minimum=SMALLEST, maximum=180.0 - SMALLEST, unit="degrees")
    return Field(words, rule, Annotated[_Finite, Within(ge=SMALLEST, le=180.0 - SMALLEST)], default)


def reflectance(words: str, default: Any = None) -> Any:
    """A share of light per colour channel, (3,) from 0 to 1."""
    rule = Quantity("three numbers [r, g, b], or one for gray, each from 0 to 1", "rgb", minimum=0.0, maximum=1.0)
    return Field(words, rule, _Fractions, default)


def roughness(words: str, default: Any = None) -> Any:
    """The width alpha of a GGX distribution of microfacets, without unit: the slope of typical facets, against which a
    highlight is about as many radians wide. 0.01 is nearly a mirror, 1 very rough."""
    rule = Quantity("a number from 0.01 (nearly a mirror) to 1 (very rough)", minimum=0.01, maximum=1.0)
    return Field(words, rule, _Roughness, default)


def refractive_index(words: str, default: Any = None) -> Any:
    """How much slower light is in a transparent substance than outside, a number without unit."""
    rule = Quantity("a number from 1 to 3; 1.5 is glass or lacquer", minimum=1.0, maximum=3.0)
    return Field(words, rule, Annotated[_Finite, Within(ge=1.0, le=3.0)], default)


def metal_index(words: str, default: Any = None) -> Any:
    """The real part of the refractive index of a metal per colour channel, (3,) without unit."""
    allowed = "three numbers [r, g, b], or one for gray, each from 0.01 to 100"
    check = Annotated[tuple[_Index, _Index, _Index], BeforeValidator(_in_order), BeforeValidator(_gray)]
    return Field(words, Quantity(allowed, "rgb", minimum=0.01, maximum=100.0), check, default)


def extinction(words: str, default: Any = None) -> Any:
    """The imaginary part of the refractive index of a metal per colour channel, (3,) without unit."""
    allowed = "three numbers [r, g, b], or one for gray, each from 0 to 100"
    check = Annotated[tuple[_Extinction, _Extinction, _Extinction], BeforeValidator(_in_order), BeforeValidator(_gray)]
    return Field(words, Quantity(allowed, "rgb", minimum=0.0, maximum=100.0), check, default)


def intensity(words: str, default: Any = None) -> Any:
    """Power per solid angle and colour channel, (3,) in W/sr."""
    return Field(words, Quantity(_STRENGTHS, "rgb", minimum=0.0, unit="W/sr"), _Strengths, default)


def irradiance(words: str, default: Any = None) -> Any:
    """Power per area and colour channel, (3,) in W/m^2."""
    return Field(words, Quantity(_STRENGTHS, "rgb", minimum=0.0, unit="W/m^2"), _Strengths, default)


def radiance(words: str, default: Any = None) -> Any:
    """Power per area, solid angle and colour channel, (3,) in W/(m^2 sr)."""
    return Field(words, Quantity(_STRENGTHS, "rgb", minimum=0.0, unit="W/(m^2 sr)"), _Strengths, default)


def flag(words: str, default: bool) -> Any:
    """A choice between two: whether something is so."""
    return Field(words, Rule("true or false"), Annotated[bool, Strict()], default)


def pixels(words: str, default: Any = None) -> Any:
    """A number of pixels."""
    check = Annotated[int, Strict(), Within(ge=1, le=16384)]
    return Field(words, Rule("a whole number from 1 to 16384"), check, default)


def ratio(words: str, default: Any = None) -> Any:
    """A number over 0 without unit, of two lengths that do not differ by much."""
    check = Annotated[_Finite, Within(ge=0.01, le=100.0)]
    return Field(words, Quantity("a number from 0.01 to 100", minimum=0.01, maximum=100.0), check, default, rare=True)


def coefficient(words: str) -> Any:
    """A number without unit, of something that is 0 if it is not stated."""
    check = Annotated[_Finite, Within(ge=-100.0, le=100.0)]
    return Field(words, Quantity("a number from -100 to 100", minimum=-100.0, maximum=100.0), check, 0.0, rare=True)


def offset(words: str) -> Any:
    """Two numbers along x and y of the image, (2,), of something that is (0, 0) if it is not stated."""
    number = Annotated[_Finite, Within(ge=-10.0, le=10.0)]
    check = Annotated[tuple[number, number], BeforeValidator(_in_order)]
    rule = Quantity("two numbers [x, y], each within -10 and 10", "xy", minimum=-10.0, maximum=10.0,
                    unit="heights of the picture")  # fmt: skip
    return Field(words, rule, check, (0.0, 0.0), rare=True)


def part_of_picture(words: str) -> Any:
    """A rectangle of pixels: x and y of its top left corner, width and height; () for the whole picture."""
    allowed = "four whole numbers [x, y, width, height], x and y from 0, width and height from 1 to 16384"
    return Field(words, Rule(allowed), Annotated[Any, AfterValidator(_rectangle)], (), rare=True)


def _rectangle(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError("no sequence")
    if not value:
        return ()
    whole = len(value) == 4 and all(isinstance(n, int) and not isinstance(n, bool) for n in value)
    if not whole or min(value[:2]) < 0 or min(value[2:]) < 1 or max(value) > 16384:
        raise ValueError("no rectangle")
    return tuple(value)


def pair(words: str, default: Any = None) -> Any:
    """Two numbers along the texture coordinates u and v, (2,)."""
    return Field(words, Quantity("two numbers [u, v], each within -1e9 and 1e9", "uv"), _Pair, default)


def counts(words: str, default: Any = None) -> Any:
    """Two numbers over 0 along the texture coordinates u and v, (2,), which are no parameters: where u goes around a
    shape only some of them fit."""
    rule = Quantity("two numbers [u, v], each from 1e-9 to 1e9", "uv", minimum=SMALLEST, fixed=True)
    return Field(words, rule, _Sizes, default)


def own(words: str) -> Any:
    """In a texture: a value of the field of the material that the texture stands for."""
    return Field(words, Own("a value of the field"), Any)


def texels(words: str) -> Any:
    """In a texture: values of the field that the texture stands for, row by row from the top, (height, width, ...)."""
    allowed = 'rows of values of the field, from the top, all of the same length; or a file of them, as file = "..."'
    python = 'rows of values of the field, or an array (height, width, ...) of them; or a file of them, as file="..."'
    return Field(words, Own(allowed, in_python=python, per_texel=True), InstanceOf[Texels])


def picture_file(words: str) -> Any:
    """The name of an image file, from the folder of the scene file; "" for none."""
    allowed = 'the name of an image file in quotes, such as "wood.png", seen from the folder of the scene file'
    return Field(words, Rule(allowed), Annotated[str, Strict()], "")


def one_of(words: str, names: tuple[str, ...], default: str) -> Any:
    """One of a few words."""
    allowed = ", ".join(f'"{name}"' for name in names if name)
    return Field(words, Rule(f"one of {allowed}"), Literal[names], default)
