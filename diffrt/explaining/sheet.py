"""A graph with many like parts on one sheet: the parts in rows and columns, what they share beside them.

    sheet_of(graph, {"pixel 0,0": (0, 0), "pixel 1,0": (0, 1), ...}, paper=(420, 297))

A part is a scope (`diffrt.autograd.scope`), drawn as a block in which arrows run down. Inputs that several blocks use
stand at the left, by the object that they belong to (`ball.center` and `ball.radius` to `ball`), and each object has a
colour and a cable, as in a plan of wires: it runs along the rows, and branches off, at a dot, into the tag of the
object on each block that uses it. What is computed from the blocks stands at the right, and gets their ends by a cable
below each row. So every edge is drawn, and none runs across a block.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from diffrt.errors import InputError, listed
from diffrt.explaining.drawing import (
    ARROW,
    BODY,
    DIM,
    HEADING,
    INK,
    LIT,
    QUIET,
    SHEET,
    Box,
    Canvas,
    Figure,
    arrow,
    box_of,
    expect_few,
    text_width,
)
from diffrt.explaining.graph import Graph, Node
from diffrt.explaining.layout import Layout, Point, in_layers

CABLES = ("#1f6fb5", "#b4541a", "#5f7f1f", "#7a3fa0", "#0f7d7d", "#a32a55", "#6b5a2a", "#3d4f9f")
"""Colours of the objects."""
ENDS = "#4b5563"
"""Colour of the cables to what is computed from the blocks."""
WIRE, TAG = 9.0, 15.0
"""Pixels from wire to wire of a cable, and the height of a tag."""
HEAD, STRIPE = 20.0, 16.0
"""Height of the head line of a block, and the width of the stripe that has its colour."""
LONGEST = 54
"""Characters of a line in a box."""


@dataclass
class _Block:
    """One part: its boxes and tags, where they stand in it, and what leads in and out."""

    name: str
    row: int
    column: int
    nodes: list[Node] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    ends: list[Node] = field(default_factory=list)
    edges: list[tuple[str, str]] = field(default_factory=list)
    layout: Layout = field(default_factory=lambda: Layout((0.0, 0.0), {}, ()))
    at: Point = (0.0, 0.0)
    size: Point = (0.0, 0.0)

    def spot(self, key: str) -> Point:
        """Where the middle of a box or tag stands on the sheet."""
        x, y = self.layout.centers[key]
        return self.left + x, self.at[1] + HEAD + y

    @property
    def left(self) -> float:
        """Of what stands in it."""
        return self.at[0] + STRIPE + (self.size[0] - STRIPE - self.layout.size[0]) / 2


def sheet_of(
    graph: Graph,
    blocks: Mapping[str, tuple[int, int]],
    title: str = "",
    paper: Point | None = None,
    swatches: Mapping[str, str] | None = None,
    lit: Collection[str] | None = None,
    notes: Mapping[str, Sequence[str]] | None = None,
    below: Sequence[str] = (),
    picture: Figure | None = None,
    gradients: bool = True,
    room: Mapping[str, Sequence[str]] | None = None,
) -> Figure:
    """A graph on one sheet.

    graph: of named steps. blocks: row and column of each scope that is a block. paper: its size in mm, if it is to be
    printed. swatches: the colour of a block's stripe, by its name. lit: names of nodes; all others are dimmed.
    notes: lines of text in boxes, by the names of nodes. below: lines of text at the foot. picture: at the top right.
    gradients: whether boxes have the derivative of the output by them. room: lines of notes for which boxes keep room.
    Raises InputError for a block without nodes, for two of them in one place, and for more nodes than can be seen.
    """
    expect_few(graph, SHEET)
    plan = _Plan(graph, blocks, notes or {}, gradients, room or {}, lit)
    return plan.draw(title, paper, swatches or {}, below, picture)


class _Plan:
    """Where everything of a sheet stands."""

    def __init__(
        self, graph: Graph, blocks: Mapping[str, tuple[int, int]], notes: Mapping[str, Sequence[str]], gradients: bool,
        room: Mapping[str, Sequence[str]], lit: Collection[str] | None,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.on = None if lit is None else {n.number for n in graph.nodes if n.name in set(lit)}
        self.blocks = {name: _Block(name, *where) for name, where in blocks.items()}
        if len(set(blocks.values())) < len(blocks):
            raise InputError("sheet: two blocks have one place; needed: a row and a column of its own for each")
        self.home: dict[int, _Block] = {}
        self.boxes: dict[int, Box] = {}
        for node in graph.nodes:
            if node.constant:
                continue
            block = next((self.blocks[s] for s in node.scope if s in self.blocks), None)
            within = "" if block is None else block.name
            kept = room.get(node.name, ())
            self.boxes[node.number] = box_of(node, graph, notes.get(node.name), gradients, LONGEST, within, kept)
            if block is not None:
                block.nodes.append(node)
                self.home[node.number] = block
        if empty := [name for name, block in self.blocks.items() if not block.nodes]:
            raise InputError(f"sheet: there is nothing in {listed(empty)}")
        shared = [n for n in graph.nodes if n.number in self.boxes and n.number not in self.home]
        after: set[int] = set()
        for node in graph.nodes:
            if any(e.source.number in self.home or e.source.number in after for e in graph.edges_to(node)):
                after.add(node.number)
        self.after = [n for n in shared if n.number in after]
        self.objects: dict[str, list[Node]] = {}
        for node in shared:
            if node.number not in after:
                self.objects.setdefault(node.name.partition(".")[0], []).append(node)
        self.colours = {name: CABLES[k % len(CABLES)] for k, name in enumerate(self.objects)}
        for block in self.blocks.values():
            self.fill(block)

    def is_lit(self, node: Node) -> bool:
        """Whether a node stands out."""
        return self.on is not None and node.number in self.on

    def opacity(self, *nodes: Node) -> float:
        """Of what belongs to some nodes: it is dimmed if others are lit, and none of these."""
        return 1.0 if self.on is None or any(map(self.is_lit, nodes)) else DIM

    def fill(self, block: _Block) -> None:
        """Place what is in a block."""
        number = {n.number for n in block.nodes}
        for node in block.nodes:
            for edge in self.graph.edges_to(node):
                source = edge.source
                if source.number in number:
                    block.edges.append((f"n{source.number}", f"n{node.number}"))
                elif source.number not in self.home:
                    tag = source.name.partition(".")[0]
                    block.tags.append(tag)
                    if (tag, f"n{node.number}") not in block.edges:
                        block.edges.append((tag, f"n{node.number}"))
            if {e.target.number for e in self.graph.edges_from(node)} - number or node is self.graph.output:
                block.ends.append(node)
        sizes = {tag: (text_width(tag, BODY, True) + 14.0, TAG) for tag in self.objects if tag in block.tags}
        block.tags = list(sizes)
        sizes |= {f"n{n.number}": self.boxes[n.number].size for n in block.nodes}
        block.layout = in_layers(sizes, block.edges, "down", block.tags, between=10.0)
        width = max(block.layout.size[0], text_width(block.name, HEADING, True) + 20.0) + STRIPE + 20.0
        block.size = (width, block.layout.size[1] + HEAD + 12.0)

    def draw(
        self, title: str, paper: Point | None, swatches: Mapping[str, str], below: Sequence[str],
        picture: Figure | None,
    ) -> Figure:  # fmt: skip
        """The sheet."""
        rows = sorted({b.row for b in self.blocks.values()})
        columns = sorted({b.column for b in self.blocks.values()})
        margin, top = 18.0, 58.0 if title else 14.0
        cable = WIRE * len(self.objects) + 14.0
        left = max((self.boxes[n.number].size[0] for nodes in self.objects.values() for n in nodes), default=0.0) + 24.0
        right = max((self.boxes[n.number].size[0] for n in self.after), default=0.0)
        right = max(right, 150.0) if picture is not None else right
        ends = any(self.collected(b) for b in self.blocks.values())
        trunk = margin + left + 14.0
        # Rows and columns are as large as the largest block in them.
        high = {r: max(b.size[1] for b in self.blocks.values() if b.row == r) for r in rows}
        wide = {c: max(b.size[0] for b in self.blocks.values() if b.column == c) for c in columns}
        foot = 26.0 if ends else 6.0
        height = top + sum(high.values()) + len(rows) * (cable + foot) + 26.0 * len(below) + 16.0
        width = (
            trunk + cable + sum(wide.values()) + 16.0 * len(columns) + (right + 60.0 if self.after else 0.0) + margin
        )
        stretch_x = stretch_y = 0.0
        if paper is not None:  # what room the paper leaves is shared out
            if width / height < paper[0] / paper[1]:
                stretch_x = (height * paper[0] / paper[1] - width) / len(columns)
                width = height * paper[0] / paper[1]
            else:
                stretch_y = (width * paper[1] / paper[0] - height) / len(rows)
                height = width * paper[1] / paper[0]
        x0 = trunk + cable
        x, starts = x0, {}
        for c in columns:
            starts[c] = x
            x += wide[c] + 16.0 + stretch_x
        grid_end = x - 16.0
        y, strips = top, {}
        for r in rows:
            strips[r] = y
            for block in self.blocks.values():
                if block.row == r:
                    block.at = (starts[block.column], y + cable)
                    block.size = (wide[block.column] + stretch_x, high[r])
            y += cable + high[r] + foot + stretch_y
        canvas = Canvas()
        if title:
            canvas.text(margin, 38.0, title, 26.0, bold=True, room=width - 2 * margin)
        last = y - stretch_y
        at = self.beside(margin + left, width, top, last, right, margin)
        if self.after and picture is not None:
            canvas.put(picture, width - margin - right, top, right / picture.size[0])
        self.cables(canvas, strips, trunk, at)
        if ends:
            self.collect(canvas, {r: strips[r] + cable + high[r] + 13.0 for r in rows}, grid_end + 22.0, at)
        for block in self.blocks.values():
            self.block(canvas, block, swatches.get(block.name))
        self.between(canvas)
        self.shared(canvas, at)
        for k, line in enumerate(below):
            canvas.text(margin, height - 26.0 * (len(below) - 1 - k) - 14.0, line, 17.0, LIT if self.on else INK, True,
                        room=width - 2 * margin)  # fmt: skip
        return canvas.figure((width, height), title, paper)

    def collected(self, block: _Block) -> list[Node]:
        """The nodes of a block that what stands at the right is computed from."""
        after = {n.number for n in self.after}
        return [n for n in block.ends if any(e.target.number in after for e in self.graph.edges_from(n))]

    def beside(
        self, left: float, width: float, top: float, bottom: float, right: float, margin: float
    ) -> dict[int, Point]:
        """Where the shared boxes stand: at the left the objects, one below the other, at the right what comes after."""
        gap = 10.0
        stacks = [sum(self.boxes[n.number].size[1] + gap for n in nodes) + 26.0 for nodes in self.objects.values()]
        spare = max(0.0, bottom - top - sum(stacks)) / max(1, len(stacks))
        at: dict[int, Point] = {}
        y = top
        for nodes in self.objects.values():
            y += 26.0
            for node in nodes:
                h = self.boxes[node.number].size[1]
                at[node.number] = (margin + (left - margin) / 2, y + h / 2)
                y += h + gap
            y += spare
        heights = [self.boxes[n.number].size[1] + 30.0 for n in self.after]
        y = (top + bottom - sum(heights)) / 2
        for node, h in zip(self.after, heights, strict=True):
            at[node.number] = (width - margin - right / 2, y + h / 2)
            y += h
        return at

    def frame(self, name: str, at: Mapping[int, Point]) -> tuple[float, float, float, float]:
        """The frame around the boxes of an object: left, top, right, bottom."""
        boxes = [(at[n.number], self.boxes[n.number].size) for n in self.objects[name]]
        return (
            min(x - w / 2 for (x, _), (w, _) in boxes) - 8.0,
            min(y - h / 2 for (_, y), (_, h) in boxes) - 22.0,
            max(x + w / 2 for (x, _), (w, _) in boxes) + 8.0,
            max(y + h / 2 for (_, y), (_, h) in boxes) + 8.0,
        )

    def cables(self, canvas: Canvas, strips: Mapping[int, float], trunk: float, at: Mapping[int, Point]) -> None:
        """The wires from the objects to the tags."""
        names = list(self.objects)
        # The object that stands lowest has the trunk next to the boxes: no wire from a box crosses a trunk twice.
        for k, name in enumerate(names):
            colour = self.colours[name]
            users = [b for b in self.blocks.values() if name in b.tags]
            if not users:
                continue
            with canvas.group(self.opacity(*self.objects[name])):
                _, first, right, last = self.frame(name, at)
                x = trunk + WIRE * (len(names) - 1 - k)
                heights = {r: y + 8.0 + WIRE * k for r, y in strips.items() if any(b.row == r for b in users)}
                start = (first + last) / 2
                canvas.line([(right, start), (x, start)], colour, 2.0)
                canvas.line([(x, min(start, *heights.values())), (x, max(start, *heights.values()))], colour, 2.0)
                canvas.dot((x, start), colour)
                for row, y in heights.items():
                    taps = [b for b in users if b.row == row]
                    used = [b for b in taps if self.opacity(*b.nodes) == 1.0]
                    far = max(b.spot(name)[0] for b in taps)
                    end = max((b.spot(name)[0] for b in used), default=x)
                    canvas.line([(x, y), (end, y)], colour, 2.0)
                    if end < far:
                        with canvas.group(DIM):
                            canvas.line([(end, y), (far, y)], colour, 2.0)
                    canvas.dot((x, y), colour)
                    for block in taps:
                        tx, ty = block.spot(name)
                        with canvas.group(1.0 if block in used else DIM):
                            canvas.line([(tx, y), (tx, ty - TAG / 2)], colour, 2.0)
                            canvas.dot((tx, y), colour)

    def collect(self, canvas: Canvas, heights: Mapping[int, float], trunk: float, at: Mapping[int, Point]) -> None:
        """The wires from the ends of the blocks to what stands at the right."""
        first = self.after[0]
        with canvas.group(self.opacity(first)):
            x, y = at[first.number]
            w, _ = self.boxes[first.number].size
            # All of the trunk, and that part of it into which lit wires lead.
            for lights in (True,) if self.on is None else (False, True):
                rows = [heights[b.row] for b in self.blocks.values() for n in self.collected(b)
                        if not lights or self.opacity(n) == 1.0]  # fmt: skip
                with canvas.group(1.0 if lights else DIM):
                    canvas.line([(trunk, min([y, *rows])), (trunk, max([y, *rows]))], ENDS, 2.4)
            arrow(canvas, [(trunk, y), (trunk + 5.0, y), (x - w / 2 - 5.0, y), (x - w / 2, y)], ENDS, 2.4)
            for block in self.blocks.values():
                for node in self.collected(block):
                    tx, ty = block.spot(f"n{node.number}")
                    low = heights[block.row]
                    with canvas.group(self.opacity(node)):
                        start = ty + self.boxes[node.number].size[1] / 2
                        canvas.line([(tx, start), (tx, low), (trunk, low)], ENDS, 2.4)
                        canvas.dot((tx, low), ENDS)

    def block(self, canvas: Canvas, block: _Block, swatch: str | None) -> None:
        """The frame of a block, and what is in it."""
        (x, y), (w, h) = block.at, block.size
        dim = self.opacity(*block.nodes) < 1.0
        with canvas.group(DIM if dim else 1.0):
            canvas.rect(x, y, w, h, "#f8fafc", "#aab4c0", rx=6)
            canvas.text(x + STRIPE + 8.0, y + 15.0, block.name, HEADING, QUIET, True)
            if swatch is not None:
                canvas.rect(x, y, STRIPE, h, swatch, "#8a94a0")
            ox, oy = block.left, y + HEAD
            for (a, b), points in zip(block.edges, block.layout.arrows, strict=True):
                lights = self.on is None or int(b[1:]) in self.on
                with canvas.group(1.0 if lights or dim else DIM):
                    moved = [(px + ox, py + oy) for px, py in points]
                    arrow(canvas, moved, self.colours.get(a, ARROW), 1.3)
            for tag in block.tags:
                tx, ty = block.spot(tag)
                wide = text_width(tag, BODY, True) + 12.0
                canvas.rect(tx - wide / 2, ty - TAG / 2, wide, TAG, self.colours[tag], rx=TAG / 2)
                canvas.text(tx, ty + 4.2, tag, BODY, "#ffffff", True, "middle")
            for node in block.nodes:
                with canvas.group(1.0 if dim else self.opacity(node)):
                    self.boxes[node.number].draw(canvas, *block.spot(f"n{node.number}"), lit=self.is_lit(node))

    def between(self, canvas: Canvas) -> None:
        """Arrows from block to block."""
        for node in self.graph.nodes:
            for edge in self.graph.edges_to(node):
                source, target = self.home.get(edge.source.number), self.home.get(node.number)
                if source is None or target is None or source is target:
                    continue
                (ax, ay), (bx, by) = source.spot(f"n{edge.source.number}"), target.spot(f"n{node.number}")
                way = 1.0 if bx >= ax else -1.0
                ax += way * self.boxes[edge.source.number].size[0] / 2
                bx -= way * self.boxes[node.number].size[0] / 2
                middle = (ax + bx) / 2
                if abs(ay - by) < self.boxes[node.number].size[1] / 2 - 6.0:
                    by = ay
                with canvas.group(min(self.opacity(node), self.opacity(edge.source))):
                    arrow(canvas, [(ax, ay), (middle, ay), (middle, by), (bx, by)], ENDS, 2.4)

    def shared(self, canvas: Canvas, at: Mapping[int, Point]) -> None:
        """The boxes at the left and at the right."""
        for name, nodes in self.objects.items():
            with canvas.group(self.opacity(*nodes)):
                x, y, right, bottom = self.frame(name, at)
                canvas.rect(x, y, right - x, bottom - y, "#ffffff", self.colours[name], rx=7, stroke_width=2)
                canvas.text(x + 8.0, y + 16.0, name, HEADING + 1.0, self.colours[name], True)
                for node in nodes:
                    self.boxes[node.number].draw(canvas, *at[node.number], lit=self.is_lit(node))
        for before, node in zip([None, *self.after], self.after, strict=False):
            x, y = at[node.number]
            if before is not None:
                top = at[before.number][1] + self.boxes[before.number].size[1] / 2
                bottom = y - self.boxes[node.number].size[1] / 2
                arrow(canvas, [(x, top), (x, top), (x, bottom), (x, bottom)], ENDS, 1.6)
            with canvas.group(self.opacity(node)):
                self.boxes[node.number].draw(canvas, x, y, lit=self.is_lit(node))
