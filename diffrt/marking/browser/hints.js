// Why a line is wrong, in stages: in which entry or under which condition, then which term. The first searches of
// `diagnosis.py`, in its order and its words, on the terms and factors that the program sends along; what these do not
// find is not guessed at.

const Hints = (() => {
  const { count, size } = Arrays;
  const { said } = Reader;
  const { TRANSPOSED, TRANSPOSED_MATRIX, components, leastSquares, numbers, product, signs, wordsOf } = Marker;

  const CLOSE = 1e-7, EXACT = 1e-8, MOST = 1500, FEW = 6, MOST_PARTS = 60;
  const FACTORS = [[1 / 2, "1/2"], [1 / 3, "1/3"], [2 / 3, "2/3"], [1 / 4, "1/4"], [3 / 4, "3/4"], [3 / 2, "3/2"], [Math.PI, "pi"],
    [1 / Math.PI, "1/pi"], [2 * Math.PI, "2 * pi"], [Math.E, "e"], [Math.log(2), "log(2)"]];

  const same = (a, b, scale = null) => a.every((x, k) => {
    return Math.abs(x - b[k]) <= CLOSE * Math.max(Math.abs(x), Math.abs(b[k])) + 1e-12 * (scale === null ? 0 : scale[k]);
  });
  const alike = (a, b) => {
    const most = 0.1 * Math.max(0, ...a.map(Math.abs));
    return same(a, b, a.map(() => most));
  };
  const steady = (values) => values.every((v) => Math.abs(v - values[0]) <= CLOSE * Math.abs(values[0]));

  /** A constant as people write it. */
  function number(x) {
    const sign = x < 0 ? "-" : "", size = Math.abs(x);
    for (const [value, text] of FACTORS) if (Math.abs(size - value) <= EXACT * value) return sign + text;
    if (Math.abs(size - Math.round(size)) <= EXACT * size && size < 1e6) return sign + Math.round(size);
    for (let d = 6; d < 18; d++) if (Math.abs(Number(x.toPrecision(d)) - x) <= EXACT * size) return Marker.tidy(x, d);
    return String(x);
  }

  /** A line as samples: one for each entry that it stands for, at each point. */
  class Samples {
    constructor(derivation, list) {
      Object.assign(this, { derivation, list });
      this.claim = list[0].trial.claim;
      this.mine = list.map((s) => s.mine);
      this.right = list.map((s) => s.right);
      this.entries = list.map((s) => s.entry);
      this.places = list.map((s) => s.place);
      const most = 1e-13 * Math.max(...this.right.map(Math.abs));
      this.wrong = list.map((s) => Math.abs(s.mine - s.right) > CLOSE * Math.max(Math.abs(s.mine), Math.abs(s.right)) + most);
    }

    where(chosen) { return new Samples(this.derivation, this.list.filter((_, k) => chosen[k])); }

    get letters() {
      const claim = this.claim;
      if (Object.keys(claim.letters).length) {
        return Object.fromEntries(Object.keys(claim.letters).map((x) => [x, this.list.map((s) => s.trial.claim.letters[x])]));
      }
      const found = {}, free = [...this.derivation.data.letters];
      for (const [name, places, given] of [[claim.name, this.entries, claim.entry], [claim.of, this.places, claim.place]]) {
        const shape = this.derivation.shapes[name];
        if (given !== null) continue;
        shape.forEach((n, a) => {
          const inner = size(shape.slice(a + 1)), letter = free.shift();
          if (letter) found[letter] = places.map((p) => Math.floor(p / inner) % n);
        });
      }
      return found;
    }

    get whole() { return !Object.keys(this.claim.letters).length && Object.keys(this.letters).length > 0; }

    /** A matrix of each point at the samples. of: from a look to { at(i, j) }, or null. */
    picked(of) {
      const found = [];
      for (const s of this.list) {
        const matrix = of(s.trial.look);
        if (matrix === null) return null;
        found.push(matrix.at(s.entry, s.place));
      }
      return found;
    }

    * cases() {
      const letters = this.letters, names = Object.keys(letters), sizes = Object.fromEntries(names.map((x) => [x, Math.max(...letters[x]) + 1]));
      for (let k = 0; k < names.length; k++) {
        for (const b of names.slice(k + 1)) {
          const a = names[k], x = letters[a], y = letters[b];
          if (sizes[a] !== sizes[b] || sizes[a] < 2) continue;
          const texts = this.whole && names.length === 2 ? ["on the diagonal", "off the diagonal", "above the diagonal", "below the diagonal"] :
            [`where ${a} = ${b}`, `where ${a} != ${b}`, `where ${a} < ${b}`, `where ${a} > ${b}`];
          const tests = [(i, j) => i === j, (i, j) => i !== j, (i, j) => i < j, (i, j) => i > j];
          for (let t = 0; t < 4; t++) yield [texts[t], x.map((v, s) => tests[t](v, y[s]))];
        }
      }
      const forms = (k, a, value) => {
        if (!this.whole) return [`where ${a} = ${value}`, `where ${a} != ${value}`];
        if (names.length === 1) return [`in entry ${value}`, `in all entries but ${value}`];
        return k === 0 ? [`in row ${value}`, `in all rows but ${value}`] : [`in column ${value}`, `in all columns but ${value}`];
      };
      for (const [k, a] of names.entries()) {
        if (sizes[a] < 2 || sizes[a] > FEW || (k > 1 && this.whole)) continue;
        for (let value = 0; value < sizes[a]; value++) {
          const there = letters[a].map((v) => v === value), [one, others] = forms(k, a, value);
          yield [one, there];
          yield [others, there.map((x) => !x)];
        }
      }
      yield* this.sides();
    }

    * sides() {
      const d = this.derivation, claim = this.claim, trials = this.list.map((s) => s.trial), looks = trials.map((t) => t.look), first = looks[0].forks;
      const sizeOf = (name) => size(d.shapes[name]);
      const indexOf = (n) => (n === 1 ? [trials.map(() => 0), ""] : n === sizeOf(claim.name) ? [this.entries, this.letter(claim.name)] :
        n === sizeOf(claim.of) ? [this.places, this.letter(claim.of)] : [null, ""]);
      const forks = [];  // of the definitions, then of the line: how many margins, one of them at a sample, its words
      if (first && looks.every((l) => l.forks && l.forks.owners.length === first.owners.length)) {
        let start = 0;
        for (const [owner, n] of first.owners) {
          const from = start;
          start += n;
          if (d.matters(claim, owner)) forks.push([n, (k, i) => looks[k].margins[from + i], (i, side) => first.words[from + i]?.[side + 1] ?? ""]);
        }
      }
      if (trials.every((t) => t.forks.length === trials[0].forks.length)) {
        trials[0].forks.forEach((fork, f) => forks.push([fork.margins.length, (k, i) => trials[k].forks[f].margins[i], (i, side) => wordsOf(fork, i, side)]));
      }
      for (const [n, margin, words] of forks) {
        const [index, letter] = indexOf(n);
        if (index === null) continue;
        const found = signs(trials.map((_, k) => margin(k, index[k])));
        for (const side of [-1, 1]) {
          const told = words(index[0], side);
          yield [`where ${letter ? told.replace(`[${index[0]}]`, letter) : told}`, found.map((s) => s === side)];
        }
      }
    }

    letter(name) {
      const [left = "", right = ""] = this.claim.line.split("/");
      const side = name === this.claim.name ? left : right;
      const parts = side.includes("[") ? side.split("[").pop().replace(/[\] ]+$/, "").split(",").map((p) => p.trim()) : [];
      return parts.length ? `[${parts.join(", ")}]` : "[i]";
    }

    entryWords() {
      const d = this.derivation, above = components(this.claim.name, d.shapes[this.claim.name]), below = components(this.claim.of, d.shapes[this.claim.of]);
      const pairs = [...new Set(this.list.map((s) => `${above[s.entry]} / ${below[s.place]}`))];
      return pairs.length > 3 ? `in ${pairs.length} entries` : `in ${pairs.join(" and ")}`;
    }
  }

  function samplesOf(derivation, marks, only = null) {
    const count = Math.max(1, Math.min(12, Math.floor(MOST / (marks.length * 4)))), list = [];
    marks.forEach((mark, n) => {
      const { claim } = mark;
      for (const wrong of [true, false]) {
        const some = mark.trials.filter((t) => t.defined && t.right.data.every(Number.isFinite) && t.differs === wrong && (!only || only(t)));
        const turn = some.length ? (n * count) % some.length : 0;
        for (const trial of [...some.slice(turn), ...some.slice(0, turn)].slice(0, count)) {
          const { columns } = trial.right, room = Math.max(1, Math.floor(MOST / (2 * count * marks.length)));
          trial.mine.forEach((mine, k) => {
            if (trial.mine.length > room && k % Math.ceil(trial.mine.length / room)) return;
            const i = Math.floor(k / columns), j = k % columns;
            list.push({ trial, mine, right: trial.right.data[k], place: claim.place ?? j, entry: claim.entry ?? i, row: i, column: j });
          });
        }
      }
    });
    return new Set(list.map((s) => s.trial.look)).size < 2 ? null : new Samples(derivation, list);
  }

  /** Under which condition a line is wrong, in words, and the samples there; no words if it always is. */
  function whereOf(s) {
    const silent = s.right.map((r, k) => !s.wrong[k] && r === 0);
    if (s.wrong.every((w, k) => w || silent[k])) return ["", silent.some(Boolean) ? s.where(s.wrong) : s];
    const pairs = (chosen) => new Set(s.list.filter((_, k) => chosen[k]).map((x) => `${x.entry},${x.place}`)).size;
    const few = pairs(s.wrong), every = pairs(s.wrong.map(() => true));
    for (const [words, there] of s.cases()) {
      if (s.whole && few <= 3 && every > 3 && !words.includes("diagonal") && !words.startsWith("where")) continue;
      if (there.every(Boolean)) continue;
      if (there.every((t, k) => (t || !s.wrong[k]) && (!t || s.wrong[k] || silent[k]))) return [words, s.where(there.map((t, k) => t && s.wrong[k]))];
    }
    return [few < every ? s.where(s.wrong).entryWords() : "", s.where(s.wrong)];
  }

  /** What is asked of the samples under one condition. Each search gives what it finds, the likeliest first. */
  class Case {
    constructor(samples, partly, terms) {
      Object.assign(this, { s: samples, partly, told: terms });
      const looks = samples.list.map((x) => (terms ? terms.looks.indexOf(x.trial.look.number) : -1));
      this.places = looks.includes(-1) ? null : looks;  // of the points among those whose terms are known
      this.terms = this.termsOf();
      this.size = samples.right.map((r, k) => Math.abs(r) + Math.abs(samples.mine[k]) + this.terms.reduce((t, [, v]) => t + Math.abs(v[k]), 0));
    }

    /** The terms of the right answer, each once. */
    termsOf() {
      const { s, told, places } = this, kept = [];
      for (const [words, values] of places ? told.terms : []) {
        const term = s.list.map((x, k) => values[(places[k] * told.rows + x.entry) * told.columns + x.place]);
        if (term.some((v) => v !== 0) && !kept.some(([, other]) => alike(term, other)) && !alike(term, s.right)) kept.push([words, term]);
      }
      return kept;
    }

    get links() {
      const { s, places } = this, found = [], letters = Object.values(s.letters), d = s.derivation;
      for (const [words, n, values] of places ? this.told.links : []) {
        const indices = [...(n === 1 ? [s.list.map(() => 0)] : []), ...(n === size(d.shapes[s.claim.name]) ? [s.entries] : []),
          ...(n === size(d.shapes[s.claim.of]) ? [s.places] : []), ...letters.filter((v) => Math.max(...v) + 1 === n)];
        for (const index of indices) {
          const link = places.map((place, k) => values[place * n + index[k]]);
          if (!alike(link, link.map(() => 1))) found.push([words, link]);
        }
      }
      return found;
    }

    nothing() {
      const { mine, right } = this.s, none = (v) => v.every((x) => x === 0);
      if (this.partly && none(mine)) return "yours is 0 there, the right one is not";
      if (this.partly && none(right)) return "the right one is 0 there, yours is not";
      if (none(mine)) return "yours is 0, the right one is not";
      if (!this.partly || !this.s.list.every((x) => x.entry !== x.place)) return "";
      const d = this.s.derivation, { kind, name, of } = this.s.claim;
      const whole = (look) => d.whole(kind, name, of, look);
      for (const index of [this.s.entries, this.s.places]) {
        const w = whole(this.s.list[0].trial.look);
        if (Math.max(...index) >= Math.min(w.rows, w.columns)) continue;
        if (alike(mine, this.s.list.map((x, k) => whole(x.trial.look).at(index[k], index[k])))) return "yours is what is right for equal indices";
      }
      return "";
    }

    /** What was given over what is right, where neither is 0, and at which samples; none if only one of them is somewhere. */
    get ratio() {
      const { mine, right } = this.s, used = count(mine.length).filter((k) => right[k] !== 0 && mine[k] !== 0);
      return mine.some((m, k) => (m === 0) !== (right[k] === 0)) ? [[], []] : [used.map((k) => mine[k] / right[k]), used];
    }

    constant() {
      const [ratio] = this.ratio;
      if (ratio.length < 3 || !steady(ratio)) return "";
      const c = number(ratio[0]), negative = Math.abs(ratio[0] + 1) < CLOSE;
      const parts = this.terms.filter(([w]) => w.startsWith("the numerator") || w.startsWith("the denominator"));
      const turned = negative && parts.length > 1 && this.s.claim.kind === "partial" ? "; the quotient rule is turned round" : "";
      return `yours = right * ${c}${negative ? ": the sign" : ""}${turned}`;
    }

    part(words, c) {
      const text = `the part through ${words}`;
      if (c === 0) return `${text} is missing`;
      return c === -1 ? `${text} has the wrong sign` : `${text} has a factor ${number(c)} that does not belong there`;
    }

    missing() {
      const off = this.s.mine.map((m, k) => m - this.s.right[k]);
      for (const c of [0, -1]) {
        for (const [words, term] of this.terms) if (same(off, term.map((t) => (c - 1) * t), this.size)) return this.part(words, c);
      }
      if (this.terms.length > 2) {
        for (const [words, term] of this.terms) {
          if (same(this.s.mine, term, this.size)) return `only the part through ${words} is there, others are missing`;
        }
      }
      return "";
    }

    products() {
      const s = this.s;
      if (s.claim.kind !== "partial") return "";
      const y = s.list.map((x) => x.trial.look.quantities.get(s.claim.name).data[x.entry]);
      const of = (kind) => this.terms.filter(([w]) => w.startsWith(kind)).map(([, t]) => t), factors = of("the factor");
      const whole = s.mine.map((m, k) => m * y[k]);
      for (let a = 0; a < factors.length; a++) {
        for (const b of factors.slice(a + 1)) {
          if (alike(whole, factors[a].map((v, k) => v * b[k]))) {
            return "yours is the product of the derivatives of the factors; the product rule adds up: each factor's derivative times the other factor";
          }
        }
      }
      for (const a of of("the numerator")) {
        for (const b of of("the denominator")) {
          if (alike(s.mine.map((m, k) => m * b[k]), a.map((v, k) => -v * y[k]))) {
            return "yours is the quotient of the derivatives of numerator and denominator; the quotient rule is (u' v - u v') / v^2";
          }
        }
      }
      return "";
    }

    chain() {
      const s = this.s;
      if (s.claim.kind === "path") return "";
      for (const [words, link] of this.links) {
        if (alike(s.mine.map((m, k) => m * link[k]), s.right)) return `the factor that is ${words} is missing`;
        if (alike(s.mine, s.right.map((r, k) => r * link[k]))) return `the factor that is ${words} is there once too often`;
      }
      return "";
    }

    /** A constant factor of a part of the formula as written. */
    constants() {
      const formula = this.s.claim.formula, parts = partsOf(formula.tree).slice(1, MOST_PARTS);
      const exponents = parts.concat(formula.tree).filter((n) => n.t === "binary" && n.op === "**").map((n) => n.b);
      for (const node of parts) {
        if (exponents.includes(node)) continue;
        const value = (c) => this.with(node, { t: "binary", op: "*", a: { t: "number", value: c, whole: false, text: String(c) }, b: node });
        const one = value(1), two = value(2), three = value(3);
        let constants = [-1, 2, 0.5], linear = false;
        if (one && two && three) {
          const step = two.map((v, k) => v - one[k]), sizes = one.map((v, k) => Math.abs(v) + Math.abs(two[k]));
          if (step.every((v, k) => Math.abs(v) > 1e-9 * sizes[k]) && same(three.map((v, k) => v - two[k]), step, sizes)) {
            const c = step.map((v, k) => 1 + (this.s.right[k] - one[k]) / v);
            linear = true;
            constants = c.every((v) => Math.abs(v - c[0]) <= CLOSE * Math.max(1, Math.abs(c[0]))) ? [c[0]] : [];
          }
        }
        for (const c of constants) {
          const text = constantText(said(node), c), found = text || !linear ? value(c) : null;
          if (text && found && found.every((v, k) => Math.abs(v - this.s.right[k]) <= 2 * EXACT * Math.abs(this.s.right[k]) + 1e-300)) return text;
        }
      }
      return "";
    }

    /** The formula with another part in place of one, at the samples; null where that cannot be. */
    with(node, other) {
      const s = this.s, d = s.derivation, formula = s.claim.formula, tree = replaced(formula.tree, node, other), known = new Map();
      const changed = Object.assign(Object.create(Object.getPrototypeOf(formula)), formula, { tree });
      const found = [];
      for (const x of s.list) {
        if (!known.has(x.trial)) {
          try {
            const claim = { ...x.trial.claim, formula: changed };
            known.set(x.trial, d.fitted(d.claimed(claim, x.trial.look)[0], x.trial.right, claim)[0]);
          } catch (fault) {
            if (!(fault instanceof Reader.Unreadable)) throw fault;
            return null;
          }
        }
        found.push(known.get(x.trial)[x.row * x.trial.right.columns + x.column]);
      }
      return found;
    }

    /** A product of powers of quantities as a factor of the whole. */
    monomial() {
      const [ratio, used] = this.ratio, target = ratio.map((r) => Math.log(Math.abs(r))), columns = [];
      if (used.length < 5) return "";
      for (const [name, values] of this.named()) {
        const v = used.map((k) => values[k]);
        if (v.every((x) => x !== 0 && Number.isFinite(x)) && !steady(v)) columns.push([name, v.map((x) => Math.log(Math.abs(x))), v.map(Math.sign)]);
      }
      const ones = target.map(() => 1);
      for (let number = 1; number <= 3; number++) {
        let best = null;
        for (const chosen of combinations(columns.slice(0, number === 3 ? 9 : 24), number)) {
          if (target.length < number + 3) continue;
          const found = leastSquares([...chosen.map((c) => c[1]), ones], target).slice(0, -1), whole = found.map((e) => Math.round(2 * e) / 2);
          if (whole.some((w, k) => w === 0 || Math.abs(w) > 3 || Math.abs(found[k] - w) > 1e-5)) continue;
          const constant = ratio.map((r, k) => r / chosen.reduce((p, [, log, sign], c) => p * Math.exp(log[k] * whole[c]) * (Math.abs(whole[c] % 2) === 1 ? sign[k] : 1), 1));
          if (!steady(constant)) continue;
          const cost = whole.reduce((t, w) => t + Math.abs(w) + (w % 1 ? 1 : 0), 0) + chosen.reduce((t, [n]) => t + n.length / 100, 0) +
            (Math.abs(Math.abs(constant[0]) - 1) < CLOSE ? 0 : 1);
          if (best === null || cost < best[0]) best = [cost, powers(chosen.map(([n]) => n), whole, constant[0])];
        }
        if (best) return `yours = right ${best[1]}`;
      }
      return "";
    }

    /** Entries of quantities that may be a factor, by formulas for them. */
    named() {
      const s = this.s, d = s.derivation, claim = s.claim, letters = s.letters, found = [];
      const used = [...claim.formula.names].map((n) => d.byUnderscore[n] ?? n).filter((n) => d.shapes[n]);
      const names = [...new Set([claim.of, claim.name, ...(d.data.parents[claim.name] ?? []), ...used, ...d.data.names])].filter((n) => size(d.shapes[n]) <= 100).slice(0, 8);
      for (const name of names) {
        const shape = d.shapes[name], told = Reader.written(name);
        const at = (index) => s.list.map((x, k) => x.trial.look.quantities.get(name).data[index(k)]);
        if (!shape.length) { found.push([told, at(() => 0)]); continue; }
        const fitting = shape.map((n) => Object.keys(letters).filter((x) => Math.max(...letters[x]) + 1 <= n));
        if (!s.whole && shape.length <= 2) {
          for (const chosen of product(fitting)) found.push([`${told}[${chosen.join(", ")}]`, at((k) => chosen.reduce((p, x, a) => p * shape[a] + letters[x][k], 0))]);
        }
        if (size(shape) <= 12) components(told, shape).forEach((text, e) => found.push([text, at(() => e)]));
      }
      const lettered = found.filter(([t]) => !/\[\d/.test(t)), rest = found.filter(([t]) => /\[\d/.test(t));
      return [...lettered, ...rest].slice(0, 24);
    }

    /** Two terms, each missing, with the other sign, or with a factor 2. */
    two() {
      const s = this.s, off = s.mine.map((m, k) => (m - s.right[k]) / this.size[k]);
      const listed = this.terms.map(([w, t]) => [w, t.map((v, k) => v / this.size[k])]).filter(([, t]) => t.every(Number.isFinite)).slice(0, 40);
      if (!off.every(Number.isFinite)) return "";
      for (let a = 0; a < listed.length; a++) {
        for (const [second, other] of listed.slice(a + 1)) {
          const [first, term] = listed[a], found = leastSquares([term, other], off), told = found.map((f) => Math.round(2 * (1 + f)) / 2);
          if (told.some((t, k) => Math.abs(t - 1 - found[k]) > 1e-6 || t === 1 || Math.abs(t) > 2)) continue;
          if (off.every((o, k) => Math.abs(term[k] * (told[0] - 1) + other[k] * (told[1] - 1) - o) <= 1e-8)) {
            return `${this.part(first, told[0])} and ${this.part(second, told[1])}`;
          }
        }
      }
      return "";
    }
  }

  function* combinations(list, n, start = 0) {
    if (n === 0) { yield []; return; }
    for (let k = start; k <= list.length - n; k++) for (const rest of combinations(list, n - 1, k + 1)) yield [list[k], ...rest];
  }

  function powers(names, whole, constant) {
    const one = (n, p) => (p === 1 ? n : p === 0.5 ? `sqrt(${n})` : `${n}^${p}`);
    const over = names.map((n, k) => [n, whole[k]]).filter(([, p]) => p > 0).map(([n, p]) => one(n, p));
    const under = names.map((n, k) => [n, -whole[k]]).filter(([, p]) => p > 0).map(([n, p]) => one(n, p));
    if (Math.abs(constant - 1) >= CLOSE) over.unshift(number(constant));
    return [...over.map((p) => `* ${p}`), ...under.map((p) => `/ ${p}`)].join(" ");
  }

  function constantText(text, c) {
    if (Math.abs(c) < CLOSE) return `${text} in yours does not belong there`;
    if (Math.abs(c + 1) < CLOSE) return `the sign of ${text} in yours is wrong`;
    for (const [factor, what] of [[c, "lacks a factor"], [1 / c, "has a factor too many,"]]) {
      if (Math.abs(factor - Math.round(factor)) < CLOSE && Math.abs(factor) <= 12.5 && Math.abs(factor) > 1.5) return `${text} in yours ${what} ${number(factor)}`;
    }
    return "";
  }

  const partsOf = (tree) => {
    const found = [tree];
    for (const node of found) found.push(...(node.t === "index" ? [node.x] : Reader.operands(node)));
    return found;
  };

  function replaced(tree, old, other) {
    if (tree === old) return other;
    if (tree === null || typeof tree !== "object") return tree;
    if (Array.isArray(tree)) return tree.map((x) => replaced(x, old, other));
    return Object.fromEntries(Object.entries(tree).map(([k, v]) => [k, replaced(v, old, other)]));
  }

  /** Another derivative of the same quantities in place of the one that was asked for. */
  function wholeOf(s) {
    const d = s.derivation, { kind, name, of, entry, letters } = s.claim;
    if (kind === "path") return "";
    const get = (k) => (look) => {
      try {
        return d.whole(k, name, of, look);
      } catch (fault) {
        if (!(fault instanceof Reader.Unreadable)) throw fault;
        return null;
      }
    };
    const own = get(kind), first = own(s.list[0].trial.look);
    const turned = s.picked((look) => { const w = own(look); return { at: (i, j) => w.at(j % w.rows, i % w.columns) }; });
    if (first.rows === first.columns && first.rows > 1 && s.list.some((x) => x.entry !== x.place) && !alike(s.right, turned) && alike(s.mine, turned)) {
      return entry === null || Object.keys(letters).length ? TRANSPOSED : "yours has its two indices swapped";
    }
    const shape = d.shapes[of];
    if (first.rows === 1 && shape.length === 2 && shape[0] === shape[1]) {
      const n = shape[0], swapped = s.picked((look) => ({ at: (i, j) => own(look).at(i, (j % n) * n + Math.floor(j / n)) }));
      if (!alike(s.right, swapped) && alike(s.mine, swapped)) return TRANSPOSED_MATRIX;
    }
    if (kind === "partial") {
      const total = s.picked(get("total"));
      if (total && alike(s.mine, total)) {
        const held = d.data.parents[name].filter((n) => n !== of).join(" and ") || "nothing else";
        return `yours is the total derivative, along all paths; the partial holds ${held} still`;
      }
    } else if (d.data.parents[name].includes(of)) {
      const partial = s.picked(get("partial"));
      if (partial && partial.some((v) => v !== 0) && alike(s.mine, partial)) return "yours is the partial derivative: all paths through other quantities are missing";
    }
    return "";
  }

  /** The stages of a hint for a wrong line: { where, reason }, empty where there is nothing to say. marks: of the line. */
  function of(derivation, marks) {
    const wrong = marks.filter((m) => m.verdict === "wrong"), told = wrong.find((m) => m.reason);
    if (!wrong.length) return { where: "", reason: "" };
    if (told) return { where: "", reason: told.reason };
    const all = marks.filter((m) => m.claim), samples = samplesOf(derivation, all);
    if (samples === null || !samples.wrong.some(Boolean)) return { where: "", reason: "" };
    const whole = wholeOf(samples);
    if (whole) return { where: "", reason: whole };
    const [where, there] = whereOf(samples), { kind, name, of: other } = samples.claim;
    let terms = kind === "path" ? null : termsAt(derivation, kind, name, other), at = there;
    if (terms) {
      // The same condition at the points whose terms are known.
      const some = samplesOf(derivation, all, (t) => terms.looks.includes(t.look.number));
      const near = some && some.wrong.some(Boolean) ? whereOf(some) : null;
      if (near && near[0] === where && near[1].list.length >= 3) at = near[1];
      else terms = null;
    }
    const theCase = new Case(at, where !== "", terms), general = terms ? new Case(there, where !== "", null) : theCase;
    for (const search of [() => general.nothing(), () => general.constant() || theCase.missing(), () => theCase.products(), () => theCase.chain(),
      () => general.constants(), () => general.monomial(), () => theCase.two()]) {
      const reason = search();
      if (reason) return { where, reason };
    }
    return { where, reason: where ? "it is right elsewhere" : "" };
  }

  function termsAt(derivation, kind, name, other) {
    const truth = derivation.truth(kind, name, other), { terms } = truth;
    if (!terms) return null;
    truth.ready ??= { looks: terms.looks, rows: truth.rows, columns: truth.columns, terms: terms.terms.map(([w, v]) => [w, numbers(v)]),
      links: terms.links.map(([w, n, v]) => [w, n, numbers(v)]) };
    return truth.ready;
  }

  return { of };
})();
