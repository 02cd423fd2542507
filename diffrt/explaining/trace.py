"""The graph of one pixel: the tracer's own formulas, run on the variables of the scene.

What the pixel is made of is found as for an image: its cells, their signatures, what crosses them. Then the functions
that are compiled for images are called once per signature, on all samples of the pixel that have it, with the fields
of the shapes and lights as leaves. So each vector is one node, and no formula stands here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from diffrt.autograd import Var, concatenate, index, named, reshape, root, scope, stack, sum, take, variable
from diffrt.autograd.naming import watch_scopes
from diffrt.compiler import GRAPH, REFERENCE, choose_engine
from diffrt.errors import InputError, shown
from diffrt.explaining.graph import Graph, Node, graph_of
from diffrt.image import LUMINANCE
from diffrt.kinds import CAMERAS, LIGHTS, MATERIALS, SHAPES, Kind, Quantity
from diffrt.scene import Scene
from diffrt.scene.scene import each_of
from diffrt.scene.schema import textures_in
from diffrt.tracer.camera import cropped
from diffrt.tracer.cells import Cells
from diffrt.tracer.crossings import BORDER, DISTANCE, INSIDE, TILE, Crossings, crossing_row
from diffrt.tracer.regions import Regions, find_regions, place_joints, place_regions
from diffrt.tracer.renderer import Settings, find_topology
from diffrt.tracer.shading import LightPath, Samples, Scenery, light_path, weighted_radiance
from diffrt.tracer.switching import CrossingRow, Place, Segment, switching
from diffrt.tracer.tables import Hit, Kinds, Tables, build_tables
from diffrt.tracer.texturing import Point, places
from diffrt.tracer.visibility import Signatures, Visibility
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
        self.shapes, self.lights = tuple(scene.shapes.items()), tuple(scene.lights.items())
        self.tables: Tables = build_tables(scene)
        self._leaves: dict[str, Any] = {}
        self._camera: Any = None

    def leaf(self, path: str) -> Any:
        """The parameter as a column of samples, (3, 1) or (1,); texels as they are."""
        if path not in self._leaves:
            value = np.array(self.scene[path], float)
            self._leaves[path] = variable(value if value.ndim > 1 else value[..., None], path)
        return self._leaves[path]

    @property
    def camera(self) -> Any:
        """The camera's vectors, (3, 6, 1), or (3, 8, 1) with a lens."""
        if self._camera is None:
            view = self.scene.camera
            kind = CAMERAS[view.type]
            with scope("camera"):
                stated = {p.path for p in self.scene.parameters()}
                values = {n: self.scene[f"camera.{n}"] for n in kind.quantities()}
                values = {n: variable(v, f"camera.{n}") if f"camera.{n}" in stated else v for n, v in values.items()}
                vectors = cropped(kind(**values).vectors(view.width, view.height), view.crop)
                self._camera = named(reshape(vectors, (*vectors.shape, 1)), "camera")
        return self._camera

    def _object(self, kind: type[Kind], path: str) -> Kind:
        """A shape, light or texture whose fields are leaves."""
        return kind.holding(**{name: self._field(kind, path, name) for name in kind.fields})

    def _field(self, kind: type[Kind], path: str, name: str) -> Any:
        """A field: a leaf, or a word or a number that is no parameter."""
        rule = kind.fields[name].rule
        if isinstance(rule, Quantity) and not rule.fixed:
            return self.leaf(f"{path}.{name}")
        return getattr(self.scene.table(path), name)

    def shape(self, face: int) -> Kind:
        """The shape of a face."""
        name, shape = self.shapes[self.tables.shape_of[face]]
        return self._object(SHAPES[shape.type], name)

    def material(self, face: int, piece: int = 0, uv: Any = None) -> Kind:
        """The material of a face. piece: of its shape. uv: the texture coordinates of samples, (2, n); without them
        the value of a texture that needs them is 0."""
        name, shape = self.shapes[self.tables.shape_of[face]]
        kind, path = MATERIALS[shape.material.type], f"{name}.material"
        textures, sides, values = textures_in(self.scene.table(path)), piece, {}
        for field in kind.quantities():
            if field not in textures:
                values[field] = self._field(kind, path, field)
                continue
            texture: Any = self._object(textures[field].kind, f"{path}.{field}")
            if texture.has_edge:
                values[field], sides = texture.piece(bool(sides & 1)), sides >> 1
            elif uv is not None:
                around = self.tables.kinds.faces[self.tables.face_kind[face]].goes_around
                values[field] = named(texture.value(index(uv, 0), index(uv, 1), around), f"{field} of {name}")
            else:
                values[field] = np.zeros((*kind.quantities()[field].shape, 1))
        return kind.holding(**values)

    def light(self, number: int) -> Kind:
        """A light."""
        name, light = self.lights[number]
        return self._object(LIGHTS[light.type], name)

    def surfaces(self, hits: Sequence[Hit], faces: Sequence[int]) -> tuple[Hit, ...]:
        """Rows of surfaces with leaves in place of numbers, as many as there are faces."""
        found = []
        for hit, face in zip(hits, faces, strict=False):
            material: Any = self.material(face)
            found.append(hit._replace(shape=self.shape(face), material=material, emission=material.emission))
        return tuple(found)

    def _textured(self, path: LightPath, faces: Sequence[int], pieces: Sequence[int], x: Any, y: Any) -> LightPath:
        """A path with the materials that it has at its samples."""
        kinds, uv = self.tables.kinds, [None] * len(faces)
        if self.tables.blends and faces:
            found = places(kinds, self.camera, path.surfaces, Point(x, y))
            uv = [index(found, slice(2 * i, 2 * i + 2)) for i in range(len(faces))]
        made: list[Any] = [self.material(*each) for each in zip(faces, pieces, uv, strict=True)]
        surfaces = tuple(
            hit._replace(material=m, emission=m.emission) for hit, m in zip(path.surfaces, made, strict=False)
        )
        if path.ending.item() < len(kinds.scattering):
            return path._replace(surfaces=surfaces, material=made[-1])
        return path._replace(surfaces=surfaces)

    def pixel(self, x: int, y: int, channel: str, settings: Settings) -> Any:
        """The value of a pixel in a channel; a plain number if nothing is seen there."""
        groups = self._points(x, y, settings) if settings.edges == "ignore" else self._cells(x, y, settings)
        parts = [p for p in (self.radiance(*group) for group in groups) if p is not None]
        if not parts:
            return 0.0
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        total = named(total, "pixel")
        if channel in "rgb":
            return named(index(total, "rgb".index(channel)), f"pixel {channel}")
        return named(sum(total * np.array(CHANNELS[channel])), "pixel luminance")

    def radiance(self, signature: Any, x: Any, y: Any, area: Any) -> Any:
        """What the samples of one signature add to the pixel, (3,); None if the light path ends nowhere."""
        if not signature.ended.item():
            return None
        faces = [int(f) for f in signature.face[:, 0] if f >= 0]
        path = light_path(self.tables, signature)
        path = path._replace(surfaces=self.surfaces(path.surfaces, faces))
        if self.scene.background and path.ending.item() == len(self.tables.kinds.scattering):
            path = path._replace(material=self._object(type(self.scene.background), "background"))
        lights = tuple(self.light(number) for number in range(len(self.lights)))
        names = [self.shapes[self.tables.shape_of[f]][0] for f in faces[::-1]]
        with scope(" to ".join(["light from", *names][1:]) or "background"):
            path = self._textured(path, faces, signature.piece[: len(faces), 0].tolist(), x, y)
            added = weighted_radiance(self.tables.kinds, Scenery(self.camera, lights), path, Samples(x, y, area))
            return sum(added, axis=1)

    def _points(self, x: int, y: int, settings: Settings) -> Any:
        """Point samples, by signature."""
        side = settings.cells
        at = (np.arange(side) + 0.5) / side
        px, py = x + np.tile(at, side), y + np.repeat(at, side)
        view = Visibility(self.tables, REFERENCE)
        labels = view.signature_ids(px, py)
        for label in np.unique(labels):
            here = labels == label
            yield view.signatures[[label]], px[here], py[here], np.full(here.sum(), 1.0 / side**2)

    def _cells(self, x: int, y: int, settings: Settings) -> Any:
        """The samples of exact edges, by signature."""
        scene, (width, height) = self.scene, self.scene.camera.size
        only = np.zeros((height, width), bool)
        only[y, x] = True
        topology = find_topology(self.tables, window_of(scene, Part(pixels=only)), settings, choose_engine())
        cells, signatures = topology.cells, topology.crossings.signatures
        side, number = settings.cells, y * width + x
        grid = np.flatnonzero(cells.grid >= 0)
        row, column = np.divmod(grid, width * side)
        mine = (row // side == y) & (column // side == x)
        grid, row, column = grid[mine], row[mine], column[mine]
        small = np.flatnonzero(cells.pixel == number)
        label = np.append(cells.grid[grid], cells.label[small])
        whole = [
            np.append((column + 0.5) / side, cells.sample_x[small]),
            np.append((row + 0.5) / side, cells.sample_y[small]),
            np.append(np.full(len(grid), 1.0 / side**2), cells.size[small] ** 2),
        ]
        cells = cells.with_mixed(np.flatnonzero(cells.mixed_pixel == number))
        regions = find_regions(cells)
        places, cut_label = self._places(cells, regions) if regions.cell.size else None, regions.label[regions.region]
        for one in np.unique(np.append(label, cut_label)):
            sample: list[Any] = [values[label == one] for values in whole]
            those = np.flatnonzero(cut_label == one)
            if those.size:
                with scope("cuts"):
                    moving = [take(row, those) for row in places]  # type: ignore[union-attr]
                    sample = [concatenate([a, b]) if len(a) else b for a, b in zip(sample, moving, strict=True)]
                for values, name in zip(sample, ("x", "y", "area"), strict=True):
                    named(values, f"{name} of samples")
            yield signatures[[one]], *sample

    def _places(self, cells: Cells, regions: Regions) -> Any:
        """x, y and area of the samples of the regions of cells, each (n,)."""
        crossings = cells.crossings
        with scope("cuts"):
            s = concatenate([self._crossing(crossings[[number]]) for number in range(len(crossings.s))])

            def bends(across: Segment) -> Any:
                parts = (Segment(*(take(part, [i]) for part in across)) for i in range(len(cells.bent)))
                return concatenate([self._crossing(cells.bends[[i]], part) for i, part in enumerate(parts)])

            def meetings() -> Any:
                pairs = zip(*cells.meeting_pair, cells.meeting_x, cells.meeting_y, strict=True)
                return concatenate([self._meeting(crossings[[a]], crossings[[b]], x, y) for a, b, x, y in pairs], 1)

            joints = place_joints(cells, s, bends, meetings, GRAPH)
            return place_regions(cells, regions, s, joints, GRAPH)

    def _crossing(self, crossing: Crossings, segment: Segment | None = None) -> Any:
        """The position of one crossing on its side, or on a segment that moves with the scene, (1,)."""
        if not crossing.switches.found.item():
            return crossing.s
        segment = segment or crossing.segments.segment
        function = self._function(crossing)

        def g(s: Any, x: Any, y: Any, dx: Any, dy: Any, camera: Any, *fields: Any) -> Any:
            return function.holding(camera, fields).at(s, Segment(x, y, dx, dy))

        found = root(g, crossing.s, *segment, self.camera, *function.leaves)
        return named(found, self._what(crossing.switches))

    def _meeting(self, first: Crossings, second: Crossings, x: float, y: float) -> Any:
        """Where the edges of two crossings meet, near a point, (2, 1)."""
        one, two = self._function(first), self._function(second)
        rest = np.zeros(1)

        def g(at: Any, camera: Any, *fields: Any) -> Any:
            own = fields[: len(one.leaves)], fields[len(one.leaves) :]
            segment = Segment(at[0], at[1], rest, rest)
            return stack(
                [f.holding(camera, leaves).at(rest, segment) for f, leaves in zip((one, two), own, strict=True)]
            )

        found = root(g, np.array([[x], [y]]), self.camera, *one.leaves, *two.leaves)
        return named(found, f"{self._what(first.switches)}; {self._what(second.switches)}")

    def _function(self, crossing: Crossings) -> "_Function":
        """The switching function of a crossing, of places on segments."""
        signature = crossing.signatures[crossing.path]
        return _Function(self.tables.kinds, self._row(signature, crossing.switches), self.camera)

    def _row(self, signature: Signatures, switches: Any) -> CrossingRow:
        """The row of a crossing with leaves in place of numbers."""
        row = crossing_row(self.tables, signature, switches)
        light, shape = int(switches.light[0]), int(switches.shape[0])
        other = int(switches.other[0]) if switches.function[0] == DISTANCE else -1
        count = int((signature.face >= 0).sum()) if light >= 0 else int(switches.bounce[0])
        ray = row.ray._replace(surfaces=self.surfaces(row.ray.surfaces, [int(f) for f in signature.face[:count, 0]]))
        if light >= 0:
            ray = ray._replace(light=self.light(light))
        row = row._replace(ray=ray)
        if shape >= 0:
            row = row._replace(shape=row.shape._replace(shape=self.shape(shape)))
        if row.tile and switches.function[0] == TILE:
            path, table = self._edged(shape)[int(switches.other[0])]
            row = row._replace(tile=row.tile._replace(numbers=self._object(table.kind.made_from[0], path)))
        return row if other < 0 else row._replace(other=row.other._replace(shape=self.shape(other)))

    def _edged(self, face: int) -> list[tuple[str, Any]]:
        """The textures with edges of the shape of a face, by path."""
        path = f"{self.shapes[self.tables.shape_of[face]][0]}.material"
        textures: dict[str, Any] = textures_in(self.scene.table(path))
        return [(f"{path}.{field}", table) for field, table in textures.items() if table.kind.has_edge]

    def _what(self, switches: Any) -> str:
        """What a crossing is one of."""
        if switches.function[0] == BORDER:
            return f"crossing, border of {self.lights[int(switches.light[0])][0]}"
        if switches.function[0] == TILE:
            path, table = self._edged(int(switches.shape[0]))[int(switches.other[0])]
            return f"crossing, line of the {table.type} {path}"
        shape, other = (self.shapes[self.tables.shape_of[int(f[0])]][0] for f in (switches.shape, switches.other))
        light = int(switches.light[0])
        if switches.function[0] == DISTANCE and switches.other[0] >= 0:
            what = f"{shape} meets {other}"
        else:
            what = f"{'outline' if switches.function[0] == INSIDE else 'border'} of {shape}"
        return f"crossing, {what}" if light < 0 else f"crossing, shadow {what}, {self.lights[light][0]}"


@dataclass(frozen=True)
class _Function:
    """A switching function with leaves in place of numbers."""

    kinds: Kinds
    row: CrossingRow
    camera: Any

    def at(self, s: Any, segment: Segment) -> Any:
        """What it is at positions s on a segment, (1,)."""
        return switching(self.kinds, self.camera, self.row, Place(s, segment))

    @property
    def _objects(self) -> list[Any]:
        row, tile = self.row, self.row.tile.numbers if self.row.tile else None
        return [*(hit.shape for hit in row.ray.surfaces), row.ray.light, row.shape.shape, row.other.shape, tile]

    @property
    def leaves(self) -> list[Any]:
        """The leaves that it depends on besides the camera."""
        return [value for thing in self._objects for value in _values(thing)]

    def holding(self, camera: Any, leaves: Any) -> "_Function":
        """The same function of other leaves."""
        values, row = iter(leaves), self.row
        *surfaces, light, shape, other, tile = [_filled(thing, values) for thing in self._objects]
        hits = tuple(hit._replace(shape=own) for hit, own in zip(row.ray.surfaces, surfaces, strict=True))
        moved = CrossingRow(
            row.ray._replace(surfaces=hits, light=light), row.function, row.shape._replace(shape=shape),
            row.other._replace(shape=other), row.tile and row.tile._replace(numbers=tile),
        )  # fmt: skip
        return _Function(self.kinds, moved, camera)


def _values(thing: Any) -> list[Any]:
    """The leaves in the fields of an object of a kind; nothing of a row of numbers."""
    return [value for value in vars(thing).values() if isinstance(value, Var)] if isinstance(thing, Kind) else []


def _filled(thing: Any, values: Any) -> Any:
    """The same object with the next values in place of its leaves."""
    if not isinstance(thing, Kind):
        return thing
    filled = {name: next(values) if isinstance(value, Var) else value for name, value in vars(thing).items()}
    return thing.holding(**filled)
