"""Functions that make derivatives of functions.

Each calls its function on fresh variables, records the graph, and sweeps it. The fresh variables are aliases
of what was given: if that was a Var of an outer derivative, the alias is a node above it, so grad(grad(f)),
or a jvp inside a vjp, never mixes up whose variable is whose. Consider the program

    grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0)

The inner derivative is 1, a constant, and the outer one is 1. A core that merely marks numbers as "being
differentiated" answers 2 in forward mode. Here each sweep goes to its own aliases and to nothing else.

Arguments may be trees (`trees.py`), and so may the results of `vjp` and `jvp`. Keywords are passed on to the function
and are not differentiated by. What comes back is nobody else's: arrays are copies of what the sweep may hold twice.
"""

import operator
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from .backward import between, pull_back, push_forward, reachable, seed_of
from .structure import reshape, stack
from .trees import filled, is_tree, leaves, mapped, matched
from .variable import ARGUMENT, TABLE, Op, Var, apply, as_value, is_recording, recording, shape_of

__all__ = ["checkpoint", "grad", "hessian", "hvp", "jacobian", "jvp", "pushforward", "value_and_grad", "vjp"]

Function = Callable[..., Any]


def value_and_grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """A function that returns f(*args, **kwargs) and its gradient.

    f: a function with a scalar result. argnums: by which arguments, -1 for the last; a tuple gives a tuple of
    gradients. A gradient has the form of its argument: an array of its shape, or a tree of them; a list is a tree, and
    np.array makes an array of it. Raises ValueError if
    the result is no scalar, and for an argument that is not there.
    """

    def evaluate(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        value, pullback = _vjp(f, args, _numbers(argnums, len(args)), kwargs)
        if is_tree(value) or shape_of(value):
            result = f"is a {type(value).__name__}" if is_tree(value) else f"has shape {shape_of(value)}"
            raise ValueError(
                f"grad needs a function with a scalar result, but it {result}; "
                "use jacobian, or reduce it, for instance with sum"
            )
        parts = pullback(1.0)
        return value, parts if isinstance(argnums, Sequence) else parts[0]

    return evaluate


def grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """A function that returns the gradient of f; see `value_and_grad`."""
    both = value_and_grad(f, argnums)
    return lambda *args, **kwargs: both(*args, **kwargs)[1]


def vjp(
    f: Function, *args: Any, argnums: Sequence[int] | None = None, **kwargs: Any
) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """f(*args, **kwargs), and a function from an adjoint of the result to the adjoints of the arguments.

    argnums: of which arguments; all if None. The result may be a tree; its adjoint then has the same form, with None
    for zero.
    """
    return _vjp(f, args, _numbers(range(len(args)) if argnums is None else argnums, len(args)), kwargs)


def jvp(f: Function, args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """f(*args), and its derivative along `tangents`, one for each argument and of its form.

    A tangent is an array of the shape of its argument, or a tree of them; None is zero. Raises ValueError for others.
    """
    for what, given in (("args", args), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise ValueError(f"jvp takes {what} as a tuple with one entry for each argument, as in jvp(f, (x,), (v,))")
    if len(args) != len(tangents):
        raise ValueError(f"jvp was given {len(args)} arguments and {len(tangents)} tangents; each argument needs one")
    given = []
    for i, (x, t) in enumerate(zip(args, tangents, strict=True)):
        ends = leaves(x, f"argument {i}")
        given += matched(x, t, f"tangent {i}", f"argument {i}")
        for (place, end), tangent in zip(ends, given[len(given) - len(ends) :], strict=True):
            if tangent is not None and shape_of(tangent) != shape_of(end):
                place = place.replace("argument", "tangent", 1)
                raise ValueError(
                    f"{place} has shape {shape_of(tangent)}, but {place.replace('tangent', 'argument', 1)} has shape "
                    f"{shape_of(end)}; they must agree"
                )
    value, columns = _push(f, args, [None if t is None else [t] for t in given], 1)
    return value, filled(value, [column for (column,) in columns])


def pushforward(f: Function, args: Sequence[Any], tangents: Sequence[Sequence[Any] | None]) -> tuple[Any, list[Any]]:
    """f(*args), and its derivatives along k tangents, in one sweep.

    args: numbers or arrays. tangents: for each argument a list of k tangents of its shape, None for zero. A list of
    results of one shape is stacked.
    """
    arrays = [x if isinstance(x, Var) else as_value(x) for x in args]
    count = next((len(ts) for ts in tangents if ts is not None), 0)
    value, (column,) = _push(partial(_stacked, f), arrays, tangents, count)
    return value, column


def jacobian(f: Function, argnum: int = 0) -> Function:
    """A function that returns the Jacobian of f by one argument, of shape (*result, *argument).

    The argument is one array, and so is the result; a list of results of one shape is stacked. Forward mode where the
    argument is no larger than the result, else reverse mode. Raises ValueError for a dict, or an argument that is
    not there.
    """

    def evaluate(*args: Any, **kwargs: Any) -> Any:
        (number,) = _numbers((argnum,), len(args))
        x = args[number]
        if isinstance(x, dict) or (
            is_tree(x) and any(isinstance(end, Var) or shape_of(end) for _, end in leaves(x, "the argument"))
        ):
            raise ValueError(
                f"jacobian takes one array as argument {number}, given a {type(x).__name__}; join it first"
            )
        x = x if isinstance(x, Var) else as_value(x)

        def one(x: Any) -> Any:
            return _stacked(f, *args[:number], x, *args[number + 1 :], **kwargs)

        shape, size = shape_of(x), int(np.prod(shape_of(x)))
        value, pullback = _vjp(one, (x,), (0,), {})
        out_shape, out_size = shape_of(value), int(np.prod(shape_of(value)))
        if not size or not out_size:
            return np.zeros((*out_shape, *shape))
        if size <= out_size:
            columns = pushforward(one, (x,), [_basis(shape)])[1]
            return reshape(stack(columns, -1), (*out_shape, *shape)) if shape else columns[0]
        rows = [pullback(seed)[0] for seed in _basis(out_shape)]
        return reshape(stack(rows), (*out_shape, *shape)) if out_shape else rows[0]

    return evaluate


def hessian(f: Function, argnum: int = 0) -> Function:
    """A function that returns the matrix of second derivatives of a scalar function, (*argument, *argument)."""
    return jacobian(grad(f, argnum), argnum)


def hvp(f: Function, x: Any, v: Any) -> Any:
    """The product of the Hessian of f at x with a vector v of the form of x, without forming the Hessian."""
    return jvp(grad(f), (x,), (v,))[1]


def checkpoint(f: Function) -> Function:
    """f, with less memory: its graph is not kept but computed again in the sweep.

    f: a function of Vars with one result; keywords are passed on to it. Raises ValueError if f uses a tracked Var that
    is not an argument, whose derivative would be lost, and in the sweep if f gives another value than it gave before.
    """

    def backward_rule(g: Any, out: Any, inputs: Sequence[Any], wanted: Sequence[bool], **kwargs: Any) -> list[Any]:
        numbers = tuple(i for i, w in enumerate(wanted) if w)
        value, pullback = _vjp(f, inputs, numbers, kwargs)
        agree(value, out)
        parts = iter(pullback(g))
        return [next(parts) if w else None for w in wanted]

    def forward_rule(tangents: Sequence[Any], out: Any, inputs: Sequence[Any], **kwargs: Any) -> list[Any]:
        value, columns = pushforward(partial(f, **kwargs), inputs, tangents)
        agree(value, out)
        return columns

    def agree(value: Any, before: Any) -> None:
        now, then = np.asarray(as_value(value)), np.asarray(as_value(before))
        if now.dtype.kind == "f" and not np.allclose(now, then, *_rounding(then), equal_nan=True):
            raise ValueError(
                f"checkpoint: computed again, {name} gives another value than before; what it reads besides its "
                "arguments has changed, so pass that as an argument"
            )

    def forward(*values: Any, **kwargs: Any) -> Any:
        inputs = [_fresh(v, "an argument") for v in values]
        value = f(*inputs, **kwargs)
        if not isinstance(value, Var):
            return value
        foreign = {x.serial for x in reachable([value]) if not x.inputs} - {x.serial for x in inputs}
        if foreign:
            raise ValueError(
                "checkpoint: the function uses a variable that is not one of its arguments, so its derivative "
                "would be lost; pass it as an argument"
            )
        return value.value

    name = getattr(f, "__name__", "function")
    op = Op(f"checkpoint({name})", forward, name, vjp=backward_rule, jvp=forward_rule)
    return lambda *args, **kwargs: apply(op, args, kwargs)


def _rounding(x: Any) -> tuple[float, float]:
    """The relative and the absolute difference that rounding may make to these numbers."""
    relative = 1e4 * float(np.finfo(x.dtype).eps)
    return relative, relative * float(np.max(np.abs(x), initial=0.0, where=np.isfinite(x)))


def _numbers(argnums: Any, count: int) -> tuple[int, ...]:
    """Numbers of arguments, from 0, of a call with so many of them."""
    found = []
    for number in argnums if isinstance(argnums, Sequence) and not isinstance(argnums, str) else (argnums,):
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            raise ValueError(
                f"{number!r:.40} is no number of an argument; needed: 0 for the first, 1, ..., -1 for the last"
            )
        n = operator.index(number)
        if not -count <= n < count:
            raise ValueError(
                f"argument {n} is to be differentiated by, but the call has {count} positional "
                f"argument{'' if count == 1 else 's'}" + (f", numbered from 0 to {count - 1}" if count else "")
            )
        found.append(n % count)
    return tuple(found)


def _vjp(
    f: Function, args: Sequence[Any], numbers: tuple[int, ...], kwargs: dict[str, Any]
) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    run = _Run(f, args, numbers, kwargs)
    nodes = between(run.nodes, run.inputs)
    ends = {x.serial for x in run.inputs}

    def pullback(seed: Any) -> tuple[Any, ...]:
        start: dict[int, Any] = {}
        seeds = matched(run.result, seed, "the seed", "the result") if run.tree or seed is not None else [None]
        for out, s in zip(run.outputs, seeds, strict=True):
            if s is None and run.tree:
                continue
            if isinstance(out, Var):
                part = _number(seed_of(out, s))
                start[out.serial] = start[out.serial] + part if out.serial in start else part
        recorded = run.nested or any(isinstance(s, Var) for s in start.values())
        found = pull_back(nodes, start, recorded, ends) if nodes else {}

        def adjoint(place: int) -> Any:
            x = run.inputs[place]
            return _own(found[x.serial]) if x.serial in found else _zero(x.shape)

        return tuple(mapped(adjoint, run.places[n]) for n in numbers)

    return run.value, pullback


def _push(
    f: Function, args: Sequence[Any], tangents: Sequence[Sequence[Any] | None], count: int
) -> tuple[Any, list[list[Any]]]:
    """f(*args), and for each end of the result its derivatives along `count` tangents of the ends of the arguments."""
    plain = [None if ts is None else [_number(t) for t in ts] for ts in tangents]
    run = _Run(f, args, tuple(range(len(args))), {}, [t for ts in plain if ts for t in ts])
    start = {x.serial: ts for x, ts in zip(run.inputs, plain, strict=True) if ts is not None}
    moving = [x for x, ts in zip(run.inputs, plain, strict=True) if ts is not None]
    found = push_forward(between(run.nodes, moving), start, run.nested) if moving else {}
    columns = []
    for out in run.outputs:
        column = found.get(out.serial) if isinstance(out, Var) else None
        columns.append([_zero(shape_of(out)) if t is None else _own(t) for t in column or [None] * count])
    return run.value, columns


class _Run:
    """One call of a function on aliases of the numbered arguments, recorded.

    inputs: the aliases. places: for the number of an argument its tree, with the place in `inputs` of each end. result:
    the tree that the function gave. Both trees are our own, so that nobody changes them. outputs: the ends of the
    result, Vars or plain values. value: what the caller is given of it. nodes: of the graph, in order. nested: whether
    somebody else can differentiate the result again.
    """

    def __init__(
        self, f: Function, args: Sequence[Any], numbers: tuple[int, ...], kwargs: dict[str, Any],
        tangents: Sequence[Any] = (),
    ) -> None:  # fmt: skip
        given = list(args)
        self.inputs: list[Var] = []
        self.places: dict[int, Any] = {}
        with recording():
            for n in dict.fromkeys(numbers):
                if args[n] is None:
                    raise ValueError(f"argument {n} is None, and there is no derivative by that; give numbers")
                aliases = [_fresh(end, place) for place, end in leaves(args[n], f"argument {n}")]
                self.places[n] = filled(args[n], count(len(self.inputs)))
                self.inputs += aliases
                given[n] = filled(args[n], aliases)
            found = f(*given, **kwargs)
        ends = leaves(found, "the result") if found is not None else [("the result", None)]
        self.result = mapped(lambda end: end, found)
        self.tree = is_tree(found)
        self.outputs = [end if isinstance(end, Var) else _plain(end, place) for place, end in ends]
        self.nodes = reachable(out for out in self.outputs if isinstance(out, Var))
        own = {x.serial for x in self.inputs if not x.inputs}
        foreign = any(not v.inputs and v.serial not in own for v in self.nodes)
        self.nested = is_recording() and (foreign or any(isinstance(t, Var) for t in tangents))
        # A recorded sweep leaves our own leaves in its result, where an outer transform would take them for somebody
        # else's. The graph is known now, so they become constants.
        for x in self.inputs:
            x.op, x.tracked = (TABLE["alias"], True) if x.inputs else (None, False)
        kept = [
            out.value if isinstance(out, Var) and not (self.nested and out.tracked) else out for out in self.outputs
        ]
        self.value = filled(self.result, kept)


def _stacked(f: Function, *args: Any, **kwargs: Any) -> Any:
    """The result of f, stacked if it is a list or a tuple."""
    found = f(*args, **kwargs)
    if isinstance(found, dict):
        raise ValueError(
            f"the function's result is a dict of {', '.join(map(repr, found))}, but one array is needed; "
            "return one of them, or use jvp or vjp"
        )
    return stack(found) if isinstance(found, list | tuple) else found


def _fresh(x: Any, place: str) -> Var:
    fresh: Var = apply(TABLE["alias"], (x,)) if isinstance(x, Var) and x.tracked else Var(_plain(x, place))
    fresh.op = ARGUMENT
    return fresh


def _plain(x: Any, place: str) -> Any:
    try:
        return as_value(x)
    except TypeError as fault:
        raise TypeError(f"{place}: {fault}") from None


def _own(x: Any) -> Any:
    """A derivative that the sweep may hold elsewhere too, as the caller's own."""
    return np.array(x) if type(x) is np.ndarray else x


def _zero(shape: tuple[int, ...]) -> Any:
    return np.zeros(shape) if shape else 0.0


def _number(x: Any) -> Any:
    return x if x is None or (isinstance(x, Var) and x.tracked) else as_value(x)


def _basis(shape: tuple[int, ...]) -> list[Any]:
    """The unit vectors of a space of arrays."""
    if not shape:
        return [1.0]
    size = int(np.prod(shape))
    return list(np.eye(size).reshape(size, *shape))
