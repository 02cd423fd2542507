"""What a camera says of a photograph: how it was held, and its focal length.

Source: Exif 2.3 (CIPA DC-008-2012), sections 4.6.2 and 4.6.4 to 4.6.6; CIPA DCG-001-2018 for the 35 mm equivalent.
"""

import math
import warnings
from collections.abc import Mapping
from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

ORIENTATION, EXIF_TABLE = 0x0112, 0x8769
_FOCAL_LENGTH, _FOCAL_LENGTH_35 = 0x920A, 0xA405
_WIDTH, _HEIGHT, _RESOLUTION_X, _RESOLUTION_Y, _RESOLUTION_UNIT = 0xA002, 0xA003, 0xA20E, 0xA20F, 0xA210
_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
_DIAGONAL = math.hypot(36.0, 24.0)  # of a picture on 35 mm film
_SAME_SHAPE = 0.02  # of the ratio of the sides: makers round their pixels

_UPRIGHT: dict[int, Any] = {
    2: lambda x: x[:, ::-1], 3: lambda x: x[::-1, ::-1], 4: lambda x: x[::-1], 5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x[::-1].swapaxes(0, 1), 7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: x[:, ::-1].swapaxes(0, 1),
}  # fmt: skip
"""What an orientation asks for (Exif 2.3, section 4.6.4, tag 274); 1 asks for nothing."""


def upright(values: NDArray[Any], orientation: float | None) -> NDArray[Any]:
    """Pixels (height, width, ...), turned as their orientation says."""
    turned = _UPRIGHT.get(int(orientation or 1))
    return values if turned is None else np.ascontiguousarray(turned(values))


def orientation_of(exif: bytes) -> float | None:
    """How the camera was held, 1 to 8, if it says so."""
    return entries(exif).get(ORIENTATION)


def field_of_view(exif: bytes, width: int, height: int) -> tuple[float, str] | None:
    """The vertical field of view in degrees of an upright photograph, and what it is from, in words; None if the camera
    does not say.

    width, height: of the picture in pixels. The 35 mm equivalent f' has the diagonal of a picture on film, 43.3 mm, in
    the place of the photograph's: tan(fov / 2) = 43.3 mm / (2 f') h / sqrt(w^2 + h^2). Else it is the focal length f
    and the height of the sensor: tan(fov / 2) = height / (2 f). A photograph that is not of the shape that the camera
    took was cut, so nothing follows from either.
    """
    found = entries(exif)
    taken = found.get(_WIDTH), found.get(_HEIGHT)
    turned = int(found.get(ORIENTATION) or 1) >= 5
    across, down = (height, width) if turned else (width, height)
    if taken[0] and taken[1] and abs(across / down / (taken[0] / taken[1]) - 1.0) > _SAME_SHAPE:
        return None
    equivalent = found.get(_FOCAL_LENGTH_35)
    if equivalent and equivalent > 0.0:
        half = 0.5 * _DIAGONAL / equivalent * height / math.hypot(width, height)
        return _degrees(half), f"its 35 mm equivalent focal length of {equivalent:g} mm"
    focal, unit = found.get(_FOCAL_LENGTH), _MM.get(int(found.get(_RESOLUTION_UNIT) or 2))
    per_unit = found.get(_RESOLUTION_X if turned else _RESOLUTION_Y)
    pixels = taken[0 if turned else 1] or height
    if not (focal and focal > 0.0 and unit and per_unit and per_unit > 0.0):
        return None
    size = pixels * unit / per_unit
    return _degrees(0.5 * size / focal), f"its focal length of {focal:g} mm and a sensor {size:.4g} mm high"


def _degrees(half: float) -> float:
    return math.degrees(2.0 * math.atan(half))


def entries(exif: bytes) -> dict[int, float]:
    """The numbers of the first table and of the camera's own one, by tag; of several values the first. What is damaged
    is left out, as it is no part of the picture."""
    if exif[:2] not in (b"II", b"MM"):
        return {}
    from PIL import Image as pillow  # slow to import

    tables, found = pillow.Exif(), dict[int, float]()
    with warnings.catch_warnings(), suppress(Exception):  # Pillow names no list
        warnings.simplefilter("ignore")
        tables.load(exif)
        found = _numbers(tables)
        found = _numbers(tables.get_ifd(EXIF_TABLE)) | found
    return found


def _numbers(table: Mapping[int, Any]) -> dict[int, float]:
    firsts = {tag: value[0] if isinstance(value, tuple) and value else value for tag, value in table.items()}
    numbers = {tag: float(x) for tag, x in firsts.items() if isinstance(x, Real)}
    return {tag: x for tag, x in numbers.items() if math.isfinite(x)}  # 0 / 0 is Pillow's nan
