"""What has to change in a formula for it to be right: one part of it, in the words in which it was written.

For each part E of a formula it is asked which multiple of E would make the formula right. Most formulas are linear in
most of their parts, so that two values tell: with m(c) the formula with c E in place of E,

    c = 1 + (right - m(1)) / (m(2) - m(1))    if m(3) - m(2) = m(2) - m(1)

In what stands below a fraction bar the reciprocal is linear, and the same is asked of it.

If c is -1 at all samples, the sign of E is wrong; if it is 2, a factor is missing; if it is x^2, it is x^2; and if
(c - 1) E is one number, or a quantity, that was forgotten in a sum. Besides, a few common slips are tried: the sine for
the cosine, an exponent off by one, the letters of an index swapped.
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import InputError
from diffrt.marking.claims import fitted
from diffrt.marking.factors import CLOSE, EXACT, Diagnosis, factor_of, number, same
from diffrt.marking.formula import FUNCTIONS, Formula
from diffrt.marking.quantities import plain
from diffrt.marking.samples import Samples
from diffrt.marking.trials import Trial
from diffrt.types import Array

Given = Callable[[Trial], Mapping[str, Any]]
"""From a trial to the values of the names in its formula."""

_MOST_PARTS = 60

_PARTNERS = [("sin", "cos"), ("sinh", "cosh"), ("arcsin", "arccos"), ("max", "min"), ("relu", "abs"), ("sum", "mean"),
             ("log", "exp"), ("norm", "sum"), ("tan", "tanh"), ("tan", "sin"), ("tan", "cos")]  # fmt: skip

_TURNED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}

_C = "_multiple"


def constant_repairs(written: "Written") -> Iterator[Diagnosis]:
    """The parts of a formula whose sign is wrong, that have a factor too many, lack one or do not belong there."""
    exponents = [n.right for n in written.formula.parts() if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow)]
    for node, c in written.multiples.items():
        if node in exponents:
            continue
        if c is None:
            constants = [c for c in (-1.0, 2.0, 0.5) if written.right_with(node, _times(c, node))]
        else:
            constants = [float(c[0])] if np.abs(c - c[0]).max() <= CLOSE * max(1.0, abs(c[0])) else []
        for constant in constants:
            text = _constant(written.formula.said(node), constant)
            if text and (c is None or written.right_with(node, _times(constant, node))):
                yield Diagnosis("part", text)


def repairs(written: "Written", named: Mapping[str, Array]) -> Iterator[Diagnosis]:
    """What else may be changed in one part of a formula, the likeliest first.

    named: numbers that may have been forgotten, by formulas for them.
    """
    s, formula, parts = written.s, written.formula, list(written.multiples)
    named = {text: written.at(values, written.few) for text, values in named.items()}
    for node in parts:
        for new in _slips(node, s, _running(formula)):
            yield from written.confirmed(node, new)
    for node, c in written.multiples.items():
        if c is None:
            continue
        for d in factor_of(c, np.ones(len(c)), named, 1):
            yield from written.read(node, f"({formula.said(node)}) {d.formula.removeprefix('right ')}")
        value = written.values(node)
        if value is not None:
            yield from (d for text in _forgotten(value * (c - 1.0), named)
                        for d in written.read(node, f"({formula.said(node)}) {text}"))  # fmt: skip
    matrices = [n for n, v in s.points[0].vars.items() if len(v.shape) == 2 and n.isidentifier()]
    for node in parts:
        for matrix in matrices if isinstance(node, ast.BinOp) else ():
            for left in (ast.Attribute(ast.Name(matrix), "T"), ast.Name(matrix)):
                yield from written.confirmed(node, ast.BinOp(left, ast.MatMult(), node))
        for name in s.points[0].vars if not isinstance(node, ast.Constant) else ():
            for op in (ast.Sub(), ast.Add(), ast.Mult(), ast.Div()):
                yield from written.confirmed(node, ast.BinOp(node, op, ast.Name(name)))


def _times(c: Any, node: Any) -> ast.AST:
    return ast.BinOp(ast.Name(c) if isinstance(c, str) else ast.Constant(c), ast.Mult(), node)


def _constant(said: str, c: float) -> str:
    """What it means that a part has to be multiplied by a constant; empty for one that nobody forgets."""
    if abs(c) < CLOSE:
        return f"{said} in yours does not belong there"
    if abs(c + 1.0) < CLOSE:
        return f"the sign of {said} in yours is wrong"
    for factor, what in ((c, "lacks a factor"), (1.0 / c, "has a factor too many,")):
        if abs(factor - round(factor)) < CLOSE and abs(factor) <= 12.5 and abs(factor) > 1.5:
            return f"{said} in yours {what} {number(factor)}"
    return ""


def _forgotten(difference: Array, named: Mapping[str, Array]) -> Iterator[str]:
    """Constants and quantities that a difference is."""
    first = float(difference[0])
    if np.abs(difference - first).max() <= CLOSE * abs(first) and abs(2.0 * first - round(2.0 * first)) < CLOSE:
        yield f"{'-' if first < 0 else '+'} {number(abs(first))}"
    for text, values in named.items():
        for sign in (1.0, -1.0):
            if same(difference, sign * values):
                yield f"{'+' if sign > 0 else '-'} {text}"


def _running(formula: Formula) -> list[str]:
    """The letters that sums and the like of a formula run over."""
    calls = [n for n in formula.parts() if isinstance(n, ast.Call) and len(n.args) in (2, 4)]
    names = [n.args[0].id for n in calls if isinstance(n.args[0], ast.Name)]
    return [name for name in dict.fromkeys(names) if len(name) == 1]


def _slips(node: Any, s: Samples, running: Sequence[str]) -> Iterator[ast.AST]:
    """Common slips undone. running: letters that sums run over."""
    if isinstance(node, ast.Name | ast.Subscript | ast.Call):
        square = ast.BinOp(node, ast.Pow(), ast.Constant(2))
        yield square
        one = ast.Constant(1)
        yield ast.BinOp(node, ast.Mult(), ast.BinOp(one, ast.Sub(), node))
        yield ast.BinOp(one, ast.Sub(), square)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        partners = [b for pair in _PARTNERS for a, b in (pair, pair[::-1]) if a == node.func.id and b in FUNCTIONS]
        yield from (ast.Call(ast.Name(partner), node.args, []) for partner in partners)
    elif isinstance(node, ast.Constant):
        yield ast.Constant(node.value + 1)  # type: ignore[operator]
        yield ast.Constant(node.value - 1)  # type: ignore[operator]
    elif isinstance(node, ast.Compare):
        yield ast.Compare(node.left, [_TURNED[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.Subscript):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if len(parts) == 2:
            yield ast.Subscript(node.value, ast.Tuple(parts[::-1]))
        for k, part in enumerate(parts):
            for letter in (*s.claim.letters, *running) if isinstance(part, ast.Name) else ():
                if letter == part.id:  # type: ignore[attr-defined]
                    continue
                # Another letter, and a window that stands still: x[k] for x[i + k].
                indices: list[ast.expr] = [ast.Name(letter)]
                if running:
                    indices.append(ast.BinOp(ast.Name(letter), ast.Add(), part))
                for index in indices:
                    changed = [*parts[:k], index, *parts[k + 1 :]]
                    yield ast.Subscript(node.value, ast.Tuple(changed) if len(parts) > 1 else changed[0])
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        yield ast.BinOp(node.right, ast.MatMult(), node.left)
    elif isinstance(node, ast.Name) and node.id in s.points[0].vars:
        q = s.points[0]
        if len(q.shape(node.id)) == 2:
            yield ast.Call(ast.Name("transpose"), [node], [])
        yield from (ast.Name(n) for n in q.vars if n != node.id and q.shape(n) == q.shape(node.id) and n.isidentifier())


@dataclass(eq=False)
class Written:
    """A formula as written, and what it gives with one part replaced."""

    s: Samples
    formula: Formula
    given: Given

    @cached_property
    def groups(self) -> list[tuple[Trial, NDArray[np.int_]]]:
        """The trials, and the samples of each."""
        found: dict[int, tuple[Trial, list[int]]] = {}
        for k, t in enumerate(self.s.trials):
            found.setdefault(id(t), (t, []))[1].append(k)
        return [(t, np.array(k)) for t, k in found.values()]

    @cached_property
    def multiples(self) -> dict[Any, Array | None]:
        """The parts of the formula, outer ones first, and by what each would have to be multiplied."""
        return {node: self.multiple(node) for node in self.formula.parts()[1:_MOST_PARTS]}

    @cached_property
    def few(self) -> list[tuple[Trial, NDArray[np.int_]]]:
        """Some of them, to search with."""
        return self.groups[:: max(1, len(self.groups) // 12)]

    @cached_property
    def environments(self) -> dict[int, Mapping[str, Any]]:
        return {id(t): self.given(t) for t, _ in self.groups}

    def run(self, tree: Any, trial: Trial, more: Mapping[str, float]) -> Array | None:
        """The formula with another tree at a trial, rows by columns; None where that cannot be."""
        values = {**self.environments[id(trial)], **more}
        try:
            found = self.formula.with_tree(tree)(values, trial.claim.letters)
            value: Array = fitted(plain(getattr(found, "value", found)), trial.right, trial.look.q, trial.claim)[0]
            return value
        except (InputError, TypeError, ValueError):
            return None

    def along(self, tree: Any, groups: Any, more: Mapping[str, float]) -> Array | None:
        """The same at the samples of some trials."""
        found = []
        for trial, samples in groups:
            value = self.run(tree, trial, more)
            if value is None:
                return None
            found.append(value[self.s.rows[samples], self.s.columns[samples]])
        return np.concatenate(found)

    def at(self, values: Array, groups: Any) -> Array:
        return np.concatenate([values[samples] for _, samples in groups])

    def multiple(self, node: ast.AST) -> Array | None:
        """By what a part would have to be multiplied at each of a few samples; None if that cannot be told."""
        tree = _replaced(self.formula.tree, node, _times(_C, node))
        values = [self.along(tree, self.few, {_C: c}) for c in (1.0, 2.0, 3.0)]
        if any(v is None for v in values):
            return None
        right = self.at(self.s.right, self.few)
        # A formula that is one part over another is linear in the parts above, and its reciprocal in those below.
        for turned in (False, True):
            if turned and not all(np.asarray(v).all() for v in (right, *values)):
                return None
            with np.errstate(all="ignore"):
                one, two, three, whole = (1.0 / np.asarray(v) if turned else np.asarray(v) for v in (*values, right))
            step, size = two - one, np.abs(one) + np.abs(two)
            if (np.abs(step) > 1e-9 * size).all() and same(three - two, step, size):
                return np.asarray(1.0 + (whole - one) / step)
        return None

    def values(self, node: ast.AST) -> Array | None:
        """The part itself at a few samples, if it is a number there, or one for each entry."""
        found = []
        for trial, samples in self.few:
            try:
                value = np.asarray(plain(getattr(v := self.formula.with_tree(node)(
                    self.environments[id(trial)], trial.claim.letters), "value", v)))  # fmt: skip
            except (InputError, TypeError, ValueError):
                return None
            if value.size == 1:
                found.append(np.full(len(samples), float(value.ravel()[0])))
            elif value.size == trial.right.size:
                found.append(value.reshape(trial.right.shape)[self.s.rows[samples], self.s.columns[samples]])
            else:
                return None
        return np.concatenate(found)

    def right_with(self, node: ast.AST, new: ast.AST) -> bool:
        """Whether the line is right with another part in place of one."""
        tree = _replaced(self.formula.tree, node, new)
        for groups in (self.groups[:1], self.few, self.groups):
            found = self.along(tree, groups, {})
            right = self.at(self.s.right, groups)
            if found is None or not (np.abs(found - right) <= 2.0 * EXACT * np.abs(right) + 1e-300).all():
                return False
        return True

    def confirmed(self, node: ast.AST, new: ast.AST) -> Iterator[Diagnosis]:
        """That it is right with another part in place of one, if that is so."""
        if self.right_with(node, new):
            yield Diagnosis("part", f"it is right with {self.formula.said(new)} in place of {self.formula.said(node)}")

    def read(self, node: ast.AST, text: str) -> Iterator[Diagnosis]:
        """The same, of a part as text."""
        try:
            new = Formula(text, "guess").tree
        except InputError:
            return
        yield from self.confirmed(node, new)


def _replaced(tree: ast.AST, old: ast.AST, new: ast.AST) -> ast.AST:
    """A tree with one node replaced; the others are shared."""
    if tree is old:
        return new
    changed: dict[str, Any] = {}
    for name, value in ast.iter_fields(tree):
        if isinstance(value, ast.AST):
            changed[name] = _replaced(value, old, new)
        elif isinstance(value, list):
            changed[name] = [_replaced(v, old, new) if isinstance(v, ast.AST) else v for v in value]
        else:
            changed[name] = value
    return type(tree)(**changed)
