"""Blocks: cells by proof.

Blocks of the image are asked for a proof (`proof.py`) that all of their points have one signature, from large to small.
Where there is none, a block is halved on, past the cells of the grid, until what can be wrong in it is under the
tolerance, which is an area in pixels:

- A cell of which all is proved is one sample, if radiance is flat enough over it.
- A cell whose corners differ in signature has an edge in it, or two that meet. It is cut there (`regions.py`) if the
  edges are where they are taken to be, to a small part of the tolerance, and if it is proved, on each assumption about
  the signs of their switching functions, that nothing else is seen in the cell.
- A cell whose own area is under the tolerance is taken as its corners say, and no proof is asked for.

How much is not proved in the end is found out when a report is asked for it (`Doubt`). A block asks nothing of its
neighbours.
"""

from functools import partial
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.tracer.cells import SIDES, SMALLEST, Cells
from diffrt.tracer.crossings import Rows, Sides, find_crossings, prepare
from diffrt.tracer.flatness import FLAT, Flatness
from diffrt.tracer.joints import as_one_edge, find_joints, nothing_else, off_corners
from diffrt.tracer.lattice import AROUND, ASIDE, BITS, ROW, Integers, key_of, middles_of, quarters_of
from diffrt.tracer.parts import Parts
from diffrt.tracer.proof import proved_ids
from diffrt.tracer.samples import place_samples
from diffrt.tracer.strips import cut_narrow, cut_wide
from diffrt.tracer.visibility import Labels, Visibility
from diffrt.tracer.window import BLOCK, Window

LARGEST = int(log2(BLOCK))
"""Blocks have at most 2^LARGEST cells of the grid on a side."""

STRAIGHT = 2.0**-6
"""What a cut may be wrong by, in tolerances. Whether a cell is halved changes as an edge moves, and each such change is
a jump of the image of up to so much."""

ROUNDS = 1
"""How often switching functions are looked for in cells that can be halved."""

HOPELESS = 3
"""How often a cell and its parents are halved though no part of them is proved. Along an edge, however thin, there are
parts that are; where surfaces lie in one place, none ever is."""


def divide(view: Visibility, window: Window, cells: int, tolerance: float) -> Cells:
    """The cells of what is seen through a window.

    cells: per pixel side. tolerance: what may be wrong in a cell, as an area in pixels.
    """
    size = window.size
    columns, rows = size[0] * cells, size[1] * cells
    wanted = np.ones((rows, columns), bool)
    if window.pixels is not None:
        wanted = window.pixels.repeat(cells, 0).repeat(cells, 1)
    flat, rows_ = Flatness(view, window, tolerance * FLAT), Rows(view)
    _prepare(rows_)
    grid = _blocks(view, wanted, window, cells)
    keys = key_of(*np.divmod(np.flatnonzero((grid < 0) & wanted), columns))
    barren = np.zeros(len(keys), np.int64)
    last = min(max(ceil(-0.5 * log2(tolerance * cells * cells)), 0), SMALLEST)
    parts = Parts()
    for level in range(last + 1):
        # Few cells are left before the last level; they are as soon halved once more.
        if keys.size and not 0 < level == last - 1:
            left = _cut(rows_, flat, parts, keys, barren >= HOPELESS, level, cells, last - level, tolerance * STRAIGHT)
            keys, barren = keys[left], barren[left]
        if not keys.size:
            break
        keys, barren = quarters_of(keys), barren.repeat(4)
        if level == last:
            _cut(rows_, flat, parts, keys, np.zeros(len(keys), bool), last + 1, cells, -1, tolerance * STRAIGHT)
        elif level + 1 < last - 1:
            side = 0.5 / (cells << level)
            found = proved_ids(view, *middles_of(keys, side), side)
            parts.add_whole(keys[found >= 0], found[found >= 0], level + 1)
            none = (found < 0).reshape(-1, 4).all(1).repeat(4)
            keys, barren = keys[found < 0], np.where(none, barren + 1, 0)[found < 0]
    samples = place_samples(flat, grid, parts.whole, cells, last)
    return parts.cells(view, grid.ravel(), samples, size, cells)


def _prepare(rows: Rows) -> None:
    """Have the programs compiled that nearly every image needs: LLVM works on one while Python records the next."""
    view = rows.view
    key = view.tables.kinds, view.setting
    if view.engine.name == "llvm" and key not in _begun:
        _begun.add(key)
        proved_ids(view, np.zeros(0), np.zeros(0), 1.0)
        prepare(rows)


_begun: set[Any] = set()


def _cut(
    rows: Rows, flat: Flatness, parts: Parts, keys: Integers, hopeless: NDArray[np.bool_], level: int, cells: int,
    above: int, allowed: float
) -> NDArray[np.bool_]:  # fmt: skip
    """Of the cells of a level that are not proved, cut those that can be. Returns which are left, to be halved: at the
    last level those in which it is not known where edges meet, if any are halved at all, and below it none. hopeless:
    which are taken as they are if no edge is known to be in them. above: how many levels above the last one, -1 below
    it."""
    last = above <= 0
    view, spacing = rows.view, 1.0 / (cells << level)
    points, at = np.unique(keys + AROUND, return_inverse=True)
    at = at.reshape(4, -1)
    x, y = (points & (ROW - 1)) * spacing - ASIDE[0], (points >> BITS) * spacing - ASIDE[1]
    known = view.signature_ids(x, y)
    label = known[at]
    crossed = label[SIDES[:, 0]] != label[SIDES[:, 1]]
    number = crossed.sum(0)
    some = np.flatnonzero(number)
    taken = (number == 0) & (hopeless | last)
    left: NDArray[np.bool_] = ~taken
    rough = np.zeros((4, len(some)), bool)
    if not last:
        rough, enough = flat.at_corners(label[:, some], *middles_of(keys[some], spacing), spacing)
        some, rough = some[enough], rough[:, enough]
    if some.size:
        crossed, corner_label, at = crossed[:, some], label[:, some], at[:, some]
        begin, end = (at[SIDES[:, k]][crossed] for k in (0, 1))
        names, which = np.unique(begin * len(points) + end, return_inverse=True)
        begin, end = np.divmod(names, len(points))
        segments = Sides(x[begin], y[begin], x[end] - x[begin], y[end] - y[begin])
        # Where more rounds would be needed, the cell is halved, but for the last.
        crossings = find_crossings(rows, segments, known[begin], known[end], *([] if last else [ROUNDS]))
        side = np.full(crossed.shape, -1)
        side[crossed] = which.ravel()
        if last:
            wide = some if above == 0 else some[:0]
            whole = cut_wide(rows, flat, parts, crossings, side, keys, wide, level, cells, allowed)
            taken &= ~whole
            left[whole] = False
            used = ~whole[some]
            side, corner_label, some, rough = side[:, used], corner_label[:, used], some[used], rough[:, used]
        crossings, side, corner_label = off_corners(rows, crossings, side, corner_label, keys[some], spacing)
        crossings, side = as_one_edge(rows, crossings, side)
        joints = find_joints(rows, crossings, side, corner_label, keys[some], spacing, None if last else allowed)
        left[some] = False
        if last:
            used = ~cut_narrow(rows, parts, crossings, side, joints, keys[some], spacing, level)
            if above == 0 < level:
                left[some] = used & ~joints.found
                used &= joints.found
        else:
            used = joints.found & joints.stays
            used[used] = nothing_else(view, crossings, joints[used], corner_label[:, used], keys[some[used]], spacing)
            left[some[~used]] = True
        side, corner_label, some, rough = side[:, used], corner_label[:, used], some[used], rough[:, used]
        joints = joints[used]
        proof = partial(nothing_else, view, crossings, joints, corner_label, keys[some]) if last else None
        parts.add_mixed(keys[some], corner_label, side, crossings, joints, rough & joints.inside, level, proof)
    parts.add_whole(keys[taken], label[0, taken], level, proof=partial(all_alike, view, label[0, taken], keys[taken]))
    return left


def all_alike(view: Visibility, labels: Labels, keys: Integers, size: float) -> NDArray[np.bool_]:
    """Whether all of whole cells of one size is proved to be as their labels say."""
    same: NDArray[np.bool_] = proved_ids(view, *middles_of(keys, size), size) == labels
    return same


def _blocks(view: Visibility, wanted: NDArray[np.bool_], window: Window, cells: int) -> Labels:
    """The labels of the cells of the grid (rows, columns) that are proved, -1 for the others and for those that are not
    wanted."""
    rows, columns = wanted.shape
    top = min(max(ceil(log2(max(window.picture[2:]) * cells / 4)), 0), LARGEST)
    # Which blocks hold cells that are wanted, from small to large.
    needed = [np.pad(wanted, ((0, -rows % (1 << top)), (0, -columns % (1 << top))))]
    for _ in range(top):
        last = needed[-1]
        needed.append(last[::2, ::2] | last[1::2, ::2] | last[::2, 1::2] | last[1::2, 1::2])
    grid = np.full(needed[0].shape, -1, np.int32)
    keys = key_of(*needed[top].nonzero())
    for level in range(top, -1, -1):
        side = (1 << level) / cells
        found = proved_ids(view, *middles_of(keys, side), side)
        proved = found >= 0
        row, column = keys[proved] >> BITS, keys[proved] & (ROW - 1)
        parts = grid.reshape(needed[level].shape[0], 1 << level, needed[level].shape[1], 1 << level)
        parts[row, :, column] = found[proved, None, None]
        keys = keys[~proved]
        if level:
            keys = quarters_of(keys)
            keys = keys[needed[level - 1][keys >> BITS, keys & (ROW - 1)]]
    return np.where(wanted, grid[:rows, :columns], -1)
