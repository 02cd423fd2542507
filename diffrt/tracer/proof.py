"""Proof: a block of the image in which every point has the same signature, shown without looking at the points.

Over a block, a square of the image, every number of the search is an affine form in the place in the block (see
`diffrt.autograd.affine`): what it can be anywhere in it. So a face is met by every ray of the block, by none, or by
some; and of two faces that are met one is nearer everywhere, or not. The search of `visibility.py`, on such answers,
gives the signature of the whole block, or says that it does not know it. What is known is proved: no small ball, no
thin shadow, no tip in a mirror can hide there.

The formulas of kinds are those that the search computes with. What is different is how the nearest face is found. There
is a face that all rays meet, the nearest of those seen so far, and a distance, the *doubt*, from which on a face may be
met that is not shown to lie behind it. It is the nearest of all if it lies in front of the doubt.

Where an edge runs through a block, all is asked of the part of it on one side of the edge, then of the other. A number
that is zero along the edge has one sign on either side. It is known by being zero, to the last digits, at two points of
the edge: so are the switching function itself, the borders of all faces that meet there, and what their distances
differ by. The sign is that beside the edge.

Shadows are looked for from the light to the surface where the light is a point: the point is known exactly, and only
the direction varies. What lies between the two is the same either way.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from math import inf
from typing import Any, NamedTuple

import numpy as np

from diffrt.autograd import (
    absolute,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    where,
)
from diffrt.compiler import choose, cond, scan, search, while_loop
from diffrt.compiler.forms import PARTS, as_forms, form, forms, lanes, never, parts_of, surely, zero_like
from diffrt.kinds import Light, Shape
from diffrt.kinds.vectors import length, normalize
from diffrt.tracer.camera import rays
from diffrt.tracer.tree import SLACK, larger, smaller
from diffrt.tracer.visibility import (
    TIE,
    TOUCH,
    Floats,
    Labels,
    LightRow,
    SearchSetting,
    SearchTables,
    TiledRow,
    Visibility,
    coordinates_of,
    has_borders,
    inside_from,
    scan_faces,
    shadow_ray,
    touching,
)
from diffrt.tracer.walk import reflected

TIED = 2.0**-20
"""What is zero along an edge is so to this part of its range in the block. In cells of a quarter of a pixel that is a
millionth of a pixel; and where surfaces touch, what is a root of what is zero has half of the digits."""

SIMPLE, CROWD = 1_200_000, 200
"""The search for a proof is compiled well if it is no longer, or if there are more faces: it takes most of the time."""

FAR = 1e300
"""A distance that no scene has."""

STRIP = 0.25
"""How far from an edge the bounds have to tell the sign of what is zero along it, in halves of the block's side."""

LEVEL = 1e-6
"""The sine of the angle under which an edge counts as level, or upright."""

DEEP = 1e-12
"""Rounding in the bounds over a part of a block, in parts of their terms."""


class Edge(NamedTuple):
    """The part of a block that is on one side of an edge through it.

    px, py, qx, qy: two points of the edge, in pixels. In the coordinates u, v of the block, from -1 to 1, the part lies
    where nx u + ny v >= level, and the edge where it is less than `beyond`; across, down: 1 / nx and 1 / ny, or 0. All
    (n,).
    """

    px: Any
    py: Any
    qx: Any
    qy: Any
    nx: Any
    ny: Any
    across: Any
    down: Any
    level: Any
    beyond: Any


def beside(segment: Any, turn: Floats, bent: Floats, x: Floats, y: Floats, side: float) -> Edge:
    """The parts of blocks to the right of edges, as one goes along these, where turn is 1; to the left where it is -1.

    segment: whose ends are on the edges (x, y, dx, dy in pixels). bent: how far the edges are from the lines through
    these at most, in pixels. x, y: the middles of the blocks. All (N,). side: of the blocks, in pixels.
    """
    px, py, dx, dy = segment
    chord = np.maximum(np.hypot(dx, dy), 1e-300)
    nx, ny = -dy / chord * turn, dx / chord * turn
    across, down = (np.divide(1.0, n, out=np.zeros(len(n)), where=np.abs(n) > LEVEL) for n in (nx, ny))
    middle = nx * (px - x) + ny * (py - y)
    level, beyond = 2.0 / side * (middle - bent), 2.0 / side * (middle + bent) + STRIP
    return Edge(px, py, px + dx, py + dy, nx, ny, across, down, level, beyond)


class Block(NamedTuple):
    """Squares of the image: the middle, and half of the side, in pixels, (n,) each; and the edges of which one side
    alone is looked at."""

    x: Any
    y: Any
    half: Any
    edges: tuple[Edge, ...] = ()

    def forms(self) -> tuple[Any, Any]:
        """x and y of all points of the block; their places are the two points of each edge."""
        zero, half = zero_like(self.half), self.half
        x, y = ([p for edge in self.edges for p in edge[k : k + 4 : 2]] for k in (0, 1))
        return form(self.x, [half, zero], x), form(self.y, [zero, half], y)


class Part(NamedTuple):
    """The part of a block that is looked at: on one side of each of its edges."""

    edges: tuple[Edge, ...]

    @property
    def places(self) -> int:
        """How many places forms have."""
        return 2 * len(self.edges)

    @property
    def size(self) -> int:
        """How many numbers a form is."""
        return PARTS + self.places

    def greater(self, x: Any, y: Any, asked: Any) -> tuple[Any, Any]:
        """Whether x is larger than y everywhere, and whether it is so nowhere, (n,), where that is asked."""
        larger = greater(x, y)
        yes, no = surely(larger), never(larger)
        if not self.edges:
            return yes, no
        return self.signs(parts_of(x - y, zero_like(self.edges[0].px), self.places), yes, no, asked)

    def signs(self, parts: Any, yes: Any, no: Any, asked: Any) -> tuple[Any, Any]:
        """Whether a form is positive everywhere, and whether it is so nowhere. yes, no: where that is known already."""

        def look(yes: Any, no: Any) -> Any:
            small = TIED * _radius(parts)
            for k, edge in enumerate(self.edges):
                p, q = parts[PARTS + 2 * k : PARTS + 2 * k + 2]
                tied = less_equal(maximum(absolute(p), absolute(q)), small)
                over, under = (_least_beside(parts, edge, turn) for turn in (1.0, -1.0))
                # What is zero along the edge has the sign that it has farther off.
                slope = parts[1] * edge.nx + parts[2] * edge.ny
                plus, minus = (
                    logical_and(logical_and(tied, greater(turn * slope, 0.0)), greater_equal(far, -small))
                    for turn, (_, far) in ((1.0, over), (-1.0, under))
                )
                yes = logical_or(yes, logical_or(plus, greater(over[0], 0.0)))
                no = logical_or(no, logical_or(minus, greater(under[0], 0.0)))
            return logical_and(yes, logical_not(no)), logical_and(no, logical_not(yes))

        if not self.edges:
            return yes, no
        yes, no = cond(logical_and(asked, logical_not(logical_or(yes, no))), look, [yes, no])
        return yes, no


def lower(parts: Any) -> Any:
    """The least that a form can be."""
    return parts[0] - _radius(parts)


def upper(parts: Any) -> Any:
    """The largest that a form can be."""
    return parts[0] + _radius(parts)


def _radius(parts: Any) -> Any:
    total = parts[PARTS - 1]
    for slope in parts[1 : PARTS - 1]:
        total = total + absolute(slope)
    return total * (1.0 + TIE)


def _least_beside(parts: Any, edge: Edge, turn: float) -> tuple[Any, Any]:
    """The least that a form, or with the turn -1 its opposite, can be where nx u + ny v >= level, and beyond the edge:
    for any l >= 0 it is more than that of x - l (nx u + ny v - level) in the whole block. The best l leaves one of the
    slopes zero."""
    centre, a, b, error = parts[:PARTS]
    found: list[Any] = []
    for ratio in (a * edge.across, b * edge.down):
        times = maximum(turn * ratio, 0.0)
        left = absolute(turn * a - times * edge.nx) + absolute(turn * b - times * edge.ny) + error
        rounding = DEEP * (times + absolute(a) + absolute(b) + absolute(centre))
        found.append([turn * centre + times * level - left - rounding for level in (edge.level, edge.beyond)])
    first, second = found
    return maximum(first[0], second[0]), maximum(first[1], second[1])


def proved_ids(view: Visibility, x: Floats, y: Floats, side: float | Floats, edges: tuple[Edge, ...] = ()) -> Labels:
    """The labels of blocks of which it is proved that every point has that signature, -1 for the others, (N,).

    x, y: the middles (N,); side: of all blocks or of each, in pixels. edges: those of which one side is asked about.
    """
    if not edges:
        nan, zero, far = np.full(len(x), np.nan), np.zeros(len(x)), np.full(len(x), -1e300)
        edges = (Edge(nan, nan, nan, nan, zero, zero, zero, zero, far, far),) * 2
    order = view.order(x, y)
    taken = tuple(Edge(*(column[order] for column in edge)) for edge in edges)
    block = Block(x[order], y[order], np.full(len(x), 0.5 * np.asarray(side))[order], taken)
    *columns, known = search(proved_signature, view.setting, view.tables.camera, None, block, view.scene, view.engine,
                            well=inf if len(view.tables.shape_of) > CROWD else SIMPLE)  # fmt: skip
    found = np.full(len(x), -1, np.int32)
    proved = np.flatnonzero(known > 0.5)
    if proved.size:
        found[proved] = view.ids_of([column[proved] for column in columns])
    back = np.empty_like(found)
    back[order] = found
    return back


def proved_signature(setting: SearchSetting, camera: Any, rows: Any, block: Block, scene: SearchTables) -> Any:
    """The signatures of blocks, in the columns of `visibility.signature`, and 1 where it is that of every point, (n,).

    Where it is not known the other columns mean nothing.
    """
    zero, part = zero_like(block.half), Part(block.edges)
    o, d = rays(camera, *block.forms())
    o, d = as_forms(o, zero, part.places), as_forms(d, zero, part.places)
    bounces, one, size = setting.bounces, zero + 1.0, 3 * part.size

    def step(o: Any, d: Any, start: Any, start_side: Any, words: Any) -> Any:
        hit, side, t, mirror, known = first_hit(setting, scene, part, o, d, start, start_side)
        met = greater_equal(hit, 0.0)
        goes_on = logical_and(logical_and(met, known), greater(mirror, 0.5))
        ends = logical_and(logical_and(met, known), logical_not(greater(mirror, 0.5)))
        p = as_forms(o + t * d, zero, part.places)
        code = where(met, 2.0 * (hit + 1.0) + where(greater(side, 0.0), 1.0, 0.0), 0.0)
        piece, sure = _pieces(setting, scene, part, p, hit, side)
        certain = where(logical_and(known, logical_or(sure, logical_not(met))), 1.0, 0.0)

        def look(hit: Any, side: Any, certain: Any, *words: Any) -> Any:
            end = _End(o, d, t, p, hit, side, ends)
            return hit, side, *_lit(setting, scene, part, camera, certain, words, end)

        certain, *seen = cond(ends, look, [hit, side, certain, *words])[2:]
        return p, hit, side, [code, *piece], goes_on, certain, seen

    words: Any = [zero] * setting.words
    if bounces == 1:
        _, _, _, (code, *piece), _, certain, seen = step(o, d, zero - 1.0, one, words)
        return [code, *seen, *piece, certain]

    def bounce(going: Any, turn: Any, certain: Any, start: Any, start_side: Any, *rest: Any) -> Any:
        o, d = (forms(rest[k : k + size], part.places).reshape(3, 1) for k in (0, size))
        rest = rest[2 * size :]
        codes, words, pieces = rest[:bounces], rest[bounces : bounces + setting.words], rest[bounces + setting.words :]
        p, hit, side, (code, *own), goes_on, here, seen = step(o, d, start, start_side, words)
        goes_on = logical_and(logical_and(goes_on, greater(here, 0.5)), less(turn, bounces - 1.0))

        def turn_round(hit: Any, side: Any, *old: Any) -> Any:
            return hit, side, *parts_of(reflected(d, normals(setting, scene, part, p, hit, side)), zero, part.places)

        d_parts = cond(goes_on, turn_round, [hit, side, *parts_of(d, zero, part.places)])[2:]
        kept = [where(equal(turn, float(k)), code, old) for k, old in enumerate(codes)]
        parts = [where(equal(turn, float(k)), own[0], old) for k, old in enumerate(pieces)]
        return goes_on, turn + 1.0, here, hit, side, *parts_of(p, zero, part.places), *d_parts, *kept, *seen, *parts

    none = [zero] * bounces if setting.tiles else []
    rays_ = [*parts_of(o, zero, part.places), *parts_of(d, zero, part.places)]
    start = [equal(zero, 0.0), zero, zero, zero - 1.0, one, *rays_]
    found = while_loop(bounces, bounce, [*start, *[zero] * bounces, *words, *none])
    return [*found[len(start) :], found[2]]


class _End(NamedTuple):
    """Where paths end: the last ray, from o along d, and the distance t on it, the point p, forms; the number of the
    face there, the side of it, and whether it is asked what is seen from there, (n,)."""

    o: Any
    d: Any
    t: Any
    p: Any
    face: Any
    side: Any
    asked: Any


def missed_by_all(o: Any, d: Any, zero: Any) -> Callable[[Any, Any], Any]:
    """From the least and largest coordinates of a box, and a distance (n,), to whether it is sure that no ray of a
    block meets the box before that, (n,).

    o, d: forms (3, 1). zero: (n,). It asks for the bounds of o and of d alone, axis by axis: a box is looked at far
    more often than what is in it.
    """
    axes = []
    for start, way in zip(_by_entry(o, zero), _by_entry(d, zero), strict=True):
        least, most = lower(way), upper(way)
        # The inverse of the greatest speed along the axis and against it, inf for none, and of the least speed of rays
        # that all go one way.
        along = where(less_equal(most, 0.0), inf, 1.0 / most)
        against = where(greater_equal(least, 0.0), inf, -1.0 / least)
        forward, backward = greater(least, 0.0), less(most, 0.0)
        slowest = where(backward, -1.0 / most, 1.0 / least)
        axes.append((lower(start), upper(start), along, against, backward, logical_or(forward, backward), slowest))

    def missed(bounds: Any, limit: Any) -> Any:
        enters, leaves = zero, where(less(limit, FAR), limit, FAR)
        for axis, (least, most, along, against, backward, one_way, slowest) in enumerate(axes):
            # How far the box is ahead along the axis, and how far against it; the other end is as far behind.
            ahead, behind = bounds[axis] - most, least - bounds[3 + axis]
            enters = larger(where(greater(ahead, 0.0), ahead * along, 0.0), enters)
            enters = larger(where(greater(behind, 0.0), behind * against, 0.0), enters)
            leaves = smaller(where(one_way, -where(backward, ahead, behind) * slowest, inf), leaves)
        # Rounding is relative to each distance.
        return greater(enters * (1.0 - SLACK), leaves * (1.0 + SLACK))

    return missed


def _by_entry(x: Any, zero: Any) -> list[Any]:
    """The parts of each form of an array."""
    parts = parts_of(x, zero)
    return [parts[k : k + PARTS] for k in range(0, len(parts), PARTS)]


def first_hit(
    setting: SearchSetting, scene: SearchTables, part: Part, o: Any, d: Any, start: Any, start_side: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """The face that all rays of a block meet first: its number (-1 for none), the side that is met, the distance as a
    form, whether it is a mirror, and whether that is known, (n,).

    o, d: forms (3, 1). The rest is as for `visibility.nearest_hit`.
    """
    zero, size = zero_like(start), part.size
    begins, begin_side, missed = lanes(start), lanes(start_side), missed_by_all(o, d, zero)

    def box(bounds: Any, *carry: Any) -> Any:
        limit = where(greater_equal(carry[size + 1], 0.0), upper(carry[:size]), inf)
        return logical_not(missed(bounds, limit))

    def visit(face: Shape, number: Any, owner: Any, reflects: Any, *carry: Any) -> Any:
        best, (doubt, hit, side, mirror) = carry[:size], carry[size:]
        own_side, sided = _side(face, number, part, o, start, start_side)

        def answer(side: Any) -> tuple[Any, Any, list[Any]]:
            t, inside, outside = meet(face, number, part, o, d, begins, begin_side, lanes(side))
            ahead, behind = part.greater(t, 0.0, logical_not(outside))
            return logical_and(ahead, inside), logical_or(behind, outside), parts_of([t], zero, part.places)

        all_, some, own = _from_sides(own_side, sided, part, answer)
        met = greater_equal(hit, 0.0)
        # Of two distances that are equal but for rounding the search has a rule; here it is not known.
        gap = [b - a for a, b in zip(own, best, strict=True)]
        gap[PARTS - 1] = own[PARTS - 1] + best[PARTS - 1] + 8.0 * TIE * (absolute(upper(own)) + absolute(upper(best)))
        reach = _radius(gap)
        near, far = greater(gap[0], reach), less(gap[0], -reach)
        near, far = part.signs(gap, near, far, logical_and(some, met))
        if face.convex:
            pair = equal(hit, number + float(face.back))
            near = logical_and(near, logical_not(pair)) if face.back < 0 else logical_or(near, pair)
            far = logical_or(far, pair) if face.back < 0 else logical_and(far, logical_not(pair))
        nearer = logical_and(all_, logical_or(logical_not(met), near))
        behind = logical_and(met, far)
        taken = logical_or(nearer, logical_and(logical_and(all_, logical_not(behind)), greater(gap[0], 0.0)))
        # What is not shown to lie behind: this face, or if it is taken though it may be behind, the one before.
        doubtful = logical_and(logical_and(some, logical_not(nearer)), logical_not(behind))
        where_ = where(sided, where(logical_and(taken, met), lower(best), lower(own)), -inf)
        doubt = where(doubtful, minimum(doubt, where(greater(where_, -inf), where_, -inf)), doubt)
        nearest = [where(taken, a, b) for a, b in zip(own, best, strict=True)]
        return [
            *nearest,
            doubt,
            *(where(taken, a, b) for a, b in ((number, hit), (own_side, side), (reflects, mirror))),
        ]

    carry = [zero] * size + [zero + inf, zero - 1.0, zero + 1.0, zero]
    found = scan_faces(setting, scene, box, visit, carry, alone=True)
    best, (doubt, hit, side, mirror) = found[:size], found[size:]
    end = upper(best)
    known = where(greater_equal(hit, 0.0), end + 8.0 * TIE * absolute(end), 1e300)
    return hit, side, forms(best, part.places)[0], mirror, less(known, doubt)


def meet(
    face: Shape, number: Any, part: Part, o: Any, d: Any, start: Any, start_side: Any, side: Any,
    along: Any = None,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """The distance of the face of this number, met from a side, for rays that start on the face `start`, as a form; and
    whether it is met by all rays, and by none, (n,).

    along: origin and direction of rays from the light to o, if they are looked at in place of those from o along d.
    """
    starts = equal(start, number)
    origin, direction = along or (o, d)
    t, inside = face.intersect(origin, direction, side)
    margins = face.margins(origin, direction, side) if has_borders(type(face)) else (inside,)
    if along is not None and face.meets_itself:
        # The face that a point is on is met again, or not, as its kind says for rays that leave it.
        t = where(starts, length(o - along[0]) - face.intersect(o, d, start_side)[0], t)
    own = []
    for margin in margins:
        margin = inside_from(face, o, d, starts, start_side, margin)
        if face.back:
            margin = where(equal(start, number + float(face.back)), -1.0, margin)
        own.append(margin)
    missed_ = reduce(logical_or, [never(greater(margin, 0.0)) for margin in own])
    signs = [part.greater(margin, 0.0, logical_not(missed_)) for margin in own]
    return t, reduce(logical_and, [yes for yes, _ in signs]), reduce(logical_or, [no for _, no in signs])


def _from_sides(side: Any, sided: Any, part: Part, answer: Any) -> tuple[Any, Any, list[Any]]:
    """Whether something is so for all points of a block, and whether it may be for some, and what is known of it, where
    the side of a face that they are on may be unknown: then both are looked at.

    answer: from a side to whether it is so for all, whether it is for none, and numbers.
    """
    zero = zero_like(side)

    def turn(active: Any, side: Any, first: Any, all_: Any, some: Any, *numbers: Any) -> Any:
        every, none, own = answer(side)
        again = logical_and(greater(first, 0.5), logical_not(sided))
        both = where(sided, where(every, 1.0, 0.0), 0.0)
        return again, -side, zero, both, where(none, some, 1.0), *own

    empty = [zero] * part.size
    found = while_loop(2, turn, [equal(zero, 0.0), side, zero + 1.0, zero, zero, *empty])
    return greater(found[3], 0.5), greater(found[4], 0.5), found[5:]


def _side(face: Shape, number: Any, part: Part, o: Any, start: Any, start_side: Any) -> tuple[Any, Any]:
    """The side of a face that the points o are on, and whether all of them are, (n,)."""
    starts = equal(start, number)
    outer, inner = part.greater(face.side(o), -TOUCH * face.reach(o), logical_not(starts))
    return where(starts, start_side, where(outer, 1.0, -1.0)), logical_or(starts, logical_or(outer, inner))


def _lit(setting: SearchSetting, scene: SearchTables, part: Part, camera: Any, certain: Any, words: Any,
         end: _End) -> list[Any]:  # fmt: skip
    """1 where it is known which lights are seen from the ends of paths, and the words of their bits, (n,)."""
    if not setting.lights:
        return [certain, *words]
    near, zero = touching(camera, end.p), zero_like(end.face)

    def visit(row: LightRow, certain: Any, *words: Any) -> Any:
        branches = [_light_rays(kind, part, end) for kind in setting.lights]
        found = choose(row.kind, branches, [row.light, zero])
        (bit, known) = _seen(setting, scene, part, end, near, _Rays.of(found, part))
        added = [word + where(equal(row.word, float(k)), row.bit * bit, 0.0) for k, word in enumerate(words)]
        return [minimum(certain, known), *added]

    return scan(scene.lights, visit, [certain, *words])


class _Rays(NamedTuple):
    """The rays between the ends of paths and a light: the direction to_light (3, 1) and the distance of the light,
    forms. If they are looked at from the light too, origin (3, 1), and the direction and the distance of the ends from
    there, forms. everywhere: whether the light has no rays; from_point: whether it is at one point; within, without:
    whether all ends are within its border, and whether none is, (n,)."""

    to_light: Any
    limit: Any
    origin: Any
    to_end: Any
    span: Any
    everywhere: Any
    from_point: Any
    within: Any
    without: Any

    @staticmethod
    def of(numbers: Sequence[Any], part: Part) -> "_Rays":
        """From what a branch gives."""
        size = part.size
        to_light, limit, to_end, span, rest = (
            numbers[: 3 * size], numbers[3 * size : 4 * size], numbers[4 * size : 7 * size],
            numbers[7 * size : 8 * size], numbers[8 * size :],
        )  # fmt: skip
        everywhere, from_point, within, without = (greater(x, 0.5) for x in rest[3:])
        return _Rays(
            forms(to_light, part.places).reshape(3, 1), forms(limit, part.places)[0],
            np.concatenate([np.atleast_2d(lanes(x)) for x in rest[:3]]),
            forms(to_end, part.places).reshape(3, 1), forms(span, part.places)[0],
            everywhere, from_point, within, without,
        )  # fmt: skip


def _light_rays(kind: type[Light], part: Part, end: _End) -> Any:
    """A branch: the rays to a light of this kind, as numbers."""
    p = end.p

    def rays_to(light: Any, zero: Any) -> list[Any]:
        if kind.everywhere:
            return [zero] * (8 * part.size + 3) + [zero + 1.0] + [zero] * 3
        source = kind.unpack(light)
        to_light, limit = shadow_ray(source, p)
        found = [*parts_of(to_light, zero, part.places), *parts_of(limit, zero, part.places)]
        origin = source.origin()
        if origin is None:
            found += [zero] * (4 * part.size + 3)
        else:
            span = length(p - origin)
            # Towards the horizon t has no end, but the direction of p - origin has a limit.
            parts = parts_of(end.t, zero, part.places)
            endless = greater(upper(parts), 2.0 * lower(parts))
            near_by, far_off = (
                parts_of(each, zero, part.places)
                for each in ((p - origin) / span, normalize((end.o - origin) / end.t + end.d))
            )
            found += [where(endless, far, near) for far, near in zip(far_off, near_by, strict=True)]
            found += [*parts_of(span, zero, part.places), *(zero + x for x in origin)]
        within, without = zero + 1.0, zero
        if kind.bordered:
            yes, no = part.greater(source.shines(p), 0.0, equal(zero, 0.0))
            within, without = where(yes, 1.0, 0.0), where(no, 1.0, 0.0)
        return [*found, zero, zero + float(origin is not None), within, without]

    return rays_to


def _seen(
    setting: SearchSetting, scene: SearchTables, part: Part, end: _End, near: Any, rays: _Rays
) -> tuple[Any, Any]:
    """1 where all ends see a light, else 0, and 1 where that is known, (n,)."""
    p, start, start_side = end.p, end.face, end.side
    zero, begins, begin_side = zero_like(start), lanes(start), lanes(start_side)
    off = logical_or(rays.everywhere, logical_or(rays.without, logical_not(end.asked)))
    dark, partly = where(off, 1.0, 0.0), where(rays.within, 0.0, 1.0)
    missed, farthest = missed_by_all(p, rays.to_light, zero), upper(parts_of(rays.limit, zero))

    def box(bounds: Any, blocked: Any, may_be: Any) -> Any:
        return logical_not(logical_or(missed(bounds, farthest), greater(blocked, 0.5)))

    def block(face: Shape, number: Any, owner: Any, reflects: Any, blocked: Any, may_be: Any) -> Any:
        def from_light(side: Any) -> tuple[Any, Any, list[Any]]:
            along = rays.origin, rays.to_end
            t, inside, outside = meet(face, number, part, p, rays.to_light, begins, begin_side, lanes(side), along)
            return both(inside, outside, (rays.span - near, t), (t, TOUCH * rays.span))

        def from_surface(side: Any) -> tuple[Any, Any, list[Any]]:
            t, inside, outside = meet(face, number, part, p, rays.to_light, begins, begin_side, lanes(side))
            return both(inside, outside, (t, near), (rays.limit, t))

        def both(inside: Any, outside: Any, one: Any, two: Any) -> tuple[Any, Any, list[Any]]:
            (after, before), (nearer, farther) = (part.greater(x, y, logical_not(outside)) for x, y in (one, two))
            sure = logical_and(logical_and(inside, after), nearer)
            return sure, logical_or(logical_or(outside, before), farther), [zero] * part.size

        def one_way(sure: Any, some: Any) -> list[Any]:
            outer = surely(greater_equal(face.side(rays.origin), -TOUCH * face.reach(rays.origin)))
            side = where(outer, 1.0, -1.0) + zero
            every, any_, _ = _from_sides(side, equal(zero, 0.0), part, from_light)
            return [where(every, 1.0, 0.0), where(any_, 1.0, 0.0)]

        def other_way(sure: Any, some: Any) -> list[Any]:
            every, any_, _ = _from_sides(*_side(face, number, part, p, start, start_side), part, from_surface)
            return [where(every, 1.0, sure), where(any_, some, 0.0)]

        sure, some = cond(logical_and(rays.from_point, less(blocked, 0.5)), one_way, [zero, zero + 1.0])
        # What the one way cannot tell the other may: on the side of a flat face that the surface is on, its rays are
        # known to leave it. Of a surface with two faces the other way meets the other one.
        open_ = logical_and(less(sure, some), less(blocked, 0.5))
        if face.back:
            open_ = logical_and(open_, logical_not(rays.from_point))
        sure, some = cond(open_, other_way, [sure, some])
        return [maximum(sure, blocked), where(greater(some, 0.5), 1.0, may_be)]

    blocked, may_be = scan_faces(setting, scene, box, block, [dark, partly], alone=True)
    known = where(logical_or(greater(blocked, 0.5), less(may_be, 0.5)), 1.0, 0.0)
    bit = where(logical_or(rays.everywhere, less(blocked, 0.5)), 1.0, 0.0)
    return bit, where(rays.everywhere, 1.0, known)


def normals(setting: SearchSetting, scene: SearchTables, part: Part, p: Any, hit: Any, side: Any) -> Any:
    """The unit normals, forms (3, 1), at points p of the faces that were hit."""
    zero = zero_like(hit)
    side = lanes(side)

    missed = missed_by_all(p, np.ones((3, 1)), zero)

    def box(bounds: Any, *n: Any) -> Any:
        return logical_not(missed(bounds, zero))

    def own(face: Shape, number: Any, owner: Any, reflects: Any, *n: Any) -> Any:
        found = parts_of(face.normal_at(p, side), zero, part.places)
        return [where(equal(hit, number), new, old) for new, old in zip(found, n, strict=True)]

    found = scan_faces(setting, scene, box, own, [zero] * (3 * part.size))
    return forms(found, part.places).reshape(3, 1)


def _pieces(
    setting: SearchSetting, scene: SearchTables, part: Part, p: Any, hit: Any, side: Any
) -> tuple[list[Any], Any]:
    """The pieces (n,) of shapes at points p of the faces that were hit, and whether they are known; an empty list if
    there are no textures with edges."""
    zero = zero_like(hit)
    if not setting.tiles:
        return [], equal(zero, 0.0)
    from_side = lanes(side)

    def visit(row: TiledRow, piece: Any, unknown: Any) -> list[Any]:
        def at(kind: type[Shape]) -> Any:
            def branch(shape: Any, *rest: Any) -> list[Any]:
                return parts_of(np.ravel(coordinates_of(kind)(shape, p, from_side)), zero, part.places)

            return branch

        parts = choose(row.kind, [at(kind) for kind in setting.faces], [row.shape, zero])
        u, v = forms(parts, part.places)[:, None]
        own, open_ = zero, zero
        for number, tile in enumerate(row.tiles):

            def of(kind: Any, numbers: Any = tile.numbers) -> Any:
                def branch(numbers: Any, zero: Any) -> list[Any]:
                    return parts_of(np.ravel(kind.unpack(numbers).border(u, v)), zero, part.places)

                return branch

            def none(numbers: Any, zero: Any) -> list[Any]:
                return parts_of([-1.0], zero, part.places)

            border = choose(tile.kind, [none, *map(of, setting.tiles)], [tile.numbers, zero])
            yes, no = part.greater(forms(border, part.places), 0.0, equal(hit, row.number))
            own = own + where(yes, 2.0**number, 0.0)
            open_ = where(logical_or(yes, no), open_, 1.0)
        mine = equal(hit, row.number)
        return [where(mine, own, piece), where(mine, open_, unknown)]

    piece, unknown = scan(scene.tiled, visit, [zero, zero])
    return [piece], less(unknown, 0.5)
