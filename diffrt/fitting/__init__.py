"""Recovering parameters of a scene from images: `diffrt.fit(scene, target, free)`."""

from diffrt.fitting.fitting import fit
from diffrt.fitting.outputs import write_result
from diffrt.fitting.problem import Problem, make_problem
from diffrt.fitting.reading import read_problem
from diffrt.fitting.result import Result
from diffrt.fitting.settings import METHODS, Settings
from diffrt.fitting.solver import solve, solve_into

__all__ = ["METHODS", "Problem", "Result", "Settings", "fit", "make_problem", "read_problem", "solve",
           "solve_into", "write_result"]  # fmt: skip
