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

Corners lie on a lattice of 2^SMALLEST points per side of a cell of the grid, so that their places are integers.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.tracer.camera import through_lens
from diffrt.tracer.crossings import Crossings, Rows, Sides, find_crossings
from diffrt.tracer.tables import Tables
from diffrt.tracer.visibility import Labels, Visibility

SMALLEST = 8
"""The level of the smallest cells; those of the grid have level 0."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_BITS = 31
_ROW = 1 << _BITS  # keys of lattice points and cells are column + _ROW * row
_CORNERS = np.array([0, 1, 1 + _ROW, _ROW])[:, None]  # top left, top right, bottom right, bottom left
_MIDDLES = np.array([1, 2 + _ROW, 1 + 2 * _ROW, _ROW, 1 + _ROW])[:, None]  # top, right, bottom, left, of the cell
_AROUND = [
    np.array([i + j * _ROW for j in range(-n, n + 1) for i in range(-n, n + 1) if i or j])[:, None] for n in (1, 2)
]
_TOUCHING, _NEAR = _AROUND
_ACROSS = np.array([-_ROW, 1, _ROW, -1])  # the neighbours over the top, right, bottom and left side

SIDES = np.array([[0, 1], [1, 2], [3, 2], [0, 3]])
"""The corners at which the sides begin and end: top, right, bottom, left."""


class Corners:
    """The lattice points whose signatures are known: first those of the grid, row by row, then those found since.

    They are read-only views: what is known of a point stays. x, y: in pixels, (N,). label: of the signature, -1 for a
    point of the grid that nobody asked for, (N,).
    """

    def __init__(
        self, view: Visibility, columns: int, rows: int, spacing: float, asked: NDArray[np.bool_] | None
    ) -> None:
        """columns, rows: of the cells of the grid, of side 2^SMALLEST spacing. asked: which points of it are needed,
        (rows + 1, columns + 1)."""
        self._view, self._spacing = view, spacing
        x, y = (np.arange(n + 1, dtype=np.float64) * (spacing * 2.0**SMALLEST) for n in (columns, rows))
        self._count, self._room = 0, (columns + 1) * (rows + 1)
        self._x, self._y = np.zeros(0), np.zeros(0)
        self._label = np.zeros(0, np.int32)
        x, y = np.tile(x, rows + 1), np.repeat(y, columns + 1)
        if asked is None:
            label = view.signature_ids(x, y)
        else:
            which = np.flatnonzero(asked)
            label = np.full(x.shape, -1, np.int32)
            label[which] = view.signature_ids(x[which], y[which])
        self._append(x, y, label)
        # Sorted keys of those that halving the cells of each level found, and their ids.
        self._known: list[tuple[Integers, Integers]] = [(np.zeros(0, np.int64),) * 2] * SMALLEST

    @property
    def x(self) -> Floats:
        return _frozen(self._x[: self._count])

    @property
    def y(self) -> Floats:
        return _frozen(self._y[: self._count])

    @property
    def label(self) -> Labels:
        return _frozen(self._label[: self._count])

    def _append(self, x: Floats, y: Floats, label: Labels) -> None:
        """Add points. The arrays have room for more, so that they are seldom copied."""
        first, self._count = self._count, self._count + len(x)
        if self._count > len(self._x):
            self._room = max(2 * self._room, 2 * self._count)
            for name in ("_x", "_y", "_label"):
                old = getattr(self, name)
                new = np.empty(self._room, old.dtype)
                new[:first] = old[:first]
                setattr(self, name, new)
        self._x[first : self._count], self._y[first : self._count] = x, y
        self._label[first : self._count] = label

    def find(self, level: int, keys: Integers) -> Integers:
        """The ids of the lattice points that halving cells of a level makes corners, found where they are new.

        keys: of points of the lattice whose spacing is half a cell of the level, on which no other level has points.
        """
        known, numbers = self._known[level]
        ids = _places(known, keys)
        asked = np.flatnonzero(ids < 0)
        ids = numbers[ids] if known.size else ids
        # What is asked comes in a few runs that ascend, which a stable sort merges.
        order = np.argsort(keys[asked], kind="stable")
        asked = asked[order]
        ordered = keys[asked]
        first = _first(ordered)
        fresh = ordered[first]
        ids[asked] = self._count - 1 + np.cumsum(first)
        spacing = self._spacing * (1 << SMALLEST - level - 1)
        x, y = (spacing * part.astype(np.float64) for part in (fresh & (_ROW - 1), fresh >> _BITS))
        added = np.arange(self._count, self._count + len(fresh))
        self._append(x, y, self._view.signature_ids(x, y))
        if known.size:
            order = np.argsort(np.append(known, fresh), kind="stable")
            fresh, added = np.append(known, fresh)[order], np.append(numbers, added)[order]
        self._known[level] = fresh, added
        return ids

    def finish(self) -> None:
        """Give the memory back that looking for points takes; no more can be found."""
        self._known.clear()


class _Grid:
    """The cells of the grid. A place is row * columns + column; `keys`, `corners` and `places` go between these, keys
    and ids. mixed, divided: (rows * columns,)."""

    def __init__(self, corners: Corners, columns: int, rows: int, only: NDArray[np.bool_] | None) -> None:
        self.columns, self.rows = columns, rows
        label = corners.label.reshape(rows + 1, columns + 1)
        first = label[:-1, :-1]
        mixed = first != label[:-1, 1:]
        mixed |= first != label[1:, :-1]
        mixed |= first != label[1:, 1:]
        self.divided = np.zeros(rows * columns, bool)
        self._only = only
        if only is not None:
            mixed &= only.reshape(rows, columns)
            self.divided = ~only.ravel()  # what is not there is no cell, and nothing is found there
        self.mixed: NDArray[np.bool_] = mixed.ravel()
        self._first = first

    def keys(self, places: Integers) -> Integers:
        row = places // self.columns
        found: Integers = row * _ROW + (places - row * self.columns)
        return found

    def corners(self, places: Integers) -> Integers:
        first = places + places // self.columns
        found: Integers = first + np.array([0, 1, self.columns + 2, self.columns + 1])[:, None]
        return found

    def places(self, keys: Integers) -> Integers:
        row = keys >> _BITS
        column = keys & (_ROW - 1)
        there = (row >= 0) & (row < self.rows) & (column < self.columns)
        places: Integers = np.where(there, row * self.columns + column, -1)
        if self._only is not None:
            places[~self._only.ravel()[places]] = -1
        return places

    def around(self, places: Integers) -> Integers:
        """The places of the eight cells that touch each one, -1 where there is none, (8, n)."""
        return self.places((self.keys(places) + _TOUCHING).ravel()).reshape(8, -1)

    def labels(self) -> Labels:
        """Of the cells that are samples as they are; -1 for the others."""
        other = (self.mixed | self.divided).reshape(self.rows, self.columns)
        found: Labels = np.where(other, np.int32(-1), self._first).ravel()
        return found


@dataclass
class _Level:
    """The cells of one smaller size: key (sorted), ids of their corners (4, n), whether they are mixed, and divided."""

    key: Integers
    at: NDArray[np.int32]
    mixed: NDArray[np.bool_]
    divided: NDArray[np.bool_]

    def keys(self, places: Integers) -> Integers:
        return self.key[places]

    def corners(self, places: Integers) -> NDArray[np.int32]:
        return self.at[:, places]

    def places(self, keys: Integers) -> Integers:
        return _places(self.key, keys)

    def around(self, places: Integers) -> Integers:
        """The places of the eight cells that touch each one, -1 where there is none, (8, n)."""
        # In a row cells follow each other, so three of them take one search.
        found = []
        padded = np.append(self.key, -1)
        for row in (-_ROW, 0, _ROW):
            wanted = self.key[places] + (row - 1)
            at = np.searchsorted(self.key, wanted)
            for step in range(3):
                there = padded[at] == wanted + step
                if row or step != 1:
                    found.append(np.where(there, at, -1))
                at = at + there
        return np.array(found)


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
    grid = _Grid(corners, columns, rows, only)
    small, unresolved = _features(view.tables, size, cells, junction_depth)
    levels: list[_Grid | _Level] = [grid]
    levels += [_level(corners, np.zeros(0, np.int64), np.zeros((4, 0), np.int64)) for _ in range(SMALLEST)]

    def grow(first: int) -> None:
        for level in range(first, SMALLEST):
            if not levels[level].mixed.size:
                break
            wanted = _near_edges(corners, levels[level], level, edge_depth, junction_depth)
            found = levels[level].places(small[level])
            wanted[found[found >= 0]] = True
            _halve(corners, levels, level, np.flatnonzero(wanted))

    grow(0)
    while _follow_bulges(corners, levels):
        grow(1)

    corners.finish()
    labels = grid.labels()
    keys, sizes, pixels, ats, mixed = [], [], [], [], []
    for i, level in enumerate(levels):
        leaf = np.flatnonzero(~level.divided & level.mixed if i == 0 else ~level.divided)
        k = level.keys(leaf)
        row, column = k >> _BITS, k & (_ROW - 1)
        keys.append(k * (SMALLEST + 1) + i)
        sizes.append(np.full(len(k), 1.0 / (cells << i)))
        pixels.append((row >> i) // cells * size[0] + (column >> i) // cells)
        ats.append(level.corners(leaf).astype(np.int32))
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
    ends = at.astype(np.int64)[SIDES]
    label = corners.label[ends]
    crossed = label[:, 0] != label[:, 1]
    total = len(corners.x)
    names, number = np.unique((ends[:, 0] * total + ends[:, 1])[crossed], return_inverse=True)
    side = np.full(crossed.shape, -1)
    side[crossed] = number.ravel()
    begin, end = names // total, names % total
    x, y = corners.x[begin], corners.y[begin]
    segments = Sides(x, y, corners.x[end] - x, corners.y[end] - y)
    return find_crossings(Rows(view), segments, corners.label[begin], corners.label[end]), side


def _level(corners: Corners, keys: Integers, at: Integers) -> _Level:
    """Cells of one level by their keys and the ids of their corners."""
    order = np.argsort(keys, kind="stable")
    ids = at.astype(np.int32)[:, order]
    label = corners.label[ids]
    mixed = (label[1] != label[0]) | (label[2] != label[0]) | (label[3] != label[0])
    return _Level(keys[order], ids, mixed, np.zeros(keys.shape, bool))


def _near_edges(
    corners: Corners, cells: _Grid | _Level, level: int, edge_depth: int, junction_depth: int
) -> NDArray[np.bool_]:
    """Whether cells of a level are to be divided because of an edge or a junction near them."""
    near = np.zeros(cells.mixed.shape, bool)
    if level >= max(edge_depth, junction_depth):
        return near
    mixed = np.flatnonzero(cells.mixed)
    near[mixed] = True
    if level == 0 and edge_depth > 0:
        beside = cells.places((cells.keys(mixed) + _NEAR).ravel())
    else:
        beside = cells.around(mixed).ravel()
    near[beside[beside >= 0]] = True
    if level < edge_depth:
        return near
    # There are three labels if one is neither the least nor the largest of all; it may be the least or the largest of
    # its cell, or a third one there.
    least = corners.label[cells.corners(np.arange(len(near)))[0]]
    most, many = least.copy(), np.zeros(near.shape, bool)
    label = corners.label[cells.corners(mixed)]
    least[mixed], most[mixed] = label.min(0), label.max(0)
    many[mixed] = ((label != least[mixed]) & (label != most[mixed])).any(0)
    places = np.flatnonzero(near)
    around = cells.around(places)
    bottom, top, others = least[places], most[places], many[places]
    block = [np.where(at >= 0, at, places) for at in around]
    for at in block:
        bottom, top = np.minimum(bottom, least[at]), np.maximum(top, most[at])
    for at in (places, *block):
        low, high = least[at], most[at]
        others |= ((low != bottom) & (low != top)) | ((high != bottom) & (high != top)) | many[at]
    near[places] = others
    return near


def _halve(corners: Corners, levels: list[_Grid | _Level], level: int, places: Integers) -> bool:
    """Divide cells of a level that are not divided yet; whether there were any."""
    places = places[~levels[level].divided[places]]
    if not places.size:
        return False
    levels[level].divided[places] = True
    parents, (c0, c1, c2, c3) = levels[level].keys(places), levels[level].corners(places)
    # The new corners are the middles of the sides and of the cell: top, right, bottom, left, middle.
    top, right, bottom, left, middle = corners.find(level, (2 * parents + _MIDDLES).ravel()).reshape(5, -1)
    quarters = [
        [c0, top, middle, left],
        [top, c1, right, middle],
        [middle, right, c2, bottom],
        [left, middle, bottom, c3],
    ]
    children = _level(corners, (parents * 2 + _CORNERS).ravel(), np.concatenate(quarters, 1))
    old = levels[level + 1]
    assert isinstance(old, _Level)
    if not old.key.size:
        levels[level + 1] = children
        return True
    order = np.argsort(np.concatenate([old.key, children.key]), kind="stable")
    merged = [np.concatenate([getattr(part, f.name) for part in (old, children)], -1) for f in fields(_Level)]
    levels[level + 1] = _Level(*(column[..., order] for column in merged))
    return True


def _follow_bulges(corners: Corners, levels: list[_Grid | _Level]) -> bool:
    """Divide the cells without an edge at their corners into which an edge bulges; whether there were any."""
    wanted: list[list[Integers]] = [[np.zeros(0, np.int64)] for _ in levels]
    for level in range(1, len(levels)):
        cells = levels[level]
        leaf = np.flatnonzero(cells.mixed & ~cells.divided)
        if not leaf.size:
            continue
        ends = corners.label[cells.corners(leaf)][SIDES]
        side, place = np.nonzero(ends[:, 0] != ends[:, 1])
        across = cells.keys(leaf[place]) + _ACROSS[side]
        across = across[cells.places(across) < 0]
        for above in range(level - 1, -1, -1):
            if not across.size:
                break
            across = (across >> _BITS + 1 << _BITS) + ((across & (_ROW - 1)) >> 1)
            larger = levels[above]
            found = larger.places(across)
            at = found[found >= 0]
            wanted[above].append(at[~larger.mixed[at] & ~larger.divided[at]])
            across = across[found < 0]
    # The smallest first: dividing a level adds cells to the next one.
    grew = [
        _halve(corners, levels, level, _sorted(np.concatenate(wanted[level]))) for level in reversed(range(SMALLEST))
    ]
    return any(grew)


def _features(tables: Tables, size: tuple[int, int], cells: int, junction_depth: int) -> tuple[list[Integers], int]:
    """Keys of cells to divide for small shapes and for corners of shapes, by level; how many shapes are too small."""
    keys: list[list[Integers]] = [[np.zeros(0, np.int64)] for _ in range(SMALLEST)]
    unresolved = 0

    def add(level: int, x: Floats, y: Floats) -> None:
        inside = (x >= 0.0) & (x < size[0]) & (y >= 0.0) & (y < size[1])
        place = np.floor(x[inside] * cells * 2**level) + _ROW * np.floor(y[inside] * cells * 2**level)
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


def _frozen(view: NDArray[Any]) -> NDArray[Any]:
    """A view that nothing can be written through."""
    view.flags.writeable = False
    return view


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


def _places(keys: Integers, wanted: Integers) -> Integers:
    """Where sorted keys hold the wanted ones, -1 where they do not."""
    if not keys.size:
        return np.full(wanted.shape, -1)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    places: Integers = np.where(keys[at] == wanted, at, -1)
    return places
