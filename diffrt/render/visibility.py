"""Visibility: what the light path of an image point meets, and which lights it sees.

These are discrete answers, found by a search that nothing differentiates. The answer is the *signature* of the
point: for each bounce the shape and the side of it that was hit, and at the end one bit for each light that is
not blocked. The formulas are those of the shapes, evaluated on plain arrays.

There are no offsets that keep a ray from hitting the surface it starts on. Instead that shape is left out: a
flat shape, or a sphere seen from outside, cannot be met again, and from inside a sphere it is the far root that
counts, which is another point.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.render.camera import rays
from diffrt.render.lights import LIGHTS, AmbientLight
from diffrt.render.materials import MATERIALS
from diffrt.render.shapes import SHAPES, Shape, Sphere
from diffrt.render.tables import Tables
from diffrt.render.vectors import dot

CHUNK = 32768
TIE = 1e-12
"""Two hits whose distances differ by less, relatively, are one; it goes to the shape that comes first."""


@dataclass(frozen=True)
class Signatures:
    """What N light paths meet.

    shape: (bounces, N), the id of the shape hit, -1 where the path has ended. side: (bounces, N), +1 or -1.
    lit: (N,), bit i is set if light i is not blocked. ended: (N,), whether the path ends on a surface that
    scatters light; where it does not, the radiance is 0.
    """

    shape: NDArray[np.int32]
    side: NDArray[np.int8]
    lit: NDArray[np.uint32]
    ended: NDArray[np.bool_]


def find_signatures(
    tables: Tables, reflection_depth: int, x: NDArray[np.float64], y: NDArray[np.float64]
) -> Signatures:
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
    shapes = [
        SHAPES[kind](*(f[..., row : row + 1] for f in tables.shapes[kind]))
        for kind, row in zip(np.array(list(SHAPES))[tables.shape_kind], tables.shape_row, strict=True)
    ]
    mirror = tables.material_kind == list(MATERIALS).index("mirror")
    with np.errstate(all="ignore"):
        for start in range(0, size, CHUNK):
            part = slice(start, start + CHUNK)
            o, d = rays(tables.camera[..., None], x[part], y[part])
            _follow(tables, shapes, mirror, o, d, found, np.arange(start, start + d.shape[1]))
    return found


def _follow(
    tables: Tables,
    shapes: list[Shape],
    mirror: NDArray[np.bool_],
    o: Any,
    d: Any,
    found: Signatures,
    places: Any,
) -> None:
    """Follow light paths from origins o along directions d; their signatures go to `places` of `found`."""
    o = np.broadcast_to(o, d.shape)
    begin = np.full(places.shape, -1, np.int32)
    begin_side = np.ones(places.shape)
    for bounce in range(len(found.shape)):
        hit, side, t = nearest_hit(shapes, o, d, begin, begin_side)
        going = hit >= 0
        places, o, d, hit, side, t = (
            places[going],
            o[:, going],
            d[:, going],
            hit[going],
            side[going],
            t[going],
        )
        if not places.size:
            return
        found.shape[bounce, places], found.side[bounce, places] = hit, side
        p = o + t * d
        ends = ~mirror[hit]
        found.ended[places[ends]] = True
        found.lit[places[ends]] = lit_bits(tables, shapes, p[:, ends], hit[ends], side[ends])
        places, p, d, begin, begin_side = places[~ends], p[:, ~ends], d[:, ~ends], hit[~ends], side[~ends]
        n = normals(shapes, p, begin, begin_side)
        o, d = p, d - 2.0 * dot(d, n) * n


def nearest_hit(shapes: list[Shape], o: Any, d: Any, begin: Any, begin_side: Any) -> tuple[Any, Any, Any]:
    """The shape that each ray meets first: its id (-1 for none), the side that is met, and the distance.

    o, d: origins and unit directions (3, N). begin, begin_side: the shape that each ray starts on (-1 for none)
    and the side of it, (N,).
    """
    nearest = np.full(d.shape[1], np.inf)
    hit = np.full(d.shape[1], -1, np.int32)
    hit_side = np.ones(d.shape[1])
    for i, shape in enumerate(shapes):
        t, inside, side = _meet(shape, o, d, begin == i, begin_side)
        closer = (inside > 0.0) & (t > 0.0) & (t < nearest * (1.0 - TIE))
        nearest = np.where(closer, t, nearest)
        hit[closer] = i
        hit_side = np.where(closer, side, hit_side)
    return hit, hit_side, nearest


def lit_bits(tables: Tables, shapes: list[Shape], p: Any, begin: Any, begin_side: Any) -> NDArray[np.uint32]:
    """For points p (3, N) of surfaces, one bit for each light that no shape blocks, (N,)."""
    bits = np.zeros(p.shape[1], np.uint32)
    for number, (kind, fields) in enumerate(tables.lights):
        light = LIGHTS[kind](*(f[:, None] for f in fields))
        blocked = np.zeros(p.shape[1], bool)
        if not isinstance(light, AmbientLight):
            to_light, distance, _ = light.seen_from(p)
            for i, shape in enumerate(shapes):
                t, inside, _ = _meet(shape, p, to_light, begin == i, begin_side)
                blocked |= (inside > 0.0) & (t > 0.0) & (t < distance)
        bits |= np.where(blocked, 0, 1 << number).astype(np.uint32)
    return bits


def normals(shapes: list[Shape], p: Any, hit: Any, side: Any) -> Any:
    """The unit normals (3, N) at points p of the shapes that were hit."""
    n = np.zeros_like(p)
    for i in np.unique(hit):
        mine = hit == i
        n[:, mine] = shapes[i].normal(p[:, mine], side[mine])
    return n


def _meet(shape: Shape, o: Any, d: Any, starts: Any, begin_side: Any) -> tuple[Any, Any, Any]:
    """Distance, `inside` and side of a shape, for rays some of which start on it."""
    side = np.where(starts, begin_side, np.where(shape.side(o) >= 0.0, 1.0, -1.0))
    t, inside = shape.intersect(o, d, side)
    # Only the inside of a sphere can be met again from the shape itself.
    again = ~starts | (begin_side < 0.0) if isinstance(shape, Sphere) else ~starts
    return t, np.where(again, inside, -1.0), side
