"""Kernels: one function over millions of samples, as a single op; recorded, compiled, or run by numpy."""

from .engine import REFERENCE, Engine, EngineMissing, choose_engine, describe
from .kernel import Case, kernel, search
from .loops import fold, repeat, when
from .runs import Runs

__all__ = [
    "REFERENCE",
    "Case",
    "Engine",
    "EngineMissing",
    "Runs",
    "choose_engine",
    "describe",
    "fold",
    "kernel",
    "repeat",
    "search",
    "when",
]
