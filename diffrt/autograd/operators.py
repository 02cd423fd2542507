"""Python's operators for numbers without a value, by which numpy does arithmetic on arrays of them."""

from collections.abc import Callable
from typing import Any


def _both_ways(name: str) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """An operator where such a number is the first operand, and where it is the second one."""
    return lambda self, other: self._with(name, self, other), lambda self, other: self._with(name, other, self)


def _alone(name: str) -> Callable[[Any], Any]:
    return lambda self: self._with(name, self)


class Operators:
    """Each operator is the op of the table of its name, which `_with` makes."""

    __slots__ = ()

    def _with(self, name: str, *operands: Any) -> Any:
        """The result of an op of the table on operands, of which this is one."""
        raise NotImplementedError

    __add__, __radd__ = _both_ways("add")
    __sub__, __rsub__ = _both_ways("subtract")
    __mul__, __rmul__ = _both_ways("multiply")
    __truediv__, __rtruediv__ = _both_ways("divide")
    __pow__, __rpow__ = _both_ways("power")
    __lt__, __gt__ = _both_ways("less")[0], _both_ways("greater")[0]
    __le__, __ge__ = _both_ways("less_equal")[0], _both_ways("greater_equal")[0]
    __and__, __or__ = _both_ways("logical_and")[0], _both_ways("logical_or")[0]
    __rand__, __ror__ = __and__, __or__
    __neg__, __abs__, __invert__ = _alone("negative"), _alone("abs"), _alone("logical_not")
