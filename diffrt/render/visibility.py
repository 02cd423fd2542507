"""Visibility: what the light path of an image point meets, and which lights it sees.

These are discrete answers, found by a search that nothing differentiates. The answer is the *signature* of the
point: for each bounce the shape and the side of it that was hit, and at the end one bit for each light that is
not blocked. The search is a kernel like the others, with loops over the tables of shapes around their formulas.

There are no offsets that keep a ray from hitting the surface it starts on. Instead that shape is left out: a
flat shape, or a sphere seen from outside, cannot be met again, and from inside a sphere it is the far root that
counts, which is another point.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any

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
    where,
)
from diffrt.compiler import Engine, fold, search, when
from diffrt.render.camera import rays
from diffrt.render.lights import LIGHTS, AmbientLight
from diffrt.render.materials import MATERIALS
from diffrt.render.path import reflected
from diffrt.render.shapes import SHAPES, Shape, Sphere
from diffrt.render.tables import Columns, Tables, row_of

TIE = 1e-12
"""Two hits whose distances differ by less, relatively, are one; it goes to the shape that comes first."""

TOUCH = 1e-12
"""Surfaces that are closer than this, in scene units, touch: a point on the one does not shade itself by the other.
A shape that is met within this part of the way from the light does not block it: the light is on it."""

_EXACT = 2**53
"""Whole numbers up to this are exact as floats."""

Floats = NDArray[np.float64]
Labels = NDArray[np.int32]


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


class Visibility:
    """A scene as seen by the search, and the signatures found so far: each has a label, a small whole number."""

    def __init__(self, tables: Tables, reflection_depth: int, engine: Engine) -> None:
        """tables: of the scene, plain. reflection_depth: the most bounces off mirrors."""
        self.tables, self.engine = tables, engine
        self.bounces = reflection_depth + 1 if "mirror" in tables.materials else 1
        self._radix = 2 * (len(tables.shape_kind) + 1)
        self._known: dict[tuple[float, ...], int] = {}
        self._decoded: Signatures | None = None
        mirror = tables.material_kind == list(MATERIALS).index("mirror")
        self.kinds = tuple(tables.shapes)
        self.shapes = []
        for kind in self.kinds:
            ids = np.flatnonzero(tables.shape_kind == list(SHAPES).index(kind))
            self.shapes.append([*tables.shapes[kind], ids.astype(float), mirror[ids].astype(float)])
        # As many bounces in one word as it can hold.
        self._words: list[int] = []
        room = _EXACT >> len(tables.lights)
        for _ in range(self.bounces):
            if not self._words or room < self._radix:
                self._words.append(0)
                room = room if len(self._words) == 1 else _EXACT
            self._words[-1] += 1
            room //= self._radix

    def labels(self, x: Floats, y: Floats) -> Labels:
        """The labels of image points (N,), in pixels; equal labels mean equal signatures."""
        if not len(x):
            return np.zeros(0, np.int32)
        lights = [field for _, fields in self.tables.lights for field in fields]
        structure = self.kinds, tuple(kind for kind, _ in self.tables.lights), tuple(self._words)
        words = search(
            signature, structure, [self.tables.camera, float(self._radix), *lights], [], [x, y], self.shapes,
            self.engine, often=True,
        )  # fmt: skip
        change = words[0][1:] != words[0][:-1]
        for word in words[1:]:
            change |= word[1:] != word[:-1]
        starts = np.concatenate([[0], np.flatnonzero(change) + 1])
        heads = np.array([word[starts] for word in words])
        distinct, which = np.unique(heads[0] if len(heads) == 1 else heads, axis=-1, return_inverse=True)
        names = np.array(
            [self._known.setdefault(tuple(key), len(self._known)) for key in np.atleast_2d(distinct).T.tolist()],
            np.int32,
        )
        return np.repeat(names[which.ravel()], np.diff(np.append(starts, len(x))))

    @property
    def signatures(self) -> Signatures:
        """The signature of every label."""
        if self._decoded is None or len(self._decoded.lit) < len(self._known):
            self._decoded = self._decode(np.array(list(self._known), float).reshape(len(self._known), -1).T)
        return self._decoded

    def _decode(self, words: Floats) -> Signatures:
        whole = words.astype(np.int64)
        steps = []
        for count, word in zip(self._words, whole, strict=True):
            digits = []
            for _ in range(count):
                digits.append(word % self._radix)
                word = word // self._radix
            steps += reversed(digits)
            if count is self._words[0] and len(steps) == count:
                lit = word
        digit = np.array(steps)
        shape, side = digit // 2 - 1, np.where(digit % 2, 1, -1)
        hits = shape >= 0
        last = np.where(hits.any(0), shape[hits.sum(0) - 1, np.arange(shape.shape[1])], -1)
        mirror = np.append(self.tables.material_kind == list(MATERIALS).index("mirror"), True)
        return Signatures(shape.astype(np.int32), side.astype(np.int8), lit.astype(np.uint32), ~mirror[last])


def signature(structure: Any, uniforms: Any, rows: Any, samples: Any, tables: Any) -> Any:
    """The signatures of image points as words (n,): digits of the bounces, 2 (shape + 1) + (side > 0), above the bits
    of the lights in the first word.

    structure: the kinds of the shapes, those of the lights, and how many bounces are in each word. uniforms: camera,
    the radix of the digits, the lights. samples: x, y. tables: of each kind of shape its fields, ids, and whether they
    are mirrors.
    """
    kinds, light_kinds, words = structure
    camera, radix, *light_fields = uniforms
    x, y = samples
    o, d = rays(camera, x, y)
    bounces = sum(words)
    nowhere = np.full(x.shape, -1.0)
    one = np.full(x.shape, 1.0)
    going: Any = np.full(x.shape, True)
    begin: Any = nowhere
    begin_side: Any = one
    lit: Any = np.full(x.shape, 0.0)
    digits = []
    for bounce in range(bounces):

        def step(o: Any, d: Any, begin: Any, begin_side: Any, digit: Any, lit: Any, going: Any, *, last: bool) -> Any:
            hit, side, t, mirror = nearest_hit(kinds, tables, o, d, begin, begin_side)
            met = greater_equal(hit, 0.0)
            goes_on = logical_and(met, greater(mirror, 0.5))
            p = o + where(met, t, 0.0) * d
            digit = where(met, 2.0 * (hit + 1.0) + where(greater(side, 0.0), 1.0, 0.0), 1.0)

            def look(p: Any, hit: Any, side: Any, lit: Any) -> Any:
                return p, hit, side, lit_bits(kinds, tables, light_kinds, light_fields, p, hit, side)

            ends = logical_and(met, logical_not(goes_on))
            lit = when(ends, look, [p, hit, side, lit])[3]
            if not last:

                def turn(p: Any, d: Any, hit: Any, side: Any) -> Any:
                    return p, reflected(d, normal_of(kinds, tables, p, hit, side)), hit, side

                d = when(goes_on, turn, [p, d, hit, side])[1]
            return p, d, hit, side, digit, lit, goes_on

        carry = [o, d, begin, begin_side, one, lit, going]
        last = bounce + 1 == bounces
        carry = when(going, partial(step, last=last), carry) if bounce else step(*carry, last=last)
        o, d, begin, begin_side, digit, lit = carry[:6]
        # Where the path has ended before, it does not go on.
        going = logical_and(going, carry[6])
        digits.append(digit)
    found = []
    for number, count in enumerate(words):
        word: Any = lit if number == 0 else 0.0
        for digit in digits[:count]:
            word = word * radix + digit
        digits = digits[count:]
        found.append(word)
    return found


def nearest_hit(kinds: Any, tables: Any, o: Any, d: Any, begin: Any, begin_side: Any) -> tuple[Any, Any, Any, Any]:
    """The shape that each ray meets first: its id (-1 for none), the side that is met, the distance, and whether it is
    a mirror.

    o, d: origins and unit directions (3, n). begin, begin_side: the id of the shape that each ray starts on (-1 for
    none) and the side of it, (n,).
    """

    def distance(kind: str, fields: Any, o: Any, d: Any, begin: Any, begin_side: Any) -> tuple[Any, Any]:
        shape = row_of(SHAPES[kind], iter(fields))
        t, inside, side = meet_from(shape, o, d, equal(begin, fields[-2]), begin_side)
        return where(logical_and(greater(inside, 0.0), greater(t, 0.0)), t, inf), side

    far = np.full(begin.shape, inf)
    least: list[Any] = [far, far, np.full(begin.shape, -1.0), np.full(begin.shape, 1.0), np.full(begin.shape, 0.0)]
    for kind, table in zip(kinds, tables, strict=True):

        def body(fields: Any, nearest: Any, second: Any, hit: Any, side: Any, mirror: Any, kind: str = kind) -> Any:
            t, own_side = distance(kind, fields, o, d, begin, begin_side)
            closer = less(t, nearest)
            return (
                where(closer, t, nearest),
                where(closer, nearest, minimum(second, t)),
                where(closer, fields[-2], hit),
                where(closer, own_side, side),
                where(closer, fields[-1], mirror),
            )

        least = fold(table, body, least)
    nearest, second, hit, side, mirror = least

    def first_of_equals(o: Any, d: Any, begin: Any, begin_side: Any, limit: Any, hit: Any, side: Any, t: Any,
                        mirror: Any) -> Any:  # fmt: skip
        carry = [hit, side, t, mirror]
        for kind, table in zip(kinds, tables, strict=True):

            def body(fields: Any, hit: Any, side: Any, t: Any, mirror: Any, kind: str = kind) -> Any:
                own_t, own_side = distance(kind, fields, o, d, begin, begin_side)
                first = logical_and(less_equal(own_t, limit), less(fields[-2], hit))
                return (
                    where(first, fields[-2], hit),
                    where(first, own_side, side),
                    where(first, own_t, t),
                    where(first, fields[-1], mirror),
                )

            carry = fold(table, body, carry)
        return o, d, begin, begin_side, limit, *carry

    limit = nearest * (1.0 + TIE)
    tie = logical_and(less_equal(second, limit), less(nearest, inf))
    hit, side, t, mirror = when(tie, first_of_equals, [o, d, begin, begin_side, limit, hit, side, nearest, mirror])[5:]
    return hit, side, t, mirror


def lit_bits(kinds: Any, tables: Any, light_kinds: Any, light_fields: Any, p: Any, begin: Any, begin_side: Any) -> Any:
    """For points p (3, n) of surfaces, one bit for each light that no shape blocks, added up, (n,)."""
    bits: Any = np.full(begin.shape, 0.0)
    values = iter(light_fields)
    for number, light_kind in enumerate(light_kinds):
        light = row_of(LIGHTS[light_kind], values)
        if isinstance(light, AmbientLight):
            bits = bits + 2.0**number
            continue
        to_light, limit = towards(light, p)
        carry: list[Any] = [np.full(begin.shape, False)]
        for kind, table in zip(kinds, tables, strict=True):

            def body(fields: Any, blocked: Any, kind: str = kind, to_light: Any = to_light, limit: Any = limit) -> Any:
                shape = row_of(SHAPES[kind], iter(fields))
                t, inside, _ = meet_from(shape, p, to_light, equal(begin, fields[-2]), begin_side)
                return [logical_or(blocked, blocks(t, inside, limit))]

            carry = fold(table, body, carry)
        bits = bits + where(carry[0], 0.0, 2.0**number)
    return bits


def normal_of(kinds: Any, tables: Any, p: Any, hit: Any, side: Any) -> Any:
    """The unit normals (3, n) at points of the mirrors that were hit."""
    n: Any = np.full(p.shape, 0.0)
    for kind, table in zip(kinds, tables, strict=True):

        def body(fields: Any, n: Any, kind: str = kind) -> Any:
            shape = row_of(SHAPES[kind], iter(fields))
            return [where(equal(hit, fields[-2]), shape.normal(p, side), n)]

        (n,) = fold(table, body, [n])
    return n


def towards(light: Any, p: Any) -> tuple[Any, Any]:
    """From points p (3, n) the unit direction to a light, and the distance under which a shape blocks it."""
    to_light, distance, _ = light.seen_from(p)
    return to_light, distance * (1.0 - TOUCH)


def blocks(t: Any, inside: Any, limit: Any) -> Any:
    """Whether a shape that a shadow ray meets at the distance t blocks it."""
    return logical_and(logical_and(greater(inside, 0.0), greater(t, TOUCH)), less(t, limit))


def meet_from(shape: Shape, o: Any, d: Any, starts: Any, begin_side: Any) -> tuple[Any, Any, Any]:
    """Distance, `inside` and side of a shape, for rays some of which start on it."""
    side = start_side(shape, o, starts, begin_side)
    t, inside = shape.intersect(o, d, side)
    # Only the inside of a sphere can be met again from the shape itself.
    out = logical_and(starts, greater(begin_side, 0.0)) if isinstance(shape, Sphere) else starts
    return t, where(out, -1.0, inside), side


def start_side(shape: Shape, o: Any, starts: Any, begin_side: Any) -> Any:
    """The side of a shape that the points o (3, n) are on; of the shape that a ray starts on it is known."""
    return where(starts, begin_side, where(greater_equal(shape.side(o), -TOUCH), 1.0, -1.0))


def shapes_by_kind(tables: Tables, ids: Any) -> Iterator[tuple[Any, Shape]]:
    """For each kind of shape: the places where `ids` (N,) names one, and these shapes, with fields (..., n)."""
    kinds = tables.shape_kind[ids]
    for number, (kind, shape_class) in enumerate(SHAPES.items()):
        members = np.flatnonzero((kinds == number) & (ids >= 0))
        if members.size:
            rows = tables.shape_row[ids[members]]
            yield members, shape_class(*(f[..., rows] for f in tables.shapes[kind]))
