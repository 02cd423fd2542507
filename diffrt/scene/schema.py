"""What may stand in a scene file: one table for each kind, made from its fields.

The table of a shape has one field more, its material, which is a table itself. A field of a material may hold a table
too, of a texture. Kinds that are registered later are
found too: a table is made when a kind is first met.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, Strict, create_model

from diffrt.kinds import CAMERAS, LIGHTS, MATERIALS, SHAPES, Kind, Relation, Rule, texture_for, textures_of


class Checked(BaseModel):
    """What is checked field by field, and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    relations: ClassVar[tuple[Relation, ...]] = ()


class Table(Checked):
    """A table of a scene file, of which `kind` is the kind. Its fields are those of the kind."""

    kind: ClassVar[type[Kind]]

    def __reduce__(self) -> Any:
        """The classes of tables are made, so that what is pickled is the kind."""
        made_from = getattr(self.kind, "made_from", None) or (self.kind,)
        return _restore, (made_from, dict(self), self.model_fields_set)


_MADE: dict[type[Kind], type[Table]] = {}


def table_of(kind: type[Kind]) -> type[Table]:
    """The table of a kind."""
    if kind not in _MADE:
        _MADE[kind] = _make(kind)
    return _MADE[kind]


def _make(kind: type[Kind]) -> type[Table]:
    fields: dict[str, Any] = {"type": (Literal[kind.type], kind.type)}
    for name, field in kind.fields.items():
        check = SerializeAsAny[Table] | field.check if textures_of(kind, name) else field.check
        fields[name] = Annotated[check, field.rule], ... if field.default is None else field.default
    if kind.group == "shapes":
        fields["material"] = Annotated[SerializeAsAny[Table], Rule(f"a table such as {_example()}")], ...
    made: type[Table] = create_model(kind.__name__, __base__=Table, __module__=__name__, **fields)
    made.kind, made.relations = kind, kind.relations
    return made


def _restore(made_from: tuple[Any, ...], values: dict[str, Any], given: set[str]) -> Table:
    kind = texture_for(*made_from) if len(made_from) > 1 else made_from[0]
    return table_of(kind).model_construct(given, **values)


def textures_in(material: Table | None) -> dict[str, Table]:
    """The tables of textures in that of a material, by field."""
    return {name: value for name, value in material or () if isinstance(value, Table)}


def tables_of(kinds: Mapping[str, type[Kind]]) -> dict[str, type[Table]]:
    """The tables of several kinds, by type."""
    return {name: table_of(kind) for name, kind in kinds.items()}


def _example() -> str:
    """The first material, as it stands in a scene file."""
    name, kind = next(iter(MATERIALS.items()))
    values = ", ".join(f"{field} = [0.6, 0.6, 0.6]" for field in kind.quantities())
    return f'{{ type = "{name}", {values} }}'


_Bounces = Annotated[int, Strict(), Field(ge=0, le=8), Rule("a whole number from 0 to 8")]


class Document(Checked):
    """A whole scene file. Shapes and lights are in file order, by name."""

    reflection_depth: _Bounces = 4
    camera: Annotated[SerializeAsAny[Table], Rule("the table [camera]: position, target, fov, width and height")]
    shapes: Annotated[dict[str, SerializeAsAny[Table]], Rule("tables such as [shapes.ball]")] = {}
    lights: Annotated[dict[str, SerializeAsAny[Table]], Rule("tables such as [lights.lamp]")] = {}


def rule_of(model: type[Checked], field: str) -> Rule | None:
    """The rule of a field of a table, if it has one; the field `type` has none."""
    return next((m for m in model.model_fields[field].metadata if isinstance(m, Rule)), None)


__all__ = ["CAMERAS", "LIGHTS", "MATERIALS", "SHAPES", "Document", "Table", "rule_of", "table_of",
           "tables_of", "textures_in"]  # fmt: skip
