"""Formulas of steps and local derivatives are true: computed as they stand, they give the numbers of the graph."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffrt import autograd as ag
from diffrt import load_scene
from diffrt.autograd import named, variable
from diffrt.explaining import graph_of, trace
from diffrt.explaining.formulas import formula_of, partial_of
from diffrt.explaining.layout import in_layers

FUNCTIONS = {
    "sin": math.sin, "cos": math.cos, "log": math.log, "sqrt": math.sqrt, "tanh": math.tanh, "max": max, "min": min,
    "arctan": math.atan, "sign": lambda x: math.copysign(1.0, x) if x else 0.0, "sinh": math.sinh, "cosh": math.cosh,
    "exp": math.exp, "e": math.e, "pi": math.pi, "abs": abs,
}  # fmt: skip


def computed(text, graph):
    """A formula as a person would compute it."""
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text).replace("^", "**")
    return eval(text, {"__builtins__": {}}, FUNCTIONS | {n.name: n.value for n in graph.nodes if n.given or n.leaf})


UNARY = [ag.sin, ag.cos, ag.exp, ag.tanh, ag.arctan, abs, lambda x: -x, lambda x: x * x, lambda x: ag.log(x * x + 0.5),
         lambda x: ag.sqrt(x * x + 0.25), lambda x: x**3.0, lambda x: 2.0 * x, lambda x: 1.0 / (x + 5.0)]  # fmt: skip
BINARY = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / (y * y + 1.5),
    ag.maximum,
    ag.minimum,
]


@settings(max_examples=150)
@given(st.data())
def test_formulas_and_local_derivatives_give_the_numbers_of_the_graph(data):
    values = [variable(data.draw(st.sampled_from([-1.3, -0.4, 0.7, 1.9])), name) for name in ("x", "y")]
    for k in range(data.draw(st.integers(2, 8))):
        one, other = (values[data.draw(st.integers(0, len(values) - 1))] for _ in range(2))
        new = (
            data.draw(st.sampled_from(UNARY))(one)
            if data.draw(st.booleans())
            else data.draw(st.sampled_from(BINARY))(one, other)
        )
        values.append(named(new, f"a{k}") if data.draw(st.booleans()) else new)
    whole = graph_of(named(values[-1] + 0.0 * values[0], "L"))
    steps = whole.steps()
    for node in steps.nodes:
        text = formula_of(node)
        if text and not text.startswith("f("):
            assert computed(text, steps) == pytest.approx(float(node.value), rel=2e-3, abs=2e-3), text
    for edge in steps.edges:
        text = partial_of(edge)
        if text is not None:
            assert computed(text, steps) == pytest.approx(float(edge.local.item()), rel=3e-3, abs=3e-3), text


def formulas(graph):
    return {n.name: formula_of(n) for n in graph.nodes}, {
        (e.target.name, e.source.name): partial_of(e) for e in graph.edges
    }


def test_the_tracer_reads_like_a_book():
    steps, partials = formulas(trace(load_scene("scenes/tiny.toml"), (2, 0), "r", edges="ignore").steps())
    assert steps["cosine"] == "max(normal · to light, 0)" and steps["hit point"] == "eye + t * ray direction"
    assert steps["to light"] == "(lamp.position - hit point) / distance"
    assert steps["distance"] == "|lamp.position - hit point|"
    assert steps["normal"] == "(hit point - ball.center) / |hit point - ball.center|"
    assert partials["cosine", "normal"] == "to light^T" and partials["hit point", "t"] == "ray direction"
    assert partials["distance", "hit point"] == "-(lamp.position - hit point)^T / distance"
    assert partials["camera", "camera.up"] is None  # more ways than a line holds


def test_a_network_has_both_rules_of_a_product():
    w, x, b = (variable(np.ones(s), n) for s, n in (((2, 3), "W1"), (3, "x"), (2, "b1")))
    out = named(ag.tanh(named(named(ag.matmul(w, x), "p") + b, "z")), "out")
    steps, partials = formulas(graph_of(named((out * out).sum(), "loss")).steps())
    assert steps == {"W1": "", "x": "", "b1": "", "p": "W1 x", "z": "p + b1", "out": "tanh(z)", "loss": "|out|^2"}
    assert partials["p", "W1"] == "x^T" and partials["p", "x"] == "W1" and partials["out", "z"] == "1 - out^2"
    assert partials["loss", "out"] == "2 * out^T"


def test_an_entry_that_is_taken_is_not_called_all_of_them():
    x = variable([1.0, 2.0, 3.0], "x")
    graph = graph_of(named(x[0] + x[1], "a")).steps()
    assert partial_of(graph.edges[0]) is None
    graph = graph_of(named(x[1] * 3.0, "a")).steps()
    assert partial_of(graph.edges[0]) == "3 at [1], else 0"


@pytest.mark.parametrize("way", ["up", "right", "down"])
@pytest.mark.parametrize("seed", range(5))
def test_boxes_in_layers_do_not_overlap_and_arrows_run_one_way(seed, way):
    rng = np.random.default_rng(seed)
    boxes = {f"b{k}": (float(rng.uniform(40, 200)), float(rng.uniform(30, 90))) for k in range(40)}
    names = list(boxes)
    edges = [(names[i], names[j]) for j in range(1, 40) for i in rng.integers(0, j, rng.integers(0, 4))]
    found = in_layers(boxes, edges, way)
    rects = [(x - boxes[b][0] / 2, y - boxes[b][1] / 2, x + boxes[b][0] / 2, y + boxes[b][1] / 2)
             for b, (x, y) in found.centers.items()]  # fmt: skip
    for i, p in enumerate(rects):
        assert all(p[2] <= q[0] or q[2] <= p[0] or p[3] <= q[1] or q[3] <= p[1] for q in rects[:i])
        assert p[0] >= -1e-6 and p[1] >= -1e-6 and p[2] <= found.size[0] + 1e-6 and p[3] <= found.size[1] + 1e-6
    for (a, b), arrow in zip(edges, found.arrows, strict=True):
        (x, y), (u, v) = found.centers[a], found.centers[b]
        assert {"up": v < y, "right": u > x, "down": v > y}[way]
        assert len(arrow) % 3 == 1
        # It begins and ends at its boxes.
        for (px, py), name in ((arrow[0], a), (arrow[-1], b)):
            cx, cy = found.centers[name]
            assert abs(px - cx) <= boxes[name][0] / 2 + 1e-6 and abs(py - cy) <= boxes[name][1] / 2 + 1e-6
