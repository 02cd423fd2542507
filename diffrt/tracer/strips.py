"""Strips: cells through which two edges go that do not meet in them, as those of a thin shape or of a gap do."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from diffrt.tracer.cells import CORNERS, SIDES
from diffrt.tracer.crossings import Crossings, Rows, Sides, find_bends
from diffrt.tracer.flatness import Flatness
from diffrt.tracer.joints import Joints, bent_by, chords_of, find_joints
from diffrt.tracer.lattice import Floats, Integers, corners_of, middles_of, parents_of
from diffrt.tracer.parts import Parts
from diffrt.tracer.proof import beside, proved_ids
from diffrt.tracer.tables import Columns
from diffrt.tracer.visibility import Labels, Visibility, alike

APART = 1e-6
"""How far apart two edges must be on the border of a cell, in sides: an edge that two faces share is one edge."""


@dataclass(frozen=True)
class Strips(Columns):
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

    @property
    def beyond(self) -> Labels:
        """The labels of what each edge cuts off, (2, n)."""
        found: Labels = np.where(self.labels == self.between, -1, self.labels).max(1)
        return found


def find_strips(
    rows: Rows, crossings: Crossings, pair: Integers, keys: Integers, size: float
) -> tuple[Strips, Crossings]:
    """Of cells of one size those that are strips, and the crossings of the edges with the cells' sides. pair: a
    crossing of each of two edges, wherever it is, (2, n).

    An edge may cross a side twice, or two of them may, and the signatures of the corners tell nothing of it; but that
    an edge is there is known, and so its crossings with all four sides are.
    """
    count, corner = len(keys), np.arange(4)[:, None]
    left, top = corners_of(keys, size)
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
    px, py = (np.where(there, part.reshape(2, 4, count), 0.0).sum(1) for part in met.places)
    mx, my = 0.25 * px.sum(0), 0.25 * py.sum(0)
    found = rows.view.signature_ids(np.append(x.ravel(), mx), np.append(y.ravel(), my))
    seen, between = found[: 4 * count].reshape(4, count), found[4 * count :]
    beyond = np.take_along_axis(seen[None], np.argmax(far, 1)[:, None], 1)
    labels = np.where(far, beyond, between)
    ok = (there.sum(1) == 2).all(0) & (holds[0] == holds[1]).all(0) & far.any(1).all(0)
    ok &= np.maximum(np.abs(low[0] - low[1]), np.abs(high[0] - high[1])) > APART
    ok &= (beyond[:, 0] != between).all(0) & (np.where(far[0], labels[0], labels[1]) == seen).all(0)
    number = np.where(there, np.arange(8 * count).reshape(2, 4, count), -1)
    first = np.argmax(there, 1)[:, None]
    qx, qy = (np.take_along_axis(part.reshape(2, 4, count), first, 1)[:, 0] for part in met.places)
    dx, dy = px - 2.0 * qx, py - 2.0 * qy
    turn = np.where((my - qy) * dx - (mx - qx) * dy > 0.0, 1.0, -1.0)
    return Strips(keys, between, labels, number, turn)[ok], met


def _add(
    rows: Rows, parts: Parts, strips: Strips, met: Crossings, size: float, level: int, allowed: float | None
) -> NDArray[np.bool_]:
    """Cut strips, whose joints must be found; those of which all is proved alone if some area is allowed to be wrong.
    Returns which are cut."""
    if not strips.key.size:
        return np.zeros(0, bool)
    side, labels = np.concatenate(strips.side, 1), np.concatenate(strips.labels, 1)
    both = find_joints(rows, met, side, labels, np.tile(strips.key, 2), size, allowed)
    joints = [both[: len(strips.key)], both[len(strips.key) :]]
    used = joints[0].found & joints[1].found
    if allowed is not None:
        used &= joints[0].stays & joints[1].stays & strips_proved(rows.view, met, joints, strips, size)
    strips, joints = strips[used], [own[used] for own in joints]
    doubt = partial(strips_proved, rows.view, met, joints, strips) if allowed is None else None
    smooth = np.zeros((4, len(strips.key)), bool)
    for number, proof, between in ((0, doubt, None), (1, None, strips.between)):
        parts.add_mixed(strips.key, strips.labels[number], strips.side[number], met, joints[number], smooth, level,
                        proof, between)  # fmt: skip
    return used


def cut_wide(
    rows: Rows, flat: Flatness, parts: Parts, crossings: Crossings, side: Integers, keys: Integers,
    mixed: Integers, level: int, cells: int, allowed: float
) -> NDArray[np.bool_]:  # fmt: skip
    """Cut the cells two levels up from smallest ones that are strips, and of which all is proved. Their two edges are
    those that cross sides of the smallest cells in them, or else in the same cell of the grid: a strip may pass between
    corners. Returns which of the smallest cells are in one of them.

    side: of the mixed ones among the smallest cells, whose numbers are `mixed`."""
    if level < 2 or not mixed.size:
        return np.zeros(len(keys), bool)
    parents, of = np.unique(parents_of(keys, 2), return_inverse=True)
    whole = np.unique(parents_of(parents, level - 2), return_inverse=True)[1]
    place, cell = np.nonzero(side >= 0)
    number, own = side[place, cell], of[mixed[cell]]
    function, known = crossings.functions[number], crossings.switches.found[number]
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
    strips, met = find_strips(rows, crossings, pair[:, tried], parents[tried], size)
    labels = np.stack([*strips.beyond, strips.between, strips.between])
    rough, _ = flat.at_corners(labels, *middles_of(strips.key, size), size)
    strips = strips[~rough.any(0)]
    cut = strips.key[_add(rows, parts, strips, met, size, level - 2, allowed)]
    found: NDArray[np.bool_] = np.isin(parents, cut)[of]
    return found


def cut_narrow(
    rows: Rows, parts: Parts, crossings: Crossings, side: Integers, joints: Joints, keys: Integers, size: float,
    level: int
) -> NDArray[np.bool_]:  # fmt: skip
    """Cut the smallest cells without a joint that are strips. Returns which."""
    function = crossings.functions
    there, pair = side >= 0, function[joints.pair]
    two = ((function[side] == pair[0]) | (function[side] == pair[1]) | ~there).all(0) & (pair[0] != pair[1])
    which = np.flatnonzero(~joints.found & two & np.append(crossings.switches.found, True)[side].all(0))
    strip = np.zeros(len(keys), bool)
    if which.size:
        strips, met = find_strips(rows, crossings, joints.pair[:, which], keys[which], size)
        cut = _add(rows, parts, strips, met, size, level, None)
        strip[which] = np.isin(keys[which], strips.key[cut])
    return strip


def strips_proved(
    view: Visibility, met: Crossings, joints: Sequence[Joints], strips: Strips, size: float
) -> NDArray[np.bool_]:
    """Whether nothing else is seen in strips: between the edges, and beyond either of them."""
    edges, (x, y) = [], middles_of(strips.key, size)
    for own, turn, signs in zip(joints, strips.turn, ((1.0, -1.0, 1.0), (1.0, 1.0, -1.0)), strict=True):
        chord = chords_of(met, own.pair, np.zeros(len(x), bool), own.x, own.y)[0]
        bent = np.tile(bent_by(chord, own, size), 3)
        edges.append(beside(Sides(*np.tile(chord.segment, 3)).segment, np.concatenate([turn * sign for sign in signs]),
                            bent, np.tile(x, 3), np.tile(y, 3), size))  # fmt: skip
    found = proved_ids(view, np.tile(x, 3), np.tile(y, 3), size, tuple(edges)).reshape(3, len(x))
    proved: NDArray[np.bool_] = (found == np.stack([strips.between, *strips.beyond])).all(0)
    return proved
