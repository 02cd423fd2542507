"""einsum: sums of products of entries, in Einstein's notation.

In "ij,jk->ik" each array has a letter for each axis, equal letters run together, and letters that are not in the result
are summed over. Before anything is computed the notation is made plain: an ellipsis is letters, a letter occurs at most
once in an array (else its diagonal is taken), an axis of length 1 that others stretch is dropped, and the result is
written out. Of a plain one the derivative by an array is an einsum again, of the adjoint and the other arrays: by the
first above "ik,jk->ij".
"""

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from .structure import index, reshape
from .variable import TABLE, Numeric, Op, apply, shape_of


def einsum(subscripts: str, *operands: Numeric) -> Any:
    """Sums of products, as numpy's einsum has them: einsum("ij,jk->ik", a, b) is a @ b.

    subscripts: a letter for each axis of each array, commas between arrays, "->" and the letters of the result; without
    that the result has those that occur once, in the order of the alphabet. A letter twice in one array is its
    diagonal, "..." stands for axes that broadcast. Raises ValueError for another notation, and shapes that do not fit.
    """
    shapes = [shape_of(x) for x in operands]
    terms, result = _letters(subscripts, shapes)
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for letter, n in zip(term, shape, strict=True):
            known = sizes.setdefault(letter, n)
            twice = {m for other, m in zip(term, shape, strict=True) if other == letter}
            if len(twice) > 1 or (n != known and 1 not in (n, known)):
                raise ValueError(
                    f"einsum {subscripts!r}: the axes of one letter must have one length, given the shapes "
                    f"{' and '.join(map(str, shapes))}"
                )
            sizes[letter] = n if known == 1 else known
    plain = [_plain(x, term, sizes) for x, term in zip(operands, terms, strict=True)]
    return apply(TABLE["einsum"], tuple(x for x, _ in plain), {"terms": tuple(t for _, t in plain), "result": result})


def _letters(subscripts: Any, shapes: Sequence[tuple[int, ...]]) -> tuple[list[str], str]:
    """The letters of each array and of the result, without ellipses. Raises ValueError for what is no notation."""
    if not isinstance(subscripts, str):
        raise ValueError(f"einsum takes its notation as text, such as 'ij,jk->ik', given a {type(subscripts).__name__}")

    def refused(why: str) -> ValueError:
        return ValueError(f"einsum {subscripts!r}: {why}")

    left, arrow, result = "".join(subscripts.split()).partition("->")
    terms = left.split(",")
    for term in (*terms, result):
        letters = term.replace("...", "", 1)
        if not all(c in string.ascii_letters for c in letters):
            raise refused("the notation is made of letters, commas, one '->', and at most one '...' for an array")
    if len(terms) != len(shapes):
        raise refused(f"it is for {len(terms)} array{'s' * (len(terms) != 1)}, given {len(shapes)}")
    ranks = [len(shape) - len(term.replace("...", "")) for term, shape in zip(terms, shapes, strict=True)]
    for term, shape, rank in zip(terms, shapes, ranks, strict=True):
        if rank < 0 or (rank and "..." not in term):
            raise refused(f"{term!r} does not fit an array of shape {shape}; it needs a letter for each axis")
    free = [c for c in string.ascii_letters if c not in subscripts][: max(ranks)]
    if len(free) < max(ranks):
        raise refused(f"there are not enough letters for {max(ranks)} more axes")
    if arrow and free and "..." not in result:
        raise refused("the result needs '...' too; sum over those axes afterwards")
    terms = [term.replace("...", "".join(free[len(free) - rank :])) for term, rank in zip(terms, ranks, strict=True)]
    result = result.replace("...", "".join(free))
    every = "".join(terms)
    if not arrow:
        result = "".join(free) + "".join(sorted(c for c in set(every) if every.count(c) == 1 and c not in free))
    for c in result:
        if c not in every or result.count(c) > 1:
            raise refused(
                f"the result has the letter {c!r}, which {'is in no array' if c not in every else 'is there twice'}"
            )
    return terms, result


def _plain(x: Any, term: str, sizes: dict[str, int]) -> tuple[Any, str]:
    """The diagonals of repeated letters, without axes that others stretch; and the letters that are left."""
    once = "".join(dict.fromkeys(term))
    if once != term:
        along = dict(zip(once, np.ix_(*(np.arange(shape_of(x)[term.index(c)]) for c in once)), strict=True))
        x = index(x, tuple(along[c] for c in term))
    kept = "".join(c for c, n in zip(once, shape_of(x), strict=True) if n == sizes[c])
    return reshape(x, [sizes[c] for c in kept]) if kept != once else x, kept


def _contract(terms: Sequence[str], result: str, given: Sequence[Any]) -> Any:
    return apply(TABLE["einsum"], tuple(given), {"terms": tuple(terms), "result": result})


def _forward(*given: Any, terms: Sequence[str], result: str) -> Any:
    return np.einsum(f"{','.join(terms)}->{result}", *given, optimize=len(given) > 1)


def _vjp(
    g: Any, out: Any, inputs: Sequence[Any], wanted: Sequence[bool], terms: Sequence[str], result: str
) -> list[Any]:
    parts: list[Any] = [None] * len(inputs)
    for i in range(len(inputs)):
        if not wanted[i]:
            continue
        others, names = [*inputs[:i], *inputs[i + 1 :]], [*terms[:i], *terms[i + 1 :]]
        kept = [c for c in terms[i] if c in result or any(c in name for name in names)]
        part = _contract([result, *names], "".join(kept), [g, *others])
        # Along a letter of its own the adjoint is constant.
        shape = [n if c in kept else 1 for c, n in zip(terms[i], shape_of(inputs[i]), strict=True)]
        parts[i] = reshape(part, shape) if len(kept) < len(shape) else part
    return parts


def _jvp(tangents: Sequence[Any], out: Any, inputs: Sequence[Any], terms: Sequence[str], result: str) -> list[Any]:
    total: list[Any] = [None] * next(len(ts) for ts in tangents if ts is not None)
    for i, ts in enumerate(tangents):
        for k, t in enumerate(ts or ()):
            if t is not None:
                part = _contract(terms, result, [*inputs[:i], t, *inputs[i + 1 :]])
                total[k] = part if total[k] is None else total[k] + part
    return total


TABLE["einsum"] = Op("einsum", _forward, vjp=_vjp, jvp=_jvp, backward="is the einsum of it and the other arrays")
