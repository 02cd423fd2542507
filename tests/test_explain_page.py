"""The page of a graph in a real browser."""

import json
from xml.etree import ElementTree

import pytest
from browser import opened

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


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    pytest.importorskip("pygraphviz", reason="drawing needs pygraphviz")
    scene = load_scene("scenes/tiny.toml")
    whole = trace(scene, (2, 0), "r", edges="ignore")
    steps = whole.steps()
    source, _ = source_of(steps, scene, "ball.center.x")
    path = tmp_path_factory.mktemp("page") / "pixel.html"
    path.write_text(html_of(steps.restricted([source]), "pixel <r>", whole, [source]), encoding="utf-8")
    return path


def test_the_page_shows_what_is_hovered_clicked_and_stepped(page_file):
    with opened(page_file) as (page, faults):
        assert page.title() == "pixel <r>"
        edge = page.locator("#graph .edge").first
        edge.locator("path.hit").dispatch_event("mousemove", {"clientX": 300, "clientY": 300})
        tip = page.locator("#tip")
        assert tip.is_visible() and " / d " in tip.inner_text() and "=" in tip.inner_text()
        edge.dispatch_event("mouseleave")
        assert not tip.is_visible()
        page.locator("#graph .node", has_text="hit point").first.click()
        panel = page.locator("#panel").inner_text()
        assert "hit point" in panel and "gradient" in panel and "0.4266" in panel
        assert page.locator("#inner svg").count() == 1
        page.click("#forward")
        assert page.locator("#told").inner_text().startswith("Step 1 of ")
        dim = page.locator("#graph .dim").count()
        for _ in range(3):
            page.click("#next")
        assert page.locator("#told").inner_text().startswith("Step 4 of ")
        assert page.locator("#graph .dim").count() == dim - 3
        page.click("#back")
        assert page.locator("#told").inner_text().startswith("Step 3 of ")
        page.click("#backward")
        assert "the gradient of pixel r is 1, where the pass begins" in page.locator("#told").inner_text()
        for _ in range(40):
            page.click("#next")
        assert "the sum of what" in page.locator("#told").inner_text()
        page.click("#all")
        assert page.locator("#graph .dim").count() == 0
        assert faults == []


def test_the_mouse_reaches_an_edge(page_file):
    with opened(page_file) as (page, faults):
        place = page.locator("#graph .edge").nth(3).locator("path").first.bounding_box()
        page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        assert page.locator("#tip").is_visible()
        assert faults == []


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


def test_hostile_names_in_a_browser(tmp_path):
    pytest.importorskip("pygraphviz", reason="drawing needs pygraphviz")
    name = " ".join(HOSTILE[:7])
    whole = hostile_graph(name)
    path = tmp_path / "page.html"
    path.write_text(html_of(whole.steps(), name, whole, notes=name), encoding="utf-8")
    with opened(path) as (page, faults):
        assert page.title() == name
        page.locator("#n1").first.dispatch_event("click")
        assert page.locator("#panel h2").inner_text() == name and not faults


def test_latex_is_a_whole_document():
    scene = load_scene("scenes/tiny.toml")
    graph = trace(scene, (2, 0), "r").steps()
    source, entry = source_of(graph, scene, "ball.center.x")
    text = explain_latex(graph, source, entry)
    assert text.startswith("\\documentclass") and text.rstrip().endswith("\\end{document}")
    assert text.count("\\begin{") == text.count("\\end{") and "_" not in text.replace("\\_", "")
