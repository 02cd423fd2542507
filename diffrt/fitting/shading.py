"""Where the light on a ball comes from, by the ball's shading alone.

A matte ball under one distant light has, at a point with the normal n, the intensity

    I = a + max(b . n, 0)

with a the light from everywhere, and b along the way to the light (Lambert). That is linear in a and b where n faces
the light. Highlights, cast shadows and reflections are outliers: the fit is reweighted least squares with Tukey's
weights, over the pixels that the b before has lit (Beaton and Tukey, 1974; Woodham, Photometric method for determining
surface orientation from multiple images, 1980, turned around: the normals are known, the light is not).

A ball without a matte part shows the light where it mirrors it: with v the way to the eye, at the middle of the
highlight the normal is half-way between v and the way to the light,

    l = 2 (n . v) n - v
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.fitting.view import View
from diffrt.kinds import REFLECT, Material
from diffrt.tracer.camera import rays
from diffrt.tracer.tables import build_tables
from diffrt.types import Array

Integers = NDArray[np.intp]

RIM = 0.05
"""A ball is left out at its rim, where pixels are mixed: up to this squared cosine of normal and ray."""

FEWEST = 12
"""Pixels of a ball that its shading is told from, at least."""

MATTE = 0.3
"""The least share of a ball's light that is its matte part's, for the light to be told from that."""


@dataclass(frozen=True)
class Lit:
    """The light on a ball. to_light: the unit vector towards it, (3,). highlight: whether it was told from the
    highlight. strength: the irradiance (3,) that gives the material of the scene this brightness; None if it
    mirrors, or has a texture."""

    to_light: Array
    highlight: bool
    strength: Array | None


def light_on(view: View, ball: Array, material: Material) -> Lit | None:
    """The light on a ball in a photograph, None if it cannot be told: no light is on it, or the ball is out of view.

    ball: centre and radius, (4,). material: the ball's, as the scene has it.
    """
    row, column = np.nonzero(view.used)
    camera = np.asarray(build_tables(view.scene).camera, float)[:, :, None]
    o, d = rays(camera, column + 0.5, row + 0.5)
    v = ball[:3, None] - o
    along = (v * d).sum(0)
    aside = v - along * d
    h = ball[3] ** 2 - (aside * aside).sum(0)
    on = (h > RIM * ball[3] ** 2) & (along > 0.0)
    if on.sum() < FEWEST:
        return None
    n = (np.sqrt(h[on]) * -d[:, on] - aside[:, on]) / ball[3]
    to_eye = np.broadcast_to(-d[:, on], n.shape)
    colour = np.asarray(view.photograph.image)[row[on], column[on]]
    clipped = view.photograph.bright[row[on], column[on]].any(1)
    intensity = colour.mean(1)
    if not np.ptp(intensity) > 0.0:
        return None
    matte = "albedo" in material.fields
    ambient, b = _matte_part(n, intensity, ~clipped) if (~clipped).sum() >= FEWEST else (0.0, np.zeros(3))
    shaded = np.maximum(b @ n, 0.0)
    above = float(np.maximum(intensity - ambient, 0.0).sum())
    by_matte = matte and b.any() and shaded.sum() >= MATTE * above
    if by_matte:
        to_light = b / np.linalg.norm(b)
    else:
        found = _mirrored(n, to_eye, intensity - (ambient + shaded if matte else 0.0), (row[on], column[on]))
        if found is None:
            return None
        to_light = found
    mirrors = material.event == REFLECT
    strength = None if mirrors else _strength(n, to_eye, to_light, colour, clipped, material)
    return Lit(to_light, not by_matte, strength)


def _matte_part(n: Array, intensity: Array, kept: NDArray[np.bool_]) -> tuple[float, Array]:
    """a and b of a matte ball. n: (3, N). intensity: (N,). kept: which pixels are taken."""
    n, intensity = n[:, kept], intensity[kept]
    low, high = np.percentile(intensity, [2.0, 98.0])
    weight = (intensity > low + 0.25 * (high - low)).astype(float)
    lit = weight > 0.0
    ambient, b = 0.0, np.zeros(3)
    for _ in range(40):
        design = np.column_stack([(n * lit).T, np.ones(len(intensity))])
        root = np.sqrt(weight)
        solved = np.linalg.lstsq(root[:, None] * design, root * intensity, rcond=None)[0]
        if solved[3] < 0.0:  # no light is taken away from everywhere
            solved = np.append(np.linalg.lstsq(root[:, None] * design[:, :3], root * intensity, rcond=None)[0], 0.0)
        still = np.abs(solved - np.append(b, ambient)).max() <= 1e-6 * max(np.abs(solved).max(), 1e-300)
        b, ambient = solved[:3], float(solved[3])
        if still:
            break
        lit = b @ n > 0.0
        off = np.abs(intensity - ambient - np.maximum(b @ n, 0.0))
        # A hundredth of the range is no outlier, however small the noise.
        reach = 4.685 * max(1.48 * float(np.median(off)), 0.01 * float(high - low))
        weight = np.where(off < reach, (1.0 - (off / reach) ** 2) ** 2, 0.0)
    return ambient, b


def _mirrored(n: Array, to_eye: Array, shine: Array, place: tuple[Integers, Integers]) -> Array | None:
    """The way to the light from the brightest highlight. shine: what the matte part does not explain, (N,). place: the
    rows and the columns of the pixels, (N,) each."""
    from scipy.ndimage import label

    top = float(shine.max())
    if not top > 0.0:
        return None
    row, column = place[0] - place[0].min(), place[1] - place[1].min()
    bright = np.zeros((int(row.max()) + 1, int(column.max()) + 1), bool)
    bright[row, column] = shine >= 0.5 * top
    number = label(bright)[0][row, column]
    own = number == 1 + np.bincount(number, shine)[1:].argmax()
    half = n[:, own] @ shine[own]
    half /= np.linalg.norm(half)
    eye = to_eye[:, own].mean(1)
    eye /= np.linalg.norm(eye)
    return np.asarray(2.0 * (half @ eye) * half - eye)


def _strength(
    n: Array, to_eye: Array, to_light: Array, colour: Array, clipped: NDArray[np.bool_], material: Material
) -> Array | None:
    """The irradiance of a light from a direction under which the material is as bright as it is seen, (3,)."""
    values = {}
    for name in material.fields:
        value = getattr(material, name)
        try:
            values[name] = np.asarray(value, float)[..., None]
        except (TypeError, ValueError):  # a texture
            return None
    cosine = np.maximum(to_light @ n, 0.0)
    l = np.broadcast_to(to_light[:, None], n.shape)  # noqa: E741
    with np.errstate(all="ignore"):
        each: Any = type(material).holding(**values).brdf(n, to_eye, l)
    shown = np.broadcast_to(np.asarray(each, float), n.shape) * cosine
    shown = np.where(np.isfinite(shown), shown, 0.0)
    found = np.zeros(3)
    for channel in range(3):
        s, value = shown[channel], colour[:, channel]
        well = ~clipped & (s > 0.3 * np.max(s, initial=0.0))
        well = well if well.any() else s > 0.0
        if not well.any():
            return None
        # The median of ratios: a highlight in the wrong place is an outlier.
        dark = float(np.median(value[cosine <= 0.0])) if (cosine <= 0.0).sum() >= FEWEST else 0.0
        found[channel] = np.median((value[well] - dark) / s[well])
    return found if (found > 0.0).all() else None
