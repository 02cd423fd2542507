"""What fits cost and how often they succeed.

    python benchmarks/bench_fit.py still       # the still life from its PNG, its linear image, and without noise
    python benchmarks/bench_fit.py starts      # 100 random starts in a box of side 3
    python benchmarks/bench_fit.py large       # 640x480, 20 free numbers, its memory, and what folding loses
    python benchmarks/bench_fit.py masked      # a disk that counts in a photograph, beside its crop and the whole
    python benchmarks/bench_fit.py overhead    # of scipy and of what is around the image, at 64x48
    python benchmarks/bench_fit.py mitsuba     # diffrt and an Adam loop with Mitsuba, to 1 % and to 0.1 %

The last one needs Mitsuba 3 (the extra `bench`), and an LLVM that it finds.
"""

import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np

import diffrt
from diffrt.fitting import evaluation, make_problem, read_problem, solve
from diffrt.fitting.evaluation import Objective
from diffrt.fitting.level import Level
from diffrt.fitting.residual import sights
from diffrt.scene import load_scene

ROOT = Path(__file__).parents[1]
STILL = ROOT / "examples/still_life"
START = {
    "lamp.position": {"start": [-1, 3, 2]},
    "lamp.intensity.r": {"start": 15},
    "ball.center": {"start": [-0.5, 1.0, 0.4]},
    "ball.material.albedo": {"start": 0.5},
}
WHITE = {"lamp.intensity.g": "lamp.intensity.r", "lamp.intensity.b": "lamp.intensity.r"}


def still() -> None:
    """Time, evaluations and errors of the still life's fits."""
    truth = load_scene(ROOT / "scenes/still_life.toml")
    targets = {
        "PNG by Mitsuba": diffrt.read_image(STILL / "target.png"),
        "linear by Mitsuba": diffrt.read_image(STILL / "target_linear.npy"),
        "linear, 2 cells": diffrt.read_image(STILL / "target_linear.npy"),
        "without noise": diffrt.render(truth),
    }
    solve(make_problem(truth, targets["without noise"], START, WHITE))  # compiles
    for name, target in targets.items():
        cells = 2 if "cells" in name else 1
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            found = solve(make_problem(truth, target, START, WHITE, cells=cells))
            times.append(time.perf_counter() - begin)
        off = np.abs(found.values - truth.pack(found.components))
        print(
            f"{name:18} {statistics.median(times):5.2f} s, {found.evaluations} evaluations; off by at most: lamp "
            f"{off[:3].max():.1e}, intensity {off[3]:.1e}, ball {off[4:7].max():.1e}, albedo {off[7:].max():.1e}"
        )


def masked(rounds: int = 15) -> None:
    """What an evaluation takes of a photograph with 5 % of its pixels in the mask, a disk, against that of its crop to
    the square around the disk, without a mask, and against the whole. The least of some times, taken in turns."""
    scene = load_scene(ROOT / "scenes/still_life.toml").replace(width=640, height=480)
    target = np.asarray(diffrt.render(scene))
    rows, columns = np.indices(target.shape[:2]) + 0.5
    middle, radius = (300.0, 250.0), np.sqrt(0.05 * target[..., 0].size / np.pi)
    mask = np.hypot(columns - middle[0], rows - middle[1]) < radius
    left, top = (int(m - radius) for m in middle)
    side = int(2 * radius) + 1
    part = scene.replace(crop=(left, top, side, side))
    cut = target[top : top + side, left : left + side]
    free = ["ball.*", "lamp.position"]
    problems = {
        "masked": make_problem(scene, target, free, mask=mask),
        "its crop": make_problem(part, cut, free),
        "the whole": make_problem(scene, target, free),
    }
    times: dict[str, list[float]] = {name: [] for name in problems}
    for _ in range(rounds + 1):  # the first compiles
        for name, problem in problems.items():
            objective = Objective(problem.variables, sights(problem.views, Level(), problem.settings))
            begin = time.perf_counter()
            objective.triangle(problem.variables.start)
            times[name].append(time.perf_counter() - begin)
    one = {name: min(taken[1:]) for name, taken in times.items()}
    print(f"{mask.mean():.1%} of 640 x 480 pixels in the mask: {one['masked'] / one['its crop']:.2f} times its crop of "
          f"{side} x {side}, {one['masked'] / one['the whole']:.3f} times the whole")  # fmt: skip


def starts(count: int = 100, seed: int = 0) -> None:
    """How many random starts lead to the truth: lamp and ball in a box of side 3 around it, the rest as above."""
    truth = load_scene(ROOT / "scenes/still_life.toml")
    target = diffrt.render(truth)
    rng = np.random.default_rng(seed)
    good, evaluations = 0, []
    for number in range(count):
        free = {**START}
        for name in ("lamp.position", "ball.center"):
            free[name] = {"start": (truth[name] + rng.uniform(-1.5, 1.5, 3)).tolist()}
        try:
            found = solve(make_problem(truth, target, free, WHITE))
        except diffrt.InputError as fault:
            print(f"{number}: {fault}")
            continue
        off = np.abs(found.values - truth.pack(found.components)).max()
        evaluations.append(found.evaluations)
        good += off < 1e-4
        if off >= 1e-4:
            print(f"{number}: loss {found.loss:.2e}, ball at {np.round(found.values[4:7], 2)}, {found.message}")
    print(f"{good} of {count} starts lead to the truth; evaluations: median {np.median(evaluations)}")


def large() -> None:
    """640x480, 20 free numbers: time, memory, and what the folded Jacobian loses."""
    small = load_scene(ROOT / "scenes/still_life.toml")
    truth = small.replace(width=640, height=480)
    target = diffrt.render(truth)
    free = {**START, "marble.center": {"start": [0.8, 0.7, 0.4]}, "marble.radius": {"start": 0.5},
            "marble.material.albedo": {"start": 0.5}, "ball.radius": {"start": 0.7},
            "floor.material.albedo.r": {"start": 0.5}, "camera.fov": {"start": 47}}  # fmt: skip
    # With everything free, intensity and albedos are known only together; the lamp's intensity is given.
    del free["lamp.intensity.r"]
    free["floor.material.albedo"] = {"start": 0.5}
    del free["floor.material.albedo.r"]
    problem = make_problem(truth, target, free)
    begin = time.perf_counter()
    found = solve(problem)
    seconds = time.perf_counter() - begin
    off = np.abs(found.values - truth.pack(found.components)).max()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(found.values)} numbers, 640x480: {seconds:.1f} s, {found.evaluations} evaluations, off by {off:.1e}, "
        f"peak {peak:.2f} GiB; the Jacobian would be {640 * 480 * 3 * 8 * len(found.values) / 2**30:.2f} GiB"
    )
    whole = Objective(problem.variables, sights(problem.views, Level(), problem.settings))
    u = problem.variables.coordinates(found.values)
    folded = whole.triangle(u).jacobian
    evaluation.STRIP, before = 1 << 40, evaluation.STRIP
    at_once = whole.triangle(u).jacobian
    evaluation.STRIP = before
    values, others = (np.linalg.svd(j, compute_uv=False) for j in (folded, at_once))
    print(
        f"singular values {values[0]:.3g} to {values[-1]:.3g}; strips change them by "
        f"{np.abs(values / others - 1).max():.1e}; "
        f"those of J^T J would be off by {2.2e-16 * (values[0] / values[-1]) ** 2:.1e}"
    )


def overhead() -> None:
    """What a fit takes beside images and Jacobians, at 64x48."""
    problem = read_problem(STILL / "fit.toml")
    solve(problem)
    shares = []
    original = Objective.triangle
    spent = 0.0

    def timed(self: Objective, u: np.ndarray) -> evaluation.Triangle:
        nonlocal spent
        begin = time.perf_counter()
        found = original(self, u)
        spent += time.perf_counter() - begin
        return found

    Objective.triangle = timed
    for _ in range(7):
        spent, begin = 0.0, time.perf_counter()
        solve(problem)
        shares.append((time.perf_counter() - begin) / spent - 1.0)
    Objective.triangle = original
    print(f"a fit takes {100 * statistics.median(shares):.1f} % more than its images and Jacobians")


NAMES = ("lamp.intensity", "ball.center", "ball.material.albedo")
"""What Mitsuba can differentiate of the still life's unknowns: the position of a point light is not among it."""


def mitsuba(steps: int = 400) -> None:
    """Time and evaluations until every number is within 1 % and 0.1 % of the truth, for both: lamp intensity (one
    number), ball centre, ball albedo; the lamp's position is given. Errors of the centre are relative to the radius.

    Mitsuba runs Adam as its tutorials do, with `direct_projective`, which samples silhouettes too. The target is each
    renderer's own: no model error.
    """
    truth = load_scene(ROOT / "scenes/still_life.toml")
    goal = {
        "lamp.intensity.r": 24.0,
        "ball.center": truth["ball.center"],
        "ball.material.albedo": np.array([0.8, 0.2, 0.2]),
    }

    def error(intensity: float, center: np.ndarray, albedo: np.ndarray) -> float:
        off = [abs(intensity / 24.0 - 1.0), *np.abs(center - goal["ball.center"]) / 0.8,
               *np.abs(albedo / goal["ball.material.albedo"] - 1.0)]  # fmt: skip
        return float(max(off))

    free = {name: START[name] for name in START if name != "lamp.position"}
    problem = make_problem(truth, diffrt.render(truth), free, WHITE)
    solve(problem)  # compiles
    found = solve(problem)
    for bar in (0.01, 0.001):
        step = next(s for s in found.history
                    if error(s.values[0], s.values[1:4], s.values[4:]) < bar)  # fmt: skip
        print(f"diffrt: {bar:.1%} after {step.count} evaluations, {step.seconds:.2f} s")

    import drjit as dr
    import mitsuba as mi

    mi.set_variant("llvm_ad_rgb")
    mi.set_log_level(mi.LogLevel.Error)
    t = mi.ScalarTransform4f

    def matte(albedo: list[float]) -> dict[str, object]:
        return {"type": "diffuse", "reflectance": {"type": "rgb", "value": albedo}}

    scene = mi.load_dict({
        "type": "scene",
        "integrator": {"type": "direct_projective", "sppi": 0},
        "sensor": {"type": "perspective", "fov": 45.0, "fov_axis": "y",
                   "to_world": t().look_at([0, 2, 6], [0, 0.7, 0], [0, 1, 0]),
                   "film": {"type": "hdrfilm", "width": 64, "height": 48, "rfilter": {"type": "box"},
                            "pixel_format": "rgb"},
                   "sampler": {"type": "independent"}},
        "floor": {"type": "rectangle", "to_world": t().rotate([1, 0, 0], -90).scale(1e3),
                  "bsdf": matte([0.6, 0.6, 0.6])},
        "ball": {"type": "sphere", "to_world": t().translate([-0.9, 0.8, 0.0]).scale(0.8),
                 "bsdf": matte([0.8, 0.2, 0.2])},
        "marble": {"type": "sphere", "to_world": t().translate([1.0, 0.6, 0.6]).scale(0.6),
                   "bsdf": matte([0.2, 0.3, 0.8])},
        "lamp": {"type": "point", "position": [2, 4, 3], "intensity": {"type": "rgb", "value": [24.0] * 3}},
    })  # fmt: skip
    target = mi.render(scene, spp=4096)
    params = mi.traverse(scene)
    keys = [k for k in ("lamp.intensity.value", "ball.bsdf.reflectance.value", "ball.to_world") if k in params]
    print("Mitsuba differentiates:", ", ".join(keys))
    for rate in (0.05, 0.02):
        optimiser = mi.ad.Adam(lr=rate)
        optimiser["intensity"] = mi.Float(15.0)
        optimiser["albedo"] = mi.Color3f(0.5)
        optimiser["center"] = mi.Point3f(-0.5, 1.0, 0.4)
        optimiser.set_learning_rate({"intensity": 10.0 * rate})  # its numbers are that much larger

        def place() -> None:
            optimiser["albedo"] = dr.clip(optimiser["albedo"], 0.0, 1.0)
            params["lamp.intensity.value"] = mi.Color3f(optimiser["intensity"])
            params["ball.bsdf.reflectance.value"] = optimiser["albedo"]
            params["ball.to_world"] = mi.Transform4f().translate(optimiser["center"]).scale(0.8)
            params.update()

        place()
        begin, best, reached = time.perf_counter(), np.inf, {}
        for count in range(1, steps + 1):
            image = mi.render(scene, params, spp=64, seed=count)
            dr.backward(dr.mean(dr.square(image - target)))
            optimiser.step()
            place()
            off = error(float(optimiser["intensity"][0]), np.array(optimiser["center"]).ravel(),
                        np.array(optimiser["albedo"]).ravel())  # fmt: skip
            best = min(best, off)
            for bar in (0.01, 0.001):
                if off < bar and bar not in reached:
                    reached[bar] = f"{bar:.1%} after {count} evaluations, {time.perf_counter() - begin:.1f} s"
        told = "; ".join(reached.get(bar, f"{bar:.1%} not reached") for bar in (0.01, 0.001))
        print(f"Mitsuba, Adam, rate {rate}: {told}; nearest {best:.2%} in {steps} evaluations, "
              f"{time.perf_counter() - begin:.1f} s")  # fmt: skip


if __name__ == "__main__":
    runs = (still, starts, large, masked, overhead, mitsuba)
    {run.__name__: run for run in runs}[sys.argv[1]](*map(int, sys.argv[2:]))
