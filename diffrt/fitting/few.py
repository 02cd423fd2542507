"""Errors of numbers that few pixels tell, from how the loss really rises.

Standard errors take the loss for a parabola around the end. Where many pixels tell a number it is one: as many of them
change their part in it one way as the other. Few do not make up for each other. A pixel that is clipped is a bound that
begins to hold, or ceases to; one at the rim of a small spot is no longer in it a little further on. The loss then rises
on one side only, and is flat on the other up to the next such pixel; the search comes to rest anywhere in between.

A direction p that is one standard error long, |J p|^2 = s^2, raises a parabola by s^2, and 1.645 of them, the interval
of 90 %, by 2.7 s^2. Pixels tell it by the squares q_i of their J p, as much as n = (sum q)^2 / sum q^2 equal ones would
(Kish, Survey Sampling, 1965). If these are few, the loss itself is looked at on both sides, further and further out,
until it has risen by 2.7 s^2, the other directions being what suits best (the profile of the likelihood; Bates and
Watts, Nonlinear Regression Analysis, 1988, chapter 6). By 1 / 1.645 of that way, d+ and d-, numbers are unsure. To look
at one error is not enough: there it may have risen as a parabola does, and be flat from there on. In place of p p^T the
covariance then has the mean of d+ d+^T and d- d-^T.

Few pixels do not show either that one of them is an outlier of a robust loss: the fit follows it. Outliers of
photographs come in patches (Sabour et al., RobustNeRF, 2023). So where a pixel and its neighbours hold two or more, the
mean of these, times the root of their share, is what it may be wrong by, and what that moves is added.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import InputError
from diffrt.fitting.evaluation import Objective
from diffrt.fitting.scatter import Field, sums_around, sums_of_blocks
from diffrt.fitting.triangle import FLAT, Triangle
from diffrt.types import Array

FEW = 10.0
"""So many pixels that tell a direction are looked at."""

NORMAL_90 = 1.645
"""So many errors to either side hold the truth in 90 % of all cases, if they are normal."""

WILD = 4.0
"""A difference of so many scales of a robust loss is an outlier."""

DOUBLINGS = 8
"""It is looked at up to 2 to the power of this standard errors out."""


def of_few_pixels(
    objective: Objective, triangle: Triangle, fields: Sequence[Field], u: Array, bounds: tuple[Array, Array],
    held: NDArray[np.bool_],
) -> tuple[Array, ...]:  # fmt: skip
    """What is added to the covariance of the own coordinates of each view, (k, k), given the shared ones; if no view
    has own ones, of all coordinates.

    triangle: at u. fields: what each view leaves behind. bounds: of the coordinates. held: those at a bound.
    """
    count = sum(float(f.counted.sum()) for f in fields) - len(u)
    variance = sum(float(np.vdot(f.residual, f.residual)) for f in fields) / max(count, 1.0)
    free = triangle.without(held)
    if not triangle.layout.groups:
        look = _Look(objective, fields, range(len(fields)), np.arange(len(u)), variance, u, bounds)
        return (look.added(free.jacobian),)
    solved, found = free.damped(np.zeros(len(u))), []
    for number, part in enumerate(objective.parts):
        rows = solved.rows_of(part.sight.view.name)
        at = objective.variables.places[part.sight.view.name] if len(rows) else np.zeros(0, np.intp)
        look = _Look(objective, fields, [number], at, variance, u, bounds)
        found.append(look.added(rows[:, : len(at)]))
    return tuple(found)


@dataclass(frozen=True)
class _Look:
    """A look at the loss of some views around u (k,), by the coordinates `at`."""

    objective: Objective
    fields: Sequence[Field]
    views: Sequence[int]
    at: NDArray[np.intp]
    variance: float
    u: Array
    bounds: tuple[Array, Array]

    def added(self, rows: Array) -> Array:
        """What is added to the covariance. rows: J by the coordinates, up to rotation."""
        found = np.zeros((len(self.at), len(self.at)))
        length = np.linalg.norm(rows, axis=0)
        length[length == 0.0] = np.inf
        if not np.isfinite(length).any() or self.variance == 0.0:
            return found
        _, values, directions = np.linalg.svd(rows / length)
        known = values > FLAT * values[0]
        errors = (directions[: len(values)] / length)[known] / values[known, None] * np.sqrt(self.variance)
        few = [number for number, error in enumerate(errors) if self._pixels(error) <= FEW]
        here = self._at(np.zeros(len(self.at)))[0] if few else 0.0
        for number in few:
            error, others = errors[number], np.delete(errors, number, 0)
            sides = [self._reached(side * error, others, here) for side in (1.0, -1.0)]
            found += 0.5 * sum(np.outer(side, side) for side in sides) - np.outer(error, error)
        return found + self._beside_outliers(errors[few]) if few else found

    def _beside_outliers(self, errors: Array) -> Array:
        """What is added to the covariance, (k, k), as pixels beside outliers may be such. errors: of the directions
        that few tell, (d, k)."""
        found = np.zeros((len(self.at), len(self.at)))
        for view in self.views:
            sight, field, at = self.objective.parts[view].sight, self.fields[view], self.objective.parts[view].at
            if sight.settings.loss == "squared":
                continue
            values = self.objective.parts[view].variables.assign(self.u[at])
            off = sight.differences(np.asarray(sight.off(values)))
            counted = sight.counted(off)
            block = -(-off.shape[0] // field.residual.shape[0])
            off, weight = (sums_of_blocks(part, block) / block**2 for part in (off * counted, counted.astype(float)))
            far = np.abs(off) > WILD * sight.scale
            wild = far.any(-1)
            many, all_of = (sums_around(part.astype(float), 3) for part in (wild, weight.any(-1)))
            beside = many > 1.5
            total = np.stack([sums_around(wild * off[..., c], 3) for c in range(3)], -1)
            # The mean of the outliers around, times the root of how likely the pixel is one.
            amount = total[beside] / np.sqrt(many[beside] * all_of[beside])[:, None] * ~far[beside] * block
            whole = np.zeros((len(errors), len(self.u)))
            whole[:, self.at] = errors
            pulls = np.einsum("pcn,dn,pc->pd", field.jacobian[beside], whole[:, field.at], amount)
            moved = pulls @ errors / self.variance
            found += moved.T @ moved
        return found

    def _pixels(self, step: Array) -> float:
        """How many tell a step."""
        whole = np.zeros(len(self.u))
        whole[self.at] = step
        squares = [((self.fields[v].jacobian @ whole[self.fields[v].at]) ** 2).sum(-1) for v in self.views]
        total, most = (sum(float(np.sum(q**power)) for q in squares) for power in (1, 2))
        return total**2 / max(most, 1e-300)

    def _at(self, step: Array) -> tuple[float, Array]:
        """The loss after a step, infinite if there is no scene, and [J r] there."""
        there = self.u.copy()
        there[self.at] += step
        nothing = np.zeros((0, len(self.at) + 1))
        if (there < self.bounds[0]).any() or (there > self.bounds[1]).any():
            return np.inf, nothing
        cost, rows = 0.0, [nothing]
        for view in self.views:
            part = self.objective.parts[view]
            order = {int(place): column for column, place in enumerate(part.at)}
            try:
                fold = part.fold(there[part.at])
            except InputError:
                return np.inf, nothing
            cost += fold.cost
            rows.append(fold.folded[:, [*(order[int(place)] for place in self.at), -1]])
        return cost, np.concatenate(rows)

    def _reached(self, error: Array, others: Array, here: float) -> Array:
        """A standard error, or more: 1 / 1.645 of how far one may go along it until the loss has risen as much as a
        parabola would at 1.645 of them. others: errors along which one may go meanwhile. here: the loss at u."""
        enough = NORMAL_90**2 * self.variance
        before, risen_before = np.zeros_like(error), 0.0
        step = 2.0 * error
        for doubling in range(1, DOUBLINGS):
            cost, rows = self._at(step)
            if not np.isfinite(cost):
                break
            across = rows[:, :-1] @ others.T
            give = np.linalg.lstsq(across, -rows[:, -1], FLAT)[0] if len(others) else np.zeros(0)
            give *= min(2.0**doubling / max(float(np.linalg.norm(give)), 1e-300), 1.0)
            after = rows[:, -1] + across @ give
            risen = cost - float(rows[:, -1] @ rows[:, -1]) + float(after @ after) - here
            there = step + others.T @ give
            if doubling == 1 and risen >= enough:
                return error
            if risen >= enough:
                # The root of the rise is taken to be straight from there on.
                low, high = np.sqrt(max(risen_before, 0.0)), np.sqrt(risen)
                before = before + (np.sqrt(enough) - low) / (high - low) * (there - before)
                break
            before, risen_before, step = there, risen, 2.0 * there
        return before / NORMAL_90 if before.any() else error
