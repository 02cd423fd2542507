"""Structures with names: what a kernel is given, taken apart into arrays and put together again.

A structure is a named tuple, a tuple, a list or a dict of structures; None is one without arrays. Whatever else stands
in it is an array, a Var or a Table. Its *skeleton* is what is left when the arrays are taken out.
"""

from collections.abc import Callable, Iterator, Sequence
from ctypes import addressof, c_char
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Table:
    """A table whose rows a `scan` goes through, as one entry of a structure; or, in place of the structure of a
    kernel's rows, such as many calls take: they are taken apart, and looked for in memory, only once.

    fields: a structure of arrays (..., K).
    """

    fields: Any

    @cached_property
    def parts(self) -> tuple["Skeleton", list[Any]]:
        """The skeleton of the fields, and the arrays."""
        return take_apart(self.fields)

    @cached_property
    def columns(self) -> tuple["Skeleton", list[Any]]:
        """The same, of numbers that follow each other in memory."""
        skeleton, arrays = self.parts
        return skeleton, [np.ascontiguousarray(x, np.float64) for x in arrays]

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the columns, without the axis of the rows."""
        return tuple(x.shape[:-1] for x in self.columns[1])

    @cached_property
    def booleans(self) -> tuple[bool, ...]:
        """Which of the columns hold booleans."""
        return tuple(x.dtype.char == "?" for x in self.parts[1])

    @cached_property
    def addresses(self) -> list[int]:
        """Where the columns are in memory."""
        return [address_of(x) for x in self.columns[1]]


@dataclass(frozen=True, eq=False)
class Packed(Table):
    """A Table of one matrix (M, K), in which the columns follow each other: it is looked for in memory, and not they.

    fields: the matrix. skeleton: of their structure. shapes: of the columns, without the axis of the rows.
    """

    skeleton: "Skeleton"
    shapes: tuple[tuple[int, ...], ...]

    @staticmethod
    def of(structure: Any) -> "Packed":
        """The rows of a structure of arrays (..., K)."""
        skeleton, arrays = take_apart(structure)
        shapes = tuple([x.shape[:-1] for x in arrays])
        flat = [x.reshape(prod(shape), x.shape[-1]) for x, shape in zip(arrays, shapes, strict=True)]
        return Packed(np.concatenate(flat, dtype=np.float64), skeleton, shapes)

    def take(self, which: Any) -> "Packed":
        """Some of the rows."""
        return replace(self, fields=self.fields.take(which, 1))

    def join(self, other: "Packed") -> "Packed":
        """These rows, and others after them."""
        return replace(self, fields=np.append(self.fields, other.fields, 1))

    def beside(self, other: "Packed") -> "Packed":
        """Pairs of rows: of these and of as many others."""
        matrix, skeletons = np.concatenate([self.fields, other.fields]), (self.skeleton, other.skeleton)
        return Packed(matrix, _skeleton(tuple, (), skeletons), self.shapes + other.shapes)

    def first(self, skeleton: "Skeleton") -> "Packed":
        """The rows of the first part of the structure, whose skeleton is given."""
        shapes = self.shapes[: skeleton.size]
        return Packed(self.fields[: _starts(shapes)[-1]], skeleton, shapes)

    @cached_property
    def parts(self) -> tuple["Skeleton", list[Any]]:
        """The skeleton of the structure, and the arrays."""
        starts = _starts(self.shapes)
        columns = [
            self.fields[start : start + prod(shape)].reshape(*shape, self.fields.shape[1])
            for start, shape in zip(starts[:-1], self.shapes, strict=True)
        ]
        return self.skeleton, columns

    @property
    def booleans(self) -> tuple[bool, ...]:
        """Which of the columns hold booleans: none."""
        return (False,) * len(self.shapes)

    @cached_property
    def addresses(self) -> list[int]:
        """Where the columns are in memory."""
        begin, row = address_of(self.fields), self.fields.strides[0]
        return [begin + row * start for start in _starts(self.shapes)[:-1]]


@cache
def _starts(shapes: tuple[tuple[int, ...], ...]) -> list[int]:
    """Where columns of these shapes begin in one matrix, and the last one ends."""
    return [0, *accumulate(map(prod, shapes))]


class Each(tuple[Any, ...]):
    """In place of an array (..., K): for each of K rows a structure of its own, of arrays (..., 1).

    The engine "graph" gives a function that of its row; the other engines take none. Among uniforms there is one.
    """


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A structure without its arrays. There is only one of each, so that they are compared by identity.

    make: the class of a tuple; list, dict, or NoneType; None for an array. names: the keys of a dict.
    """

    make: type | None
    names: tuple[str, ...] = ()
    parts: tuple["Skeleton", ...] = ()

    @cached_property
    def size(self) -> int:
        """The number of arrays."""
        return 1 if self.make is None else sum(part.size for part in self.parts)

    def build(self, arrays: Iterator[Any]) -> Any:
        """The structure with the next arrays in it."""
        if self.make is None:
            return next(arrays)
        parts = [part.build(arrays) for part in self.parts]
        if self.make is dict:
            return dict(zip(self.names, parts, strict=True))
        if self.make is type(None):
            return None
        return self.make(*parts) if hasattr(self.make, "_fields") else self.make(parts)


_skeleton: Callable[..., Skeleton] = cache(Skeleton)
_ARRAY, _NOTHING = _skeleton(None), _skeleton(type(None))


def take_apart(structure: Any) -> tuple[Skeleton, list[Any]]:
    """The skeleton of a structure, and its arrays in order."""
    arrays: list[Any] = []
    return _taken(structure, arrays), arrays


def _taken(structure: Any, arrays: list[Any]) -> Skeleton:
    """The skeleton of a structure, whose arrays are added to those of a list."""
    if type(structure) is np.ndarray:  # most of what is there
        arrays.append(structure)
        return _ARRAY
    if structure is None:
        return _NOTHING
    if isinstance(structure, tuple | list):
        return _skeleton(type(structure), (), tuple([_taken(part, arrays) for part in structure]))
    if isinstance(structure, dict):
        return _skeleton(dict, tuple(structure), tuple([_taken(part, arrays) for part in structure.values()]))
    arrays.append(structure)
    return _ARRAY


def taken_apart(uniforms: Any, rows: Any, *others: Any) -> tuple[Skeleton, list[Any]]:
    """The skeleton of a tuple of structures, and their arrays in order. rows may be a Table: then the skeleton is that
    of its fields, and the Table stands among the arrays for all of its columns."""
    arrays: list[Any] = []
    parts = [_taken(uniforms, arrays)]
    if isinstance(rows, Table):
        arrays.append(rows)
        parts.append(rows.parts[0])
    else:
        parts.append(_taken(rows, arrays))
    return _skeleton(tuple, (), (*parts, *(_taken(other, arrays) for other in others))), arrays


def mapped(change: Callable[[Any], Any], structure: Any) -> Any:
    """The structure with other arrays: what the function makes of each."""
    skeleton, arrays = take_apart(structure)
    return put_together(skeleton, [change(array) for array in arrays])


def row_of(structure: Any, row: int, change: Callable[[Any], Any]) -> Any:
    """The structure of one row: what stands for it in each Each, and what the function makes of the arrays."""
    if isinstance(structure, Each):
        return structure[row]
    if isinstance(structure, dict):
        return {name: row_of(part, row, change) for name, part in structure.items()}
    if isinstance(structure, tuple | list):
        parts = [row_of(part, row, change) for part in structure]
        return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)
    return None if structure is None else change(structure)


def put_together(skeleton: Skeleton, arrays: Sequence[Any]) -> Any:
    """The structure with these arrays."""
    return skeleton.build(iter(arrays))


def address_of(array: Any) -> int:
    """Where a contiguous array is in memory."""
    if array.size and array.flags.writeable:  # by the buffer protocol, which takes a tenth of the time
        return addressof(c_char.from_buffer(array))
    address: int = array.__array_interface__["data"][0]
    return address
