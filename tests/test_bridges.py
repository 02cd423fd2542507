"""Neither bridge costs anything to who does not cross it, and a missing package is said in a line."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import diffrt

ROOT = Path(__file__).parents[1]


def run(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_importing_diffrt_imports_neither_torch_nor_jax():
    done = run(
        "import sys, inspect, diffrt; inspect.getmembers(diffrt); print({'torch', 'jax'} & set(sys.modules)); "
        "assert 'torch' not in dir(diffrt)"
    )
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize(("name", "reach"), [("torch", "import diffrt.torch"), ("jax", "import diffrt; diffrt.jax")])
def test_a_missing_package_is_told_in_a_line(name, reach):
    done = run(f"import sys; sys.modules[{name!r}] = None; {reach}")
    told = f"ImportError: diffrt.{name} needs the package {name}: pip install 'diffrt[{name}]'"
    assert done.stderr.splitlines()[-1] == told
    assert "During handling" not in done.stderr


def test_the_program_in_the_readme_runs():
    torch, jax = pytest.importorskip("torch"), pytest.importorskip("jax")
    (program,) = re.findall(r"```py\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names = {"diffrt": diffrt, "torch": torch, "jax": jax, "jnp": jax.numpy, "photograph": 0.5}
    names |= {"scene": diffrt.load_scene(ROOT / "scenes/tiny.toml"), "lamps": jax.numpy.array([[2.0, 4.0, 3.0]])}
    exec(program, names)
    assert names["slopes"][0] == pytest.approx(names["lamp"].grad.numpy(), rel=1e-4)
