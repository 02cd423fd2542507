"""Texels: what a bitmap holds, as a value of a scene."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Texels:
    """Numbers that never change, row by row from the top.

    array: (height, width) of a number, (height, width, 3) of a colour; read-only, float64. Texels are equal if their
    numbers are, and numpy takes them for that array.
    """

    __slots__ = ("array",)

    def __init__(self, values: ArrayLike) -> None:
        self.array = np.array(values, np.float64)
        self.array.flags.writeable = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def __getitem__(self, place: Any) -> Any:
        return self.array[place]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.array, dtype) if copy or dtype not in (None, np.float64) else self.array

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Texels) and np.array_equal(self.array, other.array)

    def __hash__(self) -> int:
        return hash((self.array.shape, self.array.tobytes()))

    def __repr__(self) -> str:
        height, width, *_ = self.array.shape
        return f"{width} x {height} texels"

    def __reduce__(self) -> Any:
        return Texels, (self.array,)
