"""From plain tables to checked ones, with all mistakes named at once.

Each table is checked on its own: its `type` chooses the class of the schema, the class checks the fields one
by one, and the relations whose fields are sound are checked after that even if other fields are not. Every
function returns the checked table, or None, and the problems as lines that begin with the path of the field.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from diffrt.errors import MOST_PROBLEMS, did_you_mean, shown
from diffrt.kinds import CAMERAS, LIGHTS, MATERIALS, SHAPES, Kind, Shape, Texture, textures_of
from diffrt.scene.schema import Checked, Document, Table, rule_of, table_of, textures_in
from diffrt.scene.texels import texel_field, with_texels

Problems = list[str]


HERE = Path()
"""The working folder, from which files are seen if a scene is in none."""


def check_document(data: Mapping[str, Any], folder: Path = HERE) -> tuple[Document | None, Problems]:
    """Check a whole scene file, and read the images that it names.

    data: the tables as TOML gives them. folder: that the names of files are seen from. Returns the document, or None
    with one line per mistake.
    """
    parts: dict[str, Any] = {}
    problems: Problems = []
    if "camera" in data:
        parts["camera"], problems = check_camera("camera", data["camera"])
    groups: tuple[tuple[str, Mapping[str, type[Kind]]], ...] = (("shapes", SHAPES), ("lights", LIGHTS))
    for group, kinds in groups:
        if isinstance(data.get(group), dict):
            parts[group], faults = _check_group(group, data[group], kinds, folder)
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
    path: str, data: Any, kinds: Mapping[str, type[Kind]], default: str | None = None, folder: Path = HERE
) -> tuple[Any, Problems]:
    """Check one table that is of one of several kinds.

    path: where it stands, such as "shapes.ball". data: the plain table. kinds: the class for each `type`.
    default: the type if the table names none. folder: that the names of files are seen from. Returns the table, or
    None, and the problems.
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
    made = kinds[kind]
    problems: Problems = []
    broken: set[str] = set()
    data = dict(data)
    for field, choices in _inner_kinds(made, data).items():
        data[field], faults = check_kind(f"{path}.{field}", data[field], choices, folder=folder)
        problems += faults
        broken |= {field} if faults else set()
    if name := issubclass(made, Texture) and texel_field(made):
        data, faults, faulty = with_texels(path, data, made, name, folder)
        problems, broken = problems + faults, broken | faulty
    if issubclass(made, Shape) and isinstance(data.get("material"), Table):
        faults = _textures_that_do_not_fit(f"{path}.material", made, data["material"])
        problems += faults
        broken |= {"material"} if faults else set()
    table, faults = _check_fields(path, data, table_of(made), broken)
    return (None if problems else table), faults + problems


def _inner_kinds(kind: type[Kind], data: Mapping[str, Any]) -> dict[str, Mapping[str, type[Kind]]]:
    """The fields of a table that hold tables of a kind of their own: the material of a shape, and textures."""
    inner: dict[str, Mapping[str, type[Kind]]] = {}
    if kind.group == "shapes" and "material" in data:
        inner["material"] = MATERIALS
    for field in kind.fields:
        if isinstance(data.get(field), dict) and (textures := textures_of(kind, field)):
            inner[field] = textures
    return inner


def _textures_that_do_not_fit(path: str, shape: type[Shape], material: Table) -> Problems:
    """Lines about textures on a shape without coordinates, or that do not meet where those go around."""
    problems = []
    around = [any(face.goes_around[axis] for face in shape.faces or (shape,)) for axis in (0, 1)]
    for field, table in textures_in(material).items():
        texture: Any = table.kind
        if not shape.has_uv():
            problems.append(f"{path}.{field}: found a texture, allowed: one value; a {shape.type} has no coordinates "
                            "u, v for textures")  # fmt: skip
            continue
        for name, multiple in texture.whole.items():
            pair = getattr(table, name)
            bad = [axis for axis in (0, 1) if around[axis] and pair[axis] % multiple]
            if bad:
                letter, found = "uv"[bad[0]], shown(pair[bad[0]])
                problems.append(f"{path}.{field}.{name}: found {found} along {letter}, which goes around a "
                                f"{shape.type}; allowed: a multiple of {multiple}, so that the ends meet")  # fmt: skip
    return problems


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
            if any(isinstance(value, Table) for value in values.values()):
                continue  # it is about single values, and a texture has many
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
    group: str, data: dict[str, Any], kinds: Mapping[str, type[Kind]], folder: Path
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
        tables[name], faults = check_kind(path, entry, kinds, folder=folder)
        problems += faults
        if len(problems) > MOST_PROBLEMS:
            break
    return (None if problems else tables), problems


def _shared_names(data: Mapping[str, Any]) -> Problems:
    """Shapes and lights share one space of names, since parameters are found by name alone."""
    shapes, lights = data.get("shapes"), data.get("lights")
    if not (isinstance(shapes, dict) and isinstance(lights, dict)):
        return []
    return [
        f"{_join('lights', name)}: found the name of a shape, allowed: a name that no shape has"
        for name in lights
        if name in shapes
    ]


def _join(path: str, key: str) -> str:
    key = key if re.fullmatch(r"[\w-]{1,60}", key, re.ASCII) else shown(key)
    return f"{path}.{key}" if path else key


def _quoted(names: Mapping[str, Any]) -> str:
    return ", ".join(f'"{name}"' for name in names)
