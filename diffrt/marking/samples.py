"""One line of a derivation as samples: one for each entry that it stands for, at each point.

All that is asked of a wrong line is asked of its samples: where it is wrong, by which factor, by which term.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.marking.claims import LETTERS, Claim
from diffrt.marking.factors import CLOSE
from diffrt.marking.quantities import Quantities, components
from diffrt.marking.trials import Trial, matters
from diffrt.types import Array

MOST = 1_500
"""Samples of a line, about; with more entries there are fewer points."""

_FEW = 6
"""So many values of a letter are looked at one by one."""


@dataclass(eq=False)
class Samples:
    """What a line says and what is right. trials, rows, columns: of each sample, and where in its claim it is.
    complete: whether they are all entries of the line."""

    trials: Sequence[Trial]
    rows: NDArray[np.int_]
    columns: NDArray[np.int_]
    complete: bool = True

    @cached_property
    def claim(self) -> Claim:
        """The first of the line."""
        return self.trials[0].claim

    @cached_property
    def mine(self) -> Array:
        """What the line says."""
        return np.array([t.mine[i, j] for t, i, j in zip(self.trials, self.rows, self.columns, strict=True)])

    @cached_property
    def right(self) -> Array:
        """What is right."""
        return np.array([t.right[i, j] for t, i, j in zip(self.trials, self.rows, self.columns, strict=True)])

    @cached_property
    def points(self) -> list[Quantities]:
        """The quantities of each sample."""
        return [t.look.q for t in self.trials]

    @cached_property
    def entries(self) -> NDArray[np.int_]:
        """Of the quantity on the left."""
        given = [t.claim.entry for t in self.trials]
        return np.array([i if e is None else e for e, i in zip(given, self.rows, strict=True)])

    @cached_property
    def places(self) -> NDArray[np.int_]:
        """The entries of the quantity on the right."""
        given = [t.claim.place for t in self.trials]
        return np.array([j if p is None else p for p, j in zip(given, self.columns, strict=True)])

    @cached_property
    def wrong(self) -> NDArray[np.bool_]:
        """Which samples differ from what is right."""
        size = np.maximum(np.abs(self.mine), np.abs(self.right))
        return np.asarray(np.abs(self.mine - self.right) > CLOSE * size + 1e-13 * np.abs(self.right).max())

    @cached_property
    def letters(self) -> dict[str, NDArray[np.int_]]:
        """The indices of each sample, by letter: those of the line, or of the rows and columns of a whole array."""
        claim = self.claim
        if claim.letters:
            return {k: np.array([t.claim.letters[k] for t in self.trials]) for k in claim.letters}
        q = self.points[0]
        found: dict[str, NDArray[np.int_]] = {}
        free = iter(LETTERS)
        for name, places, given in ((claim.name, self.entries, claim.entry), (claim.of, self.places, claim.place)):
            if given is None and (shape := q.shape(name)):
                found.update(zip(free, np.unravel_index(places, shape), strict=False))
        return found

    @property
    def whole(self) -> bool:
        """Whether the line gives an array, whose indices have no letters."""
        return not self.claim.letters and bool(self.letters)

    def where(self, chosen: NDArray[np.bool_]) -> "Samples":
        """Some of them."""
        there = np.flatnonzero(chosen)
        return Samples([self.trials[int(k)] for k in there], self.rows[there], self.columns[there], self.complete)

    def picked(self, matrices: Mapping[int, Array]) -> Array:
        """The entries of the samples, from an array for each of their points, by id, entries by entries."""
        found = [matrices[id(q)][i, j] for q, i, j in zip(self.points, self.entries, self.places, strict=True)]
        return np.array(found)

    def each(self, of: Callable[[Quantities], Any]) -> dict[int, Any]:
        """Something of each point, by id."""
        return {key: of(q) for key, q in {id(q): q for q in self.points}.items()}

    def indices(self, size: int) -> list[NDArray[np.int_]]:
        """What may be the index of each sample in an array of some size."""
        q, claim = self.points[0], self.claim
        found = [np.zeros(len(self.points), int)] if size == 1 else []
        found += [self.entries] if size == q.vars[claim.name].size else []
        found += [self.places] if size == q.vars[claim.of].size else []
        return [*found, *(v for x, v in self.letters.items() if self._sizes[x] == size)]

    def values(self, name: str) -> dict[str, Array]:
        """A quantity at each sample, by formulas for it: its entries, also by letters."""
        first, letters = self.points[0], self.letters
        shape = first.shape(name)
        flat = self.each(lambda q: np.ravel(q.value(name)))

        def at(places: Any) -> Array:
            return np.array([flat[id(q)][k] for q, k in zip(self.points, places, strict=True)])

        zero = np.zeros(len(self.points), int)
        if not shape:
            return {name: at(zero)}
        found = {}
        sizes = {letter: self._sizes[letter] for letter in letters}
        if not self.whole and len(shape) <= 2:
            fitting = [[x for x in letters if sizes[x] <= n] for n in shape]
            pairs = [(a,) for a in fitting[0]] if len(shape) == 1 else [(a, b) for a in fitting[0] for b in fitting[1]]
            for pair in pairs:
                found[f"{name}[{', '.join(pair)}]"] = at(np.ravel_multi_index([letters[x] for x in pair], shape))
        elif self.whole and shape == tuple(sizes.values()):
            found[name] = at(np.ravel_multi_index(list(letters.values()), shape))
        for k, text in enumerate(components(name, shape)) if first.vars[name].size <= 12 else ():
            found[text] = at(zero + k)
        return found

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return {letter: int(values.max()) + 1 for letter, values in self.letters.items()}

    def cases(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Conditions under which a line may be wrong, in words, and where they hold: of its indices, and of what the
        formulas branch at."""
        letters = list(self.letters) if self.complete else []
        for k, a in enumerate(letters):
            for b in letters[k + 1 :]:
                x, y = self.letters[a], self.letters[b]
                if self._sizes[a] == self._sizes[b] > 1:
                    whole = ("on the diagonal", "off the diagonal", "above the diagonal", "below the diagonal")
                    texts = whole if self.whole and len(letters) == 2 else (
                        f"where {a} = {b}", f"where {a} != {b}", f"where {a} < {b}", f"where {a} > {b}")  # fmt: skip
                    yield from zip(texts, (x == y, x != y, x < y, x > y), strict=True)
        forms = {0: ("where {} = {}", "where {} != {}")} | (
            {1: ("in entry {1}", "in all entries but {1}")} if len(letters) == 1 else
            {1: ("in row {1}", "in all rows but {1}"), 2: ("in column {1}", "in all columns but {1}")})  # fmt: skip
        for k, a in enumerate(letters):
            one, others = forms[min(k + 1, 2) if self.whole else 0]
            for value in range(self._sizes[a]) if 1 < self._sizes[a] <= _FEW and (k < 2 or not self.whole) else ():
                there = self.letters[a] == value
                yield one.format(a, value), there
                yield others.format(a, value), ~there
        yield from self._sides()

    def _sides(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Of the comparisons of definitions, and of the line's own."""
        for own in (False, True):
            looks = [t.forks if own else t.look for t in self.trials]
            count = {len(look.forks) for look in looks}
            for k in range(len(looks[0].forks) if len(count) == 1 else 0):
                forks = [look.forks[k] for look in looks]
                if not own and not matters(self.claim, self.trials[0].look, forks[0].serial):
                    continue
                size = len(forks[0].margins)
                index, letter = np.zeros(len(forks), int), ""
                if size > 1:
                    q = self.points[0]
                    if size == q.vars[self.claim.name].size:
                        index, letter = self.entries, self._letter(self.claim.name)
                    elif size == q.vars[self.claim.of].size:
                        index, letter = self.places, self._letter(self.claim.of)
                    else:
                        continue
                margins = np.array([f.margins[i] for f, i in zip(forks, index, strict=True)])
                for side in (-1, 1):
                    words = forks[0].words(int(index[0]), side, self.names)
                    words = words.replace(f"[{index[0]}]", letter, 1) if letter else words
                    yield f"where {words}", np.sign(margins) == side

    def _letter(self, name: str) -> str:
        """The index of a quantity in the line, in words."""
        left, right = ([p.strip() for p in s.split("[")[-1].rstrip("] ").split(",")] if "[" in s else []
                       for s in (*self.claim.line.split("/"), "")[:2])  # fmt: skip
        parts = left if name == self.claim.name else right
        return f"[{', '.join(parts)}]" if parts else "[i]"

    @cached_property
    def names(self) -> dict[int, str]:
        """Of the quantities at the first point, by serial number."""
        return {v.serial: n for n, v in self.points[0].vars.items()}

    def entry_words(self) -> str:
        """Which entries the samples are, in words: a few by name, else how many."""
        if not self.complete:
            return "in some entries"
        q = self.points[0]
        above = components(self.claim.name, q.shape(self.claim.name))
        below = components(self.claim.of, q.shape(self.claim.of))
        pairs = list(dict.fromkeys(zip(self.entries.tolist(), self.places.tolist(), strict=True)))
        if len(pairs) > 3:
            return f"in {len(pairs)} entries"
        return "in " + " and ".join(f"{above[i]} / {below[j]}" for i, j in pairs)


def samples_of(trials: Sequence[Trial], most_points: int = 12) -> Samples | None:
    """The samples of a line at some of its points, wrong ones first; None where it is no number at fewer than two.

    trials: of all claims of the line.
    """
    by_claim: dict[int, list[Trial]] = {}
    for t in trials:
        if t.defined and np.isfinite(t.right).all():
            by_claim.setdefault(id(t.claim), []).append(t)
    if not by_claim:
        return None
    shape = next(iter(by_claim.values()))[0].mine.shape
    count = max(1, min(most_points, MOST // (len(by_claim) * 4)))
    rng = np.random.default_rng(0)
    chosen: list[tuple[Trial, int, int]] = []
    complete = True
    for number, mine in enumerate(by_claim.values()):
        for wrong in (True, False):
            some = [t for t in mine if t.differs == wrong and t.mine.shape == shape]
            # Of many entries each has other points, so that no quantity has the same value at all samples.
            turn = number * count % max(1, len(some))
            for t in (some[turn:] + some[:turn])[:count]:
                entries = np.arange(t.mine.size)
                if (room := MOST // (2 * count * len(by_claim))) < t.mine.size:
                    complete = False
                    off = np.flatnonzero(np.abs(t.mine - t.right) > CLOSE * np.abs(t.right))
                    entries = np.concatenate([rng.permutation(off)[: room // 2], rng.permutation(entries)[: room // 2]])
                chosen += [(t, *divmod(int(k), shape[1])) for k in entries]
    if len({id(t.look) for t, _, _ in chosen}) < 2:
        return None
    picked, rows, columns = zip(*chosen, strict=True)
    return Samples(picked, np.array(rows), np.array(columns), complete)
