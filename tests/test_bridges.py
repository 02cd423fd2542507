"""Neither bridge costs anything to who does not cross it, and a missing package is said in a line."""

import subprocess
import sys

import pytest


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
