"""The same radiance in all directions."""

from typing import Any

from diffrt.kinds.fields import radiance
from diffrt.kinds.kind import Background


class ConstantBackground(Background):
    """One colour behind everything. It is seen by the camera and in mirrors, and lights no surface."""

    type = "constant"
    radiance = radiance("that rays see which meet nothing")

    def seen(self, d: Any) -> Any:
        return self.radiance + 0.0 * d

    def at_most(self) -> Any:
        return self.radiance
