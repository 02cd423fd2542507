"""Exact edges: how good the derivative is, what it costs, and how smooth the image is.

    python benchmarks/bench_edges.py convergence   # against differences of images of 256 x 256 points per pixel
    python benchmarks/bench_edges.py cost          # exact against ignored edges, forward and reverse
    python benchmarks/bench_edges.py continuity    # the loss while a ball crosses the image in small steps
    python benchmarks/bench_edges.py picture       # interior and edge term side by side, docs/images/edges.png

The first takes about half an hour on one core. Its reference knows nothing of cells and edges: point samples of
the image on both sides of a parameter, and their difference. Only pixels that an edge comes near, by the cells of
the image, get all of the points; in the others the radiance is smooth, and 16 x 16 points give the same to 1e-6.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

import diffrt.autograd as ag
from diffrt.compiler import choose_engine
from diffrt.image import diverging, side_by_side
from diffrt.scene import Scene, load_scene
from diffrt.tracer import jacobian, render
from diffrt.tracer.renderer import TOLERANCE, Settings, find_topology
from diffrt.tracer.shading import Samples, lighting, shade
from diffrt.tracer.tables import build_tables
from diffrt.tracer.visibility import Visibility
from diffrt.tracer.window import Part, window_of

FINEST = 3e-5
"""The tolerance of what the others are compared with."""

SCENE = Path(__file__).parents[1] / "scenes" / "still_life.toml"

# The steps move an edge by a fiftieth to a twentieth of a pixel. A limb that lies on the border of a pixel to within
# the step would spoil the difference there.

STEPS = {
    "lamp.position.x": 0.01, "lamp.position.y": 0.01, "lamp.position.z": 0.01, "ball.center.x": 0.002,
    "ball.center.y": 0.003, "ball.center.z": 0.006, "ball.radius": 0.002, "camera.fov": 0.1,
}  # fmt: skip


def point_image(scene: Scene, pixels: np.ndarray, side: int) -> np.ndarray:
    """The colours of some pixels, (n, 3), as means of side x side points each."""
    tables = build_tables(scene)
    places = (np.arange(side) + 0.5) / side
    colours = np.zeros((len(pixels), 3))
    for i, pixel in enumerate(pixels):
        row, column = divmod(int(pixel), scene.camera.width)
        x, y = np.tile(column + places, side), np.repeat(row + places, side)
        view = Visibility(tables, choose_engine())
        labels = view.signature_ids(x, y)
        area = np.full(x.shape, 1.0 / side**2)
        lit = lighting(tables, view.signatures)
        colours[i] = shade(lit, labels, Samples(x, y, area), view.engine).sum(1)
    return colours


def reference(scene: Scene, path: str, step: float, side: int = 256) -> np.ndarray:
    """The derivative of the image by a parameter as a difference of point samples, (height, width, 3)."""
    height, width = scene.camera.height, scene.camera.width
    sides = [scene.replace({path: float(scene[path]) + sign * step}) for sign in (1.0, -1.0)]
    near = np.zeros(height * width, bool)
    for each in (scene, *sides):
        near[
            find_topology(build_tables(each), window_of(each, Part()), Settings(2), choose_engine()).cells.mixed_pixel
        ] = True
    found = np.zeros((height * width, 3))
    with np.errstate(all="ignore"):
        for which, points in ((near, side), (~near, 16)):
            pixels = np.flatnonzero(which)
            plus, minus = (point_image(each, pixels, points) for each in sides)
            found[pixels] = (plus - minus) / (2.0 * step)
    return found.reshape(height, width, 3)


def convergence(side: int) -> None:
    scene = load_scene(SCENE)
    target = np.load(SCENE.parents[1] / "examples/still_life/target_linear.npy")
    sizes = (0.016, TOLERANCE, 0.001, 0.00025)
    settings: list[dict[str, Any]] = [{"tolerance": size} for size in sizes]
    images = [render(scene, **how) for how in settings]
    derivatives = [jacobian(scene, list(STEPS), **how) for how in settings]
    finest = jacobian(scene, list(STEPS), cells=8, tolerance=FINEST)
    print(f"relative L2 error in percent, by tolerance, against points; then against 8 cells and {FINEST}")
    print(f"{'':<16}" + 2 * "".join(f"{name:>8}" for name in sizes))
    errors = [100.0 * np.linalg.norm(image - target) / np.linalg.norm(target) for image in images]
    print(f"{'image':<16}" + "".join(f"{e:8.2f}" for e in errors))
    for i, (path, step) in enumerate(STEPS.items()):
        expected = reference(scene, path, step, side)
        norm = np.linalg.norm(expected)
        errors = [100.0 * np.linalg.norm(d[..., i] - expected) / norm for d in derivatives]
        norm = np.linalg.norm(finest[..., i])
        errors += [100.0 * np.linalg.norm(d[..., i] - finest[..., i]) / norm for d in derivatives]
        print(f"{path:<16}" + "".join(f"{e:8.2f}" for e in errors), flush=True)


def cost(runs: int = 7) -> None:
    scene = load_scene(SCENE).replace(width=256, height=256)
    names = [p.path for p in scene.parameters()]
    medians = {}
    for edges in ("ignore", "exact"):
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            free = ag.variable(scene.pack(names))
            image = render(scene.unpack(names, free), edges=edges)
            ag.sum(image * image).backward()
            times.append(time.perf_counter() - start)
        medians[edges] = float(np.median(times))
    ratio = medians["exact"] / medians["ignore"]
    print(f"256 x 256, forward and reverse by all {len(scene.pack(names))} numbers of the scene:")
    print(f"edges ignored {medians['ignore']:.3f} s, exact {medians['exact']:.3f} s, {ratio:.2f}x")


def continuity(steps: int, tolerance: float = TOLERANCE) -> None:
    """A jump is what the change of the loss differs by from the mean of the slopes at its two ends."""
    scene = load_scene(SCENE)
    target = np.asarray(render(scene, tolerance=tolerance))

    def loss(x: float) -> tuple[float, float]:
        def f(v: Any) -> Any:
            return ag.mean((render(scene.replace({"ball.center.x": v}), tolerance=tolerance) - target) ** 2.0)

        return ag.value_and_grad(f)(x)

    places = np.linspace(-2.6, 2.6, steps + 1)
    values, slopes = np.array([loss(float(x)) for x in places]).T
    jumps = np.abs(np.diff(values) - np.diff(places) * 0.5 * (slopes[1:] + slopes[:-1]))
    size = np.ptp(values)
    worst = int(np.argmax(jumps))
    print(f"{steps} steps of {places[1] - places[0]:.4g}: largest jump {jumps[worst] / size:.2e} of the loss's range,")
    print(f"between x = {places[worst]:.5f} and {places[worst + 1]:.5f}; median {np.median(jumps) / size:.2e}")
    print("ten largest:", ", ".join(f"{places[i]:.4f}: {jumps[i] / size:.1e}" for i in np.argsort(jumps)[::-1][:10]))


def picture() -> None:
    """The image's derivative by the ball's x: what plain sampling sees of it, and what the edges add."""
    scene = load_scene(SCENE).replace(width=256, height=192)
    luminance = np.array([0.2126, 0.7152, 0.0722])
    whole, interior = (
        jacobian(scene, ["ball.center.x"], cells=cells, edges=edges)[..., 0] @ luminance
        for cells, edges in ((1, "exact"), (4, "ignore"))
    )
    left, left_scale = diverging(interior, 0.4 * float(np.abs(interior).max()))
    right, right_scale = diverging(whole - interior, 0.25 * float(np.abs(whole - interior).max()))
    path = SCENE.parents[1] / "docs/images/edges.png"
    side_by_side([left, right]).save(path)
    print(f"{path}: full colour at {left_scale:.3g} left and {right_scale:.3g} right")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("convergence", "cost", "continuity", "picture"))
    parser.add_argument("--points", type=int, default=256, help="points per pixel side of the reference")
    parser.add_argument("--steps", type=int, default=2000, help="steps of the ball")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="of the images that the ball crosses")
    given = parser.parse_args()
    if given.what == "convergence":
        convergence(given.points)
    elif given.what == "cost":
        cost()
    elif given.what == "picture":
        picture()
    else:
        continuity(given.steps, given.tolerance)
