"""diffrt: a differentiable ray tracer.

    scene = diffrt.load_scene("scenes/still_life.toml")
    image = diffrt.render(scene)
    image.save("still_life.png")

Importing the package is cheap: each name below is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from diffrt import autograd as autograd
    from diffrt import explain as explain
    from diffrt.errors import InputError as InputError
    from diffrt.fit import fit as fit
    from diffrt.image import Image as Image
    from diffrt.kinds import register as register
    from diffrt.marking import check_gradient as check_gradient
    from diffrt.marking import verify as verify
    from diffrt.photograph import read_image as read_image
    from diffrt.render.renderer import jacobian as jacobian
    from diffrt.render.renderer import render as render
    from diffrt.scene import Scene as Scene
    from diffrt.scene import load_scene as load_scene
    from diffrt.scene import parse_scene as parse_scene

_HOMES = {
    "Image": "diffrt.image",
    "InputError": "diffrt.errors",
    "Scene": "diffrt.scene",
    "check_gradient": "diffrt.marking",
    "jacobian": "diffrt.render",
    "load_scene": "diffrt.scene",
    "parse_scene": "diffrt.scene",
    "read_image": "diffrt.photograph",
    "register": "diffrt.kinds",
    "verify": "diffrt.marking",
}

__all__ = [
    "Image",
    "InputError",
    "Scene",
    "autograd",
    "check_gradient",
    "explain",
    "fit",
    "jacobian",
    "load_scene",
    "parse_scene",
    "read_image",
    "register",
    "render",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in (
        "autograd",
        "explain",
        "fit",
        "kinds",
        "marking",
        "render",
    ):  # packages; `fit` and `render` can be called
        return import_module(f"diffrt.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'diffrt' has no attribute {name!r}")
