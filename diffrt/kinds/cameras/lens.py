"""What a lens does to straight lines: it moves what is at the distance u from the principal point to the distance

    v = u (1 + k1 u^2 + k2 u^4)

in the same direction, distances being tangents of the angle to the axis. So k1 < 0 makes a barrel, k1 > 0 a pincushion.
These are the radial terms by which cameras are calibrated, and k1 and k2 are those of OpenCV. Source: Zhang, A flexible
new technique for camera calibration, IEEE PAMI 22 (2000), section 3.3; after Brown, Close-range camera calibration,
Photogrammetric Engineering 37 (1971), whose series gives u from v.

A pixel is at v, and its ray at u. With m = u / v the equation says

    m (1 + a m^2 + b m^4) = 1,    a = k1 v^2,  b = k2 v^4,

whose root m(a, b) is an op with the derivatives of an implicit function, dm/da = -m^3 / (1 + 3 a m^2 + 5 b m^4) and
dm/db the same with m^5. So rays and their derivatives are as exact as if the model gave u from v, and the coefficients
are those that a calibration prints.

m falls as a grows and as b grows. So over a box of a and b it is between its values at two corners of the box, from
which follow the ranges of its derivatives there, and bounds.
"""

import math
from typing import Any

import numpy as np

from diffrt.autograd import divide
from diffrt.autograd.affine import falling
from diffrt.autograd.operations import elementwise

STEPS = 12
"""Of Newton's method. Seven reach the last digit for lenses of photographs; these also do where dv/du is only 0.05."""

_MOST = 2.5
"""Of m: where v grows with u everywhere, m is under 2.25."""

_CLOSE = 1e-12
"""What the equation may leave at a root."""

_ROUNDING = 64.0 * _CLOSE
"""Of a root, relatively, where dv/du is not much less than `STEEPEST`."""

STEEPEST = 0.05
"""The least dv/du of a lens: at 0 a lens would show the same direction twice."""


def narrowest(k1: float, k2: float, u: float) -> float:
    """The least dv/du = 1 + 3 k1 u^2 + 5 k2 u^4 from the principal point to the distance u."""
    square = u * u
    turn = -0.3 * k1 / k2 if k2 > 0.0 else 0.0
    return min(1.0 + s * (3.0 * k1 + 5.0 * k2 * s) for s in (0.0, min(max(turn, 0.0), square), square))


def _least_root(choose: Any, sqrt: Any, a: Any, b: Any) -> Any:
    """The least positive root m, nan where there is none; on arrays and in lanes, which choose and take roots each in
    their own way.

    Newton's method goes to it from one side only, but for one step, if it starts at 1, or where the curvature changes
    from convex to concave if that comes before. It never goes beyond the place where dv/du is 0.
    """

    def least(x: Any, y: Any) -> Any:
        return choose(x < y, x, y)

    spread = 9.0 * a * a - 20.0 * b
    below = sqrt(choose(spread > 0.0, spread, 0.0)) - 3.0 * a
    folds = choose(spread < 0.0, 0.0, below) > 2.0 / _MOST**2
    most = choose(folds, sqrt(2.0 / choose(folds, below, 1.0)), _MOST)
    turn = choose(a > 0.0, choose(b < 0.0, -0.3 * a / b, 1.0), 1.0)
    m = least(least(sqrt(turn), 1.0), most)
    for _ in range(STEPS):
        s = m * m
        m = least(m - (m * (1.0 + s * (a + b * s)) - 1.0) / (1.0 + s * (3.0 * a + 5.0 * b * s)), most)
    s = m * m
    return choose(abs(m * (1.0 + s * (a + b * s)) - 1.0) <= _CLOSE, m, math.nan)


def _root(a: Any, b: Any) -> Any:
    with np.errstate(all="ignore"):
        return _least_root(np.where, np.sqrt, np.asarray(a, float), np.asarray(b, float))


def _slope(power: int) -> Any:
    return lambda m, a, b: divide(-(m ** float(power)), 1.0 + m * m * (3.0 * a + 5.0 * b * m * m))


undistort = elementwise(  # not tried as `autograd.op` does: that takes as long as to read a scene
    "undistort", _root, (_slope(3), _slope(5)), module=__name__,
    scalar=lambda a, b: _root(a, b).item(),
    code=lambda t, a, b: _least_root(t.choose, lambda x: t.call("sqrt", x), a, b),
    bounds=falling("undistort", _ROUNDING),
    latex=r"\operatorname{{undistort}}({}, {})",
    about="The root m of m (1 + a m^2 + b m^4) = 1: what a lens with radial distortion divides the distance from the "
    "principal point by; nan where there is none.",
    backward="multiplies it by -m^3, or for b by -m^5, over 1 + 3 a m^2 + 5 b m^4",
)  # fmt: skip
