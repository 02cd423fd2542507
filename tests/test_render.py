"""The image is right, and its derivative is that of the image wherever no edge moves over a sample."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import diffrt.autograd as ag
from diffrt.compiler import REFERENCE, Engine, Segments, kernel
from diffrt.errors import InputError
from diffrt.image import Image
from diffrt.kinds import (
    AmbientLight,
    Disk,
    Lambert,
    Mirror,
    Perspective,
    Plane,
    Rectangle,
    Sphere,
    Triangle,
)
from diffrt.scene import Scene, load_scene
from diffrt.tracer import jacobian, render
from diffrt.tracer.tables import build_tables
from diffrt.tracer.visibility import Visibility

ROOT = Path(__file__).parents[1]
SCENES = sorted(path.stem for path in (ROOT / "scenes").glob("*.toml"))
LARGE = ("gallery", "solids", "stage", "tiles")


def shipped(name: str, width: int | None = None, height: int | None = None) -> Scene:
    """A scene that ships, with a smaller image if sizes are given."""
    return load_scene(ROOT / "scenes" / f"{name}.toml").replace(width=width, height=height)


def signatures(scene: Scene) -> np.ndarray:
    """What each pixel's centre meets, as one row of numbers per pixel."""
    width, height = scene.camera.width, scene.camera.height
    x, y = np.tile(np.arange(width) + 0.5, height), np.repeat(np.arange(height) + 0.5, width)
    view = Visibility(build_tables(scene).plain(), REFERENCE)
    labels = view.signature_ids(x, y)
    found = view.signatures[labels]
    return np.concatenate([found.face, found.side, found.lit]).T


def differences(scene: Scene, path: str) -> tuple[np.ndarray, np.ndarray]:
    """Richardson-extrapolated central differences by one number, and the pixels that they can judge.

    These are the pixels whose signature stays, and whose two difference quotients agree: a surface that turns
    away from a light within the step has a kink there, and no difference converges. A derivative that is
    wrong has quotients that agree like any other, so it cannot hide here.
    """
    at = float(scene[path])
    step = 1e-4 * max(1.0, abs(at))
    parameter = scene.parameter(path)
    if at + step > parameter.maximum or at - step < parameter.minimum:
        step = 0.25 * min(parameter.maximum - at, at - parameter.minimum)
    steady = np.ones(scene.camera.width * scene.camera.height, bool)
    quotients = []
    for h in (step, 0.5 * step):
        sides = [scene.replace({path: at + sign * h}) for sign in (1.0, -1.0)]
        for side in sides:
            steady &= (signatures(side) == signatures(scene)).all(axis=1)
        plus, minus = (np.asarray(render(side, edges="ignore")) for side in sides)
        quotients.append((plus - minus) / (2.0 * h))
    converged = np.abs(quotients[1] - quotients[0]).max(-1) <= 1e-5 * np.abs(quotients[1]).max() + 1e-9
    steady = steady.reshape(converged.shape)
    return (4.0 * quotients[1] - quotients[0]) / 3.0, steady & converged


def test_still_life_agrees_with_an_image_that_diffrt_did_not_make():
    target = np.load(ROOT / "examples/still_life/target_linear.npy")
    image = render(shipped("still_life"), cells=8, edges="ignore")
    assert isinstance(image, Image)
    assert np.linalg.norm(image - target) / np.linalg.norm(target) < 0.005


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n for n in SCENES])
def test_derivative_by_every_parameter_agrees_with_differences_where_no_edge_moves(name):
    scene = shipped(name) if name == "tiny" else shipped(name, 32, 24)
    paths = scene.components([p.path for p in scene.parameters()])
    exact = jacobian(scene, paths, edges="ignore")
    seen = 0
    for i, path in enumerate(paths):
        at, parameter = float(scene[path]), scene.parameter(path)
        if at in (parameter.minimum, parameter.maximum):  # there is no other side to take a difference from
            continue
        expected, steady = differences(scene, path)
        assert steady.mean() > 0.5, path
        size = np.linalg.norm(expected[steady])
        error = np.linalg.norm(exact[..., i][steady] - expected[steady])
        if size > 1e-9:
            assert error < 1e-6 * size, path
            seen += 1
        else:
            assert error < 1e-9, path
    assert seen > 0.4 * len(paths)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in ("stage", "solids") else ()) for name in SCENES]
)
def test_reverse_mode_agrees_with_forward_mode(name):
    scene = shipped(name) if name == "tiny" else shipped(name, 40, 30)
    paths = scene.components([p.path for p in scene.parameters()])
    free = ag.variable(scene.pack(paths))
    image = render(scene.unpack(paths, free), cells=2)
    weights = np.random.default_rng(1).normal(size=image.shape)
    ag.sum(image * weights).backward()
    expected = np.einsum("abc,abcn->n", weights, jacobian(scene, paths, cells=2))
    assert np.abs(free.grad - expected).max() < 1e-11 * np.abs(expected).max()


def test_hessian_of_an_image_loss_of_points_agrees_with_differences_of_the_gradient():
    scene = shipped("tiny")
    names = ["lamp.position", "ball.center"]

    def loss(v):
        image = render(scene.unpack(names, v), edges="ignore")
        return ag.sum(image * image)

    at = scene.pack(names)
    expected = np.zeros((6, 6))
    for i, e in enumerate(np.eye(6)):
        steps = [ag.grad(loss)(at + h * e) - ag.grad(loss)(at - h * e) for h in (1e-3, 5e-4)]
        expected[i] = (4.0 * steps[1] / 1e-3 - steps[0] / 2e-3) / 3.0
    found = ag.hessian(loss)(at)
    assert np.linalg.norm(found - expected) < 1e-7 * np.linalg.norm(expected)
    assert np.allclose(ag.hvp(loss, at, np.arange(6.0)), found @ np.arange(6.0), rtol=1e-10)


def test_whole_and_component_variables_give_the_same_derivative():
    scene = shipped("still_life")
    lamp, x = ag.variable([2.0, 4.0, 3.0]), ag.variable(2.0)
    ag.sum(render(scene.replace({"lamp.position": lamp}))).backward()
    ag.sum(render(scene.replace({"lamp.position.x": x}))).backward()
    assert lamp.grad[0] == pytest.approx(x.grad, rel=1e-12)


def test_bits_do_not_change_from_run_to_run():
    scene = shipped("gallery")
    assert np.array_equal(render(scene), render(scene))
    names = ["camera.position", "lamp.position"] if "lamp" in scene.lights else ["camera.position"]
    assert np.array_equal(jacobian(scene, names), jacobian(scene, names))


@pytest.mark.parametrize("cells", [0, 65, 1.5, True, "2"])
def test_impossible_cells_are_refused(cells):
    with pytest.raises(InputError, match="cells: found"):
        render(shipped("tiny"), cells=cells)


def test_a_scene_without_shapes_or_lights_is_black():
    camera = Perspective((0, 0, 5), (0, 0, 0), fov=40, width=4, height=3)
    assert not render(Scene(camera)).any()
    scene = Scene(camera, {"ball": Sphere((0, 0, 0), 1, Lambert(1))})
    assert not render(scene).any()
    assert not jacobian(scene, ["ball.center"]).any()


def test_facing_mirrors_end_at_the_reflection_depth():
    scene = Scene(
        camera=Perspective((0, 0, 0), (0, 0, -1), fov=1, width=1, height=1),
        shapes={"front": Plane((0, 0, -1), (0, 0, 1), Mirror(0.5)), "back": Plane((0, 0, 1), (0, 0, -1), Lambert(1))},
        lights={"sky": AmbientLight(1)},
    )
    assert render(scene.replace(reflection_depth=0)).max() == 0.0
    assert render(scene.replace(reflection_depth=1)) == pytest.approx(0.5)


# Shapes: where rays meet them, in closed form.
COLUMN = np.array([[0.0], [0.0], [1.0]])
CASES = {
    "sphere": (Sphere(np.zeros((3, 1)), np.array([2.0])), [0.0, 0.0, 5.0], [0.0, 0.0, -1.0], 3.0),
    "plane": (Plane(np.zeros((3, 1)), 2.0 * COLUMN), [1.0, 0.0, 3.0], [0.6, 0.0, -0.8], 3.75),
    "rectangle": (
        Rectangle(np.zeros((3, 1)), COLUMN, np.array([[0.0], [3.0], [1.0]]), np.array([2.0]), np.array([1.0])),
        [0.9, 0.4, 2.0], [0.0, 0.0, -1.0], 2.0,
    ),
    "disk": (Disk(np.zeros((3, 1)), -COLUMN, np.array([1.0])), [0.6, 0.7, 2.0], [0.0, 0.0, -1.0], 2.0),
    "triangle": (
        Triangle(np.zeros((3, 1)), np.array([[1.0], [0.0], [0.0]]), np.array([[0.0], [1.0], [0.0]])),
        [0.3, 0.6, 2.0], [0.0, 0.0, -1.0], 2.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_a_ray_meets_a_shape_where_geometry_says(kind):
    shape, origin, direction, distance = CASES[kind]
    o, d = np.array(origin)[:, None], np.array(direction)[:, None]
    side = np.sign(shape.side(o))
    t, inside = shape.intersect(o, d, side)
    assert inside[0] > 0.0
    assert t[0] == pytest.approx(distance, rel=1e-14)
    n = shape.normal_at(o + t * d, side)
    assert np.sum(n * n) == pytest.approx(1.0, rel=1e-14)
    assert np.sum(n * d) < 0.0, "the normal is on the side that the ray came from"


@pytest.mark.parametrize(
    ("kind", "miss"),
    [("sphere", [0, 2.001, 5]), ("rectangle", [1.001, 0, 2]), ("rectangle", [0, 0.501, 2]), ("disk", [0.8, 0.61, 2]),
     ("triangle", [0.6, 0.41, 2])],
)  # fmt: skip
def test_a_ray_just_beside_a_shape_misses_with_a_finite_distance(kind, miss):
    shape = CASES[kind][0]
    o, d = np.array(miss, float)[:, None], np.array([[0.0], [0.0], [-1.0]])
    with np.errstate(invalid="ignore"):  # as the kernels do
        t, inside = shape.intersect(o, d, np.sign(shape.side(o)))
    assert inside[0] < 0.0
    assert np.isfinite(t[0])


def test_from_inside_a_ball_the_far_side_is_met():
    ball = CASES["sphere"][0]
    o, d = np.array([[0.5], [0.0], [0.0]]), np.array([[1.0], [0.0], [0.0]])
    side = np.sign(ball.side(o))
    t, _ = ball.intersect(o, d, side)
    assert side[0] == -1.0
    assert t[0] == pytest.approx(1.5)
    assert ball.normal_at(o + t * d, side)[:, 0] == pytest.approx([-1.0, 0.0, 0.0])


def _poly(setting, a, b, x):
    return ag.stack([a * x * x + b, ag.sin(b * x)])


@pytest.mark.parametrize("engine", [REFERENCE, Engine("llvm", 2)], ids=["numpy", "llvm"])
def test_a_kernel_is_an_op_like_any_other_over_many_chunks(engine):
    rng = np.random.default_rng(3)
    size = 20_000  # over two chunks
    a, table, x = 1.3, rng.normal(size=4), rng.normal(size=size)
    ids = rng.integers(0, 4, size)
    weights = rng.normal(size=(2, size))

    def by_kernel(a, table, x):
        return ag.sum(kernel(_poly, None, a, table, x, engine, Segments(ids, 4)) * weights)

    def direct(a, table, x):
        return ag.sum(_poly(None, a, ag.take(table, ids), x) * weights)

    found, expected = (ag.grad(f, (0, 1, 2))(a, table, x) for f in (by_kernel, direct))
    for mine, other in zip(found, expected, strict=True):
        assert np.allclose(mine, other, rtol=1e-11, atol=0)
    second = [ag.hvp(lambda t, f=f: f(a, t, x), table, np.ones(4)) for f in (by_kernel, direct)]
    assert np.allclose(*second, rtol=1e-11, atol=0)


@pytest.mark.slow
def test_full_size_image_and_gradient_stay_under_two_gibibytes():
    """At four cells per pixel, edges and all."""
    resource = pytest.importorskip("resource")
    assert resource
    program = """
import resource
import diffrt.autograd as ag
from diffrt.tracer import render
from diffrt.scene import load_scene
scene = load_scene("scenes/still_life.toml").replace(width=1920, height=1080)
names = ["lamp.position", "ball.center", "camera.fov"]
free = ag.variable(scene.pack(names))
ag.sum(render(scene.unpack(names, free), cells=2)).backward()
assert free.grad.all()
try:  # what getrusage says begins, on Linux, with the peak of the process that started this one
    lines = open("/proc/self/status").read().splitlines()
    print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
except OSError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    peak = int(done.stdout) / (2**20 if sys.platform != "darwin" else 2**30)
    assert peak < 2.0
