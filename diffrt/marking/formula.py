"""Formulas: text to arithmetic, by a closed list of what may stand in them. Nothing is executed.

A formula is brought into Python's spelling (`spelling`), read by its parser and then walked; whatever is not a number,
a name, an index, + - * / ^ @, a comparison or a call of a function listed here is refused. The size of a result is
known before it is computed, and bounded, as are length and nesting.
"""

import ast
import inspect
import math
import operator
import sys
import warnings
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cache, reduce
from itertools import pairwise
from math import e, pi
from typing import Any

import numpy as np

from diffrt import autograd as ag
from diffrt.autograd.naming import scope
from diffrt.autograd.variable import shape_of
from diffrt.errors import InputError, did_you_mean, listed, shown
from diffrt.marking.spelling import KEPT, python_of
from diffrt.marking.work import MOST_ENTRIES, cost, spend

LONGEST = 10_000
"""The most characters of a formula."""

DEEPEST = 200
"""So many operations may lie in each other in a formula; a sum of n terms is n - 1 of them."""


def _pairwise(both: Callable[..., Any], along: Callable[..., Any]) -> Callable[..., Any]:
    """max and min: of several numbers, or of the entries of one array."""
    return lambda *given: reduce(both, given) if len(given) > 1 else along(*given)


def _of_vector(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function along an axis, which a number does not have."""

    def apply(x: Any) -> Any:
        if not shape_of(x):
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

ENTRYWISE = ("relu", "sigmoid", "softplus", "gelu")
_COMPOSED = (*ENTRYWISE, "norm", "length", "normalize", "softmax", "log_softmax", "logsumexp", "trace")
"""Functions of several operations that people take for one."""

CONSTANTS = {"pi": pi, "e": e}

_BINARY: dict[type, Callable[..., Any]] = {
    ast.Add: ag.add, ast.Sub: ag.subtract, ast.Mult: ag.multiply, ast.Div: ag.divide, ast.Pow: ag.power,
    ast.MatMult: ag.matmul,
}  # fmt: skip

_UNARY: dict[type, Callable[..., Any]] = {ast.USub: ag.negative, ast.UAdd: lambda x: x, ast.Not: ag.logical_not}

_LOGICAL: dict[type, Callable[..., Any]] = {ast.And: ag.logical_and, ast.Or: ag.logical_or}

_STEPS: dict[type, Callable[..., Any]] = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}
"""The arithmetic of indices."""

_OVER: dict[str, Callable[..., Any]] = {
    "sum": ag.sum, "prod": ag.prod, "mean": ag.mean, "max": ag.max, "min": ag.min
}  # fmt: skip
"""What may run over an index: sum(k, x[k])."""

_COMPARE: dict[type, Callable[..., Any]] = {
    ast.Lt: ag.less, ast.LtE: ag.less_equal, ast.Gt: ag.greater, ast.GtE: ag.greater_equal, ast.Eq: ag.equal,
    ast.NotEq: ag.not_equal,
}  # fmt: skip

SPELLED = "a number, a name, x[0], + - * / ** @, a comparison, or a function"


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
    shapes = [shape_of(x) for x in given]
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
def count_of_arguments(function: Callable[..., Any]) -> tuple[int, float]:
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
        self.names: set[str] = set()
        try:
            self._source = python_of(self.text, FUNCTIONS)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # such as of "is" with a number, which is refused below
                self.tree = ast.parse(self._source, mode="eval").body
            self._check(self.tree, 0)
        except InputError:
            raise
        except (SyntaxError, ValueError) as fault:
            told = _told(fault, getattr(self, "_source", ""))
            raise InputError(f"{where}: {shown(self.text)} cannot be read: {told}") from None
        except (RecursionError, MemoryError):
            raise InputError(
                f"{where}: {shown(self.text)} is nested too deeply; allowed: {DEEPEST} operations in each other"
            ) from None

    def with_tree(self, tree: Any) -> "Formula":
        """The same formula with another tree of operations, made from its own."""
        other = copy(self)
        other.tree = tree
        return other

    def parts(self) -> list[Any]:
        """The operations, names and numbers in it, outer ones first."""
        found: list[Any] = [self.tree]
        for node in found:
            found += _operands(node)
        return found

    def said(self, node: ast.AST) -> str:
        """A part of the formula in its own language."""
        return ast.unparse(node).replace(" ** ", "^").replace(KEPT, "")

    def _refuse(self, what: str) -> InputError:
        return InputError(f"{self.where}: {what} is not allowed in a formula; allowed: {SPELLED}")

    def _said(self, node: ast.AST) -> str:
        """A part of the formula, for a message."""
        try:
            return shown(self.said(node))
        except ValueError:  # a number of thousands of digits
            return shown(self.text)

    def _check(self, node: ast.AST, depth: int) -> None:
        if depth > DEEPEST:
            raise RecursionError
        if isinstance(node, ast.Constant):
            if isinstance(node.value, bool) or not isinstance(node.value, int | float):
                raise self._refuse(shown(node.value))
            _decimal(node.value, self.where)
        elif isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and node.attr != "T"):
            self.names.add(self._dotted(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            self._check_call(node, node.func.id)
        elif isinstance(node, ast.Subscript):
            for part in _parts_of_index(node):
                for bound in (part.lower, part.upper) if isinstance(part, ast.Slice) else (part,):
                    if bound is not None:
                        self._index(bound, None)
                if isinstance(part, ast.Slice) and part.step is not None:
                    raise InputError(f"{self.where}: {self._said(node)}: an index has no step; write x[1:3]")
        elif not _is_operation(node):
            raise self._refuse(type(node).__name__)
        for child in _operands(node):
            self._check(child, depth + 1)

    def _check_call(self, node: ast.Call, name: str) -> None:
        """Raises InputError for a function that there is not, and for too few or too many arguments."""
        count = len(node.args)
        if name == "delta" and count == 2:
            return
        if name not in FUNCTIONS:
            if count == 1:  # a(b + c) is a product if a is a quantity, which is known when there are quantities
                self.names.add(name.replace(KEPT, ""))
                return
            raise InputError(f"{self.where}: there is no function {name}; {_meant(name)}")
        least, most = count_of_arguments(FUNCTIONS[name])
        over = name in _OVER and count in (2, 4) and isinstance(node.args[0], ast.Name)
        if not least <= count <= most and not over:
            needed = f"{least} or more" if most > least else str(least)
            raise InputError(f"{self.where}: {self._said(node)} has {count} arguments, needed: {needed}")

    def _dotted(self, node: ast.AST) -> str:
        if isinstance(node, ast.Name):
            return node.id.replace(KEPT, "")
        if isinstance(node, ast.Attribute):
            return f"{self._dotted(node.value)}.{node.attr}"
        raise self._refuse(type(node).__name__)

    def _index(self, node: ast.AST, letters: Mapping[str, int] | None) -> int:
        """A whole number, from numbers and letters with + - *. letters: None where only the form is asked for."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
            return min(node.value, sys.maxsize)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._index(node.operand, letters)
        if isinstance(node, ast.BinOp) and type(node.op) in _STEPS:
            return int(_STEPS[type(node.op)](self._index(node.left, letters), self._index(node.right, letters)))
        if isinstance(node, ast.Name) and letters is None:
            return 0
        if isinstance(node, ast.Name) and letters is not None and node.id in letters:
            return letters[node.id]
        raise InputError(
            f"{self.where}: an index is a whole number or a letter of the left side, found {self.said(node)}"
        )

    def __call__(self, quantities: Mapping[str, Any], letters: Mapping[str, int] | None = None) -> Any:
        """The value, from those of the quantities: Vars, floats, arrays.

        letters: of indices, and what they stand for. What is undefined is nan or inf, without a warning. Raises
        InputError for an unknown name, an index or shapes that do not fit, and a result of too many entries.
        """
        with np.errstate(all="ignore"):
            return self._value(self.tree, quantities, letters or {})

    def _value(self, node: Any, given: Mapping[str, Any], letters: Mapping[str, int]) -> Any:
        if isinstance(node, ast.Constant):
            return float(node.value)  # type: ignore[arg-type]
        if isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and node.attr != "T"):
            return self._look_up(self._dotted(node), given, letters)
        if isinstance(node, ast.Subscript):
            return self._entry(node, self._value(node.value, given, letters), letters)
        if isinstance(node, ast.Call):
            special = self._special(node, given, letters)
            if special is not None:
                return special
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            ends = [node.left, *node.comparators]
            steps = zip(pairwise(ends), node.ops, strict=True)
            pairs: list[ast.expr] = [ast.Compare(a, [op], [b]) for (a, b), op in steps]
            return self._value(ast.BoolOp(ast.And(), pairs), given, letters)
        choice = _choice(node)
        if choice is not None:
            # Where indices decide, only what is chosen need be there: where(i < 2, x[i + 1], 0).
            named = {n.id for n in ast.walk(choice[0]) if isinstance(n, ast.Name)} - FUNCTIONS.keys()
            if named and named <= letters.keys() - given.keys():
                chosen = choice[1] if self._value(choice[0], given, letters) else choice[2]
                return self._value(chosen, given, letters)
        values = [self._value(child, given, letters) for child in choice or _operands(node)]
        what, function = _operation(node)
        if what == "Pow" and len(shape_of(values[0])) > 1 and _is_literal(node.right, -1):
            base = self.said(node.left)
            raise InputError(f"{self.where}: {self._said(node)}: write inv({base}) for the inverse "
                             f"matrix, 1 / {base} for that of each entry")  # fmt: skip
        try:
            spend(cost(1, _bounded(_entries(what, values))))
            if len(values) == 1 and what in _COMPOSED:
                with scope(self.said(node)):
                    return function(*values)
            return function(*values)
        except InputError:
            raise
        except (TypeError, ValueError, IndexError, ArithmeticError) as fault:
            shapes = [shape_of(v) for v in values]
            told = f"shapes {' and '.join(map(str, shapes))} do not fit" if len(shapes) > 1 else str(fault)
            if str(fault).startswith("the result has"):
                told = str(fault)
            raise InputError(f"{self.where}: {self._said(node)}: {told}") from None

    def _special(self, node: Any, given: Mapping[str, Any], letters: Mapping[str, int]) -> Any:
        """The value of a call that is no plain function; None if it is one."""
        name, arguments = node.func.id.replace(KEPT, ""), node.args
        if name == "delta" and len(arguments) == 2:
            i, j = (self._value(a, given, letters) for a in arguments)
            return ag.where(ag.equal(i, j), 1.0, 0.0)
        if name not in FUNCTIONS:
            try:
                self._look_up(name, given, letters)
            except InputError:
                raise InputError(f"{self.where}: there is no function {name}; {_meant(name)}") from None
            return self._value(ast.BinOp(node.func, ast.Mult(), arguments[0]), given, letters)
        letter = arguments[0].id if name in _OVER and isinstance(arguments[0], ast.Name) and len(arguments) > 1 else ""
        if not letter or (letter in given and len(arguments) == 2 and name in ("max", "min")):
            return None
        if letter in given or len(letter) > 1:
            raise InputError(f"{self.where}: {self._said(node)} has {len(arguments)} arguments, needed: 1, or a letter "
                             f"that is no quantity and what to add up: {name}(k, x[k])")  # fmt: skip
        if letter in letters:
            raise InputError(f"{self.where}: {self._said(node)}: {letter} is an index already; take another letter")
        first, last = self._range(node, letter, given, letters)
        try:
            _bounded(last - first + 1)
            parts = [self._value(arguments[-1], given, {**letters, letter: k}) for k in range(first, last + 1)]
            return _OVER[name](ag.stack(parts), 0)
        except InputError:
            raise
        except (TypeError, ValueError) as fault:
            raise InputError(f"{self.where}: {self._said(node)}: {fault}") from None

    def _range(self, node: Any, letter: str, given: Any, letters: Mapping[str, int]) -> tuple[int, int]:
        """What a letter runs from and to: as written, or over the whole of what it is the index of."""
        if len(node.args) == 4:
            return self._index(node.args[1], letters), self._index(node.args[2], letters)
        sizes = set()
        for part in ast.walk(node.args[-1]):
            if isinstance(part, ast.Name) and part.id not in given and part.id.rpartition("_")[0] in given:  # x_k
                base, _, low = part.id.rpartition("_")
                sizes |= {n for n, c in zip(shape_of(given[base]), low, strict=False) if c == letter}
            if isinstance(part, ast.Subscript) and not isinstance(part.value, ast.Subscript):
                for axis, index in enumerate(_parts_of_index(part)):
                    if isinstance(index, ast.Name) and index.id == letter:
                        free = {x.id: 0 for x in ast.walk(part.value) if isinstance(x, ast.Name) and x.id not in given}
                        shape = shape_of(self._value(part.value, given, {**free, **letters}))
                        sizes |= {shape[axis]} if axis < len(shape) else set()
        if len(sizes) != 1:
            raise InputError(f"{self.where}: {self._said(node)}: it is not clear from where to where {letter} runs; "
                             f"write {node.func.id}({letter}, 0, 3, ...), the last included")  # fmt: skip
        return 0, sizes.pop() - 1

    def _entry(self, node: ast.Subscript, whole: Any, letters: Mapping[str, int]) -> Any:
        shape, index = shape_of(whole), []
        parts = _parts_of_index(node)
        fits = len(parts) <= len(shape)
        for part, size in zip(parts, shape, strict=False):
            if isinstance(part, ast.Slice):
                index.append(slice(*(None if b is None else self._index(b, letters) for b in (part.lower, part.upper))))
                continue
            k = self._index(part, letters)
            # x[-1] is the last one; x[i - 1] is not, for i = 0.
            fits &= (0 if any(isinstance(n, ast.Name) for n in ast.walk(part)) else -size) <= k < size
            index.append(k)  # type: ignore[arg-type]
        if not fits:
            at = ", ".join(f"{x} = {k}" for x, k in letters.items() if any(
                isinstance(n, ast.Name) and n.id == x for n in ast.walk(node.slice)))  # fmt: skip
            raise InputError(f"{self.where}: {self._said(node)} does not fit the shape {shape}"
                             + (f" for {at}; write where(...) for the ends" if at else ""))  # fmt: skip
        return whole[tuple(index)]

    def _look_up(self, name: str, given: Mapping[str, Any], letters: Mapping[str, int]) -> Any:
        if name in given:
            return given[name]
        whole, _, axis = name.rpartition(".")
        if whole in given and axis in ("x", "y", "z"):
            place, shape = "xyz".index(axis), shape_of(given[whole])
            if not shape or place >= shape[0]:
                raise InputError(f"{self.where}: {name} does not fit the shape {shape}")
            return given[whole][place]
        if name in letters:
            return float(letters[name])
        if name in CONSTANTS:
            return CONSTANTS[name]
        base, _, subscript = name.rpartition("_")
        if subscript and (subscript.isdigit() or all(c in letters for c in subscript)):
            parts = [subscript] if subscript.isdigit() else list(subscript)
            places: list[Any] = [ast.Constant(int(p)) if p.isdigit() else ast.Name(p) for p in parts]
            if base in given:
                return self._entry(ast.Subscript(ast.Name(base), ast.Tuple(places)), given[base], letters)
            if base == "delta" and len(places) == 2:
                return 1.0 if self._index(places[0], letters) == self._index(places[1], letters) else 0.0
        known = listed(sorted(given)) or "none"
        hint = "; for the transposed matrix write A.T" if name == "T" else ""
        if name[:1] == "d" and name[1:] in given:
            hint = f"; write the derivative {name}/... as a formula of the quantities"
        elif name in FUNCTIONS:
            hint = f"; {name} is a function: write {name}(x)"
        raise InputError(f"{self.where}: there is no quantity {name}; there are {known}{hint}")


def _told(fault: SyntaxError | ValueError, source: str) -> str:
    """Why a text is no formula, in plain words."""
    if not isinstance(fault, SyntaxError):
        return str(fault)
    if not fault.msg.startswith("invalid syntax"):
        return fault.msg.replace(KEPT, "")
    rest = source[max((fault.offset or 1) - 1, 0) :].strip().replace("**", "^").replace(KEPT, "")
    return f"something is missing or too much before {shown(rest)}" if rest else "something is missing at the end"


def _parts_of_index(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _is_literal(node: Any, value: int) -> bool:
    try:
        return bool(ast.literal_eval(node) == value)
    except ValueError:
        return False


def _choice(node: Any) -> tuple[ast.AST, ast.AST, ast.AST] | None:
    """The condition of a choice, and what is chosen if it holds and if not."""
    if isinstance(node, ast.IfExp):
        return node.test, node.body, node.orelse
    is_where = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "where"
    return (node.args[0], node.args[1], node.args[2]) if is_where and len(node.args) == 3 else None


OTHER_NAMES = {"tg": "tan", "arctg": "arctan", "sgn": "sign", "sigma": "sigmoid", "lg": "log(x) / log(10)",
                "log10": "log(x) / log(10)", "log2": "log(x) / log(2)", "cot": "1 / tan(x)", "sec": "1 / cos(x)",
                "csc": "1 / sin(x)", "inverse": "inv", "tr": "trace", "Tr": "trace", "I": "eye(3)",
                "abs_value": "abs", "ReLU": "relu", "heaviside": "where(x > 0, 1, 0)"}  # fmt: skip


def _meant(name: str) -> str:
    """The end of a message about an unknown function."""
    if name in OTHER_NAMES:
        return f"write {OTHER_NAMES[name]}"
    return did_you_mean(name, sorted(FUNCTIONS)).replace("known: ", "there are ").replace("'", "")


def _is_operation(node: ast.AST) -> bool:
    """Whether a node joins others in a way that formulas have."""
    if isinstance(node, ast.Compare):
        return all(type(op) in _COMPARE for op in node.ops)
    if isinstance(node, ast.BinOp | ast.UnaryOp):
        return type(node.op) in _BINARY or type(node.op) in _UNARY
    return isinstance(node, ast.BoolOp | ast.IfExp | ast.List | ast.Tuple | ast.Attribute)


def _operands(node: Any) -> list[ast.AST]:
    """The parts that a node joins."""
    if isinstance(node, ast.Call):
        return list(node.args)
    if isinstance(node, ast.Subscript):
        return [node.value]
    if isinstance(node, ast.Attribute) and node.attr != "T":
        return []
    return [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]


def _operation(node: Any) -> tuple[str, Callable[..., Any]]:
    """What an inner node of the tree does: its name, and the function of the operands."""
    if isinstance(node, ast.BinOp):
        return type(node.op).__name__, _BINARY[type(node.op)]
    if isinstance(node, ast.UnaryOp):
        return "unary", _UNARY[type(node.op)]
    if isinstance(node, ast.Attribute):
        return "transpose", ag.transpose
    if isinstance(node, ast.BoolOp):
        return "compare", lambda *given: reduce(_LOGICAL[type(node.op)], given)
    if isinstance(node, ast.IfExp):
        return "where", ag.where
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
