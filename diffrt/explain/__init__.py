"""Explaining derivatives: graphs with names, paths, diagrams, and marking what was derived by hand."""

from diffrt.explain.derivation import Derivation, Domain, Marked, check_gradient, verify
from diffrt.explain.graph import Edge, Graph, Node, graph_of
from diffrt.explain.paths import Path, Paths, count_paths, find_paths, through_crossings
from diffrt.explain.reading import load_derivation
from diffrt.explain.trace import trace

__all__ = [
    "Derivation", "Domain", "Edge", "Graph", "Marked", "Node", "Path", "Paths", "check_gradient", "count_paths",
    "find_paths", "graph_of", "load_derivation", "through_crossings", "trace", "verify",
]  # fmt: skip
