"""The package as a whole: its names, in any order of import, and what the README promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "first",
    ["import diffrt", "import diffrt.tracer.renderer", "from diffrt import render", "import diffrt.fitting"],
)
def test_render_can_be_called_whatever_was_imported_first(first):
    program = f"{first}\nimport diffrt\nprint(diffrt.render(diffrt.load_scene('scenes/tiny.toml')).shape)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "(3, 4, 3)\n", done.stderr


def test_the_program_in_the_readme_runs(tmp_path):
    program = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    program = re.sub('"(scenes|examples)/', rf'"{ROOT.as_posix()}/\1/', program)
    program += "\nassert J.shape == (48, 64, 3, 6)"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "still_life.png").exists() and (tmp_path / "report.html").exists()


def test_every_public_name_is_listed_and_shows_itself():
    import diffrt

    assert {*diffrt.__all__} <= {*dir(diffrt)}
    for name in diffrt.__all__:
        assert getattr(diffrt, name).__doc__, name


def test_an_unknown_name_is_an_attribute_error():
    import diffrt

    with pytest.raises(AttributeError, match="no attribute 'rendr'"):
        diffrt.rendr  # noqa: B018


def test_autograd_imports_nothing_of_the_package():
    for path in (ROOT / "diffrt/autograd").glob("*.py"):
        assert not re.search(r"^\s*(from|import) diffrt", path.read_text(), re.MULTILINE), path
