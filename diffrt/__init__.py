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
    from diffrt import jax as jax
    from diffrt import torch as torch
    from diffrt.errors import InputError as InputError
    from diffrt.explaining import explain as explain
    from diffrt.fitting import fit as fit
    from diffrt.image import Image as Image
    from diffrt.kinds import AmbientLight as AmbientLight
    from diffrt.kinds import Bitmap as Bitmap
    from diffrt.kinds import BlinnPhong as BlinnPhong
    from diffrt.kinds import Box as Box
    from diffrt.kinds import Checkerboard as Checkerboard
    from diffrt.kinds import Cone as Cone
    from diffrt.kinds import ConstantBackground as ConstantBackground
    from diffrt.kinds import Cylinder as Cylinder
    from diffrt.kinds import DirectionalLight as DirectionalLight
    from diffrt.kinds import Disk as Disk
    from diffrt.kinds import GradientBackground as GradientBackground
    from diffrt.kinds import Lambert as Lambert
    from diffrt.kinds import Mirror as Mirror
    from diffrt.kinds import Orthographic as Orthographic
    from diffrt.kinds import Perspective as Perspective
    from diffrt.kinds import Plane as Plane
    from diffrt.kinds import PointLight as PointLight
    from diffrt.kinds import Rectangle as Rectangle
    from diffrt.kinds import RoughConductor as RoughConductor
    from diffrt.kinds import RoughMetal as RoughMetal
    from diffrt.kinds import RoughPlastic as RoughPlastic
    from diffrt.kinds import Sphere as Sphere
    from diffrt.kinds import SpotLight as SpotLight
    from diffrt.kinds import Triangle as Triangle
    from diffrt.kinds import register as register
    from diffrt.marking import check_gradient as check_gradient
    from diffrt.marking import verify as verify
    from diffrt.photograph import read_image as read_image
    from diffrt.scene import Scene as Scene
    from diffrt.scene import load_scene as load_scene
    from diffrt.scene import parse_scene as parse_scene
    from diffrt.tracer import jacobian as jacobian
    from diffrt.tracer import render as render
    from diffrt.tracer.checking import check as check

_HOMES = {
    "Image": "diffrt.image",
    "InputError": "diffrt.errors",
    "Scene": "diffrt.scene",
    "check": "diffrt.tracer.checking",
    "check_gradient": "diffrt.marking",
    "explain": "diffrt.explaining",
    "fit": "diffrt.fitting",
    "jacobian": "diffrt.tracer",
    "load_scene": "diffrt.scene",
    "parse_scene": "diffrt.scene",
    "read_image": "diffrt.photograph",
    "register": "diffrt.kinds",
    "render": "diffrt.tracer",
    "verify": "diffrt.marking",
}
_HOMES |= dict.fromkeys(
    ("AmbientLight", "Bitmap", "BlinnPhong", "Box", "Checkerboard", "Cone", "ConstantBackground", "Cylinder",
     "DirectionalLight", "Disk", "GradientBackground", "Lambert", "Mirror", "Orthographic", "Perspective", "Plane",
     "PointLight", "Rectangle", "RoughConductor", "RoughMetal", "RoughPlastic", "Sphere", "SpotLight", "Triangle"),
    "diffrt.kinds",
)  # fmt: skip
_ROOMS = ("autograd", "compiler", "explaining", "fitting", "kinds", "marking", "scene", "tracer", "types")
_BRIDGES = ("jax", "torch")
"""Their packages are large and may be missing, so nobody who asks for all names gets them."""

__all__ = ["autograd", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _ROOMS or name in _BRIDGES:
        return import_module(f"diffrt.{name}")
    raise AttributeError(f"module 'diffrt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
