"""exp, log, power and the circular functions of compiled kernels, against 80-bit floats."""

import numpy as np
import pytest

from diffrt import autograd
from diffrt.compiler import Engine, kernel

BAR = 4.0
"""Units in the last place."""

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
        1.0 + 1e-3 * rng.standard_normal(size),
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


@pytest.mark.parametrize("name", ["exp", "log", "log1p", "sin", "cos", "tan", "tanh"])
def test_function_is_within_4_units_in_the_last_place(name):
    x = draw(np.random.default_rng(1))
    if name in ("sin", "cos", "tan"):
        x = x[~(np.abs(x) > 1e18)]  # where 80 bits do not reduce the argument well enough either
    with np.errstate(all="ignore"):
        truth = getattr(np, name)(x.astype(np.longdouble))
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


@pytest.mark.parametrize("name", ["exp", "log", "log1p", "sin", "cos", "tan", "tanh"])
def test_float32_computes_in_double(name):
    x = np.random.default_rng(3).uniform(0.1, 20.0, 1000).astype(np.float32).astype(float)
    exact = getattr(np, name)(x)
    assert np.abs(compiled(name, x, dtype="float32") - exact).max() <= 6e-8 * np.abs(exact).max()
