"""The border between the program and a terminal: what goes out, what may come in, and how a command ends.

Out goes text alone, whatever stands in the files and arguments that it quotes: every line is made printable, and what
the terminal's encoding lacks is escaped. However a command ends, its last word is a line, not a traceback.
"""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import isfinite
from typing import TYPE_CHECKING, Any

from diffrt.errors import InputError, printable

if TYPE_CHECKING:
    from diffrt.fitting.search import Progress, Step
    from diffrt.fitting.starts import Told


WRONG_INPUT, INTERRUPTED, OUR_FAULT = 2, 130, 70
"""Exit codes: as of command lines; as a shell gives for Ctrl-C; and EX_SOFTWARE of BSD's sysexits."""


def say(text: str, *, error: bool = False, flush: bool = False) -> None:
    """Print lines to standard output, or standard error, with escapes for what a terminal would act upon."""
    lines = "\n".join(map(printable, text.split("\n")))
    print(lines, file=sys.stderr if error else sys.stdout, flush=flush)


@contextmanager
def border() -> Iterator[None]:
    """Runs a command: whatever it raises ends as one line per mistake on standard error, and an exit code.

    `python -X dev -m diffrt` shows the traceback of a fault of the program, and the warnings of numpy, too.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed; the next file that is opened must not take its place
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    warnings.formatwarning = lambda message, *_: f"warning: {printable(str(message))}\n"
    if not sys.flags.dev_mode:
        warnings.simplefilter("ignore", RuntimeWarning)
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except InputError as fault:
        _end(WRONG_INPUT, *fault.problems)
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        _end(1)
    except OSError as fault:
        _end(1, f"cannot go on: {fault.strerror or fault}")
    except MemoryError:
        _end(1, "there is not enough memory for this; fewer pixels, or fewer cells, take less")
    except KeyboardInterrupt:
        _end(INTERRUPTED, "interrupted")
    except Exception as fault:
        if hasattr(fault, "format_message"):  # of typer, or of click, for a wrong word on the command line
            command = getattr(getattr(fault, "ctx", None), "command_path", "diffrt")
            message = " ".join(fault.format_message().split()).rstrip(".")
            # Without a message the help itself has been shown.
            _end(WRONG_INPUT, *([f"{message}; see {command} --help"] if message else []))
        if sys.flags.dev_mode:
            raise
        place = traceback.extract_tb(fault.__traceback__)[-1]
        _end(
            OUR_FAULT,
            f"a fault of diffrt, not of your input: {type(fault).__name__} in {place.name}, {place.filename}:"
            f"{place.lineno}: {' '.join(str(fault).split())[:200]}",
            "please report it, with what `python -X dev -m diffrt ...` prints",
        )


def _end(code: int, *lines: str) -> None:
    """Say the last lines, and end the program."""
    with suppress(OSError):  # nobody may listen any more
        for line in lines:
            say(line, error=True, flush=True)
    with suppress(OSError, ValueError):  # what is left in its buffer has no reader
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(code) from None


@contextmanager
def signals() -> Iterator[list[int]]:
    """The signals that asked to stop: Ctrl-C or SIGTERM. A second one ends the program at once."""
    received: list[int] = []

    def receive(number: int, frame: Any) -> None:
        received.append(number)
        for each, old in before.items():
            signal.signal(each, old)

    before = {each: signal.signal(each, receive) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for each, old in before.items():
            signal.signal(each, old)


@contextmanager
def progress_lines(quiet: bool) -> "Iterator[tuple[Progress | None, Told | None]]":
    """Shows the evaluations of a search, or the searches from many starts: one line that changes on a terminal, lines
    of their own in a pipe."""
    if quiet:
        yield None, None
        return
    live = sys.stderr.isatty()
    ended = "\x1b[K\r" if live else "\n"

    def put(line: str) -> None:
        print(printable(line), end=ended, file=sys.stderr, flush=True)

    def step(s: "Step") -> None:
        where = f"blur {s.blur:.3g}" if s.blur else "full image"
        moved = f"{s.most} moved {s.moved:.2g}" if s.moved else "start"
        left = f", about {_rounded(s.left)} left" if isfinite(s.left) else ""
        put(f"evaluation {s.count}, {where}: loss {s.loss:.4g}, {moved}; {s.seconds:.1f} s{left}")

    def told(done: int, all: int, least: float) -> None:
        put(f"start {done} of {all}: least loss {least:.4g}")

    try:
        yield step, told
    finally:
        if live:
            print("\x1b[K", end="", file=sys.stderr, flush=True)


def _rounded(seconds: float) -> str:
    """A time that is known roughly."""
    if seconds >= 90.0:
        return f"{seconds / 60.0:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 1.0 else "1 s"
