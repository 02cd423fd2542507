"""How large a picture may be, and what is said of a damaged one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffrt.errors import InputError

MAX_SIDE = 16384
MAX_PIXELS = 1 << 24  # 4096 x 4096, which as linear float64 take 384 MiB


def check_size(path: str | Path, height: int, width: int, most: int = MAX_PIXELS) -> None:
    """Raises InputError if a picture is empty, or has more than MAX_SIDE pixels on a side or `most` in all."""
    if max(height, width) > MAX_SIDE:
        raise InputError(f"{path}: is {_count(width)} x {_count(height)} pixels; a side may have {MAX_SIDE}")
    if min(height, width) < 1:
        raise InputError(f"{path}: is {_count(width)} x {_count(height)} pixels; at least one is needed")
    if height * width > most:
        raise InputError(f"{path}: is {width} x {height} pixels; {most} in all are read")


class Damaged(Exception):
    """What is wrong with a file, in words for a user."""


@contextmanager
def decoding(path: str | Path, what: str, otherwise: str) -> Iterator[None]:
    """Whatever is raised inside is a fault of the file, as an InputError: what is read may be anything, and libraries
    name no list. What they say is of their own insides, so we say it otherwise, but for what is `Damaged`."""
    try:
        yield
    except InputError:
        raise
    except Exception as fault:
        raise InputError(f"{path}: {what}: {fault if isinstance(fault, Damaged) else otherwise}") from None


def _count(pixels: int) -> str:
    return str(pixels) if abs(pixels) < 10**12 else "over 10^12"
