"""`diffrt.check(scene)`: is the derivative of the image right?"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from math import inf
from typing import Any

from diffrt.errors import InputError
from diffrt.scene import Scene
from diffrt.scene.scene import expect_scene
from diffrt.tracer.differences import VERDICTS, Comparison, compare
from diffrt.tracer.renderer import TOLERANCE, Report, Settings, render
from diffrt.types import Names

_COLUMNS = ("parameter", "verdict", "relative L2", "worst pixel", "slope", "pixels not judged")
_WIDTHS = (0, 11, 11, 19, 6, 0)


@dataclass(frozen=True, repr=False)
class Check:
    """The derivative of an image compared with differences, number by number. Printing it gives a table.

    rows: a Comparison for each number. report: what went into the image.
    """

    rows: tuple[Comparison, ...]
    report: Report

    @property
    def ok(self) -> bool:
        """Whether no derivative is wrong; one that cannot be told is not."""
        return not any(row.verdict == "wrong" for row in self.rows)

    def __getitem__(self, path: str) -> Comparison:
        """The row of a number, such as "ball.center.x". Raises KeyError if it was not checked."""
        return {row.path: row for row in self.rows}[path]

    @property
    def summary(self) -> tuple[str, ...]:
        """How many are right, and what is missing, in lines."""
        counts = {verdict: sum(row.verdict == verdict for row in self.rows) for verdict in VERDICTS}
        told = f"{counts['right']} right, {counts['wrong']} wrong, {counts['cannot tell']} cannot be told"
        return (told, self.report.derivative, *self.report.missing)

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "edges_without_derivative": self.report.without_derivative,
            "parameters": [row.as_json() for row in self.rows],
        }

    def __str__(self) -> str:
        width = max(len(row.path) for row in self.rows)
        return "\n".join([table_line(width), *(table_line(width, row) for row in self.rows), *self.summary])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        colours = {"right": "#2e7d32", "wrong": "#c62828", "cannot tell": "#8a6d00"}
        head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
        rows = [
            (colours[row.verdict], "".join(f"<td>{escape(cell)}</td>" for cell in _cells(row))) for row in self.rows
        ]
        body = "".join(f'<tr style="color:{colour}">{cells}</tr>' for colour, cells in rows)
        return f"<table><tr>{head}</tr>{body}</table><p>{'<br>'.join(map(escape, self.summary))}</p>"


def check(
    scene: Scene,
    names: Names | None = None,
    *,
    cells: int = 1,
    tolerance: float = TOLERANCE,
    progress: Callable[[Comparison], None] | None = None,
) -> Check:
    """Check the derivative of the image by parameters against differences of images that are rendered again.

        checked = diffrt.check(scene, ["lamp.position", "ball.*"])
        print(checked)
        assert checked.ok

    names: parameters, components of them, or patterns such as "ball.*"; all of the scene if None.
    cells, tolerance: as for `render`.
    progress: called with the Comparison of each number when it is made; one takes about as long as ten images.

    Returns a Check. Raises InputError for an unknown name, for settings that are not allowed, and for comparisons that
    take more memory than there is.
    """
    expect_scene(scene, "check")
    settings = Settings(cells, "exact", tolerance)
    components = scene.components([p.path for p in scene.parameters()] if names is None else names)
    if not components:
        raise InputError("check: found no parameter, needed: at least one, such as 'camera.position'")
    scene = Scene.of(scene.document)  # without Vars: it is the numbers whose derivative is checked
    report: Any = render(scene, **vars(settings)).report
    rows = []
    for row in compare(scene, components, settings):
        rows.append(row)
        if progress is not None:
            progress(row)
    return Check(tuple(rows), report)


def table_line(width: int, row: Comparison | None = None) -> str:
    """A row as a line of a table, or the line above all of them. width: of the longest path."""
    widths = (width, *_WIDTHS[1:])
    cells = _COLUMNS if row is None else _cells(row)
    return "  ".join(f"{cell:<{w}}" for cell, w in zip(cells, widths, strict=True)).rstrip()


def _cells(row: Comparison) -> tuple[str, ...]:
    where = f"{row.worst:.1e} at {row.worst_pixel[0]},{row.worst_pixel[1]}"
    slope = "linear" if row.slope == inf else f"{row.slope:.2f}"
    left = f"{row.unjudged} ({100.0 * row.unjudged_share:.2g} %)" if row.unjudged else "0"
    return row.path, row.verdict, f"{row.error:.1e}", where, slope, left
