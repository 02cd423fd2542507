"""Kinds from outside the package: a bowl, whose two sides are faces, and classes that break what they promise."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import diffrt
from diffrt import autograd, kinds
from diffrt.errors import InputError
from diffrt.kinds import GROUPS, Lambert, Light, Material, Perspective, Shape, Texture
from diffrt.kinds.fields import Relation, extent, intensity, own, point, reflectance
from diffrt.kinds.promises import of_formulas
from diffrt.kinds.vectors import dot, length
from diffrt.tracer.differences import compare

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "examples" / "plugin" / "bowl.py"


def loaded(script):
    name = f"plugin_{script.stem}"
    spec = importlib.util.spec_from_file_location(name, script)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bowl():
    yield loaded(SCRIPT)
    kinds.SHAPES.pop("bowl")  # other tests look at what there is


def scene(module, width=24, height=18, **changes):
    found = module.diffrt.parse_scene(
        module.SCENE.replace("width = 240", f"width = {width}").replace("height = 180", f"height = {height}")
    )
    return found.replace({name.replace("__", "."): value for name, value in changes.items()})


def test_the_script_runs_by_itself_and_writes_its_picture(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, tmp_path / "bowl.png"], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    # Where the rim nearly touches its own shadow an edge may be told from none.
    assert re.search(r"edges without a derivative: [0-3]\n", done.stdout)
    assert diffrt.read_image(tmp_path / "bowl.png").shape == (180, 240, 3)


def test_a_wall_is_met_where_geometry_says(bowl):
    """A bowl of height 2 with a rim of radius 2 over the origin: at the height y its radius is sqrt(2 y)."""
    fields = {"bottom": np.zeros((3, 1)), "axis": np.array([[0.0], [3.0], [0.0]])}
    outside, lining = (face(**fields, radius=2.0 * np.ones(1), height=2.0 * np.ones(1)) for face in bowl.Bowl.faces)
    right, down = np.array([[1.0], [0.0], [0.0]]), np.array([[0.0], [-1.0], [0.0]])
    o = np.array([[-3.0], [0.5], [0.0]])
    for face, side, distance, slope in ((outside, 1.0, 2.0, -1.0), (lining, -1.0, 4.0, -1.0)):
        assert face.side(o) == side
        t, inside = face.intersect(o, right, face.side(o))
        assert t == pytest.approx(distance, rel=1e-14) and inside > 0.0
        n = face.normal_at(o + t * right, face.side(o))
        assert n[:, 0] == pytest.approx(np.array([slope, -side, 0.0]) / np.sqrt(2.0), rel=1e-14)
        assert face.intersect(o + 1.6 * -down, right, face.side(o))[1] < 0.0, "over the rim"
    above = np.array([[1.0], [7.0], [0.0]])
    t, inside = lining.intersect(above, down, -np.ones(1))
    assert t == pytest.approx(6.5, rel=1e-14) and inside > 0.0, "from above, along the axis"
    assert outside.intersect(above, down, np.ones(1))[1] < 0.0


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["llvm", "numpy"])
def test_its_derivatives_are_those_of_the_image_at_every_edge(bowl, engine):
    """Outlines, rims, shadows on the floor and on each other, the shadow of a bowl in itself."""
    shown = scene(bowl)
    image = diffrt.render(shown, engine=engine)
    report = image.report
    assert report.without_derivative == 0 and report.crossings > 200
    names = [p.path for p in shown.parameters() if p.path.startswith(("upright.", "tipped.", "lamp.position"))]
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


def test_the_rim_between_the_two_sides_is_an_edge(bowl):
    """From above, the lining and the outside differ in radiance, and the border between them moves with the radius."""
    alone = scene(bowl, camera__position=[-0.7, 2.0, 3.0], floor__point=[0.0, -9.0, 0.0])
    image = diffrt.render(alone)
    report = image.report
    assert image.max() > 0.0 and report.without_derivative == 0
    for found in compare(alone, ["upright.radius", "upright.height"]):
        assert found.verdict == "right", found


def test_from_inside_the_far_wall_hides_the_lamp(bowl):
    low = {"lamp__position": [3.0, 0.3, 0.2], "sky__radiance": [0.0, 0.0, 0.0], "upright__height": 2.0}
    inside = scene(bowl, camera__position=[-0.7, 0.5, 0.2], camera__target=[-0.6, 0.45, -0.4], **low)
    assert (np.asarray(diffrt.render(inside)) == 0.0).all(), "the lamp is outside"
    assert (diffrt.render(inside.replace({"sky.radiance": [0.1, 0.1, 0.1]})) > 0.0).all(), "the lining is seen"
    assert (diffrt.render(inside.replace({"lamp.position": [-0.7, 0.8, 0.2]})) > 0.0).all()


def test_code_is_kept_and_a_changed_script_is_not_mistaken_for_the_old_one(tmp_path):
    """The second run finds the code in the cache; one whose formula has changed does not."""
    script = tmp_path / "bowl.py"
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
    assert "dot(flat, flat) / self.height" in text
    script.write_text(text.replace("dot(flat, flat) / self.height", "dot(flat, flat) / (0.5 * self.height)"))
    changed, more = run("changed.png")
    assert len(more) > len(kept) and not np.array_equal(first, changed)


class Good(Shape):
    type = "good_ball"
    center = point("the middle")
    radius = extent("from the middle to the surface")

    meets_itself = (-1.0,)

    def side(self, o):
        return dot(o - self.center, o - self.center) - self.radius * self.radius

    def reach(self, o):
        return dot(o - self.center, o - self.center) + self.radius * self.radius

    def intersect(self, o, d, side):
        b = dot(self.center - o, d)
        q = self.center - o - b * d
        h = self.radius * self.radius - dot(q, q)
        return b - side * autograd.sqrt(autograd.where(autograd.greater(h, 0.0), h, 1.0)), h

    def normal_at(self, p, side):
        return (p - self.center) / self.radius * side

    def again(self, o, d, side):
        return dot(d, self.normal_at(o, side))

    def box(self):
        return self.center - self.radius, self.center + self.radius


class Cap(Good):
    """A part of a ball that is one face: seen from in front of the ball, what is behind the near root is missed."""

    def intersect(self, o, d, side):
        t, h = super().intersect(o, d, side)
        return t, autograd.minimum(h, o[2] + t * d[2] - self.center[2])


class Twins(Good):
    """Two balls above each other that are one face: the one may hide the other."""

    def each(self):
        up = np.array([[0.0], [2.5], [0.0]])
        return [Good.holding(center=self.center + s * up * self.radius, radius=self.radius) for s in (-0.5, 0.5)]

    def side(self, o):
        return autograd.minimum(*(ball.side(o) for ball in self.each()))

    def intersect(self, o, d, side):
        (t, h), (s, k) = (ball.intersect(o, d, side) for ball in self.each())
        one, two = autograd.minimum(t, h), autograd.minimum(s, k)
        nearer = autograd.logical_and(autograd.greater(one, 0.0), autograd.less(t, s))
        first = autograd.logical_or(autograd.less_equal(two, 0.0), nearer)
        return autograd.where(first, t, s), autograd.maximum(one, two)

    def normal_at(self, p, side):
        one, two = self.each()
        first = autograd.less(autograd.absolute(one.side(p)), autograd.absolute(two.side(p)))
        return autograd.where(first, one.normal_at(p, side), two.normal_at(p, side))

    def box(self):
        return self.center - 3.0 * self.radius, self.center + 3.0 * self.radius


class Bulb(Light):
    type = "bulb"
    position = point("where it is")
    intensity = intensity("how strong it is")

    def incident(self, p):
        v = self.position - p
        return v / length(v), length(v), self.intensity / dot(v, v)


class Chalk(Material):
    type = "chalk"
    albedo = reflectance("what it scatters")

    def brdf(self, n, to_eye, to_light):
        return self.albedo / np.pi

    def ambient(self, n, to_eye):
        return self.albedo


class Ramp(Texture):
    type = "ramp"
    low = own("at v = 0")
    high = own("at v = 1")

    def value(self, u, v, around):
        return self.low + v * (self.high - self.low)


def broken(base=Good, **changes):
    return type("Broken", (base,), {"type": "broken", **changes})


def o_(p):
    return p[0] * p[0] + 1.0


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
        (
            broken(side=lambda self, o: dot(o, o) if self.radius > 1.0 else o[0]),
            r"side fails where it is compiled: TypeError: a branch on a value",
        ),
        (broken(side=lambda self, o: 1j * o[0]), "side gives complex128, needed: numbers"),
        (broken(intersect=lambda self, o, d, side: (o[0], None)), "intersect gives NoneType, needed: numbers"),
        (broken(again=lambda self, o, d, side: o), r"again gives the shape \(3, 5\)"),
        (broken(normal_at=lambda self, p, side: p - self.center), "a normal whose length is not 1"),
        (broken(normal_at=lambda self, p, side: (p - self.center) / self.radius), "that points away from the ray"),
        (broken(side=lambda self, o: -Good.side(self, o)), "side does not give the side that Broken.normal_at points"),
        (broken(box=lambda self: (self.center, self.center + self.radius)), "box does not hold the points"),
        (broken(clearance=lambda self, p: length(p - self.center)), "clearance gives more than the distance"),
        (broken(margins=lambda self, o, d, side: (o[0],)), "margins are not positive where Broken.intersect"),
        (broken(meets_itself=()), r"leaves the side -1 meets the face again; needed: meets_itself = \(-1.0,\)"),
        (broken(again=lambda self, o, d, side: -dot(d, self.normal_at(o, side))), "again does not say of a ray"),
        (broken(Cap), "meets a point from one end of a ray and misses it from the other; .* needs two faces"),
        (broken(Twins), "a ray can come through the face twice from one side, so one part of it hides another"),
        (
            broken(Bulb, incident=lambda self, p: (self.position - p, o_(p), self.intensity)),
            "light whose length is not",
        ),
        (broken(Bulb, origin=lambda self: self.position + 1.0), "origin is not where Broken.incident says"),
        (broken(Bulb, at_most=lambda self, distance: self.intensity / distance), "less than the irradiance"),
        (broken(Chalk, at_most=lambda self: (0.1 * self.albedo, self.albedo)), "at_most gives less than Broken.brdf"),
        (
            broken(Chalk, at_most=lambda self: (self.albedo, 0.5 * self.albedo)),
            "at_most gives less than Broken.ambient",
        ),
        (
            broken(Chalk, brdf=lambda self, n, eye, light: self.albedo * (dot(n, eye) - 0.1)),
            r"brdf gives -0\.\d+, needed: 0 or more",
        ),
        (broken(Ramp, bounds=lambda self, u, v, around: (0.0, 0.0)), "bounds do not hold what Broken.value gives"),
        (broken(Ramp, slopes=lambda self, u, v, around: ((0.0, 0.0),) * 2), "slopes do not hold what Broken.value"),
        (broken(type="sphere"), "found 'sphere', which is the name of another kind"),
        (broken(type="my ball"), "needed: its name in scene files"),
        (broken(width_of_rim=0.5), r"width_of_rim: found 0.5, needed: a field with a rule"),
        (broken(faces=(Shape,)), "needed: classes of Shape with the fields of Broken"),
        (broken(faces=(Good, broken(back=-1), broken(back=1))), r"Broken\.back: found -1, needed: \+1, and -1 for the"),
        (broken(faces=(Good,), faces_if={"lid": ()}), "faces_if: found 'lid', needed: the name of a flag among the"),
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


def test_a_scene_from_before_its_kind_got_another_field_is_told():
    """As where the cell of a notebook is changed and run again, and not those after it."""
    material = Lambert(albedo=0.5)
    made = {"__module__": Good.__module__, "__qualname__": Good.__qualname__, "swell": extent("more")}
    try:
        kind = diffrt.register(Good)
        camera = Perspective(position=[0, 0, 5], target=[0, 0, 0], width=4, height=3, fov=40)
        scene = diffrt.Scene(camera=camera, shapes={"a": kind(center=[0, 0, 0], radius=1.0, material=material)})
        assert diffrt.render(scene).shape == (3, 4, 3)
        diffrt.register(type("Good", (Good,), made))
        with pytest.raises(InputError, match=r"^a: Good was registered again with the field swell, which this scene"):
            diffrt.render(scene)
    finally:
        kinds.SHAPES.pop("good_ball", None)


@pytest.mark.parametrize("name", ["parts", "fields", "numbers", "unpack"])
def test_a_formula_with_the_name_of_something_else_is_told(name):
    with pytest.raises(InputError, match=f"Broken: {name}: is the name of something else; needed: another name for"):
        broken(**{name: lambda self: 1})


def test_every_kind_of_the_package_keeps_its_promises_and_what_rules_exclude_is_not_tried():
    for group in GROUPS.values():
        for kind in group.values():
            assert of_formulas(kind) == []
    for kind in (Good, Bulb, Chalk, Ramp):
        assert of_formulas(kind) == []
    smaller = Relation(("hole", "radius"), "hole", lambda hole, radius: hole <= radius, "at most radius")
    ring = broken(
        hole=extent("of what is cut out"), relations=(smaller,),
        reach=lambda self, o: Good.reach(self, o) + autograd.sqrt(self.radius - self.hole),
    )  # fmt: skip
    assert of_formulas(ring) == []


@pytest.mark.slow
def test_kinds_keep_their_promises_on_whatever_numbers_are_drawn():
    before = {name: dict(group) for name, group in GROUPS.items()}
    try:
        for script in SCRIPT.parent.glob("*.py"):
            loaded(script)
        every = [kind for group in GROUPS.values() for kind in group.values()]
    finally:
        for name, group in GROUPS.items():
            group.clear()
            group.update(before[name])
    assert len(every) > sum(map(len, before.values()))
    told = {(kind.type, seed): of_formulas(kind, seed) for kind in every for seed in range(40)}
    assert {key: lines for key, lines in told.items() if lines} == {}
