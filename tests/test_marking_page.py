"""The page of a derivation: it gives the marks of the program, and it can be used as people use it."""

import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest
from browser import chromium, opened
from typer.testing import CliRunner

from diffrt.commands import app
from diffrt.marking import load_derivation
from diffrt.marking.browser import exercise, exercise_of, page_of, script
from diffrt.marking.reading import load_exercise, parse_derivation

HERE = Path(__file__).parent / "corpus"
SIZES = [(1440, 900), (900, 700), (420, 820)]

MARK = """
function marksOf(data, lines) {
  const derivation = new Marker.Derivation(data), marks = derivation.marks(lines), groups = new Map();
  const group = (m) => `${m.kind} ${m.claim ? m.claim.line : m.text}`;
  for (const m of marks) groups.set(group(m), [...(groups.get(group(m)) ?? []), m]);
  const hints = new Map([...groups].map(([key, some]) => [key, some[0].claim ? Hints.of(derivation, some) : null]));
  return marks.map((m) => {
    const hint = hints.get(group(m));
    const told = m.verdict === "wrong" && hint.reason ? (hint.where ? hint.where + ": " : "") + hint.reason : "";
    return { kind: m.kind, text: m.text, verdict: m.verdict, detail: m.detail, reason: told };
  });
}
"""


@pytest.fixture(scope="module")
def in_javascript(tmp_path_factory):
    """From (what a page knows, lines) pairs to marks, by node, or in Chromium where there is no node."""
    if node := shutil.which("node"):
        path = tmp_path_factory.mktemp("node") / "marks.js"
        path.write_text(script() + MARK + "const cases = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
                        "console.log(JSON.stringify(cases.map(([data, lines]) => marksOf(data, lines))));")  # fmt: skip

        def run(cases):
            done = subprocess.run([node, path], input=json.dumps(cases), capture_output=True, text=True, check=False)
            assert not done.returncode, done.stderr
            return json.loads(done.stdout)

        yield run
        return
    with chromium() as browser:
        page = browser.new_page()
        page.add_script_tag(content=script() + MARK)
        yield lambda cases: [page.evaluate("([data, lines]) => marksOf(data, lines)", case) for case in cases]


def corpus():
    """Tables and claims of the derivations of the tests, of the wrong lines and of what is right in their place."""
    rows = [json.loads(line) for line in (HERE / "derivations.jsonl").read_text().splitlines()]
    found = [(row["tables"], row["lines"]) for row in rows]
    for name in ("wrong_lines.toml", "wrong_lines_held_out.toml"):
        for subject in tomllib.loads((HERE / name).read_text())["subject"]:
            tables = {"inputs": subject["inputs"], "definitions": subject["definitions"]}
            lines = []
            for line in subject["lines"]:
                (table,) = line.keys() - {"right", "wrong"}
                lines += [{table: {line[table]: text}} for text in [line["right"], *(w[0] for w in line["wrong"])]]
            found.append((tables, lines))
    return [(tables, part) for tables, lines in found for part in merged(lines)]


def merged(lines, most=12):
    """Claims of one derivation together, so many at once. A left side stands in a file once: blanks tell them apart."""
    rows = [(table, text, formula) for claims in lines for table in claims for text, formula in claims[table].items()]
    found = []
    for start in range(0, len(rows), most):
        found.append({})
        for k, (table, text, formula) in enumerate(rows[start : start + most]):
            found[-1].setdefault(table, {})[text + " " * k] = formula
    return found


def claims_of(lines):
    kinds = {"partials": "partial", "paths": "path", "totals": "total"}
    return [{"kind": kinds[table], "text": text, "formula": str(formula)}
            for table in kinds for text, formula in lines.get(table, {}).items()]  # fmt: skip


def compared(chosen, in_javascript):
    """Pairs of marks, of the program and of the page, for the lines of some derivations, a list for each."""
    program, cases = [], []
    for tables, claims in chosen:
        derivation = parse_derivation({**tables, **claims})
        program.append(derivation.mark().lines)
        cases.append([exercise_of(derivation), claims_of(claims)])
    pairs = []
    for ours, theirs in zip(program, in_javascript(cases), strict=True):
        ours = [mark for mark in ours if mark.claim.kind != "reading"]
        pairs.append(list(zip(ours, theirs, strict=True)))
    return pairs


def check_agreement(pairs):
    for ours, theirs in (pair for some in pairs for pair in some):
        assert (theirs["text"], theirs["verdict"]) == (ours.claim.text, ours.verdict), (ours, theirs)
        if ours.verdict == "cannot be read":
            assert theirs["detail"] == ours.detail
        if ours.verdict == "wrong" and not ours.reasons:
            assert not theirs["reason"], (ours, theirs)


def test_the_page_marks_as_the_program_does(in_javascript):
    every = corpus()
    rng = np.random.default_rng(1)
    chosen = [every[k] for k in rng.permutation(len(every))[:6]]
    pairs = compared(chosen, in_javascript)
    assert len({theirs["verdict"] for some in pairs for _, theirs in some}) >= 2
    check_agreement(pairs)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_the_page_marks_all_lines_of_all_corpora_as_the_program_does(in_javascript, part):
    every = corpus()
    assert sum(len(rows) for _, claims in every for rows in claims.values()) > 650
    pairs = compared(every[part::8], in_javascript)
    check_agreement(pairs)
    wrong = [(ours, theirs) for some in pairs for ours, theirs in some if ours.verdict == "wrong" and ours.reasons]
    same = sum(theirs["reason"] == ours.reasons[0].text for ours, theirs in wrong)
    assert same >= 0.7 * len(wrong), f"{same} of {len(wrong)} reasons are those of the program"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["activation.toml", "activation_second_reading.toml", "pixel_by_hand.toml"])
def test_the_page_marks_the_examples_as_the_program_does(in_javascript, name):
    derivation = load_derivation(f"examples/lecture/{name}")
    data = exercise_of(derivation)
    (theirs,) = in_javascript([[data, data["lines"]]])
    ours = derivation.mark().lines
    assert [m["verdict"] for m in theirs] == [m.verdict for m in ours]
    assert {m["reason"] for m in theirs if m["verdict"] == "wrong"} == {
        m.reasons[0].text if m.reasons else "" for m in ours if m.verdict == "wrong"
    }


GIVEN = {
    "inputs": {"x": {"shape": [3], "domain": [0.5, 2]}, "w": {"domain": [-2, 2]}},
    "definitions": {"a": "w * sum(x)", "y": "relu(w) * exp(x) / a", "L": "sum(y)"},
}

FORMULAS = [
    ("partial", "a / w", "sum x", "right"),
    ("partial", "a / w", "sum(k, x_k)", "right"),
    ("partial", "a / x", "w ones(3)", "right"),
    ("partial", "dy/da", "-y / a", "right"),
    ("partial", "y[i] / x[j]", "delta_ij y_i", "right"),
    ("partial", "y[i] / x[j]", "y_i", "wrong"),
    ("partial", "y / x", "diag(y).T", "right"),
    ("partial", "y[i] / w", "where(w > 0, exp(x[i]) / a, 0)", "right"),
    ("partial", "y[i] / w", "exp(x[i]) / a", "wrong"),
    ("total", "L / w", "0 / w", "right"),
    ("path", "w > a > y[0]", "-y[0] / a * sum(x)", "right"),
    ("partial", "L / y", "[1, 1, 1]", "right"),
    ("partial", "L / y", "[1, 1]", "cannot be read"),
    ("partial", "a / w", "1/2x", "cannot be read"),
    ("partial", "a / w", "dy/dw", "cannot be read"),
    ("partial", "a / w", "sum(x", "cannot be read"),
    ("partial", "a / w", "x + + ) 2", "cannot be read"),
    ("partial", "a / w", "x^T", "cannot be read"),
    ("partial", "a / w", "sun(x)", "cannot be read"),
    ("partial", "a / w", "x[5]", "cannot be read"),
    ("partial", "a / w", "x'", "cannot be read"),
    ("partial", "a / w", "inv(x)", "cannot be read"),
    ("partial", "a / w", "sum(k, 0, 20000, x[0])", "cannot be read"),
    ("partial", "L / w", "1", "cannot be read"),
    ("partial", "q / w", "1", "cannot be read"),
    ("partial", "y[i, j] / x", "1", "cannot be read"),
    ("partial", "a / w", "log(-1 - w^2)", "cannot tell"),
    ("partial", "a / w", "(sum(x) + 1e17 w) - 1e17 w", "cannot tell"),
]


def test_formulas_of_all_kinds_are_read_and_answered_in_the_same_words(in_javascript):
    tables = {"partial": "partials", "path": "paths", "total": "totals"}
    (lines,) = merged([{tables[kind]: {text: formula}} for kind, text, formula, _ in FORMULAS], len(FORMULAS))
    pairs = compared([(GIVEN, lines)], in_javascript)
    check_agreement(pairs)
    found = {}
    for ours, theirs in pairs[0]:
        left = ours.claim.line or ours.claim.text
        found.setdefault(left.count(" ") - left.strip().count(" "), set()).add(theirs["verdict"])
    for k, (*_, verdict) in enumerate(FORMULAS):
        assert verdict in found[k], FORMULAS[k]


def test_a_border_of_the_students_own_formula_is_found(in_javascript):
    # Wrong between 1.2345 and 1.2346 only, where none of the program's points lies.
    given = {"inputs": {"x": {"domain": [0.5, 2]}}, "definitions": {"y": "x^2"}}
    line = {"partials": {"y / x": "where(x < 1.2345, 2 x, where(x > 1.2346, 2 x, 3 x))"}}
    (((ours, theirs),),) = compared([(given, line)], in_javascript)
    assert ours.verdict == theirs["verdict"] == "wrong"


# In a browser.


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def activation_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("marked") / "activation.html"
    derivation, given = load_exercise("examples/lecture/activation.toml")
    path.write_text(page_of(derivation, given, "activation <&>", "activation.toml"), encoding="utf-8")
    return path


def line(page, text):
    return page.locator(".line").filter(has=page.locator(f"xpath=.//label[text()='{text} =']"))


def typed(page, text, formula):
    box = line(page, text).locator("input")
    box.fill(formula)
    box.press("Enter")
    return line(page, text)


def test_typing_is_marked_at_once_with_hints_in_stages(activation_file, browser):
    with opened(activation_file, browser) as (page, faults):
        assert page.locator("#score").inner_text() == "2 of 7 right, 3 wrong"
        mine = line(page, "y[i] / a")
        assert "wrong" in mine.get_attribute("class") and mine.locator(".told").inner_text() == "Wrong."
        stages = []
        for label in ("Where?", "Why?", "Answer"):
            assert mine.locator("button").inner_text() == label
            mine.locator("button").click()
            stages.append(mine.locator(".told").inner_text().split("\n")[-1])
        assert stages[:2] == ["Wrong in all entries.", "Yours = right * a * x[i]."]
        assert stages[2].startswith("y[i] / a = ") and not mine.locator("button").is_visible()
        answer = stages[2].removeprefix("y[i] / a = ")
        assert "right" in typed(page, "y[i] / a", answer).get_attribute("class")
        assert page.locator("#score").inner_text() == "3 of 7 right, 2 wrong"
        unread = typed(page, "L / y[i]", "1/2x")
        assert "can be read in two ways" in unread.locator(".told").inner_text()
        assert "2 in" not in page.locator("h1").inner_text() and page.locator("h1").inner_text() == "activation <&>"
        some = typed(page, "a / x[i]", "where(i == 1, 2, 1)")
        some.locator("button").click()
        assert some.locator(".told").inner_text() == "Wrong where i = 1."
        assert not faults, faults


def test_what_was_typed_is_saved_as_a_derivation_that_the_program_marks_the_same(activation_file, browser, tmp_path):
    with opened(activation_file, browser) as (page, faults):
        typed(page, "L / y[i]", "1")
        typed(page, "L / x[i]", 'x "')
        with page.expect_download() as waiting:
            page.locator("#save").click()
        saved = tmp_path / "saved.toml"
        waiting.value.save_as(saved)
        score = page.locator("#score").inner_text()
        assert not faults, faults
    found = load_derivation(saved).mark()
    by_line = {m.claim.line or m.claim.text: m.verdict for m in found.lines}
    verdicts = list(by_line.values())
    assert score == f"{verdicts.count('right')} of 7 right, 3 wrong, 1 cannot be read"
    assert verdicts.count("wrong") == 3 and by_line["L / x[i]"] == "cannot be read"


def test_it_is_used_by_keys_alone_and_fits(activation_file, browser):
    for width, height in SIZES:
        with opened(activation_file, browser) as (page, faults):
            page.set_viewport_size({"width": width, "height": height})
            page.reload()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            view = page.evaluate("document.body.dataset.view")
            assert view == ("plane" if width > 1200 else "list")
            if view == "plane":  # no box hides another one
                boxes = [b.bounding_box() for b in page.locator("#plane .card, #plane .node").all()]
                for k, a in enumerate(boxes):
                    for b in boxes[k + 1 :]:
                        across = min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"])
                        along = min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"])
                        assert min(across, along) <= 1, (a, b)
            page.locator("#save").focus()
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.tagName") == "INPUT"
            page.keyboard.press("Control+A")
            page.keyboard.type("2")
            page.keyboard.press("Enter")
            page.keyboard.press("Shift+Tab")
            assert page.evaluate("document.activeElement.textContent") == "Where?"
            page.keyboard.press("Enter")
            assert page.evaluate("document.activeElement.textContent") == "Why?"
            assert not faults, faults


def test_what_the_file_claims_can_be_hidden(activation_file, browser, tmp_path):
    with opened(activation_file, browser) as (page, faults):
        typed(page, "a / x[i]", "2")
        page.locator("#empty").click()
        assert page.locator("#score").inner_text() == "0 of 7 right, 1 wrong"
        page.locator("#empty").click()
        assert page.locator("#score").inner_text() == "1 of 7 right, 4 wrong"
        page.locator("#own-text").fill("L / a")
        page.locator("#own-kind").select_option("total")
        page.locator("#own button").click()
        page.keyboard.type("sum(k, -sin(u[k]) * exp(x[k]) / b)")
        page.keyboard.press("Enter")
        assert "right" in line(page, "L / a").get_attribute("class")
        assert not faults, faults
    given = {"inputs": {"x": "{}"}, "definitions": {"y": '"x^2"'}, "partials": {"y / x": '"2 x"'}}
    target = tmp_path / "empty.html"
    run(written(tmp_path / "one.toml", given), target, "--html", "--empty")
    with opened(target, browser) as (page, faults):
        assert page.locator("#score").inner_text() == "0 of 1 right"
        assert "right" in typed(page, "y / x", "x + x").get_attribute("class")
        assert not faults, faults


# What it refuses, and what it leaves out.


def run(*arguments):
    from diffrt.errors import InputError

    try:
        return CliRunner().invoke(app, ["verify", *map(str, arguments)], standalone_mode=False, catch_exceptions=False)
    except InputError as fault:
        return fault


def written(path, given):
    path.write_text("\n".join(f"[{table}]\n" + "\n".join(f"{json.dumps(k)} = {v}" for k, v in rows.items())
                              for table, rows in given.items()))  # fmt: skip
    return path


def test_what_cannot_be_made_into_a_page_is_told_in_a_line(tmp_path):
    constant = written(tmp_path / "c.toml", {"inputs": {"x": "{}"}, "definitions": {"y": '"3"'}})
    assert "no quantity depends on an input" in str(run(constant, tmp_path / "c.html", "--html"))
    assert "does not exist" in str(run("examples/lecture/activation.toml", tmp_path / "no" / "p.html", "--html"))
    assert "allowed: .html" in str(run("examples/lecture/activation.toml", tmp_path / "p.txt", "--html"))
    assert "without --html" in str(run("examples/lecture/activation.toml", "--empty"))
    assert "without --html" in str(run("examples/lecture/activation.toml", tmp_path / "p.html"))
    assert not list(tmp_path.glob("*.html"))


def test_a_large_derivation_says_what_its_page_left_out(tmp_path, monkeypatch, browser):
    monkeypatch.setattr("diffrt.marking.browser.page.ROOM", 20_000)
    given = {"inputs": {"x": "{ shape = [12] }", "w": "{}"}, "definitions": {"y": '"w x"', "L": '"sum(y^2)"'}}
    page_file = tmp_path / "large.html"
    run(written(tmp_path / "large.toml", given), page_file, "--html")
    with opened(page_file, browser) as (page, faults):
        told = page.locator("#left-out").inner_text()
        assert "y / x with 144 entries" in told and "points" in told
        assert "right" in typed(page, "L / y[i]", "2 y_i").get_attribute("class")
        assert not faults, faults


def test_a_page_stays_below_five_megabytes():
    assert exercise.ROOM + 10.7 * exercise.MOST_TERM_NUMBERS + len(script()) < 5_000_000
