"""Cells: the image plane as a grid of squares, `cells` per pixel side, divided where an edge runs through.

A cell is *mixed* if its four corners differ in signature. A tree of cells grows from the grid by three rules:

- a cell that is mixed, or near a mixed one of its size, is divided down to `edge_depth`. Near means that they
  touch, at a side or a corner; in the grid itself, that one cell at most lies between them: radiance changes fast
  towards the limb of a ball, like the square root of the distance;
- where such a cell and those that it touches hold three or more signatures (a junction of edges, a contact), it
  is divided down to `junction_depth`;
- a cell that is not mixed is divided when a smaller neighbour has an edge on the side that they share: the edge
  bulges into the larger cell without taking a corner of it.

A shape that is small in the image would fall between the corners. So each bounded shape has its centre
projected, and the cell that holds it, with those around it, is divided until its side is at most half of the
radius, to SMALLEST. The corner of a flat shape is cut off by a straight cut of its cell; so where one is in view, its
cell and those around it are divided down to `junction_depth`.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diffrt.tracer.camera import through_lens
from diffrt.tracer.crossings import Crossings, Rows, Sides, find_crossings
from diffrt.tracer.quadtree import ACROSS, BITS, ROW, SIDES, SMALLEST, Corners, Grid, Level, Quadtree
from diffrt.tracer.tables import Tables
from diffrt.tracer.visibility import Labels, Visibility

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_TOUCHING = np.array([i + j * ROW for j in (-1, 0, 1) for i in (-1, 0, 1) if i or j])[:, None]


@dataclass(frozen=True)
class Cells:
    """The cells that the image is made of.

    grid: the labels of the cells of the grid, row by row, -1 for those that are divided or mixed.
    The smaller cells that are not mixed: x, y of the middle, size of the side, in pixels, label, pixel, key (which
    names a cell), (n,) each. The mixed ones: corner_x, corner_y of the top left corner, corner_label of all, clockwise
    from there, (4, m), mixed_size, mixed_pixel, mixed_key, and the number of the crossing on each side, -1 for none,
    (4, m). crossings: those. per_pixel: cells of the grid per pixel side. unresolved: the number of shapes in view that
    are too small for the smallest cells.

    Where the edges of a mixed cell join (`regions.py`): bent, the cells through which one edge goes, its two crossings
    (2, number), and where it crosses the middle of its chord at right angles; meeting, those in which two edges meet, a
    crossing of each (2, number), where they do, and what x and y move by for each switching function, xx, xy, yx, yy,
    (4, number); loose: the others.
    unproved: the area, in pixels, in which more may be seen; None if no proof was asked for.
    """

    grid: Labels
    x: Floats
    y: Floats
    size: Floats
    label: Labels
    pixel: Integers
    key: Integers
    corner_x: Floats
    corner_y: Floats
    corner_label: Labels
    mixed_size: Floats
    mixed_pixel: Integers
    mixed_key: Integers
    side: Integers
    crossings: Crossings
    per_pixel: int
    loose: Integers
    bent: Integers
    chord: Integers
    bends: Crossings
    meeting: Integers
    meeting_pair: Integers
    meeting_x: Floats
    meeting_y: Floats
    meeting_inverse: Floats
    unresolved: int = 0
    unproved: float | None = None

    def with_mixed(self, which: Integers) -> "Cells":
        """The same with some of the mixed cells only."""
        side = self.side[:, which]
        used = np.unique(side[side >= 0])
        number = np.full(len(self.crossings.s) + 1, -1)  # -1 stays
        number[used] = np.arange(len(used))
        place = np.full(len(self.mixed_size), -1)
        place[which] = np.arange(len(which))
        bent, meeting = (np.flatnonzero(place[cells] >= 0) for cells in (self.bent, self.meeting))
        loose = place[self.loose]
        return replace(
            self, corner_x=self.corner_x[which], corner_y=self.corner_y[which],
            corner_label=self.corner_label[:, which],
            mixed_size=self.mixed_size[which], mixed_pixel=self.mixed_pixel[which], mixed_key=self.mixed_key[which],
            side=number[side], crossings=self.crossings[used], loose=loose[loose >= 0], bent=place[self.bent[bent]],
            chord=number[self.chord[:, bent]], bends=self.bends[bent], meeting=place[self.meeting[meeting]],
            meeting_pair=number[self.meeting_pair[:, meeting]], meeting_x=self.meeting_x[meeting],
            meeting_y=self.meeting_y[meeting], meeting_inverse=self.meeting_inverse[:, meeting],
        )  # fmt: skip


def divide(
    view: Visibility,
    size: tuple[int, int],
    cells: int,
    edge_depth: int,
    junction_depth: int,
    only: NDArray[np.bool_] | None = None,
) -> Cells:
    """The cells of an image.

    size: width and height of the image in pixels. cells: per pixel side.
    edge_depth, junction_depth: how often cells are halved at edges and at junctions, 0 to SMALLEST. only: the pixels
    that have cells at all, (height, width); where the image ends with them, cells are divided as at its border.
    """
    columns, rows = size[0] * cells, size[1] * cells
    asked = None
    if only is not None:
        only = only.repeat(cells, 0).repeat(cells, 1)
        asked = np.zeros((rows + 1, columns + 1), bool)
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
            asked[down : rows + down, right : columns + right] |= only
    corners = Corners(view, columns, rows, 1.0 / (cells << SMALLEST), asked)
    tree = Quadtree(corners, Grid(corners, columns, rows, only))
    small, unresolved = _features(view.tables, size, cells, junction_depth)
    growth = _Growth(tree, edge_depth, junction_depth, small)
    growth.grow(0)
    while growth.follow_bulges():
        growth.grow(1)

    labels = tree.grid.labels()
    keys, sizes, pixels, ats, mixed = [], [], [], [], []
    for i, level in enumerate(tree.levels):
        leaf = np.flatnonzero(level.mixed & (level.first == -1) if i == 0 else level.first == -1)
        k = level.keys(leaf)
        row, column = k >> BITS, k & (ROW - 1)
        keys.append(k * (SMALLEST + 1) + i)
        sizes.append(np.full(len(k), 1.0 / (cells << i)))
        pixels.append((row >> i) // cells * size[0] + (column >> i) // cells)
        ats.append(level.corners(leaf).astype(np.int32).T)
        mixed.append(level.mixed[leaf])
    key, side, pixel = np.concatenate(keys), np.concatenate(sizes), np.concatenate(pixels)
    at, cut = np.concatenate(ats, 1), np.concatenate(mixed)
    whole = ~cut
    first, half = at[0, whole], 0.5 * side[whole]
    crossings, number = _cross(view, corners, at[:, cut])
    corner, none = at[0, cut], np.zeros(0, np.int64)
    return Cells(
        labels, corners.x[first] + half, corners.y[first] + half, side[whole], corners.label[first], pixel[whole],
        key[whole], corners.x[corner], corners.y[corner], corners.label[at[:, cut]], side[cut], pixel[cut], key[cut],
        number, crossings, cells, np.arange(len(corner)), none, np.zeros((2, 0), np.int64), crossings[none], none,
        np.zeros((2, 0), np.int64), np.zeros(0), np.zeros(0), np.zeros((4, 0)), unresolved,
    )  # fmt: skip


def _cross(view: Visibility, corners: Corners, at: NDArray[np.int32]) -> tuple[Crossings, Integers]:
    """The crossings on the sides of mixed cells, of which at holds the ids of the corners, (4, n), and which of them
    each side has, -1 for none, (4, n). A side that two cells share has one crossing."""
    label = corners.label[at]
    crossed = label[SIDES[:, 0]] != label[SIDES[:, 1]]
    begin, end = (at[SIDES[:, k]][crossed].astype(np.int64) for k in (0, 1))
    total = len(corners.x)
    names, number = np.unique(begin * total + end, return_inverse=True)
    side = np.full(crossed.shape, -1)
    side[crossed] = number.ravel()
    begin, end = names // total, names % total
    x, y = corners.x[begin], corners.y[begin]
    segments = Sides(x, y, corners.x[end] - x, corners.y[end] - y)
    return find_crossings(Rows(view), segments, corners.label[begin], corners.label[end]), side


class _Growth:
    """A quadtree while it grows.

    edge_depth, junction_depth: as for `divide`. small: the keys of cells to divide besides, by level.
    """

    def __init__(self, tree: Quadtree, edge_depth: int, junction_depth: int, small: list[Integers]) -> None:
        self.tree, self.small = tree, small
        self.edge_depth, self.junction_depth = edge_depth, junction_depth
        # How many cells of each level have been looked at: for what is near them, and for edges that bulge.
        self.seen, self.followed = [0] * SMALLEST, [0] * (SMALLEST + 1)
        # Sides of cells of each level, across which there was a larger cell.
        none = np.zeros(0, np.int64)
        self.across = [(none, none)] * (SMALLEST + 1)

    def grow(self, level: int) -> None:
        """Divide the cells from a level down that are to be divided because of an edge, a junction or a feature."""
        for number in range(level, SMALLEST):
            cells = self.tree.levels[number]
            if not cells.count:
                break
            wanted = np.zeros(cells.count, bool)
            wanted[self._near(number)] = True
            found = self.tree.places(number, self.small[number])
            wanted[found[found >= 0]] = True
            self.tree.halve(number, np.flatnonzero(wanted))

    def _near(self, level: int) -> Integers:
        """The cells of a level to divide because of an edge or a junction near them, but for those that are known."""
        cells = self.tree.levels[level]
        seen, self.seen[level] = self.seen[level], cells.count
        if seen == cells.count or level >= max(self.edge_depth, self.junction_depth):
            return np.zeros(0, np.int64)
        if level == 0 and self.edge_depth > 0:
            return np.flatnonzero(_widened(cells.mixed.reshape(self.tree.grid.rows, -1), 2))
        near = np.zeros(cells.count + 1, bool)  # the last one is for -1
        if seen:
            near[cells.blocks(np.arange(seen, cells.count))] = True  # what touches new cells
            places = np.flatnonzero(near[:-1])
            near[places] = np.append(cells.mixed, False)[cells.blocks(places)].any(1)
        else:
            near[cells.blocks(np.flatnonzero(cells.mixed))] = True
        places = np.flatnonzero(near[:-1] & (cells.first == -1))
        return places if level < self.edge_depth else places[self._at_junction(cells, places)]

    def _at_junction(self, cells: Grid | Level, places: Integers) -> NDArray[np.bool_]:
        """Whether there are three signatures or more in cells and those that touch them."""
        blocks = np.ascontiguousarray(cells.blocks(places).T)
        blocks = np.where(blocks < 0, places, blocks)
        used = np.zeros(cells.count, bool)
        used[blocks] = True
        number = np.cumsum(used) - 1
        label = self.tree.corners.label[cells.corners(np.flatnonzero(used)).T.copy()]
        # There are three if one is neither the least nor the largest of all; it may be the least or the largest of its
        # cell, or a third one there.
        least, most = np.minimum.reduce(label), np.maximum.reduce(label)
        many = ((label != least) & (label != most)).any(0)
        blocks = number[blocks]
        bottom, top = np.minimum.reduce(least[blocks]), np.maximum.reduce(most[blocks])
        found: NDArray[np.bool_] = many[blocks].any(0)
        for at in blocks:
            for one in (least[at], most[at]):
                found |= (one != bottom) & (one != top)
        return found

    def follow_bulges(self) -> bool:
        """Divide the cells without an edge at their corners into which an edge bulges; whether there were any."""
        tree = self.tree
        wanted: list[list[Integers]] = [[] for _ in tree.levels]
        for level in range(1, len(tree.levels)):
            cells = tree.levels[level]
            new = np.arange(self.followed[level], cells.count)
            self.followed[level] = cells.count
            new = new[cells.mixed[new]]
            label = tree.corners.label[cells.corners(new)]
            which, side = np.nonzero(label[:, SIDES[:, 0]] != label[:, SIDES[:, 1]])
            places, side = np.append(self.across[level][0], new[which]), np.append(self.across[level][1], side)
            if not places.size:
                continue
            open_ = (cells.blocks(places)[np.arange(len(places)), ACROSS[side]] < 0) & (cells.first[places] == -1)
            places, side = places[open_], side[open_]
            self.across[level] = places, side
            for above, at in enumerate(tree.larger_across(level, places, side)):
                larger = tree.levels[level - 1 - above]
                wanted[level - 1 - above].append(at[~larger.mixed[at] & (larger.first[at] == -1)])
        count = [level.count for level in tree.levels]
        # The smallest first: dividing a level adds cells to the next one.
        for level in reversed(range(SMALLEST)):
            if wanted[level]:
                tree.halve(level, _sorted(np.concatenate(wanted[level])))
        return count != [level.count for level in tree.levels]


def _widened(cells: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """A raster with all that is within so many steps, in rows, columns and between them, (rows, columns)."""
    wide = np.pad(cells, steps)
    rows = np.logical_or.reduce([wide[k : k + cells.shape[0]] for k in range(2 * steps + 1)])
    found: NDArray[np.bool_] = np.logical_or.reduce([rows[:, k : k + cells.shape[1]] for k in range(2 * steps + 1)])
    return found


def _features(tables: Tables, size: tuple[int, int], cells: int, junction_depth: int) -> tuple[list[Integers], int]:
    """Keys of cells to divide for small shapes and for corners of shapes, by level; how many shapes are too small."""
    keys: list[list[Integers]] = [[np.zeros(0, np.int64)] for _ in range(SMALLEST)]
    unresolved = 0

    def add(level: int, x: Floats, y: Floats) -> None:
        inside = (x >= 0.0) & (x < size[0]) & (y >= 0.0) & (y < size[1])
        place = np.floor(x[inside] * cells * 2**level) + ROW * np.floor(y[inside] * cells * 2**level)
        keys[level] += [place.astype(np.int64), (place.astype(np.int64) + _TOUCHING).ravel()]

    for number, kind in enumerate(tables.kinds.faces):
        shape = kind.unpack(tables.shapes[:, tables.shape_of[tables.face_kind == number]])
        middle = shape.middle()
        if middle is not None:
            x, y, step, d = _projected(tables.camera, middle)
            radius = shape.breadth(d) / step * cells
            for level in range(SMALLEST):
                small = (2.0**-level > 0.5 * radius) & (radius > 0.0)
                add(level, x[small], y[small])
            seen = (x >= 0.0) & (x < size[0]) & (y >= 0.0) & (y < size[1])
            unresolved += int((seen & (0.5 * radius < 2.0**-SMALLEST) & (radius > 0.0)).sum())
        for vertex in shape.vertices():
            x, y, _, _ = _projected(tables.camera, vertex)
            for level in range(junction_depth):
                add(level, x, y)
    return [_sorted(np.concatenate(k)) for k in keys], unresolved


def _projected(camera: Floats, p: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Image coordinates of points p (3, N), nan behind the camera; the size of a pixel there, in scene units; and the
    unit direction to them, (3, N).

    With o + z d the ray of (x, y), both linear in x and y, p solves (ox | oy | d0) (x, y, z) = p - o0 for an
    orthographic camera, and (dx | dy | d0) (z x, z y, z) = p - o0 for a perspective one.
    """
    o0, ox, oy, d0, dx, dy, *lens = camera.T
    if dx.any():
        x, y, z = np.linalg.solve(np.stack([dx, dy, d0], 1), p - o0[:, None])
        z = np.where(z > 0.0, z, np.nan)
        x, y = x / z, y / z
        step = z * np.linalg.norm(dx)
    else:
        x, y, z = np.linalg.solve(np.stack([ox, oy, d0], 1), p - o0[:, None])
        step = np.linalg.norm(ox) + 0.0 * z
    d = d0[:, None] + x * dx[:, None] + y * dy[:, None]
    if lens:
        x, y, larger = through_lens(camera, d)
        step = step * larger
    return x, y, step, d / np.linalg.norm(d, axis=0)


def _sorted(keys: Integers) -> Integers:
    """Keys in ascending order, each once. (numpy's own unique is many times slower for integers.)"""
    ordered: Integers = np.sort(keys, axis=None)
    once: Integers = ordered[_first(ordered)]
    return once


def _first(ordered: Integers) -> NDArray[np.bool_]:
    """Which of some keys in order differ from the one before."""
    first = np.ones(ordered.shape, bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return first
