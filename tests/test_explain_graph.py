"""Graphs of pixels and functions: they are the renderer's own numbers; paths add up; diagrams; the command line."""

import math
import re
import subprocess
import sys
from math import comb

import numpy as np
import pytest

from diffrt import autograd as ag
from diffrt import jacobian, load_scene, parse_scene, render
from diffrt.autograd import named, variable
from diffrt.autograd.naming import watch_scopes
from diffrt.errors import InputError
from diffrt.explaining import count_paths, find_paths, graph_of, paths, through_crossings, trace
from diffrt.explaining.diagram import dot_of, folded
from diffrt.explaining.latex import explain_latex
from diffrt.explaining.text import explain_text
from diffrt.explaining.trace import source_of
from diffrt.explaining.wording import tidy

NAMES = ["lamp.position", "ball.center", "ball.radius", "ball.material.albedo", "floor.normal", "camera.position",
         "camera.fov"]  # fmt: skip


@pytest.mark.parametrize(("edges", "cells"), [("exact", 1), ("ignore", 1), ("exact", 2), ("ignore", 2)])
def test_a_traced_pixel_is_that_of_the_image(edges, cells):
    scene = load_scene("scenes/tiny.toml")
    image = np.asarray(render(scene, cells=cells, edges=edges))
    slopes = jacobian(scene, NAMES, cells=cells, edges=edges)
    for y in range(3):
        for x in range(4):
            graph = trace(scene, (x, y), "g", cells, edges)
            assert graph.output.value == pytest.approx(image[y, x, 1], rel=1e-12)
            there = {n.name: np.ravel(graph.gradient(n)) for n in graph.inputs}
            found = np.concatenate([there.get(n, np.zeros(scene.parameter(n).size)) for n in NAMES])
            assert np.abs(found - slopes[y, x, 1]).max() <= 1e-11 * np.abs(slopes).max()


def test_pixels_with_mirrors_edges_and_several_lights_are_those_of_the_image():
    scene = load_scene("scenes/mirrors.toml")
    image = np.asarray(render(scene))
    rng = np.random.default_rng(0)
    mirrors = crossings = 0
    for _ in range(30):
        x, y = int(rng.integers(scene.camera.width)), int(rng.integers(scene.camera.height))
        if not image[y, x].any():
            continue
        graph = trace(scene, (x, y), "g")
        assert graph.output.value == pytest.approx(image[y, x, 1], rel=1e-12)
        mirrors += any("mirrored" in n.name for n in graph.nodes)
        crossings += any("crossing" in n.name for n in graph.nodes)
    assert mirrors > 2 and crossings > 2


def activation(*x):
    a = named(x[0] + x[1] + x[2], "a")
    b = named(ag.log(x[0]) + ag.log(x[1]) + ag.log(x[2]), "b")
    y = [named(ag.cos(ag.exp(x[i]) * a / b), f"y{i + 1}") for i in range(3)]
    return named(y[0] + y[1] + y[2], "L")


def test_seven_paths_and_their_sum_is_the_gradient():
    xs = [variable(v, f"x{i + 1}") for i, v in enumerate((1.3, 1.7, 2.1))]
    graph = graph_of(activation(*xs)).steps()
    whole = graph_of(activation(*xs))
    found = find_paths(graph, graph["x1"], most=100)
    assert found.total == len(found.listed) == 7 and found.complete
    shortest = min(found.listed, key=lambda p: len(p.edges))
    assert [n.name for n in shortest.nodes] == ["x1", "y1", "L"]
    assert sum(p.value for p in found.listed) == pytest.approx(float(whole["x1"].adjoint), rel=1e-12)
    assert all(p.value == pytest.approx(math.prod(e.local.item() for e in p.edges)) for p in found.listed)
    sizes = [abs(p.value) for p in found.listed]
    assert sizes == sorted(sizes, reverse=True)


def test_paths_between_vars():
    x = variable(0.7, "x")
    y = ag.sin(x) * x
    found = paths(y, x)
    assert found.total == 2 and abs(found.rest.item()) < 1e-15
    assert paths(graph_of(y), "x").derivative.item() == found.derivative.item()
    with pytest.raises(ValueError, match="does not depend"):
        paths(y, variable(1.0))


def test_what_the_cap_leaves_out_is_known():
    x = variable(np.array([1.3, 1.7, 2.1]), "x")
    graph = graph_of(activation(*x))
    found = find_paths(graph, graph["x"], 0, most=2)
    listed = sum(p.value for p in found.listed)
    assert not found.complete and found.rest.item() == pytest.approx(found.derivative.item() - listed)


def test_paths_are_counted_exactly_however_many():
    """A grid of additions has a binomial number of paths from corner to corner."""
    n = 40
    row = [variable(1.0, "x")]
    for _ in range(n):
        row.append(row[-1] * 1.0)
    for _ in range(n):
        below = [row[0] * 1.0]
        for above in row[1:]:
            below.append(below[-1] + above)
        row = below
    graph = graph_of(row[-1])
    assert count_paths(graph, graph["x"]) == comb(2 * n, n) > 10**22
    assert graph["x"].adjoint == float(comb(2 * n, n))


def test_largest_paths_come_first_in_a_graph_of_vectors():
    rng = np.random.default_rng(3)
    x = variable(rng.normal(size=4), "x")
    h = x
    for _ in range(3):
        h = ag.tanh(rng.normal(size=(4, 4)) @ h + h * h)
    graph = graph_of(ag.sum(h * h))
    every = find_paths(graph, graph["x"], 1, most=10**6, effort=10**6)
    assert every.complete and abs(every.rest.item()) <= 1e-12 * sum(abs(p.value) for p in every.listed)
    few = find_paths(graph, graph["x"], 1, most=5)
    largest = sorted((abs(p.value) for p in every.listed), reverse=True)[:5]
    assert [abs(p.value) for p in few.listed] == pytest.approx(largest)


def test_what_moving_an_edge_adds():
    scene = load_scene("scenes/tiny.toml")
    graph = trace(scene, (2, 0), "r").steps()
    source, entry = source_of(graph, scene, "ball.center.x")
    still, moving = through_crossings(graph, source, entry)
    exact = jacobian(scene, ["ball.center.x"])[0, 2, 0, 0]
    assert still.item() + moving.item() == pytest.approx(exact, rel=1e-12)
    assert abs(moving.item()) > 0.1 * abs(exact)
    assert any(p.moves_an_edge for p in find_paths(graph, source, entry).listed)
    (flat, _) = through_crossings(graph, graph["ball.material.albedo"])
    assert np.abs(flat).max() > 0.0


EDGES = [
    ("tiny", (2, 0), ["outline of ball"]),
    ("tiny", (0, 2), ["shadow outline of ball, lamp"]),
    ("still_life", (15, 25), ["outline of ball", "shadow outline of ball, lamp",
                              "outline of ball; shadow outline of ball, lamp"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "pixel", "edges"), EDGES)
def test_each_edge_is_one_step_and_the_terms_of_the_paths_are_all_of_the_derivative(name, pixel, edges):
    scene = load_scene(f"scenes/{name}.toml")
    exact = jacobian(scene, ["ball.center.x"])[pixel[1], pixel[0], 1, 0]
    graph = trace(scene, pixel, "g").steps()
    assert [n.name for n in graph.nodes if "crossing" in n.name] == [f"crossing, {edge}" for edge in edges]
    source, entry = source_of(graph, scene, "ball.center.x")
    found = find_paths(graph, source, entry, most=1000)
    assert found.complete and len(found.listed) < 50 and all(path.value for path in found.listed)
    assert sum(path.value for path in found.listed) == pytest.approx(exact, rel=1e-10)


SKY = """
reflection_depth = 1
[camera]
position = [0, 1, 5]
target = [0, 1, 0]
fov = 40
width = 8
height = 8
[background]
radiance = [0.2, 0.3, 0.5]
[shapes.floor]
type = "plane"
point = [0, 0, 0]
normal = [0, 1, 0]
material = { type = "lambert", albedo = 0.5 }
[shapes.ball]
type = "sphere"
center = [0, 1, 0]
radius = 0.8
material = { type = "mirror", reflectance = 0.9 }
[lights.lamp]
type = "point"
position = [0.5, 4, 1]
intensity = 20
[lights.key]
type = "directional"
direction = [1, -1, 0]
irradiance = 1
"""


def test_a_step_says_which_surfaces_it_is_of_and_whose_shadow_it_lies_in():
    scene, told = parse_scene(SKY), set()
    for y in range(8):
        for x in range(8):
            told |= {node.scope[0] for node in trace(scene, (x, y), edges="ignore").nodes if node.scope}
    ways = {"floor", "ball", "floor to ball", "background", "camera"}
    shadows = {"floor in shadow of lamp", "floor in shadow of lamp to ball", "floor in shadow of key"}
    assert ways <= told and told & shadows and all("ball in shadow" not in way for way in told), told


def test_paths_through_a_derivative_of_0_are_counted_and_not_listed():
    x = variable(np.array([3.0, 0.5]), "x")
    a, b = named(ag.maximum(x[0], 1.0), "a"), named(ag.maximum(x[1], 1.0), "b")
    graph = graph_of(named(a * 2.0 + a * b + ag.exp(b), "y")).steps()
    for entry, listed, nothing in ((0, 1, 1), (1, 0, 2), (None, 1, 1)):
        found = find_paths(graph, graph["x"], entry)
        assert (found.total, len(found.listed), found.nothing) == (2, listed, nothing) and found.complete
        assert not np.any(found.rest)
    shown = explain_text(graph, graph["x"], 0)
    assert "2 paths, 1 of them through a derivative of 0\n" in shown and "2 paths, 1 of them" in explain_latex(
        graph, graph["x"], 0
    )


def test_diagrams_are_the_same_every_time_and_are_folded():
    scene = load_scene("scenes/tiny.toml")
    one, two = (dot_of(trace(scene, (2, 0), edges="ignore")) for _ in range(2))
    assert one == two and 'label="light 1"' in one
    whole = trace(scene, (2, 0))
    assert len(whole.nodes) > 300 > len(folded(whole).nodes)
    pytest.importorskip("pygraphviz", reason="drawing needs pygraphviz")
    from diffrt.explaining.diagram import svg_of

    assert svg_of(one) == svg_of(two) and b"<svg" in svg_of(one)


def test_scopes_and_names():
    with watch_scopes() as scopes:
        x = variable(2.0, "x")
        with ag.scope("outer"):
            y = x * 3.0
            with ag.scope("inner"):
                z = named(y * y, "z")
        graph = graph_of(z + x, scopes)
    assert graph["z"].scope == ("outer", "inner") and graph["z"].operation == "v1 * v1"
    assert len(graph.edges_to(graph["z"])) == 2
    assert named(3.0, "three") == 3.0
    with pytest.raises(KeyError, match="there are x, z"):
        graph["q"]
    with pytest.raises(ValueError, match="a constant"):
        graph_of(x.detach())


def squared(times, name="x"):
    """x squared so many times: two ways at each step."""
    y = x = variable(1.0, name)
    for _ in range(times):
        y = y * y
    return x, y


def test_what_is_printed_of_a_graph_does_not_grow_with_its_paths():
    x, y = squared(40)
    graph = graph_of(y)
    found = find_paths(graph, graph["x"], most=30)
    for shown in (graph, graph.output, graph.edges[-1], found.listed[0], found, [graph], {"nodes": graph.nodes[:9]}):
        assert len(repr(shown)) < 3000
    assert repr(graph) == "<Graph of v40 by x: 41 nodes, 80 edges>"
    assert repr(graph["x"]) == "<Node x = 1, given>" and repr(graph.output) == "<Node v40 = 1, v39 * v39>"
    assert repr(graph.edges[0]) == "<Edge from x to v1>"
    assert repr(find_paths(graph_of(x * 2.0), graph_of(x * 2.0)["x"])).startswith("<Paths: ")
    assert repr(found).startswith("<Paths: 30 of 1099511627776, sum 1.1e+12>\n<Path x > v1 > v2 > v3 > 34 more > ")
    assert repr(graph_of(variable(1.0, "a\n\x1b[2J" * 99) * 2.0)).count("\n") == 0


def test_a_number_of_paths_that_python_refuses_to_print_is_told(monkeypatch):
    monkeypatch.setattr("diffrt.explaining.path.count_paths", lambda *_: 2**20_000)
    graph = graph_of(squared(3)[1])
    assert "more than 1e6020 paths" in explain_text(graph, graph["x"], None, most=1)
    assert "There are more than 1e6020 paths" in explain_latex(graph, graph["x"], None, most=1)
    assert repr(find_paths(graph, graph["x"], most=1)).startswith("<Paths: 1 of more than 1e6020, sum 8>")


class Counted(list):
    """A list that counts how many of its entries are looked at in passing over it."""

    seen = 0

    def __iter__(self):
        self.seen += len(self)
        return super().__iter__()

    def __getitem__(self, place):
        self.seen += len(self) if isinstance(place, slice) else 1
        return super().__getitem__(place)


def test_many_named_steps_cost_what_the_graph_costs():
    # Each step looks at what lies before it, up to the named ones; not at the whole graph.
    y = variable(1.5, "x")
    for k in range(1000):
        y = named(ag.sin(y) + y, f"y{k}")
    graph = graph_of(y)
    graph.nodes = Counted(graph.nodes)
    steps = graph.steps()
    assert len(steps.edges) == 1000 and all(edge.local.size == 1 for edge in steps.edges)
    assert graph.nodes.seen < 20 * len(graph.nodes)


def test_a_notebook_shows_the_diagram(monkeypatch):
    pytest.importorskip("pygraphviz", reason="drawing needs pygraphviz")
    graph = graph_of(squared(3)[1])
    found = find_paths(graph, graph["x"])
    for shown, nodes, edges in ((graph, 4, 6), (graph.output, 2, 2), (graph.edges[0], 2, 1),
                                (found.listed[0], 4, 3), (found, 4, 6)):  # fmt: skip
        drawn = shown._repr_svg_()
        assert "<svg" in drawn and drawn.count('class="node"') == nodes and drawn.count('class="edge"') == edges
    assert graph_of(ag.sum(ag.stack([variable(1.0) for _ in range(400)])))._repr_svg_() is None
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert all(shown._repr_svg_() is None for shown in (graph, graph.output, graph.edges[0], found))


def run(*words):
    return subprocess.run([sys.executable, "-m", "diffrt", *words], capture_output=True, text=True, timeout=120)


def test_the_command_line(tmp_path):
    told = run("explain", "scenes/tiny.toml", "--pixel", "2,0", "--channel", "r", "--wrt", "ball.center.x")
    slope = jacobian(load_scene("scenes/tiny.toml"), ["ball.center.x"])[0, 2, 0, 0]
    assert told.returncode == 0 and f"d pixel r / d ball.center.x = {tidy(slope, 6)}\n" in told.stdout
    still, moving = map(float, re.search(r"held still (\S+), from moving them (\S+)", told.stdout).groups())
    assert still + moving == pytest.approx(slope, rel=1e-5) and 0.1 * slope < moving < 0.3 * slope
    assert "63 paths, 28 of them through a derivative of 0; the 10 largest:" in told.stdout
    listed = [line for line in told.stdout.splitlines() if " > " in line]
    way = "ball.center > crossing, outline of ball > area of samples (ball) > pixel > pixel r  (moves an edge)"
    assert len(listed) == 10 and any(line.endswith(way) for line in listed[:3])
    told = run("graph", "scenes/tiny.toml", "--pixel", "2,0", "-o", str(tmp_path / "p.dot"))
    assert told.returncode == 0 and (tmp_path / "p.dot").read_text().startswith("digraph")
    told = run("verify", "examples/lecture/activation.toml")
    assert told.returncode == 1 and "yours = right * a * x[i]" in told.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["explain", "scenes/tiny.toml", "--pixel", "9,0", "--wrt", "ball.center"], "allowed: 0,0 to 3,2"),
        (["explain", "scenes/tiny.toml", "--pixel", f"{'9' * 5000},0", "--wrt", "ball.center"], "whole numbers"),
        (["explain", "scenes/tiny.toml", "--pixel", "a", "--wrt", "ball.center"], "needed: two whole numbers"),
        (["explain", "scenes/tiny.toml", "--pixel", "0,0", "--wrt", "ball.center"], "has no influence on this pixel"),
        (["explain", "scenes/tiny.toml", "--pixel", "0,0", "--wrt", "bal.center"], "bal"),
        (["explain", "scenes/tiny.toml", "--pixel", "0,0", "--wrt", "lamp.position", "--channel", "q"], "channel"),
        (["explain", "scenes/tiny.toml", "--pixel", "0,0", "--wrt", "lamp.position", "--format", "gif"], "format"),
        (["graph", "scenes/tiny.toml", "--pixel", "0,0", "-o", "x.gif"], "allowed: .svg, .html or .dot"),
        (["graph", "scenes/tiny.toml", "--pixel", "0,0", "-o", "nowhere/x.svg"], "does not exist"),
        (["verify", "nothing.toml"], "nothing.toml"),
        (["verify", "scenes/tiny.toml"], "is not known"),
    ],
)
def test_mistakes_get_one_line(words, told):
    found = run(*words)
    assert found.returncode == 2 and told in found.stderr and "Traceback" not in found.stderr


def test_a_black_pixel_is_told():
    scene = load_scene("scenes/tiny.toml").replace({"camera.target": [0.0, 9.0, 0.0]})
    with pytest.raises(InputError, match="black"):
        trace(scene, (0, 0))
