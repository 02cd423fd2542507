"""The derivative of an image against differences of the image.

The image is rendered again beside the parameter's value, with its topology (cells, signatures, cuts) found anew,
and a central difference is taken at steps h and h / 4 and extrapolated (Richardson),

    D(h) = (I(p + h) - I(p - h)) / 2h,    R = (16 D(h / 4) - D(h)) / 15

A pixel is judged at the first step at which its topology is the same in all of these images and the two quotients
agree, or two values of R in a row; a difference over an event, such as a corner of a cell that an edge passes, is
wrong at any bar. A derivative that is wrong has quotients that agree like any other, so it cannot hide among the
pixels that are left out.

The images are rounded. By how much is measured: all numbers of the scene are changed in their last place, and it is
rendered again. That over the step is what a quotient cannot tell; a derivative is right if the two differ by no more.
If it hides a part of the derivative, nothing can be told. The first step is a small part of a length of the scene
itself: of the shape that moves, or of its distance.

A parameter on its bound has one side only: D(h) = (-3 I(p) + 4 I(p + h) - I(p + 2h)) / 2h takes the place. And where
the next event is so near on one side that no step is short enough, the other side's one-sided quotients at h, h / 4
and h / 16 are extrapolated.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, pairwise
from math import inf, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.compiler import choose_engine
from diffrt.errors import InputError
from diffrt.scene import Scene
from diffrt.scene.scene import expect_scene
from diffrt.tracer.renderer import Settings, by_regions, find_topology, jacobian, require_memory_for
from diffrt.tracer.tables import build_tables
from diffrt.tracer.window import Part, window_of

STEP = 1e-3
"""The first step, relative to the size of the parameter."""
REDUCTION = 4.0
STEPS = 10
AGREEMENT = 2e-6
"""Two values of a pixel agree if they differ by less than this part of the derivative's root mean square."""
KINK = 1e-2
"""Slopes on the two sides that differ by more are a kink, such as a corner of a shape that meets one of a cell."""
BAR = 1e-5
"""The relative error under which a derivative is right."""
UNSEEN = 0.01
"""The part of a derivative's norm that pixels without a difference may hold, or that the images' rounding may hide."""
ROUNDING = 2.0**-50
"""A change of a number in its last place, relatively."""
ROUNDED = 3
"""The number of scenes that are changed so."""
MARGIN = 16.0
"""How much larger the rounding of a difference may be than the root mean square of the rounding that was measured: a
pixel beside the limb of a ball is rounded more than others."""


VERDICTS = ("right", "wrong", "cannot tell")

_LENGTH = "scene units"
_Rendered = tuple[NDArray[np.float64], NDArray[np.uint64]]


@dataclass(frozen=True)
class Comparison:
    """The derivative of an image by one number against differences.

    path: of the number. verdict: "right", "wrong" or "cannot tell". error: relative L2 over the pixels judged. worst:
    the largest error of a pixel, relative to the largest derivative, and worst_pixel its column and row.
    unjudged: the number of pixels for which no step gave a difference; unjudged_share: their part of the
    derivative's norm. slope: the order of the Taylor remainder |I(p + h) - I(p) - h I'(p)|; 2 where the derivative is
    right, 1 where it is wrong, inf where the image is linear in the number. norm: of the derivative.
    """

    path: str
    verdict: str
    error: float
    worst: float
    worst_pixel: tuple[int, int]
    unjudged: int
    unjudged_share: float
    slope: float
    norm: float

    def as_json(self) -> dict[str, Any]:
        """The same as plain values; an infinite slope is null."""
        return {**asdict(self), "slope": None if self.slope == inf else self.slope}


def compare(scene: Scene, names: Sequence[str], settings: Settings | None = None) -> Iterator[Comparison]:
    """The derivative by each component of some parameters against differences, one after the other.

    names: of the parameters. settings: how images are sampled; edges must be "exact".
    """
    expect_scene(scene, "compare")
    settings = settings or Settings()
    exact = _derivative(scene, names, settings)
    base = _image(scene, settings)
    rounding = _rounding(scene, settings, base)
    for i, path in enumerate(scene.components(names)):
        at, size = float(scene[path]), _size(scene, path)

        def moved(h: float, path: str = path, at: float = at) -> Scene:
            return scene.replace({path: at + h})

        yield _compare(moved, path, size, _room(scene, path, size), settings, exact[..., i], base, rounding)


COPIES = 12
"""Images that a comparison holds: differences by several steps, extrapolated, from both sides."""


def _size(scene: Scene, path: str) -> float:
    """What a change of a number of the scene is large or small against.

    Of a position or a length: the least of the lengths of the same shape, of its distances from the camera, and of the
    camera's from its target. Of any other number: the length of its vector.
    """
    whole = scene.whole(path)
    if whole.unit != _LENGTH:
        return float(np.linalg.norm(scene[whole.path])) or 1.0
    name = whole.path.split(".")[0]
    own = [p for p in scene.parameters() if p.unit == _LENGTH and p.path.split(".")[0] in (name, "camera")]
    points = [scene[p.path] for p in own if p.size == 3]
    lengths = [float(scene[p.path]) for p in own if p.size == 1 and p.path.split(".")[0] == name]
    lengths += [float(np.linalg.norm(a - b)) for a, b in combinations(points, 2)]
    return min(length for length in lengths if length > ROUNDING * max(map(np.linalg.norm, points)))


def _room(scene: Scene, path: str, size: float) -> tuple[float, float]:
    """How far a number may go down and up: to its bounds, and not at all where another rule stands in the way, such as
    that of a spot whose inner angle is its outer one."""
    at, parameter = float(scene[path]), scene.parameter(path)
    room = [at - parameter.minimum, parameter.maximum - at]
    for side, sign in enumerate((-1.0, 1.0)):
        try:
            scene.replace({path: at + sign * min(2.0 * STEP * size, room[side])})
        except InputError:
            room[side] = 0.0
    return room[0], room[1]


def _rounding(scene: Scene, settings: Settings, base: _Rendered) -> float:
    """The root mean square of what the image changes by when all numbers of the scene change in their last place,
    over the pixels whose topology stays."""
    parameters = list(scene.parameters())
    names = [p.path for p in parameters]
    least = np.concatenate([np.full(p.size, p.minimum) for p in parameters])
    most = np.concatenate([np.full(p.size, p.maximum) for p in parameters])
    at, random = scene.pack(names), np.random.default_rng(0)
    found = float(np.finfo(float).eps) * _rms(base[0])
    for _ in range(ROUNDED):
        other = at * random.uniform(1.0 - ROUNDING, 1.0 + ROUNDING, at.shape)
        image, topology = _image(scene.unpack(names, np.clip(other, least, most)), settings)
        found = max(found, _rms((image - base[0])[topology == base[1]]))
    return found


def _derivative(scene: Scene, names: Sequence[str], settings: Settings) -> NDArray[np.float64]:
    require_memory_for(scene.camera.size, settings, len(scene.components(names)) + COPIES, in_one_piece=True)
    return np.asarray(jacobian(scene, names, **vars(settings)))


def _with_neighbours(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels, and those that are at most two away."""
    from scipy.ndimage import binary_dilation  # takes as long to import as the whole tracer

    found: NDArray[np.bool_] = binary_dilation(pixels, np.ones((3, 3)), iterations=2)
    return found


def _compare(
    moved: Callable[[float], Scene], path: str, size: float, room: tuple[float, float], settings: Settings,
    exact: NDArray[np.float64], base: _Rendered, rounding: float,
) -> Comparison:  # fmt: skip
    """One comparison.

    moved: the scene with the parameter moved by h. size: of the parameter. room: how far it may go down and up.
    exact: the derivative of the image, (height, width, 3). base: the image. rounding: of a value of an image.
    """
    step = STEP * size
    below, above = room
    if below > 0.0 and above > 0.0:
        points = {1.0: 0.5, -1.0: -0.5}
        step = min(step, 0.5 * below, 0.5 * above)
    else:
        sign = 1.0 if below <= 0.0 else -1.0
        points = {0.0: -1.5 * sign, sign: 2.0 * sign, 2.0 * sign: -0.5 * sign}
        step = min(step, 0.25 * max(below, above))
    judged = np.zeros(base[1].shape, bool)
    expected = np.zeros_like(exact)
    hidden = np.zeros(base[1].shape)  # what the rounding of the image may add to the expected value
    remainders: list[tuple[float, NDArray[np.float64]]] = []
    coarse: Any = None  # quotients of the step before, and where the topology stays
    finer: Any = None  # the same of extrapolated quotients
    scale = 0.0
    one_sided = {p: _OneSided(exact.shape) for p in points if p}
    for number in range(STEPS):
        h = step * REDUCTION**-number
        # Beyond the first two steps a few pixels are left. What is around them decides on their cells.
        only = _with_neighbours(~judged) if number > 1 else None
        here = base if only is None else _image(moved(0.0), settings, only)
        sides = {p: here if p == 0.0 else _image(moved(p * h), settings, only) for p in points}
        quotient = np.sum([sides[p][0] * (weight / h) for p, weight in points.items()], axis=0)
        same = np.all([sides[p][1] == here[1] for p in points], axis=0)
        noise = MARGIN * rounding / h
        if number < 2:
            scale = _rms(quotient)
            place = next(p for p in points if p)
            steady = same if coarse is None else same & coarse[1]
            remainders.append((h, sides[place][0] - base[0] - exact * (h * place)))
        for p, side in one_sided.items():
            side.add((sides[p][0] - here[0]) / (p * h), sides[p][1] == here[1], AGREEMENT * scale + noise, noise)
        if coarse is not None:
            better = (REDUCTION**2 * quotient - coarse[0]) / (REDUCTION**2 - 1.0), same & coarse[1]
            near = np.abs(quotient - coarse[0]).max(-1) <= AGREEMENT * scale + noise
            if finer is not None:
                near |= finer[1] & (np.abs(better[0] - finer[0]).max(-1) <= AGREEMENT * scale + noise)
            good = ~judged & better[1] & near & ~_kinks(one_sided, scale + noise / KINK)
            expected[good], hidden[good] = better[0][good], noise
            judged |= good
            finer = better
        if judged.all():
            break
        coarse = quotient, same
    lone = ~judged & (np.sum([side.found for side in one_sided.values()], axis=0) == 1)
    for side in one_sided.values():
        expected[lone & side.found] = side.value[lone & side.found]
        hidden[lone & side.found] = side.hidden[lone & side.found]
    judged |= lone
    norm = float(np.linalg.norm(exact))
    off = np.where(judged[..., None], exact - expected, 0.0)
    floor = sqrt(3.0) * float(np.linalg.norm(hidden))
    difference, expected_norm = float(np.linalg.norm(off)), float(np.linalg.norm(expected[judged]))
    error = _ratio(difference, max(expected_norm, floor))
    share = _ratio(float(np.linalg.norm(exact[~judged])), max(norm, floor))
    row, column = np.unravel_index(np.argmax(np.abs(off).max(-1)), judged.shape)
    worst = _ratio(float(np.abs(off).max()), max(float(np.abs(exact).max()), float(hidden.max())))
    if difference > max(BAR * expected_norm, floor):
        verdict = "wrong"
    elif share > UNSEEN or floor < norm < floor / UNSEEN:
        verdict = "cannot tell"
    else:
        verdict = "right"
    (h0, first), (h1, second) = ((h, float(np.linalg.norm(r[steady]))) for h, r in remainders)
    bent = second > MARGIN * rounding * sqrt(exact.size) and first > 0.0
    slope = log(first / second) / log(h0 / h1) if bent else inf
    return Comparison(path, verdict, error, worst, (int(column), int(row)), int((~judged).sum()), share, slope, norm)


class _OneSided:
    """Extrapolated quotients of one side: F(h) = D + c1 h + c2 h^2, from three steps on which the topology stays."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.value, self.hidden = np.zeros(shape), np.zeros(shape[:2])
        self.found = np.zeros(shape[:2], bool)
        self.linear: list[NDArray[np.float64]] = []  # extrapolated from two steps
        self._quotients: list[NDArray[np.float64]] = []
        self._same: list[NDArray[np.bool_]] = []

    def add(self, quotient: NDArray[np.float64], same: NDArray[np.bool_], tolerance: float, noise: float) -> None:
        """Take the quotients of the next step. noise: what the rounding of the image adds to them."""
        self._quotients, self._same = [*self._quotients[-2:], quotient], [*self._same[-2:], same]
        r = REDUCTION
        self.linear = [(r * b - a) / (r - 1.0) for a, b in pairwise(self._quotients)]
        if len(self._same) == 3:
            near = np.abs(self.linear[1] - self.linear[0]).max(-1) <= tolerance
            good = ~self.found & near & np.all(self._same, axis=0)
            self.value[good] = ((r * r * self.linear[1] - self.linear[0]) / (r * r - 1.0))[good]
            self.hidden[good] = noise
            self.found |= good


def _kinks(one_sided: dict[float, _OneSided], scale: float) -> Any:
    """Pixels in which the image has different slopes on the two sides: there is no derivative to compare with."""
    if 1.0 not in one_sided or -1.0 not in one_sided:
        return np.False_
    plus, minus = (one_sided[p].linear[-1] for p in (1.0, -1.0))
    return np.abs(plus - minus).max(-1) > KINK * np.maximum(scale, np.abs(plus).max(-1))


def _image(scene: Scene, settings: Settings, only: NDArray[np.bool_] | None = None) -> _Rendered:
    """The image of a scene, or some pixels of it, and the topology of its pixels as numbers (height, width)."""
    with np.errstate(all="ignore"):
        window, engine = window_of(scene, Part(pixels=only)), choose_engine()
        tables = window.seen(build_tables(scene))
        topology = find_topology(tables, window, settings, engine)
        image = np.asarray(by_regions(tables, topology, window.size, settings.cells, engine))
    fingerprint = topology.fingerprint(image.shape[1]).reshape(image.shape[:2])
    return image[window.inner], fingerprint[window.inner]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _rms(x: NDArray[np.float64]) -> float:
    """The root mean square of the entries that are not zero."""
    return float(np.linalg.norm(x)) / sqrt(max(int(np.count_nonzero(x)), 1))
