"""One claim at one point: what it says, what is right, how far rounding may reach; and what all points say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.explain.branches import Look
from diffrt.explain.claims import Claim
from diffrt.explain.work import spend

TOLERANCE = 1e-8
"""What is nearer than this, relatively, is the same."""

SHARP = 1e-6
"""Where rounding may reach farther than this, relatively, agreeing says nothing."""

_UNDERFLOW = 1e-290

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
    def sides(self) -> list[tuple[Any, int]]:
        """The margins that decide what the claim and its quantity are here, and their signs."""
        spend((len(self.look.places) + len(self.forks.places)) / 10.0)
        used = {f.serial for f in self.look.forks if matters(self.claim, self.look, f.serial)}
        numbers = [n for n, (f, _) in enumerate(self.look.places) if f.serial in used]
        found = [(("definition", n), self.look.side(n)) for n in numbers]
        return found + [(("claim", n), self.forks.side(n)) for n in range(len(self.forks.margins))]

    def words(self, margin: Any, side: int) -> str:
        """What holds where a margin has a sign."""
        look = self.look if margin[0] == "definition" else self.forks
        fork, entry = look.places[int(margin[1])]
        return fork.words(entry, side, {v.serial: n for n, v in look.q.vars.items()})


def matters(claim: Claim, look: Look, serial: int) -> bool:
    """Whether a step of the computation belongs to what a claim is about: to the next quantity after it."""
    owner = look.owner(serial)
    if claim.kind == "partial":
        return owner == claim.name
    if claim.kind == "path":
        return owner in {n for n, _ in claim.steps}
    return owner in {claim.name, *look.q.above(claim.name)}


def blurred(trials: Sequence[Trial]) -> str:
    """Whose digits cancel, so that on a side of a border there is no point with enough of them; empty if there are such
    points on all sides."""
    rows, columns = trials[0].right.shape
    places = np.unique(np.linspace(0, rows * columns - 1, _ENTRIES).astype(int))
    entries = [(int(p) // columns, int(p) % columns) for p in places]
    sides = [{("everywhere", 0), *t.sides} for t in trials]
    needed = {(side, entry) for there in sides for side in there for entry in entries}
    culprits: dict[Any, str] = {}
    for trial, there in zip(trials, sides, strict=True):
        for entry in entries:
            if asked := {(side, entry) for side in there} & needed:
                culprit = trial.cancels(*entry)
                culprits.update(dict.fromkeys(asked, culprit))
                if not culprit:
                    needed -= asked
    if not needed:
        return ""
    whose = "your formula" if any(culprits[n] == "your formula" for n in needed) else "the definition"
    return f"{whose} cancels: rounding leaves fewer than six digits of it"


def not_reached(trials: Sequence[Trial], given: int) -> list[str]:
    """The sides of borders on which no point lies, in words.

    given: so many trials, the first ones, are at given points. A margin that is 0 at others has one side only.
    """
    seen: dict[Any, set[int]] = {}
    first: dict[Any, Trial] = {}
    flat = {margin for trial in trials[given:] for margin, side in trial.sides if not side}
    for trial in trials:
        for margin, side in trial.sides:
            seen.setdefault(margin, set()).add(side)
            first.setdefault(margin, trial)
    missing = [(m, way) for m, sides in seen.items() for way in (-1, 1) if m not in flat and way not in sides]
    return list(dict.fromkeys(first[m].words(m, way) for m, way in missing))


def only_where(trials: Sequence[Trial], wrong: set[int]) -> str:
    """A side of a border on which all wrong points lie and no other point, in words; empty if there is none."""
    shared = set.intersection(*(set(trials[k].sides) for k in wrong))
    shared = shared.difference(*(t.sides for k, t in enumerate(trials) if k not in wrong))
    return trials[min(wrong)].words(*min(shared)) if shared else ""
