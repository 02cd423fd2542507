"""What the formulas of a new kind promise, tried on random numbers that its rules allow.

First that they compute: each gives numbers of its shape, for samples and while a kernel is recorded, when there are no
numbers yet. Then that they agree. A picture is made of several formulas of a shape, and of bounds of them; where two
contradict each other it is wrong, and nothing in it shows that.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from diffrt.kinds.fields import Field, Own, Quantity, reflectance
from diffrt.kinds.kind import END, Background, Camera, Kind, Light, Material, Shape, Texture
from diffrt.kinds.vectors import dot

SAMPLES, RAYS, DRAWS, THINGS = 5, 400, 200, 3
"""Samples with which a formula is tried, and rays; how often values are drawn until its relations hold, and how many
such objects are tried."""

CLEAR = 1e-3
"""Rays that graze a surface, or pass its border, by less are left out, relatively."""

SELDOM = 0.01
"""Of so many rays formulas may contradict each other: what is wrong by rounding, or in a corner, is not told here."""

NEAR = 1e-6
"""What formulas may differ by, relatively."""

NOTHING = 1e-9
"""How far under 0 the share of light that a material scatters may be, relative to its largest one: that is rounding."""


def of_formulas(kind: type[Kind], seed: int = 0) -> list[str]:
    """What is wrong with what the formulas of a kind give, a line each. seed: of the numbers that they are tried on."""
    if issubclass(kind, Camera):
        return []  # how large an image is, is not a matter of the class
    made = _of_colours(kind) if issubclass(kind, Texture) else kind
    random = np.random.default_rng(seed)
    problems: dict[str, None] = {}
    with np.errstate(all="ignore"):
        for _ in range(THINGS):
            values = _values(made, random)
            faces = made.faces or (made,) if issubclass(made, Shape) else (made,)
            things = [face(**values) for face in faces]
            for thing in things:
                problems.update(dict.fromkeys(_of_results(thing, random)))
            if not problems:
                problems.update(dict.fromkeys(_of_promises(things, random)))
            if problems:
                break
    return list(problems)


def _of_results(thing: Any, random: Any) -> Iterator[str]:
    """What is wrong with the results of the formulas, each for itself."""
    o, d = random.normal(size=(3, SAMPLES)), random.normal(size=(3, SAMPLES))
    d, n = d / np.linalg.norm(d, axis=0), o / np.linalg.norm(o, axis=0)
    try:
        tried = list(_formulas(thing, o, d, n))
    except Exception as fault:  # whatever a user's formula raises
        yield f"{type(thing).__name__} fails: {_told(fault)}"
        return
    compiles = True
    for text, formula, shapes in tried:
        try:
            found = formula()
        except Exception as fault:
            yield f"{text} fails: {_told(fault)}"
            compiles = False
            continue
        parts = found if isinstance(found, tuple | list) else (found,)
        if len(parts) != len(shapes):
            yield f"{text} gives {len(parts)} results, needed: {len(shapes)}"
            continue
        for part, shape in zip(parts, shapes, strict=True):
            array = np.asarray(part)
            if array.dtype.kind not in "fiu":
                yield f"{text} gives {type(part).__name__ if array.dtype == object else array.dtype}, needed: numbers"
                continue
            try:
                fits = np.broadcast_shapes(array.shape, (*shape, SAMPLES)) == (*shape, SAMPLES)
            except ValueError:
                fits = False
            if not fits or array.ndim > len(shape) + 1:
                yield f"{text} gives the shape {array.shape} for {SAMPLES} samples, needed: {(*shape, SAMPLES)}"
            elif np.isnan(array).any():
                yield f"{text} gives nan for ordinary numbers"
    if compiles:
        yield from _of_recording(thing, tried)


def _of_recording(thing: Any, tried: list[Any]) -> Iterator[str]:
    """What is wrong with formulas when there are no numbers, as while kernels are recorded."""
    from diffrt.compiler.program import SAMPLE, NoMachineCode, Recorder, abstract  # which import kinds

    recorder = Recorder()
    places = iter(range(1000))

    def nodes(value: Any) -> Any:
        return abstract(recorder, SAMPLE, next(places), np.shape(value)[:-1])

    fixed = type(thing).quantities()
    values = {name: nodes(value) if name in fixed else value for name, value in vars(thing).items()}
    symbolic = type(thing).holding(**values)
    for text, formula, _ in tried:
        name, arguments = text.partition(".")[2], formula.args
        if name == "value":  # a continuous texture is not compiled
            continue
        given = [nodes(a) if isinstance(a, np.ndarray) else a for a in arguments]
        try:
            getattr(symbolic, name)(*given)
        except NoMachineCode:  # it runs in numpy
            continue
        except Exception as fault:
            yield f"{text} fails where it is compiled: {_told(fault)}"


def _told(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}"


def _formulas(thing: Any, o: Any, d: Any, n: Any) -> Iterator[tuple[str, "partial[Any]", tuple[Any, ...]]]:
    """The formulas of a kind as they are called, and the shapes of their results, without the samples."""
    name, one, vector = type(thing).__name__, (), (3,)
    if isinstance(thing, Shape):
        for side in (1.0, -1.0):
            sides = np.full(SAMPLES, side)
            yield f"{name}.intersect", partial(thing.intersect, o, d, sides), (one, one)
            yield f"{name}.normal_at", partial(thing.normal_at, o, sides), (vector,)
        yield f"{name}.side", partial(thing.side, o), (one,)
        yield f"{name}.reach", partial(thing.reach, o), (one,)
        for side in thing.meets_itself:
            yield f"{name}.again", partial(thing.again, o, d, np.full(SAMPLES, side)), (one,)
        if thing.box() is not None:
            yield f"{name}.box", partial(thing.box), (vector, vector)
        if type(thing).has_uv():
            yield f"{name}.uv", partial(thing.uv, o, np.ones(SAMPLES)), (one, one)
    elif isinstance(thing, Texture):
        u, v = o[:2]
        if thing.has_edge:
            yield f"{name}.border", partial(thing.border, u, v), (one,)
            for positive in (True, False):
                yield f"{name}.piece", partial(thing.piece, positive), (vector,)
        else:
            for around in ((False, False), (True, False)):
                yield f"{name}.value", partial(thing.value, u, v, around), (vector,)
    elif isinstance(thing, Material) and thing.event == END:
        yield f"{name}.brdf", partial(thing.brdf, n, n, d * np.sign(np.sum(d * n, 0))), (vector,)
        yield f"{name}.ambient", partial(thing.ambient, n, n), (vector,)
    elif isinstance(thing, Light) and not thing.everywhere:
        yield f"{name}.incident", partial(thing.incident, o), (vector, one, vector)
        if thing.bordered:
            yield f"{name}.shines", partial(thing.shines, o), (one,)
    elif isinstance(thing, Background):
        yield f"{name}.seen", partial(thing.seen, d), (vector,)


class _Coloured(Material):
    """A material with one colour, for which textures are tried."""

    colour = reflectance("any colour")


def _of_colours(kind: type[Texture]) -> type[Texture]:
    """A texture for a field that is a colour."""
    from diffrt.kinds import texture_for  # which imports this module

    made: Any = kind
    return texture_for(made, _Coloured, "colour")


def _drawn(field: Field, random: Any) -> Any:
    """Values that a rule allows, the same for all samples, (3, 1) or (1,)."""
    rule: Any = field.rule
    if isinstance(rule, Own):  # texels
        return random.uniform(size=(2, 3, *rule.shape))
    low, high = max(rule.minimum, -2.0), min(rule.maximum, 2.0)
    return random.uniform(low + 0.1 * (high - low), high, (*rule.shape, 1))


def _values(kind: type[Kind], random: Any) -> dict[str, Any]:
    """Values of the fields that its rules allow, those between fields too, if a few tries find some."""
    for _ in range(DRAWS):
        values = {
            name: _drawn(field, random) if isinstance(field.rule, Quantity) else field.default
            for name, field in kind.fields.items()
        }
        plain = {name: v[..., 0] if isinstance(v, np.ndarray) and v.ndim else v for name, v in values.items()}
        try:
            if all(bool(rule.holds(*(plain[name] for name in rule.fields))) for rule in kind.relations):
                break
        except Exception:  # of values that are no parameters there may be none
            break
    return values


def _of_promises(things: list[Any], random: Any) -> Iterator[str]:
    """Where the formulas of an object, or of the faces of a shape, contradict each other."""
    thing = things[0]
    name = type(thing).__name__
    if isinstance(thing, Shape):
        for number, face in enumerate(things):
            other = things[number + face.back] if face.back else None
            yield from _of_face(face, other, random)
    elif isinstance(thing, Light) and not thing.everywhere:
        p = random.normal(size=(3, RAYS)) * 3.0
        to_light, distance, irradiance = (np.asarray(x, float) for x in thing.incident(p))
        if np.any(np.abs(np.linalg.norm(to_light, axis=0) - 1.0) > NEAR):
            yield f"{name}.incident gives a direction to the light whose length is not 1"
        origin = thing.origin()
        if origin is not None and np.any(
            np.linalg.norm(p + to_light * distance - origin, axis=0) > NEAR * (1.0 + distance)
        ):
            yield f"{name}.origin is not where {name}.incident says that the light is"
        where = distance if origin is not None else np.ones(RAYS)
        if _exceeds(irradiance, thing.at_most(where)):
            yield f"{name}.at_most gives less than the irradiance of {name}.incident"
    elif isinstance(thing, Material) and thing.event == END:
        n, eye, light = (_directions(random) for _ in range(3))
        eye, light = (v * np.where(dot(v, n) < 0.0, -1.0, 1.0) for v in (eye, light))
        most, even = thing.at_most()
        shares = np.asarray(thing.brdf(n, eye, light), float)
        if (least := np.min(shares)) < -NOTHING * np.max(np.abs(shares)):
            yield f"{name}.brdf gives {least:.3g}, needed: 0 or more, as no surface takes light away that is not there"
        if _exceeds(shares * dot(n, light), most):
            yield f"{name}.at_most gives less than {name}.brdf times the cosine of the light"
        if _exceeds(thing.ambient(n, eye), even):
            yield f"{name}.at_most gives less than {name}.ambient"
    elif isinstance(thing, Texture) and not thing.has_edge:
        (u, v), around, h = random.uniform(size=(2, RAYS)), (False, False), 1e-4
        ends = np.zeros(1), np.ones(1)
        value = thing.value(u, v, around)
        by_u, by_v = ((thing.value(u + a, v + b, around) - value) / h for a, b in ((h, 0.0), (0.0, h)))
        wider = np.zeros(1), np.ones(1) + h
        slope_u, slope_v = thing.slopes(wider, wider, around)
        limits = thing.bounds(ends, ends, around)
        found = ("bounds", value, limits), ("slopes", by_u, slope_u), ("slopes", by_v, slope_v)
        for what, values, (least, most) in found:
            off = 1e-9 + NEAR * np.abs(values)
            if np.any(values < least - off) or np.any(values > most + off):
                yield f"{name}.{what} do not hold what {name}.value gives"
    elif isinstance(thing, Background) and _exceeds(thing.seen(_directions(random)), thing.at_most()):
        yield f"{name}.at_most gives less than {name}.seen"


def _exceeds(values: Any, most: Any) -> bool:
    return bool(np.any(values > np.asarray(most) * (1.0 + NEAR)))


def _directions(random: Any) -> Any:
    v = random.normal(size=(3, RAYS))
    return v / np.linalg.norm(v, axis=0)


def _of_face(face: Any, back: Any, random: Any) -> Iterator[str]:
    """Where the formulas of a face contradict each other along rays that meet it. back: the other side of its surface,
    None if it is the same face."""
    name = type(face).__name__
    o = random.normal(size=(3, RAYS)) * 3.0
    d = random.normal(size=(3, RAYS)) * 1.5 - o
    d = d / np.linalg.norm(d, axis=0)
    side = _side(face, o)
    t, inside = (np.asarray(x, float) + np.zeros(RAYS) for x in face.intersect(o, d, side))
    n = np.asarray(face.normal_at(o + t * d, side), float) + np.zeros((3, RAYS))
    hit = (inside > CLEAR * np.max(np.abs(inside))) & (t > CLEAR) & (t < 1e3)
    o, d, t, side, n = o[:, hit], d[:, hit], t[hit], side[hit], n[:, hit]
    if not hit.any():
        return
    p = o + t * d
    if _often(np.abs(np.linalg.norm(n, axis=0) - 1.0) > NEAR):
        yield f"{name}.normal_at gives a normal whose length is not 1"
        return
    steep = np.abs(dot(n, d)) > 0.05
    if _often(dot(n, d)[steep] > 0.0):
        yield f"{name}.normal_at gives a normal that points away from the ray; needed: the one of the given side"
        return
    margins = np.min([np.asarray(m, float) + np.zeros(len(t)) for m in face.margins(o, d, side)], axis=0)
    if _often(margins <= 0.0):
        yield f"{name}.margins are not positive where {name}.intersect says that a ray is inside"
    if _often(_side(face, p + CLEAR * CLEAR * n)[steep] != side[steep]):
        yield f"{name}.side does not give the side that {name}.normal_at points to"
    box = face.box()
    if box is not None and _often(((p < box[0] - NEAR) | (p > box[1] + NEAR)).any(0)):
        yield f"{name}.box does not hold the points that {name}.intersect gives"
    elif _often(np.asarray(face.clearance(o)) > t * (1.0 + NEAR)):
        yield f"{name}.clearance gives more than the distance to a point that {name}.intersect gives"
    # From beyond the point, the ray back must meet it too, or a nearer part of the surface.
    span = random.uniform(CLEAR, 6.0, len(t))
    beyond, met = p + span * d, np.zeros(len(t), bool)
    for each in (face, back) if back is not None else (face,):
        s, within = each.intersect(beyond, -d, _side(each, beyond))
        met |= np.asarray((within > 0.0) & (s > 0.0) & (s < span * (1.0 + NEAR)))
    if _often(~met[steep]):
        yield (
            f"{name}.intersect meets a point from one end of a ray and misses it from the other; a curved surface that "
            "is not closed needs two faces, see `back`"
        )
    # Behind the point the ray does not come in by the same side again, where it starts anew on that side.
    anew = _side(face, beyond)
    s, within = (np.asarray(x, float) + np.zeros(len(t)) for x in face.intersect(beyond, d, anew))
    twice = (anew == side) & steep & (within > CLEAR * np.max(np.abs(within), initial=0.0)) & (s > CLEAR)
    if twice.any():
        yield (
            f"{name}.intersect: a ray can come through the face twice from one side, so one part of it hides another; "
            "needed: a face that a ray meets once from either side"
        )
    # A ray that leaves the point may meet the face again as `again` says, if its kind says that it can.
    leaves = _directions(random)[:, : len(t)] if len(t) <= RAYS else n
    leaves = leaves * np.where(dot(leaves, n) < 0.0, -1.0, 1.0)
    clear = dot(leaves, n) > 0.1
    s, within = face.intersect(p + CLEAR * CLEAR * leaves, leaves, side)
    scale = CLEAR * max(float(np.max(np.abs(within))), 1e-300)
    yes, no = (clear & (within > scale) & (s > CLEAR)), clear & (within < -scale)
    own = np.isin(side, face.meets_itself)
    if _often(yes & ~own):
        one = float(side[yes & ~own].min())
        yield f"{name}: a ray that leaves the side {one:+g} meets the face again; needed: meets_itself = ({one},)"
    again = np.asarray(face.again(p, leaves, side)) + np.zeros(len(t))
    if _often(own & ((yes & (again <= 0.0)) | (no & (again > 0.0)))):
        yield f"{name}.again does not say of a ray that leaves the face what {name}.intersect says of one beside it"


def _often(wrong: Any) -> bool:
    """Whether a formula is wrong, and not only a few rays that a quartic's roots are bad for."""
    return bool(np.sum(wrong) > SELDOM * np.size(wrong))


def _side(face: Any, o: Any) -> Any:
    return np.where(np.asarray(face.side(o), float) + np.zeros(o.shape[1]) >= 0.0, 1.0, -1.0)
