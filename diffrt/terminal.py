"""What a long command says while it runs, and how it is told to end."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffrt.fit.search import Progress, Step
    from diffrt.fit.starts import Told


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
        print(line, end=ended, file=sys.stderr, flush=True)

    def step(s: "Step") -> None:
        where = f"blur {s.blur:.3g}" if s.blur else "full image"
        moved = f"{s.most} moved {s.moved:.2g}" if s.moved else "start"
        put(f"evaluation {s.count}, {where}: loss {s.loss:.4g}, {moved}; at most {s.left:.0f} s left")

    def told(done: int, all: int, least: float) -> None:
        put(f"start {done} of {all}: least loss {least:.4g}")

    try:
        yield step, told
    finally:
        if live:
            print("\x1b[K", end="", file=sys.stderr, flush=True)
