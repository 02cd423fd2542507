"""Python's operators for numbers without a value, by which numpy does arithmetic on arrays of them."""

from typing import Any


class Operators:
    """Each operator is the op of the table of its name, which `_with` makes."""

    __slots__ = ()

    def _with(self, name: str, *operands: Any) -> Any:
        """The result of an op of the table on operands, of which this is one."""
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        return self._with("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return self._with("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return self._with("subtract", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._with("subtract", other, self)

    def __mul__(self, other: Any) -> Any:
        return self._with("multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._with("multiply", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._with("divide", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with("divide", other, self)

    def __pow__(self, other: Any) -> Any:
        return self._with("power", self, other)

    def __rpow__(self, other: Any) -> Any:
        return self._with("power", other, self)

    def __neg__(self) -> Any:
        return self._with("negative", self)

    def __abs__(self) -> Any:
        return self._with("abs", self)

    def __lt__(self, other: Any) -> Any:
        return self._with("less", self, other)

    def __le__(self, other: Any) -> Any:
        return self._with("less_equal", self, other)

    def __gt__(self, other: Any) -> Any:
        return self._with("greater", self, other)

    def __ge__(self, other: Any) -> Any:
        return self._with("greater_equal", self, other)

    def __and__(self, other: Any) -> Any:
        return self._with("logical_and", self, other)

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        return self._with("logical_or", self, other)

    __ror__ = __or__

    def __invert__(self) -> Any:
        return self._with("logical_not", self)
