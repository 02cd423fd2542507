"""From a scene file to a Scene: TOML, then the schema, then the scene or the whole list of mistakes."""

import os
from pathlib import Path

from diffrt.errors import InputError, shown
from diffrt.files import parse_toml, read_text
from diffrt.scene.checking import check_document
from diffrt.scene.scene import Scene


def load_scene(path: str | Path) -> Scene:
    """The scene in a TOML file.

    path: the file, at most 4 MiB. Raises InputError if it cannot be read or is not a scene; each line of the
    error names the file, the field, what was found and what is allowed.
    """
    text = read_text(path)
    # Images are looked for beside the scene itself, not beside a link to it.
    return _parsed(text, str(path), Path(os.path.realpath(path) if os.path.islink(path) else path).parent)


def parse_scene(text: str, source: str = "<text>") -> Scene:
    """The scene in a TOML text.

    text: the content of a scene file. source: what to call it in messages. The names of images in it are seen from the
    working folder. Raises InputError as `load_scene`.
    """
    if not isinstance(text, str):
        raise InputError(f"parse_scene: found {shown(text)}, needed: the text of a scene file")
    return _parsed(text, source, Path())


def _parsed(text: str, source: str, folder: Path) -> Scene:
    document, problems = check_document(parse_toml(text, source), folder=folder)
    if document is None:
        raise InputError(*(f"{source}: {problem}" for problem in problems))
    return Scene.of(document)
