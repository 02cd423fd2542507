"""TIFF files: gray or RGB, with or without alpha, of 8 or 16 bits or of floats, in strips or tiles, plain or compressed
without loss.

What a file unpacks to follows from its table of entries, which is read here. Deflate is undone by zlib, LZW and
PackBits by Pillow, which is told that the bytes of a row are gray pixels: of pictures of 16 bits in RGB, and of floats,
it reads few. Differences between neighbours are summed up here.

Source: TIFF, revision 6.0 (Adobe, 1992); Photoshop TIFF technical notes (Adobe, 2002) for Deflate; TIFF technical note
3 (Adobe, 2005) for floats.
"""

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import InputError
from diffrt.files import MIB, read_bytes
from diffrt.formats.exif import ORIENTATION, upright
from diffrt.formats.limits import MAX_PIXELS, Damaged, check_size, decoding
from diffrt.formats.pixels import Pixels, opened, pixels_of
from diffrt.image import check_finite
from diffrt.quiet import quiet

MAX_BYTES = MAX_PIXELS * 4 * 4
"""Of all numbers that a file unpacks to: four channels of floats of the largest picture."""

MAX_CHUNKS = 16384
"""Strips or tiles: Pillow takes a sixth of a millisecond for each, however small."""

MAX_UNPACKED = 160 * MIB
"""Bytes of a strip that Pillow unpacks: it does not make larger pictures."""

MAX_ENTRIES = 4096

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXTRA, _FORMAT = 322, 323, 324, 325, 338, 339
_SIZES = {1: "B", 2: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I"}
_NONE, _LZW, _DEFLATE, _PACKBITS = (1,), 5, (8, 32946), 32773
_NAMES = {2: "a fax", 3: "a fax", 4: "a fax", 6: "JPEG", 7: "JPEG", 34712: "JPEG 2000", 50000: "Zstandard",
          50001: "WebP", 50002: "JPEG XL", 34925: "LZMA"}  # fmt: skip
_COLOURS = {3: "a palette", 4: "a mask", 5: "CMYK", 6: "YCbCr", 8: "CIE L*a*b*", 32803: "a color filter array",
            34892: "linear raw"}  # fmt: skip
_UNSIGNED, _REAL = 1, 3
_REDUCED = 1
_SUMS, _FLOAT_SUMS = 2, 3  # predictors: differences of samples, and of the bytes of floats
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2


@dataclass(frozen=True)
class _Picture:
    """How the numbers of a picture are laid out.

    planes: of which each has `samples` per pixel. across, down: the size of a chunk in pixels. tiled: whether chunks
    are all of that size, however large the picture.
    """

    width: int
    height: int
    samples: int
    planes: int
    dtype: np.dtype[Any]
    across: int
    down: int
    tiled: bool
    compression: int
    predictor: int


def read(path: str | Path, most: int = MAX_PIXELS) -> Pixels:
    """The values: levels of 8 or 16 bits, or floats; upright. Raises InputError."""
    data = read_bytes(path, limit=MAX_BYTES + 16 * MIB)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if data[:4] in (b"II+\0", b"MM\0+"):
        raise InputError(f"{path}: is a BigTIFF; save it as a usual TIFF")
    if order is None:
        raise InputError(f"{path}: not a TIFF file")
    with decoding(path, "damaged TIFF", "its picture cannot be unpacked"):
        entries, other = _entries(data, order, *struct.unpack_from(f"{order}I", data, 4))
        if other and not _entries(data, order, other)[0].get(_SUBFILE, [0])[0] & _REDUCED:
            raise InputError(f"{path}: holds several pictures; a TIFF of one is needed")
        values = _values(path, data, entries, order, most)
    if values.dtype.kind == "f":
        check_finite(values, str(path))
    return pixels_of(upright(values, entries.get(ORIENTATION, [1])[0]), data)


def _values(path: str | Path, data: bytes, entries: dict[int, list[int]], order: str, most: int) -> NDArray[Any]:
    """The numbers (height, width, 1 to 4)."""

    def first(tag: int, default: int | None = None) -> int:
        found = entries.get(tag) or ([] if default is None else [default])
        if not found:
            raise Damaged("its header is wrong")
        return found[0]

    width, height = first(_WIDTH), first(_HEIGHT)
    check_size(path, height, width, most)
    samples, bits, kinds = first(_SAMPLES, 1), {*entries.get(_BITS, [1])}, {*entries.get(_FORMAT, [_UNSIGNED])}
    colour, compression = first(_PHOTOMETRIC), first(_COMPRESSION, 1)
    if colour not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
        found = _COLOURS.get(colour, f"the colours number {colour}")
        raise InputError(f"{path}: has {found}; a gray or RGB TIFF is needed")
    if compression not in (*_NONE, _LZW, *_DEFLATE, _PACKBITS):
        found = _NAMES.get(compression, f"number {compression}")
        raise InputError(f"{path}: has the compression {found}; none, LZW, Deflate and PackBits are read")
    layouts = {(8, _UNSIGNED): "u1", (16, _UNSIGNED): "u2", (16, _REAL): "f2", (32, _REAL): "f4", (64, _REAL): "f8"}
    layout = layouts.get((min(bits), min(kinds))) if len(bits) == len(kinds) == 1 else None
    if layout is None:
        raise InputError(f"{path}: has {_told(bits)} bits per channel of the format {_told(kinds)}; whole numbers of 8 "
                         "or 16, or floats of 16, 32 or 64 bits are needed")  # fmt: skip
    shown = 3 if colour == _RGB else 1
    if samples not in (shown, shown + 1):
        raise InputError(f"{path}: has {samples} channels; {shown} are needed, or with alpha {shown + 1}")
    apart = first(_PLANAR, 1) == 2
    tiled = _TILES in entries
    dtype = np.dtype(layout).newbyteorder(order)  # type: ignore[arg-type]
    across = first(_TILE_WIDTH) if tiled else width
    down = first(_TILE_HEIGHT) if tiled else min(first(_ROWS_PER_STRIP, height), height)
    if width * height * samples * dtype.itemsize > MAX_BYTES:
        raise InputError(f"{path}: is {width} x {height} pixels of {samples} channels of {dtype.itemsize} bytes; "
                         f"{MAX_BYTES // MIB} MiB of numbers are read; save it with fewer")  # fmt: skip
    if not (0 < across <= 1 << 16 and 0 < down <= 1 << 16 and across * down * samples * dtype.itemsize <= MAX_BYTES):
        raise Damaged("the size of its parts is wrong")
    picture = _Picture(width, height, 1 if apart else samples, samples if apart else 1, dtype, across, down,
                       tiled, compression, first(_PREDICTOR, 1))  # fmt: skip
    starts, sizes = (entries.get(tag, []) for tag in ((_TILES, _TILE_BYTES) if tiled else (_STRIPS, _STRIP_BYTES)))
    values = _put_together(path, data, picture, starts, sizes)
    if samples > shown and first(_EXTRA, 0) not in (1, 2):  # it is no alpha
        values = values[..., :shown]
    if colour == _WHITE_IS_ZERO:
        if dtype.kind == "f":
            raise InputError(f"{path}: has floats of which 0 is white; save it with 0 as black")
        values[..., 0] = np.iinfo(values.dtype).max - values[..., 0]
    return values


def _put_together(
    path: str | Path, data: bytes, picture: _Picture, starts: list[int], sizes: list[int]
) -> NDArray[Any]:
    """The numbers (height, width, samples) of all chunks."""
    columns, rows = math.ceil(picture.width / picture.across), math.ceil(picture.height / picture.down)
    chunks = columns * rows * picture.planes
    if chunks > MAX_CHUNKS:
        raise InputError(f"{path}: has {chunks} strips or tiles; {MAX_CHUNKS} are read")
    if len(starts) != chunks or (len(sizes) != chunks and not (chunks == 1 and picture.compression in _NONE)):
        raise Damaged("a part of the picture is missing")
    if sum(sizes) > len(data):  # the same bytes would be read for several parts
        raise Damaged("parts of the picture overlap")
    native = picture.dtype.newbyteorder("=")
    values = np.zeros((picture.height, picture.width, picture.samples * picture.planes),
                      float if native.kind == "f" else native)  # fmt: skip
    for number, start in enumerate(starts):
        plane, place = divmod(number, columns * rows)
        top, left = place // columns * picture.down, place % columns * picture.across
        down = picture.down if picture.tiled else min(picture.down, picture.height - top)
        count = picture.across * down * picture.samples
        size = sizes[number] if sizes else count * native.itemsize
        if start + size > len(data):
            raise Damaged("a part of the picture is missing")
        if picture.compression in (_LZW, _PACKBITS) and count * native.itemsize > MAX_UNPACKED:
            raise InputError(f"{path}: has a strip of {count * native.itemsize // MIB} MiB; save it in smaller ones")
        chunk = _unpacked(data[start : start + size], picture, down)
        part = values[top : top + down, left : left + picture.across]
        channels = slice(plane * picture.samples, (plane + 1) * picture.samples)
        with np.errstate(invalid="ignore"):  # bytes that are no number are told afterwards
            part[..., channels] = chunk[: part.shape[0], : part.shape[1]]
    return values


def _unpacked(packed: bytes, picture: _Picture, down: int) -> NDArray[Any]:
    """The numbers of a chunk, (down, across, samples)."""
    shape = down, picture.across, picture.samples
    row = picture.across * picture.samples * picture.dtype.itemsize
    if picture.compression in _NONE:
        plain = packed
    elif picture.compression in _DEFLATE:
        plain = zlib.decompressobj().decompress(packed, down * row)
    else:
        plain = _by_pillow(packed, picture.compression, row, down)
    if len(plain) < down * row:
        raise Damaged("rows are missing")
    plain = plain[: down * row]
    if picture.predictor == _FLOAT_SUMS:
        # The bytes of a row stand plane by plane, the highest first, as differences of pixels.
        if picture.dtype.kind != "f":
            raise Damaged("its header is wrong")
        steps = np.frombuffer(plain, np.uint8).reshape(down, -1, picture.samples)
        total = np.cumsum(steps, 1, dtype=np.uint8).reshape(down, picture.dtype.itemsize, -1)
        highest_first = np.ascontiguousarray(total.transpose(0, 2, 1)).view(picture.dtype.newbyteorder(">"))
        return highest_first.reshape(shape)
    values = np.frombuffer(plain, picture.dtype).reshape(shape)
    if picture.predictor == _SUMS:
        if picture.dtype.kind != "u":
            raise Damaged("its header is wrong")
        return np.cumsum(values, 1, dtype=picture.dtype.newbyteorder("="))
    if picture.predictor != 1:
        raise Damaged("its header is wrong")
    return values


def _by_pillow(packed: bytes, compression: int, row: int, rows: int) -> bytes:
    """The bytes of a chunk, from a TIFF of one strip whose gray pixels they are."""
    values = {_WIDTH: row, _HEIGHT: rows, _BITS: 8, _COMPRESSION: compression, _PHOTOMETRIC: _BLACK_IS_ZERO,
              _STRIPS: 8 + 2 + 12 * 9 + 4, _SAMPLES: 1, _ROWS_PER_STRIP: rows, _STRIP_BYTES: len(packed)}  # fmt: skip
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items())
    file = b"II*\0" + struct.pack("<IH", 8, len(values)) + table + bytes(4) + packed
    with quiet(), opened(file, "TIFF") as picture:
        if picture.mode != "L" or picture.size != (row, rows):
            raise Damaged("its header is wrong")
        return bytes(picture.tobytes())


def _entries(data: bytes, order: str, start: int) -> tuple[dict[int, list[int]], int]:
    """The whole numbers of a table, by tag, and the place of the next table, 0 if there is none."""
    (count,) = struct.unpack_from(f"{order}H", data, start)
    if count > MAX_ENTRIES:
        raise Damaged("its header is wrong")
    found: dict[int, list[int]] = {}
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", data, place)
        if kind not in _SIZES or not 0 < number <= MAX_CHUNKS or tag not in _USED:
            continue
        layout = f"{order}{number}{_SIZES[kind]}"
        at = place + 8 if struct.calcsize(layout) <= 4 else struct.unpack_from(f"{order}I", data, place + 8)[0]
        found.setdefault(tag, list(struct.unpack_from(layout, data, at)))
    (other,) = struct.unpack_from(f"{order}I", data, start + 2 + 12 * count)
    return found, other


_USED = {_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIPS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES,
         _PLANAR, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXTRA, _FORMAT, ORIENTATION}  # fmt: skip


def _told(numbers: set[int]) -> str:
    return " and ".join(map(str, sorted(numbers)[:4]))
