"""Residuals that are no independent noise: how they scatter, what noise is, and what the model does not explain."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import diffrt
from diffrt.fitting import make_problem, scatter, solve
from diffrt.fitting.noise import Noise, estimate
from diffrt.fitting.scatter import Field

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("bench_errors", ROOT / "benchmarks/bench_errors.py")
bench_errors = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(bench_errors)


def fields(rng, views, shape=(9, 7), k=3, noise=None):
    """Views with some pixels that do not count, their Jacobians, and what a fit leaves of their noise."""
    counted = [(rng.random(shape) < 0.8)[..., None].repeat(3, 2) for _ in range(views)]
    jacobians = [rng.normal(size=(*shape, 3, k)) * own[..., None] for own in counted]
    whole = np.concatenate([j.reshape(-1, k) for j in jacobians])
    off = np.concatenate([((rng.normal(size=(*shape, 3)) if noise is None else noise[n]) * own).ravel()
                          for n, own in enumerate(counted)])  # fmt: skip
    off -= whole @ np.linalg.lstsq(whole, off)[0]
    parts = np.split(off, views)
    left = [Field(part.reshape(*shape, 3), j, own.astype(float), np.arange(k))
            for part, j, own in zip(parts, jacobians, counted, strict=True)]  # fmt: skip
    return left, whole


def test_the_moments_of_patches_are_those_of_whole_matrices():
    """Two views of one camera with coordinates of their own, and every matrix of the derivation written out."""
    rng = np.random.default_rng(0)
    left, whole = fields(rng, 2, k=5)
    height, width = left[0].residual.shape[:2]
    # The first two columns are of each view alone.
    size = len(whole) // 2
    own = [whole[v * size : (v + 1) * size, :2] for v in range(2)]
    inner = [np.linalg.inv(J.T @ J) for J in own]
    shared = np.concatenate(
        [
            whole[v * size : (v + 1) * size, 2:] - own[v] @ inner[v] @ own[v].T @ whole[v * size : (v + 1) * size, 2:]
            for v in range(2)
        ]
    )
    covariance = np.linalg.inv(shared.T @ shared)
    left = [
        replace(f, jacobian=np.concatenate([J, K], 1).reshape(height, width, 3, 5), at=np.arange(3), own=C)
        for f, J, K, C in zip(left, own, np.split(shared, 2), inner, strict=True)
    ]
    views = [scatter._weighted(field, 1.0, 3) for field in left]
    totals = scatter._totals(views, 3, 3)
    parts = scatter._components(views, totals, 3)
    expected, found = scatter._moments(parts, views, totals, covariance)
    sizes = np.concatenate([np.sqrt(view.squares[..., None] * view.gains).ravel() for view in views])
    off = np.concatenate([field.residual.ravel() for field in left])
    project = np.eye(len(whole)) - shared @ covariance @ shared.T
    for v, (J, C) in enumerate(zip(own, inner, strict=True)):
        project[v * size : (v + 1) * size, v * size : (v + 1) * size] -= J @ C @ J.T
    pixels = np.eye(height * width).reshape(height, width, -1)
    matrices = []
    for part in parts:
        columns = []
        slots = [(v, c) for v in range(2) for c in range(3)]
        blocks = {"channel": [[s] for s in slots], "view": [slots[:3], slots[3:]], "group": [slots]}[part.way]
        for block in blocks:
            for patch in scatter.patches(pixels, part.level):
                column = np.zeros((2, height * width, 3))
                for v, c in block:
                    column[v, :, c] = patch
                columns.append(column.ravel() * sizes)
        matrices.append(np.array(columns).T)
    assert [part.way for part in parts[:3]] == ["channel", "view", "group"] and len(parts) == 9
    for i, one in enumerate(matrices):
        assert found[i] == pytest.approx(np.sum((one.T @ off) ** 2), rel=1e-12)
        for j, other in enumerate(matrices):
            assert expected[i, j] == pytest.approx(np.sum((one.T @ project @ other) ** 2), rel=1e-12)


def seen(left, whole, block=1):
    bread = whole.T @ whole
    return scatter.scatter(left, np.linalg.inv(bread), bread, block)


def test_independent_residuals_are_told_from_others():
    """The meat of white ones is s^2 J^T J; gray and smooth ones are worth fewer."""
    rng = np.random.default_rng(1)
    shape = (60, 60)
    white = seen(*fields(rng, 1, shape))
    left, whole = fields(rng, 1, shape)
    assert white.variance == pytest.approx(1.0, rel=0.05) and white.length == pytest.approx(1.0, abs=0.5)
    assert np.trace(seen(left, whole).meat) == pytest.approx(np.trace(whole.T @ whole), rel=0.1)
    assert white.patches > 0.5 * left[0].counted.sum()
    gray = rng.normal(size=(1, *shape, 1)).repeat(3, 3)
    assert 0.15 < seen(*fields(rng, 1, shape, noise=gray)).patches / left[0].counted.sum() < 0.4
    windows = np.lib.stride_tricks.sliding_window_view(rng.normal(size=(1, 63, 63, 3)), (4, 4), (1, 2))
    smooth = seen(*fields(rng, 1, shape, noise=4.0 * windows.mean((-1, -2))))
    assert 3.0 < smooth.length < 6.0 and smooth.patches < 0.2 * left[0].counted.sum()


def test_what_is_smooth_over_the_whole_image_goes_on_beyond_what_is_measured():
    """A fit takes most of it away. A spot in one place is no sign of it, and noise is none."""
    rng = np.random.default_rng(8)
    across = np.linspace(-1.0, 1.0, 48)
    x, y = np.meshgrid(across, across)
    ball = (x**2 + y**2 < 0.9).astype(float)[..., None].repeat(3, 2)
    columns = np.stack([x, y, np.ones_like(x)], -1)[:, :, None].repeat(3, 2) * ball[..., None]
    bread = columns.reshape(-1, 3).T @ columns.reshape(-1, 3)

    def largest(shape):
        off = (shape[..., None] + 0.002 * rng.normal(size=(48, 48, 3))) * ball
        pull = columns.reshape(-1, 3).T @ off.ravel()
        left = off - (columns @ np.linalg.solve(bread, pull)) * ball
        found = scatter.scatter([Field(left, columns, ball, np.arange(3))], np.linalg.inv(bread), bread)
        return [found.shares[level, "view"] for level in range(4, 6)]

    smooth = largest(0.1 * (x**2 - 0.5 * x * y + y**2))
    assert smooth[0] > 0.0 and smooth[1] == smooth[0]
    assert largest(0.3 * np.exp(-60.0 * ((x - 0.2) ** 2 + y**2)))[1] == 0.0
    assert largest(0.0 * x)[1] == 0.0


def test_what_all_views_share_does_not_become_less_with_more_of_them():
    """Nine photographs with the same pattern say no more of a shared number than one."""
    rng = np.random.default_rng(2)
    windows = np.lib.stride_tricks.sliding_window_view(rng.normal(size=(43, 43, 3)), (4, 4), (0, 1))
    pattern = np.asarray(4.0 * windows.mean((-1, -2)))
    column = np.ones((40, 40, 3, 1))

    def error(views, same):
        noise = [pattern if same else pattern[rng.permutation(40)][:, rng.permutation(40)] for _ in range(views)]
        left = [Field(n - n.mean(), column, np.ones((40, 40, 3)), np.arange(1), 0 if same else v)
                for v, n in enumerate(noise)]  # fmt: skip
        bread = np.array([[float(views * column.size)]])
        found = scatter.scatter(left, 1.0 / bread, bread)
        return float(np.sqrt(found.meat[0, 0])) / bread[0, 0]

    assert error(9, True) == pytest.approx(error(1, True), rel=0.3)
    assert error(9, False) < 0.5 * error(1, False)


def test_views_with_masks_of_their_own_are_laid_over_each_other():
    """Two of the same pattern, cut to different parts of the image, say what the whole ones with masks say."""
    rng = np.random.default_rng(6)
    windows = np.lib.stride_tricks.sliding_window_view(rng.normal(size=(43, 43, 3)), (4, 4), (0, 1))
    pattern, column = np.asarray(4.0 * windows.mean((-1, -2))), np.ones((40, 40, 3, 1))
    boxes = [(slice(0, 30), slice(4, 40)), (slice(8, 40), slice(0, 33))]
    whole, cut = [], []
    for box in boxes:
        counted = np.zeros((40, 40, 3))
        counted[box] = 1.0
        one = Field(pattern * counted, column * counted[..., None], counted, np.arange(1))
        whole.append(one)
        corner = (box[0].start, box[1].start)
        cut.append(Field(one.residual[box], one.jacobian[box], counted[box], one.at, corner=corner))
    bread = np.array([[float(sum(f.counted.sum() for f in whole))]])
    one, other = (scatter.scatter(left, 1.0 / bread, bread) for left in (whole, cut))
    assert other.meat == pytest.approx(one.meat, rel=1e-9) and other.patches == pytest.approx(one.patches, rel=1e-9)


def test_views_with_masks_of_their_own_are_fitted_together():
    model, true, noise = bench_errors.white(np.random.default_rng(7))
    target = np.asarray(diffrt.render(true)) + noise
    left, low = np.ones((48, 48), bool), np.ones((48, 48), bool)
    left[:, 30:], low[:17] = False, False
    found = diffrt.fit(
        model,
        {"a": {"target": target, "mask": left}, "b": {"target": target, "mask": low}},
        ["ball.center.x"],
        levels=(),
    )
    assert found._fields[0][0].corner == (0, 0) and found._fields[0][1].corner[0] > 8
    assert np.isfinite(found.stderr["ball.center.x"])


def test_blocks_of_pixels_give_the_errors_of_single_ones(monkeypatch):
    """A Jacobian that is too large to be held is looked at in blocks."""
    rng = np.random.default_rng(3)
    model, true, noise = bench_errors.smoothed(rng)
    problem = make_problem(model, np.asarray(diffrt.render(true)) + noise, bench_errors.FREE, levels=())
    fine = solve(problem)
    assert fine._fields[1] == 1
    monkeypatch.setattr("diffrt.fitting.evaluation.HELD", 40_000)
    coarse = solve(problem)
    assert coarse._fields[1] == 2
    ratio = coarse.uncertainty.stderr / fine.uncertainty.stderr
    assert (ratio > 0.6).all() and (ratio < 1.7).all()
    assert coarse.misfit.size == pytest.approx(fine.misfit.size)


def test_read_and_shot_noise_are_found_under_what_is_smooth(monkeypatch):
    rng = np.random.default_rng(4)
    light = np.linspace(0.0, 1.0, 120)[:, None, None] * np.ones((120, 120, 3))
    true = Noise(0.004, 2e-4, True)
    off = np.sqrt(true.variance(light)) * rng.normal(size=light.shape)
    off += 0.05 * np.sin(np.arange(120) / 9.0)[:, None]
    off[rng.random((120, 120)) < 0.01] = np.nan
    found = estimate([off], [light])
    assert found.read == pytest.approx(true.read, rel=0.1) and found.shot == pytest.approx(true.shot, rel=0.1)
    assert not found.given
    monkeypatch.setattr("diffrt.fitting.noise.MOST", off.size // 3)
    some = estimate([off] * 2, [light] * 2)  # of every sixth row
    assert some != found and some.read == pytest.approx(true.read, rel=0.3)


def test_a_model_that_lacks_a_highlight_is_told_so_and_where(tmp_path):
    rng = np.random.default_rng([0, 1])
    model, true, noise = bench_errors.highlight(rng)
    target = np.asarray(diffrt.render(true)) + noise
    found = diffrt.fit(model, target, bench_errors.FREE, folder=tmp_path / "out")
    assert found.state == "converged with reservations" and found.converged
    first = str(found.warnings[0])
    assert first.startswith("the model does not explain the image: residuals are ") and "times the noise" in first
    assert found.noise.read == pytest.approx(0.003, rel=0.3)
    written = json.loads((tmp_path / "out/fit.json").read_text())
    assert written["state"] == found.state and "the model does not explain the image" in written["reservations"]
    assert written["residuals"]["ratio"] > 5.0 and written["residuals"]["explained"] is False
    where = np.asarray(diffrt.read_image(tmp_path / "out/unexplained.png"))
    lacking = np.asarray(diffrt.render(true)).mean(-1) - np.asarray(diffrt.render(model)).mean(-1)
    blue = where[..., 2] - where[..., 0]
    assert blue[lacking > 0.5 * lacking.max()].mean() > 0.3 > np.abs(blue[lacking < 1e-6]).mean()
    assert "unexplained" in (tmp_path / "out/report.html").read_text()
    plain = diffrt.fit(model, np.asarray(diffrt.render(model)) + noise, bench_errors.FREE, folder=tmp_path / "plain")
    assert plain.state == "converged" and plain.misfit.explained and not (tmp_path / "plain/unexplained.png").exists()


def test_noise_that_is_given_is_what_residuals_are_compared_with():
    """Of smooth noise nobody knows from one photograph whether it is the camera's."""
    model, true, noise = bench_errors.smoothed(np.random.default_rng(5))
    target = np.asarray(diffrt.render(true)) + noise
    alone = diffrt.fit(model, target, bench_errors.FREE, levels=())
    assert alone.misfit.explained and "residuals are not independent" in alone.warnings[0]
    right, less = (diffrt.fit(model, target, bench_errors.FREE, levels=(), noise=(read, 0.0)) for read in (0.01, 0.004))
    assert right.misfit.explained and right.misfit.ratio == pytest.approx(1.0, rel=0.2)
    assert not less.misfit.explained and less.misfit.ratio == pytest.approx(2.5, rel=0.2)
    with pytest.raises(
        diffrt.InputError, match=r"noise: found .*, allowed: read noise and shot noise, two numbers from 0"
    ):
        diffrt.fit(model, target, bench_errors.FREE, noise=(0.1, -1.0))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "least", "most"),
    [("white", 0.85, 0.97), ("smoothed", 0.85, 0.97), ("gray", 0.85, 0.97),
     ("highlight", 0.7, 1.0), ("texture", 0.7, 1.0), ("map", 0.7, 1.0)],
)  # fmt: skip
def test_intervals_hold_the_truth(case, least, most):
    """Intervals of 90 %, of 40 targets. With errors as for independent residuals, only those of white noise do."""
    words = bench_errors.run(case, 40)
    own, plain = (float(words.split(before)[1].split("%")[0]) / 100.0 for before in (case, "independent"))
    assert least <= own <= most, words
    assert plain < 0.8 or case == "white", words
