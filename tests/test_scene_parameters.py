"""The parameters of a scene: found by path, replaced by numbers or variables, packed into vectors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffrt.autograd import Var, variable
from diffrt.errors import InputError
from diffrt.scene import Parameter, Scene, load_scene

FOLDER = Path(__file__).parent.parent / "scenes"
GALLERY = load_scene(FOLDER / "gallery.toml")
STILL_LIFE = load_scene(FOLDER / "still_life.toml")
FREE_ENDS = ("center", "radius", "point", "fov", "albedo", "specular", "shininess", "intensity", "radiance")
LOOSE = [parameter for parameter in GALLERY.parameters() if parameter.path.endswith(FREE_ENDS)]
ALL = {component for parameter in GALLERY.parameters() for component in parameter.components}


def complaint(values: dict[str, Any], scene: Scene = STILL_LIFE) -> str:
    """What is said, in one line, when a scene is to have these values."""
    with pytest.raises(InputError) as fault:
        scene.replace(values)
    (line,) = fault.value.problems
    return line


@st.composite
def choices(draw: st.DrawFn) -> list[str]:
    """Some parameters of the gallery in any order, vectors whole or by some of their components.

    None that has a relation to others: those cannot be chosen freely.
    """
    paths: list[str] = []
    for whole in draw(st.lists(st.sampled_from(LOOSE), unique=True, max_size=5)):
        if draw(st.booleans()):
            paths.append(whole.path)
        else:
            paths += draw(st.lists(st.sampled_from(whole.components), unique=True, min_size=1))
    return paths


@st.composite
def placements(draw: st.DrawFn) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Some parameters and a vector of values that they may have."""
    paths = draw(choices())
    known = [GALLERY.parameter(path) for path in GALLERY.components(paths)]
    bounds = [(max(p.minimum, -1e6), min(p.maximum, 1e6)) for p in known]
    return paths, np.array([draw(st.floats(*bound)) for bound in bounds])


# Finding


def test_every_parameter_has_a_path_with_bounds_and_unit() -> None:
    known = {parameter.path: parameter for parameter in STILL_LIFE.parameters()}
    assert list(known)[:5] == ["camera.position", "camera.target", "camera.up", "camera.fov", "floor.point"]
    assert known["lamp.intensity"] == Parameter(
        "lamp.intensity",
        3,
        ("lamp.intensity.r", "lamp.intensity.g", "lamp.intensity.b"),
        minimum=0.0,
        maximum=float("inf"),
        unit="W/sr",
    )
    assert known["ball.radius"] == Parameter(
        "ball.radius", 1, ("ball.radius",), minimum=1e-9, maximum=float("inf"), unit="scene units"
    )


def test_every_parameter_is_found_by_its_path_and_its_components() -> None:
    for parameter in GALLERY.parameters():
        assert GALLERY.parameter(parameter.path) == parameter
        whole = np.atleast_1d(GALLERY[parameter.path])
        assert whole.tolist() == [GALLERY[component] for component in parameter.components]
        for component in parameter.components:
            assert (GALLERY.parameter(component).components, GALLERY.parameter(component).size) == (
                (component,),
                1,
            )


def test_the_number_of_pixels_is_no_parameter() -> None:
    with pytest.raises(InputError, match=r"no parameter 'camera\.width'"):
        STILL_LIFE["camera.width"]


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("ball.centre", "ball.center"),
        ("ball.center.w", "ball.center"),
        ("boll.radius", "ball.radius"),
        ("lamp.positon.y", "lamp.position.y"),
        ("ball.albedo", "ball.material.albedo"),
        ("camera.fav", "camera.fov"),
    ],
)
def test_an_unknown_parameter_is_met_with_the_nearest_one(path: str, nearest: str) -> None:
    for ask in (
        STILL_LIFE.parameter,
        STILL_LIFE.__getitem__,
        STILL_LIFE.is_variable,
        lambda path: STILL_LIFE.replace({path: 1.0}),
        lambda path: STILL_LIFE.pack([path]),
    ):
        with pytest.raises(InputError) as fault:
            ask(path)
        assert str(fault.value).startswith(f"no parameter '{path}'; did you mean '{nearest}")


def test_all_unknown_parameters_are_told_at_once() -> None:
    with pytest.raises(InputError) as fault:
        STILL_LIFE.pack(["ball.radios", "ball.radius", "lamp.power"])
    assert len(fault.value.problems) == 2


# Replacing by numbers


def test_replacing_makes_a_new_scene_and_leaves_the_old_one() -> None:
    moved = STILL_LIFE.replace({"ball.center": [1, 2, 3], "camera.position.y": 5.0, "ball.radius": 0.5})
    assert moved["ball.center"].tolist() == [1.0, 2.0, 3.0]
    assert moved["camera.position"].tolist() == [0.0, 5.0, 6.0]
    assert moved["ball.radius"] == 0.5
    assert STILL_LIFE["ball.center"].tolist() == [-0.9, 0.8, 0.0]
    assert load_scene(FOLDER / "still_life.toml") == STILL_LIFE


def test_a_vector_of_a_scene_cannot_be_edited_in_place() -> None:
    with pytest.raises(ValueError, match="read-only"):
        STILL_LIFE["ball.center"][0] = 1.0


def test_replacing_by_a_value_out_of_range() -> None:
    assert complaint({"ball.radius": -1.0}) == ("ball.radius: found -1.0, allowed: a number from 1e-9 to 1e9")
    assert complaint({"ball.material.albedo.g": 1.5}) == (
        "ball.material.albedo: found [0.8, 1.5, 0.2], "
        "allowed: three numbers [r, g, b], or one for gray, each from 0 to 1"
    )


def test_replacing_by_nan_or_infinity() -> None:
    assert complaint({"ball.radius": float("nan")}).startswith("ball.radius: found nan, allowed: ")
    assert complaint({"lamp.position.x": float("inf")}).startswith("lamp.position: found ")


def test_replacing_the_camera_onto_its_target() -> None:
    assert complaint({"camera.position": STILL_LIFE["camera.target"]}).startswith("camera.target: found ")


def test_replacing_by_a_variable_out_of_range() -> None:
    assert complaint({"ball.radius": variable(-1.0)}).startswith("ball.radius: found -1.0, allowed: ")


@pytest.mark.parametrize(
    ("path", "value", "needed"),
    [
        ("ball.center", 1.0, "three numbers [x, y, z], each within -1e9 and 1e9"),
        ("ball.center", [1.0, 2.0], "three numbers [x, y, z], each within -1e9 and 1e9"),
        ("ball.center", [[1.0, 2.0, 3.0]], "three numbers [x, y, z], each within -1e9 and 1e9"),
        ("ball.center", [1.0, [2.0], 3.0], "three numbers [x, y, z], each within -1e9 and 1e9"),
        ("ball.center.x", [1.0, 2.0, 3.0], "one number ()"),
        ("ball.radius", "0.5", "a number from 1e-9 to 1e9"),
        ("ball.radius", True, "a number from 1e-9 to 1e9"),
        ("ball.radius", None, "a number from 1e-9 to 1e9"),
        ("ball.radius", 1j, "a number from 1e-9 to 1e9"),
    ],
)
def test_replacing_by_a_value_of_the_wrong_shape_or_kind(path: str, value: Any, needed: str) -> None:
    assert complaint({path: value}).startswith(f"{path}: found ")
    assert complaint({path: value}).endswith(f"allowed: {needed}")


def test_replacing_a_vector_and_its_component_at_once() -> None:
    assert complaint({"ball.center": [0.0, 1.0, 0.0], "ball.center.x": 1.0}) == (
        "'ball.center' and 'ball.center.x' name the same number; give only one of them"
    )


def test_all_mistakes_of_a_replacement_are_told_at_once() -> None:
    with pytest.raises(InputError) as fault:
        STILL_LIFE.replace({"ball.radius": -1.0, "marble.radius": 0.0, "camera.fov": 200.0})
    assert len(fault.value.problems) == 3


# Replacing by variables


def test_a_variable_is_the_parameter_itself() -> None:
    radius, center = variable(0.5), variable([0.0, 1.0, 0.0])
    scene = STILL_LIFE.replace({"ball.radius": radius, "ball.center": center})
    assert scene["ball.radius"] is radius
    assert scene["ball.center"] is center
    assert scene.is_variable("ball.radius")
    assert not scene.is_variable("marble.radius")


def test_replacing_more_keeps_the_variables_that_were_there() -> None:
    scene = STILL_LIFE.replace({"ball.radius": variable(0.5)}).replace({"ball.center.x": variable(0.1)})
    assert scene.replace({"camera.fov": 40.0}).variables.keys() == {"ball.radius", "ball.center.x"}


def test_a_component_of_a_variable_is_a_part_of_it() -> None:
    scene = STILL_LIFE.replace({"ball.center": variable([1.0, 2.0, 3.0])})
    assert isinstance(scene["ball.center.y"], Var)
    assert scene["ball.center.y"].value == 2.0
    assert scene.is_variable("ball.center.y")


def test_a_component_that_is_a_variable_is_merged_with_the_numbers_beside_it() -> None:
    height = variable(0.9)
    scene = STILL_LIFE.replace({"ball.center.y": height})
    assert scene["ball.center.y"] is height
    assert scene["ball.center"].value.tolist() == [-0.9, 0.9, 0.0]
    assert scene["ball.center.x"] == -0.9
    assert [scene.is_variable(f"ball.center{end}") for end in ("", ".x", ".y", ".z")] == [
        True,
        False,
        True,
        False,
    ]


def test_the_derivative_by_a_component_reaches_the_variable_and_no_other() -> None:
    x, z = variable(0.1), variable(0.2)
    scene = STILL_LIFE.replace({"ball.center.x": x, "ball.center.z": z})
    (scene["ball.center"] * np.array([2.0, 3.0, 5.0])).sum().backward()
    assert (x.grad, z.grad) == (2.0, 5.0)


def test_a_variable_component_leaves_the_other_parts_of_a_variable_vector() -> None:
    center, height = variable([1.0, 2.0, 3.0]), variable(7.0)
    scene = STILL_LIFE.replace({"ball.center": center}).replace({"ball.center.y": height})
    assert scene["ball.center"].value.tolist() == [1.0, 7.0, 3.0]
    (scene["ball.center"] * np.array([2.0, 3.0, 5.0])).sum().backward()
    assert height.grad == 3.0
    assert np.asarray(center.grad).tolist() == [2.0, 0.0, 5.0]


def test_a_number_takes_the_place_of_a_variable() -> None:
    free = STILL_LIFE.replace({"ball.center": variable([1.0, 2.0, 3.0]), "ball.radius": variable(0.5)})
    fixed = free.replace({"ball.center": [1.0, 2.0, 3.0], "ball.radius": 0.5})
    assert not fixed.variables
    half = STILL_LIFE.replace({"ball.center.x": variable(1.0)}).replace({"ball.center": [0.0, 0.0, 0.0]})
    assert not half.is_variable("ball.center")


def test_a_scene_with_variables_is_saved_with_their_values() -> None:
    free = STILL_LIFE.replace({"ball.center.y": variable(0.9), "ball.radius": variable(0.5)})
    assert free.to_toml() == STILL_LIFE.replace({"ball.center.y": 0.9, "ball.radius": 0.5}).to_toml()


def test_scenes_with_different_variables_of_one_value_are_not_equal() -> None:
    one, other = (STILL_LIFE.replace({"ball.radius": variable(0.8)}) for _ in range(2))
    assert one != other
    assert one != STILL_LIFE
    assert STILL_LIFE.replace({"ball.radius": 0.8}) == STILL_LIFE


# Packing


def test_components_are_the_numbers_in_the_order_of_the_paths() -> None:
    paths = ["ball.radius", "lamp.position", "ball.center.y"]
    assert STILL_LIFE.components(paths) == (
        "ball.radius", "lamp.position.x", "lamp.position.y", "lamp.position.z", "ball.center.y"
    )  # fmt: skip
    assert STILL_LIFE.pack(paths).tolist() == [0.8, 2.0, 4.0, 3.0, 0.8]


@settings(max_examples=30, deadline=None)
@given(choices())
def test_unpacking_what_was_packed_changes_nothing(paths: list[str]) -> None:
    assert GALLERY.unpack(paths, GALLERY.pack(paths)) == GALLERY


@settings(max_examples=30, deadline=None)
@given(placements())
def test_packing_what_was_unpacked_gives_the_vector(
    placement: tuple[list[str], np.ndarray[Any, Any]],
) -> None:
    paths, vector = placement
    scene = GALLERY.unpack(paths, vector)
    assert scene.pack(paths).tolist() == vector.tolist()
    rest = ALL.difference(GALLERY.components(paths))
    assert scene.pack(rest).tolist() == GALLERY.pack(rest).tolist()


@settings(max_examples=30, deadline=None)
@given(placements())
def test_unpacking_a_variable_makes_exactly_those_numbers_variables(
    placement: tuple[list[str], np.ndarray[Any, Any]],
) -> None:
    paths, vector = placement
    free = GALLERY.unpack(paths, variable(vector))
    fixed = GALLERY.unpack(paths, vector)
    freed = GALLERY.components(paths)
    assert free.to_toml() == fixed.to_toml()
    for parameter in GALLERY.parameters():
        value = free[parameter.path]
        assert isinstance(value, Var) == free.is_variable(parameter.path)
        assert np.all((value.value if isinstance(value, Var) else value) == fixed[parameter.path])
        for component in parameter.components:
            assert free.is_variable(component) == (component in freed)


def test_the_derivative_by_a_packed_vector_reaches_each_of_its_numbers() -> None:
    paths = ["ball.radius", "lamp.position", "ball.center.y"]
    vector = variable(STILL_LIFE.pack(paths))
    scene = STILL_LIFE.unpack(paths, vector)
    weighed = scene["lamp.position"] * np.array([2.0, 3.0, 5.0])
    (7.0 * scene["ball.radius"] + weighed.sum() + 11.0 * scene["ball.center"][1]).backward()
    assert np.asarray(vector.grad).tolist() == [7.0, 2.0, 3.0, 5.0, 11.0]


@pytest.mark.parametrize("vector", [[1.0], [1.0, 2.0, 3.0, 4.0, 5.0], [[1.0, 2.0, 3.0, 4.0]], 1.0, "abcd"])
def test_unpacking_a_vector_of_the_wrong_length(vector: Any) -> None:
    with pytest.raises(InputError) as fault:
        STILL_LIFE.unpack(["ball.center", "ball.radius"], vector)
    assert str(fault.value).endswith("allowed: shape (4,) for ball.center, ball.radius")


def test_naming_a_number_twice() -> None:
    for ask in (STILL_LIFE.pack, STILL_LIFE.components):
        with pytest.raises(InputError, match=r"'ball\.radius' and 'ball\.radius' name the same number"):
            ask(["ball.radius", "ball.radius"])
