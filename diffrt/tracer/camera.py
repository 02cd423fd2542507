"""From image coordinates to rays, for any camera: it is six vectors (`Camera.vectors`)."""

from typing import Any

from diffrt.autograd import stack
from diffrt.kinds.vectors import normalize


def from_row(camera: Any, row: int) -> Any:
    """The vectors of a camera whose image begins at a row: it is the same one, with y counted from there.

    camera: an array or a Var (3, 6).
    """
    o0, ox, oy, d0, dx, dy = (camera[:, i] for i in range(6))
    return stack([o0 + float(row) * oy, ox, oy, d0 + float(row) * dy, dx, dy], 1)


def rays(camera: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Origins and unit directions (3, N) of the rays through image points.

    camera: the vectors, (3, 6, 1). x, y: image coordinates (N,), in pixels.
    """
    o0, ox, oy, d0, dx, dy = (camera[:, i] for i in range(6))
    return o0 + x * ox + y * oy, normalize(d0 + x * dx + y * dy)
