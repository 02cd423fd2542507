"""Noise of a camera: read noise, which every pixel has, and shot noise, whose variance grows with the light.

    variance of a pixel of brightness v = read^2 + shot v

It is given, or read off the residuals: the second difference along both sides, with weights (1, -2, 1) each, takes away
what is smooth over three pixels, and leaves noise times 6 (Immerkaer, Fast noise variance estimation, 1996). The median
of its size, over pixels of like brightness, is not moved by the edges and textures that are left.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from diffrt.fitting.spread import NORMAL
from diffrt.types import Array

CLASSES = 8
"""Into so many classes of brightness pixels are sorted."""

ENOUGH = 30
"""A class with fewer pixels says nothing."""

MOST = 1 << 22
"""Of more pixel values only every second row is looked at, or every third, and so on."""


@dataclass(frozen=True)
class Noise:
    """Of a camera. read: a standard deviation. shot: a variance for each unit of brightness. given: whether it is not
    estimated."""

    read: float
    shot: float
    given: bool

    def variance(self, brightness: Array) -> Array:
        """Of pixels of these linear values, of any shape."""
        return self.read**2 + self.shot * np.maximum(brightness, 0.0)


def estimate(residuals: Sequence[Array], brightness: Iterable[Array]) -> Noise:
    """The noise in the residuals of some views, each (height, width, 3), nan where they do not count.

    brightness: linear values of the pixels. It is no more than what varies from pixel to pixel.
    """
    from scipy.optimize import nnls

    sizes, values = [], []
    step = max(-(-sum(off.size for off in residuals) // MOST), 1)
    for view, (off, light) in enumerate(zip(residuals, brightness, strict=True)):
        if min(off.shape[:2]) < 3:
            continue
        rough = np.diff(np.diff(off, 2, 0), 2, 1)[view % step :: step]
        whole = np.isfinite(rough)
        sizes.append(np.abs(rough[whole]) / 6.0)
        values.append(light[1:-1, 1:-1][view % step :: step][whole])
    size, value = (np.concatenate(parts) if parts else np.zeros(0) for parts in (sizes, values))
    if len(size) < ENOUGH:
        every = np.concatenate([off[np.isfinite(off)] for off in residuals])
        return Noise(float(np.sqrt(np.mean(every**2))) if len(every) else 0.0, 0.0, False)
    edges = np.unique(np.quantile(value, np.linspace(0.0, 1.0, CLASSES + 1)))
    number = np.clip(np.searchsorted(edges, value, "right") - 1, 0, max(len(edges) - 2, 0))
    rows = []
    for n in np.unique(number):
        mine = number == n
        if mine.sum() >= ENOUGH:
            variance = (np.median(size[mine]) / NORMAL) ** 2
            rows.append((1.0, max(float(value[mine].mean()), 0.0), variance or float(np.mean(size[mine] ** 2))))
    table = np.array(rows)
    # A variance is known to a part of itself, so each equation is divided by it.
    weight = 1.0 / np.maximum(table[:, 2], 1e-12 * table[:, 2].max() + 1e-300)
    (base, shot), _ = nnls(table[:, :2] * weight[:, None], table[:, 2] * weight)
    return Noise(float(np.sqrt(base)), float(shot), False)
