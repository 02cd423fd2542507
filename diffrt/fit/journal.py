"""The journal of a fit: every evaluation, on disk as soon as it is made.

An optimiser is a program without chance: from the same start it asks for the same points, if it gets the same answers.
So a fit that was cut off is not guessed at: it is run again from the start, with the answers read from its journal as
long as there are any, and it goes on with its trust region and all else where it was. It ends at the same bits.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt import __version__
from diffrt.errors import InputError
from diffrt.files import MIB, make_folder, read_bytes, unpack_npz, write_whole
from diffrt.fit.problem import Problem

Array = NDArray[np.float64]

NAME = "state.npz"


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

    path: the file, None for none. print: of the problem. ended: for fits from many starts, the searches that have
    ended, by their number.
    """

    path: Path | None = None
    print: str = ""
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
        header = {"version": __version__, "print": self.print, "ended": self.ended}
        file = io.BytesIO()
        np.savez(
            file,
            header=np.frombuffer(json.dumps(header).encode(), np.uint8),
            level=np.array([e.level for e in self.entries]),
            u=np.array([e.u for e in self.entries]),
            answer=np.array([e.answer for e in self.entries]),
            seconds=np.array([e.seconds for e in self.entries]),
        )
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
    try:
        file = unpack_npz(read_bytes(path, 1024 * MIB))
        header = json.loads(file["header"].tobytes())
        columns = [file[name] for name in ("level", "u", "answer", "seconds")]
        version, of = header["version"], header["print"]
        journal.ended = {int(number): found for number, found in header["ended"].items()}
        journal.entries = [Entry(int(n), u, a, float(s)) for n, u, a, s in zip(*columns, strict=True)]
    except InputError:
        raise
    except Exception:  # numpy, zipfile and json name no common list
        raise InputError(f"{path}: damaged, or not the state of a fit; delete it and start again") from None
    if version != __version__:
        raise InputError(f"{path}: was written by diffrt {version}, this is {__version__}; delete it and start again")
    if of != journal.print:
        raise InputError(f"{path}: is of another fit: another scene, target, start or setting; it was left as it is")
    return journal


def fingerprint(problem: Problem) -> str:
    """A word that is equal for equal problems only."""
    told = hashlib.sha256()
    for view in problem.views:
        told.update(f"{view.name} {view.scene.to_toml()} {view.own_camera}".encode())
        for values in (view.photograph.image, view.photograph.dark, view.photograph.bright, view.used):
            told.update(np.ascontiguousarray(values).tobytes())
    for free in problem.variables.free:
        numbers = [part.tolist() for part in (free.start, free.lower, free.upper)]
        told.update(repr((free.name, free.components, free.kind, numbers, free.followers)).encode())
    told.update(repr(problem.settings).encode())
    return told.hexdigest()
