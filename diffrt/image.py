"""Images: linear RGB in memory; on disk sRGB-encoded PNG or JPEG, or linear .npy and .exr.

Radiance is linear: twice the number is twice the light, and only linear values may be added, averaged and
differentiated. A PNG holds values encoded for the eye and the screen, E in 0..1 for a linear L in 0..1,

    E = 12.92 L                     where L <= 0.0031308
    E = 1.055 L^(1/2.4) - 0.055     elsewhere

rounded to 8 bits. Encoding happens on the way to a PNG, decoding on the way back (`photograph.py`), and a fit may
compare encoded values if it is asked to; no other part of the program ever sees one.
Source: IEC 61966-2-1:1999, sections 5.2 and 5.3.
"""

import io
import math
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffrt.errors import InputError, shown
from diffrt.files import expect_path, write_whole
from diffrt.formats.limits import MAX_SIDE
from diffrt.memory import require_memory

if TYPE_CHECKING:
    from diffrt.tracer.renderer import Report

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""What linear red, green and blue add to it (ITU-R BT.709)."""

SUFFIXES = ".png, .jpg, .npy or .exr"
"""Of the files that a picture can be written to."""


class Computed(np.ndarray[Any, np.dtype[np.float64]]):
    """An array that a tracer made, which says what went into it.

    It behaves as any array. What is computed from it (`image - other`, `image.mean()`) and what is cut out of it
    (`image[:8]`) is a plain array, since a difference, a mean or a row need not be what the whole is.

    report: what went into it, None if nobody said. bound: how far its values can be from the exact ones, an array of
    the same shape; None if that was not asked for.
    """

    report: "Report | None" = None
    bound: NDArray[np.float64] | None = None

    def __array_finalize__(self, source: Any) -> None:
        self.report = getattr(source, "report", None)  # of a copy, and of another view
        self.bound = getattr(source, "bound", None)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        if array is self:  # the target of `image *= 2` stays what it is
            return self
        return array[()] if return_scalar else np.asarray(array)

    def __getitem__(self, index: Any) -> Any:
        return np.asarray(self)[index]


class Image(Computed):
    """A picture: an array of linear RGB values, float64, shape (height, width, 3), top row first.

    What is computed from it is a plain array; wrap that in `Image(...)` to save it. In a notebook an Image shows
    itself. Of a rendered one, `report` says what went into it.
    """

    def __new__(cls, values: ArrayLike) -> Self:
        """A picture with a copy of some values.

        values: linear RGB, shape (height, width, 3), of at least one pixel.
        Raises InputError for another shape and for values that are no real numbers.
        """
        array = _real_numbers(values, "an image")
        if not _is_picture(array):
            raise InputError(f"an image has the shape (height, width, 3); {array.shape} was given")
        return array.view(cls)

    def save(self, path: str | Path) -> None:
        """Write the picture to a file, entirely or not at all.

        path: ends in .png or .jpg (8 bits per channel, sRGB-encoded, values clipped to 0..1), in .exr (linear, float32)
        or in .npy (the linear float64 values, exactly).
        Raises InputError for another suffix, for values that are not finite, and for a place that cannot
        be written.
        """
        encode = _encoder(path)
        if not _is_picture(self):  # a transposed or reshaped Image is still of this class
            raise InputError(f"{path}: an image has the shape (height, width, 3); this one has {self.shape}")
        check_finite(self, str(path))
        write_whole(path, encode(self))

    def enlarged(self, factor: int) -> "Image":
        """The picture with each pixel as a square of `factor` x `factor` pixels, so that few of them can be seen.

        Raises InputError if the factor is no whole number of 1 or more, or a side has more than 16,384 pixels then.
        """
        most = max(MAX_SIDE // max(self.shape[:2]), 1)
        if isinstance(factor, bool) or not isinstance(factor, int | np.integer) or not 1 <= factor <= most:
            size = f"{self.shape[1]} x {self.shape[0]} pixels"
            raise InputError(f"scale: found {shown(factor)}, allowed for {size}: a whole number from 1 to {most}")
        require_memory(self.nbytes * int(factor) ** 2, "the enlarged picture", "a smaller scale takes less")
        larger = Image(np.asarray(self).repeat(factor, 0).repeat(factor, 1))
        larger.report = self.report
        if self.bound is not None:
            larger.bound = self.bound.repeat(factor, 0).repeat(factor, 1)
        return larger

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows; None makes it print the numbers, which tells more about a NaN."""
        return png_bytes(self) if _is_picture(self) and np.isfinite(self).all() else None


def srgb_encode(linear: ArrayLike) -> NDArray[np.float64]:
    """The sRGB encoding of linear values (IEC 61966-2-1, section 5.3).

    linear: any shape; 0 is black and 1 white. Values below 0 continue the straight part of the curve.
    Returns encoded values of the same shape.
    """
    linear = np.asarray(linear, dtype=np.float64)
    # The power is taken of no value of the straight part: of a negative one it would be NaN.
    curved = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, curved)


def srgb_decode(encoded: ArrayLike) -> NDArray[np.float64]:
    """The linear values of an sRGB encoding (IEC 61966-2-1, section 5.2); the inverse of `srgb_encode`.

    encoded: any shape; 0 is black and 1 white. Values below 0 continue the straight part of the curve.
    Returns linear values of the same shape.
    """
    encoded = np.asarray(encoded, dtype=np.float64)
    curved = ((np.maximum(encoded, 0.04045) + 0.055) / 1.055) ** 2.4
    return np.where(encoded <= 0.04045, encoded / 12.92, curved)


def srgb_levels(linear: ArrayLike) -> NDArray[np.uint8]:
    """The levels 0 to 255 of linear values of any shape, clipped to 0..1 and sRGB-encoded."""
    levels: NDArray[np.uint8] = np.rint(255 * srgb_encode(np.clip(linear, 0.0, 1.0))).astype(np.uint8)
    return levels


def png_bytes(linear: ArrayLike) -> bytes:
    """The content of a PNG file of an image (height, width, 3), linear RGB."""
    return _by_pillow(linear, ".png")


def jpeg_bytes(linear: ArrayLike) -> bytes:
    """The content of a JPEG file of an image (height, width, 3), linear RGB, colours in full resolution."""
    return _by_pillow(linear, ".jpg", quality=95, subsampling=0)


def _by_pillow(linear: ArrayLike, suffix: str, **settings: Any) -> bytes:
    from PIL import Image as pillow

    file = io.BytesIO()
    file.name = f"picture{suffix}"  # told the format itself, Pillow would load five of them
    pillow.fromarray(srgb_levels(linear)).save(file, **settings)
    return file.getvalue()


def figure_html(linear: ArrayLike, *caption: str) -> str:
    """An image (height, width, 3), linear RGB, with lines of text below it, for a notebook."""
    from html import escape

    return (
        '<figure style="display:inline-block;margin:0 1em 1em 0"><img style="width:16em;image-rendering:pixelated" '
        f'src="data:image/png;base64,{b64encode(png_bytes(linear)).decode()}">'
        f"<figcaption>{'<br>'.join(map(escape, caption))}</figcaption></figure>"
    )


def side_by_side(images: Sequence[ArrayLike], gap: int = 4) -> Image:
    """One picture of several, from left to right on white.

    images: linear RGB, each of shape (height, width, 3), all of one height. gap: the pixels between two.
    Returns an Image of that height, its width the sum of the widths and the gaps.
    Raises InputError if there is no image, if heights differ, or if the gap is negative.
    """
    pictures = [Image(values) for values in images]
    heights = sorted({picture.shape[0] for picture in pictures})
    if len(heights) != 1:
        given = f"heights {', '.join(map(str, heights))}" if heights else "no image"
        raise InputError(f"side_by_side needs images of one height; given: {given}")
    if gap < 0:
        raise InputError(f"gap is {gap}; it must be 0 or more pixels")
    space = np.ones((heights[0], gap, 3))
    parts = [part for picture in pictures for part in (space, picture)]
    return Image(np.concatenate(parts[1:], axis=1))


def diverging(values: ArrayLike, scale: float | None = None) -> tuple[Image, float]:
    """A picture of signed numbers: blue where negative, white at 0, red where positive.

    The color fades evenly in the encoded picture, which is near to what the eye calls even.

    values: shape (height, width), any unit. scale: the magnitude, in that unit, that is fully blue or red,
    as are all larger ones; the largest magnitude of `values` if not given.
    Returns the Image, shape (height, width, 3), and the scale.
    Raises InputError for another shape, for values that are not finite, and for a scale that is not a
    positive number.
    """
    signed = _real_numbers(values, "values")
    if signed.ndim != 2 or signed.size == 0:
        raise InputError(f"values must have the shape (height, width); {signed.shape} was given")
    check_finite(signed, "values")
    if scale is None:
        scale = float(np.abs(signed).max())
    elif not (scale > 0 and math.isfinite(scale)):
        raise InputError(f"scale is {scale}; it must be a positive number")
    # Clipping before dividing cannot overflow. Where all values are 0, any divisor makes them white.
    strength = np.clip(signed, -scale, scale) / (scale or 1.0)
    fading = 1 - np.abs(strength)
    red, blue = np.where(strength < 0, fading, 1.0), np.where(strength > 0, fading, 1.0)
    return Image(srgb_decode(np.stack([red, fading, blue], axis=-1))), scale


DECADES = 4
"""From black to white in a map of bounds."""


def report_map(image: ArrayLike, where: ArrayLike) -> Image:
    """An image in gray, darkened, with what is missing in it: red where more may be seen than was found, blue where
    edges have no derivative.

    image: linear RGB, shape (height, width, 3). where: shape (height, width, 2), as in the report of an image.
    """
    gray = 0.3 * srgb_encode(np.clip(_real_numbers(image, "an image") @ np.array(LUMINANCE), 0.0, 1.0))
    unproved, fixed = np.moveaxis(_real_numbers(where, "a report"), -1, 0)
    red, blue = (np.where(amount > 0.0, 0.5 + 0.5 * np.clip(amount, 0.0, 1.0), 0.0) for amount in (unproved, fixed))
    picture = np.stack([np.maximum(gray, red), gray, np.maximum(gray, blue)], -1)
    return Image(srgb_decode(picture))


def bound_map(bound: ArrayLike) -> tuple[Image, float, float]:
    """A picture of the bounds of errors: even steps of the encoded grey are even factors.

    bound: shape (height, width, 3), inf for none; of the channels the largest counts.
    Returns the Image, of the same shape, magenta where there is no bound; and the bounds that are black, as are all
    smaller ones, and white, the largest.
    """
    worst = _real_numbers(bound, "a bound").max(-1)
    known = np.isfinite(worst)
    most = float(worst[known].max(initial=0.0)) or 1.0
    least = most * 10.0**-DECADES
    grey = srgb_decode(np.log10(np.clip(np.where(known, worst, most), least, most) / least) / DECADES)
    picture = np.where(known[..., None], grey[..., None], [1.0, 0.0, 1.0])
    return Image(picture), least, most


def _encoder(path: str | Path) -> Callable[[Image], bytes]:
    """What makes the bytes of a file of this name. Raises InputError if nothing does."""
    from diffrt.formats import exr, npy

    expect_path(path)
    encoders: dict[str, Callable[[Image], bytes]] = {
        ".png": png_bytes, ".jpg": jpeg_bytes, ".jpeg": jpeg_bytes, ".npy": npy.encode, ".exr": exr.encode,
    }  # fmt: skip
    suffix = Path(path).suffix.lower()
    if suffix not in encoders:
        raise InputError(f"{path}: the name of an image file must end in {SUFFIXES}")
    return encoders[suffix]


def _real_numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """A float64 copy."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} must hold real numbers; {array.dtype} was given")
    return np.array(array, dtype=np.float64, order="C")


def _is_picture(array: NDArray[np.float64]) -> bool:
    return array.ndim == 3 and array.shape[2] == 3 and array.size > 0


def check_finite(values: NDArray[np.floating], source: str) -> None:
    """Raises InputError, naming the place, if a value is nan or infinite. values: any shape. source: of the message."""
    finite = np.isfinite(values)
    if not finite.all():
        first = tuple(int(i) for i in np.unravel_index(np.argmin(finite), finite.shape))
        raise InputError(f"{source}: row {first[0]}, column {first[1]} is {values[first]}; every value must be finite")
