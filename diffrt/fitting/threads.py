"""Linear algebra in one thread.

What a fit multiplies and decomposes is small: blurs of some hundred rows, triangles of some ten columns, view by view.
Libraries of linear algebra share out even that among threads, which then do little but wait for each other; beside
other processes that wait too, such products take many times as long.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it this process's linear algebra is done in the thread that asks for it."""
    import scipy.linalg  # noqa: F401  # has a library of its own, which is limited if it is there
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield


def in_one_thread(function: Callable[P, T]) -> Callable[P, T]:
    """A function whose linear algebra is."""

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> T:
        with one_thread():
            return function(*args, **kwargs)

    return alone
