"""A graph as one page for a browser, with nothing to load: it is fitted to the window, a named step unfolds in place,
Forward and Backward go through the passes, Paths adds up the chain rule term by term.

Here stands what the page knows, as JSON: the nodes with their formulas and numbers, the edges with their local
derivatives, the steps of the reverse sweep, and where everything stands in two layouts, upwards and to the right, of
which the page takes the one that fills its window better. `page.js` shows it, `page.css` says how it looks.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from diffrt.errors import printable
from diffrt.explaining.formulas import formula_of, partial_of
from diffrt.explaining.graph import Edge, Graph, Node, is_diagonal
from diffrt.explaining.layout import Way, in_layers, lay_out
from diffrt.explaining.passes import LARGEST, backward_steps, layouts_of, part_words
from diffrt.explaining.path import count_paths, kind_of
from diffrt.explaining.reasons import why_zero
from diffrt.explaining.totals import short_formulas
from diffrt.explaining.wording import by, component, counted, cut, derivative, runs_along, shortened, tidy
from diffrt.pages import escaped, filled, framed, in_script, part_of

MANY, FEWEST = 60, 6
"""A graph of more operations is folded to its named steps, if these are not fewer."""
MOST = 300
"""Boxes of one diagram; what is more is folded into runs of steps."""
RUNS = 40
"""So many runs of steps a long graph is folded into."""
DETAILED = 1500
"""Nodes of a page; what lies deeper in a fold is only counted."""
LEVELS = 120
"""So many runs can be unfolded."""
WAYS: tuple[Way, ...] = ("up", "right")
"""In which a diagram is laid out."""
NUMBERS = 60_000
"""Entries of local derivatives, other than zero, that a page holds for its paths."""


def html_of(
    graph: Graph,
    title: str,
    whole: Graph | None = None,
    marked: Sequence[Node] = (),
    notes: str = "",
    graphviz: bool = True,
) -> str:
    """The page of a graph.

    whole: all operations, if `graph` is the graph of its named steps, which then unfold. A graph of many operations is
    folded to its named steps here, if there are some. marked: nodes that stand out.
    notes: text below. graphviz: whether it places the boxes where it is installed.
    """
    if whole is None and len(graph.nodes) > MANY and all(e.between is None for e in graph.edges):
        steps = graph.steps()
        if FEWEST <= len(steps.nodes) <= MOST:
            graph, whole = steps, graph
    data = _Page(graph, whole, marked, graphviz).data()
    data["title"] = title
    parts = {
        "TITLE": escaped(title),
        "NOTES": "\n".join(map(escaped, notes.split("\n"))),
        "DATA": in_script(json.dumps(data, sort_keys=True, separators=(",", ":"))),
        "STYLE": part_of(__package__, "page.css"),
        "SCRIPT": part_of(__package__, "page.js"),
    }
    return filled(part_of(__package__, "page.html"), parts)


def in_frame(graph: Graph) -> str:
    """The page as a notebook shows it."""
    return framed(html_of(graph, f"{shortened(graph.output.name)}, and how it was computed"), "graph")


class _Page:
    """What a page knows; made once, by `data`."""

    def __init__(self, graph: Graph, whole: Graph | None, marked: Sequence[Node], graphviz: bool) -> None:
        self.graph, self.whole, self.marked, self.graphviz = graph, whole, marked, graphviz
        self.nodes: dict[str, dict[str, Any]] = {}
        self.edges: dict[str, dict[str, Any]] = {}
        self.detailed, self.numbers, self.levels = DETAILED, NUMBERS, LEVELS
        self.traced = graph.output.name.startswith("pixel")

    def data(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        graph = self.graph
        level = self.level(graph, graph.nodes, "")
        long = len(graph.nodes) > MOST
        of = {f"n{n.number}": n for n in graph.nodes} if not long else {}
        backward = [] if long else [
            {"node": f"n{step.node.number}", "rule": printable(step.rule), "gains": [self.gain(g) for g in step.gains]}
            for step in backward_steps(graph)
        ]  # fmt: skip
        if not long:
            named = [n for n in graph.nodes if (n.given or n.leaf) and n.adjoint is not None and n is not graph.output]
            wanted = [(n, 0) for n in named if n.size == 1]
            for (number, _), made in short_formulas(self.whole or graph, graph, wanted).items():
                self.nodes[f"n{number}"]["total"] = printable(made.text)
        order = [name for name in level["nodes"] if self.nodes[name]["kind"] != "constant"]
        output = f"n{graph.output.number}"
        inputs = [name for name, node in of.items() if node.leaf and not node.constant]
        told = {shortened(n.name): counted(count_paths(graph, n)) for n in graph.inputs[:20]} if long else {}
        return {
            "nodes": self.nodes, "edges": self.edges, "top": level, "order": order, "backward": backward,
            "output": output, "inputs": inputs, "folded": self.folded(), "paths": told,
            "marked": [f"n{n.number}" for n in self.marked],
        }  # fmt: skip

    def folded(self) -> str:
        """What the page shows folded, in words; empty if nothing is."""
        left_out = any("counted" in node for node in self.nodes.values())
        total = len((self.whole or self.graph).nodes)
        if len(self.graph.nodes) > MOST:
            shown = sum(node["kind"] != "group" for node in self.nodes.values())
            text = f"This graph has {total:,} nodes. They are folded, in the order of computation, into runs of steps"
            text += f"; {shown:,} of them can be unfolded here" if left_out else ", which unfold"
            return f"{text}. To go through its passes and paths, explain a smaller part of it."
        if not any("inside" in node for node in self.nodes.values()) and not left_out:
            return ""
        text = f"{total:,} operations, folded to {len(self.graph.nodes)} named steps: + unfolds a step"
        return text + (", but not those inside which there is too much for one page." if left_out else ".")

    def level(self, graph: Graph, nodes: Sequence[Node], prefix: str, within: tuple[str, ...] = ()) -> dict[str, Any]:
        """One diagram: its boxes, its edges, and where they stand.

        within: the scopes around it, which are not drawn again.
        """
        home: dict[int, str] = {}
        scopes: dict[str, tuple[str, ...]] = {}
        for run in self.runs(nodes):
            first, *others = run
            name = f"{prefix}{'g' if others else 'n'}{first.number}"
            self.nodes[name] = self.group(graph, run, name) if others else self.node(graph, first, prefix)
            inside = not (others or first.leaf) and first.scope[: len(within)] == within
            scopes[name] = first.scope[len(within) :] if inside else ()
            home.update({n.number: name for n in run})
        ends: dict[str, tuple[str, str]] = {}  # of the edges, by name
        bundles: dict[tuple[str, str], int] = {}
        for node in nodes:
            for edge in _edges_to(graph, node):
                a, b = home.get(edge.source.number), home[node.number]
                if a is None or a == b:
                    continue
                if self.nodes[a]["kind"] == "group" or self.nodes[b]["kind"] == "group":
                    bundles[a, b] = bundles.get((a, b), 0) + 1
                    continue
                name = f"{prefix}{_name(edge)}"
                self.edges[name] = {"from": a, "to": b, **self.edge(edge, prefix)}
                ends[name] = a, b
        for (a, b), number in bundles.items():
            name = f"{prefix}b{a}_{b}"
            self.edges[name] = {"from": a, "to": b, "bundle": number}
            ends[name] = a, b
        sizes = {name: (self.nodes[name]["w"], self.nodes[name]["h"]) for name in scopes}
        groups, pairs, layouts = _groups(scopes), list(ends.values()), {}
        for way in WAYS:
            members = [inside for _, inside in groups]
            placed = lay_out(sizes, pairs, way, members) if self.graphviz else in_layers(sizes, pairs, way)
            layouts[way] = placed.rounded()
        boxes = [{"name": scope[-1], "members": members} for scope, members in groups]
        return {"nodes": list(scopes), "edges": list(ends), "layouts": layouts, "boxes": boxes}

    def runs(self, nodes: Sequence[Node]) -> Iterable[Sequence[Node]]:
        """Boxes: each node its own, or, if they are many, runs of them in the order of computation.

        A run of steps is never both before and after another, so folding makes no cycle.
        """
        if len(nodes) <= MOST:
            return [[n] for n in nodes]
        length = -(-len(nodes) // RUNS)
        alone = {self.graph.output.number}
        if len(self.graph.inputs) <= RUNS // 2:
            alone |= {n.number for n in self.graph.inputs}
        body = [n for n in nodes if n.number not in alone]
        runs: list[Sequence[Node]] = [[n] for n in nodes if n.number in alone]
        runs += [body[k : k + length] for k in range(0, len(body), length)]
        return sorted(runs, key=lambda run: run[0].number)

    def group(self, graph: Graph, run: Sequence[Node], name: str) -> dict[str, Any]:
        """A run of steps as one box."""
        first, last = (shortened(n.name) for n in (run[0], run[-1]))
        ops = Counter(n.symbol or ("constant" if n.constant else "input") for n in run)
        told = ", ".join(f"{number:,} {op}" for op, number in ops.most_common(4))
        if len(ops) > 4:
            told += ", ..."
        lines = [f"{first} … {last}", told, f"{len(run):,} steps"]
        about = dict(zip(("name", "formula", "value"), lines, strict=True))
        return {**about, "kind": "group", "box": lines, **_size(lines), **self.inside(graph, run, name, levels=1)}

    def inside(
        self, graph: Graph, nodes: Sequence[Node], name: str, within: tuple[str, ...] = (), levels: int = 0
    ) -> dict[str, Any]:
        """What a box unfolds to, as long as there is room for it on the page; else that it is only counted."""
        if self.levels < levels or self.detailed < len(nodes) <= MOST:
            return {"counted": True}
        self.levels -= levels
        self.detailed -= len(nodes) if len(nodes) <= MOST else 0
        return {"inside": self.level(graph, nodes, f"{name}.", within)}

    def node(self, graph: Graph, node: Node, prefix: str) -> dict[str, Any]:
        """What is told of a node."""
        composite = graph.is_composite(node)
        formula = formula_of(node, single=not composite)
        if formula == node.name and len(node.inputs) > 1:
            formula = printable(node.operation)  # "W1 x" says nothing of a node that is called so
        gradient = "" if node.adjoint is None else tidy(node.adjoint, 6)
        found: dict[str, Any] = {
            "name": node.name, "kind": kind_of(node, self.graph), "formula": formula,
            "value": tidy(node.value, 6), "op": node.symbol, "shape": runs_along(node, self.traced),
            "gradient": gradient, "d": derivative(self.graph.output.name, node.name),
            "layouts": layouts_of(node), "why": "" if node.constant else why_zero(node, self.graph),
            "box": _lines(node, formula, self.graph),
        }  # fmt: skip
        if node.size > 1 and node.size <= 12 and node.leaf and not node.constant:
            found["entries"] = [component(node, k) for k in range(node.size)]
        if node.size > 1:
            found["size"] = node.size
        found.update(_size(found["box"]))
        if not prefix and self.whole is not None and composite:
            inner = _inside(self.whole, node)
            if inner is not None:
                found.update(self.inside(inner, inner.nodes, f"n{node.number}", node.scope))
        return found

    def edge(self, edge: Edge, prefix: str) -> dict[str, Any]:
        """What is told of an edge: its local derivative, as formula and as number."""
        if edge.source.constant:
            return {"constant": True}
        found: dict[str, Any] = {"d": derivative(edge.target.name, edge.source.name)}
        rows, columns = edge.target.size, edge.source.size
        if rows * columns > LARGEST:
            return {**found, "local": f"{rows}x{columns}, too large to show"}
        local = edge.local
        formula = partial_of(edge)
        if is_diagonal(local):
            entries = np.diag(local)
            same = (entries == entries[0]).all()
            found["local"] = _scaled(tidy(entries[0], 4)) if same else f"diag {tidy(entries, 4)}"
            if formula is not None:
                formula = _scaled(formula) if re.fullmatch(r"-?[\d.e+-]+", formula) else f"diag({formula})"
        else:
            found["local"] = tidy(local, 4)
        if formula is not None:
            found["formula"] = formula
        if rows * columns > 1:
            found["shape"] = f"{rows} x {columns}: entries of {shortened(edge.target.name)} by those of "
            found["shape"] += shortened(edge.source.name)
        if not prefix:
            row, column = np.nonzero(local)
            self.numbers -= len(row)
            if self.numbers >= 0:
                entries = local[row, column]
                found["matrix"] = [rows, columns, [[int(i), int(j), _json_number(v)]
                                                   for i, j, v in zip(row, column, entries, strict=True)]]  # fmt: skip
        return found

    def gain(self, gain: Any) -> dict[str, Any]:
        return {"edge": _name(gain.edge), "to": f"n{gain.edge.source.number}", "part": part_words(gain.part),
                "sum": part_words(gain.so_far), "first": gain.first}  # fmt: skip


def _name(edge: Edge) -> str:
    return f"e{edge.source.number}_{edge.target.number}_{edge.position + 1}"


def _edges_to(graph: Graph, node: Node) -> list[Edge]:
    """The edges of a node, and those from constants, which have no derivative, where constants are drawn."""
    edges = graph.edges_to(node)
    if graph.is_composite(node):
        return edges
    return edges + [Edge(x, node, i) for i, x in enumerate(node.inputs) if x.constant and x.number]


def _groups(scopes: dict[str, tuple[str, ...]]) -> list[tuple[tuple[str, ...], list[str]]]:
    """Scopes with the boxes in them; one inside another comes after it."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, scope in scopes.items():
        for k in range(1, len(scope) + 1):
            found.setdefault(scope[:k], []).append(name)
    return sorted(found.items())


def _lines(node: Node, formula: str, graph: Graph) -> list[str]:
    """The lines of a box: name, formula, value, gradient."""
    lines = [
        cut(node.name, 34),
        cut(formula, 38) if formula != node.name else "",
        _brief(node.value) if node.has_value else "",
    ]
    if node.adjoint is not None:
        label = derivative(cut(graph.output.name, 14), cut(node.name, 18))
        lines.append(f"{label} = {_brief(node.adjoint)}")
    return [printable(line) for line in lines]


def _brief(value: Any) -> str:
    text = tidy(value, 3)
    if len(text) > 34 and np.ndim(value) and np.size(value) <= 12:
        return f"{by(np.shape(value))} from {tidy(np.min(value), 3)} to {tidy(np.max(value), 3)}"
    return text


def _size(lines: Sequence[str]) -> dict[str, float]:
    """Of a box for some lines of text, in pixels."""
    widest = max((_width(line) * (1.08 if k == 0 else 0.95) for k, line in enumerate(lines)), default=0.0)
    return {"w": round(max(widest + 22.0, 46.0)), "h": 16 * sum(map(bool, lines)) + 14}


def _width(text: str) -> float:
    return sum(
        4.2 if c in " .,:;'|!()[]ijlft/-" else 11.0 if c in "mwMW@" else 8.6 if c.isupper() else 7.2 for c in text
    )


def _scaled(number: str) -> str:
    """A multiple of the identity."""
    return {"1": "I", "-1": "-I"}.get(number, f"{number} I")


def _json_number(value: float) -> float | str:
    """JSON has no infinity; JavaScript reads these words."""
    if np.isfinite(value):
        return float(f"{value:.12g}")
    return "NaN" if np.isnan(value) else "Infinity" if value > 0.0 else "-Infinity"


def _inside(whole: Graph, node: Node) -> Graph | None:
    """The operations between a named step and the steps before it; None if there is only one."""
    kept: dict[int, Node] = {node.number: node}
    pending = [node]
    while pending:
        for edge in whole.edges_to(pending.pop()):
            source = edge.source
            if source.number not in kept:
                kept[source.number] = source
                if not (source.given or source.leaf):
                    pending.append(source)
    if sum(not (n.given or n.leaf) for n in kept.values()) == 0:
        return None
    numbers = {n for k in kept.values() for n in ([x.number for x in k.inputs] if k is node or not k.given else [])}
    nodes = [n for n in whole.nodes if n.number in kept or (n.constant and n.number in numbers)]
    edges = [e for e in whole.edges if e.source.number in kept and e.target.number in kept
             and (e.target is node or not e.target.given)]  # fmt: skip
    return Graph([n.bare() if n.given and n is not node else n for n in nodes], node, edges)
