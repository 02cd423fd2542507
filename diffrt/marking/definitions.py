"""Where points are drawn, and how quantities are computed from formulas."""

from bisect import bisect, insort
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from diffrt.autograd import add, reshape, root
from diffrt.autograd.variable import as_value, value_of
from diffrt.errors import InputError
from diffrt.marking.formula import Formula
from diffrt.marking.work import MOST_OF_A_SEARCH, Overworked, at_most, spend

Build = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From inputs, Vars by name, to all quantities by name."""

FARTHEST = 1e100
"""Inputs lie between this and its opposite, so that squares of them do not overflow."""


_STEPS = 33
"""In so many places it is looked for the solution of an equation."""

WIDE = (-2.0, 2.0)
"""Where inputs are drawn by default."""

POSITIVE = (0.2, 2.0)
"""And where a formula allows no other sign."""


class Implicit:
    """A quantity that an equation defines, F(x, y) = 0: the one solution between two numbers.

    name: of the quantity. text: F, or two sides with = between. between: least and largest value. where: for messages.
    It is called like a `Formula`. Its derivative is that of the implicit function theorem, -F_x / F_y.
    """

    def __init__(self, name: str, text: str, between: tuple[float, float], where: str) -> None:
        left, equals, right = text.replace("==", "=").partition("=")
        self.name, self.text, self.between, self.where = name, text, between, where
        self.equation = Formula(f"({left}) - ({right})" if equals else text, where)
        if name not in self.equation.names:
            raise InputError(f'{where}: {name} is not in the equation; needed: one such as "{name}^3 + {name} = x"')
        self.names = self.equation.names - {name}

    def __call__(self, quantities: Mapping[str, Any], letters: Mapping[str, int] | None = None) -> Any:
        """The solution, a Var if a quantity is one. It is nan where there is none."""
        given = {
            n: v for n, v in quantities.items() if n in self.names or any(m.startswith(f"{n}.") for m in self.names)
        }
        plain = {n: value_of(v) for n, v in given.items()}

        def gap(y: float) -> float:
            found = np.asarray(as_value(self.equation({**plain, self.name: y})))
            if found.size != 1:
                raise InputError(f"{self.where}: the equation has the shape {found.shape}, needed: one number")
            return float(found.reshape(-1)[0])

        low, high = self.between
        places = np.linspace(low, high, _STEPS)
        try:  # all at once, where the equation takes an array
            gaps = np.asarray(as_value(self.equation({**plain, self.name: places})), float)
        except InputError:
            gaps = np.zeros(())
        gaps = gaps if gaps.shape == places.shape else np.array([gap(float(y)) for y in places])
        turns = np.flatnonzero(np.sign(gaps[1:]) * np.sign(gaps[:-1]) < 0.0)
        exact = np.flatnonzero(gaps == 0.0)
        if len(turns) + len(exact) > 1:
            raise InputError(f"{self.where}: there is more than one solution between {low:g} and {high:g}; "
                             "needed: between = [LOW, HIGH] around one")  # fmt: skip
        if not len(turns) and not len(exact):
            return np.nan
        found = float(places[exact[0]]) if len(exact) else brentq(
            gap, places[turns[0]], places[turns[0] + 1], xtol=1e-300, rtol=4.0 * np.finfo(float).eps)  # fmt: skip
        names = list(given)

        def both_sides(y: Any, *values: Any) -> Any:
            return reshape(self.equation({**dict(zip(names, values, strict=True)), self.name: y[0]}), (1,))

        return root(both_sides, np.array([found]), *given.values())[0]


@dataclass(frozen=True)
class Domain:
    """Where points are drawn: shape of the input, least and largest value; None if `settled` is to find them."""

    shape: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and largest value."""
        return (WIDE[0] if self.low is None else self.low), (WIDE[1] if self.high is None else self.high)

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(np.prod(self.shape))


def settled(
    inputs: Mapping[str, Domain], defined: Callable[[Mapping[str, Any]], bool], rng: np.random.Generator
) -> dict[str, Domain]:
    """The inputs with a domain for each that has none: both signs wherever that is defined, found by trying.

    defined: whether all quantities are, at a point. Where no choice of signs is defined everywhere, both signs are left
    in, and who draws has to draw again where nothing is defined.
    """
    free = [n for n, d in inputs.items() if d.low is None]

    def with_signs(signs: Mapping[str, tuple[float, float]]) -> dict[str, Domain]:
        return {n: Domain(d.shape, *signs[n]) if n in signs else d for n, d in inputs.items()}

    def everywhere(signs: Mapping[str, tuple[float, float]]) -> bool:
        return all(map(defined, draw_points(with_signs(signs), 32, rng)))

    wide = dict.fromkeys(free, WIDE)
    if not free or everywhere(wide):
        return with_signs(wide)
    signs = dict.fromkeys(free, POSITIVE)
    if not everywhere(signs):
        return with_signs(wide)
    with suppress(Overworked), at_most(MOST_OF_A_SEARCH, "the search"):
        for name in free:
            if everywhere({**signs, name: WIDE}):
                signs[name] = WIDE
    return with_signs(signs)


def draw_points(inputs: Mapping[str, Domain], count: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Random inputs from their domains: none of them near a whole number, no two of a point near each other.

    Each entry has a point in each of `count` equal parts of its domain, except in the last quarter of the points, which
    come ever nearer to the least magnitude in the domain, up to 300 times: what is large may hide what is small.
    """
    sizes = sum(d.size for d in inputs.values())
    spend(count * sizes)
    order = np.array([rng.permutation(count) for _ in range(sizes)]).reshape(sizes, count)
    points = []
    for k in range(count):
        taken: list[float] = []  # in ascending order
        drawn = 0
        point: dict[str, Any] = {}
        nearness = 1.0 if 4 * k < 3 * count else 10.0 ** -rng.uniform(0.5, 2.5)
        for name, domain in inputs.items():
            low, high = domain.bounds
            span, least = high - low, min(max(low, 0.0), high)
            size = domain.size
            entries = np.empty(size)
            near = 0.01 * min(span, 1.0) * nearness
            # With many entries nearer ones, so that there is room for all of them.
            apart = min(near / 4.0, span * nearness / (8.0 * sizes))
            for entry in range(size):
                part = order[drawn, k]
                for attempt in range(200):
                    x = low + span * (part + float(rng.uniform(0.01, 0.99))) / count
                    x = least + (x - least) * nearness
                    place = bisect(taken, x)
                    beside = taken[max(place - 1, 0) : place + 1]
                    if abs(x - round(x)) > min(near, 0.005) and all(abs(x - t) > apart for t in beside):
                        break
                    if attempt >= 20:
                        part = rng.integers(count)
                insort(taken, x)
                entries[entry] = x
                drawn += 1
            point[name] = entries.reshape(domain.shape) if domain.shape else float(entries[0])
        points.append(point)
    _show_both_signs(points, inputs, rng)
    return points


def _show_both_signs(points: list[dict[str, Any]], inputs: Mapping[str, Domain], rng: np.random.Generator) -> None:
    """Change an entry of a point where it has one sign in all of them though its domain has two: the square root of x^2
    is another formula on the other side, however little of it there is."""
    for name, domain in inputs.items():
        low, high = domain.bounds
        if not low < 0.0 < high:
            continue
        there = np.array([np.ravel(p[name]) for p in points])
        for end, seen in ((low, (there < 0.0).any(0)), (high, (there > 0.0).any(0))):
            for entry in np.flatnonzero(~seen):
                point = points[entry % len(points)]
                entries = np.array(point[name], float)
                entries.reshape(-1)[entry] = end * rng.uniform(0.1, 0.9)
                point[name] = entries if domain.shape else float(entries)


def definitions_in_order(formulas: Mapping[str, Formula | Implicit]) -> list[str]:
    """Names of definitions such that each uses only earlier ones. Raises InputError for one that uses itself, also
    through others, and for an unknown name."""
    order: list[str] = []
    state: dict[str, int] = {}

    def bases(name: str) -> list[str]:
        return [n if n in formulas else n.rpartition(".")[0] or n for n in formulas[name].names]

    for start in formulas:
        stack: list[tuple[str, Any]] = [(start, iter(bases(start)))] if start not in state else []
        while stack:
            name, uses = stack[-1]
            state[name] = 1
            for used in uses:
                if used not in formulas:
                    continue
                if state.get(used) == 1:
                    cycle = [n for n, _ in stack]
                    cycle = cycle[cycle.index(used) :]
                    raise InputError(f"definitions: {' -> '.join([*cycle, used])}: a quantity is defined by itself")
                if used not in state:
                    stack.append((used, iter(bases(used))))
                    break
            else:
                state[name] = 2
                order.append(name)
                stack.pop()
    return order


def by_formulas(formulas: Mapping[str, Formula | Implicit]) -> Build:
    """The quantities that formulas define."""
    order = definitions_in_order(formulas)

    def build(leaves: Mapping[str, Any]) -> Mapping[str, Any]:
        found = dict(leaves)
        for name in order:
            value = formulas[name](found)
            # A second name for a quantity is a quantity of its own.
            found[name] = add(value, 0.0) if any(value is v for v in found.values()) else value
        return found

    return build
