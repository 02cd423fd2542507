"""Trees: tuples, lists and dicts, one in the other, with numbers or arrays at their ends.

What is differentiated by, and what comes back, may be a tree. None stands for nothing and is left as it is. A list is
always a tree, also one of plain numbers; an array is made of it by numpy.
"""

from collections.abc import Callable, Iterator
from typing import Any

DEEPEST = 100
"""How many tuples, lists and dicts may lie in each other."""


def leaves(tree: Any, name: str) -> list[tuple[str, Any]]:
    """The ends of a tree in order, each with its place in it as one would write it, such as "argument 0['w'][1]".

    Raises ValueError for a tree that is too deep, or contains itself.
    """
    return list(_leaves(tree, name, name, DEEPEST))


def _leaves(tree: Any, place: str, name: str, room: int) -> Iterator[tuple[str, Any]]:
    if not room:
        raise ValueError(f"{name} has more than {DEEPEST} tuples, lists and dicts in each other, or contains itself")
    if (parts := _parts(tree)) is not None:
        for key, part in parts.items():
            yield from _leaves(part, f"{place}[{key!r}]", name, room - 1)
    elif tree is not None:
        yield place, tree


def is_tree(x: Any) -> bool:
    """Whether x is no end, but a tuple, a list or a dict."""
    return isinstance(x, tuple | list | dict)


def mapped(change: Callable[[Any], Any], tree: Any) -> Any:
    """A tree of the same form, with change(end) for each end, in the order of `leaves`."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {key: mapped(change, part) for key, part in tree.items()}
    if isinstance(tree, tuple | list):
        parts = [mapped(change, part) for part in tree]
        if hasattr(tree, "_fields"):  # a named tuple
            return type(tree)(*parts)
        return tuple(parts) if isinstance(tree, tuple) else parts
    return change(tree)


def filled(tree: Any, ends: Any) -> Any:
    """A tree of the same form with these ends, in order."""
    rest = iter(ends)
    return mapped(lambda _: next(rest), tree)


def matched(tree: Any, other: Any, name: str, what: str) -> list[Any]:
    """For each end of the tree what stands there in the other one; None in it is None for all that lies below.

    name, what: of the other one and of the tree, for messages. Raises ValueError where their forms differ.
    """
    if tree is None:
        return []
    if other is None:
        return [None] * len(leaves(tree, what))
    if is_tree(tree):
        parts, others = _parts(tree), _parts(other)
        if parts is None or others is None or parts.keys() != others.keys():
            raise ValueError(f"{name} is {_form(other)}, but {what} is {_form(tree)}; their forms must agree")
        return [x for key, part in parts.items()
                for x in matched(part, others[key], f"{name}[{key!r}]", f"{what}[{key!r}]")]  # fmt: skip
    return [other]


def _parts(tree: Any) -> dict[Any, Any] | None:
    if isinstance(tree, dict):
        return tree
    return dict(enumerate(tree)) if is_tree(tree) else None


def _form(tree: Any) -> str:
    if isinstance(tree, dict):
        return f"a dict of {', '.join(map(repr, tree)) or 'nothing'}"
    return f"a {type(tree).__name__} of {len(tree)}" if is_tree(tree) else "a number or an array"
