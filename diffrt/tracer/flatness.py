"""Flatness: whether one sample, or a few, stand for the radiance of a cell."""

import numpy as np
from numpy.typing import NDArray

from diffrt.tracer.lattice import Floats
from diffrt.tracer.shading import Samples, curvature, lighting, shade
from diffrt.tracer.visibility import Labels, Visibility
from diffrt.tracer.window import Window

FLAT = 0.0625
"""What taking one sample of a cell may be wrong by, in tolerances of the mean radiance."""

SAVED, SMOOTH = 64.0, 8.0
"""How many times as large an error is of one sample of a region, and of a cell without an edge, as of several."""

COARSE = 0.125
"""The error, in parts of what is allowed, from which on a region has several samples. Few cells have an edge, so that
costs little; and next to a limb the error changes fast as the scene moves, and with it the number of samples."""

PROBES = 16
"""The mean radiance is that of so many by so many points."""


class Flatness:
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
        enough, rough = np.array(~(error > SAVED).any(0)), ~(error <= COARSE)
        for k in range(1, 4):  # a region is known by its first corner
            rough[k] |= ((labels[:k] == labels[k]) & rough[:k]).any(0)
        return rough, enough
