"""A scene inside JAX: the image is an array, and its derivative is diffrt's, under jit, grad and vmap.

    def loss(lamp):
        return jnp.mean((diffrt.jax.render(scene, {"lamp.position": lamp}) - photograph) ** 2)

    slope = jax.jit(jax.grad(loss))(jnp.array([2.0, 4.0, 3.0]))

Needs the package jax: `pip install 'diffrt[jax]'`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from diffrt import bridge
from diffrt.scene import Scene

try:
    import jax
    import jax.numpy as jnp
except ModuleNotFoundError as missing:
    if missing.name not in ("jax", "jaxlib"):
        raise
    raise ImportError("diffrt.jax needs the package jax: pip install 'diffrt[jax]'") from None


def render(scene: Scene, values: Mapping[str, Any], **settings: Any) -> jax.Array:
    """The image of a scene in which some parameters are arrays of JAX.

    values: by the names of parameters, as for `Scene.replace`: arrays (3,) or () of float32 or float64; what is no
    array of JAX is a constant. settings: those of `diffrt.render`, such as cells, edges, engine and threads.
    Returns linear RGB radiance (height, width, 3), of the widest type of the arrays, of JAX's default type if there are
    none. The image itself is computed on the processor, in float64. It can be differentiated any number of times in
    reverse mode, and computes the image again for that; vmap renders one image after another.
    Raises InputError, one line per mistake, as `Scene.replace` and `diffrt.render` do, and for other types of arrays.
    Inside jit, where numbers are not known yet, a wrong number is an error of JAX that ends with that line.
    """
    function, arrays = bridge.image_function(
        "diffrt.jax.render", scene, values, lambda value: isinstance(value, jax.Array), settings
    )
    dtype = jnp.result_type(*arrays) if arrays else jnp.result_type(float)
    image = jax.ShapeDtypeStruct((*scene.camera.size[::-1], 3), dtype)
    (result,) = _op(_Function(function, (image,)), *arrays)
    return result


@dataclass(frozen=True, eq=False)
class _Function:
    """A function of float64 arrays on the processor, and the shapes and types of its results for JAX."""

    function: bridge.Function
    results: tuple[jax.ShapeDtypeStruct, ...]

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        found = self.function(*(np.asarray(array, np.float64) for array in arrays))
        return tuple(np.asarray(x, result.dtype) for x, result in zip(found, self.results, strict=True))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _op(function: _Function, *arrays: jax.Array) -> tuple[jax.Array, ...]:
    """A function as an op of JAX. Its derivative is its pullback, which is such an op too."""
    if any(isinstance(array, jax.core.Tracer) for array in arrays):
        return tuple(jax.pure_callback(function, function.results, *arrays, vmap_method="sequential"))
    return tuple(map(jnp.asarray, function(*arrays)))


def _forward(function: _Function, *arrays: jax.Array) -> tuple[Any, Sequence[jax.Array]]:
    return _op(function, *arrays), arrays


def _backward(function: _Function, arrays: Sequence[jax.Array], seeds: Sequence[jax.Array]) -> Any:
    adjoints = tuple(jax.ShapeDtypeStruct(array.shape, array.dtype) for array in arrays)
    return _op(_Function(bridge.pullback(function.function, len(seeds)), adjoints), *seeds, *arrays)


_op.defvjp(_forward, _backward)
