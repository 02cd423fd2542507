"""Many starts: points in the bounds, ranked by a look at the coarsest level, the best of them searched from.

The points are Sobol's, scrambled (Owen, 1998), which cover a box more evenly than random ones do. The first of them is
replaced by the start that was given. Whatever has the methods of `concurrent.futures.Executor` runs the work: processes
of this machine, or a cluster.
"""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from diffrt.errors import InputError
from diffrt.fitting.journal import Journal
from diffrt.fitting.problem import Problem
from diffrt.fitting.search import Found, Search, Step, coarse_loss
from diffrt.types import Array

PATIENCE = 0.2
"""Seconds between two questions whether to stop."""

Told = Callable[[int, int, float], None]
"""Called after each search with how many have ended, how many there are, and the least loss so far."""


def points(problem: Problem) -> Array:
    """The starts, (starts, k), the given one first. Raises InputError for a free number without bounds."""
    from scipy.stats import qmc

    lower, upper = problem.variables.bounds
    infinite = ~(np.isfinite(lower) & np.isfinite(upper))
    endless = [label for label, unbound in zip(problem.variables.labels, infinite, strict=True) if unbound]
    # A direction is anywhere on the sphere, so its coordinates are drawn from a half of it around the start.
    turning = np.array([f.kind == "direction" for f in problem.variables.free for _ in range(f.size)])
    missing = [label for label, turns in zip(endless, turning[infinite], strict=True) if not turns]
    if missing:
        raise InputError(
            f"starts: points are drawn between bounds; give a lower and an upper one for {', '.join(missing)}"
        )
    lower, upper = np.where(turning, -1.4, lower), np.where(turning, 1.4, upper)
    count = problem.settings.starts
    engine = qmc.Sobol(len(lower), seed=np.random.default_rng(problem.settings.seed))
    drawn = engine.random_base2(int(np.ceil(np.log2(max(count, 2)))))[:count]
    found: Array = lower + drawn * (upper - lower)
    found[0] = problem.variables.start
    return found


def search_many(
    problem: Problem,
    journal: Journal,
    executor: Executor | None = None,
    told: Told | None = None,
    stop: Callable[[], bool] | None = None,
) -> Found:
    """The best search of many; how each of them ended is in the journal.

    executor: where the searches run; processes of this machine if None. Searches that are in the journal are not run
    again. Raises InputError if no start leads anywhere.
    """
    starts = points(problem)
    journal.write()
    faults: list[InputError] = []
    asked, others = False, active_children()
    for attempt in range(2):
        try:
            with _workers(executor) as workers:
                losses = np.array(list(workers.map(coarse_loss, [problem] * len(starts), list(starts))))
                order = [int(n) for n in np.argsort(losses, kind="stable") if np.isfinite(losses[n])]
                chosen = order[: problem.settings.refine]
                waiting: dict[Future[Any], int] = {
                    workers.submit(_refined, problem, starts[n]): n for n in chosen if n not in journal.ended
                }
                while waiting and not asked:
                    for done in wait(waiting, PATIENCE, FIRST_COMPLETED).done:
                        try:
                            journal.end(waiting.pop(done), done.result())
                        except InputError as fault:  # a start without influence, say; others may lead on
                            faults.append(fault)
                        if told:
                            least = min((ended["loss"] for ended in journal.ended.values()), default=np.inf)
                            told(len(chosen) - len(waiting), len(chosen), least)
                    asked = bool(stop and stop())
                for future in waiting:
                    future.cancel()
                if asked and executor is None:
                    _end(others)
            break
        except BrokenProcessPool:
            # A process was killed, perhaps for memory. What has ended is in the journal; the rest is tried once more.
            if asked:
                break
            if attempt:
                raise InputError("starts: processes were killed twice; is there enough memory?") from None
    if not journal.ended:
        if asked:  # the start that looked best, as it is
            return Search(problem, Journal(), stop=lambda: True).run(starts[order[0]])
        raise faults[0] if faults else InputError("starts: at none of the points there is a scene; check the bounds")
    best = journal.ended[min(journal.ended, key=lambda n: (journal.ended[n]["loss"], n))]
    steps = tuple(Step(**{**step, "values": np.array(step["values"])}) for step in best["steps"])
    message = "interrupted" if asked else best["message"]
    converged = best["converged"] and not asked
    return Found(np.array(best["u"]), best["loss"], not asked, converged, message, steps, (), scale=best["scale"])


def _refined(problem: Problem, start: Array) -> dict[str, Any]:
    """A search from one start. What comes back is small, and JSON."""
    found = Search(problem, Journal()).run(start)
    steps = [{**vars(step), "values": step.values.tolist()} for step in found.steps]
    return {"u": found.u.tolist(), "loss": found.loss, "converged": found.converged, "message": found.message,
            "steps": steps, "scale": found.scale}  # fmt: skip


@contextmanager
def _workers(executor: Executor | None) -> Iterator[Executor]:
    if executor is not None:
        yield executor
        return
    # Started afresh: a copy of this process would hold the locks of its threads.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _deaf) as pool:
        yield pool


def _deaf() -> None:
    """Ctrl-C goes to every process of a terminal; what is done then is for the first one to say."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end(others: list[BaseProcess]) -> None:
    """End the processes of our pool in the middle of their work: all children of this one but some others."""
    for child in active_children():
        if child not in others:
            child.terminate()
