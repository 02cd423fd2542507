"""What a fit refuses on the command line: one line, exit code 2, and nothing written."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

ROOT = Path(__file__).parents[1]
PIXELS = np.asarray(pillow.open(ROOT / "examples/still_life/target.png").convert("RGB"))


def fit(*arguments):
    command = [sys.executable, "-m", "diffrt", "fit", "scenes/still_life.toml", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def saved(picture, kind):
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def unseen():
    picture = pillow.fromarray(PIXELS).convert("RGBA")
    picture.putalpha(254)
    return picture


def clipped():
    picture = np.full_like(PIXELS, 255)
    picture[::2] = 0
    return pillow.fromarray(picture)


GOOD = saved(pillow.fromarray(PIXELS), "PNG")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.png", saved(pillow.fromarray(PIXELS).quantize(16), "PNG"), "has a palette; a gray or RGB PNG is needed"),
        ("a.png", saved(unseen(), "PNG"), "is transparent wherever it counts; nothing can be recovered from it"),
        ("a.png", saved(clipped(), "PNG"), "every pixel is clipped, and says only that there is more or less light"),
        ("a.png", GOOD[:-30], "damaged PNG"),
        ("a.png", GOOD[:400] + b"\x00\x01" + GOOD[402:], "damaged PNG: a checksum is wrong"),
        ("a.png", saved(pillow.new("RGB", (64, 48)), "PNG"), "every pixel is black; nothing can be recovered from it"),
        ("a.png", saved(pillow.fromarray(PIXELS[:40]), "PNG"), "found 64 x 40 pixels, needed: 64 x 48"),
        ("a.jpg", saved(pillow.fromarray(PIXELS).convert("CMYK"), "JPEG"), "has the mode CMYK"),
        ("a.jpg", saved(pillow.fromarray(PIXELS), "JPEG")[:300], "JPEG"),
        (
            "a.gif",
            saved(pillow.fromarray(PIXELS), "GIF"),
            "must end in .png, .jpg, .jpeg, .tif, ",
        ),
    ],
)
def test_a_target_without_a_plain_meaning(tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    done = fit("--target", tmp_path / name, "--free", "ball.center", "-o", tmp_path / "out")
    assert done.returncode == 2 and words in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stdout == "" and not (tmp_path / "out").exists()


def test_a_parameter_without_influence(tmp_path):
    text = (ROOT / "scenes/still_life.toml").read_text()
    (tmp_path / "scene.toml").write_text(text.replace("[-0.9, 0.8, 0.0]", "[-0.9, 0.8, 90.0]"))
    command = [sys.executable, "-m", "diffrt", "fit", tmp_path / "scene.toml", "--target",
               "examples/still_life/target.png", "--free", "ball.center", "-o", tmp_path / "out"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and "free: ball.center has no influence on the image at the start" in done.stderr
    told = [line for line in done.stderr.splitlines() if not line.startswith("compiling for")]
    assert len(told) == 1 and not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    done = fit("--target", "examples/still_life/target.png", "--free", "ball.center", "-o", tmp_path / "out")
    assert done.returncode == 2 and "cannot be made a folder" in done.stderr


def test_more_than_one_mistake_is_told_at_once(tmp_path):
    target = ROOT / "examples/still_life/target.png"
    done = fit("--target", target, "--free", "ball.centre", "--loss", "none", "-o", tmp_path / "out")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 2 and "ball.center" in done.stderr


def test_resuming_nothing(tmp_path):
    target = ROOT / "examples/still_life/target.png"
    done = fit("--target", target, "--free", "ball.center", "-o", tmp_path, "--resume")
    assert done.returncode == 2 and "holds no unfinished fit" in done.stderr and not list(tmp_path.iterdir())


def test_bits_of_a_target_that_has_eight(tmp_path):
    target = ROOT / "examples/still_life/target.png"
    done = fit("--target", target, "--free", "ball.center", "--bits", 12, "-o", tmp_path / "out")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "found bits = 12 for a file of 8 bits" in done.stderr and not (tmp_path / "out").exists()
