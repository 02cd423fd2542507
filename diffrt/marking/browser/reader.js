// Formulas as people write them, read into a tree. What `spelling.py` and `formula.py` say of a text, this says too, in
// the same words; the words, functions and signs that it knows come from there, as `tables`.

const Reader = (() => {
  const LONGEST = 10000, DEEPEST = 200, MOST_LETTERS = 400;
  let tables = null;

  const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

  /** The text with an escape for every character that does not show as itself. */
  function printable(text) {
    return text.replace(HIDDEN, (c) => {
      const code = c.codePointAt(0), hex = code.toString(16);
      if ("\t\n\r".includes(c)) return { "\t": "\\t", "\n": "\\n", "\r": "\\r" }[c];
      return code < 256 ? `\\x${hex.padStart(2, "0")}` : code < 65536 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
    });
  }

  /** What a reader is told: one line, at most MOST_LETTERS long. */
  class Unreadable extends Error {
    constructor(given) {
      const half = MOST_LETTERS / 2, text = printable(given);
      super(text.length <= MOST_LETTERS ? text : `${text.slice(0, half - 5)} ... ${text.slice(-half)}`);
    }
  }

  /** A fault whose message still lacks the formula in which it is. */
  class Fault extends Error {}

  function shown(text) {
    return printable(JSON.stringify(text.length <= 60 ? text : `${text.slice(0, 57)}...`));
  }

  function listed(names) {
    return [...names.slice(0, 40), ...(names.length > 40 ? [`and ${names.length - 40} more`] : [])].join(", ");
  }

  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

  // How alike two words are: twice the letters in common blocks over all letters (Ratcliff and Obershelp, 1988).
  function likeness(a, b) {
    const blocks = (al, ah, bl, bh) => {
      let best = 0, bi = al, bj = bl;
      for (let i = al; i < ah; i++) {
        for (let j = bl; j < bh; j++) {
          let k = 0;
          while (i + k < ah && j + k < bh && a[i + k] === b[j + k]) k++;
          if (k > best) [best, bi, bj] = [k, i, j];
        }
      }
      return best ? best + blocks(al, bi, bl, bj) + blocks(bi + best, ah, bj + best, bh) : 0;
    };
    return (2 * blocks(0, a.length, 0, b.length)) / (a.length + b.length || 1);
  }

  function didYouMean(word, known) {
    let best = null, most = 0.6;
    for (const other of known) {
      const alike = likeness(other, word.slice(0, 60));
      if (alike > most || (alike === most && (best === null || other > best))) [best, most] = [other, alike];
    }
    return best === null ? `there are ${listed(known) || "none"}` : `did you mean ${best}?`;
  }

  function meant(name) {
    const other = tables.otherNames[name];
    return other !== undefined ? `write ${other}` : didYouMean(name, Object.keys(tables.functions).sort(compare));
  }

  // Spelling.

  const TOKEN = /(?<number>0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)|(?<name>[\p{L}\p{Nl}\p{No}_][\p{L}\p{N}_]*(?:\.[\p{L}\p{Nl}\p{No}_][\p{L}\p{N}_]*)*)|(?<sign>\*\*|<=|>=|==|!=|\/(?!\/)|[-+*^@(),<>[\]:.])|(?<space>\s+)|(?<other>.)/gsu;

  function plainLetters(text) {
    let found = "";
    for (const c of text) {
      const sign = tables.signs[c] ?? c;
      for (const d of sign) found += tables.letters[d] ?? d;
    }
    return found;
  }

  function tokens(text) {
    const found = [];
    for (const match of text.matchAll(TOKEN)) {
      const piece = match[0];
      let [kind] = Object.entries(match.groups).find(([, text]) => text !== undefined);
      if (kind === "other") {
        const printable = !/[\p{C}\p{Z}]/u.test(piece);
        const what = printable ? piece : `the character U+${piece.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
        throw new Fault(`${what} is not allowed in a formula; ${tables.hints[piece] ?? "leave it out"}`);
      }
      if (kind === "space") {
        // x^2 y is a product, e^2x is not clear.
        const n = found.length;
        if (n > 1 && found[n - 1][0] === "number" && ["^", "**"].includes(found[n - 2][1])) found.push(["pause", ""]);
        continue;
      }
      if (kind === "name" && tables.keywords.includes(piece)) {
        if (!tables.words.includes(piece) && piece !== "lambda") throw new Fault(`${piece} is not allowed in a formula`);
        kind = tables.words.includes(piece) ? "word" : "name";
      }
      found.push([kind, piece]);
    }
    return found;
  }

  const isFunction = (name) => Object.hasOwn(tables.functions, name);

  /** Goes through tokens, and writes what they mean, a sign for each product that has none. */
  class Spelling {
    constructor(found) {
      // A pause tells something only where a name follows.
      this.tokens = found.filter((t, k) => t[0] !== "pause" || found[k + 1]?.[0] === "name");
      this.at = 0;
      this.out = [];
      this.before = [""];
      this.brackets = [];
    }

    left() { return this.at < this.tokens.length; }
    peek(ahead = 0) { return this.tokens[this.at + ahead] ?? ["", ""]; }
    put(...pieces) { this.out.push(...pieces); }
    last() { return this.out[this.out.length - 1]; }

    step() {
      const [kind, piece] = this.peek();
      if (kind === "name" && isFunction(piece) && this.peek(1)[1] !== "(") this.function();
      else if (piece === "(" || piece === "[") this.bracket(piece);
      else this.take();
      if (kind === "name" || kind === "number" || [")", "]"].includes(this.last())) this.juxtaposed(kind, piece);
    }

    take() {
      const [kind, piece] = this.peek();
      this.at++;
      if (piece === ":" && this.brackets[this.brackets.length - 1] !== "[") {
        throw new Fault(": is not allowed in a formula, except in an index such as x[1:]");
      }
      if (kind === "sign" && ![")", "]", "."].includes(piece)) this.before[this.before.length - 1] = piece;
      else if (kind === "word") this.before[this.before.length - 1] = "";
      this.put(piece === "^" ? "**" : piece);
    }

    bracket(opening) {
      this.take();
      this.before.push("");
      this.brackets.push(opening);
      while (this.left() && ![")", "]"].includes(this.peek()[1])) this.step();
      this.brackets.pop();
      this.before.pop();
      if (this.left()) this.take();
    }

    juxtaposed(kind, piece) {
      const product = () => { this.put("*"); this.before[this.before.length - 1] = "*"; };
      if (this.peek()[0] === "pause") {
        this.at++;
        product();
        return;
      }
      let [following, text] = this.peek();
      const afterName = kind === "name" && ![")", "]"].includes(this.last());
      if (!["name", "number"].includes(following) && (text !== "(" || afterName)) return;
      if (kind === "number" && following === "number") throw new Fault(`${piece} ${text}: write ${piece} * ${text}, or one number`);
      if (afterName && following === "number") {
        throw new Fault(`${piece} ${text}: write ${piece} * ${text}, ${piece}^${text} or ${piece}[${text}]`);
      }
      let sign = this.before[this.before.length - 1];
      if (["/", "^", "**"].includes(sign)) {
        sign = sign.replace("**", "^");
        text = text === "(" ? "(...)" : text;
        const said = kind === "number" || afterName ? piece : "(...)";
        throw new Fault(`${sign} ${said} ${text} can be read in two ways: write ${sign} (${said} * ${text}) or ` +
                        `${sign} ${said} * ${text}`);
      }
      product();
    }

    function() {
      const name = this.peek()[1];
      this.at++;
      let power = "";
      if (["^", "**"].includes(this.peek()[1])) {
        power = this.peek(1)[1];
        this.at += 2;
        if (power === "-" || power === "(") {
          throw new Fault(`${name}^${power}...: write arc${name}(x) for the inverse function, ${name}(x)^(-1) for a power`);
        }
      }
      if (this.peek()[0] === "pause") this.at++;
      if (power) this.put("(");
      this.put(name);
      if (this.peek()[1] === "(") this.bracket("(");
      else {
        this.put("(");
        this.argument(name);
        this.put(")");
      }
      if (power) this.put(")", "**", power);
    }

    argument(name) {
      if (!["name", "number"].includes(this.peek()[0])) {
        throw new Fault(`${name}: needed: its argument in brackets, such as ${name}(x)`);
      }
      if (isFunction(this.peek()[1])) {
        if (this.peek(1)[1] === "(") {
          this.take();
          this.bracket("(");
        } else this.function();
        return;
      }
      if (this.peek()[0] === "number" && this.peek(1)[0] === "name" && !isFunction(this.peek(1)[1])) {
        this.take();
        this.put("*");
      }
      const said = this.peek()[1];
      this.take();
      if (this.peek()[1] === "[") this.bracket("[");
      if (["^", "**"].includes(this.peek()[1]) && ["name", "number"].includes(this.peek(1)[0])) {
        this.take();
        this.take();
      }
      const [following, text] = this.peek();
      if ((["name", "number"].includes(following) && !isFunction(text)) || text === "(") {
        throw new Fault(`${name} ${said} ${text} can be read in two ways: write ${name}(${said} * ...) or ` +
                        `${name}(${said}) * ...`);
      }
    }
  }

  /** The name of a quantity as formulas have it, as `spelling.spelled` gives it. */
  function written(name) {
    return name.replace(/[^\p{L}\p{N}_.]+$/u, "").replace(/[^\p{L}\p{N}_.]+/gu, "_");
  }

  /** The pieces of a formula in Python's spelling. */
  function spelled(text) {
    const spelling = new Spelling(tokens(plainLetters(text.split(/\s+/u).filter(Boolean).join(" "))));
    while (spelling.left()) spelling.step();
    const last = spelling.last();
    if (last !== undefined && tables.operators.includes(last)) {
      throw new Fault(`something is missing at the end, after ${last.replace("**", "^")}`);
    }
    return spelling.out;
  }

  // The tree, by the grammar of Python's expressions. Nodes: { t: type, ... }.

  const NUMBER = /^(?:\d|\.\d)/, WORD = /^[\p{L}\p{Nl}\p{No}_]/u;
  const CLOSING = { "(": ")", "[": "]" };

  class Parser {
    constructor(pieces) {
      this.pieces = pieces;
      this.at = 0;
      this.depth = 0;
      this.open = [];
      this.checkPieces();
    }

    // A bracket that does not fit, a number or a letter that is none, are told before all else.
    checkPieces() {
      const open = [];
      this.stray = null;
      for (const piece of this.pieces) {
        const strange = WORD.test(piece) ? piece.replaceAll(".", "").match(/[^\p{XID_Continue}]|^[^\p{XID_Start}_]/u)?.[0] : undefined;
        if (strange !== undefined) {
          this.stray = `invalid character '${strange}' (U+${strange.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")})`;
        } else if (/^0\d+$/.test(piece) && !/^0+$/.test(piece)) {
          this.stray = "leading zeros in decimal integer literals are not permitted; use an 0o prefix for octal integers";
        }
        if (this.stray) return;
        if (piece === "(" || piece === "[") open.push(piece);
        if (piece !== ")" && piece !== "]") continue;
        const opening = open.pop();
        if (opening === undefined) this.stray = `unmatched '${piece}'`;
        else if (CLOSING[opening] !== piece) this.stray = `closing parenthesis '${piece}' does not match opening parenthesis '${opening}'`;
        if (this.stray) return;
      }
      this.unclosed = open.length ? `'${open[open.length - 1]}' was never closed` : null;
    }

    peek() { return this.pieces[this.at]; }

    fail(at = this.at) {
      if (at >= this.pieces.length && this.unclosed) throw new Fault(this.unclosed);
      const rest = this.pieces.slice(at < this.pieces.length ? at : 0).map((p) => (p === "**" ? "^" : p)).join(" ");
      throw new Fault(`something is missing or too much before ${shown(rest)}`);
    }

    accept(...pieces) {
      if (pieces.includes(this.peek())) return this.pieces[this.at++];
      return null;
    }

    expect(piece) {
      if (this.accept(piece) === null) this.failAfter();
    }

    /** Where an operator was expected; of "not in" the first word is read before it is missed. */
    failAfter() { this.fail(this.peek() === "not" ? this.at + 1 : this.at); }

    whole() {
      if (this.stray) throw new Fault(this.stray);
      const found = this.list(null);
      if (this.at < this.pieces.length) this.failAfter();
      return found;
    }

    /** Expressions with commas between: one, or a tuple. closing: what ends it. */
    list(closing) {
      const first = this.expression();
      if (this.peek() !== ",") return first;
      const parts = [first];
      while (this.accept(",") !== null) {
        if (this.peek() === closing || this.peek() === undefined) break;
        parts.push(this.expression());
      }
      return { t: "tuple", parts };
    }

    /** What is read inside of something else. */
    deeper(read) {
      if (++this.depth > 2 * DEEPEST) throw new RangeError("too deep");
      const found = read();
      this.depth--;
      return found;
    }

    expression() {
      return this.deeper(() => {
        const start = this.at, body = this.or();
        if (this.accept("if") === null) return body;
        const test = this.or();
        if (this.peek() !== "else") {
          if (this.peek() !== ":") throw new Fault(this.unclosed && this.at >= this.pieces.length ? this.unclosed : "expected 'else' after 'if' expression");
          this.fail(start);
        }
        this.at++;
        return { t: "if", test, body, other: this.expression() };
      });
    }

    joined(word, operand) {
      const first = operand.call(this);
      if (this.peek() !== word) return first;
      const parts = [first];
      while (this.accept(word) !== null) parts.push(operand.call(this));
      return { t: "bool", op: word, parts };
    }

    or() { return this.joined("or", this.and); }
    and() { return this.joined("and", this.not); }

    not() {
      if (this.peek() !== "not") return this.comparison();
      this.at++;
      return this.deeper(() => ({ t: "unary", op: "not", x: this.not() }));
    }

    comparison() {
      const first = this.sum(), ops = [], parts = [first];
      for (let op; (op = this.accept("<", "<=", ">", ">=", "==", "!=")) !== null;) {
        ops.push(op);
        parts.push(this.sum());
      }
      return ops.length ? { t: "compare", ops, parts } : first;
    }

    chain(signs, operand) {
      let found = operand.call(this);
      for (let op; (op = this.accept(...signs)) !== null;) found = { t: "binary", op, a: found, b: operand.call(this) };
      return found;
    }

    sum() { return this.chain(["+", "-"], this.product); }
    product() { return this.chain(["*", "/", "@"], this.factor); }

    factor() {
      const op = this.accept("+", "-");
      return op === null ? this.power() : this.deeper(() => ({ t: "unary", op, x: this.factor() }));
    }

    power() {
      const base = this.primary();
      return this.accept("**") === null ? base : { t: "binary", op: "**", a: base, b: this.factor() };
    }

    primary() {
      let found = this.atom();
      for (;;) {
        if (this.accept(".") !== null) {
          if (!WORD.test(this.peek() ?? "") || tables.words.includes(this.peek())) this.fail();
          for (const name of this.pieces[this.at++].split(".")) found = { t: "attribute", x: found, name };
        } else if (this.accept("(") !== null) {
          const parts = [];
          while (this.peek() !== ")") {
            parts.push(this.star() ?? this.expression());
            if (this.accept(",") === null && this.peek() !== ")") this.failAfter();
          }
          this.at++;
          found = { t: "call", f: found, parts };
        } else if (this.accept("[") !== null) {
          const parts = [this.slice()];
          let tuple = false;
          while (this.accept(",") !== null) {
            tuple = true;
            if (this.peek() === "]") break;
            parts.push(this.slice());
          }
          this.expect("]");
          found = { t: "index", x: found, parts, tuple };
        } else return found;
      }
    }

    star() {
      const op = this.accept("*", "**");
      return op === null ? null : { t: op === "*" ? "Starred" : "keyword", x: this.expression() };
    }

    slice() {
      const bound = () => ([":", "]", ","].includes(this.peek()) ? null : this.expression());
      const lower = bound();
      if (this.peek() !== ":") {
        if (lower === null) this.fail();
        return lower;
      }
      this.at++;
      const upper = bound();
      let step = null;
      if (this.accept(":") !== null) step = bound();
      return { t: "slice", lower, upper, step };
    }

    atom() {
      const piece = this.peek();
      if (piece === undefined) this.fail();
      if (NUMBER.test(piece)) {
        this.at++;
        return { t: "number", value: Number(piece), whole: /^(\d+|0[xX].*)$/.test(piece), text: piece };
      }
      if (WORD.test(piece) && !tables.words.includes(piece)) {
        this.at++;
        const [name, ...rest] = piece.split(".");
        return rest.reduce((x, attribute) => ({ t: "attribute", x, name: attribute }), { t: "name", name });
      }
      if (piece !== "(" && piece !== "[") this.fail();
      this.at++;
      const closing = CLOSING[piece];
      return this.deeper(() => {
        if (this.accept(closing) !== null) return { t: piece === "(" ? "tuple" : "list", parts: [] };
        let found = this.list(closing);
        if (piece === "[") {
          found = { t: "list", parts: this.pieces[this.at] === closing && found.t === "tuple" && !found.closed ? found.parts : [found] };
        }
        this.expect(closing);
        if (found.t === "tuple") found.closed = true;
        return found;
      });
    }
  }

  // A tree in words, with the brackets that it needs.

  const STRENGTH = { or: 2, and: 3, not: 4, compare: 5, "+": 8, "-": 8, "*": 9, "/": 9, "@": 9, sign: 10, "**": 11, atom: 13 };

  /** A float as Python prints it. */
  function python(x) {
    if (Number.isNaN(x)) return "nan";
    if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
    if (x === 0) return Object.is(x, -0) ? "-0.0" : "0.0";
    const [mantissa, exponent] = x.toExponential().split("e");
    const e = Number(exponent);
    if (e < -4 || e >= 16) return `${mantissa}e${e < 0 ? "-" : "+"}${String(Math.abs(e)).padStart(2, "0")}`;
    const plain = e < 0 ? x.toFixed(Math.min(100, mantissa.replace(/[-.]/g, "").length - 1 - e)) : String(x);
    return plain.includes(".") ? plain : `${plain}.0`;
  }

  function said(node) {
    function at(n, strength) {
      const within = (own, text) => (strength > own ? `(${text})` : text);
      switch (n.t) {
        case "number": return n.whole ? BigInt(n.text).toString() : python(n.value);
        case "name": return n.name;
        case "attribute": {
          const inner = at(n.x, STRENGTH.atom);
          return n.x.t === "number" && n.x.whole ? `${inner} .${n.name}` : `${inner}.${n.name}`;
        }
        case "binary": {
          const own = STRENGTH[n.op];
          if (n.op === "**") return within(own, `${at(n.a, own + 1)}^${n.b.t === "unary" && n.b.op === "+" ? `(${at(n.b, 0)})` : at(n.b, STRENGTH.sign)}`);
          return within(own, `${at(n.a, own)} ${n.op} ${at(n.b, own + 1)}`);
        }
        case "unary":
          if (n.op === "not") return within(STRENGTH.not, `not ${at(n.x, STRENGTH.not)}`);
          return within(STRENGTH.sign, `${n.op}${at(n.x, STRENGTH.sign)}`);
        case "compare":
          return within(STRENGTH.compare, n.parts.map((p, k) => (k ? `${n.ops[k - 1]} ` : "") + at(p, STRENGTH.compare + 1)).join(" "));
        case "bool": return within(STRENGTH[n.op], n.parts.map((p) => at(p, STRENGTH[n.op] + 1)).join(` ${n.op} `));
        case "if": return within(1, `${at(n.body, 2)} if ${at(n.test, 2)} else ${at(n.other, 1)}`);
        case "call": return `${at(n.f, STRENGTH.atom)}(${n.parts.map((p) => at(p, 1)).join(", ")})`;
        case "index": {
          const parts = n.parts.map((p) => (p.t === "slice" ? slice(p) : at(p, 1)));
          return `${at(n.x, STRENGTH.atom)}[${parts.join(", ")}${n.tuple && parts.length === 1 ? "," : ""}]`;
        }
        case "list": return `[${n.parts.map((p) => at(p, 1)).join(", ")}]`;
        case "tuple": return `(${n.parts.map((p) => at(p, 1)).join(", ")}${n.parts.length === 1 ? "," : ""})`;
        case "Starred": return `*${at(n.x, 8)}`;
        default: return n.t;
      }
    }
    function slice(p) {
      const one = (b) => (b === null ? "" : at(b, 1));
      return `${one(p.lower)}:${one(p.upper)}${p.step === null ? "" : `:${one(p.step)}`}`;
    }
    return at(node, 0);
  }

  const CLASSES = { slice: "Slice", call: "Call", attribute: "Attribute", number: "Constant", index: "Subscript",
    binary: "BinOp", unary: "UnaryOp", compare: "Compare", bool: "BoolOp", if: "IfExp", list: "List", tuple: "Tuple" };
  const OVER = Object.keys(Arrays.OVER);

  function operands(node) {
    switch (node.t) {
      case "binary": return [node.a, node.b];
      case "unary": return [node.x];
      case "compare": case "bool": case "call": case "list": case "tuple": return node.parts;
      case "attribute": return node.name === "T" ? [node.x] : [];
      case "if": return [node.test, node.body, node.other];
      default: return [];
    }
  }

  /** All nodes of a tree, the arguments, indices and names in it too. */
  function* walk(node) {
    if (node === null || node === undefined) return;
    yield node;
    const inner = node.t === "index" ? [node.x, ...node.parts] : node.t === "slice" ? [node.lower, node.upper, node.step] :
      node.t === "attribute" ? [node.x] : node.t === "call" ? [node.f, ...node.parts] : node.t === "Starred" ? [node.x] : operands(node);
    for (const part of inner) yield* walk(part);
  }

  /** One formula: its text, its tree, the names of the quantities in it. where: for messages. */
  class Formula {
    constructor(text, where) {
      if (text.length > LONGEST) throw new Unreadable(`${where}: the formula has ${text.length.toLocaleString("en")} characters, allowed: 10,000`);
      this.text = text.trim();
      this.where = where;
      this.names = new Set();
      if (!this.text) throw new Unreadable(`${where}: the formula is empty`);
      if (this.text.includes("#")) throw new Unreadable(`${where}: ${shown(this.text)} cannot be read: there are no comments in a formula`);
      try {
        this.tree = new Parser(spelled(this.text)).whole();
        this.check(this.tree, 0);
      } catch (fault) {
        if (fault instanceof Fault) throw new Unreadable(`${where}: ${shown(this.text)} cannot be read: ${fault.message}`);
        if (fault instanceof RangeError) {
          throw new Unreadable(`${where}: ${shown(this.text)} is nested too deeply; allowed: ${DEEPEST} operations in each other`);
        }
        throw fault;
      }
    }

    refuse(what) {
      return new Unreadable(`${this.where}: ${what} is not allowed in a formula; allowed: ${tables.spelled}`);
    }

    said(node) { return shown(said(node)); }

    check(node, depth) {
      if (depth > DEEPEST) throw new RangeError("too deep");
      let inner = [];
      switch (node.t) {
        case "number":
          if (!Number.isFinite(node.value)) throw new Unreadable(`${this.where}: found ${node.text.length > 40 ? "a number of many digits" : node.whole ? node.text : "inf"}, needed: a number below 1e308`);
          break;
        case "attribute":
          if (node.name === "T") inner = [node.x];
          else this.names.add(this.dotted(node));
          break;
        case "name": this.names.add(node.name); break;
        case "binary": case "unary": case "compare": case "bool": case "if": case "list": case "tuple":
          inner = operands(node);
          break;
        case "call":
          if (node.f.t !== "name" || node.parts.some((p) => p.t === "keyword")) throw this.refuse("Call");
          this.checkCall(node, node.f.name);
          inner = node.parts;
          break;
        case "index":
          for (const part of node.parts) {
            for (const bound of part.t === "slice" ? [part.lower, part.upper] : [part]) {
              if (bound !== null) this.index(bound, null);
            }
            if (part.t === "slice" && part.step !== null) {
              throw new Unreadable(`${this.where}: ${this.said(node)}: an index has no step; write x[1:3]`);
            }
          }
          inner = [node.x];
          break;
        default: throw this.refuse(CLASSES[node.t] ?? node.t);
      }
      for (const child of inner) this.check(child, depth + 1);
    }

    checkCall(node, name) {
      const count = node.parts.length;
      if (name === "delta" && count === 2) return;
      if (!isFunction(name)) {
        if (count === 1) {
          this.names.add(name);
          return;
        }
        throw new Unreadable(`${this.where}: there is no function ${name}; ${meant(name)}`);
      }
      const [least, most] = tables.functions[name];
      const over = OVER.includes(name) && (count === 2 || count === 4) && node.parts[0].t === "name";
      if ((count < least || (most !== null && count > most)) && !over) {
        const needed = most === null || most > least ? `${least} or more` : String(least);
        throw new Unreadable(`${this.where}: ${this.said(node)} has ${count} arguments, needed: ${needed}`);
      }
    }

    dotted(node) {
      if (node.t === "name") return node.name;
      if (node.t === "attribute") return `${this.dotted(node.x)}.${node.name}`;
      throw this.refuse(CLASSES[node.t] ?? node.t);
    }

    /** A whole number, from numbers and letters with + - *. letters: null where only the form is asked for. */
    index(node, letters) {
      if (node.t === "number" && node.whole) return Math.min(node.value, Number.MAX_SAFE_INTEGER);
      if (node.t === "unary" && node.op === "-") return -this.index(node.x, letters);
      if (node.t === "binary" && ["+", "-", "*"].includes(node.op)) {
        const a = this.index(node.a, letters), b = this.index(node.b, letters);
        return node.op === "+" ? a + b : node.op === "-" ? a - b : a * b;
      }
      if (node.t === "name" && letters === null) return 0;
      if (node.t === "name" && Object.hasOwn(letters, node.name)) return letters[node.name];
      throw new Unreadable(`${this.where}: an index is a whole number or a letter of the left side, found ${said(node)}`);
    }
  }

  return { Formula, Unreadable, OVER, compare, isFunction, listed, meant, operands, plainLetters, printable, said, shown, walk, written,
    get tables() { return tables; }, set tables(given) { tables = given; } };
})();
