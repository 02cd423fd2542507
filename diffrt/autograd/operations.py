"""The op table: what can be computed, and how it is differentiated. One op is one row.

An elementwise op y = f(x1, x2, ...) is described by its *partials*: for each input a function
(y, x1, x2, ...) -> dy/dxi, written in these same ops, so that it can be evaluated on plain numbers, recorded
and differentiated again, or compiled. Three short forms need no function: 1.0 and -1.0 for a partial that is
that constant, None for an input that has no derivative. A partial of booleans selects: the derivative goes
through where it is true. Rows that move, add up or combine entries are in `structure.py`.

Reverse and forward mode both multiply by partials, and do so in one place, `chain`: there **zero wins**. A
factor 0 makes the product 0 even if the other factor is inf or nan. So where(x > 0, sqrt(x), 0) has derivative
0 at x = -1, where the partial of sqrt is nan but nothing depends on it, and sqrt(x * x) has derivative 0 at
x = 0, where the partial of sqrt is inf but x * x does not move.
"""

import math
import operator
from typing import Any

import numpy as np

from .variable import TABLE, Array, Numeric, Op, Var, apply, is_abstract


def chain(g: Any, partial: Any) -> Any:
    """One factor of the chain rule: g * partial, in which a zero wins over inf and nan.

    g: adjoint or tangent. partial: local derivative, of a shape that broadcasts with g; booleans select.
    """
    if type(partial) is float:
        if type(g) is float:
            return _product(g, partial)
        if type(g) is np.ndarray and partial != 0.0 and partial - partial == 0.0:  # an ordinary finite number
            return g * partial
    if type(partial) is bool or (type(partial) is np.ndarray and partial.dtype.kind == "b"):
        return apply(TABLE["where"], (partial, g, 0.0))
    if type(g) is np.ndarray and type(partial) is np.ndarray:
        return _zero_wins(g, partial)
    return apply(TABLE["chain"], (g, partial))


def _product(g: float, partial: float) -> float:
    product = g * partial
    return product if product == product or (g != 0.0 and partial != 0.0) else 0.0


def _zero_wins(g: Any, partial: Any) -> Any:
    if is_abstract(g) or is_abstract(partial):
        return apply(TABLE["chain"], (g, partial))
    product: Array = np.multiply(g, partial)
    # The sum is nan if an entry is, and costs one fast pass. That of squares is cheaper for short arrays; for long
    # ones it would wake the threads of the BLAS.
    entries = product.ravel("K")
    total = entries.dot(entries) if entries.size < 8192 else np.add.reduce(entries)
    if total != total:
        product = np.where((np.asarray(g) == 0.0) | (np.asarray(partial) == 0.0), 0.0, product)
    return product


def _over(a: Any, b: Any) -> Any:
    """a / b as IEEE arithmetic has it; Python raises for floats."""
    try:
        return a / b
    except ZeroDivisionError:
        return divide(a, b)


def _larger(x: Any, y: Any) -> Any:
    """1 where x > y, 0 where x < y, and 1/2 each for a tie, the middle of the two one-sided derivatives."""
    return where(greater(x, y), 1.0, where(equal(x, y), 0.5, 0.0))


def _pick_larger(x: float, y: float) -> float:
    return x if x >= y or x != x else y


def _pick_smaller(x: float, y: float) -> float:
    return x if x <= y or x != x else y


def _sign(x: float) -> float:
    return 1.0 if x > 0.0 else -1.0 if x < 0.0 else x


# The columns: name, forward rule, one partial per input, symbol, the same on Python floats.
_ELEMENTWISE: tuple[tuple[Any, ...], ...] = (
    ("alias", lambda x: x, (1.0,), "", lambda x: x),
    ("add", np.add, (1.0, 1.0), "+", operator.add),
    ("subtract", np.subtract, (1.0, -1.0), "-", operator.sub),
    ("multiply", np.multiply, (lambda out, x, y: y, lambda out, x, y: x), "*", operator.mul),
    ("chain", _zero_wins, (lambda out, g, p: p, lambda out, g, p: g), "*", _product),
    (
        "divide",
        np.divide,
        (lambda out, x, y: _over(1.0, y), lambda out, x, y: -_over(out, y)),
        "/",
        operator.truediv,
    ),
    (
        "power",
        operator.pow,
        (
            lambda out, x, n: chain(n, power(x, n - 1.0)),
            lambda out, x, n: chain(out, log(where(equal(x, 0.0), 1.0, x))),
        ),
        "**",
        math.pow,
    ),
    ("negative", np.negative, (-1.0,), "-", operator.neg),
    ("abs", np.abs, (lambda out, x: sign(x),), "abs", abs),
    ("sqrt", np.sqrt, (lambda out, x: _over(0.5, out),), "sqrt", math.sqrt),
    ("exp", np.exp, (lambda out, x: out,), "exp", math.exp),
    ("log", np.log, (lambda out, x: _over(1.0, x),), "log", math.log),
    ("log1p", np.log1p, (lambda out, x: _over(1.0, 1.0 + x),), "log1p", math.log1p),
    ("sin", np.sin, (lambda out, x: cos(x),), "sin", math.sin),
    ("cos", np.cos, (lambda out, x: -sin(x),), "cos", math.cos),
    ("tan", np.tan, (lambda out, x: 1.0 + out * out,), "tan", math.tan),
    # cosh(x) overflows to inf where the derivative is 0; 1 - tanh(x)^2 would lose it to rounding long before.
    ("tanh", np.tanh, (lambda out, x: (2.0 / (exp(x) + exp(-x))) ** 2.0,), "tanh", math.tanh),
    (
        "arctan2",
        np.arctan2,
        (lambda out, y, x: _over(x, x * x + y * y), lambda out, y, x: -_over(y, x * x + y * y)),
        "arctan2",
        math.atan2,
    ),
    (
        "minimum",
        np.minimum,
        (lambda out, x, y: _larger(y, x), lambda out, x, y: _larger(x, y)),
        "min",
        _pick_smaller,
    ),
    (
        "maximum",
        np.maximum,
        (lambda out, x, y: _larger(x, y), lambda out, x, y: _larger(y, x)),
        "max",
        _pick_larger,
    ),
    (
        "where",
        np.where,
        (None, lambda out, c, x, y: c, lambda out, c, x, y: logical_not(c)),
        "where",
        lambda c, x, y: x if c else y,
    ),
)

_KINKS = {
    "abs": "x = 0, where the derivative is taken as 0",
    "sqrt": "x = 0, where the derivative is inf, or 0 for an input that does not move",
    "power": "base 0, where the derivative by the exponent is taken as 0",
    "minimum": "x = y, where each input has one half of the derivative",
    "maximum": "x = y, where each input has one half of the derivative",
    "where": "none at the border of the condition: the derivative is that of the branch taken",
    "arctan2": "x = y = 0, and the jump of 2 pi at y = 0, x < 0",
}

# Piecewise constant: they look at the values and give plain results that have no derivative.
_DISCRETE: tuple[tuple[Any, ...], ...] = (
    ("less", np.less, "<", operator.lt),
    ("less_equal", np.less_equal, "<=", operator.le),
    ("greater", np.greater, ">", operator.gt),
    ("greater_equal", np.greater_equal, ">=", operator.ge),
    ("equal", np.equal, "==", operator.eq),
    ("not_equal", np.not_equal, "!=", operator.ne),
    ("logical_and", np.logical_and, "and", lambda x, y: bool(x and y)),
    ("logical_or", np.logical_or, "or", lambda x, y: bool(x or y)),
    ("logical_not", np.logical_not, "not", operator.not_),
    ("sign", np.sign, "sign", _sign),
)

for _name, _forward, _partials, _symbol, _scalar in _ELEMENTWISE:
    TABLE[_name] = Op(_name, _forward, _symbol, partials=_partials, kinks=_KINKS.get(_name, ""), scalar=_scalar)
for _name, _forward, _symbol, _scalar in _DISCRETE:
    TABLE[_name] = Op(_name, _forward, _symbol, scalar=_scalar, differentiable=False)


def add(x: Numeric, y: Numeric) -> Any:
    """x + y."""
    return apply(TABLE["add"], (x, y))


def subtract(x: Numeric, y: Numeric) -> Any:
    """x - y."""
    return apply(TABLE["subtract"], (x, y))


def multiply(x: Numeric, y: Numeric) -> Any:
    """x * y, entry by entry."""
    return apply(TABLE["multiply"], (x, y))


def divide(x: Numeric, y: Numeric) -> Any:
    """x / y, entry by entry; division by zero gives inf or nan, for floats too."""
    return apply(TABLE["divide"], (x, y))


def power(x: Numeric, n: Numeric) -> Any:
    """x ** n, entry by entry; nan for a negative x and an n that is not whole."""
    return apply(TABLE["power"], (x, n))


def negative(x: Numeric) -> Any:
    """-x."""
    return apply(TABLE["negative"], (x,))


def absolute(x: Numeric) -> Any:
    """|x|; the derivative at 0 is taken as 0."""
    return apply(TABLE["abs"], (x,))


def sqrt(x: Numeric) -> Any:
    """Square root; at 0 the derivative is inf, or 0 for an input that does not move there."""
    return apply(TABLE["sqrt"], (x,))


def exp(x: Numeric) -> Any:
    """e ** x."""
    return apply(TABLE["exp"], (x,))


def log(x: Numeric) -> Any:
    """Natural logarithm."""
    return apply(TABLE["log"], (x,))


def log1p(x: Numeric) -> Any:
    """Natural logarithm of 1 + x, which keeps its digits where x is small."""
    return apply(TABLE["log1p"], (x,))


def sin(x: Numeric) -> Any:
    """Sine of x in radians."""
    return apply(TABLE["sin"], (x,))


def cos(x: Numeric) -> Any:
    """Cosine of x in radians."""
    return apply(TABLE["cos"], (x,))


def tan(x: Numeric) -> Any:
    """Tangent of x in radians."""
    return apply(TABLE["tan"], (x,))


def tanh(x: Numeric) -> Any:
    """Hyperbolic tangent."""
    return apply(TABLE["tanh"], (x,))


def arctan2(y: Numeric, x: Numeric) -> Any:
    """Angle of the point (x, y) in radians, from -pi to pi."""
    return apply(TABLE["arctan2"], (y, x))


def minimum(x: Numeric, y: Numeric) -> Any:
    """The smaller one, entry by entry; a tie gives one half of the derivative to each."""
    return apply(TABLE["minimum"], (x, y))


def maximum(x: Numeric, y: Numeric) -> Any:
    """The larger one, entry by entry; a tie gives one half of the derivative to each."""
    return apply(TABLE["maximum"], (x, y))


def clip(x: Numeric, lower: Numeric, upper: Numeric) -> Any:
    """x held between lower and upper."""
    return minimum(maximum(x, lower), upper)


def where(condition: Any, x: Numeric, y: Numeric) -> Any:
    """x where the condition is true, else y; the derivative goes to the one that was taken.

    condition: booleans, usually a comparison; numbers count as true where they are not 0.
    """
    if isinstance(condition, Var) and condition.dtype != bool:
        condition = condition != 0.0
    elif not (type(condition) is bool or (isinstance(condition, np.ndarray) and condition.dtype.char in "?O")):
        condition = condition if isinstance(condition, Var) else np.asarray(condition) != 0.0
    return apply(TABLE["where"], (condition, x, y))


def sign(x: Numeric) -> Any:
    """-1, 0 or 1, as a plain value without derivative."""
    return apply(TABLE["sign"], (x,))


def less(x: Numeric, y: Numeric) -> Any:
    """x < y, as plain booleans; so are the other comparisons and what joins them."""
    return apply(TABLE["less"], (x, y))


def less_equal(x: Numeric, y: Numeric) -> Any:
    """x <= y."""
    return apply(TABLE["less_equal"], (x, y))


def greater(x: Numeric, y: Numeric) -> Any:
    """x > y."""
    return apply(TABLE["greater"], (x, y))


def greater_equal(x: Numeric, y: Numeric) -> Any:
    """x >= y."""
    return apply(TABLE["greater_equal"], (x, y))


def equal(x: Numeric, y: Numeric) -> Any:
    """x == y."""
    return apply(TABLE["equal"], (x, y))


def not_equal(x: Numeric, y: Numeric) -> Any:
    """x != y."""
    return apply(TABLE["not_equal"], (x, y))


def logical_and(x: Any, y: Any) -> Any:
    """Both."""
    return apply(TABLE["logical_and"], (x, y))


def logical_or(x: Any, y: Any) -> Any:
    """At least one."""
    return apply(TABLE["logical_or"], (x, y))


def logical_not(x: Any) -> Any:
    """Not x."""
    return apply(TABLE["logical_not"], (x,))
