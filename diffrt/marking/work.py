"""A bound on the work of marking a derivation.

Work is counted in steps, before it is done: a step is about one operation on one number, or on a hundred entries of an
array, and takes some microseconds. It is counted and not timed, so that the same derivation gets the same marks on
every machine, however busy.

    with at_most(1_000, "this line"):
        spend(400)
        spend(700)  # Overworked: more work than allowed
"""

from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from diffrt.autograd.variable import within
from diffrt.errors import InputError

MOST = 4_000_000
"""Steps of a whole derivation."""

MOST_OF_A_LINE = MOST // 2
"""Steps of one line, so that a heavy one leaves something for the others."""

MOST_OF_A_SEARCH = MOST // 16
"""Steps of a search for points on both sides of a border; what it has found by then is used."""

MOST_ENTRIES = 10_000
"""Of one quantity, and of what a formula computes on the way."""

MOST_SLOPES = 1_000_000
"""Entries of one derivative: those of a quantity times those of the other."""


class Overworked(InputError):
    """A derivation, or a line of it, is more work than allowed."""


@dataclass
class _Account:
    what: str
    most: int
    left: float


_accounts: ContextVar[tuple[_Account, ...]] = ContextVar("accounts", default=())


def at_most(steps: int, what: str) -> AbstractContextManager[Any]:
    """What is done inside may take so many steps; it counts for the bounds around as well.

    what: that is bounded, for the message.
    """
    return within(_accounts, (_Account(what, steps, steps), *_accounts.get()))


def spend(steps: float) -> None:
    """Count work that is about to be done. Raises Overworked, and counts nothing, where a bound does not allow it."""
    for account in _accounts.get():
        if steps > account.left:
            raise Overworked(f"{account.what} takes more than {account.most:,} steps of computation; "
                             "take fewer or smaller quantities")  # fmt: skip
    for account in _accounts.get():
        account.left -= steps


def cost(count: int, entries: int) -> float:
    """Steps of a sweep over so many operations with so many entries together."""
    return count + entries / 100.0
