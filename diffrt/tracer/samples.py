"""Samples: of what is seen in a cell without an edge, one, or one in each of its quarters, and so on.

Which it is depends on what is seen where, and on nothing else: not on whether a cell was proved at once or a quarter at
a time. Otherwise the image would jump where one proof more succeeds.
"""

import numpy as np
from numpy.typing import NDArray

from diffrt.tracer.flatness import SMOOTH, Flatness
from diffrt.tracer.lattice import BITS, ROW, Floats, Integers, key_of, middles_of, parents_of, quarters_of
from diffrt.tracer.visibility import Labels

LOOKED_AT = 3
"""Whether radiance is flat is asked of blocks of at most 2^LOOKED_AT cells on a side; of more, five points tell little.
"""

Whole = tuple[Integers, Labels]
"""Keys and labels of cells of one size without an edge."""

Sampled = tuple[Integers, Labels, NDArray[np.bool_], int]
"""Keys and labels of cells that have one sample each; whether these are the samples of four quarters of one cell, at
Gauss's points in it; the level."""


def place_samples(flat: Flatness, grid: Labels, whole: dict[int, list[Whole]], cells: int, last: int) -> list[Sampled]:
    """The cells below the grid that have one sample each.

    grid: the labels of the cells of the grid (rows, columns), -1 for what is divided; it is changed: cells that turn
    out to be one get their labels, and those that have more than one sample lose them. whole: smaller cells by their
    levels. last: the level under which radiance is not looked at.
    """
    squares = _merged(grid, whole)
    keys, error = _uneven(flat, grid, cells) if last else (np.zeros(0, np.int64), np.zeros(0))
    labels = grid[keys >> BITS, keys & (ROW - 1)]
    grid[keys >> BITS, keys & (ROW - 1)] = -1
    found = []
    for level in range(1, max([last, *squares]) + 1):
        side, own = 1.0 / (cells << level), squares.get(level, _NONE)
        near = (error <= SMOOTH) | (level >= last)
        found.append((quarters_of(keys[near]), labels[near].repeat(4), np.ones(4 * near.sum(), bool), level))
        keys, labels = quarters_of(keys[~near]), labels[~near].repeat(4)
        count = len(keys)
        keys, labels = np.append(keys, own[0]), np.append(labels, own[1])
        error = np.zeros(len(keys)) if level >= last else flat.errors(labels, *middles_of(keys, side), side, side)
        uneven = error > 1.0
        # Gauss's points are for all four quarters, or none.
        uneven[:count] = uneven[:count].reshape(-1, 4).any(1).repeat(4)
        found.append((keys[~uneven], labels[~uneven], np.flatnonzero(~uneven) < count, level))
        keys, labels, error = keys[uneven], labels[uneven], error[uneven]
    return found


_NONE = np.zeros(0, np.int64), np.zeros(0, np.int32)


def _merged(grid: Labels, whole: dict[int, list[Whole]]) -> dict[int, Whole]:
    """The cells by their levels; four alike that are the quarters of one are that one."""
    found: dict[int, Whole] = {}
    more = _NONE
    for level in range(max(whole, default=0), -1, -1):
        keys, labels = (np.concatenate(part) for part in zip(*whole.get(level, []), more, strict=True))
        if level == 0:
            grid[keys >> BITS, keys & (ROW - 1)] = labels
            break
        parents = parents_of(keys, 1)
        order = np.argsort(parents, kind="stable")
        keys, labels, parents = keys[order], labels[order], parents[order]
        alike = parents[:-3] == parents[3:]
        for k in range(3):
            alike &= labels[k : len(labels) - 3 + k] == labels[3:]
        first = np.flatnonzero(alike)
        more = parents[first], labels[first]
        left = np.ones(len(keys), bool)
        left[first[:, None] + np.arange(4)] = False
        found[level] = keys[left], labels[left]
    return found


def _uneven(flat: Flatness, grid: Labels, cells: int) -> tuple[Integers, Floats]:
    """The cells of the grid that are not flat, and how far they are from it, in parts of what is allowed. Blocks in
    which only one thing is seen are asked first."""
    rows, columns = grid.shape
    # What is seen in blocks of 1, 2, 4 and 8 cells on a side, -1 where that is more than one thing.
    seen = [np.pad(grid, ((0, -rows % (1 << LOOKED_AT)), (0, -columns % (1 << LOOKED_AT))), constant_values=-1)]
    for _ in range(LOOKED_AT):
        last = seen[-1]
        one = last[::2, ::2]
        same = (one == last[1::2, ::2]) & (one == last[::2, 1::2]) & (one == last[1::2, 1::2])
        seen.append(np.where(same, one, -1))
    known = np.zeros(seen[-1].shape, bool)
    for level in range(LOOKED_AT, -1, -1):
        side = (1 << level) / cells
        row, column = np.nonzero((seen[level] >= 0) & ~known)
        keys = key_of(row, column)
        error = flat.errors(seen[level][row, column], *middles_of(keys, side), side, 1.0 / cells)
        uneven = error > 1.0
        known |= seen[level] >= 0
        known[row[uneven], column[uneven]] = False
        if level:
            known = known.repeat(2, 0).repeat(2, 1)
    return keys[uneven], error[uneven]
