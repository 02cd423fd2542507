"""Marking a derivative that was worked out by hand, partial by partial.

A derivation has quantities (inputs, and what is computed from them) and claims about their derivatives:

- a *partial*, "y[0] / a": by a quantity just before it, all others held still;
- a *path*, "x[0] > a > y[0]": the product of the partials along it;
- a *total*, "L / x[0]": along all paths.

Each is compared at several points with the derivative that the core gives, which is itself confirmed by numbers. The
comparison knows no scale: what counts is the relative difference, and how far rounding can reach.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, add, variable
from diffrt.autograd.backward import reachable
from diffrt.autograd.variable import as_value
from diffrt.errors import InputError
from diffrt.explain.diagnosis import Diagnosis, factor_of, same, subset_missing
from diffrt.explain.formula import Formula
from diffrt.explain.quantities import Quantities, components, plain, rounding_of
from diffrt.explain.wording import INFIX, tidy

POINTS = 12
"""So many points are drawn."""

TOLERANCE = 1e-8
"""What is nearer than this, relatively, is the same."""

_LETTERS = "ijkmn"

Build = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class Domain:
    """Where points are drawn: shape of the input, least and largest value."""

    shape: tuple[int, ...] = ()
    low: float = 0.2
    high: float = 2.0


@dataclass(frozen=True)
class Claim:
    """One line of a derivation, for one entry: that `formula` is the derivative of `name` by `of`.

    kind: "partial", "path" or "total". entry, place: of the two, in C order, None for all entries. steps: of a path,
    quantities and entries from the first to the last. letters: what index letters stand for.
    """

    kind: str
    text: str
    name: str
    entry: int | None
    of: str
    place: int | None
    formula: Callable[..., Any]
    letters: Mapping[str, int] = field(default_factory=dict)
    steps: tuple[tuple[str, int], ...] = ()


@dataclass
class Line:
    """The mark of one claim.

    verdict: "right", "wrong" or "cannot tell". detail: more words, such as "subgradient". diagnoses: what is wrong,
    the likeliest first. point, yours, right: where the difference is largest. effect: by how much swapping it in
    changes the gradient of the output, relative to it; share: of the error of all wrong partials together. reading:
    another reading of the definitions for which it is right.
    """

    claim: Claim
    verdict: str
    detail: str = ""
    diagnoses: list[Diagnosis] = field(default_factory=list)
    point: dict[str, Any] = field(default_factory=dict)
    yours: Any = None
    right: Any = None
    effect: float | None = None
    share: float | None = None
    reading: str = ""

    def __str__(self) -> str:
        lines = [f"{self.verdict:<12} {self.claim.text}" + (f"   ({self.detail})" if self.detail else "")]
        if self.verdict == "wrong":
            at = ", ".join(f"{n} = {tidy(v)}" for n, v in list(self.point.items())[:4])
            ratio = ""
            if np.ndim(self.yours) == 0 and np.ndim(self.right) == 0 and self.right:
                ratio = f", ratio {tidy(self.yours / self.right, 6)}"
            lines.append(f"yours {tidy(self.yours, 6)}, right {tidy(self.right, 6)}{ratio}, at {at}")
            lines += [d.text for d in self.diagnoses]
            if not self.diagnoses:
                lines.append("no simple reason was found")
            if self.effect is not None:
                share = "" if self.share is None else f", {self.share:.0%} of the error of all wrong partials"
                lines.append(f"with it the gradient is off by {self.effect:.2%}{share}")
        if self.reading:
            lines.append(f"right for {self.reading}")
        return ("\n" + " " * 13).join(lines)


@dataclass
class Marked:
    """All marks of a derivation, in order."""

    lines: list[Line]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(line.verdict != "wrong" for line in self.lines)

    def __getitem__(self, text: str) -> Line:
        """The line of a claim as written."""
        return next(line for line in self.lines if line.claim.text == text)

    def __str__(self) -> str:
        counts = {v: sum(line.verdict == v for line in self.lines) for v in ("right", "wrong", "cannot tell")}
        told = ", ".join(f"{n} {v}" for v, n in counts.items() if n)
        return "\n".join([*map(str, self.lines), told])


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
        """Compare every claim. Raises InputError for a claim that cannot be compared at all, one line each."""
        rng = np.random.default_rng(self.seed)
        drawn = [dict(p) for p in self.points]
        drawn += [dict(self.draw(rng)) if self.draw else draw_point(self.inputs, rng) for _ in range(POINTS)]
        here = [self._at(self.build, p) for p in drawn]
        claims: list[Claim] = []
        problems: list[str] = []
        for kind, given in (("partial", self.partials), ("path", self.paths), ("total", self.totals)):
            for text, formula in given.items():
                try:
                    claims += _claims(kind, text, formula, here[0])
                except InputError as fault:
                    problems += fault.problems
        if problems:
            raise InputError(*problems)
        others = {name: [self._at(b, p) for p in drawn] for name, b in self.readings.items()}
        marks = [self._mark(claim, drawn, here) for claim in claims]
        for mark in marks:
            if mark.verdict == "wrong":
                for name, there in others.items():
                    if self._mark(mark.claim, drawn, there, brief=True).verdict == "right":
                        mark.reading = name
        self._effects(marks, here)
        return Marked(marks)

    def _at(self, build: Build, point: Mapping[str, Any]) -> Quantities:
        leaves = {}
        for name, value in point.items():
            if name not in self.inputs:
                raise InputError(f"points: there is no input {name}; there are {', '.join(self.inputs)}")
            leaves[name] = variable(value, name)
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
            for name, formula in self.short.items():
                given[name] = formula(given, claim.letters)
            if isinstance(claim.formula, Formula):
                found = claim.formula(given, claim.letters)
            else:
                found = claim.formula(**{n.replace(".", "_"): v for n, v in given.items() if n.isidentifier()
                                         or n.replace(".", "_").isidentifier()})  # fmt: skip
        if not isinstance(found, Var):
            return plain(found), np.zeros(np.size(plain(found)))
        limit = min(found.size, 64)
        floors = np.array([rounding_of(found, k) if found.tracked else 0.0 for k in range(limit)])
        if found.size > limit:
            floors = np.full(found.size, floors.max())
        return plain(found.value), floors

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
        yours, rights, errors, floors = [], [], [], []
        kinked = []
        doubt = ""
        for q in here:
            if claim.kind == "partial" and claim.of not in q.parents(claim.name):
                return Line(claim, "cannot tell", f"{claim.name} does not depend on {claim.of} in this reading")
            value, floor = self._values(claim, q)
            right = self._right(claim, q)
            mine, ok = _fitted(value, right, q, claim)
            if not ok:
                shape, needed = np.shape(value), _needed(q, claim)
                raise InputError(f"{claim.text}: the formula has the shape {shape}, needed: {needed}")
            floor = np.resize(floor, mine.shape) if floor.size == mine.size else np.full(mine.shape, floor.max())
            floor = floor + self._rounding(claim, q, right)
            yours.append(mine)
            rights.append(right)
            floors.append(floor)
            with np.errstate(all="ignore"):
                errors.append(np.abs(mine - right) - TOLERANCE * np.maximum(np.abs(mine), np.abs(right)) - 16.0 * floor)
        detail, wrong, undefined = "", [], 0
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
        if not wrong:
            return Line(claim, "right", "a subgradient at a kink" if kinked else detail)
        worst = max(wrong, key=lambda k: float(errors[k].max() / max(np.abs(rights[k]).max(), 1e-300)))
        line = Line(claim, "wrong", point=dict(drawn[worst]))
        if len(wrong) < len(here):
            line.detail = f"at {len(wrong)} of {len(here)} points"
        line.yours, line.right = (plain(m[worst]) for m in (yours, rights))
        line.diagnoses = self._diagnose(claim, here, yours, rights)
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

    def _diagnose(self, claim: Claim, here: Sequence[Quantities], yours: Any, rights: Any) -> list[Diagnosis]:
        found = []
        mine, right = np.array(yours), np.array(rights)
        usable = np.isfinite(mine).all((1, 2)) & np.isfinite(right).all((1, 2))
        points = [q for q, u in zip(here, usable, strict=True) if u]
        mine, right = mine[usable], right[usable]
        if len(points) < 2:
            return []
        rows, columns = right.shape[1:]
        if rows == columns > 1 and same(mine, right.transpose(0, 2, 1)):
            found.append(Diagnosis("transposed", "yours is transposed: rows are entries of the quantity on the left, "
                                   "columns those of the one on the right"))  # fmt: skip
        if claim.kind == "partial":
            slices = [_cut(q.total(claim.name, claim.of), claim) for q in points]
            if same(mine, np.array(slices)):
                found.append(Diagnosis("total", f"yours is the total derivative, along all paths; the partial holds "
                                       f"{_others(here[0], claim)} still"))  # fmt: skip
            found += self._missing_uses(claim, points, mine)
        elif claim.kind == "total":
            if claim.of in points[0].parents(claim.name):
                partials = np.array([_cut(q.local(claim.name, claim.of), claim) for q in points])
                if same(mine, partials) and not same(partials, np.zeros(partials.shape)):
                    found.append(Diagnosis("path", "yours is the partial derivative: all paths through other "
                                           "quantities are missing"))  # fmt: skip
            if not found and mine[0].size == 1:
                found += self._missing_paths(claim, points, mine)
        if found and found[0].kind in ("transposed", "total", "path"):
            return found
        named = _candidates(points, claim, self.short)
        flat, want = mine.reshape(len(mine), -1), right.reshape(len(right), -1)
        factors = [factor_of(flat[:, k], want[:, k], named) for k in range(flat.shape[1])
                   if not same(flat[:, k], want[:, k])]  # fmt: skip
        if factors and all(factors) and len({f[0].text for f in factors}) == 1:
            found = factors[0] + found if factors[0][0].kind == "factor" else found + factors[0]
        return found

    def _missing_uses(self, claim: Claim, points: Sequence[Quantities], mine: Any) -> list[Diagnosis]:
        parts = [q.uses(claim.name, claim.of) for q in points]
        count = len(parts[0])
        if count < 2 or any(len(p) != count for p in parts):
            return []
        terms = [(str(k + 1), np.array([_cut(p[k], claim) for p in parts]).ravel()) for k in range(count)]
        missing = subset_missing(mine.ravel(), terms) if count > 2 else None
        for _, term in terms if count == 2 else ():
            if same(mine.ravel(), term):
                missing = "missing", "one"
        if missing and missing[0] != "sign":
            return [Diagnosis("accumulation", f"{claim.of} is used in {count} places of {claim.name}; their "
                              "contributions add up, and not all of them are in yours")]  # fmt: skip
        return []

    def _missing_paths(self, claim: Claim, points: Sequence[Quantities], mine: Any) -> list[Diagnosis]:
        walks = list(walk(points[0], claim.of, claim.place or 0, claim.name, claim.entry or 0))
        if not 2 <= len(walks) <= 200:
            return []

        def value(q: Quantities, steps: Any) -> float:
            found = 1.0
            for (of, place), (name, entry) in pairwise(steps):
                found *= float(q.local(name, of)[entry, place])
            return found

        terms = [(_spelled(points[0], steps), np.array([value(q, steps) for q in points])) for steps in walks]
        flat = mine.ravel()
        missing = subset_missing(flat, terms)
        if missing is None:
            # All paths through one quantity at once.
            for name in points[0].vars:
                through = [t for t, steps in zip(terms, walks, strict=True) if any(n == name for n, _ in steps[1:-1])]
                rest = [t for t in terms if t not in through]
                if through and rest and same(flat, sum(t for _, t in rest), sum(np.abs(t) for _, t in terms)):
                    return [Diagnosis("path", f"the paths through {name} are missing")]
            return []
        what, name = missing
        if what == "sign":
            return [Diagnosis("sign of a path", f"the path {name} has the wrong sign")]
        if what == "only":
            return [Diagnosis("path", f"only the path {name} is there, others are missing")]
        return [Diagnosis("path", f"missing: {name}")]

    def _effects(self, marks: Sequence[Line], here: Sequence[Quantities]) -> None:
        """How far each wrong partial puts the gradient of the output off, swapped in alone."""
        wrong = [m for m in marks if m.verdict == "wrong" and m.claim.kind == "partial"]
        if not wrong:
            return
        q = here[0]
        output = self.output or list(q.vars)[-1]
        inputs = [n for n in self.inputs if n in q.vars]
        true = _gradient(q, output, inputs, {})
        size = np.linalg.norm(true)
        swaps: dict[tuple[str, str], Any] = {}
        alone = []
        for mark in wrong:
            value, _ = self._values(mark.claim, q)
            mine, _ = _fitted(value, self._right(mark.claim, q), q, mark.claim)
            key = mark.claim.name, mark.claim.of
            one = q.local(*key).copy()
            both = swaps.setdefault(key, q.local(*key).copy())
            for target in (one, both):
                rows = slice(None) if mark.claim.entry is None else slice(mark.claim.entry, mark.claim.entry + 1)
                columns = slice(None) if mark.claim.place is None else slice(mark.claim.place, mark.claim.place + 1)
                target[rows, columns] = mine
            alone.append(np.linalg.norm(_gradient(q, output, inputs, {key: one}) - true))
        together = np.linalg.norm(_gradient(q, output, inputs, swaps) - true)
        for mark, off in zip(wrong, alone, strict=True):
            mark.effect = float(off / size) if size else None
            mark.share = float(off / together) if together else None


def draw_point(inputs: Mapping[str, Domain], rng: np.random.Generator) -> dict[str, Any]:
    """Random inputs from their domains: none of them near a whole number, no two of them near each other."""
    taken: list[float] = []
    point = {}
    for name, domain in inputs.items():
        span = domain.high - domain.low
        entries = []
        for _ in range(int(np.prod(domain.shape))):
            for _ in range(200):
                x = float(rng.uniform(domain.low + 0.01 * span, domain.high - 0.01 * span))
                near = 0.01 * min(span, 1.0)
                if abs(x - round(x)) > min(near, 0.005) and all(abs(x - t) > near / 4.0 for t in taken):
                    break
            taken.append(x)
            entries.append(x)
        point[name] = np.array(entries).reshape(domain.shape) if domain.shape else entries[0]
    return point


def walk(q: Quantities, of: str, place: int, name: str, entry: int) -> Any:
    """All paths from an entry of one quantity to an entry of another: tuples of (quantity, entry)."""
    if (of, place) == (name, entry):
        yield ((name, entry),)
        return
    for parent in q.parents(name):
        if parent != of and of not in _above(q, parent):
            continue
        row = q.local(name, parent)[entry]
        for k in range(len(row)) if parent != of else [place]:
            if row[k] != 0.0:
                for steps in walk(q, of, place, parent, k):
                    yield (*steps, (name, entry))


def _above(q: Quantities, name: str) -> set[str]:
    found: set[str] = set()
    pending = [name]
    while pending:
        for parent in q.parents(pending.pop()):
            if parent not in found:
                found.add(parent)
                pending.append(parent)
    return found


def _gradient(q: Quantities, output: str, inputs: Sequence[str], swaps: Mapping[tuple[str, str], Any]) -> Any:
    """The derivative of a quantity by the inputs, from local derivatives, some of them replaced."""
    sums: dict[str, Any] = {output: np.eye(q.vars[output].size)}
    for name in sorted(q.vars, key=lambda n: -q.vars[n].serial):
        if name in sums and name not in inputs:
            for parent in q.parents(name):
                part = sums[name] @ swaps.get((name, parent), q.local(name, parent))
                sums[parent] = sums[parent] + part if parent in sums else part
    return np.concatenate([sums[n].ravel() if n in sums else np.zeros(q.vars[n].size) for n in inputs])


def _spelled(q: Quantities, steps: Sequence[tuple[str, int]]) -> str:
    return " > ".join(components(n, q.shape(n))[k] for n, k in steps)


def _cut(whole: Any, claim: Claim) -> Any:
    rows = slice(None) if claim.entry is None else slice(claim.entry, claim.entry + 1)
    columns = slice(None) if claim.place is None else slice(claim.place, claim.place + 1)
    return whole[rows, columns]


def _others(q: Quantities, claim: Claim) -> str:
    names = [n for n in q.parents(claim.name) if n != claim.of]
    return " and ".join(names) or "nothing else"


def _candidates(points: Sequence[Quantities], claim: Claim, short: Mapping[str, Formula]) -> dict[str, Any]:
    """Numbers that may be a factor too much or missing: entries of the quantities, and sines and the like of what the
    left side is computed from."""
    first = points[0]
    near = [claim.of, claim.name, *first.parents(claim.name)]
    if isinstance(claim.formula, Formula):
        near += [n for n in first.vars if n.replace(" ", "_") in claim.formula.names]
    names = [n for n in dict.fromkeys([*near, *first.vars]) if first.vars[n].size <= 12][:8]
    found: dict[str, Any] = {}
    for name in names:
        values = np.array([np.ravel(q.value(name)) for q in points])
        for k, text in enumerate(components(name, first.shape(name))):
            found[text] = values[:, k]
    if claim.entry is not None or first.vars[claim.name].size == 1:
        between = _above(first, claim.name) if claim.kind != "partial" else ()
        inside = [item for n in (claim.name, *between) for item in _inner(points, n, claim.entry or 0).items()]
        for text, values in inside:
            if not any(same(values, v) or same(values, -v) for v in found.values()):
                found[text] = values
    if len(found) > 24:
        mine = [t for t in found if f"[{claim.place}]" in t or f"[{claim.entry}]" in t or "[" not in t]
        found = {t: found[t] for t in [*mine, *(t for t in found if t not in mine)][:24]}
    return found


def _inner(points: Sequence[Quantities], name: str, entry: int) -> dict[str, Any]:
    """Values inside the formula of a quantity, and their sines and cosines, with words for them."""
    found: dict[str, Any] = {}

    def at(value: Any) -> float:
        flat = np.ravel(value)
        return float(flat[min(entry, len(flat) - 1)])

    chains = [_chain(q, name) for q in points]
    if any(len(c) != len(chains[0]) for c in chains):
        return {}
    words: dict[int, str] = {v.serial: n for n, v in points[0].vars.items()}
    for k, node in enumerate(chains[0]):
        values = np.array([at(c[k].value) for c in chains])
        text = words.get(node.serial) or _phrase(node, words, entry)
        words[node.serial] = text
        if len(text) <= 40:
            found.setdefault(text, values)
        if node.op.name in ("sin", "cos", "tan"):
            angle = np.array([at(_first(c[k])) for c in chains])
            inner = text.partition("(")[2].removesuffix(")")
            for trig, f in (("sin", np.sin), ("cos", np.cos), ("tan", np.tan)):
                found.setdefault(f"{trig}({inner})", f(angle))
    return found


def _first(node: Any) -> Any:
    x = node.inputs[0]
    return x.value if isinstance(x, Var) else x


def _chain(q: Quantities, name: str) -> list[Any]:
    """The Vars between a quantity and those just before it, in order."""
    others = {v.serial for n, v in q.vars.items() if n != name}
    found: dict[int, Any] = {}
    pending = [q.vars[name]]
    while pending:
        var = pending.pop()
        if var.op is None or var.serial in others or var.serial in found:
            continue
        found[var.serial] = var
        pending += [x for x in var.inputs if isinstance(x, Var)]
    return [found[s] for s in sorted(found)]


def _phrase(node: Any, words: Mapping[int, str], entry: int) -> str:
    def word(x: Any) -> str:
        if isinstance(x, Var):
            text = words.get(x.serial, "...")
            return f"{text}[{entry}]" if x.size > 1 and text.isidentifier() else text
        return tidy(plain(x)) if np.size(x) == 1 else "..."

    texts = [word(x) for x in node.inputs]
    sign = INFIX.get(node.op.name)
    if sign and len(texts) == 2:
        return " ".join((_bracket(texts[0]), sign, _bracket(texts[1])))
    if node.op.name == "index":
        return texts[0]
    return f"{node.op.name}({', '.join(texts)})"


def _bracket(text: str) -> str:
    return f"({text})" if " " in text and not text.endswith(")") else text


def _fitted(value: Any, right: Any, q: Quantities, claim: Claim) -> tuple[Any, bool]:
    """A claim's value as rows by columns; whether it has a shape that can be meant."""
    array = np.asarray(value, float)
    if array.shape in {right.shape, _needed(q, claim)} or array.size == 1 == right.size:
        return array.reshape(right.shape), True
    if array.shape == right.shape[::-1]:
        # Another layout; where it is not square it can only be that.
        return array.T, True
    if array.ndim == 1 and array.size == right.size and 1 in right.shape:
        return array.reshape(right.shape), True
    return array, False


def _needed(q: Quantities, claim: Claim) -> tuple[int, ...]:
    above = q.shape(claim.name) if claim.entry is None else ()
    below = q.shape(claim.of) if claim.place is None else ()
    return (*above, *below)


def _claims(kind: str, text: str, formula: Any, q: Quantities) -> list[Claim]:
    """The claims that a line stands for, one for each value of its index letters."""
    sides = [s.strip() for s in text.split(">" if kind == "path" else "/")]
    where = f"{kind} {text!r}"
    if len(sides) < 2 or (kind != "path" and len(sides) != 2) or not all(sides):
        needed = '"x > a > y"' if kind == "path" else '"y / a"'
        raise InputError(f"{where}: needed: {needed}")
    parsed = formula if callable(formula) else Formula(formula, where)
    names = [_quantity(side, q, where) for side in sides]
    letters: dict[str, int] = {}
    for name, indices in names:
        for index, size in zip(indices, q.shape(name), strict=False):
            if isinstance(index, str):
                letters[index] = min(letters.get(index, size), size)
            elif not -size <= index < size:
                raise InputError(f"{where}: the index {index} does not fit {name} of shape {q.shape(name)}")
    claims = []
    for chosen in product(*(range(n) for n in letters.values())):
        at = dict(zip(letters, chosen, strict=True))
        places = [_place(name, indices, at, q) for name, indices in names]
        told = text
        for letter, k in at.items():
            told = told.replace(f"[{letter}", f"[{k}").replace(f", {letter}", f", {k}").replace(f",{letter}", f",{k}")
        if kind == "path":
            steps = tuple((n, k if k is not None else 0) for (n, _), k in zip(names, places, strict=True))
            for (of, _), (name, _) in pairwise(steps):
                _check_edge(q, name, of, where)
            claims.append(Claim(kind, told, steps[-1][0], steps[-1][1], steps[0][0], steps[0][1], parsed, at, steps))
            continue
        (name, _), (of, _) = names
        if kind == "partial":
            _check_edge(q, name, of, where)
        elif of not in _above(q, name):
            raise InputError(f"{where}: {name} does not depend on {of}; it depends on {', '.join(_above(q, name))}")
        claims.append(Claim(kind, told, name, places[0], of, places[1], parsed, at))
    return claims


def _check_edge(q: Quantities, name: str, of: str, where: str) -> None:
    if of not in q.parents(name):
        there = ", ".join(f"{name} / {p}" for p in q.parents(name)) or f"none, as {name} is an input"
        raise InputError(f"{where}: there is no edge from {of} to {name}; the edges to {name}: {there}")


def _quantity(side: str, q: Quantities, where: str) -> tuple[str, tuple[Any, ...]]:
    """The quantity and the indices of one side, such as y[0] or ball.center.x."""
    name, bracket, rest = side.partition("[")
    name = name.strip()
    by_underscore = {n.replace(" ", "_"): n for n in q.vars}
    indices: tuple[Any, ...] = ()
    if bracket:
        parts = [p.strip() for p in rest.rstrip().removesuffix("]").split(",")]
        if not rest.rstrip().endswith("]") or not all(p.lstrip("-").isdigit() or p in _LETTERS for p in parts):
            raise InputError(f"{where}: {side}: needed: an index such as [0] or one of the letters {_LETTERS}")
        indices = tuple(int(p) if p.lstrip("-").isdigit() else p for p in parts)
    name = by_underscore.get(name, name)
    if name not in q.vars and name.rpartition(".")[2] in ("x", "y", "z") and not indices:
        whole, _, axis = name.rpartition(".")
        name, indices = by_underscore.get(whole, whole), ("xyz".index(axis),)
    if name not in q.vars:
        raise InputError(f"{where}: there is no quantity {name}; there are {', '.join(by_underscore)}")
    if indices and len(indices) != len(q.shape(name)):
        raise InputError(f"{where}: {name} has the shape {q.shape(name)}, which {side} does not fit")
    return name, indices


def _place(name: str, indices: tuple[Any, ...], letters: Mapping[str, int], q: Quantities) -> int | None:
    if not indices:
        return 0 if q.vars[name].size == 1 else None
    plain_ones = [letters[i] if isinstance(i, str) else i for i in indices]
    return int(np.ravel_multi_index([i % n for i, n in zip(plain_ones, q.shape(name), strict=True)], q.shape(name)))


def definitions_in_order(formulas: Mapping[str, Formula], inputs: Sequence[str]) -> list[str]:
    """Names of definitions such that each uses only earlier ones. Raises InputError for one that uses itself, also
    through others, and for an unknown name."""
    order: list[str] = []
    state: dict[str, int] = {}

    def bases(name: str) -> list[str]:
        return [n if n in formulas else n.rpartition(".")[0] or n for n in formulas[name].names]

    for start in formulas:
        stack: list[tuple[str, Any]] = [(start, iter(bases(start)))] if start not in state else []
        while stack:
            name, uses = stack[-1]
            state[name] = 1
            for used in uses:
                if used not in formulas:
                    continue
                if state.get(used) == 1:
                    cycle = [n for n, _ in stack]
                    cycle = cycle[cycle.index(used) :]
                    raise InputError(f"definitions: {' -> '.join([*cycle, used])}: a quantity is defined by itself")
                if used not in state:
                    stack.append((used, iter(bases(used))))
                    break
            else:
                state[name] = 2
                order.append(name)
                stack.pop()
    return order


def by_formulas(formulas: Mapping[str, Formula], inputs: Sequence[str]) -> Build:
    """The quantities that formulas define."""
    order = definitions_in_order(formulas, inputs)

    def build(leaves: Mapping[str, Any]) -> Mapping[str, Any]:
        found = dict(leaves)
        for name in order:
            value = formulas[name](found)
            # A second name for a quantity is a quantity of its own.
            found[name] = add(value, 0.0) if any(value is v for v in found.values()) else value
        return found

    return build


def verify(
    function: Callable[..., Any],
    by_hand: Mapping[str, Any],
    domains: Mapping[str, Any],
    paths: Mapping[str, Any] | None = None,
    totals: Mapping[str, Any] | None = None,
    points: Sequence[Mapping[str, Any]] = (),
    seed: int = 0,
) -> Marked:
    """Mark partials that were worked out by hand for a function in Python.

    function: called with its inputs by name, Vars; it computes with `diffrt.autograd`, calls `named(a, "a")` on what is
    a quantity, and returns the output, which is called "output" if it has no name. by_hand: for each partial, such as
    "y[0] / a", a formula or a function of the quantities (arguments by name, Vars). domains: of the inputs, (low, high)
    or (low, high, shape). paths, totals: further claims. points: inputs to compare at besides those drawn.
    Returns the marks; `.ok` says whether nothing is wrong. Raises InputError for a claim that cannot be compared.
    """
    inputs = {}
    for name, told in domains.items():
        low, high, *shape = told
        inputs[name] = Domain(tuple(shape[0]) if shape else (), float(low), float(high))

    def build(leaves: Mapping[str, Any]) -> Mapping[str, Any]:
        out = function(**leaves)
        if not isinstance(out, Var):
            raise InputError("the function returns a constant: it depends on no input")
        found = {v.name: v for v in reachable([out]) if v.name}
        return {**leaves, **found} if out.name else {**leaves, **found, "output": out}

    return Derivation(build, inputs, points, by_hand, paths or {}, totals or {}, seed=seed).mark()


def check_gradient(f: Callable[[Any], Any], x: Any, seed: int = 0) -> Marked:
    """Whether the core's derivative of a function is that of its values.

    f: of one Var, to a Var of any shape; it computes with `diffrt.autograd`. x: where, a number or an array.
    Each entry of the result by each of x is compared with a complex step, or with one-sided differences extrapolated to
    step zero, so that it needs no choice of a step or of a tolerance and knows no scale. An entry at a kink is right
    between its one-sided derivatives. Raises InputError if f(x) is not finite or does not depend on x.
    """
    at = variable(x, "x")
    out = f(at)

    def run(value: Any) -> Any:
        found = f(variable(value))
        return found.value if isinstance(found, Var) else found

    if not isinstance(out, Var) or at.serial not in {v.serial for v in reachable([out])}:
        raise InputError("check_gradient: the result does not depend on x")
    if not np.isfinite(out.value).all():
        raise InputError(f"check_gradient: f is {tidy(plain(out.value))} at x = {tidy(plain(at.value))}")
    out = add(out, 0.0)
    q = Quantities({"x": at, "f": out})
    right = q.total("f", "x")
    lines = []
    above, below = components("f", q.shape("f")), components("x", q.shape("x"))
    for i, j in np.ndindex(*right.shape):
        claim = Claim("total", f"{above[i]} / {below[j]}", "f", i, "x", j, lambda: None)
        slopes = q.slopes("f", i, "x", j, False, run=run)
        ours = float(right[i, j])
        if slopes is None:
            lines.append(Line(claim, "cannot tell", "an op in it cannot be replayed on numbers"))
            continue
        low, high = sorted((slopes.left, slopes.right))
        reach = 1e-9 if slopes.complex_step else 1e-6
        room = reach * max(abs(low), abs(high), abs(ours)) + 4.0 * slopes.doubt
        room += 16.0 * q.rounding("f", i, "x", j, False)
        if low - room <= ours <= high + room:
            lines.append(Line(claim, "right", "" if slopes.smooth else "a subgradient at a kink"))
        elif slopes.doubt > 1e-3 * max(abs(low), abs(high)):
            lines.append(Line(claim, "cannot tell", "rounding hides the differences"))
        else:
            lines.append(Line(claim, "wrong", point={"x": plain(at.value)}, yours=ours, right=slopes.left))
    return Marked(lines)
