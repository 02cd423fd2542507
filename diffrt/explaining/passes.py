"""The forward and the backward pass of a graph, step by step, as a person would do them on paper."""

import numpy as np

from diffrt.errors import printable
from diffrt.explaining.graph import Edge, Graph, Node
from diffrt.explaining.wording import tidy

_RULE = "multiplies it by its local derivative"


def forward_text(graph: Graph) -> str:
    """The operations in order, with values and shapes."""
    lines = []
    for k, node in enumerate(graph.nodes):
        made = node.operation or ("constant" if node.constant else "given")
        lines.append(f"{k + 1:>3}  {node.name} = {made} = {tidy(node.value)}{_shape(node)}")
    return "\n".join(map(printable, lines))


def backward_text(graph: Graph) -> str:
    """The reverse sweep in its order: from each node what its op does with the gradient, and where it goes.

    Shapes are given in two layouts: like the variable, as the program keeps gradients, and transposed, as the numerator
    layout of matrix calculus has them (d output / d column is a row).
    """
    lines = [f"gradient of {graph.output.name} by itself: {tidy(graph.gradient(graph.output))}"]
    seen: set[int] = set()
    step = 0
    for node in reversed(graph.nodes):
        edges = graph.edges_to(node)
        if not edges or node.adjoint is None:
            continue
        step += 1
        op = node.var.op if node.var is not None else None
        rule = f"{op.name} {op.backward}" if op and op.backward else f"{op.name if op else ''} {_RULE}"
        lines.append(f"{step:>3}  {node.name} = {node.operation}: {rule}")
        for edge in edges:
            lines.append(f"       {_sent(edge, edge.source.number in seen)}")
            seen.add(edge.source.number)
    lines.append("")
    for node in graph.nodes:
        uses = graph.edges_from(node)
        if node.leaf and not node.constant:
            told = f"grad {node.name} = {tidy(graph.gradient(node))}"
            if node.shape:
                told += f", like the variable {_by(node.shape)}, in numerator layout {_by(_transposed(node.shape))}"
            lines.append(told + (f", from {len(uses)} uses, added up" if len(uses) > 1 else ""))
    for what, those in (
        ("added up on the way (+=)", [n for n in graph.nodes if len(graph.edges_from(n)) > 1 and not n.leaf]),
        ("left alone, nobody wants their gradient", [n for n in graph.nodes if n.constant]),
    ):
        if those:
            lines.append(f"{what}: {', '.join(n.name for n in those)}")
    return "\n".join(map(printable, lines))


def _sent(edge: Edge, again: bool) -> str:
    source = edge.source
    part = (np.ravel(np.asarray(edge.target.adjoint, float)) @ edge.local).reshape(source.shape)
    sign = "+=" if again else "="
    return f"gradient of {source.name} {sign} {tidy(part)}{_shape(source)}"


def _shape(node: Node) -> str:
    return f"   ({_by(node.shape)})" if node.shape else ""


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "1"


def _transposed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1, *shape) if len(shape) == 1 else shape[::-1]
