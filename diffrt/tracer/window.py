"""Windows: the pixels that are looked at for a part of an image.

How a cell is divided depends on the block that it is in, and on nothing around it. Blocks are laid over the whole
picture. So a window begins where a block of the picture does, and a pixel is the same in every part.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diffrt.scene import Scene
from diffrt.tracer.camera import part_of
from diffrt.tracer.tables import Tables

BLOCK = 32
"""The sides of blocks divide so many pixels."""


@dataclass(frozen=True)
class Part:
    """What of an image is computed.

    factor: pixels of the image per side that are one; it divides width and height. rows: of these larger ones, the
    first and the one after the last; all if None. pixels: which of them are computed, (height, width), all if None; the
    others may hold anything.
    """

    factor: int = 1
    rows: tuple[int, int] | None = None
    pixels: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Window:
    """What is looked at for a part of an image.

    left, top: where it begins in the image, or the picture around it, in its own pixels. size: width and height.
    factor: of the part. inner: the rows and columns that are the part. pixels: which are computed, (height, width), all
    if None. picture: of the whole picture, where it begins in the window, and its width and height.
    """

    left: int
    top: int
    size: tuple[int, int]
    factor: int
    inner: tuple[slice, slice]
    pixels: NDArray[np.bool_] | None
    picture: tuple[int, int, int, int]

    @property
    def has_margin(self) -> bool:
        """Whether it is larger than the part."""
        return any(i != slice(0, n) for i, n in zip(self.inner, self.size[::-1], strict=True))

    def rows(self, first: int, last: int) -> "Window":
        """Some of its rows, from a border between blocks on."""
        left, top, width, height = self.picture
        return replace(
            self,
            top=self.top + first,
            size=(self.size[0], last - first),
            inner=(slice(0, last - first), self.inner[1]),
            pixels=None if self.pixels is None else self.pixels[first:last],
            picture=(left, top - first, width, height),
        )

    def seen(self, tables: Tables) -> Tables:
        """The tables of a scene, whose camera is that of the window."""
        if (self.left, self.top, self.factor) == (0, 0, 1):
            return tables
        camera = part_of(tables.camera, self.factor * self.left, self.factor * self.top, self.factor)
        return replace(tables, camera=camera)


def window_of(scene: Scene, part: Part) -> Window:
    """What is looked at for a part of the image of a scene."""
    camera, factor = scene.camera, part.factor
    width, height = (side // factor for side in camera.size)
    first, last = part.rows or (0, height)
    x, y = (side // factor for side in camera.crop[:2] or (0, 0))
    right, down = x % BLOCK, (y + first) % BLOCK
    size = width + right, last - first + down
    inner = slice(down, size[1]), slice(right, size[0])
    pixels = None
    if right or down or part.pixels is not None:
        pixels = np.zeros(size[::-1], bool)
        pixels[inner] = True if part.pixels is None else part.pixels[first:last]
    picture = right - x, down - first - y, camera.width // factor, camera.height // factor
    return Window(-right, first - down, size, factor, inner, pixels, picture)
