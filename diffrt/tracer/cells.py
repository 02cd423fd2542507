"""Cells: the image plane as a grid of squares, `cells` per pixel side, divided where it is not proved what is seen.

Blocks of the image are asked for a proof (`proof.py`) that all of their points have one signature, from large to small.
Where there is none, a block is halved on, past the cells of the grid, until what can be wrong in it is under the
tolerance, which is an area in pixels:

- a cell of which all is proved is one sample;
- a cell whose corners differ in signature has an edge in it. It is cut along the chords of the edge (`regions.py`), which
  is wrong by two thirds of the sag of the edge under its chord, times the chord. The sag is small enough if the edge
  passes between two points at that distance from the middle of the chord;
- a cell whose own area is under the tolerance is taken as it is. If its corners agree it is *not proved*, and its area is
  counted.

A block asks nothing of its neighbours. Corners lie on a lattice of 2^SMALLEST points per side of a cell of the grid, so
that their places are integers.
"""

from dataclasses import dataclass
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from diffrt.tracer.crossings import Crossings, Sides, find_crossings, joined
from diffrt.tracer.proof import proved_ids
from diffrt.tracer.visibility import Labels, Visibility

SMALLEST = 8
"""The level of the smallest cells; those of the grid have level 0."""

LARGEST = 5
"""Blocks have at most 2^LARGEST cells of the grid on a side."""

STRAIGHT = 2.0**-5
"""What a cut may be wrong by, in tolerances. Whether a cell is halved changes as an edge moves, and each such change is a
jump of the image of up to so much."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_BITS = 31
_ROW = 1 << _BITS  # keys of lattice points and cells are column + _ROW * row
_CORNERS = np.array([0, 1, 1 + _ROW, _ROW])[:, None]  # top left, top right, bottom right, bottom left

SIDES = np.array([[0, 1], [1, 2], [3, 2], [0, 3]])
"""The corners at which the sides begin and end: top, right, bottom, left."""


@dataclass(frozen=True)
class Cells:
    """The cells that the image is made of.

    grid: the labels of the cells of the grid, row by row, -1 for those that are divided or mixed.
    The smaller cells that are not mixed: x, y of the middle, size of the side, in pixels, label, pixel, key (which names
    a cell), and whether it is proved that nothing else is seen there, (n,) each. The mixed ones: corner_x, corner_y of
    the top left corner, corner_label of all, clockwise from there, (4, m), mixed_size, mixed_pixel, mixed_key, and the
    number of the crossing on each side, -1 for none, (4, m). crossings: those. per_pixel: cells of the grid per pixel
    side.
    """

    grid: Labels
    x: Floats
    y: Floats
    size: Floats
    label: Labels
    pixel: Integers
    key: Integers
    proved: NDArray[np.bool_]
    corner_x: Floats
    corner_y: Floats
    corner_label: Labels
    mixed_size: Floats
    mixed_pixel: Integers
    mixed_key: Integers
    side: Integers
    crossings: Crossings
    per_pixel: int


def divide(
    view: Visibility, size: tuple[int, int], cells: int, tolerance: float, only: NDArray[np.bool_] | None = None
) -> Cells:
    """The cells of an image.

    size: width and height of the image in pixels. cells: per pixel side. tolerance: what may be wrong in a cell, as an
    area in pixels. only: the pixels that have cells at all, (height, width).
    """
    columns, rows = size[0] * cells, size[1] * cells
    wanted = np.ones((rows, columns), bool) if only is None else only.repeat(cells, 0).repeat(cells, 1)
    grid = _blocks(view, wanted, cells)
    place = np.flatnonzero((grid < 0) & wanted)
    row, column = np.divmod(place, columns)
    grid[:] = np.where(wanted, grid, -1)
    keys = column + _ROW * row
    whole: list[tuple[Integers, Labels, NDArray[np.bool_], int]] = []
    mixed: list[tuple[Integers, Labels, Integers, int]] = []
    found: list[Crossings] = []
    count = 0
    last = min(max(ceil(-0.5 * log2(tolerance * cells * cells)), 0), SMALLEST)
    flat = grid.ravel()
    for level in range(last + 1):
        if not keys.size:
            break
        spacing = 1.0 / (cells << level)
        points, at = np.unique(keys + _CORNERS, return_inverse=True)
        at = at.reshape(4, -1)
        x, y = (points & (_ROW - 1)) * spacing, (points >> _BITS) * spacing
        points_label = view.signature_ids(x, y)
        label = points_label[at]
        cut = (label[1] != label[0]) | (label[2] != label[0]) | (label[3] != label[0])
        # A cell that is cut once is straight or not; one that is cut more often holds a junction.
        crossed = label[SIDES[:, 0]] != label[SIDES[:, 1]]
        once = crossed.sum(0) == 2
        ready = cut & (once | (level == last))
        some = np.flatnonzero(ready)
        ends = at[SIDES][:, :, some].swapaxes(0, 1).reshape(2, -1)[:, crossed[:, some].ravel()]
        names, number = np.unique(ends[0] * len(points) + ends[1], return_inverse=True)
        begin, end = np.divmod(names, len(points))
        segments = Sides(x[begin], y[begin], x[end] - x[begin], y[end] - y[begin])
        crossings = find_crossings(view, segments, points_label[begin], points_label[end])
        own = np.full((4, len(some)), -1)
        own[crossed[:, some]] = number.ravel()
        if level < last and some.size:
            straight = _straight(view, crossings, own, once[some], label[:, some], tolerance * STRAIGHT)
            some, own = some[straight], own[:, straight]
        there = own >= 0
        used, renamed = np.unique(own[there], return_inverse=True)
        side = np.full(own.shape, -1)
        side[there] = renamed.ravel() + count
        found.append(crossings[used])
        count += len(used)
        mixed.append((keys[some], label[:, some], side, level))
        done = np.zeros(len(keys), bool)
        done[some] = True
        if level == last:
            left = np.flatnonzero(~done)
            whole.append((keys[left], label[0, left], np.zeros(len(left), bool), level))
            break
        rest = np.flatnonzero(~done)
        parents = keys[rest]
        children = (((parents >> _BITS) << (_BITS + 1)) + ((parents & (_ROW - 1)) << 1) + _CORNERS).ravel()
        half = 0.5 * spacing
        labels = proved_ids(view, (children & (_ROW - 1)) * half + 0.5 * half, (children >> _BITS) * half + 0.5 * half,
                            half)  # fmt: skip
        proved = labels >= 0
        whole.append((children[proved], labels[proved], np.ones(int(proved.sum()), bool), level + 1))
        keys = children[~proved]
    return _collected(view, flat, whole, mixed, found, size, cells)


def _collected(view, grid, whole, mixed, found, size, cells) -> Cells:
    def pixels(keys: Integers, level: int) -> Integers:
        return ((keys >> _BITS) >> level) // cells * size[0] + ((keys & (_ROW - 1)) >> level) // cells

    def sizes(keys: Integers, level: int) -> Floats:
        return np.full(len(keys), 1.0 / (cells << level))

    def names(keys: Integers, level: int) -> Integers:
        return keys * (SMALLEST + 1) + level

    def parts(make, entries, dtype, shape=()):
        return np.concatenate([np.zeros((*shape, 0), dtype), *(make(*entry) for entry in entries)], -1)

    levels = [(keys, level) for keys, _, _, level in whole]
    own_size = parts(sizes, levels, float)
    x = parts(lambda k, n: (k & (_ROW - 1)) / (cells << n), levels, float) + 0.5 * own_size
    y = parts(lambda k, n: (k >> _BITS) / (cells << n), levels, float) + 0.5 * own_size
    cut = [(keys, level) for keys, _, _, level in mixed]
    return Cells(
        grid, x, y, own_size, parts(lambda k, label, p, n: label, whole, np.int32), parts(pixels, levels, np.int64),
        parts(names, levels, np.int64), parts(lambda k, label, p, n: p, whole, bool),
        parts(lambda k, n: (k & (_ROW - 1)) / (cells << n), cut, float),
        parts(lambda k, n: (k >> _BITS) / (cells << n), cut, float),
        parts(lambda k, label, s, n: label, mixed, np.int32, (4,)), parts(sizes, cut, float),
        parts(pixels, cut, np.int64), parts(names, cut, np.int64),
        parts(lambda k, label, s, n: s, mixed, np.int64, (4,)), joined(view, found), cells,
    )  # fmt: skip


def _blocks(view: Visibility, wanted: NDArray[np.bool_], cells: int) -> Labels:
    """The labels of the cells of the grid (rows, columns) that are proved, -1 for the others and for those that are not
    wanted."""
    rows, columns = wanted.shape
    top = min(max(ceil(log2(max(rows, columns) / 4)), 0), LARGEST)
    whole = 1 << top
    # Which blocks hold cells that are wanted, from small to large.
    needed = [np.pad(wanted, ((0, -rows % whole), (0, -columns % whole)))]
    for _ in range(top):
        last = needed[-1]
        needed.append(last[::2, ::2] | last[1::2, ::2] | last[::2, 1::2] | last[1::2, 1::2])
    found = np.full(needed[-1].shape, -1, np.int32)
    for level in range(top, -1, -1):
        side = (1 << level) / cells
        row, column = np.nonzero((found < 0) & needed[level])
        found[row, column] = proved_ids(view, (column + 0.5) * side, (row + 0.5) * side, side)
        if level:
            found = found.repeat(2, 0).repeat(2, 1)
    return np.ascontiguousarray(found[:rows, :columns])


def _straight(
    view: Visibility, crossings: Crossings, side: Integers, once: NDArray[np.bool_], label: Labels, allowed: float
) -> NDArray[np.bool_]:
    """Whether what is cut off of cells is right but for an allowed area, in pixels.

    side: the crossings on their sides, -1 for none, (4, n). once: whether there are two. label: of their corners.
    """
    x, y = crossings.segments.at(crossings.s)
    place = np.sort(np.where(side >= 0, side, -1), 0)[2:]
    x, y = x[place], y[place]
    dx, dy = x[1] - x[0], y[1] - y[0]
    chord = np.hypot(dx, dy)
    sag = 1.5 * allowed / np.maximum(chord, 1e-300)
    sag = np.minimum(sag, 0.5 * chord)
    mx, my = 0.5 * (x[0] + x[1]), 0.5 * (y[0] + y[1])
    nx, ny = -dy / np.maximum(chord, 1e-300) * sag, dx / np.maximum(chord, 1e-300) * sag
    beside = view.signature_ids(np.concatenate([mx + nx, mx - nx]), np.concatenate([my + ny, my - ny]))
    one, two = beside.reshape(2, -1)
    first, last = label.min(0), label.max(0)
    fits = ((one == first) & (two == last)) | ((one == last) & (two == first))
    return once & fits
