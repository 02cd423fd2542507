"""A light from outside the package: a bulb over which an opaque plate hangs. `python examples/plugin/shaded_bulb.py`

It shines from its position o evenly into all directions within 90 degrees of its unit axis a, with the irradiance
intensity / distance^2, and not at all into the others. The border between the two is where

    (p - o) . a / |p - o| = 0

and everything behind it is dark at once, so it is an edge of the image, which moves with the bulb and its axis.
"""

import sys
from typing import Any

import diffrt
from diffrt.autograd import maximum
from diffrt.kinds import Light
from diffrt.kinds.fields import direction, intensity, point
from diffrt.kinds.vectors import dot, length, normalize


@diffrt.register
class ShadedBulb(Light):
    """A bulb that shines to one side of a plane only."""

    type = "shaded_bulb"
    position = point("where it is")
    axis = direction("the way that it shines, at right angles to its plate", (0.0, -1.0, 0.0))
    intensity = intensity("how strong it is where it shines")

    bordered = True  # it has the formula `shines`; a light without a border leaves both out

    def incident(self, p: Any) -> tuple[Any, Any, Any]:
        v = self.position - p
        distance = maximum(length(v), 1e-9)  # at the bulb itself there is no direction to it
        return v / distance, distance, self.intensity / (distance * distance)

    def shines(self, p: Any) -> Any:
        v = p - self.position
        return dot(normalize(self.axis), v) / maximum(length(v), 1e-9)


SCENE = """
[camera]
position = [0.4, 2.0, 5.0]
target = [0.0, 0.7, 0.0]
fov = 40.0
width = 240
height = 180

[shapes.floor]
type = "plane"
point = [0.0, 0.0, 0.0]
normal = [0.0, 1.0, 0.0]
material = { type = "lambert", albedo = 0.6 }

[shapes.wall]
type = "plane"
point = [0.0, 0.0, -1.2]
normal = [0.0, 0.0, 1.0]
material = { type = "lambert", albedo = 0.6 }

[shapes.ball]
type = "sphere"
center = [0.3, 0.6, 0.2]
radius = 0.6
material = { type = "lambert", albedo = [0.8, 0.3, 0.2] }

[lights.bulb]
type = "shaded_bulb"
position = [-1.0, 1.3, 0.6]
axis = [0.2, -1.0, -0.1]
intensity = [8.0, 7.0, 5.0]

[lights.sky]
type = "ambient"
radiance = 0.06
"""


def main() -> None:
    scene = diffrt.parse_scene(SCENE)
    diffrt.render(scene).save(sys.argv[1] if len(sys.argv) > 1 else "shaded_bulb.png")
    checked = diffrt.check(scene.replace({}, width=32, height=24), "bulb.*")
    print(checked)
    sys.exit(not checked.ok)


if __name__ == "__main__":
    main()
