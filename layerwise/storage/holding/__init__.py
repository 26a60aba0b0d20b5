"""Who computes a run: claims, attempts, signs of life, and the processes they come from."""
