"""From a recorded program to the text of LLVM's language, with explicit vectors.

One function is written for one program. It goes through *pieces*, runs of samples that have the same row, so that
what comes from rows is computed once per piece; and in a piece through vectors of samples. The last vector of a piece
reaches back, or beyond the piece: it computes some neighbours too, whose results are not stored and not added up.

    for each piece:                     start, stop and row of a run of samples
        compute what depends on the row
        for each vector of samples:
            compute; store what is per sample; add up in registers what is per row or for all
        store the sums of the piece

Nothing is reordered: without `contract` every number is the one that numpy would compute.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from diffrt.compiler.lanes import Body, Text, definition
from diffrt.compiler.program import (
    ROW,
    SAMPLE,
    TABLE_FIELD,
    UNIFORM,
    Choice,
    Loop,
    Node,
    Recorder,
    Scope,
)

NAME = "kernel"


@dataclass(frozen=True)
class CodegenOptions:
    """How a program is written.

    real: "double" or "float". width: lanes of a vector. contract: whether a product and a sum may be rounded once,
    and a division be a multiplication by the inverse. exact: whether zero wins in products of the chain rule
    everywhere; without, the sums of a piece hold a nan where it would have mattered. well: how many characters a text
    may have to be compiled well, which takes three times as long; the code then takes half as long.
    """

    real: str = "double"
    width: int = 4
    contract: bool = False
    exact: bool = False
    well: float = 0


def write(recorder: Recorder, kinds: Sequence[str], results: Sequence[Sequence[Node]], options: CodegenOptions) -> str:
    """The text of a module with one function, `kernel`.

    kinds: of the results: SAMPLE is stored for each sample, the others are added up. results: the components of each.
    The function gets pointers to: the pointers to the inputs, those to the results of kind SAMPLE, the sums
    (pieces, components + 1) whose last column is 1 where there is a nan, the pieces (start, stop, row), the numbers of
    rows (of the ids, and of each table); and the first piece, the last, and the number of samples.
    Raises NoMachineCode.
    """
    return _Writer(recorder, options).module(kinds, results)


class _Writer(Body):
    def __init__(self, recorder: Recorder, options: CodegenOptions) -> None:
        super().__init__(options.width, "entry")
        self.recorder, self.options = recorder, options
        self.bases: dict[int, str] = {}
        self.at_row: dict[Scope, tuple[str, str]] = {}
        real, width = options.real, options.width
        self.vector, self.mask = f"<{width} x {real}>", f"<{width} x i1>"
        self.suffix = f"v{width}f{64 if real == 'double' else 32}"
        self.size = 8 if real == "double" else 4
        self.vectors, self.numbers = (Text(self, real, v, options.contract, options.exact) for v in (True, False))
        self.homes: dict[Node, tuple[Loop, int]] = {
            c: (loop, i) for loop in recorder.loops for i, c in enumerate(loop.carried)
        }
        # In a branch, what stands for a number from outside is another name for it, which may be one of these itself.
        self.aliases: dict[Node, Node] = {
            c: g
            for choice in recorder.choices
            for own in choice.carried
            for c, g in zip(own, choice.given, strict=True)
        }
        for node, behind in self.aliases.items():
            while behind in self.aliases:
                behind = self.aliases[behind]
            self.aliases[node] = behind
        self.branches: dict[Scope, tuple[Choice, int]] = {
            scope: (choice, k) for choice in recorder.choices for k, scope in enumerate(choice.scopes)
        }
        self.names: dict[Node, str] = {}
        self.splats: dict[Node, str] = {}
        self.sinks: dict[Node, str] = {}

    # Numbers.
    def type(self, node: Node, vector: bool) -> str:
        if node.boolean:
            return self.mask if vector else "i1"
        return self.vector if vector else self.options.real

    def of(self, node: Node, vector: bool) -> str:
        """The name of a node's value, as one number or as a vector."""
        node = self.aliases.get(node, node)
        if node.op == "constant" and node not in self.names:
            kind = self.type(node, False)
            self.names[node] = self.numbers.known(node.setting, kind).name
            self.splats[node] = self.vectors.known(node.setting, kind).name
        return self.names[node] if node.varies or not vector else self.splats[node]

    def source(self, node: Node) -> Node:
        """The node that another one is only a name for."""
        return self.aliases.get(node, node)

    def spread(self, node: Node) -> None:
        """Make a vector of what is the same in all lanes."""
        self.splats[node] = self.wide(self.type(node, False), self.names[node])

    # The module.
    def module(self, kinds: Sequence[str], results: Sequence[Sequence[Node]]) -> str:
        self.live, self.regions = self._live([node for nodes in results for node in nodes])
        self.order: list[Node] = sorted(self.live, key=attrgetter("number"))
        every: list[Node | Loop | Choice] = [*self.regions]
        every += [n for n in self.order if n.op not in ("constant", "carried", "result")]
        self.items: dict[Scope, list[Node | Loop | Choice]] = {}
        for item in sorted(every, key=attrgetter("number")):
            self.items.setdefault(item.scope if isinstance(item, Node) else item.home, []).append(item)
        self.spreads = self._spreads(results)
        self.exports = self._exports()
        self.start("entry")
        self.body(kinds, results)
        head = (
            f"define void @{NAME}(ptr noalias %inputs, ptr noalias %outputs, ptr noalias %sums, ptr noalias %pieces, "
            "ptr noalias %counts, i64 %first, i64 %last, i64 %samples) nounwind {"
        )
        parts = [head, *self.lines, "}"]
        for name, real, count in self.functions:  # which grows, as an op may be written with others
            parts.append(definition(name, real, count, self))
        return "\n".join([*parts, *sorted(self.declared), ""])

    def _around(self, scope: Scope | None) -> Iterator[Choice]:
        """The choices in whose branches a scope lies."""
        while scope is not None:
            if scope in self.branches:
                yield self.branches[scope][0]
            scope = scope.parent

    def _live(self, roots: list[Node]) -> tuple[set[Node], dict[Loop | Choice, list[Node]]]:
        """The nodes that the results need, and the loops and choices that these are in, or come out of or are carried
        by: then with these nodes."""
        live: set[Node] = set()
        scopes: set[Scope] = set()
        regions: dict[Loop | Choice, list[Node]] = {}
        pending = list(roots)
        while pending:
            node = pending.pop()
            node = self.aliases.get(node, node)
            if node in live:
                continue
            live.add(node)
            pending += node.operands
            if node.scope not in scopes:
                scopes.add(node.scope)
                for choice in self._around(node.scope):
                    regions.setdefault(choice, [])
                    pending.append(choice.kind)
            if node.op not in ("result", "carried"):
                continue
            region, i = node.setting if node.op == "result" else self.homes[node]
            regions.setdefault(region, []).append(node)
            if isinstance(region, Choice):
                pending += [region.kind, *(after[i] for after in region.after)]
                continue
            pending += [region.carried[i], region.after[i], region.given[i]]
            if region.kind == "while":
                pending += [region.carried[0], region.after[0], region.given[0]]
            pending += [n for n in (region.mask, region.need, region.following) if n is not None]
        return live, regions

    def _spreads(self, results: Sequence[Sequence[Node]]) -> set[Node]:
        """The nodes that do not vary and are wanted as vectors."""
        wanted = {n for nodes in results for n in nodes}
        for node in self.live:
            if node.varies:
                wanted.update([n for n in node.operands if not n.varies])
        for region, nodes in self.regions.items():
            if isinstance(region, Loop):
                wanted.update([*region.given, *region.after])
                wanted.update(n for n in (region.mask, region.need) if n is not None)
            elif nodes:
                wanted.update(n for after in region.after for n in after)
        wanted = {self.source(n) for n in wanted}
        return {n for n in wanted if not n.varies and n.op != "constant" and n in self.live}

    def _exports(self) -> dict[tuple[Choice, int], list[Node]]:
        """The nodes of each branch that are used after it, in later branches of the same kind."""
        found: dict[tuple[Choice, int], set[Node]] = {}

        def use(node: Node, scope: Scope) -> None:
            node = self.source(node)
            at = node.scope
            while not at.holds(scope):
                branch = self.branches[at]
                found.setdefault(branch, set()).add(node)
                at = branch[0].home

        for node in self.order:
            for operand in node.operands:
                if operand.scope is not node.scope:
                    use(operand, node.scope)
        for region, nodes in self.regions.items():
            if isinstance(region, Loop):
                for scope, used in (
                    (region.home, [*region.given, region.mask]),
                    (region.scope, [*region.after, region.need, region.following]),
                ):
                    for each in used:
                        if each is not None and self.source(each) in self.live:
                            use(each, scope)
                continue
            for node in nodes:
                for scope, after in zip(region.scopes, region.after, strict=True):
                    use(after[node.setting[1]], scope)
        return {branch: sorted(nodes, key=attrgetter("number")) for branch, nodes in found.items()}

    def _sinks(self, summed: Sequence[Node]) -> set[Node]:
        """The results of choices that are only added up: a branch adds its own, and the others add nothing."""
        found = {n for n in summed if n.op == "result" and isinstance(n.setting[0], Choice)
                 and n.setting[0].home is self.recorder.sample}  # fmt: skip
        found -= {n for n in summed if summed.count(n) > 1}
        for node in self.live if found else ():
            found.difference_update(map(self.source, node.operands))
        for region in self.regions:
            used = [*region.given, *region.after] if isinstance(region, Loop) else [n for a in region.after for n in a]
            found.difference_update(map(self.source, used))
        return found

    def body(self, kinds: Sequence[str], results: Sequence[Sequence[Node]]) -> None:
        width, vector, mask, real = self.options.width, self.vector, self.mask, self.options.real
        summed = [n for kind, nodes in zip(kinds, results, strict=True) if kind != SAMPLE for n in nodes]
        stored = [nodes for kind, nodes in zip(kinds, results, strict=True) if kind == SAMPLE]
        outputs = [self.value(f"load ptr, ptr {self.at('ptr', '%outputs', str(i))}") for i in range(len(stored))]
        self.samples_less = self.value(f"sub i64 %samples, {width}")
        self.rows = self.value("load i64, ptr %counts")
        for node in self.order:
            if node.op != "input":
                continue
            place = node.setting[1]
            if place not in self.bases:
                self.bases[place] = self.value(f"load ptr, ptr {self.at('ptr', '%inputs', str(place))}")
        sinks = self._sinks(summed)
        for node in summed:
            if node in sinks:
                self.sinks[node] = self.value(f"alloca {vector}, align {self.size * width}")
        self.scope(self.recorder.call)
        before = self.block
        self.line("br label %piece")
        self.start("piece")
        self.line(f"%p = phi i64 [ %first, %{before} ], [ %p.next, %stored ]")
        self.line("%p.more = icmp slt i64 %p, %last")
        self.line("br i1 %p.more, label %begin, label %exit")
        self.start("begin")
        place = self.value("mul i64 %p, 3")
        begin, stop, row = (
            self.value(f"load i64, ptr {self.at('i64', '%pieces', self.value(f'add i64 {place}, {k}'))}")
            for k in range(3)
        )
        self.row = row
        for slot in self.sinks.values():
            self.line(f"store {vector} zeroinitializer, ptr {slot}, align {self.size * width}")
        self.scope(self.recorder.run)
        before = self.block
        self.line("br label %sample")
        self.start("sample")
        self.line(f"%i = phi i64 [ {begin}, %{before} ], [ %i.next, %latch ]")
        phis = len(self.lines)
        in_registers = [n for n in summed if n not in self.sinks]
        names = {n: f"%sum{k}" for k, n in enumerate(in_registers)}
        self.line(f"%i.more = icmp slt i64 %i, {stop}")
        self.line("br i1 %i.more, label %compute, label %done")
        self.start("compute")
        # The vector must end within the samples.
        over = self.value(f"icmp sgt i64 %i, {self.samples_less}")
        self.first = self.value(f"select i1 {over}, i64 {self.samples_less}, i64 %i")
        ends = self.value(f"add i64 {self.first}, {width}")
        whole = self.value(f"icmp sle i64 {ends}, {stop}")
        self.line(f"%whole = and i1 {whole}, {self.value(f'xor i1 {over}, true')}")
        ascending = f"<{', '.join(f'i64 {k}' for k in range(width))}>"
        lane = self.value(f"add <{width} x i64> {self.wide('i64', self.first)}, {ascending}")
        early = self.value(f"icmp sge <{width} x i64> {lane}, {self.wide('i64', '%i')}")
        late = self.value(f"icmp slt <{width} x i64> {lane}, {self.wide('i64', stop)}")
        self.valid = valid = self.value(f"and {mask} {early}, {late}")
        self.scope(self.recorder.sample)
        after = []
        for node, name in names.items():
            part = self.value(f"select {mask} {valid}, {vector} {self.of(node, True)}, {vector} zeroinitializer")
            after.append(self.value(f"fadd {vector} {name}, {part}"))
        nan = self.value(f"or {mask} %nan, zeroinitializer")
        flat = [(base, c, n) for base, nodes in zip(outputs, stored, strict=True) for c, n in enumerate(nodes)]
        if self.fast_chains():
            for _, _, node in flat:
                bad = self.value(f"fcmp uno {vector} {self.of(node, True)}, {self.of(node, True)}")
                nan = self.value(f"or {mask} {nan}, {self.value(f'and {mask} {bad}, {valid}')}")
        self.line("br i1 %whole, label %store, label %store.some")
        for label in ("store", "store.some"):
            self.start(label)
            for base, c, node in flat:
                place = self.value(f"add i64 {self.first}, {self.value(f'mul i64 %samples, {c}')}")
                to = self.at(real, base, place)
                if label == "store":
                    self.line(f"store {vector} {self.of(node, True)}, ptr {to}, align {self.size}")
                else:
                    call = self.intrinsic(f"llvm.masked.store.{self.suffix}.p0", "void", vector, "ptr", "i32", mask)
                    self.line(f"{call}({vector} {self.of(node, True)}, ptr {to}, i32 {self.size}, {mask} {valid})")
            self.line("br label %latch")
        self.start("latch")
        self.line(f"%i.next = add i64 {self.first}, {width}")
        self.line("br label %sample")
        self.lines[phis:phis] = [
            f"  {name} = phi {vector} [ zeroinitializer, %{before} ], [ {a}, %latch ]"
            for name, a in zip(names.values(), after, strict=True)
        ] + [f"  %nan = phi {mask} [ zeroinitializer, %{before} ], [ {nan}, %latch ]"]
        self.start("done")
        base = self.value(f"mul i64 %p, {len(summed) + 1}")
        flag = self.any("%nan")
        for k, node in enumerate(summed):
            name = names.get(node) or self.value(f"load {vector}, ptr {self.sinks[node]}, align {self.size * width}")
            parts = [self.value(f"extractelement {vector} {name}, i64 {j}") for j in range(width)]
            while len(parts) > 1:  # pairs, in a fixed order
                parts = [self.value(f"fadd {real} {a}, {b}") for a, b in zip(parts[::2], parts[1::2], strict=True)]
            to = self.at(real, "%sums", self.value(f"add i64 {base}, {k}"))
            self.line(f"store {real} {parts[0]}, ptr {to}")
            if self.fast_chains():
                flag = self.value(f"or i1 {flag}, {self.value(f'fcmp uno {real} {parts[0]}, {parts[0]}')}")
        to = self.at(real, "%sums", self.value(f"add i64 {base}, {len(summed)}"))
        self.line(f"store {real} {self.value(f'select i1 {flag}, {real} 1.0, {real} 0.0')}, ptr {to}")
        self.line("br label %stored")
        self.start("stored")
        self.line("%p.next = add i64 %p, 1")
        self.line("br label %piece")
        self.start("exit")
        self.line("ret void")

    def fast_chains(self) -> bool:
        """Whether a nan may stand where zero should have won."""
        return not self.options.exact and any(n.op == "chain" for n in self.live)

    def at(self, kind: str, base: str, place: str) -> str:
        return self.value(f"getelementptr {kind}, ptr {base}, i64 {place}")

    # Scopes.
    def scope(self, scope: Scope) -> None:
        for item in self.items.get(scope, ()):
            if isinstance(item, Node):
                self.names[item] = self.input(item) if item.op == "input" else self.operation(item)
                if item in self.spreads:
                    self.spread(item)
            elif isinstance(item, Loop):
                self.loop(item)
            else:
                self.choice(item)

    def input(self, node: Node) -> str:
        kind, place, component = node.setting
        base, real = self.bases[place], self.options.real
        if kind == UNIFORM:
            return self.value(f"load {real}, ptr {self.at(real, base, str(component))}")
        if kind == ROW:
            column = self.value(f"add i64 {self.row}, {self.value(f'mul i64 {self.rows}, {component}')}")
            return self.value(f"load {real}, ptr {self.at(real, base, column)}")
        if kind == TABLE_FIELD:
            rows, k = self.at_row[node.scope]
            column = self.value(f"add i64 {k}, {self.value(f'mul i64 {rows}, {component}')}")
            return self.value(f"load {real}, ptr {self.at(real, base, column)}")
        column = self.value(f"add i64 {self.first}, {self.value(f'mul i64 %samples, {component}')}")
        return self.value(f"load {self.vector}, ptr {self.at(real, base, column)}, align {self.size}")

    def operation(self, node: Node) -> str:
        """What the row of the op table says. The condition of a choice may be the same for all lanes."""
        text = self.vectors if node.varies else self.numbers
        kinds = tuple([(n.boolean, n.op == "constant") for n in node.operands])
        return text.result(node.op, kinds, [self.of(n, node.varies) for n in node.operands])

    def loop(self, loop: Loop) -> None:
        wanted = [i for i, c in enumerate(loop.carried) if c in self.live]
        begin = {i: self.of(loop.given[i], True) for i in wanted}
        before = self.block
        head, inside, done = (self.label(x) for x in ("head", "body", "done"))
        if loop.kind == "cond":
            assert loop.mask is not None
            some = self.any(self.of(loop.mask, True))
            self.line(f"br i1 {some}, label %{inside}, label %{done}")
            for i in wanted:
                self.names[loop.carried[i]] = begin[i]
            self.start(inside)
            self.scope(loop.scope)
            after = {i: self.of(loop.after[i], True) for i in wanted}
            end = self.block
            self.line(f"br label %{done}")
            self.start(done)
            for i in wanted:
                kind = self.type(loop.carried[i], True)
                self.names[loop.results[i]] = self.value(
                    f"phi {kind} [ {begin[i]}, %{before} ], [ {after[i]}, %{end} ]"
                )
            return
        rows = ""
        if loop.kind == "scan":
            rows = self.value(f"load i64, ptr {self.at('i64', '%counts', str(loop.table + 1))}")
        self.line(f"br label %{head}")
        self.start(head)
        phis = len(self.lines)
        turn = f"%{self.label('turn')}"
        for i in wanted:
            self.names[loop.carried[i]] = f"%{self.label('carried')}"
        more = self.value(f"icmp slt i64 {turn}, {rows or loop.count}")
        if loop.kind == "while":
            more = self.value(f"and i1 {more}, {self.any(self.names[loop.carried[0]])}")
        self.line(f"br i1 {more}, label %{inside}, label %{done}")
        self.start(inside)
        self.at_row[loop.scope] = rows, turn
        self.scope(loop.scope)
        following = self.value(f"add i64 {turn}, 1")
        if loop.need is not None and loop.following is not None:
            needed = self.any(self.of(loop.need, True))
            further = self.value(f"fptosi {self.options.real} {self.of(loop.following, False)} to i64")
            following = self.value(f"select i1 {needed}, i64 {following}, i64 {further}")
        after = {i: self.of(loop.after[i], True) for i in wanted}
        end = self.block
        self.line(f"br label %{head}")
        lines = [f"  {turn} = phi i64 [ 0, %{before} ], [ {following}, %{end} ]"]
        for i in wanted:
            kind, name = self.type(loop.carried[i], True), self.names[loop.carried[i]]
            lines.append(f"  {name} = phi {kind} [ {begin[i]}, %{before} ], [ {after[i]}, %{end} ]")
        self.lines[phis:phis] = lines
        self.start(done)
        for i in wanted:
            self.names[loop.results[i]] = self.names[loop.carried[i]]

    def choice(self, choice: Choice) -> None:
        wanted = [i for i, r in enumerate(choice.results) if r in self.live]
        kind = self.value(f"fptosi {self.options.real} {self.of(choice.kind, False)} to i32")
        labels = [self.label("branch") for _ in choice.scopes]
        done = self.label("done")
        cases = " ".join(f"i32 {k}, label %{label}" for k, label in enumerate(labels) if k)
        self.line(f"switch i32 {kind}, label %{labels[0]} [ {cases} ]")
        ends: list[list[str]] = [[] for _ in wanted]
        blocks = []
        for label, scope, after in zip(labels, choice.scopes, choice.after, strict=True):
            self.start(label)
            self.scope(scope)
            blocks.append(self.block)
            for k, i in enumerate(wanted):
                slot = self.sinks.get(choice.results[i])
                if slot is None:
                    ends[k].append(f"[ {self.of(after[i], True)}, %{self.block} ]")
                elif after[i].constant != 0.0:
                    self.sink(slot, self.of(after[i], True))
            self.line(f"br label %{done}")
        self.start(done)
        for k, i in enumerate(wanted):
            result = choice.results[i]
            if result not in self.sinks:
                self.names[result] = self.value(f"phi {self.type(result, True)} {', '.join(ends[k])}")
        for k in range(len(labels)):
            for node in self.exports.get((choice, k), ()):
                names = [self.names[node] if j == k else "poison" for j in range(len(labels))]
                parts = ", ".join(f"[ {name}, %{block} ]" for name, block in zip(names, blocks, strict=True))
                self.names[node] = self.value(f"phi {self.type(node, node.varies)} {parts}")

    def sink(self, slot: str, value: str) -> None:
        """Add to a sum that is kept in memory."""
        align = f"align {self.size * self.options.width}"
        part = self.value(f"select {self.mask} {self.valid}, {self.vector} {value}, {self.vector} zeroinitializer")
        old = self.value(f"load {self.vector}, ptr {slot}, {align}")
        total = self.value(f"fadd {self.vector} {old}, {part}")
        self.line(f"store {self.vector} {total}, ptr {slot}, {align}")
