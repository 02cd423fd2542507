"""Cells: the image plane as a grid of squares, `cells` per pixel side. One sample at the centre of each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Samples:
    """Image points that stand for an area.

    x, y: (N,), in pixels. pixel: (N,), the pixel that each adds to, row by row. area: of each, in pixels.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    pixel: NDArray[np.intp]
    area: float


def centre_samples(width: int, height: int, cells: int) -> Samples:
    """One sample at the centre of each cell of an image of width x height pixels."""
    columns, rows = np.arange(width * cells), np.arange(height * cells)
    x = np.tile((columns + 0.5) / cells, len(rows))
    y = np.repeat((rows + 0.5) / cells, len(columns))
    pixel = (rows[:, None] // cells * width + columns // cells).ravel()
    return Samples(x, y, pixel, 1.0 / cells**2)
