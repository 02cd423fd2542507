// The page: boxes at the edges of a diagram, marked while they are filled in.

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const derivation = new Marker.Derivation(data.exercise);
  derivation.patience = 6000;  // milliseconds for a line, during which the page stands still
  const page = (id) => document.getElementById(id);
  const SIGNS = { right: "✓", wrong: "✗", "cannot tell": "?", "cannot be read": "!" };
  const CLASSES = { right: "right", wrong: "wrong", "cannot tell": "unsure", "cannot be read": "unread" };
  const STAGES = ["Where?", "Why?", "Answer"];
  const lines = [];

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "style") Object.assign(made.style, value);
      else if (key in made && key !== "role") made[key] = value;
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }
  function drawn(name, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  // A line: its box, its marks, its hints.

  class Line {
    constructor({ kind, text, formula, edge }) {
      Object.assign(this, { kind, text, edge, given: formula, stage: 0, marks: null, shown: null });
      const id = `line-${lines.length}`;
      this.input = element("input", { id, value: formula, autocomplete: "off", spellcheck: false });
      this.input.setAttribute("aria-describedby", `${id}-told`);
      this.sign = element("span", { className: "sign" });
      this.more = element("button", { type: "button", hidden: true });
      this.told = element("p", { className: "told", id: `${id}-told`, role: "status" });
      this.element = element("div", { className: "line" },
        element("div", { className: "entry" }, element("label", { htmlFor: id }, `${text} =`), this.sign, this.more), this.input, this.told);
      this.input.addEventListener("input", () => this.later());
      this.input.addEventListener("keydown", (event) => { if (event.key === "Enter") this.now(); });
      this.more.addEventListener("click", () => this.hint());
      lines.push(this);
    }

    later() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.now(), 200);
    }

    now() {
      clearTimeout(this.timer);
      this.read();
      tell();
    }

    read() {
      const formula = this.input.value.trim();
      this.stage = 0;
      this.hints = null;
      this.marks = formula ? derivation.line(this.kind, this.text, formula) : null;
    }

    get verdict() { return this.shown ? worst(this.shown) : ""; }

    get hintTexts() {
      this.hints ??= this.findHints();
      return this.hints;
    }

    findHints() {
      const wrong = this.shown.filter((m) => m.verdict === "wrong"), { where, reason } = Hints.of(derivation, this.shown), known = data.reasons[this.key];
      const whole = wrong.length === this.shown.length ? "Wrong in all entries." : `Wrong in ${named(wrong.map((m) => m.text))}; the other ${
        this.shown.length - wrong.length === 1 ? "one is" : `${this.shown.length - wrong.length} are`} right.`;
      const alone = wrong[0].detail.startsWith("at a kink") ? `Wrong ${wrong[0].detail}.` : "Wrong everywhere.";
      const first = where ? `Wrong ${where}.` : this.shown.length > 1 ? whole : alone;
      const told = known ?? (reason && (where ? `${where}: ${reason}` : reason));
      return [first, told ? sentence(told) : `No simple reason was found. ${compared(wrong[0])}`, this.answer(wrong[0])];
    }

    get key() { return `${this.kind}|${this.text}|${this.input.value.trim()}`; }

    answer(mark) {
      const formula = data.answers[`${this.kind}|${this.text}`];
      return formula ? `${this.text} = ${formula}` : compared(mark);
    }

    hint() {
      this.stage = Math.min(this.stage + 1, STAGES.length);
      this.show();
      if (this.more.hidden) this.input.focus();
    }

    show() {
      const verdict = this.verdict, kind = CLASSES[verdict] ?? "";
      this.element.className = `line ${kind}`;
      this.sign.textContent = SIGNS[verdict] ?? "";
      this.input.setAttribute("aria-invalid", String(verdict === "wrong" || verdict === "cannot be read"));
      this.more.hidden = verdict !== "wrong" || this.stage >= STAGES.length;
      this.more.textContent = STAGES[this.stage] ?? "";
      this.told.textContent = this.words(verdict);
    }

    words(verdict) {
      if (verdict === "wrong") return ["Wrong.", ...(this.stage ? this.hintTexts.slice(0, this.stage) : [])].slice(this.stage ? 1 : 0).join("\n");
      if (verdict === "right") return sentence(["right", ...new Set(this.shown.map((m) => m.detail).filter(Boolean))].join("; "));
      const first = this.shown?.find((m) => m.verdict === verdict);
      if (verdict === "cannot tell") return sentence(`cannot tell: ${first.detail}`);
      return first ? first.detail : "";
    }
  }

  const BAD = ["cannot be read", "wrong", "cannot tell"];
  const worst = (marked) => BAD.find((v) => marked.some((m) => m.verdict === v)) ?? (marked.every((m) => m.verdict === "right") ? "right" : "");
  const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? "" : ".");

  function named(texts) {
    const some = texts.slice(0, 4);
    return some.length < texts.length ? `${some.join(", ")} and ${texts.length - some.length} more` : some.join(" and ");
  }

  /** What was given and what is right at the point where they are farthest apart. */
  function compared(mark) {
    const { mine, right, look, turned } = mark.worst, tidy = (v) => (v.length > 9 ? `${v.length} entries` : v.length > 1 ? `[${v.map((x) => Marker.tidy(x)).join(", ")}]` : Marker.tidy(v[0], 6));
    const inputs = data.inputs.slice(0, 4).map((n) => `${n} = ${tidy(Array.from(look.quantities.get(n)?.data ?? []))}`);
    return `${mark.text}: yours ${tidy(mine)}${turned ? " after transposing" : ""}, right ${tidy(right.data)}, at ${inputs.join(", ")}.`;
  }

  /** Mark all lines together, and show them. */
  function tell() {
    const all = lines.filter((l) => l.marks).map((l) => [l, l.marks.map((m) => ({ ...m }))]);
    derivation.together(all.flatMap(([, marks]) => marks));
    lines.forEach((l) => { l.shown = null; });
    const seen = new Set();
    for (const [line, marks] of all) {
      const key = `${line.kind}|${line.text}`;
      line.shown = seen.has(key) ? [{ kind: line.kind, text: line.text, verdict: "cannot be read", detail: `there is a line ${line.text} already` }] : marks;
      seen.add(key);
    }
    lines.forEach((l) => l.show());
    const count = (v) => lines.filter((l) => l.verdict === v).length, right = count("right");
    const others = ["wrong", "cannot tell", "cannot be read"].map((v) => (count(v) ? `, ${count(v)} ${v}` : ""));
    page("score").textContent = `${right} of ${lines.length} right${others.join("")}`;
    for (const [edge, arrows] of arrowsOf) {
      const mine = lines.filter((l) => l.edge === edge), kind = mine.length ? CLASSES[worst(mine)] : "";
      for (const arrow of arrows) arrow.setAttribute("class", `arrow ${kind ?? ""}`);
    }
  }

  // The diagram.

  const arrowsOf = new Map();
  const curve = (points) => `M${points[0]},${points[1]}C${points.slice(2).join(" ")}`;

  function arrow(svg, edge, points, headed) {
    const made = drawn("path", { d: curve(points), class: "arrow" });
    svg.append(made);
    arrowsOf.set(edge, [...(arrowsOf.get(edge) ?? []), made]);
    if (!headed) return;
    const n = points.length, [x, y] = points.slice(n - 2), angle = (Math.atan2(y - points[n - 3], x - points[n - 4]) * 180) / Math.PI;
    svg.append(drawn("path", { d: "M0,0L-11,-5L-11,5Z", class: "head", transform: `translate(${x} ${y}) rotate(${angle})` }));
  }

  const place = ([x, y], [w, h]) => ({ left: `${x - w / 2}px`, top: `${y - h / 2}px`, width: `${w}px`, height: `${h}px` });

  function build() {
    const plane = page("plane"), { layout } = data, svg = drawn("svg", {});
    plane.append(svg);
    for (const node of data.nodes) {
      const box = element("div", { className: `node ${node.kind}` }, element("b", {}, node.name), ...(node.formula ? [element("span", {}, node.formula)] : []), element("small", {}, node.shape));
      if (layout) Object.assign(box.style, place(layout.centers[node.id], node.size));
      const group = element("div", { className: node.edges.length ? "group" : "group bare" }, box);
      for (const edge of node.edges) {
        const card = element("div", { className: "card" }, ...edge.lines.map((l) => new Line({ ...l, edge: edge.id }).element));
        if (layout) Object.assign(card.style, place(layout.centers[edge.id], edge.size));
        group.append(card);
      }
      plane.append(group);
    }
    if (layout) {
      Object.assign(plane.style, { width: `${layout.size[0]}px`, height: `${layout.size[1]}px` });
      for (const [edge, points, headed] of layout.arrows) arrow(svg, edge, points, headed);
    }
    for (const [title, told, kinds] of [["Totals, along all paths", data.totals, "total"], ["Paths: the product of the partials along each", data.paths, "path"], ["Other lines", data.others, ""]]) {
      if (!told.length) continue;
      const cards = element("div", { className: "cards" }, ...told.map((l) => element("div", { className: "card" }, new Line(l).element)));
      page("more").append(element("h2", {}, title), cards);
    }
    overview();
  }

  function overview() {
    const { mini } = data, svg = page("mini");
    if (!mini) { page("overview").hidden = true; return; }
    svg.setAttribute("viewBox", `-8 -8 ${mini.size[0] + 16} ${mini.size[1] + 16}`);
    svg.style.height = `min(40vh, ${1.4 * mini.size[1] + 24}px)`;
    for (const [edge, points] of mini.arrows) {
      const hit = drawn("path", { d: curve(points), class: "arrow hit" });
      hit.addEventListener("click", () => lines.find((l) => l.edge === edge)?.input.focus());
      arrow(svg, edge, points, true);
      svg.append(hit);
    }
    for (const node of data.nodes) {
      const [x, y] = mini.centers[node.id], [w, h] = mini.sizes[node.id];
      svg.append(drawn("g", { class: node.kind, transform: `translate(${x} ${y})` }, drawn("rect", { x: -w / 2, y: -h / 2, width: w, height: h, rx: 7 }),
        drawn("text", {}, node.name.length > 18 ? `${node.name.slice(0, 17)}…` : node.name)));
    }
  }

  const READABLE = 0.6;
  let scale = 1;
  function zoomed(to) {
    scale = Math.min(2, Math.max(0.15, to));
    const [w, h] = data.layout.size;
    page("plane").style.transform = `scale(${scale})`;
    Object.assign(page("frame").style, { width: `${w * scale}px`, height: `${h * scale}px` });
  }
  const fitting = () => Math.min(1, (page("sheet").clientWidth - 38) / data.layout.size[0]);

  function show(view) {
    document.body.dataset.view = view;
    page("as-plane").setAttribute("aria-pressed", String(view === "plane"));
    page("as-list").setAttribute("aria-pressed", String(view === "list"));
    if (view === "plane") zoomed(Math.max(fitting(), READABLE));
  }

  // Saving.

  const KEYS = { partial: "partials", path: "paths", total: "totals" };

  function toml() {
    const tables = Object.entries(KEYS).map(([kind, table]) => {
      const told = new Map(lines.filter((l) => l.kind === kind && l.input.value.trim()).reverse().map((l) => [l.text, l.input.value.trim()]));
      const rows = [...told].reverse().map(([text, formula]) => `${JSON.stringify(text)} = ${JSON.stringify(formula)}`);
      return rows.length ? `\n[${table}]\n${rows.join("\n")}\n` : "";
    });
    return data.toml + tables.join("");
  }

  page("save").addEventListener("click", () => {
    const link = element("a", { href: URL.createObjectURL(new Blob([toml()], { type: "application/toml" })), download: data.file });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });

  page("empty").addEventListener("click", () => {
    const hidden = page("empty").getAttribute("aria-pressed") !== "true";
    page("empty").setAttribute("aria-pressed", String(hidden));
    for (const line of lines) {
      if (!line.given || (hidden && line.input.value !== line.given)) continue;
      if (!hidden && line.input.value.trim()) continue;
      line.input.value = hidden ? "" : line.given;
      line.read();
    }
    tell();
  });

  page("own").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = page("own-text").value.trim();
    if (!text) return;
    let cards = page("own-lines");
    if (!cards) {
      cards = element("div", { className: "cards", id: "own-lines" });
      page("own").before(cards);
    }
    const line = new Line({ kind: page("own-kind").value, text, formula: "" });
    cards.append(element("div", { className: "card" }, line.element));
    page("own-text").value = "";
    line.input.focus();
    tell();
  });

  page("as-plane").addEventListener("click", () => show("plane"));
  page("as-list").addEventListener("click", () => show("list"));
  page("smaller").addEventListener("click", () => zoomed(scale / 1.25));
  page("larger").addEventListener("click", () => zoomed(scale * 1.25));
  page("fit").addEventListener("click", () => zoomed(fitting()));

  page("where").textContent = data.exercise.where ? `Compared for ${data.exercise.where}.` : "";
  page("left-out").textContent = data.leftOut;
  page("short").textContent = data.exercise.short.map(([name, text]) => `${name} = ${text}`).join("\n");
  build();
  document.body.dataset.view = "plane";
  const roomy = data.layout && window.innerWidth > 760 && fitting() >= READABLE;
  if (!data.layout) page("as-plane").parentElement.hidden = true;
  show(roomy ? "plane" : "list");
  page("empty").hidden = !lines.some((l) => l.given);
  lines.forEach((l) => l.read());
  tell();
  window.marking = { lines, derivation, toml };
})();
