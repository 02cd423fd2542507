"""A linear least-squares problem up to rotation: R of [J r] = Q R, an arrow where parameters belong to views.

|J p + r| = |R_J p + R_r| for every step p, where R_J are the first columns of R and R_r is the last. With parameters
that belong to one view beside shared ones, J is an arrow: the rows of a view have entries in its own columns and in the
shared ones only. Each view folds its own (own, shared, r) columns into a triangle by QR,

    own     shared     r
    T_v     S_v        t_v      k_v rows: they determine the own step, once the shared one is known
    0       R_v        r_v      the rest, which knows nothing of what is the view's own

and the rests of all views are folded into one triangle of the shared parameters. So the work and what is kept are
linear in the number of views (Golub and Pereyra, 2003, for separable problems; Bjorck, Numerical Methods for Least
Squares Problems, 1996, section 6.3, for block angular ones).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.fitting.loose import Loose
from diffrt.fitting.spread import NO_SIZES, Sizes, spread_of_all
from diffrt.fitting.variables import Variables
from diffrt.types import Array

NOTHING = 1e-13
"""A column of J that is shorter than this part of the longest is what rounding leaves of zero."""

FLAT = 1e-7
"""With columns of length one, a singular value is zero if it is smaller than this part of the largest."""

ROWS = 2048
"""Rows that are folded at a time: as many as the processor's cache holds."""

ALONE = 8000
"""Numbers up to which a QR decomposition of few columns runs in one thread. OpenBLAS shares out the work on more of
them column by column, and then its threads do little but wait for each other."""


@dataclass(frozen=True)
class Layout:
    """Which coordinates are whose. shared: (s,). groups: of views with equally many own coordinates, their names and
    where these coordinates are, (V, k)."""

    size: int
    shared: NDArray[np.intp]
    groups: tuple[tuple[tuple[str, ...], NDArray[np.intp]], ...]

    @classmethod
    def of(cls, variables: Variables) -> "Layout":
        """That of the coordinates of a fit."""
        own = {view: at for view, at in variables.places.items() if view}
        groups = []
        for count in sorted({len(at) for at in own.values()}):
            names = tuple(view for view, at in own.items() if len(at) == count)
            groups.append((names, np.array([own[name] for name in names])))
        return cls(sum(f.size for f in variables.free), variables.places[""], tuple(groups))

    @cached_property
    def place(self) -> dict[str, tuple[int, int]]:
        """Of each view with own coordinates: its group, and its number there."""
        return {name: (g, v) for g, (names, _) in enumerate(self.groups) for v, name in enumerate(names)}

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of the rows of each group, and of the shared ones."""
        s = len(self.shared)
        return [(*at.shape, at.shape[1] + s + 1) for _, at in self.groups] + [(s + 1, s + 1)]

    @property
    def count(self) -> int:
        """How many numbers a triangle is made of."""
        return sum(int(np.prod(shape)) for shape in self.shapes) + 7


@dataclass(frozen=True)
class Fold:
    """What is left of [J r] of one view. folded: R, (k + s + 1, k + s + 1), own columns first. count: how many
    residuals say something. cost: the loss. rescaled: how much more a robust one would be with the scale that it had
    before. sizes: of the differences under it. size: how many pixel values are compared. power: what the sum of their
    squares would be of a black image. loose: rows of a robust loss that are not folded."""

    view: str
    folded: Array
    count: int
    cost: float
    rescaled: float = 0.0
    sizes: Sizes = NO_SIZES
    size: int = 0
    power: float = 0.0
    loose: Loose | None = None


@dataclass(frozen=True)
class Triangle:
    """R of [J r] = Q R.

    own: for each group of the layout the rows of its views, (V, k, k + s + 1). shared: the rows of the shared
    coordinates, (s + 1, s + 1). count: how many residuals say something. cost: the loss, the sum of the squares of all
    residuals. rescaled: how much more a robust loss would be with the scale that it had before. spread: of the
    differences under it, the standard deviation that most of them suggest. size: how many pixel values are compared.
    power: what the sum of their squares would be of a black image. firm: without the loose rows, if there are any;
    loose: these.
    """

    layout: Layout
    own: tuple[Array, ...]
    shared: Array
    count: int
    cost: float
    rescaled: float = 0.0
    spread: float = 0.0
    size: int = 0
    power: float = 0.0
    firm: "Triangle | None" = None
    loose: tuple[Loose, ...] = ()

    @classmethod
    def joined(cls, layout: Layout, folds: Iterable[Fold]) -> "Triangle":
        """That of all views."""
        place = layout.place
        *shapes, last = layout.shapes
        own, shared, rests, count, cost = tuple(map(np.zeros, shapes)), np.zeros((0, last[1])), [], 0, 0.0
        rescaled, sizes, size, power, loose = 0.0, [], 0, 0.0, []
        for fold in folds:
            k = 0
            if fold.view in place:
                g, v = place[fold.view]
                k = own[g].shape[1]
                own[g][v] = fold.folded[:k]
            rests.append(fold.folded[k:, k:])
            count, cost = count + fold.count, cost + fold.cost
            rescaled += fold.rescaled
            sizes.append(fold.sizes)
            size, power = size + fold.size, power + fold.power
            loose += [fold.loose] if fold.loose else []
            if sum(map(len, rests)) > ROWS:
                shared, rests = folded(np.concatenate([shared, *rests])), []
        shared = square(folded(np.concatenate([shared, *rests])))
        firm = cls(layout, own, shared, count, cost, rescaled, spread_of_all(sizes), size, power)
        return firm._whole(tuple(loose))

    @classmethod
    def unpacked(cls, layout: Layout, numbers: Array, loss: str = "squared", views: Sequence[str] = ()) -> "Triangle":
        """The inverse of `packed`. loss, views: of the fit; robust ones have loose rows. More numbers may follow."""
        *parts, last = np.split(numbers, np.cumsum([int(np.prod(shape)) for shape in layout.shapes]))
        *own, shared = (part.reshape(shape) for part, shape in zip(parts, layout.shapes, strict=True))
        count, cost, rescaled, spread, size, power, some = map(float, last[:7])
        firm = cls(layout, tuple(own), shared, int(count), cost, rescaled, spread, int(size), power)
        rest, loose = last[7:], []
        for view in views if some else ():
            one, rest = Loose.unpacked(view, loss, rest)
            loose.append(one)
        return firm._whole(tuple(loose))

    @property
    def packed(self) -> Array:
        """All of it as numbers (layout.count,), and more if there are loose rows."""
        firm = self.firm or self
        last = [self.count, self.cost, self.rescaled, self.spread, self.size, self.power, bool(self.loose)]
        loose = [one.packed for one in self.loose]
        return np.concatenate([*(rows.ravel() for rows in firm.own), firm.shared.ravel(), last, *loose])

    def expected(self, step: Array, above: bool = False) -> tuple["Triangle", float]:
        """What is to be expected after a step p (k,): the triangle, and the loss up to a constant. Of loose rows the
        loss is what it will be there. above: whether their parabola is the one above it."""
        there = (self.firm or self).after(step)
        if not self.loose:
            return there, there.squares
        steps = [(one, step[self._columns(one.view)]) for one in self.loose]
        cost = there.squares + float(np.sum([one.cost(own) for one, own in steps]))
        found = there._with([(one.view, one.bent(own, above)) for one, own in steps])
        return found.without(self.lengths == 0.0), cost

    def _whole(self, loose: tuple[Loose, ...]) -> "Triangle":
        """With loose rows, and without columns that are zero but for rounding."""
        found = self
        if loose:
            found = replace(self._with([(one.view, one.bent()) for one in loose]), firm=self, loose=loose)
        nothing = found.lengths <= NOTHING * found.lengths.max(initial=0.0)
        return found.without(nothing) if nothing.any() else found

    def _with(self, rows_of_views: Sequence[tuple[str, Array]]) -> "Triangle":
        """With rows [J r] of views, by their own coordinates, then the shared ones."""
        own, rests = [rows.copy() for rows in self.own], [self.shared]
        place = self.layout.place
        for view, rows in rows_of_views:
            k = 0
            if view in place:
                g, v = place[view]
                k = own[g].shape[1]
                rows = square(folded(np.concatenate([own[g][v], rows])))
                own[g][v] = rows[:k]
            rests.append(rows[k:, k:])
        return replace(self, own=tuple(own), shared=square(folded(np.concatenate(rests))))

    def _columns(self, view: str) -> NDArray[np.intp]:
        """Where the coordinates of a view are, its own, then the shared ones."""
        if view not in self.layout.place:
            return self.layout.shared
        g, v = self.layout.place[view]
        return np.append(self.layout.groups[g][1][v], self.layout.shared)

    @cached_property
    def jacobian(self) -> Array:
        """J up to rotation, (k + 1, k)."""
        found = np.zeros((self.layout.size + 1, self.layout.size))
        first = 0
        for (_, places), rows in zip(self.layout.groups, self.own, strict=True):
            for at, own in zip(places, rows, strict=True):
                found[first : first + len(at), np.append(at, self.layout.shared)] = own[:, :-1]
                first += len(at)
        found[first:, self.layout.shared] = self.shared[:, :-1]
        return found

    @property
    def residual(self) -> Array:
        """r up to the same rotation, (k + 1,)."""
        return np.concatenate([*(rows[..., -1].ravel() for rows in self.own), self.shared[:, -1]])

    @property
    def squares(self) -> float:
        """|r|^2."""
        return float(self.residual @ self.residual)

    @cached_property
    def lengths(self) -> Array:
        """Of the columns of J, (k,)."""
        return np.sqrt(self._gathered(lambda columns, _: columns**2))

    @cached_property
    def slope(self) -> Array:
        """J^T r, (k,)."""
        return self._gathered(lambda columns, r: columns * r)

    def after(self, step: Array) -> "Triangle":
        """That of r + J p, for a step p (k,)."""
        own, shared = [], self.shared.copy()
        for (_, at), rows in zip(self.layout.groups, self.own, strict=True):
            own.append(rows.copy())
            own[-1][..., -1] += (rows[..., :-1] @ self._both(step, at)[..., None])[..., 0]
        shared[:, -1] += shared[:, :-1] @ step[self.layout.shared]
        return replace(self, own=tuple(own), shared=shared)

    def change(self, step: Array) -> Array:
        """How much a step p (k,) changes the residuals: |J p| of the rows of each view, and of the shared ones."""
        there = self.after(step)
        views = [np.linalg.norm((b - a)[..., -1], axis=1) for a, b in zip(self.own, there.own, strict=True)]
        return np.concatenate([*views, [np.linalg.norm((there.shared - self.shared)[:, -1])]])

    def without(self, which: NDArray[np.bool_]) -> "Triangle":
        """With zeros in the columns of some coordinates, (k,)."""
        own, shared = [], self.shared.copy()
        for (_, at), rows in zip(self.layout.groups, self.own, strict=True):
            own.append(rows.copy())
            own[-1][..., :-1] *= ~self._both(which, at)[:, None]
        shared[:, :-1][:, which[self.layout.shared]] = 0.0
        return replace(self, own=tuple(own), shared=shared)

    def damped(self, damping: Array) -> "Damped":
        """R of J and r with a row below for each coordinate, that is `damping` (k,) times its step."""
        k_of = [at.shape[1] for _, at in self.layout.groups]
        own, rests = [], [self.shared]
        for (_, at), rows, k in zip(self.layout.groups, self.own, k_of, strict=True):
            below = np.zeros_like(rows)
            below[:, range(k), range(k)] = damping[at]
            found = np.asarray(np.linalg.qr(np.concatenate([rows, below], 1), mode="r"))
            own.append(found[:, :k])
            rests.append(found[:, k:, k:].reshape(-1, rows.shape[2] - k))
        shared = self.shared
        below = np.zeros((len(self.layout.shared), shared.shape[1]))
        np.fill_diagonal(below, damping[self.layout.shared])
        return Damped(self.layout, tuple(own), square(folded(np.concatenate([*rests, below]))))

    def _gathered(self, of: Callable[[Array, Array], Array]) -> Array:
        """For each coordinate the sum over the rows of a function of its column and of r, (k,)."""
        found = np.zeros(self.layout.size)
        for (_, at), rows in zip(self.layout.groups, self.own, strict=True):
            sums = of(rows[..., :-1], rows[..., -1:]).sum(1)
            found[at] = sums[:, : at.shape[1]]
            found[self.layout.shared] += sums[:, at.shape[1] :].sum(0)
        found[self.layout.shared] += of(self.shared[:, :-1], self.shared[:, -1:]).sum(0)
        return found

    def _both(self, values: NDArray[Any], at: NDArray[np.intp]) -> NDArray[Any]:
        """Those of each view of a group with the shared ones, (V, k + s)."""
        shared = values[self.layout.shared]
        return np.concatenate([values[at], np.broadcast_to(shared, (len(at), len(shared)))], 1)


@dataclass(frozen=True)
class Damped:
    """A triangle that can be solved: own (V, k, k + s + 1) for each group, and shared (s + 1, s + 1)."""

    layout: Layout
    own: tuple[Array, ...]
    shared: Array

    def rows_of(self, view: str) -> Array:
        """Those of a view, (k, k + s + 1); none if it has no own coordinates."""
        for (names, _), own in zip(self.layout.groups, self.own, strict=True):
            if view in names:
                return np.asarray(own[names.index(view)])
        return np.zeros((0, self.shared.shape[1]))

    def of_view(self, view: str, squares: float, known: NDArray[np.bool_]) -> tuple[Array, Array]:
        """J and r as far as a view knows of its own coordinates and the shared ones, in this order, when those of the
        other views are what suits best. squares: |r|^2. known: coordinates, (k,), that are not asked for."""
        rows = self.rows_of(view)
        k = len(rows)
        rest = squares - float(rows[:, -1] @ rows[:, -1]) - float(self.shared[:, -1] @ self.shared[:, -1])
        last = np.zeros((1, k + self.shared.shape[1]))
        last[0, -1] = np.sqrt(max(rest, 0.0))
        matrix = np.concatenate([rows, np.pad(self.shared, ((0, 0), (k, 0))), last])
        own = [at[names.index(view)] for names, at in self.layout.groups if view in names]
        matrix[:, :-1][:, known[np.concatenate([*own, self.layout.shared]).astype(int)]] = 0.0
        return matrix[:, :-1], matrix[:, -1]

    @property
    def step(self) -> Array:
        """The p (k,) with the least |J p + r|^2 + |damping p|^2: of the shared coordinates first, then each view's."""
        found = np.zeros(self.layout.size)
        across = -_solved(self.shared[:-1, :-1], self.shared[:-1, -1])
        found[self.layout.shared] = across
        for (_, at), rows in zip(self.layout.groups, self.own, strict=True):
            k = at.shape[1]
            right = rows[..., -1] + rows[..., k:-1] @ across
            found[at] = -np.linalg.solve(rows[..., :k], right[..., None])[..., 0]
        return found

    def square(self, w: Array) -> float:
        """w^T (J^T J + damping^2)^-1 w, for w (k,): with R^T R for the matrix, the square of R^-T w."""
        total, right = 0.0, w[self.layout.shared]
        for (_, at), rows in zip(self.layout.groups, self.own, strict=True):
            k = at.shape[1]
            own = np.linalg.solve(rows[..., :k].swapaxes(1, 2), w[at][..., None])
            total += float((own**2).sum())
            right = right - (rows[..., k:-1].swapaxes(1, 2) @ own).sum(0)[:, 0]
        across = _solved(self.shared[:-1, :-1], right, transposed=True)
        return total + float(across @ across)


def folded(rows: Array) -> Array:
    """R of rows (m, n), at most n rows: part after part."""
    columns = rows.shape[1]
    most = ALONE // columns - columns
    most = most if most >= 4 * columns else ROWS
    found = rows[:0]
    for first in range(0, len(rows), most):
        found = np.asarray(np.linalg.qr(np.concatenate([found, rows[first : first + most]]), mode="r"))
    return found


def square(rows: Array) -> Array:
    """A triangle of at most n rows, (m, n), with rows of zeros below."""
    full = np.zeros((rows.shape[1], rows.shape[1]))
    full[: len(rows)] = rows
    return full


def _solved(upper: Array, right: Array, transposed: bool = False) -> Array:
    """x of upper x = right, or of upper^T x = right, for an upper triangle (s, s)."""
    from scipy.linalg import solve_triangular

    if not len(right):
        return right
    found: Array = solve_triangular(upper, right, trans=int(transposed), check_finite=False)
    return found
