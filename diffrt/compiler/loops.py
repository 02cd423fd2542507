"""Loops in kernels: each means the same on numbers and in a recorded program.

Only straight-line code is differentiated; what is in a loop is looked for, not derived. What a body computes with
besides its arguments it may take from around it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from diffrt.compiler.program import Loop, Node, Recorder, Scope, TableInput, as_nodes, recorder_of

Body = Callable[..., Sequence[Any]]


def fold(table: Any, body: Body, carry: Sequence[Any]) -> list[Any]:
    """Go through the rows of a table in order.

    table: as a kernel is given it. body: called as body(fields, *carry), fields (..., 1) of one row; it returns the
    new carry. carry: arrays (..., n).
    """
    if isinstance(table, TableInput):
        return _record("fold", table.recorder, lambda scope: lambda *c: body(table.row(scope), *c), carry, table=table)
    carry = list(carry)
    for row in range(table[0].shape[-1]) if table else ():
        carry = list(body([f[..., row : row + 1] for f in table], *carry))
    return carry


def repeat(count: int, body: Body, carry: Sequence[Any]) -> list[Any]:
    """Do something again while a lane is active, at most `count` times.

    carry: arrays (..., n); the first one holds booleans, and a lane goes on where it is true. Where it is not, the lane
    stays as it is. body: called as body(*carry); it returns the new carry.
    """
    recorder = recorder_of(carry)
    if recorder is not None:
        return _record("repeat", recorder, lambda _: body, carry, count=count)
    carry = list(carry)
    for _ in range(count):
        if not np.any(carry[0]):
            break
        active = carry[0]
        carry = [_kept(active, new, old) for new, old in zip(body(*carry), carry, strict=True)]
    return carry


def when(mask: Any, body: Body, carry: Sequence[Any]) -> list[Any]:
    """Do something where a mask is true; it is skipped if that is nowhere.

    mask: booleans (n,). body: called as body(*carry); it returns the new carry, which counts where the mask is true.
    carry: arrays (..., n), all that the body computes with and that differs between lanes.
    """
    recorder = recorder_of([mask, *carry])
    if recorder is not None:
        return _record("when", recorder, lambda _: body, carry, mask=mask)
    carry = list(carry)
    if not np.any(mask):
        return carry
    return [_kept(mask, new, old) for new, old in zip(body(*carry), carry, strict=True)]


def _kept(mask: Any, new: Any, old: Any) -> Any:
    return np.where(mask, new, old)


def _record(kind: str, recorder: Recorder, make: Any, carry: Sequence[Any], mask: Any = None, count: int = 0,
            table: TableInput | None = None) -> list[Any]:  # fmt: skip
    arrays = [as_nodes(recorder, c) for c in carry]
    given = [entry for a in arrays for entry in a.ravel()]
    scope = Scope(kind, recorder.inner)
    asked: Node | None = None
    if mask is not None:
        (asked,) = as_nodes(recorder, mask).ravel()
    carried = [recorder.carried(scope, g) for g in given]
    places = np.cumsum([0, *(a.size for a in arrays)])

    def shaped(nodes: list[Node]) -> list[Any]:
        parts = []
        for i, a in enumerate(arrays):
            part = np.empty(a.size, object)
            part[:] = nodes[places[i] : places[i + 1]]
            parts.append(part.reshape(a.shape))
        return parts

    around, recorder.inner = recorder.inner, scope
    try:
        new = make(scope)(*shaped(carried))
    finally:
        recorder.inner = around
    after = []
    for a, n in zip(arrays, new, strict=True):
        whole = np.broadcast_to(as_nodes(recorder, n), a.shape)
        after += list(whole.ravel())
    loop = Loop(kind, scope, given, carried, after, asked, count, table.number if table else -1)
    if kind != "fold":
        chosen = asked if kind == "when" else carried[0]
        loop.after = [recorder.make("where", chosen, n, c) for n, c in zip(after, carried, strict=True)]
    loop.results = [recorder.result(loop, i, around) for i in range(len(given))]
    loop.number = recorder.count()
    recorder.loops.append(loop)
    return shaped(loop.results)
