"""Regions: a cell with an edge in it is cut, one sample for each signature at its corners.

The cell has a *joint* J, and each corner owns the quadrilateral of itself, a point on the next side, J, and a point on
the side before; the point is the crossing of that side if it has one, else its middle.

         corner -- next ----.        The quadrilaterals of corners with equal signatures are one region: their
           |          \\     |        areas and moments add up, and the sample is at the centroid. The areas of the
        previous ----- J    |        regions sum to that of the cell, and one rule serves every case: one edge, a
           |                |        cut corner, a junction, a saddle.
           '----------------'

Where the joint is:

- An edge that goes through a cell, from P to Q, passes the middle M of its chord at a distance, the *bend*; the area
  between a parabola and its chord is 2/3 of chord times bend, that of the triangle P, J, Q if J is 4/3 of the bend from
  M.
- Where two edges meet in a cell, J is there: both of their switching functions are zero.
- Elsewhere, in cells that are not halved any more, J is the mean of the crossings, weighted by s (1 - s) + 1e-12, s the
  position of each on its side. The weights keep J continuous when a crossing passes a corner.

A centroid integrates a linear function over its region exactly. All of it is arithmetic on the crossings, which
move with the scene.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import concatenate, detach, greater, less, stack, take, where
from diffrt.compiler import Engine, kernel
from diffrt.tracer.cells import Cells
from diffrt.tracer.crossings import chord_normal
from diffrt.tracer.switching import Segment
from diffrt.tracer.visibility import Labels

AT_CORNERS = 1e-8
"""The sum of the weights of a cell's crossings under which they are all taken to be at corners."""

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Regions:
    """The regions of all mixed cells, n in number, without their geometry.

    cell: the mixed cell that a region is of, (n,). side: the crossings on the four sides of the cell, -1 for none,
    (4, n). member: whether the region holds each corner, (4, n). label: of its signature, (n,).
    """

    cell: Integers
    side: Integers
    member: NDArray[np.bool_]
    label: Labels


def find_regions(cells: Cells) -> Regions:
    """The regions of the mixed cells."""
    label = cells.corner_label
    # A corner starts a region if no corner before it has the same signature.
    first = np.array([~(label[:k] == label[k]).any(0) for k in range(4)])
    start, place = np.nonzero(first)
    return Regions(place, cells.side[:, place], label[:, place] == label[start, place], label[start, place])


def place_regions(cells: Cells, regions: Regions, s: Any, joints: Any, engine: Engine) -> Any:
    """Centroid and area of the regions, x, y and area as (3, n), in pixels.

    s: the position of each crossing on its side, (m,). joints: of the mixed cells, x and y in pixels, (2, mixed).
    """
    padded = concatenate([s, [0.5]])
    cut = Cut(
        tuple(take(padded, np.where(side < 0, len(padded) - 1, side)) for side in regions.side),
        regions.member,
        tuple(take(joints[axis], regions.cell) for axis in range(2)),
        cells.corner_x[regions.cell],
        cells.corner_y[regions.cell],
        cells.mixed_size[regions.cell],
    )
    return kernel(region, None, None, None, cut, engine)


def place_joints(cells: Cells, s: Any, bends: Any, meetings: Any, engine: Engine) -> Any:
    """The joints of the mixed cells, x and y in pixels, (2, mixed).

    s: the position of each crossing on its side, (m,). bends: the positions of edges on the segments across their
    `chords`. meetings: the places where two edges meet, (2, number).
    """
    found, places = [], []
    if cells.loose.size:
        padded, side = concatenate([s, [0.5]]), cells.side[:, cells.loose]
        ends = Ends(
            tuple(take(padded, np.where(own < 0, len(padded) - 1, own)) for own in side), side >= 0,
            cells.corner_x[cells.loose], cells.corner_y[cells.loose], cells.mixed_size[cells.loose],
        )  # fmt: skip
        found.append(kernel(mean_crossing, None, None, None, ends, engine))
        places.append(cells.loose)
    if cells.bent.size:
        across, mx, my = chords(cells, s)
        bend = (2.0 * bends - 1.0) * (4.0 / 3.0)
        found.append(stack([mx + 0.5 * bend * across.dx, my + 0.5 * bend * across.dy]))
        places.append(cells.bent)
    if cells.meeting.size:
        found.append(meetings)
        places.append(cells.meeting)
    order = np.argsort(np.concatenate(places))
    return take(concatenate(found, 1), order, 1)


def chords(cells: Cells, s: Any) -> tuple[Segment, Any, Any]:
    """Of the cells through which one edge goes: segments across the middles of its chords, and the middles."""
    px, py, qx, qy = (part for own in cells.chord for part in _at(cells, s, own))
    return chord_normal(px, py, qx, qy)


def _at(cells: Cells, s: Any, which: Integers) -> tuple[Any, Any]:
    """Where some crossings are."""
    return cells.crossings.segments[which].at(take(s, which))


class Ends(NamedTuple):
    """The crossings of a mixed cell, as in `Cut`, and which sides have one, (4, n)."""

    crossings: tuple[Any, ...]
    crossed: Any
    x: Any
    y: Any
    size: Any


def mean_crossing(setting: None, uniforms: None, rows: None, ends: Ends) -> Any:
    """The weighted mean of the crossings of cells, (2, n)."""
    (top, right, bottom, left), crossed, x, y, size = ends
    weights = [where(crossed[i], s * (1.0 - s) + 1e-12, 0.0) for i, s in enumerate((top, right, bottom, left))]
    # Where all crossings are at corners, as in a symmetric scene, their weights are rounding: J goes with the
    # crossings alone.
    at_corners = less(weights[0] + weights[1] + weights[2] + weights[3], AT_CORNERS)
    weights = [where(at_corners, detach(w), w) for w in weights]
    total = weights[0] + weights[1] + weights[2] + weights[3]
    jx = (weights[0] * top + weights[1] + weights[2] * bottom) / total
    jy = (weights[1] * right + weights[2] + weights[3] * left) / total
    return stack([x + size * jx, y + size * jy])


class Cut(NamedTuple):
    """One region of each of n cells.

    crossings: the positions of those on the top, right, bottom and left side, 0.5 where there is none, (n,) each.
    member: whether the region holds the corners, (4, n). joint: x and y; x, y: of the top left corner; size: (n,).
    """

    crossings: tuple[Any, ...]
    member: Any
    joint: tuple[Any, ...]
    x: Any
    y: Any
    size: Any


def region(setting: None, uniforms: None, rows: None, cut: Cut) -> Any:
    """Centroid and area (3, n) of regions.

    At a corner let u run along the next side and v along the one before, with the points at (a, 0) and (0, b) and J
    at (j, k). The quadrilateral is two triangles at the corner, of areas a k / 2 and b j / 2, whose moments are these
    areas times (a + j, k) / 3 and (j, k + b) / 3.
    """
    (top, right, bottom, left), member, joint, x, y, size = cut
    jx, jy = (joint[0] - x) / size, (joint[1] - y) / size
    area = moment_x = moment_y = 0.0
    for i, (a, b, j, k) in enumerate((
        (top, left, jx, jy),
        (right, 1.0 - top, jy, 1.0 - jx),
        (1.0 - bottom, 1.0 - right, 1.0 - jx, 1.0 - jy),
        (1.0 - left, bottom, 1.0 - jy, jx),
    )):  # fmt: skip
        first, second = where(member[i], 0.5 * a * k, 0.0), where(member[i], 0.5 * b * j, 0.0)
        both = first + second
        u, v = (both * j + first * a) / 3.0, (both * k + second * b) / 3.0
        # From the corner's axes to x and y of the cell.
        dx, dy = ((u, v), (both - v, u), (both - u, both - v), (v, both - u))[i]
        area, moment_x, moment_y = area + both, moment_x + dx, moment_y + dy
    # A region without area is one corner; its centroid does not matter but must be a number.
    there = greater(area, 0.0)
    divisor = where(there, area, 1.0)
    return stack([
        x + size * where(there, moment_x / divisor, 0.5),
        y + size * where(there, moment_y / divisor, 0.5),
        area * size * size,
    ])  # fmt: skip
