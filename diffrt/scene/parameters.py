"""The continuous numbers of a scene, by path.

A parameter is a number or a vector that the image can be differentiated by: `camera.fov`, `ball.center`,
`ball.material.albedo`. A path is the name of the table (a shape, a light, or `camera`) and the fields down to
the quantity; one letter more names a component: `ball.center.x`, `lamp.intensity.g`. Wherever names are taken, a
pattern such as `ball.*` stands for all that it matches.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol

from diffrt.autograd import Var
from diffrt.errors import InputError, listed
from diffrt.kinds import Kind
from diffrt.kinds.values import free_parts
from diffrt.scene.schema import Table


class Named(Protocol):
    """What has a path, and one for each of its numbers."""

    @property
    def path(self) -> str: ...
    @property
    def components(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Parameter:
    """A continuous input of a scene.

    path: its name. size: 1 or 3 numbers. components: the path of each number, the path itself if size is 1.
    minimum, maximum: natural bounds of each number, infinite if none. unit: such as "W/sr", "" if none.
    is_direction: whether the length of the vector means nothing.
    """

    path: str
    size: int
    components: tuple[str, ...]
    minimum: float
    maximum: float
    unit: str
    is_direction: bool = False

    def component(self, index: int) -> "Parameter":
        """One number of a vector as a parameter of its own."""
        path = self.components[index]
        return replace(self, path=path, size=1, components=(path,), is_direction=False)


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
    return _places(name, kind, material and material.kind)


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
        elif name in quantities:
            for letter, var in free_parts(values[name], quantities[name].components).items():
                found[f"{path}.{name}.{letter}" if letter else f"{path}.{name}"] = var
    return found


@lru_cache(1 << 17)
def _places(name: str, kind: Any, material: Any) -> Mapping[str, tuple[Parameter, int | None]]:
    found: dict[str, tuple[Parameter, int | None]] = {}
    for prefix, each in ((name, kind), (f"{name}.material", material)):
        for field, rule in each.quantities().items() if each else ():
            path = f"{prefix}.{field}"
            components = tuple(f"{path}.{letter}" for letter in rule.components) or (path,)
            whole = Parameter(path, len(components), components, rule.minimum, rule.maximum, rule.unit,
                              rule.is_direction)  # fmt: skip
            if rule.components:
                found |= {component: (whole, index) for index, component in enumerate(components)}
            found[path] = whole, None
    return MappingProxyType(found)
