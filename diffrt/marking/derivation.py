"""Marking a derivative that was worked out by hand, partial by partial.

A derivation has quantities (inputs, and what is computed from them) and claims about their derivatives:

- a *partial*, "y[0] / a": by a quantity just before it, all others held still;
- a *path*, "x[0] > a > y[0]": the product of the partials along it;
- a *total*, "L / x[0]": along all paths.

Each is compared with the derivative that the core gives, which is itself confirmed by numbers: at points drawn from the
domains, and on both sides of every border at which a definition or the claim itself branches. The comparison knows no
scale: what counts is the relative difference, and how far rounding can reach. A claim of which rounding leaves too
little to compare is not called right.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, variable
from diffrt.autograd.naming import watch_scopes
from diffrt.autograd.variable import as_value, comparisons, value_of
from diffrt.errors import InputError, shown
from diffrt.explaining.wording import tidy
from diffrt.marking.branches import Look, Space, Survey, beside_borders, forks_of, shared_margins
from diffrt.marking.claims import Claim, cut, fitted, read_claims
from diffrt.marking.definitions import Build, Domain, draw_points, settled
from diffrt.marking.diagnosis import TRANSPOSED, TRANSPOSED_MATRIX, diagnose
from diffrt.marking.factors import Diagnosis
from diffrt.marking.formula import Formula
from diffrt.marking.kinks import Sides, infinite_slopes, is_tied, sides_of
from diffrt.marking.marks import Line, Marked
from diffrt.marking.quantities import Quantities, plain, rounding_of, split, taylor_slope
from diffrt.marking.spelling import spelled
from diffrt.marking.trials import Trial, blurred, matters, not_reached, only_where
from diffrt.marking.work import MOST, MOST_OF_A_LINE, MOST_OF_A_SEARCH, MOST_SLOPES, Overworked, at_most

POINTS = 24
"""So many points are drawn."""

LONGEST = 200
"""The most characters of the left side of a line."""


Tried = tuple[list[Line], list[Trial]]
"""The marks of a line, one for each entry, and the trials of all of them."""


class Undefined(InputError):
    """A quantity is not finite at a point."""


@dataclass
class Derivation:
    """Quantities and claims.

    build: from inputs, Vars by name, all quantities by name. inputs: their domains. points: given ones, inputs by name.
    partials, paths, totals: text of the left side, and a formula or a function of the quantities. output: whose
    gradient the effects are measured by; the last quantity if empty. readings: other ways to compute, by name.
    short: abbreviations, formulas by name. draw: a random point, in place of one from the domains; no others are looked
    for then. define: from a quantity's name and the values of the others to its value; without it a computation is
    replayed, in which a choice that was made by comparing stays as it was. formulas: the definitions in the order of
    computation, where they are formulas. layout: in which
    derivatives of and by arrays are written, "numerator" or "denominator"; empty for the one of files.
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
    formulas: Mapping[str, Any] = field(default_factory=dict)
    layout: str = ""
    seed: int = 0

    def mark(self) -> Marked:
        """Compare every claim. A line that cannot be read or compared says so in its own mark, and the others go on.

        Raises InputError for what all of them need: points, and quantities that can be computed there.
        """
        with np.errstate(all="ignore"):
            with at_most(MOST, "the derivation"):
                marked, tried = self._marked()
            # It is known by now what is wrong; finding out why must not take work from that.
            with suppress(Overworked), at_most(MOST, "the diagnoses"):
                for lines, trials in tried:
                    self._diagnose(lines, trials)
        return marked

    def _marked(self) -> tuple[Marked, list[Tried]]:
        survey, domains = self.surveyed()
        marks: list[Line] = []
        tried: list[Tried] = []
        others = {}
        for name, build in self.readings.items():
            try:
                self._check_reading(build, survey.looks)
                others[name] = build
            except InputError as fault:
                marks.append(_unread("reading", name, fault))
        for kind, given in (("partial", self.partials), ("path", self.paths), ("total", self.totals)):
            for text, formula in given.items():
                try:
                    with at_most(MOST_OF_A_LINE, "the line"):
                        tried.append(self.marks_of(kind, text, formula, survey, others))
                        marks += tried[-1][0]
                except InputError as fault:
                    marks.append(_unread(kind, text, fault))
        self._together(marks, survey.given)
        with suppress(Overworked):
            self._effects(marks)
        slope = None
        with suppress(Overworked):
            slope = self._taylor(survey.drawn[-1].q)
        return Marked(marks, slope, self.where(domains)), tried

    def surveyed(self) -> tuple[Survey, Mapping[str, Domain]]:
        """The points at which claims are compared, and the domains that they are drawn from."""
        rng = np.random.default_rng(self.seed)
        domains = self.inputs if self.draw else settled(self.inputs, lambda p: self._look_or_none(p) is not None, rng)
        return self._survey(domains, rng), domains

    def marks_of(self, kind: str, text: str, formula: Any, survey: Survey, readings: Mapping[str, Build]) -> Tried:
        """The marks of one line, one for each claim that it stands for, and the trials of all of them."""
        if not isinstance(text, str):
            raise InputError(f"found {shown(text)}, needed: text such as y / x")
        if len(text) > LONGEST:
            raise InputError(f"the left side has {len(text):,} characters, allowed: {LONGEST}")
        marks = []
        tried = []
        for claim in read_claims(kind, text, formula, survey.looks[0].q, self.layout):
            trials = [self._trial(claim, look) for look in survey.looks]
            trials += self._beside(claim, trials, survey)
            line = self._mark(claim, trials, len(survey.given))
            if line.verdict == "wrong":
                line.reading = self._reading(claim, trials, readings)
            marks.append(line)
            tried += trials
        return marks, tried

    def _diagnose(self, lines: Sequence[Line], trials: Sequence[Trial]) -> None:
        """Say why a line is wrong, in all entries for which it is."""
        wrong = [m for m in lines if m.verdict == "wrong"]
        if wrong:
            with suppress(Overworked), at_most(MOST_OF_A_SEARCH, "the search"):
                found = diagnose(trials, self._plain)
                for line in wrong:
                    line.reasons = line.diagnoses or found
                    line.diagnoses = [d.at(line.claim.letters) for d in line.reasons]

    def _plain(self, trial: Trial) -> Mapping[str, Any]:
        """The values of the names that a claim's formula may use."""
        given = _by_any_name({n: trial.look.q.value(n) for n in trial.look.q.vars})
        for name, formula in self._abbreviations(trial.claim):
            given[name] = formula(given, trial.claim.letters)
        return given

    # Points.

    def quantities(self, build: Build, point: Mapping[str, Any]) -> Quantities:
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
        with np.errstate(all="ignore"), watch_scopes() as calls:
            quantities = dict(build(leaves))
        whole = {n: v if isinstance(v, Var) else variable(v, n) for n, v in quantities.items()}
        for name, var in whole.items():
            if not np.isfinite(var.value).all():
                at = ", ".join(f"{n} = {tidy(plain(v))}" for n, v in point.items())
                found = tidy(plain(var.value))
                raise Undefined(f"{name} is {found} at {at}: it is not defined there; mend the domain")
        return Quantities(whole, [c for c in calls if c[0].endswith(")")])

    def _look(self, point: Mapping[str, Any]) -> Look:
        with comparisons() as seen:
            q = self.quantities(self.build, point)
        return Look(dict(point), q, () if self.draw else forks_of(q.vars.values(), seen))

    def _look_or_none(self, point: Mapping[str, Any]) -> Look | None:
        try:
            return self._look(point)
        except Undefined:
            return None

    def _survey(self, domains: Mapping[str, Domain], rng: np.random.Generator) -> Survey:
        """Points given, points drawn, and if anything branches more of them, and points beside all borders. Where an
        input has the default domain, points at which a quantity is not defined are drawn again."""
        given = [self._look(p) for p in self.points]
        space = Space({n: (d.shape, *d.bounds) for n, d in domains.items()}, self._look_or_none)
        if self.draw:
            return Survey(given, [self._look(self.draw(rng)) for _ in range(POINTS // 2)], [], [], space)

        def tried(look: Callable[[Mapping[str, Any]], Look | None]) -> list[Look]:
            return [there for there in map(look, draw_points(domains, POINTS, rng)) if there is not None]

        again = any(d.low is None for d in self.inputs.values())
        found: list[Look] = []
        for _ in range(50):
            found += tried(self._look_or_none if again else self._look)
            if len(found) >= POINTS:
                break
        if not found:
            self._look(draw_points(domains, 1, rng)[0])  # says what is not defined
            raise InputError("inputs: hardly a point was found at which everything is defined; give domains")
        drawn, wider = found[:POINTS], found[POINTS:]
        if any(look.forks for look in found):
            with suppress(Overworked), at_most(MOST_OF_A_SEARCH, "the search"):
                for _ in range(4):
                    wider += tried(self._look_or_none)
        return Survey(given, drawn, wider, beside_borders(drawn, wider, space, rng, POINTS), space)

    def _beside(self, claim: Claim, trials: Sequence[Trial], survey: Survey) -> list[Trial]:
        """Trials on both sides of the borders of a claim's own formula."""
        if not any(t.forks.forks for t in trials):
            return []

        def look(point: Mapping[str, Any]) -> Look | None:
            there = self._look_or_none(point)
            return None if there is None else self._claimed(claim, there)[1]

        known = [t.forks for t in trials]
        settled_ones = shared_margins(known, [t.look for t in trials])
        if len(settled_ones) == len(known[0].margins):
            return []
        wider = [self._claimed(claim, k)[1] for k in survey.wider]
        space = Space(survey.space.bounds, look)
        found = beside_borders(known, wider, space, np.random.default_rng(self.seed), POINTS, settled_ones)
        return [self._trial(claim, self._look(k.point)) for k in found]

    def where(self, domains: Mapping[str, Domain]) -> str:
        """The domains in words."""
        if self.draw:
            return ""
        names: dict[tuple[float, float], list[str]] = {}
        for name, domain in domains.items():
            names.setdefault(domain.bounds, []).append(name)
        text = ", ".join(f"{' and '.join(n)} in [{tidy(a)}, {tidy(b)}]" for (a, b), n in names.items())
        found = any(d.low is None for d in self.inputs.values())
        return text + (", where the definitions are defined" if found else "")

    # One claim.

    def _claimed(self, claim: Claim, look: Look) -> tuple[Any, Look]:
        """What the claim says at a point, a Var or a number, and a Look at its own forks."""
        q = look.q
        given = _by_any_name(q.values)
        since = variable(0.0).serial
        with comparisons() as seen, np.errstate(all="ignore"):
            for name, formula in self._abbreviations(claim):
                given[name] = formula(given, claim.letters)
            if isinstance(claim.formula, Formula):
                found = claim.formula(given, claim.letters)
            else:
                names = {n.replace(".", "_"): v for n, v in given.items()}
                found = claim.formula(**{n: v for n, v in names.items() if n.isidentifier()})
        try:
            plain(value_of(found))
        except (TypeError, ValueError):
            raise InputError(f"{claim.text}: the function gave {shown(found)}, needed: numbers") from None
        return found, Look(look.point, q, () if self.draw else forks_of([found], seen, since))

    def _abbreviations(self, claim: Claim) -> list[tuple[str, Formula]]:
        """Those that a claim uses, itself or through later ones, in order."""
        used = set(claim.formula.names) if isinstance(claim.formula, Formula) else set()
        found = []
        for name, formula in reversed(list(self.short.items())):
            if name in used or any(n.rpartition(".")[0] == name for n in used):
                used |= formula.names
                found.append((name, formula))
        return found[::-1]

    def _trial(self, claim: Claim, look: Look) -> Trial:
        found, forks = self._claimed(claim, look)
        right = self._right(claim, look.q)
        mine, turned = fitted(plain(value_of(found)), right, look.q, claim)

        def floors(i: int, j: int) -> tuple[float, float]:
            place = (j * right.shape[0] + i if turned else i * right.shape[1] + j) if mine.size > 1 else 0
            return rounding_of(found, place), self._rounding(claim, look.q, i, j)

        return Trial(claim, look, mine, right, turned, floors, forks)

    def _right(self, claim: Claim, q: Quantities) -> NDArray[np.float64]:
        """What is right at a point: rows by columns, of the entries that are asked for."""
        if claim.kind == "path":
            return np.array([[np.prod([float(q.local(n, of)[i, j]) for of, j, n, i in _edges(claim)])]])
        found: NDArray[np.float64] = cut(q.derivative(claim.name, claim.of, claim.kind == "partial"), claim)
        return found

    def _rounding(self, claim: Claim, q: Quantities, i: int, j: int) -> float:
        if claim.kind == "path":
            locals_ = [float(q.local(n, of)[i, j]) for of, j, n, i in _edges(claim)]
            errors = [q.rounding(n, i, of, j, True) for of, j, n, i in _edges(claim)]
            parts = [e * abs(float(np.prod([*locals_[:k], *locals_[k + 1 :]]))) for k, e in enumerate(errors)]
            return sum(parts) + len(locals_) * 2.0**-52 * abs(float(np.prod(locals_)))
        return q.rounding(claim.name, _at(claim.entry, i), claim.of, _at(claim.place, j), claim.kind == "partial")

    def _mark(self, claim: Claim, trials: Sequence[Trial], given: int) -> Line:
        """given: so many trials, the first ones, are at given points."""
        edges = [(claim.name, claim.of)] if claim.kind == "partial" else []
        edges += [(name, of) for of, _, name, _ in _edges(claim)]
        missing = [f"{n} / {of}" for t in trials for n, of in edges if of not in t.look.q.parents(n)]
        if missing:
            return Line(claim, "cannot tell", f"there is no {missing[0]} at one of the points")
        kinked = jumps = 0
        wrong = []
        for k, trial in enumerate(trials):
            if not trial.defined:
                continue
            at_kink = k < given and claim.kind != "path" and self.is_kink(claim, trial.look)
            if at_kink:
                entries = [_at(claim.entry, i) for i in range(len(trial.mine))]
                sides = [self.sides(claim, trial.look, entry, list(trial.said(entry))) for entry in entries]
                jumps += any(s.jumps for s in sides)
                if all(s.jumps or s.mix_to(row) for s, row in zip(sides, trial.mine, strict=True)):
                    kinked += trial.differs
                    continue
            if trial.differs or at_kink:
                wrong.append(k)
        undefined = sum(not t.defined for t in trials)
        if not wrong:
            doubt = f"yours is not a number at {undefined} of {len(trials)} points" if undefined else ""
            doubt = doubt or (f"{claim.name} jumps at a given point: it has no derivative there" if jumps else "")
            doubt = doubt or ("" if claim.kind == "path" else self.confirm(claim, trials[given].look.q))
            turned = any(t.turned for t in trials)
            doubt = doubt or ("" if turned else blurred(trials))
            if doubt:
                return Line(claim, "cannot tell", doubt)
            if turned:
                by_matrix = len(trials[0].right) == 1 and not claim.layout
                line = Line(claim, "wrong", point=dict(trials[0].look.point))
                line.diagnoses = [Diagnosis("transposed", TRANSPOSED_MATRIX if by_matrix else TRANSPOSED)]
                line.yours, line.right = trials[0].mine.T, trials[0].right
                return line
            told = ["a subgradient at a kink"] if kinked else []
            unseen = not_reached(trials, given)
            return Line(claim, "right", "; ".join(told + ([f"not reached: {', '.join(unseen)}"] if unseen else [])))
        if doubt := "" if claim.kind == "path" else self.confirm(claim, trials[given].look.q):
            return Line(claim, "cannot tell", doubt)
        worst = max(wrong, key=lambda k: trials[k].off)
        line = Line(claim, "wrong", point=dict(trials[worst].look.point))
        if len(wrong) < len(trials):
            where = only_where(trials, set(wrong))
            line.detail = f"at {len(wrong)} of {len(trials)} points" + (f", all with {where}" if where else "")
        line.yours, line.right = plain(trials[worst].mine), plain(trials[worst].right)
        return line

    def confirm(self, claim: Claim, q: Quantities) -> str:
        """Why the right value cannot be trusted at a point; empty if numbers confirm it."""
        right = self._right(claim, q)
        for i, j in list(np.ndindex(*right.shape))[:16]:
            entry, place = _at(claim.entry, i), _at(claim.place, j)
            domain = self.inputs.get(claim.of, Domain((), -np.inf, np.inf))
            local = claim.kind == "partial"
            slopes = q.slopes(claim.name, entry, claim.of, place, local, *domain.bounds, self._run(claim, q))
            if slopes is not None:
                low, high = slopes.around(1e-5, float(right[i, j]), 16.0 * self._rounding(claim, q, i, j))
                if not low <= right[i, j] <= high:
                    return f"our own {tidy(right[i, j])} and numbers, {tidy(slopes.left)}, disagree"
        return ""

    def _run(self, claim: Claim, q: Quantities) -> Callable[[Any], Any] | None:
        """The values of a claim's quantity as a function of those of the other one, computed afresh."""
        define, values = self.define, {n: v.value for n, v in q.vars.items()}
        if claim.kind == "partial" and define:
            return lambda v: as_value(define(claim.name, {**values, claim.of: as_value(v)}))
        if claim.kind == "total" and claim.of in self.inputs:
            leaves = {n: q.vars[n] for n in self.inputs if n in q.vars}

            def afresh(v: Any) -> Any:
                try:
                    return as_value(self.build({**leaves, claim.of: variable(v, claim.of)})[claim.name])
                except (InputError, KeyError):  # so far away a pixel sees something else
                    return np.full(q.shape(claim.name), np.nan)

            return afresh
        return None

    def _check_reading(self, build: Build, looks: Sequence[Look]) -> None:
        """Raises InputError for another reading of the definitions that is defined nowhere, or has other shapes."""
        for k, look in enumerate(looks):
            try:
                there = self.quantities(build, look.point)
            except Undefined:
                if k == len(looks) - 1:
                    raise
                continue
            for name in look.q.vars:
                if there.shape(name) != look.q.shape(name):
                    raise InputError(f"{name} has the shape {there.shape(name)} there, needed: {look.q.shape(name)}")
            return

    def _reading(self, claim: Claim, trials: Sequence[Trial], readings: Mapping[str, Build]) -> str:
        """The other reading of the definitions for which a claim is right."""
        for name, build in readings.items():
            with suppress(InputError):  # the claim has no meaning in that reading
                looks = [Look(t.look.point, self.quantities(build, t.look.point), ()) for t in trials]
                if not any(t.differs or not t.defined for t in (self._trial(claim, look) for look in looks)):
                    return name
        return ""

    # Kinks.

    def is_kink(self, claim: Claim, look: Look) -> bool:
        """Whether at a point the claim's quantity is on a border."""
        serials = [f.serial for f in look.forks if is_tied(f)]
        serials += [v.serial for v in infinite_slopes([look.q.vars[claim.name]])]
        return any(matters(claim, look, s) for s in serials)

    def sides(self, claim: Claim, look: Look, entry: int, wanted: Sequence[tuple[str, int]]) -> Sides:
        """The derivatives around a point of one entry of the claim's quantity, by entries of others."""
        q = look.q
        local = claim.kind == "partial"
        define = self.define if local else None
        moving = q.parents(claim.name) if define else [n for n in self.inputs if n in q.vars]
        shapes = {n: q.vars[n].shape for n in moving}

        def near(flat: Any) -> tuple[float, Any] | None:
            point = split(flat, shapes)
            if define is None:
                there = self._look_or_none(point)
                if there is None:
                    return None
                found = there.q
            else:
                leaves = {n: variable(v) for n, v in point.items()}
                with np.errstate(all="ignore"):
                    value = define(claim.name, {**{n: v.value for n, v in q.vars.items()}, **leaves})
                found = Quantities({**leaves, claim.name: value if isinstance(value, Var) else variable(value)})
            whole = {n: found.derivative(claim.name, n, local and define is None) for n, _ in wanted}
            value = float(np.ravel(found.vars[claim.name].value)[entry])
            return value, np.array([whole[n][entry, p] for n, p in wanted])

        return sides_of(near, np.concatenate([np.ravel(q.vars[n].value) for n in moving]), self.seed)

    def _together(self, marks: Sequence[Line], given: Sequence[Look]) -> None:
        """At a kink all right claims about one quantity have to be one subgradient."""
        groups: dict[Any, list[Line]] = {}
        for mark in marks if given else ():
            if mark.verdict == "right" and mark.claim.kind != "path":
                groups.setdefault((mark.claim.kind, mark.claim.name), []).append(mark)
        for lines in groups.values():
            claim = lines[0].claim
            try:
                for look in given if len(lines) > 1 else ():
                    for entry in range(look.q.vars[claim.name].size) if self.is_kink(claim, look) else ():
                        self._one_subgradient(lines, look, entry)
            except Overworked as fault:
                for mark in lines:
                    if mark.verdict == "right":
                        mark.verdict, mark.detail = "cannot tell", fault.problems[0]

    def _one_subgradient(self, lines: Sequence[Line], look: Look, entry: int) -> None:
        """Mark the right claims about an entry of one quantity as wrong if together they are no subgradient."""
        trials = [self._trial(m.claim, look) if m.claim.entry in (None, entry) else None for m in lines]
        said = {k: v for t in trials if t is not None for k, v in t.said(entry).items()}
        sides = self.sides(lines[0].claim, look, entry, list(said))
        if sides.jumps or sides.mix_to(np.array(list(said.values()))):
            return
        for mark, trial in zip(lines, trials, strict=True):
            if trial is not None:
                mark.verdict, mark.point = "wrong", dict(look.point)
                mark.yours, mark.right = plain(trial.mine), plain(trial.right)
                mark.detail = "at a kink: together with the other lines it is no subgradient"

    # The output.

    def _taylor(self, q: Quantities) -> float | None:
        """The slope of the Taylor remainder of the output by all inputs at a point."""
        output = self.output or list(q.vars)[-1]
        shapes = {n: q.vars[n].shape for n in self.inputs if n in q.vars}
        if not shapes or output in shapes:
            return None

        def run(flat: Any) -> Any:
            leaves = {n: variable(value, n) for n, value in split(flat, shapes).items()}
            return np.ravel(as_value(self.build(leaves)[output]))

        whole = np.concatenate([q.total(output, n) for n in shapes], 1)
        start = np.concatenate([np.ravel(q.vars[n].value) for n in shapes])
        with np.errstate(all="ignore"):
            return taylor_slope(run, start, lambda d: whole @ d, self.seed)

    def _effects(self, marks: Sequence[Line]) -> None:
        """How far each wrong partial puts the gradient of the output off, swapped in alone, at the point that its mark
        shows."""
        wrong = [m for m in marks if m.verdict == "wrong" and m.claim.kind == "partial"]
        for mark in wrong:
            q = self.quantities(self.build, mark.point)
            output = self.output or list(q.vars)[-1]
            inputs = [n for n in self.inputs if n in q.vars]
            if q.vars[output].size ** 2 > MOST_SLOPES:
                raise Overworked(f"{output} has {q.vars[output].size:,} entries")
            key = mark.claim.name, mark.claim.of
            swapped = q.local(*key).copy()
            cut(swapped, mark.claim)[...] = self._trial(mark.claim, Look({}, q, ())).mine
            true = _gradient(q, output, inputs, {})
            off, size = np.linalg.norm(_gradient(q, output, inputs, {key: swapped}) - true), np.linalg.norm(true)
            mark.effect = float(off / size) if size else None
        together = sum(m.effect for m in wrong if m.effect is not None)
        for mark in wrong:
            mark.share = None if mark.effect is None or not together else mark.effect / together


def _by_any_name(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of quantities, also by their names as formulas have them."""
    return {**{spelled(n): v for n, v in values.items()}, **values}


def _at(fixed: int | None, k: int) -> int:
    """The entry that a row or a column of a claim stands for."""
    return k if fixed is None else fixed


def _edges(claim: Claim) -> list[tuple[str, int, str, int]]:
    """The edges of a path: quantity and entry before, quantity and entry after."""
    return [(of, place, name, entry) for (of, place), (name, entry) in pairwise(claim.steps)]


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
