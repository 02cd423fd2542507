"""What is wrong with a claim: a total for a partial, a missing path, a factor too many."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise
from typing import Any

import numpy as np

from diffrt.autograd import Var
from diffrt.explain.claims import Claim, cut
from diffrt.explain.factors import Diagnosis, factor_of, same, subset_missing
from diffrt.explain.formula import Formula
from diffrt.explain.quantities import Quantities, components, plain
from diffrt.explain.wording import bracketed, tidy, written

TRANSPOSED = "yours is transposed: rows are entries of the quantity on the left, columns those of the one on the right"

MOST_PATHS = 200
"""With more paths no missing one is looked for."""


def diagnose(
    claim: Claim, here: Sequence[Quantities], yours: Any, rights: Any, short: Mapping[str, Formula]
) -> list[Diagnosis]:
    """What turns a claim into what is right at every point, the likeliest first.

    here: the quantities at each point. yours, rights: the claim's values and the right ones there, rows by columns.
    short: abbreviations in formulas.
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
    named = _candidates(points, claim, short)
    flat, want = mine.reshape(len(mine), -1), right.reshape(len(right), -1)
    factors = [factor_of(flat[:, k], want[:, k], named) for k in range(flat.shape[1])
               if not same(flat[:, k], want[:, k])]  # fmt: skip
    if factors and all(factors) and len({f[0].text for f in factors}) == 1:
        found = factors[0] + found if factors[0][0].kind == "factor" else found + factors[0]
    return found


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
        between = first.above(claim.name) if claim.kind != "partial" else ()
        below = [(f"(1 - {t})", 1.0 - found[t]) for t in components(claim.name, first.shape(claim.name))]
        inside = [_inner(points, n, claim.entry or 0).items() for n in (claim.name, *between)]
        for text, values in chain(below, *inside):
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
        if node.op.name == "power":
            base = np.array([at(_first(c[k])) for c in chains])
            if (base > 0.0).all():
                found.setdefault(f"log({text.partition(' ^')[0]})", np.log(base))
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
    if node.op.name == "index":
        return texts[0]
    form = node.op.form
    return written(form, node.op.name, list(map(bracketed, texts)) if form else texts, node.settings or {})
