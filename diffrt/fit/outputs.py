"""What a fit leaves in its folder: the fitted scene, pictures, and fit.json. Every file is written whole."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

from diffrt import __version__
from diffrt.errors import InputError
from diffrt.files import write_whole
from diffrt.fit.problem import Problem
from diffrt.fit.solver import Result
from diffrt.image import Image, diverging, side_by_side
from diffrt.render.renderer import render

GAP = 2
"""Pixels between the pictures that are side by side."""


def make_folder(folder: str | Path) -> Path:
    """The folder, made if it is missing. Raises InputError if it cannot be."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise InputError(f"{folder}: cannot be made a folder: {fault.strerror}") from None
    return Path(folder)


def write_result(problem: Problem, result: Result, folder: str | Path) -> None:
    """Write fitted.toml, result.png, target.png, comparison.png and fit.json.

    The comparison shows target, result, and result - target (mean of the channels) from blue over white to red.
    Raises InputError if the folder or a file cannot be written.
    """
    folder = make_folder(folder)
    image = render(result.scene, problem.cells)
    difference, scale = diverging(np.asarray(image - problem.target).mean(-1))
    result.scene.save(folder / "fitted.toml")
    image.save(folder / "result.png")
    Image(problem.target).save(folder / "target.png")
    side_by_side([problem.target, image, difference], GAP).save(folder / "comparison.png")
    report = {
        "versions": {"diffrt": __version__, "numpy": np.__version__, "scipy": version("scipy")},
        "method": problem.method,
        "cells": problem.cells,
        "parameters": {
            name: {"start": start, "value": value, "stderr": _finite(error), "lower": _finite(lower),
                   "upper": _finite(upper)}
            for name, start, value, error, lower, upper in zip(
                result.components, result.start.tolist(), result.values.tolist(), result.stderr.tolist(),
                problem.lower.tolist(), problem.upper.tolist(), strict=True,
            )
        },
        "correlation": [[_finite(c) for c in row] for row in result.correlation.tolist()],
        "warnings": list(result.warnings),
        "loss": result.loss,
        "difference_scale": scale,
        "evaluations": result.evaluations,
        "seconds": round(result.seconds, 3),
        "converged": result.converged,
        "message": result.message,
        "history": list(result.history),
    }  # fmt: skip
    write_whole(folder / "fit.json", (json.dumps(report, indent=2) + "\n").encode())


def _finite(bound: float) -> float | None:
    """JSON has neither infinity nor nan; null stands for no bound, and for an error that is not known."""
    return bound if np.isfinite(bound) else None
