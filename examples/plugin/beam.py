"""An op from outside the package, sech x = 1 / cosh x, in a light, a beam. `python examples/plugin/beam.py`

The op is one row: its values, its derivative in words of `diffrt.autograd`, and the code that kernels run. With the
angle a between the axis of the beam and the way to a point, and the width w of the beam, the irradiance is

    intensity / distance^2 * sech(a / w)^2

and d sech x / dx = -sech x tanh x.
"""

import sys
from math import pi
from typing import Any

import numpy as np

import diffrt
from diffrt import autograd
from diffrt.autograd import arctan2, maximum, tanh
from diffrt.kinds import Light
from diffrt.kinds.fields import angle, direction, intensity, point
from diffrt.kinds.vectors import cross, dot, length


def sech_code(t: Any, x: Any) -> Any:
    """2 e / (1 + e^2) with e = exp(-|x|), which never overflows."""
    e = t.op("exp", -abs(x))
    return 2.0 * e / (1.0 + e * e)


sech = autograd.op(
    "sech",
    lambda x: 2.0 * np.exp(-np.abs(x)) / (1.0 + np.exp(-2.0 * np.abs(x))),
    (lambda out, x: -out * tanh(x),),
    code=sech_code,
    latex=r"\operatorname{{sech}}({})",
)


@diffrt.register
class Beam(Light):
    """A lamp whose light fades to all sides of its axis, without a border."""

    type = "beam"
    position = point("where it is")
    axis = direction("the way that it shines")
    width = angle("from the axis to where 42 % of the light are left")
    intensity = intensity("how strong it is along the axis")

    def incident(self, p: Any) -> tuple[Any, Any, Any]:
        v = p - self.position
        distance = maximum(length(v), 1e-9)
        off = arctan2(length(cross(self.axis + 0.0 * v, v)), dot(self.axis, v))
        share = sech(off / (self.width * (pi / 180.0)))
        return -v / distance, distance, self.intensity * (share * share / (distance * distance))


SCENE = """
[camera]
position = [0.4, 2.0, 5.0]
target = [0.0, 0.6, 0.0]
fov = 38.0
width = 240
height = 180

[background]
radiance = [0.25, 0.35, 0.5]

[shapes.floor]
type = "plane"
point = [0.0, 0.0, 0.0]
normal = [0.0, 1.0, 0.0]
material = { type = "lambert", albedo = 0.6 }

[shapes.ball]
type = "sphere"
center = [0.3, 0.6, 0.0]
radius = 0.6
material = { type = "lambert", albedo = [0.8, 0.3, 0.2] }

[lights.beam]
type = "beam"
position = [-2.0, 3.0, 2.0]
axis = [0.65, -0.75, -0.6]
width = 9.0
intensity = 60.0

[lights.sky]
type = "ambient"
radiance = 0.06
"""


def main() -> None:
    print(diffrt.check_gradient(lambda x: sech(x), [-800.0, -2.0, 0.0, 0.5, 30.0]))
    scene = diffrt.parse_scene(SCENE)
    diffrt.render(scene).save(sys.argv[1] if len(sys.argv) > 1 else "beam.png")
    checked = diffrt.check(scene.replace({}, width=32, height=24), ["beam.*", "ball.radius"])
    print(checked)
    sys.exit(not checked.ok)


if __name__ == "__main__":
    main()
