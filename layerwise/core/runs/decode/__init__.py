"""Decoding stimuli: collecting them in parallel, and those that are no pictures."""
