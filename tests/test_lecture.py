"""The lecture's examples run and say what they should."""

import subprocess
import sys

import pytest

TOLD = {
    "activation": ["7 paths from x1 to L", "their sum 7.21668425, the gradient 7.21668425", "yours = right * a * x[i]",
                   "right for cos(e^{x_i a / b})"],
    "mlp": ["tanh multiplies it by tanh' = 1 - tanh^2", "for A in A @ x it is g x^T",
            "like the variable 2x3, in numerator layout 3x2", "added up on the way (+=): out",
            "left alone, nobody wants their gradient: x"],
    "scanning_mlp": ["after position 3 grad W +=", "gradient of W +=", "from 4 uses, added up",
                     "equal to the gradient: True"],
    "softmax_batch_norm": ["equal to diag(s) - s s^T: True", "equal to (I - 1/n - y y^T / n) / sigma: True"],
    "pixel": ["the whole graph, 146 nodes", "d pixel r / d lamp.position.y", "34 right"],
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_example(name):
    found = subprocess.run([sys.executable, f"examples/lecture/{name}.py"], capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    for line in TOLD[name]:
        assert line in found.stdout
