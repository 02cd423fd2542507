"""The page of a graph in a real browser: what it shows, at every size, by mouse, by keys and on paper."""

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from browser import chromium, opened

from diffrt import autograd as ag
from diffrt import load_scene
from diffrt.autograd import named, scope, variable
from diffrt.autograd.naming import watch_scopes
from diffrt.errors import printable
from diffrt.explaining import dot_of, graph_of, svg_of, trace
from diffrt.explaining.html import html_of
from diffrt.explaining.latex import explain_latex
from diffrt.explaining.text import explain_text
from diffrt.explaining.trace import source_of

SIZES = [(1440, 900), (900, 700), (420, 820)]


def activation():
    x = [variable(v, f"x{i + 1}") for i, v in enumerate((1.3, 1.7, 2.1))]
    a = named(x[0] + x[1] + x[2], "a")
    b = named(ag.log(x[0]) + ag.log(x[1]) + ag.log(x[2]), "b")
    y = [named(ag.cos(ag.exp(v) * a / b), f"y{i + 1}") for i, v in enumerate(x)]
    return graph_of(named(y[0] + y[1] + y[2], "L"))


def scanning():
    rng = np.random.default_rng(1)
    signal = rng.normal(size=6)
    w, b = variable(rng.normal(size=(2, 3)), "W"), variable(rng.normal(size=2), "b")
    v = variable(rng.normal(size=2), "v")
    with watch_scopes() as scopes:
        total = 0.0
        for k in range(4):
            with scope(f"position {k}"):
                h = named(ag.tanh(ag.matmul(w, signal[k : k + 3]) + b), f"h{k}")
                total = named(total + ag.matmul(v, h), f"sum{k}")
    return graph_of(total, scopes)


def written(folder, graph, whole=None, **more):
    path = folder / "page.html"
    path.write_text(html_of(graph, "a page", whole, **more), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def pixel_file(tmp_path_factory):
    scene = load_scene("scenes/tiny.toml")
    whole = trace(scene, (2, 0), "r", edges="ignore")
    steps = whole.steps()
    source, _ = source_of(steps, scene, "ball.center.x")
    path = tmp_path_factory.mktemp("page") / "pixel.html"
    path.write_text(html_of(steps.restricted([source]), "pixel <r>", whole, [source]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def activation_file(tmp_path_factory):
    whole = activation()
    return written(tmp_path_factory.mktemp("activation"), whole.steps(), whole)


def box(page, name):
    return page.locator("#graph > .node").filter(has=page.locator(f"xpath=./*[text()='{name}']")).first


def settled(page):
    """The view has come to rest, which takes no time where motion is to be reduced."""
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_timeout(30)


def inside(page, rect, margin=1.0):
    frame = page.locator("#canvas").bounding_box()
    return (
        rect["x"] >= frame["x"] - margin
        and rect["y"] >= frame["y"] - margin
        and rect["x"] + rect["width"] <= frame["x"] + frame["width"] + margin
        and rect["y"] + rect["height"] <= frame["y"] + frame["height"] + margin
    )


def test_it_opens_fitted_at_every_size(browser, pixel_file):
    with opened(pixel_file, browser) as (page, faults):
        assert page.title() == "pixel <r>"
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            settled(page)
            rects = [n.bounding_box() for n in page.locator("#graph > .node > rect").all()]
            assert len(rects) == 13 and all(inside(page, r) for r in rects)
            # Nothing of the page itself is wider than the window, and the graph uses what room there is.
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            frame = page.locator("#canvas").bounding_box()
            wide = max(r["x"] + r["width"] for r in rects) - min(r["x"] for r in rects)
            high = max(r["y"] + r["height"] for r in rects) - min(r["y"] for r in rects)
            assert max(wide / frame["width"], high / frame["height"]) > 0.7
        assert faults == []


@pytest.mark.parametrize("mode", ["f", "b"])
def test_the_step_in_progress_is_in_view_and_readable(browser, pixel_file, mode):
    with opened(pixel_file, browser) as (page, faults):
        page.emulate_media(reduced_motion="reduce")
        for width, height in SIZES[::2]:
            page.set_viewport_size({"width": width, "height": height})
            settled(page)
            page.keyboard.press(mode)
            count = int(re.search(r"of (\d+)", page.locator("#told").inner_text())[1])
            for k in range(count):
                rect = page.locator("#graph > .node.lit > rect").first.bounding_box()
                assert page.locator("#told").inner_text().startswith(f"Step {k + 1} of {count}")
                # A box of four lines: 14 pixels a line can be read.
                assert inside(page, rect) and rect["height"] > 40
                page.keyboard.press("ArrowRight")
            page.keyboard.press("Escape")
        assert page.locator("#graph .dim").count() == 0
        assert faults == []


def test_keys_zoom_pan_and_step(browser, activation_file):
    with opened(activation_file, browser) as (page, faults):

        def view():
            settled(page)
            return [float(v) for v in page.locator("#graph").get_attribute("viewBox").split()]

        start = view()
        page.emulate_media(reduced_motion="no-preference")
        page.keyboard.press("+")
        page.wait_for_timeout(400)
        page.keyboard.press("0")
        page.keyboard.press("+")
        assert view()[2] < start[2]
        page.keyboard.press("ArrowRight")
        moved = view()
        assert moved[0] > start[0]
        page.keyboard.press("ArrowUp")
        assert view()[1] < moved[1]
        page.keyboard.press("0")
        assert view() == pytest.approx(start)
        page.keyboard.press("f")
        page.keyboard.press("End")
        assert page.locator("#told").inner_text().startswith("Step 9 of 9: L = y1 + y2 + y3 = 1.3")
        page.keyboard.press("Home")
        assert page.locator("#told").inner_text().startswith("Step 1 of 9") and page.locator("#graph .dim").count()
        page.keyboard.press("Escape")
        # Without a mouse: Tab goes to a box, Enter chooses it, u unfolds it.
        page.locator("#graph").focus()
        for _ in range(4):
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("a, = x1 + x2 + x3, = 5.1")
        page.keyboard.press("Enter")
        assert page.locator("#panel h2").inner_text() == "a"
        page.keyboard.press("u")
        assert page.locator("#graph .node.open").count() == 1
        assert faults == []


def test_a_step_unfolds_in_place_and_nothing_overlaps(browser, activation_file):
    with opened(activation_file, browser) as (page, faults):
        boxes = page.locator("#graph > .node").count()
        box(page, "y2").locator(".unfold").click()
        box(page, "b").locator(".unfold").click()
        settled(page)
        opened_boxes = page.locator("#graph > .node.open")
        assert opened_boxes.count() == 2 and page.locator("#graph > .node").count() == boxes
        inner = page.locator("#graph .node.open .node").all_text_contents()
        assert any("cos(" in text for text in inner) and any("e^x2" in text for text in inner)
        rects = [n.bounding_box() for n in page.locator("#graph > .node > rect").all()]
        for i, p in enumerate(rects):
            for q in rects[:i]:
                apart = p["x"] + p["width"] <= q["x"] + 1 or q["x"] + q["width"] <= p["x"] + 1
                assert apart or p["y"] + p["height"] <= q["y"] + 1 or q["y"] + q["height"] <= p["y"] + 1
        # What is inside lies inside.
        for frame in opened_boxes.all():
            outer = frame.locator("> rect").bounding_box()
            for rect in (n.bounding_box() for n in frame.locator(".node > rect").all()):
                assert outer["x"] <= rect["x"] and rect["x"] + rect["width"] <= outer["x"] + outer["width"]
                assert outer["y"] <= rect["y"] and rect["y"] + rect["height"] <= outer["y"] + outer["height"]
        # All unfolded, every arrow still ends at a box.
        page.keyboard.press("a")
        settled(page)
        rects = [n.bounding_box() for n in page.locator("#graph > .node > rect").all()]
        for head in (h.bounding_box() for h in page.locator("#graph > .edge > .head").all()):
            x, y = head["x"] + head["width"] / 2, head["y"] + head["height"] / 2
            assert any(abs(x - r["x"] - r["width"] / 2) < r["width"] / 2 + 9
                       and abs(y - r["y"] - r["height"] / 2) < r["height"] / 2 + 9 for r in rects)  # fmt: skip
        page.locator("#graph > .node.open > .unfold").first.dispatch_event("click")
        assert page.locator("#graph .node.open").count() == 5
        assert faults == []


def test_boxes_and_arrows_tell_formulas_and_numbers(browser, activation_file):
    with opened(activation_file, browser) as (page, faults):
        shown = box(page, "y1").locator("> text").all_text_contents()
        assert "cos(e^x1 * a / b)" in shown and "dL/dy1 = 1" in shown and "0.931" in shown
        box(page, "a").click()
        panel = page.locator("#panel").inner_text()
        assert "dL/da" in panel and "-1.7" in panel and "dy1/da = -\u2060sin(e^x1 * a / b) * e^x1 / b" in panel
        page.locator("#panel .row", has_text="dy1/da").click()
        assert "0.8748" in page.locator("#panel").inner_text()
        place = page.locator("#graph .edge .hit").nth(2).bounding_box()
        page.locator("#graph .edge .hit").nth(2).dispatch_event(
            "mousemove", {"clientX": place["x"], "clientY": place["y"]}
        )
        assert re.match(r"d\w+/d\w+ = ", page.locator("#tip").inner_text()) and page.locator("#tip").is_visible()
        page.locator("#graph .edge").nth(2).dispatch_event("mouseleave")
        assert not page.locator("#tip").is_visible()
        assert faults == []


def test_seven_paths_seven_terms_until_the_sum_stands(browser, activation_file):
    with opened(activation_file, browser) as (page, faults):
        page.keyboard.press("p")
        rows = page.locator(".path")
        assert "7 paths" in page.locator("#count").inner_text() and rows.count() == 7
        values = [float(t) for t in page.locator(".path .number").all_inner_texts()]
        assert [abs(v) for v in values] == sorted((abs(v) for v in values), reverse=True)
        assert sum(values) == pytest.approx(7.21668, abs=1e-4)
        rows.nth(3).click()  # x1 > y1 > L
        assert page.locator("#term .product").first.inner_text() == "dL/dy1"
        page.keyboard.press("ArrowRight")
        assert page.locator("#term .product").first.inner_text() == "dL/dy1 · dy1/dx1"
        assert page.locator("#graph > .node.lit").count() == 3 and page.locator("#graph > .node.dim").count() == 6
        page.keyboard.press("ArrowRight")
        assert "sum of 1 of 7 terms: 4.46" in page.locator("#sum").inner_text()
        page.locator("#play").click()
        page.keyboard.press("ArrowLeft")
        for _ in range(40):
            page.keyboard.press("ArrowRight")
        assert page.locator("#sum").inner_text() == "The sum stands: dL/dx1 = 7.21668"
        # Another input, and a node between as the output.
        page.get_by_label("from", exact=True).select_option(label="x2")
        page.get_by_label("to", exact=True).select_option(label="y1")
        assert page.locator(".path").count() == 2
        assert faults == []


def test_paths_through_a_derivative_of_0_are_counted_on_the_page_too(browser, tmp_path):
    x = variable(np.array([3.0, 0.5]), "x")
    a, b = named(ag.maximum(x[0], 1.0), "a"), named(ag.maximum(x[1], 1.0), "b")
    whole = graph_of(named(a * 2.0 + a * b + ag.exp(b), "y"))
    with opened(written(tmp_path, whole.steps(), whole), browser) as (page, faults):
        page.keyboard.press("p")
        assert "2 paths, 1 of them through a derivative of 0" in page.locator("#count").inner_text()
        assert page.locator(".path").count() == 1
        for _ in range(6):
            page.keyboard.press("ArrowRight")
        assert "The sum stands" in page.locator("#sum").inner_text() and "= 3" in page.locator("#sum").inner_text()
        page.get_by_label("entry", exact=True).select_option(index=1)
        assert "2 paths, 2 of them" in page.locator("#count").inner_text() and not page.locator("#play").count()
        page.keyboard.press("ArrowRight")
        assert faults == []


def test_backward_gives_rules_layouts_and_running_sums(browser, tmp_path):
    whole = scanning()
    with opened(written(tmp_path, whole.steps(), whole), browser) as (page, faults):
        page.keyboard.press("b")
        assert "where the pass begins" in page.locator("#told").inner_text()
        told, sums = [], []
        for _ in range(8):
            page.keyboard.press("ArrowRight")
            told.append(page.locator("#told").inner_text())
            sums.append(page.locator("#sums").inner_text())
        everything = "\n".join(told)
        assert "+ passes it on" in everything and "tanh multiplies it by tanh' = 1 - tanh^2" in everything
        assert "for A in A @ x it is g x^T, for x it is A^T g" in everything
        assert "like the variable 2x3, in numerator layout 3x2" in everything
        assert "d sum3/dW +=" in everything and "so far" in everything
        assert "4 of 4" in sums[-1] and "from h0" in sums[-1] and "from h3" in sums[-1]
        gradient = [f"{v:.4g}" for v in whole["W"].adjoint[0]]
        assert gradient[0] in sums[-1]
        assert faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_dark_and_in_light(browser, activation_file, scheme):
    with opened(activation_file, browser) as (page, faults):
        page.emulate_media(color_scheme=scheme)

        def brightness(selector, key):
            color = page.locator(selector).first.evaluate(f"e => getComputedStyle(e).{key}")
            return sum(map(float, re.findall(r"[\d.]+", color)[:3])) / 765

        for back, front in (("#graph > .node.step > rect", "#graph > .node.step > .name"),
                            ("#graph > .node.leaf > rect", "#graph > .node.leaf > .gradient")):  # fmt: skip
            assert abs(brightness(back, "fill") - brightness(front, "fill")) > 0.35
        assert (brightness("body", "backgroundColor") < 0.5) == (scheme == "dark")
        assert faults == []


def test_it_prints_the_whole_graph(browser, activation_file):
    with opened(activation_file, browser) as (page, faults):
        for _ in range(6):
            page.keyboard.press("+")
        settled(page)
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print", reduced_motion="reduce")
        assert all(inside(page, n.bounding_box()) for n in page.locator("#graph > .node > rect").all())
        assert page.locator("[role=toolbar]").evaluate("e => getComputedStyle(e).display") == "none"
        assert faults == []


def test_a_graph_of_many_nodes_is_folded_and_says_so(browser, tmp_path):
    y, z = variable(1.5, "x"), variable(0.3, "z")
    for _ in range(15_000):
        y = ag.sin(y) + z
    path = written(tmp_path, graph_of(y))
    assert path.stat().st_size < 5_000_000
    with opened(path, browser) as (page, faults):
        told = page.locator("#folded").inner_text()
        assert "30,002 nodes" in told and "folded" in told and "can be unfolded here" in told
        assert page.locator("#graph > .node").count() < 60
        group = page.locator("#graph > .node.group").first
        group.locator("> .unfold").dispatch_event("click")
        inner = page.locator("#graph > .node.open .node.group .unfold").first
        inner.dispatch_event("click")
        assert page.locator("#graph .node.open .node.open .node").count() > 10
        page.keyboard.press("f")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("b")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("p")
        assert faults == []


def test_a_graph_of_operations_is_folded_to_its_named_steps(browser, tmp_path):
    whole = trace(load_scene("scenes/tiny.toml"), (2, 0), "r", edges="ignore")
    with opened(written(tmp_path, whole), browser) as (page, faults):
        assert "148 operations, folded to 24 named steps" in page.locator("#folded").inner_text()
        assert page.locator("#graph > .node").count() == 24
        page.keyboard.press("a")
        assert page.locator("#graph .node").count() > 146
        page.keyboard.press("a")
        assert page.locator("#graph .node").count() == 24
        assert faults == []
    # What is too much for a page stays folded; a step of many operations without names unfolds into runs of them.
    y = x = variable(1.5, "x")
    for _ in range(4_000):
        y = ag.sin(y) + x
    y = named(y, "y")
    whole = graph_of(named(y * x, "L"))
    with opened(written(tmp_path, whole.steps(), whole), browser) as (page, faults):
        box(page, "y").locator(".unfold").click()
        assert page.locator("#graph .node.open .node.group").count() > 10
        assert faults == []


def test_infinite_and_missing_numbers_and_the_smallest_graph(browser, tmp_path):
    x = variable([0.0, 4.0], "x")
    with np.errstate(all="ignore"):
        graphs = [
            graph_of(named(ag.sum(named(ag.log(x), "a") * named(ag.sqrt(x), "b")), "L")),
            graph_of(variable(1.0, "x")),
        ]
        pages = [html_of(graph, "") for graph in graphs]
    for page_text in pages:
        (tmp_path / "page.html").write_text(page_text, encoding="utf-8")
        with opened(tmp_path / "page.html", browser) as (page, faults):
            for key in (
                "f",
                "ArrowRight",
                "b",
                "ArrowRight",
                "End",
                "p",
                "ArrowRight",
                "ArrowRight",
                "Escape",
                "a",
                "t",
            ):
                page.keyboard.press(key)
            assert faults == []
    with opened(tmp_path / "page.html", browser) as (page, faults):
        assert box(page, "x").count() == 1
    assert "Infinity" in pages[0] and "NaN" not in data_of(pages[0])


def test_wide_vectors_say_what_they_are(pixel_file):
    data = data_of(pixel_file.read_text(encoding="utf-8"))
    shapes = {node["name"]: node["shape"] for node in data["nodes"].values()}
    assert shapes["hit point"] == "3 x 1, x, y, z" and shapes["reflected radiance"] == "3 x 1, red, green, blue"
    graph = trace(load_scene("scenes/tiny.toml"), (2, 0), "r").steps()
    shapes = {node["name"]: node["shape"] for node in data_of(html_of(graph, "", graphviz=False))["nodes"].values()}
    count = graph["area of samples (ball)"].size
    assert count > 50 and shapes["hit point (ball)"] == f"3 x {count}, x, y, z by {count} samples"
    assert re.fullmatch(r"3 x (\d+), red, green, blue by \1 samples", shapes["radiance (floor)"])


@pytest.mark.parametrize(
    ("pixel", "lamp", "reason"),
    [
        ((2, 0), [0.6, -3.0, 1.7], "the light is not seen from here, something stands between them"),
        ((0, 0), [0.6, -3.0, 1.7], "normal · to light = -0.492 is below 0: the surface faces away"),
        ((2, 1), [-1.5, 5.0, -9.0], "the surface faces away from the light"),
    ],
)
def test_a_dark_pixel_says_why_it_is_zero(browser, tmp_path, pixel, lamp, reason):
    scene = load_scene("scenes/tiny.toml").replace({"lamp.position": lamp})
    graph = trace(scene, pixel, "r", edges="ignore").steps()
    assert graph.output.value == 0.0
    with opened(written(tmp_path, graph), browser) as (page, faults):
        assert reason in page.locator("#told").inner_text()
        box(page, "normal").dispatch_event("click")
        assert "The gradient is 0" in page.locator("#panel").inner_text()
        assert faults == []


@pytest.mark.parametrize("which", [activation, scanning])
def test_without_graphviz_the_page_is_as_good(browser, tmp_path, which, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    whole = which()
    with opened(written(tmp_path, whole.steps(), whole), browser) as (page, faults):
        rects = [n.bounding_box() for n in page.locator("#graph > .node > rect").all()]
        assert rects and all(inside(page, r) for r in rects)
        assert page.locator("#graph > .edge").count() == len(whole.steps().edges)
        assert faults == []


def test_a_notebook_gets_the_page():
    shown = activation().steps()._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and "cos(e^x1 * a / b)" in shown
    # In a piece of a graph no derivative is called one of the piece's own end.
    edge = activation().edges[3]
    assert "= " in dot_of(activation()) and "dL/d" in dot_of(activation())
    assert "/d" not in dot_of(edge.drawn()) and "/d" not in dot_of(edge.target.drawn())


def data_of(page):
    return json.loads(page.partition('type="application/json">')[2].partition("</script>")[0])


HOSTILE = [
    "</script><script>document.title = 1</script>", "<!--<script>", "@DATA@ @NOTES@ @SVG@ <i>", "&lt;b&gt;", "a\\",
    '"];x["', "]]>", "\x1b[2J\x00", "\ud800", "<img src=x onerror='document.title=1'>", "\\N", "\u2028",
]  # fmt: skip


def hostile_graph(name):
    with watch_scopes() as scopes, scope(name):
        x = variable([1.0, 2.0], name)
        y = named(ag.sum(named(ag.exp(x), name + " inner") * x), name + " out")
    return graph_of(y, scopes)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_name_stays_a_name_in_every_format(name):
    pytest.importorskip("pygraphviz", reason="drawing needs pygraphviz")
    whole = hostile_graph(name)
    page = html_of(whole.steps(), name, whole, notes=name)
    page.encode()
    # Of the page's own scripts nothing more is opened or closed, and the data hold the name as it is.
    assert page.count("<script") == page.count("</script") == 2 and "<!--<" not in page and "<img" not in page
    data = page.partition('type="application/json">')[2].partition("</script>")[0]
    assert not set(data) & set("<>&") and json.loads(data)["nodes"]["n1"]["name"] == name
    assert "\x00" not in page and "\x1b" not in page
    drawn = ElementTree.fromstring(svg_of(dot_of(whole)))
    texts = [t.text for t in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert printable(name) in [text.replace("\xa0", " ") for text in texts]
    latex = explain_latex(whole.steps(), whole[name], 0)
    assert "\x1b" not in latex and "\n[" not in latex
    assert all(line.isprintable() for line in explain_text(whole, whole[name], 0).split("\n"))


def test_hostile_names_in_a_browser(browser, tmp_path):
    name = " ".join(HOSTILE[:7])
    whole = hostile_graph(name)
    path = tmp_path / "page.html"
    path.write_text(html_of(whole.steps(), name, whole, notes=name), encoding="utf-8")
    with opened(path, browser) as (page, faults):
        assert page.title() == name
        page.locator("#graph > .node").first.dispatch_event("click")
        assert page.locator("#panel h2").inner_text() == name
        for key in ("f", "ArrowRight", "b", "ArrowRight", "p", "ArrowRight"):
            page.keyboard.press(key)
        assert not faults


def test_latex_is_a_whole_document():
    scene = load_scene("scenes/tiny.toml")
    graph = trace(scene, (2, 0), "r").steps()
    source, entry = source_of(graph, scene, "ball.center.x")
    text = explain_latex(graph, source, entry)
    assert text.startswith("\\documentclass") and text.rstrip().endswith("\\end{document}")
    assert text.count("\\begin{") == text.count("\\end{") and "_" not in text.replace("\\_", "")
