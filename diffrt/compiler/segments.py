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
        rows, order = self.rows, None
        starts = _changes(rows)
        if (len(starts) + 1) * SHORT > len(rows) and len(starts) > 2 * self.count:
            narrow = rows.astype(np.int16) if self.count < 2**15 else rows  # numpy sorts those in linear time
            order = narrow.argsort(kind="stable")
            order = order if self.complete else order[np.searchsorted(rows[order], 0) :]
            rows = rows[order]
            starts = _changes(rows)
        blocks = np.empty((len(starts) + bool(len(rows)), 3), np.int64)
        blocks[:1, 0], blocks[1:, 0] = 0, starts
        blocks[:-1, 1], blocks[-1:, 1] = starts, len(rows)
        blocks[:, 2] = rows[blocks[:, 0]]
        if not self.complete:
            blocks = blocks[blocks[:, 2] >= 0]
        return order, split(blocks, BLOCK)

    @property
    def order(self) -> Integers | None:
        """The samples in the order of their rows, without those left out; None if they stay as they are."""
        return self._found[0]

    @property
    def blocks(self) -> Integers:
        """Blocks (start, stop, row) of samples in `order`, (number, 3)."""
        return self._found[1]

    @cached_property
    def places(self) -> Integers:
        """The place of each sample in `order`, if there is one and no sample is left out."""
        places = np.empty(len(self.rows), np.int64)
        places[self.order] = np.arange(len(places))
        return places

    @cached_property
    def taken(self) -> int:
        """How many samples are not left out."""
        return int((self.blocks[:, 1] - self.blocks[:, 0]).sum())

    @cached_property
    def complete(self) -> bool:
        """Whether no sample is left out."""
        return not self.rows.size or bool(self.rows.min() >= 0)


def one_segment(size: int) -> Segments:
    """All samples alike, and no rows."""
    rows = np.zeros(size, np.int8)
    rows.flags.writeable = False
    found = Segments(rows, 1)
    blocks = split(np.array([[0, size, 0]] if size else np.zeros((0, 3)), np.int64), BLOCK)
    found.__dict__.update(complete=True, taken=size, _found=(None, blocks))  # known without a look at the rows
    return found


def split(blocks: Integers, size: int) -> Integers:
    """The same samples in blocks of at most this size."""
    lengths = blocks[:, 1] - blocks[:, 0]
    if not len(lengths) or lengths.max() <= size:
        return blocks
    parts = -(-lengths // size)
    begin, end, row = np.repeat(blocks, parts, 0).T
    start = begin + size * (np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts))
    return np.ascontiguousarray(np.stack([start, np.minimum(start + size, end), row], 1))


def _changes(rows: NDArray[np.integer]) -> Integers:
    """Where another row begins than the one before."""
    return np.asarray((rows[1:] != rows[:-1]).nonzero()[0] + 1)
