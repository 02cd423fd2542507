"""The bound of an image's error is never violated, and not many times as large as the error."""

import numpy as np
import pytest
from test_edges import FLOOR, LAMP, ball, camera, lambert
from test_render import SCENES, shipped

import diffrt
from diffrt.errors import InputError
from diffrt.image import Image, bound_map
from diffrt.scene import Scene, parse_scene
from diffrt.tracer.certificate import cut, half_plane
from diffrt.tracer.renderer import choose_engine
from diffrt.tracer.shading import Samples, lighting, shade
from diffrt.tracer.tables import build_tables
from diffrt.tracer.visibility import Visibility

POINTS = 33
"""Per pixel side, 1089 in all; every third of them is the middle of nine."""

FINER = 8
"""Where an edge runs between points, each is that many by that many."""


def converged(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """The image of points, and by how much it may be off itself, (height, width, 3) each.

    Where all points of a pixel see the same, radiance is smooth, and every third point makes nine times the error. An
    edge leaves n^-1.5 of its jump of n^2 points, so rarely more than twice that.
    """
    width, height = scene.camera.size
    with np.errstate(all="ignore"):
        tables = build_tables(scene).plain()
        view = Visibility(tables, choose_engine(None, None))

        def seen(x, y):
            labels, one = view.signature_ids(x.ravel(), y.ravel()), np.ones(x.size)
            radiance = shade(lighting(tables, view.signatures), labels, Samples(x.ravel(), y.ravel(), one), view.engine)
            return labels.reshape(x.shape), np.asarray(radiance).reshape(3, *x.shape)

        x, y = np.meshgrid(*((np.arange(-1, n * POINTS + 1) + 0.5) / POINTS for n in (width, height)))
        labels, radiance = seen(x, y)
        inner = (slice(1, -1), slice(1, -1))
        x, y, radiance, edge = x[inner], y[inner], radiance[:, *inner].copy(), np.zeros(labels[inner].shape, bool)
        for down in (0, 1, 2):
            for right in (0, 1, 2):
                edge |= labels[down : down + len(x), right : right + x.shape[1]] != labels[inner]
        beside = ((np.arange(FINER) + 0.5) / FINER - 0.5) / POINTS
        some = np.argwhere(edge)
        for start in range(0, len(some), 4096):
            own = tuple(some[start : start + 4096].T)
            right, down = np.meshgrid(beside, beside)
            radiance[:, *own] = seen(x[own][:, None, None] + right, y[own][:, None, None] + down)[1].mean((2, 3))

    def pixels(values, points=POINTS):
        return np.moveaxis(values.reshape(-1, height, points, width, points).mean((2, 4)), 0, -1)

    exact, mixed = pixels(radiance), pixels(edge[None].astype(float)) > 0.0
    smooth = np.abs(pixels(radiance[:, 1::3, 1::3], POINTS // 3) - exact)
    return exact, np.where(mixed, 2.0 * exact.max() * (POINTS * FINER) ** -1.5, smooth) + 1e-13


def compared(scene: Scene, **how) -> tuple[Image, np.ndarray, np.ndarray]:
    """The image with its bound, its error against points, and how far that is above the bound, (height, width, 3)."""
    image = diffrt.render(scene, bound=True, **how)
    exact, off = converged(scene)
    error = np.abs(np.asarray(image) - exact)
    return image, error, error - off - image.bound


def ratio(image: Image, error: np.ndarray) -> np.ndarray:
    """How many times as large as the error the bound is, where there is an error."""
    known = error > 1e-12
    return image.bound[known] / error[known]


@pytest.mark.parametrize(("name", "width", "height"), [("still_life", 16, 12), ("tiny", 12, 9)])
def test_no_error_is_larger_than_its_bound(name, width, height):
    """In the tiny scene errors are those of smooth pixels, and fall to a tenth of this at twice the width, where the
    bound is 160 times as large."""
    image, error, above = compared(shipped(name, width, height))
    assert (above <= 0.0).all()
    assert np.median(ratio(image, error)) < 50.0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_error_is_larger_than_its_bound_in_the_scenes_that_ship():
    ratios = []
    for name in SCENES:
        image, error, above = compared(shipped(name, *((12, 9) if name == "stage" else (24, 18))))
        assert (above <= 0.0).all(), name
        assert image.report.bound.without == 0, name
        ratios.append(ratio(image, error))
    assert np.median(np.concatenate(ratios)) < 50.0


def random_scene(seed: int) -> Scene:
    """One of everything that casts an edge, in random places: one structure for each half of the seeds, as every other
    one is compiled anew."""
    random = np.random.default_rng(seed)

    def near(*middle, spread=1.0):
        return [round(float(m + spread * s), 4) for m, s in zip(middle, random.uniform(-1.0, 1.0, 3), strict=True)]

    def number(low, high):
        return round(float(random.uniform(low, high)), 4)

    text = "reflection_depth = 1\n" + camera(near(0, 2, 5), near(0, 0.7, 0, spread=0.3), 6, 4) + FLOOR
    text += ball(near(0, 1, 0), number(0.2, 0.9))
    if seed % 2:
        text += f'[shapes.disk]\ntype = "disk"\ncenter = {near(0, 1, 0)}\nnormal = {near(0, 0, 1.5)}\n'
        text += f'radius = {number(0.2, 0.8)}\nmaterial = {{ type = "mirror", reflectance = 0.8 }}\n'
        text += f'[shapes.sheet]\ntype = "triangle"\na = {near(-0.6, 1, 0)}\nb = {near(0.6, 1, 0)}\n'
        text += f"c = {near(0, 1.7, 0)}\n"
        text += 'material = { type = "blinn_phong", albedo = 0.5, specular = 0.1, shininess = 20 }\n'
        text += LAMP.replace("[2, 4, 3]", str(near(1, 3.5, 3)))
        text += f'[lights.sun]\ntype = "directional"\ndirection = {near(0, -1.5, 0)}\nirradiance = 2\n'
    else:
        text += f'[shapes.tube]\ntype = "cylinder"\nbottom = {near(-0.5, 0.6, 0)}\ntop = {near(0.5, 1.2, 0)}\n'
        text += f'radius = {number(0.1, 0.5)}\ncapped = false\nmaterial = {{ type = "lambert", albedo = 0.5 }}\n'
        text += f'[shapes.crate]\ntype = "box"\ncenter = {near(0, 0.8, 0)}\nfront = {near(0, 0, 1.5)}\n'
        text += f"width = {number(0.2, 1.0)}\nheight = {number(0.2, 1.0)}\ndepth = {number(0.2, 1.0)}\n"
        text += 'material = { type = "blinn_phong", albedo = 0.5, specular = 0.1, shininess = 20 }\n'
        place, outer = near(1, 3.5, 3), number(12.0, 25.0)
        text += f'[lights.spot]\ntype = "spot"\nposition = {place}\n'
        text += f"direction = {[-c for c in near(*place, spread=0.5)]}\n"
        text += f"intensity = 40\nouter = {outer}\ninner = {number(0.2 * outer, outer)}\n"
        text += '[lights.sky]\ntype = "ambient"\nradiance = 0.1\n[background]\ntype = "constant"\nradiance = 0.3\n'
    return parse_scene(text)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_error_is_larger_than_its_bound_in_random_scenes():
    ratios = []
    for seed in range(40):
        image, error, above = compared(random_scene(seed))
        assert (above <= 0.0).all(), seed
        ratios.append(ratio(image, error))
    assert np.median(np.concatenate(ratios)) < 50.0


def test_what_hides_between_the_corners_of_cells_is_within_the_bound():
    """A strip much narrower than a cell, with a tolerance that takes large cells as they are."""
    strip = 'type = "rectangle"\ncenter = [0.13, 1.03, 0.4]\nnormal = [0.2, 0.1, 1]\nwidth = 0.05\nheight = 1.3\n'
    _, error, above = compared(parse_scene(camera() + LAMP + FLOOR + lambert("strip", strip)), tolerance=1.0)
    assert error.max() > 0.02, "it hides"
    assert (above <= 0.0).all()


def test_a_cut_holds_for_every_curve_within_its_strip():
    """An edge, and the radiance on both sides of it, that go anywhere between what their forms allow."""
    random = np.random.default_rng(0)
    u, v = np.meshgrid(*((np.arange(300) + 0.5) / 150.0 - 1.0,) * 2)
    wide = 0
    for _ in range(40):
        edge, *sides = random.normal(size=(7, 4, 1))
        edge[3] = 0.3 * abs(edge[3])
        for form in sides:
            form[3] = 0.03 * abs(form[3])

        def drawn(form):
            phase = random.uniform(0.0, 6.3)
            along, across = random.normal(scale=2.0, size=2)
            return form[0] + form[1] * u + form[2] * v + form[3] * np.sin(along * u + across * v + phase)

        plus, minus = np.stack(sides[:3]), np.stack(sides[3:])
        low, high = cut(edge, plus, minus)
        beyond = drawn(edge) > 0.0
        for channel in range(3):
            mean = np.where(beyond, drawn(plus[channel]), drawn(minus[channel])).mean()
            assert low[channel, 0] - 2e-3 <= mean <= high[channel, 0] + 2e-3
            narrow = cut(edge * [[1.0], [1.0], [1.0], [0.0]], plus, minus)
            wide += not narrow[0][channel, 0] <= mean <= narrow[1][channel, 0]
    assert wide > 10, "without the strip it does not hold"


def test_images_that_are_sampled_otherwise_differ_by_no_more_than_their_bounds():
    scene = parse_scene(camera() + LAMP + FLOOR + ball([0.1, 0.7, 0.2], 0.6))
    how = {"engine": "llvm"}, {"cells": 2, "tolerance": 2.0**-10}, {"dtype": "float32", "tolerance": 0.1}
    images = [diffrt.render(scene, bound=True, **each) for each in how]
    for one in images:
        for other in images:
            assert (np.abs(one - other) <= one.bound + other.bound).all()
    assert np.percentile(images[1].bound, 70) < 0.9 * np.percentile(images[0].bound, 70), "a tolerance counts"


def test_the_bound_of_rows_is_one_of_these_rows():
    scene = shipped("tiny")
    image, row = (diffrt.render(scene, bound=True, **how) for how in ({}, {"rows": (1, 2)}))
    assert row.bound.shape == row.shape == (1, 4, 3)
    assert (np.abs(image[1:2] - row) <= image.bound[1:2] + row.bound).all()


def test_where_nothing_can_be_said_the_bound_is_infinite():
    """Of two floors in one place neither is proved to be seen, and nothing bounds a lamp that lies on a surface."""
    text = camera((0, 4, 1), (0, 0, 0), 8, 6) + FLOOR + FLOOR.replace("floor", "other")
    through = diffrt.render(parse_scene(text + LAMP.replace("[2, 4, 3]", "[2, 0, 3]")), bound=True)
    assert np.isinf(through.bound).all()
    assert through.report.bound.without == 48
    assert "nothing can be said" in str(through.report)
    picture, _, _ = bound_map(through.bound)
    assert (picture == [1.0, 0.0, 1.0]).all()
    # With the lamp off the surface the range of what may be seen there is a bound.
    known = diffrt.render(parse_scene(text + LAMP), bound=True)
    assert (known.bound <= 0.7 / np.pi * 24.0 / 16.0 * (1.0 + 1e-6)).all()


def test_an_image_without_a_bound_has_none():
    image = diffrt.render(shipped("tiny"))
    assert image.bound is None and image.report.bound is None
    bounded = diffrt.render(shipped("tiny"), bound=True)
    assert bounded.enlarged(2).bound.shape == (6, 8, 3)
    assert (bounded.bound >= 0.0).all() and bounded.report.bound.largest == bounded.bound.max()


@pytest.mark.parametrize(
    ("how", "said"), [({"edges": "ignore"}, "exact"), ({"tolerance": 0.0}, "tolerance"), ({"bound": "yes"}, "bound")]
)
def test_settings_that_exclude_a_bound_are_refused(how, said):
    with pytest.raises(InputError, match=said):
        diffrt.render(shipped("tiny"), **{"bound": True, **how})


def test_a_bound_of_a_scene_with_variables_is_refused():
    scene = shipped("tiny")
    free = scene.replace({"ball.radius": diffrt.autograd.variable(0.9)})
    with pytest.raises(InputError, match="Vars"):
        diffrt.render(free, bound=True)


def test_the_part_of_a_square_beside_a_line():
    random = np.random.default_rng(0)
    c, a, b = random.normal(size=(3, 60))
    a[:10] = 0.0
    b[5:15] = 0.0
    area, u, v = half_plane(c, a, b)
    x, y = np.meshgrid(*((np.arange(200) + 0.5) / 100.0 - 1.0,) * 2)
    inside = (c[:, None, None] + a[:, None, None] * x + b[:, None, None] * y) > 0.0
    for found, sampled in ((area, inside), (u, inside * x), (v, inside * y)):
        assert np.abs(found - sampled.mean((1, 2))).max() < 5e-3
    assert ((area >= 0.0) & (area <= 1.0)).all()
