"""From a checked document to the text of a scene file, laid out as people write them.

A checked document holds words, flags, numbers, tuples of numbers and texels; a vector or a material fits on one line.
"""

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from diffrt.files import expect_path, toml_value, write_whole
from diffrt.kinds.texels import Texels
from diffrt.scene.schema import Document

MOST_INLINE = 1024
"""So many numbers of texels stand in a scene that is saved; more are written to a file beside it."""


def to_toml(document: Document) -> str:
    """The TOML text of a document; reading it gives an equal document, to the last bit."""
    return _Writer().text(document)


def save(document: Document, path: str | Path) -> None:
    """Write a document to a file, and texels that are too many for it beside it.

    Raises InputError if a file cannot be written; then the scene that was there before is there still, and whole.
    """
    expect_path(path)
    folder = Path(os.path.realpath(path)).parent
    writer = _Writer(folder)
    text = writer.text(document)
    fresh = [name for name in writer.beside if not (folder / name).exists()]
    try:
        for name, data in writer.beside.items():
            write_whole(folder / name, data)
        write_whole(path, text.encode())
    except BaseException:  # also when the user interrupts
        for name in fresh:
            (folder / name).unlink(missing_ok=True)
        raise


class _Writer:
    """Writes a document as seen from the folder that it will be in, or from anywhere; `beside` are the files that it
    needs there. Each is named by what it holds, so that none takes the place of one that another scene needs."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.beside: dict[str, bytes] = {}

    def text(self, document: Document) -> str:
        lines = [
            f"reflection_depth = {document.reflection_depth}",
            *self._table("camera", document.camera.stated()),
        ]
        if document.background:
            lines += self._table("background", document.background.stated())
        for group, tables in (("shapes", document.shapes), ("lights", document.lights)):
            for name, table in tables.items():
                lines += self._table(f"{group}.{name}", table.stated())
        return "\n".join(lines) + "\n"

    def _table(self, header: str, fields: Mapping[str, Any]) -> list[str]:
        return ["", f"[{header}]", *(f"{key} = {toml_value(value)}" for key, value in self._fields(fields).items())]

    def _fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What is written of the fields of a table."""
        # The type leads, as it decides what the rest means.
        ordered = {"type": fields["type"], **fields}
        texels = next((name for name, value in fields.items() if isinstance(value, Texels)), None)
        if texels and "file" in fields:
            ordered |= self._place_of(fields["file"], fields[texels])
            if ordered["file"]:
                del ordered[texels]
        return {key: self._plain(value) for key, value in ordered.items() if value != ""}

    def _plain(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self._fields(value)
        return value.array.tolist() if isinstance(value, Texels) else value

    def _place_of(self, file: str, texels: Texels) -> dict[str, Any]:
        """What is to be said of where texels are: the file and its encoding, if they are in one."""
        if file and _is_text(file):
            real = Path(os.path.realpath(file))
            inside = self.folder is not None and real.is_relative_to(self.folder)
            return {"file": real.relative_to(self.folder).as_posix()} if inside else {}  # type: ignore[arg-type]
        if self.folder is None or texels.array.size <= MOST_INLINE:
            return {"file": "", "encoding": ""}
        memory = io.BytesIO()
        np.save(memory, texels.array, allow_pickle=False)
        name = f"texels-{hashlib.sha256(memory.getvalue()).hexdigest()[:16]}.npy"
        self.beside[name] = memory.getvalue()
        return {"file": name, "encoding": ""}


def _is_text(file: str) -> bool:
    """Whether the name of a file can stand in a text: some systems have names that are no characters."""
    try:
        return bool(file.encode())
    except UnicodeEncodeError:
        return False
