"""A kernel: one function over many samples, as a single op of the autograd core.

The function is module-level and closes over nothing. It is called as function(structure, uniforms, rows, samples),
with numbers for some samples, for one, or without numbers to be recorded; see `mapping.py` for how numbers reach it.
Nothing per sample is stored between the passes: the reverse pass runs the function again and sweeps back at once, and
so does the forward mode.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from diffrt.autograd import Op, concatenate, index, reshape
from diffrt.autograd.variable import Var, apply
from diffrt.compiler import compiled, reference
from diffrt.compiler.engine import Engine, EngineMissing
from diffrt.compiler.mapping import Formula, Mapping, Search, Slot
from diffrt.compiler.program import ROW, SAMPLE, UNIFORM, NoMachineCode
from diffrt.compiler.runs import Runs, one_run

COLUMNS = 4
"""Tangents that compiled code takes at once."""


@dataclass(frozen=True)
class Case:
    """Samples of one structure. structure: hashable. rows: fields (..., K) of a table, a Var or an array each."""

    structure: Any
    rows: Sequence[Any] = ()


def kernel(
    function: Callable[..., Any],
    uniforms: Sequence[Any],
    cases: Sequence[Case],
    samples: Sequence[Any],
    engine: Engine,
    runs: Runs | None = None,
    shading: bool = False,
) -> Any:
    """Map a function over N samples.

    function: called as function(structure, uniforms, rows, samples) with uniforms (..., 1), rows and samples (..., n)
    of one case; it returns (..., n) or (..., 1). uniforms: (...). samples: (..., N).
    runs: the label of each sample, with as many rows for each case as its fields have; all are of the one case, if
    None. shading: whether the engine's dtype counts, and rounding may differ from numpy's in the last place.
    Returns (..., N), 0 for samples that are left out; a Var if an input is one.
    """
    runs = runs or one_run(_shape(samples[0])[-1])
    rows = [field for case in cases for field in case.rows]
    slots = (
        *(Slot(UNIFORM) for _ in uniforms),
        *(Slot(ROW, k) for k, case in enumerate(cases) for _ in case.rows),
        *(Slot(SAMPLE) for _ in samples),
    )
    formulas = tuple(Formula(function, case.structure, len(uniforms), len(case.rows)) for case in cases)
    inputs = [*uniforms, *rows, *samples]
    settings = {"runs": runs, "engine": engine, "shading": shading}
    mapping = Mapping(formulas, slots, (Slot(SAMPLE),))
    return apply(_KERNEL, tuple(inputs), {"mapping": mapping, "shapes": None, **settings})


def search(
    function: Callable[..., Any],
    structure: Any,
    uniforms: Sequence[Any],
    rows: Sequence[Any],
    samples: Sequence[Any],
    tables: Sequence[Sequence[Any]],
    engine: Engine,
    runs: Runs | None = None,
    often: bool = False,
) -> list[Any]:
    """Map a function with loops in it over N samples. It is not differentiated.

    function: called as function(structure, uniforms, rows, samples, tables), where tables are for `fold`; it returns a
    list of results (..., n). tables: the fields (..., K) of each. The rest is as for `kernel`, of one case and without
    Vars; no sample is left out. often: whether it is worth the time to compile it well.
    """
    whole = Search(function, structure, len(uniforms), len(rows), len(samples))
    inputs = [*uniforms, *rows, *samples, *tables]
    runs = runs or one_run(_shape(samples[0])[-1])
    if engine.name != "numpy":
        try:
            return compiled.search(whole, inputs, runs, engine, often)
        except NoMachineCode as fault:
            _tell(fault.op)
    return reference.search(whole, inputs, runs)


def _run(mapping: Mapping, inputs: Sequence[Any], runs: Runs, engine: Engine, shading: bool) -> list[Any]:
    """The results of a mapping on plain inputs."""
    if engine.name != "numpy":
        try:
            return compiled.run(mapping, inputs, runs, engine, shading)
        except NoMachineCode as fault:
            _tell(fault.op)
    return reference.run(mapping, inputs, runs)


@cache
def _tell(op: str) -> None:
    warnings.warn(f"the op {op} cannot be compiled; numpy runs the kernels that use it, many times slower",
                  EngineMissing, stacklevel=2)  # fmt: skip


def _derived(mapping: Mapping, inputs: Sequence[Any], shapes: list[tuple[int, ...]], settings: Any) -> list[Any]:
    """The results of a mapping, Vars where an input is one."""
    if not any(isinstance(x, Var) for x in inputs):
        return _run(mapping, inputs, **settings)
    packed = apply(_KERNEL, tuple(inputs), {"mapping": mapping, "shapes": tuple(shapes), **settings})
    return _unpacked(packed, shapes)


def _unpacked(packed: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    if len(shapes) == 1:
        return [packed]
    ends = np.cumsum([0, *(int(np.prod(s)) for s in shapes)]).tolist()
    return [reshape(index(packed, slice(a, b)), s) for a, b, s in zip(ends, ends[1:], shapes, strict=False)]


def _forward(*inputs: Any, mapping: Mapping, shapes: Any, **settings: Any) -> Any:
    found = _run(mapping, inputs, **settings)
    return found[0] if len(found) == 1 else np.concatenate([np.ravel(r) for r in found])


def _shapes(out: Any, shapes: Any) -> list[tuple[int, ...]]:
    return [_shape(out)] if shapes is None or len(shapes) == 1 else list(shapes)


def _vjp(g: Any, out: Any, inputs: Sequence[Any], wanted: Sequence[bool], mapping: Mapping, shapes: Any,
         **settings: Any) -> list[Any]:  # fmt: skip
    seeds = _unpacked(g, _shapes(out, shapes))
    kept = [_shape(x) for x, w in zip(inputs, wanted, strict=True) if w]
    parts = iter(_derived(mapping.adjoint(tuple(wanted)), [*inputs, *seeds], kept, settings))
    return [next(parts) if w else None for w in wanted]


def _jvp(tangents: Sequence[Any], out: Any, inputs: Sequence[Any], mapping: Mapping, shapes: Any,
         **settings: Any) -> list[Any]:  # fmt: skip
    results = _shapes(out, shapes)
    count = next(len(ts) for ts in tangents if ts is not None)
    moving = tuple(i for i, ts in enumerate(tangents) if ts is not None and any(t is not None for t in ts))
    used = [k for k in range(count) if any(tangents[i][k] is not None for i in moving)]
    columns: list[Any] = [None] * count
    size = len(used) if settings["engine"].name == "numpy" or len(used) == 1 else COLUMNS
    for start in range(0, len(used), max(size, 1)):
        some = used[start : start + size]
        given = []
        for i in moving:
            zero = np.zeros(_shape(inputs[i]))
            given += [zero if tangents[i][k] is None else tangents[i][k] for k in some]
            given += [zero] * (size - len(some))
        kept = [s for s in results for _ in range(size)]
        parts = _derived(mapping.tangent(moving, size), [*inputs, *given], kept, settings)
        for j, k in enumerate(some):
            own = [reshape(p, (-1,)) for p in parts[j::size]] if len(results) > 1 else parts[j::size]
            columns[k] = concatenate(own) if len(own) > 1 else own[0]
    return columns


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if isinstance(x, Var) else np.shape(x)


_KERNEL = Op("kernel", _forward, "kernel", vjp=_vjp, jvp=_jvp)
