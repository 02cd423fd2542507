"""The orthographic camera. With the axes forward f, right r and up u, a view height h and an image of W x H pixels, a
pixel has the height s = h / H everywhere and the width a s, a being the pixel aspect, and the ray of image coordinates
x, y goes in the direction f from the position + (x - W / 2) a s r - (y - H / 2) s u."""

from typing import Any

import numpy as np

from diffrt.autograd import stack
from diffrt.kinds.cameras.view import View
from diffrt.kinds.fields import extent


class Orthographic(View):
    """Parallel rays, as in a plan."""

    type = "orthographic"
    view_height = extent("from the lower to the upper border of the whole picture")

    def vectors(self, width: int, height: int) -> Any:
        forward, right, upward = self.axes()
        size = self.view_height / height
        across, down = right * (size * self.pixel_aspect), upward * -size
        corner = across * (-0.5 * width) + down * (-0.5 * height)
        zero = np.zeros(3)
        return stack([self.position + corner, across, down, forward, zero, zero], 1)
