"""The terms that a right answer is the sum of.

The chain rule adds up over the ways from one quantity to another. Whatever lies between them, the ways that go through
it make a *term*: (what comes after it) times (what comes before it). So each operation between them is a term, each
place in which an operation uses one that moves, and each entry of a quantity. One sweep back and one forward give all
of them:

    term of a node n       J(y by n) J(n by x)
    of its input m         J(y by n) J(n by m, once) J(m by x)
    of its entry k         the column k of the first times the row k of the second
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from diffrt.autograd.backward import pull_back, push_forward
from diffrt.autograd.variable import Var, value_of
from diffrt.explaining.graph import as_rows, unit_entry
from diffrt.explaining.wording import phrase
from diffrt.marking.formula import ENTRYWISE
from diffrt.marking.quantities import Quantities, components
from diffrt.marking.work import MOST_SLOPES, Overworked, cost, spend
from diffrt.types import Array

MOST_TERMS = 120
"""Of one answer; with more, those through single entries are left out."""

_MOST_ENTRIES = 12
"""Of a quantity whose entries are terms of their own."""


def terms(q: Quantities, name: str, of: str, local: bool) -> dict[str, Array]:
    """The terms of a derivative at one point, entries by entries, by what the ways go through, in words.

    local: of the partial, with all other quantities held still.
    """
    target, source = q.vars[name], q.vars[of]
    nodes, names = _between(q, name, of, local)
    entries = (target.size + source.size) * sum(n.size for n in nodes)
    if target.size * source.size * len(nodes) + entries > MOST_SLOPES:
        raise Overworked(f"{len(nodes)} terms of {target.size} by {source.size} entries are too many")
    spend(cost(4 * len(nodes) * (target.size + source.size), entries))
    tangents = push_forward(nodes, {source.serial: [unit_entry(source, k) for k in range(source.size)]}, False)
    rows: list[dict[int, Any]] = []
    for k in range(target.size):
        seen: dict[int, Any] = {}
        pull_back(nodes, {target.serial: unit_entry(target, k)}, recorded=False, kept={source.serial}, seen=seen)
        rows.append(seen)
    ways = {
        n.serial: (as_rows([r.get(n.serial) for r in rows], n.shape), as_rows(tangents[n.serial], n.shape).T)
        for n in nodes
        if n is not source and n.serial in tangents and any(n.serial in r for r in rows)
    }
    quantities: list[tuple[str, Array]] = []
    operations: list[tuple[str, Array]] = []
    places = []
    for node in nodes:
        if node.serial not in ways or _is_inside(node, q):
            continue
        after, before = ways[node.serial]
        if node is not target:
            through = quantities if any(node is v for v in q.vars.values()) else operations
            through.append((_words(node, names), after @ before))
        moving = [k for k, x in enumerate(node.inputs) if type(x) is Var and (x is source or x.serial in ways)]
        for k in moving if len(moving) > 1 and not _is_call(node, q) else ():
            places.append((_place(node, k, names), after @ _once(node, k, tangents).T))
    single = [] if local else _entries(q, name, of, nodes, ways)
    found: dict[str, Array] = {}
    for words, term in [*quantities, *places, *operations, *single][:MOST_TERMS]:
        while words in found:
            words += " again"
        found[words] = term
    return found


def links(q: Quantities, name: str, of: str, local: bool) -> dict[str, Array]:
    """The factors of chains at one point: the derivatives, entry by entry, of functions between two quantities by what
    they are taken of, in words."""
    nodes, names = _between(q, name, of, local)
    serials = {n.serial for n in nodes}
    found = {}
    for node in nodes:
        moving = [x for x in node.inputs if type(x) is Var and x.serial in serials]
        op = node.op
        function = op is not None and op.partials is not None and (not op.form or op.name == "power")
        if not function or len(moving) != 1 or _is_inside(node, q) or _is_call(node, q):
            continue
        if moving[0].shape == node.shape:
            ones = {moving[0].serial: [np.ones(node.shape) if node.shape else 1.0]}
            position = next(k for k, x in enumerate(node.inputs) if x is moving[0])
            words = f"the derivative of {_words(node, names)} by {_words(moving[0], names)}"
            found[words] = _once(node, position, ones).ravel()
    for call, start, end in q.calls:
        steps = [n for n in nodes if start <= n.serial < end]
        earlier = serials - {s.serial for s in steps}
        before = {x.serial: x for n in steps for x in n.inputs if type(x) is Var and x.serial in earlier}
        if call.partition("(")[0] in ENTRYWISE and len(before) == 1 and steps:
            (argument,) = before.values()
            tangents = push_forward([argument, *steps], {argument.serial: [np.ones(argument.shape)]}, False)
            if steps[-1].serial in tangents and steps[-1].shape == argument.shape:
                words = f"the derivative of {call} by {_words(argument, names)}"
                found[words] = as_rows(tangents[steps[-1].serial], steps[-1].shape).ravel()
    for parent in () if local else q.above(name):
        for above in (n for n in q.above(name) if q.vars[n].size == 1 and parent in q.parents(n)):
            found.setdefault(f"the derivative of {above} by {parent}", q.local(above, parent)[0])
    return found


def _between(q: Quantities, name: str, of: str, local: bool) -> tuple[list[Var], dict[int, str]]:
    """What is computed between two quantities, themselves included, and the names of quantities and calls."""
    target, source = q.vars[name], q.vars[of]
    others = {v.serial for v in q.vars.values()} - {target.serial, source.serial} if local else set()
    nodes = [n for n in q.nodes if source.serial <= n.serial <= target.serial and n.serial not in others]
    names = {n.serial: words for n in nodes for words, _, end in q.calls if n.serial == end - 1}
    return nodes, names | {v.serial: n for n, v in q.vars.items()}


def _is_inside(node: Var, q: Quantities) -> bool:
    """Whether a node is a step of a function that people take for one operation."""
    return any(start <= node.serial < end - 1 for _, start, end in q.calls)


def _is_call(node: Var, q: Quantities) -> bool:
    return any(node.serial == end - 1 for _, _, end in q.calls)


def _words(node: Var, names: Any) -> str:
    return phrase(node, names).replace(" ^ ", "^")


def _entries(q: Quantities, name: str, of: str, nodes: Sequence[Var], ways: Any) -> list[tuple[str, Array]]:
    """The terms through single entries of quantities, and through two of them in succession."""
    found = []
    names = {v.serial: n for n, v in q.vars.items()}
    between = [n for n in nodes if n.serial in names and n.serial in ways and names[n.serial] not in (name, of)]
    for node in between:
        if 1 < node.size <= _MOST_ENTRIES:
            after, before = ways[node.serial]
            labels = components(names[node.serial], q.shape(names[node.serial]))
            found += [(label, np.outer(after[:, k], before[k])) for k, label in enumerate(labels)]
    for node, last in product(between, between):
        above, below = names[last.serial], names[node.serial]
        if below in q.parents(above) and node.size * last.size <= _MOST_ENTRIES and node.size + last.size > 2:
            middle = q.local(above, below)
            after, before = ways[last.serial][0], ways[node.serial][1]
            for (i, to), (j, start) in product(enumerate(components(above, q.shape(above))),
                                               enumerate(components(below, q.shape(below)))):  # fmt: skip
                found.append((f"{start} > {to}", middle[i, j] * np.outer(after[:, i], before[j])))
    return found


def _once(node: Var, position: int, tangents: Any) -> Array:
    """The tangents of a node if only one of its inputs moves, a row each."""
    moving = node.inputs[position]
    alias, copy = Var(moving.value), Var(node.value)
    copy.op, copy.settings = node.op, node.settings
    held = map(value_of, node.inputs)
    copy.inputs = tuple(alias if k == position else x for k, x in enumerate(held))
    pushed = push_forward([alias, copy], {alias.serial: tangents[moving.serial]}, False)
    return as_rows(pushed[copy.serial], node.shape)


def _place(node: Var, position: int, names: Any) -> str:
    """An input of a node in words."""
    assert node.op is not None
    part = _words(node.inputs[position], names)
    if node.op.name == "divide":
        return f"the {'denominator' if position else 'numerator'} {part}"
    whole = _words(node, {k: n for k, n in names.items() if k != node.serial})
    if all(x is node.inputs[0] for x in node.inputs):
        return f"the {'first' if position == 0 else 'second'} {part} of {whole}"
    kind = {"multiply": "the factor ", "add": "the term ", "subtract": "the term "}.get(node.op.name, "")
    return f"{kind}{part} of {whole}"
