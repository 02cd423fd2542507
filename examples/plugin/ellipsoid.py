"""A shape from outside the package: an ellipsoid with axes along x, y and z. `python examples/plugin/ellipsoid.py`

With the half axes a = (a_x, a_y, a_z), the division q = (p - c) / a by components turns the ellipsoid into the ball
|q| = 1, and the ray o + t d into v + t e with v = (o - c) / a and e = d / a. It is closest to the middle at t = -m,
m = v . e / e . e, at the point w = v - m e, and meets the surface where

    h = 1 - w . w > 0,    t = -m -+ sqrt(h / e . e)

with the nearer root for a ray from outside and the farther one from inside. The normal is the gradient of |q|^2, which
is along q / a.
"""

import sys
from typing import Any

import diffrt
from diffrt.autograd import greater, sqrt, stack, where
from diffrt.kinds import Shape
from diffrt.kinds.fields import extent, point
from diffrt.kinds.vectors import dot, normalize


@diffrt.register
class Ellipsoid(Shape):
    """A ball, stretched along the axes."""

    type = "ellipsoid"
    center = point("the middle")
    width = extent("along x")
    height = extent("along y")
    depth = extent("along z")

    meets_itself = (-1.0,)  # a ray that leaves a point on the inside meets the other side of the same face

    def side(self, o: Any) -> Any:
        v = self._scaled(o - self.center)
        return dot(v, v) - 1.0

    def reach(self, o: Any) -> Any:
        v = self._scaled(o - self.center)
        return dot(v, v) + 1.0

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        v, e = self._scaled(o - self.center), self._scaled(d)
        square = dot(e, e)
        m = dot(v, e) / square
        w = v - m * e
        h = 1.0 - dot(w, w)
        # sqrt(h) has no derivative at 0, so where the ray misses, it is the root of 1 that is not used.
        return -m - side * where(greater(h, 0.0), sqrt(where(greater(h, 0.0), h, 1.0) / square), 0.0), h

    def normal_at(self, p: Any, side: Any) -> Any:
        return normalize(self._scaled(self._scaled(p - self.center))) * side

    def again(self, o: Any, d: Any, side: Any) -> Any:
        return dot(d, self.normal_at(o, side))

    def box(self) -> tuple[Any, Any]:
        half = stack([self.width, self.height, self.depth]) * 0.5
        return self.center - half, self.center + half

    def _scaled(self, v: Any) -> Any:
        """A vector (3, N), divided by the half axes."""
        return stack([v[0] / self.width, v[1] / self.height, v[2] / self.depth]) * 2.0


SCENE = """
[camera]
position = [0.4, 2.0, 5.0]
target = [0.0, 0.6, 0.0]
fov = 36.0
width = 240
height = 180

[background]
radiance = [0.25, 0.35, 0.5]

[shapes.floor]
type = "plane"
point = [0.0, 0.0, 0.0]
normal = [0.0, 1.0, 0.0]
material = { type = "lambert", albedo = 0.6 }

[shapes.egg]
type = "ellipsoid"
center = [0.0, 0.6, 0.0]
width = 1.7
height = 1.1
depth = 1.2
material = { type = "lambert", albedo = [0.8, 0.6, 0.4] }

[shapes.ball]
type = "sphere"
center = [0.9, 0.4, 0.9]
radius = 0.4
material = { type = "lambert", albedo = [0.2, 0.4, 0.7] }

[lights.lamp]
type = "point"
position = [2.0, 4.0, 3.0]
intensity = 50.0

[lights.sky]
type = "ambient"
radiance = 0.1
"""


def main() -> None:
    scene = diffrt.parse_scene(SCENE)
    diffrt.render(scene).save(sys.argv[1] if len(sys.argv) > 1 else "ellipsoid.png")
    checked = diffrt.check(scene.replace({}, width=32, height=24), ["egg.center", "egg.width", "egg.height"])
    print(checked)
    sys.exit(not checked.ok)


if __name__ == "__main__":
    main()
