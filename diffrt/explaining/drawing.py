"""Pictures of graphs as SVG, for paper, slides and notebooks: no script in them, no Graphviz needed, lit parts and all.

    figure_of(graph)                       # the whole graph, upwards
    figure_of(graph, "right", lit=path)    # to the right, all but one path dimmed, with its local derivatives

A figure is measured when it is made: its size, and that of its smallest text. Text is as wide as in Helvetica, whose
widths Arial and Liberation Sans share, and which stand here, so that a box is as wide as what stands in it everywhere.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from math import hypot
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from diffrt.errors import InputError, printable
from diffrt.explaining.formulas import formula_of, partial_of
from diffrt.explaining.graph import Edge, Graph, Node
from diffrt.explaining.layout import Layout, Point, Way, in_layers
from diffrt.explaining.path import Path, kind_of
from diffrt.explaining.reasons import why_zero
from diffrt.explaining.wording import by, cut, derivative, shortened, tidy
from diffrt.files import expect_suffix, write_whole

FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
BODY, HEADING = 12.0, 13.0
"""Sizes of text in a box, in pixels."""
INK, QUIET, ARROW, LIT, PAPER = "#1d2530", "#5b6675", "#7c8794", "#c2410c", "#ffffff"
FILLS = {"leaf": "#d8e9fb", "constant": "#eceef1", "output": "#cdebcd", "crossing": "#fad4d4", "step": "#ffffff"}
COLOURS = {"name": INK, "formula": "#1f4e8c", "value": INK, "gradient": "#9a3412", "note": LIT}
LARGEST, SHEET = 300, 1000
"""The most nodes of a figure, and of a sheet."""
DIM = 0.27
"""Opacity of what is not lit."""

_WIDTHS = (
    "278278355556556889667191333333389584278333278278556556556556556556556556556556278278584584584556"
    "999667667722722667611778722278500667556833722778667778722667611722667944667667611278278278469556"
    "333556556500556556278556556222222500222833556556556556333500278556500722500500500334260334584"
)
WIDTHS = {chr(32 + k): int(_WIDTHS[3 * k : 3 * k + 3]) / 1000.0 for k in range(95)}
WIDTHS |= {"·": 0.28, "∂": 0.5, "Σ": 0.62, "…": 1.0, "→": 1.0, "−": 0.584, "×": 0.584, "²": 0.34}
"""Of characters, in ems."""


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Of a line, in the unit of its size. Bold letters are up to a tenth wider."""
    return size * sum(WIDTHS.get(c, 0.62) for c in text) * (1.08 if bold else 1.0)


@dataclass(frozen=True)
class Figure:
    """A picture in SVG. In a notebook it shows itself.

    size: width and height in pixels. smallest: its smallest text, in pixels, 0 for none. caption: a line of text that
    goes with it, by which a page calls it.
    """

    svg: str
    size: Point
    smallest: float
    caption: str = ""

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Figure of {self.size[0]:.0f} x {self.size[1]:.0f} pixels, smallest text {self.smallest:.3g}>"

    def smallest_on(self, paper: Point) -> float:
        """The smallest text in points, 1/72 inch, when the figure is printed as large as it fits on a paper, in mm."""
        scale = min(paper[0] / self.size[0], paper[1] / self.size[1])
        return self.smallest * scale * 72.0 / 25.4

    def save(self, path: str | FilePath) -> None:
        """Write the picture to a file, entirely or not at all. Raises InputError for another suffix than .svg."""
        expect_suffix(path, [".svg"])
        write_whole(path, self.svg.encode())


@dataclass
class Canvas:
    """Collects the parts of a picture. All places are in pixels, x to the right and y down."""

    parts: list[str] = field(default_factory=list)
    smallest: float = float("inf")

    def rect(
        self, x: float, y: float, w: float, h: float, fill: str, stroke: str = "none", **more: float | str
    ) -> None:
        """A box with its top left corner at x, y."""
        told = "".join(f' {k.replace("_", "-")}="{v}"' for k, v in more.items())
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="{fill}" stroke="{stroke}"{told}/>'
        )

    def text(
        self, x: float, y: float, text: str, size: float, colour: str = INK, bold: bool = False, anchor: str = "start",
        room: float = float("inf"), halo: bool = False,
    ) -> None:  # fmt: skip
        """A line of text on the base line y. room: it is made smaller if it is wider. halo: paper around it."""
        size = min(size, size * room / max(text_width(text, size, bold), 1e-9))
        self.smallest = min(self.smallest, size)
        told = ' font-weight="bold"' if bold else ""
        told += "" if anchor == "start" else f' text-anchor="{anchor}"'
        told += f' stroke="{PAPER}" stroke-width="4" paint-order="stroke"' if halo else ""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:.2f}" fill="{colour}"{told}>'
            f"{escape(printable(text), quote=False)}</text>"
        )

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        """Straight from point to point."""
        self.parts.append(f'<polyline points="{_told(points)}" fill="none" stroke="{colour}" stroke-width="{width}"/>')

    def curve(self, points: Sequence[Point], colour: str, width: float, dashed: bool) -> None:
        """Along the control points of cubic Bezier curves, 1 + 3 k of them."""
        told = f"M{_told(points[:1])} C{_told(points[1:])}"
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self.parts.append(f'<path d="{told}" fill="none" stroke="{colour}" stroke-width="{width}"{dash}/>')

    def head(self, tip: Point, before: Point, colour: str, size: float = 8.0) -> None:
        """The head of an arrow that comes from `before`."""
        dx, dy = tip[0] - before[0], tip[1] - before[1]
        length = hypot(dx, dy) or 1.0
        dx, dy = dx / length * size, dy / length * size
        corners = [tip, (tip[0] - dx - dy / 2, tip[1] - dy + dx / 2), (tip[0] - dx + dy / 2, tip[1] - dy - dx / 2)]
        self.parts.append(f'<polygon points="{_told(corners)}" fill="{colour}"/>')

    def dot(self, at: Point, colour: str) -> None:
        """Where a line branches."""
        self.parts.append(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="3.0" fill="{colour}"/>')

    @contextmanager
    def group(self, opacity: float = 1.0, at: Point = (0.0, 0.0)) -> Iterator[None]:
        """What is drawn inside is a group. opacity: under 1 it is dimmed. at: where its own 0, 0 is."""
        told = f' opacity="{opacity}"' if opacity < 1.0 else ""
        told += f' transform="translate({at[0]:.1f},{at[1]:.1f})"' if at != (0.0, 0.0) else ""
        self.parts.append(f"<g{told}>")
        yield
        self.parts.append("</g>")

    def put(self, figure: Figure, x: float, y: float, scale: float = 1.0) -> None:
        """Another figure, with its top left corner at x, y."""
        w, h = figure.size
        inner = figure.svg[figure.svg.index(">") + 1 : figure.svg.rindex("</svg>")]
        self.smallest = min(self.smallest, figure.smallest * scale or float("inf"))
        self.parts.append(
            f'<svg x="{x:.1f}" y="{y:.1f}" width="{w * scale:.1f}" height="{h * scale:.1f}" viewBox="0 0 {w:.1f} '
            f'{h:.1f}">{inner}</svg>'
        )

    def figure(self, size: Point, caption: str = "", paper: Point | None = None) -> Figure:
        """The picture, on white. paper: its size in mm when it is printed; in pixels if there is none."""
        w, h = size
        unit, wide, high = ("mm", *paper) if paper else ("px", w, h)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.1f}{unit}" height="{high:.1f}{unit}" '
            f'viewBox="0 0 {w:.1f} {h:.1f}" font-family="{FONT}">'
        )
        back = f'<rect width="{w:.1f}" height="{h:.1f}" fill="{PAPER}"/>'
        smallest = self.smallest if self.smallest < float("inf") else 0.0
        return Figure("\n".join([head, back, *self.parts, "</svg>"]), (w, h), smallest, caption)


def _told(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


@dataclass(frozen=True)
class Box:
    """A node as it is drawn: lines of text, each with its kind, and the size that they need."""

    node: Node
    lines: tuple[tuple[str, str], ...]
    kind: str
    size: Point

    def draw(self, canvas: Canvas, x: float, y: float, lit: bool = False, fill: str | None = None) -> None:
        """With its middle at x, y."""
        w, h = self.size
        stroke, width = (LIT, 2.6) if lit else (ARROW, 1.0)
        canvas.rect(x - w / 2, y - h / 2, w, h, fill or FILLS[self.kind], stroke, rx=5, stroke_width=width)
        at = y - h / 2 + 2.0
        for text, kind in self.lines:
            size = HEADING if kind == "name" else BODY
            at += size + 2.0
            canvas.text(x, at, text, size, COLOURS[kind], kind == "name", "middle", w - 8.0)


def box_of(
    node: Node, graph: Graph, notes: Sequence[str] | None = None, gradients: bool = True, longest: int = 54,
    within: str = "", room: Sequence[str] = (),
) -> Box:  # fmt: skip
    """The box of a node: its name, its formula, its value, the derivative of the output by it, and lines of notes.

    longest: characters of a line, which is cut if it has more, but for notes. within: the scope that the box is drawn
    in, which names need not say again. room: lines of notes that the box has room for, whatever its own are.
    """

    def called(x: Node) -> str:
        return x.name.removesuffix(f" ({within})") if within else x.name

    formula = formula_of(node, not graph.is_composite(node), called)
    if formula == node.name and len(node.inputs) > 1:
        formula = node.operation
    name = shortened(called(node))
    lines = [(name, "name")]
    if formula and formula != name:
        lines.append((cut(f"= {formula}", longest), "formula"))
    if node.has_value:
        lines.append((f"= {_brief(node.value, longest - 2)}", "value"))
    if gradients and node.adjoint is not None and not graph.part and node is not graph.output:
        label = derivative(called(graph.output), name)
        lines.append((f"{label} = {_brief(node.adjoint, longest - len(label) - 3)}", "gradient"))
    told = list(notes or ())
    if not told and not node.constant and (why := why_zero(node, graph)):
        told = [cut(why, longest)]
    lines += [(line, "note") for line in told]
    measured = [*lines, *((line, "note") for line in room)]
    width = max(text_width(t, HEADING if k == "name" else BODY, k == "name") for t, k in measured)
    height = sum((HEADING if k == "name" else BODY) + 2.0 for _, k in lines)
    height += (BODY + 2.0) * max(0, len(room) - len(told))
    return Box(node, tuple(lines), kind_of(node, graph), (max(width + 14.0, 40.0), height + 8.0))


def _brief(value: Any, longest: int) -> str:
    """A value in three digits, in two where it is long; of an array that is longer still, its shape and range."""
    for digits in (3, 2):
        text = tidy(value, digits)
        if len(text) <= longest or not np.ndim(value):
            return text
    return f"{by(np.shape(value))}, {tidy(np.min(value), 2)} to {tidy(np.max(value), 2)}"


def arrow(canvas: Canvas, points: Sequence[Point], colour: str, width: float, dashed: bool = False) -> None:
    """Along control points, with a head at the end."""
    end = points[-1]
    before = next((p for p in reversed(points) if hypot(p[0] - end[0], p[1] - end[1]) > 2.0), points[0])
    canvas.curve(points, colour, width, dashed)
    canvas.head(end, before, colour, 7.0 + width)


def figure_of(
    graph: Graph,
    way: Way | None = None,
    lit: Path | Collection[Edge] | None = None,
    title: str = "",
    below: Sequence[str] = (),
    notes: Mapping[str, Sequence[str]] | None = None,
    gradients: bool = True,
    labels: Callable[[Edge], str] | None = None,
    room: Mapping[str, Sequence[str]] | None = None,
) -> Figure:
    """A picture of a graph.

    way: where its arrows run to: "up", "right" or "down"; if None, upwards or to the right, whichever is seen larger.
    lit: a path, or edges: what is not on them is dimmed, and
    they carry their local derivatives. title, below: lines of text above and below. notes: lines of text in boxes, by
    the names of their nodes. gradients: whether boxes have the derivative of the output by them. labels: what stands at
    an edge, instead of the local derivatives of those that are lit. room: lines of notes for which boxes keep room, by
    the names of their nodes.
    Raises InputError for a graph of more nodes than can be seen.
    """
    expect_few(graph, LARGEST)
    chosen = None if lit is None else list(lit.edges if isinstance(lit, Path) else lit)
    keys = {_key(e) for e in chosen or ()}
    on = {n.number for e in chosen or () for n in (e.source, e.target)}
    notes, room = notes or {}, room or {}
    boxes = {
        f"n{n.number}": box_of(n, graph, notes.get(n.name), gradients, room=room.get(n.name, ())) for n in _drawn(graph)
    }
    drawn = _arrows(graph)
    placed = _placed(boxes, drawn, way or best_way(graph))
    size, centers, arrows = placed.size, placed.centers, placed.arrows
    canvas, margin = Canvas(), 16.0
    # The words stand below a graph that is wide, and beside one that is tall.
    tall = bool(title or below) and size[1] > 1.2 * size[0]
    column = min(max(1.4 * size[1] - size[0], 300.0), 640.0) if tall else size[0]
    words, letters = wrapped(title, 19.0, column) if title else [], 19.0 if tall else 17.0
    y, left = 6.0, margin
    for line in words:
        y += letters + 7.0
        canvas.text(margin, y, line, letters, bold=True)
    if tall:
        left, above = margin + column + 30.0, margin
        y = max(y + 10.0, size[1] / 3)
    else:
        above, y = y + 14.0, y + 14.0 + size[1] + 10.0
    width = left + size[0] + margin
    for k, text in enumerate(below):
        bold = k == len(below) - 1
        for line in wrapped(text, 17.0, column if tall else max(column, 600.0)):
            y += 23.0
            canvas.text(margin, y, line, 17.0, LIT if chosen else INK, bold)
            width = max(width, margin + text_width(line, 17.0, bold) + margin)
    width = max(width, *(2 * margin + text_width(line, letters, True) for line in words), 0.0)
    with canvas.group(at=(left, above)):
        told: list[tuple[Sequence[Point], list[str], bool]] = []
        for (edge, _, _), points in sorted(zip(drawn, arrows, strict=True), key=lambda each: _key(each[0][0]) in keys):
            lights = _key(edge) in keys
            with canvas.group(1.0 if lights or chosen is None else DIM):
                arrow(canvas, points, LIT if lights else ARROW, 2.8 if lights else 1.3, edge is None)
            if edge is not None and (texts := [labels(edge)] if labels else _labels(edge) if lights else []):
                told.append((points, texts, lights))
        for name, box in boxes.items():
            lights = box.node.number in on
            with canvas.group(1.0 if lights or chosen is None else DIM):
                box.draw(canvas, *centers[name], lit=lights)
        taken = [(*centers[name], *box.size) for name, box in boxes.items()]
        for points, texts, lights in told:
            if texts[0]:
                found = _free_place(points, texts, taken) or _free_place(points, texts[-1:], taken[len(boxes) :])
                if found is not None:
                    at_x, at_y, text = found
                    canvas.text(at_x, at_y + 4.0, text, BODY, LIT if lights else QUIET, True, "middle", halo=True)
                    taken.append((at_x, at_y, text_width(text, BODY, True), BODY))
    return canvas.figure((width, max(y, above + size[1]) + margin), title)


def wrapped(text: str, size: float, room: float) -> list[str]:
    """A text in lines that have room, broken between words; bold text fits too."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and text_width(f"{lines[-1]} {word}", size, True) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def alike(figures: Sequence[Figure]) -> list[Figure]:
    """The figures with one size, that of the largest, so that nothing moves from one to the next."""
    size = max(f.size[0] for f in figures), max(f.size[1] for f in figures)
    found = []
    for figure in figures:
        canvas = Canvas()
        canvas.put(figure, 0.0, 0.0)
        found.append(canvas.figure(size, figure.caption))
    return found


def expect_few(graph: Graph, most: int) -> None:
    """Raises InputError for a graph of more nodes than one picture can hold."""
    if len(graph.nodes) > most:
        raise InputError(f"the graph has {len(graph.nodes):,} nodes, a figure holds {most} at most; needed: its named "
                         "steps, graph.steps(), or a part of it, graph.restricted([graph[\"x\"]])")  # fmt: skip


def best_way(graph: Graph) -> Way:
    """Upwards or to the right: the way in which a graph is larger in a frame of 16 to 10."""
    expect_few(graph, LARGEST)
    boxes = {f"n{n.number}": box_of(n, graph) for n in _drawn(graph)}

    def scale(way: Way) -> float:
        width, height = _placed(boxes, _arrows(graph), way).size
        return min(16.0 / (width + 1.0), 10.0 / (height + 100.0))

    return "right" if scale("right") >= scale("up") else "up"


def _drawn(graph: Graph) -> list[Node]:
    """The nodes that are drawn: constants where every operation is."""
    operations = not graph.edges or graph.edges[0].between is None
    return [n for n in graph.nodes if operations or not n.constant]


def _arrows(graph: Graph) -> list[tuple[Edge | None, Node, Node]]:
    """The edges, and the arrows from constants, which are none."""
    nodes = _drawn(graph)
    numbers = {n.number for n in nodes}
    found: list[tuple[Edge | None, Node, Node]] = [(e, e.source, e.target) for n in nodes for e in graph.edges_to(n)]
    constants = [(None, x, n) for n in nodes for x in n.inputs if x.constant and x.number in numbers]
    return found + constants


def _placed(boxes: Mapping[str, Box], drawn: Sequence[tuple[Edge | None, Node, Node]], way: Way) -> Layout:
    sizes = {name: box.size for name, box in boxes.items()}
    ends = [(f"n{a.number}", f"n{b.number}") for _, a, b in drawn]
    return in_layers(sizes, ends, way, between=70.0 if way == "right" else 30.0)


def _key(edge: Edge | None) -> tuple[int, int, int] | None:
    return None if edge is None else (edge.source.number, edge.target.number, edge.position)


def _labels(edge: Edge) -> list[str]:
    """The local derivative of an edge, as formula and number, and shorter."""
    formula, number = partial_of(edge), tidy(edge.local, 3)
    short = [by(edge.local.shape)] if len(number) > 24 else []
    return [*([f"{formula} = {number}"] if formula and formula != number else []), number, *short]


def _free_place(
    points: Sequence[Point], texts: Sequence[str], taken: Sequence[tuple[float, float, float, float]]
) -> tuple[float, float, str] | None:
    """Where a text stands on an arrow: the first of some texts, and the place nearest to the middle, at which it covers
    nothing; None if there is none. taken: middles and sizes."""
    curves = (len(points) - 1) // 3
    places = sorted((k + t / 8.0 for k in range(curves) for t in range(9)), key=lambda at: abs(at - curves / 2))
    for text in texts:
        w, h = text_width(text, BODY, True) + 6.0, BODY + 2.0
        for at in places:
            x, y = _on_curve(points, at)
            if all(abs(x - cx) > (w + cw) / 2 or abs(y - cy) > (h + ch) / 2 for cx, cy, cw, ch in taken):
                return x, y, text
    return None


def _on_curve(points: Sequence[Point], at: float) -> Point:
    """The point of curve number int(at) at the parameter at - int(at)."""
    k = min(int(at), (len(points) - 1) // 3 - 1)
    t = at - k
    a, b, c, d = points[3 * k : 3 * k + 4]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    x, y = (sum(w * z for w, z in zip(weights, each, strict=True)) for each in zip(a, b, c, d, strict=True))
    return x, y
