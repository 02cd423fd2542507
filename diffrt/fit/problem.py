"""What a fit is asked: a scene to start from, a target image, and the parameters that are free.

A fit file is TOML, and paths in it are relative to the file:

    scene = "../../scenes/still_life.toml"
    target = "target.png"          # PNG is decoded from sRGB; .npy holds linear RGB
    cells = 1                      # cells per pixel side
    method = "least_squares"       # or a gradient method of scipy.optimize.minimize

    [free."lamp.position"]         # or, without settings: free = ["lamp.position", "ball.center"]
    start = [-1, 3, 2]             # the scene's own value if left out
    lower = [-10, 0, -10]          # a number holds for all components
    upper = 10
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import InputError, did_you_mean
from diffrt.files import read_toml
from diffrt.image import read_image
from diffrt.scene import Scene, load_scene

Vector = NDArray[np.float64]

BOUNDED = ("least_squares", "L-BFGS-B", "TNC", "SLSQP", "trust-constr")
METHODS = (*BOUNDED, "BFGS", "CG", "Newton-CG")
"""scipy's least_squares, and the methods of its minimize that work with a gradient."""

_KEYS = ("scene", "target", "free", "cells", "method", "iterations")
_FREE_KEYS = ("start", "lower", "upper")


@dataclass(frozen=True)
class Problem:
    """A checked fit.

    scene: with its start values. target: (height, width, 3), linear RGB. free: paths of parameters, with n
    numbers together. lower, upper: bounds (n,), infinite where there are none. cells: cells per pixel side.
    method: one of METHODS. iterations: the most evaluations (least_squares) or iterations (others).
    """

    scene: Scene
    target: NDArray[np.float64]
    free: tuple[str, ...]
    lower: Vector
    upper: Vector
    cells: int = 1
    method: str = "least_squares"
    iterations: int = 200


def read_problem(path: str | Path, settings: Mapping[str, Any] | None = None) -> Problem:
    """The fit in a TOML file.

    settings: other values for the keys cells, method and iterations of the file.
    Raises InputError with one line per mistake, each naming the file, the key, what was found and what is
    allowed; and as `load_scene` and `read_image` for the files that it names.
    """
    data = {**read_toml(path), **(settings or {})}
    if "camera" in data:
        raise InputError(f"{path}: is a scene; to fit it, give a target and free parameters too")
    problems = [f"{key}: unknown key; {did_you_mean(key, _KEYS)}" for key in data if key not in _KEYS]
    for key, needed in (("scene", "the path of a scene file"), ("target", "the path of an image")):
        if not isinstance(data.get(key), str):
            problems.append(f"{key}: {_found(data, key)}; needed: {needed}")
    free = data.get("free")
    if isinstance(free, list) and all(isinstance(name, str) for name in free):
        free = {name: {} for name in free}
    if not isinstance(free, dict) or not all(isinstance(entry, dict) for entry in free.values()):
        problems.append(f"free: {_found(data, 'free')}; needed: names of parameters, or a table for each")
        free = {}
    given: dict[str, Any] = {key: data[key] for key in ("cells", "method", "iterations") if key in data}
    problems += _setting_problems(given)
    if problems:
        raise InputError(*(f"{path}: {problem}" for problem in problems))
    folder = Path(path).parent
    scene = load_scene(folder / data["scene"])
    target = read_image(folder / data["target"])
    try:
        return make_problem(scene, target, free, **given)
    except InputError as fault:
        raise InputError(*(f"{path}: {problem}" for problem in fault.problems)) from None


def make_problem(
    scene: Scene,
    target: NDArray[np.float64],
    free: Iterable[str] | Mapping[str, Mapping[str, Any]],
    cells: int = 1,
    method: str = "least_squares",
    iterations: int = 200,
) -> Problem:
    """A fit of a scene to a target.

    free: the parameters, or for each a mapping with `start`, `lower` and `upper`, all optional, each a number
    or one for each component. The rest is as in Problem. Raises InputError with one line per mistake.
    """
    if isinstance(free, str):
        free = [free]
    wanted = dict(free) if isinstance(free, Mapping) else {name: {} for name in free}
    problems = _setting_problems({"cells": cells, "method": method, "iterations": iterations})
    size = (scene.camera.height, scene.camera.width, 3)
    if np.shape(target) != size:
        found = " x ".join(map(str, np.shape(target)[1::-1]))
        problems.append(f"target: found {found} pixels, needed: {size[1]} x {size[0]}, as the camera has")
    if not wanted:
        problems.append("free: found no parameter, needed: at least one, such as lamp.position")
    lower, upper, starts = [], [], {}
    for name, entry in wanted.items():
        try:
            parameter = scene.parameter(name)
            starts[name], low, high = _limits(name, entry, parameter, scene.pack([name]), method)
        except InputError as fault:
            problems += [f"free: {problem}" for problem in fault.problems]
            continue
        lower.append(low)
        upper.append(high)
    if problems:
        raise InputError(*problems)
    scene.components(wanted)  # refuses parameters that overlap
    scene = scene.replace({name: start if len(start) > 1 else float(start[0]) for name, start in starts.items()})
    return Problem(
        scene, np.asarray(target, float), tuple(wanted), np.concatenate(lower), np.concatenate(upper),
        cells, method, iterations,
    )  # fmt: skip


def _limits(
    name: str, entry: Mapping[str, Any], parameter: Any, now: Vector, method: str
) -> tuple[Vector, Vector, Vector]:
    """Start and bounds of one free parameter, each (size,)."""
    problems = [f"{name}.{key}: unknown key; {did_you_mean(key, _FREE_KEYS)}" for key in entry if key not in _FREE_KEYS]
    values = {}
    for key, default in (("start", now), ("lower", -np.inf), ("upper", np.inf)):
        value = np.asarray(entry.get(key, default))
        plain = value.dtype.kind in "if" and value.shape in ((), now.shape) and not np.isnan(value).any()
        if not plain or (key == "start" and not np.isfinite(value).all()):
            allowed = "a number" if now.size == 1 else f"a number or {now.size} numbers"
            problems.append(f"{name}.{key}: found {entry.get(key)!r}, allowed: {allowed}")
            value = np.asarray(default)
        values[key] = np.broadcast_to(value.astype(float), now.shape)
    if problems:
        raise InputError(*problems)
    start, lower, upper = values["start"], values["lower"], values["upper"]
    if (lower >= upper).any():
        raise InputError(f"{name}: found a lower bound {lower.tolist()} that is not under the upper {upper.tolist()}")
    bounded = np.isfinite(lower).any() or np.isfinite(upper).any()
    if bounded and method not in BOUNDED:
        raise InputError(f'{name}: method "{method}" cannot keep bounds; use one of {", ".join(BOUNDED)}')
    lower, upper = np.maximum(lower, parameter.minimum), np.minimum(upper, parameter.maximum)
    if ((start < lower) | (start > upper)).any():
        raise InputError(
            f"{name}: found a start {start.tolist()} outside its bounds {lower.tolist()} to {upper.tolist()}"
        )
    return start, lower, upper


def _setting_problems(settings: Mapping[str, Any]) -> list[str]:
    problems = []
    for key, most in (("cells", 64), ("iterations", 100_000)):
        value = settings.get(key, 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            problems.append(f"{key}: found {value!r}, allowed: a whole number from 1 to {most}")
    method = settings.get("method", METHODS[0])
    if method not in METHODS:
        near = get_close_matches(str(method), METHODS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        problems.append(f"method: found {method!r}, allowed: one of {', '.join(METHODS)}{hint}")
    return problems


def _found(data: Mapping[str, Any], key: str) -> str:
    return f"found {data[key]!r:.60}" if key in data else "missing"
