"""Fitting in one call."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import ArrayLike

from diffrt.fitting.problem import is_several, make_problem, named_views
from diffrt.fitting.result import Result
from diffrt.fitting.search import Progress
from diffrt.fitting.settings import Loss, Method, Settings, Space, Start
from diffrt.fitting.solver import solve, solve_into
from diffrt.photograph import Photograph, read_mask, read_photograph
from diffrt.scene import Scene, load_scene
from diffrt.types import Encoding, Names, Pixels

Target: TypeAlias = Pixels | Photograph | str | Path


def fit(
    scene: Scene | str | Path,
    target: Target | Mapping[str, Mapping[str, Any]] | Sequence[Target | Mapping[str, Any]],
    free: Names | Mapping[str, Mapping[str, Any]] = (),
    *,
    each: Names | Mapping[str, Mapping[str, Any]] = (),
    values: Mapping[str, ArrayLike] | None = None,
    ties: Mapping[str, str] | None = None,
    mask: ArrayLike | str | Path | None = None,
    encoding: Encoding | None = None,
    exposure: bool = False,
    white_balance: bool = False,
    vignetting: bool = False,
    response: bool = False,
    cells: int = Settings.cells,
    method: Method = Settings.method,
    loss: Loss = Settings.loss,
    scale: float | None = Settings.scale,
    space: Space = Settings.space,
    iterations: int = Settings.iterations,
    levels: Sequence[float] | None = Settings.levels,
    start: Start = Settings.start,
    starts: int = Settings.starts,
    refine: int = Settings.refine,
    seed: int = Settings.seed,
    noise: tuple[float, float] | None = Settings.noise,
    folder: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
    executor: Executor | None = None,
) -> Result:
    """Recover parameters of a scene from one image or several.

        found = diffrt.fit("scenes/still_life.toml", "examples/still_life/target.png", free=["lamp.position", "ball.*"])
        print(found)
        found.scene.save("fitted.toml")

    scene: where to start from, or the path of its file.
    target: an image (height, width, 3) of linear RGB, the path of one, or several views: a list of such targets, or a
    mapping from the name of each view to a mapping with `target` and, optional, `camera` (a scene whose camera it is),
    `lights` (the names of those that shine in this view), `values` (of parameters that this view has its own of),
    `mask`, `exposure`, `white_balance`, `vignetting` and `response`.
    free: names of parameters or patterns such as "ball.*"; or for each a mapping with `start`, `lower`, `upper` (a
    number, or one for each component) and `positive`, all optional.
    each: the same of parameters that every view has its own values of: of "sun.direction" the fit finds
    "view1.sun.direction", "view2.sun.direction" and so on. A view of a list has the name of its file, if it has one.
    values: of parameters by path, a row for each view: known, or the start of those in `each`.
    ties: for the name of a parameter, that of the free one that it equals.
    mask: (height, width), True where a pixel counts, or the path of an image that is white there.
    encoding: "srgb" or "linear", of files.
    exposure, white_balance: whether factors of the image, and of its red and blue, are free.
    vignetting, response: whether two numbers of the camera are, which all views by it share: by what part the corners
    of the picture are darker, as 1 - vignetting d^2 at d half diagonals from the middle, and the exponent of linear
    values, if the camera's curve is not that of the encoding.

    How it searches:
    cells: per pixel side, as for `render`.
    method: "least_squares", or a method of scipy's minimize.
    loss, scale: "huber" and "soft_l1" count differences over the scale less; if None, it comes from their spread.
    space: what is compared, "linear" values or "srgb" encoded ones.
    iterations: the most evaluations (least_squares) or iterations (others) at each level.
    levels: blurs in pixels from coarse to fine, before the full image; () for none, None for automatic.
    start: "image" reads starts from the images themselves, for balls by their outlines and for lights by what they do
    to a ball; what has a start in `free` keeps it. "scene": all start as the scene has them.
    starts, refine, seed: how many points in the bounds are tried, how many of them are searched from, and the seed of
    these points.
    noise: of the camera, its read noise (a standard deviation) and shot noise (a variance for each unit of brightness),
    with which residuals are compared; estimated if None.

    Where it runs:
    folder: where the state is kept after each evaluation, and the results are written.
    resume: go on from the state there.
    progress, stop: called after each evaluation, with a Step; asked then whether to end with the best so far.
    executor: where the searches from many starts run; processes of this machine if None.

    Returns a Result. Raises InputError, one line per mistake.
    """
    settings: dict[str, Any] = {
        "cells": cells, "method": method, "loss": loss, "scale": scale, "space": space, "iterations": iterations,
        "levels": levels, "start": start, "starts": starts, "refine": refine, "seed": seed, "noise": noise,
    }  # fmt: skip
    if isinstance(scene, str | Path):
        scene = load_scene(scene)
    shot: dict[str, Any] = {"mask": mask, "exposure": exposure, "white_balance": white_balance,
                            "vignetting": vignetting, "response": response}  # fmt: skip
    shot |= _read(shot, encoding)
    views: Any = target
    if is_several(views):
        listed = [one if isinstance(one, Mapping) else {"target": one} for one in views]
        files = [str(one["target"]) for one in listed if isinstance(one.get("target"), str | Path)]
        views = named_views(listed, scene, files if len(files) == len(listed) else ())
    if isinstance(views, Mapping):
        views = {
            name: {**view, **_read(view, encoding)} if isinstance(view, Mapping) else view
            for name, view in views.items()
        }
    else:
        views = _read({"target": target}, encoding).get("target", target)
    problem = make_problem(scene, views, free, ties, each=each, values=values, **shot, **settings)
    if folder is None:
        return solve(problem, progress, resume=resume, stop=stop, executor=executor)
    return solve_into(problem, folder, progress, resume=resume, stop=stop, executor=executor)[0]


def _read(view: Mapping[str, Any], encoding: str | None) -> dict[str, Any]:
    """The target and the mask of a view, read if they are paths."""
    read: dict[str, Any] = {}
    if isinstance(view.get("target"), str | Path):
        read["target"] = read_photograph(view["target"], encoding)
    if isinstance(view.get("mask"), str | Path):
        read["mask"] = read_mask(view["mask"])
    return read
