"""The graph of one pixel: the tracer's own formulas, run on the variables of the scene.

What the pixel is made of is found as for an image: its cells, their signatures, what crosses them. Then the functions
that are compiled for images are called once per signature, on all samples of the pixel that have it, with the fields
of the shapes and lights as leaves. So each vector is one node, and no formula stands here.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from diffrt.autograd import Var, concatenate, index, named, scope, sum, take, variable
from diffrt.autograd.naming import watch_scopes
from diffrt.compiler import GRAPH, REFERENCE, Each, Engine, choose_engine, kernel
from diffrt.errors import InputError, shown
from diffrt.explaining.graph import Graph, Node, graph_of
from diffrt.image import LUMINANCE
from diffrt.scene import Scene
from diffrt.scene.scene import each_of
from diffrt.scene.schema import textures_in
from diffrt.tracer.cells import Cells
from diffrt.tracer.crossings import (
    BORDER,
    DISTANCE,
    INSIDE,
    TILE,
    Crossings,
    differentiable,
    meetings,
)
from diffrt.tracer.regions import EdgePlaces, chords, find_regions
from diffrt.tracer.renderer import Settings, Topology, find_topology, places_of
from diffrt.tracer.shading import LightPath, Samples, lighting, shade
from diffrt.tracer.switching import Point, Segment
from diffrt.tracer.tables import Tables, build_tables
from diffrt.tracer.texturing import places
from diffrt.tracer.visibility import Signatures, Visibility, alike
from diffrt.tracer.window import Part, window_of
from diffrt.types import Channel, Edges

CHANNELS = {"r": (1.0, 0.0, 0.0), "g": (0.0, 1.0, 0.0), "b": (0.0, 0.0, 1.0), "luminance": LUMINANCE}
"""The weights of red, green and blue."""


def trace(
    scene: Scene, pixel: Sequence[int], channel: Channel = "luminance", cells: int = 1, edges: Edges = "exact"
) -> Graph:
    """The graph of one pixel.

    pixel: x and y, from the top left, from 0. channel: "r", "g", "b" or "luminance". cells, edges: as for `render`.
    Raises InputError for a pixel outside the image, another channel, and one that depends on nothing.
    """
    x, y = checked_pixel(scene, pixel)
    if not isinstance(channel, str) or channel not in CHANNELS:
        raise InputError(f"channel: found {shown(channel)}, allowed: {', '.join(CHANNELS)}")
    settings = Settings(cells, edges)
    whole, (left, top) = scene, scene.camera.crop[:2] or (0, 0)
    if scene.camera.crop:  # the pixel is the same one in the whole picture
        whole = scene.replace(crop=())
    with watch_scopes() as scopes, np.errstate(all="ignore"):
        out = Tracer(whole).pixel(x + left, y + top, channel, settings)
    if not isinstance(out, Var):
        why = "no surface is seen there" if scene.lights else "the scene has no lights"
        raise InputError(f"pixel {x},{y} is black and depends on no parameter: {why}")
    return graph_of(out, scopes)


def checked_pixel(scene: Scene, pixel: Sequence[int]) -> tuple[int, int]:
    """x and y of a pixel of the image. Raises InputError for others."""
    width, height = scene.camera.size
    numbers = each_of(pixel)
    if len(numbers) != 2 or not all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in numbers):
        raise InputError(f"pixel: found {shown(pixel)}, needed: two whole numbers x,y")
    x, y = (int(v) for v in numbers)
    if not (0 <= x < width and 0 <= y < height):
        raise InputError(f"pixel: found {x},{y}, allowed: 0,0 to {width - 1},{height - 1}")
    return x, y


def source_of(graph: Graph, scene: Scene, parameter: str) -> tuple[Node, int | None]:
    """The leaf that holds a parameter, and the entry of it that a component names, None for the whole.

    Raises InputError for an unknown parameter, and for one that the output does not depend on.
    """
    scene.parameter(parameter)
    of = next(p for p in scene.parameters() if parameter == p.path or parameter in p.components)
    whole, entry = of.path, None if parameter == of.path else of.components.index(parameter)
    for node in graph.inputs:
        if node.name == whole:
            return node, entry
    names = ", ".join(sorted(n.name for n in graph.inputs))
    raise InputError(f"{parameter}: has no influence on this pixel, which depends on {names}")


class Tracer:
    """Runs the tracer on variables, one leaf for each parameter that is used."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.shapes, self.lights = tuple(scene.shapes), tuple(scene.lights)
        self.stated = {parameter.path for parameter in scene.parameters()}
        self._leaves: dict[str, Any] = {}
        self.plain, self.tables = build_tables(scene), build_tables(scene, self.leaf)

    def leaf(self, path: str) -> Any:
        """A parameter as `build_tables` takes it: a column of samples, (3, 1) or (1,), texels and what the camera is
        made from as they are."""
        of_camera, value = path.startswith("camera."), self.scene[path]
        if of_camera and path not in self.stated:
            return value
        if path not in self._leaves:
            value = np.array(value, float)
            self._leaves[path] = variable(value if of_camera or value.ndim > 1 else value[..., None], path)
        return self._leaves[path]

    def pixel(self, x: int, y: int, channel: str, settings: Settings) -> Any:
        """The value of a pixel in a channel; a plain number if nothing is seen there."""
        signatures, labels, samples = (self._points if settings.edges == "ignore" else self._cells)(x, y, settings)
        total: Any = None
        for label in np.unique(labels):
            signature = signatures[[label]]
            if signature.ended.item():  # else no radiance comes along the light path
                part = self._radiance(signature, samples, np.flatnonzero(labels == label))
                total = part if total is None else total + part
        if total is None:
            return 0.0
        total = named(total, "pixel")
        if channel in "rgb":
            return named(index(total, "rgb".index(channel)), f"pixel {channel}")
        return named(sum(total * np.array(CHANNELS[channel])), "pixel luminance")

    def _radiance(self, signature: Signatures, samples: Any, mine: Any) -> Any:
        """What some samples, of one signature, add to the pixel, (3,)."""
        faces = signature.face[signature.face[:, 0] >= 0, 0]
        shapes = self.tables.shape_of[faces]
        names = [self.shapes[shape] for shape in shapes]
        with scope(self._way(signature, shapes)):
            x, y, area = _taken(samples, mine)
            lit = lighting(replace(self.tables, blends=()), signature)
            path = lit.path._replace(surfaces=lit.path.surfaces[: len(faces)])
            lit = replace(lit, path=self._textured(path, names, x, y))
            return sum(shade(lit, np.zeros(len(mine), int), Samples(x, y, area), GRAPH), axis=1)

    def _way(self, signature: Signatures, shapes: Any) -> str:
        """From where light comes along a path, in words: the shapes from the last one to the first, and the lights that
        the last one lies in the shadow of."""
        if not len(shapes):
            return "background"
        last, *others = (self.shapes[shape] for shape in shapes[::-1])
        pairs = zip(self.lights, self.tables.kinds.lights, signature.lit[:, 0], strict=True)
        casting = [(name, lit) for name, kind, lit in pairs if not kind.everywhere]
        dark = [name for name, lit in casting if not lit]
        if dark and self.tables.scatters[shapes[-1]] >= 0:
            last += " in shadow" if len(dark) == len(casting) else f" in shadow of {' and '.join(dark)}"
        return " to ".join([last, *others])

    def _textured(self, path: LightPath, names: Sequence[str], x: Any, y: Any) -> LightPath:
        """A light path on which textures give the values at each sample. names: of its shapes."""
        if not self.tables.blends or not names:
            return path
        surfaces, material = list(path.surfaces), path.material
        uv = kernel(places, self.tables.kinds, self.tables.camera, path.surfaces, Point(x, y), GRAPH)
        for each in self.tables.blends:
            for bounce, name in enumerate(names):
                if name != self.shapes[each.shape]:
                    continue
                around = self.tables.kinds.faces[int(surfaces[bounce].face.item())].goes_around
                u, v = (index(uv, 2 * bounce + axis) for axis in range(2))
                value = named(each.texture.value(u, v, around), f"{each.field} of {name}")
                if each.emits:
                    surfaces[bounce] = surfaces[bounce]._replace(emission=Each([value]))
                elif each.mirrors:
                    own = surfaces[bounce].material[0] | {each.field: value}
                    surfaces[bounce] = surfaces[bounce]._replace(material=Each([own]))
                else:
                    material = Each([material[0] | {each.field: value}])
        return path._replace(surfaces=tuple(surfaces), material=material)

    def _points(self, x: int, y: int, settings: Settings) -> Any:
        """Point samples."""
        side = settings.cells
        at = (np.arange(side) + 0.5) / side
        px, py = x + np.tile(at, side), y + np.repeat(at, side)
        view = Visibility(self.plain, REFERENCE)
        labels = view.signature_ids(px, py)
        return view.signatures, labels, ((px, py, np.full(side**2, 1.0 / side**2)), None)

    def _cells(self, x: int, y: int, settings: Settings) -> Any:
        """The samples of exact edges."""
        scene, (width, height) = self.scene, self.scene.camera.size
        only = np.zeros((height, width), bool)
        only[y, x] = True
        topology = find_topology(self.plain, window_of(scene, Part(pixels=only)), settings, choose_engine())
        cells, signatures = topology.cells, topology.crossings.signatures
        side, number = settings.cells, y * width + x
        grid = np.flatnonzero(cells.grid >= 0)
        row, column = np.divmod(grid, width * side)
        mine = (row // side == y) & (column // side == x)
        grid, row, column = grid[mine], row[mine], column[mine]
        small = np.flatnonzero(cells.pixel == number)
        whole = (
            np.append((column + 0.5) / side, cells.sample_x[small]),
            np.append((row + 0.5) / side, cells.sample_y[small]),
            np.append(np.full(len(grid), 1.0 / side**2), cells.size[small] ** 2),
        )
        cells = cells.with_mixed(np.flatnonzero(cells.mixed_pixel == number))
        regions, moving = find_regions(cells), None
        if regions.cell.size:
            with scope("cuts"):
                moving = places_of(self.tables, Topology(cells, regions), GRAPH, self._edges)
        label = np.concatenate([topology.cells.grid[grid], topology.cells.label[small], regions.label[regions.region]])
        return signatures, label, (whole, moving)

    def _edges(self, tables: Tables, cells: Cells, engine: Engine) -> EdgePlaces:
        """What `moving_edges` gives, where each edge of the image is one step: all of its crossings, and then its
        bends; and so are the places where two of them meet."""
        crossings, function, meet = cells.crossings, cells.crossings.functions, np.zeros((2, 0))
        numbers = range(function.max() + 1)
        members = [np.flatnonzero(function == number) for number in numbers]
        bent = [np.flatnonzero(function[cells.chord[0]] == number) for number in numbers]
        found = [differentiable(tables, crossings[mine], engine) for mine in members]
        across = chords(cells, _together(found, members))[0]
        for number, mine in enumerate(bent):
            if mine.size:
                segment = Segment(*(take(part, mine) for part in across))
                found[number] = concatenate([found[number], differentiable(tables, cells.bends[mine], engine, segment)])
            self._name(found[number], crossings[members[number]])
        s = _together([own[: len(mine)] for own, mine in zip(found, members, strict=True)], members)
        bends = _together([own[len(mine) :] for own, mine in zip(found, members, strict=True)], bent)
        if cells.meeting.size:
            which, pairs = alike(*function[cells.meeting_pair])
            members = [np.flatnonzero(pairs == number) for number in range(len(which))]
            places = []
            for mine in members:
                first, second = (crossings[own] for own in cells.meeting_pair[:, mine])
                places.append(meetings(tables, first, second, cells.meeting_x[mine], cells.meeting_y[mine], engine))
                self._name(places[-1], first, second)
            meet = _together(places, members)
        return EdgePlaces(s, chords(cells, s), bends, meet)

    def _name(self, found: Any, *crossings: Crossings) -> None:
        """Name a step after the edges of some crossings."""
        if isinstance(found, Var):
            told = "; ".join(self._what(each.switches) for each in crossings)
            named(found, f"crossing, {told}")

    def _edged(self, face: int) -> list[tuple[str, Any]]:
        """The textures with edges of the shape of a face, by path."""
        path = f"{self.shapes[self.tables.shape_of[face]]}.material"
        textures: dict[str, Any] = textures_in(self.scene.table(path))
        return [(f"{path}.{field}", table) for field, table in textures.items() if table.kind.has_edge]

    def _what(self, switches: Any) -> str:
        """What the first of some crossings is one of."""
        if switches.function[0] == BORDER:
            return f"border of {self.lights[int(switches.light[0])]}"
        if switches.function[0] == TILE:
            path, table = self._edged(int(switches.shape[0]))[int(switches.other[0])]
            return f"line of the {table.type} {path}"
        shape, other = (self.shapes[self.tables.shape_of[int(f[0])]] for f in (switches.shape, switches.other))
        light = int(switches.light[0])
        if switches.function[0] == DISTANCE and switches.other[0] >= 0:
            what = f"{shape} meets {other}"
        else:
            what = f"{'outline' if switches.function[0] == INSIDE else 'border'} of {shape}"
        return what if light < 0 else f"shadow {what}, {self.lights[light]}"


def _taken(samples: Any, which: Any) -> list[Any]:
    """x, y and area of some samples: the first are those of whole cells, which do not move."""
    whole, moving = samples
    count = len(whole[0])
    still, cut = which[which < count], which[which >= count] - count
    found = [values[still] for values in whole]
    if cut.size:
        parts = [take(row, cut) for row in moving]
        found = [concatenate([a, b]) if len(a) else b for a, b in zip(found, parts, strict=True)]
    return [named(values, f"{name} of samples") for values, name in zip(found, ("x", "y", "area"), strict=True)]


def _together(parts: Sequence[Any], members: Sequence[Any]) -> Any:
    """The parts in one, along the last axis, in the order that their members have."""
    those = [(part, which) for part, which in zip(parts, members, strict=True) if len(which)]
    if not those:
        return np.zeros(0)
    return take(concatenate([part for part, _ in those], -1), np.argsort(np.concatenate([w for _, w in those])), -1)
