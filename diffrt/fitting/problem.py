"""What a fit is asked, checked: views of a scene, the parameters that are free, and how to search."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import MOST_PROBLEMS, InputError, did_you_mean, shown
from diffrt.fitting.freeing import choose_free, known_parameters
from diffrt.fitting.level import Level, automatic_blurs, level_of
from diffrt.fitting.settings import SETTINGS, Settings
from diffrt.fitting.variables import Variables
from diffrt.fitting.view import View
from diffrt.image import Image
from diffrt.photograph import Photograph
from diffrt.scene import Scene
from diffrt.scene.scene import each_of, expect_scene

_VIEW_KEYS = ("target", "camera", "mask", "exposure", "white_balance")

MOST_VIEWS = 64
"""Photographs that one fit may have."""

BRIGHTEST = 1e100
"""The largest value of a target. Squares of larger ones are none that a float can hold."""


@dataclass(frozen=True)
class Problem:
    """A checked fit.

    scene: with its start values. views: one or more. variables: the free parameters. settings: how to search.
    """

    scene: Scene
    views: tuple[View, ...]
    variables: Variables
    settings: Settings = field(default_factory=Settings)

    @property
    def levels(self) -> tuple[Level, ...]:
        """From coarse to fine."""
        blurs = self.settings.levels
        if blurs is None:
            # Outliers are few pixels of the full image, and in a blurred one they are everywhere.
            side = min(min(view.counted.scene.camera.size) for view in self.views)
            blurs = automatic_blurs(side) if self.settings.loss == "squared" else ()
        return (*map(self.level, blurs), Level())

    def level(self, blur: float) -> Level:
        """The level of a blur in pixels."""
        sizes = [view.counted.scene.camera.size for view in self.views]
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
    **settings: Any,
) -> Problem:
    """A fit of a scene to a target, or to several.

    target: an image (height, width, 3) of linear RGB, a Photograph, or a mapping from the name of a view to a mapping
    with `target` and, all optional, `camera` (a scene whose camera it is), `mask`, `exposure` and `white_balance`.
    free: names of parameters or patterns such as "ball.*", or for each a mapping with `start`, `lower`, `upper`, each a
    number or one for each component, and `positive`, all optional. ties: for the name of a parameter, that of the free
    one that it is equal to. mask: (height, width), True where a pixel counts. exposure, white_balance: whether they are
    free. settings: as for `Settings`.
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
    alone = {"target": target, "mask": mask, "exposure": exposure, "white_balance": white_balance}
    views: list[View] = []
    gains: dict[str, Mapping[str, Any]] = {}
    shots = target if isinstance(target, Mapping) else {"": alone}
    if len(shots) > MOST_VIEWS:
        raise InputError(f"views: found {len(shots)}, allowed: at most {MOST_VIEWS}")
    for name, given in shots.items():
        try:
            view = _view(name, scene, given)
        except InputError as fault:
            problems += fault.problems
            continue
        views.append(view)
        gains |= {view.path(gain): {} for gain in ("exposure", "white_balance") if given.get(gain)}
    if isinstance(target, Mapping) and not target:
        problems.append("views: found none, needed: at least one")
    wanted = _wanted(free)
    if ties is not None and not (isinstance(ties, Mapping) and all(isinstance(n, str) for n in chain(*ties.items()))):
        raise InputError(f"ties: found {shown(ties)}, needed: for the name of a parameter that of the one it equals")
    if not wanted and not gains:
        problems.append("free: found no parameter, needed: at least one, such as lamp.position")
    variables = Variables(())
    try:
        variables = Variables(choose_free(known_parameters(scene, views, wanted), {**wanted, **gains}, ties or {}))
    except InputError as fault:
        problems += fault.problems
    if problems:
        raise InputError(*problems)
    values = variables.assign(variables.start)
    try:
        views = [View(v.name, v.placed(values), v.photograph, v.used, v.own_camera) for v in views]
    except InputError as fault:
        raise InputError(*(f"free: {problem}" for problem in fault.problems)) from None
    numbers, count = len(variables.start), sum(3 * int(view.used.sum()) for view in views)
    if numbers > count:
        raise InputError(f"free: found {numbers} numbers, but the target has {count}; free fewer of them")
    start = scene.replace({path: value for path, value in values.items() if path in scene})
    return Problem(start, tuple(views), variables, chosen)


def _wanted(free: Any) -> dict[str, Any]:
    """What is said of each free parameter, by its name. Raises InputError."""
    names = each_of(free)
    if not all(isinstance(name, str) for name in names):
        raise InputError(f"free: found {shown(free)}, needed: names of parameters, or a mapping from each to a table")
    return {name: free[name] if isinstance(free, Mapping) else {} for name in names}


def _view(name: Any, scene: Scene, given: Any) -> View:
    """A checked view. Raises InputError."""
    where = f"views.{name}: " if name else ""
    if not isinstance(given, Mapping):
        raise InputError(f"{where}found {shown(given)}, needed: a mapping with target, and more if you like")
    unknown = [key for key in given if key not in _VIEW_KEYS]
    if "target" not in given:
        raise InputError(f"{where}target: missing; needed: an image, or its path")
    if unknown:
        raise InputError(f"{where}{unknown[0]}: unknown key; {did_you_mean(unknown[0], _VIEW_KEYS)}")
    taken = {"camera", *scene.names}
    if name != "" and (not isinstance(name, str) or not name.isidentifier() or name in taken):
        raise InputError(f"views: found the name {shown(name)}, allowed: a word that names nothing in the scene")
    camera = given.get("camera")
    if camera is not None:
        expect_scene(camera, f"{where}camera")
        scene = scene.replace(camera=camera.camera)
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
        raise InputError(f"{where}target: found {found[1]} x {found[0]} pixels, {needed}")
    if not (np.abs(photograph.image) <= BRIGHTEST).all():
        raise InputError(f"{where}target: holds values over {BRIGHTEST:g}, the most that can be squared and added up")
    for key in ("exposure", "white_balance"):
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
    return View(name, scene, photograph, used, camera is not None)


def _array(values: Any) -> NDArray[Any] | None:
    """The values as an array, None if they are a ragged list."""
    try:
        return np.asarray(values)
    except (ValueError, TypeError):
        return None
