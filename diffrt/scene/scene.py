"""A scene: a checked document, in which any parameter may be a variable.

The document always holds numbers: the current value of every parameter, so it can be checked and saved
whatever is free. `variables` holds, beside it, the autograd variables that stand for some of them, either for
a whole parameter or for single components. Reading a parameter joins the two: a vector of which one component
is a variable is the stack of that variable and the other numbers: derivatives reach exactly what was freed.

A scene never changes; `replace` and `unpack` make a new one:

    free = scene.replace({"ball.center.x": variable(0.5)})
    scene = scene.unpack(["ball.center", "ball.radius"], scene.pack(["ball.center", "ball.radius"]) + step)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, add_at, reshape, stack
from diffrt.errors import InputError, did_you_mean, shown
from diffrt.kinds.texels import Texels
from diffrt.scene.checking import check_kind
from diffrt.scene.parameters import Parameter, parameters_of, places_of
from diffrt.scene.schema import Document, Table
from diffrt.scene.structure import Camera, Light, Shape
from diffrt.scene.writing import save, to_toml

Value = float | Sequence[float] | NDArray[np.float64] | Var


@dataclass(frozen=True, eq=False)
class Scene:
    """A camera, shapes and lights, whose continuous numbers are parameters with a path.

    document: the checked scene file, with current values. variables: the Vars that stand for parameters, by
    the path of a parameter, of its shape, or of a component (). Made by `load_scene`, `parse_scene`, `replace`.
    """

    document: Document
    variables: Mapping[str, Var] = field(default_factory=dict)

    @property
    def camera(self) -> Camera:
        camera: Any = self.document.camera
        return Camera(camera.type, camera.width, camera.height)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes in file order."""
        tables: Mapping[str, Any] = self.document.shapes
        return tuple(Shape(name, s.type, s.material.type) for name, s in tables.items())

    @property
    def lights(self) -> tuple[Light, ...]:
        """The lights in file order."""
        return tuple(Light(name, light.kind.type) for name, light in self.document.lights.items())

    @property
    def names(self) -> tuple[str, ...]:
        """Of the shapes and the lights."""
        return (*self.document.shapes, *self.document.lights)

    @property
    def reflection_depth(self) -> int:
        """The most mirror bounces of a light path."""
        return self.document.reflection_depth

    def __eq__(self, other: object) -> bool:
        """Equal numbers, shapes and lights in the same order, and the very same variables."""
        if not isinstance(other, Scene):
            return NotImplemented
        return (
            self.document == other.document
            and self.shapes == other.shapes
            and self.lights == other.lights
            and self.variables.keys() == other.variables.keys()
            and all(var is other.variables[path] for path, var in self.variables.items())
        )

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
        """All parameters, vectors as a whole: the camera's, then those of shapes and lights in file order."""
        document = self.document
        tables: dict[str, Table] = {"camera": document.camera, **document.shapes, **document.lights}
        return tuple(chain.from_iterable(parameters_of(name, table) for name, table in tables.items()))

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
        found: Any = self._table(name)
        for each in inner:
            found = getattr(found, each)
        return found  # type: ignore[no-any-return]

    def replace(self, values: Mapping[str, Value]) -> "Scene":
        """A scene in which some parameters have other values or are variables.

        values: for each path a number, a sequence or array of the parameter's shape, such as (3,), or a Var of it.
        Raises InputError, one line per mistake, for an unknown path, a wrong shape, two paths that overlap,
        and values that a scene file could not hold either.
        """
        places = self._places(values)
        variables = dict(self.variables)
        numbers: dict[str, Any] = {}
        problems: list[str] = []
        for path, value in values.items():
            whole, index = places[path]
            current = _numbers_of(value)
            needed = whole.shape if index is None else ()
            if current is None or current.shape != needed:
                found = shown(value) if current is None else f"a value of shape {current.shape}"
                words = {(): "one number", (2,): "two numbers", (3,): "three numbers"}.get(needed, "numbers of shape")
                problems.append(f"{path}: found {found}, allowed: {words} {needed}")
                continue
            if index is None:
                numbers[whole.path] = current.ravel()
                for component in [c for c in variables if c in whole.components]:
                    variables.pop(component)
            else:
                numbers.setdefault(whole.path, np.array(self._numbers(whole)))[index] = float(current)
                if whole.path in variables:  # one component leaves the vector: the others stay its parts
                    vector = reshape(variables.pop(whole.path), (-1,))
                    variables |= {c: vector[i] for i, c in enumerate(whole.components)}
            variables.pop(path, None)
            if isinstance(value, Var):
                variables[path] = value
        if problems:
            raise InputError(*problems)
        return Scene(self._document_with(numbers), variables)

    def components(self, paths: Iterable[str]) -> tuple[str, ...]:
        """The paths of the single numbers of some parameters, in order.

        paths: whole parameters and components. Raises InputError if one is unknown or two overlap.
        """
        places = self._places(paths)
        return tuple(
            chain.from_iterable(
                whole.components if index is None else (path,) for path, (whole, index) in places.items()
            )
        )

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

    def _table(self, name: str) -> Table | None:
        if name == "camera":
            return self.document.camera
        return self.document.shapes.get(name) or self.document.lights.get(name)

    def _numbers(self, whole: Parameter) -> Any:
        """The current values of a whole parameter: a list, or a read-only array of texels, (n,)."""
        name, *fields = whole.path.split(".")
        value: Any = self._table(name)
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
        table = self._table(name)
        if table is None:
            known = self.parameters()
        else:
            places = places_of(name, table)
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
        places: dict[str, tuple[Parameter, int | None]] = {}
        owners: dict[str, str] = {}
        problems: list[str] = []
        for path in each_of(paths):
            try:
                whole, index = self._locate(path)
            except InputError as unknown:
                problems += unknown.problems
                continue
            taken = whole.components if index is None else (path,)
            if rival := next((owners[c] for c in taken if c in owners), None):
                problems.append(f"'{rival}' and '{path}' name the same number; give only one of them")
            owners |= dict.fromkeys(taken, path)
            places[path] = whole, index
        if problems:
            raise InputError(*problems)
        return places

    def _document_with(self, numbers: Mapping[str, NDArray[np.float64]]) -> Document:
        """The document with other values of whole parameters; only the tables that hold them are checked."""
        document = self.document
        tables: dict[str, Table] = {"camera": document.camera, **document.shapes, **document.lights}
        changed: dict[str, dict[str, Any]] = {}
        for path, value in numbers.items():
            name, *inner, last = path.split(".")
            target = changed.setdefault(name, tables[name].model_dump())
            for each in inner:
                target = target[each]
            if isinstance(old := target[last], Texels):
                target |= {key: "" for key in ("file", "encoding") if key in target}  # they are not those any more
                target[last] = Texels(np.reshape(value, old.array.shape))
            else:
                target[last] = tuple(value.tolist()) if isinstance(old, tuple) else value.item()
        problems: list[str] = []
        for name, data in changed.items():
            tables[name], faults = check_kind(name, data, {data["type"]: tables[name].kind})
            problems += faults
        if problems:
            raise InputError(*problems)
        return document.model_copy(
            update={
                "camera": tables["camera"],
                "shapes": {name: tables[name] for name in document.shapes},
                "lights": {name: tables[name] for name in document.lights},
            }
        )


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


def _numbers_of(value: Value) -> NDArray[np.float64] | None:
    """The current value as an array, None if it is not made of numbers."""
    try:
        array = np.asarray(value.value if isinstance(value, Var) else value)
    except (ValueError, TypeError):  # a ragged sequence
        return None
    return array.astype(float) if array.dtype.kind in "iuf" else None
