"""One claim at one point: what it says, what is right, how far rounding may reach; and what all points say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diffrt.marking.branches import Look
from diffrt.marking.claims import Claim
from diffrt.marking.work import cost, spend

TOLERANCE = 1e-8
"""What is nearer than this, relatively, is the same."""

SHARP = 1e-6
"""Where rounding may reach farther than this, relatively, agreeing says nothing."""

_UNDERFLOW = 1e-290

_NONE = 2
"""In place of the sign of a margin that is not there, or does not matter."""

_ENTRIES = 8
"""Of so many entries of a claim it is asked whether rounding leaves enough of them."""


@dataclass(eq=False)
class Trial:
    """A claim and what is right at one point, rows by columns.

    turned: whether the claim was transposed to fit. floors: how far rounding may put an entry off, the claim's and the
    right one. forks: of the claim's own formula.
    """

    claim: Claim
    look: Look
    mine: NDArray[np.float64]
    right: NDArray[np.float64]
    turned: bool
    floors: Callable[[int, int], tuple[float, float]]
    forks: Look

    @property
    def defined(self) -> bool:
        """Whether the claim is a number."""
        return bool(np.isfinite(self.mine).all())

    @cached_property
    def off(self) -> float:
        """The largest relative difference."""
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(self.mine), np.abs(self.right))
            return float(np.nan_to_num(np.abs(self.mine - self.right) / size).max(initial=0.0))

    @cached_property
    def differs(self) -> bool:
        """Whether there is a difference that rounding does not explain."""
        difference = np.abs(self.mine - self.right)
        room = TOLERANCE * np.maximum(np.abs(self.mine), np.abs(self.right)) + _UNDERFLOW
        return any(
            difference[i, j] > room[i, j] + 16.0 * sum(self.floors(int(i), int(j)))
            for i, j in np.argwhere(difference > room)
        )

    def cancels(self, i: int, j: int) -> str:
        """Whose digits cancel at an entry, "your formula" or "the definition"; empty if enough of both are left."""
        mine, right = abs(self.mine[i, j]), abs(self.right[i, j])
        yours, ours = (16.0 * f for f in self.floors(i, j))
        if yours + ours <= SHARP * max(mine, right):
            return ""
        # What is 0 has no relative error, and is 0 if rounding is small beside the quantities themselves.
        if mine <= yours and right <= ours and yours + ours <= SHARP * max(1.0, self.look.magnitude):
            return ""
        return "your formula" if yours >= ours else "the definition"

    def said(self, entry: int) -> dict[tuple[str, int], float]:
        """The derivatives of an entry of its quantity that the claim gives, by the other quantity and its entry."""
        row = self.mine[entry if self.claim.entry is None else 0]
        places = range(len(row)) if self.claim.place is None else [self.claim.place]
        return {(self.claim.of, p): float(v) for p, v in zip(places, row, strict=True)}

    @cached_property
    def sides(self) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """The signs of the margins that decide what the claim and its quantity are here: of the definitions, _NONE for
        those that do not matter, and of the claim."""
        spend(cost(1, len(self.look.margins) + len(self.forks.margins)))
        kept = [np.full(len(f.margins), matters(self.claim, self.look, f.serial)) for f in self.look.forks]
        signs = np.where(np.concatenate(kept), _signs(self.look), _NONE) if kept else _signs(self.look)
        return signs.astype(np.int8), _signs(self.forks)

    def words(self, margin: tuple[bool, int], side: int) -> str:
        """What holds where a margin has a sign. margin: whether it is the claim's own, and its number."""
        look = self.forks if margin[0] else self.look
        fork, entry = look.places[margin[1]]
        return fork.words(entry, side, {v.serial: n for n, v in look.q.vars.items()})


def _signs(look: Look) -> NDArray[np.int8]:
    return np.nan_to_num(np.sign(look.margins)).astype(np.int8)


def _table(trials: Sequence[Trial]) -> tuple[NDArray[np.int8], int]:
    """The sides at all trials, a row each: first those of the claim, so many, then those of the definitions."""
    claims = max(len(t.sides[1]) for t in trials)
    found = np.full((len(trials), claims + max(len(t.sides[0]) for t in trials)), _NONE, np.int8)
    for row, trial in zip(found, trials, strict=True):
        definitions, own = trial.sides
        row[: len(own)], row[claims : claims + len(definitions)] = own, definitions
    return found, claims


def _margin(column: int, claims: int) -> tuple[bool, int]:
    return column < claims, column if column < claims else column - claims


def matters(claim: Claim, look: Look, serial: int) -> bool:
    """Whether a step of the computation belongs to what a claim is about: to the next quantity after it."""
    owner = look.owner(serial)
    if claim.kind == "partial":
        return owner == claim.name
    if claim.kind == "path":
        return owner in {n for n, _ in claim.steps}
    return owner in look.q.computed_from(claim.name)


def blurred(trials: Sequence[Trial]) -> str:
    """Whose digits cancel, so that on a side of a border there is no point with enough of them; empty if there are such
    points on all sides."""
    rows, columns = trials[0].right.shape
    places = np.unique(np.linspace(0, rows * columns - 1, _ENTRIES).astype(int))
    entries = [(int(p) // columns, int(p) % columns) for p in places]
    table, _ = _table(trials)
    sides = np.hstack([np.ones((len(trials), 1), bool), *(table == side for side in (-1, 0, 1))])
    cancelled, yours = False, False
    for entry in entries:
        needed, formula = sides.any(0), np.zeros(sides.shape[1], bool)
        for trial, there in zip(trials, sides, strict=True):
            if (asked := there & needed).any():
                culprit = trial.cancels(*entry)
                formula[asked] = culprit == "your formula"
                if not culprit:
                    needed &= ~asked
        cancelled |= bool(needed.any())
        yours |= bool(formula[needed].any())
    if not cancelled:
        return ""
    whose = "your formula" if yours else "the definition"
    return f"{whose} cancels: rounding leaves fewer than six digits of it"


def not_reached(trials: Sequence[Trial], given: int) -> list[str]:
    """The sides of borders on which no point lies, in words.

    given: so many trials, the first ones, are at given points. A margin that is 0 at others has one side only.
    """
    table, claims = _table(trials)
    asked = (table != _NONE).any(0) & ~(table[given:] == 0).any(0)
    found = []
    for column in np.flatnonzero(asked):
        for way in (-1, 1):
            if not (table[:, column] == way).any():
                first = int(np.argmax(table[:, column] != _NONE))
                found.append(trials[first].words(_margin(int(column), claims), way))
    return list(dict.fromkeys(found))


def only_where(trials: Sequence[Trial], wrong: set[int]) -> str:
    """A side of a border on which all wrong points lie and no other point, in words; empty if there is none."""
    table, claims = _table(trials)
    bad = np.isin(np.arange(len(trials)), list(wrong))
    side = table[min(wrong)]
    alone = (table[bad] == side).all(0) & (side != _NONE) & ~(table[~bad] == side).any(0)
    if not alone.any():
        return ""
    column = int(np.argmax(alone))
    return trials[min(wrong)].words(_margin(column, claims), int(side[column]))
