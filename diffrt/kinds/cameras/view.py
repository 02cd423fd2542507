"""What cameras have in common: where they stand and look, and the size of the image.

Image coordinates have x to the right and y down, (0, 0) at the top left corner of the top left pixel. They are those of
the whole picture; a crop is a part of it, and what it shows does not depend on the crop.
"""

from typing import Any, ClassVar

import numpy as np

from diffrt.autograd import cross, normalize
from diffrt.kinds.fields import Relation, apart, direction, part_of_picture, pixels, point, ratio, sine
from diffrt.kinds.kind import Camera


class View(Camera):
    """A camera at a position that looks at a target."""

    position = point("where it stands")
    target = point("what is in the middle of the image")
    up = direction("what is upward in the image", (0.0, 1.0, 0.0))
    width = pixels("of the whole picture")
    height = pixels("of the whole picture")
    pixel_aspect = ratio("the width of a pixel over its height", 1.0)
    crop = part_of_picture("the part that is rendered: x and y of its top left corner, its width and height, in pixels")
    relations: ClassVar[tuple[Relation, ...]] = (
        Relation(("position", "target"), "target", apart, "a point apart from the camera's position"),
        Relation(
            ("position", "target", "up"),
            "up",
            # A camera on its target has no view; the relation above says so.
            lambda position, target, up: not apart(position, target) or sine(np.subtract(target, position), up) >= 1e-9,
            "a direction that is not along the view, from position to target",
        ),
        Relation(
            ("crop", "width", "height"),
            "crop",
            lambda crop, width, height: not crop or (crop[0] + crop[2] <= width and crop[1] + crop[3] <= height),
            "a part of the picture: x + width and y + height up to the width and the height of the camera",
        ),
    )

    def axes(self) -> tuple[Any, Any, Any]:
        """The unit vectors forward, right and up, (3,) each."""
        forward = normalize(self.target - self.position)
        right = normalize(cross(forward, self.up))
        return forward, right, cross(right, forward)
