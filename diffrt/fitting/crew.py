"""Views that are folded by others: processes of this machine, or a cluster. Only triangles come back.

Each view is sent to one worker when it is first folded there, and stays, so that afterwards only the coordinates
travel. A worker that has lost it, as it was started anew, says so and is sent it again. Who has nothing left to fold of
its own takes over a view of another. What comes back is put together in the order of the views, so that the result does
not depend on who was first, in not one bit.
"""

import io
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from diffrt.fitting.evaluation import Part, block_of, cameras_of
from diffrt.fitting.level import Level
from diffrt.fitting.problem import Problem
from diffrt.fitting.residual import Bend, Sight, sights
from diffrt.fitting.scatter import Field
from diffrt.fitting.settings import Settings
from diffrt.fitting.triangle import Fold
from diffrt.fitting.variables import Variables
from diffrt.fitting.view import View
from diffrt.types import Array

AHEAD = 2
"""Tasks that a worker is given at a time, so that it need not wait for the next one."""

UNKNOWN = 8
"""Tasks that an executor is given at a time if it does not say how many workers it has."""

VIEWS, PIXELS = 8, 1 << 18
"""A task is so many views and pixels at most, but one view in any case. Small views take little longer than a cluster
needs to hand out a task; a worker that is killed loses its task."""

SHARES = 2
"""It is also at most so small a part of what is left for a worker, so that all end at about the same time."""


@dataclass
class _Kept:
    """What a worker has been sent of a view, and the sight of it that was folded last, as that is for a level."""

    view: View
    variables: Variables
    seen: tuple[Level, Settings] | None = None
    sight: Sight | None = None

    def at(self, level: Level, settings: Settings) -> Sight:
        """The view at a level."""
        if self.sight is None or self.seen != (level, settings):
            self.seen, (self.sight,) = (level, settings), sights((self.view,), level, settings)
        return self.sight


_kept: dict[tuple[str, int], _Kept] = {}
"""What a worker has been sent: views of one fit, by the name of that and their number."""


@dataclass
class Crew:
    """Those who fold the views of a problem.

    executor: such as `Processes` or `Cluster`, whose `slots` are executors of one worker each; or any other.
    """

    problem: Problem
    executor: Executor
    _name: str = field(default_factory=lambda: uuid4().hex)
    _holder: dict[int, int] = field(default_factory=dict)

    def folds(self, level: Level, settings: Settings, u: Array, bend: Bend | None = None) -> Iterator[Fold]:
        """Every view at a level, folded at u (k,), in their order. bend: as `Objective.triangle`."""
        return self._each(_folded, lambda view: (level, settings, bend, u[self._at(view)]))

    def fields(self, settings: Settings, u: Array) -> tuple[tuple[Field, ...], int]:
        """What each view leaves behind at u (k,), as `Objective.fields`."""
        block, cameras = block_of(self.problem.views, self.problem.variables), cameras_of(self.problem.views)
        found = self._each(
            _left_behind, lambda view: (settings, u[self._at(view)], block, cameras[view], self._at(view))
        )
        return tuple(found), block

    def _at(self, view: int) -> NDArray[np.intp]:
        """Where the coordinates are that a view depends on."""
        return self.problem.variables.seen_by(self.problem.views[view].name)[1]

    def _each(self, function: Callable[..., Any], arguments: Callable[[int], tuple[Any, ...]]) -> Iterator[Any]:
        """What a function gives for each view, in their order."""
        slots: Sequence[Executor] = getattr(self.executor, "slots", None) or (self.executor,)
        ahead = AHEAD if hasattr(self.executor, "slots") else UNKNOWN
        left = dict.fromkeys(range(len(self.problem.views)))
        pixels = max(view.size[0] * view.size[1] for view in self.problem.views)
        most, shares = max(min(VIEWS, PIXELS // pixels), 1), SHARES * ahead * len(slots) // AHEAD
        running: dict[Future[Any], tuple[int, list[int]]] = {}
        load = [0] * len(slots)
        found: dict[int, Any] = {}

        def give(slot: int, views: list[int], anew: bool) -> None:
            """Have a worker do some views. anew: whether it has lost them."""
            task = [
                (self._sent(view) if anew or self._holder.get(view) != slot else None, arguments(view))
                for view in views
            ]
            running[slots[slot].submit(_each_of, function, self._name, views, task)] = slot, views
            self._holder.update(dict.fromkeys(views, slot))
            load[slot] += 1

        try:
            for next_view in range(len(self.problem.views)):
                while next_view not in found:
                    for slot in range(len(slots)):
                        while left and load[slot] < ahead:
                            chosen = self._choice(left, slot, min(most, max(len(left) // shares, 1)))
                            for view in chosen:
                                del left[view]
                            give(slot, chosen, False)
                    for done in wait(running, return_when=FIRST_COMPLETED).done:
                        slot, views = running.pop(done)
                        load[slot] -= 1
                        answers = dict(zip(views, done.result(), strict=True))
                        found |= {view: answer for view, answer in answers.items() if answer is not None}
                        if lost := [view for view, answer in answers.items() if answer is None]:
                            give(slot, lost, True)
                yield found.pop(next_view)
        finally:
            for future in running:
                future.cancel()

    def _sent(self, view: int) -> bytes:
        """What a worker is sent of a view."""
        own = self.problem.views[view]
        sent = own.counted, self.problem.variables.seen_by(own.name)[0]
        return pickle.dumps(sent, pickle.HIGHEST_PROTOCOL)

    def _choice(self, left: dict[int, None], slot: int, count: int) -> list[int]:
        """The next views for a worker, at most `count`: of those that it holds, else new ones, else one of another."""
        mine = (view for view in left if self._holder.get(view) == slot)
        new = (view for view in left if view not in self._holder)
        return list(islice(mine, count)) or list(islice(new, count)) or [next(iter(left))]


def _each_of(function: Callable[..., Any], name: str, views: list[int], task: list[tuple[Any, ...]]) -> list[Any]:
    """What a worker finds for some views of a fit with this name."""
    return [function((name, view), data, *arguments) for view, (data, arguments) in zip(views, task, strict=True)]


def _folded(
    key: tuple[str, int], data: bytes | None, level: Level, settings: Settings, bend: Bend | None,
    u: Array,
) -> Fold | None:  # fmt: skip
    """A view folded by a worker; None if it does not have it."""
    part = _part(key, data, level, settings, np.arange(len(u)))
    return part.fold(u, bend) if part else None


def _left_behind(
    key: tuple[str, int], data: bytes | None, settings: Settings, u: Array, block: int, group: int,
    at: NDArray[np.intp],
) -> Field | None:  # fmt: skip
    """What a view leaves behind, found by a worker; None if it does not have it."""
    part = _part(key, data, Level(), settings, at)
    return part.field(u, block, group) if part else None


def _part(
    key: tuple[str, int], data: bytes | None, level: Level, settings: Settings, at: NDArray[np.intp]
) -> Part | None:
    """A view, which a worker keeps once it was sent it; None if it does not have it."""
    if data is not None:
        for other in [name for name in _kept if name[0] != key[0]]:
            del _kept[other]  # of a fit that has ended
        view, variables = pickle.loads(data)
        _kept[key] = _Kept(view, variables)
    if key not in _kept:
        return None
    return Part(_kept[key].at(level, settings), _kept[key].variables, at)


def can_travel(problem: Problem) -> bool:
    """Whether another process can be sent the views: not if a kind is of the very program that runs."""
    met = _Met(io.BytesIO(pickle.dumps([view.scene for view in problem.views[:1]])))
    met.load()
    return "__main__" not in met.modules


class _Met(pickle.Unpickler):
    """Notes the modules that a pickle names."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.modules: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.modules.add(module)
        return super().find_class(module, name)
