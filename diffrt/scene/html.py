"""A scene as a notebook shows it: a table with a row for each camera, shape, material and light."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from diffrt.autograd import Var
from diffrt.kinds import Kind
from diffrt.kinds.values import plain

MOST_ROWS = 60
"""What a scene has more is counted."""


def as_html(parts: Mapping[str, Any]) -> str:
    """The table, as HTML. parts: of a scene, by name."""
    rows = [row for name, part in parts.items() if part is not None for row in _rows(name, part)]
    more = [f"<tr><td colspan=3>and {len(rows) - MOST_ROWS} more</td></tr>"] if len(rows) > MOST_ROWS else []
    head = "<tr><th>name</th><th>kind</th><th>values</th></tr>"
    return f"<table>{head}{''.join(rows[:MOST_ROWS] + more)}</table>"


def _rows(name: str, part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        for each, thing in part.items():
            yield from _rows(each, thing)
    elif isinstance(part, Kind):
        inner = {key: value for key, value in vars(part).items() if isinstance(value, Kind)}
        told = {key: text for key, value in vars(part).items() if key not in inner and (text := _shown(value))}
        values = (f"{key} = {text}" for key, text in told.items())
        yield _row(name, type(part).__name__, ", ".join(values))
        for key, value in inner.items():
            yield from _rows(f"{name}.{key}", value)
    else:
        yield _row(name, "", _shown(part))


def _row(*cells: str) -> str:
    aligned = '<td style="text-align: left">'
    return f"<tr>{''.join(f'{aligned}{escape(cell)}</td>' for cell in cells)}</tr>"


def _shown(value: Any) -> str:
    """Six digits of each number; a variable says that it is one."""
    if isinstance(value, Var):
        return f"{_shown(plain(value))} (free)"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]" if len(value) <= 4 else f"{len(value)} values"
    if len(getattr(value, "shape", ())) > 1:  # texels
        return f"{value.shape[1]} x {value.shape[0]} values"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
