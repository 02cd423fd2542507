"""For each format how to alter a file, and what a user would do with it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

import diffrt
from diffrt.compiler import code_cache
from diffrt.fitting import make_problem, solve
from diffrt.fitting.journal import NAME, Entry, open_journal
from diffrt.fitting.reading import read_problem
from diffrt.image import png_bytes
from diffrt.marking import load_derivation
from diffrt.photograph import read_photograph

from . import corpus, pieces, trees


class Wrong(Exception):
    """An answer that is false."""


@dataclass(frozen=True)
class Format:
    """A format of files.

    files: to begin with, all right; some with a fault stand in bombs. alter(rng, file): the bytes of another one.
    run(data, file, folder): does with it what a user would; gives the text that the user sees, and raises Wrong.
    """

    name: str
    files: list
    alter: Callable
    run: Callable
    bombs: list = field(default_factory=list)


def formats(folder):
    """All formats by name. folder: where files that others refer to are put."""
    subject = diffrt.load_scene(corpus.ROOT / "scenes/tiny.toml")
    image = np.asarray(diffrt.render(subject, engine="numpy", tolerance=1.0))
    subject.save(folder / "tiny.toml")
    (folder / "target.png").write_bytes(png_bytes(image))
    (folder / "mask.png").write_bytes(png_bytes(np.ones_like(image)))
    np.save(folder / "target.npy", image)
    made = [
        _text("scene", _render, *corpus.scenes()),
        _text("fit", _fit, *corpus.fits()),
        _text("derivation", lambda path: str(load_derivation(path).mark()), *corpus.derivations()),
        _picture("png8", ".png", corpus.pngs(8), pieces.split_png, pieces.join_png),
        _picture("png16", ".png", corpus.pngs(16), pieces.split_png, pieces.join_png),
        _picture("jpeg", ".jpg", corpus.jpegs(), pieces.split_jpeg, pieces.join_jpeg),
        _picture("tiff", ".tif", corpus.tiffs(), None, None),
        _picture("webp", ".webp", corpus.webps(), pieces.split_webp, pieces.join_webp),
        _picture("tga", ".tga", corpus.tgas(), None, None),
        _picture("npy", ".npy", corpus.npys(), pieces.split_npy, pieces.join_npy),
        _picture("exr", ".exr", corpus.exrs(folder), pieces.split_exr, pieces.join_exr),
        _journal(make_problem(subject, image, ["lamp.position"]), folder),
        _cache(),
    ]
    return {each.name: each for each in made if each.files}


# Text.


def _text(name, use, files, bombs):
    def alter(rng, file):
        if isinstance(file, bytes):
            return pieces.alter(rng, file)
        text = trees.to_toml(trees.alter(rng, file)).encode()
        return pieces.alter(rng, text) if rng.random() < 0.15 else text

    def run(data, file, folder):
        path = folder / f"{name}.toml"
        path.write_bytes(data)
        return use(path)

    return Format(name, files, alter, run, bombs)


def _render(path):
    """A few pixels of a scene; its names."""
    scene = diffrt.load_scene(path)
    width, height = scene.camera.size
    scene = scene.replace(width=min(width, corpus.WIDTH), height=min(height, corpus.HEIGHT))
    _expect_finite(diffrt.render(scene, engine="numpy", tolerance=1.0))
    return "\n".join(parameter.path for parameter in scene.parameters())


def _fit(path):
    """The first steps of a fit."""
    problem = read_problem(path)
    settings = problem.settings
    few = replace(settings, cells=min(settings.cells, 2), iterations=min(settings.iterations, 2), levels=(), starts=1)
    return str(solve(replace(problem, settings=few)))


# Pictures.


def _picture(name, suffix, files, split, join):
    def run(data, file, folder):
        path = folder / f"picture{suffix}"
        path.write_bytes(data)
        _expect_finite(read_photograph(path).image)

    return Format(name, files, lambda rng, file: pieces.alter(rng, file, split, join), run)


def _expect_finite(image):
    if not np.isfinite(image).all():
        raise Wrong("an image with values that are not finite")


# What diffrt writes for itself.


def _journal(problem, folder):
    path = folder / NAME

    def told(data):
        path.write_bytes(data)
        journal = open_journal(problem, folder, True)
        rows = [(e.level, e.u.tobytes(), e.answer.tobytes(), e.seconds) for e in journal.entries]
        return rows, journal.ended

    def run(data, file, folder):
        if told(data) != told(file):
            raise Wrong("a journal was taken that holds what was never written")

    journal = open_journal(problem, folder, False)
    for number in range(4):
        values = np.random.default_rng(number).normal(size=3 + 17)
        journal.add(Entry(number // 2, values[:3], values[3:], number / 4))
    journal.end(1, {"loss": 0.5})
    file = path.read_bytes()
    return Format("journal", [file], lambda rng, file: pieces.alter(rng, file, pieces.split_zip, pieces.join_zip), run)


def _cache():
    """A file is the key of the cache, 32 bytes, and a program that was signed by it."""
    name, place = "0" * 64, code_cache.cache_folder()

    def split(data):
        return [data[:32], data[32:41], data[41:73], data[73:]]  # key, beginning, signature, program

    def run(data, file, folder):
        for each, held in (("key", data[:32]), (name, data[32:])):
            (place / each).write_bytes(held)
            (place / each).chmod(0o600)
        code_cache._place.cache_clear()
        if code_cache.read(name) != (data[73:] if data == file else None):
            raise Wrong("the cache gives an altered program, or not the one that it holds")

    code_cache._place.cache_clear()
    code_cache.write(name, bytes(range(256)))
    file = (place / "key").read_bytes() + (place / name).read_bytes()
    return Format("cache", [file], lambda rng, file: pieces.alter(rng, file, split, b"".join), run)
