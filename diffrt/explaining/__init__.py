"""Explaining derivatives: `diffrt.explain(scene, pixel, wrt)`; graphs with names, diagrams, figures, pages."""

from diffrt.explaining.diagram import dot_of, svg_of
from diffrt.explaining.drawing import Figure, figure_of
from diffrt.explaining.explanation import Explanation, explain
from diffrt.explaining.frames import Frames, figures_of_backward, figures_of_paths, panels
from diffrt.explaining.graph import Edge, Graph, Node, graph_of
from diffrt.explaining.html import html_of
from diffrt.explaining.passes import backward_text, forward_text
from diffrt.explaining.path import Path, Paths, count_paths, find_paths, paths, through_crossings
from diffrt.explaining.sheet import sheet_of
from diffrt.explaining.symbolic import Formula
from diffrt.explaining.symbols import NoFormula
from diffrt.explaining.totals import formula
from diffrt.explaining.trace import trace

__all__ = [
    "Edge", "Explanation", "Figure", "Formula", "Frames", "Graph", "NoFormula", "Node", "Path", "Paths",
    "backward_text", "count_paths", "dot_of", "explain", "figure_of", "figures_of_backward", "figures_of_paths",
    "find_paths", "formula", "forward_text", "graph_of", "html_of", "panels", "paths", "sheet_of", "svg_of",
    "through_crossings", "trace",
]  # fmt: skip
