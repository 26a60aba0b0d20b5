"""`layerwise plugins new`: a complete project for a plugin, whose tests pass before a line of it is changed."""
