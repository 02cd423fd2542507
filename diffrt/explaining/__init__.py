"""Explaining derivatives: `diffrt.explain(scene, pixel, wrt)`; graphs with names, paths, diagrams and pages."""

from diffrt.explaining.diagram import dot_of, svg_of
from diffrt.explaining.explanation import Explanation, explain
from diffrt.explaining.graph import Edge, Graph, Node, graph_of
from diffrt.explaining.html import html_of
from diffrt.explaining.passes import backward_text, forward_text
from diffrt.explaining.path import Path, Paths, count_paths, find_paths, paths, through_crossings
from diffrt.explaining.symbolic import Formula
from diffrt.explaining.symbols import NoFormula
from diffrt.explaining.totals import formula
from diffrt.explaining.trace import trace

__all__ = [
    "Edge", "Explanation", "Formula", "Graph", "NoFormula", "Node", "Path", "Paths", "backward_text", "count_paths",
    "dot_of", "explain", "find_paths", "formula", "forward_text", "graph_of", "html_of", "paths", "svg_of",
    "through_crossings", "trace",
]  # fmt: skip
