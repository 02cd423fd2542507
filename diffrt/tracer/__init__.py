"""The ray tracer: `diffrt.render(scene)`, its derivatives, `diffrt.jacobian(scene, names)`, and, in `checking`,
`diffrt.check`."""

from diffrt.tracer.derivative import Derivative
from diffrt.tracer.renderer import Report, jacobian, render

__all__ = ["Derivative", "Report", "jacobian", "render"]
