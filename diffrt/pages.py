"""Pages for a browser, with nothing to load: templates, their parts, and a page as a frame in a notebook."""

import html
import re
from collections.abc import Mapping
from importlib import resources

from diffrt.errors import printable


def part_of(package: str, name: str) -> str:
    """A file of the package: a template, a style or a script."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def filled(template: str, parts: Mapping[str, str]) -> str:
    """A template with its parts, such as @DATA@, in place: in one pass, so that a text that has "@DATA@" in it keeps
    it."""
    return re.sub("@([A-Z]+)@", lambda found: parts[found[1]], template)


def escaped(text: str) -> str:
    """Text of one line, of names from anywhere, for a page."""
    return html.escape(printable(text))


def in_script(data: str) -> str:
    """JSON for a script block. No tag or comment can begin or end in it, since no text in it has these characters."""
    for character in "<>&":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return data


def framed(page: str, title: str) -> str:
    """A page as a frame in another one, such as a notebook; what it says and does stays inside."""
    return (
        f'<iframe srcdoc="{html.escape(page)}" title="{html.escape(title)}" '
        'style="width: 100%; height: 620px; border: 0"></iframe>'
    )
