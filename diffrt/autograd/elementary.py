"""exp, log, power, the circular and hyperbolic functions and erf on vectors of doubles: the code of these ops in
kernels.

They are here and not with the compiler so that a row of the op table is whole; what they write with, a text and its
lanes, the compiler hands to them (diffrt/compiler/lanes.py). Each is correct to a few units in the last place
(tests/test_compiler_elementary.py measures them). Reductions and polynomials: the coefficients are those of fdlibm (Sun
Microsystems, 1993), that of tanh of Cephes (Moshier, 1989). Products that must keep their low part go through a fused
multiply-add.
"""

import struct
from math import inf, nan, pi
from typing import Any, TypeAlias

Text: TypeAlias = Any
Lanes: TypeAlias = Any

_MAGIC = 1.5 * 2.0**52  # added to a number of moderate size it leaves the nearest integer in the low bits
_MAGIC_BITS = struct.unpack(">q", struct.pack(">d", _MAGIC))[0]
_LN2 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_EXP = (1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05,
        -1.65339022054652515390e-06, 4.13813679705723846039e-08)  # fmt: skip
_LOG_EVEN = 3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01
_LOG_ODD = (6.666666666666735130e-01, 2.857142874366239149e-01, 1.818357216161805012e-01, 1.479819860511658591e-01)
_SIN = (-1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04,
        2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10)  # fmt: skip
_COS = (4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
        -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11)  # fmt: skip
_HALF_PI = 1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33
_ATAN = (3.33333333333329318027e-01, -1.99999999998764832476e-01, 1.42857142725034663711e-01,
         -1.11111104054623557880e-01, 9.09088713343650656196e-02, -7.69187620504482999495e-02,
         6.66107313738753120669e-02, -5.83357013379057348645e-02, 4.97687799461593236017e-02,
         -3.65315727442169155270e-02, 1.62858201153657823623e-02)  # fmt: skip
_TANH = (-1.61468768441708447952e03, -9.92877231001918586564e01, -9.64399179425052238628e-01)
_TANH_BELOW = 4.84406305325125486048e03, 2.23548839060100448583e03, 1.12811678491632931402e02, 1.0
_ERF_NEAR = (0.12837916709551256, -0.3250421072470015, -0.02848174957559851, -0.005770270296489442,
             -2.3763016656650163e-05)  # fmt: skip
_ERF_NEAR_BELOW = (1.0, 0.39791722395915535, 0.0650222499887673, 0.005081306281875766,
                   0.00013249473800432164, -3.960228278775368e-06)  # fmt: skip
_ERF_ONE = (-0.0023621185607526594, 0.41485611868374833, -0.3722078760357013, 0.31834661990116175,
            -0.11089469428239668, 0.035478304325618236, -0.002166375594868791)  # fmt: skip
_ERF_ONE_BELOW = (1.0, 0.10642088040084423, 0.540397917702171, 0.07182865441419627, 0.12617121980876164,
                  0.01363708391202905, 0.011984499846799107)  # fmt: skip
_ERFC = (-0.009864944034847148, -0.6938585727071818, -10.558626225323291, -62.375332450326006,
         -162.39666946257347, -184.60509290671104, -81.2874355063066, -9.814329344169145)  # fmt: skip
_ERFC_BELOW = (1.0, 19.651271667439257, 137.65775414351904, 434.56587747522923, 645.3872717332679,
               429.00814002756783, 108.63500554177944, 6.570249770319282, -0.0604244152148581)  # fmt: skip
_ERFC_FAR = (-0.0098649429247001, -0.799283237680523, -17.757954917754752, -160.63638485582192,
             -637.5664433683896, -1025.0951316110772, -483.5191916086514)  # fmt: skip
_ERFC_FAR_BELOW = (1.0, 30.33806074348246, 325.7925129965739, 1536.729586084437, 3199.8582195085955,
                   2553.0504064331644, 474.52854120695537, -22.44095244658582)  # fmt: skip
_ERF_OF_ONE = 8.45062911510467529297e-01  # rounded, so that sums with it keep their digits
_FAR = 2.0**30  # beyond, the circular functions are asked of the C library, lane by lane


def _polynomial(x: Lanes, coefficients: tuple[float, ...]) -> Lanes:
    """c0 + c1 x + c2 x^2 + ..."""
    total = x.text.known(coefficients[-1], "double")
    for c in reversed(coefficients[:-1]):
        total = x.text.fma(x, total, c)
    return total


def _scaled(t: Text, y: Lanes, k: Lanes) -> Lanes:
    """y * 2^k for integers k from -2000 to 2000, in two steps, so that each factor is an ordinary number."""
    # Half of k, rounded down, of an integer that may be negative: shift it up first.
    half = ((k + 4096) >> 1) - 2048
    for part in (half, k - half):
        y = y * ((part + 1023) << 52).bits()
    return y


def exp(t: Text, x: Lanes, low: Lanes | float | None = None) -> Lanes:
    """exp(x + low)."""
    above, _, k = _exp_parts(t, x, low)
    return _scaled(t, 1.0 + above, k)


def _exp_parts(t: Text, x: Lanes, low: Lanes | float | None = None) -> tuple[Lanes, Lanes, Lanes]:
    """exp(r) - 1 with all its digits, k as a double and as an integer: k is next to x / ln 2, r = x + low - k ln 2."""
    x = t.choose(x > 720.0, 720.0, x)
    x = t.choose(x < -760.0, -760.0, x)
    shifted = t.fma(x, 1.44269504088896338700, _MAGIC)
    number, k = shifted - _MAGIC, shifted.bits() - _MAGIC_BITS
    high, rest = t.fma(-number, _LN2[0], x), number * _LN2[1]
    if low is not None:
        rest = rest - low
    r = high - rest
    square = r * r
    c = r - square * _polynomial(square, _EXP)
    return high - (rest - (r * c) / (2.0 - c)), number, k


def expm1(t: Text, x: Lanes) -> Lanes:
    """2^k ((exp(r) - 1) + (1 - 2^-k)); below -50 it is -1."""
    above, number, k = _exp_parts(t, t.choose(x < -50.0, -50.0, x))
    # For k beyond 64 the power 2^-k is nothing beside 1, and might be no ordinary number.
    bounded = (t.choose(number > 64.0, 64.0, number) + _MAGIC).bits() - _MAGIC_BITS
    inverse = ((1023 - bounded) << 52).bits()
    return t.choose(x.is_(0.0), x, _scaled(t, above + (1.0 - inverse), k))


def _half_exp(t: Text, size: Lanes) -> Lanes:
    """exp(size) / 2, which overflows only where sinh does."""
    return exp(t, size - _LN2[0], -_LN2[1])


def sinh(t: Text, x: Lanes) -> Lanes:
    """(e + e / (e + 1)) / 2 with e = exp(|x|) - 1 where that is small, else (exp |x| - exp -|x|) / 2, with x's sign."""
    size = t.call("fabs", x)
    e, half = expm1(t, size), _half_exp(t, size)
    return t.call("copysign", t.choose(size < 1.0, 0.5 * (e + e / (e + 1.0)), half - 0.25 / half), x)


def cosh(t: Text, x: Lanes) -> Lanes:
    """(exp |x| + exp -|x|) / 2."""
    half = _half_exp(t, t.call("fabs", x))
    return half + 0.25 / half


def _parts(t: Text, x: Lanes) -> tuple[Lanes, Lanes]:
    """m and k with x = m 2^k, m from sqrt(1/2) to sqrt(2), of positive numbers."""
    tiny = x < 2.0**-1022
    x = t.choose(tiny, x * 2.0**54, x)
    root = 0x3FE6A09E << 32
    bits = x.bits() + ((0x3FF << 52) - root)
    k = (bits >> 52) + t.choose(tiny, t.known(-1023 - 54, "i64"), t.known(-1023, "i64"))
    m = ((bits & ((1 << 52) - 1)) + root).bits()
    return m, (k + _MAGIC_BITS).bits() - _MAGIC


def log(t: Text, x: Lanes) -> Lanes:
    """With x = m 2^k, f = m - 1, s = f / (2 + f): log m = 2 atanh s = f - f^2/2 + s (f^2/2 + R(s^2))."""
    m, k = _parts(t, x)
    f = m - 1.0
    half = 0.5 * f * f
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    rest = w * _polynomial(w, _LOG_EVEN) + z * _polynomial(w, _LOG_ODD)
    found = k * _LN2[0] - ((half - (s * (half + rest) + k * _LN2[1])) - f)
    found = t.choose(x.is_(inf), inf, found)
    found = t.choose(x < 0.0, nan, found)
    found = t.choose(x.is_(0.0), -inf, found)
    return t.choose(x.is_not(x), x, found)


def log1p(t: Text, x: Lanes) -> Lanes:
    """log(u) + r / u, where u is 1 + x rounded and r what rounding took from it."""
    u, rest = _sum(t.known(1.0, "double"), x)
    found = log(t, u) + rest / u
    found = t.choose(u.is_(0.0), -inf, t.choose(x.is_(inf), inf, found))
    return t.choose(x.is_(0.0) | x.is_not(x), x, found)


def _sum(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """a + b and what rounding took from it (Knuth)."""
    s = a + b
    back = s - a
    return s, (a - (s - back)) + (b - back)


def _log_in_two(t: Text, x: Lanes) -> tuple[Lanes, Lanes]:
    """The logarithm of positive numbers as a sum of two, to about 2^-64: 2 s (1 + z/3 + z^2/5 + ...) + k ln 2."""
    m, k = _parts(t, x)
    f = m - 1.0
    below, below_low = _sum(m, t.known(1.0, "double"))
    s = f / below
    s_low = (t.fma(-s, below, f) - s * below_low) / below
    z = s * s
    z_low = t.fma(s, s, -z) + 2.0 * s * s_low
    third = 1.0 / 3.0
    u = z * third
    tail = _polynomial(z, tuple(1.0 / (2 * n + 1) for n in range(2, 15)))
    u_low = t.fma(z, third, -u) + z * 1.850371707708594e-17 + z_low * third + z * z * tail
    one, one_low = _sum(t.known(1.0, "double"), u)
    one_low = one_low + u_low
    s, s_low = 2.0 * s, 2.0 * s_low
    w = s * one
    w_low = t.fma(s, one, -w) + s * one_low + s_low * one
    high, low = _sum(k * _LN2[0], w)
    low = low + (w_low + k * _LN2[1])
    return _sum(high, low)


def power(t: Text, x: Lanes, y: Lanes) -> Lanes:
    """exp(y log |x|) with the product in two parts; the sign, and the special cases, as IEEE 754 has them."""
    size = t.call("fabs", x)
    high, low = _log_in_two(t, size)
    at_end = size.is_(0.0) | size.is_(inf)
    high = t.choose(size.is_(0.0), -inf, t.choose(size.is_(inf), inf, high))
    low = t.choose(at_end, 0.0, low)
    p = high * y
    p_low = t.fma(high, y, -p) + low * y
    p_low = t.choose(t.call("fabs", p) < 800.0, p_low, 0.0)
    found = exp(t, p, p_low)
    whole = t.call("rint", y).is_(y)
    half = y * 0.5
    odd = whole & t.call("rint", half).is_not(half)
    negative = (x.bits() >> 63).is_not(0)
    found = t.choose(negative & odd, -found, found)
    found = t.choose((x < 0.0) & (x > -inf) & (whole ^ 1), nan, found)
    found = t.choose(size.is_(1.0) & ((negative ^ 1) | t.call("fabs", y).is_(inf)), 1.0, found)
    found = t.choose(x.is_not(x) | (y.is_not(y) & x.is_not(1.0)), nan, found)
    return t.choose(y.is_(0.0), 1.0, found)


def _circle(t: Text, x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """Sine and cosine of x - n pi/2, n the nearest integer, and n. The product n pi/2 is taken in three parts."""
    shifted = t.fma(x, 2.0 / pi, _MAGIC)
    n, quadrant = shifted - _MAGIC, shifted.bits() - _MAGIC_BITS
    p = n * _HALF_PI[0]
    p_low = t.fma(n, _HALF_PI[0], -p)
    q = n * _HALF_PI[1]
    q_low = t.fma(n, _HALF_PI[1], -q)
    first, first_low = _sum(x - p, -p_low)
    second, second_low = _sum(first, -q)
    low = first_low + second_low - q_low - n * _HALF_PI[2]
    r = second + low
    low = (second - r) + low
    z = r * r
    cube = z * r
    sine = r - ((z * (0.5 * low - cube * _polynomial(z, _SIN[1:])) - low) - cube * _SIN[0])
    half = 0.5 * z
    most = 1.0 - half
    cosine = most + (((1.0 - most) - half) + (z * (z * _polynomial(z, _COS)) - r * low))
    return sine, cosine, quadrant


def _turned(t: Text, x: Lanes, ahead: int) -> Lanes:
    """The sine of x + ahead pi/2."""
    sine, cosine, quadrant = _circle(t, x)
    quadrant = quadrant + ahead
    found = t.choose((quadrant & 1).is_(0), sine, cosine)
    return t.choose((quadrant & 2).is_(0), found, -found)


def sin(t: Text, x: Lanes) -> Lanes:
    return _near(t, "sin", x, t.choose(x.is_(0.0), x, _turned(t, x, 0)))


def cos(t: Text, x: Lanes) -> Lanes:
    return _near(t, "cos", x, _turned(t, x, 1))


def tan(t: Text, x: Lanes) -> Lanes:
    sine, cosine, quadrant = _circle(t, x)
    even = (quadrant & 1).is_(0)
    found = t.choose(even, sine, -cosine) / t.choose(even, cosine, sine)
    return _near(t, "tan", x, t.choose(x.is_(0.0), x, found))


def _near(t: Text, name: str, x: Lanes, found: Lanes) -> Lanes:
    """What was found, and where x is far from zero what the C library finds."""
    return t.seldom(t.call("fabs", x) > _FAR, lambda: t.library(name, x), found)


def tanh(t: Text, x: Lanes) -> Lanes:
    """x + x^3 P(x^2) / Q(x^2) where x is small, else 1 - 2 / (exp(2 |x|) + 1) with the sign of x."""
    size = t.call("fabs", x)
    z = x * x
    small = t.fma(x * z, _polynomial(z, _TANH) / _polynomial(z, _TANH_BELOW), x)
    large = 1.0 - t.known(2.0, "double") / (exp(t, 2.0 * size) + 1.0)
    return t.choose(size < 0.625, small, t.call("copysign", large, x))


def arctan2(t: Text, y: Lanes, x: Lanes) -> Lanes:
    """atan(a / b) of the smaller size a over the larger b; from tan(pi/8) on, pi/4 + atan((a - b) / (a + b))."""
    size_x, size_y = t.call("fabs", x), t.call("fabs", y)
    steep = size_y > size_x
    a, b = t.choose(steep, size_x, size_y), t.choose(steep, size_y, size_x)
    both = a.is_(inf)
    a, b = t.choose(both, 1.0, a), t.choose(both, 1.0, b)
    b = t.choose(b.is_(0.0), 1.0, b)
    wide = a > 0.41421356237309503 * b
    u = t.choose(wide, a - b, a) / t.choose(wide, a + b, b)
    z = u * u
    found = u - u * (z * _polynomial(z, _ATAN))
    quarter = 0.25 * pi, 3.061616997868383e-17
    found = t.choose(wide, quarter[0] + (found + quarter[1]), found)
    found = t.choose(steep, _HALF_PI[0] - (found - _HALF_PI[1]), found)
    behind = (x.bits() >> 63).is_not(0)
    found = t.choose(behind, pi - (found - 1.2246467991473532e-16), found)
    found = t.choose(x.is_not(x) | y.is_not(y), nan, found)
    return t.call("copysign", found, y)


def arctan(t: Text, x: Lanes) -> Lanes:
    return arctan2(t, x, t.known(1.0, "double"))


def arcsin(t: Text, x: Lanes) -> Lanes:
    """The angle of (cosine, sine) = (sqrt(1 - x^2), x)."""
    return arctan2(t, x, _other_leg(t, x))


def arccos(t: Text, x: Lanes) -> Lanes:
    """The angle of (cosine, sine) = (x, sqrt(1 - x^2))."""
    return arctan2(t, _other_leg(t, x), x)


def _other_leg(t: Text, x: Lanes) -> Lanes:
    """sqrt(1 - x^2); nan where |x| > 1."""
    return t.call("sqrt", (1.0 - x) * (1.0 + x))


def erf(t: Text, x: Lanes) -> Lanes:
    """x + x R(x^2) to 0.84; erf 1 + P(|x| - 1) to 1.25; 1 - erfc |x| beyond, with the sign of x."""
    size, near, middle = _erf_parts(t, x)
    found = t.choose(size < 0.84375, x + near, t.call("copysign", _ERF_OF_ONE + middle, x))
    return t.seldom(size >= 1.25, lambda: t.call("copysign", 1.0 - _erfc_far(t, size), x), found)


def erfc(t: Text, x: Lanes) -> Lanes:
    """1 - erf x in the same parts, each without a small difference of large numbers."""
    size, near, middle = _erf_parts(t, x)
    left = x < 0.0
    small = t.choose(x < 0.25, 1.0 - (x + near), 0.5 - ((x - 0.5) + near))
    middle = t.choose(left, 1.0 + (_ERF_OF_ONE + middle), (1.0 - _ERF_OF_ONE) - middle)

    def far() -> Lanes:
        tail = _erfc_far(t, size)
        return t.choose(left, 2.0 - tail, tail)

    return t.seldom(size >= 1.25, far, t.choose(size < 0.84375, small, middle))


def _erf_parts(t: Text, x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """|x|, erf x - x for |x| < 0.84, and erf |x| - erf 1 for |x| from there to 1.25."""
    size = t.call("fabs", x)
    z, s = x * x, size - 1.0
    near = x * (_polynomial(z, _ERF_NEAR) / _polynomial(z, _ERF_NEAR_BELOW))
    return size, near, _polynomial(s, _ERF_ONE) / _polynomial(s, _ERF_ONE_BELOW)


def _erfc_far(t: Text, size: Lanes) -> Lanes:
    """erfc of numbers from 1.25: exp(-x^2 - 0.5625 + R(1 / x^2)) / x. The square is taken of the upper half of the
    bits, where it is exact, and the rest of it is a second factor."""
    size = t.choose(size > 30.0, 30.0, size)
    s = 1.0 / (size * size)
    near = size < 1.0 / 0.35
    over = t.choose(near, _polynomial(s, _ERFC), _polynomial(s, _ERFC_FAR))
    below = t.choose(near, _polynomial(s, _ERFC_BELOW), _polynomial(s, _ERFC_FAR_BELOW))
    upper = (size.bits() & -(1 << 32)).bits()
    return exp(t, -upper * upper - 0.5625) * exp(t, (upper - size) * (upper + size) + over / below) / size
