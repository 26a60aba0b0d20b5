"""What a network is, what it is shown, and what its layers make of that.

Graph, blocks, layers and model; stimuli; representation and summary.
"""
