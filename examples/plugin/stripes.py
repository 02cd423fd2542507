"""Two textures from outside the package: slanted stripes with hard borders, and a fade from one value to another.
`python examples/plugin/stripes.py`

A texture gives a value for the coordinates u and v of a point on a surface, each from 0 to 1. Where it jumps, it says
where: `border` is a continuous function that passes through zero there, and each of its two sides has one value. For
stripes with the slant s = (a, b) it is

    sin(pi (a u + b v))

which changes its sign a times along u and b times along v. Such a border is an edge of the image. Where a texture is
continuous, it says its `value` instead, as the fade does: low + v (high - low).
"""

import sys
from math import pi
from typing import Any

import diffrt
from diffrt.autograd import sin
from diffrt.kinds import Texture
from diffrt.kinds.fields import own, pair


@diffrt.register
class Stripes(Texture):
    """Slanted stripes of two values."""

    type = "stripes"
    even = own("the value on the stripe at u = v = 0, and on every second one")
    odd = own("the value on the others")
    slant = pair("how many stripes there are along u, and along v, from 0 to 1", (8.0, 0.0))

    has_edge = True

    def border(self, u: Any, v: Any) -> Any:
        return sin(pi * (self.slant[0] * u + self.slant[1] * v))

    def piece(self, positive: bool) -> Any:
        return self.even if positive else self.odd


@diffrt.register
class Fade(Texture):
    """From one value below to another above."""

    type = "fade"
    low = own("the value at v = 0")
    high = own("the value at v = 1")

    def value(self, u: Any, v: Any, around: tuple[bool, bool]) -> Any:
        return self.low + v * (self.high - self.low)


SCENE = """
[camera]
position = [0.4, 1.6, 5.0]
target = [0.0, 0.8, 0.0]
fov = 34.0
width = 240
height = 180

[background]
radiance = [0.25, 0.35, 0.5]

[shapes.floor]
type = "plane"
point = [0.0, 0.0, 0.0]
normal = [0.0, 1.0, 0.0]
material = { type = "lambert", albedo = 0.6 }

[shapes.flag]
type = "rectangle"
center = [-0.7, 0.85, 0.0]
normal = [0.3, 0.1, 1.0]
width = 1.4
height = 1.1

[shapes.flag.material]
type = "lambert"
albedo = { type = "stripes", even = [0.8, 0.2, 0.15], odd = 0.8, slant = [3.1, 4.2] }

[shapes.ball]
type = "sphere"
center = [0.9, 0.6, 0.2]
radius = 0.6
material = { type = "lambert", albedo = { type = "fade", low = [0.1, 0.2, 0.5], high = [0.9, 0.8, 0.5] } }

[lights.lamp]
type = "point"
position = [2.0, 4.0, 3.0]
intensity = 40.0

[lights.sky]
type = "ambient"
radiance = 0.1
"""


def main() -> None:
    scene = diffrt.parse_scene(SCENE)
    diffrt.render(scene).save(sys.argv[1] if len(sys.argv) > 1 else "stripes.png")
    checked = diffrt.check(
        scene.replace({}, width=32, height=24), ["flag.material.albedo.*", "ball.material.albedo.*", "flag.center"]
    )
    print(checked)
    sys.exit(not checked.ok)


if __name__ == "__main__":
    main()
