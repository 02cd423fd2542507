"""Why a line is wrong: wrong lines with known reasons, from files in `corpus`, and how reasons are told."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from diffrt.marking import load_derivation
from diffrt.marking.reading import parse_derivation

HERE = Path(__file__).parent / "corpus"

QUICK = 24
"""So many lines are marked in the quick test."""


def corpus(*names):
    """Subject, table, left side, right formula, wrong formula, words of the reason."""
    found = []
    for name in names:
        for subject in tomllib.loads((HERE / name).read_text())["subject"]:
            for line in subject["lines"]:
                (table,) = line.keys() - {"right", "wrong"}
                found += [(subject, table, line[table], line["right"], *wrong) for wrong in line["wrong"]]
    return found


ALL = corpus("wrong_lines.toml", "wrong_lines_held_out.toml")


def marks(subject, table, left, formula):
    given = {"inputs": subject["inputs"], "definitions": subject["definitions"], table: {left: formula}}
    return parse_derivation(given).mark()


def reason(found):
    wrong = [line for line in found.lines if line.verdict == "wrong"]
    assert wrong, found
    return "; ".join(d.text for d in wrong[0].reasons)


def told_truly(lines):
    """How many lines get the true reason, and those that get another one."""
    true, other = 0, []
    for subject, table, left, _, formula, *words in lines:
        text = reason(marks(subject, table, left, formula))
        if text and all(any(part in text for part in word.split("|")) for word in words):
            true += 1
        elif text:
            other.append((left, formula, text))
    return true, other


def test_nine_of_ten_wrong_lines_get_their_true_reason_and_none_another():
    chosen = [ALL[k] for k in np.random.default_rng(0).permutation(len(ALL))[:QUICK]]
    true, other = told_truly(chosen)
    assert true >= 0.9 * len(chosen) and not other, other


@pytest.mark.slow
def test_all_wrong_lines():
    assert len(ALL) > 250
    true, other = told_truly(ALL)
    assert true >= 0.95 * len(ALL) and not other, other
    for subject, table, left, right in {(id(c[0]), *c[1:4]): c[:4] for c in ALL}.values():
        assert {line.verdict for line in marks(subject, table, left, right).lines} == {"right"}


X3 = {"x": {"shape": [3]}}


def test_what_is_missing_below_a_fraction_bar_is_found():
    y = {"equation": "y^3 + y = x", "between": [-3, 3]}
    given = {"inputs": {"x": {"domain": [-3, 3]}}, "definitions": {"y": y}}
    found = parse_derivation({**given, "partials": {"y / x": "1 / (3 * y^2)"}}).mark()
    assert "3 * y^2 + 1" in str(found), found
    given = {"inputs": {"x": {}, "w": {"domain": [0.5, 2]}}, "definitions": {"y": "x / (1 + x^2 + w)"}}
    found = parse_derivation({**given, "partials": {"y / w": "-x / (1 + x^2 - w)^2"}}).mark()
    assert "w" in reason(found) and "sign" in reason(found), found


def test_a_window_that_stands_still_is_found():
    given = {"inputs": {"w": {"shape": [2]}, "x": {"shape": [3]}, "g": {"shape": [2]}},
             "definitions": {"y": "[dot(w, x[:2]), dot(w, x[1:])]", "L": "sum(g * y)"}}  # fmt: skip
    found = parse_derivation({**given, "totals": {"L / w[k]": "sum(i, 0, 1, g[i] * x[i])"}}).mark()
    assert "x[k + i] in place of x[i]" in reason(found), found


@pytest.mark.parametrize(
    ("definitions", "table", "left", "formula", "told"),
    [
        ({"s": "softmax(x)"}, "partials", "s[i] / x[j]", "s[i] * (1 - s[i])",
         "where i != j: yours is what is right for equal indices"),
        ({"s": "softmax(x)"}, "partials", "s[i] / x[j]", "-s[i] * s[j]", "where i = j: "),
        ({"y": "relu(x)"}, "partials", "y / x", "eye(3)", "where x[i] < 0: the right one is 0 there"),
        ({"y": "relu(x)^2"}, "partials", "y[i] / x[i]", "2 * x[i]", "where x[i] < 0"),
        ({"y": "x / norm(x)"}, "partials", "y / x", "eye(3) / norm(x)", "the part through the denominator norm(x)"),
        ({"m": "mean(x)", "y": "sum((x - m)^2 * x)"}, "totals", "y / x", "(x - m)^2 + 2 * (x - m) * x", "missing"),
        ({"y": "sum(x * sin(x))"}, "totals", "y / x", "sin(x)", "the part through the factor sin(x) of x * sin(x)"),
        ({"y": "cos(x)"}, "partials", "y[i] / x[i]", "sin(x[i])", "the sign"),
        ({"m": "mean(x)", "v": "mean((x - m)^2)"}, "partials", "v / m", "-2 * m", "the right one is 0"),
        ({"y": "dot(x, x)^2"}, "partials", "y / x[j]", "4 * x[j]", "dot(x, x)"),
    ],
)  # fmt: skip
def test_a_reason_is_told_once_for_all_entries(definitions, table, left, formula, told):
    found = parse_derivation({"inputs": X3, "definitions": definitions, table: {left: formula}}).mark()
    assert str(found).count(told) == 1, found


def test_entries_of_one_line_are_one_mark():
    text = str(load_derivation("examples/lecture/activation.toml").mark())
    assert text.count("wrong   ") == 3 and "y[i] / a   (3 entries)" in text and "yours = right * a * x[i]" in text
    assert "6 right, 9 wrong" in text


def test_a_reason_is_not_made_up():
    # Wrong in a way that has no simple reason.
    for formula in ("cos(x) + sinh(3 * x) / 7", "exp(x * w) - 0.317 * x^2", "1.2345 * x + 0.4321 * w"):
        given = {"inputs": {"x": {}, "w": {}}, "definitions": {"y": "x * sin(w * x)"}, "partials": {"y / x": formula}}
        (line,) = parse_derivation(given).mark().lines
        assert line.verdict == "wrong" and not line.diagnoses, line


def test_looking_for_reasons_takes_no_work_from_the_verdicts(monkeypatch):
    monkeypatch.setattr("diffrt.marking.derivation.MOST_OF_A_SEARCH", 50)
    partials = {"y / x": "sin(x)", "z / w": "2 * w"}
    given = {"inputs": {"x": {}, "w": {}}, "definitions": {"y": "cos(x)", "z": "w^2"}, "partials": partials}
    found = parse_derivation(given).mark()
    assert [line.verdict for line in found.lines] == ["wrong", "right"]
