"""Truevision TGA files of 8 bits: gray, RGB, and either with alpha; plain or run-length encoded. Pillow decodes the
picture; the header is read here, as Pillow turns no picture around whose rows run from the right.

Source: Truevision TGA file format specification, version 2.0 (1991), section C.2.
"""

import struct
from pathlib import Path

import numpy as np

from diffrt.errors import InputError
from diffrt.files import MIB, read_bytes
from diffrt.formats.limits import MAX_PIXELS, Damaged, check_size, decoding
from diffrt.formats.pixels import Pixels, opened, pixels_of

_GRAY, _RGB, _ENCODED = (3, 11), (2, 10), 8
_FROM_RIGHT, _FROM_TOP, _INTERLEAVED = 0x10, 0x20, 0xC0


def read(path: str | Path, most: int = MAX_PIXELS) -> Pixels:
    """The levels of 8 bits, upright. Raises InputError."""
    data = read_bytes(path, limit=MAX_PIXELS * 5 + MIB)  # a run of one pixel takes five bytes
    try:
        identity, palette, kind, _, _, _, _, _, width, height, depth, how = struct.unpack_from("<BBBHHBHHHHBB", data)
    except struct.error:
        raise InputError(f"{path}: not a TGA file, or its header is damaged") from None
    if kind not in (*_GRAY, *_RGB) or palette > 1 or how & _INTERLEAVED:
        raise InputError(f"{path}: not a TGA file, or one with a palette; a gray or RGB TGA is needed")
    check_size(path, height, width, most)
    has_alpha = how & 15
    known = depth == 8 if kind in _GRAY else depth in (24, 32)
    if not known or (has_alpha and (has_alpha, depth) != (8, 32)):
        raise InputError(f"{path}: has {depth} bits per pixel, {has_alpha} of alpha; 8, 24, or 32 with 8 are needed")
    if palette:
        raise InputError(f"{path}: has a palette; save it without")
    size = depth // 8
    start = 18 + identity
    with decoding(path, "damaged TGA", "its picture cannot be unpacked"):
        if kind < _ENCODED:
            if len(data) < start + width * height * size:
                raise Damaged("rows are missing")
            levels = np.frombuffer(data, np.uint8, width * height * size, start).reshape(height, width, size)
            levels = levels[..., (0,) if size == 1 else (2, 1, 0, 3)[:size]]
        else:
            mode = {1: "L", 3: "RGB", 4: "RGBA"}[size]
            head = struct.pack("<BBBHHBHHHHBB", 0, 0, kind, 0, 0, 0, 0, 0, width, height, depth, has_alpha | _FROM_TOP)
            with opened(head + data[start:], "TGA") as picture:
                if picture.mode != mode or picture.size != (width, height):
                    raise Damaged("its header is wrong")
                levels = np.asarray(picture).reshape(height, width, size)
    if not how & _FROM_TOP:
        levels = levels[::-1]
    if how & _FROM_RIGHT:
        levels = levels[:, ::-1]
    if size == 4 and not has_alpha:  # the fourth byte means nothing
        levels = levels[..., :3]
    return pixels_of(np.ascontiguousarray(levels))
