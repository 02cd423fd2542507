"""The residual of a fit: what the image is off by, written once in the arithmetic of the autograd core.

    residual = blur(used * robustify(bound(encode(gain * image) - target)))

encode is the sRGB curve if the fit compares encoded values. bound takes a clipped pixel for what it is: where the
target is at its lowest level, an image below is not off at all; likewise above the highest. blur is that of the level.
The loss is the sum of the squares. robustify makes it a robust one: with z = (d / scale)^2, the square of what it makes
of a difference d is scale^2 rho(z), and

    squared   rho(z) = z,                       robustify(d) = d
    huber     rho(z) = z for z <= 1,            robustify(d) = d
                       2 sqrt(z) - 1 beyond,                sign(d) scale sqrt(2 |d| / scale - 1)
    soft_l1   rho(z) = 2 (sqrt(1 + z) - 1),     robustify(d) = d sqrt(2 / (1 + sqrt(1 + z)))

(Huber, Robust estimation of a location parameter, 1964; Charbonnier et al., 1997.)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, absolute, maximum, power, reshape, sign, sqrt, transpose, where
from diffrt.compiler import choose_engine
from diffrt.fitting.level import Level, gaussian, mean_of_blocks
from diffrt.fitting.settings import Settings
from diffrt.fitting.view import View
from diffrt.image import srgb_encode
from diffrt.tracer.renderer import Part, render_part
from diffrt.tracer.renderer import Settings as Sampling

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sight:
    """A view at a level.

    view: it, cut to the pixels that count. factor: pixels of it per side that are one. settings: of the fit. target:
    (height, width, 3), in its space, with the bounds where a pixel is clipped. dark, bright: where it is. used:
    (height, width). blur: matrices for rows and columns, or None.
    """

    view: View
    factor: int
    settings: Settings
    target: Array
    dark: NDArray[np.bool_]
    bright: NDArray[np.bool_]
    used: Array
    blur: tuple[Array, Array] | None

    def image(
        self, values: Mapping[str, Any], rows: tuple[int, int] | None = None, pixels: NDArray[np.bool_] | None = None
    ) -> Any:
        """The image with the view's gain, in the space of the fit: rows of (height, width, 3). pixels: which are
        needed, (height, width); all if None."""
        part = Part(self.factor, rows, pixels)
        image: Any = render_part(self.view.placed(values), part, Sampling(self.settings.cells), choose_engine())
        if not isinstance(image, Var):
            image = np.asarray(image)
        gain = self.view.gain(values)
        if gain is not None:
            image = image * gain
        return encode(image) if self.settings.space == "srgb" else image

    def off(self, values: Mapping[str, Any], rows: tuple[int, int] | None = None) -> Any:
        """The residual of some rows, all if None: (height, width, 3), an array or a Var. A blurred one has all."""
        which = slice(*(rows or (None,)))
        dark, bright, used = self.dark[which], self.bright[which], self.used[which]
        off = self.image(values, rows, self.used > 0.0) - self.target[which]
        plain = off.value if isinstance(off, Var) else off
        kept = (dark & (plain <= 0.0)) | (bright & (plain >= 0.0))
        if kept.any():
            off = where(kept, 0.0, off)
        off = robustify(self.settings.loss, self.settings.scale, off)
        if not used.all():
            off = off * used[..., None]
        return off if self.blur is None else _blurred(off, self.blur)

    @property
    def sum_of_squares(self) -> Array:
        """The squares of the target where it counts, (height, width, 3), blurred before."""
        target = self.target * self.used[..., None]
        return np.asarray(target if self.blur is None else _blurred(target, self.blur)) ** 2

    def counted(self, off: Array, rows: tuple[int, int] | None = None) -> NDArray[np.bool_]:
        """Which residuals say something: those of used pixels, unless a bound holds."""
        which = slice(*(rows or (None,)))
        clipped = (self.dark[which] | self.bright[which]) & (off == 0.0) if self.blur is None else False
        counted: NDArray[np.bool_] = (self.used[which, :, None] > 0.0) & ~np.asarray(clipped)
        return counted


def sights(views: tuple[View, ...], level: Level, settings: Settings) -> tuple[Sight, ...]:
    """Every view at a level."""
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


def encode(linear: Any) -> Any:
    """The sRGB curve of `srgb_encode` for arrays and Vars."""
    curved = 1.055 * power(maximum(linear, 0.0031308), 1.0 / 2.4) - 0.055
    return where(linear <= 0.0031308, 12.92 * linear, curved)


def _sight(view: View, level: Level, settings: Settings) -> Sight:
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
    target = srgb_encode(linear) if settings.space == "srgb" else np.asarray(linear)
    height, width = target.shape[:2]
    blur = None
    if level.blur > 0.0:
        blur = gaussian(height, level.blur / factor), gaussian(width, level.blur / factor)
    return Sight(view, factor, settings, target, dark, bright, used, blur)


def _blurred(off: Any, blur: tuple[Array, Array]) -> Any:
    down, across = blur
    height, width = len(down), len(across)
    rows = reshape(down @ reshape(off, (height, width * 3)), (height, width, 3))
    turned = reshape(transpose(rows, (1, 0, 2)), (width, height * 3))
    return transpose(reshape(across @ turned, (width, height, 3)), (1, 0, 2))
