"""numpy's .npy files: floats, or the levels of a camera as whole numbers of 8 or 16 bits."""

import io
import math
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffrt.errors import InputError
from diffrt.files import MIB, read_bytes
from diffrt.formats.limits import MAX_PIXELS, check_size
from diffrt.formats.pixels import Pixels
from diffrt.image import check_finite


def read(path: str | Path, most: int = MAX_PIXELS) -> Pixels:
    """The values: numbers of floats, levels of whole numbers. Raises InputError."""
    data = read_bytes(path, limit=MAX_PIXELS * 3 * 8 + MIB)
    file = io.BytesIO(data)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, column_first, dtype = readers[np.lib.format.read_magic(file)](file)
    except Exception:  # the header is a Python literal: it can be wrong in as many ways as a program
        raise InputError(f"{path}: not a .npy file, or its header is damaged") from None
    levels = dtype.kind == "u" and dtype.itemsize <= 2
    if not levels and not (dtype.kind == "f" and np.can_cast(dtype, np.float64)):
        raise InputError(f"{path}: holds {dtype} values; float64, float32, float16, uint16 or uint8 is needed")
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)):
        raise InputError(f"{path}: has the shape {shape}; (height, width, 3) or (height, width) is needed")
    check_size(path, *shape[:2], most)
    promised, found = math.prod(shape) * dtype.itemsize, len(data) - file.tell()
    if promised != found:
        raise InputError(f"{path}: damaged .npy: {promised} bytes of values are announced, {found} follow")
    values = np.frombuffer(data, dtype, offset=file.tell())
    values = values.reshape(shape, order="F" if column_first else "C")
    values = values.astype(dtype.newbyteorder("=") if levels else float)
    check_finite(values, str(path))
    return Pixels(values if values.ndim == 3 else np.stack([values] * 3, axis=-1))


def encode(values: NDArray[np.float64]) -> bytes:
    """The content of a file of values (height, width, 3), exactly."""
    file = io.BytesIO()
    np.save(file, np.asarray(values), allow_pickle=False)
    return file.getvalue()
