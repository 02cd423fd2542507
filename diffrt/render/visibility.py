"""Visibility: what the light path of an image point meets, and which lights it sees.

These are discrete answers, found by a search that nothing differentiates. The answer is the *signature* of the
point: for each bounce the shape and the side of it that was hit, and at the end one bit for each light that is
not blocked. The formulas are those of the shapes, evaluated on plain arrays, for all shapes of a kind at once.

There are no offsets that keep a ray from hitting the surface it starts on. Instead that shape is left out: a
flat shape, or a sphere seen from outside, cannot be met again, and from inside a sphere it is the far root that
counts, which is another point.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.render.camera import rays
from diffrt.render.lights import LIGHTS, AmbientLight
from diffrt.render.materials import MATERIALS
from diffrt.render.path import advance, reflected
from diffrt.render.shapes import SHAPES, Shape, Sphere
from diffrt.render.tables import Columns, Tables

CHUNK = 32768
"""Pairs of ray and shape at a time."""

TIE = 1e-12
"""Two hits whose distances differ by less, relatively, are one; it goes to the shape that comes first."""

TOUCH = 1e-12
"""Surfaces that are closer than this, in scene units, touch: a point on the one does not shade itself by the other.
A shape that is met within this part of the way from the light does not block it: the light is on it."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Signatures(Columns):
    """What N light paths meet.

    shape: (bounces, N), the id of the shape hit, -1 where the path has ended. side: (bounces, N), +1 or -1.
    lit: (N,), bit i is set if light i is not blocked. ended: (N,), whether the path ends on a surface that
    scatters light; where it does not, the radiance is 0.
    """

    shape: NDArray[np.int32]
    side: NDArray[np.int8]
    lit: NDArray[np.uint32]
    ended: NDArray[np.bool_]

    def words(self, shapes: int) -> NDArray[np.int64]:
        """The signatures as integers (k, N), k as small as it can be; equal columns mean equal signatures.

        shapes: the number of shapes in the scene.
        """
        radix = 2 * (shapes + 1)
        words, word, room = [], self.lit.astype(np.int64), 2**63 >> 32
        for shape, side in zip(self.shape, self.side, strict=True):
            if room < radix:
                words.append(word)
                word, room = np.zeros_like(word), 2**63
            word = word * radix + 2 * (shape + 1) + (side > 0)
            room //= radix
        return np.array([*words, word])


def joined(parts: list[Signatures]) -> Signatures:
    """Signatures one after the other."""
    return Signatures(
        np.concatenate([p.shape for p in parts], 1),
        np.concatenate([p.side for p in parts], 1),
        np.concatenate([p.lit for p in parts]),
        np.concatenate([p.ended for p in parts]),
    )


def find_signatures(tables: Tables, reflection_depth: int, x: Floats, y: Floats) -> Signatures:
    """The signatures of image points.

    tables: of the scene, plain. reflection_depth: the most bounces off mirrors. x, y: (N,), in pixels.
    """
    mirrors = "mirror" in tables.materials
    bounces = reflection_depth + 1 if mirrors else 1
    size = x.shape[0]
    found = Signatures(
        np.full((bounces, size), -1, np.int32),
        np.ones((bounces, size), np.int8),
        np.zeros(size, np.uint32),
        np.zeros(size, bool),
    )
    chunk = max(CHUNK // max(len(tables.shape_kind), 1), 1024)
    with np.errstate(all="ignore"):
        for start in range(0, size, chunk):
            part = slice(start, start + chunk)
            o, d = rays(tables.camera[..., None], x[part], y[part])
            _follow(tables, o, d, found, np.arange(start, start + d.shape[1]))
    return found


def _follow(tables: Tables, o: Any, d: Any, found: Signatures, places: Any) -> None:
    """Follow light paths from origins o along directions d; their signatures go to `places` of `found`."""
    mirror = tables.material_kind == list(MATERIALS).index("mirror")
    o = np.broadcast_to(o, d.shape)
    begin = np.full(places.shape, -1, np.int32)
    begin_side = np.ones(places.shape)
    for bounce in range(len(found.shape)):
        hit, side, t = nearest_hit(tables, o, d, begin, begin_side)
        going = hit >= 0
        if not going.all():
            places, o, d, hit, side, t = places[going], o[:, going], d[:, going], hit[going], side[going], t[going]
        if not places.size:
            return
        found.shape[bounce, places], found.side[bounce, places] = hit, side
        p = o + t * d
        goes_on = mirror[hit]
        if not goes_on.any():
            found.ended[places] = True
            found.lit[places] = lit_bits(tables, p, hit, side)
            return
        ends = ~goes_on
        found.ended[places[ends]] = True
        found.lit[places[ends]] = lit_bits(tables, p[:, ends], hit[ends], side[ends])
        places, begin, begin_side, o, d = places[goes_on], hit[goes_on], side[goes_on], p[:, goes_on], d[:, goes_on]
        n = np.empty_like(o)
        for members, shape in shapes_by_kind(tables, begin):
            n[:, members] = shape.normal(o[:, members], begin_side[members])
        d = reflected(d, n)


def nearest_hit(tables: Tables, o: Any, d: Any, begin: Any, begin_side: Any) -> tuple[Any, Any, Any]:
    """The shape that each ray meets first: its id (-1 for none), the side that is met, and the distance.

    o, d: origins and unit directions (3, N). begin, begin_side: the shape that each ray starts on (-1 for none)
    and the side of it, (N,).
    """
    t, inside, side = intersections(tables, o, d, begin, begin_side)
    if not len(t):
        none = np.full(d.shape[1], -1, np.int32)
        return none, np.ones(d.shape[1]), np.full(d.shape[1], np.inf)
    t = np.where((inside > 0.0) & (t > 0.0), t, np.inf)
    nearest = t.min(0)
    hit = np.argmax(t <= nearest * (1.0 + TIE), 0)
    rays = np.arange(d.shape[1])
    met = nearest < np.inf
    return np.where(met, hit, -1).astype(np.int32), side[hit, rays], t[hit, rays]


def lit_bits(tables: Tables, p: Any, begin: Any, begin_side: Any) -> NDArray[np.uint32]:
    """For points p (3, N) of surfaces, one bit for each light that no shape blocks, (N,)."""
    bits = np.zeros(p.shape[1], np.uint32)
    for number, (kind, _) in enumerate(tables.lights):
        blocked = False
        if LIGHTS[kind] is not AmbientLight:
            to_light, limit = towards(tables, number, p)
            t, inside, _ = intersections(tables, p, to_light, begin, begin_side)
            blocked = blocks(t, inside, limit).any(0)
        bits |= np.where(blocked, 0, 1 << number).astype(np.uint32)
    return bits


def towards(tables: Tables, number: int, p: Any) -> tuple[Any, Any]:
    """From points p (3, N) the unit direction to a light, and the distance under which a shape blocks it."""
    kind, fields = tables.lights[number]
    light: Any = LIGHTS[kind]
    to_light, distance, _ = light(*(f[:, None] for f in fields)).seen_from(p)
    return to_light, distance * (1.0 - TOUCH)


def blocks(t: Any, inside: Any, limit: Any) -> Any:
    """Whether shapes that a shadow ray meets at the distances t block it."""
    return (inside > 0.0) & (t > TOUCH) & (t < limit)


def intersections(tables: Tables, o: Any, d: Any, begin: Any, begin_side: Any) -> tuple[Floats, Floats, Floats]:
    """Distance, `inside` and side of every shape for every ray, (number of shapes, N) each."""
    count = len(tables.shape_kind)
    t, inside, side = (np.empty((count, d.shape[1])) for _ in range(3))
    o, d = o[:, None], d[:, None]
    for number, (kind, shape_class) in enumerate(SHAPES.items()):
        ids = np.flatnonzero(tables.shape_kind == number)
        if ids.size:
            shape = shape_class(*(f[..., tables.shape_row[ids], None] for f in tables.shapes[kind]))
            t[ids], inside[ids], side[ids] = meet_from(shape, o, d, begin == ids[:, None], begin_side)
    return t, inside, side


def meet_from(shape: Shape, o: Any, d: Any, starts: Any, begin_side: Any) -> tuple[Any, Any, Any]:
    """Distance, `inside` and side of shapes, for rays some of which start on them."""
    side = np.where(starts, begin_side, np.where(shape.side(o) >= -TOUCH, 1.0, -1.0))
    t, inside = shape.intersect(o, d, side)
    # Only the inside of a sphere can be met again from the shape itself.
    again = ~starts | (begin_side < 0.0) if isinstance(shape, Sphere) else ~starts
    return t, np.where(again, inside, -1.0), side


def shapes_by_kind(tables: Tables, ids: Any) -> Iterator[tuple[Any, Shape]]:
    """For each kind of shape: the places where `ids` (N,) names one, and these shapes, with fields (..., n)."""
    kinds = tables.shape_kind[ids]
    for number, (kind, shape_class) in enumerate(SHAPES.items()):
        members = np.flatnonzero((kinds == number) & (ids >= 0))
        if members.size:
            rows = tables.shape_row[ids[members]]
            yield members, shape_class(*(f[..., rows] for f in tables.shapes[kind]))


def ray_at(
    tables: Tables, signatures: Signatures, bounce: Any, light: Any, x: Floats, y: Floats
) -> tuple[Any, Any, Any, Any, Any]:
    """The ray of one step of each light path, whose shapes are known: no search.

    signatures: of the N paths. bounce: the number of the ray in the path, (N,). light: if not -1, the ray is the
    one from the end of the path to this light, (N,). x, y: (N,), in pixels.
    Returns origin and direction (3, N), the shape that the ray starts on and its side, and the distance under
    which a shape blocks it (inf for no light), (N,).
    """
    o, d = rays(tables.camera[..., None], x, y)
    o, d = np.array(np.broadcast_to(o, d.shape)), np.array(d)
    size = x.shape[0]
    begin, begin_side = np.full(size, -1, np.int32), np.ones(size)
    stop = np.where(light >= 0, (signatures.shape >= 0).sum(0), bounce)
    n = np.zeros_like(d)
    for step in range(int(stop.max(initial=0))):
        going = np.flatnonzero(stop > step)
        hit, side = signatures.shape[step, going], signatures.side[step, going].astype(float)
        for members, shape in shapes_by_kind(tables, hit):
            at = going[members]
            o[:, at], n[:, at] = advance(shape, side[members], o[:, at], d[:, at])
        d[:, going] = reflected(d[:, going], n[:, going])
        begin[going], begin_side[going] = hit, side
    limit = np.full(size, np.inf)
    for number in np.unique(light[light >= 0]):
        at = np.flatnonzero(light == number)
        d[:, at], limit[at] = towards(tables, int(number), o[:, at])
    return o, d, begin, begin_side, limit
