"""What a fit is asked, checked: views of a scene, the parameters that are free, and how to search."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any

import numpy as np

from diffrt.errors import InputError, did_you_mean
from diffrt.fit.freeing import choose_free, known_parameters
from diffrt.fit.level import Level, automatic_levels, levels_of
from diffrt.fit.residual import LOSSES, SPACES
from diffrt.fit.variables import Variables
from diffrt.fit.view import View
from diffrt.image import Image
from diffrt.photograph import Photograph
from diffrt.scene import Scene

BOUNDED = ("least_squares", "L-BFGS-B", "TNC", "SLSQP", "trust-constr")
METHODS = (*BOUNDED, "BFGS", "CG", "Newton-CG")
"""scipy's least_squares, and the methods of its minimize that work with a gradient."""

_WHOLE = {"cells": (1, 64), "iterations": (1, 100_000), "starts": (1, 65_536), "refine": (1, 1024),
          "seed": (0, 2**63 - 1)}  # fmt: skip
_WORDS = {"method": METHODS, "loss": LOSSES, "space": SPACES}
_VIEW_KEYS = ("target", "camera", "mask", "exposure", "white_balance")


@dataclass(frozen=True)
class Settings:
    """How a fit searches.

    cells: per pixel side. method: one of METHODS. loss, scale: see `residual.py`; the scale is in units of the image.
    space: what is compared, "linear" values or "srgb" encoded ones. iterations: the most evaluations (least_squares) or
    iterations (others) at each level. levels: blurs in pixels from coarse to fine, before the full image; () for none,
    None for automatic. starts: how many points in the bounds are tried; 1 is the start that is given. refine: how many
    of them, the best, are searched from. seed: of these points.
    Raises InputError, one line per mistake.
    """

    cells: int = 1
    method: str = "least_squares"
    loss: str = "squared"
    scale: float = 0.05
    space: str = "linear"
    iterations: int = 200
    levels: tuple[float, ...] | None = None
    starts: int = 1
    refine: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        problems = []
        for key, (least, most) in _WHOLE.items():
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
                problems.append(f"{key}: found {value!r:.60}, allowed: a whole number from {least} to {most}")
        for key, allowed in _WORDS.items():
            value = getattr(self, key)
            if value not in allowed:
                near = get_close_matches(str(value), allowed, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                problems.append(f"{key}: found {value!r:.60}, allowed: one of {', '.join(allowed)}{hint}")
        if not (_is_number(self.scale) and 0.0 < self.scale < np.inf):
            problems.append(f"scale: found {self.scale!r:.60}, allowed: a number over 0")
        blurs = self.levels
        if blurs is not None:
            if isinstance(blurs, Sequence) and all(_is_number(b) and 0.0 < b <= 1e4 for b in blurs):
                object.__setattr__(self, "levels", tuple(float(b) for b in blurs))
            else:
                problems.append(f"levels: found {blurs!r:.60}, allowed: blurs in pixels, from the coarsest")
        if problems:
            raise InputError(*problems)


SETTINGS = tuple(f.name for f in fields(Settings))


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
        sizes = [view.scene.camera.size for view in self.views]
        if self.settings.levels is None:
            # What is enough for the smallest image; a factor must suit every view.
            return min((automatic_levels(*size) for size in sizes), key=lambda levels: levels[0].blur)
        common = (int(np.gcd.reduce([w for w, _ in sizes])), int(np.gcd.reduce([h for _, h in sizes])))
        return levels_of(self.settings.levels, *common)


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
    problems = [f"{key}: unknown setting; {did_you_mean(key, SETTINGS)}" for key in settings if key not in SETTINGS]
    chosen = Settings()
    try:
        chosen = Settings(**{key: value for key, value in settings.items() if key in SETTINGS})
    except InputError as fault:
        problems += fault.problems
    alone = {"target": target, "mask": mask, "exposure": exposure, "white_balance": white_balance}
    views: list[View] = []
    gains: dict[str, Mapping[str, Any]] = {}
    for name, given in (target if isinstance(target, Mapping) else {"": alone}).items():
        try:
            view = _view(name, scene, given)
        except InputError as fault:
            problems += fault.problems
            continue
        views.append(view)
        gains |= {view.path(gain): {} for gain in ("exposure", "white_balance") if given.get(gain)}
    if isinstance(target, Mapping) and not target:
        problems.append("views: found none, needed: at least one")
    names = [free] if isinstance(free, str) else free
    wanted = dict(names) if isinstance(names, Mapping) else {name: {} for name in names}
    if not wanted and not gains:
        problems.append("free: found no parameter, needed: at least one, such as lamp.position")
    variables = Variables(())
    if len(views) or not problems:
        try:
            known = known_parameters(scene, views)
            variables = Variables(choose_free(known, {**wanted, **gains}, ties or {}, chosen.method in BOUNDED))
        except InputError as fault:
            problems += fault.problems
    if problems:
        raise InputError(*problems)
    values = variables.assign(variables.start)
    try:
        views = [View(v.name, v.placed(values), v.photograph, v.used, v.own_camera) for v in views]
    except InputError as fault:
        raise InputError(*(f"free: {problem}" for problem in fault.problems)) from None
    own = {p.path for p in scene.parameters()} | {c for p in scene.parameters() for c in p.components}
    numbers, count = len(variables.start), sum(3 * int(view.used.sum()) for view in views)
    if numbers > count:
        raise InputError(f"free: found {numbers} numbers, but the target has {count}; free fewer of them")
    start = scene.replace({path: value for path, value in values.items() if path in own})
    return Problem(start, tuple(views), variables, chosen)


def _view(name: str, scene: Scene, given: Mapping[str, Any]) -> View:
    """A checked view. Raises InputError."""
    where = f"views.{name}: " if name else ""
    unknown = [key for key in given if key not in _VIEW_KEYS]
    if unknown:
        raise InputError(f"{where}{unknown[0]}: unknown key; {did_you_mean(unknown[0], _VIEW_KEYS)}")
    taken = {"camera", *scene.names}
    if name and (not name.isidentifier() or name in taken):
        raise InputError(f"views: found the name {name!r}, allowed: a word that no shape or light has, nor the camera")
    camera = given.get("camera")
    if camera is not None:
        scene = Scene(scene.document.model_copy(update={"camera": camera.document.camera}))
    photograph = given["target"]
    if not isinstance(photograph, Photograph):
        values = np.asarray(photograph)
        if values.ndim != 3 or values.shape[-1] != 3 or values.dtype.kind not in "fiu":
            raise InputError(f"{where}target: found the shape {values.shape}, needed: (height, width, 3), numbers")
        if not np.isfinite(values).all():
            raise InputError(f"{where}target: holds values that are not finite")
        nowhere = np.zeros(values.shape, bool)
        photograph = Photograph(Image(values), nowhere, nowhere)
    width, height = scene.camera.size
    needed = f"needed: {width} x {height}, as the camera has"
    if photograph.image.shape != (height, width, 3):
        found = photograph.image.shape
        raise InputError(f"{where}target: found {found[1]} x {found[0]} pixels, {needed}")
    mask = given.get("mask")
    used = np.ones((height, width), bool) if mask is None else np.asarray(mask)
    if used.shape != (height, width):
        raise InputError(f"{where}mask: found {' x '.join(map(str, used.shape[1::-1]))} pixels, {needed}")
    used = used.astype(bool)
    if not used.any():
        raise InputError(f"{where}mask: leaves no pixel")
    if not np.asarray(photograph.image)[used].any():
        raise InputError(f"{where}target: every pixel is black; nothing can be recovered from it")
    return View(name, scene, photograph, used, camera is not None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
