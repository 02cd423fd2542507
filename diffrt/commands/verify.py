"""`diffrt verify`: a derivation made by hand, marked."""

from pathlib import Path
from typing import Annotated

import typer

from diffrt.commands.options import check_output, put
from diffrt.errors import InputError
from diffrt.terminal import say


def verify(
    derivation: Annotated[str, typer.Argument(metavar="DERIVATION", help="A derivation file (TOML).")],
    page: Annotated[
        str | None,
        typer.Argument(metavar="[FILE]", help="The page to write with --html; DERIVATION.html, here, if none."),
    ] = None,
    html: Annotated[
        bool, typer.Option("--html", help="Write a page with boxes for every derivative, marked while one types.")
    ] = False,
    empty: Annotated[
        bool, typer.Option("--empty", help="The boxes of the page do not show what the file claims.")
    ] = False,
) -> None:
    """Mark a derivation made by hand, line by line: right, wrong and why, cannot tell, or cannot be read and why.

    Exit code 1 if a line is wrong or cannot be read, 2 if the file cannot be used at all. With --html the lines are
    marked on the page alone, which needs no server; the derivation may then have no lines yet.

    Example: `diffrt verify examples/lecture/pixel_by_hand.toml`
    Example: `diffrt verify examples/lecture/activation.toml --html activation.html`
    """
    if not html:
        if page is not None or empty:
            raise InputError(f"{'a page' if page is not None else '--empty'} was given without --html")
        from diffrt.marking.reading import load_derivation

        marked = load_derivation(derivation).mark()
        say(str(marked))
        if not marked.ok:
            raise SystemExit(1)
        return
    output = page or f"{Path(derivation).stem}.html"
    check_output(output, (".html", ".htm"))
    from diffrt.marking.browser import page_of
    from diffrt.marking.reading import load_exercise

    found, given = load_exercise(derivation)
    try:
        text = page_of(found, given, Path(derivation).name, Path(derivation).name, empty)
    except InputError as fault:
        raise InputError(*(f"{derivation}: {problem}" for problem in fault.problems)) from None
    put(text, output)
    say(f"{output}: written; open it in a browser")
