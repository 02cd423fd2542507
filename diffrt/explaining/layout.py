"""Where the boxes of a diagram stand, and how its arrows run: by Graphviz where it is installed, else in layers.

In layers (Sugiyama, Tagawa and Toda 1981): each box one layer after the last box that it is made from; an arrow over
several layers has a bend in each; the order within a layer is improved by sweeps to the mean of the neighbours, and
what is kept is the order with the fewest crossings; then boxes move towards their neighbours as far as there is room.
"""

import json
from bisect import bisect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from diffrt.quiet import quiet

Point = tuple[float, float]
Way = Literal["up", "right", "down"]
"""Where the arrows run to."""

BESIDE = 22.0
"""Pixels between boxes of a layer."""
SWEEPS = 12


@dataclass(frozen=True)
class Layout:
    """A diagram on a plane, x to the right and y down, in pixels.

    size: width and height. centers: of the boxes, by name. arrows: for each edge, in the given order, the control
    points of cubic Bezier curves from the box where it begins to that where it ends: 1 + 3 k of them.
    """

    size: Point
    centers: Mapping[str, Point]
    arrows: Sequence[Sequence[Point]]

    def rounded(self) -> dict[str, Any]:
        """For JSON, in tenths of a pixel; the points of an arrow are one list of numbers."""

        def tenths(*points: Point) -> list[float]:
            return [round(v, 1) for point in points for v in point]

        centers = {name: tenths(center) for name, center in self.centers.items()}
        return {"size": tenths(self.size), "centers": centers, "arrows": [tenths(*arrow) for arrow in self.arrows]}


def lay_out(
    boxes: Mapping[str, Point], edges: Sequence[tuple[str, str]], way: Way, groups: Sequence[Sequence[str]] = ()
) -> Layout:
    """Place boxes so that all arrows run one way: by Graphviz where it is installed, else in layers.

    boxes: width and height of each. edges: without a cycle. groups: boxes that stand together, for Graphviz; one inside
    another comes after it.
    """
    try:
        import pygraphviz
    except ImportError:
        pygraphviz = None
    if pygraphviz is None or not boxes:
        return in_layers(boxes, edges, way)
    rank = {"up": "BT", "right": "LR", "down": "TB"}[way]
    lines = [f"digraph {{ rankdir={rank}; ranksep=0.4; nodesep=0.25; node [shape=box, fixedsize=true]"]
    number = {name: k for k, name in enumerate(boxes)}
    lines += [f'n{number[b]} [width={w / 72:.3f}, height={h / 72:.3f}, label=""]' for b, (w, h) in boxes.items()]
    lines += [_cluster(groups, number)]
    lines += [f"n{number[a]} -> n{number[b]} [id={k}, arrowhead=none]" for k, (a, b) in enumerate(edges)]
    with quiet():
        text = pygraphviz.AGraph(string="\n".join([*lines, "}"])).draw(format="json", prog="dot")
    found: dict[str, Any] = json.loads(text)
    left, bottom, right, top = map(float, found["bb"].split(","))

    def point(pair: str) -> Point:
        x, y = pair.split(",")
        return float(x) - left, top - float(y)

    names = list(boxes)
    centers = {names[int(o["name"][1:])]: point(o["pos"]) for o in found["objects"] if o["name"][0] == "n"}
    arrows: list[Sequence[Point]] = [()] * len(edges)
    for edge in found.get("edges", ()):
        arrows[int(edge["id"])] = [point(p) for p in edge["pos"].split(" ") if p[0] not in "es"]
    return Layout((right - left, top - bottom), centers, arrows)


def _cluster(groups: Sequence[Sequence[str]], number: Mapping[str, int]) -> str:
    """Groups as nested subgraphs."""
    text, open_groups = "", list[set[str]]()
    for k, group in enumerate(groups):
        while open_groups and not open_groups[-1].issuperset(group):
            open_groups.pop()
            text += "}\n"
        open_groups.append(set(group))
        text += f"subgraph cluster_{k} {{ margin=10; {' '.join(f'n{number[b]}' for b in group)}\n"
    return text + "}" * len(open_groups)


def in_layers(
    boxes: Mapping[str, Point], edges: Sequence[tuple[str, str]], way: Way, first: Collection[str] = (),
    between: float = 40.0,
) -> Layout:  # fmt: skip
    """Place boxes as `lay_out` does, in layers. first: boxes that nothing leads to, which stand in the first layer
    however late they are used. between: pixels from layer to layer."""
    along, across = (0, 1) if way == "right" else (1, 0)
    layer = _layers(boxes, edges, first)
    # A bend is a box without a size, named by its edge and layer.
    width: dict[Any, float] = {b: size[across] for b, size in boxes.items()}
    where: dict[Any, int] = dict(layer)
    chains: list[list[Any]] = []
    for k, (a, b) in enumerate(edges):
        bends = [(k, level) for level in range(layer[a] + 1, layer[b])]
        where.update({bend: bend[1] for bend in bends})
        width.update(dict.fromkeys(bends, 4.0))
        chains.append([a, *bends, b])
    before: dict[Any, list[Any]] = {x: [] for x in where}
    after: dict[Any, list[Any]] = {x: [] for x in where}
    for chain in chains:
        for x, y in pairwise(chain):
            before[y].append(x)
            after[x].append(y)
    order = _ordered(where, before, after)
    place = _coordinates(order, width, before, after)
    thickness = [max((boxes[x][along] for x in row if x in boxes), default=0.0) for row in order]
    start = [0.0]
    for depth, above, below in zip(thickness, order, [*order[1:], []], strict=True):
        # Where many arrows cross between two layers, they need room.
        busy = sum(len(after[x]) for x in above) if below else 0
        start.append(start[-1] + depth + between + min(60.0, 1.5 * busy))
    middle = [s + d / 2 for s, d in zip(start, thickness, strict=False)]
    last = max((s + d for s, d in zip(start, thickness, strict=False)), default=0.0)
    lowest = min((place[x] - width[x] / 2 for x in place), default=0.0)
    highest = max((place[x] + width[x] / 2 for x in place), default=0.0)

    def at(x: float, level: float) -> Point:
        return (level, x - lowest) if way == "right" else (x - lowest, last - level if way == "up" else level)

    arrows = []
    alike: dict[tuple[Any, Any], int] = {}
    for chain in chains:
        a, b = chain[0], chain[-1]
        points = [(place[a], middle[where[a]] + boxes[a][along] / 2)]
        for bend in chain[1:-1]:
            level, deep = where[bend], thickness[where[bend]]
            points += [(place[bend], start[level]), (place[bend], start[level] + deep)]
        points.append((place[b], middle[where[b]] - boxes[b][along] / 2))
        curve = [at(*points[0])]
        aside = 14.0 * alike.get((a, b), 0)  # x * x has two arrows
        alike[a, b] = alike.get((a, b), 0) + 1
        for (x, u), (y, v) in pairwise(points):
            half = (u + v) / 2
            curve += [at(x + aside, half), at(y + aside, half), at(y, v)]
        arrows.append(curve)
    centers = {b: at(place[b], middle[layer[b]]) for b in boxes}
    size = (last, highest - lowest) if way == "right" else (highest - lowest, last)
    return Layout(size, centers, arrows)


def _layers(boxes: Mapping[str, Point], edges: Sequence[tuple[str, str]], first: Collection[str]) -> dict[str, int]:
    """The longest way to each box; then what nothing leads to stands close to what it is used for, but for those in
    `first`, before which nothing else stands."""
    into: dict[str, list[str]] = {b: [] for b in boxes}
    out: dict[str, list[str]] = {b: [] for b in boxes}
    for a, b in edges:
        into[b].append(a)
        out[a].append(b)
    left = {b: len(into[b]) for b in boxes}
    ready = [b for b in boxes if not left[b]]
    layer = {b: 0 if b in first or not first else 1 for b in boxes}
    for a in ready:
        for b in out[a]:
            layer[b] = max(layer[b], layer[a] + 1)
            left[b] -= 1
            if not left[b]:
                ready.append(b)
    for a in reversed(ready):
        if out[a] and len(into[a]) <= 1 and a not in first:
            latest = min(layer[b] for b in out[a]) - 1
            # A box with one input may move: its arrows become as long in all.
            layer[a] = latest if not into[a] or len(out[a]) > 1 else layer[a]
    return layer


def _ordered(
    where: Mapping[Any, int], before: Mapping[Any, list[Any]], after: Mapping[Any, list[Any]]
) -> list[list[Any]]:
    """The boxes and bends of each layer, in an order with few crossings."""
    rows: list[list[Any]] = [[] for _ in range(max(where.values(), default=-1) + 1)]
    seen: set[Any] = set()
    # To begin with, what belongs together stands together: a search in depth from the end.
    ends = sorted((x for x in where if not after[x]), key=lambda x: -where[x])
    pending = ends[::-1]
    while pending:
        x = pending.pop()
        if x in seen:
            continue
        seen.add(x)
        rows[where[x]].append(x)
        pending += before[x][::-1]
    best, fewest = [list(row) for row in rows], _crossings(rows, after)
    for sweep in range(SWEEPS):
        neighbours = after if sweep % 2 == 0 else before
        indices = range(len(rows) - 2, -1, -1) if sweep % 2 == 0 else range(1, len(rows))
        place = {x: k for row in rows for k, x in enumerate(row)}
        for level in indices:
            row = rows[level]
            mean = {
                x: sum(place[y] for y in neighbours[x]) / len(neighbours[x]) if neighbours[x] else place[x] for x in row
            }
            row.sort(key=lambda x: mean[x])
            place.update({x: k for k, x in enumerate(row)})
        number = _crossings(rows, after)
        if number < fewest:
            best, fewest = [list(row) for row in rows], number
    return best


def _crossings(rows: Sequence[Sequence[Any]], after: Mapping[Any, list[Any]]) -> int:
    """How often arrows cross, counted as inversions."""
    total = 0
    for low, high in pairwise(rows):
        place = {y: k for k, y in enumerate(high)}
        before: list[int] = []  # the ends of the arrows so far, in ascending order
        for end in (e for x in low for e in sorted(place[y] for y in after[x] if y in place)):
            at = bisect(before, end)
            total += len(before) - at
            before.insert(at, end)
    return total


def _coordinates(
    rows: Sequence[Sequence[Any]],
    width: Mapping[Any, float],
    before: Mapping[Any, list[Any]],
    after: Mapping[Any, list[Any]],
) -> dict[Any, float]:
    """Across the layers: each as near to the mean of its neighbours as the order and the widths allow."""
    place: dict[Any, float] = {}
    for row in rows:
        x = 0.0
        for item in row:
            place[item] = x + width[item] / 2
            x += width[item] + BESIDE
        for item in row:
            place[item] -= x / 2
    for sweep in range(2 * SWEEPS):
        both = sweep >= SWEEPS
        neighbours = after if sweep % 2 else before
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted, weight = [], []
            for x in row:
                near = [*before[x], *after[x]] if both else neighbours[x]
                # A bend follows bends, so that long arrows are straight.
                heavy = [4.0 if isinstance(x, tuple) and isinstance(y, tuple) else 1.0 for y in near]
                wanted.append(
                    sum(h * place[y] for h, y in zip(heavy, near, strict=True)) / sum(heavy) if near else place[x]
                )
                weight.append(sum(heavy) or 0.1)
            place.update(zip(row, _apart(row, wanted, weight, width), strict=True))
    return place


def _apart(
    row: Sequence[Any], wanted: Sequence[float], weight: Sequence[float], width: Mapping[Any, float]
) -> list[float]:
    """The places nearest to the wanted ones, in squares, at which boxes in this order do not overlap.

    With the room that the boxes before need taken off it is an isotonic regression: neighbours that would overlap are
    pooled, and stand at the mean of what they want.
    """
    offset = [0.0]
    for x, y in pairwise(row):
        gap = BESIDE if not (isinstance(x, tuple) and isinstance(y, tuple)) else BESIDE / 2
        offset.append(offset[-1] + (width[x] + width[y]) / 2 + gap)
    pools: list[tuple[float, float, int]] = []
    for w, h, o in zip(wanted, weight, offset, strict=False):
        mean, heavy, count = w - o, h, 1
        while pools and pools[-1][0] > mean:
            other, more, number = pools.pop()
            mean = (mean * heavy + other * more) / (heavy + more)
            heavy, count = heavy + more, count + number
        pools.append((mean, heavy, count))
    found = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + o for mean, o in zip(found, offset, strict=False)]
