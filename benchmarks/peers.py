"""Mitsuba 3 and JAX at the work of `bench_render.py`."""

from collections.abc import Callable
from typing import Any

import numpy as np
from three_balls import BALLS, FLOOR, FOV, INTENSITY, LAMP, POSITION, TARGET, names_of, scene_of

from diffrt.tracer.renderer import _middles as middles
from diffrt.tracer.tables import build_tables

INTEGRATORS = ("direct", "direct_projective")
"""The second one looks for silhouettes, and samples them."""


class Mitsuba:
    """The scene in Mitsuba 3 (llvm_ad_rgb), `size` pixels wide and high. Raises what Mitsuba raises without an LLVM.

    The environment variable DRJIT_LIBLLVM_PATH names its LLVM: those of Debian 12, 15 and 16,
    fail, and 19 runs.
    """

    def __init__(self, size: int) -> None:
        import drjit as dr
        import mitsuba as mi

        mi.set_variant("llvm_ad_rgb")
        mi.set_log_level(mi.LogLevel.Error)
        self.mi, self.dr = mi, dr
        t = mi.ScalarTransform4f
        self.described = {
            "type": "scene",
            "integrator": {"type": "direct"},
            "sensor": {"type": "perspective", "fov": FOV, "fov_axis": "y",
                       "to_world": t().look_at(POSITION, TARGET, [0, 1, 0]),
                       "film": {"type": "hdrfilm", "width": size, "height": size, "rfilter": {"type": "box"},
                                "pixel_format": "rgb", "sample_border": True},
                       "sampler": {"type": "multijitter"}},
            "floor": {"type": "rectangle", "to_world": t().rotate([1, 0, 0], -90).scale(1e4),
                      "bsdf": self._matte(FLOOR)},
            "lamp": {"type": "point", "position": LAMP, "intensity": {"type": "rgb", "value": [INTENSITY] * 3}},
        }  # fmt: skip
        for i, (center, radius, albedo) in enumerate(BALLS):
            to_world = t().translate(center).scale(radius)
            self.described[f"ball{i}"] = {"type": "sphere", "to_world": to_world, "bsdf": self._matte(albedo)}
        self.scene = mi.load_dict(self.described)
        self.params = mi.traverse(self.scene)
        self.wanted = [k for k, _ in self.params if k.endswith(("reflectance.value", "intensity.value"))
                       or (k.startswith("ball") and k.endswith("to_world"))]  # fmt: skip
        self.weights = mi.TensorXf(np.random.default_rng(0).random((size, size, 3)).astype(np.float32))

    @staticmethod
    def _matte(albedo: Any) -> Any:
        return {"type": "diffuse", "reflectance": {"type": "rgb", "value": albedo}}

    def image(self, samples: int, seed: int = 0) -> Any:
        """The image with so many samples per pixel."""
        return np.array(self.mi.render(self.scene, spp=samples, seed=seed), float)

    def both(self, samples: int) -> Any:
        """The image, and the gradient of the weighted sum of its pixels."""
        for key in self.wanted:
            self.dr.enable_grad(self.params[key])
        self.params.update()
        image = self.mi.render(self.scene, self.params, spp=samples)
        self.dr.backward(self.dr.sum(image * self.weights))
        found = [self.dr.grad(self.params[key]) for key in self.wanted]
        self.dr.eval(found)
        self.dr.sync_thread()
        return found

    def derivative(self, component: str, integrator: str, samples: int, seed: int) -> Any:
        """The derivative of the image by one number, in forward mode; None if Mitsuba says that it has none."""
        mi, dr = self.mi, self.dr
        scene = mi.load_dict(self.described)
        params = mi.traverse(scene)
        v = mi.Float(0.0)
        dr.enable_grad(v)
        thing, field, *_ = component.split(".")
        axis = component[-1]
        if field == "position":
            params["lamp.position"] = mi.Point3f(*(x + v * (axis == a) for x, a in zip(LAMP, "xyz", strict=True)))
        elif field == "material":
            albedo = FLOOR if thing == "floor" else BALLS[int(thing[-1])][2]
            moved = mi.Color3f(*(x + v * (axis == a) for x, a in zip(albedo, "rgb", strict=True)))
            params[f"{thing}.bsdf.reflectance.value"] = moved
        else:
            center, radius, _ = BALLS[int(thing[-1])]
            c = mi.Point3f(*(x + v * (field == "center" and axis == a) for x, a in zip(center, "xyz", strict=True)))
            r = radius + v * (field == "radius")
            params[f"{thing}.to_world"] = mi.Transform4f().translate(c).scale(mi.Vector3f(r))
        found = {"type": integrator, **({"sppi": 0} if integrator == "direct_projective" else {})}
        try:
            params.update()
            image = mi.render(scene, params, integrator=mi.load_dict(found), spp=samples, seed=seed)
            dr.forward(v)
        except RuntimeError:
            return None
        return np.array(dr.grad(image), float)


def mitsuba(size: int) -> Mitsuba | None:
    """The scene in Mitsuba 3, None if that does not run here."""
    try:
        return Mitsuba(size)
    except Exception as fault:  # whatever is missing: the package, or its LLVM
        print(f"  Mitsuba 3 is not measured: {fault}")
        return None


def jax_run(size: int, samples: int) -> Callable[[], Any] | None:
    """A function that evaluates the loss and its gradient in JAX; None if that is not there."""
    try:
        import jax
        import jax.numpy as jnp
    except ImportError as fault:
        print(f"  JAX is not measured: {fault}")
        return None
    jax.config.update("jax_enable_x64", True)
    per_side = int(samples**0.5)
    scene = scene_of(size)
    o0, _, _, d0, dx, dy = np.asarray(build_tables(scene).camera).T
    x, y = middles(size, size, per_side)
    d = d0[:, None] + x * dx[:, None] + y * dy[:, None]
    d = jnp.asarray(d / np.linalg.norm(d, axis=0))
    o = jnp.asarray(o0[:, None])
    weights = np.random.default_rng(0).random((size, size, 3)).repeat(per_side, 0).repeat(per_side, 1)
    w = jnp.asarray(weights.reshape(-1, 3).T / samples)

    def dot(a: Any, b: Any) -> Any:
        return (a * b).sum(0)

    def sphere(c: Any, r: Any, o: Any, d: Any) -> Any:
        v = c - o
        b = dot(v, d)
        q = v - b * d
        h = r * r - dot(q, q)
        return b - jnp.sqrt(jnp.where(h > 0, h, 1.0)), h > 0

    def loss(v: Any) -> Any:
        balls = [(v[7 * i : 7 * i + 3, None], v[7 * i + 3], v[7 * i + 4 : 7 * i + 7, None]) for i in range(3)]
        floor, lamp = v[21:24, None], v[24:27, None]
        t, hit = jnp.where(d[1] < 0, -o[1] / d[1], jnp.inf), jnp.zeros(d.shape[1], int)
        for i, (c, r, _) in enumerate(balls):
            ti, inside = sphere(c, r, o, d)
            closer = inside & (ti > 0) & (ti < t)
            t, hit = jnp.where(closer, ti, t), jnp.where(closer, i + 1, hit)
        met = jnp.isfinite(t)
        p = o + jnp.where(met, t, 1.0) * d
        n = jnp.array([0.0, 1.0, 0.0])[:, None] + 0.0 * p
        albedo = floor + 0.0 * p
        for i, (c, r, a) in enumerate(balls):
            n, albedo = jnp.where(hit == i + 1, (p - c) / r, n), jnp.where(hit == i + 1, a, albedo)
        v_light = lamp - p
        square = dot(v_light, v_light)
        distance = jnp.sqrt(square)
        to_light = v_light / distance
        lit = met
        for i, (c, r, _) in enumerate(balls):
            ti, inside = sphere(c, r, p, to_light)
            lit = lit & ~(inside & (ti > 1e-9) & (ti < distance) & (hit != i + 1))
        cosine = jnp.where(lit, jnp.maximum(dot(n, to_light), 0.0), 0.0)
        return (albedo / jnp.pi * INTENSITY / square * cosine * w).sum()

    both = jax.jit(jax.value_and_grad(loss))
    at = jnp.asarray(scene.pack(names_of()))
    return lambda: jax.block_until_ready(both(at))
