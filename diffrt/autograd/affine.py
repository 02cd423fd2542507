"""Bounds: what a number can be anywhere in a box.

A number that depends on a place (u1, u2, ...) in the box [-1, 1] x [-1, 1] x ... is written as

    x = c + a1 u1 + a2 u2 + ... + e w,    |w| <= 1 unknown

the *affine form* of x (Stolfi and de Figueiredo, "Self-validated numerical methods and applications", 1997), with one
unknown of its own for all that is not linear. Sums keep it. A product keeps its linear part, and the rest of it goes
into e. A function of one number is replaced by the best line over its range. A comparison is true everywhere, false
everywhere, or unknown; a choice by an unknown condition is the hull of both sides, in which what they have in common
stays linear.

These are one more way to run the rows of the op table: each says its rule in the column `bounds`, in the
arithmetic of the core on the components of forms. What has no rule is unknown: c = 0, e = inf.

The bounds hold for the numbers that a program computes, rounding included: each op adds a few units in the last place
to e, unless all that goes into it is known exactly. An infinite number is known exactly, or unknown. Where there is no
value (the root of a negative number) there is nothing to bound: the root of a range that dips under zero is cut off
there. So a comparison of such a root is to be trusted only where the program makes sure that it has a value.

A form may also say what the number is at some *places*, in the box or not: the same program, run on numbers beside the
bounds. What is zero at two places of a line, to the last digits, is known to be zero along the line, which no bounds
could tell.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from typing import Any

import numpy as np

from .operators import Operators
from .variable import TABLE, Abstract, Op, apply

ROUNDING = 2.0**-49
"""What an op may add to the error, in parts of the size of its result: some roundings of the op itself, of the
components here, and of the sums that compare them."""

TINY = 1e-300
"""The same where numbers are so small that rounding is not relative to them."""


class Unknown(Abstract):
    """A number or a truth that depends on a place. places: what it is at some of them; empty for one that is the same
    everywhere, or where nobody asks."""

    __slots__ = ("places",)

    places: tuple[Any, ...]

    precedence = 1

    def combined(self, op: Op, operands: Sequence[Any]) -> Any:
        """The result of an elementwise op on operands, some of which are of these kinds."""
        count = max(len(x.places) for x in operands if isinstance(x, Unknown))
        if op.bounds is None:
            found = Truth(False, False) if op.boolean else Form(0.0, (), inf)
        else:
            given = operands
            if not op.takes_booleans:
                given = [where(x, 1.0, 0.0) if isinstance(x, Truth) else x for x in operands]
            found = op.bounds(*given)
        if count:
            values = [tuple(at_place(x, k, op.takes_booleans) for x in operands) for k in range(count)]
            found = found.like(found.parts(), tuple(_call(op.name, *own) for own in values))
        return found

    def parts(self) -> list[Any]:
        """The components."""
        raise NotImplementedError

    def like(self, parts: Sequence[Any], places: tuple[Any, ...] = ()) -> "Unknown":
        """One of this kind from components."""
        raise NotImplementedError

    def everywhere(self) -> Any:
        """What it is everywhere, if that is known exactly."""
        raise NotImplementedError

    def __bool__(self) -> bool:
        raise TypeError(
            "a branch on a value of which only bounds are known; use diffrt.autograd.where, "
            "and compare arrays with diffrt.autograd.less, greater and the like"
        )

    def __float__(self) -> float:
        raise TypeError("float() of a value of which only bounds are known")


class Form(Operators, Unknown):
    """A number as an affine form: centre, slopes, one for each direction of the box, and error."""

    __slots__ = ("centre", "error", "slopes")

    def __init__(self, centre: Any, slopes: Sequence[Any], error: Any, places: tuple[Any, ...] = ()) -> None:
        self.centre, self.slopes, self.error, self.places = centre, tuple(slopes), error, places

    def parts(self) -> list[Any]:
        return [self.centre, *self.slopes, self.error]

    def like(self, parts: Sequence[Any], places: tuple[Any, ...] = ()) -> "Form":
        return Form(parts[0], parts[1:-1], parts[-1], places)

    def everywhere(self) -> Any:
        return self.centre

    @property
    def reach(self) -> Any:
        """How far the linear part goes from the centre."""
        total: Any = 0.0
        for slope in self.slopes:
            total = total + _abs(slope)
        return total

    @property
    def radius(self) -> Any:
        """How far the number can be from the centre."""
        return self.reach + self.error

    def _with(self, name: str, *operands: Any) -> Any:
        if any(isinstance(x, np.ndarray) for x in operands):  # numpy asks again, entry by entry
            return NotImplemented
        return self.combined(TABLE[name], operands)


class Truth(Unknown):
    """Whether something is so: yes everywhere, no everywhere; if neither, it is unknown."""

    __slots__ = ("no", "yes")

    def __init__(self, yes: Any, no: Any, places: tuple[Any, ...] = ()) -> None:
        self.yes, self.no, self.places = yes, no, places

    def parts(self) -> list[Any]:
        return [self.yes, self.no]

    def like(self, parts: Sequence[Any], places: tuple[Any, ...] = ()) -> "Truth":
        return Truth(parts[0], parts[1], places)

    def everywhere(self) -> Any:
        return self.yes


def bounds(f: Callable[[Any], Any], lower: Any, upper: Any) -> tuple[Any, Any]:
    """The least and the largest that the entries of f(x) can be for lower <= x <= upper.

    f: from an array or a number to one, composed of functions of this package. lower, upper: of one shape, finite.
    Returns two arrays of the shape of f(x), or two numbers; -inf and inf where nothing is known, and for booleans
    (False, True). f(x) keeps to them for every x in the box at which it has a value, in floating point too. They are
    not the tightest: what depends on x in several ways that are not linear is bounded more loosely.

        lower, upper = bounds(lambda x: x[0] * sqrt(x[1]), [0.0, 1.0], [0.5, 2.0])

    Raises ValueError for bounds of unlike shapes, that cross, or are not finite; TypeError where f branches on a value.
    """
    low, high = np.array(lower, float), np.array(upper, float)
    if low.shape != high.shape:
        raise ValueError(f"bounds: lower has the shape {low.shape}, upper {high.shape}; one is needed")
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low <= high).all()):
        raise ValueError("bounds: finite numbers are needed, with lower <= upper everywhere")
    wide = np.flatnonzero((low < high).ravel())
    forms = np.empty(low.size, object)
    for i, (a, b) in enumerate(zip(low.ravel().tolist(), high.ravel().tolist(), strict=True)):
        centre = a if a == b else 0.5 * a + 0.5 * b
        # The half width is rounded up, so that both ends are in.
        half = max(b - centre, centre - a) * (1.0 + ROUNDING) + (TINY if a < b else 0.0)
        forms[i] = Form(centre, [half if i == j else 0.0 for j in wide], 0.0)
    with np.errstate(all="ignore"):
        found = f(forms.reshape(low.shape) if low.ndim else forms.reshape(())[()])
        ends = [_ends(entry) for entry in np.asarray(found, object).ravel()]
    shape = np.shape(found)
    if not shape:
        return ends[0]
    least, most = (np.array(side).reshape(shape) for side in zip(*ends, strict=True))
    return least, most


def _ends(entry: Any) -> tuple[Any, Any]:
    if isinstance(entry, Truth):
        return bool(entry.yes), not entry.no
    if not isinstance(entry, Form):
        return entry, entry
    radius = entry.radius * (1.0 + ROUNDING)
    low, high = entry.centre - radius, entry.centre + radius
    return (low if low == low else -inf), (high if high == high else inf)


def at_place(x: Any, place: int, booleans: bool = True) -> Any:
    """What a number or a truth is at a place. booleans: whether a truth stays one, or is 1 or 0."""
    if not isinstance(x, Unknown):
        return x
    value = x.places[place] if x.places else x.everywhere()
    return value if booleans or isinstance(x, Form) else _where(value, 1.0, 0.0)


def lifted(x: Any, like: Form) -> Form:
    """A number that is known, or a form, as a form with as many directions as another one."""
    return x if isinstance(x, Form) else Form(_number(x), [0.0] * len(like.slopes), 0.0)


def truth(x: Any) -> Truth:
    """A truth that is known, or one of these, as one of these."""
    return x if isinstance(x, Truth) else Truth(x, _not(x))


def _number(x: Any) -> Any:
    """A boolean as 1 or 0; numbers as they are."""
    return float(x) if isinstance(x, bool | np.bool_) else x


# The rules. Arithmetic on components is that of the op table, in which nothing raises and a division by 0 is inf.


def _call(name: str, *x: Any) -> Any:
    # On nodes, and on the components of many boxes at once, most of the time would go into `apply`.
    arrays = [type(part) is np.ndarray for part in x]
    if not any(arrays):
        for part in x:
            if isinstance(part, Abstract):
                return part.combined(TABLE[name], x)
    plain = [array and part.dtype.char != "O" for array, part in zip(arrays, x, strict=True)]
    if any(plain) and all(p or type(part) is float for p, part in zip(plain, x, strict=True)):
        found = TABLE[name].forward(*x)
    else:
        found = apply(TABLE[name], x)
    return found.item() if isinstance(found, np.ndarray) and not found.ndim else found


_abs, _over, _where = (partial(_call, name) for name in ("abs", "divide", "where"))
_not, _and, _or = (partial(_call, f"logical_{name}") for name in ("not", "and", "or"))


def _range(x: Form) -> tuple[Any, Any]:
    """The least and the largest that a form can be, rounded outward."""
    radius = x.radius * (1.0 + ROUNDING) + ROUNDING * _abs(x.centre)
    return x.centre - radius, x.centre + radius


def _exact(x: Any) -> Any:
    return _call("equal", x, 0.0)


def _rounded(form: Form, size: Any = None) -> Form:
    """A form with the error that rounding adds to it, if it is not known exactly. size: of what was rounded, that of
    the form itself if None."""
    radius = form.radius
    if size is None:
        size = _abs(form.centre) + radius
    return Form(form.centre, form.slopes, form.error + _where(_exact(radius), 0.0, ROUNDING * size + TINY))


def _two(x: Any, y: Any) -> tuple[Form, Form]:
    """Two operands as forms of the same directions."""
    directions = max((o for o in (x, y) if isinstance(o, Form)), key=lambda o: len(o.slopes))
    x, y = lifted(x, directions), lifted(y, directions)
    more = len(directions.slopes)
    return tuple(  # type: ignore[return-value]
        o if len(o.slopes) == more else Form(o.centre, [0.0] * more, o.error) for o in (x, y)
    )


def add(x: Any, y: Any) -> Form:
    """x + y."""
    x, y = _two(x, y)
    slopes = [a + b for a, b in zip(x.slopes, y.slopes, strict=True)]
    return _rounded(Form(x.centre + y.centre, slopes, x.error + y.error))


def subtract(x: Any, y: Any) -> Form:
    """x - y."""
    x, y = _two(x, y)
    slopes = [a - b for a, b in zip(x.slopes, y.slopes, strict=True)]
    return _rounded(Form(x.centre - y.centre, slopes, x.error + y.error))


def negative(x: Form) -> Form:
    """-x."""
    return Form(-x.centre, [-a for a in x.slopes], x.error)


def multiply(x: Any, y: Any) -> Form:
    """x y. Of the product of the linear parts, u_i^2 is between 0 and 1: half of it goes to the centre."""
    if x is y:
        return _square(x)
    for known, other in ((x, y), (y, x)):
        if not isinstance(known, Form):
            known = _number(known)
            return _rounded(Form(known * other.centre, [known * a for a in other.slopes], _abs(known) * other.error))
    x, y = _two(x, y)
    centre, error = x.centre * y.centre, x.radius * y.error + x.error * y.reach
    size = (_abs(x.centre) + x.radius) * (_abs(y.centre) + y.radius)
    slopes = [x.centre * b + y.centre * a for a, b in zip(x.slopes, y.slopes, strict=True)]
    for i, a in enumerate(x.slopes):
        square = 0.5 * (a * y.slopes[i])
        centre, error = centre + square, error + _abs(square)
        for j in range(i):
            error = error + _abs(a * y.slopes[j] + x.slopes[j] * y.slopes[i])
    error = error + _abs(x.centre) * y.error + _abs(y.centre) * x.error
    return _rounded(Form(centre, slopes, error), size)


def _square(x: Form) -> Form:
    """x^2: a product, and where that may be less than zero, what is between the squares of the ends."""
    found, radius = multiply(x, x.like(x.parts())), x.radius
    most, least = _abs(x.centre) + radius, _call("maximum", _abs(x.centre) - radius, 0.0)
    half = 0.5 * (most * most - least * least) * (1.0 + ROUNDING) + ROUNDING * (most * most) + TINY
    box = Form(0.5 * (most * most + least * least), [0.0] * len(x.slopes), half)
    dips = _and(_call("less", found.centre, found.radius), _call("less", most, inf))
    return _selected(dips, box, found)


def divide(x: Any, y: Any) -> Form:
    """x / y; unknown where y can be 0."""
    if not isinstance(y, Form):
        y = _number(y)
        return _rounded(Form(_over(x.centre, y), [_over(a, y) for a in x.slopes], _over(x.error, _abs(y))))
    x, y = _two(x, y)
    exact = _and(_exact(x.radius), _exact(y.radius))
    # The sign of an infinite quotient is that of a zero, which no form keeps.
    quotient = Form(_over(x.centre, y.centre), [0.0] * len(y.slopes), _where(_exact(y.centre), inf, 0.0))
    line = multiply(x, _reciprocal(y))
    # Where one of the two reaches far, the line may lose a sign that both ranges know.
    (low, high), (least, most) = (_range(Form(_abs(z.centre), z.slopes, z.error)) for z in (x, y))
    first, last = _over(low, most), _over(high, least)
    half = 0.5 * (last - first) * (1.0 + ROUNDING) + 2.0 * ROUNDING * last
    turn = _call("sign", x.centre) * _call("sign", y.centre)
    box = Form(turn * 0.5 * (first + last), [0.0] * len(y.slopes), half)
    known = _and(_call("greater", low, 0.0), _call("greater", least, 0.0))
    better = _and(known, _not(_call("greater", _abs(line.centre), line.radius)))
    return _selected(exact, quotient, _selected(better, box, line))


def _reciprocal(y: Form) -> Form:
    """1 / y: between the secant over the range of |y| and the tangent parallel to it."""
    size = _abs(y.centre)
    low, high = _range(Form(size, y.slopes, y.error))
    slope = _over(-1.0, low * high)
    roots = _over(1.0, _call("sqrt", low)), _over(1.0, _call("sqrt", high))
    middle = 0.5 * (roots[0] * roots[0] + roots[1] * roots[1]) + roots[0] * roots[1]
    error = 0.5 * ((roots[0] - roots[1]) * (roots[0] - roots[1])) + ROUNDING * middle
    exact = _exact(y.radius)
    centre = _where(exact, _over(1.0, y.centre), _call("sign", y.centre) * (middle + slope * size))
    spread = _where(exact, 0.0, error + -slope * y.error)
    # A number known exactly has a reciprocal, if only an infinite one.
    known = _or(exact, _call("greater", low, 0.0))
    line = Form(centre, [_where(exact, 0.0, slope * a) for a in y.slopes], _where(known, spread, inf))
    # Over a range that comes near to zero, the line leaves what the range allows.
    least, most = _over(1.0, high), _over(1.0, low)
    half = 0.5 * (most - least) * (1.0 + ROUNDING) + 2.0 * ROUNDING * most
    box = Form(_call("sign", y.centre) * 0.5 * (least + most), [0.0] * len(y.slopes), half)
    return _selected(_and(_call("less", _abs(line.centre), line.radius), _and(known, _not(exact))), box, line)


def sqrt(x: Form) -> Form:
    """The root, of the part of the range that has one: the secant, and the tangent parallel to it."""
    low, high = _range(x)
    least, most = (_call("sqrt", _call("maximum", end, 0.0)) for end in (low, high))
    both = least + most
    exact = _or(_exact(x.radius), _call("less_equal", both, 0.0))
    # sqrt(t) - t / both is least * most / both at the ends, and both / 4 at the tangent point.
    ends, top = _over(least * most, both), 0.25 * both
    line = Form(
        _over(x.centre, both) + 0.5 * (ends + top),
        [_over(a, both) for a in x.slopes],
        _over(x.error, both) + 0.5 * (top - ends),
    )
    # Where the range dips under zero, all that is known is what the root is less than.
    cut = _call("less_equal", low, 0.0)
    half = 0.5 * most
    found = _rounded(line, most)
    return Form(
        _where(exact, _call("sqrt", x.centre), _where(cut, half, found.centre)),
        [_where(_or(exact, cut), 0.0, a) for a in found.slopes],
        _where(exact, 0.0, _where(cut, half * (1.0 + ROUNDING), found.error)),
    )


def absolute(x: Form) -> Form:
    """|x|: where the sign is unknown, the line between the ends, and the one through the kink."""
    weight, rest = _sign(x.centre, x.radius)
    return _rounded(Form(weight * x.centre + rest, [weight * a for a in x.slopes], _abs(weight) * x.error + rest))


def _sign(centre: Any, radius: Any) -> tuple[Any, Any]:
    """For d between centre - radius and centre + radius: w and h with |d| between w d and w d + 2 h."""
    inner = _call("less", _abs(centre), radius)
    weight = _where(inner, _over(centre, radius), _call("sign", centre) + 0.0 * radius)
    rest = _where(inner, 0.5 * (radius - centre * weight) * (1.0 + ROUNDING), 0.0)
    return weight, rest


def _difference(x: Any, y: Any) -> tuple[Any, Any]:
    """Centre and radius of x - y, whose signs are right where one of them is infinite too."""
    x, y = _two(x, y)
    radius: Any = x.error + y.error
    for a, b in zip(x.slopes, y.slopes, strict=True):
        radius = radius + _abs(a - b)
    # Where nothing is known the radius is nan, of which every comparison is false.
    return x.centre - y.centre, radius * (1.0 + ROUNDING) + 0.0 * radius


def maximum(x: Any, y: Any) -> Form:
    """The larger one: where that is unknown, (x + y + |x - y|) / 2."""
    return _extreme(x, y, 1.0)


def minimum(x: Any, y: Any) -> Form:
    """The smaller one."""
    return _extreme(x, y, -1.0)


def _extreme(x: Any, y: Any, turn: float) -> Form:
    x, y = _two(x, y)
    centre, radius = _difference(x, y)
    over, under = _call("greater_equal", centre, radius), _call("greater_equal", -centre, radius)
    weight, rest = _sign(centre, radius)
    first, second = 0.5 * (1.0 + turn * weight), 0.5 * (1.0 - turn * weight)
    blend = _rounded(
        Form(
            first * x.centre + second * y.centre + turn * 0.5 * rest,
            [first * a + second * b for a, b in zip(x.slopes, y.slopes, strict=True)],
            first * x.error + second * y.error + 0.5 * rest,
        ),
        _abs(x.centre) + x.radius + _abs(y.centre) + y.radius,
    )
    if turn < 0.0:
        over, under = under, over
    # Between two that differ much, the line may leave what both ranges allow.
    name = "maximum" if turn > 0.0 else "minimum"
    least, most = (_call(name, a, b) for a, b in zip(_range(x), _range(y), strict=True))
    half = 0.5 * (most - least) * (1.0 + ROUNDING)
    box = Form(0.5 * (least + most), [0.0] * len(x.slopes), half + ROUNDING * (_abs(least) + _abs(most)))
    better = _call("less", box.error, 0.5 * blend.radius)
    for end, middle in ((least, blend.centre), (-most, -blend.centre)):  # or the sign is known that the line loses
        better = _or(better, _and(_call("greater", end, 0.0), _call("less_equal", middle, blend.radius)))
    blend = _selected(better, box, blend)
    return _selected(over, x, _selected(under, y, blend))


def _selected(condition: Any, x: Form, y: Form) -> Form:
    """The one or the other, by a condition that is known."""
    x, y = _two(x, y)
    return x.like([_where(condition, p, q) for p, q in zip(x.parts(), y.parts(), strict=True)])


def where(condition: Any, x: Any, y: Any) -> Any:
    """The one that is chosen, or the hull of both, whose linear part is the middle of theirs."""
    if isinstance(x, Truth) or isinstance(y, Truth):
        x, y, condition = truth(x), truth(y), truth(condition)
        both = _and(x.yes, y.yes), _and(x.no, y.no)
        return Truth(*(
            _or(_or(_and(condition.yes, p), _and(condition.no, q)), b)
            for p, q, b in zip(x.parts(), y.parts(), both, strict=True)
        ))  # fmt: skip
    forms = [o for o in (x, y) if isinstance(o, Form)]
    if not forms:
        x, y = Form(_number(x), (), 0.0), Form(_number(y), (), 0.0)
    x, y = _two(x, y)
    if not isinstance(condition, Truth):
        return _selected(condition, x, y)
    error: Any = _abs(x.centre - y.centre)
    for a, b in zip(x.slopes, y.slopes, strict=True):
        error = error + _abs(a - b)
    hull = _rounded(
        Form(
            0.5 * x.centre + 0.5 * y.centre,
            [0.5 * a + 0.5 * b for a, b in zip(x.slopes, y.slopes, strict=True)],
            0.5 * error * (1.0 + ROUNDING) + _call("maximum", x.error, y.error),
        )
    )
    return _selected(condition.yes, x, _selected(condition.no, y, hull))


def greater(x: Any, y: Any) -> Truth:
    """x > y."""
    return _ordered(x, y, "greater", "less_equal")


def _ordered(x: Any, y: Any, name: str, opposite: str) -> Truth:
    """A comparison of the two sides of which the first is the larger one."""
    x, y = _two(x, y)
    centre, radius = _difference(x, y)
    # Two that are known exactly are compared as they are, as both may be infinite.
    exact = _and(_exact(x.radius), _exact(y.radius))
    yes = _or(_call("greater", centre, radius), _and(exact, _call(name, x.centre, y.centre)))
    no = _or(_call("greater", -centre, radius), _and(exact, _call(opposite, x.centre, y.centre)))
    return Truth(yes, no)


def less(x: Any, y: Any) -> Truth:
    """x < y."""
    return greater(y, x)


def greater_equal(x: Any, y: Any) -> Truth:
    """x >= y."""
    return _ordered(x, y, "greater_equal", "less")


def less_equal(x: Any, y: Any) -> Truth:
    """x <= y."""
    return greater_equal(y, x)


def equal(x: Any, y: Any) -> Truth:
    """x == y."""
    centre, radius = _difference(x, y)
    return Truth(_and(_exact(centre), _exact(radius)), _call("greater", _abs(centre), radius))


def not_equal(x: Any, y: Any) -> Truth:
    """x != y."""
    return logical_not(equal(x, y))


def logical_and(x: Any, y: Any) -> Truth:
    """Both."""
    x, y = truth(x), truth(y)
    return Truth(_and(x.yes, y.yes), _or(x.no, y.no))


def logical_or(x: Any, y: Any) -> Truth:
    """At least one."""
    x, y = truth(x), truth(y)
    return Truth(_or(x.yes, y.yes), _and(x.no, y.no))


def logical_not(x: Any) -> Truth:
    """Not x."""
    x = truth(x)
    return Truth(x.no, x.yes)


def sign(x: Form) -> Form:
    """-1, 0 or 1."""
    known = _or(_exact(x.radius), _call("greater", _abs(x.centre), x.radius * (1.0 + ROUNDING)))
    return Form(_where(known, _call("sign", x.centre), 0.0), [0.0] * len(x.slopes), _where(known, 0.0, 1.0))


def by_slope(
    name: str, *turns: float, above: float = -inf, below: float = inf, rounding: float = 4.0 * ROUNDING
) -> Callable[[Any], Form]:
    """The rule of a function of one number by the range of its derivative: f(x) is between f(c) + m (x - c) and
    f(c) + M (x - c), where m <= f' <= M.

    name: of the op. turns: where the derivative is largest or least, if not at the ends of the range. above, below:
    between which the function is smooth. rounding: of its results, relatively.
    """

    def rule(x: Any) -> Form:
        slope_of: Any = TABLE[name].partials[0]  # type: ignore[index]
        low, high = _range(x)
        value = _call(name, x.centre)
        slopes = [slope_of(_call(name, at), at) for at in (low, high)]
        least, most = _call("minimum", *slopes), _call("maximum", *slopes)
        for at in turns:
            top = slope_of(_call(name, at), at)
            within = _and(_call("less", low, at), _call("less", at, high))
            least = _where(within, _call("minimum", least, top), least)
            most = _where(within, _call("maximum", most, top), most)
        known: Any = True
        if above > -inf:
            known = _and(known, _call("greater", low, above))
        if below < inf:
            known = _and(known, _call("less", high, below))
        return by_partials([x], value, [(least, most)], known, rounding)

    return rule


def by_partials(
    inputs: Sequence[Form], value: Any, ranges: Sequence[tuple[Any, Any]], known: Any, rounding: Any = 4.0 * ROUNDING
) -> Form:
    """A function of some numbers by the ranges of its partials (the mean value theorem): f(x) is f(c) plus, for each
    input, something between m (x - c) and M (x - c), where m <= df/dx <= M all over the box.

    value: at the centres. ranges: m and M for each input. known: where that holds. rounding: of results, relatively.
    """
    slopes: list[Any] = [0.0] * len(inputs[0].slopes)
    error: Any = 0.0
    size, exact = _abs(value), True
    for x, (least, most) in zip(inputs, ranges, strict=True):
        slope, half = 0.5 * (least + most), 0.5 * (most - least) * (1.0 + ROUNDING)
        slopes = [s + slope * a for s, a in zip(slopes, x.slopes, strict=True)]
        error = error + _abs(slope) * x.error + half * x.radius
        size = size + (_abs(slope) + half) * x.radius
        exact = _and(exact, _exact(x.radius))
    error = _where(known, error + rounding * size, inf)
    # The library that computes a function may be another one elsewhere, so no result is known exactly.
    alone = rounding * _abs(value)
    return Form(value, [_where(exact, 0.0, s) for s in slopes], _where(exact, alone, error))


def falling(name: str, rounding: float = 4.0 * ROUNDING) -> Callable[..., Form]:
    """The rule of a function of two numbers that falls as any of them grows: over a box it is between its values at two
    corners, and from what its partials are for these values follows the rest.

    name: of the op, whose partials are composed of ops with rules. rounding: of its results, relatively.
    """

    def rule(x: Any, y: Any) -> Form:
        x, y = _two(x, y)
        (left, right), (bottom, top) = _range(x), _range(y)
        least, most, value = (_call(name, *at) for at in ((right, top), (left, bottom), (x.centre, y.centre)))
        half = 0.5 * (most - least) + rounding * (_abs(least) + _abs(most))
        box = Form(0.5 * (least + most), [0.0] * len(x.slopes), half)
        partials: Any = TABLE[name].partials
        ranges = [_range(lifted(slope_of(box, x, y), x)) for slope_of in partials]
        known: Any = _call("less", half, inf)
        for low, high in ranges:
            known = _and(known, _call("less", high - low, inf))
        found = by_partials([x, y], value, ranges, known, rounding)
        return _selected(known, found, Form(0.0, [0.0] * len(x.slopes), inf))

    return rule


def sine(name: str) -> Callable[[Any], Form]:
    """The rule of sin or cos: over a range of radius r the derivative stays within r of that at the centre."""

    def rule(x: Any) -> Form:
        slope_of: Any = TABLE[name].partials[0]  # type: ignore[index]
        value = _call(name, x.centre)
        slope, radius = slope_of(value, x.centre), x.radius
        least = _call("maximum", slope - radius, -1.0)
        most = _call("minimum", slope + radius, 1.0)
        return by_partials([x], value, [(least, most)], True)

    return rule


def power(x: Any, n: Any) -> Form:
    """x^n for an n that is known: a product if it is whole and small, else by the slopes at the ends, for x > 0; of a
    range that dips under zero the part is cut off that has no value, where n >= 1."""
    if isinstance(n, Form) and all(isinstance(part, float | np.ndarray) and not np.any(part) for part in n.parts()[1:]):
        n = n.centre  # which numpy has for each block
    if not isinstance(x, Form) or isinstance(n, Form):
        return Form(0.0, (), inf)
    exact = lifted(_call("power", x.centre, n), x)
    if isinstance(n, float | int) and float(n).is_integer() and 0 < n <= 16:
        found: Form | None = None
        square, left = x, int(n)
        while left:
            if left & 1:
                found = square if found is None else multiply(found, square)
            left >>= 1
            square = multiply(square, square) if left else square
        assert found is not None
        found = _rounded(found)
    else:
        low, high = _range(x)
        flat = _call("greater_equal", n, 1.0)  # the power has a slope at zero
        low = _where(flat, _call("maximum", low, 0.0), low)
        slopes = [n * _call("power", end, n - 1.0) for end in (low, high)]
        least, most = _call("minimum", *slopes), _call("maximum", *slopes)
        known = _and(_or(flat, _call("greater", low, 0.0)), _call("greater", high, 0.0))
        value = _call("power", _where(flat, _call("maximum", x.centre, 0.0), x.centre), n)
        least = _where(flat, _where(_call("greater", x.centre, 0.0), least, 0.0), least)
        found = by_partials([x], value, [(least, most)], known)
    exact = Form(exact.centre, exact.slopes, 4.0 * ROUNDING * _abs(exact.centre))
    return _selected(_exact(x.radius), exact, found)


def arctan2(y: Any, x: Any) -> Form:
    """The angle by the ranges of its partials, where the cut is surely not met."""
    y, x = _two(y, x)
    square = add(multiply(x, x), multiply(y, y))
    by_y, by_x = divide(x, square), negative(divide(y, square))
    away = _call("greater", square.centre, square.radius * (1.0 + ROUNDING))
    beside = _or(
        _call("greater", x.centre, x.radius * (1.0 + ROUNDING)),
        _call("greater", _abs(y.centre), y.radius * (1.0 + ROUNDING)),
    )
    value = _call("arctan2", y.centre, x.centre)
    ranges = [(part.centre - part.radius, part.centre + part.radius) for part in (by_y, by_x)]
    return by_partials([y, x], value, ranges, _and(away, beside), 8.0 * ROUNDING)
