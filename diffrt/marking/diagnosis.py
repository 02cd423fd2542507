"""What is wrong with a claim: a total for a partial, a missing path, a factor too many.

A guess in words is tested before it is said. One that is a formula, "right * a^2", is read back and computed at every
point, so what stands in a report can be copied into a derivation and is what was given.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise
from typing import Any

import numpy as np

from diffrt.autograd import Var
from diffrt.errors import InputError
from diffrt.marking.claims import Claim, cut
from diffrt.marking.factors import EXACT, Diagnosis, factor_of, same, subset_missing
from diffrt.marking.formula import FUNCTIONS, Formula
from diffrt.marking.quantities import Quantities, components
from diffrt.marking.work import spend

TRANSPOSED = "yours is transposed: rows are entries of the quantity on the left, columns those of the one on the right"

MOST_PATHS = 200
"""With more paths no missing one is looked for."""


def diagnose(claim: Claim, here: Sequence[Quantities], yours: Any, rights: Any) -> list[Diagnosis]:
    """What turns a claim into what is right at every point, the likeliest first.

    here: the quantities at each point. yours, rights: the claim's values and the right ones there, rows by columns.
    """
    found = []
    mine, right = np.array(yours), np.array(rights)
    usable = np.isfinite(mine).all((1, 2)) & np.isfinite(right).all((1, 2))
    points = [q for q, u in zip(here, usable, strict=True) if u]
    mine, right = mine[usable], right[usable]
    if len(points) < 2:
        return []
    rows, columns = right.shape[1:]
    if rows == columns > 1 and same(mine, right.transpose(0, 2, 1)):
        found.append(Diagnosis("transposed", TRANSPOSED))
    if claim.kind == "partial" and claim.entry is not None and claim.place is not None:
        whole = np.array([q.local(claim.name, claim.of) for q in points])
        square = whole.shape[1] == whole.shape[2] and claim.entry != claim.place
        if square and same(mine.ravel(), whole[:, claim.place, claim.entry]):
            above = components(claim.name, here[0].shape(claim.name))[claim.place]
            below = components(claim.of, here[0].shape(claim.of))[claim.entry]
            found.append(Diagnosis("transposed", f"yours is {above} / {below}: the indices are swapped"))
    if claim.kind == "partial":
        slices = [cut(q.total(claim.name, claim.of), claim) for q in points]
        if same(mine, np.array(slices)):
            found.append(Diagnosis("total", f"yours is the total derivative, along all paths; the partial holds "
                                   f"{_others(here[0], claim)} still"))  # fmt: skip
        found += _missing_uses(claim, points, mine)
    elif claim.kind == "total":
        if claim.of in points[0].parents(claim.name):
            partials = np.array([cut(q.local(claim.name, claim.of), claim) for q in points])
            if same(mine, partials) and not same(partials, np.zeros(partials.shape)):
                found.append(Diagnosis("path", "yours is the partial derivative: all paths through other "
                                       "quantities are missing"))  # fmt: skip
        if not found and mine[0].size == 1:
            found += _missing_paths(claim, points, mine)
    if found and found[0].kind in ("transposed", "total", "path"):
        return found
    flat, want = mine.reshape(len(mine), -1), right.reshape(len(right), -1)
    off = np.flatnonzero([not same(flat[:, k], want[:, k]) for k in range(flat.shape[1])])
    if off.size:
        flat, want = flat[:, off], want[:, off]
        factors = [
            d for d in factor_of(flat[:, 0], want[:, 0], _candidates(points, claim)) if _holds(d, points, flat, want)
        ]
        if len(off) < right[0].size:
            where = _entries(here[0], claim, off)
            factors = [replace(d, text=f"{where}: {d.text}") for d in factors]
        found = factors + found if factors and factors[0].kind == "factor" else found + factors
    return found


def _holds(guess: Diagnosis, points: Sequence[Quantities], yours: Any, right: Any) -> bool:
    """Whether the formula of a guess, read back, gives what was given. yours, right: (points, entries)."""
    try:
        formula = Formula(guess.formula, "guess")
        found = [formula({**{spelled(n): q.value(n) for n in q.vars}, "right": r})
                 for q, r in zip(points, right, strict=True)]  # fmt: skip
    except InputError:
        return False
    return bool((np.abs(np.array(found) - yours) <= 2.0 * EXACT * np.abs(yours)).all())


def _entries(q: Quantities, claim: Claim, off: Any) -> str:
    """Which entries of a claim are meant: the names of a few, or how many."""
    above, below = components(claim.name, q.shape(claim.name)), components(claim.of, q.shape(claim.of))
    above = above if claim.entry is None else [above[claim.entry]]
    below = below if claim.place is None else [below[claim.place]]
    if len(off) > 3:
        return f"in {len(off)} of {len(above) * len(below)} entries"
    return "in " + " and ".join(f"{above[k // len(below)]} / {below[k % len(below)]}" for k in off)


def _missing_uses(claim: Claim, points: Sequence[Quantities], mine: Any) -> list[Diagnosis]:
    parts = [q.uses(claim.name, claim.of) for q in points]
    count = len(parts[0])
    if count < 2 or any(len(p) != count for p in parts):
        return []
    terms = [(str(k + 1), np.array([cut(p[k], claim) for p in parts]).ravel()) for k in range(count)]
    missing = subset_missing(mine.ravel(), terms) if count > 2 else None
    for _, term in terms if count == 2 else ():
        if same(mine.ravel(), term):
            missing = "missing", "one"
    if missing and missing[0] != "sign":
        return [Diagnosis("accumulation", f"{claim.of} is used in {count} places of {claim.name}; their "
                          "contributions add up, and not all of them are in yours")]  # fmt: skip
    return []


def _missing_paths(claim: Claim, points: Sequence[Quantities], mine: Any) -> list[Diagnosis]:
    walks = list(islice(walk(points[0], claim.of, claim.place or 0, claim.name, claim.entry or 0), MOST_PATHS + 1))
    if not 2 <= len(walks) <= MOST_PATHS:
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


def walk(q: Quantities, of: str, place: int, name: str, entry: int) -> Iterator[tuple[tuple[str, int], ...]]:
    """All paths from an entry of one quantity to an entry of another: tuples of (quantity, entry)."""
    spend(1)
    if (of, place) == (name, entry):
        yield ((name, entry),)
        return
    for parent in q.parents(name):
        if parent != of and of not in q.above(parent):
            continue
        row = q.local(name, parent)[entry]
        for k in range(len(row)) if parent != of else [place]:
            if row[k] != 0.0:
                for steps in walk(q, of, place, parent, k):
                    yield (*steps, (name, entry))


def _spelled(q: Quantities, steps: Sequence[tuple[str, int]]) -> str:
    return " > ".join(components(n, q.shape(n))[k] for n, k in steps)


def _others(q: Quantities, claim: Claim) -> str:
    names = [n for n in q.parents(claim.name) if n != claim.of]
    return " and ".join(names) or "nothing else"


def spelled(name: str) -> str:
    """The name of a quantity as formulas have it."""
    return name.replace(" ", "_")


def _candidates(points: Sequence[Quantities], claim: Claim) -> dict[str, Any]:
    """Numbers that may be a factor too much or missing, by the formulas that give them: entries of the quantities, and
    sines and the like of what the left side is computed from."""
    first = points[0]
    near = [claim.of, claim.name, *first.parents(claim.name)]
    if isinstance(claim.formula, Formula):
        near += [n for n in first.vars if spelled(n) in claim.formula.names]
    names = [n for n in dict.fromkeys([*near, *first.vars]) if first.vars[n].size <= 12][:8]
    found: dict[str, Any] = {}
    for name in names:
        values = np.array([np.ravel(q.value(name)) for q in points])
        for k, text in enumerate(components(spelled(name), first.shape(name))):
            found[text] = values[:, k]
    if claim.entry is not None or first.vars[claim.name].size == 1:
        between = first.above(claim.name) if claim.kind != "partial" else ()
        below = [(f"(1 - {t})", 1.0 - found[t]) for t in components(spelled(claim.name), first.shape(claim.name))
                 if t in found]  # fmt: skip
        inside = [_inner(points, n, claim.entry or 0).items() for n in (claim.name, *between)]
        for text, values in chain(below, *inside):
            if len(text) <= 40 and not any(same(values, v) or same(values, -v) for v in found.values()):
                found[text] = values
    if len(found) > 24:
        mine = [t for t in found if f"[{claim.place}]" in t or f"[{claim.entry}]" in t or "[" not in t]
        found = {t: found[t] for t in [*mine, *(t for t in found if t not in mine)][:24]}
    return found


def _inner(points: Sequence[Quantities], name: str, entry: int) -> dict[str, Any]:
    """Values inside the formula of a quantity, and their sines and cosines, by formulas for them."""
    found: dict[str, Any] = {}

    def at(value: Any) -> float:
        flat = np.ravel(value)
        return float(flat[min(entry, len(flat) - 1)])

    chains = [_chain(q, name) for q in points]
    if any(len(c) != len(chains[0]) for c in chains):
        return {}
    phrases = {v.serial: _Phrase(spelled(n), _ATOM, v.size > 1) for n, v in points[0].vars.items()}
    for k, node in enumerate(chains[0]):
        phrase = phrases[node.serial] = phrases.get(node.serial) or _phrase(node, phrases, entry)
        if phrase.text:
            found.setdefault(phrase.entry(entry).least(_ATOM), np.array([at(c[k].value) for c in chains]))
        inner = _operand(node.inputs[0], phrases, entry)
        if not inner.text:
            continue
        values = np.array([at(_first(c[k])) for c in chains])
        if node.op.name == "power" and (values > 0.0).all():
            found.setdefault(f"log({inner.text})", np.log(values))
        if node.op.name in ("sin", "cos", "tan"):
            for trig, f in (("sin", np.sin), ("cos", np.cos), ("tan", np.tan)):
                found.setdefault(f"{trig}({inner.text})", f(values))
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


# How tightly the parts of a formula hold together.
_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(1, 6)

_BINDING = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "^": _POWER}


@dataclass(frozen=True)
class _Phrase:
    """A part of a formula; no text, if it cannot be written as one. binding: of its outermost operation. whole: whether
    it is the name of an array, which an index must follow where one entry is meant."""

    text: str = ""
    binding: int = _ATOM
    whole: bool = False

    def least(self, binding: int) -> str:
        """The text, in brackets if it holds together less tightly."""
        return self.text if self.binding >= binding else f"({self.text})"

    def entry(self, number: int) -> "_Phrase":
        return _Phrase(f"{self.text}[{number}]") if self.whole else self


def _operand(x: Any, phrases: Mapping[int, _Phrase], entry: int) -> _Phrase:
    if isinstance(x, Var) and x.serial in phrases:
        return phrases[x.serial].entry(entry)
    value = x.value if isinstance(x, Var) else x
    if np.size(value) != 1:
        return _Phrase()
    number = float(np.ravel(value)[0])
    text = f"{number:g}" if float(f"{number:g}") == number else repr(number)
    return _Phrase(text, _SIGN if text.startswith("-") else _ATOM)


def _phrase(node: Any, phrases: Mapping[int, _Phrase], entry: int) -> _Phrase:
    """What a node computes, in the names of quantities. Long ones are given up, so that shared parts cannot double."""
    parts = [_operand(x, phrases, entry) for x in node.inputs]
    if not all(p.text for p in parts) or sum(len(p.text) for p in parts) > 40:
        return _Phrase()
    sign = node.op.form.removeprefix("{} ").removesuffix(" {}")
    if sign in _BINDING and len(parts) == 2:
        binding = _BINDING[sign]
        left, right = (binding + 1, binding) if sign == "^" else (binding, binding + 1)
        return _Phrase(f"{parts[0].least(left)} {sign} {parts[1].least(right)}", binding)
    if node.op.name == "negative":
        return _Phrase(f"-{parts[0].least(_SIGN)}", _SIGN)
    if node.op.partials is not None and not node.op.form and node.op.name in FUNCTIONS:
        return _Phrase(f"{node.op.name}({', '.join(p.text for p in parts)})")
    if node.op.name == "sum" and isinstance(node.inputs[0], Var) and node.size == 1:
        whole = phrases.get(node.inputs[0].serial, _Phrase())
        return _Phrase(f"sum({whole.text})") if whole.whole else _Phrase()
    return _Phrase()
