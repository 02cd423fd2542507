"""The sweeps over a recorded graph: backward with adjoints, forward with tangents.

Both visit nodes in the order of their serial numbers, so no recursion limit is met. A sweep that nobody
differentiates again runs the rules of the table on plain values; a *recorded* sweep runs the same rules on
Vars, and its result is a graph that can be differentiated. Broadcasting is undone here, in `unbroadcast`.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from .operations import chain
from .structure import broadcast_to, is_basic, reshape, sum
from .variable import Numeric, Var, as_value, freeze, is_abstract, shape_of, value_of

Adjoints = dict[int, Any]


def backward(output: Var, seed: Numeric | None = None) -> None:
    """Add the derivative of `output` to `.grad` of every leaf that it was computed from.

    seed: the adjoint of the output, of its shape; may be left out for a scalar. Raises ValueError for a seed
    of another shape, or a non-scalar without one.
    """
    plain = value_of(seed_of(output, seed))
    nodes = reachable([output])
    adjoints = pull_back(nodes, {output.serial: plain}, recorded=False)
    for node in nodes:
        if node.op is None and node.serial in adjoints:
            total = adjoints[node.serial] if node.grad is None else node.grad + adjoints[node.serial]
            node.grad = total if isinstance(total, float) else freeze(np.asarray(total, dtype=node.dtype))


def seed_of(output: Var, seed: Numeric | None) -> Any:
    """The adjoint that a backward sweep starts with, checked against the shape of the output."""
    if seed is None:
        if output.shape:
            raise ValueError(
                f"backward from an output of shape {output.shape} needs a seed of that shape; "
                "reduce it to a scalar (a loss), for instance with .sum(), or give the seed"
            )
        return 1.0
    given: Any = seed if isinstance(seed, Var) else as_value(seed)
    if (shape := shape_of(given)) != output.shape:
        raise ValueError(f"the seed has shape {shape}, but the output has shape {output.shape}; they must agree")
    return given


def reachable(outputs: Iterable[Var]) -> list[Var]:
    """The tracked Vars that the outputs were computed from, themselves included, in order of computation."""
    found = {v.serial: v for v in outputs if v.tracked}
    pending = list(found.values())
    while pending:
        for x in pending.pop().inputs:
            if type(x) is Var and x.tracked and x.serial not in found:
                found[x.serial] = x
                pending.append(x)
    return [found[serial] for serial in sorted(found)]


def between(nodes: Sequence[Var], inputs: Iterable[Var]) -> list[Var]:
    """Those of the nodes that depend on the inputs, and the inputs among them."""
    serials = {v.serial for v in inputs}
    kept = []
    for node in nodes:
        if node.serial not in serials:
            if not any(type(x) is Var and x.serial in serials for x in node.inputs):
                continue
            serials.add(node.serial)
        kept.append(node)
    return kept


def pull_back(
    nodes: Sequence[Var],
    adjoints: Adjoints,
    recorded: bool,
    kept: Collection[int] = (),
    seen: Adjoints | None = None,
) -> Adjoints:
    """The reverse sweep.

    nodes: in order of computation; derivatives go to these and to no other. adjoints: of the outputs, by
    serial number. recorded: on Vars. kept: the serial numbers of nodes at which the sweep ends; it ends at
    leaves too. seen: is filled with the adjoints of the nodes that it passed. Returns those of the nodes at which it
    ended.
    """
    wanted = {node.serial for node in nodes}
    adjoints = dict(adjoints)

    def add(x: Var, part: Any) -> None:
        value = x._value
        alike = part.shape == value.shape if type(part) is type(value) is np.ndarray else type(part) is type(value)
        if not alike:
            part = unbroadcast(part, x)
        serial = x.serial
        adjoints[serial] = adjoints[serial] + part if serial in adjoints else part
        ours.discard(serial)

    def add_in_place(x: Var, where: Any, part: Any) -> None:
        """Add what an entry or a slice of x has. An array of zeros for each would make a loop over n entries take
        n^2."""
        serial = x.serial
        if serial not in ours:
            total = np.zeros(x.shape, x.dtype)
            adjoints[serial] = total + adjoints[serial] if serial in adjoints else total
            ours.add(serial)
        if is_basic(where):
            adjoints[serial][where] += part
        else:
            np.add.at(adjoints[serial], where, part)

    ours: set[int] = set()  # the adjoints that nobody else has seen, so that they may be added to in place
    with np.errstate(all="ignore"):  # a partial may be inf or nan where nothing depends on it
        for node in reversed(nodes):
            op, inputs = node.op, node.inputs
            if op is None or node.serial not in adjoints or node.serial in kept:
                continue
            g = adjoints.pop(node.serial)
            if seen is not None:
                seen[node.serial] = g
            out, values = _operands(node, recorded)
            if op.partials is not None:
                for x, partial in zip(inputs, op.partials, strict=True):
                    if partial is None or type(x) is not Var or x.serial not in wanted:
                        continue
                    if type(partial) is float:
                        add(x, g if partial == 1.0 else -g)
                    else:
                        add(x, chain(g, partial(out, *values)))  # type: ignore[operator]
                continue
            settings = node.settings or {}
            if op.name == "index" and not recorded and not is_abstract(g) and inputs[0].serial in wanted:
                add_in_place(inputs[0], settings["index"], g)
                continue
            targets = [type(x) is Var and x.serial in wanted for x in inputs]
            if callable(op.vjp):
                parts = op.vjp(g, out, values, targets, **settings)
            else:
                rules = zip(op.vjp, targets, strict=True)
                parts = [rule(g, out, *values, **settings) if rule and t else None for rule, t in rules]
            for x, part in zip(inputs, parts, strict=True):
                if part is not None:
                    add(x, part)
    return adjoints


def push_forward(nodes: Sequence[Var], tangents: dict[int, list[Any]], recorded: bool) -> dict[int, list[Any]]:
    """The forward sweep, with several tangents at once.

    nodes: in order of computation. tangents: of the inputs, by serial number, each a list of k tangents of
    the shape of its input (None for zero). recorded: on Vars. Returns the same for all nodes reached.
    """
    wanted = {node.serial for node in nodes}
    tangents = dict(tangents)
    with np.errstate(all="ignore"):
        for node in nodes:
            op = node.op
            if op is None or node.serial in tangents:
                continue
            given = [tangents.get(x.serial) if type(x) is Var and x.serial in wanted else None for x in node.inputs]
            if all(t is None for t in given):
                continue
            out, values = _operands(node, recorded)
            settings = node.settings or {}
            if callable(op.jvp):
                tangents[node.serial] = op.jvp(given, out, values, **settings)
                continue
            total: list[Any] = [None] * next(len(t) for t in given if t is not None)
            for i, ts in enumerate(given):
                if ts is None:
                    continue
                partial: Any = None
                if op.partials is not None:
                    partial = op.partials[i]
                    if callable(partial):
                        partial = partial(out, *values)
                    elif partial is None:
                        continue
                for k, t in enumerate(ts):
                    if t is None:
                        continue
                    if op.partials is None:
                        part = op.jvp[i](t, out, *values, **settings)  # type: ignore[misc]
                    elif type(partial) is float and partial in (1.0, -1.0):
                        part = t if partial == 1.0 else -t
                    else:
                        part = chain(t, partial)
                    total[k] = part if total[k] is None else total[k] + part
            tangents[node.serial] = [
                t if t is None or shape_of(t) == node.shape else broadcast_to(t, node.shape) for t in total
            ]
    return tangents


def unbroadcast(g: Any, x: Var) -> Any:
    """The adjoint of x from that of x broadcast: stretched and new axes are summed."""
    shape = x.shape
    given = np.shape(g) if type(g) is float else g.shape
    if given != shape:
        if len(given) < len(shape):  # an adjoint may itself be constant along an axis
            return broadcast_to(g, shape)
        new = len(given) - len(shape)
        axes = [*range(new), *(new + i for i, n in enumerate(shape) if n == 1 and given[new + i] != 1)]
        if axes:
            g = sum(g, tuple(axes))
        given = shape_of(g)
        if given != shape:
            g = reshape(g, shape) if np.prod(given) == np.prod(shape) else broadcast_to(g, shape)
    if not shape and not isinstance(g, Var):
        return float(g)
    return g


def _operands(node: Var, recorded: bool) -> tuple[Any, Sequence[Any]]:
    """The output and the inputs of a node as its rules want them."""
    if recorded:
        return node, node.inputs
    return node._value, [x._value if type(x) is Var else x for x in node.inputs]
