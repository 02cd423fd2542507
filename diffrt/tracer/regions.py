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

A centroid integrates a linear function over its region exactly. Where radiance is not near enough to one, which is
mostly at a limb, a region is taken apart into *wedges*, triangles at J, with four samples each. At a limb radiance goes
like the root of the distance from the edge, and its derivative like the inverse; so with t the root of the distance, in
parts of the largest, a rule is wanted for polynomials of t times 1 / t, as Gauss's rules are for polynomials.

All of it is arithmetic on the crossings, which move with the scene.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import concatenate, detach, less, not_equal, stack, take, where
from diffrt.compiler import Engine, kernel
from diffrt.tracer.cells import CORNERS, SIDES, Cells
from diffrt.tracer.crossings import chord_normal
from diffrt.tracer.switching import Segment
from diffrt.tracer.visibility import Labels

AT_CORNERS = 1e-8
"""The sum of the weights of a cell's crossings under which they are all taken to be at corners."""

Integers = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


def _gauss(moments: Floats) -> tuple[Floats, Floats]:
    """The two places and weights that integrate polynomials of degree up to 3 as these four moments do."""
    c, b = np.linalg.solve([moments[:2], moments[1:3]], -moments[2:])
    places = 0.5 * (-b + np.array([-1.0, 1.0]) * np.sqrt(b * b - 4.0 * c))
    return places, np.linalg.solve([np.ones(2), places], moments[:2])


def _rules() -> tuple[Floats, Floats]:
    """How the samples of a wedge J, N, C, of the corner C and a point N beside it, lie in it, in parts of J, N and C,
    (2, 4, 3), and what part of its area each stands for, (2, 4): first of a wedge whose side J, N is on an edge, then
    of one that only J is on. At each of two distances from the edge lie two samples.

    A part 2 (1 - d) of the first is at the distance d, the root of which is t: to integrate f is to integrate
    4 (1 - t^2) t f, and the distances are for 4 (1 - t^2) and t f; beside each other the samples lie by Radau's rule. A
    part 2 d of the second is, where next to the edge there is little, and the distances are for 4 t^3 and f; beside
    each other the samples lie by Gauss's rule.

    None may lie beyond an edge that bends. From N to J a parabola is inside of the line up to 2/3 of the way; and J is
    beyond it by a fourth of its distance from the chord, less than the first samples of the second rule are from J.
    """
    power = np.arange(4)
    t, share = _gauss(4.0 / (power + 1) - 4.0 / (power + 3))
    d, along = (each.ravel() for each in np.meshgrid(t * t, [0.0, 2.0 / 3.0], indexing="ij"))
    first = np.stack([along * (1.0 - d), (1.0 - along) * (1.0 - d), d], -1)
    shares = [np.outer(share * t, [0.25, 0.75]).ravel()]
    t, share = _gauss(4.0 / (power + 4))
    r, along = (each.ravel() for each in np.meshgrid(t * t, 0.5 + np.array([-0.5, 0.5]) / np.sqrt(3.0), indexing="ij"))
    second = np.stack([1.0 - r, along * r, (1.0 - along) * r], -1)
    return np.stack([first, second]), np.stack([*shares, np.outer(share, [0.5, 0.5]).ravel()])


SPOTS, SHARES = _rules()


@dataclass(frozen=True)
class Regions:
    """The regions of all mixed cells, n in number, without their geometry.

    cell: the mixed cell that a region is of, (n,). side: the crossings on the four sides of the cell, -1 for none,
    (4, n). member: how often the region holds each corner, (4, n): 1 or 0; or 0 and -1, for corners that it loses.
    label: of its signature, (n,). rough: whether one sample is not enough, (n,).

    plain: the regions that have one sample. wedge_region, wedge_corner, wedge_side: of each wedge, m in number, the
    region, the corner and the side that it is at. region: of each sample, those of the plain regions, then the first
    of each wedge, and so on.
    """

    cell: Integers
    side: Integers
    member: Integers
    label: Labels
    rough: NDArray[np.bool_]
    plain: Integers
    wedge_region: Integers
    wedge_corner: Integers
    wedge_side: Integers
    region: Integers


def find_regions(cells: Cells) -> Regions:
    """The regions of the mixed cells."""
    label = cells.corner_label
    # A corner starts a region if no corner before it has the same signature.
    first = np.array([~(label[:k] == label[k]).any(0) for k in range(4)])
    start, place = np.nonzero(first)
    member, rough = label[:, place] == label[start, place], cells.rough[start, place]
    plain, divided = np.flatnonzero(~rough), np.flatnonzero(rough)
    corner, which = np.nonzero(member[:, divided])
    wedge_region, wedge_corner = np.tile(divided[which], 2), np.tile(corner, 2)
    # Sides and corners go round alike: after a corner comes the side of its number.
    wedge_side = np.append(corner, (corner - 1) % 4)
    weight = member.astype(np.int64)
    # What is between two edges was all that is not beyond the first, and loses what is beyond the second.
    weight[:, cells.between[place] == label[start, place]] -= 1
    return Regions(
        place, cells.side[:, place], weight, label[start, place], rough, plain, wedge_region, wedge_corner, wedge_side,
        np.concatenate([plain, *[wedge_region] * len(SHARES[0])]),
    )  # fmt: skip


def place_regions(cells: Cells, regions: Regions, s: Any, joints: Any, engine: Engine) -> Any:
    """The samples of the regions: x, y and the area that each stands for, as (3, n), in pixels.

    s: the position of each crossing on its side, (m,). joints: of the mixed cells, x and y in pixels, (2, mixed).
    """
    padded, found = concatenate([s, [0.5]]), []
    sides = np.where(regions.side < 0, len(padded) - 1, regions.side)
    if regions.plain.size:
        cell = regions.cell[regions.plain]
        cut_at = tuple(take(padded, side[regions.plain]) for side in sides)
        member = regions.member[:, regions.plain].astype(float)
        joint = tuple(take(joints[axis], cell) for axis in range(2))
        cut = Cut(cut_at, member, joint, cells.corner_x[cell], cells.corner_y[cell], cells.mixed_size[cell])
        found.append(kernel(region, None, None, None, cut, engine))
    if regions.wedge_region.size:
        cell, corner, side = regions.cell[regions.wedge_region], regions.wedge_corner, regions.wedge_side
        number = sides[side, regions.wedge_region]
        # The side before a corner is passed the other way: there C, N is turned.
        turn = np.where(side == corner, 1.0, -1.0)
        of = (number == len(padded) - 1).astype(int)
        (bx, by), (ex, ey), (cx, cy) = (CORNERS[:, k] for k in (SIDES[side, 0], SIDES[side, 1], corner))
        joint = tuple(take(joints[axis], cell) for axis in range(2))
        wedges = Wedge(take(padded, number), joint, bx, by, ex - bx, ey - by, cx, cy, turn, tuple(SPOTS[of].T),
                       SHARES[of].T, cells.corner_x[cell], cells.corner_y[cell], cells.mixed_size[cell])  # fmt: skip
        samples = kernel(wedge, None, None, None, wedges, engine)
        found += [samples[k] for k in range(len(SHARES[0]))]
    return concatenate(found, 1)


class EdgePlaces(NamedTuple):
    """Where edges are, as functions of the scene: the positions of the crossings on their sides, (m,); the `chords` of
    the cells through which one edge goes, and the positions of the edges on the segments across them, (number,); the
    places where two edges meet, (2, number)."""

    s: Any
    chords: tuple[Segment, Any, Any]
    bends: Any
    meetings: Any


def place_joints(cells: Cells, edges: EdgePlaces, engine: Engine) -> Any:
    """The joints of the mixed cells, x and y in pixels, (2, mixed)."""
    found, places = [], []
    if cells.loose.size:
        padded, side = concatenate([edges.s, [0.5]]), cells.side[:, cells.loose]
        ends = Ends(
            tuple(take(padded, np.where(own < 0, len(padded) - 1, own)) for own in side), side >= 0,
            cells.corner_x[cells.loose], cells.corner_y[cells.loose], cells.mixed_size[cells.loose],
        )  # fmt: skip
        found.append(kernel(mean_crossing, None, None, None, ends, engine))
        places.append(cells.loose)
    if cells.bent.size:
        across, mx, my = edges.chords
        bend = (2.0 * edges.bends - 1.0) * (4.0 / 3.0)
        found.append(stack([mx + 0.5 * bend * across.dx, my + 0.5 * bend * across.dy]))
        places.append(cells.bent)
    if cells.meeting.size:
        found.append(edges.meetings)
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
    member: how often the region holds the corners, (4, n). joint: x and y; x, y: of the top left corner; size: (n,).
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
        first, second = member[i] * (0.5 * a * k), member[i] * (0.5 * b * j)
        both = first + second
        u, v = (both * j + first * a) / 3.0, (both * k + second * b) / 3.0
        # From the corner's axes to x and y of the cell.
        dx, dy = ((u, v), (both - v, u), (both - u, both - v), (v, both - u))[i]
        area, moment_x, moment_y = area + both, moment_x + dx, moment_y + dy
    # A region without area is one corner; its centroid does not matter but must be a number.
    there = not_equal(area, 0.0)
    divisor = where(there, area, 1.0)
    return stack([
        x + size * where(there, moment_x / divisor, 0.5),
        y + size * where(there, moment_y / divisor, 0.5),
        area * size * size,
    ])  # fmt: skip


class Wedge(NamedTuple):
    """Wedges of cells, n in number, in sides from the cells' top left corners.

    s: of the crossing, 0.5 where there is none, on the side that begins at side_x, side_y and goes along side_dx,
    side_dy. joint: x and y, in pixels. corner_x, corner_y: of the corner. turn: 1 where the way from joint to corner to
    crossing turns to the right, else -1. spots: in the parts that J, N and C have in the samples, three times (4, n).
    shares: of the area that they stand for, (4, n). x, y, size: of the cells, in pixels. The others (n,).
    """

    s: Any
    joint: tuple[Any, ...]
    side_x: Any
    side_y: Any
    side_dx: Any
    side_dy: Any
    corner_x: Any
    corner_y: Any
    turn: Any
    spots: tuple[Any, ...]
    shares: Any
    x: Any
    y: Any
    size: Any


def wedge(setting: None, uniforms: None, rows: None, wedges: Wedge) -> Any:
    """The samples of wedges, (4, 3, n): x, y and area of each."""
    w, (of_joint, of_point, of_corner) = wedges, wedges.spots
    jx, jy = (w.joint[0] - w.x) / w.size, (w.joint[1] - w.y) / w.size
    px, py = w.side_x + w.s * w.side_dx, w.side_y + w.s * w.side_dy
    area = 0.5 * w.turn * ((w.corner_x - jx) * (py - jy) - (w.corner_y - jy) * (px - jx)) * w.size * w.size
    return stack([
        stack([
            w.x + w.size * (of_joint[k] * jx + of_point[k] * px + of_corner[k] * w.corner_x),
            w.y + w.size * (of_joint[k] * jy + of_point[k] * py + of_corner[k] * w.corner_y),
            w.shares[k] * area,
        ])
        for k in range(len(SHARES[0]))
    ])  # fmt: skip
