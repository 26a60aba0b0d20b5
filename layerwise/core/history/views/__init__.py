"""Histories that show others in another way: several as one, parts of runs, without pictures."""
