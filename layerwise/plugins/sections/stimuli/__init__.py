"""Sections on single stimuli: matrices of stimulus pairs, the explorer of pairs, the gallery of predictions."""
