"""The journal of a fit: every evaluation, on disk as soon as it is made.

An optimiser is a program without chance: from the same start it asks for the same points, if it gets the same answers.
So a fit that was cut off is not guessed at: it is run again from the start, with the answers read from its journal as
long as there are any, and it goes on with its trust region and all else where it was. It ends at the same bits.

What a journal holds is signed by a digest, so that a changed number is not taken for an evaluation.
"""

import hashlib
import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from diffrt import __version__
from diffrt.errors import InputError
from diffrt.files import MIB, make_folder, read_bytes, write_whole
from diffrt.fitting.problem import Problem
from diffrt.fitting.triangle import Layout
from diffrt.types import Array

NAME = "state.npz"

_COLUMNS = ("level", "u", "answer", "seconds")
"""The arrays of a journal, a row for each evaluation."""


@dataclass(frozen=True)
class Entry:
    """An evaluation. level: its number. u: where, (k,). answer: what was found. seconds: since the fit began."""

    level: int
    u: Array
    answer: Array
    seconds: float


@dataclass
class Journal:
    """The entries of a fit, and where it is kept.

    path: the file, None for none. fingerprint: of the problem. ended: for fits from many starts, the searches that have
    ended, by their number.
    """

    path: Path | None = None
    fingerprint: str = ""
    entries: list[Entry] = field(default_factory=list)
    ended: dict[int, dict[str, Any]] = field(default_factory=dict)
    _next: int = 0

    def recall(self, level: int, u: Array) -> Entry | None:
        """The next entry, if it is of this point. If it is not, all that follows is forgotten."""
        if self._next == len(self.entries):
            return None
        entry = self.entries[self._next]
        if entry.level != level or not np.array_equal(entry.u, u):
            del self.entries[self._next :]
            return None
        self._next += 1
        return entry

    def add(self, entry: Entry) -> None:
        """Add an entry, and write the journal. Raises InputError if it cannot be written."""
        self.entries.append(entry)
        self._next = len(self.entries)
        self.write()

    def end(self, number: int, found: Mapping[str, Any]) -> None:
        """Note that a search has ended, and write the journal."""
        self.ended[number] = dict(found)
        self.write()

    def write(self) -> None:
        """Write it whole. Raises InputError if it cannot."""
        if self.path is None:
            return
        make_folder(self.path.parent)
        # Answers with loose rows are longer than others, and say how long they are.
        longest = max((len(e.answer) for e in self.entries), default=0)
        rows = [replace(e, answer=np.pad(e.answer, (0, longest - len(e.answer)))) for e in self.entries]
        columns = {name: np.array([getattr(e, name) for e in rows], float) for name in _COLUMNS}
        ended = {str(number): found for number, found in self.ended.items()}
        header = {"version": __version__, "fingerprint": self.fingerprint, "ended": ended}
        file = io.BytesIO()
        words = json.dumps({**header, "digest": _digest(header, columns)}).encode()
        arrays: dict[str, Any] = {"header": np.frombuffer(words, np.uint8), **columns}
        np.savez(file, **arrays)
        write_whole(self.path, file.getvalue())

    def remove(self) -> None:
        """Delete the file: the fit has ended."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def open_journal(problem: Problem, folder: str | Path | None, resume: bool) -> Journal:
    """The journal of a fit in a folder; without one it is kept nowhere.

    resume: whether to go on with what is there. Raises InputError if there is nothing to resume, or it is of another
    fit or version, or damaged; and if there is an unfinished fit, and it is not to be resumed.
    """
    if folder is None:
        if resume:
            raise InputError("resume: needs the folder of the fit")
        return Journal()
    path = Path(folder) / NAME
    journal = Journal(path, fingerprint(problem))
    if not resume:
        if path.exists():
            raise InputError(f"{folder}: holds an unfinished fit; go on with --resume, or delete {path}")
        return journal
    if not path.exists():
        raise InputError(f"{folder}: holds no unfinished fit ({NAME}); start one without --resume")
    data = read_bytes(path, 1024 * MIB)
    try:
        words, columns = _read(data)
        header = json.loads(words)
        digest, version, of = header.pop("digest", None), header["version"], header["fingerprint"]
        if version == __version__ and digest != _digest(header, columns):
            raise ValueError("changed by another hand")
        journal.ended = {int(number): found for number, found in header["ended"].items()}
        journal.entries = [
            Entry(int(level), u, answer, float(seconds))
            for level, u, answer, seconds in zip(*columns.values(), strict=True)
        ]
        size, least = _sizes(problem)
        if any(e.u.shape != (size,) or e.answer.ndim != 1 or len(e.answer) < least for e in journal.entries):
            raise ValueError("of another problem")
    except Exception:  # numpy, zipfile and json name no common list
        raise InputError(f"{path}: damaged, or not the state of a fit; delete it and start again") from None
    if version != __version__:
        raise InputError(f"{path}: was written by diffrt {version}, this is {__version__}; delete it and start again")
    if of != journal.fingerprint:
        raise InputError(f"{path}: is of another fit: another scene, target, start or setting; it was left as it is")
    return journal


def _read(data: bytes) -> tuple[bytes, dict[str, Array]]:
    """The header of a journal's file, and its columns. Raises ValueError, or what a library does, if it is none.

    The file is not compressed, and says in three places how large an array is. All must be true before one is made.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        found = {}
        for name in ("header", *_COLUMNS):
            info = file.getinfo(f"{name}.npy")
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > len(data):
                raise ValueError("compressed")
            member = io.BytesIO(file.read(info))
            if np.lib.format.read_magic(member) != (1, 0):
                raise ValueError("another format")
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # numpy tells in this way of a header that it did not write
                shape, _, kind = np.lib.format.read_array_header_1_0(member)
            if kind != (np.uint8 if name == "header" else np.float64):
                raise ValueError("another type")
            found[name] = np.frombuffer(member.read(), kind).reshape(shape)
    return found.pop("header").tobytes(), found


def _sizes(problem: Problem) -> tuple[int, int]:
    """Of the coordinates, and of the answer of an evaluation, at least: a folded Jacobian, or a gradient and a loss."""
    size = problem.variables.start.size
    folded = problem.settings.method == "least_squares"
    return size, Layout.of(problem.variables).count if folded else size + 1


def _digest(header: Mapping[str, Any], columns: Mapping[str, Array]) -> str:
    told = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for values in columns.values():
        told.update(str(values.shape).encode())
        told.update(values.tobytes())
    return told.hexdigest()


def fingerprint(problem: Problem) -> str:
    """A word that is equal for equal problems only."""
    told = hashlib.sha256()
    for view in problem.views:
        told.update(f"{view.name} {view.scene.to_toml()} {view.own_camera} {sorted(view.own)}".encode())
        for values in (view.photograph.image, view.photograph.dark, view.photograph.bright, view.used):
            told.update(np.ascontiguousarray(values).tobytes())
    for free in problem.variables.free:
        numbers = [part.tolist() for part in (free.start, free.lower, free.upper)]
        told.update(repr((free.name, free.components, free.kind, numbers, free.followers, free.view)).encode())
    told.update(repr(problem.settings).encode())
    return told.hexdigest()
