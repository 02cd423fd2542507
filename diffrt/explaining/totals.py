"""Derivatives in symbols: `formula(output, input)`.

    L = named(cos(exp(x1) * a / b), "L")
    print(formula(L, "x1"))

The derivative of one number by another is read off the recorded computation (`symbols.py`) as a person would do it on
paper. First the chain rule in the words of the named steps: dL/dx1 is what the op of each use of x1 gives, times the
derivative of L by what came out of it. Then the named quantities are plugged in, the last one first, until only what is
given is left, and the result is simplified. sympy does the algebra; that it is right is not believed but tried: what is
told has been computed with 30 digits at several points, and is the gradient of the reverse sweep there.

Where the computation branches (max, abs, where) there is a case for each side, with its condition. What would become
too long keeps names for what it is made of, with their own formulas below.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from diffrt.autograd.variable import Var
from diffrt.explaining.cases import Cases
from diffrt.explaining.computation import Computation, of_function, of_graph
from diffrt.explaining.graph import Graph, Node
from diffrt.explaining.path import Paths, find_paths, is_crossing, through_crossings
from diffrt.explaining.symbolic import Formula
from diffrt.explaining.symbols import NoFormula
from diffrt.explaining.wording import component, derivative

SMALL, MANY = 250, 30
"""Numbers of a computation whose formulas are found without being asked for, and so many of these."""
READABLE = 160
"""Characters of a formula that is told without being asked for."""


def formula(
    output: Var | Graph | Callable[..., Any],
    input: Var | Node | str,
    entry: int | None = None,
    at: Mapping[str, Any] | None = None,
    keep: Collection[str] | None = None,
) -> Formula:
    """The derivative of a number by another one, in symbols.

        formula(L, "x1")                                        # L was computed from x1
        formula(loss, "x1", at={"x1": 1.3, "x2": 1.7})          # loss(x1, x2) is a function

    output: a Var of one entry, a Graph, or a function that takes Vars by name. Of a Var the branches of `where` are
    those that were taken; of a function both sides are looked at.
    input: a Var, a Node, or a name; a named step in the middle is held as given. entry: of it, in C order; it is needed
    if there are several.
    at: the values of a function's arguments, numbers or arrays; around them formula and gradient are compared.
    keep: the names of steps that are not plugged in; if it is None, none for an input that is given, all for a step.

    Raises NoFormula, a ValueError, where there is none: it is too long, an op has none, or it does not agree with the
    gradient. Raises KeyError or ValueError for what is not in the graph.
    """
    known = of_function(output, at) if callable(output) and not isinstance(output, Var | Graph) else of_graph(output)
    return formula_in(known, input, entry, keep)


def short_formulas(whole: Graph, steps: Graph, wanted: Sequence[tuple[Node, int]]) -> dict[tuple[int, int], Formula]:
    """Some derivatives of the output in the words of the named steps, by the node's number and the entry: those that
    can be read in a line or two, in a computation that is small enough for all of them to be found in a moment.

    whole: all operations, or the same as `steps`. wanted: nodes of `steps` with the entry that is meant.
    """
    found: dict[tuple[int, int], Formula] = {}
    if sum(node.size for node in whole.nodes if node.var is not None) > 2 * SMALL:
        return found
    try:
        computation = of_graph(whole)
    except (NoFormula, ValueError):
        return found
    if computation.size > SMALL:
        return found
    keep = {n.name for n in steps.nodes if n.given}
    for node, entry in wanted[:MANY]:
        try:
            made = formula_in(computation, computation.graph.find(node), entry, keep)
        except (NoFormula, ValueError):
            continue
        if len(made.text) <= READABLE and not any(case.where for case in made.cases):
            found[node.number, entry] = made
    return found


@dataclass(frozen=True)
class Derivative:
    """The derivative of an output, a number, by one entry of a source. moving: with the edges of the image held still,
    and what moving them adds; None where no edge moves. formula: None where there is none that is short."""

    name: str
    paths: Paths
    moving: tuple[float, float] | None
    formula: Formula | None

    @property
    def value(self) -> float:
        """What all paths add up to."""
        return float(self.paths.derivative.item())


def derivatives_of(
    graph: Graph, source: Node, entry: int | None, most: int, whole: Graph | None
) -> tuple[Graph, list[Derivative]]:
    """What lies between a source and the output of a graph, and the derivative by each entry that is meant.

    graph: of named steps, or of all operations. entry: of the source, in C order, None for all. most: how many paths
    are listed. whole: all operations, if `graph` is of named steps.
    """
    used, entries = graph.restricted([source]), range(source.size) if entry is None else [entry]
    formulas = short_formulas(whole or graph, graph, [(source, k) for k in entries])
    moves, found = any(is_crossing(n) for n in used.nodes), []
    for k in entries:
        still, moving = through_crossings(used, source, k) if moves else (np.zeros(1), np.zeros(1))
        parts = (float(still.item()), float(moving.item())) if moves else None
        paths = find_paths(used, source, k, most)
        found.append(Derivative(component(source, k), paths, parts, formulas.get((source.number, k))))
    return used, found


def formula_in(
    computation: Computation, input: Var | Node | str, entry: int | None = None, keep: Collection[str] | None = None
) -> Formula:
    """One derivative of a computation, as `formula` says; for several of the same computation."""
    node = computation.graph.find(input)
    if entry is None and node.size > 1:
        raise ValueError(f"{node.name} has {node.size} entries; say by which one: entry=0 to {node.size - 1}")
    place = entry or 0
    if not 0 <= place < node.size:
        raise ValueError(f"entry={place} is no entry of {node.name}; there are 0 to {node.size - 1}")
    computation.expect_formula(node)
    assert node.var is not None
    symbol = computation.record.of(np.ravel(computation.arrays[node.var.serial])[place])
    target = computation.adjoints.get(symbol.number, computation.record.constant(0.0))
    if symbol.constant:
        raise NoFormula(f"{node.name} is a plain number in this computation")
    name = derivative(computation.graph.output.name, component(node, place))
    if keep is None:
        keep = () if node.leaf else {*computation.steps.values()}
    cases, notes = Cases(computation, target, node, place, keep).found()
    return Formula(name, float(target.value), tuple(cases), (*computation.notes, *notes))
