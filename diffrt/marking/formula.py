"""Formulas: text to arithmetic, by a closed list of what may stand in them. Nothing is executed.

A formula is read by Python's parser and then walked; whatever is not a number, a name, an index, + - * / ** @, a
comparison or a call of a function listed here is refused. `^` is a power, as people write it: it becomes ** before
the parser sees it. The size of a result is known before it is computed, and bounded, as are length and nesting.
"""

import ast
import inspect
import math
import sys
import warnings
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import e, pi
from typing import Any

import numpy as np

from diffrt import autograd as ag
from diffrt.errors import InputError, shown
from diffrt.marking.work import MOST_ENTRIES, cost, spend

LONGEST = 10_000
"""The most characters of a formula."""

DEEPEST = 200
"""So many operations may lie in each other in a formula; a sum of n terms is n - 1 of them."""


def _pairwise(both: Callable[..., Any], along: Callable[..., Any]) -> Callable[..., Any]:
    """max and min: of several numbers, or of the entries of one array."""

    def apply(*given: Any) -> Any:
        if len(given) == 1:
            return along(given[0])
        found = given[0]
        for other in given[1:]:
            found = both(found, other)
        return found

    return apply


def _of_vector(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function along an axis, which a number does not have."""

    def apply(x: Any) -> Any:
        if not _shape(x):
            raise ValueError("needs a vector, found a number")
        return function(x)

    return apply


FUNCTIONS: ChainMap[str, Callable[..., Any]] = ChainMap(ag.FUNCTIONS, {
    "ln": ag.log, "asin": ag.arcsin, "acos": ag.arccos, "atan": ag.arctan, "atan2": ag.arctan2,
    "max": _pairwise(ag.maximum, ag.max), "min": _pairwise(ag.minimum, ag.min),
    "clip": ag.clip, "sum": ag.sum, "mean": ag.mean, "dot": ag.dot, "cross": ag.cross, "norm": ag.norm,
    "length": ag.norm, "normalize": _of_vector(ag.normalize), "relu": ag.relu, "sigmoid": ag.sigmoid,
    "softmax": _of_vector(ag.softmax), "log_softmax": _of_vector(ag.log_softmax), "transpose": ag.transpose,
    "softplus": ag.softplus, "gelu": ag.gelu, "logsumexp": ag.logsumexp, "prod": ag.prod, "outer": ag.outer,
    "diag": ag.diag, "trace": ag.trace, "det": ag.det, "inv": ag.inv,
    "eye": lambda n: np.eye(_sizes(n, n)[0]), "zeros": lambda *n: np.zeros(_sizes(*n)),
    "ones": lambda *n: np.ones(_sizes(*n)),
})  # fmt: skip
"""The functions that a formula may call: the ops of the table that have a name, a user's own too, and what is composed
of them."""

CONSTANTS = {"pi": pi, "e": e}

_BINARY: dict[type, Callable[..., Any]] = {
    ast.Add: ag.add, ast.Sub: ag.subtract, ast.Mult: ag.multiply, ast.Div: ag.divide, ast.Pow: ag.power,
    ast.MatMult: ag.matmul,
}  # fmt: skip

_UNARY: dict[type, Callable[..., Any]] = {ast.USub: ag.negative, ast.UAdd: lambda x: x}

_COMPARE: dict[type, Callable[..., Any]] = {
    ast.Lt: ag.less, ast.LtE: ag.less_equal, ast.Gt: ag.greater, ast.GtE: ag.greater_equal, ast.Eq: ag.equal,
    ast.NotEq: ag.not_equal,
}  # fmt: skip

_SPELLED = "a number, a name, x[0], + - * / ** @, a comparison, or a function"


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if isinstance(x, ag.Var) else np.shape(x)


def _sizes(*given: Any) -> tuple[int, ...]:
    """A shape, from numbers. Raises ValueError for what is no whole number, and for too many entries."""
    if not all(isinstance(n, float) and 1.0 <= n <= MOST_ENTRIES and n == int(n) for n in given):
        raise ValueError(f"a size is a whole number from 1 to {MOST_ENTRIES:,}")
    shape = tuple(map(int, given))
    _bounded(math.prod(shape))
    return shape


def _bounded(entries: int) -> int:
    if entries > MOST_ENTRIES:
        raise ValueError(f"the result has {entries:,} entries, allowed: {MOST_ENTRIES:,}")
    return entries


def _entries(what: str, given: Sequence[Any]) -> int:
    """The number of entries of a result, or more. what: the function, or the class of the operator."""
    shapes = [_shape(x) for x in given]
    sizes = [math.prod(shape) for shape in shapes]
    if what == "outer" or (what == "diag" and len(shapes[0]) < 2):
        return sizes[0] * sizes[-1]
    if what in ("MatMult", "dot") and all(shapes):
        left, right = shapes
        return math.prod((*left[:-1], *right[:-2], *(right[-1:] if len(right) > 1 else ())))
    if what == "List":
        return sum(sizes)
    try:
        return math.prod(np.broadcast_shapes(*shapes))
    except ValueError:  # the operation itself says so
        return 0


@cache
def _count_of_arguments(function: Callable[..., Any]) -> tuple[int, float]:
    """How many arguments a function takes: at least, at most. Those with a default, such as axes, stay at it."""
    kinds = inspect.signature(function).parameters.values()
    least = sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in kinds)
    return (1, math.inf) if any(p.kind is p.VAR_POSITIONAL for p in kinds) else (least, least)


class Formula:
    """One formula.

    text: as written. names: of the quantities in it, such as x or ball.center. where: what it stands for, for messages.
    Raises InputError for text that is no formula.
    """

    def __init__(self, text: Any, where: str) -> None:
        if isinstance(text, int | float) and not isinstance(text, bool):
            text = _decimal(text, where)
        if not isinstance(text, str):
            raise InputError(f"{where}: a formula is text, found {shown(text)}")
        if len(text) > LONGEST:
            raise InputError(f"{where}: the formula has {len(text):,} characters, allowed: {LONGEST:,}")
        self.text, self.where = text.strip(), where
        if not self.text:
            raise InputError(f"{where}: the formula is empty")
        if "#" in self.text:
            raise InputError(f"{where}: {shown(self.text)} cannot be read: there are no comments in a formula")
        # A formula may run over several lines of its file.
        self._source = " ".join(self.text.split()).replace("^", "**")
        self.names: set[str] = set()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # such as of "is" with a number, which is refused below
                self._tree = ast.parse(self._source, mode="eval").body
            self._check(self._tree, 0)
        except InputError:
            raise
        except (SyntaxError, ValueError) as fault:
            told = fault.msg if isinstance(fault, SyntaxError) else fault
            raise InputError(f"{where}: {shown(self.text)} cannot be read: {told}") from None
        except (RecursionError, MemoryError):
            raise InputError(
                f"{where}: {shown(self.text)} is nested too deeply; allowed: {DEEPEST} operations in each other"
            ) from None

    def _refuse(self, what: str) -> InputError:
        return InputError(f"{self.where}: {what} is not allowed in a formula; allowed: {_SPELLED}")

    def _said(self, node: ast.AST) -> str:
        """A part of the formula, as written."""
        return shown((ast.get_source_segment(self._source, node) or "").replace("**", "^"))

    def _check(self, node: ast.AST, depth: int) -> None:
        if depth > DEEPEST:
            raise RecursionError
        children: list[ast.AST]
        if isinstance(node, ast.Constant):
            if isinstance(node.value, bool) or not isinstance(node.value, int | float):
                raise self._refuse(shown(node.value))
            _decimal(node.value, self.where)
            children = []
        elif isinstance(node, ast.Name | ast.Attribute):
            self.names.add(self._dotted(node))
            children = []
        elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            children = [node.left, node.right]
        elif isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
            children = [node.operand]
        elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
            children = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            if node.func.id not in FUNCTIONS:
                raise InputError(
                    f"{self.where}: there is no function {node.func.id}; there are {', '.join(sorted(FUNCTIONS))}"
                )
            least, most = _count_of_arguments(FUNCTIONS[node.func.id])
            if not least <= len(node.args) <= most:
                needed = f"{least} or more" if most > least else str(least)
                raise InputError(f"{self.where}: {self._said(node)} has {len(node.args)} arguments, needed: {needed}")
            children = list(node.args)
        elif isinstance(node, ast.Subscript):
            children = [node.value]
            for index in node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]:
                if not isinstance(index, ast.Name):
                    self._index(index, {})
        elif isinstance(node, ast.List | ast.Tuple):
            children = list(node.elts)
        else:
            raise self._refuse(type(node).__name__)
        for child in children:
            self._check(child, depth + 1)

    def _dotted(self, node: ast.AST) -> str:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            return f"{self._dotted(node.value)}.{node.attr}"
        raise self._refuse(type(node).__name__)

    def _index(self, node: ast.AST, letters: Mapping[str, int]) -> int:
        if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
            return min(node.value, sys.maxsize)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._index(node.operand, letters)
        if isinstance(node, ast.Name) and node.id in letters:
            return letters[node.id]
        raise InputError(f"{self.where}: an index is a whole number or a letter of the left side")

    def __call__(self, quantities: Mapping[str, Any], letters: Mapping[str, int] | None = None) -> Any:
        """The value, from those of the quantities: Vars, floats, arrays.

        letters: of indices, and what they stand for. What is undefined is nan or inf, without a warning. Raises
        InputError for an unknown name, an index or shapes that do not fit, and a result of too many entries.
        """
        with np.errstate(all="ignore"):
            return self._value(self._tree, quantities, letters or {})

    def _value(self, node: Any, given: Mapping[str, Any], letters: Mapping[str, int]) -> Any:
        if isinstance(node, ast.Constant):
            return float(node.value)  # type: ignore[arg-type]
        if isinstance(node, ast.Name | ast.Attribute):
            return self._look_up(self._dotted(node), given, letters)
        if isinstance(node, ast.Subscript):
            return self._entry(node, self._value(node.value, given, letters), letters)
        values = [self._value(child, given, letters) for child in _operands(node)]
        what, function = _operation(node)
        try:
            spend(cost(1, _bounded(_entries(what, values))))
            return function(*values)
        except InputError:
            raise
        except (TypeError, ValueError, IndexError, ArithmeticError) as fault:
            shapes = [_shape(v) for v in values]
            told = f"shapes {' and '.join(map(str, shapes))} do not fit" if len(shapes) > 1 else str(fault)
            if str(fault).startswith("the result has"):
                told = str(fault)
            raise InputError(f"{self.where}: {self._said(node)}: {told}") from None

    def _entry(self, node: ast.Subscript, whole: Any, letters: Mapping[str, int]) -> Any:
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        index, shape = tuple(self._index(p, letters) for p in parts), _shape(whole)
        if len(index) > len(shape) or any(not -n <= i < n for i, n in zip(index, shape, strict=False)):
            raise InputError(f"{self.where}: {self._said(node)} does not fit the shape {shape}")
        return whole[index]

    def _look_up(self, name: str, given: Mapping[str, Any], letters: Mapping[str, int]) -> Any:
        if name in given:
            return given[name]
        whole, _, axis = name.rpartition(".")
        if whole in given and axis in ("x", "y", "z"):
            place, shape = "xyz".index(axis), _shape(given[whole])
            if not shape or place >= shape[0]:
                raise InputError(f"{self.where}: {name} does not fit the shape {shape}")
            return given[whole][place]
        if name in letters:
            return float(letters[name])
        if name in CONSTANTS:
            return CONSTANTS[name]
        known = ", ".join(sorted(given)) or "none"
        raise InputError(f"{self.where}: there is no quantity {name}; there are {known}")


def _operands(node: Any) -> list[ast.AST]:
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    return list(node.args if isinstance(node, ast.Call) else node.elts)


def _operation(node: Any) -> tuple[str, Callable[..., Any]]:
    """What an inner node of the tree does: its name, and the function of the operands."""
    if isinstance(node, ast.BinOp):
        return type(node.op).__name__, _BINARY[type(node.op)]
    if isinstance(node, ast.UnaryOp):
        return "negative", _UNARY[type(node.op)]
    if isinstance(node, ast.Compare):
        return "compare", _COMPARE[type(node.ops[0])]
    if isinstance(node, ast.Call):
        return node.func.id, FUNCTIONS[node.func.id]  # type: ignore[attr-defined]
    return "List", lambda *entries: ag.stack(entries)


def _decimal(number: float, where: str) -> str:
    """A number in digits. Raises InputError for one that is not finite or too large."""
    try:
        if math.isfinite(value := float(number)):
            return repr(value)
    except OverflowError:
        pass
    raise InputError(f"{where}: found {shown(number)}, needed: a number below 1e308")
