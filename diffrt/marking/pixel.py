"""A pixel as something to derive by hand: its quantities are the named steps of the tracer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from diffrt.autograd.backward import reachable
from diffrt.errors import InputError, did_you_mean, shown
from diffrt.explaining.trace import trace
from diffrt.marking.definitions import Domain
from diffrt.marking.derivation import Derivation
from diffrt.marking.quantities import plain
from diffrt.marking.spelling import spelled
from diffrt.scene import Scene
from diffrt.types import Channel, Edges

NEAR = 1e-3
"""The scene is moved by this much, relatively and in scene units, to get other points."""


def pixel_derivation(
    scene: Scene, pixel: Sequence[int], channel: Channel = "luminance", cells: int = 1, edges: Edges = "ignore",
    output: str = "", **claims: Any,
) -> Derivation:  # fmt: skip
    """The derivation of a pixel. output: the pixel itself, or a named step before it; claims: as for Derivation.

    The points are the scene itself, and others nearby at which the pixel sees the same.
    """
    graph = trace(scene, pixel, channel, cells, edges)
    names = {spelled(n.name): n.name for n in graph.nodes if n.var is not None and (n.given or n.leaf)}
    if output and output not in {*names, *names.values()}:
        raise InputError(f"output: there is no quantity {shown(output)}; {did_you_mean(output, list(names))}")
    used = [n.name for n in graph.inputs]
    start = {name: plain(np.array(scene[name])) for name in used}
    steps = _steps(graph.output.var)

    def moved(point: Mapping[str, Any]) -> Any:
        return trace(scene.replace({n: _told(v) for n, v in point.items()}), pixel, channel, cells, edges)

    def build(leaves: Mapping[str, Any]) -> Mapping[str, Any]:
        found = moved({n: plain(v.value) for n, v in leaves.items()})
        return {n.name: n.var for n in found.nodes if n.var is not None and (n.given or n.leaf)}

    def draw(rng: np.random.Generator) -> Mapping[str, Any]:
        for _ in range(100):
            point = {n: v + NEAR * (np.abs(v) + 1.0) * rng.uniform(-1.0, 1.0, np.shape(v)) for n, v in start.items()}
            for name, value in start.items():
                low, high = scene.parameter(name).minimum, scene.parameter(name).maximum
                point[name] = np.clip(point[name], low, high) if np.isfinite([low, high]).any() else point[name]
                if not np.ndim(value):
                    point[name] = float(point[name])
            try:
                if _steps(moved(point).output.var) == steps:
                    return point
            except InputError:
                continue
        raise InputError("scene: the pixel sees something else at the least change of the scene")

    limits = {n: (scene.parameter(n).minimum, scene.parameter(n).maximum) for n in start}
    inputs = {n: Domain(np.shape(v), *map(float, limits[n])) for n, v in start.items()}
    return Derivation(build, inputs, [start], draw=draw, output=names.get(output, output), **claims)


def _steps(output: Any) -> list[str]:
    """The ops of a graph in order."""
    return [v.op.name if v.op else v.name or "" for v in reachable([output])]


def _told(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else float(value)
