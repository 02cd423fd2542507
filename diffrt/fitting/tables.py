"""Tables of numbers that are known of each view, such as where its lamp was: .npy, .csv or .txt.

    file, sun.direction.x, sun.direction.y, sun.direction.z      a head of names, if one file holds several parameters
    a.png, 0.3, -0.4, -1.0                                       and a column `file`, if rows have another order
    b.png, 0.1, -0.5, -1.0

A table of one parameter needs no head: a row of numbers for each view, with commas, semicolons or blanks between them.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffrt.errors import InputError, listed, shown
from diffrt.files import read_bytes, read_text
from diffrt.types import Array

_LARGEST = 1 << 22
"""Bytes of a table."""


def known_values(given: Any, folder: Path, files: Sequence[Path]) -> dict[str, Any]:
    """Rows of numbers by the path of a parameter, as `make_problem` takes them.

    given: the path of a table with a head; or a mapping from the path of a parameter to that of a table, or to rows.
    folder: that paths are seen from. files: of the views, in their order. Raises InputError.
    """
    if isinstance(given, str):
        return _with_head(folder / given, files)
    if not isinstance(given, Mapping):
        raise InputError(f"values: found {shown(given)}, needed: the path of a table, or one for each parameter")
    return {path: _rows(folder / table) if isinstance(table, str) else table for path, table in given.items()}


def _rows(path: Path) -> Array:
    """The numbers of a table, (n, c). Raises InputError."""
    if path.suffix.lower() == ".npy":
        return _array(path)
    lines = _lines(path)
    if not _all_numbers(lines[0]):
        lines = lines[1:]
    return np.array([_numbers(path, number, line, lines[0]) for number, line in enumerate(lines)]).reshape(
        len(lines), -1
    )


def _array(path: Path) -> Array:
    """The numbers of a .npy file, (n, c). Raises InputError."""
    read_bytes(path, _LARGEST)
    try:
        # As a map of the file, so that nothing of a size that only its header says is made.
        found = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except Exception:  # the header is a Python literal: it can be wrong in as many ways as a program
        raise InputError(f"{path}: not a .npy file of numbers, or damaged") from None
    if found.dtype.kind not in "fiu" or found.ndim not in (1, 2):
        raise InputError(
            f"{path}: holds {found.dtype} values of shape {found.shape}, needed: a row of numbers for each view"
        )
    if not np.isfinite(found).all():
        raise InputError(f"{path}: holds values that are not finite")
    return found.astype(float).reshape(len(found), -1)


def _with_head(path: Path, files: Sequence[Path]) -> dict[str, Any]:
    """The columns of a table by the names in its head. Raises InputError."""
    head, *lines = _lines(path)
    if _all_numbers(head):
        raise InputError(f"{path}: has no head; its first line must name the columns, such as file,sun.direction.x")
    short = next((n for n, line in enumerate(lines) if len(line) != len(head)), None)
    if short is not None:
        raise InputError(
            f"{path}: row {short + 1}: found {len(lines[short])} entries, needed: {len(head)}, as the head"
        )
    if "file" in head:
        lines = _in_order(path, lines, head.index("file"), files)
    names = [name for name in head if name != "file"]
    columns = [index for index, name in enumerate(head) if name != "file"]
    found = [_numbers(path, number, [line[i] for i in columns], names) for number, line in enumerate(lines)]
    return dict(zip(names, np.array(found).reshape(len(lines), len(names)).T, strict=True))


def _in_order(path: Path, lines: list[list[str]], column: int, files: Sequence[Path]) -> list[list[str]]:
    """The rows in the order of the files that they name, with their endings or without."""
    row = {line[column]: line for line in lines}
    found = [row.get(file.name, row.get(file.stem)) for file in files]
    missing = [file.name for file, line in zip(files, found, strict=True) if line is None]
    if missing:
        raise InputError(f"{path}: has no row for {listed(missing)}")
    return [line for line in found if line is not None]


def _lines(path: Path) -> list[list[str]]:
    """The entries of each line that has some; what follows a # is a comment."""
    lines = [line.partition("#")[0].strip() for line in read_text(path, _LARGEST).splitlines()]
    split = [re.split(r"\s*[,;]\s*" if re.search("[,;]", line) else r"\s+", line) for line in lines if line]
    if not split:
        raise InputError(f"{path}: holds no rows")
    return split


def _numbers(path: Path, number: int, line: Sequence[str], like: Sequence[str]) -> list[float]:
    """The numbers of one row. Raises InputError."""
    if not _all_numbers(line) or len(line) != len(like):
        raise InputError(f"{path}: row {number + 1}: found {shown(' '.join(line))}, needed: {len(like)} numbers")
    return [float(entry) for entry in line]


def _all_numbers(line: Sequence[str]) -> bool:
    try:
        return bool(np.isfinite([float(entry) for entry in line]).all())
    except ValueError:
        return False
