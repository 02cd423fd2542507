"""A start from the image itself: where balls are by their outlines, and where light comes from by what it does to them.

What an outline does not tell stays as the scene has it: of a ball with a free centre and a free radius in one
photograph, the distance from the camera; of a lamp at a point, its distance from the ball.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import InputError
from diffrt.fitting.outline import Outline, find_outlines, seen
from diffrt.fitting.shading import Lit, light_on
from diffrt.fitting.variables import Free, Variables
from diffrt.fitting.view import View
from diffrt.kinds import REFLECT
from diffrt.scene import Scene
from diffrt.types import Array

KEEPS_DISTANCE = 0.01
"""How many pixels an outline must be off by to change a distance by a factor of e that nothing else tells."""

SAME = 0.15
"""Outlines are of the same ball if they differ by at most this part of their radius."""


def start_from_image(
    views: Sequence[View], variables: Variables, given: Collection[str] = ()
) -> tuple[Variables, tuple[str, ...]]:
    """The free parameters with starts that are read from the photographs, and a line that says them.

    given: the names of free parameters that have a start already. Parameters that no image tells directly keep theirs.
    Raises InputError if none of the free parameters is a ball's place or a light's that falls on one, and if an
    outline or a light is not to be found.
    """
    search = _Search(views, tuple(f for f in variables.free if f.name not in given))
    search.take(tuple(f for f in variables.free if f.name in given))
    search.find_balls()
    search.find_lights()
    search.find_lamps()
    if not search.lines:
        raise InputError(
            "start: an image tells where a ball is, by its outline, and a directional or point light on it, by its "
            f"shading; free is only {', '.join(f.name for f in variables.free[:4])}"
        )
    started = tuple(search.started(f) if f.name not in given else f for f in variables.free)
    return Variables(started), (f"start from the image: {'; '.join(search.lines)}",)


@dataclass
class _Search:
    """What is looked for in the photographs, and what was found.

    views: the photographs. free: the parameters that may get a start. found: by the name of a view ("" for all) and the
    path of a parameter, its value. lines: what was found, in words.
    """

    views: Sequence[View]
    free: tuple[Free, ...]
    found: dict[tuple[str, str], Array] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def take(self, given: Sequence[Free]) -> None:
        """Note the starts that are given."""
        for f in given:
            for number, (key, index) in zip(f.start, self._places(f), strict=True):
                scene = next(v for v in self.views if key[0] in ("", v.name)).scene
                if key[1] in scene:
                    before = np.array(np.atleast_1d(scene.pack([key[1]])), float)
                    self.found.setdefault(key, before)[index] = number

    def find_balls(self) -> None:
        """Place the free balls by their outlines."""
        for views, owner in self._owners():
            scene = views[0].scene
            balls = [name for name in _balls(scene) if not _shines(scene, name) and self._frees(owner, name)]
            if not balls:
                continue
            outlines: dict[str, list[Outline]] = {name: [] for name in balls}
            for alike in _by_camera(views):
                for name, outline in self._outlines_of(alike, balls, owner).items():
                    outlines[name].append(outline)
            for name, own in outlines.items():
                if not own:
                    raise InputError(
                        f"start: no outline of {name} is to be seen in the image; give {name}.center and {name}.radius "
                        "a start"
                    )
                before = self._now(views[0], name)
                center, radius = (self._mask(owner, f"{name}.{part}") for part in ("center", "radius"))
                placed = _placed(before, np.append(center, radius), own)
                self.found[owner, f"{name}.center"] = placed[:3]
                self.found[owner, f"{name}.radius"] = placed[3:]
                circle = f"({own[0].x:.1f}, {own[0].y:.1f}), radius {own[0].radius:.1f} pixels"
                whose = f"{owner}: " if owner else ""
                self.lines.append(f"{whose}{name} is the circle at {circle}")

    def find_lights(self) -> None:
        """The directions of lights, or their places, by the ball that they shine on."""
        lit: dict[tuple[str, str], list[tuple[View, str, Lit]]] = {}
        for view in self.views:
            for name, light in view.scene.lights.items():
                owner = next((o for o in dict.fromkeys((view.name, "")) if self._frees_light(o, name, light)), None)
                if owner is not None:
                    lit.setdefault((owner, name), []).append((view, *self._lit(view, name)))
        told: dict[tuple[str, str], list[tuple[str, Array]]] = {}
        for (owner, name), several in lit.items():
            view, ball, first = several[0]
            mean = np.mean([one.to_light for _, _, one in several], axis=0)
            to_light = mean / max(float(np.linalg.norm(mean)), 1e-300)
            strengths = [one.strength for _, _, one in several if one.strength is not None]
            strength = np.mean(strengths, axis=0) if strengths else None
            if view.scene.lights[name].shown_by_a_ball == "direction":
                length = float(np.linalg.norm(view.scene[f"{name}.direction"]))
                self.found[owner, f"{name}.direction"] = -length * to_light
                path = f"{name}.irradiance"
            else:
                distance = float(np.linalg.norm(view.scene[f"{name}.position"] - _ball(view.scene, ball)[:3]))
                self.found[owner, f"{name}.position"] = self._now(view, ball)[:3] + distance * to_light
                path, strength = f"{name}.intensity", None if strength is None else strength * distance**2
            if strength is not None:
                self._strengthen(owner, path, strength, view)
            by = "its highlight" if first.highlight else "shading"
            told.setdefault((name, by), []).append((owner, to_light))
        self.lines += [_told(name, by, ways) for (name, by), ways in told.items()]

    def _lit(self, view: View, name: str) -> tuple[str, Lit]:
        """The ball that tells of a light in a view, and what it tells. Raises InputError."""
        others = [n for n, other in view.scene.lights.items() if n != name and not other.everywhere]
        if others:
            raise InputError(
                f"start: {name} and {others[0]} shine together, and their light on a ball is not told apart; "
                f"give {name} a start"
            )
        ball = self._largest(view)
        if ball is None:
            raise InputError(f"start: {name} is told by the shading of a ball, and the scene has none; give it a start")
        found = light_on(view, self._now(view, ball), view.scene.shapes[ball].material)
        if found is None:
            where = f" in {view.name}" if view.name else ""
            raise InputError(f"start: no light of {name} is to be seen on {ball}{where}; give {name} a start")
        return ball, found

    def find_lamps(self) -> None:
        """Balls that shine by themselves, by their image in a ball that mirrors."""
        told: dict[tuple[str, str], list[tuple[str, Array]]] = {}
        for views, owner in self._owners():
            scene = views[0].scene
            mirrors = [n for n in _balls(scene) if scene.shapes[n].material.event == REFLECT]
            lamps = [n for n in _balls(scene) if _shines(scene, n) and (owner, f"{n}.center") in self.wanted]
            if not lamps or not mirrors:
                continue
            if len(lamps) > 1:
                raise InputError(f"start: {lamps[0]} and {lamps[1]} are not told apart; give {lamps[0]}.center a start")
            [lamp], mirror = lamps, mirrors[0]
            seen_in = [light_on(view, self._now(view, mirror), scene.shapes[mirror].material) for view in views]
            ways = [one.to_light for one in seen_in if one is not None]
            if not ways:
                raise InputError(f"start: {mirror} shows no {lamp}; give {lamp}.center a start")
            way = np.mean(ways, axis=0)
            distance = float(np.linalg.norm(_ball(scene, lamp)[:3] - _ball(scene, mirror)[:3]))
            ball = self._now(views[0], mirror)
            self.found[owner, f"{lamp}.center"] = ball[:3] + distance * way / np.linalg.norm(way)
            told.setdefault((lamp, f"its mirror image in {mirror}"), []).append((owner, way))
        self.lines += [_told(lamp, by, ways) for (lamp, by), ways in told.items()]

    def started(self, f: Free) -> Free:
        """A free parameter with its start, held within its bounds."""
        start = f.start.copy()
        for place, (key, index) in enumerate(self._places(f)):
            if key in self.found:
                start[place] = self.found[key][index]
        if f.kind != "direction":
            start = np.clip(start, f.lower, f.upper)
        return replace(f, start=start)

    def _strengthen(self, owner: str, path: str, strength: Array, view: View) -> None:
        """Note how strong a light is, or, if that is given, how long the photograph was exposed."""
        if (owner, path) in self.wanted:
            self.found[owner, path] = strength
            return
        own = view.scene[path]
        exposure = float(np.mean(strength / own)) if (own > 0.0).all() else 0.0
        if exposure > 0.0:
            self.found[view.name, "exposure"] = np.array([exposure])

    def _outlines_of(self, views: Sequence[View], balls: Sequence[str], owner: str) -> dict[str, Outline]:
        """The outlines of free balls in photographs by one camera."""
        scene = views[0].scene
        known = [self._now(views[0], n) for n in _balls(scene) if n not in balls and not _shines(scene, n)]
        candidates = find_outlines(views, len(balls) + len(known) + 2)
        candidates = [
            one for one in candidates
            if not any(np.abs(seen(ball, one)).max() < SAME * one.radius for ball in known)
        ][: len(balls)]  # fmt: skip
        if len(candidates) < len(balls):
            return {}
        from scipy.optimize import linear_sum_assignment

        far = [[np.linalg.norm(seen(_ball(scene, name), one)) for one in candidates] for name in balls]
        rows, columns = linear_sum_assignment(np.array(far))
        return {balls[row]: candidates[column] for row, column in zip(rows, columns, strict=True)}

    def _owners(self) -> Iterator[tuple[Sequence[View], str]]:
        """All views with their shared parameters, then each with its own."""
        yield self.views, ""
        for view in self.views:
            if view.name:
                yield [view], view.name

    def _frees(self, owner: str, ball: str) -> bool:
        return any((owner, f"{ball}.{part}") in self.wanted for part in ("center", "radius"))

    def _frees_light(self, owner: str, name: str, light: Any) -> bool:
        part = light.shown_by_a_ball
        return bool(part) and (owner, f"{name}.{part}") in self.wanted

    def _mask(self, owner: str, path: str) -> Array:
        """Which numbers of a parameter are free."""
        size = 3 if path.endswith("center") else 1
        free = np.zeros(size, bool)
        for f in self.free:
            for key, index in self._places(f):
                if key == (owner, path):
                    free[index] = True
        return free

    def _largest(self, view: View) -> str | None:
        """The ball that is largest to the camera and scatters light."""
        balls = {n: self._now(view, n) for n in _balls(view.scene) if view.scene.shapes[n].material.event != REFLECT}
        eye = view.scene["camera.position"]
        sizes = {n: ball[3] / max(float(np.linalg.norm(ball[:3] - eye)), 1e-300) for n, ball in balls.items()}
        return max(sizes, key=lambda n: sizes[n], default=None)

    def _now(self, view: View, ball: str) -> Array:
        """Centre and radius of a ball in a view, (4,), as they were found, or as they are."""
        before = _ball(view.scene, ball)
        parts = []
        for part, value in (("center", before[:3]), ("radius", before[3:])):
            path = f"{ball}.{part}"
            parts.append(self.found.get((view.name, path), self.found.get(("", path), value)))
        return np.concatenate(parts)

    @cached_property
    def wanted(self) -> Collection[tuple[str, str]]:
        """The views and paths of all parameters of which a number is free."""
        return {key for f in self.free for key, _ in self._places(f)}

    def _places(self, f: Free) -> list[tuple[tuple[str, str], int]]:
        """For each number of a free parameter: the view that it belongs to, its parameter there, and which number."""
        owner = f.view
        scene = next(v for v in self.views if owner in ("", v.name)).scene
        places = []
        for component in f.components:
            path = component.removeprefix(f"{owner}.") if owner else component
            if path not in scene:  # exposure, white balance
                places.append(((owner, path), 0))
                continue
            whole = scene.whole(path)
            index = list(whole.components).index(path) if path in whole.components else 0
            places.append(((owner, whole.path), index))
        return places


def _balls(scene: Scene) -> list[str]:
    return [name for name, shape in scene.shapes.items() if shape.is_ball]


def _shines(scene: Scene, ball: str) -> bool:
    """Whether a ball sends out light by itself."""
    return bool(np.any(scene.shapes[ball].material.emission))


def _ball(scene: Scene, name: str) -> Array:
    """Centre and radius, (4,)."""
    return np.append(np.asarray(scene[f"{name}.center"], float), float(scene[f"{name}.radius"]))


def _by_camera(views: Sequence[View]) -> list[list[View]]:
    """The views, those with the same camera together."""
    groups: list[list[View]] = []
    for view in views:
        own = next((g for g in groups if g[0].scene.camera == view.scene.camera), None)
        if own is None:
            groups.append([view])
        else:
            own.append(view)
    return groups


def _placed(before: Array, free: NDArray[np.bool_], outlines: Sequence[Outline]) -> Array:
    """Centre and radius of a ball, (4,), that has these outlines.

    before: where it was; what is not free stays. free: (4,).
    """
    from scipy.optimize import least_squares

    first = outlines[0]
    far = float(np.linalg.norm(before[:3] - first.origin))
    start = before.copy()
    if free[:3].all():
        along = float((before[:3] - first.origin) @ first.axis) if first.parallel else far
        if not free[3] and not first.parallel:
            along = before[3] / first.size
        start[:3] = first.origin + along * first.axis
    if free[3]:
        start[3] = first.size * (1.0 if first.parallel else np.linalg.norm(start[:3] - first.origin))
    depths = [float(np.linalg.norm(start[:3] - one.origin)) for one in outlines]

    def off(moved: Array) -> Array:
        ball = start.copy()
        ball[free] += far * moved
        now = [np.log(np.linalg.norm(ball[:3] - one.origin) / d) for one, d in zip(outlines, depths, strict=True)]
        return np.concatenate([*(seen(ball, one) for one in outlines), KEEPS_DISTANCE * np.array(now)])

    loss = "soft_l1" if len(outlines) > 2 else "linear"
    with np.errstate(all="ignore"):
        done = least_squares(off, np.zeros(int(free.sum())), loss=loss)
    placed = start.copy()
    placed[free] += far * done.x
    placed[3] = abs(placed[3])
    return placed


def _told(name: str, by: str, ways: Sequence[tuple[str, Array]]) -> str:
    """Where a light comes from, in each of several views, in words."""
    owner, way = ways[0]
    where = f" in {owner}" if owner else ""
    more = f", and so on in {len(ways)} views" if len(ways) > 1 else ""
    towards = ", ".join(f"{c:.2f}" for c in way / np.linalg.norm(way))
    return f"{name} is towards ({towards}){where}{more}, by {by}"
