"""`diffrt fit`: parameters of a scene from an image."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from diffrt.errors import InputError
from diffrt.terminal import progress_lines, say, signals


def fit(
    source: Annotated[
        str, typer.Argument(metavar="FIT|SCENE", help="A fit file, or a scene with --target and --free.")
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help="The folder for the results.")],
    target: Annotated[
        str | None,
        typer.Option(
            help="The image to fit, .png, .jpg, .tif, .webp, .tga (sRGB), .npy or .exr (linear), or a pattern for many."
        ),
    ] = None,
    free: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A free parameter, or a pattern; may be repeated.")
    ] = None,
    each: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="The same, with values of its own in each view.")
    ] = None,
    values: Annotated[str | None, typer.Option(help="A table of what is known of each view, with a head.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of the target: srgb or linear.")] = None,
    bits: Annotated[int | None, typer.Option(help="That a target of 16 bits holds, 8 to 16.")] = None,
    mask: Annotated[str | None, typer.Option(help="An image; pixels of the target that are white in it count.")] = None,
    method: Annotated[str | None, typer.Option(help="least_squares, or a gradient method of scipy's minimize.")] = None,
    cells: Annotated[int | None, typer.Option(help="Cells per pixel side.", min=1, max=64)] = None,
    loss: Annotated[str | None, typer.Option(help="squared, huber or soft_l1.")] = None,
    space: Annotated[str | None, typer.Option(help="What is compared: linear or srgb values.")] = None,
    start: Annotated[
        str | None, typer.Option(help="Where to start from: scene, or image, for balls and the lights on them.")
    ] = None,
    starts: Annotated[int | None, typer.Option(help="Points in the bounds that are tried.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Of these points.", min=0)] = None,
    dask: Annotated[str | None, typer.Option(metavar="ADDRESS", help="A Dask cluster for starts and views.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the unfinished fit in DIR.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print fit.json in place of the table.")] = False,
) -> None:
    """Recover parameters of a scene from an image.

    Ctrl-C ends it with the best so far; `--resume` goes on from there, and after a crash too.

    Examples: `diffrt fit examples/still_life/fit.toml -o out`,
    `diffrt fit scenes/still_life.toml --target examples/still_life/target.png --free 'ball.*' -o out`
    """
    from diffrt.fitting import make_problem, read_problem, solve_into
    from diffrt.fitting.cluster import cluster
    from diffrt.fitting.outputs import as_json as result_as_json
    from diffrt.fitting.reading import is_pattern_of_files, read_views
    from diffrt.fitting.tables import known_values
    from diffrt.photograph import read_mask, read_photograph
    from diffrt.scene import load_scene

    given = {"method": method, "cells": cells, "loss": loss, "space": space, "start": start,
             "starts": starts, "seed": seed}  # fmt: skip
    settings: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if target is None and not free:
        if encoding or mask or bits is not None or each or values:
            words = "--each, --values, --encoding, --bits and --mask go with --target"
            raise InputError(f"{words}; a fit file says them itself")
        problem = read_problem(source, settings)
    elif target is None or not (free or each):
        raise InputError("a fit of a scene needs both --target and --free; a fit file needs neither")
    elif is_pattern_of_files(target, Path()):
        shots = {"target": target, "mask": mask, "encoding": encoding, "bits": bits}
        scene = load_scene(source)
        views, files = read_views({key: value for key, value in shots.items() if value is not None}, Path(), scene)
        known = known_values(values, Path(), files) if values else None
        problem = make_problem(scene, views, free or (), each=each or (), values=known, **settings)
    elif each or values or not free:
        raise InputError("--each and --values are of several views; give --target a pattern, such as 'photos/*.png'")
    else:
        counted = read_mask(mask) if mask else None
        photograph = read_photograph(target, encoding, bits=bits)
        problem = make_problem(load_scene(source), photograph, free, mask=counted, **settings)
    if not quiet:
        for note in problem.notes:
            say(note, error=True)
    with signals() as stopped, progress_lines(quiet) as (progress, told), cluster(dask) as executor:
        result, written = solve_into(
            problem, output, progress, resume=resume, stop=lambda: bool(stopped), executor=executor, told=told
        )
    if as_json:
        say(json.dumps(result_as_json(result), indent=2))
    elif not quiet:
        say(str(result))
        say(f"why it ended: {result.message}")
        say(f"written to {output}: {', '.join(written)}")
    if stopped and not result.found.finished:
        say(f"interrupted; go on with: diffrt fit {source} -o {output} --resume", error=True)
        raise SystemExit(128 + stopped[0])
