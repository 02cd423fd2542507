"""Figures for paper and slides: what is lit, how large they are, sheets of blocks, frames that follow one another."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from diffrt import autograd as ag
from diffrt.autograd import named, scope, variable
from diffrt.autograd.naming import watch_scopes
from diffrt.errors import InputError
from diffrt.explaining import find_paths, graph_of
from diffrt.explaining.drawing import Canvas, best_way, figure_of, text_width
from diffrt.explaining.frames import Frames, figures_of_backward, figures_of_paths, panels
from diffrt.explaining.layout import in_layers
from diffrt.explaining.sheet import sheet_of
from diffrt.explaining.wording import tidy


def diamond():
    """x on two ways to y, one of them over a."""
    x = variable(0.7, "x")
    a = named(ag.sin(x), "a")
    return graph_of(named(a * x, "y")).steps()


def parts(count=3):
    """A sum over parts that share w and u, each a chain of two steps."""
    w, u = variable(0.5, "lens.w"), variable(1.5, "u")
    with watch_scopes() as scopes:
        total = 0.0
        for k in range(count):
            with scope(f"part {k}"):
                total = total + named(u * named(ag.tanh(w * (k + 1.0)), "h"), "p")
        total = named(total, "sum")
    return graph_of(total, scopes, constants=False).steps()


PLACES = {f"part {k}": (0, k) for k in range(3)}


def texts(figure):
    return [element.text for element in ElementTree.fromstring(figure.svg).iter("{http://www.w3.org/2000/svg}text")]


def dimmed(figure):
    """The texts in groups that are dimmed."""
    root, found = ElementTree.fromstring(figure.svg), []
    for group in root.iter("{http://www.w3.org/2000/svg}g"):
        if float(group.get("opacity", 1.0)) < 1.0:
            found += [element.text for element in group.iter("{http://www.w3.org/2000/svg}text")]
    return found


def test_only_the_path_that_is_lit_stands_out_and_has_its_local_derivatives():
    graph = diamond()
    paths = find_paths(graph, graph["x"]).listed
    short = next(p for p in paths if len(p.edges) == 1)
    figure = figure_of(graph, lit=short)
    assert "a" in dimmed(figure) and not {"x", "y"} & set(dimmed(figure))
    (edge,) = short.edges
    assert [t for t in texts(figure) if t.endswith(tidy(edge.local, 3)) and t not in texts(figure_of(graph))]
    assert dimmed(figure_of(graph)) == []


def test_a_box_says_formula_value_and_gradient_as_the_graph_has_them():
    graph = diamond()
    told = texts(figure_of(graph))
    for node in graph.nodes:
        assert node.name in told and f"= {tidy(node.value, 3)}" in told
    assert "= sin(x)" in told and f"dy/dx = {tidy(graph.gradient(graph['x']), 3)}" in told
    assert not [t for t in texts(figure_of(graph, gradients=False)) if t.startswith("dy/d")]


def test_terms_of_the_paths_grow_until_the_sum_is_the_gradient():
    graph = diamond()
    figures = figures_of_paths(graph, graph["x"])
    assert len(figures) == 3
    for k, figure in enumerate(figures[:-1]):
        (line,) = (t for t in texts(figure) if t.startswith("sum so far"))
        assert len(re.findall(r"[-+] ", line.partition(" = ")[0])) == k
    assert line.endswith(f" = {tidy(graph.gradient(graph['x']), 6)}")
    assert f"the sum stands: dy/dx = {tidy(graph.gradient(graph['x']), 6)}" in texts(figures[-1])


def test_paths_that_are_not_drawn_are_told_as_a_number():
    graph = diamond()
    figures = figures_of_paths(graph, graph["x"], most=1)
    paths = find_paths(graph, graph["x"], most=1)
    assert len(figures) == 2
    assert any(tidy(paths.rest, 6) in t and tidy(paths.derivative, 6) in t for t in texts(figures[-1]))


def test_the_backward_pass_adds_up_what_a_leaf_gains():
    graph = parts()
    last = figures_of_backward(graph)[-1]
    assert any(t.startswith("so far") and tidy(graph.gradient(graph["lens.w"]), 3) in t for t in texts(last))


def test_a_graph_runs_the_way_in_which_it_is_larger():
    x = variable(1.0, "x")
    long = x
    for k in range(12):
        long = named(ag.sin(long), f"a{k}")
    wide = [named(ag.exp(x * float(k)), f"b{k}") for k in range(3)]
    wide = named(sum(named(ag.cos(wide[k] * wide[k - 1]), f"c{k}") for k in range(3)), "c")
    for graph in (graph_of(long).steps(), graph_of(wide).steps(), diamond()):
        sizes = {way: figure_of(graph, way).size for way in ("up", "right")}
        assert sizes["up"] != sizes["right"] and figure_of(graph).size in sizes.values()
        scales = {way: min(16.0 / w, 10.0 / h) for way, (w, h) in sizes.items()}
        assert scales[best_way(graph)] >= 0.95 * max(scales.values())
    assert {best_way(graph_of(long).steps()), best_way(graph_of(wide).steps())} == {"up", "right"}


@pytest.mark.parametrize("way", ["up", "right", "down"])
def test_arrows_run_the_way_that_was_asked_for(way):
    sizes = dict.fromkeys("abcd", (30.0, 20.0))
    placed = in_layers(sizes, [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")], way, ("a", "d"))
    centers = placed.centers
    axis, sign = {"up": (1, -1.0), "right": (0, 1.0), "down": (1, 1.0)}[way]
    for (source, target), points in zip([("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")], placed.arrows, strict=True):
        assert sign * (centers[target][axis] - centers[source][axis]) > 0.0
        assert sign * (points[-1][axis] - points[0][axis]) > 0.0
    assert centers["a"][axis] == centers["d"][axis]  # though d is needed only for the last one
    # What nothing leads to, and is not of the first layer, stands behind it.
    centers = in_layers(sizes, [("a", "b"), ("c", "b")], way, ("a",)).centers
    assert sign * (centers["c"][axis] - centers["a"][axis]) > 0.0


def test_the_smallest_text_is_known_also_inside_other_figures():
    graph = diamond()
    figure = figure_of(graph)
    sizes = [float(s) for s in re.findall(r'font-size="([\d.]+)"', figure.svg)]
    assert figure.smallest == pytest.approx(min(sizes), abs=0.01)
    sheet = panels([figure, figure], 2, "two", (297.0, 210.0))
    assert sheet.smallest == figure.smallest and sheet.size[0] / sheet.size[1] == pytest.approx(297.0 / 210.0)
    # In points: pixels of the figure, of which so many are 297 mm wide.
    assert sheet.smallest_on((297.0, 210.0)) == pytest.approx(
        min(sizes) * 297.0 / sheet.size[0] * 72.0 / 25.4, rel=1e-3
    )
    assert Canvas().figure((10.0, 10.0)).smallest == 0.0


def test_a_line_that_is_wider_than_its_room_is_made_smaller():
    canvas = Canvas()
    canvas.text(0.0, 0.0, "a long line of text", 20.0, room=50.0)
    assert text_width("a long line of text", canvas.smallest) == pytest.approx(50.0)


def test_a_sheet_has_each_part_in_its_place_and_shares_what_they_share():
    graph = parts()
    told = texts(sheet_of(graph, PLACES, "a sheet"))
    assert [told.count(name) for name in ("part 0", "part 1", "part 2", "h", "p")] == [1, 1, 1, 3, 3]
    assert told.count("lens.w") == 1 and told.count("lens") == 1 + 3  # its frame, and a tag in each block
    assert f"d sum/d lens.w = {tidy(graph.gradient(graph['lens.w']), 3)}" in told
    lit = sheet_of(graph, PLACES, lit=[n.name for n in graph.nodes if "part 1" in n.scope])
    assert "part 0" in dimmed(lit) and "part 1" not in dimmed(lit)


def test_the_blocks_of_a_sheet_stand_apart_in_their_rows_and_columns():
    graph = parts(4)
    places = {f"part {k}": divmod(k, 2) for k in range(4)}
    svg = sheet_of(graph, places, paper=(420.0, 297.0)).svg
    frames = np.array(
        re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" fill="#f8fafc"', svg), float
    )
    assert len(frames) == 4
    x, y, w, h = frames.T
    assert x[0] == x[2] and x[1] == x[3] > x[0] + w[0] and y[0] == y[1] and y[2] == y[3] > y[0] + h[0]


def test_a_sheet_without_a_place_for_each_part_is_refused():
    with pytest.raises(InputError, match="nothing in part 9"):
        sheet_of(parts(), {**PLACES, "part 9": (1, 0)})
    with pytest.raises(InputError, match="one place"):
        sheet_of(parts(), dict.fromkeys(PLACES, (0, 0)))


def test_frames_and_panels_of_nothing_are_refused_and_files_have_their_suffix(tmp_path):
    figure = figure_of(diamond())
    with pytest.raises(InputError, match="0 figures"):
        Frames([], "none")
    with pytest.raises(InputError, match="1 thumbs"):
        Frames([figure, figure], "two", [figure])
    with pytest.raises(InputError, match="one figure"):
        panels([], 2)
    with pytest.raises(InputError, match=r"allowed: \.svg"):
        figure.save(tmp_path / "figure.png")
    with pytest.raises(InputError, match=r"allowed: \.html"):
        Frames([figure], "one").save(tmp_path / "frames.svg")
    assert list(tmp_path.iterdir()) == []


def test_more_than_can_be_seen_is_refused_before_it_is_drawn():
    x = variable(1.0, "x")
    long = x
    for _ in range(5000):
        long = ag.sin(long)
    graph = graph_of(named(long, "y"))
    for draw in (figure_of, figures_of_backward, lambda g: sheet_of(g, {})):
        with pytest.raises(InputError, match="nodes, a figure holds"):
            draw(graph)
    assert "y" in texts(figure_of(graph.steps()))


def test_names_are_text_and_never_part_of_the_page():
    x = variable(1.0, "</svg><script>alert(1)</script>@STRIP@")
    figure = figure_of(graph_of(named(ag.sin(x) * x, "a & b")).steps())
    ElementTree.fromstring(figure.svg)
    page = Frames([figure], "<b>@FRAMES@</b>").html()
    assert page.count("<script>") == 1 and "<b>" not in page and "@FRAMES@" in page and "@STRIP@" in page


def test_the_same_graph_gives_the_same_figure():
    assert figure_of(diamond()).svg == figure_of(diamond()).svg
    assert sheet_of(parts(), PLACES).svg == sheet_of(parts(), PLACES).svg
