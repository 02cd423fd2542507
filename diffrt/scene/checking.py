"""From plain tables, and objects of kinds, to checked tables, with all mistakes named at once.

A scene file is read into tables, a program makes objects such as `Sphere(...)`, and both are checked here by the same
rules. Each is checked on its own: its `type` chooses the class of the schema, the class checks the fields one by one,
and the relations whose fields are sound are checked after that even if other fields are not. A Var is checked by its
current value. Every function returns the checked table, or None, and the problems as lines that begin with the path of
the field; `python` says for whom the lines are.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from diffrt.autograd import Var
from diffrt.errors import MOST_PROBLEMS, did_you_mean, shown
from diffrt.kinds import BACKGROUNDS, CAMERAS, LIGHTS, MATERIALS, SHAPES, TEXTURES, Kind, Quantity, Rule, kinds_in
from diffrt.kinds.registry import is_same
from diffrt.kinds.values import plain
from diffrt.scene.schema import Checked, Document, Table, rule_of, table_of, textures_in
from diffrt.scene.texels import texel_field, with_texels

Problems = list[str]

GROUPS: Mapping[str, Mapping[str, type[Kind]]] = {
    "camera": CAMERAS, "background": BACKGROUNDS, "shapes": SHAPES, "lights": LIGHTS,
}  # fmt: skip
"""The kinds that may stand in each part of a scene."""

HERE = Path()
"""The working folder, from which files are seen if a scene is in none."""


def check_document(
    data: Mapping[str, Any], python: bool = False, folder: Path = HERE
) -> tuple[Document | None, Problems]:
    """Check a whole scene, and read the images that it names.

    data: its parts: the tables as TOML gives them, objects of kinds in place of tables. folder: that the names of files
    are seen from. Returns the document, or None with one line per mistake.
    """
    parts: dict[str, Any] = {}
    problems: Problems = []
    if "camera" in data:
        parts["camera"], problems = check_camera("camera", data["camera"], python)
    if data.get("background") is not None:
        first = next(iter(BACKGROUNDS))
        parts["background"], faults = check_kind("background", data["background"], BACKGROUNDS, first, python)
        problems += faults
    for group in ("shapes", "lights"):
        if isinstance(data.get(group), Mapping):
            parts[group], faults = _check_group(group, data[group], GROUPS[group], python, folder)
            problems += faults
    problems += _shared_names(data)
    broken = {group for group, table in parts.items() if table is None}
    document, faults = _check_fields("", {**data, **parts}, Document, broken, python)
    problems = faults + problems
    return (None, problems) if problems else (document, [])


def check_camera(path: str, data: Any, python: bool = False) -> tuple[Any, Problems]:
    """Check a camera; a table is of the first kind if it names none."""
    return check_kind(path, data, CAMERAS, next(iter(CAMERAS)), python)


def check_kind(
    path: str,
    data: Any,
    kinds: Mapping[str, type[Kind]],
    default: str | None = None,
    python: bool = False,
    folder: Path = HERE,
) -> tuple[Any, Problems]:
    """Check one table, or object, that is of one of several kinds.

    path: where it stands, such as "shapes.ball". data: the plain table, or an object of a kind. kinds: the class for
    each `type`. default: the type if the table names none. folder: that the names of files are seen from. Returns the
    table, or None, and the problems.
    """
    if isinstance(data, Kind) and _is_among(type(data), kinds):
        data = {"type": type(data).type, **vars(data)}
    if not isinstance(data, Mapping):
        allowed = f'a table, with type = "{next(iter(kinds))}" for instance'
        if python:
            allowed = f"one of {', '.join(f'{kind.__name__}(...)' for kind in kinds.values())}"
        hint = "; diffrt.register adds a class of your own" if isinstance(data, Kind) and _is_new(data) else ""
        return None, [f"{path}: found {shown(data)}, allowed: {allowed}{hint}"]
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
    for field in (*made.fields, *made.parts):
        choices = kinds_in(made, field)
        if (field in made.parts and field in data) or (choices and isinstance(data.get(field), Mapping | Kind)):
            data[field], faults = check_kind(f"{path}.{field}", data[field], choices, None, python, folder)
            problems += faults
            broken |= {field} if faults else set()
    if name := texel_field(made):
        data, faults, faulty = with_texels(path, data, made, name, folder, python)
        problems, broken = problems + faults, broken | faulty
    for field in made.parts:
        if isinstance(data.get(field), Table):
            faults = _textures_that_do_not_fit(f"{path}.{field}", made, data[field])
            problems += faults
            broken |= {field} if faults else set()
    table, faults = _check_fields(path, data, table_of(made), broken, python)
    return (None if problems else table), faults + problems


def _textures_that_do_not_fit(path: str, shape: Any, material: Table) -> Problems:
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


def _is_among(kind: type[Kind], kinds: Mapping[str, type[Kind]]) -> bool:
    return kind.type in kinds and is_same(kinds[kind.type], kind)


def _is_new(thing: Kind) -> bool:
    """Whether nobody has registered the class of an object."""
    return not any(_is_among(type(thing), kinds) for kinds in (*GROUPS.values(), MATERIALS, TEXTURES))


def _check_fields(
    path: str, data: Mapping[str, Any], model: type[Checked], broken: set[str], python: bool
) -> tuple[Any, Problems]:
    """Check the fields of a table and their relations; `broken` are fields reported already."""
    # A Var may stand for a parameter; the size of an image or the name of a file is none.
    values = {name: plain(value, _is_parameter(rule_of(model, name))) for name, value in data.items()}
    table, faulty = None, set(broken)
    try:
        table = model.model_validate(values)
    except ValidationError as error:
        faulty |= {str(fault["loc"][0]) for fault in error.errors(include_url=False, include_input=False)}
    fields = [*model.model_fields, *sorted(faulty.difference(model.model_fields))]  # in the schema's order
    untold = faulty - broken
    told = [field for field in fields if field in untold][: MOST_PROBLEMS + 1]  # of a million wrong keys
    problems = [_fault(path, data, values, model, field, python) for field in told]
    for relation in model.relations:
        if faulty.isdisjoint(relation.fields):
            related = {name: values.get(name, model.model_fields[name].default) for name in relation.fields}
            if any(isinstance(value, Table) for value in related.values()):
                continue  # it is about single values, and a texture has many
            if not relation.holds(*related.values()):
                found = shown(related[relation.blamed]) + ("" if relation.blamed in data else " by default")
                problems.append(f"{_join(path, relation.blamed)}: found {found}, allowed: {relation.allowed}")
    return (None if problems else table), problems


def _is_parameter(rule: Rule | None) -> bool:
    return isinstance(rule, Quantity) and not rule.fixed


def _fault(
    path: str, data: Mapping[str, Any], values: Mapping[str, Any], model: type[Checked], field: str, python: bool
) -> str:
    place = _join(path, field)
    if field not in model.model_fields:
        return f"{place}: unknown key; {did_you_mean(field, model.model_fields)}"
    rule = rule_of(model, field)
    allowed = ((python and rule.in_python) or rule.allowed) if rule else "nothing else"
    if field not in data:
        return f"{place}: missing; needed: {allowed}"
    return f"{place}: found {_found(data[field], values[field])}, allowed: {allowed}"


def _found(given: Any, value: Any) -> str:
    """What was given for a field: the numbers of a short array, the shape of another."""
    long = isinstance(given, np.ndarray | Var) and (given.ndim > 1 or given.size > 4)
    return f"an array of shape {given.shape}" if long else shown(value)


def _check_group(
    group: str, data: Mapping[Any, Any], kinds: Mapping[str, type[Kind]], python: bool, folder: Path
) -> tuple[dict[str, Table] | None, Problems]:
    """Check the named tables of `shapes` or `lights`."""
    tables: dict[str, Table] = {}
    problems: Problems = []
    for name, entry in data.items():
        path = _join(group, name)
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            problems.append(f"{path}: found the name {shown(name)}, allowed: a letter or _, then letters, digits or _")
        if name == "camera":
            problems.append(f'{path}: found the name "camera", allowed: another name; this one means the camera')
        tables[name], faults = check_kind(path, entry, kinds, None, python, folder)
        problems += faults
        if len(problems) > MOST_PROBLEMS:
            break
    return (None if problems else tables), problems


def _shared_names(data: Mapping[str, Any]) -> Problems:
    """Shapes, lights and the background share one space of names, since parameters are found by name alone."""
    groups = {name: data[name] if isinstance(data.get(name), Mapping) else {} for name in ("shapes", "lights")}
    taken = [
        f'{group}.background: found the name "background", allowed: another name; this one means the background'
        for group, tables in groups.items()
        if data.get("background") is not None and "background" in tables
    ]
    return taken + [
        f"{_join('lights', name)}: found the name of a shape, allowed: a name that no shape has"
        for name in groups["lights"]
        if name in groups["shapes"]
    ]


def _join(path: str, key: Any) -> str:
    key = key if isinstance(key, str) and re.fullmatch(r"[\w-]{1,60}", key, re.ASCII) else shown(key)
    return f"{path}.{key}" if path else key


def _quoted(names: Mapping[str, Any]) -> str:
    return ", ".join(f'"{name}"' for name in names)
