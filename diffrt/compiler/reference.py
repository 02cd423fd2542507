"""The numpy engine: mappings on chunks of samples, with the same functions on plain arrays. It is the reference."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from diffrt.autograd import index, take
from diffrt.compiler.mapping import Mapping, Search, own_slots
from diffrt.compiler.program import ROW, SAMPLE, UNIFORM
from diffrt.compiler.runs import Runs

CHUNK = 8192
"""Samples at a time: a few dozen arrays of this length stay in a processor's second-level cache."""


def run(mapping: Mapping, inputs: Sequence[Any], runs: Runs) -> list[Any]:
    """The results of a mapping.

    Sums are taken chunk by chunk in order, so that their bits are the same in every run.
    """
    size = len(runs.labels)
    results: list[Any] = [None] * len(mapping.results)
    with np.errstate(all="ignore"):
        for case, function in enumerate(mapping.functions):
            own, kept = own_slots(mapping.inputs, case), own_slots(mapping.results, case)
            members, first = runs.members[case], runs.ends[case]
            count = size if isinstance(members, slice) else len(members)
            # A case without samples runs once on none, for the shapes.
            for start in range(0, max(count, 1), CHUNK):
                chunk = slice(start, start + CHUNK)
                part = chunk if isinstance(members, slice) else members[chunk]
                labels = runs.labels[part] - first
                found = function([_local(mapping.inputs[i].kind, inputs[i], part, labels) for i in own])
                for place, result in zip(kept, found, strict=True):
                    kind = mapping.results[place].kind
                    if kind == SAMPLE:
                        if results[place] is None:
                            results[place] = np.zeros((*result.shape[:-1], size), result.dtype)
                        results[place][..., part] = result
                    elif kind == UNIFORM:
                        total = np.sum(result, -1)
                        results[place] = total if results[place] is None else results[place] + total
                    else:
                        total = _by_row(result, labels, runs.rows[case])
                        results[place] = total if results[place] is None else results[place] + total
    return results


def search(function: Search, inputs: Sequence[Any], runs: Runs) -> list[Any]:
    """The results per sample of a function that may hold loops over tables, which are the last inputs."""
    rows, samples = function.uniforms, function.uniforms + function.rows
    tables = samples + function.samples
    size = len(runs.labels)
    parts = []
    with np.errstate(all="ignore"):
        for start in range(0, max(size, 1), CHUNK):
            part = slice(start, start + CHUNK)
            labels = runs.labels[part]
            kinds = [UNIFORM] * rows + [ROW] * (samples - rows) + [SAMPLE] * (tables - samples)
            local = [_local(kind, x, part, labels) for kind, x in zip(kinds, inputs[:tables], strict=True)]
            found = function([*local, *inputs[tables:]])
            parts.append([np.broadcast_to(r, (*np.shape(r)[:-1], len(labels))) for r in found])
    return [np.concatenate(column, -1) for column in zip(*parts, strict=True)]


def _local(kind: str, x: Any, part: Any, labels: Any) -> Any:
    if kind == UNIFORM:
        return index(x, (..., None))
    if kind == ROW:
        return take(x, labels, -1)
    return index(x, (..., part))


def _by_row(result: Any, labels: Any, rows: int) -> Any:
    result = np.broadcast_to(result, (*result.shape[:-1], len(labels)))
    lines = [np.bincount(labels, line, rows) for line in result.reshape(int(np.prod(result.shape[:-1])), len(labels))]
    return np.array(lines).reshape(*result.shape[:-1], rows)
