"""The op table: what can be computed, and all that anybody wants to know of it. One op is one row.

An elementwise op y = f(x1, x2, ...) is described by its *partials*: for each input a function
(y, x1, x2, ...) -> dy/dxi, written in these same ops, so that it can be evaluated on plain numbers, recorded
and differentiated again, or compiled. Three short forms need no function: 1.0 and -1.0 for a partial that is
that constant, None for an input that has no derivative. A partial of booleans selects: the derivative goes
through where it is true. Rows that move, add up or combine entries are in `structure.py`, and `custom.py` has the way
for a user to add a row. The other columns are explained at `Op`: how a kernel computes the op, in lines of machine code
that are written with lanes as one writes arithmetic, and how it is said and printed.

Reverse and forward mode both multiply by partials, and do so in one place, `chain`: there **zero wins**. A
factor 0 makes the product 0 even if the other factor is inf or nan. So where(x > 0, sqrt(x), 0) has derivative
0 at x = -1, where the partial of sqrt is nan but nothing depends on it, and sqrt(x * x) has derivative 0 at
x = 0, where the partial of sqrt is inf but x * x does not move.
"""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from . import affine, elementary
from .variable import TABLE, Abstract, Array, Numeric, Op, Rule, Var, apply, is_abstract

__all__ = [
    "FUNCTIONS", "absolute", "add", "arccos", "arcsin", "arctan", "arctan2", "clip", "cos", "cosh", "divide", "equal",
    "erf", "erfc", "exp", "expm1", "greater", "greater_equal", "less", "less_equal", "log", "log1p", "logical_and",
    "logical_not", "logical_or", "maximum", "minimum", "multiply", "negative", "not_equal", "power", "sign", "sin",
    "sinh", "sqrt", "subtract", "tan", "tanh", "where",
]  # fmt: skip

Function: TypeAlias = Callable[..., Any]

FUNCTIONS: dict[str, Function] = {}
"""The functions of elementwise ops that are called by name, such as exp; formulas know these."""

UFUNCS: dict[Any, Function] = {}
"""What numpy's ufuncs do on Vars: the functions of the ops of which they are the forward rule."""


def elementwise(
    name: str,
    forward: Rule,
    partials: Sequence[Rule | float | None],
    called: str = "",
    module: str = __name__,
    **columns: Any,
) -> Function:
    """Put an elementwise op into the table, and return the function that runs it.

    partials: one for each input; an op for which all are None is piecewise constant: it looks at the values, and its
    results are plain, without derivative. called, module: the name of the function, if it has another one, and where it
    is to be found. columns: of `Op`.
    """
    moves = any(p is not None for p in partials)
    row = Op(name, forward, partials=tuple(partials) if moves else None, differentiable=moves, **columns)

    def one(x: Numeric) -> Any:
        return apply(TABLE[name], (x,))

    def two(x: Numeric, y: Numeric) -> Any:
        return apply(TABLE[name], (x, y))

    def several(*inputs: Numeric) -> Any:
        if len(inputs) != len(partials):
            raise TypeError(f"{name} takes {len(partials)} numbers or arrays, given {len(inputs)}")
        return apply(TABLE[name], inputs)

    function: Any = {1: one, 2: two}.get(len(partials), several)
    function.__name__ = function.__qualname__ = called or name
    function.__module__ = module
    function.__doc__ = row.about + (f"\n\nNot smooth: {row.kinks}." if row.kinks else "")
    TABLE[name] = row
    if not row.form:
        FUNCTIONS[name] = function
    if isinstance(forward, np.ufunc):
        UFUNCS.setdefault(forward, function)
    return function  # type: ignore[no-any-return]


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


def _other_leg(x: Any) -> Any:
    """sqrt(1 - x^2), with all its digits where x is near 1, and all those of its derivatives where x is near 0."""
    return sqrt(where(less(absolute(x), 0.5), 1.0 - x * x, (1.0 - x) * (1.0 + x)))


def _scipys(name: str) -> Rule:
    """A function of scipy.special, which is imported when it is first called: that takes longer than all of this."""

    def forward(x: Any) -> Any:
        from scipy import special

        return getattr(special, name)(x)

    return forward


_STEEP = "where the derivative is inf, or 0 for an input that does not move"
_ERF_SLOPE = 2.0 / math.sqrt(math.pi)

# Arithmetic. A chain is a product in which zero wins; an alias is how transforms tell variables apart.
elementwise("alias", lambda x: x, (1.0,), scalar=lambda x: x, code=lambda t, x: x, inline=True, form="{}",
            symbolic=lambda s, x: x, bounds=lambda x: x)  # fmt: skip
add = elementwise(
    "add", np.add, (1.0, 1.0), symbol="+", form="{} + {}", scalar=operator.add, commutes=True,
    code=lambda t, x, y: x + y, inline=True,
    about="x + y.", backward="passes it on",
    symbolic=lambda s, x, y: x + y,
    bounds=affine.add,
)  # fmt: skip
subtract = elementwise(
    "subtract", np.subtract, (1.0, -1.0), symbol="-", form="{} - {}", scalar=operator.sub,
    code=lambda t, x, y: x - y, inline=True,
    about="x - y.", backward="passes it on, to the second with a minus",
    symbolic=lambda s, x, y: x - y,
    bounds=affine.subtract,
)  # fmt: skip
multiply = elementwise(
    "multiply", np.multiply, (lambda out, x, y: y, lambda out, x, y: x), symbol="*", form="{} * {}",
    latex=r"{} \cdot {}", scalar=operator.mul, commutes=True,
    code=lambda t, x, y: x * y, inline=True,
    about="x * y, entry by entry.", backward="multiplies it by the other factor",
    symbolic=lambda s, x, y: x * y,
    bounds=affine.multiply,
)  # fmt: skip
elementwise(
    "chain", _zero_wins, (lambda out, g, p: p, lambda out, g, p: g), symbol="*", form="{} * {}", latex=r"{} \cdot {}",
    scalar=_product, commutes=True,
    code=lambda t, g, p: t.choose(g.is_(0.0) | p.is_(0.0), 0.0, g * p) if t.exact else g * p, inline=True,
    backward="multiplies it by the other factor",
    symbolic=lambda s, g, p: g * p,
    bounds=affine.multiply,
)  # fmt: skip
divide = elementwise(
    "divide", np.divide, (lambda out, x, y: _over(1.0, y), lambda out, x, y: -_over(out, y)), symbol="/",
    form="{} / {}", latex=r"\frac{{{}}}{{{}}}", scalar=operator.truediv,
    code=lambda t, x, y: x / y, inline=True,
    about="x / y, entry by entry; division by zero gives inf or nan, for floats too.",
    backward="divides it by the denominator, or for the denominator multiplies it by -quotient / denominator",
    symbolic=lambda s, x, y: x / y,
    bounds=affine.divide,
)  # fmt: skip
power: Function = elementwise(
    "power", operator.pow,
    (lambda out, x, n: chain(n, power(x, n - 1.0)), lambda out, x, n: chain(out, log(where(equal(x, 0.0), 1.0, x)))),
    symbol="**", form="{} ^ {}", latex="{{{}}}^{{{}}}", scalar=math.pow, code=elementary.power,
    about="x ** y, entry by entry; nan for a negative x and a y that is not whole.",
    kinks="base 0, where the derivative by the exponent is taken as 0",
    symbolic=lambda s, x, n: x**n,
    textbook=(lambda out, x, n: n * power(x, n - 1.0), lambda out, x, n: out * log(x)),
    bounds=affine.power,
)  # fmt: skip
negative = elementwise(
    "negative", np.negative, (-1.0,), symbol="-", form="-{}", scalar=operator.neg,
    code=lambda t, x: -x, inline=True,
    about="-x.", backward="turns its sign",
    symbolic=lambda s, x: -x,
    bounds=affine.negative,
)  # fmt: skip

# Functions of one number.
absolute = elementwise(
    "abs", np.abs, (lambda out, x: sign(x),), called="absolute", latex=r"\left|{}\right|", scalar=abs,
    complex_forward=lambda x: np.where(np.real(x) < 0.0, -x, x), code=lambda t, x: abs(x), inline=True,
    about="|x|.", kinks="x = 0, where the derivative is taken as 0",
    spelled=lambda x: where(greater(x, 0.0), x, negative(x)),
    bounds=affine.absolute,
)  # fmt: skip
sqrt = elementwise(
    "sqrt", np.sqrt, (lambda out, x: _over(0.5, out),), latex=r"\sqrt{{{}}}", scalar=math.sqrt,
    code=lambda t, x: t.call("sqrt", x), inline=True,
    about="Square root.", backward="divides it by twice the root",
    kinks="x = 0, " + _STEEP,
    symbolic=lambda s, x: s.sqrt(x),
    bounds=affine.sqrt,
)  # fmt: skip
exp = elementwise(
    "exp", np.exp, (lambda out, x: out,), latex="e^{{{}}}", scalar=math.exp, code=elementary.exp,
    about="e ** x.", backward="multiplies it by the value itself",
    symbolic=lambda s, x: s.exp(x),
    bounds=affine.by_slope("exp"),
)  # fmt: skip
log: Function = elementwise(
    "log", np.log, (lambda out, x: _over(1.0, x),), scalar=math.log, code=elementary.log,
    about="Natural logarithm.", backward="divides it by the input",
    symbolic=lambda s, x: s.log(x),
    bounds=affine.by_slope("log", above=0.0),
)  # fmt: skip
log1p = elementwise(
    "log1p", np.log1p, (lambda out, x: _over(1.0, 1.0 + x),), scalar=math.log1p, code=elementary.log1p,
    about="Natural logarithm of 1 + x, which keeps its digits where x is small.",
    backward="divides it by one plus the input",
    symbolic=lambda s, x: s.log(1 + x),
    bounds=affine.by_slope("log1p", above=-1.0),
)  # fmt: skip
expm1 = elementwise(
    "expm1", np.expm1, (lambda out, x: exp(x),), scalar=math.expm1, code=elementary.expm1,
    about="e ** x - 1, which keeps its digits where x is small.", backward="multiplies it by exp",
    symbolic=lambda s, x: s.exp(x) - 1,
    bounds=affine.by_slope("expm1"),
)  # fmt: skip
sin = elementwise(
    "sin", np.sin, (lambda out, x: cos(x),), scalar=math.sin, code=elementary.sin,
    about="Sine of x in radians.", backward="multiplies it by cos",
    symbolic=lambda s, x: s.sin(x),
    bounds=affine.sine("sin"),
)  # fmt: skip
cos: Function = elementwise(
    "cos", np.cos, (lambda out, x: -sin(x),), scalar=math.cos, code=elementary.cos,
    about="Cosine of x in radians.", backward="multiplies it by -sin",
    symbolic=lambda s, x: s.cos(x),
    bounds=affine.sine("cos"),
)  # fmt: skip
tan = elementwise(
    "tan", np.tan, (lambda out, x: 1.0 + out * out,), scalar=math.tan, code=elementary.tan,
    about="Tangent of x in radians.",
    symbolic=lambda s, x: s.tan(x),
    bounds=affine.by_slope("tan", 0.0, above=-1.57, below=1.57),
)  # fmt: skip
arcsin = elementwise(
    "arcsin", np.arcsin, (lambda out, x: _over(1.0, _other_leg(x)),), scalar=math.asin, code=elementary.arcsin,
    about="The angle from -pi/2 to pi/2 whose sine is x; nan where |x| > 1.",
    backward="divides it by sqrt(1 - x^2)", kinks="x = -1 and x = 1, " + _STEEP,
    symbolic=lambda s, x: s.asin(x), textbook=(lambda out, x: 1.0 / sqrt(1.0 - x * x),),
    bounds=affine.by_slope("arcsin", 0.0, above=-1.0, below=1.0),
)  # fmt: skip
arccos = elementwise(
    "arccos", np.arccos, (lambda out, x: _over(-1.0, _other_leg(x)),), scalar=math.acos, code=elementary.arccos,
    about="The angle from 0 to pi whose cosine is x; nan where |x| > 1.",
    backward="divides it by -sqrt(1 - x^2)", kinks="x = -1 and x = 1, " + _STEEP,
    symbolic=lambda s, x: s.acos(x), textbook=(lambda out, x: -1.0 / sqrt(1.0 - x * x),),
    bounds=affine.by_slope("arccos", 0.0, above=-1.0, below=1.0),
)  # fmt: skip
arctan = elementwise(
    "arctan", np.arctan, (lambda out, x: 1.0 / (1.0 + x * x),), scalar=math.atan, code=elementary.arctan,
    about="The angle from -pi/2 to pi/2 whose tangent is x.", backward="divides it by 1 + x^2",
    symbolic=lambda s, x: s.atan(x),
    bounds=affine.by_slope("arctan", 0.0),
)  # fmt: skip
sinh = elementwise(
    "sinh", np.sinh, (lambda out, x: cosh(x),), scalar=math.sinh, code=elementary.sinh,
    about="Hyperbolic sine.", backward="multiplies it by cosh",
    symbolic=lambda s, x: s.sinh(x),
    bounds=affine.by_slope("sinh", 0.0),
)  # fmt: skip
cosh: Function = elementwise(
    "cosh", np.cosh, (lambda out, x: sinh(x),), scalar=math.cosh, code=elementary.cosh,
    about="Hyperbolic cosine.", backward="multiplies it by sinh",
    symbolic=lambda s, x: s.cosh(x),
    bounds=affine.by_slope("cosh"),
)  # fmt: skip
tanh = elementwise(
    # cosh(x) overflows to inf where the derivative is 0; 1 - tanh(x)^2 would lose it to rounding long before.
    "tanh", np.tanh, (lambda out, x: (2.0 / (exp(x) + exp(-x))) ** 2.0,), scalar=math.tanh, code=elementary.tanh,
    about="Hyperbolic tangent.", backward="multiplies it by tanh' = 1 - tanh^2",
    symbolic=lambda s, x: s.tanh(x), textbook=(lambda out, x: 1.0 - out * out,),
    bounds=affine.by_slope("tanh", 0.0),
)  # fmt: skip
erf = elementwise(
    "erf", _scipys("erf"), (lambda out, x: _ERF_SLOPE * exp(-(x * x)),), scalar=math.erf, code=elementary.erf,
    about="Error function: 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.",
    backward="multiplies it by 2 / sqrt(pi) exp(-x^2)",
    symbolic=lambda s, x: s.erf(x),
    bounds=affine.by_slope("erf", 0.0),
)  # fmt: skip
erfc = elementwise(
    "erfc", _scipys("erfc"), (lambda out, x: -_ERF_SLOPE * exp(-(x * x)),), scalar=math.erfc, code=elementary.erfc,
    about="1 - erf(x), which keeps its digits where x is large.",
    backward="multiplies it by -2 / sqrt(pi) exp(-x^2)",
    symbolic=lambda s, x: s.erfc(x),
    bounds=affine.by_slope("erfc", 0.0, rounding=2.0**-42),
)  # fmt: skip

# Of two, and the choice.
arctan2 = elementwise(
    "arctan2", np.arctan2,
    (lambda out, y, x: _over(x, x * x + y * y), lambda out, y, x: -_over(y, x * x + y * y)),
    scalar=math.atan2, code=elementary.arctan2,
    about="arctan2(y, x): the angle of the point (x, y) in radians, from -pi to pi.",
    kinks="x = y = 0, and the jump of 2 pi at y = 0, x < 0",
    symbolic=lambda s, y, x: s.atan2(y, x),
    bounds=affine.arctan2,
)  # fmt: skip
minimum = elementwise(
    "minimum", np.minimum, (lambda out, x, y: _larger(y, x), lambda out, x, y: _larger(x, y)), symbol="min",
    latex=r"\min({}, {})", scalar=lambda x, y: x if x <= y or x != x else y,
    complex_forward=lambda x, y: np.where(np.real(x) < np.real(y), x, y),
    code=lambda t, x, y: t.nan_first(x, t.choose(x < y, x, y)), inline=True,
    about="The smaller one, entry by entry.", backward="passes it to the smaller one",
    kinks="x = y, where each input has one half of the derivative",
    spelled=lambda x, y: where(less(x, y), x, y),
    bounds=affine.minimum,
)  # fmt: skip
maximum = elementwise(
    "maximum", np.maximum, (lambda out, x, y: _larger(x, y), lambda out, x, y: _larger(y, x)), symbol="max",
    latex=r"\max({}, {})", scalar=lambda x, y: x if x >= y or x != x else y,
    complex_forward=lambda x, y: np.where(np.real(x) >= np.real(y), x, y),
    code=lambda t, x, y: t.nan_first(x, t.choose(x > y, x, y)), inline=True,
    about="The larger one, entry by entry.", backward="passes it to the larger one",
    kinks="x = y, where each input has one half of the derivative",
    spelled=lambda x, y: where(greater(x, y), x, y),
    bounds=affine.maximum,
)  # fmt: skip
_where = elementwise(
    "where", np.where, (None, lambda out, c, x, y: c, lambda out, c, x, y: logical_not(c)),
    scalar=lambda c, x, y: x if c else y, code=lambda t, c, x, y: t.choose(c, x, y), inline=True, takes_booleans=True,
    backward="passes it to the one that was taken",
    kinks="not at the border of the condition: the derivative is that of the branch taken",
    bounds=affine.where,
)  # fmt: skip
sign: Function = elementwise(
    "sign", np.sign, (None,), scalar=lambda x: 1.0 if x > 0.0 else -1.0 if x < 0.0 else x,
    code=lambda t, x: t.choose(x > 0.0, 1.0, t.choose(x < 0.0, -1.0, x)), inline=True,
    about="-1, 0 or 1, as a plain value without derivative.",
    spelled=lambda x: where(greater(x, 0.0), 1.0, where(less(x, 0.0), -1.0, 0.0)),
    bounds=affine.sign,
)  # fmt: skip

# Comparisons, and what joins them.
less: Function = elementwise(
    "less", np.less, (None, None), symbol="<", form="{} < {}", scalar=operator.lt, boolean=True,
    code=lambda t, x, y: x < y, inline=True,
    about="x < y, as plain booleans; so are the other comparisons and what joins them.",
    bounds=affine.less,
)  # fmt: skip
less_equal = elementwise(
    "less_equal", np.less_equal, (None, None), symbol="<=", form="{} <= {}", latex=r"{} \le {}", scalar=operator.le,
    boolean=True, code=lambda t, x, y: x <= y, inline=True, about="x <= y.",
    bounds=affine.less_equal,
)  # fmt: skip
greater: Function = elementwise(
    "greater", np.greater, (None, None), symbol=">", form="{} > {}", scalar=operator.gt,
    boolean=True, code=lambda t, x, y: x > y, inline=True, about="x > y.",
    bounds=affine.greater,
)  # fmt: skip
greater_equal = elementwise(
    "greater_equal", np.greater_equal, (None, None), symbol=">=", form="{} >= {}", latex=r"{} \ge {}",
    scalar=operator.ge, boolean=True, code=lambda t, x, y: x >= y, inline=True, about="x >= y.",
    bounds=affine.greater_equal,
)  # fmt: skip
equal: Function = elementwise(
    "equal", np.equal, (None, None), symbol="==", form="{} == {}", latex="{} = {}", scalar=operator.eq, boolean=True,
    commutes=True, code=lambda t, x, y: x.is_(y), inline=True, about="x == y.",
    bounds=affine.equal,
)  # fmt: skip
not_equal = elementwise(
    "not_equal", np.not_equal, (None, None), symbol="!=", form="{} != {}", latex=r"{} \ne {}", scalar=operator.ne,
    boolean=True, commutes=True, code=lambda t, x, y: x.is_not(y), inline=True, about="x != y.",
    bounds=affine.not_equal,
)  # fmt: skip
logical_and = elementwise(
    "logical_and", np.logical_and, (None, None), symbol="and", form="{} and {}", latex=r"{} \wedge {}",
    scalar=lambda x, y: bool(x and y), boolean=True, takes_booleans=True, commutes=True,
    code=lambda t, x, y: x & y, inline=True, about="Both.",
    bounds=affine.logical_and,
)  # fmt: skip
logical_or = elementwise(
    "logical_or", np.logical_or, (None, None), symbol="or", form="{} or {}", latex=r"{} \vee {}",
    scalar=lambda x, y: bool(x or y), boolean=True, takes_booleans=True, commutes=True,
    code=lambda t, x, y: x | y, inline=True, about="At least one.",
    bounds=affine.logical_or,
)  # fmt: skip
logical_not: Function = elementwise(
    "logical_not", np.logical_not, (None,), symbol="not", form="not {}", latex=r"\neg {}", scalar=operator.not_,
    boolean=True, takes_booleans=True, code=lambda t, x: x ^ 1, inline=True, about="Not x.",
    bounds=affine.logical_not,
)  # fmt: skip


def where(condition: Any, x: Numeric, y: Numeric) -> Any:
    """x where the condition is true, else y; the derivative goes to the one that was taken.

    condition: booleans, usually a comparison; numbers count as true where they are not 0.
    """
    if isinstance(condition, Var) and condition.dtype != bool:
        condition = condition != 0.0
    elif not (type(condition) is bool or isinstance(condition, Abstract)
              or (isinstance(condition, np.ndarray) and condition.dtype.char in "?O")):  # fmt: skip
        condition = condition if isinstance(condition, Var) else np.asarray(condition) != 0.0
    return _where(condition, x, y)


FUNCTIONS["where"] = where


def clip(x: Numeric, lower: Numeric, upper: Numeric) -> Any:
    """x held between lower and upper."""
    return minimum(maximum(x, lower), upper)
