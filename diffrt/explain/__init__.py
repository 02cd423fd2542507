"""Explaining derivatives: graphs with names, paths, diagrams, and marking what was derived by hand."""

from diffrt.explain.definitions import Domain
from diffrt.explain.derivation import Derivation
from diffrt.explain.diagram import dot_of, svg_of
from diffrt.explain.functions import check_gradient, verify
from diffrt.explain.graph import Edge, Graph, Node, graph_of
from diffrt.explain.html import html_of
from diffrt.explain.marks import Marked
from diffrt.explain.passes import backward_text, forward_text
from diffrt.explain.path import Path, Paths, count_paths, find_paths, paths, through_crossings
from diffrt.explain.reading import load_derivation
from diffrt.explain.trace import trace

__all__ = [
    "Derivation", "Domain", "Edge", "Graph", "Marked", "Node", "Path", "Paths", "backward_text", "check_gradient",
    "count_paths", "dot_of", "find_paths", "forward_text", "graph_of", "html_of", "load_derivation", "paths", "svg_of",
    "through_crossings", "trace", "verify",
]  # fmt: skip
