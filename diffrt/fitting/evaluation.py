"""Evaluating a fit at a point: its loss, and what an optimiser needs of its derivatives.

Least squares needs the Jacobian J (m, k) and the residual r (m,), but only up to rotation: the triangle R of [J r] =
Q R. So the image is taken in strips, whose [J r] are folded into R one after the other (Golub and Van Loan, Matrix
Computations, 4th ed., section 5.2, applied to stacked blocks): what is kept is some (k + 1)^2 numbers, however large
the image, and less where parameters belong to views (`triangle.py`). Unlike J^T J, whose condition is that of J
squared, R has the condition of J: nothing is lost. A view is differentiated by its own parameters and the shared ones
only, and folded by itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import pushforward, sum, value_and_grad
from diffrt.fitting.loose import KEPT, Loose
from diffrt.fitting.misfit import EXACT
from diffrt.fitting.residual import Bend, Sight
from diffrt.fitting.scatter import HELD, Field, sums_of_blocks
from diffrt.fitting.spread import sizes_of
from diffrt.fitting.triangle import Fold, Layout, Triangle, folded, square
from diffrt.fitting.variables import Variables
from diffrt.fitting.view import View
from diffrt.tracer.renderer import Settings as Sampling
from diffrt.tracer.renderer import require_memory_for
from diffrt.types import Array

STRIP = 1 << 23
"""Numbers of [J r] that are held at a time: 64 MiB."""


HELD_TOGETHER = 1 << 23
"""Numbers of the Jacobians of all views that are held at a time, at the end of a fit."""


@dataclass(frozen=True)
class Part:
    """The residuals of one view at one level, as a function of the coordinates u (k,) that it depends on.

    variables: its own parameters, then the shared ones. at: where their coordinates are among all.
    """

    sight: Sight
    variables: Variables
    at: NDArray[np.intp]

    def fold(self, u: Array, bend: Bend | None = None) -> Fold:
        """[J r] at u, folded. bend: how a robust loss is taken; as it is near the end if None."""
        if bend is not None and self.sight.settings.loss != "squared":
            return self._fold_robust(u, bend)
        sight, size = self.sight, len(u)
        found, count, cost = np.zeros((0, size + 1)), 0, 0.0
        for rows, block in self._rows(u):
            off = block[..., -1]
            counted = sight.counted(off, rows)
            count += int(counted.sum())
            cost += float(np.vdot(off, off))
            found = folded(np.concatenate([found, _moving(sight.bent(block)[counted | (off != 0.0)])]))
        return Fold(sight.view.name, square(found), count, cost, size=sight.size, power=sight.power)

    def _fold_robust(self, u: Array, bend: Bend) -> Fold:
        """Rows of the largest leverage are not folded."""
        sight, size, view = self.sight, len(u), self.sight.view.name
        found, count, cost, cost_before = np.zeros((0, size + 1)), 0, 0.0, 0.0
        kept = Loose(view, found, np.zeros(0), sight.settings.loss, bend.scale, bend.least)
        differences = []
        for rows, block in self._rows(u, of=sight.difference):
            used, side = sight.used[slice(*(rows or (None,)))] > 0.0, sight.sides(rows)
            part = replace(kept, rows=block[used].reshape(-1, size + 1), side=side[used].ravel())
            off = part.differences()
            differences.append(off)
            count += int((off == part.rows[:, -1]).sum())
            cost += part.cost()
            cost_before += replace(part, scale=bend.before).cost()
            moving = np.any(part.rows[:, :-1], axis=1)
            kept, others = kept.joined(part.chosen(moving)).split(KEPT * size)
            still = np.zeros((1, size + 1))
            still[0, -1] = np.linalg.norm(part.chosen(~moving).bent()[:, -1])
            found = folded(np.concatenate([found, others.bent(), still]))
        return Fold(
            view, square(found), count, cost, cost_before - cost, sizes_of(np.concatenate(differences)), sight.size,
            sight.power, kept,
        )  # fmt: skip

    def field(self, u: Array, block: int, group: int) -> Field:
        """The field of the view at u. block: pixels a side that count by their sum, over that side: of independent
        residuals it has the variance of one of them. group: the number of its camera."""
        sums: list[Array] = []
        counts: list[Array] = []
        pixels: list[Array] = []
        finer: list[Array] = []
        values, fine = self.variables.assign(u), self.sight.finer
        for rows, part in self._rows(u, block):
            counted = self.sight.counted(part[..., -1], rows)
            plain = self.sight.plain(part) * counted[..., None]
            pixels.append(np.where(counted, plain[..., -1], np.nan))
            sums.append(sums_of_blocks(plain, block) / block)
            counts.append(sums_of_blocks(counted[..., None].astype(float), block)[..., 0])
            beside = plain[..., -1]
            if np.abs(beside).max(initial=0.0) > EXACT * np.abs(self.sight.target).max(initial=0.0):
                beside = self.sight.plain(np.asarray(fine.off(values, rows))[..., None])[..., 0] * counted
            finer.append(sums_of_blocks(beside, block) / block)
        both, count = np.concatenate(sums), np.concatenate(counts)
        moving = np.flatnonzero(both[..., :-1].any((0, 1, 2)))
        column, row = self.sight.view.scene.camera.crop[:2] or (0, 0)
        return Field(
            both[..., -1], both[..., moving], count / block**2, self.at[moving], group, (row, column),
            np.concatenate(pixels), np.concatenate(finer),
        )  # fmt: skip

    def gradient(self, u: Array) -> tuple[float, Array]:
        """The loss at u, and its derivative, in reverse mode."""
        value, slope = value_and_grad(self.total)(u)
        return float(value), np.asarray(slope)

    def total(self, u: Any) -> Any:
        """The loss at u, a number or a Var."""
        off = self._off(None, u)
        return sum(off * off)

    def _rows(
        self, u: Array, multiple: int = 1, of: Callable[..., Any] | None = None
    ) -> Iterator[tuple[tuple[int, int] | None, Array]]:
        """[J r] strip by strip: the rows, all if None, and (height, width, 3, k + 1). multiple: of rows. of: what to
        take for r, the residual if None."""
        size = len(u)
        directions = [list(np.eye(size))]
        for rows in strips(self.sight, size, multiple):
            height, width = self.sight.target.shape[:2]
            first, last = rows or (0, height)
            require_memory_for((width, last - first), Sampling(self.sight.settings.cells), size)
            off, columns = pushforward(partial(self._off, rows, of=of), [u], directions)
            yield rows, np.stack([*columns, off], -1)

    def _off(self, rows: tuple[int, int] | None, u: Any, of: Callable[..., Any] | None = None) -> Any:
        return (of or self.sight.off)(self.variables.assign(u), rows)


@dataclass(frozen=True)
class Objective:
    """What is minimised: the residuals of all views at one level, as a function of coordinates u (k,).

    others: who folds the views in place of this process, given u and how a robust loss is taken; in their order. With
    them no sights are needed.
    """

    variables: Variables
    sights: tuple[Sight, ...]
    others: Callable[[Array, Bend | None], Iterable[Fold]] | None = None

    @cached_property
    def layout(self) -> Layout:
        """Which coordinates are whose."""
        return Layout.of(self.variables)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The views, each with what it depends on."""
        return tuple(Part(sight, *self.variables.seen_by(sight.view.name)) for sight in self.sights)

    def triangle(self, u: Array, stop: Callable[[], None] | None = None, bend: Bend | None = None) -> Triangle:
        """The loss at u with its Jacobian, folded. stop: called between two views; it may raise something. bend: as
        of `Part.fold`."""
        folds = self.others(u, bend) if self.others else (part.fold(u[part.at], bend) for part in self.parts)
        return Triangle.joined(self.layout, _watched(folds, stop) if stop else folds)

    def fields(self, u: Array) -> tuple[tuple[Field, ...], int]:
        """What each view leaves behind at u, and how many pixels a side of it are held as one."""
        views = [sight.view for sight in self.sights]
        block = block_of(views, self.variables)
        parts = zip(self.parts, cameras_of(views), strict=True)
        return tuple(part.field(u[part.at], block, camera) for part, camera in parts), block

    def gradient(self, u: Array) -> tuple[float, Array]:
        """The mean loss per pixel value at u, and its derivative, in reverse mode."""
        total, slope = 0.0, np.zeros(len(u))
        for part in self.parts:
            value, own = part.gradient(u[part.at])
            total += value
            slope[part.at] += own
        return total / self.size, slope / self.size

    def value(self, u: Array) -> float:
        """The mean loss per pixel value at u."""
        return float(np.sum([part.total(u[part.at]) for part in self.parts])) / self.size

    @property
    def power(self) -> float:
        """The sum of the squares of what the residuals would be of a black image."""
        return float(np.sum([sight.power for sight in self.sights]))

    @property
    def size(self) -> int:
        """The number of pixel values that are compared."""
        return int(np.sum([sight.size for sight in self.sights]))


def block_of(views: Sequence[View], variables: Variables) -> int:
    """How many pixels a side of the views are held as one at the end, so that all have room."""
    sizes = [3 * int(np.prod(view.size)) * (len(variables.seen_by(view.name)[1]) + 1) for view in views]
    many = max(max(sizes) / HELD, np.sum(sizes) / HELD_TOGETHER)
    return int(np.ceil(np.sqrt(many))) if many > 1.0 else 1


def cameras_of(views: Sequence[View]) -> list[int]:
    """The number of the camera of each view: those of one see the same."""
    first: dict[str, int] = {}
    return [first.setdefault(view.name if view.has_own_camera else "", v) for v, view in enumerate(views)]


def _watched(folds: Iterable[Fold], stop: Callable[[], None]) -> Iterator[Fold]:
    for number, fold in enumerate(folds):
        if number:
            stop()
        yield fold


def _moving(block: Array) -> Array:
    """[J r] without the rows in which J is zero, whose residuals stand together in one: a rotation of it."""
    still = ~block[:, :-1].any(axis=1)
    rest = np.zeros((1, block.shape[1]))
    rest[0, -1] = np.linalg.norm(block[still, -1])
    return np.concatenate([block[~still], rest]) if still.any() else block


def strips(sight: Sight, size: int, multiple: int = 1) -> list[tuple[int, int] | None]:
    """The rows to take at a time, so that the Jacobian by `size` numbers is never held whole. multiple: of rows."""
    height, width = sight.target.shape[:2]
    if sight.blur is not None or height * width * 3 * (size + 1) <= STRIP:
        return [None]
    rows = max(STRIP // (width * 3 * (size + 1)) // multiple, 1) * multiple
    return [(first, min(first + rows, height)) for first in range(0, height, rows)]
