"""Which parameters of a fit are free, in which views, and within which bounds: names, patterns, ties."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from diffrt.errors import InputError, did_you_mean, shown
from diffrt.fitting.variables import LARGEST, Free
from diffrt.fitting.view import View
from diffrt.scene import Scene
from diffrt.scene.parameters import is_pattern, matching
from diffrt.types import Array

REACH = 0.25
"""How far a step may move a point, in distances from the camera to its target: the images of points are told by their
derivatives only nearby."""

_KEYS = ("start", "lower", "upper", "positive")

_GAINS = ("exposure", "white_balance")
"""Parameters of a view that are not of its scene."""

_OF_CAMERA = {"vignetting": (0.0, -1.0, 0.95), "response": (1.0, 0.2, 5.0)}
"""The same of all views by one camera: where they start, and between what they stay."""

MOST_NAMES = 256
"""Names and patterns of free parameters, and ties, that a fit may have."""


@dataclass(frozen=True)
class Known:
    """A parameter that may be free: of the scene, of a view's own camera, or of a view.

    path, components: its names in the fit. shape: of its value in the scene. now: its value, (n,). minimum, maximum:
    natural bounds. is_direction: whether its length means nothing. reach: how far a step may move it. view: the name
    of the view that it belongs to, "" if it is shared.
    """

    path: str
    components: Sequence[str]
    shape: tuple[int, ...]
    now: Array
    minimum: float
    maximum: float
    is_direction: bool = False
    reach: float = np.inf
    view: str = ""

    def component(self, index: int) -> "Known":
        """One number as a parameter of its own."""
        path = self.components[index]
        return replace(
            self, path=path, components=(path,), shape=(), now=self.now[index : index + 1], is_direction=False
        )


def for_each_view(
    each: Mapping[str, Mapping[str, Any]],
    wanted: Mapping[str, Mapping[str, Any]],
    ties: Mapping[str, str],
    scene: Scene,
    views: Sequence[View],
) -> tuple[list[View], dict[str, Mapping[str, Any]], dict[str, str]]:
    """The views with their own parameters, and what is free and tied, view by view.

    each: for each name or pattern what is said of the parameters that every view has its own values of. wanted, ties:
    as for `choose_free`; what is said there of such a parameter holds in every view. A parameter that `wanted` has by
    the name of a view and its path, such as "front.sun.irradiance", is that view's own too.
    Raises InputError with one line per mistake.
    """
    problems = [
        f"{key}: found {len(names)} names, allowed: at most {MOST_NAMES}"
        for key, names in (("free", wanted), ("each", each), ("ties", ties))
        if len(names) > MOST_NAMES
    ]
    if problems:
        raise InputError(*problems)
    said: dict[str, Mapping[str, Any]] = {}
    known = dict.fromkeys((*_GAINS, *(name for p in scene.parameters() for name in p.names)))
    for name, entry in sorted(each.items(), key=lambda item: not is_pattern(item[0])):
        if is_pattern(name):
            try:
                said |= {path: {**said.get(path, {}), **entry} for path in matching(name, scene.parameters())}
            except InputError as fault:
                problems += [f"each: {problem}" for problem in fault.problems]
        elif name in _GAINS or name in scene:
            said[name] = {**said.get(name, {}), **entry}
        else:
            problems.append(f"each: no parameter '{name}'; {did_you_mean(name, known)}")
    if said and not all(view.name for view in views):
        problems.append("each: there is one view; free its parameters by their names")
    if problems:
        raise InputError(*problems)
    known_in_all = [
        name for name in wanted
        if name not in said and not is_pattern(name) and views and all(view.has_own_value(name) for view in views)
    ]  # fmt: skip
    if known_in_all:
        raise InputError(*(f"free: every view has its own {name}; name it in each to free it" for name in known_in_all))
    rest = {name: entry for name, entry in wanted.items() if name not in said}
    tied = {follower: leader for follower, leader in ties.items() if leader not in said}
    scenes = {view.name: view.scene for view in views}
    named: dict[str, set[str]] = {view.name: set() for view in views}
    for name in (*rest, *chain(*tied.items())):
        whose, _, path = name.partition(".")
        if whose in scenes and not is_pattern(name) and path in scenes[whose]:
            named[whose].add(path)
    found = []
    for view in views:
        mine = [path for path in said if path in _GAINS or path in view.scene]
        for path in mine:
            rest[view.path(path)] = {**said[path], **wanted.get(path, {}), **wanted.get(view.path(path), {})}
        followers = [follower for follower, leader in ties.items() if leader in said and follower in view.scene]
        tied |= {view.path(follower): view.path(ties[follower]) for follower in followers}
        own = {path for path in (*mine, *followers, *named[view.name]) if path not in _GAINS}
        found.append(replace(view, own=view.own | own) if view.name else view)
    return found, rest, tied


def known_parameters(scene: Scene, views: Sequence[View], named: Collection[str] = ()) -> dict[str, Known]:
    """All parameters of a fit by their paths, vectors as a whole; those of a view alone under its name.

    named: the names that are free or tied. By its name alone is free what a view has its own values of, which are
    known, and what is rare and the scene does not state, such as the distortion of a lens.
    """
    stated = [p.path for p in scene.parameters()]
    rare = [
        scene.whole(name).path for name in named if name.partition(".")[0] in ("camera", *scene.names) and name in scene
    ]
    paths = dict.fromkeys([*stated, *rare])
    shared = [path for path in paths if not views or not all(view.has_own(path) for view in views)]
    found = {path: _known(scene, path) for path in shared}
    for view in views:
        mine = [p.path for p in view.scene.parameters() if p.path.startswith("camera.")] if view.own_camera else []
        own = [path for path in sorted(view.own) if view.path(path) in named]
        for path in dict.fromkeys([*mine, *own]):
            found[view.path(path)] = _known(view.scene, path, view)
        for gain, letters in (("exposure", ""), ("white_balance", "rb")):
            path = view.path(gain)
            names = tuple(f"{path}.{letter}" for letter in letters) or (path,)
            shape = (len(letters),) if letters else ()
            found[path] = Known(path, names, shape, np.ones(len(names)), 1e-9, np.inf, view=view.name)
        for of_camera, (start, least, most) in _OF_CAMERA.items():
            path = view.path_of_camera(of_camera)
            own_view = view.name if view.own_camera else ""
            found[path] = Known(path, (path,), (), np.array([start]), least, most, view=own_view)
    return found


def _known(scene: Scene, path: str, view: View | None = None) -> Known:
    """A parameter of a scene, whole or a component, as one of all views or of one."""
    whole = scene.whole(path)
    within = view.path if view else str
    components = whole.components if view is None else tuple(map(view.path, whole.components))
    distance = float(np.linalg.norm(scene["camera.target"] - scene["camera.position"]))
    reach = REACH * distance if whole.unit == "scene units" else np.inf
    found = Known(within(whole.path), components, whole.shape, scene.pack([whole.path]), whole.minimum, whole.maximum,
                  whole.is_direction, reach, view.name if view else "")  # fmt: skip
    return found if path == whole.path else found.component(whole.components.index(path))


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
    problems: list[str] = []
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
        first = found[leader]
        view = first.view if own.view == first.view else ""
        found[leader] = replace(first, followers=(*first.followers, follower), view=view)
    shared = {component: f.name for f in found.values() if not f.view for component in f.components}
    for f in found.values():
        path = f.name.removeprefix(f"{f.view}.")
        if f.view and shared.get(path, path) != path:
            problems.append(f"free: '{shared[path]}' is shared, and '{f.name}' a view's own; free the other components")
    if problems:
        raise InputError(*problems)
    return tuple(found.values())


def _matters(path: str) -> bool:
    """Whether a pattern may free it: the gain of a view is free only by its own name."""
    return path.rpartition(".")[2] not in (*_GAINS, *_OF_CAMERA)


def _numbers(value: Any) -> Array | None:
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
        return Free(name, known.components, "direction", start, lower, upper, shape=known.shape, view=known.view)
    if positive and (start <= 0.0).any():
        raise InputError(f"{name}: found a start {start.tolist()}, needed: numbers over 0, as it is positive")
    if positive:
        return Free(name, known.components, "positive", start, lower, upper, shape=known.shape, view=known.view)
    return Free(
        name, known.components, "plain", start, lower, upper, shape=known.shape, reach=known.reach, view=known.view
    )
