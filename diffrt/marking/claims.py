"""Claims of a derivation: what a line such as "y[i] / a" says, and of which quantities."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise, product
from math import prod
from typing import Any

import numpy as np

from diffrt.errors import InputError
from diffrt.marking.formula import Formula
from diffrt.marking.quantities import Quantities
from diffrt.marking.spelling import plain_letters, spelled
from diffrt.marking.work import Overworked

LETTERS = "ijkmn"

LAYOUTS = {"numerator": ((0, 2),), "denominator": ((1, 1), (2, 0))}
"""Of which derivatives, by the numbers of axes of the two quantities, a layout has the transposed. Without one, that of
a vector by a vector has a row for each entry of the first, and that of a number by a matrix has the matrix's shape."""

MOST_CLAIMS = 1_000
"""That one line stands for."""


@dataclass(frozen=True)
class Claim:
    """One line of a derivation, for one entry: that `formula` is the derivative of `name` by `of`.

    kind: "partial", "path" or "total". entry, place: of the two, in C order, None for all entries. steps: of a path,
    quantities and entries from the first to the last. letters: what index letters stand for. line: the left side as
    written, with its letters. layout: of arrays: LAYOUTS.
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
    line: str = ""
    layout: str = ""


def read_claims(kind: str, text: str, formula: Any, q: Quantities, layout: str = "") -> list[Claim]:
    """The claims that a line stands for, one for each value of its index letters."""
    sides = [s.strip() for s in plain_letters(text).split(">" if kind == "path" else "/")]
    where = f"{kind} {text!r}"
    if len(sides) < 2 or (kind != "path" and len(sides) != 2) or not all(sides):
        needed = '"x > a > y"' if kind == "path" else '"y / a"'
        raise InputError(f"{where}: needed: {needed}")
    parsed = formula if callable(formula) else Formula(formula, where)
    if all(s.startswith("d") for s in sides) and kind != "path":  # dy / dx
        known = {spelled(n) for n in q.vars}
        sides = [s if s.partition("[")[0].strip() in known else s[1:].strip() for s in sides]
    names = [_quantity(side, q, where) for side in sides]
    letters: dict[str, int] = {}
    for name, indices in names:
        for index, size in zip(indices, q.shape(name), strict=False):
            if isinstance(index, str):
                if letters.setdefault(index, size) != size:
                    raise InputError(
                        f"{where}: the letter {index} stands for {letters[index]} entries and for {size} of {name}; "
                        "needed: a letter for each size"
                    )
            elif not -size <= index < size:
                raise InputError(f"{where}: the index {index} does not fit {name} of shape {q.shape(name)}")
    if (count := prod(letters.values())) > MOST_CLAIMS:
        raise Overworked(f"{where}: stands for {count:,} entries, allowed: {MOST_CLAIMS:,}")
    claims = []
    for chosen in product(*(range(n) for n in letters.values())):
        at = dict(zip(letters, chosen, strict=True))
        places = [_place(name, indices, at, q) for name, indices in names]
        told = text
        for letter, k in at.items():
            told = told.replace(f"[{letter}", f"[{k}").replace(f", {letter}", f", {k}").replace(f",{letter}", f",{k}")
        if at and told == text:  # x_i
            told = (" > " if kind == "path" else " / ").join(
                f"{name}[{', '.join(str(at.get(i, i)) for i in indices)}]" if indices else name
                for name, indices in names
            )
        ends = [(name, place) for (name, _), place in zip(names, places, strict=True)]
        if kind == "path":
            steps = tuple((n, _one(n, k, q, where)) for (n, _), k in zip(names, places, strict=True))
            for (of, _), (name, _) in pairwise(steps):
                _check_edge(q, name, of, where)
            last, first = ends[-1], ends[0]
        else:
            steps, (last, first) = (), ends
            name, of = last[0], first[0]
            if kind == "partial":
                _check_edge(q, name, of, where)
            elif of not in q.above(name):
                raise InputError(f"{where}: {name} does not depend on {of}; it depends on {', '.join(q.above(name))}")
        claims.append(Claim(kind, told, *last, *first, parsed, at, steps, text, layout))
    return claims


def _check_edge(q: Quantities, name: str, of: str, where: str) -> None:
    if of not in q.parents(name):
        there = ", ".join(f"{name} / {p}" for p in q.parents(name)) or f"none, as {name} is an input"
        raise InputError(f"{where}: there is no edge from {of} to {name}; the edges to {name}: {there}")


def _quantity(side: str, q: Quantities, where: str) -> tuple[str, tuple[Any, ...]]:
    """The quantity and the indices of one side, such as y[0] or ball.center.x."""
    name, bracket, rest = side.partition("[")
    name = name.strip()
    by_underscore = {spelled(n): n for n in q.vars}
    indices: tuple[Any, ...] = ()
    if bracket:
        parts = [p.strip() for p in rest.rstrip().removesuffix("]").split(",")]
        if not rest.rstrip().endswith("]") or not all(p.lstrip("-").isdigit() or p in LETTERS for p in parts):
            raise InputError(f"{where}: {side}: needed: an index such as [0] or one of the letters {LETTERS}")
        indices = tuple(int(p) if p.lstrip("-").isdigit() else p for p in parts)
    name = by_underscore.get(name, name)
    base, _, subscript = name.rpartition("_")
    low = subscript.isdigit() or (subscript and all(c in LETTERS for c in subscript))
    if name not in q.vars and base in q.vars and low and not indices:  # x_0, x_i, A_ij
        name, indices = base, (int(subscript),) if subscript.isdigit() else tuple(subscript)
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


def _one(name: str, place: int | None, q: Quantities, where: str) -> int:
    """The entry at a step of a path."""
    if place is None:
        raise InputError(f"{where}: {name} has {q.vars[name].size} entries; needed: the one that the path goes through")
    return place


def cut(whole: Any, claim: Claim) -> Any:
    rows = slice(None) if claim.entry is None else slice(claim.entry, claim.entry + 1)
    columns = slice(None) if claim.place is None else slice(claim.place, claim.place + 1)
    return whole[rows, columns]


def fitted(value: Any, right: Any, q: Quantities, claim: Claim) -> tuple[Any, bool]:
    """A claim's value as rows by columns, and whether it was transposed to fit. Raises InputError if it does not."""
    array, wanted = np.asarray(value, float), needed(q, claim)
    above, below = len(wanted) - len(lower := _lower(q, claim)), len(lower)
    if array.ndim == 2 and (above, below) in LAYOUTS.get(claim.layout, ()):
        array = array.T
    row_or_column = array.ndim == 1 and array.size == right.size and 1 in right.shape
    if array.shape in {right.shape, wanted} or array.size == 1 == right.size or row_or_column:
        return array.reshape(right.shape), False
    if array.shape == right.shape[::-1] or (len(wanted) == 2 and array.shape == wanted[::-1]):
        return array.T.reshape(right.shape), True
    raise InputError(f"{claim.text}: the formula has the shape {array.shape}, needed: {wanted}")


def _lower(q: Quantities, claim: Claim) -> tuple[int, ...]:
    return q.shape(claim.of) if claim.place is None else ()


def needed(q: Quantities, claim: Claim) -> tuple[int, ...]:
    """The shape of a claim's formula: entries of the quantity on the left, then of the one on the right."""
    above = q.shape(claim.name) if claim.entry is None else ()
    return (*above, *_lower(q, claim))
