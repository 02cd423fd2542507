"""How sure a fit is: standard errors, correlations, and what the image cannot tell.

Near the solution the residual is linear in the parameters, r = r0 + J dp. With residuals that scatter independently
with variance s^2 = |r|^2 / (m - n), the covariance of the parameters is s^2 (J^T J)^-1 (Bard, Nonlinear Parameter
Estimation, 1974). It is computed from the singular values of J with columns of length one, so that units do not matter.
A direction of parameters with a singular value near zero does not change the image: its parameters have no finite
error, and are named.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FLAT = 1e-7
"""A singular value is zero if it is smaller than this part of the largest."""

TOGETHER = 0.9
"""Correlations from here on are told."""


@dataclass(frozen=True)
class Uncertainty:
    """Of n numbers.

    stderr: standard errors, infinite where the image does not determine a number, (n,). correlation: (n, n), nan for
    those. sigma: standard deviation of the residuals. warnings: in words, worst first.
    """

    stderr: Array
    correlation: Array
    sigma: float
    warnings: tuple[str, ...]


def uncertainty(
    jacobian: Array, residual: Array, names: Sequence[str], held: NDArray[np.bool_] | None = None
) -> Uncertainty:
    """How sure numbers are.

    jacobian: (m, n). residual: (m,). names: of the numbers, (n,). held: those at a bound, (n,), which are taken as
    known.
    """
    count = jacobian.shape[1]
    free = np.ones(count, bool) if held is None else ~held
    stderr, correlation = np.full(count, np.nan), np.full((count, count), np.nan)
    bound = [
        f"{name} is at its bound; the other errors hold for this value of it"
        for name, own in zip(names, free, strict=True)
        if not own
    ]
    chosen = np.flatnonzero(free)
    own = jacobian[:, chosen]
    more = len(residual) - len(chosen)
    sigma = float(np.sqrt((residual @ residual) / more)) if more > 0 else np.nan
    length = np.linalg.norm(own, axis=0)
    seen = length > 0.0
    told = [f"{names[k]} has no influence on the image" for k in chosen[~seen]]
    stderr[chosen[~seen]] = np.inf
    own, chosen, length = own[:, seen], chosen[seen], length[seen]
    if len(chosen):
        _, values, directions = np.linalg.svd(own / length, full_matrices=False)
        flat = values <= FLAT * values[0]
        loose = np.zeros(len(chosen), bool)
        for direction in directions[flat]:
            members = np.abs(direction) > 0.1 * np.abs(direction).max()
            loose |= members
            told.append(f"the image cannot tell {_list([names[chosen[k]] for k in np.flatnonzero(members)])} apart")
        if len(values) < len(chosen):
            loose[:] = True
            told.append(f"{len(chosen)} numbers are free, and the image has {len(residual)}")
        spread = (directions[~flat].T / values[~flat]) @ (directions[~flat] / values[~flat][:, None])
        error = np.sqrt(np.diag(spread))
        stderr[chosen] = np.where(loose, np.inf, sigma * error / length)
        with np.errstate(all="ignore"):
            alike = spread / np.outer(error, error)
        alike[loose] = alike[:, loose] = np.nan
        correlation[np.ix_(chosen, chosen)] = alike
        pairs = [(abs(alike[i, j]), i, j) for i in range(len(chosen)) for j in range(i) if abs(alike[i, j]) > TOGETHER]
        told += [f"{names[chosen[j]]} and {names[chosen[i]]} move together, correlation {alike[i, j]:.3f}"
                 for _, i, j in sorted(pairs, reverse=True)[:5]]  # fmt: skip
    return Uncertainty(stderr, correlation, sigma, (*told, *bound))


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
