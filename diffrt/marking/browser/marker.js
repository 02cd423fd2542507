// Marks of a derivation, as `derivation.py` gives them: the points, what is right there and how far rounding may reach
// come from the program; a claim is read, computed at these points and compared here.

const Marker = (() => {
  const { E, Misfit, adjoints, bounded, count, gather, leaf, number, reachable, rounding, shapeText, size, stack, transpose, watched, where } = Arrays;
  const { Formula, Unreadable, OVER, compare, listed, meant, operands, plainLetters, said, shown, walk, written } = Reader;

  const TOLERANCE = 1e-8, SHARP = 1e-6, UNDERFLOW = 1e-290, NONE = 2, ENTRIES = 8, POINTS = 24;
  const LONGEST = 200, MOST_CLAIMS = 1000, MOST_OF_A_LINE = 2000000, SEARCHES = 24, BORDERS = 24, NEAR = 1e-7;
  const TRANSPOSED = "yours is transposed: rows are entries of the quantity on the left, columns those of the one on the right";
  const TRANSPOSED_MATRIX = "yours is transposed: needed: the shape of the matrix; if it is meant so, write layout = \"numerator\" in the file";

  class Overworked extends Unreadable {}
  let left = Infinity, deadline = Infinity;
  function spend(steps) {
    if (Date.now() > deadline) throw new Beyond("the page does not wait longer for this line; diffrt verify marks it");
    if (steps > left) {
      throw new Overworked("the line takes more than 2,000,000 steps of computation; take fewer or smaller quantities");
    }
    left -= steps;
  }

  /** Text as Python quotes it. */
  function quoted(text) {
    const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
    const inside = text.replaceAll("\\", "\\\\").replaceAll(mark, `\\${mark}`).replaceAll("\n", "\\n").replaceAll("\t", "\\t").replaceAll("\r", "\\r");
    return Reader.printable(mark + inside + mark);
  }

  // Values of formulas.

  const BINARY = { "+": E.add, "-": E.subtract, "*": E.multiply, "/": E.divide, "**": E.power, "@": Arrays.matmul };
  const COMPARE = { "<": E.less, "<=": E.less_equal, ">": E.greater, ">=": E.greater_equal, "==": E.equal, "!=": E.not_equal };
  const LOGICAL = { and: E.logical_and, or: E.logical_or };
  const own = (x, key) => Object.hasOwn(x, key);
  /** What stands before the last of some marks, and what behind it. */
  function parted(text, mark) {
    const at = text.lastIndexOf(mark);
    return [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
  }

  function operation(node) {
    switch (node.t) {
      case "binary": return [node.op, BINARY[node.op]];
      case "unary": return ["unary", node.op === "-" ? E.negative : node.op === "not" ? E.logical_not : (x) => x];
      case "attribute": return ["transpose", (x) => transpose(x)];
      case "bool": return ["compare", (...given) => given.reduce((a, b) => LOGICAL[node.op](a, b))];
      case "if": return ["where", where];
      case "compare": return ["compare", COMPARE[node.ops[0]]];
      case "call": {
        const name = node.f.name;
        return [name, Arrays.FUNCTIONS[name] ?? (() => { throw new Beyond(`the page cannot compute ${name}; diffrt verify can`); })];
      }
      default: return ["List", (...entries) => stack(entries)];
    }
  }

  /** What only the program can do. */
  class Beyond extends Unreadable {}

  function entriesOf(what, values) {
    const shapes = values.map((v) => v.shape), sizes = shapes.map(size);
    if (what === "outer" || (what === "diag" && shapes[0].length < 2)) return sizes[0] * sizes[sizes.length - 1];
    if ((what === "@" || what === "dot") && shapes.every((s) => s.length)) {
      const [l, r] = shapes;
      return size([...l.slice(0, -1), ...r.slice(0, -2), ...(r.length > 1 ? r.slice(-1) : [])]);
    }
    if (what === "List") return sizes.reduce((a, b) => a + b, 0);
    try {
      return size(shapes.reduce(Arrays.broadcast));
    } catch {
      return 0;
    }
  }

  const choiceOf = (node) => (node.t === "if" ? [node.test, node.body, node.other] :
    node.t === "call" && node.f.name === "where" && node.parts.length === 3 ? node.parts : null);

  const isMinusOne = (n) => n.t === "unary" && n.op === "-" && n.x.t === "number" && n.x.value === 1;

  class Evaluation {
    /** given: values of quantities by name. letters: of indices, and what they stand for. */
    constructor(formula, given, letters) {
      Object.assign(this, { formula, given, letters });
      this.at = formula.where;
    }

    fault(node, told) { return new Unreadable(`${this.at}: ${this.formula.said(node)}: ${told}`); }

    value(node, letters = this.letters) {
      if (node.t === "number") return number(node.value);
      if (node.t === "name" || (node.t === "attribute" && node.name !== "T")) return this.lookUp(this.formula.dotted(node), letters);
      if (node.t === "index") return this.entry(node, this.value(node.x, letters), letters);
      if (node.t === "call") {
        const special = this.special(node, letters);
        if (special !== null) return special;
      }
      if (node.t === "compare" && node.ops.length > 1) {
        const parts = node.ops.map((op, k) => ({ t: "compare", ops: [op], parts: [node.parts[k], node.parts[k + 1]] }));
        return this.value({ t: "bool", op: "and", parts }, letters);
      }
      const choice = choiceOf(node);
      if (choice !== null) {
        // Where indices decide, only what is chosen need be there: where(i < 2, x[i + 1], 0).
        const named = [...walk(choice[0])].filter((n) => n.t === "name" && !Reader.isFunction(n.name)).map((n) => n.name);
        if (named.length && named.every((n) => own(letters, n) && !this.given.has(n))) {
          return this.value(this.value(choice[0], letters).data[0] ? choice[1] : choice[2], letters);
        }
      }
      const values = (choice ?? operands(node)).map((c) => this.value(c, letters));
      const [what, f] = operation(node);
      if (what === "**" && values[0].shape.length > 1 && isMinusOne(node.b)) {
        const base = said(node.a);
        throw this.fault(node, `write inv(${base}) for the inverse matrix, 1 / ${base} for that of each entry`);
      }
      try {
        const entries = bounded(entriesOf(what, values));
        spend(1 + entries / 100);
        return f(...values);
      } catch (fault) {
        if (!(fault instanceof Misfit)) throw fault;
        const many = values.length > 1 && !fault.message.startsWith("the result has");
        throw this.fault(node, many ? `shapes ${values.map((v) => shapeText(v.shape)).join(" and ")} do not fit` : fault.message);
      }
    }

    special(node, letters) {
      const name = node.f.name, parts = node.parts;
      if (name === "delta" && parts.length === 2) {
        const [i, j] = parts.map((p) => this.value(p, letters));
        return where(E.equal(i, j), number(1), number(0));
      }
      if (!Reader.isFunction(name)) {
        try {
          this.lookUp(name, letters);
        } catch (fault) {
          if (!(fault instanceof Unreadable)) throw fault;
          throw new Unreadable(`${this.at}: there is no function ${name}; ${meant(name)}`);
        }
        return this.value({ t: "binary", op: "*", a: node.f, b: parts[0] }, letters);
      }
      const letter = OVER.includes(name) && parts.length > 1 && parts[0].t === "name" ? parts[0].name : "";
      if (!letter || (this.given.has(letter) && parts.length === 2 && (name === "max" || name === "min"))) return null;
      if (this.given.has(letter) || letter.length > 1) {
        throw new Unreadable(`${this.at}: ${this.formula.said(node)} has ${parts.length} arguments, needed: 1, or a letter ` +
                             `that is no quantity and what to add up: ${name}(k, x[k])`);
      }
      if (own(letters, letter)) throw this.fault(node, `${letter} is an index already; take another letter`);
      const [first, last] = this.range(node, letter, letters);
      try {
        const found = count(bounded(last - first + 1)).map((k) => this.value(parts[parts.length - 1], { ...letters, [letter]: first + k }));
        return Arrays.OVER[name](stack(found), 0);
      } catch (fault) {
        if (!(fault instanceof Misfit)) throw fault;
        throw this.fault(node, fault.message);
      }
    }

    range(node, letter, letters) {
      if (node.parts.length === 4) return [this.formula.index(node.parts[1], letters), this.formula.index(node.parts[2], letters)];
      const sizes = new Set();
      for (const part of walk(node.parts[node.parts.length - 1])) {
        if (part.t === "name" && !this.given.has(part.name)) {
          const [base, low] = parted(part.name, "_");
          this.given.get(base)?.shape.forEach((n, a) => { if (low[a] === letter) sizes.add(n); });
        }
        if (part.t === "index" && part.x.t !== "index") {
          part.parts.forEach((index, axis) => {
            if (index.t !== "name" || index.name !== letter) return;
            const free = Object.fromEntries([...walk(part.x)].filter((x) => x.t === "name" && !this.given.has(x.name)).map((x) => [x.name, 0]));
            const shape = this.value(part.x, { ...free, ...letters }).shape;
            if (axis < shape.length) sizes.add(shape[axis]);
          });
        }
      }
      if (sizes.size !== 1) {
        throw this.fault(node, `it is not clear from where to where ${letter} runs; write ${node.f.name}(${letter}, 0, 3, ...), the last included`);
      }
      return [0, [...sizes][0] - 1];
    }

    entry(node, whole, letters) {
      const shape = whole.shape, parts = node.parts;
      let fits = parts.length <= shape.length;
      const chosen = shape.map((n) => count(n)), kept = shape.map(() => true);
      parts.slice(0, shape.length).forEach((part, a) => {
        const n = shape[a];
        if (part.t === "slice") {
          const bound = (b, other) => {
            if (b === null) return other;
            const k = this.formula.index(b, letters);
            return Math.max(0, Math.min(n, k < 0 ? k + n : k));
          };
          chosen[a] = count(n).slice(bound(part.lower, 0), bound(part.upper, n));
          return;
        }
        const k = this.formula.index(part, letters), named = [...walk(part)].some((x) => x.t === "name");
        fits &&= (named ? 0 : -n) <= k && k < n;
        chosen[a] = [k < 0 ? k + n : k];
        kept[a] = false;
      });
      if (!fits) {
        const used = new Set(parts.flatMap((p) => [...walk(p)].filter((x) => x.t === "name").map((x) => x.name)));
        const told = Object.entries(letters).filter(([x]) => used.has(x)).map(([x, k]) => `${x} = ${k}`).join(", ");
        throw new Unreadable(`${this.at}: ${this.formula.said(node)} does not fit the shape ${shapeText(shape)}` +
                             (told ? ` for ${told}; write where(...) for the ends` : ""));
      }
      let at = [0];
      shape.forEach((n, a) => { at = at.flatMap((k) => chosen[a].map((c) => k * n + c)); });
      return gather(whole, at, chosen.filter((_, a) => kept[a]).map((c) => c.length));
    }

    lookUp(name, letters) {
      const given = this.given;
      if (given.has(name)) return given.get(name);
      const [whole, component] = parted(name, "."), axis = ["x", "y", "z"].indexOf(component);
      if (given.has(whole) && axis >= 0) {
        const shape = given.get(whole).shape;
        if (!shape.length || axis >= shape[0]) throw new Unreadable(`${this.at}: ${name} does not fit the shape ${shapeText(shape)}`);
        const inner = size(shape.slice(1));
        return gather(given.get(whole), count(inner).map((k) => axis * inner + k), shape.slice(1));
      }
      if (own(letters, name)) return number(letters[name]);
      if (own(Reader.tables.constants, name)) return number(Reader.tables.constants[name]);
      const [base, low] = parted(name, "_"), digits = /^\d+$/.test(low);
      if (name.includes("_") && low && (digits || [...low].every((c) => own(letters, c)))) {
        const parts = (digits ? [low] : [...low]).map((p) => (/^\d+$/.test(p) ? { t: "number", value: Number(p), whole: true, text: p } : { t: "name", name: p }));
        if (given.has(base)) {
          return this.entry({ t: "index", x: { t: "name", name: base }, parts, tuple: true }, given.get(base), letters);
        }
        if (base === "delta" && parts.length === 2) {
          return number(this.formula.index(parts[0], letters) === this.formula.index(parts[1], letters) ? 1 : 0);
        }
      }
      const known = listed([...given.keys()].sort(compare)) || "none";
      let hint = name === "T" ? "; for the transposed matrix write A.T" : "";
      if (name[0] === "d" && given.has(name.slice(1))) hint = `; write the derivative ${name}/... as a formula of the quantities`;
      else if (Reader.isFunction(name)) hint = `; ${name} is a function: write ${name}(x)`;
      throw new Unreadable(`${this.at}: there is no quantity ${name}; there are ${known}${hint}`);
    }
  }

  // Claims.

  const product = (lists) => lists.reduce((found, list) => found.flatMap((f) => list.map((x) => [...f, x])), [[]]);
  const ravel = (index, shape) => index.reduce((at, k, a) => at * shape[a] + k, 0);

  function components(name, shape) {
    if (!shape.length) return [name];
    return product(shape.map(count)).map((index) => `${name}[${index.join(", ")}]`);
  }

  // Forks: where a formula branches.

  const FORKS = ["maximum", "minimum"];

  function forksOf(outputs, seen, since) {
    const found = [], starts = [...outputs];
    for (const made of seen) {
      starts.push(...made.inputs.filter((x) => x.variable));
      if (!made.op.startsWith("logical")) {
        found.push({ op: made.op, left: made.inputs[0], right: made.inputs[1] ?? number(0), serial: made.serial });
      }
    }
    for (const node of reachable(starts)) {
      if (FORKS.includes(node.op)) found.push({ op: node.op, left: node.inputs[0], right: node.inputs[1], serial: node.serial });
      else if (node.op === "abs" || ((node.op === "max" || node.op === "min") && size(node.shape) === 1 && size(node.inputs[0].shape) > 1)) {
        found.push({ op: node.op, left: node.inputs[0], right: number(0), serial: node.serial });
      }
    }
    return found.filter((f) => f.serial > since && (f.left.tracked || f.right.tracked)).sort((a, b) => a.serial - b.serial)
      .map((f) => ({ ...f, margins: marginsOf(f) }));
  }

  function marginsOf(fork) {
    if (fork.op === "max" || fork.op === "min") {
      const flat = Array.from(fork.left.data), way = fork.op === "max" ? -1 : 1;
      const ranked = count(flat.length).sort((a, b) => way * (flat[a] - flat[b]));
      return flat.map((x, k) => x - flat[ranked[k === ranked[0] ? 1 : 0]]);
    }
    return Array.from(E.subtract(fork.left, fork.right).data);
  }

  /** The fork of a margin, and its entry there. */
  function forkAt(forks, number) {
    const places = forks.flatMap((fork) => count(fork.margins.length).map((entry) => [fork, entry]));
    return places[number];
  }

  function marginOf(fork, entry) {
    if (fork.op === "max" || fork.op === "min") {
      const n = size(fork.left.shape), others = count(n).filter((k) => k !== entry);
      const along = Arrays.FUNCTIONS[fork.op];
      return E.subtract(gather(fork.left, [entry], []), along(gather(fork.left, others, [n - 1])));
    }
    return gather(E.subtract(fork.left, fork.right), [entry], []);
  }

  const FORMS = { add: "+", subtract: "-", multiply: "*", divide: "/", power: "^", matmul: "@" };
  const tidy = (x, digits = 4) => {
    if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
    if (x === 0) return "0";
    const e = Number(x.toExponential(digits - 1).split("e")[1]);
    if (e < -4 || e >= digits) {
      const [m, p] = x.toExponential(digits - 1).split("e");
      return `${m.includes(".") ? m.replace(/\.?0+$/, "") : m}e${p[0]}${p.slice(1).padStart(2, "0")}`;
    }
    const fixed = x.toFixed(Math.max(0, digits - 1 - e));
    return fixed.includes(".") ? fixed.replace(/\.?0+$/, "") : fixed;
  };
  const bracketed = (text) => (text.includes(" ") && !text.endsWith(")") ? `(${text})` : text);

  /** What a value was computed by, in words. */
  function phrase(x, longest = 40) {
    if (x.name) return x.name;
    if (!x.op) return x.data.length === 1 ? tidy(x.data[0], 8) : `[${Array.from(x.data, (v) => tidy(v, 8)).join(", ")}]`;
    if (x.op === "reshape") return phrase(x.inputs[0], longest);
    if (longest < 4) return "...";
    const parts = x.inputs.slice(0, 4).map((y) => phrase(y, Math.floor((longest - 4) / x.inputs.length)));
    const text = own(FORMS, x.op) ? parts.map(bracketed).join(` ${FORMS[x.op]} `) : x.op === "negative" ? `-${bracketed(parts[0])}` :
      `${x.op}(${parts.join(", ")})`;
    return text.length <= 40 ? text : "...";
  }

  function wordsOf(fork, entry, side) {
    let left = phrase(fork.left);
    const place = fork.margins.length > 1 ? `[${entry}]` : "";
    if (place) left = bracketed(left);
    if (fork.op === "max" || fork.op === "min") {
      const alone = (side > 0) === (fork.op === "max");
      return `${left}${place} is ${alone ? "" : "not "}the ${fork.op === "max" ? "largest" : "smallest"}`;
    }
    return `${left}${place} ${"<=>"[side + 1]} ${phrase(fork.right)}`;
  }

  // Numbers of the program, from text.

  function numbers(text, bytes = 8) {
    const raw = atob(text), buffer = new Uint8Array(raw.length);
    for (let k = 0; k < raw.length; k++) buffer[k] = raw.charCodeAt(k);
    return bytes === 8 ? new Float64Array(buffer.buffer) : Float64Array.from(new Float32Array(buffer.buffer));
  }

  const signs = (margins) => margins.map((m) => (m > 0 ? 1 : m < 0 ? -1 : 0));

  /** The smallest distance, squared root, from a point to what non-negative factors of columns can reach (Lawson and
      Hanson, 1974). columns: as rows of a list. */
  function nnlsRest(columns, target) {
    const n = columns.length, x = new Array(n).fill(0), passive = new Set();
    const rest = () => target.map((t, i) => t - columns.reduce((s, c, j) => s + c[i] * x[j], 0));
    for (let round = 0; round < 3 * n + 10; round++) {
      const r = rest(), gain = columns.map((c) => c.reduce((s, v, i) => s + v * r[i], 0));
      let best = -1;
      for (let j = 0; j < n; j++) if (!passive.has(j) && gain[j] > 1e-12 && (best < 0 || gain[j] > gain[best])) best = j;
      if (best < 0) break;
      passive.add(best);
      for (let inner = 0; inner < 3 * n + 10; inner++) {
        const set = [...passive], s = leastSquares(set.map((j) => columns[j]), target);
        if (s.every((v) => v > 1e-14)) {
          x.fill(0);
          set.forEach((j, k) => { x[j] = s[k]; });
          break;
        }
        let step = 1;
        set.forEach((j, k) => { if (s[k] <= 1e-14) step = Math.min(step, x[j] / (x[j] - s[k] || 1)); });
        set.forEach((j, k) => { x[j] += step * (s[k] - x[j]); if (x[j] <= 1e-14) { x[j] = 0; passive.delete(j); } });
        if (!passive.size) break;
      }
    }
    return Math.hypot(...rest());
  }

  /** The factors of some columns that come nearest to a target, by orthogonal columns; 0 for a dependent one. */
  function leastSquares(columns, target) {
    const q = [], r = [], kept = [];
    columns.forEach((column, j) => {
      const v = Float64Array.from(column), row = new Array(columns.length).fill(0), before = Math.hypot(...v);
      for (let twice = 0; twice < 2; twice++) {
        q.forEach((u, k) => {
          const along = u.reduce((s, a, i) => s + a * v[i], 0);
          row[k] += along;
          for (let i = 0; i < v.length; i++) v[i] -= along * u[i];
        });
      }
      const length = Math.hypot(...v);
      if (length <= 1e-9 * before || length === 0) return;
      row[q.length] = length;
      q.push(v.map((a) => a / length));
      r.push(row);
      kept.push(j);
    });
    const y = q.map((u) => u.reduce((s, a, i) => s + a * target[i], 0)), found = new Array(columns.length).fill(0);
    for (let k = kept.length - 1; k >= 0; k--) {
      let value = y[k];
      for (let l = k + 1; l < kept.length; l++) value -= r[l][k] * found[kept[l]];
      found[kept[k]] = value / r[k][k];
    }
    return found;
  }

  /** A derivation as the program tells of it. */
  class Derivation {
    constructor(data) {
      Reader.tables = data.tables;
      this.data = data;
      this.patience = Infinity;
      this.shapes = data.shapes;
      this.short = data.short.map(([name, text]) => [name, new Formula(text, `short.${name}`)]);
      const floors = data.floorBytes;
      const values = Object.fromEntries(data.names.filter((n) => own(data.values, n)).map((n) => [n, numbers(data.values[n])]));
      const rounded = Object.fromEntries(Object.keys(values).map((n) => [n, numbers(data.rounding[n], floors)]));
      this.byUnderscore = Object.fromEntries(data.names.map((n) => [written(n), n]));
      this.looks = count(data.looks).map((k) => {
        const quantities = new Map();
        for (const name of data.names) {
          if (!own(values, name)) continue;
          const n = size(this.shapes[name]), part = (x) => x.slice(k * n, (k + 1) * n);
          quantities.set(name, leaf(part(values[name]), this.shapes[name], name, part(rounded[name])));
        }
        const forks = data.templates[data.template[k]], margins = numbers(data.margins[k]);
        return { number: k, given: k < data.given, quantities, forks, margins: Array.from(margins), magnitude: data.magnitudes[k] };
      });
      this.truths = new Map();
    }

    truth(kind, name, of) {
      const key = `${kind}|${name}|${of}`;
      if (!this.truths.has(key)) {
        const told = this.data.truths[key];
        if (!told) throw new Beyond(`${name} / ${of} is left out of this page, which would be too large; diffrt verify marks it`);
        this.truths.set(key, { ...told, values: numbers(told.values), floors: numbers(told.floors, this.data.floorBytes) });
      }
      return this.truths.get(key);
    }

    // Claims.

    claims(kind, text, formula) {
      const where = `${kind} ${quoted(text)}`, data = this.data, path = kind === "path";
      let sides = plainLetters(text).split(path ? ">" : "/").map((s) => s.trim());
      if (sides.length < 2 || (!path && sides.length !== 2) || sides.includes("")) {
        throw new Unreadable(`${where}: needed: ${path ? '"x > a > y"' : '"y / a"'}`);
      }
      const parsed = new Formula(formula, where);
      if (sides.every((s) => s.startsWith("d")) && !path) {
        sides = sides.map((s) => (own(this.byUnderscore, s.split("[")[0].trim()) ? s : s.slice(1).trim()));
      }
      const names = sides.map((s) => this.quantity(s, where)), letters = {};
      for (const [name, indices] of names) {
        indices.slice(0, this.shapes[name].length).forEach((index, a) => {
          const n = this.shapes[name][a];
          if (typeof index === "string") {
            letters[index] ??= n;
            if (letters[index] !== n) {
              throw new Unreadable(`${where}: the letter ${index} stands for ${letters[index]} entries and for ${n} of ${name}; needed: a letter for each size`);
            }
          } else if (!(-n <= index && index < n)) {
            throw new Unreadable(`${where}: the index ${index} does not fit ${name} of shape ${shapeText(this.shapes[name])}`);
          }
        });
      }
      const total = size(Object.values(letters));
      if (total > MOST_CLAIMS) throw new Overworked(`${where}: stands for ${total.toLocaleString("en")} entries, allowed: 1,000`);
      const found = [];
      for (const chosen of product(Object.values(letters).map(count))) {
        const at = Object.fromEntries(Object.keys(letters).map((letter, k) => [letter, chosen[k]]));
        const places = names.map(([name, indices]) => this.place(name, indices, at));
        let told = text;
        for (const [letter, k] of Object.entries(at)) {
          told = told.replaceAll(`[${letter}`, `[${k}`).replaceAll(`, ${letter}`, `, ${k}`).replaceAll(`,${letter}`, `,${k}`);
        }
        if (chosen.length && told === text) {
          told = names.map(([n, indices]) => (indices.length ? `${n}[${indices.map((i) => at[i] ?? i).join(", ")}]` : n)).join(path ? " > " : " / ");
        }
        const common = { kind, text: told, formula: parsed, letters: at, line: text, layout: data.layout };
        if (path) {
          const steps = names.map(([n], k) => {
            if (places[k] === null) {
              throw new Unreadable(`${where}: ${n} has ${size(this.shapes[n])} entries; needed: the one that the path goes through`);
            }
            return [n, places[k]];
          });
          for (let k = 1; k < steps.length; k++) this.checkEdge(steps[k][0], steps[k - 1][0], where);
          const [first, last] = [steps[0], steps[steps.length - 1]];
          found.push({ ...common, name: last[0], entry: last[1], of: first[0], place: first[1], steps });
          continue;
        }
        const [[name], [of]] = names;
        if (kind === "partial") this.checkEdge(name, of, where);
        else if (own(data.tooMuch, name)) throw new Overworked(data.tooMuch[name]);
        else if (!data.above[name].includes(of)) {
          throw new Unreadable(`${where}: ${name} does not depend on ${of}; it depends on ${data.above[name].join(", ")}`);
        }
        found.push({ ...common, name, entry: places[0], of, place: places[1], steps: [] });
      }
      return found;
    }

    checkEdge(name, of, where) {
      const parents = this.data.parents[name];
      if (own(this.data.tooMuch, name)) throw new Overworked(this.data.tooMuch[name]);
      if (!parents.includes(of)) {
        const there = parents.map((p) => `${name} / ${p}`).join(", ") || `none, as ${name} is an input`;
        throw new Unreadable(`${where}: there is no edge from ${of} to ${name}; the edges to ${name}: ${there}`);
      }
    }

    quantity(side, where) {
      const LETTERS = this.data.letters, open = side.indexOf("[");
      let name = (open < 0 ? side : side.slice(0, open)).trim(), indices = [];
      const low = (p) => /^-*\d+$/.test(p);
      if (open >= 0) {
        const rest = side.slice(open + 1).trimEnd(), parts = rest.replace(/\]$/, "").split(",").map((p) => p.trim());
        if (!rest.endsWith("]") || !parts.every((p) => low(p) || LETTERS.includes(p))) {
          throw new Unreadable(`${where}: ${side}: needed: an index such as [0] or one of the letters ${LETTERS}`);
        }
        indices = parts.map((p) => (low(p) ? Number(p) : p));
      }
      const known = (n) => own(this.shapes, n);
      name = this.byUnderscore[name] ?? name;
      const [base, subscript] = parted(name, "_"), digits = /^\d+$/.test(subscript);
      if (!known(name) && known(base) && !indices.length && subscript && (digits || [...subscript].every((c) => LETTERS.includes(c)))) {
        [name, indices] = [base, digits ? [Number(subscript)] : [...subscript]];
      }
      const [whole, axis] = parted(name, ".");
      if (!known(name) && ["x", "y", "z"].includes(axis) && !indices.length) {
        [name, indices] = [this.byUnderscore[whole] ?? whole, ["xyz".indexOf(axis)]];
      }
      if (!known(name)) throw new Unreadable(`${where}: there is no quantity ${name}; there are ${Object.keys(this.byUnderscore).join(", ")}`);
      if (indices.length && indices.length !== this.shapes[name].length) {
        throw new Unreadable(`${where}: ${name} has the shape ${shapeText(this.shapes[name])}, which ${side} does not fit`);
      }
      return [name, indices];
    }

    place(name, indices, letters) {
      const shape = this.shapes[name];
      if (!indices.length) return size(shape) === 1 ? 0 : null;
      return ravel(indices.map((i, a) => { const k = typeof i === "string" ? letters[i] : i; return ((k % shape[a]) + shape[a]) % shape[a]; }), shape);
    }

    // One claim at one point.

    claimed(claim, look) {
      for (const name of this.data.omitted) {
        if (claim.formula.names.has(written(name))) throw new Beyond(`${name} is left out of this page, which would be too large; diffrt verify has it`);
      }
      look.named ??= new Map([...[...look.quantities].map(([n, v]) => [written(n), v]), ...look.quantities]);
      const given = this.short.length ? new Map(look.named) : look.named;
      const since = Arrays.serial;
      const [found, seen] = watched(() => {
        for (const [name, formula] of this.abbreviations(claim)) {
          given.set(name, new Evaluation(formula, given, claim.letters).value(formula.tree));
        }
        return new Evaluation(claim.formula, given, claim.letters).value(claim.formula.tree);
      });
      return [found, this.data.draws ? [] : forksOf([found], seen, since)];
    }

    abbreviations(claim) {
      const used = new Set(claim.formula.names), found = [];
      for (const [name, formula] of [...this.short].reverse()) {
        if (used.has(name) || [...used].some((n) => parted(n, ".")[0] === name)) {
          formula.names.forEach((n) => used.add(n));
          found.push([name, formula]);
        }
      }
      return found.reverse();
    }

    /** What is right at a point, of all entries: { rows, columns, at(i, j), floor(i, j) }. */
    whole(kind, name, of, look) {
      if (look.truth) return look.truth(kind, name, of);
      const t = this.truth(kind, name, of), start = look.number * t.rows * t.columns;
      return { rows: t.rows, columns: t.columns, at: (i, j) => t.values[start + i * t.columns + j], floor: (i, j) => t.floors[start + i * t.columns + j] };
    }

    right(claim, look) {
      if (claim.kind === "path") {
        const edges = edgesOf(claim).map(([of, j, name, i]) => { const w = this.whole("partial", name, of, look); return [w.at(i, j), w.floor(i, j)]; });
        const value = edges.reduce((p, [v]) => p * v, 1);
        const floor = edges.reduce((s, [, e], k) => s + e * Math.abs(edges.reduce((p, [v], l) => (l === k ? p : p * v), 1)), 0);
        return { rows: 1, columns: 1, data: [value], floor: () => floor + edges.length * 2 ** -52 * Math.abs(value) };
      }
      const w = this.whole(claim.kind, claim.name, claim.of, look);
      const [is, js] = indicesOf(claim, w);
      return { rows: is.length, columns: js.length, data: is.flatMap((i) => js.map((j) => w.at(i, j))), floor: (i, j) => w.floor(is[i], js[j]) };
    }

    needed(claim) {
      return [...(claim.entry === null ? this.shapes[claim.name] : []), ...(claim.place === null ? this.shapes[claim.of] : [])];
    }

    /** A claim's value as rows by columns, and whether it was transposed to fit. */
    fitted(value, right, claim) {
      let shape = value.shape.filter((n) => n !== 1), data = Array.from(value.data);
      const turn = () => {
        const [m, n] = shape;
        data = count(n).flatMap((j) => count(m).map((i) => data[i * n + j]));
        shape = [n, m];
      };
      const wanted = this.needed(claim), below = claim.place === null ? this.shapes[claim.of].length : 0, above = wanted.length - below;
      if (shape.length === 2 && (this.data.layouts[claim.layout] ?? []).some(([a, b]) => a === above && b === below)) turn();
      const own = [right.rows, right.columns], same = (a, b) => a.length === b.length && a.every((n, k) => n === b[k]);
      const line = shape.length === 1 && shape[0] === right.data.length && own.includes(1);
      if (same(shape, own) || same(shape, wanted) || (size(shape) === 1 && right.data.length === 1) || line) return [data, false];
      if (same(shape, [...own].reverse()) || (wanted.length === 2 && same(shape, [...wanted].reverse()))) {
        if (shape.length === 2) turn();
        return [data, true];
      }
      throw new Unreadable(`${claim.text}: the formula has the shape ${shapeText(shape)}, needed: ${shapeText(wanted)}`);
    }

    trial(claim, look, known = null) {
      const [found, forks] = known ?? this.claimed(claim, look), right = this.right(claim, look);
      const [mine, turned] = this.fitted(found, right, claim);
      return new Trial(this, claim, look, { found, forks, right, mine, turned });
    }

    matters(claim, owner) {
      if (claim.kind === "partial") return owner === claim.name;
      if (claim.kind === "path") return claim.steps.some(([n]) => n === owner);
      return this.data.computedFrom[claim.name].includes(owner);
    }

    // A line.

    /** The marks of a line, one for each claim that it stands for: { text, verdict, detail, ... }. */
    line(kind, text, formula) {
      left = MOST_OF_A_LINE;
      deadline = Date.now() + this.patience;
      try {
        if (text.length > LONGEST) throw new Unreadable(`the left side has ${text.length.toLocaleString("en")} characters, allowed: ${LONGEST}`);
        return this.claims(kind, text, formula).map((claim) => this.markOf(claim));
      } catch (fault) {
        if (!(fault instanceof Unreadable)) throw fault;
        const verdict = fault instanceof Overworked || fault instanceof Beyond ? "cannot tell" : "cannot be read";
        let detail = fault.message;
        for (const start of [`${kind} ${quoted(text)}: `, `${text}: `]) if (detail.startsWith(start)) detail = detail.slice(start.length);
        const shownText = Reader.printable(text) === text && text.length <= LONGEST ? text : shown(text);
        return [{ kind, text: shownText, verdict, detail, claim: null, trials: [] }];
      } finally {
        left = deadline = Infinity;
      }
    }

    markOf(claim) {
      const trials = this.looks.map((look) => this.trial(claim, look));
      trials.push(...this.beside(claim, trials));
      return { kind: claim.kind, text: claim.text, claim, trials, ...this.mark(claim, trials) };
    }

    mark(claim, trials) {
      const given = this.data.given, edges = claim.kind === "partial" ? [[claim.of, 0, claim.name, 0]] : edgesOf(claim);
      for (const [of, , name] of edges) {
        if (this.data.missing.includes(`${name} / ${of}`)) return { verdict: "cannot tell", detail: `there is no ${name} / ${of} at one of the points` };
      }
      let kinked = 0, jumps = 0;
      const wrong = [];
      trials.forEach((trial, k) => {
        if (!trial.defined) return;
        const kink = k < given && claim.kind !== "path" ? this.data.kinks[`${claim.kind}|${claim.name}|${k}`] : undefined;
        if (kink === null) throw new Beyond("what is around a given point is left out of this page, which would be too large; diffrt verify has it");
        if (kink) {
          const entries = claim.entry === null ? count(trial.right.rows) : [claim.entry];
          const sides = entries.map((e, row) => this.sides(kink, e, trial.said(row)));
          if (sides.some((s) => s.jumps)) jumps++;
          if (sides.every((s) => s.jumps || s.mixes)) {
            kinked += Number(trial.differs);
            return;
          }
        }
        if (trial.differs || kink) wrong.push(k);
      });
      const undefinedAt = trials.filter((t) => !t.defined).length, confirm = () => (claim.kind === "path" ? "" : this.doubt(claim));
      const turned = trials.some((t) => t.turned);
      if (!wrong.length) {
        let doubt = undefinedAt ? `yours is not a number at ${undefinedAt} of ${trials.length} points` : "";
        doubt ||= jumps ? `${claim.name} jumps at a given point: it has no derivative there` : "";
        doubt ||= confirm();
        doubt ||= turned ? "" : blurred(trials);
        if (doubt) return { verdict: "cannot tell", detail: doubt };
        if (turned) {
          const byMatrix = trials[0].right.rows === 1 && !claim.layout;
          return { verdict: "wrong", detail: "", reason: byMatrix ? TRANSPOSED_MATRIX : TRANSPOSED, worst: trials[0] };
        }
        const unseen = notReached(trials, given);
        return { verdict: "right", detail: [...(kinked ? ["a subgradient at a kink"] : []), ...(unseen.length ? [`not reached: ${unseen.join(", ")}`] : [])].join("; ") };
      }
      const doubt = confirm();
      if (doubt) return { verdict: "cannot tell", detail: doubt };
      const worst = wrong.reduce((a, b) => (trials[b].off > trials[a].off ? b : a));
      let detail = "";
      if (wrong.length < trials.length) {
        const there = onlyWhere(trials, new Set(wrong));
        detail = `at ${wrong.length} of ${trials.length} points${there ? `, all with ${there}` : ""}`;
      }
      return { verdict: "wrong", detail, worst: trials[worst], wrong };
    }

    /** Why the program does not trust its own value; empty if numbers confirm it. */
    doubt(claim) {
      const t = this.truth(claim.kind, claim.name, claim.of);
      return product(indicesOf(claim, t)).slice(0, 16).map((at) => t.doubts?.[at]).find(Boolean) ?? "";
    }

    /** Whether what was said of an entry is one mixture of the derivatives around a kink. said: [of, place, value]. */
    sides(kink, entry, said) {
      const told = kink[entry], derivatives = numbers(told.derivatives), width = told.columns.length, rows = [];
      const chosen = said.map(([of, p]) => told.columns.findIndex(([n, k]) => n === of && k === p));
      for (let r = 0; r * width < derivatives.length; r++) {
        const row = chosen.map((c) => derivatives[r * width + c]);
        if (row.every(Number.isFinite)) rows.push(row);
      }
      return { jumps: told.jumps, mixes: mixes(rows, said.map(([, , v]) => v)) };
    }

    /** At a kink all right claims about one quantity have to be one subgradient. marks: of all lines. */
    together(marks) {
      const groups = new Map();
      for (const mark of this.data.given ? marks : []) {
        if (mark.verdict === "right" && mark.kind !== "path") {
          const key = `${mark.kind}|${mark.claim.name}`;
          groups.set(key, [...(groups.get(key) ?? []), mark]);
        }
      }
      for (const [key, lines] of groups) {
        for (let k = 0; k < this.data.given && lines.length > 1; k++) {
          const kink = this.data.kinks[`${key}|${k}`];
          for (let entry = 0; kink && entry < size(this.shapes[lines[0].claim.name]); entry++) {
            const about = lines.filter((m) => m.claim.entry === null || m.claim.entry === entry);
            const said = new Map(about.flatMap((m) => m.trials[k].said(m.claim.entry === null ? entry : 0)).map((s) => [`${s[0]}|${s[1]}`, s]));
            const found = this.sides(kink, entry, [...said.values()]);
            if (found.jumps || found.mixes) continue;
            for (const m of about) {
              Object.assign(m, { verdict: "wrong", detail: "at a kink: together with the other lines it is no subgradient", worst: m.trials[k], wrong: [k] });
            }
          }
        }
      }
      return marks;
    }

    /** All marks of some lines, each { kind, text, formula }. */
    marks(lines) {
      return this.together(lines.flatMap((l) => this.line(l.kind, l.text, l.formula)));
    }

    // Borders of a claim's own formula, at points that the program has not seen.

    beside(claim, trials) {
      if (!trials.some((t) => t.forks.length) || !this.data.definitions) return [];
      const settled = sharedMargins(trials);
      if (settled.size === trials[0].margins.length) return [];
      if (!this.wider) this.wider = this.points(numbers(this.data.wider)).map((p) => this.lookAt(p)).filter(Boolean);
      const look = (point) => {
        const there = this.lookAt(point);
        if (there === null) return null;
        const known = this.claimed(claim, there);
        return { point, there, known, forks: known[1], margins: known[1].flatMap((f) => f.margins) };
      };
      const known = trials.map((t) => ({ point: this.pointOf(t.look), forks: t.forks, margins: t.margins }));
      const wider = this.wider.map((w) => look(w.point));
      return Borders.found(known, wider, settled, this.bounds, look, POINTS).map((k) => this.trial(claim, k.there, k.known));
    }

    get bounds() {
      const each = this.data.inputs.flatMap(([name, low, high]) => count(size(this.shapes[name])).map(() => [low, high]));
      return { low: each.map(([low]) => low), high: each.map(([, high]) => high) };
    }

    points(flat) {
      const n = this.bounds.low.length;
      return count(n ? flat.length / n : 0).map((k) => Array.from(flat.slice(k * n, (k + 1) * n)));
    }

    pointOf(look) { return this.data.inputs.flatMap(([name]) => Array.from(look.quantities.get(name).data)); }

    /** The quantities at a point, from the definitions; null where one of them is not defined. */
    lookAt(point) {
      this.defined ??= this.data.definitions.map(([name, told]) => [name, definition(name, told)]);
      const before = left;
      left = Infinity;
      try {
        const given = new Map();
        let start = 0;
        for (const [name] of this.data.inputs) {
          const n = size(this.shapes[name]);
          given.set(name, leaf(Float64Array.from(point.slice(start, start + n)), this.shapes[name], name));
          start += n;
        }
        const [defined, seen] = watched(() => this.defined.every(([name, f]) => {
          given.set(name, f(given));
          return given.get(name).data.every(Number.isFinite);
        }));
        if (!defined) return null;
        const quantities = new Map();
        for (const name of this.data.names) {
          const v = given.get(name), floors = Float64Array.from(count(v.data.length), (e) => rounding(v, e));
          quantities.set(name, leaf(v.data, this.shapes[name], name, floors));
        }
        const magnitude = Math.max(0, ...[...quantities.values()].map((v) => Math.max(0, ...v.data.map(Math.abs))));
        return { number: -1, given: false, point, quantities, ...this.forksAt(given, seen), magnitude,
          truth: (kind, name, of) => this.truthAt(kind, name, of, quantities) };
      } catch (fault) {
        if (fault instanceof Unreadable) return null;
        throw fault;
      } finally {
        left = before;
      }
    }

    /** Where the definitions branch at a point; nothing if not as they do at the program's points. */
    forksAt(values, seen) {
      const forks = forksOf([...values.values()], seen, -1), computed = this.defined.map(([n]) => [values.get(n).serial, n]).sort((a, b) => a[0] - b[0]);
      const owners = forks.map((f) => [computed.find(([s]) => s >= f.serial)?.[1] ?? "", f.margins.length]);
      const known = this.data.templates.find((t) => JSON.stringify(t.owners) === JSON.stringify(owners));
      return known ? { forks: known, margins: forks.flatMap((f) => f.margins) } : { forks: null, margins: [] };
    }

    truthAt(kind, name, of, quantities) {
      const given = new Map([...quantities].map(([n, v]) => [n, leaf(v.data, v.shape, n)])), source = given.get(of), before = left;
      left = Infinity;
      if (kind === "total") {
        // What comes after the other quantity is computed from it again.
        const after = new Set([of]);
        for (const [n, f] of this.defined) {
          if (!this.data.parents[n].some((p) => after.has(p)) || n === of) continue;
          after.add(n);
          given.set(n, f(given));
        }
      } else given.set(name, this.defined.find(([n]) => n === name)[1](given));
      left = before;
      const target = given.get(name), columns = size(source.shape), rows = size(target.shape);
      const matrix = count(rows).map((i) => adjoints(target, i).get(source) ?? new Float64Array(columns));
      // Rounding of it is like that at the other points, relatively.
      const known = this.truth(kind, name, of);
      let worst = 2 ** -52;
      for (let k = 0; k < known.values.length; k++) if (known.values[k]) worst = Math.max(worst, Math.min(1e-12, known.floors[k] / Math.abs(known.values[k])));
      return { rows, columns, at: (i, j) => matrix[i][j], floor: (i, j) => worst * Math.abs(matrix[i][j]) };
    }
  }

  /** A quantity as a function of the others. */
  function definition(name, told) {
    if (typeof told === "string") {
      const formula = new Formula(told, `definitions.${name}`);
      return (given) => squeezed(new Evaluation(formula, given, {}).value(formula.tree));
    }
    const [before, after] = told.equation.replace("==", "=").split("=");
    const equation = new Formula(after === undefined ? before : `(${before}) - (${after})`, `definitions.${name}`);
    const used = [...equation.names].filter((n) => n !== name).map((n) => n.split(".")[0]);
    return (given) => {
      const gap = (y, inputs) => new Evaluation(equation, new Map([...inputs, [name, y]]), {}).value(equation.tree);
      const names = [...given.keys()].filter((n) => used.includes(n)), plain = names.map((n) => [n, Arrays.plain(given.get(n).data, given.get(n).shape)]);
      const at = (y) => gap(number(y), plain).data[0], [low, high] = told.between, places = count(33).map((k) => low + ((high - low) * k) / 32);
      const gaps = places.map(at), turn = count(32).find((k) => Math.sign(gaps[k]) * Math.sign(gaps[k + 1]) <= 0);
      if (turn === undefined) return number(NaN);
      let [a, b] = [places[turn], places[turn + 1]], fa = gaps[turn];
      for (let k = 0; k < 200 && fa !== 0 && a !== b; k++) {
        const middle = (a + b) / 2, fm = at(middle);
        if (middle === a || middle === b) break;
        if (fm === 0 || Math.sign(fm) === Math.sign(fa)) [a, fa] = [middle, fm];
        else b = middle;
      }
      const y = leaf(Float64Array.of(a), [], name), leaves = names.map((n) => [n, leaf(given.get(n).data, given.get(n).shape, n)]);
      const slopes = adjoints(gap(y, leaves), 0), by = slopes.get(y)?.[0] ?? 0;
      return { ...leaf(Float64Array.of(a), [], ""), op: "root", inputs: names.map((n) => given.get(n)), tracked: names.some((n) => given.get(n).tracked), name: "",
        back: (g) => leaves.map(([, x]) => { const s = slopes.get(x); return s ? s.map((v) => (-g[0] * v) / by) : null; }), terms: [a] };
    };
  }

  function squeezed(x) {
    const shape = x.shape.filter((n) => n !== 1);
    return shape.length === x.shape.length ? x : Arrays.reshape(x, shape);
  }

  /** The rows and the columns of a derivative that a claim is about. */
  function indicesOf(claim, { rows, columns }) {
    return [claim.entry === null ? count(rows) : [claim.entry], claim.place === null ? count(columns) : [claim.place]];
  }

  function edgesOf(claim) {
    return claim.steps.slice(1).map(([name, entry], k) => [claim.steps[k][0], claim.steps[k][1], name, entry]);
  }

  /** Whether one mixture of derivatives, rows, is what was claimed. */
  function mixes(rows, claimed) {
    if (!rows.length || !claimed.every(Number.isFinite)) return false;
    let sizes = claimed.map((_, c) => Math.max(...rows.map((r) => Math.abs(r[c]))));
    const most = Math.max(...sizes);
    sizes = sizes.map((s) => Math.max(s, 1e-9 * most));
    const moving = count(claimed.length).filter((c) => sizes[c] > 0);
    if (claimed.some((v, c) => sizes[c] === 0 && v !== 0)) return false;
    return nnlsRest(rows.map((r) => [...moving.map((c) => r[c] / sizes[c]), 1]), [...moving.map((c) => claimed[c] / sizes[c]), 1]) <= 1e-6;
  }

  class Trial {
    constructor(derivation, claim, look, { found, forks, right, mine, turned }) {
      Object.assign(this, { derivation, claim, look, found, forks, right, mine, turned });
      this.margins = forks.flatMap((f) => f.margins);
      this.known = new Map();
    }

    get defined() { return this.mine.every(Number.isFinite); }

    get off() {
      return Math.max(0, ...this.mine.map((m, k) => {
        const r = this.right.data[k], d = Math.abs(m - r) / Math.max(Math.abs(m), Math.abs(r));
        return Number.isNaN(d) ? 0 : d;
      }));
    }

    floors(i, j) {
      const { rows, columns } = this.right, place = this.mine.length > 1 ? (this.turned ? j * rows + i : i * columns + j) : 0;
      if (!this.known.has(place)) this.known.set(place, rounding(this.found, place));
      return [this.known.get(place), this.right.floor(i, j)];
    }

    get differs() {
      this.different ??= this.mine.some((m, k) => {
        const r = this.right.data[k], off = Math.abs(m - r), room = TOLERANCE * Math.max(Math.abs(m), Math.abs(r)) + UNDERFLOW;
        if (!(off > room)) return false;
        const [yours, ours] = this.floors(Math.floor(k / this.right.columns), k % this.right.columns);
        return off > room + 16 * (yours + ours);
      });
      return this.different;
    }

    cancels(i, j) {
      const k = i * this.right.columns + j, mine = Math.abs(this.mine[k]), right = Math.abs(this.right.data[k]);
      const [yours, ours] = this.floors(i, j).map((f) => 16 * f);
      if (yours + ours <= SHARP * Math.max(mine, right)) return "";
      if (mine <= yours && right <= ours && yours + ours <= SHARP * Math.max(1, this.look.magnitude)) return "";
      return yours >= ours ? "your formula" : "the definition";
    }

    /** What is said of a row: [the other quantity, its entry, the value]. */
    said(row) {
      const places = this.claim.place === null ? count(this.right.columns) : [this.claim.place];
      return places.map((p, k) => [this.claim.of, p, this.mine[row * this.right.columns + k]]);
    }

    /** The signs of the margins that decide: of the definitions, NONE for those that do not matter, and of the claim. */
    get sides() {
      const look = this.look, matters = [];
      for (const [owner, n] of look.forks?.owners ?? []) for (let k = 0; k < n; k++) matters.push(this.derivation.matters(this.claim, owner));
      return [signs(look.margins).map((s, k) => (matters[k] ? s : NONE)), signs(this.margins)];
    }

    words(own, at, side) {
      return own ? wordsOf(...forkAt(this.forks, at), side) : this.look.forks.words[at]?.[side + 1] ?? "";
    }
  }

  /** The sides at all trials, a row each: first those of the claim, so many, then those of the definitions. */
  function tableOf(trials) {
    const all = trials.map((t) => t.sides), claims = Math.max(...all.map(([, o]) => o.length)), rest = Math.max(...all.map(([d]) => d.length));
    return [all.map(([d, o]) => count(claims + rest).map((c) => (c < claims ? o[c] : d[c - claims]) ?? NONE)), claims];
  }

  function blurred(trials) {
    const { rows, columns } = trials[0].right, n = rows * columns;
    const places = [...new Set(count(ENTRIES).map((k) => Math.trunc(((n - 1) * k) / (ENTRIES - 1))))];
    const [table] = tableOf(trials), sides = table.map((row) => [true, ...[-1, 0, 1].flatMap((s) => row.map((x) => x === s))]);
    let cancelled = false, yours = false;
    for (const p of places) {
      const needed = sides[0].map((_, c) => sides.some((row) => row[c])), formula = needed.map(() => false);
      trials.forEach((trial, r) => {
        const asked = count(needed.length).filter((c) => needed[c] && sides[r][c]);
        if (!asked.length) return;
        const culprit = trial.cancels(Math.floor(p / columns), p % columns);
        for (const c of asked) {
          formula[c] = culprit === "your formula";
          if (!culprit) needed[c] = false;
        }
      });
      cancelled ||= needed.some(Boolean);
      yours ||= needed.some((x, c) => x && formula[c]);
    }
    return cancelled ? `${yours ? "your formula" : "the definition"} cancels: rounding leaves fewer than six digits of it` : "";
  }

  function notReached(trials, given) {
    const [table, claims] = tableOf(trials), found = [];
    for (let c = 0; c < (table[0]?.length ?? 0); c++) {
      const first = table.findIndex((row) => row[c] !== NONE);
      if (first < 0 || table.some((row, r) => r >= given && row[c] === 0)) continue;
      for (const way of [-1, 1]) {
        if (!table.some((row) => row[c] === way)) found.push(trials[first].words(c < claims, c < claims ? c : c - claims, way));
      }
    }
    return [...new Set(found)];
  }

  function onlyWhere(trials, wrong) {
    const [table, claims] = tableOf(trials), first = Math.min(...wrong), side = table[first];
    const c = side.findIndex((s, k) => s !== NONE && table.every((row, r) => (wrong.has(r) ? row[k] === s : row[k] !== s)));
    return c < 0 ? "" : trials[first].words(c < claims, c < claims ? c : c - claims, side[c]);
  }

  /** The numbers of a claim's margins that are, up to the sign, margins of the definitions too. */
  function sharedMargins(trials) {
    const ours = trials.map((t) => t.margins), theirs = trials.map((t) => t.look.margins), found = new Set();
    if (new Set(ours.map((m) => m.length)).size !== 1 || new Set(theirs.map((m) => m.length)).size !== 1) return found;
    for (let n = 0; n < ours[0].length; n++) {
      const same = count(theirs[0].length).some((o) => ours.every((m, k) => {
        return Math.abs(Math.abs(theirs[k][o]) - Math.abs(m[n])) <= 1e-12 * Math.abs(m[n]);
      }));
      if (same) found.add(n);
    }
    return found;
  }

  // The search for points on both sides of a border, as in `branches.py`.

  const Borders = (() => {
    const side = (k, n) => (k.margins[n] > 0 ? 1 : k.margins[n] < 0 ? -1 : 0);
    const cell = (k) => signs(k.margins).join();

    function random(seed) {  // a linear congruence is enough for where to look
      let state = seed >>> 0 || 1;
      return () => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return state / 2 ** 32; };
    }

    function found(known, wider, settled, bounds, at, most) {
      const news = [], others = wider.filter(Boolean);
      search([...known, ...others], news, settled, bounds, at);
      const corners = rare([...known, ...news, ...others], bounds, at);
      const cells = new Set([...known, ...news].map(cell)), more = [];
      for (const k of [...corners, ...others]) {
        if (!cells.has(cell(k)) && more.length < most) { cells.add(cell(k)); more.push(k); }
      }
      return [...news, ...more];
    }

    function search(known, news, settled, bounds, at) {
      let searches = 0, borders = 0;
      const total = Math.max(0, ...known.map((k) => k.margins.length));
      for (let n = 0; n < total; n++) {
        if (settled.has(n)) continue;
        const sides = new Set(known.map((k) => side(k, n)));
        for (const way of [-1, 1]) {
          if (sides.has(way) || sides.has(0) || searches >= SEARCHES) continue;
          searches++;
          const reached = reach(known, bounds, at, n, way);
          if (reached) { known.push(reached); news.push(reached); }
        }
        const two = borders < BORDERS ? pairs(known, bounds, n) : [];
        for (const [below, above] of two.slice(0, 2 * total <= BORDERS ? 2 : 1)) {
          if (borders >= BORDERS) break;
          borders++;
          news.push(...next(below, above, at, n));
        }
      }
    }

    // A descent along coordinates, with steps that shrink, and the corners of the box.
    function reach(known, bounds, at, n, way) {
      const { low, high } = bounds, usable = known.filter((k) => n < k.margins.length && Number.isFinite(k.margins[n]));
      usable.sort((a, b) => Math.abs(a.margins[n]) - Math.abs(b.margins[n]));
      const better = (k) => (k === null || !(n < k.margins.length) ? -Infinity : way * k.margins[n]);
      for (const start of usable.slice(0, 3)) {
        let here = start;
        for (let step = 0.25, tries = 0; step > 1e-9 && tries < 200;) {
          let moved = false;
          for (let c = 0; c < low.length && tries < 200; c++) {
            for (const sign of [-1, 1]) {
              const point = [...here.point];
              point[c] = Math.min(high[c], Math.max(low[c], point[c] + sign * step * (high[c] - low[c])));
              const there = at(point);
              tries++;
              if (there && side(there, n) === way) return there;
              if (better(there) > better(here)) { here = there; moved = true; break; }
            }
          }
          if (!moved) step /= 4;
        }
      }
      const chance = random(n + 1);
      for (let k = 0; usable.length && k < 16; k++) {
        const there = at(low.map((a, c) => (chance() < 0.5 ? a : high[c])));
        if (there && side(there, n) === way) return there;
      }
      return null;
    }

    function pairs(known, bounds, n) {
      const below = known.filter((k) => side(k, n) < 0), above = known.filter((k) => side(k, n) > 0), all = [];
      below.forEach((a, i) => above.forEach((b, j) => {
        all.push([a.point.reduce((s, x, c) => s + ((x - b.point[c]) / (bounds.high[c] - bounds.low[c])) ** 2, 0), i, j]);
      }));
      all.sort((a, b) => a[0] - b[0]);
      const first = all[0], second = all.find(([, i, j]) => first && i !== first[1] && j !== first[2]);
      return [first, second].filter(Boolean).map(([, i, j]) => [below[i], above[j]]);
    }

    function next(below, above, at, n) {
      const start = below.point, end = above.point, looks = new Map();
      const margin = (t) => {
        const k = at(start.map((x, c) => x + t * (end[c] - x)));
        if (k === null || !(n < k.margins.length) || !Number.isFinite(k.margins[n])) return null;
        looks.set(t, k);
        return k.margins[n];
      };
      let [a, b] = [0, 1];
      for (let k = 0; k < 60 && b - a > 1e-12; k++) {
        const middle = (a + b) / 2, m = margin(middle);
        if (m === null) return [];
        if (m < 0) a = middle;
        else b = middle;
      }
      const border = (a + b) / 2, length = Math.max(...start.map((x, c) => Math.abs(end[c] - x)));
      const place = start.map((x, c) => x + border * (end[c] - x));
      const first = (NEAR * Math.max(...place.map((x) => Math.max(Math.abs(x), 1e-3 * length)))) / length, found = [];
      for (const [way, last] of [[-1, 0], [1, 1]]) {
        for (let step = first; step < Math.abs(last - border); step *= 4) {
          const t = border + way * step, m = margin(t);
          if (m === null) break;
          if (m * way > 0) {
            if (Math.abs(m) > 1e4 * rounding(marginOf(...forkAt(looks.get(t).forks, n)))) { found.push(looks.get(t)); break; }
          }
        }
      }
      return found;
    }

    /** Points on the rare sides of several borders at once, made of parts of those that are on one of them. */
    function rare(looks, bounds, at) {
      const seen = looks.filter((k) => k.margins.length === looks[0].margins.length), parts = [], chance = random(7);
      for (let n = 0; n < Math.min(looks[0].margins.length, SEARCHES); n++) {
        const sides = seen.map((k) => side(k, n)), way = sides.filter((s) => s > 0).length < sides.filter((s) => s < 0).length ? 1 : -1;
        const there = count(seen.length).filter((k) => sides[k] === way);
        if (there.length && there.length < 0.3 * seen.length) parts.push([there, moving(seen[there[0]], n)]);
      }
      const found = [], pick = (list) => list[Math.floor(chance() * list.length)];
      for (let k = 0; parts.length > 1 && k < 64; k++) {
        const point = [...pick(seen).point], order = [...parts].sort(() => chance() - 0.5);
        for (const [there, inputs] of order.slice(0, 2 + Math.floor(chance() * (parts.length - 1)))) {
          const other = seen[pick(there)].point;
          inputs.forEach((moves, c) => { if (moves) point[c] = other[c]; });
        }
        const look = at(point);
        if (look) found.push(look);
      }
      return found;

      /** By which inputs a margin moves. */
      function moving(k, n) {
        return k.point.map((x, c) => {
          const point = [...k.point];
          point[c] = x + 1e-6 * (bounds.high[c] - bounds.low[c]);
          const there = at(point);
          return !there || there.margins[n] !== k.margins[n];
        });
      }
    }

    return { found };
  })();

  return { Derivation, TRANSPOSED, TRANSPOSED_MATRIX, components, leastSquares, numbers, product, signs, tidy, wordsOf };
})();
