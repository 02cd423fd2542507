"""Fits end at the truth, say how sure they are, and lose nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import diffrt
from diffrt import load_scene, render
from diffrt.errors import InputError
from diffrt.fitting import evaluation, make_problem, search, solve, triangle
from diffrt.fitting.evaluation import Objective
from diffrt.fitting.journal import open_journal
from diffrt.fitting.level import Level, automatic_blurs, level_of
from diffrt.fitting.residual import encode, robustify, sights
from diffrt.fitting.settings import Settings
from diffrt.image import Image, srgb_encode
from diffrt.photograph import Photograph, read_photograph

ROOT = Path(__file__).parents[1]
TINY = load_scene(ROOT / "scenes/tiny.toml")
STILL = load_scene(ROOT / "scenes/still_life.toml")
WHITE = {"lamp.intensity.g": "lamp.intensity.r", "lamp.intensity.b": "lamp.intensity.r"}
FREE = {"lamp.position": {"start": [0.4, 3.4, 2.0]}, "ball.center.x": {"start": 0.1}}


SMALL = STILL.replace(width=32, height=24)
SMALL_IMAGE = np.asarray(render(SMALL))


def run(*arguments, **settings):
    command = [sys.executable, "-m", "diffrt", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, **settings)


def whole(problem, level=None):
    return Objective(problem.variables, sights(problem.views, level or Level(), problem.settings))


# The residual and its Jacobian.


@pytest.mark.parametrize("loss", ["squared", "huber", "soft_l1"])
@pytest.mark.parametrize("space", ["linear", "srgb"])
def test_the_folded_jacobian_gives_the_loss_and_its_gradient(loss, space):
    rng = np.random.default_rng(0)
    target = np.clip(SMALL_IMAGE + 0.1 * rng.normal(size=SMALL_IMAGE.shape), 0.0, None)
    problem = make_problem(
        SMALL, target, ["lamp.position", "ball.*", "floor.normal"], loss=loss, space=space, scale=0.03,
        exposure=True, white_balance=True, vignetting=True, response=True,
    )  # fmt: skip
    u = problem.variables.start + 0.01
    for level in (Level(), Level(2, 3.0)):
        objective = whole(problem, level)
        found = objective.triangle(u)
        value, slope = objective.gradient(u)
        assert loss != "squared" or found.residual @ found.residual == pytest.approx(found.cost, rel=1e-12)
        assert found.cost / objective.size == pytest.approx(value, rel=1e-12)
        assert 2.0 * found.jacobian.T @ found.residual / objective.size == pytest.approx(
            slope, rel=1e-9, abs=1e-9 * np.abs(slope).max()
        )
        for k in (0, 4, len(u) - 2, len(u) - 1):
            e = np.eye(len(u))[k] * 1e-5
            difference = (objective.value(u + e) - objective.value(u - e)) / 2e-5
            assert difference == pytest.approx(slope[k], rel=1e-3, abs=1e-4 * np.abs(slope).max())


def test_strips_give_what_the_whole_image_gives(monkeypatch):
    problem = make_problem(SMALL, 0.9 * SMALL_IMAGE, ["lamp.position", "ball.*", "camera.position"])
    objective, u = whole(problem), problem.variables.start
    at_once = objective.triangle(u)
    monkeypatch.setattr(evaluation, "STRIP", 5 * 32 * 3 * 11)
    monkeypatch.setattr(triangle, "ALONE", 1000)
    assert len(evaluation.strips(objective.sights[0], 10)) == 5
    in_strips = objective.triangle(u)
    assert in_strips.cost == pytest.approx(at_once.cost, rel=1e-12) and in_strips.count == at_once.count
    both = [np.column_stack([t.jacobian, t.residual]) for t in (in_strips, at_once)]
    a, b = (rows.T @ rows for rows in both)
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12 * np.abs(b).max())


def test_the_square_of_a_squashed_difference_is_the_loss():
    d = np.array([-20.0, -1.01, -0.99, 0.0, 1e-9, 0.5, 3.0]) * 0.05
    z = (d / 0.05) ** 2
    rho = {"squared": z, "huber": np.where(z <= 1, z, 2 * np.sqrt(z) - 1), "soft_l1": 2 * (np.sqrt(1 + z) - 1)}
    for loss, expected in rho.items():
        found = robustify(loss, 0.05, d)
        assert found**2 == pytest.approx(0.05**2 * expected, rel=1e-6, abs=1e-20)
        assert (np.sign(found) == np.sign(d)).all()


def test_the_curve_of_a_residual_is_that_of_a_png():
    x = np.linspace(-0.1, 2.0, 500)
    np.testing.assert_allclose(encode(x), srgb_encode(x), rtol=1e-14)


def test_levels_are_chosen_by_the_size_of_the_image():
    assert automatic_blurs(3) == ()
    for width, height in ((64, 48), (640, 480), (1920, 1080), (97, 31)):
        blurs = automatic_blurs(min(width, height))
        assert blurs == tuple(sorted(blurs, reverse=True)) and len(blurs) > 1 and 1.5 <= blurs[-1] < 4.5
        levels = [level_of(blur, width, height) for blur in blurs]
        assert all(width % level.factor == height % level.factor == 0 for level in levels)
    assert [level_of(blur, 64, 48).factor for blur in (16, 4, 1)] == [4, 2, 1]


def test_a_clipped_pixel_is_a_bound_and_not_a_value():
    """Where the target is overexposed, an image that is brighter still is right; one that is darker is not."""
    bright = np.full((3, 4, 3), 0.5)
    mark = np.zeros(bright.shape, bool)
    mark[1, 2] = True
    nowhere = np.zeros(bright.shape, bool)
    for image, off in ((3.0, 0.0), (0.2, 0.2 - 0.99)):
        scene = TINY
        view = make_problem(scene, Photograph(Image(bright), nowhere, mark, 0.0, 0.99), ["lamp.intensity"]).views[0]
        sight = sights((view,), Level(), Settings())[0]
        plain = np.asarray(render(scene))
        gained = {"exposure": image / plain[1, 2, 0]}
        found = sight.off(gained)
        assert found[1, 2, 0] == pytest.approx(off, abs=1e-12)
        assert sight.counted(np.asarray(found))[1, 2, 0] == (off != 0.0)


def test_an_overexposed_photograph_still_gives_the_lamp(tmp_path):
    """A part of the floor is white in the PNG; taken as values, these pixels would spoil the answer."""
    bright = SMALL.replace({"lamp.intensity": [150.0] * 3})
    render(bright).save(tmp_path / "target.png")
    photograph = read_photograph(tmp_path / "target.png")
    assert photograph.bright.mean() > 0.2
    start = {"lamp.position": {"start": [1.0, 4.5, 2.0]}, "lamp.intensity": {"start": 110.0}}
    found = diffrt.fit(bright, photograph, start)
    assert found.values[:3] == pytest.approx([2.0, 4.0, 3.0], abs=0.05)
    assert found.values[3:] == pytest.approx([150.0] * 3, rel=0.02)
    naive = diffrt.fit(bright, np.asarray(photograph.image), start)
    assert abs(naive.values[3] - 150.0) > 5.0


def test_masked_pixels_do_not_count():
    target = SMALL_IMAGE.copy()
    target[:6, :8] = 5.0  # a thumb over the lens
    mask = np.ones((24, 32), bool)
    mask[:6, :8] = False
    found = diffrt.fit(SMALL, target, {"ball.center": {"start": [-0.8, 0.9, 0.1]}}, mask=mask)
    assert found.values == pytest.approx(STILL["ball.center"], abs=1e-6)


@pytest.mark.parametrize("loss", ["huber", "soft_l1"])
def test_a_robust_loss_does_not_follow_outliers(loss):
    rng = np.random.default_rng(1)
    target = SMALL_IMAGE.copy()
    target[rng.random(target.shape[:2]) < 0.05] = 2.0
    start = {"ball.center": {"start": [-0.8, 0.9, 0.1]}, "lamp.intensity": {"start": 20.0}}
    robust = diffrt.fit(SMALL, target, start, loss=loss, scale=0.01)
    squared = diffrt.fit(SMALL, target, start)
    truth = STILL.pack(["ball.center", "lamp.intensity"])
    off, others = (np.abs(found.values - truth).max() for found in (robust, squared))
    assert off < 0.1 * others


def test_an_unknown_exposure_and_white_balance_are_found():
    target = SMALL_IMAGE * np.array([1.3, 0.8, 0.5])
    found = diffrt.fit(SMALL, target, {"ball.center": {"start": [-0.8, 0.9, 0.1]}}, exposure=True, white_balance=True)
    expected = [-0.9, 0.8, 0.0, 0.8, 1.3 / 0.8, 0.5 / 0.8]
    assert found.values == pytest.approx(expected, abs=1e-6)
    assert list(found.parameters)[3:] == ["exposure", "white_balance.r", "white_balance.b"]


def test_a_start_without_overlap_needs_the_coarse_levels():
    start = {"ball.center": {"start": [0.9, 0.8, -2.0]}}
    fine = diffrt.fit(SMALL, SMALL_IMAGE, start, levels=())
    coarse = diffrt.fit(SMALL, SMALL_IMAGE, start)
    assert coarse.values == pytest.approx(STILL["ball.center"], abs=1e-6)
    assert np.abs(fine.values - STILL["ball.center"]).max() > 0.1


def test_a_coarse_level_that_explains_the_target_leaves_it_to_the_next_one_to_look_where_its_last_step_leads():
    found = diffrt.fit(SMALL, SMALL_IMAGE, {"ball.center": {"start": [-0.3, 1.0, 0.6]}}, levels=(4.0, 2.0))
    coarsest, finer, full = ([s for s in found.history if s.level == level] for level in range(3))
    assert found.values == pytest.approx(STILL["ball.center"], abs=1e-12)
    assert len(coarsest) > 1 and len(finer) == 1 and len(full) > 2
    assert not np.array_equal(finer[0].values, coarsest[-1].values), "the step was made"
    assert found.message == search.EXACT_MESSAGE and found.loss < 1e-30 < full[-2].loss


@pytest.mark.parametrize("astray", [[40.0, 0.0, 0.0], [np.nan] * 3])
def test_a_step_between_levels_that_leads_astray_is_taken_back(astray, monkeypatch):
    def led_astray(*arguments):
        end = least_squares(*arguments)
        return replace(end, u=end.u + astray) if end.message == search.GOES_ON else end

    least_squares = search.least_squares
    monkeypatch.setattr(search, "least_squares", led_astray)
    found = diffrt.fit(SMALL, SMALL_IMAGE, {"ball.center": {"start": [-0.3, 1.0, 0.6]}}, levels=(4.0, 2.0))
    assert found.converged and found.values == pytest.approx(STILL["ball.center"], abs=1e-9)


def test_a_wrong_turn_on_the_coarsest_level_is_taken_back(monkeypatch):
    """From this start the ball leaves the view, and the lamp explains the rest; a wider blur pulls it back."""
    free = {"lamp.position": {"start": [3.33, 3.1, 3.04]}, "ball.center": {"start": [-2.33, -0.21, 1.15]},
            "lamp.intensity.r": {"start": 15}, "ball.material.albedo": {"start": 0.5}}  # fmt: skip
    problem = make_problem(STILL, np.asarray(render(STILL)), free, WHITE)
    found = solve(problem)
    assert found.values == pytest.approx(STILL.pack(found.components), abs=1e-6)
    assert max(step.blur for step in found.history) == 12.0
    monkeypatch.setattr(search, "UNEXPLAINED", np.inf)
    lost = solve(problem)
    assert np.abs(lost.values - STILL.pack(found.components)).max() > 1.0


def test_two_views_share_a_scene(tmp_path):
    side = SMALL.replace({"camera.position": [5.0, 2.5, 2.0]})
    views = {"front": {"target": SMALL_IMAGE}, "side": {"target": np.asarray(render(side)), "camera": side}}
    free = {"ball.center": {"start": [-0.6, 0.9, 0.3]}, "side.camera.position": {"start": [4.8, 2.7, 2.2]}}
    found = diffrt.fit(SMALL, views, free, folder=tmp_path / "out")
    assert found.values == pytest.approx([-0.9, 0.8, 0.0, 5.0, 2.5, 2.0], abs=1e-6)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"front_result.png", "side_result.png", "side_fitted.toml", "fitted.toml"} <= names
    assert load_scene(tmp_path / "out/side_fitted.toml")["camera.position"] == pytest.approx([5.0, 2.5, 2.0])


def test_a_normal_is_found_as_a_direction():
    tilted = SMALL.replace({"floor.normal": [0.1, 1.0, 0.15]})
    found = diffrt.fit(SMALL, np.asarray(render(tilted)), ["floor.normal"])
    assert found.values / found.values[1] == pytest.approx([0.1, 1.0, 0.15], abs=1e-6)
    assert np.isfinite(found.uncertainty.stderr).all()


def test_of_a_camera_s_up_only_the_roll_is_known():
    rolled = SMALL.replace({"camera.up": [0.1, 1.0, 0.0]})
    found = diffrt.fit(SMALL, np.asarray(render(rolled)), ["camera.up"], levels=())
    up, expected = found.values, np.array([0.1, 1.0, 0.0])
    forward = SMALL["camera.target"] - SMALL["camera.position"]
    rights = [np.cross(forward, v) / np.linalg.norm(np.cross(forward, v)) for v in (up, expected)]
    assert rights[0] == pytest.approx(rights[1], abs=1e-6)
    assert "turning camera.up one way does not change the image" in found.warnings


# What cannot be found.


@pytest.mark.parametrize(
    ("name", "value"),
    [("ball.center", [0.0, 0.8, 20.0]), ("lamp.position", [0.0, -3.0, 0.0])],
)
@pytest.mark.parametrize("method", ["least_squares", "L-BFGS-B"])
def test_a_parameter_without_influence_is_named(name, value, method, tmp_path):
    with pytest.raises(InputError, match=f"{name}.* no influence on the image at the start"):
        diffrt.fit(SMALL, SMALL_IMAGE, {name: {"start": value}}, method=method, folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_parameter_without_pull_is_told():
    scene = SMALL.replace({"floor.material.albedo": [0.6] * 3})
    found = diffrt.fit(
        scene, SMALL_IMAGE + np.array([0.0, 0.0, 0.1]), {"floor.material.albedo.r": {}, "ball.center": {}}, levels=()
    )
    assert any("floor.material.albedo.r has no pull" in note for note in found.warnings)


def test_what_moves_together_is_told():
    rng = np.random.default_rng(0)
    noisy = SMALL_IMAGE + 0.001 * rng.normal(size=SMALL_IMAGE.shape)
    found = diffrt.fit(SMALL, noisy, ["lamp.intensity", "floor.material.albedo", "*.albedo"])
    told = " ".join(found.warnings)
    assert "the image cannot tell" in told and "lamp.intensity.r" in told
    assert np.isinf(found.stderr["lamp.intensity.r"]) and "not determined" in str(found)


# Nothing is lost.


def slow_fit(folder, *extra):
    """A fit that takes some seconds."""
    return [sys.executable, "-m", "diffrt", "fit", "scenes/still_life.toml", "--target",
            "examples/still_life/target.png", "--free", "ball.*", "--free", "lamp.position", "--free",
            "marble.*", "-o", str(folder), *extra]  # fmt: skip


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_a_fit_that_was_cut_off_ends_at_the_same_bits(tmp_path, number):
    straight = subprocess.run(slow_fit(tmp_path / "straight", "--json"), capture_output=True, text=True, cwd=ROOT)
    expected = json.loads(straight.stdout)
    begun = subprocess.Popen(
        slow_fit(tmp_path / "cut"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    for line in begun.stderr:
        if line.startswith("evaluation 4,"):
            os.kill(begun.pid, number)
            break
    out, err = begun.communicate(timeout=60)
    assert begun.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    assert (tmp_path / "cut/state.npz").exists()
    if number != signal.SIGKILL:
        assert "interrupted after" in out and "--resume" in err and "Traceback" not in err
        assert (tmp_path / "cut/fitted.toml").exists()
    refused = subprocess.run(slow_fit(tmp_path / "cut"), capture_output=True, text=True, cwd=ROOT)
    assert refused.returncode == 2 and "holds an unfinished fit; go on with --resume" in refused.stderr
    resumed = subprocess.run(slow_fit(tmp_path / "cut", "--resume", "--json"), capture_output=True, text=True, cwd=ROOT)
    found = json.loads(resumed.stdout)
    assert {n: p["value"] for n, p in found["parameters"].items()} == {
        n: p["value"] for n, p in expected["parameters"].items()
    }
    assert found["evaluations"] == expected["evaluations"] and found["converged"]
    assert not (tmp_path / "cut/state.npz").exists()


def stopped_fit(folder, **changes):
    """A fit that ended after three evaluations."""
    problem = make_problem(TINY, SMALL_TARGET, FREE, **changes)
    return solve(problem, folder=folder, stop=lambda: True)


SMALL_TARGET = np.asarray(render(TINY))


def test_a_state_of_another_fit_or_version_is_left_alone(tmp_path, monkeypatch):
    stopped_fit(tmp_path)
    before = (tmp_path / "state.npz").read_bytes()
    for changes in ({"loss": "huber"}, {"cells": 2}):
        with pytest.raises(InputError, match="is of another fit"):
            solve(make_problem(TINY, SMALL_TARGET, FREE, **changes), folder=tmp_path, resume=True)
    with pytest.raises(InputError, match="is of another fit"):
        solve(make_problem(TINY, 0.5 * SMALL_TARGET, FREE), folder=tmp_path, resume=True)
    monkeypatch.setattr("diffrt.fitting.journal.__version__", "9.9")
    with pytest.raises(InputError, match=r"was written by diffrt 0.1.0, this is 9.9"):
        solve(make_problem(TINY, SMALL_TARGET, FREE), folder=tmp_path, resume=True)
    assert (tmp_path / "state.npz").read_bytes() == before
    monkeypatch.undo()
    (tmp_path / "state.npz").write_bytes(before[:100])
    with pytest.raises(InputError, match="damaged, or not the state of a fit"):
        open_journal(make_problem(TINY, SMALL_TARGET, FREE), tmp_path, True)
    with pytest.raises(InputError, match="holds no unfinished fit"):
        open_journal(make_problem(TINY, SMALL_TARGET, FREE), tmp_path / "none", True)


def test_a_full_disk_is_told_in_one_line_and_nothing_is_overwritten(tmp_path, monkeypatch):
    diffrt.fit(TINY, SMALL_TARGET, FREE, folder=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="cannot be written: No space left on device") as fault:
        diffrt.fit(TINY, SMALL_TARGET, FREE, folder=tmp_path)
    assert len(fault.value.problems) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(os.name != "posix", reason="needs /dev/full's kind of machine")
def test_a_folder_that_cannot_be_written_is_told_before_the_work(tmp_path):
    (tmp_path / "file").write_text("mine")
    begin = time.perf_counter()
    done = run("fit", "examples/tiny/fit.toml", "-o", tmp_path / "file")
    assert done.returncode == 2 and "cannot be made a folder" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "file").read_text() == "mine" and time.perf_counter() - begin < 30


@pytest.mark.parametrize("after", [1, 5, 6])
def test_a_fit_that_is_stopped_has_the_best_so_far(after):
    free = {"ball.center": {"start": [-0.6, 0.9, 0.3]}, "lamp.position": {"start": [1.5, 3.5, 2.5]}}
    seen = []
    found = solve(make_problem(SMALL, SMALL_IMAGE, free), seen.append, stop=lambda: len(seen) == after)
    level = [step for step in found.history if step.level == found.history[-1].level]
    assert found.evaluations == after and found.message == "interrupted" and not found.converged
    assert found.loss == min(step.loss for step in level) and "interrupted after" in str(found)


# Many starts.

BOUNDS = {"lamp.position": {"lower": [-2, 2, 0], "upper": [3, 6, 5]}, "ball.center.x": {"lower": -1, "upper": 1}}


def test_many_starts_find_what_one_may_miss():
    with ThreadPoolExecutor(2) as threads:
        found = diffrt.fit(TINY, SMALL_TARGET, BOUNDS, starts=16, refine=3, executor=threads)
    assert found.values == pytest.approx(TINY.pack(["lamp.position", "ball.center.x"]), abs=1e-6)
    assert len(found.starts) == 3 and "3 starts were searched from" in str(found)
    again = diffrt.fit(TINY, SMALL_TARGET, BOUNDS, starts=16, refine=3, executor=ThreadPoolExecutor(1))
    assert again.starts == found.starts
    other = diffrt.fit(TINY, SMALL_TARGET, BOUNDS, starts=16, refine=3, seed=1, executor=ThreadPoolExecutor(1))
    assert other.starts != found.starts


def test_starts_need_bounds():
    with pytest.raises(
        InputError, match=r"give a lower and an upper one for lamp.position.x, lamp.position.y, lamp.position.z"
    ):
        diffrt.fit(TINY, SMALL_TARGET, ["lamp.position"], starts=4)


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to a group of processes")
def test_ctrl_c_ends_a_fit_from_many_starts(tmp_path):
    np.save(tmp_path / "target.npy", SMALL_IMAGE)
    SMALL.save(tmp_path / "scene.toml")
    free = "".join(
        f'[free."{n}"]\nlower = [-2, 0.3, -2]\nupper = [2, 5, 4]\n' for n in ("lamp.position", "ball.center")
    )
    (tmp_path / "fit.toml").write_text(f'scene = "scene.toml"\ntarget = "target.npy"\nstarts = 16\nrefine = 5\n{free}')
    command = [sys.executable, "-m", "diffrt", "fit", str(tmp_path / "fit.toml"), "-o", str(tmp_path / "out")]
    begun = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    )
    for line in begun.stderr:
        if line.startswith("start 1 of 5"):
            os.killpg(begun.pid, signal.SIGINT)
            break
    out, err = begun.communicate(timeout=60)
    assert begun.returncode == 130 and "interrupted after" in out and "Traceback" not in err, err
    resumed = subprocess.run([*command, "--resume"], capture_output=True, text=True, cwd=ROOT)
    assert resumed.returncode == 0 and "starts were searched from" in resumed.stdout
    assert "start 1 of 5" not in resumed.stderr and "start 5 of 5" in resumed.stderr


def test_processes_of_this_machine_do_the_work_and_a_resumed_fit_does_not_repeat_it(tmp_path):
    found = diffrt.fit(TINY, SMALL_TARGET, BOUNDS, starts=4, refine=2)
    problem = make_problem(TINY, SMALL_TARGET, BOUNDS, starts=4, refine=2)
    ended = []
    solve(problem, folder=tmp_path, stop=lambda: bool(ended), told=lambda *told: ended.append(told))
    assert len(ended) == 1
    resumed = solve(problem, folder=tmp_path, resume=True, told=lambda *told: ended.append(told))
    assert len(ended) == 2 and resumed.starts == found.starts
    assert resumed.values.tolist() == found.values.tolist()
