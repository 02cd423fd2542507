"""Cameras, one file each."""
