"""Runs of many stimuli, whose products are summed tile by tile."""
