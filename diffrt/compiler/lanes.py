"""LLVM's language while it is written: the lines of a function, and numbers in them with arithmetic of their own.

The code of an op, a column of its row in the op table, is a function code(text, *lanes) -> lanes:

    def log_cosh(t, x):
        return abs(x) + t.op("log1p", t.op("exp", -2.0 * abs(x))) - math.log(2.0)

Lanes stand for a vector of numbers, one of each sample. They have + - * / and comparisons; a choice is `t.choose`, and
`t.op` is any op of the table that has code.
"""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from diffrt.autograd.variable import TABLE, Op

REALS = ("double", "float")

INTRINSICS = ("sqrt", "fabs", "fma", "copysign", "floor", "ceil", "trunc", "rint", "round", "minnum", "maxnum")
"""Functions of LLVM that every processor has; an unknown one would end the process."""


class Body:
    """The lines of one function. width: lanes of a vector.

    declared: what the module has to declare. functions: the ops that are called, each with the kind of its numbers and
    how many it takes. All functions of a module share both.
    """

    def __init__(self, width: int, block: str, module: "Body | None" = None) -> None:
        self.width, self.block = width, block
        self.lines: list[str] = []
        self.count = 0
        self.declared: set[str] = module.declared if module else set()
        self.functions: list[tuple[str, str, int]] = module.functions if module else []

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def value(self, text: str) -> str:
        """The name of an instruction's result: its number, which LLVM reads in half the time of a name."""
        self.count += 1
        name = f"%{self.count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def start(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.block = label

    def label(self, what: str) -> str:
        self.count += 1
        return f"{what}{self.count}"

    def intrinsic(self, name: str, result: str, *types: str) -> str:
        self.declared.add(f"declare {result} @{name}({', '.join(types)})")
        return f"call {result} @{name}"

    def wide(self, kind: str, name: str) -> str:
        """A vector of one number."""
        vector = f"<{self.width} x {kind}>"
        one = self.value(f"insertelement {vector} poison, {kind} {name}, i64 0")
        return self.value(f"shufflevector {vector} {one}, {vector} poison, <{self.width} x i32> zeroinitializer")

    def any(self, mask: str) -> str:
        bits = self.value(f"bitcast <{self.width} x i1> {mask} to i{self.width}")
        return self.value(f"icmp ne i{self.width} {bits}, 0")


class _Draft(Body):
    """Lines in which numbers in braces stand for names: first those of the operands, then those of the results.

    branches: whether there is more than one block.
    """

    def __init__(self, module: Body, operands: int) -> None:
        super().__init__(module.width, "", module)
        self.count, self.branches = operands, False

    def value(self, text: str) -> str:
        name = f"{{{self.count}}}"
        self.count += 1
        self.lines.append(f"  {name} = {text}")
        return name

    def label(self, what: str) -> str:
        self.branches = True
        return super().label(what)


class Lanes:
    """A vector in a text that is being written, or one number that is the same in all lanes.

    kind: of the entries, "double", "float", "i64" or "i1" (true or false). constant: whether they are known.
    """

    __slots__ = ("constant", "kind", "name", "text")

    def __init__(self, text: "Text", kind: str, name: str, constant: bool = False) -> None:
        self.text, self.kind, self.name, self.constant = text, kind, name, constant

    def other(self, x: "Lanes | float | int") -> "Lanes":
        """Another operand, with constants made lanes of this kind."""
        return x if isinstance(x, Lanes) else self.text.known(x, self.kind)

    def _two(self, op: str, x: "Lanes | float | int", kind: str = "") -> "Lanes":
        return self.text.new(f"{op} {self.text.type(self.kind)} {self.name}, {self.other(x).name}", kind or self.kind)

    def _arithmetic(self, op: str, x: "Lanes | float | int") -> "Lanes":
        return self._two(self.text.reals[op] if self.kind in REALS else op, x)

    def __add__(self, x: "Lanes | float | int") -> "Lanes":
        return self._arithmetic("add", x)

    def __sub__(self, x: "Lanes | float | int") -> "Lanes":
        return self._arithmetic("sub", x)

    def __mul__(self, x: "Lanes | float | int") -> "Lanes":
        return self._arithmetic("mul", x)

    def __truediv__(self, x: "Lanes | float | int") -> "Lanes":
        return self._arithmetic("div", x)

    def __rsub__(self, x: float) -> "Lanes":
        return self.other(x) - self

    def __rtruediv__(self, x: float) -> "Lanes":
        return self.other(x) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> "Lanes":
        return self.text.new(f"fneg {self.text.type(self.kind)} {self.name}", self.kind)

    def __abs__(self) -> "Lanes":
        return self.text.call("fabs", self)

    def __and__(self, x: "Lanes | int") -> "Lanes":
        return self._two("and", x)

    def __or__(self, x: "Lanes | int") -> "Lanes":
        return self._two("or", x)

    def __xor__(self, x: "Lanes | int") -> "Lanes":
        return self._two("xor", x)

    def __lshift__(self, x: int) -> "Lanes":
        return self._two("shl", x)

    def __rshift__(self, x: int) -> "Lanes":
        return self._two("lshr", x)

    def __lt__(self, x: "Lanes | float") -> "Lanes":
        return self._two("fcmp olt", x, "i1")

    def __le__(self, x: "Lanes | float") -> "Lanes":
        return self._two("fcmp ole", x, "i1")

    def __gt__(self, x: "Lanes | float") -> "Lanes":
        return self._two("fcmp ogt", x, "i1")

    def __ge__(self, x: "Lanes | float") -> "Lanes":
        return self._two("fcmp oge", x, "i1")

    def is_(self, x: "Lanes | float | int") -> "Lanes":
        """Whether the entries are equal."""
        return self._two("fcmp oeq" if self.kind in REALS else "icmp eq", x, "i1")

    def is_not(self, x: "Lanes | float | int") -> "Lanes":
        """Whether the entries differ."""
        return self._two("fcmp une" if self.kind in REALS else "icmp ne", x, "i1")

    def bits(self) -> "Lanes":
        """The bits of doubles as integers, or the other way."""
        kind = "i64" if self.kind == "double" else "double"
        return self.text.new(f"bitcast {self.text.type(self.kind)} {self.name} to {self.text.type(kind)}", kind)

    def __bool__(self) -> bool:
        raise TypeError("a branch on lanes, which have no value while code is written; use t.choose(condition, a, b)")


class Text:
    """What an op's code is written with, at one place of a function.

    real: the kind of the numbers. vector: whether lanes are vectors, or one number for all of them. contract: whether a
    product and a sum may be rounded once, and a division be a multiplication by the inverse. exact: whether zero wins
    in products of the chain rule.
    """

    def __init__(
        self, body: Body, real: str = "double", vector: bool = True, contract: bool = False, exact: bool = True
    ) -> None:
        self.body, self.real, self.vector, self.exact = body, real, vector, exact
        self.reals = {op: f"f{op} contract arcp" if contract else f"f{op}" for op in ("add", "sub", "mul", "div")}
        self._contract = contract
        self._patterns: dict[Any, tuple[str, int, int] | None] = {}

    def type(self, kind: str) -> str:
        """The type of lanes of a kind."""
        return f"<{self.body.width} x {kind}>" if self.vector else kind

    def new(self, what: str, kind: str) -> Lanes:
        """The result of an instruction."""
        return Lanes(self, kind, self.body.value(what))

    def known(self, x: float | int, kind: str) -> Lanes:
        """A constant."""
        with np.errstate(all="ignore"):
            rounded = float(np.float32(x)) if kind == "float" else x
        plain = "0x" + struct.pack(">d", rounded).hex().upper() if kind in REALS else str(int(x))
        return Lanes(self, kind, f"splat ({kind} {plain})" if self.vector else plain, constant=True)

    def op(self, name: str, *x: Lanes | float) -> Lanes:
        """An op of the table. Raises ValueError for one that is not there or has no code."""
        given = [a if isinstance(a, Lanes) else self.known(a, self.real) for a in x]
        row = TABLE.get(name)
        if row is None or row.code is None:
            raise ValueError(f"there is no op {name} with code")
        if row.inline:
            return written(self, row, given)
        key = (name, self.real, len(given))
        if key not in self.body.functions:
            self.body.functions.append(key)
        vector = f"<{self.body.width} x {self.real}>"
        kind = "i1" if row.boolean else self.real
        result = f"<{self.body.width} x {kind}>"
        names = [a.name if self.vector else self.body.wide(self.real, a.name) for a in given]
        found = self.body.value(
            f"call {result} @{_called(name, self.real)}({', '.join(f'{vector} {a}' for a in names)})"
        )
        return Lanes(self, kind, found) if self.vector else self.new(f"extractelement {result} {found}, i64 0", kind)

    def result(self, name: str, kinds: tuple[tuple[bool, bool], ...], names: list[str]) -> str:
        """The name of the result of an op on operands of these names.

        kinds: of each operand, whether it holds booleans, and whether it is a constant. For each of these the code of
        the op runs once, and what it writes is a pattern for the next time, unless it branches.
        """
        key = name, kinds
        if key not in self._patterns:
            self._patterns[key] = self._pattern(name, kinds)
        pattern = self._patterns[key]
        if pattern is None:
            return self.op(name, *self._operands(self, kinds, names)).name
        lines, fresh, found = pattern
        body = self.body
        whole = [*names, *[f"%{k}" for k in range(body.count + 1, body.count + fresh + 1)]]
        body.count += fresh
        body.lines.append(lines.format(*whole))
        return whole[found]

    def _pattern(self, name: str, kinds: tuple[tuple[bool, bool], ...]) -> tuple[str, int, int] | None:
        """The lines that an op writes, how many results they name, and which of all names is that of the last one;
        None if it branches, or if the result is no name."""
        draft = _Draft(self.body, len(kinds))
        text = Text(draft, self.real, self.vector, self._contract, self.exact)
        found = text.op(name, *self._operands(text, kinds, [f"{{{i}}}" for i in range(len(kinds))])).name
        if draft.branches or not draft.lines or found[0] != "{":
            return None
        return "\n".join(draft.lines), draft.count - len(kinds), int(found[1:-1])

    @staticmethod
    def _operands(text: "Text", kinds: tuple[tuple[bool, bool], ...], names: list[str]) -> list[Lanes]:
        return [
            Lanes(text, "i1" if boolean else text.real, name, constant)
            for (boolean, constant), name in zip(kinds, names, strict=True)
        ]

    def call(self, name: str, *x: Lanes) -> Lanes:
        """One of the intrinsic functions of LLVM. Raises ValueError for another one."""
        if name not in INTRINSICS:
            raise ValueError(f"there is no intrinsic {name}; there are {', '.join(INTRINSICS)}")
        kind = x[0].kind
        lanes = f"v{self.body.width}" if self.vector else ""
        whole = self.type(kind)
        called = self.body.intrinsic(f"llvm.{name}.{lanes}f{64 if kind == 'double' else 32}", whole, *[whole] * len(x))
        return self.new(f"{called}({', '.join(f'{whole} {a.name}' for a in x)})", kind)

    def fma(self, a: Lanes, b: Lanes | float, c: Lanes | float) -> Lanes:
        """a * b + c, rounded once."""
        return self.call("fma", a, a.other(b), a.other(c))

    def choose(self, condition: Lanes, a: Lanes | float | int, b: Lanes | float | int) -> Lanes:
        """a where the condition is true, else b."""
        kind = a.kind if isinstance(a, Lanes) else b.kind if isinstance(b, Lanes) else self.real
        x, y = (v if isinstance(v, Lanes) else self.known(v, kind) for v in (a, b))
        whole = self.type(kind)
        return self.new(f"select {self.type('i1')} {condition.name}, {whole} {x.name}, {whole} {y.name}", kind)

    def nan_first(self, x: Lanes, found: Lanes) -> Lanes:
        """x where it is nan, else what was found."""
        return found if x.constant else self.choose(x.is_not(x), x, found)

    def library(self, name: str, *x: Lanes) -> Lanes:
        """A function of the C library on doubles, such as "erf", lane by lane."""
        self.body.declared.add(f"declare double @{name}({', '.join(['double'] * len(x))})")
        whole = self.type("double")

        def alone(pick: Callable[[str], str]) -> str:
            return self.body.value(f"call double @{name}({', '.join(f'double {pick(a.name)}' for a in x)})")

        if not self.vector:
            return Lanes(self, "double", alone(str))
        found = "poison"
        for lane in range(self.body.width):
            value = alone(lambda a, lane=lane: self.body.value(f"extractelement {whole} {a}, i64 {lane}"))  # type: ignore[misc]
            found = self.body.value(f"insertelement {whole} {found}, double {value}, i64 {lane}")
        return Lanes(self, "double", found)

    def seldom(self, condition: Lanes, make: Callable[[], Lanes], found: Lanes) -> Lanes:
        """What `make` writes where the condition is true, else what was found; it is skipped if that is nowhere."""
        body, whole = self.body, self.type(found.kind)
        some = body.any(condition.name) if self.vector else condition.name
        far, near = body.label("far"), body.label("near")
        before = body.block
        body.line(f"br i1 {some}, label %{far}, label %{near}")
        body.start(far)
        other = self.choose(condition, make(), found)
        end = body.block
        body.line(f"br label %{near}")
        body.start(near)
        return self.new(f"phi {whole} [ {found.name}, %{before} ], [ {other.name}, %{end} ]", found.kind)


def written(text: Text, row: Op, given: list[Lanes]) -> Lanes:
    """The lanes that the code of an op makes of others. Raises ValueError for code that does not."""
    assert row.code is not None
    try:
        found: Any = row.code(text, *given)
    except (AttributeError, TypeError, ValueError) as fault:
        raise ValueError(f"op {row.name}: its code fails: {fault}") from None
    kind = "i1" if row.boolean else text.real
    if isinstance(found, Lanes) and (found.kind == kind or row.takes_booleans):
        return found
    if isinstance(found, bool | int | float):
        return text.known(found, kind)
    shown = f"lanes of {found.kind}" if isinstance(found, Lanes) else type(found).__name__
    raise ValueError(f"op {row.name}: its code gives {shown}; it has to give lanes of {kind}")


def definition(name: str, real: str, count: int, module: Body) -> str:
    """The text of an op as a function on vectors, which computes in double."""
    body = Body(module.width, "begin", module)
    t = Text(body)
    outer, inner = f"<{body.width} x {real}>", t.type("double")
    given = [Lanes(t, "double", f"%a{i}") for i in range(count)]
    if real != "double":
        given = [t.new(f"fpext {outer} {a.name} to {inner}", "double") for a in given]
    found = written(t, TABLE[name], given)
    if real != "double" and found.kind == "double":
        found = t.new(f"fptrunc {inner} {found.name} to {outer}", real)
    arguments = ", ".join(f"{outer} %a{i}" for i in range(count))
    head = f"define internal {t.type(found.kind)} @{_called(name, real)}({arguments}) nounwind {{"
    return "\n".join([head, "begin:", *body.lines, f"  ret {t.type(found.kind)} {found.name}", "}"])


def _called(name: str, real: str) -> str:
    return f"diffrt.{name}.{real}"
