"""A background from outside the package: a sky that glows around the sun. `python examples/plugin/glow.py`

Along a ray of the unit direction d, with the unit vector s to the sun, the radiance is

    sky + glow exp(k (d . s - 1))

so it is sky + glow at the sun itself, and the glow is e times weaker about sqrt(2 / k) radians from it.
"""

import sys
from typing import Any

import diffrt
from diffrt.autograd import exp
from diffrt.kinds import Background
from diffrt.kinds.fields import direction, exponent, radiance
from diffrt.kinds.vectors import dot, normalize


@diffrt.register
class Glow(Background):
    """A sky that glows around the sun."""

    type = "glow"
    sky = radiance("far from the sun")
    glow = radiance("more than that at the sun")
    to_sun = direction("to the sun")
    sharpness = exponent("k, how narrow the glow is", 8.0)

    def seen(self, d: Any) -> Any:
        return self.sky + self.glow * exp(self.sharpness * (dot(d, normalize(self.to_sun)) - 1.0))


SCENE = """
[camera]
position = [0.0, 1.0, 5.0]
target = [0.0, 1.1, 0.0]
fov = 40.0
width = 240
height = 180

[background]
type = "glow"
sky = [0.1, 0.2, 0.45]
glow = [1.2, 0.7, 0.3]
to_sun = [-0.3, 0.12, -1.0]
sharpness = 12.0

[shapes.ball]
type = "sphere"
center = [0.5, 1.0, 0.0]
radius = 0.8
material = { type = "mirror", reflectance = 0.9 }

[shapes.floor]
type = "plane"
point = [0.0, 0.0, 0.0]
normal = [0.0, 1.0, 0.0]
material = { type = "lambert", albedo = [0.3, 0.35, 0.3] }

[lights.sky]
type = "ambient"
radiance = 0.4
"""


def main() -> None:
    scene = diffrt.parse_scene(SCENE)
    diffrt.render(scene).save(sys.argv[1] if len(sys.argv) > 1 else "glow.png")
    checked = diffrt.check(scene.replace({}, width=32, height=24), ["background.*", "ball.center"])
    print(checked)
    sys.exit(not checked.ok)


if __name__ == "__main__":
    main()
