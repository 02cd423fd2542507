"""Backgrounds, one file each."""

from .constant import ConstantBackground
from .gradient import GradientBackground

__all__ = ["ConstantBackground", "GradientBackground"]
