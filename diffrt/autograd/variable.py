"""Variables: numbers that remember how they were computed.

A `Var` holds a value and, if an op made it, the op and its inputs in order. The Vars and their inputs
are the graph; nothing else is stored. An input that occurs twice occurs twice in `inputs`, so that
x * x has two edges.

Three habits keep the graph true to what was computed:

- Scalars are held as Python floats: immutable, and much cheaper than 0-d arrays.
- What a graph holds cannot change. A rule reads its inputs and settings again in the backward pass, so an array that
  somebody could still write to is copied when it becomes part of a graph, a mask or an index like a factor. One that is
  read-only, and owned by nobody who could write, is kept as it is. `freeze` is the place.
- Every Var carries a serial number. An op can only use what exists already, so ascending serial
  numbers are a topological order, and no search of the graph needs recursion.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias, Union, cast

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Value: TypeAlias = float | Array
Numeric: TypeAlias = Union["Var", float, Array, Sequence[Any]]

Rule: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, eq=False, slots=True)
class Op:
    """One row of the op table: all that anybody wants to know of an op.

    name: in the table, and in formulas. forward: its value, from plain values and settings; scalar: the same on Python
    floats, if that is faster.

    An elementwise op has `partials`: for each input a function (out, *inputs) -> local derivative, or 1.0,
    -1.0, or None (see `operations.py`). Another op has `vjp` and `jvp`, one rule per input, called as
    rule(g, out, *inputs, **settings) with the adjoint of the output or the tangent of that input (see
    `structure.py`). An op with any number of inputs has one joint rule instead: vjp(g, out, inputs, wanted,
    **settings) returns a list with the adjoint of every wanted input, jvp(tangents, out, inputs, **settings)
    takes one list of tangents per input (None is zero) and returns the list of the output's tangents.
    kinks: where the derivative is a choice. complex_forward: its value beside the real line, if `forward` does not say.
    bounds: of its value, from affine forms (see `affine.py`); without it nothing is known.

    In compiled kernels: code(text, *lanes) -> lanes writes an elementwise op with the arithmetic of lanes and the
    methods of the text (`Lanes` and `Text` of diffrt/compiler/lanes.py); without it numpy runs the kernel. It is a
    function on doubles, called wherever the op is used; `inline` ones are written in place, in the kernel's precision.
    boolean: whether the result is true or false. takes_booleans: whether inputs may be; elsewhere they count as 1 and
    0. commutes: whether two inputs may change places. trial: for an op from outside, whose code is not trusted, numbers
    for each input, (N,), at which it has to be what `forward` is.

    On paper: symbol in diagrams, else the name; form in texts, as "{} + {}", else name(inputs); latex, as
    r"\\frac{{{}}}{{{}}}", else the form. about: what it is, in a line. backward: what the reverse sweep does with a
    gradient.

    In symbols (see `diffrt/explaining/symbols.py`): textbook, the partials as a textbook writes them, where `partials`
    take a detour for the sake of their digits; symbolic(s, *inputs), the value in terms of the module s, which is
    sympy, else it is written name(inputs); spelled(*inputs, **settings), the value in terms of other ops: where(x > y,
    x, y) for the larger one.
    """

    name: str
    forward: Callable[..., Any]
    symbol: str = ""
    partials: tuple[Rule | float | None, ...] | None = None
    vjp: tuple[Rule | None, ...] | Rule = ()
    jvp: tuple[Rule | None, ...] | Rule = ()
    kinks: str = ""
    scalar: Callable[..., Any] | None = None
    complex_forward: Callable[..., Any] | None = None
    bounds: Callable[..., Any] | None = None
    differentiable: bool = True
    code: Callable[..., Any] | None = None
    inline: bool = False
    boolean: bool = False
    takes_booleans: bool = False
    commutes: bool = False
    form: str = ""
    latex: str = ""
    about: str = ""
    backward: str = ""
    textbook: tuple[Rule | float | None, ...] = ()
    symbolic: Callable[..., Any] | None = None
    spelled: Rule | None = None
    trial: tuple[Array, ...] = ()

    def __copy__(self) -> Op:
        return self

    def __deepcopy__(self, memo: Any) -> Op:
        return self

    def __reduce__(self) -> Any:
        if TABLE.get(self.name) is not self:
            raise TypeError(
                f"a Var that the op '{self.name}' made cannot be pickled, because that op is not in the op table; "
                "pickle its .value, or .detach() of it"
            )
        return _table_row, (self.name,)


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """An op that looked at the values of Vars and gave a plain result: what it was, on what, and when."""

    op: Op
    inputs: tuple[Any, ...]
    serial: int


TABLE: dict[str, Op] = {}
"""Every op by name. `operations.py` fills it; the operators of `Var` look their row up here."""

ARGUMENT = Op(
    "argument of a transform", lambda *x: x[0], "",
    vjp=lambda g, out, inputs, wanted: [g for _ in inputs], jvp=lambda tangents, out, inputs: tangents[0],
)  # fmt: skip
"""What made the variables that a transform gives to its function, while that runs: of nothing, or of a Var that was
given. They are nobody's leaves, so `backward` leaves no derivative at them, and a copy of one is itself, because it is
by this one that the transform differentiates."""

_recording: ContextVar[bool] = ContextVar("recording", default=True)
_comparisons: ContextVar[list[Comparison] | None] = ContextVar("comparisons", default=None)
_serial = count()


def _both_ways(name: str) -> tuple[Callable[[Var, Numeric], Var], Callable[[Var, Numeric], Var]]:
    """An operator of Python as an op of a Var and another number, and of another number and a Var."""
    return lambda self, other: _var(TABLE[name], (self, other)), lambda self, other: _var(TABLE[name], (other, self))


def _compared(name: str) -> Callable[[Any, Any], Any]:
    return lambda self, other: apply(TABLE[name], (self, other))


class Var:
    """A number or an array whose derivative can be asked for.

    Make one with `variable`; arithmetic on it makes more. `value` is a float or a read-only float array
    and never changes. `op` and `inputs` say how it was made (None and () for a leaf), `settings` holds
    what the op was told besides its inputs (an axis, a shape), `name` is for people. `grad` is None, or,
    on a leaf after `backward`, the sum of all adjoints so far, shaped like `value`. `tracked` is False
    for constants: no derivative goes through them. `report` is there only on what its maker had something to say of:
    a rendered image.

    copy.copy of a leaf is another leaf of the same value, name and grad; what an op made is its own copy. copy.deepcopy
    and pickle make the whole graph again, down to new leaves; a leaf that is met twice in one of them stays one leaf.
    """

    __slots__ = ("__weakref__", "_value", "grad", "inputs", "name", "op", "report", "serial", "settings",
                 "tracked")  # fmt: skip
    report: Any

    def __init__(self, value: Value, name: str | None = None, tracked: bool = True) -> None:
        plain = as_value(value)
        self._value: Value = plain if type(plain) is float else freeze(plain)  # type: ignore[arg-type]
        self.op: Op | None = None
        self.inputs: tuple[Any, ...] = ()
        self.settings: dict[str, Any] | None = None
        self.name = name
        self.grad: Value | None = None
        self.tracked = tracked
        self.serial = next(_serial)

    @property
    def value(self) -> Value:
        """The number itself: a float, or a read-only array."""
        return self._value

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value; () for a scalar."""
        return () if type(self._value) is float else self._value.shape  # type: ignore[union-attr]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.size(self._value))

    @property
    def dtype(self) -> np.dtype[Any]:
        """float64 for scalars, else the array's own dtype."""
        return np.dtype(np.float64) if type(self._value) is float else self._value.dtype  # type: ignore[union-attr]

    @property
    def is_leaf(self) -> bool:
        """Whether no op made it."""
        return self.op is None

    def backward(self, seed: Numeric | None = None) -> None:
        """Add the derivative of this Var to `.grad` of every leaf that it was computed from.

        `seed` is the adjoint of this Var, of its shape; it may be left out for a scalar (then it is 1).
        Calling it again adds the same again. Raises ValueError for a non-scalar without a seed, and for a
        seed of another shape.
        """
        from .backward import backward

        backward(self, seed)

    def detach(self) -> Var:
        """The same value as a constant: no derivative goes through it."""
        return Var(self._value, self.name, tracked=False)

    def item(self) -> float:
        """The value of a Var of one entry, as a float that has no derivative."""
        return float(np.asarray(self._value).item())

    def __copy__(self) -> Var:
        return self if self.op else _again(self, ())

    def __deepcopy__(self, memo: dict[int, Any]) -> Var:
        for node in _graph_of(self, memo):
            inputs = tuple(memo.get(id(x), x) if type(x) is Var else x for x in node.inputs)
            memo[id(node)] = node if node.op is ARGUMENT else _again(node, inputs)
        return memo[id(self)]  # type: ignore[no-any-return]

    def __reduce__(self) -> Any:
        if self.op is None:
            return _leaf, (self._value, self.name, self.tracked, self.grad)
        # Leaves are pickled as Vars, so that they stay the same for all that is pickled with them. What ops made is
        # a list of rows, in which a whole number stands for an earlier row, so that no depth needs recursion.
        made = [node for node in _graph_of(self) if node.op]
        place = {node.serial: i for i, node in enumerate(made)}
        rows = [
            (node.op, tuple(place.get(x.serial, x) if type(x) is Var else x for x in node.inputs), node.settings,
             node._value, node.name)
            for node in made
        ]  # fmt: skip
        return _made, (rows,)

    # Arithmetic. Each line is one row of the table; with a Var among the inputs, `apply` gives a Var.
    __add__, __radd__ = _both_ways("add")
    __sub__, __rsub__ = _both_ways("subtract")
    __mul__, __rmul__ = _both_ways("multiply")
    __truediv__, __rtruediv__ = _both_ways("divide")
    __pow__, __rpow__ = _both_ways("power")
    __matmul__, __rmatmul__ = _both_ways("matmul")

    def __neg__(self) -> Var:
        return _var(TABLE["negative"], (self,))

    def __pos__(self) -> Var:
        return self

    def __abs__(self) -> Var:
        return _var(TABLE["abs"], (self,))

    # Comparisons look at values; they have no derivative and give plain booleans.
    __lt__, __le__ = _compared("less"), _compared("less_equal")
    __gt__, __ge__ = _compared("greater"), _compared("greater_equal")
    __eq__, __ne__ = _compared("equal"), _compared("not_equal")
    __hash__ = object.__hash__  # a Var is itself; == compares values, as in numpy

    def __getitem__(self, index: Any) -> Var:
        return _var(TABLE["index"], (self,), {"index": as_index(index)})

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            f"a Var of shape {self.shape} cannot be edited in place; build a new one with where, stack or concatenate"
        )

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a scalar Var has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Var]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __float__(self) -> float:
        # math.sin(x) would come here and lose the derivative without a word.
        if self.tracked:
            raise TypeError(
                "float() of a Var would lose its derivative; use its .value for the number, "
                "or diffrt.autograd's own sin, exp, ... for mathematics"
            )
        return float(self._value)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        raise TypeError(
            "numpy asked for a Var as an array, which would lose its derivative; "
            "use its .value for the numbers, or diffrt.autograd's functions for mathematics"
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        from .numpy_protocol import call_ufunc

        return call_ufunc(ufunc, method, inputs, settings)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from .numpy_protocol import call_function

        return call_function(function, args, kwargs)

    # The methods that numpy users reach for.
    def sum(self, axis: Any = None, keepdims: bool = False) -> Var:
        """Sum over `axis` (all axes if None)."""
        return _var(TABLE["sum"], (self,), {"axis": axis, "keepdims": keepdims})

    def mean(self, axis: Any = None, keepdims: bool = False) -> Var:
        """Mean over `axis` (all axes if None)."""
        from .structure import mean

        return mean(self, axis, keepdims)  # type: ignore[no-any-return]

    def max(self, axis: Any = None, keepdims: bool = False) -> Var:
        """Largest entry over `axis` (all axes if None)."""
        return _var(TABLE["max"], (self,), {"axis": axis, "keepdims": keepdims})

    def min(self, axis: Any = None, keepdims: bool = False) -> Var:
        """Smallest entry over `axis` (all axes if None)."""
        return _var(TABLE["min"], (self,), {"axis": axis, "keepdims": keepdims})

    def reshape(self, *shape: Any) -> Var:
        """The same entries in another shape; one size may be -1."""
        whole = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return _var(TABLE["reshape"], (self,), {"shape": tuple(whole)})

    def transpose(self, *axes: Any) -> Var:
        """The axes in another order; reversed if none are given."""
        whole = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return _var(TABLE["transpose"], (self,), {"axes": tuple(whole) if whole else None})

    @property
    def T(self) -> Var:
        """The axes reversed."""
        return self.transpose()

    def __repr__(self) -> str:
        name = f", name={self.name!r}" if self.name else ""
        made = f", op={self.op.name}" if self.op else ""
        constant = "" if self.tracked else ", constant"
        return f"Var({np.array2string(np.asarray(self._value), separator=', ')}{name}{made}{constant})"

    def _repr_html_(self) -> str:
        """What a notebook shows: its name, shape, value, gradient and how it was made; of a large array a few entries,
        and nothing of the graph behind it."""
        from html import escape

        def told(value: Any) -> str:
            text = np.array2string(np.asarray(value), precision=6, separator=", ", threshold=24, edgeitems=3)
            return text if len(text) <= 2000 else f"{text[:2000]}..."

        made = ""
        if self.op is not None:
            names = []
            for x in self.inputs[:6]:
                if isinstance(x, Var):
                    names.append(x.name or (f"({x.op.name})" if x.op is not None else "a variable"))
                else:
                    names.append(told(x) if np.size(x) == 1 else f"constant {'x'.join(map(str, np.shape(x)))}")
            made = f"{self.op.name}({', '.join(names)}{', ...' if len(names) < len(self.inputs) else ''})"
        rows = {
            "name": self.name or "", "shape": " x ".join(map(str, self.shape)), "value": told(self._value),
            "made by": made, "gradient": "" if self.grad is None else told(self.grad),
            "derivative": "" if self.tracked else "a constant: none goes through it",
        }  # fmt: skip
        left = 'style="text-align: left"'
        cells = "".join(
            f"<tr><th {left}>{key}</th><td {left}><pre>{escape(text)}</pre></td></tr>"
            for key, text in rows.items()
            if text
        )
        picture = getattr(getattr(self, "report", None), "html_of", lambda value: "")(self._value)
        return f"{picture}<table>{cells}</table>"

    def __format__(self, spec: str) -> str:
        return format(self._value, spec) if spec else repr(self)


def variable(value: Any, name: str | None = None) -> Var:
    """A new leaf Var.

    `value` is a number or anything that numpy makes a numeric array of; it is copied. Integers and
    booleans become float64, float32 stays. Raises TypeError for complex numbers, text and objects.
    """
    if isinstance(value, Var):
        raise TypeError("variable() was given a Var; use it as it is, or variable(x.value) for a new leaf")
    plain = as_value(value)
    return Var(plain, name)


def as_value(x: Any) -> Value:
    """`x` as a float, or as a float array (not copied if it is one already).

    Raises TypeError where `x` is no real number or array of real numbers.
    """
    if type(x) is float:
        return x
    if isinstance(x, (int, np.floating)):
        try:
            return float(x)
        except OverflowError:
            raise ValueError("a whole number beyond 1.8e308 was given; the largest float is needed at most") from None
    if isinstance(x, Var):
        return x._value
    if isinstance(x, list | tuple) and any(isinstance(entry, Var) for entry in x):
        raise TypeError("a list of Vars is no array; make one Var of them with diffrt.autograd.stack")
    if isinstance(x, Abstract):
        return np.array(x, object)
    if _is_masked(x) and np.ma.getmaskarray(x).any():
        raise TypeError("an array with masked entries was given, whose mask would be lost; fill it, or use where")
    try:
        array = np.asarray(x)
    except ValueError as fault:
        raise TypeError(f"diffrt.autograd needs real numbers or arrays of one shape; {fault}") from None
    if array.dtype.char == "O":
        if not array.size:
            array = array.astype(np.float64)
        elif isinstance(array.flat[0], Abstract) or any(isinstance(entry, Abstract) for entry in array.flat):
            return array
    if array.dtype.kind not in "biuf" or array.dtype == np.float16:
        raise TypeError(
            f"diffrt.autograd needs real numbers (int, float32, float64) but was given {type(x).__name__} "
            f"of dtype {array.dtype}"
        )
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    return array if array.ndim else float(array)


def value_of(x: Any) -> Any:
    """The value of a Var; what is none stays as it is."""
    return x._value if isinstance(x, Var) else x


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a Var, an array or a number."""
    return x.shape if isinstance(x, Var) else np.shape(x)


def _is_masked(x: Any) -> bool:
    """Whether x is an array with a mask; where nobody has made one, numpy need not load them."""
    return "numpy.ma" in sys.modules and isinstance(x, np.ma.MaskedArray)


def freeze(array: Array) -> Array:
    """The same numbers in an array that nobody can write to: `array` itself if it is one, else a copy."""
    owner = array if array.base is None else array.base
    own = type(array) is type(owner) is np.ndarray and owner.flags.owndata
    if own and not (array.flags.writeable or owner.flags.writeable):
        return array
    copy = np.array(array)
    copy.flags.writeable = False
    return copy


def frozen(setting: Any) -> Any:
    """A setting of an op as the graph keeps it: arrays frozen, lists and dicts its own."""
    kind = type(setting)
    if isinstance(setting, np.ndarray):
        return freeze(setting)
    if kind is tuple or kind is list:
        return kind(map(frozen, setting))
    if kind is dict:
        return {key: frozen(value) for key, value in setting.items()}
    return setting


def as_index(index: Any) -> Any:
    """An index as numpy reads it, made of integers, slices of integers, None, ... and arrays.

    Raises TypeError for a Var in it, whose derivative would be lost.
    """
    return tuple(map(_index_part, index)) if isinstance(index, tuple) else _index_part(index)


def _index_part(part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, int | np.bool_ | np.ndarray):
        return part
    if isinstance(part, Var):
        raise TypeError(f"a Var cannot be an index, because an index has no derivative; use its value: {part!r:.80}")
    if isinstance(part, slice):
        ends = (part.start, part.stop, part.step)
        return slice(*(None if end is None else operator.index(end) for end in ends))
    if hasattr(part, "__index__"):
        return operator.index(part)
    array = np.asarray(part)
    return array if array.size else array.astype(np.intp)


def _again(node: Var, inputs: tuple[Any, ...]) -> Var:
    """A new Var like `node`, computed from these inputs."""
    twin = Var.__new__(Var)
    for slot in ("_value", "op", "settings", "name", "grad", "tracked"):
        setattr(twin, slot, getattr(node, slot))
    twin.inputs = inputs
    twin.serial = next(_serial)
    return twin


def _graph_of(node: Var, known: Container[int] = ()) -> list[Var]:
    """What it was computed from, and itself, in order of computation; not what has an id that is known."""
    found: dict[int, Var] = {}
    pending = [node]
    while pending:
        x = pending.pop()
        if x.serial not in found and id(x) not in known:
            found[x.serial] = x
            if x.op is not ARGUMENT:
                pending += [y for y in x.inputs if type(y) is Var]
    return [found[serial] for serial in sorted(found)]


def _table_row(name: str) -> Op:
    if name not in TABLE:
        raise TypeError(f"what the op '{name}' made cannot be unpickled: add that op first, with diffrt.autograd.op")
    return TABLE[name]


def _leaf(value: Value, name: str | None, tracked: bool, grad: Value | None) -> Var:
    leaf = Var(value, name, tracked)
    leaf.grad = frozen(grad)
    return leaf


def _made(rows: Sequence[tuple[Any, ...]]) -> Var:
    """The last Var of a pickled graph."""
    nodes: list[Var] = []
    for op, inputs, settings, value, name in rows:
        node = Var(value, name)
        node.op, node.settings = op, frozen(settings)
        node.inputs = tuple(nodes[x] if type(x) is int else frozen(x) for x in inputs)
        nodes.append(node)
    return nodes[-1]


def apply(op: Op, inputs: tuple[Any, ...], settings: dict[str, Any] | None = None) -> Any:
    """Run `op`: a Var if an input is one (recorded if an input is tracked), else a plain value."""
    tracked = variable_seen = constants = abstract = False
    scalar = op.scalar
    values = []
    for x in inputs:
        if type(x) is Var:
            variable_seen = True
            if x.tracked:
                tracked = True
            x = x._value
        elif type(x) is not float and type(x) is not bool:
            x = _constant(x)
            constants = True
        if type(x) is not float and type(x) is not bool:
            scalar = None
            if x.dtype.char == "O":
                abstract = True
        values.append(x)
    value: Any
    if abstract:
        value = _on_abstract(op, values, settings or {})
    elif scalar is not None:
        try:
            value = scalar(*values)
        except (ArithmeticError, ValueError):  # math raises where IEEE arithmetic has inf and nan
            with np.errstate(all="ignore"):
                value = float(op.forward(*map(np.float64, values)))
    else:
        value = op.forward(*values, **settings) if settings else op.forward(*values)
        if type(value) is not np.ndarray:
            value = bool(value) if isinstance(value, np.bool_) else as_value(value)
        elif not value.ndim:
            value = value.item()
    if not variable_seen:
        return value
    if not op.differentiable:
        seen = _comparisons.get()
        if seen is not None:
            seen.append(Comparison(op, inputs, next(_serial)))
        return value
    if type(value) is not float:
        # A view (reshape, a slice) shares the memory of an input that is frozen already.
        value.setflags(write=False)
    out = Var.__new__(Var)
    out._value = value
    out.settings = None
    out.name = None
    out.grad = None
    out.serial = next(_serial)
    if tracked and _recording.get():
        out.tracked = True
        out.op = op
        out.inputs = inputs
        if constants:  # arrays of which the graph keeps frozen ones
            out.inputs = tuple(x if type(x) is Var else frozen(v) for x, v in zip(inputs, values, strict=True))
        if settings:
            out.settings = frozen(settings)
    else:
        out.tracked = False
        out.op = None
        out.inputs = ()
    return out


_var = cast(Callable[..., Var], apply)


class Abstract:
    """A number without a value, from which a program is recorded. Arrays of dtype object hold them.

    What it is, is the matter of the recorder; the core knows two methods.
    """

    __slots__ = ()

    precedence = 0
    """Of two kinds the larger one is asked."""

    def combined(self, op: Op, operands: Sequence[Any]) -> Abstract:
        """The result of an elementwise op on operands, of which this is one."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        """numpy asks each entry of an array for the method `exp` where it is given the array in np.exp."""
        row = TABLE.get(name)
        if row is None or row.partials is None:
            raise AttributeError(name)
        return lambda *more: self.combined(row, (self, *more))

    def refused(self, op: Op) -> None:
        """Another op failed on such numbers. Raises what says more than its own error, if there is more to say."""


def is_abstract(x: Any) -> bool:
    """Whether x is an array of abstract numbers."""
    return isinstance(x, np.ndarray) and x.dtype.char == "O"


def _on_abstract(op: Op, values: list[Any], settings: dict[str, Any]) -> Array:
    """Run `op` where entries of its inputs are abstract: elementwise ops are asked of them, the others move entries."""
    if op.partials is not None or not op.differentiable:

        def entry(*operands: Any) -> Abstract:
            abstract = [x for x in operands if isinstance(x, Abstract)]
            if not abstract:
                return apply(op, operands)  # type: ignore[no-any-return]
            return max(abstract, key=lambda x: x.precedence).combined(op, operands)

        found = np.asarray(np.frompyfunc(entry, len(values), 1)(*values), object)
    else:
        try:
            found = np.asarray(op.forward(*values, **settings), object)
        except Exception:
            next(x for v in values if is_abstract(v) for x in v.flat if isinstance(x, Abstract)).refused(op)
            raise
    if not found.ndim and isinstance(found.item(), Abstract) and found.item().precedence:
        return found.item()  # type: ignore[no-any-return]  # a number alone
    if not found.size or isinstance(found.flat[0], Abstract) or any(isinstance(x, Abstract) for x in found.flat):
        return found
    return np.array(found.tolist())  # numbers that are known


def _constant(x: Any) -> Any:
    """A plain input of an op as a float, a float array, or a boolean array (for `where`)."""
    if isinstance(x, np.ndarray) and x.dtype.kind in "fbO":
        if x.dtype.char == "O" or _is_masked(x):
            return as_value(x)
        return np.asarray(x) if x.ndim else x.item()
    if isinstance(x, np.bool_):
        return bool(x)
    return as_value(x)


@contextmanager
def within(variable: ContextVar[Any], value: Any) -> Iterator[Any]:
    """A block in which a variable of the context has a value, which the block is given."""
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)


def recording(on: bool = True) -> AbstractContextManager[Any]:
    """Within this block ops on tracked Vars are recorded, or not, whatever an outer block says."""
    return within(_recording, on)


def comparisons() -> AbstractContextManager[list[Comparison]]:
    """A block, `with comparisons() as seen:`, in which every comparison of Vars is put down, in order.

    Their results are plain booleans, so a graph does not say what decided which of its branches was taken.
    """
    return within(_comparisons, [])


def no_grad() -> AbstractContextManager[Any]:
    """A block, `with no_grad():`, in which nothing is recorded: ops on Vars give constants."""
    return recording(False)


def is_recording() -> bool:
    """Whether ops on tracked Vars are recorded here."""
    return _recording.get()


def detach(x: Numeric) -> Any:
    """`x` as a constant: no derivative goes through it. Plain values come back as they are."""
    return x.detach() if isinstance(x, Var) else x
