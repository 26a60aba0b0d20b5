"""Sections on layers: the layer x layer matrix, sparseness, dimension, weights."""
