"""Loops, conditions and choices in kernels: each means the same on numbers, on Vars and in a recorded program.

`scan`, `while_loop` and `cond` are for searches, which are not differentiated; what their bodies compute with besides
their arguments they may take from around them. `choose` is differentiated, in both modes and to any order: the
derivative of a choice is the choice of the derivatives, which compute the branch again. So all that has a derivative
must be among its arguments.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from diffrt.autograd import Op, add_at, broadcast_to, concatenate, index, pushforward, reshape, take, vjp
from diffrt.autograd.variable import Var, apply, is_recording, shape_of
from diffrt.compiler.forms import forms, holds_forms, lanes, length_of, parts_of, places_of
from diffrt.compiler.program import Choice, Loop, Node, Recorder, Scope, TableInput, as_nodes, recorder_of
from diffrt.compiler.structures import put_together

Body = Callable[..., Sequence[Any]]


def scan(table: Any, body: Body, carry: Sequence[Any], skip: Callable[[Any], Any] | None = None) -> list[Any]:
    """Go through the rows of a table in order.

    table: a Table, as a kernel is given it. body: called as body(row, *carry), the fields of one
    row as (..., 1); it returns the new carry. carry: arrays (..., n).
    skip: from a row to the number of the row to go on with where no lane needs what comes between; the body then
    returns that need, booleans (n,), before the new carry. What is skipped must leave the carry as it is: on numpy
    every row is looked at.
    """
    if isinstance(table, TableInput):
        return _record("scan", table.recorder, lambda scope: lambda *c: body(table.row(scope), *c), carry, table=table,
                       skip=skip and (lambda scope: skip(table.row(scope))))  # fmt: skip
    carry = list(carry)
    skeleton, fields = table.columns
    for row in range(fields[0].shape[-1]) if fields else ():
        found = list(body(put_together(skeleton, [f[..., row : row + 1] for f in fields]), *carry))
        carry = found[1:] if skip else found
    return carry


def while_loop(count: int, body: Body, carry: Sequence[Any]) -> list[Any]:
    """Do something again while a lane is active, at most `count` times.

    carry: arrays (..., n); the first one holds booleans, and a lane goes on where it is true. Where it is not, the lane
    stays as it is. body: called as body(*carry); it returns the new carry.
    """
    recorder = recorder_of(carry)
    if recorder is not None:
        return _record("while", recorder, lambda _: body, carry, count=count)
    carry = list(carry)
    for _ in range(count):
        if not np.any(carry[0]):
            break
        active = carry[0]
        carry = [_kept(active, new, old) for new, old in zip(body(*carry), carry, strict=True)]
    return carry


def cond(mask: Any, body: Body, carry: Sequence[Any]) -> list[Any]:
    """Do something where a mask is true; it is skipped if that is nowhere.

    mask: booleans (n,). body: called as body(*carry); it returns the new carry, which counts where the mask is true.
    carry: arrays (..., n), all that the body computes with and that differs between lanes.
    """
    recorder = recorder_of([mask, *carry])
    if recorder is not None:
        return _record("cond", recorder, lambda _: body, carry, mask=mask)
    carry = list(carry)
    if not np.any(mask):
        return carry
    return [_kept(mask, new, old) for new, old in zip(body(*carry), carry, strict=True)]


def choose(kind: Any, branches: Sequence[Body], arguments: Sequence[Any]) -> list[Any]:
    """What one of several branches makes of the arguments: of each sample the one whose number its kind is.

    kind: whole numbers (n,) or (1,) from 0 to len(branches) - 1, without derivative. In compiled code a choice is one
    jump, so samples that come together must be of one kind: it depends on uniforms, rows, or the row of a `scan`.
    branches: each called as branch(*arguments); all return lists of results of the same shapes. arguments: (..., n),
    all that a branch computes with and that differs between samples.
    """
    if len(branches) == 1:
        return list(branches[0](*arguments))
    if any(holds_forms(x) for x in arguments):
        return _choice_of_forms(kind, branches, arguments)
    recorder = recorder_of([kind, *map(_plain, arguments)])
    if recorder is not None:
        return _recorded_choice(recorder, kind, branches, arguments)
    numbers = np.ravel(_plain(kind)).astype(int)
    if not numbers.size or (numbers == numbers[0]).all():
        return list(branches[numbers[0] if numbers.size else 0](*arguments))
    size = len(numbers)
    found: list[Any] = []
    for number in np.unique(numbers):
        members = np.flatnonzero(numbers == number)
        own = [take(x, members, -1) if shape_of(x) and shape_of(x)[-1] == size else x for x in arguments]
        for i, result in enumerate(branches[number](*own)):
            part = broadcast_to(result, (*shape_of(result)[:-1], len(members)))
            if i == len(found):
                found.append(np.zeros((*shape_of(result)[:-1], size), getattr(_plain(result), "dtype", float)))
            found[i] = _put(found[i], members, part)
    return found


def _choice_of_forms(kind: Any, branches: Sequence[Body], arguments: Sequence[Any]) -> list[Any]:
    """A choice among whose arguments are forms: it is made on their parts, and on those of the results."""
    zero = np.zeros(max(length_of(x) for x in arguments if holds_forms(x)))
    places = max(places_of(x) for x in arguments if holds_forms(x))
    shapes = [np.shape(x) if holds_forms(x) else None for x in arguments]
    given = [np.stack(parts_of(x, zero, places)) if holds_forms(x) else x for x in arguments]
    found: list[tuple[int, ...]] = []

    def on_parts(branch: Body) -> Body:
        def run(*own: Any) -> list[Any]:
            entries = [
                lanes(x) if shape is None else forms(x, places).reshape(shape)
                for x, shape in zip(own, shapes, strict=True)
            ]
            results = branch(*entries)
            found[:] = [np.shape(r) for r in results]
            nothing = np.zeros(np.shape(own[shapes.index(next(s for s in shapes if s))])[-1])
            return [np.stack(parts_of(r, nothing, places)) for r in results]

        return run

    parts = choose(kind, [on_parts(branch) for branch in branches], given)
    return [forms(p, places).reshape(shape) for p, shape in zip(parts, found, strict=True)]


def _put(whole: Any, members: Any, part: Any) -> Any:
    """A result in which some samples, 0 until now, have values."""
    if isinstance(whole, Var) or isinstance(part, Var):
        return add_at(whole, members, part)
    whole[..., members] = part
    return whole


def _recorded_choice(recorder: Recorder, kind: Any, branches: Sequence[Body], arguments: Sequence[Any]) -> list[Any]:
    """A choice in a program, as an op of its own: its results in one column, which is taken apart again."""
    shapes: list[tuple[int, ...]] = []
    tracked = [i for i, x in enumerate(arguments) if isinstance(x, Var) and x.tracked] if is_recording() else []
    pullbacks: list[Callable[[Any], Any]] = []

    def forward(*values: Any) -> Any:
        used = [_kept_for(branch, tracked, pullbacks, shapes) for branch in branches] if tracked else branches
        results = _record_choice(recorder, kind, used, values)
        if not tracked:
            shapes[:] = [r.shape for r in results]
        return _column(results) if results else np.zeros((0, 1))

    def vjp_rule(g: Any, out: Any, inputs: Sequence[Any], wanted: Sequence[bool]) -> list[Any]:
        places = [i for i, w in enumerate(wanted) if w]
        if any(isinstance(x, Var) for x in (g, *inputs)):  # somebody differentiates this again
            parts = iter(choose(kind, [_adjoint(branch, places) for branch in branches], [*inputs, g]))
        else:
            # The branches of the reverse pass go on with what those of the forward pass have computed.
            own = [tracked.index(i) for i in places]
            parts = iter(choose(kind, [_taken(pullback, own) for pullback in pullbacks], [g]))
        return [next(parts) if w else None for w in wanted]

    def jvp_rule(tangents: Sequence[Any], out: Any, inputs: Sequence[Any]) -> list[Any]:
        places = [i for i, ts in enumerate(tangents) if ts is not None]
        count = len(tangents[places[0]])
        derived = [_tangent(branch, places, count) for branch in branches]
        given = [np.zeros(shape_of(inputs[i])) if t is None else t for i in places for t in tangents[i]]
        return choose(kind, derived, [*inputs, *given])

    packed = apply(Op("choose", forward, "choose", vjp=vjp_rule, jvp=jvp_rule), tuple(arguments))
    results, start = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        results.append(reshape(index(packed, slice(start, start + size)), shape))
        start += size
    return results


def _kept_for(branch: Body, places: Sequence[int], pullbacks: list[Any], shapes: list[tuple[int, ...]]) -> Body:
    """A branch that keeps its pullback by some arguments."""

    def run(*given: Any) -> list[Any]:
        def column(*values: Any) -> Any:
            results = branch(*_with(given, places, values))
            shapes[:] = [shape_of(r) for r in results]
            return _column(results) if results else np.zeros((0, 1))

        value, pullback = vjp(column, *(given[i] for i in places))
        pullbacks.append(pullback)
        return [value]

    return run


def _taken(pullback: Callable[[Any], Any], places: Sequence[int]) -> Body:
    def run(seed: Any) -> list[Any]:
        parts = pullback(seed)
        return [parts[i] for i in places]

    return run


def _adjoint(branch: Body, places: Sequence[int]) -> Body:
    """From the arguments and the adjoints of the results, in one column, to the adjoints of some arguments."""

    def run(*given: Any) -> list[Any]:
        *arguments, seed = given
        _, pullback = vjp(lambda *values: _column(branch(*_with(arguments, places, values))),
                          *(arguments[i] for i in places))  # fmt: skip
        return list(pullback(seed))

    return run


def _tangent(branch: Body, places: Sequence[int], count: int) -> Body:
    """From the arguments, and `count` tangents of some of them, to the tangents of the results, each in one column."""

    def run(*given: Any) -> list[Any]:
        arguments, tangents = given[: len(given) - count * len(places)], given[len(given) - count * len(places) :]
        columns = [tangents[i : i + count] for i in range(0, len(tangents), count)]
        return pushforward(lambda *values: _column(branch(*_with(arguments, places, values))),
                           [arguments[i] for i in places], columns)[1]  # fmt: skip

    return run


def _column(results: Sequence[Any]) -> Any:
    return concatenate([reshape(r, (-1, 1)) for r in results])


def _with(given: Sequence[Any], places: Sequence[int], values: Sequence[Any]) -> list[Any]:
    whole = list(given)
    for place, value in zip(places, values, strict=True):
        whole[place] = value
    return whole


def _record_choice(recorder: Recorder, kind: Any, branches: Sequence[Body], arguments: Sequence[Any]) -> list[Any]:
    """The results of a choice as nodes."""
    around = recorder.inner
    (chosen,) = as_nodes(recorder, _plain(kind)).ravel()
    if chosen.varies:
        raise TypeError("choose: the kind differs between samples that are computed together; it must be one of a row")
    arrays = [as_nodes(recorder, x) for x in arguments]
    # Nodes from further out may be used as they are: what depends on them alone is computed out there.
    inner = [[n.scope.depth >= around.depth for n in a.ravel()] for a in arrays]
    given = [n for a, flags in zip(arrays, inner, strict=True) for n, f in zip(a.ravel(), flags, strict=True) if f]
    choice = Choice(chosen, given, [Scope("branch", around) for _ in branches])
    shapes: list[tuple[int, ...]] | None = None
    for scope, branch in zip(choice.scopes, branches, strict=True):
        carried = [recorder.carried(scope, n, n.varies) for n in given]
        choice.carried.append(carried)
        fresh = iter(carried)
        own = []
        for a, flags in zip(arrays, inner, strict=True):
            part = np.empty(a.size, object)
            part[:] = [next(fresh) if f else n for n, f in zip(a.ravel(), flags, strict=True)]
            own.append(part.reshape(a.shape))
        recorder.inner = scope
        try:
            results = list(branch(*own))
        finally:
            recorder.inner = around
        if any(isinstance(r, Var) for r in results):
            raise TypeError(
                "choose: a branch uses a variable that is not among the arguments; its derivative would be lost"
            )
        nodes = [as_nodes(recorder, r) for r in results]
        if shapes is None:
            shapes = [n.shape for n in nodes]
        elif shapes != [n.shape for n in nodes]:
            raise TypeError(f"choose: branches return shapes {shapes} and {[n.shape for n in nodes]}; they must agree")
        choice.after.append([n for a in nodes for n in a.ravel()])
    assert shapes is not None
    for i, ends in enumerate(zip(*choice.after, strict=True)):
        if any(e.boolean for e in ends) and not all(e.boolean for e in ends):
            for after in choice.after:
                after[i] = recorder.number(after[i])
    outside = [dict(zip(carried, given, strict=True)) for carried in choice.carried]
    flat = []
    for i, ends in enumerate(zip(*choice.after, strict=True)):
        result = recorder.result(choice, i, around, all(e.boolean for e in ends))
        choice.results.append(result)
        # What every branch takes from the same place outside is no matter of choice.
        known = [names.get(e, e) for names, e in zip(outside, ends, strict=True)]
        flat.append(known[0] if all(k is known[0] for k in known) else result)
    choice.number = recorder.count()
    recorder.choices.append(choice)
    return _shaped(flat, shapes)


def _plain(x: Any) -> Any:
    return x.value if isinstance(x, Var) else x


def _kept(mask: Any, new: Any, old: Any) -> Any:
    return np.where(mask, new, old)


def _shaped(nodes: Sequence[Node], shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """Arrays of these shapes, filled with nodes in order."""
    parts, start = [], 0
    for shape in shapes:
        part = np.empty(int(np.prod(shape)), object)
        part[:] = nodes[start : start + part.size]
        start += part.size
        parts.append(part.reshape(shape))
    return parts


def _record(kind: str, recorder: Recorder, make: Any, carry: Sequence[Any], mask: Any = None, count: int = 0,
            table: TableInput | None = None, skip: Any = None) -> list[Any]:  # fmt: skip
    """The results of a loop as nodes."""
    arrays = [as_nodes(recorder, c) for c in carry]
    shapes = [a.shape for a in arrays]
    given = [entry for a in arrays for entry in a.ravel()]
    around = recorder.inner
    scope = Scope(kind, around)
    asked: Node | None = None
    if mask is not None:
        (asked,) = as_nodes(recorder, mask).ravel()
    carried = [recorder.carried(scope, g) for g in given]
    need = following = None
    recorder.inner = scope
    try:
        new = list(make(scope)(*_shaped(carried, shapes)))
        if skip is not None:
            (need,) = as_nodes(recorder, new.pop(0)).ravel()
            (following,) = as_nodes(recorder, skip(scope)).ravel()
    finally:
        recorder.inner = around
    after = []
    for a, n in zip(arrays, new, strict=True):
        after += list(np.broadcast_to(as_nodes(recorder, n), a.shape).ravel())
    loop = Loop(kind, scope, given, carried, after, asked, count, table.number if table else -1, need, following)
    if kind != "scan":
        chosen = asked if kind == "cond" else carried[0]
        loop.after = [recorder.make("where", chosen, n, c) for n, c in zip(after, carried, strict=True)]
    loop.results = [recorder.result(loop, i, around, given[i].boolean) for i in range(len(given))]
    loop.number = recorder.count()
    recorder.loops.append(loop)
    return _shaped(loop.results, shapes)
