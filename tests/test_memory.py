"""An image that takes more memory than there is: said before the work, with how much it would take."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import diffrt
from diffrt import memory
from diffrt.errors import InputError
from diffrt.tracer import renderer
from diffrt.tracer.differences import compare
from diffrt.tracer.renderer import Settings

ROOT = Path(__file__).parents[1]
LIMITED = "import sys; from diffrt import commands, memory; memory.available_memory = lambda: 4 << 30; commands.main()"


def sized(side):
    return diffrt.load_scene(ROOT / "scenes/tiny.toml").replace(width=side, height=side)


@pytest.fixture
def four_gib(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 4 << 30)


@pytest.mark.parametrize("work", [
    lambda scene: diffrt.render(scene),
    lambda scene: diffrt.render(scene, edges="ignore"),
    lambda scene: diffrt.render(scene.replace({"lamp.position": diffrt.autograd.variable([0.0, 1.0, 2.0])})),
    lambda scene: diffrt.jacobian(scene, ["lamp.position.x"]),
    lambda scene: list(compare(scene, ["lamp.position.x"])),
], ids=["render", "points", "reverse", "jacobian", "check"])  # fmt: skip
def test_the_largest_scene_is_refused_with_what_it_would_take(four_gib, work):
    with pytest.raises(InputError, match=r"16384 x 16384 pixels .* takes about [\d.]+ GiB .* 4 GiB are there") as fault:
        work(sized(16384))
    assert len(fault.value.problems) == 1


@pytest.mark.parametrize("command", [["render"], ["gradient", "lamp.position.x"], ["check", "lamp.position.x"]])
def test_a_command_refuses_it_in_one_line(tmp_path, command):
    path = tmp_path / "large.toml"
    path.write_text(sized(16384).to_toml())
    output = [] if command[0] == "check" else ["-o", tmp_path / "a.png"]
    done = subprocess.run([sys.executable, "-c", LIMITED, command[0], path, *command[1:], *output],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "GiB" in done.stderr
    assert not (tmp_path / "a.png").exists()


def test_a_strip_of_it_and_what_fits_are_rendered(four_gib):
    assert diffrt.render(sized(4096), edges="ignore", rows=(0, 2)).shape == (2, 4096, 3)
    with pytest.raises(InputError, match="and its derivatives by 40 numbers"):
        renderer.require_memory_for((2048, 2048), Settings(), 40)
    renderer.require_memory_for((2048, 2048), Settings(), 4)


def test_a_fit_that_takes_more_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 1 << 20)
    scene = sized(320)
    with pytest.raises(InputError, match=r"pixels .* derivatives by 3 numbers takes about"):
        diffrt.fit(scene, np.full((320, 320, 3), 0.5), free=["lamp.position"], levels=())


def test_what_is_there_is_known_and_less_than_a_petabyte():
    there = memory.available_memory()
    assert there is None or 1 << 20 < there < 1 << 50


MEASURED = """
import sys
sys.path.insert(0, "tests")
import diffrt
from test_memory import sized
def memory(what): return int(open("/proc/self/status").read().split(what)[1].split()[0]) / 2**20
names = ["lamp.position", "ball.center"]
diffrt.jacobian(sized(32), names)
before = memory("VmRSS:")
{0}
print(memory("VmHWM:") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory cannot be read here")
@pytest.mark.parametrize(("work", "derivatives"), [("diffrt.render(sized(1024))", 0),
                                                   ("diffrt.jacobian(sized(1024), names)", 6)])  # fmt: skip
def test_what_is_said_is_what_it_takes(monkeypatch, work, derivatives):
    said = []
    monkeypatch.setattr(renderer, "require_memory", lambda needed, *_: said.append(needed / 2**30))
    renderer.require_memory_for((1024, 1024), Settings(), derivatives)
    done = subprocess.run([sys.executable, "-c", MEASURED.format(work)], cwd=ROOT, capture_output=True, text=True)
    assert 0.5 < said[0] / float(done.stdout) < 2.0, (said, done)
