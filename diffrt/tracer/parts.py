"""Parts: what an image is divided into, as it is found, level by level, until all of it are cells."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.tracer.cells import LEVELS, Cells, Doubt
from diffrt.tracer.crossings import Crossings, joined
from diffrt.tracer.joints import Joints
from diffrt.tracer.lattice import BITS, ROW, Integers
from diffrt.tracer.samples import Sampled
from diffrt.tracer.visibility import Labels, Visibility

ASKEW = 0.5 / 3.0**0.5 * 2.0 - 0.5
"""How much farther from the middle of a cell Gauss's two by two points are than the middles of its quarters, in sides
of these."""

Proof = Callable[[float], NDArray[np.bool_]]
"""Says of cells whether nothing else is seen in them; it is given the side of all of them, in pixels."""


class Parts:
    """The cells found so far that are smaller than those of the grid, or cut."""

    def __init__(self) -> None:
        self.whole: dict[int, list[tuple[Integers, Labels]]] = {}
        self.mixed: list[tuple[Integers, Labels, Integers, Labels, int]] = []
        self.crossings: list[Crossings] = []
        self.joints: list[Joints] = []
        self.rough: list[NDArray[np.bool_]] = []
        self.doubts: list[tuple[Integers, int, Proof]] = []
        self.count = 0

    def add_whole(self, keys: Integers, labels: Labels, level: int, proof: Proof | None = None) -> None:
        """proof: asks whether nothing else is seen in them, None where that is proved."""
        self.whole.setdefault(level, []).append((keys, labels))
        if proof is not None:
            self.doubts.append((keys, level, proof))

    def add_mixed(self, keys: Integers, labels: Labels, side: Integers, crossings: Crossings, joints: Joints,
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

    def cells(self, view: Visibility, grid: Labels, samples: list[Sampled], size: tuple[int, int], cells: int) -> Cells:
        """All together. samples: what has become of the whole ones."""

        def column(values: list[Any], dtype: Any, *shape: int) -> Any:
            return np.concatenate([np.zeros((*shape, 0), dtype), *values], -1)

        def places(keys_and_levels: list[tuple[Integers, int]]) -> tuple[Any, ...]:
            """Of the top left corner x, y; the side; the pixel and the name."""
            rows = [(keys >> BITS, keys & (ROW - 1), keys, level) for keys, level in keys_and_levels]
            return (
                column([c / (cells << n) for _, c, _, n in rows], float),
                column([r / (cells << n) for r, _, _, n in rows], float),
                column([np.full(len(k), 1.0 / (cells << n)) for *_, k, n in rows], float),
                column([pixels(k, n) for *_, k, n in rows], np.int64),
                column([k * LEVELS + n for *_, k, n in rows], np.int64),
            )

        def pixels(keys: Integers, level: int) -> Integers:
            row, column = ((each >> level) // cells for each in (keys >> BITS, keys & (ROW - 1)))
            return row * size[0] + column

        x, y, side, pixel, name = places([(keys, level) for keys, *_, level in samples])
        mixed = places([(keys, level) for keys, *_, level in self.mixed])
        together = column([each for *_, each, _ in samples], bool)
        # Whether a quarter is the right one, the lower one of four, is the last digit of its column and row.
        keys = column([keys for keys, *_ in samples], np.int64)
        away = np.where(together, ASKEW, 0.0) * side
        aside = (((keys >> k & 1) * 2 - 1) * away for k in (0, BITS))
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
            column([labels for _, labels, *_ in samples], np.int32),
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
