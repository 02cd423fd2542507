"""Which parameters of a fit are free, and within which bounds: names, patterns, ties."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import InputError, did_you_mean, shown
from diffrt.fitting.variables import LARGEST, Free
from diffrt.fitting.view import View
from diffrt.scene import Scene
from diffrt.scene.parameters import is_pattern, matching

Vector = NDArray[np.float64]

REACH = 0.25
"""How far a step may move a point, in distances from the camera to its target: the images of points are told by their
derivatives only nearby."""

_KEYS = ("start", "lower", "upper", "positive")

MOST_NAMES = 256
"""Names and patterns of free parameters, and ties, that a fit may have."""


@dataclass(frozen=True)
class Known:
    """A parameter that may be free: of the scene, of a view's own camera, or of a view.

    path, components: its names in the fit. shape: of its value in the scene. now: its value, (n,). minimum, maximum:
    natural bounds. is_direction: whether its length means nothing. reach: how far a step may move it.
    """

    path: str
    components: Sequence[str]
    shape: tuple[int, ...]
    now: Vector
    minimum: float
    maximum: float
    is_direction: bool = False
    reach: float = np.inf

    def component(self, index: int) -> "Known":
        """One number as a parameter of its own."""
        path = self.components[index]
        return replace(
            self, path=path, components=(path,), shape=(), now=self.now[index : index + 1], is_direction=False
        )


def known_parameters(scene: Scene, views: Sequence[View], named: Iterable[str] = ()) -> dict[str, Known]:
    """All parameters of a fit by their paths, vectors as a whole. named: parameters, or components of them, that are
    among them even if they are rare and the scene does not state them, such as the distortion of a lens."""
    found: dict[str, Known] = {}

    def add(of: Scene, prefix: str, only: str) -> None:
        distance = float(np.linalg.norm(of["camera.target"] - of["camera.position"]))
        stated = {p.path: p for p in of.parameters()}
        own = (name.removeprefix(prefix) for name in named if name.startswith(prefix))
        rare = {whole.path: whole for whole in (of.whole(path) for path in own if path in of)}
        for p in {**stated, **rare}.values():
            if p.path.startswith(only):
                names = tuple(prefix + c for c in p.components) if prefix else p.components
                reach = REACH * distance if p.unit == "scene units" else np.inf
                found[prefix + p.path] = Known(
                    prefix + p.path, names, p.shape, of.pack([p.path]), p.minimum, p.maximum, p.is_direction, reach
                )

    if not views or not all(view.own_camera for view in views):
        add(scene, "", "camera.")
    for name in scene.names:
        add(scene, "", f"{name}.")
    for view in views:
        if view.own_camera:
            add(view.scene, f"{view.name}.", "camera.")
        exposure, balance = view.path("exposure"), view.path("white_balance")
        found[exposure] = Known(exposure, (exposure,), (), np.ones(1), 1e-9, np.inf)
        found[balance] = Known(balance, (f"{balance}.r", f"{balance}.b"), (2,), np.ones(2), 1e-9, np.inf)
    return found


def choose_free(
    known: Mapping[str, Known],
    wanted: Mapping[str, Mapping[str, Any]],
    ties: Mapping[str, str],
) -> tuple[Free, ...]:
    """The free parameters.

    wanted: for each name or pattern its start, lower, upper and positive, all optional. ties: for the name of a
    parameter that of the free one that it equals.
    Raises InputError with one line per mistake.
    """
    problems = [
        f"{key}: found {len(names)} names, allowed: at most {MOST_NAMES}"
        for key, names in (("free", wanted), ("ties", ties))
        if len(names) > MOST_NAMES
    ]
    if problems:
        raise InputError(*problems)
    entries: dict[str, dict[str, Any]] = {}
    # Patterns first, so that what is said of a parameter by its name holds over what a pattern says.
    for name, entry in sorted(wanted.items(), key=lambda item: not is_pattern(item[0])):
        if not isinstance(entry, Mapping):
            problems.append(f"free: {name}: found {shown(entry)}, needed: a table of {', '.join(_KEYS)}")
            continue
        matches = [name]
        if is_pattern(name):
            try:
                untied = (one for one in known.values() if _matters(one.path) and one.path not in ties)
                matches = [path for path in matching(name, untied) if path not in ties]
            except InputError as fault:
                problems += [f"free: {problem}" for problem in fault.problems]
                continue
        for each in matches:
            entries[each] = {**entries.get(each, {}), **entry}
    found: dict[str, Free] = {}
    owner: dict[str, str] = {}
    for name, entry in entries.items():
        try:
            one = _free(_find(name, known), entry)
        except InputError as fault:
            problems += [f"free: {problem}" for problem in fault.problems]
            continue
        rival = next((owner[c] for c in one.components if c in owner), None)
        if rival:
            problems.append(f"free: '{rival}' and '{name}' name the same number; give only one of them")
        owner |= dict.fromkeys(one.components, name)
        found[name] = one
    for follower, leader in ties.items():
        try:
            own = _find(follower, known)
            if leader not in found:
                raise InputError(f"'{follower}' is tied to '{leader}', which is not free under this name")
            if any(c in owner for c in own.components):
                raise InputError(f"'{follower}' is tied or free already")
            if own.shape != found[leader].shape:
                raise InputError(f"'{follower}' and '{leader}' hold different counts of numbers")
        except InputError as fault:
            problems += [f"ties: {problem}" for problem in fault.problems]
            continue
        owner |= dict.fromkeys(own.components, follower)
        found[leader] = replace(found[leader], followers=(*found[leader].followers, follower))
    if problems:
        raise InputError(*problems)
    return tuple(found.values())


def _matters(path: str) -> bool:
    """Whether a pattern may free it: the gain of a view is free only by its own name."""
    return path.rpartition(".")[2] not in ("exposure", "white_balance")


def _numbers(value: Any) -> Vector | None:
    """An array of numbers that are infinite, or not over LARGEST; None if it is anything else."""
    try:
        array = np.asarray(value)
    except ValueError:  # a ragged list
        return None
    if array.dtype.kind not in "if":
        return None
    array = array.astype(float)
    return array if ((np.abs(array) <= LARGEST) | np.isinf(array)).all() else None


def _find(name: str, known: Mapping[str, Known]) -> Known:
    if name in known:
        return known[name]
    for one in known.values():
        if name in one.components:
            return one.component(one.components.index(name))
    names = [n for one in known.values() for n in (one.path, *one.components[:3])]
    raise InputError(f"no parameter '{name}'; {did_you_mean(name, dict.fromkeys(names))}")


def _free(known: Known, entry: Mapping[str, Any]) -> Free:
    """A parameter with its start, bounds and coordinates. Raises InputError."""
    name, now = known.path, known.now
    problems = [f"{name}.{key}: unknown key; {did_you_mean(key, _KEYS)}" for key in entry if key not in _KEYS]
    values = {}
    for key, default in (("start", now), ("lower", -np.inf), ("upper", np.inf)):
        value = _numbers(entry.get(key, default))
        if value is None or value.shape not in ((), now.shape) or (key == "start" and not np.isfinite(value).all()):
            allowed = "a number" if now.size == 1 else f"a number or {now.size} numbers"
            allowed += f", from -{LARGEST:g} to {LARGEST:g}"
            problems.append(f"{name}.{key}: found {shown(entry.get(key))}, allowed: {allowed}")
            value = np.asarray(default)
        values[key] = np.broadcast_to(value.astype(float), now.shape)
    positive = entry.get("positive", known.minimum > 0.0 and known.maximum == np.inf)
    if not isinstance(positive, bool):
        problems.append(f"{name}.positive: found {shown(positive)}, allowed: true or false")
    if problems:
        raise InputError(*problems)
    start, lower, upper = values["start"], values["lower"], values["upper"]
    given = bool(np.isfinite(lower).any() or np.isfinite(upper).any())
    if (lower >= upper).any():
        raise InputError(f"{name}: found a lower bound {lower.tolist()} that is not under the upper {upper.tolist()}")
    if given and known.is_direction:
        raise InputError(f"{name}: is a direction, which has no bounds; free single components to bound them")
    lower, upper = np.maximum(lower, known.minimum), np.minimum(upper, known.maximum)
    if ((start < lower) | (start > upper)).any():
        raise InputError(
            f"{name}: found a start {start.tolist()} outside its bounds {lower.tolist()} to {upper.tolist()}"
        )
    if known.is_direction:
        if not start.any():
            raise InputError(f"{name}: found a start of length 0, which is no direction")
        return Free(name, known.components, "direction", start, lower, upper, shape=known.shape)
    if positive and (start <= 0.0).any():
        raise InputError(f"{name}: found a start {start.tolist()}, needed: numbers over 0, as it is positive")
    if positive:
        return Free(name, known.components, "positive", start, lower, upper, shape=known.shape)
    return Free(name, known.components, "plain", start, lower, upper, shape=known.shape, reach=known.reach)
