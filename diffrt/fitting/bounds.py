"""Bounds for optimisers that know none: coordinates v without ends in place of bounded ones u.

    lower and upper   u = middle + half sin(v)              half = (upper - lower) / 2
    lower only        u = lower - 1 + sqrt(v^2 + 1)
    upper only        u = upper + 1 - sqrt(v^2 + 1)
    neither           u = v

(James and Roos, Minuit, Computer Physics Communications 10, 1975.) At a bound u does not move with v, so a start there
is put a little inside, where it does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffrt.types import Array

INSIDE = 1e-3
"""How far v stays from where u does not move."""


@dataclass(frozen=True)
class Endless:
    """Coordinates without ends. lower, upper: bounds of u, infinite where there are none, (k,)."""

    lower: Array
    upper: Array

    def outside(self, u: Array) -> Array:
        """v of u, (k,)."""
        with np.errstate(invalid="ignore"):
            turn = np.arcsin(np.clip((u - self._middle) / self._half, -1.0, 1.0))
            rise = np.sqrt(np.maximum((np.minimum(u - self.lower, self.upper - u) + 1.0) ** 2 - 1.0, 0.0))
        most = 0.5 * np.pi - INSIDE
        return np.where(self._both, np.clip(turn, -most, most), np.where(self._one, np.maximum(rise, INSIDE), u))

    def inside(self, v: Array) -> tuple[Array, Array]:
        """u of v, and its derivative, (k,) each."""
        root = np.hypot(v, 1.0)
        low = np.isfinite(self.lower)
        with np.errstate(invalid="ignore"):
            one = np.where(low, self.lower - 1.0 + root, self.upper + 1.0 - root)
            u = np.where(self._both, self._middle + self._half * np.sin(v), np.where(self._one, one, v))
            slope = np.where(self._both, self._half * np.cos(v), np.where(self._one, np.where(low, v, -v) / root, 1.0))
        return np.clip(u, self.lower, self.upper), slope

    @property
    def _both(self) -> NDArray[np.bool_]:
        return np.isfinite(self.lower) & np.isfinite(self.upper)

    @property
    def _one(self) -> NDArray[np.bool_]:
        return np.isfinite(self.lower) ^ np.isfinite(self.upper)

    @property
    def _middle(self) -> Array:
        return np.where(self._both, 0.5 * (self.lower + self.upper), 0.0)

    @property
    def _half(self) -> Array:
        return np.where(self._both, 0.5 * (self.upper - self.lower), 1.0)
