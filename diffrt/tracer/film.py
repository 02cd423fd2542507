"""The film: samples add up to pixels. Pixel = sum of area * radiance over its samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import add_at, concatenate, reshape, sum, transpose


def develop(grid: Any, others: Sequence[tuple[NDArray[np.int64], Any]], height: int, width: int, cells: int) -> Any:
    """The image (height, width, 3).

    grid: what the cells of the grid add, (3, height * cells * width * cells), row by row. others: more samples, the
    pixels (n,) and what they add (3, n).
    """
    if cells > 1:
        grid = sum(reshape(grid, (3, height, cells, width, cells)), (2, 4))
    image = reshape(grid, (3, height * width))
    others = [group for group in others if len(group[0])]
    if others:
        pixels = np.concatenate([pixel for pixel, _ in others])
        image = add_at(image, pixels, concatenate([added for _, added in others], 1))
    return reshape(transpose(image), (height, width, 3))
