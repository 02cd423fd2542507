"""Processes of this machine as an executor, which outlive the death of any of them.

A process imports this package and nothing of the program that started it, so that a script needs no guard against being
run again. It reads tasks from its standard input and writes what they give to its standard output. If it dies, perhaps
killed for memory, another takes its place and does its task again; the others go on.
"""

import os
import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from threading import Thread
from typing import Any, BinaryIO

from diffrt.compiler.engine import processors
from diffrt.errors import InputError

TRIES = 3
"""Processes that may die at one task."""

_LENGTH = 8
"""Bytes in which the length of a message stands before it."""

_PROGRAM = "import sys; sys.path[:] = {path!r}; from diffrt.fitting.processes import work; work()"

_ALONE = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Each process computes in one thread, as there are as many of them as processors."""


class Process(Executor):
    """One process; its tasks are done one after the other."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[tuple[Future[Any], bytes] | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The number of the process, None before its first task."""
        return self._process.pid if self._process else None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Have a function of a module called in the process. Raises what cannot be pickled."""
        future: Future[Any] = Future()
        self._tasks.put((future, pickle.dumps((fn, args, kwargs), pickle.HIGHEST_PROTOCOL)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the process: after its tasks, or at once if they are cancelled."""
        self._ended = cancel_futures
        if cancel_futures and self._process:
            self._process.kill()
        self._tasks.put(None)
        if wait:
            self._thread.join()

    def _serve(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, message = task
            if self._ended or not future.set_running_or_notify_cancel():
                future.cancel()
                continue
            for _ in range(TRIES):
                try:
                    found, fault = self._ask(message)
                    break
                except (OSError, EOFError):  # it has died
                    self._process = None
                    found, fault = None, InputError("views: processes were killed again and again; is there memory?")
                    if self._ended:
                        break
            if fault is None:
                future.set_result(found)
            else:
                future.set_exception(fault)
        if self._process:
            self._process.stdin.close()  # type: ignore[union-attr]
            self._process.wait()

    def _ask(self, message: bytes) -> tuple[Any, BaseException | None]:
        """What a task gives, and what it raised. Raises OSError or EOFError if the process dies."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM.format(path=sys.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, env={**os.environ, **_ALONE},
            )  # fmt: skip
        _write(self._process.stdin, message)  # type: ignore[arg-type]
        found: tuple[Any, BaseException | None] = pickle.loads(_read(self._process.stdout))  # type: ignore[arg-type]
        return found


class Processes(Executor):
    """As many processes as there are processors, or `count`. slots: each of them."""

    def __init__(self, count: int | None = None) -> None:
        self.slots = tuple(Process() for _ in range(count or processors()))
        self._next = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Have a function of a module called in one of the processes, in turn."""
        self._next += 1
        return self.slots[self._next % len(self.slots)].submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all of them."""
        for slot in self.slots:
            slot.shutdown(False, cancel_futures=cancel_futures)
        for slot in self.slots if wait else ():
            slot.shutdown(True, cancel_futures=cancel_futures)


def work() -> None:
    """What a process does: tasks from standard input, until it ends."""
    # Ctrl-C goes to every process of a terminal; what is done then is for the first one to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)  # what a library prints is no answer
    while True:
        try:
            message = _read(tasks)
        except EOFError:
            return
        try:
            function, args, kwargs = pickle.loads(message)
            answer: tuple[Any, BaseException | None] = function(*args, **kwargs), None
        except Exception as fault:
            answer = None, fault
        _write(answers, pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))


def _write(file: BinaryIO, message: bytes) -> None:
    file.write(len(message).to_bytes(_LENGTH, "little"))
    file.write(message)
    file.flush()


def _read(file: BinaryIO) -> bytes:
    """One message. Raises EOFError if the other side has gone."""
    length = file.read(_LENGTH)
    message = file.read(int.from_bytes(length, "little")) if len(length) == _LENGTH else b""
    if len(length) < _LENGTH or len(message) < int.from_bytes(length, "little"):
        raise EOFError
    return message
