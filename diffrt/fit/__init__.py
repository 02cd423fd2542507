"""Recovering parameters of a scene from images. `diffrt.fit(scene, target, free)` fits: the package is callable, so
that it can share its name."""

import sys
from types import ModuleType
from typing import Any

from diffrt.fit.fitting import fit
from diffrt.fit.outputs import write_result
from diffrt.fit.problem import Problem, make_problem
from diffrt.fit.reading import read_problem
from diffrt.fit.result import Result
from diffrt.fit.settings import METHODS, Settings
from diffrt.fit.solver import solve, solve_into

__all__ = ["METHODS", "Problem", "Result", "Settings", "fit", "make_problem", "read_problem", "solve",
           "solve_into", "write_result"]  # fmt: skip


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        return fit(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
