"""Tables: the scene as arrays. One array per field of each kind of shape and material, one row per shape.

A field (3, K) or (K,) is a Var if a parameter in it is one, so that derivatives find their way to it through a
gather. Fields are in the order of the class of the kind.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var, detach, stack
from diffrt.render.camera import camera_vectors
from diffrt.render.lights import LIGHTS
from diffrt.render.materials import MATERIALS
from diffrt.render.shapes import SHAPES
from diffrt.scene import Scene

_PATHS = {"direction": "normal"}  # of flat shapes, where the class has a formula called normal


@dataclass(frozen=True)
class Tables:
    """A scene as arrays.

    camera: (3, 6). shapes, materials: by kind the fields, each (3, K) or (K,). lights: by light its kind and
    fields, each (3,). shape_kind, material_kind: the kinds of each shape, as positions in SHAPES and MATERIALS;
    shape_row, material_row: its rows there, each (number of shapes,).
    """

    camera: Any
    shapes: dict[str, tuple[Any, ...]]
    materials: dict[str, tuple[Any, ...]]
    lights: tuple[tuple[str, tuple[Any, ...]], ...]
    shape_kind: NDArray[np.intp]
    shape_row: NDArray[np.intp]
    material_kind: NDArray[np.intp]
    material_row: NDArray[np.intp]

    def plain(self) -> "Tables":
        """The same without Vars, for what is not differentiated."""
        return Tables(
            _value(self.camera),
            {kind: tuple(map(_value, fields)) for kind, fields in self.shapes.items()},
            {kind: tuple(map(_value, fields)) for kind, fields in self.materials.items()},
            tuple((kind, tuple(map(_value, fields))) for kind, fields in self.lights),
            self.shape_kind,
            self.shape_row,
            self.material_kind,
            self.material_row,
        )


class Columns:
    """Of dataclasses whose fields are arrays (..., N), or Columns themselves: one column for each of N things."""

    def __getitem__(self, which: Any) -> Self:
        """Some of the columns, as a copy if `which` holds integers or booleans."""
        parts = (getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]
        return type(self)(*(part[which] if isinstance(part, Columns) else part[..., which] for part in parts))

    def put(self, which: Any, columns: Self) -> None:
        """Write columns over some of these, in place."""
        for field in fields(self):  # type: ignore[arg-type]
            mine, part = getattr(self, field.name), getattr(columns, field.name)
            if isinstance(mine, Columns):
                mine.put(which, part)
            else:
                mine[..., which] = part


def row_of(kind: Any, values: Iterator[Any]) -> Any:
    """One shape, material or light, made of the next values."""
    return kind(*(next(values) for _ in kind._fields))


def build_tables(scene: Scene) -> Tables:
    """The tables of a scene."""
    shapes = {kind: [s.name for s in scene.shapes if s.type == kind] for kind in SHAPES}
    materials = {kind: [s.name for s in scene.shapes if s.material_type == kind] for kind in MATERIALS}

    def columns(prefix: str, classes: Any, names: dict[str, list[str]]) -> dict[str, tuple[Any, ...]]:
        return {
            kind: tuple(
                stack([scene[f"{name}{prefix}.{path_of(kind, f)}"] for name in members], -1)
                for f in classes[kind]._fields
            )
            for kind, members in names.items()
            if members
        }

    def places(names: dict[str, list[str]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        found = {n: (k, r) for k, members in enumerate(names.values()) for r, n in enumerate(members)}
        pairs = np.array([found[s.name] for s in scene.shapes], np.intp).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    return Tables(
        camera_vectors(scene),
        columns("", SHAPES, shapes),
        columns(".material", MATERIALS, materials),
        tuple((li.type, tuple(scene[f"{li.name}.{f}"] for f in LIGHTS[li.type]._fields)) for li in scene.lights),
        *places(shapes),
        *places(materials),
    )


def path_of(kind: str, field: str) -> str:
    """The end of the path of the parameter that a field of a class holds."""
    return _PATHS.get(field, field) if kind in SHAPES else field


def _value(x: Any) -> Any:
    return detach(x).value if isinstance(x, Var) else x
