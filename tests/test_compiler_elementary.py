"""exp, log, power, erf, the circular and hyperbolic functions of compiled kernels, against 80-bit floats."""

import numpy as np
import pytest

from diffrt import autograd
from diffrt.compiler import Engine, kernel

BAR = 4.0
"""Units in the last place."""

OF_ONE = ["exp", "expm1", "log", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
          "erf", "erfc"]  # fmt: skip

SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 5e-324, -5e-324, 2.3e-308, 1e-320, 0.5, 2.0, 3.0,
                    -3.0, -2.0, 1e300, -1e300, 709.78, -745.1, 711.0, -746.0])  # fmt: skip

pytestmark = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 60, reason="this processor's long double is no better than a double"
)


def apply(name, uniforms, rows, samples):
    return getattr(autograd, name)(*samples)


def compiled(name: str, *x: np.ndarray, dtype: str = "float64") -> np.ndarray:
    return kernel(apply, name, None, None, x, Engine("llvm", 2, dtype), shading=dtype == "float32")


def draw(rng: np.random.Generator, size: int = 30_000) -> np.ndarray:
    sign = rng.choice([-1.0, 1.0], (2, size))
    return np.concatenate([
        SPECIAL, rng.standard_normal(size), sign[0] * np.exp(rng.uniform(-700.0, 700.0, size)),
        sign[1] * np.exp(rng.uniform(-20.0, 20.0, size)), rng.uniform(-750.0, 750.0, size),
        1.0 + 1e-3 * rng.standard_normal(size), rng.uniform(-1.0, 1.0, size), rng.uniform(-6.0, 27.0, size),
    ])  # fmt: skip


def units_off(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """How far numbers are from the truth, in units in the last place; inf where a special value is another."""
    with np.errstate(all="ignore"):
        rounded = truth.astype(float)
        off = np.abs(found.astype(np.longdouble) - truth) / np.spacing(np.abs(rounded)).astype(np.longdouble)
        special = ~np.isfinite(rounded) | (rounded == 0.0) | ~np.isfinite(found)
        same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
        # At the end of the range one of the two may be the largest number and the other inf.
        edge = (np.abs(truth) > 1.797e308) & (np.abs(found) > 1.797e308) & np.isfinite(truth)
    return np.where(special, np.where(same | edge, 0.0, np.inf), off.astype(float))


def exact(name: str, x: np.ndarray) -> np.ndarray:
    """In 80 bits. erf by its series of positive terms, erfc from 1.5 on by its continued fraction (Abramowitz and
    Stegun 1964, 7.1.6 and 7.1.14)."""
    x = x.astype(np.longdouble)
    if name not in ("erf", "erfc"):
        return getattr(np, name)(x)
    size, root = np.minimum(np.abs(x), 40.0), np.sqrt(np.longdouble(np.pi) + np.longdouble(1.2246467991473532e-16))
    near, far = np.minimum(size, 1.6), np.maximum(size, 1.4)
    term = total = near
    for n in range(1, 45):
        term = term * 2.0 * near * near / (2 * n + 1)
        total = total + term
    inner = 2.0 / root * np.exp(-near * near) * total
    fraction = far
    for n in range(300, 0, -1):
        fraction = far + 0.5 * n / fraction
    outer = np.exp(-far * far) / (root * fraction)
    if name == "erf":
        return np.copysign(np.where(size < 1.5, inner, 1.0 - outer), x)
    return np.where(size < 1.5, 1.0 - np.copysign(inner, x), np.where(x < 0.0, 2.0 - outer, outer))


@pytest.mark.parametrize("name", OF_ONE)
def test_function_is_within_4_units_in_the_last_place(name):
    x = draw(np.random.default_rng(1))
    if name in ("sin", "cos", "tan"):
        x = x[~(np.abs(x) > 1e18)]  # where 80 bits do not reduce the argument well enough either
    with np.errstate(all="ignore"):
        truth = exact(name, x)
    if name == "erfc":
        x, truth = x[~(x > 26.5)], truth[~(x > 26.5)]  # where the result has fewer digits
    off = units_off(compiled(name, x), truth)
    worst = np.argmax(off)
    assert off[worst] <= BAR, (x[worst], off[worst])


@pytest.mark.parametrize("name", ["power", "arctan2"])
def test_function_of_two_is_within_4_units_in_the_last_place(name):
    rng = np.random.default_rng(2)
    x, y = draw(rng), rng.permutation(draw(rng))
    x[1000:60_000], y[1000:60_000] = np.exp(rng.uniform(-3.0, 3.0, 59_000)), rng.uniform(-200.0, 200.0, 59_000)
    pairs = np.meshgrid(SPECIAL, SPECIAL)
    x, y = np.append(x, pairs[0]), np.append(y, pairs[1])
    with np.errstate(all="ignore"):
        truth = getattr(np, name)(x.astype(np.longdouble), y.astype(np.longdouble))
        expected = getattr(np, name)(x, y)
    found = compiled(name, x, y)
    # A result below the ordinary numbers has fewer digits.
    tiny = (np.abs(truth) < 1e-300) & (truth != 0.0)
    off = units_off(found[~tiny], truth[~tiny])
    worst = np.argmax(off)
    assert off[worst] <= BAR, (x[~tiny][worst], y[~tiny][worst], found[~tiny][worst])
    assert np.abs(found[tiny] - expected[tiny]).max() < 1e-314
    known = ~np.isnan(expected)
    assert np.array_equal(np.signbit(found[known]), np.signbit(expected[known]))


def test_far_angles_are_asked_of_the_c_library():
    x = np.array([1e9, -3e15, 1e22, 1e300, 2.0**31])
    for name in ("sin", "cos", "tan"):
        assert compiled(name, x) == pytest.approx(getattr(np, name)(x), rel=1e-15)


def test_the_smallest_results_of_erfc_are_right_to_their_last_bits():
    x = np.array([26.5, 26.55, 26.6, 27.0, 27.2, 27.3, 28.0, 100.0, 1e300])
    assert np.abs(compiled("erfc", x) - exact("erfc", x).astype(float)).max() < 1e-322


@pytest.mark.parametrize("name", OF_ONE)
def test_float32_computes_in_double(name):
    x = np.random.default_rng(3).uniform(0.1, 20.0, 1000).astype(np.float32).astype(float)
    if name in ("arcsin", "arccos"):
        x = (x / 20.0).astype(np.float32).astype(float)
    truth = exact(name, x).astype(float)
    assert np.abs(compiled(name, x, dtype="float32") - truth).max() <= 6e-8 * np.abs(truth).max()
