"""Fit files, and the images that they name.

A fit file is TOML, and paths in it are relative to the file:

    scene = "../../scenes/still_life.toml"
    target = "target.png"          # .png, .jpg, .npy or .exr
    free = ["lamp.position"]       # names or patterns such as "ball.*"

All of the rest is optional:

    encoding = "srgb"              # of the target: "srgb" (.png, .jpg) or "linear" (.npy, .exr)
    mask = "mask.png"              # pixels that are white count
    exposure = true                # free: a factor of the image
    white_balance = true           # free: factors of red and blue
    cells = 1                      # and the other settings: method, loss, scale, space, iterations, levels, starts,
                                   # refine, seed

    [free."lamp.position"]         # in place of the list, for start values and bounds
    start = [-1, 3, 2]             # the scene's own value if left out
    lower = [-10, 0, -10]          # a number holds for all components
    upper = 10

    [ties]
    "right.intensity" = "left.intensity"

    [views.front]                  # in place of target, for several views; each may have its own camera
    target = "front.png"
    camera = { position = [0, 2, 6], target = [0, 0, 0], fov = 45, width = 64, height = 48 }
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import MOST_PROBLEMS, InputError, did_you_mean, shown
from diffrt.files import read_toml
from diffrt.fitting.problem import MOST_VIEWS, Problem, make_problem
from diffrt.fitting.settings import SETTINGS
from diffrt.photograph import ENCODINGS, Photograph, read_photograph
from diffrt.scene import Scene, load_scene
from diffrt.scene.checking import check_camera

_SHOT = ("target", "encoding", "mask", "exposure", "white_balance")
_KEYS = ("scene", "free", "ties", "views", *_SHOT, *SETTINGS)


def read_problem(path: str | Path, settings: Mapping[str, Any] | None = None) -> Problem:
    """The fit in a TOML file.

    settings: other values for settings of the file, such as cells and method.
    Raises InputError with one line per mistake, each naming the file, the key, what was found and what is allowed; and
    as `load_scene` and `read_photograph` for the files that it names.
    """
    data = {**read_toml(path), **(settings or {})}
    if "camera" in data:
        raise InputError(f"{path}: is a scene; to fit it, give a target and free parameters too")
    unknown = [key for key in data if key not in _KEYS][: MOST_PROBLEMS + 1]
    problems = [f"{key}: unknown key; {did_you_mean(key, _KEYS)}" for key in unknown]
    if not isinstance(data.get("scene"), str):
        problems.append(f"scene: {_found(data, 'scene')}; needed: the path of a scene file")
    views = data.get("views")
    if views is None:
        problems += _shot_problems("", data)
    elif isinstance(views, dict) and len(views) > MOST_VIEWS:
        problems.append(f"views: found {len(views)}, allowed: at most {MOST_VIEWS}")
    elif not isinstance(views, dict) or not views or not all(isinstance(v, dict) for v in views.values()):
        problems.append(f"views: {_found(data, 'views')}; needed: a table for each view")
    else:
        problems += [f"{key}: found with views; it belongs into each of them" for key in _SHOT if key in data]
        for name, view in views.items():
            unknown = [key for key in view if key not in (*_SHOT, "camera")][: MOST_PROBLEMS + 1]
            problems += [f"views.{name}.{key}: unknown key; {did_you_mean(key, (*_SHOT, 'camera'))}" for key in unknown]
            problems += _shot_problems(f"views.{name}.", view)
    free = data.get("free", {})
    if isinstance(free, list) and all(isinstance(name, str) for name in free):
        free = {name: {} for name in free}
    if not isinstance(free, dict) or not all(isinstance(entry, dict) for entry in free.values()):
        problems.append(f"free: {_found(data, 'free')}; needed: names of parameters, or a table for each")
    ties = data.get("ties", {})
    if not isinstance(ties, dict) or not all(isinstance(leader, str) for leader in ties.values()):
        problems.append(f'ties: {_found(data, "ties")}; needed: lines such as "right.intensity" = "left.intensity"')
    if problems:
        raise InputError(*(f"{path}: {problem}" for problem in problems))
    folder = Path(path).parent
    scene = load_scene(folder / data["scene"])
    given = {key: data[key] for key in SETTINGS if key in data}
    if views is None:
        alone = _shot(data, folder)
        target = alone.pop("target")
    else:
        alone = {}
        target = {name: {**_shot(view, folder), **_camera(name, view, scene)} for name, view in views.items()}
    try:
        return make_problem(scene, target, free, ties, **alone, **given)
    except InputError as fault:
        raise InputError(*(f"{path}: {problem}" for problem in fault.problems)) from None


def read_mask(path: str | Path) -> NDArray[np.bool_]:
    """The mask in an image file, (height, width): True where it is at least half white. Errors: as `read_image`."""
    found: NDArray[np.bool_] = np.asarray(read_photograph(path, "linear").image).mean(-1) >= 0.5
    return found


def _shot(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A photograph with its mask, and what of it is free."""
    target: Photograph = read_photograph(folder / table["target"], table.get("encoding"))
    mask = read_mask(folder / table["mask"]) if "mask" in table else None
    return {"target": target, "mask": mask, "exposure": table.get("exposure", False),
            "white_balance": table.get("white_balance", False)}  # fmt: skip


def _shot_problems(where: str, table: Mapping[str, Any]) -> list[str]:
    problems = []
    if not isinstance(table.get("target"), str):
        problems.append(f"{where}target: {_found(table, 'target')}; needed: the path of an image")
    if not isinstance(table.get("mask", ""), str):
        problems.append(f"{where}mask: {_found(table, 'mask')}; needed: the path of an image")
    if table.get("encoding", "srgb") not in ENCODINGS:
        problems.append(f'{where}encoding: {_found(table, "encoding")}; allowed: "srgb" or "linear"')
    for key in ("exposure", "white_balance"):
        if not isinstance(table.get(key, False), bool):
            problems.append(f"{where}{key}: {_found(table, key)}; allowed: true or false")
    return problems


def _camera(name: str, view: Mapping[str, Any], scene: Scene) -> dict[str, Scene]:
    """The scene with a view's own camera, if it has one."""
    if "camera" not in view:
        return {}
    camera, problems = check_camera(f"views.{name}.camera", view["camera"])
    if problems:
        raise InputError(*problems)
    return {"camera": Scene.of(scene.document.model_copy(update={"camera": camera}))}


def _found(data: Mapping[str, Any], key: str) -> str:
    return f"found {shown(data[key])}" if key in data else "missing"
