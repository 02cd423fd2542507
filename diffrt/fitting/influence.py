"""Whether parameters change the image at all, and whether the loss feels it."""

import numpy as np

from diffrt.errors import InputError
from diffrt.fitting.problem import Problem
from diffrt.fitting.triangle import Triangle

PULL = 1e-3
"""A parameter has no pull if the cosine of the residual and its derivatives is smaller than this."""


def check_influence(problem: Problem, triangle: Triangle) -> None:
    """Raises InputError, naming them, if free parameters do not change the image at all."""
    idle = [
        free.name
        for free, at in zip(problem.variables.free, parts(problem), strict=True)
        if not triangle.lengths[at].any()
    ]
    if idle:
        does = "have" if len(idle) > 1 else "has"
        raise InputError(
            f"free: {', '.join(idle)} {does} no influence on the image at the start: out of view, behind something, "
            "or a light behind every surface in view; give another start, or do not free it"
        )


def pulls(problem: Problem, triangle: Triangle) -> tuple[str, ...]:
    """Notes on parameters that change the image at the start, but not the loss."""
    size = np.sqrt(triangle.squares)
    if size**2 <= 1e-20 * max(triangle.count, 1):
        return ()
    notes = []
    for free, at in zip(problem.variables.free, parts(problem), strict=True):
        cosine = np.abs(triangle.slope[at]) / np.maximum(triangle.lengths[at] * size, 1e-300)
        if cosine.max() < PULL:
            notes.append(f"at the start {free.name} has no pull: moving it a little does not change the loss")
    return tuple(notes)


def parts(problem: Problem) -> list[slice]:
    """Where the coordinates of each free parameter are."""
    ends = np.cumsum([free.size for free in problem.variables.free]).tolist()
    return [slice(end - free.size, end) for free, end in zip(problem.variables.free, ends, strict=True)]
