"""What the model does not explain: residuals that are larger than the noise, and smooth.

Noise of a camera is a matter of single pixels, or of a few where the camera or the file has smoothed it. Residuals that
are larger than it, and of one sign over many pixels, are of the model: a highlight that it lacks, a light that it does
not know of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from diffrt.fitting.scatter import Scatter, sums_around
from diffrt.types import Array

LARGE, SMOOTH = 1.5, 6.0
"""Residuals are of the model if they are so many times the noise, and smooth over so many pixels: what a camera or a
file smooths is smooth over fewer."""

LARGE_BESIDE_GIVEN, SMOOTH_BESIDE_GIVEN = 1.3, 2.0
"""The same, where the noise is not read off the residuals but was given."""

EXACT = 1e-8
"""Residuals that are a smaller part of the image are what the search and rounding leave of none: it has come from the
fit's own image, and no finer one explains it better."""

WIDE = 1.2
"""Errors that are so many times those of independent residuals are worth a word."""

FEW = 5.0
"""So many independent residuals for each number are too few to know its error by."""


@dataclass(frozen=True)
class Misfit:
    """How residuals compare with noise.

    size: root mean square of the residuals. ratio: over that of the noise. length: over how many pixels they are
    smooth. patches: how many independent ones they are worth. widened: how many times the errors of independent ones
    the errors are. explained: whether the model explains the image. told: whether the errors can be told.
    """

    size: float
    ratio: float
    length: float
    patches: float
    widened: float
    explained: bool
    told: bool

    @property
    def words(self) -> tuple[str, ...]:
        """Notes, or none."""
        smooth = f"smooth over {self.length:.0f} pixels"
        wide = f"errors widened {_times(self.widened)} times"
        found = []
        if not self.explained:
            large = f"{_times(self.ratio)} times the noise" if np.isfinite(self.ratio) else "larger than the noise"
            found.append(f"the model does not explain the image: residuals are {large}, {smooth}; {wide}")
        elif self.widened >= WIDE:
            alike = "alike in all channels" if self.length < 2.0 else f"{smooth}, or alike in all channels"
            found.append(f"residuals are not independent: they are {alike}; {wide}")
        if not self.told:
            found.append(
                f"the errors are a guess: residuals so smooth say as much as {self.patches:.0f} independent ones"
            )
        return tuple(found)


def misfit(
    residuals: Sequence[Array],
    noise: Iterable[Array],
    given: bool,
    scatter: Scatter,
    widened: float,
    numbers: int,
    brightness: float = 1.0,
) -> Misfit:
    """How residuals compare with noise.

    residuals: of each view, (height, width, 3), nan where they do not count. noise: its variance there. given: whether
    that is known, and not read off the residuals. numbers: how many are free. brightness: root mean square of the
    pixels.
    """
    squares, expected, count = 0.0, 0.0, 0
    for off, variance in zip(residuals, noise, strict=True):
        own = np.isfinite(off)
        squares += float(np.sum(off[own] ** 2))
        expected += float(np.sum(variance[own]))
        count += int(own.sum())
    size = float(np.sqrt(squares / max(count, 1)))
    exact = EXACT * brightness
    if expected > count * exact**2:
        ratio = float(np.sqrt(squares / expected))
    else:  # of noise below what a fit is exact to nobody knows how large it is
        ratio = 1.0 if size <= exact else np.inf
    large, smooth = (LARGE_BESIDE_GIVEN, SMOOTH_BESIDE_GIVEN) if given else (LARGE, SMOOTH)
    if size <= exact:
        return Misfit(size, ratio, scatter.length, scatter.patches, 1.0, True, True)
    unexplained = ratio >= large and scatter.length >= smooth and widened >= WIDE
    told = scatter.patches >= FEW * numbers
    return Misfit(size, ratio, scatter.length, scatter.patches, widened, not unexplained, told)


def map_of(residual: Array, noise: Array, length: float) -> Array:
    """Where: the mean residual around each pixel, in standard deviations that it would have by noise alone.

    residual: (height, width, 3), nan where it does not count. noise: its variance. length: pixels a side of what is
    around. Returns (height, width).
    """
    own = np.isfinite(residual)
    side = max(round(length), 1)
    total = sums_around(np.where(own, residual, 0.0).sum(-1), side)
    variance = sums_around(np.where(own, noise, 0.0).sum(-1), side)
    seen = own.any(-1) & (variance > 0.0)
    return np.where(seen, total / np.sqrt(np.where(seen, variance, 1.0)), 0.0)


def _times(factor: float) -> str:
    return f"{factor:.0f}" if factor >= 9.95 else f"{factor:.1f}"
