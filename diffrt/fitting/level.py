"""Levels: a fit from coarse to fine.

A ball that does not overlap its image in the target has no pull towards it: wherever it moves a little, the squared
difference stays what it is. On blurred images it has one, from as far as the blur reaches. So a fit goes through
levels: on each, image and target are made smaller by a whole factor (the mean of factor x factor pixels), and their
difference is blurred by a Gaussian. The last level is the full image without blur, and the answer is its.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST = 12
"""Pixels that the shorter side of a level has at least."""


@dataclass(frozen=True)
class Level:
    """One stage of a fit. factor: pixels per side that become one. blur: the standard deviation of the Gaussian, in
    pixels of the full image; 0 for none."""

    factor: int = 1
    blur: float = 0.0

    @property
    def is_full(self) -> bool:
        """Whether it is the image as it is."""
        return self.factor == 1 and self.blur == 0.0


def automatic_blurs(side: int) -> tuple[float, ...]:
    """The blurs of an image with a shorter side of so many pixels: from a sixth of it, each a third of the one before,
    to about two pixels. None for a side under 12 pixels."""
    blurs = []
    blur = side / 6.0 if side >= SMALLEST else 0.0
    while blur >= 1.5:
        blurs.append(blur)
        blur /= 3.0
    return tuple(blurs)


def level_of(blur: float, width: int, height: int) -> Level:
    """The level of a blur in pixels. An image blurred by s pixels is made smaller by at most s / 1.3, so that hardly
    anything that the blur leaves is lost."""
    factor = 1
    while (
        2 * factor <= blur / 1.3
        and width % (2 * factor) == height % (2 * factor) == 0
        and min(width, height) // (2 * factor) >= SMALLEST
    ):
        factor *= 2
    return Level(factor, blur)


def gaussian(count: int, blur: float) -> NDArray[np.float64]:
    """The matrix (count, count) that blurs a row of pixels by a Gaussian. blur: in these pixels. Rows sum to one."""
    place = np.arange(count)
    weights: NDArray[np.float64] = np.exp(-0.5 * ((place[:, None] - place) / blur) ** 2)
    weights /= weights.sum(1, keepdims=True)
    return weights


def mean_of_blocks(values: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """The means of factor x factor blocks of (height, width, ...)."""
    height, width = values.shape[0] // factor, values.shape[1] // factor
    means: NDArray[np.float64] = values.reshape(height, factor, width, factor, *values.shape[2:]).mean((1, 3))
    return means
