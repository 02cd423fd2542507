"""Why a number of a graph is 0: which factor, which condition, which clamp makes it so."""

from typing import Any

import numpy as np

from diffrt.errors import printable
from diffrt.explaining.formulas import formula_of
from diffrt.explaining.graph import Graph, Node
from diffrt.explaining.wording import shortened, tidy

FARTHEST = 60
"""So many ops are gone back."""


def why_zero(node: Node, graph: Graph) -> str:
    """Why the value, or else the gradient, of a node is 0; empty if neither is, or nothing says why."""
    if not node.leaf and _zero(node.value):
        reason = _cause(node)
        return f"The value is 0: {reason}." if reason else ""
    if node.adjoint is None or not _zero(node.adjoint):
        return ""
    for edge in graph.edges_from(node):
        user = edge.target
        if user.adjoint is not None and not _zero(user.adjoint):
            reason = _stopped(user)
            return f"The gradient is 0: {reason}." if reason else ""
    if graph.edges_from(node):
        users = ", ".join(dict.fromkeys(shortened(e.target.name) for e in graph.edges_from(node)[:4]))
        return f"The gradient is 0: none reaches {printable(users)}."
    return ""


def _zero(value: Any) -> bool:
    array = np.asarray(value)
    return bool(array.size) and not array.any()


def _cause(node: Node) -> str:
    """What makes a value 0, gone back to the first cause."""
    for _ in range(FARTHEST):
        op = node.op
        zeros = [x for x in node.inputs if _zero(x.value) and (x.constant or not x.leaf)]
        if told := _not_taken(node):
            return told
        if op in ("maximum", "minimum") and (constant := _constant_of(node)) is not None and _zero(constant.value):
            return _clamped(node)
        if op in ("where", "maximum", "minimum", "add", "subtract", "sum", "reshape", "broadcast_to", "index", "stack",
                  "concatenate", "transpose", "negative", "multiply", "matmul", "chain", "divide", "sqrt"):  # fmt: skip
            following = next((x for x in zeros if not x.constant), None)
            if following is not None:
                node = following
                continue
            leaf = next((x for x in node.inputs if _zero(x.value) and op in ("multiply", "divide", "chain")), None)
            if leaf is not None:
                return f"{printable(shortened(leaf.name))} is 0" if leaf.given or not leaf.constant else "a factor is 0"
        return ""
    return ""


def _stopped(node: Node) -> str:
    """What lets no derivative through in a step, looked for in its op and those without a name before it."""
    pending, seen = [node], 0
    while pending and seen < FARTHEST:
        one = pending.pop()
        seen += 1
        op = one.op
        if told := _not_taken(one):
            return told
        bound = _constant_of(one) if op in ("maximum", "minimum") else None
        if bound is not None and np.all(np.asarray(one.value) == np.asarray(bound.value)):
            return _clamped(one)
        if op in ("multiply", "chain"):
            factor = next((x for x in one.inputs if _zero(x.value)), None)
            if factor is not None:
                return f"it is multiplied by {printable(shortened(factor.name))} = 0"
        pending += [x for x in one.inputs if x.var is not None and not x.given and not x.leaf]
    return ""


def _not_taken(node: Node) -> str:
    """Why a choice gives a constant, the same everywhere; empty if it does not, or is no choice."""
    if node.op != "where":
        return ""
    condition = np.asarray(node.inputs[0].value)
    if condition.any() != condition.all() or not node.inputs[1 if condition.all() else 2].constant:
        return ""
    if node.name.startswith("cosine"):
        return "the light is not seen from here, something stands between them, so this point lies in shadow"
    return "its condition is not met here"


def _constant_of(node: Node) -> Node | None:
    return next((x for x in node.inputs if x.constant), None)


def _clamped(node: Node) -> str:
    inner = next(x for x in node.inputs if not x.constant)
    side = "below" if node.op == "maximum" else "above"
    bound = _constant_of(node)
    text = inner.name if inner.given else formula_of(inner)
    told = f"{printable(shortened(text))} = {tidy(inner.value, 3)} is {side} {tidy(bound.value) if bound else 0}"
    return f"{told}: the surface faces away from the light" if "normal" in text and "light" in text else told
