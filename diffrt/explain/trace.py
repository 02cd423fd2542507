"""The graph of one pixel: the tracer's own formulas, run on the variables of the scene.

What the pixel is made of is found as for an image: its cells, their signatures, what crosses them. Then the functions
that are compiled for images are called once per signature, on all samples of the pixel that have it, with the fields
of the shapes and lights as leaves. So each vector is one node, and no formula stands here.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, concatenate, index, named, reshape, root, scope, sum, take, variable
from diffrt.autograd.naming import watch_scopes
from diffrt.compiler import REFERENCE
from diffrt.errors import InputError
from diffrt.explain.graph import Graph, Node, graph_of
from diffrt.explain.wording import AXES
from diffrt.render.camera import camera_vectors
from diffrt.render.crossings import Crossings, structure_of
from diffrt.render.lights import LIGHTS
from diffrt.render.materials import MATERIALS
from diffrt.render.regions import region
from diffrt.render.renderer import Layout, Settings, lay_out
from diffrt.render.shading import contribution
from diffrt.render.shapes import SHAPES
from diffrt.render.switching import DISTANCE, INSIDE, switching
from diffrt.render.tables import Tables, build_tables, path_of
from diffrt.render.visibility import Visibility
from diffrt.scene import Scene

CHANNELS = {"r": (1.0, 0.0, 0.0), "g": (0.0, 1.0, 0.0), "b": (0.0, 0.0, 1.0), "luminance": (0.2126, 0.7152, 0.0722)}
"""The weights of red, green and blue; luminance of linear sRGB (ITU-R BT.709)."""

AROUND = 4
"""So many pixels around one decide how its cells are divided."""


def trace(
    scene: Scene, pixel: Sequence[int], channel: str = "luminance", cells: int = 1, edges: str = "exact"
) -> Graph:
    """The graph of one pixel.

    pixel: x and y, from the top left, from 0. channel: "r", "g", "b" or "luminance". cells, edges: as for `render`.
    Raises InputError for a pixel outside the image, another channel, and one that depends on nothing.
    """
    x, y = checked_pixel(scene, pixel)
    if channel not in CHANNELS:
        raise InputError(f"channel: found {channel!r}, allowed: {', '.join(CHANNELS)}")
    settings = Settings(cells, edges)
    with watch_scopes() as scopes, np.errstate(all="ignore"):
        out = Tracer(scene).pixel(x, y, channel, settings)
    if not isinstance(out, Var):
        raise InputError(f"pixel {x},{y} is black and depends on no parameter: no surface is seen there")
    return graph_of(out, scopes)


def checked_pixel(scene: Scene, pixel: Sequence[int]) -> tuple[int, int]:
    """x and y of a pixel of the image. Raises InputError for others."""
    width, height = scene.camera.width, scene.camera.height
    if len(pixel) != 2 or not all(isinstance(v, int | np.integer) for v in pixel):
        raise InputError(f"pixel: found {pixel!r}, needed: two whole numbers x,y")
    x, y = (int(v) for v in pixel)
    if not (0 <= x < width and 0 <= y < height):
        raise InputError(f"pixel: found {x},{y}, allowed: 0,0 to {width - 1},{height - 1}")
    return x, y


def source_of(graph: Graph, scene: Scene, parameter: str) -> tuple[Node, int | None]:
    """The leaf that holds a parameter, and the entry of it that a component names, None for the whole.

    Raises InputError for an unknown parameter, and for one that the output does not depend on.
    """
    found = scene.parameter(parameter)
    whole, entry = parameter, None
    if found.path != parameter or (found.size == 1 and parameter.rpartition(".")[2] in AXES):
        whole, _, axis = parameter.rpartition(".")
        entry = AXES.index(axis)
    for node in graph.inputs:
        if node.name == whole:
            return node, entry
    names = ", ".join(sorted(n.name for n in graph.inputs))
    raise InputError(f"{parameter}: has no influence on this pixel, which depends on {names}")


class Tracer:
    """Runs the tracer on variables, one leaf for each parameter that is used."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.tables: Tables = build_tables(scene)
        self._leaves: dict[str, Any] = {}
        self._camera: Any = None

    def leaf(self, path: str) -> Any:
        """The parameter as a column of samples, (3, 1) or (1,)."""
        if path not in self._leaves:
            value = np.array(self.scene[path], float)
            self._leaves[path] = variable(value[..., None], path)
        return self._leaves[path]

    @property
    def camera(self) -> Any:
        """The camera's vectors, (3, 6, 1)."""
        if self._camera is None:
            names = [p.path for p in self.scene.parameters() if p.path.startswith("camera.")]
            moved = self.scene.replace({n: variable(self.scene[n], n) for n in names})
            with scope("camera"):
                vectors = camera_vectors(moved)
                self._camera = named(reshape(vectors, (*vectors.shape, 1)), "camera")
        return self._camera

    def shape(self, number: int) -> list[Any]:
        """The fields of a shape."""
        kind, name = list(SHAPES)[self.tables.shape_kind[number]], self.scene.shapes[number].name
        return [self.leaf(f"{name}.{path_of(kind, f)}") for f in SHAPES[kind]._fields]

    def material(self, number: int) -> list[Any]:
        """The fields of the material of a shape."""
        kind, name = list(MATERIALS)[self.tables.material_kind[number]], self.scene.shapes[number].name
        return [self.leaf(f"{name}.material.{f}") for f in MATERIALS[kind]._fields]

    def light(self, number: int) -> list[Any]:
        """The fields of a light."""
        light = self.scene.lights[number]
        return [self.leaf(f"{light.name}.{f}") for f in LIGHTS[light.type]._fields]

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
        hits = [int(h) for h in signature.shape[:, 0] if h >= 0]
        shape_kinds, material_kinds = list(SHAPES), list(MATERIALS)
        path = tuple((shape_kinds[self.tables.shape_kind[h]], material_kinds[self.tables.material_kind[h]])
                     for h in hits)  # fmt: skip
        rows: list[Any] = [field for h in hits for field in (*self.shape(h), *self.material(h))]
        rows.append(signature.side[: len(hits)].astype(float))
        count = len(self.scene.lights)
        rows.append(((signature.lit >> np.arange(count, dtype=np.uint32)[:, None]) & 1).astype(bool))
        lights = [field for number in range(count) for field in self.light(number)]
        kinds = tuple(light.type for light in self.scene.lights)
        with scope(" to ".join(["light from", *(self.scene.shapes[h].name for h in hits[::-1])][1:])):
            added = contribution((path, kinds), [self.camera, *lights], rows, [x, y, area])
            return sum(added, axis=1)

    def _points(self, x: int, y: int, settings: Settings) -> Any:
        """Point samples, by signature."""
        side = settings.cells
        at = (np.arange(side) + 0.5) / side
        px, py = x + np.tile(at, side), y + np.repeat(at, side)
        view = Visibility(self.tables, self.scene.reflection_depth, REFERENCE)
        labels = view.labels(px, py)
        for label in np.unique(labels):
            here = labels == label
            yield view.signatures[[label]], px[here], py[here], np.full(here.sum(), 1.0 / side**2)

    def _cells(self, x: int, y: int, settings: Settings) -> Any:
        """The samples of exact edges, by signature."""
        scene, camera = self.scene, self.scene.camera
        only = np.zeros((camera.height, camera.width), bool)
        only[max(y - AROUND, 0) : y + AROUND + 1, max(x - AROUND, 0) : x + AROUND + 1] = True
        layout = lay_out(self.tables, scene, scene.camera.size, settings, REFERENCE, only)
        cells, signatures = layout.cells, layout.crossings.signatures
        side, number = settings.cells, y * camera.width + x
        grid = np.flatnonzero(cells.grid >= 0)
        row, column = np.divmod(grid, camera.width * side)
        mine = (row // side == y) & (column // side == x)
        grid, row, column = grid[mine], row[mine], column[mine]
        small = np.flatnonzero(cells.pixel == number)
        label = np.append(cells.grid[grid], cells.label[small])
        whole = [
            np.append((column + 0.5) / side, cells.x[small]),
            np.append((row + 0.5) / side, cells.y[small]),
            np.append(np.full(len(grid), 1.0 / side**2), cells.size[small] ** 2),
        ]
        cut = np.flatnonzero(cells.mixed_pixel[layout.regions.cell] == number)
        places = self._places(layout, cut) if cut.size else None
        cut_label = layout.regions.label[cut]
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

    def _places(self, layout: Layout, which: NDArray[np.intp]) -> Any:
        """x, y and area of some regions, each (n,)."""
        cells, regions = layout.cells, layout.regions
        sides = regions.side[:, which]
        there = sides < len(regions.begin)
        asked, at = np.unique(sides[there], return_inverse=True)
        place = np.full(sides.shape, len(asked))
        place[there] = at.ravel()
        corner = cells.at[0, regions.cell[which]]
        with scope("cuts"):
            s = concatenate([*self._crossings(layout.crossings, asked), [0.5]])
            return region(None, [], [], [
                *(take(s, p) for p in place), there, regions.member[:, which], cells.corners.x[corner],
                cells.corners.y[corner], cells.mixed_size[regions.cell[which]],
            ])  # fmt: skip

    def _crossings(self, crossings: Crossings, which: NDArray[np.intp]) -> list[Any]:
        """The positions of some crossings, in order, each (1,)."""
        found = []
        for number in which.tolist():
            switches = crossings.switches[[number]]
            if not switches.found.item():
                found.append(crossings.s[[number]])
                continue
            structure, shapes, light, numbers = structure_of(
                self.tables, crossings.signatures, crossings.path[number], switches
            )
            fields = [] if light < 0 else self.light(light)
            fields += [field for shape in shapes for field in self.shape(shape)]
            segment = crossings.segments[[number]]
            constants = [segment.x, segment.y, segment.dx, segment.dy]

            def g(s: Any, camera: Any, *rows: Any, told: Any = (structure, numbers, constants)) -> Any:
                structure, numbers, constants = told
                return switching(structure, [camera], [*rows, np.array(numbers)[:, None]], [s, *constants])

            found.append(named(root(g, crossings.s[[number]], self.camera, *fields), self._what(structure, shapes,
                                                                                               light)))  # fmt: skip
        return found

    def _what(self, structure: Any, shapes: Sequence[int], light: int) -> str:
        """What a crossing is one of."""
        names = [self.scene.shapes[s].name for s in shapes[len(structure[0]) :]]
        if structure[1] == DISTANCE and len(names) > 1:
            what = f"{names[0]} meets {names[1]}"
        else:
            what = f"{'outline' if structure[1] == INSIDE else 'border'} of {names[0]}"
        return f"crossing, {what}" if light < 0 else f"crossing, shadow {what}, {self.scene.lights[light].name}"
