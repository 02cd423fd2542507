"""Rows of [J d] whose loss is no parabola over a step: few pixels that tell a number, under a robust loss.

A step of Gauss-Newton takes the loss of every residual for a parabola. Many pixels average out: as many leave the tail
of a robust loss as enter it. Few do not. The rim of a lamp's mirror image is some pixels that are clipped, whose bound
begins to hold or ceases to, and some that go from the tail of the loss to its other tail within a hundredth of a
pixel's width. Steps then lead up, and are refused and shortened one after the other, though nothing happens that was
not to be foreseen: the image is nearly linear over such a step, and how the loss of a difference d goes on is known. So
these rows are kept as they are, and a step is looked for with the loss of d + J p itself (Burke and Ferris, A
Gauss-Newton method for convex composite optimization, 1995), for which no image is computed.

Which they are, their leverage says: the sum of J^2 over its columns, each of length one. These sum up to k.

A step of Newton's on that loss, with its curvature at d, may lead up too. One with the parabola that touches the loss
at d and is above it everywhere does not, but is shorter. It is w d^2 with w = rho'(z) (Huber, Robust statistics, 1981,
section 7.8); where a bound holds, at a distance d, w (J p)^2 is above what is behind it.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from diffrt.fitting.residual import curvature, robustify, slope
from diffrt.types import Array

KEPT = 16
"""Rows of a view that are kept, for each of its numbers."""


@dataclass(frozen=True)
class Loose:
    """Rows of one view.

    rows: [J d], (m, k + 1), by its own coordinates, then the shared ones; d is what the image is off by. side: 1 where
    it is a bound from below, -1 from above, 0 where it is none, (m,). loss, scale: the robust loss. least: part of the
    curvature of the squares that is kept in its tail.
    """

    view: str
    rows: Array
    side: Array
    loss: str
    scale: float
    least: float

    def differences(self, step: Array | None = None) -> Array:
        """What a loss is made of after a step (k,), none if None: (m,), zero where a bound holds."""
        d = self._off(step)
        return np.where(self.side * d > 0.0, 0.0, d)

    def cost(self, step: Array | None = None) -> float:
        """The loss after a step (k,)."""
        off = robustify(self.loss, self.scale, self.differences(step))
        return float(off @ off)

    def bent(self, step: Array | None = None, above: bool = False) -> Array:
        """[J r] after a step (k,), (m, k + 1), with the curvature of the loss there, or that of the parabola above."""
        d = self._off(step)
        used = self.differences(step)
        off = robustify(self.loss, self.scale, d)
        t = slope(self.loss, self.scale, off)
        half = off * t  # half of the derivative of the loss
        if above:
            root = np.sqrt(np.divide(half, d, out=np.ones_like(d), where=d != 0.0))
        else:
            root = np.where(used == d, t * curvature(self.loss, self.scale, off, self.least), 0.0)
        r = np.divide(half * (used == d), root, out=np.zeros_like(d), where=root > 0.0)
        return np.column_stack([self.rows[:, :-1] * root[:, None], r])

    def split(self, count: int) -> tuple["Loose", "Loose"]:
        """The `count` rows of the largest leverage, and the others."""
        squares = self.rows[:, :-1] ** 2
        length = squares.sum(0)
        order = np.argsort(-(squares / np.where(length > 0.0, length, 1.0)).sum(1), kind="stable")
        first, rest = np.sort(order[:count]), np.sort(order[count:])
        return self.chosen(first), self.chosen(rest)

    def joined(self, other: "Loose") -> "Loose":
        """With the rows of another one below."""
        return replace(self, rows=np.concatenate([self.rows, other.rows]), side=np.concatenate([self.side, other.side]))

    @property
    def packed(self) -> Array:
        """All numbers of it, (m (k + 2) + 4,)."""
        m, columns = self.rows.shape
        return np.concatenate([[m, columns, self.scale, self.least], self.rows.ravel(), self.side])

    @classmethod
    def unpacked(cls, view: str, loss: str, numbers: Array) -> tuple["Loose", Array]:
        """The inverse of `packed`, and the numbers after it."""
        m, columns = map(int, numbers[:2])
        rows, side, rest = np.split(numbers[4:], [m * columns, m * (columns + 1)])
        return cls(view, rows.reshape(m, columns), side, loss, float(numbers[2]), float(numbers[3])), rest

    def chosen(self, which: Any) -> "Loose":
        """Some of the rows, by their numbers or by a mask."""
        return replace(self, rows=self.rows[which], side=self.side[which])

    def _off(self, step: Array | None) -> Array:
        d = self.rows[:, -1]
        return d if step is None else d + self.rows[:, :-1] @ step
