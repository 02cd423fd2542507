"""What a fit is asked, checked: views of a scene, the parameters that are free, and how to search."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import MOST_PROBLEMS, InputError, did_you_mean, shown
from diffrt.fitting.freeing import choose_free, for_each_view, known_parameters
from diffrt.fitting.image_start import start_from_image
from diffrt.fitting.level import Level, automatic_blurs, level_of
from diffrt.fitting.settings import SETTINGS, Settings
from diffrt.fitting.variables import Variables
from diffrt.fitting.view import View
from diffrt.image import Image
from diffrt.photograph import Photograph
from diffrt.scene import Scene
from diffrt.scene.scene import each_of, expect_scene

DEVELOPED = ("exposure", "white_balance", "vignetting", "response")
_VIEW_KEYS = ("target", "camera", "lights", "values", "mask", *DEVELOPED)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")

MOST_VIEWS = 4096
"""Photographs that one fit may have."""

BRIGHTEST = 1e100
"""The largest value of a target. Squares of larger ones are none that a float can hold."""


@dataclass(frozen=True)
class Problem:
    """A checked fit.

    scene: with its start values. views: one or more. variables: the free parameters. settings: how to search. notes:
    what was read from the images before the search, in words.
    """

    scene: Scene
    views: tuple[View, ...]
    variables: Variables
    settings: Settings = field(default_factory=Settings)
    notes: tuple[str, ...] = ()

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """From coarse to fine."""
        blurs = self.settings.levels
        if blurs is None:
            blurs = automatic_blurs(min(min(view.size) for view in self.views))
        return (*map(self.level, blurs), Level())

    def level(self, blur: float) -> Level:
        """The level of a blur in pixels."""
        sizes = [view.size for view in self.views]
        # A factor must suit every view.
        return level_of(blur, int(np.gcd.reduce([w for w, _ in sizes])), int(np.gcd.reduce([h for _, h in sizes])))


def make_problem(
    scene: Scene,
    target: Any,
    free: str | Iterable[str] | Mapping[str, Mapping[str, Any]] = (),
    ties: Mapping[str, str] | None = None,
    mask: Any = None,
    exposure: bool = False,
    white_balance: bool = False,
    vignetting: bool = False,
    response: bool = False,
    each: str | Iterable[str] | Mapping[str, Mapping[str, Any]] = (),
    values: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Problem:
    """A fit of a scene to a target, or to several.

    target: an image (height, width, 3) of linear RGB, a Photograph, or several: a mapping from the name of a view to a
    mapping with `target` and, all optional, `camera` (a scene whose camera it is), `lights` (the names of those that
    shine in this view, all if not given), `values` (of parameters that this view has its own of, by path), `mask`,
    `exposure`, `white_balance`, `vignetting` and `response`; or a list of such mappings, or of targets, which are then
    view1, view2 and so on.
    free: names of parameters or patterns such as "ball.*", or for each a mapping with `start`, `lower`, `upper`, each a
    number or one for each component, and `positive`, all optional. each: the same of parameters that every view has its
    own values of. ties: for the name of a parameter, that of the free one that it is equal to. values: of parameters of
    several views by path, a row for each view; known, or where `each` has them, the start. mask: (height, width), True
    where a pixel counts. exposure, white_balance: whether they are free. vignetting, response: the same, of the camera
    of each view. settings: as for `Settings`.
    Raises InputError with one line per mistake.
    """
    expect_scene(scene, "fit")
    unknown = [key for key in settings if key not in SETTINGS][: MOST_PROBLEMS + 1]
    problems = [f"{key}: unknown setting; {did_you_mean(key, SETTINGS)}" for key in unknown]
    chosen = Settings()
    try:
        chosen = Settings(**{key: value for key, value in settings.items() if key in SETTINGS})
    except InputError as fault:
        problems += fault.problems
    alone = {"target": target, "mask": mask, "exposure": exposure, "white_balance": white_balance,
             "vignetting": vignetting, "response": response}  # fmt: skip
    views: list[View] = []
    gains: dict[str, Mapping[str, Any]] = {}
    shots: Mapping[str, Any] = {"": alone}
    if isinstance(target, Mapping) or is_several(target):
        shots = target if isinstance(target, Mapping) else named_views(target, scene)
        defaults = {key: value for key, value in alone.items() if key != "target" and value is not None}
        shots = {name: {**defaults, **shot} if isinstance(shot, Mapping) else shot for name, shot in shots.items()}
    if len(shots) > MOST_VIEWS:
        raise InputError(f"views: found {len(shots)}, allowed: at most {MOST_VIEWS}")
    rows = _rows(values, list(shots), scene)
    for name, given in shots.items():
        try:
            view = _view(name, scene, given, rows[name])
        except InputError as fault:
            problems += fault.problems
            continue
        views.append(view)
        gains |= {view.path(gain): {} for gain in ("exposure", "white_balance") if given.get(gain)}
        gains |= {view.path_of_camera(own): {} for own in ("vignetting", "response") if given.get(own)}
    if not shots:
        problems.append("views: found none, needed: at least one")
    wanted, every = _wanted("free", free), _wanted("each", each)
    if ties is not None and not (isinstance(ties, Mapping) and all(isinstance(n, str) for n in chain(*ties.items()))):
        raise InputError(f"ties: found {shown(ties)}, needed: for the name of a parameter that of the one it equals")
    if not wanted and not gains and not every:
        problems.append("free: found no parameter, needed: at least one, such as lamp.position")
    variables = Variables(())
    given = {view.path(path) for view in views for path in view.own}
    try:
        views, entries, tied = for_each_view(every, wanted, ties or {}, scene, views)
        entries |= {gain: {**gains[gain], **entries.get(gain, {})} for gain in gains}
        named = {*entries, *chain(*tied.items())}
        variables = Variables(choose_free(known_parameters(scene, views, named), entries, tied))
    except InputError as fault:
        problems += fault.problems
    if problems:
        raise InputError(*problems)
    notes: tuple[str, ...] = ()
    if chosen.start == "image":
        given |= {name for name, entry in entries.items() if "start" in entry}
        variables, notes = start_from_image(views, variables, given)
    moved = variables.assign(variables.start)
    try:
        views = [replace(view, scene=view.placed(moved)) for view in views]
    except InputError as fault:
        raise InputError(*(f"free: {problem}" for problem in fault.problems)) from None
    numbers, count = len(variables.start), sum(3 * int(view.used.sum()) for view in views)
    if numbers > count:
        raise InputError(f"free: found {numbers} numbers, but the target has {count}; free fewer of them")
    start = scene.replace({path: value for path, value in moved.items() if path in scene})
    return Problem(start, tuple(views), variables, chosen, notes)


def is_several(target: Any) -> bool:
    """Whether a target is a list of views, and no image of nested lists."""
    if not isinstance(target, list | tuple) or any(isinstance(one, list | tuple) for one in target):
        return False
    return all(isinstance(one, Mapping | Photograph | str | PathLike) or np.ndim(one) == 3 for one in target)


def named_views(shots: Sequence[Any], scene: Scene, files: Sequence[str | PathLike[str]] = ()) -> dict[str, Any]:
    """A list of views by their names: those of their files, if they have such that differ and name nothing in the
    scene; else view1, view2 and so on. Raises InputError if a file is there twice."""
    paths = [Path(file) for file in files]
    for path, times in Counter(path.resolve() for path in paths).items():
        if times > 1:
            raise InputError(f"views: {path.name} is there {times} times; a photograph counts once")
    names = [re.sub(r"[^A-Za-z0-9_-]", "_", path.stem) for path in paths]
    fitting = all(_NAME.fullmatch(name) and name not in ("camera", *scene.names) for name in names)
    if not names or not fitting or len(set(names)) < len(names):
        names = [f"view{number + 1}" for number in range(len(shots))]
    return {name: shot if isinstance(shot, Mapping) else {"target": shot}
            for name, shot in zip(names, shots, strict=True)}  # fmt: skip


def _rows(values: Any, names: Sequence[str], scene: Scene) -> dict[str, dict[str, Any]]:
    """What is known of each view, by its name: for each parameter its row. Raises InputError."""
    if values is None:
        return {name: {} for name in names}
    if not isinstance(values, Mapping):
        raise InputError(f"values: found {shown(values)}, needed: rows of numbers by the path of a parameter")
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    for path, given in values.items():
        if path not in scene:
            raise InputError(f"values: {_unknown(scene, path)}")
        table = _array(given)
        if table is None or table.ndim == 0 or table.dtype.kind not in "fiu":
            raise InputError(f"values: {shown(path)}: found {shown(given)}, needed: a row of numbers for each view")
        if len(table) != len(names):
            raise InputError(f"values: {path}: found {len(table)} rows, needed: {len(names)}, one for each view")
        for name, row in zip(names, table, strict=True):
            found[name][path] = row[0] if row.shape == (1,) else row
    return found


def _wanted(key: str, free: Any) -> dict[str, Any]:
    """What is said of each free parameter, by its name. Raises InputError."""
    names = each_of(free)
    if not all(isinstance(name, str) for name in names):
        raise InputError(f"{key}: found {shown(free)}, needed: names of parameters, or a mapping from each to a table")
    return {name: free[name] if isinstance(free, Mapping) else {} for name in names}


def _view(name: Any, scene: Scene, given: Any, known: Mapping[str, Any]) -> View:
    """A checked view. known: its row of the table of values. Raises InputError."""
    where = f"views.{name}: " if name else ""
    if not isinstance(given, Mapping):
        raise InputError(f"{where}found {shown(given)}, needed: a mapping with target, and more if you like")
    unknown = [key for key in given if key not in _VIEW_KEYS]
    if "target" not in given:
        raise InputError(f"{where}target: missing; needed: an image, or its path")
    if unknown:
        raise InputError(f"{where}{unknown[0]}: unknown key; {did_you_mean(unknown[0], _VIEW_KEYS)}")
    taken = {"camera", *scene.names}
    if name != "" and (not isinstance(name, str) or not _NAME.fullmatch(name) or name in taken):
        allowed = "letters, digits, _ and -, and nothing that the scene has a name for"
        raise InputError(f"views: found the name {shown(name)}, allowed: {allowed}")
    camera = given.get("camera")
    if camera is not None:
        expect_scene(camera, f"{where}camera")
        scene = scene.replace(camera=camera.camera)
    if "lights" in given:
        scene = _lit(scene, given["lights"], where)
    own = given.get("values", {})
    if not isinstance(own, Mapping):
        raise InputError(f"{where}values: found {shown(own)}, needed: a value by the path of each parameter")
    own = {**{path: value for path, value in known.items() if path in scene}, **own}
    unknown = [_unknown(scene, path) for path in own if path not in scene]
    try:
        scene = scene if unknown else scene.replace(own)
    except InputError as fault:
        unknown = list(fault.problems)
    if unknown:
        raise InputError(*(f"{where}values: {problem}" for problem in unknown))
    wholes = {path: scene.whole(path) for path in own}
    own_paths = {whole.path if all(c in own for c in whole.components) else path for path, whole in wholes.items()}
    photograph = given["target"]
    if not isinstance(photograph, Photograph):
        values = _array(photograph)
        if values is None or values.ndim != 3 or values.shape[-1] != 3 or values.dtype.kind not in "fiu":
            raise InputError(f"{where}target: found {shown(photograph)}, needed: numbers of shape (height, width, 3)")
        if not np.isfinite(values).all():
            raise InputError(f"{where}target: holds values that are not finite")
        nowhere = np.zeros(values.shape, bool)
        photograph = Photograph(Image(values), nowhere, nowhere)
    width, height = scene.camera.size
    needed = f"needed: {width} x {height}, as the camera has"
    if photograph.image.shape != (height, width, 3):
        found = photograph.image.shape
        hint = "; a view of another size needs a camera of its own" if name and camera is None else ""
        raise InputError(f"{where}target: found {found[1]} x {found[0]} pixels, {needed}{hint}")
    if not (np.abs(photograph.image) <= BRIGHTEST).all():
        raise InputError(f"{where}target: holds values over {BRIGHTEST:g}, the most that can be squared and added up")
    for key in DEVELOPED:
        if not isinstance(given.get(key, False), bool | np.bool_):
            raise InputError(f"{where}{key}: found {shown(given[key])}, allowed: true or false")
    mask = given.get("mask")
    used = np.ones((height, width), bool) if mask is None else _array(mask)
    if used is None or used.dtype.kind not in "biuf":
        raise InputError(f"{where}mask: found {shown(mask)}, needed: an array that is True where a pixel counts")
    if used.shape != (height, width):
        raise InputError(f"{where}mask: found {' x '.join(map(str, used.shape[1::-1]))} pixels, {needed}")
    used = used.astype(bool)
    if not used.any():
        raise InputError(f"{where}mask: leaves no pixel")
    used = used & photograph.opaque
    if not used.any():
        raise InputError(f"{where}target: is transparent wherever it counts; nothing can be recovered from it")
    if not np.asarray(photograph.image)[used].any():
        raise InputError(f"{where}target: every pixel is black; nothing can be recovered from it")
    if (photograph.dark | photograph.bright)[used].all():
        raise InputError(f"{where}target: every pixel is clipped, and says only that there is more or less light")
    return View(name, scene, photograph, used, camera is not None, frozenset(own_paths))


def _unknown(scene: Scene, path: Any) -> str:
    """What is said of the path of no parameter."""
    known = dict.fromkeys(name for p in scene.parameters() for name in p.names)
    return f"no parameter {shown(path)}; {did_you_mean(str(path), known)}"


def _lit(scene: Scene, lights: Any, where: str) -> Scene:
    """The scene with some of its lights. Raises InputError."""
    names = each_of(lights)
    for name in names:
        if not isinstance(name, str) or name not in scene.lights:
            raise InputError(f"{where}lights: found {shown(name)}; {did_you_mean(str(name), scene.lights)}")
    return scene.replace(lights={name: light for name, light in scene.lights.items() if name in names})


def _array(values: Any) -> NDArray[Any] | None:
    """The values as an array, None if they are a ragged list."""
    try:
        return np.asarray(values)
    except (ValueError, TypeError):
        return None
