"""The autograd core: numbers that remember how they were computed, and what can be asked of them."""

from . import functional, matrices, operations, structure, transforms
from .affine import bounds
from .contraction import einsum
from .custom import op
from .functional import *  # noqa: F403
from .implicit import root
from .matrices import *  # noqa: F403
from .naming import named, scope
from .operations import *  # noqa: F403
from .structure import *  # noqa: F403
from .transforms import *  # noqa: F403
from .variable import TABLE, Op, Var, detach, no_grad, variable

__all__ = [
    "TABLE", "Op", "Var", "bounds", "detach", "einsum", "named", "no_grad", "op", "root", "scope", "variable",
]  # fmt: skip
__all__ += functional.__all__
__all__ += operations.__all__
__all__ += structure.__all__
__all__ += transforms.__all__
__all__ += matrices.__all__
