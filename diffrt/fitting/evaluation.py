"""Evaluating a fit at a point: its loss, and what an optimiser needs of its derivatives.

Least squares needs the Jacobian J (m, k) and the residual r (m,), but only up to rotation: with [J r] = Q R, R upper
triangular of k + 1 rows, |J p + r| = |R_J p + R_r| for every step p, where R_J are the first k columns of R and R_r is
the last. So the image is taken in strips, whose [J r] are folded into R one after the other (Golub and Van Loan, Matrix
Computations, 4th ed., section 5.2, applied to stacked blocks): what is kept is (k + 1)^2 numbers, however large the
image. Unlike J^T J, whose condition is that of J squared, R has the condition of J: nothing is lost.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, pushforward, sum, value_and_grad
from diffrt.fitting.residual import Sight
from diffrt.fitting.scatter import HELD, Field, sums_of_blocks
from diffrt.fitting.variables import Variables
from diffrt.tracer.renderer import Settings as Sampling
from diffrt.tracer.renderer import require_memory_for

Array = NDArray[np.float64]

STRIP = 1 << 23
"""Numbers of [J r] that are held at a time: 64 MiB."""


FOLD = 2048
"""Rows that are folded at a time: as many as the processor's cache holds."""


NOTHING = 1e-13
"""A column of J that is shorter than this part of the longest is what rounding leaves of zero."""


@dataclass(frozen=True)
class Objective:
    """What is minimised: the residuals of all views at one level, as a function of coordinates u (k,)."""

    variables: Variables
    sights: tuple[Sight, ...]

    def triangle(self, u: Array) -> "Triangle":
        """The loss at u with its Jacobian, folded."""
        size = len(u)
        folded, count, cost = np.zeros((0, size + 1)), 0, 0.0
        for sight in self.sights:
            for rows, block in self._rows(sight, u):
                off = block[..., -1]
                counted = sight.counted(off, rows)
                count += int(counted.sum())
                cost += float(np.vdot(off, off))
                moving = _moving(sight.bent(block)[counted | (off != 0.0)])
                for first in range(0, len(moving), FOLD):
                    part = moving[first : first + FOLD]
                    folded = np.asarray(np.linalg.qr(np.concatenate([folded, part]), mode="r"))
        full = np.zeros((size + 1, size + 1))
        full[: len(folded)] = folded
        length = np.linalg.norm(full[:, :-1], axis=0)
        full[:, :-1][:, length <= NOTHING * length.max()] = 0.0
        return Triangle(full, count, cost)

    def fields(self, u: Array) -> tuple[tuple[Field, ...], int]:
        """What each view leaves behind at u, and how many pixels a side of it are held as one."""
        size = len(u)
        largest = max(sight.target.size for sight in self.sights) * (size + 1)
        block = int(np.ceil(np.sqrt(largest / HELD))) if largest > HELD else 1
        return tuple(self._field(sight, u, block) for sight in self.sights), block

    @property
    def groups(self) -> dict[str, int]:
        """For the name of each view the number of its camera: those of one see the same."""
        cameras = [sight.view.name if sight.view.own_camera else "" for sight in self.sights]
        return {sight.view.name: cameras.index(camera) for sight, camera in zip(self.sights, cameras, strict=True)}

    def _field(self, sight: Sight, u: Array, block: int) -> Field:
        """The field of a view. A block of pixels counts by its sum, over its side: of independent residuals that has the
        variance of one of them."""
        sums: list[Array] = []
        counts: list[Array] = []
        pixels: list[Array] = []
        for rows, part in self._rows(sight, u, block):
            counted = sight.counted(part[..., -1], rows)
            plain = sight.plain(part) * counted[..., None]
            pixels.append(np.where(counted, plain[..., -1], np.nan))
            sums.append(sums_of_blocks(plain, block) / block)
            counts.append(sums_of_blocks(counted[..., None].astype(float), block)[..., 0])
        both, count = np.concatenate(sums), np.concatenate(counts)
        at = np.flatnonzero(both[..., :-1].any((0, 1, 2)))
        return Field(
            both[..., -1], both[..., at], count / block**2, at, self.groups[sight.view.name], np.concatenate(pixels)
        )

    def _rows(self, sight: Sight, u: Array, multiple: int = 1) -> Iterator[tuple[tuple[int, int] | None, Array]]:
        """[J r] of a view, strip by strip: the rows, all if None, and (height, width, 3, k + 1)."""
        directions = [list(np.eye(len(u)))]
        for rows in strips(sight, len(u), multiple):
            height, width = sight.target.shape[:2]
            first, last = rows or (0, height)
            require_memory_for((width, last - first), Sampling(sight.settings.cells), len(u))
            off, columns = pushforward(partial(self._off, sight, rows), [u], directions)
            yield rows, np.stack([*columns, off], -1)

    def _off(self, sight: Sight, rows: tuple[int, int] | None, u: Any) -> Any:
        return sight.off(self.variables.assign(u), rows)

    def gradient(self, u: Array) -> tuple[float, Array]:
        """The mean loss per pixel value at u, and its derivative, in reverse mode."""

        def mean(v: Any) -> Any:
            return self.total(self.variables.assign(v)) / self.size

        value, slope = value_and_grad(mean)(u)
        return float(value), np.asarray(slope)

    def value(self, u: Array) -> float:
        """The mean loss per pixel value at u."""
        found = self.total(self.variables.assign(u))
        return float(found.value if isinstance(found, Var) else found) / self.size

    def total(self, values: Mapping[str, Any]) -> Any:
        """The loss at the values of the parameters, a number or a Var."""
        parts = [sum(off * off) for off in (sight.off(values) for sight in self.sights)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    @property
    def sum_of_squares(self) -> float:
        """The mean square of what the residuals would be of a black image."""
        return float(np.sum([np.sum(sight.sum_of_squares) for sight in self.sights])) / self.size

    @property
    def size(self) -> int:
        """The number of pixel values that are compared."""
        return int(np.sum([3 * (s.used > 0.0).sum() for s in self.sights]))


@dataclass(frozen=True)
class Triangle:
    """R of [J r] = Q R, (k + 1, k + 1). count: how many residuals say something. cost: the loss, the sum of the squares
    of all residuals. It is |r|^2 unless a robust loss makes J and r those of its second order."""

    folded: Array
    count: int
    cost: float

    @property
    def jacobian(self) -> Array:
        """J up to rotation, (k + 1, k)."""
        return self.folded[:, :-1]

    @property
    def residual(self) -> Array:
        """r up to the same rotation, (k + 1,)."""
        return self.folded[:, -1]


def _moving(block: Array) -> Array:
    """[J r] without the rows in which J is zero, whose residuals stand together in one: a rotation of it."""
    still = ~block[:, :-1].any(axis=1)
    rest = np.zeros((1, block.shape[1]))
    rest[0, -1] = np.linalg.norm(block[still, -1])
    return np.concatenate([block[~still], rest]) if still.any() else block


def strips(sight: Sight, size: int, multiple: int = 1) -> list[tuple[int, int] | None]:
    """The rows to take at a time, so that the Jacobian by `size` numbers is never held as a whole. multiple: of rows."""
    height, width = sight.target.shape[:2]
    if sight.blur is not None or height * width * 3 * (size + 1) <= STRIP:
        return [None]
    rows = max(STRIP // (width * 3 * (size + 1)) // multiple, 1) * multiple
    return [(first, min(first + rows, height)) for first in range(0, height, rows)]
