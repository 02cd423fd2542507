"""A shape from outside the package: a cone, hollow if the camera is in it. `python examples/plugin/cone.py cone.png`

The cone has its base, a disk of radius r, around the point c, and its apex A = c + h w over it, w the unit axis. With
q = p - A and along = -q . w, a point of the wall is at the distance k along from the axis, k = r / h, so

    q . q - (1 + k^2) along^2 = 0.

On the ray o + t d, v = o - A, this is a t^2 + 2 b t + e = 0 with, writing m for -w,

    a = 1 - (1 + k^2) (d . m)^2,    b = v . d - (1 + k^2) (v . m) (d . m),    e = v . v - (1 + k^2) (v . m)^2.

The solid under the apex is convex: a ray enters it at t = (-b - s) / a and leaves it at t = (-b + s) / a,
s = sqrt(b^2 - a e), whatever the sign of a. The wall ends at along = 0 and along = h.
"""

import sys
from typing import Any

import diffrt
from diffrt.autograd import greater, maximum, minimum, sqrt, where
from diffrt.kinds import Shape
from diffrt.kinds.fields import direction, extent, point
from diffrt.kinds.shapes.plane import meet
from diffrt.kinds.vectors import dot, length, magnitude, normalize


class Pointed(Shape):
    """The fields that a cone and its faces have."""

    center = point("the middle of the base")
    axis = direction("from the base to the apex", (0.0, 1.0, 0.0))
    radius = extent("of the base")
    height = extent("from the base to the apex")

    def apex(self) -> Any:
        return self.center + self.height * normalize(self.axis)


class Wall(Pointed):
    meets_itself = (-1.0,)  # from inside, the opposite wall

    def side(self, o: Any) -> Any:
        q = o - self.apex()
        along = -dot(q, normalize(self.axis))
        across = q + along * normalize(self.axis)
        return length(across) - self.radius / self.height * along

    def reach(self, o: Any) -> Any:
        return magnitude(o) + magnitude(self.center) + self.height + self.radius

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        m, v = -normalize(self.axis), o - self.apex()
        k = 1.0 + (self.radius / self.height) * (self.radius / self.height)
        va, da = dot(v, m), dot(d, m)
        a, b, e = 1.0 - k * da * da, dot(v, d) - k * va * da, dot(v, v) - k * va * va
        square = b * b - a * e
        s = side * where(greater(square, 0.0), sqrt(square), 0.0)
        # Two forms of one root; each is used where its difference does not cancel.
        first = greater(-side * b, 0.0)
        above, below = where(first, e, -b - s), where(first, -b + s, a)
        t = above / where(greater(below * below, 1e-200), below, 1e-100)
        along = va + t * da
        return t, minimum(square, minimum(along, self.height - along))

    def again(self, o: Any, d: Any, side: Any) -> Any:
        along = dot(o + self.intersect(o, d, side)[0] * d - self.apex(), -normalize(self.axis))
        return minimum(dot(d, self.normal_at(o, side)), minimum(along, self.height - along))

    def normal_at(self, p: Any, side: Any) -> Any:
        m, q = -normalize(self.axis), p - self.apex()
        k = 1.0 + (self.radius / self.height) * (self.radius / self.height)
        return normalize(q - k * dot(q, m) * m) * side

    def box(self) -> tuple[Any, Any]:
        w = normalize(self.axis)
        half = self.radius * sqrt(maximum(1.0 - w * w, 0.0))
        apex = self.apex()
        return minimum(self.center - half, apex), maximum(self.center + half, apex)


class Base(Pointed):
    def side(self, o: Any) -> Any:
        return -dot(o - self.center, self.axis)

    def reach(self, o: Any) -> Any:
        return (magnitude(o) + magnitude(self.center)) * magnitude(self.axis)

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        t, descent = meet(self.center, -normalize(self.axis), o, d, side)
        q = o + t * d - self.center
        return t, minimum(self.radius * self.radius - dot(q, q), descent)

    def normal_at(self, p: Any, side: Any) -> Any:
        return -normalize(self.axis) * side

    def box(self) -> tuple[Any, Any]:
        w = normalize(self.axis)
        half = self.radius * sqrt(maximum(1.0 - w * w, 0.0))
        return self.center - half, self.center + half


@diffrt.register
class Cone(Pointed):
    """A cone with its base."""

    type = "cone"
    faces = (Wall, Base)


SCENE = """
[camera]
position = [0.4, 1.6, 5.0]
target = [0.0, 0.7, 0.0]
fov = 40.0
width = 240
height = 180

[shapes.floor]
type = "plane"
point = [0.0, 0.0, 0.0]
normal = [0.0, 1.0, 0.0]
material = { type = "lambert", albedo = 0.6 }

[shapes.hat]
type = "cone"
center = [-0.5, 0.02, 0.2]
radius = 0.7
height = 1.5
material = { type = "lambert", albedo = [0.8, 0.3, 0.2] }

[shapes.fallen]
type = "cone"
center = [1.1, 0.5, 0.1]
axis = [0.35, -0.25, -0.5]
radius = 0.45
height = 1.1
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
    image.save(sys.argv[1] if len(sys.argv) > 1 else "cone.png")
    print(image.report)


if __name__ == "__main__":
    main()
