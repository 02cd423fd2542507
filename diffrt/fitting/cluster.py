"""A Dask cluster as an executor."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from diffrt.errors import InputError

RETRIES = 3
"""Workers that may die at one task."""


class Cluster(Executor):
    """The workers of a cluster. client: of `distributed`."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._all = client.get_executor(pure=False, retries=RETRIES)

    @property
    def slots(self) -> tuple[Executor, ...]:
        """For each worker an executor that prefers it: if it dies, another one does its tasks."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        return tuple(
            self._client.get_executor(pure=False, retries=RETRIES, workers=[address], allow_other_workers=True)
            for address in workers
        )

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Have a function called by whichever worker is free."""
        found: Future[Any] = self._all.submit(fn, *args, **kwargs)
        return found


@contextmanager
def cluster(address: str | None) -> Iterator[Executor | None]:
    """An executor on the cluster at an address, None if there is no address. Raises InputError if none answers."""
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError("--dask: needs the package distributed: pip install 'diffrt[distributed]'") from None
    try:
        client = Client(address, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as fault:
        raise InputError(f"--dask: no cluster answers at {address}: {type(fault).__name__}") from None
    with client:
        yield Cluster(client)
