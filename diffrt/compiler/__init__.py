"""Kernels: one function over millions of samples, as a single op of the autograd core."""

from .kernel import kernel

__all__ = ["kernel"]
