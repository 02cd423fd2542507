"""Parts: faces of a shape that are shapes of another kind, such as the disks at the ends of a cylinder."""

from typing import Any

from diffrt.kinds.kind import Shape


class Part(Shape):
    """A face with the formulas of another shape, which `same` makes from the fields of the whole."""

    def same(self) -> Shape:
        raise NotImplementedError

    def side(self, o: Any) -> Any:
        return self.same().side(o)

    def reach(self, o: Any) -> Any:
        return self.same().reach(o)

    def intersect(self, o: Any, d: Any, side: Any) -> tuple[Any, Any]:
        return self.same().intersect(o, d, side)

    def margins(self, o: Any, d: Any, side: Any) -> tuple[Any, ...]:
        return self.same().margins(o, d, side)

    def normal_at(self, p: Any, side: Any) -> Any:
        return self.same().normal_at(p, side)

    def uv(self, p: Any, side: Any) -> tuple[Any, Any]:
        return self.same().uv(p, side)

    def box(self) -> tuple[Any, Any] | None:
        return self.same().box()
