"""Lights, one file each."""
