"""A graph as one page for a browser, with nothing to load: hover an edge for its local derivative, click a node for its
value, gradient and formula, step through the forward and the backward pass.

A page of named steps unfolds: a clicked step shows a diagram of the operations in it.
"""

import html
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from diffrt.errors import printable
from diffrt.explaining.diagram import dot_of, edge_id, svg_of
from diffrt.explaining.graph import Graph, Node
from diffrt.explaining.wording import tidy


def html_of(graph: Graph, title: str, whole: Graph | None = None, marked: Sequence[Node] = (), notes: str = "") -> str:
    """The page of a graph.

    whole: all operations, if `graph` is the graph of its named steps. marked: nodes that stand out. notes: text below.
    Raises InputError where pygraphviz is not installed.
    """
    nodes = {f"n{n.number}": _node(n, graph) for n in graph.nodes}
    edges = {edge_id(e.source, e.target, e.position): _edge(e) for e in graph.edges}
    inner = {}
    if whole is not None:
        for node in graph.nodes:
            part = _inside(whole, node)
            if part is not None:
                inner[f"n{node.number}"] = _svg(dot_of(part, [node]))
    order = [f"n{n.number}" for n in graph.nodes if not n.constant]
    data = json.dumps({"nodes": nodes, "edges": edges, "order": order, "inner": inner}, sort_keys=True)
    parts = {"TITLE": html.escape(printable(title)), "NOTES": html.escape("\n".join(map(printable, notes.split("\n")))),
             "SVG": _svg(dot_of(graph, marked)), "DATA": _in_script(data)}  # fmt: skip
    # In one pass, so that a name such as "@DATA@" stays a name.
    return re.sub("@([A-Z]+)@", lambda found: parts[found[1]], _PAGE)


def _in_script(data: str) -> str:
    """JSON for a script block. No tag or comment can begin or end in it, since no text in it has these characters."""
    for character in "<>&":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return data


def _svg(dot: str) -> str:
    """The picture without its XML header."""
    text = svg_of(dot).decode()
    return text[text.index("<svg") :]


def _node(node: Node, graph: Graph) -> dict[str, Any]:
    sources = list(dict.fromkeys(e.source.name for e in graph.edges_to(node)))
    formula = node.operation if not sources or graph.edges_to(node)[0].between is None else "from " + ", ".join(sources)
    if node.leaf:
        formula = "a constant" if node.constant else "given"
    told = "none: nobody wants it" if node.adjoint is None else tidy(node.adjoint, 6)
    uses = [{"edge": edge_id(e.source, e.target, e.position), "target": e.target.name} for e in graph.edges_from(node)]
    return {"name": node.name, "value": tidy(node.value, 6), "gradient": told, "formula": formula, "uses": uses,
            "shape": list(np.shape(node.value)), "sources": sources}  # fmt: skip


def _edge(edge: Any) -> dict[str, Any]:
    local = edge.local
    shown = tidy(local, 4) if local.size <= 12 else f"{tidy(local, 3)}"
    return {"source": edge.source.name, "target": edge.target.name, "local": shown}


def _inside(whole: Graph, node: Node) -> Graph | None:
    """The operations between a named step and the steps before it; None if there is only one."""
    kept: dict[int, Node] = {node.number: node}
    pending = [node]
    while pending:
        for edge in whole.edges_to(pending.pop()):
            source = edge.source
            if source.number not in kept:
                kept[source.number] = source
                if not (source.given or source.leaf):
                    pending.append(source)
    if sum(not (n.given or n.leaf) for n in kept.values()) == 0:
        return None
    numbers = {n for k in kept.values() for n in ([x.number for x in k.inputs] if k is node or not k.given else [])}
    nodes = [n for n in whole.nodes if n.number in kept or (n.constant and n.number in numbers)]
    edges = [e for e in whole.edges if e.source.number in kept and e.target.number in kept
             and (e.target is node or not e.target.given)]  # fmt: skip
    return Graph([n.bare() if n.given and n is not node else n for n in nodes], node, edges)


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>@TITLE@</title>
<style>
body { font: 15px/1.45 Helvetica, Arial, sans-serif; margin: 0; color: #222; display: flex; height: 100vh; }
main { flex: 1; overflow: auto; padding: 12px; }
aside { width: 400px; overflow: auto; padding: 12px 16px; border-left: 1px solid #ccc; background: #fafafa; }
h1 { font-size: 18px; margin: 0 0 8px; } h2 { font-size: 15px; margin: 14px 0 4px; }
button { font: inherit; padding: 3px 10px; margin: 0 4px 4px 0; }
dt { color: #666; font-size: 13px; } dd { margin: 0 0 6px; word-break: break-word; font-family: monospace; }
pre { white-space: pre-wrap; font-size: 12px; }
.node { cursor: pointer; } .edge path { stroke-width: 1.4; } .edge:hover path { stroke: #d35400; stroke-width: 3; }
.edge .hit { stroke: transparent; stroke-width: 12; pointer-events: stroke; }
.lit > path, .lit > polygon { stroke: #d35400 !important; stroke-width: 3; } .dim { opacity: 0.25; }
#tip { position: fixed; background: #222; color: #fff; padding: 5px 9px; border-radius: 4px; font-size: 13px;
  max-width: 420px; pointer-events: none; display: none; z-index: 2; }
#inner svg { max-width: 100%; height: auto; }
</style></head><body>
<main><h1>@TITLE@</h1><div id="graph">@SVG@</div></main>
<aside>
<div><button id="forward">Forward</button><button id="backward">Backward</button><button id="back">&#9664;</button>
<button id="next">&#9654;</button><button id="all">All</button></div>
<p id="told" aria-live="polite">Hover an edge for its local derivative. Click a node. Forward and Backward go through
the passes step by step.</p>
<div id="panel"></div><div id="inner"></div><pre>@NOTES@</pre>
</aside><div id="tip" role="tooltip"></div>
<script id="data" type="application/json">@DATA@</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const el = id => document.getElementById(id), graph = el("graph");
const shape = id => graph.querySelector("#" + id);
graph.querySelectorAll("title").forEach(t => t.remove());
const tip = el("tip");
for (const [id, edge] of Object.entries(data.edges)) {
  const g = shape(id);
  if (!g) continue;
  const hit = g.querySelector("path").cloneNode();
  hit.setAttribute("class", "hit");
  g.appendChild(hit);
  g.addEventListener("mousemove", e => {
    tip.textContent = "d " + edge.target + " / d " + edge.source + " = " + edge.local;
    tip.style.display = "block";
    tip.style.left = Math.min(e.clientX + 14, innerWidth - 430) + "px";
    tip.style.top = e.clientY + 14 + "px";
  });
  g.addEventListener("mouseleave", () => { tip.style.display = "none"; });
}
function line(list, term, text) {
  const dt = document.createElement("dt"), dd = document.createElement("dd");
  dt.textContent = term; dd.textContent = text; list.append(dt, dd);
}
function show(id) {
  const node = data.nodes[id], list = document.createElement("dl"), head = document.createElement("h2");
  head.textContent = node.name;
  line(list, "formula", node.formula);
  line(list, "value" + (node.shape.length ? ", shape " + node.shape.join(" x ") : ""), node.value);
  line(list, "gradient", node.gradient);
  el("panel").replaceChildren(head, list);
  el("inner").innerHTML = data.inner[id] ? "<h2>in single operations</h2>" + data.inner[id] : "";
}
for (const id of Object.keys(data.nodes)) {
  const g = shape(id);
  if (g) g.addEventListener("click", () => { show(id); light([id], []); });
}
function light(nodes, edges) {
  graph.querySelectorAll(".lit").forEach(g => g.classList.remove("lit"));
  nodes.concat(edges).forEach(id => { const g = shape(id); if (g) g.classList.add("lit"); });
}
function dim(seen) {
  for (const id of Object.keys(data.nodes)) {
    const g = shape(id);
    if (g) g.classList.toggle("dim", seen !== null && !seen.has(id) && data.order.includes(id));
  }
}
let mode = null, place = 0;
function into(id) { return Object.keys(data.edges).filter(e => e.split("_")[1] === id.slice(1)); }
function step() {
  const order = mode === "forward" ? data.order : data.order.slice().reverse();
  place = Math.max(0, Math.min(place, order.length - 1));
  const id = order[place], node = data.nodes[id];
  dim(new Set(order.slice(0, place + 1)));
  show(id);
  const count = "Step " + (place + 1) + " of " + order.length + ": ";
  if (mode === "forward") {
    light([id], into(id));
    el("told").textContent = count + node.name + " = " + node.value + " (" + node.formula + ")";
  } else {
    light([id], node.uses.map(u => u.edge));
    let text = count + "the gradient of " + node.name + " is ";
    if (!node.uses.length) text += node.gradient + ", where the pass begins";
    else if (node.uses.length === 1) text += node.gradient + ", what " + node.uses[0].target + " passes on";
    else text += node.gradient + ", the sum of what " + node.uses.map(u => u.target).join(", ") + " pass on";
    el("told").textContent = text;
  }
}
el("forward").addEventListener("click", () => { mode = "forward"; place = 0; step(); });
el("backward").addEventListener("click", () => { mode = "backward"; place = 0; step(); });
el("next").addEventListener("click", () => { if (!mode) mode = "forward"; else place += 1; step(); });
el("back").addEventListener("click", () => { if (!mode) return; place -= 1; step(); });
el("all").addEventListener("click", () => {
  mode = null; place = 0; dim(null); light([], []); el("told").textContent = "The whole graph.";
});
</script></body></html>
"""
