"""Solving a fit: one search or many, with a journal and results in a folder that nobody else writes to meanwhile."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from diffrt.compiler.engine import processors
from diffrt.files import locked
from diffrt.fitting.crew import Crew, can_travel
from diffrt.fitting.journal import NAME, Journal, open_journal
from diffrt.fitting.outputs import write_result
from diffrt.fitting.problem import Problem
from diffrt.fitting.processes import Processes
from diffrt.fitting.result import Result
from diffrt.fitting.search import Progress, Search
from diffrt.fitting.starts import Told, search_many
from diffrt.fitting.threads import in_one_thread

MANY = 12
"""Views from which on it is worth a second to start processes that fold them."""


@in_one_thread
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
    with the best so far. executor: where the searches from many starts run, or the views are folded; processes of this
    machine if None. told: called after each search from many starts.
    The state stays until `solve_into` has written the results.
    Raises InputError if a free parameter has no influence at the start, and as `open_journal` and `search_many`.
    """
    begin = perf_counter()
    journal = open_journal(problem, folder, resume)
    before = journal.entries[-1].seconds if journal.entries else 0.0
    fields = None
    if problem.settings.starts > 1:
        found = search_many(problem, journal, executor, told, stop)
    else:
        with _crew(problem, executor) as crew:
            found = Search(problem, journal, progress, stop, crew).run(problem.variables.start)
            if crew and found.finished:
                fields = crew.fields(replace(problem.settings, scale=found.scale), found.u)
    starts = {number: ended["loss"] for number, ended in journal.ended.items()}
    return Result(problem, found, before + perf_counter() - begin, starts, fields)


@contextmanager
def _crew(problem: Problem, executor: Executor | None) -> Iterator[Crew | None]:
    """Who folds the views, None if that is this process itself."""
    if problem.settings.method != "least_squares" or not can_travel(problem):
        yield None
    elif executor is not None:
        yield Crew(problem, executor)
    elif len(problem.views) < MANY or processors() == 1:
        yield None
    else:
        workers = Processes()
        try:
            yield Crew(problem, workers)
        finally:
            workers.shutdown(cancel_futures=True)


def solve_into(
    problem: Problem, folder: str | Path, progress: Progress | None = None, **options: Any
) -> tuple[Result, list[str]]:
    """Fit the free parameters to the targets, and write what was found into a folder.

    progress and the options are those of `solve`. Returns the result, and the names of the files.
    Raises InputError as `solve` and `write_result` do, and if another fit is running in the folder.
    """
    with locked(folder, "another fit is running in it; wait until it ends, or give another folder"):
        result = solve(problem, progress, folder=folder, **options)
        written = write_result(result, folder)
        if result.found.finished:
            Journal(Path(folder) / NAME).remove()
    return result, written
