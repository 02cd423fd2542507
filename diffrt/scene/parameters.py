"""The continuous numbers of a scene, by path.

A parameter is a number or a vector that the image can be differentiated by: `camera.fov`, `ball.center`,
`ball.material.albedo`. A path is the name of the table (a shape, a light, or `camera`) and the fields down to
the quantity; one letter more names a component: `ball.center.x`, `lamp.intensity.g`. The texels of a bitmap are one
parameter, `floor.material.albedo.texels`, and a component of it is named by its row and its column from the top left,
from 0, and its letter if it has one: `floor.material.albedo.texels.3.5.r`. Wherever names are taken, a pattern such as
`ball.*` stands for all that it matches.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol, overload

import numpy as np

from diffrt.autograd import Var
from diffrt.errors import InputError, listed
from diffrt.kinds import Kind, Own
from diffrt.kinds.values import free_parts
from diffrt.scene.schema import Table, textures_in


class Named(Protocol):
    """What has a path, and one for each of its numbers."""

    @property
    def path(self) -> str: ...
    @property
    def components(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Parameter:
    """A continuous input of a scene.

    path: its name. size: how many numbers it holds. components: the path of each, the path itself of a single number.
    minimum, maximum: natural bounds of each number, infinite if none. unit: such as "W/sr", "" if none.
    is_direction: whether the length of the vector means nothing.
    """

    path: str
    size: int
    components: Sequence[str]
    minimum: float
    maximum: float
    unit: str
    is_direction: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its value: (), of a vector or a colour (3,), of a pair (2,), of texels (height, width, ...)."""
        if isinstance(self.components, TexelPaths):
            return self.components.shape
        return () if self.components[0] == self.path else (self.size,)

    @property
    def names(self) -> tuple[str, ...]:
        """Names to choose from: its own and those of its components, of texels of the first one only."""
        return (self.path, *(self.components[: 1 if len(self.shape) > 1 else None]))

    def component(self, index: int) -> "Parameter":
        """One number of a vector as a parameter of its own."""
        path = self.components[index]
        return replace(self, path=path, size=1, components=(path,), is_direction=False)


@dataclass(frozen=True)
class TexelPaths(Sequence[str]):
    """The paths of the numbers of texels, in their order: made when they are asked for, as there may be millions."""

    path: str
    shape: tuple[int, ...]
    letters: str

    def __len__(self) -> int:
        return self.shape[0] * self.shape[1] * (len(self.letters) or 1)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return tuple(self[i] for i in range(*place.indices(len(self))))
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        texel, letter = divmod(place % len(self), len(self.letters) or 1)
        row, column = divmod(texel, self.shape[1])
        return f"{self.path}.{row}.{column}" + (f".{self.letters[letter]}" if self.letters else "")

    def __contains__(self, path: object) -> bool:
        return self._place(path) is not None

    def index(self, path: Any, *limits: Any) -> int:
        place = self._place(path)
        if place is None:
            raise ValueError(path)
        return place

    def _place(self, path: Any) -> int | None:
        if not (isinstance(path, str) and path.startswith(f"{self.path}.")):
            return None
        number = "(0|[1-9][0-9]{0,8})"
        letter = rf"\.([{self.letters}])" if self.letters else "()"
        found = re.fullmatch(rf"{number}\.{number}{letter}", path[len(self.path) + 1 :])
        if found is None or int(found[1]) >= self.shape[0] or int(found[2]) >= self.shape[1]:
            return None
        place = int(found[1]) * self.shape[1] + int(found[2])
        return place * (len(self.letters) or 1) + (self.letters.index(found[3]) if self.letters else 0)


def is_pattern(name: Any) -> bool:
    """Whether a name is a pattern of the shell: * for any letters, ? for one, [xy] for one of several."""
    return isinstance(name, str) and any(letter in name for letter in "*?[")


def matching(pattern: str, parameters: Iterable[Named]) -> list[str]:
    """The paths that a pattern stands for, in the order of the parameters.

    Each parameter whose path matches, as a whole ("ball.*"); of any other those numbers whose paths match ("*.x",
    "lamp.position.[xz]"). Raises InputError if there is none.
    """
    known = list(parameters)
    found = []
    for each in known:
        whole = fnmatchcase(each.path, pattern)
        found += [each.path] if whole else [path for path in each.components if fnmatchcase(path, pattern)]
    if not found:
        raise InputError(f"no parameter matches '{pattern}'; known: {listed([each.path for each in known])}")
    return found


def parameters_of(name: str, table: Table) -> tuple[Parameter, ...]:
    """The parameters of a checked table and of the material in it, in the schema's order, without rare fields that the
    scene does not state.

    name: what the paths begin with: the name of the shape or light, or "camera".
    """
    unstated = {
        f"{prefix}.{field}"
        for prefix, each in ((name, table), (f"{name}.material", getattr(table, "material", None)))
        for field in (each.unstated if each else ())
    }
    return tuple(w for w, index in places_of(name, table).values() if index is None and w.path not in unstated)


def places_of(name: str, table: Table) -> Mapping[str, tuple[Parameter, int | None]]:
    """Each path into a table: the parameter that it names, and which component of it, None for all."""
    material: Any = getattr(table, "material", None)
    kind: Any = table.kind
    textures = tuple((field, each.kind, _sizes(each)) for field, each in textures_in(material).items())
    return _places(name, kind, material and material.kind, textures)


def _sizes(texture: Table) -> tuple[tuple[int, int], ...]:
    """The height and width of each of the fields of a texture that hold texels."""
    rules = texture.kind.quantities().items()
    return tuple(getattr(texture, f).array.shape[:2] for f, rule in rules if isinstance(rule, Own))


def variables_of(path: str, given: Any, table: Table) -> dict[str, Var]:
    """The Vars among the values that a table was made from, by the path of what each stands for.

    path: of the table. given: its values, an object of a kind or a mapping.
    """
    values = vars(given) if isinstance(given, Kind) else given
    quantities = table.kind.quantities()
    found: dict[str, Var] = {}
    for name, value in table:
        if name not in values:
            continue
        if isinstance(value, Table):
            found |= variables_of(f"{path}.{name}", values[name], value)
        elif isinstance(quantities.get(name), Own):
            found |= _texels_of(f"{path}.{name}", values[name], quantities[name].components)
        elif name in quantities:
            for letter, var in free_parts(values[name], quantities[name].components).items():
                found[f"{path}.{name}.{letter}" if letter else f"{path}.{name}"] = var
    return found


def _texels_of(path: str, given: Any, letters: str) -> dict[str, Var]:
    """The Vars among the texels that were given, as `variables_of`. One for a gray texel stands for its components."""
    if isinstance(given, Var):
        return {path: given}
    if isinstance(given, np.ndarray):
        given = given.tolist() if given.dtype.kind == "O" else ()
    found: dict[str, Var] = {}
    for row, texels in enumerate(given if isinstance(given, list | tuple) else ()):
        for column, texel in enumerate(texels):
            place = f"{path}.{row}.{column}"
            if isinstance(texel, Var) and texel.shape:  # a colour as a whole
                texel = [texel[i] for i in range(len(letters))]
            free = free_parts(texel, letters)
            found |= {f"{place}.{letter}" if letter else place: var for letter, var in free.items()}
    return found


@lru_cache(1 << 17)
def _places(
    name: str, kind: Any, material: Any, textures: tuple[tuple[str, Any, tuple[tuple[int, int], ...]], ...]
) -> Mapping[str, tuple[Parameter, int | None]]:
    """As `places_of`; components of texels are left out, which their parameter knows."""
    found: dict[str, tuple[Parameter, int | None]] = {}

    def add(prefix: str, each: Any, inside: Mapping[str, Any], sizes: Iterator[tuple[int, int]]) -> None:
        for field, rule in each.quantities().items():
            path = f"{prefix}.{field}"
            if field in inside:
                texture, own_sizes = inside[field]
                add(path, texture, {}, iter(own_sizes))
                continue
            if rule.fixed:
                continue
            components: Sequence[str] = tuple(f"{path}.{letter}" for letter in rule.components) or (path,)
            if isinstance(rule, Own):
                components = TexelPaths(path, (*next(sizes), *rule.shape), rule.components)
            whole = Parameter(path, len(components), components, rule.minimum, rule.maximum, rule.unit,
                              rule.is_direction)  # fmt: skip
            if not isinstance(components, TexelPaths):
                found.update({component: (whole, index) for index, component in enumerate(components)})
            found[path] = whole, None

    add(name, kind, {}, iter(()))
    if material:
        add(f"{name}.material", material, {field: rest for field, *rest in textures}, iter(()))
    return MappingProxyType(found)
