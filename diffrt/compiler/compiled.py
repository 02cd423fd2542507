"""The LLVM engine: mappings as machine code, in threads over pieces.

A piece is computed by one thread and leaves its own sums, which are added up in the order of the pieces. So neither
the number of threads nor their speed can change a bit of the result.
"""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from diffrt.autograd import not_equal
from diffrt.autograd.variable import recording
from diffrt.compiler import code_cache, native
from diffrt.compiler.engine import Engine
from diffrt.compiler.llvm import Form, write
from diffrt.compiler.mapping import Mapping, Search, own_slots
from diffrt.compiler.program import (
    ROW,
    SAMPLE,
    TABLE_FIELD,
    UNIFORM,
    NoMachineCode,
    Recorder,
    TableInput,
    abstract,
    as_nodes,
)
from diffrt.compiler.runs import Runs

ALONE = 65_536
"""With fewer samples the calling thread does them all, before another thread would be awake."""

SHARE = 1024
"""The fewest samples that a thread takes at once."""

MANY = 100_000
"""Samples from which on it pays to compile shading well, which takes twice as long."""


@dataclass(frozen=True)
class Spec:
    """An input of a program: its kind, its shape without the last axis, and whether it holds booleans. A table has the
    specs of its fields."""

    kind: str
    shape: tuple[int, ...] = ()
    boolean: bool = False
    fields: tuple[tuple[int, ...], ...] = ()


class Program:
    """One function, recorded and compiled, or found in the cache.

    kinds: how each result is kept. shapes: of the results, without the axis of samples.
    """

    def __init__(
        self, function: Callable[..., Any], specs: tuple[Spec, ...], kinds: tuple[str, ...] | None, form: Form
    ):
        self.form = form
        self._function, self._specs, self._kinds = function, specs, kinds
        name = _name(function)
        key = name and native.key_of(name, repr((specs, kinds, form)), native.source())
        kept = code_cache.read(key) if key else None
        if kept is not None:
            head, _, code = kept.partition(b"\n")
            self.shapes = [tuple(shape) for shape in json.loads(head)]
        else:
            self.shapes = [np.shape(r)[:-1] for r in self._recorded[1]]
            text = self._text(form)
            code = native.compile_text(text, form.effort) if key else native.compiled(text, form.effort)
            if key:
                code_cache.write(key, json.dumps(self.shapes).encode() + b"\n" + code)
        self.kinds = kinds or (SAMPLE,) * len(self.shapes)
        self.native = native.Native(code)
        self.columns = sum(int(np.prod(s)) for s, kind in zip(self.shapes, self.kinds, strict=True) if kind != SAMPLE)

    @cached_property
    def exact(self) -> native.Native:
        """That in which zero wins in the chain rule everywhere; some lanes of some scenes need it."""
        return native.Native(native.compiled(self._text(replace(self.form, exact=True)), self.form.effort))

    @cached_property
    def _recorded(self) -> tuple[Recorder, list[Any]]:
        """The function on nodes."""
        recorder = Recorder()
        place, tables = 0, 0
        inputs: list[Any] = []
        for spec in self._specs:
            if spec.kind == TABLE_FIELD:
                inputs.append(TableInput(recorder, tables, place, spec.fields))
                place, tables = place + len(spec.fields), tables + 1
                continue
            array = abstract(recorder, spec.kind, place, spec.shape)
            inputs.append(not_equal(array, 0.0) if spec.boolean else array)
            place += 1
        with recording(), np.errstate(all="ignore"):
            return recorder, self._function(inputs)

    def _text(self, form: Form) -> str:
        recorder, results = self._recorded
        nodes = [
            [recorder.make("where", n, 1.0, 0.0) if n.boolean else n for n in as_nodes(recorder, r).ravel()]
            for r in results
        ]
        return write(recorder, self._kinds or (SAMPLE,) * len(nodes), nodes, form)


def _name(function: Any) -> str | None:
    """What tells a function of the package from every other one; None for a function from elsewhere."""
    if is_dataclass(function):
        parts = []
        for f in fields(function):
            value = getattr(function, f.name)
            part = _name(value) if callable(value) else repr(value)
            if part is None:
                return None
            parts.append(part)
        return f"{type(function).__name__}({', '.join(parts)})"
    if not function.__module__.startswith("diffrt."):
        return None
    return f"{function.__module__}.{function.__qualname__}"


def program(
    function: Callable[..., Any], specs: tuple[Spec, ...], kinds: tuple[str, ...] | None, form: Form
) -> Program:
    """The program of a function, the same one for the same structure. Raises NoMachineCode."""
    made = _program(function, specs, kinds, form)
    if isinstance(made, NoMachineCode):
        raise made
    return made


@cache
def _program(
    function: Callable[..., Any], specs: tuple[Spec, ...], kinds: tuple[str, ...] | None, form: Form
) -> Program | NoMachineCode:
    """A failure is kept too, so that it is not found again in every call."""
    try:
        return Program(function, specs, kinds, form)
    except NoMachineCode as fault:
        return fault.with_traceback(None)


def form_of(engine: Engine, shading: bool, often: bool) -> Form:
    """How a program is written for an engine."""
    width = native.host()[2]
    if shading and engine.dtype == "float32":
        return Form("float", 2 * width, True, effort=2 if often else 0)
    return Form("double", width, shading, effort=2 if often else 0)


def run(mapping: Mapping, inputs: Sequence[Any], runs: Runs, engine: Engine, shading: bool) -> list[Any]:
    """The results of a mapping."""
    form = form_of(engine, shading, shading and len(runs.labels) >= MANY)
    size = len(runs.labels)
    order = runs.order
    real = np.float32 if form.real == "float" else np.float64
    slots = mapping.inputs
    arrays = []
    for slot, x in zip(slots, inputs, strict=True):
        if slot.kind == SAMPLE and order is not None:
            x = x[..., order]
        arrays.append(np.ascontiguousarray(x, real))
    count = size if order is None else len(order)
    padded = max(count, form.width)
    if padded > count:
        arrays = [_padded(a, padded) if s.kind == SAMPLE else a for s, a in zip(slots, arrays, strict=True)]
    results: list[Any] = [None] * len(mapping.results)
    jobs = []
    for case, function in enumerate(mapping.functions):
        own, kept = own_slots(slots, case), own_slots(mapping.results, case)
        specs = tuple(
            Spec(slots[i].kind, np.shape(inputs[i]) if slots[i].kind == UNIFORM else arrays[i].shape[:-1],
                 np.asarray(inputs[i]).dtype == bool)
            for i in own
        )  # fmt: skip
        made = program(function, specs, tuple(mapping.results[i].kind for i in kept), form)
        for place, shape, kind in zip(kept, made.shapes, made.kinds, strict=True):
            if kind == SAMPLE and results[place] is None:
                # Samples that are left out, and lanes of a vector beyond the last sample, are 0.
                whole = runs.complete or order is not None
                results[place] = (np.empty if whole and count else np.zeros)((*shape, padded), real)
        outputs = [results[i] for i, kind in zip(kept, made.kinds, strict=True) if kind == SAMPLE]
        jobs.append(Job(made, [arrays[i] for i in own], outputs, runs.pieces[case], [runs.rows[case]], padded))
    execute(jobs, engine.threads)
    for case, job in enumerate(jobs):
        kept = own_slots(mapping.results, case)
        column = 0
        for place, shape, kind in zip(kept, job.program.shapes, job.program.kinds, strict=True):
            if kind == SAMPLE:
                continue
            width = int(np.prod(shape))
            sums = job.sums[:, column : column + width].astype(np.float64)
            column += width
            if kind == UNIFORM:
                total = sums.sum(0).reshape(shape)
            else:
                rows = runs.rows[case]
                lines = [np.bincount(job.pieces[:, 2], s, rows) for s in sums.T]
                total = np.array(lines).reshape(*shape, rows)
            results[place] = total if results[place] is None else results[place] + total
    for i, slot in enumerate(mapping.results):
        if slot.kind == SAMPLE:
            found = results[i][..., :count]
            if order is not None:
                make = np.empty if runs.complete else np.zeros
                back: Any = make((*found.shape[:-1], size), real)
                back[..., order] = found
                found = back
            results[i] = found
    return results


def search(function: Search, inputs: Sequence[Any], runs: Runs, engine: Engine, often: bool) -> list[Any]:
    """The results per sample of a function that may hold loops over tables; these inputs are lists of fields."""
    form = form_of(engine, False, often)
    size, order = len(runs.labels), runs.order
    padded = max(size, form.width)
    specs, arrays = [], []
    counts = [runs.rows[0]]
    last = function.uniforms + function.rows
    for i, x in enumerate(inputs):
        if i >= last + function.samples:
            specs.append(Spec(TABLE_FIELD, fields=tuple(f.shape[:-1] for f in x)))
            arrays += [np.ascontiguousarray(f, np.float64) for f in x]
            counts.append(x[0].shape[-1])
            continue
        kind = UNIFORM if i < function.uniforms else ROW if i < last else SAMPLE
        boolean = np.asarray(x).dtype == bool
        if kind == SAMPLE and order is not None:
            x = x[..., order]
        array = np.ascontiguousarray(x, np.float64)
        specs.append(Spec(kind, np.shape(x) if kind == UNIFORM else array.shape[:-1], boolean))
        arrays.append(_padded(array, padded) if kind == SAMPLE and padded > size else array)
    made = program(function, tuple(specs), None, form)
    results = [np.empty((*shape, padded)) for shape in made.shapes]
    execute([Job(made, arrays, results, runs.pieces[0], counts, padded)], engine.threads)
    results = [r[..., :size] for r in results]
    if order is not None:
        for i, found in enumerate(results):
            results[i] = np.empty_like(found)
            results[i][..., order] = found
    return results


def _padded(x: Any, size: int) -> Any:
    missing = size - x.shape[-1]
    return np.ascontiguousarray(
        np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)], "edge" if x.shape[-1] else "constant")
    )


class Job:
    """One program on its pieces."""

    def __init__(self, program: Program, inputs: list[Any], outputs: list[Any], pieces: Any, counts: list[int],
                 samples: int) -> None:  # fmt: skip
        self.program, self.pieces, self.samples = program, pieces, samples
        self.sums = np.empty((len(pieces), program.columns + 1), np.float32 if program.form.real == "float" else float)
        self._keep = inputs, outputs
        self._inputs = np.array([_address(a) for a in inputs] or [0], np.uint64)
        self._outputs = np.array([_address(a) for a in outputs] or [0], np.uint64)
        self._counts = np.array(counts, np.int64)

    def run(self, first: int, last: int, code: native.Native | None = None) -> None:
        """Do some of the pieces."""
        (code or self.program.native).call(
            self._inputs.ctypes.data, self._outputs.ctypes.data, self.sums.ctypes.data, self.pieces.ctypes.data,
            self._counts.ctypes.data, first, last, self.samples,
        )  # fmt: skip

    def again(self) -> None:
        """Do the pieces again in which a nan stands where zero should have won."""
        for piece in np.flatnonzero(self.sums[:, -1]).tolist() if len(self.sums) else ():
            self.run(piece, piece + 1, self.program.exact)


def _address(array: Any) -> int:
    address: int = array.__array_interface__["data"][0]  # faster than .ctypes
    return address


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "diffrt")


def execute(jobs: Sequence[Job], threads: int) -> None:
    """Run programs on all their pieces."""
    tasks = []
    total = sum(int((j.pieces[:, 1] - j.pieces[:, 0]).sum()) for j in jobs)
    for job in jobs:
        if not len(job.pieces):
            continue
        if threads == 1 or total < ALONE:
            job.run(0, len(job.pieces))
            continue
        done = np.cumsum(job.pieces[:, 1] - job.pieces[:, 0])
        share = max(total / (8 * threads), SHARE)
        cuts = np.searchsorted(done, np.arange(share, done[-1], share)) + 1
        bounds = np.unique([0, *cuts, len(job.pieces)]).tolist()
        tasks += [(job, a, b) for a, b in pairwise(bounds)]
    if tasks:
        waiting = [_pool(threads).submit(job.run, a, b) for job, a, b in tasks[1:]]
        tasks[0][0].run(*tasks[0][1:])
        for task in waiting:
            task.result()
    for job in jobs:
        job.again()
