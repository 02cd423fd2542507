"""Cells: the squares that an image is made of, a sample for each signature in them.

The image plane is a grid of squares, `cells` per pixel side. A square that is not one sample is halved on in both
directions (`blocks.py`), or *mixed*, with an edge in it: then it is cut (`regions.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diffrt.tracer.crossings import Crossings
from diffrt.tracer.lattice import Floats, Integers
from diffrt.tracer.visibility import Labels

SMALLEST = 8
"""The level of the smallest cells that are asked for; those of the grid have level 0."""

LEVELS = SMALLEST + 2
"""Below the smallest are the quarters of those in which it is not known where edges meet."""


CORNERS = np.array([[0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
"""x and y of a cell's corners, in sides, clockwise from top left."""

SIDES = np.array([[0, 1], [1, 2], [3, 2], [0, 3]])
"""The corners of a cell, clockwise from top left, at which its sides begin and end: top, right, bottom, left."""


@dataclass(frozen=True)
class Doubt:
    """Cells in which more may be seen than is known: that changes the image by less than was asked for, so nobody has
    asked for a proof.

    pixel: of each (n,). side: of all, in pixels. proof: asks it; whether no more is seen, (n,).
    """

    pixel: Integers
    side: float
    proof: Callable[[], NDArray[np.bool_]]


@dataclass(frozen=True)
class Cells:
    """The cells that the image is made of.

    grid: the labels of the cells of the grid, row by row, -1 for those that are divided or mixed.
    The smaller cells that are not mixed: x, y of the middle, sample_x, sample_y of the sample, which for four quarters
    of a cell are Gauss's points in it, size of the side, in pixels, label, pixel, key (which names a cell), (n,) each.
    The mixed ones: corner_x, corner_y of the top left corner, corner_label of all, clockwise from there, (4, m),
    mixed_size, mixed_pixel, mixed_key, and the number of the crossing on each side, -1 for none,
    (4, m). crossings: those. per_pixel: cells of the grid per pixel side.

    Where the edges of a mixed cell join (`regions.py`): bent, the cells through which one edge goes, its two crossings
    (2, number), and where it crosses the middle of its chord at right angles; meeting, those in which two edges meet, a
    crossing of each (2, number), and where they do; loose: the others.
    rough: whether radiance, with the signature of each corner of a mixed cell, takes more than one sample, (4, m).
    between: of a mixed cell that has come before already, the label of what is between its two edges: the first one
    knows of one edge, and this one of the other; else -1, (m,).
    doubts: the cells of which no proof was asked for yet.
    """

    grid: Labels
    x: Floats
    y: Floats
    sample_x: Floats
    sample_y: Floats
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
    rough: NDArray[np.bool_]
    between: Labels
    doubts: tuple[Doubt, ...]

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
            meeting_y=self.meeting_y[meeting], rough=self.rough[:, which], between=self.between[which],
        )  # fmt: skip
