"""What a user is told when something that they gave is wrong.

An `InputError` is never a fault of the program. It says what was given, what was needed and how to put it
right, one line for each mistake, so that a file with five mistakes is mended in one go.

What was given may be hostile: escape sequences that move the cursor of a terminal, newlines that fake a line of the
program, integers of a million digits. So every text on its way to a user goes through `printable`, every value through
`shown`, and an `InputError` is short whatever it is made of.
"""

import json
import reprlib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

MOST_PROBLEMS = 24
"""Mistakes that are told at once. A check may stop looking when it has found more."""

MOST_LETTERS = 400
"""Of one line. The middle of a longer one is left out: what is wrong stands at its beginning, what is needed at its
end."""

_KNOWN = 40
"""Names that are listed to someone who gave none of them."""


class InputError(ValueError):
    """Something that a user gave is wrong: a file, a scene, a parameter's name or value.

    problems: one clear line for each mistake, at most MOST_PROBLEMS of them and one more that says so, each printable
    and of at most MOST_LETTERS; `str(error)` joins them with newlines. A command line prints that text and exits with
    status 2.
    """

    def __init__(self, *problems: str) -> None:
        told = tuple(_shortened(printable(problem)) for problem in problems[:MOST_PROBLEMS])
        if len(problems) > MOST_PROBLEMS:
            told = (*told, "there are more mistakes; these are the first")
        super().__init__(*told)
        self.problems: tuple[str, ...] = told

    def __str__(self) -> str:
        return "\n".join(self.problems)


def printable(text: str) -> str:
    r"""The text with an escape such as \x1b for every character that a terminal would not show as itself.

    Those are control characters, line ends among them, marks that turn the direction of writing, and what does not
    belong into text at all, such as the half of a surrogate pair that stands for a byte in the name of a file.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: Any) -> str:
    """A value as a file would have it, on one line, and short whatever it is."""
    return printable(_SHOWN.repr(value))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, or all of them if none is near.

    word: what was given. known: the words that would have been right.
    Returns "did you mean 'radius'?" or "known: 'center', 'radius'".
    """
    known = tuple(known)
    near = get_close_matches(word[: _SHOWN.maxstring], known, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return "known: " + (listed([f"'{name}'" for name in known]) or "none")


def listed(names: Sequence[str]) -> str:
    """Names with commas between, and of very many how many more there are."""
    more = [f"and {len(names) - _KNOWN} more"] if len(names) > _KNOWN else []
    return ", ".join([*names[:_KNOWN], *more])


def _shortened(line: str) -> str:
    if len(line) <= MOST_LETTERS:
        return line
    half = MOST_LETTERS // 2
    return f"{line[: half - 5]} ... {line[-half:]}"


class _Shown(reprlib.Repr):
    """Bounded in length and depth whatever the value, so that a hostile file gives a short line too."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple, self.maxdict = 3, 4, 4, 3
        self.maxstring, self.maxother = 60, 60

    def repr_bool(self, value: bool, level: int) -> str:
        return "true" if value else "false"

    def repr_str(self, value: str, level: int) -> str:
        short = value if len(value) <= self.maxstring else value[: self.maxstring - 3] + "..."
        return json.dumps(short, ensure_ascii=False)

    def repr_int(self, value: int, level: int) -> str:
        # Python refuses to print very long integers, and a file can hold one in hexadecimal.
        return str(value) if value.bit_length() <= 128 else f"a whole number of {value.bit_length()} bits"

    def repr_tuple(self, value: tuple[Any, ...], level: int) -> str:
        return self.repr_list(list(value), level)

    def repr_Scene(self, value: Any, level: int) -> str:
        return "Scene(...)"  # its own text runs over many lines

    def repr_ndarray(self, value: Any, level: int) -> str:
        # Its own text would be made in full first, and runs over several lines.
        return f"an array of shape {value.shape}" if value.ndim else self.repr1(value.item(), level)


_SHOWN = _Shown()
