"""A tree of boxes around faces, so that the search passes over those that a ray cannot meet.

The rows of the search are in the order of the tree: a box, then what is in it. Each box has the row to go on with if no
ray of a vector meets it (Smits, "Efficiency issues for ray tracing", 1998), so no stack is needed. A box may be larger
than what is in it, never smaller: it changes no answer.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import absolute, greater, less, logical_or, maximum, minimum
from diffrt.tracer.tables import Tables

FEW = 16
"""So many faces are looked at one by one."""

LEAF = 4
"""The most faces in a box that holds no boxes."""

SLACK = 1e-9
"""By how much a box is larger than what is in it, in parts of its coordinates."""


def find_tree(tables: Tables) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The rows of the search.

    tables: plain. Returns the number of the face of each row, -1 for a box; the row to go on with if it is passed over;
    and the boxes in order, (number, 6), the least coordinates and the largest.
    """
    count = len(tables.face_kind)
    if count <= FEW:
        return np.arange(count), np.arange(1, count + 1), np.zeros((0, 6))
    low, high = face_boxes(tables)
    bounded = np.isfinite(low).all(0) & np.isfinite(high).all(0)
    order: list[int] = np.flatnonzero(~bounded).tolist()
    following: list[int] = list(range(1, len(order) + 1))
    boxes: list[Any] = []

    def add(members: NDArray[np.int64]) -> None:
        """The rows of some faces. It calls itself as deep as the logarithm of their number."""
        row = len(order)
        order.append(-1)
        following.append(0)
        boxes.append(np.concatenate([low[:, members].min(1), high[:, members].max(1)]))
        if len(members) <= LEAF:
            for face in members.tolist():
                order.append(face)
                following.append(len(order))
        else:
            own = 0.5 * (low[:, members] + high[:, members])
            axis = int(np.argmax(np.ptp(own, axis=1)))
            half = len(members) // 2
            split = np.argpartition(own[axis], half)
            add(np.sort(members[split[:half]]))
            add(np.sort(members[split[half:]]))
        following[row] = len(order)

    inside = np.flatnonzero(bounded)
    if inside.size:
        add(inside)
    return np.array(order), np.array(following), np.array(boxes).reshape(-1, 6)


def face_boxes(tables: Tables) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The boxes of faces, a little larger than they are: least and largest coordinates (3, N), infinite without end."""
    low, high = np.full((2, 3, len(tables.face_kind)), np.inf)
    low = -low
    for number, kind in enumerate(tables.kinds.faces):
        members = np.flatnonzero(tables.face_kind == number)
        box = kind.unpack(tables.shapes[:, tables.shape_of[members]]).box()
        if box is not None:
            low[:, members], high[:, members] = box
    room = SLACK * (np.abs(low) + np.abs(high) + (high - low))
    return low - room, high + room


def missed(bounds: Any, o: Any, d: Any, limit: Any) -> Any:
    """Whether rays o + t d surely meet nothing in a box for 0 <= t <= limit, (n,).

    bounds: least and largest coordinates (6 or more, 1). A comparison with a nan, where a ray runs in a side of the
    box, is false, and the box counts as met.
    """
    inverse = 1.0 / d
    first, second = (bounds[:3] - o) * inverse, (bounds[3:6] - o) * inverse
    near, far = minimum(first, second), maximum(first, second)
    enters = maximum(maximum(near[0], near[1]), near[2])
    leaves = minimum(minimum(far[0], far[1]), far[2])
    room = SLACK * (absolute(enters) + absolute(leaves))
    return logical_or(logical_or(greater(enters, leaves + room), less(leaves, -room)), greater(enters - room, limit))
