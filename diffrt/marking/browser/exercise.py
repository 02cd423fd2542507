"""What the page of a derivation knows, as JSON.

The page reads and computes formulas itself. All that needs the graph is computed here once: the points at which the
program marks, the quantities there, every derivative that can be claimed, how far rounding may reach, where a
definition branches, the terms of each derivative for its hints. Lists of words, functions and signs are those of the
reader of formulas, so there is one of each.
"""

import base64
import keyword
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np

from diffrt.marking import formula, spelling
from diffrt.marking.branches import Look
from diffrt.marking.claims import LAYOUTS, LETTERS, MOST_CLAIMS, Claim
from diffrt.marking.derivation import Derivation
from diffrt.marking.formula import Formula
from diffrt.marking.quantities import all_above, rounding_of
from diffrt.marking.spelling import spelled
from diffrt.marking.terms import links, terms
from diffrt.marking.work import MOST_OF_A_LINE, Overworked, at_most

ROOM = 3_600_000
"""Bytes of quantities and derivatives at all points; a page stays below 5 MB with them, its terms and its script."""

MOST_MARGINS = 40_000
"""Numbers that say where the definitions branch, at all points; with more, none are sent."""

MOST_WORDS = 200
"""Of so many comparisons of a point the words are sent."""

MOST_DEFINED = 100_000
"""Characters of definitions, and numbers of points, with which the page looks for borders of a formula by itself."""

MOST_AROUND = 20_000
"""Numbers that say how a quantity goes on around one given point."""

MOST_ROUNDINGS = 20_000
"""Of so many entries it is computed how far rounding may reach, fewer where much is computed; of the others it is taken
from those nearby."""

MOST_TERM_NUMBERS = 80_000
"""Entries of terms, for hints."""

MOST_NODES = 120
"""Operations of a derivation whose totals have their terms told."""

MOST_TERMS = 40
"""Of one derivative."""

FEW = 2_000
"""Sweeps for the derivatives of quantities that are no output: with more, those are left out."""

FEWEST = 6
"""Points at which a page compares at least."""

SHORTLY = 8
"""Points at which terms are told, of each kind."""

_GREEK = "".join(map(chr, [0xB5, *range(0x370, 0x400), *range(0x1F00, 0x2000)]))


def tables() -> dict[str, Any]:
    """What a reader of formulas has to know."""
    counts = {name: formula.count_of_arguments(f) for name, f in formula.FUNCTIONS.items()}
    return {
        "functions": {name: [least, most if isfinite(most) else None] for name, (least, most) in counts.items()},
        "constants": dict(formula.CONSTANTS),
        "otherNames": formula.OTHER_NAMES,
        "spelled": formula.SPELLED,
        "signs": {chr(code): text for code, text in spelling.SIGNS.items()},
        "letters": {c: letter for c in _GREEK if (letter := spelling.plain_letters(c)) != c},
        "hints": spelling.HINTS,
        "operators": list(spelling.OPERATORS),
        "words": list(spelling.WORDS),
        "keywords": keyword.kwlist,
    }


def exercise_of(derivation: Derivation, room: float = ROOM) -> dict[str, Any]:
    """What a page knows of a derivation. Raises InputError where `mark` would.

    room: bytes of numbers; what does not fit is left out, and named in "leftOut".
    """
    with np.errstate(all="ignore"):
        return _Exercise(derivation, room).data()


def lines_of(derivation: Derivation) -> list[dict[str, str]]:
    """The lines that a derivation has: kind, left side, formula."""
    given = (("partial", derivation.partials), ("path", derivation.paths), ("total", derivation.totals))
    return [
        {"kind": kind, "text": text, "formula": told if isinstance(told, str) else repr(told)}
        for kind, table in given
        for text, told in table.items()
        if isinstance(text, str) and not callable(told)
    ]


def encoded(values: Any, exact: bool = True) -> str:
    """Numbers in base64, of eight bytes each, or of four."""
    return base64.b64encode(np.ascontiguousarray(values, "<f8" if exact else "<f4").tobytes()).decode()


@dataclass
class _Exercise:
    """Made once, by `data`. too_much: why it is too much to compute the derivatives of a quantity."""

    derivation: Derivation
    room: float
    roundings: int = 0
    of_terms: int = 0
    parts: list[int] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    too_much: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _survey(self) -> Any:
        return self.derivation.surveyed()

    @cached_property
    def looks(self) -> list[Look]:
        """The points at which claims are compared: those of the program, or some where there is no room for all."""
        survey = self._survey[0]
        groups = [list(part) for part in (survey.given, survey.drawn, survey.beside)]
        every = sum(map(len, groups))
        most = max(FEWEST, int(self.room / max(1.0, self._needed)))
        if every > most:
            groups = [group[:: -(-every // most)] for group in groups]
        self.parts = [len(group) for group in groups]
        if sum(self.parts) < every:
            self.left_out.append(f"{every - sum(self.parts)} of the {every} points at which diffrt verify compares")
        return [look for group in groups for look in group]

    @cached_property
    def _needed(self) -> float:
        """Bytes of a point: of its quantities, and of the derivatives that are wanted most."""
        q, names = self._survey[0].looks[0].q, list(self._survey[0].looks[0].q.vars)
        count = sum(q.vars[n].size for n in names)
        output = q.vars[self.derivation.output or names[-1]]
        for name in names:
            with suppress(Overworked), at_most(MOST_OF_A_LINE, "the line"):
                parents = q.parents(name)
                count += q.vars[name].size * sum(q.vars[p].size for p in parents)
                count += 0 if parents else output.size * q.vars[name].size
        return 4 / 3 * 16 * float(count)

    @cached_property
    def names(self) -> list[str]:
        """Of the quantities."""
        return list(self.looks[0].q.vars)

    @cached_property
    def exact(self) -> bool:
        """Whether the bounds of rounding are told in eight bytes."""
        return len(self.looks) * sum(self.size(n) ** 2 for n in self.names) < 60_000

    @property
    def each(self) -> float:
        """Bytes of a number and of how far rounding may put it off, in base64."""
        return 4 / 3 * (16 if self.exact else 12)

    @cached_property
    def kept(self) -> list[str]:
        """The quantities whose values the page has; the largest are left out where there is no room for all."""
        found = []
        for name in sorted(self.names, key=self.size):
            needed = len(self.looks) * self.size(name) * self.each
            if needed <= self.room:
                self.room -= needed
                found.append(name)
            else:
                self.left_out.append(f"{name} with {self.size(name):,} entries")
        return [n for n in self.names if n in found]

    def size(self, name: str) -> int:
        """The number of entries of a quantity."""
        return int(self.looks[0].q.vars[name].size)

    @cached_property
    def parents(self) -> dict[str, list[str]]:
        """The quantities just before each; none where that is too much to compute."""
        found = {}
        for name in self.names:
            try:
                with at_most(MOST_OF_A_LINE, "the line"):
                    found[name] = self.looks[0].q.parents(name)
            except Overworked as fault:
                found[name] = []
                self.too_much[name] = fault.problems[0]
        return found

    @cached_property
    def above(self) -> dict[str, list[str]]:
        """The quantities that each depends on."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            found[name] = all_above(name, self.parents.__getitem__)
            for n in found[name]:
                if n in self.too_much:
                    self.too_much.setdefault(name, self.too_much[n])
        return found

    def data(self) -> dict[str, Any]:
        """Everything."""
        d, q = self.derivation, self.looks[0].q
        survey, domains = self._survey
        kept, truths = self.kept, self._truths()
        forks = self._forks()
        searches = not d.draw and len(kept) == len(self.names) and forks["searchable"]
        searches &= len(survey.wider) * sum(domain.size for domain in d.inputs.values()) <= MOST_DEFINED
        definitions = self._definitions() if searches else None
        return {
            "tables": tables(),
            "names": self.names,
            "shapes": {n: list(q.shape(n)) for n in self.names},
            "parents": self.parents,
            "above": self.above,
            "tooMuch": self.too_much,
            "computedFrom": {n: sorted(q.computed_from(n)) for n in self.names},
            "layout": d.layout,
            "layouts": {name: [list(axes) for axes in which] for name, which in LAYOUTS.items()},
            "letters": LETTERS,
            "short": [[name, f.text] for name, f in d.short.items()],
            "draws": d.draw is not None,
            "inputs": [] if d.draw else [[n, *map(float, domain.bounds)] for n, domain in domains.items()],
            "definitions": definitions,
            "omitted": [n for n in self.names if n not in kept],
            "where": d.where(domains),
            "looks": len(self.looks),
            "given": self.parts[0],
            "values": {n: encoded([np.ravel(k.q.value(n)) for k in self.looks]) for n in kept},
            "floorBytes": 8 if self.exact else 4,
            "rounding": {n: encoded([self._rounding_of(k, n) for k in self.looks], self.exact) for n in kept},
            "magnitudes": [k.magnitude for k in self.looks],
            **forks,
            "wider": encoded([survey.space.flat(k.point) for k in survey.wider]) if definitions else "",
            "missing": sorted(self._missing),
            "kinks": self._kinks(self.parts[0]),
            "truths": truths,
            "output": d.output or self.names[-1],
            "lines": lines_of(d),
            "leftOut": list(dict.fromkeys(self.left_out)),
        }  # fmt: skip

    def _definitions(self) -> list[list[Any]] | None:
        """In the order of computation; None where the page cannot compute them."""
        formulas = self.derivation.formulas
        if not formulas or sum(len(f.text) for f in formulas.values()) > MOST_DEFINED:
            return None
        return [[n, f.text if isinstance(f, Formula) else {"equation": f.text, "between": list(f.between)}]
                for n, f in formulas.items()]  # fmt: skip

    def _rounding_of(self, look: Look, name: str) -> list[float]:
        """How far rounding may put the entries of a quantity off."""
        var = look.q.vars[name]
        few = min(var.size, 64)
        found = [rounding_of(var, k) for k in range(few)]
        return [*found, *[max(found)] * (var.size - few)]

    # Where the definitions branch.

    def _forks(self) -> dict[str, Any]:
        count = sum(len(k.margins) for k in self.looks)
        if count > MOST_MARGINS:
            self.left_out.append(
                f"where {count // len(self.looks):,} comparisons of the definitions go one way or the other"
            )
            empty = [encoded([])] * len(self.looks)
            return {"templates": [{"owners": [], "words": []}], "template": [0] * len(self.looks), "margins": empty,
                    "searchable": False}  # fmt: skip
        templates: dict[tuple[Any, ...], int] = {}
        told: list[dict[str, Any]] = []
        which = []
        for look in self.looks:
            key = tuple((f.op, look.owner(f.serial), len(f.margins)) for f in look.forks)
            if key not in templates:
                templates[key] = len(told)
                names = {v.serial: n for n, v in look.q.vars.items()}
                words = [
                    [f.words(k, side, names) for side in (-1, 0, 1)]
                    for f, k in look.places[: MOST_WORDS if len(told) < 8 else 0]
                ]
                told.append({"owners": [[owner, size] for _, owner, size in key], "words": words})
            which.append(templates[key])
        margins = [encoded(k.margins) for k in self.looks]
        return {"templates": told, "template": which, "margins": margins, "searchable": True}

    def _kinks(self, given: int) -> dict[str, Any]:
        """The derivatives around the given points that lie on a border: "kind|name|point" to a list by entry."""
        found: dict[str, Any] = {}
        for k, look in enumerate(self.looks[:given]):
            for name in self.names:
                for kind in ("partial", "total"):
                    others = self.parents[name] if kind == "partial" else self.above[name]
                    claim = Claim(kind, name, name, None, name, None, lambda: None)
                    if not others or not self.derivation.is_kink(claim, look):
                        continue
                    columns = [(n, p) for n in others for p in range(self.size(n))]
                    found[f"{kind}|{name}|{k}"] = None
                    if self.size(name) * len(columns) * (32 + 10 * sum(map(self.size, others))) > 50 * MOST_AROUND:
                        continue
                    with suppress(Overworked), at_most(MOST_OF_A_LINE, "the line"):
                        sides = [self.derivation.sides(claim, look, entry, columns) for entry in range(self.size(name))]
                        found[f"{kind}|{name}|{k}"] = [
                            {"columns": columns, "jumps": bool(s.jumps), "derivatives": encoded(s.derivatives)}
                            for s in sides
                        ]
        return found

    # What is right.

    @cached_property
    def _missing(self) -> set[str]:
        """Edges that are not there at all points."""
        names = [n for n in self.names if n not in self.too_much]
        every = {(n, p) for k in self.looks for n in names for p in k.q.parents(n)}
        return {f"{n} / {p}" for n, p in every if any(p not in k.q.parents(n) for k in self.looks)}

    def _wanted(self) -> Iterator[tuple[str, str, str]]:
        """Derivatives that can be claimed, the most wanted first, and small ones before large ones: kind, quantity, the
        other one."""
        output = self.derivation.output or self.names[-1]
        totals = [(n, of) for n in self.names for of in self.above[n]]
        claimed = set()
        for line in lines_of(self.derivation):
            sides = [s.partition("[")[0] for s in spelling.plain_letters(line["text"]).split("/")]
            if line["kind"] == "total" and len(sides) == 2:
                claimed |= {(n, of) for n, of in totals if self._is_named(n, sides[0]) and self._is_named(of, sides[1])}
        first = [pair for pair in totals if pair in claimed]
        first += [pair for pair in totals if pair[0] == output and pair not in claimed]
        rest = [pair for pair in totals if pair not in set(first)]
        wanted = [("partial", n, p) for n in self.names for p in self.parents[n]] + [("total", *pair) for pair in first]
        yield from sorted(wanted, key=lambda which: self.size(which[1]) * self.size(which[2]))
        if sum(self.size(n) for n, _ in rest) * len(self.looks) <= FEW:
            yield from (("total", *pair) for pair in rest)
        else:
            self.left_out.append(f"{len(rest)} totals of quantities that are not the output")

    def _is_named(self, name: str, side: str) -> bool:
        told = side.strip().removeprefix("d").strip()
        return any(t.replace("_", " ").startswith(name.replace("_", " ")) for t in (side.strip(), told))

    def _truths(self) -> dict[str, Any]:
        found = {}
        for kind, name, of in self._wanted():
            key = f"{kind}|{name}|{of}"
            if f"{name} / {of}" in self._missing:
                continue
            needed = len(self.looks) * self.size(name) * self.size(of) * self.each
            if needed > self.room:
                self.left_out.append(f"{name} / {of} with {self.size(name) * self.size(of):,} entries")
                continue
            try:
                with at_most(MOST_OF_A_LINE, "it"):
                    found[key] = self._truth(kind, name, of)
            except Overworked as fault:
                self.left_out.append(f"{name} / {of}: {fault.problems[0]}")
                continue
            self.room -= needed
        return found

    def _truth(self, kind: str, name: str, of: str) -> dict[str, Any]:
        local = kind == "partial"
        each = [k.q.derivative(name, of, local) for k in self.looks]
        rows, columns = each[0].shape
        told: dict[str, Any] = {"rows": rows, "columns": columns, "values": encoded(each)}
        told["floors"] = encoded(self._floors(name, of, local, each), self.exact)
        if doubts := self._doubts(kind, name, of, rows, columns):
            told["doubts"] = doubts
        if hints := self._terms(name, of, local, rows, columns):
            told["terms"] = hints
        return told

    def _floors(self, name: str, of: str, local: bool, each: Sequence[Any]) -> Any:
        """How far rounding may put the entries of a derivative off, at each point."""
        rows, columns = each[0].shape
        places = np.arange(rows * columns)
        looks = self.looks
        # A scene is moved so little from point to point that rounding is the same.
        if self.derivation.draw:
            looks = looks[:2]
        elif self.roundings > MOST_ROUNDINGS:
            looks = [*looks[:2], *looks[self.parts[0] + self.parts[1] :][:2]]
        if self.roundings + len(looks) * len(places) > MOST_ROUNDINGS and len(places) > 8:
            places = np.unique(np.linspace(0, rows * columns - 1, 8).astype(int))
        self.roundings += len(looks) * len(places) * max(1, len(looks[0].q.nodes) // 20)
        found, relative = [], 0.0
        for look in looks:
            exact = {int(p): look.q.rounding(name, int(p) // columns, of, int(p) % columns, local) for p in places}
            largest = max(exact.values())
            found.append([exact.get(p, largest) for p in range(rows * columns)])
            relative = max(relative, largest / (np.abs(look.q.derivative(name, of, local)).max() or 1.0))
        if len(looks) == len(self.looks):
            return found
        return [np.full(rows * columns, relative * np.abs(values).max()) for values in each]

    def _doubts(self, kind: str, name: str, of: str, rows: int, columns: int) -> dict[str, str]:
        """Of entries whose derivative numbers do not confirm, in words."""
        look = self.looks[self.parts[0]]
        entries = list(np.ndindex(rows, columns))
        if self.derivation.draw:  # each is a pixel rendered some twenty times
            entries = entries[: 3 if kind == "partial" else 1]
        elif rows * columns > 100:  # the first of the whole, and some more
            entries = [*entries[:16], *entries[16 :: rows * columns // 24]]
        found = {}
        for i, j in entries:
            claim = Claim(kind, f"{name} / {of}", name, int(i), of, int(j), lambda: None)
            if told := self.derivation.confirm(claim, look.q):
                found[f"{i},{j}"] = told
        return found

    # Hints.

    @cached_property
    def _shown(self) -> list[int]:
        """The points at which terms are told: some of those drawn, some beside borders."""
        given = self.parts[0]
        last = given + self.parts[1]
        drawn, beside = range(given, last), range(last, len(self.looks))
        return [*drawn[:SHORTLY], *beside[: 2 * SHORTLY : 2]]

    def _terms(self, name: str, of: str, local: bool, rows: int, columns: int) -> dict[str, Any]:
        """The terms of a derivative and the factors of its chains, at some points."""
        each: list[Any] = []
        factors: list[Any] = []
        if self.of_terms >= MOST_TERM_NUMBERS or (not local and len(self.looks[0].q.nodes) > MOST_NODES):
            return {}
        try:
            for k in self._shown:
                each.append(terms(self.looks[k].q, name, of, local))
                factors.append(links(self.looks[k].q, name, of, local))
        except (Overworked, NotImplementedError):
            return {}
        common = [w for w in each[0] if all(w in t for t in each)][:MOST_TERMS]
        common = common[: max(0, (MOST_TERM_NUMBERS - self.of_terms) // max(1, rows * columns * len(each)))]
        chains = [w for w in factors[0] if all(w in t and len(t[w]) == len(factors[0][w]) for t in factors)][:12]
        self.of_terms += len(common) * rows * columns * len(each) + sum(len(factors[0][w]) for w in chains) * len(each)
        if not common and not chains:
            return {}
        return {
            "looks": self._shown,
            "terms": [[w, encoded([t[w] for t in each])] for w in common],
            "links": [[w, len(factors[0][w]), encoded([t[w] for t in factors])] for w in chains],
        }


def left_side(q: Any, name: str, of: str, diagonal: bool) -> str:
    """The left side of a derivative, with index letters where few entries have them, such as y[i] / x[j].

    diagonal: whether each entry depends on its own entry only, so that one letter does for both.
    """
    free = iter(LETTERS)
    shapes = q.shape(name), q.shape(of)
    if diagonal and shapes[0] == shapes[1] and len(shapes[0]) <= len(LETTERS):
        index = f"[{', '.join(next(free) for _ in shapes[0])}]"
        return f"{spelled(name)}{index} / {spelled(of)}{index}"
    if sum(map(len, shapes)) > len(LETTERS) or q.vars[name].size * q.vars[of].size > MOST_CLAIMS:
        return f"{spelled(name)} / {spelled(of)}"
    sides = [spelled(n) + (f"[{', '.join(next(free) for _ in shape)}]" if shape else "")
             for n, shape in zip((name, of), shapes, strict=True)]  # fmt: skip
    return " / ".join(sides)
