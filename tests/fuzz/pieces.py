"""Alters bytes; takes binary formats apart and joins them again, with their lengths and checksums right.

What decoders trust are lengths, counts and sizes, and a checksum hides most changes from all that comes after it. So
most of the changes are made to the pieces of a file, which are then joined to a file that is whole on its surface.
"""

import io
import re
import struct
import warnings
import zipfile
import zlib

NUMBERS = (0, 1, 2, 3, 7, 8, 16, 64, 127, 128, 255, 256, 4095, 4096, 16384, 16385, 32767, 32768, 65535, 65536, 2**24,
           2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip
TEXTS = (b"", b"-1", b"1e999", b"nan", b"None", b"9" * 5000, b"[" * 3000, b"\x1b[2J\n", b"\xef\xbb\xbf", b"\0", b"\xff",
         b"a." * 200_000, b"\"'''", b"# ", b"\r\n", b"\xc3\x28", b"|O", b"True")  # fmt: skip


def alter(rng, data, split=None, join=None):
    """A copy of a file with a few changes, of its pieces where it can be taken apart, or of its bytes."""
    if split and rng.random() < 0.75:
        parts = split(data)
        for _ in range(rng.choice((1, 1, 2, 3))):
            at = rng.randrange(len(parts))
            kind = rng.choice(("bytes", "bytes", "bytes", "bytes", "remove", "repeat", "swap"))
            if kind == "bytes":
                parts[at] = _alter_bytes(rng, parts[at])
            elif kind == "remove" and len(parts) > 1:
                del parts[at]
            elif kind == "repeat":
                parts[at:at] = [parts[at]] * rng.choice((1, 1, 3, 100))
            else:
                other = rng.randrange(len(parts))
                parts[at], parts[other] = parts[other], parts[at]
        return join(parts)
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = _alter_bytes(rng, data)
    return data


def _alter_bytes(rng, data):
    at = rng.randrange(len(data) + 1)
    size = rng.choice((1, 1, 2, 4, 8, 16, 100, 1000))
    kind = rng.choice(
        ("flip", "flip", "number", "number", "number", "digits", "remove", "repeat", "text", "cut", "noise")
    )
    if kind == "flip" and data:
        at %= len(data)
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
    if kind == "number":
        code = rng.choice(("B", "<H", ">H", "<I", ">I", "<I", ">I", "<Q", "<d", "<f"))
        number = rng.choice(NUMBERS) if code[-1] not in "df" else rng.choice((0.0, 1e300, 5e-324, float("nan"), -1.0))
        width = struct.calcsize(code)
        at = at // width * width if rng.random() < 0.5 else at
        try:
            put = struct.pack(code, number)
        except (OverflowError, struct.error):
            put = b"\xff" * width
        return data[:at] + put + data[at + width :]
    if kind == "digits" and (found := list(re.finditer(rb"\d+", data[:4096]))):
        digits = rng.choice(found)
        return data[: digits.start()] + str(rng.choice((*NUMBERS, -1))).encode() + data[digits.end() :]
    if kind == "remove":
        return data[:at] + data[at + size :]
    if kind == "repeat":
        return data[:at] + data[at : at + size] * rng.choice((2, 3, 200)) + data[at + size :]
    if kind == "text":
        return data[:at] + rng.choice(TEXTS) + data[at + rng.choice((0, size)) :]
    if kind == "cut":
        return data[:at]
    return data[:at] + rng.randbytes(size) + data[at + size :]


def split_png(data):
    """The chunks: the kind and what it holds, unpacked if it is the rows."""
    parts, start = [], 8
    while start < len(data):
        end = start + 8 + int.from_bytes(data[start : start + 4])
        kind, body = data[start + 4 : start + 8], data[start + 8 : end]
        parts.append(kind + (zlib.decompress(body) if kind == b"IDAT" else body))
        start = end + 4
    return parts


def join_png(parts):
    data = b"\x89PNG\r\n\x1a\n"
    for part in parts:
        body = part[:4] + zlib.compress(part[4:], 1) if part[:4] == b"IDAT" else part
        data += struct.pack(">I", max(len(body) - 4, 0)) + body + struct.pack(">I", zlib.crc32(body))
    return data


def split_jpeg(data):
    """The segments: the marker and what it holds; the data of a scan after two zeros."""
    parts, start = [data[:2]], 2
    while start < len(data) and data[start + 1] != 0xD9:
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4])
        parts.append(data[start : start + 2] + data[start + 4 : end])
        if data[start + 1] == 0xDA:
            after = re.compile(rb"\xff[^\0\xd0-\xd7]").search(data, end)
            parts.append(b"\0\0" + data[end : after.start() if after else len(data)])
            end = after.start() if after else len(data)
        start = end
    return [*parts, data[start:]]


def join_jpeg(parts):
    data = b""
    for part in parts:
        if part[:2] == b"\0\0":
            data += part[2:]
        elif part[:2] in (b"\xff\xd8", b"\xff\xd9"):
            data += part
        else:
            data += part[:2] + struct.pack(">H", min(len(part), 65535)) + part[2:]
    return data


def split_npy(data):
    start = 10 + int.from_bytes(data[8:10], "little")
    return [data[:8], data[10:start], data[start:]]


def join_npy(parts):
    first, header, *rest = [*parts, b"", b""][: max(len(parts), 2)]
    return first + struct.pack("<H", min(len(header), 65535)) + header + b"".join(rest)


def split_webp(data):
    """The chunks: the name and what it holds."""
    parts, start = [], 12
    while start + 8 <= len(data):
        size = int.from_bytes(data[start + 4 : start + 8], "little")
        parts.append(data[start : start + 4] + data[start + 8 : start + 8 + size])
        start += 8 + size + size % 2
    return parts


def join_webp(parts):
    body = b"".join(
        part[:4].ljust(4) + struct.pack("<I", max(len(part) - 4, 0)) + part[4:] + bytes(len(part) % 2) for part in parts
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def split_exr(data):
    """The beginning; the attributes: name, type and value; the chunks. The first letter says which."""
    parts, place = [b"V" + data[:8]], 8
    while data[place]:
        kind = data.index(b"\0", data.index(b"\0", place) + 1) + 1
        size = int.from_bytes(data[kind : kind + 4], "little")
        parts.append(b"A" + data[place:kind] + data[kind + 4 : kind + 4 + size])
        place = kind + 4 + size
    (first,) = struct.unpack_from("<Q", data, place + 1)
    offsets = sorted(struct.unpack_from(f"<{(first - place - 1) // 8}Q", data, place + 1))
    return parts + [b"C" + data[a:b] for a, b in zip(offsets, [*offsets[1:], len(data)], strict=True)]


def join_exr(parts):
    data, chunks = b"", []
    for part in parts:
        if part[:1] == b"C":
            chunks.append(part[1:])
        elif part[:1] == b"A":
            name, kind, value = [*part[1:].split(b"\0", 2), b"", b""][:3]
            data += name + b"\0" + kind + b"\0" + struct.pack("<I", len(value)) + value
        else:
            data += part[1:]
    place = len(data) + 1 + 8 * len(chunks)
    table = b""
    for chunk in chunks:
        table += struct.pack("<Q", place)
        place += len(chunk)
    return data + b"\0" + table + b"".join(chunks)


def split_zip(data):
    """The members: the name, a zero, and what it holds."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return [name.encode() + b"\0" + file.read(name) for name in file.namelist()]


def join_zip(parts):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as whole, warnings.catch_warnings(action="ignore"):  # of a name that occurs twice
        for part in parts:
            name, _, held = part.partition(b"\0")
            whole.writestr(zipfile.ZipInfo(name.decode("latin-1") or "a"), held)
    return file.getvalue()
