"""The page itself: its boxes, the diagram that they stand in, the answers that it can give in symbols."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

from diffrt.autograd.naming import named
from diffrt.errors import InputError
from diffrt.explaining.formulas import formula_of, partial_of
from diffrt.explaining.graph import graph_of, is_diagonal
from diffrt.explaining.layout import lay_out
from diffrt.files import toml_key, toml_value
from diffrt.marking.browser.exercise import ROOM, exercise_of, left_side, lines_of
from diffrt.marking.claims import read_claims
from diffrt.marking.derivation import Derivation
from diffrt.marking.formula import Formula
from diffrt.marking.quantities import Quantities
from diffrt.marking.spelling import spelled
from diffrt.marking.work import MOST_OF_A_LINE, Overworked, at_most
from diffrt.pages import escaped, filled, in_script, part_of

CARD = 272.0
"""The least width of a box with its lines, in pixels."""

LINE, AROUND = 82.0, 16.0
"""The height of a line, and of what is around the lines."""

MOST_ON_A_DIAGRAM = 150
"""Boxes with lines; more are shown as a list only."""

LARGEST = 5_000_000
"""Bytes of a page."""

MOST_ANSWERED = 100
"""Entries of a derivative for which the page has an answer in symbols; of a larger one it tells numbers."""

MOST_PATHS = 12
"""Of quantities that are numbers, for which there are boxes."""


def page_of(
    derivation: Derivation, given: Mapping[str, Any], title: str, file: str = "derivation.toml", empty: bool = False
) -> str:
    """The page of a derivation.

    given: the tables of its file, as read; what stands in them besides claims is what the page saves. file: the name
    under which it does. empty: the boxes do not show what the file claims. Raises InputError where there is nothing to
    mark.
    """
    for share in (1.0, 0.5, 0.1):
        data = _Sheet(derivation, exercise_of(derivation, share * ROOM), empty).data()
        data["toml"] = "".join(_toml(given))
        data["file"] = file
        parts = {
            "TITLE": escaped(title),
            "DATA": in_script(json.dumps(data, separators=(",", ":"))),
            "STYLE": part_of(__package__, "page.css"),
            "SCRIPT": script() + part_of(__package__, "page.js"),
        }
        page = filled(part_of(__package__, "page.html"), parts)
        if len(page.encode()) <= LARGEST:
            return page
    raise InputError(f"the page would have {len(page):,} characters, allowed: {LARGEST:,}; take a shorter derivation")


def script() -> str:
    """What reads, computes and marks, without what shows it."""
    return "".join(part_of(__package__, f"{name}.js") for name in ("arrays", "reader", "marker", "hints"))


class _Sheet:
    """What is shown; made once, by `data`."""

    def __init__(self, derivation: Derivation, exercise: dict[str, Any], empty: bool) -> None:
        self.derivation, self.exercise, self.empty = derivation, exercise, empty
        self.survey, _ = derivation.surveyed()
        self.q: Quantities = self.survey.looks[0].q
        self.names: Sequence[str] = exercise["names"]
        self.graph = self._graph()

    def data(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        edges: dict[tuple[str, str], list[dict[str, str]]] = {
            (n, p): [] for n in self.names for p in self.exercise["parents"][n]
            if f"partial|{n}|{p}" in self.exercise["truths"]
        }  # fmt: skip
        output = self.exercise["output"]
        inputs = [n for n in self.names if not self.exercise["parents"][n]]
        totals = [(output, n) for n in inputs if n in self.exercise["above"][output]]
        others: list[dict[str, str]] = []
        claimed: dict[str, list[dict[str, str]]] = {"total": [], "path": []}
        for line in self.exercise["lines"]:
            claim = self._claim(line)
            if claim is None or (line["kind"] == "partial" and (claim.name, claim.of) not in edges):
                others.append(line)
            elif line["kind"] == "partial":
                edges[claim.name, claim.of].append(line)
            else:
                claimed[line["kind"]].append(line)
                totals = [t for t in totals if line["kind"] != "total" or t != (claim.name, claim.of)]
        for (name, of), told in edges.items():
            if not told:
                told.append(self._box("partial", name, of))
        known = {f"total|{n}|{of}" for n, of in totals} & set(self.exercise["truths"])
        claimed["total"] += [self._box("total", n, of) for n, of in totals
                             if f"total|{n}|{of}" in known and of not in self.exercise["parents"][output]]  # fmt: skip
        claimed["path"] += self._paths(output, {line["text"] for line in claimed["path"]})
        lines = [*(line for told in edges.values() for line in told), *claimed["total"], *claimed["path"]]
        answers = self._answers(lines)
        left_out = list(self.exercise["leftOut"])
        if not edges and not any(claimed.values()):
            why = f"too large for a page: {'; '.join(left_out)}" if left_out else "no quantity depends on an input"
            raise InputError(f"there is nothing to mark: {why}")
        if self.empty:
            for line in [*lines, *others]:
                line["formula"] = ""
        shown = self._placed(edges)
        del self.exercise["lines"]
        more = f"; and {len(left_out) - 6} more" if len(left_out) > 6 else ""
        words = f"Left out, since the page would be too large: {'; '.join(left_out[:6])}{more}."
        return {
            "exercise": self.exercise,
            **shown,
            "totals": claimed["total"],
            "paths": claimed["path"],
            "others": others,
            "answers": answers,
            "reasons": {} if self.empty else self._reasons(),
            "inputs": inputs,
            "leftOut": words if left_out else "",
        }

    # Lines.

    def _claim(self, line: Mapping[str, str]) -> Any:
        """The first claim of a line; None if it cannot be read."""
        try:
            return read_claims(line["kind"], line["text"], "0", self.q, self.derivation.layout)[0]
        except InputError:
            return None

    def _box(self, kind: str, name: str, of: str) -> dict[str, str]:
        """An empty line for a derivative."""
        diagonal = kind == "partial" and all(is_diagonal(look.q.local(name, of)) for look in self.survey.looks)
        return {"kind": kind, "text": left_side(self.q, name, of, diagonal), "formula": ""}

    def _paths(self, output: str, there: set[str]) -> list[dict[str, str]]:
        """The paths between inputs and the output through quantities that are numbers, those of two edges or more."""
        numbers = {n for n in self.names if self.q.vars[n].size == 1}
        found: list[list[str]] = []

        def go(path: list[str]) -> None:
            if len(found) > MOST_PATHS:
                return
            parents = self.exercise["parents"][path[0]]
            if not parents and len(path) > 2:
                found.append(path)
            for parent in parents:
                if parent in numbers:
                    go([parent, *path])

        if output in numbers:
            go([output])
        texts = [" > ".join(map(spelled, path)) for path in found]
        if len(found) > MOST_PATHS:
            self.exercise["leftOut"].append("boxes for the paths, which are many")
            return []
        return [{"kind": "path", "text": text, "formula": ""} for text in texts if text not in there]

    # Answers.

    def _graph(self) -> Any:
        """The graph of the quantities at one point, named; None where it cannot be drawn."""
        try:
            q = self.derivation.quantities(self.derivation.build, self.survey.looks[-1].point)
            for name, var in q.vars.items():
                named(var, name)
            return graph_of(q.vars[self.exercise["output"]]).steps()
        except (InputError, ValueError):
            return None

    def _answers(self, lines: Iterable[dict[str, str]]) -> dict[str, str]:
        """Formulas that are right, by kind and left side: what the file claims, or the local derivative as it is read
        from the graph; each is marked before it is told."""
        symbols = {(e.target.name, e.source.name): partial_of(e) for e in self.graph.edges} if self.graph else {}
        found = {}
        with suppress(Overworked), at_most(2 * MOST_OF_A_LINE, "the answers"):
            for line in lines:
                claim = self._claim(line)
                if claim is not None and self.q.vars[claim.name].size * self.q.vars[claim.of].size > MOST_ANSWERED:
                    continue
                guesses = [line["formula"]] if line["formula"] else []
                if claim is not None and line["kind"] == "partial" and (text := symbols.get((claim.name, claim.of))):
                    guesses += self._guesses(text, claim)
                if claim is not None and line["kind"] == "path":
                    factors = [symbols.get((n, of)) for (of, _), (n, _) in pairwise(claim.steps)]
                    if all(factors):
                        guesses.append(" * ".join(f"({_plain(f or '')})" for f in factors))
                for guess in guesses:
                    if self._is_right(line, guess):
                        found[f"{line['kind']}|{line['text']}"] = guess
                        break
        return found

    def _guesses(self, text: str, claim: Any) -> list[str]:
        """A local derivative as formulas may write it: as it is, and with the indices of the line."""
        plain = _plain(text)
        letters = list(claim.letters)
        found = [plain]
        for index in letters[:2]:
            lettered = plain
            for name in self.names:
                if len(self.q.shape(name)) == 1:
                    alone = rf"(?<![\w.]){re.escape(spelled(name))}(?![\w.\[])"
                    lettered = re.sub(alone, f"{spelled(name)}[{index}]", lettered)
            found.append(lettered)
            if len(letters) == 2:
                found.append(f"delta({letters[0]}, {letters[1]}) * ({lettered})")
        return list(dict.fromkeys(found))

    def _is_right(self, line: Mapping[str, str], formula: str) -> bool:
        try:
            marks, _ = self.derivation.marks_of(line["kind"], line["text"], formula, self.survey, {})
        except InputError:
            return False
        return all(mark.verdict == "right" for mark in marks)

    def _reasons(self) -> dict[str, str]:
        """What the program says of the wrong lines of the file."""
        found: dict[str, str] = {}
        formulas = {(line["kind"], line["text"]): line["formula"] for line in lines_of(self.derivation)}
        for mark in self.derivation.mark().lines if formulas else ():
            line = mark.claim.line or mark.claim.text
            if mark.verdict == "wrong" and mark.reasons and (formula := formulas.get((mark.claim.kind, line))):
                found.setdefault(f"{mark.claim.kind}|{line}|{formula.strip()}", "; ".join(d.text for d in mark.reasons))
        return found

    # The diagram.

    def _placed(self, edges: Mapping[tuple[str, str], list[dict[str, str]]]) -> dict[str, Any]:
        """The nodes with the boxes at their edges, and where they stand: with room for boxes, and as an overview."""
        ids = {name: f"n{k}" for k, name in enumerate(self.names)}
        of_edge = {edge: f"e{k}" for k, edge in enumerate(edges)}
        sizes: dict[str, tuple[float, float]] = {}
        nodes = []
        for name in self.names:
            parents = self.exercise["parents"][name]
            formula, shape = self._made(name), self.q.shape(name)
            told = f"{' x '.join(map(str, shape))} entries" if shape else ""
            widest = max(9.0 * len(name), 7.0 * min(len(formula), 34), 6.6 * len(told))
            width = min(250.0, max(84.0, widest + 26.0))
            rows = -(-len(formula) * 7.0 // (width - 24.0)) if formula else 0
            size = [round(width), round(34.0 + 18.0 * rows + (18.0 if told else 0.0))]
            kind = "leaf" if not parents else "output" if name == self.exercise["output"] else "step"
            mine = []
            for told_lines, card in ((edges[name, p], of_edge[name, p]) for p in parents if (name, p) in edges):
                longest = max(len(line["text"]) for line in told_lines)
                sizes[card] = min(max(CARD, 8.0 * longest + 72.0), 440.0), LINE * len(told_lines) + AROUND
                mine.append({"id": card, "size": sizes[card], "lines": told_lines})
            sizes[ids[name]] = float(size[0]), float(size[1])
            nodes.append({"id": ids[name], "name": name, "formula": formula, "shape": told, "kind": kind, "size": size,
                          "edges": mine})  # fmt: skip
        layout = None
        if len(edges) <= MOST_ON_A_DIAGRAM:
            pairs = [(ids[p], of_edge[n, p]) for n, p in edges] + [(of_edge[n, p], ids[n]) for n, p in edges]
            placed = lay_out(sizes, pairs, "right")
            layout = placed.rounded()
            ends = [(card, out) for out in (False, True) for card in of_edge.values()]
            layout["arrows"] = [[c, arrow, out] for (c, out), arrow in zip(ends, layout["arrows"], strict=True)]
        small = {ids[n]: (min(170.0, 9.0 * len(n) + 22.0), 34.0) for n in self.names}
        small_layout = lay_out(small, [(ids[p], ids[n]) for n, p in edges], "right").rounded()
        arrows = [[name, arrow] for name, arrow in zip(of_edge.values(), small_layout["arrows"], strict=True)]
        mini = {"size": small_layout["size"], "sizes": small, "arrows": arrows, "centers": small_layout["centers"]}
        return {"nodes": nodes, "layout": layout, "mini": mini}

    def _made(self, name: str) -> str:
        """How a quantity is made, in words."""
        told = self.derivation.formulas.get(name)
        if isinstance(told, Formula):
            return _short(f"= {' '.join(told.text.split())}")
        if told is not None:
            return _short(f"solves {' '.join(told.text.split())}")
        if self.graph is not None and self.exercise["parents"][name]:
            node = next((n for n in self.graph.nodes if n.name == name), None)
            return f"= {formula_of(node)}" if node is not None else ""
        return ""


def _short(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:157]}..."


def _plain(text: str) -> str:
    """A formula of the graph in the spelling of formulas."""
    text = re.sub(r"\^T$", "", text).replace(" · ", " @ ").removesuffix(" for every entry that is summed")
    return re.sub(r"\|([^|]+)\|", r"norm(\1)", text)


_CLAIMS = ("partials", "paths", "totals")


def _toml(given: Mapping[str, Any]) -> list[str]:
    """The tables of a derivation without its claims, as a file."""
    plain = {k: v for k, v in given.items() if k not in _CLAIMS and not _is_table(v)}
    lines = [f"{toml_key(k)} = {toml_value(v)}\n" for k, v in plain.items()]
    for name, table in given.items():
        if name in _CLAIMS or not _is_table(table):
            continue
        for part in table if isinstance(table, list) else [table]:
            header = f"[[{name}]]" if isinstance(table, list) else f"[{name}]"
            lines += [f"\n{header}\n", *(f"{toml_key(k)} = {toml_value(v)}\n" for k, v in part.items())]
    return lines


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and all(map(_is_table, value)))
