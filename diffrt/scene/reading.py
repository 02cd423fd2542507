"""From a scene file to a Scene: TOML, then the schema, then the scene or the whole list of mistakes."""

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
    return parse_scene(read_text(path), str(path))


def parse_scene(text: str, source: str = "<text>") -> Scene:
    """The scene in a TOML text.

    text: the content of a scene file. source: what to call it in messages. Raises InputError as `load_scene`.
    """
    if not isinstance(text, str):
        raise InputError(f"parse_scene: found {shown(text)}, needed: the text of a scene file")
    document, problems = check_document(parse_toml(text, source))
    if document is None:
        raise InputError(*(f"{source}: {problem}" for problem in problems))
    return Scene.of(document)
