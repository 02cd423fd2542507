"""Factors and terms by which numbers differ, in words: guesses that are tested at every point.

A guess counts only if it turns what was given into what is right at all points, to many digits, so that a chance hit
is next to impossible.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from diffrt.types import Array

CLOSE = 1e-7
"""How near, relatively, a guess must come at every point."""

EXACT = 1e-8
"""How near a number in words must come to the one that it stands for."""

_FACTORS = {1 / 2: "1/2", 1 / 3: "1/3", 2 / 3: "2/3", 1 / 4: "1/4", 3 / 4: "3/4", 3 / 2: "3/2", np.pi: "pi",
            1 / np.pi: "1/pi", 2 * np.pi: "2 * pi", np.e: "e", np.log(2.0): "log(2)"}  # fmt: skip


@dataclass(frozen=True)
class Diagnosis:
    """What may be wrong.

    kind: "factor" or "monomial" of the whole, "total", "transposed", "product", "quotient", "chain", "path" or
    "accumulation" of which something is missing, "sign of a path", "term" of the right answer, "part" of the formula
    that was written, "case" in which it is wrong. text: the words. formula: what was given, as a formula of `right` and
    quantities, if that says it.
    """

    kind: str
    text: str
    formula: str = ""

    def at(self, letters: Mapping[str, int]) -> "Diagnosis":
        """The same for one entry of a line: numbers in place of the letters of its indices."""
        return replace(self, text=indexed(self.text, letters), formula=indexed(self.formula, letters))


def factor_of(
    yours: Array, right: Array, named: Mapping[str, Array], most: int = 3, scale: Any = 0.0
) -> list[Diagnosis]:
    """Whether what was given is the right value times a constant or a product of powers of quantities.

    yours, right: at each sample, (n,). named: quantities at each sample, (n,) each. most: so many of them. scale: what
    is small beside it is rounding.
    """
    small = np.abs(np.stack([yours, right])) <= 1e-11 * scale
    used = ~small.any(0) & (right != 0.0) & (yours != 0.0) & np.isfinite(yours)
    if used.sum() < 3 or (((right == 0.0) | small[1]) != ((yours == 0.0) | small[0])).any():
        return []
    used &= np.abs(right) >= 1e-4 * scale
    if used.sum() < 3:
        return []
    ratio = yours[used] / right[used]
    if _steady(ratio):
        formula = f"right * {number(ratio[0])}"
        words = ": the sign" if abs(ratio[0] + 1.0) < CLOSE else ""
        return [Diagnosis("factor", f"yours = {formula}{words}", formula)]
    if used.sum() < 5:
        return []
    logs: list[tuple[str, Array, Array]] = []
    for name, values in named.items():
        v = values[used]
        if (v != 0.0).all() and np.isfinite(v).all() and not _steady(v):
            logs.append((name, np.log(np.abs(v)), np.sign(v)))
    target = np.log(np.abs(ratio))
    for count in range(1, most + 1):
        best: tuple[float, str] | None = None
        for chosen in combinations(logs, count):
            basis = np.stack([*(column for _, column, _ in chosen), np.ones(len(target))], 1)
            if len(target) < count + 3:
                continue
            exponents, _, rank, _ = np.linalg.lstsq(basis, target, rcond=1e-10)
            if rank < count + 1:
                continue
            whole = np.round(exponents[:-1] * 2.0) / 2.0
            if (whole == 0.0).any() or (np.abs(whole) > 3.0).any() or np.abs(exponents[:-1] - whole).max() > 1e-5:
                continue
            monomial = np.ones(len(target))
            for (_, column, sign), power in zip(chosen, whole, strict=True):
                monomial = monomial * np.exp(column * power) * (sign if power % 2 == 1.0 else 1.0)
            constant = ratio / monomial
            if not _steady(constant):
                continue
            # Plain constants and few, short names first.
            cost = float(np.abs(whole).sum() + (whole % 1.0 != 0.0).sum()) + sum(len(n) for n, _, _ in chosen) / 100.0
            cost += 0.0 if abs(abs(constant[0]) - 1.0) < CLOSE else 1.0
            text = _monomial([n for n, _, _ in chosen], whole, constant[0])
            if best is None or cost < best[0]:
                best = cost, text
        if best is not None:
            return [Diagnosis("monomial", f"yours = right {best[1]}", f"right {best[1]}")]
    return []


def indexed(text: str, letters: Mapping[str, int]) -> str:
    """A text with numbers in place of index letters, where they stand in brackets."""
    for letter, k in letters.items():
        text = re.sub(rf"(?<=\[){letter}(?=[],])|(?<=, ){letter}(?=[],])", str(k), text)
    return text


def _steady(values: Array) -> bool:
    return bool(np.abs(values - values[0]).max() <= CLOSE * np.abs(values[0]))


def number(x: float) -> str:
    """A constant as people write it, in a formula."""
    sign = "-" if x < 0.0 else ""
    for value, text in _FACTORS.items():
        if abs(abs(x) - value) <= EXACT * value:
            return sign + text
    if abs(abs(x) - round(abs(x))) <= EXACT * abs(x) and abs(x) < 1e6:
        return sign + str(round(abs(x)))
    texts = (f"{x:.{digits}g}" for digits in range(6, 18))
    return next(text for text in texts if abs(float(text) - x) <= EXACT * abs(x))


def _monomial(names: Sequence[str], powers: Array, constant: float) -> str:
    over = [_power(n, p) for n, p in zip(names, powers, strict=True) if p > 0]
    under = [_power(n, -p) for n, p in zip(names, powers, strict=True) if p < 0]
    if abs(constant - 1.0) >= CLOSE:
        over = [number(constant), *over]
    text = "".join(f" * {part}" for part in over).lstrip() + "".join(f" / {part}" for part in under)
    return text.strip() if text.strip().startswith(("*", "/")) else f"* {text.strip()}"


def _power(name: str, power: float) -> str:
    if power == 1.0:
        return name
    if power == 0.5:
        return f"sqrt({name})"
    return f"{name}^{power:g}"


def same(a: Any, b: Any, scale: Any = 0.0) -> bool:
    """Whether arrays agree at every point, relatively; `scale` is what is small beside it counts as nothing."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape:
        return False
    with np.errstate(all="ignore"):
        return bool((np.abs(a - b) <= CLOSE * np.maximum(np.abs(a), np.abs(b)) + 1e-12 * np.asarray(scale)).all())
