"""The structure of a scene: what is in it and of which kind, without its continuous numbers.

A renderer chooses its formulas by the structure and fills them with the parameters. Two scenes that differ
only in their parameters have equal structures.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Camera:
    """The structure of a camera: its type, and the size of its image in pixels."""

    type: str
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


@dataclass(frozen=True)
class Shape:
    """The structure of a shape: its name, its type and the type of its material."""

    name: str
    type: str
    material_type: str


@dataclass(frozen=True)
class Light:
    """The structure of a light: its name and its type."""

    name: str
    type: str
