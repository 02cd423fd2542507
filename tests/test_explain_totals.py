"""Derivatives in symbols are the gradient: at the points at which they were compared, and at others."""

import dataclasses
import json
import math
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffrt
from diffrt import autograd as ag
from diffrt.autograd import TABLE, named, variable
from diffrt.autograd.operations import FUNCTIONS
from diffrt.commands import main
from diffrt.explaining import NoFormula, formula, graph_of, html_of
from diffrt.explaining.latex import explain_latex, explain_slides

# A row of the table by its name, on inputs inside its domain.
ONE = {
    "abs": ag.absolute, "sqrt": lambda x: ag.sqrt(x * x + 0.3), "exp": ag.exp, "log": lambda x: ag.log(x * x + 0.4),
    "log1p": lambda x: ag.log1p(x * x), "expm1": ag.expm1, "sin": ag.sin, "cos": ag.cos,
    "tan": lambda x: ag.tan(x / 4.0), "arcsin": lambda x: ag.arcsin(x / 7.0), "arccos": lambda x: ag.arccos(x / 7.0),
    "arctan": ag.arctan, "sinh": ag.sinh, "cosh": ag.cosh, "tanh": ag.tanh, "erf": ag.erf, "erfc": ag.erfc,
    "negative": lambda x: -x, "sign": lambda x: ag.sign(x) * x,
}  # fmt: skip
TWO = {
    "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / (y * y + 1.5), "power": lambda x, y: (x * x + 0.5) ** y, "maximum": ag.maximum,
    "minimum": ag.minimum, "arctan2": lambda x, y: ag.arctan2(x, y * y + 0.2),
    "where": lambda x, y: ag.where(x > y, x * y, y + 2.0 * x),
}  # fmt: skip


def test_every_smooth_row_of_the_table_is_tried():
    rows = {name for name, op in TABLE.items() if op.partials is not None} - {"alias", "chain", "undistort"}
    assert rows <= {*ONE, *TWO} and {*ONE, *TWO} - rows == {"sign"}


def bounded(x):
    """Steps in each other stay moderate, so that a comparison says something."""
    return x / (1.0 + x * x / 20.0)


def programs(data, length):
    steps = []
    for k in range(length):
        name = data.draw(st.sampled_from(sorted(ONE) + sorted(TWO)))
        places = [data.draw(st.integers(0, k + 1)) for _ in range(2)]
        steps.append((name, places, data.draw(st.booleans())))

    def program(x, y):
        values = [x, y]
        for k, (name, (i, j), is_named) in enumerate(steps):
            new = ONE[name](values[i]) if name in ONE else TWO[name](values[i], values[j])
            values.append(named(new, f"a{k}") if is_named else new)
        return named(values[-1] + 0.5 * x * y, "L")

    return program


def slope(program, point, name):
    leaves = {key: variable(value, key) for key, value in point.items()}
    program(**leaves).backward()
    return leaves[name].grad


def check(data, length):
    program = programs(data, length)
    at = {name: data.draw(st.sampled_from([-1.3, -0.4, 0.7, 1.9])) for name in "xy"}
    name = data.draw(st.sampled_from("xy"))
    try:
        found = formula(program, name, at=at)
    except NoFormula as refused:
        if not re.search("too long|not finite|border", str(refused)):
            raise
        return
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    for point in [at, *({key: float(v) for key, v in zip("xy", rng.normal(size=2), strict=True)} for _ in range(4))]:
        with np.errstate(all="ignore"):
            right = slope(program, point, name)
        try:
            mine = found.at(point)
        except ValueError:
            continue  # this case of it is not known, or it is a border
        if math.isfinite(right):
            assert mine == pytest.approx(right, rel=1e-6, abs=1e-7 * (1.0 + abs(right))), str(found)


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_formulas_of_random_programs_are_the_gradient_at_other_points(data):
    check(data, data.draw(st.integers(1, 3)))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_formulas_of_longer_random_programs_are_the_gradient_at_other_points(data):
    check(data, data.draw(st.integers(2, 6)))


def activation(x1, x2, x3):
    a = named(x1 + x2 + x3, "a")
    b = named(ag.log(x1) + ag.log(x2) + ag.log(x3), "b")
    y = [named(ag.cos(ag.exp(x) * a / b), f"y{i + 1}") for i, x in enumerate((x1, x2, x3))]
    return named(y[0] + y[1] + y[2], "L")


POINT = {"x1": 1.3, "x2": 1.7, "x3": 2.1}


def test_the_lectures_exercise_is_plugged_in_step_by_step_and_simplified():
    graph = graph_of(activation(*(variable(v, name) for name, v in POINT.items())))
    assert formula(graph_of(graph["y1"].var), "a").text == "-e^x1 * sin(a * e^x1 / b) / b"
    (case,) = formula(graph, "x1").cases
    assert [step.told.partition(" = ")[0] for step in case.steps] == [
        "by the chain rule", "dL/da", "dL/db", "simplified", "b", "a",
    ]  # fmt: skip
    assert case.steps[0].text == "dL/da + dL/db / x1 - a * e^x1 * sin(a * e^x1 / b) / b"
    assert "a" not in re.findall(r"[a-z]\w*", case.text) and not case.where and case.compared >= 5
    assert case.compute(POINT) == pytest.approx(graph.gradient(graph["x1"]), rel=1e-12)


def test_a_formula_says_the_condition_of_each_side_and_what_it_is_at_the_kink():
    found = formula(lambda x, y: ag.where(x <= 0.0, 3.0 * x, x * ag.maximum(x, y)), "x", at={"x": 1.0, "y": 2.0})
    told = {case.text: {text for text, _ in case.conditions} for case in found.cases}
    assert told == {"y": {"x > 0", "x < y"}, "2 * x": {"x > 0", "x > y"}, "3": {"x <= 0"}}
    assert found.cases[0].text == "y"  # that of the point
    assert any("one half" in note for note in found.notes)
    assert r"\begin{cases}" in found.latex() and r"x \le 0" in found.latex()
    with pytest.raises(ValueError, match="no case"):
        found.at({"x": 2.0, "y": 2.0})


def test_an_input_that_meets_itself_shares_the_derivative_as_the_core_has_it():
    at = {"x": -1.3}
    assert formula(lambda x: ag.maximum(x, x) * 3.0, "x", at=at).text == "3"
    assert formula(lambda x: ag.minimum(x, x) * x, "x", at=at).text == "2 * x"
    assert formula(lambda x: ag.absolute(x - x) + x, "x", at=at).text == "1"


def test_a_branch_of_python_is_a_condition_too():
    found = formula(lambda x: x * x if x > 0.0 else -x, "x", at={"x": 1.5})
    assert (found.text, found.at({"x": 3.0})) == ("2 * x where x > 0", 6.0)


def test_sides_with_one_formula_are_one_case():
    assert formula(lambda x: ag.softplus(x), "x", at={"x": 0.4}).text == "e^x / (e^x + 1)"


def test_a_graph_alone_tells_that_its_conditions_were_taken_as_they_were():
    x = variable(2.0, "x")
    assert "as they were" in str(formula(named(ag.where(x > 1.0, x * x, x), "L"), x))


def test_a_formula_reads_as_a_person_writes_it():
    def told(f):
        return formula(f, "x", at={"x": 0.4}).text

    assert told(ag.tanh) == "1 - tanh(x)^2" and told(lambda x: ag.tanh(0.7 * x)) == "0.7 / cosh(0.7 * x)^2"
    assert told(lambda x: x * ag.arctan(x)) == "x / (x^2 + 1) + arctan(x)"
    assert told(lambda x: ag.exp(-x) * x / 3.0) == "(1 - x) * e^(-x) / 3"
    assert told(lambda x: x * np.pi / 180.0) == "pi / 180"


def test_determinants_and_inverses_are_written_out():
    a = variable([[1.0, 2.0], [0.5, 3.0]], "A")
    assert formula(ag.det(a), a, 1).text == "-A[1, 0]"
    assert formula(ag.inv(a)[0, 1], a, 0).text.endswith("/ (A[0, 0] * A[1, 1] - A[0, 1] * A[1, 0])^2")


def test_the_largest_entry_has_a_case_for_each_entry():
    a = variable([1.0, 2.0, 3.0], "a")
    found = formula((a * a).max(), a, 2)
    assert found.cases[0].text == "2 * a[2]" and found.at({"a[2]": 9.0}) == 18.0 and found.at({"a[0]": 9.0}) == 0.0


def test_an_op_from_outside_is_written_by_its_name_or_by_its_columns():
    def columns(**more):
        return ag.op(f"halved_sum_{len(TABLE)}", lambda x: 0.5 * x * x + x, (lambda out, x: x + 1.0,), **more)

    before = dict(TABLE)
    try:
        plain, known = columns(), columns(symbolic=lambda s, x: x**2 / 2 + x)
        x = variable(0.7, "x")
        assert re.fullmatch(r"\(x \+ 1\) \* halved_sum_\d+\(x\) \+ 1", formula(plain(x) * plain(x) / 2.0 + x, x).text)
        assert "halved_sum" not in formula(known(x) * known(x), x).text
        with pytest.raises(ValueError, match="textbook 1 gives"):
            columns(textbook=(lambda out, x: x,))
        with pytest.raises(ValueError, match="spelled gives"):
            columns(spelled=lambda x: x * x)
        # One that is wrong in sympy's words is noticed by the numbers.
        wrong = columns(symbolic=lambda s, x: x**2 / 2)
        with pytest.raises(NoFormula, match="does not agree"):
            formula(wrong(x) * wrong(x), x)
    finally:
        for name in TABLE.keys() - before.keys():
            del TABLE[name], FUNCTIONS[name]


def test_what_has_no_formula_is_refused_in_a_line():
    big = variable(np.eye(5) + 0.1, "B")
    with pytest.raises(NoFormula, match=r"goes through .* 5 x 5 matrix"):
        formula(ag.det(big), big, 0)
    deep = variable(0.3, "x")
    y = deep
    for _ in range(400):
        y = ag.sin(y) * ag.cos(y) + y
    with pytest.raises(NoFormula, match="too long"):
        formula(y, deep)
    v = variable([1.0, 2.0, 3.0], "v")
    with pytest.raises(ValueError, match="3 entries; say by which"):
        formula(v.sum(), v)
    with pytest.raises(ValueError, match="needs a point"):
        formula(lambda x: x, "x")


def test_a_formula_that_is_not_the_gradient_is_not_told():
    x = variable(0.7, "x")
    wrong = dataclasses.replace(TABLE["sin"], textbook=(lambda out, x: ag.cos(x) + 1e-6,))
    out = ag.sin(x)
    out.op = wrong
    with pytest.raises(NoFormula, match="does not agree"):
        formula(out, x)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="there is no LaTeX here")
@pytest.mark.parametrize("write", [explain_latex, explain_slides])
def test_latex_compiles_without_an_overfull_box(write, tmp_path):
    long = "a name of a step that goes on, and.on.without.a.space_and_with_a_word_of_thirty_letters_or_more_in_it"
    x = variable([0.3, 1.7, 2.9], "ball.material.roughness_of_a_very_long_name")
    y = x
    for k in range(5):
        y = named(ag.sin(y) * y + 1e-7, f"{long} {k} % & [λ]")
    graph = graph_of(named((y * y).sum(), "L"))
    source = graph[x.name]
    (tmp_path / "a.tex").write_text(write(graph.steps(), source, None, 12, graph))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"], cwd=tmp_path, capture_output=True
    )
    log = (tmp_path / "a.log").read_text(errors="replace")
    assert done.returncode == 0 and "Output written" in log, log[-2000:]
    assert [line for line in log.splitlines() if line.startswith("Overfull")] == []


def test_latex_says_the_local_values_of_each_path_and_the_sum():
    graph = graph_of(activation(*(variable(v, name) for name, v in POINT.items())))
    text = explain_latex(graph.steps(), graph["x1"], None, 10, graph)
    assert text.count(r"\paragraph") == 7 and r"\fitted{1 \cdot{} 16.0708 \cdot{} 0.769231}" in text
    assert "The sum of these paths is" in text and text.count("7.21668") == 2
    assert r"\frac{\partial L}{\partial x_{1}} = " in text
    slides = explain_slides(graph.steps(), graph["x1"], None, 10, graph)
    arrows = len(graph.steps().restricted([graph["x1"]]).edges)
    assert slides.count("{Backward, arrow") == arrows and f"arrow {arrows} of {arrows}" in slides
    assert r"\mathrel{+}=" in slides


def test_a_var_shows_itself_in_a_notebook_however_much_is_behind_it():
    x = variable(np.arange(1e6), "<x>")
    y = x
    for _ in range(3000):
        y = y[:1000] + 1.0
    shown = y._repr_html_()
    assert "add" in shown and "1000" in shown and len(shown) < 3000
    assert "&lt;x&gt;" in x._repr_html_() and len(x._repr_html_()) < 3000
    x.sum().backward()
    assert "gradient" in x._repr_html_() and "constant" in x.detach()._repr_html_()


def test_sympy_is_imported_only_for_a_formula():
    program = (
        "import sys\nfrom diffrt import load_scene, explain\nfrom diffrt.explaining import graph_of\n"
        "from diffrt.autograd import variable\nx = variable(1.0, 'x')\n(x * x)._repr_html_(), x._repr_html_()\n"
        "load_scene('scenes/tiny.toml')._repr_html_()\nprint([m for m in ('sympy', 'mpmath') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_a_pixel_is_told_in_the_words_of_its_steps_and_an_edge_has_no_formula(monkeypatch, capsys):
    scene = diffrt.load_scene("scenes/tiny.toml")
    why = diffrt.explain(scene, (2, 0), "lamp.intensity.r", channel="r", edges="ignore")
    assert why.formula().text == "ball.material.albedo.x * cosine * falloff / pi"
    assert f"  = {why.formula().text}\n" in why.text and "by the chain rule" in why.derivation
    assert why.formula(plugged_in=True).value == pytest.approx(why.derivative, rel=1e-12)
    with pytest.raises(NoFormula, match="crossing, outline of ball"):
        diffrt.explain(scene, (2, 0), "ball.radius", channel="r").formula()
    arguments = ["explain", "scenes/tiny.toml", "--pixel", "2,0", "--wrt", "ball.radius", "--format", "formula"]
    monkeypatch.setattr(sys, "argv", ["diffrt", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == 2 and told.count("\n") == 1 and "no formula" in told


def test_the_page_tells_the_gradient_of_a_step_in_symbols():
    graph = graph_of(activation(*(variable(v, name) for name, v in POINT.items())))
    page = html_of(graph, "activation")
    data = json.loads(re.search(r'id="data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    told = {node["name"]: node.get("total") for node in data["nodes"].values()}
    assert told["a"] == formula(graph, "a").text and told["v1"] is None and told["b"]
