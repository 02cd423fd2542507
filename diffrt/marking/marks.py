"""Marks: what is said of each claim of a derivation."""

from collections.abc import Sequence
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
    cannot be read. diagnoses: what is wrong, the likeliest first; reasons: the
    same of the whole line, with its index letters. point, yours, right: where the difference is largest.
    effect: by how much swapping it in alone changes the gradient of the output there, relative to it; share: of the sum
    of the effects of all wrong partials. reading: another reading of the definitions for which it is right.
    """

    claim: Claim
    verdict: str
    detail: str = ""
    diagnoses: list[Diagnosis] = field(default_factory=list)
    reasons: list[Diagnosis] = field(default_factory=list)
    point: dict[str, Any] = field(default_factory=dict)
    yours: Any = None
    right: Any = None
    effect: float | None = None
    share: float | None = None
    reading: str = ""

    def __str__(self) -> str:
        return written([self])

    @property
    def key(self) -> tuple[Any, ...]:
        """What is told together: the entries of one line that have one verdict for one reason."""
        told = tuple(d.text for d in self.reasons) if self.verdict == "wrong" else self.detail
        return self.claim.kind, self.claim.line or self.claim.text, self.verdict, told, self.reading


def written(lines: Sequence[Line]) -> str:
    """The marks of a line in words, told once for all its entries."""
    first = max(lines, key=lambda line: line.effect or 0.0)
    many = len(lines) > 1
    about = ", ".join(filter(None, [f"{len(lines)} entries" if many else "",
                                    "" if many and first.verdict == "wrong" else first.detail]))  # fmt: skip
    text = first.claim.line if many else first.claim.text
    told = [f"{first.verdict:<{_WIDTH}}{text}" + (f"   ({about})" if about else "")]
    if first.verdict == "wrong":
        at = ", ".join(f"{n} = {tidy(v)}" for n, v in list(first.point.items())[:4])
        ratio = ""
        yours, right = tidy(first.yours, 6), tidy(first.right, 6)
        if np.ndim(first.yours) == 0 and np.ndim(first.right) == 0:
            yours, right = told_apart(first.yours, first.right)
            if first.right and np.isfinite(first.yours / first.right):
                ratio = f", ratio {told_apart(first.yours / first.right, 1.0)[0]}"
        told.append((f"{first.claim.text}: " if many else "") + f"yours {yours}, right {right}{ratio}, at {at}")
        told += [d.text for d in (first.reasons if many else first.diagnoses)] or ["no simple reason was found"]
        if first.effect is not None and np.isfinite(first.effect):
            shares = [line.share for line in lines if line.share is not None and np.isfinite(line.share)]
            share = f", {sum(shares):.0%} of the errors of all wrong partials" if shares else ""
            up_to = "up to " if many else ""
            told.append(f"with it the gradient is off by {up_to}{tidy(100.0 * first.effect, 3)} %{share}")
    if first.reading:
        told.append(f"right for {first.reading}")
    return ("\n" + " " * _WIDTH).join(map(printable, told))


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
            f'<span style="color:{colours.get(group[0].verdict, "#8a6d00")}">{escape(written(group))}</span>'
            for group in self._groups
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
        return "\n".join([*map(written, self._groups), told])

    @property
    def _groups(self) -> list[list[Line]]:
        """The entries that are told together."""
        groups: dict[tuple[Any, ...], list[Line]] = {}
        for line in self.lines:
            groups.setdefault(line.key, []).append(line)
        return list(groups.values())
