"""What lies inside the formula of a quantity, in words that can be copied into a formula."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd.variable import Var, value_of
from diffrt.marking.formula import FUNCTIONS
from diffrt.marking.quantities import Quantities
from diffrt.marking.spelling import spelled

# How tightly the parts of a formula hold together.
_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(1, 6)

_BINDING = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "^": _POWER}


@dataclass(frozen=True)
class _Phrase:
    """A part of a formula; no text, if it cannot be written as one. binding: of its outermost operation. whole: whether
    it is the name of an array, which an index must follow where one entry is meant."""

    text: str = ""
    binding: int = _ATOM
    whole: bool = False

    def least(self, binding: int) -> str:
        """The text, in brackets if it holds together less tightly."""
        return self.text if self.binding >= binding else f"({self.text})"

    def entry(self, label: str) -> "_Phrase":
        return _Phrase(f"{self.text}[{label}]") if self.whole and label else self


def inside(
    points: Sequence[Quantities], name: str, entries: NDArray[np.int_], label: str
) -> dict[str, NDArray[np.float64]]:
    """Values inside the formula of a quantity, and their sines and cosines, by formulas for them.

    points, entries: of each sample, the quantities and which entry of the quantity is meant. label: of that entry, a
    number or a letter; empty where arrays are meant as wholes.
    """
    found: dict[str, NDArray[np.float64]] = {}
    chains = {id(q): _chain(q, name) for q in points}
    first = chains[id(points[0])]
    if any(len(c) != len(first) for c in chains.values()):
        return {}

    def at(pick: Any) -> NDArray[np.float64]:
        flats = {key: np.ravel(pick(chain)) for key, chain in chains.items()}
        return np.array([flats[id(q)][min(k, len(flats[id(q)]) - 1)] for q, k in zip(points, entries, strict=True)])

    phrases = {v.serial: _Phrase(spelled(n), _ATOM, v.size > 1) for n, v in points[0].vars.items()}
    for call, _, end in points[0].calls:
        phrases.update({n.serial: _Phrase(call, _ATOM, n.size > 1) for n in first if n.serial == end - 1})
    for k, node in enumerate(first):
        phrase = phrases[node.serial] = phrases.get(node.serial) or _phrase(node, phrases, label)
        if phrase.text:
            found.setdefault(phrase.entry(label).least(_ATOM), at(lambda chain, k=k: chain[k].value))
        inner = _operand(node.inputs[0], phrases, label)
        if not inner.text:
            continue
        if node.op.name in ("power", "sin", "cos", "tan"):
            values = at(lambda chain, k=k: value_of(chain[k].inputs[0]))
            if node.op.name == "power" and (values > 0.0).all():
                found.setdefault(f"log({inner.text})", np.log(values))
            elif node.op.name != "power":
                for trig, f in (("sin", np.sin), ("cos", np.cos), ("tan", np.tan)):
                    found.setdefault(f"{trig}({inner.text})", f(values))
    return found


def _chain(q: Quantities, name: str) -> list[Any]:
    """The Vars between a quantity and those just before it, in order."""
    others = {v.serial for n, v in q.vars.items() if n != name}
    found: dict[int, Any] = {}
    pending = [q.vars[name]]
    while pending:
        var = pending.pop()
        if var.op is None or var.serial in others or var.serial in found:
            continue
        found[var.serial] = var
        pending += [x for x in var.inputs if isinstance(x, Var)]
    return [found[s] for s in sorted(found)]


def _operand(x: Any, phrases: Mapping[int, _Phrase], label: str) -> _Phrase:
    if isinstance(x, Var) and x.serial in phrases:
        return phrases[x.serial].entry(label)
    value = value_of(x)
    if np.size(value) != 1:
        return _Phrase()
    number = float(np.ravel(value)[0])
    text = f"{number:g}" if float(f"{number:g}") == number else repr(number)
    return _Phrase(text, _SIGN if text.startswith("-") else _ATOM)


def _phrase(node: Any, phrases: Mapping[int, _Phrase], label: str) -> _Phrase:
    """What a node computes, in the names of quantities. Long ones are given up, so that shared parts cannot double."""
    if node.op.name == "matmul" and node.size == 1:
        vectors = [phrases.get(x.serial, _Phrase()) if isinstance(x, Var) else _Phrase() for x in node.inputs]
        return _Phrase(f"dot({vectors[0].text}, {vectors[1].text})") if all(v.whole for v in vectors) else _Phrase()
    parts = [_operand(x, phrases, label) for x in node.inputs]
    if not all(p.text for p in parts) or sum(len(p.text) for p in parts) > 40:
        return _Phrase()
    sign = node.op.form.removeprefix("{} ").removesuffix(" {}")
    if sign in _BINDING and len(parts) == 2:
        binding = _BINDING[sign]
        left, right = (binding + 1, binding) if sign == "^" else (binding, binding + 1)
        between = sign if sign == "^" else f" {sign} "
        return _Phrase(f"{parts[0].least(left)}{between}{parts[1].least(right)}", binding)
    if node.op.name == "negative":
        return _Phrase(f"-{parts[0].least(_SIGN)}", _SIGN)
    if node.op.partials is not None and not node.op.form and node.op.name in FUNCTIONS:
        return _Phrase(f"{node.op.name}({', '.join(p.text for p in parts)})")
    if node.op.name == "sum" and isinstance(node.inputs[0], Var) and node.size == 1:
        whole = phrases.get(node.inputs[0].serial, _Phrase())
        return _Phrase(f"sum({whole.text})") if whole.whole else _Phrase()
    return _Phrase()
