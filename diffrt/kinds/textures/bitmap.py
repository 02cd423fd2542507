"""The bitmap: a value for each texel, and between the middles of texels the mean of the four around, weighted by how
near they are (bilinear interpolation).

With W x H texels, row 0 at the top, scale (a, b) and offset (c, d), the point u, v is in the bitmap at

    x = W (a u + c) - 1/2,    y = H (1 - (b v + d)) - 1/2

in texels from the middle of the first one. With i, j the whole numbers below x, y and f, g the rest, its value is

    (1 - g) ((1 - f) T[j, i] + f T[j, i + 1]) + g ((1 - f) T[j + 1, i] + f T[j + 1, i + 1]).

The result is continuous, so the bitmap has no edges, and linear in the texels. Which texels are around a point is not
differentiated.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, detach, reshape, take, transpose
from diffrt.kinds.fields import counts, one_of, pair, picture_file, texels
from diffrt.kinds.kind import Texture


class Bitmap(Texture):
    """Texels from a file or from the scene, blended from one to the next."""

    type = "bitmap"
    file = picture_file(
        "the image that holds the texels, in place of texels: .png, .jpg, .tif, .webp, .tga, .npy or .exr"
    )
    encoding = one_of(
        "how the numbers of the file are meant, as for any image; of a colour in .png and .jpg srgb if it is not said, "
        "else linear",
        ("", "srgb", "linear"), "",
    )  # fmt: skip
    texels = texels("the values, row by row from the top; at most 1,048,576")
    wrap = one_of("what is beyond the border: the bitmap again, or its border", ("repeat", "clamp"), "repeat")
    scale = counts("how many bitmaps there are along u, and along v, from 0 to 1", (1.0, 1.0))
    offset = pair("by how much they are moved towards u = 0 and v = 0, in bitmaps", (0.0, 0.0))

    whole: ClassVar = {"scale": 1}

    def given(self) -> dict[str, Any]:
        # The texels of a file are read again.
        return {name: value for name, value in vars(self).items() if name != "texels" or not self.file}

    def value(self, u: Any, v: Any, around: tuple[bool, bool]) -> Any:
        height, width, *components = self.texels.shape
        (x, y), repeats = self._place(u, v), self._repeats(around)
        left, right, f = _between(x, width, repeats[0])
        above, below, g = _between(y, height, repeats[1])
        table = reshape(self.texels, (height * width, *components))

        def row(j: NDArray[np.int64]) -> Any:
            one, other = (transpose(take(table, j * width + i)) for i in (left, right))
            return one + f * (other - one)

        upper = row(above)
        return upper + g * (row(below) - upper)

    def bounds(self, u: tuple[Any, Any], v: tuple[Any, Any], around: tuple[bool, bool]) -> tuple[Any, Any]:
        (x, y), repeats = zip(*map(self._place, u, v), strict=True), self._repeats(around)
        height, width = self.texels.shape[:2]
        return _extremes(self._known(), _spans(y, height, repeats[1], 1), _spans(x, width, repeats[0], 1))

    def slopes(self, u: tuple[Any, Any], v: tuple[Any, Any], around: tuple[bool, bool]) -> tuple[Any, Any]:
        (x, y), repeats = zip(*map(self._place, u, v), strict=True), self._repeats(around)
        texels, ends, found = self._known(), (y, x), []
        for axis, factor in ((1, self.scale[0] * self.texels.shape[1]), (0, -self.scale[1] * self.texels.shape[0])):
            steps = np.roll(texels, -1, axis) - texels
            spans = [_spans(own, size, repeat, 1) for own, size, repeat in
                     zip(ends, texels.shape[:2], repeats[::-1], strict=True)]  # fmt: skip
            if repeats[1 - axis]:
                spans[axis] = _spans(ends[axis], steps.shape[axis], True, 0)
            else:  # before the first texel and after the last there is no step
                steps = np.delete(steps, -1, axis)
                steps = np.pad(steps, [(int(k == axis),) * 2 for k in range(steps.ndim)])
                spans[axis] = _spans([end + 1.0 for end in ends[axis]], steps.shape[axis], False, 0)
            one, other = (side * factor for side in _extremes(steps, *spans))
            found.append((np.minimum(one, other), np.maximum(one, other)))
        return found[0], found[1]

    def _place(self, u: Any, v: Any) -> tuple[Any, Any]:
        """x and y in texels from the middle of the first one."""
        height, width = self.texels.shape[:2]
        x = (u * self.scale[0] + self.offset[0]) * width - 0.5
        return x, (1.0 - (v * self.scale[1] + self.offset[1])) * height - 0.5

    def _repeats(self, around: tuple[bool, bool]) -> tuple[bool, bool]:
        """Whether the bitmap goes on at its other end, along x and along y."""
        return self.wrap == "repeat" or around[0], self.wrap == "repeat" or around[1]

    def _known(self) -> NDArray[Any]:
        return np.asarray(detach(self.texels).value if isinstance(self.texels, Var) else self.texels)


Span = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The first and the last of some rows or columns, (N,) each."""


def _spans(ends: Sequence[Any], size: int, repeats: bool, more: int) -> list[Span]:
    """What is between two places, and so many more; two spans where it goes on at the other end of the bitmap."""
    low, high = np.floor(np.minimum(*ends)), np.floor(np.maximum(*ends)) + more
    if not repeats:
        return [(np.clip(low, 0, size - 1).astype(np.int64), np.clip(high, 0, size - 1).astype(np.int64))]
    whole = ~(high - low < size - 1.0) | ~(np.abs(low) < 2.0**52)
    first = np.where(whole, 0.0, np.mod(np.where(whole, 0.0, low), size)).astype(np.int64)
    last = np.where(whole, size - 1.0, first + np.where(whole, 0.0, high - low)).astype(np.int64)
    over = last >= size
    return [(first, np.minimum(last, size - 1)), (np.where(over, 0, first), np.where(over, last - size, first))]


def _extremes(table: NDArray[Any], rows: list[Span], columns: list[Span]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The least and the largest (..., N) of a table between rows and columns."""
    found = []
    for extreme in (np.minimum, np.maximum):
        pyramid = _pyramid(table, extreme)
        parts = [_within(pyramid, row, column, extreme) for row in rows for column in columns]
        found.append(np.moveaxis(extreme.reduce(parts), 0, -1))
    return found[0], found[1]


def _pyramid(texels: NDArray[Any], extreme: Any) -> list[NDArray[Any]]:
    """The extremes of texels over squares of sides 1, 2, 4 and so on."""
    found = [texels]
    while max(found[-1].shape[:2]) > 1:
        last = found[-1]
        more = [(0, n % 2) for n in last.shape[:2]] + [(0, 0)] * (last.ndim - 2)
        last = np.pad(last, more, mode="edge")
        found.append(extreme(extreme(last[::2, ::2], last[1::2, ::2]), extreme(last[::2, 1::2], last[1::2, 1::2])))
    return found


def _within(pyramid: list[NDArray[Any]], rows: Any, columns: Any, extreme: Any) -> NDArray[Any]:
    """The extremes (N, ...) of texels from the first to the last row and column: four squares hold them."""
    most = np.maximum(rows[1] - rows[0], columns[1] - columns[0])
    level = np.ceil(np.log2(most + 1.0)).astype(np.int64)
    found = np.empty((len(level), *pyramid[0].shape[2:]))
    for number in np.unique(level):
        mine, squares = np.flatnonzero(level == number), pyramid[number]
        corners = [squares[j[mine] >> number, i[mine] >> number] for j in rows for i in columns]
        found[mine] = extreme.reduce(corners)
    return found


def _between(x: Any, size: int, repeats: bool) -> tuple[NDArray[np.int64], NDArray[np.int64], Any]:
    """The texels before and after places x (N,), and how far these are on the way from the one to the other."""
    place = np.floor(detach(x).value if isinstance(x, Var) else x)
    place = np.where(np.abs(place) < 2.0**53, place, 0.0)  # beyond there is nothing between two numbers
    ends = (place, place + 1.0)
    first, second = (np.mod(end, size) if repeats else np.clip(end, 0, size - 1) for end in ends)
    return first.astype(np.int64), second.astype(np.int64), x - place
