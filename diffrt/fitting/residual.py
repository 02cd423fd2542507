"""The residual of a fit: what the image is off by, written once in the arithmetic of the autograd core.

    residual = blur(used * robustify(bound(encode(developed(image)) - target)))

developed is what the camera makes of light: exposure, vignetting and the like. encode is the sRGB curve if the fit
compares encoded values. bound takes a clipped pixel for what it is: where the target is at its lowest level, an image
below is not off at all; likewise above the highest. blur is that of the level.
The loss is the sum of the squares. robustify makes it a robust one: with z = (d / scale)^2, the square of what it makes
of a difference d is scale^2 rho(z), and

    squared   rho(z) = z,                       robustify(d) = d
    huber     rho(z) = z for z <= 1,            robustify(d) = d
                       2 sqrt(z) - 1 beyond,                sign(d) scale sqrt(2 |d| / scale - 1)
    soft_l1   rho(z) = 2 (sqrt(1 + z) - 1),     robustify(d) = d sqrt(2 / (1 + sqrt(1 + z)))

(Huber, Robust estimation of a location parameter, 1964; Charbonnier et al., 1997.)

A Gauss-Newton step on robustified residuals takes the curvature of the square of each, robustify'(d)^2, for that of the
loss, which is c(d) = rho'(z) + 2 z rho''(z), and less: 0 in the tail of huber. So its steps are too short where many
differences are in the tail. Rows of [J r] that are multiplied and divided by q, q^2 = c(d) / robustify'(d)^2, have the
same gradient J^T r and the right curvature (Triggs et al., Bundle adjustment - a modern synthesis, 2000, section 4.3):

    huber     q^2 = 1 for |d| <= scale, 0 beyond
    soft_l1   q^2 = 2 / (w (1 + w)),  w = sqrt(1 + z) = 1 + robustify(d)^2 / (2 scale^2)

That holds as long as differences stay in the tail. A step that is long beside the noise takes many of them through zero
to the other side, and the loss curves as much as the squares do; without that steps would be far too long. So far from
the end q is 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, absolute, maximum, power, reshape, sign, sqrt, transpose, where
from diffrt.compiler import choose_engine
from diffrt.errors import InputError
from diffrt.fitting.level import Level, gaussian, mean_of_blocks
from diffrt.fitting.settings import Settings
from diffrt.fitting.spread import sizes_of, spread_of_all
from diffrt.fitting.view import View
from diffrt.image import srgb_encode
from diffrt.tracer.renderer import TOLERANCE, render_part
from diffrt.tracer.renderer import Settings as Sampling
from diffrt.tracer.window import Part
from diffrt.types import Array

COARSE = 4.0 * TOLERANCE
"""What may be wrong in the cells of blurred levels, which only lead the way."""

FINER = TOLERANCE / 16.0
"""What may be wrong in the cells of an image that the fit's own is compared with at the end."""


CURVED = 0.1
"""What q^2 is at least near the end: where most differences are in the tail, next to no curvature would be left, and
steps would be too long."""


@dataclass(frozen=True)
class Bend:
    """How a robust loss is taken at a point. scale, before: that it has now, and that it had at the last one. least:
    part of the curvature of the squares that rows in the tail keep."""

    scale: float
    before: float
    least: float


@dataclass(frozen=True)
class Sight:
    """A view at a level.

    view: it, cut to the pixels that count. factor: pixels of it per side that are one. settings: of the fit. target:
    (height, width, 3), in its space, with the bounds where a pixel is clipped. dark, bright: where it is. used:
    (height, width). blur: matrices for rows and columns, or None. tolerance: of the image's cells.
    """

    view: View
    factor: int
    settings: Settings
    target: Array
    dark: NDArray[np.bool_]
    bright: NDArray[np.bool_]
    used: Array
    blur: tuple[Array, Array] | None
    tolerance: float = TOLERANCE

    def image(
        self, values: Mapping[str, Any], rows: tuple[int, int] | None = None, pixels: NDArray[np.bool_] | None = None
    ) -> Any:
        """The image as the camera develops it, in the space of the fit: rows of (height, width, 3). pixels: which are
        needed, (height, width); all if None."""
        part = Part(self.factor, rows, pixels)
        sampling = Sampling(self.settings.cells, tolerance=self.tolerance)
        image: Any = render_part(self.view.placed(values), part, sampling, choose_engine())
        if not isinstance(image, Var):
            image = np.asarray(image)
        away = self.view.away(self.factor)
        image = self.view.developed(image, values, away if rows is None else away[slice(*rows)])
        return encode(image) if self.settings.space == "srgb" else image

    def off(self, values: Mapping[str, Any], rows: tuple[int, int] | None = None) -> Any:
        """The residual of some rows, all if None: (height, width, 3), an array or a Var. A blurred one has all."""
        used, off = self.used[slice(*(rows or (None,)))], self.difference(values, rows)
        kept = self.sides(rows) * (off.value if isinstance(off, Var) else off) > 0.0
        if kept.any():
            off = where(kept, 0.0, off)
        off = robustify(self.settings.loss, self.scale, off)
        if not used.all():
            off = off * used[..., None]
        return off if self.blur is None else _blurred(off, self.blur)

    def difference(self, values: Mapping[str, Any], rows: tuple[int, int] | None = None) -> Any:
        """The image less the target, before anything is made of it."""
        return self.image(values, rows, self.used > 0.0) - self.target[slice(*(rows or (None,)))]

    def sides(self, rows: tuple[int, int] | None = None) -> Array:
        """On which side of the target the image may be without being off: 1 above, -1 below, 0 on none."""
        which = slice(*(rows or (None,)))
        return self.bright[which].astype(float) - self.dark[which]

    @property
    def scale(self) -> float:
        """That of a robust loss."""
        return self.settings.scale or 1.0

    def bent(self, rows: Array) -> Array:
        """Rows [J r], (..., k + 1), with the curvature of the loss, which J of a robust one lacks."""
        if self.settings.loss == "squared":
            return rows
        q = curvature(self.settings.loss, self.scale, rows[..., -1:])
        return np.concatenate([rows[..., :-1] * q, rows[..., -1:] / q], -1)

    def plain(self, rows: Array) -> Array:
        """Rows [J r], (..., k + 1), of the image itself and of half the derivative of the loss by it."""
        if self.settings.loss == "squared":
            return rows
        t = slope(self.settings.loss, self.scale, rows[..., -1:])
        return np.concatenate([rows[..., :-1] / t, rows[..., -1:] * t], -1)

    def differences(self, off: Array) -> Array:
        """What the loss made residuals of."""
        return difference(self.settings.loss, self.scale, off)

    @property
    def finer(self) -> "Sight":
        """With an image of much smaller cells."""
        return replace(self, tolerance=FINER)

    @cached_property
    def power(self) -> float:
        """The sum of the squares of what the residuals would be of a black image."""
        target = self.target * self.used[..., None]
        off = np.asarray(target if self.blur is None else _blurred(target, self.blur))
        return float(np.vdot(off, off))

    @cached_property
    def size(self) -> int:
        """The number of pixel values that are compared."""
        return 3 * int((self.used > 0.0).sum())

    def counted(self, off: Array, rows: tuple[int, int] | None = None) -> NDArray[np.bool_]:
        """Which residuals say something: those of used pixels, unless a bound holds."""
        which = slice(*(rows or (None,)))
        clipped = (self.dark[which] | self.bright[which]) & (off == 0.0) if self.blur is None else False
        counted: NDArray[np.bool_] = (self.used[which, :, None] > 0.0) & ~np.asarray(clipped)
        return counted


def sights(views: tuple[View, ...], level: Level, settings: Settings) -> tuple[Sight, ...]:
    """Every view at a level, cut to the pixels that count. The loss is robust on the full image only, and once its
    scale is known."""
    if not level.is_full or settings.scale is None:
        settings = replace(settings, loss="squared")
    return tuple(_sight(view.counted, level, settings) for view in views)


def robustify(loss: str, scale: float, d: Any) -> Any:
    """What a loss makes of differences: an array or a Var of any shape. Its square is the loss."""
    if loss == "huber":
        size = absolute(d)
        far = size > scale
        return where(far, sign(d) * scale * sqrt(where(far, 2.0 / scale * size - 1.0, 1.0)), d)
    if loss == "soft_l1":
        return d * sqrt(2.0 / (1.0 + sqrt(1.0 + (d / scale) * (d / scale))))
    return d


def curvature(loss: str, scale: float, off: Array, least: float = CURVED) -> Array:
    """The factor q of the rows of a Jacobian, by robustified residuals of any shape, for steps of second order.
    least: what q^2 is at least."""
    if loss == "huber":
        return np.where(np.abs(off) > scale, np.sqrt(least), 1.0)
    if loss == "soft_l1":
        w = 1.0 + 0.5 * (off / scale) ** 2
        return np.sqrt(np.maximum(2.0 / (w * (1.0 + w)), least))
    return np.ones_like(off)


def slope(loss: str, scale: float, off: Array) -> Array:
    """robustify'(d), by robustified residuals of any shape."""
    if loss == "huber":
        return scale / np.maximum(np.abs(off), scale)
    w = 1.0 + 0.5 * (off / scale) ** 2
    return np.asarray(np.sqrt(0.5 * (w + 1.0)) / w)


def difference(loss: str, scale: float, off: Array) -> Array:
    """The inverse of `robustify`: differences of any shape."""
    if loss == "huber":
        far = np.abs(off) > scale
        return np.where(far, 0.5 * np.sign(off) * scale * ((off / scale) ** 2 + 1.0), off)
    if loss == "soft_l1":
        return np.asarray(off * np.sqrt(1.0 + 0.25 * (off / scale) ** 2))
    return off


def spread_of(sights: tuple[Sight, ...], values: Mapping[str, Any]) -> float:
    """The standard deviation that most differences suggest, infinite if there is no scene."""
    found = []
    for sight in sights:
        plain = replace(sight, settings=replace(sight.settings, loss="squared"))
        try:
            found.append(sizes_of(np.asarray(plain.off(values))))
        except InputError:
            return np.inf
    return spread_of_all(found)


def encode(linear: Any) -> Any:
    """The sRGB curve of `srgb_encode` for arrays and Vars."""
    curved = 1.055 * power(maximum(linear, 0.0031308), 1.0 / 2.4) - 0.055
    return where(linear <= 0.0031308, 12.92 * linear, curved)


def _sight(view: View, level: Level, settings: Settings) -> Sight:
    photograph, factor = view.photograph, level.factor
    used = view.used.astype(float)
    dark, bright = photograph.dark & view.used[..., None], photograph.bright & view.used[..., None]
    linear = np.asarray(photograph.image)
    if dark.any() or bright.any():
        linear = np.where(dark, photograph.darkest, np.where(bright, photograph.brightest, linear))
    if factor > 1:
        # A block counts by its used pixels, with their mean; it is a bound if they all are.
        share = mean_of_blocks(used, factor)[..., None]
        full = np.maximum(share, 1e-300)
        linear = mean_of_blocks(linear * used[..., None], factor) / full
        dark, bright = (mean_of_blocks(b.astype(float), factor) >= full - 1e-9 for b in (dark, bright))
        used = share[..., 0]
        dark, bright = dark & (share > 0.0), bright & (share > 0.0)
    target = srgb_encode(linear) if settings.space == "srgb" else np.asarray(linear)
    height, width = target.shape[:2]
    blur = None
    if level.blur > 0.0:
        blur = gaussian(height, level.blur / factor), gaussian(width, level.blur / factor)
    return Sight(view, factor, settings, target, dark, bright, used, blur, TOLERANCE if blur is None else COARSE)


def _blurred(off: Any, blur: tuple[Array, Array]) -> Any:
    down, across = blur
    height, width = len(down), len(across)
    rows = reshape(down @ reshape(off, (height, width * 3)), (height, width, 3))
    turned = reshape(transpose(rows, (1, 0, 2)), (width, height * 3))
    return transpose(reshape(across @ turned, (width, height, 3)), (1, 0, 2))
