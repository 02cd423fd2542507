"""The LLVM engine: batched functions as machine code, in threads over blocks of samples.

A block is computed by one thread and leaves its own sums, which are added up in the order of the blocks. So neither
the number of threads nor their speed can change a bit of the result.
"""

import gc
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache, cached_property
from itertools import pairwise
from math import inf
from time import perf_counter
from typing import Any

import numpy as np

from diffrt.autograd import not_equal
from diffrt.autograd.variable import Op, recording
from diffrt.compiler import code_cache, native
from diffrt.compiler.batched import BatchedFunction, Search
from diffrt.compiler.engine import Engine
from diffrt.compiler.llvm import CodegenOptions, write
from diffrt.compiler.program import (
    SAMPLE,
    TABLE_FIELD,
    UNIFORM,
    NoMachineCode,
    Recorder,
    TableInput,
    abstract,
    as_nodes,
)
from diffrt.compiler.segments import Segments, one_segment, split
from diffrt.compiler.structures import Skeleton, Table, address_of
from diffrt.waiting import compiled_for

ALONE = 1e-3
"""What takes less than so many seconds the calling thread does all by itself, before another thread would be awake."""

FEW = 200
"""So few samples do not tell how long one takes."""

SHARES = 8
"""How many shares a thread takes of what is to be done, so that none waits long for the others."""

MANY = 100_000
"""Samples from which on it pays to compile shading well, which takes twice as long."""


@dataclass(frozen=True, eq=False)
class Spec:
    """An input of a program: its kind, its shape without the last axis, and whether it holds booleans. A table has the
    shapes of its fields, and the skeleton of its rows. There is only one of each (`_spec`)."""

    kind: str
    shape: tuple[int, ...] = ()
    boolean: bool = False
    fields: tuple[tuple[int, ...], ...] = ()
    skeleton: Skeleton | None = None


_spec = cache(Spec)


@cache
def _specs(kind: str, shapes: tuple[tuple[int, ...], ...], booleans: tuple[bool, ...]) -> list[Spec]:
    """Those of the columns of a table, as inputs of their own."""
    return [_spec(kind, shape, boolean) for shape, boolean in zip(shapes, booleans, strict=True)]


@dataclass(frozen=True, eq=False)
class Memory:
    """Arrays, and tables of them, and where in memory the arrays are."""

    arrays: list[Any]
    addresses: list[int]


@dataclass(frozen=True, eq=False)
class Recording:
    """A function on nodes: what recorded it, and its results."""

    recorder: Recorder
    results: list[Any]

    @staticmethod
    def of(function: Callable[..., Any], specs: tuple[Spec, ...]) -> "Recording":
        """Call a function on inputs without values."""
        recorder = Recorder()
        place, tables = 0, 0
        inputs: list[Any] = []
        for spec in specs:
            if spec.kind == TABLE_FIELD:
                assert spec.skeleton is not None
                inputs.append(TableInput(recorder, tables, place, spec.fields, spec.skeleton))
                place, tables = place + len(spec.fields), tables + 1
                continue
            array = abstract(recorder, spec.kind, place, spec.shape)
            inputs.append(not_equal(array, 0.0) if spec.boolean else array)
            place += 1
        with recording(), np.errstate(all="ignore"):
            return Recording(recorder, function(inputs))

    def text(self, kinds: tuple[str, ...] | None, options: CodegenOptions) -> str:
        """As a program for LLVM."""
        make = self.recorder.make
        nodes = [
            [make("where", n, 1.0, 0.0) if n.boolean else n for n in as_nodes(self.recorder, r).ravel()]
            for r in self.results
        ]
        return write(self.recorder, kinds or (SAMPLE,) * len(nodes), nodes, options)


class Program:
    """One function, recorded and compiled, or found in the cache.

    LLVM works on it in a thread of its own, while Python may record the next one: `code` waits for it.

    kinds: how each result is kept. shapes: of the results, without the axis of samples. pace: seconds that
    a sample took one thread when the program ran last. made: the function on nodes, where that is known.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        specs: tuple[Spec, ...],
        kinds: tuple[str, ...] | None,
        options: CodegenOptions,
        made: Recording | None = None,
    ):
        self.options = options
        self._function, self._specs, self._kinds, self._made = function, specs, kinds, None
        name = _name(function)
        key = name and native.key_of(name, repr((specs, kinds, options)), native.source())
        kept = code_cache.read(key) if key else None
        if kept is not None:
            head, _, code = kept.partition(b"\n")
            self.shapes = [tuple(shape) for shape in json.loads(head)]
            self.code = native.Native(code)
        else:
            with _compiling():
                if made is None:
                    made = Recording.of(function, specs)
                    for op in made.recorder.on_trial():
                        _check_code(op)
                self.shapes = [np.shape(r)[:-1] for r in made.results]
                self._compiled = _llvm().submit(self._finish, made.text(kinds, options), key)
            if not options.exact and made.recorder.uses("chain"):
                self._made = made
        self.kinds = kinds or (SAMPLE,) * len(self.shapes)
        self.pace = 0.0
        self.columns = sum(int(np.prod(s)) for s, kind in zip(self.shapes, self.kinds, strict=True) if kind != SAMPLE)

    def _finish(self, text: str, key: str | None) -> native.Native:
        well = len(text) <= self.options.well
        code = (native.compile_text if key else native.compiled)(text, int(well))
        if key:
            code_cache.write(key, json.dumps(self.shapes).encode() + b"\n" + code)
        return native.Native(code)

    @cached_property
    def code(self) -> native.Native:
        """The machine code."""
        with _compiling():
            return self._compiled.result()

    @cached_property
    def exact(self) -> native.Native:
        """That in which zero wins in the chain rule everywhere; some lanes of some scenes need it."""
        made, self._made = self._made, None
        options = replace(self.options, exact=True)
        return Program(self._function, self._specs, self._kinds, options, made).code


@cache
def _check_code(op: Op) -> None:
    """Compile an op from outside alone and run it. Raises ValueError if that is not what its `forward` computes, except
    near jumps, at a tenth of the places where that has a number."""
    recorder, segments = Recorder(), one_segment(len(op.trial[0]))
    nodes = [abstract(recorder, SAMPLE, i, ())[0] for i in range(len(op.trial))]
    made = Recording(recorder, [np.array([recorder.make(op.name, *nodes)], object)])
    options = options_for(Engine(), False, 0)
    _, memory, padded = _inputs((SAMPLE,) * len(nodes), op.trial, segments, options, float)
    found, counts, blocks = np.empty(padded), np.ones(1, np.int64), segments.blocks
    given = np.array(memory.addresses, np.uint64), np.array([address_of(found)], np.uint64), np.empty(1), blocks, counts
    code = native.Native(native.compiled(made.text(None, options), 0))
    code.call(*map(address_of, given), 0, len(blocks), padded)
    with np.errstate(all="ignore"):
        expected = np.asarray(op.forward(*op.trial), float)
    known, found = np.isfinite(expected), found[: segments.taken]
    wrong = known & ~np.isclose(found, expected, rtol=1e-6, atol=1e-12)
    if wrong.sum() > 0.1 * known.sum():
        place = ", ".join(f"{x[wrong][0]:g}" for x in op.trial)
        raise ValueError(f"op {op.name}: its code gives {found[wrong][0]:.6g} for {place}, where forward gives "
                         f"{expected[wrong][0]:.6g}")  # fmt: skip


@contextmanager
def _compiling() -> Iterator[None]:
    """Compile something. Python's collector waits: hundred thousands of nodes are made, none of which it could free,
    and it would go through them again and again."""
    start, collects = perf_counter(), gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
        compiled_for(perf_counter() - start)


def _name(x: Any) -> str | None:
    """What tells a function and its setting from every other one; None if something in it is from outside the package,
    whose source may change without this one's."""
    if is_dataclass(x) and not isinstance(x, type):
        return _joined(type(x), [getattr(x, f.name) for f in fields(x)])
    if isinstance(x, tuple):
        return _joined(type(x), x)
    if callable(x):
        inside = (x.__module__ or "").startswith("diffrt.")
        return f"{x.__module__}.{x.__qualname__}" if inside or x.__module__ == "builtins" else None
    return repr(x)


def _joined(kind: type, parts: Sequence[Any]) -> str | None:
    names = [_name(kind), *map(_name, parts)]
    return None if None in names else f"({', '.join(map(str, names))})"


def program(
    function: Callable[..., Any], specs: tuple[Spec, ...], kinds: tuple[str, ...] | None, options: CodegenOptions
) -> Program:
    """The program of a function, the same one for the same structure. Raises NoMachineCode."""
    made = _program(function, specs, kinds, options)
    if isinstance(made, NoMachineCode):
        raise made
    return made


@cache
def _program(
    function: Callable[..., Any], specs: tuple[Spec, ...], kinds: tuple[str, ...] | None, options: CodegenOptions
) -> Program | NoMachineCode:
    """A failure is kept too, so that it is not found again in every call."""
    try:
        return Program(function, specs, kinds, options)
    except NoMachineCode as fault:
        return fault.with_traceback(None)


@cache
def options_for(engine: Engine, shading: bool, well: float) -> CodegenOptions:
    """How a program is written for an engine."""
    width = native.host()[2]
    if shading and engine.dtype == "float32":
        return CodegenOptions("float", 2 * width, True, well=well)
    return CodegenOptions("double", width, shading, well=well)


def run(batched: BatchedFunction, inputs: Sequence[Any], segments: Segments, engine: Engine,
        shading: bool) -> list[Any]:  # fmt: skip
    """The results of a batched function."""
    options = options_for(engine, shading, inf if shading and len(segments.rows) >= MANY else 0)
    size, order, blocks = len(segments.rows), segments.order, segments.blocks
    count = size if order is None else len(order)
    real = np.float32 if options.real == "float" else np.float64
    specs, memory, padded = _inputs(batched.inputs, inputs, segments, options, real)
    made = program(batched.function, specs, batched.results, options)
    results: list[Any] = [None] * len(batched.results)
    for place, (shape, kind) in enumerate(zip(made.shapes, made.kinds, strict=True)):
        if kind == SAMPLE:
            # Samples that are left out, and lanes of a vector beyond the last sample, are 0.
            whole = segments.complete or order is not None
            results[place] = (np.empty if whole and count else np.zeros)((*shape, padded), real)
    outputs = [r for r, kind in zip(results, made.kinds, strict=True) if kind == SAMPLE]
    job = Job(made, memory, outputs, blocks, [segments.count], padded)
    execute(job, segments.taken, engine.threads)
    column = 0
    for place, (shape, kind) in enumerate(zip(made.shapes, made.kinds, strict=True)):
        if kind == SAMPLE:
            results[place] = _in_place(results[place][..., :count], segments)
            continue
        width = int(np.prod(shape))
        sums = job.sums[:, column : column + width].astype(np.float64)
        column += width
        if kind == UNIFORM:
            results[place] = sums.sum(0).reshape(shape)
        else:
            lines = [np.bincount(blocks[:, 2], s, segments.count) for s in sums.T]
            results[place] = np.array(lines).reshape(*shape, segments.count)
    return results


def search(function: Search, kinds: Sequence[str], inputs: Sequence[Any], segments: Segments, engine: Engine,
           well: float) -> list[Any]:  # fmt: skip
    """The results per sample of a function that may hold loops over tables."""
    options = options_for(engine, False, well)
    specs, memory, padded = _inputs(kinds, inputs, segments, options, np.float64)
    counts = [segments.count]
    counts += [x.columns[1][0].shape[-1] for x in inputs[len(inputs) - kinds.count(TABLE_FIELD) :]]
    made = program(function, specs, None, options)
    results = [np.empty((*shape, padded)) for shape in made.shapes]
    if not segments.taken:  # somebody wants the program, for later
        return [r[..., :0] for r in results]
    blocks = segments.blocks
    if made.pace * segments.taken > ALONE and engine.threads > 1:
        blocks = split(blocks, -(-segments.taken // (SHARES * engine.threads)))
    execute(Job(made, memory, results, blocks, counts, padded), segments.taken, engine.threads)
    return [_in_place(r[..., : len(segments.rows)], segments) for r in results]


def _inputs(
    kinds: Sequence[str], inputs: Sequence[Any], segments: Segments, options: CodegenOptions, real: Any
) -> tuple[tuple[Spec, ...], Memory, int]:
    """What a program is told of its inputs, where it reads them, and the number of samples with those that fill up a
    vector."""
    order = segments.order
    count = len(segments.rows) if order is None else len(order)
    padded = max(count, options.width)
    specs: list[Spec] = []
    arrays: list[Any] = []
    addresses: list[int] = []
    place = 0
    for x in inputs:
        kind, place = kinds[place], place + 1
        if isinstance(x, Table):
            if kind == TABLE_FIELD:
                specs.append(_spec(kind, (), False, x.shapes, x.columns[0]))
            else:
                specs += _specs(kind, x.shapes, x.booleans)
                place += len(x.shapes) - 1
            arrays.append(x)
            addresses += x.addresses
            continue
        x = np.asarray(x)
        if kind == SAMPLE and order is not None:
            x = x.take(order, -1)
        array = np.ascontiguousarray(x, real)
        specs.append(_spec(kind, x.shape if kind == UNIFORM else array.shape[:-1], x.dtype.char == "?"))
        if kind == SAMPLE and padded > count:
            array = _padded(array, padded)
        arrays.append(array)
        addresses.append(address_of(array))
    return tuple(specs), Memory(arrays, addresses), padded


def _in_place(found: Any, segments: Segments) -> Any:
    """A result in the samples' own order, 0 for those that are left out."""
    if segments.order is None:
        return found
    if segments.complete:
        return found.take(segments.places, -1)  # several times as fast as the other way
    back = np.zeros((*found.shape[:-1], len(segments.rows)), found.dtype)
    back[..., segments.order] = found
    return back


def _padded(x: Any, size: int) -> Any:
    missing = size - x.shape[-1]
    return np.ascontiguousarray(
        np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)], "edge" if x.shape[-1] else "constant")
    )


class Job:
    """One program on its blocks."""

    def __init__(self, program: Program, inputs: Memory, outputs: list[Any], blocks: Any, counts: list[int],
                 samples: int) -> None:  # fmt: skip
        self.program, self.blocks, self.samples = program, blocks, samples
        self.sums = np.empty(
            (len(blocks), program.columns + 1), np.float32 if program.options.real == "float" else float
        )
        given = (
            np.array(inputs.addresses or [0], np.uint64),
            np.array([address_of(a) for a in outputs] or [0], np.uint64),
            self.sums, blocks, np.array(counts, np.int64),
        )  # fmt: skip
        self._keep = inputs, outputs, given
        self._given = [address_of(a) for a in given]

    def run(self, first: int, last: int, code: native.Native | None = None) -> None:
        """Do some of the blocks."""
        (code or self.program.code).call(*self._given, first, last, self.samples)

    def again(self) -> None:
        """Do the blocks again in which a nan stands where zero should have won."""
        for block in self.sums[:, -1].nonzero()[0].tolist():
            self.run(block, block + 1, self.program.exact)


@cache
def _llvm() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "diffrt-llvm")


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "diffrt")


def execute(job: Job, total: int, threads: int) -> None:
    """Run a program on all its blocks, which have `total` samples."""
    blocks, made = job.blocks, job.program
    start = perf_counter()
    if threads == 1 or len(blocks) < 2 or total * made.pace < ALONE:
        job.run(0, len(blocks))
        used = 1
    else:
        done = np.cumsum(blocks[:, 1] - blocks[:, 0])
        share = total / (SHARES * threads)
        cuts = np.searchsorted(done, np.arange(share, done[-1], share)) + 1
        bounds = np.unique([0, *cuts, len(blocks)]).tolist()
        tasks = list(pairwise(bounds))
        waiting = [_pool(threads).submit(job.run, a, b) for a, b in tasks[1:]]
        job.run(*tasks[0])
        for task in waiting:
            task.result()
        used = threads
    if total > FEW:
        made.pace = used * (perf_counter() - start) / total
    job.again()
