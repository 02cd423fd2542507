"""The front door: functions that show themselves, names and patterns, and results that say what went into them."""

from pathlib import Path

import pytest

import diffrt
from diffrt import InputError

ROOT = Path(__file__).parents[1]
TINY = diffrt.load_scene(ROOT / "scenes/tiny.toml")


# Names.


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        ("ball.*", ["ball.center", "ball.radius", "ball.material.albedo"]),
        (["*.radius", "lamp.*"], ["ball.radius", "lamp.position", "lamp.intensity"]),
        ("lamp.position.[xz]", ["lamp.position.x", "lamp.position.z"]),
        ("ball.center.?", ["ball.center.x", "ball.center.y", "ball.center.z"]),
        (["ball.*", "ball.center"], ["ball.radius", "ball.material.albedo", "ball.center"]),
        (["*.radius", "ball.r*"], ["ball.radius"]),
    ],
)
def test_a_pattern_stands_for_what_it_matches_wherever_names_are_taken(names, meant):
    assert TINY.components(names) == TINY.components(meant)
    assert TINY.pack(names).tolist() == TINY.pack(meant).tolist()
    assert TINY.unpack(names, 0.9 * TINY.pack(names)) == TINY.unpack(meant, 0.9 * TINY.pack(meant))


def test_a_pattern_gives_many_parameters_one_value_and_a_name_says_more():
    moved = TINY.replace({"*.albedo": [0.5, 0.5, 0.5], "ball.material.albedo": [0.1, 0.2, 0.3]})
    assert moved["floor.material.albedo"].tolist() == [0.5, 0.5, 0.5]
    assert moved["ball.material.albedo"].tolist() == [0.1, 0.2, 0.3]


@pytest.mark.parametrize("names", ["bal.*", ["ball.radius", "bal.*"]])
def test_a_pattern_that_matches_nothing_is_refused_with_what_there_is(names):
    with pytest.raises(InputError, match=r"no parameter matches 'bal\.\*'; known: camera\.position, ") as fault:
        TINY.components(names)
    assert len(fault.value.problems) == 1


def test_two_names_of_one_number_are_refused_even_if_one_is_a_pattern():
    with pytest.raises(InputError, match="'ball.center' and 'ball.center.x' name the same number"):
        TINY.components(["ball.*", "ball.center.x"])
