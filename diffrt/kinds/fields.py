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
_FINITE = Annotated[float, Strict(), Within(allow_inf_nan=False)]

_FAR = 1e9
"""A bound that only keeps numbers within what can be computed with, and is none of the quantity itself."""


def _quantity(
    words: str, allowed: str, low: float, high: float, components: str = "", default: Any = None, rare: bool = False,
    **about: Any,
) -> Any:  # fmt: skip
    """A number, or one for each component, from low to high. about: more of the rule; see `Quantity`."""
    check: Any = Annotated[_FINITE, Within(ge=low, le=high)]
    if components:
        check = Annotated[tuple.__class_getitem__((check,) * len(components)), BeforeValidator(_in_order)]
    if components == "rgb":
        check = Annotated[check, BeforeValidator(_gray)]
    if about.get("is_direction"):
        check = Annotated[check, AfterValidator(_has_length)]
    minimum, maximum = low if low > -_FAR else -inf, high if high < _FAR else inf
    return Field(words, Quantity(allowed, components, minimum, maximum, **about), check, default, rare)


def point(words: str, default: Any = None) -> Any:
    """A place in space, (3,) in scene units."""
    allowed = "three numbers [x, y, z], each within -1e9 and 1e9"
    return _quantity(words, allowed, -1e9, 1e9, "xyz", default, unit="scene units")


def direction(words: str, default: Any = None) -> Any:
    """A vector (3,) whose length means nothing."""
    allowed = "a direction: three numbers [x, y, z], each within -1e9 and 1e9, of length 1e-9 or more"
    return _quantity(words, allowed, -1e9, 1e9, "xyz", default, is_direction=True)


def extent(words: str, default: Any = None) -> Any:
    """A length over 0, in scene units."""
    return _quantity(words, "a number from 1e-9 to 1e9", SMALLEST, 1e9, default=default, unit="scene units")


def exponent(words: str, default: Any = None) -> Any:
    """A number over 0 without unit."""
    return _quantity(words, "a number from 1e-9 to 1e9", SMALLEST, 1e9, default=default)


def angle(words: str, default: Any = None) -> Any:
    """An angle in degrees, between 0 and 180."""
    allowed = "degrees from 1e-9 to 180 - 1e-9"
    return _quantity(words, allowed, SMALLEST, 180.0 - SMALLEST, default=default, unit="degrees")


def reflectance(words: str, default: Any = None) -> Any:
    """A share of light per colour channel, (3,) from 0 to 1."""
    return _colour(words, default, 0.0, 1.0)


def roughness(words: str, default: Any = None) -> Any:
    """The width alpha of a GGX distribution of microfacets, without unit: the slope of typical facets, against which a
    highlight is about as many radians wide. 0.01 is nearly a mirror, 1 very rough."""
    return _quantity(words, "a number from 0.01 (nearly a mirror) to 1 (very rough)", 0.01, 1.0, default=default)


def refractive_index(words: str, default: Any = None) -> Any:
    """How much slower light is in a transparent substance than outside, a number without unit."""
    return _quantity(words, "a number from 1 to 3; 1.5 is glass or lacquer", 1.0, 3.0, default=default)


def metal_index(words: str, default: Any = None) -> Any:
    """The real part of the refractive index of a metal per colour channel, (3,) without unit."""
    return _colour(words, default, 0.01, 100.0)


def extinction(words: str, default: Any = None) -> Any:
    """The imaginary part of the refractive index of a metal per colour channel, (3,) without unit."""
    return _colour(words, default, 0.0, 100.0)


def intensity(words: str, default: Any = None) -> Any:
    """Power per solid angle and colour channel, (3,) in W/sr."""
    return _colour(words, default, 0.0, 1e12, unit="W/sr")


def irradiance(words: str, default: Any = None) -> Any:
    """Power per area and colour channel, (3,) in W/m^2."""
    return _colour(words, default, 0.0, 1e12, unit="W/m^2")


def radiance(words: str, default: Any = None) -> Any:
    """Power per area, solid angle and colour channel, (3,) in W/(m^2 sr)."""
    return _colour(words, default, 0.0, 1e12, unit="W/(m^2 sr)")


def _colour(words: str, default: Any, low: float, high: float, **about: Any) -> Any:
    allowed = f"three numbers [r, g, b], or one for gray, each from {low:g} to {high:g}".replace("e+", "e")
    return _quantity(words, allowed, low, high, "rgb", default, **about)


def flag(words: str, default: bool) -> Any:
    """A choice between two: whether something is so."""
    return Field(words, Rule("true or false"), Annotated[bool, Strict()], default)


def pixels(words: str, default: Any = None) -> Any:
    """A number of pixels."""
    check = Annotated[int, Strict(), Within(ge=1, le=16384)]
    return Field(words, Rule("a whole number from 1 to 16384"), check, default)


def ratio(words: str, default: Any = None) -> Any:
    """A number over 0 without unit, of two lengths that do not differ by much."""
    return _quantity(words, "a number from 0.01 to 100", 0.01, 100.0, default=default, rare=True)


def coefficient(words: str) -> Any:
    """A number without unit, of something that is 0 if it is not stated."""
    return _quantity(words, "a number from -100 to 100", -100.0, 100.0, default=0.0, rare=True)


def offset(words: str) -> Any:
    """Two numbers along x and y of the image, (2,), of something that is (0, 0) if it is not stated."""
    allowed, unit = "two numbers [x, y], each within -10 and 10", "heights of the picture"
    return _quantity(words, allowed, -10.0, 10.0, "xy", (0.0, 0.0), rare=True, unit=unit)


def part_of_picture(words: str) -> Any:
    """A rectangle of pixels: x and y of its top left corner, width and height; () for the whole picture."""
    allowed = "four whole numbers [x, y, width, height], x and y from 0, width and height from 1 to 16384"
    return Field(
        words, Rule(allowed), Annotated[Any, BeforeValidator(_in_order), AfterValidator(_rectangle)], (), rare=True
    )


def _rectangle(value: Any) -> tuple[int, ...]:
    if not value:
        return ()
    whole = len(value) == 4 and all(isinstance(n, int) and not isinstance(n, bool) for n in value)
    if not whole or min(value[:2]) < 0 or min(value[2:]) < 1 or max(value) > 16384:
        raise ValueError("no rectangle")
    return tuple(value)


def pair(words: str, default: Any = None) -> Any:
    """Two numbers along the texture coordinates u and v, (2,)."""
    return _quantity(words, "two numbers [u, v], each within -1e9 and 1e9", -1e9, 1e9, "uv", default)


def counts(words: str, default: Any = None) -> Any:
    """Two numbers over 0 along the texture coordinates u and v, (2,), which are no parameters: where u goes around a
    shape only some of them fit."""
    return _quantity(words, "two numbers [u, v], each from 1e-9 to 1e9", SMALLEST, 1e9, "uv", default, fixed=True)


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
