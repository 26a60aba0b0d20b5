"""Layers that are not held whole: written and read a few tiles at a time."""
