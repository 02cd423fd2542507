"""Switching functions: numbers that pass through zero where the signature of an image point changes.

The ray that changes is the one that leaves the last surface of a path, whose surfaces are known: no search. Here is its
formula, which both finds the root on the side of a cell and is differentiated there. Which kinds a crossing has to do
with are numbers in its row, so one program serves all crossings of a scene.
"""

from typing import Any, NamedTuple

import numpy as np

from diffrt.autograd import (
    absolute,
    divide,
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
    not_equal,
    pushforward,
    where,
)
from diffrt.compiler import choose, while_loop
from diffrt.compiler.structures import put_together, take_apart
from diffrt.kinds import Light, Shape
from diffrt.tracer.camera import rays
from diffrt.tracer.tables import Hit, Kinds, Tile
from diffrt.tracer.tree import missed
from diffrt.tracer.visibility import (
    BORDER,
    DISTANCE,
    INSIDE,
    START,
    TILE,
    SearchSetting,
    SearchTables,
    border_of,
    coordinates,
    has_borders,
    inside_from,
    meet_from,
    occludes,
    scan_faces,
    shadow_ray,
    side_at,
    touching,
)
from diffrt.tracer.walk import walk

EPSILON = 2.0**-43
"""How narrow the piece around a root gets, in sides; the root itself is better, as the last steps are quadratic."""

STEPS = 100
"""The most evaluations that a root takes; one that converges takes about eight."""


NEWTON = 12
"""The most steps to where two edges meet."""

BESIDE = 1e-4
"""How far from where two edges meet their slopes are compared, in pixels."""

SAME = 0.2
"""By how much they may differ there, relatively."""

NEAR = 1e-13
"""How short the last of them is, in pixels."""

LOST = 16.0
"""How long one of them may be: edges are looked for within a cell."""

STEADY = 1e-3
"""By how much a slope may change, relatively, when the scene changes in its last place: three digits of it are known.
In 600 random scenes, many with surfaces that coincide, it was under 1e-8 or over 0.1."""

ROUNDING = 2.0**-50
"""A change in the last place, relatively, of a few sizes: those of one size would cancel in scenes of round numbers."""

ROUNDED = 3
"""The number of scenes that are compared, each changed in its last place."""


class RayRow(NamedTuple):
    """The row of a ray that leaves a path.

    surfaces: of the path. light_kind: 0 if the last surface is a mirror and the ray leaves it as the path has it,
    else 1 + the number of the kind of the light that it goes to; light: the numbers of that. start: the number of the
    face that it starts on, -1 for none; start_side: the side of that.
    """

    surfaces: tuple[Hit, ...]
    light_kind: Any
    light: Any
    start: Any
    start_side: Any


class Met(NamedTuple):
    """A face that a ray may meet, as a row: the number of its kind, that behind the last one if there is none; the
    numbers of its shape; the side on which the ray starts; whether the ray starts on it, and can meet it at all; and
    the number of the border of the face that counts, -1 for all."""

    face: Any
    shape: Any
    side: Any
    starts: Any
    meets: Any
    border: Any


class CrossingRow(NamedTuple):
    """The row of crossings that have all but their places in common: the ray, the switching function of `shape`, and
    `other`, whose distance it is compared with. tile: the texture of `shape` whose border it is, None if no shape has
    one."""

    ray: RayRow
    function: Any
    shape: Met
    other: Met
    tile: Tile | None = None


class Segment(NamedTuple):
    """The side of a cell: from (x, y), by (dx, dy), in pixels."""

    x: Any
    y: Any
    dx: Any
    dy: Any

    def at(self, s: Any) -> tuple[Any, Any]:
        """The points at the positions s, from 0 to 1."""
        return self.x + s * self.dx, self.y + s * self.dy


class Place(NamedTuple):
    """A position on the side of a cell, from 0 to 1."""

    s: Any
    segment: Segment


class Point(NamedTuple):
    """A point of the image."""

    x: Any
    y: Any


class Piece(NamedTuple):
    """A part of the side of a cell, between two positions."""

    low: Any
    high: Any
    segment: Segment


def switching(kinds: Kinds, camera: Any, row: CrossingRow, place: Place) -> Any:
    """The switching functions of crossings, (n,)."""
    o, d, limit = ray(kinds, camera, row.ray, *place.segment.at(place.s))
    return _function(kinds, row, o, d, limit, row.shape.side, row.other.side)


def _function(kinds: Kinds, row: CrossingRow, o: Any, d: Any, limit: Any, side: Any, other_side: Any) -> Any:
    """The switching functions for rays from o along d (3, n) that start on these sides; limit: distance to the
    light."""
    measures = [*(_measure(kinds, face) for face in kinds.faces), _nothing(kinds)]
    given = [o, d, side, row.shape.shape, row.shape.starts, row.ray.start_side, row.shape.border]
    t, inside, start, *uv = choose(row.shape.face, measures, given)
    branches = [*(_distance(kinds, face) for face in kinds.faces), _given]
    (other,) = choose(row.other.face, branches, [o, d, other_side, row.other.shape, limit])
    if any(kind.bordered for kind in kinds.lights):
        branches = [_unbordered, *map(_border, casting(kinds))]
        start = where(equal(row.function, BORDER), choose(row.ray.light_kind, branches, [o, row.ray.light])[0], start)
    if row.tile is not None:
        start = where(equal(row.function, TILE), border_of(kinds.tiles, row.tile, *uv), start)
    return where(equal(row.function, INSIDE), inside, where(equal(row.function, DISTANCE), t - other, start))


def _border(kind: type[Light]) -> Any:
    return lambda o, light: [kind.unpack(light).shines(o)] if kind.bordered else _unbordered(o, light)


def _unbordered(o: Any, light: Any) -> list[Any]:
    return [0.0 * o[0]]


def _measure(kinds: Kinds, kind: type[Shape]) -> Any:
    def measure(o: Any, d: Any, side: Any, shape: Any, starts: Any, start_side: Any, border: Any) -> list[Any]:
        face = kinds.shape(kind, shape)
        t, inside = face.intersect(o, d, side)
        for number, margin in enumerate(face.margins(o, d, side) if has_borders(kind) else ()):
            inside = where(equal(border, float(number)), margin, inside)
        uv = coordinates(face, o, start_side) if kinds.tiles else []
        return [t, inside_from(face, o, d, greater(starts, 0.5), start_side, inside), face.side(o), *uv]

    return measure


def _nothing(kinds: Kinds) -> Any:
    return lambda o, d, side, shape, starts, start_side, border: [0.0 * side] * (5 if kinds.tiles else 3)


def _distance(kinds: Kinds, kind: type[Shape]) -> Any:
    return lambda o, d, side, shape, limit: [kinds.shape(kind, shape).intersect(o, d, side)[0]]


def _given(o: Any, d: Any, side: Any, shape: Any, limit: Any) -> list[Any]:
    return [limit]


def ray(kinds: Kinds, camera: Any, row: RayRow, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Origin and direction (3, n) of the ray that leaves the path of image points, and the distance under which a shape
    blocks it, 0 if it goes to no light."""
    o, d = rays(camera, x, y)
    p, _, d, _, _ = walk(kinds, row.surfaces, o, d)

    def onward(p: Any, d: Any, light: Any) -> list[Any]:
        return [p, d, 0.0 * p[0]]

    def to(kind: type[Light]) -> Any:
        def towards(p: Any, d: Any, light: Any) -> list[Any]:
            to_light, limit = shadow_ray(kind.unpack(light), p)
            return [p, to_light + 0.0 * p, limit + 0.0 * p[0]]

        return towards

    o, d, limit = choose(row.light_kind, [onward, *map(to, casting(kinds))], [p, d, row.light])
    return o, d, limit


def casting(kinds: Kinds) -> tuple[type[Light], ...]:
    """The kinds of lights that cast shadows, each once."""
    return tuple(dict.fromkeys(kind for kind in kinds.lights if not kind.everywhere))


def solve(kinds: Kinds, camera: Any, row: CrossingRow, piece: Piece, tables: Any) -> list[Any]:
    """Roots of switching functions in pieces: root, 1 if there is one, the sides of shape and other, 1 if the slope
    at the root is more than rounding, and the border of the shape that counts there, (n,).

    The sides in rows are not used but found at the first position.

    Chandrupatla's method (1997): inverse quadratic interpolation where it is safe, bisection where it is not.
    """
    low, high, segment = piece

    def step(active: Any, turn: Any, at: Any, a: Any, b: Any, fa: Any, fb: Any, best: Any, side: Any, other_side: Any,
             found: Any) -> Any:  # fmt: skip
        # The first two turns take the values at the ends, so that the function stands here only once.
        first, second = equal(turn, 0.0), equal(turn, 1.0)
        o, d, limit = ray(kinds, camera, row.ray, *segment.at(at))
        side, other_side = (
            where(first, _side(kinds, met, o, row.ray.start_side), old)
            for met, old in ((row.shape, side), (row.other, other_side))
        )
        value = _function(kinds, row, o, d, limit, side, other_side)
        positive, before = greater(value, 0.0), greater(fb, 0.0)
        changes = logical_and(
            logical_and(less(absolute(value), np.inf), less(absolute(fb), np.inf)),
            logical_not(logical_or(logical_and(positive, before), logical_not(logical_or(positive, before)))),
        )
        # The new point replaces the end with its sign; c is the end that it replaced, or that came before.
        before = greater(fa, 0.0)
        same = logical_or(logical_and(positive, before), logical_not(logical_or(positive, before)))
        c, fc = where(same, a, b), where(same, fa, fb)
        end, value_there = where(same, b, a), where(same, fb, fa)
        width = absolute(end - at)
        least = 2.0 * EPSILON / maximum(width, EPSILON)
        xi, phi = divide(at - end, c - end), divide(value - value_there, fc - value_there)
        safe = logical_and(less(phi * phi, xi), less((1.0 - phi) * (1.0 - phi), 1.0 - xi))
        quadratic = divide(value, value_there - value) * divide(fc, value_there - fc) + divide(
            c - at, end - at
        ) * divide(value, fc - value) * divide(value_there, fc - value_there)
        t = where(logical_and(safe, less(absolute(quadratic), np.inf)), quadratic, 0.5)
        edge = minimum(least, 0.5)
        t = minimum(maximum(t, edge), 1.0 - edge)
        going = logical_and(less(least, 0.5), logical_and(not_equal(value, 0.0), not_equal(value_there, 0.0)))
        # The functions are nearly linear on a side, so the secant is a good start: b is the low end, a the high one.
        b = where(first, at, where(second, b, end))
        fb = where(first, value, where(second, fb, value_there))
        a, fa = where(first, high, at), where(first, fa, value)
        t = where(second, divide(value, value - fb), t)
        best = where(less(absolute(fa), absolute(fb)), a, b)
        active = where(first, less(absolute(value), np.inf), where(second, changes, going))
        found = where(first, 0.0, where(second, where(changes, 1.0, 0.0), 1.0))
        at = where(first, high, a + t * (b - a))
        return active, turn + 1.0, at, a, b, fa, fb, best, side, other_side, found

    zero, one = np.full(low.shape, 0.0), np.full(low.shape, 1.0)
    # A ray is on no side of the face that it starts on, and meets it only from some sides.
    meets = logical_and(greater(row.shape.meets, 0.5), greater(row.other.meets, 0.5))
    asked = where(equal(row.function, START), less(row.shape.starts, 0.5), meets)
    if row.tile is not None:
        asked = logical_or(asked, equal(row.function, TILE))
    found = while_loop(STEPS, step, [asked, zero, low, high, low, zero, zero, high, one, one, zero])
    s, side, other_side, there = found[7:]
    steady = _steady(kinds, camera, row, Place(s, segment), side, other_side, there)
    return [s, there, side, other_side, steady, _border_at(kinds, camera, row, Place(s, segment), side)]


def _border_at(kinds: Kinds, camera: Any, row: CrossingRow, place: Place, side: Any) -> Any:
    """The number of the border of the shape whose margin is the least, where it is `inside` that is zero; else -1."""

    def none(o: Any, d: Any, side: Any, shape: Any) -> list[Any]:
        return [0.0 * side - 1.0]

    def of(kind: type[Shape]) -> Any:
        def least(o: Any, d: Any, side: Any, shape: Any) -> list[Any]:
            first, *others = kind.unpack(shape).margins(o, d, side)
            found, smallest = 0.0 * side, first
            for number, margin in enumerate(others, 1):
                found = where(less(margin, smallest), float(number), found)
                smallest = minimum(margin, smallest)
            return [found]

        return least if has_borders(kind) else none

    if not any(has_borders(kind) for kind in kinds.faces):
        return 0.0 * side - 1.0
    o, d, _ = ray(kinds, camera, row.ray, *place.segment.at(place.s))
    (found,) = choose(row.shape.face, [*map(of, kinds.faces), none], [o, d, side, row.shape.shape])
    counts = logical_and(equal(row.function, INSIDE), less(row.shape.starts, 0.5))
    return where(counts, found, -1.0)


def meet(kinds: Kinds, camera: Any, rows: tuple[CrossingRow, CrossingRow], point: Point, tables: None) -> list[Any]:
    """Where two edges meet: image points at which two switching functions are zero, by Newton's method from points near
    by. x, y; the inverse of the matrix of their slopes (xx, xy, yx, yy: what x and y move by for each function); how
    far the last step went; and 1 if the slopes are the same beside the point, (n,).

    They are not where one of the edges is the outline of a ball and the other a shadow on that ball: what the shadow's
    function depends on goes like the root of the distance from the outline.
    """
    one, zero = np.full(point.x.shape, 1.0), np.full(point.x.shape, 0.0)

    def look(x: Any, y: Any) -> tuple[list[Any], tuple[Any, ...]]:
        """The values of the functions, and the inverse of the matrix of their slopes."""
        values, slopes = [], []
        for row in rows:

            def g(x: Any, y: Any, row: CrossingRow = row) -> Any:
                o, d, limit = ray(kinds, camera, row.ray, x, y)
                return _function(kinds, row, o, d, limit, row.shape.side, row.other.side)

            value, own = pushforward(g, [x, y], [[one, zero], [zero, one]])
            values.append(value)
            slopes.append(own)
        (a, b), (c, d) = slopes
        determinant = a * d - b * c
        return values, tuple(divide(part, determinant) for part in (d, -b, -c, a))

    def step(active: Any, turn: Any, x: Any, y: Any, xx: Any, xy: Any, yx: Any, yy: Any, length: Any,
             alike: Any) -> list[Any]:  # fmt: skip
        # Newton's steps come first; the last four turns look at the slopes on all sides of both edges.
        beside = turn - float(NEWTON)
        looks = greater_equal(beside, 0.0)
        first = where(less(beside, 2.0), 1.0, -1.0)
        second = where(logical_or(equal(beside, 0.0), equal(beside, 2.0)), 1.0, -1.0)
        sizes = [divide(BESIDE, absolute(p) + absolute(q)) for p, q in ((xx, yx), (xy, yy))]
        mx, my = (first * sizes[0] * p + second * sizes[1] * q for p, q in ((xx, xy), (yx, yy)))
        values, found = look(x + where(looks, mx, 0.0), y + where(looks, my, 0.0))
        dx, dy = (found[k] * values[0] + found[k + 1] * values[1] for k in (0, 2))
        went = absolute(dx) + absolute(dy)
        old = (xx, xy, yx, yy)
        size, change = (absolute(a) + absolute(b) + absolute(c) + absolute(d) for a, b, c, d in
                        (old, tuple(new - kept for new, kept in zip(found, old, strict=True))))  # fmt: skip
        same = where(less(change, SAME * size), alike, 0.0)
        arrived, lost = less_equal(went, NEAR), logical_not(less_equal(went, LOST))
        following = where(looks, turn + 1.0, where(arrived, float(NEWTON), turn + 1.0))
        still = where(looks, less(beside, 3.0), logical_or(arrived, less(turn, NEWTON - 1.0)))
        still = logical_and(still, logical_not(lost))
        kept = [where(looks, kept, new) for kept, new in zip(old, found, strict=True)]
        stays = logical_or(looks, lost)
        return [
            still, following, where(stays, x, x - dx), where(stays, y, y - dy), *kept, where(looks, length, went),
            where(looks, same, alike),
        ]  # fmt: skip

    start = [equal(zero, 0.0), zero, point.x, point.y, zero, zero, zero, zero, one, one]
    return while_loop(NEWTON + 5, step, start)[2:]


def _steady(kinds: Kinds, camera: Any, row: CrossingRow, place: Place, side: Any, other_side: Any, there: Any) -> Any:
    """1 where the slope of a switching function at its root stays if the numbers of the scene change in their last
    place, else 0: where the function touches zero, or is zero all along, its slope is rounding."""
    random = np.random.default_rng(0)
    skeleton, arrays = take_apart(
        (camera, [hit.shape for hit in row.ray.surfaces], row.ray.light, row.shape.shape, row.other.shape)
    )
    changes = [random.uniform(-1.0, 1.0, (ROUNDED, *np.shape(x)[:-1], 1)) for x in arrays]

    def step(active: Any, turn: Any, s: Any, first: Any, steady: Any) -> Any:
        moved = []
        for x, own in zip(arrays, changes, strict=True):
            change = own[0]
            for number in range(1, ROUNDED):
                change = where(equal(turn, float(number)), own[number], change)
            moved.append(x * (1.0 + ROUNDING * change))
        camera, shapes, light, shape, other = put_together(skeleton, moved)
        surfaces = tuple(hit._replace(shape=own) for hit, own in zip(row.ray.surfaces, shapes, strict=True))
        here = CrossingRow(
            row.ray._replace(surfaces=surfaces, light=light), row.function,
            row.shape._replace(shape=shape), row.other._replace(shape=other), row.tile,
        )  # fmt: skip

        def g(s: Any) -> Any:
            o, d, limit = ray(kinds, camera, here.ray, *place.segment.at(s))
            return _function(kinds, here, o, d, limit, side, other_side)

        value, (slope,) = pushforward(g, [s], [[np.full(s.shape, 1.0)]])
        first = where(equal(turn, 0.0), slope, first)
        steady = where(less(absolute(slope - first), STEADY * absolute(first)), steady, 0.0)
        # To the root in that scene by a step of Newton's method; without a slope it leads anywhere.
        return greater(steady, 0.5), turn + 1.0, s - divide(value, slope), first, steady

    zero = np.full(there.shape, 0.0)
    return while_loop(ROUNDED, step, [greater(there, 0.5), zero, place.s, zero, there])[4]


def _side(kinds: Kinds, met: Met, o: Any, start_side: Any) -> Any:
    """The side of a face on which rays from o (3, n) start."""

    def of(kind: type[Shape]) -> Any:
        return lambda o, shape, starts, start_side: [side_at(kind.unpack(shape), o, greater(starts, 0.5), start_side)]

    def none(o: Any, shape: Any, starts: Any, start_side: Any) -> list[Any]:
        return [0.0 * o[0] + 1.0]

    (side,) = choose(met.face, [*map(of, kinds.faces), none], [o, met.shape, met.starts, start_side])
    return side


class BlockerSetting(NamedTuple):
    """What `blockers` depends on besides numbers."""

    kinds: Kinds
    search: SearchSetting


def blockers(setting: BlockerSetting, camera: Any, row: RayRow, piece: Piece, scene: SearchTables) -> list[Any]:
    """The first two faces that block the light at one end of a piece and not at the other: numbers, -1 for none,
    (n,)."""
    made = [ray(setting.kinds, camera, row, *piece.segment.at(s)) for s in (piece.low, piece.high)]

    def box(bounds: Any, *rest: Any) -> Any:
        one, two = (logical_not(missed(bounds, o, d, limit)) for o, d, limit in made)
        return logical_or(one, two)

    def block(face: Shape, number: Any, owner: Any, reflects: Any, first: Any, second: Any) -> Any:
        blocked = []
        for o, d, limit in made:
            t, inside, _ = meet_from(face, number, o, d, row.start, row.start_side)
            blocked.append(occludes(t, inside, touching(camera, o), limit))
        one, two = blocked
        changes = logical_and(logical_or(one, two), logical_not(logical_and(one, two)))
        mine = where(changes, number, np.inf)
        # In the order of their numbers.
        return [minimum(first, mine), minimum(second, maximum(first, mine))]

    far = np.full(piece.low.shape, np.inf)
    return [where(less(c, np.inf), c, -1.0) for c in scan_faces(setting.search, scene, box, block, [far, far])]
