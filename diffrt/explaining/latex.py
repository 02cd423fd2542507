r"""A derivative in LaTeX, as a document or as slides: the steps, and the paths as products of partial derivatives.

Lines keep to the width of the page: a name may break behind its dots and brackets, products are broken between their
factors, and what cannot break is scaled down, by the command `\fitted` that each document defines.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

from diffrt.errors import printable
from diffrt.explaining.formulas import partial_of
from diffrt.explaining.graph import Edge, Graph, Node
from diffrt.explaining.passes import BackwardStep, Gain, backward_steps
from diffrt.explaining.path import Path, Paths
from diffrt.explaining.totals import Derivative, derivatives_of
from diffrt.explaining.wording import component, counted, in_latex, signed, tidy, written

ROW = 70
"""Characters of the names in one row of a product."""
LISTED = 8
"""Steps, or paths, on one slide."""
FRAMES = 300
"""Slides of arrows; of more arrows these are the first ones of the backward pass."""

_CDOT = r" \cdot{} "
T = TypeVar("T")

_FITTED = r"""\newsavebox{\fittedbox}
\newcommand{\fitted}[1]{\sbox{\fittedbox}{$\displaystyle #1$}\ifdim\wd\fittedbox>0.9\linewidth
  \resizebox{0.9\linewidth}{!}{\usebox{\fittedbox}}\else\usebox{\fittedbox}\fi}"""


def explain_latex(graph: Graph, source: Node, entry: int | None, most: int = 10, whole: Graph | None = None) -> str:
    """A whole document; needs amsmath, array, geometry, graphicx and longtable. The arguments are as for
    `derivatives_of`."""
    used, found = derivatives_of(graph, source, entry, most, whole)
    lines = [r"\documentclass{article}", r"\usepackage[margin=25mm]{geometry}",
             r"\usepackage{amsmath,array,graphicx,longtable}", r"\allowdisplaybreaks", r"\setlength{\parindent}{0pt}",
             r"\setlength{\emergencystretch}{3em}",
             r"\newcolumntype{L}[1]{>{\raggedright\arraybackslash}p{#1\linewidth}}", _FITTED,
             r"\begin{document}", r"\section*{Steps}", r"\begin{longtable}{L{0.27}L{0.33}L{0.3}}",
             r"step & value & computed from \\ \hline"]  # fmt: skip
    for node in used.nodes:
        lines.append(f"{_text(node.name)} & {_text(tidy(node.value))} & {_computed(used.edges_to(node))} \\\\")
    lines += [r"\end{longtable}"]
    for by in found:
        lines += [rf"\section*{{Derivative by {_text(by.name)}}}", _derivative(graph, by)]
        if by.formula is not None:
            lines += [r"In symbols", rf"\[ \fitted{{{by.formula.latex()}}} \]"]
        lines += [*_moving(by), _how_many(by.paths)]
        for number, path in enumerate(by.paths.listed, 1):
            names = [by.name, *(n.name for n in path.nodes[1:])]
            lines += ["", rf"\paragraph{{Path {number}}} {_arrows(names)}",
                      r"\begin{align*}", *_product(path, names), r"\end{align*}"]  # fmt: skip
        lines += _sum(by.paths)
    return "\n".join([*lines, r"\end{document}", ""])


def explain_slides(graph: Graph, source: Node, entry: int | None, most: int = 10, whole: Graph | None = None) -> str:
    """Slides, a document for beamer: the steps, then one frame for each arrow in the order of the backward pass, and
    the paths with their sum. The arguments are as for `derivatives_of`."""
    used, found = derivatives_of(graph, source, entry, most, whole)
    out = graph.output
    lines = [r"\documentclass{beamer}", r"\usepackage{amsmath,graphicx}", r"\setbeamertemplate{navigation symbols}{}",
             r"\setbeamertemplate{frametitle continuation}[from second]",
             r"\setlength{\emergencystretch}{3em}", _FITTED, r"\begin{document}"]  # fmt: skip
    told = [f"{_text(out.name)} $= {_number(float(out.value))}$"] if out.size == 1 else []
    for by in found:
        told.append(rf"\[ {_partial(out.name, by.name)} = {_number(by.value)} \]")
        if by.formula is not None:
            told.append(rf"\[ \fitted{{{by.formula.latex()}}} \]")
    lines += _frame(f"{out.name} by {source.name if entry is None else component(source, entry)}", told)
    for part in _parts(used.nodes, LISTED):
        rows = [rf"\item {_text(n.name)} $=$ {_text(tidy(n.value, 3))}" for n in part]
        lines += _frame("Forward: the steps", [r"\begin{itemize}\small", *rows, r"\end{itemize}"])
    steps = backward_steps(used)
    total = sum(len(step.gains) for step in steps)
    for number, (step, gain) in enumerate(((s, g) for s in steps for g in s.gains), 1):
        if number > FRAMES:
            lines += _frame("Backward", [f"{total - FRAMES} arrows more are left out."])
            break
        lines += _frame(f"Backward, arrow {number} of {total}", _arrow(out, step, gain))
    for by in found:
        for those in _parts(by.paths.listed, LISTED):
            rows = [rf"\item ${_number(path.value)}$: {_arrows([n.name for n in path.nodes])}" for path in those]
            lines += _frame(f"Paths from {by.name}", [r"\begin{itemize}\footnotesize", *rows, r"\end{itemize}"])
        lines += _frame("Their sum", [_how_many(by.paths), *_moving(by), *_sum(by.paths), _derivative(graph, by)])
    return "\n".join([*lines, r"\end{document}", ""])


def _arrows(names: Sequence[str]) -> str:
    return r" $\to$ ".join(map(_text, names))


def _frame(title: str, content: Sequence[str]) -> list[str]:
    return [rf"\begin{{frame}}[allowframebreaks]{{{_text(title)}}}", *content, r"\end{frame}"]


def _parts(items: Sequence[T], length: int) -> Iterator[Sequence[T]]:
    for k in range(0, len(items), length):
        yield items[k : k + length]


def _arrow(out: Node, step: BackwardStep, gain: Gain) -> list[str]:
    """What is to be said of one arrow: its local derivative, as formula and as number, and what it adds."""
    edge = gain.edge
    local = _partial(edge.target.name, edge.source.name)
    formula = partial_of(edge)
    lines = [rf"{_text(edge.source.name)} $\to$ {_text(edge.target.name)}: {_text(step.rule)}.", ""]
    if formula is not None:
        lines += [f"Local derivative: {_text(formula)}", ""]
    if edge.local.size == 1:
        lines.append(rf"\[ {local} = {_number(float(edge.local.item()))} \]")
    sign = "=" if gain.first else r"\mathrel{+}="
    above, below = _partial(out.name, edge.source.name), _partial(out.name, edge.target.name)
    lines.append(rf"\[ \fitted{{{above} {sign} {below} \, {local}}} \]")
    if gain.part is not None:
        lines.append(rf"{'It is' if gain.first else 'It adds'} {_text(tidy(gain.part))}"
                     + ("." if gain.first else f"; the sum so far is {_text(tidy(gain.so_far))}."))  # fmt: skip
    return lines


def _derivative(graph: Graph, by: Derivative) -> str:
    return rf"\[ \fitted{{{_partial(graph.output.name, by.name)} = {_number(by.value)}}} \]"


def _moving(by: Derivative) -> list[str]:
    if by.moving is None:
        return []
    still, moving = map(_number, by.moving)
    return [f"With the edges of the image held still ${still}$, from moving them ${moving}$."]


def _how_many(paths: Paths) -> str:
    told = f", {counted(paths.nothing)} of them through a derivative of $0$" if paths.nothing else ""
    told += "." if paths.complete else f"; the {len(paths.listed)} largest are listed."
    return f"There are {counted(paths.total)} paths{told}" if paths.total != 1 else "There is one path."


def _product(path: Path, names: Sequence[str]) -> list[str]:
    """The rows of a path: its factors from the output back, their values where they are numbers, and the product."""
    factors = [(_partial(above, below), max(len(above), len(below)) + 4) for below, above in itertools.pairwise(names)]
    rows = [r" \, ".join(row) for row in _rows(factors[::-1])]
    lines = [rf"{_CDOT if k else ''} & \fitted{{{row}}} \\" for k, row in enumerate(rows)]
    if path.edges and all(e.local.size == 1 for e in path.edges):
        values = [signed(_number(float(e.local.item()))) for e in path.edges[::-1]]
        for k, row in enumerate(_rows([(v, len(v) + 3) for v in values])):
            lines.append(rf"{_CDOT if k else '={}'} & \fitted{{{_CDOT.join(row)}}} \\")
    return [*lines, rf"={{}} & {_number(path.value)}"]


def _sum(paths: Paths) -> list[str]:
    """The terms of the listed paths, added up."""
    if len(paths.listed) < 2:
        return [] if paths.complete else [f"The paths that are not listed add ${_number(paths.rest.item())}$."]
    terms = [_number(path.value) for path in paths.listed]
    signed = [t if k == 0 or t.startswith("-") else f"+ {t}" for k, t in enumerate(terms)]
    rows = [" ".join(row) for row in _rows([(t, len(t) + 3) for t in signed])]
    lines = ["The sum of these paths is", r"\begin{align*}", *(rf"& \fitted{{{row}}} \\" for row in rows)]
    lines += [rf"={{}} & {_number(sum(path.value for path in paths.listed))}", r"\end{align*}"]
    if not paths.complete:
        lines.append(f"The paths that are not listed add ${_number(paths.rest.item())}$.")
    return lines


def _rows(parts: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """Parts with their widths in characters, as many in a row as it holds."""
    row: list[str] = []
    width = 0
    for part, length in parts:
        if row and width + length > ROW:
            yield row
            row, width = [], 0
        row.append(part)
        width += length
    if row:
        yield row


def _computed(edges: Sequence[Edge]) -> str:
    """How a step was made: its op as a formula, or the named steps that it was computed from."""
    var = edges[0].target.var if edges else None
    if var is None or var.op is None or edges[0].between is not None:
        return ", ".join(dict.fromkeys(_text(e.source.name) for e in edges)) or "given"
    name = rf"\operatorname{{{in_latex(var.op.name)}}}"
    parts = [rf"\text{{{_text(x.name)}}}" for x in edges[0].target.inputs]
    return rf"\fitted{{{written(var.op.latex or var.op.form, name, parts, var.settings or {})}}}"


def _partial(above: str, below: str) -> str:
    return rf"\frac{{\partial\,\text{{{_text(above)}}}}}{{\partial\,\text{{{_text(below)}}}}}"


def _text(text: str) -> str:
    """Text that may break, in a long word too."""
    broken = re.sub(r"([.,/)](?!\d)|[^\s.,/()]{16})(?=\S)", "\\1\n", printable(text))
    return r"\allowbreak{}".join(map(in_latex, broken.split("\n")))


def _number(x: float) -> str:
    mantissa, e, exponent = tidy(x, 6).partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else mantissa
