"""The residual of a fit: what the image is off by, written once in the arithmetic of the autograd core.

    residual = blur(used * bound(encode(gain * image) - target))

encode is the sRGB curve if the fit compares encoded values. bound takes a clipped pixel for what it is: where the
target is at its lowest level, an image below is not off at all; likewise above the highest. blur is that of the level.

A loss is the sum of s^2 rho(r^2 / s^2) / 2 over the residuals r, with a scale s:

    squared   rho(z) = z
    huber     rho(z) = z for z <= 1, 2 sqrt(z) - 1 beyond        (Huber, Robust estimation of a location parameter,
    1964) soft_l1   rho(z) = 2 (sqrt(1 + z) - 1)                       (Charbonnier et al., 1997)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, maximum, power, reshape, sqrt, transpose, where
from diffrt.fit.level import Level, gaussian, mean_of_blocks
from diffrt.fit.view import View
from diffrt.image import srgb_encode
from diffrt.render.renderer import render
from diffrt.scene import Scene

Array = NDArray[np.float64]

LOSSES = ("squared", "huber", "soft_l1")
SPACES = ("linear", "srgb")


@dataclass(frozen=True)
class Sight:
    """A view at a level.

    view: it. scene: its own, with the camera of the level's size. target: (height, width, 3), in the space of the fit,
    with the bounds where a pixel is clipped. dark, bright: where it is. used: (height, width). blur: matrices for rows
    and columns, or None.
    """

    view: View
    scene: Scene
    space: str
    cells: int
    target: Array
    dark: NDArray[np.bool_]
    bright: NDArray[np.bool_]
    used: Array
    blur: tuple[Array, Array] | None

    def image(self, values: Mapping[str, Any], rows: tuple[int, int] | None = None) -> Any:
        """The image with the view's gain, in the space of the fit: rows of (height, width, 3)."""
        moved = self.view.placed(values)
        document = moved.document.model_copy(update={"camera": _resized(moved, self.scene.camera.size)})
        image = render(Scene(document, moved.variables), self.cells, rows=rows)
        if not isinstance(image, Var):
            image = np.asarray(image)
        gain = self.view.gain(values)
        if gain is not None:
            image = image * gain
        return encode(image) if self.space == "srgb" else image

    def off(self, values: Mapping[str, Any], rows: tuple[int, int] | None = None) -> Any:
        """The residual of some rows, all if None: (height, width, 3), an array or a Var. A blurred one has all."""
        which = slice(*(rows or (None,)))
        dark, bright, used = self.dark[which], self.bright[which], self.used[which]
        off = self.image(values, rows) - self.target[which]
        plain = off.value if isinstance(off, Var) else off
        kept = (dark & (plain <= 0.0)) | (bright & (plain >= 0.0))
        if kept.any():
            off = where(kept, 0.0, off)
        if not used.all():
            off = off * used[..., None]
        return off if self.blur is None else _blurred(off, self.blur)

    def counted(self, off: Array, rows: tuple[int, int] | None = None) -> NDArray[np.bool_]:
        """Which residuals say something: those of used pixels, unless a bound holds."""
        which = slice(*(rows or (None,)))
        clipped = (self.dark[which] | self.bright[which]) & (off == 0.0) if self.blur is None else False
        counted: NDArray[np.bool_] = (self.used[which, :, None] > 0.0) & ~np.asarray(clipped)
        return counted


def sights(views: tuple[View, ...], level: Level, space: str, cells: int) -> tuple[Sight, ...]:
    """Every view at a level."""
    return tuple(_sight(view, level, space, cells) for view in views)


def rho(loss: str, z: Any) -> Any:
    """The loss of z = (r / s)^2; an array or a Var of any shape."""
    if loss == "huber":
        far = z > 1.0
        return where(far, 2.0 * sqrt(where(far, z, 1.0)) - 1.0, z)
    if loss == "soft_l1":
        return 2.0 * (sqrt(1.0 + z) - 1.0)
    return z


def rho_slope(loss: str, z: Array) -> Array:
    """The derivative of rho, which is the weight of a squared residual."""
    if loss == "huber":
        return 1.0 / np.sqrt(np.maximum(z, 1.0))
    if loss == "soft_l1":
        return 1.0 / np.sqrt(1.0 + z)
    return np.ones_like(z)


def encode(linear: Any) -> Any:
    """The sRGB curve of `srgb_encode` for arrays and Vars."""
    curved = 1.055 * power(maximum(linear, 0.0031308), 1.0 / 2.4) - 0.055
    return where(linear <= 0.0031308, 12.92 * linear, curved)


def _sight(view: View, level: Level, space: str, cells: int) -> Sight:
    photograph, factor = view.photograph, level.factor
    used = view.used.astype(float)
    dark, bright = photograph.dark & view.used[..., None], photograph.bright & view.used[..., None]
    linear = np.where(dark, photograph.darkest, np.where(bright, photograph.brightest, photograph.image))
    if factor > 1:
        # A block counts by its used pixels, with their mean; it is a bound if they all are.
        share = mean_of_blocks(used, factor)[..., None]
        full = np.maximum(share, 1e-300)
        linear = mean_of_blocks(linear * used[..., None], factor) / full
        dark, bright = (mean_of_blocks(b.astype(float), factor) >= full - 1e-9 for b in (dark, bright))
        used = share[..., 0]
        dark, bright = dark & (share > 0.0), bright & (share > 0.0)
    target = srgb_encode(linear) if space == "srgb" else np.asarray(linear)
    height, width = target.shape[:2]
    blur = None
    if level.blur > 0.0:
        blur = gaussian(height, level.blur / factor), gaussian(width, level.blur / factor)
    resized = Scene(view.scene.document.model_copy(update={"camera": _resized(view.scene, (width, height))}))
    return Sight(view, resized, space, cells, target, dark, bright, used, blur)


def _resized(scene: Scene, size: tuple[int, int]) -> Any:
    return scene.document.camera.model_copy(update={"width": size[0], "height": size[1]})


def _blurred(off: Any, blur: tuple[Array, Array]) -> Any:
    down, across = blur
    height, width = len(down), len(across)
    rows = reshape(down @ reshape(off, (height, width * 3)), (height, width, 3))
    turned = reshape(transpose(rows, (1, 0, 2)), (width, height * 3))
    return transpose(reshape(across @ turned, (width, height, 3)), (1, 0, 2))
