"""Rendering and its derivative beside Mitsuba 3 and JAX, in one run on one machine.

The scene: three balls on a floor under a point light, all matte; 27 numbers are differentiated: centre, radius and
albedo of the balls, the floor's albedo, the light's position. The loss is the sum of the pixels with random weights.

- diffrt: exact edges, one cell per pixel, float64.
- Mitsuba 3 (llvm_ad_rgb, direct integrator): 4 samples per pixel (at 64x64 one), edges ignored, as it has no derivative
  of a point light's shadow. It differentiates the balls through to_world, the albedos, and the light's intensity.
- JAX (jit, float64): the formula that diffrt has for one point, 4 points per pixel, edges ignored.

Beside each time stands how far the image is from a converged one, diffrt with 16 cells per pixel (64x64 images).

    python benchmarks/bench_render.py [compare | kernel | balls | memory | profile] [--sizes 64 256 1024]

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

import diffrt
from diffrt import autograd
from diffrt.compiler import Engine
from diffrt.kinds import Lambert, Perspective, Plane, PointLight, Sphere
from diffrt.scene import Scene
from diffrt.tracer.renderer import Settings, _middles, by_regions, find_topology
from diffrt.tracer.shading import Samples, lighting, shade
from diffrt.tracer.tables import build_tables
from diffrt.tracer.visibility import Visibility
from diffrt.tracer.window import Part, window_of

RUNS = 9
BALLS = (([-1.1, 0.7, 0.0], 0.7, [0.8, 0.2, 0.2]), ([0.5, 0.5, 0.8], 0.5, [0.2, 0.7, 0.3]),
         ([1.2, 0.9, -0.8], 0.9, [0.2, 0.3, 0.8]))  # fmt: skip
FLOOR, LAMP, INTENSITY = [0.6, 0.6, 0.6], [2.0, 4.0, 3.0], 24.0
POSITION, TARGET, FOV = [0.0, 2.0, 6.0], [0.0, 0.7, 0.0], 45.0


def scene_of(size: int, balls: Any = BALLS) -> Scene:
    """The scene as diffrt has it."""
    shapes = {f"ball{i}": Sphere(center, radius, Lambert(albedo)) for i, (center, radius, albedo) in enumerate(balls)}
    return Scene(
        camera=Perspective(POSITION, TARGET, fov=FOV, width=size, height=size),
        shapes={"floor": Plane(point=(0, 0, 0), normal=(0, 1, 0), material=Lambert(FLOOR)), **shapes},
        lights={"lamp": PointLight(LAMP, INTENSITY)},
    )


def names_of(balls: int = 3) -> list[str]:
    """The parameters that are differentiated, 27 numbers with three balls."""
    return [*(f"ball{i}.{p}" for i in range(balls) for p in ("center", "radius", "material.albedo")),
            "floor.material.albedo", "lamp.position"]  # fmt: skip


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


# The peers.
def mitsuba_run(size: int, samples: int) -> tuple[Callable[[], Any], Callable[[], Any]] | None:
    """Functions that render, and that render and differentiate."""
    try:
        import drjit as dr
        import mitsuba as mi

        mi.set_variant("llvm_ad_rgb")
    except Exception as fault:
        print(f"  Mitsuba 3 is not measured: {fault}")
        return None

    def matte(albedo: Any) -> Any:
        return {"type": "diffuse", "reflectance": {"type": "rgb", "value": albedo}}

    t = mi.ScalarTransform4f
    described = {
        "type": "scene",
        "integrator": {"type": "direct"},
        "sensor": {"type": "perspective", "fov": FOV, "fov_axis": "y",
                   "to_world": t().look_at(POSITION, TARGET, [0, 1, 0]),
                   "film": {"type": "hdrfilm", "width": size, "height": size, "rfilter": {"type": "box"},
                            "pixel_format": "rgb"},
                   "sampler": {"type": "independent", "sample_count": samples}},
        "floor": {"type": "rectangle", "to_world": t().rotate([1, 0, 0], -90).scale(1e4), "bsdf": matte(FLOOR)},
        "lamp": {"type": "point", "position": LAMP, "intensity": {"type": "rgb", "value": [INTENSITY] * 3}},
    }  # fmt: skip
    for i, (center, radius, albedo) in enumerate(BALLS):
        described[f"ball{i}"] = {
            "type": "sphere",
            "to_world": t().translate(center).scale(radius),
            "bsdf": matte(albedo),
        }
    scene = mi.load_dict(described)
    params = mi.traverse(scene)
    wanted = [k for k, _ in params if k.endswith(("reflectance.value", "intensity.value"))
              or (k.startswith("ball") and k.endswith("to_world"))]  # fmt: skip
    weights = mi.TensorXf(np.random.default_rng(0).random((size, size, 3)).astype(np.float32))

    def forward() -> Any:
        image = mi.render(scene, spp=samples)
        dr.eval(image)
        dr.sync_thread()
        return np.array(image, float)

    def both() -> Any:
        for key in wanted:
            dr.enable_grad(params[key])
        params.update()
        image = mi.render(scene, params, spp=samples)
        dr.backward(dr.sum(image * weights))
        found = [dr.grad(params[key]) for key in wanted]
        dr.eval(found)
        dr.sync_thread()
        return found

    return forward, both


def jax_run(size: int, samples: int) -> Callable[[], Any] | None:
    """A function that evaluates the loss and its gradient."""
    try:
        import jax
        import jax.numpy as jnp
    except ImportError as fault:
        print(f"  JAX is not measured: {fault}")
        return None
    jax.config.update("jax_enable_x64", True)
    per_side = int(samples**0.5)
    from diffrt.tracer.camera import camera_vectors

    o0, _, _, d0, dx, dy = np.asarray(camera_vectors(scene_of(size))).T
    x, y = _middles(size, size, per_side)
    d = d0[:, None] + x * dx[:, None] + y * dy[:, None]
    d = jnp.asarray(d / np.linalg.norm(d, axis=0))
    o = jnp.asarray(o0[:, None])
    weights = np.random.default_rng(0).random((size, size, 3)).repeat(per_side, 0).repeat(per_side, 1)
    w = jnp.asarray(weights.reshape(-1, 3).T / samples)

    def dot(a: Any, b: Any) -> Any:
        return (a * b).sum(0)

    def sphere(c: Any, r: Any, o: Any, d: Any) -> Any:
        v = c - o
        b = dot(v, d)
        q = v - b * d
        h = r * r - dot(q, q)
        return b - jnp.sqrt(jnp.where(h > 0, h, 1.0)), h > 0

    def loss(v: Any) -> Any:
        balls = [(v[7 * i : 7 * i + 3, None], v[7 * i + 3], v[7 * i + 4 : 7 * i + 7, None]) for i in range(3)]
        floor, lamp = v[21:24, None], v[24:27, None]
        t, hit = jnp.where(d[1] < 0, -o[1] / d[1], jnp.inf), jnp.zeros(d.shape[1], int)
        for i, (c, r, _) in enumerate(balls):
            ti, inside = sphere(c, r, o, d)
            closer = inside & (ti > 0) & (ti < t)
            t, hit = jnp.where(closer, ti, t), jnp.where(closer, i + 1, hit)
        met = jnp.isfinite(t)
        p = o + jnp.where(met, t, 1.0) * d
        n = jnp.array([0.0, 1.0, 0.0])[:, None] + 0.0 * p
        albedo = floor + 0.0 * p
        for i, (c, r, a) in enumerate(balls):
            n, albedo = jnp.where(hit == i + 1, (p - c) / r, n), jnp.where(hit == i + 1, a, albedo)
        v_light = lamp - p
        square = dot(v_light, v_light)
        distance = jnp.sqrt(square)
        to_light = v_light / distance
        lit = met
        for i, (c, r, _) in enumerate(balls):
            ti, inside = sphere(c, r, p, to_light)
            lit = lit & ~(inside & (ti > 1e-9) & (ti < distance) & (hit != i + 1))
        cosine = jnp.where(lit, jnp.maximum(dot(n, to_light), 0.0), 0.0)
        return (albedo / jnp.pi * INTENSITY / square * cosine * w).sum()

    both = jax.jit(jax.value_and_grad(loss))
    scene = scene_of(size)
    at = jnp.asarray(scene.pack(names_of()))
    return lambda: jax.block_until_ready(both(at))


def compare(sizes: list[int]) -> None:
    """diffrt, Mitsuba and JAX."""
    names = names_of()
    reference = np.asarray(diffrt.render(scene_of(64), cells=16))
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
        if size == 64:
            print(f"    image error {np.linalg.norm(image - reference) / np.linalg.norm(reference):.2%}")
        peer = mitsuba_run(size, samples)
        if peer:
            start = time.perf_counter()
            found = peer[0]()
            peer[1]()
            first = time.perf_counter() - start
            forward, all_ = median(peer[0]), median(peer[1])
            print(f"  Mitsuba 3, {samples} spp: image {1e3 * forward:.1f} ms, with gradient {1e3 * all_:.1f} ms "
                  f"(first time {1e3 * first:.0f} ms): "
                  f"diffrt is {forward / render:.1f} and {all_ / both:.1f} times faster")  # fmt: skip
            if size == 64:
                print(f"    image error {np.linalg.norm(found - reference) / np.linalg.norm(reference):.2%}")
        jaxed = jax_run(size, 4)
        if jaxed:
            start = time.perf_counter()
            jaxed()
            first = time.perf_counter() - start
            took = median(jaxed, 7)
            print(f"  JAX, 4 samples, no edges: value and gradient {1e3 * took:.1f} ms "
                  f"(first time {1e3 * first:.0f} ms): "
                  f"diffrt is {took / both:.1f} times faster")  # fmt: skip


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


def profile(sizes: list[int]) -> None:
    """Where the time goes."""
    from diffrt.tracer import blocks, regions

    names = names_of()
    for size in sizes:
        scene = scene_of(size)
        weights = np.random.default_rng(0).random((size, size, 3))
        engine, settings = Engine(), Settings()
        spent: dict[str, list[float]] = {}

        def timed(name: str, run: Callable[[], Any], spent: dict[str, list[float]] = spent) -> Any:
            start = time.perf_counter()
            found = run()
            spent.setdefault(name, []).append(time.perf_counter() - start)
            return found

        for _ in range(RUNS):
            v = autograd.variable(scene.pack(names))
            moved = timed("tables", lambda v=v: build_tables(scene.unpack(names, v)))
            plain = moved.plain()
            view = Visibility(plain, engine)
            x, y = _middles(size + 1, size + 1, 1)
            timed("search of the grid (again)", lambda view=view: view.signature_ids(x - 0.5, y - 0.5))
            window = window_of(scene, Part())
            cells = timed("proof, cells and crossings",
                          lambda view=view: blocks.divide(view, window, 1, settings.tolerance))  # fmt: skip
            timed("regions", lambda cells=cells: regions.find_regions(cells))
            topology = find_topology(plain, window, settings, engine)
            image = timed(
                "shading and film, forward",
                lambda m=moved, la=topology: by_regions(m, la, scene.camera.size, 1, engine),
            )
            loss = timed("loss", lambda i=image: autograd.sum(i * weights))
            timed("reverse", lambda s=loss: s.backward())
        print(f"\n{size}x{size}")
        for name, times in spent.items():
            print(f"  {name:<28} {1e3 * statistics.median(times):.1f} ms")


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", nargs="?", default="compare", choices=["compare", "kernel", "balls", "memory", "profile"]
    )
    parser.add_argument("--sizes", type=int, nargs="+")
    given = parser.parse_args()
    default = {"compare": [64, 256, 1024], "kernel": [1024], "balls": [512], "memory": [1024, 4096], "profile": [1024]}
    warnings.simplefilter("ignore")
    globals()[given.what](given.sizes or default[given.what])
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
