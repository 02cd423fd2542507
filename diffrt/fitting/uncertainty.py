"""How sure a fit is: standard errors, correlations, and what the image cannot tell.

Near the solution the residual is linear in the parameters, r = r0 + J dp. With residuals that scatter independently
with variance s^2 = |r|^2 / (m - n), the covariance of the parameters is s^2 (J^T J)^-1 (Bard, Nonlinear Parameter
Estimation, 1974). Those of photographs do not, and with S the covariance of J^T r, which `scatter.py` takes from the
residuals themselves, that of the parameters is (J^T J)^-1 S (J^T J)^-1. Where some residuals are much larger than
others it is that of a fit that trusts those less, and the square of the step to that one (`trust.py`). (J^T J)^-1 is
computed from the singular values of J with columns of length one, so that units do not matter. A direction of
parameters with a singular value near zero does not change the image: its parameters have no finite error, and are
named.

That covariance is of the coordinates that the optimiser moves. With G the derivatives of the numbers by them, that of
the numbers is G C G^T. For a robust loss J^T J is its second derivative, and S is that of half its first one (Huber,
Robust statistics, 1981, chapter 6). Where residuals are smooth, few independent ones are left to tell their variance,
and errors are those whose 1.645-fold holds 90 %, as of independent ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diffrt.fitting.bias import CLEAR, Bias
from diffrt.fitting.scatter import Scatter
from diffrt.fitting.triangle import FLAT
from diffrt.types import Array

TOGETHER = 0.9
"""Correlations from here on are told."""

FEWEST = 2.0
"""Independent residuals beyond the numbers that are found, at least, as Student's t counts them."""

TIGHT = 0.999
"""From here on, the fit has hardly found more than a line that both lie on."""


@dataclass(frozen=True)
class Uncertainty:
    """Of n numbers that k coordinates stand for.

    stderr: standard errors, infinite where the image does not determine a number, (n,). correlation: (n, n), nan for
    those. sigma: standard deviation of the residuals. warnings: in words, worst first. scatter: of the residuals, if it
    was looked at. widened: how many times the errors of independent residuals these are, in the middle. tight: in
    words, which coordinates are at a bound, and which numbers move together by TIGHT.
    """

    stderr: Array
    correlation: Array
    sigma: float
    warnings: tuple[str, ...]
    scatter: Scatter | None = None
    widened: float = 1.0
    tight: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trust:
    """A fit of weighted pixels beside the one that was made (`trust.py`). jacobian: (m, k). step: from the fit to it,
    (k,). scatter: of its residuals, by (J^T W J)^-1."""

    jacobian: Array
    step: Array
    scatter: Callable[[Array], Scatter]


def uncertainty(
    jacobian: Array,
    residual: Array,
    names: Sequence[str],
    held: NDArray[np.bool_] | None = None,
    observations: int | None = None,
    slopes: Array | None = None,
    components: Sequence[str] | None = None,
    scatter: Callable[[Array], Scatter] | None = None,
    bias: Bias | None = None,
    trust: Trust | None = None,
    few: Array | None = None,
) -> Uncertainty:
    """How sure numbers are.

    jacobian: (m, k). residual: (m,). names: of the coordinates, (k,). held: those at a bound, (k,), which are taken as
    known. observations: how many residuals there are, if J and r were folded into fewer rows. slopes: the derivatives
    of the numbers by the coordinates, (n, k), if they are not the same; components: the names of the numbers, (n,).
    scatter: how the residuals do, by (J^T J)^-1; independently if None. bias: of coordinates. trust: if pixels can be
    weighted by how far they are off. few: what `few.py` adds to the covariance of the coordinates, (k, k).
    """
    observations = len(residual) if observations is None else observations
    slopes = np.eye(jacobian.shape[1]) if slopes is None else slopes
    components = names if components is None else components
    count = jacobian.shape[1]
    free = np.ones(count, bool) if held is None else ~held
    bound = [
        f"{name} is at its bound; the other errors hold for this value of it"
        for name, own in zip(names, free, strict=True)
        if not own
    ]
    chosen = np.flatnonzero(free)
    more = observations - len(chosen)
    sigma = float(np.sqrt((residual @ residual) / more)) if more > 0 else np.nan
    length = np.linalg.norm(jacobian, axis=0)
    loose = free & (length == 0.0)
    told = [
        _turning(name)
        if any(n == name and more for n, more in zip(names, length > 0.0, strict=True))
        else f"{name} has no influence on the image"
        for name in _once(names, loose)
    ]
    chosen = np.flatnonzero(free & ~loose)
    covariance = np.zeros((count, count))
    if len(chosen):
        values, directions = _singular(jacobian[:, chosen] / length[chosen])
        flat = values <= FLAT * values[0]
        for group in _groups(directions[flat]):
            members = np.zeros(count, bool)
            members[chosen[group]] = True
            loose |= members
            alike = _once(names, members)
            told.append(_turning(alike[0]) if len(alike) == 1 else f"the image cannot tell {_list(alike)} apart")
        if observations < len(chosen):
            loose[chosen] = True
            told.append(f"{len(chosen)} numbers are free, and the image has {observations}")
        covariance = _covariance(jacobian, chosen)
    # From coordinates to numbers. A number is loose, or held, if a coordinate is that moves it.
    moved = slopes != 0.0
    unsure, known = (moved & loose).any(1), (moved & ~free).any(1)
    seen = scatter(covariance) if scatter else None
    sigma = sigma if seen is None else float(np.sqrt(seen.variance))
    spread = sigma**2 * covariance
    plain, _ = _errors(slopes @ spread @ slopes.T, unsure | known)
    inner = covariance
    if seen is not None:
        if trust is not None:
            inner = _covariance(trust.jacobian, chosen)
            weighted = trust.scatter(inner)
            seen = replace(seen, meat=weighted.meat, patches=weighted.patches)
        spread = _student(seen.patches - len(chosen)) ** 2 * (inner @ seen.meat @ inner)
    spread = slopes @ spread @ slopes.T
    if bias is not None:
        spread = spread + _of_bias(bias, spread, inner, slopes, chosen)
    if trust is not None:
        step = slopes @ trust.step
        spread = spread + np.outer(step, step)
    if few is not None:
        spread = spread + slopes @ few @ slopes.T
    error, correlation = _errors(spread, unsure | known)
    stderr = np.where(unsure, np.inf, np.where(known, np.nan, error))
    compared = ~unsure & ~known & (plain > 0.0)
    widened = float(np.median(error[compared] / plain[compared])) if compared.any() else 1.0
    # What the image cannot tell apart is a matter of J alone, whatever the residuals have in common. Components of one
    # direction depend on each other by what they are; only others are told.
    _, related = _errors(slopes @ covariance @ slopes.T, unsure | known)
    own = [names[int(row.argmax())] for row in moved]
    pairs = [
        (abs(related[i, j]), i, j)
        for i in range(len(components))
        for j in range(i)
        if own[i] != own[j] and abs(related[i, j]) > TOGETHER
    ]
    together = [
        (size, f"{components[j]} and {components[i]} move together, correlation {related[i, j]:.3f}")
        for size, i, j in sorted(pairs, reverse=True)
    ]
    told += [words for _, words in together[:5]]
    tight = [f"{name} is at its bound" for name in _once(names, ~free)]
    tight += [words for size, words in together if size > TIGHT]
    return Uncertainty(stderr, correlation, sigma, (*told, *bound), seen, widened, tuple(tight))


def _covariance(jacobian: Array, chosen: NDArray[np.intp]) -> Array:
    """(J^T J)^-1 of the chosen coordinates, zero for the others, and without directions that are flat, (k, k)."""
    found = np.zeros((jacobian.shape[1],) * 2)
    length = np.linalg.norm(jacobian[:, chosen], axis=0)
    length[length == 0.0] = 1.0
    values, directions = _singular(jacobian[:, chosen] / length)
    sharp = values > FLAT * values.max(initial=0.0)
    root = directions[sharp].T / values[sharp] / length[:, None]
    found[np.ix_(chosen, chosen)] = root @ root.T
    return found


def _singular(matrix: Array) -> tuple[Array, Array]:
    """The singular values of (m, n), and their directions, n of them if m is not smaller."""
    _, values, directions = np.linalg.svd(matrix, full_matrices=False)
    return values, directions


def _of_bias(bias: Bias, spread: Array, covariance: Array, slopes: Array, chosen: NDArray[np.intp]) -> Array:
    """What a bias adds to the covariance `spread` of the numbers, (n, n).

    covariance: (J^T J)^-1, of which V_2 / V_1 of `bias.py` is taken; of smooth residuals it is much the same.
    """
    two = np.diag(slopes @ _covariance(bias.of_patches, chosen) @ slopes.T)
    one = np.diag(slopes @ covariance @ slopes.T)
    ratio = np.divide(two, one, out=np.ones_like(one), where=one > 0.0)
    coarser = slopes @ bias.coarser
    by_noise = np.maximum(ratio - 1.0, 0.0) * np.diag(spread)
    told = np.abs(coarser) > CLEAR * np.sqrt(by_noise)
    beyond = np.sign(coarser) * np.sqrt(np.where(told, coarser**2 - by_noise, 0.0))
    finer = slopes @ bias.finer
    return np.asarray(np.outer(beyond, beyond) + np.outer(finer, finer))


def _errors(variance: Array, known: NDArray[np.bool_]) -> tuple[Array, Array]:
    """The roots of the variances (n,) in a covariance (n, n), and the correlations, nan for some."""
    error = np.sqrt(np.maximum(np.diag(variance), 0.0))
    with np.errstate(all="ignore"):
        correlation = variance / np.outer(error, error)
    correlation[known] = np.nan
    correlation[:, known] = np.nan
    return error, correlation


def _student(more: float) -> float:
    """How much wider an interval of 90 % is with a variance that is known from so few residuals (Student, 1908)."""
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(max(more, FEWEST), 0.95) / ndtri(0.95))


def _groups(directions: Array) -> list[NDArray[np.intp]]:
    """The coordinates that directions (d, n) mix, group by group.

    Any basis of the directions would do, so they are judged by their projection, which has none: two coordinates belong
    together if it maps one partly to the other.
    """
    from scipy.sparse.csgraph import connected_components

    projection = np.abs(directions.T @ directions)
    own = np.diag(projection)
    count, label = connected_components(projection > 1e-3 * max(float(own.max(initial=0.0)), 1e-300), directed=False)
    groups = [np.flatnonzero(label == number) for number in range(count)]
    return [group for group in groups if own[group].max() > 1e-3]


def _turning(name: str) -> str:
    """Of a direction of which one coordinate is idle."""
    return f"turning {name} one way does not change the image"


def _once(names: Sequence[str], which: NDArray[np.bool_]) -> list[str]:
    """The names of some coordinates, each once."""
    return list(dict.fromkeys(name for name, chosen in zip(names, which, strict=True) if chosen))


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
