"""exp, log, log1p, power, sin, cos, tan, tanh and arctan2 of vectors, as text of LLVM's language.

Each is correct to a few units in the last place (tests/test_compiler_elementary.py measures them). Reductions and
polynomials: the coefficients are those of fdlibm (Sun Microsystems, 1993), that of tanh of Cephes (Moshier, 1989).
Products that must keep their low part go through a fused multiply-add. In float32 they compute in double.
"""

import struct
from collections.abc import Callable
from math import inf, nan, pi


class Lanes:
    """A vector of doubles, integers or booleans in a text that is being written."""

    def __init__(self, text: "Text", kind: str, name: str) -> None:
        self.text, self.kind, self.name = text, kind, name

    def _other(self, x: "Lanes | float | int") -> "Lanes":
        return x if isinstance(x, Lanes) else self.text.known(x, self.kind)

    def _two(self, op: str, x: "Lanes | float | int", kind: str = "") -> "Lanes":
        return self.text.new(f"{op} {self.text.type(self.kind)} {self.name}, {self._other(x).name}", kind or self.kind)

    def __add__(self, x: "Lanes | float | int") -> "Lanes":
        return self._two("fadd" if self.kind == "double" else "add", x)

    def __sub__(self, x: "Lanes | float | int") -> "Lanes":
        return self._two("fsub" if self.kind == "double" else "sub", x)

    def __mul__(self, x: "Lanes | float | int") -> "Lanes":
        return self._two("fmul", x)

    def __truediv__(self, x: "Lanes | float | int") -> "Lanes":
        return self._two("fdiv", x)

    def __rsub__(self, x: "float") -> "Lanes":
        return self._other(x) - self

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> "Lanes":
        return self.text.new(f"fneg {self.text.type(self.kind)} {self.name}", self.kind)

    def __and__(self, x: "Lanes | int") -> "Lanes":
        return self._two("and", x)

    def __or__(self, x: "Lanes | int") -> "Lanes":
        return self._two("or", x)

    def __xor__(self, x: "Lanes | int") -> "Lanes":
        return self._two("xor", x)

    def __lshift__(self, x: int) -> "Lanes":
        return self._two("shl", x)

    def __rshift__(self, x: int) -> "Lanes":
        return self._two("lshr", x)

    def __lt__(self, x: "Lanes | float") -> "Lanes":
        return self._two("fcmp olt", x, "i1")

    def __gt__(self, x: "Lanes | float") -> "Lanes":
        return self._two("fcmp ogt", x, "i1")

    def is_(self, x: "Lanes | float | int") -> "Lanes":
        """Whether the entries are equal."""
        return self._two("fcmp oeq" if self.kind == "double" else "icmp eq", x, "i1")

    def is_not(self, x: "Lanes | float | int") -> "Lanes":
        """Whether the entries differ."""
        return self._two("fcmp une" if self.kind == "double" else "icmp ne", x, "i1")

    def bits(self) -> "Lanes":
        """The bits of doubles as integers, or the other way."""
        kind = "i64" if self.kind == "double" else "double"
        return self.text.new(f"bitcast {self.text.type(self.kind)} {self.name} to {self.text.type(kind)}", kind)


class Text:
    """The body of a function on vectors of doubles."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines: list[str] = []
        self.declared: set[str] = set()

    def type(self, kind: str) -> str:
        """The vector of a kind of entries."""
        return f"<{self.width} x {kind}>"

    def new(self, what: str, kind: str) -> Lanes:
        """The result of an instruction."""
        name = f"%e{len(self.lines)}"
        self.lines.append(f"  {name} = {what}")
        return Lanes(self, kind, name)

    def known(self, x: float | int, kind: str) -> Lanes:
        """A constant."""
        plain = "0x" + struct.pack(">d", x).hex().upper() if kind == "double" else str(int(x))
        return Lanes(self, kind, f"splat ({kind} {plain})")

    def call(self, name: str, *x: Lanes) -> Lanes:
        """An intrinsic on doubles."""
        whole = f"llvm.{name}.v{self.width}f64"
        kind = self.type("double")
        self.declared.add(f"declare {kind} @{whole}({', '.join([kind] * len(x))})")
        return self.new(f"call {kind} @{whole}({', '.join(f'{kind} {a.name}' for a in x)})", "double")

    def fma(self, a: Lanes, b: Lanes | float, c: Lanes | float) -> Lanes:
        """a * b + c, rounded once."""
        return self.call("fma", a, a._other(b), a._other(c))

    def choose(self, condition: Lanes, a: Lanes | float | int, b: Lanes | float | int) -> Lanes:
        """a where the condition is true, else b."""
        kind = a.kind if isinstance(a, Lanes) else b.kind if isinstance(b, Lanes) else "double"
        x, y = (v if isinstance(v, Lanes) else self.known(v, kind) for v in (a, b))
        whole = self.type(kind)
        return self.new(f"select {self.type('i1')} {condition.name}, {whole} {x.name}, {whole} {y.name}", kind)


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
_FAR = 2.0**30  # beyond, sine and cosine are asked of the C library, lane by lane


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


def _exp(t: Text, x: Lanes, low: Lanes | None = None) -> Lanes:
    """exp(x + low). With k the integer next to x / ln 2 and r = x - k ln 2: 2^k exp(r)."""
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
    return _scaled(t, 1.0 - ((rest - (r * c) / (2.0 - c)) - high), k)


def _parts(t: Text, x: Lanes) -> tuple[Lanes, Lanes]:
    """m and k with x = m 2^k, m from sqrt(1/2) to sqrt(2), of positive numbers."""
    tiny = x < 2.0**-1022
    x = t.choose(tiny, x * 2.0**54, x)
    root = 0x3FE6A09E << 32
    bits = x.bits() + ((0x3FF << 52) - root)
    k = (bits >> 52) + t.choose(tiny, t.known(-1023 - 54, "i64"), t.known(-1023, "i64"))
    m = ((bits & ((1 << 52) - 1)) + root).bits()
    return m, (k + _MAGIC_BITS).bits() - _MAGIC


def _log(t: Text, x: Lanes) -> Lanes:
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


def _log1p(t: Text, x: Lanes) -> Lanes:
    """log(u) + r / u, where u is 1 + x rounded and r what rounding took from it."""
    u, rest = _sum(t.known(1.0, "double"), x)
    found = _log(t, u) + rest / u
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


def _power(t: Text, x: Lanes, y: Lanes) -> Lanes:
    """exp(y log |x|) with the product in two parts; the sign, and the special cases, as IEEE 754 has them."""
    size = t.call("fabs", x)
    high, low = _log_in_two(t, size)
    at_end = size.is_(0.0) | size.is_(inf)
    high = t.choose(size.is_(0.0), -inf, t.choose(size.is_(inf), inf, high))
    low = t.choose(at_end, 0.0, low)
    p = high * y
    p_low = t.fma(high, y, -p) + low * y
    p_low = t.choose(t.call("fabs", p) < 800.0, p_low, 0.0)
    found = _exp(t, p, p_low)
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


def _sin(t: Text, x: Lanes) -> Lanes:
    return t.choose(x.is_(0.0), x, _turned(t, x, 0))


def _cos(t: Text, x: Lanes) -> Lanes:
    return _turned(t, x, 1)


def _tan(t: Text, x: Lanes) -> Lanes:
    sine, cosine, quadrant = _circle(t, x)
    even = (quadrant & 1).is_(0)
    found = t.choose(even, sine, -cosine) / t.choose(even, cosine, sine)
    return t.choose(x.is_(0.0), x, found)


def _tanh(t: Text, x: Lanes) -> Lanes:
    """x + x^3 P(x^2) / Q(x^2) where x is small, else 1 - 2 / (exp(2 |x|) + 1) with the sign of x."""
    size = t.call("fabs", x)
    z = x * x
    small = t.fma(x * z, _polynomial(z, _TANH) / _polynomial(z, _TANH_BELOW), x)
    large = 1.0 - t.known(2.0, "double") / (_exp(t, 2.0 * size) + 1.0)
    return t.choose(size < 0.625, small, t.call("copysign", large, x))


def _arctan2(t: Text, y: Lanes, x: Lanes) -> Lanes:
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


FUNCTIONS: dict[str, Callable[..., Lanes]] = {
    "exp": _exp, "log": _log, "log1p": _log1p, "power": _power, "sin": _sin, "cos": _cos, "tan": _tan, "tanh": _tanh,
    "arctan2": _arctan2
}  # fmt: skip


def definition(name: str, real: str, width: int) -> tuple[str, set[str]]:
    """The text of the function `diffrt.<name>` on vectors of that width, and the declarations that it needs."""
    count = 2 if name in ("power", "arctan2") else 1
    t = Text(width)
    outer, inner = f"<{width} x {real}>", t.type("double")
    given = []
    for i in range(count):
        x = Lanes(t, "double", f"%a{i}")
        given.append(x if real == "double" else t.new(f"fpext {outer} %a{i} to {inner}", "double"))
    found = FUNCTIONS[name](t, *given)
    if name in ("sin", "cos", "tan"):
        found = _far(t, name, given[0], found)
    if real != "double":
        found = t.new(f"fptrunc {inner} {found.name} to {outer}", real)
    head = f"define internal {outer} @diffrt.{name}({', '.join(f'{outer} %a{i}' for i in range(count))}) nounwind {{"
    return "\n".join([head, "begin:", *t.lines, f"  ret {outer} {found.name}", "}"]), t.declared


def _far(t: Text, name: str, x: Lanes, found: Lanes) -> Lanes:
    """What was found, and where x is far from zero what the C library finds."""
    far = t.call("fabs", x) > _FAR
    width, inner = t.width, t.type("double")
    bits = t.new(f"bitcast {t.type('i1')} {far.name} to i{width}", "")
    some = t.new(f"icmp ne i{width} {bits.name}, 0", "")
    t.lines += [f"  br i1 {some.name}, label %far, label %near", "far:"]
    t.declared.add(f"declare double @{name}(double)")
    exact = f"{inner} poison"
    for lane in range(width):
        one = t.new(f"extractelement {inner} {x.name}, i64 {lane}", "")
        value = t.new(f"call double @{name}(double {one.name})", "")
        exact = f"{inner} {t.new(f'insertelement {exact}, double {value.name}, i64 {lane}', '').name}"
    whole = t.choose(far, Lanes(t, "double", exact.split(" ")[-1]), found)
    t.lines += ["  br label %near", "near:"]
    return t.new(f"phi {inner} [ {found.name}, %begin ], [ {whole.name}, %far ]", "double")
