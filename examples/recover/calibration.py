"""What the examples that find lights by a ball have in common: tables of lights, and how far off a fit is.

A table of lights is a CSV file with a line for each photograph, after a head: its name, and x, y and z of the way to
its light.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Light:
    """Where a light is. way: the unit vector to it, (3,). error: the standard error of that, (3,)."""

    way: Array
    error: Array

    @property
    def degrees(self) -> float:
        """How far the way is to be expected from the truth, root mean square."""
        return float(np.degrees(np.linalg.norm(self.error)))


def write_lights(path: str | Path, lights: Mapping[str, Light] | Mapping[str, Array]) -> None:
    """Write a table of lights: of ways, or of lights with a column for the error in degrees."""
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        known = {name: light for name, light in lights.items() if isinstance(light, Light)}
        rows.writerow(["photograph", "x", "y", "z", *(["error"] if known else [])])
        for name, light in lights.items():
            way = light.way if isinstance(light, Light) else light
            more = [f"{light.degrees:.4f}"] if isinstance(light, Light) else []
            rows.writerow([name, *(f"{c:.8f}" for c in way), *more])


def read_lights(path: str | Path, names: Sequence[str]) -> dict[str, Array]:
    """The ways to the lights of photographs by these names, of length 1. Ends the program if one is missing."""
    with open(path, newline="") as file:
        rows = {Path(row["photograph"]).stem: [float(row[c]) for c in "xyz"] for row in csv.DictReader(file)}
    if missing := [name for name in names if name not in rows]:
        raise SystemExit(f"{path}: has no line for {missing[0]}")
    ways = {name: np.array(rows[name]) for name in names}
    return {name: way / np.linalg.norm(way) for name, way in ways.items()}


def angle(one: Array, other: Array) -> float:
    """The angle between two vectors, in degrees."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(one, other)), one @ other)))


def compare(lights: Mapping[str, Light], truth: Mapping[str, Array]) -> str:
    """How far lights are from the truth, and what their errors say of it, in words."""
    off = np.array([angle(lights[name].way, truth[name]) for name in lights])
    told = np.array([light.degrees for light in lights.values()])
    sigmas = np.concatenate([np.abs(lights[name].way - truth[name]) / lights[name].error for name in lights])
    sigmas = sigmas[np.isfinite(sigmas)]  # the image may not determine a light
    return (
        f"lights are off by {off.mean():.3f} degrees in the mean, {off.max():.3f} at most; their errors say "
        f"{np.sqrt(np.nanmean(told**2)):.3f}, and {100 * np.mean(sigmas < 2.0):.0f} % are within 2 of them"
    )
