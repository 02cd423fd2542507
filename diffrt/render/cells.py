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

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.render.shapes import SHAPES
from diffrt.render.tables import Tables
from diffrt.render.visibility import Signatures, find_signatures, joined, shapes_by_kind

SMALLEST = 8
"""The level of the smallest cells; those of the grid have level 0."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_ROW = 1 << 31  # keys of lattice points and cells are column + _ROW * row
_CORNERS = np.array([0, 1, 1 + _ROW, _ROW])[:, None]  # top left, top right, bottom right, bottom left
_AROUND = [np.array([i + j * _ROW for j in range(-n, n + 1) for i in range(-n, n + 1) if i or j])[:, None] for n in (1, 2)]
_TOUCHING, _NEAR = _AROUND
_ACROSS = np.array([-_ROW, 1, _ROW, -1])  # the neighbours over the top, right, bottom and left side

SIDES = np.array([[0, 1], [1, 2], [3, 2], [0, 3]])
"""The corners at which the sides begin and end: top, right, bottom, left."""


class Corners:
    """The lattice points whose signatures are known.

    x, y: in pixels, (N,). signatures: of the N points. code: equal where signatures are, (N,). shapes: in the scene.
    """

    def __init__(self, tables: Tables, reflection_depth: int, spacing: float) -> None:
        self._tables, self._depth, self._spacing = tables, reflection_depth, spacing
        self.shapes = len(tables.shape_kind)
        self._keys: Integers = np.zeros(0, np.int64)  # sorted
        self._ids: Integers = np.zeros(0, np.int64)
        self.x: Floats = np.zeros(0)
        self.y: Floats = np.zeros(0)
        self.code: Integers = np.zeros(0, np.int64)
        self.signatures = find_signatures(tables, reflection_depth, self.x, self.y)

    def find(self, keys: Integers) -> Integers:
        """The ids of lattice points, whose signatures are found if they are new."""
        fresh = _sorted(keys)
        fresh = fresh[_places(self._keys, fresh) < 0]
        if fresh.size:
            x, y = fresh % _ROW * self._spacing, fresh // _ROW * self._spacing
            found = find_signatures(self._tables, self._depth, x, y)
            self.signatures = joined([self.signatures, found])
            known = len(self.x)
            self.x, self.y = np.concatenate([self.x, x]), np.concatenate([self.y, y])
            words = self.signatures.words(self.shapes)
            # Several words are numbered anew, all of them, so that the code stays one integer.
            self.code = words[0] if len(words) == 1 else np.unique(words, axis=1, return_inverse=True)[1].ravel()
            every = np.concatenate([self._keys, fresh])
            order = np.argsort(every, kind="stable")
            self._keys = every[order]
            self._ids = np.concatenate([self._ids, np.arange(known, len(self.x))])[order]
        return self._ids[_places(self._keys, keys)]


@dataclass
class _Level:
    """The cells of one size: keys (sorted), ids of their corners (4, n), codes of these, and whether divided."""

    keys: Integers
    corners: Integers
    code: Integers
    divided: NDArray[np.bool_]

    @property
    def mixed(self) -> NDArray[np.bool_]:
        return (self.code != self.code[0]).any(0)


@dataclass(frozen=True)
class Cells:
    """The cells that the image is made of, n in number.

    corners: what is known at the lattice points. at: the ids of each cell's corners, clockwise from the top left,
    (4, n). size: of the side, in pixels, (n,). pixel: that the cell lies in, row by row, (n,). mixed: whether its
    corners differ, (n,). key: what names a cell, (n,). unresolved: the number of shapes in view that are too
    small for the smallest cells.
    """

    corners: Corners
    at: Integers
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
    levels = [_level(corners, grid.ravel(), 0)]
    levels += [_level(corners, np.zeros(0, np.int64), level) for level in range(1, SMALLEST + 1)]

    def grow(first: int) -> None:
        for level in range(first, SMALLEST):
            wanted = _near_edges(levels[level], level, edge_depth, junction_depth)
            wanted[_found(levels[level].keys, small[level])] = True
            _halve(corners, levels, level, wanted)

    grow(0)
    while _follow_bulges(corners, levels):
        grow(1)

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


def _level(corners: Corners, keys: Integers, level: int) -> _Level:
    """Cells of one level by their keys, sorted."""
    at = corners.find((((keys + _CORNERS) // _ROW << SMALLEST - level) * _ROW)
                      + ((keys + _CORNERS) % _ROW << SMALLEST - level))  # fmt: skip
    return _Level(keys, at, corners.code[at], np.zeros(keys.shape, bool))


def _near_edges(cells: _Level, level: int, edge_depth: int, junction_depth: int) -> NDArray[np.bool_]:
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
    own = cells.code[:, places]
    around = _places(cells.keys, cells.keys[places] + _TOUCHING)
    codes = np.where(around >= 0, cells.code[:, around], own[:1, None]).reshape(32, len(places))
    codes = np.concatenate([own, codes])  # of the corners of nine cells
    other = codes[np.argmax(codes != own[0], 0), np.arange(len(places))]
    near[places] = ((codes != own[0]) & (codes != other)).any(0)
    return near


def _halve(corners: Corners, levels: list[_Level], level: int, wanted: NDArray[np.bool_]) -> bool:
    """Divide the wanted cells of a level that are not divided yet; whether there were any."""
    wanted = wanted & ~levels[level].divided
    if not wanted.any():
        return False
    levels[level].divided |= wanted
    parents = levels[level].keys[wanted]
    children = _level(corners, np.sort((parents * 2 + _CORNERS).ravel()), level + 1)
    old = levels[level + 1]
    keys = np.concatenate([old.keys, children.keys])
    order = np.argsort(keys, kind="stable")
    at = np.concatenate([old.corners, children.corners], 1)[:, order]
    divided = np.concatenate([old.divided, children.divided])[order]
    levels[level + 1] = _Level(keys[order], at, corners.code[at], divided)
    return True


def _follow_bulges(corners: Corners, levels: list[_Level]) -> bool:
    """Divide the cells without an edge at their corners into which an edge bulges; whether there were any."""
    wanted = [np.zeros(cells.keys.shape, bool) for cells in levels]
    for level in range(1, len(levels)):
        cells = levels[level]
        leaf = np.flatnonzero(cells.mixed & ~cells.divided)
        ends = cells.code[SIDES][:, :, leaf]
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
    return any([_halve(corners, levels, level, wanted[level]) for level in reversed(range(SMALLEST))])


def _features(tables: Tables, size: tuple[int, int], cells: int, junction_depth: int) -> tuple[list[Integers], int]:
    """Keys of cells to divide for small shapes and for corners of shapes, by level; how many shapes are too small."""
    keys: list[list[Integers]] = [[np.zeros(0, np.int64)] for _ in range(SMALLEST)]
    unresolved = 0

    def add(level: int, x: Floats, y: Floats) -> None:
        inside = (x >= 0.0) & (x < size[0]) & (y >= 0.0) & (y < size[1])
        place = np.floor(x[inside] * cells * 2**level) + _ROW * np.floor(y[inside] * cells * 2**level)
        keys[level] += [place.astype(np.int64), (place.astype(np.int64) + _TOUCHING).ravel()]

    for _, shape in shapes_by_kind(tables, np.arange(len(tables.shape_kind))):
        if hasattr(shape, "extent"):
            x, y, step, d = _projected(tables.camera, shape.extent(np.zeros((3, 1)))[0])
            radius = shape.extent(d)[1] / step * cells
            for level in range(SMALLEST):
                small = (2.0**-level > 0.5 * radius) & (radius > 0.0)
                add(level, x[small], y[small])
            seen = (x >= 0.0) & (x < size[0]) & (y >= 0.0) & (y < size[1])
            unresolved += int((seen & (2.0**-SMALLEST > 0.5 * radius) & (radius > 0.0)).sum())
        for vertex in shape.vertices() if hasattr(shape, "vertices") else ():
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
    ordered = np.sort(keys, axis=None)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])[: ordered.size]]


def _places(keys: Integers, wanted: Integers) -> Integers:
    """Where sorted keys hold the wanted ones, -1 where they do not."""
    if not keys.size:
        return np.full(wanted.shape, -1)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, at, -1)


def _found(keys: Integers, wanted: Integers) -> Integers:
    """The places of those wanted keys that are there."""
    at = _places(keys, wanted).ravel()
    return at[at >= 0]
