"""A recorded computation on symbols, with the names of its steps, and how it is done again with other numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from diffrt.autograd.backward import pull_back, reachable
from diffrt.autograd.variable import Var, apply
from diffrt.explaining.graph import Graph, Node, graph_of
from diffrt.explaining.symbols import NoFormula, Record, Symbol, needed, on_symbols, traced
from diffrt.explaining.wording import component, derivative

TRIES = 160
"""Points that are tried to find some at which a formula can be compared."""


class Computation:
    """A computation on symbols, and how it is done again with other numbers."""

    def __init__(
        self,
        graph: Graph,
        record: Record,
        arrays: Mapping[int, Any],
        again: Callable[[dict[int, Any], Node, int], float],
        notes: Sequence[str],
        held: Sequence[tuple[Var, str]] = (),
    ) -> None:
        self.graph, self.record, self.arrays, self.again = graph, record, arrays, again
        self.notes, self.held = list(notes), held
        self.own = len(record.symbols)
        """The program itself has made the symbols before this one."""
        self.output: Symbol = record.of(np.asarray(arrays[_serial(graph.output)], object).item())
        self.names: dict[int, str] = {}
        self.steps: dict[int, str] = {}
        """The named step that a symbol is an entry of."""
        for node in graph.nodes:
            if node.var is not None and node.given:
                for k, symbol in enumerate(np.ravel(arrays[node.var.serial])):
                    if isinstance(symbol, Symbol) and not symbol.constant:
                        self.names.setdefault(symbol.number, component(node, k))
                        self.steps.setdefault(symbol.number, node.name)
        for symbol in record.symbols:
            if symbol.name:
                self.names[symbol.number] = symbol.name

    @property
    def size(self) -> int:
        """The number of numbers that ops have made."""
        return sum(symbol.op is not None for symbol in needed([self.output]))

    @cached_property
    def adjoints(self) -> dict[int, Symbol]:
        """By each symbol that it was computed from."""
        return self.record.adjoints(self.output)

    @cached_property
    def quantities(self) -> dict[int, str]:
        """The names of what may be plugged in: named steps, and the derivatives of the output by them."""
        found = {n: name for n, name in self.names.items() if self.record.symbols[n].op is not None}
        above = self.graph.output.name
        for n in [n for n in self.names if n in self.adjoints]:
            g = self.adjoints[n]
            if g.op is not None and g.number not in found and g.number >= self.own:
                found[g.number] = derivative(above, self.names[n])
        return found

    def expect_formula(self, node: Node) -> None:
        """Raises NoFormula where a derivative by a node goes through what has none."""
        for var, why in self.held:
            if any(v is node.var for v in reachable([var])):
                name = _step(self.graph, var)
                raise NoFormula(f"the way from {node.name} goes through {name}, which has no formula: {why}")

    def points(self, node: Node, place: int) -> Iterator[tuple[dict[int, float], float]]:
        """Numbers for what is given, the first those of the computation, with the derivative by the reverse sweep."""
        # What a held number was computed from stays as it is, so that the number does.
        fixed = {v.serial for v in reachable([var for var, _ in self.held])}
        leaves = [n for n in self.graph.nodes if n.leaf and n.var is not None and n.var.serial not in fixed]
        rng = np.random.default_rng(0)
        for k in range(TRIES):
            reach = 0.0 if k == 0 else (3.0, 1.0, 0.2, 0.01)[k % 4]
            values = {
                _serial(leaf): np.asarray(leaf.value, float)
                + reach * rng.uniform(-1.0, 1.0, leaf.shape) * (0.5 * np.abs(leaf.value) + 0.5)
                for leaf in leaves
            }
            try:
                with np.errstate(all="ignore"):
                    slope = self.again(values, node, place)
            except (ValueError, ArithmeticError, NoFormula):
                continue
            if np.isfinite(slope):
                yield self.numbers_of(values), float(slope)

    def numbers_of(self, values: Mapping[int, Any]) -> dict[int, float]:
        """The entries of leaves by the numbers of their symbols. values: by serial number."""
        given = {}
        for serial, array in values.items():
            for symbol, value in zip(np.ravel(self.arrays[serial]), np.ravel(array), strict=True):
                if isinstance(symbol, Symbol):
                    given[symbol.number] = float(value)
        return given


def _step(graph: Graph, var: Var) -> str:
    """The name of the step that a Var is in: its own, or that of the first named node made from it."""
    node = next((n for n in graph.nodes if n.var is var), None)
    while node and not node.given and (uses := graph.edges_from(node)):
        node = uses[0].target
    return node.name if node else var.op.name if var.op else ""


def _serial(node: Node) -> int:
    assert node.var is not None
    return node.var.serial


def of_graph(output: Any) -> Computation:
    """From a recorded computation."""
    graph = output if isinstance(output, Graph) else graph_of(output)
    if graph.output.size != 1:
        raise ValueError(f"{graph.output.name} has {graph.output.size} entries; a formula is of one, such as y[0]")
    assert graph.output.var is not None
    nodes = reachable([graph.output.var])
    record = Record()
    by_serial = {n.var.serial: n for n in graph.nodes if n.var is not None}
    names = {v.serial: by_serial[v.serial].name if v.serial in by_serial else v.name or f"u{k}"
             for k, v in enumerate(nodes)}  # fmt: skip
    leaves = {v.serial: record.array(names[v.serial], v.value) for v in nodes if v.op is None}
    arrays, held = on_symbols(record, nodes, leaves, names)

    def again(values: dict[int, Any], node: Node, place: int) -> float:
        fresh: dict[int, Any] = {}
        for v in nodes:
            if v.op is None:
                fresh[v.serial] = Var(values.get(v.serial, v.value))
            else:
                inputs = tuple(fresh.get(x.serial, x) if type(x) is Var else x for x in v.inputs)
                fresh[v.serial] = apply(v.op, inputs, v.settings)
        return _slope(fresh[nodes[-1].serial], fresh[_serial(node)], place)

    chosen = any(v.op is not None and v.op.name == "where" for v in nodes)
    note = "The conditions of where are as they were here; the formula of a function has both sides."
    return Computation(graph, record, arrays, again, [note] if chosen else [], held)


def of_function(function: Callable[..., Any], at: Mapping[str, Any] | None) -> Computation:
    """From a function of Vars: run on numbers, for the names and values, and on symbols, for the conditions."""
    if not at:
        raise ValueError('the formula of a function needs a point: at={"x": 1.3, ...}, a value for each argument')

    def called(values: Mapping[str, Any]) -> list[Var]:
        out = function(**{name: Var(np.asarray(v, float), name) for name, v in values.items()})
        return reachable([graph_of(out).output.var])  # type: ignore[list-item]

    nodes = called(at)
    graph = graph_of(nodes[-1])
    if graph.output.size != 1:
        raise ValueError(f"the function gives {graph.output.size} entries; a formula is of one of them")
    names = {v.serial: v.name or "" for v in nodes if v.op is None}
    if unknown := [name for name in names.values() if name not in at]:
        raise ValueError(
            f"the function also depends on {unknown[0] or 'a variable without a name'}, which is not in `at`"
        )
    places = {v.serial: k for k, v in enumerate(nodes)}

    def again(values: dict[int, Any], node: Node, place: int) -> float:
        fresh = called({**at, **{names[n]: v for n, v in values.items()}})
        if node.leaf:
            return _slope(fresh[-1], next(v for v in fresh if v.op is None and v.name == node.name), place)
        if len(fresh) != len(nodes):
            raise ValueError("another branch of the program")
        return _slope(fresh[-1], fresh[places[_serial(node)]], place)

    try:
        record, out = traced(function, at)
        twins = reachable([out])
        if [v.op for v in twins] != [v.op for v in nodes]:
            raise TypeError("it is another computation on symbols")
    except NoFormula:
        raise
    except Exception:
        # It looks at its numbers in a way of its own, as softmax does, so the steps that it took are read instead.
        known = of_graph(graph)
        return Computation(graph, known.record, known.arrays, again, known.notes, known.held)
    arrays = {v.serial: np.asarray(twin.value, object) for v, twin in zip(nodes, twins, strict=True)}
    return Computation(graph, record, arrays, again, [])


def _slope(output: Var, by: Var, place: int) -> float:
    seen: dict[int, Any] = {}
    ends = pull_back(reachable([output]), {output.serial: np.ones(output.shape) if output.shape else 1.0},
                     recorded=False, kept={by.serial}, seen=seen)  # fmt: skip
    return float(np.ravel(np.broadcast_to({**seen, **ends}.get(by.serial, 0.0), by.shape))[place])
