"""Marking derivatives of functions in Python."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from diffrt.autograd import Var, add, variable
from diffrt.autograd.backward import reachable
from diffrt.errors import InputError, shown
from diffrt.explaining.wording import tidy
from diffrt.marking.claims import Claim
from diffrt.marking.definitions import FARTHEST, Domain
from diffrt.marking.derivation import Derivation
from diffrt.marking.marks import Line, Marked
from diffrt.marking.quantities import Quantities, Slopes, components, one_sided, plain, taylor_slope
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


def check_gradient(f: Callable[[Var], Var], x: Numbers) -> Marked:
    """Whether the core's derivative of a function is that of its values.

    f: of one Var, to a Var of any shape; it computes with `diffrt.autograd`. x: where, a number or an array.
    Each entry of the result by each of x is compared with a complex step, or with one-sided differences extrapolated to
    step zero, so that it needs no choice of a step or of a tolerance and knows no scale. An entry at a kink is right
    between its one-sided derivatives, if all entries together are so along random directions too. Raises InputError if
    f(x) is not finite or does not depend on x.
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
    with np.errstate(all="ignore"):
        return _checked(Quantities({"x": at, "f": out}), run)


def _checked(q: Quantities, run: Callable[[Any], Any]) -> Marked:
    """Each entry of f by each of x, two quantities, compared. run: from values of x to those of f."""
    at, right = q.vars["x"], q.total("f", "x")
    lines = []
    above, below = components("f", q.shape("f")), components("x", q.shape("x"))
    for i, j in np.ndindex(*right.shape):
        claim = Claim("total", f"{above[i]} / {below[j]}", "f", i, "x", j, lambda: None)
        slopes = q.slopes("f", i, "x", j, False, run=run)
        ours = float(right[i, j])
        if slopes is None:
            lines.append(Line(claim, "cannot tell", "an op in it cannot be replayed on numbers"))
            continue
        reach = 1e-9 if slopes.complex_step else 1e-6
        rounding = 16.0 * q.rounding("f", i, "x", j, False)
        low, high = slopes.around(reach, ours, rounding)
        size = max(abs(slopes.left), abs(slopes.right), abs(ours))
        blurred = rounding > 1e-6 * max(
            size, 1.0, float(np.abs(at.value).max()), float(np.abs(q.vars["f"].value).max())
        )
        if slopes.doubt > 1e-3 * size > 0.0 or blurred:
            lines.append(Line(claim, "cannot tell", "rounding hides the differences"))
        elif low <= ours <= high:
            lines.append(Line(claim, "right", "" if slopes.smooth else "a subgradient at a kink"))
        else:
            lines.append(Line(claim, "wrong", point={"x": plain(at.value)}, yours=ours, right=slopes.left))
    for i, row in enumerate(right):
        mine = [line for line in lines if line.claim.entry == i]
        if any(line.detail for line in mine) and not _is_subgradient(run, at.value, row, i):
            for line in mine:
                if line.verdict == "right":
                    line.verdict, line.detail = "wrong", "with the other entries it is no subgradient"
                    line.point, line.yours = {"x": plain(at.value)}, float(row[line.claim.place or 0])

    def along(d: Any) -> Any:
        return right @ np.ravel(d)

    return Marked(lines, taylor_slope(lambda v: np.ravel(np.asarray(run(v if v.ndim else float(v)))), at.value, along))


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
