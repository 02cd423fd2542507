"""A scene inside PyTorch: the image is a tensor, and its backward pass is diffrt's.

    lamp = torch.tensor([2.0, 4.0, 3.0], requires_grad=True)
    image = diffrt.torch.render(scene, {"lamp.position": lamp})  # (height, width, 3)
    torch.mean((image - photograph) ** 2).backward()

Needs the package torch: `pip install 'diffrt[torch]'`.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np

from diffrt.autograd import vjp
from diffrt.bridge import Function, image_function, pullback
from diffrt.errors import InputError
from diffrt.scene import Scene

try:
    import torch
except ModuleNotFoundError as missing:
    if missing.name != "torch":
        raise
    raise ImportError("diffrt.torch needs the package torch: pip install 'diffrt[torch]'") from None


def render(scene: Scene, values: Mapping[str, Any], **settings: Any) -> torch.Tensor:
    """The image of a scene in which some parameters are tensors.

    values: by the names of parameters, as for `Scene.replace`: tensors (3,) or () of float32 or float64, on one device;
    what is no tensor is a constant. settings: those of `diffrt.render`, such as cells, edges, engine and threads.
    Returns linear RGB radiance (height, width, 3), of the widest type and on the device of the tensors; of torch's
    default type if there are none. The image itself is computed on the processor, in float64. It can be differentiated
    any number of times, and mapped over with torch.vmap, which renders one image after another.
    Raises InputError, one line per mistake, as `Scene.replace` and `diffrt.render` do, and for other types of tensors.
    """
    if torch.compiler.is_compiling():  # torch.compile compiles what is around this call
        return torch.compiler.disable(render)(scene, values, **settings)
    function, tensors = image_function("diffrt.torch.render", scene, values, torch.is_tensor, settings)
    devices = {tensor.device for tensor in tensors} or {torch.get_default_device()}
    if len(devices) > 1 or torch.device("meta") in devices or any(t.layout != torch.strided for t in tensors):
        places = ", ".join(sorted({f"{t.layout} on {t.device}".removeprefix("torch.") for t in tensors}))
        raise InputError(f"diffrt.torch.render: found tensors {places}; needed: strided, with values, on one device")
    dtype = reduce(torch.promote_types, [t.dtype for t in tensors]) if tensors else torch.get_default_dtype()
    _, image = _Op.apply(function, *(tensor.to("cpu", torch.float64) for tensor in tensors))
    return image.to(*devices, dtype)


class _Op(torch.autograd.Function):  # type: ignore[misc]
    """A function of float64 arrays as an op of torch.

    Its first result is a function from seeds to adjoints that has kept what was computed, None if no tensor needs a
    gradient; a backward pass need not compute that again. The others are the results of the function. A backward pass
    that is differentiated itself runs the pullback, a function of the seeds and the arguments, as an `_Op` too.
    """

    @staticmethod
    def forward(function: Function, *tensors: torch.Tensor) -> tuple[Any, ...]:
        given = [tensor.numpy(force=True) for tensor in tensors]
        if any(tensor.requires_grad for tensor in tensors):
            results, kept = vjp(function, *given)
        else:
            results, kept = function(*given), None
        return kept, *(torch.tensor(np.asarray(result), dtype=torch.float64, device="cpu") for result in results)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Any, ...]) -> None:
        ctx.function, *tensors = inputs
        ctx.kept = output[0]
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, _: None, *seeds: torch.Tensor) -> tuple[Any, ...]:
        tensors = ctx.saved_tensors
        if ctx.kept is None or torch.is_grad_enabled():
            _, *adjoints = _Op.apply(pullback(ctx.function, len(seeds)), *seeds, *tensors)
        else:
            _, *adjoints = _Op.apply(lambda *given: ctx.kept(given), *seeds)
        return None, *adjoints

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], function: Function, *tensors: torch.Tensor) -> tuple[Any, Any]:
        columns = [
            tensor.expand(info.batch_size, *tensor.shape) if place is None else tensor.movedim(place, 0)
            for place, tensor in zip(in_dims[1:], tensors, strict=True)
        ]
        _, *results = zip(*(_Op.apply(function, *each) for each in zip(*columns, strict=True)), strict=True)
        stacked = tuple(map(torch.stack, results))
        return (None, *stacked), (None, *(0 for _ in stacked))
