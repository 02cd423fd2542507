"""Square matrices, (n, n) or stacks of them (..., n, n), and diagonals.

The rules are those of Giles (2008), "An extended collection of matrix derivative results for forward and reverse mode
automatic differentiation": with C = inv A, dC = -C dA C; with A x = b, A dx = db - dA x; d det A is the sum of the
entries of dA times their cofactors. A cofactor is a determinant itself, that of A without a row and a column, and not
det A times inv A transposed: so the derivative of a singular matrix is exact.
"""

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .operations import chain, multiply, negative, where
from .structure import _squeeze, _swap, _unsqueeze, index, matmul, sum, transpose
from .variable import TABLE, Array, Numeric, Op, Var, apply, is_abstract, shape_of

__all__ = ["det", "diag", "diagonal", "inv", "solve", "trace"]

_MINORS = 12
"""Up to this n cofactors are determinants, n^2 of them; beyond, they come from the decomposition of the whole."""


def inv(x: Numeric) -> Any:
    """The inverse of square matrices (..., n, n). Raises ValueError for a singular one, and for another shape."""
    _check_square("inv", x)
    return apply(TABLE["inv"], (x,))


def det(x: Numeric) -> Any:
    """The determinants (...) of square matrices (..., n, n).

    The derivative is exact for singular matrices too; that of higher orders up to 12 x 12, beyond which they need an
    inverse. Raises ValueError for another shape, and where that inverse is missing.
    """
    _check_square("det", x)
    return apply(TABLE["det"], (x,))


def solve(a: Numeric, b: Numeric) -> Any:
    """The x with a @ x = b.

    a: square matrices (..., n, n). b: a vector (n,), or matrices (..., n, k); a b of more than one axis is never a
    stack of vectors, as in numpy. Raises ValueError for other shapes, and where a is singular.
    """
    shapes = shape_of(a), shape_of(b)
    if len(shapes[0]) < 2 or not shapes[1] or len({*shapes[0][-2:], shapes[1][-2:][0]}) > 1 or not _join(*shapes):
        raise ValueError(
            f"solve needs square matrices (..., n, n) and a right side (n,) or (..., n, k), given the shapes "
            f"{shapes[0]} and {shapes[1]}"
        )
    if len(shapes[1]) > 1:
        return apply(TABLE["solve"], (a, b))
    return _squeeze(apply(TABLE["solve"], (a, _unsqueeze(b, -1))), -1)


def diagonal(x: Numeric, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The entries x[i, i + offset] of two axes, along a new last one; the other axes stay in their order."""
    shape = shape_of(x)
    if len(shape) < 2:
        raise ValueError(f"a diagonal needs an array of at least two axes, given the shape {shape}")
    first, second = np.lib.array_utils.normalize_axis_tuple((axis1, axis2), len(shape))
    last = transpose(x, [*(i for i in range(len(shape)) if i not in (first, second)), first, second])
    return index(last, (..., *_places(operator.index(offset), shape[first], shape[second])))


def trace(x: Numeric, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of a diagonal; of a matrix, or over two axes of an array."""
    return sum(diagonal(x, offset, axis1, axis2), -1)


def diag(x: Numeric, k: int = 0) -> Any:
    """The square matrix with a vector on its k-th diagonal; of a matrix its k-th diagonal, as numpy has it."""
    shape = shape_of(x)
    if len(shape) == 2:
        return diagonal(x, k)
    if len(shape) != 1:
        raise ValueError(f"diag needs a vector or a matrix, given the shape {shape}")
    size = shape[0] + abs(operator.index(k))
    return apply(TABLE["place"], (x,), {"index": _places(k, size, size), "shape": (size, size)})


def _places(offset: int, rows: int, columns: int) -> tuple[Array, Array]:
    """The indices of a diagonal."""
    down, right = max(-offset, 0), max(offset, 0)
    along = np.arange(max(min(rows - down, columns - right), 0))
    return along + down, along + right


def _check_square(what: str, x: Numeric) -> None:
    shape = shape_of(x)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(f"{what} needs square matrices, of a shape (..., n, n); given the shape {shape}")


def _join(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether two stacks of matrices broadcast."""
    try:
        np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError:
        return False
    return True


def _in_words(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numpy.linalg that says in words what it cannot do."""

    def forward(a: Any, *b: Any) -> Any:
        if any(map(is_abstract, (a, *b))):
            raise TypeError(f"{what} is not compiled; call it outside of the kernel, or write it out entry by entry")
        try:
            return function(a, *b)
        except np.linalg.LinAlgError:
            which = "a matrix of a stack" if np.ndim(a) > 2 else "a matrix"
            raise ValueError(f"{what}: {which} of shape {np.shape(a)} is singular; it has no inverse") from None

    return forward


def _cofactors(a: Any) -> Any:
    """The derivative of det a by each entry of a."""
    shape = shape_of(a)
    n = shape[-1]
    if n <= _MINORS:
        rest = np.array([[i for i in range(n) if i != left_out] for left_out in range(n)], np.intp).reshape(
            n, max(n - 1, 0)
        )
        minors = det(index(a, (..., rest[:, None, :, None], rest[None, :, None, :])))
        return where(np.add.outer(range(n), range(n)) % 2 == 0, minors, negative(minors))
    if not isinstance(a, Var):
        # a = U S V, and the cofactors of S are the products of all its other entries.
        u, s, v = np.linalg.svd(a)
        others = np.where(np.eye(n, dtype=bool), s.dtype.type(1.0), s[..., None, :]).prod(-1)
        sign = np.sign(np.linalg.det(u) * np.linalg.det(v))
        return (u * (others * sign[..., None])[..., None, :]) @ v
    try:
        return multiply(_unsqueeze(_unsqueeze(det(a), -1), -1), _swap(inv(a)))
    except ValueError:
        raise ValueError(f"det: derivatives of second order of a singular matrix are computed up to {_MINORS} x "
                         f"{_MINORS}, given the shape {shape}") from None  # fmt: skip


def _expanded(a: Array) -> Any:
    """det a, expanded along its first row, which has n! terms. Raises ValueError for more than 4 rows."""
    n = a.shape[-1]
    if n > 4:
        raise ValueError(f"the determinant of a {n} x {n} matrix has too many terms to be written out")
    if n == 0:
        return np.ones(a.shape[:-2])
    terms = [a[..., 0, j] * (_expanded(_without(a, 0, j)) if n > 1 else 1.0) for j in range(n)]
    return functools.reduce(operator.add, [-t if j % 2 else t for j, t in enumerate(terms)])


def _inverse_by_cofactors(a: Array) -> Any:
    """The cofactors of a, transposed, over det a. Raises ValueError as `_expanded` does."""
    n = a.shape[-1]
    rows = [[_expanded(_without(a, j, i)) * (-1.0) ** (i + j) for j in range(n)] for i in range(n)]
    return np.moveaxis(np.array(rows, object), (0, 1), (-2, -1)) / np.asarray(_expanded(a))[..., None, None]


def _without(a: Array, row: int, column: int) -> Array:
    return np.delete(np.delete(a, row, -2), column, -1)


def _solve_vjp(g: Any, out: Any, inputs: Sequence[Any], wanted: Sequence[bool]) -> list[Any]:
    by_b = solve(_swap(inputs[0]), g)
    return [negative(matmul(by_b, _swap(out))) if wanted[0] else None, by_b if wanted[1] else None]


for _row in (
    Op("inv", _in_words("inv", np.linalg.inv),
       vjp=(lambda g, out, x: negative(matmul(_swap(out), matmul(g, _swap(out)))),),
       jvp=(lambda t, out, x: negative(matmul(out, matmul(t, out))),), spelled=lambda x: _inverse_by_cofactors(x),
       latex="{{{}}}^{{-1}}", backward="multiplies it by the transposed inverse on both sides, with a minus"),
    Op("det", _in_words("det", np.linalg.det),
       vjp=(lambda g, out, x: chain(_unsqueeze(_unsqueeze(g, -1), -1), _cofactors(x)),),
       jvp=(lambda t, out, x: sum(chain(t, _cofactors(x)), (-2, -1)),), spelled=lambda x: _expanded(x),
       latex=r"\det {}", backward="multiplies it by the cofactors"),
    Op("solve", _in_words("solve", np.linalg.solve), vjp=_solve_vjp,
       jvp=(lambda t, out, a, b: negative(solve(a, matmul(t, out))), lambda t, out, a, b: solve(a, t)),
       spelled=lambda a, b: matmul(_inverse_by_cofactors(a), b),
       latex="{{{}}}^{{-1}} {}", backward="solves with the transposed matrix"),
):  # fmt: skip
    TABLE[_row.name] = _row
