"""Figures that follow one another: as panels on one sheet of paper, or on a page that goes through them.

    figures = figures_of_paths(graph, graph["x1"])
    panels(figures, 2).save("paths.svg")
    Frames(figures, "The seven paths").save("paths.html")

The page shows one figure at a time, fitted to its window, above a strip from which any other is chosen; arrow keys and
the space bar go on, and on paper all of them are printed.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffrt.errors import InputError, printable
from diffrt.explaining.drawing import LIT, Canvas, Figure, alike, best_way, figure_of
from diffrt.explaining.formulas import partial_of
from diffrt.explaining.graph import Edge, Graph, Node
from diffrt.explaining.layout import Point, Way
from diffrt.explaining.passes import backward_steps, part_words
from diffrt.explaining.path import find_paths
from diffrt.explaining.wording import bracketed, component, counted, derivative, shortened, signed, tidy
from diffrt.files import expect_suffix, write_whole
from diffrt.pages import escaped, filled, framed, part_of


def figures_of_paths(
    graph: Graph, source: Node, entry: int | None = None, way: Way | None = None, most: int = 12
) -> list[Figure]:
    """The paths from a node to the output, each lit in a figure of its own, largest first, with its term of the chain
    rule in symbols and in numbers, and the sum so far; in the last figure all of them are lit, and the sum stands.

    entry: of the source, in C order, if it has several. most: paths that are drawn.
    """
    paths, way = find_paths(graph, source, entry, most), way or best_way(graph)
    name = source.name if entry is None else component(source, entry)
    whole = derivative(graph.output.name, name)
    found, sums = [], np.zeros(paths.derivative.shape)
    terms: list[str] = []
    for k, path in enumerate(paths.listed):
        sums = sums + path.product
        terms.append(tidy(path.product, 4))
        number = f"path {k + 1} of {counted(paths.total)}"
        backwards = path.edges[::-1]
        symbols = " · ".join(_symbol(e, source, name) for e in backwards)
        formulas = " · ".join(bracketed(partial_of(e) or _symbol(e, source, name)) for e in backwards)
        numbers = " · ".join(signed(tidy(e.local, 4)) for e in backwards)
        so_far = f"sum so far: {_added(terms)}" + ("" if k == 0 else f" = {tidy(sums, 6)}")
        found.append(figure_of(
            graph, way, path, f"{number}:  {' → '.join(shortened(n.name) for n in path.nodes)}",
            [symbols, f"= {formulas}", f"= {numbers} = {terms[-1]}", so_far],
        ))  # fmt: skip
    edges = list({id(e): e for path in paths.listed for e in path.edges}.values())
    end = [f"{whole} = {_added(terms)}"]
    if paths.complete:
        end.append(f"the sum stands: {whole} = {tidy(paths.derivative, 6)}")
    else:
        end.append(f"= {tidy(sums, 6)}, and {tidy(paths.rest, 6)} along the other paths: {tidy(paths.derivative, 6)}")
    number = "all" if paths.complete and not paths.nothing else f"{len(paths.listed)} of"
    title = f"{number} {counted(paths.total)} paths from {name} to {graph.output.name}"
    title += f"; {counted(paths.nothing)} go through a derivative of 0" if paths.nothing else ""
    found.append(figure_of(graph, way, edges, title, end, labels=_labelled({})))
    return alike(found)


def figures_of_backward(graph: Graph, way: Way | None = None) -> list[Figure]:
    """The reverse sweep, a figure for each of its steps: what the step sends to its inputs, by which rule, and in the
    boxes what they have gained so far."""
    found, way, out = list[Figure](), way or best_way(graph), graph.output.name
    steps = backward_steps(graph)
    notes: dict[str, list[str]] = {out: [f"{derivative(out, out)} = 1"]}
    gained: list[dict[str, list[str]]] = []
    for step in steps:
        for gain in step.gains:
            name, sign = gain.edge.source.name, "=" if gain.first else "+="
            notes[name] = [f"{derivative(out, name)} {sign} {part_words(gain.part, 3)}"]
            notes[name] += [] if gain.first else [f"so far {part_words(gain.so_far, 3)}"]
        gained.append(dict(notes))
    # Every box has room for its longest notes from the beginning, so that nothing moves.
    room = {
        name: max((told[name] for told in gained if name in told), key=lambda n: (len(n), len(n[0]))) for name in notes
    }
    for k, (step, told) in enumerate(zip(steps, gained, strict=True)):
        title = f"backward, step {k + 1} of {len(steps)}: {shortened(step.node.name)}"
        sent = [f"{shortened(g.edge.source.name)} gains {part_words(g.part, 3)}" for g in step.gains]
        edges, below = [g.edge for g in step.gains], [step.rule, "; ".join(sent)]
        labels = _labelled({id(gain.edge): part_words(gain.part, 3) for gain in step.gains})
        found.append(figure_of(graph, way, edges, title, below, told, False, labels, room))
    return alike(found)


def panels(figures: Sequence[Figure], columns: int, title: str = "", paper: Point | None = None) -> Figure:
    """Figures side by side in rows, all at one scale. paper: in mm, if the sheet is to be printed on it.

    Raises InputError for no figures.
    """
    if not figures or columns < 1:
        raise InputError("panels: needed: one figure or more, in one column or more")
    wide, high = max(f.size[0] for f in figures), max(f.size[1] for f in figures)
    rows = -(-len(figures) // columns)
    above, gap = 60.0 if title else 14.0, 14.0
    width, height = columns * (wide + gap) + gap, above + rows * (high + gap)
    if paper is not None:  # the sheet gets the shape of the paper
        width, height = max(width, height * paper[0] / paper[1]), max(height, width * paper[1] / paper[0])
    canvas = Canvas()
    if title:
        canvas.text(gap + 6.0, 40.0, title, 28.0, bold=True, room=width - 2 * gap)
    for k, figure in enumerate(figures):
        row, column = divmod(k, columns)
        x, y = gap + column * (wide + gap), above + row * (high + gap)
        canvas.rect(x, y, wide, high, "none", "#cfd6df", rx=8)
        canvas.put(figure, x + (wide - figure.size[0]) / 2, y)
    return canvas.figure((width, height), title, paper)


@dataclass(frozen=True, repr=False)
class Frames:
    """Figures that follow one another on a page. In a notebook it shows itself.

    title: of the page. thumbs: small pictures for the strip, one for each figure; without them it has numbers. words: a
    paragraph below. Raises InputError for no figures, and for thumbs of another number.
    """

    figures: Sequence[Figure]
    title: str
    thumbs: Sequence[Figure] = ()
    words: str = ""

    def __post_init__(self) -> None:
        if not self.figures or (self.thumbs and len(self.thumbs) != len(self.figures)):
            told = f"{len(self.figures)} figures and {len(self.thumbs)} thumbs"
            raise InputError(f"frames: found {told}, needed: one figure or more, and as many thumbs or none")

    def html(self) -> str:
        """The page, with nothing to load."""
        strip, frames = [], []
        for k, figure in enumerate(self.figures):
            told = escaped(figure.caption or f"figure {k + 1}")
            face = _drawn(self.thumbs[k]) if self.thumbs else str(k + 1)
            strip.append(f'<button type="button" title="{told}" aria-label="{told}">{face}</button>')
            frames.append(f'<figure id="frame{k + 1}" aria-label="{told}">{_drawn(figure)}</figure>')
        parts = {
            "TITLE": escaped(self.title), "STRIP": "".join(strip), "FRAMES": "\n".join(frames),
            "WORDS": f"<p>{escaped(self.words)}</p>" if self.words else "", "LIT": LIT,
        }  # fmt: skip
        return filled(part_of(__package__, "frames.html"), parts)

    def save(self, path: str | Path) -> None:
        """Write the page to a file, entirely or not at all. Raises InputError for another suffix than .html."""
        expect_suffix(path, [".html"])
        write_whole(path, self.html().encode())

    def _repr_html_(self) -> str:
        return framed(self.html(), self.title)

    def __repr__(self) -> str:
        return f"<Frames of {len(self.figures)} figures: {printable(self.title)}>"


def _drawn(figure: Figure) -> str:
    """As part of a page, which gives it its size."""
    return re.sub(r' width="[^"]*" height="[^"]*"', "", figure.svg, count=1)


def _labelled(told: Mapping[int, str]) -> Callable[[Edge], str]:
    return lambda edge: told.get(id(edge), "")


def _symbol(edge: Edge, source: Node, name: str) -> str:
    return derivative(edge.target.name, name if edge.source is source else edge.source.name)


def _added(terms: Sequence[str]) -> str:
    signed = [f"- {t[1:]}" if t.startswith("-") else f"+ {t}" for t in terms[1:]]
    return " ".join([*terms[:1], *signed])
