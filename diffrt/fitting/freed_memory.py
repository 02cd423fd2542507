"""Memory that a worker frees is kept for its next image.

The C library gives memory of larger arrays back to the system when they are freed, and gets it anew for the next ones,
page by page. Images and their derivatives are made of hundreds of such arrays, and a worker makes one image after the
other: a fifth of its time went into pages, and a third in a thread, or where a cluster has the library give back more.
"""

import ctypes
import sys
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of `mallopt` in the GNU C library."""

KEPT = 1 << 28
"""Bytes that are kept at most."""

MAPPED = 1 << 25
"""Arrays of more bytes are given back in any case, the most that may be asked for."""


def keep_freed_memory() -> None:
    """Have this process keep what it frees. Nothing is done where the C library is another one."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            library = ctypes.CDLL(None)
            library.mallopt(M_MMAP_THRESHOLD, MAPPED)
            library.mallopt(M_TRIM_THRESHOLD, KEPT)
