"""PNG files of 8 or 16 bits.

Pillow decodes the rows; everything else is read here, as Pillow cuts RGB of 16 bits to 8 and does not tell it from a
file of 8, nor does it look at the checksum of the rows.

Source: Portable Network Graphics Specification, W3C 2003.
"""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import InputError
from diffrt.files import MIB, read_bytes
from diffrt.formats.exif import orientation_of, upright
from diffrt.formats.limits import MAX_PIXELS, Damaged, check_size, decoding
from diffrt.formats.pixels import Pixels, pixels_of

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of every color type: gray, RGB, palette, both with alpha
_PNG_PIECE = 16384  # compressed bytes, which are at most 17 MB of rows
_PILLOW_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # of 8 bits, by the number of channels


def read(path: str | Path, most: int = MAX_PIXELS) -> Pixels:
    """The levels of 8 or 16 bits."""
    data = read_bytes(path, limit=112 * MIB)  # MAX_PIXELS of RGB noise of 16 bits take a little over 96 MiB
    if not data.startswith(_PNG_SIGNATURE):
        raise InputError(f"{path}: not a PNG file")
    with decoding(path, "damaged PNG", "its header is wrong"):
        chunks = _png_chunks(data)
        header = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
        width, height, depth, color_type, compression, filtering, interlaced = header
        channels = _PNG_CHANNELS[color_type]
        if compression or filtering:
            raise Damaged("its header is wrong")
    check_size(path, height, width, most)
    if color_type == 3:
        raise InputError(f"{path}: has a palette; a gray or RGB PNG is needed")
    if depth not in (8, 16):
        raise InputError(f"{path}: has {depth} bits per channel; a PNG of 8 or 16 is needed")
    if interlaced:
        raise InputError(f"{path}: is interlaced; save it without")
    if chunks[b"acTL"]:
        raise InputError(f"{path}: is an animation; a PNG of one picture is needed")
    with decoding(path, "damaged PNG", "its rows cannot be unpacked"):
        _check_rows(chunks[b"IDAT"], height * (1 + width * channels * depth // 8))  # each begins with its filter
        levels = _png_levels(bytes(chunks[b"IDAT"]), (width, height), channels, depth)
        levels = _with_alpha(levels, chunks[b"tRNS"])
    exif = bytes(chunks[b"eXIf"])
    return pixels_of(upright(levels, orientation_of(exif)), exif)


def _check_rows(compressed: bytes | bytearray, size: int) -> None:
    """Raises Damaged if there are fewer bytes of rows; Pillow would make these rows black without a word."""
    inflate, found = zlib.decompressobj(), 0
    for start in range(0, len(compressed), _PNG_PIECE):
        found += len(inflate.decompress(compressed[start : start + _PNG_PIECE]))
        if found >= size:
            return
    raise Damaged("rows are missing")


def _png_levels(compressed: bytes, size: tuple[int, int], channels: int, depth: int) -> NDArray[Any]:
    """The levels (height, width, channels). size: width and height.

    Pillow decodes 16 bits into 8, but it can be told which. Where a pixel has as many bytes as one of 8 bits with more
    channels, it is read as that one; otherwise the rows are read twice, for the high bytes and for the low ones.
    """
    from PIL import Image as pillow  # slow to import, and most runs read no PNG

    def decoded(bytes_kept: int, rows: str) -> NDArray[np.uint8]:
        picture = pillow.frombytes(_PILLOW_MODES[bytes_kept], size, compressed, "zip", rows)
        return np.asarray(picture).reshape(size[1], size[0], bytes_kept)

    mode = _PILLOW_MODES[channels]
    if depth == 8:
        return decoded(channels, mode)
    if channels <= 2:
        return decoded(2 * channels, _PILLOW_MODES[2 * channels]).view(">u2").astype(np.uint16)
    levels = decoded(channels, f"{mode};16B").astype(np.uint16)
    levels <<= 8
    levels |= decoded(channels, f"{mode};16L")  # what is the high byte in the other order
    return levels


def _with_alpha(levels: NDArray[Any], key: bytes | bytearray) -> NDArray[Any]:
    """The levels with an alpha channel if there is something transparent. key: the one color that is, of 16 bits per
    channel (Portable Network Graphics Specification, W3C 2003, section 11.3.2.1). Raises Damaged."""
    if levels.shape[-1] in (2, 4) or not key:
        return levels
    if len(key) != 2 * levels.shape[-1]:
        raise Damaged("its transparent color is wrong")
    seen = (levels != np.frombuffer(key, ">u2")).any(-1, keepdims=True)
    return np.concatenate([levels, seen * np.array(np.iinfo(levels.dtype).max, levels.dtype)], -1)


def _png_chunks(data: bytes) -> dict[bytes, bytearray]:
    """What the chunks of a PNG hold that count: its header, its compressed rows, its transparent color, the control of
    an animation, and what the camera says.

    Layout: Portable Network Graphics Specification, W3C 2003, sections 5.3, 11.2.2 and 11.2.4.
    Raises Damaged if the file ends early or a checksum is wrong.
    """
    chunks = {kind: bytearray() for kind in (b"IHDR", b"IDAT", b"tRNS", b"acTL", b"eXIf")}
    kind, start = b"", len(_PNG_SIGNATURE)
    while kind != b"IEND":
        end = start + 8 + int.from_bytes(data[start : start + 4])
        if len(data) < end + 4:
            raise Damaged("the file ends early")
        if zlib.crc32(data[start + 4 : end]) != int.from_bytes(data[end : end + 4]):
            raise Damaged("a checksum is wrong")
        kind = data[start + 4 : start + 8]
        if kind in chunks:
            chunks[kind] += data[start + 8 : end]
        start = end + 4
    return chunks
