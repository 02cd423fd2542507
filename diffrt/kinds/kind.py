"""What every kind of shape, material, texture, light, background and camera is: fields with their rules, and formulas
of them.

    class Sphere(Shape):
        type = "sphere"
        center = point("the middle")
        radius = extent("from the middle to the surface")

An object of a kind holds the values of its fields. Someone who makes a scene in Python gives them, and a scene checks
them: `Sphere(center=(0, 1, 0), radius=0.5, material=Lambert(albedo=0.8))`. A kernel makes objects whose values are
arrays or Vars for one sample or for many; a formula reads them as `self.center`.
"""

from collections.abc import Mapping
from dataclasses import replace
from inspect import Parameter, Signature
from math import inf
from types import FunctionType
from typing import Any, ClassVar, Self

import numpy as np

from diffrt.autograd import maximum
from diffrt.errors import InputError
from diffrt.kinds.fields import Field, Own, Quantity, Relation, radiance
from diffrt.kinds.values import frozen, same, written
from diffrt.kinds.vectors import length


class Kind:
    """The base of all kinds.

    An object is a value: it never changes, two are equal if their class and all their values are, and it cannot be
    hashed, as it may hold arrays and Vars. What is given for its fields is checked by the scene that it becomes a part
    of, which tells all mistakes at once; arrays are copied.

    type: the name in scene files. fields: by name, in order. parts: the names of what an object holds besides, which
    are objects of kinds themselves. relations: rules between fields. group: what it is a kind of. made_from: of a class
    that is made for one place, what it is made from: first the class that programs make objects of.
    """

    group: ClassVar[str] = ""
    type: ClassVar[str] = ""
    fields: ClassVar[dict[str, Field]] = {}
    parts: ClassVar[tuple[str, ...]] = ()
    relations: ClassVar[tuple[Relation, ...]] = ()
    made_from: ClassVar[tuple[Any, ...]] = ()
    __signature__: ClassVar[Signature]

    def __init_subclass__(cls) -> None:
        for name, value in vars(cls).items():
            # `parts` and the like are no formulas; None stands for __hash__.
            base = next((vars(c)[name] for c in cls.__mro__[1:-1] if name in vars(c)), value)
            if isinstance(value, FunctionType) and not isinstance(base, FunctionType | None):
                what = "is the name of something else; needed: another name for the formula"
                raise InputError(f"{cls.__name__}: {name}: {what}")
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Field)}
        for name in own:
            delattr(cls, name)  # what an object holds under this name is a value
        cls.fields = {**cls.fields, **own}
        cls.__signature__ = _signature(cls)

    def __init__(self, /, *values: Any, **named: Any) -> None:
        """An object with these values: by name, or in the order of the fields.

        Raises InputError for more values than there are, and for a value that is given twice.
        """
        places = (*self.fields, *self.parts)
        what = type(self).__name__
        if len(values) > len(places):
            needed = f"at most {len(places)}: {', '.join(places)}"
            raise InputError(f"{what}: found {len(values)} values without a name, allowed: {needed}")
        given = dict(zip(places, values, strict=False))
        if twice := [name for name in given if name in named]:
            raise InputError(*(f"{what}.{name}: is given twice; give it once" for name in twice))
        self.__dict__.update({name: frozen(value) for name, value in (given | named).items()})

    def __getattr__(self, name: str) -> Any:
        """The default of a field that was not given; else the name is neither a field nor a formula."""
        field = self.fields.get(name)
        if field is not None and field.default is not None:
            return field.default
        raise AttributeError(f"{type(self).__name__} has no {name}; its fields are {', '.join(self.fields)}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a {type(self).__name__} never changes; make another, or another scene by scene.replace")

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        names = {*self.fields, *vars(self), *vars(other)}
        return all(same(getattr(self, name, None), getattr(other, name, None)) for name in names)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """The call that makes it, without what is the default. A rare field is there if it was given: then it is a
        parameter of its own."""
        left_out = {name: field for name, field in self.fields.items() if field.default is not None and not field.rare}
        defaults = {name: written(field.default) for name, field in left_out.items()}
        given = {name: written(value) for name, value in self.given().items()}
        values = ", ".join(f"{name}={text}" for name, text in given.items() if text != defaults.get(name))
        return f"{type(self).__name__}({values})"

    def given(self) -> dict[str, Any]:
        """The values that make it again."""
        return vars(self)

    @classmethod
    def quantities(cls) -> dict[str, Quantity]:
        """The rules of those fields that an image can be differentiated by."""
        return {name: f.rule for name, f in cls.fields.items() if isinstance(f.rule, Quantity)}

    @classmethod
    def numbers(cls) -> dict[str, Quantity]:
        """The rules of those fields whose numbers stand in the tables of the tracer."""
        return cls.quantities()

    @classmethod
    def row_width(cls) -> int:
        """How many numbers an object has in such a table."""
        return sum(int(np.prod(q.shape)) for q in cls.numbers().values())

    @classmethod
    def unpack(cls, row: Any) -> Self:
        """An object from its numbers in order, (row_width or more, ...), or from the values of its fields by name."""
        if isinstance(row, dict):
            return cls.holding(**row)
        values, start = {}, 0
        for name, quantity in cls.numbers().items():
            size = len(quantity.components)
            values[name] = row[start : start + size] if size else row[start]
            start += size or 1
        return cls.holding(**values)

    @classmethod
    def holding(cls, **values: Any) -> Self:
        """An object with exactly these values, whatever they are: a formula's operands are not copied."""
        made = cls.__new__(cls)
        made.__dict__.update(values)
        return made


def _signature(kind: type[Kind]) -> Signature:
    """How an object is made; what comes after a field with a default reads better by its name."""
    parameters: list[Parameter] = []
    place: Any = Parameter.POSITIONAL_OR_KEYWORD
    for name, field in kind.fields.items():
        default = Parameter.empty if field.default is None else field.default
        if field.default is not None:
            place = Parameter.KEYWORD_ONLY
        parameters.append(Parameter(name, place, default=default, annotation=_annotation(field)))
    parameters += [Parameter(name, place, annotation=name.capitalize()) for name in kind.parts]
    return Signature(parameters)


def _annotation(field: Field) -> str:
    """The name of the type of a field's values, of those in `values`."""
    if isinstance(field.rule, Own):
        return "Any" if field.rule.per_texel else "Value"
    if isinstance(field.rule, Quantity):
        return {"": "Scalar", "xyz": "Vec3", "rgb": "Colour"}.get(field.rule.components, "Any")
    checked = getattr(field.check, "__origin__", field.check)  # what is Annotated
    return checked.__name__ if isinstance(checked, type) else "Any"


class Shape(Kind):
    """A surface, made of one face or more. A face is a kind of its own, with these formulas; a shape with one face has
    them itself.

    - side(o): a number that is positive where the point o is on the outer side (outside a ball, in front of a plane),
      negative on the other. Only its sign is used, and it is not differentiated: it is given back to the formulas below
      as `side`, +1 or -1.
    - intersect(o, d, side) -> (t, inside): the distance t along the unit direction d to the point that the ray from o
      meets first, and a continuous function that is positive where the ray meets the face. t is finite and has finite
      derivatives where inside <= 0 too. From either side a ray comes through a face once at most.
    - normal_at(p, side): the unit normal at the point p of the surface, on the side that the ray came from.

    Points and directions are (3, N), the rest is (N,). A face that may have a texture says its coordinates with `uv`.

    faces: the classes of the faces, with the same fields; empty for a shape that is its own face. faces_if: by the name
    of a flag among the fields, those of the faces that are there only if it is true. meets_itself: the sides (of +1,
    -1) that a ray can leave and meet the same face again.

    Where a surface is open and a ray can pass a part of it and meet its other side, as that of a tube, the side follows
    not from where the ray starts. There the two sides are two faces, the outer one first, each with a side of its own
    that is the same everywhere. back: the way from a face to the other side of its surface in the list of faces, +1 or
    -1; 0 for a face that can be met from both sides. A ray that leaves one of the two does not meet the other. convex:
    whether a ray that meets both of them meets the outer one first, as it does where what they enclose is convex.
    goes_around: whether u, and whether v, comes from 1 back to 0 around the face, so that both are one line on it.
    is_ball: whether it is all points at the distance `radius` from `center`, which a start from an image knows to find.
    """

    group = "shapes"
    parts = ("material",)
    faces: ClassVar[tuple[type["Shape"], ...]] = ()
    faces_if: ClassVar[Mapping[str, tuple[type["Shape"], ...]]] = {}
    meets_itself: ClassVar[tuple[float, ...]] = ()
    goes_around: ClassVar[tuple[bool, bool]] = (False, False)
    is_ball: ClassVar[bool] = False
    back: ClassVar[int] = 0
    convex: ClassVar[bool] = False

    @classmethod
    def faces_with(cls, settings: Any) -> tuple[type["Shape"], ...]:
        """The faces of a shape whose table in a scene has these settings."""
        left_out = [faces for flag, faces in cls.faces_if.items() if not getattr(settings, flag)]
        return tuple(face for face in cls.faces or (cls,) if not any(face in faces for faces in left_out))

    def side(self, o: Any) -> Any:
        raise NotImplementedError

    def reach(self, o: Any) -> Any:
        """How large the terms are that side(o) is the sum of, (N,): what is under 1e-12 of it is rounding, and o is on
        the surface. It is not differentiated."""
        raise NotImplementedError

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        raise NotImplementedError

    def margins(self, o: Any, d: Any, side: Any) -> tuple[Any, ...]:
        """The numbers (N,) of which `inside` is the least, one for each border of the face: where two borders meet, the
        face has a corner."""
        return (self.intersect(o, d, side)[1],)

    def normal_at(self, p: Any, side: Any) -> Any:
        raise NotImplementedError

    def again(self, o: Any, d: Any, side: Any) -> Any:
        """`inside` for rays that leave the points o of the face itself, on a side that is among `meets_itself`. It is
        to pass through zero where such a ray grazes the face, and not to touch it."""
        return self.intersect(o, d, side)[1]

    def uv(self, p: Any, side: Any) -> tuple[Any, Any]:
        """The coordinates u and v (N,) of textures at points p of the face: u to the right and v upward as it is seen
        from its front, from 0 to 1 each where the face is bounded, else in scene units. They are smooth along the face,
        but for u or v that go around it. A face without them has no textures."""
        raise NotImplementedError

    @classmethod
    def has_uv(cls) -> bool:
        """Whether every face has coordinates for textures."""
        return all(face.uv is not Shape.uv for face in cls.faces or (cls,))

    # What helps the search; none of it is differentiated.
    def box(self) -> tuple[Any, Any] | None:
        """The least and the largest coordinates, (3, N) each; None if the shape has no end."""
        return None

    def clearance(self, p: Any) -> Any:
        """No more than the distance from points p (3, N) to the surface, (N,): here that to its box."""
        box = self.box()
        if box is None:
            return 0.0 * p[0]
        return length(maximum(maximum(box[0] - p, p - box[1]), 0.0))


END, REFLECT = "end", "reflect"
"""The events of a light path at a surface: it ends there, or goes on in the mirrored direction."""


class Material(Kind):
    """How a surface turns incident light into radiance.

    event: what happens to a light path: END, where the surface scatters light and answers with `brdf` and `ambient`, or
    REFLECT, where the path goes on with the share `reflectance` of its radiance. Surfaces have two equal sides.

    Every material has a field `emission`, the radiance that the surface sends out by itself. It is seen by the camera
    and in mirrors, and lights no other surface.
    """

    group = "materials"
    emission = replace(
        radiance("that the surface sends out by itself, evenly in all directions; it lights no other surface"),
        default=(0.0, 0.0, 0.0), rare=True,
    )  # fmt: skip
    event: ClassVar[str] = END

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        emission = cls.fields.pop("emission")  # what all materials share comes last
        cls.fields["emission"] = emission
        cls.__signature__ = _signature(cls)

    def brdf(self, n: Any, to_eye: Any, to_light: Any) -> Any:
        """Radiance per irradiance (3, N) in 1/sr, for unit directions (3, N) to the eye and to the light."""
        raise NotImplementedError

    def ambient(self, n: Any, to_eye: Any) -> Any:
        """Radiance per radiance that comes evenly from everywhere, (3, N)."""
        raise NotImplementedError

    def at_most(self) -> tuple[Any, Any]:
        """No less than brdf times the cosine between normal and light is anywhere, in 1/sr, and than ambient is: (3, N)
        each, or less. It helps to bound what is seen where nothing is proved; inf says nothing."""
        return inf, inf


class Texture(Kind):
    """Values of a field of a material that differ from place to place.

    It is made for one field: its fields made by `own` and `texels` hold values of that one, in its own rule. From the
    coordinates u and v (N,) of a surface, a texture is one of two things:

    - continuous, with `value(u, v, around) -> (..., N)`, the values of the field. around: whether u, and whether v,
      goes around the shape: then 0 and 1 are the same line, and the values there must be too.
    - with an edge where it jumps (has_edge), with `border(u, v) -> (N,)`, which passes through zero there, and
      `piece(positive)`, the value on the one side and on the other. border uses fields that are not the texture's own
      values, piece only such.

    whole: by the name of a pair of numbers, what each of them must be a multiple of where u or v goes around.
    made_from: of one that is made for a field, the texture, the kind of material, and the name of the field.
    """

    group = "textures"
    has_edge: ClassVar[bool] = False
    whole: ClassVar[Mapping[str, int]] = {}

    def value(self, u: Any, v: Any, around: tuple[bool, bool]) -> Any:
        raise NotImplementedError

    def bounds(self, u: tuple[Any, Any], v: tuple[Any, Any], around: tuple[bool, bool]) -> tuple[Any, Any]:
        """The least and the largest of `value` (..., N) for u and v between two numbers (N,) each, which may be
        infinite."""
        return -inf, inf

    def slopes(self, u: tuple[Any, Any], v: tuple[Any, Any], around: tuple[bool, bool]) -> tuple[Any, Any]:
        """The same of the derivatives of `value` by u, and by v: the least and the largest of each."""
        return (-inf, inf), (-inf, inf)

    def border(self, u: Any, v: Any) -> Any:
        raise NotImplementedError

    def piece(self, positive: bool) -> Any:
        raise NotImplementedError

    @classmethod
    def numbers(cls) -> dict[str, Quantity]:
        """The rules of the numbers that `border` uses: all but the values of the material's field."""
        return {name: rule for name, rule in cls.quantities().items() if not isinstance(rule, Own)}


class Light(Kind):
    """What a point of a surface sees of a light.

    everywhere: whether it comes evenly from all directions and casts no shadow; such a light has a field `radiance`,
    and no formula. bordered: whether there is a border behind which it does not shine at all; it is an edge of the
    image, and the light has the formula `shines`. shown_by_a_ball: the field that the shading of a ball tells,
    "direction" for the way that the light travels, "position" for a point on the way to it; empty if neither.
    """

    group = "lights"
    everywhere: ClassVar[bool] = False
    bordered: ClassVar[bool] = False
    shown_by_a_ball: ClassVar[str] = ""

    def incident(self, p: Any) -> tuple[Any, Any, Any]:
        """The unit direction (3, N) from points p (3, N) to the light, the distance to it (N,), and the irradiance
        (3, N) in W/m^2 on a surface that faces it."""
        raise NotImplementedError

    def origin(self) -> Any:
        """The point (3, N) that all of it comes from; None if there is none. It helps to prove what is in the light."""
        return None

    def at_most(self, distance: Any) -> Any:
        """No less than the irradiance (3, N) of points at this distance (N,) from `origin`, or farther away; of any
        points if the light has none. inf says nothing."""
        return inf

    def shines(self, p: Any) -> Any:
        """A continuous function (N,) of points p (3, N) that is positive where the light shines, and passes through
        zero at its border."""
        raise NotImplementedError


class Background(Kind):
    """What is seen along rays that meet nothing. It lights no surface."""

    group = "backgrounds"

    def seen(self, d: Any) -> Any:
        """The radiance (3, N) that comes along rays of unit directions d (3, N), which point away from the eye."""
        raise NotImplementedError

    def at_most(self) -> Any:
        """No less than what is seen in any direction, (3, N); inf says nothing."""
        return inf


class Camera(Kind):
    """From image coordinates to rays: see `View`, in `cameras`, for the fields that all cameras have.

    crop: the part of the picture that is the image, as x, y, width and height in pixels; empty for all of it.
    """

    group = "cameras"
    crop: Any = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.fields = dict(sorted(cls.fields.items(), key=lambda field: field[1].rare))  # what is rare comes last
        cls.__signature__ = _signature(cls)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image in pixels."""
        return (self.crop[2], self.crop[3]) if self.crop else (self.width, self.height)

    def vectors(self, width: int, height: int) -> Any:
        """The vectors o0, ox, oy, d0, dx, dy as (3, 6), scene units: image coordinates x, y have the ray with the
        origin o0 + x ox + y oy and the direction of d0 + x dx + y dy. width, height: of the whole picture, in pixels.

        With the distortion of a lens two more, (3, 8): the unit vector f along the axis, of which d0 + x dx + y dy - f
        is at a right angle, and (k1, k2, 0); see `cameras/lens.py`."""
        raise NotImplementedError
