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
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, reshape, root, take
from diffrt.compiler import Case, Engine, Runs, kernel, search
from diffrt.render.cells import Corners
from diffrt.render.lights import LIGHTS
from diffrt.render.shapes import SHAPES
from diffrt.render.switching import DISTANCE, INSIDE, START, blockers, solve, switching
from diffrt.render.tables import Columns, Tables
from diffrt.render.visibility import Labels, Signatures, Visibility

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BISECTIONS = 2
ROUNDS = 22
"""The search for the switching function goes this many rounds, the later ones on pieces that are bisected so often."""

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
    """N crossings: the sides that they are on, their positions there (N,), the labels of the signatures that hold the
    path up to the ray that changes, all signatures, and the switching functions."""

    segments: Segments
    s: Floats
    path: Labels
    signatures: Signatures
    switches: Switches


def find_crossings(view: Visibility, corners: Corners, begin: Integers, end: Integers) -> Crossings:
    """The crossings on sides whose ends differ.

    begin, end: ids of the corners of the sides, (N,). A crossing whose switching function is not found stays where
    bisection has it.
    """
    segments = Segments(
        corners.x[begin], corners.y[begin], corners.x[end] - corners.x[begin], corners.y[end] - corners.y[begin]
    )
    before, after = corners.label[begin], corners.label[end]
    low, high = np.zeros(len(begin)), np.ones(len(begin))
    s, switches = np.full(len(begin), 0.5), _no_switches(len(begin))
    pending = np.arange(len(begin))
    for round in range(ROUNDS):
        if not pending.size:
            break
        pieces = _Pieces(segments[pending], low[pending], high[pending], before[pending], after[pending])
        if round:
            _bisect(view, pieces)
        s[pending], found = _solve(view, pieces)
        low[pending], high[pending], after[pending] = pieces.low, pieces.high, pieces.after
        switches.put(pending, found)
        pending = pending[~found.found]
    return Crossings(segments, s, before, view.signatures, switches)


@dataclass(frozen=True)
class _Pieces(Columns):
    """Pieces of sides from low to high, with the labels of the signatures there."""

    segments: Segments
    low: Floats
    high: Floats
    before: Labels
    after: Labels


def _no_switches(size: int) -> Switches:
    bounce, light, function, shape, other = np.zeros((5, size), np.int64)
    return Switches(bounce, light, function, shape, other, np.ones((2, size)), np.zeros(size, bool))


def _first_difference(a: Signatures, b: Signatures) -> tuple[Integers, Integers]:
    """In what signatures differ first: the bounce, or else (then it is 0) the light, which is -1 for a bounce."""
    differs = (a.shape != b.shape) | (a.side != b.side)
    path = differs.any(0)
    bits = a.lit ^ b.lit
    lowest = np.maximum(bits & (~bits + np.uint32(1)), 1)
    return np.where(path, np.argmax(differs, 0), 0), np.where(path, -1, np.log2(lowest).astype(np.int64))


def _bisect(view: Visibility, pieces: _Pieces) -> None:
    """Narrow pieces, in place: the signature at `low` stays, the one at `high` stays another."""
    for _ in range(BISECTIONS):
        middle = 0.5 * (pieces.low + pieces.high)
        found = view.labels(*pieces.segments.at(middle))
        same = found == pieces.before
        pieces.low[same], pieces.high[~same] = middle[same], middle[~same]
        pieces.after[~same] = found[~same]


def _solve(view: Visibility, pieces: _Pieces) -> tuple[Floats, Switches]:
    """Roots of switching functions, one in each piece where there is one, and the functions.

    A root is the right one if the signature changes there, and in what the function stands for. If it changes in
    something else, the piece is cut off, in place, behind that.
    """
    s, switches = 0.5 * (pieces.low + pieces.high), _no_switches(len(pieces.low))
    open_ = np.ones(len(s), bool)
    for candidate in _candidates(view, pieces):
        places = np.flatnonzero(candidate.found & open_)
        roots, changes, mine = _roots(view, pieces[places], candidate[places])
        places, mine, roots = places[changes], mine[changes], roots[changes]
        if not places.size:
            continue
        here = pieces[places]
        below, above = np.maximum(roots - BESIDE, here.low), np.minimum(roots + BESIDE, here.high)
        count = len(places)
        beside = view.labels(*here.segments[np.tile(np.arange(count), 2)].at(np.append(below, above)))
        under, over = beside[:count], beside[count:]
        parts = (under == here.before) & (over != here.before)
        signatures = view.signatures
        bounce, light = _first_difference(signatures[here.before], signatures[over])
        good = parts & (bounce == mine.bounce) & (light == mine.light)
        s[places[good]] = roots[good]
        switches.put(places[good], mine[good])
        off = parts & ~good
        pieces.high[places[off]] = above[off]
        pieces.after[places[off]] = over[off]
        open_[places[parts]] = False
    return s, switches


def _candidates(view: Visibility, pieces: _Pieces) -> Iterator[Switches]:
    """The switching functions that may be the right ones; `found` says for which pieces."""
    signatures = view.signatures
    first, last = signatures[pieces.before], signatures[pieces.after]
    columns = np.arange(len(pieces.low))
    bounce, light = _first_difference(first, last)
    path = light < 0
    none = np.full(len(columns), -1)

    def switches(function: int, shape: Any, other: Any, asked: Any) -> Switches:
        kind = np.full(len(columns), function)
        return Switches(bounce, light, kind, shape, other, np.ones((2, len(columns))), asked & (shape >= 0))

    if path.any():
        a, b = (np.where(path, found.shape[bounce, columns], -1).astype(np.int64) for found in (first, last))
        yield switches(INSIDE, a, none, path)
        yield switches(INSIDE, b, none, path)
        yield switches(DISTANCE, a, b, path & (b >= 0))
        yield switches(START, a, none, path)
        yield switches(START, b, none, path)
    if not path.all():
        # The shapes that block the light at one end and not at the other; two of them are tried.
        shapes = _blockers(view, pieces, light)
        for function in (INSIDE, DISTANCE, START):
            for shape in shapes:
                yield switches(function, shape, none, ~path)


def _alike(*columns: Any) -> tuple[Integers, Integers]:
    """One member of each group of equal columns of whole numbers (N,), and the group of each."""
    key = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        lowest = column.min(initial=0)
        key = key * (int(column.max(initial=0)) - int(lowest) + 1) + (column - lowest)
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return first, which.ravel()


def structure_of(
    tables: Tables, signatures: Signatures, label: int, switch: Switches
) -> tuple[Any, list[int], int, list[float]]:
    """What `switching` needs to know of one crossing: structure, shapes, light (-1 for none), and numbers.

    label: of the signature that holds the path. The shapes are those that the path meets before the ray that changes,
    then the one or two that change it.
    """
    light = int(switch.light[0])
    hits = signatures.shape[:, label]
    steps = [int(h) for h in hits[: (hits >= 0).sum() if light >= 0 else int(switch.bounce[0])]]
    function = int(switch.function[0])
    shape, other = int(switch.shape[0]), int(switch.other[0]) if function == DISTANCE else -1
    shapes = [*steps, *(s for s in (shape, other) if s >= 0)]
    names = list(SHAPES)
    kinds = [names[tables.shape_kind[s]] for s in shapes]
    light_kind = tables.lights[light][0] if light >= 0 else None
    structure = tuple(kinds[: len(steps)]), function, light_kind, *[*kinds[len(steps) :], None][:2]
    begin = steps[-1] if steps else -1
    begin_side = float(signatures.side[len(steps) - 1, label]) if steps else 1.0
    starts = [float(s >= 0 and s == begin) for s in (shape, other)]
    path_sides = signatures.side[: len(steps), label].astype(float)
    return structure, shapes, light, [*path_sides, *switch.side[:, 0], *starts, begin_side]


@dataclass(frozen=True)
class _Group:
    """Crossings of one structure: it, the rows (..., K) for the kernel, the members (n,), and the row of each."""

    structure: Any
    rows: list[Any]
    members: Integers
    row: Integers

    @property
    def count(self) -> int:
        """The number of rows."""
        return int(self.rows[-1].shape[-1])


def _groups(tables: Tables, signatures: Signatures, path: Labels, switches: Switches) -> Iterator[_Group]:
    """Crossings by structure."""
    sides = (switches.side > 0).astype(np.int64)
    first, which = _alike(
        path, switches.bounce, switches.light, switches.function, switches.shape, switches.other, *sides
    )
    found: dict[Any, list[tuple[int, list[int], list[float]]]] = {}
    for number, at in enumerate(first.tolist()):
        structure, shapes, light, numbers = structure_of(tables, signatures, path[at], switches[[at]])
        found.setdefault((structure, light), []).append((number, shapes, numbers))
    for (structure, light), rows in found.items():
        ids = np.array([s for _, s, _ in rows]).reshape(len(rows), -1).T
        columns = np.array([n for _, _, n in rows]).T
        kinds = [*structure[0], *(k for k in structure[3:] if k)]
        fields = [take(f, tables.shape_row[i], -1) for kind, i in zip(kinds, ids, strict=True)
                  for f in tables.shapes[kind]]  # fmt: skip
        lights = tables.lights[light][1] if light >= 0 else ()
        shared = [take(reshape(f, (*_shape(f), 1)), np.zeros(len(rows), np.intp), -1) for f in lights]
        position = np.full(len(first), -1)
        position[[n for n, _, _ in rows]] = np.arange(len(rows))
        members = np.flatnonzero(position[which] >= 0)
        yield _Group(structure, [*shared, *fields, columns], members, position[which[members]])


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if isinstance(x, Var) else np.shape(x)


def _roots(view: Visibility, pieces: _Pieces, switches: Switches) -> tuple[Floats, NDArray[np.bool_], Switches]:
    """Roots of switching functions in pieces, whether there are any, and the functions with their sides."""
    roots, changes = np.zeros(len(pieces.low)), np.zeros(len(pieces.low), bool)
    side = np.ones((2, len(pieces.low)))
    for group in _groups(view.tables, view.signatures, pieces.before, switches):
        at = group.members
        segments = pieces.segments[at]
        samples = [segments.x, segments.y, segments.dx, segments.dy, pieces.low[at], pieces.high[at]]
        runs = Runs(group.row, (group.count,))
        found = search(solve, group.structure, [view.tables.camera], group.rows, samples, [], view.engine, runs)
        roots[at], changes[at], side[:, at] = found[0], found[1] > 0.5, np.array(found[2:])
    return roots, changes, replace(switches, side=side)


def _blockers(view: Visibility, pieces: _Pieces, light: Integers) -> list[Integers]:
    """Two shapes that block the light at one end of each piece and not at the other, -1 for none."""
    shapes = np.full((2, len(light)), -1)
    asked = np.flatnonzero(light >= 0)
    none = np.zeros(len(asked), np.int64)
    plain = Switches(none, light[asked], none + START, none, none - 1, np.ones((2, len(asked))), none == 0)
    for group in _groups(view.tables, view.signatures, pieces.before[asked], plain):
        at = asked[group.members]
        segments = pieces.segments[at]
        samples = [segments.x, segments.y, segments.dx, segments.dy, pieces.low[at], pieces.high[at]]
        steps, _, light_kind, *_ = group.structure
        # Of the rows only the path counts.
        count = sum(len(c._fields) for c in (LIGHTS[light_kind], *(SHAPES[kind] for kind in steps)))
        last = view.signatures.shape[len(steps) - 1, pieces.before[at]].astype(float) if steps else none - 1.0
        runs = Runs(group.row, (group.count,))
        found = search(
            blockers, (steps, light_kind, view.kinds), [view.tables.camera],
            [*group.rows[:count], group.rows[-1]], [*samples, last], view.shapes, view.engine, runs,
        )  # fmt: skip
        shapes[:, at] = np.array(found)
    return list(shapes)


def differentiable(tables: Tables, crossings: Crossings, engine: Engine) -> Any:
    """The positions of the crossings on their sides as functions of the scene, (N,); a Var if the scene holds one.

    A crossing without a switching function does not move.
    """
    known = np.flatnonzero(crossings.switches.found)
    if not known.size:
        return crossings.s
    labels = np.full(len(crossings.s), -1)
    cases: list[Case] = []
    for group in _groups(tables, crossings.signatures, crossings.path[known], crossings.switches[known]):
        labels[known[group.members]] = group.row + sum(case.rows[-1].shape[-1] for case in cases)
        cases.append(Case(group.structure, group.rows))
    segments = crossings.segments
    samples = [segments.x, segments.y, segments.dx, segments.dy]
    runs = Runs(labels, tuple(case.rows[-1].shape[-1] for case in cases))
    counts = [len(case.rows) for case in cases]

    def g(s: Any, camera: Any, *rows: Any) -> Any:
        fields = iter(rows)
        own = [Case(case.structure, [next(fields) for _ in range(n)]) for case, n in zip(cases, counts, strict=True)]
        return kernel(switching, [camera], own, [s, *samples], engine, runs)

    # Where there is no switching function the slope of g is zero, and the root does not move.
    return root(g, crossings.s, tables.camera, *(row for case in cases for row in case.rows))


__all__ = ["DISTANCE", "INSIDE", "LIGHTS", "START", "Crossings", "Segments", "Switches", "differentiable",
           "find_crossings"]  # fmt: skip
