"""Explaining derivatives: graphs with names, paths, diagrams and pages."""

from diffrt.explain.diagram import dot_of, svg_of
from diffrt.explain.graph import Edge, Graph, Node, graph_of
from diffrt.explain.html import html_of
from diffrt.explain.passes import backward_text, forward_text
from diffrt.explain.path import Path, Paths, count_paths, find_paths, paths, through_crossings
from diffrt.explain.trace import trace

__all__ = [
    "Edge", "Graph", "Node", "Path", "Paths", "backward_text", "count_paths", "dot_of", "find_paths", "forward_text",
    "graph_of", "html_of", "paths", "svg_of", "through_crossings", "trace",
]  # fmt: skip
