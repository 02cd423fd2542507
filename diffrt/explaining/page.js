"use strict";
// What the page knows stands in `data` (html.py says what that is); what it shows stands in `state`.
const data = JSON.parse(document.getElementById("data").textContent);
const el = id => document.getElementById(id), graph = el("graph"), canvas = el("canvas"), tip = el("tip");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const PAD = 14, HEAD = 30, READABLE = 0.72, LISTED = 60, EFFORT = 20000;
const state = {way: "up", open: new Set(), mode: null, place: 0, chosen: null, view: {x: 0, y: 0, scale: 1}, shown: {x: 0, y: 0, scale: 1}, fitted: true};
let arranged, timer = null, moving = null;

// No line is broken after a minus.
const joined = text => text.replace(/-/g, "-\u2060");
function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "onclick") node.addEventListener("click", value);
    else node.setAttribute(key, value);
  }
  node.append(...children.filter(child => child !== null && child !== ""));
  return node;
}
function draw(tag, attributes, parent, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}
const pencil = document.createElement("canvas").getContext("2d");
const shape = id => document.getElementById("box:" + id) || document.getElementById("arrow:" + id);

// Where everything stands. A box that is unfolded grows, and what lies to the right of it or below makes room: places
// are moved by functions that never bring two of them nearer to each other, so nothing comes to overlap.
function arrange(level) {
  const layout = level.layouts[state.way], inner = {}, grown = [];
  for (const id of level.nodes) {
    const node = data.nodes[id];
    if (!state.open.has(id) || !node.inside) continue;
    inner[id] = arrange(node.inside);
    const [x, y] = layout.centers[id];
    const width = Math.max(inner[id].w + 2 * PAD, node.w), height = inner[id].h + HEAD + PAD;
    grown.push({x: [x - node.w / 2, node.w, width - node.w], y: [y - node.h / 2, node.h, Math.max(0, height - node.h)], id, width, height});
  }
  const right = stretch(grown.map(g => g.x)), down = stretch(grown.map(g => g.y)), move = (x, y) => [right(x), down(y)];
  const boxes = {};
  for (const id of level.nodes) {
    const open = grown.find(g => g.id === id), node = data.nodes[id], [x, y] = layout.centers[id];
    const w = open ? open.width : node.w, h = open ? Math.max(open.height, node.h) : node.h;
    const middle = (along, at, half) => (along(at - half) + along(at + half)) / 2;
    boxes[id] = {x: middle(right, x, node.w / 2) - w / 2, y: middle(down, y, node.h / 2) - h / 2, w, h};
  }
  const [w, h] = move(...layout.size);
  return {level, boxes, inner, move, w, h, layout};
}

// A place after spans [from, size, more] have grown; where they lie beside each other the largest growth is enough.
function stretch(spans) {
  const ends = [...new Set(spans.flatMap(([from, size]) => [from, from + size]))].sort((a, b) => a - b);
  const growth = ends.slice(1).map((end, k) => Math.max(0, ...spans.filter(([from, size]) => from < end && from + size > ends[k]).map(([, size, more]) => more / size)));
  return at => growth.reduce((sum, more, k) => sum + more * Math.min(ends[k + 1] - ends[k], Math.max(0, at - ends[k])), at);
}
function drawLevel(at, parent) {
  for (const scope of at.level.boxes) {
    // What lies in a scope has a smaller frame.
    const within = at.level.boxes.filter(other => other !== scope && other.members.every(id => scope.members.includes(id)));
    const frame = around(scope.members.map(id => at.boxes[id]), 8 + 12 * Math.min(3, within.length));
    frame.y -= 10; frame.h += 10;
    const foreign = at.level.nodes.some(id => !scope.members.includes(id) && overlap(at.boxes[id], frame));
    if (foreign || scope.members.length < 2) continue;
    const g = draw("g", {class: "scope"}, parent);
    draw("rect", {x: frame.x, y: frame.y, width: frame.w, height: frame.h, rx: 8}, g);
    draw("text", {x: frame.x + 8, y: frame.y + 13}, g, scope.name);
  }
  at.level.edges.forEach((id, k) => drawEdge(id, at, at.layout.arrows[k], parent));
  for (const id of at.level.nodes) drawNode(id, at, parent);
}
function drawEdge(id, at, numbers, parent) {
  const edge = data.edges[id], points = [];
  // The ends keep to their boxes.
  const held = (box, x, y) => {
    const [cx, cy] = at.layout.centers[box], b = at.boxes[box];
    const {w, h} = at.inner[box] ? data.nodes[box] : b;
    return [b.x + b.w / 2 + (x - cx) * b.w / w, b.y + b.h / 2 + (y - cy) * b.h / h];
  };
  for (let k = 0; k < numbers.length; k += 2) {
    const box = k < 2 ? edge.from : k >= numbers.length - 2 ? edge.to : null;
    points.push(box ? held(box, numbers[k], numbers[k + 1]) : at.move(numbers[k], numbers[k + 1]));
  }
  if (points.length < 2) return;
  const g = draw("g", {class: "edge" + (edge.bundle ? " bundle" : ""), id: "arrow:" + id}, parent);
  const path = "M" + points[0] + " C" + points.slice(1).map(p => p[0].toFixed(1) + "," + p[1].toFixed(1)).join(" ");
  draw("path", {class: "line", d: path}, g);
  const end = points[points.length - 1], before = points.slice().reverse().find(p => Math.hypot(p[0] - end[0], p[1] - end[1]) > 2) || points[0];
  const turn = Math.atan2(end[1] - before[1], end[0] - before[0]) * 180 / Math.PI;
  draw("path", {class: "head", d: "M1,0 L-9,-4.5 L-9,4.5 z", transform: `translate(${end}) rotate(${turn})`}, g);
  draw("path", {class: "hit", d: path}, g);
  g.addEventListener("mousemove", event => showTip(edgeText(edge), event));
  g.addEventListener("mouseleave", hideTip);
  g.addEventListener("click", () => { if (!dragged) { light([], [id]); showEdge(id); } });
}
function drawNode(id, at, parent) {
  const node = data.nodes[id], box = at.boxes[id], open = at.inner[id];
  const g = draw("g", {class: "node " + node.kind + (open ? " open" : "") + (data.marked.includes(id) ? " marked" : ""),
    id: "box:" + id, tabindex: 0, role: "button", "aria-label": spoken(node)}, parent);
  draw("rect", {x: box.x, y: box.y, width: box.w, height: box.h, rx: 7}, g);
  const lines = node.box.map((text, k) => [text, ["name", "formula", "value", "gradient"][k]]).filter(([text]) => text);
  (open ? lines.slice(0, 2).map(([t, c], k) => [k ? "= " + t : t, c]) : lines).forEach(([text, kind], k) => {
    const x = open ? box.x + 12 : box.x + box.w / 2;
    const line = draw("text", {x, y: box.y + (open ? 20 : 20 + 16 * k), class: kind, "text-anchor": open ? "start" : "middle"}, g, text);
    if (open && k) line.setAttribute("x", x + 12 + 8.2 * lines[0][0].length);
    else if (!open && fitted([text, kind], box.w - 10, 99).size < (kind === "name" ? 14 : 13)) {
      line.setAttribute("textLength", box.w - 12); line.setAttribute("lengthAdjust", "spacingAndGlyphs");
    }
  });
  if (!open) drawFar(lines, outline(node), box, g);
  g.addEventListener("click", event => { event.stopPropagation(); if (!dragged) choose(id); });
  g.addEventListener("dblclick", event => { event.stopPropagation(); toggle(id); });
  g.addEventListener("focus", () => { if (g.matches(":focus-visible")) follow([id]); });
  if (node.inside) {
    const b = draw("g", {class: "unfold", transform: `translate(${box.x + box.w - 7},${box.y - 8})`}, g);
    draw("rect", {x: -8, y: 0, width: 18, height: 18, rx: 4}, b);
    draw("text", {x: 1, y: 13.5}, b, open ? "−" : "+");
    draw("title", {}, b, open ? "fold" : "unfold");
    b.addEventListener("click", event => { event.stopPropagation(); toggle(id); });
    b.addEventListener("dblclick", event => event.stopPropagation());
  }
  if (open) drawLevel(open, draw("g", {transform: `translate(${box.x + (box.w - open.w) / 2},${box.y + HEAD})`}, g));
}
// From afar a box shows only its name, and its formula where there is room, as large as they fit.
function drawFar(lines, short, box, g) {
  const name = fitted(lines[0], box.w - 14, 34), room = box.h - name.size - 10;
  let formula = lines.find(([, kind]) => kind === "formula");
  if (formula) {
    formula = fitted(formula, box.w - 14, Math.min(26, room));
    if (formula.size < 19) formula = fitted([short, "formula"], box.w - 14, Math.min(26, room));
  }
  let y = box.y + (box.h - name.size - (formula ? formula.size + 4 : 0)) / 2;
  for (const [text, kind] of [[name, "name far"], [formula, "formula far"]]) if (text) {
    draw("text", {class: kind, x: box.x + box.w / 2, y: y + 0.82 * text.size, "text-anchor": "middle", style: `font-size:${text.size.toFixed(1)}px`}, g, text.text);
    y += text.size + 4;
  }
}
// The outermost op of a formula.
function outline(node) {
  let text = node.formula, old = "";
  while (text !== old) { old = text; text = text.replace(/\([^()]*\)|\[[^\[\]]*\]/g, "#").replace(/\|[^|]*\|/g, "#"); }
  const call = text.match(/^(\w+)#$/), infix = [" + ", " - ", " @ ", " * ", " / ", " · "].find(op => text.includes(op));
  if (node.formula.startsWith("f(")) return /^[a-z]/i.test(node.op) ? node.op + "(…)" : "… " + node.op + " …";
  return call ? call[1] + "(…)" : infix ? "…" + infix + "…" : text === "#" ? node.formula[0] + "…" + node.formula.slice(-1) : text;
}
function fitted([text, kind], width, most) {
  pencil.font = (kind === "name" ? "bold " : "") + "20px Helvetica, Arial, sans-serif";
  return {text, size: Math.min(most, 20 * width / pencil.measureText(text).width)};
}
const made = node => node.formula && node.formula !== node.name ? " = " + node.formula : "";
const spoken = node => [node.name, made(node).trim(), "= " + node.value,
  node.gradient ? node.d + " = " + node.gradient : ""].filter(Boolean).join(", ");

function around(rects, margin) {
  const x = Math.min(...rects.map(r => r.x)) - margin, y = Math.min(...rects.map(r => r.y)) - margin;
  return {x, y, w: Math.max(...rects.map(r => r.x + r.w)) + margin - x, h: Math.max(...rects.map(r => r.y + r.h)) + margin - y};
}
const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

function render() {
  const focused = document.activeElement && document.activeElement.id;
  arranged = arrange(data.top);
  graph.replaceChildren();
  drawLevel(arranged, graph);
  paint();
  if (focused && focused.startsWith("box:") && el(focused)) el(focused).focus();
}

// The part of the plane that is seen: its middle, and pixels of the window by pixels of the plane.
function look(view, soon) {
  cancelAnimationFrame(moving);
  const from = {...state.shown}, start = performance.now();
  state.view = view;
  const set = v => {
    state.shown = v;
    graph.classList.toggle("distant", v.scale < READABLE);
    graph.setAttribute("viewBox", [v.x - canvas.clientWidth / v.scale / 2, v.y - canvas.clientHeight / v.scale / 2,
      canvas.clientWidth / v.scale, canvas.clientHeight / v.scale].join(" "));
  };
  if (soon || still.matches) return set(view);
  const frame = now => {
    const t = Math.min(1, Math.max(0, now - start) / 260), k = t * t * (3 - 2 * t), mix = key => from[key] + (view[key] - from[key]) * k;
    set({x: mix("x"), y: mix("y"), scale: mix("scale")});
    if (t < 1) moving = requestAnimationFrame(frame);
  };
  moving = requestAnimationFrame(frame);
}
const scaleOf = (w, h) => Math.min(canvas.clientWidth / (w + 40), canvas.clientHeight / (h + 40));
function fit(soon) {
  state.fitted = true;
  look({x: arranged.w / 2, y: arranged.h / 2, scale: Math.min(1.7, scaleOf(arranged.w, arranged.h))}, soon);
}
function zoom(factor, x, y) {
  const v = state.view, scale = Math.min(4, Math.max(0.02, v.scale * factor));
  const dx = x === undefined ? 0 : x - canvas.clientWidth / 2, dy = y === undefined ? 0 : y - canvas.clientHeight / 2;
  state.fitted = false;
  look({x: v.x + dx / v.scale - dx / scale, y: v.y + dy / v.scale - dy / scale, scale}, x !== undefined);
}
function pan(dx, dy, soon) {
  state.fitted = false;
  look({...state.view, x: state.view.x - dx / state.view.scale, y: state.view.y - dy / state.view.scale}, soon);
}
function placeOf(id, at = arranged, x = 0, y = 0) {
  const box = at.boxes[id];
  if (box) return {...box, x: box.x + x, y: box.y + y};
  for (const [outer, inner] of Object.entries(at.inner)) {
    const b = at.boxes[outer], found = placeOf(id, inner, x + b.x + (b.w - inner.w) / 2, y + b.y + HEAD);
    if (found) return found;
  }
  return null;
}
// What is told of stays in view, and large enough to read; the view moves no more than it must.
function follow(ids, entire) {
  const rects = ids.map(id => placeOf(id)).filter(Boolean);
  if (!rects.length) return;
  let rect = around(rects, 20), v = state.view;
  const seen = r => Math.abs(r.x + r.w / 2 - v.x) + r.w / 2 <= canvas.clientWidth / v.scale / 2
    && Math.abs(r.y + r.h / 2 - v.y) + r.h / 2 <= canvas.clientHeight / v.scale / 2;
  if (seen(rect) && (entire || v.scale >= READABLE)) return;
  if (!entire && scaleOf(rect.w, rect.h) < READABLE) rect = around([rects[0]], 20);
  // A box that is wider than the window is made smaller all the same.
  const scale = Math.min(entire ? 1.3 : Math.max(v.scale, READABLE + 0.18), scaleOf(rect.w, rect.h));
  state.fitted = false;
  look({x: rect.x + rect.w / 2, y: rect.y + rect.h / 2, scale});
}

function showTip(text, event) {
  const frame = canvas.getBoundingClientRect();
  tip.textContent = text;
  tip.style.display = "block";
  tip.style.left = Math.max(4, Math.min(event.clientX - frame.left + 14, frame.width - tip.offsetWidth - 6)) + "px";
  tip.style.top = Math.max(4, Math.min(event.clientY - frame.top + 16, frame.height - tip.offsetHeight - 6)) + "px";
}
function hideTip() { tip.style.display = "none"; }
function edgeText(edge) {
  if (edge.bundle) return edge.bundle + (edge.bundle === 1 ? " edge, folded" : " edges, folded");
  if (edge.constant) return "a constant: no derivative goes this way";
  return edge.d + (edge.formula && edge.formula !== edge.local ? " = " + edge.formula : "") + " = " + edge.local;
}

// The panel: what is told of one box or one arrow.
function line(list, term, text, kind) {
  if (text) list.append(make("dt", {}, term), make("dd", {class: kind || ""}, text));
}
function edgeRow(id, other) {
  const edge = data.edges[id];
  return make("button", {class: "row", onclick: () => { light([edge.from, edge.to], [id]); follow([edge.to, edge.from]); showEdge(id, other); }},
    make("span", {class: "formula"}, joined(edgeText(edge))));
}
function showEdge(id, from) {
  const edge = data.edges[id], list = make("dl");
  const ends = [edge.from, edge.to].map(n => make("button", {onclick: () => choose(n)}, data.nodes[n].name));
  line(list, "as a formula", edge.formula || (edge.constant || edge.bundle ? "" : "too long for a line: unfold " + data.nodes[edge.to].name + " for the steps of it"), "formula");
  line(list, "as a number", edge.local, "number");
  line(list, "shape", edge.shape);
  el("panel").replaceChildren(make("h2", {}, edge.d || edgeText(edge)), make("p", {}, "local derivative, from ", ends[0], " to ", ends[1]), list);
}
function show(id) {
  const node = data.nodes[id], list = make("dl");
  line(list, "formula", node.formula || {leaf: "given", constant: "a constant"}[node.kind], "formula");
  line(list, "value", node.value, "number");
  line(list, "shape", node.shape);
  line(list, node.d || "", node.gradient, "number gradient");
  line(list, "the same in symbols", node.total && joined(node.total), "formula");
  line(list, "shape of the gradient", node.layouts);
  const edges = Object.keys(data.edges), into = edges.filter(e => data.edges[e].to === id && !data.edges[e].constant);
  const out = edges.filter(e => data.edges[e].from === id && !data.edges[e].constant);
  const parts = [make("h2", {}, node.name), node.why ? make("p", {class: "why"}, node.why) : "", list];
  if (node.inside) parts.push(make("p", {}, make("button", {id: "unfold", onclick: () => toggle(id)}, state.open.has(id) ? "Fold" : "Unfold in place")));
  if (node.counted) parts.push(make("p", {}, "What is inside was left out to keep this page small."));
  if (into.length) parts.push(make("h3", {}, "local derivatives by its inputs"), ...into.slice(0, 30).map(edgeRow));
  if (out.length) parts.push(make("h3", {}, "its uses"), ...out.slice(0, 30).map(edgeRow));
  el("panel").replaceChildren(...parts.filter(Boolean));
}
function choose(id) {
  state.chosen = id;
  if (state.mode) leave();
  el("told").replaceChildren();
  light([id], []);
  show(id);
}
function toggle(id) {
  if (!data.nodes[id] || !data.nodes[id].inside) return;
  const was = placeOf(id);
  if (!state.open.delete(id)) state.open.add(id);
  const fitted = state.fitted && !state.mode;
  render();
  const now = placeOf(id);
  if (fitted && scaleOf(arranged.w, arranged.h) >= READABLE) fit();
  else {
    // Its upper left corner stays where it was, as far as it fits there.
    look({...state.view, x: state.view.x + now.x - was.x, y: state.view.y + now.y - was.y}, true);
    follow([id]);
  }
  if (state.chosen === id) show(id);
}

// What is lit and what is dimmed.
let lit = {nodes: [], edges: []}, bright = null, known = new Set();
function light(nodes, edges, onlyThese, knownNow) {
  lit = {nodes, edges}; bright = onlyThese || null; known = knownNow || new Set();
  paint();
}
function paint() {
  for (const mode of ["forward", "backward"]) graph.classList.toggle(mode, state.mode === mode);
  el("folded").hidden = !data.folded || state.mode !== null;
  for (const g of graph.querySelectorAll(".lit, .dim, .known")) g.classList.remove("lit", "dim", "known");
  for (const id of lit.nodes) if (shape(id)) shape(id).classList.add("lit");
  for (const id of lit.edges) if (shape(id)) { shape(id).classList.add("lit"); shape(id).parentNode.insertBefore(shape(id), firstBox(shape(id).parentNode)); }
  for (const id of known) if (shape(id)) shape(id).classList.add("known");
  for (const id of data.top.nodes) writeGradient(id);
  if (bright) {
    for (const id of data.top.nodes) if (!bright.has(id)) shape(id).classList.add("dim");
    for (const id of data.top.edges) if (!lit.edges.includes(id) && shape(id)) shape(id).classList.add("dim");
  }
  for (const mode of ["forward", "backward", "paths"]) el(mode).setAttribute("aria-pressed", state.mode === mode);
}
// In the backward pass a box shows the sum so far.
function writeGradient(id) {
  const text = shape(id).querySelector(":scope > text.gradient"), node = data.nodes[id];
  if (!text) return;
  const done = state.mode === "backward" ? backward.slice(0, state.place + 1).flatMap(s => s.gains.filter(g => g.to === id)) : [];
  const partial = done.length && done.length < (gainsOf[id] || 0);
  text.textContent = partial ? (node.d.length < 24 ? node.d : "") + " = " + done[done.length - 1].sum + " …" : node.box[3];
}
const firstBox = parent => [...parent.children].find(child => child.classList.contains("node")) || null;

// The passes.
const backward = data.backward.length ? [{begin: true, node: data.output, gains: []}, ...data.backward]
  : data.order.slice().reverse().map(node => ({node, gains: [], plain: true}));
const gainsOf = {};
for (const s of data.backward) for (const g of s.gains) gainsOf[g.to] = (gainsOf[g.to] || 0) + 1;
function enter(mode) {
  clearInterval(timer);
  state.mode = mode; state.place = 0;
  el("chooser").hidden = mode !== "paths";
  el("panel").replaceChildren(); el("sums").replaceChildren(); el("told").replaceChildren();
  if (mode === "paths") openPaths(); else step();
}
function leave() {
  clearInterval(timer);
  state.mode = null; state.place = 0;
  el("chooser").hidden = true; el("sums").replaceChildren();
  el("told").textContent = "";
  light([], []);
}
function step() {
  const steps = state.mode === "forward" ? data.order : backward;
  state.place = Math.max(0, Math.min(state.place, steps.length - 1));
  const count = "Step " + (state.place + 1) + " of " + steps.length + ": ";
  if (state.mode === "forward") forwardStep(steps, count); else backwardStep(steps, count);
  el("back").disabled = state.place === 0;
  el("next").disabled = state.place === steps.length - 1;
}
function forwardStep(order, count) {
  const id = order[state.place], node = data.nodes[id], into = data.top.edges.filter(e => data.edges[e].to === id);
  const seen = new Set(order.slice(0, state.place + 1));
  for (const e of into) seen.add(data.edges[e].from);
  light([id], into, seen);
  if (node.kind === "group") el("told").replaceChildren(make("p", {}, count, make("b", {}, node.name), ", " + node.value + ", folded: " + node.formula));
  else el("told").replaceChildren(make("p", {}, count, make("b", {}, node.name), make("span", {class: "formula"}, joined(made(node))), " = ", make("span", {class: "number"}, node.value)),
    node.kind === "leaf" ? make("p", {}, "It is given.") : "", node.shape ? make("p", {}, node.shape) : "", node.why && node.why.startsWith("The value") ? make("p", {class: "why"}, node.why) : "");
  follow([id, ...into.map(e => data.edges[e].from)]);
}
function backwardStep(steps, count) {
  const now = steps[state.place], node = data.nodes[now.node], edges = now.gains.map(g => g.edge), told = [];
  const reached = new Set([data.output]);
  for (const s of steps.slice(0, state.place + 1)) for (const g of s.gains) reached.add(g.to);
  if (now.plain) steps.slice(0, state.place + 1).forEach(s => reached.add(s.node));
  light([now.node], edges, new Set([now.node, ...now.gains.map(g => g.to)]), reached);
  if (now.begin) told.push(make("p", {}, count + "the gradient of " + node.name + " is 1, where the pass begins: " + node.d + " = " + node.gradient + "."));
  else if (now.plain) told.push(make("p", {}, count, make("b", {}, node.name), node.gradient ? ": " + node.d + " = " + node.gradient : ": steps that are folded; unfold them to see their gradients"));
  else {
    told.push(make("p", {}, count, make("b", {}, node.name), make("span", {class: "formula"}, made(node))), make("p", {}, "The rule: " + now.rule + "."));
    told.push(make("p", {}, "It has ", make("span", {class: "gradient number"}, node.d + " = " + node.gradient)));
    for (const g of now.gains) {
      const edge = data.edges[g.edge], to = data.nodes[g.to];
      told.push(make("p", {}, make("span", {class: "gradient"}, to.d + (g.first ? " = " : " += ") + node.d + " · " + edge.d), edge.formula ? make("span", {class: "formula"}, ", with " + edge.d + " = " + joined(edge.formula)) : "",
        make("br"), make("span", {class: "number"}, (g.first ? "= " : "+= ") + g.part + (g.first ? "" : ", so far " + g.sum)), to.layouts ? make("br") : "", to.layouts));
    }
  }
  if (node.why && node.why.startsWith("The gradient")) told.push(make("p", {class: "why"}, node.why));
  el("told").replaceChildren(...told);
  el("sums").replaceChildren(...sumTable(steps, now));
  follow([now.node, ...now.gains.map(g => g.to)]);
}
// The gradients of the leaves as they grow, += by +=.
function sumTable(steps, now) {
  if (!data.backward.length) return [];
  const rows = [make("tr", {}, ...["input", "gains", "running sum"].map(t => make("th", {}, t)))];
  for (const id of data.inputs) {
    const all = data.backward.flatMap(s => s.gains.filter(g => g.to === id));
    const had = steps.slice(0, state.place + 1).flatMap(s => s.gains.filter(g => g.to === id));
    if (!had.length) continue;
    const fresh = now.gains.some(g => g.to === id);
    rows.push(make("tr", fresh ? {class: "now"} : {}, make("td", {}, data.nodes[id].name), make("td", {}, had.length + " of " + all.length), make("td", {class: "number"}, had[had.length - 1].sum)));
    if (fresh && had.length > 1) had.forEach((g, k) => rows.push(make("tr", {}, make("td", {}, k ? "+=" : "="), make("td", {}, source(g)), make("td", {class: "number"}, g.part))));
  }
  return rows.length > 1 ? [make("h3", {}, "gradients of the inputs so far"), make("table", {}, ...rows)] : [];
}
const source = g => "from " + data.nodes[data.edges[g.edge].to].name;

// Paths: the derivative is the sum over the paths of the products of the local derivatives along them.
const chosen = {from: null, to: null, column: 0, row: 0, list: [], total: 0n, nothing: 0n, index: -1, factors: 0, done: new Set()};
function openPaths() {
  if (!data.inputs.length) {
    el("chooser").replaceChildren(make("p", {}, "The paths of this graph are counted only: " + Object.entries(data.paths).map(([name, n]) => n + " from " + name).join(", ") + "."));
    return light([], []);
  }
  chosen.to = chosen.to || data.output;
  chosen.from = chosen.from || data.marked.find(id => data.inputs.includes(id)) || data.inputs[0];
  findPaths();
}
function pick(label, options, value, change) {
  const select = make("select", {"aria-label": label});
  for (const [id, text] of options) select.append(make("option", {value: id}, text));
  select.value = value;
  select.addEventListener("change", () => change(select.value));
  return make("label", {}, label + " ", select);
}
function entries(id) {
  const node = data.nodes[id];
  return node.entries || Array.from({length: Math.min(node.size || 1, 400)}, (_, k) => node.name + (node.size > 1 ? " entry " + k : ""));
}
function findPaths() {
  Object.assign(chosen, {list: [], index: -1, factors: 0, done: new Set()});
  const edges = data.top.edges.map(id => ({id, ...data.edges[id]})).filter(e => !e.constant && !e.bundle);
  const into = {}, ways = {[chosen.from]: 1n}, counting = {[chosen.from]: 1n}, reach = {[chosen.from]: 1};
  for (const e of edges) (into[e.to] = into[e.to] || []).push(e);
  const norm = e => Math.hypot(...e.matrix[2].map(entry => entry[2]));
  const unknown = edges.some(e => !e.matrix);
  for (const id of data.top.nodes) {
    if (id === chosen.from) continue;
    for (const e of into[id] || []) if (ways[e.from] !== undefined) {
      ways[id] = (ways[id] || 0n) + ways[e.from];
      if (counts(e) && counting[e.from]) counting[id] = (counting[id] || 0n) + counting[e.from];
      if (e.matrix) reach[id] = Math.max(reach[id] || 0, norm(e) * reach[e.from]);
    }
  }
  chosen.total = ways[chosen.to] || 0n;
  chosen.derivative = null;
  if (chosen.from === chosen.to) chosen.total = 0n;
  chosen.nothing = chosen.total && chosen.total - (counting[chosen.to] || 0n);
  if (chosen.total && !unknown) { searchPaths(into, reach); chosen.derivative = sweep(edges); }
  showPaths(unknown);
  light([chosen.from, chosen.to], []);
}
function times(row, matrix) {
  const product = new Array(matrix[1]).fill(0);
  for (const [i, j, v] of matrix[2]) if (row[i] !== 0) product[j] += row[i] * Number(v);
  return product;
}
// Whether an edge has a local derivative other than 0: paths through the others add nothing, and are not listed.
function counts(e) {
  return !e.matrix || e.matrix[2].some(([i, j, v]) => Number(v) !== 0 && (e.to !== chosen.to || i === chosen.row) && (e.from !== chosen.from || j === chosen.column));
}
function unit(id, k) { const row = new Array(data.nodes[id].size || 1).fill(0); row[k] = 1; return row; }
// The most promising beginning first: the norm of its product times the most that any way from there can have.
function searchPaths(into, reach) {
  const pending = [], length = row => Math.hypot(...row);  // in ascending order of their bounds
  const push = item => {
    let low = 0, high = pending.length;
    while (low < high) { const middle = (low + high) >> 1; if (pending[middle].bound <= item.bound) low = middle + 1; else high = middle; }
    pending.splice(low, 0, item);
  };
  push({node: chosen.to, edges: [], rows: [unit(chosen.to, chosen.row)], bound: Infinity});
  for (let effort = 0; pending.length && effort < EFFORT && chosen.list.length < LISTED; effort += 1) {
    const item = pending.pop();
    if (item.done) { chosen.list.push(item); continue; }
    if (item.node === chosen.from) {
      item.value = item.rows[item.rows.length - 1][chosen.column];
      push({...item, done: true, bound: Math.abs(item.value)});
      continue;
    }
    for (const e of into[item.node] || []) if (reach[e.from] !== undefined && counts(e)) {
      const row = times(item.rows[item.rows.length - 1], e.matrix);
      push({node: e.from, edges: [...item.edges, e.id], rows: [...item.rows, row], bound: length(row) * reach[e.from]});
    }
  }
}
function sweep(edges) {
  const sums = {[chosen.to]: unit(chosen.to, chosen.row)};
  for (const id of data.top.nodes.slice().reverse()) {
    if (!sums[id] || id === chosen.from) continue;
    for (const e of edges) if (e.to === id) {
      const row = times(sums[id], e.matrix);
      sums[e.from] = sums[e.from] ? sums[e.from].map((v, k) => v + row[k]) : row;
    }
  }
  return sums[chosen.from] ? sums[chosen.from][chosen.column] : 0;
}
const tidy = x => Number.isFinite(x) ? String(Number(x.toPrecision(6))) : String(x);
const brief = row => row.length === 1 ? tidy(row[0]) : row.length <= 6 ? "[" + row.map(x => String(Number(x.toPrecision(4)))).join(", ") + "]" : "1 x " + row.length;
const endName = (id, k) => entries(id)[k] || data.nodes[id].name;
const whole = () => {
  const name = n => /[ /()]/.test(n) ? "d(" + n + ")" : n.replace(/\d+$/, "").length === 1 ? "d" + n : "d " + n;
  return name(endName(chosen.to, chosen.row)) + "/" + name(endName(chosen.from, chosen.column));
};
function showPaths(unknown) {
  const nodes = data.top.nodes.filter(id => data.nodes[id].kind !== "constant" && data.nodes[id].kind !== "group");
  const options = ids => ids.map(id => [id, data.nodes[id].name]);
  const parts = [pick("from", options(nodes.filter(id => id !== data.output || nodes.length === 1)), chosen.from, id => { Object.assign(chosen, {from: id, column: 0}); findPaths(); })];
  const entry = (id, key) => pick("entry", entries(id).map((text, k) => [k, text]), chosen[key], k => { chosen[key] = Number(k); findPaths(); });
  if (data.nodes[chosen.from].size) parts.push(entry(chosen.from, "column"));
  parts.push(pick("to", options(nodes.filter(id => data.nodes[id].kind !== "leaf" || id === data.output)), chosen.to, id => { Object.assign(chosen, {to: id, row: 0}); findPaths(); }));
  if (data.nodes[chosen.to].size) parts.push(entry(chosen.to, "row"));
  const total = Number(chosen.total), name = s => data.nodes[s].name;
  if (unknown) parts.push(make("p", {}, chosen.total + " paths. The local derivatives are too large for this page, so they are not multiplied here."));
  else if (chosen.from === chosen.to) parts.push(make("p", {}, "These are the same: the derivative is 1, and there is no path to multiply."));
  else if (!total) parts.push(make("p", {}, name(chosen.to) + " does not depend on " + name(chosen.from) + "."));
  else {
    const nothing = Number(chosen.nothing), few = chosen.list.length < total - nothing, told = n => n < 1e15 ? n : n.toExponential(2);
    parts.push(make("p", {id: "count"}, make("b", {}, total === 1 ? "1 path" : told(total) + " paths"),
      nothing ? ", " + (total === 1 ? "" : told(nothing) + " of them ") + "through a derivative of 0" : "",
      few ? (nothing ? "; the " : ", the ") + chosen.list.length + " largest are listed" : chosen.list.length > 1 && !nothing ? ", largest first" : "", ". ",
      ...(chosen.list.length ? [make("button", {id: "play", onclick: () => play(0, true)}, "Play all")] : [])));
  }
  const list = make("div", {id: "list", role: "group", "aria-label": "paths"});
  chosen.list.forEach((path, k) => list.append(make("button", {class: "row path", onclick: () => play(k, false)},
    make("span", {class: "number"}, tidy(path.value)), names(path).map(name).join(" → "))));
  parts.push(list, make("p", {id: "sum", class: "total", "aria-live": "polite"}), make("div", {id: "term"}));
  el("chooser").replaceChildren(...parts);
  showTerm();
}
const names = path => path.edges.length ? [...path.edges.map(e => data.edges[e].to), chosen.from].reverse() : [chosen.from];
function play(index, all) {
  clearInterval(timer);
  Object.assign(chosen, {index, factors: Math.min(1, chosen.list[index].edges.length), all});
  if (all) chosen.done.clear();
  showTerm();
  if (still.matches && !all) while (grow(true));
  else timer = setInterval(() => { if (!grow(all)) clearInterval(timer); }, all ? 650 : 900);
}
// One factor more; after the last one the term is added. Returns whether there is more to come.
function grow(onwards) {
  const path = chosen.list[chosen.index];
  if (chosen.index < 0 || !path) { if (!chosen.list.length) return false; Object.assign(chosen, {index: 0, factors: 1}); }
  else if (chosen.factors < path.edges.length) chosen.factors += 1;
  else if (!chosen.done.has(chosen.index)) chosen.done.add(chosen.index);
  else if (onwards && chosen.index + 1 < chosen.list.length) Object.assign(chosen, {index: chosen.index + 1, factors: 1});
  else return false;
  showTerm();
  return onwards && chosen.all !== false ? chosen.done.size < chosen.list.length : !chosen.done.has(chosen.index);
}
function shrink() {
  if (chosen.factors > 1) { chosen.done.delete(chosen.index); chosen.factors -= 1; }
  else if (chosen.index > 0) { chosen.index -= 1; chosen.factors = chosen.list[chosen.index].edges.length; }
  showTerm();
}
function showTerm() {
  const rows = el("list") ? el("list").children : [];
  [...rows].forEach((row, k) => { row.classList.toggle("chosen", k === chosen.index); row.setAttribute("aria-pressed", k === chosen.index);
    row.classList.toggle("done", chosen.done.has(k)); });
  const path = chosen.list[chosen.index], done = [...chosen.done];
  const sum = done.reduce((total, k) => total + chosen.list[k].value, 0), all = done.length === chosen.list.length;
  if (el("sum") && chosen.list.length) {
    const rest = chosen.derivative - sum, listed = Number(chosen.total - chosen.nothing) === chosen.list.length;
    el("sum").textContent = all && listed ? "The sum stands: " + whole() + " = " + tidy(chosen.derivative)
      : all ? "The sum of these is " + tidy(sum) + "; " + tidy(rest) + " lies in the paths that are not listed; " + whole() + " = " + tidy(chosen.derivative)
      : done.length ? "sum of " + done.length + " of " + chosen.list.length + " terms: " + tidy(sum) : whole() + " is the sum of their terms";
  }
  if (!path || !el("term")) return;
  const edges = path.edges.slice(0, chosen.factors);
  const symbols = edges.map(e => data.edges[e].d).join(" · "), formulas = edges.map(e => data.edges[e].formula || data.edges[e].d);
  const bracket = f => / [-+/] |,/.test(f) || f.startsWith("-") ? "(" + f + ")" : f;
  const last = chosen.factors === path.edges.length;
  const table = make("table", {}, make("tr", {}, ...["factor", "is", "product so far"].map(t => make("th", {}, t))));
  edges.forEach((e, k) => table.append(make("tr", k === edges.length - 1 ? {class: "now"} : {}, make("td", {}, data.edges[e].d), make("td", {class: "number"}, data.edges[e].local),
    make("td", {class: "number"}, brief(k === path.edges.length - 1 ? [path.value] : path.rows[k + 1])))));
  el("term").replaceChildren(make("p", {class: "product"}, symbols), make("p", {class: "product formula"}, "= " + joined(formulas.map(bracket).join(" · "))),
    make("p", {class: "product number"}, "= " + (last ? tidy(path.value) : brief(path.rows[chosen.factors]) + " · …")), table);
  const nodes = [chosen.to, ...edges.map(e => data.edges[e].from)];
  light(nodes, edges, new Set(names(path)));
  follow(names(path), true);
}

// Buttons, keys, mouse and fingers.
function next() {
  if (state.mode === "paths") { clearInterval(timer); chosen.all = true; grow(true); return; }
  if (!state.mode) return enter("forward");
  state.place += 1; step();
}
function back() {
  if (state.mode === "paths") { clearInterval(timer); return shrink(); }
  if (!state.mode) return;
  state.place -= 1; step();
}
function everything() { leave(); state.chosen = null; el("panel").replaceChildren(); intro(); fit(); el("next").disabled = el("back").disabled = false; }
function unfoldAll() {
  const folded = data.top.nodes.filter(id => data.nodes[id].inside && !state.open.has(id));
  if (folded.length) folded.forEach(id => state.open.add(id)); else state.open.clear();
  render(); fit();
}
function turn() { state.way = state.way === "up" ? "right" : "up"; render(); fit(true); }
const actions = {forward: () => enter("forward"), backward: () => enter("backward"), paths: () => enter("paths"), all: everything, next, back,
  in: () => zoom(1.3), out: () => zoom(1 / 1.3), fit: () => fit(), turn, every: unfoldAll};
for (const [id, action] of Object.entries(actions)) el(id).addEventListener("click", action);
const keys = {f: "forward", b: "backward", p: "paths", Escape: "all", "+": "in", "=": "in", "-": "out", "0": "fit", t: "turn", a: "every"};
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
  const focused = event.target.id && event.target.id.startsWith("box:") ? event.target.id.slice(4) : null;
  const far = 80;
  if (keys[event.key]) actions[keys[event.key]]();
  else if (event.key === "ArrowRight") state.mode ? next() : pan(-far, 0);
  else if (event.key === "ArrowLeft") state.mode ? back() : pan(far, 0);
  else if (event.key === "ArrowUp") pan(0, far);
  else if (event.key === "ArrowDown") pan(0, -far);
  else if (event.key === "Home" && state.mode && state.mode !== "paths") { state.place = 0; step(); }
  else if (event.key === "End" && state.mode && state.mode !== "paths") { state.place = Infinity; step(); }
  else if ((event.key === "Enter" || event.key === " ") && focused) choose(focused);
  else if (event.key === "u" && (focused || state.chosen)) toggle(focused || state.chosen);
  else return;
  event.preventDefault();
});
graph.addEventListener("wheel", event => {
  const frame = canvas.getBoundingClientRect();
  event.preventDefault(); hideTip();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX - frame.left, event.clientY - frame.top);
}, {passive: false});
const pointers = new Map();
let dragged = false;
graph.addEventListener("pointerdown", event => { pointers.set(event.pointerId, event); if (pointers.size === 1) dragged = false; });
addEventListener("pointermove", event => {
  const old = pointers.get(event.pointerId);
  if (!old) return;
  if (pointers.size === 1) {
    if (!dragged && Math.hypot(event.clientX - old.clientX, event.clientY - old.clientY) < 5) return;
    dragged = true; graph.classList.add("held"); hideTip();
    pan(event.clientX - old.clientX, event.clientY - old.clientY, true);
  } else {
    const other = [...pointers].find(([id]) => id !== event.pointerId)[1], frame = canvas.getBoundingClientRect();
    const apart = e => Math.hypot(e.clientX - other.clientX, e.clientY - other.clientY);
    dragged = true;
    zoom(apart(event) / Math.max(1, apart(old)), (event.clientX + other.clientX) / 2 - frame.left, (event.clientY + other.clientY) / 2 - frame.top);
  }
  pointers.set(event.pointerId, event);
});
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, event => { pointers.delete(event.pointerId); graph.classList.remove("held"); });
addEventListener("beforeprint", () => { state.before = state.view; fit(true); });
addEventListener("afterprint", () => look(state.before, true));
new ResizeObserver(() => state.fitted ? (orient(), fit(true)) : look(state.view, true)).observe(canvas);

// The way, upwards or to the right, in which the whole graph is seen larger.
function orient() {
  const size = way => scaleOf(...data.top.layouts[way].size), old = state.way;
  if (!state.open.size) state.way = size("right") > 1.1 * size("up") ? "right" : "up";
  if (state.way !== old) render();
}
function intro() {
  el("told").replaceChildren(make("p", {}, "Point at an arrow for its local derivative, choose a box for its value and gradient. Forward and Backward go through the passes, Paths through the terms of the chain rule."));
}
el("every").hidden = !data.top.nodes.some(id => data.nodes[id].inside);
el("folded").textContent = data.folded;
if (!el("notes").querySelector("pre").textContent.trim()) el("notes").hidden = true;
render();
orient();
fit(true);
intro();
if (data.nodes[data.output]) { const why = data.nodes[data.output].why; if (why) el("told").append(make("p", {class: "why"}, data.nodes[data.output].name + ": " + why)); }
