"""Crossings: where an edge of the image crosses the side of a cell.

The ends of a side differ in signature. What differs first says which number may pass through zero between them, the
*switching function* g:

- a ray of the path meets b instead of a: `inside` of a or of b (a silhouette), the difference of their
  distances (an intersection), or on which side of them the ray starts;
- a light is blocked: `inside` of the shape that blocks it, for the ray to the light (a shadow border), its
  distance against that of the light, or on which side of it the ray starts;
- a light ends: how far the end of the path is within the light's own border (a hard spot);
- a ray of the path meets another piece of the same shape: the border of a texture.

Of those that change sign over the side, the one is taken at whose root the signature of the first end really stops,
and in what the function stands for. Where there is none, other edges lie between: the side is bisected, keeping the
first end's signature at one end of the piece, and searched again.

The crossing s is then the root of g(s; p), p the scene's parameters, and `root` of the autograd core gives it the
derivative -g_p / g_s, the implicit function theorem, to any order.

That needs a slope g_s that is not zero. Where g touches zero (the outline of a ball, seen from a point on it) or is
zero all along (surfaces that coincide), what is computed for the slope is rounding. It is known by what becomes of it
when the numbers of the scene change in their last place: the slope of a crossing with a derivative stays, to six
digits or more in all scenes that we know, and one that is rounding is another number altogether. A crossing without a
slope is counted as one without a switching function, and so is one of two faces in the same place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, detach, root, stack
from diffrt.autograd.backward import reachable
from diffrt.compiler import Engine, Segments, kernel, search
from diffrt.compiler.structures import Packed, put_together, take_apart
from diffrt.tracer.switching import (
    NEAR,
    BlockerSetting,
    CrossingRow,
    Met,
    Piece,
    Place,
    Point,
    RayRow,
    Segment,
    blockers,
    casting,
    meet,
    solve,
    switching,
)
from diffrt.tracer.tables import Columns, Tables, Tile, columns, side_by_side
from diffrt.tracer.visibility import BORDER, DISTANCE, INSIDE, START, TILE, Labels, Signatures, Visibility, alike

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]

BISECTIONS = 6
ROUNDS = 6
"""The search for the switching function goes this many rounds, the later ones on pieces that are bisected so often."""

BESIDE = 1e-8
"""How far beside a root its two signatures are looked at, in sides."""


@dataclass(frozen=True)
class Switches(Columns):
    """The switching functions of N crossings.

    bounce: the number of the ray in the path that changes. light: if not -1, the ray is the one from the end of
    the path to this light. function: INSIDE, DISTANCE, START or TILE, of the face `shape`, or BORDER, of none (-1).
    other: the face whose distance is compared; -1 for the light's; of a TILE the number of the texture, and the ray is
    the one that leaves `shape`. side: +1 or -1, of `shape` and of `other`, on which the ray starts, (2, N). found:
    whether there is a switching function at all. All but side (N,).
    """

    bounce: Integers
    light: Integers
    function: Integers
    shape: Integers
    other: Integers
    side: Floats
    border: Integers
    found: NDArray[np.bool_]
    steady: NDArray[np.bool_]


@dataclass(frozen=True)
class Sides(Columns):
    """The sides of cells, N in number: from (x, y), by (dx, dy), in pixels, (N,) each."""

    x: Floats
    y: Floats
    dx: Floats
    dy: Floats

    def at(self, s: Any) -> tuple[Any, Any]:
        """The points at the positions s, from 0 to 1."""
        return self.segment.at(s)

    @property
    def segment(self) -> Segment:
        """The same for kernels."""
        return Segment(self.x, self.y, self.dx, self.dy)


@dataclass(frozen=True)
class Crossings(Columns):
    """N crossings: the sides that they are on, their positions there (N,), the labels of the signatures that hold the
    path up to the ray that changes, all signatures, and the switching functions."""

    segments: Sides
    s: Floats
    path: Labels
    signatures: Signatures
    switches: Switches

    def __getitem__(self, which: Any) -> "Crossings":
        """Some of them."""
        return Crossings(self.segments[which], self.s[which], self.path[which], self.signatures, self.switches[which])

    @cached_property
    def functions(self) -> Integers:
        """A number for each crossing, the same for those of one switching function, and -1 for none, (N + 1,)."""
        switches, signatures = self.switches, self.signatures
        bounces = np.arange(len(signatures.face))[:, None]
        face, side = signatures.face[:, self.path], signatures.side[:, self.path]
        before = (bounces < switches.bounce) | (switches.light >= 0)
        # Which distance is compared with which depends on the end that the side begins at.
        apart = (switches.function == DISTANCE) & (switches.other >= 0)
        shape, other = np.where(apart, np.sort([switches.shape, switches.other], 0), [switches.shape, switches.other])
        columns = (switches.bounce, switches.light, switches.function, shape, other, switches.border)
        return np.append(alike(*columns, *np.where(before, face, -1), *np.where(before, side, 0))[1], -1)

    @cached_property
    def places(self) -> tuple[Floats, Floats]:
        """Where they are, x and y in pixels, (N,) each."""
        x, y = self.segments.at(self.s)
        return x, y


@dataclass(frozen=True)
class _Group:
    """Crossings as a kernel takes them: their rows, those that have the same one sharing it, and the row of each."""

    row: CrossingRow
    segments: Segments


def _names(path: Labels, switches: Switches) -> list[Integers]:
    """What tells crossings apart that differ in their row, (N,) each."""
    sides = (switches.side > 0).astype(np.int64)
    return [path, switches.bounce, switches.light, switches.function, switches.shape, switches.other, switches.border,
            *sides]  # fmt: skip


def _group(tables: Tables, signatures: Signatures, path: Labels, switches: Switches) -> _Group:
    """Crossings by row. path: the labels of the signatures that hold the paths."""
    first, which = alike(*_names(path, switches))
    return _Group(crossing_row(tables, signatures[path[first]], switches[first]), Segments(which, len(first)))


class Rows:
    """The rows of the crossings of a view, each made once."""

    def __init__(self, view: Visibility) -> None:
        self.view = view
        self._number: dict[tuple[int, ...], int] = {}
        self._known: Packed | None = None

    @cached_property
    def alone(self) -> NDArray[np.bool_]:
        """Whether a face has no twin, one of the same kind with the same numbers, in the same place; the last one is no
        face. The outline of twins is that of both: if one of them moves away, the other one's stays, so there is a
        derivative from neither."""
        tables = self.view.tables
        numbers = tables.shapes[:, tables.shape_of]
        rows = np.ascontiguousarray(np.concatenate([tables.face_kind[None], numbers]).T)
        # One number of bytes for each face, so that they are compared as a whole.
        _, which, count = np.unique(rows.view(f"V{rows.shape[1] * 8}"), return_inverse=True, return_counts=True)
        return np.append(count[which.ravel()] == 1, True)

    def numbers(self, path: Labels, switches: Switches) -> Integers:
        """The numbers of the rows of crossings, (N,). path: the labels of the signatures that hold the paths."""
        names = _names(path, switches)
        first, which = alike(*names)
        keys = list(zip(*(column[first].tolist() for column in names), strict=True))
        fresh = first[np.array([key not in self._number for key in keys], bool)]
        if fresh.size or self._known is None:
            known = Packed.of(crossing_row(self.view.tables, self.view.signatures[path[fresh]], switches[fresh]))
            self._known = known if self._known is None else self._known.join(known)
        found = np.array([self._number.setdefault(key, len(self._number)) for key in keys], np.int64)
        return found[which]

    def group(self, path: Labels, switches: Switches) -> tuple[Packed, Segments]:
        """All rows that there are, and which of them each crossing takes."""
        numbers = self.numbers(path, switches)
        assert self._known is not None
        return self._known, Segments(numbers, len(self._number))

    def pairs(self, one: Integers, two: Integers) -> Packed:
        """Rows of two of the rows that there are, by their numbers."""
        assert self._known is not None
        return self._known.take(one).beside(self._known.take(two))


def prepare(rows: Rows) -> None:
    """Have programs compiled that find crossings, and where edges meet, before it is known where."""
    none = find_crossings(rows, Sides(*np.zeros((4, 0))), *np.zeros((2, 0), np.int32))
    find_bends(rows, none, none.segments)
    find_meetings(rows, none, none, none.s, none.s)


def joined(view: Visibility, parts: Sequence[Crossings]) -> Crossings:
    """Crossings that were found one after another."""
    parts = parts or [find_crossings(Rows(view), Sides(*np.zeros((4, 0))), *np.zeros((2, 0), np.int32))]
    return Crossings(
        _joined([part.segments for part in parts]), np.concatenate([part.s for part in parts]),
        np.concatenate([part.path for part in parts]), view.signatures, _joined([part.switches for part in parts]),
    )  # fmt: skip


def find_crossings(rows: Rows, segments: Sides, before: Labels, after: Labels, rounds: int = ROUNDS) -> Crossings:
    """The crossings on sides whose ends differ.

    before, after: the labels of the ends (N,). rounds: how often their switching functions are looked for. A crossing
    whose switching function is not found stays where bisection has it.
    """
    view, after = rows.view, after.copy()
    low, high = np.zeros(len(before)), np.ones(len(before))
    s, switches = np.full(len(before), 0.5), _no_switches(len(before))
    pending = np.arange(len(before))
    for round in range(rounds):
        if not pending.size:
            break
        pieces = _Pieces(segments[pending], low[pending], high[pending], before[pending], after[pending])
        if round:
            _bisect(view, pieces)
        s[pending], found = _solve(rows, pieces)
        low[pending], high[pending], after[pending] = pieces.low, pieces.high, pieces.after
        switches.put(pending, found)
        pending = pending[~found.found]
    alone, other = rows.alone, np.where(switches.function == TILE, -1, switches.other)
    moves = switches.found & switches.steady & alone[switches.shape] & alone[other]
    return Crossings(segments, s, before, view.signatures, replace(switches, found=moves))


@dataclass(frozen=True)
class _Pieces(Columns):
    """Pieces of sides from low to high, with the labels of the signatures there."""

    segments: Sides
    low: Floats
    high: Floats
    before: Labels
    after: Labels


def _no_switches(size: int) -> Switches:
    bounce, light, function, shape, other = np.zeros((5, size), np.int64)
    no = np.zeros(size, bool)
    return Switches(bounce, light, function, shape, other, np.ones((2, size)), other - 1, no, no.copy())


def _first_difference(a: Signatures, b: Signatures) -> tuple[Integers, Integers, Integers]:
    """In what signatures differ first: the bounce, or else (then it is 0) the light, which is -1 for a bounce. If the
    faces agree and the piece of one differs, the bounce is that after it, and the third is the number of the texture,
    else -1."""
    differs = (a.face != b.face) | (a.side != b.side)
    path, pieces = differs.any(0), a.piece != b.piece
    light = np.argmax(a.lit != b.lit, 0) if len(a.lit) else np.zeros(len(path), np.int64)
    tiled = ~path & pieces.any(0)
    at, columns = np.argmax(pieces, 0), np.arange(len(path))
    changed = (a.piece ^ b.piece)[at, columns].astype(np.int64)
    tile = np.where(tiled, np.log2(np.maximum(changed & -changed, 1)).astype(np.int64), -1)
    bounce = np.where(path, np.argmax(differs, 0), np.where(tiled, at + 1, 0))
    return bounce, np.where(path | tiled, -1, light), tile


def _bisect(view: Visibility, pieces: _Pieces) -> None:
    """Narrow pieces, in place: the signature at `low` stays, the one at `high` stays another."""
    for _ in range(BISECTIONS):
        middle = 0.5 * (pieces.low + pieces.high)
        found = view.signature_ids(*pieces.segments.at(middle))
        same = found == pieces.before
        pieces.low[same], pieces.high[~same] = middle[same], middle[~same]
        pieces.after[~same] = found[~same]


def _solve(rows: Rows, pieces: _Pieces) -> tuple[Floats, Switches]:
    """Roots of switching functions, one in each piece where there is one, and the functions.

    A root is the right one if the signature changes there, and in what the function stands for. If it changes in
    something else, the piece is cut off, in place, behind that.
    """
    view = rows.view
    s, switches = 0.5 * (pieces.low + pieces.high), _no_switches(len(pieces.low))
    open_ = np.ones(len(s), bool)
    for candidates in _candidates(rows, pieces):
        # All candidates are solved in one call, and looked beside in another one.
        places = [np.flatnonzero(c.found & open_) for c in candidates]
        where_, tried = np.concatenate(places), _joined([c[p] for c, p in zip(candidates, places, strict=True)])
        if not where_.size:
            continue
        roots, changes, tried = _roots(rows, pieces[where_], tried)
        where_, tried, roots = where_[changes], tried[changes], roots[changes]
        here = pieces[where_]
        below, above = np.maximum(roots - BESIDE, here.low), np.minimum(roots + BESIDE, here.high)
        count = len(where_)
        beside = view.signature_ids(*here.segments[np.tile(np.arange(count), 2)].at(np.append(below, above)))
        under, over = beside[:count], beside[count:]
        parts = (under == here.before) & (over != here.before)
        signatures = view.signatures
        bounce, light, tile = _first_difference(signatures[here.before], signatures[over])
        same_tile = tile == np.where(tried.function == TILE, tried.other, -1)
        good = parts & (bounce == tried.bounce) & (light == tried.light) & same_tile
        # The first candidate of a piece at whose root the signature changes counts.
        which = np.flatnonzero(parts)
        which = which[np.unique(where_[which], return_index=True)[1]]
        right, off = which[good[which]], which[~good[which]]
        s[where_[right]] = roots[right]
        switches.put(where_[right], tried[right])
        pieces.high[where_[off]] = above[off]
        pieces.after[where_[off]] = over[off]
        open_[where_[which]] = False
        if not open_.any():
            break
    return s, switches


def _candidates(rows: Rows, pieces: _Pieces) -> Iterator[list[Switches]]:
    """The switching functions that may be the right ones, those first that mostly are; `found` says for which
    pieces."""
    view = rows.view
    signatures = view.signatures
    first, last = signatures[pieces.before], signatures[pieces.after]
    columns = np.arange(len(pieces.low))
    bounce, light, tile = _first_difference(first, last)
    path = (light < 0) & (tile < 0)
    none = np.full(len(columns), -1)

    def switches(function: int, shape: Any, other: Any, asked: Any) -> Switches:
        kind = np.full(len(columns), function)
        asked = asked & ((shape >= 0) | (function == BORDER))
        return Switches(bounce, light, kind, shape, other, np.ones((2, len(columns))), none, asked, asked)

    ray = np.where(path, bounce, 0)
    a, b = (np.where(path, found.face[ray, columns], -1).astype(np.int64) for found in (first, last))
    # The faces that block the light at one end and not at the other; two of them are tried.
    one, two = _blockers(rows, pieces, light) if (light >= 0).any() else (none, none)
    # Where faces share an edge it is the same one's on all sides of cells, whichever way these go.
    (first_of, second_of), (one, two) = np.sort([[a, b], [one, two]], 1)
    bordered = np.array([*(kind.bordered for kind in view.tables.kinds.lights), False])[light]
    tiled = first.face[np.maximum(bounce - 1, 0), columns].astype(np.int64)
    yield [
        switches(INSIDE, first_of, none, path),
        switches(INSIDE, second_of, none, path),
        switches(INSIDE, one, none, light >= 0),
        switches(INSIDE, two, none, light >= 0),
        *([switches(BORDER, none, none, bordered)] if bordered.any() else ()),
        *([switches(TILE, tiled, tile, tile >= 0)] if (tile >= 0).any() else ()),
    ]
    yield [
        switches(DISTANCE, a, b, path & (b >= 0)),
        switches(START, a, none, path),
        switches(START, b, none, path),
        *(switches(function, shape, none, light >= 0) for function in (DISTANCE, START) for shape in (one, two)),
    ]


def _joined(parts: Sequence[Any]) -> Any:
    """The columns of all parts, one after the other."""
    kind = type(parts[0])
    return kind(*(np.concatenate([getattr(p, f.name) for p in parts], -1) for f in fields(kind)))


def crossing_row(tables: Tables, paths: Signatures, switches: Switches) -> CrossingRow:
    """What `switching` needs to know of crossings, with the fields of shapes from the tables.

    paths: the signatures that hold the paths up to the rays that change.
    """
    bounces, places = np.arange(len(paths.face))[:, None], np.arange(paths.face.shape[1])
    to_light = switches.light >= 0
    count = np.where(to_light, (paths.face >= 0).sum(0), switches.bounce)
    face = np.where(bounces < count, paths.face, -1).astype(np.int64)
    goes_on = bounces < count - to_light  # where a ray goes to a light, the last surface is no mirror
    last = np.maximum(count - 1, 0)
    start = np.where(count > 0, face[last, places], -1)
    start_side = np.where(count > 0, paths.side[last, places], 1).astype(float)
    kinds = tables.kinds
    number = np.array([0, *(1 + casting(kinds).index(k) if not k.everywhere else 0 for k in kinds.lights)], float)
    ray = RayRow(
        tables.hits(face, paths.side, goes_on, paths.piece), number[switches.light + 1],
        columns(tables.lights, np.maximum(switches.light, 0)), start.astype(float), start_side,
    )  # fmt: skip
    compared = np.where(switches.function == DISTANCE, switches.other, -1)
    shape, other = (
        _met(tables, f, side, start, start_side, switches.border)
        for f, side in zip((switches.shape, compared), switches.side, strict=True)
    )
    return CrossingRow(ray, switches.function.astype(float), shape, other, _tile(tables, switches))


def _tile(tables: Tables, switches: Switches) -> Tile | None:
    """The textures whose borders crossings are on, as rows; None if there are no textures with edges at all."""
    if not tables.tiles:
        return None
    tiled = switches.function == TILE
    kinds, numbers = (side_by_side([tile[part] for tile in tables.tiles]) for part in (0, 1))
    first = np.where(tiled, switches.other, 0) * len(tables.tiles[0].kind)
    which = first + np.where(tiled, tables.shape_of[switches.shape], 0)
    return Tile(np.where(tiled, kinds[which], 0.0), columns(numbers, which))


def _met(tables: Tables, face: Integers, side: Floats, start: Integers, start_side: Floats, border: Integers) -> Met:
    """Faces that rays may meet; face: -1 for none."""
    kind, shape = tables.face(face)
    starts = (face >= 0) & (face == start)
    faces, number = tables.kinds.faces, kind.astype(int)
    again = np.array([*([one in f.meets_itself for one in (-1.0, 1.0)] for f in faces), [True, True]])
    meets = ~starts | again[number, (start_side > 0.0).astype(int)]
    back = np.array([*(f.back for f in faces), 0])[number]
    meets &= (back == 0) | (face + back != start)
    return Met(kind, shape, side, starts.astype(float), meets.astype(float), border.astype(float))


def _roots(rows: Rows, pieces: _Pieces, switches: Switches) -> tuple[Floats, NDArray[np.bool_], Switches]:
    """Roots of switching functions in pieces, whether there are any, and the functions with their sides."""
    view, tables = rows.view, rows.view.tables
    row, segments = rows.group(pieces.before, switches)
    piece = Piece(pieces.low, pieces.high, pieces.segments.segment)
    roots, changes, *side, steady, border = search(
        solve, tables.kinds, tables.camera, row, piece, None, view.engine, segments
    )
    found = replace(switches, side=np.array(side), border=border.astype(np.int64), steady=steady > 0.5)
    return roots, changes > 0.5, found


def _blockers(rows: Rows, pieces: _Pieces, light: Integers) -> list[Integers]:
    """Two faces that block the light at one end of each piece and not at the other, -1 for none."""
    found = np.full((2, len(light)), -1)
    asked = np.flatnonzero(light >= 0)
    none = np.zeros(len(asked), np.int64)
    plain = Switches(
        none,
        light[asked],
        none + START,
        none - 1,
        none - 1,
        np.ones((2, len(asked))),
        none - 1,
        none == 0,
        none == 0,
    )
    view, tables = rows.view, rows.view.tables
    row, segments = rows.group(pieces.before[asked], plain)
    some = pieces[asked]
    found[:, asked] = search(
        blockers, BlockerSetting(tables.kinds, view.setting), tables.camera, row.first(row.skeleton.parts[0]),
        Piece(some.low, some.high, some.segments.segment), view.scene, view.engine, segments,
    )  # fmt: skip
    return list(found)


def chord_normal(px: Any, py: Any, qx: Any, qy: Any) -> tuple[Segment, Any, Any]:
    """A segment across the middle of the chord from (px, py) to (qx, qy), half of it long on either side, at right
    angles; and the middle."""
    mx, my = 0.5 * (px + qx), 0.5 * (py + qy)
    nx, ny = 0.5 * (py - qy), 0.5 * (qx - px)
    return Segment(mx - nx, my - ny, 2.0 * nx, 2.0 * ny), mx, my


def find_bends(rows: Rows, crossings: Crossings, segments: Sides) -> tuple[Crossings, NDArray[np.bool_]]:
    """Where the edges of crossings cross other segments, and whether they do."""
    size = len(crossings.s)
    pieces = _Pieces(segments, np.zeros(size), np.ones(size), crossings.path, crossings.path)
    s, there, switches = _roots(rows, pieces, crossings.switches)
    # A segment may begin on another side of the face than the edge is on, where its borders are other functions.
    own = crossings.switches
    same = (switches.side == own.side).all(0) & (switches.border == own.border)
    return Crossings(segments, s, crossings.path, rows.view.signatures, switches), there & switches.steady & same


def find_meetings(
    rows: Rows, first: Crossings, second: Crossings, x: Floats, y: Floats
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Where the edges of two crossings meet: x, y near the given points (N,), what they move by for each of the
    switching functions, (4, N), and whether they meet."""
    view = rows.view
    one, two = (rows.numbers(each.path, each.switches) for each in (first, second))
    some, which = alike(one, two)
    pair = rows.pairs(one[some], two[some])
    x, y, *inverse, step, same = search(
        meet, view.tables.kinds, view.tables.camera, pair, Point(x, y), None, view.engine, Segments(which, len(some))
    )
    return x, y, np.array(inverse), (step <= NEAR) & (same > 0.5)


def meetings(tables: Tables, first: Crossings, second: Crossings, x: Floats, y: Floats, engine: Engine) -> Any:
    """Where the edges of two crossings meet as functions of the scene, (2, N); a Var if the scene holds one.

    x, y: where they do, (N,).
    """
    groups = [_group(tables, each.signatures, each.path, each.switches) for each in (first, second)]
    skeleton, fields = take_apart((tables.camera, [group.row for group in groups]))
    zero, at = np.zeros(len(x)), np.stack([x, y])

    def g(at: Any, *fields: Any) -> Any:
        camera, rows = put_together(skeleton, fields)
        place = Place(zero, Segment(at[0], at[1], zero, zero))
        return stack([kernel(switching, tables.kinds, camera, row, place, engine, group.segments)
                      for row, group in zip(rows, groups, strict=True)])  # fmt: skip

    return root(g, at, *_needed(g, at, fields, engine))


def differentiable(tables: Tables, crossings: Crossings, engine: Engine, segment: Segment | None = None) -> Any:
    """The positions of the crossings on their sides as functions of the scene, (N,); a Var if the scene holds one.

    segment: the sides, if they move with the scene too. A crossing without a switching function does not move.
    """
    known = np.flatnonzero(crossings.switches.found)
    if not known.size:
        return crossings.s
    group = _group(tables, crossings.signatures, crossings.path[known], crossings.switches[known])
    rows = np.full(len(crossings.s), -1)
    rows[known] = group.segments.rows
    segments = Segments(rows, group.segments.count)
    skeleton, fields = take_apart((segment or crossings.segments.segment, tables.camera, group.row))

    def g(s: Any, *fields: Any) -> Any:
        segment, camera, row = put_together(skeleton, fields)
        return kernel(switching, tables.kinds, camera, row, Place(s, segment), engine, segments)

    # Where there is no switching function the slope of g is zero, and the root does not move.
    return root(g, crossings.s, *_needed(g, crossings.s, fields, engine))


def _needed(g: Any, x: Any, fields: Sequence[Any], engine: Engine) -> list[Any]:
    """The inputs of a root, where a graph is drawn without those that have no way to it: rows name more than the
    functions of their kinds use."""
    if engine.name != "graph":
        return list(fields)
    value = g(x, *fields)
    used = {var.serial for var in reachable([value])} if isinstance(value, Var) else set()
    return [x if isinstance(x, Var) and x.serial in used else detach(x) for x in fields]


__all__ = ["BORDER", "DISTANCE", "INSIDE", "START", "TILE", "Crossings", "Rows", "Sides", "Switches", "chord_normal",
           "crossing_row", "differentiable", "find_bends", "find_crossings", "find_meetings",
           "joined", "meetings", "prepare"]  # fmt: skip
