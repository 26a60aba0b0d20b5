"""Variants of a network that share what lies before them: where each begins, and how it goes on from there."""
