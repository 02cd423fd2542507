"""Parts: faces of a shape that are shapes of another kind, such as the disks at the ends of a cylinder."""

from typing import Any

from diffrt.kinds.kind import Shape


def _of_same(formula: str) -> Any:
    """A formula that is the one of `same`."""
    return lambda self, *given: getattr(self.same(), formula)(*given)


class Part(Shape):
    """A face with the formulas of another shape, which `same` makes from the fields of the whole."""

    def same(self) -> Shape:
        raise NotImplementedError

    side, reach, intersect, margins = map(_of_same, ("side", "reach", "intersect", "margins"))
    normal_at, uv, box = map(_of_same, ("normal_at", "uv", "box"))
