"""The bitmap: a value for each texel, and between the middles of texels the mean of the four around, weighted by how
near they are (bilinear interpolation).

With W x H texels, row 0 at the top, scale (a, b) and offset (c, d), the point u, v is in the bitmap at

    x = W (a u + c) - 1/2,    y = H (1 - (b v + d)) - 1/2

in texels from the middle of the first one. With i, j the whole numbers below x, y and f, g the rest, its value is

    (1 - g) ((1 - f) T[j, i] + f T[j, i + 1]) + g ((1 - f) T[j + 1, i] + f T[j + 1, i + 1]).

The result is continuous, so the bitmap has no edges, and linear in the texels. Which texels are around a point is not
differentiated.
"""

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
        x = (u * self.scale[0] + self.offset[0]) * width - 0.5
        y = (1.0 - (v * self.scale[1] + self.offset[1])) * height - 0.5
        left, right, f = _between(x, width, self.wrap == "repeat" or around[0])
        above, below, g = _between(y, height, self.wrap == "repeat" or around[1])
        table = reshape(self.texels, (height * width, *components))

        def row(j: NDArray[np.int64]) -> Any:
            one, other = (transpose(take(table, j * width + i)) for i in (left, right))
            return one + f * (other - one)

        upper = row(above)
        return upper + g * (row(below) - upper)


def _between(x: Any, size: int, repeats: bool) -> tuple[NDArray[np.int64], NDArray[np.int64], Any]:
    """The texels before and after places x (N,), and how far these are on the way from the one to the other."""
    place = np.floor(detach(x).value if isinstance(x, Var) else x)
    place = np.where(np.abs(place) < 2.0**53, place, 0.0)  # beyond there is nothing between two numbers
    ends = (place, place + 1.0)
    first, second = (np.mod(end, size) if repeats else np.clip(end, 0, size - 1) for end in ends)
    return first.astype(np.int64), second.astype(np.int64), x - place
