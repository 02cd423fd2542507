"""Functions that make derivatives of functions.

Each calls its function on fresh variables, records the graph, and sweeps it. The fresh variables are aliases
of what was given: if that was a Var of an outer derivative, the alias is a node above it, so grad(grad(f)),
or a jvp inside a vjp, never mixes up whose variable is whose. Consider the program

    grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0)

The inner derivative is 1, a constant, and the outer one is 1. A core that merely marks numbers as "being
differentiated" answers 2 in forward mode. Here each sweep goes to its own aliases and to nothing else.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .backward import between, pull_back, push_forward, reachable, seed_of
from .structure import reshape, stack
from .variable import Numeric, Op, Var, apply, as_value, freeze, is_recording, recording

Function = Callable[..., Any]

_ALIAS = Op("alias", lambda x: x, "", partials=(1.0,), scalar=lambda x: x)


def value_and_grad(f: Function, argnums: int | tuple[int, ...] = 0) -> Function:
    """A function that returns f(*args) and its gradient.

    f: a function with a scalar result. argnums: by which arguments; a tuple gives a tuple of gradients, each
    of the shape of its argument. Raises ValueError if the result is no scalar.
    """
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    def evaluate(*args: Any) -> tuple[Any, Any]:
        value, pullback = _vjp(f, args, numbers)
        if _shape(value):
            raise ValueError(
                f"grad needs a function with a scalar result, but it has shape {_shape(value)}; "
                "use jacobian, or reduce it, for instance with sum"
            )
        parts = pullback(1.0)
        return value, parts[0] if isinstance(argnums, int) else parts

    return evaluate


def grad(f: Function, argnums: int | tuple[int, ...] = 0) -> Function:
    """A function that returns the gradient of f; see `value_and_grad`."""
    both = value_and_grad(f, argnums)
    return lambda *args: both(*args)[1]


def vjp(f: Function, *args: Any, argnums: Sequence[int] | None = None) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """f(*args), and a function from an adjoint of the result to the adjoints of the arguments.

    argnums: of which arguments; all if None.
    """
    return _vjp(f, args, tuple(range(len(args)) if argnums is None else argnums))


def jvp(f: Function, args: Sequence[Numeric], tangents: Sequence[Numeric]) -> tuple[Any, Any]:
    """f(*args), and its derivative along `tangents`, one for each argument and of its shape."""
    for i, (x, t) in enumerate(zip(args, tangents, strict=True)):
        if t is not None and _shape(x) != _shape(t):
            raise ValueError(f"tangent {i} has shape {_shape(t)}, but argument {i} has shape {_shape(x)}")
    value, (tangent,) = pushforward(f, args, [[t] for t in tangents])
    return value, tangent


def pushforward(
    f: Function, args: Sequence[Numeric], tangents: Sequence[Sequence[Any] | None]
) -> tuple[Any, list[Any]]:
    """f(*args), and its derivatives along k tangents, in one sweep.

    tangents: for each argument a list of k tangents of its shape, None for zero.
    """
    plain = [None if ts is None else [_number(t) for t in ts] for ts in tangents]
    count = next((len(ts) for ts in plain if ts is not None), 0)
    inputs, value = _record(f, args, tuple(range(len(args))))
    zero = np.zeros(_shape(value)) if _shape(value) else 0.0
    if not (isinstance(value, Var) and value.tracked):
        return (value.value if isinstance(value, Var) else value), [zero] * count
    moving = [x for x, ts in zip(inputs, plain, strict=True) if ts is not None]
    every = reachable([value])
    nested = _nested(every, inputs, args) or any(isinstance(t, Var) for ts in plain if ts for t in ts)
    _retire(inputs, args)
    start = {x.serial: ts for x, ts in zip(inputs, plain, strict=True) if ts is not None}
    found = push_forward(between(every, moving), start, nested).get(value.serial, [None] * count)
    return _out(value, nested), [zero if t is None else t for t in found]


def jacobian(f: Function, argnum: int = 0) -> Function:
    """A function that returns the Jacobian of f by one argument, of shape (*result, *argument).

    Forward mode where the argument is no larger than the result, else reverse mode.
    """

    def evaluate(*args: Any) -> Any:
        def one(x: Any) -> Any:
            return f(*args[:argnum], x, *args[argnum + 1 :])

        x = args[argnum]
        shape, size = _shape(x), int(np.prod(_shape(x)))
        value, pullback = _vjp(one, (x,), (0,))
        out_shape, out_size = _shape(value), int(np.prod(_shape(value)))
        if size <= out_size:
            columns = pushforward(one, (x,), [_basis(shape)])[1]
            return reshape(stack(columns, -1), (*out_shape, *shape)) if shape else columns[0]
        rows = [pullback(seed)[0] for seed in _basis(out_shape)]
        return reshape(stack(rows), (*out_shape, *shape)) if out_shape else rows[0]

    return evaluate


def hessian(f: Function, argnum: int = 0) -> Function:
    """A function that returns the matrix of second derivatives of a scalar function, (*argument, *argument)."""
    return jacobian(grad(f, argnum), argnum)


def hvp(f: Function, x: Numeric, v: Numeric) -> Any:
    """The product of the Hessian of f at x with a vector v of the shape of x, without forming the Hessian."""
    return jvp(grad(f), (x,), (v,))[1]


def checkpoint(f: Function) -> Function:
    """f, with less memory: its graph is not kept but computed again in the sweep.

    f: a function of Vars with one result. Raises ValueError if f uses a tracked Var that is not an argument,
    whose derivative would be lost.
    """

    def backward_rule(g: Any, out: Any, inputs: Sequence[Any], wanted: Sequence[bool]) -> list[Any]:
        numbers = tuple(i for i, w in enumerate(wanted) if w)
        parts = iter(_vjp(f, tuple(inputs), numbers)[1](g))
        return [next(parts) if w else None for w in wanted]

    def forward_rule(tangents: Sequence[Any], out: Any, inputs: Sequence[Any]) -> list[Any]:
        return pushforward(f, inputs, tangents)[1]

    def forward(*values: Any) -> Any:
        inputs = tuple(Var(v if isinstance(v, float) else freeze(v)) for v in values)
        value = f(*inputs)
        if not isinstance(value, Var):
            return value
        foreign = {x.serial for x in reachable([value]) if x.op is None} - {x.serial for x in inputs}
        if foreign:
            raise ValueError(
                "checkpoint: the function uses a variable that is not one of its arguments, so its derivative "
                "would be lost; pass it as an argument"
            )
        return value.value

    name = getattr(f, "__name__", "function")
    op = Op(f"checkpoint({name})", forward, name, vjp=backward_rule, jvp=forward_rule)
    return lambda *args: apply(op, args)


def _vjp(f: Function, args: Sequence[Any], numbers: tuple[int, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    inputs, value = _record(f, args, numbers)
    wanted = [inputs[i] for i in numbers]
    every = reachable([value]) if isinstance(value, Var) else []
    nested = _nested(every, inputs, args)
    nodes = between(every, wanted)
    _retire(inputs, args)
    ends = {x.serial for x in wanted}

    def pullback(seed: Any) -> tuple[Any, ...]:
        if not isinstance(value, Var):
            found = {}
        else:
            start = _number(seed_of(value, seed))
            recorded = nested or isinstance(start, Var)
            found = pull_back(nodes, {value.serial: start}, recorded, ends) if nodes else {}
        zeros = (np.zeros(x.shape) if x.shape else 0.0 for x in wanted)
        return tuple(found.get(x.serial, z) for x, z in zip(wanted, zeros, strict=True))

    return _out(value, nested) if isinstance(value, Var) else value, pullback


def _record(f: Function, args: Sequence[Any], numbers: tuple[int, ...]) -> tuple[list[Any], Any]:
    """Call f on aliases of the numbered arguments; the arguments that f saw, and its result."""
    with recording():
        inputs = [_fresh(x) if i in numbers else x for i, x in enumerate(args)]
        value = f(*inputs)
    if isinstance(value, (list, tuple)):
        value = stack(value)
    return inputs, value if isinstance(value, Var) else as_value(value)


def _fresh(x: Any) -> Var:
    if isinstance(x, Var) and x.tracked:
        alias: Var = apply(_ALIAS, (x,))
        return alias
    plain = as_value(x)
    return Var(plain if isinstance(plain, float) else freeze(plain))


def _nested(nodes: Sequence[Var], inputs: Sequence[Any], args: Sequence[Any]) -> bool:
    """Whether somebody else can differentiate the result again: a tracked leaf is not one of our own."""
    own = {x.serial for x, given in zip(inputs, args, strict=True) if isinstance(x, Var) and x is not given}
    return is_recording() and any(v.op is None and v.serial not in own for v in nodes)


def _retire(inputs: Sequence[Any], args: Sequence[Any]) -> None:
    """Make constants of our own leaves, once the graph is known.

    A recorded sweep leaves them in its result, where an outer transform would take them for somebody else's.
    """
    for x, given in zip(inputs, args, strict=True):
        if isinstance(x, Var) and x is not given and x.op is None:
            x.tracked = False


def _out(value: Var, nested: bool) -> Any:
    return value if nested else value.value


def _number(x: Any) -> Any:
    return x if x is None or (isinstance(x, Var) and x.tracked) else as_value(x)


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if isinstance(x, Var) else np.shape(x)


def _basis(shape: tuple[int, ...]) -> list[Any]:
    """The unit vectors of a space of arrays."""
    if not shape:
        return [1.0]
    size = int(np.prod(shape))
    return list(np.eye(size).reshape(size, *shape))
