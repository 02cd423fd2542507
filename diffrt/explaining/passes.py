"""The forward and the backward pass of a graph, step by step, as a person would do them on paper."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from diffrt.errors import printable
from diffrt.explaining.graph import Edge, Graph, Node
from diffrt.explaining.wording import by, tidy

_RULE = "multiplies it by its local derivative"
LARGEST = 1_000_000
"""Entries of a local derivative; what is larger is not computed to be shown."""


@dataclass(frozen=True)
class Gain:
    """What one step adds to the gradient of one of its inputs, along one edge.

    part: the adjoint of the target times the local derivative, shaped like the input. so_far: the sum of the parts up
    to this one. Both are None where the local derivative is too large. first: whether nothing was there before.
    """

    edge: Edge
    part: Any
    so_far: Any
    first: bool


@dataclass(frozen=True)
class BackwardStep:
    """One step of the reverse sweep: what the op of a node does with the gradient, and what its inputs gain."""

    node: Node
    rule: str
    gains: tuple[Gain, ...]


def backward_steps(graph: Graph) -> list[BackwardStep]:
    """The reverse sweep in its order."""
    steps = []
    sums: dict[int, Any] = {}
    for node in reversed(graph.nodes):
        edges = graph.edges_to(node)
        if not edges or node.adjoint is None:
            continue
        gains = []
        for edge in edges:
            number, first = edge.source.number, edge.source.number not in sums
            part = _part(edge)
            sums[number] = part if first or part is None or sums[number] is None else sums[number] + part
            gains.append(Gain(edge, part, sums[number], first))
        steps.append(BackwardStep(node, rule_of(node, edges), tuple(gains)))
    return steps


def rule_of(node: Node, edges: list[Edge]) -> str:
    """What the reverse sweep does at a node, in words: the rule of its op, or those of the few ops in a named step."""
    ops: dict[str, str] = {}
    pending, seen = [node], 0
    composite = any(edge.between is not None for edge in edges)
    while pending and len(ops) <= 3 and seen < 50:
        one = pending.pop(0)
        seen += 1
        op = one.var.op if one.var is not None else None
        if op is not None:
            ops.setdefault(op.name, f"{op.symbol or op.name} {op.backward or _RULE}")
        if composite:
            pending += [x for x in one.inputs if not (x.constant or x.given or x.leaf)]
    if not pending and len(ops) <= 3:
        return "; ".join(ops.values())
    return "each input gains it times the local derivative of this step by that input"


def layouts_of(node: Node) -> str:
    """The shapes of a gradient; empty for a number."""
    if not node.shape:
        return ""
    transposed = (1, *node.shape) if len(node.shape) == 1 else node.shape[::-1]
    return f"like the variable {by(node.shape)}, in numerator layout {by(transposed)}"


def part_words(part: Any, digits: int = 4) -> str:
    """A part of a gradient, or the sum of some, as a `Gain` holds it."""
    return "too large to show" if part is None else tidy(part, digits)


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
    for k, step in enumerate(backward_steps(graph)):
        lines.append(f"{k + 1:>3}  {step.node.name} = {step.node.operation}: {step.rule}")
        lines += [f"       {_sent(gain)}" for gain in step.gains]
    lines.append("")
    for node in graph.nodes:
        uses = graph.edges_from(node)
        if node.leaf and not node.constant:
            told = f"grad {node.name} = {tidy(graph.gradient(node))}"
            if node.shape:
                told += f", {layouts_of(node)}"
            lines.append(told + (f", from {len(uses)} uses, added up" if len(uses) > 1 else ""))
    for what, those in (
        ("added up on the way (+=)", [n for n in graph.nodes if len(graph.edges_from(n)) > 1 and not n.leaf]),
        ("left alone, nobody wants their gradient", [n for n in graph.nodes if n.constant]),
    ):
        if those:
            lines.append(f"{what}: {', '.join(n.name for n in those)}")
    return "\n".join(map(printable, lines))


def _part(edge: Edge) -> Any:
    if edge.source.size * edge.target.size > LARGEST:
        return None
    with np.errstate(all="ignore"):
        return (np.ravel(np.asarray(edge.target.adjoint, float)) @ edge.local).reshape(edge.source.shape)


def _sent(gain: Gain) -> str:
    source = gain.edge.source
    return f"gradient of {source.name} {'=' if gain.first else '+='} {part_words(gain.part)}{_shape(source)}"


def _shape(node: Node) -> str:
    return f"   ({by(node.shape)})" if node.shape else ""
