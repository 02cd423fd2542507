"""Marking derivatives of functions in Python."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from diffrt.autograd import Var, add, variable
from diffrt.autograd.backward import reachable
from diffrt.autograd.variable import value_of
from diffrt.errors import InputError, shown
from diffrt.explaining.wording import tidy
from diffrt.marking.claims import Claim
from diffrt.marking.definitions import FARTHEST, Domain
from diffrt.marking.derivation import Derivation
from diffrt.marking.diagnosis import TRANSPOSED
from diffrt.marking.factors import Diagnosis, factor_of, same
from diffrt.marking.marks import Line, Marked
from diffrt.marking.quantities import EPSILON, Quantities, Slopes, components, one_sided, plain, slopes_of, taylor_slope
from diffrt.types import Numbers

Interval: TypeAlias = tuple[float, float] | tuple[float, float, Sequence[int]]
Claimed: TypeAlias = str | Callable[..., Any]


def verify(
    function: Callable[..., Any],
    by_hand: Mapping[str, Claimed],
    domains: Mapping[str, Interval],
    paths: Mapping[str, Claimed] | None = None,
    totals: Mapping[str, Claimed] | None = None,
    points: Sequence[Mapping[str, Numbers]] = (),
    seed: int = 0,
) -> Marked:
    """Mark partials that were worked out by hand for a function in Python.

        marked = diffrt.verify(lambda x: named(exp(2.0 * x), "y"), {"y / x": "2 y"}, {"x": (-1.0, 1.0)})
        print(marked)

    function: called with its inputs by name, Vars; it computes with `diffrt.autograd`, calls `named(a, "a")` on what is
    a quantity, and returns the output, which is called "output" if it has no name. by_hand: for each partial, such as
    "y[0] / a", a formula or a function of the quantities (arguments by name, Vars). domains: of the inputs, (low, high)
    or (low, high, shape). paths, totals: further claims. points: inputs to compare at besides those drawn.
    seed: of the points that are drawn.
    Returns the marks; `.ok` says whether nothing is wrong and every claim could be compared. Raises InputError for a
    domain that is none, and where the function cannot be computed.
    """
    inputs = {name: _domain(name, told) for name, told in domains.items()}

    def build(leaves: Mapping[str, Any]) -> Mapping[str, Any]:
        out = function(**leaves)
        if not isinstance(out, Var):
            raise InputError("the function returns a constant: it depends on no input")
        found = {v.name: v for v in reachable([out]) if v.name}
        return {**leaves, **found} if out.name else {**leaves, **found, "output": out}

    return Derivation(build, inputs, points, by_hand, paths or {}, totals or {}, seed=seed).mark()


def _domain(name: str, told: Any) -> Domain:
    try:
        first, last, *rest = told
        shape, low, high = tuple(map(int, rest[0])) if rest else (), float(first), float(last)
    except (TypeError, ValueError, IndexError, OverflowError):
        raise InputError(f"domains: {name}: found {shown(told)}, needed: (low, high) or (low, high, shape)") from None
    if not -FARTHEST <= low < high <= FARTHEST:
        raise InputError(f"domains: {name}: found {shown(told)}, needed: two numbers from -1e100 to 1e100, the smaller "
                         "one first")  # fmt: skip
    return Domain(shape, low, high)


def check_gradient(
    f: Callable[[Any], Any], x: Numbers, by_hand: Numbers | Callable[[Any], Any] | None = None
) -> Marked:
    """Whether a derivative of a function is that of its values: the core's, or one that was worked out by hand.

    f: of one Var, to a Var of any shape; it computes with `diffrt.autograd`. With `by_hand`, of a plain number or numpy
    array, to one. x: where, a number or an array. by_hand: the derivative, of the shape of f(x) followed by that of x,
    or a function of x that gives it.
    Each entry of the result by each of x is compared with a complex step, or with one-sided differences extrapolated to
    step zero, so that it needs no choice of a step or of a tolerance and knows no scale. An entry at a kink is right
    between its one-sided derivatives, if all entries together are so along random directions too. Raises InputError if
    f(x) is not finite, does not depend on x, or the derivative by hand has another shape.
    """
    if by_hand is not None:
        with np.errstate(all="ignore"):
            return _checked_by_hand(f, x, by_hand)
    at = variable(x, "x")
    out = f(at)

    def run(value: Any) -> Any:
        return value_of(f(variable(value)))

    if not isinstance(out, Var) or at.serial not in {v.serial for v in reachable([out])}:
        raise InputError("check_gradient: the result does not depend on x")
    if not np.isfinite(out.value).all():
        raise InputError(f"check_gradient: f is {tidy(plain(out.value))} at x = {tidy(plain(at.value))}")
    out = add(out, 0.0)
    with np.errstate(all="ignore"):
        return _checked(Quantities({"x": at, "f": out}), run)


def _checked(q: Quantities, run: Callable[[Any], Any]) -> Marked:
    """Each entry of f by each of x, two quantities, compared. run: from values of x to those of f."""
    at, right = q.vars["x"].value, q.total("f", "x")
    largest = max(1.0, float(np.abs(at).max()), float(np.abs(q.vars["f"].value).max()))
    lines = _compared(
        _claims(q.shape("f"), q.shape("x")), right, run, at, lambda i, j: q.slopes("f", i, "x", j, False, run=run),
        lambda i, j: 16.0 * q.rounding("f", i, "x", j, False), largest, "an op in it cannot be replayed on numbers",
    )  # fmt: skip

    def along(d: Any) -> Any:
        return right @ np.ravel(d)

    return Marked(lines, taylor_slope(lambda v: np.ravel(np.asarray(run(v if v.ndim else float(v)))), at, along))


def _claims(above: tuple[int, ...], below: tuple[int, ...], line: str = "") -> list[Claim]:
    """One for each entry of f by each of x, of these shapes. line: what they are entries of, told together."""
    pairs = product(enumerate(components("f", above)), enumerate(components("x", below)))
    return [Claim("total", f"{n} / {m}", "f", i, "x", j, lambda: None, line=line) for (i, n), (j, m) in pairs]


def _compared(
    claims: Sequence[Claim], given: Any, run: Callable[[Any], Any], at: Any,
    slopes: Callable[[int, int], Slopes | None], rounding: Callable[[int, int], float], largest: float, undefined: str,
) -> list[Line]:  # fmt: skip
    """The marks of a derivative, entries of f by entries of x, beside one by numbers.

    run: f, from values of x. slopes: of an entry by an entry, None for none, which is `undefined` in words. rounding:
    how far it may put a given entry off. largest: of the numbers of x and f.
    """
    lines = []
    for claim in claims:
        i, j = claim.entry or 0, claim.place or 0
        found, ours, off = slopes(i, j), float(given[i, j]), rounding(i, j)
        if found is None:
            lines.append(Line(claim, "cannot tell", undefined))
            continue
        size = max(abs(found.left), abs(found.right), abs(ours))
        low, high = found.around(1e-9 if found.complex_step else 1e-6, ours, off)
        line = Line(claim, "wrong", point={"x": plain(at)}, yours=ours, right=found.left)
        if found.doubt > 1e-3 * size > 0.0 or off > 1e-6 * max(size, largest):
            line.verdict, line.detail = "cannot tell", "rounding hides the differences"
        elif low <= ours <= high:
            line.verdict, line.detail = "right", "" if found.smooth else "a subgradient at a kink"
        lines.append(line)
    for i, row in enumerate(given):
        mine = [line for line in lines if line.claim.entry == i]
        if any(line.detail for line in mine) and not _is_subgradient(run, at, row, i):
            for line in mine:
                if line.verdict == "right":
                    line.verdict, line.detail = "wrong", ""
                    line.diagnoses = line.reasons = [Diagnosis("case", "with the other entries it is no subgradient")]
    return lines


def _checked_by_hand(f: Callable[[Any], Any], x: Any, by_hand: Any) -> Marked:
    """A derivative by hand of a plain function, entry by entry, and what is wrong with it."""
    try:
        at = np.array(x, float)
    except (TypeError, ValueError):
        raise InputError(f"check_gradient: x: found {shown(x)}, needed: a number or an array of numbers") from None

    def run(value: Any) -> Any:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # such as of a complex step that a function casts away
            return f(value if np.ndim(value) else value[()])

    try:
        out = np.array(run(at.copy()), float)
    except (TypeError, ValueError) as fault:
        raise InputError(f"check_gradient: f cannot be computed at x: {fault}") from None
    if not np.isfinite(out).all():
        raise InputError(f"check_gradient: f is {tidy(plain(out))} at x = {tidy(plain(at))}")
    shape = (*out.shape, *at.shape)
    try:
        claimed = np.array(by_hand(at.copy() if at.ndim else float(at)) if callable(by_hand) else by_hand, float)
    except (TypeError, ValueError) as fault:
        raise InputError(f"check_gradient: by_hand: {fault}; needed: numbers of the shape {shape}") from None
    turned = claimed.shape != shape and claimed.shape == (*at.shape, *out.shape)
    if not turned and np.squeeze(claimed).shape != tuple(n for n in shape if n != 1):
        raise InputError(f"check_gradient: by_hand has the shape {claimed.shape}, needed: {shape}")
    mine = claimed.reshape(at.size, out.size).T if turned else claimed.reshape(out.size, at.size)
    noise = 16.0 * EPSILON * np.abs(np.ravel(out))

    def slopes(i: int, j: int) -> Slopes | None:
        found = slopes_of(run, run, at, j, i, -np.inf, np.inf, float(noise[i]))
        return found if found is not None and np.isfinite([found.left, found.right]).all() else None

    claims = _claims(out.shape, at.shape, "f / x")
    lines = _compared(claims, mine, run, at, slopes, lambda i, j: 0.0, 1.0, "f is not defined next to x")
    wrong = [line for line in lines if line.verdict == "wrong" and not line.diagnoses]
    if turned and not wrong and mine.size > 1:
        wrong = [line for line in lines if line.verdict == "right"]
        found = [Diagnosis("transposed", TRANSPOSED)]
        for line in wrong:
            line.verdict = "wrong"
            line.yours = float(claimed.reshape(mine.shape)[line.claim.entry or 0, line.claim.place or 0])
    else:
        rights = np.array([line.right or 0.0 for line in lines]).reshape(mine.shape)
        found = _factor_by_hand(mine, rights, at, wrong)
    for line in wrong:
        line.diagnoses = line.reasons = list(found)
    return Marked(lines)


def _factor_by_hand(mine: Any, rights: Any, at: Any, wrong: Sequence[Line]) -> list[Diagnosis]:
    """A factor by which all wrong entries are off."""
    entries = [(line.claim.entry or 0, line.claim.place or 0) for line in wrong]
    if not entries:
        return []
    if mine.shape[0] == mine.shape[1] > 1 and same(mine, rights.T):
        return [Diagnosis("transposed", TRANSPOSED)]
    rows, columns = np.array(entries).T
    yours, right = mine[rows, columns], rights[rows, columns]
    named = {"x": np.ravel(at)[columns]} if len(mine) == 1 and len(entries) > 4 else {}
    if len(entries) < 3:
        ratio = yours / right
        return [Diagnosis("factor", "the sign")] if np.abs(ratio + 1.0).max() < 1e-7 else []
    return factor_of(yours, right, named)


def _is_subgradient(run: Callable[[Any], Any], at: Any, row: Any, entry: int) -> bool:
    """Whether at a kink the derivative along random directions lies between the slopes on either side."""
    at = np.asarray(at, float)
    size = np.where(at != 0.0, np.abs(at), np.abs(at).max() or 1.0)
    for way in np.random.default_rng(0).normal(size=(8, *at.shape)) * size:
        along, start = float(np.ravel(way) @ row), np.zeros(())

        def line(t: Any, way: Any = way) -> Any:
            return run(at + t * way)

        sides = [one_sided(line, start, 0, entry, side, -np.inf, np.inf, 0.0) for side in (-1.0, 1.0)]
        slopes = Slopes(sides[0][0], sides[1][0], sides[0][1] + sides[1][1], False)
        low, high = slopes.around(1e-6, along, 0.0)
        if not low <= along <= high:
            return False
    return True
