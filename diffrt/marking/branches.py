"""Where formulas branch, and points on both sides of every border.

A formula with a comparison, an absolute value, a maximum is several formulas, and which of them holds is decided by the
sign of a *margin*: the difference of the two numbers that are compared. A derivative that was worked out by hand may be
wrong on one side of a border only, and that side may be so thin that random points miss it. So each margin gets
points of both signs: random ones, or, where these have one sign only, one that a search for the least margin finds
(L-BFGS-B; Byrd, Lu, Nocedal and Zhu, 1995). Between two points of unlike sign lies a border, which is bracketed, and
compared close to it on either side.
"""

from bisect import bisect
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize

from diffrt.autograd import index, max, min, reshape, subtract
from diffrt.autograd.backward import pull_back, reachable
from diffrt.autograd.variable import Comparison, Var, value_of
from diffrt.explaining.wording import bracketed, phrase
from diffrt.marking.quantities import Quantities, rounding_of, split
from diffrt.marking.work import MOST_OF_A_SEARCH, Overworked, at_most, cost, spend
from diffrt.types import Array

_SEARCHES = 24
"""So many margins of one sign are searched at most."""

_BORDERS = 24
"""So many borders are bracketed at most."""

_CORNERS = 64
"""So many points are tried on the rare sides of several borders."""

_NEAR = 1e-7
"""The first try of how near to a border is near, relative to the numbers there."""


@dataclass(frozen=True, eq=False)
class Fork:
    """An op that goes one way or another, and the numbers, or arrays of them, whose difference decides."""

    op: str
    left: Any
    right: Any
    serial: int

    @cached_property
    def margins(self) -> Array:
        """The differences, flat."""
        left, right = value_of(self.left), value_of(self.right)
        if self.op in ("max", "min"):
            flat: Array = np.ravel(left)
            ranked = np.argsort(-flat if self.op == "max" else flat)
            others = np.full(flat.shape, flat[ranked[0]])
            others[ranked[0]] = flat[ranked[1]]
            return np.ravel(flat - others)
        return np.ravel(np.asarray(left, float) - right)

    def margin(self, entry: int) -> Any:
        """One of them, as a Var."""
        if self.op in ("max", "min"):
            flat = reshape(self.left, (-1,))
            others = np.array([k for k in range(flat.size) if k != entry])
            return subtract(flat[entry], (max if self.op == "max" else min)(index(flat, others)))
        difference = subtract(self.left, self.right)
        return index(reshape(difference, (-1,)), entry) if np.shape(value_of(difference)) else difference

    def words(self, entry: int, side: int, names: Mapping[int, str]) -> str:
        """What holds where a margin has a sign."""
        left: str = phrase(self.left, names)
        place = f"[{entry}]" if len(self.margins) > 1 else ""
        left = bracketed(left) if place else left
        if self.op in ("max", "min"):
            alone = (side > 0) == (self.op == "max")
            extreme = "largest" if self.op == "max" else "smallest"
            return f"{left}{place} is {'' if alone else 'not '}the {extreme}"
        return f"{left}{place} {'<=>'[side + 1]} {phrase(self.right, names)}"


def forks_of(outputs: Iterable[Any], seen: Sequence[Comparison], since: int = -1) -> list[Fork]:
    """The forks on the way to some Vars, in the order of computation.

    seen: the comparisons that were made, which leave no trace in the graph. since: the serial number after which.
    """
    found = []
    starts = [v for v in outputs if isinstance(v, Var)]
    for made in seen:
        starts += [x for x in made.inputs if isinstance(x, Var)]
        if not made.op.name.startswith("logical"):
            left, right = made.inputs if len(made.inputs) == 2 else (made.inputs[0], 0.0)
            found.append(Fork(made.op.name, left, right, made.serial))
    for node in reachable(starts):
        name = node.op.name if node.op else ""
        if name in ("maximum", "minimum"):
            found.append(Fork(name, node.inputs[0], node.inputs[1], node.serial))
        elif name == "abs" or (name in ("max", "min") and node.size == 1 and node.inputs[0].size > 1):
            found.append(Fork(name, node.inputs[0], 0.0, node.serial))
    tracked = [f for f in found if f.serial > since and any(getattr(x, "tracked", False) for x in (f.left, f.right))]
    return sorted(tracked, key=lambda f: f.serial)


@dataclass(eq=False)
class Look:
    """What there is at one point: the inputs by name, the quantities, the forks."""

    point: Mapping[str, Any]
    q: Quantities
    forks: Sequence[Fork]

    @cached_property
    def places(self) -> list[tuple[Fork, int]]:
        """The fork of each margin and the entry in it."""
        return [(f, k) for f in self.forks for k in range(len(f.margins))]

    @cached_property
    def margins(self) -> Array:
        """Of all forks, flat."""
        return np.concatenate([f.margins for f in self.forks]) if self.forks else np.zeros(0)

    def owner(self, serial: int) -> str:
        """The quantity to which a step of the computation belongs: the next one that was computed."""
        place = bisect(self._computed, (serial, ""))
        return self._computed[place][1] if place < len(self._computed) else ""

    @cached_property
    def _computed(self) -> list[tuple[int, str]]:
        return sorted((v.serial, n) for n, v in self.q.vars.items() if v.op is not None)

    @cached_property
    def magnitude(self) -> float:
        """Of the largest quantity."""
        return float(np.max([np.abs(v.value).max(initial=0.0) for v in self.q.vars.values()], initial=0.0))

    def side(self, number: int) -> int:
        """The sign of a margin; 0 if it is 0 or not a number, or if there is no such fork at this point."""
        margin = self.margins[number] if number < len(self.margins) else 0.0
        return int(margin > 0.0) - int(margin < 0.0)


@dataclass(frozen=True)
class Space:
    """The box in which points lie, and what is at a point of it: a Look, or None where nothing is defined."""

    bounds: Mapping[str, tuple[tuple[int, ...], float, float]]
    look: Callable[[Mapping[str, Any]], Look | None]

    def flat(self, point: Mapping[str, Any]) -> Array:
        """The entries of all inputs."""
        return np.concatenate([np.ravel(point[n]) for n in self.bounds])

    def at(self, entries: Array) -> Look | None:
        """What is at the point with these entries."""
        return self.look(split(entries, {name: shape for name, (shape, _, _) in self.bounds.items()}))

    @cached_property
    def limits(self) -> tuple[Array, Array]:
        """Least and largest value of each entry."""
        low = [np.full(int(np.prod(s)), a) for s, a, _ in self.bounds.values()]
        high = [np.full(int(np.prod(s)), b) for s, _, b in self.bounds.values()]
        return np.concatenate(low), np.concatenate(high)


@dataclass(frozen=True)
class Survey:
    """Where claims are compared: at points given, drawn and beside borders. wider: more points, to search from."""

    given: Sequence[Look]
    drawn: Sequence[Look]
    wider: Sequence[Look]
    beside: Sequence[Look]
    space: Space

    @property
    def looks(self) -> list[Look]:
        """All at which claims are compared."""
        return [*self.given, *self.drawn, *self.beside]


def shared_margins(looks: Sequence[Look], others: Sequence[Look]) -> set[int]:
    """The numbers of margins that are, up to the sign, margins of the others at the same points too."""
    ours, theirs = ([look.margins for look in part] for part in (looks, others))
    if len({len(m) for m in ours}) != 1 or len({len(m) for m in theirs}) != 1:
        return set()
    mine, other = np.abs(np.array(ours)).T, np.abs(np.array(theirs)).T
    spend(len(mine) * cost(1, len(other)))
    found = set()
    for n, sizes in enumerate(mine):
        alike = other[np.abs(other[:, 0] - sizes[0]) <= 1e-12 * sizes[0]]
        if (np.abs(alike - sizes) <= 1e-12 * sizes).all(1).any():
            found.add(n)
    return found


def beside_borders(
    known: Sequence[Look], wider: Sequence[Look], space: Space, rng: np.random.Generator, most: int,
    settled: Container[int] = (),
) -> list[Look]:  # fmt: skip
    """Points on both sides of each border, near to it, and at most so many others where a formula goes ways that it
    goes at none of the known points.

    wider: more points, to search from. settled: numbers of margins whose borders need none.
    """
    beside: list[Look] = []
    with suppress(Overworked), at_most(MOST_OF_A_SEARCH, "the search"):
        _search([*known, *wider], beside, space, settled)
    there = [*known, *beside]
    corners = _rare_sides([*there, *wider], space, rng)
    return [*beside, *_new_cells(there, [*corners, *wider], most)]


def _new_cells(known: Sequence[Look], others: Sequence[Look], most: int) -> list[Look]:
    """Those of the other points at which a formula goes ways that it goes at none of the known ones."""
    cells = {np.sign(look.margins).tobytes() for look in known}
    found: list[Look] = []
    for look in others:
        cell = np.sign(look.margins).tobytes()
        if cell not in cells and len(found) < most:
            cells.add(cell)
            found.append(look)
    return found


def _search(known: list[Look], new: list[Look], space: Space, settled: Container[int]) -> None:
    """Add points on both sides of each border to those known and to the new ones, as far as the work is allowed."""
    searches = borders = 0
    count = int(np.max([len(look.margins) for look in known]))
    for number in (n for n in range(count) if n not in settled):
        spend(len(known) / 10.0)
        sides = {look.side(number) for look in known}
        for way in (-1, 1):
            # What is 0 at random points stays on one side: an entry is never larger than the largest.
            if way not in sides and 0 not in sides and searches < _SEARCHES:
                searches += 1
                reached = _reach(known, space, number, way)
                if reached is not None:
                    known.append(reached)
                    new.append(reached)
        pairs = _pairs(known, space, number) if borders < _BORDERS else []
        for below, above in pairs[: 2 if 2 * count <= _BORDERS else 1]:
            if borders < _BORDERS:
                borders += 1
                new += _beside(below, above, space, number)


def _rare_sides(looks: Sequence[Look], space: Space, rng: np.random.Generator) -> list[Look]:
    """Points on the rare sides of several borders at once: each made of parts of those that are on one of them."""
    seen = [look for look in looks if len(look.margins) == len(looks[0].margins)]
    flat = np.array([space.flat(look.point) for look in seen])
    parts = []
    for number in range(len(looks[0].margins[:_SEARCHES])):
        signs = np.array([look.side(number) for look in seen])
        way = 1 if (signs > 0).sum() < (signs < 0).sum() else -1
        there = np.flatnonzero(signs == way)
        if 0 < len(there) < 0.3 * len(seen):
            parts.append((there, _slope(seen[there[0]], space, number) != 0.0))
    found = []
    for _ in range(_CORNERS if len(parts) > 1 else 0):
        entries = flat[rng.integers(len(flat))].copy()
        for k in rng.permutation(len(parts))[: rng.integers(2, len(parts) + 1)]:
            there, moving = parts[k]
            entries[moving] = flat[rng.choice(there)][moving]
        found.append(space.at(entries))
    return [look for look in found if look is not None]


def _slope(look: Look, space: Space, number: int) -> Array:
    """The derivative of a margin by the entries of all inputs."""
    fork, entry = look.places[number]
    margin = fork.margin(entry)
    nodes = reachable([margin]) if isinstance(margin, Var) else []
    spend(cost(len(nodes), sum(n.size for n in nodes)))
    found = pull_back(nodes, {margin.serial: 1.0}, recorded=False) if nodes else {}
    slope = [np.ravel(found.get(look.q.vars[n].serial, np.zeros(s))) for n, (s, _, _) in space.bounds.items()]
    return np.concatenate(slope)


def _pairs(known: Sequence[Look], space: Space, number: int) -> list[tuple[Look, Look]]:
    """Two pairs of points of unlike sign, the nearest first, of no point in common where there are enough."""
    below = [look for look in known if look.side(number) < 0]
    above = [look for look in known if look.side(number) > 0]
    if not below or not above:
        return []
    low, high = space.limits
    a, b = (np.array([space.flat(look.point) / (high - low) for look in part]) for part in (below, above))
    spend(cost(len(a), a.size * len(b)))
    distance = np.array([((b - row) ** 2).sum(-1) for row in a])
    pairs = []
    for _ in range(2):
        i, j = np.unravel_index(np.argmin(distance), distance.shape)
        if not np.isfinite(distance[i, j]):
            break
        pairs.append((below[int(i)], above[int(j)]))
        distance[i, :] = distance[:, j] = np.inf
    return pairs


def _reach(known: Sequence[Look], space: Space, number: int, way: int) -> Look | None:
    """A point at which a margin has a sign that it has at none of those known."""
    low, high = space.limits
    reached: list[Look] = []

    class Reached(Exception):
        """Ends the search."""

    def loss(entries: Array) -> tuple[float, Array]:
        look = space.at(np.clip(entries, low, high))
        if look is None or number >= len(look.margins) or not np.isfinite(look.margins[number]):
            return 1e300, np.zeros(len(entries))
        if look.side(number) == way:
            reached.append(look)
            raise Reached
        slope = np.nan_to_num(_slope(look, space, number))
        return -way * float(look.margins[number]), -way * slope

    there = [look for look in known if number < len(look.margins)]
    ranked = sorted(there, key=lambda look: np.nan_to_num(abs(look.margins[number]), nan=np.inf, posinf=np.inf))
    starts = [space.flat(look.point) for look in ranked[:3]]
    try:
        for start in starts:
            minimize(loss, start, jac=True, bounds=list(zip(low, high, strict=True)), method="L-BFGS-B",
                     options={"maxiter": 30, "maxfun": 60})  # fmt: skip
        corners = np.random.default_rng(number).integers(0, 2, (16, len(low)))
        for corner in corners if starts else ():
            loss(np.where(corner, high, low))
    except Reached:
        return reached[0]
    return None


def _beside(below: Look, above: Look, space: Space, number: int) -> list[Look]:
    """The points just beside the border between two points, one on each side."""
    start, end = space.flat(below.point), space.flat(above.point)
    looks: dict[float, Look] = {}

    class Undefined(Exception):
        """There is no margin on the way."""

    def margin(t: float) -> float:
        look = space.at(start + t * (end - start))
        if look is None or number >= len(look.margins) or not np.isfinite(look.margins[number]):
            raise Undefined
        looks[t] = look
        return float(look.margins[number])

    try:
        border = brentq(margin, 0.0, 1.0, xtol=1e-12, rtol=1e-12, maxiter=100, disp=False)
    except (Undefined, ValueError):
        return []
    length = float(np.abs(end - start).max())
    at = start + border * (end - start)
    first = _NEAR * float(np.maximum(np.abs(at), 1e-3 * length).max()) / length
    found = []
    for way, last in ((-1, 0.0), (1, 1.0)):
        step = first
        while step < abs(last - border):
            t = border + way * step
            try:
                size = margin(t)
            except Undefined:
                break
            if size * way > 0.0:
                fork, entry = looks[t].places[number]
                # Where rounding could decide the comparison, this is too near.
                if abs(size) > 1e4 * rounding_of(fork.margin(entry)):
                    found.append(looks[t])
                    break
            step *= 4.0
    return found
