"""The ray tracer. `diffrt.render(scene)` renders: the package is callable, so that it can share its name."""

import sys
from types import ModuleType
from typing import Any

from diffrt.render.renderer import jacobian, render

__all__ = ["jacobian", "render"]


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return render(*args, **kwargs)


# Importing diffrt.render.film, say, binds the name `render` of diffrt to this package, whatever it was before.
sys.modules[__name__].__class__ = _Callable
