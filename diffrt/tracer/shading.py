"""Shading: the radiance of an image point as a smooth formula, given its signature.

The formula intersects the shapes that the signature names, one after the other, and shades the last one, or takes what
is seen of the background along the last ray. What surfaces emit is added on the way. Each signature is a row of the
kernel; which kinds it meets are numbers in that row. What textures without edges give is found first, by
`texturing.py`, and comes with the samples.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import broadcast_to, greater, maximum, named, scope, stack, where
from diffrt.autograd.variable import Var
from diffrt.compiler import Engine, Segments, choose, kernel
from diffrt.compiler.structures import Each, Table, take_apart
from diffrt.kinds import Background, Material
from diffrt.kinds.vectors import dot
from diffrt.tracer.camera import rays
from diffrt.tracer.tables import Hit, Kinds, Tables, column, columns
from diffrt.tracer.texturing import EMISSION, Blended, blend
from diffrt.tracer.visibility import Labels, Signatures
from diffrt.tracer.walk import walk

BORDER = 0.05
"""How near to the borders of a block radiance is looked at, to see whether it is flat, in sides of a cell."""


class Scenery(NamedTuple):
    """What is the same for all samples: the camera's vectors (3, 6) or (3, 8), and the numbers of each light."""

    camera: Any
    lights: tuple[Any, ...]


class LightPath(NamedTuple):
    """The row of a signature: its surfaces; what answers at its end, the number of the last one's material in
    `Kinds.scattering`, the one behind them for the background, and the last one for nothing; the numbers of that
    material or of the background; whether each light is seen from there; and which numbers of materials come with the
    samples: 1 for those, None if there are none anywhere."""

    surfaces: tuple[Hit, ...]
    ending: Any
    material: Any
    lit: Any
    textured: Blended | None = None


class Samples(NamedTuple):
    """Image coordinates, the area that each stands for, in pixels, and what textures give there."""

    x: Any
    y: Any
    area: Any
    textures: Blended | None = None


@dataclass(frozen=True)
class Lighting:
    """What is shaded along the signatures of a scene: `row` of each label (-1 for those without radiance and for the
    label -1), the light paths, and the scenery; the tables and signatures that they are of."""

    tables: Tables
    signatures: Signatures
    row: NDArray[np.int32]
    path: LightPath
    scenery: Scenery

    @cached_property
    def held(self) -> Any:
        """The light paths as a Table, if their numbers are plain."""
        plain = not any(isinstance(x, Var | Each) for x in take_apart(self.path)[1])
        return Table(self.path) if plain else self.path


def lighting(tables: Tables, signatures: Signatures) -> Lighting:
    """What `shade` needs to know of a scene, and of all its signatures."""
    used = np.flatnonzero(signatures.ended)
    row = np.full(len(signatures.ended) + 1, -1, np.int32)
    row[used] = np.arange(len(used))
    lights = tuple(column(tables.lights, number) for number in range(len(tables.kinds.lights)))
    chosen = signatures[used]
    return Lighting(tables, chosen, row, light_path(tables, chosen), Scenery(tables.camera, lights))


def shade(lit: Lighting, labels: Labels, samples: Samples, engine: Engine) -> Any:
    """What image points add to their pixels, radiance * area, (3, N); a Var where anything is.

    labels: of the N points, -1 for one that adds nothing.
    """
    count = len(lit.signatures.ended)
    if not count:
        return np.zeros((3, len(labels)))
    rows, path, tables = lit.row[labels], lit.held, lit.tables
    if tables.blends:
        textured, values = blend(tables, lit.signatures, lit.path.surfaces, samples.x, samples.y, rows, engine)
        path, samples = lit.path._replace(textured=textured), samples._replace(textures=values)
    segments = Segments(rows, count)
    return kernel(weighted_radiance, tables.kinds, lit.scenery, path, samples, engine, segments, shading=True)


def curvature(lit: Lighting, labels: Labels, x: Any, y: Any, side: float, cell: float, engine: Engine) -> Any:
    """By how much the mean radiance of blocks is not that of their middles, (N,), from five points of each.

    lit: of plain tables. labels: of the signatures. x, y: the middles of the blocks (N,), side: of all, cell: of the
    cells in them, in pixels. A square function differs from its middle by a sum x^2 + y^2, by 1 / 6 of the square of
    half the side in the mean. So near to the corners the points show kinks and limbs too; the two diagonals do not make
    up for each other, as they may by chance.
    """
    away = 0.5 * side - BORDER * cell
    one = np.ones(5 * len(x))
    xs = np.concatenate([x, x - away, x + away, x - away, x + away])
    ys = np.concatenate([y, y - away, y - away, y + away, y + away])
    radiance = shade(lit, np.tile(labels, 5), Samples(xs, ys, one), engine).reshape(3, 5, -1)
    diagonals = [0.5 * (radiance[:, k] + radiance[:, 5 - k]) - radiance[:, 0] for k in (1, 2)]
    return np.max(np.abs(diagonals), (0, 1)) / (3.0 * (2.0 * away / side) ** 2)


def light_path(tables: Tables, signatures: Signatures) -> LightPath:
    """The rows of signatures along whose paths there is radiance."""
    faces = signatures.face.astype(np.int64)
    mirrors = np.append(tables.reflects, -1)[np.append(tables.shape_of, -1)[faces]] >= 0
    kind, last = tables.ends(faces, signatures.piece)
    nothing = len(tables.kinds.scattering) + (tables.kinds.background is not None)
    ending = np.where(kind < 0, nothing, kind).astype(float)
    surfaces = tables.hits(faces, signatures.side, mirrors, signatures.piece)
    return LightPath(surfaces, ending, columns(tables.materials, last), signatures.lit)


def weighted_radiance(kinds: Kinds, scenery: Scenery, path: LightPath, samples: Samples) -> Any:
    """Radiance times area (3, n) of light paths: W / (m^2 sr) per colour channel, in pixels."""
    if path.textured is not None and samples.textures is not None:
        path = _with_textures(kinds, path, path.textured, samples.textures)
    o, d = rays(scenery.camera, samples.x, samples.y)
    p, n, d, throughput, emitted = walk(kinds, path.surfaces, named(o, "eye"), named(d, "ray direction"))
    lights = [kind.unpack(row) for kind, row in zip(kinds.lights, scenery.lights, strict=True)]
    incident: list[Any] = []
    for number, light in enumerate(lights):
        if light.everywhere:
            incident.append(light.radiance)
            continue
        with scope(f"light {number + 1}"):
            to_light, _, irradiance = light.incident(p)
            named(to_light, "to light")
            cosine = named(where(path.lit[number], maximum(dot(n, to_light), 0.0), 0.0), "cosine")
        incident += [to_light, named(irradiance, "irradiance"), cosine]
    everywhere = tuple(light.everywhere for light in lights)
    (radiance,) = choose(path.ending, _endings(kinds, everywhere), [n, d, path.material, *incident])
    radiance = throughput * radiance
    return named(emitted + radiance if kinds.emitting else radiance, "radiance") * samples.area


def _endings(kinds: Kinds, everywhere: tuple[bool, ...]) -> list[Any]:
    """Branches: what comes along -d from the end of a path, for each way in which it may end."""
    branches = [_scatter(kind, everywhere) for kind in kinds.scattering]
    if kinds.background:
        branches.append(_seen(kinds.background))
    if kinds.emitting:
        branches.append(_nothing)  # after a surface that emits
    return branches


def _seen(kind: type[Background]) -> Any:
    return lambda n, d, row, *incident: [named(kind.unpack(row).seen(d), "background")]


def _nothing(n: Any, d: Any, row: Any, *incident: Any) -> list[Any]:
    return [np.zeros((3, 1))]


def _with_textures(kinds: Kinds, path: LightPath, textured: Blended, values: Blended) -> LightPath:
    """The path with the numbers that textures give in its materials."""
    ends, mirrors = kinds.textured
    surfaces = [*path.surfaces]
    for i, (mask, given) in enumerate(zip(textured.mirrors, values.mirrors, strict=True)):
        surfaces[i] = surfaces[i]._replace(material=_filled(surfaces[i].material, mirrors, mask, given))
    for i, (mask, given) in enumerate(zip(textured.emissions, values.emissions, strict=True)):
        surfaces[i] = surfaces[i]._replace(emission=_filled(surfaces[i].emission, EMISSION, mask, given))
    material = _filled(path.material, ends, textured.last, values.last)
    return path._replace(surfaces=tuple(surfaces), material=material)


def _filled(row: Any, places: tuple[int, ...], mask: Any, values: Any) -> Any:
    """The numbers of a material (width, n), at some places those that textures give, where they do."""
    if not places:
        return row
    numbers = [broadcast_to(row[i], values[0].shape) for i in range(row.shape[0])]
    for i, place in enumerate(places):
        numbers[place] = where(greater(mask[i], 0.5), values[i], numbers[place])
    return stack(numbers)


def _scatter(kind: type[Material], everywhere: tuple[bool, ...]) -> Any:
    """A branch: what a material sends along -d of the light that reaches it."""

    def scatter(n: Any, d: Any, row: Any, *incident: Any) -> list[Any]:
        material, given = kind.unpack(row), iter(incident)
        total: Any = np.zeros((3, 1))  # three channels without any light too
        for number, all_around in enumerate(everywhere):
            with scope(f"light {number + 1}"):
                if all_around:
                    total = total + named(material.ambient(n, -d) * next(given), "ambient radiance")
                    continue
                to_light, irradiance, cosine = next(given), next(given), next(given)
                total = total + named(material.brdf(n, -d, to_light) * irradiance * cosine, "reflected radiance")
        return [total]

    return scatter
