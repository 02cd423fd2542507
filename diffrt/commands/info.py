"""`diffrt info`: what runs here."""

import os

from diffrt.terminal import say


def info() -> None:
    """Say which versions run, and which engine.

    Example: `diffrt info`
    """
    import platform
    from importlib.metadata import version

    from diffrt import __version__
    from diffrt.compiler import describe

    say(f"diffrt {__version__}, exact edges")
    say(describe())
    say(f"Python {platform.python_version()}, numpy {version('numpy')}, scipy {version('scipy')}")
    say(f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors")
