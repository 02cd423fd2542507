"""What is wrong with a line.

A line is wrong in all its entries or under one condition, "where i != j", "where x < 0"; under that condition there
stands something in place of something else, and one of these says what:

- in place of the whole there stands the whole times a factor, a transposed one, a total, a quotient of derivatives;
- the right answer is a sum of terms (`terms`), and one of them is missing or there with another factor, or two are;
- a part of the formula that was written (`repairs`) has a sign, a factor, an index too many or too few.

Each guess is tested at every sample before it is said, to many digits, so that a chance hit is next to impossible. One
that is a formula, "right * a^2", is read back and computed, so what stands in a report can be copied into a derivation
and is what was given.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from diffrt.errors import InputError
from diffrt.marking.claims import needed
from diffrt.marking.factors import CLOSE, EXACT, Diagnosis, factor_of, number, same
from diffrt.marking.formula import Formula
from diffrt.marking.phrases import inside
from diffrt.marking.quantities import plain
from diffrt.marking.repairs import Given, Written, constant_repairs, repairs
from diffrt.marking.samples import Samples, samples_of
from diffrt.marking.spelling import spelled
from diffrt.marking.terms import links, terms
from diffrt.marking.trials import Trial
from diffrt.marking.work import Overworked, spend
from diffrt.types import Array

TRANSPOSED = "yours is transposed: rows are entries of the quantity on the left, columns those of the one on the right"

TRANSPOSED_MATRIX = (
    'yours is transposed: needed: the shape of the matrix; if it is meant so, write layout = "numerator" in the file'
)


def diagnose(trials: Sequence[Trial], given: Given) -> list[Diagnosis]:
    """What is wrong with a line, the likeliest first.

    trials: of all its claims. given: from a trial to the values of the names that its formula may use.
    """
    samples = samples_of(trials)
    if samples is None or not samples.wrong.any():
        return []
    whole = list(_whole(samples))
    if whole:
        return whole[:1]
    where, there = _where(samples)
    case = _Case(there, bool(where), given)
    found = _first(case)
    if not found and where:
        found = [Diagnosis("case", "it is right elsewhere")]
    return [replace(d, text=f"{where}: {d.text}") if where else d for d in found]


def _whole(s: Samples) -> Iterator[Diagnosis]:
    """Another derivative of the same quantities in place of the one that was asked for."""
    claim = s.claim
    if claim.kind == "path":
        return
    local = claim.kind == "partial"
    own = s.each(lambda q: q.derivative(claim.name, claim.of, local))
    if len({m.shape for m in own.values()}) > 1:
        return
    rows, columns = next(iter(own.values())).shape
    matrix = s.points[0].shape(claim.of)
    if rows == columns > 1 and (s.entries != s.places).any() and not _same(s.right, swapped := s.picked(
            {k: m.T for k, m in own.items()})) and _same(s.mine, swapped):  # fmt: skip
        text = TRANSPOSED if claim.entry is None or claim.letters else "yours has its two indices swapped"
        yield Diagnosis("transposed", text)
    if rows == 1 and len(matrix) == 2 and matrix[0] == matrix[1]:
        turned = {k: m.reshape(matrix).T.reshape(1, -1) for k, m in own.items()}
        if not _same(s.right, s.picked(turned)) and _same(s.mine, s.picked(turned)):
            yield Diagnosis("transposed", TRANSPOSED_MATRIX)
    if local:
        if _same(s.mine, s.picked(s.each(lambda q: q.total(claim.name, claim.of)))):
            held = " and ".join(n for n in s.points[0].parents(claim.name) if n != claim.of) or "nothing else"
            yield Diagnosis("total", f"yours is the total derivative, along all paths; the partial holds {held} still")
    elif all(claim.of in q.parents(claim.name) for q in s.points):
        partial = s.picked(s.each(lambda q: q.local(claim.name, claim.of)))
        if partial.any() and _same(s.mine, partial):
            yield Diagnosis("path", "yours is the partial derivative: all paths through other quantities are missing")


def _where(s: Samples) -> tuple[str, Samples]:
    """The condition under which a line is wrong, in words, and its samples there; no words if it always is."""
    silent = ~s.wrong & (s.right == 0.0)
    if (s.wrong | silent).all():
        return "", s.where(s.wrong) if silent.any() else s
    few = len(set(zip(s.entries[s.wrong].tolist(), s.places[s.wrong].tolist(), strict=True)))
    every = len(set(zip(s.entries.tolist(), s.places.tolist(), strict=True)))
    with suppress(Overworked):
        for words, there in s.cases():
            if s.whole and few <= 3 < every and "diagonal" not in words and not words.startswith("where"):
                continue  # the entries themselves are named
            if not there.all() and (there >= s.wrong).all() and (~there | s.wrong | silent).all():
                return words, s.where(there & s.wrong)
    return s.where(s.wrong).entry_words() if few < every else "", s.where(s.wrong)


@dataclass(eq=False)
class _Case:
    """What is asked of the samples under one condition. Each search gives what it finds, the likeliest first."""

    s: Samples
    partly: bool
    given: Given

    @cached_property
    def size(self) -> Array:
        """What is small beside this is nothing."""
        return np.abs(self.s.right) + np.abs(self.s.mine) + sum(np.abs(t) for t in self.terms.values())

    @cached_property
    def named(self) -> dict[str, Array]:
        """Numbers that may be a factor too much or missing, by formulas for them."""
        return _candidates(self.s)

    @cached_property
    def terms(self) -> dict[str, Array]:
        """The terms of the right answer, each once."""
        s, claim = self.s, self.s.claim
        if claim.kind == "path":
            return {}
        try:
            each = s.each(lambda q: terms(q, claim.name, claim.of, claim.kind == "partial"))
        except (Overworked, NotImplementedError):
            return {}
        kept: dict[str, Array] = {}
        for words in next(iter(each.values())):
            if all(words in t for t in each.values()):
                term = s.picked({k: t[words] for k, t in each.items()})
                new = not any(_same(term, other) for other in kept.values())
                if term.any() and new and not _same(term, s.right):
                    kept[words] = term
        return kept

    # The searches.

    def nothing(self) -> Iterator[Diagnosis]:
        """Where one side is 0."""
        s = self.s
        if self.partly and not s.mine.any():
            yield Diagnosis("case", "yours is 0 there, the right one is not")
        elif self.partly and not s.right.any():
            yield Diagnosis("case", "the right one is 0 there, yours is not")
        elif not s.mine.any():
            yield Diagnosis("case", "yours is 0, the right one is not")
        elif np.abs(s.right).max() <= 1e-13 * np.abs(s.mine).max():
            yield Diagnosis("case", "the right one is 0, yours is not")
        elif self.partly and s.points[0].vars[s.claim.name].size > 1 and (s.entries != s.places).all():
            claim, local = s.claim, s.claim.kind == "partial"
            own = s.each(lambda q: np.diag(q.derivative(claim.name, claim.of, local)))
            for index in (s.entries, s.places):
                if max(index) < len(next(iter(own.values()))):
                    as_if = np.array([own[id(q)][k] for q, k in zip(s.points, index, strict=True)])
                    if _same(s.mine, as_if):
                        yield Diagnosis("case", "yours is what is right for equal indices")
                        return

    def constant(self) -> Iterator[Diagnosis]:
        """A constant factor of the whole."""
        for d in factor_of(self.s.mine, self.s.right, {}):
            if self.holds(d):
                turned = self.quotient_turned() if abs(_ratio(self.s.mine, self.s.right) + 1.0) < CLOSE else ""
                yield replace(d, text=d.text + turned)

    def quotient_turned(self) -> str:
        parts = [w for w in self.terms if w.startswith(("the numerator", "the denominator"))]
        return "; the quotient rule is turned round" if len(parts) >= 2 and self.s.claim.kind == "partial" else ""

    def missing(self) -> Iterator[Diagnosis]:
        """A term that is missing or has the other sign."""
        off = self.s.mine - self.s.right
        for coefficient in (0.0, -1.0):
            for words, term in self.terms.items():
                if same(off, (coefficient - 1.0) * term, self.size):
                    yield self.told(words, coefficient)
        for words, term in self.terms.items() if len(self.terms) > 2 else ():
            if same(self.s.mine, term, self.size):
                yield Diagnosis(self.kind, f"only the part through {words} is there, others are missing")

    @property
    def kind(self) -> str:
        return "accumulation" if self.s.claim.kind == "partial" else "path"

    def told(self, words: str, coefficient: float) -> Diagnosis:
        part = f"the part through {words}"
        if coefficient == 0.0:
            return Diagnosis(self.kind, f"{part} is missing")
        if coefficient == -1.0:
            return Diagnosis("sign of a path", f"{part} has the wrong sign")
        return Diagnosis("term", f"{part} has a factor {number(coefficient)} that does not belong there")

    def products(self) -> Iterator[Diagnosis]:
        """The product, or the quotient, of two derivatives in place of a rule for them."""
        s = self.s
        if s.claim.kind != "partial":
            return
        value = s.each(lambda q: np.ravel(q.value(s.claim.name)))
        y = np.array([value[id(q)][k] for q, k in zip(s.points, s.entries, strict=True)])
        pairs = {kind: [t for w, t in self.terms.items() if w.startswith(kind)]
                 for kind in ("the factor", "the numerator", "the denominator")}  # fmt: skip
        for a, b in combinations(pairs["the factor"], 2):
            if _same(s.mine * y, a * b):
                yield Diagnosis("product", "yours is the product of the derivatives of the factors; the product rule "
                                "adds up: each factor's derivative times the other factor")  # fmt: skip
        for a in pairs["the numerator"]:
            for b in pairs["the denominator"]:
                if _same(s.mine * b, -a * y):
                    yield Diagnosis("quotient", "yours is the quotient of the derivatives of numerator and "
                                    "denominator; the quotient rule is (u' v - u v') / v^2")  # fmt: skip

    def chain(self) -> Iterator[Diagnosis]:
        """A factor of the chain rule that is missing, or there twice."""
        s, claim = self.s, self.s.claim
        if claim.kind == "path":
            return
        for words, link in self.links:
            if _same(s.mine * link, s.right):
                yield Diagnosis("chain", f"the factor that is {words} is missing")
            if _same(s.mine, s.right * link):
                yield Diagnosis("chain", f"the factor that is {words} is there once too often")

    @cached_property
    def links(self) -> list[tuple[str, Array]]:
        """The factors of chains that are not 1."""
        s, claim = self.s, self.s.claim
        each = s.each(lambda q: links(q, claim.name, claim.of, claim.kind == "partial"))
        found = []
        for words, first in next(iter(each.values())).items():
            for index in s.indices(len(first)) if all(words in other for other in each.values()) else ():
                link = np.array([each[id(q)][words][k] for q, k in zip(s.points, index, strict=True)])
                if not _same(link, np.ones(len(link))):
                    found.append((words, link))
        return found

    def monomial(self) -> Iterator[Diagnosis]:
        """A product of powers of quantities as a factor of the whole."""
        yield from (d for d in factor_of(self.s.mine, self.s.right, self.named) if self.holds(d))

    @cached_property
    def formula(self) -> Written | None:
        """The formula as written."""
        formula = self.s.claim.formula
        return Written(self.s, formula, self.given) if isinstance(formula, Formula) else None

    def constants(self) -> Iterator[Diagnosis]:
        """A constant factor of a part of the formula as written."""
        yield from constant_repairs(self.formula) if self.formula else ()

    def written(self) -> Iterator[Diagnosis]:
        """A part of the formula as written."""
        yield from repairs(self.formula, self.named) if self.formula else ()

    def term_factors(self) -> Iterator[Diagnosis]:
        """A term with another factor, also one of quantities."""
        s = self.s
        for words, term in self.terms.items():
            stand = term + s.mine - s.right
            if np.abs(stand).max() <= 1e3 * CLOSE * np.abs(term).max():
                continue
            for link_words, link in self.links:
                if same(stand * link, term, self.size):
                    yield Diagnosis("term", f"the part through {words} lacks the factor that is {link_words}")
            for d in factor_of(stand, term, self.named, 2, self.size):
                text = d.formula.removeprefix("right ")
                one = re.fullmatch(r"([*/]) (\S+|\(.*\))", text)
                what = f"is multiplied by {text.removeprefix('* ')}"
                if one:
                    what = f"has a factor {one[2]} too many" if one[1] == "*" else f"lacks a factor {one[2]}"
                yield Diagnosis("term", f"the part through {words} {what}")

    def two(self) -> Iterator[Diagnosis]:
        """Two terms, each missing, with the other sign, or with a factor 2."""
        off = (self.s.mine - self.s.right) / self.size
        listed = [(w, t / self.size) for w, t in self.terms.items()]
        listed = [(w, t) for w, t in listed if np.isfinite(t).all()][:40]
        if not np.isfinite(off).all():
            return
        for (first, a), (second, b) in combinations(listed, 2):
            spend(1)
            basis = np.stack([a, b], 1)
            found, _, rank, _ = np.linalg.lstsq(basis, off, rcond=1e-9)
            told = np.round(2.0 * (1.0 + found)) / 2.0
            if rank < 2 or np.abs(told - 1.0 - found).max() > 1e-6 or (told == 1.0).any() or np.abs(told).max() > 2.0:
                continue
            if np.abs(basis @ (told - 1.0) - off).max() <= 1e-8:
                texts = [self.told(w, float(c)) for w, c in zip((first, second), told, strict=True)]
                yield Diagnosis(texts[0].kind, " and ".join(d.text for d in texts))
                return

    def holds(self, guess: Diagnosis) -> bool:
        """Whether the formula of a guess, read back, gives what was given."""
        s, found = self.s, np.empty(len(self.s.mine))
        trials = {id(t): t for t in s.trials}
        number = np.array([id(t) for t in s.trials])
        try:
            formula = Formula(guess.formula, "guess")
            for key, trial in trials.items():
                q, there = trial.look.q, np.flatnonzero(number == key)
                right = trial.right.reshape(needed(q, trial.claim))
                value = formula({**{spelled(n): q.value(n) for n in q.vars}, "right": right}, trial.claim.letters)
                whole = np.broadcast_to(plain(value), right.shape).reshape(trial.right.shape)
                found[there] = whole[s.rows[there], s.columns[there]]
        except (InputError, ValueError):
            return False
        return bool((np.abs(found - s.mine) <= 2.0 * EXACT * np.abs(s.mine)).all())


def _first(case: _Case) -> list[Diagnosis]:
    """What the first searches find that find anything."""
    for searches in ((case.nothing,), (case.constant, case.missing), (case.products,), (case.chain,), (case.constants,),
                     (case.monomial,), (case.written,), (case.term_factors,), (case.two,)):  # fmt: skip
        found = [d for search in searches for d in _begun(search())]
        if found:
            return found
    return []


def _begun(found: Iterator[Diagnosis]) -> list[Diagnosis]:
    """The first of what a search finds, if it does not take too long."""
    with suppress(Overworked):
        for d in found:
            return [d]
    return []


def _same(a: Array, b: Array) -> bool:
    return same(a, b, np.abs(a).max(initial=0.0) * 0.1)


def _ratio(a: Array, b: Array) -> float:
    k = int(np.argmax(np.abs(b)))
    return float(a[k] / b[k]) if b[k] else np.nan


def _candidates(s: Samples) -> dict[str, Array]:
    """Numbers that may be a factor too much or missing, by the formulas that give them: entries of the quantities, and
    sines and the like of what the left side is computed from."""
    first, claim = s.points[0], s.claim
    near = [claim.of, claim.name, *first.parents(claim.name)]
    if isinstance(claim.formula, Formula):
        near += [n for n in first.vars if spelled(n) in claim.formula.names]
    names = [n for n in dict.fromkeys([*near, *first.vars]) if s.whole or first.vars[n].size <= 100][:8]
    found: dict[str, Array] = {}
    for name in names:
        found.update({spelled(name) + text.removeprefix(name): v for text, v in s.values(name).items()})
    for name in names:
        if len(first.shape(name)) == 1:
            found[f"sum({spelled(name)})"] = np.array([np.sum(q.value(name)) for q in s.points])
    fixed = len(set(s.entries.tolist())) == 1
    letters = [x for x, v in s.letters.items() if (v == s.entries).all()]
    if fixed or letters:
        label = ("" if s.whole else letters[0]) if letters else str(s.entries[0])
        own = f"{spelled(claim.name)}[{label}]" if first.shape(claim.name) and label else spelled(claim.name)
        after = {spelled(n) for n in first.above(claim.name) if first.vars[n].op is not None} | {spelled(claim.name)}
        squashed = [t for t, v in found.items()
                    if t == own or (t.partition("[")[0] in after and (np.abs(v) < 1.0).all())]  # fmt: skip
        inner = {f"(1 - {text})": 1.0 - found[text] for text in squashed}
        between = first.above(claim.name) if claim.kind != "partial" else ()
        for name in (claim.name, *between):
            inner |= inside(s.points, name, s.entries, label)
        for text, values in inner.items():
            if len(text) <= 40 and not any(same(values, v) or same(values, -v) for v in found.values()):
                found[text] = values
    if len(found) > 24:
        lettered = set(s.letters)
        mine = [t for t in found if "[" not in t or any(f"[{x}" in t or f" {x}]" in t for x in lettered)]
        found = {t: found[t] for t in [*mine, *(t for t in found if t not in mine)][:24]}
    return found
