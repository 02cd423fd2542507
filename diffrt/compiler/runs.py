"""Runs: samples in the order in which they share what is not their own."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd.variable import freeze

Integers = NDArray[np.int64]

BLOCK = 4096
"""The most samples of a piece. Pieces are what threads work on and what sums are taken over."""

SHORT = 12
"""Samples whose runs are shorter than this on average are sorted first."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Which row each of N samples takes.

    labels: (N,), rows of several cases counted through: those of the first case, then those of the second, ...; -1
    for a sample that is left out. rows: of each case.
    """

    labels: NDArray[np.integer]
    rows: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", freeze(self.labels))

    @cached_property
    def ends(self) -> Integers:
        """The first row of each case, and the number of all."""
        return np.cumsum([0, *self.rows])

    @cached_property
    def members(self) -> list[Integers | slice]:
        """The samples of each case."""
        if len(self.rows) == 1 and (not self.labels.size or self.labels.min() >= 0):
            return [slice(None)]
        case = np.searchsorted(self.ends, self.labels, side="right") - 1
        case[self.labels < 0] = -1
        return [np.flatnonzero(case == k) for k in range(len(self.rows))]

    @cached_property
    def _found(self) -> tuple[Integers | None, Integers]:
        labels = self.labels
        size = len(labels)
        starts = np.flatnonzero(labels[1:] != labels[:-1]) + 1
        order = None
        if (len(starts) + 1) * SHORT > size and len(starts) > 2 * self.ends[-1]:
            narrow = labels.astype(np.int16) if self.ends[-1] < 2**15 else labels  # numpy sorts those in linear time
            order = np.argsort(narrow, kind="stable")
            order = order[np.searchsorted(labels[order], 0) :] if labels.min(initial=0) < 0 else order
            labels = labels[order]
            starts = np.flatnonzero(labels[1:] != labels[:-1]) + 1
        starts = np.concatenate([[0], starts])
        stops = np.append(starts[1:], len(labels))
        row = labels[starts].astype(np.int64) if len(labels) else np.zeros(0, np.int64)
        if not len(labels):
            return order, np.zeros((0, 3), np.int64)
        # Long runs in pieces.
        parts = -(-(stops - starts) // BLOCK)
        number = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
        begin = np.repeat(starts, parts) + number * BLOCK
        end = np.minimum(begin + BLOCK, np.repeat(stops, parts))
        pieces = np.stack([begin, end, np.repeat(row, parts)], 1)
        return order, pieces[pieces[:, 2] >= 0]

    @property
    def order(self) -> Integers | None:
        """The samples in the order of their rows, without those left out; None if they stay as they are."""
        return self._found[0]

    @cached_property
    def pieces(self) -> list[Integers]:
        """For each case its pieces (start, stop, row of the case), of samples in `order`."""
        pieces = self._found[1]
        case = np.searchsorted(self.ends, pieces[:, 2], side="right") - 1
        found = []
        for k, first in enumerate(self.ends[:-1]):
            mine = pieces[case == k] if len(self.rows) > 1 else pieces.copy()
            mine[:, 2] -= first
            found.append(np.ascontiguousarray(mine))
        return found

    @cached_property
    def complete(self) -> bool:
        """Whether no sample is left out."""
        return not self.labels.size or bool(self.labels.min() >= 0)


def one_run(size: int) -> Runs:
    """All samples alike, and no rows."""
    return Runs(np.zeros(size, np.int8), (1,))
