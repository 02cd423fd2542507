"""Cameras: from image coordinates to rays.

Image coordinates have x to the right and y down, (0, 0) at the top left corner of the top left pixel. In both
cameras the ray of a point depends on it in the same way,

    origin = o0 + x ox + y oy,    direction = (d0 + x dx + y dy) / length

so a camera is six vectors. They are formulas in its parameters: with the axes forward f, right r, up u, and an
image of W x H pixels, a perspective camera of vertical field of view fov has pixels of size
s = 2 tan(fov / 2) / H at distance 1, and an orthographic one of size s = view height / H.
"""

from math import pi
from typing import Any

import numpy as np

from diffrt.autograd import cross, normalize, stack, tan
from diffrt.render.vectors import unit
from diffrt.scene import Scene


def camera_vectors(scene: Scene) -> Any:
    """The vectors o0, ox, oy, d0, dx, dy of a scene's camera as an array or a Var (3, 6), scene units."""
    position, target, up = (scene[f"camera.{name}"] for name in ("position", "target", "up"))
    forward = normalize(target - position)
    right = normalize(cross(forward, up))
    upward = cross(right, forward)
    width, height = scene.camera.width, scene.camera.height
    zero = np.zeros(3)
    if scene.camera.type == "perspective":
        size = 2.0 * tan(scene["camera.fov"] * (pi / 360.0)) / height
    else:
        size = scene["camera.view_height"] / height
    across, down = right * size, upward * -size
    corner = across * (-0.5 * width) + down * (-0.5 * height)
    if scene.camera.type == "perspective":
        return stack([position, zero, zero, forward + corner, across, down], 1)
    return stack([position + corner, across, down, forward, zero, zero], 1)


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
    return o0 + x * ox + y * oy, unit(d0 + x * dx + y * dy)
