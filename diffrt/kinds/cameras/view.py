"""What cameras have in common: where they stand and look, and the size of the image.

Image coordinates have x to the right and y down, (0, 0) at the top left corner of the top left pixel.
"""

from typing import Any

import numpy as np

from diffrt.autograd import cross, normalize
from diffrt.kinds.fields import Relation, apart, direction, pixels, point, sine
from diffrt.kinds.kind import Camera


class View(Camera):
    """A camera at a position that looks at a target."""

    position = point("where it stands")
    target = point("what is in the middle of the image")
    up = direction("what is upward in the image", (0.0, 1.0, 0.0))
    width = pixels("of the image")
    height = pixels("of the image")
    relations = (
        Relation(("position", "target"), "target", apart, "a point apart from the camera's position"),
        Relation(
            ("position", "target", "up"),
            "up",
            # A camera on its target has no view; the relation above says so.
            lambda position, target, up: not apart(position, target) or sine(np.subtract(target, position), up) >= 1e-9,
            "a direction that is not along the view, from position to target",
        ),
    )

    def axes(self) -> tuple[Any, Any, Any]:
        """The unit vectors forward, right and up, (3,) each."""
        forward = normalize(self.target - self.position)
        right = normalize(cross(forward, self.up))
        return forward, right, cross(right, forward)
