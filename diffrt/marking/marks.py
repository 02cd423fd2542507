"""Marks: what is said of each claim of a derivation."""

from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from diffrt.errors import printable
from diffrt.explaining.wording import tidy, told_apart
from diffrt.marking.claims import Claim
from diffrt.marking.factors import Diagnosis

_WIDTH = len("cannot be read ")


@dataclass
class Line:
    """The mark of one claim.

    verdict: "right", "wrong", "cannot tell" or "cannot be read". detail: more words, such as "subgradient" or why it
    cannot be read. diagnoses: what is wrong, the likeliest first. point, yours, right: where the difference is largest.
    effect: by how much swapping it in alone changes the gradient of the output there, relative to it; share: of the sum
    of the effects of all wrong partials. reading: another reading of the definitions for which it is right.
    """

    claim: Claim
    verdict: str
    detail: str = ""
    diagnoses: list[Diagnosis] = field(default_factory=list)
    point: dict[str, Any] = field(default_factory=dict)
    yours: Any = None
    right: Any = None
    effect: float | None = None
    share: float | None = None
    reading: str = ""

    def __str__(self) -> str:
        lines = [f"{self.verdict:<{_WIDTH}}{self.claim.text}" + (f"   ({self.detail})" if self.detail else "")]
        if self.verdict == "wrong":
            at = ", ".join(f"{n} = {tidy(v)}" for n, v in list(self.point.items())[:4])
            ratio = ""
            yours, right = tidy(self.yours, 6), tidy(self.right, 6)
            if np.ndim(self.yours) == 0 and np.ndim(self.right) == 0:
                yours, right = told_apart(self.yours, self.right)
                if self.right and np.isfinite(self.yours / self.right):
                    ratio = f", ratio {told_apart(self.yours / self.right, 1.0)[0]}"
            lines.append(f"yours {yours}, right {right}{ratio}, at {at}")
            lines += [d.text for d in self.diagnoses]
            if not self.diagnoses:
                lines.append("no simple reason was found")
            if self.effect is not None and np.isfinite(self.effect):
                share = ""
                if self.share is not None and np.isfinite(self.share):
                    share = f", {self.share:.0%} of the errors of all wrong partials"
                lines.append(f"with it the gradient is off by {tidy(100.0 * self.effect, 3)} %{share}")
        if self.reading:
            lines.append(f"right for {self.reading}")
        return ("\n" + " " * _WIDTH).join(map(printable, lines))


@dataclass
class Marked:
    """All marks of a derivation, in order.

    slope: how fast the Taylor remainder of the output falls, from `taylor_slope`: 2 if the core's derivative is right;
    None where it was not taken. where: the domains of the inputs that points were drawn from, in words.
    """

    lines: list[Line]
    slope: float | None = None
    where: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, and every line could be read."""
        return all(line.verdict not in ("wrong", "cannot be read") for line in self.lines)

    def __getitem__(self, text: str) -> Line:
        """The line of a claim as written."""
        return next(line for line in self.lines if line.claim.text == text)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        colours = {"right": "#2e7d32", "wrong": "#c62828"}
        lines = "\n".join(
            f'<span style="color:{colours.get(line.verdict, "#8a6d00")}">{escape(str(line))}</span>'
            for line in self.lines
        )
        return f"<pre>{lines}\n{escape(str(self).splitlines()[-1])}</pre>"

    def __str__(self) -> str:
        verdicts = ("right", "wrong", "cannot tell", "cannot be read")
        counts = {v: sum(line.verdict == v for line in self.lines) for v in verdicts}
        told = ", ".join(f"{n} {v}" for v, n in counts.items() if n) or "nothing to mark"
        if self.slope is not None:
            told += f"; Taylor remainder {'none' if self.slope == float('inf') else f'falls as h^{self.slope:.2f}'}"
        if self.where:
            told += f"; compared for {self.where}"
        return "\n".join([*map(str, self.lines), told])
