"""The cases of a derivative in symbols: for each side of where the computation branches an expression of sympy, written
in the words of the named steps, in which these are plugged in one after another, the last one first.
"""

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from diffrt.explaining.computation import Computation
from diffrt.explaining.graph import Node
from diffrt.explaining.symbolic import Case, Step
from diffrt.explaining.symbols import NoFormula, Symbol, evaluate, needed, run
from diffrt.explaining.wording import name_in_latex

WHOLE = 60
"""Ops of a part that has no name, before it gets one."""
PLUGGED = 300
"""Ops of a formula into which no more is plugged in."""
FACTORED, SIMPLIFIED = 60, 14
"""Ops of a formula that sympy may try to factor, and to simplify in all its ways, which takes it seconds for more."""
NAMES = 24
"""Quantities with a formula of their own, below the formula."""
OPS = 1000
"""A derivative that is made of more is not written."""
CASES = 8
"""Of more, only the one at the point is told."""
POINTS = 6
"""At so many a formula is compared with the gradient, or at as many as there are."""
DIGITS = 30
_SHORTER = "ask for the derivative of a step by a step near it"


Point = tuple[Mapping[int, float], float]
"""Numbers for what is given, by the numbers of their symbols, and the gradient there."""


class _Undecided(Exception):
    """A comparison comes up of which nothing is known yet."""

    def __init__(self, key: tuple[int, int], symbol: Symbol, turned: int) -> None:
        super().__init__(key)
        self.key, self.symbol, self.turned = key, symbol, turned


class Cases:
    """The cases of one derivative."""

    def __init__(self, computation: Computation, target: Symbol, node: Node, place: int, keep: Collection[str]) -> None:
        self.computation, self.target, self.node, self.place, self.keep = computation, target, node, place, keep
        record = computation.record
        self.assumed: dict[tuple[int, int], int] = {}
        self.asked: dict[int, tuple[Symbol, bool]] = {s.number: (s, truth) for s, truth in record.assumed}
        for symbol, truth in self.asked.values():
            if symbol.op is not None and symbol.op.name in _SIGNS and len(symbol.operands) == 2:
                key, turned = _key(symbol)
                signs = [s for s in (-1, 1) if _SIGNS[symbol.op.name](s * turned) is truth]
                if len(signs) == 1:
                    self.assumed[key] = signs[0]

    def found(self) -> tuple[list[Case], list[str]]:
        """The cases, that at the point first, and what is to be said of them."""
        if (ops := sum(symbol.op is not None for symbol in needed([self.target]))) > OPS:
            raise NoFormula(f"it is too long for a formula: it is made of {ops:,} operations on numbers; {_SHORTER}")
        written: list[_Writer] = []
        pending: list[dict[tuple[int, int], int]] = [self.assumed]
        notes: list[str] = []
        while pending:
            if len(pending) + len(written) > CASES:
                notes.append(f"There are more than {CASES} cases; this is the one at the point of the computation.")
                written = [self._here()]
                break
            signs = pending.pop()
            writer = _Writer(self, signs)
            try:
                writer.write()
            except _Undecided as branch:
                here = _sign(branch.symbol.operands, branch.turned)
                pending += [{**signs, branch.key: here or 1}, {**signs, branch.key: -(here or 1)}][::-1]
                continue
            written.append(writer)
        met: list[list[Point]] = [[] for _ in written]
        finite = False
        for point in self.computation.points(self.node, self.place):
            finite = True
            for writer, mine in zip(written, met, strict=True):
                if len(mine) < POINTS and writer.holds(point[0]):
                    mine.append(point)
            if all(len(mine) == POINTS for mine in met):
                break
        if not finite:
            raise NoFormula("the gradient is not finite here, nor around here, so no formula can be compared with it")
        found = [writer.found(mine) for writer, mine in zip(written, met, strict=True) if mine]
        if not found:
            raise NoFormula("the computation is on a border between two branches here, and no point around it is not")
        if len(found) < len(written):
            notes.append("Other combinations of the conditions were met at no point that was tried.")
        found = _merged(found)
        notes += dict.fromkeys(kink for one in found for kink in one.writer.kinks if len(found) > 1)
        return [one.case for one in found], notes

    def _here(self) -> "_Writer":
        signs = dict(self.assumed)
        while True:
            writer = _Writer(self, signs)
            try:
                writer.write()
            except _Undecided as branch:
                signs[branch.key] = _sign(branch.symbol.operands, branch.turned) or 1
                continue
            return writer


@dataclass(frozen=True)
class _Found:
    """A case that was confirmed, with its points, and its conditions by what is compared in them."""

    writer: "_Writer"
    points: list[Point]
    case: Case
    conditions: Mapping[tuple[int, int], tuple[str, str]]

    @property
    def signs(self) -> dict[tuple[int, int], int]:
        """Of the differences that are compared."""
        return {key: self.writer.signs[key] for key in self.conditions}

    def is_right_for(self, other: "_Found") -> bool:
        """Whether its formula is the gradient in another case too."""
        return not self.case.where and self.writer.agrees(self.writer.best, other.points)


def _merged(found: list[_Found]) -> list[_Found]:
    """Two cases become one that differ in one condition, and in which one formula is right."""
    for (i, one), (j, other) in itertools.permutations(enumerate(found), 2):
        different = [key for key, sign in one.signs.items() if sign != other.signs.get(key)]
        if one.conditions.keys() != other.conditions.keys() or len(different) != 1:
            continue
        shorter, longer = sorted((one, other), key=lambda each: len(each.case.text))
        if shorter.is_right_for(longer):
            kept = {key: told for key, told in one.conditions.items() if key != different[0]}
            case = replace(shorter.case, conditions=tuple(kept.values()), holds=_either(shorter.case, longer.case))
            both = _Found(shorter.writer, shorter.points + longer.points, case, kept)
            rest, place = [each for each in found if each not in (one, other)], min(i, j)
            return _merged([*rest[:place], both, *rest[place:]])
    return found


def _either(one: Case, other: Case) -> Callable[[Mapping[str, float]], bool]:
    return lambda values: one.holds(values) or other.holds(values)


_SIGNS: Mapping[str, Callable[[int], bool]] = {
    "less": lambda s: s < 0, "less_equal": lambda s: s <= 0, "greater": lambda s: s > 0,
    "greater_equal": lambda s: s >= 0, "equal": lambda s: s == 0, "not_equal": lambda s: s != 0,
}  # fmt: skip
"""The truth of a comparison of a and b, from the sign of a - b."""

_FORMS = {"less": ("<", "<"), "less_equal": ("<=", r"\le"), "greater": (">", ">"), "greater_equal": (">=", r"\ge")}
_OPPOSITE = {"less": "greater_equal", "less_equal": "greater", "greater": "less_equal", "greater_equal": "less"}


def _key(comparison: Symbol) -> tuple[tuple[int, int], int]:
    """What is compared, and 1, or -1 if the other way round."""
    a, b = (x.number for x in comparison.operands)
    return ((a, b), 1) if a < b else ((b, a), -1)


def _sign(pair: Sequence[Symbol], turned: int) -> int:
    a, b = (float(x.value) for x in pair)
    return turned * ((a > b) - (a < b))


class _Writer:
    """One case as expressions of sympy. signs: of the differences that are compared."""

    def __init__(self, cases: Cases, signs: Mapping[tuple[int, int], int]) -> None:
        import sympy

        from diffrt.explaining import notation

        self.sympy, self.notation, self.cases, self.signs = sympy, notation, cases, signs
        self.computation = cases.computation
        self.record, self.own = cases.computation.record, cases.computation.own
        self.atoms: dict[int, Any] = {}
        self.names: dict[Any, str] = {}
        self.cut: dict[int, str] = dict(self.computation.quantities)
        self.used: dict[tuple[int, int], list[Symbol]] = {}
        self.kinks: dict[str, None] = {}
        self._memo: dict[int, tuple[Any, int]] = {}
        self._simple: dict[Any, list[Any]] = {}
        self._parts = 0

    # From symbols to expressions.
    def definition(self, symbol: Symbol) -> Any:
        """What a symbol was computed by, in the names of what has one."""
        known = self._memo.pop(symbol.number, None)
        cut = self.cut.pop(symbol.number, None)
        found = self._expression(symbol)[0]
        self._memo.pop(symbol.number, None)
        if known is not None:
            self._memo[symbol.number] = known
        if cut is not None:
            self.cut[symbol.number] = cut
        return found

    def atom(self, symbol: Symbol, name: str) -> Any:
        """The sympy symbol of one of ours."""
        if symbol.number not in self.atoms:
            made = self.sympy.Symbol(f"s{symbol.number}", real=True)
            self.atoms[symbol.number], self.names[made] = made, name
        return self.atoms[symbol.number]

    def _expression(self, target: Symbol) -> tuple[Any, int]:
        """An expression, or True or False, and the number of ops in it."""
        pending = [target]
        while pending:
            symbol = pending[-1]
            missing = [] if symbol.number in self._memo else self._missing(symbol)
            if missing:
                pending += missing
                continue
            pending.pop()
            if symbol.number in self._memo:
                continue
            made, size = self._made(symbol)
            # A part that would be told again wherever it is used gets a name.
            if size > WHOLE and symbol is not target and not symbol.boolean and symbol.op is not None:
                self._parts += 1
                self.cut[symbol.number] = f"t{self._parts}"
                made, size = self.atom(symbol, self.cut[symbol.number]), 1
            self._memo[symbol.number] = made, size
        return self._memo[target.number]

    def _missing(self, symbol: Symbol) -> list[Symbol]:
        """What must be written before it; of a choice only what is chosen."""
        if symbol.op is None or symbol.number in self.cut:
            return []
        name = symbol.op.name
        if name == "where":
            truth = self._memo.get(symbol.operands[0].number)
            wanted = [symbol.operands[0]] if truth is None else [symbol.operands[1 if truth[0] else 2]]
        elif symbol.op.spelled is not None:
            wanted = [self._spelled(symbol)]
        elif name in _SIGNS and _key(symbol)[0] in self.signs:
            return []
        elif name in ("multiply", "chain"):
            first = self._memo.get(symbol.operands[0].number)
            # What a side that was not taken would have multiplied it by is not asked for.
            wanted = [] if first is not None and first[0] == 0 else list(symbol.operands[: 1 + (first is not None)])
        else:
            wanted = list(symbol.operands)
        return [x for x in wanted if x.number not in self._memo]

    def _spelled(self, symbol: Symbol) -> Symbol:
        assert symbol.op is not None and symbol.op.spelled is not None
        op = symbol.op
        if op.kinks:
            letters = ", ".join("xyz"[: len(symbol.operands)])
            self.kinks[f"{op.symbol or op.name}({letters}) is not smooth at {op.kinks}."] = None
        return self.record.of(symbol.op.spelled(*symbol.operands))

    def _made(self, symbol: Symbol) -> tuple[Any, int]:
        if symbol.number in self.cut:
            return self.atom(symbol, self.cut[symbol.number]), 1
        if symbol.op is None:
            if symbol.name:
                return self.atom(symbol, symbol.name), 1
            return (symbol.value if symbol.boolean else self.notation.exact(symbol.value)), 1
        op, memo = symbol.op, self._memo
        if op.name == "where":
            return memo[symbol.operands[1 if memo[symbol.operands[0].number][0] else 2].number]
        if op.spelled is not None:
            return memo[self._spelled(symbol).number]
        if op.name in _SIGNS:
            return self._truth(symbol), 1
        if op.name in ("multiply", "chain") and memo[symbol.operands[0].number][0] == 0:
            return memo[symbol.operands[0].number]
        parts = [memo[x.number][0] for x in symbol.operands]
        if op.name == "logical_not":
            return not parts[0], 1
        if op.name in ("logical_and", "logical_or"):
            return (all if op.name == "logical_and" else any)(parts), 1
        size = 1 + sum(memo[x.number][1] for x in symbol.operands)
        if op.symbolic is None:
            return self.sympy.Function(op.name)(*parts), size
        return op.symbolic(self.sympy, *parts), size

    def _truth(self, symbol: Symbol) -> bool:
        assert symbol.op is not None
        rule, (key, turned) = _SIGNS[symbol.op.name], _key(symbol)
        if key not in self.signs:
            difference = self._memo[symbol.operands[0].number][0] - self._memo[symbol.operands[1].number][0]
            for sign, known in ((1, difference.is_positive), (-1, difference.is_negative), (0, difference.is_zero)):
                if known:
                    return rule(sign)
            if symbol.op.name in ("equal", "not_equal"):
                return rule(1)
            raise _Undecided(key, symbol, turned)
        self.used.setdefault(key, []).append(symbol)
        return rule(self.signs[key] * turned)

    # The derivation.
    def write(self, neat: bool = True) -> None:
        """From the chain rule to the formula.

        neat: whether it is simplified in the words of the named steps before these are plugged in, as a person would.
        Raises _Undecided, and NoFormula for what is too long.
        """
        whole = self.definition(self.cases.target)
        self.lines: list[tuple[Symbol | None, Any, Any]] = [(None, "by the chain rule", whole)]
        kept: set[int] = {n for n in self.cut if self._is_kept(n)}
        for forward in (False, True):  # first the derivatives of the output by steps, then the steps
            while numbers := {n for n in self._numbers(whole) if n in self.cut and (forward or n >= self.own)} - kept:
                n = max(numbers)
                symbol = self.record.symbols[n]
                made = self.definition(symbol)
                longer = whole.xreplace({self.atoms[n]: made})
                if longer.count_ops() > PLUGGED:
                    kept.add(n)
                    continue
                whole = longer
                self.lines.append((symbol, made, whole))
            if neat and not forward and (simple := self._shortest(whole)) != whole:
                whole = simple
                self.lines.append((None, "simplified", whole))
        self.result = whole
        self.where = self._told_below(whole)

    def _is_kept(self, number: int) -> bool:
        keep = self.cases.keep
        return self.cut[number] in keep or self.computation.steps.get(number) in keep

    def _told_below(self, whole: Any) -> list[tuple[int, Any]]:
        """What an expression names, with its definitions, the last one first."""
        found: dict[int, Any] = {}
        pending = [whole]
        while pending:
            for n in self._numbers(pending.pop()):
                if n in self.cut and n not in found and not self._is_kept(n):
                    found[n] = self.definition(self.record.symbols[n])
                    pending.append(found[n])
            if len(found) > NAMES:
                raise NoFormula(f"it is too long for a formula: more than {NAMES} quantities would have to be named in "
                                f"it; {_SHORTER}")  # fmt: skip
        return sorted(found.items(), reverse=True)

    def _shortest(self, expression: Any) -> Any:
        return min(self._simpler(expression), key=lambda e: len(self._text(e)))

    def _text(self, expression: Any) -> str:
        return self.notation.text_of(expression, self.names)

    def _both(self, expression: Any) -> tuple[str, str]:
        """An expression in text and in LaTeX."""
        return self._text(expression), self.notation.latex_of(expression, self.names)

    def _numbers(self, expression: Any) -> set[int]:
        return {int(str(s)[1:]) for s in getattr(expression, "free_symbols", ())}

    def holds(self, values: Mapping[int, float]) -> bool:
        """Whether this is the case at a point."""
        pairs = {key: (self.record.symbols[key[0]], self.record.symbols[key[1]]) for key in self.used}
        asked = [s for s, _ in self.cases.asked.values()]
        found, _ = evaluate([*asked, *(s for pair in pairs.values() for s in pair)], values)
        for key, (a, b) in pairs.items():
            difference = (found[a.number] > found[b.number]) - (found[a.number] < found[b.number])
            if difference != self.signs[key]:
                return False
        return all(found[s.number] is truth for s, truth in self.cases.asked.values())

    def found(self, points: list[Point]) -> _Found:
        """The case, confirmed at points. Raises NoFormula where it does not agree with the gradient."""
        for neat in (True, False):
            if not neat:
                self.write(neat)
            by_length = sorted(self._simpler(self.result), key=lambda e: len(self._text(e)))
            best = next((e for e in by_length if self.agrees(e, points)), None)
            if best is not None:
                break
        else:
            raise NoFormula("the formula does not agree with the gradient in numbers, so it is not told")
        steps = []
        for symbol, made, whole in self.lines:
            told = made, rf"\text{{{made}}}"
            if symbol is not None:
                name, (text, latex) = self.cut[symbol.number], self._both(made)
                told = f"{name} = {text}", f"{name_in_latex(name)} = {latex}"
            steps.append(Step(*told, *self._both(whole)))
        if self._text(best) != steps[-1].text:
            steps.append(Step("simplified", r"\text{simplified}", *self._both(best)))
        where = tuple(((self.cut[n], name_in_latex(self.cut[n])), self._both(made)) for n, made in self.where)
        compute = self._compiled(best)
        by_name = {s.name: s.number for s in self.record.symbols if s.name}
        self.best = best

        def numbers(values: Mapping[str, float]) -> dict[int, float]:
            if unknown := [name for name in values if name not in by_name]:
                raise ValueError(f"no number is called {unknown[0]!r} here; there are {', '.join(by_name)}")
            return {by_name[name]: float(value) for name, value in values.items()}

        conditions = self._conditions()
        case = Case(
            tuple(conditions), *self._both(best), tuple(steps), where, len(points),
            lambda values: compute(numbers(values)),
            lambda values: self.holds(numbers(values)),
        )  # fmt: skip
        return _Found(self, points, case, dict(zip(self.used, conditions, strict=False)))

    def _conditions(self) -> list[tuple[str, str]]:
        """In words of what is given where that is short, else of the named steps. A border belongs to one side if only
        the program itself asks."""
        listed = []
        comparisons = {key: (asked[0], all(s.number < self.computation.own for s in asked))
                       for key, asked in self.used.items()}  # fmt: skip
        for symbol, _ in self.cases.asked.values():
            if symbol.op is not None and symbol.op.name in _FORMS:
                comparisons.setdefault(_key(symbol)[0], (symbol, True))
        for key, (symbol, loose) in comparisons.items():
            sign = self.signs[key] * _key(symbol)[1]
            name = symbol.op.name if symbol.op is not None else ""
            if name not in _FORMS or not loose:
                name = "greater" if sign > 0 else "less"
            elif not _SIGNS[name](sign):
                name = _OPPOSITE[name]
            sides = (
                self.definition(x) if x.number not in self.cut else self._expression(x)[0] for x in symbol.operands
            )
            (a, a_latex), (b, b_latex) = map(self._both, sides)
            form, typeset = _FORMS[name]
            listed.append((f"{a} {form} {b}", f"{a_latex} {typeset} {b_latex}"))
        return listed

    def _simpler(self, plain: Any) -> list[Any]:
        """The same in other forms."""
        if plain in self._simple:
            return self._simple[plain]
        sp = self.sympy
        functions = sorted((f for f in plain.atoms(sp.Function) if not isinstance(f, sp.exp)), key=str)
        tries: list[Callable[[Any], Any]] = [sp.factor_terms, sp.powsimp]
        if plain.count_ops() <= FACTORED:
            tries.append(sp.factor)
        if plain.count_ops() <= SIMPLIFIED:
            tries.append(sp.simplify)
        if plain.count_ops() <= PLUGGED / 2 and functions:
            tries.append(lambda e: sp.factor_terms(sp.collect(sp.expand_mul(e), functions, sp.factor)))
        found = [plain]
        for simpler in tries:
            try:
                found.append(simpler(plain))
            except Exception:  # sympy knows no way; the formula stays as it is
                continue
        self._simple[plain] = list(dict.fromkeys(found))
        return self._simple[plain]

    def _compiled(self, expression: Any) -> Callable[[Mapping[int, float]], float]:
        """From values of what is given, by number, to the value of an expression, with 30 digits on the way."""
        import mpmath

        record, sp = self.record, self.sympy
        own = {s.op.name: s.op for s in record.symbols if s.op is not None and s.op.symbolic is None}
        functions = {name: lambda *x, op=op: mpmath.mpf(run(op, [float(v) for v in x])) for name, op in own.items()}

        def function_of(e: Any) -> tuple[list[int], Any]:
            numbers = sorted(self._numbers(e))
            return numbers, sp.lambdify([self.atoms[n] for n in numbers], e, [functions, "mpmath"])

        definitions = [(n, *function_of(made)) for n, made in self.where[::-1]]
        numbers, function = function_of(expression)
        inner = {n for n, _, _ in definitions}
        outer = {n for _, those, _ in [(0, numbers, None), *definitions] for n in those} - inner
        symbols = [record.symbols[n] for n in sorted(outer)]

        def compute(values: Mapping[int, float]) -> float:
            with mpmath.workdps(DIGITS):
                env = {n: mpmath.mpf(v) for n, v in evaluate(symbols, values)[0].items() if n in outer}
                for n, those, made in definitions:
                    env[n] = made(*(env[k] for k in those))
                found = function(*(env[n] for n in numbers))
                return float(found) if not isinstance(found, mpmath.mpc) else float("nan")

        return compute

    def agrees(self, expression: Any, points: Sequence[Point]) -> bool:
        compute, target = self._compiled(expression), self.cases.target
        for values, slope in points:
            _, sizes = evaluate([target], values)
            try:
                found = compute(values)
            except (ArithmeticError, ValueError, TypeError):
                return False
            if not abs(found - slope) <= 1e-8 * abs(slope) + 1e-12 * sizes[target.number]:
                return False
        return True
