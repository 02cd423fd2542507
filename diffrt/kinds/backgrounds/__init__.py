"""Backgrounds, one file each."""
