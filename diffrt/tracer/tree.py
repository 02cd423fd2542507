"""A tree of boxes around faces, so that the search passes over those that a ray cannot meet.

The rows of the search are in the order of the tree: a box, then what is in it. Each box has the row to go on with if no
ray of a vector meets it (Smits, "Efficiency issues for ray tracing", 1998), so no stack is needed. A box may be larger
than what is in it, never smaller: it changes no answer.

A box is halved where its parts are least likely to be met: the chance that a ray meets a box is as its surface, and its
cost as the number of faces in it (Goldsmith and Salmon, "Automatic creation of object hierarchies", 1987). The half
nearer to the camera comes first, so that the rays of the camera mostly find the nearest face before those behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import greater, less, logical_or, where
from diffrt.tracer.tables import Integers, Tables
from diffrt.types import Array

FEW = 16
"""So many faces are looked at one by one."""

LEAF = 3
"""The most faces in a box that holds no boxes."""

PARTS = 8
"""A box is halved between two of so many parts of it, with the same number of faces in each, along one of the axes."""

SLACK = 1e-9
"""By how much a box is larger than what is in it, in parts of its coordinates."""

TINY = 1e-300
"""And by how much, at least: no face lies in a side of its box."""


def find_tree(tables: Tables) -> tuple[Integers, Integers, Array]:
    """The rows of the search.

    tables: plain. Returns the number of the face of each row, -1 for a box; the row to go on with if it is passed over;
    and the boxes in order, (number, 6), the least coordinates and the largest.
    """
    total = len(tables.face_kind)
    if total <= FEW:
        return np.arange(total), np.arange(1, total + 1), np.zeros((0, 6))
    low, high = face_boxes(tables)
    bounded = np.isfinite(low).all(0) & np.isfinite(high).all(0)
    endless, members = np.flatnonzero(~bounded), np.flatnonzero(bounded)
    if not members.size:
        return endless, np.arange(1, total + 1), np.zeros((0, 6))
    members, levels = _divided(members, low, high, tables.camera[:, :1])
    return _rows(endless, members, levels)


def _rows(endless: Integers, members: Integers, levels: Sequence["_Level"]) -> tuple[Integers, Integers, Array]:
    """What `find_tree` returns, from the faces without a box and those in the order of the tree."""
    # How many rows the boxes take, from the smallest ones up, then where they start, from the largest one down.
    sizes: list[Integers] = []
    for level in reversed(levels):
        size = 1 + level.count
        if sizes:
            size[level.halved] = 1 + sizes[-1][::2] + sizes[-1][1::2]
        sizes.append(size)
    sizes.reverse()
    rows = len(endless) + sizes[0][0]
    face, following = np.full(rows, -1), np.arange(1, rows + 1)
    face[: len(endless)] = endless
    at, boxes = np.array([len(endless)]), np.zeros((rows, 6))
    for k, level in enumerate(levels):
        following[at] = at + sizes[k]
        boxes[at] = level.boxes
        whole = ~level.halved
        count = level.count[whole]
        face[_places(at[whole] + 1, count)] = members[_places(level.start[whole], count)]
        if level.halved.any():
            first = at[level.halved] + 1
            at = np.stack([first, first + sizes[k + 1][::2]], 1).ravel()
    return face, following, boxes[face < 0]


@dataclass(frozen=True)
class _Level:
    """The boxes that are as far from the largest one: where their faces start among all, how many they are, the
    boxes (n, 6), and which are halved. The halves are the next level, two for each in the same order."""

    start: Integers
    count: Integers
    boxes: Array
    halved: NDArray[np.bool_]


def _divided(members: Integers, low: Array, high: Array, eye: Array) -> tuple[Integers, list[_Level]]:
    """Some faces in the order of the tree, and the boxes around them, level by level.

    low, high: the boxes of all faces (3, N). eye: where the rays of the camera come from (3, 1).
    """
    members, start, count = members.copy(), np.zeros(1, np.int64), np.array([len(members)])
    levels: list[_Level] = []
    while True:
        own = _places(start, count)
        faces, first = members[own], _places_of_first(count)
        lower, upper = np.minimum.reduceat(low[:, faces], first, 1), np.maximum.reduceat(high[:, faces], first, 1)
        halved = count > LEAF
        levels.append(_Level(start, count, np.concatenate([lower, upper]).T, halved))
        if not halved.any():
            return members, levels
        start, count = start[halved], count[halved]
        own = _places(start, count)
        members[own], near = _halves(members[own], count, low, high, eye)
        start = np.stack([start, start + near], 1).ravel()
        count = np.stack([near, count - near], 1).ravel()


def _halves(faces: Integers, count: Integers, low: Array, high: Array, eye: Array) -> tuple[Integers, Integers]:
    """The faces of boxes, one box after the other, those of the nearer half first, and how many these are.

    faces: one box after the other. count: the number of each box. The rest is as for `_divided`.
    """
    first, box, all_ = _places_of_first(count), np.repeat(np.arange(len(count)), count), np.arange(len(count))
    begin = count[:, None] * np.arange(PARTS) // PARTS
    empty = np.diff(begin, axis=1, append=count[:, None]) == 0
    begins = (first[:, None] + begin).ravel()
    least, cut, swapped = np.full(len(count), np.inf), count // 2, np.zeros(len(count), bool)
    found = faces
    for axis in range(3):
        ordered = faces[np.lexsort((low[axis, faces] + high[axis, faces], box))]
        lower = np.minimum.reduceat(low[:, ordered], begins, 1).reshape(3, -1, PARTS)
        upper = np.maximum.reduceat(high[:, ordered], begins, 1).reshape(3, -1, PARTS)
        lower, upper = np.where(empty, np.inf, lower), np.where(empty, -np.inf, upper)
        one = np.minimum.accumulate(lower, 2)[..., :-1], np.maximum.accumulate(upper, 2)[..., :-1]
        other = (
            np.minimum.accumulate(lower[..., ::-1], 2)[..., -2::-1],
            np.maximum.accumulate(upper[..., ::-1], 2)[..., -2::-1],
        )
        inside = begin[:, 1:]
        cost = _surface(*one) * inside + _surface(*other) * (count[:, None] - inside)
        cost[inside == 0] = np.inf
        best = np.argmin(cost, 1)
        better = cost[all_, best] < least
        # From the eye to the middles of the halves, twice.
        away, other_away = (
            np.linalg.norm(a[:, all_, best] + b[:, all_, best] - 2.0 * eye, axis=0) for a, b in (one, other)
        )
        least = np.where(better, cost[all_, best], least)
        cut = np.where(better, inside[all_, best], cut)
        swapped = np.where(better, other_away < away, swapped)
        found = np.where(better[box], ordered, found)
    second = (np.arange(len(faces)) - first[box] >= cut[box]) != swapped[box]
    return found[np.lexsort((found, second, box))], np.where(swapped, count - cut, cut)


def _places(start: Integers, count: Integers) -> Integers:
    """Whole numbers from each start on, as many as its count, one run after the other."""
    found: Integers = np.arange(count.sum()) + np.repeat(start - _places_of_first(count), count)
    return found


def _places_of_first(count: Integers) -> Integers:
    """Where runs of these lengths begin, one after the other."""
    found: Integers = np.cumsum(count) - count
    return found


def _surface(low: Array, high: Array) -> Array:
    """Half the surface of boxes."""
    x, y, z = np.maximum(high - low, 0.0)
    half: Array = x * y + y * z + z * x
    return half


def face_boxes(tables: Tables) -> tuple[Array, Array]:
    """The boxes of faces, a little larger than they are: least and largest coordinates (3, N), infinite without end."""
    low, high = np.full((2, 3, len(tables.face_kind)), np.inf)
    low = -low
    for number, kind in enumerate(tables.kinds.faces):
        members = np.flatnonzero(tables.face_kind == number)
        box = kind.unpack(tables.shapes[:, tables.shape_of[members]]).box()
        if box is not None:
            low[:, members], high[:, members] = box
    room = SLACK * (np.abs(low) + np.abs(high) + (high - low)) + TINY
    return low - room, high + room


def smaller(x: Any, y: Any) -> Any:
    """The smaller one of two; y if one is nan. It is one instruction, unlike `minimum`."""
    return where(less(x, y), x, y)


def larger(x: Any, y: Any) -> Any:
    """The larger one of two; y if one is nan."""
    return where(greater(x, y), x, y)


def missed(bounds: Any, o: Any, d: Any, limit: Any) -> Any:
    """Whether rays o + t d surely meet nothing in a box for 0 <= t <= limit, (n,).

    bounds: least and largest coordinates (6 or more, 1). Where a ray runs in a side of the box there is a nan, which
    bounds nothing or is lost: no face lies there.
    """
    inverse = 1.0 / d
    first, second = (bounds[:3] - o) * inverse, (bounds[3:6] - o) * inverse
    near, far = smaller(first, second), larger(first, second)
    enters = larger(larger(near[0], near[1]), near[2])
    leaves = smaller(smaller(far[0], far[1]), far[2])
    # Rounding is relative to each distance.
    behind = greater(enters * (1.0 - SLACK), smaller(leaves * (1.0 + SLACK), limit))
    return logical_or(less(leaves, 0.0), behind)
