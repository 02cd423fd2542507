"""Softmax and batch norm: the graph of each, its Jacobian, and a derivation of it to mark.

    python examples/lecture/softmax_batch_norm.py [FOLDER]

Both couple all entries, so their Jacobians are full: diag(s) - s s^T for softmax, and for batch norm over a column of n
numbers (I - 1/n - y y^T / n) / sigma.

Writes softmax.svg and batch_norm.svg, the graphs; softmax.html and batch_norm.html, which go backward through them.
`softmax.toml` and `batch_norm.toml` are the derivations.
"""

import sys
from pathlib import Path

import numpy as np

from diffrt.autograd import batch_norm, exp, jacobian, log, mean, named, softmax, sqrt, sum, variable
from diffrt.explaining import forward_text, graph_of
from diffrt.explaining.drawing import figure_of
from diffrt.explaining.frames import Frames, figures_of_backward
from diffrt.marking import load_derivation

HERE = Path(__file__).parent
X = np.array([0.2, 1.1, -0.4])
WANTED = np.array([0.0, 1.0, 0.0])
TITLES = {"softmax": "Softmax, and how far it is from the wanted class",
          "batch_norm": "Batch norm of a column of three numbers"}  # fmt: skip


def softmax_graph():
    """A softmax in steps, and the cross entropy with the class that is wanted."""
    x = variable(X, "x")
    e = named(exp(x), "e")
    s = named(e / named(sum(e), "Z"), "s")
    return graph_of(named(-sum(WANTED * log(s)), "loss")).steps()


def batch_norm_graph():
    """A batch norm in steps, and a sum that weighs its entries."""
    x = variable(X, "x")
    centered = named(x - named(mean(x), "mu"), "c")
    sigma = named(sqrt(named(mean(centered * centered), "var")), "sigma")
    y = named(centered / sigma, "y")
    return graph_of(named(sum(y * np.array([0.5, -1.0, 2.0])), "L")).steps()


GRAPHS = {"softmax": softmax_graph, "batch_norm": batch_norm_graph}


def frames(name):
    """The backward pass, step by step."""
    return Frames(figures_of_backward(GRAPHS[name]()), TITLES[name])


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    s = softmax(X)
    J = jacobian(softmax)(X)
    print("softmax, step by step\n" + forward_text(softmax_graph()))
    print("\nJacobian\n", J, "\nequal to diag(s) - s s^T:", np.allclose(J, np.diag(s) - np.outer(s, s)))

    column = X[:, None]
    y = batch_norm(column, epsilon=0.0)[:, 0]
    J = jacobian(lambda v: batch_norm(v[:, None], epsilon=0.0)[:, 0])(X)
    n, sigma = len(X), column.std()
    by_hand = (np.eye(n) - 1.0 / n - np.outer(y, y) / n) / sigma
    print("\nbatch norm, step by step\n" + forward_text(batch_norm_graph()))
    print("\nJacobian\n", J, "\nequal to (I - 1/n - y y^T / n) / sigma:", np.allclose(J, by_hand))

    for name, make in GRAPHS.items():
        print(f"\n{name}.toml\n{load_derivation(HERE / f'{name}.toml').mark()}")
        figure_of(make(), title=TITLES[name]).save(folder / f"{name}.svg")
        frames(name).save(folder / f"{name}.html")


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else "lecture"))
