"""Derivatives at a kink: what counts as one.

Where a formula branches, its derivative comes from one side or another. Whatever is a mixture of the derivatives in the
cells that meet there, *one* mixture for all inputs, is a subgradient in the sense of Clarke (1975): at x0 = x1 the
maximum of both has the subgradients (s, 1 - s) with s from 0 to 1, and (1, 1) is none of them, though each entry by
itself lies between two slopes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from diffrt.autograd.backward import reachable
from diffrt.autograd.variable import Var, value_of
from diffrt.marking.branches import Fork
from diffrt.marking.quantities import EPSILON, rounding_of
from diffrt.marking.work import cost, spend
from diffrt.types import Array

_NEAR = 1e-5
"""How far from the kink its sides are looked at, relative to the numbers there."""


@dataclass(frozen=True)
class Sides:
    """The derivatives in the cells that meet at a point, one a row, and whether the function jumps there."""

    derivatives: Array
    jumps: bool

    def mix_to(self, claimed: Array) -> bool:
        """Whether one mixture of the derivatives is what was claimed."""
        if not len(self.derivatives):
            return False
        size = np.abs(self.derivatives).max(0)
        # What is small beside the other columns is rounding.
        size = np.maximum(size, 1e-9 * size.max())
        moving = size > 0.0
        if not np.isfinite(claimed).all() or claimed[~moving].any():
            return False
        columns = self.derivatives[:, moving] / size[moving]
        _, rest = nnls(np.vstack([columns.T, np.ones(len(columns))]), np.append(claimed[moving] / size[moving], 1.0))
        return bool(rest <= 1e-6)


def sides_of(near: Callable[[Array], tuple[float, Array] | None], at: Array, seed: int = 0) -> Sides:
    """The sides of a function at a point: its derivatives on short ways from there, extrapolated to it.

    near: from a point to the value and the derivatives, None where they are not defined.
    """
    here = near(at)
    size = np.where(at != 0.0, np.abs(at), np.abs(at).max(initial=0.0) or 1.0)
    rng = np.random.default_rng(seed)
    # The ways, and the mixing of what is found on them.
    spend((16 + 5 * len(at)) * cost(4, 4 * len(at)) + len(at) ** 3 / 100.0)
    ways = np.vstack([np.eye(len(at)), rng.normal(size=(16 + 4 * len(at), len(at)))])
    found, jumps = [], False
    for way in np.vstack([ways, -ways]):
        far, close = (near(at + step * size * way) for step in (_NEAR, _NEAR / 2.0))
        if far is None or close is None or here is None:
            continue
        found.append(2.0 * close[1] - far[1])
        change, half = abs(far[0] - here[0]), abs(close[0] - here[0])
        jumps |= half > 0.9 * change > 1e4 * EPSILON * abs(here[0])
    sides = np.array(found).reshape(len(found), -1)
    return Sides(sides[np.isfinite(sides).all(1)], jumps)


def is_tied(fork: Fork) -> bool:
    """Whether the numbers of a fork are the same, as far as rounding shows."""
    return any(abs(m) <= 16.0 * rounding_of(fork.margin(k)) for k, m in enumerate(fork.margins))


def infinite_slopes(outputs: list[Var]) -> list[Var]:
    """The steps to some Vars where the slope of an op is infinite, such as a root of 0, or the arcsine of 1."""
    found = []
    for node in reachable(outputs):
        values = list(map(value_of, node.inputs))
        rules = [rule for rule in (node.op and node.op.partials) or () if callable(rule)]
        with np.errstate(all="ignore"):
            steep = any((np.isinf(rule(node.value, *values)) & np.isfinite(node.value)).any() for rule in rules)
        if steep:
            found.append(node)
    return found
