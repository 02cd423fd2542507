"""Textures, one file each."""
