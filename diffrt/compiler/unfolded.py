"""The engine "graph": a kernel's function called on Vars, so that each of its ops is a node of the graph.

It is for explaining, and for pictures of a few pixels: the function runs once for every row that samples take, on all
samples that take it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from diffrt.autograd import broadcast_to, concatenate, index, take
from diffrt.autograd.variable import shape_of
from diffrt.compiler.segments import Segments
from diffrt.compiler.structures import Table, mapped, put_together, row_of


def run(function: Callable[..., Any], setting: Any, uniforms: Any, rows: Any, samples: Any, segments: Segments) -> Any:
    """What a kernel returns, (..., N). The arguments are as for `kernel`."""
    rows = put_together(*rows.parts) if isinstance(rows, Table) else rows
    of_uniforms = row_of(uniforms, 0, lambda x: index(x, (..., None)))
    size = len(segments.rows)
    used = np.unique(segments.rows[segments.rows >= 0])
    parts, members = [], []
    for row in used if used.size else (0,):
        mine = np.flatnonzero(segments.rows == row)
        own = samples if len(mine) == size else mapped(_taken(mine), samples)
        of_row = row_of(rows, row, _taken([row]) if segments.count > 1 else _kept)
        found = function(setting, of_uniforms, of_row, own)
        shape = (*shape_of(found)[:-1], len(mine))
        parts.append(found if shape_of(found) == shape else broadcast_to(found, shape))
        members.append(mine)
    if len(parts) == 1 and len(members[0]) == size:
        return parts[0]
    parts.append(np.zeros((*shape_of(parts[0])[:-1], 1)))  # of those that are left out
    places = np.full(size, -1)
    places[np.concatenate(members)] = np.arange(sum(map(len, members)))
    whole = concatenate(parts, -1)
    return take(whole, np.where(places < 0, shape_of(whole)[-1] - 1, places), -1)


def _taken(which: Any) -> Callable[[Any], Any]:
    return lambda x: take(x, which, -1)


def _kept(x: Any) -> Any:
    return x
