"""What reaches a terminal is text, short and on one line, and however a command ends, its last word is no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffrt
from diffrt import commands
from diffrt.errors import MOST_LETTERS, MOST_PROBLEMS, InputError, printable, shown

ROOT = Path(__file__).parents[1]
TINY = ROOT / "scenes/tiny.toml"
TARGET = ROOT / "examples/tiny/target.npy"
HOSTILE = "\x1b]0;owned\x07\x1b[31m\r\n\u202egnp.\u2066\x9b\u2028\ud83d"
"""Sets the title of a terminal, its colour, goes to the line's start, turns the direction of writing."""


def run(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    command = [sys.executable, "-m", "diffrt", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, timeout=60, **options)


def in_process(monkeypatch, capsys, *arguments):
    """The exit code, standard output and standard error of a command."""
    monkeypatch.setattr(sys, "argv", ["diffrt", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        commands.main()
    return left.value.code, *capsys.readouterr()


@given(st.text(st.characters(), max_size=2000))
def test_an_error_of_any_text_is_one_printable_line_of_bounded_length(text):
    (line,) = InputError(text).problems
    assert line.isprintable() and len(line) <= MOST_LETTERS
    assert InputError(line).problems == (line,), "saying it again changes nothing"
    assert printable(text) == text or not text.isprintable()


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=300) | st.binary(max_size=300)
    | st.integers(0, 20000).map(lambda digits: -(10**digits)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)  # fmt: skip


@settings(max_examples=30)
@given(VALUES)
def test_any_value_is_shown_on_one_short_line(value):
    assert shown(value).isprintable() and len(shown(value)) < 5000


def test_a_value_that_cannot_show_itself_is_shown():
    class Odd:
        def __repr__(self):
            raise OSError

    assert "Odd" in shown(Odd()) and shown(np.zeros((300, 300))) == "an array of shape (300, 300)"


def test_thousands_of_mistakes_are_two_dozen_lines():
    fault = InputError(*map(str, range(5000)))
    assert len(fault.problems) == MOST_PROBLEMS + 1 and "more mistakes" in fault.problems[-1]


QUOTED = '"' + HOSTILE.encode("unicode_escape").decode().replace("\\x", "\\u00").replace("\\ud83d", "") + '"'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("render", TINY.read_text() + f"[shapes.{QUOTED}]\ntype = {QUOTED}\n"),
        ("render", f"{QUOTED} = 1\n" + TINY.read_text()),
        ("render", TINY.read_text().replace("radius = ", f"radius = [{QUOTED}, ") + "]"),
        ("fit", f"scene = {QUOTED}\ntarget = {QUOTED}\nfree = [{QUOTED}]\n"),
        ("fit", f"scene = 'scene.toml'\ntarget = 'target.npy'\nfree = [{QUOTED}]\nmethod = {QUOTED}\n{QUOTED} = 3\n"),
        ("fit", f"scene = 'scene.toml'\ntarget = 'target.npy'\n[free.{QUOTED}]\n{QUOTED} = {QUOTED}\n"),
        ("fit", f"scene = 'scene.toml'\n[views.{QUOTED}]\ntarget = 'target.npy'\n[ties]\n{QUOTED} = {QUOTED}"),
        ("fit", "scene = 'scene.toml'\ntarget = 'target.npy'\nfree = ['" + "y" * 100_000 + "*']\n"),
    ],
)
def test_what_a_file_holds_cannot_act_on_the_terminal(monkeypatch, capsys, tmp_path, name, text):
    (tmp_path / "scene.toml").write_text(TINY.read_text())
    np.save(tmp_path / "target.npy", np.load(TARGET))
    (tmp_path / "file.toml").write_text(text)
    output = "x.png" if name == "render" else "out"
    code, out, err = in_process(monkeypatch, capsys, name, tmp_path / "file.toml", "-o", tmp_path / output)
    assert code == 2 and out == ""
    assert all(line.isprintable() and len(line) <= MOST_LETTERS for line in err.split("\n"))
    assert 1 <= len(err.splitlines()) <= MOST_PROBLEMS + 1
    assert not (tmp_path / output).exists()


HUGE = ["9" * 4000, "0x" + "f" * 6000, "[" + "9" * 4000 + "]", "{ a = 0x" + "f" * 4000 + " }"]


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("key", ["cells", "seed", "scale", "levels", "free", "views", "encoding", "exposure", "method"])
def test_an_integer_of_thousands_of_digits_in_a_fit_file_is_one_line(monkeypatch, capsys, tmp_path, key, number):
    (tmp_path / "fit.toml").write_text(
        f"scene = '{TINY.as_posix()}'\ntarget = '{TARGET.as_posix()}'\n{key} = {number}\n"
    )
    code, _, err = in_process(monkeypatch, capsys, "fit", tmp_path / "fit.toml", "-o", tmp_path / "out")
    assert code == 2 and len(err) < 2000 and "fit.toml" in err


@pytest.mark.parametrize("number", HUGE)
def test_an_integer_of_thousands_of_digits_in_a_scene_is_one_line(monkeypatch, capsys, tmp_path, number):
    for old in ("radius = ", "width = ", "fov = ", "position = "):
        (tmp_path / "scene.toml").write_text(TINY.read_text().replace(old, f"{old}{number} #", 1))
        code, _, err = in_process(monkeypatch, capsys, "parameters", tmp_path / "scene.toml")
        assert code == 2 and len(err) < 1000 and old.split()[0] in err


FAULTS = [ArithmeticError("x"), AttributeError("x"), KeyError("x"), LookupError(), MemoryError(),
          OSError(28, "No space"),
          OverflowError("\x1b[31m"), RecursionError("x"), RuntimeError("two\nlines"), StopIteration(), SyntaxError("x"),
          TypeError("x" * 9999), UnicodeError("x"), ValueError(), KeyboardInterrupt(), BrokenPipeError(),
          NotImplementedError("x"), InputError("x")]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_whatever_is_raised_ends_as_a_line_and_an_exit_code(monkeypatch, capsys, fault):
    def fail(path):
        raise fault

    monkeypatch.setattr("diffrt.scene.load_scene", fail)
    code, out, err = in_process(monkeypatch, capsys, "parameters", TINY)
    assert code in (1, 2, 70, 130) and out == "" and len(err) < 1000 and "Traceback" not in err
    assert all(map(str.isprintable, err.split("\n"))) and len(err.splitlines()) <= 2


def test_a_wrong_word_on_the_command_line_is_one_line(monkeypatch, capsys):
    for arguments in (["render"], ["frobnicate"], ["render", "a", "--cells", "x"], ["render", "a", "--\x1b[31m"]):
        code, out, err = in_process(monkeypatch, capsys, *arguments)
        assert code == 2 and out == "" and len(err.splitlines()) == 1 and "--help" in err
        assert err.strip().isprintable()


@pytest.mark.skipif(os.name != "posix", reason="closes descriptors as a shell of POSIX does")
@pytest.mark.parametrize("ending", [">&-", "2>&-", ">&- 2>&-", "<&-", "| true", "> /dev/full", "2> /dev/full"])
def test_a_closed_pipe_or_a_full_disk_gives_no_traceback(ending, tmp_path):
    if "/dev/full" in ending and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    shell = f"{{ {sys.executable} -m diffrt parameters scenes/tiny.toml {ending}; }} 2>&1"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(shell, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stdout and "Exception" not in done.stdout and "lost sys" not in done.stdout
    if ending == "> /dev/full":
        assert done.stdout == "cannot go on: No space left on device\n" and done.returncode == 1


@pytest.mark.skipif(os.name != "posix", reason="names of bytes that are no text")
def test_a_terminal_without_utf8_and_a_name_that_is_no_text(tmp_path):
    ascii_only = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    name = os.fsencode(tmp_path) + "/gr\u00f6\u00dfe\u202e".encode() + b"\xff\x1b[31m.npy"
    command = [sys.executable, "-m", "diffrt", "render", "scenes/tiny.toml", "-o", name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **ascii_only}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=60)
    told = [line for line in done.stderr.splitlines() if not line.startswith(b"compiling for")]
    assert done.returncode == 0 and told == [] and os.path.exists(name)
    assert b"\x1b" not in done.stdout and b"4 x 3 pixels" in done.stdout
    help = run("render", "--help", capture_output=True, env=ascii_only)
    assert help.returncode == 0 and b"Traceback" not in help.stderr


SCENE = diffrt.load_scene(TINY)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: diffrt.render("file.toml"), 'render: found "file.toml", needed: a Scene; load_scene("file.toml")'),
        (lambda: diffrt.render(Path("file.toml")), 'load_scene("file.toml") reads one from that file'),
        (lambda: diffrt.render([1, 2]), "render: found [1, 2], needed: a Scene; load_scene reads one from a file"),
        (lambda: diffrt.jacobian(None, ["a"]), "jacobian: found None, needed: a Scene"),
        (lambda: diffrt.jacobian(SCENE, []), "jacobian: found no parameter"),
        (lambda: diffrt.fit([SCENE], np.ones((3, 4, 3)), ["lamp.position"]), "fit: found [Scene("),
        (lambda: diffrt.fit(SCENE, {"a": np.ones((3, 4, 3))}, ["lamp.position"]), "views.a: found an array"),
        (lambda: diffrt.fit(SCENE, {"a": {}}, ["lamp.position"]), "views.a: target: missing"),
        (lambda: diffrt.fit(SCENE, [[1], [2, 3]], ["lamp.position"]), "target: found [[1], [2, 3]]"),
        (lambda: diffrt.fit(SCENE, np.full((3, 4, 3), 1e300), ["lamp.position"]), "holds values over 1e+100"),
        (lambda: diffrt.fit(SCENE, np.ones((3, 4, 3)), 5), "free: found 5"),
        (lambda: diffrt.fit(SCENE, np.ones((3, 4, 3)), ["lamp.position"], folder=5), "found 5, needed: the path"),
        (lambda: diffrt.load_scene(0), "found 0, needed: the path of a file"),
        (lambda: diffrt.parse_scene(None), "parse_scene: found None"),
        (lambda: SCENE[3], "found 3, needed: the name of a parameter"),
        (lambda: SCENE.pack(None), "found None, needed: the name of a parameter"),
    ],
)
def test_something_else_for_an_argument_is_said_in_a_line(call, words):
    with pytest.raises(InputError) as fault:
        call()
    assert words in str(fault.value) and len(fault.value.problems) == 1


def test_one_name_is_a_list_of_one():
    assert np.array_equal(SCENE.pack("lamp.position"), SCENE.pack(["lamp.position"]))
