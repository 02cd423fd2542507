"""The film: samples add up to pixels. Pixel = sum of area * radiance over its samples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import reshape, scatter_add, transpose


def develop(shaded: list[tuple[NDArray[np.intp], Any]], pixel: NDArray[np.int64], height: int, width: int) -> Any:
    """The image (height, width, 3).

    shaded: samples and what they add, (3, n). pixel: of every sample, (N,), row by row.
    """
    # One after the other: all samples of a large image at once would take twice the memory.
    image: Any = np.zeros((3, height * width))
    for members, added in shaded:
        image = image + scatter_add(added, pixel[members], height * width, axis=1)
    return reshape(transpose(image), (height, width, 3))
