"""The lattice of cells: a cell of the grid is a square, and each is halved in both directions, level by level.

A cell of a level has a whole number, its *key*: column + 2^31 * row, counted in cells of that level. So has a point of
the lattice, that of the cell to its right and below.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BITS = 31
ROW = 1 << BITS
AROUND = np.array([0, 1, 1 + ROW, ROW])[:, None]
"""From the key of a cell to those of its corners, clockwise from top left."""

ASIDE = 0.7 * 2.0**-34, 0.9 * 2.0**-34
"""How far to the left and above of the cells, in pixels, is looked for what they hold. In scenes of round numbers edges
run exactly along borders of cells, and each must be found in one of the two."""

Integers = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


def key_of(row: Integers, column: Integers) -> Integers:
    found: Integers = column + ROW * row
    return found


def parents_of(keys: Integers, levels: int) -> Integers:
    """The keys of the cells that hold cells, so many levels up."""
    return key_of(keys >> (BITS + levels), (keys & (ROW - 1)) >> levels)


def quarters_of(keys: Integers) -> Integers:
    """The keys of the quarters of cells, one level down, those of one cell after each other."""
    parents = ((keys >> BITS) << (BITS + 1)) + ((keys & (ROW - 1)) << 1)
    found: Integers = (parents[:, None] + AROUND.ravel()).ravel()
    return found


def corners_of(keys: Integers, side: float) -> tuple[Floats, Floats]:
    """The top left corners of cells of this side, x and y in pixels."""
    return (keys & (ROW - 1)) * side - ASIDE[0], (keys >> BITS) * side - ASIDE[1]


def middles_of(keys: Integers, side: float) -> tuple[Floats, Floats]:
    """The middles of cells of this side, x and y in pixels."""
    return ((keys & (ROW - 1)) + 0.5) * side - ASIDE[0], ((keys >> BITS) + 0.5) * side - ASIDE[1]
