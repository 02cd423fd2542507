"""Recovering parameters of a scene from an image."""

from diffrt.fit.outputs import write_result
from diffrt.fit.problem import METHODS, Problem, make_problem, read_problem
from diffrt.fit.solver import Result, solve

__all__ = ["METHODS", "Problem", "Result", "make_problem", "read_problem", "solve", "write_result"]
