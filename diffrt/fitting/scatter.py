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
residuals of equal size make it the textbook's |e|^2 / (m - k). The covariance of the numbers is then C S C with S = sum
of a_c X_c^T X_c and X_c = B_c^T D J (White, A heteroskedasticity-consistent covariance matrix estimator, 1980; Conley,
GMM estimation with cross sectional dependence, 1999).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

AROUND = 5
"""Pixels a side of the neighbourhood in which the size of residuals is measured."""

FAINT = 1e-3
"""Residuals are taken for at least this part of their root mean square everywhere."""

HELD = 1 << 21
"""Numbers of a Jacobian that are held of a view. Of larger ones the means of blocks of pixels are."""

ROUNDS = 4
"""Of solving for the variances, with the weights that the last ones suggest."""


@dataclass(frozen=True)
class Field:
    """What a view leaves behind at the end of a fit.

    residual: (height, width, 3), 0 where it does not count. jacobian: by the coordinates `at`, (height, width, 3, n).
    counted: how much of it does,
    (height, width, 3). at: (n,). group: views of equal group see the same with the same camera.
    pixels: the residual of single pixels, if the others are those of blocks, nan where it does not count.
    """

    residual: Array
    jacobian: Array
    counted: Array
    at: NDArray[np.intp]
    group: int = 0
    pixels: Array = field(default_factory=lambda: np.zeros((0, 0, 3)))


@dataclass(frozen=True)
class Scatter:
    """How residuals scatter.

    meat: S, (k, k). variance: of one of them. length: over how many pixels they are smooth, 1 if they are independent.
    patches: how many independent ones would say as much as they do. alone: the part of the variance that is of
    single pixels.
    """

    meat: Array
    variance: float
    length: float
    patches: float
    alone: float


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
    parts = _components([_weighted(f, mean) for f in fields], size)
    expected, found = _moments(parts, covariance)
    share = _solved(expected, found, np.array([part.count for part in parts]))
    meat = sum((a * part.gram[:-1, :-1] for a, part in zip(share, parts, strict=True)), np.zeros((size, size)))
    if block > 1:
        # What varies within a block is lost in its mean, and noise of single pixels pulls at it too.
        held = np.zeros((size, size))
        for f in fields:
            columns = f.jacobian.reshape(-1, len(f.at))
            held[np.ix_(f.at, f.at)] += columns.T @ columns
        meat += share[0] * (bread - held)
    sides = np.array([part.side for part in parts], float)
    total = max(float(share.sum()), 1e-300)
    smooth = share * (sides > 1.0)
    length = float((smooth @ sides) / smooth.sum()) if smooth.sum() > 1e-3 * total else 1.0
    # The variance of a mean of all residuals, beside that of one.
    together = np.array([part.together for part in parts])
    return Scatter(
        meat * mean**2, total * mean**2, length * (block if length > 1.0 else 1),
        weight * total / max(float(share @ together), 1e-300), float(share[sides == 1.0].sum()) / total,
    )  # fmt: skip


@dataclass(frozen=True)
class _Slot:
    """A channel of a view, weighted by D. columns: D [J e], (height, width, n + 1). squares: D^2, (height, width)."""

    view: int
    group: int
    columns: Array
    squares: Array
    at: NDArray[np.intp]


@dataclass(frozen=True)
class _Block:
    """Patches that share their values. sums: B^T D [J e] of all its slots, (patches, n + 1). squares: D^2 of all its
    slots, (height, width). names: of the slots."""

    sums: Array
    squares: Array
    at: NDArray[np.intp]
    slots: frozenset[int]


@dataclass(frozen=True)
class _Component:
    """One size of patches, and one way to share them. count: how many patches there are. gram: of the sums,
    (k + 1, k + 1). together: the mean number of residuals that hang together."""

    level: int
    side: int
    blocks: tuple[_Block, ...]
    count: int
    gram: Array
    together: float


def _weighted(field: Field, mean: float) -> list[_Slot]:
    """The channels of a view. mean: the root mean square of all residuals."""
    slots = []
    for c in range(3):
        counted = field.counted[..., c]
        own = sums_around(field.residual[..., c] ** 2, AROUND) / np.maximum(sums_around(counted, AROUND), 1e-9)
        squares = counted * np.maximum(own / mean**2, FAINT)
        both = np.concatenate([field.jacobian[..., c, :], field.residual[..., c, None] / mean], -1)
        slots.append(_Slot(0, field.group, np.sqrt(squares)[..., None] * both, squares, field.at))
    return slots


def _components(views: Sequence[list[_Slot]], size: int) -> list[_Component]:
    """All components: each size of patches, of single channels, of all channels of a view, and of all views of a group."""
    slots = [slot for view in views for slot in view]
    owner = [number for number, view in enumerate(views) for _ in view]
    ways = [[[n] for n in range(len(slots))], [[n for n, o in enumerate(owner) if o == v] for v in range(len(views))]]
    groups = [[n for n, slot in enumerate(slots) if slot.group == g] for g in sorted({s.group for s in slots})]
    if len(groups) < len(views):
        ways.append(groups)
    tallest = max(max(slot.squares.shape) for slot in slots)
    found = []
    for level in range(max(int(np.log2(max(tallest, 2))), 1)):
        sums = [_patches(slot.columns, level) for slot in slots]
        for number, way in enumerate(ways):
            if number == 2 and level < 2:
                continue  # what all views share is a misfit, and those are no single pixels
            blocks = tuple(_joined(members, slots, sums, size) for members in way)
            gram = np.zeros((size + 1, size + 1))
            count, squares, whole = 0, 0.0, 0.0
            for block in blocks:
                at = np.append(block.at, size)
                gram[np.ix_(at, at)] += block.sums.T @ block.sums
                mass = _patches(block.squares[..., None], level)[:, 0]
                count += int((mass > 0.0).sum())
                whole += float(mass @ mass)
                squares += float(block.squares.sum())
            found.append(_Component(level, 2**level, blocks, count, gram, whole / max(squares, 1e-300)))
    return found


def _joined(members: list[int], slots: Sequence[_Slot], sums: Sequence[Array], size: int) -> _Block:
    """Some slots whose patches have the same values."""
    first = slots[members[0]]
    squares = np.sum([slots[n].squares for n in members], 0)
    if all(slots[n].at is first.at for n in members):
        return _Block(np.sum([sums[n] for n in members], 0), squares, first.at, frozenset(members))
    total = np.zeros((len(sums[members[0]]), size + 1))
    for n in members:
        total[:, np.append(slots[n].at, size)] += sums[n]
    return _Block(total, squares, np.arange(size), frozenset(members))


def _moments(parts: Sequence[_Component], covariance: Array) -> tuple[Array, Array]:
    """E, (c, c), and q, (c,)."""
    expected = np.zeros((len(parts), len(parts)))
    projected = [covariance @ part.gram[:-1, :-1] @ covariance for part in parts]
    carried = {id(block): block.sums[:, :-1] @ covariance[block.at] for part in parts for block in part.blocks}
    crossings: dict[tuple[tuple[int, ...], int, int], Any] = {}
    for i, one in enumerate(parts):
        for j, other in enumerate(parts[: i + 1]):
            # Blocks are nested: the smaller of two that overlap lies within the other.
            fine, coarse = (one, other) if len(one.blocks) >= len(other.blocks) else (other, one)
            value = float(np.sum(projected[i] * other.gram[:-1, :-1]))
            for a in fine.blocks:
                b = next(block for block in coarse.blocks if a.slots <= block.slots)
                key = (a.squares.shape, fine.level, coarse.level)
                if key not in crossings:
                    crossings[key] = _crossing(*key)
                left, right = crossings[key]
                cells = _cells(a.squares[..., None], max(min(fine.level, coarse.level) - 1, 0)).ravel()
                overlap = left.copy()
                overlap.data = left.data * cells[left.indices]
                overlap = overlap @ right
                value += float(np.sum(overlap.data**2))
                value -= 2.0 * float(np.sum((overlap @ carried[id(b)][:, a.at]) * a.sums[:, :-1]))
            expected[i, j] = expected[j, i] = value
    return expected, np.array([part.gram[-1, -1] for part in parts])


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


def sums_of_blocks(values: Array, side: int) -> Array:
    """Sums over blocks of side x side pixels of (height, width, ...); the last ones may be cut off."""
    if side == 1:
        return values
    height, width = values.shape[:2]
    down = np.add.reduceat(values, np.arange(0, height, side), axis=0)
    return np.asarray(np.add.reduceat(down, np.arange(0, width, side), axis=1))


def sums_around(values: Array, side: int) -> Array:
    """Sums of (height, width) over side x side pixels around each."""
    from scipy.ndimage import uniform_filter

    return np.asarray(uniform_filter(values, side, mode="constant") * side**2)


def _cells(values: Array, level: int) -> Array:
    """Sums over blocks of 2^level pixels a side of (height, width, n); the last ones may be cut off."""
    for _ in range(level):
        height, width = values.shape[:2]
        values = np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)))
        values = values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]
    return values


def _patches(values: Array, level: int) -> Array:
    """Half the sums over patches of 2^level pixels a side of (height, width, n), (patches, n); themselves at level 0."""
    if level > 0:
        values = np.pad(_cells(values, level - 1), ((1, 1), (1, 1), (0, 0)))
        values = 0.5 * (values[:-1, :-1] + values[1:, :-1] + values[:-1, 1:] + values[1:, 1:])
    return values.reshape(-1, values.shape[-1])


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
