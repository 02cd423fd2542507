"""What a fit is off by that is no scatter of its residuals: where the model, or its image, is wrong at an edge.

Next to an edge of contrast c, such as the outline of a ball, let the model be wrong by m on one side: the rim mirrors
what is not in the scene, or the background is brighter there. A pixel of side w that the edge covers to the part a has
the residual a m, and the derivative c / w by the place of the edge. All along the edge least squares moves it by the
mean of a m, over c / w,

    w m / (2 c)

in one direction, and leaves residuals that are no larger than others. So the patches of `scatter.py` do not see it. But
it grows with the side of the pixels: a fit of the same photographs at half their resolution is off by twice as much,
and its difference to the fit is what the fit itself is off by. One Gauss-Newton step from the fit tells it, by the sums
over all patches of 2 x 2 pixels in place of the pixels.

By noise alone the two differ as well, with the variance V_2 - V_1, V being those of the two by independent residuals,
since the fit is the better one of them (Hausman, Specification tests in econometrics, 1978; patches overlap, so it is a
little less). What is beyond that is of the model, if it is clear (`CLEAR`): else the errors of few pixels would be too
large by half. Numbers that smooth shading tells are alike in both, and gain nothing.

The image itself is no mean over pixels to the last digit: near a rim light falls off as a root of the distance, and
cells are taken as they are where little of a pixel may be wrong (`tolerance`). All along an outline this is of one sign
too. An image with much smaller cells, at the end of the fit, tells how far it moves the numbers (Stetter, The defect
correction principle and discretization methods, 1978). What is wrong with that one is taken to be less in the ratio of
their sides. It counts if it explains the target better: a target that has come from the same image it does not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diffrt.fitting.residual import FINER
from diffrt.fitting.scatter import Field, patches
from diffrt.fitting.triangle import Layout, Triangle
from diffrt.fitting.trust import gauss_newton, rows_of_all, triangle_of
from diffrt.tracer.renderer import TOLERANCE
from diffrt.types import Array

CLEAR = 2.5
"""How many times what noise explains a difference must be to count."""

DOUBLED = 1
"""The level of the patches whose sides are two pixels."""


@dataclass(frozen=True)
class Bias:
    """How far coordinates (k,) move if the image is `finer`, and if pixels are larger by one, `coarser`. of_patches: J
    of twice the side, up to rotation, (m, k)."""

    finer: Array
    coarser: Array
    of_patches: Array


@dataclass(frozen=True)
class Biases:
    """Those of all coordinates of a fit, (k,). doubled: the triangle of patches."""

    finer: Array
    coarser: Array
    doubled: Triangle
    held: NDArray[np.bool_]

    @property
    def all(self) -> Bias:
        """Of a fit without parameters of single views."""
        return Bias(self.finer, self.coarser, self.doubled.without(self.held).jacobian)

    def of_views(self) -> Callable[[str, NDArray[np.intp]], Bias]:
        """For the name of a view, and where its coordinates and the shared ones are, those of them."""
        solved = self.doubled.without(self.held).damped(self.held.astype(float))

        def of(view: str, at: NDArray[np.intp]) -> Bias:
            return Bias(self.finer[at], self.coarser[at], solved.of_view(view, 0.0, self.held)[0])

        return of


def biases(
    layout: Layout, views: Mapping[str, NDArray[np.intp]], fields: Sequence[Field], block: int,
    held: NDArray[np.bool_],
) -> Biases:  # fmt: skip
    """What a fit is off by.

    views: their names, and where their own coordinates are, then the shared ones. fields: what each leaves behind.
    block: pixels a side that are one there. held: coordinates at a bound, (k,).
    """

    def doubled(rows: Array) -> Array:
        return patches(rows.reshape(*rows.shape[:2], -1), DOUBLED).reshape(-1, rows.shape[-1])

    here = triangle_of(layout, rows_of_all(views, fields))
    there = triangle_of(layout, rows_of_all(views, [replace(field, residual=field.finer) for field in fields]))
    two = triangle_of(layout, ((view, doubled(rows)) for view, rows in rows_of_all(views, fields)))
    step, step_there, step_two = (gauss_newton(triangle, held) for triangle in (here, there, two))
    better = there.after(step_there).squares < here.after(step).squares
    beyond = 1.0 / (1.0 - np.sqrt(FINER / TOLERANCE))
    return Biases(beyond * (step_there - step) * better, (step_two - step) / block, two, held)
