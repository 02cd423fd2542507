"""Least squares by a trust region of Gauss-Newton steps that keeps bounds.

A step p is the least of |J p + r| among those with |D p| <= radius, where D holds the lengths of the columns of J, the
largest so far: a number counts by what it does to the image (More, The Levenberg-Marquardt Algorithm, 1977). It solves

    (J^T J + a D^2) p = -J^T r

for the damping a at which it ends on the border of the region, which Newton's method finds on |D p(a)|, or for none. J
is a triangle, perhaps an arrow (`triangle.py`), so nothing is ever as large as the image, or quadratic in the number of
views.

Under a robust loss some rows of J are loose: their loss is no parabola over a step (`loose.py`). Then steps like that
are repeated from where the last one leads, on that loss and with J as it is, until they gain next to nothing.

J^T J lacks the second derivatives of r, which count where much of r is left at the end. Where the loss curves less
than J^T J says, steps are too short: to half of the way each, if it is half as much. How much it curves along the last
step s the slopes at both of its ends tell (Dennis, Gay and Welsch, An adaptive nonlinear least-squares algorithm,
1981). With that part h of s^T J^T J s in place of 1 in this direction, what the next step has of s, in the metric of
J^T J, is divided by h.

A coordinate at a bound is held there as long as the slope would lead it out. Where a step would go over a bound, it
goes to the first that it meets, and the step of the other coordinates is computed again, given that.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffrt.fitting.triangle import FLAT, Triangle
from diffrt.types import Array

LEAST = FLAT**2
"""Damping that no region asks for: along what the image does not determine no step is made. Where the column of a
triangle is zero but for rounding, e, the residual c of its row asks for a step of e c / (e^2 + LEAST), which with less
would be long: it would use up the region, and change the image to second order."""

NEAR = 0.01
"""A step ends on the border of the region if it is as near to it, relatively."""

TRIES = 10
"""Dampings that are tried for one step at most."""


INNER = 40
"""Steps on the loss of loose rows, none of which needs an image, at most."""

INNER_LOSS = 1e-4
"""They end where one gains so small a part of what all have."""

LITTLE = 0.003
"""A step that lowers the loss by a smaller part than that is of a search near an end at which much is left."""

LONGER = 2.5
"""What a step has of the last one becomes so many times as long at most."""

AGAIN = 0.4
"""It becomes longer only if it has so much of the last one: else steps shrink fast enough as they are."""


@dataclass(frozen=True)
class Tolerances:
    """Where a search ends: if a good step lowers the loss by a smaller part than `loss`, if a step is shorter than
    `step`, relative to how far the point is from where the search began, or if no slope is larger than `slope`,
    relative to the square of the first radius."""

    loss: float
    step: float
    slope: float


@dataclass(frozen=True)
class End:
    """Where a search ended: u (k,). converged: whether one of the tolerances is met. message: in words."""

    u: Array
    converged: bool
    message: str


def least_squares(
    evaluate: Callable[[Array, Array], Triangle | None],
    start: Array,
    bounds: tuple[Array, Array],
    radius: float,
    tolerances: Tolerances,
    limit: int,
    settled: Callable[[Array, Triangle, Array, bool], str | None] | None = None,
    last: Callable[[Triangle, Array], str | None] | None = None,
) -> End:
    """Search for the least squares from `start` (k,).

    evaluate: the triangle at a point, given the point and the one that the step began at; None if the step is refused,
    and a shorter one is to be tried. The loss may be another one than before, whose scale became smaller: a step is
    judged by the one that it was made for. bounds: of the coordinates, (k,) each, around the start. radius: of the
    first region, in units of the residual. limit: evaluations, the first among them. settled: called after each
    evaluation with the best point, what is there, the step that was tried, and whether it led there; if it returns
    words, the search ends with them. last: called with what is at a point and the step from there; if it returns words,
    the search ends with them where the step leads to, which is not evaluated.
    """
    lower, upper = bounds
    u, here = start, evaluate(start, start)
    if here is None:
        return End(start, False, "the start is refused")
    scale = np.where(here.lengths > 0.0, here.lengths, 1.0)
    steep, damping, evaluations = tolerances.slope * radius**2, 0.0, 1
    last_step, curved = np.zeros_like(start), 1.0
    while True:
        held = ((u <= lower) & (here.slope > 0.0)) | ((u >= upper) & (here.slope < 0.0))
        if np.abs(here.slope[~held]).max(initial=0.0) <= steep:
            return End(u, True, "no step lowers the loss")
        if evaluations >= limit:
            return End(u, False, f"ended after {limit} evaluations")
        step, damping = _step(here, scale, radius, damping, held, (lower - u, upper - u))
        step = _settled_step(here, step, scale, radius, held, (lower - u, upper - u))
        promised = here.expected(np.zeros_like(step))[1] - here.expected(step)[1]
        if curved < 1.0 and damping == 0.0 and promised < LITTLE * here.cost:
            step, promised = _longer(here, step, promised, last_step, curved, scale, radius, (lower - u, upper - u))
        length = float(np.linalg.norm(scale * step))
        there = np.clip(u + step, lower, upper)
        if not length > 0.0 or np.array_equal(there, u):
            return End(u, True, "a step is too short to change a number")
        if words := last(here, step) if last else None:
            return End(there, True, words)
        found = evaluate(there, u)
        evaluations += 1
        if found is None:
            radius = 0.25 * length
            continue
        gained = here.cost - (found.cost + found.rescaled)
        kept = gained / promised if promised > 0.0 else 0.0
        moved, far = np.linalg.norm(there - u), np.linalg.norm(u - start)
        words = None
        if gained < tolerances.loss * here.cost and kept > 0.25:
            words = "the loss changes no more"
        elif moved < tolerances.step * (tolerances.step + far):
            words = "steps are short"
        wider = 0.25 * length if kept < 0.25 else 2.0 * radius if kept > 0.75 and length > 0.95 * radius else radius
        damping *= radius / wider
        radius = wider
        if gained > 0.0:
            last_step, curved = there - u, 1.0
            if found.rescaled == 0.0 and (squares := float((found.change(last_step) ** 2).sum())) > 0.0:
                curved = max(float((found.slope - here.slope) @ last_step) / squares, 1.0 / LONGER)
            u, here = there, found
            scale = np.maximum(scale, here.lengths)
        if settled:
            words = words or settled(u, here, step, gained > 0.0)
        if words:
            return End(u, True, words)


def _step(
    here: Triangle, scale: Array, radius: float, damping: float, held: NDArray[np.bool_], room: tuple[Array, Array]
) -> tuple[Array, float]:
    """A step (k,) in the region and in the room, and its damping."""
    at, fixed, (lower, upper) = np.zeros(len(scale)), np.zeros(len(scale)), room
    while True:
        left = np.sqrt(max(radius**2 - float(((scale * fixed) ** 2).sum()), (1e-3 * radius) ** 2))
        step, damping = _free_step(here.after(fixed).without(held), np.where(held, 1.0, scale), left, damping)
        step = np.where(held, fixed, step)
        over = ((step < lower) | (step > upper)) & ~held
        if not over.any():
            return step, damping
        # Of several the one that is met first is held: at the bounds of all of them the loss may be higher.
        bound = np.where(step > at, upper, lower)
        share = np.divide(bound - at, step - at, out=np.full(len(at), np.inf), where=over)
        first = share <= share.min()
        at = np.where(first, bound, at + share.min() * (step - at))
        fixed = np.where(first, bound, fixed)
        held = held | first


def _settled_step(
    here: Triangle, step: Array, scale: Array, radius: float, held: NDArray[np.bool_], room: tuple[Array, Array]
) -> Array:
    """The step (k,) in the region and in the room at which the loss is least, if that of some rows is no parabola.
    step: the one at which it would be if it were."""
    if not here.loose:
        return step
    at, first = np.zeros_like(step), here.expected(np.zeros_like(step))[1]
    cost = first
    for _ in range(INNER):
        found = here.expected(step)[1]
        if found >= cost:
            there, _ = here.expected(at, above=True)
            step, _ = _step(there.after(-at), scale, radius, 0.0, held, room)
            found = here.expected(step)[1]
        gained = cost - found
        if gained > 0.0:
            at, cost = step, found
        if gained <= INNER_LOSS * (first - cost):
            break
        there, _ = here.expected(at)
        step, _ = _step(there.after(-at), scale, radius, 0.0, held, room)
    return at if at.any() else step


def _longer(
    here: Triangle, step: Array, promised: float, last: Array, curved: float, scale: Array, radius: float,
    room: tuple[Array, Array],
) -> tuple[Array, float]:  # fmt: skip
    """A step (k,) in the region and in the room, and what it promises. last: the step that led here; the loss curves
    `curved` times as much along it as J^T J says."""

    def change(step: Array) -> Array:
        return here.after(step).residual - here.residual

    along = change(last)
    squares = float(along @ along)
    again = float(along @ change(step)) / max(squares, 1e-300)
    if again < AGAIN:
        return step, promised
    longer = np.clip(step + (1.0 / curved - 1.0) * again * last, *room)
    longer *= min(radius / float(np.linalg.norm(scale * longer)), 1.0)
    found = here.expected(np.zeros_like(step))[1] - here.expected(longer)[1]
    found += (1.0 - curved) * float(along @ change(longer)) ** 2 / squares
    return (longer, found) if found > promised else (step, promised)


def _free_step(here: Triangle, scale: Array, radius: float, damping: float) -> tuple[Array, float]:
    """A step (k,) in the region, and its damping."""

    def at(damping: float) -> tuple[Array, float, float]:
        """The step, its length, and the derivative of that by the damping."""
        solved = here.damped(np.sqrt(damping) * scale)
        step = solved.step
        length = float(np.linalg.norm(scale * step))
        return step, length, -solved.square(scale**2 * step) / max(length, 1e-300)

    step, length, slope = at(LEAST)
    if length <= radius:
        return step, 0.0
    highest = float(np.linalg.norm(here.slope / scale)) / radius
    lowest = max((length - radius) / -slope, LEAST)
    for _ in range(TRIES):
        if not lowest <= damping <= highest:
            damping = max(1e-3 * highest, np.sqrt(lowest * highest))
        step, length, slope = at(damping)
        if abs(length - radius) <= NEAR * radius:
            break
        if length < radius:
            highest = damping
        lowest = max(lowest, damping + (length - radius) / -slope)
        damping += (length - radius) / -slope * length / radius
    return step * min(radius / length, 1.0), damping
