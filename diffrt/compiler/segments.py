"""Segments: samples in the order in which those that take the same row of a table follow each other."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd.variable import freeze

Integers = NDArray[np.int64]

BLOCK = 4096
"""The most samples of a block. Blocks are what threads work on and what sums are taken over."""

SHORT = 12
"""Samples whose segments are shorter than this on average are sorted first."""


@dataclass(frozen=True, eq=False)
class Segments:
    """Which row each of N samples takes.

    rows: (N,), -1 for a sample that is left out. count: the number of rows there are.
    """

    rows: NDArray[np.integer]
    count: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", freeze(self.rows))

    @cached_property
    def members(self) -> Integers | slice:
        """The samples that are not left out."""
        return slice(None) if self.complete else np.flatnonzero(self.rows >= 0)

    @cached_property
    def _found(self) -> tuple[Integers | None, Integers]:
        rows = self.rows
        size = len(rows)
        starts = np.flatnonzero(rows[1:] != rows[:-1]) + 1
        order = None
        if (len(starts) + 1) * SHORT > size and len(starts) > 2 * self.count:
            narrow = rows.astype(np.int16) if self.count < 2**15 else rows  # numpy sorts those in linear time
            order = np.argsort(narrow, kind="stable")
            order = order if self.complete else order[np.searchsorted(rows[order], 0) :]
            rows = rows[order]
            starts = np.flatnonzero(rows[1:] != rows[:-1]) + 1
        starts = np.concatenate([[0], starts])
        stops = np.append(starts[1:], len(rows))
        row = rows[starts].astype(np.int64) if len(rows) else np.zeros(0, np.int64)
        if not len(rows):
            return order, np.zeros((0, 3), np.int64)
        # Long segments in blocks.
        parts = -(-(stops - starts) // BLOCK)
        number = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
        begin = np.repeat(starts, parts) + number * BLOCK
        end = np.minimum(begin + BLOCK, np.repeat(stops, parts))
        blocks = np.stack([begin, end, np.repeat(row, parts)], 1)
        return order, np.ascontiguousarray(blocks[blocks[:, 2] >= 0])

    @property
    def order(self) -> Integers | None:
        """The samples in the order of their rows, without those left out; None if they stay as they are."""
        return self._found[0]

    @property
    def blocks(self) -> Integers:
        """Blocks (start, stop, row) of samples in `order`, (number, 3)."""
        return self._found[1]

    @cached_property
    def complete(self) -> bool:
        """Whether no sample is left out."""
        return not self.rows.size or bool(self.rows.min() >= 0)


def one_segment(size: int) -> Segments:
    """All samples alike, and no rows."""
    found = Segments(np.zeros(size, np.int8), 1)
    begin = np.arange(0, size, BLOCK)
    blocks = np.stack([begin, np.minimum(begin + BLOCK, size), np.zeros_like(begin)], 1)
    found.__dict__.update(complete=True, _found=(None, blocks))  # known without a look at the rows
    return found
