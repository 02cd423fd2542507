"""The perspective camera. With the axes forward f, right r and up u, a vertical field of view fov and an image of W x H
pixels, a pixel has the size s = 2 tan(fov / 2) / H at distance 1, and the ray of image coordinates x, y goes from the
position in the direction of f + (x - W / 2) s r - (y - H / 2) s u."""

from math import pi
from typing import Any

import numpy as np

from diffrt.autograd import stack, tan
from diffrt.kinds.cameras.view import View
from diffrt.kinds.fields import angle


class Perspective(View):
    """Rays from one point, as in an eye."""

    type = "perspective"
    fov = angle("from the lower to the upper border of the image")

    def vectors(self, width: int, height: int) -> Any:
        forward, right, upward = self.axes()
        size = 2.0 * tan(self.fov * (pi / 360.0)) / height
        across, down = right * size, upward * -size
        corner = across * (-0.5 * width) + down * (-0.5 * height)
        zero = np.zeros(3)
        return stack([self.position, zero, zero, forward + corner, across, down], 1)
