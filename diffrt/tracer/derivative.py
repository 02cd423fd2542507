"""The derivative of an image as an array, and directions in the space of a scene's numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffrt.errors import InputError, listed, shown
from diffrt.image import LUMINANCE, Computed, Image, diverging, figure_html
from diffrt.scene import Scene
from diffrt.scene.parameters import is_pattern
from diffrt.types import Numbers

MOST_SHOWN = 24
"""Pictures in a notebook."""


class Derivative(Computed):
    """The derivative of an image by numbers of its scene: float64, (height, width, 3, n), or (height, width, 3) along
    one direction. In a notebook it shows itself, negative in blue and positive in red.

    names: of the numbers, (n,), or of those that move along the direction. report: what went into the image.
    """

    names: tuple[str, ...] = ()

    def __new__(cls, values: ArrayLike, names: Sequence[str]) -> Self:
        found = np.asarray(values).view(cls)
        found.names = tuple(names)
        return found

    def __array_finalize__(self, source: Any) -> None:
        super().__array_finalize__(source)
        self.names = getattr(source, "names", ())

    def pictures(self) -> list[tuple[str, Image, float]]:
        """For each number its name, the derivative of the luminance as a picture, and the size of that derivative that
        is fully blue or red."""
        luminance = np.moveaxis(np.asarray(self), 2, -1) @ np.array(LUMINANCE)
        if self.ndim == 3:
            return [(f"along {listed(self.names)}", *diverging(luminance))]
        return [(name, *diverging(luminance[..., i])) for i, name in enumerate(self.names)]

    def _repr_html_(self) -> str | None:
        """What a notebook shows; None, which makes it print the numbers, of what is no derivative of an image."""
        if self.ndim not in (3, 4) or self.shape[2] != 3 or (self.ndim == 4 and self.shape[3] != len(self.names)) \
                or not self.size or not np.isfinite(self).all():  # fmt: skip
            return None
        figures = [
            figure_html(picture, name, f"-{scale:.3g} (blue) to {scale:.3g} (red)")
            for name, picture, scale in self.pictures()[:MOST_SHOWN]
        ]
        more = len(self.names) - MOST_SHOWN if self.ndim == 4 else 0
        return "".join([*figures, f"<p>and {more} more</p>" if more > 0 else ""])


def direction_of(
    scene: Scene, components: Sequence[str], direction: Mapping[str, Numbers] | Numbers
) -> NDArray[np.float64]:
    """How fast each of some numbers of a scene moves, (n,).

    components: their paths. direction: the same, or a mapping from names or patterns, each to one number for each of
    the numbers that it stands for, or one for all of them; the others rest, and a name says more than a pattern.
    Raises InputError, one line per mistake.
    """
    if not isinstance(direction, Mapping):
        return _numbers("direction", direction, len(components), scalar=False)
    scene.components(direction)  # refuses what is unknown or overlaps
    found = dict.fromkeys(components, 0.0)
    problems = []
    for name, value in sorted(direction.items(), key=lambda item: not is_pattern(item[0])):
        inside = scene.components(name)
        outside = [path for path in inside if path not in found]
        if outside:
            problems.append(f"direction: {name}: found {listed(outside)}, allowed: numbers that are among the names")
            continue
        try:
            found |= zip(inside, _numbers(f"direction: {name}", value, len(inside)).tolist(), strict=True)
        except InputError as fault:
            problems += fault.problems
    if problems:
        raise InputError(*problems)
    return np.array(list(found.values()))


def _numbers(what: str, value: Any, count: int, scalar: bool = True) -> NDArray[np.float64]:
    """Finite numbers (count,); one stands for all of them where that is allowed. Raises InputError."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):  # a Var, a ragged list
        array = np.empty(0, object)
    shapes = [(count,), ()] if scalar or count == 1 else [(count,)]
    if array.dtype.kind not in "iuf" or array.shape not in shapes or not np.isfinite(array).all():
        found = f"an array of shape {array.shape}" if array.size and array.shape not in shapes else shown(value)
        needed = f"{count} finite numbers" if count > 1 else "a finite number"
        raise InputError(f"{what}: found {found}, needed: {needed}{' or one for all' if scalar and count > 1 else ''}")
    return np.broadcast_to(array.astype(float), (count,))
