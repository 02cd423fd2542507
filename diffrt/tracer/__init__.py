"""The ray tracer: `diffrt.render(scene)`, its derivatives, `diffrt.jacobian(scene, names)`, and `diffrt.check`."""

from diffrt.tracer.checking import Check, check
from diffrt.tracer.derivative import Derivative
from diffrt.tracer.renderer import Report, jacobian, render

__all__ = ["Check", "Derivative", "Report", "check", "jacobian", "render"]
