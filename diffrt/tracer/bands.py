"""Bands: a large image is computed some rows at a time, of which little is kept.

A pixel is the same in every window (`window.py`), so an image is put together from those of its bands. Of a band that
is done only what is seen in it is kept (`Topology`), and its pixels. A sweep goes through it again, as that of
`autograd.checkpoint` does. Threads take bands; each has adjoints of its own, which are added up in the order of the
bands, so that no bit depends on the threads.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from itertools import pairwise
from threading import Lock
from typing import Any, Protocol

import numpy as np

from diffrt.autograd import Op, concatenate, index, pushforward, vjp
from diffrt.autograd.variable import apply
from diffrt.compiler import Engine
from diffrt.tracer.tables import Tables
from diffrt.tracer.window import BLOCK, Window

LARGE = 1 << 19
"""The cells of a band; an image of up to twice as many is one."""

AT_ONCE = 4
"""The most bands at a time, as each takes memory; where there are more threads, they share in a band."""


class Painter(Protocol):
    """Computes a window of an image (height, width, 3) from tables as seen by the whole camera, more than once."""

    window: Window

    def image(self, tables: Tables) -> Any: ...


def bands_of(window: Window, cells: int) -> list[Window]:
    """A window in bands of whole blocks. cells: per pixel side."""
    width, height = window.size
    if width * height * cells**2 <= 2 * LARGE:
        return [window]
    rows = max(LARGE // (width * cells**2 * BLOCK), 1) * BLOCK
    return [window.rows(first, min(first + rows, height)) for first in range(0, height, rows)]


def shared(engine: Engine, bands: int) -> tuple[Engine, int]:
    """The engine of each of some bands, and how many of them are computed at a time."""
    at_once = min(engine.threads, bands, AT_ONCE)
    return replace(engine, threads=max(engine.threads // at_once, 1)), at_once


def in_bands(tables: Tables, bands: Sequence[Painter], size: tuple[int, int], threads: int) -> Any:
    """The image of a window (height, width, 3), a Var where the tables hold one. size: width and height in pixels."""
    ends = np.cumsum([0, *(band.window.size[1] for band in bands)]).tolist()
    rows = [slice(*pair) for pair in pairwise(ends)]

    def image_of(band: Painter) -> Callable[..., Any]:
        return lambda *values: band.image(tables.holding(values))

    def forward(*values: Any) -> Any:
        whole: list[Any] = []  # there once a band says of which precision it is
        first = Lock()

        def paint(number: int) -> None:
            part = image_of(bands[number])(*values)
            with first:
                if not whole:
                    whole.append(np.empty((size[1], size[0], 3), part.dtype))
            whole[0][rows[number]] = part

        _each(paint, len(bands), threads)
        return whole[0]

    def backward(g: Any, out: Any, inputs: Sequence[Any], wanted: Sequence[bool]) -> list[Any]:
        numbers = [i for i, w in enumerate(wanted) if w]

        def adjoints(number: int) -> Any:
            _, pullback = vjp(image_of(bands[number]), *inputs, argnums=numbers)
            return pullback(index(g, rows[number]))

        parts = iter([sum(own[1:], own[0]) for own in zip(*_each(adjoints, len(bands), threads), strict=True)])
        return [next(parts) if w else None for w in wanted]

    def along(tangents: Sequence[Any], out: Any, inputs: Sequence[Any]) -> list[Any]:
        def columns(number: int) -> list[Any]:
            return pushforward(image_of(bands[number]), inputs, tangents)[1]

        found = _each(columns, len(bands), threads)
        # Of the parts none is kept once it is in its place.
        return [concatenate([own.pop(0) for own in found]) for _ in range(len(found[0]))]

    return apply(Op("bands", forward, vjp=backward, jvp=along), tuple(tables.variables()))


def _each(work: Callable[[int], Any], count: int, threads: int) -> list[Any]:
    """What the work gives for each number, in order."""
    if threads == 1:
        return [work(number) for number in range(count)]
    with ThreadPoolExecutor(threads, "diffrt-bands") as pool:
        # Whether the graph is recorded is known to the context of a thread.
        waiting = [pool.submit(copy_context().run, work, number) for number in range(count)]
        try:
            return [task.result() for task in waiting]
        finally:  # after an error or Ctrl-C the others need not begin
            pool.shutdown(wait=False, cancel_futures=True)
