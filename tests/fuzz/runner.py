"""Runs one input within limits, and says what was wrong."""

import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from diffrt.errors import MOST_LETTERS, MOST_PROBLEMS, InputError

from .formats import Wrong, formats
from .pace import pace

SECONDS, MEBIBYTES = 12.0, 1024.0  # a scene of new kinds is compiled for up to 9 s, of a usual machine
INSIDES = re.compile(r"object at 0x|<class|codec|requires a buffer|values to unpack|bytes not processed|Errno")
"""Words that Python and libraries say to programmers; a user is told what is wrong with the file."""

ADDRESSES = 6 << 30
"""More address space than this an input does not get, so that a bomb does not halt the machine."""


class TooSlow(BaseException):
    """Not an Exception, so that nobody takes it for a damaged file."""


@dataclass(frozen=True)
class Finding:
    """number: of the input. what: was wrong. data: the input."""

    format: str
    number: int
    what: str
    data: bytes


class Fuzzer:
    """Inputs by number, and what diffrt does with them. Use it within `with own_cache():`.

    seed: of all inputs. names: of formats, all if None; the inputs take turns.
    """

    def __init__(self, seed, names=None):
        self.seed = seed
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        known = formats(self.folder)
        self.formats = [known[name] for name in names or known if name in known]

    def input(self, number):
        """The format, the file to begin with and the altered one, which for one in ten is the same."""
        rng = random.Random(f"{self.seed} {number}")
        format = self.formats[number % len(self.formats)]
        file = rng.choice(format.bombs if format.bombs and rng.random() < 0.15 else format.files)
        if rng.random() < 0.1 and isinstance(file, bytes):
            return format, file, file
        return format, file, format.alter(rng, file)

    def run(self, number):
        """The Finding of an input, None if there is nothing to say against what diffrt does."""
        format, file, data = self.input(number)
        what = examine(lambda: format.run(data, file, self.folder))
        return Finding(format.name, number, what, data) if what else None


@contextmanager
def own_cache():
    """A cache folder for this time only, so that the user's own is not touched."""
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = os.path.realpath(folder)
        try:
            yield
        finally:
            os.environ.pop("XDG_CACHE_HOME")
            if before is not None:
                os.environ["XDG_CACHE_HOME"] = before


def examine(action):
    """What was wrong with a call, in a line; empty if nothing was."""
    _forget_peak()
    before, began = _mebibytes("VmRSS"), time.process_time()
    with tempfile.TemporaryFile() as spoken, _listening(spoken), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        wrong = _call(action)
        spoken.seek(0)
        said = spoken.read(200)
    taken, memory = time.process_time() - began, _mebibytes("VmHWM") - before
    if taken > SECONDS and taken > SECONDS * pace():
        wrong = f"takes {taken:.1f} s; {wrong}"
    if memory > MEBIBYTES:
        wrong = f"takes {memory:.0f} MiB; {wrong}"
    wrong += "".join(f"; {w.category.__name__}: {w.message} ({w.filename}:{w.lineno})" for w in warned[:2])
    return (wrong + (f"; prints {said!r}" if said else "")).lstrip("; ")


def _call(action):
    try:
        with _limited():
            text = action() or ""
    except InputError as refused:
        lines = str(refused).split("\n")
        if len(lines) > MOST_PROBLEMS + 1 or max(map(len, lines)) > MOST_LETTERS:
            return f"a long message: {len(lines)} lines, the longest of {max(map(len, lines))} letters"
        if INSIDES.search(str(refused)):
            return f"words of a library: {ascii(str(refused))[:200]}"
        if not all(lines):
            return "an empty message"
        text = str(refused)
    except TooSlow:
        return "does not end"
    except Wrong as fault:
        return str(fault)
    except Exception as fault:
        places = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(fault.__traceback__)]
        return f"{type(fault).__name__}: {ascii(str(fault))[:150]} ({' '.join(places[-4:])})"
    return "" if text.replace("\n", "").isprintable() else f"control characters: {ascii(text)[:150]}"


@contextmanager
def _limited():
    """Ends what takes too long, where there are signals, and lets nobody take all of the memory."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    import resource

    def stop(number, frame):
        raise TooSlow

    old, most = signal.signal(signal.SIGPROF, stop), resource.getrlimit(resource.RLIMIT_AS)
    if _STATUS.exists():
        resource.setrlimit(resource.RLIMIT_AS, (int(_mebibytes("VmSize") * 2**20) + ADDRESSES, most[1]))
    # Again and again, in case that somebody holds it up.
    signal.setitimer(signal.ITIMER_PROF, 5 * SECONDS, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)
        resource.setrlimit(resource.RLIMIT_AS, most)


@contextmanager
def _listening(file):
    """What Python and the libraries print goes into a file meanwhile."""
    kept = [os.dup(number) for number in (1, 2)]
    try:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        with open(os.dup(file.fileno()), "w", buffering=1) as text, redirect_stdout(text), redirect_stderr(text):
            yield
    finally:
        for number, old in zip((1, 2), kept, strict=True):
            os.dup2(old, number)
            os.close(old)


_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _mebibytes(what):
    """A number that the system tells of the memory of this process; 0 where it does not."""
    return int(_STATUS.read_text().split(f"{what}:")[1].split()[0]) / 1024 if _CLEAR.exists() else 0.0


def _forget_peak():
    """The most memory (VmHWM) is counted from here on."""
    if _CLEAR.exists():
        _CLEAR.write_text("5")
