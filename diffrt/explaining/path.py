"""Paths from an input to the output: the chain rule, term by term.

The derivative of the output by an input is the sum over all paths between them of the products of the local
derivatives along the path. Their number is counted exactly, by dynamic programming; it explodes, so paths are listed
largest first and only as many as asked for, and what is left out is known as a number: the derivative minus their sum.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice

import numpy as np

from diffrt.autograd import Var
from diffrt.explaining.graph import Drawn, Edge, Graph, Node, chain, graph_of, times
from diffrt.explaining.wording import counted, shortened, tidy
from diffrt.types import Array


@dataclass(frozen=True, repr=False)
class Path(Drawn):
    """One path, from the input to the output.

    edges: in this order. product: of the local derivatives, one row per entry of the output and one column per entry
    of the input that was asked for.
    """

    edges: tuple[Edge, ...]
    product: Array

    def __repr__(self) -> str:
        names = [shortened(n.name) for n in self.nodes]
        told = names if len(names) <= 8 else [*names[:4], f"{len(names) - 7} more", *names[-3:]]
        return f"<Path {' > '.join(told)}: {tidy(self.product)}>"

    def drawn(self) -> Graph | None:
        """Its nodes and edges."""
        return chain(self.edges) if self.edges else None

    @property
    def nodes(self) -> list[Node]:
        """From the input to the output; none, if these are the same."""
        return [*(e.source for e in self.edges[:1]), *(e.target for e in self.edges)]

    @property
    def value(self) -> float:
        """The product as a number, where it is one."""
        return float(self.product.item())

    @property
    def moves_an_edge(self) -> bool:
        """Whether it goes through a crossing."""
        return any(is_crossing(e.target) for e in self.edges)


@dataclass(frozen=True, repr=False)
class Paths(Drawn):
    """Paths between an input and the output.

    total: their number. listed: the largest of them, largest first. derivative: of the output by the input, from the
    reverse sweep. complete: whether all are listed, but those through a local derivative of 0. nothing: the number of
    these.
    """

    total: int
    listed: list[Path]
    derivative: Array
    complete: bool
    nothing: int = 0

    def __repr__(self) -> str:
        lines = [repr(path) for path in self.listed[:20]]
        more = len(self.listed) - len(lines)
        end = [f"and {more} more listed"] if more else []
        told = f"<Paths: {len(self.listed)} of {counted(self.total)}, sum {tidy(self.derivative)}>"
        return "\n".join([told, *lines, *end])

    def drawn(self) -> Graph | None:
        """All that are listed, in one diagram."""
        edges = sorted((e for path in self.listed for e in path.edges), key=lambda e: e.target.number)
        return chain(edges) if edges else None

    @property
    def rest(self) -> Array:
        """What the listed paths leave out of the derivative."""
        return self.derivative - sum((p.product for p in self.listed), np.zeros(self.derivative.shape))


def count_paths(graph: Graph, source: Node, counts: Callable[[Edge], bool] = lambda edge: True) -> int:
    """The number of paths from a node to the output along edges that count, however large."""
    numbers = {graph.output.number: 1}
    for node in reversed(graph.nodes):
        if node is not graph.output:
            numbers[node.number] = sum(numbers.get(e.target.number, 0) for e in graph.edges_from(node) if counts(e))
    return numbers.get(source.number, 0)


def all_paths(graph: Graph, source: Node, entry: int | None = None, effort: int | None = None) -> Iterator[Path]:
    """The paths from a node to the output, the largest contribution first, without those through a derivative of 0.

    entry: of the source, in C order; the path's product is a column for it then. effort: how many beginnings of paths
    to look at, all if None. The search goes from the output to the source, the most promising beginning first: the norm
    of its product times the largest product of norms that any way from there has. No way can have more, so what comes
    out first is largest.
    """
    reach, counts = _reach(graph, source, entry), _counting(source, entry)
    serial = count()
    pending: list[tuple[float, int, tuple[Edge, ...], Array, Node, bool]] = []

    def push(edges: tuple[Edge, ...], product: Array, node: Node) -> None:
        if node is source:
            done = _column(product, entry)
            heapq.heappush(pending, (-_norm(done), -next(serial), edges, done, node, True))
        elif node.number in reach:
            heapq.heappush(pending, (-_norm(product) * reach[node.number], -next(serial), edges, product, node, False))

    push((), np.eye(graph.output.size), graph.output)
    with np.errstate(all="ignore"):
        while pending and effort != 0:
            _, _, edges, product, node, done = heapq.heappop(pending)
            if done:
                yield Path(edges[::-1], product)
                continue
            effort = None if effort is None else effort - 1
            for edge in filter(counts, graph.edges_to(node)):
                push((*edges, edge), times(product, edge.local), edge.source)


def find_paths(graph: Graph, source: Node, entry: int | None = None, most: int = 20, effort: int = 5_000) -> Paths:
    """The largest paths from a node to the output.

    entry: of the source, in C order. most: how many to list. effort: how many beginnings of paths to look at; where
    that is not enough, fewer paths are listed.
    """
    total = count_paths(graph, source)
    if graph.output.size == 1:
        gradient = np.array(graph.gradient(source), float).reshape(1, -1)
    else:
        gradient = _derivative(graph, source)
    listed = list(islice(all_paths(graph, source, entry, effort), min(most, total)))
    zero = total - count_paths(graph.restricted([source]), source, _counting(source, entry))
    return Paths(total, listed, _column(gradient, entry), len(listed) + zero == total, zero)


def _counting(source: Node, entry: int | None) -> Callable[[Edge], bool]:
    """Whether the local derivative of an edge is other than 0 everywhere."""

    def counts(edge: Edge) -> bool:
        return bool(np.any(_column(edge.local, entry if edge.source is source else None)))

    return counts


def paths(output: Var | Graph, input: Var | Node | str, entry: int | None = None, most: int = 20) -> Paths:
    """The largest paths from an input to an output.

    output: a Var, or a Graph, whose output is meant. input: a Var or the name of one. entry: of the input, in C order,
    all together if None. most: how many to list. Raises ValueError or KeyError for what is not in the graph.
    """
    graph = output if isinstance(output, Graph) else graph_of(output)
    return find_paths(graph, graph.find(input), entry, most)


def through_crossings(graph: Graph, source: Node, entry: int | None = None) -> tuple[Array, Array]:
    """The derivative of the output by a node in two parts: with all edges of the image held still, and what moving
    them adds."""
    whole = _column(_derivative(graph, source), entry)
    still = _column(_derivative(graph, source, lambda e: is_crossing(e.target)), entry)
    return still, whole - still


def _derivative(graph: Graph, source: Node, without: Callable[[Edge], bool] | None = None) -> Array:
    """Of the output by a node, entries by entries. without: edges that are left out."""
    found = graph.jacobian(graph.output, {source.number}, without)
    return found.get(source.number, np.zeros((graph.output.size, source.size)))


def is_crossing(node: Node) -> bool:
    """Whether a node is where an edge of the image crosses the sides of cells: a root, or several of them."""
    several = node.op == "concatenate" and bool(node.inputs)
    return node.op == "root" or (several and all(x.constant or is_crossing(x) for x in node.inputs))


def kind_of(node: Node, graph: Graph) -> str:
    """What a node is to who reads a graph: "crossing", "constant", "output", "leaf" or "step"."""
    if is_crossing(node):
        return "crossing"
    return "constant" if node.constant else "output" if node is graph.output else "leaf" if node.leaf else "step"


def _reach(graph: Graph, source: Node, entry: int | None) -> dict[int, float]:
    """For each node that depends on the source the largest product of norms of local derivatives on a way there."""
    reach = {source.number: 1.0}
    for node in graph.nodes:
        ways = []
        for edge in graph.edges_to(node):
            if edge.source.number in reach:
                local = _column(edge.local, entry if edge.source is source else None)
                ways.append(_norm(local) * reach[edge.source.number])
        if ways and node is not source:
            reach[node.number] = max(ways)
    return reach


def _column(matrix: Array, entry: int | None) -> Array:
    """One column of a matrix; all of it if none is meant."""
    return matrix if entry is None else matrix[:, [entry]]


def _norm(matrix: Array) -> float:
    """The spectral norm, which for products is at most the product; infinite where an entry is not finite."""
    if not np.isfinite(matrix).all():
        return np.inf
    return float(np.linalg.norm(matrix, 2 if min(matrix.shape) > 1 else None)) if matrix.size else 0.0
