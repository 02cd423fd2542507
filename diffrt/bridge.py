"""What `diffrt.torch` and `diffrt.jax` share: the image as a function of arrays, and the pullbacks of such functions.

A function here takes arrays and returns a tuple of arrays, written with `diffrt.autograd`. Its pullback takes a seed
for each of the results, and the arguments, and returns the adjoints of the arguments: it is such a function too. So an
op of another library that runs such a function, and whose derivative is an op that runs the pullback, has derivatives
of every order.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from diffrt.autograd import vjp
from diffrt.compiler import choose_engine
from diffrt.errors import InputError, did_you_mean, listed, shown
from diffrt.scene import Scene
from diffrt.scene.scene import expect_scene
from diffrt.tracer import render
from diffrt.tracer.renderer import Settings

Function = Callable[..., tuple[Any, ...]]

_SAMPLING = ("cells", "edges", "tolerance")
_ENGINE = ("engine", "threads", "dtype")


def image_function(
    caller: str, scene: Scene, values: Mapping[str, Any], is_array: Callable[[Any], bool], settings: Mapping[str, Any]
) -> tuple[Function, list[Any]]:
    """The image as a function of those values that are arrays of a library, and these arrays.

    caller: for messages, such as "diffrt.torch.render". values: by the names of parameters; what is no array of the
    library is a constant. is_array: whether a value is one. settings: those of `diffrt.render` for a whole image.
    Returns a function of float64 arrays, one for each of the arrays, to a tuple of one image (height, width, 3), and
    the arrays.
    Raises InputError, one line per mistake, for unknown names and settings, wrong shapes, types other than float32 and
    float64, constants that a scene cannot have, and a scene with Vars.
    """
    expect_scene(scene, caller)
    if not isinstance(values, Mapping):
        raise InputError(f'{caller}: found {shown(values)}, needed: values by name, such as {{"lamp.position": ...}}')
    known = (*_SAMPLING, *_ENGINE)
    if unknown := [name for name in settings if name not in known]:
        raise InputError(*(f"{caller}: no setting '{name}'; {did_you_mean(name, known)}" for name in unknown))
    # Settings are refused here, since `render` may be called much later, by a library that has compiled the call.
    Settings(**{name: settings[name] for name in _SAMPLING if name in settings})
    choose_engine(**{"name" if name == "engine" else name: settings[name] for name in _ENGINE if name in settings})
    scene.components(values)  # refuses unknown names, and two for the same number
    arrays = {name: value for name, value in values.items() if is_array(value)}
    types = {name: str(value.dtype).removeprefix("torch.") for name, value in arrays.items()}
    problems = [f"{name}: found {kind}, allowed: float32 or float64" for name, kind in types.items()
                if kind not in ("float32", "float64")]  # fmt: skip
    problems += [f"{name}: found a list of arrays, needed: one array; stack makes one of them"
                 for name, value in values.items()
                 if isinstance(value, list | tuple) and any(map(is_array, value))]  # fmt: skip
    if problems:
        raise InputError(*problems)
    # The numbers that the scene has, in the shapes that were given: the shapes are checked, and the numbers are fine.
    alike = {name: np.resize(scene.pack([name]), tuple(array.shape)) for name, array in arrays.items()}
    fixed = scene.replace({**values, **alike})
    if fixed.variables:
        found = listed(list(fixed.variables))
        raise InputError(f"{caller}: {found}: found a Var of diffrt, needed: a number or an array")

    def image(*given: Any) -> tuple[Any]:
        return (render(fixed.replace(dict(zip(arrays, given, strict=True))), **settings),)

    return image, list(arrays.values())


def pullback(function: Function, results: int) -> Function:
    """The function (seeds..., arguments...) -> adjoints of the arguments. results: how many the given function has."""
    return lambda *given: vjp(function, *given[results:])[1](given[:results])
