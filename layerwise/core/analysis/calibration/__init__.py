"""Scores between what permuted stimuli give and perfect agreement, for single pairs and for the best of many."""
