"""Programs: what a function does to the numbers of one sample, recorded once.

A function of the autograd core is called on arrays whose entries are *nodes*, numbers without a value. Every op on
them makes a new node, so that what comes back is the whole computation, scalar by scalar. The same holds for a function
that the transforms of the core have made, an adjoint for instance: the rules of the op table run on nodes as they
run on numbers, and no second differentiation is needed.

Nodes are made in one place, `Recorder.make`, which computes what is constant and finds what is there already. What
nobody uses is left out when the program is emitted.

A node belongs to a *scope*, the innermost of those of its operands: the whole call, a run of samples with one row,
one sample, the body of a loop, a branch. It is computed once per pass through its scope. So what does not depend on the
sample leaves the loop over samples by itself. A branch may use what an earlier branch of the same kind has computed, as
whenever the one is taken so is the other.
"""

import linecache
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from diffrt.autograd.operators import Operators
from diffrt.autograd.variable import TABLE, Abstract, Array, Op, apply
from diffrt.compiler.structures import Skeleton, put_together

UNIFORM, ROW, SAMPLE, TABLE_FIELD = "uniform", "row", "sample", "table"
"""How a number reaches a sample: one for all, by the row that its run takes, its own, or row by row in a `scan`."""


class Scope:
    """Where nodes are computed: `parent` is the scope around it. Of scopes around one node the innermost has the
    largest `rank`, and of two branches the later one."""

    _made = count()

    def __init__(self, name: str, parent: "Scope | None" = None) -> None:
        self.name, self.parent = name, parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.rank = self.depth, next(Scope._made)

    def holds(self, other: "Scope | None") -> bool:
        """Whether another scope is this one, or in it."""
        while other is not None and other.depth > self.depth:
            other = other.parent
        return other is self


@dataclass(eq=False)
class Loop:
    """A loop, or a branch, in a program.

    kind: "scan" over the rows of a table, "while" lanes are active, at most `count` times, or "cond", if a lane asks
    for it. given: the nodes with which the carried numbers begin. carried: these numbers inside. after: what the
    body makes of them. mask: for "cond". results: nodes for the numbers that come out. table: its number, for "scan";
    need, following: whether a lane needs the rows that follow, and the number of the row to go on with if none does.
    """

    kind: str
    scope: Scope
    given: list["Node"]
    carried: list["Node"]
    after: list["Node"] = field(default_factory=list)
    mask: "Node | None" = None
    count: int = 0
    table: int = -1
    need: "Node | None" = None
    following: "Node | None" = None
    results: list["Node"] = field(default_factory=list)
    number: int = 0

    @property
    def home(self) -> Scope:
        """The scope around it."""
        assert self.scope.parent is not None
        return self.scope.parent


@dataclass(eq=False)
class Choice:
    """Branches of which one is computed, for a whole run of samples.

    kind: the number of the branch, the same in all lanes. given: what the branches compute with. scopes: of the
    branches. carried: for each branch, what stands for `given` inside of it. after: for each branch, what it makes of
    that. results: nodes for the numbers that come out.
    """

    kind: "Node"
    given: list["Node"]
    scopes: list[Scope]
    carried: list[list["Node"]] = field(default_factory=list)
    after: list[list["Node"]] = field(default_factory=list)
    results: list["Node"] = field(default_factory=list)
    number: int = 0

    @property
    def home(self) -> Scope:
        """The scope around it."""
        parent = self.scopes[0].parent
        assert parent is not None
        return parent


class NoMachineCode(Exception):
    """A function uses an op that cannot be compiled, such as a user's own.

    op: its name.
    """

    def __init__(self, op: str) -> None:
        super().__init__(op)
        self.op = op


class Node(Operators, Abstract):
    """One number of a program.

    op: a name of the op table, or "constant", "input", "carried", "result". operands: nodes. setting: the value of a
    constant, the place of an input. constant: the value, if it is known. boolean: whether it is true or false. varies:
    from sample to sample.
    """

    __slots__ = ("boolean", "constant", "number", "op", "operands", "recorder", "scope", "setting", "varies")

    def __init__(self, recorder: "Recorder", op: str, operands: tuple["Node", ...], setting: Any, scope: Scope,
                 boolean: bool, varies: bool) -> None:  # fmt: skip
        self.recorder, self.op, self.operands, self.setting = recorder, op, operands, setting
        self.scope, self.boolean, self.varies = scope, boolean, varies
        self.constant: float | bool | None = setting if op == "constant" else None
        self.number = recorder.count()

    def combined(self, op: Op, operands: Sequence[Any]) -> Any:
        """The node of an elementwise op. Raises NoMachineCode for one without code, and one that is not in the table:
        nodes know ops by name."""
        if TABLE.get(op.name) is not op or op.code is None:
            raise NoMachineCode(op.name)
        return self.recorder.make(op.name, *operands)

    def refused(self, op: Op) -> None:
        """Raises NoMachineCode for an op that is not of the package, which need not know of nodes."""
        if not getattr(op.forward, "__module__", "").startswith("diffrt."):
            raise NoMachineCode(op.name)

    def __getattr__(self, name: str) -> Any:
        """numpy asks each node of an array for the method `exp` where it is given the array in np.exp."""
        row = TABLE.get(name)
        if row is None or row.partials is None or row.code is None:
            raise AttributeError(name)
        return partial(self.recorder.make, name, self)

    def _with(self, name: str, *operands: Any) -> Any:
        return self.recorder.make(name, *operands)

    def __bool__(self) -> bool:
        raise TypeError(
            "a branch on a value while a kernel is recorded, when there is no value yet; "
            f"use diffrt.autograd.where(condition, a, b){_line()}"
        )

    def __float__(self) -> float:
        raise TypeError(f"float() of a value while a kernel is recorded, when there is no value yet{_line()}")

    def __index__(self) -> int:
        raise TypeError(f"a value as an index while a kernel is recorded, when there is no value yet{_line()}")

    def __repr__(self) -> str:
        return f"<node {self.number}: {self.op}>"


def _line() -> str:
    """The line of the caller's own code, for messages."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(("diffrt.autograd", "diffrt.compiler", "numpy")):
            source = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
            return f": {frame.f_code.co_filename}, line {frame.f_lineno}: {source}"
        frame = frame.f_back
    return ""


class Recorder:
    """Makes the nodes of one program."""

    def __init__(self) -> None:
        self.call = Scope("call")
        self.run = Scope("run", self.call)
        self.sample = Scope("sample", self.run)
        self._made: defaultdict[str, dict[tuple[Node, ...], Node]] = defaultdict(dict)
        self._leaves: dict[Any, Node] = {}
        self._constants: dict[float, Node] = {}
        self.loops: list[Loop] = []
        self.choices: list[Choice] = []
        self._count = 0

        self.inner = self.sample
        """The scope of the innermost loop whose body is being recorded."""

    def count(self) -> int:
        """The next number."""
        self._count += 1
        return self._count

    def uses(self, op: str) -> bool:
        """Whether there is a node of an op."""
        return any(node.op == op for node in self._made[op].values())

    def on_trial(self) -> list[Op]:
        """The ops from outside of which there are nodes."""
        return [TABLE[name] for name, nodes in self._made.items() if nodes and TABLE[name].trial]

    def input(self, kind: str, place: int, component: int, scope: Scope | None = None) -> Node:
        """A component of an input of the kernel; scope: of the loop over a table's rows."""
        home = {UNIFORM: self.call, ROW: self.run, SAMPLE: self.sample}.get(kind, scope)
        assert home is not None
        key = ("input", kind, place, component, id(home))
        return self._leaf(key, "input", (kind, place, component), home, False, kind == SAMPLE)

    def constant(self, value: Any) -> Node:
        """A number that is known."""
        if type(value) is float and value in self._constants:
            return self._constants[value]
        boolean = isinstance(value, bool | np.bool_)
        plain = bool(value) if boolean else float(value)
        key = plain if boolean else float(plain).hex()  # tells 0.0 from -0.0
        found = self._leaf(("constant", key), "constant", plain, self.call, boolean, False)
        if plain and not boolean:  # other floats than zero are told apart by their value
            self._constants[plain] = found
        return found

    def carried(self, scope: Scope, like: Node, varies: bool = True) -> Node:
        """A number that a loop carries, inside of it."""
        return Node(self, "carried", (), None, scope, like.boolean, varies)

    def result(self, region: "Loop | Choice", index: int, home: Scope, boolean: bool) -> Node:
        """A number that comes out of a loop or a choice."""
        return Node(self, "result", (), (region, index), home, boolean, True)

    def make(self, name: str, *given: Any) -> Node:
        """The node of an op of the table on nodes or numbers: an old one, a simpler one, or a new one; what else is
        abstract knows itself what to make of nodes."""
        for x in given:
            if type(x) is not Node:
                return self._mixed(name, given)
        made = self._made[name]
        found = made.get(given)
        if found is None:
            found = made[given] = self._found(name, given)
        return found

    def _mixed(self, name: str, given: Sequence[Any]) -> Node:
        """The same where not all operands are nodes."""
        for x in given:
            if isinstance(x, Abstract) and x.precedence:
                return x.combined(TABLE[name], given)  # type: ignore[return-value]
        return self.make(name, *[x if type(x) is Node else self.constant(x) for x in given])

    def _found(self, name: str, nodes: tuple[Node, ...]) -> Node:
        """The node of an op on nodes that it was not asked for before."""
        if name == "alias":  # the transforms' way to tell variables apart
            return nodes[0]
        row = TABLE[name]
        known, booleans = True, False
        for x in nodes:
            known, booleans = known and x.op == "constant", booleans or x.boolean
        if booleans:
            if not row.takes_booleans:
                nodes = tuple([self.number(x) for x in nodes])
            elif name == "where" and nodes[1].boolean != nodes[2].boolean:
                nodes = nodes[0], self.number(nodes[1]), self.number(nodes[2])
        if known:
            return self.constant(apply(row, tuple(x.setting for x in nodes)))
        simpler = _SIMPLER.get(name)
        found = simpler(self, *nodes) if simpler else None
        if found is not None:
            return found
        if row.commutes and nodes[0].number > nodes[1].number:
            nodes = nodes[::-1]
        made = self._made[name]
        found = made.get(nodes)
        if found is None:
            scope, varies = nodes[0].scope, False
            for x in nodes:
                varies = varies or x.varies
                # Of two branches of one kind the later one goes on with what the earlier one has computed.
                if x.scope is not scope and x.scope.rank > scope.rank:
                    scope = x.scope
            boolean = row.boolean or (name == "where" and nodes[1].boolean)
            found = made[nodes] = Node(self, name, nodes, None, scope, boolean, varies)
        return found

    def number(self, x: Node) -> Node:
        """A node as a number: 1 for true, 0 for false."""
        return self.make("where", x, 1.0, 0.0) if x.boolean else x

    def _leaf(self, key: Any, op: str, setting: Any, scope: Scope, boolean: bool, varies: bool) -> Node:
        found = self._leaves.get(key)
        if found is None:
            found = self._leaves[key] = Node(self, op, (), setting, scope, boolean, varies)
        return found


# What an op comes down to, if it is less: only rewritings that keep every bit but the sign of a zero.


def _add(r: Recorder, a: Node, b: Node) -> Node | None:
    a, b = (b, a) if a.op == "constant" else (a, b)
    if b.constant == 0.0:
        return a
    if b.op == "negative":
        return r.make("subtract", a, b.operands[0])
    return r.make("subtract", b, a.operands[0]) if a.op == "negative" else None


def _subtract(r: Recorder, a: Node, b: Node) -> Node | None:
    if b.constant == 0.0:
        return a
    if a.constant == 0.0:
        return r.make("negative", b)
    return r.make("add", a, b.operands[0]) if b.op == "negative" else None


def _multiply(r: Recorder, a: Node, b: Node) -> Node | None:
    a, b = (b, a) if a.op == "constant" else (a, b)
    return _divide(r, a, b)


def _divide(r: Recorder, a: Node, b: Node) -> Node | None:
    if b.constant == 1.0:
        return a
    return r.make("negative", a) if b.constant == -1.0 else None


def _chain(r: Recorder, a: Node, b: Node) -> Node | None:
    """A product in which zero wins. A selection moves outward, so that the branch not taken does no harm."""
    a, b = (b, a) if a.op == "constant" else (a, b)
    found = _divide(r, a, b)
    if found is not None:
        return found
    for one, other in ((a, b), (b, a)):
        if one.constant == 0.0:
            return one
        if one.op == "constant" and np.isfinite(one.setting):
            return r.make("multiply", one, other)
        if one.op == "negative":
            return r.make("negative", r.make("chain", one.operands[0], other))
        if one.op == "where":
            condition, yes, no = one.operands
            if 0.0 in (yes.constant, no.constant) or (yes.op == no.op == "constant"):
                return r.make("where", condition, r.make("chain", yes, other), r.make("chain", no, other))
    return None


def _negative(r: Recorder, a: Node) -> Node | None:
    if a.op == "negative":
        return a.operands[0]
    return r.make("subtract", a.operands[1], a.operands[0]) if a.op == "subtract" else None


def _power(r: Recorder, a: Node, b: Node) -> Node | None:
    """As numpy has it."""
    if b.constant == 1.0:
        return a
    return r.make("multiply", a, a) if b.constant == 2.0 else None


def _where(r: Recorder, condition: Node, yes: Node, no: Node) -> Node | None:
    if condition.op == "constant":
        return yes if condition.constant else no
    if yes is no:
        return yes
    if condition.op == "logical_not":
        return r.make("where", condition.operands[0], no, yes)
    return condition if yes.constant is True and no.constant is False else None


def _logical_not(r: Recorder, a: Node) -> Node | None:
    return a.operands[0] if a.op == "logical_not" else None


def _logical_and(r: Recorder, a: Node, b: Node) -> Node | None:
    a, b = (b, a) if a.op == "constant" else (a, b)
    if b.constant is not None:
        return a if b.constant else b
    return a if a is b else None


def _logical_or(r: Recorder, a: Node, b: Node) -> Node | None:
    a, b = (b, a) if a.op == "constant" else (a, b)
    if b.constant is not None:
        return b if b.constant else a
    return a if a is b else None


_SIMPLER: dict[str, Callable[..., Node | None]] = {
    "add": _add, "subtract": _subtract, "multiply": _multiply, "chain": _chain, "divide": _divide,
    "negative": _negative, "power": _power, "where": _where,
    "logical_not": _logical_not, "logical_and": _logical_and, "logical_or": _logical_or,
}  # fmt: skip


@dataclass(frozen=True)
class TableInput:
    """A table whose rows a `scan` goes through.

    number: among the tables. first: the place of its first field among the inputs. fields: the shape of each, without
    the axis of the rows. skeleton: of the structure that a row is.
    """

    recorder: Recorder
    number: int
    first: int
    fields: tuple[tuple[int, ...], ...]
    skeleton: Skeleton

    def row(self, scope: Scope) -> Any:
        """The row that the loop of that scope is at; its fields are (..., 1)."""
        return put_together(
            self.skeleton,
            [abstract(self.recorder, TABLE_FIELD, self.first + i, shape, scope) for i, shape in enumerate(self.fields)],
        )


def abstract(recorder: Recorder, kind: str, place: int, shape: tuple[int, ...], scope: Scope | None = None) -> Array:
    """An input without value, (*shape, 1)."""
    out = np.empty(int(np.prod(shape)), object)
    for i in range(out.size):
        out[i] = recorder.input(kind, place, i, scope)
    return out.reshape(*shape, 1)


def recorder_of(values: Sequence[Any]) -> Recorder | None:
    """The recorder of the nodes in arrays; None if they hold numbers."""
    for value in values:
        if isinstance(value, np.ndarray) and value.dtype.char == "O":
            for entry in value.flat:
                if isinstance(entry, Node):
                    return entry.recorder
    return None


def as_nodes(recorder: Recorder, value: Any) -> Array:
    """An array of nodes, constants made nodes too."""
    array = np.asarray(value, object) if not isinstance(value, np.ndarray) else value
    out = np.empty(array.shape, object)
    for i, entry in np.ndenumerate(array):
        out[i] = entry if isinstance(entry, Node) else recorder.constant(entry)
    return out
