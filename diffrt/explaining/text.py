"""A derivative explained for a terminal: the steps, the paths, what moving edges adds."""

from diffrt.errors import printable
from diffrt.explaining.graph import Graph, Node
from diffrt.explaining.totals import derivatives_of
from diffrt.explaining.wording import counted, tidy


def explain_text(graph: Graph, source: Node, entry: int | None, most: int = 10, whole: Graph | None = None) -> str:
    """The derivative of a graph's output, a number, by a leaf or one entry of it. The arguments are as for
    `derivatives_of`."""
    used, found = derivatives_of(graph, source, entry, most, whole)
    lines = [f"{graph.output.name} = {tidy(graph.output.value, 6)}", "", "steps"]
    width = max(len(n.name) for n in used.nodes)
    for node in used.nodes:
        made = list(dict.fromkeys(e.source.name for e in used.edges_to(node)))
        if len(made) > 4:
            made = [*made[:3], f"{len(made) - 3} more"]
        told = f"from {', '.join(made)}" if made else "is given"
        lines.append(f"  {node.name:<{width}}  {tidy(node.value)}  {told}")
    for derivative in found:
        paths = derivative.paths
        lines += ["", f"d {graph.output.name} / d {derivative.name} = {tidy(derivative.value, 6)}"]
        if derivative.formula is not None:
            lines.append(f"  = {derivative.formula.text}")
        if derivative.moving is not None:
            still, moving = (tidy(part, 6) for part in derivative.moving)
            lines.append(f"  with the edges of the image held still {still}, from moving them {moving}")
        told = f", {counted(paths.nothing)} of them through a derivative of 0" if paths.nothing else ""
        more = "" if paths.complete else f"{';' if told else ','} the {len(paths.listed)} largest:"
        lines.append(f"  {counted(paths.total)} path{'s' * (paths.total != 1)}{told}{more}")
        for path in paths.listed:
            mark = "  (moves an edge)" if path.moves_an_edge else ""
            lines.append(f"  {tidy(path.value, 6):>12}  {' > '.join(n.name for n in path.nodes)}{mark}")
            if all(e.local.size == 1 for e in path.edges):
                lines.append(" " * 16 + " * ".join(tidy(e.local.item()) for e in path.edges))
        total = sum(path.value for path in paths.listed)
        lines.append(f"  {tidy(total, 6):>12}  their sum")
        if not paths.complete:
            lines.append(f"  {tidy(paths.rest.item(), 6):>12}  in the paths that are not listed")
    return "\n".join(map(printable, lines))
