"""Whoever waits while programs are compiled is told so, once, if it takes longer than one expects."""

from collections.abc import Callable

PATIENCE = 0.5
"""Seconds, of all programs together."""

_listeners: list[Callable[[], None]] = []
_spent = 0.0


def tell_of_compiling(tell: Callable[[], None]) -> None:
    """Have something called once, when compiling has taken longer than PATIENCE."""
    _listeners.append(tell)


def compiled_for(seconds: float) -> None:
    """Note that compiling took so long."""
    global _spent
    _spent += seconds
    while _spent > PATIENCE and _listeners:
        _listeners.pop()()
