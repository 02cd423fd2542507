"""Expressions of sympy as people write them: in text, as formulas of steps are written and derivations read, and in
LaTeX."""

import re
from collections.abc import Mapping
from typing import Any

import sympy
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from diffrt.explaining.wording import name_in_latex

LARGE = 12
"""A fraction whose denominator is larger, or one of tenths or fifths, is written as a decimal, if that is exact."""
_INVERSE = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2"}


def text_of(expression: Any, names: Mapping[Any, str]) -> str:
    """An expression in one line. names: of its symbols."""
    # Names are put in last, as they may hold any characters.
    placed, listed = _in_order(expression, names)
    told = _Text({"order": "lex"}).doprint(placed)
    told = told.replace("**", "^").replace("*", " * ").replace("/", " / ")
    return re.sub("\x02([0-9]+)\x03", lambda found: listed[int(found[1])], told)


def latex_of(expression: Any, names: Mapping[Any, str]) -> str:
    """An expression in LaTeX, for math mode. names: of its symbols, which become `name_in_latex`."""
    placed, listed = _in_order(expression, names)
    typeset = {sympy.Symbol(f"\x02{k:04}\x03", real=True): name_in_latex(name) for k, name in enumerate(listed)}
    settings = {"symbol_names": typeset, "mul_symbol": r"\, ", "ln_notation": True, "order": "lex",
                "inv_trig_style": "full"}  # fmt: skip
    return str(_Latex(settings).doprint(placed))


def _in_order(expression: Any, names: Mapping[Any, str]) -> tuple[Any, list[str]]:
    """The expression with a number for each symbol, in the order of their names, in which sums and products then come;
    and the names in that order."""
    used = sorted(expression.free_symbols, key=lambda symbol: names[symbol])
    places = {symbol: sympy.Symbol(f"\x02{k:04}\x03", real=True) for k, symbol in enumerate(used)}
    return _decimal(expression).xreplace(places), [names[symbol] for symbol in used]


def exact(value: float) -> Any:
    """A number as a fraction that is it: thirds and the like, multiples of pi, else its decimals."""
    if value != value or value in (float("inf"), float("-inf")):
        return sympy.nan if value != value else sympy.oo * (1 if value > 0.0 else -1)
    for unit, factor in ((1.0, sympy.Integer(1)), (float(sympy.pi), sympy.pi)):
        fraction = sympy.Rational(value / unit).limit_denominator(1000)
        if fraction and float(fraction * factor) == value:
            return fraction * factor
        shown = sympy.Rational(repr(value))
        if unit == 1.0 and shown.q <= 1000:
            return shown
    return sympy.Rational(repr(value))


def _decimal(expression: Any) -> Any:
    """The expression with decimals in place of fractions that nobody would write."""

    def unusual(r: Any) -> bool:
        tenths = 10 ** len(str(r.q)) * r % 1 == 0
        return bool(r.q > 1000 or ((r.q > LARGE or r.q % 5 == 0) and tenths) or abs(r.p) > 10**9)

    long = {r: sympy.Float(repr(float(r)), 17) for r in expression.atoms(sympy.Rational) if unusual(r)}
    return expression.xreplace(long) if long else expression


def _short(number: Any) -> str:
    return f"{float(number):.12g}"


class _Sums:
    """What is added comes before what is taken away: 1 - x^2."""

    def _as_ordered_terms(self, expression: Any, order: Any = None) -> list[Any]:
        terms = super()._as_ordered_terms(expression, order)  # type: ignore[misc]
        return sorted(terms, key=lambda term: bool(term.could_extract_minus_sign()))


class _Text(_Sums, StrPrinter):  # type: ignore[misc]
    def _print_exp(self, expression: Any) -> str:
        return f"e^{self.parenthesize(expression.args[0], 999)}"

    def _print_Pow(self, expression: Any, rational: bool = False) -> str:
        if expression.exp.is_Rational and expression.exp.is_negative:
            return f"1/{self.parenthesize(1 / expression, 50)}"
        return str(super()._print_Pow(expression, rational))

    def _print_Float(self, expression: Any) -> str:
        return _short(expression)

    def _print_Function(self, expression: Any) -> str:
        name = expression.func.__name__
        return f"{_INVERSE.get(name, name)}({self.stringify(expression.args, ', ')})"

    def _print_Abs(self, expression: Any) -> str:
        return f"abs({self._print(expression.args[0])})"


class _Latex(_Sums, LatexPrinter):  # type: ignore[misc]
    def _print_Float(self, expression: Any) -> str:
        mantissa, e, exponent = _short(expression).partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else mantissa
