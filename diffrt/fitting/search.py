"""The search of a fit, level by level.

The default is `least_squares`, a trust region of Gauss-Newton steps that keeps bounds (`trust_region.py`). It is given
what `evaluation.py` makes of the image: few residuals, with the same sums of squares as all of them. The other methods
are scipy's, and are given a gradient. Three things keep least squares from running away:

- In its first trust region the image changes, to first order, by at most FIRST of what it is off by.
- Where the coarsest level leaves much unexplained, it is tried a second time by way of a wider blur.
- Where a step would lead out of what derivatives know, it is refused, and a shorter one tried: if it moves a point by
  more than its reach, and if a parameter has no influence on the image after it (a ball that has left the view, or sunk
  into the floor); it would never come back, as nothing pulls any more.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import numpy as np

from diffrt.errors import InputError
from diffrt.fitting.bounds import Endless
from diffrt.fitting.crew import Crew
from diffrt.fitting.evaluation import Objective
from diffrt.fitting.forecast import FIRST as FIRST_TOLD
from diffrt.fitting.forecast import evaluations_left, seconds_left, work
from diffrt.fitting.influence import check_influence, parts, pulls
from diffrt.fitting.journal import Entry, Journal
from diffrt.fitting.level import Level
from diffrt.fitting.problem import Problem
from diffrt.fitting.residual import CURVED, Bend, sights, spread_of
from diffrt.fitting.settings import BOUNDED, SCALES
from diffrt.fitting.triangle import Triangle
from diffrt.fitting.trust_region import LEAST, Tolerances, least_squares
from diffrt.types import Array

FIRST = 1.0 / 0.03
"""How many times larger the change of the image by the first step may be than what the image is off by. It may be much
larger: where two numbers do almost the same to the image, a step that explains it moves both a long way."""

_TOLERANCES = {True: Tolerances(1e-3, 1e-3, 1e-14), False: Tolerances(1e-12, 1e-11, 1e-14)}
"""Of least squares where it is hasty, and at the end."""

_COARSE = {"L-BFGS-B": {"ftol": 1e-5}}
_FINE = {"L-BFGS-B": {"ftol": 1e-15, "gtol": 1e-10}, "SLSQP": {"ftol": 1e-14}}
COARSE_ITERATIONS = 30

SETTLED = 1e-2
"""A search ends where what is ahead is less than so many standard errors. Without noise these become zero with the
residuals, and it goes on."""

ROUGHLY = 0.1
"""The same on coarse levels, after which the search goes on anyway."""

STUCK = 0.2
"""A search also ends where a step did not lead down and less than that is ahead, or where the step itself was shorter
than SETTLED: what is left then are the smallest jumps of the image."""

PASSED_ON = 0.03
"""A coarse level that explains the target ends where the next step would lower the loss by a smaller part than that:
the next level finds it anyway."""

DIRECT = 3.0
"""It also ends with a step in which each number changes the image by at most so many times what is left: the next level
looks where that leads. In a longer one numbers make up for each other, and it may not lead where derivatives say."""

SETTLED_MESSAGE = f"the steps left to go are under {SETTLED:g} standard errors"

ROUNDING = 1e-15
"""Where the residuals are so small a part of the target, the image is the target's but for rounding."""

EXACT_MESSAGE = "the image is the target's but for rounding"

GOES_ON = "the next level goes on from here"

NEAR = 0.03
"""Where the next step lowers a robust loss by a smaller part than that, the loss curves as it does where differences
stay on their side of zero."""

TUNED = 1.345
"""The scale of a robust loss is so many times the spread of the differences: of a mean of normal ones it takes 5 %
more noise than squares would (Huber, Robust statistics, 1981)."""

FINEST_SCALE = 1e-6
"""It is at least this part of the target's root mean square."""

WIDE = 10.0
"""At first it is so many times wider. With 3 or 30 some fits took twice as many evaluations."""

STEADY = 0.95
"""It has settled if the differences suggest no smaller one than so many times itself."""

RESCALED = 6
"""So many times a search that has ended goes on with a smaller one, at most."""

TRIES = 20
"""Evaluations for each iteration that a gradient method may make on the whole: some have no bound of their own on the
shorter steps that they try, and on a flat loss they do not end."""

UNEXPLAINED = 5e-4
"""If more than this part of the target's power is left on the coarsest level, the search took a wrong turn there. A
level that leaves less explains the target."""

WIDER = 1.5
"""Then it is tried once more, from a blur that is so many times wider."""


@dataclass(frozen=True)
class Step:
    """An evaluation, as it is told.

    count: its number, from 1. level: the number of its level, and blur: of that, in pixels. loss: mean over the pixel
    values. best: the least loss of this level so far. moved, most: how far the values are from those of the last best
    point, and whose number moved most. values: (n,). seconds: since the fit began. left: how many more the search may
    take, nan if that is not known.
    """

    count: int
    level: int
    blur: float
    loss: float
    best: float
    moved: float
    most: str
    values: Array
    seconds: float
    left: float = np.nan


Progress = Callable[[Step], None]


@dataclass(frozen=True)
class Found:
    """The end of a search.

    u: (k,), at `loss` on the level that was reached. finished: whether that is the full image. converged: whether the
    optimiser was content; message: its own words. notes: in words. triangle: at u, if it is known. scale: of a robust
    loss.
    """

    u: Array
    loss: float
    finished: bool
    converged: bool
    message: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    triangle: Triangle | None = None
    scale: float | None = None


@dataclass(frozen=True)
class _Stage:
    """How one level is searched. scale: of a robust loss. hasty: whether its end may be rough, as it is not the fit's.
    first: see FIRST; 1 where a search goes on with what it has found."""

    scale: float | None
    hasty: bool
    first: float = FIRST


class _Stopped(Exception):
    """The search was asked to stop."""


class _Exhausted(Exception):
    """A gradient method has made as many evaluations as it may."""


@dataclass
class Search:
    """One search. stop: asked after each evaluation, and each view, whether to end there. crew: who folds the views,
    this process if None."""

    problem: Problem
    journal: Journal
    progress: Progress | None = None
    stop: Callable[[], bool] | None = None
    crew: Crew | None = None

    def run(self, start: Array) -> Found:
        """Search from coordinates (k,), through all levels. Raises InputError if a parameter has no influence there."""
        self.begin = perf_counter() - (self.journal.entries[-1].seconds if self.journal.entries else 0.0)
        self.steps: list[Step] = []
        self.notes: tuple[str, ...] = ()
        self.number, self.start, self.sure = -1, start, start
        self.moving = np.zeros(len(self.problem.variables.free), bool)
        coarsest, *finer = self.problem.levels
        try:
            converged, message = (self._search if finer else self._finish)(coarsest, start)
            if finer and self.best > UNEXPLAINED * self.black:
                self._try_wider(coarsest, start)
            for level in finer:
                search = self._finish if level.is_full else self._search
                converged, message = search(level, self.at, sure=self.sure)
        except _Stopped:
            steps = tuple(self.steps)
            return Found(self.at, self.best, False, False, "interrupted", steps, self.notes, scale=self.scale)
        return Found(self.at, self.best, True, converged, message, tuple(self.steps), self.notes, self.triangle,
                     self.scale)  # fmt: skip

    def _finish(self, level: Level, start: Array, sure: Array | None = None) -> tuple[bool, str]:
        """Search on the full image, to the end of the fit.

        The scale of a robust loss follows the spread of the differences down: far from the end they are large all over.
        At first it is wide. Where a silhouette is off by part of a pixel its differences are as large as those of
        outliers, and a loss that takes no notice of them does not put it right. Of a spot of a few pixels it then
        follows those that happen to suit, so where no coarser level has led the way, squares do, up to a rough end.
        """
        settings, variables = self.problem.settings, self.problem.variables
        if settings.loss == "squared":
            return self._search(level, start, sure=sure)
        seen = sights(self.problem.views, level, replace(settings, scale=None))
        # A blur spreads an outlier over all its neighbours: coarse levels may have led away from a good start.
        start = min(start, self.start, key=lambda u: spread_of(seen, variables.assign(u)))
        if sure is None and settings.method == "least_squares":
            self._search(level, start, _Stage(None, hasty=True))
            led, before = (spread_of(seen, variables.assign(u)) for u in (self.at, start))
            start = self.at if led < WIDE * before else start
        self.least_scale = max(FINEST_SCALE * np.sqrt(_black(Objective(variables, seen))), SCALES[0])
        first = self._suggested(WIDE * spread_of(seen, variables.assign(start)))
        # The steps of least squares tell the spread at their ends; those of a gradient method do not.
        hasty = settings.method != "least_squares"
        ended = self._search(level, start, _Stage(max(first, settings.scale or 0.0), hasty))
        for _ in range(RESCALED):
            spread = self.triangle.spread if self.triangle else spread_of(seen, variables.assign(self.at))
            scale = self._scale_after(spread)
            if scale == self.scale and not self.stage.hasty:
                break
            ended = self._search(level, self.at, _Stage(scale, hasty=False, first=1.0))
        return ended

    def _suggested(self, spread: float) -> float:
        """The scale of a robust loss for differences of such a spread."""
        return float(np.clip(TUNED * spread, self.least_scale, SCALES[1]))

    def _scale_after(self, spread: float) -> float | None:
        """The scale of a robust loss after a point with such a spread of the differences."""
        given = self.problem.settings.scale
        if self.scale is None or given is not None:
            return given
        suggested = self._suggested(spread)
        return suggested if suggested < STEADY * self.scale else self.scale

    def _search(
        self, level: Level, start: Array, stage: "_Stage | None" = None, sure: Array | None = None
    ) -> tuple[bool, str]:
        """Search on one level from coordinates (k,), to `self.at`; whether the optimiser was content, and its words.

        sure: where the search has come from, if nothing was evaluated at the start.
        """
        settings = self.problem.settings
        self.stage = stage or _Stage(settings.scale, hasty=not level.is_full)
        settings = replace(settings, scale=self.stage.scale)
        self.level, self.number = level, self.number + 1
        self.best, self.at, self.scale = np.inf, start, self.stage.scale
        self.triangle: Triangle | None = None
        self.aheads: list[float] = []
        self.limit = min(settings.iterations, COARSE_ITERATIONS) if self.stage.hasty else settings.iterations
        if self.crew:
            self.objective = Objective(self.problem.variables, (), partial(self.crew.folds, level, settings))
        else:
            self.objective = Objective(self.problem.variables, sights(self.problem.views, level, settings))
        if settings.method == "least_squares":
            return self._least_squares(start, start if sure is None else sure)
        return self._minimize(start)

    def _try_wider(self, level: Level, start: Array) -> None:
        """Search on a level once more, by way of a wider blur, and go on from the better end."""
        best, at = self.best, self.at
        self._search(self.problem.level(WIDER * level.blur), start)
        self._search(level, self.at, sure=self.sure)
        if self.best > best:
            self.best, self.at, self.sure = best, at, at

    def _tell(self, u: Array, loss: float, seconds: float, better: bool, here: Triangle | None = None) -> None:
        """Note an evaluation. better: than all before on this level. here: what is at u. Ends the search if that is
        asked."""
        variables = self.problem.variables
        values, before = variables.numbers(u), variables.numbers(self.at)
        change = np.abs(values - before)
        if better:
            self.best, self.at = loss, np.array(u)
            if here is not None:
                ahead, self.explained = self._ahead(here, u)
                self.aheads.append(ahead)
        step = Step(
            len(self.steps) + 1, self.number, self.level.blur, loss, self.best, float(change.max()),
            variables.components[int(change.argmax())], values, seconds, self._left(seconds),
        )  # fmt: skip
        self.steps.append(step)
        if self.progress:
            self.progress(step)
        self._ask()

    def _left(self, seconds: float) -> float:
        """How long the search still takes, in seconds, so many after it began; nan if that is not known."""
        if not self.aheads or len(self.steps) + 1 < FIRST_TOLD:
            return np.nan
        past = [(step.level, step.seconds) for step in self.steps] + [(self.number, seconds)]
        took = [(level, at - before) for (_, before), (level, at) in itertools.pairwise(past)]
        # The first evaluation of all is left out: it loads programs.
        here_took = [each for level, each in took if level == self.number]
        levels = [level for level in self.problem.levels if not level.is_full and level.blur < (self.level.blur or 0.0)]
        later = [*levels, *([] if self.level.is_full else [Level()])]
        robust, full = self.problem.settings.loss != "squared", self.level.is_full
        left = evaluations_left(
            len(here_took), self.number == 0, full, robust and full, self.aheads, self.explained, self._enough
        )
        explained = self.best <= UNEXPLAINED * self.black
        if explained and not full:
            left = 0
        later_work = [self._work(level) for level in later]
        return seconds_left(here_took, self._work(self.level), left, later_work, robust, explained)

    @property
    def _enough(self) -> float:
        """So many standard errors ahead are few enough to end with."""
        return ROUGHLY if self.stage.hasty else SETTLED

    def _work(self, level: Level) -> int:
        """What an evaluation on a level takes, in pixels."""
        sizes = [view.used.size for view in self.problem.views]
        return work(len(sizes), sum(sizes) * self.problem.settings.cells**2 // level.factor**2)

    def _ask(self) -> None:
        """End the search if that is asked."""
        if self.stop and self.stop():
            raise _Stopped

    def _answer(self, u: Array, compute: Callable[[], Array]) -> tuple[Array, float]:
        """What is at u, from the journal or computed, and when it was, in seconds. Raises InputError if not finite."""
        known = self.journal.recall(self.number, u)
        if known is None:
            answer = compute()
            if not np.isfinite(answer).all():
                raise InputError("free: the image or its derivative is not finite; give another start, or bounds")
            known = Entry(self.number, np.array(u), answer, perf_counter() - self.begin)
            self.journal.add(known)
        return known.answer, known.seconds

    def _least_squares(self, start: Array, sure: Array) -> tuple[bool, str]:
        kept: dict[bytes, tuple[Triangle, bool]] = {}
        # A step that nobody has looked at must not have led out of what derivatives know.
        moving = self.moving if sure is not start else np.zeros_like(self.moving)
        layout, reach = self.objective.layout, self.problem.variables.reach
        names = [view.name for view in self.problem.views]

        def triangle(u: Array) -> tuple[Triangle, bool]:
            """What is at u, and whether the step there is refused."""
            key = u.tobytes()
            if key not in kept:
                if len(kept) > 1:
                    del kept[next(iter(kept))]
                scale = self._scale_after(self.triangle.spread) if self.triangle else self.scale
                bend = None
                if scale is not None and self.scale is not None:
                    bend = Bend(scale, self.scale, CURVED if self._near else 1.0)
                answer, seconds = self._answer(u, lambda: self._folded(u, bend).packed)
                found = Triangle.unpacked(layout, answer, self.problem.settings.loss, names)
                refused = bool((moving & (self._influence(found) == 0.0)).any())
                kept[key] = found, refused
                better = (found.cost + found.rescaled) / found.size < self.best and not refused
                if better:
                    self.triangle, self.scale, self.bent = found, scale, self._near
                self.black = found.power / found.size
                self._tell(u, found.cost / found.size, seconds, better, found)
            return kept[key]

        start, first = self._first(triangle, start, sure)
        moving = self.moving = self._influence(first) > 0.0
        if self.number == 0:
            self.notes = pulls(self.problem, first)

        def evaluate(u: Array, before: Array) -> Triangle | None:
            if (np.abs(u - before) > reach).any():
                return None
            try:
                found, refused = triangle(u)
            except InputError:  # such as a camera on its target: no scene is there
                return None
            return None if refused else found

        def settled(u: Array, here: Triangle, tried: Array, lower: bool) -> str | None:
            """Words to end with, if what is ahead is small. tried: the last step. lower: whether it led to u, and
            down."""
            if here.cost <= ROUNDING**2 * here.power:
                return EXACT_MESSAGE
            *_, before, ahead = np.inf, *self.aheads
            # Steps that shrink by a factor add up to 1 / (1 - factor) times the next one.
            rest = ahead / (1.0 - ahead / before) if ahead < before else np.inf
            small = rest < self._enough if lower else ahead < STUCK or self._errors(here, here.change(tried)) < SETTLED
            if self.triangle and self._scale_after(self.triangle.spread) != self.scale:
                return None
            if self.scale is not None and not self.bent:
                return None
            if lower and not self.level.is_full and self.best <= UNEXPLAINED * self.black:
                small = small or self.explained < PASSED_ON
            return SETTLED_MESSAGE if small else None

        def last(here: Triangle, step: Array) -> str | None:
            """Words to end with, if the next level may look where a step leads."""
            explained = not self.level.is_full and here.cost <= UNEXPLAINED * here.power
            direct = bool((np.abs(step) * here.lengths <= DIRECT * np.sqrt(here.cost)).all())
            return GOES_ON if explained and direct and (np.abs(step) <= reach).all() else None

        with np.errstate(all="ignore"):
            done = least_squares(
                evaluate, start, self.problem.variables.bounds, self.stage.first * np.sqrt(first.cost) or 1.0,
                _TOLERANCES[self.stage.hasty], self.limit, settled, last,
            )  # fmt: skip
        self.sure = self.at
        if done.message == GOES_ON:
            self.at = done.u
        return done.converged, done.message

    def _first(
        self, triangle: Callable[[Array], tuple[Triangle, bool]], start: Array, sure: Array
    ) -> tuple[Array, Triangle]:
        """Where a level begins and what is there: at the start, or, if that is no good, where the search came from.

        triangle: what is at a point, and whether a step there is refused.
        """
        if sure is start:
            return start, triangle(start)[0]
        try:
            found, refused = triangle(start)
        except InputError:  # no scene is there
            return sure, triangle(sure)[0]
        if not refused and found.cost <= UNEXPLAINED * found.power:
            return start, found
        before, _ = triangle(sure)
        return (sure, before) if refused or before.cost < found.cost else (start, found)

    def _ahead(self, here: Triangle, u: Array) -> tuple[float, float]:
        """The next step, as a Gauss-Newton one, in standard errors, and the part of the loss that it explains.

        With J = Q R and residuals of variance s^2, a step p is |R p| / s standard errors long, at most, in any number;
        in those of a view |T_v p_v + S_v p_s| / s, given the shared ones. What a bound holds does not move.
        """
        lower, upper = self.problem.variables.bounds
        held = ((u <= lower) & (here.slope > 0.0)) | ((u >= upper) & (here.slope < 0.0))
        free = here.without(held)
        step = free.damped(np.where(held | (free.lengths == 0.0), 1.0, np.sqrt(LEAST) * free.lengths)).step
        change = free.change(step)
        return self._errors(here, change), float(change @ change / max(here.cost, 1e-300))

    def _errors(self, here: Triangle, change: Array) -> float:
        """What changes the residuals so much, as `Triangle.change` says, in standard errors."""
        left = max(here.count - here.layout.size, 1)
        return float(change.max() * np.sqrt(left / max(here.cost, 1e-300)))

    @property
    def _near(self) -> bool:
        """Whether what is ahead is so little that differences stay on their side of zero."""
        return bool(self.aheads) and self.explained < NEAR

    def _folded(self, u: Array, bend: Bend | None) -> Triangle:
        found = self.objective.triangle(u, self._ask, bend)
        if not self.steps:
            check_influence(self.problem, found)
        return found

    def _influence(self, triangle: Triangle) -> Array:
        """How much the image changes with each free parameter."""
        return np.array([np.linalg.norm(triangle.lengths[at]) for at in parts(self.problem)])

    def _minimize(self, start: Array) -> tuple[bool, str]:
        from scipy.optimize import Bounds, minimize

        method = self.problem.settings.method
        lower, upper = self.problem.variables.bounds
        bounded = method in BOUNDED
        if self.number == 0:
            first = self.objective.triangle(start)
            check_influence(self.problem, first)
            self.notes = pulls(self.problem, first)
        self.black = _black(self.objective)
        endless = None if bounded else Endless(lower, upper)
        begin = endless.outside(start) if endless else start
        # Numbers of a fit differ in size by orders of magnitude, and a gradient method does not see it.
        unit = np.maximum(np.abs(begin), 0.1)

        kept: dict[bytes, Array] = {}
        tries = 0

        def evaluate(u: Array) -> tuple[float, Array]:
            key = u.tobytes()
            if key not in kept:
                kept.clear()
                kept[key], seconds = self._answer(u, lambda: np.append(*self.objective.gradient(u)[::-1]))
                value = float(kept[key][-1])
                self._tell(u, value, seconds, value < self.best)
            return float(kept[key][-1]), kept[key][:-1]

        # Relative to the start, so that the tolerances of every method mean the same for every target.
        scale = 1.0 / max(evaluate(start)[0], 1e-300)

        def loss(scaled: Array) -> tuple[float, Array]:
            nonlocal tries
            tries += 1
            if tries > TRIES * self.limit:
                raise _Exhausted
            # Rounding may carry a bound over itself.
            u, moved = endless.inside(scaled * unit) if endless else (np.clip(scaled * unit, lower, upper), 1.0)
            try:
                value, slope = evaluate(u)
            except InputError:  # no scene is there; a line search takes a shorter step
                return np.inf, np.zeros_like(u)
            return value * scale, slope * moved * unit * scale

        limits = {"bounds": Bounds(lower / unit, upper / unit)} if bounded else {}
        most = "maxfun" if method == "TNC" else "maxiter"
        options = {most: self.limit, **(_COARSE if self.stage.hasty else _FINE).get(method, {})}
        try:
            with _silence():
                done = minimize(loss, begin / unit, jac=True, method=method, options=options, **limits)
        except _Exhausted:
            return False, f"ended after {TRIES} evaluations for each of {self.limit} iterations"
        return bool(done.success), str(done.message)


@contextmanager
def _silence() -> Iterator[None]:
    """No warnings of numpy and scipy: an optimiser tries points without a scene, and what is not finite is refused."""
    from scipy.optimize import OptimizeWarning

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", OptimizeWarning)
        warnings.filterwarnings("ignore", module="scipy")
        yield


def _black(objective: Objective) -> float:
    """The mean loss, if it is the square, of a black image."""
    return objective.power / objective.size


def coarse_loss(problem: Problem, start: Array) -> float:
    """The loss at coordinates (k,) on the coarsest level, infinite where there is no scene."""
    settings, level = replace(problem.settings, cells=1), problem.levels[0]
    objective = Objective(problem.variables, sights(problem.views, level, settings))
    try:
        return objective.value(start)
    except InputError:
        return np.inf
