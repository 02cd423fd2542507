"""The certificate: between what the exact image is, so that the error of a computed one has a bound.

The exact value of a pixel is the mean of radiance over its square. Here it is enclosed, block by block of the image, in
affine forms c + a u + b v + e w of the place (u, v) in the block (`diffrt.autograd.affine`), from the same formulas as
those of the image:

- A block of which it is proved (`proof.py`) that all of it has one signature: of the form of its radiance the linear
  part has the mean 0, so the mean is within e of c.
- A block through which an edge goes. The form of its switching function g says the sign of g outside a strip of half
  width e / |(a, b)| around a line. With the block cut by that line, c + a u + b v of either side is integrated exactly;
  what may be wrong is the area of the strip times the largest difference of the two, and e of either side. On each
  assumption about the sign it is proved which signature is seen.
- A block in which two edges meet, or of which nothing is proved: the range of what may be seen there, which is between
  no light and the most that the materials can send of all lights (`Most`).

Blocks begin as the cells of the image, and are quartered while much of them is not known: the edges part, the strips
get narrower, less is unproved. All is proved anew. Of the image only the switching functions are used, which say where
a block may be cut, and cannot make a proof wrong. So the difference of the image from the enclosure bounds its error,
whatever its cells and its precision are.

It runs on numpy: compiling the bounds of shading takes longer than they do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import take
from diffrt.compiler.forms import PARTS, form, forms, holds_forms, lanes, length_of, parts_of
from diffrt.kinds import Material
from diffrt.tracer.cells import Cells
from diffrt.tracer.crossings import Crossings, crossing_row
from diffrt.tracer.proof import LEVEL, STRIP, Edge, proved_ids
from diffrt.tracer.shading import Samples, Scenery, light_path, weighted_radiance
from diffrt.tracer.switching import Place, Point, Segment, switching
from diffrt.tracer.tables import Blend, Columns, Integers, Tables
from diffrt.tracer.texturing import Blended, heights_of, places, textures_on
from diffrt.tracer.visibility import Labels, Signatures, Visibility
from diffrt.types import Array

HALVINGS = 4
"""How often a block is quartered at most."""

SHARE = 2.0**-4
"""A block is quartered if more than this part of what may stay unknown of a pixel is not known of it."""

MORE = 16
"""Of more than so many times as many blocks as there are cells, in each round, only the worst are quartered."""

TOGETHER = 1 << 14
"""Blocks that are looked at together."""

SLACK = 2.0**-40
"""For the rounding of what is computed here from forms, relatively. The forms themselves have theirs."""

LEAST = 2.0**-30
"""What may stay unknown of a pixel in any case, in parts of the most radiance that can be seen."""

HUGE = 1e300
"""More than any number of a scene, and finite."""

NAMES_OF_KINDS = frozenset({"face", "event", "ending", "light_kind", "kind"})
"""Fields of rows that `choose` goes by: they stay plain numbers."""

_SIGNS = np.array([[1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0]])
"""The signs of two switching functions."""


@dataclass(frozen=True)
class Blocks(Columns):
    """N squares of the image.

    x, y: the middle, half: of the side, in pixels, pixel: whose it is a part of, (N,) each. edges: the crossings of up
    to two edges that go through, -1 for none, (2, N). ends: two points of each, in pixels, (8, N).
    """

    x: Array
    y: Array
    half: Array
    pixel: Integers
    edges: Integers
    ends: Array


def enclose(
    view: Visibility, cells: Cells, size: tuple[int, int], enough: float, only: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Between what the pixels of an exact image are, (height, width, 3) twice; infinite where nothing can be said.

    cells: of the image, whose crossings say what edges there may be. size: width and height in pixels. enough: what may
    stay unknown of a pixel without more work. only: the pixels to look at, (height, width).
    """
    most = Most(view)
    enough = max(enough, LEAST * float(np.max(np.where(np.isfinite(most.anywhere), most.anywhere, 0.0))))
    cells = cells.with_mixed(np.flatnonzero(cells.between < 0))
    count = size[0] * size[1]
    sums = np.zeros((2, 3, count))
    with np.errstate(all="ignore"):
        blocks = _of_cells(cells, size)
        blocks = blocks[np.flatnonzero(only.ravel()[blocks.pixel])]
        limit = MORE * len(blocks.x)
        for halving in range(HALVINGS + 1):
            parts = [
                _ranges(view, cells.crossings, blocks[start : start + TOGETHER], most)
                for start in range(0, len(blocks.x), TOGETHER)
            ]
            ranges = np.concatenate([np.zeros((2, 3, 0)), *parts], -1) * (2.0 * blocks.half) ** 2
            width = (ranges[1] - ranges[0]).max(0)
            unknown = (sums[1] - sums[0]).max(0) + np.bincount(blocks.pixel, width, count)
            open_ = ~(width <= SHARE * enough) & ~(unknown <= enough)[blocks.pixel]
            worst = np.flatnonzero(open_)[np.argsort(-width[open_], kind="stable")[: limit // 4]]
            if halving == HALVINGS:
                worst = worst[:0]
            done = np.ones(len(width), bool)
            done[worst] = False
            pixel = blocks.pixel[done]
            for total, own in zip(sums.reshape(6, count), ranges.reshape(6, -1), strict=True):
                total += np.bincount(pixel, own[done], count)
            blocks = _quarters(blocks[np.sort(worst)])
        low, high = sums
        slack = SLACK * np.maximum(np.abs(low), np.abs(high))
        low, high = low - slack, high + slack
    shape = (3, size[1], size[0])
    nothing = ~(np.isfinite(low) & np.isfinite(high))
    low, high = np.where(nothing, -np.inf, low), np.where(nothing, np.inf, high)
    return np.moveaxis(low.reshape(shape), 0, -1), np.moveaxis(high.reshape(shape), 0, -1)


def _of_cells(cells: Cells, size: tuple[int, int]) -> Blocks:
    """The cells as blocks."""
    columns = size[0] * cells.per_pixel
    grid = np.flatnonzero(cells.grid >= 0)
    row, column = np.divmod(grid, columns)
    pixel = row // cells.per_pixel * size[0] + column // cells.per_pixel
    side = np.full(len(grid), 1.0 / cells.per_pixel)
    x = [(column + 0.5) * side, cells.x, cells.corner_x + 0.5 * cells.mixed_size]
    y = [(row + 0.5) * side, cells.y, cells.corner_y + 0.5 * cells.mixed_size]
    none = len(grid) + len(cells.x)
    edges, ends = _edges(cells)
    return Blocks(
        np.concatenate(x), np.concatenate(y), 0.5 * np.concatenate([side, cells.size, cells.mixed_size]),
        np.concatenate([pixel, cells.pixel, cells.mixed_pixel]), np.concatenate([np.full((2, none), -1), edges], 1),
        np.concatenate([np.full((8, none), np.nan), ends], 1),
    )  # fmt: skip


def _edges(cells: Cells) -> tuple[Integers, Array]:
    """Crossings of two edges of each mixed cell whose switching functions are known, -1 for none, (2, m); and of each
    edge two points, x and y in pixels, nan where only one is known, (8, m)."""
    crossings, count = cells.crossings, len(cells.mixed_size)
    if not len(crossings.s):
        return np.full((2, count), -1), np.full((8, count), np.nan)
    known = np.append(crossings.switches.found, False)
    side = np.where(known[cells.side], cells.side, -1)
    function = crossings.functions[side]
    first = np.take_along_axis(side, np.argmax(side >= 0, 0)[None], 0)
    other = (side >= 0) & (function != crossings.functions[first])
    second = np.where(other.any(0), np.take_along_axis(side, np.argmax(other, 0)[None], 0), -1)
    x, y = (np.append(part, np.nan) for part in crossings.places)
    ends = []
    for (edge,) in (first, second):
        again = (side >= 0) & (side != edge) & (function == crossings.functions[edge])
        far = np.where(again.any(0), np.take_along_axis(side, np.argmax(again, 0)[None], 0)[0], -1)
        qx, qy = x[far], y[far]
        qx[cells.meeting], qy[cells.meeting] = cells.meeting_x, cells.meeting_y
        ends += [x[edge], y[edge], qx, qy]
    return np.concatenate([first, second]), np.stack(ends)


def _quarters(blocks: Blocks) -> Blocks:
    """Four blocks of each."""
    half = np.tile(0.5 * blocks.half, 4)
    right, down = np.repeat([[-1.0, 1.0, -1.0, 1.0], [-1.0, -1.0, 1.0, 1.0]], len(blocks.x), 1)
    return Blocks(
        np.tile(blocks.x, 4) + right * half, np.tile(blocks.y, 4) + down * half, half, np.tile(blocks.pixel, 4),
        np.tile(blocks.edges, (1, 4)), np.tile(blocks.ends, (1, 4)),
    )  # fmt: skip


def _ranges(view: Visibility, crossings: Crossings, blocks: Blocks, most: "Most") -> tuple[Array, Array]:
    """Between what the mean radiance over blocks is, (3, N) twice."""
    count = len(blocks.x)
    functions = _edge_forms(view, crossings, blocks)
    # Of each the sign, 0 where it is not known; 1 of none.
    signs = np.stack([_sign(function) for function in functions])
    possible = ((signs[:, None] == 0.0) | (signs[:, None] == _SIGNS[..., None])).all(0)
    labels = np.full((4, count), -1, np.int32)
    which, block = np.nonzero(possible)
    labels[which, block] = _labels(view, blocks[block], functions[:, :, block], _SIGNS[:, which])
    shaded = np.zeros((3, PARTS, 4, count))
    shown = labels[which, block] >= 0
    which, block = which[shown], block[shown]
    shaded[:, :, which, block] = _radiance(view, blocks[block], labels[which, block], most)
    low, high = np.full((3, count), 0.0), np.repeat(most.anywhere[:, None], count, 1)
    proved = ((labels >= 0) | ~possible).all(0)
    unknown = (signs == 0.0).sum(0)
    for number in range(3):
        mine = np.flatnonzero(proved & (unknown == number))
        if not mine.size:
            continue
        if number == 0:
            form_ = np.take_along_axis(shaded[..., mine], np.argmax(possible[:, mine], 0)[None, None, None], 2)[:, :, 0]
            low[:, mine], high[:, mine] = form_[:, 0] - form_[:, -1], form_[:, 0] + form_[:, -1]
        elif number == 1:
            first = signs[0, mine] == 0.0
            function = np.where(first, functions[0][:, mine], functions[1][:, mine])
            sides = []
            for turn in (1.0, -1.0):
                sign = np.where(signs[:, mine] == 0.0, turn, signs[:, mine])
                here = np.argmax((_SIGNS[:, :, None] == sign[:, None]).all(0), 0)
                sides.append(np.take_along_axis(shaded[..., mine], here[None, None, None], 2)[:, :, 0])
            low[:, mine], high[:, mine] = cut(function, *sides)
        else:
            four = shaded[..., mine]
            reach = np.abs(four[:, 1:]).sum(1)
            low[:, mine], high[:, mine] = (four[:, 0] - reach).min(1), (four[:, 0] + reach).max(1)
    return np.maximum(low, 0.0), np.minimum(high, np.where(np.isfinite(high), most.anywhere[:, None], np.inf))


def _sign(function: Array) -> Array:
    """The sign of forms (4, N), 0 where it is not known."""
    reach = np.abs(function[1:]).sum(0) * (1.0 + SLACK)
    return np.where(function[0] > reach, 1.0, np.where(-function[0] > reach, -1.0, 0.0))


def cut(function: Array, plus: Array, minus: Array) -> tuple[Array, Array]:
    """Between what the mean is over blocks of the one form where a function is positive, and of the other elsewhere.

    function: (4, N). plus, minus: (3, 4, N). Returns (3, N) twice.
    """
    centre, a, b, error = function
    error = error + SLACK * (np.abs(centre) + np.abs(a) + np.abs(b))
    sharp = np.isfinite(error) & np.isfinite(centre)
    centre, a, b, error = (np.where(sharp, part, 0.0) for part in (centre, a, b, error))
    part, mu, mv = half_plane(centre, a, b)
    least = np.where(sharp, half_plane(centre - error, a, b)[0], 0.0)
    largest = np.where(sharp, half_plane(centre + error, a, b)[0], 1.0)
    difference = plus[:, :3] - minus[:, :3]
    mean = minus[:, 0] + difference[:, 0] * part + difference[:, 1] * mu + difference[:, 2] * mv
    reach = np.abs(difference[:, 1]) + np.abs(difference[:, 2])
    rise, fall = np.maximum(difference[:, 0] + reach, 0.0), np.maximum(reach - difference[:, 0], 0.0)
    more, less = np.maximum(largest - part, 0.0) + SLACK, np.maximum(part - least, 0.0) + SLACK
    error = plus[:, 3] * largest + minus[:, 3] * (1.0 - least)
    return mean - error - more * fall - less * rise, mean + error + more * rise + less * fall


def half_plane(c: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Of the part of the square [-1, 1]^2 where c + a u + b v > 0: its area, and the integrals of u and v over it, in
    parts of the area of the square, (N,) each.

    The part is a polygon. Its area is that of the triangles between a point of the line, or any if the line does not
    meet the square, and what is left of each side.
    """
    u, v = np.array([[-1.0, 1.0, 1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]])[..., None]
    value = c + a * u + b * v
    following = np.roll(value, -1, 0)
    u_next, v_next = np.roll(u, -1, 0), np.roll(v, -1, 0)
    crossed = (value > 0.0) != (following > 0.0)
    s = np.where(crossed, value / np.where(crossed, value - following, 1.0), 0.0)
    begin = np.where(value > 0.0, 0.0, np.where(crossed, s, 1.0))
    end = np.where(following > 0.0, 1.0, np.where(crossed, s, begin))
    points = [(u + t * (u_next - u), v + t * (v_next - v)) for t in (begin, end, s)]
    (u0, v0), (u1, v1), line = points
    some = np.argmax(crossed, 0)[None]
    ru, rv = (np.where(crossed.any(0), np.take_along_axis(p, some, 0)[0], 0.0) for p in line)
    area = 0.5 * ((u0 - ru) * (v1 - rv) - (v0 - rv) * (u1 - ru))
    moments = (((p0 + p1 + r) / 3.0 * area).sum(0) for p0, p1, r in ((u0, u1, ru), (v0, v1, rv)))
    whole, mu, mv = area.sum(0), *moments
    return whole / 4.0, mu / 4.0, mv / 4.0


def _labels(view: Visibility, blocks: Blocks, functions: Array, signs: Array) -> Labels:
    """The labels of the signatures that blocks are proved to have where their edges have these signs, (2, N), -1 where
    nothing is proved.

    functions: of the edges, as forms (2, 4, N). All is asked of the part of a block in which they can have these signs.
    """
    if not (blocks.edges >= 0).any():
        return proved_ids(view, blocks.x, blocks.y, 2.0 * blocks.half)
    edges = []
    for edge, ends, function, sign in zip(blocks.edges, blocks.ends.reshape(2, 4, -1), functions, signs, strict=True):
        centre, a, b, error = function
        slope = np.hypot(a, b)
        error = error * (1.0 + SLACK) + SLACK * (np.abs(centre) + np.abs(a) + np.abs(b))
        there = (edge >= 0) & np.isfinite(error) & np.isfinite(centre) & (slope > 0.0)
        slope = np.where(there, slope, 1.0)
        nx, ny = (np.where(there, sign * part / slope, 0.0) for part in (a, b))
        level, beyond = (
            np.where(there, (far - sign * centre) / slope + more, -HUGE)
            for far, more in ((-error, 0.0), (error, STRIP))
        )
        across, down = (np.divide(1.0, n, out=np.zeros(len(n)), where=np.abs(n) > LEVEL) for n in (nx, ny))
        px, py, qx, qy = np.where(there, ends, np.nan)
        edges.append(Edge(px, py, qx, qy, nx, ny, across, down, level, beyond + STRIP))
    return proved_ids(view, blocks.x, blocks.y, 2.0 * blocks.half, tuple(edges))


def _edge_forms(view: Visibility, crossings: Crossings, blocks: Blocks) -> Array:
    """The switching functions of the edges of blocks as forms over them, (2, 4, N); 1 where there is none."""
    found = np.zeros((2, PARTS, len(blocks.x)))
    found[:, 0] = 1.0
    number, some = np.nonzero(blocks.edges >= 0)
    if not some.size:
        return found
    used, which = np.unique(blocks.edges[number, some], return_inverse=True)
    tables, own = view.tables, crossings[used]
    row = crossing_row(tables, crossings.signatures[own.path], own.switches)
    x, y = _place(blocks[some])
    zero = np.zeros(len(some))
    value = switching(tables.kinds, tables.camera[..., None], _lanes(row, which), Place(0.0, Segment(x, y, 0.0, 0.0)))
    found[number, :, some] = np.array(parts_of(value, zero)).reshape(PARTS, -1).T
    return found


def _radiance(view: Visibility, blocks: Blocks, labels: Labels, most: "Most") -> Array:
    """The radiance of signatures as forms over blocks, (3, 4, N)."""
    zero = np.zeros(len(labels))
    found = np.zeros((3, PARTS, len(labels)))
    if not len(labels):
        return found
    tables, signatures = view.tables, view.signatures
    used, which = np.unique(labels, return_inverse=True)
    some = np.flatnonzero(signatures.ended[used][which])
    if not some.size:
        return found
    which, zero = which[some], zero[some]
    path = light_path(tables, signatures[used])
    x, y = _place(blocks[some])
    textures = None
    if tables.blends:
        textured, textures = _blend(tables, signatures[used], path, x, y, which)
        path = path._replace(textured=textured)
    lights = tuple(tables.lights[:, number, None] for number in range(len(tables.kinds.lights)))
    kinds = tables.kinds._replace(scattering=tuple(map(_held, tables.kinds.scattering)))
    value = weighted_radiance(
        kinds, Scenery(tables.camera[..., None], lights), _lanes(path, which), Samples(x, y, 1.0, textures)
    )
    found[..., some] = np.array(parts_of(value, zero)).reshape(3, PARTS, -1)
    found[..., some] = _at_most(found[..., some], most.of(signatures[used])[:, which])
    return found


def _held(kind: type[Material]) -> Any:
    """A kind of material whose formulas on forms say no more than what it can send, where they are loose."""

    class Held:
        """An object of it."""

        def __init__(self, material: Material) -> None:
            self.material = material

        @classmethod
        def unpack(cls, row: Any) -> "Held":
            return cls(kind.unpack(row))

        def brdf(self, n: Any, to_eye: Any, to_light: Any) -> Any:
            # It is finite, so that it is nothing where no light comes.
            return _limited(self.material.brdf(n, to_eye, to_light), HUGE)

        def ambient(self, n: Any, to_eye: Any) -> Any:
            return _limited(self.material.ambient(n, to_eye), _upper(self.material.at_most()[1]))

    return Held


def _limited(values: Any, most: Any) -> Any:
    """Forms (k, 1) of numbers that are between 0 and others, (k, N)."""
    if not holds_forms(values):
        return values
    zero = np.zeros(np.broadcast_shapes(np.shape(most)[-1:], (length_of(values),)))
    found = _at_most(np.array(parts_of(values, zero)).reshape(*np.shape(values)[:-1], PARTS, -1), most)
    return forms(found.reshape(-1, found.shape[-1])).reshape(np.shape(values))


def _at_most(parts: Array, most: Any) -> Array:
    """Forms (k, 4, N) of numbers that are between 0 and others, (k, N); where they say less than that, it is said."""
    half = np.broadcast_to(np.where(np.isfinite(most), 0.5 * np.asarray(most), np.inf), parts[..., 0, :].shape)
    loose = ~np.isfinite(parts).all(-2) | (np.abs(parts[..., 1:, :]).sum(-2) > half)
    nothing = np.zeros(half.shape)
    box = np.stack([np.where(np.isfinite(half), half, 0.0), nothing, nothing, half], -2)
    return np.where(loose[..., None, :], box, parts)


def _blend(
    tables: Tables, signatures: Signatures, path: Any, x: Any, y: Any, which: Integers
) -> tuple[Blended, Blended]:
    """What textures give, as `texturing.blend`: which numbers of K paths, (places, K), and these numbers as forms."""
    kinds, face = tables.kinds, signatures.face.astype(np.int64)
    count, heights = heights_of(tables, len(face))
    masks = [np.zeros((height, face.shape[1])) for height in heights]
    given = [np.zeros((PARTS, height, len(which))) for height in heights]
    surfaces = tuple(_lanes(hit, which) for hit in path.surfaces)
    zero = np.zeros(len(which))
    uv = np.array(parts_of(places(kinds, tables.camera[..., None], surfaces, Point(x, y)), zero))
    uv = uv.reshape(len(face), 2, PARTS, -1)
    for each, bounce, met, part, slots, around in textures_on(tables, face, count):
        masks[part][slots] += met
        mine = np.flatnonzero(met[which])
        given[part][:, np.array(slots)[:, None], mine] = _texture(each, uv[bounce][..., mine], around)
    values = [forms(np.moveaxis(parts, 0, 1).reshape(-1, len(which))).reshape(-1, 1) for parts in given]
    return Blended.of(masks, count), Blended.of(values, count)


def _texture(each: Blend, uv: Array, around: tuple[bool, bool]) -> Array:
    """The values of a texture as forms, (4, places, N), for the forms of u and v, (2, 4, N): from the value in the
    middle they go with slopes between the least and the largest."""
    size = (len(each.places), uv.shape[-1])
    reach = np.abs(uv[:, 1:]).sum(1) * (1.0 + SLACK) + SLACK
    known = np.isfinite(reach).all(0) & np.isfinite(uv[:, 0]).all(0)
    (u, v), reach = np.where(known, uv[:, 0], 0.0), np.where(known, reach, np.inf)
    along, upward = (u - reach[0], u + reach[0]), (v - reach[1], v + reach[1])
    low, high = (np.broadcast_to(side, size) for side in each.texture.bounds(along, upward, around))
    box = _box(low, high)
    value = np.reshape(each.texture.value(u, v, around), size)
    found = np.stack([value, 0.0 * value, 0.0 * value, SLACK * np.maximum(np.abs(low), np.abs(high))])
    for x, r, slope in zip(uv, reach, each.texture.slopes(along, upward, around), strict=True):
        least, most = (np.broadcast_to(side, size) for side in slope)
        steep = 0.5 * least + 0.5 * most
        found[1:3] += steep * x[1:3, None]
        found[3] += (np.abs(steep) * x[3] + (most - steep) * r) * (1.0 + SLACK)
    better = np.isfinite(found).all(0) & (np.abs(found[1:]).sum(0) <= box[-1])
    return np.where(better, found, box)


def _box(low: Array, high: Array) -> Array:
    """Numbers between two others as forms, (4, ...)."""
    middle, half = 0.5 * low + 0.5 * high, (0.5 * high - 0.5 * low) * (1.0 + SLACK) + SLACK * np.abs(high)
    known, zero = np.isfinite(middle) & np.isfinite(half), np.zeros(np.shape(middle))
    return np.stack([np.where(known, middle, 0.0), zero, zero, np.where(known, half, np.inf)])


def _place(blocks: Blocks) -> tuple[Any, Any]:
    """x and y of all points of blocks."""
    zero = np.zeros(len(blocks.x))
    return form(blocks.x, [blocks.half, zero]), form(blocks.y, [zero, blocks.half])


def _lanes(row: Any, which: Integers, name: str = "") -> Any:
    """Of the rows of a kernel, each number (..., K), those that N blocks take, as entries among forms."""
    if row is None:
        return None
    if hasattr(row, "_fields"):
        return type(row)(*(_lanes(getattr(row, field), which, field) for field in row._fields))
    if isinstance(row, tuple):
        return tuple(_lanes(part, which, name) for part in row)
    own = take(np.asarray(row), which, -1)
    return own if name in NAMES_OF_KINDS or not own.size else lanes(own)


class Most:
    """The most radiance that can be seen: of any path, and of one with a given signature.

    anywhere: (3,), inf where that is not known.
    """

    def __init__(self, view: Visibility) -> None:
        tables = view.tables
        kinds, self.tables = tables.kinds, tables
        numbers = as_forms_of_materials(tables)
        pieces = tables.materials.shape[-1] - 1
        shape = np.searchsorted(tables.first_piece, np.arange(pieces), "right") - 1
        # Of each piece: of the light that reaches it, of that from everywhere, and what it emits.
        self.direct, self.around = np.zeros((2, 3, pieces))
        glow = _emission(tables) if kinds.emitting else np.zeros((3, pieces))
        self.emission = np.concatenate([_upper(glow[:, piece, None]) for piece in range(pieces)] or [glow], 1)
        for number, kind in enumerate(kinds.scattering):
            mine = np.flatnonzero(tables.scatters[shape] == number)
            for piece in mine:
                for kept, value in zip((self.direct, self.around), kind.unpack(numbers[:, piece, None]).at_most(),
                                       strict=True):  # fmt: skip
                    kept[:, piece] = np.broadcast_to(_upper(np.asarray(value)), (3, 1))[:, 0]
        self.background = np.zeros(3)
        if kinds.background:
            sky = kinds.background.unpack(tables.materials[:, -1:]).at_most()
            self.background = np.broadcast_to(sky, (3, 1))[:, 0] * (1.0 + SLACK)
        # Of each light on each face.
        faces = len(tables.face_kind)
        self.irradiance = np.zeros((len(kinds.lights), 3, faces))
        for light, kind_of_light in enumerate(kinds.lights):
            source = kind_of_light.unpack(tables.lights[:, light, None])
            if kind_of_light.everywhere:
                self.irradiance[light] = source.radiance
                continue
            distance = np.zeros(faces)
            origin = source.origin()
            if origin is not None:
                for number, face in enumerate(kinds.faces):
                    mine = np.flatnonzero(tables.face_kind == number)
                    own = face.unpack(tables.shapes[:, tables.shape_of[mine]])
                    distance[mine] = own.clearance(origin) * (1.0 - 1e-9)
            self.irradiance[light] = source.at_most(distance)
        ends = [self.background]
        for face_number, number in enumerate(tables.shape_of):
            own_pieces = np.flatnonzero(shape == number)
            ends.append(self._sent(np.full(own_pieces.shape, face_number), own_pieces, None).max(1))
        self.anywhere = np.max(ends, 0) + self.emission.max(1, initial=0.0) * kinds.bounces
        self.anywhere = np.where(np.isfinite(self.anywhere), self.anywhere, np.inf)

    def _sent(self, face: Integers, piece: Integers, lit: NDArray[np.bool_] | None) -> Array:
        """What pieces send of the lights that reach them, all if lit is None, (3, N)."""
        total = np.zeros((3, len(face)))
        for light, kind in enumerate(self.tables.kinds.lights):
            share = self.around if kind.everywhere else self.direct
            share, light_there = share[:, piece], self.irradiance[light][:, face]
            added = np.where((share > 0.0) & (light_there > 0.0), share * light_there, 0.0)  # 0 * inf is nothing
            total += added if kind.everywhere or lit is None else np.where(lit[light], added, 0.0)
        return total * (1.0 + SLACK)

    def of(self, signatures: Signatures) -> Array:
        """That of paths with these signatures, (3, K); what mirrors take away is not counted."""
        tables, faces = self.tables, signatures.face.astype(np.int64)
        kind, column = tables.ends(faces, signatures.piece)
        count = (faces >= 0).sum(0)
        last = faces[np.maximum(count - 1, 0), np.arange(faces.shape[1])]
        scatters = (kind >= 0) & (kind < len(tables.kinds.scattering))
        found = np.zeros((3, faces.shape[1]))
        mine = np.flatnonzero(scatters)
        found[:, mine] = self._sent(last[mine], column[mine], signatures.lit[:, mine])
        found[:, kind == len(tables.kinds.scattering)] = self.background[:, None]
        if tables.kinds.emitting:
            for face, piece in zip(faces, signatures.piece, strict=True):
                met = np.flatnonzero(face >= 0)
                found[:, met] += self.emission[:, tables.first_piece[tables.shape_of[face[met]]] + piece[met]]
        return found


def as_forms_of_materials(tables: Tables) -> Any:
    """The table of materials, in which numbers that textures give are forms of all that they can be."""
    if not any(not each.emits for each in tables.blends):
        return tables.materials
    found = tables.materials.astype(object)
    for each in tables.blends:
        if not each.emits:
            _put_range(found, tables, each)
    return found


def _emission(tables: Tables) -> Any:
    """The table of emission in the same way."""
    found = tables.emission.astype(object)
    for each in tables.blends:
        if each.emits:
            _put_range(found, tables, each)
    return found


def _put_range(table: Any, tables: Tables, each: Blend) -> None:
    """Write what a texture can be anywhere into a table, in place."""
    ends = (np.array([-np.inf]), np.array([np.inf]))
    sides = each.texture.bounds(ends, ends, (False, False))
    low, high = (np.broadcast_to(np.reshape(side, (-1, 1)), (len(each.places), 1)) for side in sides)
    entries = forms(np.moveaxis(_box(low, high), 0, 1).reshape(-1, 1))
    pieces = np.append(tables.first_piece, tables.materials.shape[-1] - 1)
    for piece in range(pieces[each.shape], pieces[each.shape + 1]):
        table[list(each.places), piece] = entries


def _upper(x: Any) -> Array:
    """The largest that numbers and forms can be, of forms (..., N) in place of (..., 1)."""
    x = np.asarray(x)
    if not holds_forms(x):
        return np.asarray(x, float) * (1.0 + SLACK)
    parts = np.array(parts_of(x, np.zeros(length_of(x)))).reshape(*x.shape[:-1], PARTS, -1)
    most = (parts[..., 0, :] + np.abs(parts[..., 1:, :]).sum(-2)) * (1.0 + SLACK)
    return np.where(np.isnan(most), np.inf, most)


__all__ = ["Blocks", "Most", "cut", "enclose", "half_plane"]
