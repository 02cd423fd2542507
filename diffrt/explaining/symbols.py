"""A recorded computation number by number, without the numbers: what formulas are read from.

A *symbol* is one number of a computation: an op of the table on other symbols, a constant, or a number that is given.
The computation is run on arrays of symbols, so ops that only move, add up or combine entries are gone afterwards, and
an array is its entries. The reverse sweep is run on symbols too: what one op adds to the adjoints of its inputs is the
adjoint of its result times its partials, which are written in ops of the table themselves. So the derivative is again
made of symbols, and no rule of differentiation is written here.

Equal symbols are one: an op on the same inputs is recorded once.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from diffrt.autograd.operators import Operators
from diffrt.autograd.variable import TABLE, Abstract, Op, Var, apply, is_abstract
from diffrt.explaining.wording import entry_name

MOST = 30_000
"""Symbols of a computation and its derivative."""


MOVES = ("reshape", "broadcast_to", "transpose", "index", "place", "stack", "concatenate", "take", "scatter_add")
"""Ops that only move entries."""


class NoFormula(ValueError):
    """Why there is no formula, in a line."""


class Symbol(Operators, Abstract):
    """One number, or one truth. op: of the table; None for what is given, and for constants. value: at the point at
    which the computation was recorded. number: in the order of recording. name: of what is given."""

    __slots__ = ("name", "number", "op", "operands", "record", "value")

    def __init__(self, record: "Record", op: Op | None, operands: tuple["Symbol", ...], value: Any, name: str) -> None:
        self.record, self.op, self.operands, self.value, self.name = record, op, operands, value, name
        self.number = record.numbered(self)

    @property
    def constant(self) -> bool:
        """Whether it is a plain number, or a plain truth."""
        return self.op is None and not self.name

    @property
    def boolean(self) -> bool:
        """Whether it is true or false."""
        return type(self.value) is bool

    def combined(self, op: Op, operands: Sequence[Any]) -> "Symbol":
        return self.record.make(op, operands)

    def _with(self, name: str, *operands: Any) -> Any:
        if any(isinstance(x, np.ndarray | Var) for x in operands):
            return NotImplemented  # these ask again, entry by entry
        return self.record.make(TABLE[name], operands)

    def __bool__(self) -> bool:
        """A program may branch: it goes on as at the point of recording, and what it asked is remembered."""
        truth = bool(self.value)
        if not self.constant:
            asked = self if self.boolean else self.record.make(TABLE["not_equal"], (self, 0.0))
            self.record.assumed.append((asked, truth))
        return truth

    def __float__(self) -> float:
        raise TypeError("float() of a number that is to be written as a symbol")

    def __repr__(self) -> str:
        return f"<symbol {self.number}: {self.name or (self.op.name if self.op else self.value)}>"


class Record:
    """The symbols of one computation, in order. assumed: what a program asked in its own branches, with the answers."""

    def __init__(self) -> None:
        self.symbols: list[Symbol] = []
        self.assumed: list[tuple[Symbol, bool]] = []
        self._known: dict[Any, Symbol] = {}

    def numbered(self, symbol: Symbol) -> int:
        """The number of a new symbol. Raises NoFormula where there are too many."""
        if len(self.symbols) >= MOST:
            raise NoFormula(f"this computation is made of more than {MOST:,} numbers, too many for a formula; ask for "
                            "the formula of a smaller part of it")  # fmt: skip
        self.symbols.append(symbol)
        return len(self.symbols) - 1

    def given(self, name: str, value: float) -> Symbol:
        """A new symbol for a number that is given."""
        return Symbol(self, None, (), float(value), name)

    def array(self, name: str, values: Any) -> Any:
        """New symbols for the entries of an array."""
        array = np.asarray(values, float)
        entries = [self.given(entry_name(name, array.shape, k), v) for k, v in enumerate(array.flat)]
        made = np.empty(array.size, object)
        made[:] = entries
        return made.reshape(array.shape)

    def constant(self, value: Any) -> Symbol:
        """The symbol of a plain number."""
        value = bool(value) if isinstance(value, bool | np.bool_) else float(value)
        key = ("constant", type(value), math.copysign(1.0, value), repr(value))
        if key not in self._known:
            self._known[key] = Symbol(self, None, (), value, "")
        return self._known[key]

    def of(self, x: Any) -> Symbol:
        """A symbol, from one or from a plain number."""
        if isinstance(x, np.ndarray):
            x = x.item()
        return x if isinstance(x, Symbol) else self.constant(x)

    def make(self, op: Op, operands: Sequence[Any]) -> Symbol:
        """The symbol of an elementwise op."""
        x = [self.of(y) for y in operands]
        if not op.takes_booleans:
            x = [self.make(TABLE["where"], (y, 1.0, 0.0)) if y.boolean else y for y in x]
        short = self._trivial(op.name, x)
        if short is not None:
            return short
        if all(y.constant for y in x) and (op.symbolic is None or op.name in _EXACT):
            return self.constant(run(op, [y.value for y in x]))
        order = sorted(y.number for y in x) if op.commutes else [y.number for y in x]
        key = (op, *order)
        if key not in self._known:
            self._known[key] = Symbol(self, op, tuple(x), run(op, [y.value for y in x]), "")
        return self._known[key]

    def _trivial(self, name: str, x: Sequence[Symbol]) -> Symbol | None:
        """What needs no op: a product with 1, a sum with 0, a condition that is known; a product with 0 is 0, as in
        the sweeps of the core."""

        def known(y: Symbol, value: float) -> bool:
            return y.constant and not y.boolean and y.value == value

        match name:
            case "alias":
                return x[0]
            case "multiply" | "chain":
                for a, b in (x, x[::-1]):
                    if known(a, 1.0) or known(b, 0.0):
                        return b
            case "add" | "subtract" if known(x[1], 0.0):
                return x[0]
            case "add" if known(x[0], 0.0):
                return x[1]
            case "divide" | "power" if known(x[1], 1.0):
                return x[0]
            case "where" if x[0].constant:
                return x[1] if x[0].value else x[2]
            case "where" if x[1] is x[2]:
                return x[1]
        return None

    def adjoints(self, output: Symbol) -> dict[int, Symbol]:
        """The derivative of a symbol by each one that it was computed from, by number: the reverse sweep."""
        sums: dict[int, Symbol] = {output.number: self.constant(1.0)}
        for symbol in reversed(needed([output])):
            g = sums.get(symbol.number)
            if g is None or symbol.op is None or symbol.op.partials is None:
                continue
            rules = symbol.op.textbook or symbol.op.partials
            for x, partial in zip(symbol.operands, rules, strict=True):
                if partial is None or x.constant:
                    continue
                local = self.of(partial if isinstance(partial, float) else partial(symbol, *symbol.operands))
                # The adjoint comes first: where it is 0, nobody has to know the partial, nor which side it is of.
                part = self.make(TABLE["multiply"], (g, local))
                old = sums.get(x.number)
                sums[x.number] = part if old is None else self.make(TABLE["add"], (old, part))
        return sums


_EXACT = ("add", "subtract", "multiply", "negative")
"""Of constants these are computed; log 2 stays as it is."""


def needed(targets: Iterable[Symbol]) -> list[Symbol]:
    """All that some symbols are computed from, themselves included, in order."""
    found: dict[int, Symbol] = {}
    pending = list(targets)
    while pending:
        symbol = pending.pop()
        if symbol.number not in found:
            found[symbol.number] = symbol
            pending += symbol.operands
    return [found[k] for k in sorted(found)]


def run(op: Op, values: Sequence[Any]) -> Any:
    """An elementwise op on plain numbers."""
    with np.errstate(all="ignore"):
        found = apply(op, tuple(values))
    return found if type(found) is bool else float(found)


def evaluate(targets: Sequence[Symbol], values: Mapping[int, float]) -> tuple[dict[int, Any], dict[int, float]]:
    """Symbols as numbers. values: of those that are given, by number.

    Returns the values by number, and the sizes of what was added up on the way to each, a measure of its rounding.
    """
    found: dict[int, Any] = {}
    sizes: dict[int, float] = {}
    for symbol in needed(targets):
        n = symbol.number
        if symbol.op is None:
            found[n] = values.get(n, symbol.value)
            sizes[n] = abs(float(found[n]))
            continue
        found[n] = run(symbol.op, [found[x.number] for x in symbol.operands])
        sizes[n] = abs(float(found[n]))
        inner = [sizes[x.number] for x in symbol.operands]
        if symbol.op.name in ("add", "subtract"):
            sizes[n] = inner[0] + inner[1]
        elif symbol.op.name in ("multiply", "negative"):
            sizes[n] = math.prod(inner)
        elif symbol.op.name == "divide" and found[symbol.operands[1].number]:
            sizes[n] = inner[0] / abs(found[symbol.operands[1].number])
    return found, sizes


def on_symbols(record: Record, nodes: Sequence[Var], leaves: Mapping[int, Any], names: Mapping[int, str]) -> tuple[
    dict[int, Any], list[tuple[Var, str]]
]:  # fmt: skip
    """A recorded computation run again on symbols.

    nodes: in order of computation. leaves: arrays of symbols, names: of all nodes, both by serial number. Returns the
    arrays of all nodes, and those that an op made which is not computed number by number, such as the root of an
    equation, with the reason. Their entries are given, as those of leaves are.
    """
    found = dict(leaves)
    held = []
    for node in nodes:
        if node.serial in found:
            continue
        op = node.op
        if op is None:
            found[node.serial] = node.value
            continue
        inputs = [found.get(x.serial, x.value) if type(x) is Var else x for x in node.inputs]
        abstract = any(map(is_abstract, inputs))
        why = ""
        made: Any = None
        try:
            if op.spelled is not None and op.partials is None and abstract:
                made = op.spelled(*map(np.asarray, inputs), **(node.settings or {}))
            else:
                made = apply(op, tuple(inputs), node.settings)
        except NoFormula:
            raise
        except (TypeError, ValueError) as fault:
            why = str(fault).splitlines()[0]
        if made is not None:
            made = _plain(np.asarray(made))
            if abstract and not is_abstract(made) and op.name not in MOVES:
                why = f"the op {op.name} is not computed number by number"
        if why:
            held.append((node, why))
            made = record.array(names[node.serial], node.value)
        found[node.serial] = np.broadcast_to(made, node.shape)
    return found, held


def _plain(array: Any) -> Any:
    """An array of symbols, or of numbers if no entry is a symbol."""
    if array.dtype.char == "O" and not any(isinstance(x, Symbol) for x in array.flat):
        return np.array(array.tolist(), float)
    return array


def traced(function: Callable[..., Any], at: Mapping[str, Any]) -> tuple[Record, Any]:
    """A function of Vars, called by name on symbols. Returns the record, and what came out, a Var.

    Raises whatever the function raises on numbers without a value.
    """
    record = Record()
    return record, function(**{name: Var(record.array(name, value), name) for name, value in at.items()})
