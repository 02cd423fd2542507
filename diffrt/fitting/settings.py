"""How a fit searches."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from diffrt.errors import InputError, did_you_mean, shown

Loss: TypeAlias = Literal["squared", "huber", "soft_l1"]
Space: TypeAlias = Literal["linear", "srgb"]
Start: TypeAlias = Literal["scene", "image"]
Method: TypeAlias = Literal[
    "least_squares", "L-BFGS-B", "TNC", "SLSQP", "trust-constr", "BFGS", "CG", "Newton-CG"
]  # fmt: skip
"""Our least squares, and the methods of scipy's minimize that work with a gradient."""

LOSSES, SPACES, METHODS, BEGINNINGS = get_args(Loss), get_args(Space), get_args(Method), get_args(Start)

BOUNDED = METHODS[:5]
"""Methods that keep bounds by themselves."""

_WHOLE = {"cells": (1, 64), "iterations": (1, 100_000), "starts": (1, 4096), "refine": (1, 1024),
          "seed": (0, 2**63 - 1)}  # fmt: skip
_WORDS = {"method": METHODS, "loss": LOSSES, "space": SPACES, "start": BEGINNINGS}

MOST_LEVELS = 32
_BLURS = (0.1, 1e4)  # in pixels; a Gaussian of a tenth of a pixel leaves an image as it is, to rounding
SCALES = (1e-9, 1e9)


@dataclass(frozen=True)
class Settings:
    """How a fit searches.

    cells: per pixel side. method: one of METHODS. loss, scale: see `residual.py`; the scale is in units of the image,
    1e-9 to 1e9, None for 1.345 times the spread of the differences. space: what is compared, "linear" values or "srgb"
    encoded ones. iterations: the most evaluations (least_squares) or iterations (others) at each level. levels: blurs
    from coarse to fine, before the full image, at most MOST_LEVELS of 0.1 to 10,000 pixels; () for none, None for
    automatic. start: where to start from, the values of the "scene", or the "image" itself (see `image_start.py`).
    starts: how many points in the bounds are tried; 1 is the start that is given. refine: how many of them, the best,
    are searched from. seed: of these points. noise: of the camera, its read noise (a standard deviation) and its shot
    noise (a variance for each unit of brightness), both in linear values; None if it is to be estimated.
    Raises InputError, one line per mistake.
    """

    cells: int = 1
    method: Method = "least_squares"
    loss: Loss = "squared"
    scale: float | None = None
    space: Space = "linear"
    iterations: int = 200
    levels: tuple[float, ...] | None = None
    start: Start = "scene"
    starts: int = 1
    refine: int = 4
    seed: int = 0
    noise: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        problems = []
        for key, (least, most) in _WHOLE.items():
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
                problems.append(f"{key}: found {shown(value)}, allowed: a whole number from {least} to {most}")
        for key, allowed in _WORDS.items():
            value = getattr(self, key)
            if not isinstance(value, str) or value not in allowed:
                hint = did_you_mean(value, allowed) if isinstance(value, str) else ""
                hint = f"; {hint}" if hint.startswith("did") else ""
                problems.append(f"{key}: found {shown(value)}, allowed: one of {', '.join(allowed)}{hint}")
        if self.scale is not None and not _is_number(self.scale, *SCALES):
            problems.append(f"scale: found {shown(self.scale)}, allowed: a number from 1e-9 to 1e9")
        if self.noise is not None:
            if (
                isinstance(self.noise, Sequence)
                and len(self.noise) == 2
                and all(_is_number(n, 0, 1e9) for n in self.noise)
            ):
                object.__setattr__(self, "noise", (float(self.noise[0]), float(self.noise[1])))
            else:
                problems.append(
                    f"noise: found {shown(self.noise)}, allowed: read noise and shot noise, two numbers from 0"
                )
        blurs = self.levels
        if blurs is not None:
            if isinstance(blurs, Sequence) and len(blurs) > MOST_LEVELS:
                problems.append(f"levels: found {len(blurs)} blurs, allowed: at most {MOST_LEVELS}")
            elif isinstance(blurs, Sequence) and all(_is_number(blur, *_BLURS) for blur in blurs):
                object.__setattr__(self, "levels", tuple(float(b) for b in blurs))
            else:
                problems.append(
                    f"levels: found {shown(blurs)}, allowed: blurs from 0.1 to 10000 pixels, from the coarsest"
                )
        if problems:
            raise InputError(*problems)


SETTINGS = tuple(f.name for f in fields(Settings))


def _is_number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
