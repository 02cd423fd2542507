"""Visibility: what the light path of an image point meets, and which lights it sees.

These are discrete answers, found by a search that nothing differentiates. The answer is the *signature* of the
point: for each bounce the face and the side of it that was hit, and at the end whether each light is not blocked.
The search is a kernel like the others, with loops over the table of faces around their formulas.

There are no offsets that keep a ray from hitting the surface it starts on. Instead that face is left out, and the other
side of its surface where that is a face of its own, unless its kind says that a ray can meet it again: from inside a
sphere it is the far root that counts, which is another point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf, prod
from operator import mul
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import (
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    minimum,
    not_equal,
    where,
)
from diffrt.compiler import Engine, Table, choose, cond, scan, search, while_loop
from diffrt.kinds import Light, Shape, Texture
from diffrt.kinds.vectors import magnitude
from diffrt.tracer.camera import rays
from diffrt.tracer.tables import Columns, Tables, Tile
from diffrt.tracer.tree import face_boxes, find_tree, missed
from diffrt.tracer.walk import reflected

TIE = 1e-12
"""Two hits whose distances differ by less, relatively, are one; it goes to the face that comes first. Faces of one
shape meet only in an edge, where the nearer one counts."""

TOUCH = 1e-12
"""Surfaces that are closer than this touch, in parts of the numbers that their distance is the difference of: a point
on the one does not shade itself by the other. A shape that is met within this part of the way from the light does not
block it: the light is on it."""

INSIDE, DISTANCE, START, BORDER, TILE = 0, 1, 2, 3, 4
"""Switching functions: `inside`, a distance against another one, the side that the ray starts on; of no face, how far
the start of a ray to a light is within the light's own border; and the border of a texture at the point that the ray
starts from."""

WORD = 32
"""Lights whose bits share a column of what the search returns."""

TILES = 256
"""Tiles on a side of the image, by which samples are ordered; their numbers have 16 bits, which numpy sorts fast."""

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Signatures(Columns):
    """What N light paths meet.

    face: (bounces, N), the number of the face hit, -1 where the path has ended. side: (bounces, N), +1 or -1.
    lit: (number of lights, N), whether the light shines there and is not blocked. ended: (N,), whether the path ends on
    a surface that scatters light or in a background, or passes a surface that emits; where not, the radiance is 0.
    piece: (bounces, N), of the shape: on which sides of the edges of its textures the hit is; 0 where it has none.
    """

    face: NDArray[np.int32]
    side: NDArray[np.int8]
    lit: NDArray[np.bool_]
    ended: NDArray[np.bool_]
    piece: NDArray[np.int32]


class Face(NamedTuple):
    """A row of the table that the search goes through: a face, or a box around those that follow.

    kind: 0 for a box, else 1 + the number of the kind of face. following: the row behind those in the box, of a box;
    the next row, of a face. number: of the face, -1 for a box. owner: the number of its shape. reflects: whether light
    paths go on here. shape: the numbers of the shape; of a box the least and the largest coordinates. bounds: those of
    the box around a face alone.
    """

    kind: Any
    following: Any
    number: Any
    owner: Any
    reflects: Any
    shape: Any
    bounds: Any


class LightRow(NamedTuple):
    """A row of the table of lights. kind: its number among the kinds of lights. number: its own. word, bit: where its
    answer goes."""

    kind: Any
    number: Any
    word: Any
    bit: Any
    light: Any


class TiledRow(NamedTuple):
    """A row of the table of faces that have textures with edges: the number of the face and of its kind, the numbers of
    its shape, and its textures."""

    number: Any
    kind: Any
    shape: Any
    tiles: tuple[Tile, ...]


class SearchTables(NamedTuple):
    """What the search goes through: Tables of Face, of LightRow, and of TiledRow if there are any."""

    faces: Any
    lights: Any
    tiled: Any = None


class SearchSetting(NamedTuple):
    """What the search depends on besides numbers.

    faces, lights: the kinds that there are. bounces: the most surfaces on a path. words: columns of lights' bits.
    boxes: whether there are any among the rows. tiles: the kinds of texture with an edge.
    """

    faces: tuple[type[Shape], ...]
    lights: tuple[type[Light], ...]
    bounces: int
    words: int
    boxes: bool
    tiles: tuple[type[Texture], ...] = ()


class Visibility:
    """A scene as seen by the search, and the signatures found so far: each has a label, a small whole number."""

    def __init__(self, tables: Tables, engine: Engine) -> None:
        """tables: of the scene, plain."""
        self.tables, self.engine = tables, engine
        self._known: dict[tuple[float, ...], int] = {}
        self._decoded: Signatures | None = None
        faces, boxes = _face_table(tables)
        kinds = tables.kinds
        light_kinds = tuple(dict.fromkeys(kinds.lights))
        count = len(kinds.lights)
        number = np.arange(count)
        lights = LightRow(
            np.array([light_kinds.index(kind) for kind in kinds.lights], float),
            number.astype(float),
            (number // WORD).astype(float),
            2.0 ** (number % WORD),
            tables.lights[:, :count],
        )
        self.setting = SearchSetting(kinds.faces, light_kinds, kinds.bounces, max(-(-count // WORD), 1), boxes,
                                     kinds.tiles)  # fmt: skip
        self.scene = SearchTables(Table(faces), Table(lights), _tiled_table(tables))

    def signature_ids(self, x: Floats, y: Floats) -> Labels:
        """The labels of image points (N,), in pixels; equal labels mean equal signatures."""
        if not len(x):
            return np.zeros(0, np.int32)
        order = self.order(x, y)
        columns = search(
            signature, self.setting, self.tables.camera, None, (x[order], y[order]), self.scene, self.engine,
            well=inf,
        )  # fmt: skip
        found = np.empty(len(x), np.int32)
        found[order] = self.ids_of(columns)
        return found

    def order(self, x: Floats, y: Floats) -> NDArray[np.int64] | slice:
        """The order in which a search takes image points (N,): if there are boxes, those of a small tile of the image
        follow each other, since what one ray of a vector needs is looked at by all of them."""
        if not self.setting.boxes or len(x) < TILES:
            return slice(None)
        size = max(np.ptp(x), np.ptp(y)) / TILES + 1e-300
        column, row = (np.minimum((c - c.min()) / size, TILES - 1).astype(np.uint16) for c in (x, y))
        return np.argsort(row * np.uint16(TILES) + column, kind="stable")

    def ids_of(self, columns: Sequence[Floats]) -> Labels:
        """The labels of signatures in the columns that the search gives, (N,) each, N > 0."""
        change = columns[0][1:] != columns[0][:-1]
        for column in columns[1:]:
            change |= column[1:] != column[:-1]
        starts = np.concatenate([[0], np.flatnonzero(change) + 1])
        heads = [column[starts].astype(np.int64) for column in columns]
        first, which = alike(*heads)
        names = np.array(
            [
                self._known.setdefault(key, len(self._known))
                for key in zip(*(h[first].tolist() for h in heads), strict=True)
            ],
            np.int32,
        )
        return np.repeat(names[which], np.diff(np.append(starts, len(columns[0]))))

    @property
    def signatures(self) -> Signatures:
        """The signature of every label."""
        if self._decoded is None or len(self._decoded.ended) < len(self._known):
            self._decoded = self._decode(np.array(list(self._known), np.int64).reshape(len(self._known), -1).T)
        return self._decoded

    def _decode(self, columns: NDArray[np.int64]) -> Signatures:
        bounces, count = self.tables.kinds.bounces, len(self.tables.kinds.lights)
        hits, words = columns[:bounces], columns[bounces:]
        face, side = hits // 2 - 1, np.where(hits % 2, 1, -1)
        piece = columns[-bounces:] if self.tables.kinds.tiles else np.zeros_like(hits)
        number = np.arange(count)[:, None]
        lit = (words[number[:, 0] // WORD] >> (number % WORD)) & 1
        ended = self.tables.ends(face, piece)[0] >= 0
        if self.tables.kinds.emitting:
            ended |= face[0] >= 0
        return Signatures(face.astype(np.int32), side.astype(np.int8), lit.astype(bool), ended,
                          piece.astype(np.int32))  # fmt: skip


def alike(*columns: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One member of each group of equal columns of whole numbers (N,), and the group of each."""
    rows = np.array(columns, np.int64)
    lowest = rows.min(1, initial=0)
    sizes = (rows.max(1, initial=0) - lowest + 1).tolist()
    rows -= lowest[:, None]
    if prod(sizes) < 2**62:
        key = np.einsum("i,ij", [*accumulate(sizes[:0:-1], mul, initial=1)][::-1], rows)
    else:
        key, most = rows[0], sizes[0]
        for row, size in zip(rows[1:], sizes[1:], strict=True):
            if most * size >= 2**62:  # number the groups anew before the key overflows
                key = np.unique(key, return_inverse=True)[1].ravel()
                most = int(key.max(initial=0)) + 1
            key, most = key * size + row, most * size
    # As np.unique does it, without its checks.
    order = key.argsort(kind="stable")
    ordered = key[order]
    new = np.ones(len(key), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    which = np.empty(len(key), np.int64)
    which[order] = new.cumsum() - 1
    return order[new], which


def _face_table(tables: Tables) -> tuple[Face, bool]:
    """The rows that the search goes through, and whether there are boxes among them."""
    order, following, boxes = find_tree(tables)
    bounds = np.concatenate(face_boxes(tables))
    face = np.maximum(order, 0)
    shape = tables.shape_of[face]
    is_box = order < 0
    numbers = tables.shapes
    if len(boxes):
        numbers = np.zeros((max(len(tables.shapes), 6), len(order)))
        numbers[: len(tables.shapes)] = tables.shapes[:, shape]
        numbers[:, is_box] = 0.0
        numbers[:6, is_box] = boxes.T
    else:
        numbers = tables.shapes[:, shape]
    reflects = np.where(is_box, False, tables.reflects[shape] >= 0) if len(order) else np.zeros(0)
    kind = np.where(is_box, 0, 1 + tables.face_kind[face]) if len(order) else np.zeros(0)
    kind, following, order, owner, reflects = (p.astype(float) for p in (kind, following, order, shape, reflects))
    return Face(kind, following, order, owner, reflects, numbers, bounds[:, face]), bool(len(boxes))


def _tiled_table(tables: Tables) -> Table | None:
    """The rows of faces that have textures with edges; None if no shape has."""
    if not tables.kinds.tiles:
        return None
    faces = np.flatnonzero(np.any([tile.kind[tables.shape_of] for tile in tables.tiles], axis=0))
    shape = tables.shape_of[faces]
    tiles = tuple(Tile(tile.kind[shape], tile.numbers[:, shape]) for tile in tables.tiles)
    return Table(TiledRow(faces.astype(float), tables.face_kind[faces].astype(float), tables.shapes[:, shape], tiles))


def signature(setting: SearchSetting, camera: Any, rows: Any, samples: Any, scene: SearchTables) -> Any:
    """The signatures of image points as columns of whole numbers (n,): for each bounce 0 where the path has ended, else
    2 (face + 1) + (side > 0); then sums of bits of the lights that are seen; then, if there are textures with edges,
    for each bounce the piece of the shape."""
    x, y = samples
    o, d = rays(camera, x, y)
    nowhere, one, zero = np.full(x.shape, -1.0), np.full(x.shape, 1.0), np.full(x.shape, 0.0)
    bounces = setting.bounces

    def step(o: Any, d: Any, start: Any, start_side: Any, words: Any) -> Any:
        hit, side, t, mirror = nearest_hit(setting, scene, o, d, start, start_side)
        met = greater_equal(hit, 0.0)
        goes_on = logical_and(met, greater(mirror, 0.5))
        p = o + where(met, t, 0.0) * d
        code = where(met, 2.0 * (hit + 1.0) + where(greater(side, 0.0), 1.0, 0.0), 0.0)

        ends = logical_and(met, logical_not(goes_on))

        def look(p: Any, hit: Any, side: Any, *words: Any) -> Any:
            return p, hit, side, *lit_words(setting, scene, words, ends, touching(camera, p), p, hit, side)

        seen: Any = cond(ends, look, [p, hit, side, *words])[3:]
        return p, hit, side, [code, *pieces_of(setting, scene, p, hit, side)], goes_on, seen

    words: Any = [zero] * setting.words
    if bounces == 1:
        _, _, _, (code, *piece), _, seen = step(o, d, nowhere, one, words)
        return [code, *seen, *piece]

    def bounce(going: Any, turn: Any, o: Any, d: Any, start: Any, start_side: Any, *rest: Any) -> Any:
        codes, words, pieces = rest[:bounces], rest[bounces : bounces + setting.words], rest[bounces + setting.words :]
        p, hit, side, (code, *own), goes_on, seen = step(o, d, start, start_side, words)

        def turn_round(p: Any, d: Any, hit: Any, side: Any) -> Any:
            return p, reflected(d, normal_of(setting, scene, p, hit, side)), hit, side

        goes_on = logical_and(goes_on, less(turn, bounces - 1.0))
        d = cond(goes_on, turn_round, [p, d, hit, side])[1]
        kept = [where(equal(turn, float(k)), code, old) for k, old in enumerate(codes)]
        parts = [where(equal(turn, float(k)), own[0], old) for k, old in enumerate(pieces)]
        return goes_on, turn + 1.0, p, d, hit, side, *kept, *seen, *parts

    none = [zero] * bounces if setting.tiles else []
    start = [np.full(x.shape, True), zero, o, d, nowhere, one, *[zero] * bounces, *words, *none]
    return while_loop(bounces, bounce, start)[6:]


def scan_faces(
    setting: SearchSetting, scene: SearchTables, box: Any, face: Any, carry: Any, alone: bool = False
) -> list[Any]:
    """Go through the faces. box: from the coordinates of a box to whether a lane needs what is in it. face: from a kind
    to a function of the row and the carry. alone: whether a lane that needs no box around a face, or not the face's
    own, stays as it is though another lane needs it; if not, the face must change nothing there."""
    if not setting.faces:
        return list(carry)

    def body(row: Face, *carry: Any) -> Any:
        def skip(shape: Any, number: Any, owner: Any, reflects: Any, *carry: Any) -> Any:
            return [box(shape, *carry), *carry]

        def visit(kind: Any) -> Any:
            def branch(shape: Any, number: Any, owner: Any, reflects: Any, *carry: Any) -> Any:
                return [np.full((1,), True), *face(kind.unpack(shape), number, owner, reflects, *carry)]

            return branch

        end, carry = (carry[-1], carry[:-1]) if alone else (0.0, carry)
        arguments = [row.shape, row.number, row.owner, row.reflects, *carry]
        branches = [visit(kind) for kind in setting.faces]
        if setting.boxes:
            needed, *found = choose(row.kind, [skip, *branches], arguments)
        else:
            needed, *found = choose(row.kind - 1.0, branches, arguments)
        if not alone:
            return (needed, *found) if setting.boxes else found
        own = box(row.bounds, *carry)
        if not setting.boxes:
            return *(where(own, new, old) for old, new in zip(carry, found, strict=True)), end
        # A lane that skips a box stays as it is up to the row at its end.
        own = logical_or(own, less(row.number, 0.0))
        found = [where(own, new, old) for old, new in zip(carry, found, strict=True)]
        skips = less_equal(row.following, end)
        needed = logical_and(needed, logical_not(skips))
        kept = (where(skips, old, new) for old, new in zip(carry, found, strict=True))
        return needed, *kept, where(logical_or(needed, skips), end, row.following)

    carry = [*carry, np.full(np.shape(carry[0])[-1:], 0.0)] if alone else carry
    found = scan(scene.faces, body, carry, (lambda row: row.following) if setting.boxes else None)
    return found[:-1] if alone else found


def nearest_hit(
    setting: SearchSetting, scene: SearchTables, o: Any, d: Any, start: Any, start_side: Any
) -> tuple[Any, Any, Any, Any]:
    """The face that each ray meets first: its number (-1 for none), the side that is met, the distance, and whether it
    is a mirror.

    o, d: origins and unit directions (3, n). start, start_side: the number of the face that each ray starts on (-1 for
    none) and the side of it, (n,).
    """

    def distance(face: Shape, number: Any) -> tuple[Any, Any]:
        t, inside, side = meet_from(face, number, o, d, start, start_side)
        return where(logical_and(greater(inside, 0.0), greater(t, 0.0)), t, inf), side

    def box(bounds: Any, nearest: Any, *rest: Any) -> Any:
        return logical_not(missed(bounds, o, d, nearest * (1.0 + 2.0 * TIE)))

    def closer(face: Shape, number: Any, owner: Any, reflects: Any, nearest: Any, second: Any, hit: Any, side: Any,
               shape: Any, mirror: Any) -> Any:  # fmt: skip
        t, own_side = distance(face, number)
        # The order of the rows is not that of the faces, which decides between equal distances.
        is_closer = less(t, nearest)
        if setting.boxes:
            is_closer = logical_or(is_closer, logical_and(equal(t, nearest), less(number, hit)))
        return [
            where(is_closer, t, nearest),
            where(is_closer, nearest, minimum(second, t)),
            where(is_closer, number, hit),
            where(is_closer, own_side, side),
            where(is_closer, owner, shape),
            where(is_closer, reflects, mirror),
        ]

    far, none = np.full(start.shape, inf), np.full(start.shape, -1.0)
    carry = [far, far, none, np.full(start.shape, 1.0), none, np.full(start.shape, 0.0)]
    nearest, second, hit, side, shape, mirror = scan_faces(setting, scene, box, closer, carry)

    def first_of_equals(limit: Any, shape: Any, hit: Any, side: Any, t: Any, mirror: Any) -> Any:
        def near(bounds: Any, *rest: Any) -> Any:
            return logical_not(missed(bounds, o, d, limit))

        def earlier(face: Shape, number: Any, owner: Any, reflects: Any, hit: Any, side: Any, t: Any,
                    mirror: Any) -> Any:  # fmt: skip
            own_t, own_side = distance(face, number)
            other = logical_and(less(number, hit), not_equal(owner, shape))
            first = logical_and(less_equal(own_t, limit), other)
            return [
                where(first, number, hit),
                where(first, own_side, side),
                where(first, own_t, t),
                where(first, reflects, mirror),
            ]

        return limit, shape, *scan_faces(setting, scene, near, earlier, [hit, side, t, mirror])

    limit = nearest * (1.0 + TIE)
    tie = logical_and(less_equal(second, limit), less(nearest, inf))
    hit, side, t, mirror = cond(tie, first_of_equals, [limit, shape, hit, side, nearest, mirror])[2:]
    return hit, side, t, mirror


def lit_words(
    setting: SearchSetting, scene: SearchTables, words: Any, asked: Any, near: Any, p: Any, start: Any, start_side: Any
) -> list[Any]:
    """The words (n,) with the bits of the lights that no face hides from points p (3, n) of surfaces. asked: of
    which of them, (n,). near: the distance under which a face hides none, (n,)."""
    if not setting.lights:
        return list(words)

    def visit(row: LightRow, *words: Any) -> Any:
        (bit,) = choose(
            row.kind, [_seen(setting, scene, kind) for kind in setting.lights],
            [row.light, row.bit, asked, near, p, start, start_side],
        )  # fmt: skip
        return [word + where(equal(row.word, float(k)), bit, 0.0) for k, word in enumerate(words)]

    return scan(scene.lights, visit, list(words))


def _seen(setting: SearchSetting, scene: SearchTables, kind: type[Light]) -> Any:
    """A branch: the bit of a light of this kind where it is seen, else 0."""

    def seen(light: Any, bit: Any, asked: Any, near: Any, p: Any, start: Any, start_side: Any) -> Any:
        if kind.everywhere:
            return [bit + 0.0 * start]
        source = kind.unpack(light)
        to_light, limit = shadow_ray(source, p)
        dark = logical_not(asked)
        if kind.bordered:
            dark = logical_or(dark, logical_not(greater(source.shines(p), 0.0)))

        def box(bounds: Any, blocked: Any) -> Any:
            return logical_not(logical_or(missed(bounds, p, to_light, limit), blocked))

        def block(face: Shape, number: Any, owner: Any, reflects: Any, blocked: Any) -> Any:
            t, inside, _ = meet_from(face, number, p, to_light, start, start_side)
            return [logical_or(blocked, occludes(t, inside, near, limit))]

        (blocked,) = scan_faces(setting, scene, box, block, [dark])
        return [where(blocked, 0.0, bit)]

    return seen


def normal_of(setting: SearchSetting, scene: SearchTables, p: Any, hit: Any, side: Any) -> Any:
    """The unit normals (3, n) at points p of the faces that were hit."""
    still = np.full((3, 1), 1.0)

    def box(bounds: Any, n: Any) -> Any:
        return logical_not(missed(bounds, p, still, 0.0 * hit))

    def own(face: Shape, number: Any, owner: Any, reflects: Any, n: Any) -> Any:
        return [where(equal(hit, number), face.normal_at(p, side), n)]

    return scan_faces(setting, scene, box, own, [np.full(p.shape, 0.0)])[0]


def pieces_of(setting: SearchSetting, scene: SearchTables, p: Any, hit: Any, side: Any) -> list[Any]:
    """The pieces (n,) of shapes at points p (3, n) of the faces that were hit; an empty list if there are no textures
    with edges."""
    if not setting.tiles:
        return []

    def visit(row: TiledRow, piece: Any) -> list[Any]:
        u, v = choose(row.kind, [coordinates_of(kind) for kind in setting.faces], [row.shape, p, side])
        own: Any = 0.0 * u
        for number, tile in enumerate(row.tiles):
            border = border_of(setting.tiles, tile, u, v)
            own = own + where(greater(border, 0.0), 2.0**number, 0.0)
        return [where(equal(hit, row.number), own, piece)]

    return scan(scene.tiled, visit, [np.full(hit.shape, 0.0)])


def coordinates_of(kind: type[Shape]) -> Any:
    """A branch: the texture coordinates u and v (n,) of a face, 0 of one that has none."""
    return lambda shape, p, side: coordinates(kind.unpack(shape), p, side)


def coordinates(face: Shape, p: Any, side: Any) -> list[Any]:
    """The texture coordinates u and v (n,) of points p (3, n) of a face, 0 of one that has none."""
    if type(face).uv is Shape.uv:
        return [0.0 * p[0], 0.0 * p[0]]
    return list(face.uv(p, side))


def border_of(tiles: tuple[type[Texture], ...], tile: Tile, u: Any, v: Any) -> Any:
    """The switching function (n,) of a texture with an edge at its coordinates; below zero for none."""

    def none(numbers: Any, u: Any, v: Any) -> list[Any]:
        return [0.0 * u - 1.0]

    def of(kind: type[Texture]) -> Any:
        return lambda numbers, u, v: [kind.unpack(numbers).border(u, v)]

    (border,) = choose(tile.kind, [none, *map(of, tiles)], [tile.numbers, u, v])
    return border


def shadow_ray(light: Light, p: Any) -> tuple[Any, Any]:
    """From points p (3, n) the unit direction to a light, and the distance under which a shape blocks it."""
    to_light, distance, _ = light.incident(p)
    return to_light, distance * (1.0 - TOUCH)


def touching(camera: Any, p: Any) -> Any:
    """The distance from points p (3, n) of a surface under which another surface touches it, (n,)."""
    return TOUCH * (magnitude(p) + magnitude(p - camera[:, 0]))


def occludes(t: Any, inside: Any, near: Any, limit: Any) -> Any:
    """Whether a shape that a shadow ray meets at the distance t blocks it; it does between `near` and `limit`."""
    return logical_and(logical_and(greater(inside, 0.0), greater(t, near)), less(t, limit))


def meet_from(face: Shape, number: Any, o: Any, d: Any, start: Any, start_side: Any) -> tuple[Any, Any, Any]:
    """Distance, `inside` and side of the face of this number, for rays that start on the face `start`, which may be the
    same, or the other side of its surface."""
    starts = equal(start, number)
    side = side_at(face, o, starts, start_side)
    t, inside = face.intersect(o, d, side)
    inside = inside_from(face, o, d, starts, start_side, inside)
    if face.back:
        inside = where(equal(start, number + float(face.back)), -1.0, inside)
    return t, inside, side


def has_borders(kind: type[Shape]) -> bool:
    """Whether a face says its borders one by one."""
    return kind.margins is not Shape.margins


def inside_from(face: Shape, o: Any, d: Any, starts: Any, start_side: Any, inside: Any) -> Any:
    """`inside` of a face, for rays some of which start on it."""
    again: Any = -1.0
    for side in face.meets_itself:
        again = where(equal(start_side, side), face.again(o, d, start_side), again)
    return where(starts, again, inside)


def side_at(face: Shape, o: Any, starts: Any, start_side: Any) -> Any:
    """The side of a face that the points o (3, n) are on; of the face that a ray starts on it is known."""
    return where(starts, start_side, where(greater_equal(face.side(o), -TOUCH * face.reach(o)), 1.0, -1.0))
