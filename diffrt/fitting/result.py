"""The answer to a fit: what was found, how sure it is, and how it was found."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.fitting.evaluation import Objective
from diffrt.fitting.level import Level
from diffrt.fitting.problem import Problem
from diffrt.fitting.residual import sights
from diffrt.fitting.search import Found, Step
from diffrt.fitting.uncertainty import Uncertainty, uncertainty
from diffrt.fitting.variables import by_name
from diffrt.scene import Scene

Array = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Result:
    """What a fit found.

    problem: what was asked. found: where the search ended. seconds: wall-clock time. starts: for a fit from many, the
    loss that each search ended with, by the number of its point.
    Printing it gives a table.
    """

    problem: Problem
    found: Found
    seconds: float
    starts: dict[int, float]

    @cached_property
    def scene(self) -> Scene:
        """The fitted scene."""
        values = self.problem.variables.assign(self.found.u)
        scene = self.problem.scene
        return scene.replace({path: value for path, value in values.items() if path in scene})

    @property
    def components(self) -> tuple[str, ...]:
        """The path of each free number, (n,)."""
        return self.problem.variables.components

    @property
    def values(self) -> Array:
        """The numbers that were found, (n,), in the order of `components`."""
        return self.problem.variables.numbers(self.found.u)

    @property
    def start(self) -> Array:
        """Where the search began, (n,)."""
        return self.history[0].values if self.history else self.problem.variables.numbers(self.problem.variables.start)

    @property
    def parameters(self) -> dict[str, float]:
        """The numbers that were found, by the path of each."""
        return dict(by_name(self.problem.variables, self.values))

    @property
    def stderr(self) -> dict[str, float]:
        """The standard error of each number: inf if the image does not determine it, nan if it is at a bound."""
        return dict(by_name(self.problem.variables, self.uncertainty.stderr))

    @property
    def correlation(self) -> Array:
        """The correlations of the numbers, (n, n), in the order of `components`."""
        return self.uncertainty.correlation

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was noticed in the files, and what the image cannot tell, in words."""
        of_files = (note for view in self.problem.views for note in view.photograph.notes)
        return (*of_files, *self.found.notes, *self.uncertainty.warnings)

    @property
    def loss(self) -> float:
        """The mean loss over the pixel values; for the squared loss, their mean squared difference."""
        return self.found.loss

    @property
    def history(self) -> tuple[Step, ...]:
        """Every evaluation."""
        return self.found.steps

    @property
    def evaluations(self) -> int:
        """How many there were."""
        return len(self.history)

    @property
    def converged(self) -> bool:
        """Whether the optimiser was content, on the full image."""
        return self.found.finished and self.found.converged

    @property
    def message(self) -> str:
        """Why the search ended, in the optimiser's words."""
        return self.found.message

    @cached_property
    def uncertainty(self) -> Uncertainty:
        """How sure the numbers are."""
        problem, u, found = self.problem, self.found.u, self.found.triangle
        if found is None:
            found = Objective(problem.variables, sights(problem.views, Level(), problem.settings)).triangle(u)
        lower, upper = problem.variables.bounds
        # An optimiser stops a little inside of a bound.
        near = 1e-8 * np.maximum(np.abs(u), 1e-3)
        return uncertainty(
            found.jacobian, found.residual, problem.variables.labels, (u - lower <= near) | (upper - u <= near),
            found.count, problem.variables.slopes(u), problem.variables.components,
        )  # fmt: skip

    def report(self, path: str | Path) -> None:
        """Write a page with pictures, course and table to one HTML file. Raises InputError if it cannot be written."""
        from diffrt.files import write_whole
        from diffrt.fitting.page import page_of
        from diffrt.fitting.pictures import show

        write_whole(path, page_of(self, show(self)).encode())

    def _repr_html_(self) -> str:
        """What a notebook shows: the numbers, and target, result and difference of each view."""
        from diffrt.fitting.page import card_of

        return card_of(self)

    def __str__(self) -> str:
        width = max(map(len, self.components))
        rows = zip(self.components, self.start, self.values, self.uncertainty.stderr, strict=True)
        lines = [f"{name:<{width}}  {a:>12.6g}  ->  {b:>12.6g}  {error_text(e)}" for name, a, b, e in rows]
        if (more := len(lines) - MOST_LISTED) > 0:
            lines = [*lines[: MOST_LISTED // 2], f"and {more} more", *lines[-(MOST_LISTED // 2) :]]
        lines += [f"note: {warning}" for warning in self.warnings]
        state = "converged" if self.converged else "interrupted" if self.message == "interrupted" else "stopped"
        levels = len({step.level for step in self.history})
        of = f" on {levels} levels" if levels > 1 else ""
        lines.append(f"{state} after {self.evaluations} evaluations{of}, {self.seconds:.1f} s, loss {self.loss:.4g}")
        if len(self.starts) > 1:
            same = sum(loss <= self.loss * 1.01 + 1e-20 for loss in self.starts.values())
            lines.append(f"{len(self.starts)} starts were searched from; {same} of them ended at this loss")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("problem", "found", "seconds", "starts")}


MOST_LISTED = 64
"""So many numbers are listed one by one where a person reads them, and have their correlations given: of the texels of
a bitmap these would be millions."""


def error_text(error: float) -> str:
    """A standard error in words."""
    if np.isnan(error):
        return "at its bound"
    return f"+- {error:.2g}" if np.isfinite(error) else "not determined"
