"""What ships works: the fits recover the truth, and the one-page tracer agrees with the renderer."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from diffrt.fitting import METHODS, make_problem, read_problem, solve
from diffrt.photograph import read_image
from diffrt.scene import load_scene
from diffrt.tracer import jacobian, render

ROOT = Path(__file__).parents[1]
TINY = ["lamp.position", "ball.center"]


def test_the_still_life_gives_back_its_lamp_and_its_ball():
    problem = read_problem(ROOT / "examples/still_life/fit.toml")
    assert problem.scene["lamp.position"].tolist() == [-1.0, 3.0, 2.0]
    assert problem.scene["ball.center"].tolist() == [-0.5, 1.0, 0.4]
    result = solve(problem)
    assert result.evaluations <= 25 and len(result.values) == 10
    truth = load_scene(ROOT / "scenes/still_life.toml")
    for name, error in (("lamp.position", 0.005), ("ball.center", 0.005), ("ball.material.albedo", 0.005)):
        assert np.abs(result.scene[name] - truth[name]).max() < error, name
    assert result.scene["lamp.intensity"] == pytest.approx(truth["lamp.intensity"], rel=0.01)


@pytest.mark.parametrize(
    ("source", "cells", "error"), [("linear", 1, 0.002), ("linear", 2, 0.0015), ("itself", 1, 1e-6)]
)
def test_the_still_life_is_found_from_better_images(source, cells, error):
    given = read_problem(ROOT / "examples/still_life/fit.toml")
    truth = load_scene(ROOT / "scenes/still_life.toml")
    image = render(truth) if source == "itself" else read_image(ROOT / "examples/still_life/target_linear.npy")
    free = {f.name: {"start": f.start} for f in given.variables.free}
    ties = {"lamp.intensity.g": "lamp.intensity.r", "lamp.intensity.b": "lamp.intensity.r"}
    result = solve(make_problem(truth, image, free, ties, cells=cells))
    off = np.abs(result.values - truth.pack(result.components))
    assert off[[0, 1, 2, 4, 5, 6]].max() < error
    if source == "itself":
        assert off.max() < error


def test_twelve_pixels_give_back_six_numbers():
    result = solve(read_problem(ROOT / "examples/tiny/fit.toml"))
    assert result.values == pytest.approx(load_scene(ROOT / "scenes/tiny.toml").pack(TINY), abs=1e-6)


def test_the_tiny_target_is_the_image_of_its_scene_and_determines_six_numbers():
    scene = load_scene(ROOT / "scenes/tiny.toml")
    assert np.allclose(render(scene, cells=2), read_image(ROOT / "examples/tiny/target.npy"), rtol=1e-12)
    singular = np.linalg.svd(jacobian(scene, TINY, cells=2).reshape(-1, 6))[1]
    assert singular[-1] > 0.01 * singular[0]


def test_the_tracer_by_hand_agrees_with_the_renderer_and_recovers_the_truth(tmp_path, monkeypatch, capsys):
    script = ROOT / "examples/tiny/by_hand.py"
    assert len(script.read_text().splitlines()) < 60
    assert "diffrt.render" not in script.read_text()
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path / "tiny.png")])
    page = runpy.run_path(str(script))
    assert page["found"].x == pytest.approx(page["TRUTH"], abs=1e-4)
    image = np.asarray(page["target"]).T.reshape(3, 4, 3)
    assert np.allclose(image, render(load_scene(ROOT / "scenes/tiny.toml"), edges="ignore"), rtol=1e-12)
    assert Picture.open(tmp_path / "tiny.png").size == (4, 3)
    assert "lamp [0.6" in capsys.readouterr().out


@pytest.mark.parametrize("method", [m for m in METHODS if m != "least_squares"])
def test_every_gradient_method_keeps_bounds_and_ends_at_the_truth(method):
    scene = load_scene(ROOT / "scenes/tiny.toml").replace({"lamp.intensity": [20.0, 22.0, 30.0]})
    target = read_image(ROOT / "examples/tiny/target.npy")
    free = {"lamp.intensity": {"lower": [5.0, 21.0, 5.0], "upper": [40.0, 60.0, 31.0]}}
    result = solve(make_problem(scene, target, free, cells=2, method=method))
    assert result.values == pytest.approx([24.0] * 3, rel=1e-4)
    assert result.loss < 1e-6 * result.history[0].loss
    tried = np.array([step.values for step in result.history])
    assert (tried >= [5.0, 21.0, 5.0]).all() and (tried <= [40.0, 60.0, 31.0]).all()
    free["lamp.intensity"]["upper"] = [40.0, 23.0, 31.0]
    held = solve(make_problem(scene, target, free, cells=2, method=method))
    assert held.values == pytest.approx([24.0, 23.0, 24.0], rel=1e-3)
