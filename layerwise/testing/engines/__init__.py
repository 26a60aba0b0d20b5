"""Checks of engines, and of the arrays of a device."""
