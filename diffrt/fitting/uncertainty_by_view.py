"""How sure a fit is whose parameters belong to views: as `uncertainty.py`, view by view, so that the work is linear in
their number.

With the own parameters of all other views eliminated, a view's own step and the shared one solve the triangle of

    J'  =  T_v  S_v        T_v, S_v, R of `triangle.py`
           0    R

What pulls at them are the sums g_v of the view, and for the shared ones, of each view w, h_w = g_w's + G_w^T g_w with
G_w = -T_w^-1 S_w: what is left of its pull when its own parameters give way. That is the gradient of residuals whose
Jacobian by the shared parameters is J_w's + J_w G_w, a small one, of which `scatter.py` finds the covariance H of the
sum of all h_w, and how the residuals scatter; that gives S of each view by itself. With B = S_vs + S_vv G_v, the
covariance of g_v and h_v, what J' needs is

    S_vv     S_vs
    S_vs^T   H - B^T G_v - G_v^T B + G_v^T S_vv G_v
"""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from diffrt.fitting.bias import biases
from diffrt.fitting.scatter import Field, meat_of, scatter
from diffrt.fitting.triangle import FLAT, Triangle
from diffrt.fitting.uncertainty import Uncertainty, uncertainty
from diffrt.fitting.variables import Variables

Array = NDArray[np.float64]

MOST_CORRELATED = 1024
"""Of more numbers no correlations are given."""


def uncertainty_by_view(
    triangle: Triangle,
    fields: Sequence[Field],
    views: Sequence[str],
    block: int,
    variables: Variables,
    u: Array,
    held: NDArray[np.bool_],
    few: Sequence[Array],
) -> Uncertainty:
    """How sure numbers are.

    few: what `few.py` adds to the covariance of the own coordinates of each view. triangle: at u. fields: what each
    view leaves behind, and views: its name. block: pixels a side that are one there. held: coordinates at a bound,
    (k,).
    Correlations between numbers of different views are nan.
    """
    shared = triangle.layout.shared
    solved = triangle.without(held).damped(held.astype(float))
    across = _inverse(solved.shared[:, :-1])
    # Under the name of no view are the coordinates that all share.
    none = np.zeros(0, np.intp)
    own = {view: variables.places.get(view, none) if view else none for view in views}
    gives = {view: -_pseudo(solved.rows_of(view)[:, : len(own[view])]) @ solved.rows_of(view)[:, len(own[view]) : -1]
             for view in views}  # fmt: skip
    local = {view: _placed(f, np.concatenate([own[view], shared])) for view, f in zip(views, fields, strict=True)}
    reduced = [
        replace(f, jacobian=f.jacobian[..., len(own[view]) :] + f.jacobian[..., : len(own[view])] @ gives[view],
                at=np.arange(len(shared)))
        for view, f in local.items()
    ]  # fmt: skip
    if not len(shared):  # then nothing is known of them, but how they scatter
        reduced = [replace(f, jacobian=np.zeros((*f.residual.shape, 1)), at=np.arange(1)) for f in reduced]
    bread = solved.shared[:, :-1].T @ solved.shared[:, :-1] if len(shared) else np.zeros((1, 1))
    seen = scatter(reduced, across if len(shared) else np.zeros((1, 1)), bread, block)
    pull = seen.meat[: len(shared), : len(shared)]
    free = int((~held).sum())
    places = {view: np.concatenate([own[view], shared]) for view in views}
    bias = biases(triangle.layout, places, fields, block, held).of_views()
    found: dict[str, Uncertainty] = {}
    for view, added in zip(views, few, strict=True):
        k = len(own[view])
        if not k:
            continue
        jacobian, residual = solved.of_view(view, triangle.squares, held)
        meat = meat_of(local[view], seen, block, jacobian.T @ jacobian)
        give, both = gives[view], meat[:k, k:] + meat[:k, :k] @ gives[view]
        meat[k:, k:] = pull - both.T @ give - give.T @ both + give.T @ meat[:k, :k] @ give
        mine, at = variables.seen_by(view)
        found[view] = uncertainty(
            jacobian, residual, mine.labels, held[at], triangle.count - free + int((~held[at]).sum()),
            mine.slopes(u[at]), mine.components, lambda _, meat=meat: replace(seen, meat=meat),  # type: ignore[misc]
            bias(view, at), np.pad(added, (0, len(shared))),
        )  # fmt: skip
    return _joined(found, variables)


def _joined(found: dict[str, Uncertainty], variables: Variables) -> Uncertainty:
    """That of all views together."""
    places = variables.number_places
    count = sum(map(len, places.values()))
    stderr = np.full(count, np.nan)
    correlation = np.full((count, count), np.nan) if count <= MOST_CORRELATED else np.zeros((0, 0))
    for view, sure in found.items():
        at = np.concatenate([places[view], places[""]])
        # What one view cannot tell from a shared number, nobody can.
        stderr[at] = np.where(np.isinf(stderr[at]), np.inf, sure.stderr)
        if len(correlation):
            correlation[np.ix_(at, at)] = sure.correlation
    return replace(
        next(iter(found.values())), stderr=stderr, correlation=correlation, warnings=_told(found),
        widened=float(np.median([sure.widened for sure in found.values()])),
        tight=tuple(dict.fromkeys(name for sure in found.values() for name in sure.tight)),
    )  # fmt: skip


def _told(found: dict[str, Uncertainty]) -> tuple[str, ...]:
    """The warnings of all views; what is the same in several is told once."""
    views: dict[str, list[str]] = {}
    for view, sure in found.items():
        for warning in sure.warnings:
            views.setdefault(_bare(warning, view), []).append(view)
    told = []
    for view, sure in found.items():
        for warning in sure.warnings:
            bare = _bare(warning, view)
            alike = views.pop(bare, [])
            if bare == warning or len(alike) == 1:
                told += [warning] if alike else []
            elif alike:
                told.append(f"in {len(alike)} views, such as {view}: {bare}")
    return tuple(told)


def _bare(warning: str, view: str) -> str:
    """A warning without the name of a view, which stands before those of its parameters."""
    return re.sub(rf"(?<![\w.-]){re.escape(view)}\.(?=[A-Za-z_])", "", warning)


def _placed(field: Field, at: NDArray[np.intp]) -> Field:
    """A field with a column for each of some coordinates, in this order."""
    jacobian = np.zeros((*field.residual.shape, len(at)))
    order = {int(place): index for index, place in enumerate(at)}
    jacobian[..., [order[int(place)] for place in field.at]] = field.jacobian
    return replace(field, jacobian=jacobian, at=np.arange(len(at)))


def _pseudo(matrix: Array) -> Array:
    """The inverse, where columns have length one; of what is flat, none."""
    length = np.linalg.norm(matrix, axis=0)
    length[length == 0.0] = 1.0
    return np.asarray(np.linalg.pinv(matrix / length, rcond=FLAT) / length[:, None])


def _inverse(matrix: Array) -> Array:
    """Of M^T M."""
    half = _pseudo(matrix)
    return np.asarray(half @ half.T)
