"""A derivative as a LaTeX document: the steps, and the paths as products of partial derivatives."""

import itertools
from collections.abc import Sequence

from diffrt.errors import printable
from diffrt.explaining.graph import Edge, Graph, Node
from diffrt.explaining.path import find_paths, is_crossing, through_crossings
from diffrt.explaining.wording import component, counted, tidy, written

_SPECIAL = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#",
            "$": r"\$", "^": r"\^{}", "~": r"\~{}", "<": r"\textless{}", ">": r"\textgreater{}",
            "|": r"\textbar{}", "[": "{[}", "]": "{]}", "*": "{*}"}  # fmt: skip


def explain_latex(graph: Graph, source: Node, entry: int | None, most: int = 10) -> str:
    """A whole document; needs amsmath and longtable. The arguments are as for `explain_text`."""
    used = graph.restricted([source])
    out = graph.output
    lines = [r"\documentclass{article}", r"\usepackage{amsmath,longtable}",
             r"\allowdisplaybreaks", r"\begin{document}", r"\section*{Steps}", r"\begin{longtable}{lp{5cm}p{5cm}}",
             r"step & value & computed from \\ \hline"]  # fmt: skip
    for node in used.nodes:
        lines.append(f"{_text(node.name)} & {_text(tidy(node.value))} & {_computed(used.edges_to(node))} \\\\")
    lines += [r"\end{longtable}"]
    for k in range(source.size) if entry is None else [entry]:
        name = component(source, k)
        paths = find_paths(used, source, k, most)
        lines += [rf"\section*{{Derivative by {_text(name)}}}",
                  rf"\[ {_partial(out.name, name)} = {_number(paths.derivative.item())} \]"]  # fmt: skip
        if any(is_crossing(n) for n in used.nodes):
            still, moving = through_crossings(used, source, k)
            lines.append(f"With the edges of the image held still ${_number(still.item())}$, from moving them "
                         f"${_number(moving.item())}$.")  # fmt: skip
        lines.append(f"There are {counted(paths.total)} paths" + ("." if paths.complete else
                     f"; the {len(paths.listed)} largest are listed."))  # fmt: skip
        if paths.listed:
            lines.append(r"\begin{align*}")
            for path in paths.listed:
                names = [name, *(n.name for n in path.nodes[1:])]
                factors = [_partial(above, below) for below, above in itertools.pairwise(names)][::-1]
                rows = [r"\,".join(factors[i : i + 4]) for i in range(0, len(factors), 4)]
                lines.append("& " + r" \\ & \quad\cdot ".join(rows) + rf" = {_number(path.value)} \\")
            lines.append(r"\end{align*}")
        if not paths.complete:
            lines.append(f"The paths that are not listed add ${_number(paths.rest.item())}$.")
    return "\n".join([*lines, r"\end{document}", ""])


def _computed(edges: Sequence[Edge]) -> str:
    """How a step was made: its op as a formula, or the named steps that it was computed from."""
    var = edges[0].target.var if edges else None
    if var is None or var.op is None or edges[0].between is not None:
        return ", ".join(dict.fromkeys(_text(e.source.name) for e in edges)) or "given"
    name = rf"\operatorname{{{_text(var.op.name)}}}"
    parts = [rf"\text{{{_text(x.name)}}}" for x in edges[0].target.inputs]
    return f"${written(var.op.latex or var.op.form, name, parts, var.settings or {})}$"


def _partial(above: str, below: str) -> str:
    return rf"\frac{{\partial\,\text{{{_text(above)}}}}}{{\partial\,\text{{{_text(below)}}}}}"


def _text(text: str) -> str:
    # At the start of a row [ and * would belong to the \\ before it.
    return "".join(_SPECIAL.get(c, c) for c in printable(text))


def _number(x: float) -> str:
    mantissa, e, exponent = tidy(x, 6).partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else mantissa
