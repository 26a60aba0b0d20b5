"""Sections on several models, and on one model shown several stimulus sets."""
