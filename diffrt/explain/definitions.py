"""Where points are drawn, and how quantities are computed from formulas."""

from bisect import bisect, insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from diffrt.autograd import add
from diffrt.errors import InputError
from diffrt.explain.formula import Formula

Build = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From inputs, Vars by name, to all quantities by name."""

FARTHEST = 1e100
"""Inputs lie between this and its opposite, so that squares of them do not overflow."""


@dataclass(frozen=True)
class Domain:
    """Where points are drawn: shape of the input, least and largest value."""

    shape: tuple[int, ...] = ()
    low: float = 0.2
    high: float = 2.0


def draw_point(inputs: Mapping[str, Domain], rng: np.random.Generator) -> dict[str, Any]:
    """Random inputs from their domains: none of them near a whole number, no two of them near each other."""
    taken: list[float] = []  # in ascending order
    count = sum(int(np.prod(domain.shape)) for domain in inputs.values())
    point = {}
    for name, domain in inputs.items():
        span = domain.high - domain.low
        entries = []
        for _ in range(int(np.prod(domain.shape))):
            for _ in range(200):
                x = float(rng.uniform(domain.low + 0.01 * span, domain.high - 0.01 * span))
                near = 0.01 * min(span, 1.0)
                # With many entries nearer ones, so that there is room for all of them.
                apart, place = min(near / 4.0, span / (8.0 * count)), bisect(taken, x)
                if abs(x - round(x)) > min(near, 0.005) and all(
                    abs(x - t) > apart for t in taken[max(place - 1, 0) : place + 1]
                ):
                    break
            insort(taken, x)
            entries.append(x)
        point[name] = np.array(entries).reshape(domain.shape) if domain.shape else entries[0]
    return point


def definitions_in_order(formulas: Mapping[str, Formula]) -> list[str]:
    """Names of definitions such that each uses only earlier ones. Raises InputError for one that uses itself, also
    through others, and for an unknown name."""
    order: list[str] = []
    state: dict[str, int] = {}

    def bases(name: str) -> list[str]:
        return [n if n in formulas else n.rpartition(".")[0] or n for n in formulas[name].names]

    for start in formulas:
        stack: list[tuple[str, Any]] = [(start, iter(bases(start)))] if start not in state else []
        while stack:
            name, uses = stack[-1]
            state[name] = 1
            for used in uses:
                if used not in formulas:
                    continue
                if state.get(used) == 1:
                    cycle = [n for n, _ in stack]
                    cycle = cycle[cycle.index(used) :]
                    raise InputError(f"definitions: {' -> '.join([*cycle, used])}: a quantity is defined by itself")
                if used not in state:
                    stack.append((used, iter(bases(used))))
                    break
            else:
                state[name] = 2
                order.append(name)
                stack.pop()
    return order


def by_formulas(formulas: Mapping[str, Formula]) -> Build:
    """The quantities that formulas define."""
    order = definitions_in_order(formulas)

    def build(leaves: Mapping[str, Any]) -> Mapping[str, Any]:
        found = dict(leaves)
        for name in order:
            value = formulas[name](found)
            # A second name for a quantity is a quantity of its own.
            found[name] = add(value, 0.0) if any(value is v for v in found.values()) else value
        return found

    return build
