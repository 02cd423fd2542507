"""A shape from outside the package: a bowl, whose two sides are seen. `python examples/plugin/bowl.py bowl.png`

The bowl is a paraboloid with its lowest point at c, the unit axis w, and a rim of radius r at the height h. With
q = p - c, a point of the wall is as far from the axis as its height demands:

    |q|^2 - (q . w)^2 = 2 f (q . w),    f = r^2 / 2h.

On the ray o + t d, v = o - c, this is a t^2 + 2 b t + e = 0 with

    a = 1 - (d . w)^2,    b = v . d - (v . w) (d . w) - f (d . w),    e = |v|^2 - (v . w)^2 - 2 f (v . w).

What is in the bowl is convex: a ray enters it through the outside at t = (-b - s) / a, s = sqrt(b^2 - a e), and leaves
it through the lining at t = (-b + s) / a. A ray that comes in over the rim meets the lining only, so the two sides of
the wall are two faces, and the rim between them is an edge of the image.

How high these points are, y = q . w, is a root of a y^2 - 2 A y + C = 0, A = a (v . w) - b (d . w) and
C = |(d . w) v - (v . w) d|^2. With the side +1 for the outside and -1 for the lining, 1 / y = (A + side (d . w) s) / C,
and the wall ends where that is 1 / h. `exceeds` compares the two without the root s, whose slope has no bound where the
rim touches the outline.
"""

import sys
from typing import Any

import diffrt
from diffrt.autograd import absolute, greater, minimum, sqrt, where
from diffrt.kinds import Shape
from diffrt.kinds.fields import direction, extent, point
from diffrt.kinds.shapes.wall import exceeds
from diffrt.kinds.vectors import dot, magnitude, normalize


class Parabolic(Shape):
    """The fields that a bowl and its faces have."""

    bottom = point("its lowest point")
    axis = direction("from the lowest point to the middle of the rim", (0.0, 1.0, 0.0))
    radius = extent("of the rim")
    height = extent("from the lowest point to the rim")


class Outside(Parabolic):
    back = 1  # the other side of the wall is the next face: a ray that leaves this one does not meet that
    convex = True

    def side(self, o: Any) -> Any:
        return 0.0 * o[0] + 1.0  # wherever a ray starts, it is this side that it meets here

    def reach(self, o: Any) -> Any:
        return magnitude(o) + magnitude(self.bottom) + self.radius + self.height

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        t, square, below_rim = self.meet(o, d, side)
        return t, minimum(square, below_rim)

    def meet(self, o: Any, d: Any, side: Any) -> tuple[Any, Any, Any]:
        """The distance t, s^2, and a number that is positive where the point is below the rim."""
        w, v = normalize(self.axis), o - self.bottom
        f = 0.5 * self.radius * self.radius / self.height
        vw, dw = dot(v, w), dot(d, w)
        a, b, e = 1.0 - dw * dw, dot(v, d) - (vw + f) * dw, dot(v, v) - vw * vw - 2.0 * f * vw
        square = b * b - a * e
        s = side * where(greater(square, 0.0), sqrt(square), 0.0)
        # Two forms of one root; each is used where its sum does not cancel.
        first = greater(side * b, 0.0)
        above, below = where(first, -b - s, e), where(first, a, s - b)
        t = above / where(greater(absolute(below), 1e-100), below, 1e-100)
        flat = dw * v - vw * d
        return t, square, exceeds(side * dw, square, dot(flat, flat) / self.height - (a * vw - b * dw), self.radius)

    def normal_at(self, p: Any, side: Any) -> Any:
        w, q = normalize(self.axis), p - self.bottom
        f = 0.5 * self.radius * self.radius / self.height
        return normalize(q - (dot(q, w) + f) * w) * side


class Lining(Outside):
    back = -1
    meets_itself = (-1.0,)  # the opposite wall

    def side(self, o: Any) -> Any:
        return 0.0 * o[0] - 1.0

    def again(self, o: Any, d: Any, side: Any) -> Any:
        return minimum(dot(d, self.normal_at(o, side)), self.meet(o, d, side)[2])


@diffrt.register
class Bowl(Parabolic):
    """A bowl without a lid."""

    type = "bowl"
    faces = (Outside, Lining)


SCENE = """
[camera]
position = [0.4, 2.2, 5.0]
target = [0.1, 0.45, 0.0]
fov = 36.0
width = 240
height = 180

[shapes.floor]
type = "plane"
point = [0.0, 0.0, 0.0]
normal = [0.0, 1.0, 0.0]
material = { type = "lambert", albedo = 0.6 }

[shapes.upright]
type = "bowl"
bottom = [-0.7, 0.02, 0.2]
radius = 0.8
height = 0.9
material = { type = "lambert", albedo = [0.8, 0.3, 0.2] }

[shapes.tipped]
type = "bowl"
bottom = [1.35, 0.5, -0.3]
axis = [-0.5, 0.3, 0.8]
radius = 0.5
height = 0.4
material = { type = "blinn_phong", albedo = [0.2, 0.4, 0.7], specular = 0.1, shininess = 30.0 }

[lights.lamp]
type = "point"
position = [2.0, 4.0, 3.0]
intensity = 30.0

[lights.sky]
type = "ambient"
radiance = 0.1
"""


def main() -> None:
    scene = diffrt.parse_scene(SCENE)
    image = diffrt.render(scene)
    report = image.report
    image.save(sys.argv[1] if len(sys.argv) > 1 else "bowl.png")
    print(report)


if __name__ == "__main__":
    main()
