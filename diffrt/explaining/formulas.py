"""Steps and local derivatives as formulas, in the names of the steps that they are made from.

A step is read from what was recorded: `named(where(lit, maximum(dot(n, l), 0), 0), "cosine")` reads max(n · l, 0). A
local derivative is read in the same way: the partial of an op is a function of its inputs (`Op.partials`), and it is
called on stand-ins that have the inputs' names. Between named steps it is the sum over the ways between them of the
products of the partials along each. So no rule of differentiation is written here a second time.

A text goes with its strength: what binds less strongly than its surroundings is put in brackets.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from diffrt.autograd.variable import Var, value_of
from diffrt.errors import printable
from diffrt.explaining.graph import Edge, Graph, Node
from diffrt.explaining.symbols import MOVES
from diffrt.explaining.wording import by, shortened, tidy, written

SUM, PRODUCT, POWER, ATOM = range(4)
LONGEST = 72
"""Characters of a formula."""
DEEPEST = 9
"""So many ops in each other are read."""
WAYS = 6
"""A local derivative between named steps is written out if no more ways lie between them."""


_KNOWN = {"pi": math.pi, "pi / 2": math.pi / 2, "2 * pi": 2 * math.pi, "1 / pi": 1 / math.pi,
          "pi / 180": math.pi / 180, "pi / 360": math.pi / 360}  # fmt: skip


class Text(NamedTuple):
    """A part of a formula, and how strongly it binds."""

    text: str
    strength: int = ATOM

    def within(self, strength: int) -> str:
        """In a place that needs this strength."""
        return self.text if self.strength >= strength else f"({self.text})"


ONE, ZERO, MORE = Text("1"), Text("0"), Text("…")


def formula_of(node: Node, single: bool = False, called: Callable[[Node], str] = attrgetter("name")) -> str:
    """How a node was made, in the names of the named steps before it; empty for a leaf.

    single: whether in the names of its op's own inputs instead, named or not. called: what a node is called.
    What would be too long names only what it is made of: "f(camera.position, camera.fov)".
    """
    if node.var is None or node.var.op is None or node.leaf:
        return ""
    before = node.inputs if single else _before(node)
    names = {x.var.serial: Text(called(x)) for x in before if x.var is not None}
    text = _shortest(lambda depth: _made(node.var, names, depth))
    if text is None:
        sources = list(dict.fromkeys(called(n) for n in _before(node)))
        alike = {source.partition(" (")[0] for source in sources}
        if len(alike) == 1 < len(sources):
            return printable(f"f(all {len(sources)} {shortened(alike.pop())})")
        more = [f"{len(sources) - 2} more"] if len(sources) > 3 else sources[2:]
        text = f"f({', '.join([*map(shortened, sources[:2]), *more])})" if sources else shortened(node.operation)
    return printable(text)


def partial_of(edge: Edge) -> str | None:
    """The local derivative of an edge as a formula; None where it is not written in one line."""
    target = edge.target
    if target.var is None:
        return None
    if edge.between is None:
        names = {x.var.serial: Text(x.name) for x in target.inputs if x.var is not None}
        names[target.var.serial] = Text(target.name) if target.given else _made(target.var, names, 3)
        ways = [[(target, edge.position)]]
    else:
        found = _ways(edge.between, target, edge.source)
        if found is None:
            return None
        ways, names = found, {n.var.serial: Text(n.name) for n in _before(target) if n.var is not None}
        if target.given:
            names = {**names, target.var.serial: Text(target.name)}
    if len(ways) == 1 and all(node.op in ("sum", *MOVES) for node, _ in ways[0]):
        return _selection(ways[0])
    picks = [_picked(way) for way in ways]
    if len(ways) > 1 and any(picks):
        return None  # each way ends at other entries
    text = _shortest(lambda depth: _added([_product(_factors(way, names, depth)) for way in ways]))
    return None if text is None else printable(text + picks[0])


def _picked(way: Sequence[tuple[Node, int]]) -> str:
    """At which entries a way begins, in words; empty for all of them."""
    for node, _ in way[::-1]:
        if node.op == "index" and node.var is not None:
            return f" at {written('[{index}]', '', (), node.var.settings or {})}, else 0"
        if node.op in ("place", "stack", "concatenate", "take", "scatter_add"):
            return " in its place, else 0"
    return ""


def _shortest(at_depth: Callable[[int], Text]) -> str | None:
    """The formula, read as deep as it must be; None if that is too long for a line."""
    with np.errstate(all="ignore"):
        text = at_depth(DEEPEST).text
    return text if len(text) <= LONGEST and MORE.text not in text else None


def _before(node: Node) -> list[Node]:
    """The named nodes and leaves that a node was made from, through nodes without a name."""
    found: dict[int, Node] = {}
    seen: set[int] = set()
    pending = list(node.inputs[::-1])
    while pending and len(seen) < 500:
        x = pending.pop()
        if x.var is None or id(x) in seen:
            continue
        seen.add(id(x))
        if x.given or x.leaf:
            found[id(x)] = x
        else:
            pending += x.inputs[::-1]
    return list(found.values())


def _ways(graph: Graph, target: Node, source: Node) -> list[list[tuple[Node, int]]] | None:
    """The ways from a named step back to one before it, each as nodes with the position of the input that is taken;
    None if there are too many."""
    done: list[list[tuple[Node, int]]] = []
    pending: list[tuple[Node, list[tuple[Node, int]]]] = [(target, [])]
    for _ in range(400):
        if not pending:
            return done
        node, way = pending.pop()
        for edge in reversed(graph.edges_to(node)):
            longer = [*way, (node, edge.position)]
            if edge.source is source:
                done.append(longer)
            elif not (edge.source.given or edge.source.leaf):
                pending.append((edge.source, longer))
        if len(done) > WAYS:
            return None
    return None


def _factors(way: Sequence[tuple[Node, int]], names: Mapping[int, Text], depth: int) -> list[Text]:
    """The partials along a way, from the target to the source."""
    factors: list[Text] = []
    summed = False
    for node, position in way:
        var = node.var
        assert var is not None and var.op is not None
        if var.op.name in ("sum", *MOVES):
            summed = summed or (var.op.name == "sum" and np.size(value_of(var.inputs[0])) > var.size)
            continue
        factor = _partial(var, position, names, depth)
        if summed and factor not in (ONE, ZERO):
            # sum(a * b) by b is a as a row.
            factor, summed = Text(f"{factor.within(ATOM)}^T", POWER), False
        factors.append(factor)
    return factors


def _partial(var: Var, position: int, names: Mapping[int, Text], depth: int) -> Text:
    """Of one op: its partial, called on stand-ins for its inputs."""
    op = var.op
    assert op is not None
    if op.name == "matmul":
        other = _read(var.inputs[1 - position], names, depth - 1)
        return Text(f"{other.within(ATOM)}^T", POWER) if position == 0 else other
    if op.name == "root":
        return Text("-(dg/dp) / (dg/ds)", PRODUCT)
    if op.partials is None:
        return MORE
    # That of a choice says which side was taken; others are read as a textbook has them.
    rule = (op.textbook if op.textbook and op.spelled is None else op.partials)[position]
    if not callable(rule):
        return ONE if rule is None else _read(rule, names, depth)
    stands: dict[int, Text] = {}

    def stand_in(x: Any, text: Text) -> Any:
        if not isinstance(x, Var) or not x.tracked:
            return x
        fresh = Var(x.value)
        stands[fresh.serial] = text
        return fresh

    # One input that stands twice, as in x * x, keeps its name twice.
    inputs = [stand_in(x, _read(x, names, depth - 1)) for x in var.inputs]
    out = names.get(var.serial) or _made(var, names, depth - 1)
    return _read(rule(stand_in(var, out), *inputs), stands, depth)


def _selection(way: Sequence[tuple[Node, int]]) -> str:
    """The derivative of what only moves and adds entries."""
    if [node.op for node, _ in way] == ["sum"]:
        return "1 for every entry that is summed"
    return f"1{_picked(way)}" if _picked(way) else "1 where an entry goes, else 0"


def _constant(value: Any) -> Text:
    array = np.asarray(value)
    if array.dtype.kind == "b":
        return Text("true" if array.all() else "false" if not array.any() else "lit")
    if array.size and (array == array.flat[0]).all():
        number = float(array.flat[0])
        for text, known in _KNOWN.items():
            if math.isclose(number, known, rel_tol=1e-14):
                return Text(text, ATOM if text == "pi" else PRODUCT)
        return Text(tidy(number), ATOM if number >= 0.0 else POWER)
    return Text(tidy(array, 3)) if array.size <= 3 else Text(f"c{by(array.shape)}")


def _read(x: Any, names: Mapping[int, Text], depth: int) -> Text:
    """What a value was computed by."""
    if not isinstance(x, Var):
        return _constant(x)
    if x.serial in names:
        return names[x.serial]
    if x.op is None:
        return Text(x.name) if x.name else _constant(x.value)
    return _made(x, names, depth) if depth > 0 else MORE


def _made(x: Any, names: Mapping[int, Text], depth: int) -> Text:
    """The op of a Var on the texts of its inputs."""
    op, settings = x.op, x.settings or {}
    if op.name == "root":
        return Text("s where g(s) = 0")
    if op.name == "sum":
        axis = settings.get("axis")
        if (dot := _dot(x, names, depth)) is not None:
            return dot
        inside = _read(x.inputs[0], names, depth - 1).text
        return Text(f"sum({inside})" if axis in (None, 0) else f"sum({inside}, axis={axis})")
    if op.name == "sqrt" and (square := _square(x.inputs[0], names, depth)) is not None:
        return Text(f"|{square.text}|")
    if op.name in ("stack", "concatenate") and len(x.inputs) > 4:
        return MORE
    if op.name == "where":
        condition = np.asarray(value_of(x.inputs[0]))
        if condition.all() or not condition.any():
            return _read(x.inputs[1 if condition.all() else 2], names, depth)
    parts = [_read(y, names, depth - 1) for y in x.inputs]
    match op.name:
        case "add":
            return _added(parts)
        case "subtract":
            return parts[0] if parts[1] == ZERO else _added([parts[0], _negative(parts[1])])
        case "multiply" | "chain":
            return _product(parts)
        case "divide":
            return _product([parts[0], _reciprocal(parts[1])])
        case "power":
            return parts[0] if parts[1] == ONE else Text(f"{parts[0].within(ATOM)}^{parts[1].within(ATOM)}", POWER)
        case "negative":
            return _negative(parts[0])
        case "exp":
            return Text(f"e^{parts[0].within(ATOM)}", POWER)
        case "matmul":
            gap = " " if all(p.text.isalnum() for p in parts) else " @ "
            gap = " · " if all(np.ndim(value_of(y)) == 1 for y in x.inputs) else gap
            return Text(gap.join(p.within(PRODUCT if k == 0 else POWER) for k, p in enumerate(parts)), PRODUCT)
        case "abs":
            return Text(f"abs({parts[0].text})" if "|" in parts[0].text else f"|{parts[0].text}|")
        case "maximum" | "minimum":
            return Text(f"{op.symbol}({parts[0].text}, {parts[1].text})")
        case "reshape" | "broadcast_to":
            return parts[0]
        case "transpose":
            return Text(f"{parts[0].within(ATOM)}^T", POWER)
        case "where":
            return Text(f"{parts[1].within(PRODUCT)} or {parts[2].within(PRODUCT)}", SUM)
        case "stack" | "concatenate":
            return Text(f"[{', '.join(p.text for p in parts)}]")
    if op.form:
        strength = SUM if " " in op.form else ATOM
        return Text(written(op.form, op.name, [p.within(ATOM) for p in parts], settings), strength)
    return Text(written("", op.name, [p.text for p in parts], settings))


def _dot(total: Var, names: Mapping[int, Text], depth: int) -> Text | None:
    """A sum of products as a dot product; None if it is another sum."""
    factors = _summed_product(total, names)
    if factors is None:
        return None
    left, right = (_read(y, names, depth - 1) for y in factors)
    if _same(*factors) and "|" not in left.text:
        return Text(f"|{left.text}|^2", POWER)
    return Text(f"{left.within(POWER)} · {right.within(POWER)}", PRODUCT)


def _square(x: Any, names: Mapping[int, Text], depth: int) -> Text | None:
    """What stands in a sum of squares."""
    if isinstance(x, Var) and x.op and x.op.name == "maximum" and x.serial not in names:
        floor = value_of(x.inputs[1])
        if isinstance(floor, float) and abs(floor) < 1e-12:
            x = x.inputs[0]  # the bound only keeps 0 out of a root
    factors = _summed_product(x, names)
    if factors is None or not _same(*factors):
        return None
    inside = _read(factors[0], names, depth - 1)
    return None if "|" in inside.text else inside  # bars in bars cannot be read


def _summed_product(x: Any, names: Mapping[int, Text]) -> tuple[Any, Any] | None:
    """The two vectors, or columns of vectors, whose products an op adds up."""
    if not isinstance(x, Var) or x.serial in names or x.op is None or x.op.name != "sum":
        return None
    product = x.inputs[0]
    axis = (x.settings or {}).get("axis")
    if not isinstance(product, Var) or product.serial in names or product.op is None or product.op.name != "multiply":
        return None
    if not product.ndim or axis not in (None, 0) or (axis is None and product.ndim > 1):
        return None
    left, right = product.inputs
    # Columns of samples may meet one column for all of them.
    shapes = np.shape(value_of(left)), np.shape(value_of(right))
    return (left, right) if len(shapes[0]) == len(shapes[1]) and shapes[0][0] == shapes[1][0] else None


def _same(x: Any, y: Any) -> bool:
    return isinstance(x, Var) and isinstance(y, Var) and x.serial == y.serial


def _negative(a: Text) -> Text:
    if a == ZERO:
        return ZERO
    if a.text.startswith("-") and a.strength > SUM:
        return Text(a.text[1:], a.strength)
    return Text(f"-{a.within(PRODUCT)}", min(PRODUCT, a.strength) if a.strength else PRODUCT)


def _reciprocal(a: Text) -> Text:
    return ONE if a == ONE else Text(f"1 / {a.within(POWER)}", PRODUCT)


def _added(terms: Sequence[Text]) -> Text:
    """Without zeros; equal terms, such as the two of x * x, are counted."""
    kept = list(dict.fromkeys(t for t in terms if t != ZERO))
    kept = [_times(sum(t == term for t in terms), term) for term in kept]
    if len(kept) < 2:
        return kept[0] if kept else ZERO
    text = kept[0].text
    for term in kept[1:]:
        negative = term.text.startswith("-") and term.strength > SUM
        text += f" - {term.text[1:]}" if negative else f" + {term.text}"
    return Text(text, SUM)


def _times(count: int, term: Text) -> Text:
    """A term so many times; a number in front of it is multiplied."""
    if count == 1:
        return term
    sign, text = (-1.0, term.text[1:]) if term.text.startswith("-") and term.strength > SUM else (1.0, term.text)
    number, space, rest = text.partition(" * ")
    if space and term.strength == PRODUCT and (known := _number(number)) is not None:
        return _product([Text(tidy(sign * known * count)), Text(rest, PRODUCT)])
    return _product([Text(str(count)), term])


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _product(factors: Sequence[Text]) -> Text:
    """The number and its sign in front, what divides below."""
    number, above, below = 1.0, [], []
    for factor in factors:
        text, strength = factor
        if text in ("0", "false"):
            return ZERO
        if text.startswith("-") and strength > SUM:
            number, text = -number, text[1:]
        front, divided, rest = text.partition(" / ")
        if divided and strength == PRODUCT and (known := _number(front)) is not None:
            number *= known
            below.append(rest)
        elif (known := _number(text)) is not None:
            number *= known
        elif text != "true":
            above.append(Text(text, strength))
    front = tidy(abs(number))
    if len(above) == 1 and not below and front == "1" and number > 0.0:
        return above[0]
    if front != "1" or not above:
        above.insert(0, Text(front))
    text = " * ".join(_powers([f.within(PRODUCT) for f in above]))
    for part in _powers(below):
        text += f" / {part}"
    strength = PRODUCT if len(above) + len(below) > 1 or number < 0.0 else ATOM
    return Text(f"-{text}" if number < 0.0 else text, strength)


def _powers(factors: Sequence[str]) -> list[str]:
    """A name or a call that comes twice running is squared."""
    found: list[str] = []
    for factor in factors:
        simple = factor.replace(".", "").isidentifier() or (factor[0] == factor[-1] == "|" and factor.count("|") == 2)
        if found and found[-1] == factor and simple:
            found[-1] = f"{factor}^2"
        else:
            found.append(factor)
    return found
