"""Scenes made in Python: the rules of scene files, values of all sorts, and what a scene is as a value."""

import copy
import inspect
import pickle
from collections import deque
from fractions import Fraction
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_plugin import Good
from test_scene_writing import scenes

import diffrt
from diffrt import autograd, kinds
from diffrt.autograd import Var, variable
from diffrt.errors import InputError
from diffrt.kinds import (
    AmbientLight,
    BlinnPhong,
    DirectionalLight,
    Disk,
    Lambert,
    Mirror,
    Orthographic,
    Perspective,
    Plane,
    PointLight,
    Rectangle,
    Sphere,
    Triangle,
)
from diffrt.scene import Scene, parse_scene

NAMES = {**{name: getattr(diffrt, name) for name in diffrt.__all__}, "variable": variable}
"""What `from diffrt import *` gives, and `variable`."""

VIEW = Perspective((0, 2, 6), (0, 0.5, 0), fov=45, width=8, height=6)
BALL = Sphere(center=(0, 1, 0), radius=0.8, material=Lambert(albedo=0.6))
LAMP = PointLight(position=(2, 4, 3), intensity=24)
SCENE = Scene(VIEW, {"ball": BALL}, {"lamp": LAMP})

TEXT = """
reflection_depth = 2
[camera]
position = [0, 2, 6]
target = [0, 0.5, 0]
fov = 45
width = 8
height = 6
[shapes.floor]
type = "plane"
point = [0, 0, 0]
normal = [0, 1, 0]
material = { type = "lambert", albedo = 0.5 }
[shapes.ball]
type = "sphere"
center = [0, 1, 0]
radius = 0.8
material = { type = "blinn_phong", albedo = [0.8, 0.2, 0.2], specular = 0.1, shininess = 20 }
[shapes.pane]
type = "rectangle"
center = [0, 1, -3]
normal = [0, 0, 1]
width = 2
height = 1.5
material = { type = "mirror", reflectance = 0.9 }
[lights.lamp]
type = "point"
position = [2, 4, 3]
intensity = [24, 22, 20]
[lights.sky]
type = "ambient"
radiance = 0.1
"""


def in_python(**changes):
    """The scene of the text above, made of objects, with other arguments for some of them."""
    arguments = {
        "camera": {"position": (0, 2, 6), "target": (0, 0.5, 0), "fov": 45, "width": 8, "height": 6},
        "floor": {"point": (0, 0, 0), "normal": (0, 1, 0), "material": Lambert(0.5)},
        "ball": {"center": (0, 1, 0), "radius": 0.8,
                 "material": BlinnPhong(albedo=(0.8, 0.2, 0.2), specular=0.1, shininess=20)},
        "pane": {"center": (0, 1, -3), "normal": (0, 0, 1), "width": 2, "height": 1.5, "material": Mirror(0.9)},
        "lamp": {"position": (2, 4, 3), "intensity": (24, 22, 20)},
        "sky": {"radiance": 0.1},
    }  # fmt: skip
    a = {name: {**given, **changes.pop(name, {})} for name, given in arguments.items()}
    return Scene(
        camera=Perspective(**a["camera"]),
        shapes={"floor": Plane(**a["floor"]), "ball": Sphere(**a["ball"]), "pane": Rectangle(**a["pane"])},
        lights={"lamp": PointLight(**a["lamp"]), "sky": AmbientLight(**a["sky"])},
        **{"reflection_depth": 2, **changes},
    )


def problems(make):
    """The lines of the one error that making something ends with."""
    with pytest.raises(InputError) as fault:
        make()
    assert all("\n" not in line and len(line) < 300 for line in fault.value.problems)
    return list(fault.value.problems)


def of_text(text):
    return [line.removeprefix("<text>: ") for line in problems(lambda: parse_scene(text))]


# The same scenes as in files


def test_a_scene_made_in_python_is_the_one_that_a_file_holds(tmp_path):
    scene = in_python()
    assert scene == parse_scene(TEXT)
    assert scene.to_toml() == parse_scene(TEXT).to_toml()
    scene.save(tmp_path / "scene.toml")
    assert diffrt.load_scene(tmp_path / "scene.toml") == scene


@settings(max_examples=40, deadline=None)
@given(scenes())
def test_any_scene_can_be_taken_apart_and_made_again_to_the_last_bit(scene):
    again, evaluated = Scene(**scene.parts), eval(repr(scene), {**NAMES})
    assert again == scene == evaluated
    assert again.to_toml() == scene.to_toml() == evaluated.to_toml()


def test_a_camera_is_enough():
    text = "[camera]\nposition=[0,2,6]\ntarget=[0,0.5,0]\nfov=45\nwidth=8\nheight=6"
    assert Scene(VIEW) == Scene(camera=VIEW) == parse_scene(text)


def test_a_table_may_stand_for_an_object():
    ball = {"type": "sphere", "center": np.array([0, 1, 0]), "radius": variable(0.8), "material": Lambert(0.6)}
    scene = Scene(VIEW, {"ball": ball}, {"lamp": LAMP})
    assert scene["ball.radius"] is ball["radius"]
    assert scene.replace({"ball.radius": 0.8}) == SCENE


WRONG = [
    ("radius = 0.8", "radius = -1", {"ball": {"radius": -1}}),
    ("radius = 0.8", "radius = nan", {"ball": {"radius": float("nan")}}),
    ("radius = 0.8", "radius = '1'", {"ball": {"radius": "1"}}),
    ("radius = 0.8", "radius = true", {"ball": {"radius": True}}),
    ("radius = 0.8", "radius = [1.0]", {"ball": {"radius": np.ones(1)}}),
    ("radius = 0.8", "raduis = 0.8\nradius = 0.8", {"ball": {"raduis": 0.8}}),
    ("center = [0, 1, 0]", "center = [0.0, inf, 0.0]", {"ball": {"center": np.array([0.0, np.inf, 0.0])}}),
    ("center = [0, 1, 0]", "center = [0, 1]", {"ball": {"center": (0, 1)}}),
    ("center = [0, 1, 0]", "center = 2.0", {"ball": {"center": variable(2.0)}}),
    ("center = [0, 1, 0]", "center = ['0', 1, 0]", {"ball": {"center": ("0", 1, 0)}}),
    ("albedo = 0.5", "albedo = 1.5", {"floor": {"material": Lambert(albedo=1.5)}}),
    ("albedo = 0.5", "albedo = 1.5", {"floor": {"material": Lambert(variable(1.5))}}),
    ("albedo = 0.5", "albdo = 0.5", {"floor": {"material": Lambert(albdo=0.5)}}),
    ("normal = [0, 1, 0]", "normal = [0, 0, 0]", {"floor": {"normal": [0, 0, 0]}}),
    ("width = 2", "width = 2\nup = [0, 0, -3]", {"pane": {"up": (0, 0, -3)}}),
    ("target = [0, 0.5, 0]", "target = [0, 2, 6]", {"camera": {"target": (0, 2, 6)}}),
    ("position = [0, 2, 6]", "position = [0, 6, 0]", {"camera": {"position": (0, 6, 0)}}),
    ("width = 8", "width = 0", {"camera": {"width": 0}}),
    ("width = 8", "width = 8.0", {"camera": {"width": 8.0}}),
    ("fov = 45", "fov = 180", {"camera": {"fov": 180}}),
    ("intensity = [24, 22, 20]", "intensity = -1", {"lamp": {"intensity": np.int64(-1)}}),
    ("reflection_depth = 2", "reflection_depth = 9", {"reflection_depth": 9}),
    ("reflection_depth = 2", "reflexion_depth = 9", {"reflexion_depth": 9}),
]


@pytest.mark.parametrize(("old", "new", "changes"), WRONG)
def test_a_mistake_is_told_in_the_words_that_a_file_gets(old, new, changes):
    assert TEXT.count(old) == 1
    assert problems(lambda: in_python(**changes)) == of_text(TEXT.replace(old, new))


def test_all_mistakes_are_told_at_once_each_with_its_place():
    found = problems(
        lambda: Scene(
            camera=Perspective((0, 2, 6), None, fov=200, width=8.5, height=6),
            shapes={"ball": Sphere(centre=(0, 1, 0), radius=-1), "lamp": Sphere((0, 1, 0), 1, Mirror("x"))},
            lights={"lamp": PointLight((1, 2), np.nan), "my lamp": LAMP},
            reflexion_depth=3,
        )
    )
    assert [line.partition(": ")[0] for line in found] == [
        "reflexion_depth", "camera.target", "camera.width", "camera.fov", "shapes.ball.center", "shapes.ball.radius",
        "shapes.ball.material", "shapes.ball.centre", "shapes.lamp.material.reflectance", "lights.lamp.position",
        "lights.lamp.intensity", 'lights."my lamp"', "lights.lamp",
    ]  # fmt: skip
    assert "shapes.ball.centre: unknown key; did you mean 'center'?" in found
    assert "camera.target: found None, allowed: three numbers [x, y, z], each within -1e9 and 1e9" in found
    assert "lights.lamp: found the name of a shape, allowed: a name that no shape has" in found


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({}, "camera: missing; needed: a camera such as Perspective(position, target, fov=45, width=64, height=48)"),
        ({"camera": None}, "camera: found None, allowed: one of Perspective(...), Orthographic(...)"),
        ({"camera": BALL}, "camera: found Sphere(center=(0, 1, 0)"),
        ({"camera": Perspective}, "camera: found <class "),
        ({"shapes": [3]}, 'shapes: found [3], allowed: shapes by name, such as {"ball": Sphere(...)}'),
        ({"shapes": None}, "shapes: found None, allowed: shapes by name"),
        ({"shapes": {"ball": LAMP}}, "shapes.ball: found PointLight("),
        ({"shapes": {"ball": "sphere"}}, 'shapes.ball: found "sphere", allowed: one of Sphere(...), Plane(...), '),
        ({"shapes": {3: BALL}}, "shapes.3: found the name 3, allowed: a letter or _, then letters, digits or _"),
        ({"shapes": {"camera": BALL}}, 'shapes.camera: found the name "camera", allowed: another name'),
        ({"shapes": {"ball": Sphere((0, 1, 0), 1)}},
         "shapes.ball.material: missing; needed: a material such as Lambert(albedo=[0.6, 0.6, 0.6])"),
        ({"shapes": {"ball": Sphere((0, 1, 0), 1, None)}},
         "shapes.ball.material: found None, allowed: one of Lambert(...), BlinnPhong(...), Mirror(...)"),
        ({"shapes": {"ball": Sphere((0, 1, 0), 1, LAMP)}}, "shapes.ball.material: found PointLight("),
        ({"shapes": {"ball": Good((0, 1, 0), 1, Mirror(1))}}, "shapes.ball: found Good(center=(0, 1, 0)"),
        ({"lights": {"lamp": BALL}}, "lights.lamp: found Sphere("),
    ],
)  # fmt: skip
def test_what_is_no_part_of_a_scene(parts, told):
    (line,) = problems(lambda: Scene(**({"camera": VIEW} if parts and "camera" not in parts else {}), **parts))
    assert line.startswith(told)


def test_a_class_that_is_not_registered_is_told_how_to():
    (line,) = problems(lambda: Scene(VIEW, {"ball": Good((0, 1, 0), 1, Mirror(1))}))
    assert line.endswith("; diffrt.register adds a class of your own")


def test_more_values_than_fields_and_a_value_given_twice():
    assert problems(lambda: Sphere((0, 1, 0), 1, Mirror(1), 4)) == [
        "Sphere: found 4 values without a name, allowed: at most 3: center, radius, material"
    ]
    assert problems(lambda: Sphere((0, 1, 0), center=(0, 1, 0))) == ["Sphere.center: is given twice; give it once"]


# Values


@pytest.mark.parametrize(
    "center", [(0, 1, 0), [0.0, 1.0, 0.0], np.array([0, 1, 0]), np.array([0, 1, 0], np.float32), np.eye(3)[1],
               (np.int8(0), np.float32(1.0), np.float64(0.0)), np.longdouble([0, 1, 0])],
)  # fmt: skip
def test_a_vector_may_be_any_sequence_or_array_of_real_numbers(center):
    scene = Scene(VIEW, {"ball": Sphere(center, np.float32(0.5), Lambert(np.array(0.25)))})
    assert scene["ball.center"].tolist() == [0.0, 1.0, 0.0]
    assert (scene["ball.radius"], scene["ball.material.albedo.g"]) == (0.5, 0.25)


class Unwilling:
    def __array__(self, *arguments, **named):
        raise RuntimeError("move me to the processor first")


ENDLESS: list = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    "value",
    [
        None, "0, 1, 0", b"010", {0, 1, 2}, {0: 1}, (x for x in range(3)), deque([0, 1, 0]), [0, 1, None], [0, 1, "0"],
        [0, 1, [0]], [True, False, True], np.array([True, False, True]), np.zeros(2), np.zeros((3, 1)), np.zeros(0),
        np.zeros((3, 100_000)), np.array(["0", "1", "0"]), np.array([0, 1, 1j]), np.array([0, np.nan, 0]),
        np.array([0, 1, None]), np.ma.array([0, 1, 0], mask=[0, 1, 0]), [0, 1e400, 0], [0, 10**400, 0], [0, 2e9, 0],
        Fraction(1, 2), 1j, object(), Sphere, BALL, Unwilling(), ENDLESS, variable([0.0, np.inf, 0.0]),
        variable(np.zeros((3, 1))), variable(1.0), [variable(np.nan), 0, 0], [variable([0.0]), 0, 0], lambda: 0,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_vector_is_told_in_one_line(value):
    (line,) = problems(lambda: Scene(VIEW, {"ball": Sphere(value, 1.0, Mirror(1.0))}))
    assert line.startswith("shapes.ball.center: found ")
    assert line.endswith(", allowed: three numbers [x, y, z], each within -1e9 and 1e9")
    (line,) = problems(lambda: SCENE.replace({"ball.center": value}))
    assert "ball.center: found " in line or line.startswith("there is nothing") or "no parameter" in line


def test_a_variable_where_no_derivative_can_be_is_told():
    """The size of an image, or the name of a file, is no number that an image can be differentiated by."""
    (line,) = problems(lambda: Scene(Perspective((0, 2, 6), (0, 0, 0), fov=45, width=variable(8.0), height=6)))
    assert line == "camera.width: found Var(8.), allowed: a whole number from 1 to 16384"


def test_an_array_that_is_changed_later_changes_nothing():
    center, albedo = np.array([0.0, 1.0, 0.0]), [0.1, 0.2, np.array(0.3)]
    ball = Sphere(center, 0.8, Lambert(albedo))
    center[:] = 9.0
    albedo[0] = 0.9
    scene = Scene(VIEW, {"ball": ball})
    albedo[2][...] = 0.9
    assert scene["ball.center"].tolist() == [0.0, 1.0, 0.0]
    assert scene["ball.material.albedo"].tolist() == [0.1, 0.2, 0.3]
    with pytest.raises(ValueError, match="read-only"):
        ball.center[0] = 1.0


def test_a_dict_that_is_changed_later_changes_nothing():
    shapes = {"ball": BALL}
    scene = Scene(VIEW, shapes)
    shapes["other"] = BALL
    assert list(scene.shapes) == ["ball"]
    with pytest.raises(TypeError):
        scene.shapes["other"] = BALL


# Variables


def test_variables_are_the_parameters_whole_or_by_component():
    center, radius, x, gray = variable([0.0, 1.0, 0.0]), variable(0.8), variable(2.0), variable(0.6)
    scene = Scene(VIEW, {"ball": Sphere(center, radius, Lambert(gray))}, {"lamp": PointLight([x, 4, 3], 24)})
    assert scene["ball.center"] is center
    assert scene["ball.radius"] is radius
    assert scene["lamp.position.x"] is x and not scene.is_variable("lamp.position.y")
    assert scene["ball.material.albedo.g"] is gray
    assert Scene(**scene.parts) == scene
    plain = Scene(VIEW, {"ball": BALL}, {"lamp": LAMP})
    assert scene.replace({"ball.center": (0, 1, 0), "ball.radius": 0.8, "ball.material.albedo": 0.6,
                          "lamp.position.x": 2}) == plain == SCENE  # fmt: skip


def test_derivatives_reach_the_variables_that_a_scene_was_made_with():
    x, gray = variable(0.1), variable(0.6)
    image = diffrt.render(Scene(VIEW, {"ball": Sphere([x, 1, 0], 0.8, Lambert(gray))}, {"lamp": LAMP}))
    autograd.sum(image * image).backward()
    plain = SCENE.replace({"ball.center.x": 0.1})
    slopes = diffrt.jacobian(plain, ["ball.center.x", "ball.material.albedo"])
    by_hand = 2.0 * np.einsum("hwc,hwcn->n", diffrt.render(plain), slopes)
    assert x.grad == pytest.approx(by_hand[0], rel=1e-9)
    assert gray.grad == pytest.approx(by_hand[1:].sum(), rel=1e-9)


def test_shapes_may_share_a_material_and_each_has_its_own_parameters():
    paint = Lambert(albedo=variable([0.1, 0.2, 0.3]))
    scene = Scene(VIEW, {"a": Sphere((0, 1, 0), 0.5, paint), "b": Sphere((1, 1, 0), 0.5, paint)})
    assert scene["a.material.albedo"] is scene["b.material.albedo"] is paint.albedo
    other = scene.replace({"a.material.albedo": 0.9})
    assert other["a.material.albedo"].tolist() == [0.9] * 3 and other["b.material.albedo"] is paint.albedo


# A scene is a value


def test_equal_parts_make_equal_scenes_and_a_scene_says_that_it_cannot_be_hashed():
    assert Scene(VIEW, {"ball": BALL}, {"lamp": LAMP}) == SCENE != Scene(VIEW, {"ball": BALL})
    assert Scene(VIEW, {"a": BALL, "b": BALL}) != Scene(VIEW, {"b": BALL, "a": BALL})
    free = Lambert(variable(0.5))
    assert Scene(VIEW, {"ball": Sphere((0, 1, 0), 1, free)}) == Scene(VIEW, {"ball": Sphere((0, 1, 0), 1, free)})
    assert Scene(VIEW, {"ball": Sphere((0, 1, 0), 1, free)}) != Scene(
        VIEW, {"ball": Sphere((0, 1, 0), 1, Lambert(0.5))}
    )
    for value in (SCENE, BALL):
        with pytest.raises(TypeError, match="unhashable"):
            hash(value)


def test_objects_are_equal_by_their_values():
    assert Sphere((0, 1, 0), 1.0, Mirror(1)) == Sphere(center=np.array([0, 1, 0]), radius=1, material=Mirror(1.0))
    assert Sphere((0, 1, 0), 1.0) != Sphere((0, 1, 0), 2.0)
    assert Disk((0, 1, 0), (0, 1, 0), 1.0) != Sphere((0, 1, 0), 1.0)
    pane = {"center": (0, 0, 0), "normal": (0, 0, 1), "width": 1, "height": 1}
    assert Rectangle(**pane) == Rectangle(**pane, up=(0, 1, 0))
    assert Rectangle(**pane).up == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("value", [SCENE, BALL, SCENE.camera])
def test_neither_a_scene_nor_an_object_can_be_changed(value):
    for change in (lambda: setattr(value, "radius", 2.0), lambda: delattr(value, "document")):
        with pytest.raises(AttributeError, match=r"never changes; .*scene\.replace"):
            change()


def test_a_scene_reads_back_what_it_was_made_of():
    scene = in_python()
    assert scene.camera == Perspective((0, 2, 6), (0, 0.5, 0), fov=45, width=8, height=6)
    assert scene.shapes["pane"].material == Mirror((0.9, 0.9, 0.9))
    assert list(scene.lights) == ["lamp", "sky"] and scene.lights["lamp"].type == "point"
    assert (scene.camera.size, scene.reflection_depth) == ((8, 6), 2)


def test_a_scene_can_be_copied_and_pickled():
    scene = in_python()
    assert scene.shapes and scene.parts
    assert pickle.loads(pickle.dumps(scene)) == copy.deepcopy(scene) == copy.copy(scene) == scene
    assert pickle.loads(pickle.dumps(BALL)) == copy.deepcopy(BALL) == BALL


def test_the_text_of_a_scene_is_a_program_that_makes_it_again():
    assert repr(Scene(VIEW, {"ball": BALL})) == (
        "Scene(\n"
        "    camera=Perspective(position=(0.0, 2.0, 6.0), target=(0.0, 0.5, 0.0), width=8, height=6, fov=45.0),\n"
        "    shapes={\n"
        "        'ball': Sphere(center=(0.0, 1.0, 0.0), radius=0.8, material=Lambert(albedo=(0.6, 0.6, 0.6))),\n"
        "    },\n"
        "    lights={},\n"
        "    reflection_depth=4,\n"
        ")"
    )
    free = SCENE.replace({"ball.center.x": variable(1 / 3, "x"), "lamp.position": variable([1.0, 2.0, 3.0])})
    again = eval(repr(free), {**NAMES})
    assert again.variables.keys() == free.variables.keys() and again["ball.center.x"].name == "x"
    assert again.to_toml() == free.to_toml()


class Cells(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.found.append(data)


def test_a_notebook_shows_the_parts_of_a_scene():
    shown = Cells(SCENE.replace({"ball.radius": variable(0.5)})._repr_html_()).found
    assert [text for text in shown if text in ("camera", "ball", "ball.material", "lamp")] == [
        "camera", "ball", "ball.material", "lamp"
    ]  # fmt: skip
    assert "center = [0, 1, 0], radius = 0.5 (free)" in shown
    crowd = Scene(VIEW, {f"s{i}": BALL for i in range(1000)})
    assert len(crowd._repr_html_()) < 20_000 and "and 1942 more" in crowd._repr_html_()


# Replacing


def test_replacing_numbers_materials_and_the_size_of_the_image():
    scene = SCENE.replace({"ball.radius": 2.0, "ball.material": Mirror(0.9)}, width=128, height=96)
    assert (scene["ball.radius"], scene.camera.size) == (2.0, (128, 96))
    assert scene.shapes["ball"].material == Mirror((0.9, 0.9, 0.9))
    assert SCENE.replace() == SCENE == SCENE.replace(width=8)
    free = SCENE.replace({"camera.fov": variable(45.0), "ball.material.albedo": variable(0.5)})
    assert isinstance(free.replace(width=4)["camera.fov"], Var)
    assert free.replace({"ball.material": Mirror(1)}).variables.keys() == {"camera.fov"}


def test_replacing_whole_parts():
    sun = DirectionalLight(direction=(0, -1, 0), irradiance=1)
    brighter = SCENE.replace({"sun.irradiance": 2}, lights={**SCENE.lights, "sun": sun}, reflection_depth=1)
    assert list(brighter.lights) == ["lamp", "sun"] and brighter["sun.irradiance.r"] == 2.0
    plan = SCENE.replace(camera=Orthographic((0, 9, 0), (0, 0, 0), up=(0, 0, -1), view_height=5, width=4, height=4))
    assert plan.camera.type == "orthographic" and plan.shapes == SCENE.shapes
    corner = {"a": (0, 0, 0), "b": (1, 0, 0), "c": (0, 1, 0)}
    assert SCENE.replace({"ball": Triangle(**corner, material=Mirror(1))}).shapes["ball"].type == "triangle"


@pytest.mark.parametrize(
    ("values", "parts", "told"),
    [
        ({"ball.radius": -1, "bal.radius": 1, "ball.center.x": "0"}, {"width": 0},
         ["no parameter 'bal.radius'; did you mean 'ball.radius'?",
          'ball.center.x: found "0", allowed: one number ()',
          "ball.radius: found -1, allowed: a number from 1e-9 to 1e9",
          "camera.width: found 0, allowed: a whole number from 1 to 16384"]),
        ({"bal.material": Mirror(1)}, {}, ['there is nothing called "bal.material"; did you mean \'ball.material\'?']),
        ({"ball.material": BALL}, {},
         ["ball.material: found Sphere(center=(0, 1, 0), rad...material=Lambert(albedo=0.6)), "
          f"allowed: one of {', '.join(f'{kind.__name__}(...)' for kind in kinds.MATERIALS.values())}"]),
        ({"ball.material": Mirror(1), "ball.material.albedo": 0.5}, {},
         ["'ball.material' and 'ball.material.albedo' name the same number; give only one of them"]),
        ({}, {"heigth": 3}, ["replace: heigth: unknown; did you mean 'height'?"]),
        ([("ball.radius", 1)], {},
         ['replace: found [["ball.radius", 1]], needed: values by path, such as {"ball.radius": 2.0}']),
        ({}, {"camera": None}, ["camera: found None, allowed: one of Perspective(...), Orthographic(...)"]),
    ],
)  # fmt: skip
def test_all_mistakes_of_a_replacement(values, parts, told):
    assert problems(lambda: SCENE.replace(values, **parts)) == told


# Kinds


def test_every_kind_is_a_name_of_the_package_and_shows_how_it_is_made():
    for group in (kinds.CAMERAS, kinds.SHAPES, kinds.MATERIALS, kinds.LIGHTS):
        for kind in group.values():
            assert kind.__name__ in diffrt.__all__ and getattr(diffrt, kind.__name__) is kind
            assert set(kind.fields) <= set(inspect.signature(kind).parameters)
    assert str(inspect.signature(Sphere)).replace("'", "") == "(center: Vec3, radius: Scalar, material: Material)"
    assert str(inspect.signature(Rectangle)).replace("'", "") == (
        "(center: Vec3, normal: Vec3, *, up: Vec3 = (0.0, 1.0, 0.0), width: Scalar, height: Scalar, material: Material)"
    )


def test_a_kind_of_ones_own_is_made_like_any_other():
    try:
        diffrt.register(Good)
        scene = Scene(VIEW, {"ball": Good(center=(0, 1, 0), radius=0.8, material=Lambert(0.6))}, {"lamp": LAMP})
        assert parse_scene(scene.to_toml()) == scene == eval(repr(scene), {**NAMES, "Good": Good})
        assert scene.replace({"ball.radius": 0.5})["ball.radius"] == 0.5
        assert problems(lambda: Scene(VIEW, {"ball": Good((0, 1, 0), -1, Lambert(0.6))})) == [
            "shapes.ball.radius: found -1, allowed: a number from 1e-9 to 1e9"
        ]
    finally:
        kinds.SHAPES.pop("good_ball", None)


ANYTHING = st.one_of(
    st.none(), st.floats(), st.integers(), st.text(max_size=3), st.booleans(), st.lists(st.floats(), max_size=4),
    st.sampled_from([variable(0.5), np.zeros(3), np.array([np.nan] * 3), BALL, LAMP, VIEW, Mirror(0.5), Mirror, set()]),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([*kinds.SHAPES.values()]), st.data())
def test_whatever_is_given_for_a_field_makes_a_scene_or_one_error(kind, data):
    fields = data.draw(st.dictionaries(st.sampled_from([*kind.fields, "material", "colour"]), ANYTHING))
    told = ()
    try:
        Scene(VIEW, {"thing": kind(**fields)})
    except InputError as fault:
        told = fault.problems
    assert all("\n" not in line and line.startswith("shapes.thing.") for line in told)
