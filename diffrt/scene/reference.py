"""The reference of scene files, made from the classes of the kinds: what may stand where, and what it means."""

import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic.fields import FieldInfo

from diffrt.kinds import GROUPS, Kind, Quantity, Rule
from diffrt.scene.schema import Document, table_of


@dataclass(frozen=True)
class FieldEntry:
    """A field: what it is in words, what it may hold, its unit, the names of its numbers, whether it must be given, its
    default, and whether an image can be differentiated by it."""

    name: str
    words: str
    allowed: str
    unit: str = ""
    components: str = ""
    required: bool = False
    default: Any = None
    parameter: bool = False


@dataclass(frozen=True)
class KindEntry:
    """A kind: its type, what it is in words, its fields, rules between them, the name of its class, and the formulas of
    its module in words."""

    type: str
    words: str
    fields: tuple[FieldEntry, ...]
    rules: tuple[str, ...] = ()
    class_name: str = ""
    formulas: str = ""


@dataclass(frozen=True)
class GroupEntry:
    """A group of kinds, and where tables of it stand in a file."""

    name: str
    place: str
    kinds: tuple[KindEntry, ...]

    def only(self, names: Collection[str]) -> "GroupEntry":
        """The kinds that are named, all of them if the group is."""
        if self.name in names:
            return self
        return replace(self, kinds=tuple(kind for kind in self.kinds if kind.type in names))


_PLACES = {
    "cameras": f"the table [camera], whose type is {next(iter(GROUPS['cameras']))} if none is given",
    "shapes": "tables such as [shapes.ball], each with a type and a material",
    "materials": "the material of a shape, a table with a type",
    "textures": "in place of a value of a material, a table with a type",
    "lights": "tables such as [lights.lamp], each with a type",
    "backgrounds": "the table [background], what rays see that meet nothing, whose type is "
    f"{next(iter(GROUPS['backgrounds']))} if none is given; without the table that is black",
}


def reference() -> tuple[GroupEntry, ...]:
    """What may stand in a scene file: the top of the file, then every group of kinds."""
    tables = ("camera", "background", *GROUPS)
    top = [_entry(name, info, "") for name, info in Document.model_fields.items() if name not in tables]
    file = GroupEntry("file", "at the top of the file, before any table", (KindEntry("", "A scene.", tuple(top)),))
    groups = [GroupEntry(name, place, tuple(map(_kind, GROUPS[name].values()))) for name, place in _PLACES.items()]
    return (file, *groups)


def reference_text(groups: Sequence[GroupEntry]) -> str:
    """Groups for a terminal."""
    lines = []
    for group in groups:
        lines += [f"{group.name}: {group.place}", ""]
        for kind in group.kinds:
            lines.append(f'  type = "{kind.type}"  {kind.words}' if kind.type else f"  {kind.words}")
            width = max((len(each.name) for each in kind.fields), default=0)
            for each in kind.fields:
                told = [each.allowed, f"in {each.unit}" if each.unit and each.unit not in each.allowed else ""]
                told.append("" if each.required else f"{json.dumps(each.default, default=str)} if left out")
                lines.append(f"    {each.name:<{width}}  {each.words}".rstrip())
                lines.append(f"    {'':<{width}}    {'; '.join(filter(None, told))}")
            lines += [f"    rule for {rule}" for rule in kind.rules] + [""]
    return "\n".join(lines).rstrip()


def _kind(kind: type[Kind]) -> KindEntry:
    table = table_of(kind)
    fields = [
        _entry(name, info, kind.fields[name].words if name in kind.fields else "")
        for name, info in table.model_fields.items()
        if name != "type"
    ]
    words = (kind.__doc__ or "").strip().split("\n\n")[0]
    rules = [f"{relation.blamed}: {relation.allowed}" for relation in kind.relations]
    formulas = sys.modules[kind.__module__].__doc__ or ""
    return KindEntry(kind.type, " ".join(words.split()), tuple(fields), tuple(rules), kind.__name__, formulas)


def _entry(name: str, info: FieldInfo, words: str) -> FieldEntry:
    """A field of a table. words: what it is; what its own description says if empty."""
    rule = next((each for each in info.metadata if isinstance(each, Rule)), Rule(""))
    words, default = words or info.description or "", None if info.is_required() else info.default
    if not isinstance(rule, Quantity) or rule.fixed:
        return FieldEntry(name, words, rule.allowed, required=info.is_required(), default=default)
    return FieldEntry(name, words, rule.allowed, rule.unit, rule.components, info.is_required(), default, True)
