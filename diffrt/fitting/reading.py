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
    camera = { position = [0, 2, 6], target = [0, 0, 0], fov = 45 }  # width and height are the photograph's
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from diffrt.errors import MOST_PROBLEMS, InputError, did_you_mean, shown
from diffrt.files import read_toml
from diffrt.fitting.problem import MOST_VIEWS, Problem, make_problem
from diffrt.fitting.settings import SETTINGS
from diffrt.photograph import BITS, ENCODINGS, Photograph, read_mask, read_photograph
from diffrt.scene import Scene, load_scene
from diffrt.scene.checking import check_camera

_SHOT = ("target", "encoding", "bits", "mask", "fov", "exposure", "white_balance")
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
        if "fov" in data:
            scene, target = with_view_of(scene, target, folder / data["target"])
    else:
        alone = {}
        target = {name: _with_camera(name, view, _shot(view, folder), scene, folder) for name, view in views.items()}
    try:
        return make_problem(scene, target, free, ties, **alone, **given)
    except InputError as fault:
        raise InputError(*(f"{path}: {problem}" for problem in fault.problems)) from None


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
    if "bits" in table and (isinstance(table["bits"], bool) or table["bits"] not in BITS):
        problems.append(f"{where}bits: {_found(table, 'bits')}; allowed: a whole number from {BITS[0]} to {BITS[-1]}")
    if table.get("fov", "exif") != "exif":
        problems.append(f'{where}fov: {_found(table, "fov")}; allowed: "exif"; degrees belong into the camera')
    for key in ("exposure", "white_balance"):
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
