"""A made-up vector activation, y_i = cos(e^{x_i} * sum_j x_j / sum_j ln x_j), taken apart.

With a = sum x and b = sum ln x, L = y1 + y2 + y3 depends on x1 along seven paths. Their products add up to the
gradient. The formula can be read in a second way, with the whole product in the exponent; a table of nine partials,
as commonly written down, mixes the two.
"""

from pathlib import Path

from diffrt.autograd import cos, exp, log, named, variable
from diffrt.explaining import dot_of, find_paths, graph_of
from diffrt.marking import load_derivation

HERE = Path(__file__).parent


def loss(x, second_reading=False):
    a = named(x[0] + x[1] + x[2], "a")
    b = named(log(x[0]) + log(x[1]) + log(x[2]), "b")
    y = [named(cos(exp(v * a / b) if second_reading else exp(v) * a / b), f"y{i + 1}") for i, v in enumerate(x)]
    return named(y[0] + y[1] + y[2], "L")


for second in (False, True):
    x = [variable(v, f"x{i + 1}") for i, v in enumerate((1.3, 1.7, 2.1))]
    graph = graph_of(loss(x, second)).steps()
    paths = find_paths(graph, graph["x1"], most=100)
    print("y_i = cos(e^{x_i a / b})" if second else "y_i = cos(e^{x_i} a / b)")
    print(f"  {paths.total} paths from x1 to L")
    for path in paths.listed:
        factors = " * ".join(f"({e.local.item():.4g})" for e in path.edges)
        print(f"  {' > '.join(n.name for n in path.nodes):<18} {factors} = {path.value:.6g}")
    print(f"  their sum {sum(p.value for p in paths.listed):.10g}, the gradient {graph.gradient(graph['x1']):.10g}\n")
    if not second:
        print(dot_of(graph))

for name in ("activation.toml", "activation_second_reading.toml"):
    print(f"{name}\n{load_derivation(HERE / name).mark()}\n")
