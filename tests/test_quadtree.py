"""The quadtree of cells: what a cell knows of its neighbours and corners is what one would find by looking for it."""

import numpy as np
import pytest

from diffrt import render
from diffrt.compiler import REFERENCE
from diffrt.kinds import Lambert, Perspective, Plane, PointLight, Sphere
from diffrt.scene import Scene
from diffrt.tracer import cells
from diffrt.tracer.quadtree import BITS, ROW, SMALLEST, Corners, Grid, Quadtree
from diffrt.tracer.tables import build_tables
from diffrt.tracer.visibility import Visibility


def balls(count: int = 5, size: tuple[int, int] = (12, 9)) -> Scene:
    random = np.random.default_rng(count)
    shapes = {"floor": Plane((0, 0, 0), (0, 1, 0), Lambert(0.7))}
    for i in range(count):
        shapes[f"s{i}"] = Sphere(random.uniform([-2.0, 0.1, -1.5], [2.0, 1.8, 1.5]), 0.3, Lambert(0.6))
    camera = Perspective((0.3, 1.9, 5), (0, 0.6, 0), fov=45, width=size[0], height=size[1])
    return Scene(camera, shapes, {"lamp": PointLight((2, 4, 3), 20)})


@pytest.mark.parametrize("order", range(3))
def test_neighbours_and_corners_are_those_of_the_places(order):
    """Cells are halved in any order, those of a level in several goes."""
    random = np.random.default_rng(order)
    only = random.random((9, 12)) < 0.9 if order else None
    asked = np.ones((10, 13), bool) if order else None
    corners = Corners(Visibility(build_tables(balls()), REFERENCE), 12, 9, 0.5**SMALLEST, asked)
    made = Quadtree(corners, Grid(corners, 12, 9, only))
    for level in (0, 1, 0, 2, 1, 0, 2):
        open_ = np.flatnonzero(made.levels[level].first == -1)
        made.halve(level, np.sort(random.choice(open_, len(open_) // 3, replace=False)))
    assert len(set(zip(corners.x.tolist(), corners.y.tolist(), strict=True))) == corners.count
    assert (corners.label == corners._view.signature_ids(corners.x, corners.y)).all()
    for level, each in enumerate(made.levels[1:4], 1):
        place = {key: i for i, key in enumerate(each.key.tolist())}
        assert len(place) == each.count > 0
        around = [x + ROW * y for y in (-1, 0, 1) for x in (-1, 0, 1)]
        assert each.block.tolist() == [[place.get(key + step, -1) for step in around] for key in each.key.tolist()]
        assert (made.places(level, each.key) == np.arange(each.count)).all()
        assert (made.places(level, each.key + 5000) == -1).all()
        for way, (x, y) in enumerate([(0, 0), (1, 0), (1, 1), (0, 1)]):
            assert (corners.x[each.corner[:, way]] == ((each.key & (ROW - 1)) + x) / 2**level).all()
            assert (corners.y[each.corner[:, way]] == ((each.key >> BITS) + y) / 2**level).all()


def test_rounds_after_the_first_forget_no_cell(monkeypatch):
    """They look at new cells only. If all are looked at again, no more are found."""
    scene = balls(80, (128, 96))
    quick = render(scene)
    again = cells._Growth.grow

    def grow(self, level):
        self.seen = [0] * SMALLEST
        again(self, level)

    monkeypatch.setattr(cells._Growth, "grow", grow)
    assert render(scene).report.samples == quick.report.samples
