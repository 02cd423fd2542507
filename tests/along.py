"""The derivative along one direction, all parameters moving at once, against differences of images."""

from math import inf

import numpy as np

from diffrt.tracer import differences
from diffrt.tracer.renderer import Settings


def compare_along(scene, names, direction):
    """A Comparison. direction: of the n components of the named parameters, (n,); they have room on both sides."""
    settings, at = Settings(), scene.pack(names)
    exact = differences._derivative(scene, names, settings) @ direction
    base = differences._image(scene, settings)
    sizes = np.array([differences._size(scene, path) for path in scene.components(names)])
    size, rounding = float(1.0 / np.max(np.abs(direction) / sizes)), differences._rounding(scene, settings, base)

    def moved(h):
        return scene.unpack(names, at + h * direction)

    return differences._compare(moved, "a direction", size, (inf, inf), settings, exact, base, rounding)
