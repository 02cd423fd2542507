"""A scanning MLP: one small network slides over several positions, so its parameters are shared leaves.

    python examples/lecture/scanning_mlp.py [FOLDER]

Each position adds its part to the gradients of W and b: += position by position, the last one first.

Writes scanning_mlp.svg, the positions from left to right with their cables to the shared leaves; scanning_mlp.html,
which goes backward through them; and scanning_mlp_graph.html, the graph to play with.
"""

import sys
from pathlib import Path

import numpy as np

from diffrt.autograd import matmul, named, scope, tanh, variable
from diffrt.autograd.naming import watch_scopes
from diffrt.explaining import backward_text, graph_of, html_of
from diffrt.explaining.frames import Frames
from diffrt.explaining.passes import backward_steps
from diffrt.explaining.sheet import sheet_of
from diffrt.explaining.wording import tidy

POSITIONS = 4
PLACES = {f"position {k}": (0, k) for k in range(POSITIONS)}
SHARED = ("W", "b", "v")
SIGNAL = np.random.default_rng(1).normal(size=POSITIONS + 2)
TITLE = "One network at four positions: W, b and v are shared leaves"


def whole():
    """Every operation."""
    rng = np.random.default_rng(2)
    W, b = variable(0.6 * rng.normal(size=(2, 3)), "W"), variable(0.6 * rng.normal(size=2), "b")
    v = variable(rng.normal(size=2), "v")
    with watch_scopes() as scopes:
        total = 0.0
        for k in range(POSITIONS):
            with scope(f"position {k}"):
                product = named(matmul(W, SIGNAL[k : k + 3]), f"W x{k}")
                h = named(tanh(named(product + b, f"z{k}")), f"h{k}")
                total = named(total + matmul(v, h), f"sum{k}")
    return graph_of(total, scopes)


def graph():
    """In named steps."""
    return whole().steps()


def sums():
    """What each position adds to the gradients of the shared leaves, and the sums so far, the last position first."""
    steps = graph()
    found = []
    for position in reversed(range(POSITIONS)):
        found.append((position, {}))
        for step in backward_steps(steps):
            for gain in step.gains:
                if gain.edge.source.name in SHARED and f"position {position}" in step.node.scope:
                    found[-1][1][gain.edge.source.name] = gain
    return found


def frames():
    """The graph, and what each position adds."""
    steps = graph()
    told = [{name: [f"+= {tidy(gain.part, 2)}", f"so far {tidy(gain.so_far, 2)}"] for name, gain in gains.items()}
            for _, gains in sums()]  # fmt: skip
    last = {name: ["the gradient:", tidy(steps.gradient(steps[name]), 2)] for name in SHARED}
    room = {name: max((notes[name] for notes in told), key=lambda lines: len(lines[1])) for name in SHARED}

    def figure(line, lit=None, notes=None):
        return sheet_of(steps, PLACES, TITLE, lit=lit, notes=notes, below=[line], gradients=False, room=room)

    found = [figure("forward, from left to right: W, b and v are used at every position")]
    for (position, gains), notes in zip(sums(), told, strict=True):
        lit = [n.name for n in steps.nodes if f"position {position}" in n.scope] + list(gains)
        line = f"backward at position {position}: the gradients of W, b and v gain their parts, +="
        found.append(figure(line, lit, notes))
    return Frames([*found, figure("the sums stand: these are the gradients", SHARED, last)], TITLE)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    print("backward\n" + backward_text(graph()))
    steps, so_far = graph(), 0.0
    for position, gains in sums():
        so_far = so_far + gains["W"].part
        print(f"\nafter position {position} grad W +=\n{gains['W'].part}\n=\n{gains['W'].so_far}")
    print("\nequal to the gradient:", np.allclose(so_far, steps.gradient(steps["W"])))

    sheet_of(steps, PLACES, TITLE).save(folder / "scanning_mlp.svg")
    frames().save(folder / "scanning_mlp.html")
    (folder / "scanning_mlp_graph.html").write_text(html_of(whole(), TITLE), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else "lecture"))
