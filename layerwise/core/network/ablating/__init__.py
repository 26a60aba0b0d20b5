"""A network without some of its layers: what stands in for them, and how far its answers go."""
