"""Texels: what a bitmap holds, as a value of a scene."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike


class Texels:
    """Numbers that never change, row by row from the top: (height, width) for a number, (height, width, 3) for a colour.

    array: read-only, float64. Equal numbers are equal texels.
    """

    __slots__ = ("array",)

    def __init__(self, values: ArrayLike) -> None:
        self.array = np.array(values, np.float64)
        self.array.flags.writeable = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Texels) and np.array_equal(self.array, other.array)

    def __hash__(self) -> int:
        return hash((self.array.shape, self.array.tobytes()))

    def __repr__(self) -> str:
        height, width, *_ = self.array.shape
        return f"{width} x {height} texels"

    def __reduce__(self) -> Any:
        return Texels, (self.array,)
