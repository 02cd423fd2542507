"""What the model does not explain: residuals that are larger than the noise, and smooth.

Noise of a camera is a matter of single pixels, or of a few where the camera or the file has smoothed it. Residuals that
are larger than it, and of one sign over many pixels, are of the model: a highlight that it lacks, a light that it does
not know of.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffrt.fitting.noise import Noise
from diffrt.fitting.scatter import Scatter, sums_around

Array = NDArray[np.float64]

LARGE = 1.5
"""Residuals that are so many times the noise are more than that, if they are smooth over more than SMOOTH pixels too."""

SMOOTH = 6.0

LARGE_BESIDE_GIVEN = 1.3
"""The same, if the noise was given."""

WIDE = 1.2
"""Errors that are so many times those of independent residuals are worth a word."""

FEW = 5.0
"""So many independent residuals for each number are too few to know by how much."""


@dataclass(frozen=True)
class Misfit:
    """How residuals compare with noise.

    noise: of the camera. size: root mean square of the residuals, ratio: over that of the noise. length: over how many
    pixels they are smooth. patches: how many independent ones they are worth. widened: how many times the errors of
    independent residuals theirs are. explained: whether the model explains the image. told: whether the errors can be.
    """

    noise: Noise
    size: float
    ratio: float
    length: float
    patches: float
    widened: float
    explained: bool
    told: bool

    @property
    def words(self) -> tuple[str, ...]:
        """A note, or none."""
        smooth = f"smooth over {self.length:.0f} pixels"
        wide = f"errors widened {_times(self.widened)} times"
        few = f"they are worth about {self.patches:.0f} independent ones, too few to tell the errors: take them for a guess"
        if not self.explained:
            ratio = f"{_times(self.ratio)} times the noise" if np.isfinite(self.ratio) else "larger than the noise"
            first = f"the model does not explain the image: residuals are {ratio}, {smooth}; {wide}"
        elif self.widened >= WIDE:
            first = f"residuals are not independent: {smooth}, or the same in all channels; {wide}"
        else:
            first = ""
        return tuple(line for line in (first, "" if self.told else f"of the residuals {few}") if line)


def misfit(
    residuals: Sequence[Array],
    brightness: Sequence[Array],
    noise: Noise,
    scatter: Scatter,
    widened: float,
    numbers: int,
) -> Misfit:
    """How residuals compare with noise.

    residuals: of each view, (height, width, 3), nan where they do not count. brightness: linear values of its pixels.
    numbers: how many are free.
    """
    squares, expected, count = 0.0, 0.0, 0
    for off, light in zip(residuals, brightness, strict=True):
        own = np.isfinite(off)
        squares += float(np.sum(off[own] ** 2))
        expected += float(np.sum(noise.variance(light)[own]))
        count += int(own.sum())
    size = float(np.sqrt(squares / max(count, 1)))
    ratio = float(np.sqrt(squares / expected)) if expected > 0.0 else (np.inf if squares > 0.0 else 1.0)
    large = LARGE_BESIDE_GIVEN if noise.given else LARGE
    unexplained = ratio >= large and scatter.length >= (2.0 if noise.given else SMOOTH)
    return Misfit(noise, size, ratio, scatter.length, scatter.patches, widened, not unexplained,
                  scatter.patches >= FEW * numbers)  # fmt: skip


def map_of(residual: Array, brightness: Array, noise: Noise, length: float) -> Array:
    """Where: the mean residual around each pixel, in standard deviations that noise alone would give it, (height, width)."""
    own = np.isfinite(residual)
    side = max(int(round(length)), 1)
    total = sums_around(np.where(own, residual, 0.0).sum(-1), side)
    variance = sums_around(np.where(own, noise.variance(brightness), 0.0).sum(-1), side)
    seen = own.any(-1) & (variance > 0.0)
    return np.where(seen, total / np.sqrt(np.where(seen, variance, 1.0)), 0.0)


def _times(factor: float) -> str:
    return f"{factor:.0f}" if factor >= 9.95 else f"{factor:.1f}"
