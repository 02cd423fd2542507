"""Names for what a formula computes, for people who read its graph.

    b = named(dot(v, d), "closest approach")

Names cost nothing where nobody looks: numbers, and what the compiler records, pass through. A scope is remembered as
the serial numbers of the Vars that were made in it, so an op need not know of it.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from .variable import Var, _serial, within

Scope = tuple[str, int, int]
"""A name, and the serial numbers from the first to before the last."""

_watched: ContextVar[list[Scope] | None] = ContextVar("watched", default=None)


def named(x: Any, name: str) -> Any:
    """x, a Var of which has the name from now on, if it has none yet."""
    if type(x) is Var and x.name is None:
        x.name = name
    return x


@contextmanager
def scope(name: str) -> Iterator[None]:
    """What is computed inside belongs together, under this name. Scopes may lie in each other."""
    scopes = _watched.get()
    if scopes is None:
        yield
        return
    first = next(_serial)
    try:
        yield
    finally:
        scopes.append((name, first, next(_serial)))


def watch_scopes() -> AbstractContextManager[list[Scope]]:
    """The scopes that are left while this one lasts, the inner ones before those around them."""
    return within(_watched, [])
