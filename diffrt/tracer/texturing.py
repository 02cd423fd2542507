"""Texturing: what textures without edges give at the surfaces of light paths.

Where each sample meets a textured surface is found by a kernel: its coordinates u and v, as smooth formulas. The
texture itself is a few ops beside it, over all its samples: so texels are read where they are, and what they give
reaches the formulas of materials as numbers of each sample. A texture with an edge needs none of this: its value is
known by the signature.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import add_at, index, named, reshape, scope, stack, take
from diffrt.compiler import Engine, Segments, choose, kernel
from diffrt.kinds import Shape
from diffrt.tracer.camera import rays
from diffrt.tracer.tables import Blend, Hit, Kinds, Tables
from diffrt.tracer.visibility import Signatures, coordinates
from diffrt.tracer.walk import steps


class Blended(NamedTuple):
    """Numbers of materials that textures give, (places, ...): of the last surface at the places `Kinds.textured[0]`,
    and of each mirror before it at the places `Kinds.textured[1]`."""

    last: Any
    mirrors: tuple[Any, ...]


class Point(NamedTuple):
    """Image coordinates."""

    x: Any
    y: Any


def blend(
    tables: Tables, signatures: Signatures, surfaces: tuple[Hit, ...], x: Any, y: Any, rows: NDArray[np.int32],
    engine: Engine,
) -> tuple[Blended, Blended]:  # fmt: skip
    """What textures give.

    signatures: of K light paths that end on a surface. surfaces: their rows. x, y: image coordinates of N samples.
    rows: the path of each, (N,), -1 for none. Returns 1 for the numbers of a path that textures give, else 0,
    (places, K); and these numbers of each sample, (places, N).
    """
    kinds, face, size = tables.kinds, signatures.face.astype(np.int64), len(rows)
    ends, mirrors = kinds.textured
    count = len(face) - 1 if mirrors else 0
    heights = [len(ends), *[len(mirrors)] * count]
    last, *others = (np.zeros((height, face.shape[1])) for height in heights)
    masks = Blended(last, tuple(others))
    values: list[Any] = [np.zeros(height * size) for height in heights]
    shape = np.where(face < 0, -1, tables.shape_of[np.maximum(face, 0)])
    textured = np.isin(shape, [each.shape for each in tables.blends]).any(0)
    segments = Segments(np.append(np.where(textured, np.arange(face.shape[1]), -1), -1)[rows], face.shape[1])
    if not (segments.rows >= 0).any():
        return masks, _shaped(values, heights, size)
    uv = kernel(places, kinds, tables.camera, surfaces, Point(x, y), engine, segments)
    for each in tables.blends:
        for number in np.flatnonzero(tables.shape_of == each.shape):
            around = kinds.faces[tables.face_kind[number]].goes_around
            for bounce in range(count if each.mirrors else len(face)):
                met = face[bounce] == number
                mine = np.flatnonzero(np.append(met, False)[rows])
                slots = [kinds.textured[each.mirrors].index(place) for place in each.places]
                (masks.mirrors[bounce] if each.mirrors else masks.last)[slots] += met
                if mine.size:
                    u, v = (take(index(uv, 2 * bounce + axis), mine) for axis in (0, 1))
                    given = value_of(each, u, v, around)
                    into = 1 + bounce if each.mirrors else 0
                    at = np.concatenate([slot * size + mine for slot in slots])
                    values[into] = add_at(values[into], at, reshape(given, (-1,)))
    return masks, _shaped(values, heights, size)


def value_of(each: Blend, u: Any, v: Any, around: tuple[bool, bool]) -> Any:
    """What a texture gives at coordinates (N,), (places, N)."""
    with scope("texture"):
        value = named(each.texture.value(u, v, around), "texture")
        return reshape(value, (len(each.places), -1))


def _shaped(values: list[Any], heights: list[int], size: int) -> Blended:
    last, *mirrors = (reshape(value, (height, size)) for value, height in zip(values, heights, strict=True))
    return Blended(last, tuple(mirrors))


def places(kinds: Kinds, camera: Any, path: tuple[Hit, ...], point: Point) -> Any:
    """The texture coordinates u and v of the surfaces of light paths, one after the other, (2 bounces, n)."""
    found = []
    for hit, (p, _, _, _) in zip(path, steps(kinds, path, *rays(camera, point.x, point.y)), strict=True):
        branches = [*(_coordinates(kinds, face) for face in kinds.faces), _none]
        found += choose(hit.face, branches, [p, hit.side, hit.shape])
    return stack(found)


def _coordinates(kinds: Kinds, face: type[Shape]) -> Any:
    return lambda p, side, shape: coordinates(kinds.shape(face, shape), p, side)


def _none(p: Any, side: Any, shape: Any) -> list[Any]:
    return [0.0 * p[0], 0.0 * p[0]]
