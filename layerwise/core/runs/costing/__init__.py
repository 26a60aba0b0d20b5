"""What a run will cost, told before it begins, and what it did cost."""
