"""Engines: what runs the kernels. "llvm" compiles them for the processor, "numpy" is the reference, and "graph" calls
them on Vars, so that all of their ops are in the graph; its searches are those of the reference."""

import os
import warnings
from dataclasses import dataclass, field
from functools import cache

from diffrt.errors import InputError, shown


class EngineMissing(UserWarning):
    """The compiler cannot be loaded, or cannot compile an op of the user's own, so that numpy runs the kernels."""


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Engine:
    """What runs the kernels.

    name: "llvm", "numpy" or "graph". threads: at the same time, for "llvm"; the result does not depend on it, not in
    one bit. dtype: of shading, "float64" or "float32"; where edges are is always found in float64. Raises InputError
    for others.
    """

    name: str = "llvm"
    threads: int = field(default_factory=processors)
    dtype: str = "float64"

    def __post_init__(self) -> None:
        problems = []
        if not isinstance(self.name, str) or self.name not in ("llvm", "numpy", "graph"):
            problems.append(f'engine: found {shown(self.name)}, allowed: "llvm", "numpy" or "graph"')
        if isinstance(self.threads, bool) or not isinstance(self.threads, int) or not 1 <= self.threads <= 1024:
            problems.append(f"threads: found {shown(self.threads)}, allowed: a whole number from 1 to 1024")
        if not isinstance(self.dtype, str) or self.dtype not in ("float64", "float32"):
            problems.append(f'dtype: found {shown(self.dtype)}, allowed: "float64" or "float32"')
        if problems:
            raise InputError(*problems)


REFERENCE = Engine("numpy", 1)
"""The engine that needs no compiler."""

GRAPH = Engine("graph", 1)
"""The engine by which every op is a node of the graph."""


@cache
def missing() -> str | None:
    """Why the compiler cannot be loaded; None if it can."""
    try:
        from diffrt.compiler import native

        native.host()
    except Exception as fault:  # whatever a broken installation raises
        return f"{type(fault).__name__}: {fault}".splitlines()[0]
    return None


def describe() -> str:
    """The engine that runs if none is asked for, in a line."""
    reason = missing()
    if reason:
        return f"engine numpy: llvmlite cannot be loaded ({reason})"
    from llvmlite import binding

    from diffrt.compiler import code_cache
    from diffrt.compiler.native import host

    cpu, _, width = host()
    version = ".".join(map(str, binding.llvm_version_info[:2]))
    return (
        f"engine llvm: LLVM {version}, {cpu}, {width} doubles per vector, {processors()} threads\n"
        f"{code_cache.describe()}"
    )


def choose_engine(name: str | None = None, threads: int | None = None, dtype: str = "float64") -> Engine:
    """The engine asked for; "llvm" if none is, or "numpy" with a warning where llvmlite cannot be loaded.

    Raises InputError for another name, and for "llvm" where it cannot be loaded.
    """
    engine = Engine("llvm" if name is None else name, processors() if threads is None else threads, dtype)
    reason = missing() if engine.name == "llvm" else None
    if reason is None:
        return engine
    if name is not None:
        raise InputError(f'engine "llvm" cannot be loaded ({reason}); "numpy" needs no compiler')
    warnings.warn(f"llvmlite cannot be loaded ({reason}); numpy runs the kernels, many times slower",
                  EngineMissing, stacklevel=3)  # fmt: skip
    return Engine("numpy", engine.threads, dtype)
