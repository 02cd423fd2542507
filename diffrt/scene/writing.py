"""From a checked document to the text of a scene file, laid out as people write them.

A checked document holds only plain words, flags, numbers and triples of numbers, so the text needs no escapes, and a
vector or a material fits on one line. `repr` gives the shortest digits that read back as the same float.
"""

from collections.abc import Mapping
from typing import Any

from diffrt.scene.schema import Document


def to_toml(document: Document) -> str:
    """The TOML text of a document; reading it gives an equal document, to the last bit."""
    lines = [
        f"reflection_depth = {document.reflection_depth}",
        *_table("camera", document.camera.stated()),
    ]
    if document.background:
        lines += _table("background", document.background.stated())
    for group, tables in (("shapes", document.shapes), ("lights", document.lights)):
        for name, table in tables.items():
            lines += _table(f"{group}.{name}", table.stated())
    return "\n".join(lines) + "\n"


def _table(header: str, fields: Mapping[str, Any]) -> list[str]:
    return ["", f"[{header}]", *_assignments(fields)]


def _assignments(fields: Mapping[str, Any]) -> list[str]:
    # The type leads, as it decides what the rest means.
    ordered = {"type": fields["type"], **fields}
    return [f"{key} = {_value(value)}" for key, value in ordered.items()]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(_assignments(value)) + " }"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else repr(value)
