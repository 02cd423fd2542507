"""Switching functions: numbers that pass through zero where the signature of an image point changes.

The ray that changes is the one that leaves the last shape of a path, whose shapes are known: no search. Here is its
formula, which both finds the root on the side of a cell and is differentiated there.
"""

from typing import Any

import numpy as np

from diffrt.autograd import (
    absolute,
    divide,
    equal,
    greater,
    less,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    not_equal,
    where,
)
from diffrt.compiler import fold, repeat
from diffrt.render.camera import rays
from diffrt.render.lights import LIGHTS
from diffrt.render.path import advance, reflected
from diffrt.render.shapes import SHAPES, Sphere
from diffrt.render.tables import row_of
from diffrt.render.visibility import blocks, meet_from, start_side, towards

INSIDE, DISTANCE, START = 0, 1, 2
"""Switching functions: `inside`, a distance against another one, the side that the ray starts on."""

EPSILON = 2.0**-43
"""How narrow the piece around a root gets, in sides; the root itself is better, as the last steps are quadratic."""

STEPS = 100
"""The most evaluations that a root takes; one that converges takes about eight."""


def switching(structure: Any, uniforms: Any, rows: Any, samples: Any) -> Any:
    """The switching functions of crossings of one structure, (n,).

    structure: the kinds of shape on the path; the function; the kind of light, of shape and of the other shape,
    None where there is none. uniforms: the camera. rows: the fields of the light and of these shapes; and numbers:
    the sides from which the path meets the shapes, those of shape and other shape, whether the ray starts on them, and
    the side of what it starts on. samples: position, and the side of the cell as x, y, dx, dy.
    """
    path_kinds, function, light_kind, shape_kind, other_kind = structure
    s, x, y, dx, dy = samples
    *row, numbers = rows
    fields = iter(row)
    o, d, limit = ray(path_kinds, light_kind, uniforms, fields, numbers, x + s * dx, y + s * dy)
    shape = row_of(SHAPES[shape_kind], fields)
    sides = numbers[len(path_kinds) : len(path_kinds) + 2]
    if function == START:
        return shape.side(o)
    t, inside = shape.intersect(o, d, sides[0])
    if function == INSIDE:
        return inside
    if other_kind:
        limit, _ = row_of(SHAPES[other_kind], fields).intersect(o, d, sides[1])
    return t - limit


def ray(path_kinds: Any, light_kind: Any, uniforms: Any, fields: Any, numbers: Any, x: Any, y: Any) -> tuple[Any, ...]:
    """Origin and direction (3, n) of the ray that leaves the last shape of a path, to the light if there is one, and
    the distance under which a shape blocks that, else 0."""
    light: Any = row_of(LIGHTS[light_kind], fields) if light_kind else None
    o, d = rays(uniforms[0], x, y)
    for step, kind in enumerate(path_kinds):
        o, n = advance(row_of(SHAPES[kind], fields), numbers[step], o, d)
        d = reflected(d, n)
    if light is None:
        return o, d, 0.0
    return o, *towards(light, o)


def solve(structure: Any, uniforms: Any, rows: Any, samples: Any, tables: Any) -> list[Any]:
    """Roots of switching functions between two positions: root, 1 if there is one, the sides of shape and other, (n,).

    structure, uniforms, rows: as for `switching`; the sides in rows are not used but found at the first position.
    samples: the side of the cell as x, y, dx, dy, and the two positions.

    Chandrupatla's method (1997): inverse quadratic interpolation where it is safe, bisection where it is not.
    """
    path_kinds, function, light_kind, shape_kind, other_kind = structure
    *segment, low, high = samples
    x, y, dx, dy = segment
    *row, numbers = rows
    count = len(path_kinds)
    starts, begin_side = numbers[count + 2 : count + 4], numbers[count + 4]
    fields = iter(row)
    kinds = [*path_kinds, *(kind for kind in (shape_kind, other_kind) if kind)]
    if light_kind:
        row_of(LIGHTS[light_kind], fields)
    shapes = [row_of(SHAPES[kind], fields) for kind in kinds][count:]

    def step(active: Any, turn: Any, at: Any, a: Any, b: Any, fa: Any, fb: Any, best: Any, *rest: Any) -> Any:
        # The first two turns take the values at the ends, so that the function stands here only once.
        first, second = equal(turn, 0.0), equal(turn, 1.0)
        o, _, _ = ray(path_kinds, light_kind, uniforms, iter(row), numbers, x + at * dx, y + at * dy)
        sides = tuple(
            where(first, start_side(shape, o, greater(own, 0.5), begin_side), side)
            for shape, own, side in zip(shapes, starts, rest, strict=False)
        )
        told = [*numbers[:count], *sides, *numbers[count + len(sides) :]]
        value = switching(structure, uniforms, [*row, told], [at, *segment])
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
        return active, turn + 1.0, where(first, high, a + t * (b - a)), a, b, fa, fb, best, *sides, found

    one = np.full(x.shape, 1.0)
    asked: Any = np.full(x.shape, True)
    # From the shape itself a ray meets nothing but the inside of a sphere.
    for shape, own in zip(shapes, starts, strict=False):
        if function != START:
            starts_here = greater(own, 0.5)
            never = logical_and(starts_here, greater(begin_side, 0.0)) if isinstance(shape, Sphere) else starts_here
            asked = logical_and(asked, logical_not(never))
    sides = [one] * len(shapes)

    carry = [asked, 0.0 * one, low, high, low, 0.0 * one, 0.0 * one, high]
    found = repeat(STEPS, step, [*carry, *sides, 0.0 * one])
    return [found[7], found[-1], *found[8:-1], *[one] * (2 - len(sides))]


def blockers(structure: Any, uniforms: Any, rows: Any, samples: Any, tables: Any) -> list[Any]:
    """The first two shapes that block the light at one of two positions and not at the other: ids, -1 for none, (n,).

    structure: the kinds of shape on the path, of the light, and of the tables. rows: the fields of the light and of the
    path's shapes, and numbers as for `switching`. samples: the side of the cell as x, y, dx, dy, the two positions, and
    the id of the shape that the ray starts on. tables: of each kind of shape its fields and ids.
    """
    path_kinds, light_kind, kinds = structure
    x, y, dx, dy, *ends, begin = samples
    *row, numbers = rows
    begin_side = numbers[len(path_kinds) + 4]
    made = [ray(path_kinds, light_kind, uniforms, iter(row), numbers, x + s * dx, y + s * dy) for s in ends]
    carry: list[Any] = [np.full(x.shape, np.inf), np.full(x.shape, np.inf)]
    for kind, table in zip(kinds, tables, strict=True):

        def body(fields: Any, first: Any, second: Any, kind: str = kind) -> Any:
            shape = row_of(SHAPES[kind], iter(fields))
            number = fields[-2]
            blocked = []
            for o, d, limit in made:
                t, inside, _ = meet_from(shape, o, d, equal(begin, number), begin_side)
                blocked.append(blocks(t, inside, limit))
            one, two = blocked
            changes = logical_and(logical_or(one, two), logical_not(logical_and(one, two)))
            mine = where(changes, number, np.inf)
            # In the order of their ids.
            return minimum(first, mine), minimum(second, maximum(first, mine))

        carry = fold(table, body, carry)
    return [where(less(c, np.inf), c, -1.0) for c in carry]
