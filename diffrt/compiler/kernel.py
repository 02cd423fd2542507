"""A kernel is a checkpointed map: one function over millions of samples, as a single op.

The function is module-level and closes over nothing. It gets what it computes with as arguments, in three
groups, which say how a number reaches a sample:

- *uniform*: the same for every sample: parameters and settings;
- *rows*: fields of a table (..., K), of which each sample takes one, by an id;
- *samples*: one number or vector (..., N) per sample.

It runs on chunks of samples. Nothing per sample is stored between the passes: the reverse pass runs the
function again on each chunk and sweeps back at once, and so does the forward mode. Adjoints of uniforms and
tables are added up chunk by chunk in order, so that the bits of a gradient are the same in every run.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Op, add, concatenate, index, pushforward, take, vjp
from diffrt.autograd.variable import apply

CHUNK = 8192
"""Samples at a time: a few dozen arrays of this length stay in a processor's second-level cache."""

Ids = NDArray[np.intp]


def kernel(
    function: Callable[..., Any],
    structure: Any,
    uniforms: Sequence[Any],
    tables: Sequence[Any],
    ids: Sequence[Ids],
    samples: Sequence[Any],
) -> Any:
    """Map a function over N samples.

    function: called as function(structure, uniforms, rows, samples) on a chunk of n samples, with arrays or Vars:
    uniforms (..., 1) with an axis added for the samples, rows and samples (..., n). It returns (..., n).
    structure: anything hashable that says what to compute; it has no derivative. tables: fields (..., K).
    ids: for each table the row that each sample takes, integers (N,). samples: (..., N), at least one.
    Returns (..., N), a Var if an input is one.
    """
    settings = {
        "function": function, "structure": structure, "counts": (len(uniforms), len(tables)), "ids": tuple(ids)
    }  # fmt: skip
    return apply(_KERNEL, (*uniforms, *tables, *samples), settings)


def _forward(*inputs: Any, **settings: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.concatenate([run(*arguments) for _, run, arguments in _chunks(inputs, **settings)], -1)


def _vjp(g: Any, out: Any, inputs: Sequence[Any], wanted: Sequence[bool], **settings: Any) -> list[Any]:
    numbers = [i for i, w in enumerate(wanted) if w]
    first_sample = sum(settings["counts"])
    parts: list[list[Any]] = [[] for _ in inputs]
    for part, run, arguments in _chunks(inputs, **settings):
        adjoints = vjp(run, *arguments, argnums=numbers)[1](index(g, (..., part)))
        for i, adjoint in zip(numbers, adjoints, strict=True):
            if i < first_sample and parts[i]:
                parts[i] = [add(parts[i][0], adjoint)]
            else:
                parts[i].append(adjoint)
    return [None if not p else p[0] if i < first_sample else concatenate(p, -1) for i, p in enumerate(parts)]


def _jvp(tangents: Sequence[Any], out: Any, inputs: Sequence[Any], **settings: Any) -> list[Any]:
    first_sample = sum(settings["counts"])
    count = next(len(ts) for ts in tangents if ts is not None)
    columns: list[list[Any]] = [[] for _ in range(count)]
    for part, run, arguments in _chunks(inputs, **settings):
        local = [
            ts if ts is None or i < first_sample else [None if t is None else index(t, (..., part)) for t in ts]
            for i, ts in enumerate(tangents)
        ]
        for column, tangent in zip(columns, pushforward(run, arguments, local)[1], strict=True):
            column.append(tangent)
    return [concatenate(column, -1) for column in columns]


def _chunks(
    inputs: Sequence[Any], function: Any, structure: Any, counts: tuple[int, int], ids: Sequence[Ids]
) -> Iterator[tuple[slice, Callable[..., Any], list[Any]]]:
    """For each chunk: where it is, the function on it, and the arguments of that function."""
    uniforms, tables = counts
    samples = inputs[uniforms + tables :]
    size = samples[0].shape[-1]
    for start in range(0, size, CHUNK):
        part = slice(start, min(start + CHUNK, size))

        def run(*arguments: Any, part: slice = part) -> Any:
            rows = [take(x, i[part], -1) for x, i in zip(arguments[uniforms : uniforms + tables], ids, strict=True)]
            spread = [index(x, (..., None)) for x in arguments[:uniforms]]
            return function(structure, spread, rows, arguments[uniforms + tables :])

        yield part, run, [*inputs[: uniforms + tables], *(index(x, (..., part)) for x in samples)]


_KERNEL = Op("kernel", _forward, "kernel", vjp=_vjp, jvp=_jvp)
