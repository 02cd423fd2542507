"""Photographs: image files as they are read, with what they do not tell.

A file of 8 or 16 bits holds levels 0 to n. Level k stands for encoded values from (k - 1/2) / n to (k + 1/2) / n,
except at the ends: the lowest level says only that the value is at most (1/2) / n, and the highest only that it is at
least (n - 1/2) / n, whatever it is: an overexposed lamp has level n. Those two are bounds, and kept as such.

Formats: PNG, JPEG (both decoded by Pillow), OpenEXR (by its own Python package), and numpy's .npy.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import InputError, shown
from diffrt.files import expect_path
from diffrt.formats import exr, jpeg, npy, png
from diffrt.formats.limits import MAX_PIXELS
from diffrt.image import Image, srgb_decode
from diffrt.types import Encoding

ENCODINGS = get_args(Encoding)
SUFFIXES = (".png", ".jpg", ".jpeg", ".npy", ".exr")


@dataclass(frozen=True)
class Photograph:
    """A file's pixels.

    image: linear RGB (height, width, 3). dark, bright: (height, width, 3), where the file says only that the value is
    at most `darkest`, or at least `brightest`, linear; nowhere in a file of floats.
    """

    image: Image
    dark: NDArray[np.bool_]
    bright: NDArray[np.bool_]
    darkest: float = 0.0
    brightest: float = math.inf


def read_image(path: str | Path, encoding: Encoding | None = None, most: int = MAX_PIXELS) -> Image:
    """The linear RGB values of an image file.

    path: a .png of 8 or 16 bits per channel or a .jpg, gray or RGB, opaque; an .exr (needs the package OpenEXR), RGB or
    gray; or a .npy of floats, shape (height, width, 3) or, for gray, (height, width).
    encoding: "srgb" or "linear"; if None, "srgb" for .png and .jpg, "linear" for .exr and .npy.
    most: the number of pixels over which it is refused.
    Returns an Image, shape (height, width, 3).
    Raises InputError, naming the file and the fault, if it cannot be read, is damaged, is of another kind (a palette,
    CMYK, transparency, interlacing, an animation), has more than 16,384 pixels on a side or `most` in all, or holds
    values that are not finite.
    """
    return read_photograph(path, encoding, most).image


def read_photograph(path: str | Path, encoding: str | None = None, most: int = MAX_PIXELS) -> Photograph:
    """An image file, and which of its pixels are bounds. The arguments and errors are those of `read_image`."""
    expect_path(path)
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: the name of an image file must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if encoding is not None and encoding not in ENCODINGS:
        raise InputError(f'{path}: found the encoding {shown(encoding)}, allowed: "srgb" or "linear"')
    if suffix in (".npy", ".exr"):
        values = npy.read(path, most) if suffix == ".npy" else exr.read(path, most)
        if encoding == "srgb":
            for row in values:  # of the whole, the temporary arrays would be several times as large
                row[:] = srgb_decode(row)
        nowhere = np.zeros(values.shape, bool)
        return Photograph(values.view(Image), nowhere, nowhere)
    levels = png.read(path, most) if suffix == ".png" else jpeg.read(path, most)
    most = np.iinfo(levels.dtype).max
    table = np.append(np.arange(most + 1), (0.5, most - 0.5)) / most
    if encoding != "linear":
        table = srgb_decode(table)
    image = table[levels].view(Image)  # Image(...) would copy it
    return Photograph(image, levels == 0, levels == most, float(table[-2]), float(table[-1]))
