"""Values as people give them: numbers, sequences, arrays, and Vars that stand for a whole value or a part of it.

A kind keeps a value as it was given, but frozen. What a scene file could hold in its place is its `plain` value, which
the rules of the fields look at.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from diffrt.autograd import Var
from diffrt.kinds.texels import Texels
from diffrt.types import Colour, Scalar, Vec3

Value: TypeAlias = Scalar | Vec3 | Colour

_DEEPEST = 4
"""Lists in lists are gone through to this depth: as deep as a picture, and no rule allows more."""


def frozen(value: Any, depth: int = _DEEPEST) -> Any:
    """The same value, which nobody can change any more: arrays are copied, lists become tuples."""
    if isinstance(value, np.ndarray):
        copy = value.copy()
        copy.flags.writeable = False
        return copy
    if isinstance(value, list | tuple) and depth:
        return tuple(frozen(part, depth - 1) for part in value)
    if isinstance(value, Mapping) and depth:
        return {key: frozen(part, depth - 1) for key, part in value.items()}
    return value


def plain(value: Any, free: bool = True, depth: int = _DEEPEST) -> Any:
    """What stands for a value in a scene file: numbers, and lists of numbers.

    free: whether a Var may stand here; it is then taken for its current value. What is neither a number, an array, a
    sequence nor such a Var stays what it is, so that the rules can refuse it. Texels, which are checked, stay too.
    """
    if isinstance(value, Texels):
        return value
    if isinstance(value, Var):
        return plain(value.value, free, depth) if free else value
    if isinstance(value, list | tuple):
        return [plain(part, free, depth - 1) for part in value] if depth else value
    if isinstance(value, np.ndarray | np.generic) or hasattr(value, "__array__"):
        try:
            array = np.asanyarray(value)  # with its mask, if it has one
        except Exception:  # a tensor of another library that does not want to be an array
            return value
        if array.dtype.kind == "f":
            array = array.astype(np.float64)
        numbers = array.tolist()
        return plain(numbers, free, depth) if array.dtype.kind == "O" and array.ndim else numbers
    return value


def free_parts(value: Any, components: str) -> dict[str, Var]:
    """The Vars in a value, by the letter of the component that each stands for, "" for the whole value.

    components: the letters, such as "xyz"; none for a single number. A single Var for gray stands for each of them.
    """
    if isinstance(value, Var):
        return dict.fromkeys(components if components and not value.shape else ("",), value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        value = value.tolist()
    parts = value if isinstance(value, list | tuple) else ()
    return {letter: part for letter, part in zip(components, parts, strict=False) if isinstance(part, Var)}


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same numbers, and the very same Vars."""
    if isinstance(one, Var) or isinstance(other, Var):
        return one is other
    one, other = (value.array if isinstance(value, Texels) else value for value in (one, other))
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        one, other = plain(one), plain(other)
    return bool(one == other)


def written(value: Any) -> str:
    """A value as a program would have it, with all its digits; a Var as a new one of the same value."""
    if isinstance(value, Var):
        name = f", {value.name!r}" if value.name else ""
        return f"variable({written(value.value)}{name})"
    if isinstance(value, Texels):
        value = value.array
    if isinstance(value, np.ndarray | np.generic):
        return written(plain(value, free=False))
    if isinstance(value, list | tuple):
        return f"({', '.join(map(written, value))}{',' if len(value) == 1 else ''})"
    return repr(value)
