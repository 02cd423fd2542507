"""Kinds from outside the package: a cone, whose wall and base are faces, and classes that break what they promise."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import diffrt
from diffrt import autograd, kinds
from diffrt.errors import InputError
from diffrt.kinds import Light, Material, Shape
from diffrt.kinds.fields import extent, point, reflectance
from diffrt.tracer.differences import compare

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "examples" / "plugin" / "cone.py"


@pytest.fixture(scope="module")
def cone():
    spec = importlib.util.spec_from_file_location("plugin_cone", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["plugin_cone"] = module
    spec.loader.exec_module(module)
    yield module
    kinds.SHAPES.pop("cone")  # other tests look at what there is


def scene(module, width=40, height=30, **changes):
    found = module.diffrt.parse_scene(
        module.SCENE.replace("width = 240", f"width = {width}").replace("height = 180", f"height = {height}")
    )
    return found.replace({name.replace("__", "."): value for name, value in changes.items()})


def test_the_script_runs_by_itself_and_writes_its_picture(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, tmp_path / "cone.png"], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "edges without a derivative: 0" in done.stdout
    assert diffrt.read_image(tmp_path / "cone.png").shape == (180, 240, 3)


def test_a_wall_is_met_where_geometry_says(cone):
    """A cone of height 2 over a base of radius 1 at the origin: at half its height it has the radius 1/2."""
    zero, up = np.zeros((3, 1)), np.array([[0.0], [1.0], [0.0]])
    wall = cone.Wall(center=zero, axis=up, radius=np.ones(1), height=2.0 * np.ones(1))
    base = cone.Base(center=zero, axis=up, radius=np.ones(1), height=2.0 * np.ones(1))
    right = np.array([[1.0], [0.0], [0.0]])
    t, inside = wall.intersect(np.array([[-3.0], [1.0], [0.0]]), right, np.ones(1))
    assert t == pytest.approx(2.5, rel=1e-14) and inside > 0.0
    t, inside = wall.intersect(np.array([[0.0], [1.0], [0.0]]), right, -np.ones(1))
    assert t == pytest.approx(0.5, rel=1e-14) and inside > 0.0
    n = wall.normal_at(np.array([[0.5], [1.0], [0.0]]), np.ones(1))
    assert n[:, 0] == pytest.approx(np.array([2.0, 1.0, 0.0]) / np.sqrt(5.0), rel=1e-14)
    _, inside = wall.intersect(np.array([[-3.0], [2.1], [0.0]]), right, np.ones(1))
    assert inside < 0.0, "over the apex"
    t, inside = base.intersect(np.array([[0.2], [-3.0], [0.0]]), up, np.ones(1))
    assert t == pytest.approx(3.0, rel=1e-14) and inside > 0.0


@pytest.mark.parametrize("engine", ["llvm", "numpy"])
def test_its_derivatives_are_those_of_the_image_at_every_edge(cone, engine):
    """Outlines, rims, shadows on the floor and on each other, the cone's own shadow."""
    shown = scene(cone)
    image, report = diffrt.render(shown, report=True, engine=engine)
    assert report.without_derivative == 0 and report.crossings > 200
    names = [p.path for p in shown.parameters() if p.path.startswith(("hat.", "fallen.", "lamp.position"))]
    if engine == "numpy":
        assert np.abs(image - diffrt.render(shown, engine="llvm")).max() < 1e-12
        return
    for found in compare(shown, [n for n in names if "material" not in n]):
        assert found.verdict == "right", found
    weights = np.random.default_rng(0).normal(size=image.shape)
    v = autograd.variable(shown.pack(names))
    autograd.sum(diffrt.render(shown.unpack(names, v)) * weights).backward()
    forward = np.einsum("hwcn,hwc->n", diffrt.jacobian(shown, names), weights)
    assert v.grad == pytest.approx(forward, rel=1e-9)


def test_the_rim_between_wall_and_base_is_an_edge(cone):
    """Seen from below, the base and the wall differ in radiance, and the border between them moves with the radius."""
    below = scene(cone, camera__position=[0.4, -3.0, 1.5])
    moved = below.replace({"hat.center": [-0.5, 0.6, 0.2], "floor.point": [0.0, 9.0, 0.0]})
    image, report = diffrt.render(moved, report=True)
    assert image.max() > 0.0 and report.without_derivative == 0
    (found,) = compare(moved, ["hat.radius"])
    assert found.verdict == "right"


def test_from_inside_the_far_wall_hides_the_lamp(cone):
    inside = scene(cone, camera__position=[-0.5, 0.3, 0.2], camera__target=[-0.5, 0.4, -0.4])
    dark = diffrt.render(inside.replace({"sky.radiance": [0.0, 0.0, 0.0]}))
    assert (dark == 0.0).all(), "the lamp is outside"
    assert (diffrt.render(inside) > 0.0).all(), "the wall is seen from its inside"
    lit = diffrt.render(inside.replace({"lamp.position": [-0.5, 0.5, 0.2], "sky.radiance": [0.0, 0.0, 0.0]}))
    assert (lit > 0.0).all()


def test_code_is_kept_and_a_changed_script_is_not_mistaken_for_the_old_one(tmp_path):
    """The second run finds the code in the cache; one whose formula has changed does not."""
    script = tmp_path / "cone.py"
    script.write_text(SCRIPT.read_text())
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "LOCALAPPDATA": str(tmp_path / "cache")}

    def run(name):
        done = subprocess.run(
            [sys.executable, script, tmp_path / name], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return diffrt.read_image(tmp_path / name), {p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()}

    first, kept = run("first.png")
    again, still = run("again.png")
    assert np.array_equal(first, again) and still == kept and len(kept) > 3
    text = script.read_text()
    assert "self.radius * self.radius - dot(q, q)" in text
    script.write_text(
        text.replace("self.radius * self.radius - dot(q, q)", "0.25 * self.radius * self.radius - dot(q, q)")
    )
    changed, more = run("changed.png")
    assert len(more) > len(kept) and not np.array_equal(first, changed)


class Good(Shape):
    type = "good_ball"
    center = point("the middle")
    radius = extent("from the middle to the surface")

    def side(self, o):
        return autograd.sum((o - self.center) * (o - self.center), 0) - self.radius * self.radius

    def reach(self, o):
        return autograd.sum((o - self.center) * (o - self.center), 0) + self.radius * self.radius

    def intersect(self, o, d, side):
        return autograd.sum((self.center - o) * d, 0), self.radius - autograd.sum((self.center - o) * d, 0)

    def normal_at(self, p, side):
        return (p - self.center) / self.radius * side


def broken(base=Good, **changes):
    return type("Broken", (base,), {"type": "broken", **changes})


class Annotated(Good):
    type = "annotated"
    tilt: float


class Nameless(Material):
    albedo = reflectance("what it scatters")


class Dark(Light):
    type = "dark"
    strength = extent("how dark it is")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (broken(intersect=lambda self, o, d, side: o[0]), r"intersect gives .* results, needed: 2"),
        (broken(intersect=lambda self, o, d, side: (o, o[0])), r"intersect gives the shape \(3, 5\) for 5 samples"),
        (broken(normal_at=lambda self, p, side: p * np.nan), "normal_at gives nan for ordinary numbers"),
        (broken(side=lambda self, o: self.size), "side fails: AttributeError: Broken has no size"),
        (broken(intersect=Shape.intersect), "Broken has no formula intersect"),
        (broken(type="sphere"), "found 'sphere', which is the name of another kind"),
        (broken(type="my ball"), "needed: its name in scene files"),
        (broken(width_of_rim=0.5), r"width_of_rim: found 0.5, needed: a field with a rule"),
        (broken(faces=(Shape,)), "needed: classes of Shape with the fields of Broken"),
        (Annotated, r"tilt: has no rule; needed: a field"),
        (Nameless, "needed: its name in scene files"),
        (Dark, "Dark has no formula incident"),
        (Shape, "needed: its name in scene files"),
        (int, "needed: a class of Shape, Material, Texture, Light or Camera"),
    ],
)
def test_a_class_that_breaks_the_contract_is_told_in_one_line_each(kind, told):
    before = [dict(group) for group in (kinds.SHAPES, kinds.MATERIALS, kinds.LIGHTS, kinds.CAMERAS)]
    with pytest.raises(InputError, match=told) as fault:
        diffrt.register(kind)
    assert all("\n" not in line for line in fault.value.problems)
    assert before == [kinds.SHAPES, kinds.MATERIALS, kinds.LIGHTS, kinds.CAMERAS]


def test_a_kind_may_be_registered_again_and_is_known_to_scene_files():
    try:
        assert diffrt.register(Good) is Good and diffrt.register(Good) is Good
        with pytest.raises(InputError, match=r"shapes\.a\.radius: found -1, allowed: a number from 1e-9 to 1e9"):
            diffrt.parse_scene(
                '[camera]\nposition=[0,0,5]\ntarget=[0,0,0]\nfov=40\nwidth=2\nheight=2\n[shapes.a]\ntype="good_ball"\n'
                'center=[0,0,0]\nradius=-1\nmaterial={type="lambert",albedo=1}'
            )
    finally:
        kinds.SHAPES.pop("good_ball", None)
