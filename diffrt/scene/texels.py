"""From what a scene file says of texels, rows of numbers or the name of an image file, to Texels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from diffrt.autograd import Var
from diffrt.autograd.variable import value_of
from diffrt.errors import InputError, shown
from diffrt.kinds import Field, Kind, Own
from diffrt.kinds.texels import Texels
from diffrt.kinds.values import plain

MOST_TEXELS = 1 << 20
"""Of one bitmap; they are parameters, and each takes memory wherever derivatives go."""


def texel_field(kind: type[Kind]) -> str | None:
    """The name of the field of a texture that holds texels, None if there is none."""
    return next((name for name, f in kind.fields.items() if isinstance(f.rule, Own) and f.rule.per_texel), None)


def with_texels(
    path: str, data: Mapping[str, Any], kind: type[Kind], name: str, folder: Path, python: bool
) -> tuple[dict[str, Any], list[str], set[str]]:
    """The values of a texture with its texels read and checked; a Var gives its current values.

    path: where it stands. name: of its field of texels. folder: that of the scene file.
    Returns the table, lines of what is wrong, and the fields that these are about.
    """
    file, given = data.get("file", "") if "file" in kind.fields else "", data.get(name)
    if isinstance(file, Path):
        file = str(file)
        data = {**data, "file": file}
    rule, encoding = kind.fields[name].rule, data.get("encoding", "")
    # A program may give anything, a Var too, which compares with no text.
    has_file = not (isinstance(file, str) and not file)
    if isinstance(given, Texels):  # of a scene that has been read
        problems = _outside(f"{path}.{name}", given.array, kind.fields[name])
    elif given is None and not has_file:
        problems = [f"{path}.{name}: missing; needed: {(python and rule.in_python) or rule.allowed}"]
    elif given is not None and has_file:
        problems = [f"{path}: found both file and {name}, allowed: one of the two"]
    elif given is not None:
        given, problems = _given(f"{path}.{name}", given, kind.fields[name])
        if isinstance(encoding, str) and encoding not in ("", "linear"):
            problems.append(f"{path}.encoding: found {shown(encoding)}, allowed: only with a file")
    elif isinstance(file, str):
        place = folder / file
        known = encoding if isinstance(encoding, str) and encoding in ("srgb", "linear") else ""
        given, problems = _from_file(f"{path}.file", place, known, kind.fields[name])
        data = {**data, "file": str(place.absolute())}
    else:
        return dict(data), [], {name}  # the rule of `file` says it
    if problems:
        return dict(data), problems, {name, "file", "encoding"}
    return {**data, name: given}, [], set()


def _given(place: str, given: Any, field: Field) -> tuple[Texels | None, list[str]]:
    """Texels from an array or a Var, or from lists of lists."""
    components: Any = field.rule.components  # type: ignore[attr-defined]
    free, value = isinstance(given, Var), value_of(given)
    rows = plain(value)
    array = np.asarray(value) if isinstance(rows, list) and hasattr(value, "__array__") else None
    if array is None or array.dtype.kind not in "fiu":
        return _inline(place, rows, field)
    shapes = [(*array.shape[:2], *([len(components)] if components else []))]
    if components and not free:
        shapes.append(array.shape[:2])  # gray
    if array.ndim < 2 or array.shape not in shapes or not array.size:
        needed = f"(height, width, {len(components)})" if components else "(height, width)"
        more = ", or (height, width) for gray" if len(shapes) > 1 else ""
        return None, [f"{place}: found an array of shape {array.shape}, needed: one of shape {needed}{more}"]
    if components and array.ndim == 2:
        array = np.repeat(array[..., None], len(components), -1)
    return _checked(place, array, field)


def _inline(place: str, rows: Any, field: Field) -> tuple[Texels | None, list[str]]:
    """Texels from lists of lists."""
    components: Any = field.rule.components  # type: ignore[attr-defined]
    needed = f"rows of {'colours [r, g, b] or numbers for gray' if components else 'numbers'}, all of the same length"
    if not isinstance(rows, list | tuple) or not rows:
        return None, [f"{place}: found {shown(rows)}, needed: {needed}"]
    width = len(rows[0]) if isinstance(rows[0], list | tuple) else 0
    count = len(components) or 1
    found: list[float] = []
    for number, row in enumerate(rows):
        if not isinstance(row, list | tuple) or len(row) != width or not row:
            what = f"{len(row)} texels" if isinstance(row, list | tuple) else shown(row)
            return None, [f"{place}: found {what} in row {number}, needed: {needed}"]
        for column, texel in enumerate(row):
            each = texel if isinstance(texel, list | tuple) else [texel] * count
            if len(each) != count or not all(type(x) in (int, float) for x in each):
                return None, [f"{place}: found {shown(texel)} in row {number}, column {column}, needed: {needed}"]
            found += each
    try:
        values = np.array(found, np.float64)
    except OverflowError:
        return None, [f"{place}: found a number beyond what a float holds, needed: {needed}"]
    array = values.reshape(len(rows), width, *([count] if components else []))
    return _checked(place, array, field)


def _from_file(place: str, file: Path, encoding: str, field: Field) -> tuple[Texels | None, list[str]]:
    """Texels from an image file."""
    components: Any = field.rule.components  # type: ignore[attr-defined]
    from diffrt.photograph import read_image  # most scenes have no file of texels

    chosen: Any = encoding or (None if components else "linear")
    try:
        picture = read_image(file, chosen, MOST_TEXELS)
    except InputError as fault:
        return None, [f"{place}: {problem}" for problem in fault.problems]
    array = np.asarray(picture)
    if not components:
        if (array != array[..., :1]).any():
            return None, [f"{place}: {file}: holds colours; a gray image is needed, as this field is a number"]
        array = array[..., 0]
    return _checked(f"{place}: {file}", array, field)


def _checked(place: str, array: Any, field: Field) -> tuple[Texels | None, list[str]]:
    problems = _outside(place, array, field)
    return (None, problems) if problems else (Texels(array), [])


def _outside(place: str, array: Any, field: Field) -> list[str]:
    """A line if there are too many texels, or one is not a value of the field that the texture stands for."""
    height, width = array.shape[:2]
    rule: Any = field.rule
    if height * width > MOST_TEXELS:
        return [f"{place}: found {width} x {height} texels, allowed: {MOST_TEXELS} in all"]
    # What a rule allows lies between two bounds, so that the least and the largest texels tell for all.
    flat, check = array.reshape(height * width, -1), TypeAdapter(rule.own.check)
    if all(_holds(check, end(flat, axis=0)) for end in (np.min, np.max)):
        return []
    bad = next(i for i, texel in enumerate(flat) if not _holds(check, texel))
    value = shown(flat[bad].tolist() if rule.components else flat[bad].item())
    row, column = divmod(bad, width)
    return [f"{place}: found {value} in row {row}, column {column}, allowed: {rule.own.rule.allowed}"]


def _holds(check: TypeAdapter[Any], texel: Any) -> bool:
    """Whether a field may have this value, (1,) or (3,)."""
    try:
        check.validate_python(tuple(texel.tolist()) if len(texel) > 1 else texel.item())
    except ValidationError:
        return False
    return True
