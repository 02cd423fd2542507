"""A simple MLP, out = tanh(W1 x + b1), unravelled into operations, forward and then backward, step by step.

    python examples/lecture/mlp.py [FOLDER]

The input x is a constant: nobody wants its gradient, so the backward pass leaves it alone. A second layer is a variant:
the same three operations once more.

Writes mlp.svg and mlp_two_layers.svg, the graphs; mlp.html and mlp_two_layers.html, which go through
the backward pass; and mlp_graph.html, the graph to play with.
"""

import sys
from pathlib import Path

import numpy as np

from diffrt.autograd import matmul, named, tanh, variable
from diffrt.explaining import backward_text, forward_text, graph_of, html_of
from diffrt.explaining.drawing import figure_of
from diffrt.explaining.frames import Frames, figures_of_backward

TITLES = {1: "An MLP of one layer: matmul, +, tanh", 2: "Two layers: the same three operations once more"}
FILES = {1: "mlp", 2: "mlp_two_layers"}


def graph(layers=1):
    """Every operation of the network, of the loss too."""
    rng = np.random.default_rng(0)
    out = variable(rng.normal(size=3), "x").detach()
    for k in range(1, layers + 1):
        inner = "x" if k == 1 else f"h{k - 1}"
        wide = out.shape[0]
        W, b = variable(rng.normal(size=(2, wide)), f"W{k}"), variable(rng.normal(size=2), f"b{k}")
        product = named(matmul(W, out), f"W{k} {inner}")
        out = named(tanh(named(product + b, f"z{k}")), "out" if k == layers else f"h{k}")
    return graph_of(named(matmul(out, out), "loss"))


def frames(layers=1):
    """The backward pass, step by step."""
    return Frames(figures_of_backward(graph(layers)), TITLES[layers])


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    print("forward\n" + forward_text(graph()))
    print("\nbackward\n" + backward_text(graph()))
    print("\ntwo layers, backward\n" + backward_text(graph(2)))
    for layers, title in TITLES.items():
        figure_of(graph(layers), title=title).save(folder / f"{FILES[layers]}.svg")
        frames(layers).save(folder / f"{FILES[layers]}.html")
    (folder / "mlp_graph.html").write_text(html_of(graph(), TITLES[1]), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else "lecture"))
