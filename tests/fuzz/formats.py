"""For each format the files to begin with, how to alter one, and what to do with it."""

import io
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image as pillow

import diffrt
from diffrt.compiler import code_cache
from diffrt.explain import load_derivation
from diffrt.fit import make_problem, solve
from diffrt.fit.journal import NAME, Entry, fingerprint, open_journal
from diffrt.fit.reading import read_problem
from diffrt.image import png_bytes
from diffrt.photograph import read_photograph
from diffrt.scene.scene import Scene

from . import pieces, trees

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT = 6, 5
SUBJECT = diffrt.load_scene(ROOT / "scenes/tiny.toml")


@dataclass(frozen=True)
class Format:
    """A format of files.

    files: to begin with, all right; some with a fault stand in bombs. alter(rng, file): the bytes of another one.
    run(data, file, folder): does with it what a user would; gives the text that the user sees, and raises Wrong.
    """

    name: str
    suffix: str
    files: list
    alter: Callable
    run: Callable
    bombs: list = field(default_factory=list)


class Wrong(Exception):
    """An answer that is false."""


def formats(folder):
    """All formats by name. folder: where files that others refer to are put."""
    _write_companions(folder)
    made = [
        _toml("scene", *_scenes(), _run_scene),
        _toml("fit", *_fits(), _run_fit),
        _toml("derivation", *_derivations(), _run_derivation),
        _binary("png8", ".png", _pngs(8), pieces.split_png, pieces.join_png),
        _binary("png16", ".png", _pngs(16), pieces.split_png, pieces.join_png),
        _binary("jpeg", ".jpg", _jpegs(), pieces.split_jpeg, pieces.join_jpeg),
        _binary("npy", ".npy", _npys(), pieces.split_npy, pieces.join_npy),
        _binary("exr", ".exr", _exrs(folder), pieces.split_exr, pieces.join_exr),
        _binary("journal", ".npz", _journals(folder), pieces.split_zip, pieces.join_zip, _run_journal),
        _binary("cache", "", [_cached()], _split_cached, b"".join, _run_cached),
    ]
    return {each.name: each for each in made if each.files}


def _toml(name, files, bombs, run):
    def alter(rng, file):
        if isinstance(file, bytes):
            return pieces.alter(rng, file)
        text = trees.to_toml(trees.alter(rng, file)).encode()
        return pieces.alter(rng, text) if rng.random() < 0.15 else text

    def write(data, file, folder):
        (folder / f"{name}.toml").write_bytes(data)
        return run(folder / f"{name}.toml")

    return Format(name, ".toml", files, alter, write, bombs)


def _binary(name, suffix, files, split, join, run=None):
    def read(data, file, folder):
        path = folder / f"picture{suffix}"
        path.write_bytes(data)
        _expect_finite(read_photograph(path).image)

    return Format(name, suffix, files, lambda rng, file: pieces.alter(rng, file, split, join), run or read)


def _expect_finite(image):
    if not np.isfinite(image).all():
        raise Wrong("an image with values that are not finite")


def _shipped(pattern):
    return [tomllib.loads(path.read_text()) for path in sorted(ROOT.glob(pattern))]


# Text.


def _scenes():
    bombs = [
        b"a." * 200_000 + b"b = 1", b"\xef\xbb\xbf" + (ROOT / "scenes/tiny.toml").read_bytes(), b"a = " + b"[" * 5000,
        b"reflection_depth = " + b"9" * 5000, b'"\\u001b[2J" = 1\n"\\n" = 2', b"a = 1979-13-01", b"\x00", b"",
    ]  # fmt: skip
    return _shipped("scenes/*.toml") + _shipped("examples/recover/*/scene.toml"), bombs


def _run_scene(path):
    document = diffrt.load_scene(path).document
    camera = document.camera
    small = {"width": min(camera.width, WIDTH), "height": min(camera.height, HEIGHT)}
    scene = Scene(document.model_copy(update={"camera": camera.model_copy(update=small)}))
    _expect_finite(diffrt.render(scene, engine="numpy"))
    return "\n".join(parameter.path for parameter in scene.parameters()) + str(scene.names)


def _fits():
    camera = {"position": [5.5, 1.5, 0.5], "target": [0.0, 0.7, 0.0], "fov": 30.0, "width": 4, "height": 3}
    begin = {"scene": "tiny.toml", "target": "target.png"}
    files = [
        {**begin, "free": ["lamp.position", "ball.*"]},
        {"scene": "tiny.toml", "target": "target.npy", "encoding": "linear", "mask": "mask.png", "exposure": True,
         "white_balance": True, "free": ["ball.center.x"], "cells": 2, "method": "L-BFGS-B", "loss": "huber", "scale": 0.1,
         "space": "srgb", "iterations": 3, "levels": [2.0, 1.0], "starts": 2, "refine": 1, "seed": 3},
        {**begin, "free": {"lamp.position": {"start": [-1, 3, 2], "lower": [-10, 0, -10], "upper": 10},
                           "lamp.intensity.r": {"start": 15, "positive": True}},
         "ties": {"lamp.intensity.g": "lamp.intensity.r", "lamp.intensity.b": "lamp.intensity.r"}},
        {"scene": "tiny.toml", "free": ["ball.center", "side.camera.position"],
         "views": {"front": {"target": "target.png"}, "side": {"target": "target.npy", "camera": camera}}},
    ]  # fmt: skip
    bombs = [
        {**begin, "free": {"ball.center": {"start": 10**400}}}, {**begin, "free": ["ball.center"], "levels": [5e-324]},
        {**begin, "free": ["ball.center"], "levels": [1.0] * 5000}, {**begin, "free": ["x\x1b[2J\n"], "seed": 10**400},
        b"\xef\xbb\xbfscene = 'tiny.toml'\ntarget = 'target.png'\nfree = ['ball.center']", b"free." * 200_000 + b"a = 1",
    ]  # fmt: skip
    return files, bombs


def _run_fit(path):
    problem = read_problem(path)
    few = problem.settings
    few = replace(few, cells=min(few.cells, 2), iterations=min(few.iterations, 2), levels=(), starts=1)
    return str(solve(replace(problem, settings=few)))


def _derivations():
    shipped = _shipped("examples/lecture/*.toml")
    for tree in shipped:
        if "scene" in tree:
            tree["scene"]["file"] = "tiny.toml"

    def square(**more):
        return {"inputs": {"x": {}}, "definitions": {"y": "x^2"}, "partials": {"y / x": "2 * x"}, **more}

    def one(shape, formula, claim, **domain):
        return {
            "inputs": {"x": {"shape": shape, **domain}},
            "definitions": {"y": formula},
            "partials": {"y / x": claim},
        }

    files = [
        *shipped,
        square(),
        square(output="y", points=[{"x": 0.5}, {"x": 0}], totals={"y / x": "2 * x"}),
        one([3], "sum(x * x)", "2 * x[i]"),
        one([2, 3], "x * max(x, 0)", "2 * x", domain=[0.5, 2]),
        one([2], "softmax(x)", "y[i] * (eye(2)[i, j] - y[j])"),
        one([], "relu(x) + abs(x)", "2"),
    ]
    bombs = [
        one([40, 40], "sum(x)", "1"), one([True], "sum(x)", "1"),
        one([], "relu(x)", "1", domain=[-1e308, 1e308]), one([2], "zeros(1e999)", "1"), one([], "softmax(x)", "1"),
        one([], "x^1e12", "1e12*x"), one([], "ones(1000,1000,1000)", "1"), one([2, 3], "sum(diag(x))", "1"),
        square(points=[{"x": trees.Raw("[" * 300 + "1" + "]" * 300)}]), square(points=[{"x": 10**400}]),
        {"scene": {"file": "tiny.toml", "pixel": [1, 1], "channel": {"a": 1}}, "totals": {"pixel_r / lamp.position.y": "1"}},
        b"\xef\xbb\xbf[inputs]\nx = {}\n[definitions]\ny = 'x^2'\n[partials]\n'y / x' = '2*x'", b"a." * 200_000 + b"b = 1",
    ]  # fmt: skip
    return files, bombs


def _run_derivation(path):
    return str(load_derivation(path).mark())


# Pictures.


def _levels(shape, most=255, seed=0):
    return np.random.default_rng(seed).integers(0, most, shape).astype(np.uint8 if most < 256 else np.uint16)


def _pngs(depth):
    def png(channels):
        color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
        levels = _levels((HEIGHT, WIDTH, channels), 2**depth - 1)
        if channels in (2, 4):
            levels[..., -1] = 2**depth - 1
        rows = levels.astype(f">u{depth // 8}").reshape(HEIGHT, -1)
        head = np.array([WIDTH, HEIGHT], ">u4").tobytes() + bytes([depth, color, 0, 0, 0])
        body = b"".join(bytes([y % 5]) + row.tobytes() for y, row in enumerate(rows))
        clear = {1: [b"tRNS" + bytes([0, 7])], 3: [b"tRNS" + bytes(6)]}.get(channels, [])
        text = b"tEXtTitle\0a picture"
        return pieces.join_png([b"IHDR" + head, text, *clear, b"IDAT" + body[:9] + body[9:], b"IEND"])

    return [png(channels) for channels in (1, 2, 3, 4)]


def _jpegs():
    files = []
    for shape, options in (((8, 8), {}), ((20, 17, 3), {"progressive": True}), ((9, 30, 3), {"subsampling": 2}),
                           ((16, 16, 3), {"restart_marker_blocks": 1, "comment": b"words"})):  # fmt: skip
        exif = pillow.Exif()
        exif[0x0112] = 6
        file = io.BytesIO()
        pillow.fromarray(_levels(shape)).save(file, "JPEG", exif=exif, **options)
        files.append(file.getvalue())
    return files


def _npys():
    files = []
    for shape, kind in (((5, 6, 3), "f8"), ((5, 6), "f4"), ((1, 2, 3), ">f2")):
        file = io.BytesIO()
        np.save(file, (_levels(shape) / 255).astype(kind))
        files.append(file.getvalue())
    return files


def _exrs(folder):
    try:
        import OpenEXR
    except ImportError:
        return []
    files = []
    codes = ("NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB")
    for at, code in enumerate(codes):
        kind = getattr(OpenEXR, f"{code}_COMPRESSION")
        head = {"compression": kind, "type": OpenEXR.tiledimage if at % 3 == 2 else OpenEXR.scanlineimage}
        if at % 3 == 2:
            head["tiles"] = OpenEXR.TileDescription()
        values = (_levels((37, 21, 3), seed=at) / 255).astype(np.float32 if at % 2 else np.float16)
        channels = {"RGB": values} if at % 4 else {"Y": np.ascontiguousarray(values[..., 0])}
        OpenEXR.File(head, channels).write(str(folder / "made.exr"))
        files.append((folder / "made.exr").read_bytes())
    return files


# What diffrt writes for itself.


def _problem():
    return make_problem(SUBJECT, np.asarray(diffrt.render(SUBJECT, engine="numpy")), ["lamp.position"])


def _journals(folder):
    _, answer = 3, (3 + 1) ** 2 + 1
    journal = open_journal(_problem(), folder, False)
    for number in range(4):
        values = np.random.default_rng(number).normal(size=3 + answer)
        journal.add(Entry(number // 2, values[:3], values[3:], number / 4))
    journal.end(1, {"loss": 0.5})
    data = (folder / NAME).read_bytes()
    journal.remove()
    return [data]


def _run_journal(data, file, folder):
    problem = _run_journal.problem = getattr(_run_journal, "problem", None) or _problem()
    (folder / NAME).write_bytes(data)
    taken = open_journal(problem, folder, True)
    (folder / NAME).write_bytes(file)
    written = open_journal(problem, folder, True)
    if _told(taken) != _told(written):
        raise Wrong("a journal was taken that holds what was never written")


def _told(journal):
    rows = [(e.level, e.u.tobytes(), e.answer.tobytes(), np.float64(e.seconds).tobytes()) for e in journal.entries]
    return rows, journal.ended, journal.print


CODE_NAME = "0" * 64


def _cached():
    """The key of the cache, and a file that it signed."""
    code_cache._place.cache_clear()
    code_cache.write(CODE_NAME, bytes(range(256)) * 2)
    folder = code_cache.cache_folder()
    return (folder / "key").read_bytes() + (folder / CODE_NAME).read_bytes()


def _split_cached(data):
    return [data[:32], data[32:41], data[41:73], data[73:]]


def _run_cached(data, file, folder):
    place = code_cache.cache_folder()
    for name, held in (("key", data[:32]), (CODE_NAME, data[32:])):
        (place / name).write_bytes(held)
        (place / name).chmod(0o600)
    code_cache._place.cache_clear()
    found = code_cache.read(CODE_NAME)
    if data == file and found != data[73:]:
        raise Wrong("the cache does not give what it holds")
    if data != file and found is not None:
        raise Wrong("the cache gives an altered file")


def _write_companions(folder):
    image = np.asarray(diffrt.render(SUBJECT, engine="numpy"))
    (folder / "tiny.toml").write_bytes((ROOT / "scenes/tiny.toml").read_bytes())
    (folder / "target.png").write_bytes(png_bytes(image))
    (folder / "mask.png").write_bytes(png_bytes(np.ones_like(image)))
    np.save(folder / "target.npy", image)
