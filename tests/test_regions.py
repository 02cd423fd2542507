"""Samples of the parts of cells: their rules, their sums, and edges that touch borders of cells."""

from math import cos, pi, sin

import numpy as np
import pytest

from diffrt import jacobian, load_scene, render
from diffrt.compiler import Engine
from diffrt.kinds import AmbientLight, Disk, Lambert, Orthographic, Rectangle
from diffrt.scene import Scene
from diffrt.tracer.regions import SHARES, SPOTS, find_regions
from diffrt.tracer.renderer import Settings, Topology, find_topology, places_of
from diffrt.tracer.tables import build_tables
from diffrt.tracer.window import Part, window_of


def test_the_samples_of_a_wedge_integrate_roots_of_the_distance():
    along, from_joint = SPOTS[0, :, 2], 1.0 - SPOTS[1, :, 0]
    for power in (-0.5, 0.0, 0.5, 1.0):  # the integral of 2 (1 - d) d^power
        assert SHARES[0] @ along**power == pytest.approx(2.0 / ((power + 1.0) * (power + 2.0)), rel=1e-12)
    for power in (0.0, 0.5, 1.0, 1.5):  # that of 2 r r^power
        assert SHARES[1] @ from_joint**power == pytest.approx(2.0 / (power + 2.0), rel=1e-12)
    assert SPOTS.sum(-1) == pytest.approx(np.ones((2, 4)), rel=1e-12)
    assert SPOTS.min() >= 0.0


def test_the_samples_of_regions_have_their_areas_and_centroids():
    scene = load_scene("scenes/still_life.toml").replace(width=32, height=24)
    tables = build_tables(scene)
    found = find_topology(tables, window_of(scene, Part()), Settings(), Engine())
    assert found.regions.rough.sum() > 20
    object.__setattr__(found.cells, "rough", np.zeros_like(found.cells.rough))
    plain = Topology(found.cells, find_regions(found.cells))
    sums = []
    for topology in (found, plain):
        x, y, area = places_of(tables, topology, Engine())
        owner, count = topology.regions.region, len(topology.regions.cell)
        sums.append([np.bincount(owner, v, count) for v in (area, x * area, y * area)])
    assert np.array(sums[0]) == pytest.approx(np.array(sums[1]), rel=1e-11, abs=1e-12)


def disk(radius: float) -> Scene:
    """A disk of 15 pixels' radius, beyond that by what the radius is more than 1.5 in tenths, about the corner of four
    pixels."""
    camera = Orthographic(position=(0, 0, 5), target=(0, 0, 0), view_height=4.0, width=40, height=40)
    grey = Lambert(albedo=(0.5, 0.5, 0.5))
    return Scene(camera=camera, shapes={"disk": Disk((0.1, 0.2, 0), (0, 0, 1), radius, grey)},
                 lights={"sky": AmbientLight(radiance=(1, 1, 1))})  # fmt: skip


def arcs(radius: float) -> np.ndarray:
    """How long the disk's border is in each pixel, in scene units, (40, 40)."""
    turn = (np.arange(400_000) + 0.5) / 400_000 * 2.0 * pi
    x, y = 21.0 + 10.0 * radius * np.cos(turn), 18.0 - 10.0 * radius * np.sin(turn)
    pixel = np.floor(y).astype(int) * 40 + np.floor(x).astype(int)
    return np.bincount(pixel, minlength=1600).reshape(40, 40) * 2.0 * pi * radius / 400_000


@pytest.mark.parametrize("beyond", [0.0, 1e-9, 1e-8, 1e-6, 1e-4, -1e-7])
def test_an_edge_that_touches_borders_of_pixels_has_its_derivative(beyond):
    radius = 1.5 + beyond
    found = jacobian(disk(radius), ["disk.radius"])[..., 0, 0] / 0.5 * 0.1**2
    expected = arcs(radius)
    assert found.sum() == pytest.approx(expected.sum(), rel=5e-4)
    assert np.abs(found - expected).max() < 0.006 * expected.max()


def test_an_edge_that_leaves_its_cell_in_between_is_not_one_through_it():
    # The shadow of the ball leaves the cells of one column and comes back.
    scene = load_scene("scenes/still_life.toml").replace({"ball.center.x": 1.4768})
    image, finer = render(scene), render(scene, tolerance=1e-4)
    assert np.abs(image - finer).max() < 6e-4 * np.max(finer)


@pytest.mark.parametrize("turn", [0.3, 0.8, 1.2])
@pytest.mark.parametrize("width", [0.4, 0.15, 0.06])
def test_a_strip_that_is_narrower_than_a_cell_has_its_derivative(width, turn):
    """By its width, of a card of less than half a pixel: half of what its long borders are in each pixel."""
    long = np.array([cos(turn), sin(turn)])
    white = Lambert(albedo=(1, 1, 1))
    card = Rectangle((0.13, 0.21, 0), (0, 0, 1), (*long, 0), width, 30.0, white)
    camera = Orthographic(position=(0, 0, 5), target=(0, 0, 0), view_height=12.0, width=12, height=12)
    scene = Scene(camera=camera, shapes={"card": card}, lights={"sky": AmbientLight(radiance=(1, 1, 1))})
    along = (np.arange(400_000) + 0.5) / 400_000 * 30.0 - 15.0
    length = np.zeros((12, 12))
    for side in (-0.5, 0.5):
        x = 6.13 + along * long[0] + side * width * long[1]
        y = 5.79 - along * long[1] + side * width * long[0]
        inside = (x > 0.0) & (x < 12.0) & (y > 0.0) & (y < 12.0)
        np.add.at(length, (y[inside].astype(int), x[inside].astype(int)), 30.0 / 400_000)
    found = np.asarray(jacobian(scene, ["card.width"]))[..., 0, 0]
    assert np.linalg.norm(found - 0.5 * length) < 1e-4 * np.linalg.norm(length)
    assert not render(scene).report.unproved
