"""A scene inside PyTorch: gradients are diffrt's, to any order, whatever is around the call."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import diffrt

torch = pytest.importorskip("torch")

ROOT = Path(__file__).parents[1]
SCENE = diffrt.load_scene(ROOT / "scenes/tiny.toml")
NAMES = ["lamp.position", "ball.radius"]


def tensors(dtype=torch.float64):
    return [torch.tensor(SCENE[name], dtype=dtype, requires_grad=True) for name in NAMES]


def image(lamp, radius, **settings):
    return diffrt.torch.render(SCENE, {"lamp.position": lamp, "ball.radius": radius}, **settings)


def loss(lamp, radius):
    return torch.sum(image(lamp, radius) ** 2)


def test_the_gradient_is_that_of_the_image_with_its_edges():
    assert torch.autograd.gradcheck(image, tensors())
    by_lamp, by_radius = torch.autograd.functional.jacobian(image, tuple(tensors()))
    expected = diffrt.jacobian(SCENE, NAMES)
    np.testing.assert_allclose(by_lamp, expected[..., :3], atol=1e-12)
    np.testing.assert_allclose(by_radius, expected[..., 3], atol=1e-12)


def test_the_second_derivative_is_right():
    assert torch.autograd.gradgradcheck(loss, tensors())


def test_float32_and_float64_give_each_their_own_type():
    for dtype, error in ((torch.float32, 1e-6), (torch.float64, 1e-14)):
        lamp, radius = tensors(dtype)
        pixels = image(lamp, radius)
        np.testing.assert_allclose(pixels.detach(), diffrt.render(SCENE), rtol=error, atol=error)
        pixels.sum().backward()
        assert pixels.dtype == lamp.grad.dtype == radius.grad.dtype == dtype
    lamp, radius = tensors(torch.float32)[0], tensors()[1]
    mixed = image(lamp, radius)
    mixed.sum().backward()
    assert (mixed.dtype, lamp.grad.dtype, radius.grad.dtype) == (torch.float64, torch.float32, torch.float64)


def test_only_what_needs_a_gradient_gets_one_and_numbers_are_constants():
    lamp, radius = tensors()
    diffrt.torch.render(
        SCENE, {"lamp.position": lamp, "ball.radius": radius.detach(), "camera.fov": 40}
    ).sum().backward()
    assert lamp.grad.abs().sum() > 0.0 and radius.grad is None
    plain = diffrt.torch.render(SCENE, {"ball.center": [0.1, 1.0, 0.3]})
    assert not plain.requires_grad and plain.dtype == torch.get_default_dtype()
    np.testing.assert_allclose(plain, diffrt.render(SCENE.replace({"ball.center": [0.1, 1.0, 0.3]})), atol=1e-6)


def test_a_backward_pass_can_be_run_twice_where_torch_is_asked_to_keep_it():
    lamp, radius = tensors()
    total = loss(lamp, radius)
    total.backward(retain_graph=True)
    once = lamp.grad.clone()
    total.backward()
    assert torch.equal(lamp.grad, 2.0 * once)
    with pytest.raises(RuntimeError, match="second time"):
        total.backward()


def test_a_tensor_that_is_overwritten_before_the_backward_pass_is_noticed():
    lamp = torch.tensor(SCENE["lamp.position"], requires_grad=True)
    moved = 1.0 * lamp
    total = image(moved, tensors()[1]).sum()
    moved += 1.0
    with pytest.raises(RuntimeError, match="inplace"):
        total.backward()


def test_vmap_and_the_functional_transforms_go_through():
    lamp, radius = (tensor.detach() for tensor in tensors())
    lamps = lamp + torch.tensor([[0.0, 0.0, 0.0], [0.1, -0.2, 0.3]], dtype=torch.float64)
    images = torch.vmap(image, (0, None))(lamps, radius)
    slopes = torch.vmap(torch.func.grad(loss), (0, None))(lamps, radius)
    for i, each in enumerate(lamps):
        free = each.clone().requires_grad_()
        assert torch.equal(images[i], image(each, radius))
        torch.testing.assert_close(slopes[i], torch.autograd.grad(loss(free, radius), free)[0])


def test_what_is_compiled_may_hold_a_scene():
    lamp, radius = tensors()
    compiled = torch.compile(loss, backend="eager")
    torch.testing.assert_close(
        torch.autograd.grad(compiled(lamp, radius), lamp), torch.autograd.grad(loss(lamp, radius), lamp)
    )


def test_settings_are_passed_on():
    settings = {"cells": 2, "tolerance": 0.06, "engine": "numpy", "threads": 1, "dtype": "float32"}
    found = image(*tensors(), **settings).detach()
    assert np.array_equal(found, diffrt.render(SCENE, **settings))
    assert not np.array_equal(found, diffrt.render(SCENE))
    found = image(*(tensor.detach() for tensor in tensors()), edges="ignore")
    assert np.array_equal(found, diffrt.render(SCENE, edges="ignore"))


GOOD = torch.tensor([0.6, 3.3, 1.7])
HALVES = torch.tensor([0.6, 3.3, 1.7], dtype=torch.float16)
VAR = diffrt.autograd.variable([0.6, 3.3, 1.7])
MISTAKES = [
    ({"lamp.positon": GOOD}, {}, "no parameter 'lamp.positon'; did you mean 'lamp.position'?"),
    ({"lamp.position": GOOD[:2]}, {}, "allowed: three numbers [x, y, z]"),
    ({"ball.radius": GOOD[:1]}, {}, "ball.radius: found [0.9], allowed: a number from 1e-9 to 1e9"),
    ({"lamp.position": GOOD * np.nan}, {}, "lamp.position: found [nan, nan, nan], allowed: three numbers"),
    ({"ball.radius": -GOOD[0]}, {}, "ball.radius: found -0.6"),
    ({"lamp.position": GOOD.to(torch.int64)}, {}, "lamp.position: found int64, allowed: float32 or float64"),
    ({"lamp.position": HALVES}, {}, "lamp.position: found float16, allowed: float32 or float64"),
    ({"lamp.position": GOOD.to("meta")}, {}, "found tensors strided on meta; needed: strided, with values"),
    ({"lamp.position": GOOD.to_sparse()}, {}, "found tensors sparse_coo on cpu; needed: strided"),
    ({"lamp.position": list(GOOD)}, {}, "lamp.position: found a list of arrays, needed: one array; stack makes one"),
    ({"lamp.position": VAR}, {}, "lamp.position: found a Var of diffrt, needed: a number or an array"),
    ({"lamp.position": GOOD, "lamp.position.x": GOOD[0]}, {}, "name the same number; give only one of them"),
    (GOOD, {}, 'needed: values by name, such as {"lamp.position": ...}'),
    ({}, {"cels": 2}, "diffrt.torch.render: no setting 'cels'; did you mean 'cells'?"),
    ({}, {"cells": 0}, "cells: found 0, allowed: a whole number from 1 to 64"),
    ({}, {"engine": "cuda"}, 'engine: found "cuda", allowed: "llvm", "numpy" or "graph"'),
]  # fmt: skip


@pytest.mark.parametrize(("values", "settings", "told"), MISTAKES)
def test_a_mistake_is_told_in_a_line(values, settings, told):
    with pytest.raises(diffrt.InputError) as caught:
        diffrt.torch.render(SCENE, values, **settings)
    (line,) = str(caught.value).splitlines()
    assert told in line


def test_all_mistakes_are_told_at_once():
    with pytest.raises(diffrt.InputError) as caught:
        diffrt.torch.render(SCENE, {"lamp.position": GOOD[:2], "ball.radius": GOOD})
    assert len(caught.value.problems) == 2
    with pytest.raises(diffrt.InputError, match="needed: a Scene"):
        diffrt.torch.render("tiny.toml", {})


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_network_learns_to_read_images_that_it_has_not_seen():
    before, after = runpy.run_path(str(ROOT / "examples/network/train.py"))["main"]()
    assert before[0] > 0.7 and before[1] > 1.4
    assert after[0] < 0.25 and after[1] < 0.35
