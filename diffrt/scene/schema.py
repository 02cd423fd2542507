"""What may stand in a scene file: one table for each kind, made from its fields.

The table of a shape has one field more, its material, which is a table itself. A field of a material may hold a table
too, of a texture. Kinds that are registered later are found too: a table is made when a kind is first met.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, Strict, create_model

from diffrt.kinds import MATERIALS, Kind, Relation, Rule, kinds_in, texture_for


class Checked(BaseModel):
    """What is checked field by field, and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    relations: ClassVar[tuple[Relation, ...]] = ()


class Table(Checked):
    """A table of a scene file, of which `kind` is the kind. Its fields are those of the kind."""

    kind: ClassVar[type[Kind]]

    @property
    def unstated(self) -> set[str]:
        """The rare fields that the scene does not state."""
        return {name for name, field in self.kind.fields.items() if field.rare} - self.model_fields_set

    def stated(self) -> dict[str, Any]:
        """The fields as plain values, without those."""
        fields = {name: value for name, value in self if name not in self.unstated}
        return {name: value.stated() if isinstance(value, Table) else value for name, value in fields.items()}

    def __reduce__(self) -> Any:
        """The classes of tables are made, so that what is pickled is the kind."""
        return _restore, (self.kind.made_from or (self.kind,), dict(self), self.model_fields_set)


_MADE: dict[type[Kind], type[Table]] = {}


def table_of(kind: type[Kind]) -> type[Table]:
    """The table of a kind."""
    if kind not in _MADE:
        _MADE[kind] = _make(kind)
    return _MADE[kind]


def _make(kind: type[Kind]) -> type[Table]:
    fields: dict[str, Any] = {"type": (Literal[kind.type], kind.type)}
    for name, field in kind.fields.items():
        check = SerializeAsAny[Table] | field.check if kinds_in(kind, name) else field.check
        fields[name] = Annotated[check, field.rule], ... if field.default is None else field.default
    if kind.group == "shapes":
        words = Field(description="what its surface is")
        fields["material"] = Annotated[SerializeAsAny[Table], words, _example()], ...
    made: type[Table] = create_model(kind.__name__, __base__=Table, __module__=__name__, **fields)
    made.kind, made.relations = kind, kind.relations
    return made


def _restore(made_from: tuple[Any, ...], values: dict[str, Any], given: set[str]) -> Table:
    kind = texture_for(*made_from) if len(made_from) > 1 else made_from[0]
    return table_of(kind).model_construct(given, **values)


def textures_in(material: Table | None) -> dict[str, Table]:
    """The tables of textures in that of a material, by field."""
    values = vars(material) if material else {}  # which is faster than going through a model
    return {name: value for name, value in values.items() if isinstance(value, Table)}


def _example() -> Rule:
    """The first material, as it stands in a scene file, and as a program makes it."""
    name, kind = next(iter(MATERIALS.items()))
    needed = (field for field in kind.quantities() if kind.fields[field].default is None)
    values = ", ".join(f"{field} = [0.6, 0.6, 0.6]" for field in needed)
    return Rule(
        f'a table such as {{ type = "{name}", {values} }}',
        in_python=f"a material such as {kind.__name__}({values.replace(' = ', '=')})",
    )


_Bounces = Annotated[
    int, Strict(), Field(ge=0, le=8, description="the most mirrors that a light path meets"),
    Rule("a whole number from 0 to 8"),
]  # fmt: skip


class Document(Checked):
    """A whole scene file. Shapes and lights are in file order, by name. Without a background it is black."""

    reflection_depth: _Bounces = 4
    camera: Annotated[
        SerializeAsAny[Table],
        Rule(
            "the table [camera]: position, target, fov, width and height",
            in_python="a camera such as Perspective(position, target, fov=45, width=64, height=48)",
        ),
    ]
    background: Annotated[
        SerializeAsAny[Table] | None,
        Rule(
            "the table [background]: radiance for one colour",
            in_python="a background such as ConstantBackground(radiance=0.5)",
        ),
    ] = None
    shapes: Annotated[
        dict[str, SerializeAsAny[Table]],
        Rule("tables such as [shapes.ball]", in_python='shapes by name, such as {"ball": Sphere(...)}'),
    ] = {}
    lights: Annotated[
        dict[str, SerializeAsAny[Table]],
        Rule("tables such as [lights.lamp]", in_python='lights by name, such as {"lamp": PointLight(...)}'),
    ] = {}


def rule_of(model: type[Checked], field: str) -> Rule | None:
    """The rule of a field of a table, if it has one; the field `type` has none, and neither has an unknown one."""
    known = model.model_fields.get(field)
    return next((m for m in known.metadata if isinstance(m, Rule)), None) if known else None
