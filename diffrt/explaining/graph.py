"""A recorded computation as a graph to be read: nodes with names, values and adjoints, edges with local derivatives.

Nothing is differentiated here. Values are those that the Vars hold, adjoints come from the reverse sweep of the core,
and a local derivative is what the row of the op table answers for that one op.

Nodes hold nodes, so what is printed of one never prints its inputs: a graph that shares its steps would be printed as
often as there are paths in it.
"""

import heapq
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from diffrt.autograd.backward import pull_back, push_forward, reachable
from diffrt.autograd.naming import Scope
from diffrt.autograd.variable import Var, apply, value_of
from diffrt.explaining.wording import by, operation, shortened, tidy
from diffrt.types import Array


class Drawn:
    """Shows itself in a notebook as a diagram where Graphviz is installed and the diagram is small, else as text."""

    def drawn(self) -> "Graph | None":
        """The part of a graph to draw; None for no part."""
        raise NotImplementedError

    def _repr_svg_(self) -> str | None:
        from diffrt.explaining.diagram import picture

        graph = self.drawn()
        return None if graph is None else picture(graph)


class Reading(Drawn):
    """What is read off a computation. A copy or a pickle of it is refused: the computation itself is what to copy."""

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a {type(self).__name__} of an explained graph cannot be copied or pickled; copy or pickle the output, "
            "a Var, and explain that again"
        )


@dataclass(eq=False, repr=False)
class Node(Reading):
    """One step of the computation.

    number: its place in the order of computation, from 1. var: None for a constant. value: a float or an array.
    name: its own, or the first free letter-and-number. operation: how it was made, in the names of its inputs. inputs:
    of the op, in order; one that occurs twice is there twice. scope: the names of the scopes around it, outer first.
    adjoint: the derivative of the output by it, shaped like the value; None where no derivative goes.
    """

    number: int
    var: Var | None
    value: Any
    name: str
    given: bool
    inputs: tuple["Node", ...]
    scope: tuple[str, ...]
    operation: str = ""
    adjoint: Any = None

    def __repr__(self) -> str:
        made = self.operation or ("a constant" if self.constant else "given")
        return f"<Node {shortened(self.name)} = {tidy(self.value)}, {shortened(made)}>"

    def drawn(self) -> "Graph":
        """The node and the inputs of its op."""
        inputs = {x.number: x.bare() for x in self.inputs if x.number}
        edges = [Edge(inputs[x.number], self, i) for i, x in enumerate(self.inputs) if not x.constant]
        return Graph([*inputs.values(), self], self, edges, part=True)

    def bare(self) -> "Node":
        """The same as a leaf, where a diagram ends."""
        if self.leaf:
            return self
        return Node(self.number, self.var, self.value, self.name, True, (), self.scope, adjoint=self.adjoint)

    @property
    def leaf(self) -> bool:
        """Whether no op made it."""
        return not self.inputs

    @property
    def constant(self) -> bool:
        """Whether no derivative goes through it."""
        return self.var is None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value; () for a number."""
        return np.shape(self.value)

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(np.size(self.value))

    @property
    def op(self) -> str:
        """The name of its op; empty for a leaf."""
        return self.var.op.name if self.var is not None and self.var.op else ""

    @property
    def symbol(self) -> str:
        """Of its op, for drawing; empty for a leaf."""
        return (self.var.op.symbol or self.op) if self.var is not None and self.var.op else ""

    @property
    def has_value(self) -> bool:
        """Whether its value is more than its name: a plain number is called by what it is."""
        return not self.constant or self.size != 1 or self.given


@dataclass(eq=False, repr=False)
class Edge(Reading):
    """`target` was computed from `source`: as input `position` of its op, or, in a graph of named steps, by all that
    lies between them; then position is -1."""

    source: Node
    target: Node
    position: int
    between: "Graph | None" = None

    def __repr__(self) -> str:
        return f"<Edge from {shortened(self.source.name)} to {shortened(self.target.name)}>"

    def drawn(self) -> "Graph":
        """Its two nodes."""
        return replace(chain([self]), part=True)

    @cached_property
    def local(self) -> Array:
        """The local derivative: entries of the target by entries of the source, both in C order."""
        if self.between is None:
            return local_derivative(self.target, self.position)
        return self.between.locals_of(self.target)[self.source.number]


@dataclass(eq=False, repr=False)
class Graph(Reading):
    """The computation of one output.

    nodes: in order of computation, constants among them. output: the last of them. Of the leaves, `inputs` are those
    that a derivative can be asked by. part: whether it is a piece of another graph, whose output the adjoints are of.
    """

    nodes: list[Node]
    output: Node
    edges: list[Edge] = field(default_factory=list)
    part: bool = False
    _steps: dict[int, dict[int, Array]] = field(default_factory=dict)

    def __repr__(self) -> str:
        inputs = [shortened(n.name) for n in self.inputs]
        told = ", ".join(inputs if len(inputs) <= 6 else [*inputs[:5], f"{len(inputs) - 5} more"])
        return f"<Graph of {shortened(self.output.name)} by {told}: {len(self.nodes)} nodes, {len(self.edges)} edges>"

    def _repr_html_(self) -> str:
        """For a notebook that shows HTML: its page."""
        from diffrt.explaining.html import in_frame

        return in_frame(self)

    def drawn(self) -> "Graph":
        """All of it; its named steps, if it is large."""
        from diffrt.explaining.diagram import folded

        return folded(self)

    @property
    def inputs(self) -> list[Node]:
        """The leaves that are no constants."""
        return [n for n in self.nodes if n.leaf and not n.constant]

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {n.name: n for n in reversed(self.nodes)}

    def __getitem__(self, name: str) -> Node:
        """The node of this name; the first if there are several. Spaces and underscores are the same."""
        found = self._by_name.get(name) or self._by_name.get(name.replace("_", " "))
        if found is None:
            raise KeyError(f"no node is called {name!r}; there are {', '.join(n.name for n in self.nodes if n.given)}")
        return found

    def find(self, input: Var | Node | str) -> Node:
        """The node of a Var, of a node, or of a name. Raises ValueError or KeyError for what is not in the graph."""
        if isinstance(input, str):
            return self[input]
        var = input.var if isinstance(input, Node) else input
        for node in self.nodes:
            if node is input or (node.var is not None and node.var is var):
                return node
        raise ValueError("the output does not depend on the input")

    def is_composite(self, node: Node) -> bool:
        """Whether a node is a named step that several ops may have made."""
        return any(edge.between is not None for edge in self.edges_to(node)[:1])

    def edges_to(self, node: Node) -> list[Edge]:
        """Those that end at a node, but from constants."""
        return self._ends[0].get(node.number, [])

    def edges_from(self, node: Node) -> list[Edge]:
        """Those that begin at a node."""
        return self._ends[1].get(node.number, [])

    @cached_property
    def _ends(self) -> tuple[dict[int, list[Edge]], dict[int, list[Edge]]]:
        """The edges by the numbers of their targets, and of their sources."""
        into: dict[int, list[Edge]] = {}
        out_of: dict[int, list[Edge]] = {}
        for edge in self.edges:
            into.setdefault(edge.target.number, []).append(edge)
            out_of.setdefault(edge.source.number, []).append(edge)
        return into, out_of

    def jacobian(self, target: Node, stops: Container[int], without: Callable[[Edge], bool] | None = None) -> dict[
        int, Array
    ]:  # fmt: skip
        """The derivative of a node by those among `stops` (numbers) that it reaches without passing another one.

        without: edges that are left out. One product of matrices for each edge.
        """
        sums = {target.number: np.eye(target.size)}
        found = {}
        # The nodes that are reached, the last one first: the others would cost as much again for each named step.
        pending = [(-target.number, target)]
        while pending:
            _, node = heapq.heappop(pending)
            total = sums.pop(node.number)
            if node.number in stops and node is not target:
                found[node.number] = total
                continue
            for edge in self.edges_to(node):
                if without is None or not without(edge):
                    part = times(total, edge.local)
                    old = sums.get(edge.source.number)
                    sums[edge.source.number] = part if old is None else old + part
                    if old is None:
                        heapq.heappush(pending, (-edge.source.number, edge.source))
        return found

    def locals_of(self, target: Node) -> dict[int, Array]:
        """The derivative of a named node by the named nodes just before it, by their numbers."""
        if target.number not in self._steps:
            self._steps[target.number] = self.jacobian(target, self._stops)
        return self._steps[target.number]

    @cached_property
    def _stops(self) -> set[int]:
        return {n.number for n in self.nodes if n.given or n.leaf or n is self.output}

    def steps(self) -> "Graph":
        """The same computation in fewer steps: only the named nodes, the leaves and the output."""
        before: dict[int, list[int]] = {}
        by_number = {n.number: n for n in self.nodes}
        edges = []
        for node in self.nodes:
            if node.constant:
                continue
            sources = [s for e in self.edges_to(node) for s in before[e.source.number]]
            sources = list(dict.fromkeys(sources))
            if node.number in self._stops:
                edges += [Edge(by_number[s], node, -1, self) for s in sources]
                sources = [node.number]
            before[node.number] = sources
        kept = [n for n in self.nodes if n.number in self._stops and not n.constant]
        return Graph(kept, self.output, edges)

    def gradient(self, node: Node) -> Any:
        """The derivative of the output by a node, shaped like its value; zeros where nothing depends on it."""
        return np.zeros(node.shape) if node.adjoint is None else node.adjoint

    def restricted(self, inputs: Sequence[Node]) -> "Graph":
        """What lies between some nodes and the output; all else is a constant or left out."""
        reached = {n.number for n in inputs}
        for node in self.nodes:
            if any(e.source.number in reached for e in self.edges_to(node)):
                reached.add(node.number)
        above = {self.output.number}
        for node in reversed(self.nodes):
            if node.number in above:
                above |= {e.source.number for e in self.edges_to(node)}
        kept = reached & above | {self.output.number} | {n.number for n in inputs}
        edges = [e for e in self.edges if e.source.number in kept and e.target.number in kept]
        return Graph([n for n in self.nodes if n.number in kept], self.output, edges)


def chain(edges: Sequence[Edge]) -> Graph:
    """Some edges and the nodes at their ends as a graph of their own. There is at least one; the last one ends it."""
    nodes = {n.number: n for e in edges for n in (e.source, e.target)}
    different = {(e.source.number, e.target.number, e.position): e for e in edges}
    return Graph([nodes[k] for k in sorted(nodes)], edges[-1].target, list(different.values()))


def graph_of(output: Var, scopes: Sequence[Scope] = (), constants: bool = True) -> Graph:
    """The graph of an output, a Var.

    scopes: from `watch_scopes`. constants: whether those that the ops were given are nodes too. Raises ValueError for
    a constant.
    """
    if not isinstance(output, Var) or not output.tracked:
        raise ValueError("there is nothing to explain: the output is a constant, it depends on no variable")
    found = reachable([output])
    adjoints: dict[int, Any] = {}
    ones = 1.0 if not output.shape else np.ones(output.shape)
    adjoints.update(pull_back(found, {output.serial: ones}, recorded=False, seen=adjoints))
    made: dict[int, Node] = {}
    nodes: list[Node] = []
    taken = {v.name for v in found if v.name}
    counts: dict[str, int] = {}

    def free(letter: str) -> str:
        while True:
            counts[letter] = counts.get(letter, 0) + 1
            if (name := f"{letter}{counts[letter]}") not in taken:
                return name

    # Inner scopes are left first, so those around come later in the list.
    inside = {
        var.serial: tuple(name for name, first, last in reversed(scopes) if var.op and first <= var.serial < last)
        for var in found
    }
    homes: dict[str, set[Any]] = {}
    for var in found:
        if var.name:
            homes.setdefault(var.name, set()).add(inside[var.serial][:1])

    def unique(var: Var) -> str:
        name = var.name or ""
        # The same step for another object is told by the object.
        if len(homes[name]) > 1 and inside[var.serial]:
            name = f"{name} ({inside[var.serial][0]})"
        counts[name] = counts.get(name, 0) + 1
        return name if counts[name] == 1 else f"{name} ({counts[name]})"

    for var in found:
        inputs = []
        for x in var.inputs:
            if type(x) is Var and x.serial in made:
                inputs.append(made[x.serial])
                continue
            value = value_of(x)
            name = type(x) is Var and x.name
            text = name or (tidy(value) if np.size(value) == 1 else f"constant {by(np.shape(value))}")
            constant = Node(0, None, value, text, bool(name), (), ())
            if constants:
                constant.number = len(nodes) + 1
                nodes.append(constant)
            inputs.append(constant)
        name = unique(var) if var.name else free("v")
        node = Node(len(nodes) + 1, var, var.value, name, bool(var.name), tuple(inputs), inside[var.serial])
        node.operation = operation(node)
        node.adjoint = adjoints.get(var.serial)
        made[var.serial] = node
        nodes.append(node)
    edges = [Edge(source, node, k) for node in nodes for k, source in enumerate(node.inputs) if not source.constant]
    return Graph(nodes, made[output.serial], edges)


def local_derivative(node: Node, position: int) -> Array:
    """The derivative of a node's entries by those of one of its inputs, by the rule of its op alone."""
    var = node.var
    assert var is not None and var.op is not None
    values = list(map(value_of, var.inputs))
    fresh = Var(values[position])
    again = apply(var.op, tuple(fresh if i == position else v for i, v in enumerate(values)), var.settings)
    rows, columns = node.size, int(np.size(values[position]))
    pair = [fresh, again]
    if rows < columns:
        starts = [{again.serial: unit_entry(again, k)} for k in range(rows)]
        return as_rows([pull_back(pair, start, recorded=False).get(fresh.serial) for start in starts], fresh.shape)
    tangents = push_forward(pair, {fresh.serial: [unit_entry(fresh, k) for k in range(columns)]}, recorded=False)
    return as_rows(tangents.get(again.serial) or [None] * columns, again.shape).T


def as_rows(parts: Sequence[Any], shape: tuple[int, ...]) -> Array:
    """Adjoints or tangents of one shape, a row for each in C order; None is zero."""
    rows = [np.broadcast_to(0.0 if part is None else part, shape).ravel() for part in parts]
    return np.array(rows, float).reshape(len(rows), int(np.prod(shape)))


def unit_entry(x: Var, k: int) -> Any:
    """An adjoint or a tangent of x that is 1 for entry k, in C order, and 0 for the others."""
    if not x.shape:
        return 1.0
    e = np.zeros(x.size)
    e[k] = 1.0
    return e.reshape(x.shape)


def is_diagonal(matrix: Array) -> bool:
    """Whether each of several entries depends on its own one only."""
    rows, columns = matrix.shape
    return rows == columns > 1 and not matrix[~np.eye(rows, dtype=bool)].any()


def times(a: Array, b: Array) -> Array:
    """The product of two matrices, where zero wins over inf and nan, as in the sweeps of the core."""
    with np.errstate(all="ignore"):
        product: Array = a @ b
        if np.isnan(product).any():
            terms = a[:, :, None] * b[None]
            product = np.where((a[:, :, None] == 0.0) | (b[None] == 0.0), 0.0, terms).sum(1)
    return product
