"""Mappings: a function of one sample, over N samples, with what reaches it and what is kept of it.

An input reaches a sample in one of three ways: *uniform*, the same number for all; *row*, a column of a table, by the
label of the sample; *sample*, its own. A result is kept in the same three ways: per sample as it is, per row as the sum
over the samples of that row, uniform as the sum over all. This is closed under differentiation: the adjoint of an input
is kept the way in which the input came, and the seed of a result comes the way in which the result was kept. So the
derivative of a mapping is a mapping, to any order, and both engines know nothing but mappings.

Samples may differ in structure: each *case* is a function and its own rows. Everything else is common to all cases.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from diffrt.autograd import broadcast_to, pushforward, sum, vjp
from diffrt.autograd.variable import Var

Function = Callable[..., list[Any]]


@dataclass(frozen=True)
class Slot:
    """How an input or a result goes: kind (uniform, row or sample), and the case that it belongs to, None for all."""

    kind: str
    case: int | None = None


@dataclass(frozen=True)
class Mapping:
    """What is computed: the function of each case, called with the list of its own and the common inputs."""

    functions: tuple[Function, ...]
    inputs: tuple[Slot, ...]
    results: tuple[Slot, ...]

    def adjoint(self, wanted: Sequence[bool]) -> "Mapping":
        """From the inputs and the seeds of the results to the adjoints of the wanted inputs."""
        functions = []
        for k, function in enumerate(self.functions):
            own = own_slots(self.inputs, k)
            numbers = tuple(i for i, place in enumerate(own) if wanted[place])
            functions.append(_Adjoint(function, len(own), numbers))
        kept = tuple(slot for slot, w in zip(self.inputs, wanted, strict=True) if w)
        return Mapping(tuple(functions), (*self.inputs, *self.results), kept)

    def tangent(self, moving: Sequence[int], columns: int) -> "Mapping":
        """From the inputs, and for each that moves its tangents in all columns, to the tangents of the results."""
        functions: list[Function] = []
        for k, function in enumerate(self.functions):
            own = own_slots(self.inputs, k)
            numbers = tuple(i for i, place in enumerate(own) if place in moving)
            functions.append(_Tangent(function, len(own), numbers, columns, len(own_slots(self.results, k))))
        tangents = tuple(self.inputs[i] for i in moving for _ in range(columns))
        return Mapping(
            tuple(functions), (*self.inputs, *tangents), tuple(s for s in self.results for _ in range(columns))
        )


def own_slots(slots: Sequence[Slot], case: int) -> list[int]:
    """The places of what one case has to do with."""
    return [i for i, slot in enumerate(slots) if slot.case in (None, case)]


@dataclass(frozen=True)
class Formula:
    """A kernel's function for one structure; uniforms, rows: how many of the inputs are of these kinds."""

    function: Callable[..., Any]
    structure: Any
    uniforms: int
    rows: int

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        middle = self.uniforms + self.rows
        samples = inputs[middle:]
        found = self.function(self.structure, inputs[: self.uniforms], inputs[self.uniforms : middle], samples)
        size = _shape(samples[0])[-1]
        return [found if _shape(found)[-1] == size else broadcast_to(found, (*_shape(found)[:-1], size))]


@dataclass(frozen=True)
class Search:
    """A function with loops for one structure; uniforms, rows, samples: how many of the inputs are of these kinds, the
    others are tables."""

    function: Callable[..., Any]
    structure: Any
    uniforms: int
    rows: int
    samples: int

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        first, last = self.uniforms, self.uniforms + self.rows
        end = last + self.samples
        found: list[Any] = self.function(
            self.structure, inputs[:first], inputs[first:last], inputs[last:end], inputs[end:]
        )
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
                parts += [np.zeros(_shape(self.function(given)[number]))] * self.columns
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
    return seed if _shape(seed) == _shape(value) else broadcast_to(seed, _shape(value))


def _one(value: Any) -> Any:
    return np.ones(_shape(value)) if _shape(value) else 1.0


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if isinstance(x, Var) else np.shape(x)
