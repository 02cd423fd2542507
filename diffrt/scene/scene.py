"""A scene: a checked document, in which any parameter may be a variable.

The document always holds numbers: the current value of every parameter, so it can be checked and saved
whatever is free. `variables` holds, beside it, the autograd variables that stand for some of them, either for
a whole parameter or for single components. Reading a parameter joins the two: a vector of which one component
is a variable is the stack of that variable and the other numbers: derivatives reach exactly what was freed.

A scene never changes; `replace` and `unpack` make a new one:

    free = scene.replace({"ball.center.x": variable(0.5)})
    scene = scene.unpack(["ball.center", "ball.radius"], scene.pack(["ball.center", "ball.radius"]) + step)
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, stack
from diffrt.errors import InputError, did_you_mean, shown
from diffrt.files import write_whole
from diffrt.scene.checking import check_kind
from diffrt.scene.parameters import Parameter, is_pattern, matching, parameters_of, places_of
from diffrt.scene.schema import Document, Table
from diffrt.scene.structure import Camera, Light, Shape
from diffrt.scene.writing import to_toml

Value = float | Sequence[float] | NDArray[np.float64] | Var


@dataclass(frozen=True, eq=False)
class Scene:
    """A camera, shapes and lights, whose continuous numbers are parameters with a path.

    document: the checked scene file, with current values. variables: the Vars that stand for parameters, by
    the path of a parameter (3,) or () or of a component (). Made by `load_scene`, `parse_scene`, `replace`.
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
        """The text of a scene file with the current values; `parse_scene` reads the same bits back."""
        return to_toml(self.document)

    def save(self, path: str | Path) -> None:
        """Write the scene to a TOML file, entirely or not at all. Raises InputError if it cannot."""
        write_whole(path, self.to_toml().encode())

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
        """The value of a parameter: a float, a read-only float64 (3,), or a Var if any part of it is one.

        Raises InputError if there is no such parameter.
        """
        whole, index = self._locate(path)
        if whole.path in self.variables:
            var = self.variables[whole.path]
            return var if index is None else var[index]
        numbers = self._numbers(whole)
        parts = [self.variables.get(c, number) for c, number in zip(whole.components, numbers, strict=True)]
        if index is not None or whole.size == 1:
            return parts[index or 0]
        if any(isinstance(part, Var) for part in parts):
            return stack(parts)
        vector = np.array(numbers)
        vector.flags.writeable = False
        return vector

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
        parts = (path.split(".") for path in self.variables)
        return frozenset(".".join(p[:2] if p[1] == "material" else p[:1]) for p in parts)

    def table(self, path: str) -> Table:
        """The checked table of a shape, a light, the camera, or a material ("ball.material"), with current values."""
        name, _, inner = path.partition(".")
        found: Any = self._table(name)
        return found.material if inner else found  # type: ignore[no-any-return]

    def replace(self, values: Mapping[str, Value]) -> "Scene":
        """A scene in which some parameters have other values or are variables.

        values: for each path a number, a sequence or array (3,), or a Var of the parameter's shape. What stands for a
        pattern holds for all that it matches, but for those that have a value by their own name.
        Raises InputError, one line per mistake, for an unknown path, a wrong shape, two paths that overlap,
        and values that a scene file could not hold either.
        """
        values = {path: value for name, value in values.items() for path in self._meant(name, values)}
        places = self._places(values)
        variables = dict(self.variables)
        numbers: dict[str, list[float]] = {}
        problems: list[str] = []
        for path, value in values.items():
            whole, index = places[path]
            current = _numbers_of(value)
            needed = (3,) if index is None and whole.size == 3 else ()
            if current is None or current.shape != needed:
                found = shown(value) if current is None else f"a value of shape {current.shape}"
                problems.append(
                    f"{path}: found {found}, allowed: {'three numbers (3,)' if needed else 'one number ()'}"
                )
                continue
            if index is None:
                numbers[whole.path] = current.ravel().tolist()
                for component in whole.components:
                    variables.pop(component, None)
            else:
                numbers.setdefault(whole.path, self._numbers(whole))[index] = float(current)
                if whole.path in variables:  # one component leaves the vector: the others stay its parts
                    vector = variables.pop(whole.path)
                    variables |= {c: vector[i] for i, c in enumerate(whole.components)}
            variables.pop(path, None)
            if isinstance(value, Var):
                variables[path] = value
        if problems:
            raise InputError(*problems)
        return Scene(self._document_with(numbers), variables)

    def components(self, paths: Iterable[str]) -> tuple[str, ...]:
        """The paths of the single numbers of some parameters, in order.

        paths: whole parameters, components, and patterns. Raises InputError if one is unknown or two overlap.
        """
        places = self._places(paths)
        return tuple(
            chain.from_iterable(
                whole.components if index is None else (path,) for path, (whole, index) in places.items()
            )
        )

    def pack(self, paths: Iterable[str]) -> NDArray[np.float64]:
        """The current values of some parameters as one vector (n,), in the order of `components(paths)`."""
        numbers: list[float] = []
        for whole, index in self._places(paths).values():
            current = self._numbers(whole)
            numbers += current if index is None else [current[index]]
        return np.array(numbers)

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
        return self.replace(
            {
                path: parts[end - 1] if size == 1 else parts[end - size : end]
                for path, size, end in zip(places, sizes, ends, strict=True)
            }
        )

    def _table(self, name: str) -> Table | None:
        if name == "camera":
            return self.document.camera
        return self.document.shapes.get(name) or self.document.lights.get(name)

    def _numbers(self, whole: Parameter) -> list[float]:
        """The current values of a whole parameter."""
        name, *fields = whole.path.split(".")
        value: Any = self._table(name)
        for each in fields:
            value = getattr(value, each)
        return list(value) if whole.size > 1 else [value]

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
        paths = [p for whole in known for p in (whole.path, *whole.components)]
        raise InputError(f"no parameter '{path}'; {did_you_mean(path, dict.fromkeys(paths))}")

    def _places(self, paths: Iterable[str]) -> dict[str, tuple[Parameter, int | None]]:
        """Where each path points. Raises InputError if one is unknown, or a number is named twice."""
        places: dict[str, tuple[Parameter, int | None]] = {}
        owners: dict[str, str] = {}
        problems: list[str] = []
        names = each_of(paths)
        for name in names:
            try:
                found = {path: self._locate(path) for path in self._meant(name, [*names, *places])}
            except InputError as unknown:
                problems += unknown.problems
                continue
            for path, (whole, index) in found.items():
                taken = whole.components if index is None else (path,)
                if rival := next((owners[c] for c in taken if c in owners), None):
                    problems.append(f"'{rival}' and '{path}' name the same number; give only one of them")
                owners |= dict.fromkeys(taken, path)
            places |= found
        if problems:
            raise InputError(*problems)
        return places

    def _meant(self, name: str, named: Collection[str]) -> list[str]:
        """What a name stands for: itself, or, if it is a pattern, what it matches and is not among those `named`."""
        if not is_pattern(name):
            return [name]
        return [path for path in matching(name, self.parameters()) if path not in named]

    def _document_with(self, numbers: Mapping[str, list[float]]) -> Document:
        """The document with other values of whole parameters; only the tables that hold them are checked."""
        document = self.document
        tables: dict[str, Table] = {"camera": document.camera, **document.shapes, **document.lights}
        changed: dict[str, dict[str, Any]] = {}
        for path, value in numbers.items():
            name, *inner, last = path.split(".")
            target = changed.setdefault(name, tables[name].model_dump())
            for each in inner:
                target = target[each]
            target[last] = tuple(value) if len(value) > 1 else value[0]
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
