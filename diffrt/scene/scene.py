"""A scene: a checked document, in which any parameter may be a variable.

    scene = Scene(
        camera=Perspective(position=(0, 2, 6), target=(0, 0.5, 0), fov=45, width=64, height=48),
        shapes={"ball": Sphere(center=(0, 1, 0), radius=1.0, material=Lambert(albedo=0.8))},
        lights={"lamp": PointLight(position=variable([2.0, 4.0, 3.0]), intensity=24.0)},
    )

The document always holds numbers: the current value of every parameter, so it can be checked and saved
whatever is free. `variables` holds, beside it, the autograd variables that stand for some of them, either for
a whole parameter or for single components. Reading a parameter joins the two: a vector of which one component
is a variable is the stack of that variable and the other numbers: derivatives reach exactly what was freed.

A scene never changes; `replace` and `unpack` make a new one:

    larger = scene.replace({"ball.radius": 2.0, "ball.material": Mirror(0.9)}, width=128, height=96)
    free = scene.replace({"ball.center.x": variable(0.5)})
    scene = scene.unpack(["ball.center", "ball.radius"], scene.pack(["ball.center", "ball.radius"]) + step)
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, cached_property
from itertools import chain, product
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, add_at, reshape, stack
from diffrt.autograd.variable import value_of
from diffrt.errors import InputError, did_you_mean, shown
from diffrt.kinds import Background, Camera, Kind, Light, Shape
from diffrt.kinds.texels import Texels
from diffrt.kinds.values import Value, plain, written
from diffrt.scene.checking import GROUPS, check_document, check_kind
from diffrt.scene.parameters import Parameter, is_pattern, matching, parameters_of, places_of, variables_of
from diffrt.scene.schema import Document, Table, textures_in
from diffrt.scene.writing import save, to_toml

_NOTHING: Any = object()
"""In place of a part that was not given, so that what is missing is told together with all that is wrong."""


class Scene:
    """A camera, shapes, lights and perhaps a background, whose continuous numbers are parameters with a path.

    A scene is a value. It never changes; two are equal if they hold the same numbers, the same shapes and lights in the
    same order, and the very same variables; it cannot be hashed, as a dict of its parts cannot. `repr` is a program
    that makes it again, once the names in it are imported; it has a new variable in place of each variable.

    document: the checked scene file, with current values. variables: the Vars that stand for parameters, by
    the path of a parameter, of its shape, or of a component ().
    """

    document: Document
    variables: Mapping[str, Var]

    def __init__(
        self,
        camera: Camera = _NOTHING,
        shapes: Mapping[str, Shape] = _NOTHING,
        lights: Mapping[str, Light] = _NOTHING,
        reflection_depth: int = _NOTHING,
        **others: Any,
    ) -> None:
        """A scene of these parts, held to the rules of scene files.

        camera: such as Perspective(...). shapes, lights: by name, such as {"ball": Sphere(...)}; none if not given. One
        material may be given to several shapes; each shape has its own parameters still. reflection_depth: the most
        mirror bounces of a light path, 4 if not given. A table, as a scene file has it, may stand for an object.

        A number may be any real number of Python or numpy; a vector (3,) any sequence or array, of which nothing is
        kept; either may be a Var of that shape, and a component of a vector may be one. One number, or Var (), for a
        colour means gray. Raises InputError, with one line for each mistake and its place, such as shapes.ball.radius.
        """
        parts = {"camera": camera, "shapes": shapes, "lights": lights, "reflection_depth": reflection_depth, **others}
        given = {name: part for name, part in parts.items() if part is not _NOTHING}
        document, problems = check_document(given, python=True)
        if document is None:
            raise InputError(*problems)
        self.__dict__.update(document=document, variables=_variables_in(given, document))

    @classmethod
    def of(cls, document: Document, variables: Mapping[str, Var] = MappingProxyType({})) -> "Scene":
        """The scene of a checked document, and of Vars with the values that it holds."""
        scene = cls.__new__(cls)
        scene.__dict__.update(document=document, variables=dict(variables))
        return scene

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: nothing that is computed from it."""
        return {"document": self.document, "variables": self.variables}

    @cached_property
    def camera(self) -> Camera:
        """The camera, with current values and Vars."""
        return self._part("camera")  # type: ignore[no-any-return]

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shapes by name, with current values and Vars, in file order."""
        return self._part("shapes")  # type: ignore[no-any-return]

    @cached_property
    def lights(self) -> Mapping[str, Light]:
        """The lights by name, with current values and Vars, in file order."""
        return self._part("lights")  # type: ignore[no-any-return]

    @cached_property
    def background(self) -> Background | None:
        """What rays see that meet nothing; None if that is black."""
        return self._part("background")  # type: ignore[no-any-return]

    @property
    def reflection_depth(self) -> int:
        """The most mirror bounces of a light path."""
        return self.document.reflection_depth

    @property
    def parts(self) -> Mapping[str, Any]:
        """All parts, by the names that a Scene is made with: `Scene(**scene.parts) == scene`."""
        names = dict.fromkeys(("camera", "shapes", "lights", *Document.model_fields))
        return {name: self._part(name) for name in names if getattr(self.document, name) is not None}

    def _part(self, name: str) -> Any:
        """The object, or the objects by name, or the number, that the document has as this part."""
        part = getattr(self.document, name)
        if isinstance(part, Mapping):
            return MappingProxyType({each: self._made(each, table) for each, table in part.items()})
        return self._made(name, part) if isinstance(part, Table) else part

    def _made(self, path: str, table: Table) -> Any:
        """The object of a table."""
        values = self._given(path, table)
        inner = {name: self._made(f"{path}.{name}", part) for name, part in table if isinstance(part, Table)}
        del values["type"]
        kind = (*table.kind.made_from, table.kind)[0]
        return kind(**{**values, **inner})

    def _given(self, path: str, table: Table) -> dict[str, Any]:
        """What one could give to make a table again: its values, with Vars where there are some."""
        values: dict[str, Any] = {}
        freed = self.has_variables(path)
        for name, value in table:
            if name in table.unstated:
                continue
            values[name] = value
            if isinstance(value, Table):
                values[name] = self._given(f"{path}.{name}", value)
            elif freed and name in table.kind.quantities():
                whole = f"{path}.{name}"
                letters = table.kind.quantities()[name].components
                free = [self.variables.get(f"{whole}.{letter}") for letter in letters]
                if whole in self.variables:
                    values[name] = self.variables[whole]
                elif isinstance(value, Texels):
                    inside = {path: var for path, var in self.variables.items() if path.startswith(f"{whole}.")}
                    for path, var in inside.items():
                        values[name] = _with_component(values[name], self._locate(path)[1], var)
                elif any(var is not None for var in free):
                    values[name] = tuple(n if var is None else var for n, var in zip(value, free, strict=True))
        return values

    @property
    def names(self) -> tuple[str, ...]:
        """Of the shapes and the lights, and "background" if there is one."""
        return (*(["background"] if self.document.background else []), *self.document.shapes, *self.document.lights)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a Scene never changes; scene.replace makes a new one")

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scene):
            return NotImplemented
        return (
            self.document == other.document
            and list(self._tables) == list(other._tables)
            and self.variables.keys() == other.variables.keys()
            and all(var is other.variables[path] for path, var in self.variables.items())
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        lines = []
        for name, part in self.parts.items():
            if isinstance(part, Mapping):
                entries = "".join(f"\n        {each!r}: {thing!r}," for each, thing in part.items())
                lines.append(f"    {name}={{{entries}\n    }},\n" if entries else f"    {name}={{}},\n")
            else:
                lines.append(f"    {name}={written(part)},\n")
        return f"Scene(\n{''.join(lines)})"

    def _repr_html_(self) -> str:
        """What a notebook shows: a table of the parts and their values."""
        from diffrt.scene.html import as_html

        return as_html(self.parts)

    def to_toml(self) -> str:
        """The text of a scene file with the current values; `parse_scene` reads the same bits back.

        Texels that are those of a file are named by it; others stand in the text, however many they are.
        """
        return to_toml(self.document)

    def save(self, path: str | Path) -> None:
        """Write the scene to a TOML file, entirely or not at all. Raises InputError if it cannot.

        Texels that are those of a file are named by it, seen from the scene's folder if they are in it. Others stand in
        the scene, or, if there are many, in a .npy file beside it, whose name says what is in it.
        """
        save(self.document, path)

    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters, vectors as a whole: the camera's, the background's, then those of shapes and lights in file
        order. The emission of a material is among them if the scene states it; by its path it is always there."""
        return tuple(chain.from_iterable(parameters_of(name, table) for name, table in self._tables.items()))

    def whole(self, path: str) -> Parameter:
        """The parameter that a path names or is a component of. Raises InputError as `parameter`."""
        return self._locate(path)[0]

    def parameter(self, path: str) -> Parameter:
        """The parameter of a path, whole ("ball.center") or one component ("ball.center.x").

        Raises InputError, with the nearest path that exists, if there is none.
        """
        whole, index = self._locate(path)
        return whole if index is None else whole.component(index)

    def __getitem__(self, path: str) -> Any:
        """The value of a parameter: a float, a read-only float64 array of its shape, or a Var if any part of it is one.

        Raises InputError if there is no such parameter.
        """
        whole, at = self._locate(path)
        if whole.path in self.variables:
            var = self.variables[whole.path]
            return var if at is None else reshape(var, (-1,))[at]
        numbers = self._numbers(whole)
        if len(whole.shape) > 1:
            return self._texels(whole, numbers, at)
        parts = [self.variables.get(c, number) for c, number in zip(whole.components, numbers, strict=True)]
        if at is not None or not whole.shape:
            return parts[at or 0]
        if any(isinstance(part, Var) for part in parts):
            return stack(parts)
        vector = np.array(numbers)
        vector.flags.writeable = False
        return vector

    def _texels(self, whole: Parameter, numbers: NDArray[np.float64], at: int | None) -> Any:
        """Texels, or one number of them, as `__getitem__` gives them."""
        own = {whole.components.index(c): var for c, var in self.variables.items() if c in whole.components}
        if at is not None:
            return own.get(at, float(numbers[at]))
        if not own:
            return numbers.reshape(whole.shape)
        places, rest = np.array(list(own)), numbers.copy()
        rest[places] = 0.0
        return reshape(add_at(rest, places, stack(list(own.values()))), whole.shape)

    def __contains__(self, path: str) -> bool:
        """Whether there is a parameter of this path, whole or a component."""
        try:
            self._locate(path)
        except InputError:
            return False
        return True

    def is_variable(self, path: str) -> bool:
        """Whether `scene[path]` is a Var. Raises InputError if there is no such parameter."""
        whole, index = self._locate(path)
        inside = whole.components if index is None else (path,)
        return not self.variables.keys().isdisjoint({whole.path, *inside})

    def has_variables(self, path: str) -> bool:
        """Whether a table ("ball" without its material, "ball.material", "camera") has a Var among its parameters."""
        return path in self._with_variables

    @cached_property
    def _with_variables(self) -> frozenset[str]:
        """The paths of the tables that have."""
        parts = [path.split(".") for path in self.variables]
        inside = (p[:size] for p in parts if p[1] == "material" for size in (2, 3))  # the material, and a texture in it
        return frozenset(map(".".join, [*(p[:1] for p in parts if p[1] != "material"), *inside]))

    def table(self, path: str) -> Table:
        """The checked table of a shape, a light, the camera, a material ("ball.material") or a texture
        ("ball.material.albedo"), with current values."""
        name, *inner = path.split(".")
        found: Any = self._tables.get(name)
        for each in inner:
            found = getattr(found, each)
        return found  # type: ignore[no-any-return]

    def replace(
        self,
        values: Mapping[str, Value | Kind] = MappingProxyType({}),
        *,
        width: int | None = None,
        height: int | None = None,
        crop: Sequence[int] | None = None,
        **parts: Any,
    ) -> "Scene":
        """A scene in which something is different: numbers, materials, the size of the image, or whole parts.

            scene.replace({"ball.radius": 2.0, "ball.material": Mirror(reflectance=0.9)}, width=128, height=96)
            scene.replace(lights={**scene.lights, "sun": DirectionalLight(direction=(0, -1, 0), irradiance=1.0)})

        values: by path: for a parameter what a Scene may be made with: a number, a sequence or array (3,), or a Var of
        the parameter's shape; for a shape, a light, the camera or a material, another object in its place. What stands
        for a pattern holds for all that it matches, but for those that have a value by their own name. width, height:
        of the whole picture in pixels. crop: the part of it that is the image: x, y, width and height, or () for all.
        parts: what a Scene is made of, by its name there.
        Raises InputError, one line per mistake, for an unknown path, two paths that overlap, and values that a scene
        file could not hold either.
        """
        if not isinstance(values, Mapping):
            raise InputError(f'replace: found {shown(values)}, needed: values by path, such as {{"ball.radius": 2.0}}')
        if parts:
            known = dict.fromkeys(("width", "height", "crop", *self.parts, *Document.model_fields))
            if unknown := [name for name in parts if name not in known]:
                raise InputError(*(f"replace: {name}: unknown; {did_you_mean(name, known)}" for name in unknown))
            return Scene(**{**self.parts, **parts}).replace(values, width=width, height=height, crop=crop)
        things = {
            path: value for path, value in values.items()
            if isinstance(value, Kind | Mapping) or path in self._textures
        }  # fmt: skip
        numbers = {
            path: value for name, value in values.items() if name not in things for path in self._meant(name, values)
        }
        places, problems = self._find(numbers)
        problems += [
            f"'{path}' and '{inner}' name the same number; give only one of them"
            for path, inner in product(things, values)
            if isinstance(path, str) and isinstance(inner, str) and inner.startswith(f"{path}.")
        ]
        changed: dict[str, Any] = {}
        for path, thing in things.items():
            if not self._put(changed, path, thing):
                near = did_you_mean(str(path), dict.fromkeys(p.path.rpartition(".")[0] for p in self.parameters()))
                problems.append(f"there is nothing called {shown(path)}; {near}")
        for path, (whole, index) in places.items():
            value = numbers[path]
            if index is None:
                size = np.shape(plain(value)) if len(whole.shape) > 1 else whole.shape
                if size not in (whole.shape, whole.shape[:2]):
                    problems.append(f"{path}: found a value of shape {size}, allowed: numbers of shape {whole.shape}")
                    continue
                self._put(changed, path, value)
                continue
            number = plain(value)
            if isinstance(number, bool) or not isinstance(number, int | float):
                problems.append(f"{path}: found {shown(value)}, allowed: one number ()")
                continue
            self._put(changed, whole.path, value, index)
        for name, number in (("width", width), ("height", height)):
            if number is not None:
                self._put(changed, f"camera.{name}", number)
        if crop is not None:
            changed.setdefault("camera", self._given("camera", self._tables["camera"]))["crop"] = crop
        return self._with(changed, problems)

    def _put(self, changed: dict[str, Any], path: str, value: Any, index: int | None = None) -> bool:
        """Put a value, or one component of it, into a table that is among the changed ones from then on.

        Returns whether there is something of that path.
        """
        name, *inner = path.split(".") if isinstance(path, str) else ("",)
        if name not in self._tables:
            return False
        if not inner:
            changed[name] = value
            return True
        data = changed.setdefault(name, self._given(name, self._tables[name]))
        for each in inner[:-1]:
            data = data.get(each)
            if not isinstance(data, dict):
                return False
        if inner[-1] not in data:  # a rare field that the scene does not state, or none at all
            if path not in places_of(name, self._tables[name]):
                return False
            data[inner[-1]] = self[path]
        is_texels = isinstance(data[inner[-1]], Texels)
        data[inner[-1]] = value if index is None else _with_component(data[inner[-1]], index, value)
        if is_texels:
            data |= {key: "" for key in ("file", "encoding") if key in data}  # they are not those of the file any more
        return True

    def _with(self, changed: Mapping[str, Any], problems: list[str]) -> "Scene":
        """The scene with other tables, of which only these are checked. Raises InputError, with the problems there
        are already."""
        parts = {name: part for name, part in self.document if isinstance(part, Table | Mapping)}
        tables = dict(self._tables)
        variables = {path: var for path, var in self.variables.items() if path.partition(".")[0] not in changed}
        for name, data in changed.items():
            group = name if name in parts else next(g for g, part in parts.items() if name in part)
            kind = tables[name].kind
            table, faults = check_kind(name, data, {**GROUPS[group], kind.type: kind}, kind.type, python=True)
            problems = problems + faults
            if table is not None:
                tables[name] = table
                variables |= variables_of(name, data, table)
        if problems:
            raise InputError(*problems)
        update = {
            name: tables[name] if isinstance(part, Table) else {each: tables[each] for each in part}
            for name, part in parts.items()
        }
        return Scene.of(self.document.model_copy(update=update), variables)

    def components(self, paths: Iterable[str]) -> tuple[str, ...]:
        """The paths of the single numbers of some parameters, in order.

        paths: whole parameters, components, and patterns. Raises InputError if one is unknown or two overlap.
        """
        places = self._places(paths).items()
        parts = (whole.components if index is None else (path,) for path, (whole, index) in places)
        return tuple(chain.from_iterable(parts))

    def pack(self, paths: Iterable[str]) -> NDArray[np.float64]:
        """The current values of some parameters as one vector (n,), in the order of `components(paths)`."""
        parts: list[Any] = [np.zeros(0)]
        for whole, index in self._places(paths).values():
            current = self._numbers(whole)
            parts.append(current if index is None else [current[index]])
        return np.concatenate(parts)

    def unpack(self, paths: Iterable[str], vector: NDArray[np.float64] | Var) -> "Scene":
        """A scene whose parameters have the values of a vector; the inverse of `pack`.

        vector: an array or a Var (n,), n = len(components(paths)). A Var is sliced, so that derivatives flow.
        Raises InputError for a wrong length and as `replace`.
        """
        places = self._places(paths)
        sizes = [whole.size if index is None else 1 for whole, index in places.values()]
        current = _numbers_of(vector)
        if current is None or current.shape != (sum(sizes),):
            found = shown(vector) if current is None else f"a vector of shape {current.shape}"
            raise InputError(f"found {found}, allowed: shape ({sum(sizes)},) for {', '.join(places)}")
        parts = vector if isinstance(vector, Var) else current
        ends = np.cumsum(sizes, dtype=int).tolist()
        shapes = [whole.shape if index is None else () for whole, index in places.values()]
        return self.replace(
            {
                path: parts[end - 1] if not shape else shaped(parts[end - size : end], shape)
                for path, size, end, shape in zip(places, sizes, ends, shapes, strict=True)
            }
        )

    @cached_property
    def _textures(self) -> frozenset[str]:
        """The paths of the textures."""
        materials = {f"{name}.material": getattr(table, "material", None) for name, table in self._tables.items()}
        return frozenset(f"{path}.{field}" for path, table in materials.items() for field in textures_in(table))

    @cached_property
    def _tables(self) -> Mapping[str, Table]:
        """All tables by the name that paths begin with."""
        tables: dict[str, Table] = {}
        for name, part in self.document:
            tables |= part if isinstance(part, Mapping) else {name: part} if isinstance(part, Table) else {}
        return tables

    @cached_property
    def _places_in(self) -> Callable[[str], Mapping[str, tuple[Parameter, int | None]]]:
        """From the name of a table to what each path into it names."""
        tables = self._tables
        return cache(lambda name: places_of(name, tables[name]))

    def _numbers(self, whole: Parameter) -> Any:
        """The current values of a whole parameter: a list, or a read-only array of texels, (n,)."""
        name, *fields = whole.path.split(".")
        value: Any = self._tables.get(name)
        for each in fields:
            value = getattr(value, each)
        if isinstance(value, Texels):
            return value.array.reshape(-1)
        return list(value) if whole.shape else [value]

    def _locate(self, path: str) -> tuple[Parameter, int | None]:
        """The whole parameter that a path belongs to, and which component of it, None for all."""
        if not isinstance(path, str):
            raise InputError(f"found {shown(path)}, needed: the name of a parameter, such as 'camera.position'")
        name = path.partition(".")[0]
        table = self._tables.get(name)
        if table is None:
            known = self.parameters()
        else:
            places = self._places_in(name)
            if path in places:
                return places[path]
            known = parameters_of(name, table)
            for whole in known:
                if path in whole.components:
                    return whole, whole.components.index(path)
        paths = [p for whole in known for p in whole.names]
        raise InputError(f"no parameter '{path}'; {did_you_mean(path, dict.fromkeys(paths))}")

    def _places(self, paths: Iterable[str]) -> dict[str, tuple[Parameter, int | None]]:
        """Where each path points. Raises InputError if one is unknown, or a number is named twice."""
        places, problems = self._find(paths)
        if problems:
            raise InputError(*problems)
        return places

    def _find(self, paths: Iterable[str]) -> tuple[dict[str, tuple[Parameter, int | None]], list[str]]:
        """Where each path points, and what is wrong with the others."""
        places: dict[str, tuple[Parameter, int | None]] = {}
        owners: dict[str, str] = {}
        problems: list[str] = []
        names = each_of(paths)
        named = {name for name in names if isinstance(name, str)}
        for name in names:
            try:
                found = {path: self._locate(path) for path in self._meant(name, named)}
            except InputError as unknown:
                problems += unknown.problems
                continue
            for path, (whole, index) in found.items():
                taken = whole.components if index is None else (path,)
                if rival := next((owners[c] for c in taken if c in owners), None):
                    problems.append(f"'{rival}' and '{path}' name the same number; give only one of them")
                owners |= dict.fromkeys(taken, path)
            places |= found
            named.update(found)
        return places, problems

    def _meant(self, name: str, named: Collection[str]) -> list[str]:
        """What a name stands for: itself, or, if it is a pattern, what it matches and is not among those `named`."""
        if not is_pattern(name):
            return [name]
        return [path for path in matching(name, self.parameters()) if path not in named]


def _variables_in(given: Mapping[str, Any], document: Document) -> dict[str, Var]:
    """The Vars among the parts that a scene is made with."""
    variables: dict[str, Var] = {}
    for name, part in document:
        if isinstance(part, Table):
            variables |= variables_of(name, given[name], part)
        elif isinstance(part, Mapping) and part:
            for each, table in part.items():
                variables |= variables_of(each, given[name][each], table)
    return variables


def _with_component(values: Any, index: Any, number: Any) -> list[Any]:
    """A vector, or texels as lists of lists, with another number in one place. Of a Var the components are Vars too."""
    shape = values.shape if isinstance(values, Texels | Var) else ()
    if isinstance(values, Texels):
        values = values.array.tolist()
    elif len(shape) > 1:
        flat = reshape(values, (-1,))
        values = np.vectorize(flat.__getitem__, otypes=[object])(np.arange(flat.size).reshape(shape)).tolist()
    elif not (isinstance(values, list) and isinstance(values[0], list)):
        return [number if i == index else values[i] for i in range(len(values))]
    place = values
    *inner, last = np.unravel_index(index, _lengths(values))
    for each in inner:
        place = place[each]
    place[last] = number
    return values  # type: ignore[no-any-return]


def _lengths(values: Any) -> tuple[int, ...]:
    """The shape of lists in lists."""
    return (len(values), *_lengths(values[0])) if isinstance(values, list) else ()


def shaped(vector: Any, shape: tuple[int, ...]) -> Any:
    """A vector (n,), an array or a Var, in the shape of a parameter."""
    return vector if len(shape) == 1 else reshape(vector, shape)


def expect_scene(value: Any, function: str) -> None:
    """Raises InputError if a function was given something else for its scene, and says how to make one of it."""
    if isinstance(value, Scene):
        return
    hint = "load_scene reads one from a file"
    if isinstance(value, str | PathLike):
        hint = f"load_scene({shown(str(value))}) reads one from that file"
    raise InputError(f"{function}: found {shown(value)}, needed: a Scene; {hint}")


def each_of(names: Any) -> list[Any]:
    """What is in a list of names; a single name, or something else, stands for itself."""
    try:
        return [names] if isinstance(names, str) else list(names)
    except TypeError:  # it cannot be gone through
        return [names]


def _numbers_of(value: Any) -> NDArray[np.float64] | None:
    """The current value as an array, None if it is not made of numbers."""
    try:
        array = np.asarray(value_of(value))
    except (ValueError, TypeError):  # a ragged sequence
        return None
    return array.astype(float) if array.dtype.kind in "iuf" else None
