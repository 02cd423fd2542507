"""The walk along a light path: from ray to surface, and on from there.

It is written once: shading, switching functions and explanations walk along paths whose surfaces are known, and the
search takes the same steps along those that it finds.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from diffrt.autograd import named, scope
from diffrt.compiler import choose
from diffrt.kinds import Shape
from diffrt.kinds.vectors import dot
from diffrt.tracer.tables import Hit, Kinds


def walk(kinds: Kinds, path: Sequence[Hit], o: Any, d: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Follow a path to its last surface.

    path: rows of its surfaces. o, d: origin and unit direction of the first ray, (3, N).
    Returns the last point and the unit normal there, the direction of the ray that leaves it if it is a mirror there
    and of the ray that arrives if not, (3, N) each, the share of radiance (3, N) that the mirrors before it let
    through, and the radiance (3, N) that the surfaces emit, as it arrives at the first ray's origin.
    """
    reached: tuple[Any, Any, Any, Any, Any] = o, np.zeros((3, 1)), d, np.ones((3, 1)), np.zeros((3, 1))
    for reached in steps(kinds, path, o, d):  # noqa: B007 (the last one is what is wanted)
        pass
    return reached


def steps(kinds: Kinds, path: Sequence[Hit], o: Any, d: Any) -> Iterator[tuple[Any, Any, Any, Any, Any]]:
    """The same as `walk`, after each surface."""
    n: Any = np.zeros((3, 1))
    throughput: Any = np.ones((3, 1))
    emitted: Any = np.zeros((3, 1))

    def stay(o: Any, d: Any, n: Any, side: Any, shape: Any) -> list[Any]:
        return [o, n]

    def keep(d: Any, n: Any, throughput: Any, material: Any) -> list[Any]:
        return [d, throughput]

    for number, hit in enumerate(path):
        with scope(f"hit {number + 1}"):
            o, n = choose(
                hit.face, [*(_arrive(kinds, face) for face in kinds.faces), stay], [o, d, n, hit.side, hit.shape]
            )
            if kinds.emitting:
                emitted = emitted + throughput * named(hit.emission, "emission")
        if kinds.reflecting:
            branches = [keep, *map(_reflect, kinds.reflecting)]
            d, throughput = choose(hit.event, branches, [d, n, throughput, hit.material])
        yield o, n, d, throughput, emitted


def _arrive(kinds: Kinds, face: type[Shape]) -> Any:
    return lambda o, d, n, side, shape: list(arrive(kinds.shape(face, shape), side, o, d))


def arrive(face: Shape, side: Any, o: Any, d: Any) -> tuple[Any, Any]:
    """The point p where the ray o + t d meets a face, and the unit normal there, (3, N) each.

    face: whose side, +1 or -1 (N,), the ray comes from.
    """
    t, _ = face.intersect(o, d, side)
    p = named(o + named(t, "t") * d, "hit point")
    return p, named(face.normal_at(p, side), "normal")


def _reflect(kind: Any) -> Any:
    def reflect(d: Any, n: Any, throughput: Any, material: Any) -> list[Any]:
        return [named(reflected(d, n), "mirrored direction"), throughput * kind.unpack(material).reflectance]

    return reflect


def reflected(d: Any, n: Any) -> Any:
    """The direction d after a mirror with unit normal n."""
    return d - 2.0 * dot(d, n) * n
