"""Proof: a block of the image in which every point has the same signature, shown without looking at the points.

Over a block, a square of the image, every number of the search is an affine form in the place in the block (see
`diffrt.autograd.affine`): what it can be anywhere in it. So a face is met by every ray of the block, by none, or by
some; and of two faces that are met one is nearer everywhere, or not. The search of `visibility.py`, on such answers,
gives the signature of the whole block, or says that it does not know it. What is known is proved: no small ball, no
thin shadow, no tip in a mirror can hide there.

The formulas of kinds are those that the search computes with. What is different is how the nearest face is found. There
is a face that all rays meet, the nearest of those seen so far, and a distance, the *doubt*, from which on a face may be
met that is not shown to lie behind it. It is the nearest of all if it lies in front of the doubt.

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
    BORDER,
    DISTANCE,
    INSIDE,
    START,
    TIE,
    TILE,
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

FAR = 1e300
"""A distance that no scene has."""


class Assumed(NamedTuple):
    """What is taken to be so in blocks, (n,) each: that the switching function of an edge has this sign. See
    `crossings.Switches`; function is -1 for nothing."""

    function: Any
    bounce: Any
    light: Any
    shape: Any
    other: Any
    border: Any
    sign: Any


class Block(NamedTuple):
    """Squares of the image: the middle, and half of the side, in pixels, (n,) each; and what is assumed there."""

    x: Any
    y: Any
    half: Any
    assumed: tuple[Assumed, ...] = ()

    def forms(self) -> tuple[Any, Any]:
        """x and y of all points of the block."""
        zero, half = zero_like(self.half), self.half
        return form(self.x, [half, zero]), form(self.y, [zero, half])


def lower(parts: Any) -> Any:
    """The least that a form can be."""
    return parts[0] - _radius(parts)


def upper(parts: Any) -> Any:
    """The largest that a form can be."""
    return parts[0] + _radius(parts)


def _radius(parts: Any) -> Any:
    total = parts[-1]
    for slope in parts[1:-1]:
        total = total + absolute(slope)
    return total * (1.0 + TIE)


def proved_ids(view: Visibility, x: Floats, y: Floats, side: float, assumed: Sequence[Assumed] = ()) -> Labels:
    """The labels of blocks of which it is proved that every point has that signature, -1 for the others, (N,).

    x, y: the middles (N,); side: of all blocks, in pixels. assumed: of the switching functions of up to two edges, that
    they have one sign all over the block.
    """
    if not len(x):
        return np.zeros(0, np.int32)
    none = np.full(len(x), -1.0)
    both = (*assumed, *[Assumed(none, none, none, none, none, none, none)] * (2 - len(assumed)))
    order = view.order(x, y)
    taken = tuple(Assumed(*(column[order] for column in each)) for each in both)
    block = Block(x[order], y[order], np.full(len(x), 0.5 * side), taken)
    *columns, known = search(proved_signature, view.setting, view.tables.camera, None, block, view.scene, view.engine,
                            optimise=view.setting.boxes)  # fmt: skip
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
    zero = zero_like(block.half)
    o, d = rays(camera, *block.forms())
    o, d = as_forms(o, zero), as_forms(d, zero)
    bounces, one = setting.bounces, zero + 1.0

    def step(turn: Any, o: Any, d: Any, start: Any, start_side: Any, words: Any) -> Any:
        hit, side, t, mirror, known = first_hit(setting, scene, _about(block.assumed, turn), o, d, start, start_side)
        met = greater_equal(hit, 0.0)
        goes_on = logical_and(logical_and(met, known), greater(mirror, 0.5))
        ends = logical_and(logical_and(met, known), logical_not(greater(mirror, 0.5)))
        p = as_forms(o + t * d, zero)
        code = where(met, 2.0 * (hit + 1.0) + where(greater(side, 0.0), 1.0, 0.0), 0.0)
        piece, sure = _pieces(setting, scene, block.assumed, p, hit, side)
        certain = where(logical_and(known, logical_or(sure, logical_not(met))), 1.0, 0.0)

        def look(hit: Any, side: Any, certain: Any, *words: Any) -> Any:
            end = _End(o, d, t, p, hit, side, ends)
            return hit, side, *_lit(setting, scene, block.assumed, camera, certain, words, end)

        certain, *seen = cond(ends, look, [hit, side, certain, *words])[2:]
        return p, hit, side, [code, *piece], goes_on, certain, seen

    words: Any = [zero] * setting.words
    if bounces == 1:
        _, _, _, (code, *piece), _, certain, seen = step(zero, o, d, zero - 1.0, one, words)
        return [code, *seen, *piece, certain]

    def bounce(going: Any, turn: Any, certain: Any, start: Any, start_side: Any, *rest: Any) -> Any:
        o, d = (forms(rest[k : k + 3 * PARTS]).reshape(3, 1) for k in (0, 3 * PARTS))
        rest = rest[6 * PARTS :]
        codes, words, pieces = rest[:bounces], rest[bounces : bounces + setting.words], rest[bounces + setting.words :]
        p, hit, side, (code, *own), goes_on, here, seen = step(turn, o, d, start, start_side, words)
        goes_on = logical_and(logical_and(goes_on, greater(here, 0.5)), less(turn, bounces - 1.0))

        def turn_round(hit: Any, side: Any, *old: Any) -> Any:
            return hit, side, *parts_of(reflected(d, normals(setting, scene, p, hit, side)), zero)

        d_parts = cond(goes_on, turn_round, [hit, side, *rest[:0], *parts_of(d, zero)])[2:]
        kept = [where(equal(turn, float(k)), code, old) for k, old in enumerate(codes)]
        parts = [where(equal(turn, float(k)), own[0], old) for k, old in enumerate(pieces)]
        return goes_on, turn + 1.0, here, hit, side, *parts_of(p, zero), *d_parts, *kept, *seen, *parts

    none = [zero] * bounces if setting.tiles else []
    start = [equal(zero, 0.0), zero, zero, zero - 1.0, one, *parts_of(o, zero), *parts_of(d, zero)]
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
    setting: SearchSetting, scene: SearchTables, assumed: Sequence[Assumed], o: Any, d: Any, start: Any, start_side: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """The face that all rays of a block meet first: its number (-1 for none), the side that is met, the distance as a
    form, whether it is a mirror, and whether that is known, (n,).

    assumed: of this ray. o, d: forms (3, 1). The rest is as for `visibility.nearest_hit`.
    """
    zero = zero_like(start)
    begins, begin_side, missed = lanes(start), lanes(start_side), missed_by_all(o, d, zero)

    def box(bounds: Any, *carry: Any) -> Any:
        limit = where(greater_equal(carry[PARTS + 1], 0.0), upper(carry[:PARTS]), inf)
        return logical_not(missed(bounds, limit))

    def visit(face: Shape, number: Any, owner: Any, reflects: Any, *carry: Any) -> Any:
        best, (doubt, hit, side, mirror) = carry[:PARTS], carry[PARTS:]
        own_side, sided = _side(face, number, assumed, o, start, start_side)

        def answer(side: Any) -> tuple[Any, Any, list[Any]]:
            t, inside, outside = meet(face, number, assumed, o, d, begins, begin_side, lanes(side))
            ahead = greater(t, 0.0)
            return logical_and(surely(ahead), inside), logical_or(never(ahead), outside), parts_of([t], zero)

        all_, some, own = _from_sides(own_side, sided, answer)
        met = greater_equal(hit, 0.0)
        # Of two distances that are equal but for rounding the search has a rule; here it is not known.
        gap, slack = own[0] - best[0], own[-1] + best[-1]
        for a, b in zip(own[1:-1], best[1:-1], strict=True):
            slack = slack + absolute(a - b)
        slack = slack * (1.0 + TIE) + 8.0 * TIE * (absolute(upper(own)) + absolute(upper(best)))
        one, two = (
            assumption(assumed, DISTANCE, shape=a, other=b) for a, b in ((number, hit), (hit, number))
        )  # fmt: skip
        far, near = logical_or(one[0], two[1]), logical_or(one[1], two[0])
        nearer = logical_and(all_, logical_or(logical_not(met), logical_or(near, less(gap, -slack))))
        nearer = logical_and(nearer, logical_not(far))
        behind = logical_and(met, logical_or(far, logical_and(greater(gap, slack), logical_not(near))))
        taken = logical_or(nearer, logical_and(logical_and(all_, logical_not(behind)), less(gap, 0.0)))
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

    carry = [zero] * PARTS + [zero + inf, zero - 1.0, zero + 1.0, zero]
    found = scan_faces(setting, scene, box, visit, carry, alone=True)
    best, (doubt, hit, side, mirror) = found[:PARTS], found[PARTS:]
    end = upper(best)
    known = where(greater_equal(hit, 0.0), end + 8.0 * TIE * absolute(end), 1e300)
    return hit, side, forms(best)[0], mirror, less(known, doubt)


def meet(
    face: Shape, number: Any, assumed: Sequence[Assumed], o: Any, d: Any, start: Any, start_side: Any, side: Any,
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
    every, none = [], []
    for border, margin in enumerate(margins):
        margin = inside_from(face, o, d, starts, start_side, margin)
        if face.back:
            margin = where(equal(start, number + float(face.back)), -1.0, margin)
        positive = greater(margin, 0.0)
        plus, minus = assumption(assumed, INSIDE, shape=number, border=float(border) if len(margins) > 1 else -1.0)
        every.append(logical_and(logical_or(surely(positive), plus), logical_not(minus)))
        none.append(logical_and(logical_or(never(positive), minus), logical_not(plus)))
    return t, reduce(logical_and, every), reduce(logical_or, none)


def assumption(assumed: Sequence[Assumed], function: int, **names: Any) -> tuple[Any, Any]:
    """Where it is assumed of a switching function that it is positive, and that it is negative, (n,)."""
    plus: Any = np.full((1,), False)
    minus: Any = np.full((1,), False)
    for each in assumed:
        mine = equal(each.function, float(function))
        for name, value in names.items():
            mine = logical_and(mine, equal(getattr(each, name), value))
        plus = logical_or(plus, logical_and(mine, greater(each.sign, 0.0)))
        minus = logical_or(minus, logical_and(mine, less(each.sign, 0.0)))
    return plus, minus


def _about(assumed: Sequence[Assumed], turn: Any = None, light: Any = -1.0) -> list[Assumed]:
    """What is assumed of one ray: that after so many bounces, or that to the light of this number."""
    found = []
    for each in assumed:
        mine = equal(each.light, light)
        if turn is not None:
            mine = logical_and(mine, equal(each.bounce, turn))
        found.append(each._replace(function=where(mine, each.function, -1.0)))
    return found


def _from_sides(side: Any, sided: Any, answer: Any) -> tuple[Any, Any, list[Any]]:
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

    empty = [zero] * PARTS
    found = while_loop(2, turn, [equal(zero, 0.0), side, zero + 1.0, zero, zero, *empty])
    return greater(found[3], 0.5), greater(found[4], 0.5), found[5:]


def _side(face: Shape, number: Any, assumed: Sequence[Assumed], o: Any, start: Any, start_side: Any) -> tuple[Any, Any]:
    """The side of a face that the points o are on, and whether all of them are, (n,)."""
    outer = greater_equal(face.side(o), -TOUCH * face.reach(o))
    starts = equal(start, number)
    plus, minus = assumption(assumed, START, shape=number)
    yes = logical_and(logical_or(surely(outer), plus), logical_not(minus))
    no = logical_and(logical_or(never(outer), minus), logical_not(plus))
    return where(starts, start_side, where(yes, 1.0, -1.0)), logical_or(starts, logical_or(yes, no))


def _lit(setting: SearchSetting, scene: SearchTables, assumed: Sequence[Assumed], camera: Any, certain: Any,
         words: Any, end: _End) -> list[Any]:  # fmt: skip
    """1 where it is known which lights are seen from the ends of paths, and the words of their bits, (n,)."""
    if not setting.lights:
        return [certain, *words]
    near = touching(camera, end.p)

    def visit(row: LightRow, certain: Any, *words: Any) -> Any:
        branches = [_seen(setting, scene, kind, assumed, end, near) for kind in setting.lights]
        bit, known = choose(row.kind, branches, [row.light, row.number, row.bit, end.face, end.side])
        added = [word + where(equal(row.word, float(k)), bit, 0.0) for k, word in enumerate(words)]
        return [minimum(certain, known), *added]

    return scan(scene.lights, visit, [certain, *words])


def _seen(
    setting: SearchSetting, scene: SearchTables, kind: type[Light], assumed: Sequence[Assumed], end: _End, near: Any
) -> Any:
    """A branch: the bit of a light of this kind where all ends see it, else 0, and 1 where that is known."""
    p = end.p

    def seen(light: Any, number: Any, bit: Any, start: Any, start_side: Any) -> Any:
        zero = zero_like(start)
        if kind.everywhere:
            return [bit + zero, zero + 1.0]
        source, begins, begin_side = kind.unpack(light), lanes(start), lanes(start_side)
        mine = _about(assumed, light=number)
        to_light, limit = shadow_ray(source, p)
        to_light = as_forms(to_light, zero)
        origin = source.origin()
        along = None
        if origin is not None:
            span = length(p - origin)
            # Towards the horizon t has no end, but the direction of p - origin has a limit.
            parts = parts_of(end.t, zero)
            endless = greater(upper(parts), 2.0 * lower(parts))
            near_by, far_off = (
                parts_of(each, zero) for each in ((p - origin) / span, normalize((end.o - origin) / end.t + end.d))
            )
            to_p = forms([where(endless, far, near) for far, near in zip(far_off, near_by, strict=True)])
            along = origin, to_p.reshape(3, 1)
        dark, partly = where(end.asked, 0.0, 1.0), zero
        if kind.bordered:
            shines = greater(source.shines(p), 0.0)
            plus, minus = assumption(mine, BORDER)
            within = logical_and(logical_or(surely(shines), plus), logical_not(minus))
            without = logical_and(logical_or(never(shines), minus), logical_not(plus))
            dark, partly = where(without, 1.0, dark), where(within, 0.0, 1.0)

        missed, farthest = missed_by_all(p, to_light, zero), upper(parts_of(limit, zero))

        def box(bounds: Any, blocked: Any, may_be: Any) -> Any:
            return logical_not(logical_or(missed(bounds, farthest), greater(blocked, 0.5)))

        def block(face: Shape, number: Any, owner: Any, reflects: Any, blocked: Any, may_be: Any) -> Any:
            if along is None:
                side, sided = _side(face, number, mine, p, start, start_side)
            else:
                side = where(greater_equal(face.side(along[0]), -TOUCH * face.reach(along[0])), 1.0, -1.0) + zero
                sided = equal(zero, 0.0)

            def answer(side: Any) -> tuple[Any, Any, list[Any]]:
                t, inside, outside = meet(face, number, mine, p, to_light, begins, begin_side, lanes(side), along)
                if along is None:
                    after, before = greater(t, near), less(t, limit)
                else:  # t from the light
                    after, before = less(t, span - near), greater(t, TOUCH * span)
                plus, minus = assumption(mine, DISTANCE, shape=number)  # of t - limit
                nearer = logical_and(logical_or(surely(before), minus), logical_not(plus))
                farther = logical_and(logical_or(never(before), plus), logical_not(minus))
                sure = logical_and(logical_and(inside, surely(after)), nearer)
                return sure, logical_or(logical_or(outside, never(after)), farther), [zero] * PARTS

            sure, some, _ = _from_sides(side, sided, answer)
            return [where(sure, 1.0, blocked), where(some, 1.0, may_be)]

        blocked, may_be = scan_faces(setting, scene, box, block, [dark, partly], alone=True)
        known = where(logical_or(greater(blocked, 0.5), less(may_be, 0.5)), 1.0, 0.0)
        return [where(greater(blocked, 0.5), 0.0, bit), known]

    return seen


def normals(setting: SearchSetting, scene: SearchTables, p: Any, hit: Any, side: Any) -> Any:
    """The unit normals, forms (3, 1), at points p of the faces that were hit."""
    zero = zero_like(hit)
    side = lanes(side)

    missed = missed_by_all(p, np.ones((3, 1)), zero)

    def box(bounds: Any, *n: Any) -> Any:
        return logical_not(missed(bounds, zero))

    def own(face: Shape, number: Any, owner: Any, reflects: Any, *n: Any) -> Any:
        found = parts_of(face.normal_at(p, side), zero)
        return [where(equal(hit, number), new, old) for new, old in zip(found, n, strict=True)]

    return forms(scan_faces(setting, scene, box, own, [zero] * (3 * PARTS))).reshape(3, 1)


def _pieces(
    setting: SearchSetting, scene: SearchTables, assumed: Sequence[Assumed], p: Any, hit: Any, side: Any
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
                return parts_of(np.ravel(coordinates_of(kind)(shape, p, from_side)), zero)

            return branch

        u, v = forms(choose(row.kind, [at(kind) for kind in setting.faces], [row.shape, zero]))[:, None]
        own, open_ = zero, zero
        for number, tile in enumerate(row.tiles):

            def of(kind: Any, numbers: Any = tile.numbers) -> Any:
                def branch(numbers: Any, zero: Any) -> list[Any]:
                    return parts_of(np.ravel(kind.unpack(numbers).border(u, v)), zero)

                return branch

            def none(numbers: Any, zero: Any) -> list[Any]:
                return [zero - 1.0, zero, zero, zero]

            border = forms(choose(tile.kind, [none, *map(of, setting.tiles)], [tile.numbers, zero]))
            positive = greater(border, 0.0)
            plus, minus = assumption(assumed, TILE, shape=row.number, other=float(number))
            yes = logical_and(logical_or(surely(positive), plus), logical_not(minus))
            own = own + where(yes, 2.0**number, 0.0)
            open_ = where(logical_or(yes, logical_or(never(positive), minus)), open_, 1.0)
        mine = equal(hit, row.number)
        return [where(mine, own, piece), where(mine, open_, unknown)]

    piece, unknown = scan(scene.tiled, visit, [zero, zero])
    return [piece], less(unknown, 0.5)
