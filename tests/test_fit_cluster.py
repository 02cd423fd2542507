"""A fit from many starts on a real cluster of two processes, one of which is killed half-way."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import diffrt
from diffrt import load_scene, render
from diffrt.fitting.cluster import cluster as connected

ROOT = Path(__file__).parents[1]
TINY = load_scene(ROOT / "scenes/tiny.toml")
TARGET = np.asarray(render(TINY))
BOUNDS = {"lamp.position": {"lower": [-2, 2, 0], "upper": [3, 6, 5]}, "ball.center.x": {"lower": -1, "upper": 1}}

distributed = pytest.importorskip("distributed")


@pytest.fixture
def cluster():
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local:
        yield local


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(cluster):
    here = diffrt.fit(TINY, TARGET, BOUNDS, starts=32, refine=8)
    with distributed.Client(cluster) as client:
        workers = client.run(os.getpid)
        killed = []

        def told(done, count, least):
            if not killed:
                killed.append(next(iter(workers.values())))
                os.kill(killed[0], signal.SIGKILL)

        executor = client.get_executor(pure=False, retries=3)
        problem = diffrt.fitting.make_problem(TINY, TARGET, BOUNDS, starts=32, refine=8)
        found = diffrt.fitting.solve(problem, executor=executor, told=told)
        assert killed and killed[0] not in client.run(os.getpid).values()
    assert found.starts == here.starts and len(found.starts) == 8
    assert found.values.tolist() == here.values.tolist()


@pytest.mark.slow
def test_the_command_line_uses_a_cluster(cluster, tmp_path):
    np.save(tmp_path / "target.npy", TARGET)
    TINY.save(tmp_path / "scene.toml")
    free = "\n".join(f'[free."{n}"]\nlower = {b["lower"]}\nupper = {b["upper"]}' for n, b in BOUNDS.items())
    (tmp_path / "fit.toml").write_text(f'scene = "scene.toml"\ntarget = "target.npy"\nstarts = 8\nrefine = 2\n{free}\n')
    command = [sys.executable, "-m", "diffrt", "fit", tmp_path / "fit.toml", "-o", tmp_path / "out", "--dask",
               cluster.scheduler_address]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "2 starts were searched from" in done.stdout and "start 2 of 2: least loss" in done.stderr


@pytest.mark.slow
def test_views_are_folded_by_a_cluster_and_a_killed_worker_costs_its_views_only(cluster):
    targets = [np.asarray(render(TINY.replace({"lamp.intensity": s}))) for s in (20.0, 30.0, 40.0, 25.0)]
    problem = diffrt.fitting.make_problem(TINY, targets, ["ball.center.x"], each=["lamp.intensity"])
    here = diffrt.fitting.solve(problem)
    killed = []
    with connected(cluster.scheduler_address) as executor, distributed.Client(cluster) as client:
        workers = client.run(os.getpid)

        def kill(step):
            if step.count == 2:
                killed.append(next(iter(workers.values())))
                os.kill(killed[0], signal.SIGKILL)

        found = diffrt.fitting.solve(problem, kill, executor=executor)
        assert killed and killed[0] not in client.run(os.getpid).values()
    assert found.values.tolist() == here.values.tolist() and found.evaluations == here.evaluations
