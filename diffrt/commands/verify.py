"""`diffrt verify`: a derivation made by hand, marked."""

from typing import Annotated

import typer

from diffrt.terminal import say


def verify(
    derivation: Annotated[str, typer.Argument(metavar="DERIVATION", help="A derivation file (TOML).")],
) -> None:
    """Mark a derivation made by hand, line by line: right, wrong and why, cannot tell, or cannot be read and why.

    Exit code 1 if a line is wrong or cannot be read, 2 if the file cannot be used at all.

    Example: `diffrt verify examples/lecture/pixel_by_hand.toml`
    """
    from diffrt.marking.reading import load_derivation

    marked = load_derivation(derivation).mark()
    say(str(marked))
    if not marked.ok:
        raise SystemExit(1)
