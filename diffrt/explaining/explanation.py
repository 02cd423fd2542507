"""`diffrt.explain(scene, pixel, wrt)`: why is the derivative of a pixel what it is?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np

from diffrt.errors import InputError, listed, printable, shown
from diffrt.explaining.diagram import dot_of, picture, svg_of
from diffrt.explaining.graph import Graph, Node
from diffrt.explaining.html import html_of
from diffrt.explaining.latex import explain_latex, explain_slides
from diffrt.explaining.path import Paths, find_paths
from diffrt.explaining.symbolic import Formula
from diffrt.explaining.symbols import NoFormula
from diffrt.explaining.text import explain_text
from diffrt.explaining.totals import formula
from diffrt.explaining.trace import source_of, trace
from diffrt.files import expect_suffix, write_whole
from diffrt.scene import Scene
from diffrt.scene.parameters import is_pattern, matching
from diffrt.scene.scene import expect_scene
from diffrt.types import Array, Channel, Edges

MOST_PATHS = 1000


@dataclass(frozen=True, repr=False)
class Explanation:
    """The derivative of a pixel by a parameter: its steps, and the paths that it is the sum of. Printing it gives text.

    wrt: the parameter. pixel: x and y. whole: the graph of the pixel, every operation. steps: the graph that is
    explained, of named steps or of all operations. source: the node of the parameter in it. entry: which number of the
    source is meant, None for all. most: how many paths are listed.
    """

    wrt: str
    pixel: tuple[int, int]
    whole: Graph
    steps: Graph
    source: Node
    entry: int | None
    most: int

    @cached_property
    def graph(self) -> Graph:
        """What lies between the parameter and the pixel. In a notebook it shows itself as a diagram."""
        return self.steps.restricted([self.source])

    @cached_property
    def paths(self) -> Paths:
        """The largest paths from the parameter to the pixel; of a vector the products are rows, (1, 3)."""
        entry = 0 if self.entry is None and self.source.size == 1 else self.entry
        return find_paths(self.graph, self.source, entry, self.most)

    @property
    def value(self) -> float:
        """Of the pixel, in its channel."""
        return float(np.asarray(self.whole.output.value))

    @property
    def derivative(self) -> float | Array:
        """Of the pixel by the parameter: a number, or (3,) for a vector."""
        found = self.paths.derivative.ravel()
        return float(found[0]) if found.size == 1 else found

    def formula(self, entry: int | None = None, plugged_in: bool = False) -> Formula:
        """The derivative in symbols.

        entry: of a vector, 0 to 2, if not one number of it is explained. plugged_in: whether down to the parameters;
        else in the words of the named steps. Raises NoFormula where there is none, such as through an edge of the
        image.
        """
        keep = () if plugged_in else [n.name for n in self.steps.nodes if n.given]
        return formula(self.whole, self.source, self.entry if entry is None else entry, keep=keep)

    @property
    def derivation(self) -> str:
        """The derivative in symbols, for each number of the parameter: from the chain rule in the words of the named
        steps to the formula. Raises InputError where there is none."""
        try:
            found = [self.formula(k) for k in (range(self.source.size) if self.entry is None else [self.entry])]
        except NoFormula as why:
            raise InputError(f"{self.title}: {why}") from None
        return "\n\n".join(f"{each.name}\n{each.derivation}" for each in found)

    @property
    def title(self) -> str:
        """What is explained, in a line."""
        return f"{self.steps.output.name} at {self.pixel[0]},{self.pixel[1]} by {self.wrt}"

    @cached_property
    def text(self) -> str:
        """For a terminal: the steps, the paths, and what moving edges adds."""
        return explain_text(self.steps, self.source, self.entry, self.most, self.whole)

    def latex(self) -> str:
        """A whole document; needs amsmath, array, geometry, graphicx and longtable."""
        return explain_latex(self.steps, self.source, self.entry, self.most, self.whole)

    def beamer(self) -> str:
        """Slides in LaTeX: the steps, a frame for each arrow as the backward pass goes, the paths and their sum."""
        return explain_slides(self.steps, self.source, self.entry, self.most, self.whole)

    def dot(self) -> str:
        """The diagram in the DOT language."""
        return dot_of(self.graph, [self.source])

    def svg(self) -> str:
        """The diagram as a picture. Raises InputError where pygraphviz is not installed."""
        return svg_of(self.dot()).decode()

    def html(self) -> str:
        """A page on which the passes are gone through step by step. Raises InputError where pygraphviz is missing."""
        whole = None if self.steps is self.whole else self.whole
        return html_of(self.graph, self.title, whole, [self.source], self.text)

    def save(self, path: str | Path) -> None:
        """Write the explanation to a file, entirely or not at all.

        path: ends in .txt, .tex, .html, .svg or .dot. Raises InputError for another suffix, and as those forms do.
        """
        forms: dict[str, Callable[[], str]] = {
            ".txt": lambda: self.text + "\n", ".tex": self.latex, ".html": self.html, ".svg": self.svg,
            ".dot": self.dot,
        }  # fmt: skip
        write_whole(path, forms[expect_suffix(path, list(forms))]().encode())

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Explanation of {printable(self.title)}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the diagram, where Graphviz is installed and it is small, and the text."""
        drawn = picture(self.graph) or ""
        return f"{drawn[drawn.find('<svg') :] if drawn else ''}<pre>{escape(self.text)}</pre>"


def explain(
    scene: Scene,
    pixel: Sequence[int],
    wrt: str,
    *,
    channel: Channel = "luminance",
    cells: int = 1,
    edges: Edges = "exact",
    paths: int = 10,
    operations: bool = False,
) -> Explanation:
    """Explain the derivative of a pixel by a parameter: its steps, and the paths that it is the sum of.

        why = diffrt.explain(scene, (2, 0), "ball.center.x", channel="r")
        print(why)
        why.save("why.html")

    pixel: x and y, from the top left, from 0.
    wrt: the parameter, such as "lamp.position", or one number of it, such as "lamp.position.x".
    channel: "r", "g", "b" or "luminance".
    cells, edges: as for `render`.
    paths: how many are listed, 1 to 1000.
    operations: whether every operation is a step, not only those that have a name.

    Returns an Explanation. Raises InputError for a pixel outside the image, or one that depends on nothing; for an
    unknown parameter, or one without influence on this pixel; and for settings that are not allowed.
    """
    expect_scene(scene, "explain")
    if isinstance(paths, bool) or not isinstance(paths, int | np.integer) or not 1 <= paths <= MOST_PATHS:
        raise InputError(f"paths: found {shown(paths)}, allowed: a whole number from 1 to {MOST_PATHS}")
    if is_pattern(wrt):
        meant = matching(wrt, scene.parameters())
        if len(meant) > 1:
            raise InputError(f"wrt: {shown(wrt)} matches {listed(meant)}; needed: one of them")
        (wrt,) = meant
    scene.parameter(wrt)  # a name that is wrong is told before the work
    scene = Scene.of(scene.document)  # without Vars: the graph has variables of its own
    whole = trace(scene, pixel, channel, cells, edges)
    steps = whole if operations else whole.steps()
    source, entry = source_of(steps, scene, wrt)
    return Explanation(wrt, (int(pixel[0]), int(pixel[1])), whole, steps, source, entry, int(paths))
