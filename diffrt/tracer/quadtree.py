"""A quadtree over the image plane: cells, the corners that they share, and the signatures there.

The largest cells, level 0, are a grid. A cell that is halved in both directions has four *quarters* in the next level,
which follow each other, clockwise from the top left one. A cell stays in its place, and knows the cells of its level
that touch it, so neither neighbours nor corners are ever searched for: what touches a quarter is a quarter of what
touches the cell.

Corners lie on a lattice of 2^SMALLEST points per side of a cell of the grid, so that their places are integers.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.tracer.visibility import Labels, Visibility

SMALLEST = 8
"""The level of the smallest cells; those of the grid have level 0."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

BITS = 31
ROW = 1 << BITS
"""Keys of lattice points and cells are column + ROW * row."""

SIDES = np.array([[0, 1], [1, 2], [3, 2], [0, 3]])
"""The corners at which the sides begin and end: top, right, bottom, left. Corners go clockwise from the top left."""

ACROSS = np.array([1, 5, 7, 3])
"""Where, in the block of a cell, the one over each side is. A block is the cell and those that touch it, row by row."""

# In x and y: the quarters of a cell, in halves of it; the middles of its sides and of itself; the cells of a block.
_QUARTERS = [(0, 0), (1, 0), (1, 1), (0, 1)]
_MIDDLES = np.array([(1, 0), (2, 1), (1, 2), (0, 1), (1, 1)])
_BLOCK = [(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1)]

# The corners of the quarters, among the corners of the cell and the middles.
_CORNERS = np.array([[0, 4, 8, 7], [4, 1, 5, 8], [8, 5, 2, 6], [7, 8, 6, 3]])

# The middle of a side as a corner of the cell across: of which of its quarters, which one; and on which of its sides.
_QUARTER_ACROSS, _CORNER_ACROSS, _SIDE_ACROSS = np.array([3, 0, 0, 1]), np.array([2, 3, 1, 2]), np.array([2, 3, 0, 1])

# The block of a quarter: in which cell of the block of its cell each is, and which quarter of that.
_REACHED = [(qx + x, qy + y) for qx, qy in _QUARTERS for x, y in _BLOCK]
_CELLS_REACHED = np.array([_BLOCK.index((x // 2, y // 2)) for x, y in _REACHED])
_QUARTERS_REACHED = np.array([_QUARTERS.index((x % 2, y % 2)) for x, y in _REACHED], np.int32)


class _Growing:
    """Arrays that grow together along their first axis. They have room for more, so that they are seldom copied."""

    def __init__(self, **columns: NDArray[Any]) -> None:
        self.count = len(next(iter(columns.values())))
        self._held = columns
        self._show()

    def append(self, **columns: NDArray[Any]) -> None:
        first, self.count = self.count, self.count + len(next(iter(columns.values())))
        for name, part in columns.items():
            held = self._held[name]
            if not first:
                held = part
            elif self.count > len(held):
                held = np.empty((2 * self.count, *part.shape[1:]), part.dtype)
                held[:first] = self._held[name][:first]
            held[first : self.count] = part
            self._held[name] = held
        self._show()

    def _show(self) -> None:
        for name, held in self._held.items():
            setattr(self, name, held[: self.count])


class Corners(_Growing):
    """The lattice points whose signatures are known: first those of the grid, row by row, then those found since.

    x, y: in pixels, (N,). label: of the signature, -1 for a point of the grid that nobody asked for, (N,).
    """

    x: Floats
    y: Floats
    label: Labels

    def __init__(self, view: Visibility, columns: int, rows: int, spacing: float, asked: Booleans | None) -> None:
        """columns, rows: of the cells of the grid, of side 2^SMALLEST spacing. asked: which points of it are needed,
        (rows + 1, columns + 1)."""
        self._view, self._spacing = view, spacing
        x, y = (np.arange(n + 1, dtype=np.float64) * (spacing * 2.0**SMALLEST) for n in (columns, rows))
        x, y = np.tile(x, rows + 1), np.repeat(y, columns + 1)
        if asked is None:
            label = view.signature_ids(x, y)
        else:
            which = np.flatnonzero(asked)
            label = np.full(x.shape, -1, np.int32)
            label[which] = view.signature_ids(x[which], y[which])
        super().__init__(x=x, y=y, label=label)

    def add(self, level: int, column: Integers, row: Integers) -> None:
        """Find the signatures of points of the lattice whose spacing is the side of a cell of this level."""
        spacing = self._spacing * (1 << SMALLEST - level)
        x, y = spacing * column, spacing * row
        self.append(x=x, y=y, label=self._view.signature_ids(x, y))


class Grid:
    """The cells of level 0. The place of one is row * columns + column.

    first: the place of the first quarter of a cell, -1 where it is not halved, -2 where there is none at all;
    mixed: whether its corners differ in signature; (rows * columns,).
    """

    def __init__(self, corners: Corners, columns: int, rows: int, only: Booleans | None) -> None:
        self.columns, self.rows, self.count = columns, rows, columns * rows
        label = corners.label.reshape(rows + 1, columns + 1)
        self._label = label[:-1, :-1]
        mixed = self._label != label[:-1, 1:]
        mixed |= self._label != label[1:, :-1]
        mixed |= self._label != label[1:, 1:]
        self.first = np.full(self.count, -1, np.int32)
        if only is not None:
            mixed &= only
            self.first[~only.ravel()] = -2
        self.mixed: Booleans = mixed.ravel()

    def keys(self, places: Integers) -> Integers:
        row = places // self.columns
        found: Integers = row * ROW + (places - row * self.columns)
        return found

    def corners(self, places: Integers) -> Integers:
        first = places + places // self.columns
        found: Integers = first[:, None] + np.array([0, 1, self.columns + 2, self.columns + 1])
        return found

    def places(self, column: Integers, row: Integers) -> Integers:
        """Of the cells there, -1 where there is none."""
        there = (row >= 0) & (row < self.rows) & (column >= 0) & (column < self.columns)
        places: Integers = np.where(there, row * self.columns + column, -1)
        places[self.first[places] == -2] = -1
        return places

    def blocks(self, places: Integers) -> Integers:
        row = places // self.columns
        x, y = np.array(_BLOCK).T
        return self.places((places - row * self.columns)[:, None] + x, row[:, None] + y)

    def labels(self) -> Labels:
        """Of the cells that are samples as they are; -1 for the others."""
        found: Labels = np.where(self.mixed | (self.first != -1), np.int32(-1), self._label.ravel())
        return found


class Level(_Growing):
    """The cells of one of the smaller sizes. key, (n,); corner: the ids of the corners, (n, 4); block: the places of
    the cell and of those that touch it, -1 where there is none, (n, 9); mixed and first, as for the grid, (n,); parent:
    the place of the cell that four of them are quarters of, (n / 4,)."""

    key: Integers
    corner: Integers
    block: Integers
    mixed: Booleans
    first: Integers

    def __init__(self) -> None:
        self.parent = np.zeros(0, np.int64)
        corner, block = np.zeros((0, 4), np.int32), np.zeros((0, len(_BLOCK)), np.int32)
        super().__init__(
            key=self.parent, corner=corner, block=block, mixed=np.zeros(0, bool), first=np.zeros(0, np.int32)
        )

    def keys(self, places: Integers) -> Integers:
        return self.key[places]

    def corners(self, places: Integers) -> Integers:
        return self.corner[places]

    def blocks(self, places: Integers) -> Integers:
        return self.block[places]


class Quadtree:
    """All cells, level by level, and their corners."""

    def __init__(self, corners: Corners, grid: Grid) -> None:
        self.corners, self.grid = corners, grid
        self.levels: list[Grid | Level] = [grid, *(Level() for _ in range(SMALLEST))]

    def halve(self, level: int, places: Integers) -> None:
        """Give quarters to cells of a level, each named once; those that have some are left as they are."""
        cells, finer = self.levels[level], self.levels[level + 1]
        assert isinstance(finer, Level)
        places = places[cells.first[places] == -1]
        if not places.size:
            return
        start, number = finer.count, np.arange(len(places))
        cells.first[places] = start + 4 * number
        blocks = cells.blocks(places)
        # The first quarters of the cells around, where there are any.
        first = np.where(blocks < 0, -1, cells.first[blocks])
        key = cells.keys(places)
        middles = self._middles(level, key, first[:, ACROSS], start, finer)
        corner = np.concatenate([cells.corners(places), middles], 1).astype(np.int32)[:, _CORNERS].reshape(-1, 4)
        # Where there is none, all four of them are negative.
        first[first < 0] = -len(_QUARTERS)
        block = np.maximum(first[:, _CELLS_REACHED] + _QUARTERS_REACHED, -1).reshape(-1, len(_BLOCK))
        keys = (2 * key[:, None] + np.array([x + ROW * y for x, y in _QUARTERS])).ravel()
        label = self.corners.label[corner.T.copy()]
        mixed = (label[1] != label[0]) | (label[2] != label[0]) | (label[3] != label[0])
        finer.append(key=keys, corner=corner, block=block, mixed=mixed, first=np.full(len(keys), -1, np.int32))
        finer.parent = np.append(finer.parent, places)
        if start:  # the cells that were there touch new ones
            new, at = np.nonzero((block >= 0) & (block < start))
            finer.block[block[new, at], len(_BLOCK) - 1 - at] = start + new

    def _middles(self, level: int, key: Integers, across: Integers, start: int, finer: Level) -> Integers:
        """The ids of the middles of the sides of cells, and of the cells, (n, 5). Those that are new are added.

        key: of the cells. across: the first quarters of the cells over their sides, negative where there are none,
        (n, 4). start: the first one of these cells themselves.
        """
        number = np.arange(len(key))[:, None]
        # The middle of a side belongs to the cell that was halved first.
        other = (across - start) // 4
        new = np.ones((len(key), 5), bool)
        new[:, :4] = (across < 0) | (other > number)
        ids = self.corners.count - 1 + np.cumsum(new).reshape(new.shape)
        cell, which = np.nonzero(new)
        x, y = 2 * (key & (ROW - 1))[cell] + _MIDDLES[which, 0], 2 * (key >> BITS)[cell] + _MIDDLES[which, 1]
        self.corners.add(level + 1, x, y)
        cell, side = np.nonzero((across >= 0) & (other < 0))
        if cell.size:
            ids[cell, side] = finer.corner[across[cell, side] + _QUARTER_ACROSS[side], _CORNER_ACROSS[side]]
        cell, side = np.nonzero((across >= start) & (other < number))
        ids[cell, side] = ids[other[cell, side], _SIDE_ACROSS[side]]
        return ids

    def places(self, level: int, keys: Integers) -> Integers:
        """The places of the cells of a level with these keys, -1 where there is none."""
        column, row = keys & (ROW - 1), keys >> BITS
        places = self.grid.places(column >> level, row >> level)
        quarter = np.array([[0, 1], [3, 2]])
        for step in range(level):
            first = np.where(places < 0, -1, self.levels[step].first[places])
            shift = level - step - 1
            places = np.where(first < 0, -1, first + quarter[(row >> shift) & 1, (column >> shift) & 1])
        return places

    def larger_across(self, level: int, places: Integers, side: Integers) -> list[Integers]:
        """The larger cells over sides of cells, where there is none of their size: those of each level above, from the
        nearest on."""
        found = []
        for above in range(level - 1, -1, -1):
            finer, cells = self.levels[above + 1], self.levels[above]
            assert isinstance(finer, Level)
            places = finer.parent[places // 4]
            at = cells.blocks(places)[np.arange(len(places)), ACROSS[side]]
            there = at >= 0
            found.append(at[there])
            places, side = places[~there], side[~there]
        return found
