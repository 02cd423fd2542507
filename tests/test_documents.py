"""What README.md and docs say to type runs as it is printed, in a copy of the project's files, without the extras."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from diffrt import commands
from diffrt.errors import InputError
from diffrt.fitting import read_problem
from diffrt.scene import load_scene, parse_scene

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]
STORY = ROOT / "docs" / "first_scene.md"
"""A page whose boxes are typed one after another: a test of its own goes through them."""
LONG = re.compile(r"scenes/gallery\.toml|diffrt check|examples/recover|pixel_edge_by_hand")
"""Commands that compile for a while, render hundreds of images, or have a test of their own (test_recover.py)."""


def blocks(language):
    """The fenced blocks of a language, and the page that each is on."""
    for page in PAGES:
        if page == STORY:
            continue
        for text in re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.M | re.S):
            yield page, text


def printed_commands():
    """Every diffrt command of the pages and of `--help`, but for installing and for running these tests."""
    found = {}
    for page, text in (*blocks("sh"), *blocks("text"), *help_texts()):
        for line in text.splitlines():
            for command in line.split(" && "):
                command = command.replace(".venv/bin/diffrt", "diffrt").strip()
                if command.startswith("diffrt "):
                    found.setdefault(command, page.name)
    return found


def help_texts():
    """The examples in the words of each command, and the file that they are in."""
    for page in sorted((ROOT / "diffrt/commands").glob("*.py")):
        for text in re.findall(r'Examples?: .*?"""', page.read_text(), re.S):
            yield page, "\n".join(re.findall(r"`(diffrt [^`]+)`", text))


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the files that commands are printed for, as the working folder, and no optional package."""
    for folder in ("scenes", "examples"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    for extra in ("pygraphviz", "OpenEXR", "distributed"):
        monkeypatch.setitem(sys.modules, extra, None)
    return tmp_path


COMMANDS = [
    pytest.param(command, id=command, marks=[pytest.mark.slow] if LONG.search(command) else [])
    for command in printed_commands()
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_printed_command_runs_as_printed(command, copy, monkeypatch, capsys):
    before = {path for path in copy.rglob("*") if path.is_file()}
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    with pytest.raises(SystemExit) as left:
        commands.main()
    # A derivation that is wrong, shown as such, ends with 1.
    assert left.value.code in ((None, 0, 1) if " verify " in command else (None, 0)), capsys.readouterr().err
    if output := re.search(r" -o (\S+)", command):
        assert {path for path in copy.rglob("*") if path.is_file()} - before, f"{output[1]} was not written"


def test_the_pages_print_commands_of_every_kind():
    words = {command.split()[1] for command in printed_commands()}
    assert words >= {
        "render",
        "gradient",
        "check",
        "fit",
        "explain",
        "graph",
        "verify",
        "parameters",
        "info",
        "new",
        "schema",
    }


@pytest.mark.parametrize(("page", "text"), [pytest.param(p, t, id=f"{p.name}-{i}") for i, (p, t) in
                                            enumerate(blocks("python"))])  # fmt: skip
def test_a_printed_program_runs_as_printed(page, text, copy, capsys):
    exec(compile("import diffrt\n" + text, page.name, "exec"), {"__name__": "printed"})


def test_the_first_scene_goes_as_it_is_told(copy, monkeypatch, capsys):
    """Its boxes in order: what a shell has to do is done, lines for the scene file go to its end, the program runs."""
    for language, text in re.findall(r"^```(sh|toml|python|text)\n(.*?)^```$", STORY.read_text(), re.M | re.S):
        if language == "toml":
            scene = Path("first/scene.toml")
            scene.write_text(f"{scene.read_text()}\n{text}")
        elif language == "python":
            exec(compile("import diffrt\n" + text, STORY.name, "exec"), {"__name__": "printed"})
        elif language == "text":  # what is said of a mistake
            wrong = Path("first/scene.toml").read_text().replace("width = 1.0", "width = -1")
            with pytest.raises(InputError, match=re.escape(text.strip().partition(": ")[2])):
                parse_scene(wrong)
        for command in text.splitlines() if language == "sh" else ():
            if command.startswith("diffrt "):
                monkeypatch.setattr(sys, "argv", shlex.split(command))
                with pytest.raises(SystemExit) as left:
                    commands.main()
                assert left.value.code in (None, 0), capsys.readouterr().err
    fitted = load_scene("first/out/fitted.toml")
    assert abs(fitted["lamp.position"] - [2.0, 4.0, 3.0]).max() < 0.002
    assert abs(fitted["ball.center"] - [-0.4, 0.8, 0.0]).max() < 0.0005


@pytest.mark.parametrize(("page", "text"), [pytest.param(p, t, id=f"{p.name}-{i}") for i, (p, t) in
                                            enumerate(blocks("toml")) if p.name == "fit.md"])  # fmt: skip
def test_a_printed_fit_file_is_one(page, text, copy):
    Path("fit.toml").write_text(text)
    assert read_problem("fit.toml").variables.components


def test_every_file_that_a_page_names_is_there():
    for page in PAGES:
        text = page.read_text()
        named = re.findall(r"`((?:diffrt|examples|scenes|benchmarks|tests|docs)/[\w/.-]+)`", text)
        linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
        for path in (*(ROOT / n for n in named), *(page.parent / link for link in linked)):
            assert path.exists(), f"{page.name} names {path}"
