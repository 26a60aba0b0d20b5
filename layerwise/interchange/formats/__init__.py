"""One module for each file format: how matrices and activations are read from it and written to it."""
