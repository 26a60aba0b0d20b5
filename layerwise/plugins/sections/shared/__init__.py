"""What several sections draw alike: groups of runs, grids of matrices, curves over each other."""
