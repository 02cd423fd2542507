"""Rough surfaces as many small mirrors, microfacets, whose normals h are spread by the GGX distribution (Walter et al.,
"Microfacet models for refraction through rough surfaces", 2007):

    f = F(v . h) D(h) G1(v) G1(l) / (4 (n . v) (n . l)),    h the half vector of v, to the eye, and l, to the light

    D(h) = a^2 / (pi ((n . h)^2 a^2 + |n x h|^2)^2)
    G1(v) = 2 (n . v) / (n . v + sqrt(a^2 + (1 - a^2) (n . v)^2))

a is the roughness alpha, F the Fresnel reflectance of a facet, and the product of two G1 is Smith's separable masking
and shadowing. Light that would go on to other facets is lost, as in Walter's model: a rough surface is a little darker
than a smooth one. In D, |n x h|^2 keeps the digits that 1 - (n . h)^2 would lose in narrow highlights; the cosines
under G1 cancel those of f, so nothing is divided by zero at grazing angles.

What a surface sends to v of even light from everywhere is the mean of F G1(l) over the microfacet normals that v sees
(Heitz, "Sampling the GGX distribution of visible normals", 2018). It has no closed form; here is a fixed rule for it.
"""

from collections.abc import Callable
from functools import cache
from math import pi
from typing import Any

import numpy as np

from diffrt.autograd import absolute, greater, maximum, reshape, sqrt, sum, where
from diffrt.kinds.kind import Material
from diffrt.kinds.vectors import cross, dot

TINY = 1e-30
"""The least square of a vector that directions are taken from: an eye and a light that are opposite have no half
vector."""

Fresnel = Callable[[Any], Any]
"""From the cosine of the angle between ray and facet to the share that is mirrored."""


def lobe(alpha: Any, n: Any, v: Any, l: Any) -> tuple[Any, Any]:  # noqa: E741
    """f without F, (N,) in 1/sr, and the cosine v . h that F is to be taken at, (N,).

    alpha: (N,). n, v, l: unit vectors (3, N): the normal, to the eye and to the light.
    """
    h = v + l  # not of length 1: with |h|^2 = s, v . h is sqrt(s) / 2 and D is a^2 (s / q)^2 / pi
    a2, along, across = alpha * alpha, dot(n, h), cross(n, h)
    s = maximum(dot(h, h), TINY)
    q = maximum(a2 * (along * along) + dot(across, across), a2 * TINY)
    to_v, to_l = (maximum(dot(n, x), 0.0) for x in (v, l))
    ratio = s / q
    return a2 * ratio * ratio / (pi * _masked(a2, to_v) * _masked(a2, to_l)), 0.5 * sqrt(s)


def strongest(alpha: Any) -> Any:
    """No less than `lobe` times the cosine of the light, (N,) in 1/sr.

    As q >= a^2 s, the ratio s / q is 1 / a^2 at most; the cosine over its 2 cosine / G1 is 1 / 2 at most, and the other
    2 cosine / G1 a at least.
    """
    return 1.0 / (2.0 * pi * alpha * alpha * alpha)


ALL = 1.0 + 2.0**-6
"""No less than the share of even light that microfacets mirror by the rules below, which may be wrong by 0.013."""


def _masked(a2: Any, cosine: Any) -> Any:
    """2 cosine / G1."""
    return cosine + sqrt(a2 + (1.0 - a2) * (cosine * cosine))


@cache
def _disk(rings: int, angles: int) -> tuple[Any, Any, Any]:
    """A rule for means over the unit disk of functions even in x: x and y of its points, and their weights, (M, 1).

    Radii are Gauss' points in the square root of 1 - r^2, with which the steepness of facets goes.
    """
    points, weights = np.polynomial.legendre.leggauss(rings)
    w = 0.5 * (points + 1.0)
    r, angle = np.sqrt(1.0 - w * w), (np.arange(angles) + 0.5) * (pi / angles)
    weight = np.repeat(weights * w / angles, angles)
    return np.outer(r, np.sin(angle)).reshape(-1, 1), np.outer(r, np.cos(angle)).reshape(-1, 1), weight[:, None]


FINE, COARSE = (6, 4), (4, 3)
"""The rings and angles of rules of 48 and of 24 directions, the latter for coats, which mirror little. Both are wrong
by at most 0.013 of the radiance around, and mostly by less than 0.005."""


def reflected_share(alpha: Any, cosine: Any, fresnel: Fresnel, rule: tuple[int, int]) -> Any:
    """The share of even light from everywhere that microfacets mirror to an eye, (..., N).

    alpha: (N,). cosine: n . v, (N,). fresnel: from cosines (M, N) to shares (M, N), or (M, 3, N) of colour channels.
    rule: FINE or COARSE.
    """
    x, y, weight = _disk(*rule)
    # In the plane of n and v: v stretched to where alpha is 1; the disk is what v sees of the facets there.
    sine = sqrt(maximum(1.0 - cosine * cosine, 1e-12))
    stretched = sqrt(alpha * alpha * (sine * sine) + cosine * cosine)
    vx, vz = alpha * sine / stretched, cosine / stretched
    half = 0.5 + 0.5 * vz
    up = (1.0 - half) * np.sqrt(1.0 - x * x) + half * y
    out = sqrt(maximum(1.0 - x * x - up * up, 0.0))
    hx, hz = alpha * (out * vx - up * vz), up * vx + out * vz
    size = sqrt(alpha * alpha + (1.0 - alpha * alpha) * (hz * hz))  # with alpha = 1 it has the length 1
    facet = (sine * hx + cosine * hz) / size
    to_light = 2.0 * facet * hz / size - cosine
    a2 = alpha * alpha
    lit = maximum(to_light, 0.0)
    shown = 2.0 * lit / _masked(a2, lit) * weight
    share = fresnel(maximum(facet, 0.0))
    if len(np.shape(share)) == 3:
        shown = reshape(shown, (shown.shape[0], 1, shown.shape[1]))
    return sum(share * shown, axis=0)


def schlick(cosine: Any, normal: Any) -> Any:
    """Schlick's approximation (1994) of Fresnel reflectance. normal: at normal incidence."""
    rest = 1.0 - cosine
    square = rest * rest
    return normal + (1.0 - normal) * (square * square * rest)


def dielectric(cosine: Any, ior: Any) -> Any:
    """Fresnel reflectance of unpolarised light at a transparent substance, from outside (Walter 2007, equation 22).

    ior: its refractive index, 1 or more."""
    g = sqrt(ior * ior - 1.0 + cosine * cosine)
    plus, minus = g + cosine, g - cosine
    first, second = minus / plus, (cosine * plus - 1.0) / (cosine * minus + 1.0)
    return 0.5 * first * first * (1.0 + second * second)


def conductor(cosine: Any, eta: Any, k: Any) -> Any:
    """Fresnel reflectance of unpolarised light at a metal of refractive index eta + i k.

    With p + i q the root of (eta + i k)^2 - sin^2, and m = p^2 + q^2 (Born and Wolf, Principles of Optics, 14.2):

        Rs = (m + cos^2 - 2 p cos) / (m + cos^2 + 2 p cos)
        Rp = Rs (m cos^2 + sin^4 - 2 p cos sin^2) / (m cos^2 + sin^4 + 2 p cos sin^2)
    """
    square = cosine * cosine
    sine = 1.0 - square
    real, imaginary = eta * eta - k * k - sine, 2.0 * eta * k
    m = sqrt(real * real + imaginary * imaginary)
    # Of p and q the larger one is a sum without loss of digits; the other follows from p q = eta k.
    larger = sqrt(maximum(0.5 * (m + absolute(real)), TINY))
    p = where(greater(real, 0.0), larger, 0.5 * imaginary / larger)
    first, second = m + square, 2.0 * p * cosine
    third, fourth = m * square + sine * sine, second * sine
    s = (first - second) / (first + second)
    return 0.5 * s * (1.0 + (third - fourth) / (third + fourth))


class Microfacets(Material):
    """A surface of microfacets alone, which has a roughness alpha."""

    alpha: Any

    def fresnel(self, cosine: Any) -> Any:
        """The share that a facet mirrors, (..., 3, N), by the cosine of the angle between it and the ray, (..., N)."""
        raise NotImplementedError

    def brdf(self, n: Any, to_eye: Any, to_light: Any) -> Any:
        share, cosine = lobe(self.alpha, n, to_eye, to_light)
        return share * self.fresnel(cosine)

    def ambient(self, n: Any, to_eye: Any) -> Any:
        return reflected_share(self.alpha, dot(n, to_eye), lambda cosine: self.fresnel(cosine[:, None]), FINE)

    def at_most(self) -> tuple[Any, Any]:
        return strongest(self.alpha), ALL
