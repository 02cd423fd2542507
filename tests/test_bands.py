"""A large image in bands: the same image, derivatives and report as in one piece."""

import numpy as np
import pytest

import diffrt
from diffrt import autograd
from diffrt.compiler import choose_engine
from diffrt.tracer import bands
from diffrt.tracer.renderer import Settings, render_part
from diffrt.tracer.window import Part, window_of

NAMES = ["lamp.position", "ball.center.x", "camera.position.y"]


@pytest.fixture
def in_small_bands(monkeypatch):
    """Calls a function with images of more than 4096 cells in bands of 32 rows."""

    def call(function):
        with monkeypatch.context() as patched:
            patched.setattr(bands, "LARGE", 1 << 11)
            return function()

    return call


@pytest.fixture
def scene():
    return diffrt.load_scene("scenes/still_life.toml").replace(width=80, height=112)


def gradient(scene, **how):
    v = autograd.variable(scene.pack(NAMES))
    image = diffrt.render(scene.unpack(NAMES, v), **how)
    autograd.sum(image * image).backward()
    return image, v.grad


def test_a_window_is_cut_where_blocks_begin(scene, in_small_bands):
    view = scene.replace(crop=(20, 40, 60, 70))
    window = window_of(view, Part())
    found = in_small_bands(lambda: bands.bands_of(window, 1))
    assert [each.size for each in found] == [(window.size[0], 32), (window.size[0], 32), (window.size[0], 14)]
    assert [each.top for each in found] == [-8, 24, 56] and bands.bands_of(window, 1) == [window]
    assert sum(each.pixels.sum() for each in found) == 60 * 70


@pytest.mark.parametrize("how", [{}, {"edges": "ignore"}], ids=["exact", "points"])
def test_image_gradient_and_report_are_those_of_one_piece(scene, in_small_bands, how):
    (image, expected), (banded, found) = gradient(scene, **how), in_small_bands(lambda: gradient(scene, **how))
    assert banded.op.name == "bands" != image.op.name
    assert banded.value == pytest.approx(image.value, rel=1e-11, abs=1e-14)
    assert found == pytest.approx(expected, rel=1e-10)
    for name in ("samples", "without_derivative", "doubted", "edges"):
        assert getattr(banded.report, name) == getattr(image.report, name), name
    assert 0 <= banded.report.crossings - image.report.crossings < 10  # on borders of bands they count twice
    if not how:
        assert banded.report.where == pytest.approx(image.report.where)
        assert banded.report.without_derivative == 0 < banded.report.crossings


def test_the_bits_do_not_depend_on_threads(scene, in_small_bands):
    results = [in_small_bands(lambda threads=threads: gradient(scene, threads=threads)) for threads in (1, 2, 5)]
    for image, slope in results[1:]:
        assert image.value.tobytes() == results[0][0].value.tobytes()
        assert slope.tobytes() == results[0][1].tobytes()


def test_forward_mode_and_a_derivative_of_a_derivative(scene, in_small_bands):
    assert in_small_bands(lambda: diffrt.jacobian(scene, NAMES)) == pytest.approx(
        np.asarray(diffrt.jacobian(scene, NAMES)), rel=1e-9, abs=1e-12
    )

    def bright(v):
        return autograd.sum(diffrt.render(scene.unpack(NAMES, v)) ** 2)

    at, along = scene.pack(NAMES), np.array([0.3, -0.2, 0.5, 0.1, 0.4])
    expected, found = autograd.hvp(bright, at, along), in_small_bands(lambda: autograd.hvp(bright, at, along))
    assert found == pytest.approx(expected, rel=1e-8)


def test_a_crop_of_which_some_pixels_are_asked_for(scene, in_small_bands):
    view = scene.replace(crop=(20, 40, 60, 70))
    asked = np.random.default_rng(3).random((70, 60)) < 0.4
    part = Part(pixels=asked)
    image, banded = (
        call(lambda: render_part(view, part, Settings(), choose_engine())) for call in (lambda f: f(), in_small_bands)
    )
    assert np.asarray(banded)[asked] == pytest.approx(np.asarray(image)[asked], rel=1e-11, abs=1e-14)


@pytest.mark.parametrize("edges", ["exact", "ignore"])
def test_single_precision_stays_single(scene, in_small_bands, edges):
    image, banded = (
        call(lambda: diffrt.render(scene, dtype="float32", edges=edges)) for call in (lambda f: f(), in_small_bands)
    )
    assert banded.dtype == image.dtype == np.float32
    assert np.asarray(banded) == pytest.approx(np.asarray(image), abs=2e-4)
