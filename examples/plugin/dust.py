"""A material from outside the package: dust as on the moon, which is as bright at its border as in its middle.
`python examples/plugin/dust.py`

Light goes into a deep layer of dark grains and comes out after it met one of them (Lommel and Seeliger). With the
cosines c of the light and e of the eye over the surface, and the share w that a grain scatters,

    f = w / (4 pi (c + e)).

What comes of even light from everywhere is the integral of f c over the hemisphere,

    w / 2 * integral of c / (c + e) dc from 0 to 1 = w / 2 * (1 - e log((1 + e) / e)).
"""

import sys
from math import pi
from typing import Any

import diffrt
from diffrt.autograd import log, maximum
from diffrt.kinds import Material
from diffrt.kinds.fields import reflectance
from diffrt.kinds.vectors import dot

LEAST = 1e-12
"""The least cosine: at the very outline of a shape it may be 0."""


@diffrt.register
class Dust(Material):
    """A deep layer of dark grains."""

    type = "dust"
    albedo = reflectance("the share of light that a grain scatters")

    def brdf(self, n: Any, to_eye: Any, to_light: Any) -> Any:
        cosines = maximum(dot(n, to_light), 0.0) + maximum(dot(n, to_eye), LEAST)
        return self.albedo / (4.0 * pi * cosines)

    def ambient(self, n: Any, to_eye: Any) -> Any:
        e = maximum(dot(n, to_eye), LEAST)
        return self.albedo * (0.5 - 0.5 * e * log((1.0 + e) / e))


SCENE = """
[camera]
position = [0.0, 0.0, 6.0]
target = [0.0, 0.0, 0.0]
fov = 32.0
width = 240
height = 180

[shapes.moon]
type = "sphere"
center = [-0.8, 0.0, 0.0]
radius = 0.7
material = { type = "dust", albedo = [0.9, 0.88, 0.8] }

[shapes.chalk]
type = "sphere"
center = [0.8, 0.0, 0.0]
radius = 0.7
material = { type = "lambert", albedo = [0.45, 0.44, 0.4] }

[lights.sun]
type = "directional"
direction = [-0.5, -0.2, -1.0]
irradiance = 4.0

[lights.sky]
type = "ambient"
radiance = 0.05
"""


def main() -> None:
    scene = diffrt.parse_scene(SCENE)
    diffrt.render(scene).save(sys.argv[1] if len(sys.argv) > 1 else "dust.png")
    checked = diffrt.check(
        scene.replace({}, width=32, height=24), ["moon.material.albedo", "moon.center", "sun.direction"]
    )
    print(checked)
    sys.exit(not checked.ok)


if __name__ == "__main__":
    main()
