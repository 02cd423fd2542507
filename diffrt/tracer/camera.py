"""From image coordinates to rays, for any camera: it is six vectors, or eight with a lens (`Camera.vectors`)."""

from collections.abc import Sequence
from typing import Any

from diffrt.autograd import stack
from diffrt.kinds.cameras.lens import undistort
from diffrt.kinds.vectors import dot, normalize


def part_of(camera: Any, x: float, y: float, factor: int = 1) -> Any:
    """The vectors of a camera whose image is a part of another's: image coordinates begin at (x, y) of that one, and a
    pixel is `factor` of its pixels wide and high.

    camera: an array or a Var (3, 6) or (3, 8).
    """
    o0, ox, oy, d0, dx, dy, *lens = (camera[:, i] for i in range(camera.shape[1]))
    o0, d0 = o0 + float(x) * ox + float(y) * oy, d0 + float(x) * dx + float(y) * dy
    return stack([o0, float(factor) * ox, float(factor) * oy, d0, float(factor) * dx, float(factor) * dy, *lens], 1)


def cropped(camera: Any, crop: Sequence[int]) -> Any:
    """The vectors of a camera whose image is a crop of the picture, as it is given in scenes; empty for no crop."""
    return part_of(camera, crop[0], crop[1]) if crop else camera


def rays(camera: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Origins and unit directions (3, N) of the rays through image points.

    camera: the vectors, (3, 6, 1) or (3, 8, 1). x, y: image coordinates (N,), in pixels.
    """
    o0, ox, oy, d0, dx, dy, *lens = (camera[:, i] for i in range(camera.shape[1]))
    o, d = o0 + x * ox + y * oy, d0 + x * dx + y * dy
    if lens:
        axis, coefficients = lens
        aside = d - axis
        square = dot(aside, aside)
        d = axis + undistort(coefficients[0] * square, coefficients[1] * square * square) * aside
    return o, normalize(d)
