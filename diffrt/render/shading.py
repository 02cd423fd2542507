"""Shading: the radiance of an image point as a smooth formula, given its signature.

The formula intersects the shapes that the signature names, one after the other, and shades the last one.
Samples whose paths meet the same kinds of shapes and materials share one run of the kernel.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import maximum, take, where
from diffrt.compiler import kernel
from diffrt.render.camera import rays
from diffrt.render.lights import LIGHTS, AmbientLight
from diffrt.render.materials import MATERIALS, Mirror
from diffrt.render.path import advance, reflected
from diffrt.render.shapes import SHAPES
from diffrt.render.tables import Tables, row_of
from diffrt.render.vectors import dot
from diffrt.render.visibility import Signatures


def shade(tables: Tables, signatures: Signatures, x: Any, y: Any, area: Any) -> list[tuple[NDArray[np.intp], Any]]:
    """What image points whose paths end on a surface add to their pixels: radiance * area.

    tables: of the scene. signatures: of the N points. x, y: (N,), in pixels. area: that each stands for, in
    pixels, (N,).
    Returns one pair per kind of path: which points, (n,), and what they add (3, n), a Var where anything is.
    """
    light_kinds = tuple(kind for kind, _ in tables.lights)
    lights = [field for _, fields in tables.lights for field in fields]
    shaded = []
    for structure, members in _paths(tables, signatures):
        rows: list[Any] = []
        ids: list[Any] = []
        for bounce, (shape, material) in enumerate(structure):
            hit = signatures.shape[bounce, members]
            for fields, row in (
                (tables.shapes[shape], tables.shape_row),
                (tables.materials[material], tables.material_row),
            ):
                rows += fields
                ids += [row[hit]] * len(fields)
        samples = [
            take(x, members),
            take(y, members),
            take(area, members),
            signatures.side[: len(structure), members].astype(float),
            ((signatures.lit[members] >> np.arange(len(light_kinds), dtype=np.uint32)[:, None]) & 1).astype(bool),
        ]
        whole = (structure, light_kinds)
        shaded.append((members, kernel(contribution, whole, [tables.camera, *lights], rows, ids, samples)))
    return shaded


def contribution(structure: Any, uniforms: Any, rows: Any, samples: Any) -> Any:
    """Radiance times area (3, n) of light paths of one structure: W / (m^2 sr) per colour channel, in pixels.

    structure: the kinds of shape and material at each bounce, and the kinds of the lights. uniforms: camera and
    lights. rows: the fields of shape and material at each bounce. samples: x, y, area,
    side per bounce, lit per light.
    """
    path, light_kinds = structure
    camera, *light_fields = uniforms
    x, y, area, sides, lit = samples
    fields, light_field = iter(rows), iter(light_fields)
    o, d = rays(camera, x, y)
    throughput: Any = 1.0
    for bounce, (shape_kind, material_kind) in enumerate(path):
        shape, material = row_of(SHAPES[shape_kind], fields), row_of(MATERIALS[material_kind], fields)
        p, n = advance(shape, sides[bounce], o, d)
        if isinstance(material, Mirror):
            throughput = throughput * material.reflectance
            o, d = p, reflected(d, n)
    total: Any = 0.0
    for number, kind in enumerate(light_kinds):
        light = row_of(LIGHTS[kind], light_field)
        if isinstance(light, AmbientLight):
            total = total + material.albedo * light.radiance
        else:
            to_light, _, irradiance = light.seen_from(p)
            cosine = where(lit[number], maximum(dot(n, to_light), 0.0), 0.0)
            total = total + material.brdf(n, -d, to_light) * irradiance * cosine
    return throughput * total * area + 0.0 * p


def _paths(tables: Tables, signatures: Signatures) -> list[tuple[tuple[tuple[str, str], ...], NDArray[np.intp]]]:
    """The points that end on a surface, by the kinds of shape and material that they meet on their way."""
    shape_kinds, material_kinds = list(SHAPES), list(MATERIALS)
    kinds = tables.shape_kind * len(MATERIALS) + tables.material_kind + 1
    kinds = np.append(kinds, 0)  # what id -1, no shape, finds
    codes = np.zeros(signatures.ended.shape, np.int64)
    for hit in signatures.shape:
        codes = codes * (len(SHAPES) * len(MATERIALS) + 1) + kinds[hit]
    codes[~signatures.ended] = -1
    groups = []
    for code in np.unique(codes):
        if code >= 0:
            members = np.flatnonzero(codes == code)
            hits = [hit[members[0]] for hit in signatures.shape if hit[members[0]] >= 0]
            groups.append(
                (
                    tuple((shape_kinds[tables.shape_kind[h]], material_kinds[tables.material_kind[h]]) for h in hits),
                    members,
                )
            )
    return groups
