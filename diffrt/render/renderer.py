"""From a scene to an image: tables, samples, signatures, shading, film. The data goes one way only."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, pushforward
from diffrt.errors import InputError
from diffrt.image import Image
from diffrt.render.cells import centre_samples
from diffrt.render.film import develop
from diffrt.render.shading import shade
from diffrt.render.tables import build_tables
from diffrt.render.visibility import find_signatures
from diffrt.scene import Scene


def render(scene: Scene, cells: int = 1, edges: str = "ignore") -> Any:
    """The image of a scene.

    cells: samples per pixel side, 1 to 64. edges: "ignore": each sample is a point, so the derivative has no
    part from the motion of silhouettes and shadow borders.
    Returns an Image (height, width, 3) of linear RGB radiance, or a Var of that shape if the scene holds Vars.
    Raises InputError for other settings.
    """
    if isinstance(cells, bool) or not isinstance(cells, int | np.integer) or not 1 <= cells <= 64:
        raise InputError(f"cells: found {cells!r}, allowed: a whole number from 1 to 64")
    if edges != "ignore":
        raise InputError(f'edges: found {edges!r}, allowed: "ignore"')
    width, height = scene.camera.width, scene.camera.height
    with np.errstate(all="ignore"):
        tables = build_tables(scene)
        samples = centre_samples(width, height, int(cells))
        signatures = find_signatures(tables.plain(), scene.reflection_depth, samples.x, samples.y)
        shaded = shade(tables, signatures, samples.x, samples.y)
        image = develop(shaded, samples.pixel, samples.area, height, width)
    return image if isinstance(image, Var) else Image(image)


def jacobian(scene: Scene, names: Sequence[str], cells: int = 1, edges: str = "ignore") -> NDArray[np.float64]:
    """The derivative of the image by parameters, in forward mode.

    names: parameters or components of them, n numbers together. cells, edges: as for `render`.
    Returns (height, width, 3, n), radiance per unit of each number. Raises InputError for an unknown name.
    """
    at = scene.pack(names)
    _, columns = pushforward(lambda v: render(scene.unpack(names, v), cells, edges), [at], [list(np.eye(len(at)))])
    return np.stack(columns, -1)
