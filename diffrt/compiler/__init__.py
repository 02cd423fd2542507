"""Kernels: one function over millions of samples, as a single op; recorded, compiled, or run by numpy."""

from .control import choose, cond, scan, while_loop
from .engine import GRAPH, REFERENCE, Engine, EngineMissing, choose_engine, describe
from .kernel import kernel, search
from .segments import Segments
from .structures import Each, Table

__all__ = [
    "GRAPH",
    "REFERENCE",
    "Each",
    "Engine",
    "EngineMissing",
    "Segments",
    "Table",
    "choose",
    "choose_engine",
    "cond",
    "describe",
    "kernel",
    "scan",
    "search",
    "while_loop",
]
