"""The film: samples add up to pixels. Pixel = sum of area * radiance over its samples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import concatenate, reshape, scatter_add, transpose


def develop(shaded: list[tuple[NDArray[np.intp], Any]], pixel: NDArray[np.int64], height: int, width: int) -> Any:
    """The image (height, width, 3).

    shaded: samples and what they add, (3, n). pixel: of every sample, (N,), row by row.
    """
    if not shaded:
        return np.zeros((height, width, 3))
    members = np.concatenate([members for members, _ in shaded])
    image = scatter_add(concatenate([added for _, added in shaded], 1), pixel[members], height * width, axis=1)
    return reshape(transpose(image), (height, width, 3))
