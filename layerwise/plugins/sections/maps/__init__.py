"""The section with maps: layers, and the stimuli of each layer, as points on a plane."""
