"""Cameras, one file each."""

from .orthographic import Orthographic
from .perspective import Perspective

__all__ = ["Orthographic", "Perspective"]
