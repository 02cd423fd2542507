"""Solving a fit: one search or many, with a journal in a folder."""

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from time import perf_counter

from diffrt.fit.journal import NAME, Journal, open_journal
from diffrt.fit.problem import Problem
from diffrt.fit.result import Result
from diffrt.fit.search import Progress, Search
from diffrt.fit.starts import Told, search_many


def solve(
    problem: Problem,
    progress: Progress | None = None,
    *,
    folder: str | Path | None = None,
    resume: bool = False,
    stop: Callable[[], bool] | None = None,
    executor: Executor | None = None,
    told: Told | None = None,
) -> Result:
    """Fit the free parameters to the targets.

    progress: called after each evaluation, with a Step. folder: where the state of the fit is kept after each of them;
    nowhere if None. resume: whether to go on from the state there. stop: asked after each evaluation whether to end
    with the best so far. executor: where the searches from many starts run; processes of this machine if None. told:
    called after each of those.
    The state is deleted when the fit has ended by itself; `outputs.write_result` writes what it found.
    Raises InputError if a free parameter has no influence at the start, and as `open_journal` and `search_many`.
    """
    begin = perf_counter()
    journal = open_journal(problem, folder, resume)
    before = journal.entries[-1].seconds if journal.entries else 0.0
    if problem.settings.starts > 1:
        found = search_many(problem, journal, executor, told, stop)
    else:
        found = Search(problem, journal, progress, stop).run(problem.variables.start)
    starts = {number: ended["loss"] for number, ended in journal.ended.items()}
    return Result(problem, found, before + perf_counter() - begin, starts)


def finish(result: Result, folder: str | Path) -> None:
    """Delete the state of a fit that has ended by itself."""
    if result.found.finished:
        Journal(Path(folder) / NAME).remove()
