"""Fit files, and the images that they name.

A fit file is TOML, and paths in it are relative to the file:

    scene = "../../scenes/still_life.toml"
    target = "target.png"          # .png, .jpg, .tif, .webp, .tga, .npy or .exr; transparent pixels do not count
    free = ["lamp.position"]       # names or patterns such as "ball.*"

All of the rest is optional:

    encoding = "srgb"              # of the target: "srgb", or "linear" (the default for .npy, .exr and floats)
    bits = 12                      # that a file of 16 bits holds
    mask = "mask.png"              # pixels that are white count; of a mask with transparency, those that are opaque
    fov = "exif"                   # of the camera: from the focal length that the photograph says
    exposure = true                # free: a factor of the image
    white_balance = true           # free: factors of red and blue
    vignetting = true              # free, of the camera: how much darker the corners of the picture are
    response = true                # free, of the camera: the exponent of its curve, if that is not the encoding's
    cells = 1                      # and the other settings: method, loss, scale, space, iterations, levels, starts,
                                   # refine, seed, noise

    [free."lamp.position"]         # in place of the list, for start values and bounds
    start = [-1, 3, 2]             # the scene's own value if left out
    lower = [-10, 0, -10]          # a number holds for all components
    upper = 10

    [ties]
    "right.intensity" = "left.intensity"

    [views.front]                  # in place of target, for several views; each may have its own camera
    target = "front.png"
    lights = ["lamp"]              # that shine in this view; all if left out
    values = { "lamp.intensity" = 3.0 }                 # known of this view alone
    camera = { position = [0, 2, 6], target = [0, 0, 0], fov = 45 }  # width and height are the photograph's

For many photographs by one camera a pattern may stand for the target, or a list of files. Their order is that of the
numbers in their names, and the views have the names of the files, without the ending:

    target = "photos/*.png"
    mask = "mask.png"              # of all, or a pattern, with a mask for each
    each = ["sun.direction", "sun.irradiance"]          # free, with values of its own in each view; what `free` has
                                                        # is shared by all
    values = "lights.csv"          # known of each view, and where `each` names it, the start: a row for each file,
                                   # under a head such as file,sun.direction.x,sun.direction.y,sun.direction.z

    [values]                       # in place of that: a table for each parameter, .npy, .csv or .txt
    "sun.direction" = "directions.npy"
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from glob import glob
from pathlib import Path
from typing import Any

from diffrt.errors import MOST_PROBLEMS, InputError, did_you_mean, shown
from diffrt.files import read_toml
from diffrt.fitting.problem import DEVELOPED, MOST_VIEWS, Problem, make_problem, named_views
from diffrt.fitting.settings import SETTINGS
from diffrt.fitting.tables import known_values
from diffrt.photograph import BITS, ENCODINGS, Photograph, read_mask, read_photograph
from diffrt.scene import Scene, load_scene
from diffrt.scene.checking import check_camera

_SHOT = ("target", "encoding", "bits", "mask", "fov", *DEVELOPED)
_KEYS = ("scene", "free", "each", "values", "ties", "views", *_SHOT, *SETTINGS)
_VIEW_KEYS = (*_SHOT, "camera", "lights", "values")


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
            unknown = [key for key in view if key not in _VIEW_KEYS][: MOST_PROBLEMS + 1]
            problems += [f"views.{name}.{key}: unknown key; {did_you_mean(key, _VIEW_KEYS)}" for key in unknown]
            problems += _shot_problems(f"views.{name}.", view)
    said = {}
    for key in ("free", "each"):
        said[key] = data.get(key, {})
        if isinstance(said[key], list) and all(isinstance(name, str) for name in said[key]):
            said[key] = {name: {} for name in said[key]}
        if not isinstance(said[key], dict) or not all(isinstance(entry, dict) for entry in said[key].values()):
            problems.append(f"{key}: {_found(data, key)}; needed: names of parameters, or a table for each")
    ties = data.get("ties", {})
    if not isinstance(ties, dict) or not all(isinstance(leader, str) for leader in ties.values()):
        problems.append(f'ties: {_found(data, "ties")}; needed: lines such as "right.intensity" = "left.intensity"')
    if problems:
        raise InputError(*(f"{path}: {problem}" for problem in problems))
    folder = Path(path).parent
    scene = load_scene(folder / data["scene"])
    given = {key: data[key] for key in SETTINGS if key in data}
    alone: dict[str, Any] = {}
    files: list[Path] = []
    if views is not None:
        target: Any = {name: _view(name, view, folder, scene) for name, view in views.items()}
        files = [Path(view["target"]) for view in views.values()]
    elif is_pattern_of_files(data["target"], folder):
        target, files = read_views(data, folder, scene)
    else:
        alone = _shot(data, folder)
        target = alone.pop("target")
        if "fov" in data:
            scene, target = with_view_of(scene, target, folder / data["target"])
    if "values" in data:
        alone["values"] = known_values(data["values"], folder, files)
    try:
        return make_problem(scene, target, said["free"], ties, each=said["each"], **alone, **given)
    except InputError as fault:
        raise InputError(*(f"{path}: {problem}" for problem in fault.problems)) from None


def is_pattern_of_files(target: Any, folder: Path) -> bool:
    """Whether a target stands for several files: a list, or a pattern that is not the name of one."""
    if isinstance(target, list):
        return True
    return any(letter in target for letter in "*?[") and not os.path.exists(folder / target)


def read_views(data: Mapping[str, Any], folder: Path, scene: Scene) -> tuple[dict[str, Any], list[Path]]:
    """The views of a list or pattern of files, by name, and the files.

    data: the target, and what holds for all: encoding, mask, exposure and the like. Raises InputError as
    `named_views` and `read_photograph`, and for a pattern that matches nothing.
    """
    files = _matching("target", data["target"], folder)
    if len(files) > MOST_VIEWS:
        raise InputError(f"target: found {len(files)} files, allowed: at most {MOST_VIEWS}")
    masks: list[Path] = []
    if "mask" in data and is_pattern_of_files(data["mask"], folder):
        masks = _matching("mask", data["mask"], folder)
        if len(masks) != len(files):
            raise InputError(
                f"mask: found {len(masks)} files, needed: {len(files)}, one for each target, or one for all"
            )
    shared = read_mask(folder / data["mask"]) if "mask" in data and not masks else None
    shots = []
    for number, file in enumerate(files):
        table = {**data, "target": str(file)} | ({"mask": str(masks[number])} if masks else {})
        table = table if masks else {key: value for key, value in table.items() if key != "mask"}
        shot = _with_camera("", table, _shot(table, Path()), scene, Path())
        shots.append(shot if masks else {**shot, "mask": shared})
    return named_views(shots, scene, files), files


def _matching(key: str, target: Any, folder: Path) -> list[Path]:
    """The files of a list, or those that match a pattern, in the order of the numbers in their names."""
    if isinstance(target, list):
        return [folder / name for name in target]
    found = sorted((Path(name) for name in glob(str(folder / target))), key=_numbered)
    if not found:
        raise InputError(f"{key}: no file matches {shown(target)} in {folder}")
    return found


def _numbered(path: Path) -> list[tuple[int, int, str]]:
    """What paths are sorted by: letters as such, numbers by their value."""
    parts = re.split("([0-9]+)", str(path))
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]


def with_view_of(scene: Scene, photograph: Photograph, path: str | Path) -> tuple[Scene, Photograph]:
    """The scene with the field of view that a photograph says, which notes it. path: of the photograph.

    Raises InputError if it says none, and if the camera has a crop: then the photograph is a part of what was taken.
    """
    if photograph.view is None:
        raise InputError(f'{path}: found fov = "exif", but the file says no focal length, or it was cut to another '
                         "shape; give fov in degrees")  # fmt: skip
    if "fov" not in scene.camera.fields:
        raise InputError(f'{path}: found fov = "exif" and a camera of the type {scene.camera.type}, which has no fov')
    if scene.camera.crop:
        raise InputError(f'{path}: found fov = "exif" and a camera with a crop; give fov in degrees, of all of it')
    fov, source = photograph.view
    note = f"{path}: fov = {fov:.5g} degrees, from {source}"
    return scene.replace({"camera.fov": fov}), replace(photograph, notes=(*photograph.notes, note))


def _shot(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A photograph with its mask, and what of it is free."""
    target: Photograph = read_photograph(folder / table["target"], table.get("encoding"), bits=table.get("bits"))
    mask = read_mask(folder / table["mask"]) if "mask" in table else None
    return {"target": target, "mask": mask, **{key: table.get(key, False) for key in DEVELOPED}}


def _view(name: str, view: Mapping[str, Any], folder: Path, scene: Scene) -> dict[str, Any]:
    """A view of a table."""
    more = {key: view[key] for key in ("lights", "values") if key in view}
    return {**_with_camera(name, view, _shot(view, folder), scene, folder), **more}


def _shot_problems(where: str, table: Mapping[str, Any]) -> list[str]:
    problems = []
    target = table.get("target")
    several = not where and isinstance(target, list) and target and all(isinstance(name, str) for name in target)
    if not isinstance(target, str) and not several:
        problems.append(f"{where}target: {_found(table, 'target')}; needed: the path of an image")
    if not isinstance(table.get("mask", ""), str):
        problems.append(f"{where}mask: {_found(table, 'mask')}; needed: the path of an image")
    if table.get("encoding", "srgb") not in ENCODINGS:
        problems.append(f'{where}encoding: {_found(table, "encoding")}; allowed: "srgb" or "linear"')
    if "bits" in table and (isinstance(table["bits"], bool) or table["bits"] not in BITS):
        problems.append(f"{where}bits: {_found(table, 'bits')}; allowed: a whole number from {BITS[0]} to {BITS[-1]}")
    if table.get("fov", "exif") != "exif":
        problems.append(f'{where}fov: {_found(table, "fov")}; allowed: "exif"; degrees belong into the camera')
    for key in DEVELOPED:
        if not isinstance(table.get(key, False), bool):
            problems.append(f"{where}{key}: {_found(table, key)}; allowed: true or false")
    return problems


def _with_camera(
    name: str, view: Mapping[str, Any], shot: dict[str, Any], scene: Scene, folder: Path
) -> dict[str, Any]:
    """A view's photograph, with its own camera if it has one: what the table leaves out is the photograph's."""
    own = "camera" in view
    if own:
        table = view["camera"]
        if isinstance(table, Mapping):
            height, width = shot["target"].image.shape[:2]
            size = {} if "crop" in table else {"width": width, "height": height}
            from_exif = {"fov": 45.0} if "fov" in view and "fov" not in table else {}  # until the file is asked
            table = {**size, **from_exif, **table}
        camera, problems = check_camera(f"views.{name}.camera", table)
        if problems:
            raise InputError(*problems)
        scene = Scene.of(scene.document.model_copy(update={"camera": camera}))
    if "fov" in view:
        own = True
        scene, shot["target"] = with_view_of(scene, shot["target"], folder / view["target"])
    return {**shot, "camera": scene} if own else shot


def _found(data: Mapping[str, Any], key: str) -> str:
    return f"found {shown(data[key])}" if key in data else "missing"
