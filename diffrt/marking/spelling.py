"""Formulas as people write them: 2x, sin^2(x), sin x, x², λ, and what Python's parser reads in their place.

What has one meaning is understood. What has two, such as 1/2x, is answered with what to write.
"""

import keyword
import re
import unicodedata
from collections.abc import Container
from dataclasses import dataclass, field

KEPT = "\u02d1"
"""Follows a name that Python would read as a word of its own, such as lambda."""

_TOKEN = re.compile(
    r"(?P<number>0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)|(?P<sign>\*\*|<=|>=|==|!=|/(?!/)|[-+*^@(),<>\[\]:.])|\s+|(?P<other>.)"
)

SIGNS = str.maketrans({
    "·": "*", "×": "*", "⋅": "*", "∙": "*", "∗": "*", "−": "-", "–": "-", "÷": "/", "≤": "<=", "≥": ">=", "≠": "!=",
    "∂": "d", "∑": "sum", "∏": "prod", "ᵀ": ".T", "ᵢ": "_i", "ⱼ": "_j", "ₖ": "_k",
    **{c: f"^{k}" for k, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}, **{c: f"_{k}" for k, c in enumerate("₀₁₂₃₄₅₆₇₈₉")},
})  # fmt: skip

HINTS = {
    "=": "write only what stands on the right of it", "|": "write abs(x)", "{": "write x[i] for an index",
    "'": "write A.T for a transposed matrix, and y / x on the left side for a derivative",
    "√": "write sqrt(x)", "/": "write one /",
    "!": "write a product", "\\": "write the formula without LaTeX, such as a / b", "∞": "write a number",
    "_": "write x[i] for an index",
}  # fmt: skip

OPERATORS = ("+", "-", "*", "/", "**", "@", "<", ">", "<=", ">=", "==", "!=", "and", "or", "not")

WORDS = ("and", "or", "not", "if", "else")


def plain_letters(text: str) -> str:
    """A text with Greek letters by their names, and the signs of a keyboard for those of print."""
    return "".join(_letter(c) for c in text.translate(SIGNS))


def spelled(name: str) -> str:
    """The name of a quantity as formulas have it: t_ball for t (ball), crossing_outline_of_ball_2 for crossing, outline
    of ball (2)."""
    return re.sub(r"[^\w.]+", "_", re.sub(r"[^\w.]+$", "", name))


def _letter(c: str) -> str:
    if c.isascii() or not (name := unicodedata.name(c, "")).startswith(("GREEK", "MICRO SIGN")):
        return c
    if name == "MICRO SIGN":
        return "mu"
    words = [w for w in name.split() if w not in ("GREEK", "SMALL", "CAPITAL", "LETTER", "SYMBOL", "LUNATE", "FINAL")]
    if len(words) != 1:
        return c
    spelled = words[0].lower().replace("lamda", "lambda")
    return spelled.capitalize() if " CAPITAL " in name else spelled


def python_of(text: str, functions: Container[str]) -> str:
    """The formula in Python's spelling. Raises ValueError, with what to write, for what cannot be read one way."""
    reader = _Reader(_tokens(plain_letters(" ".join(text.split()))), functions)
    while reader.left():
        reader.step()
    if reader.out and reader.out[-1] in OPERATORS:
        raise ValueError(f"something is missing at the end, after {reader.out[-1].replace('**', '^')}")
    return " ".join(reader.out)


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for match in _TOKEN.finditer(text):
        kind, piece = match.lastgroup, match.group()
        if kind == "other":
            what = piece if piece.isprintable() else f"the character U+{ord(piece):04X}"
            raise ValueError(f"{what} is not allowed in a formula; {HINTS.get(piece, 'leave it out')}")
        if kind is None:
            # x^2 y is a product, e^2x is not clear.
            if len(found) > 1 and found[-1][0] == "number" and found[-2][1] in ("^", "**"):
                found.append(("pause", ""))
            continue
        if kind == "name" and keyword.iskeyword(piece):
            if piece not in (*WORDS, "lambda"):
                raise ValueError(f"{piece} is not allowed in a formula")
            kind = "word" if piece in WORDS else "name"
        found.append((kind, piece))
    return found


@dataclass
class _Reader:
    """Goes through tokens, and writes what they mean. brackets: those that are open. before: the last operator in each,
    and outside of them."""

    tokens: list[tuple[str, str]]
    functions: Container[str]
    at: int = 0
    out: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=lambda: [""])
    brackets: list[str] = field(default_factory=list)

    def left(self) -> bool:
        return self.at < len(self.tokens)

    def __post_init__(self) -> None:
        # A pause tells something only where a name follows.
        self.tokens = [t for t, after in zip(self.tokens, [*self.tokens[1:], ("", "")], strict=True)
                       if t[0] != "pause" or after[0] == "name"]  # fmt: skip

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else ("", "")

    def step(self) -> None:
        """Read one token, or a function with its argument."""
        kind, piece = self.peek()
        if kind == "name" and piece in self.functions and self.peek(1)[1] != "(":
            self.function()
        elif piece in ("(", "["):
            self.bracket(piece)
        else:
            self.take()
        last = self.out[-1]
        if kind == "name" or kind == "number" or last in (")", "]"):
            self.juxtaposed(kind, piece)

    def take(self) -> None:
        kind, piece = self.peek()
        self.at += 1
        if piece == ":" and (not self.brackets or self.brackets[-1] != "["):
            raise ValueError(": is not allowed in a formula, except in an index such as x[1:]")
        if kind == "sign" and piece not in (")", "]", "."):
            self.before[-1] = piece
        elif kind == "word":
            self.before[-1] = ""
        if kind == "name":
            piece = ".".join(p + KEPT if keyword.iskeyword(p) else p for p in piece.split("."))
        self.out.append({"^": "**"}.get(piece, piece))

    def bracket(self, opening: str) -> None:
        """Read what is between brackets."""
        self.take()
        self.before.append("")
        self.brackets.append(opening)
        while self.left() and self.peek()[1] not in (")", "]"):
            self.step()
        self.brackets.pop()
        self.before.pop()
        if self.left():
            self.take()

    def juxtaposed(self, kind: str, piece: str) -> None:
        """Put a sign for a product that has none, after an operand."""
        if self.peek()[0] == "pause":
            self.at += 1
            self.out.append("*")
            self.before[-1] = "*"
            return
        following, text = self.peek()
        after_name = kind == "name" and self.out[-1] not in (")", "]")
        if following not in ("name", "number") and (text != "(" or after_name):
            return
        if kind == "number" and following == "number":
            raise ValueError(f"{piece} {text}: write {piece} * {text}, or one number")
        if after_name and following == "number":
            raise ValueError(f"{piece} {text}: write {piece} * {text}, {piece}^{text} or {piece}[{text}]")
        if (sign := self.before[-1]) in ("/", "^", "**"):
            sign, text = sign.replace("**", "^"), "(...)" if text == "(" else text
            said = piece if kind == "number" or after_name else "(...)"
            raise ValueError(f"{sign} {said} {text} can be read in two ways: write {sign} ({said} * {text}) or "
                             f"{sign} {said} * {text}")  # fmt: skip
        self.out.append("*")
        self.before[-1] = "*"

    def function(self) -> None:
        """Read a function whose argument has no brackets, or whose power comes first."""
        name = self.peek()[1]
        self.at += 1
        power = ""
        if self.peek()[1] in ("^", "**"):
            power, self.at = self.peek(1)[1], self.at + 2
            if power in ("-", "("):
                raise ValueError(
                    f"{name}^{power}...: write arc{name}(x) for the inverse function, {name}(x)^(-1) for a power"
                )
        if self.peek()[0] == "pause":
            self.at += 1
        self.out += ["(", name] if power else [name]
        if self.peek()[1] == "(":
            self.bracket("(")
        else:
            self.out.append("(")
            self.argument(name)
            self.out.append(")")
        self.out += [")", "**", power] if power else []

    def argument(self, name: str) -> None:
        """Read the argument of a function that has no brackets: a name, with a number before it."""
        if self.peek()[0] not in ("name", "number"):
            raise ValueError(f"{name}: needed: its argument in brackets, such as {name}(x)")
        if self.peek()[1] in self.functions:
            if self.peek(1)[1] == "(":
                self.take()
                self.bracket("(")
            else:
                self.function()
            return
        if self.peek()[0] == "number" and self.peek(1)[0] == "name" and self.peek(1)[1] not in self.functions:
            self.take()
            self.out.append("*")
        said = self.peek()[1]
        self.take()
        if self.peek()[1] == "[":
            self.bracket("[")
        if self.peek()[1] in ("^", "**") and self.peek(1)[0] in ("name", "number"):
            self.take()
            self.take()
        following, text = self.peek()
        if (following in ("name", "number") and text not in self.functions) or text == "(":
            raise ValueError(f"{name} {said} {text} can be read in two ways: write {name}({said} * ...) or "
                             f"{name}({said}) * ...")  # fmt: skip
