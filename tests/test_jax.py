"""A scene inside JAX: gradients are diffrt's, under jit, grad and vmap."""

from pathlib import Path

import numpy as np
import pytest

import diffrt

jax = pytest.importorskip("jax")
jnp = jax.numpy

SCENE = diffrt.load_scene(Path(__file__).parents[1] / "scenes/tiny.toml")
NAMES = ["lamp.position", "ball.radius"]
LAMP, RADIUS = (jnp.asarray(SCENE[name], jnp.float32) for name in NAMES)


@pytest.fixture
def float64():
    jax.config.update("jax_enable_x64", True)
    yield [jnp.asarray(SCENE[name], jnp.float64) for name in NAMES]
    jax.config.update("jax_enable_x64", False)


def image(lamp, radius, **settings):
    return diffrt.jax.render(SCENE, {"lamp.position": lamp, "ball.radius": radius}, **settings)


def loss(lamp, radius):
    return jnp.sum(image(lamp, radius) ** 2)


@pytest.mark.parametrize("way", [lambda f: f, jax.jit], ids=["as it is", "jit"])
def test_the_gradient_is_that_of_the_image_with_its_edges(way):
    np.testing.assert_allclose(way(image)(LAMP, RADIUS), diffrt.render(SCENE), rtol=1e-5, atol=1e-6)
    by_lamp, by_radius = jax.jacrev(way(image), (0, 1))(LAMP, RADIUS)
    expected = diffrt.jacobian(SCENE, NAMES)
    assert by_lamp.dtype == jnp.float32
    np.testing.assert_allclose(by_lamp, expected[..., :3], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(by_radius, expected[..., 3], rtol=1e-4, atol=1e-5)


def test_float64_is_exact_where_jax_has_it(float64):
    lamp, radius = float64
    assert np.array_equal(image(lamp, radius), diffrt.render(SCENE))
    slope = jax.jit(jax.jacrev(lambda radius: image(lamp, radius)))(radius)
    np.testing.assert_allclose(slope, diffrt.jacobian(SCENE, ["ball.radius"])[..., 0], atol=1e-12)
    assert image(LAMP, radius).dtype == jnp.float64
    assert jax.grad(loss)(LAMP, radius).dtype == jnp.float32


@pytest.mark.parametrize("way", [lambda f: f, jax.jit], ids=["as it is", "jit"])
def test_vmap_over_scenes_is_one_scene_after_another(way):
    lamps = LAMP + jnp.array([[0.0, 0.0, 0.0], [0.1, -0.2, 0.3]])
    images = way(jax.vmap(image, (0, None)))(lamps, RADIUS)
    slopes = way(jax.vmap(jax.grad(loss, (0, 1)), (0, None)))(lamps, RADIUS)
    assert images.shape == (2, 3, 4, 3)
    for i, lamp in enumerate(lamps):
        assert np.array_equal(images[i], image(lamp, RADIUS))
        for slope, expected in zip(slopes, jax.grad(loss, (0, 1))(lamp, RADIUS), strict=True):
            np.testing.assert_allclose(slope[i], expected, rtol=1e-5)


def test_the_second_derivative_is_right_in_reverse_mode_and_refused_in_forward_mode(float64):
    lamp, radius = float64
    slope = jax.jit(jax.grad(loss))
    hessian = jax.jit(jax.jacrev(slope))(lamp, radius)
    differences = [(slope(lamp + step, radius) - slope(lamp - step, radius)) / 2e-4 for step in 1e-4 * jnp.eye(3)]
    np.testing.assert_allclose(hessian, differences, rtol=1e-5, atol=1e-5)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jacfwd(image)(lamp, radius)


def test_the_adjoint_of_many_pixels_goes_through_a_compiled_gradient():
    large = SCENE.replace(width=400, height=300)
    slope = jax.jit(jax.grad(lambda lamp: jnp.mean(diffrt.jax.render(large, {"lamp.position": lamp}))))(LAMP)
    assert np.isfinite(slope).all() and np.abs(slope).max() > 0.0


def test_numbers_are_constants_with_all_their_digits():
    found = diffrt.jax.render(SCENE, {"lamp.position": LAMP, "ball.radius": 0.7, "ball.center": [0.1, 1.0, 0.3]})
    scene = SCENE.replace({"ball.radius": 0.7, "ball.center": [0.1, 1.0, 0.3]})
    np.testing.assert_allclose(found, diffrt.render(scene), rtol=1e-5, atol=1e-6)
    assert diffrt.jax.render(SCENE, {}).dtype == jnp.float32


def test_settings_are_passed_on():
    settings = {"cells": 2, "tolerance": 0.06, "engine": "numpy", "threads": 1}
    found = jax.jit(lambda lamp: image(lamp, RADIUS, **settings))(LAMP)
    np.testing.assert_allclose(found, diffrt.render(SCENE, **settings), rtol=1e-5, atol=1e-6)
    assert np.abs(found - image(LAMP, RADIUS)).max() > 1e-4


MISTAKES = [
    ({"lamp.positon": LAMP}, {}, "no parameter 'lamp.positon'; did you mean 'lamp.position'?"),
    ({"lamp.position": LAMP[:2]}, {}, "allowed: three numbers [x, y, z]"),
    ({"lamp.position": LAMP.astype(jnp.int32)}, {}, "lamp.position: found int32, allowed: float32 or float64"),
    ({"lamp.position": list(LAMP)}, {}, "lamp.position: found a list of arrays, needed: one array; stack makes one"),
    ({"lamp.position": "above"}, {}, 'lamp.position: found "above", allowed: three numbers [x, y, z]'),
    (None, {}, 'needed: values by name, such as {"lamp.position": ...}'),
    ({"lamp.position": LAMP}, {"cels": 2}, "diffrt.jax.render: no setting 'cels'; did you mean 'cells'?"),
    ({"lamp.position": LAMP}, {"cells": 0}, "cells: found 0, allowed: a whole number from 1 to 64"),
    ({"lamp.position": LAMP}, {"threads": "all"}, 'threads: found "all", allowed: a whole number from 1 to 1024'),
]  # fmt: skip


@pytest.mark.parametrize(("values", "settings", "told"), MISTAKES)
@pytest.mark.parametrize("way", [lambda f: f, jax.jit], ids=["as it is", "jit"])
def test_a_mistake_is_told_in_a_line_before_anything_runs(way, values, settings, told):
    numbers = {name: value for name, value in (values or {}).items() if isinstance(value, jax.Array)}

    def call(numbers):
        return diffrt.jax.render(SCENE, values and {**values, **numbers}, **settings)

    with pytest.raises(diffrt.InputError) as caught:
        way(call)(numbers)
    (line,) = str(caught.value).splitlines()
    assert told in line


def test_a_wrong_number_is_refused_also_where_it_was_not_known_in_time():
    told = r"lamp.position: found \[nan, nan, nan\], allowed: three numbers"
    with pytest.raises(diffrt.InputError, match=told):
        image(LAMP * jnp.nan, RADIUS)
    with pytest.raises(diffrt.InputError, match=told):
        jax.grad(loss)(LAMP * jnp.nan, RADIUS)
    with pytest.raises(Exception, match=told):  # JAX may add lines of its own
        jax.jit(image)(LAMP * jnp.nan, RADIUS).block_until_ready()
