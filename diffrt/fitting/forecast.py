"""How long a search still takes, from what it took so far.

An evaluation takes so long for each view and for each pixel; that of a level which is still to come, as much longer
than one of this level as it has more of both. How many there will be is known from fits that were made: most on the
coarsest level, where the search finds its way, and few on the finer ones, where it starts near the end and converges
quadratically. What is ahead, in standard errors, says how near that is.
"""

from collections.abc import Sequence

VIEW = 13_000
"""Pixels that take as long as what a view takes whatever its size."""

COARSEST = 9
"""Evaluations on the coarsest level; most examples take 5 to 13."""

FINER = 3
"""Evaluations on each of the others."""

ROBUST = 12
"""Evaluations with a robust loss, whose scale is found on the way."""

EXACT = 0.5
"""If the next step explains more than this part of the loss, no noise is seen yet: digits are what is left to find."""

DIGITS = 4
"""Evaluations that finds."""

FIRST = 3
"""Evaluations before anything is said: the first one loads programs, and perhaps compiles them."""


def work(views: int, pixels: int) -> int:
    """What an evaluation takes, in pixels. pixels: of all views together."""
    return VIEW * views + pixels


def evaluations_left(done: int, coarsest: bool, full: bool, robust: bool, ahead: float, explained: float) -> int:
    """How many evaluations are still to come on this level.

    done: so many are. coarsest, full: what kind of level it is. ahead: the next step in standard errors. explained: the
    part of the loss that it explains.
    """
    if robust:
        return max(ROBUST - done, 1)
    if full and explained > EXACT:
        return max(DIGITS + 1 - done, 2)
    near = 1 if ahead < 1.0 else 2
    return max(near, COARSEST - done) if coarsest and ahead > 10.0 else near


def seconds_left(durations: Sequence[float], here: int, left: int, later: Sequence[int]) -> float:
    """How long a search still takes.

    durations: of the evaluations on this level so far. here: the work of one. left: so many are to come. later: the
    work of one on each level after this.
    """
    rate = min(durations) / here  # the others have compiled something, or waited
    return rate * (here * left + FINER * sum(later))
