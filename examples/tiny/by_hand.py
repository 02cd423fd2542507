"""The whole idea in one page: a ray tracer of dot products, square roots and clamps, and its inverse.

Twelve pixels show a red ball on a gray floor. Lamp and ball are variables of `diffrt.autograd`, so the
image knows its derivative by both, and an optimiser walks back from the image to them.
"""

import sys

import numpy as np
from scipy.optimize import minimize

from diffrt.autograd import clip, cross, normalize, sqrt, sum, variable, where
from diffrt.image import Image

WIDTH, HEIGHT, RADIUS, EYE = 4, 3, 0.9, np.array([[0.0], [4.0], [4.0]])
TRUTH = np.array([0.6, 3.3, 1.7, 0.2, 1.0, 0.4])  # lamp, then centre of the ball
START = np.array([0.4, 3.1, 1.9, 0.18, 1.03, 0.37])

# Rays through the pixel centres, (3, 12).
forward = normalize(np.array([0.0, 0.3, 0.0]) - EYE[:, 0])
right = normalize(cross(forward, np.array([0.0, 1.0, 0.0])))
u, v = np.meshgrid(np.arange(WIDTH) + 0.5 - WIDTH / 2, HEIGHT / 2 - np.arange(HEIGHT) - 0.5)
pixel = 2.0 * np.tan(np.radians(35.0) / 2.0) / HEIGHT
rays = normalize(forward[:, None] + pixel * (np.outer(right, u) + np.outer(cross(right, forward), v)))


def ball_hit(origin, direction, center):
    """Distance to the ball, and a number that is positive on a hit: |o + t d - c|^2 = r^2, solved for t."""
    b = sum((center - origin) * direction, axis=0)
    inside = b * b - sum((center - origin) ** 2, axis=0) + RADIUS**2
    return b - where(inside > 0.0, sqrt(where(inside > 0.0, inside, 1.0)), 0.0), inside


def trace(unknowns):
    lamp, center = unknowns[:3, None], unknowns[3:, None]
    t_ball, inside = ball_hit(EYE, rays, center)
    is_ball = inside > 0.0
    p = EYE + where(is_ball, t_ball, -EYE[1] / rays[1]) * rays
    normal = where(is_ball, (p - center) / RADIUS, np.array([[0.0], [1.0], [0.0]]))
    albedo = np.where(is_ball, [[0.8], [0.3], [0.2]], 0.6)
    to_lamp = lamp - p
    t_shadow, blocked = ball_hit(p, normalize(to_lamp), center)
    lit = is_ball | (blocked <= 0.0) | (t_shadow <= 0.0)
    cosine = clip(sum(normal * normalize(to_lamp), axis=0), 0.0, 1.0)
    return where(lit, albedo / np.pi * 24.0 / sum(to_lamp**2, axis=0) * cosine, 0.0)


def loss(unknowns):
    """Squared difference to the target (scaled to about 1), and its gradient by one backward sweep."""
    x = variable(unknowns)
    error = 1e4 * ((trace(x) - target) ** 2).mean()
    error.backward()
    return error.value, x.grad


target = trace(TRUTH)
found = minimize(loss, START, jac=True, method="BFGS")
print(f"lamp {found.x[:3].round(6)}, ball {found.x[3:].round(6)}, loss {found.fun:.1e}")
Image(np.asarray(trace(found.x)).T.reshape(HEIGHT, WIDTH, 3)).save(sys.argv[1] if sys.argv[1:] else "tiny.png")
