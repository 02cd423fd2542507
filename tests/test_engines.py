"""The engines on whole scenes: the same cells and cuts, the same image, the same derivatives."""

import numpy as np
import pytest
from test_edges import shipped

from diffrt.autograd import Var, variable
from diffrt.compiler import REFERENCE, Engine, compiled
from diffrt.tracer import jacobian, render
from diffrt.tracer.renderer import Settings, find_topology
from diffrt.tracer.tables import build_tables
from diffrt.tracer.window import Part, window_of

SIZES = {"still_life": (24, 18), "tiny": None, "workshop": (12, 9)}
LONG = {"gallery": (12, 9), "mirrors": (20, 15)}


def scene_of(name, size):
    return shipped(name) if size is None else shipped(name, *size)


def gradient(scene, **how):
    names = [p.path for p in scene.parameters()]
    v = variable(scene.pack(names))
    image = render(scene.unpack(names, v), **how)
    image.backward(np.random.default_rng(0).random(image.shape))
    return image.value, v.grad


def compare(name, size):
    scene = scene_of(name, size)
    tables = build_tables(scene)
    prints = [
        find_topology(tables, window_of(scene, Part()), Settings(), engine).fingerprint(scene.camera.width)
        for engine in (REFERENCE, Engine("llvm"))
    ]
    assert np.array_equal(*prints)
    (expected, slopes), (found, mine) = (gradient(scene, engine=name) for name in ("numpy", "llvm"))
    assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()
    assert np.abs(mine - slopes).max() <= 1e-10 * np.abs(slopes).max()


@pytest.mark.parametrize("name", SIZES)
def test_scene_is_the_same_on_both_engines(name):
    compare(name, SIZES[name])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", LONG)
def test_larger_scene_is_the_same_on_both_engines(name):
    compare(name, LONG[name])


def test_jacobian_is_the_same_on_both_engines():
    scene = scene_of("still_life", (32, 24))
    names = ["lamp.position", "ball.center", "ball.radius", "floor.material.albedo", "camera.fov"]
    expected, found = (jacobian(scene, names, engine=name) for name in ("numpy", "llvm"))
    assert np.abs(found - expected).max() <= 1e-10 * np.abs(expected).max()


def test_the_bits_of_a_render_do_not_depend_on_the_threads(monkeypatch):
    monkeypatch.setattr(compiled, "ALONE", 0)
    scene = scene_of("still_life", None)
    (first, slopes), *others = (gradient(scene, threads=n) for n in (1, 2, 5, 2))
    for image, slope in others:
        assert image.tobytes() == first.tobytes() and slope.tobytes() == slopes.tobytes()


def test_float32_shades_near_float64_on_the_same_cells():
    scene = scene_of("still_life", None)
    exact, short = (render(scene, dtype=dtype) for dtype in ("float64", "float32"))
    assert np.abs(short - exact).max() < 1e-5 * np.abs(exact).max()


def ops_of(x):
    """The names of the ops that a Var is made by."""
    pending, seen = [x], {}
    while pending:
        each = pending.pop()
        if isinstance(each, Var) and each.op and each.serial not in seen:
            seen[each.serial] = each.op.name
            pending += each.inputs
    return set(seen.values())


@pytest.mark.parametrize(
    ("name", "size", "edges"),
    [
        ("still_life", (6, 5), "exact"),
        ("tiny", None, "exact"),
        ("tiny", None, "ignore"),
        ("tiles", (3, 2), "ignore"),
        pytest.param("tiles", (3, 2), "exact", marks=pytest.mark.slow),
        pytest.param("still_life", (12, 9), "exact", marks=pytest.mark.slow),
    ],
)
def test_the_graph_holds_the_ops_of_kernels_and_no_kernel(name, size, edges):
    """Its image and its derivative are those of the reference."""
    scene = scene_of(name, size)
    (expected, slopes), (found, mine) = (gradient(scene, engine=e, edges=edges) for e in ("numpy", "graph"))
    assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()
    assert np.abs(mine - slopes).max() <= 1e-10 * np.abs(slopes).max()
    freed = scene.replace({p.path: variable(scene[p.path]) for p in scene.parameters()[:9]})
    by_kernel, by_op = (ops_of(render(freed, engine=e, edges=edges)) for e in ("numpy", "graph"))
    assert "kernel" in by_kernel - by_op
    assert "maximum" in by_op - by_kernel  # of the cosine of a light


def test_the_report_names_the_engine():
    scene = scene_of("tiny", None)
    for name in ("llvm", "numpy", "graph"):
        report = render(scene, engine=name).report
        assert report.engine == name and f"engine {name}" in str(report)
