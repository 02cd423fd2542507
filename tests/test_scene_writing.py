"""Writing a scene: what is read back is the same scene, to the last bit."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from diffrt.errors import InputError
from diffrt.kinds import CAMERAS, LIGHTS, MATERIALS, SHAPES, Kind, Quantity
from diffrt.scene import Scene, load_scene, parse_scene
from diffrt.scene.checking import check_document
from diffrt.scene.schema import rule_of, table_of

SCENES = sorted((Path(__file__).parent.parent / "scenes").glob("*.toml"))


def quantities(rule: Quantity) -> st.SearchStrategy[Any]:
    """Values of a parameter, from all over its range."""
    number = st.floats(max(rule.minimum, -1e9), min(rule.maximum, 1e9))
    return st.tuples(*[number] * len(rule.components)) if rule.components else number


@st.composite
def tables(draw: st.DrawFn, kinds: dict[str, type[Kind]]) -> dict[str, Any]:
    """The plain table of a camera, shape, light or material; it may break a relation."""
    kind = draw(st.sampled_from(sorted(kinds)))
    table: dict[str, Any] = {"type": kind}
    for field in table_of(kinds[kind]).model_fields:
        rule = rule_of(table_of(kinds[kind]), field)
        own = kinds[kind].fields.get(field)
        if own is not None and own.rare and draw(st.booleans()):
            continue
        if isinstance(rule, Quantity):
            table[field] = draw(quantities(rule))
        elif field == "material":
            table[field] = draw(tables(MATERIALS))
        elif field == "crop":
            table[field] = draw(st.sampled_from([[], [0, 0, 1, 1]]))
        elif field != "type":
            table[field] = draw(st.integers(1, 16384))
    return table


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Any scene."""
    names = draw(st.lists(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True), unique=True, max_size=4))
    assume("camera" not in names)
    split = draw(st.integers(0, len(names)))
    document, problems = check_document(
        {
            "reflection_depth": draw(st.integers(0, 8)),
            "camera": draw(tables(CAMERAS)),
            "shapes": {name: draw(tables(SHAPES)) for name in names[:split]},
            "lights": {name: draw(tables(LIGHTS)) for name in names[split:]},
        }
    )
    assume(not problems)
    assert document is not None
    return Scene.of(document)


@settings(max_examples=40, deadline=None)
@given(scenes())
def test_a_written_scene_is_read_back_to_the_last_bit(scene: Scene) -> None:
    text = scene.to_toml()
    again = parse_scene(text)
    assert again == scene
    paths = [parameter.path for parameter in scene.parameters()]
    assert again.pack(paths).tobytes() == scene.pack(paths).tobytes()  # -0.0 == 0.0, but not in bits
    assert again.to_toml() == text


def test_a_written_scene_reads_as_people_write_it() -> None:
    scene = parse_scene(
        """
        lights = { sky = { radiance = 1, type = "ambient" } }
        shapes.ball.center = [0, 1, 0]
        shapes.ball.radius = 1e-3
        shapes.ball.material.reflectance = 0.9
        shapes.ball.material.type = "mirror"
        shapes.ball.type = "sphere"
        camera = { height = 3, width = 4, position = [0, 0, 9], target = [0, 0, 0], fov = 45 }
        """
    )
    assert scene.to_toml() == (
        """\
reflection_depth = 4

[camera]
type = "perspective"
position = [0.0, 0.0, 9.0]
target = [0.0, 0.0, 0.0]
up = [0.0, 1.0, 0.0]
width = 4
height = 3
fov = 45.0

[shapes.ball]
type = "sphere"
center = [0.0, 1.0, 0.0]
radius = 0.001
material = { type = "mirror", reflectance = [0.9, 0.9, 0.9] }

[lights.sky]
type = "ambient"
radiance = [1.0, 1.0, 1.0]
"""
    )


@pytest.mark.parametrize("path", SCENES, ids=lambda path: path.stem)
def test_a_saved_scene_is_loaded_again(path: Path, tmp_path: Path) -> None:
    scene = load_scene(path)
    scene.save(tmp_path / "copy.toml")
    assert load_scene(tmp_path / "copy.toml") == scene


def test_scenes_in_another_order_are_not_equal() -> None:
    text = "[camera]\nposition=[0,0,1]\ntarget=[0,0,0]\nfov=45\nwidth=4\nheight=3\n"
    sky, sun = '[lights.sky]\ntype="ambient"\nradiance=1\n', '[lights.sun]\ntype="ambient"\nradiance=1\n'
    assert parse_scene(text + sky + sun) != parse_scene(text + sun + sky)
    ball, knob = (
        f'[shapes.{name}]\ntype="sphere"\ncenter=[0,0,0]\nradius=1\nmaterial={{type="mirror",reflectance=1}}\n'
        for name in ("ball", "knob")
    )
    assert parse_scene(text + ball + knob) != parse_scene(text + knob + ball)


def test_scenes_with_another_number_are_not_equal() -> None:
    scene = load_scene(SCENES[0])
    assert scene.replace({"camera.position.x": 0.125}) != scene


def test_saving_into_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist; create it first"):
        load_scene(SCENES[0]).save(tmp_path / "none" / "scene.toml")
