"""The answer to a fit: what was found, how sure it is, and how it was found."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from diffrt.autograd import pushforward
from diffrt.fitting.bias import biases
from diffrt.fitting.evaluation import Objective
from diffrt.fitting.few import of_few_pixels
from diffrt.fitting.level import Level
from diffrt.fitting.misfit import Misfit, misfit
from diffrt.fitting.noise import Noise, estimate
from diffrt.fitting.problem import Problem
from diffrt.fitting.residual import encode, sights
from diffrt.fitting.scatter import Field, scatter
from diffrt.fitting.search import Found, Step
from diffrt.fitting.settings import Settings
from diffrt.fitting.threads import in_one_thread
from diffrt.fitting.trust import trusted
from diffrt.fitting.uncertainty import Trust, Uncertainty, uncertainty
from diffrt.fitting.uncertainty_by_view import uncertainty_by_view
from diffrt.fitting.variables import by_name
from diffrt.scene import Scene
from diffrt.types import Array


@dataclass(frozen=True, repr=False)
class Result:
    """What a fit found.

    problem: what was asked. found: where the search ended. seconds: wall-clock time. starts: for a fit from many, the
    loss that each search ended with, by the number of its point. fields: what each view leaves behind, if it is known.
    Printing it gives a table.
    """

    problem: Problem
    found: Found
    seconds: float
    starts: dict[int, float]
    fields: tuple[tuple[Field, ...], int] | None = None

    @cached_property
    def scene(self) -> Scene:
        """The fitted scene."""
        values = self.problem.variables.assign(self.found.u)
        scene = self.problem.scene
        return scene.replace({path: value for path, value in values.items() if path in scene})

    @property
    def scenes(self) -> dict[str, Scene]:
        """The fitted scene of each view, with what is its own, by its name."""
        values = self.problem.variables.assign(self.found.u)
        return {view.name: view.placed(values) for view in self.problem.views}

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
        """The correlations of the numbers, (n, n), in the order of `components`: nan where the image does not determine
        a number, and between those of different views; empty for more than 1,024 numbers."""
        return self.uncertainty.correlation

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was noticed in the files, and what the image cannot tell, in words."""
        of_files = (note for view in self.problem.views for note in view.photograph.notes)
        return (
            *of_files, *self.problem.notes, *self.misfit.words, *self._scale_words(), *self.found.notes,
            *self.uncertainty.warnings,
        )  # fmt: skip

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

    @property
    def settings(self) -> Settings:
        """How it was searched, with the scale of a robust loss that was used."""
        return replace(self.problem.settings, scale=self.found.scale)

    @cached_property
    def _objective(self) -> Objective:
        return Objective(self.problem.variables, sights(self.problem.views, Level(), self.settings))

    @cached_property
    @in_one_thread
    def _fields(self) -> tuple[tuple[Field, ...], int]:
        return self.fields or self._objective.fields(self.found.u)

    @property
    def residuals(self) -> tuple[Array, ...]:
        """Of each view, (height, width, 3), as the fit counts them: nan where they do not count."""
        return tuple(field.pixels for field in self._fields[0])

    @cached_property
    @in_one_thread
    def noise(self) -> Noise:
        """That of the camera, as it was given, or as the residuals show it."""
        if given := self.problem.settings.noise:
            return Noise(*given, given=True)
        return estimate(self.residuals, map(self._light, range(len(self.problem.views))))

    def noise_variance(self, view: int) -> Array:
        """Of the pixels of a view, by its number, by noise alone: (height, width, 3), in the space of the fit."""
        light = self._light(view)
        found = self.noise.variance(light)
        if not self.noise.given or self.problem.settings.space == "linear":
            return found
        return found * _slope(light) ** 2

    def _light(self, view: int) -> Array:
        return np.asarray(self.problem.views[view].counted.photograph.image)

    @cached_property
    def misfit(self) -> Misfit:
        """How the residuals compare with the noise of the camera."""
        sure = self.uncertainty
        assert sure.scatter is not None
        views = range(len(self.problem.views))
        brightness = np.sqrt(np.mean([np.mean(self._light(view) ** 2) for view in views]))
        return misfit(
            self.residuals, map(self.noise_variance, views), self.noise.given, sure.scatter, sure.widened,
            len(self.found.u), float(brightness),
        )  # fmt: skip

    @property
    def state(self) -> str:
        """How the search ended: "converged", "converged with reservations", "stopped" or "interrupted"."""
        if not self.converged:
            return "interrupted" if self.message == "interrupted" else "stopped"
        return "converged with reservations" if self.reservations else "converged"

    @property
    def reservations(self) -> tuple[str, ...]:
        """Why a fit that has converged may be wrong all the same, in words."""
        model = () if self.misfit.explained else ("the model does not explain the image",)
        return (*self.uncertainty.tight, *model)

    @property
    def _is_robust(self) -> bool:
        """Whether the loss has trusted pixels less that are far off."""
        return self.problem.settings.loss != "squared"

    def _scale_words(self) -> tuple[str, ...]:
        """A note if the scale of a robust loss, that somebody gave, does nothing, or everything."""
        loss, scale = self.problem.settings.loss, self.problem.settings.scale
        if loss == "squared" or scale is None:
            return ()
        sizes = np.concatenate([np.abs(off[np.isfinite(off)]) for off in self.residuals])
        # Half the derivative of the loss is nowhere larger than the scale, and this at the scale itself.
        beyond = float(np.mean(sizes >= scale * (1.0 - 1e-9 if loss == "huber" else np.sqrt(0.5))))
        without = "; without it, the scale follows the spread of the differences"
        if beyond == 0.0:
            return (f"scale: {scale:g} does nothing, as all differences are smaller at the end{without}",)
        if beyond > 0.5:
            return (f"scale: {scale:g} is less than {100 * beyond:.0f} % of the differences at the end{without}",)
        return ()

    @cached_property
    @in_one_thread
    def uncertainty(self) -> Uncertainty:
        """How sure the numbers are."""
        problem, u, found = self.problem, self.found.u, self.found.triangle
        if found is None:
            found = self._objective.triangle(u)
        fields, block = self._fields
        lower, upper = problem.variables.bounds
        # An optimiser stops a little inside of a bound.
        near = 1e-8 * np.maximum(np.abs(u), 1e-3)
        held = (u - lower <= near) | (upper - u <= near)
        few = of_few_pixels(self._objective, found, fields, u, (lower, upper), held)
        if found.layout.groups:
            names = [view.name for view in problem.views]
            return uncertainty_by_view(found, fields, names, block, problem.variables, u, held, few, self._is_robust)
        places = {view.name: np.arange(len(u)) for view in problem.views}
        bread, trust, weighted = found.jacobian.T @ found.jacobian, None, fields
        again = None if self._is_robust else trusted(found.layout, places, fields, held)
        if again is not None:
            jacobian, weighted = again.triangle.jacobian, again.fields
            bread_again = jacobian.T @ jacobian
            trust = Trust(jacobian, again.step, lambda covariance: scatter(weighted, covariance, bread_again, block))
        bias = biases(found.layout, places, weighted, block, held)
        return uncertainty(
            found.jacobian, found.residual, problem.variables.labels, held,
            found.count, problem.variables.slopes(u), problem.variables.components,
            lambda covariance: scatter(fields, covariance, bread, block), bias.all, trust, few[0],
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
        lines.append(self.summary)
        if len(self.starts) > 1:
            same = sum(loss <= self.loss * 1.01 + 1e-20 for loss in self.starts.values())
            lines.append(f"{len(self.starts)} starts were searched from; {same} of them ended at this loss")
        return "\n".join(lines)

    @property
    def summary(self) -> str:
        """How the search ended, in a line."""
        levels = len({step.blur for step in self.history})
        of = f" on {levels} levels" if levels > 1 else ""
        first, more = self.reservations[:2], len(self.reservations) - 2
        reasons = "; ".join([*first, f"and {more} more"] if more > 0 else first) if self.converged else ""
        after = f"after {self.evaluations} evaluations{of}, {self.seconds:.1f} s, loss {self.loss:.4g}"
        return f"{self.state} {after}" + (f": {reasons}" if reasons else "")

    def __repr__(self) -> str:
        return str(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("problem", "found", "seconds", "starts")}


def _slope(light: Array) -> Array:
    """The derivative of the sRGB curve at linear values of any shape."""
    return np.asarray(pushforward(encode, [light], [[np.ones_like(light)]])[1][0])


MOST_LISTED = 64
"""So many numbers are listed one by one where a person reads them, and have their correlations given: of the texels of
a bitmap these would be millions."""


def error_text(error: float) -> str:
    """A standard error in words."""
    if np.isnan(error):
        return "at its bound"
    return f"+- {error:.2g}" if np.isfinite(error) else "not determined"
