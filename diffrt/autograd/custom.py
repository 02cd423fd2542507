"""Ops from outside: how a user adds a row to the op table.

    log_cosh = autograd.op(
        "log_cosh", lambda x: np.logaddexp(x, -x) - np.log(2.0), (lambda out, x: autograd.tanh(x),),
        code=lambda t, x: abs(x) + t.op("log1p", t.op("exp", -2.0 * abs(x))) - np.log(2.0),
    )

What comes back is called as exp is: on numbers, arrays and Vars, in kernels, under its name in the formulas of
derivations. A row is tried when it is added, so that a wrong rule is told of where it stands, not where it is used.
"""

import inspect
import sys
from collections.abc import Sequence
from string import Formatter
from typing import Any

import numpy as np

from .operations import Function, elementwise
from .variable import TABLE, Array, Rule, Var, as_value

_TAKEN = ("constant", "input", "carried", "result", "kernel", "choose")
"""Names of what programs and graphs are made of besides ops."""

_ORDINARY = (-30.0, -2.5, -0.7, -0.2, 0.2, 0.3, 0.6, 1.0, 1.4, 2.5, 30.0)
"""Numbers of which a rule has to know some."""

_STEPS = (1e-4, 1e-2, 1e-6)
"""Of differences, as shares of max(|x|, 1): the next one counts where a partial is not what one of them gives."""


def op(name: str, forward: Rule, partials: Sequence[Rule | float | None], **columns: Any) -> Function:
    """Add an elementwise op, and get the function that runs it.

    name: of an identifier, not that of another op. forward: from arrays that broadcast to an array, entry by entry.
    partials: for each input a function (out, *inputs) -> local derivative, composed of the functions of
    `diffrt.autograd`, so that it can be differentiated again and compiled; 1.0, -1.0, or None for no derivative. If all
    are None, results are plain values. columns: more of the row, such as `code` for kernels (without it numpy runs
    them), `scalar`, `kinks`, `form`, `latex`, and for formulas `symbolic`, `spelled` and `textbook` (without them an op
    is written name(inputs), and its derivative in the words of its partials); see `Op`. A result of booleans is seen
    from `forward`.

    Raises ValueError, a line, for a name that is taken, a wrong number of partials, or rules that give another shape,
    no number for any ordinary one, or what cannot be differentiated again; for partials that are not the slopes of
    `forward`, and for a `spelled` or a `textbook` that is not the same as `forward` and the partials. The first kernel
    that is compiled with the op raises it for `code` that computes another function than `forward`.
    """
    _check_name(name)
    if callable(partials) or not callable(forward):
        raise ValueError(f"op {name}: forward is a function, and partials are a tuple with one for each input")
    partials = [_partial(name, p) for p in partials]
    given = _trial(len(partials))
    places = () if columns.get("takes_booleans") else _places(len(partials))  # what is for booleans is not for these
    with np.errstate(all="ignore"):
        value = _forward_value(name, forward, given)
        for what, rule, kind in (("forward", forward, np.float64), ("scalar", columns.get("scalar"), float)):
            if rule:
                _check_entries(f"op {name}: {what}", rule, kind, given, value)
        for i, partial in enumerate(partials):
            if callable(partial):
                _check_partial(f"op {name}: partial {i + 1}", partial, value, given)
            if places and partial is not None:
                _check_slope(f"op {name}: partial {i + 1}", forward, partial, places, i)
        _check_symbols(name, partials, columns, value, given)
    for column in ("form", "latex"):
        _check_form(f"op {name}: {column}", columns.get(column, ""), len(partials))
    columns = {"boolean": value.dtype == bool, "scalar": lambda *x: np.asarray(forward(*x)).item(), **columns}
    columns["trial"] = places
    partials = [_on_floats(p) if callable(p) else p for p in partials]
    return elementwise(name, forward, partials, module=sys._getframe(1).f_globals.get("__name__", ""), **columns)


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
        raise ValueError(f"op {name!r}: a name is made of letters, digits and _, and begins with no digit")
    if name in TABLE or name in _TAKEN or hasattr(sys.modules[__package__ or ""], name):
        raise ValueError(f"op {name}: the name is taken; choose another one")


def _partial(name: str, given: Any) -> Rule | float | None:
    if given is None or callable(given):
        return given  # type: ignore[no-any-return]
    if isinstance(given, int | float) and abs(given) == 1.0:
        return float(given)
    raise ValueError(f"op {name}: a partial is a function (out, *inputs), 1.0, -1.0 or None, given {given!r:.60}")


def _on_floats(partial: Rule) -> Rule:
    """The same partial, with inf and nan of IEEE arithmetic where Python's floats raise."""

    def rule(*given: Any) -> Any:
        try:
            return partial(*given)
        except ArithmeticError:
            return partial(*(np.float64(x) if type(x) is float else x for x in given))

    return rule


def _trial(count: int) -> list[Any]:
    """Arrays of ordinary numbers that broadcast with each other, one for each input; nobody may write to them."""
    shapes = [(4, 5)] if count == 1 else [((7, 1), (5,), (2, 1, 1))[i % 3] for i in range(count)]
    rng = np.random.default_rng(0)
    arrays = [rng.choice(_ORDINARY, shape) for shape in shapes]
    for array in arrays:
        array.flags.writeable = False
    return arrays


def _places(count: int) -> tuple[Array, ...]:
    """Numbers like those for each input, (60,), but none at which anybody would put a kink or a jump."""
    rng = np.random.default_rng(1)
    return tuple([rng.choice(_ORDINARY, 60) * rng.uniform(0.8, 1.25, 60) for _ in range(count)])


def _forward_value(name: str, forward: Rule, given: list[Any]) -> Any:
    count = len(given)
    number = f"op {name}: {count} partial{'s' * (count != 1)} for a forward rule that takes another number of inputs"
    if not count or (isinstance(forward, np.ufunc) and forward.nin != count):
        raise ValueError(number)
    try:
        inspect.signature(forward).bind(*given)
    except TypeError:
        raise ValueError(number) from None
    except ValueError:  # it has no signature that could be asked
        pass
    value = _run(f"op {name}: forward", forward, given)
    if value.dtype.kind not in "fb":
        raise ValueError(f"op {name}: forward gives {value.dtype}; floats are needed, or booleans")
    _check_value(f"op {name}: forward", value, np.broadcast_shapes(*(x.shape for x in given)))
    return value


def _check_entries(what: str, rule: Rule, kind: type, given: list[Any], value: Any) -> None:
    """A rule on one number of each array has to give the entry of the result on arrays."""
    for expected, *entries in np.broadcast(value, *given):
        try:
            found = np.asarray(rule(*map(kind, entries)))
        except (ArithmeticError, ValueError):  # as math has it where there is no number
            continue
        if found.shape or not np.isclose(found, expected, rtol=1e-9, atol=1e-300, equal_nan=True):
            raise ValueError(f"{what} gives {found} for {_numbers(entries)} alone, but {expected} in an array; "
                             "an op is computed entry by entry")  # fmt: skip


def _check_partial(what: str, partial: Rule, value: Any, given: list[Any]) -> None:
    found = _run(what, partial, [value, *given])
    try:
        np.broadcast_to(found, value.shape)
    except ValueError:
        raise ValueError(f"{what} gives the shape {found.shape} where the result has {value.shape}") from None
    _check_value(what, found, found.shape)
    try:
        as_value(partial(Var(as_value(value)), *map(Var, given)))
    except Exception as fault:
        raise ValueError(f"{what} cannot be differentiated again, it must be composed of functions of "
                         f"diffrt.autograd: {_line(fault)}") from None  # fmt: skip


def _check_slope(what: str, forward: Rule, partial: Rule | float, places: Sequence[Array], i: int) -> None:
    """A partial has to be the slope of `forward` by input i, except near jumps and kinks, at a tenth of the places.

    With central differences d(h) = (f(x + h) - f(x - h)) / 2h the slope is (4 d(h / 2) - d(h)) / 3. Near a kink, and
    where digits are lost, the two differ: a third of that is the error.
    """

    def difference(h: Array) -> Any:
        ends = [[*places[:i], places[i] + s, *places[i + 1 :]] for s in (h, -h)]
        above, below = (np.asarray(_run(what, forward, end), float) for end in ends)
        return (above - below) / (ends[0][i] - ends[1][i])

    value = np.asarray(forward(*places))
    told = np.broadcast_to(_run(what, partial, [value, *places]) if callable(partial) else partial, value.shape)
    wrong = known = np.isfinite(value) & np.isfinite(told)
    for step in _STEPS:
        h = step * np.maximum(np.abs(places[i]), 1.0)
        wide, narrow = difference(h), difference(0.5 * h)
        slope = (4.0 * narrow - wide) / 3.0
        unsure = 4.0 * np.abs(narrow - wide) + 10.0 * np.spacing(np.abs(1.0 * value)) / h
        wrong = wrong & (np.abs(slope - told) > unsure + 1e-4 * np.abs(told) + 1e-8)
        if wrong.sum() <= 0.1 * known.sum():
            return
    raise ValueError(f"{what} gives {told[wrong][0]:.6g} for {_numbers([x[wrong][0] for x in places])}, "
                     f"where the slope of forward is {slope[wrong][0]:.6g}")  # fmt: skip


def _check_symbols(name: str, partials: Sequence[Any], columns: dict[str, Any], value: Any, given: list[Any]) -> None:
    """What formulas are read from has to be the same as what computes, in half of the places at least: it may have no
    number where the other takes a detour."""
    textbook = columns.get("textbook", ())
    if textbook and len(textbook) != len(partials):
        raise ValueError(f"op {name}: textbook has {len(textbook)} partials where there are {len(partials)} inputs")
    pairs = [(f"op {name}: textbook {i + 1}", p, (value, *given), partials[i]) for i, p in enumerate(textbook)]
    if columns.get("spelled"):
        pairs.append((f"op {name}: spelled", columns["spelled"], tuple(given), lambda *_: value))
    for what, rule, inputs, expected in pairs:
        told, right = (
            np.broadcast_to(np.asarray(_run(what, r, list(inputs)) if callable(r) else r or 0.0, float), value.shape)
            for r in (rule, expected)
        )
        same = np.isclose(told, right, rtol=1e-6, atol=1e-9, equal_nan=True)
        if same.mean() < 0.5:
            raise ValueError(
                f"{what} gives {told[~same][0]} where it must give {right[~same][0]}, as the op itself has it"
            )


def _check_value(what: str, value: Any, shape: tuple[int, ...]) -> None:
    if value.shape != shape:
        raise ValueError(f"{what} gives the shape {value.shape} for inputs that broadcast to {shape}; it must be that")
    if value.dtype.kind not in "fbiu" or not np.isfinite(value).any():
        raise ValueError(f"{what} gives no finite number for any of {_numbers(_ORDINARY)}")


def _check_form(what: str, form: str, count: int) -> None:
    try:
        places = [field for _, field, _, _ in Formatter().parse(form) if field is not None]
    except ValueError:
        places = ["?"]
    if form and places != [""] * count:
        raise ValueError(f"{what} {form!r:.60} has to have one {{}} for each of {count} inputs")


def _run(what: str, rule: Rule, given: list[Any]) -> Any:
    """What a rule gives, as an array."""
    try:
        return np.asarray(rule(*given))
    except Exception as fault:
        shapes = " and ".join(str(np.shape(x)) for x in given)
        raise ValueError(f"{what} fails on shapes {shapes}: {_line(fault)}") from None


def _numbers(values: Sequence[Any]) -> str:
    return ", ".join(f"{x:g}" for x in values)


def _line(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}".splitlines()[0][:160]
