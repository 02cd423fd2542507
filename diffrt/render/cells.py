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

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from diffrt.render.shapes import Plane, Rectangle, Triangle
from diffrt.render.tables import Tables
from diffrt.render.visibility import Signatures, find_signatures, joined, shapes_by_kind

SMALLEST = 8
"""The level of the smallest cells; those of the grid have level 0."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_ROW = 1 << 31  # keys of lattice points and cells are column + _ROW * row
_CORNERS = np.array([0, 1, 1 + _ROW, _ROW])[:, None]  # top left, top right, bottom right, bottom left
_AROUND = [
    np.array([i + j * _ROW for j in range(-n, n + 1) for i in range(-n, n + 1) if i or j])[:, None] for n in (1, 2)
]
_TOUCHING, _NEAR = _AROUND
_ACROSS = np.array([-_ROW, 1, _ROW, -1])  # the neighbours over the top, right, bottom and left side

SIDES = np.array([[0, 1], [1, 2], [3, 2], [0, 3]])
"""The corners at which the sides begin and end: top, right, bottom, left."""


class Corners:
    """The lattice points whose signatures are known.

    x, y: in pixels, (N,). code: equal where signatures are, (N,). shapes: in the scene.
    """

    def __init__(self, tables: Tables, reflection_depth: int, spacing: float) -> None:
        self._tables, self._depth, self._spacing = tables, reflection_depth, spacing
        self.shapes = len(tables.shape_kind)
        self._keys: Integers = np.zeros(0, np.int64)  # sorted
        self._ids: Integers = np.zeros(0, np.int64)
        self.x: Floats = np.zeros(0)
        self.y: Floats = np.zeros(0)
        self.code: Integers = np.zeros(0, np.int64)
        self._words: list[Integers] = []
        self._found: list[Signatures] = []

    @property
    def signatures(self) -> Signatures:
        """Of all the points."""
        if len(self._found) > 1:
            self._found = [joined(self._found)]
        return self._found[0]

    def find(self, keys: Integers) -> Integers:
        """The ids of lattice points, whose signatures are found if they are new."""
        at = _places(self._keys, keys)
        ids = self._ids[at] if self._ids.size else at
        missing = at < 0
        if missing.any():
            fresh = _sorted(keys[missing])
            ids[missing] = len(self.x) + np.searchsorted(fresh, keys[missing])
            self._add(fresh)
        return ids

    def find_grid(self, columns: int, rows: int, spacing: int) -> Integers:
        """The ids of the corners of a whole grid of cells, (4, rows * columns), to begin with."""
        x, y = np.arange(columns + 1) * spacing, np.arange(rows + 1) * spacing
        self._add((y[:, None] * _ROW + x).ravel())
        first = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
        ids: Integers = first + np.array([0, 1, columns + 2, columns + 1])[:, None]
        return ids

    def finish(self) -> None:
        """Give the memory back that looking for points takes; no more can be found."""
        self._keys = self._ids = np.zeros(0, np.int64)
        self._words = []

    def _add(self, fresh: Integers) -> None:
        """Find the signatures of points that are new; keys sorted."""
        x = (fresh % _ROW).astype(np.float64) * self._spacing
        y = (fresh // _ROW).astype(np.float64) * self._spacing
        self._found.append(find_signatures(self._tables, self._depth, x, y))
        self._words.append(self._found[-1].words(self.shapes))
        where = np.searchsorted(self._keys, fresh)
        self._keys = np.insert(self._keys, where, fresh)
        self._ids = np.insert(self._ids, where, np.arange(len(self.x), len(self.x) + len(x)))
        self.x, self.y = np.concatenate([self.x, x]), np.concatenate([self.y, y])
        words = np.concatenate(self._words, 1)
        # Several words are numbered anew, all of them, so that the code stays one integer.
        self.code = words[0] if len(words) == 1 else np.unique(words, axis=1, return_inverse=True)[1].ravel()


@dataclass
class _Level:
    """The cells of one size: keys (sorted), ids of their corners (4, n), whether they are mixed, and divided."""

    keys: Integers
    corners: NDArray[np.int32]
    mixed: NDArray[np.bool_]
    divided: NDArray[np.bool_]


@dataclass(frozen=True)
class Cells:
    """The cells that the image is made of, n in number.

    corners: what is known at the lattice points. at: the ids of each cell's corners, clockwise from the top left,
    (4, n). size: of the side, in pixels, (n,). pixel: that the cell lies in, row by row, (n,). mixed: whether its
    corners differ, (n,). key: what names a cell, (n,). unresolved: the number of shapes in view that are too
    small for the smallest cells.
    """

    corners: Corners
    at: NDArray[np.int32]
    size: Floats
    pixel: Integers
    mixed: NDArray[np.bool_]
    key: Integers
    unresolved: int


def divide(
    tables: Tables,
    reflection_depth: int,
    size: tuple[int, int],
    cells: int,
    edge_depth: int,
    junction_depth: int,
    only: NDArray[np.bool_] | None = None,
) -> Cells:
    """The cells of an image.

    tables: of the scene, plain. size: width and height of the image in pixels. cells: per pixel side.
    edge_depth, junction_depth: how often cells are halved at edges and at junctions, 0 to SMALLEST. only: the pixels
    that have cells at all, (height, width); where the image ends with them, cells are divided as at its border.
    """
    corners = Corners(tables, reflection_depth, 1.0 / (cells << SMALLEST))
    columns, rows = np.arange(size[0] * cells), np.arange(size[1] * cells)
    grid = rows[:, None] * _ROW + columns
    if only is not None:
        grid = grid[only.repeat(cells, 0).repeat(cells, 1)]
    small, unresolved = _features(tables, size, cells, junction_depth)
    if only is None:
        at = corners.find_grid(len(columns), len(rows), 1 << SMALLEST)
    else:
        at = corners.find((grid + _CORNERS) << SMALLEST)
    levels = [_level(corners, grid.ravel(), at)]
    levels += [_level(corners, np.zeros(0, np.int64), np.zeros((4, 0), np.int64)) for _ in range(SMALLEST)]

    def grow(first: int) -> None:
        for level in range(first, SMALLEST):
            if not levels[level].keys.size:
                break
            wanted = _near_edges(corners, levels[level], level, edge_depth, junction_depth)
            wanted[_found(levels[level].keys, small[level])] = True
            _halve(corners, levels, level, wanted)

    grow(0)
    while _follow_bulges(corners, levels):
        grow(1)

    corners.finish()
    leaves = [~level.divided for level in levels]
    keys = [level.keys[leaf] for level, leaf in zip(levels, leaves, strict=True)]
    pixels = [((k // _ROW >> i) // cells) * size[0] + (k % _ROW >> i) // cells for i, k in enumerate(keys)]
    return Cells(
        corners,
        np.concatenate([level.corners[:, leaf] for level, leaf in zip(levels, leaves, strict=True)], 1),
        np.concatenate([np.full(len(k), 1.0 / (cells << i)) for i, k in enumerate(keys)]),
        np.concatenate(pixels),
        np.concatenate([level.mixed[leaf] for level, leaf in zip(levels, leaves, strict=True)]),
        np.concatenate([k * (SMALLEST + 1) + i for i, k in enumerate(keys)]),
        unresolved,
    )


def _level(corners: Corners, keys: Integers, at: Integers) -> _Level:
    """Cells of one level by their keys and the ids of their corners."""
    order = np.argsort(keys, kind="stable")
    ids = at.astype(np.int32)[:, order]
    first = corners.code[ids[0]]
    mixed = (corners.code[ids[1]] != first) | (corners.code[ids[2]] != first) | (corners.code[ids[3]] != first)
    return _Level(keys[order], ids, mixed, np.zeros(keys.shape, bool))


def _near_edges(corners: Corners, cells: _Level, level: int, edge_depth: int, junction_depth: int) -> NDArray[np.bool_]:
    """Whether cells of a level are to be divided because of an edge or a junction near them."""
    near = np.zeros(cells.keys.shape, bool)
    if level >= max(edge_depth, junction_depth):
        return near
    mixed = np.flatnonzero(cells.mixed)
    near[mixed] = True
    reach = _NEAR if level == 0 and edge_depth > 0 else _TOUCHING
    near[_found(cells.keys, cells.keys[mixed] + reach)] = True
    if level < edge_depth:
        return near
    places = np.flatnonzero(near)
    # There are three codes if one is neither the least nor the largest of all; it may be the least or the largest of
    # its cell, or a third one there.
    around = _places(cells.keys, cells.keys[places] + _TOUCHING)
    block = np.concatenate([places[None], np.where(around >= 0, around, places)])
    code = corners.code[cells.corners]
    least, most = code.min(0), code.max(0)
    many = ((code != least) & (code != most)).any(0)
    low, high = least[block], most[block]
    bottom, top = low.min(0), high.max(0)
    others = ((low != bottom) & (low != top)) | ((high != bottom) & (high != top)) | many[block]
    near[places] = others.any(0)
    return near


def _halve(corners: Corners, levels: list[_Level], level: int, wanted: NDArray[np.bool_]) -> bool:
    """Divide the wanted cells of a level that are not divided yet; whether there were any."""
    wanted = wanted & ~levels[level].divided
    if not wanted.any():
        return False
    levels[level].divided |= wanted
    parents, (c0, c1, c2, c3) = levels[level].keys[wanted], levels[level].corners[:, wanted]
    # The new corners are the middles of the sides and of the cell: top, right, bottom, left, middle.
    half = 1 << SMALLEST - level - 1
    offsets = np.array([1, 2 + _ROW, 1 + 2 * _ROW, _ROW, 1 + _ROW])[:, None] * half
    top, right, bottom, left, middle = corners.find((parents << SMALLEST - level) + offsets)
    quarters = [
        [c0, top, middle, left],
        [top, c1, right, middle],
        [middle, right, c2, bottom],
        [left, middle, bottom, c3],
    ]
    children = _level(corners, (parents * 2 + _CORNERS).ravel(), np.concatenate(quarters, 1))
    old = levels[level + 1]
    if not old.keys.size:
        levels[level + 1] = children
        return True
    order = np.argsort(np.concatenate([old.keys, children.keys]), kind="stable")
    merged = [np.concatenate([getattr(part, f.name) for part in (old, children)], -1) for f in fields(_Level)]
    levels[level + 1] = _Level(*(column[..., order] for column in merged))
    return True


def _follow_bulges(corners: Corners, levels: list[_Level]) -> bool:
    """Divide the cells without an edge at their corners into which an edge bulges; whether there were any."""
    wanted = [np.zeros(cells.keys.shape, bool) for cells in levels]
    for level in range(1, len(levels)):
        cells = levels[level]
        leaf = np.flatnonzero(cells.mixed & ~cells.divided)
        ends = corners.code[cells.corners[:, leaf]][SIDES]
        side, place = np.nonzero(ends[:, 0] != ends[:, 1])
        across = cells.keys[leaf[place]] + _ACROSS[side]
        across = across[_places(cells.keys, across) < 0]
        for above in range(level - 1, -1, -1):
            across = (across // _ROW >> 1) * _ROW + (across % _ROW >> 1)
            larger = levels[above]
            found = _places(larger.keys, across)
            at = found[found >= 0]
            wanted[above][at[~larger.mixed[at] & ~larger.divided[at]]] = True
            across = across[found < 0]
    # The smallest first: dividing a level adds cells to the next one.
    grew = [_halve(corners, levels, level, wanted[level]) for level in reversed(range(SMALLEST))]
    return any(grew)


def _features(tables: Tables, size: tuple[int, int], cells: int, junction_depth: int) -> tuple[list[Integers], int]:
    """Keys of cells to divide for small shapes and for corners of shapes, by level; how many shapes are too small."""
    keys: list[list[Integers]] = [[np.zeros(0, np.int64)] for _ in range(SMALLEST)]
    unresolved = 0

    def add(level: int, x: Floats, y: Floats) -> None:
        inside = (x >= 0.0) & (x < size[0]) & (y >= 0.0) & (y < size[1])
        place = np.floor(x[inside] * cells * 2**level) + _ROW * np.floor(y[inside] * cells * 2**level)
        keys[level] += [place.astype(np.int64), (place.astype(np.int64) + _TOUCHING).ravel()]

    for _, shape in shapes_by_kind(tables, np.arange(len(tables.shape_kind))):
        if not isinstance(shape, Plane):
            x, y, step, d = _projected(tables.camera, shape.extent(np.zeros((3, 1)))[0])
            radius = shape.extent(d)[1] / step * cells
            for level in range(SMALLEST):
                small = (2.0**-level > 0.5 * radius) & (radius > 0.0)
                add(level, x[small], y[small])
            seen = (x >= 0.0) & (x < size[0]) & (y >= 0.0) & (y < size[1])
            unresolved += int((seen & (0.5 * radius < 2.0**-SMALLEST) & (radius > 0.0)).sum())
        for vertex in shape.vertices() if isinstance(shape, Rectangle | Triangle) else ():
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
    o0, ox, oy, d0, dx, dy = camera.T
    if dx.any():
        x, y, z = np.linalg.solve(np.stack([dx, dy, d0], 1), p - o0[:, None])
        z = np.where(z > 0.0, z, np.nan)
        x, y = x / z, y / z
        step = z * np.linalg.norm(dx)
    else:
        x, y, z = np.linalg.solve(np.stack([ox, oy, d0], 1), p - o0[:, None])
        step = np.linalg.norm(ox) + 0.0 * z
    d = d0[:, None] + x * dx[:, None] + y * dy[:, None]
    return x, y, step, d / np.linalg.norm(d, axis=0)


def _sorted(keys: Integers) -> Integers:
    """Keys in ascending order, each once. (numpy's own unique is many times slower for integers.)"""
    ordered: Integers = np.sort(keys, axis=None)
    first: NDArray[np.bool_] = np.append(True, ordered[1:] != ordered[:-1])
    once: Integers = ordered[first[: ordered.size]]
    return once


def _places(keys: Integers, wanted: Integers) -> Integers:
    """Where sorted keys hold the wanted ones, -1 where they do not."""
    if not keys.size:
        return np.full(wanted.shape, -1)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    places: Integers = np.where(keys[at] == wanted, at, -1)
    return places


def _found(keys: Integers, wanted: Integers) -> Integers:
    """The places of those wanted keys that are there."""
    at: Integers = _places(keys, wanted)
    found: Integers = at[at >= 0]
    return found
