"""Texels: what a bitmap holds, as a value of a scene."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike


class Texels:
    """Numbers that never change, row by row from the top.

    array: (height, width) of a number, (height, width, 3) of a colour; read-only, float64. Texels are equal if their
    numbers are.
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
