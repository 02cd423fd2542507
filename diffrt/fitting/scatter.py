"""How residuals scatter: over which distances they hang together, and what that does to the numbers of a fit.

A photograph's residuals are no independent noise. Its noise is smoothed by the camera, gray ones have three equal
channels, and what the model cannot say (a highlight, a texture) is a patch of one sign, which pulls at the numbers as
many independent pixels would not. So residuals e are taken for a sum of independent fields, one for each of several
sizes w = 1, 2, 4, ... of patches, and for each way in which colours and views share them:

    covariance of e = sum over c of a_c D T_c D,    T_c = B_c B_c^T

B_c has a column for each patch of w x w pixels, at every half of w, which is 1/2 within it (each pixel is in four), and
D is how large residuals are around a pixel. Any such sum with a_c >= 0 is a covariance. The a_c follow from the squares
of the sums over all patches, q_c = |B_c^T D e|^2. A fit takes a part of the residuals away, e = M n with M = I - J C
J^T, C = (J^T J)^-1, and most of what is smooth. So what they are expected to be is

    q_c' = sum over c of E_c'c a_c,    E_c'c = |B_c'^T D M D B_c|^2

which is solved for a >= 0 (Rao, Estimation of variance and covariance components - MINQUE theory, 1971). Independent
residuals of equal size make it the textbook's |e|^2 / (m - k).

What is as smooth as the object itself, such as the darker corners of a photograph, a fit takes for its own numbers, and
next to nothing of it is left to measure. But misfits that are smooth do not end at half of an object: where much of the
sums over the largest patches that are measured is of a_c of their own, still larger ones are taken to have as much; not
if all of it is in one place, such as a highlight. The covariance of the numbers is then C S C with S = sum
of a_c X_c^T X_c and X_c = B_c^T D J (White, A heteroskedasticity-consistent covariance matrix estimator, 1980; Conley,
GMM estimation with cross sectional dependence, 1999).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.types import Array

AROUND = 5
"""Pixels a side of the neighbourhood in which the size of residuals is measured."""

FAINT = 1e-3
"""Residuals are taken for at least this part of their root mean square everywhere."""

HELD = 1 << 21
"""Numbers of a Jacobian that are held of a view. Of larger ones the means of blocks of pixels are."""

LARGER = 1
"""Sizes of patches beyond those that are measured, whose largest is half of what is seen: the last one is all of it."""

SURE, MUCH = 2.0, 0.4
"""A variance is that of a smooth misfit if it makes up so many times what the sum of squares over its patches is
uncertain by, and so large a part of that."""

SPREAD = 2.0
"""It is in more than one place if patches twice as wide hold so many times as many residuals together: up to four."""

COMPARED = 1 << 18
"""Pairs of patches up to which what views that see the same take away is compared. It is no more than a few numbers'
part of all patches, and would be the work of each pair of views otherwise."""

ROUNDS = 4
"""Of solving for the variances, with the weights that the last ones suggest."""


@dataclass(frozen=True)
class Field:
    """What a view leaves behind at the end of a fit.

    residual: (height, width, 3), 0 where it does not count. jacobian: by the coordinates `at`, (height, width, 3, n).
    counted: how much of it does, (height, width, 3). at: (n,). group: views of equal group see the same with the same
    camera. corner: the row and the column of its first pixel in the image of that camera. pixels: the residual of
    single pixels, if the others are those of blocks, nan where it does not count. finer: the residual beside an image
    of much smaller cells, (height, width, 3). own: (J_o^T J_o)^-1, (m, m), of m columns that stand before those of
    `at`: the coordinates of this view alone, to which the others are orthogonal.
    """

    residual: Array
    jacobian: Array
    counted: Array
    at: NDArray[np.intp]
    group: int = 0
    corner: tuple[int, int] = (0, 0)
    pixels: Array = field(default_factory=lambda: np.zeros((0, 0, 3)))
    finer: Array = field(default_factory=lambda: np.zeros((0, 0, 3)))
    own: Array = field(default_factory=lambda: np.zeros((0, 0)))


@dataclass(frozen=True)
class Scatter:
    """How residuals scatter.

    meat: S, (k, k). variance: of one of them. length: over how many pixels they are smooth, 1 if they are independent.
    patches: how many independent ones would say as much as they do. alone: the part of the variance that is of
    single pixels. shares: a_c, by the level of its patches and the way that they are shared, of residuals over `mean`,
    those among them that are not measured.
    """

    meat: Array
    variance: float
    length: float
    patches: float
    alone: float
    shares: Mapping[tuple[int, str], float] = field(default_factory=dict)
    mean: float = 0.0


def scatter(fields: Sequence[Field], covariance: Array, bread: Array, block: int = 1) -> Scatter:
    """How residuals scatter.

    fields: one for each view. covariance: C, (k, k). bread: J^T J, (k, k). block: pixels a side of what the fields hold
    as one.
    """
    weight = float(sum(f.counted.sum() for f in fields))
    mean = float(np.sqrt(sum(float(np.vdot(f.residual, f.residual)) for f in fields) / max(weight, 1.0)))
    size = len(covariance)
    if mean == 0.0 or not size:
        return Scatter(np.zeros((size, size)), 0.0, 1.0, weight, 1.0)
    fields = _aligned(fields, block)
    tallest = max(max(f.counted.shape[:2]) for f in fields)
    measured = max(int(np.log2(tallest)), 1)
    levels = measured + LARGER
    views = [_weighted(f, mean, levels) for f in fields]
    totals = _totals(views, size, levels)
    parts = _components(views, totals, size)
    known = [part for part in parts if part.level < measured]
    expected, found = _moments(known, views, totals, covariance)
    count = np.array([part.count for part in known])
    own = _solved(expected, found, count)
    sure = own * np.diag(expected) > found * np.maximum(SURE * np.sqrt(2.0 / count), MUCH)
    share = _with_larger(own, sure, parts)
    meat = sum((a * part.gram[:-1, :-1] for a, part in zip(share, parts, strict=True)), np.zeros((size, size)))
    if block > 1:
        # What varies within a block is lost in its mean, and noise of single pixels pulls at it too.
        held = np.zeros((size, size))
        for f in fields:
            columns = f.jacobian[..., len(f.own) :].reshape(-1, len(f.at))
            held[np.ix_(f.at, f.at)] += columns.T @ columns
        meat += share[0] * (bread - held)
    sides = np.array([part.side for part in parts], float)
    total = max(float(own.sum()), 1e-300)
    smooth = own * (sides[: len(own)] > 1.0)
    length = float((smooth @ sides[: len(own)]) / smooth.sum()) if smooth.sum() > 1e-3 * total else 1.0
    # The variance of a mean of all residuals, beside that of one.
    together = np.array([part.together for part in parts])
    return Scatter(
        meat * mean**2, total * mean**2, length * (block if length > 1.0 else 1),
        weight * float(share.sum()) / max(float(share @ together), 1e-300), float(share[sides == 1.0].sum()) / total,
        {(part.level, part.way): float(a) for a, part in zip(share, parts, strict=True)}, mean,
    )  # fmt: skip


def meat_of(field: Field, seen: Scatter, block: int, bread: Array) -> Array:
    """S of one view alone, (n, n), if its residuals scatter as those of all views do. bread: its J^T J."""
    size = field.jacobian.shape[-1]
    found = np.zeros((size, size))
    if seen.mean == 0.0:
        return found
    levels = 1 + max(level for level, _ in seen.shares)
    for part in _components([_weighted(field, seen.mean, levels)], {}, size):
        # What the view shares with others is, in itself, shared by its channels.
        ways = ("view", "group") if part.way == "view" else ("channel",)
        found += sum(seen.shares.get((part.level, way), 0.0) for way in ways) * part.gram[:-1, :-1]
    if block > 1:
        columns = field.jacobian.reshape(-1, size)
        found += seen.shares.get((0, "channel"), 0.0) * (bread - columns.T @ columns)
    return found * seen.mean**2


@dataclass(frozen=True)
class _View:
    """A view, weighted by D, whose square is a pattern over pixels times a factor for each channel.

    squares: the pattern, (height, width). gains: the factors, (3,). sums: for each level B^T D [J e] of each channel,
    (patches, 3, m + n + 1). at: (n,). group: its number. own: as of its `Field`, (m, m).
    """

    squares: Array
    gains: Array
    sums: tuple[Array, ...]
    at: NDArray[np.intp]
    group: int
    own: Array

    def shared(self, level: int) -> Array:
        """The sums without the view's own columns, (patches, 3, n + 1)."""
        return self.sums[level][..., len(self.own) :]


@dataclass(frozen=True)
class _Component:
    """One size of patches, and who shares them: each channel by itself ("channel"), the channels of a view ("view"),
    the channels of all views of a group ("group").

    count: how many patches there are. gram: of their sums, (k + 1, k + 1). together: the mean number of residuals that
    hang together.
    """

    level: int
    way: str
    count: int
    gram: Array
    together: float

    @property
    def side(self) -> int:
        """In pixels."""
        return int(2**self.level)


def _aligned(fields: Sequence[Field], block: int) -> list[Field]:
    """With views of a group on the same part of the image. block: pixels a side of what the fields hold as one."""
    found = []
    for one in fields:
        group = [f for f in fields if f.group == one.group]
        first = [min(f.corner[axis] for f in group) for axis in (0, 1)]
        before = [(one.corner[axis] - first[axis]) // block for axis in (0, 1)]
        shape = [max((f.corner[axis] - first[axis]) // block + f.counted.shape[axis] for f in group) for axis in (0, 1)]
        room = [(b, s - b - n) for b, s, n in zip(before, shape, one.counted.shape[:2], strict=True)]
        if any(map(any, room)):
            one = replace(
                one, residual=np.pad(one.residual, (*room, (0, 0))), counted=np.pad(one.counted, (*room, (0, 0))),
                jacobian=np.pad(one.jacobian, (*room, (0, 0), (0, 0))), corner=(first[0], first[1]),
            )  # fmt: skip
        found.append(one)
    return found


def _weighted(field: Field, mean: float, levels: int) -> _View:
    """A view with its sums over patches. mean: the root mean square of all residuals."""
    counted, off = field.counted, field.residual / mean
    share = counted.mean(-1)
    gains = np.sum(off**2, (0, 1)) / np.maximum(counted.sum((0, 1)), 1e-9)
    gains = np.maximum(gains / max(float(gains.mean()), 1e-300), FAINT)
    squares = share * np.maximum(squares_around(off, counted), FAINT)
    weighted = np.concatenate([field.jacobian, off[..., None]], -1) * np.sqrt(squares[..., None] * gains)[..., None]
    height, width, _, columns = weighted.shape
    sums = _pyramid(weighted.reshape(height, width, -1), levels)
    return _View(squares, gains, tuple(s.reshape(len(s), 3, columns) for s in sums), field.at, field.group, field.own)


def _totals(views: Sequence[_View], size: int, levels: int) -> dict[int, tuple[tuple[Array, ...], Array]]:
    """For each group of several views: for each level the sums over patches of all of them, (patches, k + 1), and their
    D^2 over the image, (height, width)."""
    found = {}
    for group in {view.group for view in views}:
        members = [view for view in views if view.group == group]
        if len(members) < 2:
            continue
        squares = np.sum([view.squares * view.gains.sum() for view in members], 0)
        sums = []
        for level in range(levels):
            total = np.zeros((len(members[0].sums[level]), size + 1))
            for view in members:
                total[:, np.append(view.at, size)] += _together(view.shared(level))
            sums.append(total)
        found[group] = tuple(sums), squares
    return found


def _components(views: Sequence[_View], totals: Mapping[int, Any], size: int) -> list[_Component]:
    """All of them, with those that views share if some see the same."""
    found = []
    for level in range(len(views[0].sums)):
        for way in ("channel", "view", "group")[: 3 if totals else 2]:
            gram = np.zeros((size + 1, size + 1))
            count, squares, whole = 0, 0.0, 0.0
            for view in views:
                at = np.append(view.at, size)
                mass = patches(view.squares[..., None], level)[:, 0]
                square = float(mass @ mass)
                squares += float(view.squares.sum() * view.gains.sum())
                if way == "channel":
                    flat = view.shared(level).reshape(-1, len(at))
                    gram[np.ix_(at, at)] += flat.T @ flat
                    count, whole = count + 3 * int((mass > 0.0).sum()), whole + square * float(np.sum(view.gains**2))
                elif way == "view" or view.group not in totals:
                    flat = _together(view.shared(level))
                    gram[np.ix_(at, at)] += flat.T @ flat
                    count, whole = count + int((mass > 0.0).sum()), whole + square * float(view.gains.sum()) ** 2
            for sums, pattern in totals.values() if way == "group" else ():
                gram += sums[level].T @ sums[level]
                mass = patches(pattern[..., None], level)[:, 0]
                count, whole = count + int((mass > 0.0).sum()), whole + float(mass @ mass)
            found.append(_Component(level, way, count, gram, whole / max(squares, 1e-300)))
    return found


def _moments(
    parts: Sequence[_Component], views: Sequence[_View], totals: Mapping[int, Any], covariance: Array
) -> tuple[Array, Array]:
    """E, (c, c), and q, (c,).

    With B^T D M D B = G - X' C X^T, G = B'^T D^2 B, its square is |G|^2 - 2 tr(X'^T G X C) + tr(C X'^T X' C X^T X).
    What a view takes away by its own coordinates stands beside C, in the blocks of that view.
    """
    projected = [covariance @ part.gram[:-1, :-1] @ covariance for part in parts]
    expected = np.array([[float(np.sum(p * part.gram[:-1, :-1])) for part in parts] for p in projected])
    levels = 1 + max(part.level for part in parts)
    place = {(part.level, part.way): number for number, part in enumerate(parts)}
    crossings: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def overlap(pattern: Array, one: int, other: int) -> Any:
        """G, (patches, patches)."""
        key = (pattern.shape, one, other)
        if key not in crossings:
            crossings[key] = _crossing(*key)
        left, right = crossings[key]
        cells = _cells(pattern[..., None], max(one - 1, 0)).ravel()
        return type(left)((left.data * cells[left.indices], left.indices, left.indptr), left.shape) @ right

    def add(one: tuple[int, str], other: tuple[int, str], value: float) -> None:
        i, j = place[one], place[other]
        expected[i, j] += value
        if i != j:
            expected[j, i] += value

    slots = {"channel": 0, "view": 3, "group": 4}
    ways = list(slots)[: 3 if totals else 2]
    # The slots from what `_of_ways` gives: the three channels, their sum, and that of the group.
    alone = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1, 1, 1]], float)
    grouped = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]], float)
    pairs = [(one, other) for one in range(levels) for other in range(one, levels)]
    for view in views:
        gains, whole = view.gains, float(view.gains.sum())
        sums, reaches = zip(*(_of_ways(view, totals, covariance, level) for level in range(levels)), strict=True)
        mix = grouped if view.group in totals else alone
        taken = [_taken(view, *of_level, mix) for of_level in zip(sums, reaches, strict=True)]
        for one, other in pairs:
            across = overlap(view.squares, one, other)
            square = float(across.data @ across.data)
            # Of the larger patches there are fewer.
            left = (across.T @ sums[one].reshape(len(sums[one]), -1)).reshape(-1, mix.shape[1])
            products = mix @ (left.T @ reaches[other].reshape(left.shape)) @ mix.T
            for mine, its in itertools.product(ways, ways):
                if one == other and slots[its] < slots[mine]:
                    continue
                if mine == its == "group" and view.group in totals:
                    continue
                if mine == its == "channel":
                    product = float(gains @ np.diag(products)[:3])
                elif mine == "channel":
                    product = float(gains @ products[:3, slots[its]])
                elif its == "channel":
                    product = float(gains @ products[slots[mine], :3])
                else:
                    product = whole * float(products[slots[mine], slots[its]])
                both = float(gains @ gains) if "channel" in (mine, its) else whole**2
                again = float(np.vdot(taken[one][slots[mine]][0], taken[other][slots[its]][1]))
                add((one, mine), (other, its), square * both - 2.0 * product + again)
    for group, (sums_of_all, pattern) in totals.items():
        members = [view for view in views if view.group == group and len(view.own)]
        own = [[_together(view.sums[level])[:, : len(view.own)] for view in members] for level in range(levels)]
        reach = [[a @ view.own for a, view in zip(of_level, members, strict=True)] for of_level in own]
        for one, other in pairs:
            across = overlap(pattern, one, other)
            left, right = sums_of_all[one][:, :-1], sums_of_all[other][:, :-1] @ covariance
            value = float(across.data @ across.data) - 2.0 * float(np.vdot(across.T @ left, right))
            if members:
                value += _taken_by_all(own[one], reach[other], across, left, right)
            add((one, "group"), (other, "group"), value)
    return expected, np.array([part.gram[-1, -1] for part in parts])


def _of_ways(view: _View, totals: Mapping[int, Any], covariance: Array, level: int) -> tuple[Array, Array]:
    """X of a view, and X C: by its channels, and those of the group if it has one, (patches, m + n, 3 or 4)."""
    from scipy.linalg import block_diag

    at, own, m = view.at, view.sums[level][..., :-1], len(view.own)
    inner = block_diag(view.own, covariance[np.ix_(at, at)])
    reach = (own.reshape(-1, len(inner)) @ inner).reshape(own.shape)
    sums, reaches = own.swapaxes(1, 2), reach.swapaxes(1, 2)
    if view.group in totals:
        shared = totals[view.group][0][level][:, :-1]
        both = (_together(own)[:, :m], shared[:, at]), (_together(reach)[:, :m], shared @ covariance[:, at])
        group = [np.concatenate(columns, 1)[..., None] for columns in both]
        sums, reaches = (np.concatenate(pair, -1) for pair in zip((sums, reaches), group, strict=True))
    return np.ascontiguousarray(sums), np.ascontiguousarray(reaches)


def _taken(view: _View, sums: Array, reaches: Array, mix: Array) -> dict[int, tuple[Array, Array]]:
    """For each slot of `_moments` the parts of |X'_o C_o X_o^T + X' C X^T|^2 - |X' C X^T|^2, X_o being the sums of the
    view's own coordinates: what is to be multiplied for X' and for X, (m, m + n). mix: the slots from `sums`, (5, 3 or
    4)."""
    m, (patches, columns, ways) = len(view.own), sums.shape
    own = sums[:, :m].reshape(patches, -1)
    products = [(own.T @ a.reshape(patches, -1)).reshape(m, ways, columns, ways) for a in (sums, reaches)]
    twice = np.append(np.ones(m), np.full(columns - m, 2.0))
    found = {}
    for slot, rows in ((0, mix[:3]), (3, mix[3:4]), (4, mix[4:])):
        whole, reach = (np.einsum("mckd,sc,sd->mk", product, rows, rows) for product in products)
        found[slot] = whole, twice * (view.own @ reach)
    return found


def _taken_by_all(own: Sequence[Array], reach: Sequence[Array], across: Any, left: Array, right: Array) -> float:
    """The same of a group, |A + X' C X^T - G|^2 - |X' C X^T - G|^2 with A the sum of X'_o C_o X_o^T over its views.
    own, reach: X'_o and X_o C_o, (patches, m). across: G. left, right: X', and X C, (patches, n)."""
    a, b = np.concatenate(own, 1), np.concatenate(reach, 1)
    value = 2.0 * float(np.vdot(a.T @ left, b.T @ right)) - 2.0 * float(np.vdot(across.T @ a, b))
    if len(left) * len(right) <= COMPARED:
        total = a @ b.T
        return value + float(np.vdot(total, total))
    return value + sum(float(np.vdot(a.T @ a, b.T @ b)) for a, b in zip(own, reach, strict=True))


def _solved(expected: Array, found: Array, count: Array) -> Array:
    """The variances a >= 0, (c,). A sum of squares over n patches is known to a part of about sqrt(2 / n)."""
    from scipy.optimize import nnls

    share = np.zeros(len(found))
    about = found
    for _ in range(ROUNDS):
        weight = np.sqrt(count) / np.maximum(about, 1e-6 * found.max())
        share = nnls(expected * weight[:, None], found * weight)[0]
        about = 0.5 * (expected @ share) + 0.5 * found
    return np.asarray(share)


def _with_larger(share: Array, sure: NDArray[np.bool_], parts: Sequence[_Component]) -> Array:
    """The variances of all parts, (c,), of which the first ones are measured. sure: which are those of a smooth misfit.

    Larger patches have that of the largest, if they hold more of the residuals than these do.
    """
    known, beyond = parts[: len(share)], parts[len(share) :]
    largest, next_level = known[-1].level, known[-1].level + 1
    wider = {part.way: part.together for part in beyond if part.level == next_level}
    carried = {
        part.way: own if certain and wider[part.way] > SPREAD * part.together else 0.0
        for part, own, certain in zip(known, share, sure, strict=True)
        if part.level == largest
    }
    return np.append(share, [carried[part.way] for part in beyond])


def sums_of_blocks(values: Array, side: int) -> Array:
    """Sums over blocks of side x side pixels of (height, width, ...); the last ones may be cut off."""
    if side == 1:
        return values
    height, width = values.shape[:2]
    down = np.add.reduceat(values, np.arange(0, height, side), axis=0)
    return np.asarray(np.add.reduceat(down, np.arange(0, width, side), axis=1))


def squares_around(residual: Array, counted: Array) -> Array:
    """The mean square of residuals around each pixel, (height, width). residual, counted: (height, width, 3)."""
    # Sums go along with the pixels, so what is left of one after a large square may be less than nothing.
    squares = np.maximum(sums_around((residual**2).sum(-1), AROUND), 0.0)
    return squares / np.maximum(sums_around(counted.sum(-1), AROUND), 1e-9)


def sums_around(values: Array, side: int) -> Array:
    """Sums of (height, width) over side x side pixels around each."""
    from scipy.ndimage import uniform_filter

    return np.asarray(uniform_filter(values, side, mode="constant") * side**2)


def _cells(values: Array, level: int) -> Array:
    """Sums over blocks of 2^level pixels a side of (height, width, n); the last ones may be cut off."""
    for _ in range(level):
        height, width = values.shape[:2]
        if height % 2 or width % 2:
            values = np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)))
        values = values[::2] + values[1::2]
        values = values[:, ::2] + values[:, 1::2]
    return values


def patches(values: Array, level: int) -> Array:
    """Half the sums over patches of 2^level pixels a side, (patches, n), of (height, width, n); of level 0, itself."""
    return _overlapping(_cells(values, level - 1)) if level > 0 else values.reshape(-1, values.shape[-1])


def _pyramid(values: Array, levels: int) -> list[Array]:
    """`patches` of all levels."""
    found = [values.reshape(-1, values.shape[-1])]
    for _ in range(1, levels):
        found.append(_overlapping(values))
        values = _cells(values, 1)
    return found


def _overlapping(cells: Array) -> Array:
    """Half the sums over 2 x 2 cells, (patches, n), of (height, width, n), with those that are half outside."""
    height, width, columns = cells.shape
    padded = np.zeros((height + 2, width + 2, columns))
    np.multiply(cells, 0.5, out=padded[1:-1, 1:-1])
    down = padded[:-1] + padded[1:]
    return np.asarray((down[:, :-1] + down[:, 1:]).reshape(-1, columns))


def _together(sums: Array) -> Array:
    """The channels of (patches, 3, n) added up; `sum` is slow on so short an axis."""
    return np.asarray(sums[:, 0] + sums[:, 1] + sums[:, 2])


def _crossing(shape: tuple[int, ...], one: int, other: int) -> tuple[Any, Any]:
    """B^T of one level, (patches, cells), and B of another, (cells, patches), by the cells of the finer one."""
    from scipy.sparse import csr_array, eye_array, kron

    finest = max(min(one, other) - 1, 0)

    def line(length: int, level: int) -> Any:
        cells = -(-length // 2**finest)
        if level == 0:
            return eye_array(cells, format="csr")
        parent = np.arange(cells) >> (level - 1 - finest)
        rows = np.repeat(np.arange(cells), 2)
        columns = np.stack([parent, parent + 1], 1).ravel()
        return csr_array((np.full(2 * cells, np.sqrt(0.5)), (rows, columns)), (cells, int(parent[-1]) + 2))

    left, right = (kron(line(shape[0], level), line(shape[1], level), format="csr") for level in (one, other))
    return left.T.tocsr(), right
