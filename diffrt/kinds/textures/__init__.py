"""Textures, one file each."""

from .bitmap import Bitmap
from .checkerboard import Checkerboard

__all__ = ["Bitmap", "Checkerboard"]
