"""Graphs as diagrams: the DOT language, and pictures of it by Graphviz.

DOT text needs nothing. A picture needs the package pygraphviz (extra `diagram`), whose wheel brings Graphviz along.
The same graph gives the same text, byte for byte.
"""

from collections.abc import Sequence

from diffrt.errors import InputError, printable
from diffrt.explaining.formulas import formula_of
from diffrt.explaining.graph import Graph, Node
from diffrt.explaining.path import kind_of
from diffrt.explaining.wording import derivative, shortened, tidy
from diffrt.quiet import quiet

LARGEST = 300
"""A graph with more nodes is folded."""

_FILLS = {"constant": "#eeeeee", "marked": "#ffd9a0", "output": "#bfe3bf", "crossing": "#f6c6c6", "leaf": "#cfe2f7",
          "step": "white"}  # fmt: skip


def folded(graph: Graph, most: int = LARGEST) -> Graph:
    """The graph itself, or, if it has more than `most` nodes, that of its named steps."""
    return graph if len(graph.nodes) <= most else graph.steps()


def dot_of(graph: Graph, marked: Sequence[Node] = ()) -> str:
    """A graph in the DOT language: values and adjoints in the nodes, scopes as boxes around them.

    marked: nodes to stand out, such as the input that is asked about.
    """
    lines = [
        "digraph {",
        '  graph [rankdir=BT, fontname="Helvetica", ranksep=0.3, nodesep=0.2, color="#b8b8b8", fontcolor="#707070"]',
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11, margin="0.12,0.05"]',
        '  edge [arrowsize=0.6, color="#808080"]',
    ]
    tree: dict[tuple[str, ...], list[Node]] = {}
    for node in graph.nodes:
        tree.setdefault(node.scope, []).append(node)
    scopes = sorted({scope[:k] for scope in tree for k in range(len(scope) + 1)})

    def write(scope: tuple[str, ...], indent: str) -> None:
        for node in tree.get(scope, ()):
            lines.append(f"{indent}{_id(node)} [{_attributes(node, graph, marked)}]")
        for number, inner in enumerate(s for s in scopes if len(s) == len(scope) + 1 and s[: len(scope)] == scope):
            name = "_".join(str(scopes.index(inner[: k + 1])) for k in range(len(inner)))
            lines.append(f'{indent}subgraph cluster_{name}_{number} {{ label="{_escaped(shortened(inner[-1]))}"')
            write(inner, indent + "  ")
            lines.append(f"{indent}}}")

    write((), "  ")
    drawn = {n.number for n in graph.nodes}
    for node in graph.nodes:
        edges = graph.edges_to(node)
        if graph.is_composite(node):
            lines += [_arrow(e.source, node, e.position) for e in edges]
        else:
            there = {e.position for e in edges}
            lines += [_arrow(x, node, i) for i, x in enumerate(node.inputs)
                      if i in there or (x.constant and x.number in drawn)]  # fmt: skip
    return "\n".join([*lines, "}", ""])


def svg_of(dot: str) -> bytes:
    """A picture of DOT text. Raises InputError where pygraphviz is not installed."""
    try:
        import pygraphviz
    except ImportError:
        raise InputError(
            "drawing needs the package pygraphviz: pip install 'diffrt[diagram]'; .dot needs nothing"
        ) from None
    with quiet():  # the fontconfig in the wheel complains of settings of the system's own one
        drawn = pygraphviz.AGraph(string=dot).draw(format="svg", prog="dot")
    return bytes(drawn)


def picture(graph: Graph) -> str | None:
    """The diagram as SVG; None where pygraphviz is not installed, or there is more than can be seen."""
    if len(graph.nodes) > LARGEST:
        return None
    try:
        return svg_of(dot_of(graph)).decode()
    except InputError:
        return None


def _arrow(source: Node, target: Node, position: int) -> str:
    return f'  {_id(source)} -> {_id(target)} [id="e{source.number}_{target.number}_{position + 1}"]'


def _id(node: Node) -> str:
    return f"n{node.number}"


def _attributes(node: Node, graph: Graph, marked: Sequence[Node]) -> str:
    name = shortened(node.name)
    formula = formula_of(node, single=not graph.is_composite(node))
    lines = [name if formula in ("", name) else f"{name} = {formula}"]
    if node.has_value:
        lines.append(tidy(node.value, 3))
    if node.adjoint is not None and not graph.part:
        lines.append(f"{derivative(graph.output.name, node.name)} = {tidy(node.adjoint, 3)}")
    kind = "output" if node is graph.output else kind_of(node, graph)
    color = _FILLS["marked" if node in marked and not node.constant else kind]
    label = "\\n".join(_escaped(line) for line in lines)
    return f'label="{label}", fillcolor="{color}", id="{_id(node)}"'


def _escaped(text: str) -> str:
    # Graphviz reads "&lt;" as "<", and would end at a NUL.
    return printable(text).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
