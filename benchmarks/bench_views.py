"""What fits of many views cost: one ball, a light of its own in each view.

    python benchmarks/bench_views.py views [N] [SIZE]   # N views (100) of SIZE x SIZE (160): time, memory, errors
    python benchmarks/bench_views.py linear [N] [SIZE]  # 10 N views (N = 20) beside N: time and memory, as ratios
    python benchmarks/bench_views.py workers [N]        # two processes beside this one, by turns
    python benchmarks/bench_views.py dask [N] [SIZE]    # two workers of a Dask cluster beside one process, by turns
    python benchmarks/bench_views.py dense [N]          # an optimiser alone: on blocks, and scipy's on the whole J

The last one measures what is done beside images and Jacobians, for which both get the same.
"""

import os
import resource
import sys
import time

import numpy as np
from scipy.optimize import least_squares as scipy_least_squares

import diffrt
from diffrt import DirectionalLight, Lambert, Perspective, Scene, Sphere
from diffrt.fitting import Problem, make_problem, solve
from diffrt.fitting.processes import Processes
from diffrt.fitting.triangle import Fold, Layout, Triangle
from diffrt.fitting.trust_region import Tolerances, least_squares
from diffrt.fitting.variables import Free, Variables


def problem(count: int, size: int = 160, noise: float = 0.0) -> tuple[Problem, np.ndarray, np.ndarray]:
    """A fit of `count` views, and its true directions and strengths of the lights."""
    scene = Scene(
        camera=Perspective(position=(0, 0, 6), target=(0, 0, 0), fov=25, width=size, height=size),
        shapes={"ball": Sphere(center=(0.03, -0.02, 0), radius=1.2, material=Lambert(albedo=0.8))},
        lights={"sun": DirectionalLight(direction=(0, 0, -1), irradiance=3.0)},
    )
    rng = np.random.default_rng(0)
    around, away = rng.uniform(0, 2 * np.pi, count), np.arccos(rng.uniform(np.cos(0.9), 1, count))
    across = np.sin(away)
    directions = np.stack([across * np.cos(around), across * np.sin(around), -np.cos(away)], 1)
    strengths = rng.uniform(2, 4, count)
    targets = [
        diffrt.render(scene.replace({"sun.direction": d, "sun.irradiance": s}))
        + noise * rng.normal(size=(size, size, 3))
        for d, s in zip(directions, strengths, strict=True)
    ]
    middle = np.arange(size) + 0.5 - size / 2
    mask = middle[:, None] ** 2 + middle**2 <= (70.7 * size / 160) ** 2
    start = scene.replace({"ball.center": (0, 0, 0), "ball.radius": 1.15})
    made = make_problem(
        start, targets, ["ball.center.x", "ball.center.y", "ball.radius"], mask=mask,
        each=["sun.direction", "sun.irradiance.r"],
        ties={"sun.irradiance.g": "sun.irradiance.r", "sun.irradiance.b": "sun.irradiance.r"},
    )  # fmt: skip
    return made, directions, strengths


def views(count: int = 100, size: int = 160) -> None:
    """Time, processor time, memory and errors of one fit with its table."""
    made, directions, strengths = problem(count, size)
    begin, spent = time.perf_counter(), processor_time()
    found = solve(made)
    str(found)
    seconds, spent = time.perf_counter() - begin, processor_time() - spent
    values = found.parameters
    names = [view.name for view in made.views]
    off = max(abs(values[f"{n}.sun.direction.{c}"] - d[i]) for n, d in zip(names, directions, strict=True)
              for i, c in enumerate("xyz"))  # fmt: skip
    off = max(off, *(abs(values[f"{n}.sun.irradiance.r"] / s - 1.0) for n, s in zip(names, strengths, strict=True)))
    own, children = (
        resource.getrusage(who).ru_maxrss / 2**20 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(
        f"{count} views of {size}x{size}, {len(values)} numbers: {seconds:.1f} s, {spent:.1f} s of processors, "
        f"{found.evaluations} evaluations, off by {off:.1e}; peak {own:.2f} GiB, and {children:.2f} in each process"
    )


def linear(count: int = 20, size: int = 48) -> None:
    """Ten times as many views: how many times the processor time for each evaluation, and the triangle."""
    spent, numbers = [], []
    solve(problem(2, size)[0])  # compiles
    for views in (count, 10 * count):
        made = problem(views, size)[0]
        begin = processor_time()
        found = solve(made)
        str(found)
        spent.append((processor_time() - begin) / found.evaluations)
        numbers.append(found.found.triangle.packed.size)
    print(f"{10 * count} views take {spent[1] / spent[0]:.1f} times what {count} take, for each evaluation, and "
          f"{numbers[1] / numbers[0]:.1f} times the numbers")  # fmt: skip


def workers(count: int = 24) -> None:
    """Two processes beside this one, by turns."""
    made = problem(count, 96)[0]
    ratios = []
    with Processes(2) as two, Processes(1) as one:
        solve(made, executor=two), solve(made, executor=one)
        for _ in range(3):
            times = []
            for executor in (one, two):
                begin = time.perf_counter()
                solve(made, executor=executor)
                times.append(time.perf_counter() - begin)
            ratios.append(times[0] / times[1])
    print(f"two processes are {np.median(ratios):.2f} times as fast as one")


def dask(count: int = 50, size: int = 160) -> None:
    """Two workers of a cluster, whose scheduler runs here, beside one process, by turns."""
    from distributed import Client, LocalCluster

    from diffrt.fitting.cluster import Cluster

    made = problem(count, size)[0]
    two_workers = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with two_workers, Client(two_workers) as client, Processes(1) as one:
        executors = (one, Cluster(client))
        for executor in executors:
            solve(problem(4, size)[0], executor=executor)  # loads programs
        for _ in range(2):
            times = []
            for executor in executors:
                begin, spent = time.perf_counter(), time.process_time()
                solve(made, executor=executor)
                times.append((time.perf_counter() - begin, time.process_time() - spent))
            (alone, _), (together, here) = times
            print(
                f"two workers of a cluster are {alone / together:.2f} times as fast as one process, {together:.1f} s "
                f"beside {alone:.1f} s; client and scheduler take {here:.1f} s of that"
            )


def dense(count: int = 100) -> None:
    """The optimisers alone, on J and r of a given size: ours on blocks, scipy's on all columns."""
    rng = np.random.default_rng(0)
    own, shared, rows = 4, 3, 60
    free = [Free(f"v{v}", ("",) * own, "plain", *np.zeros((3, own)), view=f"v{v}") for v in range(count)]
    variables = Variables((*free, Free("s", ("",) * shared, "plain", *np.zeros((3, shared)))))
    layout = Layout.of(variables)
    blocks = rng.normal(size=(count, rows, own + shared + 1))
    whole = np.zeros((count * rows, layout.size + 1))
    for v, block in enumerate(blocks):
        whole[v * rows : (v + 1) * rows, np.append(variables.seen_by(f"v{v}")[1], layout.size)] = block
    limit = np.full(layout.size, np.inf)

    def ours() -> np.ndarray:
        folds = [Fold(f"v{v}", np.linalg.qr(b, mode="r"), rows, float((b[:, -1] ** 2).sum()))
                 for v, b in enumerate(blocks)]  # fmt: skip
        first = Triangle.joined(layout, folds)

        def at(u: np.ndarray, before: np.ndarray) -> Triangle:
            there = first.after(u)
            return Triangle(layout, there.own, there.shared, there.count, there.squares)

        return least_squares(at, np.zeros(layout.size), (-limit, limit), 1e3, Tolerances(1e-12, 1e-11, 1e-14), 20).u

    def scipys() -> np.ndarray:
        J, r = whole[:, :-1], whole[:, -1]
        return scipy_least_squares(lambda u: J @ u + r, np.zeros(layout.size), lambda u: J, x_scale="jac").x

    times, found = [], []
    for fit in (ours, scipys):
        begin = time.process_time()
        found.append(fit())
        times.append(time.process_time() - begin)
    print(
        f"{count} views, {layout.size} numbers: scipy on the whole Jacobian takes {times[1] / times[0]:.0f} times as "
        f"long, {times[1]:.2f} s beside {times[0]:.3f} s; they differ by {np.abs(found[0] - found[1]).max():.0e}"
    )


def processor_time() -> float:
    """Of this process and of the processes that it has ended, in seconds."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    runs = {"views": views, "linear": linear, "workers": workers, "dask": dask, "dense": dense}
    runs[sys.argv[1]](*map(int, sys.argv[2:]))
