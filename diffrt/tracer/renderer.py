"""From a scene to an image: tables, cells, crossings, regions, shading, film. The data goes one way only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, pushforward, stack
from diffrt.compiler import Engine, choose_engine
from diffrt.errors import InputError, shown
from diffrt.image import Image, figure_html
from diffrt.memory import keep_freed_memory, require_memory
from diffrt.scene import Scene
from diffrt.scene.scene import expect_scene
from diffrt.tracer.bands import AT_ONCE, LARGE, bands_of, in_bands, shared
from diffrt.tracer.blocks import divide
from diffrt.tracer.cells import SMALLEST, Cells
from diffrt.tracer.crossings import Crossings, differentiable, meetings
from diffrt.tracer.derivative import Derivative, direction_of
from diffrt.tracer.film import develop
from diffrt.tracer.regions import EdgePlaces, Regions, chords, find_regions, place_joints, place_regions
from diffrt.tracer.shading import Samples, lighting, shade
from diffrt.tracer.tables import Tables, build_tables
from diffrt.tracer.visibility import Visibility
from diffrt.tracer.window import Part, Window, window_of
from diffrt.types import Edges, EngineName, FloatName, Names, Numbers, Rendered

TOLERANCE = 0.004
"""What may be wrong in a cell, as an area in pixels, if nothing else is asked for."""

ENOUGH = 0.02
"""How much of a pixel's error may stay unknown without more work, in tolerances of the mean radiance."""

FINEST = 4.0**-SMALLEST
"""The least tolerance, the area of the smallest cell."""

DOUBTED = 50.0
"""The largest area, in pixels, in which proofs are asked for though nobody waits for a report."""

BYTES_PER_PIXEL = 24
BYTES_PER_CELL = {"exact": 90, "ignore": 40}
BYTES_PER_DERIVATIVE = 30, 40  # of a pixel and of a cell, by one number
KEPT_PER_CELL, KEPT_PER_DERIVATIVE = 8, 20
"""What an image takes at its peak: `scenes/tiny.toml` and `scenes/still_life.toml` at 512x512 and 1024x1024, with 1 and
2 cells per pixel side. In reverse mode it is up to twice as much. The last two are kept of a cell, and of a derivative
of a pixel, while another band is computed."""

MovingEdges = Callable[[Tables, Cells, Engine], EdgePlaces]
"""Gives what `moving_edges` does."""


@dataclass(frozen=True)
class Settings:
    """How an image is sampled.

    cells: per pixel side, 1 to 64. edges: "exact": cells are cut at edges, and the cuts move with the scene;
    "ignore": each cell is a point, so the derivative has no part from the motion of silhouettes and shadow borders.
    tolerance: cells are halved until it is proved what is seen in them, or what may be wrong there is less than
    this, an area in pixels, 2^-16 to 1.
    Raises InputError for other settings.
    """

    cells: int = 1
    edges: Edges = "exact"
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        problems = []
        whole = isinstance(self.cells, int | np.integer) and not isinstance(self.cells, bool)
        if not whole or not 1 <= self.cells <= 64:
            problems.append(f"cells: found {shown(self.cells)}, allowed: a whole number from 1 to 64")
        number = isinstance(self.tolerance, int | float | np.floating) and not isinstance(self.tolerance, bool)
        if not (number and FINEST <= self.tolerance <= 1.0):
            problems.append(
                f"tolerance: found {shown(self.tolerance)}, allowed: an area in pixels, from {FINEST:.2g} to 1"
            )
        if not isinstance(self.edges, str) or self.edges not in ("exact", "ignore"):
            problems.append(f'edges: found {shown(self.edges)}, allowed: "exact" or "ignore"')
        if problems:
            raise InputError(*problems)


def require_memory_for(
    size: tuple[int, int], settings: Settings, derivatives: int = 0, in_one_piece: bool = False
) -> None:
    """Raises InputError if an image takes more memory than there is.

    size: width and height in pixels. derivatives: by how many numbers it is differentiated at a time, in forward mode.
    in_one_piece: whether it is not computed in bands.
    """
    width, height = size
    pixels, cells = width * height, width * height * settings.cells**2
    per_pixel, per_cell = BYTES_PER_DERIVATIVE
    at_once = cells if in_one_piece else min(cells, AT_ONCE * 2 * LARGE)
    needed = pixels * BYTES_PER_PIXEL + at_once * BYTES_PER_CELL[settings.edges] + (cells - at_once) * KEPT_PER_CELL
    needed += derivatives * (pixels * per_pixel + at_once * per_cell)
    if at_once < cells:
        needed += derivatives * pixels * KEPT_PER_DERIVATIVE
    what = f"an image of {width} x {height} pixels and {cells} cells"
    if derivatives:
        what += f" and its derivatives by {derivatives} numbers"
    require_memory(needed, what, f"fewer pixels{', cells or numbers' if derivatives else ' or cells'} take less")


@dataclass(frozen=True)
class BoundReport:
    """What is proved of the error of an image, in its unit.

    largest, mean: of the bounds of the pixels that have one, in any channel. without: the number of pixels that have
    none.
    """

    largest: float
    mean: float
    without: int

    def __str__(self) -> str:
        said = f"proved: the error is at most {self.largest:.2g}, and {self.mean:.2g} in the mean"
        return f"{said}; of {self.without} pixels nothing can be said" if self.without else said


def bound_report(bound: NDArray[np.float64]) -> BoundReport:
    """What is proved of the errors of pixels with these bounds (height, width, 3), inf for none."""
    known = np.isfinite(bound)
    values = bound[known] if known.any() else np.full(1, np.inf)
    return BoundReport(float(values.max()), float(values.mean()), int((~known).any(-1).sum()))


@dataclass(frozen=True)
class Report:
    """What went into an image.

    samples: their number. crossings: of edges with sides of cells. without_derivative: those of them whose switching
    function was not found or has no slope, which do not move. engine: that ran. edges: "exact", or "ignore": a
    derivative lacks what moving edges change. black: why the whole image is black, empty if it is not. doubted: the
    area, in pixels, of the smallest cells, of which no proof is asked for to make an image; None if edges are ignored.
    bound: of the error of the image, None if none was asked for. look: asks for those proofs, see `where`.
    """

    samples: int
    crossings: int = 0
    without_derivative: int = 0
    engine: str = "llvm"
    edges: Edges = "exact"
    black: str = ""
    doubted: float | None = None
    bound: BoundReport | None = None
    look: Callable[[], NDArray[np.float64]] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def where(self) -> NDArray[np.float64] | None:
        """Of each pixel, the area that is not proved and the number of crossings without derivative, (height, width,
        2); None if edges are ignored. The first to ask waits for the proofs, up to half as long as for the image."""
        return None if self.look is None else self.look()

    @property
    def unproved(self) -> float | None:
        """The area, in pixels, in which more may be seen than was found; None if edges are ignored. See `where`."""
        return None if self.where is None else float(self.where[..., 0].sum())

    @property
    def missing(self) -> tuple[str, ...]:
        """What one may miss in the image, a line each."""
        lost, area = "not proved that nothing else is seen", self.unproved
        return self._with_others([f"{lost}: {area:.2g} pixels in all"] if area else [])

    @property
    def missing_at_once(self) -> tuple[str, ...]:
        """The same, but where many proofs would be asked for it is only told in how much of the image."""
        area = self.doubted or 0.0
        if area <= DOUBTED:
            return self.missing
        return self._with_others([f"no proof was asked for that nothing else is seen: {area:.0f} pixels in all"])

    def _with_others(self, lines: list[str]) -> tuple[str, ...]:
        if self.bound:
            lines.append(str(self.bound))
        return (*lines, f"the image is black: {self.black}") if self.black else tuple(lines)

    @property
    def derivative(self) -> str:
        """What a derivative of the image lacks, in a line."""
        if self.edges == "ignore":
            return "edges are ignored: what moving silhouettes, shadow borders and mirror images change is missing"
        return f"edges without a derivative: {self.without_derivative}"

    def html_of(self, values: Any) -> str:
        """The image, or empty for what is none, for a notebook that shows a Var."""
        if np.ndim(values) != 3 or np.shape(values)[2] != 3 or not np.size(values) or not np.isfinite(values).all():
            return ""
        return figure_html(values)

    def __str__(self) -> str:
        first = f"{self.samples} samples, {self.crossings} crossings, engine {self.engine}"
        return "\n".join([first, self.derivative, *self.missing])


@dataclass(frozen=True)
class Topology:
    """The discrete part of an image: its cells, how they are cut, and what crosses their sides."""

    cells: Cells
    regions: Regions

    @property
    def crossings(self) -> Crossings:
        """The crossings of edges with the sides of cells."""
        return self.cells.crossings

    def report(self, engine: Engine, window: Window) -> Report:
        """What went into what is seen through a window."""
        cells, found = self.cells, self.crossings.switches.found
        samples = int((cells.grid >= 0).sum()) + len(cells.key) + len(self.regions.region)
        width, height = window.size
        side, cell = np.nonzero(cells.side >= 0)
        fixed = cells.mixed_pixel[cell[~found[cells.side[side, cell]]]]
        doubts = cells.doubts

        def look() -> NDArray[np.float64]:
            where = np.zeros((2, height * width))
            where[1] = np.bincount(fixed, minlength=height * width)
            with np.errstate(all="ignore"):
                for doubt in doubts:
                    np.add.at(where[0], doubt.pixel[~doubt.proof()], doubt.side**2)
            return where.T.reshape(height, width, 2)[window.inner]

        doubted = sum(len(doubt.pixel) * doubt.side**2 for doubt in doubts)
        return Report(samples, len(found), int((~found).sum()), engine.name, doubted=doubted, look=look)

    def fingerprint(self, width: int) -> NDArray[np.uint64]:
        """A number for each pixel that is equal for equal topology: its cells, their signatures and cuts.

        width: of the image. Unequal topologies have equal numbers once in 10^19 times.
        """
        cells, regions, switches = self.cells, self.regions, self.crossings.switches
        signatures = self.crossings.signatures
        name = _mixed(*signatures.face, *signatures.side, *signatures.lit, *signatures.piece)
        place = np.arange(len(cells.grid))
        grid = np.where(cells.grid >= 0, _mixed(place, name[cells.grid]), np.uint64(0))
        side = self.cells.per_pixel
        total: NDArray[np.uint64] = grid.reshape(-1, side, width, side).sum((1, 3)).ravel()
        alone = _mixed(cells.key, name[cells.label])
        what = _mixed(switches.bounce, switches.light, switches.function, switches.shape, switches.other)
        sides = np.append(what, np.uint64(0))[regions.side]  # the last one at -1
        members = regions.member.T @ np.array([1, 2, 4, 8]) + 16 * regions.rough
        joint = np.zeros(len(cells.mixed_key), np.int64)
        joint[cells.bent], joint[cells.meeting] = 1, 2
        cut = _mixed(cells.mixed_key[regions.cell], joint[regions.cell], members, name[regions.label], *sides)
        np.add.at(total, np.concatenate([cells.pixel, cells.mixed_pixel[regions.cell]]), np.append(alone, cut))
        return total


class Band:
    """A window of an image, computed from tables of the same values again and again.

    topology: what is seen in it, None where edges are ignored. report: on what went into it. Both are there once the
    image has been computed.
    """

    topology: Topology
    report: Report

    def __init__(self, window: Window, settings: Settings, engine: Engine) -> None:
        self.window, self.settings, self.engine = window, settings, engine

    def image(self, tables: Tables) -> Any:
        """The image (height, width, 3). tables: of the whole camera."""
        tables, window, cells = self.window.seen(tables), self.window, self.settings.cells
        with np.errstate(all="ignore"):
            if self.settings.edges == "ignore":
                image, samples = _by_points(tables, window.size, cells, self.engine)
                self.report = Report(samples, engine=self.engine.name, edges="ignore")
                return image
            if not hasattr(self, "topology"):
                self.topology = find_topology(tables.plain(), window, self.settings, self.engine)
                self.report = self.topology.report(self.engine, window)
            return by_regions(tables, self.topology, window.size, cells, self.engine)


def joined_reports(reports: Sequence[Report], window: Window) -> Report:
    """On a window, from those on its bands, from top to bottom."""
    first = reports[0]
    if len(reports) == 1:
        return first
    looks = [report.look for report in reports if report.look]
    look = (lambda: np.concatenate([look() for look in looks])[window.inner[0]]) if looks else None
    doubted = None if first.doubted is None else sum(report.doubted or 0.0 for report in reports)
    samples, crossings, fixed = (
        sum(getattr(report, name) for report in reports) for name in ("samples", "crossings", "without_derivative")
    )
    return replace(first, samples=samples, crossings=crossings, without_derivative=fixed, doubted=doubted, look=look)


def _mixed(*parts: NDArray[Any]) -> NDArray[np.uint64]:
    """One hash of several integers (N,) (the finaliser of SplitMix64; Steele et al., 2014)."""
    total = np.zeros(parts[0].shape, np.uint64)
    for part in parts:
        total = (total ^ part.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
        total = (total ^ (total >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        total = (total ^ (total >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        total = total ^ (total >> np.uint64(31))
    return total


def render(
    scene: Scene,
    *,
    cells: int = 1,
    edges: Edges = "exact",
    tolerance: float = TOLERANCE,
    engine: EngineName | None = None,
    threads: int | None = None,
    dtype: FloatName = "float64",
    rows: tuple[int, int] | None = None,
    bound: bool = False,
) -> Rendered:
    """The image of a scene.

        image = diffrt.render(diffrt.load_scene("scenes/still_life.toml"))
        image.save("still_life.png")
        print(image.report)

    scene: from `load_scene`, `parse_scene` or `Scene.replace`.
    cells: per pixel side, 1 to 64; more are more exact.
    edges: "exact": cells are cut at edges, and the cuts move with the scene; "ignore": each cell is a point, so a
    derivative has no part from the motion of silhouettes and shadow borders.
    tolerance: cells are halved until it is proved that nothing else is seen in them, and what is wrong there is less
    than this, as an area in pixels. `report.unproved` is the area in which that is not reached.
    engine: "llvm", "numpy", or "graph", for pictures of a few pixels, all of whose ops are then in the graph; the first
    if None, where it can be loaded.
    threads: at the same time, all processors if None; the image does not depend on it.
    dtype: of shading, "float64" or "float32".
    rows: the first row of the image, and the one after the last; all if None.
    bound: whether to prove how far each pixel can be from the exact one, the mean of radiance over its square. That
    needs edges="exact".

    Returns an Image (height, width, 3) of linear RGB radiance, in W/(m^2 sr); if the scene holds Vars, a Var of that
    shape, through which derivatives go to them. `report` of either says what went into it. With `bound` the Image has
    `bound`, an array (height, width, 3): no pixel is farther from the exact one, per channel and in the unit of the
    image; inf where nothing can be said.
    Raises InputError for settings that are not allowed, for an image that takes more memory than there is, and for a
    bound of a scene that holds Vars.
    """
    expect_scene(scene, "render")
    if not isinstance(bound, bool | np.bool_):
        raise InputError(f"bound: found {shown(bound)}, allowed: True or False")
    settings = Settings(cells, edges, tolerance)
    if bound and edges == "ignore":
        raise InputError('bound: needs edges = "exact"; where edges are ignored the error has no bound')
    chosen = choose_engine(engine, threads, dtype)
    height = scene.camera.size[1]
    first, last = (0, height) if rows is None else _pair(rows)
    if not 0 <= first < last <= height:
        raise InputError(f"rows: found {shown(rows)}, allowed: a first row and a later one, from 0 to {height}")
    return render_part(scene, Part(rows=None if rows is None else (first, last)), settings, chosen, bool(bound))


def render_part(scene: Scene, part: Part, settings: Settings, engine: Engine, bound: bool = False) -> Rendered:
    """A part of the image of a scene, the rows of (height, width, 3); else as `render`."""
    keep_freed_memory()
    window = window_of(scene, part)
    in_one_piece = bound or engine.name == "graph"
    require_memory_for(window.size, settings, in_one_piece=in_one_piece)
    whole = [window] if in_one_piece else bands_of(window, settings.cells)
    own, at_once = shared(engine, len(whole))
    bands = [Band(each, settings, own) for each in whole]
    with np.errstate(all="ignore"):
        tables = build_tables(scene)
        image = bands[0].image(tables) if len(bands) == 1 else in_bands(tables, bands, window.size, at_once)
    report = joined_reports([band.report for band in bands], window)
    seen = image
    if window.has_margin:
        image = image[window.inner]
    if not isinstance(image, Var):
        image = np.ascontiguousarray(image).view(Image)  # which copies no image that nobody else has
    if bound:
        if isinstance(image, Var):
            raise InputError("bound: found a scene that holds Vars, needed: one of numbers; a bound has no derivative")
        image.bound = bound_of(window.seen(tables), bands[0].topology, window, seen, settings, engine)
        report = replace(report, bound=bound_report(image.bound))
    image.report = replace(report, black=_why_black(scene, image))
    return image


def bound_of(
    tables: Tables, topology: Topology, window: Window, image: NDArray[np.float64], settings: Settings, engine: Engine
) -> NDArray[np.float64]:
    """How far the pixels of a part of an image can be from the exact ones, (height, width, 3).

    tables: plain. image: of all of the window.
    """
    from diffrt.tracer.certificate import enclose  # which most images do without

    only = np.zeros(image.shape[:2], bool)
    only[window.inner] = True
    enough = settings.tolerance * ENOUGH * float(image[window.inner].max(-1).mean())
    low, high = enclose(Visibility(tables, engine), topology.cells, window.size, enough, only)
    found: NDArray[np.float64] = np.maximum(image - low, high - image)[window.inner]
    return found


def jacobian(
    scene: Scene,
    names: Names | None = None,
    *,
    direction: Mapping[str, Numbers] | Numbers | None = None,
    cells: int = 1,
    edges: Edges = "exact",
    tolerance: float = TOLERANCE,
    engine: EngineName | None = None,
    threads: int | None = None,
    dtype: FloatName = "float64",
) -> Derivative | Any:
    """The derivative of the image by parameters, in forward mode.

        J = diffrt.jacobian(scene, ["lamp.position", "ball.*"])
        slope = diffrt.jacobian(scene, direction={"lamp.position": [1, 0, 0], "ball.radius": 0.5})

    names: parameters, components of them, or patterns such as "ball.*", n numbers together; all of the scene if None.
    direction: along which the derivative is taken, in one pass: how fast each number moves, (n,), or a mapping from
    some of the names to that of each (three numbers, or one); then the others rest, and `names` may be left out. Its
    length counts: twice the direction is twice the derivative.
    cells, edges, tolerance, engine, threads, dtype: as for `render`.

    Returns an array (height, width, 3, n), radiance per unit of each number, whose `names` are those numbers; along a
    direction (height, width, 3). Its `report` says what went into the image. If the scene holds Vars it is a Var with
    that report.
    Raises InputError for an unknown name, for a direction that does not fit the names, and for derivatives that take
    more memory than there is.
    """
    expect_scene(scene, "jacobian")
    if names is None:
        names = direction if isinstance(direction, Mapping) else [p.path for p in scene.parameters()]
    components = scene.components(names)
    if not components:
        raise InputError("jacobian: found no parameter, needed: at least one, such as 'camera.position'")
    along = None if direction is None else direction_of(scene, components, direction)
    at = scene.pack(components)
    tangents = list(np.eye(len(at))) if along is None else [along]
    require_memory_for(scene.camera.size, Settings(cells, edges, tolerance), len(tangents))
    report = None

    def image(v: Any) -> Any:
        nonlocal report
        rendered = render(
            scene.unpack(components, v), cells=cells, edges=edges, tolerance=tolerance, engine=engine,
            threads=threads, dtype=dtype,
        )  # fmt: skip
        report = rendered.report
        return rendered

    _, columns = pushforward(image, [at], [tangents])
    found = columns[0] if along is not None else stack(columns, -1)
    if not isinstance(found, Var):
        found = Derivative(found, components)
    found.report = report
    return found


def _why_black(scene: Scene, image: Image | Var) -> str:
    """Why every pixel of an image is black; empty if one is not."""
    if np.any(image.value if isinstance(image, Var) else image):
        return ""
    if not scene.lights:
        return "the scene has no lights"
    strengths = [
        p.path for p in scene.parameters() if p.path.partition(".")[0] in scene.lights and p.unit.startswith("W")
    ]
    if strengths and not scene.pack(strengths).any():
        return "the strength of every light is 0"
    return "no light reaches what the camera sees"


def _pair(rows: Any) -> tuple[int, int]:
    """Two whole numbers, or such as no image has."""
    whole = isinstance(rows, tuple | list) and [isinstance(n, int | np.integer) for n in rows] == [True, True]
    return (rows[0], rows[1]) if whole else (0, 0)


def find_topology(tables: Tables, window: Window, settings: Settings, engine: Engine) -> Topology:
    """The discrete part of what is seen through a window. tables: as seen through it, plain."""
    with np.errstate(all="ignore"):
        cells = divide(Visibility(tables, engine), window, settings.cells, settings.tolerance)
    return Topology(cells, find_regions(cells))


def by_regions(tables: Tables, topology: Topology, size: tuple[int, int], cells_per_side: int, engine: Engine) -> Any:
    """The image (height, width, 3) from cells that are cut at their edges. size: width and height in pixels."""
    width, height = size
    cells, regions, signatures = topology.cells, topology.regions, topology.crossings.signatures
    x, y = _middles(width, height, cells_per_side)
    area = np.full(x.shape, 1.0 / cells_per_side**2)
    area.flags.writeable = False
    lit = lighting(tables, signatures)
    grid = shade(lit, cells.grid, Samples(x, y, area), engine)
    others = [(cells.pixel, shade(lit, cells.label, Samples(cells.sample_x, cells.sample_y, cells.size**2), engine))]
    if regions.cell.size:
        x, y, area = places_of(tables, topology, engine)
        cut = shade(lit, regions.label[regions.region], Samples(x, y, area), engine)
        others.append((cells.mixed_pixel[regions.cell[regions.region]], cut))
    return develop(grid, others, height, width, cells_per_side)


def places_of(tables: Tables, topology: Topology, engine: Engine, edges: MovingEdges | None = None) -> Any:
    """The samples of the regions of all mixed cells: x, y and area as (3, n), in pixels.

    edges: says where the edges are, in place of `moving_edges`.
    """
    cells = topology.cells
    found = (edges or moving_edges)(tables, cells, engine)
    return place_regions(cells, topology.regions, found.s, place_joints(cells, found, engine), engine)


def moving_edges(tables: Tables, cells: Cells, engine: Engine) -> EdgePlaces:
    """Where the edges in mixed cells are."""
    s = differentiable(tables, cells.crossings, engine)
    chord, bends, meet = chords(cells, s), cells.bends.s, np.zeros((2, 0))
    if cells.bent.size:
        bends = differentiable(tables, cells.bends, engine, chord[0])
    if cells.meeting.size:
        first, second = (cells.crossings[own] for own in cells.meeting_pair)
        meet = meetings(tables, first, second, cells.meeting_x, cells.meeting_y, engine)
    return EdgePlaces(s, chord, bends, meet)


def _middles(width: int, height: int, cells: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The middles of the cells of the grid, row by row, x and y in pixels."""
    found = np.empty((2, height * cells, width * cells))
    found[0], found[1] = (np.arange(width * cells) + 0.5) / cells, ((np.arange(height * cells) + 0.5) / cells)[:, None]
    found.flags.writeable = False  # so a graph keeps these, and no copy
    x, y = found.reshape(2, -1)
    return x, y


def _by_points(tables: Tables, size: tuple[int, int], cells: int, engine: Engine) -> tuple[Any, int]:
    """The image from one point at the centre of each cell, and the number of points."""
    width, height = size
    x, y = _middles(width, height, cells)
    view = Visibility(tables.plain(), engine)
    labels = view.signature_ids(x, y)
    lit = lighting(tables, view.signatures)
    shaded = shade(lit, labels, Samples(x, y, np.full(x.shape, 1.0 / cells**2)), engine)
    return develop(shaded, [], height, width, cells), len(x)
