"""Derivations as files.

    [inputs]                     # numbers are drawn from their domains; by default [-2, 2] wherever that is defined
    x = { shape = [3], domain = [0.2, 2.0] }

    [definitions]                # in any order
    a = "sum(x)"
    y = "exp(x) / a"

    [partials]
    "y[i] / a" = "-exp(x[i]) / a^2"

and, where wanted, [paths], [totals], [short] (abbreviations in formulas), [[points]] (inputs to compare at besides the
drawn ones), [readings.NAME] (other definitions under which a wrong line may be right), `output`. In place of inputs and
definitions there may be a pixel of a scene, whose quantities are the named steps of the tracer:

    [scene]
    file = "scene.toml"          # from the folder of this file
    pixel = [1, 2]
    channel = "r"
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from diffrt.errors import InputError, did_you_mean
from diffrt.explain.definitions import Build, Domain, by_formulas
from diffrt.explain.derivation import Derivation
from diffrt.explain.formula import CONSTANTS, FUNCTIONS, Formula

_TABLES = ("inputs", "definitions", "partials", "paths", "totals", "short", "readings", "scene")


def load_derivation(path: str | Path) -> Derivation:
    """The derivation in a file. Raises InputError, a line for each mistake."""
    try:
        given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as fault:
        raise InputError(f"{path}: {fault.strerror or fault}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text in UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        raise InputError(f"{path}: {fault}") from None
    try:
        return parse_derivation(given, Path(path).parent)
    except InputError as fault:
        raise InputError(*(f"{path}: {p}" for p in fault.problems)) from None


def parse_derivation(given: Mapping[str, Any], folder: Path = Path()) -> Derivation:
    """The derivation that a table says. Raises InputError, a line for each mistake."""
    problems = [f"{key}: is not known, {did_you_mean(key, [*_TABLES, 'points', 'output'])}"
                for key in given if key not in (*_TABLES, "points", "output")]  # fmt: skip
    problems += [f"{t}: found {type(given[t]).__name__}, needed: a table" for t in _TABLES
                 if t in given and not isinstance(given[t], dict)]  # fmt: skip
    points = given.get("points", [])
    if not isinstance(points, list) or not all(isinstance(p, dict) for p in points):
        problems.append("points: needed: [[points]] with a value for each input")
    if not any(given.get(t) for t in ("partials", "paths", "totals")):
        problems.append("there is nothing to check: partials, paths and totals are empty")
    if not isinstance(given.get("output", ""), str):
        problems.append("output: needed: the name of a quantity")
    if "scene" in given and ("inputs" in given or "definitions" in given):
        problems.append("scene: needed: either a scene, or inputs and definitions")
    if problems:
        raise InputError(*problems)
    claims = {t: given.get(t, {}) for t in ("partials", "paths", "totals")}
    if "scene" in given:
        short = _formulas("short", given.get("short", {}), ())
        return _of_scene(given["scene"], folder, output=given.get("output", ""), short=short, **claims)
    inputs = _inputs(given.get("inputs", {}))
    formulas = _formulas("definitions", given.get("definitions", {}), tuple(inputs))
    if not formulas:
        raise InputError("definitions: there are none")
    readings: dict[str, Build] = {}
    for name, other in given.get("readings", {}).items():
        if not isinstance(other, dict):
            raise InputError(f"readings.{name}: needed: a table of definitions")
        readings[name] = by_formulas({**formulas, **_formulas(f"readings.{name}", other, tuple(inputs))})
    output = given.get("output", "")
    if output and output not in formulas:
        raise InputError(f"output: there is no quantity {output}; there are {', '.join(formulas)}")
    return Derivation(
        by_formulas(formulas), inputs, [_point(p, inputs) for p in points], output=output,
        readings=readings, define=lambda name, values: formulas[name](values),
        short=_formulas("short", given.get("short", {}), ()), **claims,
    )  # fmt: skip


def _inputs(given: Mapping[str, Any]) -> dict[str, Domain]:
    inputs, problems = {}, []
    for name, told in given.items():
        where = f"inputs.{name}"
        if not _plain_name(name):
            problems.append(f"{where}: a name is letters, digits and _, and not that of a function or constant")
        if not isinstance(told, dict) or set(told) - {"shape", "domain"}:
            problems.append(f"{where}: needed: {{ shape = [3], domain = [0.2, 2.0] }}, each may be left out")
            continue
        shape, domain = told.get("shape", []), told.get("domain")
        if not isinstance(shape, list) or not all(isinstance(n, int) and 0 < n <= 100 for n in shape) or len(shape) > 3:
            problems.append(f"{where}.shape: found {shape!r}, needed: up to three whole numbers from 1 to 100")
            continue
        numbers = (
            isinstance(domain, list)
            and len(domain) == 2
            and all(isinstance(v, int | float) and not isinstance(v, bool) and np.isfinite(v) for v in domain)
        )
        if domain is None:
            inputs[name] = Domain(tuple(shape))
            continue
        if not numbers or domain[0] >= domain[1]:
            problems.append(f"{where}.domain: found {domain!r}, needed: two numbers, the smaller one first")
            continue
        inputs[name] = Domain(tuple(shape), float(domain[0]), float(domain[1]))
    if not given:
        problems.append("inputs: there are none")
    if problems:
        raise InputError(*problems)
    return inputs


def _plain_name(name: str) -> bool:
    return name.isidentifier() and name.isascii() and name not in FUNCTIONS and name not in CONSTANTS


def _formulas(table: str, given: Mapping[str, Any], inputs: tuple[str, ...]) -> dict[str, Formula]:
    formulas, problems = {}, []
    for name, text in given.items():
        where = f"{table}.{name}"
        if not _plain_name(name):
            problems.append(f"{where}: a name is letters, digits and _, and not that of a function or constant")
        elif name in inputs:
            problems.append(f"{where}: is an input already")
        try:
            formulas[name] = Formula(text, where)
        except InputError as fault:
            problems += fault.problems
    if problems:
        raise InputError(*problems)
    return formulas


def _point(given: Mapping[str, Any], inputs: Mapping[str, Domain]) -> dict[str, Any]:
    point = {}
    for name, value in given.items():
        try:
            array = np.array(value, float)
        except (TypeError, ValueError):
            raise InputError(f"points.{name}: found {value!r}, needed: numbers") from None
        point[name] = array if array.ndim else float(array)
    missing = [n for n in inputs if n not in point]
    if missing:
        raise InputError(f"points: there is no value for {', '.join(missing)}")
    return point


def _of_scene(given: Mapping[str, Any], folder: Path, **claims: Any) -> Derivation:
    from diffrt.explain.pixel import pixel_derivation
    from diffrt.scene import load_scene

    unknown = [k for k in given if k not in ("file", "pixel", "channel", "edges", "cells")]
    if unknown or not isinstance(given.get("file"), str) or not isinstance(given.get("pixel"), list):
        raise InputError("scene: needed: file, pixel = [x, y]; allowed: channel, edges, cells")
    return pixel_derivation(
        load_scene(folder / given["file"]), given["pixel"], given.get("channel", "luminance"), given.get("cells", 1),
        given.get("edges", "ignore"), **claims,
    )  # fmt: skip
