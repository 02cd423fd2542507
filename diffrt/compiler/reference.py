"""The numpy engine: batched functions on chunks of samples, with the same functions on plain arrays. It is the
reference."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from diffrt.autograd import index, take
from diffrt.compiler.batched import BatchedFunction, Search
from diffrt.compiler.program import ROW, SAMPLE, TABLE_FIELD, UNIFORM
from diffrt.compiler.segments import Segments

CHUNK = 8192
"""Samples at a time: a few dozen arrays of this length stay in a processor's second-level cache."""


def run(batched: BatchedFunction, inputs: Sequence[Any], segments: Segments) -> list[Any]:
    """The results of a batched function.

    Sums are taken chunk by chunk in order, so that their bits are the same in every run.
    """
    size, members = len(segments.rows), segments.members
    count = size if isinstance(members, slice) else len(members)
    results: list[Any] = [None] * len(batched.results)
    with np.errstate(all="ignore"):
        # Without samples it runs once on none, for the shapes.
        for start in range(0, max(count, 1), CHUNK):
            chunk = slice(start, start + CHUNK)
            part = chunk if isinstance(members, slice) else members[chunk]
            rows = segments.rows[part]
            found = batched.function([_local(k, x, part, rows) for k, x in zip(batched.inputs, inputs, strict=True)])
            for place, (kind, result) in enumerate(zip(batched.results, found, strict=True)):
                if kind == SAMPLE:
                    if results[place] is None:
                        results[place] = np.zeros((*result.shape[:-1], size), result.dtype)
                    results[place][..., part] = result
                    continue
                total = np.sum(result, -1) if kind == UNIFORM else _by_row(result, rows, segments.count)
                results[place] = total if results[place] is None else results[place] + total
    return results


def search(function: Search, kinds: Sequence[str], inputs: Sequence[Any], segments: Segments) -> list[Any]:
    """The results per sample of a function that may hold loops over tables."""
    size = len(segments.rows)
    parts = []
    with np.errstate(all="ignore"):
        for start in range(0, max(size, 1), CHUNK):
            part = slice(start, start + CHUNK)
            rows = segments.rows[part]
            found = function([_local(kind, x, part, rows) for kind, x in zip(kinds, inputs, strict=True)])
            parts.append([np.broadcast_to(r, (*np.shape(r)[:-1], len(rows))) for r in found])
    return [np.concatenate(column, -1) for column in zip(*parts, strict=True)]


def _local(kind: str, x: Any, part: Any, rows: Any) -> Any:
    if kind == TABLE_FIELD:
        return x
    if kind == UNIFORM:
        return index(x, (..., None))
    if kind == ROW:
        return take(x, rows, -1)
    return index(x, (..., part))


def _by_row(result: Any, rows: Any, count: int) -> Any:
    result = np.broadcast_to(result, (*result.shape[:-1], len(rows)))
    lines = [np.bincount(rows, line, count) for line in result.reshape(int(np.prod(result.shape[:-1])), len(rows))]
    return np.array(lines).reshape(*result.shape[:-1], count)
