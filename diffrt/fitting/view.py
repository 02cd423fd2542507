"""Views: a camera, and the photograph that it took. A fit has one or several of them, of one scene.

What is different from view to view, such as the lamp of each photograph, a view has for itself: its own values, known
or free, of some parameters of the scene, and perhaps fewer lights. All else it shares with the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import maximum, power, stack
from diffrt.fitting.level import SMALLEST
from diffrt.image import Image
from diffrt.photograph import Photograph
from diffrt.scene import Scene

FAINTEST = 1e-6
"""Linear values below say nothing of the response, and black has no derivative by it."""


@dataclass(frozen=True)
class View:
    """One photograph of a scene.

    name: what its own parameters begin with, "" for the only one. scene: with the view's camera, its lights and its own
    values. photograph: the target. used: which pixels count, (height, width). own_camera: whether the camera is the
    view's own. own: the paths of the parameters, in the scene, that have values of this view's own. These parameters
    are `name.camera.position`, `name.sun.direction` and so on.

    A view has parameters besides those of its scene: `exposure`, a factor of every channel, and `white_balance`, the
    factors of red and blue. Views by one camera share two more: `vignetting`, how much darker the corners of the
    picture are, and `response`, the exponent of what the camera makes of light. They are 1, and vignetting 0, unless
    they are free.
    """

    name: str
    scene: Scene
    photograph: Photograph
    used: NDArray[np.bool_]
    own_camera: bool = False
    own: frozenset[str] = frozenset()

    @property
    def counted(self) -> "View":
        """The view cut to the pixels that count: masked ones around them cost nothing.

        Its sides are multiples of a power of two, where the picture has room, so that they can be made smaller by whole
        factors."""
        (top, height), (left, width) = self._cuts
        if (height, width) == self.used.shape:
            return self
        part = slice(top, top + height), slice(left, left + width)
        x, y = self.scene.camera.crop[:2] or (0, 0)
        photograph = replace(
            self.photograph, image=Image(self.photograph.image[part]), dark=self.photograph.dark[part],
            bright=self.photograph.bright[part],
            alpha=None if self.photograph.alpha is None else self.photograph.alpha[part],
        )  # fmt: skip
        scene = self.scene.replace(crop=(x + left, y + top, width, height))
        return replace(self, scene=scene, photograph=photograph, used=self.used[part])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of `counted`, in pixels."""
        (_, height), (_, width) = self._cuts
        return width, height

    @cached_property
    def _cuts(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where the rows of `counted` begin, and how many they are; the same of the columns."""
        rows, columns = (np.flatnonzero(self.used.any(axis)) for axis in (1, 0))
        shorter = min(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
        step = 1 << max(int(shorter // SMALLEST).bit_length() - 1, 0)
        height, width = self.used.shape
        return _cut(rows, step, height), _cut(columns, step, width)

    def path(self, own: str) -> str:
        """The path, in the fit, of what is this view's own, such as "exposure"."""
        return f"{self.name}.{own}" if self.name else own

    def path_of_camera(self, own: str) -> str:
        """The path, in the fit, of what all views by one camera share, such as "vignetting"."""
        return self.path(own) if self.own_camera else own

    def placed(self, values: Mapping[str, Any]) -> Scene:
        """The scene with the values of a fit's parameters, as this view's camera sees it."""
        mine = {path: value for path, value in values.items() if self._is_shared(path)}
        for path, value in values.items():
            own = path.removeprefix(f"{self.name}.")
            if self.name and own != path and own.partition(".")[0] in ("camera", *self.scene.names):
                mine[own] = value
        return self.scene.replace(mine)

    def gain(self, values: Mapping[str, Any]) -> Any:
        """The factors (3,) of red, green and blue, or one; None if there is nothing to multiply."""
        exposure, balance = values.get(self.path("exposure")), values.get(self.path("white_balance"))
        if balance is None:
            return exposure
        factors = stack([balance[0], balance[0] * 0.0 + 1.0, balance[1]])
        return factors if exposure is None else factors * exposure

    def developed(self, image: Any, values: Mapping[str, Any], away: NDArray[np.float64]) -> Any:
        """What the camera makes of an image (height, width, 3) of linear values, with the values of a fit's parameters.

        away: the squares of the distances of its pixels from the middle of the picture, 1 in the corners, (height,
        width).
        """
        vignetting = values.get(self.path_of_camera("vignetting"))
        if vignetting is not None:
            image = image * (1.0 - vignetting * away[..., None])
        gain = self.gain(values)
        if gain is not None:
            image = image * gain
        response = values.get(self.path_of_camera("response"))
        return image if response is None else power(maximum(image, FAINTEST), response)

    def away(self, factor: int) -> NDArray[np.float64]:
        """The squares of the distances of pixels from the middle of the picture, 1 in the corners, (height, width).
        factor: pixels a side that are one."""
        camera = self.scene.camera
        aspect = float(camera.pixel_aspect)
        left, top, width, height = camera.crop or (0, 0, camera.width, camera.height)
        across = (left - 0.5 * camera.width + factor * (np.arange(width // factor) + 0.5)) * aspect
        down = top - 0.5 * camera.height + factor * (np.arange(height // factor) + 0.5)
        corner = 0.25 * ((aspect * camera.width) ** 2 + camera.height**2)
        return np.asarray((across[None, :] ** 2 + down[:, None] ** 2) / corner)

    @property
    def has_own_camera(self) -> bool:
        """Whether anything of the camera is the view's own."""
        return self.own_camera or any(path.startswith("camera.") for path in self.own)

    def has_own(self, path: str) -> bool:
        """Whether a parameter of the scene, or the vector that it is a component of, has a value of this view's own."""
        return self.has_own_value(path) or (self.own_camera and path.startswith("camera."))

    def has_own_value(self, path: str) -> bool:
        """The same, for other reasons than that the whole camera is the view's own."""
        return path in self.own or path.rpartition(".")[0] in self.own

    def _is_shared(self, path: str) -> bool:
        return path.partition(".")[0] in ("camera", *self.scene.names) and not self.has_own(path)


def _cut(counted: NDArray[np.integer], step: int, side: int) -> tuple[int, int]:
    """Where the rows or columns that count begin, and how many they are, a multiple of `step` if the side has room."""
    first, last = int(counted[0]), int(counted[-1]) + 1
    length = min(-(-(last - first) // step) * step, side)
    return min(first, side - length), length
