"""The film: samples add up to pixels. Pixel = sum of area * radiance over its samples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import concatenate, reshape, scatter_add, transpose


def develop(shaded: list[tuple[NDArray[np.intp], Any]], pixel: NDArray[np.int64], height: int, width: int) -> Any:
    """The image (height, width, 3).

    shaded: samples and what they add, (3, n). pixel: of every sample, (N,), row by row.
    """
    # Large groups one after the other, for the memory; the small ones together, as each costs a pass over the image.
    small = [group for group in shaded if 4 * len(group[0]) < height * width]
    groups = [group for group in shaded if 4 * len(group[0]) >= height * width]
    if small:
        groups.append((np.concatenate([m for m, _ in small]), concatenate([added for _, added in small], 1)))
    image: Any = np.zeros((3, height * width))
    for members, added in groups:
        image = image + scatter_add(added, pixel[members], height * width, axis=1)
    return reshape(transpose(image), (height, width, 3))
