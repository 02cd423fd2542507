"""JPEG files, decoded and encoded by Pillow. What a decoder would have to do is found from the file's segments first.

A progressive picture comes in scans, and every scan goes over the whole picture, be it of two bytes: so the scans are
counted. Segments of applications (profiles, thumbnails, further pictures) do not reach the decoder; of them only what
the camera says (Exif) is read.

Source: ITU-T T.81 (1992), annex B.
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from diffrt.errors import InputError
from diffrt.files import MIB, read_bytes
from diffrt.formats.exif import orientation_of, upright
from diffrt.formats.limits import MAX_PIXELS, Damaged, check_size, decoding
from diffrt.formats.pixels import Pixels, opened

MAX_SCANS = 64
"""Programs that write progressive pictures use 6 to 20."""

MAX_SEGMENTS = 8192
"""Programs write a few dozen, and a large profile takes 255."""

_MARKER = re.compile(rb"\xff([^\x00\xff])")
_AFTER_SCAN = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")  # data of a scan hold FF 00 for FF, and numbered restarts
_START, _END, _SCAN, _EXIF, _ADOBE = 0xD8, 0xD9, 0xDA, 0xE1, 0xEE
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive, Huffman-coded
_OTHER_FRAMES = (0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))


def read(path: str | Path, most: int = MAX_PIXELS) -> Pixels:
    """The levels of 8 bits, turned as the file's orientation says. Raises InputError."""
    data = read_bytes(path, limit=64 * MIB)
    picture, exif, scans = bytearray(b"\xff\xd8"), b"", 0
    size: tuple[int, int] | None = None
    try:
        for number, (kind, segment) in enumerate(_segments(data)):
            if number == MAX_SEGMENTS:
                raise ValueError
            if kind in _OTHER_FRAMES:
                raise InputError(f"{path}: is coded without loss, by arithmetic or in levels; save it as a usual JPEG")
            if kind in _FRAMES:
                size = struct.unpack_from(">HH", segment, 5)
                check_size(path, *size, most)
            scans += kind == _SCAN
            if kind == _EXIF and bytes(segment[4:10]) == b"Exif\0\0":
                exif = exif or bytes(segment[10:])
            if not (0xE0 < kind < 0xF0 or kind == 0xFE) or kind == _ADOBE:  # Adobe's says how colors are coded
                picture += segment
    except (ValueError, struct.error) as fault:
        if isinstance(fault, InputError):
            raise
        raise InputError(f"{path}: not a JPEG file, or its header is damaged") from None
    if size is None or scans == 0:
        raise InputError(f"{path}: damaged JPEG: it holds no picture")
    if scans > MAX_SCANS:
        raise InputError(f"{path}: has {scans} scans; {MAX_SCANS} are read; save it as a usual JPEG")
    with decoding(path, "damaged JPEG", "its picture cannot be unpacked"), opened(picture, "JPEG") as found:
        if found.mode not in ("L", "RGB"):
            raise InputError(f"{path}: has the mode {found.mode}; a gray or RGB JPEG is needed")
        if found.size != size[::-1]:
            raise Damaged("it has two sizes")
        levels = np.asarray(found.convert("RGB"))
    return Pixels(upright(levels, orientation_of(exif)), exif=exif)


def _segments(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """The segments of a file: the kind, and the bytes from the marker on, those of a scan with its data.

    Raises ValueError if there is anything else in the file.
    """
    if data[:2] != b"\xff\xd8":
        raise ValueError
    whole = memoryview(data)
    start = 2
    while found := _MARKER.search(data, start):
        kind, start = found[1][0], found.start()
        if kind == _END:
            yield kind, whole[start : start + 2]
            return
        if kind == 0x01 or 0xD0 <= kind <= 0xD7:  # stand alone, and mean nothing here
            start += 2
            continue
        if kind == _START or kind < 0xC0:
            raise ValueError
        length = int.from_bytes(data[start + 2 : start + 4])
        end = start + 2 + length
        if length < 2 or end > len(data):
            raise ValueError
        if kind == _SCAN:
            after = _AFTER_SCAN.search(data, end)
            end = after.start() if after else len(data)
        yield kind, whole[start:end]
        start = end
