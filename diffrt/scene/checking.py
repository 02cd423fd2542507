"""From plain tables to checked ones, with all mistakes named at once.

Each table is checked on its own: its `type` chooses the class of the schema, the class checks the fields one
by one, and the relations whose fields are sound are checked after that even if other fields are not. Every
function returns the checked table, or None, and the problems as lines that begin with the path of the field.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from diffrt.errors import MOST_PROBLEMS, did_you_mean, shown
from diffrt.kinds import BACKGROUNDS, CAMERAS, LIGHTS, MATERIALS, SHAPES, Kind
from diffrt.scene.schema import Checked, Document, Table, rule_of, table_of

Problems = list[str]


def check_document(data: Mapping[str, Any]) -> tuple[Document | None, Problems]:
    """Check a whole scene file.

    data: the tables as TOML gives them. Returns the document, or None with one line per mistake.
    """
    parts: dict[str, Any] = {}
    problems: Problems = []
    if "camera" in data:
        parts["camera"], problems = check_camera("camera", data["camera"])
    if "background" in data:
        parts["background"], faults = check_kind("background", data["background"], BACKGROUNDS, next(iter(BACKGROUNDS)))
        problems += faults
    groups: tuple[tuple[str, Mapping[str, type[Kind]]], ...] = (("shapes", SHAPES), ("lights", LIGHTS))
    for group, kinds in groups:
        if isinstance(data.get(group), dict):
            parts[group], faults = _check_group(group, data[group], kinds)
            problems += faults
    problems += _shared_names(data)
    broken = {group for group, table in parts.items() if table is None}
    document, faults = _check_fields("", {**data, **parts}, Document, broken)
    problems = faults + problems
    return (None, problems) if problems else (document, [])


def check_camera(path: str, data: Any) -> tuple[Any, Problems]:
    """Check the table of a camera, which is of the first kind if it names none."""
    return check_kind(path, data, CAMERAS, next(iter(CAMERAS)))


def check_kind(
    path: str, data: Any, kinds: Mapping[str, type[Kind]], default: str | None = None
) -> tuple[Any, Problems]:
    """Check one table that is of one of several kinds.

    path: where it stands, such as "shapes.ball". data: the plain table. kinds: the class for each `type`.
    default: the type if the table names none. Returns the table, or None, and the problems.
    """
    if not isinstance(data, dict):
        example = next(iter(kinds))
        return None, [f'{path}: found {shown(data)}, allowed: a table, with type = "{example}" for instance']
    kind = data.get("type", default)
    if kind is None:
        return None, [f"{path}.type: missing; needed: one of {_quoted(kinds)}"]
    if not isinstance(kind, str) or kind not in kinds:
        hint = did_you_mean(kind, kinds) if isinstance(kind, str) else ""
        hint = f"; {hint}" if hint.startswith("did") else ""
        return None, [f"{path}.type: found {shown(kind)}, allowed: one of {_quoted(kinds)}{hint}"]
    model = table_of(kinds[kind])
    if "material" not in model.model_fields or "material" not in data:
        return _check_fields(path, data, model, set())
    material, problems = check_kind(f"{path}.material", data["material"], MATERIALS)
    broken = {"material"} if material is None else set()
    table, faults = _check_fields(path, {**data, "material": material}, model, broken)
    return table, faults + problems


def _check_fields(path: str, data: Mapping[str, Any], model: type[Checked], broken: set[str]) -> tuple[Any, Problems]:
    """Check the fields of a table and their relations; `broken` are fields reported already."""
    table, faulty = None, set(broken)
    try:
        table = model.model_validate(data)
    except ValidationError as error:
        faulty |= {str(fault["loc"][0]) for fault in error.errors(include_url=False, include_input=False)}
    fields = [*model.model_fields, *sorted(faulty.difference(model.model_fields))]  # in the schema's order
    untold = faulty - broken
    told = [field for field in fields if field in untold][: MOST_PROBLEMS + 1]  # of a million wrong keys
    problems = [_fault(path, data, model, field) for field in told]
    for relation in model.relations:
        if faulty.isdisjoint(relation.fields):
            values = {name: data.get(name, model.model_fields[name].default) for name in relation.fields}
            if not relation.holds(*values.values()):
                found = shown(values[relation.blamed]) + ("" if relation.blamed in data else " by default")
                problems.append(f"{_join(path, relation.blamed)}: found {found}, allowed: {relation.allowed}")
    return (None if problems else table), problems


def _fault(path: str, data: Mapping[str, Any], model: type[Checked], field: str) -> str:
    place = _join(path, field)
    if field not in model.model_fields:
        return f"{place}: unknown key; {did_you_mean(field, model.model_fields)}"
    rule = rule_of(model, field)
    allowed = rule.allowed if rule else "nothing else"
    if field not in data:
        return f"{place}: missing; needed: {allowed}"
    return f"{place}: found {shown(data[field])}, allowed: {allowed}"


def _check_group(
    group: str, data: dict[str, Any], kinds: Mapping[str, type[Kind]]
) -> tuple[dict[str, Table] | None, Problems]:
    """Check the named tables of `shapes` or `lights`."""
    tables: dict[str, Table] = {}
    problems: Problems = []
    for name, entry in data.items():
        path = _join(group, name)
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            problems.append(f"{path}: found the name {shown(name)}, allowed: a letter or _, then letters, digits or _")
        if name == "camera":
            problems.append(f'{path}: found the name "camera", allowed: another name; this one means the camera')
        tables[name], faults = check_kind(path, entry, kinds)
        problems += faults
        if len(problems) > MOST_PROBLEMS:
            break
    return (None if problems else tables), problems


def _shared_names(data: Mapping[str, Any]) -> Problems:
    """Shapes, lights and the background share one space of names, since parameters are found by name alone."""
    shapes, lights = data.get("shapes"), data.get("lights")
    taken = [
        f'{group}.background: found the name "background", allowed: another name; this one means the table [background]'
        for group, tables in (("shapes", shapes), ("lights", lights))
        if "background" in data and isinstance(tables, dict) and "background" in tables
    ]
    if not (isinstance(shapes, dict) and isinstance(lights, dict)):
        return taken
    return taken + [
        f"{_join('lights', name)}: found the name of a shape, allowed: a name that no shape has"
        for name in lights
        if name in shapes
    ]


def _join(path: str, key: str) -> str:
    key = key if re.fullmatch(r"[\w-]{1,60}", key, re.ASCII) else shown(key)
    return f"{path}.{key}" if path else key


def _quoted(names: Mapping[str, Any]) -> str:
    return ", ".join(f'"{name}"' for name in names)
