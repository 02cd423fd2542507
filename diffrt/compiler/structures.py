"""Structures with names: what a kernel is given, taken apart into arrays and put together again.

A structure is a named tuple, a tuple, a list or a dict of structures; None is one without arrays. Whatever else stands
in it is an array, a Var or a Table. Its *skeleton* is what is left when the arrays are taken out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """A table whose rows a `scan` goes through, as one entry of a structure. fields: a structure of arrays (..., K)."""

    fields: Any


@dataclass(frozen=True)
class Skeleton:
    """A structure without its arrays.

    make: the class of a tuple; list, dict, or NoneType; None for an array. names: the keys of a dict.
    """

    make: type | None
    names: tuple[str, ...] = ()
    parts: tuple["Skeleton", ...] = ()

    @property
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


_ARRAY = Skeleton(None)


def take_apart(structure: Any) -> tuple[Skeleton, list[Any]]:
    """The skeleton of a structure, and its arrays in order."""
    if structure is None:
        return Skeleton(type(None)), []
    if isinstance(structure, dict):
        names, values = tuple(structure), list(structure.values())
    elif isinstance(structure, tuple | list):
        names, values = (), list(structure)
    else:
        return _ARRAY, [structure]
    parts, arrays = [], []
    for value in values:
        part, own = take_apart(value)
        parts.append(part)
        arrays += own
    return Skeleton(type(structure), names, tuple(parts)), arrays


def put_together(skeleton: Skeleton, arrays: Sequence[Any]) -> Any:
    """The structure with these arrays."""
    return skeleton.build(iter(arrays))
