"""The lecture's figures are made by its scripts and shown by its notebook; its exercises are marked as they should."""

import ast
import json
import re
import runpy
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from browser import chromium, opened

from diffrt import explain, load_scene
from diffrt.explaining.wording import tidy
from diffrt.marking import load_derivation
from diffrt.marking.reading import parse_derivation
from diffrt.tracer import render

HERE = Path(__file__).parents[1] / "examples" / "lecture"
BANK = HERE / "bank"
A3 = (420.0, 297.0)

TOLD = {
    "activation": ["7 paths from x1 to L", "their sum 7.21668425, the gradient 7.21668425", "yours = right * a * x[i]",
                   "right for cos(e^{x_i a / b})"],
    "mlp": ["tanh multiplies it by tanh' = 1 - tanh^2", "for A in A @ x it is g x^T",
            "like the variable 2x3, in numerator layout 3x2", "added up on the way (+=): out",
            "left alone, nobody wants their gradient: x", "two layers, backward"],
    "scanning_mlp": ["after position 3 grad W +=", "from 4 uses, added up", "equal to the gradient: True"],
    "softmax_batch_norm": ["equal to diag(s) - s s^T: True", "equal to (I - 1/n - y y^T / n) / sigma: True",
                           "39 right", "77 right"],
    "pixel": ["the whole graph, 148 nodes", "d pixel r / d lamp.position.y", "37 right"],
}  # fmt: skip
WRITTEN = {
    "activation": ["activation.svg", "activation.html", "activation_graph.html"],
    "mlp": ["mlp.svg", "mlp.html", "mlp_two_layers.svg", "mlp_two_layers.html", "mlp_graph.html"],
    "scanning_mlp": ["scanning_mlp.svg", "scanning_mlp.html", "scanning_mlp_graph.html"],
    "softmax_batch_norm": ["softmax.svg", "softmax.html", "batch_norm.svg", "batch_norm.html"],
    "pixel": ["pixel.svg", "pixel_paths.html", "pixel.html", "pixel.dot"],
    "sheet": ["sheet.svg", "sheet_one_pixel.svg", "sheet.html", "descent.svg"],
}


def run(name, folder, monkeypatch):
    """A script as `python examples/lecture/NAME.py FOLDER` runs it."""
    monkeypatch.setattr(sys, "argv", [f"{name}.py", str(folder)])
    runpy.run_path(str(HERE / f"{name}.py"), run_name="__main__")
    assert sorted(p.name for p in folder.iterdir()) == sorted(WRITTEN[name])
    for path in folder.glob("*.svg"):
        ElementTree.parse(path)


@pytest.mark.parametrize("name", TOLD)
def test_example(name, tmp_path, monkeypatch, capsys):
    run(name, tmp_path, monkeypatch)
    told = capsys.readouterr().out
    for line in TOLD[name]:
        assert line in told


@pytest.fixture(scope="module")
def sheet():
    return runpy.run_path(str(HERE / "sheet.py"))


def test_the_sheet_is_the_ray_tracer(sheet):
    assert np.allclose(sheet["TARGET"], render(sheet["SCENE"], edges="ignore"), rtol=1e-12, atol=0.0)
    graph, _ = sheet["graph_at"](sheet["START"])
    assert 65 <= len(graph.nodes) <= 85 and all(node.given for node in graph.nodes)
    assert {node.scope[0] for node in graph.nodes if node.scope} == set(sheet["PLACES"])


def test_the_sheet_is_readable_on_a3(sheet):
    _, figure = sheet["sheet"](sheet["START"])
    assert figure.smallest_on(A3) >= 5.0
    page = ElementTree.fromstring(figure.svg)
    assert (page.get("width"), page.get("height")) == ("420.0mm", "297.0mm")
    points = 420.0 / float(page.get("viewBox").split()[2]) * 72.0 / 25.4
    sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)"', figure.svg)]
    assert min(sizes) * points == pytest.approx(figure.smallest_on(A3), abs=0.01)


def test_the_sheet_shows_the_gradient(sheet):
    graph, figure = sheet["sheet"](sheet["START"])
    for name in sheet["FREE"]:
        assert f"d loss/d {name} = {tidy(graph.gradient(graph[name]), 3)}" in figure.svg
    gradient = np.concatenate([graph.gradient(graph[name]) for name in sheet["FREE"]])
    way, step = np.random.default_rng(0).normal(size=6), 1e-6
    ends = [sheet["graph_at"](sheet["START"] + side * step * way)[0].output.value for side in (1.0, -1.0)]
    assert gradient @ way == pytest.approx((ends[0] - ends[1]) / (2.0 * step), rel=1e-6)


def test_one_pixel_of_the_sheet_is_lit(sheet):
    _, figure = sheet["sheet"](sheet["START"], only=(2, 0))
    _, whole = sheet["sheet"](sheet["START"])
    assert figure.svg.count('opacity="0.27"') > 20 and 'opacity="0.27"' not in whole.svg.replace("\n", "")


@pytest.mark.slow
def test_the_lamp_and_the_ball_are_found_on_the_sheet(sheet, tmp_path, monkeypatch, capsys):
    steps = sheet["descend"]()
    truth = np.concatenate([sheet["SCENE"][name] for name in sheet["FREE"]])
    assert np.allclose(steps[-1], truth, atol=1e-6) and not np.allclose(steps[0], truth, atol=0.05)
    run("sheet", tmp_path, monkeypatch)
    assert f"{len(steps) - 1} steps" in capsys.readouterr().out
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert page.count("<figure ") == page.count("<nav ") * len(steps) and len(page) < 5e6


@pytest.mark.slow
def test_the_notebook_shows_every_figure_and_the_derivations_in_it_are_right(monkeypatch):
    cells = json.loads((HERE / "lecture.ipynb").read_text(encoding="utf-8"))["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    before = set(sys.modules)
    monkeypatch.chdir(HERE)
    monkeypatch.syspath_prepend(str(HERE))
    names, shown = {}, []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), names)
        value = None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        if value is not None:
            draw = getattr(value, "_repr_html_", None) or getattr(value, "_repr_svg_", lambda value=value: repr(value))
            shown.append(draw())
    for name in set(sys.modules) - before:
        if (HERE / f"{name}.py").is_file():
            del sys.modules[name]
    assert sum("<iframe" in text for text in shown) == 8 and sum(text.startswith("<svg") for text in shown) == 4
    marked = [text for text in shown if "Taylor remainder" in text]
    assert len(marked) == 6 and sum("wrong" not in text and "cannot" not in text for text in marked) == 4


def test_a_factor_that_is_missing_in_the_edge_term_is_told():
    given = tomllib.loads((HERE / "pixel_edge_by_hand.toml").read_text(encoding="utf-8"))
    wrong = {
        "partials": {"crossing_outline_of_card[0] / card.width": ("-s_width", "yours = right * -1: the sign")},
        "paths": {},
        "totals": {"pixel_r / card.width": ("s_width", "yours = right * area_of_samples / pixel_r")},
    }
    for table, lines in wrong.items():
        assert lines.keys() <= given[table].keys()
        given[table] = {line: formula for line, (formula, _) in lines.items()}
    marked = parse_derivation(given, HERE).mark()
    assert {line.verdict for line in marked.lines} == {"wrong"} and len(marked.lines) == 2, marked
    assert all(words in str(marked) for lines in wrong.values() for _, words in lines.values()), marked


@pytest.mark.slow
def test_a_derivative_of_0_is_right_though_the_pixel_is_black_farther_away():
    given = tomllib.loads((HERE / "pixel_edge_by_hand.toml").read_text(encoding="utf-8"))
    given |= {"partials": {}, "paths": {}, "totals": {"pixel_r / card.height": "0"}}
    marked = parse_derivation(given, HERE).mark()
    assert [line.verdict for line in marked.lines] == ["right"], marked


@pytest.mark.slow
def test_the_edge_term_by_hand_is_right_and_the_bend_of_a_straight_edge_rests():
    marked = load_derivation(HERE / "pixel_edge_by_hand.toml").mark()
    assert {line.verdict for line in marked.lines} == {"right"} and len(marked.lines) == 24, marked
    scene = load_scene(HERE / "pixel_edge_scene.toml")
    why = explain(scene, (2, 1), "card.center.x", channel="r")
    assert why.paths.total == 1 and why.paths.listed[0].moves_an_edge
    moved = [render(scene.replace({"card.center.x": -0.5 + step}))[1, 2, 0] for step in (-0.01, 0.01)]
    assert (moved[1] - moved[0]) / 0.02 == pytest.approx(why.derivative, rel=1e-10)


@pytest.mark.slow
def test_the_figures_have_room_for_their_text_and_no_boxes_overlap(tmp_path, monkeypatch):
    for name in ("activation", "mlp", "scanning_mlp", "softmax_batch_norm", "sheet"):
        (tmp_path / name).mkdir()
        run(name, tmp_path / name, monkeypatch)
    with chromium() as browser:
        for path in sorted(p for p in tmp_path.glob("*/*.html") if "_graph" not in p.name):
            with opened(path, browser) as (page, faults):
                count = page.evaluate("frames.length")
                for k in range(min(count, 3)):
                    found = page.evaluate(CROWDED)
                    assert found == [], (path.name, k, found[:3])
                    page.keyboard.press("ArrowRight")
                page.keyboard.press("End")
                assert page.evaluate("at") == count - 1
                page.keyboard.press("+")
                page.keyboard.press("0")
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert not faults


# What lies over the border of a figure, out of its box, or over another box.
CROWDED = """() => {
  const figure = document.querySelector("figure.shown > svg"), found = [], view = figure.getBoundingClientRect();
  const boxes = [...figure.querySelectorAll('rect[rx="5"]')].map(r => [r, r.getBoundingClientRect()]);
  for (const text of figure.querySelectorAll("text")) {
    const t = text.getBoundingClientRect();
    if (t.left < view.left - 1 || t.right > view.right + 1 || t.top < view.top - 1 || t.bottom > view.bottom + 1)
      found.push("outside: " + text.textContent);
    let own = text.previousElementSibling;
    while (own && own.tagName === "text") own = own.previousElementSibling;
    if (own && own.matches('rect[rx="5"]')) {
      const b = own.getBoundingClientRect();
      if (t.left < b.left - 0.5 || t.right > b.right + 0.5 || t.bottom > b.bottom + 1)
        found.push("too wide: " + text.textContent);
    }
  }
  for (let i = 0; i < boxes.length; i += 1) for (let k = 0; k < i; k += 1) {
    const [, a] = boxes[i], [, b] = boxes[k];
    if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) found.push("boxes overlap");
  }
  return found;
}"""


# The exercise bank.

TABLES = {"partial": "partials", "path": "paths", "total": "totals"}


def planted():
    """File, table, line, mistake and words of its reason."""
    return tomllib.loads((BANK / "planted.toml").read_text(encoding="utf-8"))["planted"]


def exercises():
    return sorted(p for p in BANK.glob("*.toml") if not p.stem.endswith("_wrong") and p.stem != "planted")


def check(path):
    """That an exercise is right, and that in its sibling what was planted is found, and nothing else."""
    right = load_derivation(path).mark()
    assert {line.verdict for line in right.lines} == {"right"}, right
    sibling = path.with_name(f"{path.stem}_wrong.toml")
    marked = load_derivation(sibling).mark()
    wrong = {}
    for line in marked.lines:
        assert line.verdict in ("right", "wrong"), marked
        if line.verdict == "wrong":
            wrong.setdefault((TABLES[line.claim.kind], line.claim.line or line.claim.text), line)
    mine = {(p["table"], p["line"]): p["words"] for p in planted() if p["file"] == sibling.name}
    assert set(wrong) == set(mine), marked
    for key, words in mine.items():
        told = "; ".join(d.text for d in wrong[key].reasons)
        assert all(any(part in told for part in word.split("|")) for word in words), (key, told)


def test_the_bank_has_forty_derivations_with_mistakes_planted_in_each():
    paths, index = exercises(), (BANK / "README.md").read_text(encoding="utf-8")
    assert len(paths) == 40 and len(list(BANK.glob("*_wrong.toml"))) == 40
    for path in paths:
        sibling = path.with_name(f"{path.stem}_wrong.toml")
        assert f"({path.name})" in index and f"({sibling.name})" in index
        right, wrong = (tomllib.loads(p.read_text(encoding="utf-8")) for p in (path, sibling))
        assert right["definitions"] == wrong["definitions"] and right["inputs"] == wrong["inputs"]
        changed = {(t, line) for t in TABLES.values() for line in right.get(t, {}) if right[t][line] != wrong[t][line]}
        assert changed == {(p["table"], p["line"]) for p in planted() if p["file"] == sibling.name} != set()


@pytest.mark.parametrize("path", [exercises()[k] for k in (1, 14, 35)], ids=lambda path: path.stem)
def test_some_exercises_are_right_and_their_mistakes_are_found(path):
    check(path)


@pytest.mark.slow
def test_all_exercises_are_right_and_their_mistakes_are_found():
    for path in exercises():
        check(path)


def test_a_blank_exercise_has_no_answers_and_is_marked_as_such():
    blank = runpy.run_path(str(BANK / "blank.py"))["blank"]
    for path in exercises():
        given, right = tomllib.loads(blank(path.stem)), tomllib.loads(path.read_text(encoding="utf-8"))
        claims = {line: text for table in TABLES.values() for line, text in given.get(table, {}).items()}
        assert set(claims.values()) == {""} and given["definitions"] == right["definitions"]
        assert set(claims) == {line for table in TABLES.values() for line in right.get(table, {})}
