"""Matrices of all pairs of stimuli: forms they are kept in, and how they are read a few rows at a time."""
