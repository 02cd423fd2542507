"""The command line, from the user's side."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from diffrt.photograph import read_image

ROOT = Path(__file__).parents[1]
STILL = ROOT / "scenes/still_life.toml"
TINY = ROOT / "scenes/tiny.toml"
TARGET = ROOT / "examples/still_life/target.png"


def run(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "200"}
    command = [sys.executable, "-m", "diffrt", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, timeout=120)
    # Whether it has to compile depends on what ran before.
    done.stderr = "".join(line for line in done.stderr.splitlines(True) if not line.startswith("compiling for"))
    return done


def test_render_writes_a_picture(tmp_path):
    done = run("render", TINY, "-o", tmp_path / "tiny.png")
    assert done.returncode == 0, done.stderr
    assert read_image(tmp_path / "tiny.png").shape == (3, 4, 3)
    run("render", TINY, "-o", tmp_path / "tiny.npy", "--cells", "2")
    target = read_image(ROOT / "examples/tiny/target.npy")
    assert np.allclose(read_image(tmp_path / "tiny.npy"), target, rtol=1e-12)


def test_gradient_draws_red_where_a_brighter_lamp_shines_and_prints_its_scale(tmp_path):
    done = run("gradient", STILL, "lamp.intensity.r", "-o", tmp_path / "g.png")
    assert done.returncode == 0, done.stderr
    assert re.search(r"0\.00\d+ luminance per unit of lamp\.intensity\.r", done.stdout)
    picture = read_image(tmp_path / "g.png")
    assert (picture[..., 0] >= picture[..., 2]).all()
    assert (picture[..., 0] > picture[..., 2]).any()


def test_gradient_says_how_many_edges_have_no_derivative_and_without_edges_what_is_missing(tmp_path):
    done = run("gradient", STILL, "ball.center.x", "-o", tmp_path / "g.png")
    assert "edges without a derivative: 0\n" in done.stdout
    assert done.stderr == ""
    done = run("gradient", STILL, "ball.center.x", "-o", tmp_path / "i.png", "--edges", "ignore")
    assert done.returncode == 0 and done.stderr == ""
    assert (
        "edges are ignored: what moving silhouettes, shadow borders and mirror images change is missing" in done.stdout
    )
    assert (read_image(tmp_path / "g.png") != read_image(tmp_path / "i.png")).any()


def test_check_says_right_for_every_number_and_writes_json(tmp_path):
    done = run("check", TINY, "lamp.position", "ball.radius", "--json", tmp_path / "check.json")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"(?m)^(?:lamp\.position\.[xyz]|ball\.radius) +right ", done.stdout)) == 4
    assert "4 right, 0 wrong, 0 cannot be told\nedges without a derivative: 0\n" in done.stdout
    told = json.loads((tmp_path / "check.json").read_text())
    assert [p["verdict"] for p in told["parameters"]] == ["right"] * 4
    assert max(p["error"] for p in told["parameters"]) < 1e-5
    assert told["edges_without_derivative"] == 0


def test_check_of_a_broken_rule_says_wrong_and_exits_with_one(monkeypatch, capsys):
    from diffrt import commands

    monkeypatch.setattr("diffrt.tracer.crossings.root", lambda g, x, *inputs: x)
    monkeypatch.setattr(sys, "argv", ["diffrt", "check", str(TINY), "ball.center.x"])
    with pytest.raises(SystemExit) as left:
        commands.main()
    assert left.value.code == 1
    assert "ball.center.x  wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", STILL, "lamp.positon"], "did you mean 'lamp.position'"),
        (["check", STILL, "lamp.position", "--json", "/nowhere/out.json"], "does not exist"),
        (["check", "nowhere.toml"], "no such file"),
        (["render", STILL, "-o", "x.png", "--edges", "soft"], 'edges: found "soft", allowed: "exact" or "ignore"'),
    ],
)
def test_wrong_words_for_check_and_edges_give_one_line(arguments, said):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_fit_writes_everything(tmp_path):
    done = run("fit", ROOT / "examples/tiny/fit.toml", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    first = r"evaluation 1, full image: loss 0\.00\d+, start; [\d.]+ s\n"
    assert re.match(first, done.stderr), "plain lines in a pipe"
    names = {
        "fitted.toml",
        "start.png",
        "target.png",
        "result.png",
        "difference.png",
        "comparison.png",
        "convergence.webp",
        "loss.svg",
        "report.html",
        "fit.json",
    }
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    report = json.loads((tmp_path / "out/fit.json").read_text())
    assert report["parameters"]["lamp.position.y"]["value"] == pytest.approx(3.3, abs=1e-6)
    assert read_image(tmp_path / "out/comparison.png").shape == (3, 3 * 4 + 2 * 2, 3)
    again = run("parameters", tmp_path / "out/fitted.toml").stdout
    assert re.search(r"lamp\.position +0\.6 3\.3 1\.7 +any +scene units", again)


def test_fit_of_a_scene_with_target_and_names(tmp_path):
    target = ROOT / "examples/tiny/target.npy"
    done = run("fit", TINY, "--target", target, "--free", "lamp.intensity", "--cells", 2, "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "lamp.intensity.g" in done.stdout


def test_fit_prints_nothing_or_json(tmp_path):
    fit = ROOT / "examples/tiny/fit.toml"
    quiet = run("fit", fit, "-o", tmp_path / "out", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    told = json.loads(run("fit", fit, "-o", tmp_path / "out", "--json", "--quiet").stdout)
    written = json.loads((tmp_path / "out/fit.json").read_text())
    assert told["parameters"] == written["parameters"] and told["settings"]["seed"] == 0
    assert set(written["versions"]) == {"diffrt", "numpy", "scipy"}
    assert len(written["history"]) == written["evaluations"]


def test_a_cluster_that_does_not_answer_is_told(tmp_path):
    pytest.importorskip("distributed")
    done = run("fit", ROOT / "examples/tiny/fit.toml", "-o", tmp_path, "--dask", "nowhere")
    assert_refused(done, "--dask: no cluster answers at nowhere")


def test_info_names_the_engine():
    assert "engine llvm" in run("info").stdout


def test_help_shows_an_example_of_every_command():
    for command in ("render", "gradient", "fit", "parameters", "info"):
        assert f"diffrt {command}" in run(command, "--help").stdout


def test_help_loads_nothing_heavy():
    program = (
        "import sys; sys.argv = ['diffrt', '--help']\n"
        "from diffrt.commands import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('numpy', 'scipy', 'pydantic', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def scene_with(change: tuple[str, str]) -> str:
    text = STILL.read_text()
    assert change[0] in text
    return text.replace(*change, 1)


BAD_SCENES = {
    "empty": b"",
    "truncated": STILL.read_bytes()[:200],
    "binary": bytes(range(256)) * 40,
    "oversized": b"#" * (20 << 20),
    "hostile": b"a = " + b"[" * 100_000,
    "huge image": scene_with(("width = 64", "width = 16385")).encode(),
    "nan": re.sub(rb"fov = [\d.]+", b"fov = nan", STILL.read_bytes()),
    "infinite": re.sub(rb"fov = [\d.]+", b"fov = inf", STILL.read_bytes()),
    "no radius": re.sub(rb"radius = [\d.]+", b"radius = 0", STILL.read_bytes()),
    "negative radius": re.sub(rb"radius = [\d.]+", b"radius = -1", STILL.read_bytes()),
    "blind camera": re.sub(rb"target = \[.*\]", b"target = [0, 2, 6]", STILL.read_bytes()),
    "rolling camera": re.sub(rb"target = \[.*\]", b"target = [0, 0, 6]", STILL.read_bytes()),
}


def assert_refused(done: subprocess.CompletedProcess[str], *words: object) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= 5, done.stderr
    for word in words:
        assert str(word) in done.stderr


@pytest.mark.parametrize("name", BAD_SCENES)
def test_a_bad_scene_is_one_clear_line_and_the_old_picture_stays(name, tmp_path):
    scene, output = tmp_path / "bad.toml", tmp_path / "old.png"
    scene.write_bytes(BAD_SCENES[name])
    output.write_bytes(b"old")
    assert_refused(run("render", scene, "-o", output), scene)
    assert output.read_bytes() == b"old"


def test_a_missing_scene_is_named(tmp_path):
    assert_refused(run("render", tmp_path / "none.toml", "-o", tmp_path / "x.png"), "none.toml: no such file")


@pytest.mark.parametrize(
    ("name", "data"),
    [("empty", b""), ("truncated", TARGET.read_bytes()[:400]), ("binary", bytes(range(256)) * 40),
     ("oversized", b"\x89PNG\r\n\x1a\n" + bytes(600 << 10)), ("no picture", b"hello")],
)  # fmt: skip
def test_a_bad_target_is_one_clear_line(name, data, tmp_path):
    picture = tmp_path / "bad.png"
    picture.write_bytes(data)
    done = run("fit", STILL, "--target", picture, "--free", "lamp.position", "-o", tmp_path / "out")
    assert_refused(done, picture)
    assert not (tmp_path / "out").exists()


GOOD_FIT = f'scene = "{STILL.as_posix()}"\ntarget = "{TARGET.as_posix()}"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["empty"]),
        ("scene = ", ["line 1"]),
        ('free = ["lamp.position"]\n', ["scene: missing", "target: missing"]),
        (GOOD_FIT + 'free = ["lamp.positoin"]\n', ["did you mean 'lamp.position'?"]),
        (GOOD_FIT + 'frei = ["lamp.position"]\n', ["frei: unknown key; did you mean 'free'?"]),
        (GOOD_FIT + "free = []\n", ["free: found no parameter"]),
        (GOOD_FIT + 'free = ["lamp.position", "lamp.position.x"]\n', ["name the same number"]),
        (GOOD_FIT + '[free."lamp.position"]\nstart = nan\n', ["lamp.position.start: found nan"]),
        (GOOD_FIT + '[free."lamp.position"]\nlower = [1, 2]\n', ["allowed: a number or 3 numbers"]),
        (GOOD_FIT + '[free."lamp.position"]\nlower = 5\nupper = 4\n', ["not under the upper"]),
        (GOOD_FIT + '[free."lamp.position"]\nlower = 5\n', ["outside its bounds"]),
        (GOOD_FIT + 'method = "Adam"\nfree = ["lamp.position"]\n', ['method: found "Adam"']),
        (GOOD_FIT + 'cells = 0\nfree = ["lamp.position"]\n', ["cells: found 0"]),
        (GOOD_FIT.replace("still_life.toml", "tiny.toml") + 'free = ["lamp.position"]\n', ["found 64 x 48 pixels"]),
    ],
)  # fmt: skip
def test_a_bad_fit_file_is_refused_before_anything_is_written(text, words, tmp_path):
    fit = tmp_path / "fit.toml"
    fit.write_text(text)
    assert_refused(run("fit", fit, "-o", tmp_path / "out"), fit, *words)
    assert not (tmp_path / "out").exists()


def test_paths_in_a_fit_file_are_relative_to_it(tmp_path):
    done = run("fit", ROOT / "examples/tiny/fit.toml", "-o", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_settings_on_the_command_line_are_checked_against_the_fit_file(tmp_path):
    fit = tmp_path / "fit.toml"
    fit.write_text(GOOD_FIT + "[free.'ball.radius']\nlower = 0.1\n")
    assert_refused(run("fit", fit, "--method", "CGS", "-o", tmp_path / "out"), "did you mean 'CG'?")
    assert_refused(run("fit", STILL, "-o", tmp_path / "out"), "is a scene; to fit it, give a target")


def test_a_whole_vector_has_no_derivative_image(tmp_path):
    done = run("gradient", TINY, "lamp.position", "-o", tmp_path / "x.png")
    assert_refused(done, "needed: one of lamp.position.x, lamp.position.y, lamp.position.z")


def test_outputs_that_cannot_be_written_are_refused_before_the_work(tmp_path):
    assert_refused(run("render", TINY, "-o", tmp_path / "x.gif"), "allowed: .png, .jpg, .npy or .exr")
    assert_refused(run("render", TINY, "-o", tmp_path / "none" / "x.png"), "does not exist")
    blocked = tmp_path / "file"
    blocked.write_text("mine")
    assert_refused(run("fit", ROOT / "examples/tiny/fit.toml", "-o", blocked), "cannot be made a folder")
    assert blocked.read_text() == "mine"


def test_while_it_compiles_one_line_says_so(tmp_path, monkeypatch, capsys):
    from diffrt import waiting

    monkeypatch.setattr(waiting, "_spent", 0.0)
    told = []
    waiting.tell_of_compiling(lambda: told.append("once"))
    for _ in range(8):
        waiting.compiled_for(0.1)
    assert told == ["once"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    program = "import diffrt.waiting as w; w.PATIENCE = 0.0; import diffrt.commands as c; c.main()"
    command = [sys.executable, "-c", program, "render", str(TINY), "-o", str(tmp_path / "a.png")]
    first, again = (subprocess.run(command, capture_output=True, text=True, env=environment) for _ in range(2))
    assert first.returncode == again.returncode == 0
    assert first.stderr.splitlines() == [
        "compiling for kinds of shapes and lights that are new here; kept for the next time"
    ]
