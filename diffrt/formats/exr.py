"""OpenEXR files, decoded by their own Python package; written without it, since rows of floats need no compression.

The package unpacks whatever a header asks for, and looks at sizes afterwards. So the header and the table of chunks are
read here first: how many numbers there are, and that the chunks are where they should be, each of its own bytes.

Source: OpenEXR file layout, https://openexr.com/en/latest/OpenEXRFileLayout.html.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import InputError
from diffrt.files import MIB, read_bytes
from diffrt.formats.limits import MAX_PIXELS, Damaged, check_size, decoding
from diffrt.formats.pixels import Pixels, pixels_of
from diffrt.image import check_finite
from diffrt.quiet import quiet

MAX_BYTES = MAX_PIXELS * 4 * 4
"""Of all numbers that a file unpacks to: four channels of floats of the largest picture, or more of a smaller one."""

MAX_CHUNKS = 16384
"""Runs of lines, or tiles: some compressions take a tenth of a millisecond for each, however small."""

MAX_ATTRIBUTES = 1024

_MAGIC = b"\x76\x2f\x31\x01"
_TILED, _LONG_NAMES = 0x200, 0x400
_LINES = (1, 1, 1, 16, 32, 16, 32, 32, 32, 256)  # per chunk, by the number of the compression, up to DWAB
_BYTES = (4, 2, 4)  # of a number, by its type: whole, half, float
_FLOAT = 2
_KINDS = (b"scanlineimage", b"tiledimage")


@dataclass(frozen=True)
class _Channel:
    name: str
    size: int
    sampling: tuple[int, int]


def read(path: str | Path, most: int = MAX_PIXELS) -> Pixels:
    """The values. Raises InputError."""
    data = read_bytes(path, limit=MAX_BYTES + MIB)
    try:
        import OpenEXR
    except ImportError:
        raise InputError(f"{path}: reading it needs the package OpenEXR: pip install 'diffrt[exr]'") from None
    what, unpacked = "not an OpenEXR file, or damaged", "its pixels cannot be unpacked"
    with decoding(path, what, "its header is wrong"):
        names = [channel.name for channel in _checked(path, data, most)]
    del data
    color = ("R", "G", "B") if "R" in names else ("Y", "Y", "Y")
    if not {*names} >= {*color} or "RY" in names:
        given = ", ".join(names)[:200] or "none"
        raise InputError(f"{path}: has the channels {given}; R, G and B, or Y, are needed")
    with decoding(path, what, unpacked):
        with quiet(), OpenEXR.File(str(path), separate_channels=True) as file:
            if not file.parts:  # it has said so on stderr alone
                raise Damaged(unpacked)
            found = {name: channel.pixels for name, channel in file.channels().items()}
        kept = (*color, "A") if "A" in found else color
        values = np.empty((*found[color[0]].shape, len(kept)))
        with np.errstate(all="ignore"):
            for i, name in enumerate(kept):
                values[..., i] = found[name]
    check_finite(values, str(path))
    return pixels_of(values)


def encode(values: NDArray[np.float64]) -> bytes:
    """The content of a file of linear RGB values (height, width, 3), as 32-bit floats in rows without compression.

    Raises InputError for values that are no 32-bit floats.
    """
    height, width, _ = values.shape
    with np.errstate(over="ignore"):
        rows = np.asarray(values, "<f4")[..., ::-1].transpose(0, 2, 1)  # channels in alphabetical order: B, G, R
    if not np.isfinite(rows).all():
        raise InputError(f"an .exr file holds values up to 3.4e38, found {np.abs(values).max():.3g}; .npy holds it")
    channel = struct.pack("<iB3xii", _FLOAT, 0, 1, 1)
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    attributes = (
        ("channels", "chlist", b"".join(name + b"\0" + channel for name in (b"B", b"G", b"R")) + b"\0"),
        ("compression", "compression", b"\0"),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1.0)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0.0, 0.0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1.0)),
    )
    header = _MAGIC + struct.pack("<I", 2)
    for name, kind, value in attributes:
        header += f"{name}\0{kind}\0".encode() + struct.pack("<i", len(value)) + value
    header += b"\0"
    size = 8 + width * 3 * 4  # of a chunk: its line, its length, its numbers
    starts = len(header) + 8 * height + size * np.arange(height)
    lines = np.zeros(height, [("line", "<i4"), ("length", "<i4"), ("numbers", "<f4", (3, width))])
    lines["line"], lines["length"], lines["numbers"] = np.arange(height), size - 8, rows
    return b"".join([header, starts.astype("<u8").tobytes(), lines.tobytes()])


def _checked(path: str | Path, data: bytes, most: int) -> list[_Channel]:
    """The channels of a file. Raises InputError and Damaged, and what Python does about bytes that are missing."""
    if data[:4] != _MAGIC:
        raise Damaged("it does not begin as one")
    (version,) = struct.unpack_from("<I", data, 4)
    if version & ~(_TILED | _LONG_NAMES) != 2:
        raise InputError(f"{path}: has several parts, or several samples per pixel; an EXR of one picture is needed")
    attributes: dict[bytes, bytes] = {}
    place = 8
    while data[place] != 0:
        name, kind = data.index(b"\0", place), data.index(b"\0", data.index(b"\0", place) + 1)
        (size,) = struct.unpack_from("<i", data, kind + 1)
        start, end = kind + 5, kind + 5 + size
        if data[place:name] in attributes or size < 0 or end >= len(data) or len(attributes) == MAX_ATTRIBUTES:
            raise Damaged("its header is wrong")
        attributes[data[place:name]] = data[start:end]
        place = end
    left, top, right, bottom = struct.unpack("<4i", attributes[b"dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    check_size(path, height, width, most)
    channels = list(_channels(attributes[b"channels"]))
    if height * width * sum(channel.size for channel in channels) > MAX_BYTES:
        raise InputError(f"{path}: is {width} x {height} pixels of {len(channels)} channels; {MAX_BYTES // MIB} MiB "
                         "of numbers are read; save R, G and B alone")  # fmt: skip
    if any(c.sampling != (1, 1) for c in channels):
        raise InputError(f"{path}: has channels of fewer pixels than the picture; save R, G and B in full")
    (compression,) = attributes[b"compression"]
    if compression >= len(_LINES):
        raise InputError(f"{path}: has the compression number {compression}; {len(_LINES) - 1} (DWAB) is the last read")
    tiled = bool(version & _TILED)
    if attributes.get(b"type", _KINDS[tiled]) != _KINDS[tiled]:
        raise Damaged("its header is wrong")
    if tiled:
        across, down, levels = struct.unpack("<IIB", attributes[b"tiles"])
        if levels & 15:
            raise InputError(f"{path}: has several resolutions; an EXR of one picture is needed")
        if not 0 < across * down <= MAX_PIXELS or across * down * sum(c.size for c in channels) > MAX_BYTES:
            raise Damaged("the size of its tiles is wrong")
        columns = math.ceil(width / across)
        chunks = columns * math.ceil(height / down)
        heads = [struct.pack("<4i", i % columns, i // columns, 0, 0) for i in range(min(chunks, MAX_CHUNKS))]
    else:
        lines = _LINES[compression]
        chunks = math.ceil(height / lines)
        heads = [struct.pack("<i", top + i * lines) for i in range(chunks)]
    if chunks > MAX_CHUNKS:
        raise InputError(f"{path}: has {chunks} tiles; {MAX_CHUNKS} are read; save it in lines")
    if attributes.get(b"chunkCount", struct.pack("<i", chunks)) != struct.pack("<i", chunks):
        raise Damaged("its header is wrong")
    total = 0
    for head, at in zip(heads, struct.unpack_from(f"<{chunks}Q", data, place + 1), strict=True):
        (size,) = struct.unpack_from("<i", data, at + len(head)) if at < len(data) else (-1,)
        if size < 0 or data[at : at + len(head)] != head or at + len(head) + 4 + size > len(data):
            raise Damaged("a part of the picture is missing")
        total += len(head) + 4 + size
    if total > len(data) - (place + 1 + 8 * chunks):  # the same bytes would be read for several parts
        raise Damaged("parts of the picture overlap")
    return channels


def _channels(listed: bytes) -> Iterator[_Channel]:
    place = 0
    while listed[place] != 0:
        end = listed.index(b"\0", place)
        kind, across, down = struct.unpack_from("<i4x2i", listed, end + 1)
        if not 0 <= kind < len(_BYTES):
            raise Damaged("its header is wrong")
        yield _Channel(listed[place:end].decode("latin-1"), _BYTES[kind], (across, down))
        place = end + 17
