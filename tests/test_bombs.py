"""Small files that would unpack to much, or keep a decoder busy: none takes more than 5 s or 1 GiB.

They are read one after the other in a process of its own, whose times and memory are looked at. The seconds are those
of a usual machine (`fuzz/pace.py`).
"""

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from diffrt.errors import InputError
from diffrt.photograph import read_image

SIDE = 4096
"""Of the largest square picture that is read."""


# PNG.
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(rows):
    """Bytes many times over, compressed without ever being held."""
    compress = zlib.compressobj(1)
    return b"".join([*(compress.compress(row) for row in rows), compress.flush()])


def png(width, height, depth, color, data, before=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def plain_png(width, height, depth, color):
    """Black and opaque, its rows filtered in the way that takes longest."""
    pixel = {2: b"\0\0\0", 6: b"\0\0\0\xff"}[color]
    row = b"".join(bytes([level]) * (depth // 8) for level in pixel)
    first = b"\4" + row + bytes(len(row) * (width - 1))
    return png(width, height, depth, color, packed([first, *[b"\4" + bytes(len(row) * width)] * (height - 1)]))


@cache
def endless():
    """3 GB would be as quick to refuse, but not to make."""
    return packed([bytes(1 << 24)] * 16)


# JPEG.
def segment(kind, data):
    return bytes([0xFF, kind]) + struct.pack(">H", len(data) + 2) + data


def scans(count, width=SIDE, height=SIDE, frame=0xC2):
    """A progressive picture whose scans are a few bytes each: one code ends 16,384 blocks."""
    parts = [b"\xff\xd8", segment(0xDB, b"\0" + b"\1" * 64)]
    parts.append(segment(frame, struct.pack(">BHHB", 8, height, width, 3) + b"\1\x11\0\2\x11\0\3\x11\0"))
    parts += [segment(0xC4, bytes([table, 1, *[0] * 15, symbol])) for table, symbol in ((0x00, 0), (0x10, 0xE0))]
    parts.append(segment(0xDA, b"\3\1\0\2\0\3\0\0\0\0") + bytes(8))
    for number in range(count - 1):
        again = 0x10 if number >= 3 else 0x01
        parts.append(segment(0xDA, bytes([1, 1 + number % 3, 0, 1, 63, again])) + bytes(64))
    return b"".join([*parts, b"\xff\xd9"])


def small_jpeg(*segments):
    file = io.BytesIO()
    pillow.new("RGB", (8, 8)).save(file, "JPEG")
    return file.getvalue()[:2] + b"".join(segments) + file.getvalue()[2:]


def hungry_exif():
    """65,535 entries, each of which refers to the same 3 MB."""
    entries = b"".join(struct.pack("<HHII", tag, 7, 3_000_000, 0) for tag in range(65535))
    tiff = b"II*\0" + struct.pack("<IH", 8, 65535) + entries + bytes(2_400_000)
    return [segment(0xE1, b"Exif\0\0" + tiff[at : at + 65000]) for at in range(0, len(tiff), 65000)]


# OpenEXR.
def exr(width, height, channels=3, compression=3, tile=None, more=b"", chunks=None, kind=1):
    """A file of zeros (ZIP); by default without its chunks."""

    def attribute(name, kind, data):
        return name + b"\0" + kind + b"\0" + struct.pack("<i", len(data)) + data

    names = [b"B", b"G", b"R", *(b"x%d" % number for number in range(channels - 3))]
    listed = b"".join(name + b"\0" + struct.pack("<iIii", kind, 0, 1, 1) for name in names) + b"\0"
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    header = b"\x76\x2f\x31\x01" + struct.pack("<I", 2 | (0x200 if tile else 0))
    header += attribute(b"channels", b"chlist", listed) + attribute(
        b"compression", b"compression", bytes([compression])
    )
    header += attribute(b"dataWindow", b"box2i", box) + attribute(b"displayWindow", b"box2i", box)
    header += attribute(b"lineOrder", b"lineOrder", b"\0")
    header += attribute(b"pixelAspectRatio", b"float", struct.pack("<f", 1.0))
    header += attribute(b"screenWindowCenter", b"v2f", bytes(8)) + attribute(b"screenWindowWidth", b"float",
                                                                             struct.pack("<f", 1.0))  # fmt: skip
    if tile:
        header += attribute(b"tiles", b"tiledesc", struct.pack("<IIB", *tile, 0))
    header += more + b"\0"
    table, body = [], b""
    start = len(header) + 8 * len(chunks or ())
    for head, data in chunks or ():
        table.append(start + len(body))
        body += head + struct.pack("<i", len(data)) + data
    return header + struct.pack(f"<{len(table)}Q", *table) + body


def lines(width, height, channels=3, size=2):
    """The chunks of a picture of zeros."""
    zeros = zlib.compress(bytes(width * 16 * channels * size), 9)
    return [(struct.pack("<i", y), zeros) for y in range(0, height, 16)]


def tiny_tiles(side):
    return [(struct.pack("<4i", x, y, 0, 0), bytes(6)) for y in range(side) for x in range(side)]


def many_attributes(count):
    return b"".join(b"a%d\0float\0" % number + struct.pack("<if", 4, 0.0) for number in range(count))


def npy(shape, descr="'<f2'", data=b""):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


# TIFF, WebP and TGA.
def tiff(width, height, channels, bits, compression, strips, **entries):
    """Of RGBA, RGB or gray, in as many strips as there are."""
    table = {256: [width], 257: [height], 258: [bits] * channels, 259: [compression],
             262: [2 if channels > 2 else 1], 273: [0] * len(strips), 277: [channels],
             278: [-(-height // len(strips))], 279: [len(strip) for strip in strips], 338: [2] * (channels == 4),
             339: [3 if bits > 16 else 1] * channels}  # fmt: skip
    table = {tag: values for tag, values in table.items() if values}
    table |= {int(tag): values for tag, values in entries.items()}
    start = 8 + 2 + 12 * len(table) + 4
    far = start + sum(4 * len(values) for values in table.values() if len(values) > 1)
    table[273] = (far + np.cumsum([0, *table[279][:-1]])).tolist() if "273" not in entries else table[273]
    head, rest = b"", b""
    for tag in sorted(table):
        values = struct.pack(f"<{len(table[tag])}I", *table[tag])
        head += struct.pack("<HHI", tag, 4, len(table[tag]))
        head += values if len(values) == 4 else struct.pack("<I", start + len(rest))
        rest += values if len(values) > 4 else b""
    return b"II*\0" + struct.pack("<IH", 8, len(table)) + head + bytes(4) + rest + b"".join(strips)


LZW = b"\x80\x00 P8\x1c\x04"
"""Nine zeros."""


def saved(mode, kind, **settings):
    file = io.BytesIO()
    pillow.new(mode, (SIDE, SIDE)).save(file, kind, **settings)
    return file.getvalue()


def opaque(data):
    """A TGA whose fourth byte means nothing."""
    return data[:17] + bytes([data[17] & ~15]) + data[18:]


READ = {
    "rgba16.png": lambda: plain_png(SIDE, SIDE, 16, 6),
    "flat.png": lambda: plain_png(16384, 16, 16, 2),
    "text.png": lambda: png(4, 4, 8, 2, zlib.compress(bytes(52)), chunk(b"zTXt", b"a\0\0" + endless())),
    "profile.png": lambda: png(4, 4, 8, 2, zlib.compress(bytes(52)), chunk(b"iCCP", b"a\0\0" + endless())),
    "longer.png": lambda: png(4, 4, 8, 2, endless()),
    "scans.jpg": lambda: scans(64),
    "exif.jpg": lambda: small_jpeg(*hungry_exif()),
    "zip.exr": lambda: exr(SIDE, SIDE, 4, chunks=lines(SIDE, SIDE, 4, 4), kind=2),
}
"""Those that are as large as may be, or whose ballast is left aside."""

READ_SLOWLY = {
    "strips.tif": lambda: tiff(9, 16384, 1, 8, 5, [LZW] * 16384),
    "floats.tif": lambda: tiff(SIDE, SIDE, 3, 32, 8, [packed([bytes(SIDE * 12)] * SIDE)], **{"317": [3]}),
    "lossless.webp": lambda: saved("RGB", "WEBP", lossless=True),
    "runs.tga": lambda: opaque(saved("RGBA", "TGA", compression="tga_rle")),
}
"""More of them."""

REFUSED = {
    "wide.png": (lambda: png(16385, 1, 16, 6, b""), "a side may have 16384"),
    "large.png": (lambda: png(16384, 16384, 16, 6, endless()), "16777216 in all are read"),
    "chunks.png": (lambda: b"\x89PNG\r\n\x1a\n" + chunk(b"abCd", b"") * 300_000, "ends early"),
    "scans.jpg": (lambda: scans(2000), "has 2000 scans; 64 are read"),
    "large.jpg": (lambda: scans(3, 16384, 16384), "16777216 in all are read"),
    "arithmetic.jpg": (lambda: scans(3, frame=0xCA), "save it as a usual JPEG"),
    "hidden.jpg": (lambda: small_jpeg(b"\xff\x02\0\2" + scans(60)[2:]), "not a JPEG file"),
    "marks.jpg": (lambda: b"\xff\xd8" + b"\xff" * 3_900_000 + b"\0", "it holds no picture"),
    "segments.jpg": (lambda: small_jpeg(b"\xff\xe0\0\2" * 900_000), "its header is damaged"),
    "large.exr": (lambda: exr(16384, 16384), "16777216 in all are read"),
    "huge.exr": (lambda: exr(2**31 - 1, 2**31 - 1), "a side may have 16384"),
    "empty.exr": (lambda: exr(0, 0), "at least one is needed"),
    "channels.exr": (lambda: exr(2048, 2048, 100), "numbers are read; save R, G and B alone"),
    "attributes.exr": (lambda: exr(1, 1, more=many_attributes(150_000)), "its header is wrong"),
    "tiles.exr": (lambda: exr(160, 160, tile=(1, 1), chunks=tiny_tiles(160)), "has 25600 tiles; 16384 are read"),
    "tile.exr": (lambda: exr(1, 1, tile=(2**31, 2**31)), "the size of its tiles is wrong"),
    "missing.exr": (lambda: exr(SIDE, SIDE) + bytes(8 * 256), "a part of the picture is missing"),
    "two windows.exr": (
        lambda: exr(1, 1, more=b"dataWindow\0box2i\0" + struct.pack("<5i", 16, 0, 0, 9999, 9999)),
        "its header is wrong",
    ),
    "codec.exr": (lambda: exr(64, 64, compression=10), "has the compression number 10"),
    "wide.tif": (lambda: tiff(16385, 1, 3, 8, 1, [b""]), "a side may have 16384"),
    "large.tif": (lambda: tiff(16384, 16384, 3, 8, 8, [b""]), "16777216 in all are read"),
    "doubles.tif": (lambda: tiff(SIDE, SIDE, 4, 64, 8, [b""]), "256 MiB of numbers are read"),
    "strips.tif": (lambda: tiff(9, 9, 1, 8, 5, [LZW] * 9, **{"278": [1], "279": [9] * 8 + [10**6]}), "overlap"),
    "tile.tif": (
        lambda: tiff(9, 9, 1, 8, 8, [b""], **{"322": [2**31], "323": [2**31], "324": [8], "325": [9]}),
        "the size of its parts is wrong",
    ),
    "tiles.tif": (
        lambda: tiff(160, 160, 1, 8, 8, [b""], **{"322": [1], "323": [1], "324": [8], "325": [9]}),
        "has 25600 strips or tiles; 16384 are read",
    ),
    "chain.tif": (lambda: b"II*\0" + struct.pack("<IH", 8, 65535), "its header is wrong"),
    "large.webp": (lambda: b"RIFF\0\0\0\0WEBPVP8L\x0a\0\0\0/\xff\xff\xff\x0f" + bytes(5), "16777216 in all are read"),
    "chunks.webp": (lambda: b"RIFF\0\0\0\0WEBP" + (b"junk" + bytes(4)) * 400_000, "its chunks are wrong"),
    "large.tga": (lambda: struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, 16384, 16384, 24, 0), "16777216 in"),
    "promised.npy": (lambda: npy("(4096, 4096, 3)"), "100663296 bytes of values are announced, 0 follow"),
    "negative.npy": (lambda: npy("(-4, 4, 3)"), "at least one is needed"),
    "digits.npy": (lambda: npy(f"({'9' * 4000}, 4, 3)"), "is 4 x over 10^12 pixels"),
    "object.npy": (lambda: npy("(4, 4, 3)", "'|O'"), "holds object values"),
    "nested.npy": (lambda: npy("(" * 9000), "not a .npy file"),
}
"""With what is said of them."""

CHILD = """
import json, sys, time
import PIL.Image, numpy
try: import OpenEXR
except ImportError: pass
from diffrt.photograph import read_photograph
from fuzz.pace import pace
PIL.Image.init()

def memory(what):
    status = open("/proc/self/status").read()
    return int(status.split(what)[1].split()[0]) / 1024

def read(path):
    open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
    before, began = memory("VmRSS:"), time.process_time()
    try: said = str(read_photograph(path).image.shape)
    except ValueError as fault: said = str(fault)
    return said, time.process_time() - began, memory("VmHWM:") - before

for path in sys.argv[1:]:
    said, seconds, mebibytes = read(path)
    if seconds > 4.0: seconds = min(seconds, read(path)[1]) / pace()
    print(json.dumps([said, seconds, mebibytes]), flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory cannot be read here")
@pytest.mark.parametrize("read", [READ, pytest.param(READ_SLOWLY, marks=pytest.mark.slow)], ids=["", "more"])
def test_no_small_file_takes_more_than_5_seconds_or_1_gib(tmp_path, read):
    pytest.importorskip("OpenEXR")
    files = {f"read {name}": make() for name, make in read.items()}
    files |= {f"refused {name}": make() for name, (make, _) in REFUSED.items()} if read is READ else {}
    for name, data in files.items():
        assert len(data) < 4e6, name
        (tmp_path / name).write_bytes(data)
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run([sys.executable, "-c", CHILD, *(tmp_path / name for name in files)], capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": path})  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == len(files), done.stderr
    for name, (said, seconds, mebibytes) in zip(files, told, strict=True):
        assert seconds < 5.0 and mebibytes < 1024.0, (name, seconds, mebibytes)
        assert said.endswith(", 3)") if name.startswith("read") else "\n" not in said, (name, said)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_said_of_a_file_that_is_refused(tmp_path, name):
    if name.endswith("exr"):
        pytest.importorskip("OpenEXR")
    make, said = REFUSED[name]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(InputError) as fault:
        read_image(tmp_path / name)
    assert said in str(fault.value) and len(str(fault.value)) < 400


def test_the_exr_made_by_hand_is_one(tmp_path):
    """So that the others are refused for the fault that they have."""
    pytest.importorskip("OpenEXR")
    (tmp_path / "a.exr").write_bytes(exr(8, 20, chunks=[(struct.pack("<i", y), zlib.compress(bytes(n * 8 * 6)))
                                                        for y, n in ((0, 16), (16, 4))]))  # fmt: skip
    assert read_image(tmp_path / "a.exr").shape == (20, 8, 3)
    twice = exr(8, 20, chunks=[(struct.pack("<i", y), bytes(300)) for y in (0, 16)])
    whole = bytearray(twice)
    at = twice.index(struct.pack("<ii", 0, 300))
    whole[at + 4 : at + 8] = struct.pack("<i", 500)  # reaches into the next
    (tmp_path / "a.exr").write_bytes(whole + bytes(100))
    with pytest.raises(InputError, match="parts of the picture overlap"):
        read_image(tmp_path / "a.exr")


def test_an_exr_of_coarser_colors_is_refused(tmp_path):
    pytest.importorskip("OpenEXR")
    data = exr(8, 16, chunks=[(bytes(4), zlib.compress(bytes(16 * 8 * 6)))])
    (tmp_path / "a.exr").write_bytes(data.replace(struct.pack("<Iii", 0, 1, 1), struct.pack("<Iii", 0, 2, 2), 1))
    with pytest.raises(InputError, match="has channels of fewer pixels than the picture"):
        read_image(tmp_path / "a.exr")


def test_an_exr_whose_pixels_are_damaged_is_told_in_one_line(tmp_path, capfd):
    pytest.importorskip("OpenEXR")
    (tmp_path / "a.exr").write_bytes(exr(8, 16, chunks=[(bytes(4), b"no zlib at all")]))
    with pytest.raises(InputError, match="damaged: its pixels cannot be unpacked"):
        read_image(tmp_path / "a.exr")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("color", [0, 2, 4, 6])
@pytest.mark.parametrize("depth", [8, 16])
def test_every_kind_of_png_is_read_to_the_bit(tmp_path, color, depth):
    import png as writer

    channels = {0: 1, 2: 3, 4: 2, 6: 4}[color]
    levels = (
        np.random.default_rng(color)
        .integers(0, 2**depth, (5, 7, channels), np.uint16)
        .astype(np.uint8 if depth == 8 else np.uint16)
    )
    if color > 2:
        levels[..., -1] = 2**depth - 1
    with open(tmp_path / "a.png", "wb") as file:
        writer.Writer(7, 5, bitdepth=depth, greyscale=channels < 3, alpha=color > 2).write(file, levels.reshape(5, -1))
    found = read_image(tmp_path / "a.png", "linear")
    shown = levels[..., :3] if channels > 2 else levels[..., :1]
    np.testing.assert_array_equal(found, np.broadcast_to(shown / (2**depth - 1), (5, 7, 3)))


@pytest.mark.parametrize(("depth", "seen"), [(8, 7), (16, 1792)])
def test_a_png_whose_transparent_color_occurs_is_refused(tmp_path, depth, seen):
    pixels = struct.pack(">3B" if depth == 8 else ">3H", 0, 0, seen)
    for key, refused in ((seen, True), (seen + 1, False)):
        data = png(1, 1, depth, 2, zlib.compress(b"\0" + pixels), chunk(b"tRNS", struct.pack(">3H", 0, 0, key)))
        (tmp_path / "a.png").write_bytes(data)
        if refused:
            with pytest.raises(InputError, match="transparent in places"):
                read_image(tmp_path / "a.png")
        else:
            assert read_image(tmp_path / "a.png").shape == (1, 1, 3)


def test_a_transparent_color_of_another_size_is_told_in_our_words(tmp_path):
    data = png(1, 1, 8, 2, zlib.compress(bytes(4)), chunk(b"tRNS", bytes(4)))
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.png: damaged PNG: its transparent color is wrong$"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("held", range(1, 9))
def test_a_jpeg_is_turned_as_pillow_turns_it(tmp_path, held):
    from PIL import ImageOps

    exif = pillow.Exif()
    exif[0x010F] = "a camera"
    exif[0x0112] = held
    levels = np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8)
    pillow.fromarray(levels).save(tmp_path / "a.jpg", exif=exif)
    with pillow.open(tmp_path / "a.jpg") as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture)) / 255
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg", "linear"), expected)
