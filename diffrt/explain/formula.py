"""Formulas: text to arithmetic, by a closed list of what may stand in them. Nothing is executed.

A formula is read by Python's parser and then walked; whatever is not a number, a name, an index, + - * / ** @, a
comparison or a call of a function listed here is refused. `^` is a power, as people write it: it becomes ** before
the parser sees it.
"""

import ast
import warnings
from collections import ChainMap
from collections.abc import Callable, Mapping
from math import e, pi
from typing import Any

import numpy as np

from diffrt import autograd as ag
from diffrt.errors import InputError

LONGEST = 10_000
"""The most characters of a formula."""


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


FUNCTIONS: ChainMap[str, Callable[..., Any]] = ChainMap(ag.FUNCTIONS, {
    "ln": ag.log, "atan2": ag.arctan2, "max": _pairwise(ag.maximum, ag.max), "min": _pairwise(ag.minimum, ag.min),
    "clip": ag.clip, "sum": ag.sum, "mean": ag.mean, "dot": ag.dot, "cross": ag.cross, "norm": ag.norm,
    "length": ag.norm, "normalize": ag.normalize, "relu": ag.relu, "sigmoid": ag.sigmoid, "softmax": ag.softmax,
    "log_softmax": ag.log_softmax, "transpose": ag.transpose,
    "outer": lambda a, b: ag.reshape(a, (-1, 1)) * ag.reshape(b, (1, -1)), "diag": lambda a: _diagonal(a),
    "eye": lambda n: np.eye(_whole(n)), "zeros": lambda *n: np.zeros([_whole(i) for i in n]),
    "ones": lambda *n: np.ones([_whole(i) for i in n]),
})  # fmt: skip
"""The functions that a formula may call: the ops of the table that have a name, a user's own too, and what is composed
of them."""

CONSTANTS = {"pi": pi, "e": e}

_BINARY: dict[type, Callable[..., Any]] = {
    ast.Add: ag.add, ast.Sub: ag.subtract, ast.Mult: ag.multiply, ast.Div: ag.divide, ast.Pow: ag.power,
    ast.MatMult: ag.matmul,
}  # fmt: skip

_COMPARE: dict[type, Callable[..., Any]] = {
    ast.Lt: ag.less, ast.LtE: ag.less_equal, ast.Gt: ag.greater, ast.GtE: ag.greater_equal, ast.Eq: ag.equal,
    ast.NotEq: ag.not_equal,
}  # fmt: skip

_SPELLED = "a number, a name, x[0], + - * / ** @, a comparison, or a function"


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if isinstance(x, ag.Var) else np.shape(x)


def _diagonal(a: Any) -> Any:
    """The square matrix with a vector on its diagonal; of a matrix the diagonal, as numpy has it."""
    shape = _shape(a)
    if len(shape) < 2:
        return ag.reshape(a, (-1, 1)) * np.eye(int(np.prod(shape)))
    if len(shape) == 2:
        places = np.arange(min(shape))
        return ag.index(a, (places, places))
    raise ValueError(f"diag needs a vector or a matrix, given the shape {shape}")


def _whole(n: Any) -> int:
    if not isinstance(n, float) or n != int(n) or not 0 <= n <= 1000:
        raise ValueError("a size is a whole number from 0 to 1000")
    return int(n)


class Formula:
    """One formula.

    text: as written. names: of the quantities in it, such as x or ball.center. where: what it stands for, for messages.
    Raises InputError for text that is no formula.
    """

    def __init__(self, text: Any, where: str) -> None:
        if isinstance(text, int | float) and not isinstance(text, bool):
            text = repr(float(text))
        if not isinstance(text, str):
            raise InputError(f"{where}: a formula is text, found {type(text).__name__}")
        if len(text) > LONGEST:
            raise InputError(f"{where}: the formula has {len(text):,} characters, allowed: {LONGEST:,}")
        self.text, self.where = text.strip(), where
        if not self.text:
            raise InputError(f"{where}: the formula is empty")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # such as of "is" with a number, which is refused below
                self._tree = ast.parse("(" + self.text.replace("^", "**") + "\n)", mode="eval").body
            self.names: set[str] = set()
            self._check(self._tree, 0)
        except InputError:
            raise
        except (SyntaxError, ValueError) as fault:
            told = fault.msg if isinstance(fault, SyntaxError) else fault
            raise InputError(f"{where}: {self._short} cannot be read: {told}") from None
        except (RecursionError, MemoryError):
            raise InputError(f"{where}: {self._short} is nested too deeply") from None

    @property
    def _short(self) -> str:
        return repr(self.text if len(self.text) < 60 else self.text[:57] + "...")

    def _refuse(self, what: str) -> InputError:
        return InputError(f"{self.where}: {what} is not allowed in a formula; allowed: {_SPELLED}")

    def _check(self, node: ast.AST, depth: int) -> None:
        if depth > 200:
            raise RecursionError
        children: list[ast.AST]
        if isinstance(node, ast.Constant):
            if isinstance(node.value, bool) or not isinstance(node.value, int | float):
                raise self._refuse(repr(node.value)[:40])
            if isinstance(node.value, int) and node.value.bit_length() > 1000:
                raise InputError(f"{self.where}: a number of {node.value.bit_length()} bits is too large")
            children = []
        elif isinstance(node, ast.Name | ast.Attribute):
            self.names.add(self._dotted(node))
            children = []
        elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            children = [node.left, node.right]
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            children = [node.operand]
        elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
            children = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            if node.func.id not in FUNCTIONS:
                raise InputError(
                    f"{self.where}: there is no function {node.func.id}; there are {', '.join(sorted(FUNCTIONS))}"
                )
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
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._index(node.operand, letters)
        if isinstance(node, ast.Name) and node.id in letters:
            return letters[node.id]
        raise InputError(f"{self.where}: an index is a whole number or a letter of the left side")

    def __call__(self, quantities: Mapping[str, Any], letters: Mapping[str, int] | None = None) -> Any:
        """The value, from those of the quantities: Vars, floats, arrays.

        letters: of indices, and what they stand for. Raises InputError for an unknown name, an index or shapes that do
        not fit.
        """
        return self._value(self._tree, quantities, letters or {})

    def _value(self, node: Any, given: Mapping[str, Any], letters: Mapping[str, int]) -> Any:
        def value(child: Any) -> Any:
            return self._value(child, given, letters)

        if isinstance(node, ast.Constant):
            return float(node.value)  # type: ignore[arg-type]
        if isinstance(node, ast.Name | ast.Attribute):
            return self._look_up(self._dotted(node), given, letters)
        try:
            if isinstance(node, ast.BinOp):
                return self._both(node, value(node.left), value(node.right))
            if isinstance(node, ast.UnaryOp):
                operand = value(node.operand)
                return ag.negative(operand) if isinstance(node.op, ast.USub) else operand
            if isinstance(node, ast.Compare):
                return _COMPARE[type(node.ops[0])](value(node.left), value(node.comparators[0]))
            if isinstance(node, ast.Call):
                return FUNCTIONS[node.func.id](*map(value, node.args))  # type: ignore[attr-defined]
            if isinstance(node, ast.Subscript):
                parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                found, index = value(node.value), tuple(self._index(p, letters) for p in parts)
                shape = _shape(found)
                if len(index) > len(shape) or any(not -n <= i < n for i, n in zip(index, shape, strict=False)):
                    raise InputError(f"{self.where}: {ast.unparse(node)[:60]} does not fit the shape {shape}")
                return found[index]
            return ag.stack([value(entry) for entry in node.elts])
        except InputError:
            raise
        except (TypeError, ValueError, IndexError) as fault:
            raise InputError(f"{self.where}: {ast.unparse(node)[:60]!r}: {fault}") from None

    def _both(self, node: ast.BinOp, left: Any, right: Any) -> Any:
        try:
            return _BINARY[type(node.op)](left, right)
        except ValueError:
            raise InputError(
                f"{self.where}: {ast.unparse(node)[:60]!r}: shapes {_shape(left)} and {_shape(right)} do not fit"
            ) from None

    def _look_up(self, name: str, given: Mapping[str, Any], letters: Mapping[str, int]) -> Any:
        if name in given:
            return given[name]
        whole, _, axis = name.rpartition(".")
        if whole in given and axis in ("x", "y", "z"):
            return given[whole]["xyz".index(axis)]
        if name in letters:
            return float(letters[name])
        if name in CONSTANTS:
            return CONSTANTS[name]
        known = ", ".join(sorted(given)) or "none"
        raise InputError(f"{self.where}: there is no quantity {name}; there are {known}")
