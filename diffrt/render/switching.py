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
    None where there is none. uniforms: camera and the light's fields. rows: the fields of these shapes; and numbers:
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
    camera, *light_fields = uniforms
    o, d = rays(camera, x, y)
    for step, kind in enumerate(path_kinds):
        o, n = advance(row_of(SHAPES[kind], fields), numbers[step], o, d)
        d = reflected(d, n)
    if not light_kind:
        return o, d, 0.0
    light: Any = LIGHTS[light_kind]
    return o, *towards(light(*light_fields), o)


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
    o, _, _ = ray(path_kinds, light_kind, uniforms, fields, numbers, x + low * dx, y + low * dy)
    sides = []
    for place, kind in enumerate((shape_kind, other_kind)):
        if kind:
            shape = row_of(SHAPES[kind], fields)
            sides.append(start_side(shape, o, greater(starts[place], 0.5), begin_side))
        else:
            sides.append(np.full(x.shape, 1.0))

    def g(s: Any) -> Any:
        told = [*numbers[:count], *sides, *numbers[count + 2 :]]
        return switching(structure, uniforms, [*row, told], [s, *segment])

    at_low, at_high = g(low), g(high)
    finite = logical_and(less(absolute(at_low), np.inf), less(absolute(at_high), np.inf))
    up, down = greater(at_low, 0.0), greater(at_high, 0.0)
    changes = logical_and(finite, logical_not(logical_or(logical_and(up, down), logical_not(logical_or(up, down)))))
    # From the shape itself a ray meets nothing but the inside of a sphere.
    for place, kind in enumerate((shape_kind, other_kind)):
        if kind and function != START:
            own = greater(starts[place], 0.5)
            never = logical_and(own, greater(begin_side, 0.0)) if SHAPES[kind] is Sphere else own
            changes = logical_and(changes, logical_not(never))

    def step(active: Any, t: Any, a: Any, b: Any, fa: Any, fb: Any, best: Any) -> Any:
        at = a + t * (b - a)
        value = g(at)
        # The new point replaces the end with its sign; c is the end that it replaced, or that came before.
        positive, before = greater(value, 0.0), greater(fa, 0.0)
        same = logical_or(logical_and(positive, before), logical_not(logical_or(positive, before)))
        c, fc = where(same, a, b), where(same, fa, fb)
        b, fb = where(same, b, a), where(same, fb, fa)
        a, fa = at, value
        best = where(less(absolute(fa), absolute(fb)), a, b)
        width = absolute(b - a)
        least = 2.0 * EPSILON / maximum(width, EPSILON)
        xi, phi = divide(a - b, c - b), divide(fa - fb, fc - fb)
        safe = logical_and(less(phi * phi, xi), less((1.0 - phi) * (1.0 - phi), 1.0 - xi))
        quadratic = divide(fa, fb - fa) * divide(fc, fb - fc) + divide(c - a, b - a) * divide(fa, fc - fa) * divide(
            fb, fc - fb
        )
        t = where(logical_and(safe, less(absolute(quadratic), np.inf)), quadratic, 0.5)
        edge = minimum(least, 0.5)
        t = minimum(maximum(t, edge), 1.0 - edge)
        going = logical_and(less(least, 0.5), logical_and(not_equal(fa, 0.0), not_equal(fb, 0.0)))
        return going, t, a, b, fa, fb, best

    # The functions are nearly linear on a side, so the secant is a good start.
    first = divide(at_high, at_high - at_low)
    found = repeat(STEPS, step, [changes, first, high, low, at_high, at_low, high])
    return [found[6], where(changes, 1.0, 0.0), *sides]


def blockers(structure: Any, uniforms: Any, rows: Any, samples: Any, tables: Any) -> list[Any]:
    """The first two shapes that block the light at one of two positions and not at the other: ids, -1 for none, (n,).

    structure: the kinds of shape on the path, of the light, and of the tables. rows: the fields of the path's shapes,
    and numbers as for `switching`. samples: the side of the cell as x, y, dx, dy, the two positions, and the id of the
    shape that the ray starts on. tables: of each kind of shape its fields and ids.
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
