"""Blocks: cells by proof.

Blocks of the image are asked for a proof (`proof.py`) that all of their points have one signature, from large to small.
Where there is none, a block is halved on, past the cells of the grid, until what can be wrong in it is under the
tolerance, which is an area in pixels:

- A cell of which all is proved is one sample, if radiance is flat enough over it.
- A cell whose corners differ in signature has an edge in it, or two that meet. It is cut there (`regions.py`) if the
  edges are where they are taken to be, to a small part of the tolerance, and if it is proved, on each assumption about
  the signs of their switching functions, that nothing else is seen in the cell.
- A cell whose own area is under the tolerance is taken as its corners say, and no proof is asked for.

How much is not proved in the end is found out when a report is asked for it (`Doubts`). A block asks nothing of its
neighbours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.tracer.cells import CORNERS, SIDES, SMALLEST, Cells, Doubt
from diffrt.tracer.crossings import (
    Crossings,
    Rows,
    Sides,
    chord_normal,
    find_bends,
    find_crossings,
    find_meetings,
    functions_of,
    joined,
    prepare,
)
from diffrt.tracer.proof import beside, proved_ids
from diffrt.tracer.shading import Samples, curvature, lighting, shade
from diffrt.tracer.tables import Columns
from diffrt.tracer.visibility import Labels, Visibility, alike
from diffrt.tracer.window import BLOCK, Window

LARGEST = int(log2(BLOCK))
"""Blocks have at most 2^LARGEST cells of the grid on a side."""

STRAIGHT = 2.0**-6
"""What a cut may be wrong by, in tolerances. Whether a cell is halved changes as an edge moves, and each such change is
a jump of the image of up to so much."""

BEND = 0.15
"""The largest bend of an edge within a cell, in parts of its chord."""

ROUNDS = 1
"""How often switching functions are looked for in cells that can be halved."""

LINED, ROOM = 0.1, 0.02
"""How far from the line through two of its points an edge may be that meets another one, and any edge more than it
would be as a parabola, in sides of the cell. The proof is about nothing else; if it is not so, it fails."""

CORNER = 3e-3
"""How near to a corner, in sides, a crossing is as good as at it."""

OUTSIDE = 2e-5
"""How far, in halves of a side, an edge through a cell may be outside of it."""

LEVEL = 0.25
"""The slope under which an edge runs along a side."""

HOPELESS = 3
"""How often a cell and its parents are halved though no part of them is proved. Along an edge, however thin, there are
parts that are; where surfaces lie in one place, none ever is."""

STEEP = 0.1
"""The sine of the smallest angle at which two edges meet: where they nearly touch, they may do so anywhere."""

FLAT = 0.0625
"""What taking one sample of a cell may be wrong by, in tolerances of the mean radiance."""

SAVED, SMOOTH = 32.0, 8.0
"""How many times as large an error is of one sample of a region, and of a cell without an edge, as of several."""

ASKEW = 0.5 / 3.0**0.5 * 2.0 - 0.5
"""How much farther from the middle of a cell Gauss's two by two points are than the middles of its quarters, in sides
of these."""

LOOKED_AT = 3
"""Whether radiance is flat is asked of blocks of at most 2^LOOKED_AT cells on a side; of more, five points tell little.
"""

PROBES = 16
"""The mean radiance is that of so many by so many points."""

ASIDE = 0.7 * 2.0**-34, 0.9 * 2.0**-34
"""How far to the left and above of the cells, in pixels, is looked for what they hold. In scenes of round numbers edges
run exactly along borders of cells, and each must be found in one of the two."""

Proof = Callable[[float], NDArray[np.bool_]]
"""Says of cells whether nothing else is seen in them; it is given the side of all of them, in pixels."""

Integers = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]

_BITS = 31
_ROW = 1 << _BITS  # keys of lattice points and cells are column + _ROW * row
_CORNERS = np.array([0, 1, 1 + _ROW, _ROW])[:, None]  # top left, top right, bottom right, bottom left


def divide(view: Visibility, window: Window, cells: int, tolerance: float) -> Cells:
    """The cells of what is seen through a window.

    cells: per pixel side. tolerance: what may be wrong in a cell, as an area in pixels.
    """
    size = window.size
    columns, rows = size[0] * cells, size[1] * cells
    wanted = np.ones((rows, columns), bool)
    if window.pixels is not None:
        wanted = window.pixels.repeat(cells, 0).repeat(cells, 1)
    flat, rows_ = _Flatness(view, window, tolerance * FLAT), Rows(view)
    _prepare(rows_)
    grid, rough, error = _blocks(view, flat, wanted, window, cells)
    keys = _key(*np.divmod(np.flatnonzero((grid < 0) & wanted), columns))
    barren = np.zeros(len(keys), np.int64)
    last = min(max(ceil(-0.5 * log2(tolerance * cells * cells)), 0), SMALLEST)
    if last == 0:
        rough, error = rough[:0], error[:0]
    rough_keys, rough_labels = _key(*np.divmod(rough, columns)), grid.ravel()[rough]
    grid.ravel()[rough] = -1
    parts = _Parts()
    for level in range(last + 1):
        # Few cells are left before the last level; they are as soon halved once more.
        if keys.size and not 0 < level == last - 1:
            left = _cut(rows_, flat, parts, keys, barren >= HOPELESS, level, cells, level == last, tolerance * STRAIGHT)
            keys, barren = keys[left], barren[left]
        if level == last:
            break
        side = 0.5 / (cells << level)
        nearly = (error <= SMOOTH) | (level + 1 == last)
        parts.add_whole(_children(rough_keys[nearly]), rough_labels[nearly].repeat(4), level + 1)
        children, labels = _children(rough_keys[~nearly]), rough_labels[~nearly].repeat(4)
        if keys.size:
            keys, barren = _children(keys), barren.repeat(4)
            if level + 1 < last - 1:
                found = proved_ids(view, *_middles(keys, side), side)
                none = (found < 0).reshape(-1, 4).all(1).repeat(4)
                children, labels = np.append(children, keys[found >= 0]), np.append(labels, found[found >= 0])
                keys, barren = keys[found < 0], np.where(none, barren + 1, 0)[found < 0]
        if level + 1 == last:
            parts.add_whole(children, labels, last)
            rough_keys = rough_keys[:0]
            continue
        error = flat.errors(labels, *_middles(children, side), side, side)
        go_on = error > 1.0
        parts.add_whole(children[~go_on], labels[~go_on], level + 1)
        rough_keys, rough_labels, error = children[go_on], labels[go_on], error[go_on]
    return parts.cells(view, grid.ravel(), size, cells)


def _prepare(rows: Rows) -> None:
    """Have the programs compiled that nearly every image needs: LLVM works on one while Python records the next."""
    view = rows.view
    key = view.tables.kinds, view.setting
    if view.engine.name == "llvm" and key not in _begun:
        _begun.add(key)
        proved_ids(view, np.zeros(0), np.zeros(0), 1.0)
        prepare(rows)


_begun: set[Any] = set()


def _cut(
    rows: Rows, flat: "_Flatness", parts: "_Parts", keys: Integers, hopeless: NDArray[np.bool_], level: int, cells: int,
    last: bool, allowed: float
) -> NDArray[np.bool_]:  # fmt: skip
    """Of the cells of a level that are not proved, cut those that can be. Returns which are left, to be halved; at the
    last level there are none. hopeless: which are taken as they are if no edge is known to be in them."""
    view, spacing = rows.view, 1.0 / (cells << level)
    points, at = np.unique(keys + _CORNERS, return_inverse=True)
    at = at.reshape(4, -1)
    x, y = (points & (_ROW - 1)) * spacing - ASIDE[0], (points >> _BITS) * spacing - ASIDE[1]
    known = view.signature_ids(x, y)
    label = known[at]
    crossed = label[SIDES[:, 0]] != label[SIDES[:, 1]]
    number = crossed.sum(0)
    some = np.flatnonzero(number)
    taken = (number == 0) & (hopeless | last)
    left: NDArray[np.bool_] = ~taken
    rough = np.zeros((4, len(some)), bool)
    if not last:
        rough, enough = flat.at_corners(label[:, some], *_middles(keys[some], spacing), spacing)
        some, rough = some[enough], rough[:, enough]
    if some.size:
        crossed, corner_label, at = crossed[:, some], label[:, some], at[:, some]
        begin, end = (at[SIDES[:, k]][crossed] for k in (0, 1))
        names, which = np.unique(begin * len(points) + end, return_inverse=True)
        begin, end = np.divmod(names, len(points))
        segments = Sides(x[begin], y[begin], x[end] - x[begin], y[end] - y[begin])
        # Where more rounds would be needed, the cell is halved, but for the last.
        crossings = find_crossings(rows, segments, known[begin], known[end], *([] if last else [ROUNDS]))
        side = np.full(crossed.shape, -1)
        side[crossed] = which.ravel()
        if last:
            whole = _wide_strips(rows, flat, parts, crossings, side, keys, some, level, cells, allowed)
            taken &= ~whole
            left[whole] = False
            used = ~whole[some]
            side, corner_label, some, rough = side[:, used], corner_label[:, used], some[used], rough[:, used]
        crossings, side, corner_label = _off_corners(rows, crossings, side, corner_label, keys[some], spacing)
        joints = _joints(rows, crossings, side, corner_label, keys[some], spacing, None if last else allowed)
        left[some] = False
        if last:
            used = ~_narrow_strips(rows, parts, crossings, side, joints, keys[some], spacing, level)
        else:
            used = joints.found & joints.stays
            used[used] = _nothing_else(view, crossings, joints[used], corner_label[:, used], keys[some[used]], spacing)
            left[some[~used]] = True
        side, corner_label, some, rough = side[:, used], corner_label[:, used], some[used], rough[:, used]
        joints = joints[used]
        proof = partial(_nothing_else, view, crossings, joints, corner_label, keys[some]) if last else None
        parts.add_mixed(keys[some], corner_label, side, crossings, joints, rough & joints.inside, level, proof)
    parts.add_whole(keys[taken], label[0, taken], level, proof=partial(_all_alike, view, label[0, taken], keys[taken]))
    return left


@dataclass(frozen=True)
class _Joints(Columns):
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


def _nothing_else(
    view: Visibility, crossings: Crossings, joints: _Joints, label: Labels, keys: Integers, size: float
) -> NDArray[np.bool_]:
    """Whether no more is seen in mixed cells of one size than at their corners: it is proved what is on either side of
    their edges. label: of the corners, (4, n)."""
    proved, meets = joints.found.copy(), joints.meets
    cell = np.flatnonzero(proved)
    signs = [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)]
    cells = [cell, cell, cell[meets[cell]], cell[meets[cell]]]
    asked = np.concatenate(cells)
    first, second = np.repeat(np.array(signs), [len(c) for c in cells], 0).T
    chords = _chords(crossings, joints.pair, meets, joints.x, joints.y)
    bent = _bent(chords[0], joints, size)
    x, y = _middles(keys, size)
    edges = []
    for own, turn in zip(chords, (first, np.where(meets[asked], second, first)), strict=True):
        edges.append(beside(own[asked].segment, turn, bent[asked], x[asked], y[asked], size))
    found = proved_ids(view, x[asked], y[asked], size, tuple(edges))
    proved[asked[(found < 0) | (label[:, asked] != found).all(0)]] = False
    return proved


def _bent(chord: Sides, joints: _Joints, size: float) -> Floats:
    """How far at most the edges of cells of one size are from the lines through two of their points, in pixels."""
    length = np.maximum(np.hypot(chord.dx, chord.dy), 1e-300)
    found: Floats = np.where(joints.meets, LINED, ROOM + 4.0 * np.abs(joints.bend.s - 0.5) * size / length) * size
    return found


@dataclass(frozen=True)
class _Strips(Columns):
    """n cells of one size through which two edges go that do not meet in them. What is between the two is all of the
    cell but what either of them cuts off, so each is cut as if it were alone.

    key: of the cell. between: the label of what is between. labels: of the corners for the one edge and for the other,
    (2, 4, n), and side: the crossings, -1 for none, (2, 4, n). turn: the side of each edge that is between, see
    `beside`, (2, n). All but these (n,).
    """

    key: Integers
    between: Labels
    labels: Labels
    side: Integers
    turn: Floats


def _strips(rows: Rows, crossings: Crossings, pair: Integers, keys: Integers, size: float) -> tuple[_Strips, Crossings]:
    """Of cells of one size those that are strips, and the crossings of the edges with the cells' sides. pair: a
    crossing of each of two edges, wherever it is, (2, n).

    An edge may cross a side twice, or two of them may, and the signatures of the corners tell nothing of it; but that
    an edge is there is known, and so its crossings with all four sides are.
    """
    count, corner = len(keys), np.arange(4)[:, None]
    left, top = (keys & (_ROW - 1)) * size - ASIDE[0], (keys >> _BITS) * size - ASIDE[1]
    x, y = left + size * CORNERS[0][:, None], top + size * CORNERS[1][:, None]
    begin, end = SIDES.T
    ends = (x[begin], y[begin], x[end] - x[begin], y[end] - y[begin])
    four = Sides(*(np.broadcast_to(part, (2, 4, count)).ravel() for part in ends))
    met, there = find_bends(rows, crossings[np.broadcast_to(pair[:, None], (2, 4, count)).ravel()], four)
    there, s = there.reshape(2, 4, count), met.s.reshape(2, 4, count)
    # How far round the cell the crossings are, clockwise; a corner is at its number.
    place = corner + np.where(corner < 2, s, 1.0 - s)
    low, high = np.where(there, place, np.inf).min(1), np.where(there, place, -np.inf).max(1)
    holds = (low < low[::-1]) & (low[::-1] < high), (low < high[::-1]) & (high[::-1] < high)
    far = ((low[:, None] < corner) & (corner < high[:, None])) != holds[0][:, None]
    px, py = (np.where(there, part.reshape(2, 4, count), 0.0).sum(1) for part in met.segments.at(met.s))
    mx, my = 0.25 * px.sum(0), 0.25 * py.sum(0)
    found = rows.view.signature_ids(np.append(x.ravel(), mx), np.append(y.ravel(), my))
    seen, between = found[: 4 * count].reshape(4, count), found[4 * count :]
    beyond = np.take_along_axis(seen[None], np.argmax(far, 1)[:, None], 1)
    labels = np.where(far, beyond, between)
    ok = (there.sum(1) == 2).all(0) & (holds[0] == holds[1]).all(0) & far.any(1).all(0)
    ok &= (beyond[:, 0] != between).all(0) & (np.where(far[0], labels[0], labels[1]) == seen).all(0)
    number = np.where(there, np.arange(8 * count).reshape(2, 4, count), -1)
    first = np.argmax(there, 1)[:, None]
    qx, qy = (np.take_along_axis(part.reshape(2, 4, count), first, 1)[:, 0] for part in met.segments.at(met.s))
    dx, dy = px - 2.0 * qx, py - 2.0 * qy
    turn = np.where((my - qy) * dx - (mx - qx) * dy > 0.0, 1.0, -1.0)
    return _Strips(keys, between, labels, number, turn)[ok], met


def _add_strips(
    rows: Rows, parts: "_Parts", strips: _Strips, met: Crossings, size: float, level: int, allowed: float | None
) -> NDArray[np.bool_]:
    """Cut strips, whose joints must be found; those of which all is proved alone if some area is allowed to be wrong.
    Returns which are cut."""
    if not strips.key.size:
        return np.zeros(0, bool)
    side, labels = np.concatenate(strips.side, 1), np.concatenate(strips.labels, 1)
    both = _joints(rows, met, side, labels, np.tile(strips.key, 2), size, allowed)
    joints = [both[: len(strips.key)], both[len(strips.key) :]]
    used = joints[0].found & joints[1].found
    if allowed is not None:
        used &= joints[0].stays & joints[1].stays & _strip_proved(rows.view, met, joints, strips, size)
    strips, joints = strips[used], [own[used] for own in joints]
    doubt = partial(_strip_proved, rows.view, met, joints, strips) if allowed is None else None
    smooth = np.zeros((4, len(strips.key)), bool)
    for number, proof, between in ((0, doubt, None), (1, None, strips.between)):
        parts.add_mixed(strips.key, strips.labels[number], strips.side[number], met, joints[number], smooth, level,
                        proof, between)  # fmt: skip
    return used


def _wide_strips(
    rows: Rows, flat: "_Flatness", parts: "_Parts", crossings: Crossings, side: Integers, keys: Integers,
    mixed: Integers, level: int, cells: int, allowed: float
) -> NDArray[np.bool_]:  # fmt: skip
    """Cut the cells two levels up from smallest ones that are strips, and of which all is proved. Their two edges are
    those that cross sides of the smallest cells in them, or else in the same cell of the grid: a strip may pass between
    corners. Returns which of the smallest cells are in one of them.

    side: of the mixed ones among the smallest cells, whose numbers are `mixed`."""
    if level < 2 or not mixed.size:
        return np.zeros(len(keys), bool)
    parents, of = np.unique(_up(keys, 2), return_inverse=True)
    whole = np.unique(_up(parents, level - 2), return_inverse=True)[1]
    place, cell = np.nonzero(side >= 0)
    number, own = side[place, cell], of[mixed[cell]]
    function, known = functions_of(crossings)[number], crossings.switches.found[number]
    pair = np.full((2, len(parents)), -1)
    for groups in (whole, np.arange(len(parents))):
        first = alike(groups[own], function)[0]
        group = groups[own[first]]
        count = np.bincount(group, minlength=len(parents))
        count[groups[own[~known]]] = 0
        two = first[count[group] == 2]
        two = number[two[np.argsort(groups[own[two]], kind="stable")]].reshape(-1, 2).T
        at = np.cumsum(count == 2) - 1
        pair = np.where((count == 2)[groups], two[:, at[groups]] if two.size else -1, pair)
    tried = np.flatnonzero(pair[0] >= 0)
    if not tried.size:
        return np.zeros(len(keys), bool)
    size = 4.0 / (cells << level)
    strips, met = _strips(rows, crossings, pair[:, tried], parents[tried], size)
    labels = np.stack([*np.where(strips.labels == strips.between, -2, strips.labels).max(1), *[strips.between] * 2])
    rough, _ = flat.at_corners(labels, *_middles(strips.key, size), size)
    strips = strips[~rough.any(0)]
    cut = strips.key[_add_strips(rows, parts, strips, met, size, level - 2, allowed)]
    found: NDArray[np.bool_] = np.isin(parents, cut)[of]
    return found


def _narrow_strips(
    rows: Rows, parts: "_Parts", crossings: Crossings, side: Integers, joints: _Joints, keys: Integers, size: float,
    level: int
) -> NDArray[np.bool_]:  # fmt: skip
    """Cut the smallest cells without a joint that are strips. Returns which."""
    function = np.append(functions_of(crossings), -1)
    there, pair = side >= 0, function[joints.pair]
    two = ((function[side] == pair[0]) | (function[side] == pair[1]) | ~there).all(0) & (pair[0] != pair[1])
    which = np.flatnonzero(~joints.found & two & np.append(crossings.switches.found, True)[side].all(0))
    strip = np.zeros(len(keys), bool)
    if which.size:
        strips, met = _strips(rows, crossings, joints.pair[:, which], keys[which], size)
        cut = _add_strips(rows, parts, strips, met, size, level, None)
        strip[which] = np.isin(keys[which], strips.key[cut])
    return strip


def _strip_proved(
    view: Visibility, met: Crossings, joints: Sequence[_Joints], strips: _Strips, size: float
) -> NDArray[np.bool_]:
    """Whether nothing else is seen in strips: between the edges, and beyond either of them."""
    edges, (x, y) = [], _middles(strips.key, size)
    for own, turn, signs in zip(joints, strips.turn, ((1.0, -1.0, 1.0), (1.0, 1.0, -1.0)), strict=True):
        chord = _chords(met, own.pair, np.zeros(len(x), bool), own.x, own.y)[0]
        bent = np.tile(_bent(chord, own, size), 3)
        edges.append(beside(Sides(*np.tile(chord.segment, 3)).segment, np.concatenate([turn * sign for sign in signs]),
                            bent, np.tile(x, 3), np.tile(y, 3), size))  # fmt: skip
    found = proved_ids(view, np.tile(x, 3), np.tile(y, 3), size, tuple(edges)).reshape(3, len(x))
    beyond = np.where(strips.labels == strips.between, -2, strips.labels).max(1)
    proved: NDArray[np.bool_] = (found == np.stack([strips.between, *beyond])).all(0)
    return proved


def _all_alike(view: Visibility, labels: Labels, keys: Integers, size: float) -> NDArray[np.bool_]:
    """Whether all of whole cells of one size is proved to be as their labels say."""
    same: NDArray[np.bool_] = proved_ids(view, *_middles(keys, size), size) == labels
    return same


def _joints(
    rows: Rows, crossings: Crossings, side: Integers, label: Labels, keys: Integers, size: float, allowed: float | None
) -> _Joints:
    """The joints of mixed cells of one size, looked for from their crossings.

    One is found if what is then cut off is right but for an allowed area, in pixels: on both sides of each edge,
    half-way to the joint, are the signatures of the corners beside it.

    side: the crossings on the sides of each, -1 for none, (4, n). label: of their corners, (4, n).
    """
    view, there = rows.view, side >= 0
    function = np.append(functions_of(crossings), -1)[side]
    least = np.where(there, function, np.iinfo(np.int64).max).min(0)
    most = function.max(0)
    known = np.append(crossings.switches.found, True)[side].all(0)
    of_two = ((function == least) | (function == most) | ~there).all(0)
    meets = known & of_two & (least != most)
    bends = known & (least == most) & (there.sum(0) == 2)
    # One crossing of each of the two edges, or both of the one.
    columns = np.arange(len(keys))
    first = side[np.argmax(function == least, 0), columns]
    last = side[3 - np.argmax(np.where(there, function == most, False)[::-1], 0), columns]
    pair = np.stack([first, last])
    px, py = (c[side] for c in crossings.segments.at(crossings.s))
    left, top = (keys & (_ROW - 1)) * size - ASIDE[0], (keys >> _BITS) * size - ASIDE[1]
    x, y, inverse = np.zeros(len(keys)), np.zeros(len(keys)), np.zeros((4, len(keys)))
    m = np.flatnonzero(meets)
    count = there[:, m].sum(0)
    start = [np.where(there[:, m], p[:, m], 0.0).sum(0) / count for p in (px, py)]
    meet = meets[m]
    if m.size:
        x[m], y[m], inverse[:, m], meet = find_meetings(rows, crossings[first[m]], crossings[last[m]], *start)
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
    return _Joints(ok, meets & ok, stays, within & ok, pair, x, y, bend)


def _off_corners(
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
    functions = functions_of(crossings)
    (px, py), (qx, qy) = (crossings.segments[end].at(crossings.s[end]) for end in (number, far))
    own = crossings.segments[number]
    runs = np.abs((qx - px) * own.dy - (qy - py) * own.dx) < LEVEL * np.abs((qx - px) * own.dx + (qy - py) * own.dy)
    one = (functions[number] == functions[far]) & ~there[other, cell] & crossings.switches.found[number]
    if not (runs & one).any():
        return crossings, side, label
    which, cell, number, corner, neighbour, other = (
        each[runs & one] for each in (which, cell, number, corner, neighbour, other)
    )
    x, y = (keys[cell] & (_ROW - 1)) * size - ASIDE[0], (keys[cell] >> _BITS) * size - ASIDE[1]
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


def _chords(
    crossings: Crossings, pair: Integers, meets: NDArray[np.bool_], x: Floats, y: Floats
) -> tuple[Sides, Sides]:
    """From a crossing of each of the two edges to where they meet, at x, y; elsewhere the chord of the one edge,
    twice."""
    (px, py), (qx, qy) = (crossings.segments[end].at(crossings.s[end]) for end in pair)
    ex, ey = np.where(meets, x, qx), np.where(meets, y, qy)
    qx, qy = np.where(meets, qx, px), np.where(meets, qy, py)
    return Sides(px, py, ex - px, ey - py), Sides(qx, qy, ex - qx, ey - qy)


class _Flatness:
    """Whether the radiance of cells is so near to a linear function of the place that one sample is enough."""

    def __init__(self, view: Visibility, window: Window, tolerance: float) -> None:
        """tolerance: what may be wrong in a cell, in pixels of the mean radiance of the whole picture."""
        self.view = view
        left, top, width, height = window.picture
        x, y = (begin + (np.arange(PROBES) + 0.5) / PROBES * n for begin, n in ((left, width), (top, height)))
        x, y = np.tile(x, PROBES), np.repeat(y, PROBES)
        labels = view.signature_ids(x, y)
        self._lighting = lighting(view.tables, view.signatures)
        radiance = shade(self._lighting, labels, Samples(x, y, np.ones(x.shape)), view.engine)
        self.allowed = tolerance * float(np.mean(np.max(radiance, 0)))

    def errors(self, labels: Labels, x: Floats, y: Floats, side: float, cell: float) -> Floats:
        """How far from flat cells of side `cell` are within blocks of these sides, with these signatures, in parts of
        what is allowed; nan where radiance is not a number. x, y: the middles of the blocks."""
        if not len(labels):
            return np.zeros(0)
        signatures = self.view.signatures
        if len(signatures.ended) >= len(self._lighting.row):
            self._lighting = lighting(self.view.tables, signatures)
        error = curvature(self._lighting, labels, x, y, side, cell, self.view.engine) / self.allowed
        # At a limb, where radiance goes like a root of the distance, the error of a part falls as slowly as that.
        found: Floats = error * (cell / side) ** 0.5 * cell * cell
        return found

    def at_corners(
        self, labels: Labels, x: Floats, y: Floats, side: float
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether cells of this side are not flat with the signatures of each of their corners (4, N), and whether they
        are near enough to it for a few samples."""
        first = np.array([~(labels[:k] == labels[k]).any(0) for k in range(4)])
        which, cell = np.nonzero(first)
        error = np.zeros(labels.shape)
        error[which, cell] = self.errors(labels[which, cell], x[cell], y[cell], side, side)
        enough, rough = np.array(~(error > SAVED).any(0)), ~(error <= 1.0)
        for k in range(1, 4):  # a region is known by its first corner
            rough[k] |= ((labels[:k] == labels[k]) & rough[:k]).any(0)
        return rough, enough


class _Parts:
    """The cells found so far that are smaller than those of the grid, or cut."""

    def __init__(self) -> None:
        self.whole: list[tuple[Integers, Labels, NDArray[np.bool_], int]] = []
        self.mixed: list[tuple[Integers, Labels, Integers, Labels, int]] = []
        self.crossings: list[Crossings] = []
        self.joints: list[_Joints] = []
        self.rough: list[NDArray[np.bool_]] = []
        self.doubts: list[tuple[Integers, int, Proof]] = []
        self.count = 0

    def add_whole(self, keys: Integers, labels: Labels, level: int, proof: Proof | None = None) -> None:
        """proof: asks whether nothing else is seen in them, None where that is proved."""
        self.whole.append((keys, labels, _quarters(keys, labels) & (level > 0), level))
        if proof is not None:
            self.doubts.append((keys, level, proof))

    def add_mixed(self, keys: Integers, labels: Labels, side: Integers, crossings: Crossings, joints: _Joints,
                  rough: NDArray[np.bool_], level: int, proof: Proof | None,
                  between: Labels | None = None) -> None:  # fmt: skip
        """side: numbers of the crossings on the sides of the cells, -1 for none. rough, between: see `Cells`. proof:
        see `add_whole`."""
        if proof is not None:
            self.doubts.append((keys, level, proof))
        used = np.unique(side[side >= 0])
        numbers = np.full(len(crossings.s) + 1, -1)
        numbers[used] = np.arange(len(used)) + self.count
        self.count += len(used)
        self.crossings.append(crossings[used])
        between = np.full(len(keys), -1) if between is None else between
        self.mixed.append((keys, labels, numbers[side], between, level))
        self.joints.append(replace(joints, pair=numbers[joints.pair]))
        self.rough.append(rough)

    def cells(self, view: Visibility, grid: Labels, size: tuple[int, int], cells: int) -> Cells:
        """All together."""

        def column(values: list[Any], dtype: Any, *shape: int) -> Any:
            return np.concatenate([np.zeros((*shape, 0), dtype), *values], -1)

        def places(keys_and_levels: list[tuple[Integers, int]]) -> tuple[Any, ...]:
            """Of the top left corner x, y; the side; the pixel and the name."""
            rows = [(keys >> _BITS, keys & (_ROW - 1), keys, level) for keys, level in keys_and_levels]
            return (
                column([c / (cells << n) for _, c, _, n in rows], float),
                column([r / (cells << n) for r, _, _, n in rows], float),
                column([np.full(len(k), 1.0 / (cells << n)) for *_, k, n in rows], float),
                column([pixels(k, n) for *_, k, n in rows], np.int64),
                column([k * (SMALLEST + 1) + n for *_, k, n in rows], np.int64),
            )

        def pixels(keys: Integers, level: int) -> Integers:
            row, column = ((each >> level) // cells for each in (keys >> _BITS, keys & (_ROW - 1)))
            return row * size[0] + column

        x, y, side, pixel, name = places([(keys, level) for keys, *_, level in self.whole])
        mixed = places([(keys, level) for keys, *_, level in self.mixed])
        together = column([each for *_, each, _ in self.whole], bool)
        # Whether a quarter is the right one, the lower one of four, is the last digit of its column and row.
        keys = column([keys for keys, *_ in self.whole], np.int64)
        away = np.where(together, ASKEW, 0.0) * side
        aside = (((keys >> k & 1) * 2 - 1) * away for k in (0, _BITS))
        sample_x, sample_y = (c + 0.5 * side + shift for c, shift in zip((x, y), aside, strict=True))
        sides = [1.0 / (cells << level) for _, level, _ in self.doubts]
        doubts = tuple(
            Doubt(pixels(keys, level), side, partial(proof, side))
            for side, (keys, level, proof) in zip(sides, self.doubts, strict=True)
            if keys.size
        )
        loose, bent, chord, bends, meeting, pair, meeting_x, meeting_y = self._joined(view)
        return Cells(
            grid, x + 0.5 * side, y + 0.5 * side, sample_x, sample_y, side,
            column([labels for _, labels, *_ in self.whole], np.int32),
            pixel, name, mixed[0], mixed[1], column([labels for _, labels, *_ in self.mixed], np.int32, 4),
            mixed[2], mixed[3], mixed[4],
            column([side for *_, side, _, _ in self.mixed], np.int64, 4), joined(view, self.crossings), cells,
            loose, bent, chord, bends, meeting, pair, meeting_x, meeting_y, column(self.rough, bool, 4),
            column([between for *_, between, _ in self.mixed], np.int32), doubts,
        )  # fmt: skip

    def _joined(self, view: Visibility) -> tuple[Any, ...]:
        """The joints of the mixed cells, by kind."""

        def column(name: str) -> Any:
            return np.concatenate([getattr(joints, name) for joints in self.joints], -1)

        if not self.joints:
            none = np.zeros(0, np.int64)
            nothing, two = np.zeros(0), np.zeros((2, 0), np.int64)
            return none, none, two, joined(view, []), none, two, nothing, nothing
        found, meets, pair = column("found"), column("meets"), column("pair")
        loose, bent, meeting = (np.flatnonzero(which) for which in (~found, found & ~meets, meets))
        bends = joined(view, [joints.bend for joints in self.joints])[bent]
        return (loose, bent, pair[:, bent], bends, meeting, pair[:, meeting], column("x")[meeting],
                column("y")[meeting])  # fmt: skip


def _quarters(keys: Integers, labels: Labels) -> NDArray[np.bool_]:
    """Which cells of a level are the quarters of one cell, all four with one label, one after the other. They share
    their samples, however they were found: an image must not jump where a proof is of the whole cell first, and then
    of each quarter."""
    parents = _up(keys, 1)
    alike = (parents[:-3] == parents[3:]) & (labels[:-3] == labels[3:])
    alike &= (labels[:-3] == labels[1:-2]) & (labels[:-3] == labels[2:-1])
    found = np.zeros(len(keys), bool)
    for k in range(4):
        found[k:][: len(alike)] |= alike
    return found


def _key(row: Integers, column: Integers) -> Integers:
    found: Integers = column + _ROW * row
    return found


def _up(keys: Integers, levels: int) -> Integers:
    """The keys of the cells that hold cells, so many levels up."""
    return _key(keys >> (_BITS + levels), (keys & (_ROW - 1)) >> levels)


def _children(keys: Integers) -> Integers:
    """The keys of the quarters of cells, one level down, those of one cell after each other."""
    parents = ((keys >> _BITS) << (_BITS + 1)) + ((keys & (_ROW - 1)) << 1)
    found: Integers = (parents[:, None] + _CORNERS.ravel()).ravel()
    return found


def _middles(keys: Integers, side: float) -> tuple[Floats, Floats]:
    """The middles of cells of this side, x and y in pixels."""
    return ((keys & (_ROW - 1)) + 0.5) * side - ASIDE[0], ((keys >> _BITS) + 0.5) * side - ASIDE[1]


def _blocks(
    view: Visibility, flat: _Flatness, wanted: NDArray[np.bool_], window: Window, cells: int
) -> tuple[Labels, Integers, Floats]:
    """The labels of the cells of the grid (rows, columns) that are proved, -1 for the others and for those that are not
    wanted; the places of the proved ones that are not flat, and how far they are from it, in parts of what is allowed.
    """
    rows, columns = wanted.shape
    top = min(max(ceil(log2(max(window.picture[2:]) * cells / 4)), 0), LARGEST)
    # Which blocks hold cells that are wanted, from small to large.
    needed = [np.pad(wanted, ((0, -rows % (1 << top)), (0, -columns % (1 << top))))]
    for _ in range(top):
        last = needed[-1]
        needed.append(last[::2, ::2] | last[1::2, ::2] | last[::2, 1::2] | last[1::2, 1::2])
    grid = np.full(needed[0].shape, -1, np.int32)
    keys, rough, labels = _key(*needed[top].nonzero()), np.zeros(0, np.int64), np.zeros(0, np.int32)
    error: Floats = np.zeros(0)
    for level in range(top, -1, -1):
        side = (1 << level) / cells
        found = proved_ids(view, *_middles(keys, side), side)
        proved = found >= 0
        row, column = keys[proved] >> _BITS, keys[proved] & (_ROW - 1)
        parts = grid.reshape(needed[level].shape[0], 1 << level, needed[level].shape[1], 1 << level)
        parts[row, :, column] = found[proved, None, None]
        # Whether these are flat too is asked once they are small.
        rough, labels = np.append(rough, keys[proved]), np.append(labels, found[proved])
        if level <= LOOKED_AT:
            error = flat.errors(labels, *_middles(rough, side), side, 1.0 / cells)
            uneven = error > 1.0
            rough, labels, error = rough[uneven], labels[uneven], error[uneven]
        keys = keys[~proved]
        if level:
            keys, rough = _children(keys), _children(rough)
            keys = keys[needed[level - 1][keys >> _BITS, keys & (_ROW - 1)]]
            there = needed[level - 1][rough >> _BITS, rough & (_ROW - 1)]
            rough, labels = rough[there], labels.repeat(4)[there]
    return np.where(wanted, grid[:rows, :columns], -1), (rough >> _BITS) * columns + (rough & (_ROW - 1)), error
