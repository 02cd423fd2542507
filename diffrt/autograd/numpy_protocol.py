"""numpy functions on Vars: np.sin(x), np.sum(x), array * x. What is not listed here is refused by name."""

import sys
from collections import ChainMap
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np

from . import contraction, functional, matrices, operations, structure

_UFUNCS: Mapping[Any, Callable[..., Any]] = ChainMap(
    operations.UFUNCS,
    {
        np.power: operations.power, np.matmul: structure.matmul,
        np.positive: lambda x: x, np.square: lambda x: operations.multiply(x, x),
    },
)  # fmt: skip


def _reduced(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction with numpy's third argument, a dtype or an array to write to, left out."""
    return lambda a, axis=None, *, keepdims=False: function(a, axis, keepdims)


def _take(a: Any, indices: Any, axis: int | None = None) -> Any:
    return structure.take(structure.reshape(a, (-1,)), indices) if axis is None else structure.take(a, indices, axis)


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.sum: _reduced(structure.sum),
    np.mean: _reduced(structure.mean),
    np.prod: _reduced(functional.prod),
    np.cumsum: lambda a, axis=None: structure.cumsum(a, axis),
    np.max: _reduced(structure.max),
    np.min: _reduced(structure.min),
    np.reshape: structure.reshape,
    np.transpose: structure.transpose,
    np.broadcast_to: structure.broadcast_to,
    np.stack: structure.stack,
    np.concatenate: structure.concatenate,
    np.take: _take,
    np.where: operations.where,
    np.clip: operations.clip,
    np.dot: functional.dot,
    np.cross: lambda a, b, *, axis=-1: functional.cross(a, b, axis),
    np.outer: functional.outer,
    np.diag: lambda v, k=0: matrices.diag(v, k),
    np.diagonal: lambda a, offset=0, axis1=0, axis2=1: matrices.diagonal(a, offset, axis1, axis2),
    np.trace: lambda a, offset=0, axis1=0, axis2=1: matrices.trace(a, offset, axis1, axis2),
    np.einsum: lambda subscripts, *operands, optimize=False: contraction.einsum(subscripts, *operands),
    np.linalg.inv: lambda a: matrices.inv(a),
    np.linalg.det: lambda a: matrices.det(a),
    np.linalg.solve: lambda a, b: matrices.solve(a, b),
    np.linalg.norm: lambda x, *, axis=None, keepdims=False: functional.norm(x, axis, keepdims),
    np.shape: lambda x: x.shape,
    np.ndim: lambda x: x.ndim,
    np.size: lambda x: x.size,
}


def call_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], settings: Mapping[str, Any]) -> Any:
    """What numpy calls for ufunc(*inputs) where an input is a Var."""
    if "out" in settings:
        raise TypeError(f"np.{ufunc.__name__} cannot write into an array in place of a Var; assign its result instead")
    if method != "__call__" or settings:
        what = f"np.{ufunc.__name__}.{method}" if method != "__call__" else f"np.{ufunc.__name__} with {[*settings]}"
        raise TypeError(f"{what} is not differentiated; use diffrt.autograd's sum, max, min or where")
    name, function = ufunc.__name__, _UFUNCS.get(ufunc)
    if function is None and ufunc is getattr(sys.modules.get("scipy.special"), name, None):
        function = operations.FUNCTIONS.get(name)  # such as erf, which numpy does not have
    if function is None:
        raise TypeError(_unknown(name))
    return function(*inputs)


def call_function(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What numpy calls for function(*args, **kwargs) where an argument is a Var."""
    if function not in _FUNCTIONS:
        raise TypeError(_unknown(function.__name__))
    try:
        return _FUNCTIONS[function](*args, **kwargs)
    except TypeError as fault:
        raise TypeError(f"np.{function.__name__} on a Var: {fault}") from None


def _unknown(name: str) -> str:
    known = sorted({f.__name__ for f in (*_UFUNCS, *_FUNCTIONS)})
    near = get_close_matches(name, known, n=1)
    use = f"use np.{near[0]}" if near else f"compose it of {', '.join(known)}"
    return f"np.{name} has no derivative here; {use}, or .value for the plain numbers"
