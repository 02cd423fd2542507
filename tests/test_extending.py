"""The programs of docs/extending.md run from outside the package, and their derivatives are those of the images."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import diffrt

ROOT = Path(__file__).parents[1]
PROGRAMS = sorted(path for path in (ROOT / "examples" / "plugin").glob("*.py") if path.stem != "bowl")  # test_plugin.py


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_draws_its_picture_and_its_derivative_is_right(program, tmp_path):
    picture = tmp_path / "picture.png"
    done = subprocess.run([sys.executable, program, picture], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 wrong, 0 cannot be told" in done.stdout and "edges without a derivative: 0" in done.stdout
    shown = diffrt.read_image(ROOT / "docs" / "images" / "plugin" / f"{program.stem}.png")
    assert np.abs(diffrt.read_image(picture) - shown).max() < 0.02, "the guide shows another picture"


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_the_guide_shows_the_whole_program(program):
    guide = (ROOT / "docs" / "extending.md").read_text()
    assert f"<!-- examples/plugin/{program.name} -->\n```py\n{program.read_text()}```\n" in guide
