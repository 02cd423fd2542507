"""Batched functions: a function of one sample, over N samples, with what reaches it and what is kept of it.

An input reaches a sample in one of three ways: *uniform*, the same number for all; *row*, a column of a table, by the
row of the sample; *sample*, its own. A result is kept in the same three ways: per sample as it is, per row as the sum
over the samples of that row, uniform as the sum over all. This is closed under differentiation: the adjoint of an input
is kept the way in which the input came, and the seed of a result comes the way in which the result was kept. So the
derivative of a batched function is a batched function, to any order, and both engines know nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from diffrt.autograd import broadcast_to, pushforward, sum, vjp
from diffrt.autograd.variable import shape_of
from diffrt.compiler.structures import Skeleton, put_together, take_apart

Function = Callable[[Sequence[Any]], list[Any]]


@dataclass(frozen=True)
class BatchedFunction:
    """A function from a list of arrays to a list of arrays, and how each of them goes: uniform, row or sample."""

    function: Function
    inputs: tuple[str, ...]
    results: tuple[str, ...]

    def adjoint(self, wanted: Sequence[bool]) -> "BatchedFunction":
        """From the inputs and the seeds of the results to the adjoints of the wanted inputs."""
        places = tuple(i for i, w in enumerate(wanted) if w)
        function = _Adjoint(self.function, len(self.inputs), places)
        return BatchedFunction(function, (*self.inputs, *self.results), tuple(self.inputs[i] for i in places))

    def tangent(self, moving: Sequence[int], columns: int) -> "BatchedFunction":
        """From the inputs, and for each that moves its tangents in all columns, to the tangents of the results."""
        function = _Tangent(self.function, len(self.inputs), tuple(moving), columns, len(self.results))
        tangents = tuple(self.inputs[i] for i in moving for _ in range(columns))
        return BatchedFunction(
            function, (*self.inputs, *tangents), tuple(s for s in self.results for _ in range(columns))
        )


@dataclass(frozen=True)
class Formula:
    """A kernel's function for one setting, on a list of arrays that fill the skeleton of its arguments."""

    function: Callable[..., Any]
    setting: Any
    arguments: Skeleton

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        found = self.function(self.setting, *put_together(self.arguments, inputs))
        size = shape_of(inputs[-1])[-1]
        return [found if shape_of(found)[-1] == size else broadcast_to(found, (*shape_of(found)[:-1], size))]


@dataclass(frozen=True)
class Search:
    """A function with loops for one setting, on a list of arrays and tables that fill the skeleton of its arguments."""

    function: Callable[..., Any]
    setting: Any
    arguments: Skeleton

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        _, found = take_apart(self.function(self.setting, *put_together(self.arguments, inputs)))
        return found


@dataclass(frozen=True)
class _Adjoint:
    function: Function
    primal: int
    wanted: tuple[int, ...]

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        given, seeds = inputs[: self.primal], inputs[self.primal :]

        def results(*values: Any) -> Any:
            found = self.function(_with(given, self.wanted, values))
            if len(found) == 1:
                return found[0]
            total: Any = 0.0
            for r, seed in zip(found, seeds, strict=True):
                total = total + sum(r * seed)
            return total

        if not self.wanted:
            return []
        value, pullback = vjp(results, *(given[i] for i in self.wanted))
        return list(pullback(_seed(seeds[0], value) if len(seeds) == 1 else _one(value)))


@dataclass(frozen=True)
class _Tangent:
    function: Function
    primal: int
    moving: tuple[int, ...]
    columns: int
    results: int

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        given, tangents = inputs[: self.primal], inputs[self.primal :]
        columns = [tangents[i : i + self.columns] for i in range(0, len(tangents), self.columns)]
        parts: list[Any] = []
        for number in range(self.results):
            if not self.moving:
                parts += [np.zeros(shape_of(self.function(given)[number]))] * self.columns
                continue

            def result(*values: Any, number: int = number) -> Any:
                return self.function(_with(given, self.moving, values))[number]

            parts += pushforward(result, [given[i] for i in self.moving], columns)[1]
        return parts


def _with(given: Sequence[Any], places: Sequence[int], values: Sequence[Any]) -> list[Any]:
    whole = list(given)
    for place, value in zip(places, values, strict=True):
        whole[place] = value
    return whole


def _seed(seed: Any, value: Any) -> Any:
    return seed if shape_of(seed) == shape_of(value) else broadcast_to(seed, shape_of(value))


def _one(value: Any) -> Any:
    return np.ones(shape_of(value)) if shape_of(value) else 1.0
