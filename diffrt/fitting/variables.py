"""The free numbers of a fit, and the coordinates that an optimiser moves.

An optimiser takes straight steps, so each parameter gets coordinates in which a straight step makes sense:

- *plain*: the number itself, with its bounds.
- *positive*: p = e^u. Lengths, exponents and exposures are over zero and are known by their ratio, so a step is a
  factor, and no step leads to a ball without a radius.
- *direction*: of a vector whose length means nothing, two coordinates (a, b) in the plane that touches the unit sphere
  at the start d0, with axes e1 and e2 there. Stereographic projection reaches every direction but the opposite one:

      s = (a^2 + b^2) / 4,    d = ((1 - s) d0 + a e1 + b e2) / (1 + s),    |d|^2 = ((1 - s)^2 + 4 s) / (1 + s)^2 = 1

  At the start a and b are angles in radians. The length of the vector stays that of the start.

Tied parameters are one set of coordinates with several names.

A parameter may belong to one view, which alone looks different if it changes; the others are shared by all views.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, exp, jacobian
from diffrt.errors import InputError
from diffrt.scene.scene import shaped
from diffrt.types import Array

LARGEST = 1e12
"""The largest number that a fit gives, takes as a start or as a bound: as much as a scene may hold."""


@dataclass(frozen=True)
class Free:
    """A free parameter.

    name: its path. components: the path of each number, (n,). kind: "plain", "positive" or "direction". start, lower,
    upper: (n,), bounds infinite where there are none. followers: the names of the parameters that are tied to it.
    reach: how far one step may move each number, infinite if anywhere. shape: of the value in the scene. view: the name
    of the view that it belongs to, "" if it is shared.
    """

    name: str
    components: Sequence[str]
    kind: str
    start: Array
    lower: Array
    upper: Array
    followers: tuple[str, ...] = ()
    reach: float = np.inf
    shape: tuple[int, ...] = ()
    view: str = ""

    @property
    def size(self) -> int:
        """The number of coordinates."""
        return 2 if self.kind == "direction" else len(self.components)

    @property
    def labels(self) -> Sequence[str]:
        """What each coordinate is called: the number that it moves, or the direction."""
        return (self.name,) * 2 if self.kind == "direction" else self.components

    def coordinates(self, values: Array) -> Array:
        """The coordinates (size,) of values (n,), the inverse of `values`."""
        if self.kind == "positive":
            return np.log(values)
        if self.kind == "direction":
            d0, e1, e2 = self._axes
            d = values / np.linalg.norm(values)
            # Solved for a and b: both parts of d along the axes, over (1 + d . d0) / 2.
            return 2.0 * np.array([d @ e1, d @ e2]) / (1.0 + d @ d0)
        return np.array(values)

    def values(self, u: Any) -> Any:
        """The values (n,) of coordinates (size,), an array or a Var. Raises InputError for values over LARGEST."""
        if self.kind == "positive":
            if not (np.asarray(u.value if isinstance(u, Var) else u) <= np.log(LARGEST)).all():
                raise InputError(f"{self.name}: found a number over {LARGEST:g}, which no scene holds")
            return exp(u)
        if self.kind == "direction":
            d0, e1, e2 = self._axes
            a, b = u[0], u[1]
            s = (a * a + b * b) * 0.25
            return ((1.0 - s) * d0 + a * e1 + b * e2) / (1.0 + s) * float(np.linalg.norm(self.start))
        return u

    @cached_property
    def _axes(self) -> tuple[Array, Array, Array]:
        return _axes(self.start)

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Of the coordinates, (size,) each."""
        if self.kind == "positive":
            with np.errstate(divide="ignore"):
                return np.log(np.maximum(self.lower, 0.0)), np.log(self.upper)
        if self.kind == "direction":
            return np.full(2, -np.inf), np.full(2, np.inf)
        return self.lower, self.upper


@dataclass(frozen=True)
class Variables:
    """All free parameters of a fit, and their coordinates u (k,) in their order."""

    free: tuple[Free, ...]

    @property
    def components(self) -> tuple[str, ...]:
        """The path of each free number, (n,)."""
        return tuple(c for f in self.free for c in f.components)

    @property
    def labels(self) -> tuple[str, ...]:
        """What each coordinate is called, (k,)."""
        return tuple(label for f in self.free for label in f.labels)

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Of the coordinates, (k,) each."""
        lower, upper = zip(*(f.bounds for f in self.free), strict=True)
        return np.concatenate(lower), np.concatenate(upper)

    @property
    def reach(self) -> Array:
        """How far one step may move each coordinate, (k,)."""
        return np.concatenate([np.full(f.size, f.reach) for f in self.free])

    @property
    def start(self) -> Array:
        """The coordinates to start from, (k,)."""
        return np.concatenate([f.coordinates(f.start) for f in self.free])

    @cached_property
    def places(self) -> Mapping[str, NDArray[np.intp]]:
        """Where in u the coordinates are that belong to a view, by its name, and under "" the shared ones."""
        views = np.repeat([f.view for f in self.free], [f.size for f in self.free])
        return {"": np.zeros(0, np.intp)} | {str(view): np.flatnonzero(views == view) for view in dict.fromkeys(views)}

    @cached_property
    def number_places(self) -> Mapping[str, NDArray[np.intp]]:
        """Where among the numbers those are that belong to a view, by its name, and under "" the shared ones."""
        views = np.repeat([f.view for f in self.free], [len(f.components) for f in self.free])
        return {"": np.zeros(0, np.intp)} | {str(view): np.flatnonzero(views == view) for view in dict.fromkeys(views)}

    def seen_by(self, view: str) -> tuple["Variables", NDArray[np.intp]]:
        """What a view depends on: its own parameters, then the shared ones; and where in u their coordinates are."""
        own = self._of_views.get(view, ()) if view else ()
        mine = self.places.get(view, np.zeros(0, np.intp)) if view else np.zeros(0, np.intp)
        return Variables((*own, *self._of_views.get("", ()))), np.concatenate([mine, self.places[""]])

    @cached_property
    def _of_views(self) -> Mapping[str, tuple[Free, ...]]:
        """The parameters that belong to a view, by its name, and under "" the shared ones."""
        found: dict[str, list[Free]] = {}
        for f in self.free:
            found.setdefault(f.view, []).append(f)
        return {view: tuple(parts) for view, parts in found.items()}

    def coordinates(self, numbers: Array) -> Array:
        """The coordinates (k,) of numbers (n,)."""
        parts = np.split(numbers, np.cumsum([len(f.components) for f in self.free])[:-1])
        return np.concatenate([f.coordinates(part) for f, part in zip(self.free, parts, strict=True)])

    def numbers(self, u: Array) -> Array:
        """The values (n,) of coordinates (k,)."""
        return np.concatenate([np.ravel(f.values(part)) for f, part in self._parts(u)])

    def assign(self, u: Any) -> dict[str, Any]:
        """The value of every free and tied parameter: a float, an array, or a Var if u is one."""
        values: dict[str, Any] = {}
        for f, part in self._parts(u):
            value = f.values(part)
            value = shaped(value, f.shape) if f.shape else value[0]
            values |= dict.fromkeys((f.name, *f.followers), value)
        return values

    def slopes(self, u: Array) -> Array:
        """The derivatives of the values by the coordinates, (n, k)."""
        found = np.zeros((len(self.components), len(u)))
        row = column = 0
        for f, part in self._parts(u):
            rows, columns = len(f.components), f.size
            found[row : row + rows, column : column + columns] = jacobian(f.values)(part)
            row, column = row + rows, column + columns
        return found

    def _parts(self, u: Any) -> Sequence[tuple[Free, Any]]:
        ends = np.cumsum([f.size for f in self.free]).tolist()
        return [(f, u[end - f.size : end]) for f, end in zip(self.free, ends, strict=True)]


def by_name(variables: Variables, values: Array) -> Mapping[str, float]:
    """Numbers (n,) by the paths of their components."""
    return dict(zip(variables.components, values.tolist(), strict=True))


def _axes(direction: Array) -> tuple[Array, Array, Array]:
    """The unit vector of a direction, and two that are perpendicular to it and to each other."""
    d0 = direction / np.linalg.norm(direction)
    e1 = np.cross(d0, np.eye(3)[np.argmin(np.abs(d0))])
    e1 /= np.linalg.norm(e1)
    return d0, e1, np.cross(d0, e1)
