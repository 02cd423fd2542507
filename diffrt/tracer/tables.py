"""Tables: the scene as arrays, one column per shape, material or light, whatever their kinds.

A column holds the numbers of the fields of its kind in order, and nothing below them. A table (width, N) is a Var if a
parameter in it is one, so that derivatives find their way to it through a gather. For the engine "graph" a table is an
`Each` instead: a column holds the values of its fields by name, so that each of them is a node of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, add_at, concatenate, detach, named, reshape, scope, take
from diffrt.compiler import Each
from diffrt.errors import InputError
from diffrt.kinds import (
    BACKGROUNDS,
    CAMERAS,
    LIGHTS,
    MATERIALS,
    SHAPES,
    TEXTURES,
    Background,
    Kind,
    Light,
    Material,
    Shape,
    Texture,
)
from diffrt.kinds.fields import Quantity
from diffrt.kinds.kind import REFLECT
from diffrt.scene import Scene
from diffrt.scene.schema import textures_in
from diffrt.tracer.camera import cropped

Integers = NDArray[np.int64]


class Kinds(NamedTuple):
    """What is in a scene, as programs know it.

    faces: the kinds of face. scattering, reflecting: the kinds of material at which a light path ends, and goes on.
    lights: the kind of each light. background: its kind, None for black. emitting: whether any surface emits, or might,
    as its emission is a variable. bounces: the most surfaces on a light path. moving: the kinds of face that have a
    derivative; for the others none is computed. tiles: the kinds of texture with an edge. textured: the places in the
    numbers of a material that other textures give, where a light path ends, and where it goes on.
    """

    faces: tuple[type[Shape], ...]
    scattering: tuple[type[Material], ...]
    reflecting: tuple[type[Material], ...]
    lights: tuple[type[Light], ...]
    background: type[Background] | None
    emitting: bool
    bounces: int
    moving: tuple[type[Shape], ...]
    tiles: tuple[type[Texture], ...] = ()
    textured: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    def shape(self, face: type[Shape], numbers: Any) -> Shape:
        """A shape from its numbers."""
        return face.unpack(numbers if face in self.moving else detach(numbers))


class Hit(NamedTuple):
    """A surface on a light path, as a row for kernels.

    face: the number of its kind in `Kinds.faces`; that behind the last one where the path has ended before. side: +1 or
    -1, from which it is met. shape: the numbers of the shape. event: 0 where the path ends here, else 1 + the number of
    the material's kind in `Kinds.reflecting`. material: its numbers. emission: what it sends out itself, three numbers,
    or none if nothing in the scene emits.
    """

    face: Any
    side: Any
    shape: Any
    event: Any
    material: Any
    emission: Any


class Tile(NamedTuple):
    """A texture with an edge, as a row for kernels: 0 for none, else 1 + the number of its kind in `Kinds.tiles`; the
    numbers that its border depends on."""

    kind: Any
    numbers: Any


class Blend(NamedTuple):
    """A texture without edges: the number of the shape that it is on, whether that is a mirror, whether the texture is
    of its emission, the places in the numbers of its material or in those of the emission, the field there, and the
    texture, whose values are arrays or Vars."""

    shape: int
    mirrors: bool
    emits: bool
    places: tuple[int, ...]
    field: str
    texture: Texture


@dataclass(frozen=True)
class Tables:
    """A scene as arrays.

    kinds: what is in it. camera: (3, 6). shapes: (width, number of shapes); lights: (width, number of lights, at least
    one). materials: (width, number of pieces of shapes + 1), the last column for the background; emission: (3, number
    of pieces + 1), the last column 0, or of no rows if nothing emits: a shape whose material has textures with edges
    has a piece for each set of their sides. Faces, of all shapes one after the other: shape_of: the shape of each;
    face_kind: its number in `kinds.faces`; (number of faces,). Of each shape: scatters: the number of its material in
    `kinds.scattering`, -1 for one that reflects; reflects: in `kinds.reflecting`, -1 for one that scatters;
    first_piece: the column of its first piece. tiles: the first texture with an edge of each shape, then the second,
    and so on, (number of shapes,) each; the n-th one is the n-th bit of the number of a piece. blends: the textures
    without edges.
    """

    kinds: Kinds
    camera: Any
    shapes: Any
    materials: Any
    emission: Any
    lights: Any
    shape_of: Integers
    face_kind: Integers
    scatters: Integers
    reflects: Integers
    first_piece: Integers
    tiles: tuple[Tile, ...] = ()
    blends: tuple[Blend, ...] = ()

    def plain(self) -> "Tables":
        """The same without Vars, for what is not differentiated."""
        return self.mapped(_value)

    def variables(self) -> list[Var]:
        """The Vars, in order."""
        found: list[Var] = []
        self.mapped(lambda x: found.append(x) if isinstance(x, Var) else None)
        return found

    def holding(self, values: Iterable[Any]) -> "Tables":
        """The same with other arrays or Vars in place of the Vars."""
        given = iter(values)
        return self.mapped(lambda x: next(given) if isinstance(x, Var) else x)

    def mapped(self, change: Callable[[Any], Any]) -> "Tables":
        """The same with what the function makes of each table, in order."""
        parts = {name: change(getattr(self, name)) for name in ("camera", "shapes", "materials", "emission", "lights")}
        tiles = tuple(Tile(tile.kind, change(tile.numbers)) for tile in self.tiles)
        blends = tuple(
            blend._replace(
                texture=blend.texture.holding(**{name: change(x) for name, x in vars(blend.texture).items()})
            )
            for blend in self.blends
        )
        return replace(self, **parts, tiles=tiles, blends=blends)

    def hits(self, faces: Integers, sides: Any, goes_on: NDArray[np.bool_], pieces: Any) -> tuple[Hit, ...]:
        """The rows of K light paths.

        faces: (bounces, K), -1 where a path has ended. sides: (bounces, K). goes_on: whether a path is mirrored there.
        pieces: of the shapes, (bounces, K).
        """
        found = []
        nothing = np.zeros((0, faces.shape[1]))
        for face, side, on, piece in zip(faces, sides, goes_on, pieces, strict=True):
            kind, shape = self.face(face)
            number = np.append(self.shape_of, 0)[face]
            event = np.where(on, self.reflects[number] + 1, 0) if self.kinds.reflecting else np.zeros(len(face))
            column = np.where(face < 0, self.behind, np.append(self.first_piece, 0)[number] + piece)
            material = columns(self.materials, column) if self.kinds.reflecting else nothing
            emission = columns(self.emission, column) if self.kinds.emitting else nothing
            found.append(Hit(kind, side.astype(float), shape, event.astype(float), material, emission))
        return tuple(found)

    def face(self, faces: Integers) -> tuple[Any, Any]:
        """The numbers of the kinds of faces, that behind the last one for -1, and the numbers of their shapes."""
        kind = np.append(self.face_kind, len(self.kinds.faces))[faces].astype(float)
        return kind, columns(self.shapes, np.append(self.shape_of, 0)[faces])

    def ends(self, faces: Integers, pieces: Any) -> tuple[Integers, Integers]:
        """Where light paths end, for paths of the faces and pieces of shapes (bounces, K), -1 where a path has ended
        before.

        Returns the number of the kind that answers with radiance there: that of the material in `kinds.scattering`,
        the one behind them for the background, -1 for none; and the column of `materials` with its numbers.
        """
        count = (faces >= 0).sum(0)
        last = np.where(count > 0, faces[count - 1, np.arange(faces.shape[1])], -1).astype(np.int64)
        shape = np.append(self.shape_of, -1)[last]
        kind = np.append(self.scatters, -1)[shape]
        if self.kinds.background:
            escapes = (kind < 0) & (count < self.kinds.bounces)  # with as many bounces, it is cut off at a mirror
            kind, shape = np.where(escapes, len(self.kinds.scattering), kind), np.where(escapes, -1, shape)
        piece = pieces[np.maximum(count - 1, 0), np.arange(faces.shape[1])]
        column = np.append(self.first_piece, 0)[shape] + piece
        return kind, np.where(shape < 0, self.behind, column)

    @property
    def behind(self) -> int:
        """The column of `materials` and `emission` for what is no surface."""
        return (len(self.materials) if isinstance(self.materials, Each) else self.materials.shape[-1]) - 1


def columns(table: Any, which: Integers) -> Any:
    """Some of the columns of a table."""
    return Each(table[k] for k in which) if isinstance(table, Each) else take(table, which, -1)


def column(table: Any, which: int) -> Any:
    """A column of a table as a uniform of kernels."""
    return Each([table[which]]) if isinstance(table, Each) else table[:, which]


def side_by_side(tables: Sequence[Any]) -> Any:
    """The columns of several tables."""
    return Each(chain(*tables)) if isinstance(tables[0], Each) else concatenate(tables, -1)


Leaf = Callable[[str], Any]
"""Gives a parameter by its path, as a Var: (..., 1), but those of the camera and texels as they are."""


class Columns:
    """Of dataclasses whose fields are arrays (..., N), or Columns themselves: one column for each of N things."""

    @property
    def _names(self) -> Iterable[str]:
        """The names of the fields; `dataclasses.fields` takes longer than copying a small column."""
        return self.__dataclass_fields__  # type: ignore[attr-defined,no-any-return]

    def __getitem__(self, which: Any) -> Self:
        """Some of the columns, as a copy if `which` holds integers or booleans."""
        if isinstance(which, list):
            which = np.array(which, np.int64)
        if isinstance(which, np.ndarray) and which.dtype == bool:
            which = which.nonzero()[0]
        parts = [getattr(self, name) for name in self._names]
        return type(self)(*[part[which] if isinstance(part, Columns) else some_of(part, which) for part in parts])

    def put(self, which: Any, columns: Self) -> None:
        """Write columns over some of these, in place."""
        for name in self._names:
            mine, part = getattr(self, name), getattr(columns, name)
            if isinstance(mine, Columns):
                mine.put(which, part)
            elif mine.ndim == 1:
                mine[which] = part
            else:
                mine[..., which] = part


def some_of(x: Any, which: Any) -> Any:
    """Columns of an array (..., N): of a slice, or of whole numbers, which `take` finds several times as fast."""
    return x.take(which, -1) if isinstance(which, np.ndarray) else x[..., which]


def build_tables(scene: Scene, leaf: Leaf | None = None) -> Tables:
    """The tables of a scene; for the engine "graph" if the leaves are given that stand for its parameters."""
    document: Any = scene.document
    shapes = [(name, SHAPES[shape.type]) for name, shape in document.shapes.items()]
    materials = [(f"{name}.material", MATERIALS[shape.material.type]) for name, shape in document.shapes.items()]
    lights = [(name, LIGHTS[light.type]) for name, light in document.lights.items()]
    camera = CAMERAS[scene.camera.type]
    with scope("camera"):
        view = camera(**{name: (leaf or scene.__getitem__)(f"camera.{name}") for name in camera.quantities()})
        vectors = cropped(view.vectors(scene.camera.width, scene.camera.height), scene.camera.crop)
        if leaf:
            vectors = Each([named(reshape(vectors, (*vectors.shape, 1)), "camera")])
    faces = [(n, face) for n, (name, kind) in enumerate(shapes) for face in kind.faces_with(scene.table(name))]
    background = BACKGROUNDS[document.background.type] if document.background else None
    pieces, given, first_piece, tiles, blends = _textures(scene, leaf, materials)
    glowing = [*((path, Material) for path, _ in pieces), ("background", Material)]
    emission = _table(scene, leaf, glowing, [*given, {"emission": 0.0}])
    if isinstance(emission, Each):
        emission = Each(own["emission"] for own in emission)
    emits = _counts(emission) or any(blend.emits for blend in blends)
    moving = {number for number, (name, _) in enumerate(shapes) if scene.has_variables(name)}
    reflecting = _present(MATERIALS, [m for _, m in materials if m.event == REFLECT])
    within = [blend for blend in blends if not blend.emits]
    ends, mirrors = ({p for b in within if b.mirrors == on for p in b.places} for on in (False, True))
    kinds = Kinds(
        faces=_present(SHAPES, [face for _, face in faces]),
        scattering=_present(MATERIALS, [m for _, m in materials if m.event != REFLECT]),
        reflecting=reflecting,
        lights=tuple(kind for _, kind in lights),
        background=background,
        emitting=emits,
        bounces=scene.reflection_depth + 1 if reflecting else 1,
        moving=_present(SHAPES, [face for number, face in faces if number in moving or not moving]),
        tiles=_present(TEXTURES, [type_ for layer in tiles for _, type_, _ in layer]),
        textured=(tuple(sorted(ends)), tuple(sorted(mirrors))),
    )

    def places(among: Sequence[type[Material]]) -> Integers:
        return np.array([among.index(m) if m in among else -1 for _, m in materials], np.int64)

    return Tables(
        kinds,
        vectors,
        _table(scene, leaf, shapes),
        _table(scene, leaf, [*pieces, ("background", background or Background)], [*given, {}]),
        emission if emits else np.zeros((0, len(pieces) + 1)),
        _table(scene, leaf, lights),
        np.array([number for number, _ in faces], np.int64),
        np.array([kinds.faces.index(face) for _, face in faces], np.int64),
        places(kinds.scattering),
        places(kinds.reflecting),
        first_piece,
        tuple(_tile(scene, leaf, kinds, layer, len(shapes)) for layer in tiles),
        tuple(blends),
    )


_Layer = list[tuple[int, Any, str]]
"""Textures with an edge: the number of the shape, the kind, and the path of each, at most one for each shape."""


def _textures(
    scene: Scene, leaf: Leaf | None, materials: Sequence[tuple[str, type[Material]]]
) -> tuple[Any, Any, Integers, Any, Any]:
    """The entries of the table of materials, what is given of each, the first one of each shape, the textures with
    edges, and the others."""
    pieces: list[tuple[str, type[Kind]]] = []
    values: list[dict[str, Any]] = []
    first: list[int] = []
    layers: list[_Layer] = []
    blends: list[Blend] = []
    for number, (path, material) in enumerate(materials):
        given: dict[str, Any] = {}
        edged: list[tuple[str, Any]] = []
        for field, table in textures_in(scene.table(path)).items():
            own = f"{path}.{field}"
            kind: Any = table.kind
            texture = kind.holding(**{name: _field(scene, leaf, own, kind, name) for name in kind.fields})
            if kind.has_edge:
                layers += [[]] if len(edged) == len(layers) else []
                layers[len(edged)].append((number, kind.made_from[0], own))
                edged.append((field, texture))
                continue
            if leaf is None:  # as everywhere in formulas, a vector is a column of samples
                texture = kind.holding(**{name: _column(value) for name, value in vars(texture).items()})
            start = 0
            for name, quantity in material.numbers().items():
                size = len(quantity.components) or 1
                if name == field:
                    emits = field in Material.fields
                    own_places = tuple(range(size) if emits else range(start, start + size))
                    blends.append(Blend(number, material.event == REFLECT, emits, own_places, field, texture))
                    given[field] = 0.0  # each sample has its own
                start += size
        first.append(len(pieces))
        for bits in range(1 << len(edged)):
            sides = {field: texture.piece(bool(bits >> n & 1)) for n, (field, texture) in enumerate(edged)}
            pieces.append((path, material))
            values.append({**given, **sides})
    return pieces, values, np.array(first, np.int64), layers, blends


def _column(value: Any) -> Any:
    """A vector (n,) as (n, 1); anything else as it is."""
    return reshape(value, (-1, 1)) if isinstance(value, Var | np.ndarray) and value.ndim == 1 else value


def _field(scene: Scene, leaf: Leaf | None, path: str, kind: type[Kind], name: str) -> Any:
    """A field: a parameter, or a word or a number that is none."""
    rule = kind.fields[name].rule
    if isinstance(rule, Quantity) and not rule.fixed:
        return (leaf or scene.__getitem__)(f"{path}.{name}")
    return getattr(scene.table(path), name)


def _tile(scene: Scene, leaf: Leaf | None, kinds: Kinds, layer: _Layer, count: int) -> Tile:
    """A layer as a row for each shape."""
    kind, owner = np.zeros(count), np.zeros(count, np.int64)
    for place, (number, texture, _) in enumerate(layer):
        kind[number], owner[number] = 1 + kinds.tiles.index(texture), place
    entries = [(path, texture) for _, texture, path in layer]
    least = max(each.row_width() for each in kinds.tiles)
    return Tile(kind, columns(_table(scene, leaf, entries, least=least), owner))


def _present(known: Mapping[str, type[Any]], used: Sequence[type[Any]]) -> tuple[type[Any], ...]:
    """The kinds that are used, in an order that does not depend on where they are used."""
    order = [part for kind in known.values() for part in (getattr(kind, "faces", ()) or (kind,))]
    return tuple(kind for kind in dict.fromkeys(order) if kind in set(used))


def _table(scene: Scene, leaf: Leaf | None, entries: Sequence[tuple[str, type[Kind]]],
           given: Sequence[Mapping[str, Any]] = (), least: int = 0) -> Any:  # fmt: skip
    """The numbers of kinds, a column for each entry: its path and its kind; one of zeros if there is none. given: for
    each entry the values of fields that are not to be taken from the scene. least: the number of rows, or more."""
    rules = {kind: kind.numbers() for kind in {kind for _, kind in entries}}

    def values(column: int) -> Iterator[tuple[Quantity, str, Any]]:
        path, kind = entries[column]
        table = scene.table(path)
        plain = None if leaf or scene.has_variables(path) else table
        missing = [name for name in rules[kind] if not (given and name in given[column]) and not hasattr(table, name)]
        if missing:  # in a notebook, say
            raise InputError(
                f"{path}: {kind.__name__} was registered again with the field {missing[0]}, which this scene does not "
                "have; needed: a scene made after that"
            )
        for name, quantity in rules[kind].items():
            if given and name in given[column]:
                yield quantity, name, given[column][name]
            else:
                yield quantity, name, _field(scene, leaf, path, kind, name) if plain is None else getattr(plain, name)

    if leaf:
        return Each({name: _wide(q, value) for q, name, value in values(n)} for n in range(len(entries))) or Each([{}])
    width = max([least, *(kind.row_width() for kind in rules)])
    whole = np.zeros((width, max(len(entries), 1)))
    variables: list[Any] = []
    places: list[Integers] = []
    for column in range(len(entries)):
        start = 0
        for quantity, _, value in values(column):
            size = len(quantity.components) or 1
            if isinstance(value, Var):
                variables.append(reshape(value, (-1,)))
                places.append((np.arange(start, start + size) * whole.shape[1]) + column)
            else:
                whole[start : start + size, column] = value
            start += size
    if not variables:
        return whole
    return reshape(add_at(whole.ravel(), np.concatenate(places), concatenate(variables)), whole.shape)


def _wide(quantity: Quantity, value: Any) -> Any:
    """A value as a column of samples."""
    return value if isinstance(value, Var) else np.broadcast_to(np.asarray(value, float), quantity.shape)[..., None]


def _counts(table: Any) -> bool:
    """Whether there is a number in a table that is not 0, or may differ from it."""
    if isinstance(table, Each):
        return any(np.any(_value(x)) for x in table)
    return isinstance(table, Var) or bool(np.any(table))


def _value(x: Any) -> Any:
    return detach(x).value if isinstance(x, Var) else x
