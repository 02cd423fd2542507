"""Errors beside a misfit in a few places: a step to where a fit would end that trusts those less."""

from dataclasses import replace

import numpy as np
import pytest

import diffrt
from diffrt import DirectionalLight, Lambert, Perspective, Scene, Sphere
from diffrt.fitting.scatter import Field, squares_around
from diffrt.fitting.triangle import Layout
from diffrt.fitting.trust import trusted
from diffrt.fitting.uncertainty_by_view import _inverse

SIDE = 32
ACROSS = np.linspace(-1.0, 1.0, SIDE)
X, Y = np.meshgrid(ACROSS, ACROSS)
COLUMNS = np.stack([X, Y, np.ones_like(X)], -1)[:, :, None].repeat(3, 2)


def left_by_a_fit(misfit):
    """What a fit of a plane leaves of a misfit, and how far it is off."""
    J = COLUMNS.reshape(-1, 3)
    off = np.linalg.lstsq(J, misfit.ravel())[0]
    residual = (misfit.ravel() - J @ off).reshape(SIDE, SIDE, 3)
    empty = np.zeros_like(residual)
    return Field(residual, COLUMNS, np.ones_like(residual), np.arange(3), finer=empty), off


def trust(field):
    return trusted(Layout(3, np.arange(3), ()), {"": np.arange(3)}, [field], np.zeros(3, bool))


def test_the_step_is_what_a_fit_is_off_by_beside_a_spot():
    rng = np.random.default_rng(0)
    spot = 0.5 * np.exp(-40.0 * ((X - 0.3) ** 2 + (Y + 0.2) ** 2))[..., None]
    field, off = left_by_a_fit(spot + 0.003 * rng.normal(size=(SIDE, SIDE, 3)))
    assert np.linalg.norm(off) > 0.01
    assert trust(field).step == pytest.approx(off, abs=0.05 * np.linalg.norm(off))


def test_a_step_that_equal_weights_take_too_is_no_difference():
    """Such as that from the end of a fit of pixels to that of blocks of them."""
    spot = 0.5 * np.exp(-40.0 * ((X - 0.3) ** 2 + (Y + 0.2) ** 2))[..., None]
    field, off = left_by_a_fit(spot + 0.003 * np.random.default_rng(0).normal(size=(SIDE, SIDE, 3)))
    beside = replace(field, residual=field.residual + COLUMNS @ np.array([0.01, -0.02, 0.005]))
    assert trust(beside).step == pytest.approx(trust(field).step, abs=0.02 * np.linalg.norm(off))


def test_residuals_that_are_normal_everywhere_are_trusted_alike():
    """Also smooth ones, which are small wherever they change sign."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(1)
    noise = rng.normal(size=(SIDE, SIDE, 3))
    for misfit in (noise, gaussian_filter(noise, (3, 3, 0))):
        field, _ = left_by_a_fit(misfit)
        assert trust(field) is None


def lit_from(turn):
    return Scene(
        camera=Perspective(position=(0, 0, 6), target=(0, 0, 0), fov=28, width=SIDE, height=SIDE),
        shapes={"ball": Sphere(center=(0.03, -0.02, 0), radius=1.0, material=Lambert(albedo=0.8))},
        lights={
            "sun": DirectionalLight(direction=(-0.5 * np.cos(turn), -0.5 * np.sin(turn), -1), irradiance=3.0),
            "room": {"type": "ambient", "radiance": [0.001] * 3},
        },
    )


def fitted(extra, noise=0.003):
    rng = np.random.default_rng(2)
    turns = np.arange(6) * np.pi / 3.0
    images = [np.asarray(diffrt.render(lit_from(turn))) for turn in turns]
    views = [image + extra + noise * rng.normal(size=image.shape) for image in images]
    free = ["ball.center.x", "ball.center.y", "ball.radius", "room.radiance"]
    found = diffrt.fit(lit_from(0.0), views, free, each={"sun.direction": {"start": [0.0, 0.0, -1.0]}}, levels=())
    scores = []
    for number, turn in enumerate(turns, 1):
        names = [f"view{number}.sun.direction.{c}" for c in "xyz"]
        way, error = (np.array([table[name] for name in names]) for table in (found.parameters, found.stderr))
        true = np.array(lit_from(turn)["sun.direction"])
        off = way / np.linalg.norm(way) - true / np.linalg.norm(true)
        scores.append(np.linalg.norm(off) / np.linalg.norm(error / np.linalg.norm(way)))
    return found, float(np.sqrt(np.mean(np.square(scores))))


def test_lights_beside_a_stain_on_the_ball_are_as_far_off_as_their_errors_say():
    """The stain is in all of them."""
    stain = -0.3 * np.exp(-60.0 * ((X - 0.2) ** 2 + (Y - 0.1) ** 2))[..., None]
    found, score = fitted(stain)
    assert 0.5 < score < 2.0 and not found.misfit.explained
    plain, score = fitted(0.0 * stain)
    assert 0.5 < score < 2.0 and plain.misfit.explained and plain.misfit.told


def test_numbers_at_a_bound_take_nothing_of_the_residuals_away():
    """With a one in its diagonal for what is held, as a damped triangle has it."""
    matrix = np.array([[2.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    found = _inverse(matrix, np.array([False, True, False]))
    assert (found[1] == 0.0).all() and (found[:, 1] == 0.0).all()
    rest = matrix[np.ix_([0, 2], [0, 2])]
    assert found[np.ix_([0, 2], [0, 2])] == pytest.approx(np.linalg.inv(rest.T @ rest))


def test_no_mean_of_squares_is_below_zero_beside_a_large_one():
    """As in fits without noise, whose residuals are rounding of very different sizes; weights have roots."""
    residual = 1e-16 * np.random.default_rng(0).normal(size=(40, 60, 3))
    residual[:, 10] = 1e-4
    assert squares_around(residual, np.ones_like(residual)).min() >= 0.0
