"""Cameras, one file each."""

from .orthographic import OrthographicCamera
from .perspective import PerspectiveCamera

__all__ = ["OrthographicCamera", "PerspectiveCamera"]
