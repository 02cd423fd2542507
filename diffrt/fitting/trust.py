"""What a fit is off by beside a misfit in a few places, such as a highlight: a step to where it would end if it trusted
those less.

Residuals differ in size from place to place. Of all linear estimates the one that weighs pixels by the inverse of their
variance has the least covariance, V (Aitken, On least squares and linear combinations of observations, 1935), and what
is wrong with it is not correlated with its difference to another one. So with the step b from the fit to it, the mean
square of what the fit is off by is

    V + b b^T

(Hausman, Specification tests in econometrics, 1978), and b is known. Nothing has to be guessed of the shape of what the
fit lacks, or of its sign, if it is in a few places only; where residuals are of equal size everywhere, b is next to
zero, and V is the covariance of the fit itself.

How large residuals are around a pixel, D^2 in the mean, is known from many of them, but smooth ones say as much as one.
Taken for one, whose variance is drawn from an inverse gamma distribution, it is Student's with f degrees of freedom and
a scale s, and the inverse variance is to be expected at

    w = (f + 1) / (f s^2 + D^2)

up to a factor. f and s are what make the D of all pixels likeliest (Lange, Little and Taylor, Robust statistical
modeling using the t distribution, 1989). A texture, whose residuals are near to zero in as many places as normal
numbers are, has a large f, and weights that are alike: small residuals at a place are then no sign that the model is
right there. Beside a spot f is one or two. Each D counts by what its pixel says of the numbers, so that a large
background that says nothing does not tell what is large on an object.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diffrt.fitting.scatter import Field, squares_around
from diffrt.fitting.triangle import FLAT, Fold, Layout, Triangle, folded
from diffrt.types import Array

ROUNDS = 4
"""Of weights and steps. The weights follow from the residuals after the last step."""

FREEDOMS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 8.0, 16.0, 32.0)
"""Degrees of freedom that are tried, beside those of normal residuals."""

SCALES = 100
"""Rounds in which the scale is found."""

CLASSES = 400
"""Into so many classes of equal ratio sizes are sorted."""


@dataclass(frozen=True)
class Trusted:
    """A fit whose pixels are weighted. fields: residuals and Jacobians, times the root of w. triangle: of these. step:
    b, (k,), from a fit of equal weights."""

    fields: tuple[Field, ...]
    triangle: Triangle
    step: Array


def trusted(
    layout: Layout, views: Mapping[str, NDArray[np.intp]], fields: Sequence[Field], held: NDArray[np.bool_]
) -> Trusted | None:
    """Where a fit would end if it trusted pixels by how far those around are off. None if it trusts them alike, as
    residuals are normal.

    views: their names, and where their own coordinates are, then the shared ones. fields: what each leaves behind.
    held: coordinates at a bound, (k,).
    """
    found = triangle_of(layout, rows_of_all(views, fields))
    # Where blocks of pixels stand for them (`scatter.py`), a fit of these does not end where that of the pixels does.
    alike = gauss_newton(found, held)
    lengths = np.where(found.lengths > 0.0, found.lengths, 1.0)
    says = [(field.jacobian**2 / lengths[field.at] ** 2).sum((-1, -2)) for field in fields]
    left, step = [field.residual for field in fields], alike
    roots: list[Array] = []
    for _ in range(ROUNDS):
        squares = [squares_around(off, field.counted) for off, field in zip(left, fields, strict=True)]
        typical = _typical(*(np.concatenate([part.ravel() for part in parts]) for parts in (squares, says)))
        if not roots and np.isinf(typical):
            return None
        roots = [1.0 / np.sqrt(1.0 + s / typical) for s in squares]
        rows = zip(rows_of_all(views, fields), roots, strict=True)
        found = triangle_of(layout, ((view, own * root[..., None, None]) for (view, own), root in rows))
        step = gauss_newton(found, held)
        left = [field.residual + field.jacobian @ step[field.at] for field in fields]
    weighted = tuple(
        replace(
            field, residual=off * root[..., None], jacobian=field.jacobian * root[..., None, None],
            finer=(field.finer + off - field.residual) * root[..., None],
        )
        for field, off, root in zip(fields, left, roots, strict=True)
    )  # fmt: skip
    return Trusted(weighted, found, step - alike)


def rows_of_all(views: Mapping[str, NDArray[np.intp]], fields: Sequence[Field]) -> Iterator[tuple[str, Array]]:
    """[J r] of each view by its own coordinates, then the shared ones, (height, width, 3, k + s + 1), one at a time."""
    for (view, at), field in zip(views.items(), fields, strict=True):
        order = {int(place): column for column, place in enumerate(at)}
        rows = np.zeros((*field.residual.shape, len(at) + 1))
        rows[..., [order[int(place)] for place in field.at]] = field.jacobian
        rows[..., -1] = field.residual
        yield view, rows


def triangle_of(layout: Layout, rows: Iterable[tuple[str, Array]]) -> Triangle:
    """R of [J r] of all views, by their names, each (..., k + s + 1)."""
    return Triangle.joined(layout, (_fold(view, own.reshape(-1, own.shape[-1])) for view, own in rows))


def gauss_newton(triangle: Triangle, held: NDArray[np.bool_]) -> Array:
    """The Gauss-Newton step, (k,). What is held, or does nothing, does not move."""
    free = triangle.without(held)
    still = held | (free.lengths == 0.0)
    return free.damped(np.where(still, 1.0, FLAT * free.lengths)).step


def _fold(view: str, rows: Array) -> Fold:
    found = folded(rows)
    size = rows.shape[1]
    return Fold(view, np.concatenate([found, np.zeros((size - len(found), size))]), 0, 0.0)


def _typical(squares: Array, says: Array) -> float:
    """f s^2 by D^2 of all pixels and how much each says, (n,). Infinite if residuals are normal."""
    from scipy.special import gammaln

    some = (squares > 0.0) & (says > 0.0)
    if not some.any():
        return np.inf
    count, edges = np.histogram(np.log(squares[some]), CLASSES, weights=says[some] / says[some].sum())
    x = np.exp(0.5 * (edges[1:] + edges[:-1]))
    scale = float(count @ x)
    best, found = -0.5 - 0.5 * np.log(2.0 * np.pi * scale), np.inf
    for f in FREEDOMS:
        for _ in range(SCALES):
            scale *= float(count @ ((f + 1.0) * x / (f * scale + x)))
        likelihood = gammaln(0.5 * f + 0.5) - gammaln(0.5 * f) - 0.5 * np.log(np.pi * f * scale)
        likelihood -= 0.5 * (f + 1.0) * float(count @ np.log1p(x / (f * scale)))
        if likelihood > best:
            best, found = likelihood, f * scale
    return found
