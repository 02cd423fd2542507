"""Kinds from outside the package: checked against what all of them promise, before anything is rendered with them."""

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np

from diffrt.kinds.fields import Own
from diffrt.kinds.kind import END, REFLECT, Background, Camera, Kind, Light, Material, Shape, Texture

AnyKind = TypeVar("AnyKind", bound=type[Kind])


def of_class(known: dict[str, Any], kind: type[Kind]) -> Iterator[str]:
    """What is wrong with the fields and the names of a kind. known: those of its group that there are, by name."""
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
