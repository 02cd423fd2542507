"""The command line as a whole: what stands in its files, what it prints, and what it writes for a beginner."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffrt
from diffrt import commands
from diffrt.commands.options import gain_of, of_size
from diffrt.image import Image
from diffrt.kinds import GROUPS
from diffrt.photograph import read_image
from diffrt.scene.reference import reference

ROOT = Path(__file__).parents[1]
TINY = ROOT / "scenes/tiny.toml"
SCENE = diffrt.load_scene(TINY)


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a command in this process: its exit code, what it printed, and what it complained of."""

    def called(*arguments):
        monkeypatch.setattr(sys, "argv", ["diffrt", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            commands.main()
        told = capsys.readouterr()
        # Whether it has to compile depends on what ran before.
        complaints = [line for line in told.err.splitlines() if not line.startswith("compiling for")]
        return left.value.code or 0, told.out, complaints

    return called


def test_every_command_is_a_function_in_a_file_of_its_name():
    names = {each.callback.__name__ for each in commands.app.registered_commands}
    files = {path.stem for path in (ROOT / "diffrt/commands").glob("*.py")} - {"__init__", "options"}
    assert names == files
    for each in commands.app.registered_commands:
        assert each.callback.__module__ == f"diffrt.commands.{each.callback.__name__}"


def test_the_version_is_that_of_the_package(run):
    assert run("--version") == (0, f"diffrt {diffrt.__version__}\n", [])


def test_no_command_shows_the_help_and_no_empty_complaint(run):
    code, said, complaints = run()
    assert (code, complaints) == (2, []) and "render" in said and "--version" in said


def test_help_of_every_command_loads_nothing_heavy():
    program = (
        "import sys\nfrom diffrt import commands\n"
        "for each in ['', *[c.callback.__name__ for c in commands.app.registered_commands]]:\n"
        "    sys.argv = ['diffrt', *([each] if each else []), '--help']\n"
        "    try: commands.main()\n"
        "    except SystemExit as left: assert not left.code, each\n"
        "print([m for m in ('numpy', 'scipy', 'PIL', 'llvmlite') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


# Pictures.


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "npy", "exr", "PNG"])
def test_a_picture_of_every_format_is_the_image(run, tmp_path, suffix):
    if suffix == "exr":
        pytest.importorskip("OpenEXR")
    output = tmp_path / f"tiny.{suffix}"
    code, said, complaints = run("render", TINY, "-o", output, "--cells", 2)
    assert (code, complaints) == (0, []) and "4 x 3 pixels" in said
    off = np.abs(read_image(output) - np.clip(diffrt.render(SCENE, cells=2), 0.0, 1.0)).max()
    assert off < {"npy": 1e-15, "exr": 1e-7}.get(suffix, 0.1 if suffix.startswith("j") else 0.005)


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1), st.floats(-30.0, 30.0))
def test_an_exr_file_holds_the_values_of_any_image_to_its_32_bits(height, width, seed, power):
    openexr = pytest.importorskip("OpenEXR")
    values = 10.0**power * np.random.default_rng(seed).normal(size=(height, width, 3))
    from diffrt.formats.exr import encode

    path = Path("/dev/shm" if Path("/dev/shm").is_dir() else ".") / f"diffrt-test-{seed}.exr"
    try:
        path.write_bytes(encode(Image(values)))
        with openexr.File(str(path)) as file:
            assert np.array_equal(file.channels()["RGB"].pixels, values.astype(np.float32))
    finally:
        path.unlink(missing_ok=True)


def test_a_value_that_an_exr_file_cannot_hold_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(diffrt.InputError, match=r"found 1e\+39; \.npy holds it"):
        Image(np.full((2, 2, 3), 1e39)).save(tmp_path / "bright.exr")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ((), (4, 3)),
        (("--width", 8), (8, 6)),
        (("--height", 6), (8, 6)),
        (("--width", 1), (1, 1)),
        (("--height", 1), (1, 1)),
        (("--width", 7, "--height", 2), (7, 2)),
        (("--scale", 5), (20, 15)),
        (("--width", 8, "--scale", 3), (24, 18)),
    ],
)
def test_a_picture_has_the_size_that_was_asked_for(run, tmp_path, options, size):
    for command in (("render", TINY), ("gradient", TINY, "ball.radius")):
        code, _, complaints = run(*command, *options, "-o", tmp_path / "a.png")
        assert (code, complaints) == (0, [])
        assert read_image(tmp_path / "a.png").shape == (size[1], size[0], 3)


def test_a_scale_repeats_pixels_and_an_exposure_is_in_stops(run, tmp_path):
    run("render", TINY, "--scale", 7, "--exposure", 1, "-o", tmp_path / "a.npy")
    large, small = read_image(tmp_path / "a.npy"), np.asarray(diffrt.render(SCENE))
    assert np.allclose(large[::7, ::7], 2.0 * small, rtol=1e-15) and np.allclose(large[6::7, 6::7], 2.0 * small)
    assert gain_of(-2.0) == 0.25


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 16384))
def test_a_width_alone_keeps_the_shape_to_a_pixel(width, height, wanted):
    scene = SCENE.replace(width=width, height=height)
    if wanted * height <= 16384 * width:
        found = of_size(scene, wanted, None).camera
        assert found.width == wanted and abs(found.height - max(wanted * height / width, 1.0)) <= 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--width", 0), "--width 0: an image of 0 x 1 pixels, allowed: 1 to 16384 on a side"),
        (("--width", -4, "--height", 3), "--width -4 and --height 3: an image of -4 x 3 pixels"),
        (("--height", 16384), "--height 16384: an image of 21845 x 16384 pixels"),
        (("--scale", 0), "scale: found 0, allowed for 4 x 3 pixels: a whole number from 1 to 4096"),
        (("--scale", 4097), "scale: found 4097"),
        (("--scale", 1.5), "--scale"),
        (("--exposure", "nan"), "--exposure: found nan, allowed: stops from -64 to 64"),
        (("--exposure", "inf"), "--exposure: found inf"),
        (("--exposure", 65), "--exposure: found 65.0"),
    ],
)
def test_a_size_scale_or_exposure_that_cannot_be_is_one_line(run, tmp_path, options, words):
    code, said, complaints = run("render", TINY, *options, "-o", tmp_path / "a.png")
    assert (code, said, len(complaints)) == (2, "", 1) and words in complaints[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["render", "gradient", "check"])
def test_a_scene_without_lights_says_so(run, tmp_path, command):
    text = TINY.read_text()
    (tmp_path / "dark.toml").write_text(text[: text.index("[lights")])
    more = {"render": ["-o", tmp_path / "a.png"], "gradient": ["ball.radius", "-o", tmp_path / "a.png"],
            "check": ["ball.radius"]}  # fmt: skip
    code, said, complaints = run(command, tmp_path / "dark.toml", *more[command])
    assert (code, complaints) == (0, []) and said.count("the image is black: the scene has no lights\n") == 1
    lit = run(command, TINY, *more[command])[1]
    assert "black" not in lit


def test_an_explanation_of_a_scene_without_lights_says_so(run, tmp_path):
    text = TINY.read_text()
    (tmp_path / "dark.toml").write_text(text[: text.index("[lights")])
    code, _, complaints = run("explain", tmp_path / "dark.toml", "--pixel", "2,0", "--wrt", "ball.center", "--edges",
                              "ignore")  # fmt: skip
    assert code == 2 and complaints == ["pixel 2,0 is black and depends on no parameter: the scene has no lights"]


# Names.


def test_patterns_are_taken_wherever_names_are(run, tmp_path):
    code, said, _ = run("parameters", TINY, "ball.*", "lamp.position.x")
    names = ["ball.center", "ball.radius", "ball.material.albedo", "lamp.position.x"]
    assert code == 0 and [line.split()[0] for line in said.splitlines()] == names
    assert "ball.radius  right" in run("check", TINY, "*.rad*")[1]
    assert run("gradient", TINY, "b*.rad*", "-o", tmp_path / "a.png")[0] == 0
    code, _, complaints = run("gradient", TINY, "lamp.position.*", "-o", tmp_path / "a.png")
    assert code == 2 and complaints[0].endswith("one of lamp.position.x, lamp.position.y, lamp.position.z")
    for command in (("parameters", TINY, "bal.*"), ("check", TINY, "bal.*")):
        code, said, complaints = run(*command)
        assert (code, said, len(complaints)) == (2, "", 1) and "no parameter matches 'bal.*'" in complaints[0]


# The reference.


def test_the_reference_has_every_field_of_every_kind_with_rule_unit_default_and_words(run):
    told = json.loads(run("schema", "--json")[1])
    text = run("schema")[1]
    assert {group["name"] for group in told} == {"file", *GROUPS}
    for group in told[1:]:
        assert [kind["type"] for kind in group["kinds"]] == [*GROUPS[group["name"]]]
        for entry in group["kinds"]:
            kind = GROUPS[group["name"]][entry["type"]]
            fields = {field["name"]: field for field in entry["fields"]}
            assert {*fields} == {*kind.fields, *(["material"] if group["name"] == "shapes" else [])}
            assert entry["words"] in text and f'type = "{kind.type}"' in text
            for name, field in kind.fields.items():
                assert fields[name]["words"] == field.words and fields[name]["allowed"] == field.rule.allowed
                assert fields[name]["required"] == (field.default is None)
                assert fields[name]["unit"] == getattr(field.rule, "unit", "")
                assert field.rule.allowed in text and field.words in text
    assert "a whole number from 0 to 8; 4 if left out" in text, "of the file itself"


@pytest.mark.parametrize("group", reference()[1:], ids=lambda group: group.name)
def test_every_field_of_the_reference_says_what_it_is_and_what_it_may_be(group):
    for kind in group.kinds:
        assert kind.words.endswith("."), kind.type
        assert all(field.words and field.allowed for field in kind.fields), kind.type


def test_a_part_of_the_reference_can_be_asked_for(run):
    said = run("schema", "sphere", "point")[1]
    assert re.findall(r'type = "(\w+)"  ', said) == ["sphere", "point"]
    assert len(json.loads(run("schema", "materials", "--json")[1])[0]["kinds"]) == len(GROUPS["materials"])
    code, said, complaints = run("schema", "spere", "sphere")
    assert (code, said, complaints) == (2, "", ["no kind 'spere'; did you mean 'sphere'?"])


# A first scene.


def test_a_first_scene_can_be_rendered_and_fitted_by_what_is_printed(run, tmp_path, monkeypatch):
    import shlex

    monkeypatch.chdir(tmp_path)
    code, said, complaints = run("new", "my first/scene")
    assert (code, complaints) == (0, [])
    assert {p.name for p in (tmp_path / "my first/scene").iterdir()} == {"scene.toml", "fit.toml", "target.png"}
    printed = [shlex.split(line)[1:] for line in said.splitlines() if line.startswith("  diffrt ")]
    assert [words[0] for words in printed] == ["render", "gradient", "fit"]
    for words in printed:
        assert run(*words)[0] == 0, words
    found = diffrt.load_scene("my first/scene/out/fitted.toml")
    truth = diffrt.load_scene("my first/scene/scene.toml")
    names = ["lamp.position", "ball.center", "ball.material.albedo"]
    assert np.abs(found.pack(names) - truth.pack(names)).max() < 0.02


@pytest.mark.parametrize("name", ["scene.toml", "fit.toml", "target.png"])
def test_a_folder_that_holds_such_files_is_left_as_it_is(run, tmp_path, name):
    (tmp_path / name).write_text("mine")
    code, said, complaints = run("new", tmp_path)
    assert (code, said, complaints) == (2, "", [f"{tmp_path}: holds {name} already; give another folder"])
    assert [p.name for p in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"
    code, said, complaints = run("new", tmp_path / name)
    assert (code, said, len(complaints)) == (2, "", 1)


def test_render_bound_prints_what_is_proved_and_draws_it_beside_the_picture(run, tmp_path):
    picture = tmp_path / "tiny.png"
    code, said, complaints = run("render", TINY, "-o", picture, "--bound", "--scale", 3)
    assert (code, complaints) == (0, [])
    image = diffrt.render(SCENE, bound=True)
    assert f"{image.bound.max():.2g}, and {image.bound.mean():.2g} in the mean" in said
    drawn = tmp_path / "tiny.bound.png"
    assert str(drawn) in said
    grays = read_image(drawn)
    assert grays.shape == (9, 12, 3)
    worst = np.unravel_index(image.bound.max(-1).argmax(), (3, 4))
    assert (grays[3 * worst[0], 3 * worst[1]] == 1.0).all()


def test_a_bound_without_edges_is_refused_and_nothing_is_written(run, tmp_path):
    code, said, complaints = run("render", TINY, "-o", tmp_path / "tiny.png", "--bound", "--edges", "ignore")
    assert (code, said) == (2, "") and len(complaints) == 1 and "--edges exact" in complaints[0]
    assert not list(tmp_path.iterdir())


def test_render_report_tells_and_draws_what_is_missing(run, tmp_path):
    code, said, complaints = run("render", TINY, "-o", tmp_path / "tiny.png", "--report")
    assert (code, complaints) == (0, [])
    report = diffrt.render(SCENE).report
    assert f"{report.crossings} crossings" in said and "edges without a derivative: 0" in said
    drawn = read_image(tmp_path / "tiny.report.png")
    assert ((drawn[..., 0] > drawn[..., 1]) == (report.where[..., 0] > 0.0)).all() and report.where[..., 0].any()
    assert report.where[..., 0].sum() == pytest.approx(report.unproved)
    code, said, complaints = run("render", TINY, "-o", tmp_path / "none.png", "--report", "--edges", "ignore")
    assert (code, said) == (2, "") and len(complaints) == 1 and not (tmp_path / "none.png").exists()
