"""WebP files of one picture, decoded by Pillow. The chunks are read here first: how large the picture is, and what the
decoder needs of them; the others do not reach it.

Source: WebP container specification, https://developers.google.com/speed/webp/docs/riff_container; RFC 6386, section
9.1, for the size of a lossy picture; RFC 9649, section 3.4, for that of a lossless one.
"""

import struct
from pathlib import Path

import numpy as np

from diffrt.errors import InputError
from diffrt.files import MIB, read_bytes
from diffrt.formats.exif import orientation_of, upright
from diffrt.formats.limits import MAX_PIXELS, Damaged, check_size, decoding
from diffrt.formats.pixels import Pixels, opened, pixels_of

MAX_CHUNKS = 1024

_ALPHA, _ANIMATED = 0x10, 0x02


def read(path: str | Path, most: int = MAX_PIXELS) -> Pixels:
    """The levels of 8 bits, upright. Raises InputError."""
    from PIL import features

    if not features.check("webp"):
        raise InputError(f"{path}: reading it needs a Pillow with WebP; save the picture as PNG")
    data = read_bytes(path, limit=64 * MIB)
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise InputError(f"{path}: not a WebP file")
    with decoding(path, "damaged WebP", "its picture cannot be unpacked"):
        chunks = _chunks(data)
        if b"ANIM" in chunks or b"ANMF" in chunks or (chunks.get(b"VP8X", b"\0")[:1] + b"\0")[0] & _ANIMATED:
            raise InputError(f"{path}: is an animation; a WebP of one picture is needed")
        name = b"VP8L" if b"VP8L" in chunks else b"VP8 "
        width, height = _size_lossless(chunks[name]) if name == b"VP8L" else _size_lossy(chunks[name])
        check_size(path, height, width, most)
        kept = {name: chunks[name]}
        if name == b"VP8 " and b"ALPH" in chunks:
            canvas = struct.pack("<II", width - 1, height - 1)
            kept = {b"VP8X": bytes([_ALPHA, 0, 0, 0]) + canvas[:3] + canvas[4:7], b"ALPH": chunks[b"ALPH"], **kept}
        body = b"".join(k + struct.pack("<I", len(v)) + v + b"\0" * (len(v) % 2) for k, v in kept.items())
        with opened(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body, "WEBP") as picture:
            if picture.size != (width, height) or picture.mode not in ("RGB", "RGBA"):
                raise Damaged("its header is wrong")
            levels = np.asarray(picture)
    exif = chunks.get(b"EXIF", b"").removeprefix(b"Exif\0\0")
    return pixels_of(upright(levels, orientation_of(exif)), exif)


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks by name, of several the first. Raises Damaged."""
    found: dict[bytes, bytes] = {}
    start = 12
    for _ in range(MAX_CHUNKS):
        if start + 8 > len(data):
            return found
        name, size = data[start : start + 4], int.from_bytes(data[start + 4 : start + 8], "little")
        if start + 8 + size > len(data):
            raise Damaged("the file ends early")
        found.setdefault(name, data[start + 8 : start + 8 + size])
        start += 8 + size + size % 2
    raise Damaged("its chunks are wrong")


def _size_lossy(frame: bytes) -> tuple[int, int]:
    start, width, height = struct.unpack_from("<3xI", frame)[0] & 0xFFFFFF, *struct.unpack_from("<HH", frame, 6)
    if start != 0x2A019D:
        raise Damaged("its header is wrong")
    return width & 0x3FFF, height & 0x3FFF


def _size_lossless(stream: bytes) -> tuple[int, int]:
    signature, bits = struct.unpack_from("<BI", stream)
    if signature != 0x2F:
        raise Damaged("its header is wrong")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
