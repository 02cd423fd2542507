"""How far most differences are from zero, however large the others: what the scale of a robust loss comes from.

It is the standard deviation that their median suggests (Rousseeuw and Croux, Alternatives to the median absolute
deviation, 1993). Views are folded by themselves, perhaps elsewhere, and one does not know the median of all; so each is
summed up by some quantiles of its own, and the median is that of the quantiles of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffrt.types import Array

NORMAL = 0.6745
"""The median size of a normal number, in standard deviations."""

QUANTILES = 255
"""Of the differences of a view that are kept."""


@dataclass(frozen=True)
class Sizes:
    """How large differences are. quantiles: of their sizes, (q,). count: how many there are."""

    quantiles: Array
    count: int


NO_SIZES = Sizes(np.zeros(0), 0)


def sizes_of(differences: Array) -> Sizes:
    """Those of differences of any shape. Zeros, as of a black background, say nothing."""
    sizes = np.abs(differences[differences != 0.0])
    if not len(sizes):
        return NO_SIZES
    # The middle one is the median itself.
    return Sizes(np.quantile(sizes, (np.arange(QUANTILES) + 0.5) / QUANTILES), len(sizes))


def spread_of_all(sizes: Sequence[Sizes]) -> float:
    """The standard deviation that most differences of several views suggest, 0 if there are none."""
    some = [one for one in sizes if one.count]
    if len(some) < 2:
        return float(some[0].quantiles[QUANTILES // 2]) / NORMAL if some else 0.0
    values = np.concatenate([one.quantiles for one in some])
    weights = np.repeat([float(one.count) for one in some], QUANTILES)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, 0.5 * reached[-1])]) / NORMAL
