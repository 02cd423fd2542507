"""The files that the fuzzer begins with: what ships, small pictures of every kind, and what once went wrong.

Of text formats there are two lists: files that are right, as tables, and bombs, as tables or as bytes.
"""

import io
import tomllib
from pathlib import Path

import numpy as np
from PIL import Image as pillow

from . import pieces
from .trees import Raw

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT = 6, 5
MARK = b"\xef\xbb\xbf"
DOTS = b"a." * 200_000 + b"b = 1"


def shipped(pattern):
    return [tomllib.loads(path.read_text()) for path in sorted(ROOT.glob(pattern))]


def scenes():
    bombs = [
        DOTS, MARK + (ROOT / "scenes/tiny.toml").read_bytes(), b"a = " + b"[" * 5000, b"a = 1979-13-01", b"\0", b"",
        b"reflection_depth = " + b"9" * 5000, b'"\\u001b[2J" = 1\n"\\n" = 2',
    ]  # fmt: skip
    return shipped("scenes/*.toml") + shipped("examples/recover/*/scene.toml"), bombs


def fits():
    """Of scenes/tiny.toml, in a folder with target.png, target.npy and mask.png."""
    camera = {"position": [5.5, 1.5, 0.5], "target": [0.0, 0.7, 0.0], "fov": 30.0, "width": 4, "height": 3}
    begin = {"scene": "tiny.toml", "target": "target.png"}
    free = {"lamp.position": {"start": [-1, 3, 2], "lower": [-10, 0, -10], "upper": 10},
            "lamp.intensity.r": {"start": 15, "positive": True}}  # fmt: skip
    files = [
        {**begin, "free": ["lamp.position", "ball.*"]},
        {"scene": "tiny.toml", "target": "target.npy", "encoding": "linear", "mask": "mask.png", "exposure": True,
         "white_balance": True, "free": ["ball.center.x"], "cells": 2, "method": "L-BFGS-B", "loss": "huber",
         "scale": 0.1, "space": "srgb", "iterations": 3, "levels": [2.0, 1.0], "starts": 2, "refine": 1, "seed": 3},
        {**begin, "free": free, "ties": {"lamp.intensity.g": "lamp.intensity.r"}},
        {"scene": "tiny.toml", "free": ["ball.center", "side.camera.position"],
         "views": {"front": {"target": "target.png"}, "side": {"target": "target.npy", "camera": camera}}},
    ]  # fmt: skip
    bombs = [
        {**begin, "free": {"ball.center": {"start": 10**400}}}, {**begin, "free": ["ball.center"], "levels": [5e-324]},
        {**begin, "free": ["ball.center"], "levels": [1.0] * 5000}, {**begin, "free": ["a\x1b[2J\n"], "seed": 10**400},
        MARK + b"scene = 'tiny.toml'\ntarget = 'target.png'\nfree = ['ball.center']", DOTS,
    ]  # fmt: skip
    return files, bombs


def derivations():
    def square(**more):
        return {"inputs": {"x": {}}, "definitions": {"y": "x^2"}, "partials": {"y / x": "2 * x"}, **more}

    def one(shape, formula, claim, **domain):
        inputs = {"x": {"shape": shape, **domain}}
        return {"inputs": inputs, "definitions": {"y": formula}, "partials": {"y / x": claim}}

    # One that takes ten seconds to mark would leave no time for others.
    files = shipped("examples/lecture/[!p]*.toml") + shipped("examples/lecture/pixel_by_hand.toml")
    for tree in files:
        if "scene" in tree:
            tree["scene"]["file"] = "tiny.toml"
    files += [
        square(), square(output="y", points=[{"x": 0.5}, {"x": 0}], totals={"y / x": "2 * x"}),
        one([3], "sum(x * x)", "2 * x[i]"), one([2, 3], "x * max(x, 0)", "2 * x", domain=[0.5, 2]),
        one([2], "softmax(x)", "y[i] * (eye(2)[i, j] - y[j])"), one([], "relu(x) + abs(x)", "2"),
    ]  # fmt: skip
    pixel = {"file": "tiny.toml", "pixel": [1, 1], "channel": {"a": 1}}
    bombs = [
        one([40, 40], "sum(x)", "1"), one([True], "sum(x)", "1"), one([], "relu(x)", "1", domain=[-1e308, 1e308]),
        one([2], "zeros(1e999)", "1"), one([], "softmax(x)", "1"), one([], "x^1e12", "1e12*x"),
        one([], "ones(1000,1000,1000)", "1"), one([2, 3], "sum(diag(x))", "1"), square(points=[{"x": 10**400}]),
        square(points=[{"x": Raw("[" * 300 + "1" + "]" * 300)}]), {"scene": pixel, "totals": {"pixel_r / a.x": "1"}},
        MARK + b"[inputs]\nx = {}\n[definitions]\ny = 'x^2'\n[partials]\n'y / x' = '2*x'", DOTS,
    ]  # fmt: skip
    return files, bombs


def _levels(shape, most=255, seed=0):
    return np.random.default_rng(seed).integers(0, most, shape)


def pngs(depth):
    """Gray and RGB, with a transparent color that does not occur, and both with an alpha that is full."""
    files = []
    for channels, color in ((1, 0), (2, 4), (3, 2), (4, 6)):
        most = 2**depth - 1
        levels = _levels((HEIGHT, WIDTH, channels), most)
        if channels in (2, 4):
            levels[..., -1] = most
        key = {1: [b"tRNS" + most.to_bytes(2)], 3: [b"tRNS" + most.to_bytes(2) * 3]}.get(channels, [])
        head = b"IHDR" + np.array([WIDTH, HEIGHT], ">u4").tobytes() + bytes([depth, color, 0, 0, 0])
        rows = levels.astype(f">u{depth // 8}").reshape(HEIGHT, -1)
        body = b"IDAT" + b"".join(bytes([y % 5]) + row.tobytes() for y, row in enumerate(rows))
        files.append(pieces.join_png([head, b"tEXtTitle\0a picture", *key, body, b"IEND"]))
    return files


def jpegs():
    """Gray and RGB, baseline and progressive, with orientation, restarts and a comment."""
    options = ({}, {"progressive": True}, {"subsampling": 2}, {"restart_marker_blocks": 1, "comment": b"words"})
    exif = pillow.Exif()
    exif[0x0112] = 6
    files = []
    for shape, more in zip(((8, 8), (20, 17, 3), (9, 30, 3), (16, 16, 3)), options, strict=True):
        file = io.BytesIO()
        pillow.fromarray(_levels(shape).astype(np.uint8)).save(file, "JPEG", exif=exif, **more)
        files.append(file.getvalue())
    return files


def npys():
    files = []
    for shape, kind in (((5, 6, 3), "f8"), ((5, 6), "f4"), ((1, 2, 3), ">f2"), ((4, 7, 3), "u1"), ((5, 6), ">u2")):
        file = io.BytesIO()
        np.save(file, (_levels(shape) / (1 if "u" in kind else 255)).astype(kind))
        files.append(file.getvalue())
    return files


def tiffs():
    """Gray, RGB and RGBA of 8 bits, gray of 16 and of floats, in all compressions; one with what a camera says."""
    exif = pillow.Exif()
    exif.get_ifd(0x8769)[0xA405] = 35
    exif[0x0112] = 6
    files = []
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        for levels in (_levels((9, 7)).astype(np.uint8), _levels((9, 7, 3)).astype(np.uint8),
                       _levels((9, 7)).astype(np.uint16), _levels((9, 7)).astype(np.float32)):  # fmt: skip
            file = io.BytesIO()
            # libtiff, which compresses, writes no table of a camera's.
            more = {"exif": exif.tobytes()} if compression == "raw" else {}
            pillow.fromarray(levels).save(file, "TIFF", compression=compression, **more)
            files.append(file.getvalue())
    file = io.BytesIO()
    opaque = np.dstack([_levels((9, 7, 3)), np.full((9, 7), 255)]).astype(np.uint8)
    pillow.fromarray(opaque).save(file, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    return [*files, file.getvalue()]


def webps():
    """With loss and without, opaque and not."""
    files = []
    for channels, more in ((3, {}), (3, {"lossless": True}), (4, {}), (4, {"lossless": True})):
        file = io.BytesIO()
        pillow.fromarray(_levels((13, 18, channels)).astype(np.uint8)).save(file, "WEBP", **more)
        files.append(file.getvalue())
    return files


def tgas():
    """Gray, RGB and RGBA, plain and in runs."""
    files = []
    for shape in ((9, 7), (9, 7, 3), (9, 7, 4)):
        for compression in (None, "tga_rle"):
            file = io.BytesIO()
            pillow.fromarray(_levels(shape).astype(np.uint8)).save(file, "TGA", compression=compression)
            files.append(file.getvalue())
    return files


def exrs(folder):
    """In all compressions, RGB and gray, half and float, some in tiles; none without the package OpenEXR."""
    try:
        import OpenEXR
    except ImportError:
        return []
    files = []
    for at, code in enumerate(("NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB")):
        head = {"compression": getattr(OpenEXR, f"{code}_COMPRESSION"), "type": OpenEXR.scanlineimage}
        if at % 3 == 2:
            head |= {"type": OpenEXR.tiledimage, "tiles": OpenEXR.TileDescription()}
        values = (_levels((37, 21, 3), seed=at) / 255).astype(np.float32 if at % 2 else np.float16)
        channels = {"RGB": values} if at % 4 else {"Y": np.ascontiguousarray(values[..., 0])}
        OpenEXR.File(head, channels).write(str(folder / "made.exr"))
        files.append((folder / "made.exr").read_bytes())
    return files
