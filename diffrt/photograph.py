"""Photographs: image files as they are read, with what they do not tell.

A file of 8 or 16 bits holds levels 0 to n. Level k stands for encoded values from (k - 1/2) / n to (k + 1/2) / n,
except at the ends: the lowest level says only that the value is at most (1/2) / n, and the highest only that it is at
least (n - 1/2) / n, whatever it is: an overexposed lamp has level n. Those two are bounds, and kept as such.

Cameras measure 10, 12 or 14 bits, and programs put them into files of 16: as they are, so that the highest level is
2^12 - 1, or times 2^4, so that all levels are multiples of it. Both are noticed. Levels stay shares of what the file
can hold, so that photographs of one camera keep their ratios, a dark one too; but where the sensor was full is a bound.

Formats: PNG, JPEG, TIFF, WebP and TGA, OpenEXR (by its own Python package), and numpy's .npy.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import InputError, shown
from diffrt.files import expect_path
from diffrt.formats import exr, jpeg, npy, png, tga, tiff, webp
from diffrt.formats.exif import field_of_view
from diffrt.formats.limits import MAX_PIXELS
from diffrt.image import Image, srgb_decode
from diffrt.types import Encoding

ENCODINGS = get_args(Encoding)

READERS = {
    ".png": png.read, ".jpg": jpeg.read, ".jpeg": jpeg.read, ".tif": tiff.read, ".tiff": tiff.read, ".webp": webp.read,
    ".tga": tga.read, ".npy": npy.read, ".exr": exr.read,
}  # fmt: skip
LINEAR = (".npy", ".exr")
"""Of the suffixes, those whose levels are shares of the light too, if nobody says otherwise. Floats always are."""

BITS = range(8, 17)
"""That a file of 16 bits may be said to hold."""

_NOTICED = (10, 12, 14)
_FULL = 8
"""So many values at the highest level of 10, 12 or 14 bits, and none above: the sensor was full."""


_VARIED = 16
"""So many different levels, all multiples of the same number, are no chance."""


@dataclass(frozen=True)
class Photograph:
    """A file's pixels.

    image: linear RGB (height, width, 3). dark, bright: (height, width, 3), where the file says only that the value is
    at most `darkest`, or at least `brightest`, linear; nowhere in a file of floats. alpha: how opaque each pixel is,
    (height, width) from 0 to 1; None if all are. view: the vertical field of view in degrees that the camera says, and
    what it follows from, in words; None if it does not. notes: what was noticed, in lines.
    """

    image: Image
    dark: NDArray[np.bool_]
    bright: NDArray[np.bool_]
    darkest: float = 0.0
    brightest: float = math.inf
    alpha: NDArray[np.float64] | None = None
    view: tuple[float, str] | None = None
    notes: tuple[str, ...] = ()

    @property
    def opaque(self) -> NDArray[np.bool_]:
        """The pixels that are there, entirely, (height, width): the colours of others are mixed with something."""
        if self.alpha is None:
            return np.ones(self.image.shape[:2], bool)
        there: NDArray[np.bool_] = self.alpha >= 1.0
        return there


def read_image(path: str | Path, encoding: Encoding | None = None, most: int = MAX_PIXELS) -> Image:
    """The linear RGB values of an image file.

    path: a .png or .tif of 8 or 16 bits per channel, a .jpg, .webp or .tga, gray or RGB, opaque; an .exr (needs the
    package OpenEXR), RGB or gray; or a .npy, shape (height, width, 3) or, for gray, (height, width), of floats, or of
    whole numbers of 8 or 16 bits, whose largest is 1.
    encoding: "srgb" or "linear"; if None, "linear" for .exr, .npy and floats in a .tif, "srgb" for others.
    most: the number of pixels over which it is refused.
    Returns an Image, shape (height, width, 3).
    Raises InputError, naming the file and the fault, if it cannot be read, is damaged, is of another kind (a palette,
    CMYK, transparency, interlacing, an animation), has more than 16,384 pixels on a side or `most` in all, or holds
    values that are not finite.
    """
    found = read_photograph(path, encoding, most)
    if found.alpha is not None:
        raise InputError(f"{path}: is transparent in places; an opaque image is needed")
    return found.image


def read_photograph(
    path: str | Path, encoding: str | None = None, most: int = MAX_PIXELS, bits: int | None = None
) -> Photograph:
    """An image file, and which of its pixels are bounds, or transparent.

    bits: that a file of 16 holds, 8 to 16, so that its level 2^bits - 1 is 1 and clipped; None for what the file says.
    The other arguments and errors are those of `read_image`. Raises InputError for `bits` that do not fit the file too.
    """
    expect_path(path)
    suffix = Path(path).suffix.lower()
    if suffix not in READERS:
        told = list(READERS)
        raise InputError(f"{path}: the name of an image file must end in {', '.join(told[:-1])} or {told[-1]}")
    if encoding is not None and encoding not in ENCODINGS:
        raise InputError(f'{path}: found the encoding {shown(encoding)}, allowed: "srgb" or "linear"')
    if bits is not None and (isinstance(bits, bool) or not isinstance(bits, int | np.integer) or bits not in BITS):
        raise InputError(f"{path}: found {shown(bits)} bits, allowed: a whole number from {BITS[0]} to {BITS[-1]}")
    pixels = READERS[suffix](path, most)
    values, (height, width) = pixels.values, pixels.values.shape[:2]
    view = field_of_view(pixels.exif, width, height)
    if values.dtype != np.uint16 and bits is not None:
        kept = "floats" if values.dtype.kind == "f" else "8 bits"
        raise InputError(f"{path}: found bits = {bits} for a file of {kept}; only files of 16 bits hold other numbers")
    if values.dtype.kind == "f":
        if encoding == "srgb":
            for row in values:  # of the whole, the temporary arrays would be several times as large
                row[:] = srgb_decode(row)
        nowhere = np.zeros(values.shape, bool)
        return Photograph(values.view(Image), nowhere, nowhere, alpha=pixels.alpha, view=view)
    highest = int(np.iinfo(values.dtype).max)
    full = highest
    notes: tuple[str, ...] = ()
    if bits is not None:
        highest = full = 2**bits - 1
        if (over := int(values.max())) > highest:
            raise InputError(f"{path}: found bits = {bits}, but a level of {over}, over {highest}")
    elif values.dtype == np.uint16:
        full, notes = _fullest(path, values)
    table = np.append(np.arange(highest + 1), (0.5, full - 0.5)) / highest
    linear = suffix in LINEAR if encoding is None else encoding == "linear"
    if not linear:
        table = srgb_decode(table)
    image = table[values].view(Image)  # Image(...) would copy it
    return Photograph(image, values == 0, values >= full, float(table[-2]), float(table[-1]), pixels.alpha, view, notes)


def _fullest(path: str | Path, levels: NDArray[Any]) -> tuple[int, tuple[str, ...]]:
    """The level from which on a file of 16 bits says only that there was at least so much light, and what was noticed.

    Ten, twelve or fourteen bits are noticed where levels are multiples of 2^6, 2^4 or 2^2, and twelve where no level is
    over 2^12 - 1; ten and fourteen, which a photograph may be under by chance, where many levels are the highest of
    them.
    """
    top = int(levels.max())
    common = int(np.bitwise_or.reduce(levels, axis=None))
    for bits in _NOTICED:
        step = 2 ** (16 - bits)
        if common % step == 0 and _different(levels) >= _VARIED:
            full = 65536 - step
            return full, (f"{path}: holds {bits} bits: all levels are multiples of {step}; {full} is taken as clipped",)
    for bits in _NOTICED:
        full = 2**bits - 1
        clipped = top == full and int((levels == full).sum()) >= _FULL
        if clipped or (bits == 12 and 255 < top <= full):
            at = f", and {full} is taken as clipped" if clipped else ""
            return (full if clipped else 65535), (
                f"{path}: no level is over {full}, as if it held {bits} bits{at}; levels are shares of 65535, and of "
                f"{full} with bits = {bits}",
            )
    return 65535, ()


def _different(levels: NDArray[Any]) -> int:
    """How many different levels there are."""
    there = np.zeros(65536, bool)
    for row in levels:  # of the whole, the places as whole numbers would be four times as large
        there[row] = True
    return int(np.count_nonzero(there))


def read_mask(path: str | Path) -> NDArray[np.bool_]:
    """The pixels (height, width) of a file that are at least half opaque if it is transparent in places, else those
    that are at least half white. Errors: as `read_photograph`."""
    found = read_photograph(path, "linear")
    share = np.asarray(found.image).mean(-1) if found.alpha is None else found.alpha
    counted: NDArray[np.bool_] = share >= 0.5
    return counted
