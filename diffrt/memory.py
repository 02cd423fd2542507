"""How much memory there is, a refusal of what takes more, and what is done with memory that is freed.

Without a refusal numpy raises a MemoryError at best; at worst the machine comes to a halt, or the system ends some
process.

The C library gives memory of larger arrays back to the system when they are freed, and gets it anew for the next ones,
page by page. Images and their derivatives are made of hundreds of such arrays: a tenth of the time went into pages, and
a third in a thread, or where a cluster has the library give back more.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from diffrt.errors import InputError

GIB = 1 << 30

LITTLE = 1 << 24
"""Bytes that are there in any case: Python and its libraries have taken several times as many. To ask takes longer than
to render a few thousand pixels."""


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of `mallopt` in the GNU C library."""

KEPT = 1 << 28
"""Bytes of freed memory that are kept at most."""

MAPPED = 1 << 25
"""Arrays of more bytes are given back in any case, the most that may be asked for."""


@cache
def keep_freed_memory() -> None:
    """Have this process keep what it frees, unless its environment says what is to be kept. Nothing is done where the C
    library is another one."""
    said = "MALLOC_TRIM_THRESHOLD_" in os.environ or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if sys.platform == "linux" and not said:
        import ctypes

        with suppress(AttributeError, OSError):
            library = ctypes.CDLL(None)
            library.mallopt(M_MMAP_THRESHOLD, MAPPED)
            library.mallopt(M_TRIM_THRESHOLD, KEPT)


def require_memory(needed: float, what: str, remedy: str) -> None:
    """Raises InputError if there is less memory than is needed.

    needed: in bytes. what: takes them. remedy: what takes less.
    """
    if needed <= LITTLE:
        return
    there = available_memory()
    if there is not None and needed > there:
        raise InputError(
            f"{what} takes about {needed / GIB:.3g} GiB of memory, and {there / GIB:.3g} GiB are there; {remedy}"
        )


def available_memory() -> int | None:
    """The bytes that this process may still take; None if the system does not tell."""
    return min(_limits(), default=None)


def _limits() -> Iterator[int]:
    """Free memory and swap of the machine, and what the process's group and its own limit leave of it."""
    if sys.platform == "win32":
        yield _of_windows()
        return
    with suppress(OSError, KeyError, ValueError):
        lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
        free = {name: 1024 * int(number) for name, number, *_ in lines}
        yield free["MemAvailable:"] + free["SwapFree:"]
    with suppress(OSError, ValueError):  # all of it, where nothing says what is free
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):
        group = Path("/proc/self/cgroup").read_text().rpartition("0::")[2].strip().lstrip("/")
        for folder in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup") / group):
            with suppress(OSError, ValueError):  # "max" is no limit
                yield int((folder / "memory.max").read_text())
    with suppress(OSError, ValueError):
        yield int(Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").read_text())
    import resource

    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most != resource.RLIM_INFINITY:
        used = 0
        with suppress(OSError):
            used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        yield max(most - used, 0)


def _of_windows() -> int:
    """The available memory and page file (GlobalMemoryStatusEx)."""
    import ctypes

    status = (ctypes.c_uint64 * 8)(64)  # its own length and the load, then seven numbers of bytes
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined,unused-ignore]
    return int(status[4])
