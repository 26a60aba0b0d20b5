"""What is computed from representations and kept (comparisons, intervals, profiles), and which run answers what."""
