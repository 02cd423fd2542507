"""Named quantities of a computation at one point, and how each depends on those just before it.

A quantity is an input, or a Var with a name. The derivative of one by another is *local* if all others between are held
still: it is what a hand derivation writes on an edge of its diagram. Local derivatives come from the core's reverse
sweep, ended at named nodes. They are confirmed by numbers that know no rule of it: the forward rules are replayed from
one quantity to the other, with a complex step (Squire and Trapp, 1998), or, where an op has no complex meaning, with
one-sided differences extrapolated to step zero (Richardson, 1911).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from diffrt.autograd.backward import pull_back, reachable
from diffrt.autograd.naming import Scope
from diffrt.autograd.structure import reshape
from diffrt.autograd.variable import Var, value_of
from diffrt.explaining.graph import as_rows, unit_entry
from diffrt.marking.work import MOST_SLOPES, Overworked, cost, spend
from diffrt.types import Array

EPSILON = 2.0**-52


@dataclass(frozen=True)
class Slopes:
    """A derivative by numbers: from the left and from the right, and how far they may be off."""

    left: float
    right: float
    doubt: float
    complex_step: bool

    @property
    def smooth(self) -> bool:
        """Whether both sides agree."""
        return abs(self.left - self.right) <= 1e-4 * max(abs(self.left), abs(self.right)) + 10.0 * self.doubt

    def around(self, reach: float, given: float, rounding: float) -> tuple[float, float]:
        """Between what a given derivative has to lie.

        reach: how near, relatively, counts as the same. rounding: what it may be off by.
        """
        low, high = sorted((self.left, self.right))
        room = reach * max(abs(low), abs(high), abs(given)) + 10.0 * self.doubt + rounding
        return low - room, high + room


class Quantities:
    """Quantities by name, Vars of one graph. calls: of functions, in words, with the serial numbers of what they
    computed."""

    def __init__(self, named: Mapping[str, Var], calls: Sequence[Scope] = ()) -> None:
        self.vars = dict(named)
        self.calls = calls
        self.nodes = reachable(self.vars.values())
        self._recorded: tuple[Any, Mapping[int, Any]] | None = None
        self._origins: dict[str, set[str]] = {}
        self._known: dict[str, dict[str, Array]] = {}
        self._totals: dict[tuple[str, str], Array] = {}
        self._names: dict[int, str] = {}
        for name, var in self.vars.items():
            self._names.setdefault(var.serial, name)

    @cached_property
    def _sweep(self) -> float:
        """The work of one sweep over all of it."""
        return cost(len(self.nodes), sum(n.size for n in self.nodes))

    def value(self, name: str) -> Any:
        """A float, or an array without axes of length one."""
        return plain(self.vars[name].value)

    @cached_property
    def values(self) -> dict[str, Any]:
        """All of them, Vars without axes of length one."""
        return {n: v if v.shape == self.shape(n) else reshape(v, self.shape(n)) for n, v in self.vars.items()}

    def shape(self, name: str) -> tuple[int, ...]:
        """Of the value."""
        return np.shape(self.value(name))

    def parents(self, name: str) -> list[str]:
        """The quantities just before one."""
        return [n for n in self.vars if n in self._steps(name)]

    def above(self, name: str) -> list[str]:
        """The quantities that one depends on, directly or through others."""
        return all_above(name, self.parents)

    def computed_from(self, name: str) -> set[str]:
        """The quantities that one was computed from, itself among them, whether or not it changes with them."""
        if name not in self._origins:
            serials = {v.serial for v in reachable([self.vars[name]])}
            self._origins[name] = {n for n, v in self.vars.items() if v.serial in serials}
        return self._origins[name]

    def local(self, name: str, parent: str) -> Array:
        """The local derivative, entries by entries, in C order."""
        return self._steps(name)[parent]

    def _steps(self, name: str) -> dict[str, Array]:
        if name not in self._known:
            self._known[name] = self._swept(self.vars[name], set(self._names) - {self.vars[name].serial})
        return self._known[name]

    def _swept(self, var: Var, kept: set[int]) -> dict[str, Array]:
        largest = max((v.size for v in self.vars.values() if v.serial in kept), default=0)
        if var.size * largest > MOST_SLOPES:
            raise Overworked(f"a derivative of {var.size} by {largest} entries is too large; "
                             f"allowed: {MOST_SLOPES:,} entries")  # fmt: skip
        spend(var.size * self._sweep)
        rows: dict[int, list[Any]] = {}
        for k in range(var.size):
            found = pull_back(self.nodes, {var.serial: unit_entry(var, k)}, recorded=False, kept=kept)
            for serial, adjoint in found.items():
                if serial in self._names and serial != var.serial:
                    rows.setdefault(serial, [None] * var.size)[k] = adjoint
        shapes = {v.serial: v.shape for v in self.vars.values()}
        return {self._names[serial]: as_rows(parts, shapes[serial]) for serial, parts in rows.items()}

    def total(self, name: str, of: str) -> Array:
        """The derivative of a quantity by one before it, along all paths."""
        if (name, of) not in self._totals:
            found = self._swept(self.vars[name], {self.vars[of].serial})
            self._totals[name, of] = found.get(of, np.zeros((self.vars[name].size, self.vars[of].size)))
        return self._totals[name, of]

    def derivative(self, name: str, of: str, local: bool) -> Array:
        """One of the two."""
        return self.local(name, of) if local else self.total(name, of)

    def rounding(self, name: str, entry: int, of: str, place: int, local: bool) -> float:
        """How far rounding may put an entry of a derivative off: the sum over the steps of its computation of what one
        unit in the last place of each would change (Linnainmaa, 1976). That computation is a graph too."""
        source = self.vars[of]
        # One sweep does for all inputs, and for all quantities just before; those of one are asked for in succession.
        key = name, entry, "" if local else of if source.op else None
        if self._recorded is None or self._recorded[0] != key:
            self._recorded = key, self._recorded_sweep(name, entry, source, local)
        return rounding_of(self._recorded[1].get(source.serial), place)

    def _recorded_sweep(self, name: str, entry: int, source: Var, local: bool) -> Mapping[int, Any]:
        """The adjoints of an entry at the quantities before it, as Vars of their own computation."""
        var = self.vars[name]
        kept = set(self._names) - {var.serial} if local else {source.serial} if source.op else set()
        spend(8.0 * self._sweep)
        return pull_back(self.nodes, {var.serial: Var(unit_entry(var, entry))}, recorded=True, kept=kept)

    def slopes(
        self,
        name: str,
        entry: int,
        of: str,
        place: int,
        local: bool,
        low: float = -np.inf,
        high: float = np.inf,
        run: Callable[[Any], Any] | None = None,
    ) -> Slopes | None:
        """A derivative by numbers; None where the computation cannot be replayed.

        local: with all other quantities held still. low, high: between which the other quantity's entry may be moved.
        run: what to take differences of, in place of the replayed computation.
        """
        source = self.vars[of]
        spend(20.0 * self._sweep)  # a complex step, and eight differences to either side
        replay = self._replay(name, of, local)
        if (given := run or replay) is None:
            return None
        noise = rounding_of(self.vars[name], entry)
        return slopes_of(given, replay, np.array(source.value, float), place, entry, low, high, noise)

    def _replay(self, name: str, of: str, local: bool) -> Callable[[Any], Any] | None:
        """The values of a quantity as a function of those of another one; None where an equation is solved between."""
        target, source = self.vars[name], self.vars[of]
        held = set(self._names) - {target.serial} if local else {source.serial}
        moving, order = {source.serial}, []
        for node in self.nodes:
            if node.serial in held or node.op is None or node.serial > target.serial:
                continue
            if any(type(x) is Var and x.serial in moving for x in node.inputs):
                if node.op.name == "root":
                    return None
                moving.add(node.serial)
                order.append(node)

        def run(value: Any) -> Any:
            values = {source.serial: value}
            for node in order:
                given = [values.get(x.serial, x.value) if type(x) is Var else x for x in node.inputs]
                assert node.op is not None
                forward = (np.iscomplexobj(value) and node.op.complex_forward) or node.op.forward
                values[node.serial] = forward(*given, **(node.settings or {}))
            return values.get(target.serial, target.value)

        return run


def all_above(name: str, parents: Callable[[str], Sequence[str]]) -> list[str]:
    """The quantities from which one is computed, directly or through others."""
    found: dict[str, None] = {}
    pending = [name]
    while pending:
        new = [parent for parent in parents(pending.pop()) if parent not in found]
        found |= dict.fromkeys(new)
        pending += new
    return list(found)


def slopes_of(
    run: Callable[[Any], Any],
    replay: Callable[[Any], Any] | None,
    at: Any,
    place: int,
    entry: int,
    low: float,
    high: float,
    noise: float,
) -> Slopes | None:
    """The derivative of an entry of a function by an entry of its argument, by numbers; None where it has no values.

    run: what to take differences of. replay: what to take a complex step in, None for nothing. at: where. low, high,
    noise: as in `one_sided`.
    """
    try:
        with np.errstate(all="ignore"):
            left, right = (one_sided(run, at, place, entry, way, low, high, noise) for way in (-1.0, 1.0))
            tilted = at.astype(complex)
            step = 1e-200
            tilted.reshape(-1)[place] += 1j * step
            try:
                found = float(np.ravel(replay(tilted))[entry].imag / step) if replay else np.nan
            except TypeError:
                found = np.nan
            if all(abs(s - found) <= 1e-5 * abs(found) + 10.0 * d for s, d in (left, right)):
                # One that is 0 may have been too small for the step.
                doubt = 4.0 * EPSILON * abs(found) if found else left[1] + right[1]
                return Slopes(found, found, doubt, True)
            return Slopes(left[0], right[0], left[1] + right[1], False)
    except (TypeError, NotImplementedError):
        return None


def one_sided(
    run: Callable[[Any], Any], at: Any, place: int, entry: int, way: float, low: float, high: float, noise: float
) -> tuple[float, float]:
    """The slope to one side, by differences extrapolated to step zero, and how far it may be off.

    low, high: between which the entry may be moved. noise: what rounding does to a value of `run`.
    """
    x = float(at.reshape(-1)[place])
    room = high - x if way > 0 else x - low
    # A number that is 0 has no scale of its own; that of its neighbours is the best guess.
    scale = abs(x) or float(np.abs(at).max()) or 1.0
    if room <= 1e-12 * scale:
        return one_sided(run, at, place, entry, -way, low, high, noise)
    start = float(np.ravel(run(at))[entry])
    best, error = np.nan, np.inf
    # Where another kink is nearer than the first step, or the scale was guessed wrong, other steps are better.
    for shrunk in (1.0, 1e-3, 1e-6, 1e-9, 1e3):
        step = min(1e-2 * scale * shrunk, room)
        rows: list[list[float]] = []
        for i in range(8):
            moved = at.copy()
            moved.reshape(-1)[place] = x + way * step / 2.0**i
            h = float(moved.reshape(-1)[place]) - x
            if h == 0.0:
                break
            row = [float((np.ravel(run(moved))[entry] - start) / h)]
            for j in range(1, i + 1):
                row.append(row[j - 1] + (row[j - 1] - rows[i - 1][j - 1]) / (2.0**j - 1.0))
            if i:
                change = max(abs(row[-1] - row[-2]), abs(row[-1] - rows[-1][-1]))
                change += 8.0 * max(noise, EPSILON * abs(start)) * 2.0**4 / step
                if change < error:
                    best, error = row[-1], change
            rows.append(row)
        if error <= 1e-7 * abs(best):
            break
    return best, error


def taylor_slope(run: Callable[[Any], Any], at: Any, slope: Callable[[Any], Any], seed: int = 0) -> float:
    """How fast |f(x + h d) - f(x) - h f'(x) d| falls with h, as a power of h, along a random direction d.

    run: f, from arrays to arrays. slope: from a direction to f'(x) d. It is 2 for a right derivative of a smooth
    function and 1 for a wrong one; infinite where the function is linear as far as rounding shows.
    """
    at = np.array(at, float)
    d = np.random.default_rng(seed).normal(size=at.shape) * np.maximum(np.abs(at), 1e-3)
    start, first = np.asarray(run(at), float), np.asarray(slope(d), float)
    sizes, remainders = [], []
    for k in range(4, 24):
        h = 2.0**-k
        rest = float(np.linalg.norm(np.asarray(run(at + h * d), float) - start - h * first))
        # Below this rounding is all that is left.
        if rest <= 1e3 * EPSILON * (float(np.linalg.norm(start)) + h * float(np.linalg.norm(first))):
            break
        sizes.append(np.log(h))
        remainders.append(np.log(rest))
    if len(sizes) < 3:
        return np.inf
    return float(np.median(np.diff(remainders) / np.diff(sizes)))


def rounding_of(result: Any, place: int = 0) -> float:
    """How far rounding may put an entry of a result off, as in `Quantities.rounding`.

    The numbers of the point count too: a constant near to one of them is rounded as much.
    """
    if not isinstance(result, Var) or not result.tracked:
        return 0.0
    seen: dict[int, Any] = {}
    nodes = reachable([result])
    spend(cost(len(nodes), sum(n.size for n in nodes)))
    seen.update(pull_back(nodes, {result.serial: unit_entry(result, place)}, recorded=False, seen=seen))
    with np.errstate(all="ignore"):
        parts = [np.abs(np.asarray(seen[n.serial]) * _terms(n)).sum() for n in nodes if n.serial in seen]
    return EPSILON * float(np.nansum(parts))


def _terms(node: Var) -> Any:
    """The size of what an op rounds: of its result, or of all terms where it adds up many."""
    if node.op is not None and node.op.name in ("sum", "matmul"):
        sizes = [np.abs(value_of(x)) for x in node.inputs]
        return node.op.forward(*sizes, **(node.settings or {}))
    return np.abs(node.value)


def plain(value: Any) -> Any:
    """A float, or an array without axes of length one."""
    array = np.squeeze(np.asarray(value, float))
    return float(array) if not array.ndim else array


def split(flat: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Entries of several quantities in one line, as values of each: a float, or an array of its shape."""
    parts = np.split(flat, np.cumsum([prod(shape) for shape in shapes.values()])[:-1])
    return {n: p.reshape(shape) if shape else float(p[0]) for (n, shape), p in zip(shapes.items(), parts, strict=True)}


def components(name: str, shape: Sequence[int]) -> list[str]:
    """The names of the entries of a quantity, in C order."""
    if not shape:
        return [name]
    return [f"{name}[{', '.join(map(str, i))}]" for i in np.ndindex(*shape)]
