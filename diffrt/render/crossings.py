"""Crossings: where an edge of the image crosses the side of a cell.

The ends of a side differ in signature. What differs first says which number may pass through zero between them, the
*switching function* g:

- a ray of the path meets b instead of a: `inside` of a or of b (a silhouette), the difference of their
  distances (an intersection), or on which side of them the ray starts;
- a light is blocked: `inside` of the shape that blocks it, for the ray to the light (a shadow border), its
  distance against that of the light, or on which side of it the ray starts.

Of those that change sign over the side, the one is taken at whose root the signature of the first end really stops,
and in what the function stands for. Where there is none, other edges lie between: the side is bisected, keeping the
first end's signature at one end of the piece, and searched again.

The crossing s is then the root of g(s; p), p the scene's parameters, and `root` of the autograd core gives it the
derivative -g_p / g_s, the implicit function theorem, to any order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import concatenate, root, take
from diffrt.compiler import kernel
from diffrt.render.camera import rays
from diffrt.render.cells import Corners
from diffrt.render.lights import LIGHTS
from diffrt.render.path import advance, reflected
from diffrt.render.shapes import SHAPES
from diffrt.render.tables import Columns, Tables, row_of
from diffrt.render.visibility import (
    TOUCH,
    Signatures,
    blocks,
    find_signatures,
    intersections,
    ray_at,
    shapes_by_kind,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

INSIDE, DISTANCE, START = 0, 1, 2
"""Switching functions: `inside`, a distance against another one, the side that the ray starts on."""

BISECTIONS = 2
ROUNDS = 22
"""The search for the switching function goes this many rounds, the later ones on pieces that are bisected so often."""

EPSILON = 2.0**-43
"""How narrow the piece around a root gets, in sides; the root itself is better, as the last steps are quadratic."""

BESIDE = 1e-8
"""How far beside a root its two signatures are looked at, in sides."""


@dataclass(frozen=True)
class Switches(Columns):
    """The switching functions of N crossings.

    bounce: the number of the ray in the path that changes. light: if not -1, the ray is the one from the end of
    the path to this light. function: INSIDE, DISTANCE or START, of `shape`. other: whose distance is compared; -1
    for the light's. side: +1 or -1, of `shape` and of `other`, on which the ray starts, (2, N). found: whether
    there is a switching function at all. All but side (N,).
    """

    bounce: Integers
    light: Integers
    function: Integers
    shape: Integers
    other: Integers
    side: Floats
    found: NDArray[np.bool_]


@dataclass(frozen=True)
class Segments(Columns):
    """The sides of cells, N in number: from (x, y), by (dx, dy), in pixels, (N,) each."""

    x: Floats
    y: Floats
    dx: Floats
    dy: Floats

    def at(self, s: Any) -> tuple[Any, Any]:
        """The points at the positions s, from 0 to 1."""
        return self.x + s * self.dx, self.y + s * self.dy


@dataclass(frozen=True)
class Crossings:
    """N crossings: the sides that they are on, their positions there (N,), the path up to the ray that changes, and
    the switching functions."""

    segments: Segments
    s: Floats
    path: Signatures
    switches: Switches


def find_crossings(
    tables: Tables, reflection_depth: int, corners: Corners, begin: Integers, end: Integers
) -> Crossings:
    """The crossings on sides whose ends differ.

    tables: of the scene, plain. begin, end: ids of the corners of the sides, (N,). A crossing whose switching
    function is not found stays where bisection has it.
    """
    segments = Segments(
        corners.x[begin], corners.y[begin], corners.x[end] - corners.x[begin], corners.y[end] - corners.y[begin]
    )
    before, after = corners.signatures[begin], corners.signatures[end]
    low, high = np.zeros(len(begin)), np.ones(len(begin))
    s, switches = np.full(len(begin), 0.5), _no_switches(len(begin))
    pending = np.arange(len(begin))
    for round in range(ROUNDS):
        if not pending.size:
            break
        pieces = _Pieces(segments[pending], low[pending], high[pending], before[pending], after[pending])
        if round:
            _bisect(tables, reflection_depth, pieces)
        s[pending], found = _solve(tables, reflection_depth, pieces)
        low[pending], high[pending] = pieces.low, pieces.high
        after.put(pending, pieces.after)
        switches.put(pending, found)
        pending = pending[~found.found]
    return Crossings(segments, s, before, switches)


@dataclass(frozen=True)
class _Pieces(Columns):
    """Pieces of sides from low to high, with the signatures there."""

    segments: Segments
    low: Floats
    high: Floats
    before: Signatures
    after: Signatures


def _no_switches(size: int) -> Switches:
    bounce, light, function, shape, other = np.zeros((5, size), np.int64)
    return Switches(bounce, light, function, shape, other, np.ones((2, size)), np.zeros(size, bool))


def _same(a: Signatures, b: Signatures) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = (a.lit == b.lit) & (a.shape == b.shape).all(0) & (a.side == b.side).all(0)
    return same


def _first_difference(a: Signatures, b: Signatures) -> tuple[Integers, Integers]:
    """In what signatures differ first: the bounce, or else (then it is 0) the light, which is -1 for a bounce."""
    differs = (a.shape != b.shape) | (a.side != b.side)
    path = differs.any(0)
    bits = a.lit ^ b.lit
    lowest = np.maximum(bits & (~bits + np.uint32(1)), 1)
    return np.where(path, np.argmax(differs, 0), 0), np.where(path, -1, np.log2(lowest).astype(np.int64))


def _bisect(tables: Tables, depth: int, pieces: _Pieces) -> None:
    """Narrow pieces, in place: the signature at `low` stays, the one at `high` stays another."""
    for _ in range(BISECTIONS):
        middle = 0.5 * (pieces.low + pieces.high)
        found = find_signatures(tables, depth, *pieces.segments.at(middle))
        same = _same(found, pieces.before)
        pieces.low[same], pieces.high[~same] = middle[same], middle[~same]
        pieces.after.put(~same, found[~same])


def _solve(tables: Tables, depth: int, pieces: _Pieces) -> tuple[Floats, Switches]:
    """Roots of switching functions, one in each piece where there is one, and the functions.

    A root is the right one if the signature changes there, and in what the function stands for. If it changes in
    something else, the piece is cut off, in place, behind that.
    """
    s, switches = 0.5 * (pieces.low + pieces.high), _no_switches(len(pieces.low))
    candidates, values = zip(*_candidates(tables, pieces), strict=True)
    untried = np.array([c.found for c in candidates])
    while True:
        places = np.flatnonzero(untried.any(0) & ~switches.found)
        if not places.size:
            return s, switches
        # The next candidate of each piece, all kinds of them at once.
        choice = np.argmax(untried[:, places], 0)
        untried[choice, places] = False
        mine, here = _no_switches(len(places)), pieces[places]
        ends = np.empty((2, len(places)))
        for number in np.unique(choice):
            chosen = choice == number
            mine.put(chosen, candidates[number][places[chosen]])
            ends[:, chosen] = values[number][:, places[chosen]]

        def g(at: Floats, which: Any, mine: Switches = mine, here: _Pieces = here) -> Floats:
            return switch_values(tables, mine[which], here.before[which], *here.segments[which].at(at))

        roots = _bracketed_roots(g, here.low, here.high, *ends)
        below, above = np.maximum(roots - BESIDE, here.low), np.minimum(roots + BESIDE, here.high)
        count = len(places)
        twice = here.segments[np.tile(np.arange(count), 2)]
        beside = find_signatures(tables, depth, *twice.at(np.append(below, above)))
        under, over = beside[:count], beside[count:]
        parts = _same(under, here.before) & ~_same(over, here.before)
        bounce, light = _first_difference(here.before, over)
        good = parts & (bounce == mine.bounce) & (light == mine.light)
        s[places[good]] = roots[good]
        switches.put(places[good], mine[good])
        off = parts & ~good
        pieces.high[places[off]] = above[off]
        pieces.after.put(places[off], over[off])
        untried[:, places[off]] = False


def _candidates(tables: Tables, pieces: _Pieces) -> Iterator[tuple[Switches, Floats]]:
    """The switching functions that may be the right ones, with their values at the two ends of the pieces, (2, N).

    `found` says where one changes sign over the piece.
    """
    first, last = pieces.before, pieces.after
    columns = np.arange(len(pieces.low))
    bounce, light = _first_difference(first, last)
    path = light < 0
    rays = [ray_at(tables, first, bounce, light, *pieces.segments.at(s)) for s in (pieces.low, pieces.high)]
    met = [intersections(tables, *ray[:4]) for ray in rays]
    starts = [_starts(tables, ray[0]) for ray in rays]
    none = np.full(len(columns), -1)

    def functions(shape: Any, other: Any, asked: Any) -> Iterator[tuple[Switches, Floats]]:
        pair = np.stack([shape, other])
        side = np.where(pair >= 0, met[0][2][pair, columns], 1.0)
        for function in (INSIDE, DISTANCE, START):
            if function == INSIDE:
                low, high = (inside[shape, columns] for _, inside, _ in met)
            elif function == DISTANCE:
                low, high = (
                    t[shape, columns] - np.where(other >= 0, t[other, columns], ray[4])
                    for (t, _, _), ray in zip(met, rays, strict=True)
                )
            else:
                low, high = (start[shape, columns] for start in starts)
            changes = asked & (shape >= 0) & np.isfinite(low) & np.isfinite(high) & ((low > 0.0) != (high > 0.0))
            switches = Switches(bounce, light, np.full(len(columns), function), shape, other, side, changes)
            yield switches, np.array([low, high])

    if path.any():
        a, b = (np.where(path, found.shape[bounce, columns], -1).astype(np.int64) for found in (first, last))
        yield from functions(a, b, path)
        yield from functions(b, none, path)
    if not path.all():
        # The shapes that block the light at one end and not at the other; two of them are tried.
        ends = [blocks(t, inside, ray[4]) for (t, inside, _), ray in zip(met, rays, strict=True)]
        blocking = (ends[0] != ends[1]) & ~path
        for _ in range(2):
            shape = np.where(blocking.any(0), np.argmax(blocking, 0), -1)
            yield from functions(shape, none, ~path)
            blocking[shape, columns] = False


def _starts(tables: Tables, o: Floats) -> Floats:
    """On which side of every shape the points o (3, N) are: a number for each, (number of shapes, N)."""
    values = np.empty((len(tables.shape_kind), o.shape[1]))
    for members, shape in shapes_by_kind(tables, np.arange(len(values))):
        values[members] = type(shape)(*(f[..., None] for f in shape)).side(o[:, None])
    return values


def switch_values(tables: Tables, switches: Switches, path: Signatures, x: Floats, y: Floats) -> Floats:
    """The values of switching functions at image points, (N,)."""
    o, d, _, _, limit = ray_at(tables, path, switches.bounce, switches.light, x, y)
    t = np.zeros((2, len(x)))
    inside, start = np.zeros((2, len(x))), np.zeros(len(x))
    for which, ids in enumerate((switches.shape, switches.other)):
        for members, shape in shapes_by_kind(tables, ids):
            origin = o[:, members]
            t[which, members], inside[which, members] = shape.intersect(
                origin, d[:, members], switches.side[which, members]
            )
            if which == 0:
                start[members] = shape.side(origin)
    distance = t[0] - np.where(switches.other >= 0, t[1], limit)
    return np.choose(switches.function, [inside[0], distance, start])


def differentiable(tables: Tables, crossings: Crossings) -> Any:
    """The positions of the crossings on their sides as functions of the scene, (N,); a Var if the scene holds one.

    A crossing without a switching function does not move.
    """
    parts, order = [], []
    for structure, number, members in _alike(tables, crossings):
        path_kinds, _, light_kind, shape_kind, other_kind = structure
        switches, path = crossings.switches[members], crossings.path[members]
        uniforms = [tables.camera, *(tables.lights[number][1] if light_kind else ())]
        rows: list[Any] = []
        ids: list[Any] = []
        hits = [(kind, path.shape[i]) for i, kind in enumerate(path_kinds)]
        hits += [(kind, which) for kind, which in ((shape_kind, switches.shape), (other_kind, switches.other)) if kind]
        for kind, which in hits:
            rows += tables.shapes[kind]
            ids += [tables.shape_row[which]] * len(tables.shapes[kind])
        segments = crossings.segments[members]
        samples = [segments.x, segments.y, segments.dx, segments.dy]
        samples += [path.side[: len(path_kinds)].astype(float), switches.side]
        counts = len(uniforms), len(uniforms) + len(rows)

        def g(s: Any, *inputs: Any, structure: Any = structure, counts: Any = counts, ids: Any = ids,
              samples: Any = samples) -> Any:  # fmt: skip
            return kernel(switching, structure, inputs[: counts[0]], inputs[counts[0] :], ids, [s, *samples])

        parts.append(root(g, crossings.s[members], *uniforms, *rows))
        order.append(members)
    fixed = np.flatnonzero(~crossings.switches.found)
    parts.append(crossings.s[fixed])
    return take(concatenate(parts), np.argsort(np.concatenate([*order, fixed]), kind="stable"))


def switching(structure: Any, uniforms: Any, rows: Any, samples: Any) -> Any:
    """The switching functions of crossings of one structure, (n,).

    structure: the kinds of shape on the path; the function; the kind of light, of shape and of the other shape,
    None where there is none. uniforms: camera and the light's fields. rows: the fields of these shapes. samples:
    position, the side of the cell as x, y, dx, dy, and the sides from which the path and the ray meet the shapes.
    """
    path_kinds, function, light_kind, shape_kind, other_kind = structure
    camera, *light_fields = uniforms
    s, x, y, dx, dy, path_sides, sides = samples
    fields = iter(rows)
    o, d = rays(camera, x + s * dx, y + s * dy)
    for step, kind in enumerate(path_kinds):
        o, n = advance(row_of(SHAPES[kind], fields), path_sides[step], o, d)
        d = reflected(d, n)
    limit: Any = 0.0
    if light_kind:
        light: Any = LIGHTS[light_kind]
        d, distance, _ = light(*light_fields).seen_from(o)
        limit = distance * (1.0 - TOUCH)
    shape = row_of(SHAPES[shape_kind], fields)
    if function == START:
        return shape.side(o)
    t, inside = shape.intersect(o, d, sides[0])
    if function == INSIDE:
        return inside
    if other_kind:
        limit, _ = row_of(SHAPES[other_kind], fields).intersect(o, d, sides[1])
    return t - limit


def _alike(tables: Tables, crossings: Crossings) -> Iterator[tuple[Any, int, Integers]]:
    """Crossings that share a structure: it, the number of their light, and which they are."""
    known = np.flatnonzero(crossings.switches.found)
    if not known.size:
        return
    switches, path = crossings.switches[known], crossings.path[known]
    kinds = np.append(tables.shape_kind, -1)  # what id -1, no shape, finds
    length = np.where(switches.light >= 0, len(path.shape), switches.bounce)
    steps = np.where(np.arange(len(path.shape))[:, None] < length, kinds[path.shape], -1)
    compared = np.where(switches.function == DISTANCE, kinds[switches.other], -1)
    rows = np.array([*steps, switches.function, switches.light, kinds[switches.shape], compared])
    alike, which = np.unique(rows, axis=1, return_inverse=True)
    names = [*SHAPES, None]
    for number, (*path_kinds, function, light, shape, other) in enumerate(alike.T.tolist()):
        light_kind = tables.lights[light][0] if light >= 0 else None
        structure = tuple(names[k] for k in path_kinds if k >= 0), function, light_kind, names[shape], names[other]
        yield structure, light, known[which.ravel() == number]


def _bracketed_roots(g: Any, low: Floats, high: Floats, at_low: Floats, at_high: Floats) -> Floats:
    """Roots of functions that change sign between low and high, to rounding, (N,).

    g: from positions and their places to values. at_low, at_high: the values there. Chandrupatla's method (1997):
    inverse quadratic interpolation where it is safe, bisection where it is not.
    """
    a, b = high.copy(), low.copy()
    active = np.arange(len(low))
    fa, fb = at_high.copy(), at_low.copy()
    best, t = a.copy(), fa / (fa - fb)  # the functions are nearly linear on a side, so the secant is a good start
    for _ in range(100):
        if not active.size:
            break
        x = a[active] + t[active] * (b[active] - a[active])
        fx = g(x, active)
        # The new point replaces the end with its sign; c is the end that it replaced, or that came before.
        same = (fx > 0.0) == (fa[active] > 0.0)
        ca, fc = np.where(same, a[active], b[active]), np.where(same, fa[active], fb[active])
        ba, fb_ = np.where(same, b[active], a[active]), np.where(same, fb[active], fa[active])
        a[active], fa[active], b[active], fb[active] = x, fx, ba, fb_
        best[active] = np.where(np.abs(fx) < np.abs(fb_), x, ba)
        width = np.abs(ba - x)
        least = 2.0 * EPSILON / np.maximum(width, EPSILON)
        with np.errstate(all="ignore"):
            xi, phi = (x - ba) / (ca - ba), (fx - fb_) / (fc - fb_)
            safe = (phi**2 < xi) & ((1.0 - phi) ** 2 < 1.0 - xi)
            step = fx / (fb_ - fx) * fc / (fb_ - fc) + (ca - x) / (ba - x) * fx / (fc - fx) * fb_ / (fc - fb_)
        step = np.where(safe & np.isfinite(step), step, 0.5)
        t[active] = np.clip(step, np.minimum(least, 0.5), 1.0 - np.minimum(least, 0.5))
        active = active[(least < 0.5) & (fx != 0.0) & (fb_ != 0.0)]
    return best
