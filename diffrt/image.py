"""Images: linear RGB in memory, sRGB-encoded PNG or exact .npy on disk.

Radiance is linear: twice the number is twice the light, and only linear values may be added, averaged and
differentiated. A PNG holds values encoded for the eye and the screen, E in 0..1 for a linear L in 0..1,

    E = 12.92 L                     where L <= 0.0031308
    E = 1.055 L^(1/2.4) - 0.055     elsewhere

rounded to 8 bits. Encoding happens only on the way to a PNG and decoding only on the way back, so that no
other part of the program ever sees an encoded value. Source: IEC 61966-2-1:1999, sections 5.2 and 5.3.
"""

import io
import math
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffrt.errors import InputError
from diffrt.files import MIB, read_bytes, write_whole

MAX_SIDE = 16384
MAX_PIXELS = 1 << 24  # 4096 x 4096, which as linear float64 take 384 MiB

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of every color type: gray, RGB, palette, both with alpha


class Image(np.ndarray[tuple[int, int, int], np.dtype[np.float64]]):
    """A picture: an array of linear RGB values, float64, shape (height, width, 3), top row first.

    It behaves as any array. What is computed from it (`image - other`, `image.mean()`) and what is cut out
    of it (`image[:8]`) is a plain array, since a difference, a mean or a row need not be a picture; wrap
    it in `Image(...)` again to save it. In a notebook an Image shows itself.
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

        path: ends in .png (8 bits per channel, sRGB-encoded, values clipped to 0..1) or in .npy (the linear
        float64 values, exactly).
        Raises InputError for another suffix, for values that are not finite, and for a place that cannot
        be written.
        """
        suffix = _suffix(path)
        if not _is_picture(self):  # a transposed or reshaped Image is still of this class
            raise InputError(f"{path}: an image has the shape (height, width, 3); this one has {self.shape}")
        _check_finite(self, str(path))
        write_whole(path, _png_bytes(self) if suffix == ".png" else _npy_bytes(self))

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows; None makes it print the numbers, which tells more about a NaN."""
        return _png_bytes(self) if _is_picture(self) and np.isfinite(self).all() else None

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        if array is self:  # the target of `image *= 2` stays what it is
            return self
        return array[()] if return_scalar else np.asarray(array)

    def __getitem__(self, index: Any) -> Any:
        return np.asarray(self)[index]


def read_image(path: str | Path) -> Image:
    """The linear RGB values of an image file.

    path: a .png of 8 bits per channel, gray or RGB, opaque, taken to be sRGB-encoded; or a .npy of linear
    floats, shape (height, width, 3) or, for gray, (height, width).
    Returns an Image, shape (height, width, 3).
    Raises InputError, naming the file and the fault, if it cannot be read, is damaged, is of another kind
    (16 bits, a palette, transparency, interlacing, an animation), has more than 16,384 pixels on a side or
    16,777,216 in all, or holds values that are not finite.
    """
    return _read_png(path) if _suffix(path) == ".png" else _read_npy(path)


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
    _check_finite(signed, "values")
    if scale is None:
        scale = float(np.abs(signed).max())
    elif not (scale > 0 and math.isfinite(scale)):
        raise InputError(f"scale is {scale}; it must be a positive number")
    # Clipping before dividing cannot overflow. Where all values are 0, any divisor makes them white.
    strength = np.clip(signed, -scale, scale) / (scale or 1.0)
    fading = 1 - np.abs(strength)
    red, blue = np.where(strength < 0, fading, 1.0), np.where(strength > 0, fading, 1.0)
    return Image(srgb_decode(np.stack([red, fading, blue], axis=-1))), scale


def _read_png(path: str | Path) -> Image:
    from PIL import Image as pillow  # slow to import, and most runs read no PNG

    data = read_bytes(path, limit=64 * MIB)  # MAX_PIXELS of RGB noise take a little over 48 MiB
    if not data.startswith(_PNG_SIGNATURE):
        raise InputError(f"{path}: not a PNG file")
    try:
        chunks = _png_chunks(data)
        width, height, depth, color_type, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
        channels = _PNG_CHANNELS[color_type]
    except (ValueError, KeyError, struct.error) as fault:
        reason = str(fault) if type(fault) is ValueError else "its header is wrong"
        raise InputError(f"{path}: damaged PNG: {reason}") from None
    _check_size(path, height, width)
    if color_type == 3:
        raise InputError(f"{path}: has a palette; a gray or RGB PNG is needed")
    if depth != 8:
        raise InputError(f"{path}: has {depth} bits per channel; a PNG of 8 is needed")
    if interlaced:
        raise InputError(f"{path}: is interlaced; save it without")
    if chunks[b"acTL"]:
        raise InputError(f"{path}: is an animation; a PNG of one picture is needed")
    try:
        size = height * (1 + width * channels)  # every row begins with the number of its filter
        if len(zlib.decompressobj().decompress(chunks[b"IDAT"], size)) < size:
            raise ValueError("rows are missing")  # Pillow would make them black without a word
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pillow.open(io.BytesIO(data), formats=["PNG"]) as picture:
                pixels = np.asarray(picture.convert("RGBA"))
    except Exception as fault:  # Pillow names no list; on damaged files it raises a dozen kinds
        raise InputError(f"{path}: damaged PNG: {_one_line(fault)}") from None
    if pixels[..., 3].min() < 255:
        raise InputError(f"{path}: is transparent in places; an opaque PNG is needed")
    return Image(srgb_decode(np.arange(256) / 255)[pixels[..., :3]])


def _png_chunks(data: bytes) -> dict[bytes, bytearray]:
    """What the chunks of a PNG hold: its header, its compressed rows and the control of an animation.

    Pillow does not tell a file of 16 bits per channel from one of 8, nor does it look at the checksum of the
    rows. Layout: Portable Network Graphics Specification, W3C 2003, sections 5.3, 11.2.2 and 11.2.4.
    Raises ValueError if the file ends early or a checksum is wrong.
    """
    chunks = {b"IHDR": bytearray(), b"IDAT": bytearray(), b"acTL": bytearray()}
    kind, start = b"", len(_PNG_SIGNATURE)
    while kind != b"IEND":
        end = start + 8 + int.from_bytes(data[start : start + 4])
        if len(data) < end + 4:
            raise ValueError("the file ends early")
        if zlib.crc32(data[start + 4 : end]) != int.from_bytes(data[end : end + 4]):
            raise ValueError("a checksum is wrong")
        kind = data[start + 4 : start + 8]
        if kind in chunks:
            chunks[kind] += data[start + 8 : end]
        start = end + 4
    return chunks


def _read_npy(path: str | Path) -> Image:
    data = read_bytes(path, limit=MAX_PIXELS * 3 * 8 + MIB)
    file = io.BytesIO(data)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, column_first, dtype = readers[np.lib.format.read_magic(file)](file)
    except Exception:  # the header is a Python literal: it can be wrong in as many ways as a program
        raise InputError(f"{path}: not a .npy file, or its header is damaged") from None
    if not (dtype.kind == "f" and np.can_cast(dtype, np.float64)):
        raise InputError(f"{path}: holds {dtype} values; float64, float32 or float16 is needed")
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)):
        raise InputError(f"{path}: has the shape {shape}; (height, width, 3) or (height, width) is needed")
    _check_size(path, *shape[:2])
    promised, found = math.prod(shape) * dtype.itemsize, len(data) - file.tell()
    if promised != found:
        raise InputError(f"{path}: damaged .npy: {promised} bytes of values are announced, {found} follow")
    values = np.frombuffer(data, dtype, offset=file.tell())
    values = values.reshape(shape, order="F" if column_first else "C")
    _check_finite(values, str(path))
    return Image(values if values.ndim == 3 else np.stack([values] * 3, axis=-1))


def _png_bytes(linear: NDArray[np.float64]) -> bytes:
    from PIL import Image as pillow

    levels = np.rint(255 * srgb_encode(np.clip(linear, 0.0, 1.0))).astype(np.uint8)
    file = io.BytesIO()
    pillow.fromarray(levels).save(file, format="PNG")
    return file.getvalue()


def _npy_bytes(linear: NDArray[np.float64]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(linear), allow_pickle=False)
    return file.getvalue()


def _suffix(path: str | Path) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in (".png", ".npy"):
        raise InputError(f"{path}: the name of an image file must end in .png or .npy")
    return suffix


def _real_numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """A float64 copy."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} must hold real numbers; {array.dtype} was given")
    return np.array(array, dtype=np.float64, order="C")


def _is_picture(array: NDArray[np.float64]) -> bool:
    return array.ndim == 3 and array.shape[2] == 3 and array.size > 0


def _check_finite(values: NDArray[np.floating], source: str) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise InputError(f"{source}: row {first[0]}, column {first[1]} is {values[first]}; every value must be finite")


def _check_size(path: str | Path, height: int, width: int) -> None:
    size = f"{path}: is {width} x {height} pixels;"
    if min(height, width) < 1:
        raise InputError(f"{size} at least one is needed")
    if max(height, width) > MAX_SIDE:
        raise InputError(f"{size} a side may have {MAX_SIDE}")
    if height * width > MAX_PIXELS:
        raise InputError(f"{size} {MAX_PIXELS} in all are read")


def _one_line(fault: Exception) -> str:
    return " ".join(str(fault).split()) or type(fault).__name__
