"""How long a search still takes, from what it took so far.

An evaluation takes so long for each view and for each pixel; that of a level which is still to come, as much longer
than one of this level as it has more of both. How many there will be is known from fits that were made: most on the
coarsest level, where the search finds its way, and few on the finer ones, where it starts near the end. There each step
leaves so small a part of what is ahead, in standard errors, as steps of Gauss and Newton do, or as the last one did;
where a model does not explain the image they leave more.
"""

from collections.abc import Sequence
from math import ceil, log

VIEW = 13_000
"""Pixels that take as long as what a view takes whatever its size."""

COARSEST = 8
"""Evaluations on the coarsest level; most examples take 4 to 12."""

FINER = 2.5
"""Evaluations on each of the others, 2 or 3."""

PASSED = 1
"""Evaluations on each of the others but the last, once the target is explained: it leaves its step to the next one."""

ROBUST = 8
"""Evaluations with a robust loss, whose scale is found on the way."""

FAR = 1e12
"""What is ahead where there is no noise to compare it with, in standard errors."""

EXACT = 0.5
"""If the next step explains more than this part of the loss, no noise is seen yet: digits are what is left to find."""

DIGITS = 4
"""Evaluations that finds."""

SHRINKING = 0.02
"""The part of what is ahead that is left of it by a step near the end; the examples have 0.0003 to 0.1."""

FIRST = 3
"""Evaluations before anything is said: the first one loads programs, and perhaps compiles them."""


def work(views: int, pixels: int) -> int:
    """What an evaluation takes, in pixels. pixels: of all views together."""
    return VIEW * views + pixels


def evaluations_left(
    done: int, coarsest: bool, full: bool, robust: bool, aheads: Sequence[float], explained: float, end: float
) -> int:
    """How many evaluations are still to come on this level.

    done: so many are. coarsest, full: what kind of level it is. robust: whether its loss is. aheads: at each point that
    was better than all before, the next step in standard errors. explained: the part of the loss that the next one
    explains. end: where what is ahead is less, the search ends.
    """
    ahead = min(aheads[-1], FAR)
    shrinking = SHRINKING
    if len(aheads) > 1 and ahead > 0.0:
        shrinking = (SHRINKING * max(ahead / max(aheads[-2], ahead), SHRINKING**2)) ** 0.5
    near = max(ceil(log(max(ahead / end, 1.0)) / log(1.0 / shrinking)), 1)
    if robust and ahead > 1.0:
        return max(ROBUST - done, near)
    if full and explained > EXACT:
        return max(DIGITS + 1 - done, 2)
    return max(near, COARSEST - done) if coarsest and ahead > 10.0 else near


def seconds_left(
    durations: Sequence[float], here: int, left: int, later: Sequence[int], robust: bool, explained: bool
) -> float:
    """How long a search still takes.

    durations: of the evaluations on this level so far. here: the work of one. left: so many are to come. later: the
    work of one on each level after this. robust: whether the loss of the last of them is. explained: whether the target
    is, on this level.
    """
    rate = min(durations) / here  # the others have compiled something, or waited
    *passed, last = later or (0,)
    work = (PASSED if explained else FINER) * sum(passed) + (ROBUST if robust else FINER) * last
    return rate * (here * left + work)
