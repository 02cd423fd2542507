"""The ray tracer: `diffrt.render(scene)`, and its derivatives, `diffrt.jacobian(scene, names)`."""

from diffrt.tracer.renderer import jacobian, render

__all__ = ["jacobian", "render"]
