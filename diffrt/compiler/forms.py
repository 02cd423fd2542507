"""Affine forms in kernels: entries of arrays, and the plain numbers that a loop or a choice carries of them.

A kernel that bounds what it computes (`diffrt.autograd.affine`) works on arrays whose entries are forms in the place in
a block of the image. The parts of a form, its centre, slopes and error, are nodes while a program is recorded, and on
numpy arrays (n,), one number for each block. So on numpy an array of forms has the length 1 on its last axis, and all
that differs from block to block must be a form in it (`lanes`).
"""

from typing import Any

import numpy as np

from diffrt.autograd import logical_not
from diffrt.autograd.affine import Form, Truth, Unknown, at_place

DIRECTIONS = 2
"""Those of the place in a block: to the right and down."""

PARTS = DIRECTIONS + 2
"""Numbers of a form without places."""


def form(centre: Any, slopes: Any, places: Any = ()) -> Any:
    """An array (1,) of a form whose parts are arrays (n,)."""
    return _array([Form(_part(centre), [_part(s) for s in slopes], 0.0, tuple(_part(p) for p in places))])


def lanes(x: Any) -> Any:
    """Plain numbers or booleans (..., n) as entries among forms, (..., 1). Where n is 1 they can stay as they are."""
    if not np.ndim(x) or np.shape(x)[-1] == 1:
        return x
    rows = np.reshape(x, (-1, np.shape(x)[-1]))
    if rows.dtype == bool:
        entries: list[Any] = [Truth(row, ~row) for row in rows]
    else:
        entries = [Form(row, [0.0] * DIRECTIONS, 0.0) for row in rows]
    return _array(entries).reshape(*np.shape(x)[:-1], 1)


def as_forms(x: Any, zero: Any, places: int = 0) -> Any:
    """An array of forms and numbers as one of forms alone. zero: (n,). places: how many places they have."""
    return forms(parts_of(x, zero, places), places).reshape(np.shape(x))


def parts_of(x: Any, zero: Any, places: int = 0) -> list[Any]:
    """The parts of the entries of an array, PARTS + places for each, (n,): centre, slopes, error, and what they are at
    the places. zero: (n,)."""
    found: list[Any] = []
    for entry in np.ravel(np.asarray(x, object)):
        if isinstance(entry, Form):
            slopes = [*entry.slopes, *[0.0] * (DIRECTIONS - len(entry.slopes))]
            found += [zero + whole(part) for part in (entry.centre, *slopes, entry.error)]
        else:
            found += [zero + whole(entry), *[zero] * (PARTS - 1)]
        found += [zero + whole(at_place(entry, k, False)) for k in range(places)]
    return found


def forms(parts: Any, places: int = 0) -> Any:
    """The other way: an array of forms."""
    flat, size = [_part(part) for part in parts], PARTS + places
    return _array([
        Form(flat[i], flat[i + 1 : i + PARTS - 1], flat[i + PARTS - 1], tuple(flat[i + PARTS : i + size]))
        for i in range(0, len(flat), size)
    ])  # fmt: skip


def places_of(x: Any) -> int:
    """How many places the forms in an array have."""
    return max((len(entry.places) for entry in x.flat if isinstance(entry, Unknown)), default=0)


def holds_forms(x: Any) -> bool:
    """Whether there are forms among the entries of an array."""
    return isinstance(x, np.ndarray) and x.dtype.char == "O" and any(isinstance(entry, Unknown) for entry in x.flat)


def length_of(x: Any) -> int:
    """The number of blocks that the forms in an array are of, 1 if that is not said."""
    sizes = [np.size(part) for entry in x.flat if isinstance(entry, Unknown) for part in entry.parts()]
    return max(sizes, default=1)


def surely(x: Any) -> Any:
    """Where a truth is so everywhere in the block, (n,)."""
    entry = _entry(x)
    return whole(entry.yes if isinstance(entry, Truth) else entry)


def never(x: Any) -> Any:
    """Where a truth is so nowhere in the block, (n,)."""
    entry = _entry(x)
    return whole(entry.no) if isinstance(entry, Truth) else logical_not(whole(entry))


def zero_like(x: Any) -> Any:
    """Zeros of the shape of an array."""
    return np.full(np.shape(x), 0.0)


def whole(x: Any) -> Any:
    """A part of a form as an array."""
    if isinstance(x, np.ndarray):
        return x
    if isinstance(x, float | int | bool | np.bool_):
        return np.array([x])
    return _array([x])


def _entry(x: Any) -> Any:
    """The only entry of an array, or plain numbers."""
    return x.flat[0] if isinstance(x, np.ndarray) and x.dtype.char == "O" else x


def _array(entries: Any) -> Any:
    found = np.empty(len(entries), object)
    found[:] = entries
    return found


def _part(x: Any) -> Any:
    """A part of a form: a node, a number, or an array (n,)."""
    return x.flat[0] if isinstance(x, np.ndarray) and x.size == 1 else x
