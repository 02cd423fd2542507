"""Rendering and its derivative beside Mitsuba 3 and JAX, in one run on one machine.

The scene: three balls on a floor under a point light, all matte; 27 numbers are differentiated: centre, radius and
albedo of the balls, the floor's albedo, the light's position. The loss is the sum of the pixels with random weights.

- diffrt: exact edges, one cell per pixel, float64.
- Mitsuba 3 (llvm_ad_rgb, direct integrator): 4 samples per pixel (at 64x64 one), edges ignored, as it has no derivative
  of a point light's shadow. It differentiates the balls through to_world, the albedos, and the light's intensity.
- JAX (jit, float64): the formula that diffrt has for one point, 4 points per pixel, edges ignored.

Up to 256x256 also *time to equal error*: how long Mitsuba takes until its image is as near the converged one (diffrt,
4x4 cells per pixel) as diffrt's at its defaults. `misses` prints what derivatives of the image by single numbers miss:
those of Mitsuba with 256 samples per pixel, twice, with the integrator that misses less (`direct_projective` samples
silhouettes, but has no derivative by a light's place).

    python benchmarks/bench_render.py [compare | misses | kernel | balls | memory | profile] [--sizes 64 256 1024]

Needs the extra `bench` for the peers; without them only diffrt is measured.
"""

import argparse
import dataclasses
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from peers import INTEGRATORS, Mitsuba, jax_run, mitsuba
from three_balls import names_of, scene_of

import diffrt
from diffrt import autograd
from diffrt.compiler import Engine, compiled
from diffrt.tracer.blocks import divide
from diffrt.tracer.regions import find_regions
from diffrt.tracer.renderer import TOLERANCE, Topology, _middles, by_regions
from diffrt.tracer.shading import Samples, lighting, shade
from diffrt.tracer.tables import build_tables
from diffrt.tracer.visibility import Visibility
from diffrt.tracer.window import Part, window_of

RUNS = 9
SHARE = 6.0
"""Mitsuba's samples are multiplied by four until the next image would take more than so many seconds."""


def median(run: Callable[[], Any], runs: int = RUNS) -> float:
    """The median time of several runs after a first one, in seconds."""
    run()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def gradient(scene: Any, names: list[str], weights: Any, **how: Any) -> Any:
    """The image, and the gradient of the weighted sum of its pixels."""
    v = autograd.variable(scene.pack(names))
    image = diffrt.render(scene.unpack(names, v), **how)
    autograd.sum(image * weights).backward()
    return image.value, v.grad


def compare(sizes: list[int]) -> None:
    """diffrt, Mitsuba and JAX."""
    names = names_of()
    for size in sizes:
        samples = 1 if size <= 64 else 4
        scene = scene_of(size)
        weights = np.random.default_rng(0).random((size, size, 3))
        start = time.perf_counter()
        image, _ = gradient(scene, names, weights)
        first = time.perf_counter() - start
        render = median(lambda scene=scene: diffrt.render(scene))
        both = median(lambda scene=scene, weights=weights: gradient(scene, names, weights))
        one = median(lambda scene=scene, weights=weights: gradient(scene, names, weights, threads=1))
        print(f"\n{size} x {size}\n"
              f"  diffrt, exact edges: image {1e3 * render:.1f} ms, with gradient {1e3 * both:.1f} ms "
              f"(first time {1e3 * first:.0f} ms; "
              f"one thread {1e3 * one:.1f} ms, {one / both:.2f} times)")  # fmt: skip
        peer = mitsuba(size)
        if peer:
            start = time.perf_counter()
            peer.image(samples)
            peer.both(samples)
            first = time.perf_counter() - start
            forward, all_ = (median(lambda run=run, n=samples: run(n)) for run in (peer.image, peer.both))
            print(f"  Mitsuba 3, {samples} spp: image {1e3 * forward:.1f} ms, with gradient {1e3 * all_:.1f} ms "
                  f"(first time {1e3 * first:.0f} ms): "
                  f"diffrt is {forward / render:.2g} and {all_ / both:.2g} times as fast")  # fmt: skip
            if size <= 256:
                equal_error(peer, image, np.asarray(diffrt.render(scene, cells=4, tolerance=1e-4)), render)
        jaxed = jax_run(size, 4)
        if jaxed:
            start = time.perf_counter()
            jaxed()
            first = time.perf_counter() - start
            took = median(jaxed, 7)
            print(f"  JAX, 4 samples, no edges: value and gradient {1e3 * took:.1f} ms "
                  f"(first time {1e3 * first:.0f} ms): "
                  f"diffrt is {took / both:.2g} times as fast")  # fmt: skip


def equal_error(peer: Mitsuba, image: Any, converged: Any, seconds: float) -> None:
    """How long Mitsuba takes until its image is as near the converged one as that of diffrt, which took `seconds`."""
    off = [np.linalg.norm(image - converged) / np.linalg.norm(converged)]
    samples, took = 1, 0.0
    while 4.0 * took < SHARE:
        peer.image(samples, 1)
        start = time.perf_counter()
        found = peer.image(samples, 2)
        took = time.perf_counter() - start
        off.append(np.linalg.norm(found - converged) / np.linalg.norm(converged))
        if off[-1] <= off[0]:
            break
        samples *= 4
    reached = "" if off[-1] <= off[0] else "more than "
    print(f"    image error of diffrt {off[0]:.2%}, of Mitsuba {off[1]:.1%} with one sample, {off[-1]:.2%} after "
          f"{took:.2f} s: equal error takes {reached}{took / seconds:.2g} times as long as diffrt")  # fmt: skip


def misses(sizes: list[int]) -> None:
    """What the derivatives of images miss: diffrt's at its defaults, and the better one of Mitsuba's two."""
    seen = [f"ball{i}.{p}" for i in (0, 1) for p in ("center.x", "center.y", "radius", "material.albedo.g")]
    seen += ["floor.material.albedo.g", "lamp.position.x", "lamp.position.y"]
    for size in sizes:
        scene, peer = scene_of(size), mitsuba(size)
        components = list(scene.components(names_of()))
        fine = np.asarray(diffrt.jacobian(scene, names_of(), cells=2, tolerance=1e-4))
        own = np.asarray(diffrt.jacobian(scene, names_of()))
        print(f"\n{size} x {size}: L2 over the image, in parts of the derivative\n"
              f"  {'derivative by':<26} {'diffrt':>8} {'Mitsuba 3':>10}  the noise of it")  # fmt: skip
        for component in seen:
            k = components.index(component)
            scale = np.linalg.norm(fine[..., k])
            told = f"  {component:<26} {np.linalg.norm(own[..., k] - fine[..., k]) / scale:>8.2%}"
            tried = []
            for integrator in INTEGRATORS if peer else ():
                pair = [peer.derivative(component, integrator, 256, seed) for seed in (1, 2)]
                if pair[0] is not None:
                    off = np.linalg.norm(0.5 * (pair[0] + pair[1]) - fine[..., k]) / scale
                    noise = np.linalg.norm(pair[0] - pair[1]) / 2.0**0.5 / scale
                    tried.append((off, f"{off:>10.1%}  {noise:.1%}, {integrator}"))
            print(told, min(tried)[1] if tried else "")


def kernel(sizes: list[int]) -> None:
    """Shading alone, four samples per pixel, and the search."""
    names = names_of()
    for size in sizes:
        scene = scene_of(size)
        x, y = _middles(size, size, 2)
        at = Samples(x, y, np.full(x.shape, 0.25))
        seed = np.random.default_rng(0).random((3, len(x)))
        for dtype in ("float64", "float32"):
            for threads in (1, 2):
                engine = Engine("llvm", threads, dtype)
                view = Visibility(build_tables(scene), engine)
                labels = view.signature_ids(x, y)
                moved = build_tables(scene.unpack(names, autograd.variable(scene.pack(names))))
                plain = build_tables(scene)
                search = median(lambda v=view: v.signature_ids(x, y))
                forward = median(lambda e=engine, v=view, p=plain, n=labels: shade(lighting(p, v.signatures), n, at, e))
                both = median(lambda e=engine, v=view, m=moved, n=labels:
                              shade(lighting(m, v.signatures), n, at, e).backward(seed))  # fmt: skip
                per = 1e9 / len(x)
                print(f"{size}x{size}x4, {dtype}, {threads} threads: forward {per * forward:.1f} ns per sample, "
                      f"forward and reverse {per * both:.1f} ns, search {per * search:.1f} ns")  # fmt: skip


def balls(sizes: list[int]) -> None:
    """Cost against the number of balls in view. What is differentiated is the tables, whatever fills them."""
    for count in (10, 30, 100, 300, 1000):
        rng = np.random.default_rng(0)
        made = [([rng.uniform(-4, 4), rng.uniform(0.1, 3.0), rng.uniform(-6, 2)], rng.uniform(0.05, 0.12),
                 rng.uniform(0.1, 0.9, 3).tolist()) for _ in range(count)]  # fmt: skip
        scene = scene_of(sizes[0], made)
        engine = Engine()
        plain = build_tables(scene)
        view = Visibility(plain, engine)
        x, y = _middles(sizes[0], sizes[0], 1)
        search = median(lambda: view.signature_ids(x, y), 3)
        labels, at = view.signature_ids(x, y), Samples(x, y, np.ones(len(x)))
        seed = np.ones((3, len(x)))

        def both() -> None:
            moved = dataclasses.replace(plain, shapes=autograd.variable(plain.shapes))
            shade(lighting(moved, view.signatures), labels, at, engine).backward(seed)

        whole = median(lambda: diffrt.render(scene), 3)
        per = 1e9 / len(x)
        print(f"{count} balls, {sizes[0]}x{sizes[0]}: search {per * search:.0f} ns per sample, shading with gradient "
              f"{per * median(both, 3):.0f} ns per sample, the whole image {1e3 * whole:.0f} ms")  # fmt: skip


def memory(sizes: list[int]) -> None:
    """Peak memory of a forward and reverse pass, in a process of its own."""
    for size in sizes:
        code = (f"import sys; sys.path.insert(0, 'benchmarks'); import bench_render as b, time, resource; s = "
                f"b.scene_of({size}); t = time.time(); b.gradient(s, b.names_of(), 1.0); "
                "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.time() - t)")  # fmt: skip
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        print(f"{size}x{size}: {int(told[0]) / 2**20:.2f} GiB, {float(told[1]):.1f} s")


def name_of(function: Any) -> str:
    """What a program computes."""
    kind = {"_Adjoint": "reverse of ", "_Tangent": "tangents of "}.get(type(function).__name__, "")
    return kind + (name_of(function.function) if hasattr(function, "function") else function.__name__)


def profile(sizes: list[int]) -> None:
    """Where the time of a step goes on one thread, and how much of it is spent in compiled code."""
    names = names_of()
    engine = Engine("llvm", 1)
    spent: dict[str, list[float]] = {}
    inside: dict[str, float] = {}
    execute = compiled.execute

    def timed(name: str, run: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        found = run()
        spent.setdefault(name, []).append(time.perf_counter() - start)
        return found

    def watched(job: Any, total: int, threads: int) -> None:
        start = time.perf_counter()
        execute(job, total, threads)
        name = name_of(job.program._function)
        inside[name] = inside.get(name, 0.0) + time.perf_counter() - start

    for size in sizes:
        scene, window = scene_of(size), window_of(scene_of(size), Part())
        weights = np.random.default_rng(0).random((size, size, 3))
        gradient(scene, names, weights, threads=1)
        spent.clear()
        inside.clear()
        compiled.execute = watched
        for _ in range(RUNS):
            v = autograd.variable(scene.pack(names))
            moved = timed("tables", lambda v=v, s=scene: build_tables(s.unpack(names, v)))
            view = Visibility(moved.plain(), engine)
            cells = timed("proof, cells and crossings", lambda view=view, w=window: divide(view, w, 1, TOLERANCE))
            regions = timed("regions", lambda cells=cells: find_regions(cells))
            image = timed(
                "shading and film, forward",
                lambda m=moved, c=cells, r=regions, n=size: by_regions(m, Topology(c, r), (n, n), 1, engine),
            )
            loss = timed("loss", lambda i=image, w=weights: autograd.sum(i * w))
            timed("reverse", loss.backward)
        compiled.execute = execute
        print(f"\n{size}x{size}: {1e3 * sum(map(statistics.median, spent.values())):.0f} ms")
        for name, times in spent.items():
            print(f"  {name:<36} {1e3 * statistics.median(times):6.1f} ms")
        print(f"  of these in compiled code            {1e3 * sum(inside.values()) / RUNS:6.1f} ms")
        for name, took in sorted(inside.items(), key=lambda entry: -entry[1])[:6]:
            print(f"    {name:<34} {1e3 * took / RUNS:6.1f} ms")


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", nargs="?", default="compare", choices=["compare", "misses", "kernel", "balls", "memory", "profile"]
    )
    parser.add_argument("--sizes", type=int, nargs="+")
    given = parser.parse_args()
    default = {
        "compare": [64, 256, 1024],
        "misses": [64],
        "kernel": [1024],
        "balls": [512],
        "memory": [1024, 4096],
        "profile": [1024],
    }
    warnings.simplefilter("ignore")
    globals()[given.what](given.sizes or default[given.what])
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
