"""What is wrong at the outline of a ball, all around it, is in the errors of the circle."""

import numpy as np
import pytest

import diffrt
from diffrt import DirectionalLight, Lambert, Perspective, Scene, Sphere

SIDE = 40
SCENE = Scene(
    camera=Perspective(position=(0, 0, 6), target=(0, 0, 0), fov=28, width=SIDE, height=SIDE),
    shapes={"ball": Sphere(center=(0.03, -0.02, 0), radius=1.0, material=Lambert(albedo=0.8))},
    lights={"sun": DirectionalLight(direction=(-0.3, -0.4, -1), irradiance=3.0)},
    background={"type": "constant", "radiance": [0.1] * 3},
)
FREE = ["ball.center.x", "ball.center.y", "ball.radius", "sun.direction"]
COLUMNS, ROWS = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5)
AWAY = np.hypot(COLUMNS - 0.5 * SIDE - 0.4, ROWS - 0.5 * SIDE - 0.27)  # from the middle of the ball


def found(target, seed=0, noise=0.002):
    noisy = target + noise * np.random.default_rng(seed).normal(size=target.shape)
    return diffrt.fit(SCENE, noisy, FREE, levels=())


def scores(fit):
    """How far the circle is off, in its errors, and what it was off by."""
    off = np.array([fit.parameters[name] - SCENE[name] for name in FREE[:3]])
    return off / np.array([fit.stderr[name] for name in FREE[:3]]), off


def test_a_rim_that_is_brighter_all_around_is_in_the_error_of_the_radius():
    """In six photographs alike. The lights, which it does not tell, are nearly as sure as before."""
    rng = np.random.default_rng(0)
    turns = np.arange(6) * np.pi / 3.0
    lit = [SCENE.replace({"sun.direction": [-0.4 * np.cos(t), -0.4 * np.sin(t), -1.0]}) for t in turns]
    images = [np.asarray(diffrt.render(scene)) + 0.01 * rng.normal(size=(SIDE, SIDE, 3)) for scene in lit]
    rim = (0.008 * (AWAY < 15.0) * np.minimum(AWAY / 14.0, 1.0) ** 30)[..., None]
    starts = {"sun.direction": {"start": [0.0, 0.0, -1.0]}}
    right, wrong = (
        diffrt.fit(SCENE, [image + more for image in images], FREE[:3], each=starts, levels=()) for more in (0.0, rim)
    )
    score, off = scores(wrong)
    assert abs(off[2]) > 4.0 * right.stderr["ball.radius"]
    assert np.abs(score).max() < 2.2 and np.abs(scores(right)[0]).max() < 2.2
    assert wrong.stderr["ball.radius"] < 2.0 * abs(off[2])
    assert wrong.stderr["view1.sun.direction.x"] < 3.0 * right.stderr["view1.sun.direction.x"]


def test_an_image_that_is_no_mean_to_the_last_digit_is_in_the_error_of_the_radius():
    """The target is one of much smaller cells. An own image as the target is told from it."""
    fine = np.asarray(diffrt.render(SCENE, cells=4, tolerance=0.00025))
    with_small, with_own = (found(target, noise=4e-5) for target in (fine, np.asarray(diffrt.render(SCENE))))
    score, off = scores(with_small)
    assert abs(off[2]) > 4.0 * with_own.stderr["ball.radius"]
    assert np.abs(score).max() < 2.5


def test_the_step_at_twice_the_side_is_that_of_a_fit_of_sums_over_four_pixels():
    """Beside a fit that is written out, of the sums over all patches of 2 x 2 pixels."""
    from diffrt.fitting.bias import biases
    from diffrt.fitting.scatter import patches

    target = np.asarray(diffrt.render(SCENE)) + 0.01 * np.random.default_rng(3).normal(size=(SIDE, SIDE, 3))
    fit = diffrt.fit(SCENE, target, FREE[:3], levels=())
    fields, block = fit._fields
    places, held = {fit.problem.views[0].name: np.arange(3)}, np.zeros(3, bool)
    told = biases(fit.found.triangle.layout, places, fields, block, held).coarser
    (field,) = fields

    def step(level):
        J = patches(field.jacobian.reshape(SIDE, SIDE, -1), level).reshape(-1, 3)
        return -np.linalg.lstsq(J, patches(field.residual, level).ravel())[0]

    assert told == pytest.approx(step(1) - step(0), rel=1e-5)
