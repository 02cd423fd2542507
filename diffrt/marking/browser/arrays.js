// Small arrays, and what is computed with them, put down so that adjoints can run back: the part of `diffrt.autograd`
// that a formula can reach. A value is { shape, data }; what depends on a quantity has `variable`, its op and its inputs.

const Arrays = (() => {
  const EPSILON = 2 ** -52;
  let serial = 0, comparisons = null;

  /** A formula asks for what cannot be computed; the message may be replaced by the shapes. */
  class Misfit extends Error {}

  const size = (shape) => shape.reduce((a, n) => a * n, 1);
  const shapeText = (shape) => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;

  const plain = (data, shape = []) => ({ shape, data, variable: false, tracked: false, boolean: false, serial: 0 });
  const number = (x) => plain([x]);
  /** A quantity. rounding: of its entries, how far they may be off. */
  const leaf = (data, shape, name, rounding = null) => ({ shape, data, variable: true, tracked: true, boolean: false, serial: ++serial, op: null, inputs: [], name, rounding });

  function result(op, data, shape, inputs, back) {
    if (!inputs.some((x) => x.variable)) return plain(data, shape);
    const tracked = inputs.some((x) => x.tracked);
    return { shape, data, variable: true, tracked, boolean: false, serial: ++serial, op: tracked ? op : null, inputs: tracked ? inputs : [], back };
  }

  // Entry by entry.

  function broadcast(a, b) {
    const rank = Math.max(a.length, b.length), found = [];
    for (let k = 0; k < rank; k++) {
      const m = a[a.length - rank + k] ?? 1, n = b[b.length - rank + k] ?? 1;
      if (m !== n && m !== 1 && n !== 1) throw new Misfit("shapes");
      found.push(m === 1 ? n : m);
    }
    return found;
  }

  /** For each entry of a shape, which one of an array of another shape it is made from. */
  function places(from, to) {
    const found = new Int32Array(size(to));
    if (size(from) === 1) return found;
    if (size(from) === found.length) return found.map((_, k) => k);
    const own = stridesOf(from), before = to.length - from.length;
    return strided(to, to.map((_, axis) => (axis < before || from[axis - before] === 1 ? 0 : own[axis - before])));
  }

  /** How far apart neighbours along each axis of an array are. */
  const stridesOf = (shape) => shape.map((_, axis) => size(shape.slice(axis + 1)));

  /** For each entry of a shape, the sum of its indices times strides. */
  function strided(shape, strides) {
    return new Int32Array(size(shape)).map((_, k) => {
      let rest = k, at = 0;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        at += (rest % shape[axis]) * strides[axis];
        rest = Math.floor(rest / shape[axis]);
      }
      return at;
    });
  }

  /** The shape of some arrays entry by entry, where in each an entry of it comes from, and what these are. */
  function together(inputs) {
    const shape = inputs.map((x) => x.shape).reduce(broadcast), at = inputs.map((x) => places(x.shape, shape));
    return { shape, at, entries: (k) => inputs.map((x, i) => x.data[at[i][k]]) };
  }

  const chain = (g, p) => (g === 0 || p === 0 ? 0 : g * p);

  /** An op that takes entry with entry. partials: for each input a function of the result and the inputs, or null. */
  function elementwise(name, f, partials) {
    const ofNumbers = (...inputs) => {
      const numbers = inputs.map((x) => x.data[0]), value = f(...numbers);
      return result(name, [value], [], inputs, ([g]) => inputs.map((x, i) => {
        return x.tracked && partials[i] !== null ? [chain(g, partials[i](value, ...numbers))] : null;
      }));
    };
    return (...inputs) => {
      if (inputs.every((x) => x.shape.length === 0)) return ofNumbers(...inputs);
      const { shape, at, entries } = together(inputs), data = Float64Array.from(count(size(shape)), (k) => f(...entries(k)));
      return result(name, data, shape, inputs, (g) => inputs.map((x, i) => {
        if (!x.tracked || partials[i] === null) return null;
        const found = new Float64Array(size(x.shape));
        for (let k = 0; k < data.length; k++) found[at[i][k]] += chain(g[k], partials[i](data[k], ...entries(k)));
        return found;
      }));
    };
  }

  /** An op that looks at values: its results are plain. */
  function looking(name, f, boolean = true) {
    return (...inputs) => {
      const { shape, entries } = together(inputs), data = Float64Array.from(count(size(shape)), (k) => Number(f(...entries(k))));
      if (comparisons && inputs.some((x) => x.variable)) comparisons.push({ op: name, inputs, serial: ++serial });
      return { ...plain(data, shape), boolean };
    };
  }

  const power = (x, n) => (x === 1 || n === 0 ? 1 : Math.abs(x) === 1 && Math.abs(n) === Infinity ? 1 : x ** n);
  const larger = (x, y) => (x > y ? 1 : x === y ? 0.5 : 0);
  const otherLeg = (x) => Math.sqrt(Math.abs(x) < 0.5 ? 1 - x * x : (1 - x) * (1 + x));
  const sign = (x) => (x > 0 ? 1 : x < 0 ? -1 : x);

  // The series and the continued fraction of Abramowitz and Stegun (1964), 7.1.6 and 7.1.14.
  function erf(x) {
    if (Math.abs(x) > 2.5) return x > 0 ? 1 - erfc(x) : erfc(-x) - 1;
    let term = x, total = x;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-17 * Math.abs(total); n++) total += term *= (2 * x * x) / (2 * n + 1);
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
  }
  function erfc(x) {
    if (Number.isNaN(x)) return x;
    if (x < 2.5) return 1 - erf(x);
    let below = 0;
    for (let n = 120; n > 0; n--) below = n / 2 / (x + below);
    return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + below);
  }

  const one = () => 1, minus = () => -1;
  const of = (name, f, slope) => elementwise(name, f, [slope]);
  const E = {
    add: elementwise("add", (x, y) => x + y, [one, one]),
    subtract: elementwise("subtract", (x, y) => x - y, [one, minus]),
    multiply: elementwise("multiply", (x, y) => x * y, [(o, x, y) => y, (o, x) => x]),
    divide: elementwise("divide", (x, y) => x / y, [(o, x, y) => 1 / y, (o, x, y) => -o / y]),
    power: elementwise("power", power, [(o, x, n) => chain(n, power(x, n - 1)), (o, x) => chain(o, Math.log(x === 0 ? 1 : x))]),
    negative: of("negative", (x) => -x, minus),
    abs: of("abs", Math.abs, (o, x) => sign(x)),
    sqrt: of("sqrt", Math.sqrt, (o) => 0.5 / o),
    exp: of("exp", Math.exp, (o) => o),
    log: of("log", Math.log, (o, x) => 1 / x),
    log1p: of("log1p", Math.log1p, (o, x) => 1 / (1 + x)),
    expm1: of("expm1", Math.expm1, (o, x) => Math.exp(x)),
    sin: of("sin", Math.sin, (o, x) => Math.cos(x)),
    cos: of("cos", Math.cos, (o, x) => -Math.sin(x)),
    tan: of("tan", Math.tan, (o) => 1 + o * o),
    arcsin: of("arcsin", Math.asin, (o, x) => 1 / otherLeg(x)),
    arccos: of("arccos", Math.acos, (o, x) => -1 / otherLeg(x)),
    arctan: of("arctan", Math.atan, (o, x) => 1 / (1 + x * x)),
    sinh: of("sinh", Math.sinh, (o, x) => Math.cosh(x)),
    cosh: of("cosh", Math.cosh, (o, x) => Math.sinh(x)),
    tanh: of("tanh", Math.tanh, (o, x) => (2 / (Math.exp(x) + Math.exp(-x))) ** 2),
    erf: of("erf", erf, (o, x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x)),
    erfc: of("erfc", erfc, (o, x) => (-2 / Math.sqrt(Math.PI)) * Math.exp(-x * x)),
    arctan2: elementwise("arctan2", Math.atan2, [(o, y, x) => x / (x * x + y * y), (o, y, x) => -y / (x * x + y * y)]),
    minimum: elementwise("minimum", Math.min, [(o, x, y) => larger(y, x), (o, x, y) => larger(x, y)]),
    maximum: elementwise("maximum", Math.max, [(o, x, y) => larger(x, y), (o, x, y) => larger(y, x)]),
    choose: elementwise("where", (c, x, y) => (c ? x : y), [null, (o, c) => (c ? 1 : 0), (o, c) => (c ? 0 : 1)]),
    sign: looking("sign", sign, false),
    less: looking("less", (x, y) => x < y),
    less_equal: looking("less_equal", (x, y) => x <= y),
    greater: looking("greater", (x, y) => x > y),
    greater_equal: looking("greater_equal", (x, y) => x >= y),
    equal: looking("equal", (x, y) => x === y),
    not_equal: looking("not_equal", (x, y) => x !== y),
    logical_and: looking("logical_and", (x, y) => Boolean(x && y)),
    logical_or: looking("logical_or", (x, y) => Boolean(x || y)),
    logical_not: looking("logical_not", (x) => !x),
  };

  function where(condition, x, y) {
    return E.choose(condition.boolean ? condition : E.not_equal(condition, number(0)), x, y);
  }

  // Moving, adding up and combining entries.

  /** Entries of x: the result's k-th is x's places[k]-th. */
  function gather(x, at, shape, op = "index") {
    return result(op, Float64Array.from(at, (k) => x.data[k]), shape, [x], (g) => {
      const found = new Float64Array(size(x.shape));
      at.forEach((k, n) => { found[k] += g[n]; });
      return [found];
    });
  }
  const count = (n) => Array.from({ length: n }, (_, k) => k);
  const reshape = (x, shape) => gather(x, count(size(x.shape)), shape, "reshape");

  function transpose(x, axes = null) {
    const order = axes ?? count(x.shape.length).reverse(), shape = order.map((a) => x.shape[a]), strides = stridesOf(x.shape);
    return gather(x, strided(shape, order.map((a) => strides[a])), shape, "transpose");
  }

  function stack(parts) {
    if (!parts.length) throw new Misfit("stack needs at least one part");
    const shape = parts[0].shape;
    if (parts.some((p) => shapeText(p.shape) !== shapeText(shape))) throw new Misfit("all input arrays must have the same shape");
    const n = size(shape), data = new Float64Array(n * parts.length);
    parts.forEach((p, k) => data.set(p.data, k * n));
    return result("stack", data, [parts.length, ...shape], parts, (g) => parts.map((p, k) => (p.tracked ? g.slice(k * n, (k + 1) * n) : null)));
  }

  /** Lines of entries along an axis: { lines, length, shape, at(line, k) }; of all entries if axis is null. */
  function along(shape, axis, keep) {
    if (axis === null) return { lines: 1, length: size(shape), shape: keep ? shape.map(() => 1) : [], at: (l, k) => k };
    const a = axis < 0 ? axis + shape.length : axis, inner = size(shape.slice(a + 1)), n = shape[a];
    const left = keep ? shape.map((m, k) => (k === a ? 1 : m)) : shape.filter((_, k) => k !== a);
    return { lines: size(shape) / n, length: n, shape: left, at: (l, k) => (Math.floor(l / inner) * n + k) * inner + (l % inner) };
  }

  function sum(x, axis = null, keep = false) {
    const w = along(x.shape, axis, keep), data = new Float64Array(w.lines), sizes = new Float64Array(w.lines);
    for (let l = 0; l < w.lines; l++) {
      for (let k = 0; k < w.length; k++) { data[l] += x.data[w.at(l, k)]; sizes[l] += Math.abs(x.data[w.at(l, k)]); }
    }
    const found = result("sum", data, w.shape, [x], (g) => {
      const back = new Float64Array(size(x.shape));
      for (let l = 0; l < w.lines; l++) for (let k = 0; k < w.length; k++) back[w.at(l, k)] = g[l];
      return [back];
    });
    found.terms = sizes;
    return found;
  }

  function mean(x, axis = null) {
    const total = sum(x, axis);
    return E.multiply(total, number(size(total.shape) / size(x.shape)));
  }

  function extreme(name, better) {
    return (x, axis = null) => {
      const w = along(x.shape, axis, false), data = new Float64Array(w.lines);
      for (let l = 0; l < w.lines; l++) {
        data[l] = x.data[w.at(l, 0)];
        for (let k = 1; k < w.length; k++) {
          const y = x.data[w.at(l, k)];
          if (better(y, data[l]) || Number.isNaN(y)) data[l] = y;
        }
      }
      return result(name, data, w.shape, [x], (g) => {
        const back = new Float64Array(size(x.shape));
        for (let l = 0; l < w.lines; l++) {
          const tied = count(w.length).filter((k) => x.data[w.at(l, k)] === data[l]);
          for (const k of tied) back[w.at(l, k)] = chain(g[l], 1 / tied.length);
        }
        return [back];
      });
    };
  }
  const max = extreme("max", (a, b) => a > b), min = extreme("min", (a, b) => a < b);

  function pairwise(both, whole) {
    return (...given) => (given.length === 1 ? whole(given[0]) : given.reduce((a, b) => both(a, b)));
  }

  function prod(x, axis = null) {
    const w = along(x.shape, axis, false);
    let parts = count(w.length).map((k) => gather(x, count(w.lines).map((l) => w.at(l, k)), w.shape));
    while (parts.length > 1) {
      const next = [];
      for (let k = 0; k < parts.length; k += 2) next.push(k + 1 < parts.length ? E.multiply(parts[k], parts[k + 1]) : parts[k]);
      parts = next;
    }
    return parts[0];
  }

  function matmul(x, y) {
    if (!x.shape.length || !y.shape.length) throw new Misfit("shapes");
    const xs = x.shape.length > 1 ? x.shape : [1, ...x.shape], ys = y.shape.length > 1 ? y.shape : [...y.shape, 1];
    const [m, n] = xs.slice(-2), [n2, p] = ys.slice(-2);
    if (n !== n2) throw new Misfit("shapes");
    const batch = broadcast(xs.slice(0, -2), ys.slice(0, -2)), count = size(batch);
    const ax = places(xs.slice(0, -2), batch), ay = places(ys.slice(0, -2), batch);
    const data = new Float64Array(count * m * p), sizes = new Float64Array(count * m * p);
    const each = (f) => {
      for (let b = 0; b < count; b++) for (let i = 0; i < m; i++) for (let j = 0; j < p; j++) for (let k = 0; k < n; k++) {
        f((b * m + i) * p + j, (ax[b] * m + i) * n + k, (ay[b] * n + k) * p + j);
      }
    };
    each((o, a, b) => { data[o] += x.data[a] * y.data[b]; sizes[o] += Math.abs(x.data[a] * y.data[b]); });
    const shape = [...batch, ...(x.shape.length > 1 ? [m] : []), ...(y.shape.length > 1 ? [p] : [])];
    const found = result("matmul", data, shape, [x, y], (g) => {
      const gx = new Float64Array(size(x.shape)), gy = new Float64Array(size(y.shape));
      each((o, a, b) => { gx[a] += g[o] * y.data[b]; gy[b] += g[o] * x.data[a]; });
      return [x.tracked ? gx : null, y.tracked ? gy : null];
    });
    found.terms = sizes;
    return found;
  }

  function dot(x, y) {
    const ranks = [x.shape.length, y.shape.length];
    if (ranks.includes(0)) return E.multiply(x, y);
    if (Math.max(...ranks) > 2) throw new Misfit("shapes");
    return matmul(x, y);
  }

  function entry(x, axis, k) {
    const a = axis < 0 ? axis + x.shape.length : axis, w = along(x.shape, a, false);
    return gather(x, count(w.lines).map((l) => w.at(l, k)), w.shape);
  }

  function cross(x, y) {
    if (x.shape[x.shape.length - 1] !== 3 || y.shape[y.shape.length - 1] !== 3) throw new Misfit("shapes");
    const [a, b, c] = [0, 1, 2].map((k) => entry(x, -1, k)), [u, v, w] = [0, 1, 2].map((k) => entry(y, -1, k));
    const minor = (p, q, r, s) => E.subtract(E.multiply(p, q), E.multiply(r, s));
    const found = stack([minor(b, w, c, v), minor(c, u, a, w), minor(a, v, b, u)]);
    return transpose(found, [...count(found.shape.length).slice(1), 0]);
  }

  const outer = (x, y) => E.multiply(reshape(x, [size(x.shape), 1]), reshape(y, [1, size(y.shape)]));
  const norm = (x, axis = null, keep = false) => E.sqrt(sum(E.multiply(x, x), axis, keep));

  function ofVector(f) {
    return (x) => {
      if (!x.shape.length) throw new Misfit("needs a vector, found a number");
      return f(x);
    };
  }

  function belowTheLargest(x) {
    const w = along(x.shape, x.shape.length - 1, true), largest = new Float64Array(size(x.shape));
    for (let l = 0; l < w.lines; l++) {
      let best = 0;
      for (let k = 1; k < w.length; k++) if (x.data[w.at(l, k)] > x.data[w.at(l, best)]) best = k;
      largest[w.at(l, best)] = 1;
    }
    const there = { ...plain(largest, x.shape), boolean: true }, zero = number(0);
    const top = sum(E.choose(there, x, zero), x.shape.length - 1, true);
    const below = E.choose(there, zero, E.subtract(x, top)), raised = E.exp(below);
    return { top, below, raised, rest: sum(E.choose(there, zero, raised), x.shape.length - 1, true) };
  }

  function softmax(x) {
    const { raised, rest } = belowTheLargest(x);
    return E.divide(raised, E.add(number(1), rest));
  }
  function logSoftmax(x) {
    const { below, rest } = belowTheLargest(x);
    return E.subtract(below, E.log1p(rest));
  }
  function logsumexp(x) {
    const { top, rest } = belowTheLargest(reshape(x, [size(x.shape)]));
    return reshape(E.add(top, E.log1p(rest)), []);
  }

  function sigmoid(x) {
    const right = E.greater_equal(x, number(0)), raised = E.exp(E.choose(right, E.negative(x), x));
    return E.divide(E.choose(right, number(1), raised), E.add(number(1), raised));
  }
  function softplus(x) {
    const right = E.greater_equal(x, number(0));
    return E.add(E.choose(right, x, number(0)), E.log1p(E.exp(E.choose(right, E.negative(x), x))));
  }
  const relu = (x) => E.choose(E.greater(x, number(0)), x, number(0));
  function gelu(x) {
    const bounded = E.maximum(x, number(-40));
    return E.multiply(E.multiply(bounded, number(0.5)), E.erfc(E.multiply(bounded, number(-Math.sqrt(0.5)))));
  }

  function diagonal(x) {
    if (x.shape.length < 2) throw new Misfit(`a diagonal needs an array of at least two axes, given the shape ${shapeText(x.shape)}`);
    const [rows, columns, ...rest] = x.shape, n = Math.min(rows, columns), others = size(rest), at = [];
    for (let r = 0; r < others; r++) for (let k = 0; k < n; k++) at.push((k * columns + k) * others + r);
    return gather(x, at, [...rest, n]);
  }
  function diag(x) {
    if (x.shape.length === 2) return diagonal(x);
    if (x.shape.length !== 1) throw new Misfit(`diag needs a vector or a matrix, given the shape ${shapeText(x.shape)}`);
    const n = x.shape[0], data = new Float64Array(n * n);
    for (let k = 0; k < n; k++) data[k * n + k] = x.data[k];
    return result("place", data, [n, n], [x], (g) => [Float64Array.from(count(n), (k) => g[k * n + k])]);
  }

  // Square matrices, by elimination with pivots.

  function eliminated(a, n, right = []) {
    const m = Array.from({ length: n }, (_, i) => [...a.slice(i * n, (i + 1) * n), ...(right[i] ?? [])]);
    let det = 1;
    for (let c = 0; c < n; c++) {
      let p = c;
      for (let r = c + 1; r < n; r++) if (Math.abs(m[r][c]) > Math.abs(m[p][c])) p = r;
      if (m[p][c] === 0) return { det: 0, m: null };
      if (p !== c) { [m[p], m[c]] = [m[c], m[p]]; det = -det; }
      det *= m[c][c];
      for (let r = c + 1; r < n; r++) {
        const f = m[r][c] / m[c][c];
        if (f !== 0) for (let k = c; k < m[r].length; k++) m[r][k] -= f * m[c][k];
      }
    }
    return { det, m };
  }

  function inverse(a, n) {
    const { m } = eliminated(a, n, Array.from({ length: n }, (_, i) => count(n).map((j) => Number(i === j))));
    if (m === null) return null;
    const found = new Float64Array(n * n);
    for (let c = 0; c < n; c++) {
      for (let r = n - 1; r >= 0; r--) {
        let x = m[r][n + c];
        for (let k = r + 1; k < n; k++) x -= m[r][k] * found[k * n + c];
        found[r * n + c] = x / m[r][r];
      }
    }
    return found;
  }

  function cofactors(a, n) {
    const found = new Float64Array(n * n), turned = n > 12 ? inverse(a, n) : null, whole = turned ? eliminated(a, n).det : 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) {
      if (n > 12) { found[i * n + j] = turned ? whole * turned[j * n + i] : NaN; continue; }
      const rest = [];
      for (let r = 0; r < n; r++) for (let c = 0; c < n; c++) if (r !== i && c !== j) rest.push(a[r * n + c]);
      found[i * n + j] = ((i + j) % 2 ? -1 : 1) * eliminated(rest, n - 1).det;
    }
    return found;
  }

  function square(what, x) {
    const n = x.shape[x.shape.length - 1];
    if (x.shape.length < 2 || x.shape[x.shape.length - 2] !== n) {
      throw new Misfit(`${what} needs square matrices, of a shape (..., n, n); given the shape ${shapeText(x.shape)}`);
    }
    return n;
  }
  const blocks = (data, n) => count(data.length / (n * n)).map((b) => Array.from(data.slice(b * n * n, (b + 1) * n * n)));

  function inv(x) {
    const n = square("inv", x), found = blocks(x.data, n).map((a) => inverse(a, n));
    if (found.includes(null)) {
      throw new Misfit(`inv: a matrix${x.shape.length > 2 ? " of a stack" : ""} of shape ${shapeText(x.shape)} is singular; it has no inverse`);
    }
    const data = Float64Array.from(found.flatMap((f) => Array.from(f)));
    return result("inv", data, x.shape, [x], (g) => {
      const back = new Float64Array(data.length);
      found.forEach((c, b) => {
        for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) {
          let total = 0;  // -(C^T g C^T)_ij
          for (let k = 0; k < n; k++) for (let l = 0; l < n; l++) total += c[k * n + i] * g[b * n * n + k * n + l] * c[j * n + l];
          back[b * n * n + i * n + j] = -total;
        }
      });
      return [back];
    });
  }

  function det(x) {
    const n = square("det", x), each = blocks(x.data, n);
    const data = Float64Array.from(each, (a) => eliminated(a, n).det);
    return result("det", data, x.shape.slice(0, -2), [x], (g) => {
      return [Float64Array.from(each.flatMap((a, b) => Array.from(cofactors(a, n), (c) => chain(g[b], c))))];
    });
  }

  function sizes(given) {
    const fits = given.every((n) => !n.variable && !n.boolean && !n.shape.length && n.data[0] >= 1 && n.data[0] <= 10000 && Number.isInteger(n.data[0]));
    if (!fits) throw new Misfit("a size is a whole number from 1 to 10,000");
    const shape = given.map((n) => n.data[0]);
    bounded(size(shape));
    return shape;
  }
  function bounded(entries) {
    if (entries > 10000) throw new Misfit(`the result has ${entries.toLocaleString("en")} entries, allowed: 10,000`);
    return entries;
  }
  const filled = (shape, f) => plain(Float64Array.from(count(size(shape)), f), shape);

  /** What may be called by name. */
  const FUNCTIONS = {
    ...E, ln: E.log, asin: E.arcsin, acos: E.arccos, atan: E.arctan, atan2: E.arctan2, where, max: pairwise(E.maximum, max), min: pairwise(E.minimum, min),
    clip: (x, low, high) => E.minimum(E.maximum(x, low), high), sum: (x) => sum(x), mean: (x) => mean(x), prod: (x) => prod(x),
    dot, cross, outer, norm: (x) => norm(x), length: (x) => norm(x), normalize: ofVector((x) => E.divide(x, norm(x, 0, true))),
    relu, sigmoid, softplus, gelu, softmax: ofVector(softmax), log_softmax: ofVector(logSoftmax), logsumexp, transpose: (x) => transpose(x),
    diag, trace: (x) => { const d = diagonal(x); return sum(d, d.shape.length - 1); }, det, inv,
    eye: (n) => { const [m] = sizes([n, n]); return filled([m, m], (k) => Number(k % (m + 1) === 0)); },
    zeros: (...n) => filled(sizes(n), () => 0), ones: (...n) => filled(sizes(n), () => 1),
  };
  const OVER = { sum, prod, mean, max, min };

  // Sweeps.

  /** The tracked values that some were computed from, themselves included, in order of computation. */
  function reachable(outputs) {
    const found = new Set(), pending = outputs.filter((x) => x.tracked);
    pending.forEach((x) => found.add(x));
    while (pending.length) {
      for (const x of pending.pop().inputs) if (x.tracked && !found.has(x)) { found.add(x); pending.push(x); }
    }
    return [...found].sort((a, b) => a.serial - b.serial);
  }

  /** The adjoints of all values that one was computed from, for one entry of it. */
  function adjoints(output, place) {
    const nodes = reachable([output]), found = new Map(), unit = new Float64Array(size(output.shape));
    unit[place] = 1;
    found.set(output, unit);
    for (const node of nodes.reverse()) {
      const g = found.get(node);
      if (!g || !node.op) continue;
      const parts = node.back(g);
      node.inputs.forEach((x, i) => {
        if (!x.tracked || parts[i] === null) return;
        const sofar = found.get(x);
        if (sofar) parts[i].forEach((v, k) => { sofar[k] += v; });
        else found.set(x, Float64Array.from(parts[i]));
      });
    }
    return found;
  }

  /** How far rounding may put an entry of a value off: what one unit in the last place of each step would change. */
  function rounding(value, place = 0) {
    if (!value.tracked) return 0;
    let total = 0;
    for (const [node, g] of adjoints(value, place)) {
      const terms = node.terms ?? node.data;
      for (let k = 0; k < g.length; k++) {
        const part = Math.abs(g[k]) * (node.rounding ? node.rounding[k] / EPSILON : Math.abs(terms[k]));
        if (!Number.isNaN(part)) total += part;
      }
    }
    return EPSILON * total;
  }

  /** What f gives, and the comparisons that are made on the way. */
  function watched(f) {
    const before = comparisons;
    comparisons = [];
    try {
      return [f(), comparisons];
    } finally {
      comparisons = before;
    }
  }

  return { E, FUNCTIONS, OVER, Misfit, adjoints, bounded, broadcast, count, gather, leaf, matmul, number, plain, reachable, reshape,
    rounding, shapeText, size, stack, transpose, watched, where, get serial() { return serial; } };
})();
