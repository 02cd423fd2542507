"""The autograd core: numbers that remember how they were computed, and what can be asked of them."""

from .custom import op
from .functional import batch_norm, cross, dot, log_softmax, norm, normalize, relu, sigmoid, softmax
from .implicit import root
from .naming import named, scope
from .operations import (
    FUNCTIONS,
    absolute,
    add,
    arctan2,
    clip,
    cos,
    divide,
    equal,
    exp,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    sign,
    sin,
    sqrt,
    subtract,
    tan,
    tanh,
    where,
)  # fmt: skip
from .structure import (
    add_at,
    broadcast_to,
    concatenate,
    index,
    matmul,
    max,
    mean,
    min,
    reshape,
    scatter_add,
    stack,
    sum,
    take,
    transpose,
)  # fmt: skip
from .transforms import (
    checkpoint,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    pushforward,
    value_and_grad,
    vjp,
)  # fmt: skip
from .variable import TABLE, Op, Var, detach, no_grad, variable

__all__ = [
    "FUNCTIONS", "TABLE", "Op", "Var", "absolute", "add", "add_at", "arctan2", "batch_norm", "broadcast_to",
    "checkpoint", "clip", "concatenate", "cos", "cross", "detach", "divide", "dot", "equal", "exp", "grad", "greater",
    "greater_equal", "hessian", "hvp", "index", "jacobian", "jvp", "less", "less_equal", "log", "log1p", "log_softmax",
    "logical_and", "logical_not", "logical_or", "matmul", "max", "maximum", "mean", "min", "minimum",
    "multiply", "named", "negative", "no_grad", "norm", "normalize", "not_equal", "op", "power", "pushforward", "relu",
    "reshape", "root", "scatter_add", "scope", "sigmoid", "sign", "sin", "softmax", "sqrt", "stack", "subtract", "sum",
    "take", "tan", "tanh", "transpose", "value_and_grad", "variable", "vjp", "where",
]  # fmt: skip
