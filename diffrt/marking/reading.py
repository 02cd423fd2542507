"""Derivations as files.

    [inputs]                     # numbers are drawn from their domains; by default [-2, 2] wherever that is defined
    x = { shape = [3], domain = [0.2, 2.0] }

    [definitions]                # in any order
    a = "sum(x)"
    y = "exp(x) / a"

    [partials]
    "y[i] / a" = "-exp(x[i]) / a^2"

and, where wanted, [paths], [totals], [short] (abbreviations in formulas), [[points]] (inputs to compare at besides the
drawn ones), [readings.NAME] (other definitions under which a wrong line may be right), `output`, and
`layout = "numerator"`, in which the derivative of a number by a matrix is written transposed. A definition may be an
equation, y = { equation = "y^3 + y = x", between = [-10, 10] }: y is its one solution there. In place of inputs and
definitions there may be a pixel of a scene, whose quantities are the named steps of the tracer:

    [scene]
    file = "scene.toml"          # from the folder of this file
    pixel = [1, 2]
    channel = "r"
"""

import keyword
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from diffrt.errors import InputError, did_you_mean, shown
from diffrt.files import MIB, read_toml
from diffrt.marking.claims import LAYOUTS
from diffrt.marking.definitions import FARTHEST, Build, Domain, Implicit, by_formulas, definitions_in_order
from diffrt.marking.derivation import LONGEST, Derivation
from diffrt.marking.formula import CONSTANTS, FUNCTIONS, Formula
from diffrt.marking.spelling import plain_letters
from diffrt.marking.work import MOST_ENTRIES

_ENTRIES = ("points", "output", "layout")

_TABLES = ("inputs", "definitions", "partials", "paths", "totals", "short", "readings", "scene")

LARGEST = MIB
"""The most bytes of a file."""

MOST_CELLS = 8
"""Cells per side of a pixel: each point is a rendering of it."""

MOST_LINES = 1_000
"""Of each table, and the most points."""


def load_derivation(path: str | Path) -> Derivation:
    """The derivation in a file. Raises InputError, a line for each mistake."""
    return load_exercise(path, claims=True)[0]


def load_exercise(path: str | Path, claims: bool = False) -> tuple[Derivation, dict[str, Any]]:
    """The derivation in a file, which may have no claims yet, and its tables as they are read.

    claims: whether it must have some. Raises InputError, a line for each mistake.
    """
    given = read_toml(path, LARGEST)
    try:
        return parse_derivation(given, Path(path).parent, claims), given
    except InputError as fault:
        raise InputError(*(p if p.startswith(str(path)) else f"{path}: {p}" for p in fault.problems)) from None


def parse_derivation(given: Mapping[str, Any], folder: Path = Path(), claims: bool = True) -> Derivation:
    """The derivation that a table says; claims: whether it must have some. Raises InputError, a line for each mistake.

    Mistakes in a line of partials, paths or totals are no mistakes of the table: that line's mark tells them.
    """
    problems = [f"{shown(key)}: is not known, {did_you_mean(key, [*_TABLES, *_ENTRIES])}"
                for key in given if key not in (*_TABLES, *_ENTRIES)]  # fmt: skip
    for name in _TABLES:
        table = given.get(name, {})
        if not isinstance(table, dict):
            problems.append(f"{name}: found {shown(table)}, needed: a table")
        elif len(table) > MOST_LINES:
            problems.append(f"{name}: holds {len(table):,} lines, allowed: {MOST_LINES:,}")
    points, output = given.get("points", []), given.get("output", "")
    if not isinstance(points, list) or not all(isinstance(p, dict) for p in points):
        problems.append("points: needed: [[points]] with a value for each input")
    elif len(points) > MOST_LINES:
        problems.append(f"points: there are {len(points):,}, allowed: {MOST_LINES:,}")
    if claims and not any(given.get(t) for t in ("partials", "paths", "totals")):
        problems.append("there is nothing to check: partials, paths and totals are empty")
    if (layout := given.get("layout", "")) not in ("", *LAYOUTS):
        problems.append(f"layout: found {shown(layout)}, needed: {' or '.join(LAYOUTS)}")
    if not isinstance(output, str):
        problems.append(f"output: found {shown(output)}, needed: the name of a quantity")
    if "scene" in given:
        problems += [f"{t}: needed: either a scene, or inputs and definitions"
                     for t in ("inputs", "definitions", "points", "readings") if t in given]  # fmt: skip
    if problems:
        raise InputError(*problems)
    given = _plain(given)
    points, output = given.get("points", []), given.get("output", "")
    lines = {t: given.get(t, {}) for t in ("partials", "paths", "totals")}
    if "scene" in given:
        short, problems = _formulas("short", given.get("short", {}), ())
        if problems:
            raise InputError(*problems)
        return _of_scene(given["scene"], folder, output=output, short=short, layout=layout, **lines)

    inputs, problems = _inputs(given.get("inputs", {}))
    names = tuple(given.get("inputs", {}))
    formulas, faults = _formulas("definitions", given.get("definitions", {}), names)
    problems += faults if given.get("definitions") else ["definitions: there are none"]
    short, faults = _formulas("short", given.get("short", {}), names)
    problems += faults
    others: dict[str, dict[str, Formula]] = {}
    for name, table in given.get("readings", {}).items():
        if not isinstance(table, dict):
            problems.append(f"readings.{_key(name)}: found {shown(table)}, needed: a table of definitions")
            continue
        if len(name) > LONGEST:
            problems.append(f"readings.{_key(name)}: the name has {len(name):,} characters, allowed: {LONGEST}")
        others[name], faults = _formulas(f"readings.{_key(name)}", table, names)
        problems += faults
    if output and output not in given.get("definitions", {}):
        problems.append(f"output: there is no quantity {output}; there are {', '.join(formulas)}")
    if problems:
        raise InputError(*problems)
    at, problems = [], []
    for point in points:
        values, faults = _point(point, inputs)
        at.append(values)
        problems += faults
    if problems:
        raise InputError(*problems)
    readings: dict[str, Build] = {name: by_formulas({**formulas, **other}) for name, other in others.items()}
    return Derivation(
        by_formulas(formulas), inputs, at, output=output, readings=readings,
        define=lambda name, values: formulas[name](values), short=short, layout=layout,
        formulas={name: formulas[name] for name in definitions_in_order(formulas)}, **lines,
    )  # fmt: skip


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """The tables with Greek letters in names by their names."""
    found = dict(given)
    for table in ("inputs", "definitions", "short"):
        found[table] = {plain_letters(n): v for n, v in given.get(table, {}).items()}
    found["points"] = [{plain_letters(n): v for n, v in p.items()} for p in given.get("points", [])]
    found["readings"] = {k: {plain_letters(n): v for n, v in table.items()} if isinstance(table, dict) else table
                         for k, table in given.get("readings", {}).items()}  # fmt: skip
    found["output"] = plain_letters(given.get("output", ""))
    return found


def _inputs(given: Mapping[str, Any]) -> tuple[dict[str, Domain], list[str]]:
    """The domains of inputs, and what is wrong with them."""
    inputs, problems = {}, []
    for name, told in given.items():
        where = f"inputs.{_key(name)}"
        if not _plain_name(name):
            problems.append(f"{where}: {_NAME}")
        if not isinstance(told, dict) or set(told) - {"shape", "domain"}:
            problems.append(f"{where}: needed: {{ shape = [3], domain = [0.2, 2.0] }}, each may be left out")
            continue
        shape, domain = told.get("shape", []), told.get("domain")
        if not isinstance(shape, list) or len(shape) > 3 or not all(_whole(n) and 0 < n <= 100 for n in shape):
            problems.append(f"{where}.shape: found {shown(shape)}, needed: up to three whole numbers from 1 to 100")
            continue
        if domain is None:
            inputs[name] = Domain(tuple(shape))
            continue
        numbers = isinstance(domain, list) and len(domain) == 2 and all(map(_number, domain))
        if not numbers or domain[0] >= domain[1]:
            problems.append(f"{where}.domain: found {shown(domain)}, needed: two numbers from -1e100 to 1e100, the "
                            "smaller one first")  # fmt: skip
            continue
        inputs[name] = Domain(tuple(shape), float(domain[0]), float(domain[1]))
    if not given:
        problems.append("inputs: there are none")
    if (entries := sum(prod(domain.shape) for domain in inputs.values())) > MOST_ENTRIES:
        problems.append(f"inputs: they have {entries:,} entries, allowed: {MOST_ENTRIES:,}")
    return inputs, problems


_NAME = "a name is letters, digits and _, and not that of a function or constant"


def _plain_name(name: str) -> bool:
    free = (not keyword.iskeyword(name) or name == "lambda") and name not in FUNCTIONS and name not in CONSTANTS
    return free and _key(name) == name  # it needs no quotes


def _key(name: str) -> str:
    """A key of a file, in a message."""
    return name if name.isidentifier() and name.isascii() and len(name) <= 60 else shown(name)


def _whole(n: Any) -> bool:
    return isinstance(n, int) and not isinstance(n, bool)


def _number(x: Any) -> bool:
    """Whether a value can be that of an input."""
    return isinstance(x, int | float) and not isinstance(x, bool) and -FARTHEST <= x <= FARTHEST


def _implicit(name: str, given: Mapping[str, Any], where: str) -> Implicit:
    """The quantity that an equation defines."""
    text, between = given.get("equation"), given.get("between", [-10.0, 10.0])
    fits = isinstance(between, list) and len(between) == 2 and all(map(_number, between)) and between[0] < between[1]
    if not isinstance(text, str) or not fits or set(given) - {"equation", "between"}:
        raise InputError(f"{where}: found {shown(dict(given))}, needed: a formula, or {{ equation = "
                         f"\"{name}^3 + {name} = x\", between = [-10, 10] }}")  # fmt: skip
    return Implicit(name, text, (float(between[0]), float(between[1])), where)


def _formulas(table: str, given: Mapping[str, Any], inputs: tuple[str, ...]) -> tuple[dict[str, Any], list[str]]:
    """The formulas of a table, and what is wrong with them."""
    formulas: dict[str, Any] = {}
    problems: list[str] = []
    for name, text in given.items():
        where = f"{table}.{_key(name)}"
        if not _plain_name(name):
            problems.append(f"{where}: {_NAME}")
        elif name in inputs:
            problems.append(f"{where}: is an input already")
        try:
            formulas[name] = _implicit(name, text, where) if isinstance(text, dict) and text else Formula(text, where)
        except InputError as fault:
            problems += fault.problems
    return formulas, problems


def _point(given: Mapping[str, Any], inputs: Mapping[str, Domain]) -> tuple[dict[str, Any], list[str]]:
    """The values of a given point, and what is wrong with it."""
    point: dict[str, Any] = {}
    problems = [f"points: there is no input {shown(name)}; there are {', '.join(inputs)}"
                for name in given if name not in inputs]  # fmt: skip
    for name, domain in inputs.items():
        if name not in given:
            problems.append(f"points: there is no value for {name}")
            continue
        value = given[name]
        if not _fits(value, domain.shape):
            needed = f"numbers of the shape {list(domain.shape)}" if domain.shape else "a number"
            problems.append(f"points.{name}: found {shown(value)}, needed: {needed} from -1e100 to 1e100")
            continue
        point[name] = np.array(value, float) if domain.shape else float(value)
    return point, problems


def _fits(value: Any, shape: tuple[int, ...]) -> bool:
    """Whether a value is numbers of a shape, as lists in lists."""
    if not shape:
        return _number(value)
    return isinstance(value, list) and len(value) == shape[0] and all(_fits(row, shape[1:]) for row in value)


def _of_scene(given: Mapping[str, Any], folder: Path, **claims: Any) -> Derivation:
    from diffrt.explaining.trace import CHANNELS
    from diffrt.marking.pixel import pixel_derivation
    from diffrt.scene import load_scene

    pixel, channel = given.get("pixel"), given.get("channel", "luminance")
    cells, edges = given.get("cells", 1), given.get("edges", "ignore")
    problems = [f"scene.{_key(k)}: unknown key; {did_you_mean(k, ('file', 'pixel', 'channel', 'edges', 'cells'))}"
                for k in given if k not in ("file", "pixel", "channel", "edges", "cells")]  # fmt: skip
    for key, found, fits, needed in (
        ("file", given.get("file"), isinstance(given.get("file"), str), "the name of a scene file"),
        ("pixel", pixel, isinstance(pixel, list) and len(pixel) == 2 and all(map(_whole, pixel)), "[x, y], whole"),
        ("channel", channel, isinstance(channel, str) and channel in CHANNELS, ", ".join(CHANNELS)),
        ("cells", cells, _whole(cells) and 1 <= cells <= MOST_CELLS, f"a whole number from 1 to {MOST_CELLS}"),
        ("edges", edges, edges in ("exact", "ignore"), "exact or ignore"),
    ):
        if not fits:
            problems.append(f"scene.{key}: " + ("missing" if found is None else f"found {shown(found)}")
                            + f", needed: {needed}")  # fmt: skip
    if problems:
        raise InputError(*problems)
    return pixel_derivation(load_scene(folder / given["file"]), given["pixel"], channel, cells, edges, **claims)
