"""Marking a derivative that was worked out by hand, partial by partial.

A derivation has quantities (inputs, and what is computed from them) and claims about their derivatives:

- a *partial*, "y[0] / a": by a quantity just before it, all others held still;
- a *path*, "x[0] > a > y[0]": the product of the partials along it;
- a *total*, "L / x[0]": along all paths.

Each is compared at several points with the derivative that the core gives, which is itself confirmed by numbers. The
comparison knows no scale: what counts is the relative difference, and how far rounding can reach.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, variable
from diffrt.autograd.variable import as_value
from diffrt.errors import InputError, shown
from diffrt.explain.claims import Claim, cut, fitted, read_claims
from diffrt.explain.definitions import Build, Domain, draw_point
from diffrt.explain.diagnosis import TRANSPOSED, diagnose
from diffrt.explain.factors import Diagnosis
from diffrt.explain.formula import Formula
from diffrt.explain.marks import Line, Marked
from diffrt.explain.quantities import Quantities, plain, rounding_of, taylor_slope
from diffrt.explain.wording import tidy
from diffrt.explain.work import MOST, MOST_OF_A_LINE, MOST_SLOPES, Overworked, at_most

POINTS = 12
"""So many points are drawn."""

LONGEST = 200
"""The most characters of the left side of a line."""

TOLERANCE = 1e-8
"""What is nearer than this, relatively, is the same."""


@dataclass
class Derivation:
    """Quantities and claims.

    build: from inputs, Vars by name, all quantities by name. inputs: their domains. points: given ones, inputs by name.
    partials, paths, totals: text of the left side, and a formula or a function of the quantities. output: whose
    gradient the effects are measured by; the last quantity if empty. readings: other ways to compute, by name.
    short: abbreviations, formulas by name. draw: a random point, in place of one from the domains. define: from a
    quantity's name and the values of the others to its value; without it a computation is replayed, in which a choice
    that was made by comparing stays as it was.
    """

    build: Build
    inputs: Mapping[str, Domain]
    points: Sequence[Mapping[str, Any]] = ()
    partials: Mapping[str, Any] = field(default_factory=dict)
    paths: Mapping[str, Any] = field(default_factory=dict)
    totals: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""
    readings: Mapping[str, Build] = field(default_factory=dict)
    short: Mapping[str, Formula] = field(default_factory=dict)
    draw: Callable[[np.random.Generator], Mapping[str, Any]] | None = None
    define: Callable[[str, Mapping[str, Any]], Any] | None = None
    seed: int = 0

    def mark(self) -> Marked:
        """Compare every claim. A line that cannot be read or compared says so in its own mark, and the others go on.

        Raises InputError for what all of them need: points, and quantities that can be computed there.
        """
        with at_most(MOST, "the derivation"), np.errstate(all="ignore"):
            return self._marked()

    def _marked(self) -> Marked:
        rng = np.random.default_rng(self.seed)
        drawn = [dict(p) for p in self.points]
        drawn += [dict(self.draw(rng)) if self.draw else draw_point(self.inputs, rng) for _ in range(POINTS)]
        here = [self._at(self.build, p) for p in drawn]
        marks: list[Line] = []
        others = {}
        for name, other in self.readings.items():
            try:
                there = [self._at(other, p) for p in drawn]
                for quantity in here[0].vars:
                    shapes = there[0].shape(quantity), here[0].shape(quantity)
                    if shapes[0] != shapes[1]:
                        raise InputError(f"{quantity} has the shape {shapes[0]} there, needed: {shapes[1]}")
                others[name] = there
            except InputError as fault:
                marks.append(_unread("reading", name, fault))
        for kind, given in (("partial", self.partials), ("path", self.paths), ("total", self.totals)):
            for text, formula in given.items():
                try:
                    with at_most(MOST_OF_A_LINE, "the line"):
                        marks += self._marks_of(kind, text, formula, drawn, here, others)
                except InputError as fault:
                    marks.append(_unread(kind, text, fault))
        with suppress(Overworked):
            self._effects(marks, here)
        slope = None
        with suppress(Overworked):
            slope = self._taylor(here[-1])
        return Marked(marks, slope)

    def _marks_of(self, kind: str, text: str, formula: Any, drawn: Sequence[Mapping[str, Any]],
                  here: Sequence[Quantities], others: Mapping[str, Sequence[Quantities]]) -> list[Line]:  # fmt: skip
        """The marks of one line: one for each claim that it stands for."""
        if not isinstance(text, str):
            raise InputError(f"found {shown(text)}, needed: text such as y / x")
        if len(text) > LONGEST:
            raise InputError(f"the left side has {len(text):,} characters, allowed: {LONGEST}")
        marks = [self._mark(claim, drawn, here) for claim in read_claims(kind, text, formula, here[0])]
        for mark in marks:
            for name, there in others.items() if mark.verdict == "wrong" else ():
                with suppress(InputError):  # the line has no meaning in that reading
                    if self._mark(mark.claim, drawn, there, brief=True).verdict == "right":
                        mark.reading = name
        return marks

    def _taylor(self, q: Quantities) -> float | None:
        """The slope of the Taylor remainder of the output by all inputs at a point."""
        output = self.output or list(q.vars)[-1]
        names = [n for n in self.inputs if n in q.vars]
        shapes = [q.vars[n].shape for n in names]
        cuts = np.cumsum([q.vars[n].size for n in names])[:-1]
        if not names or output in names:
            return None

        def run(flat: Any) -> Any:
            parts = [p.reshape(s) for p, s in zip(np.split(flat, cuts), shapes, strict=True)]
            found = self.build({n: variable(p, n) for n, p in zip(names, parts, strict=True)})[output]
            return np.ravel(found.value if isinstance(found, Var) else found)

        whole = np.concatenate([q.total(output, n) for n in names], 1)
        start = np.concatenate([np.ravel(q.vars[n].value) for n in names])
        with np.errstate(all="ignore"):
            return taylor_slope(run, start, lambda d: whole @ d, self.seed)

    def _at(self, build: Build, point: Mapping[str, Any]) -> Quantities:
        leaves = {}
        for name, value in point.items():
            if name not in self.inputs:
                raise InputError(f"points: there is no input {name}; there are {', '.join(self.inputs)}")
            try:
                leaves[name] = variable(value, name)
            except TypeError:
                raise InputError(f"points: {name}: found {shown(value)}, needed: numbers") from None
        for name, domain in self.inputs.items():
            if name not in leaves:
                raise InputError(f"points: {name} has no value")
            if self.draw is None and leaves[name].shape != domain.shape:
                raise InputError(f"points: {name} has the shape {leaves[name].shape}, needed: {domain.shape}")
        with np.errstate(all="ignore"):
            quantities = dict(build(leaves))
        whole = {n: v if isinstance(v, Var) else variable(v, n) for n, v in quantities.items()}
        for name, var in whole.items():
            if not np.isfinite(var.value).all():
                at = ", ".join(f"{n} = {tidy(plain(v))}" for n, v in point.items())
                found = tidy(plain(var.value))
                raise InputError(f"{name} is {found} at {at}: it is not defined there; mend the domain")
        return Quantities(whole)

    def _values(self, claim: Claim, q: Quantities) -> tuple[Any, NDArray[np.float64]]:
        """What the claim says at a point, shaped like its side, and how far rounding may put it off."""
        given = {n.replace(" ", "_"): variable(v) for n, v in q.values.items()}
        given = {**given, **{n: variable(v) for n, v in q.values.items()}}
        with np.errstate(all="ignore"):
            for name, formula in self._abbreviations(claim):
                given[name] = formula(given, claim.letters)
            if isinstance(claim.formula, Formula):
                found = claim.formula(given, claim.letters)
            else:
                found = claim.formula(**{n.replace(".", "_"): v for n, v in given.items() if n.isidentifier()
                                         or n.replace(".", "_").isidentifier()})  # fmt: skip
        try:
            plain(found.value if isinstance(found, Var) else found)
        except (TypeError, ValueError):
            raise InputError(f"{claim.text}: the function gave {shown(found)}, needed: numbers") from None
        if not isinstance(found, Var):
            return plain(found), np.zeros(np.size(plain(found)))
        limit = min(found.size, 64)
        floors = np.array([rounding_of(found, k) if found.tracked else 0.0 for k in range(limit)])
        if found.size > limit:
            floors = np.full(found.size, floors.max())
        return plain(found.value), floors

    def _abbreviations(self, claim: Claim) -> list[tuple[str, Formula]]:
        """Those that a claim uses, itself or through later ones, in order."""
        used = set(claim.formula.names) if isinstance(claim.formula, Formula) else set()
        found = []
        for name, formula in reversed(list(self.short.items())):
            if name in used or any(n.rpartition(".")[0] == name for n in used):
                used |= formula.names
                found.append((name, formula))
        return found[::-1]

    def _right(self, claim: Claim, q: Quantities) -> NDArray[np.float64]:
        """What is right at a point: rows by columns, of the entries that are asked for."""
        if claim.kind == "path":
            value = 1.0
            for (of, place), (name, entry) in zip(claim.steps, claim.steps[1:], strict=False):
                value *= float(q.local(name, of)[entry, place])
            return np.array([[value]])
        whole = q.local(claim.name, claim.of) if claim.kind == "partial" else q.total(claim.name, claim.of)
        rows = slice(None) if claim.entry is None else slice(claim.entry, claim.entry + 1)
        columns = slice(None) if claim.place is None else slice(claim.place, claim.place + 1)
        return whole[rows, columns]

    def _mark(self, claim: Claim, drawn: Sequence[Mapping[str, Any]], here: Sequence[Quantities],
              brief: bool = False) -> Line:  # fmt: skip
        yours, rights, errors = [], [], []
        kinked = []
        doubt, turned = "", False
        edges = [(claim.name, claim.of)] if claim.kind == "partial" else []
        edges += [(name, of) for (of, _), (name, _) in pairwise(claim.steps)]
        for q in here:
            missing = [f"{name} / {of}" for name, of in edges if of not in q.parents(name)]
            if missing:
                return Line(claim, "cannot tell", f"there is no {missing[0]} at one of the points")
            value, floor = self._values(claim, q)
            right = self._right(claim, q)
            mine, turned = fitted(value, right, q, claim)
            floor = np.resize(floor, mine.shape) if floor.size == mine.size else np.full(mine.shape, floor.max())
            floor = floor + self._rounding(claim, q, right)
            yours.append(mine)
            rights.append(right)
            with np.errstate(all="ignore"):
                errors.append(np.abs(mine - right) - TOLERANCE * np.maximum(np.abs(mine), np.abs(right)) - 16.0 * floor)
        wrong, undefined = [], 0
        for k, (mine, error) in enumerate(zip(yours, errors, strict=True)):
            if not np.isfinite(mine).all():
                undefined += 1
                continue
            if (error <= 0.0).all():
                continue
            if not brief and claim.kind != "path" and self._subgradient(claim, here[k], mine, error):
                kinked.append(k)
                continue
            wrong.append(k)
        if brief:
            return Line(claim, "right" if not wrong and not undefined else "wrong")
        if undefined and not wrong:
            return Line(claim, "cannot tell", f"yours is not a number at {undefined} of {len(here)} points")
        if claim.kind != "path":
            doubt = self._confirm(claim, here[0 if not kinked else -1])
        if doubt:
            return Line(claim, "cannot tell", doubt)
        if turned and not wrong:
            line = Line(claim, "wrong", point=dict(drawn[0]), diagnoses=[Diagnosis("transposed", TRANSPOSED)])
            line.yours, line.right = yours[0].T, rights[0]
            return line
        if not wrong:
            return Line(claim, "right", "a subgradient at a kink" if kinked else "")
        worst = max(wrong, key=lambda k: float(errors[k].max() / max(np.abs(rights[k]).max(), 1e-300)))
        line = Line(claim, "wrong", point=dict(drawn[worst]))
        if len(wrong) < len(here):
            line.detail = f"at {len(wrong)} of {len(here)} points"
        line.yours, line.right = (plain(m[worst]) for m in (yours, rights))
        with suppress(Overworked):
            line.diagnoses = diagnose(claim, here, yours, rights)
        return line

    def _rounding(self, claim: Claim, q: Quantities, right: NDArray[np.float64]) -> NDArray[np.float64]:
        if claim.kind == "path" or right.size > 64:
            return 4.0 * 2.0**-52 * np.abs(right)
        floor = np.zeros(right.shape)
        for i, j in np.ndindex(*right.shape):
            entry, place = claim.entry if claim.entry is not None else i, claim.place if claim.place is not None else j
            floor[i, j] = q.rounding(claim.name, entry, claim.of, place, claim.kind == "partial")
        return floor

    def _slopes(self, claim: Claim, q: Quantities, i: int, j: int) -> Any:
        entry = claim.entry if claim.entry is not None else i
        place = claim.place if claim.place is not None else j
        domain = self.inputs.get(claim.of, Domain((), -np.inf, np.inf))
        local = claim.kind == "partial"
        return q.slopes(claim.name, entry, claim.of, place, local, domain.low, domain.high, self._run(claim, q))

    def _run(self, claim: Claim, q: Quantities) -> Callable[[Any], Any] | None:
        """The values of a claim's quantity as a function of those of the other one, computed afresh."""
        define, values = self.define, {n: v.value for n, v in q.vars.items()}
        if claim.kind == "partial" and define:
            return lambda v: define(claim.name, {**values, claim.of: as_value(v)})
        if claim.kind == "total" and claim.of in self.inputs:
            leaves = {n: q.vars[n] for n in self.inputs if n in q.vars}

            def run(v: Any) -> Any:
                found = self.build({**leaves, claim.of: variable(v, claim.of)})[claim.name]
                return found.value if isinstance(found, Var) else found

            return run
        return None

    def _subgradient(self, claim: Claim, q: Quantities, mine: Any, error: Any) -> bool:
        """Whether every entry that differs lies between the one-sided derivatives at a kink."""
        for i, j in np.argwhere(error > 0.0):
            slopes = self._slopes(claim, q, i, j)
            if slopes is None or slopes.smooth:
                return False
            low, high = sorted((slopes.left, slopes.right))
            room = 1e-6 * max(abs(low), abs(high)) + slopes.doubt
            if not low - room <= mine[i, j] <= high + room:
                return False
        return True

    def _confirm(self, claim: Claim, q: Quantities) -> str:
        """Why the right value cannot be trusted at a point; empty if numbers confirm it."""
        right = self._right(claim, q)
        for i, j in list(np.ndindex(*right.shape))[:16]:
            slopes = self._slopes(claim, q, i, j)
            if slopes is None:
                continue
            low, high = sorted((slopes.left, slopes.right))
            room = 1e-5 * max(abs(low), abs(high), abs(right[i, j])) + 10.0 * slopes.doubt
            if not low - room <= right[i, j] <= high + room:
                return f"our own {tidy(right[i, j])} and numbers, {tidy(low)}, disagree"
        return ""

    def _effects(self, marks: Sequence[Line], here: Sequence[Quantities]) -> None:
        """How far each wrong partial puts the gradient of the output off, swapped in alone."""
        wrong = [m for m in marks if m.verdict == "wrong" and m.claim.kind == "partial"]
        if not wrong:
            return
        q = here[0]
        output = self.output or list(q.vars)[-1]
        inputs = [n for n in self.inputs if n in q.vars]
        if q.vars[output].size ** 2 > MOST_SLOPES:
            raise Overworked(f"{output} has {q.vars[output].size:,} entries")
        true = _gradient(q, output, inputs, {})
        size = np.linalg.norm(true)
        alone = []
        for mark in wrong:
            value, _ = self._values(mark.claim, q)
            mine, _ = fitted(value, self._right(mark.claim, q), q, mark.claim)
            key = mark.claim.name, mark.claim.of
            one = q.local(*key).copy()
            cut(one, mark.claim)[...] = mine
            alone.append(np.linalg.norm(_gradient(q, output, inputs, {key: one}) - true))
        together = float(np.sum(alone))
        for mark, off in zip(wrong, alone, strict=True):
            mark.effect = float(off / size) if size else None
            mark.share = float(off / together) if together else None


def _unread(kind: str, text: str, fault: InputError) -> Line:
    """The mark of a line that cannot be compared."""
    left = text if isinstance(text, str) and text.isprintable() and len(text) <= LONGEST else shown(text)
    verdict = "cannot tell" if isinstance(fault, Overworked) else "cannot be read"
    reason = fault.problems[0].removeprefix(f"{kind} {text!r}: ").removeprefix(f"{text}: ")
    return Line(Claim(kind, left, "", None, "", None, lambda: None), verdict, reason)


def _gradient(q: Quantities, output: str, inputs: Sequence[str], swaps: Mapping[tuple[str, str], Any]) -> Any:
    """The derivative of a quantity by the inputs, from local derivatives, some of them replaced."""
    sums: dict[str, Any] = {output: np.eye(q.vars[output].size)}
    for name in sorted(q.vars, key=lambda n: -q.vars[n].serial):
        if name in sums and name not in inputs:
            for parent in q.parents(name):
                part = sums[name] @ swaps.get((name, parent), q.local(name, parent))
                sums[parent] = sums[parent] + part if parent in sums else part
    return np.concatenate([sums[n].ravel() if n in sums else np.zeros(q.vars[n].size) for n in inputs])
