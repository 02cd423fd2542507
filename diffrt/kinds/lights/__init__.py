"""Lights, one file each."""

from .ambient import AmbientLight
from .directional import DirectionalLight
from .point import PointLight
from .spot import SpotLight

__all__ = ["AmbientLight", "DirectionalLight", "PointLight", "SpotLight"]
