"""`diffrt schema`: what may stand in a scene file."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from diffrt.errors import InputError, did_you_mean
from diffrt.terminal import say


def schema(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND ...]", help="Such as sphere or lights; all of them if none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Print the reference of scene files: every kind and field, what it may be, its unit and its default.

    Examples: `diffrt schema`, `diffrt schema sphere point`
    """
    from diffrt.scene.reference import reference, reference_text

    groups = reference()
    if names:
        known = [name for group in groups for name in (group.name, *(kind.type for kind in group.kinds))]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise InputError(*(f"no kind '{name}'; {did_you_mean(name, known)}" for name in unknown))
        groups = tuple(found for group in groups if (found := group.only(names)).kinds)
    say(json.dumps(list(map(asdict, groups)), indent=2, default=str) if as_json else reference_text(groups))
