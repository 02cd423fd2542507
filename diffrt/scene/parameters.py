"""The continuous numbers of a scene, by path.

A parameter is a number or a vector that the image can be differentiated by: `camera.fov`, `ball.center`,
`ball.material.albedo`. A path is the name of the table (a shape, a light, or `camera`) and the fields down to
the quantity; one letter more names a component: `ball.center.x`, `lamp.intensity.g`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from diffrt.kinds import Quantity
from diffrt.scene.schema import Table, rule_of


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


def parameters_of(name: str, table: Table) -> Iterator[Parameter]:
    """The parameters of a checked table and of the material in it, in the schema's order.

    name: what the paths begin with: the name of the shape or light, or "camera".
    """
    for field, value in table:
        path = f"{name}.{field}"
        rule = rule_of(type(table), field)
        if isinstance(value, Table):
            yield from parameters_of(path, value)
        elif isinstance(rule, Quantity):
            components = tuple(f"{path}.{letter}" for letter in rule.components) or (path,)
            yield Parameter(path, len(components), components, rule.minimum, rule.maximum, rule.unit, rule.is_direction)
