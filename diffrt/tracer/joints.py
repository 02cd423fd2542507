"""Joints: where the edge through a cell bends, or the two edges in it meet, and whether that is all there is.

A cell with edges in it is cut from its crossings to its joint (`regions.py`). Here joints are looked for, and proved.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.tracer.cells import CORNERS, SIDES
from diffrt.tracer.crossings import (
    Crossings,
    Rows,
    Sides,
    chord_normal,
    find_bends,
    find_meetings,
    joined,
)
from diffrt.tracer.lattice import Floats, Integers, corners_of, middles_of
from diffrt.tracer.proof import beside, proved_ids
from diffrt.tracer.tables import Columns
from diffrt.tracer.visibility import Labels, Visibility

BEND = 0.15
"""The largest bend of an edge within a cell, in parts of its chord."""

LINED, ROOM = 0.1, 0.02
"""How far from the line through two of its points an edge may be that meets another one, and any edge more than it
would be as a parabola, in sides of the cell. The proof is about nothing else; if it is not so, it fails."""

CORNER = 3e-3
"""How near to a corner, in sides, a crossing is as good as at it."""

OUTSIDE = 2e-5
"""How far, in halves of a side, an edge through a cell may be outside of it."""

TOGETHER = 1e-9
"""How near to each other, in sides, two edges cross a side if they are one."""

LEVEL = 0.25
"""The slope under which an edge runs along a side."""

STEEP = 0.1
"""The sine of the smallest angle at which two edges meet: where they nearly touch, they may do so anywhere."""


@dataclass(frozen=True)
class Joints(Columns):
    """Where the edges of n mixed cells join (`regions.py`).

    found: whether it is known; if not, it is the mean of the crossings. meets: whether two edges meet, else one edge
    goes through. stays: whether one does not leave the cell in between. inside: whether the joint is in the cell. pair:
    the crossings of the two edges, or the two of one, (2, n). x, y: of a meeting. bend: of one edge. All but pair are
    (n,).
    """

    found: NDArray[np.bool_]
    meets: NDArray[np.bool_]
    stays: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    pair: Integers
    x: Floats
    y: Floats
    bend: Crossings


def nothing_else(
    view: Visibility, crossings: Crossings, joints: Joints, label: Labels, keys: Integers, size: float
) -> NDArray[np.bool_]:
    """Whether no more is seen in mixed cells of one size than at their corners: it is proved what is on either side of
    their edges. label: of the corners, (4, n)."""
    proved, meets = joints.found.copy(), joints.meets
    cell = np.flatnonzero(proved)
    signs = [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)]
    cells = [cell, cell, cell[meets[cell]], cell[meets[cell]]]
    asked = np.concatenate(cells)
    first, second = np.repeat(np.array(signs), [len(c) for c in cells], 0).T
    chords = chords_of(crossings, joints.pair, meets, joints.x, joints.y)
    bent = bent_by(chords[0], joints, size)
    x, y = middles_of(keys, size)
    edges = []
    for own, turn in zip(chords, (first, np.where(meets[asked], second, first)), strict=True):
        edges.append(beside(own[asked].segment, turn, bent[asked], x[asked], y[asked], size))
    found = proved_ids(view, x[asked], y[asked], size, tuple(edges))
    proved[asked[(found < 0) | (label[:, asked] != found).all(0)]] = False
    return proved


def bent_by(chord: Sides, joints: Joints, size: float) -> Floats:
    """How far at most the edges of cells of one size are from the lines through two of their points, in pixels."""
    length = np.maximum(np.hypot(chord.dx, chord.dy), 1e-300)
    found: Floats = np.where(joints.meets, LINED, ROOM + 4.0 * np.abs(joints.bend.s - 0.5) * size / length) * size
    return found


def find_joints(
    rows: Rows, crossings: Crossings, side: Integers, label: Labels, keys: Integers, size: float, allowed: float | None
) -> Joints:
    """The joints of mixed cells of one size, looked for from their crossings.

    One is found if what is then cut off is right but for an allowed area, in pixels: on both sides of each edge,
    half-way to the joint, are the signatures of the corners beside it.

    side: the crossings on the sides of each, -1 for none, (4, n). label: of their corners, (4, n).
    """
    view, there = rows.view, side >= 0
    function = crossings.functions[side]
    least = np.where(there, function, np.iinfo(np.int64).max).min(0)
    most = function.max(0)
    known = np.append(crossings.switches.found, True)[side].all(0)
    others = there & (function != least) & (function != most)
    # Edges of faces share corners; three others that meet in one point do so by chance, and part when anything moves.
    bordered = np.append(crossings.switches.border >= 0, True)[side].all(0)
    meets = known & (least != most) & (bordered | ~others.any(0))
    bends = known & (least == most) & (there.sum(0) == 2)
    # One crossing of each of the two edges, or both of the one.
    columns = np.arange(len(keys))
    first = side[np.argmax(function == least, 0), columns]
    last = side[3 - np.argmax(np.where(there, function == most, False)[::-1], 0), columns]
    pair = np.stack([first, last])
    px, py = (c[side] for c in crossings.places)
    left, top = corners_of(keys, size)
    x, y, inverse = np.zeros(len(keys)), np.zeros(len(keys)), np.zeros((4, len(keys)))
    m = np.flatnonzero(meets)
    count = there[:, m].sum(0)
    start = [np.where(there[:, m], p[:, m], 0.0).sum(0) / count for p in (px, py)]
    meet = meets[m]
    if m.size:
        # Of three edges and more, as at a corner of three faces, all meet where the first two do.
        more, cell = np.nonzero(others[:, m])
        one, two = np.append(first[m], first[m[cell]]), np.append(last[m], side[more, m[cell]])
        at = np.append(np.arange(len(m)), cell)
        mx, my, slopes, meets_too = find_meetings(rows, crossings[one], crossings[two], *(p[at] for p in start))
        x[m], y[m], inverse[:, m], meet = mx[: len(m)], my[: len(m)], slopes[:, : len(m)], meets_too[: len(m)]
        apart = np.maximum(np.abs(mx - x[m][at]), np.abs(my - y[m][at])) > TOGETHER * size
        meet[at[apart | ~meets_too]] = False
    half = 0.5 * size
    middles = left + half, top + half

    def inside(x: Floats, y: Floats, which: Any = slice(None)) -> NDArray[np.bool_]:
        aside = np.maximum(np.abs(x - middles[0][which]), np.abs(y - middles[1][which]))
        found: NDArray[np.bool_] = aside <= half * (1.0 + OUTSIDE)
        return found

    xx, xy, yx, yy = inverse[:, m]
    sine = np.abs(xx * yy - xy * yx) / np.maximum(np.hypot(xx, yx) * np.hypot(xy, yy), 1e-300)
    meets[m] = meet & inside(x[m], y[m], m) & (sine >= STEEP)
    across, mx, my = chord_normal(*(c for end in pair for c in (crossings.segments[end].at(crossings.s[end]))))
    b = np.flatnonzero(bends)
    bend = crossings[first]
    found, crossed = find_bends(rows, crossings[first[b]], Sides(*across)[b])
    s, switches = np.full(len(keys), 0.5), bend.switches
    s[b] = found.s
    switches.put(b, found.switches)
    bend = Crossings(Sides(*across), s, bend.path, view.signatures, switches)
    bends[b] = crossed & (np.abs(found.s - 0.5) <= BEND)
    # How far the edge is from the middle of its chord, in sides of the segment across it.
    bow = s - 0.5
    ok = meets | bends
    if allowed is not None:
        which, cell = np.nonzero(there & ok)
        ox, oy = px[which, cell], py[which, cell]
        jx, jy = np.where(meets, x, mx)[cell], np.where(meets, y, my)[cell]
        dx, dy = jx - ox, jy - oy
        length = np.maximum(np.hypot(dx, dy), 1e-300)
        # Half-way from a crossing to the joint; an edge that bends is there 3/4 as far from its chord as in the middle.
        bx, by = (np.where(meets, 0.0, 0.75 * bow * d)[cell] for d in (across.dx, across.dy))
        off = np.minimum(1.5 * allowed / length, 0.25 * length)
        nx, ny = -dy / length * off, dx / length * off
        qx, qy = 0.5 * (ox + jx) + bx, 0.5 * (oy + jy) + by
        begin, end = label[SIDES[which, 0], cell], label[SIDES[which, 1], cell]
        corner = SIDES[which, 0]
        cx, cy = left[cell] + size * CORNERS[0, corner], top[cell] + size * CORNERS[1, corner]
        turned = (cx - ox) * nx + (cy - oy) * ny < 0.0
        one, two = view.signature_ids(np.append(qx + nx, qx - nx), np.append(qy + ny, qy - ny)).reshape(2, -1)
        fits = (np.where(turned, two, one) == begin) & (np.where(turned, one, two) == end)
        # Where edges meet they are as straight up to there: the tangents at the joint point to the crossings.
        own = np.where(function[which, cell] == least[cell], 1, 0)
        tx, ty = inverse[own, cell], inverse[2 + own, cell]
        aside = np.abs(dx * ty - dy * tx) / np.maximum(np.hypot(tx, ty), 1e-300)
        fits &= ~meets[cell] | (aside <= 4.0 * off)
        ok[cell[~fits]] = False
    stays, within = (
        inside(np.where(meets, x, mx + far * bow * across.dx), np.where(meets, y, my + far * bow * across.dy))
        for far in (1.0, 4.0 / 3.0)
    )
    return Joints(ok, meets & ok, stays, within & ok, pair, x, y, bend)


def off_corners(
    rows: Rows, crossings: Crossings, side: Integers, label: Labels, keys: Integers, size: float
) -> tuple[Crossings, Integers, Labels]:
    """The same cells with one edge, without crossings that are as good as at a corner, and along whose side the edge
    runs: the corner is taken to be on the edge's other side, and the crossing to be where the edge meets the line of
    the corner's other side, which is outside of the cell by next to nothing.

    In scenes of round numbers balls touch borders of pixels. There a crossing moves along the side like a root, at any
    speed.
    """
    there = side >= 0
    alone = np.flatnonzero(there.sum(0) == 2)
    s = crossings.s[side[:, alone]]
    near = there[:, alone] & (np.minimum(s, 1.0 - s) < CORNER)
    if not near.any():
        return crossings, side, label
    which, cell = np.nonzero(near)
    cell = alone[cell]
    number = side[which, cell]
    at_end = (crossings.s[number] > 0.5).astype(np.int64)
    corner, neighbour = SIDES[which, at_end], SIDES[which, 1 - at_end]
    other = np.where(corner == which, (which - 1) % 4, corner)  # sides and corners go round alike
    far = np.where(there[:, cell] & (np.arange(4)[:, None] != which), side[:, cell], -1).max(0)
    functions = crossings.functions
    (px, py), (qx, qy) = (crossings.segments[end].at(crossings.s[end]) for end in (number, far))
    own = crossings.segments[number]
    runs = np.abs((qx - px) * own.dy - (qy - py) * own.dx) < LEVEL * np.abs((qx - px) * own.dx + (qy - py) * own.dy)
    one = (functions[number] == functions[far]) & ~there[other, cell] & crossings.switches.found[number]
    if not (runs & one).any():
        return crossings, side, label
    which, cell, number, corner, neighbour, other = (
        each[runs & one] for each in (which, cell, number, corner, neighbour, other)
    )
    x, y = corners_of(keys[cell], size)
    begin, end = SIDES[other].T
    (bx, by), (ex, ey) = (size * CORNERS[:, each] for each in (begin, end))
    line = Sides(x + bx, y + by, ex - bx, ey - by)
    at = (corner == end).astype(float)
    around = Sides(*line.at(at - BEND), 2.0 * BEND * line.dx, 2.0 * BEND * line.dy)
    moved, found = find_bends(rows, crossings[number], around)
    moved = Crossings(line, at + (2.0 * moved.s - 1.0) * BEND, moved.path, moved.signatures, moved.switches)
    found &= np.abs(moved.s - at) < CORNER
    cell, which, other, corner, neighbour = (each[found] for each in (cell, which, other, corner, neighbour))
    side, label = side.copy(), label.copy()
    side[which, cell], side[other, cell] = -1, len(crossings.s) + np.arange(len(cell))
    label[corner, cell] = label[neighbour, cell]
    return joined(rows.view, [crossings, moved[found]]), side, label


def as_one_edge(rows: Rows, crossings: Crossings, side: Integers) -> tuple[Crossings, Integers]:
    """The same cells, in which the shadow border of an edge that two faces share has one switching function.

    On which of them a crossing is depends on which face ends at that side of the cell too: one of the two may be a
    sliver, as seen from the light. Both functions are zero along the edge, so either of them does.
    """
    switches = crossings.switches
    able = np.append(switches.found & (switches.border >= 0) & (switches.light >= 0), False)[side]
    if not (able.sum(0) > 1).any():
        return crossings, side
    function = np.where(able, crossings.functions[side], np.iinfo(np.int64).max)
    base = np.argmin(function, 0)
    which, cell = np.nonzero(able & (function != function.min(0)))
    first, second = side[base[cell], cell], side[which, cell]
    alike = (switches.light[first] == switches.light[second]) & (switches.shape[first] != switches.shape[second])
    if not alike.any():
        return crossings, side
    which, cell, first, second = which[alike], cell[alike], first[alike], second[alike]
    side, found, open_ = side.copy(), crossings, np.ones(len(cell), bool)
    # A face that is seen from its edge has a function that ends beside it: then it is the other one's.
    for own, other, place in ((first, second, which), (second, first, base[cell])):
        met, there = find_bends(rows, crossings[own], crossings.segments[other])
        one = np.flatnonzero(open_ & there & (np.abs(met.s - crossings.s[other]) < TOGETHER))
        open_[one] = False
        side[place[one], cell[one]] = len(found.s) + np.arange(len(one))
        found = joined(rows.view, [found, met[one]])
    return found, side


def chords_of(
    crossings: Crossings, pair: Integers, meets: NDArray[np.bool_], x: Floats, y: Floats
) -> tuple[Sides, Sides]:
    """From a crossing of each of the two edges to where they meet, at x, y; elsewhere the chord of the one edge,
    twice."""
    (px, py), (qx, qy) = (crossings.segments[end].at(crossings.s[end]) for end in pair)
    ex, ey = np.where(meets, x, qx), np.where(meets, y, qy)
    qx, qy = np.where(meets, qx, px), np.where(meets, qy, py)
    return Sides(px, py, ex - px, ey - py), Sides(qx, qy, ex - qx, ey - qy)
