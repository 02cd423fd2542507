"""Solving a fit with scipy's optimisers.

The residual is rendered image - target, in linear RGB, and the loss is the mean of its squares. The default is
scipy's `least_squares` (a trust region with bounds) with the Jacobian from forward mode; the methods of
`minimize` get the gradient of the loss from reverse mode. Numbers of a fit differ in size by orders of
magnitude, so `minimize` works on multiples of the size of each start value.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import mean, value_and_grad
from diffrt.fit.problem import BOUNDED, Problem
from diffrt.fit.uncertainty import uncertainty
from diffrt.render.renderer import jacobian, render
from diffrt.scene import Scene

Progress = Callable[[int, float], None]


@dataclass(frozen=True)
class Result:
    """The answer to a fit.

    scene: with the values found. components, start, values: the path of each free number, where it started and
    where it ended, (n,). loss: mean squared residual. history: the best loss after each evaluation.
    seconds: wall-clock time. converged: whether the optimiser was content; message: its own words.
    stderr: standard error of each number, (n,), infinite where the image does not determine it and nan at a bound;
    correlation: (n, n); warnings: what the image cannot tell, in words. See `uncertainty.py`.
    """

    scene: Scene
    components: tuple[str, ...]
    start: NDArray[np.float64]
    values: NDArray[np.float64]
    loss: float
    history: tuple[float, ...]
    evaluations: int
    seconds: float
    converged: bool
    message: str
    stderr: NDArray[np.float64]
    correlation: NDArray[np.float64]
    warnings: tuple[str, ...]


def solve(problem: Problem, progress: Progress | None = None) -> Result:
    """Fit the free parameters to the target.

    progress: called after each evaluation with its number and the loss there.
    """
    begin = time.perf_counter()
    start = problem.scene.pack(problem.free)
    tried = _Tried(progress)
    search = _least_squares if problem.method == "least_squares" else _minimize
    converged, message = search(problem, start, tried)
    values = tried.best_at
    scene, components = problem.scene.unpack(problem.free, values), problem.scene.components(problem.free)
    off = np.asarray(render(scene, problem.cells)) - problem.target
    slopes = jacobian(scene, problem.free, problem.cells).reshape(-1, len(values))
    held = (values <= problem.lower) | (values >= problem.upper)
    sure = uncertainty(slopes, off.ravel(), components, held)
    return Result(
        scene, components, start, values, tried.best, tuple(tried.history), len(tried.history),
        time.perf_counter() - begin, converged, message, sure.stderr, sure.correlation, sure.warnings,
    )  # fmt: skip


class _Tried:
    """What has been evaluated so far: the best point, and the course of the loss."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.history: list[float] = []
        self.best = np.inf
        self.best_at: NDArray[np.float64] = np.zeros(0)

    def add(self, at: NDArray[np.float64], loss: float) -> None:
        if loss < self.best or not self.history:
            self.best, self.best_at = loss, np.array(at)
        self.history.append(self.best)
        if self.progress:
            self.progress(len(self.history), loss)


def _least_squares(problem: Problem, start: NDArray[np.float64], tried: _Tried) -> tuple[bool, str]:
    from scipy.optimize import least_squares

    def residual(at: NDArray[np.float64]) -> Any:
        image = render(problem.scene.unpack(problem.free, at), problem.cells)
        off = np.asarray(image - problem.target).ravel()
        tried.add(at, float(np.mean(off * off)))
        return off

    def derivative(at: NDArray[np.float64]) -> Any:
        scene = problem.scene.unpack(problem.free, at)
        return jacobian(scene, problem.free, problem.cells).reshape(-1, len(at))

    done = least_squares(
        residual, start, derivative, bounds=(problem.lower, problem.upper), x_scale="jac",
        ftol=1e-14, xtol=1e-12, gtol=1e-14, max_nfev=problem.iterations,
    )  # fmt: skip
    return bool(done.success), str(done.message)


def _minimize(problem: Problem, start: NDArray[np.float64], tried: _Tried) -> tuple[bool, str]:
    from scipy.optimize import Bounds, minimize

    unit = np.maximum(np.abs(start), 0.1)

    def mean_square(at: Any) -> Any:
        off = render(problem.scene.unpack(problem.free, at), problem.cells) - problem.target
        return mean(off * off)

    # Relative to the start, so that the tolerances of every method mean the same for every target.
    scale = 1.0 / max(float(mean_square(start)), 1e-300)
    evaluate = value_and_grad(mean_square)

    def loss(scaled: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        at = scaled * unit
        if bounded:
            at = np.clip(at, problem.lower, problem.upper)  # rounding may carry a bound over itself
        elif (at < problem.lower).any() or (at > problem.upper).any():
            # No scene is there. An infinite loss makes a line search take a shorter step.
            return np.inf, np.zeros_like(at)
        value, gradient = evaluate(at)
        tried.add(at, value)
        return value * scale, gradient * unit * scale

    bounded = problem.method in BOUNDED
    limits = {"bounds": Bounds(problem.lower / unit, problem.upper / unit)} if bounded else {}
    most = "maxfun" if problem.method == "TNC" else "maxiter"
    tolerances = {"L-BFGS-B": {"ftol": 1e-15, "gtol": 1e-10}, "SLSQP": {"ftol": 1e-14}}.get(problem.method, {})
    options = {most: problem.iterations, **tolerances}
    with np.errstate(invalid="ignore"):
        done = minimize(loss, start / unit, jac=True, method=problem.method, options=options, **limits)
    return bool(done.success), str(done.message)
