"""What a user is told when something that they gave is wrong.

An `InputError` is never a fault of the program. It says what was given, what was needed and how to put it
right, one line for each mistake, so that a file with five mistakes is mended in one go.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Something that a user gave is wrong: a file, a scene, a parameter's name or value.

    problems: one clear line for each mistake; `str(error)` joins them with newlines. A command line prints
    that text and exits with status 2.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems: tuple[str, ...] = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, or all of them if none is near.

    word: what was given. known: the words that would have been right.
    Returns "did you mean 'radius'?" or "known: 'center', 'radius'".
    """
    known = tuple(known)
    near = get_close_matches(word, known, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return "known: " + (", ".join(f"'{name}'" for name in known) or "none")
