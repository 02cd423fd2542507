"""Words for numbers and operations, as people write them."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from diffrt.autograd.variable import Var
from diffrt.errors import printable

if TYPE_CHECKING:
    from diffrt.explaining.graph import Node

GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
          "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma",
          "τ": "tau", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta",
          "Λ": "Lambda", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega"}  # fmt: skip
"""Letters, by their names in LaTeX."""

_SPECIAL = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#",
            "$": r"\$", "^": r"\^{}", "~": r"\~{}", "<": r"\textless{}", ">": r"\textgreater{}",
            "|": r"\textbar{}", "[": "{[}", "]": "{]}", "*": "{*}"}  # fmt: skip


def tidy(value: Any, digits: int = 4) -> str:
    """A number or an array in few characters."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if np.ndim(value) == 0:
        return f"{float(value):.{digits}g}"
    array = np.asarray(value)
    if array.size == 1:
        return tidy(array.item(), digits)
    if array.size > 12:
        return f"{by(array.shape)} from {tidy(array.min(), 3)} to {tidy(array.max(), 3)}"
    if array.ndim > 1 and 1 in array.shape:
        array = array.reshape([n for n in array.shape if n != 1])
    return "[" + ", ".join(tidy(entry, digits) for entry in array) + "]"


def by(shape: Sequence[int]) -> str:
    """A shape, such as 2x3."""
    return "x".join(map(str, shape))


def cut(text: str, longest: int) -> str:
    """A text of no more characters than that."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def shortened(name: str) -> str:
    """A name for one line."""
    return printable(name if len(name) <= 60 else f"{name[:57]}...")


def in_latex(text: str) -> str:
    r"""Text for LaTeX outside of math mode. At the start of a row [ and * would belong to the \\ before it."""
    return "".join(rf"\ensuremath{{\{GREEK[c]}}}" if c in GREEK else _SPECIAL.get(c, c) for c in printable(text))


def name_in_latex(name: str) -> str:
    r"""A name for math mode: x_{1}, \mu, W_{1,2}, \text{cosine}; dL/da is a fraction of partial differentials."""
    above, slash, below = name.partition("/")
    if slash and _in_differential(above) and _in_differential(below):
        return rf"\frac{{\partial {_in_differential(above)}}}{{\partial {_in_differential(below)}}}"
    found = re.fullmatch(r"([A-Za-z]|[^\W\d_a-zA-Z]|[A-Za-z]+)_?([0-9]*)(?:\[([0-9, ]+)\])?", name)
    letter = found and (found[1] if len(found[1]) == 1 else "")
    if found and (found[1] in GREEK.values() or found[1] in GREEK):
        letter = "\\" + GREEK.get(found[1], found[1])
    if not found or not letter or (letter[0] != "\\" and not letter.isascii()):
        return rf"\text{{{in_latex(name)}}}"
    below = ",".join(part.replace(" ", "") for part in (found[2], found[3]) if part)
    return rf"{letter}_{{{below}}}" if below else letter


def _in_differential(text: str) -> str:
    """What stands behind the d of da1, d loss, d(hit point); empty if it is no differential."""
    if not text.startswith("d") or len(text) < 2:
        return ""
    rest = text[1:].strip()
    return name_in_latex(rest[1:-1] if rest.startswith("(") and rest.endswith(")") else rest)


def counted(number: int) -> str:
    """A whole number, however large: Python refuses to print thousands of digits."""
    if number < 10**15:
        return str(number)
    exponent = int((number.bit_length() - 1) * np.log10(2.0))
    return f"more than 1e{exponent}"


def told_apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers in six digits, or in as many as tell them apart."""
    for digits in range(6, 18):
        pair = tidy(a, digits), tidy(b, digits)
        if pair[0] != pair[1]:
            break
    return pair


def operation(node: "Node") -> str:
    """How a node was made: its op on the names of its inputs. Empty for a leaf."""
    var = node.var
    if var is None or var.op is None:
        return ""
    names = [x.name for x in node.inputs]
    op, settings = var.op, var.settings or {}
    if op.name == "sum" and settings.get("axis") not in (None, 0):
        return f"sum({names[0]}, axis={settings['axis']})"
    return written(op.form, op.name, names, settings)


def written(form: str, name: str, parts: Sequence[str], settings: Mapping[str, Any]) -> str:
    """An op on its inputs, in a form of its row; name(inputs) if it has none."""
    if form:
        return form.format(*parts, **{key: _index(value) for key, value in settings.items()})
    if len(parts) > 6:
        parts = [*parts[:5], "..."]
    return f"{name}({', '.join(parts)})"


def bracketed(text: str) -> str:
    """A part of a longer text, in brackets if it is more than a name or a call."""
    return f"({text})" if " " in text and not text.endswith(")") else text


def signed(number: str) -> str:
    """A number as a factor, in brackets if it has a sign."""
    return f"({number})" if number.startswith("-") else number


def derivative(above: str, below: str) -> str:
    """The name of a derivative: dL/da1, d loss/d out, d(pixel r)/d(hit point)."""
    return f"{_differential(above)}/{_differential(below)}"


def _differential(name: str) -> str:
    if set(name) & set(" /()"):
        return f"d({shortened(name)})"
    return f"d{name}" if len(name.rstrip("0123456789")) == 1 else f"d {shortened(name)}"


def component(node: "Node", place: int) -> str:
    """The name of one entry of a node: ball.center.x, y[2]; the node's own name if it has one entry."""
    return entry_name(node.name, node.shape, place)


def entry_name(name: str, shape: Sequence[int], place: int) -> str:
    """The name of one entry, in C order, of an array of this name and shape."""
    shape = [n for n in shape if n != 1]
    if not shape:
        return name
    if shape == [3] and "." in name:
        return f"{name}.{'xyz'[place]}"
    return f"{name}[{', '.join(map(str, np.unravel_index(place, shape)))}]"


_COLOURS = {"albedo", "intensity", "irradiance", "radiance", "pixel", "color", "emission"}
_SPATIAL = {"center", "position", "target", "up", "point", "normal", "eye", "direction", "light", "axis"}


def runs_along(node: "Node", traced: bool) -> str:
    """The shape of an array, and what runs along its axes as far as that is known; empty for a number.

    traced: whether the graph is that of a pixel, whose arrays are columns of samples.
    """
    if not node.shape:
        return ""
    shape = " x ".join(map(str, node.shape))
    if not traced:
        axes = {1: "a vector", 2: "rows by columns"}.get(len(node.shape), f"{len(node.shape)} axes")
        return f"{shape}, {axes}"
    words = set(node.name.partition(" (")[0].replace(".", " ").split())
    told = []
    rest = node.shape
    if rest[0] == 3 and node.name not in ("camera",):
        told += ["red, green, blue"] if words & _COLOURS else ["x, y, z"] if words & _SPATIAL else ["3 components"]
        rest = rest[1:]
    if node.name == "camera":
        told, rest = ["x, y, z", f"the camera's {rest[1]} vectors"], ()
    if rest and rest[-1] > 1:
        told.append(f"{rest[-1]} samples")
    return f"{shape}, {' by '.join(told)}" if told else f"{shape}, a number"


def phrase(x: Any, names: Mapping[int, str], longest: int = 40) -> str:
    """What a Var was computed by, in the names of others by serial number; "..." for what would be too long."""
    if not isinstance(x, Var):
        return tidy(x, 8)
    if x.serial in names or x.op is None:
        return names.get(x.serial) or x.name or tidy(x.value, 8)
    op, settings = x.op, x.settings or {}
    if op.name in ("reshape", "broadcast_to"):
        return phrase(x.inputs[0], names, longest)
    if longest < 4:
        return "..."
    parts = [phrase(y, names, (longest - 4) // len(x.inputs)) for y in x.inputs[:4]]
    text = written(op.form, op.name, list(map(bracketed, parts)) if op.form else parts, settings)
    return text if len(text) <= 40 else "..."


def _index(index: Any) -> str:
    return ", ".join(map(_index_part, index if isinstance(index, tuple) else (index,)))


def _index_part(part: Any) -> str:
    if isinstance(part, slice):
        return f"{'' if part.start is None else part.start}:{'' if part.stop is None else part.stop}"
    if isinstance(part, np.ndarray):
        return str(part.tolist()) if part.size <= 6 else "..."
    return "..." if part is Ellipsis else str(part)
