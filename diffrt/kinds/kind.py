"""What every kind of shape, material, texture, light and camera is: fields with their rules, and formulas of them.

    class Sphere(Shape):
        type = "sphere"
        center = point("the middle")
        radius = extent("from the middle to the surface")

An object of a kind holds the values of its fields, arrays or Vars, for one sample or for many; a formula reads them as
`self.center`. Fields are given in the order of the class.
"""

from typing import Any, ClassVar, Self

import numpy as np

from diffrt.kinds.fields import Field, Own, Quantity, Relation


class Kind:
    """The base of all kinds.

    type: the name in scene files. fields: by name, in order. relations: rules between them. group: what it is a kind
    of.
    """

    group: ClassVar[str] = ""
    type: ClassVar[str] = ""
    fields: ClassVar[dict[str, Field]] = {}
    relations: ClassVar[tuple[Relation, ...]] = ()

    def __init_subclass__(cls) -> None:
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Field)}
        for name in own:
            delattr(cls, name)  # what an object holds under this name is a value
        cls.fields = {**cls.fields, **own}

    def __init__(self, *values: Any, **named: Any) -> None:
        """An object with these values, in the order of the fields or by name."""
        self.__dict__.update(zip(self.fields, values, strict=False), **named)

    def __getattr__(self, name: str) -> Any:
        """Only for a name that is neither a field nor a formula."""
        raise AttributeError(f"{type(self).__name__} has no {name}; its fields are {', '.join(self.fields)}")

    @classmethod
    def quantities(cls) -> dict[str, Quantity]:
        """The rules of those fields that an image can be differentiated by."""
        return {name: f.rule for name, f in cls.fields.items() if isinstance(f.rule, Quantity)}

    @classmethod
    def numbers(cls) -> dict[str, Quantity]:
        """The rules of those fields whose numbers stand in the tables of the tracer."""
        return cls.quantities()

    @classmethod
    def width(cls) -> int:
        """How many numbers an object has in a table."""
        return sum(int(np.prod(q.shape)) for q in cls.numbers().values())

    @classmethod
    def unpack(cls, row: Any) -> Self:
        """An object from its numbers in order, (width or more, ...), or from the object of a kind with the same
        fields."""
        if isinstance(row, Kind):
            return cls(**vars(row))
        values, start = {}, 0
        for name, quantity in cls.numbers().items():
            size = len(quantity.components)
            values[name] = row[start : start + size] if size else row[start]
            start += size or 1
        return cls(**values)


class Shape(Kind):
    """A surface, made of one face or more. A face is a kind of its own, with these formulas; a shape with one face has
    them itself.

    - side(o): a number that is positive where the point o is on the outer side (outside a ball, in front of a plane),
      negative on the other. Only its sign is used, and it is not differentiated: it is given back to the formulas below
      as `side`, +1 or -1.
    - intersect(o, d, side) -> (t, inside): the distance t along the unit direction d to the point that the ray from o
      meets first, and a continuous function that is positive where the ray meets the face. t is finite and has finite
      derivatives where inside <= 0 too.
    - normal_at(p, side): the unit normal at the point p of the surface, on the side that the ray came from.

    Points and directions are (3, N), the rest is (N,). A face that may have a texture says its coordinates with `uv`.

    faces: the classes of the faces, with the same fields; empty for a shape that is its own face. meets_itself: the
    sides (of +1, -1) that a ray can leave and meet the same face again. goes_around: whether u, and whether v, comes
    from 1 back to 0 around the face, so that both are one line on it.
    """

    group = "shapes"
    faces: ClassVar[tuple[type["Shape"], ...]] = ()
    meets_itself: ClassVar[tuple[float, ...]] = ()
    goes_around: ClassVar[tuple[bool, bool]] = (False, False)

    def side(self, o: Any) -> Any:
        raise NotImplementedError

    def reach(self, o: Any) -> Any:
        """How large the terms are that side(o) is the sum of, (N,): what is under 1e-12 of it is rounding, and o is on
        the surface. It is not differentiated."""
        raise NotImplementedError

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        raise NotImplementedError

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

    def middle(self) -> Any:
        """A point around which a circle fits into the shape as it is seen, (3, N); None if it is never small."""
        return None

    def breadth(self, d: Any) -> Any:
        """The radius (N,) of the largest such circle, as seen along the unit direction d."""
        raise NotImplementedError

    def vertices(self) -> tuple[Any, ...]:
        """Its corners, (3, N) each."""
        return ()


END, REFLECT = "end", "reflect"
"""The events of a light path at a surface: it ends there, or goes on in the mirrored direction."""


class Material(Kind):
    """How a surface turns incident light into radiance.

    event: what happens to a light path: END, where the surface scatters light and answers with `brdf` and `ambient`, or
    REFLECT, where the path goes on with the share `reflectance` of its radiance. Surfaces have two equal sides.
    """

    group = "materials"
    event: ClassVar[str] = END

    def brdf(self, n: Any, to_eye: Any, to_light: Any) -> Any:
        """Radiance per irradiance (3, N) in 1/sr, for unit directions (3, N) to the eye and to the light."""
        raise NotImplementedError

    def ambient(self, n: Any, to_eye: Any) -> Any:
        """Radiance per radiance that comes evenly from everywhere, (3, N)."""
        raise NotImplementedError


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
    made_from: of one that is made for a field, the texture, the kind of material and the name of the field.
    """

    group = "textures"
    made_from: ClassVar[tuple[Any, Any, str] | None] = None
    has_edge: ClassVar[bool] = False
    whole: ClassVar[dict[str, int]] = {}

    def value(self, u: Any, v: Any, around: tuple[bool, bool]) -> Any:
        raise NotImplementedError

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
    and no formula.
    """

    group = "lights"
    everywhere: ClassVar[bool] = False

    def incident(self, p: Any) -> tuple[Any, Any, Any]:
        """The unit direction (3, N) from points p (3, N) to the light, the distance to it (N,), and the irradiance
        (3, N) in W/m^2 on a surface that faces it."""
        raise NotImplementedError


class Camera(Kind):
    """From image coordinates to rays: see `View`, in `cameras`, for the fields that all cameras have."""

    group = "cameras"

    def vectors(self, width: int, height: int) -> Any:
        """The vectors o0, ox, oy, d0, dx, dy as (3, 6), scene units: image coordinates x, y have the ray with the
        origin o0 + x ox + y oy and the direction of d0 + x dx + y dy."""
        raise NotImplementedError
