"""How a fit searches."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

import numpy as np

from diffrt.errors import InputError

LOSSES = ("squared", "huber", "soft_l1")
SPACES = ("linear", "srgb")

BOUNDED = ("least_squares", "L-BFGS-B", "TNC", "SLSQP", "trust-constr")
"""Methods that keep bounds by themselves."""

METHODS = (*BOUNDED, "BFGS", "CG", "Newton-CG")
"""scipy's least_squares, and the methods of its minimize that work with a gradient."""

_WHOLE = {"cells": (1, 64), "iterations": (1, 100_000), "starts": (1, 65_536), "refine": (1, 1024),
          "seed": (0, 2**63 - 1)}  # fmt: skip
_WORDS = {"method": METHODS, "loss": LOSSES, "space": SPACES}


@dataclass(frozen=True)
class Settings:
    """How a fit searches.

    cells: per pixel side. method: one of METHODS. loss, scale: see `residual.py`; the scale is in units of the image.
    space: what is compared, "linear" values or "srgb" encoded ones. iterations: the most evaluations (least_squares) or
    iterations (others) at each level. levels: blurs in pixels from coarse to fine, before the full image; () for none,
    None for automatic (none for a robust loss). starts: how many points in the bounds are tried; 1 is the start that is
    given. refine: how many of them, the best, are searched from. seed: of these points.
    Raises InputError, one line per mistake.
    """

    cells: int = 1
    method: str = "least_squares"
    loss: str = "squared"
    scale: float = 0.05
    space: str = "linear"
    iterations: int = 200
    levels: tuple[float, ...] | None = None
    starts: int = 1
    refine: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        problems = []
        for key, (least, most) in _WHOLE.items():
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
                problems.append(f"{key}: found {value!r:.60}, allowed: a whole number from {least} to {most}")
        for key, allowed in _WORDS.items():
            value = getattr(self, key)
            if value not in allowed:
                near = get_close_matches(str(value), allowed, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                problems.append(f"{key}: found {value!r:.60}, allowed: one of {', '.join(allowed)}{hint}")
        if not (_is_number(self.scale) and 0.0 < self.scale < np.inf):
            problems.append(f"scale: found {self.scale!r:.60}, allowed: a number over 0")
        blurs = self.levels
        if blurs is not None:
            if isinstance(blurs, Sequence) and all(_is_number(b) and 0.0 < b <= 1e4 for b in blurs):
                object.__setattr__(self, "levels", tuple(float(b) for b in blurs))
            else:
                problems.append(f"levels: found {blurs!r:.60}, allowed: blurs in pixels, from the coarsest")
        if problems:
            raise InputError(*problems)


SETTINGS = tuple(f.name for f in fields(Settings))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
