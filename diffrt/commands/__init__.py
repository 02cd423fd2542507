"""The command line, one file per command: thin. Each reads, calls the package, writes, and says what it did.

What is wrong with the input is told on stderr, one line per mistake, with exit code 2. Heavy packages are
imported by the command that needs them, so that `--help` answers at once.
"""

import os
from typing import Annotated

import typer

from diffrt.commands import check, explain, fit, gradient, graph, info, new, parameters, render, schema, verify
from diffrt.terminal import border, say
from diffrt.waiting import tell_of_compiling

app = typer.Typer(
    help="A differentiable ray tracer: images, their derivatives, and scenes recovered from images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for command in (
    new.new, render.render, gradient.gradient, check.check, fit.fit, explain.explain, graph.graph, verify.verify,
    parameters.parameters, schema.schema, info.info,
):  # fmt: skip
    app.command()(command)


def main() -> None:
    """Run the command line."""
    tell_of_compiling(_compiling)
    # Else pydantic looks for its plugins in all packages that are installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    with border():
        raise SystemExit(app(standalone_mode=False))


def _compiling() -> None:
    from diffrt.compiler import code_cache

    kept = "; kept for the next time" if code_cache.keeps() else ""
    say(f"compiling for kinds of shapes and lights that are new here{kept}", error=True)


def _version(wanted: bool) -> None:
    if wanted:
        from diffrt import __version__

        say(f"diffrt {__version__}")
        raise typer.Exit


@app.callback()
def diffrt(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """A differentiable ray tracer: images, their derivatives, and scenes recovered from images."""
