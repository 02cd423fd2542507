"""The perspective camera. With the axes forward f, right r and up u, a vertical field of view fov and a picture of W by
H pixels, a pixel has the height s = 2 tan(fov / 2) / H at distance 1 and the width a s, a being the pixel aspect. The
ray of image coordinates x, y goes from the position in the direction of f + (x - cx) a s r - (y - cy) s u, where the
principal point is cx = W / 2 + px H, cy = H / 2 + py H.

A lens with k1 or k2 shows at the distance v from the principal point what is at the distance u without it, both at
distance 1 from the eye, where v = u (1 + k1 u^2 + k2 u^4). These are the k1 and k2 of OpenCV, of whose matrix of a
calibrated camera fov = 2 arctan(H / (2 fy)), a = fy / fx, px = (cx + 1/2 - W / 2) / H and py = (cy + 1/2 - H / 2) / H:
there (0, 0) is the middle of the first pixel."""

from math import hypot, pi, radians
from math import tan as tangent
from typing import Any

import numpy as np

from diffrt.autograd import Var, stack, tan
from diffrt.kinds.cameras.lens import STEEPEST, narrowest, undistort
from diffrt.kinds.cameras.view import View
from diffrt.kinds.fields import Relation, angle, coefficient, offset


def _shows_each_once(k1: float, k2: float, fov: float, width: int, height: int, pixel_aspect: float,
                     principal_point: Any, crop: Any) -> bool:  # fmt: skip
    """Whether every pixel has a ray, and dv/du does not come near to 0, so that no direction is seen twice."""
    if not (k1 or k2):
        return True
    x, y, across, down = crop or (0, 0, width, height)
    middle = 0.5 * width + principal_point[0] * height, 0.5 * height + principal_point[1] * height
    size = 2.0 * tangent(radians(0.5 * fov)) / height
    v = max(hypot((right - middle[0]) * pixel_aspect * size, (low - middle[1]) * size)
            for right in (x, x + across) for low in (y, y + down))  # fmt: skip
    m = float(np.asarray(undistort(k1 * v * v, k2 * v**4)))
    return m == m and narrowest(k1, k2, m * v) >= STEEPEST


class Perspective(View):
    """Rays from one point, as in an eye."""

    type = "perspective"
    fov = angle("from the lower to the upper border of the whole picture")
    principal_point = offset("where the axis meets the picture: from its middle, right and down, in heights of it")
    k1 = coefficient("of u^3 in the radial distortion by the lens")
    k2 = coefficient("of u^5 in it")
    relations = (
        *View.relations,
        Relation(
            ("k1", "k2", "fov", "width", "height", "pixel_aspect", "principal_point", "crop"),
            "k1",
            _shows_each_once,
            f"with k2, a lens in whose image 1 + 3 k1 u^2 + 5 k2 u^4 is {STEEPEST} or more; beyond, it would show the "
            "same twice",
        ),
    )

    def vectors(self, width: int, height: int) -> Any:
        forward, right, upward = self.axes()
        size = 2.0 * tan(self.fov * (pi / 360.0)) / height
        across, down = right * (size * self.pixel_aspect), upward * -size
        shift_x, shift_y = self.principal_point[0], self.principal_point[1]
        corner = across * (-0.5 * width - shift_x * height) + down * (-0.5 * height - shift_y * height)
        zero = np.zeros(3)
        straight = [self.position, zero, zero, forward + corner, across, down]
        if not any(isinstance(k, Var) or k for k in (self.k1, self.k2)):
            return stack(straight, 1)
        return stack([*straight, forward, stack([self.k1, self.k2, 0.0])], 1)
