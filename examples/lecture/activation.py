"""A made-up vector activation, y_i = cos(e^{x_i} * sum_j x_j / sum_j ln x_j), taken apart.

    python examples/lecture/activation.py [FOLDER]

With a = sum x and b = sum ln x, L = y1 + y2 + y3 depends on x1 along seven paths. Their products add up to the
gradient. The formula can be read in a second way, with the whole product in the exponent; a table of nine partials,
as commonly written down, mixes the two.

Writes activation.svg, the seven paths lit one after another and their sum, on a sheet; activation.html, which goes
through them; and activation_graph.html, the graph to play with.
"""

import sys
from pathlib import Path

from diffrt.autograd import cos, exp, log, named, variable
from diffrt.explaining import find_paths, graph_of, html_of
from diffrt.explaining.frames import Frames, figures_of_paths, panels
from diffrt.marking import load_derivation

HERE = Path(__file__).parent
A4 = (210.0, 297.0)
TITLE = "Seven paths from x1 to L, and their sum"


def loss(x, second_reading=False):
    a = named(x[0] + x[1] + x[2], "a")
    b = named(log(x[0]) + log(x[1]) + log(x[2]), "b")
    y = [named(cos(exp(v * a / b) if second_reading else exp(v) * a / b), f"y{i + 1}") for i, v in enumerate(x)]
    return named(y[0] + y[1] + y[2], "L")


def graph(second_reading=False):
    """The graph of L in named steps."""
    x = [variable(v, f"x{i + 1}") for i, v in enumerate((1.3, 1.7, 2.1))]
    return graph_of(loss(x, second_reading)).steps()


def frames():
    """The seven paths from x1, each lit, and all of them."""
    steps = graph()
    return Frames(figures_of_paths(steps, steps["x1"]), TITLE)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for second in (False, True):
        steps = graph(second)
        paths = find_paths(steps, steps["x1"], most=100)
        print("y_i = cos(e^{x_i a / b})" if second else "y_i = cos(e^{x_i} a / b)")
        print(f"  {paths.total} paths from x1 to L")
        for path in paths.listed:
            factors = " * ".join(f"({e.local.item():.4g})" for e in path.edges)
            print(f"  {' > '.join(n.name for n in path.nodes):<18} {factors} = {path.value:.6g}")
        print(
            f"  their sum {sum(p.value for p in paths.listed):.10g}, the gradient {steps.gradient(steps['x1']):.10g}\n"
        )
    for name in ("activation.toml", "activation_second_reading.toml"):
        print(f"{name}\n{load_derivation(HERE / name).mark()}\n")

    panels(frames().figures, 2, TITLE, A4).save(folder / "activation.svg")
    frames().save(folder / "activation.html")
    (folder / "activation_graph.html").write_text(html_of(graph(), "A made-up activation"), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else "lecture"))
