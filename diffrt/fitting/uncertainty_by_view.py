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
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from diffrt.fitting.bias import biases
from diffrt.fitting.scatter import Field, meat_of, scatter
from diffrt.fitting.triangle import FLAT, Triangle
from diffrt.fitting.trust import trusted
from diffrt.fitting.uncertainty import Trust, Uncertainty, uncertainty
from diffrt.fitting.variables import Variables
from diffrt.types import Array

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
    robust: bool = False,
) -> Uncertainty:
    """How sure numbers are.

    triangle: at u. fields: what each view leaves behind, and views: its name. block: pixels a side that are one there.
    held: coordinates at a bound, (k,). few: what `few.py` adds to the covariance of the own coordinates of each view.
    robust: whether the loss has trusted pixels less that are far off.
    Correlations between numbers of different views are nan.
    """
    shared = triangle.layout.shared
    # Under the name of no view are the coordinates that all share.
    none = np.zeros(0, np.intp)
    places = {view: np.concatenate([variables.places.get(view, none) if view else none, shared]) for view in views}
    plain = _Pulls(triangle, dict(zip(views, fields, strict=True)), places, block, held)
    again, step = plain, None
    found_again = None if robust else trusted(triangle.layout, places, fields, held)
    if found_again is not None:
        again = _Pulls(found_again.triangle, dict(zip(views, found_again.fields, strict=True)), places, block, held)
        step = found_again.step
    bias = biases(triangle.layout, places, list(again.fields.values()), block, held).of_views()
    free = int((~held).sum())
    found: dict[str, Uncertainty] = {}
    for view, added in zip(views, few, strict=True):
        if len(places[view]) == len(shared):
            continue
        mine, at = variables.seen_by(view)
        jacobian, residual = plain.of(view)
        weighted = again.of(view)[0]
        seen, pulled = plain.seen, replace(again.seen, meat=again.meat(view))
        trust = None if step is None else Trust(weighted, step[at], lambda _, pulled=pulled: pulled)  # type: ignore[misc]
        found[view] = uncertainty(
            jacobian, residual, mine.labels, held[at], triangle.count - free + int((~held[at]).sum()),
            mine.slopes(u[at]), mine.components,
            lambda _, seen=seen if trust else pulled: seen,  # type: ignore[misc]
            bias(view, at), trust, np.pad(added, (0, len(shared))),
        )  # fmt: skip
    return _joined(found, variables)


class _Pulls:
    """What pulls at the numbers of each view.

    triangle: at u. fields: what each view leaves behind. places: where its own coordinates are, then the shared ones.
    seen: how residuals scatter, with S of the shared coordinates when those of the views have given way.
    """

    def __init__(
        self, triangle: Triangle, fields: Mapping[str, Field], places: Mapping[str, NDArray[np.intp]], block: int,
        held: NDArray[np.bool_],
    ):  # fmt: skip
        self.fields, self._block, self._held, self._squares = fields, block, held, triangle.squares
        self._solved = solved = triangle.without(held).damped(held.astype(float))
        self._shared = shared = triangle.layout.shared
        self._places, self._gives, reduced = places, {}, []
        for view, field in fields.items():
            own, rows = places[view][: len(places[view]) - len(shared)], solved.rows_of(view)
            mine, others = rows[:, : len(own)], rows[:, len(own) : -1]
            self._gives[view] = -_pseudo(mine) @ others
            reduced.append(_reduced(_placed(field, places[view]), self._gives[view], _inverse(mine, held[own])))
        across = solved.shared[:, :-1]
        if len(shared):
            self.seen = scatter(reduced, _inverse(across, held[shared]), across.T @ across, block)
        else:
            self.seen = scatter(reduced, np.zeros((1, 1)), np.zeros((1, 1)), block)

    def of(self, view: str) -> tuple[Array, Array]:
        """J' and r of a view, (m, k) and (m,)."""
        return self._solved.of_view(view, self._squares, self._held)

    def meat(self, view: str) -> Array:
        """S of a view's own coordinates and the shared ones, (k, k)."""
        jacobian, give, s = self.of(view)[0], self._gives[view], len(self._shared)
        local = _placed(self.fields[view], self._places[view])
        meat = meat_of(local, self.seen, self._block, jacobian.T @ jacobian)
        k = len(meat) - s
        both = meat[:k, k:] + meat[:k, :k] @ give
        meat[k:, k:] = self.seen.meat[:s, :s] - both.T @ give - give.T @ both + give.T @ meat[:k, :k] @ give
        return meat


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


def _reduced(field: Field, give: Array, own: Array) -> Field:
    """A field by its own coordinates, (m,), and by what those leave of the shared ones; a column of zeros if there are
    none. give: (m, s). own: (J_o^T J_o)^-1."""
    mine, others = np.split(field.jacobian, [len(own)], -1)
    others = others + mine @ give if give.shape[1] else np.zeros((*mine.shape[:3], 1))
    return replace(field, jacobian=np.concatenate([mine, others], -1), at=np.arange(others.shape[-1]), own=own)


def _pseudo(matrix: Array) -> Array:
    """The inverse, where columns have length one; of what is flat, none."""
    length = np.linalg.norm(matrix, axis=0)
    length[length == 0.0] = 1.0
    return np.asarray(np.linalg.pinv(matrix / length, rcond=FLAT) / length[:, None])


def _inverse(matrix: Array, held: NDArray[np.bool_]) -> Array:
    """Of M^T M, and zero for what is held, (n,)."""
    half = _pseudo(matrix)
    half[held] = 0.0
    return np.asarray(half @ half.T)
