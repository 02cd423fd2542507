"""Lights, one file each."""

from .ambient import AmbientLight
from .directional import DirectionalLight
from .point import PointLight

__all__ = ["AmbientLight", "DirectionalLight", "PointLight"]
