"""Fitting in one call."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from diffrt.fitting.problem import make_problem
from diffrt.fitting.reading import read_mask
from diffrt.fitting.result import Result
from diffrt.fitting.search import Progress
from diffrt.fitting.solver import solve, solve_into
from diffrt.photograph import read_photograph
from diffrt.scene import Scene, load_scene


def fit(
    scene: Scene | str | Path,
    target: Any,
    free: str | Iterable[str] | Mapping[str, Mapping[str, Any]] = (),
    *,
    ties: Mapping[str, str] | None = None,
    mask: Any = None,
    encoding: str | None = None,
    exposure: bool = False,
    white_balance: bool = False,
    folder: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
    executor: Executor | None = None,
    **settings: Any,
) -> Result:
    """Recover parameters of a scene from one image or several.

    scene: where to start from, or the path of its file. target: an image (height, width, 3) of linear RGB, the path of
    one, or a mapping from the name of each view to a mapping with `target` and, optional, `camera` (a scene whose
    camera it is), `mask`, `exposure` and `white_balance`. free: names of parameters or patterns such as "ball.*"; or
    for each a mapping with `start`, `lower`, `upper` (a number, or one for each component) and `positive`, all
    optional. ties: for the name of a parameter, that of the free one that it equals. mask: (height, width), True where
    a pixel counts, or the path of an image that is white there. encoding: "srgb" or "linear", of files. exposure,
    white_balance: whether they are free. folder: where the state is kept after each evaluation, and the results are
    written. resume: go on from the state there. progress, stop, executor: as for `solve`. settings: `cells`, `method`,
    `loss`, `scale`, `space`, `iterations`, `levels`, `starts`, `refine`, `seed`, as for `Settings`.

        found = diffrt.fit("scenes/still_life.toml", "examples/still_life/target.png", free=["lamp.position", "ball.*"])
        print(found)
        found.scene.save("fitted.toml")

    Returns a Result. Raises InputError, one line per mistake.
    """
    if isinstance(scene, str | Path):
        scene = load_scene(scene)
    if isinstance(target, Mapping):
        shots = {
            name: {**view, **_read(view, encoding)} if isinstance(view, Mapping) else view
            for name, view in target.items()
        }
        problem = make_problem(scene, shots, free, ties, **settings)
    else:
        shot = {"target": target, "mask": mask, "exposure": exposure, "white_balance": white_balance}
        shot |= _read(shot, encoding)
        problem = make_problem(scene, shot.pop("target"), free, ties, **shot, **settings)
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
