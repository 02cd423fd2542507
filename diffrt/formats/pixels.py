"""What a file of any format holds."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pixels:
    """The content of an image file, upright.

    values: RGB (height, width, 3): levels, as uint8 or uint16, or numbers, as float64. alpha: how opaque each pixel is,
    (height, width) from 0 to 1; None if all are, entirely. exif: what the camera says of the photograph, a TIFF file
    without a picture; empty if it says nothing.
    """

    values: NDArray[Any]
    alpha: NDArray[np.float64] | None = None
    exif: bytes = b""


@contextmanager
def opened(data: bytes | bytearray, kind: str) -> Iterator[Any]:
    """The picture in some bytes, as Pillow reads files of a kind, such as "JPEG"; what it warns of is not said."""
    from PIL import Image as pillow  # slow to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pillow.open(io.BytesIO(data), formats=[kind]) as picture:
            yield picture


def pixels_of(values: NDArray[Any], exif: bytes = b"") -> Pixels:
    """Pixels of gray, gray and alpha, RGB, or RGB and alpha, (height, width, 1 to 4).

    Whether colours are multiplied by alpha, which formats do differently, is the same for pixels that are entirely
    there; no others are compared with anything.
    """
    channels = values.shape[-1]
    colour = values[..., :3] if channels > 2 else np.repeat(values[..., :1], 3, -1)
    if channels in (1, 3):
        return Pixels(colour, exif=exif)
    alpha = values[..., -1] / (np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1.0)
    return Pixels(colour, None if (alpha >= 1.0).all() else alpha, exif)
