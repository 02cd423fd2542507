"""Photographs: image files as they are read, with what they do not tell.

A file of 8 or 16 bits holds levels 0 to n. Level k stands for encoded values from (k - 1/2) / n to (k + 1/2) / n,
except at the ends: the lowest level says only that the value is at most (1/2) / n, and the highest only that it is at
least (n - 1/2) / n, whatever it is: an overexposed lamp has level n. Those two are bounds, and kept as such.

Formats: PNG (Pillow for 8 bits; pypng for 16, since Pillow cuts RGB of 16 bits to 8), JPEG (Pillow), OpenEXR (its own
Python package), and numpy's .npy.
"""

import io
import math
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import InputError
from diffrt.files import MIB, expect_path, read_bytes
from diffrt.image import Image, check_finite, srgb_decode

MAX_SIDE = 16384
MAX_PIXELS = 1 << 24  # 4096 x 4096, which as linear float64 take 384 MiB

ENCODINGS = ("srgb", "linear")
SUFFIXES = (".png", ".jpg", ".jpeg", ".npy", ".exr")

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of every color type: gray, RGB, palette, both with alpha


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


def read_image(path: str | Path, encoding: str | None = None) -> Image:
    """The linear RGB values of an image file.

    path: a .png of 8 or 16 bits per channel or a .jpg, gray or RGB, opaque; an .exr (needs the package OpenEXR), RGB or
    gray; or a .npy of floats, shape (height, width, 3) or, for gray, (height, width).
    encoding: "srgb" or "linear"; if None, "srgb" for .png and .jpg, "linear" for .exr and .npy.
    Returns an Image, shape (height, width, 3).
    Raises InputError, naming the file and the fault, if it cannot be read, is damaged, is of another kind (a palette,
    CMYK, transparency, interlacing, an animation), has more than 16,384 pixels on a side or 16,777,216 in all, or holds
    values that are not finite.
    """
    return read_photograph(path, encoding).image


def read_photograph(path: str | Path, encoding: str | None = None) -> Photograph:
    """An image file, and which of its pixels are bounds. The arguments and errors are those of `read_image`."""
    expect_path(path)
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: the name of an image file must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if encoding is not None and encoding not in ENCODINGS:
        raise InputError(f'{path}: found the encoding {encoding!r}, allowed: "srgb" or "linear"')
    if suffix in (".npy", ".exr"):
        values = _read_npy(path) if suffix == ".npy" else _read_exr(path)
        nowhere = np.zeros(values.shape, bool)
        return Photograph(Image(srgb_decode(values) if encoding == "srgb" else values), nowhere, nowhere)
    levels = _read_png(path) if suffix == ".png" else _read_jpeg(path)
    most = np.iinfo(levels.dtype).max
    table = np.append(np.arange(most + 1), (0.5, most - 0.5)) / most
    if encoding != "linear":
        table = srgb_decode(table)
    return Photograph(Image(table[levels]), levels == 0, levels == most, float(table[-2]), float(table[-1]))


def _read_png(path: str | Path) -> NDArray[Any]:
    """The levels (height, width, 3), of 8 or 16 bits."""
    from PIL import Image as pillow  # slow to import, and most runs read no PNG

    data = read_bytes(path, limit=112 * MIB)  # MAX_PIXELS of RGB noise of 16 bits take a little over 96 MiB
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
    if depth not in (8, 16):
        raise InputError(f"{path}: has {depth} bits per channel; a PNG of 8 or 16 is needed")
    if interlaced:
        raise InputError(f"{path}: is interlaced; save it without")
    if chunks[b"acTL"]:
        raise InputError(f"{path}: is an animation; a PNG of one picture is needed")
    try:
        size = height * (1 + width * channels * depth // 8)  # every row begins with the number of its filter
        if len(zlib.decompressobj().decompress(chunks[b"IDAT"], size)) < size:
            raise ValueError("rows are missing")  # Pillow would make them black without a word
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if depth == 16:
                import png

                rows = png.Reader(bytes=data).asRGBA()[2]
                pixels = np.array([np.frombuffer(row, np.uint16) for row in rows]).reshape(height, width, 4)
            else:
                with pillow.open(io.BytesIO(data), formats=["PNG"]) as picture:
                    pixels = np.asarray(picture.convert("RGBA"))
    except Exception as fault:  # Pillow names no list; on damaged files it raises a dozen kinds
        raise InputError(f"{path}: damaged PNG: {_one_line(fault)}") from None
    if pixels[..., 3].min() < np.iinfo(pixels.dtype).max:
        raise InputError(f"{path}: is transparent in places; an opaque PNG is needed")
    return pixels[..., :3]


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


def _read_jpeg(path: str | Path) -> NDArray[Any]:
    """The levels (height, width, 3) of 8 bits, turned as the file's orientation says."""
    from PIL import Image as pillow
    from PIL import ImageOps

    data = read_bytes(path, limit=64 * MIB)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = pillow.open(io.BytesIO(data), formats=["JPEG"])
    except Exception:
        raise InputError(f"{path}: not a JPEG file, or its header is damaged") from None
    with picture:
        _check_size(path, picture.height, picture.width)
        if picture.mode not in ("L", "RGB"):
            raise InputError(f"{path}: has the mode {picture.mode}; a gray or RGB JPEG is needed")
        try:
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
        except Exception as fault:
            raise InputError(f"{path}: damaged JPEG: {_one_line(fault)}") from None


def _read_exr(path: str | Path) -> NDArray[np.float64]:
    """The values (height, width, 3)."""
    read_bytes(path, limit=MAX_PIXELS * 4 * 4 + MIB)  # tells of a file that is missing, empty or too large
    try:
        import OpenEXR
    except ImportError:
        raise InputError(f"{path}: reading it needs the package OpenEXR: pip install 'diffrt[exr]'") from None
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            found = {name: np.asarray(channel.pixels, float) for name, channel in file.channels().items()}
    except Exception as fault:  # RuntimeError mostly, but it names no list
        raise InputError(f"{path}: not an OpenEXR file, or damaged: {_one_line(fault)}") from None
    names = ("R", "G", "B") if "R" in found else ("Y", "Y", "Y")
    if not found.keys() >= set(names):
        raise InputError(f"{path}: has the channels {', '.join(found)}; R, G and B, or Y, are needed")
    if "A" in found and found["A"].min() < 1.0:
        raise InputError(f"{path}: is transparent in places; an opaque image is needed")
    values = np.stack([found[name] for name in names], axis=-1)
    _check_size(path, *values.shape[:2])
    check_finite(values, str(path))
    return values


def _read_npy(path: str | Path) -> NDArray[np.float64]:
    """The values (height, width, 3)."""
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
    values = values.reshape(shape, order="F" if column_first else "C").astype(float)
    check_finite(values, str(path))
    return values if values.ndim == 3 else np.stack([values] * 3, axis=-1)


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
