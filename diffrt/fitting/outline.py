"""The outline of a ball in photographs: a circle among their edges.

To a camera a ball's outline is a cone of rays, all at one angle to the ray through its middle. A photograph shows it as
an ellipse, which is a circle only in the middle of the image. Stereographic projection of the directions d from the
camera, with the axes right r, down s and forward f,

    q = 2 (d . r, d . s) / (1 + d . f)

maps every cone to a circle exactly (Snyder, Map Projections, 1987, chapter 21), whatever the camera or its lens.
Parallel rays need no projection: q is the place where they start.

Edges are where the gradient of the smoothed image is longest along itself (Canny, 1986). Each votes for all middles on
the line of its gradient (Ballard, Generalizing the Hough transform, 1981; Duda and Hart, 1972); the circle through most
edges is then fitted to them by reweighted least squares. Photographs by one camera vote together: the border of a
ball's shaded side moves with the light, and its outline does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffrt.fitting.level import mean_of_blocks
from diffrt.fitting.view import View
from diffrt.image import srgb_encode
from diffrt.tracer.camera import rays
from diffrt.tracer.tables import build_tables
from diffrt.types import Array

LARGEST_SIDE = 480
"""Pixels of the shorter side of an image in which edges are looked for; larger images are made smaller."""

SMOOTHING = 1.2
"""The standard deviation of the Gaussian under the gradient, in pixels."""

SMALLEST_RADIUS = 3.0
"""Of a circle, in pixels of that image."""

ALIGNED = 0.94
"""The least cosine of the angle between an edge's gradient and the radius of its circle."""

NEAR = 1.5
"""How far from a circle an edge may be that belongs to it, in pixels."""

LEAST_COVERED = 0.2
"""The least share of a circle's circumference that has edges."""

MOST_VOTERS = 20_000

Circle = tuple[float, float, float]
"""x, y and radius."""


@dataclass(frozen=True)
class Outline:
    """A ball's outline as a camera sees it.

    x, y, radius: about where it is in the image, in pixels. origin, axis: the ray through the ball's middle, (3,) each,
    the axis of length 1. size: the ball's radius over its distance; for parallel rays its radius. parallel: whether
    they are. pixel: the size of a pixel there, in radians; for parallel rays in scene units.
    """

    x: float
    y: float
    radius: float
    origin: Array
    axis: Array
    size: float
    parallel: bool
    pixel: float


def find_outlines(views: Sequence[View], most: int) -> list[Outline]:
    """The circles in photographs by one camera, the most evident first, at most so many.

    views: with the same camera.
    """
    plane = Plane.of(views[0])
    points = [_edges(view) for view in views]
    x, y, across, down, weight = (np.concatenate(column) for column in zip(*points, strict=True))
    of = np.repeat(np.arange(len(points)), [len(p[0]) for p in points])
    if not len(x):
        return []
    q = plane.at(x, y)
    # The gradient is perpendicular to the edge, whose direction is what the projection moves.
    ahead, behind = plane.at(x - down, y + across), plane.at(x + down, y - across)
    along = ahead - behind
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-300)
    normal = np.stack([along[:, 1], -along[:, 0]], 1)
    outlines = (plane.outline(*circle) for circle in _circles(q, normal, weight, of, plane, most))
    return [outline for outline in outlines if outline is not None]


@dataclass(frozen=True)
class Plane:
    """The plane in which outlines are circles, in units of a pixel in the middle of the image.

    camera: the vectors of the camera, (3, n, 1). axes: right, down and forward, the rows of (3, 3). origin: of the ray
    in the middle, (3,). unit: the size of a pixel there. parallel: whether the rays are. width, height: of the image.
    """

    camera: Array
    axes: Array
    origin: Array
    unit: float
    parallel: bool
    width: int
    height: int

    @classmethod
    def of(cls, view: View) -> "Plane":
        """That of a view's camera."""
        camera = np.asarray(build_tables(view.scene).camera, float)[:, :, None]
        height, width = view.used.shape
        x, y = 0.5 * width + np.array([0.0, 0.5, -0.5]), np.full(3, 0.5 * height)
        o, d = rays(camera, x, y)
        parallel = bool(np.ptp(o, axis=1).any())
        forward = d[:, 0]
        step = (o if parallel else d)[:, 1] - (o if parallel else d)[:, 2]
        unit = float(np.linalg.norm(step))
        right = step - forward * (forward @ step)
        right /= np.linalg.norm(right)
        o_below, d_below = rays(camera, x[:1], y[:1] + 0.5)
        below = ((o_below - o[:, :1]) if parallel else (d_below - d[:, :1]))[:, 0]
        down = np.cross(forward, right)
        down *= np.sign(down @ below)
        return cls(camera, np.stack([right, down, forward]), o[:, 0], unit, parallel, width, height)

    def at(self, x: Array, y: Array) -> Array:
        """Points of the plane, (N, 2), of image coordinates (N,)."""
        o, d = rays(self.camera, x, y)
        if self.parallel:
            return np.asarray((self.axes[:2] @ (o - self.origin[:, None])).T / self.unit)
        a, b, c = self.axes @ d
        return np.asarray(np.stack([a, b], 1) * (2.0 / (1.0 + c) / self.unit)[:, None])

    def direction(self, q: Array) -> Array:
        """The directions (N, 3) of points (N, 2) of the plane."""
        a, b = 0.5 * self.unit * q.T
        square = a * a + b * b
        return np.asarray((np.stack([2.0 * a, 2.0 * b, 1.0 - square]) / (1.0 + square)).T @ self.axes)

    def pixels(self, q: Array) -> Array:
        """Image coordinates (N, 2) of points (N, 2) of the plane, by Newton's steps with the slope of the middle."""
        place = np.broadcast_to([0.5 * self.width, 0.5 * self.height], q.shape) + q
        for _ in range(30):
            place = place + (q - self.at(*place.T))
        return place

    def outline(self, x: float, y: float, radius: float) -> Outline | None:
        """The outline that is a circle of the plane; None if no ball has it."""
        turn = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
        rim = np.array([x, y]) + radius * np.stack([np.cos(turn), np.sin(turn)], 1)
        shown = self.pixels(rim)
        if not np.isfinite(shown).all():
            return None
        middle = shown.mean(0)
        inside = float(middle[0]), float(middle[1]), float(np.hypot(*(shown - middle).T).mean())
        if self.parallel:
            origin = self.origin + self.unit * (np.array([x, y]) @ self.axes[:2])
            return Outline(*inside, origin, self.axes[2], radius * self.unit, True, self.unit)
        # d . m = 1 on the cone, m being its axis over the cosine of its angle.
        m = np.linalg.lstsq(self.direction(rim), np.ones(len(rim)), rcond=None)[0]
        cosine = 1.0 / np.linalg.norm(m)
        if not cosine < 1.0:
            return None
        sine = float(np.sqrt(1.0 - cosine * cosine))
        return Outline(*inside, self.origin, m * cosine, sine, False, self.unit)


def _edges(view: View) -> tuple[Array, ...]:
    """The edges of a photograph and of its mask: image coordinates x and y, the unit gradient across and down, and a
    weight, (N,) each."""
    used = view.used.astype(float)
    factor = max(min(view.used.shape) // LARGEST_SIDE, 1)
    height, width = (side // factor * factor for side in view.used.shape)
    linear = mean_of_blocks(np.asarray(view.photograph.image)[:height, :width], factor)
    used = mean_of_blocks(used[:height, :width], factor)
    top = np.percentile(linear[used > 0.5], 99.0)
    # Steps of the encoded image are even to the eye, and its noise is nearly so.
    shown = srgb_encode(np.clip(linear / (top if top > 0.0 else 1.0), 0.0, 1.0))
    found = [_edges_of(np.asarray(shown), used > 0.0, 1.0)]
    if not view.used.all():
        # A mask may be drawn along the ball; the image's own edges count more.
        found.append(_edges_of(used[..., None], np.ones_like(used, bool), 0.2))
    x, y, across, down, weight = (np.concatenate(column) for column in zip(*found, strict=True))
    return x * factor, y * factor, across, down, weight


def _edges_of(values: Array, inside: NDArray[np.bool_], weight: float) -> tuple[Array, ...]:
    """The edges of an image (height, width, channels) that are inside, or at most a pixel beside it."""
    from scipy.ndimage import binary_dilation, gaussian_filter, map_coordinates

    down, across = (
        np.stack([gaussian_filter(c, SMOOTHING, order, mode="nearest") for c in np.moveaxis(values, -1, 0)], -1)
        for order in ((1, 0), (0, 1))
    )
    size = np.hypot(across, down)
    most = size.argmax(-1)[..., None]
    across, down, size = (np.take_along_axis(a, most, -1)[..., 0] for a in (across, down, size))
    within = binary_dilation(inside)
    # Noise alone has gradients whose lengths are Rayleigh's, with a median of 1.18 standard deviations.
    least = max(3.5 / 1.18 * float(np.median(size[within])), 0.02 * float(size[within].max()), 1e-6)
    row, column = np.nonzero(within & (size >= least))
    a, d, s = across[row, column], down[row, column], size[row, column]
    a, d = a / s, d / s
    after, before = (
        map_coordinates(size, [row + sign * d, column + sign * a], order=1, mode="nearest") for sign in (1.0, -1.0)
    )
    top = (s >= after) & (s > before)
    bend = np.maximum(2.0 * s - after - before, 1e-300)
    shift = np.clip(0.5 * (after - before) / bend, -0.5, 0.5)
    x, y = column + 0.5 + shift * a, row + 0.5 + shift * d
    return x[top], y[top], a[top], d[top], weight * np.sqrt(s[top] / size[within].max())


def _circles(q: Array, normal: Array, weight: Array, of: NDArray[np.intp], plane: Plane, most: int) -> list[Circle]:
    """Circles (x, y, radius) through edges, the best first.

    q, normal: (N, 2). weight: (N,). of: the number of the photograph of each, (N,). most: how many.
    """
    corners = plane.at(np.array([0.0, plane.width]), np.array([0.0, plane.height]))
    lowest, highest = corners.min(0), corners.max(0)
    side = float((highest - lowest).max())
    grain = max(side / 400.0, 1.0)
    tried: list[tuple[float, Circle]] = []
    for middle in _middles(q, normal, weight, lowest, highest, grain):
        for radius in _radii(q, normal, weight, middle, side):
            fitted = _refined(q, normal, weight, np.array([*middle, radius]))
            if fitted is None or not SMALLEST_RADIUS * grain <= fitted[2] <= side:
                continue
            strength = _strength(q, normal, weight, of, fitted)
            turn = (np.arange(len(strength)) + 0.5) * (2.0 * np.pi / len(strength))
            rim = fitted[:2] + fitted[2] * np.stack([np.cos(turn), np.sin(turn)], 1)
            shown = ((rim > lowest) & (rim < highest)).all(1)
            if (strength > 0.0).mean() >= LEAST_COVERED:
                x, y, size = fitted.tolist()
                covered = float((strength[shown] > 0.0).mean())
                tried.append((float(strength.mean()) * size * np.sqrt(covered), (x, y, size)))
    chosen: list[Circle] = []
    for _, circle in sorted(tried, reverse=True):
        same = (np.abs(np.subtract(circle, other)).max() < 0.2 * max(circle[2], other[2]) for other in chosen)
        if not any(same):
            chosen.append(circle)
    return chosen[:most]


def _middles(q: Array, normal: Array, weight: Array, lowest: Array, highest: Array, grain: float) -> list[Array]:
    """The points with most votes, (2,) each: each edge votes for the points on the line of its gradient."""
    from scipy.ndimage import gaussian_filter, maximum_filter

    voters = slice(None, None, len(q) // MOST_VOTERS + 1)
    q, normal, weight = q[voters], normal[voters], weight[voters]
    bin_, margin = 2.0 * grain, 0.25 * (highest - lowest)
    low = lowest - margin
    shape = np.ceil((highest + margin - low) / bin_).astype(int)
    votes = np.zeros(int(shape.prod()))
    for reach in np.arange(SMALLEST_RADIUS * grain, float((highest - lowest).max()), bin_):
        for sign in (reach, -reach):
            column, row = np.floor((q + sign * normal - low) / bin_).astype(int).T
            there = (column >= 0) & (row >= 0) & (column < shape[0]) & (row < shape[1])
            votes += np.bincount((row * shape[0] + column)[there], weight[there], len(votes))
    smooth = gaussian_filter(votes.reshape(shape[1], shape[0]), 1.0)
    peak = (smooth == maximum_filter(smooth, 5)) & (smooth > 0.0)
    row, column = np.nonzero(peak)
    order = np.argsort(-smooth[row, column], kind="stable")[:16]
    return [low + bin_ * (np.array([column[n], row[n]]) + 0.5) for n in order]


def _radii(q: Array, normal: Array, weight: Array, middle: Array, side: float) -> list[float]:
    """The radii around a middle at which most edges are."""
    from scipy.ndimage import gaussian_filter1d

    distance, aligned = _about(q, normal, middle)
    count = np.bincount(distance[aligned].astype(int), weight[aligned], int(side) + 2)
    smooth = gaussian_filter1d(count, 1.5)
    top = np.flatnonzero((smooth >= np.roll(smooth, 1)) & (smooth > np.roll(smooth, -1)))
    return [float(n) + 0.5 for n in top[np.argsort(-smooth[top], kind="stable")[:4]]]


def _about(q: Array, normal: Array, middle: Array) -> tuple[Array, NDArray[np.bool_]]:
    """How far edges are from a middle, and whether their gradient points to it or away."""
    away = q - middle
    distance = np.maximum(np.hypot(*away.T), 1e-9)
    return distance, np.abs((away * normal).sum(1)) >= ALIGNED * distance


def _refined(q: Array, normal: Array, weight: Array, circle: Array) -> Array | None:
    """The circle (3,) nearest to one, by least squares of the distances of edges, with Tukey's weights."""
    for step in range(12):
        distance, aligned = _about(q, normal, circle[:2])
        reach = 2.0 * NEAR * max(1.0, 0.03 * circle[2] * 0.6**step)
        off = distance - circle[2]
        near = aligned & (np.abs(off) < reach)
        if near.sum() < 8:
            return None
        w = np.sqrt(weight[near]) * (1.0 - (off[near] / reach) ** 2)
        slope = np.column_stack([(q[near] - circle[:2]) / distance[near, None], np.ones(int(near.sum()))])
        circle = circle + np.linalg.lstsq(w[:, None] * slope, w * off[near], rcond=None)[0]
        if not np.isfinite(circle).all() or circle[2] <= 0.0:
            return None
    return circle


def _strength(q: Array, normal: Array, weight: Array, of: NDArray[np.intp], circle: Array) -> Array:
    """The weight of the edges on each of some arcs of a circle, (arcs,): the mean over a fifth of the photographs,
    those in which it is largest."""
    distance, aligned = _about(q, normal, circle[:2])
    near = aligned & (np.abs(distance - circle[2]) < NEAR)
    arcs = int(np.clip(2.0 * np.pi * circle[2] / 3.0, 12, 90))
    arc = ((np.arctan2(*(q[near] - circle[:2]).T[::-1]) / (2.0 * np.pi) % 1.0) * arcs).astype(int) % arcs
    photographs = int(of.max()) + 1
    each = np.zeros((photographs, arcs))
    np.maximum.at(each, (of[near], arc), weight[near])
    return np.asarray(np.sort(each, 0)[-max(photographs // 5, 1) :].mean(0))


def seen(ball: Array, outline: Outline) -> Array:
    """What a ball's outline is off by, in pixels: its middle (3,) and its size, (4,).

    ball: centre and radius, (4,).
    """
    away = ball[:3] - outline.origin
    if outline.parallel:
        aside = away - outline.axis * (away @ outline.axis)
        return np.append(aside, ball[3] - outline.size) / outline.pixel
    distance = max(float(np.linalg.norm(away)), 1e-300)
    angle = np.arcsin(min(ball[3] / distance, 1.0)) - np.arcsin(outline.size)
    return np.append(away / distance - outline.axis, angle) / outline.pixel
