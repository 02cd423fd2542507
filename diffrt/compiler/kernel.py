"""A kernel: one function over many samples, as a single op of the autograd core.

The function is module-level and closes over nothing. It is called as function(setting, uniforms, rows, samples), each
of the three a structure with names of the caller's own (see `structures.py`), with numbers for some samples, for one,
or without numbers to be recorded; `batched.py` says how numbers reach it. Nothing per sample is stored between the
passes: the reverse pass runs the function again and sweeps back at once, and so does the forward mode.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from diffrt.autograd import Op, concatenate, index, reshape
from diffrt.autograd.variable import Var, apply, shape_of
from diffrt.compiler import compiled, reference, unfolded
from diffrt.compiler.batched import BatchedFunction, Formula, Search
from diffrt.compiler.engine import Engine, EngineMissing
from diffrt.compiler.program import ROW, SAMPLE, TABLE_FIELD, UNIFORM, NoMachineCode
from diffrt.compiler.segments import Segments, one_segment
from diffrt.compiler.structures import Skeleton, Table, taken_apart

SHORT = 400_000
"""Characters of the text of a search that is compiled well: that takes up to a fifth of a second more."""

COLUMNS = 4
"""Tangents that compiled code takes at once."""


def kernel(
    function: Callable[..., Any],
    setting: Any,
    uniforms: Any,
    rows: Any,
    samples: Any,
    engine: Engine,
    segments: Segments | None = None,
    shading: bool = False,
) -> Any:
    """Map a function over N samples.

    function: called as function(setting, uniforms, rows, samples) with structures of uniforms (..., 1) and rows and
    samples (..., n); it returns (..., n) or (..., 1). setting: hashable; what the function depends on besides numbers.
    uniforms: a structure of arrays or Vars (...). rows: of (..., K), or a Table of it for many calls. samples: of (...,
    N).
    segments: the row of each sample; None if there are no rows. shading: whether the engine's dtype counts, and
    rounding may differ from numpy's in the last place.
    Returns (..., N), 0 for samples that are left out; a Var if an input is one: of one op, or of
    all those of the function if the engine is "graph".
    """
    skeleton, inputs = taken_apart(uniforms, rows, samples)
    kinds = _kinds(skeleton)
    segments = segments or one_segment(shape_of(inputs[-1])[-1])
    if engine.name == "graph":
        return unfolded.run(function, setting, uniforms, rows, samples, segments)
    batched = BatchedFunction(Formula(function, setting, skeleton), kinds, (SAMPLE,))
    if not any(isinstance(x, Var) for x in inputs):
        return _run(batched, inputs, segments, engine, shading)[0]
    settings = {"batched": batched, "shapes": None, "segments": segments, "engine": engine, "shading": shading}
    return apply(_KERNEL, tuple(_opened(kinds, inputs)), settings)


def search(
    function: Callable[..., Any],
    setting: Any,
    uniforms: Any,
    rows: Any,
    samples: Any,
    tables: Any,
    engine: Engine,
    segments: Segments | None = None,
    well: float = SHORT,
) -> Any:
    """Map a function with loops in it over N samples. It is not differentiated.

    function: called as function(setting, uniforms, rows, samples, tables); it returns a structure of results (..., n).
    tables: a structure of Tables, for `scan`. The rest is as for `kernel`, without Vars; no sample is left out.
    well: how many characters its code may have to be compiled well. Returns a list of the arrays of the results, (...,
    N) each.
    """
    skeleton, inputs = taken_apart(uniforms, rows, samples, tables)
    kinds = _kinds(skeleton)
    segments = segments or one_segment(shape_of(inputs[len(inputs) - kinds.count(TABLE_FIELD) - 1])[-1])
    size = len(segments.rows)
    formula = Search(function, setting, skeleton)
    if engine.name == "llvm":
        try:
            return compiled.search(formula, kinds, inputs, segments, engine, well)
        except NoMachineCode as fault:
            _tell(fault.op)
    inputs = _opened(kinds, inputs)
    if not size:  # numpy must see a sample to know the shapes of the results
        inputs = [x if np.size(x) or kind not in (ROW, SAMPLE) else np.zeros((*shape_of(x)[:-1], 1))
                  for kind, x in zip(kinds, inputs, strict=True)]  # fmt: skip
        return [found[..., :0] for found in reference.search(formula, kinds, inputs, one_segment(1))]
    return reference.search(formula, kinds, inputs, segments)


def _opened(kinds: Sequence[str], inputs: Sequence[Any]) -> list[Any]:
    """The inputs, with the columns of a Table in place of it where it stands for rows."""
    found: list[Any] = []
    for x in inputs:
        rows = isinstance(x, Table) and kinds[len(found)] == ROW
        found += x.parts[1] if rows else [x]
    return found


@cache
def _kinds(arguments: Skeleton) -> tuple[str, ...]:
    """How each of the arrays reaches a sample."""
    parts = zip((UNIFORM, ROW, SAMPLE, TABLE_FIELD), arguments.parts, strict=False)
    return tuple(kind for kind, part in parts for _ in range(part.size))


def _run(batched: BatchedFunction, inputs: Sequence[Any], segments: Segments, engine: Engine,
         shading: bool) -> list[Any]:  # fmt: skip
    """The results of a batched function on plain inputs."""
    if engine.name == "llvm":
        try:
            if engine.dtype != "float64":
                inputs = _opened(batched.inputs, inputs)
            return compiled.run(batched, inputs, segments, engine, shading)
        except NoMachineCode as fault:
            _tell(fault.op)
    return reference.run(batched, _opened(batched.inputs, inputs), segments)


@cache
def _tell(op: str) -> None:
    warnings.warn(f"the op {op} cannot be compiled; numpy runs the kernels that use it, many times slower",
                  EngineMissing, stacklevel=2)  # fmt: skip


def _derived(
    batched: BatchedFunction, inputs: Sequence[Any], shapes: list[tuple[int, ...]], settings: Any
) -> list[Any]:
    """The results of a batched function, Vars where an input is one."""
    if not any(isinstance(x, Var) for x in inputs):
        return _run(batched, inputs, **settings)
    packed = apply(_KERNEL, tuple(inputs), {"batched": batched, "shapes": tuple(shapes), **settings})
    return _unpacked(packed, shapes)


def _unpacked(packed: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    if len(shapes) == 1:
        return [packed]
    ends = np.cumsum([0, *(int(np.prod(s)) for s in shapes)]).tolist()
    return [reshape(index(packed, slice(a, b)), s) for a, b, s in zip(ends, ends[1:], shapes, strict=False)]


def _forward(*inputs: Any, batched: BatchedFunction, shapes: Any, **settings: Any) -> Any:
    found = _run(batched, inputs, **settings)
    return found[0] if len(found) == 1 else np.concatenate([np.ravel(r) for r in found])


def _shapes(out: Any, shapes: Any) -> list[tuple[int, ...]]:
    return [shape_of(out)] if shapes is None or len(shapes) == 1 else list(shapes)


def _vjp(g: Any, out: Any, inputs: Sequence[Any], wanted: Sequence[bool], batched: BatchedFunction, shapes: Any,
         **settings: Any) -> list[Any]:  # fmt: skip
    seeds = _unpacked(g, _shapes(out, shapes))
    kept = [shape_of(x) for x, w in zip(inputs, wanted, strict=True) if w]
    parts = iter(_derived(batched.adjoint(tuple(wanted)), [*inputs, *seeds], kept, settings))
    return [next(parts) if w else None for w in wanted]


def _jvp(tangents: Sequence[Any], out: Any, inputs: Sequence[Any], batched: BatchedFunction, shapes: Any,
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
            zero = np.zeros(shape_of(inputs[i]))
            given += [zero if tangents[i][k] is None else tangents[i][k] for k in some]
            given += [zero] * (size - len(some))
        kept = [s for s in results for _ in range(size)]
        parts = _derived(batched.tangent(moving, size), [*inputs, *given], kept, settings)
        for j, k in enumerate(some):
            own = [reshape(p, (-1,)) for p in parts[j::size]] if len(results) > 1 else parts[j::size]
            columns[k] = concatenate(own) if len(own) > 1 else own[0]
    return columns


_KERNEL = Op("kernel", _forward, "kernel", vjp=_vjp, jvp=_jvp)
