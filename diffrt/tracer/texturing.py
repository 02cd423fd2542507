"""Texturing: what textures without edges give at the surfaces of light paths.

Where each sample meets a textured surface is found by a kernel: its coordinates u and v, as smooth formulas. The
texture itself is a few ops beside it, over all its samples: so texels are read where they are, and what they give
reaches the formulas of materials as numbers of each sample. A texture with an edge needs none of this: its value is
known by the signature.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import add_at, index, named, reshape, scope, stack, take
from diffrt.compiler import Engine, Segments, choose, kernel
from diffrt.kinds import Shape
from diffrt.tracer.camera import rays
from diffrt.tracer.switching import Point
from diffrt.tracer.tables import Blend, Hit, Kinds, Tables
from diffrt.tracer.visibility import Signatures, coordinates
from diffrt.tracer.walk import steps


class Blended(NamedTuple):
    """Numbers of materials that textures give, (places, ...): of the last surface at the places `Kinds.textured[0]`, of
    each mirror before it at the places `Kinds.textured[1]`, and the emission of each surface, if there are textures of
    that."""

    last: Any
    mirrors: tuple[Any, ...]
    emissions: tuple[Any, ...]

    @classmethod
    def of(cls, parts: Sequence[Any], mirrors: int) -> "Blended":
        """From the part of the last surface, those of so many mirrors, and the emissions."""
        return cls(parts[0], tuple(parts[1 : 1 + mirrors]), tuple(parts[1 + mirrors :]))


EMISSION = (0, 1, 2)
"""The places of an emission."""


def heights_of(tables: Tables, bounces: int) -> tuple[int, list[int]]:
    """Of how many mirrors of light paths with so many surfaces textures give numbers, and how many numbers each part of
    a `Blended` has."""
    ends, mirrors = tables.kinds.textured
    count = bounces - 1 if mirrors else 0
    glowing = bounces if any(each.emits for each in tables.blends) else 0
    return count, [len(ends), *[len(mirrors)] * count, *[len(EMISSION)] * glowing]


def textures_on(tables: Tables, face: NDArray[np.int64], mirrors: int) -> Iterator[Any]:
    """Each texture on each surface of K light paths: the texture; the number of the surface; which paths meet the
    texture there, (K,); the part of a `Blended` that has its numbers, and their rows in that; whether it goes around.

    face: the faces that the paths meet, (bounces, K). mirrors: as `heights_of` has it.
    """
    ends, reflecting = tables.kinds.textured
    for each in tables.blends:
        for number in np.flatnonzero(tables.shape_of == each.shape):
            around = tables.kinds.faces[tables.face_kind[number]].goes_around
            for bounce in range(mirrors if each.mirrors and not each.emits else len(face)):
                part, among = (1 + bounce, reflecting) if each.mirrors else (0, ends)
                if each.emits:
                    part, among = 1 + mirrors + bounce, EMISSION
                yield each, bounce, face[bounce] == number, part, [among.index(p) for p in each.places], around


def blend(
    tables: Tables, signatures: Signatures, surfaces: tuple[Hit, ...], x: Any, y: Any, rows: NDArray[np.int32],
    engine: Engine,
) -> tuple[Blended, Blended]:  # fmt: skip
    """What textures give.

    signatures: of K light paths. surfaces: their rows. x, y: image coordinates of N samples.
    rows: the path of each, (N,), -1 for none. Returns 1 for the numbers of a path that textures give, else 0,
    (places, K); and these numbers of each sample, (places, N).
    """
    kinds, face, size = tables.kinds, signatures.face.astype(np.int64), len(rows)
    count, heights = heights_of(tables, len(face))
    masks = [np.zeros((height, face.shape[1])) for height in heights]
    values: list[Any] = [np.zeros(height * size) for height in heights]
    shape = np.where(face < 0, -1, tables.shape_of[np.maximum(face, 0)])
    some = np.isin(shape, [each.shape for each in tables.blends]).any(0)
    segments = Segments(np.append(np.where(some, np.arange(face.shape[1]), -1), -1)[rows], face.shape[1])
    if (segments.rows >= 0).any():
        uv = kernel(places, kinds, tables.camera, surfaces, Point(x, y), engine, segments)
        for each, bounce, met, part, slots, around in textures_on(tables, face, count):
            masks[part][slots] += met
            mine = np.flatnonzero(np.append(met, False)[rows])
            if mine.size:
                u, v = (take(index(uv, 2 * bounce + axis), mine) for axis in (0, 1))
                given = value_of(each, u, v, around)
                at = np.concatenate([slot * size + mine for slot in slots])
                values[part] = add_at(values[part], at, reshape(given, (-1,)))
    shaped = [reshape(value, (height, size)) for value, height in zip(values, heights, strict=True)]
    return Blended.of(masks, count), Blended.of(shaped, count)


def value_of(each: Blend, u: Any, v: Any, around: tuple[bool, bool]) -> Any:
    """What a texture gives at coordinates (N,), (places, N)."""
    with scope("texture"):
        value = named(each.texture.value(u, v, around), "texture")
        return reshape(value, (len(each.places), -1))


def places(kinds: Kinds, camera: Any, path: tuple[Hit, ...], point: Point) -> Any:
    """The texture coordinates u and v of the surfaces of light paths, one after the other, (2 bounces, n)."""
    found = []
    for hit, (p, *_) in zip(path, steps(kinds, path, *rays(camera, point.x, point.y)), strict=True):
        branches = [*(_coordinates(kinds, face) for face in kinds.faces), _none]
        found += choose(hit.face, branches, [p, hit.side, hit.shape])
    return stack(found)


def _coordinates(kinds: Kinds, face: type[Shape]) -> Any:
    return lambda p, side, shape: coordinates(kinds.shape(face, shape), p, side)


def _none(p: Any, side: Any, shape: Any) -> list[Any]:
    return [0.0 * p[0], 0.0 * p[0]]
