"""A Dask cluster as an executor."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from diffrt.errors import InputError


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
        yield client.get_executor(pure=False, retries=3)  # type: ignore[no-untyped-call]
