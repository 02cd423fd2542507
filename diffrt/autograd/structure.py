"""Rows of the op table that move, add up or combine entries.

All of them but max and min are linear in each input, so the jvp rule is the op itself, applied to the tangent.
The vjp rule is its transpose, and the transposes come in pairs: sum and broadcast_to, index and place, take
and scatter_add, stack and index. A rule is called as rule(g, out, *inputs, **settings), where g is the adjoint
of the output (vjp) or the tangent of that input (jvp). A vjp rule may return an adjoint that is still
broadcast; the reverse sweep sums it down to the shape of the input, for every op in the same place.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .operations import chain, equal, maximum, minimum, multiply
from .variable import TABLE, Array, Numeric, Op, apply, as_index, shape_of

__all__ = [
    "add_at", "broadcast_to", "concatenate", "cumsum", "index", "matmul", "max", "mean", "min", "reshape",
    "scatter_add", "stack", "sum", "take", "transpose",
]  # fmt: skip

Axis = int | tuple[int, ...] | None


def sum(x: Numeric, axis: Axis = None, keepdims: bool = False) -> Any:
    """Sum of the entries over `axis`, a number, a tuple, or None for all."""
    return apply(TABLE["sum"], (x,), {"axis": axis, "keepdims": keepdims})


def mean(x: Numeric, axis: Axis = None, keepdims: bool = False) -> Any:
    """Arithmetic mean over `axis`. Raises ValueError where there is no entry to take it of."""
    total = sum(x, axis, keepdims)
    number = _number_of_entries("mean", shape_of(x), axis, math.prod(shape_of(total)))
    return total * (1.0 / number)


def _number_of_entries(what: str, shape: tuple[int, ...], axis: Axis, results: int) -> int:
    """How many entries each of the results is made of."""
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    number = math.prod(shape[a] for a in axes)
    if not number and results:
        along = "" if axis is None else f" along axis {axis}"
        raise ValueError(f"{what} of nothing: an array of shape {shape} has no entries{along}; give it at least one")
    return number or 1


def max(x: Numeric, axis: Axis = None, keepdims: bool = False) -> Any:
    """Largest entry over `axis`; entries that tie share the derivative evenly."""
    return apply(TABLE["max"], (x,), {"axis": axis, "keepdims": keepdims})


def min(x: Numeric, axis: Axis = None, keepdims: bool = False) -> Any:
    """Smallest entry over `axis`; entries that tie share the derivative evenly."""
    return apply(TABLE["min"], (x,), {"axis": axis, "keepdims": keepdims})


def cumsum(x: Numeric, axis: int | None = None) -> Any:
    """Sums of the entries so far along `axis`; of all entries in one line if it is None."""
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    return apply(TABLE["cumsum"], (x,), {"axis": axis})


def reshape(x: Numeric, shape: int | Sequence[int]) -> Any:
    """The same entries in another shape; one size may be -1."""
    return apply(TABLE["reshape"], (x,), {"shape": (shape,) if isinstance(shape, int) else tuple(shape)})


def transpose(x: Numeric, axes: Sequence[int] | None = None) -> Any:
    """The axes in another order; reversed if `axes` is None."""
    return apply(TABLE["transpose"], (x,), {"axes": None if axes is None else tuple(axes)})


def broadcast_to(x: Numeric, shape: int | Sequence[int]) -> Any:
    """The entries repeated along new or stretched axes, by numpy's rules."""
    return apply(TABLE["broadcast_to"], (x,), {"shape": (shape,) if isinstance(shape, int) else tuple(shape)})


def stack(parts: Sequence[Numeric], axis: int = 0) -> Any:
    """Parts of one shape side by side along a new axis."""
    if not parts:
        raise ValueError("stack needs at least one part")
    return apply(TABLE["stack"], tuple(parts), {"axis": axis})


def concatenate(parts: Sequence[Numeric], axis: int | None = 0) -> Any:
    """Parts one after another along an axis that they have; all entries in one line if it is None."""
    if not parts:
        raise ValueError("concatenate needs at least one part")
    if axis is None:
        parts, axis = [reshape(part, (-1,)) for part in parts], 0
    return apply(TABLE["concatenate"], tuple(parts), {"axis": axis})


def index(x: Numeric, where: Any) -> Any:
    """x[where]: integers, slices, None, ..., and arrays of integers or booleans, as in numpy."""
    return apply(TABLE["index"], (x,), {"index": as_index(where)})


def take(x: Numeric, indices: Any, axis: int = 0) -> Any:
    """Gather: the slices x[indices[0]], x[indices[1]], ... along `axis`.

    indices: integers (n,), from 0 to the length of the axis - 1. Raises IndexError for others.
    """
    rows = _rows(indices)
    if rows.size and (rows.min() < 0 or rows.max() >= shape_of(x)[axis]):
        raise IndexError(f"take: indices from {rows.min()} to {rows.max()} do not fit axis {axis} of {x!r:.80}")
    return apply(TABLE["take"], (x,), {"indices": rows, "axis": axis})


def scatter_add(x: Numeric, indices: Any, size: int, axis: int = 0) -> Any:
    """The transpose of `take`: slice i of x is added to slice indices[i] of an array of zeros.

    indices: integers (n,), n the length of `axis` in x. size: the length of that axis in the result.
    """
    rows = _rows(indices)
    if rows.size and (rows.min() < 0 or rows.max() >= size):
        raise IndexError(f"scatter_add: indices from {rows.min()} to {rows.max()} do not fit a size of {size}")
    return apply(TABLE["scatter_add"], (x,), {"indices": rows, "size": size, "axis": axis})


def add_at(x: Numeric, indices: Any, y: Numeric) -> Any:
    """x with the entries y[..., i] added to x[..., indices[i]], in order; what is added to one place adds up.

    x: (..., m). indices: integers (n,), from 0 to m - 1. y: (..., n). Raises IndexError for other indices.
    """
    places = _rows(indices)
    if places.size and (places.min() < 0 or places.max() >= shape_of(x)[-1]):
        raise IndexError(f"add_at: indices from {places.min()} to {places.max()} do not fit {shape_of(x)[-1]} entries")
    return apply(TABLE["add_at"], (x, y), {"indices": places})


def matmul(x: Numeric, y: Numeric) -> Any:
    """Matrix product x @ y of vectors, matrices or stacks of matrices, by numpy's rules."""
    return apply(TABLE["matmul"], (x, y))


def _rows(indices: Any) -> NDArray[np.intp]:
    rows: NDArray[Any] = np.asarray(indices)
    if rows.dtype.kind not in "iu" or rows.ndim != 1:
        raise TypeError(f"indices must be integers of shape (n,), given {rows.dtype} of shape {rows.shape}")
    return rows.astype(np.intp, copy=False)


def _kept(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """A shape after reducing `axis` with keepdims."""
    if axis is None:
        return (1,) * len(shape)
    reduced = {a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))}
    return tuple(1 if a in reduced else n for a, n in enumerate(shape))


def _extreme(what: str, function: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """max or min of an array, which may have no entries where it has no results."""
    if not np.size(x):
        left = np.sum(x, axis, keepdims=keepdims)
        _number_of_entries(what, np.shape(x), axis, left.size)
        return left
    return function(x, axis=axis, keepdims=keepdims)


def _one_by_one(larger: Any, x: Array, axis: Axis, keepdims: bool) -> Any:
    """max or min along `axis` as that of two, of its result and the next one, and so on."""
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    lines = np.moveaxis(x, axes, range(len(axes))).reshape(-1, *np.sum(np.zeros(x.shape), axes).shape)
    found = functools.reduce(larger, lines)
    return np.reshape(found, _kept(x.shape, axis)) if keepdims else found


def _spread(g: Any, x: Any, axis: Axis) -> Any:
    """What was reduced over `axis`, broadcast again to the shape of x."""
    return broadcast_to(reshape(g, _kept(shape_of(x), axis)), shape_of(x))


def _shares(out: Any, x: Any, axis: Axis) -> Any:
    """The partial of max or min: entries equal to it, divided by their number."""
    ties = equal(x, broadcast_to(reshape(out, _kept(shape_of(x), axis)), shape_of(x)))
    return np.divide(ties, np.sum(ties, axis=axis, keepdims=True))


def _extreme_vjp(g: Any, out: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    return chain(_spread(g, x, axis), _shares(out, x, axis))


def _extreme_jvp(t: Any, out: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    return sum(chain(t, _shares(out, x, axis)), axis, keepdims)


def along(x: Any, axis: int, part: int | slice) -> Any:
    """x[..., part, ...]: an entry or a slice of one axis, all of the others."""
    return index(x, (*(slice(None),) * (axis % len(shape_of(x))), part))


def _reversed(x: Any, axis: int) -> Any:
    return along(x, axis, slice(None, None, -1))


def _inverse(axes: tuple[int, ...] | None) -> tuple[int, ...] | None:
    return None if axes is None else tuple(np.argsort(axes).tolist())


def _stack_vjp(g: Any, out: Any, inputs: Sequence[Any], wanted: Sequence[bool], axis: int) -> list[Any]:
    return [along(g, axis, i) if w else None for i, w in enumerate(wanted)]


def _concatenate_vjp(g: Any, out: Any, inputs: Sequence[Any], wanted: Sequence[bool], axis: int) -> list[Any]:
    ends = np.cumsum([shape_of(x)[axis] for x in inputs]).tolist()
    parts = [slice(end - shape_of(x)[axis], end) for x, end in zip(inputs, ends, strict=True)]
    return [along(g, axis, part) if w else None for part, w in zip(parts, wanted, strict=True)]


def _joined_jvp(join: Any) -> Any:
    def jvp(tangents: Sequence[Any], out: Any, inputs: Sequence[Any], axis: int) -> list[Any]:
        count = next(len(t) for t in tangents if t is not None)
        zeros = [np.zeros(shape_of(x)) for x in inputs]
        return [
            join([z if t is None or t[k] is None else t[k] for t, z in zip(tangents, zeros, strict=True)], axis)
            for k in range(count)
        ]

    return jvp


def is_basic(where: Any) -> bool:
    """Whether an index selects each entry at most once: made of integers, slices, None and ... only."""
    parts = where if isinstance(where, tuple) else (where,)
    return all(p is None or p is Ellipsis or isinstance(p, int | np.integer | slice) for p in parts)


def _place(x: Any, index: Any, shape: tuple[int, ...]) -> Array:
    """The transpose of indexing: x at the places of `index` in an array of zeros, repeated places added up."""
    out = np.zeros(shape, np.result_type(x))
    if is_basic(index):
        out[index] = x
    else:
        np.add.at(out, index, x)
    return out


def _take(x: Any, indices: NDArray[np.intp], axis: int) -> Any:
    x = np.asarray(x)
    if x.flags.f_contiguous:  # of other than rows numpy would copy the whole array first
        return x.T.take(indices, x.ndim - 1 - axis % x.ndim).T
    return x.take(indices, axis)


def _scatter_add(x: Any, indices: NDArray[np.intp], size: int, axis: int) -> Array:
    lines = np.moveaxis(np.asarray(x), axis, -1)
    flat = lines.reshape(-1, lines.shape[-1])
    # bincount adds in the order of the indices and is the fastest scatter that numpy has.
    added = [np.bincount(indices, line, size) for line in flat]
    out = np.array(added).reshape(*lines.shape[:-1], size).astype(flat.dtype, copy=False)
    return np.ascontiguousarray(np.moveaxis(out, -1, axis))


def _add_at(x: Any, y: Any, indices: NDArray[np.intp]) -> Array:
    out = np.array(x, order="C")
    # numpy adds fastest along one axis.
    for line, added in zip(out.reshape(-1, out.shape[-1]), np.reshape(y, (-1, len(indices))), strict=True):
        np.add.at(line, indices, added)
    return out


def _matmul_x(g: Any, out: Any, x: Any, y: Any) -> Any:
    # With x and y as matrices: g @ y^T. A vector is a matrix of one row (x) or one column (y).
    gx = g if len(shape_of(x)) > 1 else _unsqueeze(g, -2 if len(shape_of(y)) > 1 else -1)
    if len(shape_of(y)) == 1:
        return multiply(_unsqueeze(g, -1), y) if len(shape_of(x)) > 1 else multiply(g, y)
    product = matmul(gx, _swap(y))
    return product if len(shape_of(x)) > 1 else _squeeze(product, -2)


def _matmul_y(g: Any, out: Any, x: Any, y: Any) -> Any:
    # With x and y as matrices: x^T @ g.
    if len(shape_of(x)) == 1:
        return multiply(_unsqueeze(x, -1), _unsqueeze(g, -2)) if len(shape_of(y)) > 1 else multiply(g, x)
    if len(shape_of(y)) == 1:
        return _squeeze(matmul(_swap(x), _unsqueeze(g, -1)), -1)
    return matmul(_swap(x), g)


def _swap(x: Any) -> Any:
    axes = list(range(len(shape_of(x))))
    return transpose(x, [*axes[:-2], axes[-1], axes[-2]])


def _unsqueeze(x: Any, axis: int) -> Any:
    shape = list(shape_of(x))
    shape.insert(len(shape) + 1 + axis, 1)
    return reshape(x, shape)


def _squeeze(x: Any, axis: int) -> Any:
    shape = list(shape_of(x))
    del shape[axis]
    return reshape(x, shape)


def _beside(pick: Any) -> Any:
    """max or min of complex numbers, of which the real parts decide."""

    def along(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        if axis is None:
            return np.reshape(x, -1)[pick(np.real(x))]
        if not isinstance(axis, int):
            raise NotImplementedError
        found = np.take_along_axis(x, np.expand_dims(pick(np.real(x), axis), axis), axis)
        return found if keepdims else np.squeeze(found, axis)

    return along


for _row in (
    Op("sum", lambda x, axis, keepdims: np.add.reduce(x, axis, keepdims=keepdims),  # np.sum without its detours
       vjp=(lambda g, out, x, axis, keepdims: _spread(g, x, axis),),
       jvp=(lambda t, out, x, axis, keepdims: sum(t, axis, keepdims),),
       latex=r"\textstyle\sum {}", backward="spreads it over the entries"),
    Op("max", functools.partial(_extreme, "max", np.max), vjp=(_extreme_vjp,), jvp=(_extreme_jvp,),
       complex_forward=_beside(np.argmax), spelled=lambda x, axis, keepdims: _one_by_one(maximum, x, axis, keepdims),
       kinks="entries that tie for the largest, which share the derivative evenly"),
    Op("min", functools.partial(_extreme, "min", np.min), vjp=(_extreme_vjp,), jvp=(_extreme_jvp,),
       complex_forward=_beside(np.argmin), spelled=lambda x, axis, keepdims: _one_by_one(minimum, x, axis, keepdims),
       kinks="entries that tie for the smallest, which share the derivative evenly"),
    Op("cumsum", np.cumsum,
       vjp=(lambda g, out, x, axis: _reversed(cumsum(_reversed(g, axis), axis), axis),),
       jvp=(lambda t, out, x, axis: cumsum(t, axis),), backward="adds it up from the end"),
    Op("reshape", np.reshape,
       vjp=(lambda g, out, x, shape: reshape(g, shape_of(x)),),
       jvp=(lambda t, out, x, shape: reshape(t, shape),), backward="puts it in the old shape"),
    Op("transpose", np.transpose,
       vjp=(lambda g, out, x, axes: transpose(g, _inverse(axes)),),
       jvp=(lambda t, out, x, axes: transpose(t, axes),)),
    Op("broadcast_to", np.broadcast_to, "broadcast",
       vjp=(lambda g, out, x, shape: g,),
       jvp=(lambda t, out, x, shape: broadcast_to(t, shape),)),
    Op("stack", lambda *parts, axis: np.stack(parts, axis), vjp=_stack_vjp, jvp=_joined_jvp(stack),
       backward="takes it apart"),
    Op("concatenate", lambda *parts, axis: np.concatenate(parts, axis), vjp=_concatenate_vjp,
       jvp=_joined_jvp(concatenate), backward="takes it apart"),
    Op("index", lambda x, index: np.asarray(x)[index], "[]",
       vjp=(lambda g, out, x, index: apply(TABLE["place"], (g,), {"index": index, "shape": shape_of(x)}),),
       jvp=(lambda t, out, x, index: apply(TABLE["index"], (t,), {"index": index}),),
       form="{}[{index}]", latex="{}[{index}]", backward="puts it in its place"),
    Op("place", _place,
       vjp=(lambda g, out, x, index, shape: apply(TABLE["index"], (g,), {"index": index}),),
       jvp=(lambda t, out, x, index, shape: apply(TABLE["place"], (t,), {"index": index, "shape": shape}),)),
    Op("take", _take,
       vjp=(lambda g, out, x, indices, axis: scatter_add(g, indices, shape_of(x)[axis], axis),),
       jvp=(lambda t, out, x, indices, axis: take(t, indices, axis),)),
    Op("scatter_add", _scatter_add,
       vjp=(lambda g, out, x, indices, size, axis: take(g, indices, axis),),
       jvp=(lambda t, out, x, indices, size, axis: scatter_add(t, indices, size, axis),)),
    Op("add_at", _add_at,
       vjp=(lambda g, out, x, y, indices: g, lambda g, out, x, y, indices: take(g, indices, -1)),
       jvp=(lambda t, out, x, y, indices: t,
            lambda t, out, x, y, indices: add_at(np.zeros(shape_of(x)), indices, t))),
    Op("matmul", np.matmul, "@", vjp=(_matmul_x, _matmul_y),
       jvp=(lambda t, out, x, y: matmul(t, y), lambda t, out, x, y: matmul(x, t)),
       form="{} @ {}", latex=r"{} \, {}",
       backward="multiplies by the other one transposed: for A in A @ x it is g x^T, for x it is A^T g"),
):  # fmt: skip
    TABLE[_row.name] = _row
