"""Kinds from outside the package: checked against what all of them promise, before anything is rendered with them."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import numpy as np

from diffrt.errors import InputError
from diffrt.kinds.fields import Field, Own, Quantity, reflectance
from diffrt.kinds.kind import END, REFLECT, Background, Camera, Kind, Light, Material, Shape, Texture

SAMPLES = 5
"""With so many random rays or directions the formulas of a new kind are tried."""

AnyKind = TypeVar("AnyKind", bound=type[Kind])


def register(kinds: dict[str, dict[str, Any]], kind: AnyKind) -> AnyKind:
    """Add a kind to those that there are, by group.

    Returns the class, so that it may stand above it with an @. The same class, made anew when its script runs again,
    takes the place of the old one. Raises InputError, one line for each thing that the class lacks.
    """
    if not (isinstance(kind, type) and issubclass(kind, Kind) and kind.group in kinds):
        raise InputError(
            f"register: found {kind!r}, needed: a class of Shape, Material, Texture, Light or Camera, or of Background"
        )
    problems = list(_of_class(kinds[kind.group], kind))
    if not problems:
        problems = list(_of_formulas(kind))
    if problems:
        raise InputError(*(f"{kind.__name__}: {problem}" for problem in problems))
    kinds[kind.group][kind.type] = kind
    return kind


def _of_class(known: dict[str, Any], kind: type[Kind]) -> Iterator[str]:
    """What is wrong with the fields and the names of a kind."""
    if not (isinstance(kind.type, str) and kind.type.isidentifier()):
        yield f"type: found {kind.type!r}, needed: its name in scene files, of letters, digits and _"
    elif kind.type in known and not is_same(known[kind.type], kind):
        yield f"type: found {kind.type!r}, which is the name of another kind; needed: a name that is not taken"
    for name, value in vars(kind).items():
        if not name.startswith("_") and isinstance(value, int | float | np.ndarray | list) and not hasattr(Kind, name) \
                and not hasattr(kind.__mro__[1], name):  # fmt: skip
            yield f"{name}: found {value!r}, needed: a field with a rule, such as {name} = extent('what it is')"
    for name, annotated in getattr(kind, "__annotations__", {}).items():
        if name not in kind.fields and not hasattr(kind, name) and "ClassVar" not in str(annotated):
            yield f"{name}: has no rule; needed: a field such as {name} = extent('what it is')"
    if not kind.quantities() and kind.group != "cameras":
        yield "has no field with a quantity; needed: at least one, such as center = point('the middle')"
    for name in kind.fields:
        if name in ("type", "material") or hasattr(kind, name):
            yield f"{name}: is the name of something else; needed: another name for the field"
    for relation in kind.relations:
        for name in (*relation.fields, relation.blamed):
            if name not in kind.fields:
                yield f"relations: there is no field {name}; there are {', '.join(kind.fields)}"
    needed: tuple[str, ...] = ()
    if issubclass(kind, Shape):
        for face in kind.faces or (kind,):
            if not (isinstance(face, type) and issubclass(face, Shape)) or face.quantities() != kind.quantities():
                yield f"faces: found {face!r}, needed: classes of Shape with the fields of {kind.__name__}"
            else:
                yield from _missing(face, Shape, ("side", "reach", "intersect", "normal_at"))
        for flag, faces in kind.faces_if.items():
            if flag not in kind.fields or not set(faces) < set(kind.faces):
                yield f"faces_if: found {flag!r}, needed: the name of a flag among the fields, and some of the faces"
        backs = [getattr(face, "back", 0) for face in kind.faces]
        for number, (face, back) in enumerate(zip(kind.faces, backs, strict=True)):
            if back and (back not in (1, -1) or backs[number + back : number + back + 1] != [-back]):
                yield f"{face.__name__}.back: found {back!r}, needed: +1, and -1 for the face behind it in faces"
    elif issubclass(kind, Material):
        if kind.event not in (END, REFLECT):
            yield f"event: found {kind.event!r}, needed: END or REFLECT"
        elif kind.event == END:
            needed = "brdf", "ambient"
        elif "reflectance" not in kind.fields:
            yield "has the event REFLECT and no field reflectance"
        yield from _missing(kind, Material, needed)
    elif issubclass(kind, Texture):
        yield from _missing(kind, Texture, ("border", "piece") if kind.has_edge else ("value",))
        for name in kind.whole:
            if name not in kind.fields or not getattr(kind.fields[name].rule, "fixed", False):
                yield f"whole: found {name!r}, needed: the name of a field made by counts"
        if kind.has_edge and any(isinstance(f.rule, Own) and f.rule.per_texel for f in kind.fields.values()):
            yield "has an edge and texels; a texture with an edge is made of values by own"
    elif issubclass(kind, Light):
        if kind.everywhere and "radiance" not in kind.fields:
            yield "comes from everywhere and has no field radiance"
        needed = () if kind.everywhere else ("incident",)
        yield from _missing(kind, Light, (*needed, "shines") if kind.bordered else needed)
    elif issubclass(kind, Background):
        yield from _missing(kind, Background, ("seen",))
    else:
        yield from _missing(kind, Camera, ("vectors",))


def is_same(old: type[Kind], new: type[Kind]) -> bool:
    """Whether two classes are one, made anew when its script ran again."""
    return (old.__module__, old.__qualname__) == (new.__module__, new.__qualname__)


def _missing(kind: type[Kind], base: type[Kind], formulas: tuple[str, ...]) -> Iterator[str]:
    for name in formulas:
        if getattr(kind, name, None) is getattr(base, name):
            yield f"{kind.__name__} has no formula {name}"


def _of_formulas(kind: type[Kind]) -> Iterator[str]:
    """What is wrong with what the formulas of a kind give, tried on random numbers that its rules allow."""
    random = np.random.default_rng(0)
    if issubclass(kind, Camera):
        return  # how large an image is, is not a matter of the class
    if issubclass(kind, Texture):
        kind = _of_colours(kind)
    values = {
        name: _drawn(field, random) if isinstance(field.rule, Quantity) else field.default
        for name, field in kind.fields.items()
    }
    o, d = random.normal(size=(3, SAMPLES)), random.normal(size=(3, SAMPLES))
    d, n = d / np.linalg.norm(d, axis=0), o / np.linalg.norm(o, axis=0)
    with np.errstate(all="ignore"):
        for face in (kind.faces or (kind,)) if issubclass(kind, Shape) else (kind,):
            thing: Any = face(**values)
            for text, formula, shapes in _formulas(thing, o, d, n):
                try:
                    found = formula()
                except Exception as fault:  # whatever a user's formula raises
                    yield f"{text} fails: {type(fault).__name__}: {fault}"
                    continue
                parts = found if isinstance(found, tuple | list) else (found,)
                if len(parts) != len(shapes):
                    yield f"{text} gives {len(parts)} results, needed: {len(shapes)}"
                    continue
                for part, shape in zip(parts, shapes, strict=True):
                    array = np.asarray(part, float)
                    try:
                        fits = np.broadcast_shapes(array.shape, (*shape, SAMPLES)) == (*shape, SAMPLES)
                    except ValueError:
                        fits = False
                    if not fits or array.ndim > len(shape) + 1:
                        yield f"{text} gives the shape {array.shape} for {SAMPLES} samples, needed: {(*shape, SAMPLES)}"
                    elif np.isnan(array).any():
                        yield f"{text} gives nan for ordinary numbers"


def _formulas(thing: Any, o: Any, d: Any, n: Any) -> Iterator[tuple[str, Callable[[], Any], tuple[Any, ...]]]:
    """The formulas of a kind as they are called, and the shapes of their results, without the samples."""
    name, one, vector = type(thing).__name__, (), (3,)
    if isinstance(thing, Shape):
        for side in (1.0, -1.0):
            sides = np.full(SAMPLES, side)
            yield f"{name}.intersect", partial(thing.intersect, o, d, sides), (one, one)
            yield f"{name}.normal_at", partial(thing.normal_at, o, sides), (vector,)
        yield f"{name}.side", lambda: thing.side(o), (one,)
        yield f"{name}.reach", lambda: thing.reach(o), (one,)
        if type(thing).has_uv():
            yield f"{name}.uv", lambda: thing.uv(o, np.ones(SAMPLES)), (one, one)
    elif isinstance(thing, Texture):
        u, v = o[:2]
        if thing.has_edge:
            yield f"{name}.border", lambda: thing.border(u, v), (one,)
            for positive in (True, False):
                yield f"{name}.piece", partial(thing.piece, positive), (vector,)
        else:
            for around in ((False, False), (True, False)):
                yield f"{name}.value", partial(thing.value, u, v, around), (vector,)
    elif isinstance(thing, Material) and thing.event == END:
        yield f"{name}.brdf", lambda: thing.brdf(n, n, d * np.sign(np.sum(d * n, 0))), (vector,)
        yield f"{name}.ambient", lambda: thing.ambient(n, n), (vector,)
    elif isinstance(thing, Light) and not thing.everywhere:
        yield f"{name}.incident", lambda: thing.incident(o), (vector, one, vector)
        if thing.bordered:
            yield f"{name}.shines", lambda: thing.shines(o), (one,)
    elif isinstance(thing, Background):
        yield f"{name}.seen", lambda: thing.seen(d), (vector,)


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
