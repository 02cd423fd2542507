"""What a fit leaves in its folder: scenes, pictures, a page, and fit.json. Every file is written whole."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from diffrt import __version__
from diffrt.files import make_folder, write_whole
from diffrt.fitting.page import page_of
from diffrt.fitting.pictures import names_of, show
from diffrt.fitting.result import MOST_LISTED, Result
from diffrt.image import side_by_side
from diffrt.scene import Scene

GAP = 2
"""Pixels between the pictures that are side by side."""


def write_result(result: Result, folder: str | Path) -> list[str]:
    """Write the result of a fit, and return the names of the files.

    fitted.toml; start, target, result, difference and comparison (the last three side by side) as PNG, with
    unexplained if the model does not explain the image; convergence.webp, loss.svg, fit.json and report.html. With
    several views the pictures' names, and the scene of a view that has something of its own, begin with the view's; of
    more than MOST_SHOWN those that are off by most are shown. views.csv holds what was found of each view, a table that
    a fit can read.
    Raises InputError if the folder or a file cannot be written.
    """
    shown = show(result)
    folder = make_folder(folder)
    written = []

    def put(name: str, data: bytes) -> None:
        write_whole(folder / name, data)
        written.append(name)

    def save(name: str, scene: Scene) -> None:
        scene.save(folder / name)
        written.append(name)

    save("fitted.toml", result.scene)
    values = result.problem.variables.assign(result.found.u)
    views = result.problem.views
    names = names_of(views)
    if any(view.own for view in views):
        put("views.csv", table_of(result).encode())
    for number, (pictures, _) in zip(shown.chosen, shown.views, strict=True):
        view, prefix = views[number], names[number]
        if view.own_camera or view.own:
            save(f"{prefix}fitted.toml", view.placed(values))
        beside = side_by_side([pictures[name] for name in ("target", "result", "difference")], GAP)
        for name, picture in {**pictures, "comparison": beside}.items():
            picture.save(folder / f"{prefix}{name}.png")
            written.append(f"{prefix}{name}.png")
    put("convergence.webp", shown.animation)
    put("loss.svg", shown.plot.encode())
    put("report.html", page_of(result, shown).encode())
    put("fit.json", (json.dumps(as_json(result), indent=2) + "\n").encode())
    return written


def table_of(result: Result) -> str:
    """What each view has for itself, a row for each view, under a head of names: what all of them have."""
    found = result.parameters
    rows = []
    for view in result.problem.views:
        own = {name.removeprefix(f"{view.name}."): value for name, value in found.items()
               if name.startswith(f"{view.name}.")}  # fmt: skip
        rows.append((view.name, own))
    names = [name for name in rows[0][1] if all(name in own for _, own in rows)]
    lines = [",".join(["file", *names])]
    lines += [",".join([name, *(repr(own[each]) for each in names)]) for name, own in rows]
    return "\n".join(lines) + "\n"


def as_json(result: Result) -> dict[str, Any]:
    """A result as plain numbers and words: versions, settings, seed, history, numbers, errors."""
    problem = result.problem
    bounds = {c: (lo, up) for f in problem.variables.free
              for c, lo, up in zip(f.components, f.lower.tolist(), f.upper.tolist(), strict=True)}  # fmt: skip
    rows = zip(result.components, result.start.tolist(), result.values.tolist(), result.stderr.values(), strict=True)
    return {
        "versions": {"diffrt": __version__, "numpy": np.__version__, "scipy": version("scipy")},
        "settings": vars(result.settings),
        "levels": [vars(level) for level in problem.levels],
        "views": [{"name": v.name, "pixels": int(v.used.sum()), "dark": int(v.photograph.dark.sum()),
                   "bright": int(v.photograph.bright.sum())} for v in problem.views],
        "ties": {follower: f.name for f in problem.variables.free for follower in f.followers},
        "parameters": {
            name: {"start": start, "value": value, "stderr": _finite(error), "lower": _finite(bounds[name][0]),
                   "upper": _finite(bounds[name][1])}
            for name, start, value, error in rows
        },
        "correlation": [[_finite(c) for c in row] for row in result.correlation.tolist()]
        if len(result.components) <= MOST_LISTED else None,
        "warnings": list(result.warnings),
        "loss": result.loss,
        "evaluations": result.evaluations,
        "seconds": round(result.seconds, 3),
        "converged": result.converged,
        "state": result.state,
        "reservations": list(result.reservations),
        "message": result.message,
        "noise": vars(result.noise),
        "residuals": {name: _finite(value) if isinstance(value, float) else value
                      for name, value in vars(result.misfit).items()},
        "starts": {str(number): loss for number, loss in sorted(result.starts.items())},
        "history": [
            {"level": step.level, "blur": step.blur, "loss": step.loss, "best": step.best, "moved": step.moved,
             "most": step.most, "seconds": round(step.seconds, 3), "values": step.values.tolist()}
            for step in result.history
        ],
    }  # fmt: skip


def _finite(bound: float) -> float | None:
    """JSON has neither infinity nor nan; null stands for no bound, and for an error that is not known."""
    return bound if np.isfinite(bound) else None
