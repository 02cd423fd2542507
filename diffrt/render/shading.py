"""Shading: the radiance of an image point as a smooth formula, given its signature.

The formula intersects the shapes that the signature names, one after the other, and shades the last one.
Paths that meet the same kinds of shapes and materials are one case of the kernel; each signature is a row of it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import maximum, named, scope, take, where
from diffrt.compiler import Case, Engine, Runs, kernel
from diffrt.render.camera import rays
from diffrt.render.lights import LIGHTS, AmbientLight
from diffrt.render.materials import MATERIALS, Mirror
from diffrt.render.path import advance, reflected
from diffrt.render.shapes import SHAPES
from diffrt.render.tables import Tables, row_of
from diffrt.render.vectors import dot
from diffrt.render.visibility import Labels, Signatures


def shade(tables: Tables, signatures: Signatures, labels: Labels, x: Any, y: Any, area: Any, engine: Engine) -> Any:
    """What image points add to their pixels, radiance * area, (3, N); a Var where anything is.

    tables: of the scene. signatures: of all labels. labels: of the N points, -1 for one that adds nothing. x, y: (N,),
    in pixels. area: that each stands for, in pixels, (N,).
    """
    light_kinds = tuple(kind for kind, _ in tables.lights)
    lights = [field for _, fields in tables.lights for field in fields]
    cases, place, count = [], np.full(len(signatures.lit) + 1, -1, np.int32), 0
    for path, members in _paths(tables, signatures):
        rows: list[Any] = []
        for bounce, (shape, material) in enumerate(path):
            hit = signatures.shape[bounce, members]
            rows += [take(field, tables.shape_row[hit], -1) for field in tables.shapes[shape]]
            rows += [take(field, tables.material_row[hit], -1) for field in tables.materials[material]]
        rows.append(signatures.side[: len(path), members].astype(float))
        lit = (signatures.lit[members] >> np.arange(len(light_kinds), dtype=np.uint32)[:, None]) & 1
        rows.append(lit.astype(bool))
        cases.append(Case((path, light_kinds), rows))
        place[members] = np.arange(count, count + len(members))
        count += len(members)
    if not cases:
        return np.zeros((3, len(labels)))
    runs = Runs(place[labels], tuple(case.rows[-1].shape[-1] for case in cases))
    return kernel(contribution, [tables.camera, *lights], cases, [x, y, area], engine, runs, shading=True)


def contribution(structure: Any, uniforms: Any, rows: Any, samples: Any) -> Any:
    """Radiance times area (3, n) of light paths of one structure: W / (m^2 sr) per colour channel, in pixels.

    structure: the kinds of shape and material at each bounce, and the kinds of the lights. uniforms: camera and
    lights. rows: the fields of shape and material at each bounce, the side per bounce, lit per light. samples: x, y,
    area.
    """
    path, light_kinds = structure
    camera, *light_fields = uniforms
    x, y, area = samples
    *row, sides, lit = rows
    fields, light_field = iter(row), iter(light_fields)
    o, d = rays(camera, x, y)
    o, d = named(o, "eye"), named(d, "ray direction")
    throughput: Any = 1.0
    for bounce, (shape_kind, material_kind) in enumerate(path):
        shape, material = row_of(SHAPES[shape_kind], fields), row_of(MATERIALS[material_kind], fields)
        with scope(f"hit {bounce + 1}"):
            p, n = advance(shape, sides[bounce], o, d)
        if isinstance(material, Mirror):
            throughput = throughput * material.reflectance
            o, d = p, named(reflected(d, n), "mirrored direction")
    total: Any = np.zeros((3, 1))  # three channels without any light too
    for number, kind in enumerate(light_kinds):
        light = row_of(LIGHTS[kind], light_field)
        with scope(f"light {number + 1}"):
            if isinstance(light, AmbientLight):
                total = total + named(material.albedo * light.radiance, "ambient radiance")
                continue
            to_light, _, irradiance = light.seen_from(p)
            named(to_light, "to light")
            cosine = named(where(lit[number], maximum(dot(n, to_light), 0.0), 0.0), "cosine")
            reflected_part = material.brdf(n, -d, to_light) * named(irradiance, "irradiance") * cosine
            total = total + named(reflected_part, "reflected radiance")
    return named(throughput * total, "radiance") * area


def _paths(tables: Tables, signatures: Signatures) -> Iterator[tuple[tuple[tuple[str, str], ...], NDArray[np.intp]]]:
    """The signatures of paths that end on a surface, by the kinds of shape and material that they meet on their way."""
    shape_kinds, material_kinds = list(SHAPES), list(MATERIALS)
    groups: dict[Any, list[int]] = {}
    for label in np.flatnonzero(signatures.ended):
        hits = [hit for hit in signatures.shape[:, label] if hit >= 0]
        path = tuple((shape_kinds[tables.shape_kind[h]], material_kinds[tables.material_kind[h]]) for h in hits)
        groups.setdefault(path, []).append(int(label))
    for path, members in groups.items():
        yield path, np.array(members)
