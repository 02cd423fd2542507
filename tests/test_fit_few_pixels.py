"""Numbers that few pixels tell, outliers beside them: their errors, and the steps to them."""

import numpy as np
import pytest

import diffrt
from diffrt.image import Image
from diffrt.kinds import Lambert, Perspective, Sphere
from diffrt.photograph import Photograph


def spot(x, y, radius):
    """A spot of some pixels, far brighter than the range of a camera."""
    shine = Lambert(albedo=[0.0] * 3, emission=[4.0] * 3)
    return diffrt.Scene(
        camera=Perspective(position=[0, 0, 5.0], target=[0, 0, 0], width=16, height=16, fov=30.0),
        shapes={"spot": Sphere(center=[x, y, 0.0], radius=radius, material=shine)},
        background={"type": "constant", "radiance": [0.1] * 3},
    )


def off(seed, patch=0.0, loss="squared", radius=0.25):
    """How far x, y and radius of a spot are off, over their errors, at worst."""
    found, truth = fitted(seed, patch, loss, radius)
    return float(np.max(np.abs(found.values[:3] - truth) / found.uncertainty.stderr[:3]))


def fitted(seed, patch, loss, radius):
    """A fit of a spot, and the true x, y and radius. patch: what a patch of the target behind its right side is
    brighter by."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-0.2, 0.2, 2)
    shown = spot(x, y, radius)
    image = np.asarray(diffrt.render(shown, cells=3))
    column = int(8 + 16 * x / (10 * np.tan(np.radians(15.0)))) + 1
    behind = image < 2.0
    behind[:, :column] = False
    image = image + patch * behind * (4.0 - image) / 3.9 + 0.003 * rng.normal(size=image.shape)
    bright = image >= 1.0
    target = Photograph(Image(np.minimum(image, 1.0)), np.zeros_like(bright), bright, 0.0, 1.0)
    start = {"spot.center.x": x + 0.03, "spot.center.y": y - 0.03, "spot.radius": radius + 0.01}
    free = {name: {"start": value} for name, value in start.items()}
    return diffrt.fit(shown, target, {**free, "background.radiance": {}}, levels=(), loss=loss), [x, y, radius]


def test_errors_of_a_spot_before_a_patch_that_the_model_does_not_know():
    """Pixels at its rim are outliers, and it follows them."""
    assert np.nanmax([off(seed, 0.2, "huber") for seed in range(4)]) < 4.0


def test_errors_of_a_small_spot_most_of_whose_pixels_are_clipped():
    """The loss is flat on one side, up to where the next pixel is no longer clipped; its curvature is that of the
    other side, and would say 39 errors."""
    assert off(5, radius=0.18) < 2.0


def test_errors_where_the_loss_rises_like_a_parabola_and_is_flat_from_there_on():
    """To look at it one error away would say 7.8 errors."""
    assert off(9, radius=0.18) < 3.0


@pytest.mark.parametrize("loss", ["huber", "soft_l1"])
def test_steps_of_a_robust_fit_foresee_that_pixels_leave_the_tail_of_the_loss(loss):
    """With parabolas in place of the loss the steps lead up half of the time, and a fit takes 20 evaluations."""
    assert [fitted(seed, 0.2, loss, 0.25)[0].evaluations <= 14 for seed in (4, 6)] == [True, True]
