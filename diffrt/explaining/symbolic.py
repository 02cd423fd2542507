"""What a derivative in symbols is: cases, each a formula with its condition and the steps that lead to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from diffrt.errors import printable
from diffrt.explaining.wording import name_in_latex


@dataclass(frozen=True)
class Step:
    """One line of a derivation. told: what was done, in words or as the formula that was plugged in; the result is in
    text and in LaTeX."""

    told: str
    told_latex: str
    text: str
    latex: str


@dataclass(frozen=True)
class Case:
    """A formula, and where it holds. conditions: all hold, in text and in LaTeX; none for everywhere. steps: from the
    chain rule to the formula. where: the quantities that it still names, with their formulas, as pairs of text and of
    LaTeX. compared: at how many points it was found to be the gradient."""

    conditions: tuple[tuple[str, str], ...]
    text: str
    latex: str
    steps: tuple[Step, ...]
    where: tuple[tuple[tuple[str, str], tuple[str, str]], ...]
    compared: int
    compute: Callable[[Mapping[str, float]], float] = field(repr=False, compare=False)
    holds: Callable[[Mapping[str, float]], bool] = field(repr=False, compare=False)


@dataclass(frozen=True, repr=False)
class Formula:
    """A derivative in symbols. name: dL/dx1. value: at the point of the computation. cases: the one that holds at that
    point first. notes: what else is to be said. Printing it gives text; a notebook shows it typeset."""

    name: str
    value: float
    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Only the formula, without its name, in one line."""
        if len(self.cases) == 1 and not self.cases[0].conditions:
            return self.cases[0].text
        return "; ".join(f"{case.text} where {_both(case)}" for case in self.cases)

    def __str__(self) -> str:
        lines = []
        for case in self.cases:
            condition = f"  where {_both(case)}" if case.conditions else ""
            lines.append(f"{self.name} = {case.text}{condition}")
            lines += [f"  with {name[0]} = {made[0]}" for name, made in case.where]
        return "\n".join(map(printable, [*lines, *self.notes]))

    def __repr__(self) -> str:
        return f"<Formula {printable(self.name)} = {printable(self.text)}>"

    @property
    def derivation(self) -> str:
        """From the chain rule to the formula, a line for each quantity that is plugged in."""
        lines = []
        for case in self.cases:
            if case.conditions:
                lines.append(f"where {_both(case)}")
            for step in case.steps:
                lines += [f"  {step.told}", f"    {self.name} = {step.text}"]
            lines += [f"  with {name[0]} = {made[0]}" for name, made in case.where]
        return "\n".join(map(printable, [*lines, *self.notes]))

    def latex(self) -> str:
        """The formula in LaTeX, for math mode; needs amsmath."""
        name = name_in_latex(self.name)
        if len(self.cases) == 1 and not self.cases[0].conditions:
            return f"{name} = {self.cases[0].latex}"
        rows = [rf"{case.latex} & \text{{where }} {_both_latex(case)}" for case in self.cases]
        joined = r" \\ ".join(rows)
        return rf"{name} = \begin{{cases}} {joined} \end{{cases}}"

    def derivation_latex(self) -> str:
        """The derivation in LaTeX, as rows for align*; needs amsmath."""
        rows = []
        for case in self.cases:
            if case.conditions:
                rows.append(rf"&\text{{where }} {_both_latex(case)}")
            rows += [rf"{name_in_latex(self.name)} &= {s.latex} && {s.told_latex}" for s in case.steps]
        return " \\\\\n".join(rows)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def at(self, values: Mapping[str, float]) -> float:
        """The formula as a number. values: of the numbers that are given, entries as x[0] or ball.center.x; those that
        are left out are as in the computation. Raises ValueError where no case holds, such as on a border."""
        for case in self.cases:
            if case.holds(values):
                return case.compute(values)
        raise ValueError(f"{self.name}: no case of the formula holds at this point")


def _both(case: Case) -> str:
    return " and ".join(text for text, _ in case.conditions)


def _both_latex(case: Case) -> str:
    return ",\\ ".join(latex for _, latex in case.conditions)
